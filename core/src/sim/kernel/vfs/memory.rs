//! Files in memory: the host's disk, tmpfs, layers, volumes. Contents are shared until written, so a copy of
//! a tree costs its names only.

use super::{Attr, AttrChange, FsHead, NewNode, NodeRef, Vnode, cast, cast_rc};
use crate::sim::kernel::pipe::Pipe;
use crate::sim::kernel::state::Kernel;
use cutaway_userland::Errno;
use cutaway_userland::os::{DirEntry, FileKind, Result};
use cutaway_userland::sorted::Map as BTreeMap;
use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;
use std::time::Duration;

pub(crate) type Names = BTreeMap<String, Rc<MemNode>>;

#[derive(Clone)]
pub(crate) struct Meta {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub nlink: u64,
    pub atime: Duration,
    pub mtime: Duration,
    pub ctime: Duration,
    /// In a layer: hides what lower layers have in this folder.
    pub opaque: bool,
}

pub(crate) enum Data {
    File(Rc<Vec<u8>>),
    Directory(Names),
    Symlink(String),
    Device((u32, u32)),
    Fifo(Rc<Pipe>),
    Socket,
}

pub(crate) struct MemNode {
    pub head: Rc<FsHead>,
    pub ino: u64,
    pub kind: FileKind,
    pub meta: RefCell<Meta>,
    pub data: RefCell<Data>,
    /// Bytes accounted for in the file system.
    charged: Cell<u64>,
}

impl Drop for MemNode {
    fn drop(&mut self) {
        // Shrinking never fails.
        let _ = self.head.resize(self.charged.get(), 0);
        self.head.nodes.set(self.head.nodes.get().saturating_sub(1));
    }
}

/// Makes an empty file system and gives its root, mode 0755.
pub(crate) fn new_fs(head: Rc<FsHead>, now: Duration) -> Rc<MemNode> {
    let new =
        NewNode { kind: FileKind::Directory, mode: 0o755, uid: 0, gid: 0, rdev: (0, 0), target: String::new(), now };
    MemNode::make(&head, &new)
}

impl MemNode {
    pub fn make(head: &Rc<FsHead>, new: &NewNode) -> Rc<MemNode> {
        let data = match new.kind {
            FileKind::Regular => Data::File(Rc::default()),
            FileKind::Directory => Data::Directory(Names::new()),
            FileKind::Symlink => Data::Symlink(new.target.clone()),
            FileKind::CharDevice | FileKind::BlockDevice => Data::Device(new.rdev),
            FileKind::Fifo => Data::Fifo(Rc::new(Pipe::new())),
            FileKind::Socket => Data::Socket,
        };
        let meta = Meta {
            mode: new.mode & 0o7777,
            uid: new.uid,
            gid: new.gid,
            nlink: if new.kind == FileKind::Directory { 2 } else { 1 },
            atime: new.now,
            mtime: new.now,
            ctime: new.now,
            opaque: false,
        };
        Self::with(head, new.kind, meta, data)
    }

    pub fn with(head: &Rc<FsHead>, kind: FileKind, meta: Meta, data: Data) -> Rc<MemNode> {
        head.nodes.set(head.nodes.get() + 1);
        Rc::new(MemNode {
            head: head.clone(),
            ino: head.ino(),
            kind,
            meta: RefCell::new(meta),
            data: RefCell::new(data),
            charged: Cell::new(0),
        })
    }

    /// A node of file system `head` with the same attributes and contents, but no names below it.
    pub fn copy_into(&self, head: &Rc<FsHead>) -> Result<Rc<MemNode>> {
        let data = match &*self.data.borrow() {
            Data::File(bytes) => Data::File(bytes.clone()),
            Data::Directory(_) => Data::Directory(Names::new()),
            Data::Symlink(target) => Data::Symlink(target.clone()),
            Data::Device(rdev) => Data::Device(*rdev),
            Data::Fifo(_) => Data::Fifo(Rc::new(Pipe::new())),
            Data::Socket => Data::Socket,
        };
        let mut meta = self.meta.borrow().clone();
        meta.nlink = if self.kind == FileKind::Directory { 2 } else { 1 };
        meta.opaque = false;
        let node = Self::with(head, self.kind, meta, data);
        node.account(self.size())?;
        Ok(node)
    }

