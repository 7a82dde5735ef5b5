//! How a command fails, and how Docker's client words it.

use crate::container::spec::SpecError;
use crate::world::Fault;

pub type Result<T> = std::result::Result<T, Error>;

/// Why a command failed, in Docker's words without their frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The engine refused: shown after `Error response from daemon: `.
    Daemon(String),
    /// The client refused before it asked the engine: shown as it is.
    Client(String),
    /// The container could not be started, shown as `Daemon`; `status` is that of `docker run`: 127 (no such
    /// program), 126 (not executable), else 125.
    Start { message: String, status: i32 },
    /// Everything has been said; only the exit status is left.
    Status(i32),
}

impl Error {
    /// What is printed on standard error, without the last newline; `typed` is the command as `docker run`.
    pub fn render(&self, typed: &str) -> String {
        let body = match self {
            Error::Daemon(text) | Error::Start { message: text, .. } => format!("Error response from daemon: {text}"),
            Error::Client(text) => text.clone(),
            Error::Status(_) => return String::new(),
        };
        // However it was typed, these two name themselves shortly.
        let words = typed.strip_prefix("docker container ").or_else(|| typed.strip_prefix("docker "));
        match words {
            Some("create") if matches!(self, Error::Daemon(_)) => body,
            Some(name @ ("run" | "create")) => {
                format!("docker: {body}\n\nRun 'docker {name} --help' for more information")
            }
            _ => body,
        }
    }

    /// The exit status; `command` is the canonical command, as `container run`.
    pub fn status(&self, command: &str) -> i32 {
        match self {
            Error::Status(status) => *status,
            Error::Start { status, .. } if command == "container run" => *status,
            _ if command == "container run" => 125,
            Error::Client(_) if command == "container create" => 125,
            _ => 1,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        Error::Daemon(fault.to_string())
    }
}

impl From<SpecError> for Error {
    fn from(error: SpecError) -> Error {
        match error {
            SpecError::Flag { value, flag, reason } => {
                Error::Client(format!("invalid argument {value:?} for {flag:?} flag: {reason}"))
            }
            SpecError::Client(text) => Error::Client(text),
            SpecError::Daemon(text) => Error::Daemon(text),
        }
    }
}
