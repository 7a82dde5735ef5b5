//! Writing an archive so that it depends on nothing but its entries: no names of users, no times of access,
//! whole seconds. What doesn't fit the plain header goes into a PAX header before it.

use super::entry::{Entry, EntryKind};
use crate::world::Fault;
use cutaway_userland::sorted::Arrange;
use std::io::{self, Read, Write};

/// The largest number that seven octal digits hold.
const LARGEST_ID: u32 = 0o7_777_777;

/// Writes entries one after the other. Give them sorted by path, parents first.
pub struct TarWriter<W: Write> {
    builder: tar::Builder<W>,
}

impl<W: Write> TarWriter<W> {
    pub fn new(to: W) -> TarWriter<W> {
        TarWriter { builder: tar::Builder::new(to) }
    }

    /// Adds an entry with its contents: exactly `entry.size` bytes for a file, else none are read.
    pub fn add(&mut self, entry: &Entry, contents: impl Read) -> Result<(), Fault> {
        self.write(entry, contents).map_err(|e| failed(&entry.path, &e))
    }

    /// Adds a file in memory; its size is that of the bytes.
    pub fn add_bytes(&mut self, entry: &Entry, bytes: &[u8]) -> Result<(), Fault> {
        self.add(&Entry { size: bytes.len() as u64, ..entry.clone() }, bytes)
    }

    /// Adds the mark that `path` of a lower layer is deleted.
    pub fn whiteout(&mut self, path: &str) -> Result<(), Fault> {
        self.add(&Entry::file(&super::Whiteout::name_for(path), 0o600, 0), io::empty())
    }

    /// Adds the mark that hides what lower layers have in the folder `path`.
    pub fn opaque(&mut self, path: &str) -> Result<(), Fault> {
        self.add(&Entry::file(&super::Whiteout::name_for_opaque(path), 0o600, 0), io::empty())
    }

    /// Writes the end mark and gives back what was written to.
    pub fn finish(self) -> Result<W, Fault> {
        self.builder.into_inner().map_err(|e| failed("", &e))
    }

    fn write(&mut self, entry: &Entry, contents: impl Read) -> io::Result<()> {
        let mut header = tar::Header::new_ustar();
        let mut more: Vec<(String, Vec<u8>)> = Vec::new();
        let mut name = entry.path.clone();
        if entry.is_directory() {
            name = if name.is_empty() { "./".to_string() } else { name + "/" };
        }
        if !name.is_ascii() || header.set_path(&name).is_err() {
            more.push(("path".into(), name.clone().into_bytes()));
            let short: Vec<u8> = name.bytes().filter(u8::is_ascii).take(100).collect();
            header.as_old_mut().name[..short.len()].copy_from_slice(&short);
        }
        let link = match &entry.kind {
            EntryKind::Symlink(to) | EntryKind::Hardlink(to) => to.as_str(),
            _ => "",
        };
        if link.len() > 100 || !link.is_ascii() {
            more.push(("linkpath".into(), link.as_bytes().to_vec()));
        } else {
            header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        }
        for (key, id) in [("uid", entry.uid), ("gid", entry.gid)] {
            let fits = if id > LARGEST_ID { 0 } else { u64::from(id) };
            if id > LARGEST_ID {
                more.push((key.into(), id.to_string().into_bytes()));
            }
            if key == "uid" { header.set_uid(fits) } else { header.set_gid(fits) }
        }
        for (name, value) in &entry.xattrs {
            more.push((format!("SCHILY.xattr.{name}"), value.clone()));
        }
        describe(&mut header, entry)?;
        more.arrange();
        if !more.is_empty() {
            self.builder.append_pax_extensions(more.iter().map(|(k, v)| (k.as_str(), v.as_slice())))?;
        }
        header.set_cksum();
        let size = if entry.kind == EntryKind::File { entry.size } else { 0 };
        let mut contents = Counted { inner: contents.take(size), seen: 0 };
        self.builder.append(&header, &mut contents)?;
        if contents.seen != size {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read"));
        }
        Ok(())
    }
}

fn describe(header: &mut tar::Header, entry: &Entry) -> io::Result<()> {
    let (kind, device) = match entry.kind {
        EntryKind::File => (tar::EntryType::Regular, None),
        EntryKind::Directory => (tar::EntryType::Directory, None),
        EntryKind::Symlink(_) => (tar::EntryType::Symlink, None),
        EntryKind::Hardlink(_) => (tar::EntryType::Link, None),
        EntryKind::CharDevice { major, minor } => (tar::EntryType::Char, Some((major, minor))),
        EntryKind::BlockDevice { major, minor } => (tar::EntryType::Block, Some((major, minor))),
        EntryKind::Fifo => (tar::EntryType::Fifo, None),
    };
    header.set_entry_type(kind);
    header.set_mode(entry.mode & 0o7777);
    header.set_mtime(entry.mtime);
    header.set_size(if entry.kind == EntryKind::File { entry.size } else { 0 });
    let (major, minor) = device.unwrap_or((0, 0));
    header.set_device_major(major)?;
    header.set_device_minor(minor)
}

fn failed(path: &str, error: &io::Error) -> Fault {
    Fault::Malformed { what: format!("writing {path:?} to an archive"), reason: error.to_string() }
}

struct Counted<R> {
    inner: R,
    seen: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(to)?;
        self.seen += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::super::entries;
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let long = "d/".repeat(80) + "name";
        let rows = [
            Entry::directory("", 0o755),
            Entry::directory("bin", 0o1777),
            Entry { uid: 1000, gid: 4_000_000_000, mtime: 1_700_000_000, ..Entry::file("bin/tool", 0o4755, 3) },
            Entry::file("grüße.txt", 0o644, 3),
            Entry::file(&long, 0o644, 3),
            Entry::of("link", EntryKind::Symlink(long.clone()), 0o777),
            Entry::of("hard", EntryKind::Hardlink("bin/tool".into()), 0o644),
            Entry::of("null", EntryKind::CharDevice { major: 1, minor: 3 }, 0o666),
            Entry::of("pipe", EntryKind::Fifo, 0o600),
            Entry {
                xattrs: vec![("security.capability".into(), vec![1, 0, 255]), ("user.a".into(), b"b".to_vec())],
                ..Entry::file("capable", 0o755, 3)
            },
        ];
        let write = || {
            let mut writer = TarWriter::new(Vec::new());
            for entry in &rows {
                writer.add(entry, &b"abc"[..]).unwrap();
            }
            writer.whiteout("bin/gone").unwrap();
            writer.opaque("bin").unwrap();
            writer.finish().unwrap()
        };
        let bytes = write();
        assert_eq!(bytes, write());
        let read = entries("test", &bytes).unwrap();
        for (entry, (back, data)) in rows.iter().zip(&read) {
            assert_eq!(entry, back);
            assert_eq!(data.len() as u64, entry.size);
        }
        let names: Vec<&str> = read[rows.len()..].iter().map(|(e, _)| e.path.as_str()).collect();
        assert_eq!(names, ["bin/.wh.gone", "bin/.wh..wh..opq"]);
    }

    #[test]
    fn a_file_that_shrinks_is_an_error() {
        let mut writer = TarWriter::new(Vec::new());
        assert!(writer.add(&Entry::file("a", 0o644, 10), &b"abc"[..]).is_err());
    }
}
