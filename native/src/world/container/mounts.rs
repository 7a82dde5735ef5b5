//! The mounts of a container, made by its first process in its own mount namespace.
//!
//! A file system is made detached first and then put at a place that was opened inside the new root, so no
//! path is ever walked twice and none can lead out. Places that are the kernel's own are checked by type
//! after opening, because an image may have put anything there.

use super::init::Told;
use super::wire::{InitOp, Refusal};
use crate::sys::{self, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY};
use crate::world::store::in_root;
use nix::Result;
use nix::errno::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

const PROC_MAGIC: i64 = 0x9fa0;
const QUIET: u64 = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

/// The root that is being built, later the root that is in place.
#[derive(Default)]
pub struct Stage {
    root: Option<OwnedFd>,
}

impl Stage {
    pub fn root(&self) -> Result<BorrowedFd<'_>> {
        self.root.as_ref().map(AsFd::as_fd).ok_or(Errno::EINVAL)
    }

    pub fn perform(&mut self, op: InitOp) -> std::result::Result<(), Refusal> {
        if let InitOp::Rootfs { overlay } = op {
            overlay.mount().told(|| "mount overlay".into())?;
            let path = overlay.merged.as_bytes();
            let root = sys::openat2(sys::cwd(), path, libc::O_PATH | libc::O_DIRECTORY, 0, 0);
            self.root = Some(root.told(|| "open the root".into())?);
            return Ok(());
        }
        let root = self.root().told(|| "no root is mounted".into())?;
        match op {
            InitOp::Bind { host, subpath, target, read_only, recursive, propagation } => {
                bind(root, &host, &subpath, &target, read_only, recursive, &propagation)
                    .told(|| format!("bind {host} on {target}"))
            }
            InitOp::Tmpfs { target, options } => {
                tmpfs(root, &target, &options).told(|| format!("mount tmpfs on {target}"))
            }
            InitOp::Filesystem { kind, device, target, options } => filesystem(root, &kind, &device, &target, &options)
                .told(|| format!("mount {device} ({kind}) on {target}")),
            InitOp::Proc => proc(root).told(|| "mount proc on /proc".into()),
            InitOp::Sysfs { read_only } => sysfs(root, read_only).told(|| "mount sysfs on /sys".into()),
            InitOp::CgroupFs { read_only, v1, own_namespace } => {
                if own_namespace {
                    sys::unshare(libc::CLONE_NEWCGROUP).told(|| "unshare the cgroup namespace".into())?;
                }
                cgroups(root, read_only, &v1).told(|| "mount cgroup on /sys/fs/cgroup".into())
            }
            InitOp::Devpts => devpts(root).told(|| "mount devpts on /dev/pts".into()),
            InitOp::Mqueue => {
                put_new(root, "mqueue", &[], QUIET, "/dev/mqueue").told(|| "mount mqueue on /dev/mqueue".into())
            }
            InitOp::Shm { size } => put_new(root, "tmpfs", &["mode=1777", &format!("size={size}")], QUIET, "/dev/shm")
                .told(|| "mount tmpfs on /dev/shm".into()),
            InitOp::Device { path, kind, major, minor, mode, uid, gid, host } => {
                device(root, &path, kind, (major, minor), mode, (uid, gid), &host)
                    .told(|| format!("make device {path}"))
            }
            InitOp::DevLinks => dev_links(root).told(|| "make links in /dev".into()),
            InitOp::Mask { path } => mask(root, &path).told(|| format!("mask {path}")),
            InitOp::ReadonlyPath { path } => read_only_path(root, &path).told(|| format!("make {path} read-only")),
            InitOp::ReadonlyRoot => {
                sys::mount_setattr(root, MOUNT_ATTR_RDONLY, 0, 0, false).told(|| "make / read-only".into())
            }
            InitOp::Sysctl { name, value } => sysctl(root, &name, &value).told(|| format!("write sysctl {name}")),
            InitOp::WorkingDirectory { path } => in_root::make_folder(root, &path)
                .and_then(nix::unistd::fchdir)
                .told(|| format!("change to directory {path}")),
            other => Err(Refusal { errno: Errno::EINVAL, what: format!("unexpected operation {other:?}") }),
        }
    }

    /// Makes the stage the root of the process.
    pub fn pivot(&mut self) -> Result<()> {
        nix::unistd::fchdir(self.root()?)?;
        sys::pivot_root_here()?;
        self.root = Some(sys::openat2(sys::cwd(), b"/", libc::O_PATH | libc::O_DIRECTORY, 0, 0)?);
        Ok(())
    }
}

