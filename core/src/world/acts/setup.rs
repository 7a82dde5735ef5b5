//! What the container's first process does to its own surroundings before it runs the program: a plan as
//! data. The engine sends one operation after the other; each is done inside the new namespaces.

use super::{SnapshotKey, short, story};
use crate::world::{Act, Story, Subject};
use cutaway_userland::os::{Limit, LimitPair};

/// Does one operation in a container that [`CloneInit`](super::CloneInit) started and that runs nothing yet.
#[derive(Clone, Debug)]
pub struct Setup {
    pub container: String,
    pub op: SetupOp,
}

/// The names of the capabilities, in the kernel's order: the index is the number. Source: capability.h.
pub const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// Sets of capabilities by name, as `CAP_CHOWN`, in the kernel's order.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Capabilities {
    pub bounding: Vec<String>,
    pub effective: Vec<String>,
    pub permitted: Vec<String>,
    pub inheritable: Vec<String>,
    pub ambient: Vec<String>,
}

/// The system call filter.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Seccomp {
    /// Docker's default profile, for the capabilities that the container has.
    Default,
    Unconfined,
    /// A profile in Docker's JSON form.
    Profile(String),
}

/// A device file to make (or bind, where devices can't be made).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceNode {
    pub path: String,
    /** `b` or `c`. */
    pub kind: char,
    pub major: u32,
    pub minor: u32,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /** The host's file it stands for. */
    pub host: String,
}

impl DeviceNode {
    /// A character device that everybody may use, at the same path in and outside.
    pub fn usual(path: &str, major: u32, minor: u32) -> DeviceNode {
        DeviceNode { path: path.into(), kind: 'c', major, minor, mode: 0o666, uid: 0, gid: 0, host: path.into() }
    }
}

/// Paths are as they will be inside the container, unless a field says host. Targets are made where missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetupOp {
    /// The union of the snapshot's layers, as the new root.
    MountRootfs {
        snapshot: SnapshotKey,
        /** Whether it is deleted at the container's end, so that nothing needs to reach the disk. */
        passing: bool,
    },
    Bind {
        host: String,
        target: String,
        read_only: bool,
        recursive: bool,
        propagation: String,
    },
    Volume {
        name: String,
        target: String,
        read_only: bool,
        /** Below the volume's root. */
        subpath: String,
    },
    Tmpfs {
        target: String,
        options: String,
    },
    /** A volume's own file system, as mount(8) is asked for it. */
    Filesystem {
        kind: String,
        device: String,
        target: String,
        options: String,
    },
    Proc,
    Sysfs {
        read_only: bool,
    },
    CgroupFs {
        read_only: bool,
    },
    Devpts,
    Mqueue,
    Shm {
        size: u64,
    },
    Device(DeviceNode),
    /// `/dev/fd`, `/dev/stdin`, `/dev/ptmx` and the like.
    DevLinks,
    /// A generated file (`/etc/hosts`, `/etc/hostname`, `/etc/resolv.conf`) bound over the image's.
    NetworkFile {
        target: String,
    },
    /// The small init that reaps zombies, at `/sbin/docker-init`.
    InitProgram,
    PivotRoot,
    MaskPath {
        path: String,
    },
    ReadonlyPath {
        path: String,
    },
    ReadonlyRoot,
    Sysctl {
        name: String,
        value: String,
    },
    Hostname(String),
    Domainname(String),
    Rlimit {
        limit: Limit,
        to: LimitPair,
    },
    OomScoreAdj(i32),
    /// The working directory, made (owned by root) where missing.
    WorkingDirectory {
        path: String,
    },
    NoNewPrivileges,
    Capabilities(Capabilities),
    User {
        uid: u32,
        gid: u32,
        groups: Vec<u32>,
    },
    Seccomp {
        profile: Seccomp,
        /** The bounding set: the default profile depends on it. */
        capabilities: Vec<String>,
    },
}

