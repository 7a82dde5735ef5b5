//! Starting a container's first process.
//!
//! The supervisor may have worker threads, and a copy of a process with threads must not do much before it
//! executes. So it forks in two steps: an ordinary `fork`, which the C library makes safe, gives a helper
//! with a single thread; the helper joins what is shared with other containers and clones the first process
//! into the new namespaces, as a child of the supervisor (`CLONE_PARENT`), and is gone. The first process puts itself
//! into its control groups where it was not born in one.

use super::init::{self, Birth, leave, never_return};
use super::log::LogWriter;
use super::state::{self, State};
use super::streams::{Hub, Sink};
use super::{Running, wire};
use crate::sys::{self, OrFault};
use crate::world::LinuxWorld;
use cutaway_core::world::acts::{CloneInit, LogDriver, Namespace, NamespaceKind, NamespaceSource};
use cutaway_core::world::{Fault, Performs};
use nix::Result as SysResult;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{ForkResult, fork, pipe2};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;

/// The inner and outer ends of three pipes.
pub struct Pipes {
    pub inner: [OwnedFd; 3],
    pub stdin: Option<OwnedFd>,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// Pipes for a process's streams; without standard input it reads `/dev/null`.
pub fn make_pipes(with_input: bool) -> SysResult<Pipes> {
    let (stdout, out) = pipe2(OFlag::O_CLOEXEC)?;
    let (stderr, err) = pipe2(OFlag::O_CLOEXEC)?;
    let (input, stdin) = if with_input {
        let (input, stdin) = pipe2(OFlag::O_CLOEXEC)?;
        (input, Some(stdin))
    } else {
        (sys::openat2(sys::cwd(), b"/dev/null", libc::O_RDONLY, 0, 0)?, None)
    };
    Ok(Pipes { inner: [input, out, err], stdin, stdout, stderr })
}

/// Everything that the helper does, decided before it is made.
struct Plan {
    flags: i32,
    /// Namespaces to join before: of which process, and which.
    join: Vec<(OwnedFd, i32)>,
    birth: Birth,
    cgroup: Option<OwnedFd>,
    cgroup_files: Vec<PathBuf>,
}

fn flag_of(kind: NamespaceKind) -> i32 {
    match kind {
        NamespaceKind::Mount => libc::CLONE_NEWNS,
        NamespaceKind::Pid => libc::CLONE_NEWPID,
        NamespaceKind::Network => libc::CLONE_NEWNET,
        NamespaceKind::Uts => libc::CLONE_NEWUTS,
        NamespaceKind::Ipc => libc::CLONE_NEWIPC,
        NamespaceKind::User => libc::CLONE_NEWUSER,
        NamespaceKind::Cgroup => libc::CLONE_NEWCGROUP,
    }
}

fn has(namespaces: &[Namespace], kind: NamespaceKind, source: &NamespaceSource) -> bool {
    namespaces.iter().any(|n| n.kind == kind && n.source == *source)
}

impl LinuxWorld {
    fn plan(&self, act: &CloneInit) -> Result<Plan, Fault> {
        let (mut flags, mut join) = (0, Vec::new());
        for namespace in &act.namespaces {
            match &namespace.source {
                NamespaceSource::Host => {}
                NamespaceSource::New => match namespace.kind {
                    // Only once it is in its group: see `SetupOp::CgroupFs`.
                    NamespaceKind::Cgroup => {}
                    // An ordinary user's engine is in one already.
                    NamespaceKind::User if self.store.rootless => {}
                    NamespaceKind::User => {
                        let why = "a user namespace for each container is not supported when run by root";
                        return Err(Fault::Unsupported(why.into()));
                    }
                    kind => flags |= flag_of(kind),
                },
                NamespaceSource::Container(id) => {
                    let pidfd = sys::pidfd_open(self.pid_of(id)?).or_fault(format!("open container {id:.12}"))?;
                    join.push((pidfd, flag_of(namespace.kind)));
                }
            }
        }
        let birth = Birth {
            own_mounts: has(&act.namespaces, NamespaceKind::Mount, &NamespaceSource::New),
            own_network: has(&act.namespaces, NamespaceKind::Network, &NamespaceSource::New),
            shares_processes: !has(&act.namespaces, NamespaceKind::Pid, &NamespaceSource::New),
        };
        let cgroup = self.cgroups.birthplace(&act.container);
        let cgroup_files = if cgroup.is_some() {
            Vec::new()
        } else {
            self.cgroups.folders(&act.container).iter().map(|f| f.join("tasks")).collect()
        };
        Ok(Plan { flags, join, birth, cgroup, cgroup_files })
    }

