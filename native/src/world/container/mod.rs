//! Containers on Linux: starting their first process, setting it up, joining it, and its end.

pub mod identity;
pub mod init;
pub mod join;
pub mod log;
pub mod mounts;
pub mod setup;
pub mod start;
pub mod state;
pub mod streams;
pub mod wire;

use super::LinuxWorld;
use super::network::netlink::Netlink;
use super::network::publish;
use crate::sys::{self, OrFault};
use cutaway_core::world::acts::{DeliverSignal, ReleaseContainer};
use cutaway_core::world::{Exit, Fault, Performs};
use nix::errno::Errno;
use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;
use streams::Hub;
use tokio::io::Interest;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long after its end the output of a process is waited for: others may still hold its pipes.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

/// A first process, or an exec, whose parent is this process.
pub struct Running {
    pub pid: i32,
    pub pidfd: OwnedFd,
    pub hub: Rc<Hub>,
    /// The socket to the first process, until it has become the program.
    pub channel: RefCell<Option<wire::Channel>>,
    /// Operations sent over it whose answers have not been heard yet.
    pub unanswered: Cell<usize>,
    pub links: RefCell<Option<Netlink>>,
    /// Whether it is to get a cgroup namespace of its own.
    pub own_cgroup_namespace: bool,
    exit: watch::Sender<Option<Exit>>,
    tasks: RefCell<Vec<JoinHandle<()>>>,
}

impl Running {
    pub fn new(pid: i32, hub: Rc<Hub>, own_cgroup_namespace: bool) -> nix::Result<Running> {
        Ok(Running {
            pid,
            pidfd: sys::pidfd_open(pid)?,
            hub,
            channel: RefCell::new(None),
            unanswered: Cell::new(0),
            links: RefCell::new(None),
            own_cgroup_namespace,
            exit: watch::channel(None).0,
            tasks: RefCell::new(Vec::new()),
        })
    }

    /// A task that ends with the container.
    pub fn keep_task(&self, task: JoinHandle<()>) {
        self.tasks.borrow_mut().push(task);
    }

    pub fn ended(&self) -> bool {
        self.exit.borrow().is_some()
    }

    pub async fn wait(&self) -> Exit {
        let mut exit = self.exit.subscribe();
        loop {
            if let Some(exit) = exit.borrow_and_update().clone() {
                return exit;
            }
            if exit.changed().await.is_err() {
                return Exit { code: 255, oom_killed: false, at: super::clock::now() };
            }
        }
    }

    /// Waits for the end of the process, then of its output; `oom` asks whether memory ended it.
    pub async fn watch_over(self: Rc<Running>, oom: impl FnOnce() -> bool, then: impl FnOnce(&Exit)) {
        let Ok(copy) = self.pidfd.try_clone() else { return };
        if let Some(pidfd) = sys::waitable(copy, Interest::READABLE) {
            let _ = pidfd.readable().await;
        }
        let mut status = 0;
        // SAFETY: `status` lives through the call.
        while unsafe { libc::waitpid(self.pid, &mut status, libc::__WALL) } < 0 {
            if Errno::last() != Errno::EINTR {
                break;
            }
        }
        let exit = state::exit_of(status, oom());
        let _ = tokio::time::timeout(LAST_OUTPUT, self.hub.drained()).await;
        self.hub.end();
        then(&exit);
        self.exit.send_replace(Some(exit));
    }
}

impl LinuxWorld {
    /// The first process of a container that is alive, whoever supervises it.
    pub(crate) fn live_pid(&self, id: &str) -> Option<i32> {
        if let Some(running) = self.running.borrow().get(id) {
            return (!running.ended()).then_some(running.pid);
        }
        let state = state::read(&self.runtime, id)?;
        state.alive().then_some(state.pid)
    }

    pub(crate) fn pid_of(&self, id: &str) -> Result<i32, Fault> {
        self.live_pid(id).ok_or_else(|| sys::fault(Errno::ESRCH, format!("container {id:.12}")))
    }

    pub(crate) fn local(&self, id: &str) -> Result<Rc<Running>, Fault> {
        let found = self.running.borrow().get(id).cloned();
        found.ok_or_else(|| sys::fault(Errno::ESRCH, format!("container {id:.12}")))
    }

    /// How a container's first process ended, once it has.
    pub(crate) async fn exit_of(&self, id: String) -> Result<Exit, Fault> {
        let local = self.running.borrow().get(&id).cloned();
        if let Some(running) = local {
            return Ok(running.wait().await);
        }
        if let Some(state) = state::read(&self.runtime, &id)
            && state.alive()
            && let Ok(pidfd) = sys::pidfd_open(state.pid)
            && let Some(pidfd) = sys::waitable(pidfd, Interest::READABLE)
        {
            let _ = pidfd.readable().await;
        }
        // The supervisor writes it down after the last output; one that was killed never does.
        for _ in 0..200 {
            if let Some(exit) = state::read_exit(&self.runtime, &id) {
                return Ok(exit);
            }
            let supervised = state::read(&self.runtime, &id).is_some_and(|s| state::start_of(s.supervisor).is_some());
            if !supervised {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(Exit { code: 137, oom_killed: false, at: super::clock::now() })
    }
}

impl Performs<DeliverSignal> for LinuxWorld {
    async fn perform(&self, act: DeliverSignal) -> Result<(), Fault> {
        let what = format!("signal container {:.12}", act.container);
        let signal = i32::from(act.signal.0);
        let local = self.running.borrow().get(&act.container).cloned();
        if let Some(running) = local {
            return sys::pidfd_send_signal(&running.pidfd, signal).or_fault(what);
        }
        let pidfd = sys::pidfd_open(self.pid_of(&act.container)?).or_fault(what.clone())?;
        // Between reading the state and opening it the process may have ended: look again.
        self.pid_of(&act.container)?;
        sys::pidfd_send_signal(pidfd, signal).or_fault(what)
    }
}

impl Performs<ReleaseContainer> for LinuxWorld {
    async fn perform(&self, act: ReleaseContainer) -> Result<(), Fault> {
        let id = act.container;
        let local = self.running.borrow_mut().remove(&id);
        match local {
            Some(running) => {
                if !running.ended() {
                    let _ = sys::pidfd_send_signal(&running.pidfd, libc::SIGKILL);
                    *running.channel.borrow_mut() = None;
                    running.wait().await;
                }
                for task in running.tasks.borrow_mut().drain(..) {
                    task.abort();
                }
            }
            None => {
                if let Some(pid) = self.live_pid(&id)
                    && let Ok(pidfd) = sys::pidfd_open(pid)
                {
                    let _ = sys::pidfd_send_signal(&pidfd, libc::SIGKILL);
                    let _ = self.exit_of(id.clone()).await;
                }
            }
        }
        let mut ports = self.ports.borrow_mut();
        ports.retain(|(container, ..), task| {
            let keep = *container != id;
            if !keep {
                task.abort();
            }
            keep
        });
        drop(ports);
        self.led.borrow_mut().remove(&id);
        publish::withdraw(self, &id);
        // Processes that left the first one's namespace are still in its group.
        if self.cgroups.remove(&id).is_ok() {
            state::forget(&self.runtime, &id);
        }
        Ok(())
    }
}
