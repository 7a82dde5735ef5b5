//! The `docker network` commands, and what starting a container asks of networks.

mod address;
mod connect;
mod create;
mod find;
mod inspect;
mod plan;
mod remove;
#[cfg(test)]
mod tests;

pub use address::{allocate_addresses, ensure_bridge, release_addresses, v4, v6};
pub use create::{NetworkSpec, PoolSpec, create, pairs};
pub use find::{ensure_defaults, find, lookup};
pub use inspect::inspect_value;
pub use remove::{prune, remove};

use crate::cli::Invocation;
use crate::engine::{Ctx, Result};
use crate::world::World;

/// Runs the command if it is one of this group's; its exit status.
pub async fn dispatch<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    Some(match call.command {
        "network connect" => connect::connect(ctx, call).await,
        "network create" => create::command(ctx, call).await,
        "network disconnect" => connect::disconnect(ctx, call).await,
        "network inspect" => inspect::inspect(ctx, call).await,
        "network ls" => inspect::list(ctx, call).await,
        "network prune" => remove::prune_command(ctx, call).await,
        "network rm" => remove::command(ctx, call).await,
        _ => return None,
    })
}
