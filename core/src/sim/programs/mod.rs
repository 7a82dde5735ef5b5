//! The programs of the hub's images that are more than the userland's tools: small servers that really serve,
//! over the same system calls as everything else. Each is compiled in, and an image's file names it.

mod calendar;
pub mod http;
pub mod names;
mod nginx;
mod python;
mod redis;
mod registry;
pub mod serve;
mod small;

use super::annex::Place;
use super::hosts;
use super::kernel::{Machine, Runner, SimOs};
use crate::cli;
use cutaway_userland::os::Os;
use cutaway_userland::shell::{self, Completer};
use cutaway_userland::{Errno, Program, io};
use std::rc::Rc;

pub use nginx::VERSION as NGINX_VERSION;
pub use python::VERSION as PYTHON_VERSION;
pub use redis::VERSION as REDIS_VERSION;

/// The search path of a program without one in its environment.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The names that the files of these programs carry.
const NAMES: [&str; 11] = [
    "busybox",
    "docker-init",
    "docker-registry",
    "dockerd",
    "hello",
    "nginx",
    "packages",
    "python3",
    "redis-cli",
    "redis-server",
    "sshd",
];

/// The program of this name, if a machine has it from the beginning.
fn first(name: &str) -> Option<Program<SimOs>> {
    Some(match name {
        "docker-init" => small::init::<SimOs>,
        "hello" => small::hello::<SimOs>,
        "packages" => small::packages::<SimOs>,
        tool => return cutaway_userland::first_program(tool),
    })
}

/// The program of this name, if it is of the annex.
pub(super) fn further(name: &str) -> Option<Program<SimOs>> {
    Some(match name {
        "docker-registry" => registry::docker_registry::<SimOs>,
        "dockerd" => hosts::daemon::dockerd::<SimOs>,
        "nginx" => nginx::nginx::<SimOs>,
        "python3" => python::python::<SimOs>,
        "redis-cli" => redis::redis_cli::<SimOs>,
        "redis-server" => redis::redis_server::<SimOs>,
        "sshd" => hosts::daemon::sshd::<SimOs>,
        tool => return cutaway_userland::further_program(tool),
    })
}

/// Makes every program known to a machine.
pub(super) fn install(machine: &Machine, annex: &Rc<Place>) {
    for name in NAMES.into_iter().chain(cutaway_userland::names()) {
        let annex = annex.clone();
        let runner: Runner = match name {
            "bash" => Rc::new(move |os, argv, env| Box::pin(bash(annex.clone(), os, argv, env))),
            "busybox" => Rc::new(move |os, argv, env| Box::pin(busybox(annex.clone(), os, argv, env))),
            _ => Rc::new(move |os, argv, env| Box::pin(run(annex.clone(), name, os, argv, env))),
        };
        machine.register_program(name, runner);
    }
}

/// Runs the program of this name, which is one of the names that were made known.
async fn run(annex: Rc<Place>, name: &str, os: SimOs, argv: Vec<String>, env: Vec<(String, String)>) -> i32 {
    if let Some(program) = first(name) {
        return program(os, argv, env).await;
    }
    match (annex.get().await.program)(name) {
        Some(program) => program(os, argv, env).await,
        None => 127,
    }
}

/// Docker's words, for the shell's Tab.
struct DockerWords;

impl Completer for DockerWords {
    fn complete(&self, before: &[String], word: &str) -> Option<Vec<String>> {
        let (_, rest) = before.split_first().filter(|(program, _)| *program == "docker")?;
        let words: Vec<String> = rest.iter().cloned().chain([word.to_string()]).collect();
        Some(cli::complete(&words)).filter(|found| !found.is_empty())
    }
}

/// The shell that people type to knows docker's words; else it is as any other.
async fn bash(annex: Rc<Place>, os: SimOs, argv: Vec<String>, env: Vec<(String, String)>) -> i32 {
    if argv.len() > 1 || !os.is_tty(0) || !os.is_tty(2) {
        return run(annex, "bash", os, argv, env).await;
    }
    let name = argv.into_iter().next().unwrap_or_default();
    let session = shell::Session { login: name.starts_with('-'), name, env, completer: Rc::new(DockerWords) };
    shell::interactive(os, session).await
}

/// The multi-call program: what it is called by, or its first word, picks the tool.
async fn busybox(annex: Rc<Place>, os: SimOs, argv: Vec<String>, env: Vec<(String, String)>) -> i32 {
    let base = |word: Option<&String>| word.and_then(|w| w.rsplit('/').next()).unwrap_or("").to_string();
    let called = base(argv.first());
    let called = called.trim_start_matches('-').to_string();
    let (name, words) = match called.as_str() {
        "busybox" => (base(argv.get(1)), argv.get(1..).unwrap_or(&[]).to_vec()),
        _ => (called, argv),
    };
    if cutaway_userland::names().contains(&name.as_str()) {
        return run(annex, &name, os, words, env).await;
    }
    let list = cutaway_userland::names().join("\n");
    match name.as_str() {
        "--list" => {
            serve::say(&os, 1, &list).await;
            0
        }
        "" | "--help" => {
            let text = "BusyBox: one program that is many. Usage: busybox [function [arguments]...]\n\nFunctions:\n";
            serve::say(&os, 1, &format!("{text}{list}")).await;
            0
        }
        other => {
            io::eprint(&os, &format!("{other}: applet not found")).await;
            127
        }
    }
}

/// Finds a program in a search path, as `execvp` does.
fn look_up<O: Os>(os: &O, name: &str, path: &str) -> Result<String, Errno> {
    if name.contains('/') {
        return os.access(name, 1).map(|()| name.to_string());
    }
    let mut why = Errno::ENOENT;
    for folder in path.split(':') {
        let candidate = format!("{}/{name}", if folder.is_empty() { "." } else { folder });
        match os.access(&candidate, 1) {
            Ok(()) => return Ok(candidate),
            Err(Errno::EACCES) => why = Errno::EACCES,
            Err(_) => {}
        }
    }
    Err(why)
}

/// Replaces this process's program by another; the exit status where that failed.
pub async fn run_instead<O: Os>(os: &O, who: &str, words: &[String], env: &[(String, String)]) -> i32 {
    let Some(name) = words.first() else {
        io::eprint(os, &format!("usage: {who} command [argument...]")).await;
        return 1;
    };
    let path = env.iter().find(|(n, _)| n == "PATH").map_or(DEFAULT_PATH, |(_, v)| v);
    let errno = match look_up(os, name, path) {
        Ok(found) => os.exec(&found, words, env).await,
        Err(errno) => errno,
    };
    io::eprint(os, &format!("{who}: {name}: {errno}")).await;
    if errno == Errno::ENOENT { 127 } else { 126 }
}

/// Reads one line, without its newline; `kept` is what was read beyond it. `None` at the end.
pub async fn read_line<O: Os>(os: &O, fd: i32, kept: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = kept.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = kept.drain(..=end).collect();
            return Some(String::from_utf8_lossy(&line[..end]).into_owned());
        }
        match os.read(fd, 4096).await {
            Ok(bytes) if !bytes.is_empty() => kept.extend(bytes),
            Err(Errno::EINTR) => {}
            _ if kept.is_empty() => return None,
            _ => return Some(String::from_utf8_lossy(&std::mem::take(kept)).into_owned()),
        }
    }
}
