//! Namespaces: what a process sees of process ids, mounts, names and messages. Those that hold state are
//! shared by pointer and go when the last process in them does.

use super::cgroup::CgroupId;
use super::net::NetNsId;
use super::state::Kernel;
use super::vfs::mount::MountTable;
use cutaway_userland::os::Pid;
use cutaway_userland::sorted::Map as BTreeMap;
use std::cell::RefCell;
use std::rc::Rc;

pub(crate) struct PidNamespace {
    pub parent: Option<u64>,
    /// Host id of its process 1, once there is one.
    pub init: Option<Pid>,
    pub next: Pid,
    /// Host ids by inner ids.
    pub map: BTreeMap<Pid, Pid>,
    /// Its process 1 has ended: nothing can start in it any more.
    pub dead: bool,
}

impl PidNamespace {
    pub fn new(parent: Option<u64>) -> PidNamespace {
        PidNamespace { parent, init: None, next: 1, map: BTreeMap::new(), dead: false }
    }

    /// The next free id.
    pub fn allocate(&mut self, host: Option<Pid>) -> Pid {
        const LARGEST: Pid = 4_194_304;
        loop {
            let id = self.next;
            self.next = if id + 1 >= LARGEST { 300 } else { id + 1 };
            if !self.map.contains_key(&id) {
                self.map.insert(id, host.unwrap_or(id));
                return id;
            }
        }
    }
}

/// Host name and domain name.
pub(crate) struct Uts {
    pub id: u64,
    pub hostname: String,
    pub domainname: String,
}

/// Settings of message queues and shared memory that were changed, by path below /proc/sys.
pub(crate) struct Ipc {
    pub id: u64,
    pub sysctls: BTreeMap<String, String>,
}

#[derive(Clone)]
pub(crate) struct Namespaces {
    pub pid: u64,
    pub mnt: Rc<RefCell<MountTable>>,
    pub mnt_id: u64,
    pub net: NetNsId,
    pub uts: Rc<RefCell<Uts>>,
    pub ipc: Rc<RefCell<Ipc>>,
    pub user: u64,
    pub cgroup: u64,
    /// What `/` is in /proc/PID/cgroup.
    pub cgroup_root: CgroupId,
}

impl Namespaces {
    /// The number of the namespace of a kind, by its name in /proc/PID/ns.
    pub fn number(&self, kind: &str) -> Option<u64> {
        Some(match kind {
            "pid" | "pid_for_children" => self.pid,
            "mnt" => self.mnt_id,
            "net" => *self.net.0,
            "uts" => self.uts.borrow().id,
            "ipc" => self.ipc.borrow().id,
            "user" => self.user,
            "cgroup" => self.cgroup,
            _ => return None,
        })
    }
}

impl Kernel {
    /// Whether pid namespace `inner` is `outer` or below it.
    pub fn is_within(&self, inner: u64, outer: u64) -> bool {
        let mut at = Some(inner);
        while let Some(id) = at {
            if id == outer {
                return true;
            }
            at = self.pid_namespaces.get(&id).and_then(|ns| ns.parent);
        }
        false
    }

    /// The id that a process (by host id) has in a pid namespace; 0 where it is not seen there.
    pub fn inner_pid(&self, namespace: u64, host: Pid) -> Pid {
        let Some(process) = self.processes.get(&host) else { return 0 };
        process.ids.iter().find(|(ns, _)| *ns == namespace).map_or(0, |(_, pid)| *pid)
    }

    /// The host id of a process by its id in a pid namespace.
    pub fn host_pid(&self, namespace: u64, inner: Pid) -> Option<Pid> {
        self.pid_namespaces.get(&namespace)?.map.get(&inner).copied()
    }

    /// As [`Kernel::inner_pid`], for groups and sessions whose leader may have ended.
    pub fn inner_group(&self, namespace: u64, host: Pid) -> Pid {
        match self.inner_pid(namespace, host) {
            0 => {
                let Some(ns) = self.pid_namespaces.get(&namespace) else { return 0 };
                if ns.parent.is_none() { host } else { 0 }
            }
            pid => pid,
        }
    }
}
