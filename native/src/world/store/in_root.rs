//! Paths inside a root file system, resolved by the kernel so that nothing leads out of it.
//!
//! A path of an image, a container or an archive is never joined to a path of the host. It is opened with
//! `openat2(RESOLVE_IN_ROOT)` from a descriptor of the root: `..` and absolute links end at that root, and
//! the magic links of `/proc` are refused.

use crate::sys;
use nix::Result;
use nix::errno::Errno;
use std::os::fd::{AsFd, OwnedFd};

const INSIDE: u64 = sys::RESOLVE_IN_ROOT | sys::RESOLVE_NO_MAGICLINKS;

/// A path without leading slashes, `.` and empty parts; `..` stays, the kernel keeps it inside.
fn relative(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    if parts.is_empty() { ".".into() } else { parts.join("/") }
}

/// Opens a path inside `root`.
pub fn open(root: impl AsFd, path: &str, flags: i32, mode: u32) -> Result<OwnedFd> {
    sys::openat2(root, relative(path).as_bytes(), flags, mode, INSIDE)
}

/// A handle on whatever is at the path; a link at its end is followed unless `no_follow`.
pub fn handle(root: impl AsFd, path: &str, no_follow: bool) -> Result<OwnedFd> {
    open(root, path, libc::O_PATH | if no_follow { libc::O_NOFOLLOW } else { 0 }, 0)
}

/// Opens the folder at `path`, making it and those above it where they are missing (owner root, mode 0755).
pub fn make_folder(root: impl AsFd, path: &str) -> Result<OwnedFd> {
    const FOLDER: i32 = libc::O_DIRECTORY | libc::O_RDONLY;
    let root = root.as_fd();
    let parts: Vec<String> = relative(path).split('/').map(str::to_string).collect();
    match open(root, path, FOLDER, 0) {
        Err(Errno::ENOENT) => {}
        done => return done,
    }
    let mut walked = String::new();
    for part in &parts {
        let parent = if walked.is_empty() { ".".to_string() } else { walked.clone() };
        if !walked.is_empty() {
            walked.push('/');
        }
        walked.push_str(part);
        match open(root, &walked, FOLDER, 0) {
            Ok(_) => continue,
            Err(Errno::ENOENT) => {}
            Err(e) => return Err(e),
        }
        // A link that leads to a folder that is not there: make what it names.
        let folder = open(root, &parent, FOLDER, 0)?;
        match sys::facts_at(&folder, part.as_bytes()) {
            Ok(facts) if facts.is_link() => {
                let target = sys::read_link_at(&folder, part.as_bytes())?;
                let target = String::from_utf8_lossy(&target).into_owned();
                let target = if target.starts_with('/') { target } else { format!("{parent}/{target}") };
                if target.matches('/').count() > 64 {
                    return Err(Errno::ELOOP);
                }
                make_folder_once(root, &target)?;
            }
            Ok(_) => return Err(Errno::ENOTDIR),
            Err(_) => match sys::mkdir_at(&folder, part.as_bytes(), 0o755) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(e) => return Err(e),
            },
        }
    }
    open(root, path, FOLDER, 0)
}

/// Makes the parts of a dangling link's target, without following further dangling links.
fn make_folder_once(root: impl AsFd, path: &str) -> Result<()> {
    let root = root.as_fd();
    let mut walked = String::from(".");
    for part in relative(path).split('/') {
        let folder = open(root, &walked, libc::O_DIRECTORY | libc::O_RDONLY, 0)?;
        match sys::mkdir_at(&folder, part.as_bytes(), 0o755) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(e) => return Err(e),
        }
        walked = format!("{walked}/{part}");
    }
    Ok(())
}

/// The folder that holds the last part of `path`, made where missing, and that last part.
pub fn make_parent(root: impl AsFd, path: &str) -> Result<(OwnedFd, String)> {
    let path = relative(path);
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
    Ok((make_folder(root, parent)?, name.to_string()))
}

/// A handle on a place to mount on: a folder or, for a file, an empty file, made where missing.
pub fn make_target(root: impl AsFd, path: &str, folder: bool) -> Result<OwnedFd> {
    let root = root.as_fd();
    match handle(root, path, false) {
        Err(Errno::ENOENT) => {}
        done => return done,
    }
    if folder {
        make_folder(root, path)?;
    } else {
        let (parent, name) = make_parent(root, path)?;
        // O_NOFOLLOW and O_EXCL: where the name is a dangling link, mounting there is refused.
        sys::openat2(&parent, name.as_bytes(), libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY, 0o755, INSIDE)?;
    }
    handle(root, path, false)
}

/// The contents of a file inside the folder `root` of the host.
pub fn read(root: &std::path::Path, path: &str) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let root = std::fs::File::open(root)?;
    let mut bytes = Vec::new();
    std::fs::File::from(open(root, path, libc::O_RDONLY | libc::O_NONBLOCK, 0)?).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn nothing_leads_out() {
        let dir = std::env::temp_dir().join(format!("cutaway-in-root-{}", std::process::id()));
        let outside = dir.join("outside");
        fs::create_dir_all(dir.join("root/a")).unwrap();
        fs::create_dir_all(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, dir.join("root/abs")).unwrap();
        std::os::unix::fs::symlink("../../../../outside", dir.join("root/a/up")).unwrap();
        std::os::unix::fs::symlink("/new/place", dir.join("root/dangling")).unwrap();
        let root = fs::File::open(dir.join("root")).unwrap();
        for (path, want) in
            [("/abs/x", Err(Errno::ENOENT)), ("a/up/x", Err(Errno::ENOENT)), ("../../a", Ok(())), ("/./a//", Ok(()))]
        {
            assert_eq!(handle(&root, path, false).map(drop), want, "{path}");
        }
        make_folder(&root, "/x/y/z").unwrap();
        assert!(dir.join("root/x/y/z").is_dir());
        make_folder(&root, "dangling/deep").unwrap();
        assert!(dir.join("root/new/place/deep").is_dir());
        make_folder(&root, "a/up/escaped").unwrap();
        assert!(!outside.join("escaped").exists());
        fs::remove_dir_all(dir).unwrap();
    }
}
