//! `docker info`.

use super::version::{go_architecture, render};
use crate::cli::{API_VERSION, DOCKER_VERSION, Invocation};
use crate::container::{ContainerRecord, Status};
use crate::engine::{Ctx, Result, context};
use crate::view::units;
use crate::world::{HostFacts, Kind, World};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(super) async fn info<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let name = context::current(&*ctx.client, &call.global).await?;
    let facts = facts(ctx, &name)?;
    let text = match call.args.value("format").unwrap_or("") {
        "" => layout(&facts),
        "json" => format!("{facts}\n"),
        source => render(ctx, source, &facts, "", "system.dockerInfo").await?,
    };
    ctx.print(text).await;
    Ok(0)
}

/// Who this engine is: made once, kept for good.
#[derive(Clone, Serialize, Deserialize)]
struct EngineId {
    id: String,
}

impl crate::world::Record for EngineId {
    const KIND: Kind = Kind::Setting;
    fn key(&self) -> String {
        "engine-id".to_string()
    }
}

fn engine_id<W: World>(ctx: &Ctx<W>) -> Result<String> {
    if let Some(known) = ctx.world().get::<EngineId>("engine-id")? {
        return Ok(known.id);
    }
    let hex = ctx.new_id();
    let id = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]].join("-");
    ctx.world().put(&EngineId { id: id.clone() })?;
    Ok(id)
}

fn facts<W: World>(ctx: &Ctx<W>, context: &str) -> Result<Value> {
    let host = ctx.world().host();
    let containers = ctx.world().list::<ContainerRecord>()?;
    let count = |wanted: &dyn Fn(Status) -> bool| containers.iter().filter(|c| wanted(c.state.status)).count();
    let paused = count(&|s| s == Status::Paused);
    let running = count(&|s| s.is_running()) - paused;
    let mut facts = json!({
        "ID": engine_id(ctx)?,
        "Containers": containers.len(),
        "ContainersRunning": running,
        "ContainersPaused": paused,
        "ContainersStopped": containers.len() - running - paused,
        "Images": ctx.world().keys(Kind::Image)?.len(),
        "Driver": "overlay2",
        "DriverStatus": [
            ["Supports d_type", "true"], ["Using metacopy", "false"], ["Native Overlay Diff", "true"],
            ["userxattr", if host.rootless { "true" } else { "false" }]
        ],
        "Plugins": {"Volume": ["local"], "Network": ["bridge", "host", "null"], "Authorization": null, "Log": ["json-file", "none"]}
    });
    let more = [abilities(ctx, &host), machine(&host), runtime(&host), client(&host, context)];
    for (key, value) in more.into_iter().filter_map(|part| part.as_object().cloned()).flatten() {
        facts[key] = value;
    }
    Ok(facts)
}

fn abilities<W: World>(ctx: &Ctx<W>, host: &HostFacts) -> Value {
    json!({
        "MemoryLimit": true,
        "SwapLimit": true,
        "CpuCfsPeriod": true,
        "CpuCfsQuota": true,
        "CPUShares": true,
        "CPUSet": true,
        "PidsLimit": true,
        "IPv4Forwarding": true,
        "Debug": false,
        "NFd": 0,
        "OomKillDisable": host.cgroup_version == 1,
        "NGoroutines": 0,
        "SystemTime": units::rfc3339(ctx.world().now()),
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": host.cgroup_version.to_string(),
        "NEventsListener": 0
    })
}

fn machine(host: &HostFacts) -> Value {
    json!({
        "KernelVersion": host.kernel,
        "OperatingSystem": host.operating_system,
        "OSVersion": "",
        "OSType": "linux",
        "Architecture": host.architecture,
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": {
            "IndexConfigs": {"docker.io": {"Mirrors": [], "Name": "docker.io", "Official": true, "Secure": true}},
            "InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8"],
            "Mirrors": null
        },
        "NCPU": host.cpus,
        "MemTotal": host.memory,
        "GenericResources": null,
        "DockerRootDir": host.root,
        "HttpProxy": "",
        "HttpsProxy": "",
        "NoProxy": "",
        "Name": host.name,
        "Labels": [],
        "ExperimentalBuild": false,
        "ServerVersion": DOCKER_VERSION
    })
}

fn runtime(host: &HostFacts) -> Value {
    let mut options = vec!["name=seccomp,profile=builtin"];
    if host.rootless {
        options.push("name=rootless");
    }
    if host.cgroup_version == 2 {
        options.push("name=cgroupns");
    }
    // Under the names that `--runtime` takes; the path says what is behind them.
    json!({
        "Runtimes": {"io.containerd.runc.v2": {"path": host.runtime}, "runc": {"path": host.runtime}},
        "DefaultRuntime": "runc",
        "Swarm": {
            "NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": false, "Error": "",
            "RemoteManagers": null
        },
        "LiveRestoreEnabled": false,
        "Isolation": "",
        "InitBinary": "docker-init",
        "ContainerdCommit": {"ID": ""},
        "RuncCommit": {"ID": ""},
        "InitCommit": {"ID": ""},
        "SecurityOptions": options,
        "CDISpecDirs": [],
        "Warnings": null
    })
}

