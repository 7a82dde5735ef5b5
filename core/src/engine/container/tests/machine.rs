//! The smallest machine on which the engine's container commands can be tested: acts are only noted, programs
//! are a handful of words, and time jumps to the next timer whenever nothing else can happen.

use crate::name::{ChainId, Digest};
use crate::world::acts::*;
use crate::world::*;
use cutaway_userland::Errno;
use cutaway_userland::os::{FileKind, Signal, WindowSize};
use cutaway_userland::sorted::{Map as BTreeMap, Set as BTreeSet};
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The first process of a container, or an exec.
#[derive(Clone, Default)]
struct Process {
    argv: Vec<String>,
    /// The end that is to come, by itself.
    ends: Option<(Duration, i32)>,
    exit: Option<Exit>,
    output: Vec<Chunk>,
}

#[derive(Default)]
struct Inner {
    now: Duration,
    records: BTreeMap<(&'static str, String), serde_json::Value>,
    processes: BTreeMap<String, Process>,
    logs: BTreeMap<String, Vec<LogLine>>,
    files: BTreeSet<String>,
    ports: BTreeSet<(String, u16)>,
    left: BTreeMap<String, Vec<String>>,
    timers: BTreeSet<Duration>,
    spawned: Vec<LocalFut<()>>,
    entropy: u64,
    changes: u64,
}

#[derive(Clone, Default)]
pub struct Machine(Rc<RefCell<Inner>>);

impl Machine {
    /// Runs a future and all that was spawned, to the first one's end.
    pub fn run<T>(&self, main: impl Future<Output = T>) -> T {
        let mut main = pin!(main);
        let mut tasks: Vec<LocalFut<()>> = Vec::new();
        for turn in 0.. {
            assert!(turn < 100_000, "this would go on for ever");
            let before = self.0.borrow().changes;
            if let Poll::Ready(value) = main.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                self.0.borrow_mut().spawned.append(&mut tasks);
                return value;
            }
            self.step(&mut tasks);
            let mut inner = self.0.borrow_mut();
            if inner.changes == before && inner.spawned.is_empty() {
                let now = inner.now;
                let next = inner.timers.iter().copied().find(|t| *t > now).expect("everything waits for ever");
                inner.timers.retain(|t| *t > next);
                inner.now = next;
            }
        }
        unreachable!("the loop only ends by returning")
    }

    /// Lets what was spawned go on for so long.
    pub fn pass(&self, time: Duration) {
        let world = self.clone();
        self.run(async move { world.sleep(time).await });
    }

