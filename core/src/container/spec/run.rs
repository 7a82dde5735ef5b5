//! The flags of `docker run` and `docker create`, read in the order in which Docker's client checks them.

use super::mounts::{absolute, clean};
use super::networks::parse_mac;
use super::*;
use crate::cli::Args;
use crate::container::{ContainerConfig, HostConfig, LogConfig, MountPoint, Resources, RestartPolicy, defaults};
use crate::image::{Healthcheck, ImageConfig};
use crate::network::Rate;
use crate::view::go_json;
use cutaway_userland::sorted::Arrange;
use cutaway_userland::sorted::{Map as BTreeMap, Set as BTreeSet};
use std::time::Duration;

/// A container as asked for, before the image's configuration is merged in. Compose and the API make these, too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerSpec {
    pub name: Option<String>,
    pub image: String,
    pub platform: Option<String>,
    pub config: ContainerConfig,
    pub host: HostConfig,
    /// The first is the one of `host.network_mode`.
    pub networks: Vec<NetworkRequest>,
}

/// What concerns the command and not the container.
#[derive(Clone, Debug, PartialEq)]
pub struct RunOptions {
    pub spec: ContainerSpec,
    /// `always`, `missing` or `never`; unchecked.
    pub pull: String,
    pub detach: bool,
    pub quiet: bool,
    pub signal_proxy: bool,
    pub detach_keys: Option<String>,
}

/// Client files that the flags name; [`parse_run`] wants their contents.
pub fn files_named(args: &Args) -> Vec<String> {
    let seccomp = args.values("security-opt").iter().filter_map(|o| o.strip_prefix("seccomp="));
    let seccomp = seccomp.filter(|p| !matches!(*p, "unconfined" | "builtin" | "default")).map(str::to_string);
    args.values("env-file").iter().chain(args.values("label-file")).cloned().chain(seccomp).collect()
}

/// What [`parse_run`] needs of the client.
pub struct Surroundings<'a> {
    pub files: BTreeMap<String, Vec<u8>>,
    pub env: &'a dyn Fn(&str) -> Option<String>,
    pub cwd: String,
}

/// Reads the parsed line of `run` or `create`, whose flags `cli` has checked one by one.
pub fn parse_run(args: &Args, around: &Surroundings) -> Result<RunOptions, SpecError> {
    let detach = args.flag("detach");
    let mut host = host_config(args, around)?;
    let config = container_config(args, around, detach, &mut host)?;
    let networks = networks(args)?;
    host.network_mode = networks.first().map_or("bridge".into(), |n| match n.name.as_str() {
        "default" => "bridge".into(),
        name => name.to_string(),
    });
    if host.auto_remove && !matches!(host.restart.name.as_str(), "" | "no") {
        return Err(SpecError::client("conflicting options: cannot specify both --restart and --rm"));
    }
    let spec = ContainerSpec {
        name: args.value("name").filter(|n| !n.is_empty()).map(str::to_string),
        image: args.word(0).to_string(),
        platform: args.value("platform").filter(|p| !p.is_empty()).map(str::to_string),
        config,
        host,
        networks,
    };
    Ok(RunOptions {
        spec,
        pull: args.value("pull").unwrap_or("missing").to_string(),
        detach,
        quiet: args.flag("quiet"),
        signal_proxy: args.flag_or("sig-proxy", true),
        detach_keys: args.value("detach-keys").map(str::to_string),
    })
}

/// `name=value` pairs as a map; a name alone has an empty value.
fn pairs(values: &[String]) -> BTreeMap<String, String> {
    values.iter().map(|v| v.split_once('=').map_or((v.clone(), String::new()), |(k, v)| (k.into(), v.into()))).collect()
}

