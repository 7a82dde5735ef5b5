//! `docker-machine create`: a new host, one that is there already, or only an address.

use super::record::{self, Record, certify};
use super::{Ending, Run};
use crate::sim::hosts::Host;
use crate::sim::hosts::dial;
use crate::sim::programs::serve::say;
use cutaway_userland::os::Os;
use serde_json::json;
use std::rc::Rc;
use std::time::Duration;

/// How long each stage of a machine's birth takes.
const MOMENT: Duration = Duration::from_millis(400);
/// The drivers that the real program has; here there is nothing that they could drive.
const ELSEWHERE: &str = "amazonec2 azure digitalocean exoscale google hyperv openstack rackspace softlayer vmwarefusion \
    vmwarevcloudair vmwarevsphere";

pub async fn create(run: &Run) -> Ending {
    let words = &run.args.words;
    if words.len() > 1 {
        return Err(format!("Invalid command line. Found extra arguments [{}]", words[1..].join(" ")));
    }
    let Some(name) = words.first() else {
        run.say(super::args::find("create").map(super::args::help_on).unwrap_or_default().trim_end()).await;
        return Err("Error: No machine name specified".into());
    };
    if name.is_empty()
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
        || name.starts_with(['.', '-'])
    {
        let allowed = "Allowed hostname chars are: 0-9a-zA-Z . -";
        return Err(format!("Error creating machine: Invalid hostname specified. {allowed}"));
    }
    let driver = run.args.value("driver").unwrap_or(match run.env("MACHINE_DRIVER") {
        "" => "virtualbox",
        set => set,
    });
    if record::read(run, name).await.is_ok() {
        return Err(format!("Docker machine {name:?} already exists"));
    }
    match driver {
        "virtualbox" => virtual_box(run, name).await,
        "generic" => generic(run, name).await,
        "none" => none(run, name).await,
        other if ELSEWHERE.split(' ').any(|known| known == other) => {
            let why =
                format!("the simulated network has no {other}; there are the drivers virtualbox, generic and none");
            say(&run.here.os, 2, &format!("Error with pre-create check: {why:?}")).await;
            Ok(3)
        }
        other => Err(format!(
            "Driver {other:?} not found. Do you have the plugin binary \"docker-machine-driver-{other}\" accessible in \
             your PATH?"
        )),
    }
}

/// A number of a flag, within bounds.
fn number(run: &Run, flag: &str, default: u64, bounds: std::ops::RangeInclusive<u64>) -> Result<u64, String> {
    let Some(text) = run.args.value(flag) else { return Ok(default) };
    match text.parse() {
        Ok(number) if bounds.contains(&number) => Ok(number),
        Ok(_) => {
            Err(format!("Error with pre-create check: \"--{flag} is {} to {} here\"", bounds.start(), bounds.end()))
        }
        Err(_) => Err(format!("invalid value {text:?} for flag -{flag}: parse error")),
    }
}

/// Prints what a stage is, and lets it take its time.
async fn stage(run: &Run, text: &str) {
    run.say(text).await;
    let _ = run.here.os.sleep(MOMENT).await;
}

