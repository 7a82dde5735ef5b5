//! A simulated host as a learner finds it: its disk, its way to the outside, the tools on it.

use crate::layer::EntryKind;
use crate::network::dns::Answer;
use crate::sim::hub::{Files, host_tools};
use crate::sim::kernel::{Machine, NetNsId, TreeEntry, TreeKind};
use cutaway_userland::os::Result;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

pub const HOME: &str = "/root";

const OS_RELEASE: &str = "PRETTY_NAME=\"Cutaway\"\nNAME=\"Cutaway\"\nID=cutaway\nID_LIKE=debian\n";

/// What is on the disk.
fn disk(hostname: &str) -> Files {
    host_tools()
        .program("usr/bin/docker", "docker")
        .link("usr/bin/docker-compose", "docker")
        .program("usr/bin/docker-init", "docker-init")
        .program("usr/bin/docker-machine", "docker-machine")
        .program("usr/bin/dockerd", "dockerd")
        .program("usr/sbin/sshd", "sshd")
        .program("usr/bin/sudo", "sudo")
        .text("etc/os-release", OS_RELEASE)
        .text("etc/hostname", &format!("{hostname}\n"))
        .text("etc/hosts", &format!("127.0.0.1\tlocalhost\n127.0.1.1\t{hostname}\n"))
        .text("etc/resolv.conf", "nameserver 10.0.2.3\n")
        .folder("var/lib/docker", 0o710)
        .folders("var/lib/docker/overlay2 var/lib/docker/volumes var/lib/docker/containers")
}

/// Puts the disk's files in place and connects the host to the outside, which is there as long as its handle.
pub fn furnish(machine: &Machine, hostname: &str) -> Result<NetNsId> {
    let now = machine.now();
    let files = disk(hostname);
    let entries = files.entries(now.as_secs()).map(|(entry, bytes)| TreeEntry {
        path: entry.path.clone(),
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        mtime: Duration::from_secs(entry.mtime),
        kind: match entry.kind {
            EntryKind::Directory => TreeKind::Directory { opaque: false },
            EntryKind::Symlink(to) => TreeKind::Symlink(to),
            _ => TreeKind::File(Rc::new(bytes.to_vec())),
        },
    });
    // The kernel's own file systems are mounted already.
    let mounted = ["proc", "sys", "dev", "tmp", "run"];
    let entries: Vec<TreeEntry> = entries.filter(|e| !mounted.contains(&e.path.as_str())).collect();
    machine.import(Machine::INIT, "/", entries)?;
    connect(machine)
}

/// An outside with a router and a name server, which knows nobody, and a cable to it: what a small virtual
/// machine has.
fn connect(machine: &Machine) -> Result<NetNsId> {
    let (host, outside) = (machine.host_network(), machine.new_network());
    machine.set_up(&host, "lo", true)?;
    machine.add_veth((&host, "eth0"), (&outside, "eth0"))?;
    machine.add_address(&host, "eth0", IpAddr::V4(Ipv4Addr::new(10, 0, 2, 15)), 24)?;
    for last in [2, 3] {
        machine.add_address(&outside, "eth0", IpAddr::V4(Ipv4Addr::new(10, 0, 2, last)), 24)?;
    }
    // Its router knows no way on, and says so.
    machine.kernel(|k| k.net.set_sysctl(&outside, "net/ipv4/ip_forward", "1"));
    machine.set_resolver(&outside, IpAddr::V4(Ipv4Addr::new(10, 0, 2, 3)), Rc::new(|_| Answer::NoSuchName));
    machine.set_up(&host, "eth0", true)?;
    machine.set_up(&outside, "eth0", true)?;
    machine.set_default_route(&host, IpAddr::from([10, 0, 2, 2]), None)?;
    Ok(outside)
}