fn container_config(
    args: &Args,
    around: &Surroundings,
    detach: bool,
    host: &mut HostConfig,
) -> Result<ContainerConfig, SpecError> {
    if let Some(mac) = args.value("mac-address").filter(|m| !m.is_empty() && parse_mac(m).is_none()) {
        return Err(SpecError::client(format!("{mac} is not a valid mac address")));
    }
    let (stdin, tty) = (args.flag("interactive"), args.flag("tty"));
    let attach: Vec<String> = args.values("attach").iter().map(|a| a.to_lowercase()).collect();
    let attached =
        |stream: &str| attach.iter().any(|a| a == stream) || (attach.is_empty() && !detach && stream != "stdin");
    let mut image = ImageConfig {
        user: args.value("user").unwrap_or("").into(),
        working_dir: args.value("workdir").unwrap_or("").into(),
        env: environment(args, around)?,
        labels: labels(args, around)?,
        stop_signal: args.value("stop-signal").filter(|s| !s.is_empty()).map(str::to_string),
        stop_timeout: args.number("stop-timeout"),
        healthcheck: healthcheck(args)?,
        ..ImageConfig::default()
    };
    if args.positionals.len() > 1 {
        image.cmd = Some(args.positionals[1..].to_vec());
    }
    if let Some(entrypoint) = args.value("entrypoint") {
        image.entrypoint = Some(vec![entrypoint.to_string()]);
    }
    for value in args.values("volume") {
        check_bind(value)?;
        match value.split_once(':') {
            None => {
                image.volumes.insert(value.clone());
            }
            Some((source, rest)) => {
                let relative = source.starts_with('.');
                let source = if relative { absolute(&around.cwd, source) } else { source.to_string() };
                host.binds.push(format!("{source}:{rest}"));
            }
        }
    }
    for value in args.values("publish") {
        for port in parse_publish(value).map_err(SpecError::Client)? {
            image.exposed_ports.insert(port.container.clone());
            host.port_bindings.entry(port.container).or_default().push((port.host_ip, port.host_port));
        }
    }
    for value in args.values("expose") {
        image.exposed_ports.extend(parse_expose(value).map_err(SpecError::Client)?);
    }
    Ok(ContainerConfig {
        image,
        hostname: args.value("hostname").unwrap_or("").into(),
        domainname: args.value("domainname").unwrap_or("").into(),
        tty,
        open_stdin: stdin,
        stdin_once: stdin && !detach && (attach.is_empty() || attached("stdin")),
        attach_stdin: attached("stdin") || (stdin && !detach && attach.is_empty()),
        attach_stdout: attached("stdout"),
        attach_stderr: attached("stderr"),
        mac_address: args.value("mac-address").filter(|m| !m.is_empty()).map(str::to_string),
    })
}

fn file<'a>(around: &'a Surroundings, path: &str) -> Result<&'a [u8], SpecError> {
    let missing = || SpecError::client(format!("open {path}: no such file or directory"));
    around.files.get(path).map(Vec::as_slice).ok_or_else(missing)
}

/// Those of `--env-file` first, then those of `-e`; a name alone takes the client's value or is dropped.
fn environment(args: &Args, around: &Surroundings) -> Result<Vec<String>, SpecError> {
    let mut env = Vec::new();
    for path in args.values("env-file") {
        env.extend(read_env_lines(path, file(around, path)?, around.env).map_err(SpecError::Client)?);
    }
    env.extend(args.values("env").iter().filter_map(|value| {
        if value.contains('=') { Some(value.clone()) } else { (around.env)(value).map(|v| format!("{value}={v}")) }
    }));
    Ok(env)
}

fn labels(args: &Args, around: &Surroundings) -> Result<Option<BTreeMap<String, String>>, SpecError> {
    let mut all = Vec::new();
    for path in args.values("label-file") {
        all.extend(read_env_lines(path, file(around, path)?, |_| Some(String::new())).map_err(SpecError::Client)?);
    }
    all.extend(args.values("label").iter().cloned());
    Ok((!all.is_empty()).then(|| pairs(&all)))
}

fn healthcheck(args: &Args) -> Result<Option<Healthcheck>, SpecError> {
    let duration = |name: &str| -> Result<Duration, SpecError> {
        match args.value(name).map(parse_duration).transpose().map_err(SpecError::Client)?.unwrap_or(0) {
            ns if ns < 0 => Err(SpecError::client(format!("--{name} cannot be negative"))),
            ns => Ok(Duration::from_nanos(ns as u64)),
        }
    };
    let command = args.value("health-cmd").unwrap_or("");
    let names = [
        "health-cmd",
        "health-interval",
        "health-timeout",
        "health-start-period",
        "health-start-interval",
        "health-retries",
    ];
    let given = names.iter().any(|n| args.value(n).is_some_and(|v| !matches!(v, "" | "0" | "0s")));
    if args.flag("no-healthcheck") {
        if given {
            return Err(SpecError::client("--no-healthcheck conflicts with --health-* options"));
        }
        return Ok(Some(Healthcheck { test: vec!["NONE".into()], ..Healthcheck::default() }));
    }
    if !given {
        return Ok(None);
    }
    let retries = args.number("health-retries").unwrap_or(0);
    let check = Healthcheck {
        test: if command.is_empty() { Vec::new() } else { vec!["CMD-SHELL".into(), command.into()] },
        interval: duration("health-interval")?,
        timeout: duration("health-timeout")?,
        start_period: duration("health-start-period")?,
        start_interval: duration("health-start-interval")?,
        retries: u32::try_from(retries).map_err(|_| SpecError::client("--health-retries cannot be negative"))?,
    };
    Ok(Some(check))
}

