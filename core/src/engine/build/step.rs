//! What all steps with a layer have in common: a look into the cache, a writable layer, and what it becomes.

use super::board::Vertex;
use super::record::new_record;
use super::solve::Failure;
use super::stage::{Build, Stage};
use crate::build::BuildCacheRecord;
use crate::engine::image::add_layer;
use crate::image::LayerRef;
use crate::layer::TarWriter;
use crate::name::{ChainId, Digest};
use crate::world::World;
use crate::world::acts::{CommitSnapshot, PrepareSnapshot, RemoveSnapshot, SnapshotKey};

/// The key of a step: what came before, what it is, and all that it depends on.
pub fn step_key(parent: &Digest, kind: &str, parts: &[&str]) -> Digest {
    Digest::of(format!("{parent} {kind} {parts:?}").as_bytes())
}

impl<W: World> Build<'_, W> {
    /// Takes a step's result from the cache, if it is there.
    pub async fn take_cached(&self, stage: &mut Stage, key: Digest, vertex: Vertex) -> Result<bool, Failure> {
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
        self.board.cached(vertex).await;
        Ok(true)
    }

    /// An empty writable layer over what the stage has so far.
    pub async fn prepare(&self, stage: &Stage) -> Result<SnapshotKey, Failure> {
        self.prepare_over(stage.chains()).await
    }

    pub async fn prepare_over(&self, layers: Vec<ChainId>) -> Result<SnapshotKey, Failure> {
        let key = SnapshotKey(self.ctx.new_id());
        let act = PrepareSnapshot { key: key.clone(), layers };
        self.ctx.act("The step writes into a layer of its own", act).await?;
        Ok(key)
    }

    pub async fn discard(&self, snapshot: SnapshotKey) -> Result<(), Failure> {
        self.ctx.act("The writable layer has served", RemoveSnapshot { key: snapshot }).await?;
        Ok(())
    }

    /// Makes a layer of what a step did, and remembers it in the cache; where it failed, only tells so. What was
    /// done comes with the places that were made only to mount on.
    pub async fn commit(
        &self,
        stage: &mut Stage,
        snapshot: SnapshotKey,
        done: Result<Vec<String>, Failure>,
        key: Digest,
        vertex: Vertex,
        text: &str,
    ) -> Result<(), Failure> {
        let committed = match done {
            Ok(stubs) => self.layer_of(stage, &snapshot, stubs).await,
            Err(failure) => Err(failure),
        };
        self.discard(snapshot).await?;
        let layer = match committed {
            Ok(layer) => layer,
            Err(failure) => {
                self.board.failed(vertex, failure.message()).await;
                return Err(failure);
            }
        };
        let size = layer.size;
        stage.layers.push(layer);
        let record = BuildCacheRecord {
            description: text.to_string(),
            size,
            parents: stage.cached_by.iter().cloned().collect(),
            ..new_record(self.ctx, key, stage.layers.clone())
        };
        self.ctx.world().put(&record)?;
        // The same time as from the cache later: it is in the image's configuration, and so in its id.
        stage.times.push(Some(record.created));
        stage.key = key;
        stage.cached_by = Some(record.id);
        self.board.done(vertex).await;
        Ok(())
    }

    /// The changes as a layer; a step that changed nothing makes an empty one.
    async fn layer_of(&self, stage: &Stage, snapshot: &SnapshotKey, stubs: Vec<String>) -> Result<LayerRef, Failure> {
        let act = CommitSnapshot { key: snapshot.clone(), parent: stage.chain(), clamp: None, stubs };
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
                Ok(add_layer(self.ctx, "an empty layer", empty.into(), stage.chain(), None).await?)
            }
        }
    }
}
