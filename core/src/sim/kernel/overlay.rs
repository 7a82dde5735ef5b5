//! The union file system as the world holds it: to mount it, and to look into it from outside.

use super::machine::Machine;
use super::transfer;
use super::tree::{Tree, TreeEntry};
use super::vfs::NodeRef;
use super::vfs::memory::MemNode;
use super::vfs::union::Union;
use crate::world::{Change, ChangeKind};
use cutaway_userland::Errno;
use cutaway_userland::os::{FileKind, Result};
use cutaway_userland::sorted::Map as BTreeMap;
use std::rc::Rc;

/// One union, shared by its clones. It may be mounted ([`Machine::mount_overlay`]) any number of times, or not
/// at all, and be looked into from outside all the while.
#[derive(Clone)]
pub struct Overlay {
    machine: Machine,
    pub(crate) union: Rc<Union>,
    upper: Tree,
}

impl Overlay {
    /// `lowers` with the lowest first.
    pub fn new(machine: &Machine, lowers: &[Tree], upper: &Tree) -> Overlay {
        let head = machine.kernel(|k| k.new_fs("overlay", None));
        let layers = lowers.iter().rev().map(|tree| tree.root.clone()).collect();
        let union = Union::new(head, layers, upper.root.clone(), machine.clock());
        Overlay { machine: machine.clone(), union, upper: upper.clone() }
    }

    pub fn upper(&self) -> Tree {
        self.upper.clone()
    }

    fn root(&self) -> NodeRef {
        self.union.root()
    }

    /// A path of the union and all below it; entry paths begin with the last component of `path`, or are
    /// relative to the root for `/`. Links in `path` are followed inside the union, but for the last component.
    pub fn entries(&self, path: &str) -> Result<Vec<TreeEntry>> {
        self.machine.kernel(|k| transfer::export(k, &self.root(), path))
    }

    /// A file's contents; links are followed inside the union.
    pub fn read_file(&self, path: &str) -> Result<Rc<Vec<u8>>> {
        self.machine.kernel(|k| {
            let node = transfer::lookup(k, &self.root(), path, true)?;
            match node.kind() {
                FileKind::Regular => Ok(transfer::contents(k, &node)),
                FileKind::Directory => Err(Errno::EISDIR),
                _ => Err(Errno::EINVAL),
            }
        })
    }

    /// What stands at a path, links followed inside the union.
    pub fn kind(&self, path: &str) -> Result<Option<FileKind>> {
        self.machine.kernel(|k| match transfer::lookup(k, &self.root(), path, true) {
            Ok(node) => Ok(Some(node.kind())),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
            Err(errno) => Err(errno),
        })
    }

    /// Adds entries below the folder `at` (made where missing), through the union: a mounted one shows them.
    /// Links on the way are followed inside the union. A folder is not replaced by what is none: `EISDIR`.
    pub fn import(&self, at: &str, entries: impl IntoIterator<Item = TreeEntry>) -> Result<()> {
        self.machine.kernel(|k| transfer::import(k, &self.root(), at, entries))
    }

    /// What the writable layer changes, sorted by path, as `docker diff` tells it: `/`-rooted paths.
    pub fn changes(&self) -> Vec<Change> {
        let mut changes = BTreeMap::new();
        collect(&self.upper.root, &self.union.lowers, "", &mut changes);
        changes.into_iter().map(|(path, kind)| Change { path, kind }).collect()
    }
}

/// The node that lower layers show at a name, and the folders of that name below it.
fn below(lowers: &[Rc<MemNode>], name: &str) -> Vec<Rc<MemNode>> {
    let mut found: Vec<Rc<MemNode>> = Vec::new();
    for layer in lowers {
        let Some(node) = layer.child(name) else { continue };
        if node.is_whiteout() || (!found.is_empty() && !node.is_dir()) {
            break;
        }
        let last = !node.is_dir() || node.meta.borrow().opaque;
        found.push(node);
        if last {
            break;
        }
    }
    found
}

fn collect(upper: &Rc<MemNode>, lowers: &[Rc<MemNode>], path: &str, changes: &mut BTreeMap<String, ChangeKind>) {
    let Some(names) = upper.names() else { return };
    for (name, node) in names.iter() {
        let at = format!("{path}/{name}");
        let old = below(lowers, name);
        let kind = match (node.is_whiteout(), old.first()) {
            (true, _) => ChangeKind::Deleted,
            (false, None) => ChangeKind::Added,
            (false, Some(top)) => {
                // A folder is in the writable layer also because something below it is.
                let (new, was) = (node.meta.borrow(), top.meta.borrow());
                let same = node.is_dir() && top.is_dir() && new.mode == was.mode && new.mtime == was.mtime;
                if same && !new.opaque {
                    drop((new, was));
                    collect(node, &old, &at, changes);
                    continue;
                }
                ChangeKind::Modified
            }
        };
        if kind != ChangeKind::Modified && !path.is_empty() {
            changes.entry(path.to_string()).or_insert(ChangeKind::Modified);
        }
        changes.insert(at.clone(), kind);
        if node.is_dir() {
            let hidden = node.meta.borrow().opaque;
            let lower: &[Rc<MemNode>] = if hidden { &[] } else { &old };
            if hidden {
                for gone in old
                    .iter()
                    .flat_map(|o| o.names().map(|n| n.keys().cloned().collect::<Vec<_>>()).unwrap_or_default())
                {
                    if node.child(&gone).is_none() {
                        changes.insert(format!("{at}/{gone}"), ChangeKind::Deleted);
                    }
                }
            }
            collect(node, lower, &at, changes);
        }
    }
}
