//! How the client itself talks to a registry, without an engine: over TLS first, in the clear only where that is
//! allowed. The words are those of Go's distribution client. Source: docker/cli, cli/registry/client.

use super::entry::{Entry, platform_of};
use crate::engine::image::{Remote, has_loopback_name, registry_host};
use crate::engine::{Ctx, Error, Result};
use crate::image::wire::media;
use crate::name::{Digest, Reference};
use crate::registry::{Request, Response};
use crate::world::World;
use serde_json::Value;

/// What the registry's refusals are to the one who asked.
enum Refused {
    /// It has no such thing.
    Missing,
    Told(Error),
}

fn told(text: String) -> Refused {
    Refused::Told(Error::Client(text))
}

/// A refusal in words, and whether it only means that there is nothing.
pub(super) fn refusal(response: &Response) -> (String, bool) {
    if !(400..500).contains(&response.status) {
        return (format!("received unexpected HTTP status: {}", response.status_line()), false);
    }
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let mut all: Vec<(String, String)> = Vec::new();
    // What the token does not allow stands in the header.
    let header = response.header("www-authenticate").unwrap_or("");
    if header.contains("insufficient_scope") {
        all.push(("DENIED".into(), "requested access to the resource is denied".into()));
    }
    for error in body["errors"].as_array().into_iter().flatten() {
        let text = |key: &str| error[key].as_str().unwrap_or("").to_string();
        all.push((text("code"), text("message")));
    }
    let missing = all
        .first()
        .is_none_or(|(code, _)| matches!(code.as_str(), "UNAUTHORIZED" | "MANIFEST_UNKNOWN" | "NAME_UNKNOWN"));
    let word = |(code, message): &(String, String)| format!("{}: {message}", code.to_lowercase().replace('_', " "));
    let text = match all.as_slice() {
        [] if response.status == 401 => "unauthorized: authentication required".to_string(),
        [] => format!(
            "error parsing HTTP {} response body: no error details found in HTTP response body: {:?}",
            response.status,
            String::from_utf8_lossy(&response.body)
        ),
        [one] => word(one),
        several => several.iter().fold("errors:\n".to_string(), |text, one| text + &word(one) + "\n"),
    };
    (text, missing)
}

/// Knocks at a registry in one way.
async fn dial<'a, W: World>(
    ctx: &'a Ctx<W>,
    name: &Reference,
    actions: &'static str,
    tls: bool,
    any_certificate: bool,
) -> std::result::Result<Remote<'a, W>, String> {
    Remote::over(ctx, name, actions, tls, any_certificate).await.map_err(|error| match error {
        Error::Daemon(text) | Error::Client(text) => {
            format!("failed to configure transport: error pinging v2 registry: {text}")
        }
        other => other.render(""),
    })
}

/// Whether the registry speaks, but not TLS.
fn is_plain(why: &str) -> bool {
    why.contains("server gave HTTP response to HTTPS client")
}

/// The registry to read from.
async fn reader<'a, W: World>(
    ctx: &'a Ctx<W>,
    name: &Reference,
    insecure: bool,
) -> std::result::Result<Remote<'a, W>, Refused> {
    let unchecked = insecure || has_loopback_name(&registry_host(name.domain()));
    match dial(ctx, name, "pull", true, unchecked).await {
        Ok(remote) => Ok(remote),
        Err(why) if !is_plain(&why) => Err(told(why)),
        // One that speaks in the clear is passed over, even where the connection itself would be allowed.
        Err(_) if !insecure => Err(Refused::Missing),
        Err(_) => dial(ctx, name, "pull", false, true).await.map_err(told),
    }
}

/// The registry to write to.
///
/// # Errors
/// Why it can't be reached.
pub async fn writer<'a, W: World>(ctx: &'a Ctx<W>, name: &Reference, insecure: bool) -> Result<Remote<'a, W>> {
    let nearby = has_loopback_name(&registry_host(name.domain()));
    let dialed = match dial(ctx, name, "pull,push", !nearby, insecure || nearby).await {
        Err(why) if insecure && is_plain(&why) => dial(ctx, name, "pull,push", false, true).await,
        dialed => dialed,
    };
    dialed.map_err(Error::Client)
}

/// A manifest or a list as a registry has it.
struct Found {
    media_type: String,
    bytes: Vec<u8>,
}

