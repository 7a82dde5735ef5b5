//! Which attributes there are, of what shape, in the order that `docker compose config` prints them.

use serde_json::{Map, Value};

/// What an attribute may be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Text,
    Bool,
    Integer,
    Number,
    /// A size as `64m`; kept as bytes.
    Bytes,
    /// A duration as `1m30s`.
    Duration,
    List,
    /// A text or a list of them.
    TextOrList,
    /// A command: text split into words, or words.
    Command,
    /// `name=value` as a list or a map.
    Pairs,
    Map,
    /// A map, or a list of its keys.
    MapOrNames,
    /// A map, or a text for its main attribute.
    MapOrText,
    /// Extra hosts: pairs, kept as a sorted list.
    Hosts,
    Any,
}

use Shape::*;

/// The attributes of a service.
pub const SERVICE: &[(&str, Shape)] = &[
    ("profiles", List),
    ("annotations", Pairs),
    ("attach", Bool),
    ("build", MapOrText),
    ("develop", Map),
    ("blkio_config", Map),
    ("cap_add", List),
    ("cap_drop", List),
    ("cgroup_parent", Text),
    ("cgroup", Text),
    ("cpu_count", Integer),
    ("cpu_percent", Number),
    ("cpu_period", Any),
    ("cpu_quota", Any),
    ("cpu_rt_period", Any),
    ("cpu_rt_runtime", Any),
    ("cpus", Number),
    ("cpuset", Text),
    ("cpu_shares", Number),
    ("command", Command),
    ("configs", List),
    ("container_name", Text),
    ("credential_spec", Map),
    ("depends_on", MapOrNames),
    ("deploy", Map),
    ("device_cgroup_rules", List),
    ("devices", List),
    ("dns", TextOrList),
    ("dns_opt", List),
    ("dns_search", TextOrList),
    ("domainname", Text),
    ("entrypoint", Command),
    ("provider", Map),
    ("environment", Pairs),
    ("env_file", Any),
    ("expose", List),
    ("extends", MapOrText),
    ("external_links", List),
    ("extra_hosts", Hosts),
    ("group_add", List),
    ("gpus", Any),
    ("hostname", Text),
    ("healthcheck", Map),
    ("image", Text),
    ("init", Bool),
    ("ipc", Text),
    ("isolation", Text),
    ("labels", Pairs),
    ("label_file", TextOrList),
    ("links", List),
    ("logging", Map),
    ("mem_limit", Bytes),
    ("mem_reservation", Bytes),
    ("memswap_limit", Bytes),
    ("mem_swappiness", Integer),
    ("mac_address", Text),
    ("models", MapOrNames),
    ("network_mode", Text),
    ("networks", MapOrNames),
    ("oom_kill_disable", Bool),
    ("oom_score_adj", Integer),
    ("pid", Text),
    ("pids_limit", Integer),
    ("platform", Text),
    ("ports", List),
    ("post_start", List),
    ("pre_stop", List),
    ("privileged", Bool),
    ("pull_policy", Text),
    ("pull_refresh_after", Text),
    ("read_only", Bool),
    ("restart", Text),
    ("runtime", Text),
    ("scale", Integer),
    ("secrets", List),
    ("security_opt", List),
    ("shm_size", Bytes),
    ("stdin_open", Bool),
    ("stop_grace_period", Duration),
    ("stop_signal", Text),
    ("storage_opt", Map),
    ("sysctls", Pairs),
    ("tmpfs", TextOrList),
    ("tty", Bool),
    ("ulimits", Map),
    ("use_api_socket", Bool),
    ("user", Text),
    ("userns_mode", Text),
    ("uts", Text),
    ("volumes", List),
    ("volumes_from", List),
    ("working_dir", Text),
];

/// The attributes of the whole file.
pub const TOP: &[(&str, Shape)] = &[
    ("name", Text),
    ("version", Text),
    ("include", Any),
    ("services", Map),
    ("networks", Map),
    ("volumes", Map),
    ("secrets", Map),
    ("configs", Map),
    ("models", Map),
];

pub const NETWORK: &[(&str, Shape)] = &[
    ("name", Text),
    ("driver", Text),
    ("driver_opts", Map),
    ("ipam", Map),
    ("external", Any),
    ("internal", Bool),
    ("attachable", Bool),
    ("labels", Pairs),
    ("enable_ipv4", Bool),
    ("enable_ipv6", Bool),
];

pub const VOLUME: &[(&str, Shape)] =
    &[("name", Text), ("driver", Text), ("driver_opts", Map), ("external", Any), ("labels", Pairs)];

/// Secrets and configs.
pub const FILE: &[(&str, Shape)] = &[
    ("name", Text),
    ("file", Text),
    ("environment", Text),
    ("content", Text),
    ("external", Any),
    ("labels", Pairs),
    ("driver", Text),
    ("driver_opts", Map),
    ("template_driver", Text),
];

