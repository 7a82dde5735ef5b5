//! One entry of an archive, checked: its name stays below the root, and so does what it links to.

use crate::world::Fault;
use cutaway_userland::sorted::Set as BTreeSet;

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    File,
    Directory,
    /// Where it points, as it stands in the archive. An absolute target means inside the root.
    Symlink(String),
    /// The path of the other name: relative to the root, like [`Entry::path`].
    Hardlink(String),
    CharDevice {
        major: u32,
        minor: u32,
    },
    BlockDevice {
        major: u32,
        minor: u32,
    },
    Fifo,
}

/// A file's facts, as an archive tells them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Relative to the root, without `.`, `..` or a slash at either end; empty for the root itself.
    pub path: String,
    pub kind: EntryKind,
    /// The twelve permission bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds since the epoch.
    pub mtime: u64,
    /// Bytes of contents; 0 for anything but a file.
    pub size: u64,
    /// Extended attributes by name, as `security.capability`, sorted.
    pub xattrs: Vec<(String, Vec<u8>)>,
}

impl Entry {
    /// A file of root's with these bits and nothing special.
    pub fn file(path: &str, mode: u32, size: u64) -> Entry {
        Entry { size, ..Entry::of(path, EntryKind::File, mode) }
    }

    /// A folder of root's.
    pub fn directory(path: &str, mode: u32) -> Entry {
        Entry::of(path, EntryKind::Directory, mode)
    }

    /// An entry of root's, changed at the epoch.
    pub fn of(path: &str, kind: EntryKind, mode: u32) -> Entry {
        Entry { path: path.to_string(), kind, mode, uid: 0, gid: 0, mtime: 0, size: 0, xattrs: Vec::new() }
    }

    pub fn is_directory(&self) -> bool {
        self.kind == EntryKind::Directory
    }

    /// The path without its last component; `None` for the root.
    pub fn parent(&self) -> Option<&str> {
        parent_of(&self.path)
    }
}

/// The folder that a relative path is in: empty for the root's own children, `None` for the root.
pub(super) fn parent_of(path: &str) -> Option<&str> {
    if path.is_empty() {
        return None;
    }
    Some(path.rfind('/').map_or("", |i| &path[..i]))
}

/// Where an entry stands in its archive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Counts from 1.
    pub number: u64,
    /// Of its header, in the uncompressed archive.
    pub offset: u64,
}

/// Watches the entries of one archive go by and refuses those that lead out of the root.
#[derive(Default)]
pub(super) struct Guard {
    /// Symbolic links of this archive whose target is absolute: nothing may be unpacked through them.
    outward: BTreeSet<String>,
}

impl Guard {
    /// The entry's path, made relative and plain. A leading `./` and a slash at the end are ordinary.
    pub fn path(&self, raw: &str, place: Place) -> Result<String, Fault> {
        if raw.starts_with('/') {
            return Err(hostile(raw, "its path is absolute", place));
        }
        let path = plain_path(raw).ok_or_else(|| hostile(raw, "its path leaves the root by \"..\"", place))?;
        self.not_through_link(raw, &path, place)?;
        Ok(path)
    }

    /// Checks a symbolic link at `path`, and remembers it.
    pub fn symlink(&mut self, raw: &str, path: &str, target: &str, place: Place) -> Result<(), Fault> {
        if target.is_empty() {
            return Err(hostile(raw, "it is a symbolic link to nothing", place));
        }
        if target.starts_with('/') {
            self.outward.insert(path.to_string());
            return Ok(());
        }
        let from = format!("{}/{target}", parent_of(path).unwrap_or(""));
        if depth_stays_inside(&from) {
            self.outward.remove(path);
            return Ok(());
        }
        Err(hostile(raw, &format!("it is a symbolic link that leaves the root: {target:?}"), place))
    }

    /// The path that a hard link names.
    pub fn hardlink(&self, raw: &str, target: &str, place: Place) -> Result<String, Fault> {
        // Docker's own layers name the target from the root, and some tools put a slash in front.
        let refuse = || hostile(raw, &format!("it is a hard link that leaves the root: {target:?}"), place);
        if target.starts_with('/') {
            return Err(refuse());
        }
        let path = plain_path(target).ok_or_else(refuse)?;
        if path.is_empty() {
            return Err(refuse());
        }
        self.not_through_link(raw, &path, place)?;
        Ok(path)
    }

    /// A file or folder has taken the place of what was at `path` before.
    pub fn replaced(&mut self, path: &str) {
        self.outward.remove(path);
    }

    fn not_through_link(&self, raw: &str, path: &str, place: Place) -> Result<(), Fault> {
        let mut at = path;
        while let Some(parent) = parent_of(at) {
            if self.outward.contains(parent) {
                return Err(hostile(raw, &format!("it leaves the root through the symbolic link {parent:?}"), place));
            }
            at = parent;
        }
        Ok(())
    }
}

pub(super) fn hostile(entry: &str, reason: &str, place: Place) -> Fault {
    Fault::Hostile {
        entry: entry.to_string(),
        reason: format!("{reason} (entry {}, at byte {})", place.number, place.offset),
    }
}

/// Without empty components and `.`; `None` where `..` is among them.
fn plain_path(raw: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in raw.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Whether walking the components never goes above where it began.
fn depth_stays_inside(path: &str) -> bool {
    let mut depth = 0i64;
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return false;
        }
    }
    true
}
