//! Paths to places: walking names through folders, links and mounts, never above the process's root.

use super::mount::{MountId, MountTable};
use super::{Jump, NodeRef, access, same};
use crate::sim::kernel::file::OpenFile;
use crate::sim::kernel::state::Kernel;
use cutaway_userland::Errno;
use cutaway_userland::os::{FileKind, Pid, Result};
use std::rc::Rc;

/// A node, and how it was come to: which mount, and which folder it is a name of.
#[derive(Clone)]
pub(crate) struct Place {
    pub mount: MountId,
    pub node: NodeRef,
    pub above: Option<Rc<Place>>,
    pub name: String,
}

impl Place {
    pub fn same(&self, other: &Place) -> bool {
        self.mount == other.mount && same(&self.node, &other.node)
    }
}

/// The end of a walk.
pub(crate) enum Found {
    Place(Rc<Place>),
    /// Nothing there, but its folder is.
    Missing {
        folder: Rc<Place>,
        name: String,
    },
    /// A link of /proc led to something that has no place.
    File(Rc<OpenFile>),
}

/// The last name of a path, in its folder.
pub(crate) struct Last {
    pub folder: Rc<Place>,
    pub name: String,
    /// The path ended in a slash: it means a folder.
    pub slash: bool,
}

const LINKS: u32 = 40;
const NAME: usize = 255;
const PATH: usize = 4096;

impl Kernel {
    /// Where the path leads, all links followed.
    pub fn resolve(&self, pid: Pid, path: &str) -> Result<Rc<Place>> {
        match self.walk(pid, path, true)? {
            Found::Place(place) => Ok(place),
            Found::Missing { .. } => Err(Errno::ENOENT),
            Found::File(file) => file.place.clone().ok_or(Errno::ENOENT),
        }
    }

    /// As [`Kernel::resolve`], but a link at the end is the answer itself.
    pub fn resolve_link(&self, pid: Pid, path: &str) -> Result<Rc<Place>> {
        match self.walk(pid, path, false)? {
            Found::Place(place) => Ok(place),
            Found::Missing { .. } => Err(Errno::ENOENT),
            Found::File(file) => file.place.clone().ok_or(Errno::ENOENT),
        }
    }

    /// Walks a path; `follow` says what to do with a link at its end.
    pub fn walk(&self, pid: Pid, path: &str, follow: bool) -> Result<Found> {
        let process = self.process(pid)?;
        let start = if path.starts_with('/') { &process.root } else { &process.cwd };
        let mut links = 0;
        self.walk_from(pid, start.clone(), path, follow, &mut links)
    }

    /// The folder of the last name of a path; `.` and `..` at the end give `EINVAL`-like answers to the caller.
    pub fn resolve_parent(&self, pid: Pid, path: &str) -> Result<Last> {
        let trimmed = path.trim_end_matches('/');
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        if trimmed.is_empty() {
            return Err(Errno::EEXIST);
        }
        let (above, name) =
            trimmed.rsplit_once('/').map_or((".", trimmed), |(a, n)| (if a.is_empty() { "/" } else { a }, n));
        if name.len() > NAME {
            return Err(Errno::ENAMETOOLONG);
        }
        let folder = self.resolve(pid, above)?;
        if folder.node.kind() != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        self.permit(pid, &folder, access::EXECUTE)?;
        Ok(Last { folder, name: name.to_string(), slash: path.len() != trimmed.len() })
    }

