//! The grammar of the docker and compose command lines: words in, a command with its flags out.
//!
//! clap holds the commands and parses; help, usage errors and exit statuses are rendered in Docker's form
//! from the same definitions. Nothing here knows what a command does.

mod args;

pub use args::{Args, Invocation};
