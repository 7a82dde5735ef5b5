//! What the stage shows at one moment: registries, images, containers, volumes and networks as plain data.
//!
//! A stage is built from the records and the world's answers after each step and never changes afterwards,
//! so that looking back is only looking at an earlier one. Parts that did not change are shared (`Rc`).

use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// Everything there is, each list in the order in which it came to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// The name of the host that all of this is on.
    #[serde(default)]
    pub host: String,
    pub registries: Vec<Rc<RegistryView>>,
    pub images: Vec<Rc<ImageView>>,
    pub containers: Vec<Rc<ContainerView>>,
    pub volumes: Vec<Rc<VolumeView>>,
    pub networks: Vec<Rc<NetworkView>>,
}

/// A registry, and what of it has been spoken of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryView {
    /// As `docker.io` or `localhost:5000`.
    pub host: String,
    pub repositories: Vec<RepositoryView>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryView {
    /// As `library/busybox`.
    pub name: String,
    pub tags: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageView {
    /// `sha256:` and 64 digits.
    pub id: String,
    /// Familiar names with tags; empty for a dangling image.
    pub names: Vec<String>,
    /// The lowest first.
    pub layers: Vec<LayerView>,
    /// Bytes.
    pub size: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerView {
    /// Its chainID: the same layer on the same layers has the same one wherever it appears.
    pub chain: String,
    pub diff_id: String,
    /// Bytes of its files.
    pub size: u64,
    /// The step that made it, from the image's history.
    pub created_by: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerView {
    /// 64 digits.
    pub id: String,
    pub name: String,
    /// The image's name as typed, and its id.
    pub image: String,
    pub image_id: String,
    /// `created`, `running`, `paused`, `restarting`, `exited`, `dead`.
    pub state: String,
    /// As `docker ps` shows it, without times: `Up`, `Exited (0)`.
    pub status: String,
    pub exit_code: i32,
    /// `healthy`, `unhealthy`, `starting`, or empty.
    pub health: String,
    pub command: Vec<String>,
    /// ChainIDs of its image's layers, the lowest first.
    pub layers: Vec<String>,
    /// What its writable layer adds (`A`), changes (`C`) and deletes (`D`), sorted by path.
    pub changes: Vec<(char, String)>,
    /// Id inside the container, command.
    pub processes: Vec<(i32, String)>,
    /// Network's name, address (empty while it does not run).
    pub networks: Vec<(String, String)>,
    pub ports: Vec<PortView>,
    pub mounts: Vec<MountView>,
    /// Bytes; 0 is unlimited.
    pub memory_limit: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortView {
    pub host: u16,
    pub container: u16,
    pub protocol: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountView {
    /// `volume`, `bind` or `tmpfs`.
    pub kind: String,
    /// The volume's name or the host's path.
    pub source: String,
    pub target: String,
    pub read_only: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeView {
    pub name: String,
    /// Whether the engine named it itself.
    pub anonymous: bool,
    /// Bytes.
    pub size: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkView {
    pub id: String,
    pub name: String,
    pub driver: String,
    /// As `172.17.0.0/16`, or empty.
    pub subnet: String,
    pub gateway: String,
}
