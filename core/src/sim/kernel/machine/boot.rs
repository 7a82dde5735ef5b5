//! Starting the machine: a root disk with the folders that every Linux has, the made-up file systems, and the
//! first process.

use super::site::Site;
use super::{Machine, MachineConfig, Shared};
use crate::sim::kernel::cgroup::CgroupId;
use crate::sim::kernel::devices::STANDARD;
use crate::sim::kernel::namespace::{Ipc, Namespaces, Uts};
use crate::sim::kernel::state::Kernel;
use crate::sim::kernel::vfs::memory::new_fs;
use crate::sim::kernel::vfs::mount::{Mount, MountTable};
use crate::sim::kernel::vfs::path::Place;
use cutaway_userland::os::{FileKind, MountFlags, Result};
use cutaway_userland::sorted::Map as BTreeMap;
use std::cell::RefCell;
use std::rc::Rc;

/// What is mounted from the beginning: source, target, kind, options.
const MOUNTS: [(&str, &str, &str, &str); 9] = [
    ("proc", "/proc", "proc", ""),
    ("sysfs", "/sys", "sysfs", ""),
    ("cgroup2", "/sys/fs/cgroup", "cgroup2", ""),
    ("udev", "/dev", "tmpfs", "mode=755"),
    ("devpts", "/dev/pts", "devpts", "gid=5"),
    ("tmpfs", "/dev/shm", "tmpfs", "mode=1777"),
    ("mqueue", "/dev/mqueue", "mqueue", ""),
    ("tmpfs", "/run", "tmpfs", "mode=755"),
    ("tmpfs", "/tmp", "tmpfs", "mode=1777"),
];

pub(super) fn boot(config: MachineConfig, site: Rc<Site>) -> Machine {
    let home = site.add_network();
    let mut kernel = Kernel::new(config, site.executor.clock(), home.clone(), site.namespaces.clone());
    let disk = kernel.new_fs("ext4", Some(40 << 30));
    let root = new_fs(disk, kernel.now());
    let id = kernel.new_mount_id();
    let mut table = MountTable::default();
    table.add(Mount {
        id,
        parent: None,
        root: root.clone(),
        root_path: "/".into(),
        covers: None,
        point: None,
        source: "/dev/vda1".into(),
        flags: MountFlags::default(),
        options: String::new(),
        read_only_fs: false,
    });
    // The numbers of the first namespaces are fixed in Linux (include/linux/proc_ns.h).
    let uts = Uts { id: 4_026_531_838, hostname: kernel.config.hostname.clone(), domainname: "(none)".into() };
    let ns = Namespaces {
        pid: 4_026_531_836,
        mnt: Rc::new(RefCell::new(table)),
        mnt_id: 4_026_531_841,
        net: home,
        uts: Rc::new(RefCell::new(uts)),
        ipc: Rc::new(RefCell::new(Ipc { id: 4_026_531_839, sysctls: BTreeMap::new() })),
        user: 4_026_531_837,
        cgroup: 4_026_531_835,
        cgroup_root: CgroupId(0),
    };
    kernel.make_init(Rc::new(Place { mount: id, node: root, above: None, name: String::new() }), ns);
    let filled = fill(&mut kernel);
    debug_assert_eq!(filled, Ok(()), "an empty disk takes the first folders");
    site.join(|number| Shared { number, site: site.clone(), kernel: RefCell::new(kernel), hung_up: RefCell::default() })
}

fn fill(k: &mut Kernel) -> Result<()> {
    let init = Machine::INIT;
    for (source, target, kind, options) in MOUNTS {
        if k.resolve(init, target).is_err() {
            k.mkdir(init, target, 0o755)?;
        }
        k.mount(init, source, target, kind, MountFlags::default(), options)?;
    }
    let former = std::mem::replace(&mut k.process_mut(init)?.umask, 0);
    for (name, mode, rdev) in STANDARD {
        k.mknod(init, &format!("/dev/{name}"), FileKind::CharDevice, mode, rdev)?;
    }
    k.mknod(init, "/dev/ptmx", FileKind::CharDevice, 0o666, (5, 2))?;
    for (name, mode, rdev) in [("vda", 0o660, (254, 0)), ("vda1", 0o660, (254, 1))] {
        k.mknod(init, &format!("/dev/{name}"), FileKind::BlockDevice, mode, rdev)?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        k.symlink(init, target, &format!("/dev/{name}"))?;
    }
    k.process_mut(init)?.umask = former;
    Ok(())
}
