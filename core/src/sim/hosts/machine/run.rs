//! What is done with each machine that is named: `start`, `stop`, `restart`, `kill`, `ip`, `provision`,
//! `regenerate-certs`, `upgrade`; and `rm`.

use super::provision::{confirm, detect, provision, upgrade};
use super::record::{self, Record};
use super::{Ending, Run, State};
use crate::sim::hosts::Host;
use crate::sim::programs::serve::say;
use cutaway_userland::os::{FileKind, Os, Signal};
use std::rc::Rc;

pub async fn each(run: &Run, command: &str) -> Ending {
    let mut records = Vec::new();
    if run.args.words.is_empty() {
        records.push(run.target().await?);
    }
    let mut errors = Vec::new();
    for name in &run.args.words {
        match record::read(run, name).await {
            Ok(record) => records.push(record),
            Err(why) => errors.push(why),
        }
    }
    if !errors.is_empty() {
        return Err(errors.join("\n"));
    }
    for record in &records {
        if let Err(why) = one(run, command, record).await {
            errors.push(why);
        }
    }
    if !errors.is_empty() {
        return Err(errors.join("\n").trim().to_string());
    }
    if matches!(command, "start" | "restart") {
        let which = if command == "start" { "Started" } else { "Restarted" };
        run.say(&format!(
            "{which} machines may have new IP addresses. You may need to re-run the `docker-machine env` command."
        ))
        .await;
    }
    Ok(0)
}

pub async fn one(run: &Run, command: &str, record: &Record) -> Result<(), String> {
    let name = &record.name;
    match command {
        "ip" => {
            let ip = run.ip(record).map_err(|why| format!("Error getting IP address: {why}"))?;
            run.say(&ip).await;
            Ok(())
        }
        "provision" | "regenerate-certs" => {
            if run.args.flag("client-certs") {
                run.say("Regenerating local certificates").await;
                record::authority(run, &run.here.host.world).await?;
            }
            let host = detect(run, record).await?;
            provision(run, record, &host).await
        }
        "upgrade" => upgrade(run, record).await,
        "start" => {
            run.say(&format!("Starting {name:?}...")).await;
            start(run, record).await
        }
        "restart" => {
            run.say(&format!("Restarting {name:?}...")).await;
            match run.state(record) {
                State::Stopped => {
                    run.say(&format!("Starting {name:?}...")).await;
                    start(run, record).await?;
                }
                _ => {
                    let host = driven(run, command, record)?;
                    host.switch_off(Signal::TERM).await;
                    booting(run, name).await;
                    host.switch_on().await.map_err(|errno| format!("Problem starting the VM: {}", errno.text()))?;
                }
            }
            detect(run, record).await.map(drop)
        }
        _ => {
            let (doing, done, signal) = match command {
                "kill" => ("Killing", "killed", Signal::KILL),
                _ => ("Stopping", "stopped", Signal::TERM),
            };
            run.say(&format!("{doing} {name:?}...")).await;
            if run.state(record) == State::Stopped {
                return Err(format!("Machine {name:?} is already stopped."));
            }
            driven(run, command, record)?.switch_off(signal).await;
            run.say(&format!("Machine {name:?} was {done}.")).await;
            Ok(())
        }
    }
}

async fn start(run: &Run, record: &Record) -> Result<(), String> {
    let name = &record.name;
    if run.state(record) == State::Running {
        return Err(format!("Machine {name:?} is already running."));
    }
    let host = driven(run, "start", record)?;
    booting(run, name).await;
    host.switch_on().await.map_err(|errno| errno.text().to_string())?;
    run.say(&format!("Machine {name:?} was started.")).await;
    detect(run, record).await.map(drop)
}

/// The host of a machine whose driver can switch it.
fn driven(run: &Run, command: &str, record: &Record) -> Result<Rc<Host>, String> {
    match (record.driver.as_str(), command) {
        ("virtualbox", _) => run.host(record).ok_or_else(|| "machine does not exist".to_string()),
        ("none", "kill") => Err("hosts without a driver cannot be killed".into()),
        ("none", "stop") => Err("hosts without a driver cannot be stopped".into()),
        ("none", _) => Err(format!("hosts without a driver cannot be {command}ed")),
        (_, "restart") => Err(format!("{:?}: a host cannot be restarted from within here", record.name)),
        (driver, _) => Err(format!("{driver} driver does not support {command}")),
    }
}

pub async fn booting(run: &Run, name: &str) {
    run.say(&format!("({name}) Check network to re-create if needed...")).await;
    run.say(&format!("({name}) Waiting for an IP...")).await;
    let _ = run.here.os.sleep(std::time::Duration::from_millis(800)).await;
}

pub async fn remove(run: &Run) -> Ending {
    let names = &run.args.words;
    if names.is_empty() {
        run.say(run.help.trim_end()).await;
        return Err("Error: Expected to get one or more machine names as arguments".into());
    }
    run.say(&format!("About to remove {}", names.join(", "))).await;
    run.say("WARNING: This action will delete both local reference and remote instance.").await;
    let force = run.args.flag("force");
    if !force && !run.args.flag("y") && !confirm(run, "Are you sure?").await.unwrap_or(false) {
        return Ok(0);
    }
    let mut errors = Vec::new();
    for name in names {
        let mut told = Vec::new();
        match record::read(run, name).await {
            Ok(record) => {
                if let Some(host) = run.host(&record).filter(|_| record.driver == "virtualbox") {
                    run.here.station.remove(&host).await;
                }
            }
            Err(why) => told.push(format!("Error removing host {name:?}: {why}")),
        }
        let mut removed = false;
        if told.is_empty() || force {
            removed = record::exists(run, name);
            match removed {
                true => forget(run, &run.folder(name)),
                false => told.push(format!("Can't remove \"{name}\"")),
            }
        }
        match force {
            true => say_all(run, &told).await,
            false => errors.extend(told),
        }
        if removed {
            run.say(&format!("Successfully removed {name}")).await;
        }
    }
    if errors.is_empty() { Ok(0) } else { Err(errors.join("\n")) }
}

async fn say_all(run: &Run, errors: &[String]) {
    for why in errors {
        say(&run.here.os, 2, why).await;
    }
}

/// Removes what is kept of a machine.
fn forget(run: &Run, folder: &str) {
    for entry in run.here.os.read_dir(folder).unwrap_or_default() {
        let path = format!("{folder}/{}", entry.name);
        match run.here.os.stat(&path).map(|stat| stat.kind) {
            Ok(FileKind::Directory) => forget(run, &path),
            _ => drop(run.here.os.unlink(&path)),
        }
    }
    let _ = run.here.os.rmdir(folder);
}
