//! Setting up the first process: each operation put into the host's terms and sent to it.

use super::identity;
use super::wire::{CapabilityMasks, InitOp};
use crate::sys::{self, OrFault};
use crate::world::store::overlay::Overlay;
use crate::world::{LinuxWorld, seccomp};
use cutaway_core::world::acts::{Capabilities, Exec, Setup, SetupOp};
use cutaway_core::world::{Fault, Performs};
use cutaway_userland::os::Limit;
use nix::errno::Errno;

/// Sets of capabilities as masks.
pub fn masks(sets: &Capabilities) -> Result<CapabilityMasks, Fault> {
    let mask = |names: &[String]| {
        identity::mask(names).map_err(|name| Fault::Malformed {
            what: "capabilities".into(),
            reason: format!("there is no capability {name}"),
        })
    };
    Ok(CapabilityMasks {
        bounding: mask(&sets.bounding)?,
        effective: mask(&sets.effective)?,
        permitted: mask(&sets.permitted)?,
        inheritable: mask(&sets.inheritable)?,
        ambient: mask(&sets.ambient)?,
    })
}

/// The kernel's number of a limit.
pub fn resource(limit: Limit) -> u32 {
    match limit {
        Limit::Cpu => libc::RLIMIT_CPU,
        Limit::FileSize => libc::RLIMIT_FSIZE,
        Limit::Data => libc::RLIMIT_DATA,
        Limit::Stack => libc::RLIMIT_STACK,
        Limit::Core => libc::RLIMIT_CORE,
        Limit::Rss => libc::RLIMIT_RSS,
        Limit::Processes => libc::RLIMIT_NPROC,
        Limit::OpenFiles => libc::RLIMIT_NOFILE,
        Limit::LockedMemory => libc::RLIMIT_MEMLOCK,
        Limit::AddressSpace => libc::RLIMIT_AS,
        Limit::FileLocks => libc::RLIMIT_LOCKS,
        Limit::PendingSignals => libc::RLIMIT_SIGPENDING,
        Limit::MessageQueues => libc::RLIMIT_MSGQUEUE,
        Limit::Nice => libc::RLIMIT_NICE,
        Limit::RealtimePriority => libc::RLIMIT_RTPRIO,
        Limit::RealtimeTimeout => libc::RLIMIT_RTTIME,
    }
}

impl LinuxWorld {
    /// An operation in the host's terms.
    fn translate(&self, container: &str, op: SetupOp) -> Result<InitOp, Fault> {
        let text = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
        Ok(match op {
            SetupOp::MountRootfs { snapshot, passing } => {
                InitOp::Rootfs { overlay: Overlay { passing, ..self.store.overlay(&snapshot)? } }
            }
            SetupOp::Bind { host, target, read_only, recursive, propagation } => {
                InitOp::Bind { host, subpath: String::new(), target, read_only, recursive, propagation }
            }
            SetupOp::Volume { name, target, read_only, subpath } => InitOp::Bind {
                host: text(self.store.volume(&name)?.join("_data")),
                subpath,
                target,
                read_only,
                recursive: false,
                propagation: "private".into(),
            },
            SetupOp::Tmpfs { target, options } => InitOp::Tmpfs { target, options },
            SetupOp::Filesystem { kind, device, target, options } => {
                InitOp::Filesystem { kind, device, target, options }
            }
            SetupOp::Proc => InitOp::Proc,
            SetupOp::Sysfs { read_only } => InitOp::Sysfs { read_only },
            SetupOp::CgroupFs { read_only } => InitOp::CgroupFs {
                read_only,
                v1: self.cgroups.v1_view(container),
                own_namespace: self.local(container)?.own_cgroup_namespace,
            },
            SetupOp::Devpts => InitOp::Devpts,
            SetupOp::Mqueue => InitOp::Mqueue,
            SetupOp::Shm { size } => InitOp::Shm { size },
            SetupOp::Device(node) => InitOp::Device {
                path: node.path,
                kind: node.kind,
                major: node.major,
                minor: node.minor,
                mode: node.mode,
                uid: node.uid,
                gid: node.gid,
                host: node.host,
            },
            SetupOp::DevLinks => InitOp::DevLinks,
            SetupOp::NetworkFile { target } => {
                let name = target.rsplit('/').next().unwrap_or(&target).to_string();
                let host = text(self.store.container(container)?.join(name));
                bind_file(host, target, false)
            }
            SetupOp::InitProgram => bind_file(
                text(crate::world::store::carried::init_program(&self.store)?),
                "/sbin/docker-init".into(),
                true,
            ),
            SetupOp::PivotRoot => InitOp::PivotRoot { terminal: self.local(container)?.hub.stdio.tty },
            SetupOp::MaskPath { path } => InitOp::Mask { path },
            SetupOp::ReadonlyPath { path } => InitOp::ReadonlyPath { path },
            SetupOp::ReadonlyRoot => InitOp::ReadonlyRoot,
            SetupOp::Sysctl { name, value } => InitOp::Sysctl { name, value },
            SetupOp::Hostname(name) => InitOp::Hostname(name),
            SetupOp::Domainname(name) => InitOp::Domainname(name),
            SetupOp::Rlimit { limit, to } => InitOp::Rlimit {
                resource: resource(limit),
                soft: to.soft.unwrap_or(u64::MAX),
                hard: to.hard.unwrap_or(u64::MAX),
            },
            SetupOp::OomScoreAdj(n) => InitOp::OomScoreAdj(n),
            SetupOp::WorkingDirectory { path } => InitOp::WorkingDirectory { path },
            SetupOp::NoNewPrivileges => InitOp::NoNewPrivileges,
            SetupOp::Capabilities(sets) => InitOp::Capabilities(masks(&sets)?),
            SetupOp::User { uid, gid, groups } => InitOp::User { uid, gid, groups },
            SetupOp::Seccomp { profile, capabilities } => {
                InitOp::Seccomp { program: seccomp::compile(&profile, &capabilities)? }
            }
        })
    }

