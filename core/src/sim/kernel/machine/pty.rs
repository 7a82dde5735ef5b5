//! Terminal windows: the master side of a pseudo-terminal, held by the world.

use super::Machine;
use crate::sim::kernel::devpts;
use crate::sim::kernel::tty::Tty;
use cutaway_userland::Errno;
use cutaway_userland::os::{Pid, Result, WindowSize};
use std::future::poll_fn;
use std::rc::Rc;

/// The master side of a pseudo-terminal: a terminal window. The terminal hangs up when the last clone is dropped.
#[derive(Clone)]
pub struct PtyMaster(Rc<Master>);

struct Master {
    tty: Rc<Tty>,
    machine: Machine,
}

impl Drop for Master {
    fn drop(&mut self) {
        self.tty.drop_master();
        if self.tty.hung_up.get() {
            self.machine.hang_up(&self.tty);
        }
    }
}

impl PtyMaster {
    pub(super) fn new(machine: &Machine, size: WindowSize) -> PtyMaster {
        let tty = Rc::new(Tty::new(size));
        tty.add_master();
        PtyMaster(Rc::new(Master { tty, machine: machine.clone() }))
    }

    pub(crate) fn tty(&self) -> &Rc<Tty> {
        &self.0.tty
    }

    /// What was printed; waits for the first byte. Empty when every process has closed the terminal.
    pub async fn read(&self, max: usize) -> Vec<u8> {
        poll_fn(|cx| self.0.tty.master_read(max, cx.waker())).await
    }

    /// What was printed and not read yet, without waiting.
    pub fn take_output(&self) -> Vec<u8> {
        self.0.tty.take_output(usize::MAX)
    }

    /// Types: goes through the line discipline (echo, erase, `^C`).
    pub fn write(&self, bytes: &[u8]) {
        self.0.machine.kernel(|k| k.type_in(&self.0.tty, bytes));
    }

    pub fn resize(&self, size: WindowSize) {
        self.0.machine.kernel(|k| k.resize_tty(&self.0.tty, size));
    }

    /// Names it `/dev/pts/N` in the devpts that is mounted at `path` in the process's namespace.
    pub fn register(&self, pid: Pid, path: &str) -> Result<u32> {
        self.0.machine.kernel(|k| {
            let place = k.resolve(pid, path)?;
            let devpts = devpts::instance(&place.node).ok_or(Errno::ENODEV)?;
            Ok(devpts.add(&self.0.tty))
        })
    }
}
