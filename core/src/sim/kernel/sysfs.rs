//! `/sys`: network interfaces, processors, and the control groups with their files.

use super::cgroup::{CgroupId, Group};
use super::net::NetNsId;
use super::state::Kernel;
use super::vfs::pseudo::{Entry, Source};
use crate::world::acts::CgroupLimit;
use cutaway_userland::Errno;
use cutaway_userland::os::{Interface, Result};

pub(crate) struct Sysfs {
    pub net: NetNsId,
}

const FOLDERS: [&str; 17] = [
    "block",
    "bus",
    "class",
    "class/net",
    "dev",
    "devices",
    "devices/system",
    "devices/system/cpu",
    "devices/virtual",
    "devices/virtual/powercap",
    "firmware",
    "fs",
    "fs/cgroup",
    "kernel",
    "kernel/security",
    "module",
    "power",
];
const LINK_FILES: [&str; 7] = ["address", "carrier", "ifindex", "mtu", "operstate", "speed", "type"];

impl Sysfs {
    fn interface(&self, k: &Kernel, name: &str) -> Option<Interface> {
        k.net.interfaces(&self.net).into_iter().find(|i| i.name == name)
    }
}

impl Source for Sysfs {
    fn entry(&self, k: &Kernel, path: &[&str]) -> Option<Entry> {
        match path {
            [] => Some(Entry::dir()),
            ["class", "net", name] => self.interface(k, name).map(|_| Entry::dir()),
            ["class", "net", name, "statistics"] => self.interface(k, name).map(|_| Entry::dir()),
            ["class", "net", name, file] => {
                self.interface(k, name)?;
                LINK_FILES.contains(file).then(|| Entry::file(0o444))
            }
            ["class", "net", name, "statistics", file] => {
                self.interface(k, name)?;
                ["rx_bytes", "tx_bytes", "rx_packets", "tx_packets"].contains(file).then(|| Entry::file(0o444))
            }
            ["devices", "system", "cpu", "online" | "possible" | "present"] => Some(Entry::file(0o444)),
            _ => FOLDERS.contains(&path.join("/").as_str()).then(Entry::dir),
        }
    }

    fn list(&self, k: &Kernel, path: &[&str]) -> Vec<String> {
        match path {
            ["class", "net"] => k.net.interfaces(&self.net).into_iter().map(|i| i.name).collect(),
            ["class", "net", _] => LINK_FILES.iter().chain(&["statistics"]).map(|f| (*f).to_string()).collect(),
            ["class", "net", _, "statistics"] => {
                ["rx_bytes", "tx_bytes", "rx_packets", "tx_packets"].map(String::from).to_vec()
            }
            ["devices", "system", "cpu"] => ["online", "possible", "present"].map(String::from).to_vec(),
            _ => {
                let prefix = path.iter().map(|p| format!("{p}/")).collect::<String>();
                let below = FOLDERS.iter().filter_map(|f| f.strip_prefix(prefix.as_str()));
                below.filter(|f| !f.contains('/')).map(String::from).collect()
            }
        }
    }

    fn read(&self, k: &Kernel, path: &[&str]) -> Result<Vec<u8>> {
        let text = match path {
            ["devices", "system", "cpu", _] => match k.config.cpus {
                1 => "0".to_string(),
                n => format!("0-{}", n - 1),
            },
            ["class", "net", name, rest @ ..] => {
                let i = self.interface(k, name).ok_or(Errno::ENOENT)?;
                match rest {
                    ["address"] => i.mac.map(|b| format!("{b:02x}")).join(":"),
                    ["mtu"] => i.mtu.to_string(),
                    ["ifindex"] => i.index.to_string(),
                    ["operstate"] => if i.loopback {
                        "unknown"
                    } else if i.up {
                        "up"
                    } else {
                        "down"
                    }
                    .to_string(),
                    ["carrier"] => u8::from(i.up).to_string(),
                    ["speed"] => "10000".to_string(),
                    ["type"] => if i.loopback { "772" } else { "1" }.to_string(),
                    ["statistics", "rx_bytes"] => i.rx_bytes.to_string(),
                    ["statistics", "tx_bytes"] => i.tx_bytes.to_string(),
                    ["statistics", "rx_packets"] => i.rx_packets.to_string(),
                    ["statistics", "tx_packets"] => i.tx_packets.to_string(),
                    _ => return Err(Errno::ENOENT),
                }
            }
            _ => return Err(Errno::EISDIR),
        };
        Ok(format!("{text}\n").into_bytes())
    }
}

/// The control groups as cgroup version 2 shows them, from a root on.
pub(crate) struct CgroupFs {
    pub root: CgroupId,
}

const GROUP_FILES: [(&str, u32); 17] = [
    ("cgroup.controllers", 0o444),
    ("cgroup.events", 0o444),
    ("cgroup.freeze", 0o644),
    ("cgroup.kill", 0o200),
    ("cgroup.procs", 0o644),
    ("cgroup.subtree_control", 0o644),
    ("cpu.max", 0o644),
    ("cpu.stat", 0o444),
    ("cpu.weight", 0o644),
    ("cpuset.cpus", 0o644),
    ("memory.current", 0o444),
    ("memory.events", 0o444),
    ("memory.max", 0o644),
    ("memory.peak", 0o444),
    ("memory.swap.max", 0o644),
    ("pids.current", 0o444),
    ("pids.max", 0o644),
];

