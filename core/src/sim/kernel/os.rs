//! The system calls, as one process makes them: the simulated kernel's side of the userland's `Os`.

use crate::sim::kernel::machine::Machine;
use crate::world::LocalFut;
use cutaway_userland::Errno;
use cutaway_userland::os::*;
use std::net::IpAddr;
use std::time::Duration;

/// A handle on one process of the simulated machine.
#[derive(Clone)]
pub struct SimOs {
    machine: Machine,
    pid: Pid,
}

impl Os for SimOs {
    async fn read(&self, fd: Fd, max: usize) -> Result<Vec<u8>> {
        todo!()
    }
    async fn write(&self, fd: Fd, bytes: &[u8]) -> Result<usize> {
        todo!()
    }
    async fn open(&self, path: &str, flags: OpenFlags, mode: u32) -> Result<Fd> {
        todo!()
    }
    fn close(&self, fd: Fd) -> Result<()> {
        todo!()
    }
    fn dup(&self, fd: Fd, least: Fd) -> Result<Fd> {
        todo!()
    }
    fn dup2(&self, from: Fd, to: Fd) -> Result<()> {
        todo!()
    }
    fn set_close_on_exec(&self, fd: Fd, close: bool) -> Result<()> {
        todo!()
    }
    fn pipe(&self) -> Result<(Fd, Fd)> {
        todo!()
    }
    fn seek(&self, fd: Fd, to: Whence) -> Result<u64> {
        todo!()
    }
    async fn poll(&self, fds: &[PollFd], timeout: Option<Duration>) -> Result<Vec<PollFd>> {
        todo!()
    }

    fn stat(&self, path: &str) -> Result<Stat> {
        todo!()
    }
    fn lstat(&self, path: &str) -> Result<Stat> {
        todo!()
    }
    fn fstat(&self, fd: Fd) -> Result<Stat> {
        todo!()
    }
    fn read_dir(&self, path: &str) -> Result<Vec<DirEntry>> {
        todo!()
    }
    fn access(&self, path: &str, mode: u32) -> Result<()> {
        todo!()
    }
    fn mkdir(&self, path: &str, mode: u32) -> Result<()> {
        todo!()
    }
    fn rmdir(&self, path: &str) -> Result<()> {
        todo!()
    }
    fn unlink(&self, path: &str) -> Result<()> {
        todo!()
    }
    fn rename(&self, from: &str, to: &str) -> Result<()> {
        todo!()
    }
    fn link(&self, from: &str, to: &str) -> Result<()> {
        todo!()
    }
    fn symlink(&self, target: &str, path: &str) -> Result<()> {
        todo!()
    }
    fn read_link(&self, path: &str) -> Result<String> {
        todo!()
    }
    fn mknod(&self, path: &str, kind: FileKind, mode: u32, device: (u32, u32)) -> Result<()> {
        todo!()
    }
    fn chmod(&self, path: &str, mode: u32) -> Result<()> {
        todo!()
    }
    fn chown(&self, path: &str, uid: Option<u32>, gid: Option<u32>, follow: bool) -> Result<()> {
        todo!()
    }
    fn set_times(&self, path: &str, atime: Option<Duration>, mtime: Option<Duration>) -> Result<()> {
        todo!()
    }
    fn truncate(&self, path: &str, size: u64) -> Result<()> {
        todo!()
    }
    fn statfs(&self, path: &str) -> Result<StatFs> {
        todo!()
    }
    fn sync(&self) {
        todo!()
    }
    fn mount(&self, source: &str, target: &str, kind: &str, flags: MountFlags, options: &str) -> Result<()> {
        todo!()
    }
    fn umount(&self, target: &str, lazy: bool) -> Result<()> {
        todo!()
    }
    fn chroot(&self, path: &str) -> Result<()> {
        todo!()
    }

