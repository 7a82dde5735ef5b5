//! The `docker image` commands, one file each.

mod commit;
mod create;
mod credential;
mod ensure;
mod event;
mod find;
mod history;
mod import;
mod inspect;
mod layer;
mod list;
mod load;
mod progress;
mod prune;
mod pull;
mod push;
mod remote;
mod remove;
mod save;
mod search;
mod store;
mod tag;

pub use commit::commit;
pub use create::create_image;
pub use credential::{CredentialRecord, read_all_bytes};
pub use ensure::{PullPolicy, ensure, ensure_quietly};
pub use event::image_event;
pub use find::{is_id_prefix, lookup, no_such_image, references, resolve};
pub use import::open_error;
pub use inspect::{inspect_value, template_value};
pub use layer::add_layer;
pub use list::{Listed, image_rows, matching};
pub use prune::{Pruned, prune_images};
pub use push::push_quietly;
pub use remove::{Removed, remove_image};
pub use store::{chains_of, drop_layers, keep_image, tag_image};

#[cfg(test)]
mod tests;

use crate::cli::Invocation;
use crate::engine::{Ctx, Result, container};
use crate::world::World;

/// Runs the command if it is one of this group's; its exit status.
pub async fn dispatch<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    Some(match call.command {
        "image pull" => pull::pull(ctx, call).await,
        "image push" => push::push(ctx, call).await,
        "image tag" => tag::tag(ctx, call).await,
        "image rm" => remove::remove(ctx, call).await,
        "image ls" => list::list(ctx, call).await,
        "image history" => history::history(ctx, call).await,
        "search" => search::search(ctx, call).await,
        "container commit" => match container::find(ctx, call.args.word(0)).await {
            Ok(found) => commit(ctx, call, &found).await,
            Err(error) => Err(error),
        },
        "image import" => import::import(ctx, call).await,
        "image save" => save::save(ctx, call).await,
        "image load" => load::load(ctx, call).await,
        "image prune" => prune::prune(ctx, call).await,
        "login" => credential::login(ctx, call).await,
        "logout" => credential::logout(ctx, call).await,
        _ => return None,
    })
}
