//! `docker import`: a tar becomes an image with one layer.

use super::create::create_image;
use super::credential::read_all_bytes;
use super::event::image_event;
use super::layer::add_layer;
use super::pull::wanted;
use super::remote::unreachable;
use super::store::tag_image;
use crate::build::{Applying, apply};
use crate::cli::Invocation;
use crate::dockerfile::parse_change;
use crate::engine::{Ctx, Error, Result};
use crate::image::{HistoryEntry, ImageConfig, ImageRecord};
use crate::name::{Digest, Reference};
use crate::registry::Request;
use crate::world::World;
use crate::world::acts::SendRequest;

pub async fn import<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let (source, name) = (call.args.word(0), call.args.word(1));
    let is_remote = ["http://", "https://"].iter().any(|scheme| source.starts_with(scheme));
    // The client opens its file before anything else.
    let own = if is_remote { None } else { Some(read_source(ctx, source).await?) };
    let reference = match name {
        "" => None,
        name => Some(Reference::parse(name).map_err(|e| Error::Client(e.to_string()))?.with_default_tag()),
    };
    if reference.as_ref().is_some_and(|r| r.digest().is_some()) {
        return Err(Error::Daemon("cannot import digest reference".into()));
    }
    let usual = ctx.client.env("DOCKER_DEFAULT_PLATFORM");
    let platform = wanted(ctx, call.args.value("platform").or(usual.as_deref()))?;
    let config = changed(ImageConfig::default(), call.args.values("change"))?;
    let archive = match own {
        Some(archive) => archive,
        None => read_source(ctx, source).await?,
    };
    let layer = add_layer(ctx, source, archive.into(), None, None).await?;
    let now = ctx.world().now();
    let message = match call.args.value("message") {
        Some(message) if !message.is_empty() => message.to_string(),
        // What the client reads reaches the engine as a stream without a name.
        _ => format!("Imported from {}", if is_remote { source } else { "-" }),
    };
    let history = HistoryEntry { created: Some(now), comment: message.clone(), ..HistoryEntry::default() };
    let image = ImageRecord {
        id: Digest::of(b""),
        created: Some(now),
        author: String::new(),
        architecture: platform.architecture,
        os: platform.os,
        variant: platform.variant,
        config,
        layers: vec![layer],
        history: vec![history],
        parent: None,
        comment: message,
        last_tagged: None,
    };
    let image = create_image(ctx, image).await?;
    if let Some(reference) = &reference {
        tag_image(ctx, reference, &image.id)?;
    }
    image_event(ctx, "import", &image.id.to_string(), &image.id.to_string());
    ctx.print(format!("{}\n", image.id)).await;
    Ok(0)
}

/// A configuration with the changes of `--change`.
pub fn changed(config: ImageConfig, changes: &[String]) -> Result<ImageConfig> {
    let mut applying = Applying::new(config, '\\');
    for change in changes {
        let instruction = parse_change(change).map_err(Error::Daemon)?;
        apply(&mut applying, &instruction).map_err(Error::Daemon)?;
    }
    Ok(applying.config)
}

async fn read_source<W: World>(ctx: &Ctx<W>, source: &str) -> Result<Vec<u8>> {
    if source == "-" {
        return read_all_bytes(ctx).await;
    }
    if let Some((scheme @ ("http" | "https"), rest)) = source.split_once("://") {
        let (host, path) = rest.split_once('/').map_or((rest, "/".to_string()), |(h, p)| (h, format!("/{p}")));
        let request = Request::new("GET", host, scheme == "https", &path);
        let act = SendRequest { request: request.clone() };
        let response = ctx.act("Download the archive", act).await.map_err(|f| unreachable(&request, f))?;
        if response.status != 200 {
            return Err(Error::Daemon(format!("Got HTTP status code >= 400: {}", response.status)));
        }
        return Ok(response.body);
    }
    ctx.client.read_file(source).await.map_err(|fault| open_error(source, &fault))
}

/// What Go says of a file that can't be opened.
pub fn open_error(path: &str, fault: &crate::world::Fault) -> Error {
    let reason = fault.number().map_or_else(|| fault.to_string(), |errno| errno.text().to_lowercase());
    Error::Client(format!("open {path}: {reason}"))
}
