//! Trees of files as archives: of a whole view (`cp`, `export`) or of a writable layer's changes (`commit`).

use super::extract::list;
use super::in_root;
use crate::sys::{self, Facts, OrFault};
use cutaway_core::layer::{Entry, EntryKind, TarWriter};
use cutaway_core::world::Fault;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

/// What is packed, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form<'a> {
    /// What a program would see. What is mounted on the tree shows as an empty folder or file.
    View,
    /// A writable layer's raw folder: overlay's marks become whiteouts; later times than `clamp` are set back,
    /// and the empty files and folders among `stubs` are left out.
    Changes { clamp: Option<u64>, stubs: &'a [String] },
}

struct Packer<'a, W: Write> {
    tar: TarWriter<W>,
    form: Form<'a>,
    /// Files with several names that have been packed: device and inode to the first name.
    names: BTreeMap<((u32, u32), u64), String>,
}

/// Packs the open folder or file `at` (an `O_PATH` handle will do) under the name `prefix`; empty for the root.
pub fn pack<W: Write>(to: W, at: &OwnedFd, prefix: &str, form: Form<'_>) -> Result<W, Fault> {
    let mut packer = Packer { tar: TarWriter::new(to), form, names: BTreeMap::new() };
    let facts = sys::facts_at(at, b"").or_fault(format!("stat {prefix}"))?;
    if facts.is_dir() {
        if !prefix.is_empty() || form == Form::View {
            let entry = packer.describe(prefix, &facts, EntryKind::Directory);
            packer.tar.add(&with_attributes(entry, at), io::empty())?;
        }
        let folder = sys::openat2(at, b".", libc::O_RDONLY | libc::O_DIRECTORY, 0, sys::RESOLVE_BENEATH)
            .or_fault(format!("open {prefix}"))?;
        packer.folder(&folder, prefix, facts.mount)?;
    } else {
        let again = sys::fd_path(at);
        packer.one(prefix, &facts, || File::open(&again), || sys::read_link_at(at, b"").map_err(io::Error::from))?;
    }
    packer.tar.finish()
}

/// Adds the extended attributes that belong to the contents.
fn with_attributes(mut entry: Entry, file: &OwnedFd) -> Entry {
    let path = sys::fd_path(file);
    for name in sys::list_xattr(&path).unwrap_or_default() {
        let ours = name.starts_with("user.overlay.") || name.starts_with("trusted.overlay.");
        if !ours && (name == "security.capability" || name.starts_with("user.")) {
            entry.xattrs.extend(sys::get_xattr(&path, &name).ok().map(|value| (name, value)));
        }
    }
    entry.xattrs.sort();
    entry
}

