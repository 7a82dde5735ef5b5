//! Builds the stage from the records and the machine. What has not changed since the last one is the same
//! object again, so that a stage per step costs little.

use crate::container::{ContainerRecord, without_own};
use crate::image::{ImageRecord, TagRecord};
use crate::name::Reference;
use crate::network::NetworkRecord;
use crate::sim::world::{Memory, SimWorld};
use crate::view::stage::*;
use crate::volume::VolumeRecord;
use crate::world::{ChangeKind, Kind, Queries, Subject};
use cutaway_userland::sorted::Arrange;
use cutaway_userland::sorted::Map as BTreeMap;
use serde::Deserialize;
use serde_json::Value;
use std::rc::Rc;

/// The most changed paths of a container that are shown.
const MOST_CHANGES: usize = 500;

#[derive(Default)]
pub struct StageBuilder {
    seen: Memory,
    last: Rc<Stage>,
    /// By image id: the chains of its layers.
    layers: BTreeMap<String, Vec<String>>,
    containers: BTreeMap<String, Known>,
}

/// A container as it was last looked at.
struct Known {
    value: Rc<Value>,
    record: ContainerRecord,
    view: Rc<ContainerView>,
}

impl StageBuilder {
    /// The stage as it is now; `touched` is what the last act was on, `None` where anything may have changed.
    pub fn build(&mut self, world: &SimWorld, touched: Option<&[Subject]>) -> Rc<Stage> {
        let now = world.memory();
        let same = |kind: Kind| now.same(&self.seen, kind);
        let images_same = same(Kind::Image) && same(Kind::Tag);
        let (images, registries) = match images_same {
            true => (self.last.images.clone(), self.last.registries.clone()),
            false => (share(&self.last.images, images(&now)), share(&self.last.registries, registries(&now))),
        };
        if !images_same {
            let chains = |image: &ImageRecord| image.chains().iter().map(ToString::to_string).collect();
            self.layers = now.list::<ImageRecord>().iter().map(|i| (i.id.to_string(), chains(i))).collect();
        }
        let networks = match same(Kind::Network) {
            true => self.last.networks.clone(),
            false => share(&self.last.networks, networks(&now)),
        };
        let volumes_same = same(Kind::Volume);
        let containers = self.containers(&now, world, touched);
        let volumes = self.volumes(&now, world, touched, volumes_same);
        let host = world.host().name;
        let stage = Stage { host, registries, images, containers, volumes, networks };
        if stage != *self.last {
            self.last = Rc::new(stage);
        }
        self.seen = now;
        self.last.clone()
    }

    /// Only what runs, what was touched and what has another record can look different.
    fn containers(&mut self, now: &Memory, world: &SimWorld, touched: Option<&[Subject]>) -> Vec<Rc<ContainerView>> {
        let mut known = BTreeMap::new();
        for key in now.keys(Kind::Container) {
            let Some(value) = now.get(Kind::Container, &key) else { continue };
            let subject = Subject::Container(key.clone());
            let old = self.containers.remove(&key).filter(|k| Rc::ptr_eq(&k.value, &value));
            let quiet = world.init_pid(&key).is_none() && touched.is_some_and(|all| !all.contains(&subject));
            let next = match old {
                Some(old) if quiet => old,
                Some(old) => {
                    // The record is the same: only what it does can have changed, and its layers by a new image.
                    let (changes, processes) = (changes(&old.record, world), processes(&old.record, world));
                    let layers = self.layers.get(&old.view.image_id);
                    let same = changes == old.view.changes
                        && processes == old.view.processes
                        && layers.map_or(&[][..], Vec::as_slice) == old.view.layers;
                    let view = match same {
                        true => old.view,
                        false => Rc::new(container(&old.record, world, &self.layers)),
                    };
                    Known { view, ..old }
                }
                None => {
                    let Ok(record) = ContainerRecord::deserialize(&*value) else { continue };
                    let view = Rc::new(container(&record, world, &self.layers));
                    Known { value, record, view }
                }
            };
            known.insert(key, next);
        }
        self.containers = known;
        let mut all: Vec<&Known> = self.containers.values().collect();
        all.arrange_by_key(|k| k.record.created);
        all.into_iter().map(|k| k.view.clone()).collect()
    }

