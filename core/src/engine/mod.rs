//! The engine: what each docker command does, as ordinary async functions over a world.
//!
//! A command reads its options from the parsed line, asks and changes the records, and has the world act
//! through [`Ctx::act`], one observable act at a time. Nothing here knows which world it has.

pub mod build;
pub mod compose;
pub mod container;
pub mod context;
mod error;
pub mod image;
mod imagetools;
mod manifest;
pub mod names;
pub mod network;
pub mod race;
pub mod settings;
mod supervise;
pub mod system;
pub mod volume;

pub use error::{Error, Result};
pub use supervise::Ended;

use crate::cli::Invocation;
use crate::world::{Act, Client, Fault, Performs, Stream, Watched, World};
use std::pin::Pin;
use std::rc::Rc;

/// What one command has at hand: the watched world, and the person who typed it.
#[derive(Clone)]
pub struct Ctx<W> {
    pub watched: Watched<W>,
    pub client: Rc<dyn Client>,
}

impl<W: World> Ctx<W> {
    /// The world, to ask it questions and to reach its records. To change something, [`Ctx::act`].
    pub fn world(&self) -> &W {
        self.watched.world()
    }

    /// Has the world do one act; `why` says in a sentence, to a learner, what this command needs it for.
    pub async fn act<A: Act>(&self, why: &str, act: A) -> std::result::Result<A::Output, Fault>
    where
        W: Performs<A>,
    {
        self.watched.act(why, act).await
    }

    /// Prints to standard output; a newline is not added.
    pub async fn print(&self, text: impl AsRef<[u8]>) {
        self.client.write(Stream::Out, text.as_ref()).await;
    }

    /// Prints to standard error; a newline is not added.
    pub async fn warn(&self, text: impl AsRef<[u8]>) {
        self.client.write(Stream::Err, text.as_ref()).await;
    }

    /// A new random id of 64 hexadecimal digits.
    pub fn new_id(&self) -> String {
        let mut bytes = [0; 32];
        self.world().random(&mut bytes);
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// A command under way. Boxed, because a dispatcher would otherwise carry the states of all of its commands.
type Running<'a> = Pin<Box<dyn Future<Output = Result<i32>> + 'a>>;

/// A group of commands: runs the command if it is one of the group's; its exit status.
pub type Group<W> = for<'a> fn(&'a Ctx<W>, &'a Invocation) -> Pin<Box<dyn Future<Output = Option<Result<i32>>> + 'a>>;

/// The commands that a first session uses.
pub fn first_groups<W: World>() -> Vec<Group<W>> {
    vec![|ctx, call| Box::pin(container::dispatch(ctx, call)), |ctx, call| Box::pin(image::dispatch(ctx, call))]
}

/// All others. They are apart, so that a page can load them later.
pub fn further_groups<W: World>() -> Vec<Group<W>> {
    vec![
        |ctx, call| Box::pin(container::dispatch_further(ctx, call)),
        |ctx, call| Box::pin(image::dispatch_further(ctx, call)),
        |ctx, call| Box::pin(network::dispatch(ctx, call)),
        |ctx, call| Box::pin(volume::dispatch(ctx, call)),
        |ctx, call| Box::pin(context::dispatch(ctx, call)),
        |ctx, call| Box::pin(system::dispatch(ctx, call)),
        |ctx, call| Box::pin(build::dispatch(ctx, call)),
        |ctx, call| Box::pin(compose::dispatch(ctx, call)),
        |ctx, call| Box::pin(manifest::dispatch(ctx, call)),
        |ctx, call| Box::pin(imagetools::dispatch(ctx, call)),
    ]
}

/// Every command.
pub fn all_groups<W: World>() -> Vec<Group<W>> {
    let mut groups = first_groups();
    groups.extend(further_groups());
    groups
}

/// Runs a command by the group that has it; `None` if none of these has.
pub async fn route<W: World>(ctx: &Ctx<W>, call: &Invocation, groups: &[Group<W>]) -> Option<Result<i32>> {
    for group in groups {
        if let Some(result) = group(ctx, call).await {
            return Some(result);
        }
    }
    None
}

/// Runs a parsed command to its end: prints what it prints, errors included, and gives its exit status.
pub async fn execute<W: World>(ctx: &Ctx<W>, call: &Invocation) -> i32 {
    container::reclaim(ctx).await;
    match attempt(ctx, call, &all_groups()).await {
        Some(status) => status,
        None => unknown(ctx, call).await,
    }
}

/// As [`execute`], with some groups only; `None` if the command is of none of them.
pub async fn attempt<W: World>(ctx: &Ctx<W>, call: &Invocation, groups: &[Group<W>]) -> Option<i32> {
    let result = route(ctx, call, groups).await?;
    Some(conclude(ctx, call, result).await)
}

/// What is said about a command that no group has.
pub async fn unknown<W: World>(ctx: &Ctx<W>, call: &Invocation) -> i32 {
    conclude(ctx, call, Err(Error::Client(format!("docker {} is not supported", call.command)))).await
}

async fn conclude<W: World>(ctx: &Ctx<W>, call: &Invocation, result: Result<i32>) -> i32 {
    match result {
        Ok(status) => status,
        Err(error) => {
            let text = error.render(&call.typed);
            if !text.is_empty() {
                ctx.warn(format!("{text}\n")).await;
            }
            error.status(call.command)
        }
    }
}
