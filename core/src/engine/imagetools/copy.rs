//! Copies manifests with all that they name from one repository to another.

use super::failed;
use super::index::Resolved;
use super::resolve::{ask, digest_of, fetch, is_index, parsed, text, unexpected};
use crate::engine::image::{Remote, push_blob};
use crate::engine::{Ctx, Error, Result};
use crate::name::{Digest, Reference};
use crate::world::World;
use crate::world::acts::{FetchBlob, RemoveBlob};
use serde_json::Value;

/// Copies what a descriptor names into a repository, where it is not there already.
pub async fn copy<W: World>(
    ctx: &Ctx<W>,
    source: &Resolved<'_, W>,
    to: &Remote<'_, W>,
    target: &Reference,
    descriptor: &Value,
) -> Result<()> {
    let digest = digest_of(descriptor)?;
    let there = to.request("HEAD", &format!("manifests/{digest}"));
    if ask(to, "Ask whether the repository has this manifest already", there).await?.status == 200 {
        return Ok(());
    }
    let bytes = fetch(&source.remote, descriptor).await?;
    let manifest = parsed(&bytes)?;
    if is_index(text(descriptor, "mediaType")) {
        for part in manifest["manifests"].as_array().into_iter().flatten() {
            Box::pin(copy(ctx, source, to, target, part)).await?;
        }
    }
    let layers = manifest["layers"].as_array().into_iter().flatten();
    for part in [&manifest["config"]].into_iter().chain(layers).filter(|part| part.is_object()) {
        copy_blob(ctx, source, to, target, part).await?;
    }
    put(to, &digest.to_string(), text(descriptor, "mediaType"), bytes).await
}

async fn copy_blob<W: World>(
    ctx: &Ctx<W>,
    source: &Resolved<'_, W>,
    to: &Remote<'_, W>,
    target: &Reference,
    descriptor: &Value,
) -> Result<()> {
    let digest = digest_of(descriptor)?;
    if source.name.domain() == target.domain() && mounted(source, to, &digest).await? {
        return Ok(());
    }
    let known = ctx.world().has_blob(&digest);
    if !known {
        let request = source.remote.request("GET", &format!("blobs/{digest}"));
        let size = descriptor["size"].as_u64().unwrap_or(0);
        ctx.act("It goes from one registry to the other through here", FetchBlob { request, digest, size })
            .await
            .map_err(failed)?;
    }
    let sent = push_blob(ctx, to, &digest).await.map_err(|error| match error {
        Error::Daemon(text) | Error::Client(text) => failed(text),
        other => other,
    });
    if !known {
        ctx.act("It was here only on its way", RemoveBlob { digest }).await.map_err(failed)?;
    }
    sent.map(|_| ())
}

/// Whether the registry took the blob over from its other repository.
async fn mounted<W: World>(source: &Resolved<'_, W>, to: &Remote<'_, W>, digest: &Digest) -> Result<bool> {
    let from = source.name.path().replace('/', "%2F");
    let path = format!("blobs/uploads/?from={from}&mount={}", digest.to_string().replace(':', "%3A"));
    let request = to.request("POST", &path);
    Ok(ask(to, "The registry has this blob in another of its repositories", request).await?.status == 201)
}

/// Gives a manifest to a repository by a tag or its digest.
pub async fn put<W: World>(to: &Remote<'_, W>, wanted: &str, media_type: &str, bytes: Vec<u8>) -> Result<()> {
    let request =
        to.request("PUT", &format!("manifests/{wanted}")).with_header("Content-Type", media_type).with_body(bytes);
    let answer = ask(to, "Give the manifest to the registry", request.clone()).await?;
    if (200..300).contains(&answer.status) { Ok(()) } else { Err(unexpected(&request, &answer)) }
}