fn host_config(args: &Args, around: &Surroundings) -> Result<HostConfig, SpecError> {
    let text = |name: &str| args.value(name).unwrap_or("").to_string();
    let list = |name: &str| args.values(name).to_vec();
    let swappiness = args.number("memory-swappiness").filter(|n| *n != -1);
    if let Some(n) = swappiness.filter(|n| !(0..=100).contains(n)) {
        return Err(SpecError::client(format!("invalid value: {n}. Valid memory swappiness range is 0-100")));
    }
    let mode = |name: &str, prefixes: &[&str], what: &str| {
        let value = text(name);
        let fine = value.is_empty()
            || value == "host"
            || prefixes.iter().any(|p| value.starts_with(p) && value != "container:");
        if fine { Ok(value) } else { Err(SpecError::client(format!("--{name}: invalid {what} mode"))) }
    };
    let (pid, uts, userns) =
        (mode("pid", &["container:"], "PID")?, mode("uts", &[], "UTS")?, mode("userns", &[], "USER")?);
    let cgroupns = mode("cgroupns", &["private"], "CGROUP")?;
    let restart = parse_restart(args.value("restart").unwrap_or("no")).map_err(SpecError::Client)?;
    let driver = args.value("log-driver").filter(|d| !d.is_empty()).unwrap_or("json-file").to_string();
    let options = pairs(args.values("log-opt"));
    if driver == "none" && !options.is_empty() {
        return Err(SpecError::client("invalid logging opts for driver none"));
    }
    if args.values("storage-opt").iter().any(|o| !o.contains('=')) {
        return Err(SpecError::client("invalid storage option"));
    }
    let tmpfs = args.values("tmpfs").iter().map(|t| t.split_once(':').unwrap_or((t, "")));
    Ok(HostConfig {
        mounts: mounts(args, &around.cwd)?,
        cidfile: text("cidfile"),
        log: LogConfig { driver, options },
        restart,
        auto_remove: args.flag("rm"),
        volume_driver: text("volume-driver"),
        volumes_from: list("volumes-from"),
        annotations: pairs(args.values("annotation")),
        cap_add: list("cap-add"),
        cap_drop: list("cap-drop"),
        cgroupns,
        dns: list("dns"),
        dns_options: list("dns-option"),
        dns_search: list("dns-search"),
        extra_hosts: extra_hosts(args),
        group_add: list("group-add"),
        ipc: text("ipc"),
        oom_score_adj: args.number("oom-score-adj").unwrap_or(0) as i32,
        pid,
        privileged: args.flag("privileged"),
        publish_all: args.flag("publish-all"),
        read_only: args.flag("read-only"),
        security_opt: security(args, around)?,
        storage_opt: pairs(args.values("storage-opt")),
        tmpfs: tmpfs.map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        uts,
        userns,
        shm_size: args
            .value("shm-size")
            .and_then(|v| parse_bytes(v).ok())
            .filter(|n| *n > 0)
            .unwrap_or(defaults::SHM_SIZE),
        sysctls: pairs(args.values("sysctl")),
        runtime: text("runtime"),
        isolation: text("isolation"),
        init: args.given("init").then(|| args.flag("init")),
        gpus: text("gpus"),
        resources: resources(args, swappiness)?,
        ..HostConfig::default()
    })
}

fn mounts(args: &Args, cwd: &str) -> Result<Vec<MountSpec>, SpecError> {
    args.values("mount").iter().map(|v| parse_mount(v, cwd).map_err(SpecError::flag("--mount", v))).collect()
}

/// As `name:address`, whichever of `=` and `:` was typed.
fn extra_hosts(args: &Args) -> Vec<String> {
    let normal = |v: &String| v.split_once('=').map_or(v.clone(), |(name, ip)| format!("{name}:{ip}"));
    args.values("add-host").iter().map(normal).map(|v| v.replace(['[', ']'], "")).collect()
}

