//! Processes, limits, time and the machine.

use super::{c_string, check, restarting, signal};
use crate::errno::Errno;
use crate::os::*;
use std::ffi::{CStr, CString};
use std::time::Duration;

pub(super) fn ids() -> Ids {
    // SAFETY: these calls cannot fail and involve no memory.
    let (uid, euid, gid, egid) = unsafe { (libc::getuid(), libc::geteuid(), libc::getgid(), libc::getegid()) };
    let mut groups = vec![0; 65536];
    // SAFETY: the pointer and the count describe `groups`.
    let count = unsafe { libc::getgroups(groups.len() as i32, groups.as_mut_ptr()) };
    groups.truncate(count.max(0) as usize);
    Ids { uid, euid, gid, egid, groups }
}

pub(super) fn set_ids(uid: u32, gid: u32, groups: &[u32]) -> Result<()> {
    // SAFETY: the pointer and the count describe `groups`; the others involve no memory.
    unsafe {
        check(i64::from(libc::setgroups(groups.len(), groups.as_ptr())))?;
        check(i64::from(libc::setresgid(gid, gid, gid)))?;
        check(i64::from(libc::setresuid(uid, uid, uid)))?;
    }
    Ok(())
}

pub(super) fn umask(mask: u32) -> u32 {
    // SAFETY: no memory is involved.
    unsafe { libc::umask(mask) }
}

pub(super) fn fork(body: impl FnOnce() -> i32) -> Result<Pid> {
    // SAFETY: the process has one thread, so the child may do whatever the parent may.
    match check(i64::from(unsafe { libc::fork() }))? {
        0 => {
            signal::forget();
            exit(body())
        }
        pid => Ok(pid as Pid),
    }
}

pub(super) fn exec(path: &str, argv: &[String], env: &[(String, String)]) -> Errno {
    let words: Result<Vec<CString>> = argv.iter().map(|word| c_string(word)).collect();
    let pairs: Result<Vec<CString>> = env.iter().map(|(name, value)| c_string(&format!("{name}={value}"))).collect();
    let (path, words, pairs) = match (c_string(path), words, pairs) {
        (Ok(path), Ok(words), Ok(pairs)) => (path, words, pairs),
        _ => return Errno::EINVAL,
    };
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (argv, envp) = (pointers(&words), pointers(&pairs));
    // SAFETY: both arrays end with a null pointer, and the strings outlive the call.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    super::last_error()
}

pub(super) fn exit(code: i32) -> ! {
    // SAFETY: nothing of this process needs cleaning up: the programs buffer nothing in statics.
    unsafe { libc::_exit(code & 255) }
}

pub(super) fn wait(wait: Wait) -> Result<(Pid, Status)> {
    let who = match wait.who {
        WaitFor::Any => -1,
        WaitFor::Pid(pid) => pid,
        WaitFor::Group(group) => -group,
    };
    let mut options = 0;
    if wait.no_hang {
        options |= libc::WNOHANG;
    }
    if wait.untraced {
        options |= libc::WUNTRACED;
    }
    let mut raw = 0;
    // SAFETY: `raw` is room for the status.
    let pid = restarting(|| unsafe { i64::from(libc::waitpid(who, &mut raw, options)) })? as Pid;
    if pid == 0 {
        return Err(Errno::EAGAIN);
    }
    let status = if libc::WIFSTOPPED(raw) {
        Status::Stopped(Signal(libc::WSTOPSIG(raw) as u8))
    } else if libc::WIFSIGNALED(raw) {
        Status::Signaled(Signal(libc::WTERMSIG(raw) as u8))
    } else if libc::WIFCONTINUED(raw) {
        Status::Continued
    } else {
        Status::Exited(libc::WEXITSTATUS(raw) as u8)
    };
    Ok((pid, status))
}

pub(super) fn kill(pid: Pid, signal: Signal) -> Result<()> {
    // SAFETY: no memory is involved.
    check(i64::from(unsafe { libc::kill(pid, i32::from(signal.0)) })).map(drop)
}

pub(super) fn set_process_group(pid: Pid, group: Pid) -> Result<()> {
    // SAFETY: no memory is involved.
    check(i64::from(unsafe { libc::setpgid(pid, group) })).map(drop)
}

pub(super) fn process_group() -> Pid {
    // SAFETY: no memory is involved, and the call cannot fail.
    unsafe { libc::getpgrp() }
}

pub(super) fn new_session() -> Result<Pid> {
    // SAFETY: no memory is involved.
    check(i64::from(unsafe { libc::setsid() })).map(|pid| pid as Pid)
}

