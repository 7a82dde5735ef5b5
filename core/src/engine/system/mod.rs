//! Commands about the whole engine: version, info, events, disk usage, pruning, `inspect` of anything.

mod cache;
mod event;
mod events;
mod info;
mod inspect;
mod prompt;
mod prune;
mod usage;
mod version;

pub use cache::prune_cache;
pub use event::{EventRecord, publish};
pub use info::client_text as client_info;
pub use inspect::{Inspection, indented, pretty, pretty_tabs};
pub use prompt::{Pruned, ask, ask_unseen, confirm, total};
pub use version::client_text as client_version;

use crate::cli::Invocation;
use crate::engine::{Ctx, Result};
use crate::world::World;

/// Runs the command if it is one of this group's; its exit status.
pub async fn dispatch<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    Some(match call.command {
        "container inspect" => inspect::inspect_kind(ctx, call, "container").await,
        "image inspect" => inspect::inspect_kind(ctx, call, "image").await,
        "inspect" => inspect::inspect(ctx, call).await,
        "builder prune" => cache::prune_command(ctx, call).await,
        "system df" => usage::usage(ctx, call).await,
        "system events" => events::events(ctx, call).await,
        "system info" => info::info(ctx, call).await,
        "system prune" => prune::prune(ctx, call).await,
        "version" => version::version(ctx, call).await,
        _ => return None,
    })
}
