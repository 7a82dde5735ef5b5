//! Processes: how they are made, how they end, and who waits for them.

use super::cgroup::CgroupId;
use super::cred::Credentials;
use super::executor::{TaskId, Waiters};
use super::file::{FdTable, Object, OpenFile};
use super::machine::{ExitInfo, NamespaceChoice, Spawn, StdStream};
use super::namespace::{Ipc, Namespaces, PidNamespace, Uts};
use super::state::Kernel;
use super::vfs::path::Place;
use cutaway_userland::Errno;
use cutaway_userland::os::{Disposition, Limit, LimitPair, Pid, Result, Signal, Status, Wait, WaitFor};
use cutaway_userland::sorted::{Map as BTreeMap, Set as BTreeSet};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Made, but runs no program yet.
    Held,
    Running,
    Stopped(Signal),
    Zombie(Status),
}

/// Remembers how a process ended, for whoever asked before it did.
#[derive(Default)]
pub(crate) struct ExitCell {
    pub info: Cell<Option<ExitInfo>>,
    pub waiters: Waiters,
}

pub(crate) struct Process {
    pub parent: Pid,
    pub children: BTreeSet<Pid>,
    /// Its id in each pid namespace that sees it, the host's first.
    pub ids: Vec<(u64, Pid)>,
    pub ns: Namespaces,
    pub group: Pid,
    pub session: Pid,
    pub state: State,
    pub task: Option<TaskId>,
    pub creds: Credentials,
    pub umask: u32,
    pub limits: BTreeMap<Limit, LimitPair>,
    pub nice: i32,
    pub root: Rc<Place>,
    pub cwd: Rc<Place>,
    pub fds: FdTable,
    pub exe: Option<Rc<Place>>,
    /// At most 15 bytes, as `comm`.
    pub name: String,
    pub argv: Rc<Vec<String>>,
    pub env: Rc<Vec<(String, String)>>,
    pub dispositions: BTreeMap<Signal, Disposition>,
    /// Caught signals that the program has not taken.
    pub caught: VecDeque<Signal>,
    /// A caught signal came in since the last call was interrupted.
    pub interrupted: bool,
    /// Its own blocked calls, to be interrupted.
    pub calls: Waiters,
    pub child_changed: Waiters,
    /// A stop or continuation that the parent has not been told of.
    pub news: Option<Status>,
    pub cgroup: CgroupId,
    pub memory: u64,
    pub user_time: Duration,
    pub system_time: Duration,
    pub children_time: (Duration, Duration),
    pub started: Duration,
    pub exit: Rc<ExitCell>,
    pub oom_killed: bool,
    pub oom_score_adj: i32,
    /// System calls that fail for it, by name.
    pub refused: Option<Rc<BTreeMap<String, Errno>>>,
    /// Children are reaped as they end.
    pub auto_reap: bool,
    /// It gave way in the middle of computing, rather than to wait for something.
    pub computing: bool,
    /// How much of its time its control group has been told of.
    pub counted: Duration,
}

/// What a process holds at least.
pub(crate) const BASE_MEMORY: u64 = 512 << 10;

impl Process {
    /// A copy as `fork` makes it; ids and times are the caller's to set.
    fn child(&self, parent: Pid, now: Duration) -> Process {
        Process {
            parent,
            children: BTreeSet::new(),
            ids: Vec::new(),
            ns: self.ns.clone(),
            group: self.group,
            session: self.session,
            state: State::Held,
            task: None,
            creds: self.creds.clone(),
            umask: self.umask,
            limits: self.limits.clone(),
            nice: self.nice,
            root: self.root.clone(),
            cwd: self.cwd.clone(),
            fds: self.fds.clone(),
            exe: self.exe.clone(),
            name: self.name.clone(),
            argv: self.argv.clone(),
            env: self.env.clone(),
            dispositions: self.dispositions.clone(),
            caught: VecDeque::new(),
            interrupted: false,
            calls: Waiters::default(),
            child_changed: Waiters::default(),
            news: None,
            cgroup: self.cgroup,
            memory: 0,
            user_time: Duration::ZERO,
            system_time: Duration::ZERO,
            children_time: (Duration::ZERO, Duration::ZERO),
            started: now,
            exit: Rc::default(),
            oom_killed: false,
            oom_score_adj: self.oom_score_adj,
            refused: self.refused.clone(),
            auto_reap: false,
            computing: false,
            counted: Duration::ZERO,
        }
    }

