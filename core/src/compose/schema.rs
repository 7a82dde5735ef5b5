//! Which attributes there are, of what shape, in the order that `docker compose config` prints them.

/// Attributes with their shapes, in Compose's own order.
pub type Table = &'static [(&'static str, Shape)];

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
    /// Permissions, kept as octal text.
    Mode,
    /// Texts.
    List,
    /// Texts and numbers.
    Values,
    /// A text or a list of them.
    TextOrList,
    /// A command: text split into words, or words.
    Command,
    /// `name=value` as a list or a map.
    Pairs,
    /// A map of the person's own.
    Map,
    /// A map with these attributes, or a text for its main one.
    PartOrText(Table),
    /// A map with these attributes.
    Part(Table),
    /// A list of such maps.
    Parts(Table),
    /// The same where a text may stand for a map.
    PartsOrTexts(Table),
    /// The same where a number may, too.
    Ports(Table),
    /// Such maps by name, or a list of the names.
    Named(Table),
    /// Such maps by name, or a number for a map.
    Limits(Table),
    /// Extra hosts: pairs, kept as a sorted list.
    Hosts,
    Any,
}

use Shape::*;

/// The attributes of a service.
pub const SERVICE: Table = &[
    ("profiles", List),
    ("annotations", Pairs),
    ("attach", Bool),
    ("build", PartOrText(BUILD)),
    ("develop", Part(&[("watch", Parts(WATCH))])),
    ("blkio_config", Part(BLKIO)),
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
    ("configs", PartsOrTexts(MOUNTED)),
    ("container_name", Text),
    ("credential_spec", Part(&[("config", Text), ("file", Text), ("registry", Text)])),
    ("depends_on", Named(DEPENDS_ON)),
    ("deploy", Part(DEPLOY)),
    ("device_cgroup_rules", List),
    ("devices", PartsOrTexts(&[("source", Text), ("target", Text), ("permissions", Text)])),
    ("dns", TextOrList),
    ("dns_opt", List),
    ("dns_search", TextOrList),
    ("domainname", Text),
    ("entrypoint", Command),
    ("provider", Part(&[("type", Text), ("options", Map)])),
    ("environment", Pairs),
    ("env_file", Any),
    ("expose", Values),
    ("extends", PartOrText(&[("service", Text), ("file", Text)])),
    ("external_links", List),
    ("extra_hosts", Hosts),
    ("group_add", Values),
    ("gpus", Any),
    ("hostname", Text),
    ("healthcheck", Part(HEALTHCHECK)),
    ("image", Text),
    ("init", Bool),
    ("ipc", Text),
    ("isolation", Text),
    ("labels", Pairs),
    ("label_file", TextOrList),
    ("links", List),
    ("logging", Part(&[("driver", Text), ("options", Map)])),
    ("mem_limit", Bytes),
    ("mem_reservation", Bytes),
    ("memswap_limit", Bytes),
    ("mem_swappiness", Integer),
    ("mac_address", Text),
    ("models", Named(&[("endpoint_var", Text), ("model_var", Text)])),
    ("network_mode", Text),
    ("networks", Named(ENDPOINT)),
    ("oom_kill_disable", Bool),
    ("oom_score_adj", Integer),
    ("pid", Text),
    ("pids_limit", Integer),
    ("platform", Text),
    ("ports", Ports(PORT)),
    ("post_start", Parts(HOOK)),
    ("pre_stop", Parts(HOOK)),
    ("privileged", Bool),
    ("pull_policy", Text),
    ("pull_refresh_after", Text),
    ("read_only", Bool),
    ("restart", Text),
    ("runtime", Text),
    ("scale", Integer),
    ("secrets", PartsOrTexts(MOUNTED)),
    ("security_opt", List),
    ("shm_size", Bytes),
    ("stdin_open", Bool),
    ("stop_grace_period", Duration),
    ("stop_signal", Text),
    ("storage_opt", Map),
    ("sysctls", Pairs),
    ("tmpfs", TextOrList),
    ("tty", Bool),
    ("ulimits", Limits(ULIMIT)),
    ("use_api_socket", Bool),
    ("user", Text),
    ("userns_mode", Text),
    ("uts", Text),
    ("volumes", PartsOrTexts(MOUNT)),
    ("volumes_from", List),
    ("working_dir", Text),
];

