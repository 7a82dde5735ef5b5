//! The system calls that nix has no safe form of, one small function each, and errors turned into faults.
//!
//! Everything unsafe that is about the kernel's interface lives here or says in its place why it must not.

use cutaway_core::world::Fault;
use nix::Result;
use nix::errno::Errno;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Names what was tried, for an error of nix or of the standard library.
pub trait OrFault<T> {
    fn or_fault(self, what: impl Into<String>) -> std::result::Result<T, Fault>;
}

impl<T> OrFault<T> for Result<T> {
    fn or_fault(self, what: impl Into<String>) -> std::result::Result<T, Fault> {
        self.map_err(|e| fault(e, what))
    }
}

impl<T> OrFault<T> for std::io::Result<T> {
    fn or_fault(self, what: impl Into<String>) -> std::result::Result<T, Fault> {
        self.map_err(|e| io_fault(&e, what))
    }
}

pub fn fault(errno: Errno, what: impl Into<String>) -> Fault {
    Fault::errno(cutaway_userland::Errno::from_number(errno as i32), what)
}

pub fn io_fault(error: &std::io::Error, what: impl Into<String>) -> Fault {
    match error.raw_os_error() {
        Some(number) => Fault::errno(cutaway_userland::Errno::from_number(number), what),
        None => Fault::Malformed { what: what.into(), reason: error.to_string() },
    }
}