fn resource(limit: Limit) -> i64 {
    let resource = match limit {
        Limit::Cpu => libc::RLIMIT_CPU,
        Limit::FileSize => libc::RLIMIT_FSIZE,
        Limit::Data => libc::RLIMIT_DATA,
        Limit::Stack => libc::RLIMIT_STACK,
        Limit::Core => libc::RLIMIT_CORE,
        Limit::Rss => libc::RLIMIT_RSS,
        Limit::Processes => libc::RLIMIT_NPROC,
        Limit::OpenFiles => libc::RLIMIT_NOFILE,
        Limit::LockedMemory => libc::RLIMIT_MEMLOCK,
        Limit::AddressSpace => libc::RLIMIT_AS,
        Limit::FileLocks => libc::RLIMIT_LOCKS,
        Limit::PendingSignals => libc::RLIMIT_SIGPENDING,
        Limit::MessageQueues => libc::RLIMIT_MSGQUEUE,
        Limit::Nice => libc::RLIMIT_NICE,
        Limit::RealtimePriority => libc::RLIMIT_RTPRIO,
        Limit::RealtimeTimeout => libc::RLIMIT_RTTIME,
    };
    i64::from(resource)
}

pub(super) fn limit(limit: Limit) -> Result<LimitPair> {
    let mut raw = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `raw` is room for the answer.
    check(i64::from(unsafe { libc::getrlimit(resource(limit) as _, &mut raw) }))?;
    let value = |n: libc::rlim_t| (n != libc::RLIM_INFINITY).then_some(n);
    Ok(LimitPair { soft: value(raw.rlim_cur), hard: value(raw.rlim_max) })
}

pub(super) fn set_limit(limit: Limit, to: LimitPair) -> Result<()> {
    let value = |n: Option<u64>| n.unwrap_or(libc::RLIM_INFINITY);
    let raw = libc::rlimit { rlim_cur: value(to.soft), rlim_max: value(to.hard) };
    // SAFETY: `raw` outlives the call, which only reads it.
    check(i64::from(unsafe { libc::setrlimit(resource(limit) as _, &raw) })).map(drop)
}

pub(super) fn set_priority(pid: Pid, nice: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    check(i64::from(unsafe { libc::setpriority(libc::PRIO_PROCESS, pid as libc::id_t, nice) })).map(drop)
}

pub(super) fn clock(id: libc::clockid_t) -> Duration {
    let mut raw = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `raw` is room for the answer; both clocks exist on every Linux.
    unsafe { libc::clock_gettime(id, &mut raw) };
    Duration::new(raw.tv_sec as u64, raw.tv_nsec as u32)
}

pub(super) fn sleep(time: Duration) -> Result<()> {
    let end = clock(libc::CLOCK_BOOTTIME) + time;
    loop {
        let rest = end.saturating_sub(clock(libc::CLOCK_BOOTTIME));
        if rest.is_zero() {
            return Ok(());
        }
        let seconds = rest.as_secs().min(i32::MAX as u64) as _;
        let raw = libc::timespec { tv_sec: seconds, tv_nsec: i64::from(rest.subsec_nanos()) as _ };
        // SAFETY: `raw` outlives the call; what is left of the time is computed anew.
        let result = check(i64::from(unsafe { libc::nanosleep(&raw, std::ptr::null_mut()) }));
        if result == Err(Errno::EINTR) && signal::any_pending() {
            return Err(Errno::EINTR);
        }
    }
}

pub(super) fn times() -> ((Duration, Duration), (Duration, Duration)) {
    let usage = |who| {
        // SAFETY: all zeros is a valid `rusage`, and the call fills it in.
        let raw = unsafe {
            let mut raw: libc::rusage = std::mem::zeroed();
            libc::getrusage(who, &mut raw);
            raw
        };
        let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
        (time(raw.ru_utime), time(raw.ru_stime))
    };
    (usage(libc::RUSAGE_SELF), usage(libc::RUSAGE_CHILDREN))
}

pub(super) fn uname() -> Uname {
    // SAFETY: all zeros is a valid `utsname`, and the call fills it in; it cannot fail with valid room.
    let raw = unsafe {
        let mut raw: libc::utsname = std::mem::zeroed();
        libc::uname(&mut raw);
        raw
    };
    let text = |field: &[libc::c_char]| {
        // SAFETY: the kernel ends each field with a zero byte.
        unsafe { CStr::from_ptr(field.as_ptr()) }.to_string_lossy().into_owned()
    };
    Uname {
        sysname: text(&raw.sysname),
        nodename: text(&raw.nodename),
        release: text(&raw.release),
        version: text(&raw.version),
        machine: text(&raw.machine),
    }
}

pub(super) fn set_hostname(name: &str) -> Result<()> {
    // SAFETY: the pointer and the length describe `name`.
    check(i64::from(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) })).map(drop)
}

pub(super) fn random(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while filled < count {
        let rest = &mut bytes[filled..];
        // SAFETY: the pointer and the length describe `rest`.
        match restarting(|| unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) as i64 }) {
            Ok(n) => filled += n as usize,
            Err(Errno::EINTR) => {}
            Err(_) => break,
        }
    }
    bytes
}
