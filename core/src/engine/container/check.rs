//! What the daemon refuses in a container's settings. Source of the words: moby, daemon/container.go and
//! daemon/daemon_unix.go.

use crate::container::spec::{ContainerSpec, NetworkMode, SecurityOptions, clean, parse_bytes};
use crate::container::{ContainerConfig, HostConfig, LogConfig, Resources, RestartPolicy, defaults};
use crate::engine::{Ctx, Error, Result};
use crate::image::Healthcheck;
use crate::world::World;
use crate::world::acts::CgroupLimit;
use cutaway_userland::os::Signal;
use std::time::Duration;

fn refuse<T>(why: impl Into<String>) -> Result<T> {
    Err(Error::Daemon(why.into()))
}

/// Checks a container's settings as they were asked for.
///
/// # Errors
/// In Docker's words.
pub fn settings<W: World>(ctx: &Ctx<W>, spec: &ContainerSpec) -> Result<()> {
    let (config, host) = (&spec.config, &spec.host);
    if !config.image.working_dir.is_empty() && !config.image.working_dir.starts_with('/') {
        let dir = &config.image.working_dir;
        return refuse(format!("the working directory '{dir}' is invalid, it needs to be an absolute path"));
    }
    if let Some(signal) = &config.image.stop_signal {
        parse_signal(signal)?;
    }
    for entry in &config.image.env {
        if entry.is_empty() || entry.starts_with('=') {
            return refuse(format!("invalid environment variable: {entry}"));
        }
    }
    if let Some(check) = &config.image.healthcheck {
        healthcheck(check)?;
    }
    if host.auto_remove && !matches!(host.restart.name.as_str(), "no" | "") {
        return refuse("can't create 'AutoRemove' container with restart policy");
    }
    restart_policy(&host.restart)?;
    for hosts in &host.extra_hosts {
        if !hosts.contains(':') {
            return refuse(format!("bad format for add-host: {hosts:?}"));
        }
    }
    network(config, host, spec.networks.iter().any(|n| !n.links.is_empty()))?;
    let ipc = host.ipc.as_str();
    if !matches!(ipc, "" | "none" | "host" | "private" | "shareable") && !ipc.starts_with("container:") {
        return refuse(format!("invalid IPC mode: {ipc}"));
    }
    if !matches!(host.runtime.as_str(), "" | "runc" | "io.containerd.runc.v2") {
        return refuse(format!("unknown or invalid runtime name: {}", host.runtime));
    }
    if !matches!(host.isolation.as_str(), "" | "default") {
        return refuse(format!("invalid isolation '{}' on linux", host.isolation));
    }
    log_options(&host.log)?;
    if !(-1000..=1000).contains(&host.oom_score_adj) {
        return refuse(format!("Invalid value {}, range for oom score adj is [-1000, 1000]", host.oom_score_adj));
    }
    defaults::normal_capabilities(&host.cap_add).map_err(|e| Error::Daemon(format!("invalid CapAdd: {e}")))?;
    defaults::normal_capabilities(&host.cap_drop).map_err(|e| Error::Daemon(format!("invalid CapDrop: {e}")))?;
    for target in host.tmpfs.keys() {
        if clean(&format!("/{target}")) == "/" && !target.is_empty() {
            return refuse("invalid specification: destination can't be '/'");
        }
        if !target.starts_with('/') {
            return refuse(format!("invalid mount path: '{target}' mount path must be absolute"));
        }
    }
    if host.annotations.keys().any(String::is_empty) {
        return refuse("invalid Annotations: the empty string is not permitted as an annotation key");
    }
    SecurityOptions::parse(&host.security_opt, host.privileged)?;
    if !host.storage_opt.is_empty() {
        return refuse("--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
    }
    resources(ctx, &host.resources, None)
}

fn healthcheck(check: &Healthcheck) -> Result<()> {
    let durations = [
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ];
    match durations.into_iter().find(|(_, d)| !d.is_zero() && *d < Duration::from_millis(1)) {
        Some((what, _)) => refuse(format!("{what} in Healthcheck cannot be less than 1ms")),
        None => Ok(()),
    }
}

/// Drivers that Docker has and this engine has not: what leads to other machines or to the host's own log.
const FOREIGN_LOGS: [&str; 8] = ["awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "journald", "splunk", "syslog"];

/// Source of the words: moby, daemon/logger/factory.go and the drivers' ValidateLogOpt.
fn log_options(log: &LogConfig) -> Result<()> {
    const OF_FILES: [&str; 3] = ["compress", "max-file", "max-size"];
    const OF_JSON: [&str; 5] = ["env", "env-regex", "labels", "labels-regex", "tag"];
    let driver = if log.driver.is_empty() { "json-file" } else { &log.driver };
    if driver == "none" {
        return Ok(());
    }
    if FOREIGN_LOGS.contains(&driver) {
        return refuse(format!("logger: no log driver named '{driver}' is registered"));
    }
    if !matches!(driver, "json-file" | "local") {
        return refuse(format!("error looking up logging plugin {driver}: plugin {driver:?} not found"));
    }
    let mode = log.options.get("mode").map_or("", String::as_str);
    if !matches!(mode, "" | "blocking" | "non-blocking") {
        return refuse(format!("logger: logging mode not supported: {mode}"));
    }
    if let Some(size) = log.options.get("max-buffer-size") {
        if mode != "non-blocking" {
            return refuse("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
        }
        if let Err(why) = parse_bytes(size) {
            return refuse(format!("error parsing option max-buffer-size: {why}"));
        }
    }
    for key in log.options.keys().map(String::as_str) {
        if OF_FILES.contains(&key) || matches!(key, "mode" | "max-buffer-size") || key.starts_with("cache-") {
            continue;
        }
        match driver {
            "json-file" if OF_JSON.contains(&key) => {}
            "json-file" => return refuse(format!("unknown log opt '{key}' for json-file log driver")),
            driver => return refuse(format!("unknown log opt '{key}' for log driver {driver}")),
        }
    }
    Ok(())
}

fn network(config: &ContainerConfig, host: &HostConfig, linked: bool) -> Result<()> {
    let mode = NetworkMode::parse(&host.network_mode);
    if let NetworkMode::Container(name) = &mode {
        if name.is_empty() {
            return refuse("invalid network mode: invalid container format container:<name|id>");
        }
        if !config.hostname.is_empty() {
            return refuse("conflicting options: hostname and the network mode");
        }
        if linked {
            return refuse(
                "conflicting options: container type network can't be used with links. This would result in undefined behavior",
            );
        }
        if !host.dns.is_empty() {
            return refuse("conflicting options: dns and the network mode");
        }
        if !host.extra_hosts.is_empty() {
            return refuse("conflicting options: custom host-to-IP mapping and the network mode");
        }
        if !host.port_bindings.is_empty() || host.publish_all {
            return refuse("conflicting options: port publishing and the container type network mode");
        }
        if !config.image.exposed_ports.is_empty() {
            return refuse("conflicting options: port exposing and the container type network mode");
        }
    }
    if host.uts == "host" && !config.hostname.is_empty() {
        return refuse("conflicting options: hostname and the UTS mode");
    }
    if mode == NetworkMode::Host && linked {
        return refuse(
            "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
        );
    }
    Ok(())
}

/// Checks a restart policy.
///
/// # Errors
/// In Docker's words.
pub fn restart_policy(policy: &RestartPolicy) -> Result<()> {
    let retries = policy.max_retries;
    match policy.name.as_str() {
        "always" | "unless-stopped" | "no" | "" if retries != 0 => {
            let negative = if retries < 0 { " and cannot be negative" } else { "" };
            refuse(format!("invalid restart policy: maximum retry count can only be used with 'on-failure'{negative}"))
        }
        "always" | "unless-stopped" | "no" | "" => Ok(()),
        "on-failure" if retries < 0 => refuse("invalid restart policy: maximum retry count cannot be negative"),
        "on-failure" => Ok(()),
        name => refuse(format!(
            "invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )),
    }
}

/// Checks limits. `before` are those in force where they are to be changed.
///
/// # Errors
/// In Docker's words.
pub fn resources<W: World>(ctx: &Ctx<W>, asked: &Resources, before: Option<&Resources>) -> Result<()> {
    if asked.memory != 0 && asked.memory < defaults::LEAST_MEMORY {
        return refuse("Minimum memory limit allowed is 6MB");
    }
    if asked.memory > 0 && asked.memory_swap > 0 && asked.memory_swap < asked.memory {
        return refuse("Minimum memoryswap limit should be larger than memory limit, see usage");
    }
    if asked.memory == 0 && asked.memory_swap > 0 && before.is_none() {
        return refuse("You should always set the Memory limit when using Memoryswap limit, see usage");
    }
    if asked.memory_reservation > 0 && asked.memory_reservation < defaults::LEAST_MEMORY {
        return refuse("Minimum memory reservation allowed is 6MB");
    }
    if asked.memory > 0 && asked.memory_reservation > 0 && asked.memory < asked.memory_reservation {
        return refuse("Minimum memory limit can not be less than memory reservation limit, see usage");
    }
    if asked.pids_limit.is_some_and(|n| n < -1) {
        return refuse("Invalid PIDs limit");
    }
    processors(ctx, asked)?;
    if asked.blkio_weight > 0 && !(10..=1000).contains(&asked.blkio_weight) {
        return refuse("Range of blkio weight is from 10 to 1000");
    }
    Ok(())
}

/// Takes out limits that this machine can't hold, with a warning for each. Source of the words: moby,
/// daemon/daemon_unix.go, verifyPlatformContainerResources.
pub(super) fn drop_unsupported<W: World>(ctx: &Ctx<W>, r: &mut Resources) -> Vec<&'static str> {
    let lacks = |limit: CgroupLimit| ctx.world().lacks(&limit);
    let mut warnings = Vec::new();
    if r.memory_swappiness.is_some() && lacks(CgroupLimit::Swappiness(0)) {
        r.memory_swappiness = None;
        warnings.push("Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.");
    }
    if r.oom_kill_disable && lacks(CgroupLimit::OomKillDisable) {
        r.oom_kill_disable = false;
        warnings.push("Your kernel does not support OomKillDisable. OomKillDisable discarded.");
    }
    if r.oom_kill_disable && r.memory == 0 {
        warnings.push("OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.");
    }
    if r.blkio_weight > 0 && lacks(CgroupLimit::BlkioWeight(0)) {
        r.blkio_weight = 0;
        warnings.push("Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.");
    }
    let of_device = CgroupLimit::BlkioWeightDevice { device: String::new(), weight: 0 };
    if !r.blkio_weight_device.is_empty() && lacks(of_device) {
        r.blkio_weight_device.clear();
        warnings.push("Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.");
    }
    warnings
}

fn processors<W: World>(ctx: &Ctx<W>, asked: &Resources) -> Result<()> {
    let there = ctx.world().host().cpus;
    if asked.nano_cpus > 0 && asked.cpu_period > 0 {
        return refuse("Conflicting options: Nano CPUs and CPU Period cannot both be set");
    }
    if asked.nano_cpus > 0 && asked.cpu_quota > 0 {
        return refuse("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
    }
    if asked.nano_cpus < 0 || asked.nano_cpus > i64::from(there) * 1_000_000_000 {
        return refuse(format!("range of CPUs is from 0.01 to {there}.00, as there are only {there} CPUs available"));
    }
    if asked.cpu_shares < 0 {
        return refuse(format!("invalid CPU shares ({}): value must be a positive integer", asked.cpu_shares));
    }
    if asked.cpu_period != 0 && !(1000..=1_000_000).contains(&asked.cpu_period) {
        return refuse("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
    }
    if asked.cpu_quota > 0 && asked.cpu_quota < 1000 {
        return refuse("CPU cfs quota can not be less than 1ms (i.e. 1000)");
    }
    for (what, text) in [("cpus", &asked.cpuset_cpus), ("mems", &asked.cpuset_mems)] {
        let numbers =
            set_of(text).map_err(|why| Error::Daemon(format!("Invalid value {text} for cpuset {what}: {why}")))?;
        let limit = if what == "cpus" { there } else { 1 };
        if numbers.iter().any(|n| *n >= limit) {
            let (name, there) = if what == "cpus" { ("CPUs", there) } else { ("memory nodes", 1) };
            let available = if there > 1 { format!("0-{}", there - 1) } else { "0".into() };
            return refuse(format!("Requested {name} are not available - requested {text}, available: {available}"));
        }
    }
    Ok(())
}

/// `0-2,7` as numbers. Source of the words: moby, pkg/parsers.
fn set_of(text: &str) -> std::result::Result<Vec<u32>, String> {
    let bad = || format!("invalid format: {text}");
    let mut numbers = Vec::new();
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (u32, u32) = (from.parse().map_err(|_| bad())?, to.parse().map_err(|_| bad())?);
        if to < from {
            return Err(bad());
        }
        if to > 8192 {
            return Err("value of out range, maximum is 8192".into());
        }
        numbers.extend(from..=to);
    }
    Ok(numbers)
}

/// A signal as people write it.
///
/// # Errors
/// `Invalid signal: x`.
pub fn parse_signal(text: &str) -> Result<Signal> {
    match Signal::parse(text).filter(|s| s.0 != 0) {
        Some(signal) => Ok(signal),
        None => refuse(format!("invalid signal: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies() {
        let policy = |name: &str, max_retries| RestartPolicy { name: name.into(), max_retries };
        assert_eq!(restart_policy(&policy("on-failure", 3)), Ok(()));
        assert!(restart_policy(&policy("sometimes", 0)).is_err());
        assert!(restart_policy(&policy("always", 3)).is_err());
        assert_eq!(set_of("0-2,7"), Ok(vec![0, 1, 2, 7]));
        assert_eq!(set_of("3-1"), Err("invalid format: 3-1".into()));
        assert_eq!(set_of("9999"), Err("value of out range, maximum is 8192".into()));
        assert_eq!(parse_signal("sigusr1").map(|s| s.0), Ok(10));
    }
}
