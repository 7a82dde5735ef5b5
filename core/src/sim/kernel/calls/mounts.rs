//! Mounting: which file systems there are, what `mount(2)` does with its flags, and changing the root.

use crate::sim::kernel::cred::Cap;
use crate::sim::kernel::devpts::Devpts;
use crate::sim::kernel::proc::Proc;
use crate::sim::kernel::process::Process;
use crate::sim::kernel::state::Kernel;
use crate::sim::kernel::sysfs::{CgroupFs, Sysfs};
use crate::sim::kernel::vfs::memory::{MemNode, new_fs};
use crate::sim::kernel::vfs::mount::Mount;
use crate::sim::kernel::vfs::path::{Place, covered};
use crate::sim::kernel::vfs::pseudo::PseudoNode;
use crate::sim::kernel::vfs::union::Union;
use crate::sim::kernel::vfs::{AttrChange, NodeRef, cast_rc, same};
use cutaway_userland::Errno;
use cutaway_userland::os::{FileKind, MountFlags, Pid, Result};
use std::rc::Rc;

/// What `-o` says: `name=value` and single words.
struct Options<'a>(&'a str);

impl<'a> Options<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.split(',').find_map(|o| o.strip_prefix(name)?.strip_prefix('='))
    }

    fn number(&self, name: &str, radix: u32) -> Result<Option<u32>> {
        self.get(name).map(|v| u32::from_str_radix(v, radix).map_err(|_| Errno::EINVAL)).transpose()
    }
}

/// A size as tmpfs reads it: bytes, or with `k`, `m`, `g`, `%` of the memory.
fn size(text: &str, memory: u64) -> Result<u64> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = digits.parse().map_err(|_| Errno::EINVAL)?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "%" => return Ok(memory / 100 * number),
        _ => return Err(Errno::EINVAL),
    };
    number.checked_mul(factor).ok_or(Errno::EINVAL)
}

/// A file system to be mounted.
pub(crate) struct Filesystem {
    pub root: NodeRef,
    pub source: String,
    /// As /proc/mounts shows them after `rw,relatime`; may be empty.
    pub options: String,
}

impl Kernel {
    /// `mount(2)`.
    pub fn mount(
        &mut self,
        pid: Pid,
        source: &str,
        target: &str,
        kind: &str,
        flags: MountFlags,
        options: &str,
    ) -> Result<()> {
        self.filter(pid, "mount")?;
        if !self.process(pid)?.creds.can(Cap::SysAdmin) {
            return Err(Errno::EPERM);
        }
        let point = self.resolve(pid, target)?;
        if flags.remount {
            return self.remount(pid, &point, flags);
        }
        if flags.bind {
            let from = self.resolve(pid, source)?;
            return self.bind(pid, &from, point, flags);
        }
        // Changes of propagation: every mount here is private.
        if kind.is_empty() || kind == "none" && options.is_empty() && source == "none" {
            return Ok(());
        }
        let fs = self.make_filesystem(pid, source, kind, &Options(options))?;
        self.attach(pid, point, fs, "/", flags)
    }

    fn make_filesystem(&mut self, pid: Pid, source: &str, kind: &str, options: &Options) -> Result<Filesystem> {
        let now = self.now();
        let (root, shown): (NodeRef, String) = match kind {
            "tmpfs" | "ramfs" => {
                let limit = options.get("size").map(|s| size(s, self.config.memory)).transpose()?;
                let mode = options.number("mode", 8)?.unwrap_or(0o1777);
                let root = new_fs(self.new_fs("tmpfs", limit), now);
                let (uid, gid) = (options.number("uid", 10)?, options.number("gid", 10)?);
                root.change(AttrChange { mode: Some(mode), uid, gid, ..AttrChange::default() }, now);
                let mut words = Vec::new();
                words.extend(limit.map(|bytes| format!("size={}k", bytes / 1024)));
                words.extend(options.get("mode").map(|mode| format!("mode={mode}")));
                words.extend(uid.map(|uid| format!("uid={uid}")));
                words.extend(gid.map(|gid| format!("gid={gid}")));
                (root, words.join(","))
            }
            "mqueue" => {
                let root = new_fs(self.new_fs("mqueue", None), now);
                root.change(AttrChange { mode: Some(0o1777), ..AttrChange::default() }, now);
                (root, String::new())
            }
            "proc" => {
                let namespace = self.process(pid)?.ns.pid;
                let head = self.new_fs("proc", None);
                (PseudoNode::root(head, Rc::new(Proc { namespace }), now), String::new())
            }
            "sysfs" => {
                let net = self.process(pid)?.ns.net.clone();
                (PseudoNode::root(self.new_fs("sysfs", None), Rc::new(Sysfs { net }), now), String::new())
            }
            "cgroup" | "cgroup2" => {
                let root = self.process(pid)?.ns.cgroup_root;
                let head = self.new_fs("cgroup2", None);
                (PseudoNode::root(head, Rc::new(CgroupFs { root }), now), "nsdelegate,memory_recursiveprot".into())
            }
            "devpts" => {
                let gid = options.number("gid", 10)?.unwrap_or(5);
                let head = self.new_fs("devpts", None);
                let text = format!("gid={gid},mode=620,ptmxmode=666");
                (PseudoNode::root(head, Rc::new(Devpts::new(gid)), now), text)
            }
            "overlay" => return self.overlay_by_options(pid, source, options),
            "ext4" | "ext3" | "ext2" | "xfs" | "btrfs" | "vfat" | "iso9660" => {
                let place = self.resolve(pid, source)?;
                let block = place.node.kind() == FileKind::BlockDevice;
                return Err(if block { Errno::ENXIO } else { Errno::ENOTBLK });
            }
            _ => return Err(Errno::ENODEV),
        };
        Ok(Filesystem { root, source: source.to_string(), options: shown })
    }

