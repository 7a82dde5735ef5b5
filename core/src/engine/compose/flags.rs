//! A service's attributes as flags of `docker create`: what needs nothing but the attribute itself.

use crate::compose::{text, texts};
use crate::container::spec::parse_duration;
use crate::image::Healthcheck;
use serde_json::{Map, Value};
use std::time::Duration;

/// Attributes that are one flag with one value.
const FLAGS: &[(&str, &str)] = &[
    ("cgroup_parent", "cgroup-parent"),
    ("cpu_period", "cpu-period"),
    ("cpu_quota", "cpu-quota"),
    ("cpu_rt_period", "cpu-rt-period"),
    ("cpu_rt_runtime", "cpu-rt-runtime"),
    ("cpu_shares", "cpu-shares"),
    ("cpus", "cpus"),
    ("cpuset", "cpuset-cpus"),
    ("domainname", "domainname"),
    ("hostname", "hostname"),
    ("isolation", "isolation"),
    ("mac_address", "mac-address"),
    ("mem_limit", "memory"),
    ("mem_reservation", "memory-reservation"),
    ("mem_swappiness", "memory-swappiness"),
    ("memswap_limit", "memory-swap"),
    ("oom_score_adj", "oom-score-adj"),
    ("pids_limit", "pids-limit"),
    ("platform", "platform"),
    ("runtime", "runtime"),
    ("shm_size", "shm-size"),
    ("stop_signal", "stop-signal"),
    ("user", "user"),
    ("userns_mode", "userns"),
    ("working_dir", "workdir"),
];

/// Attributes that are on or off.
const SWITCHES: &[(&str, &str)] = &[
    ("init", "init"),
    ("oom_kill_disable", "oom-kill-disable"),
    ("privileged", "privileged"),
    ("read_only", "read-only"),
    ("stdin_open", "interactive"),
    ("tty", "tty"),
];

/// Lists whose items are a flag each.
const LISTS: &[(&str, &str)] = &[
    ("cap_add", "cap-add"),
    ("cap_drop", "cap-drop"),
    ("device_cgroup_rules", "device-cgroup-rule"),
    ("dns", "dns"),
    ("dns_opt", "dns-option"),
    ("dns_search", "dns-search"),
    ("expose", "expose"),
    ("group_add", "group-add"),
    ("security_opt", "security-opt"),
    ("tmpfs", "tmpfs"),
];

/// Maps whose pairs are a flag each.
const PAIRS: &[(&str, &str)] = &[
    ("annotations", "annotation"),
    ("environment", "env"),
    ("labels", "label"),
    ("storage_opt", "storage-opt"),
    ("sysctls", "sysctl"),
];

/// The words of a `docker create`.
pub(super) struct Words(pub Vec<String>);

impl Words {
    pub fn flag(&mut self, name: &str, value: impl AsRef<str>) {
        self.0.push(format!("--{name}={}", value.as_ref()));
    }
}

pub(super) fn list<'a>(attributes: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = &'a Value> {
    attributes.get(key).and_then(Value::as_array).into_iter().flatten()
}

pub(super) fn joined(source: &str, target: &str, options: &[String]) -> String {
    let options = if options.is_empty() { String::new() } else { format!(":{}", options.join(",")) };
    format!("{source}:{target}{options}")
}

