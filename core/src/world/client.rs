//! The side of the person who typed the command: standard streams, environment and their files.
//!
//! An engine command reaches them only through this, because with a daemon or in the simulator they are
//! another process's. Objects of this trait are passed as `Rc<dyn Client>`.

use crate::world::{Fault, LocalFut};
use cutaway_userland::os::{FileKind, Signal, WindowSize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    In,
    Out,
    Err,
}

/// What is told of a file of the client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    pub kind: FileKind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    /// Seconds since the epoch.
    pub mtime: u64,
    /// Where a symbolic link points.
    pub target: Option<String>,
}

/// What came of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Why it was no success, as `exit status 1`.
    pub failure: Option<String>,
    /// What it printed.
    pub out: Vec<u8>,
}

/// Paths are relative to [`Client::cwd`] or absolute. Links are followed by `read_file`, not by `facts`.
pub trait Client {
    /// Writes all of it. The reader being gone is not an error here; see [`Client::broken`].
    fn write(&self, to: Stream, bytes: &[u8]) -> LocalFut<()>;
    /// Whether the reader of standard output has gone away, so that the command may as well stop.
    fn broken(&self) -> bool;
    /// Some bytes of standard input; empty at its end.
    fn read(&self, max: usize) -> LocalFut<Result<Vec<u8>, Fault>>;
    fn is_tty(&self, stream: Stream) -> bool;
    fn window_size(&self) -> Option<WindowSize>;
    /// Turns line editing and echo of the client's terminal off and on.
    fn set_raw(&self, raw: bool);
    /// The next signal sent to the command (`INT`, `TERM`, `HUP`, `QUIT`, `WINCH`, ...). Until this is first
    /// called, signals do what they do by default.
    fn signal(&self) -> LocalFut<Signal>;
    fn env(&self, name: &str) -> Option<String>;
    /// All variables of the environment.
    fn environment(&self) -> Vec<(String, String)>;
    fn cwd(&self) -> String;
    /// Where the user keeps settings of the command line: `$DOCKER_CONFIG`, or `.docker` in the home folder.
    fn config_folder(&self) -> String {
        let set = |name: &str| self.env(name).filter(|value| !value.is_empty());
        set("DOCKER_CONFIG").unwrap_or_else(|| format!("{}/.docker", set("HOME").unwrap_or_default()))
    }
    /// Runs a program of the client's own machine with `input` on its standard input.
    fn run_program(&self, name: &str, _words: &[&str], _input: &[u8]) -> LocalFut<Ran> {
        let failure = Some(format!("exec: {name:?}: executable file not found in $PATH"));
        Box::pin(std::future::ready(Ran { failure, out: Vec::new() }))
    }
    /// The user who runs the command.
    fn uid(&self) -> u32;

    fn read_file(&self, path: &str) -> LocalFut<Result<Vec<u8>, Fault>>;
    /// Creates or replaces a file, by a temporary one renamed into place where it can.
    fn write_file(&self, path: &str, bytes: &[u8], mode: u32) -> LocalFut<Result<(), Fault>>;
    fn append_file(&self, path: &str, bytes: &[u8]) -> LocalFut<Result<(), Fault>>;
    fn make_directory(&self, path: &str, mode: u32) -> LocalFut<Result<(), Fault>>;
    fn make_symlink(&self, target: &str, path: &str) -> LocalFut<Result<(), Fault>>;
    fn remove_file(&self, path: &str) -> LocalFut<Result<(), Fault>>;
    /// Removes an empty folder.
    fn remove_directory(&self, path: &str) -> LocalFut<Result<(), Fault>>;
    /// The names in a folder, sorted, without `.` and `..`.
    fn read_directory(&self, path: &str) -> LocalFut<Result<Vec<String>, Fault>>;
    /// `None` where there is nothing.
    fn facts(&self, path: &str) -> LocalFut<Result<Option<FileFacts>, Fault>>;
}
