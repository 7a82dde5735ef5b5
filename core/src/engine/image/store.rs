//! Keeping images and their names, and letting go of what no image needs any more.

use super::remove::containers_of;
use crate::build::BuildCacheRecord;
use crate::engine::{Ctx, Result};
use crate::image::{ImageRecord, LayerRef, TagRecord};
use crate::name::{ChainId, DiffId, Digest, Reference};
use crate::world::acts::{RemoveBlob, RemoveLayer};
use crate::world::{Fault, Kind, Record, World};
use cutaway_userland::sorted::Set as BTreeSet;
use serde::{Deserialize, Serialize};

/// The chainIDs of a stack of layers, the lowest first.
pub fn chains_of(diff_ids: &[DiffId]) -> Vec<ChainId> {
    let mut chains: Vec<ChainId> = Vec::new();
    for diff_id in diff_ids {
        chains.push(Digest::chain(chains.last(), diff_id));
    }
    chains
}

/// Stores an image's record, without losing what is known of one that is here already.
pub fn keep_image<W: World>(ctx: &Ctx<W>, image: &ImageRecord) -> std::result::Result<(), Fault> {
    ctx.world().transact(|changes| {
        let mut image = image.clone();
        if let Some(old) = changes.get::<ImageRecord>(&image.id.to_string())? {
            image.last_tagged = image.last_tagged.or(old.last_tagged);
            image.parent = image.parent.or(old.parent);
        }
        changes.put(&image)
    })
}

/// Makes `reference` (a tag, or a digest) name an image. An image that had the name keeps its others.
pub fn tag_image<W: World>(ctx: &Ctx<W>, reference: &Reference, image: &Digest) -> std::result::Result<(), Fault> {
    let now = ctx.world().now();
    ctx.world().transact(|changes| {
        changes.put(&TagRecord { name: reference.key(), image: *image })?;
        if reference.digest().is_none()
            && let Some(mut record) = changes.get::<ImageRecord>(&image.to_string())?
        {
            record.last_tagged = Some(now);
            changes.put(&record)?;
        }
        Ok(())
    })
}

/// Takes an image out of the store: its record, and the layers and blobs that nothing else uses. Gives the
/// chainIDs of the layers that went, the highest first.
pub async fn drop_image<W: World>(ctx: &Ctx<W>, image: &ImageRecord) -> Result<Vec<ChainId>> {
    let world = ctx.world();
    world.remove::<ImageRecord>(&image.id.to_string())?;
    if !containers_of(ctx, &image.id)?.is_empty() {
        // Only forced: the containers go on standing on its layers.
        world.put(&OrphanRecord { image: image.id, layers: image.layers.clone() })?;
        drop_blobs(ctx, &[image.id]).await?;
        return Ok(Vec::new());
    }
    let mut layers = image.layers.clone();
    for orphan in orphans(ctx)? {
        if containers_of(ctx, &orphan.image)?.is_empty() {
            world.remove::<OrphanRecord>(&orphan.key())?;
            layers.extend(orphan.layers);
        }
    }
    let gone = drop_layers(ctx, &layers).await?;
    drop_blobs(ctx, &[image.id]).await?;
    Ok(gone)
}

/// Deletes those of some layers, and of their blobs, that nothing refers to. Gives the chainIDs of those that
/// went, the highest first.
pub async fn drop_layers<W: World>(ctx: &Ctx<W>, layers: &[LayerRef]) -> Result<Vec<ChainId>> {
    let needed = needed_layers(ctx)?;
    let needed: BTreeSet<ChainId> = needed.iter().map(|l| l.chain).collect();
    let mut gone = Vec::new();
    for layer in layers.iter().rev() {
        if needed.contains(&layer.chain) || !ctx.world().has_layer(&layer.chain) {
            continue;
        }
        ctx.act("No other image or container has this layer", RemoveLayer { chain: layer.chain }).await?;
        gone.push(layer.chain);
    }
    let blobs: Vec<Digest> = layers.iter().flat_map(|l| [l.blob, l.diff_id]).collect();
    drop_blobs(ctx, &blobs).await?;
    Ok(gone)
}

/// The layers that images, containers and the build cache stand on.
fn needed_layers<W: World>(ctx: &Ctx<W>) -> Result<Vec<LayerRef>> {
    let mut needed: Vec<LayerRef> = Vec::new();
    needed.extend(ctx.world().list::<ImageRecord>()?.into_iter().flat_map(|image| image.layers));
    needed.extend(ctx.world().list::<BuildCacheRecord>()?.into_iter().flat_map(|step| step.layers));
    needed.extend(orphans(ctx)?.into_iter().flat_map(|orphan| orphan.layers));
    Ok(needed)
}

/// Deletes those of some blobs that no image, container or cached step refers to. Others are left alone,
/// because they may be another command's that is under way.
async fn drop_blobs<W: World>(ctx: &Ctx<W>, blobs: &[Digest]) -> Result<()> {
    let images = ctx.world().list::<ImageRecord>()?.into_iter().map(|image| image.id);
    let layers = needed_layers(ctx)?.into_iter().flat_map(|l| [l.blob, l.diff_id]);
    let needed: BTreeSet<Digest> = images.chain(layers).collect();
    let unused: BTreeSet<&Digest> = blobs.iter().filter(|b| !needed.contains(b)).collect();
    for digest in unused {
        if ctx.world().has_blob(digest) {
            ctx.act("No image refers to this blob any more", RemoveBlob { digest: *digest }).await?;
        }
    }
    Ok(())
}

/// The layers of an image that was removed by force while containers stood on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct OrphanRecord {
    image: Digest,
    layers: Vec<LayerRef>,
}

const ORPHAN: &str = "orphan ";

impl Record for OrphanRecord {
    const KIND: Kind = Kind::Setting;
    fn key(&self) -> String {
        format!("{ORPHAN}{}", self.image)
    }
}

fn orphans<W: World>(ctx: &Ctx<W>) -> Result<Vec<OrphanRecord>> {
    let mut all = Vec::new();
    for key in ctx.world().keys(Kind::Setting)?.iter().filter(|key| key.starts_with(ORPHAN)) {
        all.extend(ctx.world().get::<OrphanRecord>(key)?);
    }
    Ok(all)
}