    /// `mount -t overlay -o lowerdir=A:B,upperdir=C,workdir=D`.
    fn overlay_by_options(&mut self, pid: Pid, source: &str, options: &Options) -> Result<Filesystem> {
        let folder = |k: &Kernel, path: &str| -> Result<Rc<MemNode>> {
            let place = k.resolve(pid, path)?;
            cast_rc::<MemNode>(&place.node).filter(|n| n.is_dir()).ok_or(Errno::EINVAL)
        };
        let lowers = options.get("lowerdir").ok_or(Errno::EINVAL)?;
        let layers = lowers.split(':').map(|path| folder(self, path)).collect::<Result<Vec<_>>>()?;
        let upper = match options.get("upperdir") {
            Some(path) => {
                folder(self, options.get("workdir").ok_or(Errno::EINVAL)?)?;
                folder(self, path)?
            }
            None => return Err(Errno::EINVAL),
        };
        let head = self.new_fs("overlay", None);
        let union = Union::new(head, layers, upper, self.clock.clone());
        let text = options.0.split(',').filter(|o| o.contains('=')).collect::<Vec<_>>().join(",");
        Ok(Filesystem { root: union.root(), source: source.to_string(), options: text })
    }

    /// Puts a file system, or a part of one, at a place.
    pub fn attach(
        &mut self,
        pid: Pid,
        point: Rc<Place>,
        fs: Filesystem,
        root_path: &str,
        flags: MountFlags,
    ) -> Result<()> {
        let is_dir = |node: &NodeRef| node.kind() == FileKind::Directory;
        if is_dir(&fs.root) != is_dir(&point.node) {
            return Err(Errno::ENOTDIR);
        }
        let id = self.new_mount_id();
        let mount = Mount {
            id,
            parent: Some(point.mount),
            covers: Some((point.node.fs().dev, point.node.ino())),
            root: fs.root,
            root_path: root_path.to_string(),
            source: fs.source,
            flags: MountFlags { bind: false, remount: false, recursive: false, ..flags },
            options: fs.options,
            read_only_fs: false,
            point: Some(point),
        };
        self.process(pid)?.ns.mnt.borrow_mut().add(mount);
        Ok(())
    }

    /// Shows a place (of this mount namespace) at another one.
    pub fn bind(&mut self, pid: Pid, from: &Rc<Place>, point: Rc<Place>, flags: MountFlags) -> Result<()> {
        let table = self.process(pid)?.ns.mnt.clone();
        let source = table.borrow().get(from.mount).cloned().ok_or(Errno::EINVAL)?;
        // What stands on the source is shown too, where that was asked for. Read before the new mount is there.
        let below = if flags.recursive { table.borrow().children(from.mount) } else { Vec::new() };
        // Linux ignores MS_RDONLY and its like in the call that binds; runtimes remount, and mean this.
        let merged = MountFlags {
            no_suid: flags.no_suid || source.flags.no_suid,
            no_dev: flags.no_dev || source.flags.no_dev,
            no_exec: flags.no_exec || source.flags.no_exec,
            read_only: flags.read_only || source.flags.read_only,
            ..MountFlags::default()
        };
        let root_path = self.path_in_mount(from, &source);
        let fs = Filesystem { root: from.node.clone(), source: source.source.clone(), options: source.options.clone() };
        self.attach(pid, point.clone(), fs, &root_path, merged)?;
        let Some(new) = table.borrow().over(point.mount, &point.node).map(|m| m.id) else { return Ok(()) };
        for child in below {
            let Some(mount) = table.borrow().get(child).cloned() else { continue };
            let Some(at) = mount.point.clone().filter(|_| child != new) else { continue };
            let Some(names) = names_below(from, &at) else { continue };
            let Some(at) = self.descend(pid, new, &from.node, &point, &names) else { continue };
            let inner = Place { mount: child, node: mount.root.clone(), above: None, name: String::new() };
            self.bind(pid, &Rc::new(inner), at, flags)?;
        }
        Ok(())
    }

