//! Copying whole trees into and out of any file system, by nodes: what layers, volumes and `cp` are made of.
//! No process is asked for its rights, and links never lead out of the root that is given.

use super::state::Kernel;
use super::tree::{TreeEntry, TreeKind};
use super::vfs::memory::MemNode;
use super::vfs::union::UnionNode;
use super::vfs::{AttrChange, NewNode, NodeRef, cast};
use cutaway_userland::Errno;
use cutaway_userland::os::{FileKind, Result};
use cutaway_userland::sorted::Arrange;
use cutaway_userland::sorted::Map as BTreeMap;
use std::rc::Rc;

const LINKS: u32 = 40;

/// The node at a path below a root, `..` and links confined to it.
pub(crate) fn lookup(k: &Kernel, root: &NodeRef, path: &str, follow: bool) -> Result<NodeRef> {
    let mut stack = vec![root.clone()];
    let mut links = 0;
    descend(k, &mut stack, path, follow, false, &mut links)?;
    Ok(stack.pop().unwrap_or_else(|| root.clone()))
}

/// Walks names from the top of the stack; with `make`, folders that are missing are made.
fn descend(k: &Kernel, stack: &mut Vec<NodeRef>, path: &str, follow: bool, make: bool, links: &mut u32) -> Result<()> {
    let names: Vec<&str> = path.split('/').filter(|n| !n.is_empty() && *n != ".").collect();
    for (index, name) in names.iter().enumerate() {
        if *name == ".." {
            if stack.len() > 1 {
                stack.pop();
            }
            continue;
        }
        let at = stack.last().ok_or(Errno::ENOENT)?.clone();
        let node = match at.lookup(k, name) {
            Err(Errno::ENOENT) if make => at.create(k, name, new_node(k, FileKind::Directory, 0o755))?,
            other => other?,
        };
        let last = index + 1 == names.len();
        if node.kind() == FileKind::Symlink && (!last || follow) {
            *links += 1;
            if *links > LINKS {
                return Err(Errno::ELOOP);
            }
            let target = node.read_link(k)?;
            if target.starts_with('/') {
                stack.truncate(1);
            }
            descend(k, stack, &target, true, make, links)?;
            continue;
        }
        stack.push(node);
    }
    Ok(())
}

fn new_node(k: &Kernel, kind: FileKind, mode: u32) -> NewNode {
    NewNode { kind, mode, uid: 0, gid: 0, rdev: (0, 0), target: String::new(), now: k.now() }
}

/// A regular file's contents.
pub(crate) fn contents(k: &Kernel, node: &NodeRef) -> Rc<Vec<u8>> {
    if let Some(node) = cast::<MemNode>(node) {
        return node.contents();
    }
    if let Some(node) = cast::<UnionNode>(node) {
        return node.contents();
    }
    Rc::new(node.read(k, 0, usize::MAX).unwrap_or_default())
}

