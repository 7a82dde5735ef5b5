//! From what there is to what the files want: networks, volumes, images, then the containers of each service.

use super::App;
use super::app::Member;
use super::create::Changes;
use super::logs::Prefixes;
use crate::cli::Args;
use crate::compose::{self, text};
use crate::container::spec::parse_duration;
use crate::container::{HealthStatus, MountKind, Status};
use crate::engine::image::{self, PullPolicy};
use crate::engine::network::{self, NetworkSpec, PoolSpec, lookup};
use crate::engine::{Error, Result, volume};
use crate::image::ImageRecord;
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
    pub force_dependencies: bool,
    /// The services that `force` means; all, where none is named.
    pub named: Vec<String>,
    /// Volumes without a name are not taken over from the old container.
    pub renew_volumes: bool,
    pub timeout: Option<i64>,
    /// By service, what `--scale` says.
    pub scale: BTreeMap<String, u32>,
}

impl Plan {
    pub fn of(args: &Args) -> Result<Plan> {
        for (one, other) in [
            ("no-recreate", "renew-anon-volumes"),
            ("force-recreate", "no-recreate"),
            ("always-recreate-deps", "no-recreate"),
        ] {
            if args.flag(one) && args.flag(other) {
                return Err(Error::Client(format!("--{one} and --{other} are incompatible")));
            }
        }
        Ok(Plan {
            force: args.flag("force-recreate"),
            never: args.flag("no-recreate"),
            force_dependencies: args.flag("always-recreate-deps"),
            named: args.positionals.clone(),
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
        let Some((name, count)) = word.split_once('=').filter(|(n, c)| !n.is_empty() && !c.is_empty()) else {
            return Err(Error::Client(format!("invalid scale specifier: {word}")));
        };
        let count = count
            .parse()
            .map_err(|_| Error::Client(format!("invalid scale specifier: can't parse replica value as int: {word}")))?;
        all.insert(name.to_string(), count);
    }
    Ok(all)
}

fn pairs(value: Option<&Value>) -> BTreeMap<String, String> {
    value.and_then(Value::as_object).into_iter().flatten().map(|(k, v)| (k.clone(), text(v))).collect()
}

impl<W: World> App<'_, W> {
    fn own_labels(&self, kind: &str, key: &str, item: &Value) -> BTreeMap<String, String> {
        let mut labels = pairs(item.get("labels"));
        let hash = crate::name::Digest::of(item.to_string().as_bytes()).hex();
        for (name, value) in [
            ("config-hash", hash.as_str()),
            ("project", self.project.name.as_str()),
            (kind, key),
            ("version", super::VERSION),
        ] {
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
                let told = match found.labels.get("com.docker.compose.project") {
                    None => Some("but was not created by compose".to_string()),
                    Some(p) if *p != self.project.name => {
                        Some(format!("but was not created for project {:?}", self.project.name))
                    }
                    Some(_) => None,
                };
                if let Some(told) = told {
                    let text = format!(
                        "a network with name {name} exists {told}.\nSet `external: true` to use an existing network"
                    );
                    super::open::warn(self.ctx, &text).await;
                }
                if found.labels.get("com.docker.compose.network") != Some(key) {
                    return Err(Error::Client(format!(
                        "network {name} was found but has incorrect label com.docker.compose.network set to {:?} (expected: {key:?})",
                        found.labels.get("com.docker.compose.network").cloned().unwrap_or_default()
                    )));
                }
                continue;
            }
            self.progress("Network", &name, "Creating").await;
            let listed = item.get("ipam").and_then(|i| i.get("config")).and_then(Value::as_array);
            let on = |field: &str| item.get(field) == Some(&Value::Bool(true));
            let pool = |entry: &Value| {
                let word = |field: &str| entry.get(field).map(text).unwrap_or_default();
                PoolSpec {
                    subnet: word("subnet"),
                    range: word("ip_range"),
                    gateway: word("gateway"),
                    aux_addresses: pairs(entry.get("aux_addresses")),
                }
            };
            let spec = NetworkSpec {
                name: name.clone(),
                driver: item.get("driver").map(text).unwrap_or_default(),
                pools: listed.into_iter().flatten().map(pool).filter(|p| !p.subnet.is_empty()).collect(),
                internal: on("internal"),
                attachable: on("attachable"),
                ipv4: item.get("enable_ipv4") != Some(&Value::Bool(false)),
                ipv6: on("enable_ipv6"),
                options: pairs(item.get("driver_opts")),
                labels: self.own_labels("network", key, item),
                ..NetworkSpec::default()
            };
            if !self.board.dry {
                network::create(self.ctx, spec)?;
            }
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
                let label = |kind: &str| {
                    let record = self.ctx.world().get::<VolumeRecord>(&name).ok().flatten();
                    record.and_then(|v| v.labels.get(&format!("com.docker.compose.{kind}")).cloned())
                };
                match label("project") {
                    None => {
                        let text = format!(
                            "volume {name:?} already exists but was not created by Docker Compose. Use `external: true` to use an existing volume"
                        );
                        super::open::warn(self.ctx, &text).await;
                    }
                    Some(project) if project != self.project.name => {
                        let text = format!(
                            "volume {name:?} already exists but was created for project {project:?} (expected {:?}). Use `external: true` to use an existing volume",
                            self.project.name
                        );
                        super::open::warn(self.ctx, &text).await;
                    }
                    Some(_) => {}
                }
                continue;
            }
            self.progress("Volume", &name, "Creating").await;
            let driver = item.get("driver").map(text).unwrap_or_default();
            let labels = self.own_labels("volume", key, item);
            if !self.board.dry {
                Box::pin(volume::ensure(self.ctx, &name, &driver, labels, pairs(item.get("driver_opts")))).await?;
            }
            self.progress("Volume", &name, "Created").await;
        }
        Ok(())
    }

    /// The images of these services, built or pulled where they are missing or `--build` and `--pull` say so.
    pub(super) async fn ensure_images(&self, services: &[String], args: &Args) -> Result<()> {
        if args.flag("build") && args.flag("no-build") {
            return Err(Error::Client("--build and --no-build are incompatible".into()));
        }
        let mut done: Vec<String> = Vec::new();
        for name in services {
            let service = self.service(name)?;
            let image = self.image_of(name)?;
            let there = self.known_image(&image)?.is_some() || done.contains(&image);
            let own = service.get("pull_policy").map(text).unwrap_or_default();
            let policy = match args.value("pull").unwrap_or("policy") {
                "policy" | "" => own.as_str(),
                given @ ("always" | "missing" | "never" | "build") => given,
                other => return Err(Error::Client(format!("invalid --pull option {other:?}"))),
            };
            let builds = service.contains_key("build");
            let quiet = args.flag("quiet-pull");
            if builds && !args.flag("no-build") {
                let build = args.flag("build") || policy == "build" || !there;
                // With a name of its own, an image may be in a registry already.
                let pulls =
                    !args.flag("build") && service.contains_key("image") && policy != "build" && policy != "never";
                if build && pulls && Box::pin(self.pull(name, &image, PullPolicy::Always, quiet)).await.is_ok() {
                    done.push(image);
                    continue;
                }
                if build {
                    Box::pin(self.build(name, args.flag("quiet-build"), &Args::default())).await?;
                    done.push(image);
                }
                continue;
            }
            let stale = policy == "always" || self.is_stale(policy, &image)?;
            if policy != "never" && (stale || !there) && !done.contains(&image) {
                Box::pin(self.pull(name, &image, PullPolicy::Always, quiet)).await?;
                done.push(image);
            }
        }
        Ok(())
    }

    /// Whether an image is older than `daily`, `weekly` or `every_…` allows.
    fn is_stale(&self, policy: &str, image: &str) -> Result<bool> {
        let span = match policy {
            "daily" => "24h".to_string(),
            "weekly" => "168h".to_string(),
            other => other.strip_prefix("every_").unwrap_or("").to_string(),
        };
        let hours = |text: &str, unit: char, times: f64| {
            text.strip_suffix(unit).and_then(|n| n.parse::<f64>().ok()).map(|n| format!("{}h", n * times))
        };
        let span = hours(&span, 'd', 24.0).or_else(|| hours(&span, 'w', 168.0)).unwrap_or(span);
        let Some(seconds) = parse_duration(&span).ok().filter(|n| *n > 0) else { return Ok(false) };
        let Some(tagged) = self.known_image(image)?.and_then(|i| i.last_tagged.or(i.created)) else { return Ok(false) };
        let age = self.ctx.world().now().saturating_sub(tagged);
        Ok(age.as_nanos() > u128::try_from(seconds).unwrap_or(u128::MAX))
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
            let image = match self.board.dry {
                true => self.known_image(&image_name)?,
                false => Some(Box::pin(image::ensure_quietly(self.ctx, &image_name, PullPolicy::Never, None)).await?),
            };
            let image = image.as_ref();
            for member in &members[..keep] {
                Box::pin(self.keep_or_renew(name, member, image, plan)).await?;
            }
            let last = members.iter().map(|m| m.number).max().unwrap_or(0);
            for number in (1..).map(|n| last + n).take(wanted as usize - keep) {
                let container = self.name_of(name, number);
                self.progress("Container", &container, "Creating").await;
                let changes = Changes { name: container.clone(), number, ..Changes::default() };
                if let Err(error) = Box::pin(self.create(name, image, &changes)).await {
                    self.progress("Container", &container, "Error response from daemon").await;
                    return Err(error);
                }
                self.progress("Container", &container, "Created").await;
            }
        }
        Ok(())
    }

    async fn keep_or_renew(
        &self,
        service: &str,
        member: &Member,
        image: Option<&ImageRecord>,
        plan: &Plan,
    ) -> Result<()> {
        let named = plan.named.is_empty() || plan.named.iter().any(|n| n == service);
        let force = if named { plan.force } else { plan.force_dependencies };
        let changed = member.label("config-hash") != compose::hash(self.service(service)?)
            || image.is_some_and(|i| member.record.image != i.id || member.label("image") != i.id.to_string());
        if plan.never || !(force || changed) {
            if member.record.state.status == Status::Running {
                self.progress("Container", member.name(), "Running").await;
            }
            return Ok(());
        }
        let dependents = self.restarted_with(&[service.to_string()]);
        if !dependents.is_empty() {
            let mut running = self.members(&dependents).await?;
            running.retain(|m| m.record.is_running());
            Box::pin(self.stop_all(&running, plan.timeout)).await?;
        }
        self.progress("Container", member.name(), "Recreate").await;
        if member.record.is_running() {
            Box::pin(self.hooks(member, "pre_stop", None)).await?;
        }
        Box::pin(self.stop_one(&member.record, plan.timeout)).await?;
        Box::pin(self.remove_one(&member.record.id, false)).await?;
        let words = if plan.renew_volumes { Vec::new() } else { self.taken_over(service, member)? };
        let name = self.name_of(service, member.number);
        let changes = Changes { name, number: member.number, words, ..Changes::default() };
        Box::pin(self.create(service, image, &changes)).await?;
        self.progress("Container", member.name(), "Recreated").await;
        Ok(())
    }

    /// The volumes without a name that a new container has from the one it replaces.
    fn taken_over(&self, service: &str, member: &Member) -> Result<Vec<String>> {
        let volumes = self.service(service)?.get("volumes").and_then(Value::as_array).cloned().unwrap_or_default();
        let source = |target: &str| {
            let same = volumes.iter().find(|v| v.get("target").map(text).as_deref() == Some(target));
            same.map(|v| v.get("source").is_some())
        };
        let image = &member.record.config.image.volumes;
        let nameless = |target: &str| source(target).map_or_else(|| image.contains(target), |named| !named);
        let mounts = member.record.mounts.iter();
        let kept = mounts.filter(|m| m.kind == MountKind::Volume && nameless(&m.destination));
        Ok(kept.map(|m| format!("--volume={}:{}", m.name, m.destination)).collect())
    }

    /// Starts the containers of these services that do not run, each after those that it waits for.
    pub(super) async fn start_services(
        &self,
        services: &[String],
        limit: Option<Duration>,
        shown: Option<&Prefixes>,
    ) -> Result<()> {
        for name in services {
            let members = self.members(std::slice::from_ref(name)).await?;
            if members.iter().all(|m| m.record.is_running()) {
                continue;
            }
            Box::pin(self.wait_for_dependencies(name, limit)).await?;
            for member in members.iter().filter(|m| !m.record.is_running()) {
                self.progress("Container", member.name(), "Starting").await;
                Box::pin(self.start_one(&member.record.id)).await?;
                Box::pin(self.hooks(member, "post_start", shown)).await?;
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
            let members = self.members(&[name.to_string()]).await?;
            let replicas = |s: &Value| s.get("replicas").and_then(Value::as_i64) == Some(0);
            if self.service(name)?.get("deploy").is_some_and(replicas) {
                continue;
            }
            if members.is_empty() && required {
                return Err(Error::Client(format!("{service} is missing dependency {name}")));
            }
            if members.is_empty() {
                super::open::warn(self.ctx, &format!("{service} is missing dependency {name}")).await;
            }
            for member in members {
                self.progress("Container", member.name(), "Waiting").await;
                waiting.push((member, condition.clone(), required));
            }
        }
        for (member, condition, required) in waiting {
            let completed = condition == "service_completed_successfully";
            let waited = match completed {
                true => self.wait_completed(&member, limit).await,
                false => self.wait_healthy(&member, limit, true).await,
            };
            let error = match waited {
                Ok(state) => {
                    self.progress("Container", member.name(), state).await;
                    continue;
                }
                Err(error) => error,
            };
            let dependency = &member.service;
            let reason = error.render("");
            if !required {
                let text = match completed {
                    true => format!("optional dependency {}", reason.trim_start_matches("service ")),
                    false => format!("optional dependency {dependency:?} failed to start"),
                };
                self.progress("Container", member.name(), &format!("Skipped: {text}")).await;
                let text = if completed { text } else { format!("{text}: {reason}") };
                super::open::warn(self.ctx, &text).await;
                continue;
            }
            if completed {
                self.progress("Container", member.name(), &reason).await;
                return Err(error);
            }
            self.progress("Container", member.name(), "Error").await;
            return Err(Error::Client(format!("dependency failed to start: {reason}")));
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
            let record = self.current(&member.record.id)?;
            if self.board.dry {
                return Ok("Healthy");
            }
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
            self.redraw().await;
        }
    }

    pub(super) async fn wait_completed(&self, member: &Member, limit: Option<Duration>) -> Result<&'static str> {
        let end = limit.map(|l| self.ctx.world().now() + l);
        loop {
            let record = self.current(&member.record.id)?;
            if self.board.dry {
                return Ok("Exited");
            }
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
            self.redraw().await;
        }
    }
}
