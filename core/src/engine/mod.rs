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
pub mod names;
pub mod network;
pub mod race;
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

/// Runs a parsed command to its end: prints what it prints, errors included, and gives its exit status.
pub async fn execute<W: World>(ctx: &Ctx<W>, call: &Invocation) -> i32 {
    container::reclaim(ctx).await;
    let result = route(ctx, call).await;
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

/// A command under way. Boxed, because a dispatcher would otherwise carry the states of all of its commands.
type Running<'a> = Pin<Box<dyn Future<Output = Result<i32>> + 'a>>;

async fn route<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    if let Some(result) = container::dispatch(ctx, call).await {
        return result;
    }
    if let Some(result) = image::dispatch(ctx, call).await {
        return result;
    }
    if let Some(result) = network::dispatch(ctx, call).await {
        return result;
    }
    if let Some(result) = volume::dispatch(ctx, call).await {
        return result;
    }
    if let Some(result) = context::dispatch(ctx, call).await {
        return result;
    }
    if let Some(result) = system::dispatch(ctx, call).await {
        return result;
    }
    if let Some(result) = build::dispatch(ctx, call).await {
        return result;
    }
    if let Some(result) = compose::dispatch(ctx, call).await {
        return result;
    }
    Err(Error::Client(format!("docker {} is not supported", call.command)))
}