    pub fn is_zombie(&self) -> bool {
        matches!(self.state, State::Zombie(_))
    }

    pub fn limit(&self, limit: Limit) -> LimitPair {
        self.limits.get(&limit).copied().unwrap_or(default_limit(limit))
    }

    /// Its id where it lives.
    pub fn inner_pid(&self) -> Pid {
        self.ids.last().map_or(0, |(_, pid)| *pid)
    }

    /// Whether it is process 1 of its pid namespace.
    pub fn is_init(&self) -> bool {
        self.inner_pid() == 1
    }
}

fn default_limit(limit: Limit) -> LimitPair {
    let (soft, hard) = match limit {
        Limit::OpenFiles => (Some(1024), Some(1_048_576)),
        Limit::Stack => (Some(8 << 20), None),
        Limit::Core => (Some(0), None),
        Limit::LockedMemory => (Some(8 << 20), Some(8 << 20)),
        _ => (None, None),
    };
    LimitPair { soft, hard }
}

/// Making.
impl Kernel {
    /// The host's process 1, on a root that is mounted already.
    pub fn make_init(&mut self, root: Rc<Place>, ns: Namespaces) {
        let mut init = PidNamespace::new(None);
        init.allocate(None);
        init.init = Some(1);
        let id = ns.pid;
        self.pid_namespaces.insert(id, init);
        let process = Process {
            parent: 0,
            children: BTreeSet::new(),
            ids: vec![(id, 1)],
            ns,
            group: 1,
            session: 1,
            state: State::Running,
            task: None,
            creds: Credentials::root(),
            umask: 0o022,
            limits: BTreeMap::new(),
            nice: 0,
            root: root.clone(),
            cwd: root,
            fds: FdTable::default(),
            exe: None,
            name: "init".into(),
            argv: Rc::new(vec!["/sbin/init".into()]),
            env: Rc::default(),
            dispositions: BTreeMap::new(),
            caught: VecDeque::new(),
            interrupted: false,
            calls: Waiters::default(),
            child_changed: Waiters::default(),
            news: None,
            cgroup: CgroupId(0),
            memory: 0,
            user_time: Duration::ZERO,
            system_time: Duration::ZERO,
            children_time: (Duration::ZERO, Duration::ZERO),
            started: self.now(),
            exit: Rc::default(),
            oom_killed: false,
            oom_score_adj: 0,
            refused: None,
            auto_reap: true,
            computing: false,
            counted: Duration::ZERO,
        };
        self.processes.insert(1, process);
        self.cgroups.enter(CgroupId(0));
    }

    /// A copy of a process, in the same namespaces: what `fork` makes. It runs nothing yet.
    pub fn fork(&mut self, parent: Pid) -> Result<Pid> {
        self.filter(parent, "clone")?;
        let now = self.now();
        let process = self.process(parent)?.child(parent, now);
        self.check_process_limit(&process)?;
        let pid = self.insert(process)?;
        self.pass(Duration::from_micros(40));
        Ok(pid)
    }

    /// RLIMIT_NPROC, which root does not feel.
    fn check_process_limit(&self, process: &Process) -> Result<()> {
        let Some(limit) = process.limit(Limit::Processes).soft else { return Ok(()) };
        let uid = process.creds.uid;
        if uid != 0 && self.processes.values().filter(|p| p.creds.uid == uid).count() as u64 >= limit {
            return Err(Errno::EAGAIN);
        }
        Ok(())
    }

