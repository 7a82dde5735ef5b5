//! `docker-machine create`: a new host, one that is there already, or only an address.

use super::provision::provision;
use super::record::{self, Record};
use super::{Ending, Run};
use crate::sim::programs::serve::say;
use cutaway_userland::os::Os;
use serde_json::{Value, json};
use std::time::Duration;

/// How long each stage of a machine's birth takes.
pub const MOMENT: Duration = Duration::from_millis(400);
/// The drivers that the real program has; here there is nothing that they could drive.
const ELSEWHERE: &str = "amazonec2 azure digitalocean exoscale google hyperv openstack rackspace softlayer vmwarefusion \
    vmwarevcloudair vmwarevsphere";
/// What is told of a machine that never becomes what it is waited for.
pub const GAVE_UP: &str = "Maximum number of retries (60) exceeded";

/// What the program says first of a driver that it does not have.
pub fn known_driver(driver: &str) -> Result<(), String> {
    match driver {
        "virtualbox" | "generic" | "none" => Ok(()),
        other if ELSEWHERE.split(' ').any(|known| known == other) => Ok(()),
        other => Err(format!(
            "Driver {other:?} not found. Do you have the plugin binary \"docker-machine-driver-{other}\" accessible in \
             your PATH?"
        )),
    }
}

/// Why there is no machine.
enum Failed {
    /// Found before anything was begun: status 3.
    BeforeCreate(String),
    Said(String),
}

impl From<String> for Failed {
    fn from(why: String) -> Failed {
        Failed::Said(why)
    }
}

pub async fn create(run: &Run) -> Ending {
    let words = &run.args.words;
    if words.len() > 1 {
        return Err(format!("Invalid command line. Found extra arguments [{}]", words[1..].join(" ")));
    }
    let Some(name) = words.first().filter(|name| !name.is_empty()) else {
        run.say(run.help.trim_end()).await;
        return Err("Error: No machine name specified".into());
    };
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c)) || name.starts_with(['.', '-']) {
        let allowed = "Allowed hostname chars are: 0-9a-zA-Z . -";
        return Err(format!("Error creating machine: Invalid hostname specified. {allowed}"));
    }
    let discovery = run.args.value("swarm-discovery");
    if !discovery.is_empty() && !discovery.contains("://") {
        return Err(format!("Error parsing swarm discovery: Swarm Discovery URL was in the wrong format: {discovery}"));
    }
    if record::exists(run, name) {
        return Err(format!("Docker machine {name:?} already exists"));
    }
    let ending = match run.args.value("driver") {
        "virtualbox" => virtual_box(run, name).await,
        "generic" => generic(run, name).await,
        "none" => none(run, name).await,
        other => Err(Failed::BeforeCreate(format!(
            "the simulated network has no {other}; there are the drivers virtualbox, generic and none"
        ))),
    };
    match ending {
        Ok(()) => {
            run.say(&format!(
                "To see how to connect your Docker Client to the Docker Engine running on this virtual machine, run: \
                 docker-machine env {name}"
            ))
            .await;
            Ok(0)
        }
        Err(Failed::Said(why)) => Err(why),
        Err(Failed::BeforeCreate(why)) => {
            say(&run.here.os, 2, &format!("Error with pre-create check: {why:?}")).await;
            Ok(3)
        }
    }
}

/// The certificates that all machines share, and the words before the checks.
async fn begin(run: &Run) -> Result<(), Failed> {
    let world = &run.here.host.world;
    record::authority(run, world).await.map_err(|why| format!("Error generating certificates: {why}"))?;
    run.say("Running pre-create checks...").await;
    match run.args.flag("swarm") || run.args.flag("swarm-master") {
        true => Err(Failed::BeforeCreate("a swarm of the time before docker swarm is not simulated".into())),
        false => Ok(()),
    }
}

