//! From what there is to what the files want: networks, volumes, images, then the containers of each service.

use super::App;
use super::app::Member;
use super::create::Changes;
use crate::cli::Args;
use crate::compose::{self, text};
use crate::container::{HealthStatus, Status};
use crate::engine::container::{self as engine, find_by_id};
use crate::engine::image::{self, PullPolicy};
use crate::engine::network::{self, NetworkSpec, lookup};
use crate::engine::{Error, Result, volume};
use crate::image::ImageRecord;
use crate::network::Subnet;
use crate::volume::VolumeRecord;
use crate::world::World;
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::Value;
use std::time::Duration;

/// How containers that are there already are treated.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub force: bool,
    pub never: bool,
    /// Also what the named services depend on is made anew.
    pub renew_volumes: bool,
    pub timeout: Option<i64>,
    /// By service, what `--scale` says.
    pub scale: BTreeMap<String, u32>,
}

impl Plan {
    pub fn of(args: &Args) -> Result<Plan> {
        if args.flag("force-recreate") && args.flag("no-recreate") {
            return Err(Error::Client("--force-recreate and --no-recreate are incompatible".into()));
        }
        Ok(Plan {
            force: args.flag("force-recreate"),
            never: args.flag("no-recreate"),
            renew_volumes: args.flag("renew-anon-volumes"),
            timeout: args.number("timeout"),
            scale: scale_of(args.values("scale"))?,
        })
    }
}

/// `web=3` words.
pub(super) fn scale_of(words: &[String]) -> Result<BTreeMap<String, u32>> {
    let mut all = BTreeMap::new();
    for word in words {
        let bad = || Error::Client(format!("invalid scale specifier: {word}"));
        let (name, count) = word.split_once('=').ok_or_else(bad)?;
        all.insert(name.to_string(), count.parse().map_err(|_| bad())?);
    }
    Ok(all)
}

fn pairs(value: Option<&Value>) -> BTreeMap<String, String> {
    value.and_then(Value::as_object).into_iter().flatten().map(|(k, v)| (k.clone(), text(v))).collect()
}

