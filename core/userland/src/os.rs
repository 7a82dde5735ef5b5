//! One process's view of its kernel: the system calls that the programs of this crate are written over.
//!
//! In the simulator an [`Os`] is a handle on the simulated kernel, and a call that blocks is a future
//! that is not ready yet. On Linux the same calls block the thread and are ready at once, so that the
//! programs need no runtime there. Paths are as the process sees them: relative ones from its working
//! directory, absolute ones from its root. Each call fails with the error number Linux would give.

use crate::errno::Errno;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

pub type Fd = i32;
pub type Pid = i32;
pub type Result<T> = std::result::Result<T, Errno>;
/// A future that stays on the thread it was made on.
pub type LocalFut<T> = Pin<Box<dyn Future<Output = T>>>;

/// A program compiled in: its words (the first is the name it was called by) and its environment.
/// The result is its exit status, 0 to 255.
pub type Program<O> = fn(O, Vec<String>, Vec<(String, String)>) -> LocalFut<i32>;

/// How `open` opens. `read` or `write`, or both, must be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenFlags {
    pub read: bool,
    pub write: bool,
    pub append: bool,
    pub create: bool,
    pub exclusive: bool,
    pub truncate: bool,
    /// Fail with `ENOTDIR` unless the path is a directory.
    pub directory: bool,
    /// Fail with `ELOOP` where the last component is a symbolic link.
    pub no_follow: bool,
    /// Reads that would block fail with `EAGAIN`.
    pub non_blocking: bool,
}

impl OpenFlags {
    pub const READ: OpenFlags = OpenFlags {
        read: true,
        write: false,
        append: false,
        create: false,
        exclusive: false,
        truncate: false,
        directory: false,
        no_follow: false,
        non_blocking: false,
    };
    /// What `>` of the shell opens with.
    pub const CREATE: OpenFlags =
        OpenFlags { write: true, read: false, create: true, truncate: true, ..OpenFlags::READ };
    /// What `>>` of the shell opens with.
    pub const APPEND: OpenFlags = OpenFlags { write: true, read: false, create: true, append: true, ..OpenFlags::READ };
    pub const READ_WRITE: OpenFlags = OpenFlags { write: true, create: true, ..OpenFlags::READ };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    Regular,
    Directory,
    Symlink,
    CharDevice,
    BlockDevice,
    Fifo,
    Socket,
}

/// What `stat` tells of a file. Times are since the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    pub dev: u64,
    pub ino: u64,
    pub kind: FileKind,
    /// Permission bits with set-uid, set-gid and sticky: the low 12 bits.
    pub mode: u32,
    pub nlink: u64,
    pub uid: u32,
    pub gid: u32,
    /// Major and minor number of a device file, else zeros.
    pub rdev: (u32, u32),
    pub size: u64,
    /// In blocks of 512 bytes.
    pub blocks: u64,
    pub atime: Duration,
    pub mtime: Duration,
    pub ctime: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    pub name: String,
    pub ino: u64,
    pub kind: FileKind,
}

/// What `statfs` tells of a file system; sizes in blocks of `block_size` bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatFs {
    pub kind: String,
    pub block_size: u64,
    pub blocks: u64,
    pub free: u64,
    pub available: u64,
    pub inodes: u64,
    pub inodes_free: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whence {
    Start(u64),
    Current(i64),
    End(i64),
}

/// The signals of Linux on x86_64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(pub u8);

impl Signal {
    pub const HUP: Signal = Signal(1);
    pub const INT: Signal = Signal(2);
    pub const QUIT: Signal = Signal(3);
    pub const ILL: Signal = Signal(4);
    pub const TRAP: Signal = Signal(5);
    pub const ABRT: Signal = Signal(6);
    pub const BUS: Signal = Signal(7);
    pub const FPE: Signal = Signal(8);
    pub const KILL: Signal = Signal(9);
    pub const USR1: Signal = Signal(10);
    pub const SEGV: Signal = Signal(11);
    pub const USR2: Signal = Signal(12);
    pub const PIPE: Signal = Signal(13);
    pub const ALRM: Signal = Signal(14);
    pub const TERM: Signal = Signal(15);
    pub const STKFLT: Signal = Signal(16);
    pub const CHLD: Signal = Signal(17);
    pub const CONT: Signal = Signal(18);
    pub const STOP: Signal = Signal(19);
    pub const TSTP: Signal = Signal(20);
    pub const TTIN: Signal = Signal(21);
    pub const TTOU: Signal = Signal(22);
    pub const URG: Signal = Signal(23);
    pub const XCPU: Signal = Signal(24);
    pub const XFSZ: Signal = Signal(25);
    pub const VTALRM: Signal = Signal(26);
    pub const PROF: Signal = Signal(27);
    pub const WINCH: Signal = Signal(28);
    pub const IO: Signal = Signal(29);
    pub const PWR: Signal = Signal(30);
    pub const SYS: Signal = Signal(31);