/// Security options, a seccomp profile's file replaced by its text.
fn security(args: &Args, around: &Surroundings) -> Result<Vec<String>, SpecError> {
    let mut options = Vec::new();
    for option in args.values("security-opt") {
        if option == "no-new-privileges" {
            options.push(option.clone());
            continue;
        }
        let Some((key, value)) =
            option.split_once('=').or_else(|| option.split_once(':')).filter(|(_, v)| !v.is_empty())
        else {
            return Err(SpecError::client(format!("Invalid --security-opt: {option:?}")));
        };
        if key == "seccomp" && !matches!(value, "unconfined" | "builtin" | "default") {
            let bytes = around.files.get(value).ok_or_else(|| {
                SpecError::client(format!(
                    "opening seccomp profile ({value}) failed: open {value}: no such file or directory"
                ))
            })?;
            let json: serde_json::Value = serde_json::from_slice(bytes)
                .map_err(|e| go_json::problem(bytes).unwrap_or_else(|| e.to_string()))
                .map_err(|e| SpecError::client(format!("compacting json for seccomp profile ({value}) failed: {e}")))?;
            options.push(format!("seccomp={json}"));
        } else {
            options.push(option.clone());
        }
    }
    Ok(options)
}

fn resources(args: &Args, memory_swappiness: Option<i64>) -> Result<Resources, SpecError> {
    let bytes = |name: &str| args.value(name).and_then(|v| parse_signed_bytes(v).ok()).unwrap_or(0);
    let number = |name: &str| args.number(name).unwrap_or(0);
    fn all<T>(values: &[String], parse: fn(&str) -> Result<T, String>) -> Result<Vec<T>, SpecError> {
        values.iter().map(|v| parse(v).map_err(SpecError::Client)).collect()
    }
    let mut ulimits = all(args.values("ulimit"), parse_ulimit)?;
    ulimits.arrange_by(|a, b| a.name.cmp(&b.name));
    Ok(Resources {
        cpu_shares: number("cpu-shares"),
        memory: bytes("memory"),
        nano_cpus: args.value("cpus").and_then(|v| parse_nano_cpus(v).ok()).unwrap_or(0),
        cgroup_parent: args.value("cgroup-parent").unwrap_or("").into(),
        blkio_weight: number("blkio-weight") as u16,
        blkio_weight_device: all(args.values("blkio-weight-device"), parse_weight_device)?,
        device_read_bps: all(args.values("device-read-bps"), parse_throttle_bytes)?,
        device_write_bps: all(args.values("device-write-bps"), parse_throttle_bytes)?,
        device_read_iops: all(args.values("device-read-iops"), parse_throttle_count)?,
        device_write_iops: all(args.values("device-write-iops"), parse_throttle_count)?,
        cpu_period: number("cpu-period"),
        cpu_quota: number("cpu-quota"),
        cpu_rt_period: number("cpu-rt-period"),
        cpu_rt_runtime: number("cpu-rt-runtime"),
        cpuset_cpus: args.value("cpuset-cpus").unwrap_or("").into(),
        cpuset_mems: args.value("cpuset-mems").unwrap_or("").into(),
        devices: all(args.values("device"), parse_device)?,
        device_cgroup_rules: args.values("device-cgroup-rule").to_vec(),
        memory_reservation: bytes("memory-reservation"),
        memory_swap: bytes("memory-swap"),
        memory_swappiness,
        oom_kill_disable: args.flag("oom-kill-disable"),
        pids_limit: args.number("pids-limit"),
        ulimits,
        network_rate: args.value("network-rate").map_or(Ok(None), Rate::parse).map_err(SpecError::Client)?,
    })
}

/// `always`, `on-failure:3`. Whether there is such a policy is for the daemon to say.
pub fn parse_restart(text: &str) -> Result<RestartPolicy, String> {
    let (name, count) = text.split_once(':').map_or((text, None), |(n, c)| (n, Some(c)));
    if name.is_empty() && count.is_some() {
        return Err("invalid restart policy format: no policy provided before colon".into());
    }
    let max_retries = match count {
        None => 0,
        Some(count) => {
            count.parse().map_err(|_| "invalid restart policy format: maximum retry count must be an integer")?
        }
    };
    Ok(RestartPolicy { name: if name.is_empty() { "no".into() } else { name.into() }, max_retries })
}