impl<W: Write> Packer<'_, W> {
    fn describe(&self, path: &str, facts: &Facts, kind: EntryKind) -> Entry {
        let mut mtime = u64::try_from(facts.mtime.0).unwrap_or(0);
        if let Form::Changes { clamp: Some(latest), .. } = self.form {
            mtime = mtime.min(latest);
        }
        Entry {
            mtime,
            uid: facts.uid,
            gid: facts.gid,
            size: if kind == EntryKind::File { facts.size } else { 0 },
            ..Entry::of(path, kind, facts.mode & 0o7777)
        }
    }

    fn folder(&mut self, folder: &OwnedFd, prefix: &str, mount: u64) -> Result<(), Fault> {
        for (raw, facts) in list(folder).or_fault(format!("read {prefix}"))? {
            let name = String::from_utf8_lossy(&raw).into_owned();
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            if self.form != Form::View && facts.is_whiteout() {
                self.tar.whiteout(&path)?;
                continue;
            }
            if self.is_stub(folder, &raw, &path, &facts) {
                continue;
            }
            let mounted = self.form == Form::View && facts.mount != mount;
            if facts.is_dir() {
                self.sub_folder(folder, &raw, &path, &facts, mounted)?;
            } else if mounted {
                let empty = Facts { size: 0, ..facts };
                let entry = self.describe(&path, &empty, EntryKind::File);
                self.tar.add(&entry, io::empty())?;
            } else {
                let open = || {
                    let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK;
                    sys::openat2(folder, &raw, flags, 0, sys::RESOLVE_BENEATH).map(File::from).map_err(io::Error::from)
                };
                let link = || sys::read_link_at(folder, &raw).map_err(io::Error::from);
                self.one(&path, &facts, open, link)?;
            }
        }
        Ok(())
    }

    /// Whether it is one of the stubs, and empty but for such.
    fn is_stub(&self, folder: &OwnedFd, raw: &[u8], path: &str, facts: &Facts) -> bool {
        let Form::Changes { stubs, .. } = self.form else { return false };
        if !stubs.iter().any(|stub| stub == path) {
            return false;
        }
        if !facts.is_dir() {
            return facts.kind() == libc::S_IFREG && facts.size == 0;
        }
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let Ok(inner) = sys::openat2(folder, raw, flags, 0, sys::RESOLVE_BENEATH) else { return false };
        let Ok(names) = list(&inner) else { return false };
        let inside = |raw: &[u8]| format!("{path}/{}", String::from_utf8_lossy(raw));
        !is_opaque(&inner) && names.iter().all(|(raw, facts)| self.is_stub(&inner, raw, &inside(raw), facts))
    }

    fn sub_folder(
        &mut self,
        folder: &OwnedFd,
        raw: &[u8],
        path: &str,
        facts: &Facts,
        mounted: bool,
    ) -> Result<(), Fault> {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let inner = sys::openat2(folder, raw, flags, 0, sys::RESOLVE_BENEATH).or_fault(format!("open {path}"))?;
        let entry = self.describe(path, facts, EntryKind::Directory);
        self.tar.add(&with_attributes(entry, &inner), io::empty())?;
        if self.form != Form::View && is_opaque(&inner) {
            self.tar.opaque(path)?;
        }
        if mounted { Ok(()) } else { self.folder(&inner, path, facts.mount) }
    }

    /// Packs anything but a folder.
    fn one(
        &mut self,
        path: &str,
        facts: &Facts,
        open: impl Fn() -> io::Result<File>,
        link: impl Fn() -> io::Result<Vec<u8>>,
    ) -> Result<(), Fault> {
        let node = (facts.dev, facts.ino);
        if facts.nlink > 1 && !facts.is_link() {
            if let Some(first) = self.names.get(&node) {
                let entry = self.describe(path, facts, EntryKind::Hardlink(first.clone()));
                return self.tar.add(&entry, io::empty());
            }
            self.names.insert(node, path.to_string());
        }
        let (major, minor) = facts.rdev;
        let kind = match facts.kind() {
            libc::S_IFREG => {
                let mut file = open().or_fault(format!("open {path}"))?;
                let entry = self.describe(path, facts, EntryKind::File);
                let handle = file.try_clone().or_fault(format!("open {path}"))?;
                return self.tar.add(&with_attributes(entry, &handle.into()), &mut file);
            }
            libc::S_IFLNK => {
                let target = link().or_fault(format!("read link {path}"))?;
                EntryKind::Symlink(String::from_utf8_lossy(&target).into_owned())
            }
            libc::S_IFIFO => EntryKind::Fifo,
            libc::S_IFCHR => EntryKind::CharDevice { major, minor },
            libc::S_IFBLK => EntryKind::BlockDevice { major, minor },
            // A socket is an end of a connection, not contents.
            _ => return Ok(()),
        };
        let entry = self.describe(path, facts, kind);
        self.tar.add(&entry, io::empty())
    }
}

/// Whether a folder of a writable layer hides the one below it.
pub fn is_opaque(folder: &OwnedFd) -> bool {
    let path = sys::fd_path(folder);
    ["trusted.overlay.opaque", "user.overlay.opaque"]
        .iter()
        .any(|name| sys::get_xattr(&path, name).is_ok_and(|v| v == b"y"))
}

/// Packs what is at `path` inside `root`, under its last component. A link at the end is packed as a link, unless the
/// path goes on with `/.`, which asks for what it leads to.
pub fn pack_path<W: Write>(to: W, root: impl AsFd, path: &str) -> Result<W, Fault> {
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or("");
    let name = if name == "." { "" } else { name };
    let at = in_root::handle(root, path, !path.ends_with("/.")).or_fault(format!("stat {path}"))?;
    pack(to, &at, name, Form::View)
}
