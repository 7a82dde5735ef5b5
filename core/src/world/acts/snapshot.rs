//! Acts on file systems: layers, the snapshots that containers write to, volumes.

use super::{short, story};
use crate::name::{ChainId, DiffId, Digest};
use crate::world::{Act, Story, Subject};
use std::fmt;
use std::rc::Rc;

/// Names a writable snapshot: a container's id, or a build step's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SnapshotKey(pub String);

impl fmt::Display for SnapshotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Unpacks a layer's tar (gzip, zstd or plain, told by its first bytes) and verifies its diffID. A layer is
/// kept by its chainID; overlay shows it over those below it. A hostile entry fails it with nothing left.
#[derive(Clone, Debug)]
pub struct UnpackLayer {
    pub blob: Digest,
    pub diff_id: DiffId,
    pub parent: Option<ChainId>,
    pub chain: ChainId,
}

impl Act for UnpackLayer {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "unpack-layer",
            format!("Unpack layer {} and check its diffID", self.diff_id.short()),
            vec![Subject::Blob(self.blob.to_string()), Subject::Layer(self.chain.to_string())],
            vec![
                "openat2(layer, …, O_CREAT, {resolve=RESOLVE_IN_ROOT})".into(),
                "write(4, …)".into(),
                "fchownat(layer, …)".into(),
                "utimensat(layer, …)".into(),
                format!("rename(\"tmp\", \"layers/{}\")", self.chain.short()),
            ],
        )
    }
}

/// Makes an empty writable layer over a stack of layers, the lowest first.
#[derive(Clone, Debug)]
pub struct PrepareSnapshot {
    pub key: SnapshotKey,
    pub layers: Vec<ChainId>,
}

impl Act for PrepareSnapshot {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "prepare-snapshot",
            format!(
                "Make an empty writable layer over {} read-only {}",
                self.layers.len(),
                if self.layers.len() == 1 { "layer" } else { "layers" }
            ),
            vec![Subject::Container(self.key.0.clone())],
            vec![
                format!("mkdir(\"snapshots/{}/upper\", 0755)", short(&self.key.0)),
                format!("mkdir(\"snapshots/{}/work\", 0700)", short(&self.key.0)),
            ],
        )
    }
}

/// The layer that [`CommitSnapshot`] made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedLayer {
    pub diff_id: DiffId,
    pub chain: ChainId,
    pub blob: Digest,
    pub blob_size: u64,
}

/// Packs the writable layer's changes into a tar, stores it uncompressed as a blob, and keeps it unpacked
/// under its chainID, too. `None` where nothing was changed. The tar is a function of the changes alone;
/// with `clamp`, later modification times are set back to it. The paths of `stubs` (relative to the root) are left
/// out where they are files without contents, or folders with nothing but such in them.
#[derive(Clone, Debug)]
pub struct CommitSnapshot {
    pub key: SnapshotKey,
    pub parent: Option<ChainId>,
    pub clamp: Option<u64>,
    pub stubs: Vec<String>,
}

impl Act for CommitSnapshot {
    type Output = Option<CommittedLayer>;
    fn story(&self) -> Story {
        story(
            "commit-snapshot",
            "Pack the changed files into a new layer and hash it".to_string(),
            vec![Subject::Container(self.key.0.clone())],
            vec![
                "getdents64(upper, …)".into(),
                "read(3, …)".into(),
                "write(tar, …)".into(),
                "rename(\"tmp\", \"blobs/sha256/…\")".into(),
            ],
        )
    }
}

/// Deletes a writable layer and what is in it.
#[derive(Clone, Debug)]
pub struct RemoveSnapshot {
    pub key: SnapshotKey,
}

impl Act for RemoveSnapshot {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "remove-snapshot",
            "Delete the writable layer and everything in it".to_string(),
            vec![Subject::Container(self.key.0.clone())],
            vec![format!("rename(\"snapshots/{0}\", \"trash/{0}\")", short(&self.key.0)), "unlinkat(…)".into()],
        )
    }
}

/// Deletes an unpacked layer that no image uses.
#[derive(Clone, Debug)]
pub struct RemoveLayer {
    pub chain: ChainId,
}

impl Act for RemoveLayer {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "remove-layer",
            format!("Delete layer {}, which no image uses any more", self.chain.short()),
            vec![Subject::Layer(self.chain.to_string())],
            vec![format!("rename(\"layers/{}\", \"trash\")", self.chain.short()), "unlinkat(…)".into()],
        )
    }
}

/// Unpacks a tar into a snapshot (mounted or not) below `at`, which is made where it is missing (owner root,
/// mode 0755). No entry leaves the root: links in the way are followed inside it. Whiteout names are plain names.
#[derive(Clone, Debug)]
pub struct ImportTree {
    pub key: SnapshotKey,
    pub at: String,
    pub tar: Rc<[u8]>,
}

impl Act for ImportTree {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "import-tree",
            format!("Copy files to {}", self.at),
            vec![Subject::Container(self.key.0.clone())],
            vec![
                format!("openat2(rootfs, \"{}\", …, {{resolve=RESOLVE_IN_ROOT}})", self.at),
                "write(4, …)".into(),
                "fchown(4, …)".into(),
            ],
        )
    }
}

/// Makes an empty volume. Succeeds where there is one of this name.
#[derive(Clone, Debug)]
pub struct CreateVolume {
    pub name: String,
}

impl Act for CreateVolume {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "create-volume",
            format!("Make a folder for volume {}", short(&self.name)),
            vec![Subject::Volume(self.name.clone())],
            vec![format!("mkdir(\"volumes/{}/_data\", 0755)", self.name)],
        )
    }
}

/// Copies what a snapshot has at `path`, owner and mode included, into a volume that is still empty.
#[derive(Clone, Debug)]
pub struct SeedVolume {
    pub name: String,
    pub key: SnapshotKey,
    pub path: String,
}

impl Act for SeedVolume {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "seed-volume",
            format!("Copy what the image has at {} into the new volume {}", self.path, short(&self.name)),
            vec![Subject::Volume(self.name.clone()), Subject::Container(self.key.0.clone())],
            vec!["copy_file_range(3, 4, …)".into(), "fchown(4, …)".into()],
        )
    }
}

/// Deletes a volume and its data.
#[derive(Clone, Debug)]
pub struct RemoveVolume {
    pub name: String,
}

impl Act for RemoveVolume {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "remove-volume",
            format!("Delete volume {} and its data", short(&self.name)),
            vec![Subject::Volume(self.name.clone())],
            vec![format!("rename(\"volumes/{}\", \"trash\")", self.name), "unlinkat(…)".into()],
        )
    }
}

/// Makes a folder of the host that `-v` names and that is missing.
#[derive(Clone, Debug)]
pub struct MakeHostDirectory {
    pub path: String,
}

impl Act for MakeHostDirectory {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "make-host-directory",
            format!("Make the missing folder {} on the host", self.path),
            vec![Subject::Host],
            vec![format!("mkdir(\"{}\", 0755)", self.path)],
        )
    }
}
