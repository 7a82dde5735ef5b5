//! The handle on the whole machine: what drives it, and what the simulated world does on it from outside.

mod boot;
mod files;
mod limits;
mod network;
mod processes;
mod pty;
mod site;

use super::cgroup::CgroupId;
use super::executor::{Executor, Turn};
use super::os::SimOs;
use super::process::ExitCell;
use super::state::Kernel;
use super::tty::Tty;
use crate::world::LocalFut;
use cutaway_userland::os::{Fd, Pid, Status};
pub use pty::PtyMaster;
use site::Site;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// What the machine is made of.
#[derive(Clone, Debug)]
pub struct MachineConfig {
    /// Where the clock starts, since the epoch.
    pub epoch: Duration,
    pub hostname: String,
    pub memory: u64,
    pub cpus: u32,
    /// What `random` follows from.
    pub seed: u64,
    /// As `uname -r`.
    pub release: String,
    pub version: String,
    pub architecture: String,
}

impl Default for MachineConfig {
    /// 2026-01-01, two processors, 4 GiB.
    fn default() -> MachineConfig {
        MachineConfig {
            epoch: Duration::from_secs(1_767_225_600),
            hostname: "cutaway".into(),
            memory: 4 << 30,
            cpus: 2,
            seed: 1,
            release: "6.12.0-cutaway".into(),
            version: "#1 SMP PREEMPT_DYNAMIC".into(),
            architecture: "x86_64".into(),
        }
    }
}

/// How [`Machine::run`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Fuel ran out with tasks still ready.
    Busy,
    /// Everything waits; the earliest timer, if any, is due at this time since the epoch.
    Waiting(Option<Duration>),
}

/// A program compiled in, by closure: gets its handle, words and environment, gives its exit status.
pub type Runner = Rc<dyn Fn(SimOs, Vec<String>, Vec<(String, String)>) -> LocalFut<i32>>;

/// Where a new process's namespace of one kind comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NamespaceChoice {
    /// The parent's.
    #[default]
    Inherit,
    New,
    /// That of this process (host id).
    Of(Pid),
}

/// What a standard stream of a new process is.
#[derive(Clone)]
pub enum StdStream {
    /// `/dev/null`.
    Null,
    /// A copy of this descriptor of this process (host id).
    Fd(Pid, Fd),
    /// The terminal behind this master.
    Pty(PtyMaster),
}

/// A new process that runs nothing yet.
#[derive(Clone)]
pub struct Spawn {
    /// Host id; it is the one that gets SIGCHLD and may wait. [`Machine::INIT`] reaps by itself.
    pub parent: Pid,
    pub mount: NamespaceChoice,
    pub pid: NamespaceChoice,
    pub network: NamespaceChoice,
    pub uts: NamespaceChoice,
    pub ipc: NamespaceChoice,
    pub user: NamespaceChoice,
    pub cgroup_namespace: NamespaceChoice,
    /// The group it is counted in.
    pub cgroup: CgroupId,
    pub stdio: [StdStream; 3],
    /// Begin a session of its own; a terminal among `stdio` becomes its controlling terminal.
    pub session: bool,
    /// Take root folder, and working directory `/`, from this process (host id), as `setns` does: for exec.
    pub root_of: Option<Pid>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitInfo {
    pub status: Status,
    pub oom_killed: bool,
    /// Since the epoch.
    pub at: Duration,
}

/// Knows how a process ended, even after it is gone from the table.
#[derive(Clone)]
pub struct ExitWatch(Rc<ExitCell>);

impl ExitWatch {
    pub fn now(&self) -> Option<ExitInfo> {
        self.0.info.get()
    }

    pub async fn wait(&self) -> ExitInfo {
        poll_fn(|cx| match self.0.info.get() {
            Some(info) => Poll::Ready(info),
            None => {
                self.0.waiters.add(cx.waker());
                Poll::Pending
            }
        })
        .await
    }
}

/// One process, as `ps` shows it. Ids are the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessInfo {
    pub pid: Pid,
    pub parent: Pid,
    /// Its id in its own pid namespace.
    pub inner_pid: Pid,
    pub group: Pid,
    pub session: Pid,
    pub uid: u32,
    pub gid: u32,
    pub name: String,
    pub args: Vec<String>,
    /// `R` running, `S` waiting, `T` stopped, `Z` ended and not waited for.
    pub state: char,
    /// As `pts/0`, or `?`.
    pub tty: String,
    pub started: Duration,
    pub cpu: Duration,
    pub memory: u64,
    pub cgroup: CgroupId,
}

/// The whole simulated machine. Clones are handles on the same one.
#[derive(Clone)]
pub struct Machine(Rc<Shared>);

struct Shared {
    /// Among the machines of its site.
    number: u32,
    site: Rc<Site>,
    kernel: RefCell<Kernel>,
    /// Terminals whose last master went while the kernel was at work.
    hung_up: RefCell<Vec<Rc<Tty>>>,
}

impl Machine {
    /// Borrows the kernel for one short piece of work, which must not come back here.
    pub(crate) fn kernel<T>(&self, work: impl FnOnce(&mut Kernel) -> T) -> T {
        self.work(&mut self.0.kernel.borrow_mut(), work)
    }

    /// The networks are the whole site's: the kernel at work has them, and no other works meanwhile.
    fn work<T>(&self, kernel: &mut Kernel, work: impl FnOnce(&mut Kernel) -> T) -> T {
        std::mem::swap(&mut kernel.net, &mut self.0.site.net.borrow_mut());
        let result = work(kernel);
        std::mem::swap(&mut kernel.net, &mut self.0.site.net.borrow_mut());
        result
    }

