//! The nodes of a union file system: one writable layer over read-only ones, as Linux's overlayfs.
//!
//! A node shows the topmost real one; a folder shows those of several layers merged. Before the first write a
//! node is copied up into the writable layer, with the folders above it. What is removed and still in a
//! lower layer leaves a whiteout; a folder made where one was removed is opaque.

use super::memory::{Data, MemNode, check_replace};
use super::{Attr, AttrChange, FsHead, NewNode, NodeRef, Vnode, cast_rc};
use crate::sim::kernel::pipe::Pipe;
use crate::sim::kernel::state::Kernel;
use cutaway_userland::Errno;
use cutaway_userland::os::{DirEntry, FileKind, Result};
use cutaway_userland::sorted::{Map as BTreeMap, Set as BTreeSet};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Identity of a real node: the file system's number and the node's.
type Real = (u64, u64);

pub(crate) struct Union {
    pub head: Rc<FsHead>,
    pub upper: Rc<MemNode>,
    /// The topmost first.
    pub lowers: Vec<Rc<MemNode>>,
    /// The number that stands for a real node, kept when it is copied up.
    numbers: RefCell<BTreeMap<Real, u64>>,
    /// Nodes in use, by number: two ways to one file must be one node.
    live: RefCell<BTreeMap<u64, Weak<UnionNode>>>,
    pub clock: Rc<Cell<Duration>>,
}

struct Parts {
    upper: Option<Rc<MemNode>>,
    /// The topmost first; one at most where this is no folder.
    lowers: Vec<Rc<MemNode>>,
    parent: Option<(Rc<UnionNode>, String)>,
    /// Its name was removed while it was in use.
    removed: bool,
}

pub(crate) struct UnionNode {
    fs: Rc<Union>,
    ino: u64,
    kind: FileKind,
    parts: RefCell<Parts>,
}

impl Union {
    pub fn new(head: Rc<FsHead>, lowers: Vec<Rc<MemNode>>, upper: Rc<MemNode>, clock: Rc<Cell<Duration>>) -> Rc<Union> {
        Rc::new(Union { head, upper, lowers, numbers: RefCell::default(), live: RefCell::default(), clock })
    }

    pub fn root(self: &Rc<Self>) -> Rc<UnionNode> {
        self.node(Some(self.upper.clone()), self.lowers.clone(), None)
    }

    fn now(&self) -> Duration {
        self.clock.get()
    }

    /// The one node that stands for these real ones.
    fn node(
        self: &Rc<Self>,
        upper: Option<Rc<MemNode>>,
        lowers: Vec<Rc<MemNode>>,
        parent: Option<(Rc<UnionNode>, String)>,
    ) -> Rc<UnionNode> {
        let (real, kind) = match upper.as_ref().or(lowers.first()) {
            Some(node) => ((node.head.dev, node.ino), node.kind),
            None => ((0, 0), FileKind::Directory),
        };
        let ino = *self.numbers.borrow_mut().entry(real).or_insert_with(|| self.head.ino());
        if let Some(node) = self.live.borrow().get(&ino).and_then(Weak::upgrade) {
            return node;
        }
        let parts = RefCell::new(Parts { upper, lowers, parent, removed: false });
        let node = Rc::new(UnionNode { fs: self.clone(), ino, kind, parts });
        self.live.borrow_mut().insert(ino, Rc::downgrade(&node));
        node
    }
}

impl Drop for UnionNode {
    fn drop(&mut self) {
        if let Ok(mut live) = self.fs.live.try_borrow_mut() {
            live.remove(&self.ino);
        }
    }
}

impl UnionNode {
    /// The real node whose attributes and contents show.
    fn top(&self) -> Rc<MemNode> {
        let parts = self.parts.borrow();
        parts.upper.as_ref().or(parts.lowers.first()).unwrap_or(&self.fs.upper).clone()
    }

    fn upper(&self) -> Option<Rc<MemNode>> {
        self.parts.borrow().upper.clone()
    }

    /// The real nodes behind a name: the upper one, and lower ones, topmost first. Nothing where it is hidden.
    fn parts_of(&self, name: &str) -> (Option<Rc<MemNode>>, Vec<Rc<MemNode>>) {
        let parts = self.parts.borrow();
        let upper = parts.upper.as_ref().and_then(|u| u.child(name));
        if let Some(node) = &upper {
            if node.is_whiteout() {
                return (None, Vec::new());
            }
            if !node.is_dir() || node.meta.borrow().opaque {
                return (upper, Vec::new());
            }
        }
        let mut lowers: Vec<Rc<MemNode>> = Vec::new();
        for layer in &parts.lowers {
            let Some(node) = layer.child(name) else { continue };
            if node.is_whiteout() {
                break;
            }
            if !node.is_dir() {
                if upper.is_none() && lowers.is_empty() {
                    lowers.push(node);
                }
                break;
            }
            let opaque = node.meta.borrow().opaque;
            lowers.push(node);
            if opaque {
                break;
            }
        }
        (upper, lowers)
    }

