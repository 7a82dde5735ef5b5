//! Descriptors, files and mounts.

use super::{c_string, check, from_io, last_error, restarting};
use crate::errno::Errno;
use crate::os::*;
use std::fs::Metadata;
use std::os::unix::fs::{DirBuilderExt, DirEntryExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::time::Duration;

pub(super) fn read(fd: Fd, max: usize) -> Result<Vec<u8>> {
    let mut bytes: Vec<u8> = Vec::with_capacity(max);
    // SAFETY: the buffer has room for `max` bytes, and `set_len` covers only those that were read.
    unsafe {
        let count = restarting(|| libc::read(fd, bytes.as_mut_ptr().cast(), max) as i64)?;
        bytes.set_len(count as usize);
    }
    Ok(bytes)
}

pub(super) fn write(fd: Fd, bytes: &[u8]) -> Result<usize> {
    // SAFETY: the pointer and the length describe `bytes`.
    restarting(|| unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) as i64 }).map(|n| n as usize)
}

pub(super) fn open(path: &str, flags: OpenFlags, mode: u32) -> Result<Fd> {
    let path = c_string(path)?;
    let mut bits = match (flags.read, flags.write) {
        (true, true) => libc::O_RDWR,
        (false, true) => libc::O_WRONLY,
        _ => libc::O_RDONLY,
    };
    for (set, bit) in [
        (flags.append, libc::O_APPEND),
        (flags.create, libc::O_CREAT),
        (flags.exclusive, libc::O_EXCL),
        (flags.truncate, libc::O_TRUNC),
        (flags.directory, libc::O_DIRECTORY),
        (flags.no_follow, libc::O_NOFOLLOW),
        (flags.non_blocking, libc::O_NONBLOCK),
    ] {
        if set {
            bits |= bit;
        }
    }
    // SAFETY: `path` is a C string that outlives the call.
    restarting(|| unsafe { i64::from(libc::open(path.as_ptr(), bits, mode as libc::c_uint)) }).map(|fd| fd as Fd)
}

pub(super) fn close(fd: Fd) -> Result<()> {
    // SAFETY: no memory is involved; the descriptor is the caller's to close.
    check(i64::from(unsafe { libc::close(fd) })).map(drop)
}

pub(super) fn dup(fd: Fd, least: Fd) -> Result<Fd> {
    // SAFETY: no memory is involved.
    check(i64::from(unsafe { libc::fcntl(fd, libc::F_DUPFD, least) })).map(|fd| fd as Fd)
}

pub(super) fn dup2(from: Fd, to: Fd) -> Result<()> {
    // SAFETY: no memory is involved.
    check(i64::from(unsafe { libc::dup2(from, to) })).map(drop)
}