/// The networks, with what `--network-alias`, `--ip` and the like say put into the first.
fn networks(args: &Args) -> Result<Vec<NetworkRequest>, SpecError> {
    let conflict = |a: &str, b: &str| {
        Err(SpecError::client(format!("conflicting options: cannot specify both {a} and per-network {b}")))
    };
    let mut all: Vec<NetworkRequest> = Vec::new();
    for value in args.values("network") {
        let request = parse_network(value).map_err(SpecError::flag("--network", value))?;
        if request.name.is_empty() && !value.contains('=') {
            return Err(SpecError::client("no name set for network"));
        }
        if all.iter().any(|n| n.name == request.name) {
            return Err(SpecError::client(format!("network {:?} is specified multiple times", request.name)));
        }
        all.push(request);
    }
    if all.is_empty() {
        all.push(NetworkRequest { name: "bridge".into(), ..NetworkRequest::default() });
    }
    let own = |n: &&NetworkRequest| NetworkMode::parse(&n.name).is_user_defined();
    if all.iter().any(|n| own(&n)) && all.iter().any(|n| !own(&n)) {
        let why = "cannot attach both user-defined and non-user-defined network-modes";
        return Err(SpecError::client(format!("conflicting options: {why}")));
    }
    let first = &mut all[0];
    let (aliases, ip, ip6) = (args.values("network-alias"), args.value("ip"), args.value("ip6"));
    if !aliases.is_empty() && !first.aliases.is_empty() {
        return conflict("--network-alias", "alias");
    }
    if ip.is_some() && !first.ip.is_empty() {
        return conflict("--ip", "IPv4 address");
    }
    if ip6.is_some() && !first.ip6.is_empty() {
        return conflict("--ip6", "IPv6 address");
    }
    let near = args.values("link-local-ip");
    if !near.is_empty() && !first.link_local_ips.is_empty() {
        return conflict("--link-local-ip", "link-local IP addresses");
    }
    if args.value("mac-address").is_some_and(|mac| !mac.is_empty()) && !first.mac.is_empty() {
        return conflict("--mac-address", "MAC address");
    }
    first.aliases.extend(aliases.iter().cloned());
    first.links.extend(args.values("link").iter().cloned());
    first.ip.push_str(ip.unwrap_or(""));
    first.ip6.push_str(ip6.unwrap_or(""));
    first.link_local_ips.extend(near.iter().cloned());
    if first.mac.is_empty() {
        first.mac.push_str(args.value("mac-address").unwrap_or(""));
    }
    for request in &all {
        if !request.aliases.is_empty() && !NetworkMode::parse(&request.name).is_user_defined() {
            let why = "network-scoped aliases are only supported for user-defined networks";
            return Err(SpecError::client(why));
        }
        if !request.mac.is_empty() && parse_mac(&request.mac).is_none() {
            return Err(SpecError::client(format!("{} is not a valid mac address", request.mac)));
        }
    }
    Ok(all)
}

/// Puts the image's configuration under the one that was asked for. Source: moby, daemon/commit.go, merge.
pub fn merge_image(asked: &ImageConfig, image: &ImageConfig) -> ImageConfig {
    let mut merged = asked.clone();
    let or = |a: &str, b: &str| if a.is_empty() { b.to_string() } else { a.to_string() };
    merged.user = or(&asked.user, &image.user);
    merged.working_dir = or(&asked.working_dir, &image.working_dir);
    merged.exposed_ports.extend(image.exposed_ports.iter().cloned());
    merged.volumes.extend(image.volumes.iter().cloned());
    let names: BTreeSet<&str> = asked.env.iter().filter_map(|e| e.split('=').next()).collect();
    merged.env.extend(image.env.iter().filter(|e| !names.contains(e.split('=').next().unwrap_or(""))).cloned());
    if let Some(labels) = &image.labels {
        let mut all = labels.clone();
        all.extend(asked.labels.clone().unwrap_or_default());
        merged.labels = Some(all);
    }
    if asked.entrypoint.is_none() {
        if asked.cmd.is_none() {
            merged.cmd = image.cmd.clone();
            merged.args_escaped = image.args_escaped;
        }
        merged.entrypoint = image.entrypoint.clone();
    }
    merged.healthcheck = merge_healthcheck(asked.healthcheck.as_ref(), image.healthcheck.as_ref());
    merged.stop_signal = asked.stop_signal.clone().or_else(|| image.stop_signal.clone());
    merged.stop_timeout = asked.stop_timeout.or(image.stop_timeout);
    merged.shell = image.shell.clone();
    merged.on_build = Vec::new();
    merged
}

