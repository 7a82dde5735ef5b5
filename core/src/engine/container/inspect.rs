//! What `docker inspect` shows of a container: its record in the shape and order of Docker's API, version 1.51.

use crate::container::spec::{MountSpec, SecurityOptions};
use crate::container::{
    ContainerRecord, Endpoint, HostConfig, MountKind, MountPoint, PortBinding, Resources, Status, Throttle, defaults,
};
use crate::engine::Ctx;
use crate::image::Healthcheck;
use crate::network::{NetworkDriver, NetworkRecord};
use crate::view::units::rfc3339;
use crate::world::World;
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A container as `docker inspect` shows it.
pub fn inspect_value<W: World>(ctx: &Ctx<W>, record: &ContainerRecord) -> Value {
    let world = ctx.world();
    let folder = format!("{}/containers/{}", world.host().root, record.id);
    let (lower, upper, work, merged) = world.snapshot_paths(&record.snapshot);
    let network_files = record.state.started.is_some();
    let file = |name: &str| if network_files { format!("{folder}/{name}") } else { String::new() };
    json!({
        "Id": record.id,
        "Created": rfc3339(record.created),
        "Path": record.path,
        "Args": record.args,
        "State": state(record),
        "Image": record.image.to_string(),
        "ResolvConfPath": file("resolv.conf"),
        "HostnamePath": file("hostname"),
        "HostsPath": file("hosts"),
        "LogPath": if network_files && record.host.log.driver == "json-file" { world.log_path(&record.id) } else { String::new() },
        "Name": format!("/{}", record.name),
        "RestartCount": record.restart_count,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": or_null(&record.exec_ids),
        "HostConfig": host_config(record),
        "GraphDriver": {
            "Data": {
                "ID": record.id,
                "LowerDir": lower.join(":"),
                "MergedDir": merged,
                "UpperDir": upper,
                "WorkDir": work,
            },
            "Name": "overlay2",
        },
        "Mounts": record.mounts.iter().map(|m| mount(ctx, m)).collect::<Vec<_>>(),
        "Config": config(record),
        "NetworkSettings": network_settings(record, is_bridged(ctx, record)),
    })
}

fn or_null<T: serde::Serialize>(list: &[T]) -> Value {
    if list.is_empty() { Value::Null } else { json!(list) }
}

fn time(at: Option<Duration>) -> String {
    at.map_or_else(|| "0001-01-01T00:00:00Z".to_string(), rfc3339)
}

fn state(record: &ContainerRecord) -> Value {
    let state = &record.state;
    let mut value = json!({
        "Status": state.status.name(),
        "Running": state.status.is_running(),
        "Paused": state.status == Status::Paused,
        "Restarting": state.status == Status::Restarting,
        "OOMKilled": state.oom_killed,
        "Dead": state.status == Status::Dead,
        "Pid": state.pid,
        "ExitCode": state.exit_code,
        "Error": state.error,
        "StartedAt": time(state.started),
        "FinishedAt": time(state.finished),
    });
    if let Some(health) = &state.health {
        let probes = health.log.iter().map(|probe| {
            json!({
                "Start": rfc3339(probe.start),
                "End": rfc3339(probe.end),
                "ExitCode": probe.exit_code,
                "Output": probe.output,
            })
        });
        value["Health"] = json!({
            "Status": health.status.name(),
            "FailingStreak": health.failing_streak,
            "Log": probes.collect::<Vec<_>>(),
        });
    }
    value
}

