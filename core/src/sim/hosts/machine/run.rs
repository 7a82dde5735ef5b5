//! What is done with each machine that is named: `start`, `stop`, `restart`, `kill`, `ip`, `status`, `url`,
//! `rm`.

use super::record::{self, Record};
use super::{Ending, Run, State};
use crate::sim::hosts::Host;
use crate::sim::programs::{read_line, serve::write_all};
use cutaway_userland::os::{Os, Signal};
use std::rc::Rc;

pub async fn each(run: &Run, command: &str) -> Ending {
    let mut records = Vec::new();
    if run.args.words.is_empty() {
        records.push(run.only(&[]).await?);
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
    if matches!(command, "start" | "restart") && errors.is_empty() {
        let which = if command == "start" { "Started" } else { "Restarted" };
        run.say(&format!(
            "{which} machines may have new IP addresses. You may need to re-run the `docker-machine env` command."
        ))
        .await;
    }
    if errors.is_empty() { Ok(0) } else { Err(errors.join("\n")) }
}

async fn one(run: &Run, command: &str, record: &Record) -> Result<(), String> {
    match command {
        "ip" => match run.ip(record) {
            Ok(ip) => run.say(&ip).await,
            Err(why) => return Err(format!("Error getting IP address: {why}")),
        },
        "status" => run.say(run.state(record).name()).await,
        "url" => match run.url(record) {
            Ok(url) => run.say(&url).await,
            Err(why) => return Err(why),
        },
        _ => {
            let host = run.host(record).filter(|_| record.driver == "virtualbox");
            let host = host.ok_or_else(|| match record.driver.as_str() {
                "virtualbox" => format!("machine {:?} does not exist", record.name),
                driver => format!("{driver} driver does not support {command}"),
            })?;
            power(run, command, record, &host).await?;
        }
    }
    Ok(())
}

async fn power(run: &Run, command: &str, record: &Record, host: &Rc<Host>) -> Result<(), String> {
    let name = &record.name;
    let failed = |errno: cutaway_userland::Errno| errno.text().to_string();
    let running = run.state(record) == State::Running;
    match command {
        "start" => {
            run.say(&format!("Starting {name:?}...")).await;
            if running {
                run.say(&format!("Machine {name:?} is already running.")).await;
                return Ok(());
            }
            booting(run, name).await;
            host.switch_on().await.map_err(failed)?;
            run.say(&format!("Machine {name:?} was started.")).await;
            provisioning(run).await;
        }
        "restart" => {
            run.say(&format!("Restarting {name:?}...")).await;
            host.switch_off(Signal::TERM).await;
            booting(run, name).await;
            host.switch_on().await.map_err(failed)?;
            provisioning(run).await;
        }
        _ => {
            let (doing, done, signal) = match command {
                "kill" => ("Killing", "killed", Signal::KILL),
                _ => ("Stopping", "stopped", Signal::TERM),
            };
            run.say(&format!("{doing} {name:?}...")).await;
            if !running {
                run.say(&format!("Machine {name:?} is already {}.", if command == "kill" { "stopped" } else { done }))
                    .await;
                return Ok(());
            }
            host.switch_off(signal).await;
            run.say(&format!("Machine {name:?} was {done}.")).await;
        }
    }
    Ok(())
}

async fn booting(run: &Run, name: &str) {
    run.say(&format!("({name}) Check network to re-create if needed...")).await;
    run.say(&format!("({name}) Waiting for an IP...")).await;
    let _ = run.here.os.sleep(std::time::Duration::from_millis(800)).await;
}

async fn provisioning(run: &Run) {
    run.say("Waiting for SSH to be available...").await;
    run.say("Detecting the provisioner...").await;
}

pub async fn remove(run: &Run) -> Ending {
    let names = &run.args.words;
    if names.is_empty() {
        run.say(super::args::find("rm").map(super::args::help_on).unwrap_or_default().trim_end()).await;
        return Err("Error: Expected to get one or more machine names as arguments".into());
    }
    run.say(&format!("About to remove {}", names.join(", "))).await;
    run.say("WARNING: This action will delete both local reference and remote instance.").await;
    let force = run.args.flag("force");
    if !force && !run.args.flag("y") {
        let _ = write_all(&run.here.os, 1, b"Are you sure? (y/n): ").await;
        let answer = read_line(&run.here.os, 0, &mut Vec::new()).await.unwrap_or_default();
        if !answer.to_lowercase().starts_with('y') {
            return Ok(0);
        }
    }
    let mut errors = Vec::new();
    for name in names {
        match record::read(run, name).await {
            Ok(record) => {
                if let Some(host) = run.host(&record).filter(|_| record.driver == "virtualbox") {
                    run.here.station.remove(&host).await;
                }
                forget(run, name);
                run.say(&format!("Successfully removed {name}")).await;
            }
            Err(why) => {
                let why = format!("Error removing host {name:?}: {why}");
                if force {
                    crate::sim::programs::serve::say(&run.here.os, 2, &why).await;
                    run.say(&format!("Successfully removed {name}")).await;
                } else {
                    errors.push(why);
                }
            }
        }
    }
    if errors.is_empty() { Ok(0) } else { Err(errors.join("\n")) }
}

/// Removes what is kept of a machine.
fn forget(run: &Run, name: &str) {
    let folder = run.folder(name);
    for entry in run.here.os.read_dir(&folder).unwrap_or_default() {
        let _ = run.here.os.unlink(&format!("{folder}/{}", entry.name));
    }
    let _ = run.here.os.rmdir(&folder);
}
