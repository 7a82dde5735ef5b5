//! What stages begin with and copy from beside each other: images, and contexts with a name.

use super::context;
use super::failure::Failure;
use super::plan::Build;
use super::pulls::base_key;
use super::record::{new_record, note_use};
use super::step::step_key;
use crate::build::{BuildCacheRecord, Picked, digest_of};
use crate::dockerfile::nearest;
use crate::engine::image::{PullPolicy, ensure_quietly, lookup, wanted};
use crate::image::wire::Platform;
use crate::image::{ImageConfig, ImageRecord, LayerRef};
use crate::layer::{Entry, TarWriter};
use crate::name::{Digest, Reference, is_full_id};
use crate::world::World;
use crate::world::acts::ImportTree;

/// What people mean most often.
const COMMON: [&str; 7] = ["alpine", "busybox", "centos", "debian", "golang", "ubuntu", "fedora"];

impl<W: World> Build<'_, W> {
    /// An image, or what is known of one in a registry. `context` is the name it was given on the command line.
    pub async fn load_base(
        &self,
        name: &str,
        context: Option<&str>,
        platform: Option<&str>,
    ) -> Result<ImageRecord, Failure> {
        let is_id = is_full_id(name.strip_prefix("sha256:").unwrap_or(name));
        let shown = match Reference::parse(name) {
            Ok(reference) => reference.with_default_tag().to_string(),
            Err(_) if is_id => name.to_string(),
            Err(error) => {
                return Err(Failure::solve(format!("failed to parse stage name {name:?}: {error}")));
            }
        };
        let label = context.map_or_else(|| "[internal]".to_string(), |name| format!("[context {name}]"));
        let vertex = self.board.begin(&format!("{label} load metadata for {shown}")).await;
        let found = self.find_base(name, context.unwrap_or(name), platform).await;
        match found {
            Ok(image) => {
                self.board.done(vertex).await;
                Ok(image)
            }
            Err(error) => {
                let reason = metadata_reason(&shown, Failure::from(error).message());
                self.board.failed(vertex, &reason).await;
                let stages = self.file.stages.iter().filter_map(|s| s.name.as_deref());
                let near = nearest(name, stages.chain(COMMON));
                let near = near.map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
                Err(Failure::solve(format!("{name}: failed to resolve source metadata for {shown}: {reason}{near}")))
            }
        }
    }

    /// An image that is here, or what is known of one in its registry; `key` is what the build knows it by.
    async fn find_base(&self, name: &str, key: &str, platform: Option<&str>) -> crate::engine::Result<ImageRecord> {
        let policy = if self.options.pull { PullPolicy::Always } else { PullPolicy::Missing };
        let asked = wanted(self.ctx, platform)?;
        // The beginning of an id stands for a local image where there is no such name.
        let serves = |image: &ImageRecord| {
            platform.is_none() || Platform::normal(&image.os, &image.architecture, &image.variant).serves(&asked)
        };
        let here = match (self.options.pull, lookup(self.ctx, name)) {
            (false, Ok(image)) => image.filter(serves),
            _ => None,
        };
        let image = match (here, Reference::parse(name)) {
            (Some(image), _) => image,
            (None, Ok(reference)) if !self.options.classic => {
                let (image, pending) = self.resolve_base(&reference.with_default_tag(), &asked).await?;
                self.pending.borrow_mut().push((key.to_string(), pending));
                return Ok(image);
            }
            (None, _) => ensure_quietly(self.ctx, name, policy, platform).await?,
        };
        let (description, layers) = (format!("pulled from {name}"), image.layers.clone());
        let key = base_key(&image.id);
        note_use(self.ctx, BuildCacheRecord { description, ..new_record(self.ctx, key, layers) })?;
        Ok(image)
    }

    /// What `--build-context name=value` gives: an image, or files as an image of one layer.
    pub async fn load_named(&self, name: &str, value: &str, platform: Option<&str>) -> Result<ImageRecord, Failure> {
        if let Some(built) = self.options.inputs.get(value) {
            return Ok(built.clone());
        }
        if let Some(image) = value.strip_prefix("docker-image://") {
            return self.load_base(image, Some(name), platform).await;
        }
        let known = ["http://", "https://", "git://", "ssh://"].iter().any(|scheme| value.starts_with(scheme));
        if let (false, Some((scheme, _))) = (known, value.split_once("://")) {
            return Err(Failure::solve(format!("unsupported context source {scheme} for {name}")));
        }
        let context = context::open(self.ctx, value).await?;
        let vertex = self.board.begin(&format!("[context {name}] load .dockerignore")).await;
        let (ignore, size) = context.ignore(self.ctx, "Dockerfile").await?;
        self.board
            .note(vertex, &format!("transferring {name}: {}", crate::view::units::short_size(size as u64 + 2)))
            .await;
        self.board.done(vertex).await;
        let vertex = self.board.begin(&format!("[context {name}] load from client")).await;
        let tree = context.tree(self.ctx, &ignore).await?;
        let mut files = Vec::new();
        for (path, (entry, contents)) in tree.files {
            let bytes = context::read(self.ctx, &entry, &contents).await?;
            files.push((Picked { entry, contents, to: path }, bytes));
        }
        let size: u64 = files.iter().map(|(file, _)| file.entry.size).sum();
        let layer = self.layer_of_files(name, &files, size).await?;
        self.board.note(vertex, &format!("transferring {name}: {}", crate::view::units::short_size(size))).await;
        self.board.done(vertex).await;
        let platform = Platform::normal("linux", &self.ctx.world().host().architecture, "");
        Ok(ImageRecord {
            id: layer.chain,
            created: None,
            author: String::new(),
            architecture: platform.architecture,
            os: platform.os,
            variant: platform.variant,
            config: ImageConfig { working_dir: "/".into(), ..ImageConfig::default() },
            layers: vec![layer],
            history: Vec::new(),
            parent: None,
            comment: String::new(),
            last_tagged: None,
        })
    }

    /// The files as a layer, which the cache keeps for as long as they stay the same.
    async fn layer_of_files(
        &self,
        name: &str,
        files: &[(Picked, std::rc::Rc<[u8]>)],
        size: u64,
    ) -> Result<LayerRef, Failure> {
        let key = step_key(&Digest::of(b"scratch"), "context", &[&digest_of(files).to_string()]);
        let known = self.ctx.world().get::<BuildCacheRecord>(&key.to_string())?;
        if let Some(layer) = known.and_then(|record| record.layers.last().cloned())
            && self.ctx.world().has_layer(&layer.chain)
        {
            return Ok(layer);
        }
        let mut tar = TarWriter::new(Vec::new());
        for (file, bytes) in files {
            tar.add(&Entry { path: file.to.clone(), ..file.entry.clone() }, bytes.as_ref())?;
        }
        let snapshot = self.prepare_over(Vec::new()).await?;
        let act = ImportTree { key: snapshot.clone(), at: "/".into(), tar: tar.finish()?.into() };
        let layer = match self.ctx.act("The files of a context are stood upon like an image's", act).await {
            Ok(()) => self.layer_of(None, &snapshot, Vec::new()).await,
            Err(fault) => Err(fault.into()),
        };
        self.discard(snapshot).await?;
        let layer = layer?;
        let record = BuildCacheRecord {
            description: format!("context {name}"),
            kind: "source.local".into(),
            size,
            ..new_record(self.ctx, key, vec![layer.clone()])
        };
        note_use(self.ctx, record)?;
        Ok(layer)
    }
}

/// BuildKit's words for what a registry refuses.
fn metadata_reason(shown: &str, message: &str) -> String {
    if message.starts_with("pull access denied") {
        return "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed".to_string();
    }
    if message.contains("manifest unknown") || message.contains("name unknown") {
        return format!("{shown}: not found");
    }
    if message.starts_with("no matching manifest for") {
        return "no match for platform in manifest: not found".to_string();
    }
    message.to_string()
}