impl CgroupFs {
    /// The group of a folder, or of the folder of a file.
    fn group(&self, k: &Kernel, path: &[&str]) -> Option<CgroupId> {
        k.cgroups.find(self.root, path)
    }
}

impl Source for CgroupFs {
    fn entry(&self, k: &Kernel, path: &[&str]) -> Option<Entry> {
        if self.group(k, path).is_some() {
            return Some(Entry { mode: 0o755, ..Entry::dir() });
        }
        let (file, folder) = path.split_last()?;
        self.group(k, folder)?;
        let (_, mode) = GROUP_FILES.iter().find(|(name, _)| name == file)?;
        Some(Entry::file(*mode))
    }

    fn list(&self, k: &Kernel, path: &[&str]) -> Vec<String> {
        let group = self.group(k, path).and_then(|id| k.cgroups.groups.get(&id));
        let children = group.into_iter().flat_map(|g| g.children.keys().cloned());
        children.chain(GROUP_FILES.iter().map(|(name, _)| (*name).to_string())).collect()
    }

    fn read(&self, k: &Kernel, path: &[&str]) -> Result<Vec<u8>> {
        let (file, folder) = path.split_last().ok_or(Errno::EISDIR)?;
        let id = self.group(k, folder).ok_or(Errno::ENOENT)?;
        let group = k.cgroups.groups.get(&id).ok_or(Errno::ENOENT)?;
        Ok(show(k, id, group, file)?.into_bytes())
    }

    fn write(&self, k: &mut Kernel, path: &[&str], bytes: &[u8]) -> Result<()> {
        let (file, folder) = path.split_last().ok_or(Errno::EISDIR)?;
        let id = self.group(k, folder).ok_or(Errno::ENOENT)?;
        let text = String::from_utf8_lossy(bytes).trim().to_string();
        let number = |text: &str| text.parse::<u64>().map_err(|_| Errno::EINVAL);
        match *file {
            "memory.max" if text == "max" => k.cgroups.set(id, &CgroupLimit::Memory(0)),
            "memory.max" => k.cgroups.set(id, &CgroupLimit::Memory(number(&text)?)),
            "pids.max" if text == "max" => k.cgroups.set(id, &CgroupLimit::Pids(None)),
            "pids.max" => k.cgroups.set(id, &CgroupLimit::Pids(Some(number(&text)?))),
            "cpu.max" => {
                let (quota, period) = text.split_once(' ').unwrap_or((&text, "100000"));
                let quota = if quota == "max" { -1 } else { number(quota)? as i64 };
                k.cgroups.set(id, &CgroupLimit::CpuQuota { quota, period: number(period)? })
            }
            "cgroup.freeze" => {
                k.freeze(id, text == "1");
                Ok(())
            }
            "cgroup.kill" => {
                k.kill_group(id);
                Ok(())
            }
            "cgroup.procs" => {
                let inner: i32 = text.parse().map_err(|_| Errno::EINVAL)?;
                let namespace = k.process(k.current)?.ns.pid;
                let pid = if inner == 0 { k.current } else { k.host_pid(namespace, inner).ok_or(Errno::ESRCH)? };
                k.move_to_group(pid, id)
            }
            "cgroup.subtree_control" | "cpu.weight" | "cpuset.cpus" | "memory.swap.max" => Ok(()),
            _ => Err(Errno::EACCES),
        }
    }
}

fn show(k: &Kernel, id: CgroupId, group: &Group, file: &str) -> Result<String> {
    let u = &group.usage;
    let or_max = |value: Option<u64>| value.map_or("max".to_string(), |v| v.to_string());
    Ok(match file {
        "cgroup.controllers" | "cgroup.subtree_control" => "cpuset cpu io memory pids\n".into(),
        "cgroup.events" => format!("populated {}\nfrozen {}\n", u8::from(u.pids > 0), u8::from(group.frozen)),
        "cgroup.freeze" => format!("{}\n", u8::from(group.frozen)),
        "cgroup.procs" => {
            let namespace = k.process(k.current)?.ns.pid;
            let own = k.processes.iter().filter(|(_, p)| p.cgroup == id).map(|(pid, _)| k.inner_pid(namespace, *pid));
            own.map(|pid| format!("{pid}\n")).collect()
        }
        "cpu.max" => match group.cpu_max {
            Some((quota, period)) => format!("{quota} {period}\n"),
            None => "max 100000\n".into(),
        },
        "cpu.stat" => format!("usage_usec {}\nnr_throttled {}\n", u.cpu.as_micros(), group.throttled),
        "cpu.weight" => format!("{}\n", group.weight),
        "cpuset.cpus" => format!("{}\n", group.cpuset),
        "memory.current" => format!("{}\n", u.memory),
        "memory.events" => format!("low 0\nhigh 0\nmax 0\noom {0}\noom_kill {0}\noom_group_kill 0\n", u.oom_kills),
        "memory.max" => format!("{}\n", or_max(u.memory_limit)),
        "memory.peak" => format!("{}\n", u.memory_peak),
        "memory.swap.max" => format!("{}\n", or_max(group.swap)),
        "pids.current" => format!("{}\n", u.pids),
        "pids.max" => format!("{}\n", or_max(u.pids_limit)),
        _ => return Err(Errno::EINVAL),
    })
}
