//! The simulated Linux machine: processes, file systems, terminals, control groups and networks with the
//! semantics of the real kernel, deterministic and single-threaded.
//!
//! [`Machine`] is the handle that the simulated world holds; [`SimOs`] is one process's view of the same
//! kernel and implements the userland's [`Os`](cutaway_userland::os::Os). Everything that runs is a future
//! on one queue. The driver (the page, a script, a test) calls [`Machine::run`] and, when nothing is ready,
//! moves the clock to [`Machine::next_timer`] by [`Machine::advance_to`].
//!
//! A container is made in this order: [`Machine::spawn`] a *held* process in new namespaces, configure it
//! through its [`SimOs`] and the functions of [`Machine`] (mounts, names, limits, identity), then
//! [`Machine::exec`] its program.

mod calls;
mod cgroup;
mod cred;
mod devices;
mod devpts;
mod exec;
mod executor;
mod file;
pub mod machine;
mod namespace;
mod net;
mod os;
mod overlay;
mod pipe;
mod proc;
mod process;
mod signal;
mod state;
mod sysfs;
#[cfg(test)]
mod tests;
mod transfer;
mod tree;
mod tty;
mod vfs;

pub use cgroup::{CgroupId, CgroupUsage};
pub use cred::{CapSet, Credentials};
pub use machine::{
    Activity, ExitInfo, ExitWatch, Machine, MachineConfig, NamespaceChoice, ProcessInfo, PtyMaster, Runner, Spawn,
    StdStream,
};
pub use net::{DnatRule, Exit, NetNsId, Resolver};
pub use os::SimOs;
pub use overlay::Overlay;
pub use tree::{Tree, TreeEntry, TreeKind};
