//! What the engine keeps of an image. Source of the fields: OCI image specification, config.md.

use crate::name::{ChainId, DiffId, Digest};
use crate::world::{Kind, Record};
use cutaway_userland::sorted::{Map as BTreeMap, Set as BTreeSet};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a container of this image is run where nothing else is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    pub user: String,
    /// As `80/tcp`.
    pub exposed_ports: BTreeSet<String>,
    /// As `NAME=value`, in order.
    pub env: Vec<String>,
    pub entrypoint: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    pub volumes: BTreeSet<String>,
    pub working_dir: String,
    /// `None` and empty print differently.
    pub labels: Option<BTreeMap<String, String>>,
    pub stop_signal: Option<String>,
    pub stop_timeout: Option<i64>,
    pub healthcheck: Option<Healthcheck>,
    pub shell: Option<Vec<String>>,
    pub on_build: Vec<String>,
    /// Whether the commands were given in shell form.
    pub args_escaped: bool,
}

/// `HEALTHCHECK`: zero durations and retries mean Docker's defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", "…"]`.
    pub test: Vec<String>,
    pub interval: Duration,
    pub timeout: Duration,
    pub start_period: Duration,
    pub start_interval: Duration,
    pub retries: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Since the epoch.
    pub created: Option<Duration>,
    pub created_by: String,
    pub author: String,
    pub comment: String,
    pub empty_layer: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRef {
    pub diff_id: DiffId,
    pub chain: ChainId,
    /// The blob that it was, or would be, transferred as.
    pub blob: Digest,
    pub blob_size: u64,
    /// Bytes of its files.
    pub size: u64,
}

/// An image. Its id is the digest of its configuration's JSON, which is kept as a blob of that digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    pub id: Digest,
    /// Since the epoch.
    pub created: Option<Duration>,
    pub author: String,
    pub architecture: String,
    pub os: String,
    pub variant: String,
    pub config: ImageConfig,
    pub layers: Vec<LayerRef>,
    pub history: Vec<HistoryEntry>,
    /// The image that `commit` or the classic builder started from.
    pub parent: Option<Digest>,
    /// Of the last commit, else empty.
    pub comment: String,
    /// When it last got a name.
    pub last_tagged: Option<Duration>,
}

impl Record for ImageRecord {
    const KIND: Kind = Kind::Image;
    fn key(&self) -> String {
        self.id.to_string()
    }
}

impl ImageRecord {
    /// The chainID of its whole file system; `None` for an image without layers.
    pub fn chain(&self) -> Option<ChainId> {
        self.layers.last().map(|l| l.chain)
    }

    pub fn chains(&self) -> Vec<ChainId> {
        self.layers.iter().map(|l| l.chain).collect()
    }

    /// Bytes of all its layers' files.
    pub fn size(&self) -> u64 {
        self.layers.iter().map(|l| l.size).sum()
    }
}

/// A name of an image: `docker.io/library/busybox:latest` or `docker.io/library/busybox@sha256:…`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagRecord {
    pub name: String,
    pub image: Digest,
}

impl Record for TagRecord {
    const KIND: Kind = Kind::Tag;
    fn key(&self) -> String {
        self.name.clone()
    }
}