fn host_config(record: &ContainerRecord) -> Value {
    let host = &record.host;
    let ports: Map<String, Value> = host
        .port_bindings
        .iter()
        .map(|(port, bindings)| {
            let rows = bindings.iter().map(|(ip, port)| json!({ "HostIp": ip, "HostPort": port }));
            (port.clone(), rows.collect())
        })
        .collect();
    let mut map = Map::new();
    let mut set = |key: &str, value: Value| {
        map.insert(key.to_string(), value);
    };
    set("Binds", or_null(&host.binds));
    set("ContainerIDFile", json!(host.cidfile));
    set("LogConfig", json!({ "Type": host.log.driver, "Config": host.log.options }));
    set("NetworkMode", json!(host.network_mode));
    set("PortBindings", Value::Object(ports));
    set("RestartPolicy", json!({ "Name": host.restart.name, "MaximumRetryCount": host.restart.max_retries }));
    set("AutoRemove", json!(host.auto_remove));
    set("VolumeDriver", json!(host.volume_driver));
    set("VolumesFrom", or_null(&host.volumes_from));
    set("ConsoleSize", json!([host.console_size.0, host.console_size.1]));
    if !host.annotations.is_empty() {
        set("Annotations", json!(host.annotations));
    }
    set("CapAdd", or_null(&host.cap_add));
    set("CapDrop", or_null(&host.cap_drop));
    set("CgroupnsMode", json!(host.cgroupns));
    set("Dns", json!(host.dns));
    set("DnsOptions", json!(host.dns_options));
    set("DnsSearch", json!(host.dns_search));
    set("ExtraHosts", or_null(&host.extra_hosts));
    set("GroupAdd", or_null(&host.group_add));
    set("IpcMode", json!(host.ipc));
    set("Cgroup", json!(""));
    set("Links", or_null(&links(record)));
    set("OomScoreAdj", json!(host.oom_score_adj));
    set("PidMode", json!(host.pid));
    set("Privileged", json!(host.privileged));
    set("PublishAllPorts", json!(host.publish_all));
    set("ReadonlyRootfs", json!(host.read_only));
    set("SecurityOpt", security(host));
    for (key, given) in [("StorageOpt", &host.storage_opt), ("Tmpfs", &host.tmpfs)] {
        if !given.is_empty() {
            set(key, json!(given));
        }
    }
    set("UTSMode", json!(host.uts));
    set("UsernsMode", json!(host.userns));
    set("ShmSize", json!(host.shm_size));
    if !host.sysctls.is_empty() {
        set("Sysctls", json!(host.sysctls));
    }
    set("Runtime", json!(host.runtime));
    set("Isolation", json!(host.isolation));
    resources(&host.resources, &mut set);
    if !host.mounts.is_empty() {
        set("Mounts", host.mounts.iter().map(mount_spec).collect());
    }
    let masked = SecurityOptions::parse(&host.security_opt, host.privileged).is_ok_and(|s| s.masked_paths);
    let bare = if host.security_opt.iter().any(|option| unmasks(option)) { json!([]) } else { Value::Null };
    set("MaskedPaths", if masked { json!(defaults::MASKED_PATHS) } else { bare.clone() });
    set("ReadonlyPaths", if masked { json!(defaults::READONLY_PATHS) } else { bare });
    if let Some(init) = host.init {
        set("Init", json!(init));
    }
    Value::Object(map)
}

fn unmasks(option: &str) -> bool {
    option == "systempaths=unconfined"
}

/// Privileged containers carry this option without being asked.
fn security(host: &HostConfig) -> Value {
    if host.privileged && host.security_opt.is_empty() {
        return json!(["label=disable"]);
    }
    // The client takes this option out and asks for empty lists of paths instead.
    let kept: Vec<String> = host.security_opt.iter().filter(|option| !unmasks(option)).cloned().collect();
    if host.security_opt.is_empty() { Value::Null } else { json!(kept) }
}

fn links(record: &ContainerRecord) -> Vec<String> {
    let all = record.endpoints.get("bridge").map_or(&[][..], |e| &e.links);
    all.iter().filter_map(|l| l.split_once(':')).map(|(to, alias)| format!("/{to}:/{}/{alias}", record.name)).collect()
}