    /// A volume's size changes only under a container that runs, or by an act on it.
    fn volumes(&self, now: &Memory, world: &SimWorld, touched: Option<&[Subject]>, same: bool) -> Vec<Rc<VolumeView>> {
        let in_use = |name: &str| {
            let mounts = |k: &Known| k.record.mounts.iter().any(|m| m.name == name);
            self.containers.iter().any(|(id, known)| world.init_pid(id).is_some() && mounts(known))
        };
        let quiet = |name: &str| {
            let subject = Subject::Volume(name.to_string());
            touched.is_some_and(|all| !all.contains(&subject)) && !in_use(name)
        };
        if same && self.last.volumes.iter().all(|v| quiet(&v.name)) {
            return self.last.volumes.clone();
        }
        if same {
            // The records are the same: only sizes can have changed.
            let resized = |old: &Rc<VolumeView>| {
                let size = if quiet(&old.name) { old.size } else { world.volume_size(&old.name) };
                if size == old.size { old.clone() } else { Rc::new(VolumeView { size, ..(**old).clone() }) }
            };
            return self.last.volumes.iter().map(resized).collect();
        }
        let mut records = now.list::<VolumeRecord>();
        records.arrange_by_key(|volume| volume.created);
        let fresh = records.into_iter().map(|volume| VolumeView {
            size: match self.last.volumes.iter().find(|v| v.name == volume.name) {
                Some(old) if quiet(&volume.name) => old.size,
                _ => world.volume_size(&volume.name),
            },
            anonymous: volume.anonymous,
            name: volume.name,
        });
        share(&self.last.volumes, fresh.collect())
    }
}

/// The fresh views, each replaced by the old object where it is equal.
fn share<T: PartialEq>(old: &[Rc<T>], fresh: Vec<T>) -> Vec<Rc<T>> {
    let keep = |view: T| old.iter().find(|o| ***o == view).cloned().unwrap_or_else(|| Rc::new(view));
    fresh.into_iter().map(keep).collect()
}

fn familiar(name: &str) -> String {
    Reference::parse(name).map_or_else(|_| name.to_string(), |reference| reference.familiar())
}

fn images(memory: &Memory) -> Vec<ImageView> {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for tag in memory.list::<TagRecord>().iter().filter(|tag| !tag.name.contains('@')) {
        names.entry(tag.image.to_string()).or_default().push(familiar(&tag.name));
    }
    let mut records = memory.list::<ImageRecord>();
    records.arrange_by_key(|image| (image.last_tagged, image.created));
    let view = |image: &ImageRecord| {
        let mut made_by = image.history.iter().filter(|h| !h.empty_layer);
        let layers = image.layers.iter().map(|layer| LayerView {
            chain: layer.chain.to_string(),
            diff_id: layer.diff_id.to_string(),
            size: layer.size,
            created_by: made_by.next().map(|h| h.created_by.clone()).unwrap_or_default(),
        });
        ImageView {
            id: image.id.to_string(),
            layers: layers.collect(),
            names: names.remove(&image.id.to_string()).unwrap_or_default(),
            size: image.size(),
        }
    };
    let mut view = view;
    records.iter().map(&mut view).collect()
}

/// Registries that some image was pulled from or pushed to, with what of it they have.
fn registries(memory: &Memory) -> Vec<RegistryView> {
    let tags = memory.list::<TagRecord>();
    let mut hosts: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    // A repository's digest is noted when the repository has said, or has been told, what the image is.
    for known in &tags {
        let Some((repository, _)) = known.name.split_once('@') else { continue };
        let Some((host, path)) = repository.split_once('/') else { continue };
        let all = hosts.entry(host.to_string()).or_default().entry(path.to_string()).or_default();
        let named = tags.iter().filter(|tag| tag.image == known.image).filter_map(|tag| {
            let name = tag.name.strip_prefix(repository)?.strip_prefix(':')?;
            (!all.iter().any(|n| n == name)).then(|| name.to_string())
        });
        let named: Vec<String> = named.collect();
        all.extend(named);
    }
    let repositories = |all: BTreeMap<String, Vec<String>>| {
        all.into_iter().map(|(name, tags)| RepositoryView { name, tags }).collect()
    };
    hosts.into_iter().map(|(host, all)| RegistryView { host, repositories: repositories(all) }).collect()
}

