//! Reading an archive: each entry is checked and handed on with its contents, in the archive's order.

use super::entry::{Entry, EntryKind, Guard, Place, hostile};
use crate::world::Fault;
use cutaway_userland::sorted::Arrange;
use std::io::{self, Read};

/// Longer names are refused: no file system could hold them.
const LONGEST_PATH: usize = 4096;
/// A sparse file stores no zeros, so a few bytes can claim any size: more than this is refused.
const LARGEST_SPARSE: u64 = 8 << 30;
const XATTR: &str = "SCHILY.xattr.";

/// Reads a plain tar to its end (what follows the last entry, too, so that a hash around `source` sees all
/// of it) and calls `each` with every entry and its contents. `what` names the archive in errors.
///
/// # Errors
/// [`Fault::Hostile`] for an entry that leads out of the root, [`Fault::Malformed`] for what is no tar or
/// ends too early, and whatever `each` fails with. Entries before that have been handed on.
pub fn read_tar<R: Read>(
    what: &str,
    source: R,
    mut each: impl FnMut(&Entry, &mut dyn Read) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let broken = |e: io::Error| malformed(what, &e);
    let mut archive = tar::Archive::new(source);
    let mut guard = Guard::default();
    for (number, raw) in (1..).zip(archive.entries().map_err(broken)?) {
        let mut raw = raw.map_err(broken)?;
        let place = Place { number, offset: raw.raw_header_position() };
        if let Some(entry) = check(&mut raw, &mut guard, place, what)? {
            let left = entry.size;
            each(&entry, &mut Contents { inner: &mut raw, left })?;
        }
    }
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(broken)?;
    Ok(())
}

/// All entries of a tar in memory (plain or compressed), with their contents.
pub fn entries(what: &str, bytes: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, Fault> {
    let mut all = Vec::new();
    read_tar(what, super::decompressed(what, bytes)?, |entry, contents| {
        let mut data = Vec::new();
        contents.read_to_end(&mut data).map_err(|e| malformed(what, &e))?;
        all.push((entry.clone(), data));
        Ok(())
    })?;
    Ok(all)
}

/// What an input error says of an archive.
pub(super) fn malformed(what: &str, error: &io::Error) -> Fault {
    // The tar library has no kind of its own for an archive that ends too early.
    let text = error.to_string();
    let early = error.kind() == io::ErrorKind::UnexpectedEof
        || ["failed to read entire block", "unexpected EOF during skip"].contains(&text.as_str());
    let reason = if early { "unexpected EOF".to_string() } else { text };
    Fault::Malformed { what: what.to_string(), reason }
}

/// A file's contents, which must be as long as its header says.
struct Contents<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Contents<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(to)?;
        if n == 0 && !to.is_empty() && self.left > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left = self.left.saturating_sub(n as u64);
        Ok(n)
    }
}

/// The checked form of an entry; `None` for one that is about the archive and not about a file.
fn check<R: Read>(
    raw: &mut tar::Entry<'_, R>,
    guard: &mut Guard,
    place: Place,
    what: &str,
) -> Result<Option<Entry>, Fault> {
    let name = text(&raw.path_bytes(), place)?;
    if name.len() > LONGEST_PATH {
        let start: String = name.chars().take(60).collect();
        return Err(hostile(&format!("{start}…"), "its path is longer than 4096 bytes", place));
    }
    if name.contains('\0') {
        return Err(hostile(&name, "its path has a zero byte in it", place));
    }
    let kind = raw.header().entry_type();
    if kind.is_pax_global_extensions() {
        return Ok(None);
    }
    let path = guard.path(&name, place)?;
    let link = match raw.link_name_bytes() {
        Some(bytes) => text(&bytes, place)?,
        None => String::new(),
    };
    let device = |number: io::Result<Option<u32>>| number.ok().flatten().unwrap_or(0);
    let (major, minor) = (device(raw.header().device_major()), device(raw.header().device_minor()));
    let kind = match kind {
        // An old tar marks a folder only by the slash at its end.
        tar::EntryType::Regular if name.ends_with('/') => EntryKind::Directory,
        tar::EntryType::Regular | tar::EntryType::Continuous => EntryKind::File,
        tar::EntryType::GNUSparse if raw.size() > LARGEST_SPARSE => {
            return Err(hostile(&name, &format!("it is a sparse file of {} bytes", raw.size()), place));
        }
        tar::EntryType::GNUSparse => EntryKind::File,
        tar::EntryType::Directory => EntryKind::Directory,
        tar::EntryType::Symlink => {
            guard.symlink(&name, &path, &link, place)?;
            EntryKind::Symlink(link)
        }
        tar::EntryType::Link => EntryKind::Hardlink(guard.hardlink(&name, &link, place)?),
        tar::EntryType::Char => EntryKind::CharDevice { major, minor },
        tar::EntryType::Block => EntryKind::BlockDevice { major, minor },
        tar::EntryType::Fifo => EntryKind::Fifo,
        other => {
            return Err(hostile(&name, &format!("its type {:?} is not known", char::from(other.as_byte())), place));
        }
    };
    if path.is_empty() && kind != EntryKind::Directory {
        return Err(hostile(&name, "it would replace the root", place));
    }
    if !matches!(kind, EntryKind::Symlink(_)) {
        guard.replaced(&path);
    }
    facts(raw, path, kind, place, what).map(Some)
}

