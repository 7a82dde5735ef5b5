//! Our own unpacking of archives: each entry through descriptors inside the root, nothing by a host path.

use super::in_root;
use crate::sys::{self, OrFault};
use cutaway_core::layer::{Entry, EntryKind, Whiteout};
use cutaway_core::world::Fault;
use nix::errno::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

/// What whiteout names in an archive mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// Nothing: they are names like others (`docker cp`).
    Plain,
    /// A layer's, to be kept as overlay keeps them: attributes `trusted.overlay.*`.
    Trusted,
    /// The same as `user.overlay.*`.
    User,
}

/// Unpacks entries below one folder.
pub struct Extractor {
    root: OwnedFd,
    marks: Marks,
    /// Where owners can't be changed, because we are one user in a user namespace.
    one_user: bool,
    /// The folder of the last entry: the next is mostly in the same.
    last: Option<(String, OwnedFd)>,
    /// Folders whose modification times are set when all is in them.
    times: Vec<(String, u64)>,
    /// Bytes of files so far.
    pub size: u64,
}

impl Extractor {
    pub fn new(root: OwnedFd, marks: Marks, one_user: bool) -> Extractor {
        Extractor { root, marks, one_user, last: None, times: Vec::new(), size: 0 }
    }

    /// Unpacks one entry, replacing what is there (a folder onto a folder keeps what is in it).
    pub fn entry(&mut self, entry: &Entry, contents: &mut dyn Read) -> Result<(), Fault> {
        if self.marks != Marks::Plain
            && let Some(whiteout) = Whiteout::of(&entry.path)
        {
            return self.whiteout(&whiteout).or_fault(format!("unpack {}", entry.path));
        }
        self.write(entry, contents).map_err(|e| match e.raw_os_error() {
            Some(_) => sys::io_fault(&e, format!("unpack {}", entry.path)),
            None => Fault::Malformed { what: entry.path.clone(), reason: e.to_string() },
        })
    }

    /// Sets what can only be set at the end.
    pub fn finish(mut self) -> Result<u64, Fault> {
        while let Some((path, mtime)) = self.times.pop() {
            // A later entry may have taken the folder away.
            if let Ok(folder) = in_root::handle(&self.root, &path, true) {
                let _ = sys::set_mtime(&folder, mtime as i64, 0);
            }
        }
        Ok(self.size)
    }