    const NAMES: [&'static str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ];

    /// Reads a signal as people write it: `9`, `KILL`, `SIGKILL`, in either case.
    pub fn parse(text: &str) -> Option<Signal> {
        if let Ok(number) = text.parse::<u8>() {
            return (number <= 64).then_some(Signal(number));
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        Self::NAMES.iter().position(|n| *n == name).map(|i| Signal(i as u8 + 1))
    }

    /// Its name without `SIG`, as `KILL`; real-time signals are `RT<number>`.
    pub fn name(self) -> String {
        match Self::NAMES.get((self.0 as usize).wrapping_sub(1)) {
            Some(name) => (*name).to_string(),
            None => format!("RT{}", self.0),
        }
    }
}

/// What a process does with a signal that it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Disposition {
    #[default]
    Default,
    Ignore,
    /// Interrupts a blocking call with `EINTR` and waits in line for [`Os::take_signal`].
    Catch,
}

/// How a child ended or what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Exited(u8),
    Signaled(Signal),
    Stopped(Signal),
    Continued,
}

impl Status {
    /// What the shell's `$?` shows: the exit status, or 128 and the signal's number.
    pub fn code(self) -> i32 {
        match self {
            Status::Exited(code) => i32::from(code),
            Status::Signaled(s) | Status::Stopped(s) => 128 + i32::from(s.0),
            Status::Continued => 0,
        }
    }
}

/// Which children `wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    pub who: WaitFor,
    /// Return `EAGAIN` at once where no child has changed (`WNOHANG`).
    pub no_hang: bool,
    /// Report children that were stopped, too (`WUNTRACED`).
    pub untraced: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFor {
    Any,
    Pid(Pid),
    Group(Pid),
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Ids {
    pub uid: u32,
    pub euid: u32,
    pub gid: u32,
    pub egid: u32,
    pub groups: Vec<u32>,
}

/// What `poll` asks and answers of one descriptor; `hangup` is only ever an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PollFd {
    pub fd: Fd,
    pub read: bool,
    pub write: bool,
    pub hangup: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSize {
    pub rows: u16,
    pub columns: u16,
}

/// How a terminal treats input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtyMode {
    /// Lines, echo, `^C` as a signal.
    Cooked,
    /// Each key as it comes, unseen and unchanged.
    Raw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    Cpu,
    FileSize,
    Data,
    Stack,
    Core,
    Rss,
    Processes,
    OpenFiles,
    LockedMemory,
    AddressSpace,
    FileLocks,
    PendingSignals,
    /// Bytes of message queues.
    MessageQueues,
    Nice,
    RealtimePriority,
    /// Microseconds without a pause.
    RealtimeTimeout,
}

/// The soft and the hard value of a limit; `None` is unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitPair {
    pub soft: Option<u64>,
    pub hard: Option<u64>,
}

/// What `uname` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uname {
    pub sysname: String,
    pub nodename: String,
    pub release: String,
    pub version: String,
    pub machine: String,
}

/// What a piece of computing costs: units of work and bytes held until the process ends.
/// One unit is about what the simulated processor does in a microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Cost {
    pub cpu: u64,
    pub memory: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SocketKind {
    Tcp,
    Udp,
    Unix,
}

/// Where a socket is bound or connected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    Inet(SocketAddr),
    Unix(String),
}

/// One network interface, as `ip addr` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub index: u32,
    pub name: String,
    /// Index of the other end of a veth pair, as in `eth0@if7`.
    pub peer: Option<u32>,
    pub up: bool,
    pub loopback: bool,
    pub mtu: u32,
    pub mac: [u8; 6],
    pub addresses: Vec<(IpAddr, u8)>,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_packets: u64,
    pub tx_packets: u64,
}

