//! Caught signals: the handler only notes the signal; the program takes it from the line later.

use super::{check, last_error};
use crate::errno::Errno;
use crate::os::{Disposition, Result, Signal};
use std::sync::atomic::{AtomicU64, Ordering};

/// One bit for each caught signal that waits in line. Static because a handler can reach nothing else.
static PENDING: AtomicU64 = AtomicU64::new(0);

extern "C" fn note(signal: libc::c_int) {
    if (1..64).contains(&signal) {
        PENDING.fetch_or(1 << signal, Ordering::SeqCst);
    }
}

pub(super) fn any_pending() -> bool {
    PENDING.load(Ordering::SeqCst) != 0
}

/// A child starts with none in line.
pub(super) fn forget() {
    PENDING.store(0, Ordering::SeqCst);
}

pub(super) fn take() -> Option<Signal> {
    let pending = PENDING.load(Ordering::SeqCst);
    if pending == 0 {
        return None;
    }
    let lowest = pending.trailing_zeros();
    PENDING.fetch_and(!(1 << lowest), Ordering::SeqCst);
    Some(Signal(lowest as u8))
}

pub(super) fn sigaction(signal: Signal, to: Disposition) -> Result<Disposition> {
    if signal.0 == 0 || signal.0 > 63 {
        return Err(Errno::EINVAL);
    }
    let handler = note as extern "C" fn(libc::c_int) as *const () as libc::sighandler_t;
    // SAFETY: all zeros is a valid `sigaction`: default, no flags, nothing blocked.
    let (mut new, mut old): (libc::sigaction, libc::sigaction) = unsafe { std::mem::zeroed() };
    // No SA_RESTART: a caught signal must cut blocking calls short.
    new.sa_sigaction = match to {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignore => libc::SIG_IGN,
        Disposition::Catch => handler,
    };
    // SAFETY: both structures are valid, and the handler only touches an atomic.
    if unsafe { libc::sigaction(i32::from(signal.0), &new, &mut old) } < 0 {
        return Err(last_error());
    }
    Ok(match old.sa_sigaction {
        libc::SIG_IGN => Disposition::Ignore,
        libc::SIG_DFL => Disposition::Default,
        _ => Disposition::Catch,
    })
}

/// Waits with all signals blocked but during the wait itself, so that none slips in between.
pub(super) fn pause() -> Signal {
    // SAFETY: the sets are initialised by the calls before they are read.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::sigprocmask(libc::SIG_BLOCK, &all, &mut before);
        let signal = loop {
            if let Some(signal) = take() {
                break signal;
            }
            libc::sigsuspend(&before);
        };
        libc::sigprocmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        signal
    }
}

/// Runs `call` with `signal` blocked.
pub(super) fn blocking<T>(signal: Signal, call: impl FnOnce() -> T) -> T {
    // SAFETY: the sets are initialised by the calls before they are read.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, i32::from(signal.0));
        let blocked = check(i64::from(libc::sigprocmask(libc::SIG_BLOCK, &set, &mut before))).is_ok();
        let result = call();
        if blocked {
            libc::sigprocmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        }
        result
    }
}
