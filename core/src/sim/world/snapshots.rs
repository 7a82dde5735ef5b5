//! Acts on file systems: layers are trees, a snapshot is a union of them with an empty tree on top, a volume
//! is a folder of the host. Archives go in and out as real tars.

use super::{During, Kept, ROOT, SimWorld, Snapshot};
use crate::layer::{self, Entry, EntryKind, TarWriter, Whiteout};
use crate::name::Digest;
use crate::sim::kernel::{Machine, Overlay, Tree, TreeEntry, TreeKind};
use crate::world::acts::*;
use crate::world::{Fault, Performs};
use cutaway_userland::Errno;
use std::rc::Rc;
use std::time::Duration;

/// The form in which a tar's entry stands in a tree. Whiteouts are marks only in a layer.
fn to_tree(entry: &Entry, bytes: Vec<u8>, in_layer: bool) -> TreeEntry {
    let of = |path: String, kind: TreeKind| TreeEntry {
        path,
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        mtime: Duration::from_secs(entry.mtime),
        kind,
    };
    if in_layer {
        match Whiteout::of(&entry.path) {
            Some(Whiteout::Path(path)) => return of(path, TreeKind::Whiteout),
            Some(Whiteout::Opaque(path)) => {
                return TreeEntry { mode: 0o755, ..of(path, TreeKind::Directory { opaque: true }) };
            }
            None => {}
        }
    }
    let kind = match &entry.kind {
        EntryKind::File => TreeKind::File(Rc::new(bytes)),
        EntryKind::Directory => TreeKind::Directory { opaque: false },
        EntryKind::Symlink(to) => TreeKind::Symlink(to.clone()),
        EntryKind::Hardlink(to) => TreeKind::HardLink(to.clone()),
        EntryKind::CharDevice { major, minor } => TreeKind::CharDevice(*major, *minor),
        EntryKind::BlockDevice { major, minor } => TreeKind::BlockDevice(*major, *minor),
        EntryKind::Fifo => TreeKind::Fifo,
    };
    of(entry.path.clone(), kind)
}

/// Packs entries as a tar; modification times later than `clamp` (seconds) are set back to it.
pub fn to_tar(entries: &[TreeEntry], clamp: Option<u64>) -> Result<Vec<u8>, Fault> {
    let mut tar = TarWriter::new(Vec::new());
    for entry in entries {
        let empty = Rc::new(Vec::new());
        let (kind, bytes) = match &entry.kind {
            TreeKind::File(bytes) => (EntryKind::File, bytes),
            TreeKind::Directory { .. } => (EntryKind::Directory, &empty),
            TreeKind::Symlink(to) => (EntryKind::Symlink(to.clone()), &empty),
            TreeKind::HardLink(to) => (EntryKind::Hardlink(to.clone()), &empty),
            TreeKind::CharDevice(major, minor) => (EntryKind::CharDevice { major: *major, minor: *minor }, &empty),
            TreeKind::BlockDevice(major, minor) => (EntryKind::BlockDevice { major: *major, minor: *minor }, &empty),
            TreeKind::Fifo => (EntryKind::Fifo, &empty),
            TreeKind::Whiteout => {
                tar.whiteout(&entry.path)?;
                continue;
            }
            // An archive can't hold a socket; Docker leaves them out, too.
            TreeKind::Socket => continue,
        };
        let mtime = entry.mtime.as_secs();
        let mtime = clamp.map_or(mtime, |most| mtime.min(most));
        let head = Entry { uid: entry.uid, gid: entry.gid, mtime, ..Entry::of(&entry.path, kind, entry.mode) };
        tar.add_bytes(&head, bytes)?;
        if matches!(entry.kind, TreeKind::Directory { opaque: true }) {
            tar.opaque(&entry.path)?;
        }
    }
    tar.finish()
}