fn client(host: &HostFacts, context: &str) -> Value {
    json!({
        "ClientInfo": {
            "Debug": false,
            "Version": DOCKER_VERSION,
            "DefaultAPIVersion": API_VERSION,
            "GitCommit": "cutaway",
            "GoVersion": "none",
            "Os": "linux",
            "Arch": go_architecture(&host.architecture),
            "BuildTime": "",
            "Context": context,
            "Plugins": [],
            "Warnings": null
        }
    })
}

/// What is told without an engine.
///
/// # Errors
/// Where the format is none.
pub async fn client_text<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<String> {
    let context = context::current(&*ctx.client, &call.global).await.unwrap_or_default();
    let mut facts = client(&ctx.world().host(), &context);
    match call.args.value("format").unwrap_or("") {
        "" => Ok(head(&context)),
        "json" => Ok(format!("{facts}\n")),
        source => {
            // What the engine would have told is there, and empty.
            for name in ["ID", "Name", "ServerVersion", "Driver", "OperatingSystem", "OSType", "Architecture"] {
                facts[name] = "".into();
            }
            for name in ["Containers", "ContainersRunning", "ContainersPaused", "ContainersStopped", "Images", "NCPU"] {
                facts[name] = 0.into();
            }
            render(ctx, source, &facts, "", "system.dockerInfo").await
        }
    }
}

fn head(context: &str) -> String {
    format!("Client:\n Version:    {DOCKER_VERSION}\n Context:    {context}\n Debug Mode: false\n\nServer:\n")
}

/// The text without a format.
fn layout(facts: &Value) -> String {
    let word = |name: &str| facts[name].as_str().map_or_else(|| facts[name].to_string(), str::to_string);
    let words = |value: &Value| {
        let all = value.as_array().into_iter().flatten();
        all.filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    };
    let mut text = format!(
        "{} Containers: {}\n  Running: {}\n  Paused: {}\n  Stopped: {}\n Images: {}\n Server Version: {}\n Storage \
         Driver: {}\n",
        head(facts["ClientInfo"]["Context"].as_str().unwrap_or_default()),
        word("Containers"),
        word("ContainersRunning"),
        word("ContainersPaused"),
        word("ContainersStopped"),
        word("Images"),
        word("ServerVersion"),
        word("Driver"),
    );
    for pair in facts["DriverStatus"].as_array().into_iter().flatten() {
        text += &format!("  {}: {}\n", pair[0].as_str().unwrap_or(""), pair[1].as_str().unwrap_or(""));
    }
    for (label, value) in [
        ("Logging Driver", word("LoggingDriver")),
        ("Cgroup Driver", word("CgroupDriver")),
        ("Cgroup Version", word("CgroupVersion")),
    ] {
        text += &format!(" {label}: {value}\n");
    }
    text += " Plugins:\n";
    for kind in ["Volume", "Network", "Log"] {
        text += &format!("  {kind}: {}\n", words(&facts["Plugins"][kind]));
    }
    text += &format!(
        " Swarm: inactive\n Runtimes: io.containerd.runc.v2 {0}\n Default Runtime: {0}\n Init Binary: {1}\n Security Options:\n",
        word("DefaultRuntime"),
        word("InitBinary"),
    );
    for option in facts["SecurityOptions"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let mut fields = option.split(',').map(|field| field.split_once('=').unwrap_or((field, "")));
        text += &format!("  {}\n", fields.next().unwrap_or_default().1);
        for (key, value) in fields {
            let mut letters = key.chars();
            let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            text += &format!("   {first}{}: {value}\n", letters.as_str());
        }
    }
    for (label, value) in [
        ("Kernel Version", word("KernelVersion")),
        ("Operating System", word("OperatingSystem")),
        ("OSType", word("OSType")),
        ("Architecture", word("Architecture")),
        ("CPUs", word("NCPU")),
        ("Total Memory", units::binary_size(facts["MemTotal"].as_u64().unwrap_or(0))),
        ("Name", word("Name")),
        ("ID", word("ID")),
        ("Docker Root Dir", word("DockerRootDir")),
        ("Debug Mode", "false".to_string()),
        ("Experimental", "false".to_string()),
    ] {
        text += &format!(" {label}: {value}\n");
    }
    text += " Insecure Registries:\n  ::1/128\n  127.0.0.0/8\n Live Restore Enabled: false\n\n";
    text
}