fn resources(r: &Resources, set: &mut impl FnMut(&str, Value)) {
    let throttles =
        |list: &[Throttle]| -> Value { list.iter().map(|t| json!({ "Path": t.path, "Rate": t.rate })).collect() };
    let weights: Value = r.blkio_weight_device.iter().map(|t| json!({ "Path": t.path, "Weight": t.rate })).collect();
    let devices = r
        .devices
        .iter()
        .map(|d| json!({ "PathOnHost": d.host, "PathInContainer": d.container, "CgroupPermissions": d.access }));
    let ulimits = r.ulimits.iter().map(|u| json!({ "Name": u.name, "Hard": u.hard, "Soft": u.soft }));
    set("CpuShares", json!(r.cpu_shares));
    set("Memory", json!(r.memory));
    set("NanoCpus", json!(r.nano_cpus));
    set("CgroupParent", json!(r.cgroup_parent));
    set("BlkioWeight", json!(r.blkio_weight));
    set("BlkioWeightDevice", weights);
    set("BlkioDeviceReadBps", throttles(&r.device_read_bps));
    set("BlkioDeviceWriteBps", throttles(&r.device_write_bps));
    set("BlkioDeviceReadIOps", throttles(&r.device_read_iops));
    set("BlkioDeviceWriteIOps", throttles(&r.device_write_iops));
    set("CpuPeriod", json!(r.cpu_period));
    set("CpuQuota", json!(r.cpu_quota));
    set("CpuRealtimePeriod", json!(r.cpu_rt_period));
    set("CpuRealtimeRuntime", json!(r.cpu_rt_runtime));
    set("CpusetCpus", json!(r.cpuset_cpus));
    set("CpusetMems", json!(r.cpuset_mems));
    set("Devices", devices.collect());
    set("DeviceCgroupRules", or_null(&r.device_cgroup_rules));
    set("DeviceRequests", Value::Null);
    set("MemoryReservation", json!(r.memory_reservation));
    set("MemorySwap", json!(r.memory_swap));
    set("MemorySwappiness", json!(r.memory_swappiness));
    set("OomKillDisable", json!(r.oom_kill_disable));
    set("PidsLimit", json!(r.pids_limit));
    set("Ulimits", ulimits.collect());
    // What Docker does not have is shown only where it was asked for.
    if let Some(rate) = r.network_rate {
        set("NetworkRate", json!(rate.0));
    }
    for key in ["CpuCount", "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth"] {
        set(key, json!(0));
    }
}

fn mount_spec(mount: &MountSpec) -> Value {
    let mut value = json!({ "Type": mount.kind });
    if !mount.source.is_empty() {
        value["Source"] = json!(mount.source);
    }
    value["Target"] = json!(mount.target);
    if mount.read_only {
        value["ReadOnly"] = json!(true);
    }
    if !mount.propagation.is_empty() || mount.non_recursive {
        value["BindOptions"] = json!({ "Propagation": mount.propagation });
    }
    if mount.no_copy || !mount.labels.is_empty() || !mount.subpath.is_empty() {
        let mut options = Map::new();
        if mount.no_copy {
            options.insert("NoCopy".into(), json!(true));
        }
        if !mount.labels.is_empty() {
            options.insert("Labels".into(), json!(mount.labels));
        }
        if !mount.subpath.is_empty() {
            options.insert("Subpath".into(), json!(mount.subpath));
        }
        value["VolumeOptions"] = Value::Object(options);
    }
    if mount.tmpfs_size.is_some() || mount.tmpfs_mode.is_some() {
        let mut options = Map::new();
        options.extend(mount.tmpfs_size.map(|n| ("SizeBytes".to_string(), json!(n))));
        options.extend(mount.tmpfs_mode.map(|n| ("Mode".to_string(), json!(n))));
        value["TmpfsOptions"] = Value::Object(options);
    }
    value
}

