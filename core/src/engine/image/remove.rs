//! `docker rmi`: names first, and the image with its last name, unless somebody needs it.

use super::event::image_event;
use super::find::{asked_platforms, is_id_prefix, no_such_image, references, resolve};
use super::store::drop_image;
use crate::cli::Invocation;
use crate::container::{ContainerRecord, Status};
use crate::engine::{Ctx, Error, Result};
use crate::image::{ImageRecord, TagRecord};
use crate::name::{Digest, Reference, short_id};
use crate::world::World;

/// What was done, as `rmi` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    Untagged(String),
    Deleted(Digest),
}

pub async fn remove<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    asked_platforms(&call.args, "")?;
    let (force, prune) = (call.args.flag("force"), !call.args.flag("no-prune"));
    let mut errors = Vec::new();
    let mut fatal = false;
    for name in &call.args.positionals {
        match remove_image(ctx, name, force, prune).await {
            Ok(done) => {
                for one in done {
                    let line = match one {
                        Removed::Untagged(name) => format!("Untagged: {name}\n"),
                        Removed::Deleted(digest) => format!("Deleted: {digest}\n"),
                    };
                    ctx.print(line).await;
                }
            }
            Err(error) => {
                fatal |= !matches!(&error, Error::Daemon(text) if text.starts_with("No such image"));
                errors.push(error);
            }
        }
    }
    for error in &errors {
        ctx.warn(format!("{}\n", error.render(&call.typed))).await;
    }
    Ok(i32::from(fatal || (!errors.is_empty() && !force)))
}

/// Removes a name, or an image by its id. `prune` also removes parents that are left without a name.
///
/// # Errors
/// Docker's conflicts, where a container or another image needs it.
pub async fn remove_image<W: World>(ctx: &Ctx<W>, name: &str, force: bool, prune: bool) -> Result<Vec<Removed>> {
    let image = resolve(ctx, name).await?;
    let mut names = references(ctx, &image.id)?;
    let mut done = Vec::new();
    let mut had_name = false;
    if is_id_prefix(&image.id, name) {
        if is_single(&names) {
            refuse_if(conflict(ctx, &image, !force, false)?)?;
            for reference in names {
                untag(ctx, &image.id, &reference, &mut done)?;
            }
        }
    } else {
        if !force
            && is_single(&names)
            && let Some(user) = containers_of(ctx, &image.id)?.first()
        {
            return Err(Error::Daemon(format!(
                "conflict: unable to remove repository reference {name:?} (must force) - container {} is using its referenced image {}",
                short_id(&user.id),
                image.id.short()
            )));
        }
        let typed = Reference::parse(name).map_err(|e| Error::Daemon(e.to_string()))?.with_default_tag();
        if ctx.world().get::<TagRecord>(&typed.key())?.is_none() {
            return Err(no_such_image(name));
        }
        untag(ctx, &image.id, &typed, &mut done)?;
        names = references(ctx, &image.id)?;
        let same = |r: &Reference| r.name() == typed.name();
        if typed.digest().is_none() && !names.iter().any(|r| r.digest().is_none() && same(r)) {
            // The last tag of this repository is gone: its digests go, too.
            let (digests, rest): (Vec<_>, Vec<_>) = names.into_iter().partition(|r| same(r));
            for reference in digests {
                untag(ctx, &image.id, &reference, &mut done)?;
            }
            names = rest;
        }
        if !names.is_empty() {
            return Ok(done);
        }
        had_name = true;
    }
    delete(ctx, &image, &mut done, force, prune, had_name).await?;
    Ok(done)
}

