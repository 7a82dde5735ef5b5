//! The grammar of the docker and compose command lines: words in, a command with its flags out.
//!
//! One table, `docker.txt`, holds every command with its flags. clap parses from it; help, usage errors
//! and exit statuses are rendered from it in Docker's form. Nothing here knows what a command does.

mod args;
mod complete;
mod help;
mod parse;
mod support;
mod surface;
mod usage;
mod values;

pub use args::{Args, Invocation};
pub use complete::complete;
pub use parse::parse;
pub use support::{Support, document, support};
pub use surface::{commands, help_line};
pub use usage::Usage;

/// The version of Docker's command line that this grammar is of, as `docker --version` tells it.
pub const DOCKER_VERSION: &str = "28.5.2";
/// Of the Docker Engine API whose answers the formats follow.
pub const API_VERSION: &str = "1.51";
/// Of Compose.
pub const COMPOSE_VERSION: &str = "2.40.3";
/// Of buildx.
pub const BUILDX_VERSION: &str = "0.29.1";

#[cfg(test)]
mod tests;