/// A path and all below it, sorted. Entry paths begin with its last component, or with nothing for the root.
pub(crate) fn export(k: &Kernel, root: &NodeRef, path: &str) -> Result<Vec<TreeEntry>> {
    let node = lookup(k, root, path, false)?;
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name = if name == "." || name == ".." { "" } else { name };
    let mut entries = Vec::new();
    walk(k, &node, name.to_string(), &mut BTreeMap::new(), &mut entries)?;
    entries.arrange_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn walk(
    k: &Kernel,
    node: &NodeRef,
    path: String,
    seen: &mut BTreeMap<u64, String>,
    out: &mut Vec<TreeEntry>,
) -> Result<()> {
    let attr = node.attr(k);
    let first = if attr.nlink > 1 && attr.kind != FileKind::Directory { seen.get(&attr.ino).cloned() } else { None };
    let kind = match (attr.kind, first) {
        (_, Some(first)) => TreeKind::HardLink(first),
        (FileKind::Regular, _) => TreeKind::File(contents(k, node)),
        (FileKind::Directory, _) => TreeKind::Directory { opaque: false },
        (FileKind::Symlink, _) => TreeKind::Symlink(node.read_link(k)?),
        (FileKind::CharDevice, _) => TreeKind::CharDevice(attr.rdev.0, attr.rdev.1),
        (FileKind::BlockDevice, _) => TreeKind::BlockDevice(attr.rdev.0, attr.rdev.1),
        (FileKind::Fifo, _) => TreeKind::Fifo,
        (FileKind::Socket, _) => TreeKind::Socket,
    };
    seen.entry(attr.ino).or_insert_with(|| path.clone());
    out.push(TreeEntry { path: path.clone(), mode: attr.mode, uid: attr.uid, gid: attr.gid, mtime: attr.mtime, kind });
    if attr.kind != FileKind::Directory {
        return Ok(());
    }
    for entry in node.read_dir(k)? {
        let below = if path.is_empty() { entry.name.clone() } else { format!("{path}/{}", entry.name) };
        walk(k, &node.lookup(k, &entry.name)?, below, seen, out)?;
    }
    Ok(())
}

/// Adds entries below the folder `at`. Folders get their times last, so that what is put into them leaves none.
pub(crate) fn import(
    k: &mut Kernel,
    root: &NodeRef,
    at: &str,
    entries: impl IntoIterator<Item = TreeEntry>,
) -> Result<()> {
    let mut base = vec![root.clone()];
    descend(k, &mut base, at, true, true, &mut 0)?;
    let mut folders = Vec::new();
    for entry in entries {
        let is_dir = matches!(entry.kind, TreeKind::Directory { .. });
        let node = add(k, &base, &entry)?;
        let change = AttrChange {
            mode: Some(entry.mode),
            uid: Some(entry.uid),
            gid: Some(entry.gid),
            atime: Some(entry.mtime),
            mtime: Some(entry.mtime),
        };
        match node {
            Some(node) if is_dir => folders.push((node, change)),
            Some(node) => node.set_attr(k, change)?,
            None => {}
        }
    }
    for (node, change) in folders.into_iter().rev() {
        node.set_attr(k, change)?;
    }
    Ok(())
}

/// Makes one entry; `None` where it has no attributes of its own.
fn add(k: &mut Kernel, base: &[NodeRef], entry: &TreeEntry) -> Result<Option<NodeRef>> {
    let path = entry.path.trim_matches('/');
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut stack = base.to_vec();
    descend(k, &mut stack, above, true, true, &mut 0)?;
    let folder = stack.last().ok_or(Errno::ENOENT)?.clone();
    if name.is_empty() || name == "." {
        return Ok(Some(folder));
    }
    if name == ".." {
        return Err(Errno::EINVAL);
    }
    if folder.kind() != FileKind::Directory {
        return Err(Errno::ENOTDIR);
    }
    let is_dir = matches!(entry.kind, TreeKind::Directory { .. });
    if let Ok(old) = folder.lookup(k, name) {
        if is_dir {
            let target = match old.kind() {
                FileKind::Symlink => {
                    descend(k, &mut stack, name, true, false, &mut 0)?;
                    stack.last().ok_or(Errno::ENOENT)?.clone()
                }
                _ => old,
            };
            return if target.kind() == FileKind::Directory { Ok(Some(target)) } else { Err(Errno::ENOTDIR) };
        }
        if old.kind() == FileKind::Directory {
            return Err(Errno::EISDIR);
        }
        folder.unlink(k, name)?;
    }
    if let TreeKind::HardLink(target) = &entry.kind {
        let mut from = base.to_vec();
        descend(k, &mut from, target, false, false, &mut 0)?;
        let node = from.last().ok_or(Errno::ENOENT)?;
        folder.link(k, name, node)?;
        return Ok(None);
    }
    let mut new = new_node(k, entry.kind.file_kind(), entry.mode);
    match &entry.kind {
        TreeKind::Symlink(target) => new.target.clone_from(target),
        TreeKind::CharDevice(major, minor) | TreeKind::BlockDevice(major, minor) => new.rdev = (*major, *minor),
        TreeKind::Whiteout => return Ok(None),
        _ => {}
    }
    let node = folder.create(k, name, new)?;
    if let TreeKind::File(bytes) = &entry.kind {
        fill(k, &node, bytes)?;
    }
    Ok(Some(node))
}

/// Gives a new file its contents, shared where it can be.
fn fill(k: &mut Kernel, node: &NodeRef, bytes: &Rc<Vec<u8>>) -> Result<()> {
    if let Some(node) = cast::<MemNode>(node) {
        return node.set_contents(bytes.clone());
    }
    if let Some(node) = cast::<UnionNode>(node) {
        return node.set_contents(bytes.clone());
    }
    let mut offset = 0;
    while offset < bytes.len() {
        let count = node.write(k, offset as u64, &bytes[offset..])?;
        if count == 0 {
            return Err(Errno::EIO);
        }
        offset += count;
    }
    Ok(())
}
