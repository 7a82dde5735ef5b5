//! A container of a service: the service's attributes as the words of a `docker create`, so that one place
//! makes containers.

use super::App;
use super::app::LABEL;
use super::flags::{Words, healthcheck, joined, list, ports, simple};
use crate::compose::{self, text, texts};
use crate::container::ContainerRecord;
use crate::container::spec::{Surroundings, parse_run};
use crate::engine::container::{Removal, create_with_image, remove};
use crate::engine::{Error, Result};
use crate::image::ImageRecord;
use crate::world::World;
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Map, Value};

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
            // Containers of `run` are not counted.
            if key != "container-number" || changes.number > 0 {
                words.flag("label", format!("{LABEL}.{key}={value}"));
            }
        }
        if changes.one_off {
            words.flag("label", format!("{LABEL}.slug={}", self.ctx.new_id()));
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