    /// Where the output of a container goes, besides to who is attached.
    fn log_sink(&self, id: &str, driver: LogDriver) -> Result<Option<Sink>, Fault> {
        if driver == LogDriver::None {
            return Ok(None);
        }
        let path = self.log_file(id)?;
        let log = LogWriter::open(&path).or_fault(format!("open {}", path.display()))?;
        Ok(Some(Rc::new(move |from, bytes: &[u8]| log.take(from, bytes))))
    }
}

/// Moves this process into control groups, by their files `tasks`: a thread that moves itself spares the kernel
/// the wait, of ten milliseconds and more, that moving another process takes.
pub fn join_groups(files: &[PathBuf]) -> SysResult<()> {
    files.iter().try_for_each(|file| std::fs::write(file, "0").map_err(|e| sys::errno_of(&e)))
}

/// Runs in the helper: clones the first process, reports its id, ends. The first process reports, too: how
/// joining its groups went.
fn help(plan: Plan, streams: [OwnedFd; 3], channel: OwnedFd, report: OwnedFd) -> ! {
    let say = |value: i32| {
        let _ = nix::unistd::write(&report, &value.to_le_bytes());
    };
    for (process, flag) in &plan.join {
        if let Err(e) = sys::setns(process, *flag) {
            say(-(e as i32));
            leave(1);
        }
    }
    // SAFETY: this process is the child of a fork and has one thread.
    let cloned = unsafe {
        use std::os::fd::AsFd;
        sys::clone_process(plan.flags, plan.cgroup.as_ref().map(AsFd::as_fd), true)
    };
    match cloned {
        Err(e) => {
            say(-(e as i32));
            leave(1)
        }
        Ok(0) => {
            for (fd, stream) in streams.iter().zip(0..) {
                let _ = sys::dup_onto(fd, stream);
            }
            let joined = join_groups(&plan.cgroup_files);
            say(joined.map_or_else(|e| -(e as i32), |()| 0));
            init::run(channel, plan.birth)
        }
        Ok(pid) => {
            say(pid);
            leave(0)
        }
    }
}

/// Starts the helper; gives the first process's id once that is in its groups.
fn launch(plan: Plan, streams: [OwnedFd; 3], channel: OwnedFd) -> SysResult<i32> {
    let (report, theirs) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: the child only does what `help` does, and the C library's fork keeps its locks usable there.
    match unsafe { fork() }? {
        ForkResult::Child => never_return(move || help(plan, streams, channel, theirs)),
        ForkResult::Parent { child } => {
            drop((theirs, channel, streams));
            let mut report = File::from(report);
            let mut hear = || -> SysResult<i32> {
                let mut answer = [0; 4];
                report.read_exact(&mut answer).map_err(|_| Errno::ECHILD)?;
                let value = i32::from_le_bytes(answer);
                if value < 0 { Err(Errno::from_raw(-value)) } else { Ok(value) }
            };
            // Two reports, one of which is 0; which of the two processes is faster is open.
            let heard = hear().and_then(|one| hear().map(|other| one.max(other)));
            let _ = nix::sys::wait::waitpid(child, None);
            heard
        }
    }
}

impl Performs<CloneInit> for LinuxWorld {
    async fn perform(&self, act: CloneInit) -> Result<i32, Fault> {
        let id = act.container.clone();
        crate::world::store::plain_name(&id)?;
        let what = format!("start container {id:.12}");
        let plan = self.plan(&act)?;
        let own_cgroup = has(&act.namespaces, NamespaceKind::Cgroup, &NamespaceSource::New);
        let log = self.log_sink(&id, act.stdio.log)?;
        let pipes = make_pipes(act.stdio.stdin && !act.stdio.tty).or_fault(what.clone())?;
        let (ours, theirs) = wire::pair().or_fault(what.clone())?;
        let pid = launch(plan, pipes.inner, theirs).or_fault(what.clone())?;
        let hub = Hub::new(act.stdio.clone(), false);
        let running = Rc::new(Running::new(pid, hub.clone(), own_cgroup).or_fault(what.clone())?);
        *running.channel.borrow_mut() = Some(wire::Channel::from(ours));
        if act.stdio.tty {
            // Its terminal is opened inside, in a while.
            self.waiting_logs.borrow_mut().extend(log.map(|log| (id.clone(), log)));
        } else {
            hub.pipes(pipes.stdin, pipes.stdout, pipes.stderr, log);
        }
        self.running.borrow_mut().insert(id.clone(), running.clone());
        state::write(&self.runtime, &id, &State::of(pid, act.stdio.tty)).or_fault(what.clone())?;
        state::write_supervisor(&self.runtime, &id).or_fault(what)?;
        self.serve_attach(&id, &running);
        let (cgroups, runtime, key) = (self.cgroups.clone(), self.runtime.clone(), id.clone());
        tokio::task::spawn_local(
            running.watch_over(
                move || cgroups.oom_kills(&id) > 0,
                move |exit| drop(state::write_exit(&runtime, &key, exit)),
            ),
        );
        Ok(pid)
    }
}

impl LinuxWorld {
    /// Lets other processes attach to the container's streams.
    fn serve_attach(&self, id: &str, running: &Rc<Running>) {
        let folder = state::folder(&self.runtime, id);
        let _ = std::fs::remove_file(folder.join("attach"));
        // Socket names are short; the folder's may be long.
        let Ok(opened) = File::open(&folder) else { return };
        let path = format!("{}/attach", sys::fd_path(&opened));
        let Ok(listener) = tokio::net::UnixListener::bind(path) else { return };
        let weak = Rc::downgrade(running);
        running.keep_task(tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Some(running) = weak.upgrade() else { return };
                let console = running.hub.connect();
                tokio::task::spawn_local(super::streams::serve(stream, console));
            }
        }));
    }
}