/// What is a flag or a list of flags, by the tables; and the rest that needs no project.
pub(super) fn simple(attributes: &Map<String, Value>, words: &mut Words) {
    for (key, flag) in FLAGS {
        if let Some(value) = attributes.get(*key) {
            words.flag(flag, text(value));
        }
    }
    for (key, flag) in SWITCHES {
        if attributes.get(*key) == Some(&Value::Bool(true)) {
            words.flag(flag, "true");
        }
    }
    for (key, flag) in LISTS {
        for value in texts(attributes.get(*key)) {
            words.flag(flag, value);
        }
    }
    for (key, flag) in PAIRS {
        for (name, value) in attributes.get(*key).and_then(Value::as_object).into_iter().flatten() {
            if !value.is_null() {
                words.flag(flag, format!("{name}={}", text(value)));
            }
        }
    }
    for host in texts(attributes.get("extra_hosts")) {
        words.flag("add-host", host.replacen('=', ":", 1));
    }
    for device in list(attributes, "devices") {
        let get = |key: &str| device.get(key).map(text).unwrap_or_default();
        words.flag("device", format!("{}:{}:{}", get("source"), get("target"), get("permissions")));
    }
    for (name, limit) in attributes.get("ulimits").and_then(Value::as_object).into_iter().flatten() {
        match (limit.get("soft"), limit.get("hard")) {
            (Some(soft), Some(hard)) => words.flag("ulimit", format!("{name}={}:{}", text(soft), text(hard))),
            _ => words.flag("ulimit", format!("{name}={}", text(limit))),
        }
    }
    if let Some(logging) = attributes.get("logging") {
        if let Some(driver) = logging.get("driver") {
            words.flag("log-driver", text(driver));
        }
        for (name, value) in logging.get("options").and_then(Value::as_object).into_iter().flatten() {
            words.flag("log-opt", format!("{name}={}", text(value)));
        }
    }
    if let Some(nanos) = attributes.get("stop_grace_period").and_then(|p| parse_duration(&text(p)).ok()) {
        words.flag("stop-timeout", (nanos / 1_000_000_000).to_string());
    }
    let deploy = attributes.get("deploy");
    let resource = |part: &str, key: &str| deploy?.get("resources")?.get(part)?.get(key).map(text);
    for (part, key, flag) in [
        ("limits", "memory", "memory"),
        ("limits", "cpus", "cpus"),
        ("limits", "pids", "pids-limit"),
        ("reservations", "memory", "memory-reservation"),
    ] {
        if let Some(value) = resource(part, key) {
            words.flag(flag, value);
        }
    }
    let policy = deploy.and_then(|d| d.get("restart_policy"));
    let restart = match policy {
        Some(policy) => policy.get("condition").map(text).map(|condition| {
            let most = policy.get("max_attempts").map(|n| format!(":{}", text(n)));
            condition + &most.unwrap_or_default()
        }),
        None => attributes.get("restart").map(text),
    };
    if let Some(restart) = restart.filter(|r| !r.is_empty()) {
        let (condition, most) = restart.split_at(restart.find(':').unwrap_or(restart.len()));
        let name = match condition {
            "none" | "no" => "no",
            "any" => "always",
            other => other,
        };
        words.flag("restart", format!("{name}{most}"));
    }
    devices(attributes, words);
    throttles(attributes, words);
}

/// Devices that are asked for by what they can: `gpus`, and those of `deploy`.
fn devices(attributes: &Map<String, Value>, words: &mut Words) {
    let reserved = attributes.get("deploy").and_then(|d| d.get("resources")).and_then(|r| r.get("reservations"));
    let own = reserved.and_then(|r| r.get("devices")).and_then(Value::as_array).into_iter().flatten();
    for device in own.chain(list(attributes, "gpus")) {
        let ids = texts(device.get("device_ids"));
        words.flag(
            "gpus",
            match (ids.is_empty(), device.get("count").map(text)) {
                (false, _) => format!("\"device={}\"", ids.join(",")),
                (true, Some(count)) if count != "-1" => count,
                _ => "all".to_string(),
            },
        );
    }
}

/// `blkio_config`.
fn throttles(attributes: &Map<String, Value>, words: &mut Words) {
    let Some(Value::Object(config)) = attributes.get("blkio_config") else { return };
    if let Some(weight) = config.get("weight") {
        words.flag("blkio-weight", text(weight));
    }
    for item in list(config, "weight_device") {
        let get = |key: &str| item.get(key).map(text).unwrap_or_default();
        words.flag("blkio-weight-device", format!("{}:{}", get("path"), get("weight")));
    }
    for key in ["device_read_bps", "device_read_iops", "device_write_bps", "device_write_iops"] {
        for item in list(config, key) {
            let get = |key: &str| item.get(key).map(text).unwrap_or_default();
            words.flag(&key.replace('_', "-"), format!("{}:{}", get("path"), get("rate")));
        }
    }
}

pub(super) fn ports(attributes: &Map<String, Value>, words: &mut Words) {
    for port in list(attributes, "ports") {
        let get = |key: &str| port.get(key).map(text).unwrap_or_default();
        let (host, published, target, protocol) = (get("host_ip"), get("published"), get("target"), get("protocol"));
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let value = match (host.is_empty(), published.is_empty()) {
            (true, true) => format!("{target}/{protocol}"),
            (true, false) => format!("{published}:{target}/{protocol}"),
            (false, _) => format!("{host}:{published}:{target}/{protocol}"),
        };
        words.flag("publish", value);
    }
}

pub(super) fn healthcheck(attributes: &Map<String, Value>) -> std::result::Result<Option<Healthcheck>, String> {
    let Some(check) = attributes.get("healthcheck") else { return Ok(None) };
    if check.get("disable") == Some(&Value::Bool(true)) {
        return Ok(Some(Healthcheck { test: vec!["NONE".into()], ..Healthcheck::default() }));
    }
    let time = |key: &str| -> std::result::Result<Duration, String> {
        let nanos = check.get(key).map(|v| parse_duration(&text(v))).transpose()?.unwrap_or(0);
        Ok(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
    };
    Ok(Some(Healthcheck {
        test: texts(check.get("test")),
        interval: time("interval")?,
        timeout: time("timeout")?,
        start_period: time("start_period")?,
        start_interval: time("start_interval")?,
        retries: check.get("retries").map(text).and_then(|r| r.parse().ok()).unwrap_or(0),
    }))
}
