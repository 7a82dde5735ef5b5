//! The person at the terminal: this process's own streams, environment and files.

use crate::sys::{self, OrFault};
use cutaway_core::world::{Client, Fault, FileFacts, LocalFut, Ran, Stream};
use cutaway_userland::os::{FileKind, Signal, WindowSize};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{self, SetArg, Termios};
use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::task::Poll;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal as Arrivals, SignalKind, signal};

/// Signals that a command may want to know of.
const HEEDED: [Signal; 9] = [
    Signal::INT,
    Signal::TERM,
    Signal::HUP,
    Signal::QUIT,
    Signal(28),
    Signal::USR1,
    Signal::USR2,
    Signal::CONT,
    Signal::ALRM,
];

pub struct LinuxClient {
    uid: u32,
    /// The folder of `--config`.
    config: Option<String>,
    broken: Cell<bool>,
    /// Standard input where it can be waited for: a terminal, a pipe or a socket.
    input: RefCell<Option<Rc<AsyncFd<io::Stdin>>>>,
    signals: RefCell<Option<Rc<RefCell<Vec<(Signal, Arrivals)>>>>>,
    cooked: RefCell<Option<Termios>>,
}

/// Waits until standard input has something, and reads it. The descriptor may be shared with other
/// processes, so it is not made non-blocking: each read is preceded by a question whether it would block.
async fn read_ready(input: &AsyncFd<io::Stdin>, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        let mut guard = input.readable().await?;
        let mut polled = [PollFd::new(input.get_ref().as_fd(), PollFlags::POLLIN)];
        if poll(&mut polled, PollTimeout::ZERO)? == 0 {
            guard.clear_ready();
            continue;
        }
        return Ok(nix::unistd::read(input.get_ref(), buffer)?);
    }
}

impl LinuxClient {
    pub fn new(uid: u32, config: Option<&str>) -> LinuxClient {
        LinuxClient {
            uid,
            config: config.map(str::to_string),
            broken: Cell::new(false),
            input: RefCell::default(),
            signals: RefCell::default(),
            cooked: RefCell::default(),
        }
    }

    /// Gives the terminal back as it was, and lets go of standard input.
    pub fn leave(&self) {
        self.set_raw(false);
        *self.input.borrow_mut() = None;
    }

    fn path(&self, path: &str) -> PathBuf {
        Path::new(&self.cwd()).join(path)
    }
}

/// Runs a program to its end; it keeps this process's standard error.
fn run_program(name: &str, words: &[&str], input: &[u8]) -> Ran {
    let failed = |failure: String| Ran { failure: Some(failure), out: Vec::new() };
    let command = Command::new(name).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = match command {
        Ok(child) => child,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return failed(format!("exec: {name:?}: executable file not found in $PATH"));
        }
        Err(e) => return failed(format!("fork/exec {name}: {e}")),
    };
    // One that does not want its input may be gone already.
    let written = child.stdin.take().map(|mut stdin| stdin.write_all(input));
    drop(written);
    match child.wait_with_output() {
        Ok(output) if output.status.success() => Ran { failure: None, out: output.stdout },
        Ok(output) => {
            let failure = output.status.code().map_or("signal: killed".into(), |code| format!("exit status {code}"));
            Ran { failure: Some(failure), out: output.stdout }
        }
        Err(e) => failed(e.to_string()),
    }
}

impl Client for LinuxClient {
    fn write(&self, to: Stream, bytes: &[u8]) -> LocalFut<()> {
        let result = if to == Stream::Err {
            io::stderr().write_all(bytes)
        } else {
            let mut out = io::stdout().lock();
            out.write_all(bytes).and_then(|()| out.flush())
        };
        if result.is_err() && to == Stream::Out {
            self.broken.set(true);
        }
        Box::pin(async {})
    }

    fn broken(&self) -> bool {
        self.broken.get()
    }

    fn read(&self, max: usize) -> LocalFut<Result<Vec<u8>, Fault>> {
        if self.input.borrow().is_none() {
            // Files can't be waited for and needn't be.
            *self.input.borrow_mut() = sys::waitable(io::stdin(), tokio::io::Interest::READABLE).map(Rc::new);
        }
        let input = self.input.borrow().clone();
        Box::pin(async move {
            let mut buffer = vec![0; max];
            let n = match input {
                Some(input) => read_ready(&input, &mut buffer).await,
                None => nix::unistd::read(io::stdin(), &mut buffer).map_err(io::Error::from),
            };
            buffer.truncate(n.or_fault("read standard input")?);
            Ok(buffer)
        })
    }

    fn is_tty(&self, stream: Stream) -> bool {
        match stream {
            Stream::In => io::stdin().is_terminal(),
            Stream::Out => io::stdout().is_terminal(),
            Stream::Err => io::stderr().is_terminal(),
        }
    }

    fn window_size(&self) -> Option<WindowSize> {
        // SAFETY: winsize is plain numbers; TIOCGWINSZ fills it.
        let mut size: libc::winsize = unsafe { std::mem::zeroed() };
        // SAFETY: `size` lives through the call.
        let done = unsafe { libc::ioctl(1, libc::TIOCGWINSZ, &mut size) };
        (done == 0 && size.ws_row > 0).then_some(WindowSize { rows: size.ws_row, columns: size.ws_col })
    }