/// The error number of an error of the standard library.
pub fn errno_of(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

pub fn c_string(text: impl AsRef<[u8]>) -> Result<CString> {
    CString::new(text.as_ref()).map_err(|_| Errno::EINVAL)
}

fn owned(result: libc::c_long) -> Result<OwnedFd> {
    let fd = Errno::result(result)? as RawFd;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

pub const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
pub const RESOLVE_NO_SYMLINKS: u64 = 0x04;
pub const RESOLVE_BENEATH: u64 = 0x08;
pub const RESOLVE_IN_ROOT: u64 = 0x10;

/// `openat2(2)`. The descriptor is closed on exec.
pub fn openat2(dir: impl AsFd, path: &[u8], flags: i32, mode: u32, resolve: u64) -> Result<OwnedFd> {
    let path = c_string(path)?;
    let mode = if flags & (libc::O_CREAT | libc::O_TMPFILE) == 0 { 0 } else { u64::from(mode) };
    let how = OpenHow { flags: (flags | libc::O_CLOEXEC) as u64, mode, resolve };
    // SAFETY: `path` and `how` live through the call, and the size is that of `how`.
    owned(unsafe {
        libc::syscall(
            libc::SYS_openat2,
            dir.as_fd().as_raw_fd(),
            path.as_ptr(),
            &how as *const OpenHow,
            std::mem::size_of::<OpenHow>(),
        )
    })
}

/// A pidfd, closed on exec.
pub fn pidfd_open(pid: i32) -> Result<OwnedFd> {
    // SAFETY: no memory is handed over.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

pub fn pidfd_send_signal(pidfd: impl AsFd, signal: i32) -> Result<()> {
    // SAFETY: the siginfo pointer may be null.
    Errno::result(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_fd().as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    })
    .map(drop)
}

/// Joins the namespaces `flags` of whatever `fd` stands for.
pub fn setns(fd: impl AsFd, flags: i32) -> Result<()> {
    // SAFETY: no memory is handed over.
    Errno::result(unsafe { libc::setns(fd.as_fd().as_raw_fd(), flags) }).map(drop)
}

pub fn unshare(flags: i32) -> Result<()> {
    // SAFETY: no memory is handed over.
    Errno::result(unsafe { libc::unshare(flags) }).map(drop)
}

/// `clone3(2)` in its fork form: 0 in the child. `parent` makes the child a sibling (CLONE_PARENT).
///
/// # Safety
/// Only where the calling process has a single thread: no lock of the C library is handed on held.
pub unsafe fn clone_process(namespaces: i32, cgroup: Option<BorrowedFd<'_>>, parent: bool) -> Result<i32> {
    #[repr(C)]
    #[derive(Default)]
    struct CloneArgs {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
        cgroup: u64,
    }
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    let mut args = CloneArgs { flags: namespaces as u64, exit_signal: libc::SIGCHLD as u64, ..Default::default() };
    if parent {
        args.flags |= libc::CLONE_PARENT as u64;
        args.exit_signal = 0;
    }
    if let Some(group) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = group.as_raw_fd() as u64;
    }
    // SAFETY: without CLONE_VM the child has a copy of everything; `args` lives through the call.
    let result =
        unsafe { libc::syscall(libc::SYS_clone3, &args as *const CloneArgs, std::mem::size_of::<CloneArgs>()) };
    Errno::result(result).map(|pid| pid as i32)
}

pub fn close_range(first: u32, last: u32, close_on_exec: bool) {
    let flags: u32 = if close_on_exec { 4 } else { 0 };
    // SAFETY: descriptors that this process still uses are below `first` or not used again by the caller.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
}

/// `dup2` onto a standard stream.
pub fn dup_onto(fd: impl AsFd, to: RawFd) -> Result<()> {
    // SAFETY: `to` is one of the standard streams, which nothing owns.
    Errno::result(unsafe { libc::dup2(fd.as_fd().as_raw_fd(), to) }).map(drop)
}

pub fn prctl(option: i32, a: u64, b: u64) -> Result<i32> {
    // SAFETY: only options that take numbers are used.
    Errno::result(unsafe { libc::prctl(option, a, b, 0, 0) })
}

/// A file of `/proc/self/fd`, as a path that names exactly the open file.
pub fn fd_path(fd: impl AsFd) -> String {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

pub fn set_nonblocking(fd: impl AsFd, on: bool) -> Result<()> {
    let raw = fd.as_fd().as_raw_fd();
    // SAFETY: no memory is handed over.
    unsafe {
        let flags = Errno::result(libc::fcntl(raw, libc::F_GETFL))?;
        let flags = if on { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
        Errno::result(libc::fcntl(raw, libc::F_SETFL, flags)).map(drop)
    }
}

// ---- the mount interface of file descriptors (Linux 5.2, mount_setattr 5.12) ----

pub const OPEN_TREE_CLONE: u32 = 1;
pub const MOUNT_ATTR_RDONLY: u64 = 1;
pub const MOUNT_ATTR_NOSUID: u64 = 2;
pub const MOUNT_ATTR_NODEV: u64 = 4;
pub const MOUNT_ATTR_NOEXEC: u64 = 8;

/// A detached copy of the mount that `fd` is on, rooted at `fd`.
pub fn open_tree(fd: impl AsFd, recursive: bool) -> Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE
        | libc::O_CLOEXEC as u32
        | libc::AT_EMPTY_PATH as u32
        | if recursive { libc::AT_RECURSIVE as u32 } else { 0 };
    // SAFETY: the path is a static empty string.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, fd.as_fd().as_raw_fd(), c"".as_ptr(), flags) })
}

/// Puts a detached mount at the place that `onto` was opened at.
pub fn move_mount(mount: impl AsFd, onto: impl AsFd) -> Result<()> {
    const F_EMPTY_PATH: u32 = 0x4;
    const T_EMPTY_PATH: u32 = 0x40;
    // SAFETY: both paths are static empty strings.
    Errno::result(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            onto.as_fd().as_raw_fd(),
            c"".as_ptr(),
            F_EMPTY_PATH | T_EMPTY_PATH,
        )
    })
    .map(drop)
}

/// Sets attributes of a mount and, if `recursive`, of those below it; `propagation` is 0 to leave it.
pub fn mount_setattr(fd: impl AsFd, set: u64, clear: u64, propagation: u64, recursive: bool) -> Result<()> {
    #[repr(C)]
    struct MountAttr {
        set: u64,
        clear: u64,
        propagation: u64,
        userns_fd: u64,
    }
    let attr = MountAttr { set, clear, propagation, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: `attr` lives through the call, and the size is its own.
    Errno::result(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            &attr as *const MountAttr,
            std::mem::size_of::<MountAttr>(),
        )
    })
    .map(drop)
}

