//! What `docker-machine` keeps of a machine: `machines/NAME/config.json`, and the certificates beside it.

use super::Run;
use crate::engine::system::pretty;
use crate::sim::kernel::Machine;
use crate::sim::world::SimWorld;
use cutaway_userland::os::{OpenFlags, Os};
use cutaway_userland::{Errno, io};
use serde_json::{Value, json};

/// Certificates and keys that a client needs.
pub const PEMS: [&str; 3] = ["ca.pem", "cert.pem", "key.pem"];

#[derive(Clone, Debug, Default)]
pub struct Record {
    pub name: String,
    pub driver: String,
    /// Empty where there is none.
    pub ip: String,
    /// Of a machine that is only an address.
    pub url: String,
    pub user: String,
    /// Where its ssh and its engine listen.
    pub ssh_port: u16,
    pub engine_port: u16,
    /// All of the file.
    pub value: Value,
}

impl Run {
    pub fn folder(&self, name: &str) -> String {
        format!("{}/machines/{name}", self.store)
    }

    pub async fn write(&self, path: &str, bytes: &[u8], mode: u32) -> Result<(), String> {
        let told = |errno: Errno| format!("open {path}: {}", errno.text().to_lowercase());
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]).filter(|folder| !folder.is_empty());
        for folder in folders {
            match self.here.os.mkdir(folder, 0o700) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(told(errno)),
            }
        }
        let fd = self.here.os.open(path, OpenFlags::CREATE, mode).await.map_err(told)?;
        let written = io::write_all(&self.here.os, fd, bytes).await;
        let _ = self.here.os.close(fd);
        written.map_err(told)
    }
}

impl Run {
    /// A file's bytes, or why not, as Go tells it.
    pub async fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let bytes = io::read_file(&self.here.os, path).await;
        bytes.map_err(|errno| format!("open {path}: {}", errno.text().to_lowercase()))
    }
}

/// The names of all machines, sorted.
pub fn names(run: &Run) -> Vec<String> {
    let found = run.here.os.read_dir(&format!("{}/machines", run.store)).unwrap_or_default();
    let mut names: Vec<String> = found.into_iter().map(|entry| entry.name).collect();
    names.retain(|name| !name.starts_with('.') && run.here.os.read_dir(&run.folder(name)).is_ok());
    names.sort();
    names
}

/// Whether something is kept of a machine.
pub fn exists(run: &Run, name: &str) -> bool {
    !name.is_empty() && !name.contains('/') && !name.starts_with('.') && run.here.os.stat(&run.folder(name)).is_ok()
}

pub fn missing(name: &str) -> String {
    format!(
        "Docker machine {name:?} does not exist. Use \"docker-machine ls\" to list machines. Use \"docker-machine \
         create\" to add a new one."
    )
}

/// A machine by its name.
pub async fn read(run: &Run, name: &str) -> Result<Record, String> {
    if !exists(run, name) {
        return Err(missing(name));
    }
    let bytes = run.read(&format!("{}/config.json", run.folder(name))).await?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|e| format!("Error getting migrated host: {e}"))?;
    let port = |value: &Value, default| value.as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or(default);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    Ok(Record {
        name: name.to_string(),
        driver: text(&value["DriverName"]),
        ip: text(&value["Driver"]["IPAddress"]),
        url: text(&value["Driver"]["URL"]),
        user: text(&value["Driver"]["SSHUser"]),
        ssh_port: port(&value["Driver"]["SSHPort"], 22),
        engine_port: port(&value["Driver"]["EnginePort"], 2376),
        value,
    })
}

