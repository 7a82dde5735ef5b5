//! Putting the manifests of several sources together into one list.

use super::failed;
use super::load::shown_platform;
use super::resolve::{digest_of, fetch, is_index, is_manifest, parsed, text};
use super::sources::{Annotation, Place};
use crate::engine::image::Remote;
use crate::engine::manifest::{descriptor_of, platform_of};
use crate::engine::system::indented;
use crate::engine::{Error, Result};
use crate::image::wire::{Platform, media};
use crate::name::{Digest, Reference};
use crate::world::World;
use serde_json::{Map, Value, json};

/// A source that has been looked up.
pub struct Resolved<'a, W> {
    pub name: Reference,
    pub remote: Remote<'a, W>,
    pub descriptor: Value,
}

/// A new image: its bytes and descriptor, and which source has each of its manifests.
pub struct Combined {
    pub bytes: Vec<u8>,
    pub descriptor: Value,
    /// Descriptors, each with the place of its source.
    pub manifests: Vec<(Value, usize)>,
}

/// What kind of manifest it is that does not say so itself.
fn media_type_of(manifest: &Value) -> &str {
    match &manifest["mediaType"] {
        Value::String(text) if !text.is_empty() => text,
        _ if !manifest["config"].is_null() => media::DOCKER_MANIFEST,
        _ => media::DOCKER_LIST,
    }
}

/// The manifest of each source; what its descriptor lacks is filled in.
pub async fn contents<W: World>(sources: &mut [Resolved<'_, W>]) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for source in sources {
        let bytes = fetch(&source.remote, &source.descriptor).await?;
        let manifest = parsed(&bytes)?;
        if text(&source.descriptor, "mediaType").is_empty() {
            source.descriptor["mediaType"] = json!(media_type_of(&manifest));
        }
        if is_manifest(text(&source.descriptor, "mediaType")) {
            let mut platform = platform_of(&source.descriptor["platform"]);
            if text(&platform, "os").is_empty() || text(&platform, "architecture").is_empty() {
                let blob = json!({"digest": manifest["config"]["digest"], "mediaType": "application/octet-stream"});
                let config = parsed(&fetch(&source.remote, &blob).await?)?;
                platform = filled(platform, &config);
            }
            source.descriptor["platform"] = platform;
        }
        all.push(bytes);
    }
    Ok(all)
}

/// A platform with what a configuration tells of it.
fn filled(mut platform: Value, config: &Value) -> Value {
    if !platform.is_object() {
        platform = json!({});
    }
    let known = Platform::normal(text(config, "os"), text(config, "architecture"), text(config, "variant"));
    if text(&platform, "architecture").is_empty() {
        platform["architecture"] = json!(known.architecture);
        if text(&platform, "variant").is_empty() {
            platform["variant"] = json!(known.variant);
        }
    }
    if text(&platform, "os").is_empty() {
        platform["os"] = json!(known.os);
    }
    platform_of(&platform)
}

/// A list's bytes with its descriptor.
fn list(media_type: &str, manifests: &[Value], annotations: Map<String, Value>) -> (Vec<u8>, Value) {
    let mut all = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
    if !annotations.is_empty() {
        let mut annotations = annotations;
        annotations.sort_keys();
        all["annotations"] = Value::Object(annotations);
    }
    let bytes = indented(&all, b"  ").into_bytes();
    let descriptor = json!({"mediaType": media_type, "digest": Digest::of(&bytes), "size": bytes.len()});
    (bytes, descriptor)
}

