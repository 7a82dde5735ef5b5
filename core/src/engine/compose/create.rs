//! A container of a service: the service's attributes as the words of a `docker create`, so that one place
//! makes containers.

use super::App;
use super::app::LABEL;
use crate::compose::{self, text, texts};
use crate::container::ContainerRecord;
use crate::container::spec::{Surroundings, parse_duration, parse_run};
use crate::engine::container::{Removal, create_with_image, remove};
use crate::engine::{Error, Result};
use crate::image::{Healthcheck, ImageRecord};
use crate::world::World;
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Map, Value};
use std::time::Duration;

/// What `run` changes of a service, and what sets its container apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    pub name: String,
    pub number: u32,
    pub one_off: bool,
    pub command: Option<Vec<String>>,
    pub entrypoint: Option<Vec<String>>,
    /// Without the ports of the file.
    pub no_ports: bool,
    /// Without the service's name in the network.
    pub no_aliases: bool,
    /// Further words of `docker create`.
    pub words: Vec<String>,
}

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

struct Words(Vec<String>);

impl Words {
    fn flag(&mut self, name: &str, value: impl AsRef<str>) {
        self.0.push(format!("--{name}={}", value.as_ref()));
    }
}

impl<W: World> App<'_, W> {
    /// Makes a container of a service; it does not run yet.
    pub(super) async fn create(
        &self,
        service: &str,
        image: Option<&ImageRecord>,
        changes: &Changes,
    ) -> Result<ContainerRecord> {
        let attributes = self.service(service)?;
        supported(service, attributes)?;
        // Where nothing is done there may be no image.
        let Some(image) = image.filter(|_| !self.board.dry) else {
            return Ok(self.imagined(service, &changes.name, changes.number, changes.one_off));
        };
        let mut words = Words(vec!["container".into(), "create".into()]);
        words.flag("name", &changes.name);
        simple(attributes, &mut words);
        self.shared(attributes, &mut words).await;
        if !changes.no_ports {
            ports(attributes, &mut words);
        }
        self.labels(service, image, changes, &mut words);
        self.mounts(attributes, &mut words)?;
        self.networks(service, attributes, changes, &mut words).await?;
        words.0.extend(changes.words.iter().cloned());
        words.0.push(self.image_of(service)?);
        let call =
            crate::cli::parse(&words.0).map_err(|e| Error::Client(format!("service {service:?}: {}", e.text)))?;
        let around = Surroundings { files: BTreeMap::new(), env: &|_| None, cwd: self.project.directory.clone() };
        let mut spec = parse_run(&call.args, &around)?.spec;
        let own = |key: &str| attributes.get(key).filter(|v| !v.is_null()).map(|v| texts(Some(v)));
        spec.config.image.entrypoint = changes.entrypoint.clone().or_else(|| own("entrypoint"));
        spec.config.image.cmd = match (&changes.command, &changes.entrypoint) {
            (Some(command), _) => Some(command.clone()),
            (None, Some(_)) => None,
            (None, None) => own("command"),
        };
        spec.config.image.healthcheck = healthcheck(attributes).map_err(Error::Client)?;
        let record = Box::pin(create_with_image(self.ctx, spec, image)).await?;
        if let Err(error) = Box::pin(self.inline_files(attributes, &record)).await {
            let _ = remove(self.ctx, &record, &Removal { force: true, volumes: true }).await;
            return Err(error);
        }
        Ok(record)
    }

    /// The image that a service's containers are made of.
    pub(super) fn image_of(&self, service: &str) -> Result<String> {
        let own = self.service(service)?.get("image").map(text);
        Ok(own.unwrap_or_else(|| format!("{}{}{service}", self.project.name, self.separator)))
    }

    fn labels(&self, service: &str, image: &ImageRecord, changes: &Changes, words: &mut Words) {
        let attributes = &self.project.services[service];
        let depends: Vec<String> = compose::dependencies(&self.project, service)
            .into_iter()
            .map(|(name, how)| {
                let restart = how.get("restart") == Some(&Value::Bool(true));
                format!("{name}:{}:{restart}", how.get("condition").map(text).unwrap_or_default())
            })
            .collect();
        let one_off = if changes.one_off { "True" } else { "False" };
        for (key, value) in [
            ("config-hash", compose::hash(attributes)),
            ("container-number", changes.number.to_string()),
            ("depends_on", depends.join(",")),
            ("image", image.id.to_string()),
            ("oneoff", one_off.to_string()),
            ("project", self.project.name.clone()),
            ("project.config_files", self.project.files.join(",")),
            ("project.working_dir", self.project.directory.clone()),
            ("service", service.to_string()),
            ("version", super::VERSION.to_string()),
        ] {
            words.flag("label", format!("{LABEL}.{key}={value}"));
        }
    }

    fn mounts(&self, attributes: &Map<String, Value>, words: &mut Words) -> Result<()> {
        for volume in list(attributes, "volumes") {
            let get = |key: &str| volume.get(key).map(text).unwrap_or_default();
            let read_only = volume.get("read_only") == Some(&Value::Bool(true));
            let (source, target) = (get("source"), get("target"));
            let inner = |part: &str, key: &str| volume.get(part).and_then(|p| p.get(key)).map(text);
            let mut options: Vec<String> = read_only.then(|| "ro".to_string()).into_iter().collect();
            match get("type").as_str() {
                // Only who says that the folder must be there wants it to be missed.
                "bind" if inner("bind", "create_host_path").as_deref() != Some("false") => {
                    options.extend(inner("bind", "selinux"));
                    options.extend(inner("bind", "propagation"));
                    words.flag("volume", joined(&source, &target, &options));
                }
                "bind" => {
                    let end = if read_only { ",readonly" } else { "" };
                    words.flag("mount", format!("type=bind,source={source},target={target}{end}"));
                }
                "tmpfs" => {
                    options.extend(inner("tmpfs", "size").map(|s| format!("size={s}")));
                    options.extend(inner("tmpfs", "mode").map(|m| format!("mode={m}")));
                    let options = if options.is_empty() { String::new() } else { format!(":{}", options.join(",")) };
                    words.flag("tmpfs", target + &options);
                }
                "image" => {
                    let part = inner("image", "subpath").map(|s| format!(",image-subpath={s}")).unwrap_or_default();
                    words.flag("mount", format!("type=image,source={source},target={target}{part}"));
                }
                kind @ ("cluster" | "npipe") => {
                    return Err(Error::Client(format!("volumes of type {kind} are not supported")));
                }
                _ if inner("volume", "subpath").is_some() => {
                    let name = self.project.volumes.get(&source).and_then(|v| v.get("name")).map_or(source, text);
                    let part = inner("volume", "subpath").unwrap_or_default();
                    let end = if read_only { ",readonly" } else { "" };
                    words
                        .flag("mount", format!("type=volume,source={name},target={target},volume-subpath={part}{end}"));
                }
                _ if source.is_empty() => words.flag("volume", joined_target(&target, &options)),
                _ => {
                    let name = self.project.volumes.get(&source).and_then(|v| v.get("name")).map_or(source, text);
                    if inner("volume", "nocopy").as_deref() == Some("true") {
                        options.push("nocopy".into());
                    }
                    words.flag("volume", joined(&name, &target, &options));
                }
            }
        }
        for (key, part) in [("secrets", &self.project.secrets), ("configs", &self.project.configs)] {
            for item in list(attributes, key) {
                let source = item.get("source").map(text).unwrap_or_default();
                let target = item.get("target").map_or_else(|| format!("/{source}"), text);
                let definition = part.get(&source);
                for refused in ["driver", "template_driver"] {
                    if definition.is_some_and(|d| d.get(refused).is_some()) {
                        return Err(Error::Client(format!("Docker Compose does not support {key}.*.{refused}")));
                    }
                }
                if definition.is_some_and(|d| d.get("external").is_some()) {
                    return Err(Error::Client(format!("unsupported external {} {source}", key.trim_end_matches('s'))));
                }
                if let Some(file) = definition.and_then(|s| s.get("file")).map(text) {
                    words.flag("mount", format!("type=bind,source={file},target={target},readonly"));
                }
            }
        }
        for from in texts(attributes.get("volumes_from")) {
            let (kind, rest) = from.split_once(':').unwrap_or((&from, ""));
            let (name, mode) = match kind {
                "container" => rest.split_once(':').unwrap_or((rest, "")),
                service => (service, rest),
            };
            let container = if kind == "container" { name.to_string() } else { self.name_of(name, 1) };
            words.flag("volumes-from", if mode.is_empty() { container } else { format!("{container}:{mode}") });
        }
        Ok(())
    }

    /// Namespaces that are another service's.
    async fn shared(&self, attributes: &Map<String, Value>, words: &mut Words) {
        for key in ["ipc", "pid", "uts", "cgroup"] {
            let flag = if key == "cgroup" { "cgroupns" } else { key };
            let Some(mode) = attributes.get(key).map(text) else { continue };
            match mode.strip_prefix("service:") {
                Some(other) => words.flag(flag, format!("container:{}", self.partner(other).await)),
                None => words.flag(flag, mode),
            }
        }
    }

    /// The container of another service that is shared with: its id where it runs, else its name.
    async fn partner(&self, service: &str) -> String {
        self.running(service, None).await.map_or_else(|_| self.name_of(service, 1), |m| m.record.id)
    }

    /// The name of a service's container.
    pub(super) fn name_of(&self, service: &str, number: u32) -> String {
        let own = self.project.services.get(service).and_then(|s| s.get("container_name")).map(text);
        let separator = self.separator;
        own.unwrap_or_else(|| format!("{}{separator}{service}{separator}{number}", self.project.name))
    }

    async fn networks(
        &self,
        service: &str,
        attributes: &Map<String, Value>,
        changes: &Changes,
        words: &mut Words,
    ) -> Result<()> {
        if let Some(mode) = attributes.get("network_mode").map(text) {
            let mode = match mode.strip_prefix("service:") {
                Some(other) => format!("container:{}", self.partner(other).await),
                None => mode,
            };
            words.flag("network", mode);
        }
        let mut networks: Vec<(&String, &Value)> =
            attributes.get("networks").and_then(Value::as_object).into_iter().flatten().collect();
        networks
            .sort_by_key(|(name, how)| (-how.get("priority").and_then(Value::as_i64).unwrap_or(0), (*name).clone()));
        for (network, how) in networks {
            let name =
                self.project.networks.get(network).and_then(|n| n.get("name")).map_or_else(|| network.clone(), text);
            let mut parts = vec![format!("name={name}")];
            if !changes.no_aliases {
                parts.push(format!("alias={service}"));
                parts.extend(texts(how.get("aliases")).iter().map(|a| format!("alias={a}")));
            }
            for (key, option) in [
                ("ipv4_address", "ip"),
                ("ipv6_address", "ip6"),
                ("mac_address", "mac-address"),
                ("gw_priority", "gw-priority"),
            ] {
                parts.extend(how.get(key).filter(|v| !v.is_null()).map(|v| format!("{option}={}", text(v))));
            }
            words.flag("network", parts.join(","));
        }
        for link in texts(attributes.get("external_links")) {
            let (container, alias) = link.split_once(':').unwrap_or((&link, &link));
            words.flag("link", format!("{container}:{alias}"));
        }
        for link in texts(attributes.get("links")) {
            let (other, alias) = link.split_once(':').unwrap_or((&link, &link));
            words.flag("link", format!("{}:{alias}", self.name_of(other, 1)));
        }
        Ok(())
    }

    /// Secrets and configs that are no files: their text is put into the container.
    async fn inline_files(&self, attributes: &Map<String, Value>, record: &ContainerRecord) -> Result<()> {
        let mut archive = tar::Builder::new(Vec::new());
        let mut any = false;
        for (key, part) in [("secrets", &self.project.secrets), ("configs", &self.project.configs)] {
            for item in list(attributes, key) {
                let source = item.get("source").map(text).unwrap_or_default();
                let target = item.get("target").map_or_else(|| format!("/{source}"), text);
                let Some(definition) = part.get(&source) else { continue };
                let content = match (definition.get("content").map(text), definition.get("environment").map(text)) {
                    (Some(content), _) => content,
                    (None, Some(name)) => self.variable(&name).ok_or_else(|| {
                        let (kind, own) =
                            (key.trim_end_matches('s'), definition.get("name").map_or(source.clone(), text));
                        Error::Client(format!("environment variable {name:?} required by {kind} {own:?} is not set"))
                    })?,
                    (None, None) => continue,
                };
                if attributes.get("read_only") == Some(&Value::Bool(true)) {
                    let (kind, own) = (key.trim_end_matches('s'), definition.get("name").map_or(source.clone(), text));
                    return Err(Error::Client(format!(
                        "cannot create {kind} {own:?} in read-only service: `file` is the sole supported option"
                    )));
                }
                let id = |name: &str| item.get(name).map(text).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
                let mode = item.get("mode").map(text).and_then(|m| u32::from_str_radix(&m, 8).ok()).unwrap_or(0o444);
                let mut header = tar::Header::new_gnu();
                header.set_size(content.len() as u64);
                header.set_mode(mode);
                header.set_uid(id("uid"));
                header.set_gid(id("gid"));
                header.set_mtime(self.ctx.world().now().as_secs());
                let added = archive.append_data(&mut header, target.trim_start_matches('/'), content.as_bytes());
                added.map_err(|e| Error::Client(format!("{source}: {e}")))?;
                any = true;
            }
        }
        if any {
            let bytes = archive.into_inner().map_err(|e| Error::Client(e.to_string()))?;
            let place = format!("{}:/", record.id);
            Box::pin(super::run::docker_with(self, &["cp", "--archive", "-", &place], bytes)).await?;
        }
        Ok(())
    }

    /// A variable of the environment or of `.env`.
    fn variable(&self, name: &str) -> Option<String> {
        self.ctx.client.env(name).or_else(|| self.project.environment.get(name).cloned())
    }
}

