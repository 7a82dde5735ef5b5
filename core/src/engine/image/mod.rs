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
mod keychain;
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
mod tree;

pub use commit::{commit, empty_image};
pub use create::create_image;
pub use credential::read_all_bytes;
pub use ensure::{PullPolicy, ensure, ensure_quietly};
pub use event::image_event;
pub use find::{asked_platforms, is_id_prefix, lookup, no_such_image, references, resolve, resolve_for};
pub use import::open_error;
pub use inspect::{inspect_value, template_value};
pub use layer::add_layer;
pub use list::{Listed, image_rows, matching};
pub use progress::Progress;
pub use prune::{Pruned, prune_images};
pub use pull::{Resolved, digest_of, fetch_layer, get_config, resolve_name, stored_layer, unpack_layer, wanted};
pub use push::{push_blob, push_quietly};
pub use remote::{Remote, host_of as registry_host, is_loopback as has_loopback_name};
pub use remove::{Removed, remove_image};
pub use save::archive_of;
pub use save::check_folder;
pub use store::{chains_of, drop_layers, keep_image, tag_image};

#[cfg(test)]
mod tests;

use crate::cli::Invocation;
use crate::engine::{Ctx, Result, Running, container};
use crate::world::World;

/// Runs the command if it is one of this group's; its exit status.
pub async fn dispatch<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    let command: Running<'_> = match call.command {
        "image pull" => Box::pin(pull::pull(ctx, call)),
        "image tag" => Box::pin(tag::tag(ctx, call)),
        "image rm" => Box::pin(remove::remove(ctx, call)),
        "image ls" if !call.args.flag("tree") => Box::pin(list::list(ctx, call)),
        _ => return None,
    };
    Some(command.await)
}

/// As [`dispatch`], for the commands that a first session seldom uses.
pub async fn dispatch_further<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    let command: Running<'_> = match call.command {
        "image ls" => Box::pin(tree::tree(ctx, call)),
        "image push" => Box::pin(push::push(ctx, call)),
        "image history" => Box::pin(history::history(ctx, call)),
        "search" => Box::pin(search::search(ctx, call)),
        "container commit" => Box::pin(async move {
            let found = container::find(ctx, call.args.word(0)).await?;
            commit(ctx, call, &found).await
        }),
        "image import" => Box::pin(import::import(ctx, call)),
        "image save" => Box::pin(save::save(ctx, call)),
        "image load" => Box::pin(load::load(ctx, call)),
        "image prune" => Box::pin(prune::prune(ctx, call)),
        "login" => Box::pin(credential::login(ctx, call)),
        "logout" => Box::pin(credential::logout(ctx, call)),
        _ => return None,
    };
    Some(command.await)
}
