//! The `docker network` commands, and what starting a container asks of networks.

mod address;
mod find;

pub use address::{allocate_address, ensure_bridge, release_address};
pub use find::{ensure_defaults, find, lookup};

use crate::cli::Invocation;
use crate::engine::{Ctx, Result};
use crate::world::World;

/// Runs the command if it is one of this group's; its exit status.
pub async fn dispatch<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    let _ = (ctx, call);
    None
}
