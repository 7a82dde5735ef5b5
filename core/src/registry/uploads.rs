//! Uploading a blob: all at once, in pieces, or by naming a repository that has it.

use super::range::query;
use super::respond::{Refusal, empty, refuse};
use super::server::{layer_key, parsed_digest};
use super::{Request, Response, Store};
use crate::name::Digest;
use serde_json::{Value, json};

/// `POST …/blobs/uploads/`: begins an upload, or finishes it with `digest=` or `mount=`.
pub fn begin(request: &Request, store: &mut impl Store, name: &str, args: &str) -> Response {
    if let (Some(mount), Some(_)) = (query(args, "mount"), query(args, "from"))
        && let Some(digest) = Digest::parse(&mount)
        && store.get(&format!("blobs/{digest}")).is_some()
    {
        store.put(&layer_key(name, &digest), b"");
        return created(name, &digest);
    }
    if let Some(digest) = query(args, "digest") {
        return finish(store, name, &digest, &request.body);
    }
    let id = next_id(store);
    store.put(&format!("uploads/{id}"), b"");
    empty(202, &progress(name, &id, 0))
}

/// A request on an upload that was begun.
pub fn go_on(request: &Request, store: &mut impl Store, name: &str, id: &str, args: &str) -> Response {
    let key = format!("uploads/{id}");
    let Some(so_far) = store.get(&key) else {
        return refuse(Refusal::BlobUploadUnknown, Value::Null);
    };
    match request.method.as_str() {
        "GET" | "HEAD" => empty(204, &progress(name, id, so_far.len())),
        "DELETE" => {
            store.remove(&key);
            empty(204, &[])
        }
        "PATCH" => match appended(request, &so_far) {
            Ok(all) => {
                store.put(&key, &all);
                empty(202, &progress(name, id, all.len()))
            }
            Err(refusal) => refusal,
        },
        "PUT" => {
            let Some(digest) = query(args, "digest") else {
                return refuse(Refusal::DigestInvalid, json!("digest missing"));
            };
            match appended(request, &so_far) {
                Ok(all) => {
                    store.remove(&key);
                    finish(store, name, &digest, &all)
                }
                Err(refusal) => refusal,
            }
        }
        _ => refuse(Refusal::Unsupported, Value::Null),
    }
}

/// What has come, with the body of this request after it. Pieces must come in order.
fn appended(request: &Request, so_far: &[u8]) -> Result<Vec<u8>, Response> {
    if let Some(range) = request.header("Content-Range") {
        let bounds = range.trim_start_matches("bytes ").split_once('-');
        let parsed = bounds.and_then(|(a, b)| Some((a.parse::<usize>().ok()?, b.parse::<usize>().ok()?)));
        let Some((first, last)) = parsed else {
            return Err(refuse(Refusal::BlobUploadInvalid, json!(range)));
        };
        if first != so_far.len() {
            return Err(refuse(Refusal::RangeInvalid, json!(range)));
        }
        if last + 1 < first || last + 1 - first != request.body.len() {
            return Err(refuse(Refusal::SizeInvalid, json!(range)));
        }
    }
    Ok([so_far, &request.body].concat())
}

fn finish(store: &mut impl Store, name: &str, digest: &str, bytes: &[u8]) -> Response {
    let digest = match parsed_digest(digest) {
        Ok(digest) => digest,
        Err(refusal) => return refusal,
    };
    if Digest::of(bytes) != digest {
        return refuse(Refusal::DigestInvalid, json!(digest.to_string()));
    }
    store.put(&format!("blobs/{digest}"), bytes);
    store.put(&layer_key(name, &digest), b"");
    created(name, &digest)
}

fn created(name: &str, digest: &Digest) -> Response {
    empty(201, &[("Location", format!("/v2/{name}/blobs/{digest}")), ("Docker-Content-Digest", digest.to_string())])
}

fn progress(name: &str, id: &str, length: usize) -> Vec<(&'static str, String)> {
    vec![
        ("Location", format!("/v2/{name}/blobs/uploads/{id}")),
        ("Range", format!("0-{}", length.saturating_sub(1))),
        ("Docker-Upload-Uuid", id.to_string()),
    ]
}

/// Ids are counted in the store, and hashed so that they look like what they are: names without a meaning.
fn next_id(store: &mut impl Store) -> String {
    let number =
        store.get("upload-count").and_then(|b| std::str::from_utf8(&b).ok()?.parse::<u64>().ok()).unwrap_or(0) + 1;
    store.put("upload-count", number.to_string().as_bytes());
    let hex = Digest::of(format!("upload {number}").as_bytes()).hex();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32])
}
