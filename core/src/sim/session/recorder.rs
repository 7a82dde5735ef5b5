//! What keeps each step of a session with the stage as it was after it: looking back is looking at an earlier
//! stage. Each host has a watcher of its own; the steps of all are in one row.

use super::stage::StageBuilder;
use crate::sim::world::SimWorld;
use crate::view::stage::Stage;
use crate::world::{Queries, Step, Subject, Watcher};
use cutaway_userland::sorted::Map as BTreeMap;
use std::cell::RefCell;
use std::rc::Rc;

/// One step, and what there was after it on the host that it was done on.
#[derive(Clone, Debug)]
pub struct Moment {
    pub step: Step,
    pub stage: Rc<Stage>,
}

#[derive(Default)]
pub struct Recorder {
    /// By host.
    builders: RefCell<BTreeMap<String, StageBuilder>>,
    moments: RefCell<Vec<Rc<Moment>>>,
}

impl Recorder {
    /// The watcher of one host.
    pub fn on(self: &Rc<Self>, world: &SimWorld) -> Rc<dyn Watcher> {
        Rc::new(Watching { recorder: self.clone(), world: world.clone() })
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.moments.borrow().len()
    }

    /// The steps from number `from` on.
    pub fn since(&self, from: usize) -> Vec<Rc<Moment>> {
        self.moments.borrow().iter().skip(from).cloned().collect()
    }

    /// The stage of a host as it is now.
    pub fn stage(&self, world: &SimWorld) -> Rc<Stage> {
        self.build(world, None)
    }

    fn build(&self, world: &SimWorld, touched: Option<&[Subject]>) -> Rc<Stage> {
        let mut builders = self.builders.borrow_mut();
        builders.entry(world.host().name).or_default().build(world, touched)
    }
}

struct Watching {
    recorder: Rc<Recorder>,
    world: SimWorld,
}

impl Watcher for Watching {
    fn after(&self, step: &Step) {
        let stage = self.recorder.build(&self.world, Some(&step.story.on));
        self.recorder.moments.borrow_mut().push(Rc::new(Moment { step: step.clone(), stage }));
    }
}
