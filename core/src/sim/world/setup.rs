//! The operations by which a held process makes its surroundings before it runs the container's program. The
//! process's root is the container's from the first mount on, so that no link of an image leads out of it.

use super::{During, ROOT, SimWorld, set_capabilities, set_user};
use crate::sim::kernel::{Machine, SimOs};
use crate::world::acts::*;
use crate::world::{Fault, Performs};
use cutaway_userland::Errno;
use cutaway_userland::os::{FileKind, MountFlags, Os, Pid};

/// The system calls that Docker's profile refuses without `CAP_SYS_ADMIN`, of those this kernel has.
const ADMIN_CALLS: [&str; 4] = ["mount", "umount2", "unshare", "setns"];
/// What a profile in JSON may allow or refuse, of the system calls this kernel has.
const KNOWN_CALLS: [&str; 24] = [
    "bind",
    "chmod",
    "chown",
    "chroot",
    "connect",
    "execve",
    "fork",
    "kill",
    "link",
    "listen",
    "mkdir",
    "mknod",
    "mount",
    "open",
    "pipe",
    "rename",
    "rmdir",
    "sethostname",
    "setuid",
    "socket",
    "symlink",
    "truncate",
    "umount2",
    "unlink",
];

impl Performs<Setup> for SimWorld {
    async fn perform(&self, act: Setup) -> Result<(), Fault> {
        let pid = self.init(&act.container)?;
        let place = Place { world: self, container: &act.container, pid, os: self.machine().os(pid) };
        match &act.op {
            SetupOp::MountRootfs { .. }
            | SetupOp::Bind { .. }
            | SetupOp::Volume { .. }
            | SetupOp::Tmpfs { .. }
            | SetupOp::Filesystem { .. }
            | SetupOp::Proc
            | SetupOp::Sysfs { .. }
            | SetupOp::CgroupFs { .. }
            | SetupOp::Devpts
            | SetupOp::Mqueue
            | SetupOp::Shm { .. }
            | SetupOp::NetworkFile { .. }
            | SetupOp::InitProgram => place.mount(&act.op),
            SetupOp::Device(_)
            | SetupOp::DevLinks
            | SetupOp::PivotRoot
            | SetupOp::MaskPath { .. }
            | SetupOp::ReadonlyPath { .. }
            | SetupOp::ReadonlyRoot
            | SetupOp::WorkingDirectory { .. } => place.arrange(&act.op),
            _ => place.identify(&act.op),
        }
    }
}

/// Where an operation is done.
struct Place<'a> {
    world: &'a SimWorld,
    container: &'a str,
    pid: Pid,
    os: SimOs,
}

const SAFE: MountFlags = MountFlags {
    read_only: false,
    bind: false,
    remount: false,
    recursive: false,
    no_suid: true,
    no_exec: true,
    no_dev: true,
};

