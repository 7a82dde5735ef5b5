//! `docker save`: images and their names as one archive, in the layout of Docker 25 and later, which is an
//! OCI layout with Docker's own list beside it.

use super::event::image_event;
use super::find::{asked_platforms, lookup, references};
use super::pull::mismatch;
use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::image::ImageRecord;
use crate::image::wire::{ArchiveEntry, LayerSource, media};
use crate::layer::{Entry, TarWriter, plain};
use crate::name::{Digest, Reference};
use crate::world::{Stream, World};
use cutaway_userland::os::FileKind;
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::json;

/// An image to save, and the names it is saved under.
struct Chosen {
    image: ImageRecord,
    names: Vec<Reference>,
}

pub async fn save<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let output = call.args.value("output").filter(|o| !o.is_empty());
    if output.is_none() && ctx.client.is_tty(Stream::Out) {
        let text = "cowardly refusing to save to a terminal. Use the -o flag or redirect";
        return Err(Error::Client(text.into()));
    }
    let platforms = asked_platforms(&call.args, "invalid platform: ")?;
    if let Some(path) = output {
        check_folder(ctx, path).await.map_err(|why| Error::Client(format!("failed to save image: {why}")))?;
    }
    let chosen = choose(ctx, &call.args.positionals)?;
    for (one, asked) in chosen.iter().flat_map(|one| platforms.iter().map(move |asked| (one, asked))) {
        let name = one.names.first().map_or_else(|| one.image.id.to_string(), Reference::familiar);
        if let Some(why) = mismatch(&name, &one.image, asked) {
            return Err(Error::Daemon(why));
        }
    }
    let archive = pack(ctx, &chosen).await?;
    for one in &chosen {
        image_event(ctx, "save", &one.image.id.to_string(), &one.image.id.to_string());
    }
    match output {
        Some(path) => {
            ctx.client.write_file(path, &archive, 0o600).await.map_err(|f| super::import::open_error(path, &f))?;
        }
        None => ctx.print(archive).await,
    }
    Ok(0)
}

/// An image as an archive, as `docker save` writes it.
pub async fn archive_of<W: World>(ctx: &Ctx<W>, image: &ImageRecord, names: &[Reference]) -> Result<Vec<u8>> {
    pack(ctx, &[Chosen { image: image.clone(), names: names.to_vec() }]).await
}

/// Whether a file can be written there: its folder is there, and nothing else than a file is in its place. What is
/// wrong otherwise. Source: moby/sys, atomicwriter.
pub async fn check_folder<W: World>(ctx: &Ctx<W>, path: &str) -> std::result::Result<(), String> {
    let folder = path.rfind('/').map_or(".", |i| if i == 0 { "/" } else { &path[..i] });
    match ctx.client.facts(folder).await {
        Ok(Some(_)) => {}
        _ => return Err(format!("invalid output path: stat {folder}: no such file or directory")),
    }
    let Ok(Some(facts)) = ctx.client.facts(path).await else { return Ok(()) };
    let what = match facts.kind {
        FileKind::Regular => return Ok(()),
        FileKind::Directory => "a directory",
        FileKind::Symlink => "a symbolic link directly",
        FileKind::Fifo => "a named pipe (FIFO)",
        FileKind::Socket => "a socket",
        FileKind::CharDevice => "a character device file",
        FileKind::BlockDevice => "a block device file",
    };
    Err(format!("cannot write to {what}"))
}

/// The images that the words stand for: a repository without a tag stands for all its tags.
fn choose<W: World>(ctx: &Ctx<W>, words: &[String]) -> Result<Vec<Chosen>> {
    let mut chosen: Vec<Chosen> = Vec::new();
    for word in words {
        let typed = Reference::parse(word).ok();
        let mut found: Vec<(ImageRecord, Option<Reference>)> = Vec::new();
        if let Some(typed) = typed.as_ref().filter(|t| t.is_name_only()) {
            for image in ctx.world().list::<ImageRecord>()? {
                let names = references(ctx, &image.id)?.into_iter();
                let names = names.filter(|r| r.name() == typed.name() && r.digest().is_none());
                found.extend(names.map(|name| (image.clone(), Some(name))));
            }
        }
        if found.is_empty() {
            let Some(image) = lookup(ctx, word)? else {
                return Err(Error::Daemon(format!("No such image: {word}")));
            };
            let named = typed.filter(|t| t.tag().is_some() && references(ctx, &image.id).is_ok_and(|r| r.contains(t)));
            found.push((image, named));
        }
        for (image, name) in found {
            match chosen.iter_mut().find(|c| c.image.id == image.id) {
                Some(known) => known.names.extend(name.filter(|n| !known.names.contains(n))),
                None => chosen.push(Chosen { image, names: name.into_iter().collect() }),
            }
        }
    }
    Ok(chosen)
}