    pub fn whiteout(head: &Rc<FsHead>, now: Duration) -> Rc<MemNode> {
        let new =
            NewNode { kind: FileKind::CharDevice, mode: 0, uid: 0, gid: 0, rdev: (0, 0), target: String::new(), now };
        Self::make(head, &new)
    }

    /// Whether it hides a name of lower layers.
    pub fn is_whiteout(&self) -> bool {
        self.kind == FileKind::CharDevice && matches!(&*self.data.borrow(), Data::Device((0, 0)))
    }

    pub fn is_dir(&self) -> bool {
        self.kind == FileKind::Directory
    }

    pub fn size(&self) -> u64 {
        match &*self.data.borrow() {
            Data::File(bytes) => bytes.len() as u64,
            Data::Symlink(target) => target.len() as u64,
            Data::Directory(_) => PAGE_OF_DIRECTORY,
            _ => 0,
        }
    }

    /// Its names; none where it is no folder.
    pub fn names(&self) -> Option<Ref<'_, Names>> {
        Ref::filter_map(self.data.borrow(), |data| match data {
            Data::Directory(names) => Some(names),
            _ => None,
        })
        .ok()
    }

    pub fn child(&self, name: &str) -> Option<Rc<MemNode>> {
        self.names()?.get(name).cloned()
    }

    /// Puts a name in, replacing what was there.
    pub fn insert(&self, name: &str, node: Rc<MemNode>, now: Duration) -> Option<Rc<MemNode>> {
        let is_dir = node.is_dir();
        let old = match &mut *self.data.borrow_mut() {
            Data::Directory(names) => names.insert(name.to_string(), node),
            _ => None,
        };
        self.left(old.as_ref(), now);
        if is_dir {
            self.meta.borrow_mut().nlink += 1;
        }
        old
    }

    pub fn remove(&self, name: &str, now: Duration) -> Option<Rc<MemNode>> {
        let old = match &mut *self.data.borrow_mut() {
            Data::Directory(names) => names.remove(name),
            _ => None,
        };
        self.left(old.as_ref(), now);
        old
    }

    /// Keeps the counts right when a name has left this folder.
    fn left(&self, old: Option<&Rc<MemNode>>, now: Duration) {
        let mut meta = self.meta.borrow_mut();
        meta.mtime = now;
        meta.ctime = now;
        let Some(old) = old else { return };
        if old.is_dir() {
            meta.nlink -= 1;
            old.meta.borrow_mut().nlink = 0;
        } else {
            let mut gone = old.meta.borrow_mut();
            gone.nlink = gone.nlink.saturating_sub(1);
            gone.ctime = now;
        }
    }

    fn account(&self, size: u64) -> Result<()> {
        if self.kind != FileKind::Regular {
            return Ok(());
        }
        self.head.resize(self.charged.get(), size)?;
        self.charged.set(size);
        Ok(())
    }

    pub fn contents(&self) -> Rc<Vec<u8>> {
        match &*self.data.borrow() {
            Data::File(bytes) => bytes.clone(),
            _ => Rc::default(),
        }
    }

    pub fn set_contents(&self, bytes: Rc<Vec<u8>>) -> Result<()> {
        self.account(bytes.len() as u64)?;
        *self.data.borrow_mut() = Data::File(bytes);
        Ok(())
    }

    pub fn read_at(&self, offset: u64, max: usize) -> Vec<u8> {
        let bytes = self.contents();
        let start = (offset as usize).min(bytes.len());
        let end = start.saturating_add(max).min(bytes.len());
        bytes[start..end].to_vec()
    }

    pub fn write_at(&self, offset: u64, new: &[u8], now: Duration) -> Result<usize> {
        let old = self.size();
        // What a machine of this size can hold at all: a sparse write far out must not take the page's memory.
        const LARGEST: u64 = 1 << 30;
        if offset + new.len() as u64 > LARGEST {
            return Err(Errno::EFBIG);
        }
        let end = old.max(offset + new.len() as u64);
        let new = match self.account(end) {
            Ok(()) => new,
            Err(errno) => {
                // As much as fits.
                let free = self.head.limit.get().unwrap_or(0).saturating_sub(self.head.used.get());
                let room = (old.div_ceil(super::PAGE) * super::PAGE + free).saturating_sub(offset) as usize;
                if room == 0 || room >= new.len() {
                    return Err(errno);
                }
                self.account(old.max(offset + room as u64))?;
                &new[..room]
            }
        };
        if let Data::File(bytes) = &mut *self.data.borrow_mut() {
            let bytes = Rc::make_mut(bytes);
            let (start, end) = (offset as usize, offset as usize + new.len());
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[start..end].copy_from_slice(new);
        }
        self.touch(now);
        Ok(new.len())
    }

    pub fn set_size(&self, size: u64, now: Duration) -> Result<()> {
        if size > 1 << 30 {
            return Err(Errno::EFBIG);
        }
        self.account(size)?;
        if let Data::File(bytes) = &mut *self.data.borrow_mut() {
            if size == 0 {
                *bytes = Rc::default();
            } else {
                Rc::make_mut(bytes).resize(size as usize, 0);
            }
        }
        self.touch(now);
        Ok(())
    }

    pub fn touch(&self, now: Duration) {
        let mut meta = self.meta.borrow_mut();
        meta.mtime = now;
        meta.ctime = now;
    }

    pub fn change(&self, change: AttrChange, now: Duration) {
        let mut meta = self.meta.borrow_mut();
        meta.ctime = now;
        if let Some(mode) = change.mode {
            meta.mode = mode & 0o7777;
        }
        if let Some(uid) = change.uid {
            meta.uid = uid;
        }
        if let Some(gid) = change.gid {
            meta.gid = gid;
        }
        if let Some(time) = change.atime {
            meta.atime = time;
        }
        if let Some(time) = change.mtime {
            meta.mtime = time;
        }
    }

    pub fn attributes(&self) -> Attr {
        let meta = self.meta.borrow();
        let rdev = match &*self.data.borrow() {
            Data::Device(rdev) => *rdev,
            _ => (0, 0),
        };
        Attr {
            ino: self.ino,
            kind: self.kind,
            mode: meta.mode,
            uid: meta.uid,
            gid: meta.gid,
            nlink: meta.nlink,
            rdev,
            size: self.size(),
            atime: meta.atime,
            mtime: meta.mtime,
            ctime: meta.ctime,
        }
    }

    /// Gives a node one more name.
    pub fn add_name(&self, name: &str, node: &Rc<MemNode>, now: Duration) {
        {
            let mut meta = node.meta.borrow_mut();
            meta.nlink += 1;
            meta.ctime = now;
        }
        self.insert(name, node.clone(), now);
    }

    /// Moves a name, whatever is at the other end.
    pub fn move_name(&self, name: &str, to: &MemNode, new: &str, now: Duration) {
        let Some(node) = self.child(name) else { return };
        let links = node.meta.borrow().nlink;
        self.remove(name, now);
        node.meta.borrow_mut().nlink = links;
        to.insert(new, node, now);
    }
}

