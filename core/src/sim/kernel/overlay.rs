//! The union file system: read-only layers below, a writable one on top, with whiteouts, opaque folders and
//! copy-up as in Linux's overlayfs.

use crate::sim::kernel::machine::Machine;
use crate::sim::kernel::tree::{Tree, TreeEntry};
use crate::world::Change;
use cutaway_userland::os::{FileKind, Result};
use std::rc::Rc;

/// One union, shared by its clones. It may be mounted ([`Machine::mount_overlay`]) any number of times, or not
/// at all, and be looked into from outside all the while.
#[derive(Clone)]
pub struct Overlay(Rc<()>);

impl Overlay {
    /// `lowers` with the lowest first.
    pub fn new(machine: &Machine, lowers: &[Tree], upper: &Tree) -> Overlay {
        todo!()
    }

    pub fn upper(&self) -> Tree {
        todo!()
    }

    /// A path of the union and all below it; entry paths begin with the last component of `path`, or are
    /// relative to the root for `/`. Links in `path` are followed inside the union, but for the last component.
    pub fn entries(&self, path: &str) -> Result<Vec<TreeEntry>> {
        todo!()
    }

    /// A file's contents; links are followed inside the union.
    pub fn read_file(&self, path: &str) -> Result<Rc<Vec<u8>>> {
        todo!()
    }

    /// What stands at a path, links followed inside the union.
    pub fn kind(&self, path: &str) -> Result<Option<FileKind>> {
        todo!()
    }

    /// Adds entries below the folder `at` (made where missing), through the union: a mounted one shows them.
    pub fn import(&self, at: &str, entries: impl IntoIterator<Item = TreeEntry>) -> Result<()> {
        todo!()
    }

    /// What the writable layer changes, sorted by path, as `docker diff` tells it: `/`-rooted paths.
    pub fn changes(&self) -> Vec<Change> {
        todo!()
    }
}