/// The archive: its files sorted, and nothing in it that depends on when or where it was made.
async fn pack<W: World>(ctx: &Ctx<W>, chosen: &[Chosen]) -> Result<Vec<u8>> {
    let mut blobs: BTreeMap<Digest, Vec<u8>> = BTreeMap::new();
    let (mut list, mut manifests) = (Vec::new(), Vec::new());
    let mut repositories: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for one in chosen {
        let image = &one.image;
        let config = ctx.world().read_blob(&image.id).await?;
        let mut sources = BTreeMap::new();
        for layer in &image.layers {
            let bytes = match blobs.remove(&layer.diff_id) {
                Some(bytes) => bytes,
                None => plain(&format!("layer {}", layer.blob.short()), &ctx.world().read_blob(&layer.blob).await?)?,
            };
            let size = bytes.len() as u64;
            blobs.insert(layer.diff_id, bytes);
            let source = LayerSource { media_type: media::OCI_LAYER.into(), size, digest: layer.diff_id };
            sources.insert(layer.diff_id.to_string(), source);
        }
        let layers: Vec<&LayerSource> = image.layers.iter().map(|l| &sources[&l.diff_id.to_string()]).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media::OCI_MANIFEST,
            "config": { "mediaType": media::OCI_CONFIG, "digest": image.id, "size": config.len() },
            "layers": layers.iter().map(|l| json!({ "mediaType": l.media_type, "digest": l.digest, "size": l.size })).collect::<Vec<_>>(),
        });
        let manifest = manifest.to_string().into_bytes();
        manifests.extend(index_rows(&manifest, &one.names));
        let top = image.layers.last().map(|l| l.diff_id.hex()).unwrap_or_default();
        for name in &one.names {
            let tags = repositories.entry(name.familiar_name()).or_default();
            tags.insert(name.tag().unwrap_or("latest").to_string(), top.clone());
        }
        list.push(ArchiveEntry {
            config: blob_path(&image.id),
            repo_tags: (!one.names.is_empty()).then(|| one.names.iter().map(Reference::familiar).collect()),
            layers: image.layers.iter().map(|l| blob_path(&l.diff_id)).collect(),
            layer_sources: Some(sources),
        });
        blobs.insert(image.id, config);
        blobs.insert(Digest::of(&manifest), manifest);
    }
    let index = json!({ "schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": manifests });
    let mut tar = TarWriter::new(Vec::new());
    tar.add_bytes(&Entry::directory("blobs", 0o755), b"")?;
    tar.add_bytes(&Entry::directory("blobs/sha256", 0o755), b"")?;
    for (digest, bytes) in &blobs {
        tar.add_bytes(&Entry::file(&blob_path(digest), 0o644, 0), bytes)?;
    }
    let list = serde_json::to_string(&list).unwrap_or_default();
    let mut file = |name: &str, text: String| tar.add_bytes(&Entry::file(name, 0o644, 0), text.as_bytes());
    file("index.json", index.to_string())?;
    file("manifest.json", list + "\n")?;
    file("oci-layout", json!({ "imageLayoutVersion": "1.0.0" }).to_string())?;
    if !repositories.is_empty() {
        file("repositories", json!(repositories).to_string() + "\n")?;
    }
    Ok(tar.finish()?)
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// The rows of `index.json` for one manifest: one a name.
fn index_rows(manifest: &[u8], names: &[Reference]) -> Vec<serde_json::Value> {
    let row = json!({ "mediaType": media::OCI_MANIFEST, "digest": Digest::of(manifest), "size": manifest.len() });
    if names.is_empty() {
        return vec![row];
    }
    let named = |name: &Reference| {
        let mut row = row.clone();
        row["annotations"] = json!({
            "io.containerd.image.name": name.to_string(),
            "org.opencontainers.image.ref.name": name.tag().unwrap_or("latest"),
        });
        row
    };
    names.iter().map(named).collect()
}
