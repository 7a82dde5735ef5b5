//! `docker manifest push`: what the list names has to be in its own repository, so that is brought there first.

use super::distribution::{refusal, writer};
use super::entry::Entry;
use super::{local, named};
use crate::cli::Invocation;
use crate::engine::image::Remote;
use crate::engine::system::indented;
use crate::engine::{Ctx, Error, Result};
use crate::image::wire::media;
use crate::name::{Digest, Reference};
use crate::world::World;
use serde_json::{Value, json};

/// A list as it is pushed.
pub(super) struct List {
    pub media_type: &'static str,
    pub bytes: Vec<u8>,
}

/// Puts a list together.
///
/// # Errors
/// Its manifests have to be in its own registry.
pub(super) fn list_of(target: &Reference, entries: &[Entry]) -> Result<List> {
    let mut parts = Vec::new();
    for entry in entries {
        if entry.name.domain() != target.domain() {
            return Err(Error::Client(format!(
                "cannot use source images from a different registry than the target image: {} != {}",
                entry.name.domain(),
                target.domain()
            )));
        }
        let platform = match &entry.platform {
            Value::Null => json!({"architecture": "", "os": ""}),
            known => known.clone(),
        };
        parts.push(json!({
            "mediaType": entry.media_type, "size": entry.size, "digest": entry.digest, "platform": platform,
        }));
    }
    let is_oci = entries.first().is_some_and(|entry| entry.media_type == media::OCI_MANIFEST);
    let media_type = if is_oci { media::OCI_INDEX } else { media::DOCKER_LIST };
    let list = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": parts});
    Ok(List { media_type, bytes: indented(&list, b"   ").into_bytes() })
}

pub async fn push<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let target = named(call.args.word(0))?;
    let insecure = call.args.flag("insecure");
    let entries = local::needed(ctx, &target).await?;
    if entries.is_empty() {
        return Err(Error::Client(format!("{target} not found")));
    }
    let unknown = |e: &&Entry| e.platform("architecture").is_empty() || e.platform("os").is_empty();
    if let Some(entry) = entries.iter().find(unknown) {
        let text = format!("manifest {} must have an OS and Architecture to be pushed to a registry", entry.name);
        return Err(Error::Client(text));
    }
    let list = list_of(&target, &entries)?;
    let remote = writer(ctx, &target, insecure).await?;
    let from_elsewhere = || entries.iter().filter(|entry| entry.name.path() != target.path());
    for entry in from_elsewhere() {
        for blob in entry.blobs() {
            mount(&remote, &target, entry, blob).await?;
        }
    }
    for entry in from_elsewhere() {
        let at = target.with_digest(entry.digest);
        put(&remote, &at, &entry.digest.to_string(), &entry.media_type, &entry.raw).await?;
        ctx.print(format!("Pushed ref {at} with digest: {}\n", entry.digest)).await;
    }
    let wanted = target.tag().map_or_else(|| target.digest().map(Digest::to_string), |tag| Some(tag.to_string()));
    put(&remote, &target, &wanted.unwrap_or_default(), list.media_type, &list.bytes).await?;
    ctx.print(format!("{}\n", Digest::of(&list.bytes))).await;
    if call.args.flag("purge") {
        local::remove(ctx, &target).await?;
    }
    Ok(0)
}

/// An answer of the registry's, or that it could not be asked.
fn plain(error: Error) -> String {
    match error {
        Error::Daemon(text) | Error::Client(text) => text,
        other => other.render(""),
    }
}

/// Has the registry take a blob of another of its repositories for one of this, too.
async fn mount<W: World>(remote: &Remote<'_, W>, target: &Reference, entry: &Entry, blob: Digest) -> Result<()> {
    let from = entry.name.path();
    let source = format!("{from}@{blob}");
    let failed = |why: String| Error::Client(format!("failed to mount blob {source} to {target}: {why}"));
    let request =
        remote.request("POST", &format!("blobs/uploads/?from={}&mount={}", escaped(from), escaped_digest(blob)));
    let why = "The list's repository needs what another one of the registry has";
    let response = remote.send(why, request).await.map_err(|error| failed(plain(error)))?;
    match response.status {
        201 => Ok(()),
        202 if entry.platform("os") == "windows" => Ok(()),
        202 => Err(Error::Client(format!("error mounting {source} to {target}"))),
        _ => Err(failed(refusal(&response).0)),
    }
}

/// A repository's path in a query.
fn escaped(path: &str) -> String {
    path.replace('/', "%2F")
}

fn escaped_digest(digest: Digest) -> String {
    digest.to_string().replace(':', "%3A")
}

async fn put<W: World>(
    remote: &Remote<'_, W>,
    name: &Reference,
    wanted: &str,
    media_type: &str,
    bytes: &[u8],
) -> Result<()> {
    let failed = |why: String| Error::Client(format!("failed to put manifest {name}: {why}"));
    let request = remote
        .request("PUT", &format!("manifests/{wanted}"))
        .with_header("Content-Type", media_type)
        .with_body(bytes.to_vec());
    let response = remote.send("Give the manifest to the registry", request).await.map_err(|e| failed(plain(e)))?;
    if (200..300).contains(&response.status) { Ok(()) } else { Err(failed(refusal(&response).0)) }
}
