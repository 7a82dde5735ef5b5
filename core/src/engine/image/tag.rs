//! `docker tag`: one more name for an image.

use super::event::image_event;
use super::find::resolve;
use super::store::tag_image;
use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::name::Reference;
use crate::world::World;

pub async fn tag<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let (source, target) = (call.args.word(0), call.args.word(1));
    let reference = Reference::parse(target).map_err(|e| {
        Error::Client(format!("Error parsing reference: {target:?} is not a valid repository/tag: {e}"))
    })?;
    if reference.digest().is_some() {
        return Err(Error::Client("refusing to create a tag with a digest reference".into()));
    }
    let image = resolve(ctx, source).await?;
    if reference.familiar_name() == "sha256" {
        return Err(Error::Daemon("refusing to create an ambiguous tag using digest algorithm as name".into()));
    }
    let reference = reference.with_default_tag();
    tag_image(ctx, &reference, &image.id)?;
    image_event(ctx, "tag", &image.id.to_string(), &reference.familiar());
    Ok(0)
}
