//! What stands beside each container and each exec: it copies their output to the log and to whoever is
//! attached, passes input on, and knows how they ended. (Docker's is a process called containerd-shim.)

use super::notify::{Either, Notify, race};
use crate::image::wire::rfc3339;
use crate::sim::kernel::{ExitWatch, Machine, PtyMaster, SimOs};
use crate::world::acts::LogDriver;
use crate::world::{Chunk, Console, Exit, LocalFut, LogLine, Stream};
use cutaway_userland::io;
use cutaway_userland::os::{Fd, OpenFlags, Os, Pid, WindowSize};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// Bytes that wait for one attached client before the container's output is held back.
const CONSOLE_LIMIT: usize = 1 << 20;
/// Bytes of stored output; the oldest lines go first.
const LOG_LIMIT: usize = 16 << 20;
/// The longest piece that is stored as one line.
const LINE_LIMIT: usize = 16 << 10;
/// How long after the end of a process its output may still come from what it started.
const LINGER: Duration = Duration::from_millis(100);

/// The stored output of a container, over all its runs.
#[derive(Default)]
pub struct Log {
    lines: RefCell<VecDeque<LogLine>>,
    /// How many lines were dropped at the front.
    dropped: Cell<usize>,
    bytes: Cell<usize>,
    /// Lines that have not ended yet, of standard output and error.
    open: RefCell<[Vec<u8>; 2]>,
    grown: Notify,
}

impl Log {
    /// Stores output; the lines that it completed.
    fn append(&self, from: Stream, at: Duration, bytes: &[u8]) -> Vec<LogLine> {
        let mut stored = Vec::new();
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            let line = {
                let mut open = self.open.borrow_mut();
                let open = &mut open[usize::from(from == Stream::Err)];
                open.extend_from_slice(piece);
                if open.last() != Some(&b'\n') && open.len() < LINE_LIMIT {
                    continue;
                }
                std::mem::take(open)
            };
            let line = LogLine { from, at, bytes: line };
            self.store(line.clone());
            stored.push(line);
        }
        self.grown.ring();
        stored
    }

    /// Stores lines that had no newline.
    fn finish(&self, at: Duration) -> Vec<LogLine> {
        let [out, err] = std::mem::take(&mut *self.open.borrow_mut());
        let open = [(Stream::Out, out), (Stream::Err, err)].into_iter().filter(|(_, bytes)| !bytes.is_empty());
        let lines: Vec<LogLine> = open.map(|(from, bytes)| LogLine { from, at, bytes }).collect();
        lines.iter().for_each(|line| self.store(line.clone()));
        self.grown.ring();
        lines
    }

    fn store(&self, line: LogLine) {
        let mut lines = self.lines.borrow_mut();
        self.bytes.set(self.bytes.get() + line.bytes.len());
        lines.push_back(line);
        while self.bytes.get() > LOG_LIMIT {
            let Some(first) = lines.pop_front() else { break };
            self.bytes.set(self.bytes.get() - first.bytes.len());
            self.dropped.set(self.dropped.get() + 1);
        }
    }

    /// The lines from number `from` on; those that were dropped count.
    pub fn lines(&self, from: usize) -> Vec<LogLine> {
        self.lines.borrow().iter().skip(from.saturating_sub(self.dropped.get())).cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.dropped.get() + self.lines.borrow().len()
    }

    /// Waits until there are more than `from` lines, or `ended` says that there will be none.
    pub async fn more(&self, from: usize, ended: impl Fn() -> bool) -> bool {
        self.grown
            .until(|| match (self.len() > from, ended()) {
                (true, _) => Some(true),
                (false, true) => Some(false),
                (false, false) => None,
            })
            .await
    }
}

/// One attached client's side.
#[derive(Default)]
struct Listener {
    chunks: RefCell<VecDeque<Chunk>>,
    waiting: Cell<usize>,
}

/// The standard streams on the world's side.
pub enum Streams {
    /// Descriptors of the host's first process: where to write input, and where output comes from.
    Pipes {
        input: Option<Fd>,
        output: [Fd; 2],
    },
    Terminal(PtyMaster),
}