/// A number of a flag, within the bounds of what is simulated.
fn number(run: &Run, flag: &str, bounds: std::ops::RangeInclusive<i64>) -> Result<u64, Failed> {
    let number = run.args.number(flag);
    match u64::try_from(number) {
        Ok(fits) if bounds.contains(&number) => Ok(fits),
        _ => Err(Failed::BeforeCreate(format!("--{flag} is {} to {} here", bounds.start(), bounds.end()))),
    }
}

/// Prints what a stage is, and lets it take its time.
pub async fn stage(run: &Run, text: &str) {
    run.say(text).await;
    let _ = run.here.os.sleep(MOMENT).await;
}

async fn virtual_box(run: &Run, name: &str) -> Result<(), Failed> {
    begin(run).await?;
    let memory = number(run, "virtualbox-memory", 128..=65536)?;
    let cpus = match run.args.number("virtualbox-cpu-count") {
        ..1 => u64::from(run.here.host.world.config().cpus),
        _ => number(run, "virtualbox-cpu-count", 1..=32)?,
    };
    if run.here.station.other(name).is_some() || name == run.here.station.home.name {
        return Err(Failed::BeforeCreate(format!("a host {name:?} is there already")));
    }
    run.say("Creating machine...").await;
    stage(run, &format!("({name}) Creating VirtualBox VM...")).await;
    let first = !run.here.station.has_switch();
    let made = run.here.station.add(name, memory << 20, cpus as u32);
    let ip =
        made.map_err(|errno| format!("Error creating machine: Error in driver during machine creation: {errno}"))?;
    run.say(&format!("({name}) Creating SSH key...")).await;
    let Some(host) = run.here.station.other(name) else {
        return Err(Failed::Said("Error creating machine: it is gone".into()));
    };
    let key = record::pem(&host.world, "OPENSSH PRIVATE KEY");
    run.write(&format!("{}/id_rsa", run.folder(name)), key.as_bytes(), 0o600).await?;
    stage(run, &format!("({name}) Starting the VM...")).await;
    run.say(&format!("({name}) Check network to re-create if needed...")).await;
    if first {
        run.say(&format!("({name}) Found a new host-only adapter: \"vboxnet0\"")).await;
    }
    run.say(&format!("({name}) Waiting for an IP...")).await;
    let record = Record {
        name: name.into(),
        driver: "virtualbox".into(),
        ip: ip.to_string(),
        user: "root".into(),
        ssh_port: 22,
        ..Record::default()
    };
    record::write(run, &record, &of_virtual_box(run, cpus, memory)).await?;
    host.switch_on()
        .await
        .map_err(|errno| format!("Error creating machine: Error in driver during machine creation: {errno}"))?;
    finish(run, name).await
}

/// What the driver keeps of its flags.
fn of_virtual_box(run: &Run, cpus: u64, memory: u64) -> Vec<(&'static str, Value)> {
    let text = |flag| json!(run.args.value(flag));
    let flag = |flag| json!(run.args.flag(flag));
    vec![
        ("VBoxManager", json!({})),
        ("HostInterfaces", json!({})),
        ("CPU", json!(cpus)),
        ("Memory", json!(memory)),
        ("DiskSize", json!(run.args.number("virtualbox-disk-size"))),
        ("NatNicType", text("virtualbox-nat-nictype")),
        ("Boot2DockerURL", text("virtualbox-boot2docker-url")),
        ("Boot2DockerImportVM", text("virtualbox-import-boot2docker-vm")),
        ("HostDNSResolver", flag("virtualbox-host-dns-resolver")),
        ("HostOnlyCIDR", text("virtualbox-hostonly-cidr")),
        ("HostOnlyNicType", text("virtualbox-hostonly-nictype")),
        ("HostOnlyPromiscMode", text("virtualbox-hostonly-nicpromisc")),
        ("UIType", text("virtualbox-ui-type")),
        ("HostOnlyNoDHCP", flag("virtualbox-hostonly-no-dhcp")),
        ("NoShare", flag("virtualbox-no-share")),
        ("DNSProxy", json!(!run.args.flag("virtualbox-no-dns-proxy"))),
        ("NoVTXCheck", flag("virtualbox-no-vtx-check")),
        ("ShareFolder", text("virtualbox-share-folder")),
    ]
}

