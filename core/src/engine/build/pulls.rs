//! Bases that are in a registry: what they are is found out first; their layers are got where a stage stands upon
//! them. As the builder keeps them for itself, no image has their name afterwards.

use super::board::Vertex;
use super::failure::Failure;
use super::plan::Build;
use super::record::{new_record, note_use};
use crate::build::BuildCacheRecord;
use crate::engine::Result;
use crate::engine::image::{
    Progress, Remote, Resolved, chains_of, fetch_layer, get_config, resolve_name, stored_layer, unpack_layer,
};
use crate::image::wire::{ConfigFile, Platform};
use crate::image::{ImageRecord, LayerRef};
use crate::name::{Digest, Reference};
use crate::world::World;

/// A base whose layers have not been got.
pub struct Pending<'a, W: World> {
    remote: Remote<'a, W>,
    resolved: Resolved,
    config: ConfigFile,
    config_size: usize,
}

/// The key in the cache of what a base is.
pub fn base_key(image: &Digest) -> Digest {
    Digest::of(format!("image {image}").as_bytes())
}

impl<'a, W: World> Build<'a, W> {
    /// What a name stands for in its registry; the layers are still to be got.
    pub async fn resolve_base(
        &self,
        reference: &Reference,
        platform: &Platform,
    ) -> Result<(ImageRecord, Pending<'a, W>)> {
        let quiet = Progress::new(self.ctx, None);
        let remote = Remote::connect(self.ctx, reference, "pull").await?;
        let resolved = resolve_name(&remote, reference, platform, &quiet).await?;
        let (config, text) = get_config(&remote, &resolved.manifest).await?;
        let diff_ids = &config.rootfs.diff_ids;
        let layers = resolved.manifest.layers.iter().zip(diff_ids).zip(chains_of(diff_ids));
        let layers = layers.map(|((layer, diff_id), chain)| LayerRef {
            diff_id: *diff_id,
            chain,
            blob: layer.digest,
            blob_size: layer.size,
            size: 0,
        });
        let image = config.record(resolved.manifest.config.digest, layers.collect());
        Ok((image, Pending { remote, resolved, config, config_size: text.len() }))
    }

    /// Tells, once, of a base that is stood upon or copied from, and gets its layers where they are not here. `label` is
    /// its place, as `[1/2] `.
    pub async fn stand_on(&self, base: &str, shown: &str, label: &str) -> std::result::Result<(), Failure> {
        // Another stage may be getting them.
        let held = [format!("base {base}")];
        self.shared.hold(&held).await;
        let mut done = Ok(());
        if self.shared.tells(shown) {
            let pending = {
                let mut all = self.pending.borrow_mut();
                all.iter().position(|(name, _)| name == base).map(|at| all.remove(at).1)
            };
            let digest = pending.as_ref().map(|pending| pending.resolved.digest).filter(|_| !shown.contains('@'));
            let shown = digest.map_or_else(|| shown.to_string(), |digest| format!("{shown}@{digest}"));
            let vertex = self.board.begin(&format!("{label}FROM {shown}")).await;
            if let Some(pending) = pending {
                done = self.pull(base, &shown, &pending, vertex).await.map_err(Failure::from);
            }
            match &done {
                Ok(()) => self.board.done(vertex).await,
                Err(failure) => self.board.failed(vertex, failure.message()).await,
            }
        }
        self.shared.release(&held);
        done
    }

    async fn pull(&self, base: &str, shown: &str, pending: &Pending<'_, W>, vertex: Vertex) -> Result<()> {
        let (ctx, board) = (self.ctx, self.board);
        let Pending { remote, resolved, config, config_size } = pending;
        let chains = chains_of(&config.rootfs.diff_ids);
        let all: Vec<_> = resolved.manifest.layers.iter().zip(&config.rootfs.diff_ids).zip(&chains).collect();
        if !chains.iter().all(|chain| ctx.world().has_layer(chain)) {
            board.note(vertex, &format!("resolve {shown}")).await;
            let read = resolved.documents.iter().copied().chain([(resolved.manifest.config.digest, *config_size)]);
            for (digest, size) in read {
                let status = board.begin_status(vertex, &digest.to_string(), size as u64).await;
                board.end_status(vertex, status).await;
            }
        }
        for ((layer, _), chain) in &all {
            if !ctx.world().has_layer(chain) && !ctx.world().has_blob(&layer.digest) {
                let status = board.begin_status(vertex, &layer.digest.to_string(), layer.size).await;
                fetch_layer(ctx, remote, layer).await?;
                board.end_status(vertex, status).await;
            }
        }
        let (mut layers, mut parent) = (Vec::new(), None);
        for ((layer, diff_id), chain) in all {
            if !ctx.world().has_layer(chain) {
                let status = board.begin_status(vertex, &format!("extracting {}", layer.digest), 0).await;
                unpack_layer(ctx, layer, *diff_id, parent, *chain).await?;
                board.end_status(vertex, status).await;
            }
            layers.push(stored_layer(ctx, layer, *diff_id, *chain)?);
            parent = Some(*chain);
        }
        let key = base_key(&resolved.manifest.config.digest);
        let description = format!("pulled from {shown}");
        note_use(ctx, BuildCacheRecord { description, ..new_record(ctx, key, layers.clone()) })?;
        self.pulled.borrow_mut().insert(base.to_string(), layers);
        Ok(())
    }
}
