//! Layers, the snapshots that containers write to, and volumes.

use super::blobs::NewBlob;
use super::extract::{Extractor, Marks, list};
use super::glance::Glance;
use super::overlay::{Overlay, apart};
use super::pack::{self, Form};
use super::{Store, in_root, on_worker, tree_size};
use crate::sys::{self, Facts, OrFault};
use crate::world::LinuxWorld;
use cutaway_core::layer::{decompressed, read_tar};
use cutaway_core::name::{ChainId, DiffId, Digest};
use cutaway_core::world::acts::{
    CommitSnapshot, CommittedLayer, CreateVolume, ImportTree, MakeHostDirectory, PrepareSnapshot, RemoveLayer,
    RemoveSnapshot, RemoveVolume, SeedVolume, SnapshotKey, UnpackLayer,
};
use cutaway_core::world::{Change, ChangeKind, Fault, Performs};
use nix::errno::Errno;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

/// Hashes what is read through it.
struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(to)?;
        self.hash.update(&to[..n]);
        Ok(n)
    }
}

/// Opens a folder of ours.
fn open_folder(path: &Path) -> Result<OwnedFd, Fault> {
    use std::os::unix::ffi::OsStrExt;
    let flags = libc::O_RDONLY | libc::O_DIRECTORY;
    sys::openat2(sys::cwd(), path.as_os_str().as_bytes(), flags, 0, 0).or_fault(format!("open {}", path.display()))
}

impl Store {
    /// Unpacks a layer beside its place and renames it into it. Nothing is left where that fails.
    pub fn unpack_layer(&self, blob: &Digest, diff_id: &DiffId, chain: &ChainId) -> Result<(), Fault> {
        let place = self.layer(chain);
        if place.exists() {
            return Ok(());
        }
        let temporary = self.temporary();
        let result = self.unpack_into(&temporary, blob, diff_id).and_then(|()| {
            match fs::rename(&temporary, &place) {
                // Another process was faster; it is the same layer.
                Err(_) if place.exists() => Ok(()),
                done => done.or_fault(format!("rename to {}", place.display())),
            }
        });
        if temporary.exists() {
            let _ = self.discard(&temporary);
        }
        result
    }

    fn unpack_into(&self, folder: &Path, blob: &Digest, diff_id: &DiffId) -> Result<(), Fault> {
        let fs_folder = folder.join("fs");
        fs::create_dir_all(&fs_folder).or_fault(format!("mkdir {}", fs_folder.display()))?;
        let marks = if self.rootless { Marks::User } else { Marks::Trusted };
        let mut to = Extractor::new(open_folder(&fs_folder)?, marks, self.rootless);
        let what = format!("layer {}", blob.short());
        let file = File::open(self.blob(blob)).or_fault(format!("open blob {blob}"))?;
        let plain = decompressed(&what, BufReader::with_capacity(1 << 17, file))?;
        let mut source = Hashing { inner: plain, hash: Sha256::new() };
        read_tar(&what, BufReader::with_capacity(1 << 17, &mut source), |entry, contents| to.entry(entry, contents))?;
        let actual = Digest::finish(source.hash);
        if actual != *diff_id {
            return Err(Fault::Digest { expected: diff_id.to_string(), actual: actual.to_string() });
        }
        let size = to.finish()?;
        fs::write(folder.join("size"), size.to_string()).or_fault("write layer size")
    }

    pub fn layer_size(&self, chain: &ChainId) -> u64 {
        fs::read_to_string(self.layer(chain).join("size")).ok().and_then(|s| s.parse().ok()).unwrap_or(0)
    }

