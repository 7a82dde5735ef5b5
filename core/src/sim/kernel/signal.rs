//! Signals: who may send them, what they do by default, and how they interrupt. Source: `signal(7)`,
//! `kill(2)`, `pid_namespaces(7)`.

use super::cred::Cap;
use super::process::State;
use super::state::Kernel;
use cutaway_userland::Errno;
use cutaway_userland::os::{Disposition, Pid, Result, Signal, Status};

/// What a signal does where nobody catches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Terminate,
    Ignore,
    Stop,
    Continue,
}

fn default_action(signal: Signal) -> Action {
    match signal {
        Signal::CHLD | Signal::URG | Signal::WINCH => Action::Ignore,
        Signal::CONT => Action::Continue,
        Signal::STOP | Signal::TSTP | Signal::TTIN | Signal::TTOU => Action::Stop,
        _ => Action::Terminate,
    }
}

impl Kernel {
    /// `kill(2)` by a process; `target` is in its pid namespace.
    pub fn kill(&mut self, sender: Pid, target: Pid, signal: Signal) -> Result<()> {
        self.filter(sender, "kill")?;
        if signal.0 > 64 {
            return Err(Errno::EINVAL);
        }
        let process = self.process(sender)?;
        let (namespace, group) = (process.ns.pid, process.group);
        let visible = |k: &Kernel, pid: Pid| k.inner_pid(namespace, pid) != 0;
        let targets: Vec<Pid> = match target {
            -1 => {
                let all = self.processes.keys().copied();
                all.filter(|p| *p != sender && visible(self, *p) && self.inner_pid(namespace, *p) != 1).collect()
            }
            0 => self.group_members(group),
            1.. => vec![self.host_pid(namespace, target).ok_or(Errno::ESRCH)?],
            _ => {
                let host = self.host_pid(namespace, -target).unwrap_or(-target);
                self.group_members(host).into_iter().filter(|p| visible(self, *p)).collect()
            }
        };
        if targets.is_empty() {
            return Err(Errno::ESRCH);
        }
        let mut denied = false;
        let mut done = false;
        for pid in targets {
            if !self.may_signal(sender, pid, signal) {
                denied = true;
                continue;
            }
            done = true;
            if signal.0 != 0 {
                let above = self.is_above(sender, pid);
                self.deliver(pid, signal, above);
            }
        }
        if denied && !done { Err(Errno::EPERM) } else { Ok(()) }
    }

    fn may_signal(&self, sender: Pid, target: Pid, signal: Signal) -> bool {
        let (Ok(from), Ok(to)) = (self.process(sender), self.process(target)) else { return false };
        let same_user = [from.creds.uid, from.creds.euid].iter().any(|u| [to.creds.uid, to.creds.suid].contains(u));
        same_user || from.creds.can(Cap::Kill) || (signal == Signal::CONT && from.session == to.session)
    }

    /// Whether the sender is in a pid namespace above the target's.
    fn is_above(&self, sender: Pid, target: Pid) -> bool {
        let (Ok(from), Ok(to)) = (self.process(sender), self.process(target)) else { return false };
        from.ns.pid != to.ns.pid && self.is_within(to.ns.pid, from.ns.pid)
    }

    pub fn group_members(&self, group: Pid) -> Vec<Pid> {
        self.processes.iter().filter(|(_, p)| p.group == group).map(|(pid, _)| *pid).collect()
    }

    /// The kernel itself signals a process group (host id), as a terminal does.
    pub fn signal_group(&mut self, group: Pid, signal: Signal) {
        for pid in self.group_members(group) {
            self.deliver(pid, signal, false);
        }
    }

    /// Delivers a signal. `above`: it comes from outside the target's pid namespace, so that KILL and STOP
    /// reach even a process 1.
    pub fn deliver(&mut self, pid: Pid, signal: Signal, above: bool) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        if process.is_zombie() || pid == 1 {
            return;
        }
        let action = default_action(signal);
        if matches!(signal, Signal::CONT | Signal::KILL) {
            self.resume(pid);
        }
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let forced = matches!(signal, Signal::KILL | Signal::STOP);
        let disposition = if forced { Disposition::Default } else { disposition(&process.dispositions, signal) };
        match disposition {
            Disposition::Ignore => {}
            Disposition::Catch => {
                if !process.caught.contains(&signal) {
                    process.caught.push_back(signal);
                }
                process.interrupted = true;
                process.calls.wake();
            }
            // Process 1 of a pid namespace has no default actions.
            Disposition::Default if process.is_init() && !(forced && above) => {}
            Disposition::Default => match action {
                Action::Ignore | Action::Continue => {}
                Action::Terminate => self.terminate(pid, Status::Signaled(signal)),
                Action::Stop => self.stop(pid, signal),
            },
        }
    }

    fn stop(&mut self, pid: Pid, signal: Signal) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        if process.state != State::Running {
            return;
        }
        process.state = State::Stopped(signal);
        process.news = Some(Status::Stopped(signal));
        let parent = process.parent;
        self.child_news(parent);
    }

    fn resume(&mut self, pid: Pid) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        if !matches!(process.state, State::Stopped(_)) {
            return;
        }
        process.state = State::Running;
        process.news = Some(Status::Continued);
        process.calls.wake();
        self.resumed.extend(process.task);
        let parent = process.parent;
        self.child_news(parent);
    }

    fn child_news(&mut self, parent: Pid) {
        if let Some(process) = self.processes.get(&parent) {
            process.child_changed.wake();
        }
        self.deliver(parent, Signal::CHLD, true);
    }

    /// Whether a process's task may be polled now.
    pub fn may_run(&self, pid: Pid) -> bool {
        match self.processes.get(&pid) {
            Some(p) => p.state == State::Running && !self.cgroups.is_frozen(p.cgroup),
            None => true,
        }
    }

    /// The oldest caught signal.
    pub fn take_signal(&mut self, pid: Pid) -> Option<Signal> {
        let process = self.processes.get_mut(&pid)?;
        let signal = process.caught.pop_front();
        if process.caught.is_empty() {
            process.interrupted = false;
        }
        signal
    }

    pub fn sigaction(&mut self, pid: Pid, signal: Signal, to: Disposition) -> Result<Disposition> {
        if signal.0 == 0 || signal.0 > 64 || matches!(signal, Signal::KILL | Signal::STOP) {
            return Err(Errno::EINVAL);
        }
        let process = self.process_mut(pid)?;
        let former = disposition(&process.dispositions, signal);
        process.dispositions.insert(signal, to);
        Ok(former)
    }
}

fn disposition(table: &cutaway_userland::sorted::Map<Signal, Disposition>, signal: Signal) -> Disposition {
    table.get(&signal).copied().unwrap_or_default()
}
