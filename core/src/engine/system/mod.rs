//! Commands about the whole engine: version, info, events, disk usage, pruning, `inspect` of anything.

mod event;

pub use event::{EventRecord, publish};

use crate::cli::Invocation;
use crate::engine::{Ctx, Result};
use crate::world::World;

/// Runs the command if it is one of this group's; its exit status.
pub async fn dispatch<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    let _ = (ctx, call);
    None
}
