//! Device files: what opening one gives, by its numbers. Source: the kernel's `devices.txt`.

use super::file::{Device, Object, OpenFile};
use super::state::Kernel;
use super::tty::Tty;
use super::vfs::path::Place;
use cutaway_userland::Errno;
use cutaway_userland::os::{FileKind, Pid, Result, WindowSize};
use std::rc::Rc;

/// The device files that every `/dev` has: name, mode, numbers.
pub(crate) const STANDARD: [(&str, u32, (u32, u32)); 7] = [
    ("null", 0o666, (1, 3)),
    ("zero", 0o666, (1, 5)),
    ("full", 0o666, (1, 7)),
    ("random", 0o666, (1, 8)),
    ("urandom", 0o666, (1, 9)),
    ("tty", 0o666, (5, 0)),
    ("console", 0o600, (5, 1)),
];

impl Kernel {
    /// What an open device file is.
    pub fn open_device(&mut self, pid: Pid, place: &Rc<Place>, write: bool, read: bool) -> Result<Object> {
        let attr = place.node.attr(self);
        let process = self.process(pid)?;
        let group = process.cgroup;
        let no_dev = process.ns.mnt.borrow().get(place.mount).is_some_and(|m| m.flags.no_dev);
        if no_dev {
            return Err(Errno::EACCES);
        }
        for (wanted, letter) in [(read, 'r'), (write, 'w')] {
            if wanted && !self.cgroups.device_allowed(group, attr.kind, attr.rdev, letter) {
                return Err(Errno::EPERM);
            }
        }
        if attr.kind == FileKind::BlockDevice {
            return Err(Errno::ENXIO);
        }
        if let Some(tty) = place.node.terminal(self) {
            return Ok(Object::Tty(tty));
        }
        match attr.rdev {
            (1, 3) => Ok(Object::Device(Device::Null)),
            (1, 5) => Ok(Object::Device(Device::Zero)),
            (1, 7) => Ok(Object::Device(Device::Full)),
            (1, 8 | 9) => Ok(Object::Device(Device::Random)),
            (5, 0) => {
                let session = self.process(pid)?.session;
                self.terminals.get(&session).cloned().map(Object::Tty).ok_or(Errno::ENXIO)
            }
            (5, 1) => self.console.clone().map(Object::Tty).ok_or(Errno::ENXIO),
            (5, 2) => self.open_ptmx(pid, place),
            _ => Err(Errno::ENXIO),
        }
    }

    /// A new terminal in the devpts that belongs to this `ptmx`.
    fn open_ptmx(&mut self, pid: Pid, place: &Rc<Place>) -> Result<Object> {
        let tty = Rc::new(Tty::new(WindowSize { rows: 24, columns: 80 }));
        let devpts = match super::devpts::instance(&place.node) {
            Some(devpts) => devpts,
            None => {
                let pts = self.resolve(pid, "/dev/pts")?;
                super::devpts::instance(&pts.node).ok_or(Errno::ENODEV)?
            }
        };
        devpts.add(&tty);
        Ok(Object::Master(tty))
    }

    /// The first terminal that a session leader without one opens becomes its controlling terminal.
    pub fn adopt_terminal(&mut self, pid: Pid, file: &OpenFile) {
        let Object::Tty(tty) = &file.object else { return };
        let Ok(process) = self.process(pid) else { return };
        let (session, group) = (process.session, process.group);
        if session == pid && tty.session.get() == 0 && !self.terminals.contains_key(&session) {
            tty.session.set(session);
            tty.foreground.set(group);
            self.terminals.insert(session, tty.clone());
        }
    }
}

/// What /proc/PID/fd shows of a terminal.
pub(crate) fn tty_label(tty: &Tty) -> String {
    match tty.index.get() {
        Some(index) => format!("/dev/pts/{index}"),
        None => "/dev/console".into(),
    }
}