/// What a service may ask for that there is not here, told instead of left out.
fn supported(service: &str, attributes: &Map<String, Value>) -> Result<()> {
    for (key, why) in [
        ("provider", "services of other providers are not supported"),
        ("models", "models are not supported: there is no model runner here"),
        ("use_api_socket", "use_api_socket is not supported: containers can't reach the engine's socket here"),
        ("credential_spec", "credential_spec is not supported: it belongs to Windows"),
    ] {
        let off = [Value::Null, Value::Bool(false)];
        if attributes.get(key).is_some_and(|v| !off.contains(v)) {
            return Err(Error::Client(format!("service {service:?}: {why}")));
        }
    }
    Ok(())
}

fn joined_target(target: &str, options: &[String]) -> String {
    if options.is_empty() { target.to_string() } else { format!("{target}:{}", options.join(",")) }
}

fn list<'a>(attributes: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = &'a Value> {
    attributes.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn joined(source: &str, target: &str, options: &[String]) -> String {
    let options = if options.is_empty() { String::new() } else { format!(":{}", options.join(",")) };
    format!("{source}:{target}{options}")
}

/// What is a flag or a list of flags, by the tables; and the rest that needs no project.
fn simple(attributes: &Map<String, Value>, words: &mut Words) {
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

fn ports(attributes: &Map<String, Value>, words: &mut Words) {
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

fn healthcheck(attributes: &Map<String, Value>) -> std::result::Result<Option<Healthcheck>, String> {
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
