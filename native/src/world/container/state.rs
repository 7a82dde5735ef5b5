//! What other processes need to know of a running container: small files in the runtime folder.
//!
//! `state.json` says which process it is, `exit.json` how it ended, `attach` is the socket to its streams.
//! A process id alone may have been given to another process since; its start time tells them apart.

use crate::world::clock;
use crate::world::unfinished::{is_alive, own_mark};
use cutaway_core::world::Exit;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    pub pid: i32,
    /// In clock ticks since the machine started.
    pub started: u64,
    pub supervisor: i32,
    pub tty: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredExit {
    code: i32,
    oom_killed: bool,
    at: Duration,
}

pub fn folder(runtime: &Path, id: &str) -> PathBuf {
    runtime.join("containers").join(id)
}

pub fn read(runtime: &Path, id: &str) -> Option<State> {
    serde_json::from_slice(&fs::read(folder(runtime, id).join("state.json")).ok()?).ok()
}

pub fn write(runtime: &Path, id: &str, state: &State) -> std::io::Result<()> {
    let folder = folder(runtime, id);
    fs::create_dir_all(&folder)?;
    let _ = fs::remove_file(folder.join("exit.json"));
    crate::world::records::replace_file(&folder.join("state.json"), &serde_json::to_vec(state)?)
}

pub fn write_exit(runtime: &Path, id: &str, exit: &Exit) -> std::io::Result<()> {
    let stored = StoredExit { code: exit.code, oom_killed: exit.oom_killed, at: exit.at };
    let path = folder(runtime, id).join("exit.json");
    crate::world::records::replace_file(&path, &serde_json::to_vec(&stored)?)
}

pub fn read_exit(runtime: &Path, id: &str) -> Option<Exit> {
    let stored: StoredExit = serde_json::from_slice(&fs::read(folder(runtime, id).join("exit.json")).ok()?).ok()?;
    Some(Exit { code: stored.code, oom_killed: stored.oom_killed, at: stored.at })
}

pub fn forget(runtime: &Path, id: &str) {
    let _ = fs::remove_dir_all(folder(runtime, id));
}

/// Notes that this process looks after a container: also between two runs of it, until this process ends.
pub fn write_supervisor(runtime: &Path, id: &str) -> std::io::Result<()> {
    let folder = runtime.join("supervisors");
    fs::create_dir_all(&folder)?;
    crate::world::records::replace_file(&folder.join(id), own_mark().as_bytes())
}

/// Whether a process that looks after the container is alive.
pub fn is_supervised(runtime: &Path, id: &str) -> bool {
    is_alive(&fs::read_to_string(runtime.join("supervisors").join(id)).unwrap_or_default())
}

pub fn forget_supervisor(runtime: &Path, id: &str) {
    let _ = fs::remove_file(runtime.join("supervisors").join(id));
}

/// The fields of `/proc/PID/stat` after the name: state, parent, …; as numbered in proc(5), less 3.
pub fn stat_fields(pid: i32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.split_whitespace().map(str::to_string).collect())
}

/// When a process started, unless it has ended (a zombie has).
pub fn start_of(pid: i32) -> Option<u64> {
    let fields = stat_fields(pid)?;
    if matches!(fields.first().map(String::as_str), Some("Z" | "X")) {
        return None;
    }
    fields.get(19)?.parse().ok()
}

impl State {
    pub fn of(pid: i32, tty: bool) -> State {
        State { pid, started: start_of(pid).unwrap_or(0), supervisor: std::process::id() as i32, tty }
    }

    pub fn alive(&self) -> bool {
        start_of(self.pid) == Some(self.started)
    }
}

/// How a process that `waitpid` told of ended.
pub fn exit_of(status: i32, oom_killed: bool) -> Exit {
    let code = if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) };
    Exit { code, oom_killed, at: clock::now() }
}
