//! Acts on processes: control groups, the held process that becomes a container, exec, signals, release.

use super::shim::{Shim, Streams};
use super::{During, SimWorld, set_capabilities, set_user};
use crate::sim::kernel::{CgroupId, Machine, NamespaceChoice, Spawn, StdStream};
use crate::world::acts::*;
use crate::world::{Fault, Performs, Queries};
use cutaway_userland::Errno;
use cutaway_userland::os::{Os, Pid, WindowSize};
use std::rc::Rc;

/// The search path of a program without one in its environment.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// A terminal's size until a client tells its own.
const FIRST_SIZE: WindowSize = WindowSize { rows: 24, columns: 80 };

impl SimWorld {
    fn cgroup(&self, container: &str) -> Result<CgroupId, Fault> {
        let group = self.0.kept.borrow().cgroups.get(container).copied();
        group.ok_or_else(|| Fault::errno(Errno::ENOENT, format!("find control group of {container}")))
    }

    fn namespace_choice(&self, namespaces: &[Namespace], kind: NamespaceKind) -> Result<NamespaceChoice, Fault> {
        match namespaces.iter().find(|n| n.kind == kind).map(|n| &n.source) {
            None | Some(NamespaceSource::Host) => Ok(NamespaceChoice::Inherit),
            Some(NamespaceSource::New) => Ok(NamespaceChoice::New),
            Some(NamespaceSource::Container(other)) => Ok(NamespaceChoice::Of(self.init(other)?)),
        }
    }

    /// The ends of the standard streams: the process's, and the world's.
    fn streams(&self, tty: bool, stdin: bool) -> ([StdStream; 3], Streams, Vec<i32>) {
        if tty {
            let pty = self.machine().open_pty(FIRST_SIZE);
            let end = || StdStream::Pty(pty.clone());
            return ([end(), end(), end()], Streams::Terminal(pty.clone()), Vec::new());
        }
        let (out_read, out_write) = self.machine().pipe();
        let (err_read, err_write) = self.machine().pipe();
        let theirs = |fd| StdStream::Fd(Machine::INIT, fd);
        let mut passed = vec![out_write, err_write];
        let (input, own_input) = match stdin {
            true => {
                let (read, write) = self.machine().pipe();
                passed.push(read);
                (theirs(read), Some(write))
            }
            false => (StdStream::Null, None),
        };
        let streams = Streams::Pipes { input: own_input, output: [out_read, err_read] };
        ([input, theirs(out_write), theirs(err_write)], streams, passed)
    }

    /// Finds and starts the program of a held process.
    fn start_program(&self, pid: Pid, argv: &[String], env: &[(String, String)]) -> Result<(), Fault> {
        let name = argv.first().cloned().unwrap_or_default();
        let path = env.iter().rev().find(|(n, _)| n == "PATH").map_or(DEFAULT_PATH, |(_, v)| v);
        let what = format!("exec {name}");
        let found = self.machine().find_program(pid, &name, path).during(&*what)?;
        self.machine().exec(pid, &found, argv, env).during(what)
    }
}

impl Performs<CreateCgroup> for SimWorld {
    async fn perform(&self, act: CreateCgroup) -> Result<(), Fault> {
        let machine = self.machine();
        let parent = act.parent.as_deref().unwrap_or("docker");
        let parent = parent.split('/').filter(|part| !part.is_empty());
        let parent = parent.fold(Machine::ROOT_CGROUP, |above, name| machine.make_cgroup(above, name));
        let group = machine.make_cgroup(parent, &act.container);
        self.0.kept.borrow_mut().cgroups.insert(act.container, group);
        Ok(())
    }
}

impl Performs<WriteLimit> for SimWorld {
    async fn perform(&self, act: WriteLimit) -> Result<(), Fault> {
        let group = self.cgroup(&act.container)?;
        self.machine().limit_cgroup(group, &act.limit).during("write limit")
    }
}

impl Performs<Freeze> for SimWorld {
    async fn perform(&self, act: Freeze) -> Result<(), Fault> {
        let group = self.cgroup(&act.container)?;
        self.machine().freeze_cgroup(group, act.frozen);
        Ok(())
    }
}

impl Performs<RemoveCgroup> for SimWorld {
    async fn perform(&self, act: RemoveCgroup) -> Result<(), Fault> {
        let group = self.0.kept.borrow_mut().cgroups.remove(&act.container);
        match group.map(|group| self.machine().remove_cgroup(group)) {
            Some(Err(errno)) if errno != Errno::ENOENT => Err(Fault::errno(errno, "remove control group")),
            _ => Ok(()),
        }
    }
}

