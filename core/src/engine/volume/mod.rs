//! The `docker volume` commands, and what creating a container asks of volumes.

mod create;

pub use create::{ensure, find};

use crate::cli::Invocation;
use crate::engine::{Ctx, Result};
use crate::world::World;

/// Runs the command if it is one of this group's; its exit status.
pub async fn dispatch<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    let _ = (ctx, call);
    None
}
