//! Acts on processes: limits, namespaces, starting, signalling, and what is left when they end.

use super::{short, story};
use crate::world::{Act, Story, Subject};
use cutaway_userland::os::{Limit, LimitPair, Signal};

/// Makes the control group that will account for, and limit, a container's processes.
#[derive(Clone, Debug)]
pub struct CreateCgroup {
    pub container: String,
    /** Below this group instead of the engine's own. */
    pub parent: Option<String>,
}

impl Act for CreateCgroup {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "create-cgroup",
            "Make a control group, to count and limit what the container uses".into(),
            vec![Subject::Cgroup(self.container.clone())],
            vec![format!("mkdir(\"/sys/fs/cgroup/cutaway/{}\", 0755)", short(&self.container))],
        )
    }
}

/// One limit of a control group.
#[derive(Clone, Debug, PartialEq)]
pub enum CgroupLimit {
    /// Bytes.
    Memory(u64),
    /// Memory and swap together, in bytes; `None` is unlimited.
    MemorySwap(Option<u64>),
    MemoryReservation(u64),
    Swappiness(u64),
    /// Microseconds of processor time each period of so many microseconds.
    CpuQuota {
        quota: i64,
        period: u64,
    },
    /// Relative weight, 1024 by default (the v1 scale).
    CpuShares(u64),
    CpusetCpus(String),
    CpusetMems(String),
    /// `None` is unlimited.
    Pids(Option<u64>),
    /// 10 to 1000.
    BlkioWeight(u16),
    BlkioWeightDevice {
        device: String,
        weight: u16,
    },
    /// Bytes a second.
    DeviceReadBps {
        device: String,
        rate: u64,
    },
    DeviceWriteBps {
        device: String,
        rate: u64,
    },
    DeviceReadIops {
        device: String,
        rate: u64,
    },
    DeviceWriteIops {
        device: String,
        rate: u64,
    },
    OomKillDisable,
    /// Which devices may be used at all: everything else is refused.
    Devices(Vec<DeviceRule>),
}

/// A line of the device controller, as `c 1:3 rwm`; `None` is any number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRule {
    pub allow: bool,
    /** `a`, `b` or `c`. */
    pub kind: char,
    pub major: Option<u32>,
    pub minor: Option<u32>,
    pub access: String,
}

/// Writes a limit into a control group. Also changes it while the container runs.
#[derive(Clone, Debug)]
pub struct WriteLimit {
    pub container: String,
    pub limit: CgroupLimit,
}

