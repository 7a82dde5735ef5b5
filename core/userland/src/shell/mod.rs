//! The shell: POSIX sh with what people know of bash, speaking as busybox's ash does.
//!
//! `parse` reads a script into `syntax`; `run` walks it; `expand` and its neighbours make words of it;
//! `jobs` are the children; `builtins` the commands that must run in the shell itself; `edit` the
//! line editor of the prompt. All state is in [`Shell`], which is plain data and is cloned for a
//! subshell: nothing is static, since many shells run in one simulated machine.

mod arith;
mod brace;
mod builtins;
mod complete;
mod edit;
mod escape;
mod expand;
mod glob;
mod interactive;
mod jobs;
mod parameter;
mod parse;
mod pattern;
mod prompt;
mod redirect;
mod run;
mod simple;
mod start;
mod syntax;
mod test;
mod variables;

pub use complete::{Completer, NoCompleter};
pub use interactive::{Session, interactive};

use crate::io;
use crate::os::{Fd, Os, Pid, Program};
use crate::sorted::Map as BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use syntax::Command;
use variables::Variables;

/// The names that the shell is called by.
pub const NAMES: [&str; 3] = ["ash", "bash", "sh"];

/// The shell, where `name` is one of its names.
pub fn find<O: Os>(name: &str) -> Option<Program<O>> {
    NAMES.contains(&name).then_some(|os, argv, env| Box::pin(start::main(os, argv, env)))
}

/// A future that may borrow the shell; boxed, because commands contain commands.
type Fut<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Why the commands that follow are not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// `break` and `continue`, with how many loops they still have to leave.
    Break(usize),
    Continue(usize),
    /// `return`, with the status.
    Return(i32),
    Exit(i32),
    /// An error that ends a script, and only the current line at a prompt. It has been told already.
    Fail(i32),
    /// `^C` at a prompt.
    Interrupt,
}

type Run<T> = Result<T, Flow>;

/// The options of `set`.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub errexit: bool,
    pub nounset: bool,
    pub xtrace: bool,
    pub noglob: bool,
    pub noexec: bool,
    pub verbose: bool,
    pub noclobber: bool,
    pub allexport: bool,
    pub pipefail: bool,
    pub monitor: bool,
    pub notify: bool,
    pub ignoreeof: bool,
    /// `{a,b}` and `{1..3}`: bash has them, ash does not.
    pub braceexpand: bool,
    pub extglob: bool,
    pub nullglob: bool,
    pub dotglob: bool,
    pub nocasematch: bool,
}

/// Where `getopts` is within a word.
#[derive(Clone, Debug, Default)]
struct GetoptsState {
    index: i64,
    within: usize,
}

/// One shell: all that a script can see or change.
#[derive(Clone)]
pub struct Shell<O: Os> {
    os: O,
    /// The name in messages and `$0`.
    name: String,
    /// The builtin or script that messages name besides.
    speaker: Option<String>,
    args: Vec<String>,
    /// `$?`.
    status: i32,
    /// `$$`: of the first shell, in all its subshells.
    pid: Pid,
    last_background: Option<Pid>,
    variables: Variables,
    functions: BTreeMap<String, Rc<Command>>,
    aliases: BTreeMap<String, String>,
    options: Options,
    /// What to do on a signal (0 is the exit); empty is to ignore it.
    traps: BTreeMap<u8, String>,
    /// Signals that were ignored when the shell began, which stay so.
    ignored: Vec<u8>,
    jobs: jobs::Jobs,
    getopts: GetoptsState,
    /// Folders of `pushd`.
    folders: Vec<String>,
    /// At a prompt, with a terminal.
    interactive: bool,
    /// Reading from a `-c` or a file, so messages tell the line.
    line: usize,
    loops: usize,
    calls: usize,
    sources: usize,
    /// The names of the functions that run, the innermost last.
    call_names: Vec<String>,
    /// Above zero where a failure is being tested and `set -e` must not act.
    tested: usize,
    /// Copies of descriptors that redirections put aside; a child has no use for them.
    saved: Vec<Fd>,
    /// Children of process substitutions and their ends of pipes, until the command is over.
    substitutions: Vec<Fd>,
    /// What the last command substitution ended with, for `x=$(false)`.
    substituted: Option<i32>,
    started: std::time::Duration,
    random: u32,
    /// `$-` has an `s` or a `c` in it.
    source_flag: Option<char>,
    bash: bool,
    history: Vec<String>,
}

impl<O: Os> Shell<O> {
    /// Tells of an error in ash's form: who speaks, in which line, what.
    async fn complain(&self, message: &str) {
        let mut text = format!("{}: ", self.name);
        if self.bash {
            if !self.interactive || self.sources > 0 {
                text.push_str(&format!("line {}: ", self.line));
            }
            if let Some(speaker) = self.speaker.as_ref().filter(|speaker| **speaker != self.name) {
                text.push_str(&format!("{speaker}: "));
            }
        } else if let Some(speaker) = &self.speaker {
            if *speaker != self.name {
                text.push_str(&format!("{speaker}: "));
            }
            if !self.interactive || self.sources > 0 {
                text.push_str(&format!("line {}: ", self.line));
            }
        }
        text.push_str(message);
        io::eprint(&self.os, &text).await;
    }

    /// As [`Shell::complain`], and ends the script with this status.
    async fn fail<T>(&mut self, message: &str, status: i32) -> Run<T> {
        self.complain(message).await;
        self.status = status;
        Err(Flow::Fail(status))
    }

    /// Sets a variable, or fails because it is read-only.
    async fn assign(&mut self, name: &str, value: impl Into<String>) -> Run<()> {
        if let Err(variables::ReadOnly(name)) = self.variables.set(name, value) {
            return self.fail(&format!("{name}: is read only"), 2).await;
        }
        if self.options.allexport {
            self.variables.entry(name).exported = true;
        }
        if name == "OPTIND" {
            self.getopts = GetoptsState::default();
        }
        Ok(())
    }

    async fn print(&self, text: &str) -> i32 {
        self.print_bytes(text.as_bytes()).await
    }

    /// Writes to standard output: the status of the builtin that does.
    async fn print_bytes(&self, bytes: &[u8]) -> i32 {
        match io::write_all(&self.os, io::STDOUT, bytes).await {
            Ok(()) => 0,
            Err(error) => {
                self.complain(&format!("write error: {error}")).await;
                1
            }
        }
    }

    /// How a text is to be read now.
    fn manner(&self, line: usize, last: bool) -> parse::Manner {
        parse::Manner { aliases: self.aliases.clone(), extended_globs: self.options.extglob, line, last }
    }
}
