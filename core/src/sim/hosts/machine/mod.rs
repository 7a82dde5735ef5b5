//! `docker-machine`: makes other hosts with an engine, and leads docker's client to them. What it knows of
//! them it keeps in files below `~/.docker/machine`, as the real one does.
//! Source of names, flags and words: docker/machine 0.16.2.

mod args;
mod create;
mod flags;
mod list;
mod provision;
mod reach;
mod record;
mod run;
mod scp;
mod show;
mod ssh;

use super::{Here, Host};
use crate::sim::kernel::SimOs;
use crate::sim::programs::serve::say;
use crate::world::LocalFut;
use args::Args;
use record::Record;
use std::rc::Rc;

const VERSION: &str = "0.16.2, build bd45ab13";

/// One run of the program.
struct Run {
    here: Here,
    env: Vec<(String, String)>,
    /// Where the machines are kept.
    store: String,
    /// The command as it was typed, with the program's name.
    typed: String,
    args: Args,
    /// What it is for and how, for who calls it in a wrong way.
    help: String,
}

/// An exit status, or what is told before status 1.
type Ending = Result<i32, String>;

/// The program.
pub async fn docker_machine(here: Here, argv: Vec<String>, env: Vec<(String, String)>) -> i32 {
    let Here { os, .. } = &here;
    let variables = |name: &str| env.iter().rev().find(|(n, _)| n == name).map_or(String::new(), |(_, v)| v.clone());
    let home = format!("{}/.docker/machine", variables("HOME"));
    let words = argv.get(1..).unwrap_or(&[]);
    let (global, rest) = match args::global(words, &variables) {
        Ok(split) => split,
        Err(why) => return usage(os, &args::help(&home), &why, 0).await,
    };
    let name = rest.first().map_or("help", String::as_str);
    if global.flag("help") || global.flag("version") {
        let text = if global.flag("help") { args::help(&home) } else { version_line() };
        say(os, 1, text.trim_end()).await;
        return 0;
    }
    let unknown =
        |name: &str| format!("docker-machine: '{name}' is not a docker-machine command. See 'docker-machine --help'.");
    let Some(command) = args::find(name) else {
        say(os, 2, &unknown(name)).await;
        return 1;
    };
    // Its flags are looked for after the driver has told its own, by the command itself.
    let creates = command.name == "create";
    let driver = if creates { args::driver_wanted(words, &variables) } else { String::new() };
    if creates && let Err(why) = create::known_driver(&driver) {
        say(os, 2, &why).await;
        return 1;
    }
    let help = args::help_on(command, &driver);
    let args = match args::parse(command, &driver, rest.get(1..).unwrap_or(&[]), &variables) {
        Ok(args) => args,
        Err(why) => return usage(os, &help, &why, i32::from(creates)).await,
    };
    if args.flag("help") {
        say(os, 1, help.trim_end()).await;
        return 0;
    }
    if command.name == "help" {
        return match args.words.first().map(|name| (name, args::find(name))) {
            Some((name, None)) => {
                say(os, 2, &unknown(name)).await;
                1
            }
            Some((_, Some(topic))) => {
                say(os, 1, args::help_on(topic, "").trim_end()).await;
                0
            }
            None => {
                say(os, 1, args::help(&home).trim_end()).await;
                0
            }
        };
    }
    let store = match global.value("storage-path") {
        "" => home,
        path => path.trim_end_matches('/').to_string(),
    };
    let run = Run { here: here.clone(), typed: argv.join(" "), env, store, args, help };
    let ending = dispatch(run, command.name).await;
    ending.unwrap_or(1)
}

fn version_line() -> String {
    format!("docker-machine version {VERSION}")
}

/// A command line that can't be read ends the program without a status of its own.
async fn usage(os: &SimOs, help: &str, why: &str, status: i32) -> i32 {
    say(os, 1, &format!("Incorrect Usage.\n\n{}", help.trim_end())).await;
    say(os, 2, why).await;
    status
}

/// A command's future, boxed: else the program would carry the states of all.
fn dispatch(run: Run, command: &'static str) -> LocalFut<Ending> {
    Box::pin(async move {
        let ending = match command {
            "active" => show::active(&run).await,
            "config" => show::config(&run).await,
            "create" => create::create(&run).await,
            "env" => show::env(&run).await,
            "inspect" => show::inspect(&run).await,
            "ls" => list::list(&run).await,
            "rm" => run::remove(&run).await,
            "scp" => scp::scp(&run).await,
            "ssh" => ssh::ssh(&run).await,
            "mount" => scp::mount(&run).await,
            "regenerate-certs" => provision::regenerate(&run).await,
            "status" => show::status(&run).await,
            "url" => show::url(&run).await,
            "version" => show::version(&run).await,
            _ => run::each(&run, command).await,
        };
        if let Err(why) = &ending {
            say(&run.here.os, 2, why).await;
        }
        ending
    })
}

/// Whether a machine can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Stopped,
    /// VirtualBox does not know it any more.
    Error,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Running => "Running",
            State::Stopped => "Stopped",
            State::Error => "Error",
        }
    }
}

impl Run {
    fn env(&self, name: &str) -> &str {
        self.env.iter().rev().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    async fn say(&self, text: &str) {
        say(&self.here.os, 1, text).await;
    }

    /// The simulated host of a machine.
    fn host(&self, record: &Record) -> Option<Rc<Host>> {
        match record.driver.as_str() {
            "virtualbox" => self.here.station.other(&record.name),
            _ => self.here.station.at(record.ip.parse().ok()?, &self.here.host),
        }
    }

    fn state(&self, record: &Record) -> State {
        match (record.driver.as_str(), self.host(record)) {
            ("none", _) => State::Running,
            (_, Some(host)) if host.running.get() => State::Running,
            ("virtualbox", None) => State::Error,
            _ => State::Stopped,
        }
    }

    /// The state, where the driver can tell it.
    fn known_state(&self, record: &Record) -> Result<State, String> {
        match self.state(record) {
            State::Error => Err("machine does not exist".into()),
            state => Ok(state),
        }
    }

    /// The address of a machine; VirtualBox knows it only of one that runs.
    fn ip(&self, record: &Record) -> Result<String, String> {
        match (record.driver.as_str(), self.known_state(record)?) {
            ("virtualbox", State::Stopped) => Err(NOT_RUNNING.into()),
            _ => Ok(record.ip.clone()),
        }
    }

    fn url(&self, record: &Record) -> Result<String, String> {
        match (record.driver.as_str(), self.known_state(record)?) {
            ("none", _) => Ok(record.url.clone()),
            (_, State::Running) => Ok(format!("tcp://{}:{}", record.ip, record.engine_port)),
            _ => Err(NOT_RUNNING.into()),
        }
    }

    /// The machine that a command is about: the first that it names, else the one called `default`.
    async fn target(&self) -> Result<Record, String> {
        match self.args.words.first() {
            Some(name) => record::read(self, name).await,
            None if record::exists(self, "default") => record::read(self, "default").await,
            None => Err("Error: No machine name(s) specified and no \"default\" machine exists".into()),
        }
    }

    /// The same, where a command takes no more than one.
    async fn only(&self) -> Result<Record, String> {
        if self.args.words.len() > 1 {
            return Err("Error: Expected one machine name as an argument".into());
        }
        self.target().await
    }
}

const NOT_RUNNING: &str = "Host is not running";