impl Act for WriteLimit {
    type Output = ();
    fn story(&self) -> Story {
        let (what, file, value) = match &self.limit {
            CgroupLimit::Memory(n) => (format!("Limit memory to {n} bytes"), "memory.max", n.to_string()),
            CgroupLimit::MemorySwap(n) => {
                ("Limit memory and swap together".into(), "memory.swap.max", n.map_or("max".into(), |n| n.to_string()))
            }
            CgroupLimit::MemoryReservation(n) => {
                (format!("Give memory back above {n} bytes when the host is short of it"), "memory.low", n.to_string())
            }
            CgroupLimit::Swappiness(n) => {
                ("Set how willingly the kernel swaps".into(), "memory.swappiness", n.to_string())
            }
            CgroupLimit::CpuQuota { quota, period } => (
                format!("Limit processor time to {:.2} processors", *quota as f64 / *period as f64),
                "cpu.max",
                format!("{quota} {period}"),
            ),
            CgroupLimit::CpuShares(n) => {
                (format!("Set the share of processor time to {n}"), "cpu.weight", n.to_string())
            }
            CgroupLimit::CpusetCpus(s) => (format!("Use only processors {s}"), "cpuset.cpus", s.clone()),
            CgroupLimit::CpusetMems(s) => (format!("Use only memory nodes {s}"), "cpuset.mems", s.clone()),
            CgroupLimit::Pids(Some(n)) => (format!("Allow {n} processes at most"), "pids.max", n.to_string()),
            CgroupLimit::Pids(None) => ("Allow any number of processes".into(), "pids.max", "max".into()),
            CgroupLimit::BlkioWeight(n) => (format!("Set the share of disk time to {n}"), "io.weight", n.to_string()),
            CgroupLimit::BlkioWeightDevice { device, weight } => {
                (format!("Set the share of the time of {device}"), "io.bfq.weight", weight.to_string())
            }
            CgroupLimit::DeviceReadBps { device, rate } => {
                (format!("Limit reading from {device}"), "io.max", format!("rbps={rate}"))
            }
            CgroupLimit::DeviceWriteBps { device, rate } => {
                (format!("Limit writing to {device}"), "io.max", format!("wbps={rate}"))
            }
            CgroupLimit::DeviceReadIops { device, rate } => {
                (format!("Limit reads from {device}"), "io.max", format!("riops={rate}"))
            }
            CgroupLimit::DeviceWriteIops { device, rate } => {
                (format!("Limit writes to {device}"), "io.max", format!("wiops={rate}"))
            }
            CgroupLimit::OomKillDisable => (
                "Let processes wait instead of being killed when memory runs out".into(),
                "memory.oom_control",
                "1".into(),
            ),
            CgroupLimit::Devices(rules) => {
                (format!("Allow only {} kinds of device", rules.len()), "devices.allow", "…".into())
            }
        };
        story(
            "write-limit",
            what,
            vec![Subject::Cgroup(self.container.clone())],
            vec![format!("openat(cgroup, \"{file}\", O_WRONLY) = 3"), format!("write(3, \"{value}\")")],
        )
    }
}

/// Freezes or thaws all processes of a container at once.
#[derive(Clone, Debug)]
pub struct Freeze {
    pub container: String,
    pub frozen: bool,
}

impl Act for Freeze {
    type Output = ();
    fn story(&self) -> Story {
        let (what, value) = if self.frozen {
            ("Freeze every process of the container where it stands", 1)
        } else {
            ("Let the frozen processes go on", 0)
        };
        story(
            "freeze",
            what.into(),
            vec![Subject::Container(self.container.clone())],
            vec!["openat(cgroup, \"cgroup.freeze\", O_WRONLY) = 3".into(), format!("write(3, \"{value}\")")],
        )
    }
}

/// Deletes a container's control group. Succeeds where there is none.
#[derive(Clone, Debug)]
pub struct RemoveCgroup {
    pub container: String,
}

impl Act for RemoveCgroup {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "remove-cgroup",
            "Delete the control group".into(),
            vec![Subject::Cgroup(self.container.clone())],
            vec![format!("rmdir(\"/sys/fs/cgroup/cutaway/{}\")", short(&self.container))],
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamespaceKind {
    Mount,
    Pid,
    Network,
    Uts,
    Ipc,
    User,
    Cgroup,
}

/// Where a container's namespace of a kind comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamespaceSource {
    New,
    /// The engine's own: nothing is isolated.
    Host,
    /// That of a running container, by id.
    Container(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    pub kind: NamespaceKind,
    pub source: NamespaceSource,
}

/// What the first process's standard streams are connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stdio {
    /// A terminal instead of three pipes.
    pub tty: bool,
    /// Whether there is standard input at all (`-i`); else it is empty.
    pub stdin: bool,
    /// Close standard input when the first client that wrote to it detaches.
    pub stdin_once: bool,
    pub log: LogDriver,
}

/// Where output is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum LogDriver {
    JsonFile,
    Local,
    None,
}

/// Starts the process that will become the container: alone in new namespaces, in its control group, waiting
/// to be told what to set up. From here on the world keeps its output by `stdio.log`, and [`Queries::attach`]
/// connects to it.
///
/// [`Queries::attach`]: crate::world::Queries::attach
#[derive(Clone, Debug)]
pub struct CloneInit {
    pub container: String,
    pub namespaces: Vec<Namespace>,
    pub stdio: Stdio,
}