fn merge_healthcheck(asked: Option<&Healthcheck>, image: Option<&Healthcheck>) -> Option<Healthcheck> {
    let (Some(asked), Some(image)) = (asked, image) else { return asked.or(image).cloned() };
    let or = |a: Duration, b: Duration| if a.is_zero() { b } else { a };
    Some(Healthcheck {
        test: if asked.test.is_empty() { image.test.clone() } else { asked.test.clone() },
        interval: or(asked.interval, image.interval),
        timeout: or(asked.timeout, image.timeout),
        start_period: or(asked.start_period, image.start_period),
        start_interval: or(asked.start_interval, image.start_interval),
        retries: if asked.retries == 0 { image.retries } else { asked.retries },
    })
}

impl ContainerSpec {
    /// Its mounts without those of `--volumes-from` and of the image: later ones do not replace earlier ones.
    pub fn mount_points(&self) -> Result<Vec<MountPoint>, SpecError> {
        let mut points: Vec<MountPoint> = Vec::new();
        let binds = self.host.binds.iter().map(|b| parse_bind(b));
        for point in binds.chain(self.host.mounts.iter().map(MountSpec::point)) {
            let point = point?;
            let taken = points.iter().any(|p| p.destination == point.destination);
            if taken || self.host.tmpfs.keys().any(|t| clean(t) == point.destination) {
                return Err(SpecError::daemon(format!("Duplicate mount point: {}", point.destination)));
            }
            points.push(point);
        }
        Ok(points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(flags: &[(&str, &str)], words: &[&str]) -> Result<RunOptions, SpecError> {
        let mut args = Args { positionals: words.iter().map(|w| w.to_string()).collect(), ..Args::default() };
        for (name, value) in flags {
            args.flags.entry(name.to_string()).or_default().push(value.to_string());
        }
        let env = |name: &str| (name == "HOME").then(|| "/root".to_string());
        parse_run(&args, &Surroundings { files: BTreeMap::new(), env: &env, cwd: "/w".into() })
    }

    #[test]
    fn a_whole_line() {
        let run = parse(
            &[
                ("env", "A=1"),
                ("env", "HOME"),
                ("env", "LOST"),
                ("volume", "./x:/y"),
                ("volume", "/scratch"),
                ("publish", "8080:80"),
                ("restart", "on-failure:3"),
            ],
            &["busybox", "sleep", "9"],
        )
        .expect("a run");
        let ContainerSpec { config, host, image, .. } = run.spec;
        assert_eq!(image, "busybox");
        assert_eq!(config.image.env, ["A=1", "HOME=/root"]);
        assert_eq!(config.image.cmd, Some(vec!["sleep".into(), "9".into()]));
        assert_eq!(host.binds, ["/w/x:/y"]);
        assert!(config.image.volumes.contains("/scratch"));
        assert_eq!(host.port_bindings["80/tcp"], [("".to_string(), "8080".to_string())]);
        assert_eq!(host.restart, RestartPolicy { name: "on-failure".into(), max_retries: 3 });
        assert_eq!((config.attach_stdin, config.attach_stdout), (false, true));
    }

    #[test]
    fn refusals() {
        let client = |text: &str| SpecError::client(text);
        for (flags, expected) in [
            (
                vec![("restart", "always"), ("rm", "true")],
                client("conflicting options: cannot specify both --restart and --rm"),
            ),
            (
                vec![("network-alias", "x")],
                client("network-scoped aliases are only supported for user-defined networks"),
            ),
            (
                vec![("network", "name=a,mac-address=02:42:ac:11:00:02"), ("mac-address", "02:42:ac:11:00:03")],
                client("conflicting options: cannot specify both --mac-address and per-network MAC address"),
            ),
            (
                vec![("network", "name=a,link-local-ip=169.254.0.2"), ("link-local-ip", "169.254.0.3")],
                client(
                    "conflicting options: cannot specify both --link-local-ip and per-network link-local IP addresses",
                ),
            ),
            (
                vec![("network", "a"), ("network", "bridge")],
                client("conflicting options: cannot attach both user-defined and non-user-defined network-modes"),
            ),
            (vec![("network", "a"), ("network", "a")], client("network \"a\" is specified multiple times")),
            (vec![("publish", "99999:1")], client("Invalid hostPort: 99999")),
            (vec![("pid", "foo")], client("--pid: invalid PID mode")),
            (
                vec![("no-healthcheck", "true"), ("health-cmd", "x")],
                client("--no-healthcheck conflicts with --health-* options"),
            ),
            (vec![("security-opt", "foo")], client("Invalid --security-opt: \"foo\"")),
            (vec![("env-file", "nofile")], client("open nofile: no such file or directory")),
        ] {
            assert_eq!(parse(&flags, &["busybox"]), Err(expected), "{flags:?}");
        }
    }
}