/// Reads a tar, plain or compressed, as entries of a tree.
pub fn from_tar(what: &str, bytes: &[u8], in_layer: bool) -> Result<Vec<TreeEntry>, Fault> {
    let mut all: Vec<TreeEntry> = Vec::new();
    for (entry, data) in layer::entries(what, bytes)? {
        let next = to_tree(&entry, data, in_layer);
        // The mark of an opaque folder comes as a file of its own: it keeps the folder's owner and mode.
        match (all.iter_mut().rev().find(|e| e.path == next.path), &next.kind) {
            (Some(folder), TreeKind::Directory { opaque: true })
                if matches!(folder.kind, TreeKind::Directory { .. }) =>
            {
                folder.kind = next.kind;
            }
            _ => all.push(next),
        }
    }
    Ok(all)
}

impl Performs<UnpackLayer> for SimWorld {
    async fn perform(&self, act: UnpackLayer) -> Result<(), Fault> {
        if self.layer(&act.chain).is_some() {
            return Ok(());
        }
        let blob = self.0.kept.borrow().blobs.get(&act.blob).cloned();
        let blob = blob.ok_or_else(|| Fault::errno(Errno::ENOENT, format!("open blob {}", act.blob)))?;
        let what = format!("layer {}", act.blob.short());
        let plain = layer::plain(&what, &blob)?;
        let actual = Digest::of(&plain);
        if actual != act.diff_id {
            return Err(Fault::Digest { expected: act.diff_id.to_string(), actual: actual.to_string() });
        }
        let tree = Tree::new(self.machine());
        tree.import(from_tar(&what, &plain, true)?).during(format!("unpack {what}"))?;
        self.0.kept.borrow_mut().layers.insert(act.chain, tree);
        Ok(())
    }
}

impl Performs<PrepareSnapshot> for SimWorld {
    async fn perform(&self, act: PrepareSnapshot) -> Result<(), Fault> {
        let missing = |chain: &Digest| Fault::errno(Errno::ENOENT, format!("open layer {}", chain.short()));
        let trees = act.layers.iter().map(|chain| self.layer(chain).ok_or_else(|| missing(chain)));
        let trees = trees.collect::<Result<Vec<Tree>, Fault>>()?;
        let overlay = Overlay::new(self.machine(), &trees, &Tree::new(self.machine()));
        let mut kept = self.0.kept.borrow_mut();
        if kept.snapshots.contains_key(&act.key) {
            return Err(Fault::errno(Errno::EEXIST, format!("make snapshot {}", act.key)));
        }
        kept.snapshots.insert(act.key, Snapshot { layers: act.layers, overlay });
        Ok(())
    }
}

/// Leaves out the empty files and folders among `stubs`.
fn without_stubs(entries: Vec<TreeEntry>, stubs: &[String]) -> Vec<TreeEntry> {
    let mut kept: Vec<TreeEntry> = Vec::new();
    // What is in a folder comes after it: backwards, a folder's contents have been decided upon.
    for entry in entries.into_iter().rev() {
        let below = format!("{}/", entry.path);
        let empty = match &entry.kind {
            TreeKind::File(bytes) => bytes.is_empty(),
            TreeKind::Directory { opaque } => !opaque && !kept.iter().any(|k| k.path.starts_with(&below)),
            _ => false,
        };
        if !(empty && stubs.contains(&entry.path)) {
            kept.push(entry);
        }
    }
    kept.reverse();
    kept
}

impl Performs<CommitSnapshot> for SimWorld {
    async fn perform(&self, act: CommitSnapshot) -> Result<Option<CommittedLayer>, Fault> {
        let upper = self.overlay(&act.key)?.upper();
        let entries = without_stubs(upper.entries(), &act.stubs);
        if entries.iter().all(|e| e.path.is_empty()) {
            return Ok(None);
        }
        let changed: Vec<TreeEntry> = entries.into_iter().filter(|e| !e.path.is_empty()).collect();
        let tar = to_tar(&changed, act.clamp)?;
        let diff_id = Digest::of(&tar);
        let chain = Digest::chain(act.parent.as_ref(), &diff_id);
        let size = tar.len() as u64;
        let tree = Tree::new(self.machine());
        tree.import(from_tar("committed layer", &tar, true)?).during("unpack committed layer")?;
        let mut kept = self.0.kept.borrow_mut();
        kept.blobs.insert(diff_id, tar.into());
        kept.layers.entry(chain).or_insert(tree);
        Ok(Some(CommittedLayer { diff_id, chain, blob: diff_id, blob_size: size }))
    }
}

