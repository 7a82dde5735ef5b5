//! What the stages of a build have in common while they are built at once: results that others wait for, what
//! is being done and must not be done twice, and whether all is to stop.

use super::failure::Failure;
use super::stage::Stage;
use cutaway_userland::sorted::{Map as BTreeMap, Set as BTreeSet};
use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Poll, Waker};

#[derive(Default)]
pub struct Shared {
    done: RefCell<BTreeMap<usize, Stage>>,
    held: RefCell<BTreeSet<String>>,
    stopped: RefCell<Option<Failure>>,
    told: RefCell<BTreeSet<String>>,
    waiting: RefCell<Vec<Waker>>,
}

impl Shared {
    /// Waits until `ready` gives something; it is asked again after each change.
    async fn until<T>(&self, mut ready: impl FnMut() -> Option<T>) -> T {
        poll_fn(|cx| match ready() {
            Some(value) => Poll::Ready(value),
            None => {
                self.waiting.borrow_mut().push(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    fn changed(&self) {
        for waker in self.waiting.take() {
            waker.wake();
        }
    }

    /// The stage is done: those who build on it go on.
    pub fn finish(&self, index: usize, stage: Stage) {
        self.done.borrow_mut().insert(index, stage);
        self.changed();
    }

    /// A stage that is done.
    pub fn stage(&self, index: usize) -> Option<Stage> {
        self.done.borrow().get(&index).cloned()
    }

    /// A stage as soon as it is done.
    ///
    /// # Errors
    /// Where all is to stop.
    pub async fn wait(&self, index: usize) -> Result<Stage, Failure> {
        self.until(|| match self.stage(index) {
            None if self.is_stopped() => Some(Err(Failure::canceled())),
            found => found.map(Ok),
        })
        .await
    }

    /// Has all stop. The first reason counts.
    pub fn stop(&self, reason: Failure) {
        self.stopped.borrow_mut().get_or_insert(reason);
        self.changed();
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.borrow().is_some()
    }

    /// Waits until all is to stop.
    pub async fn stopping(&self) {
        self.until(|| self.is_stopped().then_some(())).await;
    }

    pub fn failure(&self) -> Option<Failure> {
        self.stopped.borrow().clone()
    }

    /// Takes names that only one may hold, all of them at once; give them back by [`Shared::release`].
    pub async fn hold(&self, names: &[String]) {
        self.until(|| {
            let mut held = self.held.borrow_mut();
            let free = !names.iter().any(|name| held.contains(name));
            free.then(|| held.extend(names.iter().cloned()))
        })
        .await;
    }

    pub fn release(&self, names: &[String]) {
        self.held.borrow_mut().retain(|name| !names.contains(name));
        self.changed();
    }

    /// Whether this is the first to tell of something that is told once.
    pub fn tells(&self, what: &str) -> bool {
        self.told.borrow_mut().insert(what.to_string())
    }
}