    fn pid(&self) -> Pid {
        todo!()
    }
    fn parent_pid(&self) -> Pid {
        todo!()
    }
    fn ids(&self) -> Ids {
        todo!()
    }
    fn set_ids(&self, uid: u32, gid: u32, groups: &[u32]) -> Result<()> {
        todo!()
    }
    fn cwd(&self) -> Result<String> {
        todo!()
    }
    fn chdir(&self, path: &str) -> Result<()> {
        todo!()
    }
    fn umask(&self, mask: u32) -> u32 {
        todo!()
    }
    fn fork<F>(&self, body: F) -> Result<Pid>
    where
        F: FnOnce(Self) -> LocalFut<i32> + 'static,
    {
        todo!()
    }
    async fn exec(&self, path: &str, argv: &[String], env: &[(String, String)]) -> Errno {
        todo!()
    }
    async fn exit(&self, code: i32) -> ! {
        todo!()
    }
    async fn wait(&self, wait: Wait) -> Result<(Pid, Status)> {
        todo!()
    }
    fn kill(&self, pid: Pid, signal: Signal) -> Result<()> {
        todo!()
    }
    fn sigaction(&self, signal: Signal, to: Disposition) -> Result<Disposition> {
        todo!()
    }
    fn take_signal(&self) -> Option<Signal> {
        todo!()
    }
    async fn pause(&self) -> Signal {
        todo!()
    }
    fn set_process_group(&self, pid: Pid, group: Pid) -> Result<()> {
        todo!()
    }
    fn process_group(&self) -> Pid {
        todo!()
    }
    fn new_session(&self) -> Result<Pid> {
        todo!()
    }
    fn limit(&self, limit: Limit) -> Result<LimitPair> {
        todo!()
    }
    fn set_limit(&self, limit: Limit, to: LimitPair) -> Result<()> {
        todo!()
    }
    fn set_priority(&self, pid: Pid, nice: i32) -> Result<()> {
        todo!()
    }

    fn is_tty(&self, fd: Fd) -> bool {
        todo!()
    }
    fn window_size(&self, fd: Fd) -> Result<WindowSize> {
        todo!()
    }
    fn set_window_size(&self, fd: Fd, size: WindowSize) -> Result<()> {
        todo!()
    }
    fn tty_mode(&self, fd: Fd) -> Result<TtyMode> {
        todo!()
    }
    fn set_tty_mode(&self, fd: Fd, mode: TtyMode) -> Result<()> {
        todo!()
    }
    fn foreground_group(&self, fd: Fd) -> Result<Pid> {
        todo!()
    }
    fn set_foreground_group(&self, fd: Fd, group: Pid) -> Result<()> {
        todo!()
    }

    fn now(&self) -> Duration {
        todo!()
    }
    fn uptime(&self) -> Duration {
        todo!()
    }
    async fn sleep(&self, time: Duration) -> Result<()> {
        todo!()
    }
    fn times(&self) -> ((Duration, Duration), (Duration, Duration)) {
        todo!()
    }
    async fn charge(&self, cost: Cost) {
        todo!()
    }
    fn uname(&self) -> Uname {
        todo!()
    }
    fn set_hostname(&self, name: &str) -> Result<()> {
        todo!()
    }
    fn random(&self, count: usize) -> Vec<u8> {
        todo!()
    }

    fn socket(&self, kind: SocketKind) -> Result<Fd> {
        todo!()
    }
    fn bind(&self, fd: Fd, address: &Address) -> Result<()> {
        todo!()
    }
    fn listen(&self, fd: Fd, backlog: u32) -> Result<()> {
        todo!()
    }
    async fn connect(&self, fd: Fd, address: &Address) -> Result<()> {
        todo!()
    }
    async fn accept(&self, fd: Fd) -> Result<(Fd, Address)> {
        todo!()
    }
    async fn send_to(&self, fd: Fd, bytes: &[u8], to: &Address) -> Result<usize> {
        todo!()
    }
    async fn receive_from(&self, fd: Fd, max: usize, timeout: Option<Duration>) -> Result<(Vec<u8>, Address)> {
        todo!()
    }
    fn shutdown(&self, fd: Fd) -> Result<()> {
        todo!()
    }
    fn local_address(&self, fd: Fd) -> Result<Address> {
        todo!()
    }
    async fn ping(&self, to: IpAddr, sequence: u16, size: usize, timeout: Duration) -> Result<Duration> {
        todo!()
    }
    fn interfaces(&self) -> Result<Vec<Interface>> {
        todo!()
    }
    fn routes(&self) -> Result<Vec<Route>> {
        todo!()
    }
}