/// Deletes an image that may go, then its parents that are left without a name.
async fn delete<W: World>(
    ctx: &Ctx<W>,
    image: &ImageRecord,
    done: &mut Vec<Removed>,
    force: bool,
    prune: bool,
    quiet: bool,
) -> Result<()> {
    let (mut image, mut force, mut quiet) = (image.clone(), force, quiet);
    loop {
        if let Some(found) = conflict(ctx, &image, !force, true)? {
            let dangling = references(ctx, &image.id)?.is_empty() && !has_children(ctx, &image.id)?;
            if quiet && (!dangling || found.used) {
                return Ok(());
            }
            return refuse_if(Some(found));
        }
        for reference in references(ctx, &image.id)? {
            untag(ctx, &image.id, &reference, done)?;
        }
        let layers = drop_image(ctx, &image).await?;
        image_event(ctx, "delete", &image.id.to_string(), &image.id.to_string());
        done.push(Removed::Deleted(image.id));
        done.extend(layers.into_iter().map(Removed::Deleted));
        let parent = match image.parent {
            Some(parent) if prune => ctx.world().get::<ImageRecord>(&parent.to_string())?,
            _ => None,
        };
        let Some(parent) = parent else { return Ok(()) };
        (image, force, quiet) = (parent, false, true);
    }
}

fn untag<W: World>(ctx: &Ctx<W>, image: &Digest, reference: &Reference, done: &mut Vec<Removed>) -> Result<()> {
    ctx.world().remove::<TagRecord>(&reference.key())?;
    image_event(ctx, "untag", &image.to_string(), &image.to_string());
    done.push(Removed::Untagged(reference.familiar()));
    Ok(())
}

/// Whether all names are of one repository with one tag at most.
fn is_single(names: &[Reference]) -> bool {
    if names.len() <= 1 {
        return names.len() == 1;
    }
    let mut tags = names.iter().filter(|r| r.digest().is_none());
    let (first, second) = (tags.next(), tags.next());
    let name = first.unwrap_or(&names[0]).name();
    second.is_none() && names.iter().filter(|r| r.digest().is_some()).all(|r| r.name() == name)
}

/// Why an image can't be deleted.
struct Conflict {
    image: Digest,
    hard: bool,
    used: bool,
    message: String,
}

fn refuse_if(conflict: Option<Conflict>) -> Result<()> {
    let Some(found) = conflict else { return Ok(()) };
    let force = if found.hard { "cannot be forced" } else { "must be forced" };
    Err(Error::Daemon(format!("conflict: unable to delete {} ({force}) - {}", found.image.short(), found.message)))
}

/// `soft` also counts what `--force` overrides; `names` counts names among that.
fn conflict<W: World>(ctx: &Ctx<W>, image: &ImageRecord, soft: bool, names: bool) -> Result<Option<Conflict>> {
    let found = |hard, used, message| Ok(Some(Conflict { image: image.id, hard, used, message }));
    if has_children(ctx, &image.id)? {
        return found(true, false, "image has dependent child images".to_string());
    }
    let users = containers_of(ctx, &image.id)?;
    if let Some(user) = users.iter().find(|c| is_running(c)) {
        return found(true, true, format!("image is being used by running container {}", short_id(&user.id)));
    }
    if soft && names && !references(ctx, &image.id)?.is_empty() {
        return found(false, false, "image is referenced in multiple repositories".to_string());
    }
    if soft && let Some(user) = users.first() {
        return found(false, true, format!("image is being used by stopped container {}", short_id(&user.id)));
    }
    Ok(None)
}

fn is_running(container: &ContainerRecord) -> bool {
    matches!(container.state.status, Status::Running | Status::Paused | Status::Restarting)
}

/// Whether an image was committed, or built classically, from this one.
pub fn has_children<W: World>(ctx: &Ctx<W>, image: &Digest) -> Result<bool> {
    Ok(ctx.world().list::<ImageRecord>()?.iter().any(|other| other.parent == Some(*image)))
}

/// The containers made of an image.
pub fn containers_of<W: World>(ctx: &Ctx<W>, image: &Digest) -> Result<Vec<ContainerRecord>> {
    let mut all = ctx.world().list::<ContainerRecord>()?;
    all.retain(|c| c.image == *image);
    Ok(all)
}