async fn get<W: World>(remote: &Remote<'_, W>, wanted: &str) -> std::result::Result<Found, Refused> {
    let mut request = remote.request("GET", &format!("manifests/{wanted}"));
    for kind in media::ACCEPT {
        request = request.with_header("Accept", kind);
    }
    let response = send(remote, "Find out what the name stands for", request).await?;
    let media_type = response.header("content-type").unwrap_or("").split(';').next().unwrap_or("").trim();
    if !media::ACCEPT.contains(&media_type) {
        return Err(told(format!("unsupported manifest media type and no default available: {media_type}")));
    }
    Ok(Found { media_type: media_type.to_string(), bytes: response.body })
}

async fn send<W: World>(remote: &Remote<'_, W>, why: &str, request: Request) -> std::result::Result<Response, Refused> {
    let response = remote.send(why, request).await.map_err(|error| match error {
        Error::Daemon(text) => told(text),
        other => Refused::Told(other),
    })?;
    if response.status == 200 {
        return Ok(response);
    }
    match refusal(&response) {
        (_, true) => Err(Refused::Missing),
        (text, false) => Err(told(text)),
    }
}

/// What is asked for in a manifest's path.
fn wanted(name: &Reference) -> String {
    match name.digest() {
        Some(digest) if name.tag().is_none() => digest.to_string(),
        _ => name.tag().unwrap_or("latest").to_string(),
    }
}

/// A single manifest with the platform that its configuration tells.
async fn entry<W: World>(
    remote: &Remote<'_, W>,
    name: &Reference,
    found: Found,
) -> std::result::Result<Entry, Refused> {
    let digest = Digest::of(&found.bytes);
    if let Some(expected) = name.digest().filter(|expected| **expected != digest) {
        return Err(told(format!("manifest verification failed for digest {expected}")));
    }
    let manifest: Value = serde_json::from_slice(&found.bytes).map_err(|e| told(e.to_string()))?;
    let config = manifest["config"]["digest"].as_str().and_then(Digest::parse);
    let Some(config) = config else { return Err(told("invalid checksum digest format".into())) };
    let request = remote.request("GET", &format!("blobs/{config}"));
    let answer = send(remote, "The configuration tells what platform the image is for", request).await?;
    if Digest::of(&answer.body) != config {
        return Err(told(format!("image config verification failed for digest {config}")));
    }
    let platform = serde_json::from_slice(&answer.body).map_err(|e| told(e.to_string()))?;
    Ok(Entry {
        name: name.clone(),
        media_type: found.media_type,
        digest,
        size: found.bytes.len() as u64,
        platform: platform_of(&platform),
        raw: found.bytes,
    })
}

fn is_list(found: &Found) -> bool {
    matches!(found.media_type.as_str(), media::DOCKER_LIST | media::OCI_INDEX)
}

fn concluded<T>(name: &Reference, result: std::result::Result<T, Refused>) -> Result<T> {
    result.map_err(|refused| match refused {
        Refused::Missing => Error::Client(format!("no such manifest: {name}")),
        Refused::Told(error) => error,
    })
}

/// One image's manifest from its registry.
///
/// # Errors
/// A list is none.
pub async fn manifest<W: World>(ctx: &Ctx<W>, name: &Reference, insecure: bool) -> Result<Entry> {
    let read = async {
        let remote = reader(ctx, name, insecure).await?;
        let found = get(&remote, &wanted(name)).await?;
        if is_list(&found) {
            Err(told(format!("{name} is a manifest list")))
        } else {
            entry(&remote, name, found).await
        }
    };
    concluded(name, read.await)
}

/// What a registry has by a name.
pub enum Content {
    One(Box<Entry>),
    List(Vec<Entry>),
}

/// The same, or a list with all of its manifests.
pub async fn content<W: World>(ctx: &Ctx<W>, name: &Reference, insecure: bool) -> Result<Content> {
    let read = async {
        let remote = reader(ctx, name, insecure).await?;
        let found = get(&remote, &wanted(name)).await?;
        if !is_list(&found) {
            return Ok(Content::One(entry(&remote, name, found).await?.into()));
        }
        let list: Value = serde_json::from_slice(&found.bytes).map_err(|e| told(e.to_string()))?;
        let mut all = Vec::new();
        for part in list["manifests"].as_array().into_iter().flatten() {
            let digest = part["digest"].as_str().and_then(Digest::parse);
            let Some(digest) = digest else { return Err(told("invalid checksum digest format".into())) };
            let of_digest = get(&remote, &digest.to_string()).await?;
            if is_list(&of_digest) {
                return Err(told("unsupported manifest type: *manifestlist.DeserializedManifestList".into()));
            }
            let mut one = entry(&remote, &name.also_digest(digest), of_digest).await?;
            one.platform = platform_of(&part["platform"]);
            all.push(one);
        }
        Ok(Content::List(all))
    };
    concluded(name, read.await)
}
