//! Everything that is kept on disk besides records: blobs, layers, writable snapshots, volumes.
//!
//! Below the engine's folder: `blobs/sha256/…` by digest, `layers/<chainID>/fs` unpacked, `snapshots/<key>/`
//! with `upper` and `work`, `volumes/<name>/_data`, `containers/<id>/` with logs and generated files. What
//! is being made is in `tmp`, what is being deleted in `trash`, so that neither is ever seen half done.

pub mod agent;
pub mod blobs;
pub mod carried;
pub mod extract;
pub mod git;
pub mod glance;
pub mod http;
pub mod in_root;
pub mod overlay;
pub mod pack;
pub mod snapshots;

use crate::sys::{self, OrFault};
use cutaway_core::name::{ChainId, Digest};
use cutaway_core::world::Fault;
use cutaway_core::world::acts::SnapshotKey;
use overlay::Overlay;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The folders. Clones name the same ones; they can go to worker threads.
#[derive(Clone, Debug)]
pub struct Store {
    pub root: PathBuf,
    /// Whether we are root only in a user namespace.
    pub rootless: bool,
}

impl Store {
    /// Makes the folders where they are missing.
    pub fn open(root: PathBuf, rootless: bool) -> Result<Store, Fault> {
        use std::os::unix::fs::PermissionsExt;
        let store = Store { root, rootless };
        if !store.root.join("volumes").is_dir() {
            for folder in ["blobs/sha256", "layers", "snapshots", "containers", "tmp", "trash", "volumes"] {
                let path = store.root.join(folder);
                fs::create_dir_all(&path).or_fault(format!("mkdir {}", path.display()))?;
            }
            // Images hold set-uid programs: nobody else may reach them.
            let _ = fs::set_permissions(&store.root, fs::Permissions::from_mode(0o710));
        }
        Ok(store)
    }

    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    pub fn layer(&self, chain: &ChainId) -> PathBuf {
        self.root.join("layers").join(chain.hex())
    }

    pub fn snapshot(&self, key: &SnapshotKey) -> Result<PathBuf, Fault> {
        Ok(self.root.join("snapshots").join(plain_name(&key.0)?))
    }

    pub fn volume(&self, name: &str) -> Result<PathBuf, Fault> {
        Ok(self.root.join("volumes").join(plain_name(name)?))
    }

    pub fn container(&self, id: &str) -> Result<PathBuf, Fault> {
        Ok(self.root.join("containers").join(plain_name(id)?))
    }

    /// A name in `tmp` that nobody else uses.
    pub fn temporary(&self) -> PathBuf {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.root.join("tmp").join(format!("{}-{number}", std::process::id()))
    }

    /// How a snapshot's layers are put together.
    pub fn overlay(&self, key: &SnapshotKey) -> Result<Overlay, Fault> {
        let folder = self.snapshot(key)?;
        let listed = folder.join("layers");
        let bytes = fs::read(&listed).or_fault(format!("read {}", listed.display()))?;
        let chains: Vec<ChainId> = serde_json::from_slice(&bytes)
            .map_err(|e| Fault::Malformed { what: listed.display().to_string(), reason: e.to_string() })?;
        let text = |p: PathBuf| p.to_string_lossy().into_owned();
        Ok(Overlay {
            lower: chains.iter().rev().map(|c| text(self.layer(c).join("fs"))).collect(),
            upper: text(folder.join("upper")),
            work: text(folder.join("work")),
            merged: text(folder.join("merged")),
            passing: false,
            user_marks: self.rootless,
        })
    }

    /// Moves a folder out of sight at once, then deletes it. Succeeds where there is none.
    pub fn discard(&self, path: &Path) -> Result<(), Fault> {
        let name = self.temporary();
        let gone = self.root.join("trash").join(name.file_name().unwrap_or_default());
        match fs::rename(path, &gone) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e).or_fault(format!("remove {}", path.display())),
        }
        if fs::remove_dir_all(&gone).is_err() {
            open_up(&gone);
            fs::remove_dir_all(&gone).or_fault(format!("remove {}", gone.display()))?;
        }
        Ok(())
    }
}

/// Gives the owner back the right to empty folders, as overlay's work folder has no rights at all.
fn open_up(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            open_up(&entry.path());
        }
    }
}

/// A name that is one component of a path and nothing more.
pub fn plain_name(name: &str) -> Result<&str, Fault> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        let reason = "is not a plain name".to_string();
        return Err(Fault::Malformed { what: format!("{name:?}"), reason });
    }
    Ok(name)
}

/// Bytes of the files below a folder; other names of a file already counted don't count.
pub fn tree_size(path: &Path) -> u64 {
    fn add(folder: &Path, seen: &mut std::collections::BTreeSet<u64>) -> u64 {
        let mut sum = 0;
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(facts) = sys::facts_of(&entry.path()) else { continue };
            if facts.is_dir() {
                sum += add(&entry.path(), seen);
            } else if facts.is_file() && (facts.nlink == 1 || seen.insert(facts.ino)) {
                sum += facts.size;
            }
        }
        sum
    }
    add(path, &mut Default::default())
}

/// Runs heavy work on a worker thread.
pub async fn on_worker<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|e| Err(Fault::Malformed { what: "worker thread".into(), reason: e.to_string() }))
}
