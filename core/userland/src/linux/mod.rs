//! [`Os`] by Linux itself: each call is the system call of the same name, blocks the thread and is
//! ready at once, so that the programs of this crate need no runtime here.
//!
//! The trait is implemented in this file as a list of one-line delegations; the calls live by
//! subject in `file`, `process`, `terminal` and `network`. The only state a process has here besides
//! the kernel's is the set of caught signals that wait in line, which is the handler's and so static.

mod file;
mod network;
mod process;
mod signal;
mod terminal;

use crate::errno::Errno;
use crate::os::*;
use std::ffi::CString;
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// This process, as Linux runs it.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinuxOs;

/// Runs a future whose calls all block: each poll runs until the end, so one is the rule.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// The error of the call that just failed.
fn last_error() -> Errno {
    from_io(&std::io::Error::last_os_error())
}

fn from_io(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EINVAL, Errno::from_number)
}

/// The result of a call that returns -1 where it failed.
fn check(returned: i64) -> Result<i64> {
    if returned < 0 { Err(last_error()) } else { Ok(returned) }
}

/// A path or word as C takes it; a zero byte inside is `EINVAL`.
fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Errno::EINVAL)
}

/// Repeats a call that a signal nobody catches cut short (as after a stop); a caught one is `EINTR`.
fn restarting(mut call: impl FnMut() -> i64) -> Result<i64> {
    loop {
        match check(call()) {
            Err(Errno::EINTR) if !signal::any_pending() => {}
            result => return result,
        }
    }
}

impl Os for LinuxOs {
    async fn read(&self, fd: Fd, max: usize) -> Result<Vec<u8>> {
        file::read(fd, max)
    }
    async fn write(&self, fd: Fd, bytes: &[u8]) -> Result<usize> {
        file::write(fd, bytes)
    }
    async fn open(&self, path: &str, flags: OpenFlags, mode: u32) -> Result<Fd> {
        file::open(path, flags, mode)
    }
    fn close(&self, fd: Fd) -> Result<()> {
        file::close(fd)
    }
    fn dup(&self, fd: Fd, least: Fd) -> Result<Fd> {
        file::dup(fd, least)
    }
    fn dup2(&self, from: Fd, to: Fd) -> Result<()> {
        file::dup2(from, to)
    }
    fn set_close_on_exec(&self, fd: Fd, close: bool) -> Result<()> {
        file::set_close_on_exec(fd, close)
    }
    fn pipe(&self) -> Result<(Fd, Fd)> {
        file::pipe()
    }
    fn seek(&self, fd: Fd, to: Whence) -> Result<u64> {
        file::seek(fd, to)
    }
    async fn poll(&self, fds: &[PollFd], timeout: Option<Duration>) -> Result<Vec<PollFd>> {
        file::poll(fds, timeout)
    }