fn put_new(root: BorrowedFd<'_>, kind: &str, options: &[&str], attributes: u64, target: &str) -> Result<()> {
    let mount = sys::new_mount(kind, kind, options, attributes)?;
    sys::move_mount(mount, in_root::make_target(root, target, true)?)
}

fn bind(
    root: BorrowedFd<'_>,
    host: &str,
    subpath: &str,
    target: &str,
    read_only: bool,
    recursive: bool,
    propagation: &str,
) -> Result<()> {
    let mut source = sys::openat2(sys::cwd(), host.as_bytes(), libc::O_PATH, 0, 0)?;
    if !subpath.is_empty() {
        source = in_root::handle(&source, subpath, false)?;
    }
    let folder = sys::facts_at(&source, b"")?.is_dir();
    let mount = sys::open_tree(&source, recursive)?;
    if read_only {
        sys::mount_setattr(&mount, MOUNT_ATTR_RDONLY, 0, 0, recursive)?;
    }
    // The host's mounts are ours as slaves; private unless the user wants to see the host's later mounts.
    let spread = match propagation {
        "slave" | "rslave" | "shared" | "rshared" => 0,
        _ => libc::MS_PRIVATE,
    };
    if spread != 0 {
        sys::mount_setattr(&mount, 0, 0, spread, recursive)?;
    }
    sys::move_mount(&mount, in_root::make_target(root, target, folder)?)
}

/// Options as `mount -o` takes them: some are the mount's, the rest the file system's.
fn tmpfs(root: BorrowedFd<'_>, target: &str, options: &str) -> Result<()> {
    // Device files live in /dev; elsewhere they, programs and set-uid files are off unless asked for.
    let mut attributes = if target.trim_end_matches('/') == "/dev" { MOUNT_ATTR_NOSUID } else { QUIET };
    let mut own: Vec<String> = Vec::new();
    let mut has_mode = false;
    for option in options.split(',').filter(|o| !o.is_empty()) {
        match option {
            "ro" => attributes |= MOUNT_ATTR_RDONLY,
            "rw" | "defaults" | "strictatime" | "relatime" | "noatime" | "nodiratime" | "tmpcopyup" => {}
            "exec" => attributes &= !MOUNT_ATTR_NOEXEC,
            "noexec" => attributes |= MOUNT_ATTR_NOEXEC,
            "suid" => attributes &= !MOUNT_ATTR_NOSUID,
            "nosuid" => attributes |= MOUNT_ATTR_NOSUID,
            "dev" => attributes &= !MOUNT_ATTR_NODEV,
            "nodev" => attributes |= MOUNT_ATTR_NODEV,
            other => {
                has_mode |= other.starts_with("mode=");
                own.push(other.to_string());
            }
        }
    }
    // A folder of the image keeps its mode.
    if !has_mode && let Ok(there) = in_root::handle(root, target, false) {
        own.push(format!("mode={:o}", sys::facts_at(&there, b"")?.mode & 0o7777));
    }
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    put_new(root, "tmpfs", &own, attributes, target)
}

/// A volume's own file system: with no limits but those that its options ask for.
fn filesystem(root: BorrowedFd<'_>, kind: &str, device: &str, target: &str, options: &str) -> Result<()> {
    let mut attributes = 0;
    let mut own = Vec::new();
    for option in options.split(',').filter(|o| !o.is_empty()) {
        match option {
            "ro" => attributes |= MOUNT_ATTR_RDONLY,
            "noexec" => attributes |= MOUNT_ATTR_NOEXEC,
            "nosuid" => attributes |= MOUNT_ATTR_NOSUID,
            "nodev" => attributes |= MOUNT_ATTR_NODEV,
            "rw" | "exec" | "suid" | "dev" | "defaults" | "relatime" => {}
            other => own.push(other),
        }
    }
    let mount = sys::new_mount(kind, device, &own, attributes)?;
    sys::move_mount(mount, in_root::make_target(root, target, true)?)
}

