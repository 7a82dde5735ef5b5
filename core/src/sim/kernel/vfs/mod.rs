//! Files: what a node of any file system can do, whatever it is made of.
//!
//! Four kinds of node implement [`Vnode`]: those in memory ([`memory`]), unions ([`union`]), and the made-up
//! ones of /proc, /sys and their like ([`pseudo`]). Rights are checked above them, in [`access`] and in the
//! system calls; a node does what it is told.

pub(crate) mod access;
pub(crate) mod memory;
pub(crate) mod mount;
pub(crate) mod path;
pub(crate) mod pseudo;
pub(crate) mod union;

use crate::sim::kernel::file::OpenFile;
use crate::sim::kernel::pipe::Pipe;
use crate::sim::kernel::state::Kernel;
use crate::sim::kernel::tty::Tty;
use cutaway_userland::Errno;
use cutaway_userland::os::{DirEntry, FileKind, Result, StatFs};
use path::Place;
use std::any::Any;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

pub(crate) type NodeRef = Rc<dyn Vnode>;

/// What all nodes of one file system share.
pub(crate) struct FsHead {
    /// `st_dev`.
    pub dev: u64,
    /// As `ext4`, `tmpfs`, `overlay`, `proc`.
    pub kind: String,
    /// Bytes that fit, where there is a limit.
    pub limit: Cell<Option<u64>>,
    pub used: Cell<u64>,
    pub nodes: Cell<u64>,
    pub next_ino: Cell<u64>,
}

pub(crate) const PAGE: u64 = 4096;

impl FsHead {
    pub fn new(dev: u64, kind: &str, limit: Option<u64>) -> Rc<FsHead> {
        Rc::new(FsHead {
            dev,
            kind: kind.to_string(),
            limit: Cell::new(limit),
            used: Cell::new(0),
            nodes: Cell::new(0),
            next_ino: Cell::new(2),
        })
    }

    pub fn ino(&self) -> u64 {
        let ino = self.next_ino.get();
        self.next_ino.set(ino + 1);
        ino
    }

    /// Accounts for a file that grows or shrinks; `ENOSPC` where it does not fit.
    pub fn resize(&self, from: u64, to: u64) -> Result<()> {
        let (from, to) = (from.div_ceil(PAGE) * PAGE, to.div_ceil(PAGE) * PAGE);
        let used = (self.used.get() + to).saturating_sub(from);
        if to > from && self.limit.get().is_some_and(|limit| used > limit) {
            return Err(Errno::ENOSPC);
        }
        self.used.set(used);
        Ok(())
    }

    pub fn statfs(&self) -> StatFs {
        let total = self.limit.get().unwrap_or(match self.kind.as_str() {
            "tmpfs" => 2 << 30,
            "proc" | "sysfs" | "cgroup2" | "devpts" | "mqueue" => 0,
            _ => 40 << 30,
        });
        let free = total.saturating_sub(self.used.get()) / PAGE;
        StatFs {
            kind: self.kind.clone(),
            block_size: PAGE,
            blocks: total / PAGE,
            free,
            available: free,
            inodes: if total == 0 { 0 } else { 2_621_440 },
            inodes_free: if total == 0 { 0 } else { 2_621_440_u64.saturating_sub(self.nodes.get()) },
        }
    }
}

/// What is known of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attr {
    pub ino: u64,
    pub kind: FileKind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub nlink: u64,
    pub rdev: (u32, u32),
    pub size: u64,
    pub atime: Duration,
    pub mtime: Duration,
    pub ctime: Duration,
}

/// What to change; `None` leaves as it is. The change time is set to `ctime`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AttrChange {
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub atime: Option<Duration>,
    pub mtime: Option<Duration>,
}

/// A file to make.
#[derive(Clone, Debug)]
pub(crate) struct NewNode {
    pub kind: FileKind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub rdev: (u32, u32),
    /// Of a symbolic link.
    pub target: String,
    pub now: Duration,
}

/// Where a link of /proc leads: not to a path, but to the thing itself.
pub(crate) enum Jump {
    Place(Rc<Place>),
    /// An open description that is no file of a file system.
    File(Rc<OpenFile>),
}

/// One file of any file system.
pub(crate) trait Vnode: Any {
    fn fs(&self) -> &Rc<FsHead>;
    fn ino(&self) -> u64;
    fn kind(&self) -> FileKind;
    fn attr(&self, k: &Kernel) -> Attr;
    fn set_attr(&self, _k: &Kernel, _change: AttrChange) -> Result<()> {
        Err(Errno::EPERM)
    }

    fn lookup(&self, _k: &Kernel, _name: &str) -> Result<NodeRef> {
        Err(Errno::ENOTDIR)
    }
    fn read_dir(&self, _k: &Kernel) -> Result<Vec<DirEntry>> {
        Err(Errno::ENOTDIR)
    }
    fn create(&self, _k: &Kernel, _name: &str, _new: NewNode) -> Result<NodeRef> {
        Err(Errno::EPERM)
    }
    /// A further name in this folder for a node of the same file system.
    fn link(&self, _k: &Kernel, _name: &str, _node: &NodeRef) -> Result<()> {
        Err(Errno::EPERM)
    }
    /// Removes a name of what is no folder.
    fn unlink(&self, _k: &Kernel, _name: &str) -> Result<()> {
        Err(Errno::EPERM)
    }
    fn rmdir(&self, _k: &Kernel, _name: &str) -> Result<()> {
        Err(Errno::EPERM)
    }
    /// Moves a name to another folder of the same file system, replacing what is there.
    fn rename(&self, _k: &Kernel, _name: &str, _to: &NodeRef, _new: &str) -> Result<()> {
        Err(Errno::EPERM)
    }

    fn read_link(&self, _k: &Kernel) -> Result<String> {
        Err(Errno::EINVAL)
    }
    /// For links that lead to a thing and not to a path.
    fn jump(&self, _k: &Kernel) -> Option<Result<Jump>> {
        None
    }

    fn read(&self, _k: &Kernel, _offset: u64, _max: usize) -> Result<Vec<u8>> {
        Err(Errno::EINVAL)
    }
    fn write(&self, _k: &mut Kernel, _offset: u64, _bytes: &[u8]) -> Result<usize> {
        Err(Errno::EINVAL)
    }
    fn truncate(&self, _k: &Kernel, _size: u64) -> Result<()> {
        Err(Errno::EINVAL)
    }

    /// The queue behind a named pipe.
    fn fifo(&self) -> Option<Rc<Pipe>> {
        None
    }
    /// The terminal behind a file of devpts.
    fn terminal(&self, _k: &Kernel) -> Option<Rc<Tty>> {
        None
    }
}

/// Whether two nodes are the same file.
pub(crate) fn same(a: &NodeRef, b: &NodeRef) -> bool {
    a.ino() == b.ino() && a.fs().dev == b.fs().dev
}

/// The node as one of a certain file system.
pub(crate) fn cast<T: Vnode>(node: &NodeRef) -> Option<&T> {
    let any: &dyn Any = &**node;
    any.downcast_ref()
}

/// The node as one of a certain file system, shared.
pub(crate) fn cast_rc<T: Vnode>(node: &NodeRef) -> Option<Rc<T>> {
    let any: Rc<dyn Any> = node.clone();
    any.downcast().ok()
}
