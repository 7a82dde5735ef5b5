//! The handle on the whole machine: what drives it, and what the simulated world does on it from outside.

use crate::sim::kernel::cgroup::{CgroupId, CgroupUsage};
use crate::sim::kernel::cred::{CapSet, Credentials};
use crate::sim::kernel::net::{DnatRule, NetNsId, Resolver};
use crate::sim::kernel::os::SimOs;
use crate::sim::kernel::overlay::Overlay;
use crate::sim::kernel::tree::{Tree, TreeEntry};
use crate::world::LocalFut;
use crate::world::acts::{CgroupLimit, Protocol};
use cutaway_userland::Errno;
use cutaway_userland::os::{Fd, Interface, Limit, LimitPair, MountFlags, Pid, Result, Signal, Status, WindowSize};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

/// What the machine is made of.
#[derive(Clone, Debug)]
pub struct MachineConfig {
    /// Where the clock starts, since the epoch.
    pub epoch: Duration,
    pub hostname: String,
    pub memory: u64,
    pub cpus: u32,
    /// What `random` follows from.
    pub seed: u64,
    /// As `uname -r`.
    pub release: String,
    pub version: String,
    pub architecture: String,
}

impl Default for MachineConfig {
    /// 2026-01-01, two processors, 4 GiB.
    fn default() -> MachineConfig {
        MachineConfig {
            epoch: Duration::from_secs(1_767_225_600),
            hostname: "cutaway".into(),
            memory: 4 << 30,
            cpus: 2,
            seed: 1,
            release: "6.12.0-cutaway".into(),
            version: "#1 SMP PREEMPT_DYNAMIC".into(),
            architecture: "x86_64".into(),
        }
    }
}

/// How [`Machine::run`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Fuel ran out with tasks still ready.
    Busy,
    /// Everything waits; the earliest timer, if any, is due at this time since the epoch.
    Waiting(Option<Duration>),
}

/// A program compiled in, by closure: gets its handle, words and environment, gives its exit status.
pub type Runner = Rc<dyn Fn(SimOs, Vec<String>, Vec<(String, String)>) -> LocalFut<i32>>;

/// Where a new process's namespace of one kind comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NamespaceChoice {
    /// The parent's.
    #[default]
    Inherit,
    New,
    /// That of this process (host id).
    Of(Pid),
}

/// What a standard stream of a new process is.
#[derive(Clone)]
pub enum StdStream {
    /// `/dev/null`.
    Null,
    /// A copy of this descriptor of this process (host id).
    Fd(Pid, Fd),
    /// The terminal behind this master.
    Pty(PtyMaster),
}

/// A new process that runs nothing yet.
#[derive(Clone)]
pub struct Spawn {
    /// Host id; it is the one that gets SIGCHLD and may wait. [`Machine::INIT`] reaps by itself.
    pub parent: Pid,
    pub mount: NamespaceChoice,
    pub pid: NamespaceChoice,
    pub network: NamespaceChoice,
    pub uts: NamespaceChoice,
    pub ipc: NamespaceChoice,
    pub user: NamespaceChoice,
    pub cgroup_namespace: NamespaceChoice,
    /// The group it is counted in.
    pub cgroup: CgroupId,
    pub stdio: [StdStream; 3],
    /// Begin a session of its own; a terminal among `stdio` becomes its controlling terminal.
    pub session: bool,
    /// Take root folder, and working directory `/`, from this process (host id), as `setns` does: for exec.
    pub root_of: Option<Pid>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitInfo {
    pub status: Status,
    pub oom_killed: bool,
    /// Since the epoch.
    pub at: Duration,
}

/// Knows how a process ended, even after it is gone from the table.
#[derive(Clone)]
pub struct ExitWatch(Rc<()>);

impl ExitWatch {
    pub fn now(&self) -> Option<ExitInfo> {
        todo!()
    }

    pub async fn wait(&self) -> ExitInfo {
        todo!()
    }
}

/// The master side of a pseudo-terminal: a terminal window. The terminal hangs up when the last clone is dropped.
#[derive(Clone)]
pub struct PtyMaster(Rc<()>);

impl PtyMaster {
    /// What was printed; waits for the first byte. Empty when every process has closed the terminal.
    pub async fn read(&self, max: usize) -> Vec<u8> {
        todo!()
    }

