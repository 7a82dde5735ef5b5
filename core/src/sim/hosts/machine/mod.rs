//! `docker-machine`: makes other hosts with an engine, and leads docker's client to them. What it knows of
//! them it keeps in files below `~/.docker/machine`, as the real one does.
//! Source of names, flags and words: docker/machine 0.16.2.

mod args;
mod create;
mod list;
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

/// Commands of the real one that nothing stands behind here.
const LEFT_OUT: [&str; 4] = ["mount", "provision", "regenerate-certs", "upgrade"];

const VERSION: &str = "0.16.2, build bd45ab13";

/// One run of the program.
struct Run {
    here: Here,
    env: Vec<(String, String)>,
    /// Where the machines are kept.
    store: String,
    args: Args,
}

/// An exit status, or what is told before status 1.
type Ending = Result<i32, String>;

/// The program.
pub async fn docker_machine(here: Here, argv: Vec<String>, env: Vec<(String, String)>) -> i32 {
    let Here { os, .. } = &here;
    let words = argv.get(1..).unwrap_or(&[]);
    let (global, rest) = match args::global(words) {
        Ok(split) => split,
        Err(why) => return usage(os, &args::help(), &why).await,
    };
    if global.flag("version") {
        say(os, 1, &format!("docker-machine version {VERSION}")).await;
        return 0;
    }
    let name = rest.first().map_or("help", String::as_str);
    if name == "help" || global.flag("help") {
        let topic = rest.get(1).and_then(|name| args::find(name));
        say(os, 1, topic.map_or_else(args::help, args::help_on).trim_end()).await;
        return 0;
    }
    let Some(command) = args::find(name) else {
        let text = if LEFT_OUT.contains(&name) {
            format!("docker-machine: {name:?} is not supported on simulated machines")
        } else {
            format!("docker-machine: '{name}' is not a docker-machine command. See 'docker-machine --help'.")
        };
        say(os, 2, &text).await;
        return 1;
    };
    let args = match args::parse(command, &rest[1..]) {
        Ok(args) => args,
        Err(why) => return usage(os, &args::help_on(command), &why).await,
    };
    if args.flag("help") {
        say(os, 1, args::help_on(command).trim_end()).await;
        return 0;
    }
    let set = |name: &str| env.iter().rev().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.clone());
    let store = global.value("storage-path").map(str::to_string).or_else(|| set("MACHINE_STORAGE_PATH"));
    let store = store.unwrap_or_else(|| format!("{}/.docker/machine", set("HOME").unwrap_or_default()));
    let run = Run { here: here.clone(), env, store, args };
    let ending = dispatch(run, command.name).await;
    ending.unwrap_or(1)
}

async fn usage(os: &SimOs, help: &str, why: &str) -> i32 {
    say(os, 1, &format!("Incorrect Usage.\n\n{}", help.trim_end())).await;
    say(os, 2, why).await;
    1
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
            "version" => show::version(&run).await,
            "ip" | "kill" | "restart" | "start" | "status" | "stop" | "url" => run::each(&run, command).await,
            _ => Ok(1),
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
    Error,
    /// Nobody knows, and it does not matter: there is only an address.
    None,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Running => "Running",
            State::Stopped => "Stopped",
            State::Error => "Error",
            State::None => "",
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
            ("none", _) => State::None,
            (_, Some(host)) if host.running.get() => State::Running,
            ("virtualbox", Some(_)) => State::Stopped,
            _ => State::Error,
        }
    }

    /// The address of a machine that runs.
    fn ip(&self, record: &Record) -> Result<String, String> {
        match self.state(record) {
            State::Running => Ok(record.ip.clone()),
            State::None => Ok(String::new()),
            _ => Err("Host is not running".into()),
        }
    }

    fn url(&self, record: &Record) -> Result<String, String> {
        match record.driver.as_str() {
            "none" => Ok(record.url.clone()),
            _ => Ok(format!("tcp://{}:2376", self.ip(record)?)),
        }
    }

    /// The machine that a command is about where it names none.
    async fn only(&self, names: &[String]) -> Result<Record, String> {
        match names {
            [] => match record::read(self, "default").await {
                Ok(record) => Ok(record),
                Err(_) => Err("Error: No machine name(s) specified and no \"default\" machine exists".into()),
            },
            [name] => record::read(self, name).await,
            _ => Err("Error: Expected one machine name as an argument".into()),
        }
    }
}