/// One list of all that the sources name.
///
/// # Errors
/// Where an annotation can't be put there.
pub fn combine<W>(
    sources: &[Resolved<'_, W>],
    contents: &[Vec<u8>],
    annotations: &[Annotation],
    prefer_index: bool,
) -> Result<Combined> {
    if let ([source], []) = (sources, annotations) {
        let as_index = is_index(text(&source.descriptor, "mediaType"));
        if as_index || !prefer_index {
            let descriptor = source.descriptor.clone();
            let mut manifests = vec![(descriptor.clone(), 0)];
            if as_index {
                let index = parsed(&contents[0])?;
                manifests = index["manifests"].as_array().into_iter().flatten().map(|m| (m.clone(), 0)).collect();
            }
            return Ok(Combined { bytes: contents[0].clone(), descriptor, manifests });
        }
    }
    let mut manifests: Vec<(Value, usize)> = Vec::new();
    for (i, source) in sources.iter().enumerate() {
        if !is_index(text(&source.descriptor, "mediaType")) {
            add(&mut manifests, &source.descriptor, i);
            continue;
        }
        let index = parsed(&contents[i])?;
        for part in index["manifests"].as_array().into_iter().flatten() {
            add(&mut manifests, part, i);
        }
    }
    let is_docker = |(m, _): &(Value, usize)| text(m, "mediaType").starts_with("application/vnd.docker.");
    let media_type = if manifests.iter().all(is_docker) { media::DOCKER_LIST } else { media::OCI_INDEX };
    // A Docker list has no room for annotations.
    let own = if media_type == media::OCI_INDEX { annotate(&mut manifests, annotations)? } else { Map::new() };
    let shaped: Vec<Value> = manifests.iter().map(|(m, _)| descriptor_of(m)).collect();
    let (bytes, descriptor) = list(media_type, &shaped, own);
    Ok(Combined { bytes, descriptor, manifests })
}

/// Adds a manifest, or to one that is there what is newly said of it.
fn add(manifests: &mut Vec<(Value, usize)>, descriptor: &Value, source: usize) {
    let Some((old, from)) = manifests.iter_mut().find(|(m, _)| m["digest"] == descriptor["digest"]) else {
        manifests.push((descriptor.clone(), source));
        return;
    };
    *from = source;
    if text(old, "mediaType").is_empty() {
        old["mediaType"] = descriptor["mediaType"].clone();
    }
    if descriptor["platform"].is_object() {
        old["platform"] = descriptor["platform"].clone();
    }
    for (key, value) in descriptor["annotations"].as_object().into_iter().flatten() {
        old["annotations"][key] = value.clone();
    }
}

/// Puts annotations on the manifests; those of the list itself are given back.
fn annotate(manifests: &mut [(Value, usize)], annotations: &[Annotation]) -> Result<Map<String, Value>> {
    let mut own = Map::new();
    for annotation in annotations {
        let value = json!(annotation.value);
        match &annotation.place {
            Place::Index => {
                own.insert(annotation.key.clone(), value);
            }
            Place::Refused(why) => return Err(failed(why)),
            Place::Descriptor(platform) => {
                let fits =
                    |m: &Value| platform.as_ref().is_none_or(|p| p.to_string() == shown_platform(&m["platform"]));
                for (manifest, _) in manifests.iter_mut().filter(|(m, _)| fits(m)) {
                    manifest["annotations"][&annotation.key] = value.clone();
                }
            }
        }
    }
    Ok(own)
}

/// Leaves only the manifests of these platforms, with what is attested of them.
///
/// # Errors
/// Where none is left.
pub fn filter(combined: Combined, platforms: &[Platform]) -> Result<Combined> {
    if platforms.is_empty() {
        return Ok(combined);
    }
    let fits = |m: &Value| {
        let own = shown_platform(&m["platform"]);
        !m["platform"].is_object() || platforms.iter().any(|p| p.to_string() == own)
    };
    let media_type = text(&combined.descriptor, "mediaType").to_string();
    if !is_index(&media_type) {
        let descriptor = &combined.descriptor;
        if !descriptor["platform"].is_object() {
            return Err(failed("cannot filter platforms from a manifest without platform information"));
        }
        if !fits(descriptor) {
            return Err(failed(format!(
                "input platform {} does not match any of the provided platforms",
                shown_platform(&descriptor["platform"])
            )));
        }
        return Ok(combined);
    }
    let all: Vec<Value> = combined.manifests.iter().map(|(m, _)| m.clone()).collect();
    let attests = |m: &Value| {
        let about = &m["annotations"]["vnd.docker.reference.digest"];
        m["annotations"]["vnd.docker.reference.type"] == "attestation-manifest"
            && all.iter().any(|subject| subject["digest"] == *about && fits(subject))
    };
    let kept: Vec<(Value, usize)> = combined.manifests.iter().filter(|(m, _)| attests(m) || fits(m)).cloned().collect();
    if kept.len() == all.len() {
        return Ok(combined);
    }
    if kept.is_empty() {
        return Err(failed("none of the manifests match the provided platforms"));
    }
    let index = parsed(&combined.bytes)?;
    let shaped: Vec<Value> = kept.iter().map(|(m, _)| descriptor_of(m)).collect();
    let (bytes, descriptor) = list(&media_type, &shaped, index["annotations"].as_object().cloned().unwrap_or_default());
    Ok(Combined { bytes, descriptor, manifests: kept })
}

/// What a source's descriptor says beyond what its registry says.
///
/// # Errors
/// Where the two can't be the same thing.
pub fn merged(found: Value, said: &Value) -> Result<Value> {
    let mut all = found;
    if let Some(size) = said["size"].as_u64().filter(|size| *size != 0 && all["size"] != json!(*size)) {
        let digest = digest_of(&all)?;
        return Err::<Value, Error>(failed(format!("invalid size mismatch for {digest}, {size} != {}", all["size"])));
    }
    if !text(said, "mediaType").is_empty() {
        all["mediaType"] = said["mediaType"].clone();
    }
    if said["annotations"].as_object().is_some_and(|map| !map.is_empty()) {
        all["annotations"] = said["annotations"].clone();
    }
    if said["platform"].is_object() {
        all["platform"] = said["platform"].clone();
    }
    Ok(all)
}
