//! The files of a `docker save` archive, beside the blobs.

use crate::name::Digest;
use cutaway_userland::sorted::Map as BTreeMap;
use serde::{Deserialize, Serialize};

/// One image in `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ArchiveEntry {
    /// The name of its configuration in the archive.
    pub config: String,
    #[serde(default)]
    pub repo_tags: Option<Vec<String>>,
    /// The names of its layers in the archive, the lowest first.
    #[serde(default)]
    pub layers: Vec<String>,
    /// By diffID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_sources: Option<BTreeMap<String, LayerSource>>,
}

/// How a layer of the archive would be transferred.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerSource {
    pub media_type: String,
    pub size: u64,
    pub digest: Digest,
}
