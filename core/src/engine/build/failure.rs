//! Why a build failed, and where in the Dockerfile.

use super::board::Board;
use crate::dockerfile::{ParseError, excerpt};
use crate::engine::Error;
use crate::engine::build::context::Source;
use crate::world::{Fault, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Before solving began.
    Plain,
    Solve,
    /// Given up because something else failed, or because the person had enough.
    Canceled,
}

#[derive(Clone, Debug)]
pub struct Failure {
    message: String,
    kind: Kind,
    /// The lines it is about, and how they are shown.
    lines: Option<(usize, usize)>,
    excerpt: String,
}

impl Failure {
    /// Before solving began.
    pub fn plain(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), kind: Kind::Plain, lines: None, excerpt: String::new() }
    }

    pub fn solve(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), kind: Kind::Solve, lines: None, excerpt: String::new() }
    }

    pub fn canceled() -> Failure {
        Failure {
            message: "Canceled: context canceled".into(),
            kind: Kind::Canceled,
            lines: None,
            excerpt: String::new(),
        }
    }

    pub fn parse(error: &ParseError, source: &Source) -> Failure {
        Failure::solve(error.to_string()).at(source, error.line, error.last_line)
    }

    /// With the lines it is about, unless it has some already.
    #[must_use]
    pub fn at(mut self, source: &Source, first: usize, last: usize) -> Failure {
        if self.excerpt.is_empty() && first > 0 && self.kind == Kind::Solve {
            self.excerpt = excerpt(&source.name, &source.text, first, last);
            self.lines = Some((first, last));
        }
        self
    }

    /// The lines of the Dockerfile that it is about.
    pub fn lines(&self) -> Option<(usize, usize)> {
        self.lines
    }

    /// The lines it is about, as shown.
    pub fn excerpt(&self) -> &str {
        &self.excerpt
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the Dockerfile, or what it asks for, was at fault: solving had begun.
    pub fn is_solving(&self) -> bool {
        self.kind == Kind::Solve
    }

    pub fn is_canceled(&self) -> bool {
        self.kind == Kind::Canceled
    }

    /// What the command ends with.
    pub fn status(&self) -> i32 {
        if self.is_canceled() { 130 } else { 1 }
    }

    /// All that is told of it.
    pub fn text<W: World>(&self, board: &Board<'_, W>) -> String {
        self.text_after(board, "failed to build: ")
    }

    /// As Compose tells it, after its board: what the builder said, each line of it with its end.
    pub fn text_in_compose(&self, lead: &str) -> String {
        let lead = if self.kind == Kind::Plain { "" } else { lead };
        let solve = if self.kind == Kind::Plain { "" } else { "failed to solve: " };
        let excerpt = if self.kind == Kind::Solve { self.excerpt.as_str() } else { "" };
        let told = format!("{excerpt}{lead}{solve}{}\n", self.message);
        let lines: Vec<&str> = told.split_inclusive('\n').collect();
        lines.join("\n")
    }

    /// The same, with what comes before the reason.
    pub fn text_after<W: World>(&self, board: &Board<'_, W>, lead: &str) -> String {
        match self.kind {
            Kind::Plain => format!("ERROR: {}\n", self.message),
            Kind::Canceled => {
                format!("{}ERROR: {lead}failed to solve: {}\n", board.warning_summary(), self.message)
            }
            Kind::Solve => format!(
                "{}{}{}ERROR: {lead}failed to solve: {}\n",
                board.failure_block(),
                board.warning_summary(),
                self.excerpt,
                self.message
            ),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::solve(fault.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::Daemon(text) | Error::Client(text) | Error::Start { message: text, .. } => Failure::solve(text),
            Error::Status(status) => Failure::solve(format!("exit code: {status}")),
        }
    }
}
