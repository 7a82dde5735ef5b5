//! Names to descriptors and descriptors to bytes, in the words of containerd's resolver.

use super::failed;
use crate::engine::image::{Remote, has_loopback_name, registry_host};
use crate::engine::{Ctx, Error, Result};
use crate::image::wire::media;
use crate::name::{Digest, Reference};
use crate::registry::{Request, Response};
use crate::world::World;
use serde_json::{Value, json};

/// Larger manifests are refused.
const LARGEST: usize = 4 << 20;

/// The repository of a name, as one who may do `actions` in it.
pub fn repository<'a, W: World>(ctx: &'a Ctx<W>, name: &Reference, actions: &'static str) -> Remote<'a, W> {
    let plain = has_loopback_name(&registry_host(name.domain()));
    Remote::at(ctx, name, actions, !plain, false)
}

/// Whether a media type is that of a list of manifests.
pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, media::DOCKER_LIST | media::OCI_INDEX)
}

pub fn is_manifest(media_type: &str) -> bool {
    matches!(media_type, media::DOCKER_MANIFEST | media::OCI_MANIFEST)
}

/// The digest that a descriptor names.
///
/// # Errors
/// Where it names none.
pub fn digest_of(descriptor: &Value) -> Result<Digest> {
    let digest = descriptor["digest"].as_str().and_then(Digest::parse);
    digest.ok_or_else(|| failed("invalid checksum digest format"))
}

/// A text of a descriptor, as its `mediaType`.
pub fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or("")
}

/// Asks, and tells how asking failed.
pub async fn ask<W: World>(remote: &Remote<'_, W>, why: &str, request: Request) -> Result<Response> {
    let answer = remote.send(why, request).await;
    let answer = answer.map_err(|error| match error {
        Error::Daemon(text) => failed(format!("failed to do request: {text}")),
        other => other,
    })?;
    if answer.status != 401 {
        return Ok(answer);
    }
    let basic = answer.header("www-authenticate").is_some_and(|h| h.to_lowercase().starts_with("basic"));
    let denied = "pull access denied, repository does not exist or may require authorization";
    let why = if basic { "" } else { "server message: insufficient_scope: " };
    let end = if basic { ": no basic auth credentials" } else { "" };
    Err(failed(format!("{denied}: {why}authorization failed{end}")))
}

/// What an answer says that was not hoped for.
pub fn unexpected(request: &Request, response: &Response) -> Error {
    let status = response.status_line();
    failed(format!("unexpected status from {} request to {}: {status}", request.method, request.url()))
}

/// What a name stands for in its registry: a descriptor with media type, digest and size.
pub async fn resolve<W: World>(remote: &Remote<'_, W>, name: &Reference) -> Result<Value> {
    let name = name.clone().with_default_tag();
    let wanted = name.digest().map_or_else(|| name.tag().unwrap_or("latest").to_string(), Digest::to_string);
    let mut request = remote.request("HEAD", &format!("manifests/{wanted}"));
    for kind in media::ACCEPT {
        request = request.with_header("Accept", kind);
    }
    let told = ask(remote, "Find out what the name stands for", request.clone()).await?;
    match told.status {
        200..=299 => {}
        404 => return Err(failed(format!("{name}: not found"))),
        _ => return Err(unexpected(&request, &told)),
    }
    let media_type = told.header("content-type").unwrap_or("").to_string();
    let size = told.header("content-length").and_then(|size| size.parse::<u64>().ok());
    let digest = told.header("docker-content-digest").and_then(Digest::parse);
    let (digest, size) = match (name.digest().copied().or(digest), size) {
        (Some(digest), Some(size)) => (digest, size),
        _ => {
            request.method = "GET".into();
            let answer = ask(remote, "The registry does not tell the digest without the manifest", request).await?;
            (Digest::of(&answer.body), answer.body.len() as u64)
        }
    };
    if size > LARGEST as u64 {
        return Err(failed(format!("rejecting {size} byte manifest for {name}: not found")));
    }
    Ok(json!({ "mediaType": media_type, "digest": digest, "size": size }))
}

/// The bytes that a descriptor names: a manifest or a blob.
pub async fn fetch<W: World>(remote: &Remote<'_, W>, descriptor: &Value) -> Result<Vec<u8>> {
    let digest = digest_of(descriptor)?;
    let media_type = text(descriptor, "mediaType");
    let as_manifest = media_type.is_empty() || is_index(media_type) || is_manifest(media_type);
    let kind = if as_manifest { "manifests" } else { "blobs" };
    let mut request = remote.request("GET", &format!("{kind}/{digest}"));
    for kind in media::ACCEPT.iter().filter(|_| as_manifest) {
        request = request.with_header("Accept", kind);
    }
    let answer = ask(remote, "Read what the descriptor names", request.clone()).await?;
    match answer.status {
        200 if Digest::of(&answer.body) == digest => Ok(answer.body),
        200 => {
            let found = Digest::of(&answer.body);
            Err(failed(format!("unexpected commit digest {found}, expected {digest}: failed precondition")))
        }
        404 => Err(failed(format!("content at {} not found: not found", request.url()))),
        _ => Err(unexpected(&request, &answer)),
    }
}

/// Reads JSON that a registry gave.
///
/// # Errors
/// Where it is none.
pub fn parsed(bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).map_err(failed)
}
