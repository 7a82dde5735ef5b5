//! The commands that must run in the shell itself, or do for speed, and which is which.

mod files;
mod flow;
mod input;
mod names;
mod options;
mod output;
mod process;
mod variables;

pub use options::{set_named_option, set_option};

use super::{Run, Shell};
use crate::os::Os;

/// Builtins whose errors end a script, and whose assignments stay. Source: POSIX, XCU 2.14.
const SPECIAL: &[&str] = &[
    ".", ":", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set", "shift", "source",
    "times", "trap", "unset", "local",
];
const ORDINARY: &[&str] = &[
    "[",
    "alias",
    "bg",
    "builtin",
    "cd",
    "chdir",
    "command",
    "declare",
    "dirs",
    "echo",
    "false",
    "fg",
    "getopts",
    "hash",
    "help",
    "history",
    "jobs",
    "kill",
    "let",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "shopt",
    "test",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "wait",
];

pub fn is_special(name: &str) -> bool {
    SPECIAL.contains(&name)
}

pub fn exists(name: &str) -> bool {
    is_special(name) || ORDINARY.contains(&name)
}

/// The names of all builtins.
pub fn names() -> impl Iterator<Item = &'static str> {
    SPECIAL.iter().chain(ORDINARY).copied()
}

/// Builtins whose words may be assignments.
pub fn declares(name: &str) -> bool {
    matches!(name, "declare" | "typeset" | "local" | "export" | "readonly")
}

/// Runs the builtin that the first word names: its exit status.
pub async fn run<O: Os>(shell: &mut Shell<O>, argv: &[String]) -> Run<i32> {
    let args = &argv[1..];
    match argv[0].as_str() {
        ":" | "true" => Ok(0),
        "false" => Ok(1),
        "." | "source" => flow::source(shell, args).await,
        "break" => flow::leave_loop(shell, args, true).await,
        "continue" => flow::leave_loop(shell, args, false).await,
        "eval" => flow::eval(shell, args).await,
        "exec" => flow::exec(shell, args).await,
        "exit" => flow::exit(shell, args).await,
        "return" => flow::return_(shell, args).await,
        "builtin" | "command" => names::command(shell, argv).await,
        "type" => names::type_(shell, args).await,
        "hash" => names::hash(shell, args).await,
        "alias" => names::alias(shell, args).await,
        "unalias" => names::unalias(shell, args).await,
        "help" => names::help(shell).await,
        "history" => names::history(shell).await,
        "export" | "readonly" | "declare" | "typeset" | "local" => variables::declare(shell, argv).await,
        "unset" => variables::unset(shell, args).await,
        "shift" => variables::shift(shell, args).await,
        "getopts" => variables::getopts(shell, args).await,
        "let" => variables::let_(shell, args).await,
        "set" => options::set(shell, args).await,
        "shopt" => options::shopt(shell, args).await,
        "trap" => process::trap(shell, args).await,
        "times" => process::times(shell).await,
        "wait" => process::wait(shell, args).await,
        "jobs" => process::jobs(shell, args).await,
        "fg" => process::resume(shell, args, true).await,
        "bg" => process::resume(shell, args, false).await,
        "kill" => process::kill(shell, args).await,
        "cd" | "chdir" => files::cd(shell, args).await,
        "pwd" => files::pwd(shell, args).await,
        "pushd" | "popd" | "dirs" => files::folders(shell, argv).await,
        "umask" => files::umask(shell, args).await,
        "ulimit" => files::ulimit(shell, args).await,
        "echo" => Ok(output::echo(shell, args).await),
        "printf" => output::printf(shell, args).await,
        "read" => input::read(shell, args).await,
        "mapfile" | "readarray" => input::mapfile(shell, args).await,
        _ => Ok(super::test::command(shell, argv).await),
    }
}

/// Reads the letters of options; those followed by `:` in `letters` have a value. Gives what was set,
/// and the words after it.
async fn letters<'a, O: Os>(
    shell: &mut Shell<O>,
    args: &'a [String],
    letters: &str,
) -> Run<(Vec<(char, String)>, &'a [String])> {
    let mut found = Vec::new();
    let mut i = 0;
    while let Some(word) = args.get(i).filter(|w| w.len() > 1 && w.starts_with('-')) {
        i += 1;
        if word == "--" {
            break;
        }
        let mut chars = word[1..].chars();
        while let Some(letter) = chars.next() {
            let at = letters.find(letter).filter(|_| letter != ':');
            let Some(at) = at else {
                return shell.fail(&format!("illegal option -{letter}"), 2).await;
            };
            let mut value = String::new();
            if letters[at + 1..].starts_with(':') {
                value = chars.as_str().to_string();
                chars = "".chars();
                if value.is_empty() {
                    let Some(next) = args.get(i) else {
                        return shell.fail(&format!("no arg for -{letter} option"), 2).await;
                    };
                    value = next.clone();
                    i += 1;
                }
            }
            found.push((letter, value));
        }
    }
    Ok((found, &args[i..]))
}

/// A number that is a status or a count, or the complaint that it is none.
async fn number<O: Os>(shell: &mut Shell<O>, text: &str) -> Run<i32> {
    match text.parse::<i32>() {
        Ok(number) if number >= 0 => Ok(number),
        _ => shell.fail(&format!("Illegal number: {text}"), 2).await,
    }
}
