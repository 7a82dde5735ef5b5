//! Making an image of a configuration and layers: its id is the digest of the configuration.

use super::store::keep_image;
use crate::engine::{Ctx, Result};
use crate::image::ImageRecord;
use crate::image::wire::ConfigFile;
use crate::name::Digest;
use crate::world::World;
use crate::world::acts::PutBlob;

/// Writes the configuration and keeps the record. What is in `image.id` before does not count.
pub async fn create_image<W: World>(ctx: &Ctx<W>, image: ImageRecord) -> Result<ImageRecord> {
    let bytes = ConfigFile::of(&image).to_bytes();
    let image = ImageRecord { id: Digest::of(&bytes), ..image };
    ctx.act("The image's id is the digest of its configuration", PutBlob { bytes: bytes.into() }).await?;
    keep_image(ctx, &image)?;
    Ok(image)
}