impl Act for Setup {
    type Output = ();
    fn story(&self) -> Story {
        let (act, what, syscalls): (&str, String, Vec<String>) = match &self.op {
            SetupOp::MountRootfs { snapshot, .. } => ("mount-overlay", "Mount the layers as one file system: read-only ones below, the writable one on top".into(),
                vec![format!("mount(\"overlay\", \"rootfs\", \"overlay\", 0, \"lowerdir=…,upperdir=snapshots/{0}/upper,workdir=snapshots/{0}/work\")", short(&snapshot.0))]),
            SetupOp::Bind { host, target, read_only, .. } => ("bind-mount", format!("Show the host's {host} at {target}{}", if *read_only { ", read-only" } else { "" }),
                vec![format!("mount({host:?}, \"rootfs{target}\", NULL, MS_BIND|MS_REC{})", if *read_only { "|MS_RDONLY" } else { "" })]),
            SetupOp::Volume { name, target, .. } => ("mount-volume", format!("Show volume {} at {target}", short(name)),
                vec![format!("mount(\"volumes/{}/_data\", \"rootfs{target}\", NULL, MS_BIND)", short(name))]),
            SetupOp::Tmpfs { target, options } => ("mount-tmpfs", format!("Mount memory as a file system at {target}"),
                vec![format!("mount(\"tmpfs\", \"rootfs{target}\", \"tmpfs\", MS_NOSUID|MS_NODEV, {options:?})")]),
            SetupOp::Filesystem { kind, device, target, options } => ("mount-filesystem", format!("Mount {device} ({kind}) at {target}"),
                vec![format!("mount({device:?}, \"rootfs{target}\", {kind:?}, 0, {options:?})")]),
            SetupOp::Proc => ("mount-proc", "Mount /proc, which shows the processes of this pid namespace only".into(),
                vec!["mount(\"proc\", \"rootfs/proc\", \"proc\", MS_NOSUID|MS_NOEXEC|MS_NODEV)".into()]),
            SetupOp::Sysfs { .. } => ("mount-sysfs", "Mount /sys".into(), vec!["mount(\"sysfs\", \"rootfs/sys\", \"sysfs\", MS_RDONLY|MS_NOSUID|MS_NOEXEC|MS_NODEV)".into()]),
            SetupOp::CgroupFs { .. } => ("mount-cgroup", "Show the container its control group, read-only".into(), vec!["mount(\"cgroup\", \"rootfs/sys/fs/cgroup\", \"cgroup2\", MS_RDONLY)".into()]),
            SetupOp::Devpts => ("mount-devpts", "Mount /dev/pts, for terminals of its own".into(), vec!["mount(\"devpts\", \"rootfs/dev/pts\", \"devpts\", MS_NOSUID|MS_NOEXEC, \"newinstance,ptmxmode=0666,mode=0620,gid=5\")".into()]),
            SetupOp::Mqueue => ("mount-mqueue", "Mount /dev/mqueue, for message queues of its own".into(), vec!["mount(\"mqueue\", \"rootfs/dev/mqueue\", \"mqueue\", 0)".into()]),
            SetupOp::Shm { size } => ("mount-shm", format!("Mount /dev/shm, {size} bytes of shared memory"), vec![format!("mount(\"shm\", \"rootfs/dev/shm\", \"tmpfs\", MS_NOSUID|MS_NOEXEC|MS_NODEV, \"mode=1777,size={size}\")")]),
            SetupOp::Device(node) => ("make-device", format!("Make the device {}", node.path), vec![format!("mknodat(rootfs, {:?}, {}, makedev({}, {}))", node.path, if node.kind == 'b' { "S_IFBLK" } else { "S_IFCHR" }, node.major, node.minor)]),
            SetupOp::DevLinks => ("make-dev-links", "Make /dev/stdin, /dev/stdout, /dev/fd and the like".into(), vec!["symlinkat(\"/proc/self/fd\", rootfs, \"/dev/fd\")".into()]),
            SetupOp::NetworkFile { target } => ("bind-network-file", format!("Put the generated {target} over the image's"), vec![format!("mount(\"containers/…{target}\", \"rootfs{target}\", NULL, MS_BIND)")]),
            SetupOp::InitProgram => ("bind-init", "Add a small first process that cleans up after ended ones".into(), vec!["mount(\"init\", \"rootfs/sbin/docker-init\", NULL, MS_BIND|MS_RDONLY)".into()]),
            SetupOp::PivotRoot => ("pivot-root", "Make that file system the root; the host's is no longer reachable".into(), vec!["pivot_root(\".\", \".\")".into(), "umount2(\".\", MNT_DETACH)".into(), "chdir(\"/\")".into()]),
            SetupOp::MaskPath { path } => ("mask-path", format!("Hide {path}, which would tell about the host"), vec![format!("mount(\"/dev/null\", {path:?}, NULL, MS_BIND)")]),
            SetupOp::ReadonlyPath { path } => ("readonly-path", format!("Make {path} read-only"), vec![format!("mount({path:?}, {path:?}, NULL, MS_BIND|MS_REC)"), format!("mount(NULL, {path:?}, NULL, MS_BIND|MS_REMOUNT|MS_RDONLY)")]),
            SetupOp::ReadonlyRoot => ("readonly-root", "Make the root file system read-only".into(), vec!["mount(NULL, \"/\", NULL, MS_REMOUNT|MS_BIND|MS_RDONLY)".into()]),
            SetupOp::Sysctl { name, value } => ("set-sysctl", format!("Set the kernel's {name} to {value} for this container"), vec![format!("openat(AT_FDCWD, \"/proc/sys/{}\", O_WRONLY) = 3", name.replace('.', "/")), format!("write(3, {value:?})")]),
            SetupOp::Hostname(name) => ("set-hostname", format!("Name the machine {name} inside"), vec![format!("sethostname({name:?}, {})", name.len())]),
            SetupOp::Domainname(name) => ("set-domainname", format!("Set the domain to {name} inside"), vec![format!("setdomainname({name:?}, {})", name.len())]),
            SetupOp::Rlimit { limit, .. } => ("set-rlimit", format!("Set the limit {limit:?}"), vec![format!("prlimit64(0, {limit:?}, …)")]),
            SetupOp::OomScoreAdj(n) => ("set-oom-score", format!("Set how early the kernel kills it when memory is short: {n}"), vec!["openat(AT_FDCWD, \"/proc/self/oom_score_adj\", O_WRONLY) = 3".into(), format!("write(3, \"{n}\")")]),
            SetupOp::WorkingDirectory { path } => ("change-directory", format!("Start in {path}"), vec![format!("chdir({path:?})")]),
            SetupOp::NoNewPrivileges => ("no-new-privileges", "Forbid gaining rights by running set-uid programs".into(), vec!["prctl(PR_SET_NO_NEW_PRIVS, 1)".into()]),
            SetupOp::Capabilities(sets) => ("drop-capabilities", format!("Keep only {} of root's capabilities", sets.bounding.len()), vec!["prctl(PR_CAPBSET_DROP, …)".into(), "capset(…)".into()]),
            SetupOp::User { uid, gid, .. } => ("set-user", format!("Become user {uid}, group {gid}"), vec!["setgroups(…)".into(), format!("setresgid({gid}, {gid}, {gid})"), format!("setresuid({uid}, {uid}, {uid})")]),
            SetupOp::Seccomp { profile, .. } => ("load-seccomp", match profile {
                Seccomp::Unconfined => "Leave all system calls allowed".into(),
                _ => "Refuse the system calls that containers don't need".into(),
            }, vec!["seccomp(SECCOMP_SET_MODE_FILTER, …)".into()]),
        };
        let mut on = vec![Subject::Container(self.container.clone())];
        match &self.op {
            SetupOp::Volume { name, .. } => on.push(Subject::Volume(name.clone())),
            SetupOp::Bind { .. } => on.push(Subject::Host),
            _ => {}
        }
        story(act, what, on, syscalls)
    }
}
