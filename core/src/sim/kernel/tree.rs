//! Trees of files outside of any process: unpacked layers, writable layers, and the entries that tars are
//! read into and written from.

use crate::sim::kernel::machine::Machine;
use cutaway_userland::os::Result;
use std::rc::Rc;
use std::time::Duration;

/// A file system in memory, shared by its clones: a layer, a writable layer, a volume, a root disk.
#[derive(Clone)]
pub struct Tree(Rc<()>);

/// One file of a tree, as a tar tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// From the tree's root, without a slash at either end; empty for the root itself.
    pub path: String,
    /// The low 12 bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Duration,
    pub kind: TreeKind,
}

/// What a [`TreeEntry`] is. Whiteouts and opaque folders exist in layers only, as in overlayfs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeKind {
    File(Rc<Vec<u8>>),
    /// `opaque` hides what lower layers have in this folder (`.wh..wh..opq` in a tar).
    Directory {
        opaque: bool,
    },
    Symlink(String),
    /// Another name of the file at this path of the same tree.
    HardLink(String),
    CharDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
    Socket,
    /// Hides this name of lower layers (`.wh.NAME` in a tar; the path is without the prefix).
    Whiteout,
}

impl Tree {
    /// An empty tree: a root folder of root's, mode 0755.
    pub fn new(machine: &Machine) -> Tree {
        todo!()
    }

    /// Adds entries, in order; later ones replace earlier ones; missing parents are made (root's, 0755). Links on
    /// the way are not followed: an entry below something that is no folder replaces it by one.
    pub fn import(&self, entries: impl IntoIterator<Item = TreeEntry>) -> Result<()> {
        todo!()
    }

    /// Everything in it, sorted by path, the root first. The second and further names of one file are hard links.
    pub fn entries(&self) -> Vec<TreeEntry> {
        todo!()
    }

    /// The entry at a path (no links are followed).
    pub fn get(&self, path: &str) -> Option<TreeEntry> {
        todo!()
    }

    /// Bytes of all regular files.
    pub fn size(&self) -> u64 {
        todo!()
    }

    /// A tree of its own with the same files (contents are shared until written).
    pub fn copy(&self, machine: &Machine) -> Tree {
        todo!()
    }
}
