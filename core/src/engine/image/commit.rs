//! `docker commit`: a container's changes become a layer, and its configuration an image's.

use super::create::create_image;
use super::event::image_event;
use super::import::changed;
use super::store::tag_image;
use crate::cli::Invocation;
use crate::container::{ContainerRecord, Status, stubs};
use crate::engine::{Ctx, Error, Result};
use crate::image::{HistoryEntry, ImageRecord, LayerRef};
use crate::name::{Digest, Reference};
use crate::world::World;
use crate::world::acts::{CommitSnapshot, Freeze};

/// Does `docker commit` for the container that its first word stands for; prints the new image's id.
pub async fn commit<W: World>(ctx: &Ctx<W>, call: &Invocation, container: &ContainerRecord) -> Result<i32> {
    let reference = match call.args.word(1) {
        "" => None,
        name => Some(Reference::parse(name).map_err(|e| Error::Client(e.to_string()))?.with_default_tag()),
    };
    let config = changed(container.config.image.clone(), call.args.values("change"))?;
    let base = ctx.world().get::<ImageRecord>(&container.image.to_string())?;
    let parent = base.as_ref().and_then(ImageRecord::chain);
    let pause = call.args.flag_or("pause", true) && !call.args.flag("no-pause");
    let layer = snapshot(ctx, container, parent, pause).await?;
    let now = ctx.world().now();
    let text = |flag: &str| call.args.value(flag).unwrap_or("").to_string();
    let mut image = base.unwrap_or_else(|| empty_image(ctx));
    image.history.push(HistoryEntry {
        created: Some(now),
        created_by: container.config.image.cmd.clone().unwrap_or_default().join(" "),
        author: text("author"),
        comment: text("message"),
        empty_layer: layer.is_none(),
    });
    image.layers.extend(layer);
    let image = ImageRecord {
        created: Some(now),
        author: text("author"),
        comment: text("message"),
        config,
        parent: Some(container.image),
        last_tagged: None,
        ..image
    };
    let image = create_image(ctx, image).await?;
    if let Some(reference) = &reference {
        tag_image(ctx, reference, &image.id)?;
    }
    let name = reference.map_or_else(|| image.id.to_string(), |r| r.familiar());
    image_event(ctx, "create", &image.id.to_string(), &name);
    ctx.print(format!("{}\n", image.id)).await;
    Ok(0)
}

/// Packs the changes, with the processes held still where `pause` asks for it and they run.
async fn snapshot<W: World>(
    ctx: &Ctx<W>,
    container: &ContainerRecord,
    parent: Option<Digest>,
    pause: bool,
) -> Result<Option<LayerRef>> {
    let hold = pause && container.state.status == Status::Running;
    let freeze = |frozen| Freeze { container: container.id.clone(), frozen };
    if hold {
        ctx.act("Files must not change while they are packed", freeze(true)).await?;
    }
    let act = CommitSnapshot { key: container.snapshot.clone(), parent, clamp: None, stubs: stubs([]) };
    let committed = ctx.act("The writable layer becomes a read-only one of the new image", act).await;
    if hold {
        ctx.act("The files are packed", freeze(false)).await?;
    }
    Ok(committed?.map(|layer| LayerRef {
        diff_id: layer.diff_id,
        chain: layer.chain,
        blob: layer.blob,
        blob_size: layer.blob_size,
        size: ctx.world().layer_size(&layer.chain),
    }))
}

/// What stands for an image whose record is gone, or that is only looked at and not built.
pub fn empty_image<W: World>(ctx: &Ctx<W>) -> ImageRecord {
    let platform = crate::image::wire::Platform::normal("linux", &ctx.world().host().architecture, "");
    ImageRecord {
        id: Digest::of(b""),
        created: None,
        author: String::new(),
        architecture: platform.architecture,
        os: platform.os,
        variant: platform.variant,
        config: crate::image::ImageConfig::default(),
        layers: Vec::new(),
        history: Vec::new(),
        parent: None,
        comment: String::new(),
        last_tagged: None,
    }
}
