//! What is laid around a world: watchers that see each act before and after it is done.
//!
//! A recorder keeps the steps, a pauser holds each act back until a person says go on, a test injects a
//! failure at step *k*. The engine knows none of them: it only calls [`Watched::act`].

use crate::world::{Act, Fault, LocalFut, Outcome, Performs, Step, Story, World};
use std::cell::Cell;
use std::rc::Rc;

/// Something that sees each act. Both hooks may do nothing.
pub trait Watcher {
    /// Called before an act; an error keeps it from being done and is its result.
    fn before(&self, story: &Story, why: &str) -> LocalFut<Result<(), Fault>> {
        let _ = (story, why);
        Box::pin(async { Ok(()) })
    }
    /// Called with the finished step.
    fn after(&self, step: &Step) {
        let _ = step;
    }
}

/// A world seen by one command, with watchers around it. The only door through which the engine acts.
#[derive(Clone)]
pub struct Watched<W> {
    world: W,
    watchers: Rc<Vec<Rc<dyn Watcher>>>,
    command: u64,
    line: Rc<str>,
    steps: Rc<Cell<u64>>,
}

impl<W: World> Watched<W> {
    /// `steps` is the session's counter of steps, shared by its commands; `command` this one's number.
    pub fn new(world: W, watchers: Vec<Rc<dyn Watcher>>, command: u64, line: &str, steps: Rc<Cell<u64>>) -> Self {
        Watched { world, watchers: Rc::new(watchers), command, line: line.into(), steps }
    }

    /// The world, to ask it questions and to reach its records.
    pub fn world(&self) -> &W {
        &self.world
    }

    /// Does one act. `why` tells a learner, in a sentence, what the command needs it for.
    pub async fn act<A: Act>(&self, why: &str, act: A) -> Result<A::Output, Fault>
    where
        W: Performs<A>,
    {
        let story = act.story();
        for watcher in self.watchers.iter() {
            watcher.before(&story, why).await?;
        }
        let at = self.world.now();
        let result = self.world.perform(act).await;
        if self.watchers.is_empty() {
            return result;
        }
        let number = self.steps.get();
        self.steps.set(number + 1);
        let step = Step {
            number,
            command: self.command,
            line: self.line.to_string(),
            story,
            why: why.to_string(),
            outcome: Outcome::of(&result),
            at,
            took: self.world.now().saturating_sub(at),
        };
        for watcher in self.watchers.iter() {
            watcher.after(&step);
        }
        result
    }
}
