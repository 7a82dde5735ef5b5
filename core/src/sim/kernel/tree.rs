//! Trees of files outside of any process: unpacked layers, writable layers, and the entries that tars are
//! read into and written from.

use super::machine::Machine;
use super::pipe::Pipe;
use super::vfs::memory::{Data, MemNode, Meta, new_fs};
use cutaway_userland::Errno;
use cutaway_userland::os::{FileKind, Result};
use cutaway_userland::sorted::Arrange;
use cutaway_userland::sorted::Map as BTreeMap;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// A file system in memory, shared by its clones: a layer, a writable layer, a volume, a root disk.
#[derive(Clone)]
pub struct Tree {
    pub(crate) root: Rc<MemNode>,
    clock: Rc<Cell<Duration>>,
}

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

impl TreeKind {
    /// As `stat` names it; a whiteout is the device that stands for it, a hard link a regular file.
    pub fn file_kind(&self) -> FileKind {
        match self {
            TreeKind::File(_) | TreeKind::HardLink(_) => FileKind::Regular,
            TreeKind::Directory { .. } => FileKind::Directory,
            TreeKind::Symlink(_) => FileKind::Symlink,
            TreeKind::CharDevice(..) | TreeKind::Whiteout => FileKind::CharDevice,
            TreeKind::BlockDevice(..) => FileKind::BlockDevice,
            TreeKind::Fifo => FileKind::Fifo,
            TreeKind::Socket => FileKind::Socket,
        }
    }
}

impl Tree {
    /// An empty tree: a root folder of root's, mode 0755.
    pub fn new(machine: &Machine) -> Tree {
        let clock = machine.clock();
        let head = machine.kernel(|k| k.new_fs("ext4", None));
        Tree { root: new_fs(head, clock.get()), clock }
    }

    /// Adds entries, in order; later ones replace earlier ones; missing parents are made (root's, 0755). Links on
    /// the way are not followed: an entry below something that is no folder replaces it by one.
    ///
    /// `EINVAL` for a path with `..` in it and for a hard link to a folder, `ENOENT` for one to nothing.
    pub fn import(&self, entries: impl IntoIterator<Item = TreeEntry>) -> Result<()> {
        for entry in entries {
            self.add(entry)?;
        }
        Ok(())
    }

    fn add(&self, entry: TreeEntry) -> Result<()> {
        let meta = Meta {
            mode: entry.mode & 0o7777,
            uid: entry.uid,
            gid: entry.gid,
            nlink: if matches!(entry.kind, TreeKind::Directory { .. }) { 2 } else { 1 },
            atime: entry.mtime,
            mtime: entry.mtime,
            ctime: entry.mtime,
            opaque: matches!(entry.kind, TreeKind::Directory { opaque: true }),
        };
        let names: Vec<&str> = entry.path.split('/').filter(|n| !n.is_empty() && *n != ".").collect();
        if names.contains(&"..") {
            return Err(Errno::EINVAL);
        }
        let Some((name, folders)) = names.split_last() else {
            let nlink = self.root.meta.borrow().nlink;
            *self.root.meta.borrow_mut() = Meta { nlink, ..meta };
            return Ok(());
        };
        let folder = self.folder(folders);
        let head = &self.root.head;
        let data = match &entry.kind {
            TreeKind::File(bytes) => {
                let node = MemNode::with(head, FileKind::Regular, meta, Data::File(Rc::default()));
                node.set_contents(bytes.clone())?;
                put(&folder, name, node);
                return Ok(());
            }
            TreeKind::Directory { .. } => {
                if let Some(old) = folder.child(name).filter(|n| n.is_dir()) {
                    let nlink = old.meta.borrow().nlink;
                    *old.meta.borrow_mut() = Meta { nlink, ..meta };
                    return Ok(());
                }
                Data::Directory(BTreeMap::new())
            }
            TreeKind::HardLink(target) => {
                let node = self.find(target).ok_or(Errno::ENOENT)?;
                if node.is_dir() {
                    return Err(Errno::EINVAL);
                }
                node.meta.borrow_mut().nlink += 1;
                put(&folder, name, node);
                return Ok(());
            }
            TreeKind::Symlink(target) => Data::Symlink(target.clone()),
            TreeKind::CharDevice(major, minor) | TreeKind::BlockDevice(major, minor) => Data::Device((*major, *minor)),
            TreeKind::Whiteout => Data::Device((0, 0)),
            TreeKind::Fifo => Data::Fifo(Rc::new(Pipe::new())),
            TreeKind::Socket => Data::Socket,
        };
        put(&folder, name, MemNode::with(head, entry.kind.file_kind(), meta, data));
        Ok(())
    }