/// The attributes of the whole file.
pub const TOP: Table = &[
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

pub const NETWORK: Table = &[
    ("name", Text),
    ("driver", Text),
    ("driver_opts", Map),
    ("ipam", Part(&[("driver", Text), ("config", Parts(POOL)), ("options", Map)])),
    ("external", Any),
    ("internal", Bool),
    ("attachable", Bool),
    ("labels", Pairs),
    ("enable_ipv4", Bool),
    ("enable_ipv6", Bool),
];

pub const VOLUME: Table =
    &[("name", Text), ("driver", Text), ("driver_opts", Map), ("external", Any), ("labels", Pairs)];

/// Secrets and configs.
pub const FILE: Table = &[
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

pub const BUILD: Table = &[
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
    ("secrets", PartsOrTexts(MOUNTED)),
    ("shm_size", Bytes),
    ("tags", List),
    ("ulimits", Limits(ULIMIT)),
    ("platforms", List),
    ("privileged", Bool),
];

pub const HEALTHCHECK: Table = &[
    ("test", Any),
    ("timeout", Duration),
    ("interval", Duration),
    ("retries", Number),
    ("start_period", Duration),
    ("start_interval", Duration),
    ("disable", Bool),
];

const WATCH: Table = &[
    ("path", Text),
    ("action", Text),
    ("target", Text),
    ("exec", Part(HOOK)),
    ("include", TextOrList),
    ("ignore", TextOrList),
    ("initial_sync", Bool),
];

/// A command that is run in a container.
const HOOK: Table =
    &[("command", Command), ("user", Text), ("privileged", Bool), ("working_dir", Text), ("environment", Pairs)];

const BLKIO: Table = &[
    ("weight", Integer),
    ("weight_device", Parts(&[("path", Text), ("weight", Integer)])),
    ("device_read_bps", Parts(RATE)),
    ("device_read_iops", Parts(RATE)),
    ("device_write_bps", Parts(RATE)),
    ("device_write_iops", Parts(RATE)),
];

const RATE: Table = &[("path", Text), ("rate", Any)];

const DEPENDS_ON: Table = &[("condition", Text), ("restart", Bool), ("required", Bool)];

const DEPLOY: Table = &[
    ("mode", Text),
    ("replicas", Integer),
    ("labels", Pairs),
    ("update_config", Part(UPDATE)),
    ("rollback_config", Part(UPDATE)),
    ("resources", Part(&[("limits", Part(RESOURCES)), ("reservations", Part(RESOURCES))])),
    (
        "restart_policy",
        Part(&[("condition", Text), ("delay", Duration), ("max_attempts", Integer), ("window", Duration)]),
    ),
    (
        "placement",
        Part(&[("constraints", List), ("preferences", Parts(&[("spread", Text)])), ("max_replicas_per_node", Integer)]),
    ),
    ("endpoint_mode", Text),
];

const UPDATE: Table = &[
    ("parallelism", Integer),
    ("delay", Duration),
    ("failure_action", Text),
    ("monitor", Duration),
    ("max_failure_ratio", Number),
    ("order", Text),
];

const RESOURCES: Table = &[
    ("cpus", Number),
    ("memory", Bytes),
    ("pids", Integer),
    ("devices", Parts(DEVICE_REQUEST)),
    ("generic_resources", Any),
];

const DEVICE_REQUEST: Table =
    &[("capabilities", List), ("driver", Text), ("count", Any), ("device_ids", List), ("options", Pairs)];

const ENDPOINT: Table = &[
    ("priority", Number),
    ("gw_priority", Number),
    ("aliases", List),
    ("interface_name", Text),
    ("ipv4_address", Text),
    ("ipv6_address", Text),
    ("link_local_ips", List),
    ("mac_address", Text),
    ("driver_opts", Map),
];

const PORT: Table = &[
    ("name", Text),
    ("mode", Text),
    ("host_ip", Text),
    ("target", Any),
    ("published", Any),
    ("protocol", Text),
    ("app_protocol", Text),
];

const MOUNT: Table = &[
    ("type", Text),
    ("source", Text),
    ("target", Text),
    ("read_only", Bool),
    ("consistency", Text),
    ("bind", Part(&[("selinux", Text), ("propagation", Text), ("create_host_path", Bool), ("recursive", Text)])),
    ("volume", Part(&[("labels", Pairs), ("nocopy", Bool), ("subpath", Text)])),
    ("tmpfs", Part(&[("size", Bytes), ("mode", Any)])),
    ("image", Part(&[("subpath", Text)])),
];

/// A secret or config in a service.
const MOUNTED: Table = &[("source", Text), ("target", Text), ("uid", Text), ("gid", Text), ("mode", Mode)];

const ULIMIT: Table = &[("soft", Any), ("hard", Any)];

const POOL: Table = &[("subnet", Text), ("gateway", Text), ("ip_range", Text), ("aux_addresses", Map)];

/// The parts of a file that hold things by name.
pub const PARTS: [(&str, Table); 5] =
    [("services", SERVICE), ("networks", NETWORK), ("volumes", VOLUME), ("secrets", FILE), ("configs", FILE)];

/// What can't be missing, by the attribute that holds it.
pub const REQUIRED: &[(&str, &[&str])] = &[
    ("depends_on.*", &["condition"]),
    ("watch", &["path", "action"]),
    ("post_start", &["command"]),
    ("pre_stop", &["command"]),
    ("exec", &["command"]),
    ("ulimits.*", &["soft", "hard"]),
    ("volumes", &["type"]),
    ("devices", &["source"]),
    ("extends", &["service"]),
    ("provider", &["type"]),
];

/// The only texts that fit, by attribute.
pub const WORDS: &[(&str, &[&str])] = &[
    ("condition", &["service_started", "service_healthy", "service_completed_successfully"]),
    ("action", &["rebuild", "sync", "restart", "sync+restart", "sync+exec"]),
    ("type", &["bind", "volume", "tmpfs", "cluster", "npipe", "image"]),
    ("cgroup", &["host", "private"]),
];
