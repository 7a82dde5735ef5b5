//! The `docker` program of the simulated hosts: an ordinary program there, whose process the engine runs in. It
//! reads its words, and reaches its user's streams and files by its own system calls; the engine that it works
//! for may be another host's.

use crate::cli::{self, Invocation};
use crate::engine::{Ctx, attempt, context, first_groups, unknown};
use crate::sim::hosts::{Here, Host, Station};
use crate::sim::kernel::{Machine, Runner, SimOs};
use crate::sim::world::SimWorld;
use crate::world::{Client, Fault, FileFacts, LocalFut, Stream, Watched};
use cutaway_userland::os::{Disposition, Fd, FileKind, OpenFlags, Os, Signal, Stat, TtyMode, WindowSize};
use cutaway_userland::{Errno, io};
use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

/// The program of one host, for its machine to know. It does not keep the host, which keeps the machine.
pub fn program(station: &Rc<Station>, host: &Rc<Host>) -> Runner {
    let (station, host) = (Rc::downgrade(station), Rc::downgrade(host));
    Rc::new(move |os, argv, env| match (station.upgrade(), host.upgrade()) {
        (Some(station), Some(host)) => Box::pin(docker(station, host, os, argv, env)),
        _ => Box::pin(std::future::ready(1)),
    })
}

async fn docker(station: Rc<Station>, home: Rc<Host>, os: SimOs, argv: Vec<String>, env: Vec<(String, String)>) -> i32 {
    let called = argv.first().and_then(|w| w.rsplit('/').next()).unwrap_or("docker");
    let mut words: Vec<String> = argv.get(1..).unwrap_or(&[]).to_vec();
    if called == "docker-compose" {
        words.insert(0, "compose".into());
    }
    let client = Rc::new(Caller::new(home.world.machine().clone(), os.clone(), env));
    let call = match cli::parse(&words) {
        Ok(call) => call,
        Err(usage) => {
            client.write(usage.stream, usage.text.as_bytes()).await;
            return usage.status;
        }
    };
    // The flag is as good as the variable.
    let client = match call.global.value("config") {
        Some(folder) => Rc::new(client.with_env("DOCKER_CONFIG", folder)),
        None => client,
    };
    let host = match choose(&station, &home, &os, &client, &call).await {
        Ok(host) => host,
        Err(status) => return status,
    };
    let line = format!("docker {}", words.join(" "));
    let watched = station.watched(&host, line.trim_end());
    drop((station, home, host));
    perform(&Ctx { watched, client }, &call).await
}

/// As [`crate::engine::execute`], with an annex that may have to come first.
async fn perform(ctx: &Ctx<SimWorld>, call: &Invocation) -> i32 {
    if let Some(status) = attempt(ctx, call, &first_groups()).await {
        return status;
    }
    let annex = ctx.world().annex().get().await;
    match attempt(ctx, call, &annex.groups).await {
        Some(status) => status,
        None => unknown(ctx, call).await,
    }
}

/// The host whose engine a command is for; the exit status where it can't be reached, which has been told.
async fn choose(
    station: &Rc<Station>,
    home: &Rc<Host>,
    os: &SimOs,
    client: &Rc<Caller>,
    call: &Invocation,
) -> Result<Rc<Host>, i32> {
    if !context::needs_engine(call) {
        return Ok(home.clone());
    }
    let target = match context::target(&**client, &call.global).await {
        Ok(target) => target,
        Err(error) => {
            client.write(Stream::Err, format!("{}\n", error.render("")).as_bytes()).await;
            return Err(1);
        }
    };
    let host = if target.is_local() {
        Ok(home.clone())
    } else {
        let annex = home.world.annex().get().await;
        let here = Here { station: station.clone(), host: home.clone(), os: os.clone() };
        (annex.dial)(here, target.clone()).await
    };
    match host {
        Ok(host) => {
            station.set_acting(&host);
            Ok(host)
        }
        Err(why) => {
            let watched = Watched::new(home.world.clone(), Vec::new(), 0, "", Rc::default());
            let ctx = Ctx { watched, client: client.clone() };
            Err(context::report(&ctx, call, &target, &why).await)
        }
    }
}