    fn stat(&self, path: &str) -> Result<Stat> {
        std::fs::metadata(path).map(|m| file::stat_of(&m)).map_err(|e| from_io(&e))
    }
    fn lstat(&self, path: &str) -> Result<Stat> {
        std::fs::symlink_metadata(path).map(|m| file::stat_of(&m)).map_err(|e| from_io(&e))
    }
    fn fstat(&self, fd: Fd) -> Result<Stat> {
        file::fstat(fd)
    }
    fn read_dir(&self, path: &str) -> Result<Vec<DirEntry>> {
        file::read_dir(path)
    }
    fn access(&self, path: &str, mode: u32) -> Result<()> {
        file::access(path, mode)
    }
    fn mkdir(&self, path: &str, mode: u32) -> Result<()> {
        file::mkdir(path, mode)
    }
    fn rmdir(&self, path: &str) -> Result<()> {
        std::fs::remove_dir(path).map_err(|e| from_io(&e))
    }
    fn unlink(&self, path: &str) -> Result<()> {
        std::fs::remove_file(path).map_err(|e| from_io(&e))
    }
    fn rename(&self, from: &str, to: &str) -> Result<()> {
        std::fs::rename(from, to).map_err(|e| from_io(&e))
    }
    fn link(&self, from: &str, to: &str) -> Result<()> {
        std::fs::hard_link(from, to).map_err(|e| from_io(&e))
    }
    fn symlink(&self, target: &str, path: &str) -> Result<()> {
        std::os::unix::fs::symlink(target, path).map_err(|e| from_io(&e))
    }
    fn read_link(&self, path: &str) -> Result<String> {
        std::fs::read_link(path).map(|p| p.to_string_lossy().into_owned()).map_err(|e| from_io(&e))
    }
    fn mknod(&self, path: &str, kind: FileKind, mode: u32, device: (u32, u32)) -> Result<()> {
        file::mknod(path, kind, mode, device)
    }
    fn chmod(&self, path: &str, mode: u32) -> Result<()> {
        file::chmod(path, mode)
    }
    fn chown(&self, path: &str, uid: Option<u32>, gid: Option<u32>, follow: bool) -> Result<()> {
        let chown = if follow { std::os::unix::fs::chown } else { std::os::unix::fs::lchown };
        chown(path, uid, gid).map_err(|e| from_io(&e))
    }
    fn set_times(&self, path: &str, atime: Option<Duration>, mtime: Option<Duration>) -> Result<()> {
        file::set_times(path, atime, mtime)
    }
    fn truncate(&self, path: &str, size: u64) -> Result<()> {
        file::truncate(path, size)
    }
    fn statfs(&self, path: &str) -> Result<StatFs> {
        file::statfs(path)
    }
    fn sync(&self) {
        file::sync();
    }
    fn mount(&self, source: &str, target: &str, kind: &str, flags: MountFlags, options: &str) -> Result<()> {
        file::mount(source, target, kind, flags, options)
    }
    fn umount(&self, target: &str, lazy: bool) -> Result<()> {
        file::umount(target, lazy)
    }
    fn chroot(&self, path: &str) -> Result<()> {
        std::os::unix::fs::chroot(path).map_err(|e| from_io(&e))
    }

    fn pid(&self) -> Pid {
        std::process::id() as Pid
    }
    fn parent_pid(&self) -> Pid {
        std::os::unix::process::parent_id() as Pid
    }
    fn ids(&self) -> Ids {
        process::ids()
    }
    fn set_ids(&self, uid: u32, gid: u32, groups: &[u32]) -> Result<()> {
        process::set_ids(uid, gid, groups)
    }
    fn cwd(&self) -> Result<String> {
        std::env::current_dir().map(|p| p.to_string_lossy().into_owned()).map_err(|e| from_io(&e))
    }
    fn chdir(&self, path: &str) -> Result<()> {
        std::env::set_current_dir(path).map_err(|e| from_io(&e))
    }
    fn umask(&self, mask: u32) -> u32 {
        process::umask(mask)
    }
    fn fork<F>(&self, body: F) -> Result<Pid>
    where
        F: FnOnce(Self) -> LocalFut<i32> + 'static,
    {
        process::fork(|| block_on(body(*self)))
    }
    async fn exec(&self, path: &str, argv: &[String], env: &[(String, String)]) -> Errno {
        process::exec(path, argv, env)
    }
    async fn exit(&self, code: i32) -> ! {
        process::exit(code)
    }
    async fn wait(&self, wait: Wait) -> Result<(Pid, Status)> {
        process::wait(wait)
    }
    fn kill(&self, pid: Pid, signal: Signal) -> Result<()> {
        process::kill(pid, signal)
    }
    fn sigaction(&self, signal: Signal, to: Disposition) -> Result<Disposition> {
        signal::sigaction(signal, to)
    }
    fn take_signal(&self) -> Option<Signal> {
        signal::take()
    }
    async fn pause(&self) -> Signal {
        signal::pause()
    }
    fn set_process_group(&self, pid: Pid, group: Pid) -> Result<()> {
        process::set_process_group(pid, group)
    }
    fn process_group(&self) -> Pid {
        process::process_group()
    }
    fn new_session(&self) -> Result<Pid> {
        process::new_session()
    }
    fn limit(&self, limit: Limit) -> Result<LimitPair> {
        process::limit(limit)
    }
    fn set_limit(&self, limit: Limit, to: LimitPair) -> Result<()> {
        process::set_limit(limit, to)
    }
    fn set_priority(&self, pid: Pid, nice: i32) -> Result<()> {
        process::set_priority(pid, nice)
    }