    /// A held process as the world asks for it.
    pub fn spawn(&mut self, spec: &Spawn) -> Result<Pid> {
        let now = self.now();
        let mut process = self.process(spec.parent)?.child(spec.parent, now);
        process.refused = None;
        process.fds = FdTable::default();
        process.cgroup = spec.cgroup;
        process.dispositions.clear();
        process.ns = self.choose_namespaces(spec)?;
        if let Some(of) = spec.root_of {
            process.root = self.process(of)?.root.clone();
            process.cwd = process.root.clone();
        }
        for (fd, stream) in spec.stdio.iter().enumerate() {
            let file = self.std_stream(stream, fd == 0)?;
            process.fds.set(fd as i32, file, false);
        }
        let tty = process.fds.iter().find_map(|(_, file)| file.tty().cloned());
        let pid = self.insert(process)?;
        if spec.session {
            let process = self.process_mut(pid)?;
            process.group = pid;
            process.session = pid;
            if let Some(tty) = tty {
                tty.session.set(pid);
                tty.foreground.set(pid);
                self.terminals.insert(pid, tty);
            }
        }
        Ok(pid)
    }

    fn std_stream(&mut self, stream: &StdStream, input: bool) -> Result<Rc<OpenFile>> {
        Ok(match stream {
            StdStream::Fd(pid, fd) => self.process(*pid)?.fds.get(*fd)?.clone(),
            StdStream::Null => {
                let null = Object::Device(super::file::Device::Null);
                Rc::new(OpenFile::new(null, input, !input, None, "/dev/null".into()))
            }
            StdStream::Pty(master) => {
                let label = super::devices::tty_label(master.tty());
                Rc::new(OpenFile::new(Object::Tty(master.tty().clone()), true, true, None, label))
            }
        })
    }

    fn choose_namespaces(&mut self, spec: &Spawn) -> Result<Namespaces> {
        let inherited = self.process(spec.parent)?.ns.clone();
        let mut ns = inherited.clone();
        let of = |choice: NamespaceChoice, kernel: &Kernel| -> Result<Option<Namespaces>> {
            Ok(match choice {
                NamespaceChoice::Inherit => Some(inherited.clone()),
                NamespaceChoice::Of(pid) => Some(kernel.process(pid)?.ns.clone()),
                NamespaceChoice::New => None,
            })
        };
        match of(spec.mount, self)? {
            Some(from) => (ns.mnt, ns.mnt_id) = (from.mnt, from.mnt_id),
            None => {
                let copy = ns.mnt.borrow().clone();
                (ns.mnt, ns.mnt_id) = (Rc::new(RefCell::new(copy)), self.new_namespace_id());
            }
        }
        match of(spec.uts, self)? {
            Some(from) => ns.uts = from.uts,
            None => {
                let (hostname, domainname) = {
                    let uts = ns.uts.borrow();
                    (uts.hostname.clone(), uts.domainname.clone())
                };
                ns.uts = Rc::new(RefCell::new(Uts { id: self.new_namespace_id(), hostname, domainname }));
            }
        }
        match of(spec.ipc, self)? {
            Some(from) => ns.ipc = from.ipc,
            None => {
                ns.ipc = Rc::new(RefCell::new(Ipc { id: self.new_namespace_id(), sysctls: BTreeMap::new() }));
            }
        }
        match of(spec.pid, self)? {
            Some(from) => ns.pid = from.pid,
            None => {
                let id = self.new_namespace_id();
                self.pid_namespaces.insert(id, PidNamespace::new(Some(ns.pid)));
                ns.pid = id;
            }
        }
        match of(spec.network, self)? {
            Some(from) => ns.net = from.net,
            None => ns.net = self.new_network(),
        }
        match of(spec.cgroup_namespace, self)? {
            Some(from) => (ns.cgroup, ns.cgroup_root) = (from.cgroup, from.cgroup_root),
            None => (ns.cgroup, ns.cgroup_root) = (self.new_namespace_id(), spec.cgroup),
        }
        match of(spec.user, self)? {
            Some(from) => ns.user = from.user,
            None => ns.user = self.new_namespace_id(),
        }
        Ok(ns)
    }

