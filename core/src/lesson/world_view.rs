//! A world as a lesson sees it: the facts, read from the records. The same for both worlds; only what is
//! looked at from outside of the engine (an HTTP answer, a volume's folder) differs, and comes in.

use super::state::{ContainerFacts, ImageFacts, NetworkFacts, StateView, VolumeFacts};
use crate::container::{ContainerRecord, without_own};
use crate::image::{ImageRecord, TagRecord};
use crate::name;
use crate::network::NetworkRecord;
use crate::volume::VolumeRecord;
use crate::world::{LocalFut, World};
use std::rc::Rc;

/// What a person could look at on the host, beside the engine.
pub trait Surroundings {
    /// What `http://127.0.0.1:PORT/PATH` answers; `None` where nothing does.
    fn fetch(&self, port: u16, path: &str) -> LocalFut<Option<String>>;
    /// A file below a folder of the host; links in it do not lead out.
    fn file_below(&self, folder: &str, path: &str) -> LocalFut<Option<Vec<u8>>>;
}

/// Answers a lesson's checks about `world`.
pub struct WorldView<W> {
    pub world: W,
    pub surroundings: Rc<dyn Surroundings>,
    /// What the learner entered, oldest first.
    pub lines: Vec<String>,
}

impl<W: World> WorldView<W> {
    fn container(&self, name: &str) -> Option<ContainerRecord> {
        let all: Vec<ContainerRecord> = self.world.list().ok()?;
        all.into_iter().find(|c| c.name == name || c.id == name)
    }
}

async fn facts<W: World>(world: &W, c: ContainerRecord) -> ContainerFacts {
    let changes = without_own(world.changes(&c.snapshot).await.unwrap_or_default());
    ContainerFacts {
        state: c.state.status.name().to_string(),
        exit_code: c.state.exit_code,
        command: std::iter::once(c.path).chain(c.args).collect(),
        env: c.config.image.env.clone(),
        labels: c.config.image.labels.clone().unwrap_or_default(),
        ports: c.ports.iter().map(|p| (p.host_port, p.container_port)).collect(),
        mounts: c.mounts.iter().map(|m| (m.name.clone(), m.destination.clone())).collect(),
        networks: c.endpoints.keys().cloned().collect(),
        memory: u64::try_from(c.host.resources.memory).unwrap_or(0),
        changed_paths: changes.into_iter().map(|change| change.path).collect(),
        id: c.id,
        name: c.name,
        image: c.image_name,
    }
}

impl<W: World> StateView for WorldView<W> {
    fn containers(&self) -> LocalFut<Vec<ContainerFacts>> {
        let world = self.world.clone();
        Box::pin(async move {
            let mut all = Vec::new();
            for record in world.list::<ContainerRecord>().unwrap_or_default() {
                all.push(facts(&world, record).await);
            }
            all
        })
    }

    fn images(&self) -> LocalFut<Vec<ImageFacts>> {
        let tags: Vec<TagRecord> = self.world.list().unwrap_or_default();
        let images: Vec<ImageRecord> = self.world.list().unwrap_or_default();
        let fact = |image: ImageRecord| ImageFacts {
            id: image.id.to_string(),
            names: tags.iter().filter(|t| t.image == image.id).map(|t| name::familiar(&t.name)).collect(),
            layers: image.layers.iter().map(|l| l.chain.to_string()).collect(),
            command: image.config.entrypoint.into_iter().chain(image.config.cmd).flatten().collect(),
            env: image.config.env,
            exposed: image.config.exposed_ports.into_iter().collect(),
        };
        let all: Vec<ImageFacts> = images.into_iter().map(fact).collect();
        Box::pin(async move { all })
    }

    fn volumes(&self) -> LocalFut<Vec<VolumeFacts>> {
        let all: Vec<VolumeRecord> = self.world.list().unwrap_or_default();
        Box::pin(async move { all.into_iter().map(|v| VolumeFacts { name: v.name }).collect() })
    }

    fn networks(&self) -> LocalFut<Vec<NetworkFacts>> {
        let all: Vec<NetworkRecord> = self.world.list().unwrap_or_default();
        Box::pin(async move {
            all.into_iter().map(|n| NetworkFacts { driver: n.driver.name().to_string(), name: n.name }).collect()
        })
    }

    fn output(&self, container: &str) -> LocalFut<String> {
        let (world, container) = (self.world.clone(), container.to_string());
        Box::pin(async move {
            let lines = world.logs(&container, 0).await.unwrap_or_default();
            lines.iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect()
        })
    }

    fn file(&self, container: &str, path: &str) -> LocalFut<Option<Vec<u8>>> {
        let (world, record, path) = (self.world.clone(), self.container(container), path.to_string());
        Box::pin(async move { world.read_snapshot_file(&record?.snapshot, &path).await.ok() })
    }

    fn volume_file(&self, volume: &str, path: &str) -> LocalFut<Option<Vec<u8>>> {
        self.surroundings.file_below(&self.world.volume_path(volume), path)
    }

    fn fetch(&self, port: u16, path: &str) -> LocalFut<Option<String>> {
        self.surroundings.fetch(port, path)
    }

    fn lines(&self) -> Vec<String> {
        self.lines.clone()
    }
}
