//! A further process in a running container: into its group, into its namespaces, then like the first one.
//!
//! The helper of a fork joins, because joining changes the process that does it; the new process is born
//! inside as a child of the supervisor. Until it has executed the program nobody in the container may look
//! into it: it is not dumpable, and holds no descriptors of the host but its socket.

use super::identity::Identity;
use super::init::{self, Told, leave, never_return};
use super::start::{join_groups, make_pipes};
use super::streams::Hub;
use super::wire::{self, CapabilityMasks, Channel, Refusal};
use super::{Running, setup};
use crate::sys::{self, OrFault};
use crate::world::{LinuxWorld, seccomp};
use cutaway_core::world::acts::{CAPABILITIES, ExecIn, LogDriver, Stdio};
use cutaway_core::world::{Fault, Performs};
use nix::Result as SysResult;
use nix::errno::Errno;
use nix::unistd::{ForkResult, fork};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;

/// Everything that the helper and the new process need, decided before.
struct Plan {
    target: OwnedFd,
    namespaces: i32,
    cgroup: Option<OwnedFd>,
    cgroup_files: Vec<PathBuf>,
    masks: Option<CapabilityMasks>,
    filter: Vec<u8>,
    act: ExecIn,
}

/// The namespaces of a process that are not ours already: joining one's own may be refused.
fn foreign_namespaces(pid: i32) -> i32 {
    let kinds = [
        ("mnt", libc::CLONE_NEWNS),
        ("pid", libc::CLONE_NEWPID),
        ("net", libc::CLONE_NEWNET),
        ("uts", libc::CLONE_NEWUTS),
        ("ipc", libc::CLONE_NEWIPC),
        ("cgroup", libc::CLONE_NEWCGROUP),
    ];
    let link = |of: &str, name: &str| std::fs::read_link(format!("/proc/{of}/ns/{name}")).ok();
    let pid = pid.to_string();
    kinds.iter().filter(|(name, _)| link(&pid, name) != link("self", name)).fold(0, |all, (_, flag)| all | flag)
}

/// The helper: joins, and starts the process.
fn help(plan: Plan, streams: [OwnedFd; 3], channel: OwnedFd, report: OwnedFd) -> ! {
    let say = |value: i32| {
        let _ = nix::unistd::write(&report, &value.to_le_bytes());
    };
    if plan.act.oom_score_adj != 0 {
        // Before the container's own /proc is the one to be seen, and while the process may still write there.
        let _ = std::fs::write("/proc/self/oom_score_adj", plan.act.oom_score_adj.to_string());
    }
    let _ = sys::prctl(libc::PR_SET_DUMPABLE, 0, 0);
    if let Err(e) = join_groups(&plan.cgroup_files) {
        say(-(e as i32));
        leave(1);
    }
    let started = sys::setns(&plan.target, plan.namespaces).and_then(|()| {
        // SAFETY: this process is the child of a fork and has one thread.
        unsafe { sys::clone_process(0, plan.cgroup.as_ref().map(AsFd::as_fd), true) }
    });
    match started {
        Err(e) => {
            say(-(e as i32));
            leave(1)
        }
        Ok(0) => {
            for (fd, stream) in streams.iter().zip(0..) {
                let _ = sys::dup_onto(fd, stream);
            }
            let channel = init::forget_supervisor(channel);
            let channel = Channel::from(channel);
            let refusal = become_program(&plan, &channel);
            let _ = channel.answer(Err(refusal));
            leave(127)
        }
        Ok(pid) => {
            // The helper itself is still in the host's pid namespace: so is this id.
            say(pid);
            leave(0)
        }
    }
}

/// Becomes the program; what is returned is why that failed.
fn become_program(plan: &Plan, channel: &Channel) -> Refusal {
    let act = &plan.act;
    let mut identity = Identity::default();
    let mut prepare = || -> Result<(), Refusal> {
        if act.tty {
            let root = sys::openat2(sys::cwd(), b"/", libc::O_PATH | libc::O_DIRECTORY, 0, 0);
            let root = root.told(|| "open /".into())?;
            let (outer, inner) = init::open_terminal(root).told(|| "open a terminal".into())?;
            let _ = nix::unistd::fchown(&inner, Some(act.uid.into()), None);
            init::take_terminal(&inner).told(|| "take the terminal".into())?;
            channel.answer(Ok(Some(outer))).told(|| "hand over the terminal".into())?;
        } else {
            for stream in [0, 1, 2] {
                // SAFETY: the standard streams are open throughout this process.
                init::own_stream(unsafe { std::os::fd::BorrowedFd::borrow_raw(stream) }, act.uid);
            }
        }
        change_directory(&act.cwd).told(|| format!("chdir to cwd ({:?})", act.cwd))?;
        for (limit, to) in &act.limits {
            let (soft, hard) = (to.soft.unwrap_or(u64::MAX), to.hard.unwrap_or(u64::MAX));
            super::identity::set_limit(setup::resource(*limit), soft, hard).told(|| "set resource limit".into())?;
        }
        if act.no_new_privileges {
            sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).told(|| "set no_new_privs".into())?;
        }
        if let Some(masks) = plan.masks {
            identity.bound(masks).told(|| "drop capabilities".into())?;
        }
        identity.become_user(act.uid, act.gid, &act.groups).told(|| format!("become user {}:{}", act.uid, act.gid))?;
        super::identity::load_filter(&plan.filter).told(|| "load seccomp filter".into())?;
        identity.finish().told(|| "set capabilities".into())
    };
    match prepare() {
        Err(refusal) => refusal,
        Ok(()) => Refusal {
            errno: init::execute(&act.argv, &act.env),
            what: format!("exec {:?}", act.argv.first().map_or("", |s| s)),
        },
    }
}

