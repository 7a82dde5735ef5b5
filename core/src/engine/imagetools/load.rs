//! Everything about an image that a template may ask for: its configurations by platform, and what its
//! attestations say.

use super::resolve::{digest_of, fetch, is_index, is_manifest, parsed, text};
use crate::engine::Result;
use crate::engine::image::Remote;
use crate::engine::manifest::platform_of;
use crate::image::wire::Platform;
use crate::world::World;
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Map, Value, json};

/// An attestation names the manifest that it is about by one of these.
const SUBJECTS: [&str; 2] = ["com.docker.reference.digest", "vnd.docker.reference.digest"];
/// What kind of statement an attestation's layer is.
const PREDICATE: &str = "in-toto.io/predicate-type";

/// One platform's image.
pub struct Part {
    pub config: Value,
    pub sbom: Value,
    pub provenance: Value,
}

/// A manifest with its descriptor.
struct Found {
    descriptor: Value,
    manifest: Value,
}

/// A platform as it is shown, with names as manifests use them.
pub fn shown_platform(value: &Value) -> String {
    let os = text(value, "os");
    let os = if os.is_empty() { "unknown" } else { os };
    Platform::normal(os, text(value, "architecture"), text(value, "variant")).to_string()
}

/// The images of a name by platform.
pub async fn load<W: World>(remote: &Remote<'_, W>, descriptor: &Value) -> Result<BTreeMap<String, Part>> {
    let mut found = Vec::new();
    let mut left = vec![descriptor.clone()];
    while let Some(descriptor) = left.pop() {
        let media_type = text(&descriptor, "mediaType");
        if is_index(media_type) {
            let index = parsed(&fetch(remote, &descriptor).await?)?;
            left.extend(index["manifests"].as_array().into_iter().flatten().rev().cloned());
        } else if is_manifest(media_type) {
            let manifest = parsed(&fetch(remote, &descriptor).await?)?;
            found.push(Found { descriptor, manifest });
        }
    }
    let subject =
        |one: &Found| SUBJECTS.iter().find_map(|key| one.descriptor["annotations"][key].as_str().map(str::to_string));
    let mut all = BTreeMap::new();
    for one in found.iter().filter(|one| subject(one).is_none()) {
        let config = parsed(&fetch(remote, &blob(&one.manifest["config"])).await?)?;
        let platform = match platform_of(&one.descriptor["platform"]) {
            Value::Null => platform_of(&config),
            known => known,
        };
        let digest = digest_of(&one.descriptor)?.to_string();
        let mut part = Part { config: shaped(&config), sbom: json!({}), provenance: json!({}) };
        for about in found.iter().filter(|other| subject(other).as_ref() == Some(&digest)) {
            attest(remote, &about.manifest, &mut part).await?;
        }
        all.insert(shown_platform(&platform), part);
    }
    Ok(all)
}

/// The descriptor of something that is no manifest.
fn blob(descriptor: &Value) -> Value {
    json!({ "digest": descriptor["digest"], "mediaType": "application/octet-stream" })
}

async fn attest<W: World>(remote: &Remote<'_, W>, manifest: &Value, part: &mut Part) -> Result<()> {
    for layer in manifest["layers"].as_array().into_iter().flatten() {
        let kind = layer["annotations"][PREDICATE].as_str().unwrap_or("");
        let (place, key) = if kind == "https://spdx.dev/Document" {
            (&mut part.sbom, "SPDX")
        } else if kind.starts_with("https://slsa.dev/provenance/") {
            (&mut part.provenance, "SLSA")
        } else {
            continue;
        };
        if text(layer, "mediaType") == "application/vnd.in-toto+json" && place[key].is_null() {
            let statement = parsed(&fetch(remote, &blob(layer)).await?)?;
            place[key] = statement["predicate"].clone();
        }
    }
    Ok(())
}

/// Those fields of an object that OCI knows, in their order, without the empty ones.
fn picked(value: &Value, keys: &[&str]) -> Value {
    let filled = |value: &&Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(on) => *on,
        Value::Number(_) => true,
    };
    let found = keys.iter().filter_map(|key| Some((key.to_string(), Some(&value[*key]).filter(filled)?.clone())));
    Value::Object(found.collect::<Map<_, _>>())
}

/// An image's configuration with the fields of OCI's type.
fn shaped(config: &Value) -> Value {
    let inner = [
        "User",
        "ExposedPorts",
        "Env",
        "Entrypoint",
        "Cmd",
        "Volumes",
        "WorkingDir",
        "Labels",
        "StopSignal",
        "ArgsEscaped",
    ];
    let mut all = Map::new();
    if let Value::Object(head) = picked(config, &["created", "author"]) {
        all.extend(head);
    }
    if let Value::Object(platform) = platform_of(config) {
        all.extend(platform);
    }
    all.insert("config".into(), picked(&config["config"], &inner));
    all.insert("rootfs".into(), picked(&config["rootfs"], &["type", "diff_ids"]));
    let history = config["history"].as_array().into_iter().flatten();
    let history: Vec<Value> =
        history.map(|one| picked(one, &["created", "created_by", "author", "comment", "empty_layer"])).collect();
    if !history.is_empty() {
        all.insert("history".into(), Value::Array(history));
    }
    Value::Object(all)
}