/// Runs a command of the host's own, which nobody typed: what is to be done when it starts and stops.
pub async fn run_unseen(world: &SimWorld, words: &[String]) {
    let machine = world.machine().clone();
    let client = Rc::new(Caller::new(machine.clone(), machine.os(Machine::INIT), Vec::new()));
    let watched = Watched::new(world.clone(), Vec::new(), 0, "", Rc::default());
    if let Ok(call) = cli::parse(words) {
        perform(&Ctx { watched, client }, &call).await;
    }
}

/// The signals that a command may want to hear of.
const HEARD: [Signal; 5] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::WINCH];

/// The side of the one who typed the command.
#[derive(Clone)]
struct Caller {
    machine: Machine,
    os: SimOs,
    env: Rc<Vec<(String, String)>>,
    broken: Rc<Cell<bool>>,
    hears: Rc<Cell<bool>>,
}

impl Caller {
    fn new(machine: Machine, os: SimOs, env: Vec<(String, String)>) -> Caller {
        // Writing to nobody is told by `broken` instead.
        let _ = os.sigaction(Signal::PIPE, Disposition::Ignore);
        Caller { machine, os, env: Rc::new(env), broken: Rc::default(), hears: Rc::default() }
    }

    /// The same with a variable of the environment set.
    fn with_env(&self, name: &str, value: &str) -> Caller {
        let mut env: Vec<_> = self.env.iter().filter(|(n, _)| n != name).cloned().collect();
        env.push((name.to_string(), value.to_string()));
        Caller { env: Rc::new(env), ..self.clone() }
    }

    /// Whether the command still runs. What supervises a container outlives it and has no streams.
    fn is_there(&self) -> bool {
        self.machine.process(self.os.pid()).is_some_and(|p| p.state != 'Z')
    }

    /// Who reaches files: the command, and after its end the machine's first process.
    fn files(&self) -> SimOs {
        if self.is_there() { self.os.clone() } else { self.machine.os(Machine::INIT) }
    }
}

fn number(stream: Stream) -> Fd {
    match stream {
        Stream::In => 0,
        Stream::Out => 1,
        Stream::Err => 2,
    }
}

fn fault(what: &str, path: &str) -> impl Fn(Errno) -> Fault {
    let what = format!("{what} {path}");
    move |errno| Fault::errno(errno, what.clone())
}

/// Lets others run first: who waits for the signal that cut a call short must get to take it.
async fn give_way() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn facts(stat: &Stat, target: Option<String>) -> FileFacts {
    FileFacts {
        kind: stat.kind,
        mode: stat.mode,
        uid: stat.uid,
        gid: stat.gid,
        size: stat.size,
        mtime: stat.mtime.as_secs(),
        target,
    }
}

async fn write_to(os: &SimOs, path: &str, flags: OpenFlags, bytes: &[u8], mode: u32) -> Result<(), Errno> {
    let fd = os.open(path, flags, mode).await?;
    let written = io::write_all(os, fd, bytes).await;
    let _ = os.close(fd);
    written
}

/// Writes beside the file and renames; what is no regular file (`/dev/null`, a link) is written to itself.
async fn replace_file(os: &SimOs, path: &str, bytes: &[u8], mode: u32) -> Result<(), Errno> {
    if os.lstat(path).is_ok_and(|stat| stat.kind != FileKind::Regular) {
        return write_to(os, path, OpenFlags::CREATE, bytes, mode).await;
    }
    let beside = format!("{path}.tmp{}", os.pid());
    let written = write_to(os, &beside, OpenFlags::CREATE, bytes, mode).await;
    let result = written.and_then(|()| os.chmod(&beside, mode)).and_then(|()| os.rename(&beside, path));
    if result.is_err() {
        let _ = os.unlink(&beside);
    }
    result
}

impl Client for Caller {
    fn write(&self, to: Stream, bytes: &[u8]) -> LocalFut<()> {
        let (caller, bytes) = (self.clone(), bytes.to_vec());
        Box::pin(async move {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() && caller.is_there() {
                match caller.os.write(number(to), rest).await {
                    Ok(count) => rest = &rest[count.min(rest.len())..],
                    Err(Errno::EINTR) => give_way().await,
                    Err(_) => {
                        caller.broken.set(caller.broken.get() || to == Stream::Out);
                        return;
                    }
                }
            }
        })
    }

    fn broken(&self) -> bool {
        self.broken.get()
    }

