//! A registry as a function of a request and a store. The simulated hub, its `registry:2` program and the
//! tests are this one; so would a real one be that listens on a socket.

use super::range::{byte_range, query};
use super::respond::{Refusal, answer, empty, json as respond_json, refuse};
use super::uploads;
use super::{Request, Response, Store};
use crate::name::{Digest, Reference, is_tag};
use cutaway_userland::sorted::Set as BTreeSet;
use serde_json::{Value, json};

/// Larger manifests are refused, as other registries do.
const LARGEST_MANIFEST: usize = 4 << 20;

/// Answers a request. `HEAD` is answered like `GET` without the body.
pub fn serve(request: &Request, store: &mut impl Store) -> Response {
    let (path, args) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let mut response = route(request, store, path, args);
    if request.method == "HEAD" {
        response.body.clear();
    }
    response
}

/// Puts an image's manifest and what it refers to into a store without a request: how a hub is filled.
pub fn publish(store: &mut impl Store, name: &str, tag: &str, media_type: &str, manifest: &[u8], blobs: &[&[u8]]) {
    for blob in blobs {
        let digest = Digest::of(blob);
        store.put(&format!("blobs/{digest}"), blob);
        store.put(&layer_key(name, &digest), b"");
    }
    let digest = Digest::of(manifest);
    store.put(&format!("blobs/{digest}"), manifest);
    store.put(&manifest_key(name, &digest), media_type.as_bytes());
    if !tag.is_empty() {
        store.put(&tag_key(name, tag), digest.to_string().as_bytes());
    }
}

fn route(request: &Request, store: &mut impl Store, path: &str, args: &str) -> Response {
    let Some(rest) = path.strip_prefix("/v2") else {
        return answer(404, &[("Content-Type", "text/plain".into())], b"404 page not found\n".to_vec());
    };
    let rest = rest.trim_start_matches('/');
    if rest.is_empty() {
        return respond_json(200, &[], &json!({}));
    }
    if rest == "_catalog" {
        return catalog(request, store, args);
    }
    let parts: Vec<&str> = rest.split('/').collect();
    let named = |from_end: usize| parts[..parts.len() - from_end].join("/");
    let at = |from_end: usize| parts.len().checked_sub(from_end).map_or("", |i| parts[i]);
    let (name, kind) = if at(3) == "blobs" && at(2) == "uploads" && parts.len() > 3 {
        (named(3), "upload")
    } else if matches!(at(2), "blobs" | "manifests" | "tags" | "referrers") && parts.len() > 2 {
        (named(2), at(2))
    } else {
        return answer(404, &[("Content-Type", "text/plain".into())], b"404 page not found\n".to_vec());
    };
    if Reference::parse(&format!("registry.invalid/{name}")).is_err() {
        return refuse(Refusal::NameInvalid, json!(name));
    }
    match kind {
        "upload" if at(1).is_empty() && request.method == "POST" => uploads::begin(request, store, &name, args),
        "upload" => uploads::go_on(request, store, &name, at(1), args),
        "blobs" if at(1) == "uploads" && request.method == "POST" => uploads::begin(request, store, &name, args),
        "blobs" => blob(request, store, &name, at(1)),
        "manifests" => manifest(request, store, &name, at(1)),
        "tags" if at(1) == "list" => tags(request, store, &name, args),
        "referrers" => referrers(store, &name, at(1), args),
        _ => refuse(Refusal::Unsupported, Value::Null),
    }
}

fn blob(request: &Request, store: &mut impl Store, name: &str, digest: &str) -> Response {
    let digest = match parsed_digest(digest) {
        Ok(digest) => digest,
        Err(refusal) => return refusal,
    };
    let key = layer_key(name, &digest);
    let unknown = || refuse(Refusal::BlobUnknown, json!({ "digest": digest.to_string() }));
    if store.get(&key).is_none() {
        return unknown();
    }
    match request.method.as_str() {
        "GET" | "HEAD" => {
            let Some(bytes) = store.get(&format!("blobs/{digest}")) else { return unknown() };
            let headers = [
                ("Content-Type", "application/octet-stream".to_string()),
                ("Docker-Content-Digest", digest.to_string()),
                ("Accept-Ranges", "bytes".to_string()),
                ("Etag", format!("\"{digest}\"")),
            ];
            match request.header("Range") {
                None => answer(200, &headers, bytes.to_vec()),
                Some(range) => match byte_range(range, bytes.len() as u64) {
                    None => refuse(Refusal::RangeInvalid, json!(range)),
                    Some((first, last)) => {
                        let mut headers = headers.to_vec();
                        headers.push(("Content-Range", format!("bytes {first}-{last}/{}", bytes.len())));
                        answer(206, &headers, bytes[first as usize..=last as usize].to_vec())
                    }
                },
            }
        }
        "DELETE" => {
            store.remove(&key);
            empty(202, &[])
        }
        _ => refuse(Refusal::Unsupported, Value::Null),
    }
}