    /// Polls what was spawned; what is not finished stays in `tasks`.
    fn step(&self, tasks: &mut Vec<LocalFut<()>>) {
        tasks.append(&mut self.0.borrow_mut().spawned);
        tasks.retain_mut(|t| t.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }

    pub fn note(&self, of: &str, what: &str) {
        self.0.borrow_mut().left.entry(of.to_string()).or_default().push(what.to_string());
        self.0.borrow_mut().changes += 1;
    }

    fn forget(&self, of: &str, what: &str) {
        let mut inner = self.0.borrow_mut();
        if let Some(list) = inner.left.get_mut(of) {
            list.retain(|w| w != what);
        }
        inner.left.retain(|_, list| !list.is_empty());
        inner.changes += 1;
    }

    /// What acts made and no act has taken away.
    pub fn left(&self) -> BTreeMap<String, Vec<String>> {
        self.0.borrow().left.clone()
    }

    pub fn records_of(&self, kind: Kind) -> usize {
        self.keys(kind).map_or(0, |keys| keys.len())
    }

    /// Brings ends that are due about; the process as it is now.
    fn look(&self, id: &str) -> Option<Process> {
        let mut inner = self.0.borrow_mut();
        let now = inner.now;
        let process = inner.processes.get_mut(id)?;
        if let (None, Some((at, code))) = (&process.exit, process.ends)
            && at <= now
        {
            process.exit = Some(Exit { code, oom_killed: false, at });
        }
        let ends = process.ends.map(|(at, _)| at);
        let copy = process.clone();
        inner.timers.extend(ends.filter(|at| *at > now));
        Some(copy)
    }

    fn begin(&self, id: &str, argv: &[String], log: Option<&str>) -> Result<(), Fault> {
        let now = self.0.borrow().now;
        let words: Vec<&str> = match argv {
            [shell, option, line] if shell == "/bin/sh" && option == "-c" => line.split(' ').collect(),
            _ => argv.iter().map(String::as_str).collect(),
        };
        let mut output = Vec::new();
        let after = |time: u64, code| Some((now + Duration::from_secs(time), code));
        let ends = match words[..] {
            ["true"] => after(0, 0),
            ["exit", code] => after(0, code.parse().unwrap_or(1)),
            ["sleep" | "polite", time] => after(time.parse().unwrap_or(0), 0),
            ["echo", ref rest @ ..] => {
                output.push(Chunk { from: Stream::Out, bytes: format!("{}\n", rest.join(" ")).into_bytes() });
                after(0, 0)
            }
            ["test", file] => after(0, i32::from(!self.0.borrow().files.contains(file))),
            ["/etc/passwd", ..] => return Err(Fault::errno(Errno::EACCES, "exec")),
            _ => return Err(Fault::errno(Errno::ENOENT, "exec")),
        };
        let mut inner = self.0.borrow_mut();
        if let Some(log) = log {
            let lines = output.iter().map(|c| LogLine { from: c.from, at: now, bytes: c.bytes.clone() });
            let lines: Vec<LogLine> = lines.collect();
            inner.logs.entry(log.to_string()).or_default().extend(lines);
        }
        inner.processes.insert(id.to_string(), Process { argv: argv.to_vec(), ends, exit: None, output });
        inner.changes += 1;
        Ok(())
    }

    pub fn touch(&self, file: &str) {
        self.0.borrow_mut().files.insert(file.to_string());
    }

    fn wait(&self, id: &str) -> LocalFut<Result<Exit, Fault>> {
        let (world, id) = (self.clone(), id.to_string());
        Box::pin(poll_fn(move |_| match world.look(&id).and_then(|p| p.exit) {
            Some(exit) => Poll::Ready(Ok(exit)),
            None => Poll::Pending,
        }))
    }

    fn console(&self, id: &str) -> Rc<dyn Console> {
        Rc::new(Output { machine: self.clone(), id: id.to_string(), shown: RefCell::new(0) })
    }
}

struct Output {
    machine: Machine,
    id: String,
    shown: RefCell<usize>,
}

impl Console for Output {
    fn read(&self) -> LocalFut<Option<Chunk>> {
        let (world, id) = (self.machine.clone(), self.id.clone());
        let from = *self.shown.borrow();
        *self.shown.borrow_mut() += 1;
        Box::pin(poll_fn(move |_| {
            let Some(process) = world.look(&id) else { return Poll::Pending };
            match process.output.get(from) {
                Some(chunk) => Poll::Ready(Some(chunk.clone())),
                None if process.exit.is_some() => Poll::Ready(None),
                None => Poll::Pending,
            }
        }))
    }
    fn write(&self, _: &[u8]) -> LocalFut<()> {
        Box::pin(async {})
    }
    fn close_input(&self) {}
    fn resize(&self, _: WindowSize) {}
}

macro_rules! unused_acts {
    ($($act:ty),*) => {
        $(impl Performs<$act> for Machine {
            async fn perform(&self, act: $act) -> Result<<$act as Act>::Output, Fault> {
                Err(Fault::Unsupported(format!("{act:?}")))
            }
        })*
    };
}
unused_acts!(
    PutBlob,
    RemoveBlob,
    SendRequest,
    FetchBlob,
    PushBlob,
    CheckOutGit,
    UnpackLayer,
    CommitSnapshot,
    RemoveLayer,
    RemoveBridge
);

macro_rules! quiet_acts {
    ($($act:ty),*) => {
        $(impl Performs<$act> for Machine {
            async fn perform(&self, act: $act) -> Result<(), Fault> {
                let _ = act;
                self.0.borrow_mut().changes += 1;
                Ok(())
            }
        })*
    };
}
quiet_acts!(
    ImportTree,
    SeedVolume,
    MakeHostDirectory,
    WriteLimit,
    Freeze,
    CreateBridge,
    AttachToBridge,
    AddSubInterface,
    MoveLink,
    AddAddress,
    AddRoute,
    ShapeTraffic,
    ServeNames,
    WriteNetworkFiles,
    Setup
);

impl Performs<EnsureParent> for Machine {
    async fn perform(&self, _: EnsureParent) -> Result<bool, Fault> {
        Ok(false)
    }
}

macro_rules! noted_acts {
    ($($makes:ty, $takes:ty, $word:literal, $field:ident $(. $deep:tt)?;)*) => {
        $(impl Performs<$makes> for Machine {
            async fn perform(&self, act: $makes) -> Result<(), Fault> {
                self.note(&act.$field $(.$deep)?, $word);
                Ok(())
            }
        }
        impl Performs<$takes> for Machine {
            async fn perform(&self, act: $takes) -> Result<(), Fault> {
                self.forget(&act.$field $(.$deep)?, $word);
                Ok(())
            }
        })*
    };
}
noted_acts! {
    CreateCgroup, RemoveCgroup, "cgroup", container;
    PrepareSnapshot, RemoveSnapshot, "snapshot", key.0;
    CreateVolume, RemoveVolume, "volume", name;
}

impl Performs<AddVethPair> for Machine {
    async fn perform(&self, act: AddVethPair) -> Result<(), Fault> {
        self.note(&act.container, &format!("cable {}", act.host.0));
        Ok(())
    }
}

impl Performs<RemoveLink> for Machine {
    async fn perform(&self, act: RemoveLink) -> Result<(), Fault> {
        self.forget(&act.container, &format!("cable {}", act.link.0));
        Ok(())
    }
}

impl Performs<PublishPort> for Machine {
    async fn perform(&self, act: PublishPort) -> Result<u16, Fault> {
        let port = if act.host_port == 0 { 32768 } else { act.host_port };
        if !self.0.borrow_mut().ports.insert((act.host.to_string(), port)) {
            return Err(Fault::errno(Errno::EADDRINUSE, "bind"));
        }
        self.note(&act.container, &format!("port {} {port}", act.host));
        Ok(port)
    }
}

impl Performs<UnpublishPort> for Machine {
    async fn perform(&self, act: UnpublishPort) -> Result<(), Fault> {
        self.0.borrow_mut().ports.remove(&(act.host.to_string(), act.host_port));
        self.forget(&act.container, &format!("port {} {}", act.host, act.host_port));
        Ok(())
    }
}

impl Performs<CloneInit> for Machine {
    async fn perform(&self, act: CloneInit) -> Result<i32, Fault> {
        self.0.borrow_mut().processes.insert(act.container.clone(), Process::default());
        self.note(&act.container, "process");
        Ok(4242)
    }
}

impl Performs<ReleaseContainer> for Machine {
    async fn perform(&self, act: ReleaseContainer) -> Result<(), Fault> {
        self.forget(&act.container, "process");
        Ok(())
    }
}

impl Performs<Exec> for Machine {
    async fn perform(&self, act: Exec) -> Result<(), Fault> {
        self.begin(&act.container, &act.argv, Some(&act.container))
    }
}

impl Performs<ExecIn> for Machine {
    async fn perform(&self, act: ExecIn) -> Result<i32, Fault> {
        self.begin(&act.exec.0, &act.argv, None).map(|()| 4243)
    }
}

impl Performs<DeliverSignal> for Machine {
    async fn perform(&self, act: DeliverSignal) -> Result<(), Fault> {
        let mut inner = self.0.borrow_mut();
        let now = inner.now;
        inner.changes += 1;
        let gone = Fault::errno(Errno::ESRCH, "kill");
        let process = inner.processes.get_mut(&act.container).filter(|p| p.exit.is_none()).ok_or(gone)?;
        // A first process has no default actions: only `polite` listens.
        if act.signal == Signal::KILL {
            process.ends = Some((now, 137));
        } else if act.signal == Signal::TERM && process.argv.first().is_some_and(|a| a == "polite") {
            process.ends = Some((now, 7));
        }
        Ok(())
    }
}

impl Records for Machine {
    fn get<R: Record>(&self, key: &str) -> Result<Option<R>, Fault> {
        let value = self.0.borrow().records.get(&(R::KIND.name(), key.to_string())).cloned();
        value.map(|v| serde_json::from_value(v).map_err(|e| Fault::Unsupported(e.to_string()))).transpose()
    }
    fn put<R: Record>(&self, record: &R) -> Result<(), Fault> {
        self.transact(|t| t.put(record))
    }
    fn remove<R: Record>(&self, key: &str) -> Result<bool, Fault> {
        self.0.borrow_mut().changes += 1;
        Ok(self.0.borrow_mut().records.remove(&(R::KIND.name(), key.to_string())).is_some())
    }
    fn keys(&self, kind: Kind) -> Result<Vec<String>, Fault> {
        let inner = self.0.borrow();
        Ok(inner.records.keys().filter(|(k, _)| *k == kind.name()).map(|(_, key)| key.clone()).collect())
    }
    fn list<R: Record>(&self) -> Result<Vec<R>, Fault> {
        self.keys(R::KIND)?.iter().filter_map(|key| self.get(key).transpose()).collect()
    }
    fn transact<T>(&self, change: impl FnOnce(&mut dyn Transaction) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut open = Open { machine: self.clone() };
        self.0.borrow_mut().changes += 1;
        change(&mut open)
    }
}

struct Open {
    machine: Machine,
}

impl Transaction for Open {
    fn get_json(&self, kind: Kind, key: &str) -> Result<Option<serde_json::Value>, Fault> {
        Ok(self.machine.0.borrow().records.get(&(kind.name(), key.to_string())).cloned())
    }
    fn put_json(&mut self, kind: Kind, key: &str, value: serde_json::Value) {
        self.machine.0.borrow_mut().records.insert((kind.name(), key.to_string()), value);
    }
    fn remove_json(&mut self, kind: Kind, key: &str) {
        self.machine.0.borrow_mut().records.remove(&(kind.name(), key.to_string()));
    }
    fn keys(&self, kind: Kind) -> Result<Vec<String>, Fault> {
        Records::keys(&self.machine, kind)
    }
}

impl Queries for Machine {
    fn now(&self) -> Duration {
        self.0.borrow().now
    }
    fn sleep(&self, time: Duration) -> LocalFut<()> {
        let world = self.clone();
        let end = self.now() + time;
        self.0.borrow_mut().timers.insert(end);
        Box::pin(poll_fn(move |_| if world.now() >= end { Poll::Ready(()) } else { Poll::Pending }))
    }
    fn random(&self, bytes: &mut [u8]) {
        let mut inner = self.0.borrow_mut();
        for byte in bytes {
            inner.entropy =
                inner.entropy.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (inner.entropy >> 33) as u8;
        }
    }
    fn spawn(&self, work: LocalFut<()>) {
        self.0.borrow_mut().spawned.push(work);
    }
    fn host(&self) -> HostFacts {
        HostFacts {
            name: "host".into(),
            operating_system: "test".into(),
            kernel: "6.1".into(),
            architecture: "x86_64".into(),
            cpus: 2,
            memory: 1 << 30,
            cgroup_version: 2,
            rootless: false,
            root: "/var/lib/cutaway".into(),
            runtime: "test".into(),
            default_bridge: "docker0".into(),
        }
    }
    fn has_blob(&self, _: &Digest) -> bool {
        false
    }
    fn blob_size(&self, _: &Digest) -> Option<u64> {
        None
    }
    fn read_blob(&self, digest: &Digest) -> LocalFut<Result<Vec<u8>, Fault>> {
        let fault = Fault::Unsupported(digest.to_string());
        Box::pin(async move { Err(fault) })
    }
    fn blobs(&self) -> Vec<Digest> {
        Vec::new()
    }
    fn has_layer(&self, _: &ChainId) -> bool {
        true
    }
    fn layer_size(&self, _: &ChainId) -> u64 {
        0
    }
    fn export_tree(&self, _: &SnapshotKey, _: &str) -> LocalFut<Result<Vec<u8>, Fault>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn read_snapshot_file(&self, _: &SnapshotKey, path: &str) -> LocalFut<Result<Vec<u8>, Fault>> {
        let text = match path {
            "/etc/passwd" => "root:x:0:0:root:/root:/bin/sh\n",
            _ => "root:x:0:\n",
        };
        Box::pin(async move { Ok(text.into()) })
    }
    fn snapshot_file(&self, _: &SnapshotKey, _: &str) -> LocalFut<Result<Option<FileKind>, Fault>> {
        Box::pin(async { Ok(None) })
    }
    fn changes(&self, _: &SnapshotKey) -> LocalFut<Result<Vec<Change>, Fault>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn snapshot_size(&self, _: &SnapshotKey) -> u64 {
        0
    }
    fn volume_size(&self, _: &str) -> u64 {
        0
    }
    fn host_file(&self, path: &str) -> Option<FileKind> {
        (path == "/host").then_some(FileKind::Directory)
    }
    fn volume_path(&self, name: &str) -> String {
        format!("/var/lib/cutaway/volumes/{name}/_data")
    }
    fn snapshot_paths(&self, _: &SnapshotKey) -> (Vec<String>, String, String, String) {
        Default::default()
    }
    fn init_pid(&self, container: &str) -> Option<i32> {
        self.look(container).filter(|p| p.exit.is_none()).map(|_| 4242)
    }
    fn wait_exit(&self, container: &str) -> LocalFut<Result<Exit, Fault>> {
        self.wait(container)
    }
    fn attach(&self, container: &str) -> LocalFut<Result<Rc<dyn Console>, Fault>> {
        let console = self.console(container);
        Box::pin(async move { Ok(console) })
    }
    fn exec_console(&self, exec: &ExecId) -> LocalFut<Result<Rc<dyn Console>, Fault>> {
        let console = self.console(&exec.0);
        Box::pin(async move { Ok(console) })
    }
    fn wait_exec(&self, exec: &ExecId) -> LocalFut<Result<Exit, Fault>> {
        self.wait(&exec.0)
    }
    fn logs(&self, container: &str, from: usize) -> LocalFut<Result<Vec<LogLine>, Fault>> {
        let lines = self.0.borrow().logs.get(container).cloned().unwrap_or_default();
        Box::pin(async move { Ok(lines.into_iter().skip(from).collect()) })
    }
    fn more_logs(&self, container: &str, from: usize) -> LocalFut<bool> {
        let more = self.0.borrow().logs.get(container).is_some_and(|l| l.len() > from);
        Box::pin(async move { more })
    }
    fn usage(&self, _: &str) -> Result<Usage, Fault> {
        Ok(Usage::default())
    }
    fn processes(&self, _: &str) -> Result<Vec<ProcessRow>, Fault> {
        Ok(Vec::new())
    }
    fn log_path(&self, container: &str) -> String {
        format!("/var/lib/cutaway/containers/{container}/{container}-json.log")
    }
    fn record_change(&self, timeout: Duration) -> LocalFut<()> {
        let before = self.0.borrow().changes;
        let (world, sleep) = (self.clone(), self.sleep(timeout));
        let mut sleep = sleep;
        Box::pin(poll_fn(move |cx| {
            if world.0.borrow().changes != before {
                return Poll::Ready(());
            }
            sleep.as_mut().poll(cx)
        }))
    }
}

/// The person who types: what was written to them, and no input.
#[derive(Default)]
pub struct Person {
    pub out: RefCell<String>,
    pub err: RefCell<String>,
}

impl Client for Person {
    fn write(&self, to: Stream, bytes: &[u8]) -> LocalFut<()> {
        let text = String::from_utf8_lossy(bytes);
        match to {
            Stream::Err => self.err.borrow_mut().push_str(&text),
            _ => self.out.borrow_mut().push_str(&text),
        }
        Box::pin(async {})
    }
    fn broken(&self) -> bool {
        false
    }
    fn read(&self, _: usize) -> LocalFut<Result<Vec<u8>, Fault>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn is_tty(&self, _: Stream) -> bool {
        false
    }
    fn window_size(&self) -> Option<WindowSize> {
        None
    }
    fn set_raw(&self, _: bool) {}
    fn signal(&self) -> LocalFut<Signal> {
        Box::pin(std::future::pending())
    }
    fn env(&self, _: &str) -> Option<String> {
        None
    }
    fn environment(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    fn cwd(&self) -> String {
        "/work".into()
    }
    fn uid(&self) -> u32 {
        0
    }
    fn read_file(&self, path: &str) -> LocalFut<Result<Vec<u8>, Fault>> {
        let fault = Fault::errno(Errno::ENOENT, path);
        Box::pin(async move { Err(fault) })
    }
    fn write_file(&self, _: &str, _: &[u8], _: u32) -> LocalFut<Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }
    fn append_file(&self, _: &str, _: &[u8]) -> LocalFut<Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }
    fn make_directory(&self, _: &str, _: u32) -> LocalFut<Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }
    fn make_symlink(&self, _: &str, _: &str) -> LocalFut<Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }
    fn remove_file(&self, _: &str) -> LocalFut<Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }
    fn remove_directory(&self, _: &str) -> LocalFut<Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }
    fn read_directory(&self, _: &str) -> LocalFut<Result<Vec<String>, Fault>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn facts(&self, _: &str) -> LocalFut<Result<Option<FileFacts>, Fault>> {
        Box::pin(async { Ok(None) })
    }
}