/// The numbers of an entry, those of its extended header before those of the plain one.
fn facts<R: Read>(
    raw: &mut tar::Entry<'_, R>,
    path: String,
    kind: EntryKind,
    place: Place,
    what: &str,
) -> Result<Entry, Fault> {
    let broken = |e: io::Error| malformed(what, &e);
    let header = raw.header();
    let (uid, gid) = (header.uid().map_err(broken)?, header.gid().map_err(broken)?);
    let (mode, mut mtime) = (header.mode().map_err(broken)? & 0o7777, header.mtime().unwrap_or(0));
    let narrow =
        |id: u64| u32::try_from(id).map_err(|_| hostile(&path, &format!("its owner {id} is no user id"), place));
    let (uid, gid) = (narrow(uid)?, narrow(gid)?);
    let size = if kind == EntryKind::File { raw.size() } else { 0 };
    let mut xattrs = Vec::new();
    if let Some(extensions) = raw.pax_extensions().map_err(broken)? {
        for extension in extensions {
            let extension = extension.map_err(broken)?;
            let Ok(key) = extension.key() else { continue };
            if let Some(name) = key.strip_prefix(XATTR) {
                xattrs.push((name.to_string(), extension.value_bytes().to_vec()));
            } else if key == "mtime" {
                // Seconds with a fraction, negative before the epoch.
                let seconds = extension.value().ok().and_then(|v| v.split('.').next()?.parse::<i64>().ok());
                mtime = seconds.map_or(mtime, |s| u64::try_from(s).unwrap_or(0));
            }
        }
    }
    xattrs.arrange();
    Ok(Entry { path, kind, mode, uid, gid, mtime, size, xattrs })
}