    pub fn find(self: &Rc<Self>, name: &str) -> Result<Rc<UnionNode>> {
        if self.kind != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        let (upper, lowers) = self.parts_of(name);
        if upper.is_none() && lowers.is_empty() {
            return Err(Errno::ENOENT);
        }
        Ok(self.fs.node(upper, lowers, Some((self.clone(), name.to_string()))))
    }

    /// The names that show, sorted.
    pub fn names(&self) -> Vec<String> {
        let parts = self.parts.borrow();
        let mut shown = BTreeSet::new();
        let mut hidden = BTreeSet::new();
        for layer in parts.upper.iter().chain(&parts.lowers) {
            let Some(names) = layer.names() else { continue };
            for (name, node) in names.iter() {
                if node.is_whiteout() {
                    hidden.insert(name.clone());
                } else if !hidden.contains(name) {
                    shown.insert(name.clone());
                }
            }
            hidden.extend(shown.iter().cloned());
        }
        shown.into_iter().collect()
    }

    /// Whether a lower layer shows this name once the upper one does not.
    fn in_lowers(&self, name: &str) -> bool {
        for layer in &self.parts.borrow().lowers {
            if let Some(node) = layer.child(name) {
                return !node.is_whiteout();
            }
        }
        false
    }

    /// Makes sure that the node is in the writable layer, and gives it there.
    fn copy_up(&self) -> Result<Rc<MemNode>> {
        if let Some(upper) = self.upper() {
            return Ok(upper);
        }
        let lower = self.top();
        let copy = lower.copy_into(&self.fs.upper.head)?;
        let (parent, removed) = {
            let parts = self.parts.borrow();
            (parts.parent.clone(), parts.removed)
        };
        match parent {
            Some((parent, name)) if !removed => {
                let above = parent.copy_up()?;
                let times = above.meta.borrow().clone();
                above.insert(&name, copy.clone(), self.fs.now());
                // Copying up shows in no time of the folder.
                let mut meta = above.meta.borrow_mut();
                (meta.mtime, meta.ctime) = (times.mtime, times.ctime);
            }
            _ => copy.meta.borrow_mut().nlink = 0,
        }
        let mut numbers = self.fs.numbers.borrow_mut();
        numbers.insert((copy.head.dev, copy.ino), self.ino);
        if self.kind != FileKind::Directory {
            // Other names of the lower file are no longer this file.
            numbers.remove(&(lower.head.dev, lower.ino));
        }
        let mut parts = self.parts.borrow_mut();
        parts.upper = Some(copy.clone());
        if self.kind != FileKind::Directory {
            parts.lowers.clear();
        }
        Ok(copy)
    }

    /// Copies up a folder and all below it, so that it needs no lower layer any more.
    fn copy_up_all(self: &Rc<Self>) -> Result<()> {
        for name in self.names() {
            let child = self.find(&name)?;
            child.copy_up()?;
            if child.kind == FileKind::Directory {
                child.copy_up_all()?;
            }
        }
        let upper = self.copy_up()?;
        upper.meta.borrow_mut().opaque = true;
        let whiteouts: Vec<String> = match upper.names() {
            Some(names) => names.iter().filter(|(_, n)| n.is_whiteout()).map(|(name, _)| name.clone()).collect(),
            None => Vec::new(),
        };
        for name in whiteouts {
            upper.remove(&name, self.fs.now());
        }
        self.parts.borrow_mut().lowers.clear();
        Ok(())
    }

    /// Takes a name out of view.
    fn hide(&self, name: &str) -> Result<()> {
        let upper = self.copy_up()?;
        let now = self.fs.now();
        upper.remove(name, now);
        if self.in_lowers(name) {
            upper.insert(name, MemNode::whiteout(&upper.head, now), now);
        }
        Ok(())
    }
}

impl Vnode for UnionNode {
    fn fs(&self) -> &Rc<FsHead> {
        &self.fs.head
    }

    fn ino(&self) -> u64 {
        self.ino
    }

    fn kind(&self) -> FileKind {
        self.kind
    }

    fn attr(&self, _k: &Kernel) -> Attr {
        let mut attr = Attr { ino: self.ino, ..self.top().attributes() };
        if self.kind == FileKind::Directory && !self.parts.borrow().lowers.is_empty() {
            attr.nlink = 1;
        }
        if self.parts.borrow().removed {
            attr.nlink = 0;
        }
        attr
    }

    fn set_attr(&self, k: &Kernel, change: AttrChange) -> Result<()> {
        self.copy_up()?.change(change, k.now());
        Ok(())
    }

    fn lookup(&self, _k: &Kernel, name: &str) -> Result<NodeRef> {
        Ok(self.shared().find(name)?)
    }

