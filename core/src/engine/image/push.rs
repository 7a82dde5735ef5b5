//! `docker push`: the blobs that the registry lacks, then the manifest that names them.

use super::event::image_event;
use super::find::{references, resolve};
use super::progress::Progress;
use super::pull::mismatch;
use super::remote::{Remote, RemoteError, named, unreachable};
use super::store::{keep_image, tag_image};
use super::tree::note_head;
use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::image::wire::{Descriptor, Manifest, Platform, media};
use crate::image::{ImageRecord, LayerRef, TagRecord};
use crate::layer::{Compression, gzip};
use crate::name::{Digest, Reference};
use crate::registry::Response;
use crate::world::acts::{PushBlob, PutBlob};
use crate::world::{Stream, World};
use cutaway_userland::sorted::Arrange;
use cutaway_userland::sorted::Map as BTreeMap;

/// The client's note where one platform is asked for.
const ONE_PLATFORM: [&str; 4] = [
    "Using --platform pushes only the specified platform manifest of a multi-platform image index.",
    "Other components, like attestations, will not be included.",
    "To push the complete multi-platform image, remove the --platform flag.",
    "",
];

pub async fn push<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let asked = asked_platform(ctx, call.args.value("platform").unwrap_or("")).await?;
    let (reference, all, quiet) = named(ctx, &call.args).await?;
    if let Some(asked) = &asked {
        let image = resolve(ctx, &reference.familiar()).await?;
        if let Some(why) = mismatch(&reference.to_string(), &image, asked) {
            return Err(Error::Daemon(why));
        }
    }
    let out = Progress::new(ctx, (!quiet).then_some(Stream::Out));
    push_named(ctx, &reference, all, &out).await?;
    if quiet {
        ctx.print(format!("{reference}\n")).await;
    }
    Ok(0)
}

/// What `--platform` asks for, with a note of what that means.
async fn asked_platform<W: World>(ctx: &Ctx<W>, text: &str) -> Result<Option<Platform>> {
    if text.is_empty() {
        return Ok(None);
    }
    match Platform::parse(text) {
        Ok(asked) => {
            let tty = ctx.client.is_tty(Stream::Out);
            let lines = ONE_PLATFORM.map(|line| match tty {
                true => format!("\x1b[3m{}\x1b[0m\n", line.replace("--platform", "\x1b[1m--platform\x1b[0m")),
                false => format!("{line}\n"),
            });
            ctx.print(format!("\n{}{}", note_head(tty), lines.join(&" ".repeat(9)))).await;
            Ok(Some(asked))
        }
        Err(why) => Err(Error::Client(format!("Invalid platform {text}{why}"))),
    }
}

/// Pushes one name, saying nothing.
pub async fn push_quietly<W: World>(ctx: &Ctx<W>, reference: &Reference) -> Result<()> {
    push_named(ctx, reference, false, &Progress::new(ctx, None)).await
}

async fn push_named<W: World>(ctx: &Ctx<W>, reference: &Reference, all: bool, out: &Progress<'_, W>) -> Result<()> {
    out.say(&format!("The push refers to repository [{}]", reference.name())).await;
    let chosen = if all { all_tags(ctx, reference)? } else { vec![reference.clone()] };
    if chosen.is_empty() {
        return Err(Error::Client(format!(
            "An image does not exist locally with the tag: {}",
            reference.familiar_name()
        )));
    }
    let mut remote = None;
    for tag in chosen {
        let named = ctx.world().get::<TagRecord>(&tag.key())?;
        let image = match named {
            Some(named) => ctx.world().get::<ImageRecord>(&named.image.to_string())?,
            None => None,
        };
        let Some(image) = image else {
            let name = tag.familiar_name();
            return Err(Error::Client(format!("An image does not exist locally with the tag: {name}")));
        };
        if remote.is_none() {
            remote = Some(Remote::connect(ctx, reference, "pull,push").await.map_err(streamed)?);
        }
        if let Some(remote) = &remote {
            push_image(ctx, remote, &tag, &image, out).await.map_err(streamed)?;
        }
    }
    Ok(())
}

/// An error that comes after the first line of progress is shown as it is.
fn streamed(error: Error) -> Error {
    match error {
        Error::Daemon(text) => Error::Client(text),
        other => other,
    }
}

fn all_tags<W: World>(ctx: &Ctx<W>, name: &Reference) -> Result<Vec<Reference>> {
    let mut tags = Vec::new();
    for image in ctx.world().list::<ImageRecord>()? {
        let named = references(ctx, &image.id)?.into_iter();
        tags.extend(named.filter(|r| r.name() == name.name() && r.digest().is_none()));
    }
    tags.arrange_by_key(Reference::to_string);
    Ok(tags)
}

