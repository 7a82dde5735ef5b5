//! `cutaway`: a container engine that shows what it does, on the real kernel.
//!
//! The program is a library so that tests can have the world do single acts. Everything unsafe of the whole
//! project is in here.

// Everything of the engine is single-threaded: no future of it is ever sent to another thread.
#![allow(async_fn_in_trait)]

mod client;
mod explain;
mod lesson;
mod remote;
mod seal;
mod sim;
mod supervise;
mod sys;
pub mod world;

use client::LinuxClient;
use cutaway_core::cli::{self, Invocation};
use cutaway_core::engine::{self, Ctx};
use cutaway_core::world::{Stream, Watched, Watcher};
use explain::{Explainer, Pauser};
use std::cell::Cell;
use std::path::Path;
use std::process::exit;
use std::rc::Rc;
use supervise::Waiting;
use world::LinuxWorld;
use world::places::Places;

/// What stands before the command and is not docker's.
#[derive(Default)]
struct Own {
    explain: bool,
    step: bool,
    /// The context through which another machine's client has called this program.
    via: Option<String>,
}

/// The program: parses its words, runs the command, ends with its exit status.
pub fn main() {
    let words: Vec<String> = std::env::args_os().skip(1).map(|w| w.to_string_lossy().into_owned()).collect();
    match words.first().map(String::as_str) {
        Some("sim") => exit(sim::main(&words[1..])),
        Some("lesson") => exit(lesson::main(&words[1..])),
        // Under Docker's name it is asked for Docker's version.
        Some("--version" | "-v")
            if !std::env::args_os().next().is_some_and(|name| Path::new(&name).ends_with("docker")) =>
        {
            println!("cutaway {}", env!("CARGO_PKG_VERSION"));
            exit(0);
        }
        _ => {}
    }
    let (own, words) = own_flags(words);
    let mut call = match cli::parse(&words) {
        Ok(call) => call,
        Err(usage) => {
            if usage.stream == Stream::Err {
                eprint!("{}", usage.text);
            } else {
                print!("{}", usage.text);
            }
            exit(usage.status);
        }
    };
    match &own.via {
        // It is this machine's engine that is meant; the context's name is shown.
        Some(name) => drop(call.global.flags.insert("context".into(), vec![name.clone()])),
        None => {
            let flags = [("--explain", own.explain), ("--step", own.step)];
            let passed: Vec<&str> = flags.iter().filter(|(_, given)| *given).map(|(flag, _)| *flag).collect();
            if let remote::Place::Over(status) = remote::send(&call, &passed, &words) {
                exit(status);
            }
        }
    }
    exit(run(&own, &call, &words.join(" ")));
}

/// Takes our own flags from those before the command.
fn own_flags(words: Vec<String>) -> (Own, Vec<String>) {
    let mut own = Own::default();
    let mut rest = Vec::new();
    let mut before_command = true;
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--explain" if before_command => own.explain = true,
            "--step" if before_command => own.step = true,
            remote::VIA if before_command => own.via = words.next(),
            _ => {
                before_command &= word.starts_with('-');
                rest.push(word);
            }
        }
    }
    (own, rest)
}

/// Whether a command starts processes in containers.
fn starts_processes(call: &Invocation) -> bool {
    matches!(
        call.command,
        "container run" | "container start" | "container restart" | "container exec" | "image build" | "buildx build"
    ) || call.command.starts_with("compose ")
}

/// Whether containers may go on running when the command is over.
fn may_outlive(call: &Invocation) -> bool {
    starts_processes(call) && !call.command.ends_with(" build")
}

/// Prepares the process for the command, runs it, and gives its exit status.
fn run(own: &Own, call: &Invocation, line: &str) -> i32 {
    sys::close_range(3, u32::MAX, false);
    if let Err(error) = seal::become_root_inside() {
        eprintln!("cutaway: a user namespace is needed to run without root's rights: {error}");
        return 125;
    }
    if starts_processes(call)
        && let Err(error) = seal::seal()
    {
        eprintln!("cutaway: sealing the program failed: {error}");
        return 125;
    }
    let waiting = match may_outlive(call).then(supervise::split).transpose() {
        Ok(waiting) => waiting,
        Err(error) => {
            eprintln!("cutaway: fork: {error}");
            return 125;
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cutaway: {error}");
            return 125;
        }
    };
    let local = tokio::task::LocalSet::new();
    let status = local.block_on(&runtime, command(own, call, line, waiting));
    // Worker threads may still wait for a terminal: they are not waited for.
    exit(status)
}

async fn command(own: &Own, call: &Invocation, line: &str, waiting: Option<Waiting>) -> i32 {
    let places = Places::find();
    let client = Rc::new(LinuxClient::new(places.uid, call.global.value("config")));
    let world = match LinuxWorld::open(&places) {
        Ok(world) => world,
        Err(fault) => {
            eprintln!("cutaway: {fault}");
            return 125;
        }
    };
    let mut watchers: Vec<Rc<dyn Watcher>> = Vec::new();
    if own.step {
        watchers.push(Rc::new(Pauser));
    }
    if own.explain || own.step {
        watchers.push(Rc::new(Explainer { told: own.step }));
    }
    if watchers.is_empty() {
        world.hurry();
    }
    let watched = Watched::new(world.clone(), watchers, 0, line, Rc::new(Cell::new(0)));
    let ctx = Ctx { watched, client: client.clone() };
    let status = engine::execute(&ctx, call).await;
    client.leave();
    if let Some(waiting) = waiting
        && world.is_busy()
    {
        waiting.release(status);
        world.settled().await;
    }
    status
}
