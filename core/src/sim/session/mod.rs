//! The driver of the simulated machine, for the page, the terminal and the tests: a host with a shell on a
//! terminal, scripts, time, files, the steps and stages of all docker commands, and the log of inputs.
//!
//! Time is the driver's policy. Interactively the clock moves only by [`Session::tick`]; a script jumps to the
//! next timer whenever everything waits. Everything that comes from outside is an entry of the log, and
//! [`Session::replay`] of that log is the same session again, byte for byte.

mod complete;
mod lessons;
mod log;
mod recorder;
mod stage;
#[cfg(test)]
mod tests;

pub use log::{Config, Entry, Input, Log};
pub use recorder::Moment;

use crate::name::Digest;
use crate::sim::annex::Annex;
use crate::sim::hosts::{self, HOME, Host, Station};
use crate::sim::kernel::{self, ExitWatch, Machine, MachineConfig, PtyMaster, StdStream};
use crate::sim::kernel::{TreeKind, machine::ExitInfo};
use crate::sim::world::SimWorld;
use crate::view::stage::Stage;
use crate::world::{Kind, LocalFut, Queries, Watcher};
use cutaway_userland::Errno;
use cutaway_userland::os::{Os, Pid, Signal, WindowSize};
use recorder::Recorder;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Turns of the machine in one slice of work: what is counted in the log.
const SLICE: u64 = 2000;

/// How long programs may compute until nobody waits any more for all to come to rest.
const COMPUTING: Duration = Duration::from_secs(2);

/// How long a question may take, and in which steps it is given time.
const PATIENCE: Duration = Duration::from_secs(2);
const MOMENT: Duration = Duration::from_millis(10);

/// What a script has printed and nobody has taken yet.
type Output = Rc<RefCell<Vec<u8>>>;

/// What a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// There is work left that can be done at once.
    Busy,
    /// Everything waits, the first of it until this time since the epoch.
    Sleeping(Duration),
    /// Everything waits for input.
    Idle,
}

/// A simulated machine with somebody at its terminal.
pub struct Session {
    world: SimWorld,
    station: Rc<Station>,
    recorder: Rc<Recorder>,
    tty: PtyMaster,
    shell: Cell<Option<(Pid, ExitWatch)>>,
    /// How far the clock may go.
    target: Cell<Duration>,
    /// Slices since the last input; `None` once all work was done.
    slices: Cell<Option<u64>>,
    log: RefCell<Log>,
    transcript: RefCell<Vec<u8>>,
    unread: RefCell<Vec<u8>>,
}

impl Session {
    /// A machine that has just been switched on, with the shell's first prompt.
    pub fn new(config: Config) -> Session {
        Session::with_annex(config, Some(Annex::whole()))
    }

    /// As [`Session::new`], with or without what few sessions begin with: see [`Session::misses_annex`].
    pub fn with_annex(config: Config, annex: Option<Annex>) -> Session {
        let defaults = MachineConfig::default();
        let made = MachineConfig { epoch: config.start, seed: config.seed, ..defaults };
        let world = SimWorld::without_annex(made);
        if let Some(annex) = annex {
            world.annex().bring(annex);
        }
        let machine = world.machine().clone();
        let recorder = Rc::new(Recorder::default());
        let watching = recorder.clone();
        let station = Station::new(&world, Box::new(move |world| watching.on(world)));
        let tty = machine.open_pty(WindowSize { rows: config.rows, columns: config.columns });
        let session = Session {
            target: Cell::new(machine.now()),
            world,
            station,
            recorder,
            tty,
            shell: Cell::new(None),
            slices: Cell::new(Some(0)),
            log: RefCell::new(Log::new(config)),
            transcript: RefCell::default(),
            unread: RefCell::default(),
        };
        session.start_shell();
        session
    }

    /// Gives the machine its annex.
    pub fn bring_annex(&self, annex: Annex) {
        self.world.annex().bring(annex);
    }

    /// Whether something that was typed waits for the annex. Until it is brought, the clock should stand still.
    pub fn misses_annex(&self) -> bool {
        self.world.annex().is_missed()
    }

    pub fn world(&self) -> &SimWorld {
        &self.world
    }

    fn machine(&self) -> &Machine {
        self.world.machine()
    }

