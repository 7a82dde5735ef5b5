//! The annex of a machine: the commands and programs that few sessions begin with. A page loads it as a module
//! of its own, after the prompt is there; everywhere else it is there from the beginning.
//!
//! Nothing that a machine starts with may name what is in here, or the page's first module would carry it:
//! whoever needs a part asks `Place::get`, and waits until it has been brought.

use super::hosts::{self, Here, Host};
use super::kernel::SimOs;
use super::programs;
use super::session::Session;
use super::world::SimWorld;
use super::world::notify::Notify;
use crate::engine::context::{Target, Unreachable};
use crate::engine::{self, Group};
use crate::lesson::{self, Check, Lesson, LessonError, Progress};
use crate::world::LocalFut;
use cutaway_userland::{Errno, Program};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The course, and what a session does about a lesson.
#[derive(Clone, Copy)]
pub struct Lessons {
    pub course: fn(&str) -> Result<Vec<Rc<Lesson>>, LessonError>,
    pub prepare: fn(&Session, &Lesson) -> Result<(), Errno>,
    pub grade: fn(&Session, &Rc<Lesson>, &[String]) -> Progress,
    pub holds: fn(&Session, &Check, &[String]) -> bool,
}

/// What the annex holds.
#[derive(Clone)]
pub struct Annex {
    pub(crate) groups: Vec<Group<SimWorld>>,
    pub(crate) program: fn(&str) -> Option<Program<SimOs>>,
    /// `docker-machine`.
    pub(crate) machine: fn(Here, Vec<String>, Vec<(String, String)>) -> LocalFut<i32>,
    pub lessons: Lessons,
    /// How the docker client reaches the engine of another host.
    pub(crate) dial: fn(Here, Target) -> LocalFut<Result<Rc<Host>, Unreachable>>,
}

impl Annex {
    /// All of it. Whoever calls this has it.
    pub fn whole() -> Annex {
        Annex {
            groups: engine::further_groups(),
            program: programs::further,
            machine: |here, argv, env| Box::pin(hosts::machine::docker_machine(here, argv, env)),
            dial: |here, target| Box::pin(async move { hosts::dial(&here, &target).await }),
            lessons: Lessons {
                course: lesson::course,
                prepare: Session::prepare,
                grade: Session::grade,
                holds: Session::holds,
            },
        }
    }
}

/// Where a machine keeps its annex, once that has come.
#[derive(Default)]
pub(crate) struct Place {
    annex: RefCell<Option<Rc<Annex>>>,
    missed: Cell<bool>,
    came: Notify,
}

impl Place {
    pub fn bring(&self, annex: Annex) {
        *self.annex.borrow_mut() = Some(Rc::new(annex));
        self.missed.set(false);
        self.came.ring();
    }

    /// The annex, as soon as it is there.
    pub async fn get(&self) -> Rc<Annex> {
        let look = || {
            let found = self.annex.borrow().clone();
            self.missed.set(found.is_none());
            found
        };
        self.came.until(look).await
    }

    /// Whether somebody waits, or has waited, for an annex that is not there.
    pub fn is_missed(&self) -> bool {
        self.missed.get()
    }
}
