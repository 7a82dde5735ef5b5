//! One step of a build that was done, and what came of it.

use crate::image::LayerRef;
use crate::name::Digest;
use crate::world::{Kind, Record};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The kind of what `RUN --mount=type=cache` keeps: a volume, and no layer.
pub const CACHE_MOUNT: &str = "exec.cachemount";

/// A cached step. Its key is the digest of everything that its result depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildCacheRecord {
    /// 25 letters and digits, as `docker builder prune` shows it.
    pub id: String,
    pub key: Digest,
    /// As `[2/4] RUN echo built > /b`.
    pub description: String,
    /// `regular`, `source.local`, `exec.cachemount`, `frontend`, `internal`.
    pub kind: String,
    /// The whole stack of layers after the step, the lowest first.
    pub layers: Vec<LayerRef>,
    /// Bytes that the step itself stores.
    pub size: u64,
    pub created: Duration,
    pub last_used: Duration,
    pub uses: u64,
    /// The cached steps it builds on, by id.
    pub parents: Vec<String>,
}

impl BuildCacheRecord {
    /// The volume that a cache mount keeps its files in.
    pub fn volume(&self) -> Option<String> {
        (self.kind == CACHE_MOUNT).then(|| format!("build-cache-{}", &self.key.hex()[..24]))
    }
}

impl Record for BuildCacheRecord {
    const KIND: Kind = Kind::BuildCache;
    fn key(&self) -> String {
        self.key.to_string()
    }
}

/// A build that was done, for who asks about it later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildHistoryRecord {
    /// 25 letters and digits.
    pub id: String,
    pub started: Duration,
    pub completed: Duration,
    /// The context: an absolute folder, `-`, or an address.
    pub context: String,
    /// The Dockerfile, absolute where it is named; empty for the context's own.
    pub dockerfile: String,
    pub target: String,
    pub platform: String,
    pub args: Vec<(String, String)>,
    pub labels: Vec<(String, String)>,
    pub contexts: Vec<(String, String)>,
    /// What else it was told, by the names that are shown.
    pub settings: Vec<(String, String)>,
    pub steps: usize,
    pub completed_steps: usize,
    pub cached_steps: usize,
    /// Why it failed.
    pub error: Option<String>,
    pub canceled: bool,
    /// The lines of the Dockerfile that the error is about, as shown.
    pub excerpt: String,
    /// The step that failed, and the end of what it printed.
    pub failed: Option<(String, Vec<String>)>,
    /// The progress, as `--progress=plain` tells it.
    pub log: String,
}

impl Record for BuildHistoryRecord {
    const KIND: Kind = Kind::History;
    fn key(&self) -> String {
        self.id.clone()
    }
}
