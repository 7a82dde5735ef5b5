//! Descriptors themselves: copying, closing, pipes, positions, and terminals by descriptor.

use crate::sim::kernel::file::{Object, OpenFile};
use crate::sim::kernel::pipe::Pipe;
use crate::sim::kernel::state::Kernel;
use crate::sim::kernel::tty::Tty;
use cutaway_userland::Errno;
use cutaway_userland::os::{Fd, FileKind, Limit, Pid, Result, Signal, Stat, Whence, WindowSize};
use std::rc::Rc;
use std::time::Duration;

impl Kernel {
    pub fn close(&mut self, pid: Pid, fd: Fd) -> Result<()> {
        self.process_mut(pid)?.fds.remove(fd).map(drop)
    }

    pub fn dup(&mut self, pid: Pid, fd: Fd, least: Fd) -> Result<Fd> {
        let process = self.process_mut(pid)?;
        let limit = process.limit(Limit::OpenFiles).soft.unwrap_or(1 << 20);
        let file = process.fds.get(fd)?.clone();
        process.fds.add(file, least, limit, false)
    }

    pub fn dup2(&mut self, pid: Pid, from: Fd, to: Fd) -> Result<()> {
        let process = self.process_mut(pid)?;
        let limit = process.limit(Limit::OpenFiles).soft.unwrap_or(1 << 20);
        let file = process.fds.get(from)?.clone();
        if to < 0 || to as u64 >= limit {
            return Err(Errno::EBADF);
        }
        if from != to {
            process.fds.set(to, file, false);
        }
        Ok(())
    }

    pub fn pipe(&mut self, pid: Pid) -> Result<(Fd, Fd)> {
        let pipe = Rc::new(Pipe::new());
        let label = self.label("pipe");
        let reader = OpenFile::new(Object::PipeReader(pipe.clone()), true, false, None, label.clone());
        let writer = OpenFile::new(Object::PipeWriter(pipe), false, true, None, label);
        let reader = self.add_file(pid, Rc::new(reader), false)?;
        match self.add_file(pid, Rc::new(writer), false) {
            Ok(writer) => Ok((reader, writer)),
            Err(errno) => {
                self.close(pid, reader)?;
                Err(errno)
            }
        }
    }

    pub fn seek(&mut self, pid: Pid, fd: Fd, to: Whence) -> Result<u64> {
        let file = self.fds(pid)?.get(fd)?;
        let size = match &file.object {
            Object::File(node) => node.attr(self).size,
            Object::Device(_) | Object::Directory => 0,
            _ => return Err(Errno::ESPIPE),
        };
        let position = match to {
            Whence::Start(position) => Some(position),
            Whence::Current(by) => file.offset.get().checked_add_signed(by),
            Whence::End(by) => size.checked_add_signed(by),
        };
        let position = position.ok_or(Errno::EINVAL)?;
        file.offset.set(position);
        Ok(position)
    }

    pub fn fstat(&self, pid: Pid, fd: Fd) -> Result<Stat> {
        let file = self.fds(pid)?.get(fd)?;
        if let Some(place) = &file.place {
            return Ok(self.stat_of(&place.node));
        }
        let (kind, rdev, mode) = match &file.object {
            Object::File(node) => return Ok(self.stat_of(node)),
            Object::PipeReader(_) | Object::PipeWriter(_) => (FileKind::Fifo, (0, 0), 0o600),
            Object::Tty(tty) => (FileKind::CharDevice, (136, tty.index.get().unwrap_or(0)), 0o620),
            Object::Master(_) => (FileKind::CharDevice, (5, 2), 0o666),
            Object::Device(_) => (FileKind::CharDevice, (1, 3), 0o666),
            Object::Socket(_) => (FileKind::Socket, (0, 0), 0o777),
            Object::Directory => (FileKind::Directory, (0, 0), 0o755),
        };
        let ino = file.label.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(3);
        let creds = &self.process(pid)?.creds;
        let now = self.now();
        Ok(Stat {
            dev: 13,
            ino,
            kind,
            mode,
            nlink: 1,
            uid: creds.euid,
            gid: creds.egid,
            rdev,
            size: 0,
            blocks: 0,
            atime: now,
            mtime: now,
            ctime: now,
        })
    }