    /// Sends one operation to the first process.
    fn tell(&self, container: &str, op: &InitOp) -> Result<(), Fault> {
        let running = self.local(container)?;
        let channel = running.channel.borrow();
        let channel = channel.as_ref().ok_or_else(|| gone(container))?;
        channel.send(op).map_err(|_| gone(container))?;
        running.unanswered.set(running.unanswered.get() + 1);
        Ok(())
    }

    /// Waits for the answers to all that was sent; the first refusal is the error.
    pub(crate) fn answers(&self, container: &str) -> Result<(), Fault> {
        let running = self.local(container)?;
        while let Some(left) = running.unanswered.get().checked_sub(1) {
            let outcome = {
                let channel = running.channel.borrow();
                let channel = channel.as_ref().ok_or_else(|| gone(container))?;
                channel.outcome().or_fault("hear from the first process")?
            };
            running.unanswered.set(left);
            match outcome {
                Some(Ok(None)) => {}
                Some(Ok(Some(terminal))) => {
                    let log = self.waiting_logs.borrow_mut().remove(container);
                    running.hub.terminal(terminal, log);
                }
                Some(Err(refusal)) => return Err(sys::fault(refusal.errno, refusal.what)),
                None => return Err(gone(container)),
            }
        }
        Ok(())
    }
}

fn gone(container: &str) -> Fault {
    sys::fault(Errno::ESRCH, format!("container {container:.12}: its first process"))
}

fn bind_file(host: String, target: String, read_only: bool) -> InitOp {
    let propagation = "private".into();
    InitOp::Bind { host, subpath: String::new(), target, read_only, recursive: false, propagation }
}

impl Performs<Setup> for LinuxWorld {
    async fn perform(&self, act: Setup) -> Result<(), Fault> {
        let op = self.translate(&act.container, act.op)?;
        self.tell(&act.container, &op)?;
        // Where nobody watches, the first process works on while the next operation is being prepared.
        if self.hurries.get() { Ok(()) } else { self.answers(&act.container) }
    }
}

impl Performs<Exec> for LinuxWorld {
    async fn perform(&self, act: Exec) -> Result<(), Fault> {
        self.answers(&act.container)?;
        let running = self.local(&act.container)?;
        self.tell(&act.container, &InitOp::Exec { argv: act.argv, env: act.env })?;
        // The socket is closed by the successful execve, or by the end of the process.
        let heard = running.channel.borrow().as_ref().map(|c| c.outcome());
        match heard.transpose().or_fault("hear from the first process")?.flatten() {
            Some(Err(refusal)) => return Err(sys::fault(refusal.errno, refusal.what)),
            _ => *running.channel.borrow_mut() = None,
        }
        Ok(())
    }
}