    /// What was printed and not read yet, without waiting.
    pub fn take_output(&self) -> Vec<u8> {
        todo!()
    }

    /// Types: goes through the line discipline (echo, erase, `^C`).
    pub fn write(&self, bytes: &[u8]) {
        todo!()
    }

    pub fn resize(&self, size: WindowSize) {
        todo!()
    }

    /// Names it `/dev/pts/N` in the devpts that is mounted at `path` in the process's namespace.
    pub fn register(&self, pid: Pid, path: &str) -> Result<u32> {
        todo!()
    }
}

/// One process, as `ps` shows it. Ids are the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessInfo {
    pub pid: Pid,
    pub parent: Pid,
    /// Its id in its own pid namespace.
    pub inner_pid: Pid,
    pub group: Pid,
    pub session: Pid,
    pub uid: u32,
    pub gid: u32,
    pub name: String,
    pub args: Vec<String>,
    /// `R` running, `S` waiting, `T` stopped, `Z` ended and not waited for.
    pub state: char,
    /// As `pts/0`, or `?`.
    pub tty: String,
    pub started: Duration,
    pub cpu: Duration,
    pub memory: u64,
    pub cgroup: CgroupId,
}

/// The whole simulated machine. Clones are handles on the same one.
#[derive(Clone)]
pub struct Machine(Rc<()>);

/// Making and driving.
impl Machine {
    /// The host's first process: root, all capabilities, in the host's namespaces. It runs no program and
    /// reaps its children by itself.
    pub const INIT: Pid = 1;

    /// A machine with an empty root disk (only `/proc`, `/sys`, `/dev` with its devices, `/tmp`, `/run` mounted).
    pub fn new(config: MachineConfig) -> Machine {
        todo!()
    }

    /// Makes files whose contents are [`program_file`](Machine::program_file)`(name)` run `run`.
    pub fn register_program(&self, name: &str, run: Runner) {
        todo!()
    }

    /// The contents of an executable that runs the registered program `name`.
    pub fn program_file(name: &str) -> Vec<u8> {
        format!("\x7fCUTAWAY program {name}\n").into_bytes()
    }

    /// Runs ready tasks in order until all wait, or `fuel` turns were taken.
    pub fn run(&self, fuel: u64) -> Activity {
        todo!()
    }

    /// When the earliest timer is due, since the epoch.
    pub fn next_timer(&self) -> Option<Duration> {
        todo!()
    }

    /// Moves the clock forward (never back) and wakes what is due.
    pub fn advance_to(&self, time: Duration) {
        todo!()
    }

    /// The script's policy: runs until `future` is done, jumping to the next timer whenever all wait. `None`
    /// where nothing can ever wake it, or after `fuel` turns.
    pub fn run_until<T: 'static>(&self, fuel: u64, future: impl Future<Output = T> + 'static) -> Option<T> {
        todo!()
    }

    /// Time since the epoch.
    pub fn now(&self) -> Duration {
        todo!()
    }

    /// Runs a future that is no process beside the processes.
    pub fn spawn_task(&self, future: LocalFut<()>) {
        todo!()
    }

    pub fn sleep(&self, time: Duration) -> LocalFut<()> {
        todo!()
    }

    pub fn random(&self, bytes: &mut [u8]) {
        todo!()
    }
}

/// Processes.
impl Machine {
    /// A process's view of the kernel, for any living process; also how the world acts on its behalf (mounts,
    /// files, names). Checks are made with that process's rights.
    pub fn os(&self, pid: Pid) -> SimOs {
        todo!()
    }

    /// Makes a held process. `EAGAIN` where its group allows no more.
    pub fn spawn(&self, spawn: Spawn) -> Result<Pid> {
        todo!()
    }

    /// A held process's program: looks `path` up as the process sees it, then starts it.
    pub fn exec(&self, pid: Pid, path: &str, argv: &[String], env: &[(String, String)]) -> Result<()> {
        todo!()
    }

    /// Finds a program as `execvp` does, as the process sees it: `ENOENT`, or `EACCES` where what was found
    /// can't be executed.
    pub fn find_program(&self, pid: Pid, name: &str, path_variable: &str) -> Result<String> {
        todo!()
    }

    /// Runs a function as a held process's program, as the body of `fork` does.
    pub fn start(&self, pid: Pid, body: impl FnOnce(SimOs) -> LocalFut<i32> + 'static) {
        todo!()
    }