fn mount<W: World>(ctx: &Ctx<W>, mount: &MountPoint) -> Value {
    let mut value = json!({ "Type": mount.kind.name() });
    if mount.kind == MountKind::Volume {
        value["Name"] = json!(mount.name);
    }
    value["Source"] = json!(match mount.kind {
        MountKind::Volume => ctx.world().volume_path(&mount.name),
        _ => mount.source.clone(),
    });
    value["Destination"] = json!(mount.destination);
    if mount.kind == MountKind::Volume {
        value["Driver"] = json!("local");
    }
    value["Mode"] = json!(mount.mode);
    value["RW"] = json!(mount.writable);
    value["Propagation"] = json!(mount.propagation);
    value
}

fn config(record: &ContainerRecord) -> Value {
    let (config, image) = (&record.config, &record.config.image);
    let set_of =
        |names: Vec<&String>| -> Value { Value::Object(names.into_iter().map(|n| (n.clone(), json!({}))).collect()) };
    let mut map = Map::new();
    let mut set = |key: &str, value: Value| {
        map.insert(key.to_string(), value);
    };
    set("Hostname", json!(config.hostname));
    set("Domainname", json!(config.domainname));
    set("User", json!(image.user));
    set("AttachStdin", json!(config.attach_stdin));
    set("AttachStdout", json!(config.attach_stdout));
    set("AttachStderr", json!(config.attach_stderr));
    if !image.exposed_ports.is_empty() {
        set("ExposedPorts", set_of(image.exposed_ports.iter().collect()));
    }
    set("Tty", json!(config.tty));
    set("OpenStdin", json!(config.open_stdin));
    set("StdinOnce", json!(config.stdin_once));
    set("Env", json!(image.env));
    set("Cmd", json!(image.cmd));
    if let Some(check) = &image.healthcheck {
        set("Healthcheck", healthcheck(check));
    }
    if image.args_escaped {
        set("ArgsEscaped", json!(true));
    }
    set("Image", json!(record.image_name));
    let volumes: Vec<&String> = image.volumes.iter().collect();
    set("Volumes", if volumes.is_empty() { Value::Null } else { set_of(volumes) });
    set("WorkingDir", json!(image.working_dir));
    set("Entrypoint", json!(image.entrypoint));
    if let Some(mac) = &config.mac_address {
        set("MacAddress", json!(mac));
    }
    set("OnBuild", Value::Null);
    set("Labels", json!(record.labels()));
    if let Some(signal) = &image.stop_signal {
        set("StopSignal", json!(signal));
    }
    if let Some(timeout) = image.stop_timeout {
        set("StopTimeout", json!(timeout));
    }
    if let Some(shell) = &image.shell {
        set("Shell", json!(shell));
    }
    Value::Object(map)
}

fn healthcheck(check: &Healthcheck) -> Value {
    let mut map = Map::new();
    if !check.test.is_empty() {
        map.insert("Test".into(), json!(check.test));
    }
    let times = [
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ];
    for (key, time) in times.into_iter().filter(|(_, time)| !time.is_zero()) {
        map.insert(key.into(), json!(time.as_nanos() as u64));
    }
    if check.retries > 0 {
        map.insert("Retries".into(), json!(check.retries));
    }
    Value::Object(map)
}

/// Whether a container is in a network of a bridge: only there does Docker know of ports.
fn is_bridged<W: World>(ctx: &Ctx<W>, record: &ContainerRecord) -> bool {
    let of_bridge = |id: &str| {
        let network = ctx.world().get::<NetworkRecord>(id).ok().flatten();
        network.is_some_and(|n| n.driver == NetworkDriver::Bridge)
    };
    record.endpoints.values().any(|endpoint| of_bridge(&endpoint.network_id))
}