/// Makes a file system without showing it anywhere: a detached mount. Options are `key` or `key=value`.
pub fn new_mount(kind: &str, source: &str, options: &[&str], attributes: u64) -> Result<OwnedFd> {
    const SET_FLAG: u32 = 0;
    const SET_STRING: u32 = 1;
    const CREATE: u32 = 6;
    let kind = c_string(kind)?;
    // SAFETY: `kind` lives through the call.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), 1) })?;
    let config = |command: u32, key: Option<&str>, value: Option<&str>| -> Result<()> {
        let key = key.map(c_string).transpose()?;
        let value = value.map(c_string).transpose()?;
        // SAFETY: the strings live through the call; null stands for none.
        Errno::result(unsafe {
            libc::syscall(
                libc::SYS_fsconfig,
                context.as_raw_fd(),
                command,
                key.as_ref().map_or(std::ptr::null(), |k| k.as_ptr()),
                value.as_ref().map_or(std::ptr::null(), |v| v.as_ptr()),
                0,
            )
        })
        .map(drop)
    };
    config(SET_STRING, Some("source"), Some(source))?;
    for option in options.iter().filter(|o| !o.is_empty()) {
        match option.split_once('=') {
            Some((key, value)) => config(SET_STRING, Some(key), Some(value))?,
            None => config(SET_FLAG, Some(option), None)?,
        }
    }
    config(CREATE, None, None)?;
    // SAFETY: no memory is handed over.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), 1, attributes) })
}

/// Makes `.` the root, where `.` is a mount point, and lets go of the old root.
pub fn pivot_root_here() -> Result<()> {
    // SAFETY: the paths are static strings.
    unsafe {
        Errno::result(libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()))?;
        Errno::result(libc::umount2(c".".as_ptr(), libc::MNT_DETACH))?;
        Errno::result(libc::chdir(c"/".as_ptr())).map(drop)
    }
}

// ---- files by descriptor ----

/// What `statx` tells of one name in a folder, links not followed; with an empty name, of the folder itself.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    pub mtime: (i64, u32),
    pub rdev: (u32, u32),
    pub dev: (u32, u32),
    pub ino: u64,
    pub nlink: u32,
    /// The mount it is on.
    pub mount: u64,
}

impl Facts {
    pub fn kind(&self) -> u32 {
        self.mode & libc::S_IFMT
    }
    pub fn is_dir(&self) -> bool {
        self.kind() == libc::S_IFDIR
    }
    pub fn is_file(&self) -> bool {
        self.kind() == libc::S_IFREG
    }
    pub fn is_link(&self) -> bool {
        self.kind() == libc::S_IFLNK
    }
    /// Overlay's mark for a name that is gone: a character device 0:0.
    pub fn is_whiteout(&self) -> bool {
        self.kind() == libc::S_IFCHR && self.rdev == (0, 0)
    }
    pub fn file_kind(&self) -> cutaway_userland::os::FileKind {
        use cutaway_userland::os::FileKind as K;
        match self.kind() {
            libc::S_IFDIR => K::Directory,
            libc::S_IFLNK => K::Symlink,
            libc::S_IFCHR => K::CharDevice,
            libc::S_IFBLK => K::BlockDevice,
            libc::S_IFIFO => K::Fifo,
            libc::S_IFSOCK => K::Socket,
            _ => K::Regular,
        }
    }
}

/// `statx(2)` without following a link at the end.
pub fn facts_at(dir: impl AsFd, name: &[u8]) -> Result<Facts> {
    let name = c_string(name)?;
    // SAFETY: statx is plain numbers, for which all zeros is a value.
    let mut x: libc::statx = unsafe { std::mem::zeroed() };
    let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH | libc::AT_NO_AUTOMOUNT;
    const MNT_ID: u32 = 0x1000;
    // SAFETY: `name` and `x` live through the call.
    Errno::result(unsafe {
        libc::statx(dir.as_fd().as_raw_fd(), name.as_ptr(), flags, libc::STATX_BASIC_STATS | MNT_ID, &mut x)
    })?;
    Ok(Facts {
        mode: u32::from(x.stx_mode),
        uid: x.stx_uid,
        gid: x.stx_gid,
        size: x.stx_size,
        mtime: (x.stx_mtime.tv_sec, x.stx_mtime.tv_nsec),
        rdev: (x.stx_rdev_major, x.stx_rdev_minor),
        dev: (x.stx_dev_major, x.stx_dev_minor),
        ino: x.stx_ino,
        nlink: x.stx_nlink,
        mount: x.stx_mnt_id,
    })
}

