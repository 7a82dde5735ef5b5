//! What is told of an act: the record that the terminal (`--explain`), the page's timeline and the tests read.

use crate::world::Fault;
use std::time::Duration;

/// A thing on the stage that an act touches; the page lights it up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", content = "id")]
pub enum Subject {
    Registry(String),
    Blob(String),
    Image(String),
    /// By chainID or diffID.
    Layer(String),
    Container(String),
    Volume(String),
    Network(String),
    Cgroup(String),
    Process(i32),
    Host,
}

/// An act as it is told to a person.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Story {
    /// The act's name in kebab case, as `mount-overlay`: stable, for tests, lessons and styles.
    pub act: String,
    /// One short sentence in the present tense: `Mount the layers as one file system`.
    pub what: String,
    pub on: Vec<Subject>,
    /// The system calls that do it on Linux, as strace would print them, without results.
    pub syscalls: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Done,
    Failed(String),
}

impl Outcome {
    pub fn of<T>(result: &Result<T, Fault>) -> Outcome {
        match result {
            Ok(_) => Outcome::Done,
            Err(fault) => Outcome::Failed(fault.to_string()),
        }
    }
}

/// One act of one command, done.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// Counts the steps of the whole session from 0.
    pub number: u64,
    /// Which command it belongs to (counted by the session), and its words.
    pub command: u64,
    pub line: String,
    pub story: Story,
    /// Why the engine did this, in one or two short sentences.
    pub why: String,
    pub outcome: Outcome,
    /// When it began, since the epoch, and how long it took, by the world's clock.
    pub at: Duration,
    pub took: Duration,
}