/// Goes to a folder of the container, and makes sure that it is one.
fn change_directory(path: &str) -> SysResult<()> {
    nix::unistd::chdir(if path.is_empty() { "/" } else { path })?;
    let now = nix::unistd::getcwd()?;
    if now.starts_with("/") { Ok(()) } else { Err(Errno::ENOENT) }
}

/// Starts the helper; gives the new process's id on the host.
fn launch(plan: Plan, streams: [OwnedFd; 3], channel: OwnedFd) -> SysResult<i32> {
    use std::io::Read;
    let (report, theirs) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    // SAFETY: the child only does what `help` does, and the C library's fork keeps its locks usable there.
    match unsafe { fork() }? {
        ForkResult::Child => never_return(move || help(plan, streams, channel, theirs)),
        ForkResult::Parent { child } => {
            drop((theirs, channel, streams));
            let mut answer = [0; 4];
            let read = std::fs::File::from(report).read_exact(&mut answer);
            let _ = nix::sys::wait::waitpid(child, None);
            match (read, i32::from_le_bytes(answer)) {
                (Ok(()), pid) if pid > 0 => Ok(pid),
                (Ok(()), code) => Err(Errno::from_raw(-code)),
                (Err(_), _) => Err(Errno::ECHILD),
            }
        }
    }
}

impl Performs<ExecIn> for LinuxWorld {
    async fn perform(&self, act: ExecIn) -> Result<i32, Fault> {
        let id = act.container.clone();
        let what = format!("exec in container {id:.12}");
        let pid = self.pid_of(&id)?;
        let target = sys::pidfd_open(pid).or_fault(what.clone())?;
        self.pid_of(&id)?;
        let cgroup = self.cgroups.birthplace(&id);
        let cgroup_files = if cgroup.is_some() {
            Vec::new()
        } else {
            self.cgroups.folders(&id).iter().map(|f| f.join("tasks")).collect()
        };
        let bounding = act
            .capabilities
            .as_ref()
            .map_or_else(|| CAPABILITIES.iter().map(|n| n.to_string()).collect(), |c| c.bounding.clone());
        let plan = Plan {
            target,
            namespaces: foreign_namespaces(pid),
            cgroup,
            cgroup_files,
            masks: act.capabilities.as_ref().map(setup::masks).transpose()?,
            filter: seccomp::compile(&act.seccomp, &bounding)?,
            act: act.clone(),
        };
        let stdio = Stdio { tty: act.tty, stdin: act.stdin, stdin_once: true, log: LogDriver::None };
        let pipes = make_pipes(act.stdin && !act.tty).or_fault(what.clone())?;
        let (ours, theirs) = wire::pair().or_fault(what.clone())?;
        let pid = launch(plan, pipes.inner, theirs).or_fault(what.clone())?;
        let hub = Hub::new(stdio, true);
        let running = Rc::new(Running::new(pid, hub.clone(), false).or_fault(what.clone())?);
        let channel = Channel::from(ours);
        // Nothing said before the end of the socket means that the program runs.
        let outcome = loop {
            match channel.outcome().or_fault(what.clone())? {
                Some(Ok(Some(terminal))) => hub.terminal(terminal, None),
                Some(Ok(None)) => {}
                Some(Err(refusal)) => break Err(sys::fault(refusal.errno, refusal.what)),
                None => break Ok(pid),
            }
        };
        if !act.tty {
            hub.pipes(pipes.stdin, pipes.stdout, pipes.stderr, None);
        }
        if outcome.is_ok() {
            self.execs.borrow_mut().insert(act.exec.0, running.clone());
        }
        tokio::task::spawn_local(running.watch_over(|| false, |_| {}));
        outcome
    }
}
