//! `docker buildx imagetools`: looks at images in their registries, and puts new ones together there, without an
//! engine. Source: docker/buildx, commands/imagetools and util/imagetools.

mod copy;
mod create;
mod index;
mod inspect;
mod load;
mod resolve;
mod sources;

#[cfg(test)]
mod tests;

use crate::cli::{Args, Invocation};
use crate::engine::{Ctx, Error, Result};
use crate::world::World;
use std::fmt::Display;

/// Runs the command if it is one of this group's; its exit status.
pub async fn dispatch<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    Some(match call.command {
        "buildx imagetools inspect" => Box::pin(inspect::inspect(ctx, call)).await,
        "buildx imagetools create" => Box::pin(create::create(ctx, call)).await,
        _ => return None,
    })
}

/// As buildx words a failure.
fn failed(why: impl Display) -> Error {
    Error::Client(format!("ERROR: {why}"))
}

/// There is one builder here.
fn check_builder(args: &Args) -> Result<()> {
    match args.value("builder").unwrap_or("") {
        "" | "default" => Ok(()),
        name => Err(failed(format!("no builder {name:?} found"))),
    }
}
