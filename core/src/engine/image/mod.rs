//! The `docker image` commands, one file each.

mod ensure;
mod find;

pub use ensure::{PullPolicy, ensure};
pub use find::{is_id_prefix, lookup, no_such_image, references, resolve};

use crate::cli::Invocation;
use crate::engine::{Ctx, Result};
use crate::world::World;

/// Runs the command if it is one of this group's; its exit status.
pub async fn dispatch<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    let _ = (ctx, call);
    None
}
