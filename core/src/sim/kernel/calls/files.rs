//! Calls on names: looking at files, making, moving, removing and changing them.

use crate::sim::kernel::cred::Cap;
use crate::sim::kernel::state::Kernel;
use crate::sim::kernel::vfs::path::{Found, Place};
use crate::sim::kernel::vfs::{AttrChange, NodeRef, PAGE, access, same};
use cutaway_userland::Errno;
use cutaway_userland::os::{DirEntry, FileKind, Pid, Result, Stat, StatFs};
use std::rc::Rc;
use std::time::Duration;

impl Kernel {
    pub fn stat_of(&self, node: &NodeRef) -> Stat {
        let attr = node.attr(self);
        Stat {
            dev: node.fs().dev,
            ino: attr.ino,
            kind: attr.kind,
            mode: attr.mode,
            nlink: attr.nlink,
            uid: attr.uid,
            gid: attr.gid,
            rdev: attr.rdev,
            size: attr.size,
            blocks: if attr.kind == FileKind::Regular || attr.kind == FileKind::Directory {
                attr.size.div_ceil(PAGE) * (PAGE / 512)
            } else {
                0
            },
            atime: attr.atime,
            mtime: attr.mtime,
            ctime: attr.ctime,
        }
    }

    pub fn stat(&self, pid: Pid, path: &str, follow: bool) -> Result<Stat> {
        match self.walk(pid, path, follow)? {
            Found::Place(place) => Ok(self.stat_of(&place.node)),
            Found::Missing { .. } => Err(Errno::ENOENT),
            Found::File(file) => {
                let fds = &self.process(pid)?.fds;
                let own = fds.iter().find(|(_, other)| Rc::ptr_eq(other, &file)).map(|(fd, _)| fd);
                match (own, &file.place) {
                    (Some(fd), _) => self.fstat(pid, fd),
                    (None, Some(place)) => Ok(self.stat_of(&place.node)),
                    (None, None) => Err(Errno::ENOENT),
                }
            }
        }
    }

    pub fn read_dir(&self, pid: Pid, path: &str) -> Result<Vec<DirEntry>> {
        let place = self.resolve(pid, path)?;
        if place.node.kind() != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        self.permit(pid, &place, access::READ)?;
        place.node.read_dir(self)
    }

    pub fn access(&self, pid: Pid, path: &str, mode: u32) -> Result<()> {
        let place = match self.walk(pid, path, true)? {
            Found::Place(place) => place,
            Found::File(_) => return Ok(()),
            Found::Missing { .. } => return Err(Errno::ENOENT),
        };
        // access(2) asks with the real ids.
        let mut who = self.process(pid)?.creds.clone();
        (who.euid, who.egid) = (who.uid, who.gid);
        access::check(&who, &place.node.attr(self), mode & 7)?;
        let device = matches!(place.node.kind(), FileKind::CharDevice | FileKind::BlockDevice | FileKind::Fifo);
        if mode & access::WRITE != 0 && !device {
            self.writable(pid, &place)?;
        }
        Ok(())
    }

    /// Makes a file of any kind at a path that must not exist.
    pub fn make(
        &mut self,
        pid: Pid,
        path: &str,
        kind: FileKind,
        mode: u32,
        rdev: (u32, u32),
        target: &str,
    ) -> Result<Rc<Place>> {
        let last = self.resolve_parent(pid, path)?;
        if matches!(last.name.as_str(), "." | "..") {
            return Err(Errno::EEXIST);
        }
        if last.folder.node.lookup(self, &last.name).is_ok() {
            return Err(Errno::EEXIST);
        }
        if last.slash && kind != FileKind::Directory {
            return Err(Errno::ENOENT);
        }
        self.create(pid, &last.folder, &last.name, kind, mode, rdev, target)
    }

    pub fn mkdir(&mut self, pid: Pid, path: &str, mode: u32) -> Result<()> {
        self.filter(pid, "mkdir")?;
        self.make(pid, path, FileKind::Directory, mode & 0o1777, (0, 0), "").map(drop)
    }

    pub fn symlink(&mut self, pid: Pid, target: &str, path: &str) -> Result<()> {
        self.filter(pid, "symlink")?;
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        self.make(pid, path, FileKind::Symlink, 0o777, (0, 0), target).map(drop)
    }

