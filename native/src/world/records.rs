//! The engine's memory on disk: one JSON file a record, in a folder for each kind.
//!
//! A file is written beside its place and renamed into it, so a reader sees the old or the new record and
//! never half of one, whatever is killed when. Writers keep each other out with one file lock, because
//! several `cutaway` processes work at once; readers need none.

use super::LinuxWorld;
use crate::sys::OrFault;
use cutaway_core::world::{Fault, Kind, Record, Records, Transaction};
use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The files of all records.
pub struct RecordFiles {
    folder: PathBuf,
    /// Whether this process is inside a transaction, and so holds the lock already.
    inside: Cell<bool>,
    next: Cell<u64>,
}

/// The longest file name that ext4 and most others take, less `.json`.
const LONGEST_NAME: usize = 240;

/// A key as a file name: letters, digits, `-`, `_` and inner dots stay, all else is `%XX`.
fn encode(key: &str) -> String {
    let mut name = String::new();
    for (i, b) in key.bytes().enumerate() {
        if b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || (b == b'.' && i > 0) {
            name.push(b as char);
        } else {
            name.push_str(&format!("%{b:02X}"));
        }
    }
    name
}

fn decode(name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((&b, tail)) = rest.split_first() {
        if b == b'%' {
            let hex = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(b);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

impl RecordFiles {
    /// Makes the folders where they are missing.
    pub fn open(folder: PathBuf) -> Result<RecordFiles, Fault> {
        if !folder.join(Kind::History.name()).is_dir() {
            for kind in Kind::ALL {
                let path = folder.join(kind.name());
                fs::create_dir_all(&path).or_fault(format!("mkdir {}", path.display()))?;
            }
        }
        Ok(RecordFiles { folder, inside: Cell::new(false), next: Cell::new(0) })
    }

    pub fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    pub fn kind_folder(&self, kind: Kind) -> PathBuf {
        self.folder.join(kind.name())
    }

    fn path(&self, kind: Kind, key: &str) -> Result<PathBuf, Fault> {
        let name = encode(key);
        if name.len() > LONGEST_NAME {
            let what = format!("store {} {key:.40}…", kind.name());
            return Err(Fault::errno(cutaway_userland::Errno::ENAMETOOLONG, what));
        }
        Ok(self.folder.join(kind.name()).join(name + ".json"))
    }

    fn lock(&self) -> Result<Option<Flock<File>>, Fault> {
        if self.inside.get() {
            return Ok(None);
        }
        let path = self.folder.join("lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .or_fault(format!("open {}", path.display()))?;
        Flock::lock(file, FlockArg::LockExclusive)
            .map(Some)
            .map_err(|(_, e)| crate::sys::fault(e, format!("lock {}", path.display())))
    }

    fn read(&self, kind: Kind, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        let path = self.path(kind, key)?;
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).or_fault(format!("read {}", path.display())),
        }
    }

    fn write(&self, kind: Kind, key: &str, bytes: &[u8]) -> Result<(), Fault> {
        let path = self.path(kind, key)?;
        let number = self.next.get();
        self.next.set(number + 1);
        let temporary = self.folder.join(format!(".tmp-{}-{number}", std::process::id()));
        let write = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, &path));
        if write.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        write.or_fault(format!("write {}", path.display()))
    }

    fn delete(&self, kind: Kind, key: &str) -> Result<bool, Fault> {
        let path = self.path(kind, key)?;
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e).or_fault(format!("remove {}", path.display())),
        }
    }

    fn keys(&self, kind: Kind) -> Result<Vec<String>, Fault> {
        let folder = self.kind_folder(kind);
        let entries = fs::read_dir(&folder).or_fault(format!("read {}", folder.display()))?;
        let mut keys: Vec<String> = entries
            .flatten()
            .filter_map(|e| e.file_name().to_str().and_then(|n| n.strip_suffix(".json")).and_then(decode))
            .collect();
        keys.sort();
        Ok(keys)
    }
}

