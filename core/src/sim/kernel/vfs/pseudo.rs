//! Made-up files: what /proc, /sys, devpts and the control groups' file system show is computed when it is
//! looked at. A node is its path; a [`Source`] knows what stands there.

use super::{Attr, AttrChange, FsHead, Jump, NodeRef, Vnode};
use crate::sim::kernel::devpts::Devpts;
use crate::sim::kernel::state::Kernel;
use crate::sim::kernel::tty::Tty;
use cutaway_userland::Errno;
use cutaway_userland::os::{DirEntry, FileKind, Result};
use cutaway_userland::sorted::Arrange;
use std::rc::Rc;
use std::time::Duration;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub kind: FileKind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub rdev: (u32, u32),
}

impl Entry {
    pub fn dir() -> Entry {
        Entry { kind: FileKind::Directory, mode: 0o555, uid: 0, gid: 0, rdev: (0, 0) }
    }

    pub fn file(mode: u32) -> Entry {
        Entry { kind: FileKind::Regular, mode, uid: 0, gid: 0, rdev: (0, 0) }
    }

    pub fn link() -> Entry {
        Entry { kind: FileKind::Symlink, mode: 0o777, uid: 0, gid: 0, rdev: (0, 0) }
    }

    pub fn device(mode: u32, rdev: (u32, u32)) -> Entry {
        Entry { kind: FileKind::CharDevice, mode, uid: 0, gid: 0, rdev }
    }

    pub fn owned(self, uid: u32, gid: u32) -> Entry {
        Entry { uid, gid, ..self }
    }
}

/// What a made-up file system shows. Paths are its components from its root; none is the root.
pub(crate) trait Source {
    fn entry(&self, k: &Kernel, path: &[&str]) -> Option<Entry>;
    fn list(&self, k: &Kernel, path: &[&str]) -> Vec<String>;
    fn read(&self, _k: &Kernel, _path: &[&str]) -> Result<Vec<u8>> {
        Err(Errno::EINVAL)
    }
    fn write(&self, _k: &mut Kernel, _path: &[&str], _bytes: &[u8]) -> Result<()> {
        Err(Errno::EACCES)
    }
    fn read_link(&self, _k: &Kernel, _path: &[&str]) -> Result<String> {
        Err(Errno::EINVAL)
    }
    fn jump(&self, _k: &Kernel, _path: &[&str]) -> Option<Result<Jump>> {
        None
    }
    fn terminal(&self, _k: &Kernel, _path: &[&str]) -> Option<Rc<Tty>> {
        None
    }
    /// The set of terminals, where this is one.
    fn as_devpts(self: Rc<Self>) -> Option<Rc<Devpts>> {
        None
    }
}

pub(crate) struct PseudoNode {
    head: Rc<FsHead>,
    source: Rc<dyn Source>,
    path: String,
    entry: Entry,
    made: Duration,
}

impl PseudoNode {
    pub fn root(head: Rc<FsHead>, source: Rc<dyn Source>, now: Duration) -> NodeRef {
        let entry = Entry { mode: 0o555, ..Entry::dir() };
        Rc::new(PseudoNode { head, source, path: String::new(), entry, made: now })
    }

    pub fn source(&self) -> Rc<dyn Source> {
        self.source.clone()
    }

    fn parts(&self) -> Vec<&str> {
        self.path.split('/').filter(|p| !p.is_empty()).collect()
    }
}

/// A number that stays with a path: FNV-1a, cut to what tools like to print.
fn number(path: &str) -> u64 {
    let hash = path.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    if path.is_empty() { 1 } else { 4_026_531_000 + hash % 1_000_000 }
}

impl Vnode for PseudoNode {
    fn fs(&self) -> &Rc<FsHead> {
        &self.head
    }

    fn ino(&self) -> u64 {
        number(&self.path)
    }

    fn kind(&self) -> FileKind {
        self.entry.kind
    }

    fn attr(&self, k: &Kernel) -> Attr {
        let time = if self.head.kind == "proc" { k.now() } else { self.made };
        let entry = self.source.entry(k, &self.parts()).unwrap_or_else(|| self.entry.clone());
        Attr {
            ino: self.ino(),
            kind: entry.kind,
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            nlink: if entry.kind == FileKind::Directory { 2 } else { 1 },
            rdev: entry.rdev,
            size: if self.head.kind == "sysfs" && entry.kind == FileKind::Regular { 4096 } else { 0 },
            atime: time,
            mtime: time,
            ctime: time,
        }
    }

    fn set_attr(&self, _k: &Kernel, _change: AttrChange) -> Result<()> {
        // Terminals change owners when somebody logs in; nothing here depends on it.
        if self.entry.kind == FileKind::CharDevice { Ok(()) } else { Err(Errno::EPERM) }
    }

    fn lookup(&self, k: &Kernel, name: &str) -> Result<NodeRef> {
        if self.entry.kind != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        let path = format!("{}/{name}", self.path);
        let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
        let entry = self.source.entry(k, &parts).ok_or(Errno::ENOENT)?;
        Ok(Rc::new(PseudoNode { head: self.head.clone(), source: self.source.clone(), path, entry, made: self.made }))
    }

    fn read_dir(&self, k: &Kernel) -> Result<Vec<DirEntry>> {
        if self.entry.kind != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        let parts = self.parts();
        if self.source.entry(k, &parts).is_none() {
            return Err(Errno::ENOENT);
        }
        let mut names = self.source.list(k, &parts);
        names.arrange();
        names.dedup();
        let entry = |name: String| {
            let path = format!("{}/{name}", self.path);
            let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
            let kind = self.source.entry(k, &parts)?.kind;
            Some(DirEntry { ino: number(&path), name, kind })
        };
        Ok(names.into_iter().filter_map(entry).collect())
    }

    fn read_link(&self, k: &Kernel) -> Result<String> {
        self.source.read_link(k, &self.parts())
    }

    fn jump(&self, k: &Kernel) -> Option<Result<Jump>> {
        self.source.jump(k, &self.parts())
    }

    fn read(&self, k: &Kernel, offset: u64, max: usize) -> Result<Vec<u8>> {
        let bytes = self.source.read(k, &self.parts())?;
        let start = (offset as usize).min(bytes.len());
        Ok(bytes[start..start.saturating_add(max).min(bytes.len())].to_vec())
    }

    fn write(&self, k: &mut Kernel, _offset: u64, bytes: &[u8]) -> Result<usize> {
        self.source.write(k, &self.parts(), bytes)?;
        Ok(bytes.len())
    }

    fn truncate(&self, _k: &Kernel, _size: u64) -> Result<()> {
        Ok(())
    }

    fn terminal(&self, k: &Kernel) -> Option<Rc<Tty>> {
        self.source.terminal(k, &self.parts())
    }
}
