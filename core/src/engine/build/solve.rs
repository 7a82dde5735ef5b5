//! A build from beginning to end: definition, bases, context, stages, result.

use super::board::{Board, ProgressMode};
use super::context::{self, Source};
use super::export;
use super::failure::Failure;
use super::lint;
use super::options::Options;
use super::plan::{Build, keep_source};
use crate::dockerfile::Dockerfile;
use crate::engine::Ctx;
use crate::engine::race::together;
use crate::name::Digest;
use crate::world::World;
use cutaway_userland::os::Signal;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Builds the target; the image's id.
pub async fn solve<W: World>(ctx: &Ctx<W>, options: &Options, board: &Board<'_, W>) -> Result<Digest, Failure> {
    let (context, source) = match context::load(ctx, options, board).await {
        Ok(loaded) => loaded,
        Err(failure) if failure.is_solving() && board.is_empty() => {
            let vertex = board.begin("[internal] load build definition from Dockerfile").await;
            board.note(vertex, "transferring dockerfile: 2B").await;
            board.done(vertex).await;
            return Err(failure);
        }
        Err(failure) => return Err(failure),
    };
    let warnings = tell_definition(ctx, board, &source).await?;
    let mut build = Build::plan(ctx, options, board, source).await?;
    build.take_context(&context).await?;
    build.run().await?;
    let stage = build.shared.wait(build.target).await?;
    let id = export::finish(&build, stage).await?;
    if !matches!(options.progress, ProgressMode::Quiet | ProgressMode::RawJson) {
        ctx.warn(lint::summary(&warnings)).await;
    }
    Ok(id)
}

/// Tells of the Dockerfile, and of what is questionable in it.
async fn tell_definition<W: World>(
    ctx: &Ctx<W>,
    board: &Board<'_, W>,
    source: &Source,
) -> Result<Vec<lint::Warning>, Failure> {
    let warnings = Dockerfile::parse(&source.text).map_or_else(|_| Vec::new(), |file| lint::warnings(&file));
    if !source.local {
        return Ok(warnings);
    }
    let vertex = board.begin(&format!("[internal] load build definition from {}", source.name)).await;
    let size = crate::view::units::short_size(source.text.len() as u64 + 37);
    board.note(vertex, &format!("transferring dockerfile: {size}")).await;
    for warning in &warnings {
        board.warning(vertex, &warning.short(), warning.rule, (warning.line, warning.line)).await;
    }
    board.done(vertex).await;
    keep_source(ctx, "local source for dockerfile", source.text.len() as u64)?;
    Ok(warnings)
}

/// Looks at the Dockerfile only: what `--check` tells, and whether there is nothing to tell.
pub async fn check<W: World>(ctx: &Ctx<W>, options: &Options, board: &Board<'_, W>) -> Result<(String, bool), Failure> {
    let (_, source) = context::load(ctx, options, board).await?;
    let file = Dockerfile::parse(&source.text).map_err(|e| Failure::parse(&e, &source))?;
    Ok(lint::report(&file, &source))
}

impl<W: World> Build<'_, W> {
    /// Builds all stages that are wanted at once; each waits for what it needs of the others. Where one fails,
    /// or the person has had enough, the others end as soon as what they do can be undone.
    async fn run(&self) -> Result<(), Failure> {
        let stages = self.wanted.iter().map(|index| {
            let index = *index;
            Box::pin(async move {
                match self.stage(index).await {
                    Ok(stage) => self.shared.finish(index, stage),
                    Err(failure) => self.shared.stop(failure),
                }
            }) as crate::engine::race::Work<'_, ()>
        });
        let mut work = pin!(together(stages.collect()));
        let mut signal = self.ctx.client.signal();
        poll_fn(|cx| {
            while let Poll::Ready(sent) = signal.as_mut().poll(cx) {
                if matches!(sent, Signal::INT | Signal::TERM | Signal::HUP) {
                    self.shared.stop(Failure::canceled());
                }
                signal = self.ctx.client.signal();
            }
            work.as_mut().poll(cx).map(|_| ())
        })
        .await;
        self.shared.failure().map_or(Ok(()), Err)
    }
}