    pub fn prepare_snapshot(&self, key: &SnapshotKey, layers: &[ChainId]) -> Result<(), Fault> {
        let place = self.snapshot(key)?;
        let temporary = self.temporary();
        let make = || -> io::Result<()> {
            use std::os::unix::fs::PermissionsExt;
            fs::create_dir(&temporary)?;
            for name in ["upper", "work", "merged"] {
                fs::create_dir(temporary.join(name))?;
            }
            // The root of a container looks like its top layer's.
            let upper = temporary.join("upper");
            let top = layers.last().and_then(|c| sys::facts_of(&self.layer(c).join("fs")).ok());
            let mode = top.map_or(0o755, |f| f.mode & 0o7777);
            fs::set_permissions(&upper, fs::Permissions::from_mode(mode))?;
            if let Some(facts) = top {
                let _ = std::os::unix::fs::chown(&upper, Some(facts.uid), Some(facts.gid));
            }
            fs::write(temporary.join("layers"), serde_json::to_vec(layers)?)?;
            fs::rename(&temporary, &place)
        };
        let result = make();
        if result.is_err() {
            let _ = fs::remove_dir_all(&temporary);
        }
        result.or_fault(format!("make snapshot {}", place.display()))
    }

    /// Packs the changes; `None` where there are none.
    fn commit(
        &self,
        key: &SnapshotKey,
        parent: Option<&ChainId>,
        clamp: Option<u64>,
        stubs: &[String],
    ) -> Result<Option<CommittedLayer>, Fault> {
        let upper = open_folder(&self.snapshot(key)?.join("upper"))?;
        if list(&upper).or_fault("read upper")?.is_empty() {
            return Ok(None);
        }
        let blob = pack::pack(NewBlob::create(self)?, &upper, "", Form::Changes { clamp, stubs })?;
        let blob_size = blob.size;
        // Two blocks of zeros are an archive of nothing: only stubs were left out.
        if blob_size <= 1024 {
            return Ok(None);
        }
        let digest = blob.keep(None)?;
        let chain = Digest::chain(parent, &digest);
        self.unpack_layer(&digest, &digest, &chain)?;
        Ok(Some(CommittedLayer { diff_id: digest, chain, blob: digest, blob_size }))
    }

    /// What the writable layer changes: compared with what the layers below would show without it.
    pub fn changes(&self, key: &SnapshotKey) -> Result<Vec<Change>, Fault> {
        let overlay = self.overlay(key)?;
        let upper = open_folder(Path::new(&overlay.upper))?;
        let mut found = Vec::new();
        let mut lower = Vec::new();
        for path in &overlay.lower {
            lower.push(open_folder(Path::new(path))?);
        }
        compare(&upper, &lower, "", &mut found).or_fault("compare layers")?;
        found.sort();
        Ok(found)
    }
}

/// What the layers below show at a path: the top one first, whiteouts and opaque folders heeded.
fn below(layers: &[OwnedFd], path: &str) -> Option<Facts> {
    'layers: for layer in layers {
        let mut walked = String::new();
        let mut opaque = false;
        for part in path.trim_start_matches('/').split('/') {
            if !walked.is_empty() {
                walked.push('/');
            }
            walked.push_str(part);
            match sys::facts_at(layer, walked.as_bytes()) {
                Ok(facts) if facts.is_whiteout() => return None,
                Ok(facts) if walked.len() + 1 == path.len() => return Some(facts),
                Ok(facts) if !facts.is_dir() => return None,
                Ok(_) => {
                    let folder = sys::openat2(layer, walked.as_bytes(), libc::O_RDONLY, 0, sys::RESOLVE_BENEATH);
                    opaque |= folder.is_ok_and(|f| pack::is_opaque(&f));
                }
                Err(_) if opaque => return None,
                Err(_) => continue 'layers,
            }
        }
    }
    None
}

/// Adds what is changed below `prefix` (which is empty or begins with a slash); whether anything was.
fn compare(upper: &OwnedFd, lower: &[OwnedFd], prefix: &str, to: &mut Vec<Change>) -> nix::Result<bool> {
    let mut any = false;
    for (name, facts) in list(upper)? {
        let path = format!("{prefix}/{}", String::from_utf8_lossy(&name));
        let was = below(lower, &path);
        if facts.is_whiteout() {
            if was.is_some() {
                to.push(Change { path, kind: ChangeKind::Deleted });
                any = true;
            }
            continue;
        }
        let mut inside = false;
        if facts.is_dir() {
            let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW;
            let folder = sys::openat2(upper, &name, flags, 0, sys::RESOLVE_BENEATH)?;
            inside = compare(&folder, lower, &path, to)?;
        }
        let kind = match was {
            None => ChangeKind::Added,
            // A folder that was only copied up to reach what is in it, and then left alone.
            Some(was) if was.is_dir() && facts.is_dir() && !inside => {
                if was.mode == facts.mode && was.uid == facts.uid && was.gid == facts.gid && was.mtime == facts.mtime {
                    continue;
                }
                ChangeKind::Modified
            }
            Some(_) => ChangeKind::Modified,
        };
        to.push(Change { path, kind });
        any = true;
    }
    Ok(any)
}