fn manifest(request: &Request, store: &mut impl Store, name: &str, reference: &str) -> Response {
    if request.method == "PUT" {
        return put_manifest(request, store, name, reference);
    }
    let tagged = store.get(&tag_key(name, reference)).and_then(|b| Digest::parse(std::str::from_utf8(&b).ok()?));
    let found = Digest::parse(reference).or(tagged);
    let found = found.and_then(|d| Some((d, store.get(&manifest_key(name, &d))?, store.get(&format!("blobs/{d}"))?)));
    let Some((digest, media_type, bytes)) = found else {
        return refuse(Refusal::ManifestUnknown, json!({ "Tag": reference }));
    };
    match request.method.as_str() {
        "GET" | "HEAD" => answer(
            200,
            &[
                ("Content-Type", String::from_utf8_lossy(&media_type).into_owned()),
                ("Docker-Content-Digest", digest.to_string()),
                ("Etag", format!("\"{digest}\"")),
            ],
            bytes.to_vec(),
        ),
        "DELETE" if Digest::parse(reference).is_none() => {
            store.remove(&tag_key(name, reference));
            empty(202, &[])
        }
        "DELETE" => {
            store.remove(&manifest_key(name, &digest));
            for key in store.keys(&tag_key(name, "")) {
                if store.get(&key).is_some_and(|b| b.as_ref() == digest.to_string().as_bytes()) {
                    store.remove(&key);
                }
            }
            if let Some(subject) = subject_of(&bytes) {
                store.remove(&referrer_key(name, &subject, &digest));
            }
            empty(202, &[])
        }
        _ => refuse(Refusal::Unsupported, Value::Null),
    }
}

fn put_manifest(request: &Request, store: &mut impl Store, name: &str, reference: &str) -> Response {
    let digest = Digest::of(&request.body);
    let invalid = |why: &str| refuse(Refusal::ManifestInvalid, json!(why));
    match Digest::parse(reference) {
        Some(expected) if expected != digest => {
            return refuse(Refusal::DigestInvalid, json!(expected.to_string()));
        }
        None if !is_tag(reference) => return refuse(Refusal::TagInvalid, json!(reference)),
        _ => {}
    }
    if request.body.len() > LARGEST_MANIFEST {
        return invalid("the manifest is larger than 4 MiB");
    }
    let Ok(value) = serde_json::from_slice::<Value>(&request.body) else {
        return invalid("the manifest is no JSON");
    };
    let declared = value["mediaType"].as_str();
    let given = request.header("Content-Type").filter(|t| !t.is_empty());
    let Some(media_type) = given.or(declared) else { return invalid("the manifest has no media type") };
    if declared.is_some_and(|d| d != media_type) {
        return invalid("the media type is not that of the request");
    }
    if value["schemaVersion"] != 2 {
        return invalid("only schema version 2 is known");
    }
    let parts: Vec<&Value> = [&value["config"]].into_iter().chain(list(&value["layers"])).collect();
    for part in parts.into_iter().filter(|p| p.is_object()) {
        let Some(digest) = part["digest"].as_str().and_then(Digest::parse) else {
            return invalid("a descriptor has no valid digest");
        };
        // A layer with addresses of its own may be kept elsewhere.
        if part["urls"].is_null() && store.get(&layer_key(name, &digest)).is_none() {
            return refuse(Refusal::ManifestBlobUnknown, json!({ "digest": digest.to_string() }));
        }
    }
    for part in list(&value["manifests"]) {
        let known = part["digest"]
            .as_str()
            .and_then(Digest::parse)
            .is_some_and(|d| store.get(&manifest_key(name, &d)).is_some());
        if !known {
            return refuse(Refusal::ManifestBlobUnknown, json!({ "digest": part["digest"] }));
        }
    }
    publish(
        store,
        name,
        if Digest::parse(reference).is_some() { "" } else { reference },
        media_type,
        &request.body,
        &[],
    );
    let mut headers =
        vec![("Location", format!("/v2/{name}/manifests/{digest}")), ("Docker-Content-Digest", digest.to_string())];
    if let Some(subject) = subject_of(&request.body) {
        store.put(&referrer_key(name, &subject, &digest), descriptor_of(&value, media_type, &request.body).as_bytes());
        headers.push(("OCI-Subject", subject.to_string()));
    }
    empty(201, &headers)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn subject_of(manifest: &[u8]) -> Option<Digest> {
    let value: Value = serde_json::from_slice(manifest).ok()?;
    Digest::parse(value["subject"]["digest"].as_str()?)
}

/// What the list of referrers tells of a manifest.
fn descriptor_of(manifest: &Value, media_type: &str, bytes: &[u8]) -> String {
    let mut descriptor =
        json!({ "mediaType": media_type, "digest": Digest::of(bytes).to_string(), "size": bytes.len() });
    let kind =
        if manifest["artifactType"].is_string() { &manifest["artifactType"] } else { &manifest["config"]["mediaType"] };
    if kind.is_string() {
        descriptor["artifactType"] = kind.clone();
    }
    if manifest["annotations"].is_object() {
        descriptor["annotations"] = manifest["annotations"].clone();
    }
    descriptor.to_string()
}

fn referrers(store: &impl Store, name: &str, subject: &str, args: &str) -> Response {
    let subject = match parsed_digest(subject) {
        Ok(digest) => digest,
        Err(refusal) => return refusal,
    };
    let wanted = query(args, "artifactType");
    let prefix = format!("repositories/{name}/_referrers/{subject}/");
    let stored = store.keys(&prefix).into_iter().filter_map(|key| store.get(&key));
    let mut manifests: Vec<Value> = stored.filter_map(|bytes| serde_json::from_slice(&bytes).ok()).collect();
    let mut headers = vec![("Content-Type", "application/vnd.oci.image.index.v1+json".to_string())];
    if let Some(kind) = wanted {
        manifests.retain(|m| m["artifactType"] == kind.as_str());
        headers.push(("OCI-Filters-Applied", "artifactType".to_string()));
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    });
    answer(200, &headers, index.to_string().into_bytes())
}

