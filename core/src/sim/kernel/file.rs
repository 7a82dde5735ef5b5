//! Open files: the descriptions that descriptors point at, shared by `dup` and `fork`, and a process's table.
//!
//! Closing is dropping the last pointer to a description. That touches only the thing behind it, never the
//! kernel, so it may happen anywhere.

use super::net::socket::Socket;
use super::pipe::Pipe;
use super::tty::Tty;
use super::vfs::NodeRef;
use super::vfs::path::Place;
use cutaway_userland::Errno;
use cutaway_userland::os::{Fd, Result};
use std::cell::Cell;
use std::rc::Rc;

/// Devices that the kernel itself has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    Null,
    Zero,
    Full,
    Random,
}

/// What an open description is of.
pub(crate) enum Object {
    File(NodeRef),
    Directory,
    PipeReader(Rc<Pipe>),
    PipeWriter(Rc<Pipe>),
    Tty(Rc<Tty>),
    Master(Rc<Tty>),
    Device(Device),
    Socket(Rc<Socket>),
}

pub(crate) struct OpenFile {
    pub object: Object,
    pub read: bool,
    pub write: bool,
    pub append: bool,
    pub non_blocking: bool,
    pub offset: Cell<u64>,
    pub place: Option<Rc<Place>>,
    /// What /proc/PID/fd shows where there is no path: as `pipe:[17]`.
    pub label: String,
}

impl OpenFile {
    /// Counts the new end of what has ends.
    pub fn new(object: Object, read: bool, write: bool, place: Option<Rc<Place>>, label: String) -> OpenFile {
        match &object {
            Object::PipeReader(pipe) => pipe.add_reader(),
            Object::PipeWriter(pipe) => pipe.add_writer(),
            Object::Tty(tty) => tty.add_slave(),
            Object::Master(tty) => tty.add_master(),
            _ => {}
        }
        OpenFile { object, read, write, append: false, non_blocking: false, offset: Cell::new(0), place, label }
    }

    pub fn tty(&self) -> Option<&Rc<Tty>> {
        match &self.object {
            Object::Tty(tty) | Object::Master(tty) => Some(tty),
            _ => None,
        }
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        match &self.object {
            Object::PipeReader(pipe) => pipe.drop_reader(),
            Object::PipeWriter(pipe) => pipe.drop_writer(),
            Object::Tty(tty) => tty.drop_slave(),
            Object::Master(tty) => tty.drop_master(),
            _ => {}
        }
    }
}

/// A process's descriptors.
#[derive(Clone, Default)]
pub(crate) struct FdTable {
    slots: Vec<Option<(Rc<OpenFile>, bool)>>,
}

impl FdTable {
    pub fn get(&self, fd: Fd) -> Result<&Rc<OpenFile>> {
        let slot = usize::try_from(fd).ok().and_then(|fd| self.slots.get(fd));
        slot.and_then(Option::as_ref).map(|(file, _)| file).ok_or(Errno::EBADF)
    }

    /// Puts a description at the lowest free number from `least` on; `EMFILE` at `limit`.
    pub fn add(&mut self, file: Rc<OpenFile>, least: Fd, limit: u64, close_on_exec: bool) -> Result<Fd> {
        let least = usize::try_from(least).map_err(|_| Errno::EINVAL)?;
        if least as u64 >= limit {
            return Err(Errno::EINVAL);
        }
        let free =
            (least..self.slots.len()).find(|fd| self.slots[*fd].is_none()).unwrap_or(self.slots.len().max(least));
        if free as u64 >= limit {
            return Err(Errno::EMFILE);
        }
        self.set(free as Fd, file, close_on_exec);
        Ok(free as Fd)
    }

    /// Puts a description at a number; what was there is given back, to be dropped.
    pub fn set(&mut self, fd: Fd, file: Rc<OpenFile>, close_on_exec: bool) -> Option<Rc<OpenFile>> {
        let fd = fd as usize;
        if self.slots.len() <= fd {
            self.slots.resize(fd + 1, None);
        }
        self.slots[fd].replace((file, close_on_exec)).map(|(file, _)| file)
    }

    pub fn remove(&mut self, fd: Fd) -> Result<Rc<OpenFile>> {
        let slot = usize::try_from(fd).ok().and_then(|fd| self.slots.get_mut(fd));
        slot.and_then(Option::take).map(|(file, _)| file).ok_or(Errno::EBADF)
    }

    pub fn set_close_on_exec(&mut self, fd: Fd, close: bool) -> Result<()> {
        let slot = usize::try_from(fd).ok().and_then(|fd| self.slots.get_mut(fd));
        slot.and_then(Option::as_mut).ok_or(Errno::EBADF)?.1 = close;
        Ok(())
    }

    pub fn close_for_exec(&mut self) {
        for slot in &mut self.slots {
            if slot.as_ref().is_some_and(|(_, close)| *close) {
                *slot = None;
            }
        }
    }

    /// The open numbers and their descriptions.
    pub fn iter(&self) -> impl Iterator<Item = (Fd, &Rc<OpenFile>)> {
        self.slots.iter().enumerate().filter_map(|(fd, slot)| Some((fd as Fd, &slot.as_ref()?.0)))
    }
}