pub(super) fn set_close_on_exec(fd: Fd, close: bool) -> Result<()> {
    let bits = if close { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: no memory is involved.
    check(i64::from(unsafe { libc::fcntl(fd, libc::F_SETFD, bits) })).map(drop)
}

pub(super) fn pipe() -> Result<(Fd, Fd)> {
    let mut ends = [0; 2];
    // SAFETY: the array has room for the two descriptors.
    check(i64::from(unsafe { libc::pipe(ends.as_mut_ptr()) }))?;
    Ok((ends[0], ends[1]))
}

pub(super) fn seek(fd: Fd, to: Whence) -> Result<u64> {
    let (offset, whence) = match to {
        Whence::Start(n) => (n as i64, libc::SEEK_SET),
        Whence::Current(n) => (n, libc::SEEK_CUR),
        Whence::End(n) => (n, libc::SEEK_END),
    };
    // SAFETY: no memory is involved.
    check(unsafe { libc::lseek(fd, offset, whence) }).map(|n| n as u64)
}

pub(super) fn poll(fds: &[PollFd], timeout: Option<Duration>) -> Result<Vec<PollFd>> {
    let mut raw: Vec<libc::pollfd> = fds
        .iter()
        .map(|p| {
            let read = if p.read { libc::POLLIN } else { 0 };
            let write = if p.write { libc::POLLOUT } else { 0 };
            libc::pollfd { fd: p.fd, events: read | write, revents: 0 }
        })
        .collect();
    let limit = timeout.map_or(-1, |t| t.as_millis().min(i32::MAX as u128) as i32);
    // SAFETY: the pointer and the count describe `raw`.
    restarting(|| unsafe { i64::from(libc::poll(raw.as_mut_ptr(), raw.len() as libc::nfds_t, limit)) })?;
    let answer = |p: &libc::pollfd| PollFd {
        fd: p.fd,
        read: p.revents & libc::POLLIN != 0,
        write: p.revents & libc::POLLOUT != 0,
        hangup: p.revents & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0,
    };
    Ok(raw.iter().map(answer).collect())
}

fn kind_of(kind: std::fs::FileType) -> FileKind {
    match () {
        () if kind.is_dir() => FileKind::Directory,
        () if kind.is_symlink() => FileKind::Symlink,
        () if kind.is_char_device() => FileKind::CharDevice,
        () if kind.is_block_device() => FileKind::BlockDevice,
        () if kind.is_fifo() => FileKind::Fifo,
        () if kind.is_socket() => FileKind::Socket,
        () => FileKind::Regular,
    }
}

pub(super) fn stat_of(m: &Metadata) -> Stat {
    let time = |seconds: i64, nanos: i64| Duration::new(seconds.max(0) as u64, nanos as u32);
    Stat {
        dev: m.dev(),
        ino: m.ino(),
        kind: kind_of(m.file_type()),
        mode: m.mode() & 0o7777,
        nlink: m.nlink(),
        uid: m.uid(),
        gid: m.gid(),
        rdev: (libc::major(m.rdev()) as u32, libc::minor(m.rdev()) as u32),
        size: m.size(),
        blocks: m.blocks(),
        atime: time(m.atime(), m.atime_nsec()),
        mtime: time(m.mtime(), m.mtime_nsec()),
        ctime: time(m.ctime(), m.ctime_nsec()),
    }
}

pub(super) fn fstat(fd: Fd) -> Result<Stat> {
    use std::os::fd::FromRawFd;
    if fd < 0 {
        return Err(Errno::EBADF);
    }
    // SAFETY: the file is never dropped, so the descriptor stays the caller's.
    let file = std::mem::ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(fd) });
    file.metadata().map(|m| stat_of(&m)).map_err(|e| from_io(&e))
}

pub(super) fn read_dir(path: &str) -> Result<Vec<DirEntry>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|e| from_io(&e))? {
        let entry = entry.map_err(|e| from_io(&e))?;
        let kind = entry.file_type().map_err(|e| from_io(&e))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        entries.push(DirEntry { name, ino: entry.ino(), kind: kind_of(kind) });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

pub(super) fn access(path: &str, mode: u32) -> Result<()> {
    let path = c_string(path)?;
    // SAFETY: `path` is a C string that outlives the call. The effective ids decide, as for open.
    let result = unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), mode as i32, libc::AT_EACCESS) };
    check(i64::from(result)).map(drop)
}

pub(super) fn mkdir(path: &str, mode: u32) -> Result<()> {
    std::fs::DirBuilder::new().mode(mode).create(path).map_err(|e| from_io(&e))
}

pub(super) fn mknod(path: &str, kind: FileKind, mode: u32, device: (u32, u32)) -> Result<()> {
    let path = c_string(path)?;
    let bits = match kind {
        FileKind::Regular => libc::S_IFREG,
        FileKind::CharDevice => libc::S_IFCHR,
        FileKind::BlockDevice => libc::S_IFBLK,
        FileKind::Fifo => libc::S_IFIFO,
        FileKind::Socket => libc::S_IFSOCK,
        FileKind::Directory | FileKind::Symlink => return Err(Errno::EINVAL),
    };
    // SAFETY: `path` is a C string that outlives the call.
    let result = unsafe { libc::mknod(path.as_ptr(), bits | mode, libc::makedev(device.0, device.1)) };
    check(i64::from(result)).map(drop)
}

pub(super) fn chmod(path: &str, mode: u32) -> Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(|e| from_io(&e))
}