/// A root to read or write: a running container's own view, or the layers put together for the moment.
pub enum View {
    Running(i32),
    Stopped(Overlay),
}

impl View {
    pub fn root(&self) -> Result<OwnedFd, Fault> {
        match self {
            View::Running(pid) => {
                let path = format!("/proc/{pid}/root");
                sys::openat2(sys::cwd(), path.as_bytes(), libc::O_PATH | libc::O_DIRECTORY, 0, 0)
                    .or_fault(format!("open {path}"))
            }
            View::Stopped(overlay) => overlay.detached().or_fault("mount overlay"),
        }
    }

    /// Without anything mounted on it.
    fn bare_root(&self) -> Result<OwnedFd, Fault> {
        let View::Running(pid) = *self else { return self.root() };
        let enter = move || {
            let namespace = sys::openat2(sys::cwd(), format!("/proc/{pid}/ns/mnt").as_bytes(), libc::O_RDONLY, 0, 0)?;
            sys::setns(namespace, libc::CLONE_NEWNS)?;
            let root = sys::openat2(sys::cwd(), b"/", libc::O_PATH | libc::O_DIRECTORY, 0, 0)?;
            sys::open_tree(root, false)
        };
        apart(enter).or_fault("open the container's root")
    }
}

impl LinuxWorld {
    pub(crate) fn view(&self, key: &SnapshotKey) -> Result<View, Fault> {
        match self.live_pid(&key.0) {
            Some(pid) => Ok(View::Running(pid)),
            None => Ok(View::Stopped(self.store.overlay(key)?)),
        }
    }

    pub(crate) async fn export(&self, key: &SnapshotKey, path: &str) -> Result<Vec<u8>, Fault> {
        let (view, path) = (self.view(key)?, path.to_string());
        on_worker(move || {
            let whole = path.trim_matches('/').is_empty();
            let root = if whole { view.bare_root()? } else { view.root()? };
            pack::pack_path(Vec::new(), root, &path)
        })
        .await
    }

    pub(crate) async fn read_inside(&self, key: &SnapshotKey, path: &str) -> Result<Vec<u8>, Fault> {
        let (view, path) = (self.view(key)?, path.to_string());
        if let View::Stopped(overlay) = &view {
            match overlay.glance(&path) {
                Glance::File(bytes) => return Ok(bytes),
                Glance::Missing => return Err(sys::fault(Errno::ENOENT, format!("open {path}"))),
                Glance::Unclear => {}
            }
        }
        on_worker(move || {
            let flags = libc::O_RDONLY | libc::O_NONBLOCK;
            let file = in_root::open(view.root()?, &path, flags, 0).or_fault(format!("open {path}"))?;
            let mut bytes = Vec::new();
            File::from(file).read_to_end(&mut bytes).or_fault(format!("read {path}"))?;
            Ok(bytes)
        })
        .await
    }

    pub(crate) async fn facts_inside(&self, key: &SnapshotKey, path: &str) -> Result<Option<Facts>, Fault> {
        let (view, path) = (self.view(key)?, path.to_string());
        on_worker(move || match in_root::handle(view.root()?, &path, false) {
            Ok(handle) => sys::facts_at(handle, b"").map(Some).or_fault(format!("stat {path}")),
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(None),
            Err(e) => Err(sys::fault(e, format!("stat {path}"))),
        })
        .await
    }
}

/// Unpacks an archive in memory below `folder`.
fn import(folder: OwnedFd, tar: &[u8], one_user: bool) -> Result<(), Fault> {
    let mut to = Extractor::new(folder, Marks::Plain, one_user);
    read_tar("archive", tar, |entry, contents| to.entry(entry, contents))?;
    to.finish().map(drop)
}