impl Performs<CloneInit> for SimWorld {
    async fn perform(&self, act: CloneInit) -> Result<i32, Fault> {
        let of = |kind| self.namespace_choice(&act.namespaces, kind);
        let (stdio, streams, passed) = self.streams(act.stdio.tty, act.stdio.stdin);
        let spawn = Spawn {
            parent: Machine::INIT,
            mount: of(NamespaceKind::Mount)?,
            pid: of(NamespaceKind::Pid)?,
            network: of(NamespaceKind::Network)?,
            uts: of(NamespaceKind::Uts)?,
            ipc: of(NamespaceKind::Ipc)?,
            user: of(NamespaceKind::User)?,
            cgroup_namespace: of(NamespaceKind::Cgroup)?,
            cgroup: self.cgroup(&act.container)?,
            stdio,
            session: true,
            root_of: None,
        };
        let fresh_network = spawn.network == NamespaceChoice::New;
        let pid = self.adopt(spawn, passed)?;
        if fresh_network {
            // As every runtime does: without it a container could not even talk to itself.
            let ns = self.machine().network_of(pid).during("open network namespace")?;
            self.machine().set_up(&ns, "lo", true).during("switch on lo")?;
        }
        let log = (act.stdio.log, self.log_of(&act.container), self.log_path(&act.container));
        let watch = self.machine().watch_exit(pid).ok_or(Fault::errno(Errno::ESRCH, "watch process"))?;
        let once = act.stdio.stdin_once;
        let shim = Shim::start(self.machine(), pid, watch, streams, once, Some(log));
        self.0.kept.borrow_mut().shims.insert(act.container.clone(), shim);
        // Also where no other network follows, the loopback is there.
        let network = self.network_of(&act.container)?;
        self.machine().set_up(&network, "lo", true).during("switch lo on")?;
        Ok(pid)
    }
}

impl SimWorld {
    /// Makes the process and closes the ends of pipes that are now its own.
    fn adopt(&self, spawn: Spawn, passed: Vec<i32>) -> Result<Pid, Fault> {
        let pid = self.machine().spawn(spawn);
        let host = self.machine().os(Machine::INIT);
        for fd in passed {
            let _ = host.close(fd);
        }
        pid.during("clone process")
    }
}

impl Performs<Exec> for SimWorld {
    async fn perform(&self, act: Exec) -> Result<(), Fault> {
        let pid = self.init(&act.container)?;
        self.start_program(pid, &act.argv, &act.env)
    }
}

impl Performs<ExecIn> for SimWorld {
    async fn perform(&self, act: ExecIn) -> Result<i32, Fault> {
        let init = self.init(&act.container)?;
        let (stdio, streams, passed) = self.streams(act.tty, act.stdin);
        let own = NamespaceChoice::Of(init);
        let spawn = Spawn {
            parent: Machine::INIT,
            mount: own,
            pid: own,
            network: own,
            uts: own,
            ipc: own,
            user: own,
            cgroup_namespace: own,
            cgroup: self.cgroup(&act.container)?,
            stdio,
            session: true,
            root_of: Some(init),
        };
        let pid = self.adopt(spawn, passed)?;
        match self.prepare_exec(pid, &act) {
            Ok(()) => {
                let watch = self.machine().watch_exit(pid).ok_or(Fault::errno(Errno::ESRCH, "watch process"))?;
                let shim = Shim::start(self.machine(), pid, watch, streams, true, None);
                self.0.kept.borrow_mut().shims.insert(act.exec.0, shim);
                Ok(pid)
            }
            Err(fault) => {
                let _ = self.machine().kill(pid, cutaway_userland::os::Signal::KILL);
                if let Streams::Pipes { input, output } = streams {
                    let host = self.machine().os(Machine::INIT);
                    for fd in input.into_iter().chain(output) {
                        let _ = host.close(fd);
                    }
                }
                Err(fault)
            }
        }
    }
}

impl SimWorld {
    fn prepare_exec(&self, pid: Pid, act: &ExecIn) -> Result<(), Fault> {
        let machine = self.machine();
        for (limit, to) in &act.limits {
            machine.set_limit(pid, *limit, *to).during("setrlimit")?;
        }
        machine.set_oom_score(pid, act.oom_score_adj).during("write oom_score_adj")?;
        set_capabilities(machine, pid, act.capabilities.as_ref()).during("set capabilities")?;
        set_user(machine, pid, act.uid, act.gid, &act.groups).during("set user")?;
        if act.no_new_privileges {
            let mut now = machine.credentials(pid).during("read credentials")?;
            now.no_new_privileges = true;
            machine.set_credentials(pid, now).during("set no_new_privs")?;
        }
        let bounding = act.capabilities.as_ref().map_or(&[][..], |c| &c.bounding);
        super::setup::load_seccomp(machine, pid, &act.seccomp, bounding)?;
        machine.os(pid).chdir(&act.cwd).during(format!("chdir to cwd ({:?})", act.cwd))?;
        self.start_program(pid, &act.argv, &act.env)
    }
}

impl Performs<DeliverSignal> for SimWorld {
    async fn perform(&self, act: DeliverSignal) -> Result<(), Fault> {
        let pid = self.init(&act.container)?;
        self.machine().kill(pid, act.signal).during(format!("kill process {pid}"))
    }
}

impl Performs<ReleaseContainer> for SimWorld {
    async fn perform(&self, act: ReleaseContainer) -> Result<(), Fault> {
        let group = self.0.kept.borrow().cgroups.get(&act.container).copied();
        if let Some(group) = group {
            self.machine().kill_cgroup(group);
        }
        let shim: Option<Rc<Shim>> = self.0.kept.borrow_mut().shims.remove(&act.container);
        if let Some(shim) = shim {
            let _ = self.machine().kill(shim.pid(), cutaway_userland::os::Signal::KILL);
            shim.exit().await;
        }
        Ok(())
    }
}
