//! `docker pull`: a manifest by its name, then what the manifest names, each checked against its digest.

use super::event::image_event;
use super::find::lookup;
use super::progress::Progress;
use super::remote::{Remote, RemoteError, named, unreachable};
use super::store::{chains_of, keep_image, tag_image};
use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::image::wire::{ConfigFile, Descriptor, Document, Manifest, Platform, media};
use crate::image::{ImageRecord, LayerRef, TagRecord};
use crate::name::{ChainId, Digest, Reference};
use crate::world::acts::{FetchBlob, PutBlob, UnpackLayer};
use crate::world::{Stream, World};

pub async fn pull<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let (reference, all, quiet) = named(ctx, &call.args).await?;
    let default = ctx.client.env("DOCKER_DEFAULT_PLATFORM");
    let asked = call.args.value("platform").or(default.as_deref()).filter(|text| !text.is_empty());
    let platform = wanted(ctx, asked)?;
    let out = Progress::new(ctx, (!quiet).then_some(Stream::Out));
    if all {
        pull_all(ctx, &reference, &platform, &out).await?;
    } else {
        pull_one(ctx, &reference, &platform, &out).await?;
        // An image that is there for one platform only is taken for what it is.
        let image = lookup(ctx, &reference.to_string())?;
        let image = image.filter(|_| asked.is_some());
        if let Some(why) = image.and_then(|image| mismatch(&reference.familiar(), &image, &platform)) {
            out.say(&format!("WARNING: {why}")).await;
        }
    }
    ctx.print(format!("{reference}\n")).await;
    Ok(0)
}

/// The platform that was asked for, else the host's.
pub fn wanted<W: World>(ctx: &Ctx<W>, asked: Option<&str>) -> Result<Platform> {
    match asked.filter(|p| !p.is_empty()) {
        Some(text) => Platform::parse(text).map_err(Error::Daemon),
        None => Ok(Platform::normal("linux", &ctx.world().host().architecture, "")),
    }
}

/// Why an image can't stand for the platform that was asked for; nothing where it can.
pub fn mismatch(name: &str, image: &ImageRecord, asked: &Platform) -> Option<String> {
    let own = Platform::normal(&image.os, &image.architecture, &image.variant);
    (!own.serves(asked)).then(|| {
        format!(
            "image with reference {name} was found but its platform ({own}) does not match the specified platform ({asked})"
        )
    })
}

/// Pulls one tag or digest and says at the end whether anything was new.
pub async fn pull_one<W: World>(
    ctx: &Ctx<W>,
    reference: &Reference,
    platform: &Platform,
    out: &Progress<'_, W>,
) -> Result<()> {
    let remote = Remote::connect(ctx, reference, "pull").await?;
    let new = fetch(ctx, &remote, reference, platform, out).await?;
    out.say(&status_line(&reference.familiar(), new)).await;
    Ok(())
}

/// What a name means in its registry now.
///
/// # Errors
/// In the words of a pull.
pub async fn digest_of<W: World>(ctx: &Ctx<W>, reference: &Reference) -> Result<Digest> {
    let remote = Remote::connect(ctx, reference, "pull").await?;
    let (_, digest) = get_manifest(&remote, reference, reference.tag().unwrap_or("latest")).await?;
    Ok(digest)
}

async fn pull_all<W: World>(ctx: &Ctx<W>, name: &Reference, platform: &Platform, out: &Progress<'_, W>) -> Result<()> {
    let remote = Remote::connect(ctx, name, "pull").await?;
    let response = remote.send("List the tags of the repository", remote.request("GET", "tags/list")).await?;
    if response.status != 200 {
        return Err(RemoteError::of(&response).of_pull(name));
    }
    let list: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let tags: Vec<&str> = list["tags"].as_array().into_iter().flatten().filter_map(|t| t.as_str()).collect();
    let mut new = false;
    for tag in tags {
        new |= fetch(ctx, &remote, &name.with_tag(tag), platform, out).await?;
    }
    out.say(&status_line(&name.familiar(), new)).await;
    Ok(())
}

fn status_line(name: &str, new: bool) -> String {
    if new {
        format!("Status: Downloaded newer image for {name}")
    } else {
        format!("Status: Image is up to date for {name}")
    }
}