async fn generic(run: &Run, name: &str) -> Result<(), Failed> {
    let address = run.args.value("generic-ip-address");
    if address.is_empty() {
        let why = "generic driver requires the --generic-ip-address option";
        return Err(Failed::Said(format!("Error setting machine configuration from flags provided: {why}")));
    }
    begin(run).await?;
    let key = run.args.value("generic-ssh-key");
    let bytes = if key.is_empty() { Ok(Vec::new()) } else { run.read(key).await };
    let Ok(bytes) = bytes else { return Err(Failed::BeforeCreate(format!("SSH key does not exist: {key:?}"))) };
    let record = Record {
        name: name.into(),
        driver: "generic".into(),
        ip: address.into(),
        user: run.args.value("generic-ssh-user").into(),
        ssh_port: number(run, "generic-ssh-port", 1..=65535)? as u16,
        engine_port: number(run, "generic-engine-port", 1..=65535)? as u16,
        ..Record::default()
    };
    let more = [("EnginePort", json!(record.engine_port)), ("SSHKey", json!(key))];
    record::write(run, &record, &more).await?;
    run.say("Creating machine...").await;
    if key.is_empty() {
        run.say(&format!("({name}) No SSH key specified. Assuming an existing key at the default location.")).await;
    } else {
        run.say(&format!("({name}) Importing SSH key...")).await;
        let file = format!("{}/{}", run.folder(name), key.rsplit('/').next().unwrap_or(key));
        run.write(&file, &bytes, 0o600).await?;
        match run.read(&format!("{key}.pub")).await {
            Ok(bytes) => run.write(&format!("{file}.pub"), &bytes, 0o600).await?,
            Err(why) => {
                run.say(&format!("({name}) Couldn't copy SSH public key : unable to copy ssh key: {why}")).await;
            }
        }
    }
    finish(run, name).await
}

/// From a host that has been made to a machine that can be used.
async fn finish(run: &Run, name: &str) -> Result<(), Failed> {
    let failed = |why: String| Failed::Said(format!("Error creating machine: {why}"));
    let record = record::read(run, name).await?;
    stage(run, "Waiting for machine to be running, this may take a few minutes...").await;
    if run.state(&record) != super::State::Running {
        return Err(failed(format!("Error waiting for machine to be running: {GAVE_UP}")));
    }
    run.say("Detecting operating system of created instance...").await;
    let host = super::provision::detect(run, &record).await;
    let host = host.map_err(|why| failed(format!("Error detecting OS: {why}")))?;
    let system = if record.driver == "virtualbox" { "boot2docker" } else { "cutaway" };
    stage(run, &format!("Provisioning with {system}...")).await;
    let done = provision(run, &record, &host).await;
    done.map_err(|why| failed(format!("Error running provisioning: {why}")))?;
    run.say("Checking connection to Docker...").await;
    let checked = super::reach::checked(run, &record).await;
    checked.map_err(|why| failed(format!("Error checking the host: {why}")))?;
    run.say("Docker is up and running!").await;
    Ok(())
}

async fn none(run: &Run, name: &str) -> Result<(), Failed> {
    let url = run.args.value("url");
    if url.is_empty() {
        return Err(Failed::Said("Error setting machine configuration from flags provided: --url option is required when no driver is selected".into()));
    }
    begin(run).await?;
    run.say("Creating machine...").await;
    let address = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    let record =
        Record { name: name.into(), driver: "none".into(), url: url.into(), ip: address.into(), ..Record::default() };
    record::write(run, &record, &[("URL", json!(url))]).await?;
    Ok(())
}
