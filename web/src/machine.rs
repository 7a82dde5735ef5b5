//! The page's handle on a session of the simulated machine: slices of work, steps with their stages, lessons.

use cutaway_core::lesson::{Check, Lesson, Progress};
use cutaway_core::sim::annex::{Annex, Lessons};
use cutaway_core::sim::session::{Activity, Config, Session};
use cutaway_core::view::stage::Stage;
use cutaway_core::world::Step;
use std::rc::Rc;
use std::time::Duration;

/// Turns of the machine in one slice: a few milliseconds of the page's time.
const BUDGET: u64 = 6_000;

/// How the machine goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// There is more to do at once.
    Busy,
    /// Nothing happens for this long.
    Waits(Duration),
    /// Nothing happens until something is typed.
    Idle,
    /// Nothing happens until the annex is brought.
    Lacks,
}

pub struct Machine {
    session: Session,
    steps: Rc<Vec<Rc<Step>>>,
    /// After how many steps, one more than there are steps: the first is the empty machine.
    stages: Vec<Rc<Stage>>,
    /// Steps of a lesson's setup, which the timeline leaves out.
    skipped: usize,
    /// Printed and not shown yet.
    unread: Vec<u8>,
    /// Where lines were entered: steps and entries of the log before each.
    marks: Vec<(usize, usize)>,
}

impl Machine {
    /// A machine that has just been switched on, with its annex if that has come already.
    pub fn new(annex: Option<Annex>) -> Machine {
        Machine::of(Session::with_annex(Config { plain: true, ..Config::default() }, annex))
    }

    /// Tells programs how wide the terminal is.
    pub fn resize(&self, columns: u16) {
        self.session.resize(columns, Config::default().rows);
    }

    pub fn bring_annex(&self, annex: Annex) {
        self.session.bring_annex(annex);
    }

    fn of(session: Session) -> Machine {
        let stages = vec![session.stage()];
        Machine { session, steps: Rc::default(), stages, skipped: 0, unread: Vec::new(), marks: Vec::new() }
    }

    /// Makes the machine ready for a lesson. What that does is not part of the timeline.
    pub fn prepare(&mut self, lessons: Lessons, lesson: &Lesson) {
        // The prompt is there already; what the setup prints is not shown.
        while self.session.run(BUDGET) == Activity::Busy {}
        self.unread = self.session.take_output();
        // A setup that fails leaves the goals out of reach, which a test of each lesson rules out.
        let _ = (lessons.prepare)(&self.session, lesson);
        self.session.take_output();
        self.stages = vec![self.session.stage()];
        self.skipped = self.session.step_count();
    }

    /// Types at the terminal.
    pub fn input(&mut self, bytes: &[u8]) {
        self.marks.push((self.steps.len(), self.session.log().entries.len()));
        self.session.input(bytes);
    }

    /// Works for one slice; `elapsed` is how long ago the last one was.
    pub fn run(&mut self, elapsed: Duration) -> Pace {
        if !elapsed.is_zero() && !self.session.misses_annex() {
            self.session.tick(elapsed);
        }
        let activity = self.session.run(BUDGET);
        self.collect();
        if self.session.misses_annex() && activity != Activity::Busy {
            return Pace::Lacks;
        }
        match activity {
            Activity::Busy => Pace::Busy,
            Activity::Idle => Pace::Idle,
            Activity::Sleeping(until) => Pace::Waits(until.saturating_sub(self.session.now())),
        }
    }

    fn collect(&mut self) {
        let new = self.session.steps(self.skipped + self.steps.len());
        if new.is_empty() {
            return;
        }
        let steps = Rc::make_mut(&mut self.steps);
        for moment in new {
            steps.push(Rc::new(moment.step.clone()));
            self.stages.push(moment.stage.clone());
        }
    }

    /// Lets the clock jump to what is due next.
    pub fn skip(&mut self) {
        if let Some(time) = self.session.next_timer() {
            self.session.tick(time.saturating_sub(self.session.now()));
        }
    }

    pub fn take_output(&mut self) -> Vec<u8> {
        let mut output = std::mem::take(&mut self.unread);
        output.extend(self.session.take_output());
        output
    }

    pub fn at_prompt(&self) -> bool {
        self.session.at_prompt()
    }

    /// The line with its last word completed, if there is one way to go on.
    pub fn complete(&self, text: &str) -> Option<String> {
        self.session.complete(text)
    }

    pub fn steps(&self) -> Rc<Vec<Rc<Step>>> {
        Rc::clone(&self.steps)
    }

    /// The stage after `at` steps: after all of them, as it is now.
    pub fn stage_at(&self, at: usize) -> Rc<Stage> {
        if at >= self.steps.len() { self.session.stage() } else { Rc::clone(&self.stages[at]) }
    }

    /// Lives the session again up to the end of the line during which step `at` was made. Processes can't be
    /// copied, so this replays the inputs.
    pub fn go_back_to(&mut self, at: usize, annex: Option<Annex>) {
        let Some((_, entries)) = self.marks.iter().find(|(steps, _)| *steps >= at) else { return };
        let (entries, skipped, first) = (*entries, self.skipped, Rc::clone(&self.stages[0]));
        let marks = self.marks.iter().copied().filter(|(_, e)| *e < entries).collect();
        *self = Machine::of(Session::replay_with_annex(&self.session.log().prefix(entries), annex));
        (self.skipped, self.stages[0], self.marks) = (skipped, first, marks);
        self.collect();
    }

    pub fn grade(&self, lessons: Lessons, lesson: &Rc<Lesson>, lines: &[String]) -> Progress {
        (lessons.grade)(&self.session, lesson, lines)
    }

    pub fn holds(&self, lessons: Lessons, check: &Check, lines: &[String]) -> bool {
        (lessons.holds)(&self.session, check, lines)
    }
}