    /// The path of a place from the root of its file system.
    fn path_in_mount(&self, place: &Rc<Place>, mount: &Mount) -> String {
        let mut names = Vec::new();
        let mut at = Some(place.clone());
        while let Some(place) = at.filter(|p| p.mount == mount.id && !same(&p.node, &mount.root)) {
            names.push(place.name.clone());
            at = place.above.clone();
        }
        names.reverse();
        let below = names.join("/");
        match (mount.root_path.trim_end_matches('/'), below.as_str()) {
            ("", "") => "/".into(),
            (root, "") => root.into(),
            (root, below) => format!("{root}/{below}"),
        }
    }

    /// The place of some names below the root of a new mount.
    fn descend(&self, pid: Pid, mount: u32, root: &NodeRef, point: &Rc<Place>, names: &[String]) -> Option<Rc<Place>> {
        let table = self.process(pid).ok()?.ns.mnt.clone();
        let table = table.borrow();
        let first = Place { mount, node: root.clone(), above: point.above.clone(), name: point.name.clone() };
        let mut at = Rc::new(first);
        for name in names {
            let node = at.node.lookup(self, name).ok()?;
            let next = Place { mount: at.mount, node, above: Some(at.clone()), name: name.clone() };
            at = covered(&table, next);
        }
        Some(at)
    }

    fn remount(&mut self, pid: Pid, point: &Rc<Place>, flags: MountFlags) -> Result<()> {
        let table = self.process(pid)?.ns.mnt.clone();
        let mut table = table.borrow_mut();
        let mount = table.mounts.get_mut(&point.mount).ok_or(Errno::EINVAL)?;
        if !same(&mount.root, &point.node) {
            return Err(Errno::EINVAL);
        }
        mount.flags.read_only = flags.read_only;
        mount.flags.no_suid |= flags.no_suid;
        mount.flags.no_dev |= flags.no_dev;
        mount.flags.no_exec |= flags.no_exec;
        Ok(())
    }

    pub fn umount(&mut self, pid: Pid, target: &str, lazy: bool) -> Result<()> {
        self.filter(pid, "umount2")?;
        if !self.process(pid)?.creds.can(Cap::SysAdmin) {
            return Err(Errno::EPERM);
        }
        let place = self.resolve(pid, target)?;
        let table = self.process(pid)?.ns.mnt.clone();
        let (mounted, root) = {
            let table = table.borrow();
            let mount = table.get(place.mount).ok_or(Errno::EINVAL)?;
            (same(&mount.root, &place.node), table.root)
        };
        if !mounted {
            return Err(Errno::EINVAL);
        }
        let used = |p: &Process| {
            Rc::ptr_eq(&p.ns.mnt, &table)
                && (p.cwd.mount == place.mount
                    || p.fds.iter().any(|(_, f)| f.place.as_ref().is_some_and(|f| f.mount == place.mount)))
        };
        if place.mount == root || (!lazy && self.processes.values().filter(|p| !p.is_zombie()).any(used)) {
            return Err(Errno::EBUSY);
        }
        table.borrow_mut().unmount(place.mount, lazy)
    }

    /// Makes a mount the root of a process and of its mount namespace.
    pub fn pivot_root(&mut self, pid: Pid, new_root: &str) -> Result<()> {
        let place = self.resolve(pid, new_root)?;
        let process = self.process_mut(pid)?;
        let mut table = process.ns.mnt.borrow_mut();
        let mount = table.get(place.mount).ok_or(Errno::EINVAL)?;
        if !same(&mount.root, &place.node) {
            return Err(Errno::EINVAL);
        }
        table.pivot(place.mount)?;
        drop(table);
        let root = Rc::new(Place { mount: place.mount, node: place.node.clone(), above: None, name: String::new() });
        process.root = root.clone();
        process.cwd = root;
        Ok(())
    }
}

/// The names that lead from one place down to another, where that is below.
fn names_below(from: &Place, to: &Rc<Place>) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut at = to.clone();
    while !at.same(from) {
        names.push(at.name.clone());
        at = at.above.clone()?;
    }
    names.reverse();
    Some(names)
}
