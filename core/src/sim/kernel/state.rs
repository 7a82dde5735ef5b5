//! Everything that the kernel knows: one value, borrowed for the length of one system call.

use super::cgroup::Cgroups;
use super::executor::TaskId;
use super::machine::{MachineConfig, Runner};
use super::namespace::PidNamespace;
use super::net::{Net, NetNsId};
use super::process::Process;
use super::tty::Tty;
use super::vfs::FsHead;
use cutaway_userland::Errno;
use cutaway_userland::os::{Pid, Result};
use cutaway_userland::sorted::Map as BTreeMap;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

pub(crate) struct Kernel {
    pub config: MachineConfig,
    pub clock: Rc<Cell<Duration>>,
    pub processes: BTreeMap<Pid, Process>,
    pub pid_namespaces: BTreeMap<u64, PidNamespace>,
    /// Controlling terminals, by the session's host id.
    pub terminals: BTreeMap<Pid, Rc<Tty>>,
    /// What `/dev/console` of the host is.
    pub console: Option<Rc<Tty>>,
    pub cgroups: Cgroups,
    /// The networks of the site: here while this kernel is at work, see `Machine::kernel`.
    pub net: Net,
    /// The machine's own network namespace.
    pub home: NetNsId,
    pub programs: BTreeMap<String, Runner>,
    /// Settings of the whole machine that were changed, by path below /proc/sys.
    pub sysctls: BTreeMap<String, String>,
    /// The process whose call is being served: what /proc/self is.
    pub current: Pid,
    /// Tasks of processes that ended, to be dropped when the kernel is at rest.
    pub buried: Vec<TaskId>,
    /// Tasks that may run again.
    pub resumed: Vec<TaskId>,
    /// Work that the running task has done in this turn.
    pub slice: u64,
    /// Processors that compute at once.
    pub busy: u32,
    /// Processes started since the machine was, for /proc/stat and /proc/loadavg.
    pub forks: u64,
    next_dev: u64,
    next_mount: u32,
    /// Shared by the machines of a site, so that no two namespaces have the same number.
    next_namespace: Rc<Cell<u64>>,
    next_label: u64,
    random: u64,
}

/// How much work a task may do in one turn, in units of `Cost::cpu`.
pub(crate) const QUANTUM: u64 = 2_000;

impl Kernel {
    pub fn new(config: MachineConfig, clock: Rc<Cell<Duration>>, home: NetNsId, namespaces: Rc<Cell<u64>>) -> Kernel {
        let random = config.seed ^ 0x9e37_79b9_7f4a_7c15;
        let mut cgroups = Cgroups::new();
        cgroups.set_machine_memory(config.memory);
        Kernel {
            config,
            clock,
            processes: BTreeMap::new(),
            pid_namespaces: BTreeMap::new(),
            terminals: BTreeMap::new(),
            console: None,
            cgroups,
            net: Net::default(),
            home,
            programs: BTreeMap::new(),
            sysctls: BTreeMap::new(),
            current: 1,
            buried: Vec::new(),
            resumed: Vec::new(),
            slice: 0,
            busy: 1,
            forks: 0,
            next_dev: 20,
            next_mount: 20,
            next_namespace: namespaces,
            next_label: 10_000,
            random,
        }
    }

    /// Time since the epoch.
    pub fn now(&self) -> Duration {
        self.clock.get()
    }

    pub fn uptime(&self) -> Duration {
        self.now().saturating_sub(self.config.epoch)
    }

    /// Computing takes time: less, where several processors compute at once.
    pub fn pass(&self, time: Duration) {
        self.clock.set(self.clock.get() + time / self.busy);
    }

    pub fn process(&self, pid: Pid) -> Result<&Process> {
        self.processes.get(&pid).ok_or(Errno::ESRCH)
    }

    pub fn process_mut(&mut self, pid: Pid) -> Result<&mut Process> {
        self.processes.get_mut(&pid).ok_or(Errno::ESRCH)
    }

    pub fn new_fs(&mut self, kind: &str, limit: Option<u64>) -> Rc<FsHead> {
        self.next_dev += 1;
        FsHead::new(self.next_dev, kind, limit)
    }

    pub fn new_mount_id(&mut self) -> u32 {
        self.next_mount += 1;
        self.next_mount
    }

    /// The number of a new namespace, as its inode is numbered on Linux.
    pub fn new_namespace_id(&mut self) -> u64 {
        self.next_namespace.set(self.next_namespace.get() + 1);
        self.next_namespace.get()
    }

    /// As `pipe:[10001]`.
    pub fn label(&mut self, kind: &str) -> String {
        self.next_label += 1;
        format!("{kind}:[{}]", self.next_label)
    }

    /// The next number of the seeded sequence (splitmix64).
    pub fn random_u64(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn random_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.random_u64().to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
    }

    /// Fails where the process's filter refuses this system call.
    pub fn filter(&self, pid: Pid, call: &str) -> Result<()> {
        match &self.process(pid)?.refused {
            Some(refused) => refused.get(call).map_or(Ok(()), |errno| Err(*errno)),
            None => Ok(()),
        }
    }
}