const PAGE_OF_DIRECTORY: u64 = 4096;

/// Whether `new` may be renamed over `old`.
pub(crate) fn check_replace(new_is_dir: bool, old_is_dir: bool, old_is_empty: bool) -> Result<()> {
    match (new_is_dir, old_is_dir) {
        (true, false) => Err(Errno::ENOTDIR),
        (false, true) => Err(Errno::EISDIR),
        (true, true) if !old_is_empty => Err(Errno::ENOTEMPTY),
        _ => Ok(()),
    }
}

impl Vnode for MemNode {
    fn fs(&self) -> &Rc<FsHead> {
        &self.head
    }

    fn ino(&self) -> u64 {
        self.ino
    }

    fn kind(&self) -> FileKind {
        self.kind
    }

    fn attr(&self, _k: &Kernel) -> Attr {
        self.attributes()
    }

    fn set_attr(&self, k: &Kernel, change: AttrChange) -> Result<()> {
        self.change(change, k.now());
        Ok(())
    }

    fn lookup(&self, _k: &Kernel, name: &str) -> Result<NodeRef> {
        let names = self.names().ok_or(Errno::ENOTDIR)?;
        Ok(names.get(name).ok_or(Errno::ENOENT)?.clone())
    }

    fn read_dir(&self, _k: &Kernel) -> Result<Vec<DirEntry>> {
        let names = self.names().ok_or(Errno::ENOTDIR)?;
        Ok(names.iter().map(|(name, n)| DirEntry { name: name.clone(), ino: n.ino, kind: n.kind }).collect())
    }

