//! The `docker volume` commands, and what creating a container asks of volumes.

mod create;
mod list;
mod remove;
#[cfg(test)]
mod tests;

pub use create::{ensure, find};
pub use list::{inspect_value, row, users};
pub use remove::{prune, remove};

use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::world::World;

/// Runs the command if it is one of this group's; its exit status.
pub async fn dispatch<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    Some(match call.command {
        "volume create" => create::command(ctx, call).await,
        "volume inspect" => list::inspect(ctx, call).await,
        "volume ls" => list::list(ctx, call).await,
        "volume prune" => remove::prune_command(ctx, call).await,
        "volume rm" => remove::command(ctx, call).await,
        // Only volumes of clusters can be, and there are none.
        "volume update" => {
            find(ctx, call.args.word(0)).and_then(|_| Err(Error::Client("Can only update cluster volumes".into())))
        }
        _ => return None,
    })
}
