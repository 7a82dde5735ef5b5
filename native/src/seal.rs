//! Making this program safe to be seen from inside a container, and root where the user is not.
//!
//! Until a container's process has executed its own program it runs ours, and what it executes may be
//! `/proc/self/exe` again: a way to write to our file on the host (CVE-2019-5736). So commands that start
//! processes first execute themselves through a read-only mount that nobody else can reach, which takes half
//! a millisecond; a file that is open that way can't be opened for writing. Where mounts can't be made, a
//! sealed copy in memory does. An ordinary user first becomes root of a user namespace.

use crate::sys;
use crate::world::container::state::{self, State};
use crate::world::places::Places;
use nix::Result;
use nix::errno::Errno;
use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

fn is_sealed(program: &File) -> bool {
    if sys::on_read_only_mount(program) == Ok(true) {
        return true;
    }
    // SAFETY: F_GET_SEALS takes no argument; other files answer with an error.
    let seals = unsafe { libc::fcntl(program.as_raw_fd(), libc::F_GET_SEALS) };
    seals >= 0 && seals & libc::F_SEAL_WRITE != 0
}

/// Our program through a mount of its own that is read-only.
fn mounted(program: &File) -> Result<OwnedFd> {
    let mount = sys::open_tree(program, false)?;
    sys::mount_setattr(&mount, sys::MOUNT_ATTR_RDONLY, 0, 0, false)?;
    Ok(mount)
}

/// A copy of our program that nobody can change.
fn copied(program: &File) -> Result<OwnedFd> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name is a static string; the kernel makes a new descriptor.
    let copy = unsafe {
        let fd = Errno::result(libc::memfd_create(c"cutaway".as_ptr(), flags))?;
        OwnedFd::from_raw_fd(fd)
    };
    let mut to = File::from(copy);
    std::io::copy(&mut &*program, &mut to).map_err(|e| sys::errno_of(&e))?;
    let seals = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    // SAFETY: F_ADD_SEALS takes a number.
    Errno::result(unsafe { libc::fcntl(to.as_raw_fd(), libc::F_ADD_SEALS, seals) })?;
    // A descriptor open for writing keeps the file from being executed.
    let path = sys::fd_path(&to);
    sys::openat2(sys::cwd(), path.as_bytes(), libc::O_RDONLY, 0, 0)
}

/// Executes this program again, sealed, unless it is already. Returns only where it is, or why it can't be.
pub fn seal() -> Result<()> {
    let program = File::open("/proc/self/exe").map_err(|e| sys::errno_of(&e))?;
    if is_sealed(&program) {
        let _ = nix::sys::prctl::set_name(c"cutaway");
        return Ok(());
    }
    let sealed = mounted(&program).or_else(|_| copied(&program))?;
    let strings = |items: Vec<std::ffi::OsString>| -> Result<Vec<CString>> {
        items.iter().map(|s| sys::c_string(s.as_bytes())).collect()
    };
    let arguments = strings(std::env::args_os().collect())?;
    let environment = strings(
        std::env::vars_os()
            .map(|(name, value)| {
                let mut word = name;
                word.push("=");
                word.push(value);
                word
            })
            .collect(),
    )?;
    nix::unistd::fexecve(sealed.as_fd(), &arguments, &environment).map(|never| match never {})
}

/// Makes an ordinary user root of a user namespace, where mounts and containers can be made.
pub fn become_root_inside() -> Result<()> {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    if uid.is_root() {
        return Ok(());
    }
    // Containers that run are in one namespace: to reach them, it is that one.
    let namespaces = libc::CLONE_NEWUSER;
    let joined = supervisor().is_some_and(|s| sys::pidfd_open(s.pid).and_then(|fd| sys::setns(fd, namespaces)).is_ok());
    if joined {
        nix::unistd::setresgid(0.into(), 0.into(), 0.into())?;
        nix::unistd::setresuid(0.into(), 0.into(), 0.into())?;
        return sys::unshare(libc::CLONE_NEWNS);
    }
    sys::unshare(namespaces | libc::CLONE_NEWNS)?;
    let write = |path: &str, text: String| fs::write(path, text).map_err(|e| sys::errno_of(&e));
    write("/proc/self/setgroups", "deny".into())?;
    write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// A running container of this user.
fn supervisor() -> Option<State> {
    let runtime = Places::find().runtime;
    let entries = fs::read_dir(runtime.join("containers")).ok()?;
    let states = entries.flatten().filter_map(|e| state::read(&runtime, e.file_name().to_str()?));
    states.filter(State::alive).min_by_key(|s| s.started)
}