    /// The terminal behind a descriptor: `ENOTTY`.
    pub fn tty(&self, pid: Pid, fd: Fd) -> Result<Rc<Tty>> {
        self.fds(pid)?.get(fd)?.tty().cloned().ok_or(Errno::ENOTTY)
    }

    pub fn resize_tty(&mut self, tty: &Tty, size: WindowSize) {
        let group = tty.foreground.get();
        if tty.set_size(size) && group != 0 {
            self.signal_group(group, Signal::WINCH);
        }
    }

    /// Input typed at a terminal's master.
    pub fn type_in(&mut self, tty: &Tty, bytes: &[u8]) {
        for signal in tty.type_in(bytes) {
            let group = tty.foreground.get();
            if group != 0 {
                self.signal_group(group, signal);
            }
        }
    }

    /// The last master is gone: the session is told, and reading gives an end of file.
    pub fn hang_up(&mut self, tty: &Tty) {
        let (session, foreground) = (tty.session.get(), tty.foreground.get());
        if session != 0 {
            self.deliver(session, Signal::HUP, true);
            self.deliver(session, Signal::CONT, true);
        }
        if foreground != 0 && foreground != session {
            self.signal_group(foreground, Signal::HUP);
        }
    }

    pub fn foreground_group(&self, pid: Pid, fd: Fd) -> Result<Pid> {
        let tty = self.tty(pid, fd)?;
        let process = self.process(pid)?;
        if tty.session.get() != process.session {
            return Err(Errno::ENOTTY);
        }
        Ok(self.inner_group(process.ns.pid, tty.foreground.get()))
    }

    pub fn set_foreground_group(&mut self, pid: Pid, fd: Fd, group: Pid) -> Result<()> {
        let tty = self.tty(pid, fd)?;
        let process = self.process(pid)?;
        if tty.session.get() != process.session {
            return Err(Errno::ENOTTY);
        }
        let host = self.host_pid(process.ns.pid, group).unwrap_or(group);
        let session = process.session;
        if !self.processes.values().any(|p| p.group == host && p.session == session) {
            return Err(Errno::EPERM);
        }
        tty.foreground.set(host);
        Ok(())
    }

    pub fn set_process_group(&mut self, pid: Pid, target: Pid, group: Pid) -> Result<()> {
        let namespace = self.process(pid)?.ns.pid;
        let target = if target == 0 { pid } else { self.host_pid(namespace, target).ok_or(Errno::ESRCH)? };
        let group = if group == 0 { target } else { self.host_pid(namespace, group).unwrap_or(group) };
        let session = self.process(pid)?.session;
        let process = self.process(target)?;
        if target != pid && process.parent != pid {
            return Err(Errno::ESRCH);
        }
        if process.session != session || process.session == target {
            return if process.group == group { Ok(()) } else { Err(Errno::EPERM) };
        }
        let exists = group == target || self.processes.values().any(|p| p.group == group && p.session == session);
        if !exists {
            return Err(Errno::EPERM);
        }
        self.process_mut(target)?.group = group;
        Ok(())
    }

    pub fn new_session(&mut self, pid: Pid) -> Result<Pid> {
        let process = self.process_mut(pid)?;
        if process.group == pid {
            return Err(Errno::EPERM);
        }
        process.group = pid;
        process.session = pid;
        Ok(process.inner_pid())
    }

    /// User and system time of a process and of its waited-for children.
    pub fn times(&self, pid: Pid) -> ((Duration, Duration), (Duration, Duration)) {
        match self.process(pid) {
            Ok(p) => ((p.user_time, p.system_time), p.children_time),
            Err(_) => Default::default(),
        }
    }
}