    /// Puts something more around each act of the commands that begin from now on: a pause, a failure.
    pub fn add_watcher(&self, watcher: Rc<dyn Watcher>) {
        self.station.watchers.borrow_mut().push(watcher);
    }

    // Steps and stages.

    /// The steps of all commands, from number `from` on, each with the stage after it.
    pub fn steps(&self, from: usize) -> Vec<Rc<Moment>> {
        self.recorder.since(from)
    }

    pub fn step_count(&self) -> usize {
        self.recorder.len()
    }

    /// The stage as it is now: of the host that the last command's engine is on.
    pub fn stage(&self) -> Rc<Stage> {
        self.recorder.stage(&self.station.acting().world)
    }

    // Inputs. Each is noted in the log.

    fn note(&self, input: Input) {
        self.log.borrow_mut().push(self.slices.get(), input);
        self.slices.set(Some(0));
    }

    /// Types at the terminal.
    pub fn input(&self, bytes: &[u8]) {
        self.note(Input::Keys(bytes.to_vec()));
        if self.shell_has_ended() {
            self.start_shell();
        }
        self.tty.write(bytes);
    }

    /// Lets the clock go on by `time`; [`Session::run`] does what becomes due on the way.
    pub fn tick(&self, time: Duration) {
        self.note(Input::Tick(time));
        self.target.set(self.target.get() + time);
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        self.note(Input::Resize { columns, rows });
        self.tty.resize(WindowSize { rows, columns });
    }

    /// Writes a file of the host, as the page's editor does.
    pub fn write_host_file(&self, path: &str, bytes: &[u8]) -> Result<(), Errno> {
        self.note(Input::File { path: path.to_string(), bytes: bytes.to_vec() });
        self.machine().write_file(Machine::INIT, path, bytes, 0o644)
    }

    pub fn read_host_file(&self, path: &str) -> Result<Vec<u8>, Errno> {
        self.machine().read_file(Machine::INIT, path)
    }

    // Work.

    /// Works for about `budget` turns at most, as far as the clock may go.
    pub fn run(&self, budget: u64) -> Activity {
        for _ in 0..budget.div_ceil(SLICE).max(1) {
            if self.slice() {
                return match self.machine().next_timer() {
                    Some(time) => Activity::Sleeping(time),
                    None => Activity::Idle,
                };
            }
        }
        Activity::Busy
    }

    /// One slice of work; whether nothing is left to do before the clock may go further.
    fn slice(&self) -> bool {
        let activity = self.machine().run(SLICE);
        self.collect();
        let quiet = match activity {
            kernel::Activity::Busy => false,
            kernel::Activity::Waiting(_) => match self.machine().next_timer().filter(|t| *t <= self.target.get()) {
                Some(time) => {
                    self.machine().advance_to(time);
                    false
                }
                None => {
                    self.machine().advance_to(self.target.get());
                    true
                }
            },
        };
        self.slices.set(if quiet { None } else { self.slices.get().map(|n| n + 1).or(Some(1)) });
        quiet
    }

    /// Works until all wait. A program that computes for ever never waits: it ends after so much computing.
    fn settle(&self) {
        let end = self.now().max(self.target.get()) + COMPUTING;
        while !self.slice() && self.now() < end {}
    }

    /// Takes over what was printed.
    fn collect(&self) {
        self.print(&self.tty.take_output());
    }

    fn print(&self, bytes: &[u8]) {
        self.transcript.borrow_mut().extend_from_slice(bytes);
        self.unread.borrow_mut().extend_from_slice(bytes);
    }

    /// What was printed since the last call.
    pub fn take_output(&self) -> Vec<u8> {
        self.collect();
        std::mem::take(&mut *self.unread.borrow_mut())
    }

    /// When the next thing is due that waits for the clock: what the page offers to skip to.
    pub fn next_timer(&self) -> Option<Duration> {
        self.machine().next_timer()
    }

    pub fn now(&self) -> Duration {
        self.machine().now()
    }

    // Processes on the host.

    fn spawn(&self, stdio: [StdStream; 3]) -> Result<Pid, Errno> {
        hosts::spawn(self.machine(), stdio)
    }