/// Facts of a path of the host, links not followed.
pub fn facts_of(path: &Path) -> Result<Facts> {
    use std::os::unix::ffi::OsStrExt;
    facts_at(cwd(), path.as_os_str().as_bytes())
}

/// The working directory, as a folder descriptor.
pub fn cwd() -> BorrowedFd<'static> {
    // SAFETY: AT_FDCWD is always valid and never closed.
    unsafe { BorrowedFd::borrow_raw(libc::AT_FDCWD) }
}

pub fn mknod_at(dir: impl AsFd, name: &[u8], mode: u32, rdev: (u32, u32)) -> Result<()> {
    let name = c_string(name)?;
    // SAFETY: `name` lives through the call.
    Errno::result(unsafe { libc::mknodat(dir.as_fd().as_raw_fd(), name.as_ptr(), mode, libc::makedev(rdev.0, rdev.1)) })
        .map(drop)
}

pub fn mkdir_at(dir: impl AsFd, name: &[u8], mode: u32) -> Result<()> {
    let name = c_string(name)?;
    // SAFETY: `name` lives through the call.
    Errno::result(unsafe { libc::mkdirat(dir.as_fd().as_raw_fd(), name.as_ptr(), mode) }).map(drop)
}

pub fn symlink_at(target: &[u8], dir: impl AsFd, name: &[u8]) -> Result<()> {
    let (target, name) = (c_string(target)?, c_string(name)?);
    // SAFETY: both strings live through the call.
    Errno::result(unsafe { libc::symlinkat(target.as_ptr(), dir.as_fd().as_raw_fd(), name.as_ptr()) }).map(drop)
}

pub fn read_link_at(dir: impl AsFd, name: &[u8]) -> Result<Vec<u8>> {
    let name = c_string(name)?;
    let mut buffer = vec![0u8; 4096];
    // SAFETY: the buffer is as long as it is said to be.
    let n = Errno::result(unsafe {
        libc::readlinkat(dir.as_fd().as_raw_fd(), name.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len())
    })?;
    buffer.truncate(n as usize);
    Ok(buffer)
}

pub fn unlink_at(dir: impl AsFd, name: &[u8], folder: bool) -> Result<()> {
    let name = c_string(name)?;
    let flags = if folder { libc::AT_REMOVEDIR } else { 0 };
    // SAFETY: `name` lives through the call.
    Errno::result(unsafe { libc::unlinkat(dir.as_fd().as_raw_fd(), name.as_ptr(), flags) }).map(drop)
}

/// A second name for the open file `file` (opened with O_PATH or otherwise).
pub fn link_at(from_dir: impl AsFd, from: &[u8], dir: impl AsFd, name: &[u8]) -> Result<()> {
    let (from, name) = (c_string(from)?, c_string(name)?);
    // SAFETY: both strings live through the call.
    Errno::result(unsafe {
        libc::linkat(from_dir.as_fd().as_raw_fd(), from.as_ptr(), dir.as_fd().as_raw_fd(), name.as_ptr(), 0)
    })
    .map(drop)
}

/// Owner, mode and modification time of one name; the mode of a link is left.
pub fn set_owner_at(dir: impl AsFd, name: &[u8], uid: u32, gid: u32) -> Result<()> {
    let name = c_string(name)?;
    let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH;
    // SAFETY: `name` lives through the call.
    Errno::result(unsafe { libc::fchownat(dir.as_fd().as_raw_fd(), name.as_ptr(), uid, gid, flags) }).map(drop)
}