    fn create(&self, k: &Kernel, name: &str, new: NewNode) -> Result<NodeRef> {
        if self.meta.borrow().nlink == 0 {
            return Err(Errno::ENOENT);
        }
        if self.names().ok_or(Errno::ENOTDIR)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let node = MemNode::make(&self.head, &new);
        self.insert(name, node.clone(), k.now());
        Ok(node)
    }

    fn link(&self, k: &Kernel, name: &str, node: &NodeRef) -> Result<()> {
        let node = cast_rc::<MemNode>(node).filter(|n| n.head.dev == self.head.dev).ok_or(Errno::EXDEV)?;
        self.add_name(name, &node, k.now());
        Ok(())
    }

    fn unlink(&self, k: &Kernel, name: &str) -> Result<()> {
        match self.child(name) {
            None => Err(Errno::ENOENT),
            Some(node) if node.is_dir() => Err(Errno::EISDIR),
            Some(_) => {
                self.remove(name, k.now());
                Ok(())
            }
        }
    }

    fn rmdir(&self, k: &Kernel, name: &str) -> Result<()> {
        let node = self.child(name).ok_or(Errno::ENOENT)?;
        if !node.names().ok_or(Errno::ENOTDIR)?.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.remove(name, k.now());
        Ok(())
    }

    fn rename(&self, k: &Kernel, name: &str, to: &NodeRef, new: &str) -> Result<()> {
        let to = cast::<MemNode>(to).filter(|n| n.head.dev == self.head.dev).ok_or(Errno::EXDEV)?;
        let node = self.child(name).ok_or(Errno::ENOENT)?;
        if let Some(old) = to.child(new) {
            if Rc::ptr_eq(&old, &node) {
                return Ok(());
            }
            check_replace(node.is_dir(), old.is_dir(), old.names().is_none_or(|n| n.is_empty()))?;
        }
        self.move_name(name, to, new, k.now());
        Ok(())
    }

    fn read_link(&self, _k: &Kernel) -> Result<String> {
        match &*self.data.borrow() {
            Data::Symlink(target) => Ok(target.clone()),
            _ => Err(Errno::EINVAL),
        }
    }

    fn read(&self, _k: &Kernel, offset: u64, max: usize) -> Result<Vec<u8>> {
        Ok(self.read_at(offset, max))
    }

    fn write(&self, k: &mut Kernel, offset: u64, bytes: &[u8]) -> Result<usize> {
        self.write_at(offset, bytes, k.now())
    }

    fn truncate(&self, k: &Kernel, size: u64) -> Result<()> {
        self.set_size(size, k.now())
    }

    fn fifo(&self) -> Option<Rc<Pipe>> {
        match &*self.data.borrow() {
            Data::Fifo(pipe) => Some(pipe.clone()),
            _ => None,
        }
    }
}