fn networks(memory: &Memory) -> Vec<NetworkView> {
    let mut records = memory.list::<NetworkRecord>();
    records.arrange_by_key(|network| network.created);
    let text = |value: Option<String>| value.unwrap_or_default();
    records
        .into_iter()
        .map(|network| NetworkView {
            subnet: text(network.pools.first().map(|p| p.subnet.to_string())),
            gateway: text(network.pools.first().and_then(|p| p.gateway).map(|a| a.to_string())),
            driver: network.driver.name().to_string(),
            id: network.id,
            name: network.name,
        })
        .collect()
}

/// What its writable layer changes, as `docker diff` tells it.
fn changes(record: &ContainerRecord, world: &SimWorld) -> Vec<(char, String)> {
    let changes = world.overlay(&record.snapshot).map(|overlay| overlay.changes()).unwrap_or_default();
    let letter = |kind: ChangeKind| match kind {
        ChangeKind::Modified => 'C',
        ChangeKind::Added => 'A',
        ChangeKind::Deleted => 'D',
    };
    without_own(changes).into_iter().take(MOST_CHANGES).map(|c| (letter(c.kind), c.path)).collect()
}

fn container(record: &ContainerRecord, world: &SimWorld, layers: &BTreeMap<String, Vec<String>>) -> ContainerView {
    let image_id = record.image.to_string();
    let state = record.state.status.name().to_string();
    ContainerView {
        id: record.id.clone(),
        name: record.name.clone(),
        image: record.image_name.clone(),
        status: match state.as_str() {
            "running" => "Up".to_string(),
            "paused" => "Up (Paused)".to_string(),
            "exited" => format!("Exited ({})", record.state.exit_code),
            "restarting" => format!("Restarting ({})", record.state.exit_code),
            "created" => "Created".to_string(),
            other => other.to_string(),
        },
        state,
        exit_code: record.state.exit_code,
        health: record.state.health.as_ref().map(|h| h.status.name().to_string()).unwrap_or_default(),
        command: [record.path.clone()].into_iter().chain(record.args.iter().cloned()).collect(),
        layers: layers.get(&image_id).cloned().unwrap_or_default(),
        image_id,
        changes: changes(record, world),
        processes: processes(record, world),
        networks: record
            .endpoints
            .iter()
            .map(|(name, endpoint)| (name.clone(), endpoint.address.map(|a| a.to_string()).unwrap_or_default()))
            .collect(),
        ports: record
            .ports
            .iter()
            .map(|p| PortView {
                host: p.host_port,
                container: p.container_port,
                protocol: p.protocol.name().to_string(),
            })
            .collect(),
        mounts: record
            .mounts
            .iter()
            .map(|m| MountView {
                kind: m.kind.name().to_string(),
                source: if m.name.is_empty() { m.source.clone() } else { m.name.clone() },
                target: m.destination.clone(),
                read_only: !m.writable,
            })
            .collect(),
        memory_limit: record.host.resources.memory.max(0) as u64,
    }
}

/// Ids inside the container, and command lines.
fn processes(record: &ContainerRecord, world: &SimWorld) -> Vec<(i32, String)> {
    let Some(init) = world.init_pid(&record.id) else { return Vec::new() };
    let machine = world.machine();
    let words = |args: &[String], name: &str| if args.is_empty() { name.to_string() } else { args.join(" ") };
    let mut all: Vec<(i32, String)> = match world.processes(&record.id) {
        Ok(rows) => rows.iter().map(|p| (machine.pid_in(p.pid, init).unwrap_or(p.pid), words(&p.args, "?"))).collect(),
        Err(_) => Vec::new(),
    };
    all.arrange();
    all
}
