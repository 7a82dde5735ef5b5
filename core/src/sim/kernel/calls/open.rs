//! Opening files of every kind.

use crate::sim::kernel::file::{FdTable, Object, OpenFile};
use crate::sim::kernel::net::socket::Socket;
use crate::sim::kernel::state::Kernel;
use crate::sim::kernel::vfs::path::{Found, Place};
use crate::sim::kernel::vfs::{NewNode, access};
use cutaway_userland::Errno;
use cutaway_userland::os::{Fd, FileKind, Limit, OpenFlags, Pid, Result};
use std::rc::Rc;
use std::task::{Poll, Waker};

impl Kernel {
    /// Opens, or makes and opens, a file and gives it the lowest free descriptor.
    pub fn open(&mut self, pid: Pid, path: &str, flags: OpenFlags, mode: u32) -> Result<Fd> {
        self.filter(pid, "openat")?;
        let file = self.open_file(pid, path, flags, mode)?;
        self.add_file(pid, Rc::new(file), false)
    }

    pub fn add_file(&mut self, pid: Pid, file: Rc<OpenFile>, close_on_exec: bool) -> Result<Fd> {
        let process = self.process_mut(pid)?;
        let limit = process.limit(Limit::OpenFiles).soft.unwrap_or(1 << 20);
        match process.fds.add(file, 0, limit, close_on_exec) {
            Err(Errno::EINVAL) => Err(Errno::EMFILE),
            other => other,
        }
    }

    pub fn fds(&self, pid: Pid) -> Result<&FdTable> {
        Ok(&self.process(pid)?.fds)
    }

    fn open_file(&mut self, pid: Pid, path: &str, flags: OpenFlags, mode: u32) -> Result<OpenFile> {
        let follow = !(flags.no_follow || flags.create && flags.exclusive);
        let place = match self.walk(pid, path, follow)? {
            Found::File(file) => return self.reopen(&file, flags),
            Found::Missing { folder, name } => {
                if !flags.create {
                    return Err(Errno::ENOENT);
                }
                if path.ends_with('/') {
                    return Err(Errno::EISDIR);
                }
                let place = self.create(pid, &folder, &name, FileKind::Regular, mode, (0, 0), "")?;
                return Ok(self.file_at(place, flags));
            }
            Found::Place(place) => place,
        };
        if flags.create && flags.exclusive {
            return Err(Errno::EEXIST);
        }
        let kind = place.node.kind();
        match kind {
            FileKind::Symlink => return Err(Errno::ELOOP),
            FileKind::Directory if flags.write || flags.create => return Err(Errno::EISDIR),
            FileKind::Socket => return Err(Errno::ENXIO),
            _ if flags.directory && kind != FileKind::Directory => return Err(Errno::ENOTDIR),
            _ => {}
        }
        let want = (if flags.read { access::READ } else { 0 }) | (if flags.write { access::WRITE } else { 0 });
        self.permit(pid, &place, want)?;
        if flags.write && matches!(kind, FileKind::Regular) {
            self.writable(pid, &place)?;
        }
        let object = match kind {
            FileKind::Directory => Object::Directory,
            FileKind::CharDevice | FileKind::BlockDevice => self.open_device(pid, &place, flags.write, flags.read)?,
            FileKind::Fifo => {
                let pipe = place.node.fifo().ok_or(Errno::ENXIO)?;
                if flags.write && !flags.read { Object::PipeWriter(pipe) } else { Object::PipeReader(pipe) }
            }
            _ => {
                if flags.truncate && flags.write {
                    place.node.truncate(self, 0)?;
                }
                return Ok(self.file_at(place, flags));
            }
        };
        let label = match &object {
            Object::Tty(tty) => super::super::devices::tty_label(tty),
            _ => String::new(),
        };
        // A terminal that was opened by another name (/dev/tty, /dev/console) keeps the name it has.
        let place = (!matches!(object, Object::Tty(_))).then_some(place);
        let mut file = OpenFile::new(object, flags.read, flags.write, place, label);
        file.non_blocking = flags.non_blocking;
        self.adopt_terminal(pid, &file);
        Ok(file)
    }