    /// Gives a new process its ids and puts it into the tables.
    fn insert(&mut self, mut process: Process) -> Result<Pid> {
        if !self.cgroups.may_enter(process.cgroup) {
            return Err(Errno::EAGAIN);
        }
        let mut chain = vec![process.ns.pid];
        while let Some(parent) = chain.last().and_then(|id| self.pid_namespaces.get(id)).and_then(|ns| ns.parent) {
            chain.push(parent);
        }
        chain.reverse();
        if self.pid_namespaces.get(&process.ns.pid).is_none_or(|ns| ns.dead) {
            return Err(Errno::ENOMEM);
        }
        let mut host = None;
        for id in chain {
            let Some(ns) = self.pid_namespaces.get_mut(&id) else { continue };
            let pid = ns.allocate(host);
            let host = *host.get_or_insert(pid);
            ns.init.get_or_insert(host);
            process.ids.push((id, pid));
        }
        let pid = host.ok_or(Errno::ENOMEM)?;
        if let Some(parent) = self.processes.get_mut(&process.parent) {
            parent.children.insert(pid);
        }
        self.cgroups.enter(process.cgroup);
        self.processes.insert(pid, process);
        self.forks += 1;
        self.set_memory(pid, BASE_MEMORY);
        Ok(pid)
    }
}

/// Ending.
impl Kernel {
    /// Ends a process: its descriptors close, its children find a new parent, its parent is told.
    pub fn terminate(&mut self, pid: Pid, status: Status) {
        let now = self.now();
        let Some(process) = self.processes.get_mut(&pid) else { return };
        if process.is_zombie() || pid == 1 {
            return;
        }
        process.state = State::Zombie(status);
        self.buried.extend(process.task.take());
        let fds = std::mem::take(&mut process.fds);
        let children = std::mem::take(&mut process.children);
        let info = ExitInfo { status, oom_killed: process.oom_killed, at: now };
        process.exit.info.set(Some(info));
        process.exit.waiters.wake();
        process.caught.clear();
        let (namespace, is_init, session) = (process.ns.pid, process.is_init(), process.session == pid);
        drop(fds);
        self.set_memory(pid, 0);
        if is_init {
            self.end_namespace(namespace, pid);
        }
        self.reparent(namespace, pid, children);
        if session {
            self.end_session(pid);
        }
        self.tell_parent(pid);
        self.net.collect();
    }

    /// The death of process 1 takes the whole pid namespace with it.
    fn end_namespace(&mut self, namespace: u64, init: Pid) {
        if let Some(ns) = self.pid_namespaces.get_mut(&namespace) {
            ns.dead = true;
        }
        let inside: Vec<Pid> = self
            .processes
            .iter()
            .filter(|(other, p)| **other != init && p.ids.iter().any(|(ns, _)| *ns == namespace))
            .map(|(other, _)| *other)
            .collect();
        for other in &inside {
            self.terminate(*other, Status::Signaled(Signal::KILL));
        }
        for other in inside {
            let orphan =
                self.processes.get(&other).is_some_and(|p| p.parent == init || inside_parent(self, p, namespace));
            if orphan {
                self.reap(other);
            }
        }
    }

    fn reparent(&mut self, namespace: u64, pid: Pid, children: BTreeSet<Pid>) {
        let init = self.pid_namespaces.get(&namespace).filter(|ns| !ns.dead).and_then(|ns| ns.init);
        let reaper = init.filter(|init| *init != pid && self.processes.contains_key(init)).unwrap_or(1);
        for child in children {
            let Some(process) = self.processes.get_mut(&child) else { continue };
            process.parent = reaper;
            let zombie = process.is_zombie();
            if let Some(parent) = self.processes.get_mut(&reaper) {
                parent.children.insert(child);
            }
            if zombie {
                self.tell_parent(child);
            }
        }
    }

