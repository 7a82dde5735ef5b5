//! A command that may leave a container running is two processes from its very beginning.
//!
//! The second one runs the engine and becomes the container's parent. The first only waits to be told the
//! exit status, so that the shell gets its answer when the command is over, while the second lives on, away
//! from the terminal, as long as its containers do. They share the process group, so `^C` reaches the
//! engine by itself; what is sent to the first process alone is passed on.

use crate::sys;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe2};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

/// Signals that are passed on to the engine. Stopping and continuing are left to the terminal.
const PASSED: [Signal; 8] = [
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGWINCH,
];

/// The engine's end of the pipe to the process that waits.
pub struct Waiting(OwnedFd);

impl Waiting {
    /// Leaves the terminal, then tells the exit status: the process that waits ends with it.
    pub fn release(self, status: i32) {
        if let Ok(null) = sys::openat2(sys::cwd(), b"/dev/null", libc::O_RDWR, 0, 0) {
            for stream in [0, 1, 2] {
                let _ = sys::dup_onto(&null, stream);
            }
        }
        let _ = nix::unistd::setsid();
        let _ = nix::unistd::chdir("/");
        let _ = nix::unistd::write(&self.0, &status.to_le_bytes());
    }
}

/// Splits this process. Returns only in the engine's; the other ends with the command's exit status.
pub fn split() -> nix::Result<Waiting> {
    let (ours, theirs) = pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    let mask: SigSet = PASSED.iter().copied().collect();
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&mask), Some(&mut before))?;
    // SAFETY: the process has a single thread yet.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(ours);
            sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
            Ok(Waiting(theirs))
        }
        ForkResult::Parent { child } => {
            drop(theirs);
            // A shell has what it starts in the background ignore SIGINT; the engine may want it all the same.
            // SAFETY: no handler is installed, and the signal is blocked.
            let _ = unsafe { nix::sys::signal::signal(Signal::SIGINT, SigHandler::SigDfl) };
            std::process::exit(wait(File::from(ours), &mask, child))
        }
    }
}

fn wait(mut told: File, mask: &SigSet, engine: Pid) -> i32 {
    let Ok(signals) = SignalFd::with_flags(mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK) else { return 125 };
    loop {
        let mut ready = [PollFd::new(told.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return 125,
        }
        let has_news = ready[0].any().unwrap_or(false);
        while let Ok(Some(signal)) = signals.read_signal() {
            // The terminal's own signals reach the whole group, and so the engine, without us.
            const FROM_KERNEL: i32 = 0x80;
            if signal.ssi_code != FROM_KERNEL
                && let Ok(signal) = Signal::try_from(signal.ssi_signo as i32)
            {
                let _ = kill(engine, signal);
            }
        }
        if has_news {
            let mut status = [0; 4];
            if told.read_exact(&mut status).is_ok() {
                return i32::from_le_bytes(status);
            }
            // It ended without a word.
            return match waitpid(engine, None) {
                Ok(WaitStatus::Exited(_, code)) => code,
                Ok(WaitStatus::Signaled(_, signal, _)) => 128 + signal as i32,
                _ => 125,
            };
        }
    }
}
