//! A container's first process, from its birth to the moment it becomes the container's program.
//!
//! It runs alone in new namespaces, as a copy of the supervisor with a single thread, and does what it is
//! told over its socket, one operation at a time. It never returns: it ends by `execve` or `_exit`.

use super::identity::Identity;
use super::mounts::{self, Stage};
use super::wire::{Channel, InitOp, Refusal};
use crate::sys;
use nix::Result;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

/// What is known of the new process when it starts.
pub struct Birth {
    pub own_mounts: bool,
    pub own_network: bool,
    pub shares_processes: bool,
}

/// Adds to an error what was being done.
pub trait Told<T> {
    fn told(self, what: impl FnOnce() -> String) -> std::result::Result<T, Refusal>;
}

impl<T> Told<T> for Result<T> {
    fn told(self, what: impl FnOnce() -> String) -> std::result::Result<T, Refusal> {
        self.map_err(|errno| Refusal { errno, what: what() })
    }
}

/// Ends the process without running anything of the program it is a copy of.
pub fn leave(status: i32) -> ! {
    // SAFETY: _exit only ends the process.
    unsafe { libc::_exit(status) }
}

/// Runs `work` so that a panic ends this process instead of unwinding into the copied supervisor.
pub fn never_return(work: impl FnOnce()) -> ! {
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    leave(if done.is_ok() { 0 } else { 70 })
}

/// The descriptor that the socket is moved to, so that all above it can be closed.
const CHANNEL: i32 = 3;

/// Forgets everything of the supervisor's that a program must not inherit: descriptors other than the
/// standard ones and `keep` (which becomes descriptor 3), signal settings, the mask, the terminal.
pub fn forget_supervisor(keep: OwnedFd) -> OwnedFd {
    use std::os::fd::IntoRawFd;
    let raw = keep.into_raw_fd();
    // SAFETY: this process is a copy that never returns to the owners of the descriptors it closes.
    let channel = unsafe {
        if raw != CHANNEL {
            libc::dup3(raw, CHANNEL, libc::O_CLOEXEC);
        }
        OwnedFd::from_raw_fd(CHANNEL)
    };
    sys::close_range(CHANNEL as u32 + 1, u32::MAX, false);
    for signal in 1..=64 {
        // SAFETY: default handling runs no code of ours; KILL, STOP and libc's own signals refuse harmlessly.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: the set is initialised by sigemptyset before it is used; umask and setsid take numbers.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
        libc::umask(0o022);
        libc::setsid();
    }
    channel
}

/// The whole life of the first process before `execve`.
pub fn run(channel: OwnedFd, birth: Birth) -> ! {
    never_return(move || {
        let channel = forget_supervisor(channel);
        // A supervisor that is killed takes a half-built container with it.
        let _ = sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64, 0);
        if birth.shares_processes {
            // Others in the same pid namespace must not look into a process that still has the host's rights.
            let _ = sys::prctl(libc::PR_SET_DUMPABLE, 0, 0);
        }
        if birth.own_mounts {
            // Nothing that is mounted here spreads to the host.
            let slave = MsFlags::MS_REC | MsFlags::MS_SLAVE;
            let _ = mount(None::<&str>, "/", None::<&str>, slave, None::<&str>);
        }
        if birth.own_network {
            let _ = crate::world::network::netlink::Netlink::open().and_then(|mut n| n.set_up("lo"));
        }
        let channel = Channel::from(channel);
        let mut container = Inside { stage: Stage::default(), identity: Identity::default(), terminal: None };
        while let Some(op) = channel.receive::<InitOp>() {
            let outcome = container.perform(op);
            // What comes after something that failed may be on its way already, and must not be done.
            let failed = outcome.is_err();
            if channel.answer(outcome).is_err() || failed {
                break;
            }
        }
    })
}

/// The state of the set-up.
struct Inside {
    stage: Stage,
    identity: Identity,
    /// The container's end of its terminal, until it becomes the standard streams.
    terminal: Option<OwnedFd>,
}

