//! Lessons: reading them, and telling whether a learner has reached their goals.
//!
//! A lesson is a folder of plain files: `lesson.toml` (what is set up, what solves it, what is checked),
//! one text a language, and `wrong.toml` (attempts that must fail, each with its hint). A check is one of a
//! small closed set of predicates over [`StateView`], which both worlds answer, so that the same lesson is
//! graded by the same rule in the page and on Linux. No lesson contains code.

mod check;
mod course;
mod format;
mod state;
mod text;
mod toml;
mod world_view;

pub use check::{Check, Progress, grade};
pub use course::course;
pub use format::{Attempt, Choice, Goal, Lesson, LessonError, Mistake, Prediction};
pub use state::{ContainerFacts, ImageFacts, NetworkFacts, StateView, VolumeFacts};
pub use text::{Section, Text};
pub use world_view::{Surroundings, WorldView};