fn malformed(kind: Kind, key: &str, error: &serde_json::Error) -> Fault {
    Fault::Malformed { what: format!("stored {} {key:?}", kind.name()), reason: error.to_string() }
}

impl Records for LinuxWorld {
    fn get<R: Record>(&self, key: &str) -> Result<Option<R>, Fault> {
        let Some(bytes) = self.records.read(R::KIND, key)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| malformed(R::KIND, key, &e))
    }

    fn put<R: Record>(&self, record: &R) -> Result<(), Fault> {
        let key = record.key();
        let bytes = serde_json::to_vec(record).map_err(|e| malformed(R::KIND, &key, &e))?;
        let _lock = self.records.lock()?;
        self.records.write(R::KIND, &key, &bytes)
    }

    fn remove<R: Record>(&self, key: &str) -> Result<bool, Fault> {
        let _lock = self.records.lock()?;
        self.records.delete(R::KIND, key)
    }

    fn keys(&self, kind: Kind) -> Result<Vec<String>, Fault> {
        self.records.keys(kind)
    }

    fn list<R: Record>(&self) -> Result<Vec<R>, Fault> {
        let mut all = Vec::new();
        for key in self.records.keys(R::KIND)? {
            // One that another process has just removed is not there any more.
            all.extend(self.get::<R>(&key)?);
        }
        Ok(all)
    }

    fn transact<T>(&self, change: impl FnOnce(&mut dyn Transaction) -> Result<T, Fault>) -> Result<T, Fault> {
        let _lock = self.records.lock()?;
        let was = self.records.inside.replace(true);
        let mut batch = Batch { files: &self.records, changes: BTreeMap::new() };
        let result = change(&mut batch).and_then(|value| batch.commit().map(|()| value));
        self.records.inside.set(was);
        result
    }
}

/// A transaction: its writes are held back until it has succeeded.
struct Batch<'a> {
    files: &'a RecordFiles,
    changes: BTreeMap<(Kind, String), Option<Value>>,
}

impl Batch<'_> {
    fn commit(&self) -> Result<(), Fault> {
        for ((kind, key), value) in &self.changes {
            match value {
                Some(value) => self.files.write(*kind, key, value.to_string().as_bytes())?,
                None => drop(self.files.delete(*kind, key)?),
            }
        }
        Ok(())
    }
}

impl Transaction for Batch<'_> {
    fn get_json(&self, kind: Kind, key: &str) -> Result<Option<Value>, Fault> {
        if let Some(changed) = self.changes.get(&(kind, key.to_string())) {
            return Ok(changed.clone());
        }
        let Some(bytes) = self.files.read(kind, key)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| malformed(kind, key, &e))
    }

    fn put_json(&mut self, kind: Kind, key: &str, value: Value) {
        self.changes.insert((kind, key.to_string()), Some(value));
    }

    fn remove_json(&mut self, kind: Kind, key: &str) {
        self.changes.insert((kind, key.to_string()), None);
    }

    fn keys(&self, kind: Kind) -> Result<Vec<String>, Fault> {
        let mut keys = self.files.keys(kind)?;
        for ((of, key), value) in &self.changes {
            if *of == kind {
                keys.retain(|k| k != key);
                if value.is_some() {
                    keys.push(key.clone());
                }
            }
        }
        keys.sort();
        Ok(keys)
    }
}

/// Writes a file of ours beside its place and renames it into it.
pub fn replace_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".tmp-{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let result = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_as_file_names_and_back() {
        for (key, name) in [
            ("abc-1_2.3", "abc-1_2.3"),
            ("docker.io/library/busybox:latest", "docker.io%2Flibrary%2Fbusybox%3Alatest"),
            ("..", "%2E."),
            ("", ""),
            ("größe", "gr%C3%B6%C3%9Fe"),
        ] {
            assert_eq!(encode(key), name);
            assert_eq!(decode(name).as_deref(), Some(key));
        }
        assert_eq!(decode("%zz"), None);
        assert_eq!(decode("%4"), None);
    }
}