    pub fn mknod(&mut self, pid: Pid, path: &str, kind: FileKind, mode: u32, rdev: (u32, u32)) -> Result<()> {
        self.filter(pid, "mknod")?;
        if matches!(kind, FileKind::CharDevice | FileKind::BlockDevice) {
            let process = self.process(pid)?;
            let allowed = self.cgroups.device_allowed(process.cgroup, kind, rdev, 'm');
            if !process.creds.can(Cap::Mknod) || !allowed {
                return Err(Errno::EPERM);
            }
        }
        if matches!(kind, FileKind::Directory | FileKind::Symlink) {
            return Err(Errno::EINVAL);
        }
        self.make(pid, path, kind, mode, rdev, "").map(drop)
    }

    pub fn unlink(&mut self, pid: Pid, path: &str) -> Result<()> {
        self.filter(pid, "unlink")?;
        let last = self.removable(pid, path)?;
        let node = last.folder.node.lookup(self, &last.name)?;
        if node.kind() == FileKind::Directory {
            return Err(Errno::EISDIR);
        }
        if last.slash {
            return Err(Errno::ENOTDIR);
        }
        self.may_remove(pid, &last.folder, &node)?;
        last.folder.node.unlink(self, &last.name)
    }

    pub fn rmdir(&mut self, pid: Pid, path: &str) -> Result<()> {
        self.filter(pid, "rmdir")?;
        if path.trim_end_matches('/').ends_with("/.") || path == "." {
            return Err(Errno::EINVAL);
        }
        let last = self.removable(pid, path)?;
        if last.name == ".." {
            return Err(Errno::ENOTEMPTY);
        }
        let node = last.folder.node.lookup(self, &last.name)?;
        if node.kind() != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        self.may_remove(pid, &last.folder, &node)?;
        last.folder.node.rmdir(self, &last.name)
    }

    fn removable(&self, pid: Pid, path: &str) -> Result<super::super::vfs::path::Last> {
        self.resolve_parent(pid, path).map_err(|errno| if errno == Errno::EEXIST { Errno::EBUSY } else { errno })
    }

    /// Rights to take a name away; `EBUSY` where something is mounted on it.
    fn may_remove(&self, pid: Pid, folder: &Rc<Place>, node: &NodeRef) -> Result<()> {
        let process = self.process(pid)?;
        access::may_remove(&process.creds, &folder.node.attr(self), &node.attr(self))?;
        self.writable(pid, folder)?;
        if process.ns.mnt.borrow().over(folder.mount, node).is_some() {
            return Err(Errno::EBUSY);
        }
        Ok(())
    }

    pub fn rename(&mut self, pid: Pid, from: &str, to: &str) -> Result<()> {
        self.filter(pid, "rename")?;
        let from = self.removable(pid, from)?;
        let to = self.removable(pid, to)?;
        for name in [&from.name, &to.name] {
            if matches!(name.as_str(), "." | "..") {
                return Err(Errno::EBUSY);
            }
        }
        if from.folder.mount != to.folder.mount {
            return Err(Errno::EXDEV);
        }
        let node = from.folder.node.lookup(self, &from.name)?;
        if (from.slash || to.slash) && node.kind() != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        self.may_remove(pid, &from.folder, &node)?;
        match to.folder.node.lookup(self, &to.name) {
            Ok(old) => self.may_remove(pid, &to.folder, &old)?,
            Err(_) => self.permit(pid, &to.folder, access::WRITE | access::EXECUTE)?,
        }
        // A folder can't be moved into itself.
        let mut above = Some(to.folder.clone());
        while let Some(place) = above.take() {
            if same(&place.node, &node) {
                return Err(Errno::EINVAL);
            }
            above.clone_from(&place.above);
        }
        from.folder.node.rename(self, &from.name, &to.folder.node, &to.name)
    }

    pub fn link(&mut self, pid: Pid, from: &str, to: &str) -> Result<()> {
        self.filter(pid, "link")?;
        let from = self.resolve_link(pid, from)?;
        let to = self.resolve_parent(pid, to)?;
        if from.node.kind() == FileKind::Directory {
            return Err(Errno::EPERM);
        }
        if to.folder.node.lookup(self, &to.name).is_ok() {
            return Err(Errno::EEXIST);
        }
        if from.mount != to.folder.mount {
            return Err(Errno::EXDEV);
        }
        self.writable(pid, &to.folder)?;
        self.permit(pid, &to.folder, access::WRITE | access::EXECUTE)?;
        to.folder.node.link(self, &to.name, &from.node)
    }

