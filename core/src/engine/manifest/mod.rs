//! `docker manifest`: lists of manifests, put together in the client's configuration folder and pushed from there.
//! No engine has a part in it: the client itself asks the registries. Source: docker/cli, cli/command/manifest.

mod change;
mod distribution;
mod entry;
mod inspect;
mod local;
mod push;

#[cfg(test)]
pub(super) mod tests;

pub(super) use entry::{descriptor_of, platform_of};

use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result, Running};
use crate::name::Reference;
use crate::world::World;

/// Runs the command if it is one of this group's; its exit status.
pub async fn dispatch<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    let command: Running<'_> = match call.command {
        "manifest create" => Box::pin(change::create(ctx, call)),
        "manifest annotate" => Box::pin(change::annotate(ctx, call)),
        "manifest rm" => Box::pin(change::remove(ctx, call)),
        "manifest inspect" => Box::pin(inspect::inspect(ctx, call)),
        "manifest push" => Box::pin(push::push(ctx, call)),
        _ => return None,
    };
    Some(command.await)
}

/// The name of a manifest or a list, as it was typed.
fn named(word: &str) -> Result<Reference> {
    Reference::parse(word).map(Reference::with_default_tag).map_err(|e| Error::Client(e.to_string()))
}

/// The same, with what it was the name of.
fn named_as(word: &str, frame: &str) -> Result<Reference> {
    Reference::parse(word).map(Reference::with_default_tag).map_err(|e| Error::Client(format!("{frame} {word}: {e}")))
}
