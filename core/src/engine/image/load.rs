//! `docker load`: images out of an archive of `docker save`, or of an OCI layout.

use super::credential::read_all_bytes;
use super::event::image_event;
use super::find::asked_platforms;
use super::layer::add_layer;
use super::store::{keep_image, tag_image};
use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::image::TagRecord;
use crate::image::wire::{ArchiveEntry, ConfigFile, Descriptor, Document};
use crate::layer::{EntryKind, entries};
use crate::name::{Digest, Reference};
use crate::world::acts::PutBlob;
use crate::world::{Fault, Stream, World};
use cutaway_userland::sorted::Map as BTreeMap;
use std::rc::Rc;

/// The files of an archive by name, links followed.
struct Archive {
    files: BTreeMap<String, Rc<[u8]>>,
}

pub async fn load<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    asked_platforms(&call.args, "invalid platform: ")?;
    let bytes = match call.args.value("input").filter(|i| !i.is_empty()) {
        Some(path) => ctx.client.read_file(path).await.map_err(|f| super::import::open_error(path, &f))?,
        None if ctx.client.is_tty(Stream::In) => {
            return Err(Error::Client("requested load from stdin, but stdin is empty".into()));
        }
        None => read_all_bytes(ctx).await?,
    };
    let archive = Archive::read(&bytes)?;
    drop(bytes);
    for entry in archive.images()? {
        let told = load_image(ctx, &archive, &entry).await?;
        if !call.args.flag("quiet") || !told.is_empty() {
            ctx.print(told).await;
        }
    }
    Ok(0)
}

/// What is wrong with an archive comes in the stream of progress, so it has no frame.
fn broken(text: impl Into<String>) -> Error {
    Error::Client(text.into())
}

impl Archive {
    fn read(bytes: &[u8]) -> Result<Archive> {
        let all = entries("archive", bytes).map_err(|fault| match fault {
            Fault::Malformed { reason, .. } => broken(reason),
            other => broken(other.to_string()),
        })?;
        let mut files: BTreeMap<String, Rc<[u8]>> = BTreeMap::new();
        let mut links = Vec::new();
        for (entry, data) in all {
            match entry.kind {
                EntryKind::File => {
                    files.insert(entry.path, data.into());
                }
                EntryKind::Hardlink(to) => links.push((entry.path, to)),
                EntryKind::Symlink(to) => {
                    let folder = entry.path.rfind('/').map_or("", |i| &entry.path[..i]);
                    let to = crate::build::joined(folder, &to);
                    links.push((entry.path, to.trim_start_matches('/').to_string()));
                }
                _ => {}
            }
        }
        for (path, to) in links {
            if let Some(data) = files.get(&to).cloned() {
                files.insert(path, data);
            }
        }
        Ok(Archive { files })
    }

    fn file(&self, name: &str) -> Result<&Rc<[u8]>> {
        let plain = name.trim_start_matches("./");
        self.files.get(plain).ok_or_else(|| broken(format!("invalid archive: {name:?} is not in it")))
    }

    fn blob(&self, digest: &Digest) -> Result<&Rc<[u8]>> {
        let bytes = self.file(&format!("blobs/sha256/{}", digest.hex()))?;
        let actual = Digest::of(bytes);
        if actual != *digest {
            return Err(broken(Fault::Digest { expected: digest.to_string(), actual: actual.to_string() }.to_string()));
        }
        Ok(bytes)
    }

    /// What `manifest.json` lists; without one, what `index.json` does.
    fn images(&self) -> Result<Vec<ArchiveEntry>> {
        if let Some(list) = self.files.get("manifest.json") {
            return crate::image::wire::parse(list).map_err(|e| broken(format!("invalid manifest.json: {e}")));
        }
        let Some(index) = self.files.get("index.json") else {
            return Err(broken("invalid archive: does not contain a manifest.json"));
        };
        let Document::Index(index) = Document::parse(index).map_err(broken)? else {
            return Err(broken("invalid archive: index.json is no index"));
        };
        let mut images = Vec::new();
        for row in &index.manifests {
            self.oci_image(row, &[], &mut images, 0)?;
        }
        Ok(images)
    }

    fn oci_image(&self, row: &Descriptor, names: &[String], to: &mut Vec<ArchiveEntry>, depth: usize) -> Result<()> {
        let name = |key: &str| row.annotations.get(key).cloned();
        let named = name("io.containerd.image.name").or_else(|| name("org.opencontainers.image.ref.name"));
        // A bare tag says nothing of the repository.
        let named = named.filter(|n| n.contains(['/', ':']));
        let names = named.map_or_else(|| names.to_vec(), |n| vec![n]);
        match Document::parse(self.blob(&row.digest)?).map_err(broken)? {
            Document::Index(_) if depth > 2 => Err(broken("invalid archive: indexes in indexes in indexes")),
            Document::Index(index) => {
                for inner in index.manifests.iter().filter(|m| self.blob(&m.digest).is_ok()) {
                    self.oci_image(inner, &names, to, depth + 1)?;
                }
                Ok(())
            }
            Document::Manifest(manifest) => {
                let path = |d: &Descriptor| format!("blobs/sha256/{}", d.digest.hex());
                to.push(ArchiveEntry {
                    config: path(&manifest.config),
                    repo_tags: Some(names),
                    layers: manifest.layers.iter().map(path).collect(),
                    layer_sources: None,
                });
                Ok(())
            }
        }
    }
}

/// Loads one image; gives the lines that tell of it.
async fn load_image<W: World>(ctx: &Ctx<W>, archive: &Archive, entry: &ArchiveEntry) -> Result<String> {
    let config_bytes = archive.file(&entry.config)?;
    let config = ConfigFile::parse(config_bytes).map_err(broken)?;
    if config.rootfs.diff_ids.len() != entry.layers.len() {
        return Err(broken(format!(
            "invalid manifest, layers length mismatch: expected {}, got {}",
            config.rootfs.diff_ids.len(),
            entry.layers.len()
        )));
    }
    let names = entry.repo_tags.iter().flatten();
    let names = names.map(|n| Reference::parse(n).map_err(|e| broken(format!("invalid tag {n:?}: {e}"))));
    let names: Vec<Reference> = names.collect::<Result<_>>()?;
    let mut layers: Vec<crate::image::LayerRef> = Vec::new();
    for (path, diff_id) in entry.layers.iter().zip(&config.rootfs.diff_ids) {
        let parent = layers.last().map(|l| l.chain);
        let added = add_layer(ctx, path, archive.file(path)?.clone(), parent, Some(*diff_id)).await;
        layers.push(added.map_err(|e| match e {
            Error::Daemon(text) => broken(text),
            other => other,
        })?);
    }
    let id = Digest::of(config_bytes);
    ctx.act("The image's id is the digest of its configuration", PutBlob { bytes: config_bytes.clone() }).await?;
    keep_image(ctx, &config.record(id, layers))?;
    image_event(ctx, "load", &id.to_string(), &id.to_string());
    if names.is_empty() {
        return Ok(format!("Loaded image ID: {id}\n"));
    }
    let mut told = String::new();
    for name in names {
        let name = name.with_default_tag();
        if let Some(old) = ctx.world().get::<TagRecord>(&name.key())?.filter(|old| old.image != id) {
            told.push_str(&format!(
                "The image {} already exists, renaming the old one with ID {} to empty string\n",
                name.familiar(),
                old.image
            ));
        }
        tag_image(ctx, &name, &id)?;
        told.push_str(&format!("Loaded image: {}\n", name.familiar()));
    }
    Ok(told)
}
