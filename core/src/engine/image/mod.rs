//! The `docker image` commands, one file each.

mod credential;
mod ensure;
mod event;
mod find;
mod progress;
mod pull;
mod push;
mod remote;
mod remove;
mod store;
mod tag;

pub use credential::CredentialRecord;
pub use ensure::{PullPolicy, ensure};
pub use find::{is_id_prefix, lookup, no_such_image, references, resolve};
pub use remove::{Removed, remove_image};
pub use store::{chains_of, drop_layers, keep_image, tag_image};

use crate::cli::Invocation;
use crate::engine::{Ctx, Result};
use crate::world::World;

/// Runs the command if it is one of this group's; its exit status.
pub async fn dispatch<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    Some(match call.command {
        "image pull" => pull::pull(ctx, call).await,
        "image push" => push::push(ctx, call).await,
        "image tag" => tag::tag(ctx, call).await,
        "image rm" => remove::remove(ctx, call).await,
        "login" => credential::login(ctx, call).await,
        "logout" => credential::logout(ctx, call).await,
        _ => return None,
    })
}