pub struct Shim {
    machine: Machine,
    pid: Pid,
    watch: ExitWatch,
    terminal: Option<PtyMaster>,
    input: Cell<Option<Fd>>,
    /// Whether the end of a client's input ends the container's.
    input_once: bool,
    log: Option<Rc<Log>>,
    /// The file of the host that holds the log, too, where the driver is `json-file`.
    log_file: Option<String>,
    listeners: RefCell<Vec<Rc<Listener>>>,
    /// How many output streams are still read.
    pumping: Cell<u32>,
    ended: Cell<bool>,
    bell: Notify,
}

impl Shim {
    /// Begins to copy. `log` is where output is kept, if it is.
    pub fn start(
        machine: &Machine,
        pid: Pid,
        watch: ExitWatch,
        streams: Streams,
        input_once: bool,
        log: Option<(LogDriver, Rc<Log>, String)>,
    ) -> Rc<Shim> {
        let log = log.filter(|(driver, ..)| *driver != LogDriver::None);
        let log_file =
            log.as_ref().filter(|(driver, ..)| *driver == LogDriver::JsonFile).map(|(.., path)| path.clone());
        let (terminal, input, output) = match streams {
            Streams::Terminal(pty) => (Some(pty), None, None),
            Streams::Pipes { input, output } => (None, input, Some(output)),
        };
        let shim = Rc::new(Shim {
            machine: machine.clone(),
            pid,
            watch,
            terminal,
            input: Cell::new(input),
            input_once,
            log: log.map(|(_, log, _)| log),
            log_file,
            listeners: RefCell::default(),
            pumping: Cell::new(if output.is_some() { 2 } else { 1 }),
            ended: Cell::new(false),
            bell: Notify::default(),
        });
        match output {
            Some([out, err]) => {
                machine.spawn_task(Box::pin(shim.clone().pump(out, Stream::Out)));
                machine.spawn_task(Box::pin(shim.clone().pump(err, Stream::Err)));
            }
            None => machine.spawn_task(Box::pin(shim.clone().pump_terminal())),
        }
        machine.spawn_task(Box::pin(shim.clone().watch_end()));
        shim
    }

    pub fn pid(&self) -> Pid {
        self.pid
    }

    pub fn is_alive(&self) -> bool {
        self.watch.now().is_none()
    }

    /// The terminal, where it has one.
    pub fn terminal(&self) -> Option<&PtyMaster> {
        self.terminal.as_ref()
    }

    fn host(&self) -> SimOs {
        self.machine.os(Machine::INIT)
    }

    async fn pump(self: Rc<Self>, fd: Fd, from: Stream) {
        while let Ok(bytes) = self.host().read(fd, 65536).await {
            if bytes.is_empty() {
                break;
            }
            self.deliver(from, bytes).await;
        }
        let _ = self.host().close(fd);
        self.pumping.set(self.pumping.get() - 1);
        self.bell.ring();
    }

    async fn pump_terminal(self: Rc<Self>) {
        if let Some(pty) = self.terminal.clone() {
            loop {
                let bytes = pty.read(65536).await;
                if bytes.is_empty() {
                    break;
                }
                self.deliver(Stream::Out, bytes).await;
            }
        }
        self.pumping.set(self.pumping.get() - 1);
        self.bell.ring();
    }

    async fn deliver(&self, from: Stream, bytes: Vec<u8>) {
        if let Some(log) = &self.log {
            let lines = log.append(from, self.machine.now(), &bytes);
            self.write_lines(&lines).await;
        }
        let listeners = self.listeners.borrow().clone();
        for listener in &listeners {
            listener.waiting.set(listener.waiting.get() + bytes.len());
            listener.chunks.borrow_mut().push_back(Chunk { from, bytes: bytes.clone() });
        }
        self.bell.ring();
        let full = |l: &Rc<Listener>| Rc::strong_count(l) > 2 && l.waiting.get() > CONSOLE_LIMIT;
        if listeners.iter().any(full) {
            drop(listeners);
            let crowded = || self.listeners.borrow().iter().any(|l| l.waiting.get() > CONSOLE_LIMIT);
            self.bell.until(|| (!crowded() || self.ended.get()).then_some(())).await;
        }
    }

