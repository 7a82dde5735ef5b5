//! Mounts: which file system stands where, for each mount namespace a table of its own.

use super::NodeRef;
use super::path::Place;
use cutaway_userland::Errno;
use cutaway_userland::os::{MountFlags, Result};
use cutaway_userland::sorted::Map as BTreeMap;
use std::rc::Rc;

pub(crate) type MountId = u32;

/// One file system, or a part of one, in its place.
#[derive(Clone)]
pub(crate) struct Mount {
    pub id: MountId,
    /// The mount it stands on; none for the root.
    pub parent: Option<MountId>,
    pub root: NodeRef,
    /// Where in its file system the root is: `/` unless it is a bind mount.
    pub root_path: String,
    /// What it covers; none for the root.
    pub covers: Option<(u64, u64)>,
    /// The place that it covers.
    pub point: Option<Rc<Place>>,
    pub source: String,
    pub flags: MountFlags,
    /// What is written in the last column, after `rw` or `ro`.
    pub options: String,
    /// The file system itself is read-only, wherever it is mounted.
    pub read_only_fs: bool,
}

impl Mount {
    pub fn read_only(&self) -> bool {
        self.flags.read_only || self.read_only_fs
    }
}

/// The mounts of one namespace. A copy has the same ids, so that places stay valid in it.
#[derive(Clone, Default)]
pub(crate) struct MountTable {
    pub mounts: BTreeMap<MountId, Mount>,
    /// What is covered, by which mount.
    cover: BTreeMap<(MountId, u64, u64), MountId>,
    pub root: MountId,
}

impl MountTable {
    pub fn get(&self, id: MountId) -> Option<&Mount> {
        self.mounts.get(&id)
    }

    pub fn add(&mut self, mount: Mount) {
        if let (Some(parent), Some((dev, ino))) = (mount.parent, mount.covers) {
            self.cover.insert((parent, dev, ino), mount.id);
        } else {
            self.root = mount.id;
        }
        self.mounts.insert(mount.id, mount);
    }

    pub fn remove(&mut self, id: MountId) -> Option<Mount> {
        let mount = self.mounts.remove(&id)?;
        if let (Some(parent), Some((dev, ino))) = (mount.parent, mount.covers) {
            self.cover.remove(&(parent, dev, ino));
        }
        Some(mount)
    }

    /// The mount on top of a node, if any.
    pub fn over(&self, mount: MountId, node: &NodeRef) -> Option<&Mount> {
        let id = self.cover.get(&(mount, node.fs().dev, node.ino()))?;
        self.mounts.get(id)
    }

    pub fn children(&self, of: MountId) -> Vec<MountId> {
        self.mounts.values().filter(|m| m.parent == Some(of)).map(|m| m.id).collect()
    }

    /// A mount and all that stand on it, parents first.
    pub fn subtree(&self, of: MountId) -> Vec<MountId> {
        let mut all = vec![of];
        let mut next = 0;
        while next < all.len() {
            all.extend(self.children(all[next]));
            next += 1;
        }
        all
    }

    /// Removes a mount; `EBUSY` where others stand on it, unless `lazy`, which removes them too.
    pub fn unmount(&mut self, id: MountId, lazy: bool) -> Result<()> {
        if !lazy && !self.children(id).is_empty() {
            return Err(Errno::EBUSY);
        }
        for id in self.subtree(id) {
            self.remove(id);
        }
        Ok(())
    }

    /// Makes a mount the root of the namespace and forgets all that does not stand on it.
    pub fn pivot(&mut self, id: MountId) -> Result<()> {
        let keep = self.subtree(id);
        let all: Vec<MountId> = self.mounts.keys().copied().filter(|m| !keep.contains(m)).collect();
        for other in all {
            self.remove(other);
        }
        let mut mount = self.remove(id).ok_or(Errno::EINVAL)?;
        mount.parent = None;
        mount.covers = None;
        mount.point = None;
        self.add(mount);
        Ok(())
    }
}

/// Flags and options as /proc/mounts shows them.
pub(crate) fn flag_words(flags: MountFlags, read_only: bool) -> String {
    let mut words = vec![if read_only { "ro" } else { "rw" }];
    words.extend(
        [(flags.no_suid, "nosuid"), (flags.no_dev, "nodev"), (flags.no_exec, "noexec")]
            .iter()
            .filter(|f| f.0)
            .map(|f| f.1),
    );
    words.push("relatime");
    words.join(",")
}