impl Place<'_> {
    fn machine(&self) -> &Machine {
        self.world.machine()
    }

    fn point(&self, path: &str, directory: bool) -> Result<(), Fault> {
        self.machine().make_mount_point(self.pid, path, directory).during(format!("mkdir {path}"))
    }

    fn mount_at(&self, source: &str, target: &str, kind: &str, flags: MountFlags, options: &str) -> Result<(), Fault> {
        self.point(target, true)?;
        self.os.mount(source, target, kind, flags, options).during(format!("mount {kind} on {target}"))
    }

    fn bind_host(&self, host: &str, target: &str, read_only: bool, recursive: bool) -> Result<(), Fault> {
        let what = format!("mount {host} on {target}");
        let kind = self.machine().os(Machine::INIT).stat(host).during(&*what)?.kind;
        self.point(target, kind == FileKind::Directory)?;
        let flags = MountFlags { bind: true, recursive, read_only, ..MountFlags::default() };
        self.machine().bind_host(host, self.pid, target, flags).during(what)
    }

    fn mount(&self, op: &SetupOp) -> Result<(), Fault> {
        match op {
            SetupOp::MountRootfs { snapshot, .. } => {
                let merged = format!("{ROOT}/overlay2/{snapshot}/merged");
                self.point(&merged, true)?;
                let overlay = self.world.overlay(snapshot)?;
                let what = format!("mount overlay on {merged}");
                self.machine().mount_overlay(self.pid, &merged, &overlay, MountFlags::default()).during(what)?;
                self.os.chroot(&merged).during("chroot")?;
                self.os.chdir("/").during("chdir /")
            }
            SetupOp::Bind { host, target, read_only, recursive, .. } => {
                self.bind_host(host, target, *read_only, *recursive)
            }
            SetupOp::Volume { name, target, read_only, subpath } => {
                let host = match subpath.as_str() {
                    "" => super::snapshots::volume_path(name),
                    below => format!("{}/{below}", super::snapshots::volume_path(name)),
                };
                self.bind_host(&host, target, *read_only, false)
            }
            SetupOp::Tmpfs { target, options } => {
                let (flags, rest) = split_options(options);
                self.mount_at("tmpfs", target, "tmpfs", flags, &rest)
            }
            SetupOp::Filesystem { kind, device, target, options } => {
                let (flags, rest) = split_options(options);
                self.mount_at(device, target, kind, flags, &rest)
            }
            SetupOp::Proc => self.mount_at("proc", "/proc", "proc", SAFE, ""),
            SetupOp::Sysfs { .. } => {
                self.mount_at("sysfs", "/sys", "sysfs", MountFlags { read_only: !writable(op), ..SAFE }, "")
            }
            SetupOp::CgroupFs { .. } => {
                let flags = MountFlags { read_only: !writable(op), ..SAFE };
                self.mount_at("cgroup", "/sys/fs/cgroup", "cgroup2", flags, "")
            }
            SetupOp::Devpts => {
                let options = "newinstance,ptmxmode=0666,mode=0620,gid=5";
                self.mount_at("devpts", "/dev/pts", "devpts", MountFlags { no_dev: false, ..SAFE }, options)?;
                if let Some(pty) = self.world.shim(self.container).as_ref().and_then(|s| s.terminal()) {
                    pty.register(self.pid, "/dev/pts").during("name the terminal")?;
                }
                Ok(())
            }
            SetupOp::Mqueue => self.mount_at("mqueue", "/dev/mqueue", "mqueue", SAFE, ""),
            SetupOp::Shm { size } => self.mount_at("shm", "/dev/shm", "tmpfs", SAFE, &format!("mode=1777,size={size}")),
            SetupOp::NetworkFile { target } => {
                let name = target.rsplit('/').next().unwrap_or(target);
                self.bind_host(&format!("{}/{name}", SimWorld::folder(self.container)), target, false, false)
            }
            SetupOp::InitProgram => self.bind_host("/usr/bin/docker-init", "/sbin/docker-init", true, false),
            _ => Ok(()),
        }
    }

    fn arrange(&self, op: &SetupOp) -> Result<(), Fault> {
        match op {
            SetupOp::Device(node) => self.device(node),
            SetupOp::DevLinks => {
                self.point("/dev", true)?;
                for (target, path) in [
                    ("/proc/self/fd", "/dev/fd"),
                    ("/proc/self/fd/0", "/dev/stdin"),
                    ("/proc/self/fd/1", "/dev/stdout"),
                    ("/proc/self/fd/2", "/dev/stderr"),
                    ("pts/ptmx", "/dev/ptmx"),
                    ("/proc/kcore", "/dev/core"),
                ] {
                    match self.os.symlink(target, path) {
                        Err(errno) if errno != Errno::EEXIST => {
                            return Err(Fault::errno(errno, format!("symlink {path}")));
                        }
                        _ => {}
                    }
                }
                Ok(())
            }
            SetupOp::PivotRoot => self.machine().pivot_root(self.pid, "/").during("pivot_root"),
            SetupOp::MaskPath { path } => {
                let bind = MountFlags { bind: true, ..MountFlags::default() };
                match self.os.stat(path).map(|s| s.kind) {
                    Err(_) => Ok(()),
                    Ok(FileKind::Directory) => {
                        let flags = MountFlags { read_only: true, ..MountFlags::default() };
                        self.os.mount("tmpfs", path, "tmpfs", flags, "").during(format!("mask {path}"))
                    }
                    Ok(_) => self.os.mount("/dev/null", path, "", bind, "").during(format!("mask {path}")),
                }
            }
            SetupOp::ReadonlyPath { path } => {
                if self.os.stat(path).is_err() {
                    return Ok(());
                }
                let bind = MountFlags { bind: true, recursive: true, ..MountFlags::default() };
                let again = MountFlags { remount: true, read_only: true, bind: true, ..MountFlags::default() };
                self.os.mount(path, path, "", bind, "").during(format!("bind {path}"))?;
                self.os.mount(path, path, "", again, "").during(format!("make {path} read-only"))
            }
            SetupOp::ReadonlyRoot => {
                let flags = MountFlags { remount: true, read_only: true, bind: true, ..MountFlags::default() };
                self.os.mount("", "/", "", flags, "").during("make / read-only")
            }
            SetupOp::WorkingDirectory { path } => {
                self.point(path, true)?;
                self.os.chdir(path).during(format!("chdir to cwd ({path:?})"))
            }
            _ => Ok(()),
        }
    }

    fn device(&self, node: &DeviceNode) -> Result<(), Fault> {
        let what = format!("mknod {}", node.path);
        if let Some((folder, _)) = node.path.rsplit_once('/').filter(|(folder, _)| !folder.is_empty()) {
            self.point(folder, true)?;
        }
        let kind = if node.kind == 'b' { FileKind::BlockDevice } else { FileKind::CharDevice };
        match self.os.mknod(&node.path, kind, node.mode, (node.major, node.minor)) {
            Err(Errno::EEXIST) => return Ok(()),
            other => other.during(&*what)?,
        }
        self.os.chmod(&node.path, node.mode).during(&*what)?;
        self.os.chown(&node.path, Some(node.uid), Some(node.gid), false).during(what)
    }

    fn identify(&self, op: &SetupOp) -> Result<(), Fault> {
        let (machine, pid) = (self.machine(), self.pid);
        match op {
            SetupOp::Sysctl { name, value } => {
                machine.set_sysctl(pid, name, value).during(format!("open /proc/sys/{}", name.replace('.', "/")))
            }
            SetupOp::Hostname(name) => machine.set_hostname(pid, name).during("sethostname"),
            SetupOp::Domainname(name) => machine.set_domainname(pid, name).during("setdomainname"),
            SetupOp::Rlimit { limit, to } => machine.set_limit(pid, *limit, *to).during("setrlimit"),
            SetupOp::OomScoreAdj(score) => machine.set_oom_score(pid, *score).during("write oom_score_adj"),
            SetupOp::NoNewPrivileges => {
                let mut now = machine.credentials(pid).during("read credentials")?;
                now.no_new_privileges = true;
                machine.set_credentials(pid, now).during("prctl PR_SET_NO_NEW_PRIVS")
            }
            SetupOp::Capabilities(sets) => set_capabilities(machine, pid, Some(sets)).during("capset"),
            SetupOp::User { uid, gid, groups } => set_user(machine, pid, *uid, *gid, groups).during("setresuid"),
            SetupOp::Seccomp { profile, capabilities } => load_seccomp(machine, pid, profile, capabilities),
            _ => Ok(()),
        }
    }
}