    fn walk_from(&self, pid: Pid, start: Rc<Place>, path: &str, follow: bool, links: &mut u32) -> Result<Found> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        if path.len() >= PATH {
            return Err(Errno::ENAMETOOLONG);
        }
        let process = self.process(pid)?;
        let table = process.ns.mnt.borrow();
        let mut at = start;
        let names: Vec<&str> = path.split('/').filter(|n| !n.is_empty()).collect();
        let must_be_folder = path.ends_with('/');
        for (index, name) in names.iter().enumerate() {
            if at.node.kind() != FileKind::Directory {
                return Err(Errno::ENOTDIR);
            }
            if name.len() > NAME {
                return Err(Errno::ENAMETOOLONG);
            }
            access::check(&process.creds, &at.node.attr(self), access::EXECUTE)?;
            let last = index + 1 == names.len();
            if *name == "." {
                continue;
            }
            if *name == ".." {
                at = above(&at, &process.root);
                continue;
            }
            let node = match at.node.lookup(self, name) {
                Ok(node) => node,
                Err(Errno::ENOENT) if last => {
                    return Ok(Found::Missing { folder: at, name: (*name).to_string() });
                }
                Err(errno) => return Err(errno),
            };
            let is_link = node.kind() == FileKind::Symlink;
            if is_link && (!last || follow || must_be_folder) {
                *links += 1;
                if *links > LINKS {
                    return Err(Errno::ELOOP);
                }
                let found = match node.jump(self) {
                    Some(jump) => match jump? {
                        Jump::Place(place) => Found::Place(place),
                        Jump::File(file) => Found::File(file),
                    },
                    None => {
                        let target = node.read_link(self)?;
                        let from = if target.starts_with('/') { process.root.clone() } else { at.clone() };
                        self.walk_from(pid, from, &target, true, links)?
                    }
                };
                match found {
                    Found::Place(place) => at = place,
                    other if last => return Ok(other),
                    Found::Missing { .. } => return Err(Errno::ENOENT),
                    Found::File(_) => return Err(Errno::ENOTDIR),
                }
                continue;
            }
            at = covered(&table, Place { mount: at.mount, node, above: Some(at.clone()), name: (*name).to_string() });
        }
        if must_be_folder && at.node.kind() != FileKind::Directory {
            return Err(Errno::ENOTDIR);
        }
        Ok(Found::Place(at))
    }

    /// Checks rights on a place with the process's ids: `EACCES`.
    pub fn permit(&self, pid: Pid, place: &Place, want: u32) -> Result<()> {
        access::check(&self.process(pid)?.creds, &place.node.attr(self), want)
    }

    /// Fails with `EROFS` where nothing can be written.
    pub fn writable(&self, pid: Pid, place: &Place) -> Result<()> {
        let process = self.process(pid)?;
        let table = process.ns.mnt.borrow();
        match table.get(place.mount) {
            Some(mount) if mount.read_only() => Err(Errno::EROFS),
            _ => Ok(()),
        }
    }

    /// The path of a place as a process sees it from its root. Outside of it: from the top of what is known.
    pub fn path_of(&self, place: &Rc<Place>, root: &Rc<Place>) -> String {
        let mut names = Vec::new();
        let mut at = place.clone();
        while !at.same(root) {
            let Some(above) = at.above.clone() else { break };
            names.push(self.name_in(&above, &at));
            at = above;
        }
        names.reverse();
        format!("/{}", names.join("/"))
    }

    /// The name of a place in its folder, also after it was renamed there.
    fn name_in(&self, folder: &Place, place: &Place) -> String {
        let is_it = |name: &str| folder.node.lookup(self, name).is_ok_and(|n| same(&n, &place.node));
        if place.node.fs().dev != folder.node.fs().dev || is_it(&place.name) {
            return place.name.clone();
        }
        let entries = folder.node.read_dir(self).unwrap_or_default();
        entries.iter().find(|e| is_it(&e.name)).map_or_else(|| place.name.clone(), |e| e.name.clone())
    }
}

/// The topmost mount over a place, or the place.
pub(crate) fn covered(table: &MountTable, place: Place) -> Rc<Place> {
    let mut place = place;
    while let Some(mount) = table.over(place.mount, &place.node) {
        place.mount = mount.id;
        place.node = mount.root.clone();
    }
    Rc::new(place)
}

/// The folder above, but never above the root.
fn above(at: &Rc<Place>, root: &Rc<Place>) -> Rc<Place> {
    if at.same(root) {
        return root.clone();
    }
    at.above.clone().unwrap_or_else(|| at.clone())
}