    fn read(&self, max: usize) -> LocalFut<Result<Vec<u8>, Fault>> {
        let (os, there) = (self.os.clone(), self.is_there());
        Box::pin(async move {
            if !there {
                return Ok(Vec::new());
            }
            loop {
                match os.read(0, max).await {
                    Err(Errno::EINTR) => give_way().await,
                    other => return other.map_err(fault("read", "standard input")),
                }
            }
        })
    }

    fn is_tty(&self, stream: Stream) -> bool {
        self.os.is_tty(number(stream))
    }

    fn window_size(&self) -> Option<WindowSize> {
        [1, 0, 2].into_iter().find_map(|fd| self.os.window_size(fd).ok())
    }

    fn set_raw(&self, raw: bool) {
        let mode = if raw { TtyMode::Raw } else { TtyMode::Cooked };
        let _ = self.os.set_tty_mode(0, mode);
    }

    fn signal(&self) -> LocalFut<Signal> {
        let caller = self.clone();
        Box::pin(async move {
            if !caller.hears.replace(true) {
                for signal in HEARD {
                    let _ = caller.os.sigaction(signal, Disposition::Catch);
                }
            }
            match caller.os.take_signal() {
                Some(signal) => signal,
                None => caller.os.pause().await,
            }
        })
    }

    fn env(&self, name: &str) -> Option<String> {
        self.env.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.clone())
    }

    fn environment(&self) -> Vec<(String, String)> {
        self.env.to_vec()
    }

    fn cwd(&self) -> String {
        self.files().cwd().unwrap_or_else(|_| "/".into())
    }

    fn uid(&self) -> u32 {
        let ids = self.files().ids();
        ids.euid
    }

    fn read_file(&self, path: &str) -> LocalFut<Result<Vec<u8>, Fault>> {
        let (os, path) = (self.files(), path.to_string());
        Box::pin(async move { io::read_file(&os, &path).await.map_err(fault("open", &path)) })
    }

    fn write_file(&self, path: &str, bytes: &[u8], mode: u32) -> LocalFut<Result<(), Fault>> {
        let (os, path, bytes) = (self.files(), path.to_string(), bytes.to_vec());
        Box::pin(async move { replace_file(&os, &path, &bytes, mode).await.map_err(fault("open", &path)) })
    }

    fn append_file(&self, path: &str, bytes: &[u8]) -> LocalFut<Result<(), Fault>> {
        let (os, path, bytes) = (self.files(), path.to_string(), bytes.to_vec());
        Box::pin(
            async move { write_to(&os, &path, OpenFlags::APPEND, &bytes, 0o644).await.map_err(fault("open", &path)) },
        )
    }

    fn make_directory(&self, path: &str, mode: u32) -> LocalFut<Result<(), Fault>> {
        let made = self.files().mkdir(path, mode).map_err(fault("mkdir", path));
        Box::pin(std::future::ready(made))
    }

    fn make_symlink(&self, target: &str, path: &str) -> LocalFut<Result<(), Fault>> {
        let made = self.files().symlink(target, path).map_err(fault("symlink", path));
        Box::pin(std::future::ready(made))
    }

    fn remove_file(&self, path: &str) -> LocalFut<Result<(), Fault>> {
        let removed = self.files().unlink(path).map_err(fault("remove", path));
        Box::pin(std::future::ready(removed))
    }

    fn remove_directory(&self, path: &str) -> LocalFut<Result<(), Fault>> {
        let removed = self.files().rmdir(path).map_err(fault("remove", path));
        Box::pin(std::future::ready(removed))
    }

    fn read_directory(&self, path: &str) -> LocalFut<Result<Vec<String>, Fault>> {
        let read = self.files().read_dir(path).map_err(fault("open", path));
        Box::pin(std::future::ready(read.map(|all| all.into_iter().map(|entry| entry.name).collect())))
    }

    fn facts(&self, path: &str) -> LocalFut<Result<Option<FileFacts>, Fault>> {
        let found = match self.files().lstat(path) {
            Ok(stat) if stat.kind == FileKind::Symlink => self
                .files()
                .read_link(path)
                .map(|target| Some(facts(&stat, Some(target))))
                .map_err(fault("readlink", path)),
            Ok(stat) => Ok(Some(facts(&stat, None))),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
            Err(errno) => Err(fault("stat", path)(errno)),
        };
        Box::pin(std::future::ready(found))
    }
}