    /// Sends a signal from outside every pid namespace below the host's. `ESRCH`.
    pub fn kill(&self, pid: Pid, signal: Signal) -> Result<()> {
        todo!()
    }

    /// `None` where there is no such process.
    pub fn watch_exit(&self, pid: Pid) -> Option<ExitWatch> {
        todo!()
    }

    /// Every process that is in this process's pid namespace or in one below it, by id.
    pub fn processes(&self, of: Pid) -> Vec<ProcessInfo> {
        todo!()
    }

    pub fn process(&self, pid: Pid) -> Option<ProcessInfo> {
        todo!()
    }

    /// The id that the process has in the pid namespace of `seen_by` (host ids in, inner id out).
    pub fn pid_in(&self, pid: Pid, seen_by: Pid) -> Option<Pid> {
        todo!()
    }

    pub fn credentials(&self, pid: Pid) -> Result<Credentials> {
        todo!()
    }

    /// Replaces ids and capability sets, without asking whether the process may.
    pub fn set_credentials(&self, pid: Pid, to: Credentials) -> Result<()> {
        todo!()
    }

    /// System calls that fail from now on for the process and what it starts, by name (`chmod`, `mount`, …).
    pub fn set_seccomp(&self, pid: Pid, refused: Vec<(String, Errno)>) -> Result<()> {
        todo!()
    }

    /// Sets a limit without asking whether the process may.
    pub fn set_limit(&self, pid: Pid, limit: Limit, to: LimitPair) -> Result<()> {
        todo!()
    }

    pub fn set_oom_score(&self, pid: Pid, score: i32) -> Result<()> {
        todo!()
    }

    pub fn set_hostname(&self, pid: Pid, name: &str) -> Result<()> {
        todo!()
    }

    pub fn set_domainname(&self, pid: Pid, name: &str) -> Result<()> {
        todo!()
    }

    /// A setting by its dotted name, in the process's namespaces. `ENOENT` for one that does not exist.
    pub fn set_sysctl(&self, pid: Pid, name: &str, value: &str) -> Result<()> {
        todo!()
    }

    /// As `mnt:[4026531841]`, by kind: `pid`, `net`, `mnt`, `uts`, `ipc`, `user`, `cgroup`.
    pub fn namespace(&self, pid: Pid, kind: &str) -> Option<String> {
        todo!()
    }

    /// A new terminal; not named anywhere until it is registered.
    pub fn open_pty(&self, size: WindowSize) -> PtyMaster {
        todo!()
    }

    /// A pipe between the world and processes: descriptors of [`Machine::INIT`], reading and writing end.
    pub fn pipe(&self) -> (Fd, Fd) {
        todo!()
    }
}

/// File systems.
impl Machine {
    /// Mounts a union at `target` as the process sees it.
    pub fn mount_overlay(&self, pid: Pid, target: &str, overlay: &Overlay, flags: MountFlags) -> Result<()> {
        todo!()
    }

    /// Mounts a tree at `target`; `kind` and `source` are what `mount` shows.
    pub fn mount_tree(
        &self,
        pid: Pid,
        target: &str,
        tree: &Tree,
        kind: &str,
        source: &str,
        flags: MountFlags,
    ) -> Result<()> {
        todo!()
    }

    /// Binds a path of the host (as [`Machine::INIT`] sees it) at a path as the process sees it.
    pub fn bind_host(&self, host: &str, pid: Pid, target: &str, flags: MountFlags) -> Result<()> {
        todo!()
    }

    /// Makes the mount at `new_root` the root of the process, and of its mount namespace; the old one is gone
    /// from sight (`pivot_root` and a lazy `umount`). The working directory becomes `/`.
    pub fn pivot_root(&self, pid: Pid, new_root: &str) -> Result<()> {
        todo!()
    }

    /// Makes an empty file or folder (with its parents, root's, 0755) where a mount is to go, if nothing is there.
    pub fn make_mount_point(&self, pid: Pid, path: &str, directory: bool) -> Result<()> {
        todo!()
    }

    /// Reads a whole file as the process sees it.
    pub fn read_file(&self, pid: Pid, path: &str) -> Result<Vec<u8>> {
        todo!()
    }

    /// Creates or replaces a file as the process sees it; missing parents are made.
    pub fn write_file(&self, pid: Pid, path: &str, bytes: &[u8], mode: u32) -> Result<()> {
        todo!()
    }