    fn is_tty(&self, fd: Fd) -> bool {
        terminal::is_tty(fd)
    }
    fn window_size(&self, fd: Fd) -> Result<WindowSize> {
        terminal::window_size(fd)
    }
    fn set_window_size(&self, fd: Fd, size: WindowSize) -> Result<()> {
        terminal::set_window_size(fd, size)
    }
    fn tty_mode(&self, fd: Fd) -> Result<TtyMode> {
        terminal::mode(fd)
    }
    fn set_tty_mode(&self, fd: Fd, mode: TtyMode) -> Result<()> {
        terminal::set_mode(fd, mode)
    }
    fn foreground_group(&self, fd: Fd) -> Result<Pid> {
        terminal::foreground_group(fd)
    }
    fn set_foreground_group(&self, fd: Fd, group: Pid) -> Result<()> {
        terminal::set_foreground_group(fd, group)
    }

    fn now(&self) -> Duration {
        process::clock(libc::CLOCK_REALTIME)
    }
    fn uptime(&self) -> Duration {
        process::clock(libc::CLOCK_BOOTTIME)
    }
    async fn sleep(&self, time: Duration) -> Result<()> {
        process::sleep(time)
    }
    fn times(&self) -> ((Duration, Duration), (Duration, Duration)) {
        process::times()
    }
    /// The kernel accounts for itself.
    async fn charge(&self, _cost: Cost) {}
    fn uname(&self) -> Uname {
        process::uname()
    }
    fn set_hostname(&self, name: &str) -> Result<()> {
        process::set_hostname(name)
    }
    fn random(&self, count: usize) -> Vec<u8> {
        process::random(count)
    }

    fn socket(&self, kind: SocketKind) -> Result<Fd> {
        network::socket(kind)
    }
    fn bind(&self, fd: Fd, address: &Address) -> Result<()> {
        network::bind(fd, address)
    }
    fn listen(&self, fd: Fd, backlog: u32) -> Result<()> {
        network::listen(fd, backlog)
    }
    async fn connect(&self, fd: Fd, address: &Address) -> Result<()> {
        network::connect(fd, address)
    }
    async fn accept(&self, fd: Fd) -> Result<(Fd, Address)> {
        network::accept(fd)
    }
    async fn send_to(&self, fd: Fd, bytes: &[u8], to: &Address) -> Result<usize> {
        network::send_to(fd, bytes, to)
    }
    async fn receive_from(&self, fd: Fd, max: usize, timeout: Option<Duration>) -> Result<(Vec<u8>, Address)> {
        if timeout.is_some() {
            let ready = file::poll(&[PollFd { fd, read: true, ..PollFd::default() }], timeout)?;
            if !ready.iter().any(|p| p.read || p.hangup) {
                return Err(Errno::EAGAIN);
            }
        }
        network::receive_from(fd, max)
    }
    fn shutdown(&self, fd: Fd) -> Result<()> {
        network::shutdown(fd)
    }
    fn local_address(&self, fd: Fd) -> Result<Address> {
        network::local_address(fd)
    }
    async fn ping(&self, to: IpAddr, sequence: u16, size: usize, timeout: Duration) -> Result<Duration> {
        network::ping(to, sequence, size, timeout)
    }
    fn interfaces(&self) -> Result<Vec<Interface>> {
        network::interfaces()
    }
    fn routes(&self) -> Result<Vec<Route>> {
        network::routes()
    }
}