fn text(bytes: &[u8], place: Place) -> Result<String, Fault> {
    std::str::from_utf8(bytes)
        .map(str::to_string)
        .map_err(|_| hostile(&String::from_utf8_lossy(bytes), "its name is not UTF-8", place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tar::EntryType;

    /// A tar of raw names, made without any of the checks that a library would do.
    fn tar_of(rows: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, link) in rows {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            let data = if *kind == EntryType::Regular && !name.ends_with('/') { "hello" } else { "" };
            header.set_size(data.len() as u64);
            header.set_uid(1);
            header.set_gid(2);
            header.set_mtime(3);
            header.set_cksum();
            builder.append(&header, data.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn names(rows: &[(&str, EntryType, &str)]) -> Result<Vec<String>, Fault> {
        let mut seen = Vec::new();
        read_tar("test", tar_of(rows).as_slice(), |entry, _| {
            seen.push(entry.path.clone());
            Ok(())
        })?;
        Ok(seen)
    }

    #[test]
    fn ordinary_archives() {
        use EntryType::{Directory, Link, Regular, Symlink};
        let rows = [
            ("./", Directory, ""),
            ("./bin/", Directory, ""),
            ("./bin/busybox", Regular, ""),
            ("bin/sh", Symlink, "/bin/busybox"),
            ("bin/ls", Symlink, "../bin/busybox"),
            ("bin/cat", Link, "./bin/busybox"),
            ("lib", Symlink, "usr/lib"),
            ("lib/x", Regular, ""),
            ("old/", Regular, ""),
        ];
        let expected = ["", "bin", "bin/busybox", "bin/sh", "bin/ls", "bin/cat", "lib", "lib/x", "old"];
        assert_eq!(names(&rows).unwrap(), expected);
        let all = entries("test", &tar_of(&rows)).unwrap();
        assert_eq!(all[2].1, b"hello");
        assert_eq!((all[2].0.uid, all[2].0.gid, all[2].0.mtime, all[2].0.size), (1, 2, 3, 5));
        assert_eq!(all[5].0.kind, EntryKind::Hardlink("bin/busybox".into()));
        assert_eq!(all[8].0.kind, EntryKind::Directory);
        // A folder may take the place of a link, and then it is safe to go through it.
        assert!(names(&[("a", Symlink, "/etc"), ("a", Directory, ""), ("a/b", Regular, "")]).is_ok());
    }

    #[test]
    fn hostile_archives_are_refused_by_name_and_place() {
        use EntryType::{Link, Regular, Symlink};
        for (rows, entry, reason) in [
            (vec![("../x", Regular, "")], "../x", "its path leaves the root by \"..\" (entry 1, at byte 0)"),
            (
                vec![("a", Regular, ""), ("a/../../x", Regular, "")],
                "a/../../x",
                "its path leaves the root by \"..\" (entry 2, at byte 1024)",
            ),
            (vec![("/etc/passwd", Regular, "")], "/etc/passwd", "its path is absolute (entry 1, at byte 0)"),
            (
                vec![("a", Symlink, "../../etc")],
                "a",
                "it is a symbolic link that leaves the root: \"../../etc\" (entry 1, at byte 0)",
            ),
            (
                vec![("d/a", Symlink, "../../etc")],
                "d/a",
                "it is a symbolic link that leaves the root: \"../../etc\" (entry 1, at byte 0)",
            ),
            (
                vec![("a", Symlink, "/etc"), ("a/passwd", Regular, "")],
                "a/passwd",
                "it leaves the root through the symbolic link \"a\" (entry 2, at byte 512)",
            ),
            (
                vec![("a", Symlink, "/"), ("b", Link, "a/etc/shadow")],
                "b",
                "it leaves the root through the symbolic link \"a\" (entry 2, at byte 512)",
            ),
            (
                vec![("a", Link, "/etc/shadow")],
                "a",
                "it is a hard link that leaves the root: \"/etc/shadow\" (entry 1, at byte 0)",
            ),
            (
                vec![("a", Link, "../shadow")],
                "a",
                "it is a hard link that leaves the root: \"../shadow\" (entry 1, at byte 0)",
            ),
            (vec![("a", Symlink, "")], "a", "it is a symbolic link to nothing (entry 1, at byte 0)"),
            (vec![("./", Symlink, "/etc")], "./", "it would replace the root (entry 1, at byte 0)"),
        ] {
            let expected = Fault::Hostile { entry: entry.into(), reason: reason.into() };
            assert_eq!(names(&rows), Err(expected), "{rows:?}");
        }
    }

    #[test]
    fn any_byte_may_be_wrong() {
        let rows =
            [("d/", EntryType::Directory, ""), ("d/a", EntryType::Regular, ""), ("l", EntryType::Symlink, "d/a")];
        let whole = tar_of(&rows);
        for at in 0..whole.len() {
            for byte in [0, b'/', b'9', 0xff] {
                let mut broken = whole.clone();
                broken[at] = byte;
                // With the sums put right, so that the change is looked at.
                let start = at / 512 * 512;
                let mut header = tar::Header::from_byte_slice(&broken[start..start + 512]).clone();
                header.set_cksum();
                broken[start..start + 512].copy_from_slice(header.as_bytes());
                if let Ok(all) = entries("test", &broken) {
                    assert!(all.iter().all(|(e, _)| !e.path.starts_with('/') && !e.path.split('/').any(|p| p == "..")));
                }
            }
            let _ = entries("test", &whole[..at]);
        }
    }

    #[test]
    fn broken_archives() {
        let whole = tar_of(&[("a", EntryType::Regular, "")]);
        let reason = |bytes: &[u8]| match entries("test", bytes) {
            Err(Fault::Malformed { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(b"new\n"), "unexpected EOF");
        assert_eq!(reason(&whole[..514]), "unexpected EOF");
        let mut flipped = whole.clone();
        flipped[100] ^= 1;
        assert_eq!(reason(&flipped), "archive header checksum mismatch");
        assert_eq!(reason(&[0x1f, 0x8b, 8, 0, 0, 0]), "unexpected EOF");
        assert!(entries("test", &[]).unwrap().is_empty());
    }
}