    /// The folder at a path, made where missing.
    fn folder(&self, names: &[&str]) -> Rc<MemNode> {
        let mut at = self.root.clone();
        for name in names {
            at = match at.child(name).filter(|n| n.is_dir()) {
                Some(node) => node,
                None => {
                    let node = new_fs(self.root.head.clone(), self.clock.get());
                    put(&at, name, node.clone());
                    node
                }
            };
        }
        at
    }

    fn find(&self, path: &str) -> Option<Rc<MemNode>> {
        path.split('/').filter(|n| !n.is_empty() && *n != ".").try_fold(self.root.clone(), |at, name| at.child(name))
    }

    /// Everything in it, sorted by path, the root first. The second and further names of one file are hard links.
    pub fn entries(&self) -> Vec<TreeEntry> {
        let mut entries = Vec::new();
        walk(&self.root, String::new(), &mut BTreeMap::new(), &mut entries);
        entries.arrange_by(|a, b| a.path.cmp(&b.path));
        entries
    }

    /// The entry at a path (no links are followed).
    pub fn get(&self, path: &str) -> Option<TreeEntry> {
        Some(entry_of(&*self.find(path)?, path.trim_matches('/').to_string()))
    }

    /// Bytes of all regular files.
    pub fn size(&self) -> u64 {
        let size = |entry: &TreeEntry| match &entry.kind {
            TreeKind::File(bytes) => bytes.len() as u64,
            _ => 0,
        };
        self.entries().iter().map(size).sum()
    }

    /// Whether there is nothing in it but its root.
    pub fn is_empty(&self) -> bool {
        self.root.names().is_none_or(|names| names.is_empty())
    }

    /// A tree of its own with the same files (contents are shared until written).
    pub fn copy(&self, machine: &Machine) -> Tree {
        let copy = Tree::new(machine);
        // Entries of a tree can be imported into an empty one.
        let imported = copy.import(self.entries());
        debug_assert_eq!(imported, Ok(()));
        copy
    }
}

/// Puts a name in without a trace in the folder's times.
fn put(folder: &MemNode, name: &str, node: Rc<MemNode>) {
    let (mtime, ctime) = {
        let meta = folder.meta.borrow();
        (meta.mtime, meta.ctime)
    };
    folder.insert(name, node, mtime);
    let mut meta = folder.meta.borrow_mut();
    (meta.mtime, meta.ctime) = (mtime, ctime);
}

fn entry_of(node: &MemNode, path: String) -> TreeEntry {
    let meta = node.meta.borrow();
    let kind = match &*node.data.borrow() {
        Data::File(bytes) => TreeKind::File(bytes.clone()),
        Data::Directory(_) => TreeKind::Directory { opaque: meta.opaque },
        Data::Symlink(target) => TreeKind::Symlink(target.clone()),
        Data::Device((0, 0)) if node.kind == FileKind::CharDevice => TreeKind::Whiteout,
        Data::Device((major, minor)) if node.kind == FileKind::BlockDevice => TreeKind::BlockDevice(*major, *minor),
        Data::Device((major, minor)) => TreeKind::CharDevice(*major, *minor),
        Data::Fifo(_) => TreeKind::Fifo,
        Data::Socket => TreeKind::Socket,
    };
    TreeEntry { path, mode: meta.mode, uid: meta.uid, gid: meta.gid, mtime: meta.mtime, kind }
}

fn walk(node: &Rc<MemNode>, path: String, seen: &mut BTreeMap<u64, String>, entries: &mut Vec<TreeEntry>) {
    let mut entry = entry_of(node, path.clone());
    if !node.is_dir() && node.meta.borrow().nlink > 1 {
        match seen.get(&node.ino) {
            Some(first) => entry.kind = TreeKind::HardLink(first.clone()),
            None => {
                seen.insert(node.ino, path.clone());
            }
        }
    }
    entries.push(entry);
    let Some(names) = node.names() else { return };
    for (name, child) in names.iter() {
        let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        walk(child, below, seen, entries);
    }
}
