//! Finding an image by what a person types: a name, an id, the beginning of one, a digest.

use super::pull::mismatch;
use crate::cli::Args;
use crate::engine::{Ctx, Error, Result};
use crate::image::wire::Platform;
use crate::image::{ImageRecord, TagRecord};
use crate::name::{Digest, Found, Reference, find_by_prefix, is_full_id};
use crate::world::{Kind, World};
use cutaway_userland::sorted::Arrange;

/// The image that `name` stands for.
///
/// # Errors
/// In Docker's words: `invalid reference format`, `No such image: nosuch:latest`.
pub async fn resolve<W: World>(ctx: &Ctx<W>, name: &str) -> Result<ImageRecord> {
    match lookup(ctx, name)? {
        Some(image) => Ok(image),
        None => Err(no_such_image(name)),
    }
}

/// The image that `name` stands for, if there is one.
///
/// # Errors
/// Where `name` can't be the name of an image.
pub fn lookup<W: World>(ctx: &Ctx<W>, name: &str) -> Result<Option<ImageRecord>> {
    let world = ctx.world();
    let id = name.strip_prefix("sha256:").unwrap_or(name);
    if is_full_id(id) {
        return Ok(world.get::<ImageRecord>(&format!("sha256:{id}"))?);
    }
    let reference = Reference::parse(name).map_err(|e| Error::Daemon(e.to_string()))?;
    if let Some(tag) = world.get::<TagRecord>(&reference.key())? {
        return Ok(world.get::<ImageRecord>(&tag.image.to_string())?);
    }
    let ids = world.keys(Kind::Image)?;
    match find_by_prefix(ids.iter().map(String::as_str), name) {
        Found::One(id) => Ok(world.get::<ImageRecord>(id)?),
        Found::None | Found::Ambiguous => Ok(None),
    }
}

/// The same, and that it is for the platform of `--platform`, where that was given. `frame` comes before what
/// is wrong with the flag itself.
///
/// # Errors
/// As [`resolve`] has them, and of platforms, in Docker's words.
pub async fn resolve_for<W: World>(ctx: &Ctx<W>, name: &str, args: &Args, frame: &str) -> Result<ImageRecord> {
    let asked = asked_platforms(args, frame)?;
    let image = resolve(ctx, name).await?;
    match asked.iter().find_map(|asked| mismatch(name, &image, asked)) {
        Some(why) => Err(Error::Daemon(why)),
        None => Ok(image),
    }
}

/// What `--platform` asks for.
///
/// # Errors
/// What is no platform, after `frame`.
pub fn asked_platforms(args: &Args, frame: &str) -> Result<Vec<Platform>> {
    let given = args.values("platform").iter().filter(|text| !text.is_empty());
    given.map(|text| Platform::parse(text).map_err(|e| Error::Client(format!("{frame}{e}")))).collect()
}

/// Docker's words for a name that stands for nothing.
pub fn no_such_image(name: &str) -> Error {
    let shown = match Reference::parse(name) {
        Ok(reference) => reference.with_default_tag().familiar(),
        Err(_) if is_full_id(name) => format!("sha256:{name}"),
        Err(_) => name.to_string(),
    };
    Error::Daemon(format!("No such image: {shown}"))
}

/// Whether `text` is the beginning of this image's id, with or without the algorithm.
pub fn is_id_prefix(id: &Digest, text: &str) -> bool {
    !text.is_empty() && (id.to_string().starts_with(text) || id.hex().starts_with(text))
}

/// All names of an image, sorted: those with tags and those with digests.
pub fn references<W: World>(ctx: &Ctx<W>, image: &Digest) -> Result<Vec<Reference>> {
    let tags = ctx.world().list::<TagRecord>()?;
    let of_image = tags.iter().filter(|tag| tag.image == *image);
    let mut references: Vec<Reference> = of_image.filter_map(|tag| Reference::parse(&tag.name).ok()).collect();
    references.arrange_by_key(Reference::to_string);
    Ok(references)
}
