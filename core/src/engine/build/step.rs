//! What all steps with a layer have in common: a look into the cache, a writable layer, and what it becomes.

use super::board::Vertex;
use super::failure::Failure;
use super::plan::Build;
use super::record::new_record;
use super::stage::Stage;
use crate::build::BuildCacheRecord;
use crate::engine::image::add_layer;
use crate::image::LayerRef;
use crate::layer::TarWriter;
use crate::name::{ChainId, Digest};
use crate::world::World;
use crate::world::acts::{CommitSnapshot, PrepareSnapshot, RemoveSnapshot, SnapshotKey};

/// A step that makes a layer: its key in the cache, where it is told of, and its text in the Dockerfile.
pub struct Step<'t> {
    pub key: Digest,
    pub vertex: Vertex,
    pub text: &'t str,
}

/// The key of a step: what came before, what it is, and all that it depends on.
pub fn step_key(parent: &Digest, kind: &str, parts: &[&str]) -> Digest {
    Digest::of(format!("{parent} {kind} {parts:?}").as_bytes())
}

impl<W: World> Build<'_, W> {
    /// Does a step with a layer, or takes it from the cache. `work` writes into the snapshot and gives the places
    /// that were made only to mount on. Two stages never do the same step at once: the second finds it cached.
    pub async fn do_step(
        &self,
        stage: &mut Stage,
        step: &Step<'_>,
        work: impl AsyncFnOnce(&Stage, &SnapshotKey) -> Result<Vec<String>, Failure>,
    ) -> Result<(), Failure> {
        let held = [step.key.to_string()];
        self.shared.hold(&held).await;
        let result = self.do_held_step(stage, step, work).await;
        self.shared.release(&held);
        if let Err(failure) = &result {
            match failure.is_canceled() {
                true => self.board.canceled(step.vertex).await,
                false => self.board.failed(step.vertex, failure.message()).await,
            }
        }
        result
    }

    async fn do_held_step(
        &self,
        stage: &mut Stage,
        step: &Step<'_>,
        work: impl AsyncFnOnce(&Stage, &SnapshotKey) -> Result<Vec<String>, Failure>,
    ) -> Result<(), Failure> {
        if self.take_cached(stage, step.key)? {
            self.board.cached(step.vertex).await;
            return Ok(());
        }
        let snapshot = self.prepare_over(stage.chains()).await?;
        let committed = match work(stage, &snapshot).await {
            Ok(stubs) => self.layer_of(stage.chain(), &snapshot, stubs).await,
            Err(failure) => Err(failure),
        };
        self.discard(snapshot).await?;
        self.keep(stage, step, committed?)?;
        self.board.done(step.vertex).await;
        Ok(())
    }

    /// Takes a step's result from the cache, if it is there.
    fn take_cached(&self, stage: &mut Stage, key: Digest) -> Result<bool, Failure> {
        let world = self.ctx.world();
        let found = if stage.cache { world.get::<BuildCacheRecord>(&key.to_string())? } else { None };
        let Some(mut record) = found.filter(|r| r.layers.last().is_some_and(|l| world.has_layer(&l.chain))) else {
            return Ok(false);
        };
        record.last_used = world.now();
        record.uses += 1;
        world.put(&record)?;
        stage.layers = record.layers.clone();
        stage.times.push(Some(record.created));
        stage.key = key;
        stage.cached_by = Some(record.id);
        Ok(true)
    }

    /// An empty writable layer over others.
    pub async fn prepare_over(&self, layers: Vec<ChainId>) -> Result<SnapshotKey, Failure> {
        let key = SnapshotKey(self.ctx.new_id());
        self.ctx.world().undertake(&key.0)?;
        let act = PrepareSnapshot { key: key.clone(), layers };
        self.ctx.act("The step writes into a layer of its own", act).await?;
        Ok(key)
    }

    pub async fn discard(&self, snapshot: SnapshotKey) -> Result<(), Failure> {
        self.ctx.act("The writable layer has served", RemoveSnapshot { key: snapshot.clone() }).await?;
        self.ctx.world().completed(&snapshot.0);
        Ok(())
    }

    /// Remembers in the cache what a step made.
    fn keep(&self, stage: &mut Stage, step: &Step<'_>, layer: LayerRef) -> Result<(), Failure> {
        let size = layer.size;
        stage.layers.push(layer);
        let record = BuildCacheRecord {
            description: step.text.to_string(),
            size,
            parents: stage.cached_by.iter().cloned().collect(),
            ..new_record(self.ctx, step.key, stage.layers.clone())
        };
        self.ctx.world().put(&record)?;
        // The same time as from the cache later: it is in the image's configuration, and so in its id.
        stage.times.push(Some(record.created));
        stage.key = step.key;
        stage.cached_by = Some(record.id);
        Ok(())
    }

    /// The changes as a layer; a step that changed nothing makes an empty one.
    pub async fn layer_of(
        &self,
        parent: Option<ChainId>,
        snapshot: &SnapshotKey,
        stubs: Vec<String>,
    ) -> Result<LayerRef, Failure> {
        let act = CommitSnapshot { key: snapshot.clone(), parent, clamp: None, stubs };
        let committed = self.ctx.act("What the step changed becomes a layer", act).await?;
        match committed {
            Some(layer) => Ok(LayerRef {
                diff_id: layer.diff_id,
                chain: layer.chain,
                blob: layer.blob,
                blob_size: layer.blob_size,
                size: self.ctx.world().layer_size(&layer.chain),
            }),
            None => {
                let empty = TarWriter::new(Vec::new()).finish()?;
                Ok(add_layer(self.ctx, "an empty layer", empty.into(), parent, None).await?)
            }
        }
    }
}