    fn read_dir(&self, _k: &Kernel) -> Result<Vec<DirEntry>> {
        if self.kind != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        let this = self.shared();
        let entry = |name: String| {
            let node = this.find(&name)?;
            Ok(DirEntry { name, ino: node.ino, kind: node.kind })
        };
        self.names().into_iter().map(entry).collect()
    }

    fn create(&self, k: &Kernel, name: &str, new: NewNode) -> Result<NodeRef> {
        let this = self.shared();
        if this.find(name).is_ok() {
            return Err(Errno::EEXIST);
        }
        if self.parts.borrow().removed {
            return Err(Errno::ENOENT);
        }
        let upper = self.copy_up()?;
        let node = MemNode::make(&upper.head, &new);
        let hidden = upper.child(name).is_some_and(|n| n.is_whiteout());
        if new.kind == FileKind::Directory && (hidden || self.in_lowers(name)) {
            node.meta.borrow_mut().opaque = true;
        }
        upper.insert(name, node, k.now());
        Ok(this.find(name)?)
    }

    fn link(&self, k: &Kernel, name: &str, node: &NodeRef) -> Result<()> {
        let node = cast_rc::<UnionNode>(node).filter(|n| Rc::ptr_eq(&n.fs, &self.fs)).ok_or(Errno::EXDEV)?;
        let real = node.copy_up()?;
        self.copy_up()?.add_name(name, &real, k.now());
        Ok(())
    }

    fn unlink(&self, _k: &Kernel, name: &str) -> Result<()> {
        let node = self.shared().find(name)?;
        if node.kind == FileKind::Directory {
            return Err(Errno::EISDIR);
        }
        self.hide(name)?;
        let mut parts = node.parts.borrow_mut();
        parts.removed = parts.upper.as_ref().is_none_or(|u| u.meta.borrow().nlink == 0);
        Ok(())
    }

    fn rmdir(&self, _k: &Kernel, name: &str) -> Result<()> {
        let node = self.shared().find(name)?;
        if node.kind != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        if !node.names().is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.hide(name)?;
        node.parts.borrow_mut().removed = true;
        Ok(())
    }

    fn rename(&self, k: &Kernel, name: &str, to: &NodeRef, new: &str) -> Result<()> {
        let to = cast_rc::<UnionNode>(to).filter(|n| Rc::ptr_eq(&n.fs, &self.fs)).ok_or(Errno::EXDEV)?;
        let node = self.shared().find(name)?;
        if let Ok(old) = to.find(new) {
            if old.ino == node.ino {
                return Ok(());
            }
            let is_dir = |n: &UnionNode| n.kind == FileKind::Directory;
            check_replace(is_dir(&node), is_dir(&old), old.names().is_empty())?;
            old.parts.borrow_mut().removed = true;
        }
        if node.kind == FileKind::Directory {
            node.copy_up_all()?;
        }
        node.copy_up()?;
        let (from_upper, to_upper) = (self.copy_up()?, to.copy_up()?);
        from_upper.move_name(name, &to_upper, new, k.now());
        if self.in_lowers(name) {
            from_upper.insert(name, MemNode::whiteout(&from_upper.head, k.now()), k.now());
        }
        node.parts.borrow_mut().parent = Some((to, new.to_string()));
        Ok(())
    }

    fn read_link(&self, k: &Kernel) -> Result<String> {
        self.top().read_link(k)
    }

    fn read(&self, _k: &Kernel, offset: u64, max: usize) -> Result<Vec<u8>> {
        Ok(self.top().read_at(offset, max))
    }

    fn write(&self, k: &mut Kernel, offset: u64, bytes: &[u8]) -> Result<usize> {
        self.copy_up()?.write_at(offset, bytes, k.now())
    }

    fn truncate(&self, k: &Kernel, size: u64) -> Result<()> {
        self.copy_up()?.set_size(size, k.now())
    }

    fn fifo(&self) -> Option<Rc<Pipe>> {
        let node = self.copy_up().ok()?;
        match &*node.data.borrow() {
            Data::Fifo(pipe) => Some(pipe.clone()),
            _ => None,
        }
    }
}

impl UnionNode {
    /// This node as it is shared: it is in the table of live ones for as long as it exists.
    fn shared(&self) -> Rc<UnionNode> {
        match self.fs.live.borrow().get(&self.ino).and_then(Weak::upgrade) {
            Some(node) => node,
            None => unreachable!("a node in use is in the table of live nodes"),
        }
    }

    /// Replaces the contents without a copy.
    pub fn set_contents(&self, bytes: Rc<Vec<u8>>) -> Result<()> {
        self.copy_up()?.set_contents(bytes)
    }

    /// Contents without a copy.
    pub fn contents(&self) -> Rc<Vec<u8>> {
        self.top().contents()
    }
}
