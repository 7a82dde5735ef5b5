//! What Docker prints instead of running a command: help, versions, and errors of usage.

use super::surface::Definition;
use crate::world::Stream;

/// A line that is answered without the engine: print `text` to `stream` and end with `status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// With its last newline.
    pub text: String,
    /// `Out` for help that was asked for, `Err` for errors.
    pub stream: Stream,
    pub status: i32,
}

/// The status of Docker's errors in flags, and of Compose's.
const FLAG_STATUS: i32 = 125;
const COMPOSE_SYNTAX_STATUS: i32 = 1;

impl Usage {
    pub(super) fn out(text: String) -> Usage {
        Usage { text, stream: Stream::Out, status: 0 }
    }

    /// The help of a group whose command is missing. Docker itself tells it on standard error, its plugins do not.
    pub(super) fn unasked(group: &Definition, help: String) -> Usage {
        // One of them begins a line below.
        let text = if group.name == "manifest" { format!("\n{help}") } else { help };
        Usage { stream: if group.is_of_plugin() { Stream::Out } else { Stream::Err }, ..Usage::out(text) }
    }

    pub(super) fn error(text: String, status: i32) -> Usage {
        Usage { text: text + "\n", stream: Stream::Err, status }
    }

    /// A flag that is not there, or a value it can't take.
    pub(super) fn flag(definition: &Definition, path: &str, problem: &str) -> Usage {
        if definition.name.starts_with("compose") {
            return Usage::error(problem.to_string(), COMPOSE_SYNTAX_STATUS);
        }
        let shown = definition.shown_as(path);
        let usage = match definition.name {
            "docker" => "docker [OPTIONS] COMMAND [ARG...]".to_string(),
            _ if definition.group && definition.shown.is_empty() => group_usage(definition, path),
            _ => definition.usage_line(path),
        };
        Usage::error(format!("{problem}\n\nUsage:  {usage}\n\nRun '{shown} --help' for more information"), FLAG_STATUS)
    }

    /// A word that is no command of a group. `help` is the group's help, which the plugins print first.
    pub(super) fn unknown_command(group: &Definition, path: &str, word: &str, help: &str) -> Usage {
        let shown = group.shown_as(path);
        match group.name {
            "docker" => Usage::error(
                format!("docker: unknown command: docker {word}\n\nRun 'docker --help' for more information"),
                1,
            ),
            name if name.starts_with("compose") => {
                Usage::error(format!("{help}\nunknown docker command: \"{} {word}\"", name), COMPOSE_SYNTAX_STATUS)
            }
            _ if shown.starts_with("docker buildx") => {
                Usage::error(format!("{help}\nERROR: unknown command: \"{word}\""), 1)
            }
            _ => Usage::error(
                format!(
                    "docker: unknown command: {shown} {word}\n\nUsage:  {}\n\nRun '{shown} --help' for more \
                     information",
                    group_usage(group, path)
                ),
                1,
            ),
        }
    }

    /// Too many or too few positional words.
    pub(super) fn count(definition: &Definition, path: &str, given: usize) -> Usage {
        let (least, most) = (definition.least, definition.most);
        if definition.name.starts_with("compose") || definition.name == "context use" {
            return Usage::error(plain_count(definition, path, given), 1);
        }
        // The letter too many before the last line is Docker's.
        let noun = |n: usize| if n == 1 { "argument" } else { "arguments" };
        let (what, verb) = match (least, most) {
            (0, Some(0)) => ("accepts no arguments".to_string(), "Run"),
            (least, Some(most)) if least == most => (format!("requires {least} {}", noun(least)), "Run"),
            (0, Some(most)) => (format!("requires at most {most} {}", noun(most)), "SRun"),
            (least, Some(most)) => (format!("requires at least {least} and at most {most} {}", noun(most)), "Run"),
            (least, None) => (format!("requires at least {least} {}", noun(least)), "See"),
        };
        let shown = definition.shown_as(path);
        let usage = definition.usage_line(path);
        // buildx is a program of its own, which frames its errors like this.
        let frame = if shown.starts_with("docker buildx") { "ERROR: " } else { "" };
        Usage::error(
            format!(
                "{frame}docker: '{shown}' {what}\n\nUsage:  {usage}\n\n{verb} '{shown} --help' for more information"
            ),
            1,
        )
    }
}

/// The usage line of one of Docker's own groups: two of them tell that a command has to follow.
fn group_usage(group: &Definition, path: &str) -> String {
    if matches!(group.name, "manifest" | "volume") { group.usage_line(path) } else { group.shown_as(path) }
}

/// Compose, and one command of Docker, leave these errors in the words of their library.
fn plain_count(definition: &Definition, path: &str, given: usize) -> String {
    match (definition.least, definition.most) {
        (0, Some(0)) => format!("unknown command for \"{}\"", definition.shown_as(path)),
        (least, Some(most)) if least == most => format!("accepts {least} arg(s), received {given}"),
        (0, Some(most)) => format!("accepts at most {most} arg(s), received {given}"),
        (least, Some(most)) => format!("accepts between {least} and {most} arg(s), received {given}"),
        (least, None) => format!("requires at least {least} arg(s), only received {given}"),
    }
}