    pub fn read_link(&self, pid: Pid, path: &str) -> Result<String> {
        let place = self.resolve_link(pid, path)?;
        if place.node.kind() != FileKind::Symlink {
            return Err(Errno::EINVAL);
        }
        place.node.read_link(self)
    }

    pub fn chmod(&mut self, pid: Pid, path: &str, mode: u32) -> Result<()> {
        self.filter(pid, "chmod")?;
        let place = self.resolve(pid, path)?;
        self.writable(pid, &place)?;
        let attr = place.node.attr(self);
        let creds = &self.process(pid)?.creds;
        if !access::owns(creds, &attr) {
            return Err(Errno::EPERM);
        }
        let mut mode = mode & 0o7777;
        if attr.kind != FileKind::Directory && !creds.in_group(attr.gid) && !creds.can(Cap::Fsetid) {
            mode &= !0o2000;
        }
        place.node.set_attr(self, AttrChange { mode: Some(mode), ..AttrChange::default() })
    }

    pub fn chown(&mut self, pid: Pid, path: &str, uid: Option<u32>, gid: Option<u32>, follow: bool) -> Result<()> {
        self.filter(pid, "chown")?;
        let place = if follow { self.resolve(pid, path)? } else { self.resolve_link(pid, path)? };
        self.writable(pid, &place)?;
        let attr = place.node.attr(self);
        let creds = &self.process(pid)?.creds;
        let own_group = |gid: u32| creds.euid == attr.uid && creds.in_group(gid);
        let may = creds.can(Cap::Chown)
            || (uid.is_none_or(|u| u == attr.uid && creds.euid == u)
                && gid.is_none_or(|g| g == attr.gid || own_group(g)));
        if !may {
            return Err(Errno::EPERM);
        }
        // A change of owner takes the set-id bits away.
        let mode = (attr.kind == FileKind::Regular).then_some(attr.mode & !0o6000);
        place.node.set_attr(self, AttrChange { uid, gid, mode, ..AttrChange::default() })
    }

    pub fn set_times(&mut self, pid: Pid, path: &str, atime: Option<Duration>, mtime: Option<Duration>) -> Result<()> {
        let place = self.resolve(pid, path)?;
        self.writable(pid, &place)?;
        let attr = place.node.attr(self);
        if !access::owns(&self.process(pid)?.creds, &attr) {
            self.permit(pid, &place, access::WRITE)?;
        }
        place.node.set_attr(self, AttrChange { atime, mtime, ..AttrChange::default() })
    }

    pub fn truncate(&mut self, pid: Pid, path: &str, size: u64) -> Result<()> {
        let place = self.resolve(pid, path)?;
        match place.node.kind() {
            FileKind::Regular => {}
            FileKind::Directory => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        }
        self.writable(pid, &place)?;
        self.permit(pid, &place, access::WRITE)?;
        place.node.truncate(self, size)
    }

    pub fn statfs(&self, pid: Pid, path: &str) -> Result<StatFs> {
        Ok(self.resolve(pid, path)?.node.fs().statfs())
    }

    pub fn chdir(&mut self, pid: Pid, path: &str) -> Result<()> {
        let place = self.resolve(pid, path)?;
        if place.node.kind() != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        self.permit(pid, &place, access::EXECUTE)?;
        self.process_mut(pid)?.cwd = place;
        Ok(())
    }

    pub fn cwd(&self, pid: Pid) -> Result<String> {
        let process = self.process(pid)?;
        if process.cwd.node.attr(self).nlink == 0 {
            return Err(Errno::ENOENT);
        }
        Ok(self.path_of(&process.cwd, &process.root))
    }

    pub fn chroot(&mut self, pid: Pid, path: &str) -> Result<()> {
        self.filter(pid, "chroot")?;
        let place = self.resolve(pid, path)?;
        if place.node.kind() != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        self.permit(pid, &place, access::EXECUTE)?;
        let process = self.process_mut(pid)?;
        if !process.creds.can(Cap::SysChroot) {
            return Err(Errno::EPERM);
        }
        process.root = place;
        Ok(())
    }
}