    fn set_raw(&self, raw: bool) {
        let stdin = io::stdin();
        if raw && self.cooked.borrow().is_none() {
            let Ok(now) = termios::tcgetattr(&stdin) else { return };
            let mut wanted = now.clone();
            termios::cfmakeraw(&mut wanted);
            if termios::tcsetattr(&stdin, SetArg::TCSADRAIN, &wanted).is_ok() {
                *self.cooked.borrow_mut() = Some(now);
            }
        } else if !raw && let Some(before) = self.cooked.borrow_mut().take() {
            let _ = termios::tcsetattr(&stdin, SetArg::TCSADRAIN, &before);
        }
    }

    fn signal(&self) -> LocalFut<Signal> {
        let mut kept = self.signals.borrow_mut();
        let streams = kept.get_or_insert_with(|| {
            let open = |s: &Signal| Some((*s, signal(SignalKind::from_raw(i32::from(s.0))).ok()?));
            Rc::new(RefCell::new(HEEDED.iter().filter_map(open).collect()))
        });
        let streams = streams.clone();
        Box::pin(std::future::poll_fn(move |cx| {
            for (signal, stream) in streams.borrow_mut().iter_mut() {
                if let Poll::Ready(Some(())) = stream.poll_recv(cx) {
                    return Poll::Ready(*signal);
                }
            }
            Poll::Pending
        }))
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn environment(&self) -> Vec<(String, String)> {
        let text = |value: std::ffi::OsString| value.into_string().ok();
        std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect()
    }
    fn config_folder(&self) -> String {
        let set = |name: &str| self.env(name).filter(|value| !value.is_empty());
        let named = self.config.clone().or_else(|| set("DOCKER_CONFIG"));
        named.unwrap_or_else(|| format!("{}/.docker", set("HOME").unwrap_or_default()))
    }

    fn run_program(&self, name: &str, words: &[&str], input: &[u8]) -> LocalFut<Ran> {
        let ran = run_program(name, words, input);
        Box::pin(std::future::ready(ran))
    }

    fn cwd(&self) -> String {
        std::env::current_dir().map_or_else(|_| "/".into(), |p| p.display().to_string())
    }

    fn uid(&self) -> u32 {
        self.uid
    }

    fn read_file(&self, path: &str) -> LocalFut<Result<Vec<u8>, Fault>> {
        let result = fs::read(self.path(path)).or_fault(format!("open {path}"));
        Box::pin(async move { result })
    }

    fn write_file(&self, path: &str, bytes: &[u8], mode: u32) -> LocalFut<Result<(), Fault>> {
        let result = write_file(&self.path(path), bytes, mode).or_fault(format!("open {path}"));
        Box::pin(async move { result })
    }

    fn append_file(&self, path: &str, bytes: &[u8]) -> LocalFut<Result<(), Fault>> {
        let file = fs::File::options().append(true).create(true).open(self.path(path));
        let result = file.and_then(|mut f| f.write_all(bytes)).or_fault(format!("open {path}"));
        Box::pin(async move { result })
    }

    fn make_directory(&self, path: &str, mode: u32) -> LocalFut<Result<(), Fault>> {
        use std::os::unix::fs::DirBuilderExt;
        let result = fs::DirBuilder::new().mode(mode).create(self.path(path)).or_fault(format!("mkdir {path}"));
        Box::pin(async move { result })
    }

    fn make_symlink(&self, target: &str, path: &str) -> LocalFut<Result<(), Fault>> {
        let result = std::os::unix::fs::symlink(target, self.path(path)).or_fault(format!("symlink {path}"));
        Box::pin(async move { result })
    }

    fn remove_file(&self, path: &str) -> LocalFut<Result<(), Fault>> {
        let result = fs::remove_file(self.path(path)).or_fault(format!("remove {path}"));
        Box::pin(async move { result })
    }

    fn remove_directory(&self, path: &str) -> LocalFut<Result<(), Fault>> {
        let result = fs::remove_dir(self.path(path)).or_fault(format!("remove {path}"));
        Box::pin(async move { result })
    }

    fn read_directory(&self, path: &str) -> LocalFut<Result<Vec<String>, Fault>> {
        let result = fs::read_dir(self.path(path)).or_fault(format!("open {path}")).map(|entries| {
            let mut names: Vec<String> =
                entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        });
        Box::pin(async move { result })
    }

    fn facts(&self, path: &str) -> LocalFut<Result<Option<FileFacts>, Fault>> {
        let full = self.path(path);
        let result = match sys::facts_of(&full) {
            Ok(facts) => {
                let target = (facts.file_kind() == FileKind::Symlink)
                    .then(|| fs::read_link(&full).ok().map(|t| t.display().to_string()))
                    .flatten();
                Ok(Some(FileFacts {
                    kind: facts.file_kind(),
                    mode: facts.mode & 0o7777,
                    uid: facts.uid,
                    gid: facts.gid,
                    size: facts.size,
                    mtime: u64::try_from(facts.mtime.0).unwrap_or(0),
                    target,
                }))
            }
            Err(nix::errno::Errno::ENOENT | nix::errno::Errno::ENOTDIR) => Ok(None),
            Err(e) => Err(sys::fault(e, format!("stat {path}"))),
        };
        Box::pin(async move { result })
    }
}

/// Writes a file beside its place and renames it into it; devices and pipes are written as they are.
fn write_file(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let special = fs::metadata(path).is_ok_and(|m| !m.is_file());
    if special || fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink()) {
        return fs::write(path, bytes);
    }
    crate::world::records::replace_file(path, bytes)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}