impl Act for CloneInit {
    /// Its process id on the host.
    type Output = i32;
    fn story(&self) -> Story {
        let new: Vec<&str> = self
            .namespaces
            .iter()
            .filter(|n| n.source == NamespaceSource::New)
            .map(|n| match n.kind {
                NamespaceKind::Mount => "CLONE_NEWNS",
                NamespaceKind::Pid => "CLONE_NEWPID",
                NamespaceKind::Network => "CLONE_NEWNET",
                NamespaceKind::Uts => "CLONE_NEWUTS",
                NamespaceKind::Ipc => "CLONE_NEWIPC",
                NamespaceKind::User => "CLONE_NEWUSER",
                NamespaceKind::Cgroup => "CLONE_NEWCGROUP",
            })
            .collect();
        story(
            "clone-init",
            format!("Start a process in {} new namespaces", new.len()),
            vec![Subject::Container(self.container.clone())],
            vec![format!("clone3({{flags={}, exit_signal=SIGCHLD}})", new.join("|"))],
        )
    }
}

/// Replaces the waiting process by the container's program. The program is looked up in `PATH` of `env`
/// inside the container: `ENOENT` or `EACCES` where it can't be run.
#[derive(Clone, Debug)]
pub struct Exec {
    pub container: String,
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
}

impl Act for Exec {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "exec",
            format!("Run {}", self.argv.join(" ")),
            vec![Subject::Container(self.container.clone())],
            vec![format!("execve({:?}, {:?}, …)", self.argv.first().map_or("", |s| s), self.argv)],
        )
    }
}

/// Names a process started by `exec` in a running container: 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExecId(pub String);

/// Starts a further process in a running container's namespaces and control group.
#[derive(Clone, Debug)]
pub struct ExecIn {
    pub exec: ExecId,
    pub container: String,
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
    pub cwd: String,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    /// `None` leaves all capabilities (`--privileged`).
    pub capabilities: Option<super::Capabilities>,
    pub seccomp: super::Seccomp,
    pub no_new_privileges: bool,
    pub limits: Vec<(Limit, LimitPair)>,
    pub oom_score_adj: i32,
    pub tty: bool,
    pub stdin: bool,
}

impl Act for ExecIn {
    /// Its process id on the host.
    type Output = i32;
    fn story(&self) -> Story {
        story(
            "exec-in",
            format!("Join the container's namespaces and run {}", self.argv.join(" ")),
            vec![Subject::Container(self.container.clone())],
            vec![
                "setns(pidfd, CLONE_NEWNS|CLONE_NEWPID|CLONE_NEWNET|CLONE_NEWUTS|CLONE_NEWIPC)".into(),
                "fork()".into(),
                format!("execve({:?}, …)", self.argv.first().map_or("", |s| s)),
            ],
        )
    }
}

/// Sends a signal to the container's first process. `ESRCH` where it is gone.
#[derive(Clone, Debug)]
pub struct DeliverSignal {
    pub container: String,
    pub signal: Signal,
}

impl Act for DeliverSignal {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "deliver-signal",
            format!("Send SIG{} to process 1 of the container", self.signal.name()),
            vec![Subject::Container(self.container.clone())],
            vec![format!("pidfd_send_signal(pidfd, SIG{})", self.signal.name())],
        )
    }
}

/// Lets go of everything that a start made and that outlives a process: its namespaces, its mounts, its
/// streams. Kills what still runs. Succeeds where there is nothing.
#[derive(Clone, Debug)]
pub struct ReleaseContainer {
    pub container: String,
}

impl Act for ReleaseContainer {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "release-container",
            "Let go of the container's namespaces and mounts".into(),
            vec![Subject::Container(self.container.clone())],
            vec!["umount2(\"merged\", MNT_DETACH)".into(), "close(pidfd)".into()],
        )
    }
}
