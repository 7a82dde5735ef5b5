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

use super::kernel::{Machine, Runner, SimOs};
use cutaway_userland::os::{LocalFut, Os};
use cutaway_userland::{Errno, Program, io};
use std::rc::Rc;

pub use nginx::VERSION as NGINX_VERSION;
pub use python::VERSION as PYTHON_VERSION;
pub use redis::VERSION as REDIS_VERSION;

/// The search path of a program without one in its environment.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The names that the files of these programs carry.
const NAMES: [&str; 9] =
    ["busybox", "docker-init", "docker-registry", "hello", "nginx", "packages", "python3", "redis-cli", "redis-server"];

/// The program of this name, one of the userland's tools among them.
pub fn program<O: Os>(name: &str) -> Option<Program<O>> {
    Some(match name {
        "busybox" => busybox::<O>,
        "docker-init" => small::init::<O>,
        "docker-registry" => registry::docker_registry::<O>,
        "hello" => small::hello::<O>,
        "nginx" => nginx::nginx::<O>,
        "packages" => small::packages::<O>,
        "python3" => python::python::<O>,
        "redis-cli" => redis::redis_cli::<O>,
        "redis-server" => redis::redis_server::<O>,
        tool => return cutaway_userland::program(tool),
    })
}

/// Makes every program known to a machine.
pub fn install(machine: &Machine) {
    for name in NAMES.into_iter().chain(cutaway_userland::names()) {
        if let Some(program) = program::<SimOs>(name) {
            machine.register_program(name, runner(program));
        }
    }
}

fn runner(program: Program<SimOs>) -> Runner {
    Rc::new(move |os, argv, env| program(os, argv, env))
}

/// The multi-call program: what it is called by, or its first word, picks the tool.
fn busybox<O: Os>(os: O, argv: Vec<String>, env: Vec<(String, String)>) -> LocalFut<i32> {
    let base = |word: Option<&String>| word.and_then(|w| w.rsplit('/').next()).unwrap_or("").to_string();
    let called = base(argv.first());
    let called = called.trim_start_matches('-').to_string();
    let (name, words) = match called.as_str() {
        "busybox" => (base(argv.get(1)), argv.get(1..).unwrap_or(&[]).to_vec()),
        _ => (called, argv),
    };
    if let Some(program) = cutaway_userland::program::<O>(&name) {
        return program(os, words, env);
    }
    Box::pin(async move {
        let list = cutaway_userland::names().join("\n");
        match name.as_str() {
            "--list" => {
                serve::say(&os, 1, &list).await;
                0
            }
            "" | "--help" => {
                let text =
                    "BusyBox: one program that is many. Usage: busybox [function [arguments]...]\n\nFunctions:\n";
                serve::say(&os, 1, &format!("{text}{list}")).await;
                0
            }
            other => {
                io::eprint(&os, &format!("{other}: applet not found")).await;
                127
            }
        }
    })
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
