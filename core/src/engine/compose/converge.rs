//! From what there is to what the files want: the containers of each service, kept, made anew, or started.

use super::App;
use super::app::{LABEL, Member};
use super::create::Changes;
use super::logs::Prefixes;
use super::run::docker;
use crate::cli::Args;
use crate::compose::{self, text};
use crate::container::{ContainerRecord, MountKind, Status};
use crate::engine::image::{self, PullPolicy};
use crate::engine::{Error, Result, network};
use crate::image::ImageRecord;
use crate::world::World;
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Map, Value};
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

impl<W: World> App<'_, W> {
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
            let members = self.best_first(name, members, plan)?;
            let keep = (wanted as usize).min(members.len());
            Box::pin(self.take_down(&members[keep..], plan.timeout, false)).await?;
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
                    self.progress("Container", &container, &error.render("")).await;
                    return Err(error);
                }
                self.progress("Container", &container, "Created").await;
            }
        }
        Ok(())
    }

    /// The containers of a service, those first that stay when there are too many: not the outdated ones, and the
    /// oldest numbers.
    fn best_first(&self, service: &str, mut members: Vec<Member>, plan: &Plan) -> Result<Vec<Member>> {
        let image = self.known_image(&self.image_of(service)?)?;
        let mut outdated = Vec::new();
        for member in &members {
            if self.is_outdated(service, member, image.as_ref(), plan)? {
                outdated.push(member.record.id.clone());
            }
        }
        members.sort_by_key(|m| (outdated.contains(&m.record.id), m.number));
        Ok(members)
    }

    /// Whether a container is not what the files want, or is to be made anew in any case.
    fn is_outdated(&self, service: &str, member: &Member, image: Option<&ImageRecord>, plan: &Plan) -> Result<bool> {
        let named = plan.named.is_empty() || plan.named.iter().any(|n| n == service);
        if plan.never {
            return Ok(false);
        }
        let attributes = self.service(service)?;
        let record = &member.record;
        Ok(if named { plan.force } else { plan.force_dependencies }
            || member.label("config-hash") != compose::hash(attributes)
            || image.is_some_and(|i| record.image != i.id || member.label("image") != i.id.to_string())
            || (record.is_running() && self.lacks_network(attributes, record)?)
            || self.lacks_volume(attributes, record))
    }

    /// Whether a container is not in one of the networks of its service.
    fn lacks_network(&self, attributes: &Map<String, Value>, record: &ContainerRecord) -> Result<bool> {
        for (key, _) in attributes.get("networks").and_then(Value::as_object).into_iter().flatten() {
            let name = self.project.networks.get(key).and_then(|n| n.get("name")).map_or_else(|| key.clone(), text);
            let Some(network) = network::lookup(self.ctx, &name)? else { continue };
            if !record.endpoints.contains_key(&network.name) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a container has not one of the volumes of its service.
    fn lacks_volume(&self, attributes: &Map<String, Value>, record: &ContainerRecord) -> bool {
        let volumes = attributes.get("volumes").and_then(Value::as_array).into_iter().flatten();
        let named = volumes.filter(|v| v.get("type").is_some_and(|t| t == "volume"));
        named.filter_map(|v| v.get("source").map(text)).any(|source| {
            let name = self.project.volumes.get(&source).and_then(|v| v.get("name")).map_or(source, text);
            !record.mounts.iter().any(|m| m.kind == MountKind::Volume && m.name == name)
        })
    }

    async fn keep_or_renew(
        &self,
        service: &str,
        member: &Member,
        image: Option<&ImageRecord>,
        plan: &Plan,
    ) -> Result<()> {
        if !self.is_outdated(service, member, image, plan)? {
            match member.record.state.status {
                Status::Running => self.progress("Container", member.name(), "Running").await,
                Status::Paused | Status::Dead => {
                    self.progress("Container", member.name(), "Restart").await;
                    Box::pin(self.start_one(&member.record.id)).await?;
                    self.progress("Container", member.name(), "Restarted").await;
                }
                _ => {}
            }
            return Ok(());
        }
        let dependents = self.restarted_with(&[service.to_string()]);
        if !dependents.is_empty() {
            for group in self.last_first(self.members(&dependents).await?)? {
                Box::pin(self.stop_all(&group, None)).await?;
            }
        }
        self.progress("Container", member.name(), "Recreate").await;
        match Box::pin(self.replace(service, member, image, plan)).await {
            Ok(()) => self.progress("Container", member.name(), "Recreated").await,
            Err(error) => {
                self.progress("Container", member.name(), &error.render("")).await;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Makes the new container beside the old one, which stays where that fails, and lets it take the old one's place.
    async fn replace(&self, service: &str, member: &Member, image: Option<&ImageRecord>, plan: &Plan) -> Result<()> {
        let mut words = if plan.renew_volumes { Vec::new() } else { self.taken_over(service, member)? };
        let name = self.name_of(service, member.number);
        let own = self.service(service)?.get("container_name").map(text);
        let replaced = own.unwrap_or_else(|| format!("{service}-{}", member.number));
        words.push(format!("--label={LABEL}.replace={replaced}"));
        let dry = self.board.dry;
        let beside = if dry { name.clone() } else { format!("{}_{name}", &member.record.id[..12]) };
        if dry {
            self.remove_one(&member.record.id, false).await?;
        }
        let changes = Changes { name: beside, number: member.number, words, ..Changes::default() };
        let made = Box::pin(self.create(service, image, &changes)).await?;
        if !dry {
            Box::pin(self.stop_one(&member.record, plan.timeout)).await?;
            Box::pin(self.remove_one(&member.record.id, false)).await?;
            Box::pin(docker(self, &["rename", &made.id, &name], false)).await?;
        }
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
            let replicas = self.service(name)?.get("deploy").and_then(|d| d.get("replicas"));
            if replicas.and_then(Value::as_i64) == Some(0) {
                continue;
            }
            Box::pin(self.wait_for_dependencies(name, limit, None)).await?;
            for member in members.iter().filter(|m| !m.record.is_running()) {
                self.progress("Container", member.name(), "Starting").await;
                Box::pin(self.start_one(&member.record.id)).await?;
                Box::pin(self.hooks(member, "post_start", shown)).await?;
                self.progress("Container", member.name(), "Started").await;
            }
        }
        Ok(())
    }
}