impl Performs<UnpackLayer> for LinuxWorld {
    async fn perform(&self, act: UnpackLayer) -> Result<(), Fault> {
        let store = self.store.clone();
        on_worker(move || store.unpack_layer(&act.blob, &act.diff_id, &act.chain)).await
    }
}

impl Performs<PrepareSnapshot> for LinuxWorld {
    async fn perform(&self, act: PrepareSnapshot) -> Result<(), Fault> {
        self.store.prepare_snapshot(&act.key, &act.layers)
    }
}

impl Performs<CommitSnapshot> for LinuxWorld {
    async fn perform(&self, act: CommitSnapshot) -> Result<Option<CommittedLayer>, Fault> {
        let store = self.store.clone();
        on_worker(move || store.commit(&act.key, act.parent.as_ref(), act.clamp, &act.stubs)).await
    }
}

impl Performs<RemoveSnapshot> for LinuxWorld {
    async fn perform(&self, act: RemoveSnapshot) -> Result<(), Fault> {
        let (store, path) = (self.store.clone(), self.store.snapshot(&act.key)?);
        on_worker(move || store.discard(&path)).await?;
        crate::world::container::state::forget_supervisor(&self.runtime, &act.key.0);
        // The generated files and the log of a container end with its writable layer.
        self.store.discard(&self.store.container(&act.key.0)?)
    }
}

impl Performs<RemoveLayer> for LinuxWorld {
    async fn perform(&self, act: RemoveLayer) -> Result<(), Fault> {
        let (store, path) = (self.store.clone(), self.store.layer(&act.chain));
        on_worker(move || store.discard(&path)).await
    }
}

impl Performs<ImportTree> for LinuxWorld {
    async fn perform(&self, act: ImportTree) -> Result<(), Fault> {
        let (view, one_user) = (self.view(&act.key)?, self.store.rootless);
        let (at, tar) = (act.at.clone(), act.tar.to_vec());
        on_worker(move || {
            let folder = in_root::make_folder(view.root()?, &at).or_fault(format!("mkdir {at}"))?;
            import(folder, &tar, one_user)
        })
        .await
    }
}

impl Performs<CreateVolume> for LinuxWorld {
    async fn perform(&self, act: CreateVolume) -> Result<(), Fault> {
        let path = self.store.volume(&act.name)?.join("_data");
        fs::create_dir_all(&path).or_fault(format!("mkdir {}", path.display()))
    }
}

impl Performs<SeedVolume> for LinuxWorld {
    async fn perform(&self, act: SeedVolume) -> Result<(), Fault> {
        let volume = self.store.volume(&act.name)?.join("_data");
        let (view, one_user) = (self.view(&act.key)?, self.store.rootless);
        on_worker(move || {
            let to = open_folder(&volume)?;
            if !list(&to).or_fault("read volume")?.is_empty() {
                return Ok(());
            }
            let at = match in_root::handle(view.root()?, &act.path, false) {
                Err(Errno::ENOENT) => return Ok(()),
                at => at.or_fault(format!("open {}", act.path))?,
            };
            if !sys::facts_at(&at, b"").or_fault("stat")?.is_dir() {
                return Ok(());
            }
            let tar = pack::pack(Vec::new(), &at, "", Form::View)?;
            import(to, &tar, one_user)
        })
        .await
    }
}

impl Performs<RemoveVolume> for LinuxWorld {
    async fn perform(&self, act: RemoveVolume) -> Result<(), Fault> {
        let (store, path) = (self.store.clone(), self.store.volume(&act.name)?);
        on_worker(move || store.discard(&path)).await
    }
}

impl Performs<MakeHostDirectory> for LinuxWorld {
    async fn perform(&self, act: MakeHostDirectory) -> Result<(), Fault> {
        fs::create_dir_all(&act.path).or_fault(format!("mkdir {}", act.path))
    }
}

impl Store {
    pub fn snapshot_size(&self, key: &SnapshotKey) -> u64 {
        self.snapshot(key).map_or(0, |p| tree_size(&p.join("upper")))
    }

    pub fn volume_size(&self, name: &str) -> u64 {
        self.volume(name).map_or(0, |p| tree_size(&p.join("_data")))
    }
}
