//! Reading, writing and waiting for either: one attempt each, which says `Pending` where it would block.

use crate::sim::kernel::file::{Device, Object, OpenFile};
use crate::sim::kernel::state::Kernel;
use crate::sim::kernel::tty::Tty;
use crate::sim::kernel::vfs::NodeRef;
use cutaway_userland::Errno;
use cutaway_userland::os::{Disposition, Fd, Limit, Pid, PollFd, Result, Signal};
use std::rc::Rc;
use std::task::{Poll, Waker};

/// What one read gives at most, whatever is asked for.
const LARGEST_READ: usize = 1 << 20;

impl Kernel {
    pub fn read(&mut self, pid: Pid, fd: Fd, max: usize, waker: &Waker) -> Poll<Result<Vec<u8>>> {
        let file = match self.fds(pid).and_then(|fds| fds.get(fd)) {
            Ok(file) if file.read => file.clone(),
            _ => return Poll::Ready(Err(Errno::EBADF)),
        };
        let max = max.min(LARGEST_READ);
        let bytes = match &file.object {
            Object::File(node) => return Poll::Ready(self.read_node(pid, node, &file, max)),
            Object::Directory => return Poll::Ready(Err(Errno::EISDIR)),
            Object::Device(device) => return Poll::Ready(Ok(self.read_device(*device, max))),
            Object::PipeReader(pipe) => pipe.read(max, waker),
            Object::PipeWriter(_) => return Poll::Ready(Err(Errno::EBADF)),
            Object::Tty(tty) => {
                if let Err(errno) = self.may_read_tty(pid, tty) {
                    return if errno == Errno::EINTR { Poll::Pending } else { Poll::Ready(Err(errno)) };
                }
                tty.read(max, waker)
            }
            Object::Master(tty) => tty.master_read(max, waker),
            Object::Socket(socket) => match self.receive(socket, max, waker) {
                Poll::Ready(Ok(bytes)) => Poll::Ready(bytes),
                Poll::Ready(Err(errno)) => return Poll::Ready(Err(errno)),
                Poll::Pending => Poll::Pending,
            },
        };
        match bytes {
            Poll::Ready(bytes) => Poll::Ready(Ok(bytes)),
            Poll::Pending if file.non_blocking => Poll::Ready(Err(Errno::EAGAIN)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn read_node(&mut self, pid: Pid, node: &NodeRef, file: &OpenFile, max: usize) -> Result<Vec<u8>> {
        let offset = file.offset.get();
        let bytes = node.read(self, offset, max)?;
        file.offset.set(offset + bytes.len() as u64);
        self.count_io(pid, node, bytes.len() as u64, 0);
        Ok(bytes)
    }

    /// Counts what goes to and from a disk.
    fn count_io(&mut self, pid: Pid, node: &NodeRef, read: u64, written: u64) {
        if matches!(node.fs().kind.as_str(), "ext4" | "overlay")
            && let Some(process) = self.processes.get(&pid)
        {
            self.cgroups.add_io(process.cgroup, read, written);
        }
    }

    fn read_device(&mut self, device: Device, max: usize) -> Vec<u8> {
        match device {
            Device::Null => Vec::new(),
            Device::Zero | Device::Full => vec![0; max],
            Device::Random => {
                let mut bytes = vec![0; max];
                self.random_bytes(&mut bytes);
                bytes
            }
        }
    }

    /// A process in the background that reads its terminal is stopped; `EINTR` here means that it was.
    fn may_read_tty(&mut self, pid: Pid, tty: &Tty) -> Result<()> {
        let process = self.process(pid)?;
        let foreground = tty.foreground.get();
        if tty.session.get() != process.session || foreground == 0 || process.group == foreground {
            return Ok(());
        }
        if process.dispositions.get(&Signal::TTIN) == Some(&Disposition::Ignore) {
            return Err(Errno::EIO);
        }
        let group = process.group;
        self.signal_group(group, Signal::TTIN);
        // Woken when it is continued: then it reads again.
        let stopped = self.process(pid).is_ok_and(|p| p.state != super::super::process::State::Running);
        if stopped {
            return Err(Errno::EINTR);
        }
        Err(Errno::EIO)
    }

    pub fn write(&mut self, pid: Pid, fd: Fd, bytes: &[u8], waker: &Waker) -> Poll<Result<usize>> {
        let file = match self.fds(pid).and_then(|fds| fds.get(fd)) {
            Ok(file) if file.write => file.clone(),
            _ => return Poll::Ready(Err(Errno::EBADF)),
        };
        let result = match &file.object {
            Object::File(node) => Poll::Ready(self.write_node(pid, node, &file, bytes)),
            Object::Directory | Object::PipeReader(_) => Poll::Ready(Err(Errno::EBADF)),
            Object::Device(Device::Full) => Poll::Ready(Err(Errno::ENOSPC)),
            Object::Device(_) => Poll::Ready(Ok(bytes.len())),
            Object::PipeWriter(pipe) => pipe.write(bytes, waker),
            Object::Tty(tty) => tty.write(bytes, waker),
            Object::Master(tty) => {
                let tty: Rc<Tty> = tty.clone();
                self.type_in(&tty, bytes);
                Poll::Ready(Ok(bytes.len()))
            }
            Object::Socket(socket) => self.send(pid, socket, bytes, waker),
        };
        match result {
            Poll::Ready(Err(Errno::EPIPE)) => {
                self.deliver(pid, Signal::PIPE, false);
                Poll::Ready(Err(Errno::EPIPE))
            }
            Poll::Pending if file.non_blocking => Poll::Ready(Err(Errno::EAGAIN)),
            other => other,
        }
    }

    fn write_node(&mut self, pid: Pid, node: &NodeRef, file: &OpenFile, bytes: &[u8]) -> Result<usize> {
        let offset = if file.append { node.attr(self).size } else { file.offset.get() };
        let mut bytes = bytes;
        if let Some(limit) = self.process(pid)?.limit(Limit::FileSize).soft {
            let room = limit.saturating_sub(offset) as usize;
            if room == 0 && !bytes.is_empty() {
                self.deliver(pid, Signal::XFSZ, false);
                return Err(Errno::EFBIG);
            }
            bytes = &bytes[..bytes.len().min(room)];
        }
        let count = node.clone().write(self, offset, bytes)?;
        file.offset.set(offset + count as u64);
        self.count_io(pid, node, 0, count as u64);
        Ok(count)
    }

    /// One look at several descriptors; `None` where none is ready, and the waker is registered with all.
    pub fn poll(&mut self, pid: Pid, fds: &[PollFd], waker: &Waker) -> Result<Option<Vec<PollFd>>> {
        let mut answers = Vec::with_capacity(fds.len());
        let mut any = false;
        for asked in fds {
            let mut answer = PollFd { fd: asked.fd, ..PollFd::default() };
            match self.fds(pid)?.get(asked.fd) {
                Err(_) => answer.hangup = true,
                Ok(file) => {
                    let (read, write, hangup) = ready(file, waker);
                    answer.read = asked.read && read;
                    answer.write = asked.write && write;
                    answer.hangup = hangup;
                }
            }
            any |= answer.read || answer.write || answer.hangup;
            answers.push(answer);
        }
        Ok(any.then_some(answers))
    }
}

/// Whether reading and writing would not block, and whether the other side is gone.
fn ready(file: &OpenFile, waker: &Waker) -> (bool, bool, bool) {
    match &file.object {
        Object::File(_) | Object::Directory | Object::Device(_) => (true, true, false),
        Object::PipeReader(pipe) => {
            pipe.changed.add(waker);
            let ended = pipe.writers.get() == 0;
            (pipe.readable() || ended, false, ended)
        }
        Object::PipeWriter(pipe) => {
            pipe.changed.add(waker);
            (false, pipe.writable(), pipe.readers.get() == 0)
        }
        Object::Tty(tty) => {
            tty.changed.add(waker);
            (tty.readable(), tty.writable(), tty.hung_up.get())
        }
        Object::Master(tty) => {
            tty.changed.add(waker);
            (tty.master_readable(), true, false)
        }
        Object::Socket(socket) => socket.ready(waker),
    }
}
