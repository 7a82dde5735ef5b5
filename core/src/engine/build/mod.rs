//! The builder: `docker build`, and the commands of its cache.
//!
//! A build loads its Dockerfile and context, works out which stages the target needs, and goes through their
//! instructions. What an instruction depends on makes its key; a step whose key is in the cache is not done
//! again. What a person sees of it is the part of `board`.

mod bake;
mod bases;
mod board;
mod cache;
mod call;
mod classic;
mod context;
mod copy;
mod export;
mod failure;
mod history;
mod lint;
mod locks;
mod mode;
mod mounts;
mod options;
mod place;
mod plan;
mod pulls;
mod record;
mod run;
mod shared;
mod solve;
mod stage;
mod step;

pub use board::{Board, ProgressMode};

#[cfg(test)]
mod tests;

pub use bake::bake_for_compose;

use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::world::World;

/// Runs the command if it is one of this group's; its exit status.
pub async fn dispatch<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    if let Err(error) = cache::check_builder(ctx, call) {
        return Some(Err(error));
    }
    Some(match call.command {
        "image build" | "buildx build" | "builder build" => build(ctx, call).await,
        "buildx history ls" => history::list(ctx, call).await,
        "buildx history inspect" => history::inspect(ctx, call).await,
        "buildx history logs" => history::logs(ctx, call).await,
        "buildx history rm" => history::remove(ctx, call).await,
        "buildx bake" => bake::bake(ctx, call).await,
        "builder du" | "buildx du" => cache::usage(ctx, call).await,
        "builder ls" | "buildx ls" => cache::list(ctx).await,
        "buildx use" => cache::choose(ctx, call).await,
        "buildx inspect" => cache::inspect(ctx, call).await,
        "buildx version" => cache::version(ctx).await,
        _ => return None,
    })
}

/// Builds an image as the words of a command say.
async fn build<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let options = options::Options::read(ctx, call)?;
    if let Some(call) = options.call {
        return answer(ctx, &options, call).await;
    }
    if options.classic {
        return classic::build(ctx, &options).await;
    }
    build_with(ctx, &options).await.map(|_| 0)
}

/// Builds an image as the flags and words of a `docker build` say; its id.
///
/// # Errors
/// What went wrong has been told when it is [`Error::Status`].
pub async fn build_image<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<crate::name::Digest> {
    build_with(ctx, &options::Options::read(ctx, call)?).await
}

/// Builds an image; its id. What went wrong has been told when this fails.
async fn build_with<W: World>(ctx: &Ctx<W>, options: &options::Options) -> Result<crate::name::Digest> {
    // No file of an earlier build is left where this one fails.
    if let Some(path) = &options.iidfile {
        ctx.client.remove_file(path).await.ok();
    }
    options.open_agents(ctx).await?;
    let board = board::Board::new(ctx, options.progress);
    match solve::solve(ctx, options, &board).await {
        Ok(solved) => {
            board.finish().await;
            ctx.warn(board.warning_summary()).await;
            if options.quiet {
                ctx.print(format!("{}\n", export::id_of(&solved.told))).await;
            }
            export::write_told(ctx, options, solved.told).await?;
            Ok(solved.id)
        }
        Err(failure) => {
            board.finish().await;
            ctx.warn(failure.text(&board)).await;
            Err(Error::Status(failure.status()))
        }
    }
}

/// `--call` and `--check`: looks, and builds nothing.
async fn answer<W: World>(ctx: &Ctx<W>, options: &options::Options, call: options::Call) -> Result<i32> {
    let board = board::Board::new(ctx, options.progress);
    let answered = call::answer(ctx, options, call, &board).await;
    board.finish().await;
    match answered {
        Ok(call::Answer { text, error, status }) => {
            ctx.warn(board.failure_block()).await;
            ctx.print(text).await;
            if let Some(error) = error {
                ctx.warn(format!("ERROR: {error}\n")).await;
            }
            Ok(status)
        }
        Err(failure) => {
            ctx.warn(failure.text(&board)).await;
            Err(Error::Status(failure.status()))
        }
    }
}