    /// Adds lines to the log's file, in Docker's form.
    async fn write_lines(&self, lines: &[LogLine]) {
        let Some(path) = self.log_file.as_ref().filter(|_| !lines.is_empty()) else { return };
        let mut text = String::new();
        for line in lines {
            let stream = if line.from == Stream::Err { "stderr" } else { "stdout" };
            let log = String::from_utf8_lossy(&line.bytes);
            text += &serde_json::json!({ "log": log, "stream": stream, "time": rfc3339(line.at) }).to_string();
            text.push('\n');
        }
        let host = self.host();
        if let Ok(fd) = host.open(path, OpenFlags::APPEND, 0o640).await {
            let _ = io::write_all(&host, fd, text.as_bytes()).await;
            let _ = host.close(fd);
        }
    }

    /// Waits for the process's end, then for the rest of its output.
    async fn watch_end(self: Rc<Self>) {
        self.watch.wait().await;
        let drained = self.bell.until(|| (self.pumping.get() == 0).then_some(()));
        if let Either::Right(()) = race(drained, self.machine.sleep(LINGER)).await {
            // What it left running keeps its output open; nobody waits for that.
        }
        self.close_input();
        if let Some(log) = &self.log {
            let lines = log.finish(self.machine.now());
            self.write_lines(&lines).await;
        }
        self.ended.set(true);
        self.bell.ring();
        if let Some(log) = &self.log {
            log.grown.ring();
        }
    }

    fn close_input(&self) {
        if let Some(fd) = self.input.take() {
            let _ = self.host().close(fd);
        }
    }

    /// Waits until the process has ended and all its output was seen.
    pub async fn exit(&self) -> Exit {
        let info = self.watch.wait().await;
        self.bell.until(|| self.ended.get().then_some(())).await;
        Exit { code: info.status.code(), oom_killed: info.oom_killed, at: info.at }
    }

    /// Whether there will be no more output.
    pub fn is_ended(&self) -> bool {
        self.ended.get()
    }

    /// Joins the streams: output from now on, and input.
    pub fn console(self: &Rc<Self>) -> Rc<dyn Console> {
        let listener = Rc::new(Listener::default());
        self.listeners.borrow_mut().push(listener.clone());
        Rc::new(Joined { shim: self.clone(), listener, wrote: Cell::new(false) })
    }
}

struct Joined {
    shim: Rc<Shim>,
    listener: Rc<Listener>,
    wrote: Cell<bool>,
}

impl Console for Joined {
    fn read(&self) -> LocalFut<Option<Chunk>> {
        let (shim, listener) = (self.shim.clone(), self.listener.clone());
        Box::pin(async move {
            let next = || match listener.chunks.borrow_mut().pop_front() {
                Some(chunk) => Some(Some(chunk)),
                None => shim.ended.get().then_some(None),
            };
            let chunk = shim.bell.until(next).await;
            if let Some(chunk) = &chunk {
                let before = listener.waiting.get();
                listener.waiting.set(before.saturating_sub(chunk.bytes.len()));
                if before > CONSOLE_LIMIT {
                    shim.bell.ring();
                }
            }
            chunk
        })
    }

    fn write(&self, bytes: &[u8]) -> LocalFut<()> {
        self.wrote.set(true);
        let (shim, bytes) = (self.shim.clone(), bytes.to_vec());
        Box::pin(async move {
            if let Some(pty) = &shim.terminal {
                pty.write(&bytes);
                return;
            }
            let mut rest = bytes.as_slice();
            while let (false, Some(fd)) = (rest.is_empty(), shim.input.get()) {
                let ended = shim.bell.until(|| shim.ended.get().then_some(()));
                match race(shim.host().write(fd, rest), ended).await {
                    Either::Left(Ok(n)) if n > 0 => rest = &rest[n..],
                    // Nobody reads it any more.
                    _ => return,
                }
            }
        })
    }

    fn close_input(&self) {
        if self.shim.input_once {
            self.shim.close_input();
        }
    }

    fn resize(&self, size: WindowSize) {
        if let Some(pty) = &self.shim.terminal {
            pty.resize(size);
        }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.shim.listeners.borrow_mut().retain(|l| !Rc::ptr_eq(l, &self.listener));
        if self.wrote.get() {
            self.close_input();
        }
        self.shim.bell.ring();
    }
}
