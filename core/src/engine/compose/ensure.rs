//! What containers need before they are made: networks, volumes and images.

use super::App;
use super::lanes::lanes;
use crate::cli::Args;
use crate::compose::{self, text};
use crate::container::spec::parse_duration;
use crate::engine::image::PullPolicy;
use crate::engine::network::{self, NetworkSpec, PoolSpec, lookup};
use crate::engine::race::Work;
use crate::engine::{Error, Result, volume};
use crate::volume::VolumeRecord;
use crate::world::World;
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::Value;

/// The label that tells by which definition something was made.
const HASH: &str = "com.docker.compose.config-hash";

fn pairs(value: Option<&Value>) -> BTreeMap<String, String> {
    value.and_then(Value::as_object).into_iter().flatten().map(|(k, v)| (k.clone(), text(v))).collect()
}

impl<W: World> App<'_, W> {
    fn own_labels(&self, kind: &str, key: &str, item: &Value) -> BTreeMap<String, String> {
        let mut labels = pairs(item.get("labels"));
        let hash = compose::part_hash(kind, item);
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
            let mut left = Vec::new();
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
                let made_by = found.labels.get(HASH).map_or("", String::as_str);
                if made_by.is_empty() || made_by == compose::part_hash("network", item) {
                    continue;
                }
                left = Box::pin(self.remove_diverged_network(key, &found)).await?;
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
                Box::pin(network::create(self.ctx, spec)).await?;
            }
            self.progress("Network", &name, "Created").await;
            Box::pin(self.reconnect(key, &name, &left)).await?;
        }
        Ok(())
    }

    /// Makes the volumes that are missing.
    pub(super) async fn ensure_volumes(&self, agreed: bool) -> Result<()> {
        for (key, item) in &self.project.volumes {
            let name = item.get("name").map_or_else(|| key.clone(), text);
            let there = self.ctx.world().get::<VolumeRecord>(&name)?;
            if item.get("external").is_some() {
                if there.is_none() {
                    return Err(Error::Client(format!("external volume {name:?} not found")));
                }
                continue;
            }
            if let Some(record) = there {
                self.whose_volume(&record).await;
                let changed =
                    record.labels.get(HASH).is_some_and(|made_by| *made_by != compose::part_hash("volume", item));
                if !changed || !Box::pin(self.remove_diverged_volume(key, &record, agreed)).await? {
                    continue;
                }
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

    /// Tells where a volume is not of this project's making.
    async fn whose_volume(&self, record: &VolumeRecord) {
        let (name, own) = (&record.name, &self.project.name);
        let told = match record.labels.get("com.docker.compose.project") {
            None => "but was not created by Docker Compose".to_string(),
            Some(project) if project != own => format!("but was created for project {project:?} (expected {own:?})"),
            Some(_) => return,
        };
        let text = format!("volume {name:?} already exists {told}. Use `external: true` to use an existing volume");
        super::open::warn(self.ctx, &text).await;
    }

    /// The images of these services, built or pulled where they are missing or `--build` and `--pull` say so.
    pub(super) async fn ensure_images(&self, services: &[String], args: &Args) -> Result<()> {
        if args.flag("build") && args.flag("no-build") {
            return Err(Error::Client("--build and --no-build are incompatible".into()));
        }
        let (mut pulls, mut builds): (Vec<(String, String)>, Vec<String>) = (Vec::new(), Vec::new());
        for name in services {
            let service = self.service(name)?;
            let image = self.image_of(name)?;
            let there = self.known_image(&image)?.is_some();
            let own = service.get("pull_policy").map(text).unwrap_or_default();
            let policy = match args.value("pull").unwrap_or("policy") {
                "policy" | "" => own.as_str(),
                given @ ("always" | "missing" | "never" | "build") => given,
                other => return Err(Error::Client(format!("invalid --pull option {other:?}"))),
            };
            let buildable = service.contains_key("build") && !args.flag("no-build");
            let stale = policy == "always" || self.is_stale(policy, &image)?;
            // With a name of its own, an image may be in a registry although it can be built.
            let pull = service.contains_key("image")
                && !(args.flag("build") && buildable)
                && !matches!(policy, "never" | "build")
                && (stale || !there);
            if pull && !pulls.iter().any(|(_, other)| *other == image) {
                pulls.push((name.clone(), image));
            }
            if buildable {
                builds.push(name.clone());
            }
        }
        let quiet = args.flag("quiet-pull");
        let work = pulls.iter().map(|(name, image)| -> Work<'_, Result<()>> {
            Box::pin(async move {
                let pulled = Box::pin(self.pull(name, image, PullPolicy::Always, quiet)).await;
                let built = self.project.services.iter().any(|(other, service)| {
                    service.contains_key("build") && self.image_of(other).is_ok_and(|own| own == *image)
                });
                if built { Ok(()) } else { pulled }
            })
        });
        Box::pin(lanes(work.collect(), self.at_once)).await.into_iter().collect::<Result<()>>()?;
        let mut wanted = Vec::new();
        for name in builds {
            let own = self.service(&name)?.get("pull_policy").map(text);
            let always = args.flag("build") || own.as_deref() == Some("build") || args.value("pull") == Some("build");
            if always || self.known_image(&self.image_of(&name)?)?.is_none() {
                wanted.push(name);
            }
        }
        match Box::pin(self.build(&wanted, args.flag("quiet-build"), &Args::default())).await? {
            0 => Ok(()),
            status => Err(Error::Status(status)),
        }
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
}