pub const BUILD: &[(&str, Shape)] = &[
    ("context", Text),
    ("dockerfile", Text),
    ("dockerfile_inline", Text),
    ("entitlements", List),
    ("args", Pairs),
    ("provenance", Any),
    ("sbom", Any),
    ("ssh", Any),
    ("labels", Pairs),
    ("cache_from", List),
    ("cache_to", List),
    ("no_cache", Bool),
    ("no_cache_filter", TextOrList),
    ("additional_contexts", Pairs),
    ("pull", Bool),
    ("extra_hosts", Hosts),
    ("isolation", Text),
    ("network", Text),
    ("target", Text),
    ("secrets", List),
    ("shm_size", Bytes),
    ("tags", List),
    ("ulimits", Map),
    ("platforms", List),
    ("privileged", Bool),
];

pub const HEALTHCHECK: &[(&str, Shape)] = &[
    ("test", Any),
    ("timeout", Duration),
    ("interval", Duration),
    ("retries", Number),
    ("start_period", Duration),
    ("start_interval", Duration),
    ("disable", Bool),
];

/// Checks a whole file.
///
/// # Errors
/// What is wrong and where, in Compose's words, without the file's name.
pub fn check(file: &Map<String, Value>) -> Result<(), String> {
    known(file, TOP, "")?;
    let parts =
        [("services", SERVICE), ("networks", NETWORK), ("volumes", VOLUME), ("secrets", FILE), ("configs", FILE)];
    for (part, table) in parts {
        let Some(Value::Object(items)) = file.get(part) else { continue };
        for (name, item) in items {
            let path = format!("{part}.{name}");
            if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')) || name.is_empty() {
                return Err(format!("{part} additional properties '{name}' not allowed"));
            }
            match item {
                Value::Object(item) => known(item, table, &path)?,
                Value::Null if part != "services" => {}
                _ => return Err(format!("{path} must be a mapping")),
            }
            for (inner, table) in [("build", BUILD), ("healthcheck", HEALTHCHECK)] {
                if let Some(Value::Object(item)) = item.get(inner).filter(|_| part == "services") {
                    known(item, table, &format!("{path}.{inner}"))?;
                }
            }
        }
    }
    Ok(())
}

fn known(map: &Map<String, Value>, table: &[(&str, Shape)], path: &str) -> Result<(), String> {
    let unknown: Vec<String> = map
        .keys()
        .filter(|k| !k.starts_with("x-") && !table.iter().any(|(name, _)| name == k))
        .map(|k| format!("'{k}'"))
        .collect();
    if !unknown.is_empty() {
        return Err(format!("{path} additional properties {} not allowed", unknown.join(", ")));
    }
    for (key, value) in map {
        let Some((_, shape)) = table.iter().find(|(name, _)| name == key) else { continue };
        let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        fits(*shape, value, &here)?;
    }
    Ok(())
}

fn fits(shape: Shape, value: &Value, path: &str) -> Result<(), String> {
    let (text, list, map) = (value.is_string(), value.is_array(), value.is_object());
    let (number, boolean, null) = (value.is_number(), value.is_boolean(), value.is_null());
    let (fit, wanted) = match shape {
        Text => (text || (path == "version" && number), "string"),
        Bool => (boolean || text, "boolean or string"),
        Integer => (value.is_i64() || text, "integer or string"),
        Number => (number || text, "number or string"),
        Bytes => (number || text, "number or string"),
        Duration => (text, "string"),
        List => (list, "array"),
        TextOrList | Command => (text || list || (null && shape == Command), "string"),
        Pairs | MapOrNames | Hosts => (list || map, "mapping"),
        Map => (map || null, "mapping"),
        MapOrText => (map || text, "string"),
        Any => (true, ""),
    };
    // A part without content is read as not being there.
    if fit || (null && matches!(shape, Pairs | MapOrNames | List | Hosts | Text)) {
        return Ok(());
    }
    Err(format!("{path} must be a {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words() {
        for (file, error) in [
            (json!({"services": {"a": {"imag": "x"}}}), "services.a additional properties 'imag' not allowed"),
            (json!({"services": {"a": {"image": 1}}}), "services.a.image must be a string"),
            (json!({"services": {"a": {"ports": 80}}}), "services.a.ports must be a array"),
            (json!({"services": {"a": "x"}}), "services.a must be a mapping"),
            (json!({"services": []}), "services must be a mapping"),
            (json!({"foo": 1}), " additional properties 'foo' not allowed"),
        ] {
            assert_eq!(check(file.as_object().expect("a map")), Err(error.to_string()), "{file}");
        }
        let good = json!({"x-a": 1, "services": {"a": {"image": "x", "x-b": 2}}, "volumes": {"v": null}});
        assert_eq!(check(good.as_object().expect("a map")), Ok(()));
    }
}