    /// A session leader's end hangs up its terminal.
    fn end_session(&mut self, leader: Pid) {
        let Some(tty) = self.terminals.remove(&leader) else { return };
        tty.session.set(0);
        let foreground = tty.foreground.replace(0);
        if foreground != 0 {
            self.signal_group(foreground, Signal::HUP);
        }
    }

    fn tell_parent(&mut self, pid: Pid) {
        let Some(parent) = self.processes.get(&pid).map(|p| p.parent) else { return };
        let Some(process) = self.processes.get(&parent) else {
            return self.reap(pid);
        };
        let ignores = process.dispositions.get(&Signal::CHLD) == Some(&Disposition::Ignore);
        process.child_changed.wake();
        if process.auto_reap || ignores || process.is_zombie() {
            self.reap(pid);
        }
        self.deliver(parent, Signal::CHLD, true);
    }

    /// Removes a zombie from the tables.
    pub fn reap(&mut self, pid: Pid) {
        let Some(process) = self.processes.remove(&pid) else { return };
        for (namespace, inner) in &process.ids {
            if let Some(ns) = self.pid_namespaces.get_mut(namespace) {
                ns.map.remove(inner);
                if ns.map.is_empty() && ns.dead {
                    self.pid_namespaces.remove(namespace);
                }
            }
        }
        if let Some(parent) = self.processes.get_mut(&process.parent) {
            parent.children.remove(&pid);
            let (user, system) = process.children_time;
            parent.children_time.0 += process.user_time + user;
            parent.children_time.1 += process.system_time + system;
            parent.child_changed.wake();
        }
        self.cgroups.leave(process.cgroup);
        let net = process.ns.net.clone();
        drop(process);
        drop(net);
        self.net.collect();
    }

    /// One look for a child that has changed.
    pub fn wait(&mut self, pid: Pid, wait: Wait, waker: &Waker) -> Poll<Result<(Pid, Status)>> {
        let process = match self.process(pid) {
            Ok(process) => process,
            Err(errno) => return Poll::Ready(Err(errno)),
        };
        let (namespace, own_group) = (process.ns.pid, process.group);
        let mut any = false;
        let mut found = None;
        for child in &process.children {
            let Some(other) = self.processes.get(child) else { continue };
            let wanted = match wait.who {
                WaitFor::Any => true,
                WaitFor::Pid(inner) => self.inner_pid(namespace, *child) == inner,
                WaitFor::Group(0) => other.group == own_group,
                WaitFor::Group(group) => self.inner_group(namespace, other.group) == group,
            };
            if !wanted {
                continue;
            }
            any = true;
            match (other.state, other.news) {
                (State::Zombie(status), _) => found = Some((*child, status, true)),
                (_, Some(news)) if wait.untraced => found = Some((*child, news, false)),
                _ => continue,
            }
            break;
        }
        let Some((child, status, gone)) = found else {
            if !any {
                return Poll::Ready(Err(Errno::ECHILD));
            }
            if wait.no_hang {
                return Poll::Ready(Err(Errno::EAGAIN));
            }
            process.child_changed.add(waker);
            return Poll::Pending;
        };
        let inner = self.inner_pid(namespace, child);
        if gone {
            self.reap(child);
        } else if let Some(child) = self.processes.get_mut(&child) {
            child.news = None;
        }
        Poll::Ready(Ok((inner, status)))
    }
}

/// Whether a process's parent is in this pid namespace, so that nobody is left to wait for it.
fn inside_parent(kernel: &Kernel, process: &Process, namespace: u64) -> bool {
    kernel.processes.get(&process.parent).is_none_or(|p| p.ids.iter().any(|(ns, _)| *ns == namespace))
}