fn tags(request: &Request, store: &impl Store, name: &str, args: &str) -> Response {
    if request.method != "GET" {
        return refuse(Refusal::Unsupported, Value::Null);
    }
    if store.keys(&format!("repositories/{name}/_")).is_empty() {
        return refuse(Refusal::NameUnknown, json!({ "name": name }));
    }
    let prefix = tag_key(name, "");
    let tags: Vec<String> = store.keys(&prefix).iter().map(|k| k[prefix.len()..].to_string()).collect();
    let (page, link) = paged(tags, args, &format!("/v2/{name}/tags/list"));
    respond_json(200, &link, &json!({ "name": name, "tags": page }))
}

fn catalog(request: &Request, store: &impl Store, args: &str) -> Response {
    if request.method != "GET" {
        return refuse(Refusal::Unsupported, Value::Null);
    }
    let keys = store.keys("repositories/");
    let names: BTreeSet<String> =
        keys.iter().filter_map(|k| Some(k.strip_prefix("repositories/")?.split_once("/_")?.0.to_string())).collect();
    let (page, link) = paged(names.into_iter().collect(), args, "/v2/_catalog");
    respond_json(200, &link, &json!({ "repositories": page }))
}

/// The page that `n=` and `last=` ask for, and the `Link` to the next.
fn paged(all: Vec<String>, args: &str, path: &str) -> (Vec<String>, Vec<(&'static str, String)>) {
    let last = query(args, "last").unwrap_or_default();
    let rest: Vec<String> = all.into_iter().filter(|name| last.is_empty() || *name > last).collect();
    let Some(n) = query(args, "n").and_then(|n| n.parse::<usize>().ok()) else { return (rest, Vec::new()) };
    let page: Vec<String> = rest.iter().take(n).cloned().collect();
    let link = match page.last() {
        Some(last) if rest.len() > n => vec![("Link", format!("<{path}?last={last}&n={n}>; rel=\"next\""))],
        _ => Vec::new(),
    };
    (page, link)
}

pub(super) fn parsed_digest(text: &str) -> Result<Digest, Response> {
    Digest::parse(text).ok_or_else(|| refuse(Refusal::DigestInvalid, json!(text)))
}

pub(super) fn layer_key(name: &str, digest: &Digest) -> String {
    format!("repositories/{name}/_layers/{digest}")
}

fn manifest_key(name: &str, digest: &Digest) -> String {
    format!("repositories/{name}/_manifests/{digest}")
}

fn tag_key(name: &str, tag: &str) -> String {
    format!("repositories/{name}/_tags/{tag}")
}

fn referrer_key(name: &str, subject: &Digest, digest: &Digest) -> String {
    format!("repositories/{name}/_referrers/{subject}/{digest}")
}

#[cfg(test)]
mod tests;