/// Stores a machine; `more` is what its driver adds.
pub async fn write(run: &Run, record: &Record, more: &[(&str, Value)]) -> Result<(), String> {
    let folder = run.folder(&record.name);
    let (flag, text, list) =
        (|name| run.args.flag(name), |name| run.args.value(name), |name| run.args.values(name).to_vec());
    let mut driver = json!({
        "IPAddress": record.ip,
        "MachineName": record.name,
        "SSHUser": record.user,
        "SSHPort": record.ssh_port,
        "SSHKeyPath": if record.driver == "virtualbox" { format!("{folder}/id_rsa") } else { String::new() },
        "StorePath": run.store,
        "SwarmMaster": false,
        "SwarmHost": if record.driver == "virtualbox" { text("swarm-host") } else { "" },
        "SwarmDiscovery": if record.driver == "virtualbox" { text("swarm-discovery") } else { "" },
    });
    for (key, value) in more {
        driver[*key] = value.clone();
    }
    let certs = format!("{}/certs", run.store);
    let value = json!({
        "ConfigVersion": 3,
        "Driver": driver,
        "DriverName": record.driver,
        "HostOptions": {
            "Driver": "",
            "Memory": 0,
            "Disk": 0,
            "EngineOptions": {
                "ArbitraryFlags": list("engine-opt"),
                "Dns": null,
                "GraphDir": "",
                "Env": list("engine-env"),
                "Ipv6": false,
                "InsecureRegistry": list("engine-insecure-registry"),
                "Labels": list("engine-label"),
                "LogLevel": "",
                "StorageDriver": text("engine-storage-driver"),
                "SelinuxEnabled": false,
                "TlsVerify": true,
                "RegistryMirror": list("engine-registry-mirror"),
                "InstallURL": text("engine-install-url"),
            },
            "SwarmOptions": {
                "IsSwarm": false,
                "Address": text("swarm-addr"),
                "Discovery": text("swarm-discovery"),
                "Agent": false,
                "Master": false,
                "Host": text("swarm-host"),
                "Image": text("swarm-image"),
                "Strategy": text("swarm-strategy"),
                "Heartbeat": 0,
                "Overcommit": 0,
                "ArbitraryFlags": list("swarm-opt"),
                "ArbitraryJoinFlags": list("swarm-join-opt"),
                "Env": null,
                "IsExperimental": flag("swarm-experimental"),
            },
            "AuthOptions": {
                "CertDir": certs,
                "CaCertPath": format!("{certs}/ca.pem"),
                "CaPrivateKeyPath": format!("{certs}/ca-key.pem"),
                "CaCertRemotePath": "",
                "ServerCertPath": format!("{folder}/server.pem"),
                "ServerKeyPath": format!("{folder}/server-key.pem"),
                "ClientKeyPath": format!("{certs}/key.pem"),
                "ServerCertRemotePath": "",
                "ServerKeyRemotePath": "",
                "ClientCertPath": format!("{certs}/cert.pem"),
                "ServerCertSANs": list("tls-san"),
                "StorePath": folder,
            }
        },
        "Name": record.name,
    });
    run.write(&format!("{folder}/config.json"), pretty(&value).as_bytes(), 0o600).await
}

/// A file that looks like a certificate or a key. There is no arithmetic behind it: what counts in the
/// simulation is whether two sides hold the same.
pub fn pem(world: &SimWorld, label: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = [0; 256];
    world.machine().random(&mut bytes);
    let text: String = bytes.iter().map(|b| char::from(LETTERS[usize::from(b % 64)])).collect();
    let lines: Vec<&str> = (0..4).map(|line| &text[line * 64..(line + 1) * 64]).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The authority that vouches for machines and clients, made at first use.
pub async fn authority(run: &Run, world: &SimWorld) -> Result<Vec<(&'static str, Vec<u8>)>, String> {
    let certs = format!("{}/certs", run.store);
    if run.here.os.stat(&format!("{certs}/ca.pem")).is_err() {
        run.say(&format!("Creating CA: {certs}/ca.pem")).await;
        run.write(&format!("{certs}/ca.pem"), pem(world, "CERTIFICATE").as_bytes(), 0o644).await?;
        run.write(&format!("{certs}/ca-key.pem"), pem(world, "RSA PRIVATE KEY").as_bytes(), 0o600).await?;
        run.say(&format!("Creating client certificate: {certs}/cert.pem")).await;
        run.write(&format!("{certs}/cert.pem"), pem(world, "CERTIFICATE").as_bytes(), 0o644).await?;
        run.write(&format!("{certs}/key.pem"), pem(world, "RSA PRIVATE KEY").as_bytes(), 0o600).await?;
    }
    let mut files = Vec::new();
    for name in PEMS {
        files.push((name, run.read(&format!("{certs}/{name}")).await?));
    }
    Ok(files)
}

/// Puts certificates where the engine of a host looks for them, and its client's beside the machine's record.
pub async fn certify(run: &Run, name: &str, world: &SimWorld) -> Result<(), String> {
    let folder = run.folder(name);
    let files = authority(run, world).await?;
    for (file, bytes) in &files {
        run.write(&format!("{folder}/{file}"), bytes, if *file == "key.pem" { 0o600 } else { 0o644 }).await?;
    }
    let place = super::super::dial::CERTIFICATES;
    let put =
        |file: &str, bytes: &[u8]| world.machine().write_file(Machine::INIT, &format!("{place}/{file}"), bytes, 0o600);
    let ca = &files[0].1;
    for (file, bytes) in [
        ("ca.pem", ca.clone()),
        ("server.pem", pem(world, "CERTIFICATE").into_bytes()),
        ("server-key.pem", pem(world, "RSA PRIVATE KEY").into_bytes()),
    ] {
        put(file, &bytes).map_err(|errno| errno.text().to_string())?;
        if file != "ca.pem" {
            run.write(&format!("{folder}/{file}"), &bytes, 0o600).await?;
        }
    }
    Ok(())
}