    /// A path as the process sees it, and all below it (not into other mounts): see [`Overlay::entries`].
    pub fn export(&self, pid: Pid, path: &str) -> Result<Vec<TreeEntry>> {
        todo!()
    }

    /// Adds entries below the folder `at`, made where missing, as the process sees it.
    pub fn import(&self, pid: Pid, at: &str, entries: impl IntoIterator<Item = TreeEntry>) -> Result<()> {
        todo!()
    }

    /// Removes a path and all below it.
    pub fn remove_all(&self, pid: Pid, path: &str) -> Result<()> {
        todo!()
    }
}

/// Control groups.
impl Machine {
    pub const ROOT_CGROUP: CgroupId = CgroupId(0);

    /// The group `name` below `parent`, made where missing.
    pub fn make_cgroup(&self, parent: CgroupId, name: &str) -> CgroupId {
        todo!()
    }

    /// `EBUSY` while it has processes or groups in it.
    pub fn remove_cgroup(&self, group: CgroupId) -> Result<()> {
        todo!()
    }

    pub fn limit_cgroup(&self, group: CgroupId, limit: &CgroupLimit) -> Result<()> {
        todo!()
    }

    pub fn freeze_cgroup(&self, group: CgroupId, frozen: bool) {
        todo!()
    }

    pub fn cgroup_usage(&self, group: CgroupId) -> CgroupUsage {
        todo!()
    }

    /// Kills every process in it and below.
    pub fn kill_cgroup(&self, group: CgroupId) {
        todo!()
    }
}

/// Networks. Interfaces are named within their namespace.
impl Machine {
    pub fn host_network(&self) -> NetNsId {
        todo!()
    }

    /// The network namespace of a living process.
    pub fn network_of(&self, pid: Pid) -> Result<NetNsId> {
        todo!()
    }

    /// An empty network namespace (only `lo`, down): also what the outside is made of, see [`Machine::add_veth`].
    pub fn new_network(&self) -> NetNsId {
        todo!()
    }

    /// `masquerade`: what leaves the bridge's network for elsewhere takes the host's address; without it
    /// (an internal network) nothing leaves.
    pub fn add_bridge(&self, ns: &NetNsId, name: &str, mtu: u32, masquerade: bool) -> Result<()> {
        todo!()
    }

    /// A virtual cable between two namespaces (or within one). A namespace at the other end of the host's
    /// `eth0` with public addresses is the outside.
    pub fn add_veth(&self, a: (&NetNsId, &str), b: (&NetNsId, &str)) -> Result<()> {
        todo!()
    }

    /// Plugs an interface into a bridge, or out (`None`).
    pub fn set_master(&self, ns: &NetNsId, link: &str, bridge: Option<&str>) -> Result<()> {
        todo!()
    }

    pub fn move_link(&self, ns: &NetNsId, link: &str, to: &NetNsId, name: &str) -> Result<()> {
        todo!()
    }

    /// Deletes an interface and the other end of its cable.
    pub fn remove_link(&self, ns: &NetNsId, link: &str) -> Result<()> {
        todo!()
    }

    pub fn set_up(&self, ns: &NetNsId, link: &str, up: bool) -> Result<()> {
        todo!()
    }

    pub fn set_mac(&self, ns: &NetNsId, link: &str, mac: [u8; 6]) -> Result<()> {
        todo!()
    }

    pub fn add_address(&self, ns: &NetNsId, link: &str, address: IpAddr, prefix: u8) -> Result<()> {
        todo!()
    }

    pub fn add_default_route(&self, ns: &NetNsId, gateway: Ipv4Addr) -> Result<()> {
        todo!()
    }

    /// Forwards a port of the host. Host port 0 takes a free one. `EADDRINUSE`.
    pub fn publish(&self, rule: DnatRule) -> Result<u16> {
        todo!()
    }

    pub fn unpublish(&self, host: IpAddr, host_port: u16, protocol: Protocol) {
        todo!()
    }

    /// Answers DNS questions sent to port 53 of `at` in this namespace.
    pub fn set_resolver(&self, ns: &NetNsId, at: IpAddr, resolver: Resolver) {
        todo!()
    }

    pub fn interfaces(&self, ns: &NetNsId) -> Vec<Interface> {
        todo!()
    }
}
