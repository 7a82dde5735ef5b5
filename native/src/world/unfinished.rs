//! Which containers a process of the engine is at work on: a file for each, with the process's id and when it
//! started. Where that process is gone, its work is for others to finish or to undo, and so are its files.

use super::LinuxWorld;
use super::container::state::start_of;
use super::records::replace_file;
use crate::sys::OrFault;
use cutaway_core::world::Fault;
use std::fs;
use std::path::{Path, PathBuf};

/// This process, as others can tell whether it is still there.
pub fn own_mark() -> String {
    let own = std::process::id() as i32;
    format!("{own} {}", start_of(own).unwrap_or(0))
}

/// Whether the process of a mark is alive.
pub fn is_alive(mark: &str) -> bool {
    let Some((pid, started)) = mark.split_once(' ') else { return false };
    let started: Option<u64> = started.parse().ok();
    started.is_some() && pid.parse().ok().and_then(start_of) == started
}

impl LinuxWorld {
    fn unfinished_folder(&self) -> PathBuf {
        self.runtime.join("unfinished")
    }

    pub(super) fn note_work(&self, id: &str) -> Result<(), Fault> {
        super::store::plain_name(id)?;
        let path = self.unfinished_folder().join(id);
        let write = || replace_file(&path, own_mark().as_bytes());
        let made = write().or_else(|_| fs::create_dir_all(self.unfinished_folder()).and_then(|()| write()));
        made.or_fault(format!("write {}", path.display()))
    }

    pub(super) fn note_completed(&self, id: &str) {
        let _ = fs::remove_file(self.unfinished_folder().join(id));
    }

    /// Those whose processes are gone; ours from now on.
    pub(super) fn take_over(&self) -> Vec<String> {
        self.sweep();
        let entries = fs::read_dir(self.unfinished_folder()).into_iter().flatten().flatten();
        let names = entries.filter_map(|e| e.file_name().into_string().ok());
        let mut all: Vec<String> = names.filter(|name| !self.remove_half_written(name)).collect();
        all.retain(|id| {
            let mark = fs::read_to_string(self.unfinished_folder().join(id)).unwrap_or_default();
            !is_alive(&mark) && self.note_work(id).is_ok()
        });
        all.sort();
        all
    }

    /// A note that was never renamed into its place.
    fn remove_half_written(&self, name: &str) -> bool {
        let Some((_, pid)) = name.split_once(".tmp-") else { return false };
        if pid.parse().ok().and_then(start_of).is_none() {
            let _ = fs::remove_file(self.unfinished_folder().join(name));
        }
        true
    }

    /// Deletes files and folders that processes were making or deleting when they were killed.
    fn sweep(&self) {
        for folder in ["tmp", "trash"] {
            for path in orphans(&self.store.root.join(folder), "") {
                let _ = self.store.discard(&path);
            }
        }
        for path in orphans(&self.records.folder(), ".tmp-") {
            let _ = fs::remove_file(path);
        }
    }
}

/// What is named after processes that are gone: a prefix, a process id, a dash, anything.
fn orphans(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_orphan = |name: &str| {
        let pid = name.strip_prefix(prefix).and_then(|rest| rest.split_once('-')).and_then(|(pid, _)| pid.parse().ok());
        pid.is_some_and(|pid: i32| start_of(pid).is_none())
    };
    entries.filter(|e| e.file_name().to_str().is_some_and(is_orphan)).map(|e| e.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_tell_the_living() {
        assert!(is_alive(&own_mark()));
        let own = std::process::id();
        for mark in ["", "1", "x y", &format!("{own} 1"), "999999999 5"] {
            assert!(!is_alive(mark), "{mark}");
        }
    }

    #[test]
    fn orphans_are_named_after_the_dead() {
        let folder = std::env::temp_dir().join(format!("cutaway-orphans-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let alive = format!("{}-0", std::process::id());
        for name in [alive.as_str(), "999999999-3", "other", "lock"] {
            fs::write(folder.join(name), "").unwrap();
        }
        assert_eq!(orphans(&folder, ""), [folder.join("999999999-3")]);
        fs::remove_dir_all(&folder).unwrap();
    }
}