/// One line of the routing table: to a network, through a gateway, or straight out of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub destination: IpAddr,
    pub prefix: u8,
    pub gateway: Option<IpAddr>,
    pub device: String,
    pub source: Option<IpAddr>,
}

/// Flags of `mount`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct MountFlags {
    pub read_only: bool,
    pub bind: bool,
    pub remount: bool,
    pub recursive: bool,
    pub no_suid: bool,
    pub no_exec: bool,
    pub no_dev: bool,
}

/// The system calls of one process. Clones are handles on the same process.
pub trait Os: Clone + 'static {
    // Descriptors.
    /// Reads at most `max` bytes, waiting for the first; empty at the end of the file.
    async fn read(&self, fd: Fd, max: usize) -> Result<Vec<u8>>;
    /// Writes some of `bytes` and says how many; with nobody reading, `EPIPE` (and the signal).
    async fn write(&self, fd: Fd, bytes: &[u8]) -> Result<usize>;
    async fn open(&self, path: &str, flags: OpenFlags, mode: u32) -> Result<Fd>;
    fn close(&self, fd: Fd) -> Result<()>;
    /// A copy of `fd` at the lowest free number from `least` on.
    fn dup(&self, fd: Fd, least: Fd) -> Result<Fd>;
    fn dup2(&self, from: Fd, to: Fd) -> Result<()>;
    /// Whether `fd` is closed by `exec`.
    fn set_close_on_exec(&self, fd: Fd, close: bool) -> Result<()>;
    /// The reading and the writing end.
    fn pipe(&self) -> Result<(Fd, Fd)>;
    fn seek(&self, fd: Fd, to: Whence) -> Result<u64>;
    /// Waits until one of `fds` is ready or `timeout` is over; the answers, in the same order.
    async fn poll(&self, fds: &[PollFd], timeout: Option<Duration>) -> Result<Vec<PollFd>>;

    // Files.
    fn stat(&self, path: &str) -> Result<Stat>;
    fn lstat(&self, path: &str) -> Result<Stat>;
    fn fstat(&self, fd: Fd) -> Result<Stat>;
    /// The entries without `.` and `..`, sorted by name.
    fn read_dir(&self, path: &str) -> Result<Vec<DirEntry>>;
    /// Whether the process may read (4), write (2), execute (1): bits of `mode`.
    fn access(&self, path: &str, mode: u32) -> Result<()>;
    fn mkdir(&self, path: &str, mode: u32) -> Result<()>;
    fn rmdir(&self, path: &str) -> Result<()>;
    fn unlink(&self, path: &str) -> Result<()>;
    fn rename(&self, from: &str, to: &str) -> Result<()>;
    fn link(&self, from: &str, to: &str) -> Result<()>;
    fn symlink(&self, target: &str, path: &str) -> Result<()>;
    fn read_link(&self, path: &str) -> Result<String>;
    fn mknod(&self, path: &str, kind: FileKind, mode: u32, device: (u32, u32)) -> Result<()>;
    fn chmod(&self, path: &str, mode: u32) -> Result<()>;
    /// `None` leaves an owner as it is. Does not follow a link where `follow` is false.
    fn chown(&self, path: &str, uid: Option<u32>, gid: Option<u32>, follow: bool) -> Result<()>;
    /// Sets access and modification time, since the epoch; `None` leaves one as it is.
    fn set_times(&self, path: &str, atime: Option<Duration>, mtime: Option<Duration>) -> Result<()>;
    fn truncate(&self, path: &str, size: u64) -> Result<()>;
    fn statfs(&self, path: &str) -> Result<StatFs>;
    fn sync(&self);
    fn mount(&self, source: &str, target: &str, kind: &str, flags: MountFlags, options: &str) -> Result<()>;
    fn umount(&self, target: &str, lazy: bool) -> Result<()>;
    fn chroot(&self, path: &str) -> Result<()>;

    // Processes.
    fn pid(&self) -> Pid;
    fn parent_pid(&self) -> Pid;
    fn ids(&self) -> Ids;
    /// Sets real, effective and saved ids and the supplementary groups, as `su` does.
    fn set_ids(&self, uid: u32, gid: u32, groups: &[u32]) -> Result<()>;
    fn cwd(&self) -> Result<String>;
    fn chdir(&self, path: &str) -> Result<()>;
    /// Sets the mask and returns the former one.
    fn umask(&self, mask: u32) -> u32;
    /// Starts a child that runs `body` over its own handle, with copies of the descriptors, and
    /// returns its id to the parent. The body's result is the child's exit status.
    fn fork<F>(&self, body: F) -> Result<Pid>
    where
        F: FnOnce(Self) -> LocalFut<i32> + 'static;
    /// Replaces the program of this process; returns only where that failed. `path` has been looked up.
    async fn exec(&self, path: &str, argv: &[String], env: &[(String, String)]) -> Errno;
    /// Ends the process at once.
    async fn exit(&self, code: i32) -> !;
    /// Waits for a child as `waitpid` does: `ECHILD` without one, `EINTR` on a caught signal.
    async fn wait(&self, wait: Wait) -> Result<(Pid, Status)>;
    /// `pid` as in `kill(2)`: 0 is this group, -1 is all, -N is group N. Signal 0 only asks.
    fn kill(&self, pid: Pid, signal: Signal) -> Result<()>;
    /// Sets what `signal` does and returns what it did.
    fn sigaction(&self, signal: Signal, to: Disposition) -> Result<Disposition>;
    /// The next caught signal, if any.
    fn take_signal(&self) -> Option<Signal>;
    /// Waits for a caught signal.
    async fn pause(&self) -> Signal;
    fn set_process_group(&self, pid: Pid, group: Pid) -> Result<()>;
    fn process_group(&self) -> Pid;
    fn new_session(&self) -> Result<Pid>;
    fn limit(&self, limit: Limit) -> Result<LimitPair>;
    fn set_limit(&self, limit: Limit, to: LimitPair) -> Result<()>;
    fn set_priority(&self, pid: Pid, nice: i32) -> Result<()>;

    // Terminals.
    fn is_tty(&self, fd: Fd) -> bool;
    fn window_size(&self, fd: Fd) -> Result<WindowSize>;
    fn set_window_size(&self, fd: Fd, size: WindowSize) -> Result<()>;
    fn tty_mode(&self, fd: Fd) -> Result<TtyMode>;
    fn set_tty_mode(&self, fd: Fd, mode: TtyMode) -> Result<()>;
    fn foreground_group(&self, fd: Fd) -> Result<Pid>;
    fn set_foreground_group(&self, fd: Fd, group: Pid) -> Result<()>;

    // Time and machine.
    /// Time since the epoch.
    fn now(&self) -> Duration;
    /// Time since the machine started.
    fn uptime(&self) -> Duration;
    /// Fails with `EINTR` where a caught signal cuts it short.
    async fn sleep(&self, time: Duration) -> Result<()>;
    /// User and system time of this process and, second, of its waited-for children.
    fn times(&self) -> ((Duration, Duration), (Duration, Duration));
    /// Pays for computing. A program must call this in every loop that could run long: in the simulator
    /// it is the only point where another process can run, and where memory limits are felt.
    async fn charge(&self, cost: Cost);
    fn uname(&self) -> Uname;
    fn set_hostname(&self, name: &str) -> Result<()>;
    fn random(&self, count: usize) -> Vec<u8>;

    // Networks.
    fn socket(&self, kind: SocketKind) -> Result<Fd>;
    fn bind(&self, fd: Fd, address: &Address) -> Result<()>;
    fn listen(&self, fd: Fd, backlog: u32) -> Result<()>;
    async fn connect(&self, fd: Fd, address: &Address) -> Result<()>;
    /// Waits for a caller: the descriptor of the connection and who it is.
    async fn accept(&self, fd: Fd) -> Result<(Fd, Address)>;
    async fn send_to(&self, fd: Fd, bytes: &[u8], to: &Address) -> Result<usize>;
    /// Waits for one datagram, for `timeout` at most (`EAGAIN` then).
    async fn receive_from(&self, fd: Fd, max: usize, timeout: Option<Duration>) -> Result<(Vec<u8>, Address)>;
    /// Ends the writing half of a connection.
    fn shutdown(&self, fd: Fd) -> Result<()>;
    fn local_address(&self, fd: Fd) -> Result<Address>;
    /// Sends one echo request and waits for its answer: the time it took.
    async fn ping(&self, to: IpAddr, sequence: u16, size: usize, timeout: Duration) -> Result<Duration>;
    fn interfaces(&self) -> Result<Vec<Interface>>;
    fn routes(&self) -> Result<Vec<Route>>;
}