    fn folder(&mut self, path: &str) -> nix::Result<&OwnedFd> {
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            self.last = Some((path.to_string(), in_root::make_folder(&self.root, path)?));
        }
        Ok(&self.last.as_ref().expect("just set").1)
    }

    fn whiteout(&mut self, whiteout: &Whiteout) -> nix::Result<()> {
        match whiteout {
            Whiteout::Path(path) => {
                let (parent, name) = split(path);
                let folder = self.folder(parent)?.try_clone().map_err(|e| sys::errno_of(&e))?;
                self.clear(&folder, name, path)?;
                sys::mknod_at(&folder, name.as_bytes(), libc::S_IFCHR, (0, 0))
            }
            Whiteout::Opaque(path) => {
                let name = if self.marks == Marks::User { "user.overlay.opaque" } else { "trusted.overlay.opaque" };
                let folder = in_root::make_folder(&self.root, path)?;
                sys::set_xattr(&sys::fd_path(&folder), name, b"y")
            }
        }
    }

    /// Removes what has the name, whatever it is.
    fn clear(&mut self, folder: impl AsFd, name: &str, path: &str) -> nix::Result<()> {
        match sys::unlink_at(&folder, name.as_bytes(), false) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(Errno::EISDIR | Errno::EPERM) => {
                let below = format!("{path}/");
                if self.last.as_ref().is_some_and(|(last, _)| last == path || last.starts_with(&below)) {
                    self.last = None;
                }
                remove_tree(&folder, name.as_bytes())
            }
            Err(e) => Err(e),
        }
    }

    fn write(&mut self, entry: &Entry, contents: &mut dyn Read) -> io::Result<()> {
        if entry.path.is_empty() {
            return self.attributes_of_root(entry);
        }
        let (parent, name) = split(&entry.path);
        let folder = self.folder(parent)?.try_clone()?;
        let raw = name.as_bytes();
        let kept = entry.is_directory() && sys::facts_at(&folder, raw).is_ok_and(|f| f.is_dir());
        if !kept {
            self.clear(&folder, name, &entry.path)?;
        }
        match &entry.kind {
            EntryKind::Directory => {
                if !kept {
                    sys::mkdir_at(&folder, raw, 0o700)?;
                }
                self.times.push((entry.path.clone(), entry.mtime));
            }
            EntryKind::File => {
                let flags = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY | libc::O_NOFOLLOW;
                let fd = sys::openat2(&folder, raw, flags, 0o600, sys::RESOLVE_BENEATH | sys::RESOLVE_NO_SYMLINKS)?;
                self.size += io::copy(contents, &mut File::from(fd))?;
            }
            EntryKind::Symlink(target) => sys::symlink_at(target.as_bytes(), &folder, raw)?,
            EntryKind::Hardlink(target) => {
                let (other, target) = split(target);
                let other = in_root::open(&self.root, other, libc::O_PATH | libc::O_DIRECTORY, 0)?;
                sys::link_at(other, target.as_bytes(), &folder, raw)?;
                return Ok(());
            }
            EntryKind::Fifo => sys::mknod_at(&folder, raw, libc::S_IFIFO | 0o600, (0, 0))?,
            EntryKind::CharDevice { major, minor } => {
                if !self.device(&folder, raw, libc::S_IFCHR, (*major, *minor))? {
                    return Ok(());
                }
            }
            EntryKind::BlockDevice { major, minor } => {
                if !self.device(&folder, raw, libc::S_IFBLK, (*major, *minor))? {
                    return Ok(());
                }
            }
        }
        self.attributes(&folder, name, entry)
    }

    /// Makes a device file; false where this user can't, as a container gets its devices otherwise anyway.
    fn device(&self, folder: &OwnedFd, name: &[u8], kind: u32, number: (u32, u32)) -> io::Result<bool> {
        match sys::mknod_at(folder, name, kind | 0o600, number) {
            Ok(()) => Ok(true),
            Err(Errno::EPERM) if self.one_user => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Owner first: a change of owner takes set-uid bits and capabilities away.
    fn attributes(&self, folder: &OwnedFd, name: &str, entry: &Entry) -> io::Result<()> {
        let raw = name.as_bytes();
        match sys::set_owner_at(folder, raw, entry.uid, entry.gid) {
            Err(Errno::EINVAL | Errno::EPERM) if self.one_user => {}
            done => done?,
        }
        if !matches!(entry.kind, EntryKind::Symlink(_)) {
            sys::set_mode_at(folder, raw, entry.mode)?;
            if !entry.xattrs.is_empty() {
                let handle = sys::openat2(folder, raw, libc::O_PATH | libc::O_NOFOLLOW, 0, sys::RESOLVE_BENEATH)?;
                self.extended(&handle, entry)?;
            }
        }
        if !entry.is_directory() {
            sys::set_mtime_at(folder, raw, entry.mtime as i64, 0)?;
        }
        Ok(())
    }

    fn extended(&self, handle: &OwnedFd, entry: &Entry) -> io::Result<()> {
        for (name, value) in &entry.xattrs {
            // Overlay's own marks in an archive could redirect folders: never taken over.
            if name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.") {
                continue;
            }
            match sys::set_xattr(&sys::fd_path(handle), name, value) {
                Ok(()) | Err(Errno::EOPNOTSUPP) => {}
                Err(Errno::EPERM) if self.one_user => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    fn attributes_of_root(&mut self, entry: &Entry) -> io::Result<()> {
        if entry.is_directory() {
            match nix::unistd::fchown(&self.root, Some(entry.uid.into()), Some(entry.gid.into())) {
                Err(Errno::EINVAL | Errno::EPERM) if self.one_user => {}
                done => done?,
            }
            nix::sys::stat::fchmod(&self.root, nix::sys::stat::Mode::from_bits_truncate(entry.mode))?;
            self.times.push((String::new(), entry.mtime));
        }
        Ok(())
    }
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Deletes a folder and all below it, by descriptors: a link in it is deleted, never followed.
pub fn remove_tree(folder: impl AsFd, name: &[u8]) -> nix::Result<()> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let inner = sys::openat2(&folder, name, flags, 0, sys::RESOLVE_BENEATH | sys::RESOLVE_NO_SYMLINKS)?;
    for (entry, facts) in list(&inner)? {
        if facts.is_dir() {
            remove_tree(&inner, &entry)?;
        } else {
            sys::unlink_at(&inner, &entry, false)?;
        }
    }
    sys::unlink_at(folder, name, true)
}

/// The entries of an open folder, sorted by name.
pub fn list(folder: &OwnedFd) -> nix::Result<Vec<(Vec<u8>, sys::Facts)>> {
    use std::os::unix::ffi::OsStringExt;
    let path = sys::fd_path(folder);
    let mut all = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|e| sys::errno_of(&e))? {
        let name = entry.map_err(|e| sys::errno_of(&e))?.file_name().into_vec();
        match sys::facts_at(folder, &name) {
            Ok(facts) => all.push((name, facts)),
            Err(Errno::ENOENT) => {}
            Err(e) => return Err(e),
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}