impl Inside {
    fn perform(&mut self, op: InitOp) -> std::result::Result<Option<OwnedFd>, Refusal> {
        let done = Ok(None);
        match op {
            InitOp::PivotRoot { terminal } => return self.pivot(terminal),
            InitOp::Hostname(name) => nix::unistd::sethostname(&name).told(|| format!("set hostname {name}"))?,
            InitOp::Domainname(name) => {
                // SAFETY: the buffer is as long as it is said to be.
                Errno::result(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) })
                    .told(|| format!("set domainname {name}"))?;
            }
            InitOp::Rlimit { resource, soft, hard } => {
                super::identity::set_limit(resource, soft, hard).told(|| "set resource limit".into())?
            }
            InitOp::OomScoreAdj(value) => {
                let write = std::fs::write("/proc/self/oom_score_adj", value.to_string());
                write.map_err(|e| sys::errno_of(&e)).told(|| "write /proc/self/oom_score_adj".into())?;
            }
            InitOp::NoNewPrivileges => {
                sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).told(|| "set no_new_privs".into())?;
            }
            InitOp::Capabilities(masks) => self.identity.bound(masks).told(|| "drop capabilities".into())?,
            InitOp::User { uid, gid, groups } => {
                for stream in [0, 1, 2] {
                    // SAFETY: the standard streams are open throughout this process.
                    own_stream(unsafe { BorrowedFd::borrow_raw(stream) }, uid);
                }
                if let Some(terminal) = &self.terminal {
                    let _ = nix::unistd::fchown(terminal, Some(uid.into()), None);
                }
                self.identity.become_user(uid, gid, &groups).told(|| format!("become user {uid}:{gid}"))?;
            }
            InitOp::Seccomp { program } => {
                super::identity::load_filter(&program).told(|| "load seccomp filter".into())?;
            }
            InitOp::Exec { argv, env } => self.exec(&argv, &env)?,
            other => self.stage.perform(other)?,
        }
        done
    }

    /// Changes the root. Where a terminal is wanted, opens it in the container's own devpts before that.
    fn pivot(&mut self, terminal: bool) -> std::result::Result<Option<OwnedFd>, Refusal> {
        let mut handed = None;
        if terminal {
            let root = self.stage.root().told(|| "open a terminal".into())?;
            let (ours, theirs) = open_terminal(root).told(|| "open a terminal".into())?;
            mounts::bind_console(root, &theirs).told(|| "mount /dev/console".into())?;
            handed = Some(ours);
            self.terminal = Some(theirs);
        }
        self.stage.pivot().told(|| "pivot_root".into())?;
        Ok(handed)
    }

    /// Becomes the program; returns only where that fails.
    fn exec(&mut self, argv: &[String], env: &[(String, String)]) -> std::result::Result<(), Refusal> {
        let name = argv.first().cloned().unwrap_or_default();
        let failed = move || format!("exec {name:?}");
        if let Some(terminal) = self.terminal.take() {
            take_terminal(&terminal).told(|| "take the terminal".into())?;
        }
        self.identity.finish().told(|| "set capabilities".into())?;
        let _ = sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64, 0);
        Err(Refusal { errno: execute(argv, env), what: failed() })
    }
}

/// Gives a pipe or terminal to the user who will use it, as a program may open `/dev/stdout` anew.
pub fn own_stream(fd: BorrowedFd<'_>, uid: u32) {
    if sys::facts_at(fd, b"").is_ok_and(|f| f.kind() == libc::S_IFIFO) {
        let _ = nix::unistd::fchown(fd, Some(uid.into()), None);
    }
}

/// A new terminal of the devpts at `dev/pts` of `root`: the outer end and the inner one.
pub fn open_terminal(root: impl AsFd) -> Result<(OwnedFd, OwnedFd)> {
    use crate::world::store::in_root;
    use std::os::fd::AsRawFd;
    const DEVPTS: i64 = 0x1cd1;
    let outer = in_root::open(root, "/dev/pts/ptmx", libc::O_RDWR | libc::O_NOCTTY, 0)?;
    if sys::file_system_of(&outer)? != DEVPTS {
        return Err(Errno::ENODEV);
    }
    let unlock: libc::c_int = 0;
    // SAFETY: TIOCSPTLCK reads an int; TIOCGPTPEER takes flags and makes a new descriptor.
    unsafe {
        Errno::result(libc::ioctl(outer.as_raw_fd(), libc::TIOCSPTLCK, &unlock))?;
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        let inner = Errno::result(libc::ioctl(outer.as_raw_fd(), libc::TIOCGPTPEER, flags))?;
        Ok((outer, OwnedFd::from_raw_fd(inner)))
    }
}

/// Makes a terminal the controlling one and the three standard streams.
pub fn take_terminal(terminal: &OwnedFd) -> Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: TIOCSCTTY takes a number.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) })?;
    for stream in [0, 1, 2] {
        sys::dup_onto(terminal, stream)?;
    }
    Ok(())
}

/// Looks the program up in the `PATH` of `env` and executes it; returns why it could not.
pub fn execute(argv: &[String], env: &[(String, String)]) -> Errno {
    let Some(name) = argv.first().filter(|n| !n.is_empty()) else { return Errno::ENOENT };
    let words: Vec<String> = env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let (Ok(arguments), Ok(environment)) = (super::wire::c_strings(argv), super::wire::c_strings(&words)) else {
        return Errno::EINVAL;
    };
    const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let path = env.iter().rev().find(|(k, _)| k == "PATH").map_or(DEFAULT_PATH, |(_, v)| v.as_str());
    let candidates: Vec<String> = if name.contains('/') {
        vec![name.clone()]
    } else {
        path.split(':').map(|d| format!("{}/{name}", if d.is_empty() { "." } else { d })).collect()
    };
    let mut worst = Errno::ENOENT;
    for candidate in candidates {
        match runnable(&candidate) {
            Ok(()) => {}
            Err(Errno::EACCES) => {
                worst = Errno::EACCES;
                continue;
            }
            Err(Errno::ENOENT | Errno::ENOTDIR) => continue,
            Err(e) => return e,
        }
        let Ok(program) = sys::c_string(&candidate) else { return Errno::EINVAL };
        sys::close_range(3, u32::MAX, true);
        match nix::unistd::execve(&program, &arguments, &environment) {
            Ok(never) => match never {},
            Err(e) => return e,
        }
    }
    worst
}

/// Whether a path names an executable file.
fn runnable(path: &str) -> Result<()> {
    let facts = std::fs::metadata(path).map_err(|e| sys::errno_of(&e))?;
    if !facts.is_file() {
        return Err(Errno::EACCES);
    }
    nix::unistd::access(path, nix::unistd::AccessFlags::X_OK)
}
