//! Processes, as the world makes and changes them from outside.

use super::{ExitWatch, Machine, ProcessInfo, PtyMaster, Spawn};
use crate::sim::kernel::cred::Credentials;
use crate::sim::kernel::os::SimOs;
use crate::sim::kernel::proc::{state, sysctl};
use crate::sim::kernel::process::{Process, State};
use crate::sim::kernel::state::Kernel;
use crate::world::LocalFut;
use cutaway_userland::Errno;
use cutaway_userland::os::{Fd, Limit, LimitPair, Pid, Result, Signal, WindowSize};
use std::rc::Rc;

/// Processes.
impl Machine {
    /// A process's view of the kernel, for any living process; also how the world acts on its behalf (mounts,
    /// files, names). Checks are made with that process's rights.
    pub fn os(&self, pid: Pid) -> SimOs {
        SimOs::new(self.clone(), pid)
    }

    /// Makes a held process. `EAGAIN` where its group allows no more.
    pub fn spawn(&self, spawn: Spawn) -> Result<Pid> {
        self.kernel(|k| k.spawn(&spawn))
    }

    /// A held process's program: looks `path` up as the process sees it, then starts it.
    pub fn exec(&self, pid: Pid, path: &str, argv: &[String], env: &[(String, String)]) -> Result<()> {
        let image = self.kernel(|k| {
            let image = k.load(pid, path, argv)?;
            k.become_image(pid, &image, env)?;
            Ok::<_, Errno>(image)
        })?;
        let (os, env) = (self.os(pid), env.to_vec());
        self.install(pid, move || (image.run)(os, image.argv, env));
        Ok(())
    }

    /// Finds a program as `execvp` does, as the process sees it: `ENOENT`, or `EACCES` where what was found
    /// can't be executed.
    pub fn find_program(&self, pid: Pid, name: &str, path_variable: &str) -> Result<String> {
        self.kernel(|k| k.find_program(pid, name, path_variable))
    }

    /// Runs a function as a held process's program, as the body of `fork` does.
    pub fn start(&self, pid: Pid, body: impl FnOnce(SimOs) -> LocalFut<i32> + 'static) {
        let os = self.os(pid);
        self.kernel(|k| {
            if let Ok(process) = k.process_mut(pid)
                && process.state == State::Held
            {
                process.state = State::Running;
            }
        });
        self.install(pid, move || body(os));
    }

    /// Sends a signal from outside every pid namespace below the host's. `ESRCH`.
    pub fn kill(&self, pid: Pid, signal: Signal) -> Result<()> {
        self.kernel(|k| {
            k.process(pid)?;
            k.deliver(pid, signal, true);
            Ok(())
        })
    }

    /// `None` where there is no such process.
    pub fn watch_exit(&self, pid: Pid) -> Option<ExitWatch> {
        self.kernel(|k| k.processes.get(&pid).map(|p| ExitWatch(p.exit.clone())))
    }

    /// Every process that is in this process's pid namespace or in one below it, by id.
    pub fn processes(&self, of: Pid) -> Vec<ProcessInfo> {
        self.kernel(|k| {
            let Ok(namespace) = k.process(of).map(|p| p.ns.pid) else { return Vec::new() };
            let inside = k.processes.iter().filter(|(_, p)| p.ids.iter().any(|(ns, _)| *ns == namespace));
            inside.map(|(pid, p)| info(k, *pid, p)).collect()
        })
    }

    pub fn process(&self, pid: Pid) -> Option<ProcessInfo> {
        self.kernel(|k| k.processes.get(&pid).map(|p| info(k, pid, p)))
    }

    /// The id that the process has in the pid namespace of `seen_by` (host ids in, inner id out).
    pub fn pid_in(&self, pid: Pid, seen_by: Pid) -> Option<Pid> {
        self.kernel(|k| {
            let namespace = k.process(seen_by).ok()?.ns.pid;
            Some(k.inner_pid(namespace, pid)).filter(|pid| *pid != 0)
        })
    }

    pub fn credentials(&self, pid: Pid) -> Result<Credentials> {
        self.kernel(|k| Ok(k.process(pid)?.creds.clone()))
    }

    /// Replaces ids and capability sets, without asking whether the process may.
    pub fn set_credentials(&self, pid: Pid, to: Credentials) -> Result<()> {
        self.kernel(|k| {
            k.process_mut(pid)?.creds = to;
            Ok(())
        })
    }

    /// System calls that fail from now on for the process and what it starts, by name (`chmod`, `mount`, …).
    pub fn set_seccomp(&self, pid: Pid, refused: Vec<(String, Errno)>) -> Result<()> {
        self.kernel(|k| {
            let process = k.process_mut(pid)?;
            process.creds.seccomp = 2;
            process.refused = (!refused.is_empty()).then(|| Rc::new(refused.into_iter().collect()));
            Ok(())
        })
    }

    /// Sets a limit without asking whether the process may.
    pub fn set_limit(&self, pid: Pid, limit: Limit, to: LimitPair) -> Result<()> {
        self.kernel(|k| {
            k.process_mut(pid)?.limits.insert(limit, to);
            Ok(())
        })
    }

    pub fn set_oom_score(&self, pid: Pid, score: i32) -> Result<()> {
        self.kernel(|k| {
            k.process_mut(pid)?.oom_score_adj = score;
            Ok(())
        })
    }

    pub fn set_hostname(&self, pid: Pid, name: &str) -> Result<()> {
        self.kernel(|k| {
            k.process(pid)?.ns.uts.borrow_mut().hostname = name.to_string();
            Ok(())
        })
    }

    pub fn set_domainname(&self, pid: Pid, name: &str) -> Result<()> {
        self.kernel(|k| {
            k.process(pid)?.ns.uts.borrow_mut().domainname = name.to_string();
            Ok(())
        })
    }

    /// A setting by its dotted name, in the process's namespaces. `ENOENT` for one that does not exist.
    pub fn set_sysctl(&self, pid: Pid, name: &str, value: &str) -> Result<()> {
        self.kernel(|k| sysctl::write(k, pid, &name.replace('.', "/"), value))
    }

    /// As `mnt:[4026531841]`, by kind: `pid`, `net`, `mnt`, `uts`, `ipc`, `user`, `cgroup`.
    pub fn namespace(&self, pid: Pid, kind: &str) -> Option<String> {
        self.kernel(|k| {
            let number = k.processes.get(&pid)?.ns.number(kind)?;
            Some(format!("{kind}:[{number}]"))
        })
    }

    /// A new terminal; not named anywhere until it is registered.
    pub fn open_pty(&self, size: WindowSize) -> PtyMaster {
        PtyMaster::new(self, size)
    }

    /// A pipe between the world and processes: descriptors of [`Machine::INIT`], reading and writing end.
    pub fn pipe(&self) -> (Fd, Fd) {
        self.kernel(|k| k.pipe(Self::INIT)).unwrap_or((-1, -1))
    }
}

fn info(k: &Kernel, pid: Pid, p: &Process) -> ProcessInfo {
    let tty = k.terminals.get(&p.session).and_then(|t| t.index.get());
    ProcessInfo {
        pid,
        parent: p.parent,
        inner_pid: p.inner_pid(),
        group: p.group,
        session: p.session,
        uid: p.creds.euid,
        gid: p.creds.egid,
        name: p.name.clone(),
        args: p.argv.to_vec(),
        state: state(p).0,
        tty: tty.map_or_else(|| "?".to_string(), |n| format!("pts/{n}")),
        started: p.started,
        cpu: p.user_time + p.system_time,
        memory: p.memory,
        cgroup: p.cgroup,
    }
}