    fn file_at(&self, place: Rc<Place>, flags: OpenFlags) -> OpenFile {
        let object = Object::File(place.node.clone());
        let mut file = OpenFile::new(object, flags.read, flags.write, Some(place), String::new());
        file.append = flags.append;
        file.non_blocking = flags.non_blocking;
        file
    }

    /// Opens again what a link below /proc/PID/fd stands for.
    fn reopen(&self, file: &OpenFile, flags: OpenFlags) -> Result<OpenFile> {
        let object = match &file.object {
            Object::File(node) => Object::File(node.clone()),
            Object::Directory => Object::Directory,
            Object::PipeReader(pipe) | Object::PipeWriter(pipe) => {
                if flags.write {
                    Object::PipeWriter(pipe.clone())
                } else {
                    Object::PipeReader(pipe.clone())
                }
            }
            Object::Tty(tty) => Object::Tty(tty.clone()),
            Object::Master(tty) => Object::Master(tty.clone()),
            Object::Device(device) => Object::Device(*device),
            Object::Socket(_) => return Err(Errno::ENXIO),
        };
        if flags.truncate
            && flags.write
            && let Object::File(node) = &object
        {
            node.truncate(self, 0)?;
        }
        let mut again = OpenFile::new(object, flags.read, flags.write, file.place.clone(), file.label.clone());
        again.append = flags.append;
        again.non_blocking = flags.non_blocking;
        Ok(again)
    }

    /// Makes a file in a folder, with the process's ids and mask, if it may.
    #[allow(clippy::too_many_arguments)]
    pub fn create(
        &mut self,
        pid: Pid,
        folder: &Rc<Place>,
        name: &str,
        kind: FileKind,
        mode: u32,
        rdev: (u32, u32),
        target: &str,
    ) -> Result<Rc<Place>> {
        self.writable(pid, folder)?;
        let dir = folder.node.attr(self);
        let process = self.process(pid)?;
        access::check(&process.creds, &dir, access::WRITE | access::EXECUTE)?;
        let inherit_group = dir.mode & 0o2000 != 0;
        let mut mode = if kind == FileKind::Symlink { 0o777 } else { mode & 0o7777 & !process.umask };
        if inherit_group && kind == FileKind::Directory {
            mode |= 0o2000;
        }
        let new = NewNode {
            kind,
            mode,
            uid: process.creds.euid,
            gid: if inherit_group { dir.gid } else { process.creds.egid },
            rdev,
            target: target.to_string(),
            now: self.now(),
        };
        let node = folder.node.create(self, name, new)?;
        Ok(Rc::new(Place { mount: folder.mount, node, above: Some(folder.clone()), name: name.to_string() }))
    }

    /// A new socket's descriptor.
    pub fn add_socket(&mut self, pid: Pid, socket: Rc<Socket>) -> Result<Fd> {
        let label = self.label("socket");
        let file = OpenFile::new(Object::Socket(socket), true, true, None, label);
        self.add_file(pid, Rc::new(file), false)
    }

    /// Whether the opening of a named pipe is over: each end waits for the other.
    pub fn fifo_opened(&mut self, pid: Pid, fd: Fd, flags: OpenFlags, waker: &Waker) -> Poll<Result<()>> {
        let Ok(file) = self.fds(pid).and_then(|fds| fds.get(fd)) else { return Poll::Ready(Ok(())) };
        if file.place.as_ref().is_none_or(|p| p.node.kind() != FileKind::Fifo) {
            return Poll::Ready(Ok(()));
        }
        let (pipe, others) = match &file.object {
            Object::PipeReader(pipe) => (pipe, pipe.writers.get()),
            Object::PipeWriter(pipe) => (pipe, pipe.readers.get()),
            _ => return Poll::Ready(Ok(())),
        };
        // A writer that came and went while this reader slept counts as well: what it wrote is there.
        if others > 0 || pipe.readable() || (flags.read && (flags.write || flags.non_blocking)) {
            return Poll::Ready(Ok(()));
        }
        if flags.non_blocking {
            return Poll::Ready(Err(Errno::ENXIO));
        }
        pipe.changed.add(waker);
        Poll::Pending
    }
}
