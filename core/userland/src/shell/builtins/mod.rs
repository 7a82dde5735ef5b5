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
use std::pin::Pin;

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
    let builtin: Pin<Box<dyn Future<Output = Run<i32>> + '_>> = match argv[0].as_str() {
        ":" | "true" => return Ok(0),
        "false" => return Ok(1),
        "." | "source" => Box::pin(flow::source(shell, args)),
        "break" => Box::pin(flow::leave_loop(shell, args, true)),
        "continue" => Box::pin(flow::leave_loop(shell, args, false)),
        "eval" => Box::pin(flow::eval(shell, args)),
        "exec" => Box::pin(flow::exec(shell, args)),
        "exit" => Box::pin(flow::exit(shell, args)),
        "return" => Box::pin(flow::return_(shell, args)),
        "builtin" | "command" => Box::pin(names::command(shell, argv)),
        "type" => Box::pin(names::type_(shell, args)),
        "hash" => Box::pin(names::hash(shell, args)),
        "alias" => Box::pin(names::alias(shell, args)),
        "unalias" => Box::pin(names::unalias(shell, args)),
        "help" => Box::pin(names::help(shell)),
        "history" => Box::pin(names::history(shell)),
        "export" | "readonly" | "declare" | "typeset" | "local" => Box::pin(variables::declare(shell, argv)),
        "unset" => Box::pin(variables::unset(shell, args)),
        "shift" => Box::pin(variables::shift(shell, args)),
        "getopts" => Box::pin(variables::getopts(shell, args)),
        "let" => Box::pin(variables::let_(shell, args)),
        "set" => Box::pin(options::set(shell, args)),
        "shopt" => Box::pin(options::shopt(shell, args)),
        "trap" => Box::pin(process::trap(shell, args)),
        "times" => Box::pin(process::times(shell)),
        "wait" => Box::pin(process::wait(shell, args)),
        "jobs" => Box::pin(process::jobs(shell, args)),
        "fg" => Box::pin(process::resume(shell, args, true)),
        "bg" => Box::pin(process::resume(shell, args, false)),
        "kill" => Box::pin(process::kill(shell, args)),
        "cd" | "chdir" => Box::pin(files::cd(shell, args)),
        "pwd" => Box::pin(files::pwd(shell, args)),
        "pushd" | "popd" | "dirs" => Box::pin(files::folders(shell, argv)),
        "umask" => Box::pin(files::umask(shell, args)),
        "ulimit" => Box::pin(files::ulimit(shell, args)),
        "echo" => Box::pin(async { Ok(output::echo(shell, args).await) }),
        "printf" => Box::pin(output::printf(shell, args)),
        "read" => Box::pin(input::read(shell, args)),
        "mapfile" | "readarray" => Box::pin(input::mapfile(shell, args)),
        _ => Box::pin(async { Ok(super::test::command(shell, argv).await) }),
    };
    builtin.await
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