async fn push_image<W: World>(
    ctx: &Ctx<W>,
    remote: &Remote<'_, W>,
    tag: &Reference,
    image: &ImageRecord,
    out: &Progress<'_, W>,
) -> Result<()> {
    for layer in image.layers.iter().rev() {
        out.status(&layer.diff_id.short(), "Preparing").await;
    }
    let mut packed = image.clone();
    for layer in packed.layers.iter_mut().rev() {
        *layer = packed_layer(ctx, layer).await?;
        let sent = push_blob(ctx, remote, &layer.blob).await?;
        out.status(&layer.diff_id.short(), if sent { "Pushed" } else { "Layer already exists" }).await;
    }
    keep_image(ctx, &packed)?;
    push_blob(ctx, remote, &image.id).await?;
    let bytes = manifest_of(ctx, &packed)?.to_bytes();
    let name = tag.tag().unwrap_or("latest");
    let request = remote
        .request("PUT", &format!("manifests/{name}"))
        .with_header("Content-Type", media::DOCKER_MANIFEST)
        .with_body(bytes.clone());
    let response = remote.send("Give the image its name in the registry", request).await?;
    expect(&response, 201)?;
    let digest = Digest::of(&bytes);
    out.say(&format!("{name}: digest: {digest} size: {}", bytes.len())).await;
    tag_image(ctx, &tag.with_digest(digest), &image.id)?;
    image_event(ctx, "push", &tag.familiar(), &tag.familiar_name());
    Ok(())
}

/// The layer as it is transferred: compressed, and stored so for the next time.
async fn packed_layer<W: World>(ctx: &Ctx<W>, layer: &LayerRef) -> Result<LayerRef> {
    let bytes = ctx.world().read_blob(&layer.blob).await?;
    if Compression::of(&bytes) != Compression::None {
        return Ok(layer.clone());
    }
    let packed = gzip(&bytes);
    let blob_size = packed.len() as u64;
    let blob = ctx.act("Registries keep layers compressed", PutBlob { bytes: packed.into() }).await?;
    Ok(LayerRef { blob, blob_size, ..layer.clone() })
}

/// Uploads a blob; `false` where the registry has it.
pub async fn push_blob<W: World>(ctx: &Ctx<W>, remote: &Remote<'_, W>, digest: &Digest) -> Result<bool> {
    let ask = remote.request("HEAD", &format!("blobs/{digest}"));
    let there = remote.send("Ask whether the registry has this blob already", ask).await?;
    if there.status == 200 {
        return Ok(false);
    }
    let begun = remote.send("Begin an upload", remote.request("POST", "blobs/uploads/")).await?;
    expect(&begun, 202)?;
    let at = begun.header("location").unwrap_or("");
    let path = match at.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |i| &rest[i..]),
        None => at,
    };
    let joint = if path.contains('?') { '&' } else { '?' };
    let request = remote
        .request("PUT", &format!("{path}{joint}digest={digest}"))
        .with_header("Content-Type", "application/octet-stream");
    let act = PushBlob { request: request.clone(), digest: *digest };
    let response = ctx.act("The registry lacks this blob", act).await.map_err(|f| unreachable(&request, f))?;
    expect(&response, 201)?;
    Ok(true)
}

fn expect(response: &Response, status: u16) -> Result<()> {
    if response.status == status {
        return Ok(());
    }
    Err(Error::Client(match RemoteError::of(response) {
        RemoteError::Refused { status: 401 | 403, .. } => "denied: requested access to the resource is denied".into(),
        other => other.text(),
    }))
}

fn manifest_of<W: World>(ctx: &Ctx<W>, image: &ImageRecord) -> Result<Manifest> {
    let describe = |media_type: &str, digest: Digest, size: u64| Descriptor {
        media_type: media_type.to_string(),
        size,
        digest,
        platform: None,
        annotations: BTreeMap::new(),
    };
    let config_size = ctx.world().blob_size(&image.id).unwrap_or(0);
    let layers = image.layers.iter().map(|l| describe(media::DOCKER_LAYER, l.blob, l.blob_size)).collect();
    Ok(Manifest {
        schema_version: 2,
        media_type: media::DOCKER_MANIFEST.to_string(),
        config: describe(media::DOCKER_CONFIG, image.id, config_size),
        layers,
    })
}