/// Whether a view of the kernel is to be writable: only privileged containers have it so.
fn writable(op: &SetupOp) -> bool {
    match op {
        SetupOp::Sysfs { read_only } | SetupOp::CgroupFs { read_only } => !read_only,
        _ => false,
    }
}

/// Mount options as flags, and the rest as the file system's own.
fn split_options(options: &str) -> (MountFlags, String) {
    let mut flags = MountFlags::default();
    let mut rest = Vec::new();
    for option in options.split(',').filter(|o| !o.is_empty()) {
        match option {
            "ro" => flags.read_only = true,
            "rw" => flags.read_only = false,
            "nosuid" => flags.no_suid = true,
            "suid" => flags.no_suid = false,
            "noexec" => flags.no_exec = true,
            "exec" => flags.no_exec = false,
            "nodev" => flags.no_dev = true,
            "dev" => flags.no_dev = false,
            other => rest.push(other),
        }
    }
    (flags, rest.join(","))
}

/// Refuses the system calls that the profile refuses.
pub fn load_seccomp(machine: &Machine, pid: Pid, profile: &Seccomp, bounding: &[String]) -> Result<(), Fault> {
    let refused: Vec<(String, Errno)> = match profile {
        Seccomp::Unconfined => return Ok(()),
        Seccomp::Default if bounding.iter().any(|c| c == "CAP_SYS_ADMIN") => Vec::new(),
        Seccomp::Default => ADMIN_CALLS.iter().map(|call| (call.to_string(), Errno::EPERM)).collect(),
        Seccomp::Profile(json) => refused_by(json)?,
    };
    machine.set_seccomp(pid, refused).during("load seccomp profile")?;
    let mut now = machine.credentials(pid).during("read credentials")?;
    now.seccomp = 2;
    machine.set_credentials(pid, now).during("load seccomp profile")
}

/// The known calls that a profile in Docker's JSON form refuses.
fn refused_by(json: &str) -> Result<Vec<(String, Errno)>, Fault> {
    let malformed = |reason: String| Fault::Malformed { what: "seccomp profile".into(), reason };
    let profile: serde_json::Value = serde_json::from_str(json).map_err(|e| malformed(e.to_string()))?;
    let is_allow = |value: &serde_json::Value| matches!(value.as_str(), Some("SCMP_ACT_ALLOW" | "SCMP_ACT_LOG"));
    let refuse_rest = !is_allow(&profile["defaultAction"]);
    let no_rules = Vec::new();
    let rules = profile["syscalls"].as_array().unwrap_or(&no_rules);
    let mut refused = Vec::new();
    for call in KNOWN_CALLS {
        let names = |rule: &&serde_json::Value| {
            let listed = rule["names"].as_array().is_some_and(|all| all.iter().any(|n| n == call));
            listed || rule["name"] == call
        };
        let rule = rules.iter().rev().find(names);
        if rule.map_or(refuse_rest, |rule| !is_allow(&rule["action"])) {
            let number = rule.and_then(|rule| rule["errnoRet"].as_i64()).unwrap_or(1);
            refused.push((call.to_string(), Errno::from_number(number as i32)));
        }
    }
    Ok(refused)
}