    pub(crate) fn clock(&self) -> Rc<Cell<Duration>> {
        self.executor().clock()
    }

    pub(super) fn executor(&self) -> &Executor {
        &self.0.site.executor
    }

    /// Gives a process the future that runs it. Its result is the exit status.
    fn install(&self, pid: Pid, program: impl FnOnce() -> LocalFut<i32> + 'static) {
        let machine = self.clone();
        let task = self.executor().spawn(
            Some((self.0.number, pid)),
            Box::pin(async move {
                let code = program().await;
                machine.kernel(|k| k.terminate(pid, Status::Exited(code as u8)));
            }),
        );
        self.kernel(|k| {
            if let Ok(process) = k.process_mut(pid) {
                let former = process.task.replace(task);
                k.buried.extend(former);
            }
        });
    }

    /// Does what had to wait until the kernel was at rest, and begins a new turn.
    fn settle(&self) {
        let (buried, resumed, questions) = self.kernel(|k| {
            k.slice = 0;
            (std::mem::take(&mut k.buried), std::mem::take(&mut k.resumed), k.net.take_questions())
        });
        self.executor().bury(buried);
        for task in resumed {
            self.executor().unpark(task);
        }
        for question in questions {
            question.settle();
        }
        for tty in self.0.hung_up.take() {
            self.kernel(|k| k.hang_up(&tty));
        }
    }

    /// A terminal lost its last master.
    fn hang_up(&self, tty: &Rc<Tty>) {
        match self.0.kernel.try_borrow_mut() {
            Ok(mut kernel) => self.work(&mut kernel, |k| k.hang_up(tty)),
            Err(_) => self.0.hung_up.borrow_mut().push(tty.clone()),
        }
    }
}

/// Making and driving.
impl Machine {
    /// The host's first process: root, all capabilities, in the host's namespaces. It runs no program and
    /// reaps its children by itself.
    pub const INIT: Pid = 1;

    /// A machine with an empty root disk (only `/proc`, `/sys`, `/dev` with its devices, `/tmp`, `/run` mounted).
    pub fn new(config: MachineConfig) -> Machine {
        boot::boot(config.clone(), Rc::new(Site::new(config.epoch)))
    }

    /// Another machine at the same site: it has a kernel of its own, and shares time and cables with this one.
    pub fn beside(&self, config: MachineConfig) -> Machine {
        boot::boot(config, self.0.site.clone())
    }

    /// Makes files whose contents are [`program_file`](Machine::program_file)`(name)` run `run`.
    pub fn register_program(&self, name: &str, run: Runner) {
        self.kernel(|k| k.programs.insert(name.to_string(), run));
    }

    /// The contents of an executable that runs the registered program `name`.
    pub fn program_file(name: &str) -> Vec<u8> {
        format!("\x7fCUTAWAY program {name}\n").into_bytes()
    }

    /// Runs ready tasks of all machines of the site in order until all wait, or `fuel` turns were taken.
    pub fn run(&self, fuel: u64) -> Activity {
        let mut left = fuel;
        loop {
            self.0.site.each(Machine::settle);
            if left == 0 {
                return Activity::Busy;
            }
            match self.executor().turn(|owner| self.0.site.may_run(owner)) {
                Turn::Idle => return Activity::Waiting(self.next_timer()),
                Turn::Ran | Turn::Parked => left -= 1,
            }
        }
    }

    /// When the earliest timer is due, since the epoch.
    pub fn next_timer(&self) -> Option<Duration> {
        self.executor().next_timer()
    }

    /// Moves the clock forward (never back) and wakes what is due.
    pub fn advance_to(&self, time: Duration) {
        self.executor().advance_to(time);
    }

    /// The script's policy: runs until `future` is done, jumping to the next timer whenever all wait. `None`
    /// where nothing can ever wake it, or after `fuel` turns.
    pub fn run_until<T: 'static>(&self, fuel: u64, future: impl Future<Output = T> + 'static) -> Option<T> {
        let result = Rc::new(RefCell::new(None));
        let slot = result.clone();
        self.spawn_task(Box::pin(async move {
            let value = future.await;
            *slot.borrow_mut() = Some(value);
        }));
        let mut left = fuel;
        while result.borrow().is_none() && left > 0 {
            let slice = left.min(256);
            match self.run(slice) {
                Activity::Busy => left -= slice,
                Activity::Waiting(_) if result.borrow().is_some() => {}
                Activity::Waiting(Some(time)) => {
                    left -= 1;
                    self.advance_to(time);
                }
                Activity::Waiting(None) => break,
            }
        }
        result.take()
    }

    /// Time since the epoch.
    pub fn now(&self) -> Duration {
        self.executor().clock().get()
    }

    /// Runs a future that is no process beside the processes.
    pub fn spawn_task(&self, future: LocalFut<()>) {
        self.executor().spawn(None, future);
    }

    pub fn sleep(&self, time: Duration) -> LocalFut<()> {
        Box::pin(self.executor().sleep_until(self.now() + time))
    }

    /// Ends when every process of the site waits for something.
    pub fn quiet(&self) -> impl Future<Output = ()> + use<> {
        self.executor().quiet()
    }

    pub fn random(&self, bytes: &mut [u8]) {
        self.kernel(|k| k.random_bytes(bytes));
    }
}