/// A place for one of the kernel's own file systems: a real folder, not a link that an image put there.
fn kernel_place(root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd> {
    match in_root::handle(root, path, true) {
        Err(Errno::ENOENT) => in_root::make_target(root, path, true),
        Ok(fd) if sys::facts_at(&fd, b"")?.is_dir() => Ok(fd),
        Ok(_) => Err(Errno::ENOTDIR),
        Err(e) => Err(e),
    }
}

fn proc(root: BorrowedFd<'_>) -> Result<()> {
    let place = kernel_place(root, "/proc")?;
    match sys::new_mount("proc", "proc", &[], QUIET) {
        Ok(mount) => sys::move_mount(mount, place),
        // In a user namespace that shares the host's processes, only the host's /proc can be shown.
        Err(Errno::EPERM) => sys::move_mount(host_tree("/proc", false)?, place),
        Err(e) => Err(e),
    }
}

fn host_tree(path: &str, read_only: bool) -> Result<OwnedFd> {
    let source = sys::openat2(sys::cwd(), path.as_bytes(), libc::O_PATH, 0, 0)?;
    let mount = sys::open_tree(source, true)?;
    if read_only {
        sys::mount_setattr(&mount, MOUNT_ATTR_RDONLY, 0, 0, true)?;
    }
    Ok(mount)
}

fn sysfs(root: BorrowedFd<'_>, read_only: bool) -> Result<()> {
    let place = kernel_place(root, "/sys")?;
    let attributes = QUIET | if read_only { MOUNT_ATTR_RDONLY } else { 0 };
    match sys::new_mount("sysfs", "sysfs", &[], attributes) {
        Ok(mount) => sys::move_mount(mount, place),
        // Without a network namespace of our own sysfs can't be mounted in a user namespace.
        Err(Errno::EPERM) => sys::move_mount(host_tree("/sys", read_only)?, place),
        Err(e) => Err(e),
    }
}

/// Version 2: the one tree. Version 1: a small tmpfs with each controller's folder of this container.
fn cgroups(root: BorrowedFd<'_>, read_only: bool, v1: &[(String, String)]) -> Result<()> {
    const PLACE: &str = "/sys/fs/cgroup";
    let ro = if read_only { MOUNT_ATTR_RDONLY } else { 0 };
    if v1.is_empty() {
        return match sys::new_mount("cgroup2", "cgroup", &[], QUIET | ro) {
            Ok(mount) => sys::move_mount(mount, in_root::handle(root, PLACE, true)?),
            // No rights to it, or none there: a container without this folder works all the same.
            Err(Errno::EPERM | Errno::EBUSY | Errno::ENODEV) => Ok(()),
            Err(e) => Err(e),
        };
    }
    let place = match in_root::handle(root, PLACE, true) {
        Err(Errno::ENOENT) => return Ok(()),
        place => place?,
    };
    sys::move_mount(sys::new_mount("tmpfs", "cgroup", &["mode=755"], QUIET)?, place)?;
    let top = in_root::open(root, PLACE, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    for (controller, host) in v1 {
        sys::mkdir_at(&top, controller.as_bytes(), 0o755)?;
        let source = sys::openat2(sys::cwd(), host.as_bytes(), libc::O_PATH, 0, 0)?;
        let mount = sys::open_tree(source, false)?;
        sys::mount_setattr(&mount, QUIET | ro, 0, 0, false)?;
        sys::move_mount(mount, in_root::handle(&top, controller, true)?)?;
    }
    if read_only {
        sys::mount_setattr(&top, MOUNT_ATTR_RDONLY, 0, 0, false)?;
    }
    Ok(())
}

fn devpts(root: BorrowedFd<'_>) -> Result<()> {
    const OPTIONS: [&str; 4] = ["newinstance", "ptmxmode=0666", "mode=0620", "gid=5"];
    let attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    match put_new(root, "devpts", &OPTIONS, attributes, "/dev/pts") {
        // Group 5 does not exist in a user namespace of one user.
        Err(Errno::EINVAL) => put_new(root, "devpts", &OPTIONS[..3], attributes, "/dev/pts"),
        done => done,
    }
}

fn device(
    root: BorrowedFd<'_>,
    path: &str,
    kind: char,
    number: (u32, u32),
    mode: u32,
    owner: (u32, u32),
    host: &str,
) -> Result<()> {
    let (parent, name) = in_root::make_parent(root, path)?;
    let name = name.as_bytes();
    let file_type = if kind == 'b' { libc::S_IFBLK } else { libc::S_IFCHR };
    match sys::mknod_at(&parent, name, file_type | mode, number) {
        Ok(()) => {
            sys::set_owner_at(&parent, name, owner.0, owner.1)?;
            sys::set_mode_at(&parent, name, mode)
        }
        Err(Errno::EEXIST) => Ok(()),
        Err(Errno::EPERM) => {
            // No right to make devices: show the host's file, if it is the device that is meant.
            let source = sys::openat2(sys::cwd(), host.as_bytes(), libc::O_PATH, 0, 0)?;
            let facts = sys::facts_at(&source, b"")?;
            if facts.kind() != file_type || facts.rdev != number {
                return Err(Errno::ENODEV);
            }
            sys::move_mount(sys::open_tree(source, false)?, in_root::make_target(root, path, false)?)
        }
        Err(e) => Err(e),
    }
}

fn dev_links(root: BorrowedFd<'_>) -> Result<()> {
    let dev = in_root::make_folder(root, "/dev")?;
    for (target, name) in [
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
        ("/proc/kcore", "core"),
        ("pts/ptmx", "ptmx"),
    ] {
        match sys::symlink_at(target.as_bytes(), &dev, name.as_bytes()) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Shows the container's terminal as `/dev/console`.
pub fn bind_console(root: BorrowedFd<'_>, terminal: &OwnedFd) -> Result<()> {
    let place = in_root::make_target(root, "/dev/console", false)?;
    sys::move_mount(sys::open_tree(terminal, false)?, place)
}

/// Hides a path: an empty read-only folder over a folder, `/dev/null` over a file. Nothing there is fine.
fn mask(root: BorrowedFd<'_>, path: &str) -> Result<()> {
    let place = match in_root::handle(root, path, false) {
        Err(Errno::ENOENT) => return Ok(()),
        place => place?,
    };
    if sys::facts_at(&place, b"")?.is_dir() {
        let empty = sys::new_mount("tmpfs", "tmpfs", &["mode=755", "size=0k"], QUIET | MOUNT_ATTR_RDONLY)?;
        return sys::move_mount(empty, place);
    }
    let null = in_root::handle(root, "/dev/null", true)?;
    let facts = sys::facts_at(&null, b"")?;
    if facts.kind() != libc::S_IFCHR || facts.rdev != (1, 3) {
        return Err(Errno::ENODEV);
    }
    sys::move_mount(sys::open_tree(null, false)?, place)
}

fn read_only_path(root: BorrowedFd<'_>, path: &str) -> Result<()> {
    let place = match in_root::handle(root, path, false) {
        Err(Errno::ENOENT) => return Ok(()),
        place => place?,
    };
    let mount = sys::open_tree(&place, true)?;
    sys::mount_setattr(&mount, MOUNT_ATTR_RDONLY, 0, 0, true)?;
    sys::move_mount(mount, place)
}

fn sysctl(root: BorrowedFd<'_>, name: &str, value: &str) -> Result<()> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    let file = in_root::open(root, &path, libc::O_WRONLY, 0)?;
    if sys::file_system_of(&file)? != PROC_MAGIC {
        return Err(Errno::EPERM);
    }
    nix::unistd::write(&file, value.as_bytes()).map(drop)
}
