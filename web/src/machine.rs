//! The page's handle on a session of the simulated machine.

use cutaway_core::lesson::{Check, Lesson, Progress};
use cutaway_core::view::stage::Stage;
use cutaway_core::world::Step;
use std::rc::Rc;
use std::time::Duration;

/// How the machine goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// There is more to do at once.
    Busy,
    /// Nothing happens for this long.
    Waits(Duration),
    /// Nothing happens until something is typed.
    Idle,
}

pub struct Machine {
    steps: Rc<Vec<Rc<Step>>>,
}

impl Machine {
    pub fn new() -> Machine {
        Machine { steps: Rc::default() }
    }
    pub fn prepare(&mut self, _lesson: &Lesson) {}
    pub fn input(&mut self, _bytes: &[u8]) {}
    pub fn run(&mut self, _elapsed: Duration) -> Pace {
        Pace::Idle
    }
    pub fn skip(&mut self) {}
    pub fn take_output(&mut self) -> Vec<u8> {
        b"root@cutaway:~# ".to_vec()
    }
    pub fn at_prompt(&self) -> bool {
        true
    }
    pub fn complete(&self, _text: &str) -> Option<String> {
        None
    }
    pub fn steps(&self) -> Rc<Vec<Rc<Step>>> {
        Rc::clone(&self.steps)
    }
    pub fn stage_at(&self, _at: usize) -> Rc<Stage> {
        Rc::default()
    }
    pub fn go_back_to(&mut self, _at: usize) {}
    pub fn grade(&self, lesson: &Lesson, _lines: &[String]) -> Progress {
        Progress { reached: vec![false; lesson.goals.len()], hint: None }
    }
    pub fn holds(&self, _check: &Check, _lines: &[String]) -> bool {
        false
    }
}