impl Performs<RemoveSnapshot> for SimWorld {
    async fn perform(&self, act: RemoveSnapshot) -> Result<(), Fault> {
        let removed = {
            let mut kept = self.0.kept.borrow_mut();
            let Kept { snapshots, logs, .. } = &mut *kept;
            (snapshots.remove(&act.key), logs.remove(&act.key.0))
        };
        drop(removed);
        let _ = self.machine().remove_all(Machine::INIT, &SimWorld::folder(&act.key.0));
        let _ = self.machine().remove_all(Machine::INIT, &format!("{ROOT}/overlay2/{}", act.key));
        Ok(())
    }
}

impl Performs<RemoveLayer> for SimWorld {
    async fn perform(&self, act: RemoveLayer) -> Result<(), Fault> {
        let removed = self.0.kept.borrow_mut().layers.remove(&act.chain);
        drop(removed);
        Ok(())
    }
}

impl Performs<ImportTree> for SimWorld {
    async fn perform(&self, act: ImportTree) -> Result<(), Fault> {
        let entries = from_tar("archive", &act.tar, false)?;
        let what = format!("copy files to {}", act.at);
        match self.init(&act.key.0) {
            Ok(pid) => self.machine().import(pid, &act.at, entries).during(what),
            Err(_) => self.overlay(&act.key)?.import(&act.at, entries).during(what),
        }
    }
}

impl Performs<CreateVolume> for SimWorld {
    async fn perform(&self, act: CreateVolume) -> Result<(), Fault> {
        let path = volume_path(&act.name);
        self.machine().make_mount_point(Machine::INIT, &path, true).during(format!("mkdir {path}"))
    }
}

impl Performs<SeedVolume> for SimWorld {
    async fn perform(&self, act: SeedVolume) -> Result<(), Fault> {
        let path = volume_path(&act.name);
        let now = self.machine().export(Machine::INIT, &path).during(format!("read {path}"))?;
        let overlay = self.overlay(&act.key)?;
        if now.len() > 1 || overlay.kind(&act.path).ok().flatten().is_none() {
            return Ok(());
        }
        // Entry names begin with the last component of the path: the volume's own folder takes its place.
        let entries = overlay.entries(&act.path).during(format!("read {}", act.path))?;
        let base = act.path.trim_end_matches('/').rsplit('/').next().unwrap_or("").to_string();
        let inside = entries.into_iter().filter_map(|mut entry| {
            let rest = |p: &str| p.strip_prefix(&base).map(|r| r.trim_start_matches('/').to_string());
            entry.path = rest(&entry.path)?;
            if let TreeKind::HardLink(to) = &mut entry.kind {
                *to = rest(to)?;
            }
            Some(entry)
        });
        self.machine().import(Machine::INIT, &path, inside).during(format!("fill {path}"))
    }
}

impl Performs<RemoveVolume> for SimWorld {
    async fn perform(&self, act: RemoveVolume) -> Result<(), Fault> {
        let path = format!("{ROOT}/volumes/{}", act.name);
        match self.machine().remove_all(Machine::INIT, &path) {
            Err(errno) if errno != Errno::ENOENT => Err(Fault::errno(errno, format!("remove {path}"))),
            _ => Ok(()),
        }
    }
}

impl Performs<MakeHostDirectory> for SimWorld {
    async fn perform(&self, act: MakeHostDirectory) -> Result<(), Fault> {
        let what = format!("mkdir {}", act.path);
        self.machine().make_mount_point(Machine::INIT, &act.path, true).during(what)
    }
}

pub fn volume_path(name: &str) -> String {
    format!("{ROOT}/volumes/{name}/_data")
}