    fn environment(&self, terminal: bool) -> Vec<(String, String)> {
        let mut env = hosts::environment();
        if terminal {
            let kind = if self.log.borrow().config.plain { "dumb" } else { "xterm-256color" };
            env.push(("TERM".into(), kind.into()));
        }
        env
    }

    fn start_shell(&self) {
        let end = || StdStream::Pty(self.tty.clone());
        let started = self.spawn([end(), end(), end()]).and_then(|pid| {
            let _ = self.machine().os(pid).chdir(HOME);
            self.machine().exec(pid, "/bin/bash", &["bash".to_string()], &self.environment(true))?;
            Ok(pid)
        });
        match started {
            Ok(pid) => self.shell.set(self.machine().watch_exit(pid).map(|watch| (pid, watch))),
            Err(errno) => self.print(format!("bash: {errno}\r\n").as_bytes()),
        }
    }

    /// Whether the terminal's shell has ended; the next input starts another.
    pub fn shell_has_ended(&self) -> bool {
        let shell = self.shell.take();
        let ended = shell.as_ref().is_none_or(|(_, watch)| watch.now().is_some());
        self.shell.set(shell);
        ended
    }

    /// Whether the shell waits for a line: nothing runs in the foreground of the terminal.
    pub fn at_prompt(&self) -> bool {
        let shell = self.shell.take();
        let at_prompt = shell.as_ref().is_some_and(|(pid, watch)| {
            let os = self.machine().os(*pid);
            watch.now().is_none() && os.foreground_group(0) == Ok(os.process_group())
        });
        self.shell.set(shell);
        at_prompt
    }

