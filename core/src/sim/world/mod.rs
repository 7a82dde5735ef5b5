//! The world as the simulated machine: what the engine asks for is really done, in a kernel with semantics.
//!
//! Layers and writable layers are trees of the kernel, containers are its processes, networks its bridges
//! and cables. What Docker's engine keeps on its disk is kept in the host's files at the same places
//! (`/var/lib/docker/volumes`, `/var/lib/docker/containers`), so that a learner can go and look.

mod content;
mod network;
pub(super) mod notify;
mod process;
mod queries;
mod records;
mod setup;
mod shim;
mod snapshots;
#[cfg(test)]
mod tests;

pub use records::Memory;
pub(crate) use shim::Shim;

use crate::name::{ChainId, Digest};
use crate::sim::annex::{Annex, Place};
use crate::sim::hub::Hub;
use crate::sim::kernel::{CapSet, CgroupId, Machine, MachineConfig, Overlay, Tree};
use crate::sim::programs;
use crate::world::Fault;
use crate::world::acts::{Capabilities, SnapshotKey};
use cutaway_userland::Errno;
use cutaway_userland::os::Pid;
use cutaway_userland::sorted::Map as BTreeMap;
use notify::Notify;
use std::cell::RefCell;
use std::rc::Rc;

/// Where the engine keeps its files on the simulated host.
pub const ROOT: &str = "/var/lib/docker";

/// The simulated machine as the engine sees it. Clones are handles on the same one.
#[derive(Clone)]
pub struct SimWorld(Rc<Inner>);

struct Inner {
    machine: Machine,
    annex: Rc<Place>,
    config: MachineConfig,
    /// The same for all hosts.
    hub: Rc<Hub>,
    /// Told after every change of a record.
    changed: Notify,
    kept: RefCell<Kept>,
    records: RefCell<Memory>,
}

/// What the world holds on the engine's behalf.
#[derive(Default)]
struct Kept {
    blobs: BTreeMap<Digest, Rc<[u8]>>,
    layers: BTreeMap<ChainId, Tree>,
    snapshots: BTreeMap<SnapshotKey, Snapshot>,
    cgroups: BTreeMap<String, CgroupId>,
    /// By container, and by exec.
    shims: BTreeMap<String, Rc<Shim>>,
    logs: BTreeMap<String, Rc<shim::Log>>,
}

struct Snapshot {
    layers: Vec<ChainId>,
    overlay: Overlay,
}

impl SimWorld {
    /// A machine of this make, with the programs of the userland and of the hub known to it.
    pub fn new(config: MachineConfig) -> SimWorld {
        let world = SimWorld::without_annex(config);
        world.annex().bring(Annex::whole());
        world
    }

    /// As [`SimWorld::new`], without what the annex holds.
    pub fn without_annex(config: MachineConfig) -> SimWorld {
        SimWorld::on(Machine::new(config.clone()), config, Rc::default(), Rc::default())
    }

    /// Another machine at the same site, with an engine of its own, and the same hub and annex.
    pub fn beside(&self, config: MachineConfig) -> SimWorld {
        SimWorld::on(self.machine().beside(config.clone()), config, self.0.hub.clone(), self.0.annex.clone())
    }

    fn on(machine: Machine, config: MachineConfig, hub: Rc<Hub>, annex: Rc<Place>) -> SimWorld {
        programs::install(&machine, &annex);
        SimWorld(Rc::new(Inner {
            machine,
            annex,
            config,
            hub,
            changed: Notify::default(),
            kept: RefCell::default(),
            records: RefCell::default(),
        }))
    }

    pub fn machine(&self) -> &Machine {
        &self.0.machine
    }

    /// What the machine is made of.
    pub fn config(&self) -> &MachineConfig {
        &self.0.config
    }

    pub(crate) fn annex(&self) -> &Rc<Place> {
        &self.0.annex
    }

    /// The registry that stands for Docker Hub.
    pub fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// All records as they are now: cheap, and unchanged by what comes later.
    pub fn memory(&self) -> Memory {
        self.0.records.borrow().clone()
    }

    /// The files that an unpacked layer has; `None` where it is not unpacked.
    pub(crate) fn layer(&self, chain: &ChainId) -> Option<Tree> {
        self.0.kept.borrow().layers.get(chain).cloned()
    }

    /// The union that a writable snapshot is seen through.
    pub(crate) fn overlay(&self, key: &SnapshotKey) -> Result<Overlay, Fault> {
        let kept = self.0.kept.borrow();
        match kept.snapshots.get(key) {
            Some(snapshot) => Ok(snapshot.overlay.clone()),
            None => Err(Fault::errno(Errno::ENOENT, format!("open snapshot {key}"))),
        }
    }

    fn shim(&self, id: &str) -> Option<Rc<Shim>> {
        self.0.kept.borrow().shims.get(id).cloned()
    }

    /// The first process of a container, alive or held.
    fn init(&self, container: &str) -> Result<Pid, Fault> {
        let shim = self.shim(container).filter(|s| s.is_alive());
        shim.map(|s| s.pid()).ok_or_else(|| Fault::errno(Errno::ESRCH, format!("find container {container}")))
    }

    fn log_of(&self, container: &str) -> Rc<shim::Log> {
        self.0.kept.borrow_mut().logs.entry(container.to_string()).or_default().clone()
    }

    /// The folder of a container's generated files on the host.
    fn folder(container: &str) -> String {
        format!("{ROOT}/containers/{container}")
    }
}

/// Names what a failed system call was for.
trait During<T> {
    fn during(self, what: impl Into<String>) -> Result<T, Fault>;
}

impl<T> During<T> for Result<T, Errno> {
    fn during(self, what: impl Into<String>) -> Result<T, Fault> {
        self.map_err(|errno| Fault::errno(errno, what))
    }
}

/// Replaces a process's capability sets; `None` gives it all.
fn set_capabilities(machine: &Machine, pid: Pid, sets: Option<&Capabilities>) -> Result<(), Errno> {
    let mut now = machine.credentials(pid)?;
    match sets {
        Some(sets) => {
            now.bounding = CapSet::of(&sets.bounding);
            now.effective = CapSet::of(&sets.effective);
            now.permitted = CapSet::of(&sets.permitted);
            now.inheritable = CapSet::of(&sets.inheritable);
            now.ambient = CapSet::of(&sets.ambient);
        }
        None => (now.bounding, now.effective, now.permitted) = (CapSet::ALL, CapSet::ALL, CapSet::ALL),
    }
    machine.set_credentials(pid, now)
}

/// Makes a process another user's. Who is not root keeps only ambient capabilities, as `execve` would leave it.
fn set_user(machine: &Machine, pid: Pid, uid: u32, gid: u32, groups: &[u32]) -> Result<(), Errno> {
    let mut now = machine.credentials(pid)?;
    (now.uid, now.euid, now.suid) = (uid, uid, uid);
    (now.gid, now.egid, now.sgid) = (gid, gid, gid);
    now.groups = groups.to_vec();
    if uid != 0 {
        (now.effective, now.permitted) = (now.ambient, now.ambient);
    }
    machine.set_credentials(pid, now)
}