fn network_settings(record: &ContainerRecord, is_bridged: bool) -> Value {
    let sandbox = record.sandbox.clone().unwrap_or_default();
    let key = if sandbox.is_empty() { String::new() } else { format!("/var/run/docker/netns/{}", &sandbox[..12]) };
    let bridge = record.endpoints.get("bridge").filter(|e| e.address.is_some());
    let text = |pick: fn(&Endpoint) -> String| bridge.map_or(String::new(), pick);
    let networks: Map<String, Value> =
        record.endpoints.iter().map(|(name, e)| (name.clone(), endpoint(record, name, e))).collect();
    json!({
        "Bridge": "",
        "SandboxID": sandbox,
        "SandboxKey": key,
        "Ports": Value::Object(ports(record, is_bridged)),
        "HairpinMode": false,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": null,
        "SecondaryIPv6Addresses": null,
        "EndpointID": text(|e| e.endpoint_id.clone()),
        "Gateway": text(|e| shown(e.gateway)),
        "GlobalIPv6Address": text(|e| shown(e.address6)),
        "GlobalIPv6PrefixLen": bridge.map_or(0, |e| e.prefix6),
        "IPAddress": text(|e| shown(e.address)),
        "IPPrefixLen": bridge.map_or(0, |e| e.prefix),
        "IPv6Gateway": text(|e| shown(e.gateway6)),
        "MacAddress": text(mac),
        "Networks": Value::Object(networks),
    })
}

/// An address, or nothing.
fn shown<A: std::fmt::Display>(address: Option<A>) -> String {
    address.map_or(String::new(), |a| a.to_string())
}

fn mac(endpoint: &Endpoint) -> String {
    let bytes = endpoint.mac.map(|mac| mac.map(|b| format!("{b:02x}")));
    bytes.map_or(String::new(), |parts| parts.join(":"))
}

/// By container port: where it is published, or null where it is only exposed.
fn ports(record: &ContainerRecord, is_bridged: bool) -> Map<String, Value> {
    let mut map: BTreeMap<String, Vec<&PortBinding>> = BTreeMap::new();
    if record.is_running() && is_bridged {
        map.extend(record.config.image.exposed_ports.iter().map(|p| (p.clone(), Vec::new())));
    }
    for port in &record.ports {
        map.entry(format!("{}/{}", port.container_port, port.protocol.name())).or_default().push(port);
    }
    let rows = |bindings: Vec<&PortBinding>| -> Value {
        if bindings.is_empty() {
            return Value::Null;
        }
        bindings.iter().map(|b| json!({ "HostIp": b.host.to_string(), "HostPort": b.host_port.to_string() })).collect()
    };
    map.into_iter().map(|(port, bindings)| (port, rows(bindings))).collect()
}

fn endpoint(record: &ContainerRecord, network: &str, e: &Endpoint) -> Value {
    let mut ipam = Map::new();
    ipam.extend(e.fixed_address.map(|a| ("IPv4Address".to_string(), json!(a.to_string()))));
    ipam.extend(e.fixed_address6.map(|a| ("IPv6Address".to_string(), json!(a.to_string()))));
    if !e.link_local.is_empty() {
        ipam.insert("LinkLocalIPs".into(), e.link_local.iter().map(|a| json!(a.to_string())).collect());
    }
    let named = !matches!(network, "bridge" | "host" | "none");
    json!({
        "IPAMConfig": if ipam.is_empty() { Value::Null } else { Value::Object(ipam) },
        "Links": or_null(&e.links),
        "Aliases": or_null(&e.aliases),
        "MacAddress": mac(e),
        "DriverOpts": if e.driver_opts.is_empty() { Value::Null } else { json!(e.driver_opts) },
        "GwPriority": e.gw_priority,
        "NetworkID": e.network_id,
        "EndpointID": e.endpoint_id,
        "Gateway": shown(e.gateway),
        "IPAddress": shown(e.address),
        "IPPrefixLen": e.prefix,
        "IPv6Gateway": shown(e.gateway6),
        "GlobalIPv6Address": shown(e.address6),
        "GlobalIPv6PrefixLen": e.prefix6,
        "DNSNames": if named { json!(record.dns_names(e)) } else { Value::Null },
    })
}