    /// Answers a question that needs the machine to run, as a lesson's checks do. An answer that needs time, as
    /// one over the network does, gets up to `PATIENCE` of it, noted in the log as ticks; `None` where that
    /// is not enough. The question itself is no input.
    pub fn ask<T: 'static>(&self, question: LocalFut<T>) -> Option<T> {
        let answer = Rc::new(RefCell::new(None));
        let slot = answer.clone();
        self.machine().spawn_task(Box::pin(async move {
            let found = question.await;
            *slot.borrow_mut() = Some(found);
        }));
        let was_quiet = self.slices.get().is_none();
        let mut given = Duration::ZERO;
        loop {
            while answer.borrow().is_none() && !self.slice() {}
            if answer.borrow().is_some() || given >= PATIENCE {
                break;
            }
            self.tick(MOMENT);
            given += MOMENT;
        }
        if was_quiet {
            // For the log nothing has happened.
            self.settle();
        }
        answer.take()
    }

    /// Runs a shell script to its end, as `sh script` does outside of a terminal, and gives its exit status.
    /// Whenever everything waits, the clock jumps to what is due next. `each` is given output as it comes.
    pub fn script(&self, text: &str, mut each: impl FnMut(&[u8])) -> i32 {
        self.settle();
        self.play(text, &mut each)
    }

    fn play(&self, text: &str, each: &mut impl FnMut(&[u8])) -> i32 {
        self.note(Input::Script(text.to_string()));
        let path = format!("{}/.script", HOME);
        if self.machine().write_file(Machine::INIT, &path, text.as_bytes(), 0o644).is_err() {
            return 126;
        }
        let status = match self.begin_script(&path) {
            Ok((pid, watch, output)) => self.follow(pid, &watch, &output, each),
            Err(errno) => {
                let line = format!("bash: {errno}\n");
                self.print(line.as_bytes());
                each(line.as_bytes());
                126
            }
        };
        let _ = self.machine().remove_all(Machine::INIT, &path);
        self.target.set(self.target.get().max(self.machine().now()));
        self.settle();
        if self.slices.get().is_some() {
            // Counted from here on: the same slices follow when the log's script is played again.
            self.slices.set(Some(0));
        }
        status
    }

    fn begin_script(&self, path: &str) -> Result<(Pid, ExitWatch, Output), Errno> {
        let (read, write) = self.machine().pipe();
        let out = || StdStream::Fd(Machine::INIT, write);
        let spawned = self.spawn([StdStream::Null, out(), out()]);
        let _ = self.machine().os(Machine::INIT).close(write);
        let pid = spawned?;
        self.machine().os(pid).chdir(HOME)?;
        let argv = ["bash".to_string(), path.to_string()];
        self.machine().exec(pid, "/bin/bash", &argv, &self.environment(false))?;
        let watch = self.machine().watch_exit(pid).ok_or(Errno::ESRCH)?;
        let output = Rc::new(RefCell::new(Vec::new()));
        let (os, kept) = (self.machine().os(Machine::INIT), output.clone());
        self.machine().spawn_task(Box::pin(async move {
            while let Ok(bytes) = os.read(read, 65536).await {
                if bytes.is_empty() {
                    break;
                }
                kept.borrow_mut().extend(bytes);
            }
            let _ = os.close(read);
        }));
        Ok((pid, watch, output))
    }

    fn follow(&self, pid: Pid, watch: &ExitWatch, output: &Output, each: &mut impl FnMut(&[u8])) -> i32 {
        let mut pass = |bytes: &[u8]| {
            if !bytes.is_empty() {
                self.print(bytes);
                each(bytes);
            }
        };
        let mut end = None;
        loop {
            let activity = self.machine().run(SLICE);
            pass(&std::mem::take(&mut *output.borrow_mut()));
            if let Some(ExitInfo { status, .. }) = watch.now() {
                // What it left behind comes to rest first, unless it never does.
                let end = *end.get_or_insert(self.now() + COMPUTING);
                if self.now() > end || matches!(activity, kernel::Activity::Waiting(_)) {
                    return status.code();
                }
            }
            match activity {
                kernel::Activity::Busy => {}
                kernel::Activity::Waiting(_) => match self.machine().next_timer() {
                    Some(time) => self.machine().advance_to(time),
                    None => {
                        pass(b"cutaway: the script waits for something that can't come; ended\n");
                        let _ = self.machine().kill(pid, Signal::KILL);
                    }
                },
            }
        }
    }

    // The log.

    /// The inputs so far.
    pub fn log(&self) -> Log {
        self.log.borrow().clone()
    }

    /// Lives a log again.
    pub fn replay(log: &Log) -> Session {
        Session::replay_with_annex(log, Some(Annex::whole()))
    }

    /// As [`Session::replay`], with or without what few sessions begin with.
    pub fn replay_with_annex(log: &Log, annex: Option<Annex>) -> Session {
        let session = Session::with_annex(log.config.clone(), annex);
        for entry in &log.entries {
            match entry.slices {
                None => session.settle(),
                Some(count) => {
                    for _ in 0..count {
                        session.slice();
                    }
                }
            }
            match &entry.input {
                Input::Keys(bytes) => session.input(bytes),
                Input::Tick(time) => session.tick(*time),
                Input::Script(text) => {
                    session.play(text, &mut |_| {});
                }
                // What failed then fails again.
                Input::File { path, bytes } => {
                    let _ = session.write_host_file(path, bytes);
                }
                Input::Resize { columns, rows } => session.resize(*columns, *rows),
            }
        }
        session.settle();
        session
    }

    /// One digest of the whole state: records, content, files of the host, processes of all hosts, time and what was printed.
    pub fn digest(&self) -> Digest {
        self.collect();
        let mut text = String::new();
        for host in self.station.all() {
            text += &state_of(&host);
        }
        text += &format!("{:?} {}", self.machine().now(), Digest::of(&self.transcript.borrow()));
        Digest::of(text.as_bytes())
    }
}

/// What a host has and does.
fn state_of(host: &Host) -> String {
    let (world, machine) = (&host.world, host.world.machine());
    let mut text = format!("{}\n", host.name);
    let memory = world.memory();
    for kind in Kind::ALL {
        for key in memory.keys(kind) {
            let value = memory.get(kind, &key).map(|v| v.to_string()).unwrap_or_default();
            text += &format!("{} {key} {value}\n", kind.name());
        }
    }
    text += &format!("{:?}\n", world.blobs());
    for file in machine.export(Machine::INIT, "/").unwrap_or_default() {
        let kind = match &file.kind {
            TreeKind::File(bytes) => Digest::of(bytes).to_string(),
            other => format!("{other:?}"),
        };
        text += &format!("{} {:o} {} {} {:?} {kind}\n", file.path, file.mode, file.uid, file.gid, file.mtime);
    }
    for process in machine.processes(Machine::INIT) {
        text += &format!("{} {} {} {:?}\n", process.pid, process.parent, process.state, process.args);
    }
    text
}
