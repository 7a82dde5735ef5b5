//! What a check may ask about a world. Both worlds answer it; the facts are what a lesson may speak of.

use crate::world::LocalFut;
use cutaway_userland::sorted::Map as BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerFacts {
    /// 64 hexadecimal digits.
    pub id: String,
    pub name: String,
    /// As typed when it was created.
    pub image: String,
    /// As `docker ps` shows it: `created`, `running`, `paused`, `exited`, …
    pub state: String,
    pub exit_code: i32,
    pub command: Vec<String>,
    pub env: Vec<String>,
    pub labels: BTreeMap<String, String>,
    /// Host port, container port.
    pub ports: Vec<(u16, u16)>,
    /// Volume name (empty for a bind mount or memory), target.
    pub mounts: Vec<(String, String)>,
    /// Names of its networks.
    pub networks: Vec<String>,
    /// Bytes; 0 is unlimited.
    pub memory: u64,
    pub changed_paths: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFacts {
    pub id: String,
    /// Familiar names, as `busybox:latest`.
    pub names: Vec<String>,
    pub layers: Vec<String>,
    pub command: Vec<String>,
    pub env: Vec<String>,
    pub exposed: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeFacts {
    pub name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkFacts {
    pub name: String,
    pub driver: String,
}

/// The state of a world, and what was typed there.
pub trait StateView {
    fn containers(&self) -> LocalFut<Vec<ContainerFacts>>;
    fn images(&self) -> LocalFut<Vec<ImageFacts>>;
    fn volumes(&self) -> LocalFut<Vec<VolumeFacts>>;
    fn networks(&self) -> LocalFut<Vec<NetworkFacts>>;
    /// What a container has printed so far.
    fn output(&self, container: &str) -> LocalFut<String>;
    /// The contents of a file in a container's file system; `None` where it is not there.
    fn file(&self, container: &str, path: &str) -> LocalFut<Option<Vec<u8>>>;
    /// The contents of a file of a volume.
    fn volume_file(&self, volume: &str, path: &str) -> LocalFut<Option<Vec<u8>>>;
    /// What `http://127.0.0.1:PORT/PATH` answers; `None` where nothing does.
    fn fetch(&self, port: u16, path: &str) -> LocalFut<Option<String>>;
    /// The lines that the learner entered, oldest first.
    fn lines(&self) -> Vec<String>;
}