/// Gets an image and gives it its name; whether the name did not name it before.
async fn fetch<W: World>(
    ctx: &Ctx<W>,
    remote: &Remote<'_, W>,
    reference: &Reference,
    platform: &Platform,
    out: &Progress<'_, W>,
) -> Result<bool> {
    let Resolved { digest, manifest, .. } = resolve_name(remote, reference, platform, out).await?;
    let image = get_image(ctx, remote, &manifest, out).await?;
    out.say(&format!("Digest: {digest}")).await;
    let before = ctx.world().get::<TagRecord>(&reference.key())?;
    tag_image(ctx, &reference.with_digest(digest), &image.id)?;
    if reference.digest().is_none() {
        tag_image(ctx, reference, &image.id)?;
    }
    image_event(ctx, "pull", &reference.familiar(), &reference.familiar_name());
    Ok(before.is_none_or(|tag| tag.image != image.id))
}

/// What a name means in its registry, for one platform.
pub struct Resolved {
    pub digest: Digest,
    pub manifest: Manifest,
    /// What was read to find that out: digests and sizes.
    pub documents: Vec<(Digest, usize)>,
}

/// Asks what a name means.
///
/// # Errors
/// In the words of a pull.
pub async fn resolve_name<W: World>(
    remote: &Remote<'_, W>,
    reference: &Reference,
    platform: &Platform,
    out: &Progress<'_, W>,
) -> Result<Resolved> {
    let wanted = match (reference.digest(), reference.tag()) {
        (Some(digest), _) => digest.to_string(),
        (None, tag) => tag.unwrap_or("latest").to_string(),
    };
    let (bytes, digest) = get_manifest(remote, reference, &wanted).await?;
    let shown = if reference.digest().is_some() { reference.to_string() } else { wanted };
    out.say(&format!("{shown}: Pulling from {}", reference.path())).await;
    let mut documents = vec![(digest, bytes.len())];
    let manifest = match Document::parse(&bytes).map_err(Error::Daemon)? {
        Document::Manifest(manifest) => manifest,
        Document::Index(index) => {
            let Some(chosen) = choose(&index.manifests, platform) else {
                return Err(Error::Client(format!("no matching manifest for {platform} in the manifest list entries")));
            };
            let (bytes, digest) = get_manifest(remote, reference, &chosen.digest.to_string()).await?;
            documents.push((digest, bytes.len()));
            match Document::parse(&bytes).map_err(Error::Daemon)? {
                Document::Manifest(manifest) => manifest,
                Document::Index(_) => {
                    return Err(Error::Daemon(format!(
                        "the manifest list of {} names another list",
                        reference.familiar()
                    )));
                }
            }
        }
    };
    Ok(Resolved { digest, manifest, documents })
}

async fn get_manifest<W: World>(
    remote: &Remote<'_, W>,
    reference: &Reference,
    wanted: &str,
) -> Result<(Vec<u8>, Digest)> {
    let mut request = remote.request("GET", &format!("manifests/{wanted}"));
    for kind in media::ACCEPT {
        request = request.with_header("Accept", kind);
    }
    let response = remote.send("Find out what the image is made of", request).await?;
    if response.status != 200 {
        return Err(RemoteError::of(&response).of_pull(reference));
    }
    let digest = Digest::of(&response.body);
    if Digest::parse(wanted).is_some_and(|expected| expected != digest) {
        return Err(Error::Daemon(format!("manifest verification failed for digest {wanted}")));
    }
    Ok((response.body, digest))
}

/// The manifest for a platform: those that tell none come last.
fn choose<'a>(manifests: &'a [Descriptor], wanted: &Platform) -> Option<&'a Descriptor> {
    let serves = |d: &&Descriptor| d.platform.as_ref().is_some_and(|p| p.serves(wanted));
    manifests.iter().find(serves).or_else(|| manifests.iter().find(|d| d.platform.is_none()))
}

/// What a manifest names: nothing is fetched that is here already.
async fn get_image<W: World>(
    ctx: &Ctx<W>,
    remote: &Remote<'_, W>,
    manifest: &Manifest,
    out: &Progress<'_, W>,
) -> Result<ImageRecord> {
    let id = manifest.config.digest;
    if let Some(image) = ctx.world().get::<ImageRecord>(&id.to_string())? {
        return Ok(image);
    }
    let (config, bytes) = get_config(remote, manifest).await?;
    let layers = get_layers(ctx, remote, manifest, &config, out).await?;
    ctx.act("Keep the configuration: its digest is the image's id", PutBlob { bytes: bytes.into() }).await?;
    let image = config.record(id, layers);
    keep_image(ctx, &image)?;
    Ok(image)
}

