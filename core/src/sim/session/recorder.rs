//! The watcher that keeps each step of a session with the stage as it was after it: looking back is looking
//! at an earlier stage.

use super::stage::StageBuilder;
use crate::sim::world::SimWorld;
use crate::view::stage::Stage;
use crate::world::{Step, Watcher};
use std::cell::RefCell;
use std::rc::Rc;

/// One step, and what there was after it.
#[derive(Clone, Debug)]
pub struct Moment {
    pub step: Step,
    pub stage: Rc<Stage>,
}

pub struct Recorder {
    world: SimWorld,
    builder: RefCell<StageBuilder>,
    moments: RefCell<Vec<Rc<Moment>>>,
}

impl Recorder {
    pub fn new(world: SimWorld) -> Recorder {
        Recorder { world, builder: RefCell::default(), moments: RefCell::default() }
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.moments.borrow().len()
    }

    /// The steps from number `from` on.
    pub fn since(&self, from: usize) -> Vec<Rc<Moment>> {
        self.moments.borrow().iter().skip(from).cloned().collect()
    }

    /// The stage as it is now.
    pub fn stage(&self) -> Rc<Stage> {
        self.builder.borrow_mut().build(&self.world, None)
    }
}

impl Watcher for Recorder {
    fn after(&self, step: &Step) {
        let stage = self.builder.borrow_mut().build(&self.world, Some(&step.story.on));
        self.moments.borrow_mut().push(Rc::new(Moment { step: step.clone(), stage }));
    }
}
