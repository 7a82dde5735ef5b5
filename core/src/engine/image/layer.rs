//! Making a layer of an archive: for `import` and `load`.

use crate::engine::{Ctx, Result};
use crate::image::LayerRef;
use crate::layer::{Compression, plain};
use crate::name::{ChainId, Digest};
use crate::world::World;
use crate::world::acts::{PutBlob, RemoveBlob, UnpackLayer};
use std::rc::Rc;

/// Stores an archive as the layer upon `parent`. Where it can't be unpacked, nothing of it is left.
/// `expected` is the diffID that it must have.
pub async fn add_layer<W: World>(
    ctx: &Ctx<W>,
    what: &str,
    archive: Rc<[u8]>,
    parent: Option<ChainId>,
    expected: Option<Digest>,
) -> Result<LayerRef> {
    let diff_id = match expected {
        Some(diff_id) => diff_id,
        None if Compression::of(&archive) == Compression::None => Digest::of(&archive),
        None => Digest::of(&plain(what, &archive)?),
    };
    let chain = Digest::chain(parent.as_ref(), &diff_id);
    let blob = Digest::of(&archive);
    let blob_size = archive.len() as u64;
    let known = ctx.world().has_blob(&blob);
    if !known {
        ctx.act("Keep the layer's archive, to push or save it later", PutBlob { bytes: archive }).await?;
    }
    if !ctx.world().has_layer(&chain) {
        let act = UnpackLayer { blob, diff_id, parent, chain };
        if let Err(fault) = ctx.act("Containers share the unpacked layer", act).await {
            if !known {
                ctx.act("The archive was refused", RemoveBlob { digest: blob }).await?;
            }
            return Err(fault.into());
        }
    }
    Ok(LayerRef { diff_id, chain, blob, blob_size, size: ctx.world().layer_size(&chain) })
}