/// The configuration that a manifest names, and its text.
pub async fn get_config<W: World>(remote: &Remote<'_, W>, manifest: &Manifest) -> Result<(ConfigFile, Vec<u8>)> {
    let id = manifest.config.digest;
    let request = remote.request("GET", &format!("blobs/{id}"));
    let response = remote.send("Get the image's configuration", request).await?;
    if response.status != 200 {
        return Err(Error::Client(RemoteError::of(&response).text()));
    }
    if Digest::of(&response.body) != id {
        return Err(Error::Client(format!("image config verification failed for digest {id}")));
    }
    let config = ConfigFile::parse(&response.body).map_err(Error::Client)?;
    if config.rootfs.diff_ids.len() != manifest.layers.len() {
        return Err(Error::Client(format!(
            "invalid image: the manifest has {} layers and the configuration {}",
            manifest.layers.len(),
            config.rootfs.diff_ids.len()
        )));
    }
    Ok((config, response.body))
}

async fn get_layers<W: World>(
    ctx: &Ctx<W>,
    remote: &Remote<'_, W>,
    manifest: &Manifest,
    config: &ConfigFile,
    out: &Progress<'_, W>,
) -> Result<Vec<LayerRef>> {
    let world = ctx.world();
    let chains = chains_of(&config.rootfs.diff_ids);
    let here = |chain: &ChainId| world.has_layer(chain);
    for (layer, chain) in manifest.layers.iter().zip(&chains) {
        let status = if here(chain) { "Already exists" } else { "Pulling fs layer" };
        out.status(&layer.digest.short(), status).await;
    }
    for (layer, _) in manifest.layers.iter().zip(&chains).filter(|(_, chain)| !here(chain)) {
        let short = layer.digest.short();
        if !world.has_blob(&layer.digest) {
            fetch_layer(ctx, remote, layer).await?;
            out.status(&short, "Verifying Checksum").await;
        }
        out.status(&short, "Download complete").await;
    }
    let mut layers = Vec::new();
    let mut parent = None;
    for ((layer, chain), diff_id) in manifest.layers.iter().zip(&chains).zip(&config.rootfs.diff_ids) {
        if !here(chain) {
            unpack_layer(ctx, layer, *diff_id, parent, *chain).await?;
            out.status(&layer.digest.short(), "Pull complete").await;
        }
        layers.push(stored_layer(ctx, layer, *diff_id, *chain)?);
        parent = Some(*chain);
    }
    Ok(layers)
}

/// Gets the blob of a layer.
pub async fn fetch_layer<W: World>(ctx: &Ctx<W>, remote: &Remote<'_, W>, layer: &Descriptor) -> Result<()> {
    let request = remote.request("GET", &format!("blobs/{}", layer.digest));
    let act = FetchBlob { request: request.clone(), digest: layer.digest, size: layer.size };
    let fetched = ctx.act("The image needs this layer, and it is not here yet", act).await;
    fetched.map_err(|fault| match unreachable(&request, fault) {
        Error::Daemon(text) => Error::Client(text),
        other => other,
    })?;
    Ok(())
}

/// Unpacks a layer that is here as a blob.
pub async fn unpack_layer<W: World>(
    ctx: &Ctx<W>,
    layer: &Descriptor,
    diff_id: Digest,
    parent: Option<ChainId>,
    chain: ChainId,
) -> Result<()> {
    let act = UnpackLayer { blob: layer.digest, diff_id, parent, chain };
    let why = "Containers share the unpacked layer; its digest proves that it is what the image was made with";
    ctx.act(why, act).await.map_err(|f| Error::Client(format!("failed to register layer: {f}")))?;
    Ok(())
}

/// An unpacked layer as images name it: one that another image brought as a different blob is stored as that one.
pub fn stored_layer<W: World>(ctx: &Ctx<W>, layer: &Descriptor, diff_id: Digest, chain: ChainId) -> Result<LayerRef> {
    let world = ctx.world();
    let size = world.layer_size(&chain);
    let own = LayerRef { diff_id, chain, blob: layer.digest, blob_size: layer.size, size };
    if world.has_blob(&own.blob) {
        return Ok(own);
    }
    let stored = world.list::<ImageRecord>()?;
    Ok(stored.iter().flat_map(|i| &i.layers).find(|l| l.chain == chain).cloned().unwrap_or(own))
}