async fn virtual_box(run: &Run, name: &str) -> Ending {
    let memory = number(run, "virtualbox-memory", 1024, 128..=65536)?;
    let cpus = number(run, "virtualbox-cpu-count", 1, 1..=32)?;
    run.say("Running pre-create checks...").await;
    if run.here.station.other(name).is_some() || name == run.here.station.home.name {
        return Err(format!("Error with pre-create check: \"a host {name:?} is there already\""));
    }
    run.say("Creating machine...").await;
    stage(run, &format!("({name}) Creating VirtualBox VM...")).await;
    let made = run.here.station.add(name, memory << 20, cpus as u32);
    let ip =
        made.map_err(|errno| format!("Error creating machine: Error in driver during machine creation: {errno}"))?;
    run.say(&format!("({name}) Creating SSH key...")).await;
    let Some(host) = run.here.station.other(name) else { return Err("Error creating machine: it is gone".into()) };
    let key = record::pem(&host.world, "OPENSSH PRIVATE KEY");
    run.write(&format!("{}/id_rsa", run.folder(name)), key.as_bytes(), 0o600).await?;
    stage(run, &format!("({name}) Starting the VM...")).await;
    run.say(&format!("({name}) Check network to re-create if needed...")).await;
    run.say(&format!("({name}) Waiting for an IP...")).await;
    let record = Record {
        name: name.into(),
        driver: "virtualbox".into(),
        ip: ip.to_string(),
        user: "root".into(),
        ..Record::default()
    };
    let more = [("CPU", json!(cpus)), ("Memory", json!(memory)), ("HostOnlyCIDR", json!("192.168.99.1/24"))];
    record::write(run, &record, &more).await?;
    certify(run, name, &host.world).await?;
    host.switch_on().await.map_err(|errno| format!("Error creating machine: Error running provisioning: {errno}"))?;
    provision(run, name, &host, "boot2docker").await
}

async fn generic(run: &Run, name: &str) -> Ending {
    let Some(address) = run.args.value("generic-ip-address").filter(|ip| !ip.is_empty()) else {
        let why = "generic driver requires the --generic-ip-address option";
        return Err(format!("Error setting machine configuration from flags provided: {why}"));
    };
    let user = run.args.value("generic-ssh-user").unwrap_or("root");
    let port = number(run, "generic-ssh-port", 22, 1..=65535)?;
    run.say("Running pre-create checks...").await;
    run.say("Creating machine...").await;
    let record = Record {
        name: name.into(),
        driver: "generic".into(),
        ip: address.into(),
        user: user.into(),
        ..Record::default()
    };
    record::write(run, &record, &[]).await?;
    let found = dial::over_ssh(&run.here, user, address, port as u16).await;
    let host = found.map_err(|why| {
        format!("Error creating machine: Error detecting OS: Too many retries waiting for SSH to be available.  Last error: {why}")
    })?;
    certify(run, name, &host.world).await?;
    provision(run, name, &host, "cutaway").await
}

async fn provision(run: &Run, name: &str, host: &Rc<Host>, system: &str) -> Ending {
    stage(run, "Waiting for machine to be running, this may take a few minutes...").await;
    run.say("Detecting operating system of created instance...").await;
    stage(run, "Waiting for SSH to be available...").await;
    run.say("Detecting the provisioner...").await;
    stage(run, &format!("Provisioning with {system}...")).await;
    run.say("Copying certs to the local machine directory...").await;
    run.say("Copying certs to the remote machine...").await;
    stage(run, "Setting Docker configuration on the remote daemon...").await;
    run.say("Checking connection to Docker...").await;
    let record = record::read(run, name).await?;
    let ip = record.ip.parse().map_err(|_| format!("Error creating machine: {:?} is no address", record.ip))?;
    if !host.running.get() || !dial::answers(&run.here.os, ip, 2376).await {
        return Err("Error creating machine: Error checking the host: Error checking and/or regenerating the certs: There was an error validating certificates".into());
    }
    run.say("Docker is up and running!").await;
    run.say(&format!(
        "To see how to connect your Docker Client to the Docker Engine running on this virtual machine, run: \
         docker-machine env {name}"
    ))
    .await;
    Ok(0)
}

async fn none(run: &Run, name: &str) -> Ending {
    let url = run.args.value("url").unwrap_or("");
    if url.is_empty() {
        return Err("Error setting machine configuration from flags provided: --url option is required when no driver is selected".into());
    }
    run.say("Running pre-create checks...").await;
    run.say("Creating machine...").await;
    let record = Record { name: name.into(), driver: "none".into(), url: url.into(), ..Record::default() };
    record::write(run, &record, &[("URL", json!(url))]).await?;
    run.say(&format!("To see how to connect your Docker Client to the Docker Engine running on this virtual machine, run: docker-machine env {name}")).await;
    Ok(0)
}