impl<W: World> App<'_, W> {
    fn own_labels(&self, kind: &str, key: &str, item: &Value) -> BTreeMap<String, String> {
        let mut labels = pairs(item.get("labels"));
        for (name, value) in [("project", self.project.name.as_str()), (kind, key), ("version", super::VERSION)] {
            labels.insert(format!("com.docker.compose.{name}"), value.to_string());
        }
        labels
    }

    /// Makes the networks that are missing.
    pub(super) async fn ensure_networks(&self) -> Result<()> {
        for (key, item) in &self.project.networks {
            let name = item.get("name").map_or_else(|| key.clone(), text);
            if item.get("external").is_some() {
                if lookup(self.ctx, &name)?.is_none() {
                    return Err(Error::Client(format!("network {name} declared as external, but could not be found")));
                }
                continue;
            }
            if let Some(found) = lookup(self.ctx, &name)?.filter(|n| n.name == name) {
                if found.labels.get("com.docker.compose.network") != Some(key) {
                    return Err(Error::Client(format!(
                        "network {name} was found but has incorrect label com.docker.compose.network set to {:?} (expected: {key:?})",
                        found.labels.get("com.docker.compose.network").cloned().unwrap_or_default()
                    )));
                }
                continue;
            }
            self.progress("Network", &name, "Creating").await;
            let first = item.get("ipam").and_then(|i| i.get("config")).and_then(|c| c.get(0));
            let address = |field: &str| first.and_then(|c| c.get(field)).map(text);
            let on = |field: &str| item.get(field) == Some(&Value::Bool(true));
            let subnet = |field: &str| -> Result<Option<Subnet>> {
                let Some(word) = address(field) else { return Ok(None) };
                let bad = || Error::Client(format!("invalid CIDR address: {word}"));
                Subnet::parse(&word).map(Some).ok_or_else(bad)
            };
            let spec = NetworkSpec {
                name: name.clone(),
                driver: item.get("driver").map(text).unwrap_or_default(),
                subnet: subnet("subnet")?,
                ip_range: subnet("ip_range")?,
                gateway: address("gateway").and_then(|g| g.parse().ok()),
                internal: on("internal"),
                attachable: on("attachable"),
                ipv6: on("enable_ipv6"),
                options: pairs(item.get("driver_opts")),
                labels: self.own_labels("network", key, item),
                ..NetworkSpec::default()
            };
            network::create(self.ctx, spec)?;
            self.progress("Network", &name, "Created").await;
        }
        Ok(())
    }

    /// Makes the volumes that are missing.
    pub(super) async fn ensure_volumes(&self) -> Result<()> {
        for (key, item) in &self.project.volumes {
            let name = item.get("name").map_or_else(|| key.clone(), text);
            let there = self.ctx.world().get::<VolumeRecord>(&name)?.is_some();
            if item.get("external").is_some() {
                if !there {
                    return Err(Error::Client(format!("external volume {name:?} not found")));
                }
                continue;
            }
            if there {
                continue;
            }
            self.progress("Volume", &name, "Creating").await;
            let driver = item.get("driver").map(text).unwrap_or_default();
            let labels = self.own_labels("volume", key, item);
            Box::pin(volume::ensure(self.ctx, &name, &driver, labels, pairs(item.get("driver_opts")))).await?;
            self.progress("Volume", &name, "Created").await;
        }
        Ok(())
    }

    /// The images of these services, built or pulled where they are missing or `--build` and `--pull` say so.
    pub(super) async fn ensure_images(&self, services: &[String], args: &Args) -> Result<()> {
        for name in services {
            let service = self.service(name)?;
            let image = self.image_of(name)?;
            let there = image::lookup(self.ctx, &image)?.is_some();
            let own = service.get("pull_policy").map(text).unwrap_or_default();
            let policy = match args.value("pull").unwrap_or("policy") {
                "policy" => own.as_str(),
                given => given,
            };
            let builds = service.contains_key("build");
            if builds && !args.flag("no-build") && (args.flag("build") || policy == "build" || !there) {
                Box::pin(self.build(name, args.flag("quiet-build"), &Args::default())).await?;
                continue;
            }
            let pull = match policy {
                "always" => PullPolicy::Always,
                "never" => PullPolicy::Never,
                _ => PullPolicy::Missing,
            };
            if pull == PullPolicy::Always || !there {
                Box::pin(self.pull(name, &image, pull, args.flag("quiet-pull"))).await?;
            }
        }
        Ok(())
    }

    /// Has each of these services the containers that it should have; they are not started.
    pub(super) async fn converge(&self, services: &[String], plan: &Plan) -> Result<()> {
        for name in services {
            let service = self.service(name)?;
            let replicas = service.get("deploy").and_then(|d| d.get("replicas")).or(service.get("scale"));
            let wanted = plan.scale.get(name).copied();
            let wanted = wanted.or_else(|| replicas.map(text).and_then(|n| n.parse().ok())).unwrap_or(1);
            let members = self.members(std::slice::from_ref(name)).await?;
            if service.contains_key("container_name") && wanted > 1 {
                self.ctx
                    .warn(format!(
                        "The {name:?} service is using the custom container name {:?}. Docker requires each container to have a unique name. Remove the custom name to scale the service\n",
                        self.name_of(name, 1)
                    ))
                    .await;
                return Err(Error::Status(1));
            }
            let keep = (wanted as usize).min(members.len());
            let surplus = &members[keep..];
            Box::pin(self.stop_all(surplus, plan.timeout)).await?;
            Box::pin(self.remove_all(surplus, false)).await?;
            if wanted == 0 {
                continue;
            }
            let image_name = self.image_of(name)?;
            let image = Box::pin(image::ensure_quietly(self.ctx, &image_name, PullPolicy::Never, None)).await?;
            for member in &members[..keep] {
                Box::pin(self.keep_or_renew(name, member, &image, plan)).await?;
            }
            let last = members.iter().map(|m| m.number).max().unwrap_or(0);
            for number in (1..).map(|n| last + n).take(wanted as usize - keep) {
                let container = self.name_of(name, number);
                self.progress("Container", &container, "Creating").await;
                Box::pin(self.create(name, &image, &Changes { name: container.clone(), number, ..Changes::default() }))
                    .await?;
                self.progress("Container", &container, "Created").await;
            }
        }
        Ok(())
    }

    async fn keep_or_renew(&self, service: &str, member: &Member, image: &ImageRecord, plan: &Plan) -> Result<()> {
        let changed = member.label("config-hash") != compose::hash(self.service(service)?)
            || member.record.image != image.id
            || member.label("image") != image.id.to_string();
        if plan.never || !(plan.force || changed) {
            if member.record.state.status == Status::Running {
                self.progress("Container", member.name(), "Running").await;
            }
            return Ok(());
        }
        self.progress("Container", member.name(), "Recreate").await;
        Box::pin(engine::stop(self.ctx, &member.record, plan.timeout, None)).await?;
        if let Ok(record) = find_by_id(self.ctx, &member.record.id) {
            let removal = engine::Removal { force: true, volumes: plan.renew_volumes };
            Box::pin(engine::remove(self.ctx, &record, &removal)).await?;
        }
        let name = self.name_of(service, member.number);
        Box::pin(self.create(service, image, &Changes { name, number: member.number, ..Changes::default() })).await?;
        self.progress("Container", member.name(), "Recreated").await;
        Ok(())
    }

    /// Starts the containers of these services that do not run, each after those that it waits for.
    pub(super) async fn start_services(&self, services: &[String], limit: Option<Duration>) -> Result<()> {
        for name in services {
            let members = self.members(std::slice::from_ref(name)).await?;
            if members.iter().all(|m| m.record.is_running()) {
                continue;
            }
            Box::pin(self.wait_for_dependencies(name, limit)).await?;
            for member in members.iter().filter(|m| !m.record.is_running()) {
                self.progress("Container", member.name(), "Starting").await;
                Box::pin(engine::start(self.ctx, &member.record.id, false)).await?;
                self.progress("Container", member.name(), "Started").await;
            }
        }
        Ok(())
    }

    /// Waits until what a service depends on is as it wants it.
    pub(super) async fn wait_for_dependencies(&self, service: &str, limit: Option<Duration>) -> Result<()> {
        let dependencies = compose::dependencies(&self.project, service);
        let mut waiting = Vec::new();
        for (name, how) in dependencies {
            let condition = how.get("condition").map(text).unwrap_or_default();
            if condition == "service_started" {
                continue;
            }
            let required = how.get("required") != Some(&Value::Bool(false));
            for member in self.members(&[name.to_string()]).await? {
                self.progress("Container", member.name(), "Waiting").await;
                waiting.push((member, condition.clone(), required));
            }
        }
        for (member, condition, required) in waiting {
            let waited = match condition.as_str() {
                "service_completed_successfully" => self.wait_completed(&member, limit).await,
                _ => self.wait_healthy(&member, limit, true).await,
            };
            match waited {
                Ok(state) => self.progress("Container", member.name(), state).await,
                Err(error) if required => {
                    self.progress("Container", member.name(), "Error").await;
                    let reason = error.render("");
                    return Err(Error::Client(format!("dependency failed to start: {reason}")));
                }
                Err(_) => self.progress("Container", member.name(), "Error").await,
            }
        }
        Ok(())
    }

    /// Waits until a container is healthy; one without a health check must run, unless `checked`.
    pub(super) async fn wait_healthy(
        &self,
        member: &Member,
        limit: Option<Duration>,
        checked: bool,
    ) -> Result<&'static str> {
        let end = limit.map(|l| self.ctx.world().now() + l);
        loop {
            let record = find_by_id(self.ctx, &member.record.id)?;
            let name = &record.name;
            if !record.is_running() && record.state.status != Status::Created {
                return Err(Error::Client(format!("container {name} exited ({})", record.state.exit_code)));
            }
            match record.state.health.as_ref().map(|h| h.status) {
                Some(HealthStatus::Healthy) => return Ok("Healthy"),
                Some(HealthStatus::Unhealthy) => {
                    return Err(Error::Client(format!("container {name} is unhealthy")));
                }
                None if record.healthcheck().is_none() && checked => {
                    return Err(Error::Client(format!("container {name} has no healthcheck configured")));
                }
                None if record.healthcheck().is_none() && record.is_running() => return Ok("Healthy"),
                _ => {}
            }
            if end.is_some_and(|end| self.ctx.world().now() >= end) {
                return Err(Error::Client(format!("timeout waiting for container {name}")));
            }
            self.ctx.world().record_change(Duration::from_millis(500)).await;
        }
    }

    async fn wait_completed(&self, member: &Member, limit: Option<Duration>) -> Result<&'static str> {
        let end = limit.map(|l| self.ctx.world().now() + l);
        loop {
            let record = find_by_id(self.ctx, &member.record.id)?;
            match record.state.status {
                Status::Exited if record.state.exit_code == 0 => return Ok("Exited"),
                Status::Exited | Status::Dead => {
                    return Err(Error::Client(format!(
                        "service {:?} didn't complete successfully: exit {}",
                        member.service, record.state.exit_code
                    )));
                }
                _ => {}
            }
            if end.is_some_and(|end| self.ctx.world().now() >= end) {
                return Err(Error::Client(format!("timeout waiting for container {}", record.name)));
            }
            self.ctx.world().record_change(Duration::from_millis(500)).await;
        }
    }
}
