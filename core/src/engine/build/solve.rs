//! A build from beginning to end: definition, bases, context, stages, result.

use super::board::{Board, Vertex};
use super::context::{self, Source};
use super::export;
use super::failure::Failure;
use super::history;
use super::lint;
use super::options::Options;
use super::plan::{Build, keep_source, predefined};
use crate::dockerfile::Dockerfile;
use crate::engine::Ctx;
use crate::engine::race::together;
use crate::image::ImageRecord;
use crate::name::Digest;
use crate::world::World;
use cutaway_userland::os::Signal;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// What came of a build.
pub struct Solved {
    pub id: Digest,
    /// The target's image, which is not in the store where the build is for something else.
    pub image: ImageRecord,
    pub told: export::Told,
}

/// Builds the target; all that came of it. The history keeps what was done.
pub async fn solve<W: World>(ctx: &Ctx<W>, options: &Options, board: &Board<'_, W>) -> Result<Solved, Failure> {
    let started = ctx.world().now();
    let solved = run_whole(ctx, options, board).await;
    let record = history::keep(ctx, options, board, started, solved.as_ref().err())?;
    let mut solved = solved?;
    if let Some(id) = record {
        solved.told.insert("buildx.build.ref".into(), format!("default/default/{id}").into());
    }
    Ok(solved)
}

async fn run_whole<W: World>(ctx: &Ctx<W>, options: &Options, board: &Board<'_, W>) -> Result<Solved, Failure> {
    let (context, source) = match context::load(ctx, options, board).await {
        Ok(loaded) => loaded,
        Err(failure) if failure.is_solving() && board.is_empty() => {
            let file = options.file.as_deref().filter(|file| *file != "-").unwrap_or("Dockerfile");
            let name = file.rsplit('/').next().unwrap_or(file);
            let vertex = board.begin(&format!("[internal] load build definition from {name}")).await;
            board.note(vertex, "transferring dockerfile: 2B").await;
            board.done(vertex).await;
            return Err(failure);
        }
        Err(failure) => return Err(failure),
    };
    let definition = tell_definition(ctx, board, &source).await?;
    let warnings = text_warnings(ctx, options, &source).unwrap_or_default();
    for warning in &warnings {
        board.warning(definition, warning).await;
    }
    if let Some(definition) = definition {
        board.done(definition).await;
    }
    let mut build = Build::plan(ctx, options, board, source).await?;
    build.take_ignore(&context).await?;
    build.check(definition, warnings).await?;
    build.take_context(&context).await?;
    build.run().await?;
    let stage = build.shared.wait(build.target).await?;
    let image = export::image_of(&build, &stage);
    let (id, told) = export::finish(&build, stage).await?;
    Ok(Solved { id, image, told })
}

/// Tells of the Dockerfile where the client has sent it; the vertex is not done yet.
pub async fn tell_definition<W: World>(
    ctx: &Ctx<W>,
    board: &Board<'_, W>,
    source: &Source,
) -> Result<Option<Vertex>, Failure> {
    if !source.local {
        return Ok(None);
    }
    let vertex = board.begin(&format!("[internal] load build definition from {}", source.name)).await;
    let size = crate::view::units::short_size(source.text.len() as u64 + 37);
    board.note(vertex, &format!("transferring dockerfile: {size}")).await;
    keep_source(ctx, "local source for dockerfile", source.text.len() as u64)?;
    Ok(Some(vertex))
}

/// What the text of the Dockerfile alone shows to be questionable, as far as it is asked for; `None` where it can't
/// be read: that is told of later.
pub fn text_warnings<W: World>(ctx: &Ctx<W>, options: &Options, source: &Source) -> Option<Vec<lint::Warning>> {
    let file = Dockerfile::parse(&source.text).ok()?;
    let predefined = predefined(ctx, options, &file).ok()?;
    let globals = file.global_args(&options.build_args, &predefined).ok()?;
    let asked = lint::asked(&file, options.build_args.get("BUILDKIT_DOCKERFILE_CHECK")).ok()?;
    Some(asked.keep(lint::warnings(&file, &globals, &predefined)))
}

impl<W: World> Build<'_, W> {
    /// What is asked of the checks.
    pub fn asked(&self) -> Result<lint::Asked, Failure> {
        let argument = self.options.build_args.get("BUILDKIT_DOCKERFILE_CHECK");
        lint::asked(&self.file, argument).map_err(Failure::solve)
    }

    /// Adds what is questionable now that the bases are known; fails where an instruction can't be done, or where the
    /// Dockerfile wants what is questionable to be an error.
    async fn check(&self, definition: Option<Vertex>, earlier: Vec<lint::Warning>) -> Result<(), Failure> {
        let asked = self.asked()?;
        let (found, wrong) = self.rehearse();
        let found = asked.keep(found);
        for warning in &found {
            self.board.warning(definition, warning).await;
        }
        if let Some(error) = wrong {
            return Err(Failure::parse(&error, &self.source));
        }
        asked.refusal(&[earlier, found].concat()).map_or(Ok(()), |refusal| Err(Failure::solve(refusal)))
    }

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