/// The caller makes sure that `name` is no link.
pub fn set_mode_at(dir: impl AsFd, name: &[u8], mode: u32) -> Result<()> {
    let name = c_string(name)?;
    // SAFETY: `name` lives through the call.
    Errno::result(unsafe { libc::fchmodat(dir.as_fd().as_raw_fd(), name.as_ptr(), mode & 0o7777, 0) }).map(drop)
}

pub fn set_mtime_at(dir: impl AsFd, name: &[u8], seconds: i64, nanos: u32) -> Result<()> {
    let name = c_string(name)?;
    let time = libc::timespec { tv_sec: seconds, tv_nsec: i64::from(nanos) };
    let times = [time, time];
    // SAFETY: `name` and `times` live through the call.
    Errno::result(unsafe {
        libc::utimensat(dir.as_fd().as_raw_fd(), name.as_ptr(), times.as_ptr(), libc::AT_SYMLINK_NOFOLLOW)
    })
    .map(drop)
}

/// The same of an open file, which may be an `O_PATH` handle.
pub fn set_mtime(fd: impl AsFd, seconds: i64, nanos: u32) -> Result<()> {
    let path = c_string(fd_path(fd))?;
    let time = libc::timespec { tv_sec: seconds, tv_nsec: i64::from(nanos) };
    let times = [time, time];
    // SAFETY: `path` and `times` live through the call.
    Errno::result(unsafe { libc::utimensat(libc::AT_FDCWD, path.as_ptr(), times.as_ptr(), 0) }).map(drop)
}

/// An extended attribute of a path, links not followed.
pub fn set_xattr(path: &str, name: &str, value: &[u8]) -> Result<()> {
    let (path, name) = (c_string(path)?, c_string(name)?);
    // SAFETY: all buffers live through the call with their own lengths.
    Errno::result(unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) })
        .map(drop)
}

pub fn get_xattr(path: &str, name: &str) -> Result<Vec<u8>> {
    let (path, name) = (c_string(path)?, c_string(name)?);
    let mut buffer = vec![0u8; 65536];
    // SAFETY: the buffer is as long as it is said to be.
    let n = Errno::result(unsafe {
        libc::getxattr(path.as_ptr(), name.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len())
    })?;
    buffer.truncate(n as usize);
    Ok(buffer)
}

/// The names of extended attributes of a path, links followed.
pub fn list_xattr(path: &str) -> Result<Vec<String>> {
    let path = c_string(path)?;
    let mut buffer = vec![0u8; 65536];
    // SAFETY: the buffer is as long as it is said to be.
    let n = Errno::result(unsafe { libc::listxattr(path.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) })?;
    Ok(buffer[..n as usize]
        .split(|b| *b == 0)
        .filter(|s| !s.is_empty())
        .map(|s| String::from_utf8_lossy(s).into_owned())
        .collect())
}

/// The magic number of the file system that an open file is on.
pub fn file_system_of(fd: impl AsFd) -> Result<i64> {
    // SAFETY: statfs is plain numbers.
    let mut facts: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: `facts` lives through the call.
    Errno::result(unsafe { libc::fstatfs(fd.as_fd().as_raw_fd(), &mut facts) })?;
    Ok(facts.f_type)
}

/// Whether the mount that an open file is on is read-only.
pub fn on_read_only_mount(fd: impl AsFd) -> Result<bool> {
    // SAFETY: statvfs is plain numbers.
    let mut facts: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: `facts` lives through the call.
    Errno::result(unsafe { libc::fstatvfs(fd.as_fd().as_raw_fd(), &mut facts) })?;
    Ok(facts.f_flag & libc::ST_RDONLY != 0)
}

/// A descriptor that a task can wait for. `None` for one that needs no waiting, like a file's.
pub fn waitable<T: AsRawFd + AsFd>(owner: T, interest: Interest) -> Option<AsyncFd<T>> {
    // SAFETY: the owner keeps its descriptor, the same one, open as long as it lives.
    unsafe { AsyncFd::register_with_interest(owner, interest) }.ok()
}