pub(super) fn set_times(path: &str, atime: Option<Duration>, mtime: Option<Duration>) -> Result<()> {
    let path = c_string(path)?;
    let spec = |time: Option<Duration>| match time {
        Some(t) => libc::timespec { tv_sec: t.as_secs() as _, tv_nsec: i64::from(t.subsec_nanos()) as _ },
        None => libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_OMIT },
    };
    let times = [spec(atime), spec(mtime)];
    // SAFETY: both pointers are to values that outlive the call; two times are what the call reads.
    check(i64::from(unsafe { libc::utimensat(libc::AT_FDCWD, path.as_ptr(), times.as_ptr(), 0) })).map(drop)
}

pub(super) fn truncate(path: &str, size: u64) -> Result<()> {
    let path = c_string(path)?;
    let size = i64::try_from(size).map_err(|_| Errno::EFBIG)?;
    // SAFETY: `path` is a C string that outlives the call.
    check(i64::from(unsafe { libc::truncate(path.as_ptr(), size) })).map(drop)
}

/// The names of file systems by their magic numbers. Source: `statfs(2)`.
const KINDS: &[(u64, &str)] = &[
    (0xEF53, "ext2/ext3"),
    (0x794C_7630, "overlayfs"),
    (0x0102_1994, "tmpfs"),
    (0x9FA0, "proc"),
    (0x6265_6572, "sysfs"),
    (0x9123_683E, "btrfs"),
    (0x5846_5342, "xfs"),
    (0x6969, "nfs"),
    (0x0027_E0EB, "cgroup"),
    (0x6367_7270, "cgroup2"),
    (0x1CD1, "devpts"),
    (0x1980_0202, "mqueue"),
    (0x7371_7368, "squashfs"),
    (0x6573_5546, "fuse"),
    (0x0102_1997, "v9fs"),
    (0x8584_58F6, "ramfs"),
];

pub(super) fn statfs(path: &str) -> Result<StatFs> {
    let path = c_string(path)?;
    // SAFETY: all zeros is a valid `statfs`, and the call fills it in.
    let mut raw: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: `path` is a C string and `raw` is room for the answer.
    check(i64::from(unsafe { libc::statfs(path.as_ptr(), &mut raw) }))?;
    let magic = raw.f_type as u64;
    let kind = KINDS.iter().find(|(m, _)| *m == magic).map_or("UNKNOWN", |(_, name)| name);
    Ok(StatFs {
        kind: kind.to_string(),
        block_size: raw.f_bsize as u64,
        blocks: raw.f_blocks,
        free: raw.f_bfree,
        available: raw.f_bavail,
        inodes: raw.f_files,
        inodes_free: raw.f_ffree,
    })
}

pub(super) fn sync() {
    // SAFETY: no memory is involved.
    unsafe { libc::sync() }
}

pub(super) fn mount(source: &str, target: &str, kind: &str, flags: MountFlags, options: &str) -> Result<()> {
    let (source, target) = (c_string(source)?, c_string(target)?);
    let (kind, options) = (c_string(kind)?, c_string(options)?);
    let mut bits = 0;
    for (set, bit) in [
        (flags.read_only, libc::MS_RDONLY),
        (flags.bind, libc::MS_BIND),
        (flags.remount, libc::MS_REMOUNT),
        (flags.recursive, libc::MS_REC),
        (flags.no_suid, libc::MS_NOSUID),
        (flags.no_exec, libc::MS_NOEXEC),
        (flags.no_dev, libc::MS_NODEV),
    ] {
        if set {
            bits |= bit;
        }
    }
    // SAFETY: all four are C strings that outlive the call; the options are read as a string.
    let result = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), bits, options.as_ptr().cast()) };
    check(i64::from(result)).map(drop)
}

pub(super) fn umount(target: &str, lazy: bool) -> Result<()> {
    let target = c_string(target)?;
    // SAFETY: `target` is a C string that outlives the call.
    let result = unsafe { libc::umount2(target.as_ptr(), if lazy { libc::MNT_DETACH } else { 0 }) };
    if result < 0 { Err(last_error()) } else { Ok(()) }
}
