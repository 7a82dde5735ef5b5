//! File systems, as the world mounts them and reaches into them from outside.

use super::Machine;
use crate::sim::kernel::calls::mounts::Filesystem;
use crate::sim::kernel::overlay::Overlay;
use crate::sim::kernel::state::Kernel;
use crate::sim::kernel::transfer;
use crate::sim::kernel::tree::{TreeEntry, TreeKind};
use crate::sim::kernel::vfs::path::{Found, Place};
use crate::sim::kernel::vfs::{AttrChange, NewNode, NodeRef};
use cutaway_userland::Errno;
use cutaway_userland::os::{FileKind, MountFlags, Pid, Result};
use std::rc::Rc;

/// File systems.
impl Machine {
    /// Mounts a union at `target` as the process sees it.
    pub fn mount_overlay(&self, pid: Pid, target: &str, overlay: &Overlay, flags: MountFlags) -> Result<()> {
        self.mount_node(pid, target, overlay.union.root(), "overlay", "lowerdir=…,upperdir=…,workdir=…", flags)
    }

    /// Binds a path of the host (as [`Machine::INIT`] sees it) at a path as the process sees it.
    pub fn bind_host(&self, host: &str, pid: Pid, target: &str, flags: MountFlags) -> Result<()> {
        self.kernel(|k| {
            let from = k.resolve(Self::INIT, host)?;
            let source = k.process(Self::INIT)?.ns.mnt.borrow().get(from.mount).cloned().ok_or(Errno::EINVAL)?;
            let point = k.resolve(pid, target)?;
            let fs = Filesystem { root: from.node.clone(), source: source.source, options: source.options };
            let host_path = k.path_of(&from, &k.process(Self::INIT)?.root);
            let flags = MountFlags { read_only: flags.read_only || source.flags.read_only, ..flags };
            k.attach(pid, point, fs, &host_path, flags)
        })
    }

    /// Makes the mount at `new_root` the root of the process, and of its mount namespace; the old one is gone
    /// from sight (`pivot_root` and a lazy `umount`). The working directory becomes `/`.
    pub fn pivot_root(&self, pid: Pid, new_root: &str) -> Result<()> {
        self.kernel(|k| k.pivot_root(pid, new_root))
    }

    /// Makes an empty file or folder (with its parents, root's, 0755) where a mount is to go, if nothing is there.
    pub fn make_mount_point(&self, pid: Pid, path: &str, directory: bool) -> Result<()> {
        self.kernel(|k| {
            let root = k.process(pid)?.root.clone();
            k.make_mount_point(&root, pid, path, directory)
        })
    }

    /// Reads a whole file as the process sees it.
    pub fn read_file(&self, pid: Pid, path: &str) -> Result<Vec<u8>> {
        self.kernel(|k| {
            let place = k.resolve(pid, path)?;
            match place.node.kind() {
                FileKind::Regular => Ok(transfer::contents(k, &place.node).to_vec()),
                FileKind::Directory => Err(Errno::EISDIR),
                _ => Err(Errno::EINVAL),
            }
        })
    }

    /// Creates or replaces a file as the process sees it; missing parents are made.
    pub fn write_file(&self, pid: Pid, path: &str, bytes: &[u8], mode: u32) -> Result<()> {
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
        let now = self.now();
        let kind = TreeKind::File(Rc::new(bytes.to_vec()));
        let entry = TreeEntry { path: name.to_string(), mode, uid: 0, gid: 0, mtime: now, kind };
        self.make_mount_point(pid, if folder.is_empty() { "/" } else { folder }, true)?;
        self.kernel(|k| match k.resolve(pid, path) {
            // An open file, or one that is bound elsewhere, stays the same file.
            Ok(place) if place.node.kind() == FileKind::Regular => {
                place.node.truncate(k, 0)?;
                place.node.clone().write(k, 0, bytes)?;
                place.node.set_attr(k, AttrChange { mode: Some(mode), ..AttrChange::default() })
            }
            _ => {
                let folder = k.resolve(pid, if folder.is_empty() { "/" } else { folder })?;
                transfer::import(k, &folder.node, "/", [entry])
            }
        })
    }

    /// A path as the process sees it, and all below it (not into other mounts): see [`Overlay::entries`].
    pub fn export(&self, pid: Pid, path: &str) -> Result<Vec<TreeEntry>> {
        self.kernel(|k| {
            let place = k.resolve_link(pid, path)?;
            let mut entries = transfer::export(k, &place.node, "/")?;
            let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            for entry in &mut entries {
                entry.path = match (name, entry.path.as_str()) {
                    ("" | "." | "..", path) => path.to_string(),
                    (name, "") => name.to_string(),
                    (name, path) => format!("{name}/{path}"),
                };
            }
            Ok(entries)
        })
    }

    /// Adds entries below the folder `at`, made where missing, as the process sees it.
    pub fn import(&self, pid: Pid, at: &str, entries: impl IntoIterator<Item = TreeEntry>) -> Result<()> {
        self.make_mount_point(pid, at, true)?;
        self.kernel(|k| {
            let place = k.resolve(pid, at)?;
            transfer::import(k, &place.node, "/", entries)
        })
    }

    /// Removes a path and all below it.
    pub fn remove_all(&self, pid: Pid, path: &str) -> Result<()> {
        self.kernel(|k| k.remove_all(pid, path))
    }
}

impl Machine {
    fn mount_node(
        &self,
        pid: Pid,
        target: &str,
        root: NodeRef,
        source: &str,
        options: &str,
        flags: MountFlags,
    ) -> Result<()> {
        self.kernel(|k| {
            let point = k.resolve(pid, target)?;
            let fs = Filesystem { root, source: source.to_string(), options: options.to_string() };
            k.attach(pid, point, fs, "/", flags)
        })
    }
}

impl Kernel {
    /// Makes what is missing of a path, names confined to the root as always; rights are not asked for.
    fn make_mount_point(&mut self, root: &Rc<Place>, pid: Pid, path: &str, directory: bool) -> Result<()> {
        let names: Vec<&str> = path.split('/').filter(|n| !n.is_empty()).collect();
        let mut at = if path.starts_with('/') { String::new() } else { self.path_of(&self.process(pid)?.cwd, root) };
        for (index, name) in names.iter().enumerate() {
            at = format!("{}/{name}", at.trim_end_matches('/'));
            let kind = if directory || index + 1 < names.len() { FileKind::Directory } else { FileKind::Regular };
            if let Found::Missing { folder, name } = self.walk(pid, &at, true)? {
                let mode = if kind == FileKind::Directory { 0o755 } else { 0o644 };
                let new = NewNode { kind, mode, uid: 0, gid: 0, rdev: (0, 0), target: String::new(), now: self.now() };
                folder.node.create(self, &name, new)?;
            }
        }
        Ok(())
    }

    /// Removes a path and all below it, what is mounted there excepted: `EBUSY`.
    fn remove_all(&mut self, pid: Pid, path: &str) -> Result<()> {
        let place = self.resolve_link(pid, path)?;
        if place.node.kind() != FileKind::Directory {
            return self.unlink(pid, path);
        }
        for entry in place.node.read_dir(self)? {
            self.remove_all(pid, &format!("{}/{}", path.trim_end_matches('/'), entry.name))?;
        }
        self.rmdir(pid, path)
    }
}
