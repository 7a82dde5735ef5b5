//! /proc/sys: the kernel's settings. One table says which there are, what they are at first, and whether
//! they belong to the machine or to a namespace.

use crate::sim::kernel::cred::Cap;
use crate::sim::kernel::state::Kernel;
use crate::sim::kernel::vfs::pseudo::Entry;
use cutaway_userland::Errno;
use cutaway_userland::os::{Pid, Result};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Machine,
    ReadOnly,
    Net,
    Ipc,
    Hostname,
    Domainname,
    /// A fact of [`MachineConfig`](super::super::MachineConfig).
    Release,
    Version,
    /// New for each reader.
    Uuid,
}

/// Path, scope, first value. Sorted by path.
const TABLE: [(&str, Scope, &str); 62] = [
    ("fs/file-max", Scope::Machine, "9223372036854775807"),
    ("fs/file-nr", Scope::ReadOnly, "512\t0\t9223372036854775807"),
    ("fs/inotify/max_user_instances", Scope::Machine, "128"),
    ("fs/inotify/max_user_watches", Scope::Machine, "65536"),
    ("fs/mqueue/msg_default", Scope::Ipc, "10"),
    ("fs/mqueue/msg_max", Scope::Ipc, "10"),
    ("fs/mqueue/msgsize_max", Scope::Ipc, "8192"),
    ("fs/mqueue/queues_max", Scope::Ipc, "256"),
    ("fs/nr_open", Scope::Machine, "1048576"),
    ("fs/pipe-max-size", Scope::Machine, "1048576"),
    ("kernel/cap_last_cap", Scope::ReadOnly, "40"),
    ("kernel/core_pattern", Scope::Machine, "core"),
    ("kernel/domainname", Scope::Domainname, "(none)"),
    ("kernel/hostname", Scope::Hostname, ""),
    ("kernel/keys/maxkeys", Scope::Machine, "200"),
    ("kernel/kptr_restrict", Scope::Machine, "0"),
    ("kernel/msgmax", Scope::Ipc, "8192"),
    ("kernel/msgmnb", Scope::Ipc, "16384"),
    ("kernel/msgmni", Scope::Ipc, "32000"),
    ("kernel/ngroups_max", Scope::ReadOnly, "65536"),
    ("kernel/osrelease", Scope::Release, ""),
    ("kernel/ostype", Scope::ReadOnly, "Linux"),
    ("kernel/overflowuid", Scope::Machine, "65534"),
    ("kernel/panic", Scope::Machine, "0"),
    ("kernel/pid_max", Scope::Machine, "4194304"),
    ("kernel/printk", Scope::Machine, "4\t4\t1\t7"),
    ("kernel/random/boot_id", Scope::ReadOnly, "6d1f1c52-4a30-4c0b-9d0c-c0ffee000001"),
    ("kernel/random/entropy_avail", Scope::ReadOnly, "256"),
    ("kernel/random/uuid", Scope::Uuid, ""),
    ("kernel/randomize_va_space", Scope::Machine, "2"),
    ("kernel/sem", Scope::Ipc, "32000\t1024000000\t500\t32000"),
    ("kernel/shmall", Scope::Ipc, "18446744073692774399"),
    ("kernel/shm_rmid_forced", Scope::Ipc, "0"),
    ("kernel/shmmax", Scope::Ipc, "18446744073692774399"),
    ("kernel/shmmni", Scope::Ipc, "4096"),
    ("kernel/sysrq", Scope::Machine, "438"),
    ("kernel/threads-max", Scope::Machine, "31000"),
    ("kernel/version", Scope::Version, ""),
    ("net/core/rmem_max", Scope::Machine, "212992"),
    ("net/core/somaxconn", Scope::Net, "4096"),
    ("net/core/wmem_max", Scope::Machine, "212992"),
    ("net/ipv4/conf/all/forwarding", Scope::Net, "0"),
    ("net/ipv4/conf/all/rp_filter", Scope::Net, "0"),
    ("net/ipv4/conf/default/rp_filter", Scope::Net, "0"),
    ("net/ipv4/icmp_echo_ignore_all", Scope::Net, "0"),
    ("net/ipv4/ip_default_ttl", Scope::Net, "64"),
    ("net/ipv4/ip_forward", Scope::Net, "0"),
    ("net/ipv4/ip_local_port_range", Scope::Net, "32768\t60999"),
    ("net/ipv4/ip_unprivileged_port_start", Scope::Net, "1024"),
    ("net/ipv4/ping_group_range", Scope::Net, "1\t0"),
    ("net/ipv4/tcp_fin_timeout", Scope::Net, "60"),
    ("net/ipv4/tcp_keepalive_time", Scope::Net, "7200"),
    ("net/ipv4/tcp_max_syn_backlog", Scope::Net, "512"),
    ("net/ipv4/tcp_syncookies", Scope::Net, "1"),
    ("net/ipv4/tcp_tw_reuse", Scope::Net, "2"),
    ("net/ipv6/conf/all/disable_ipv6", Scope::Net, "0"),
    ("net/ipv6/conf/all/forwarding", Scope::Net, "0"),
    ("net/ipv6/conf/default/disable_ipv6", Scope::Net, "0"),
    ("vm/drop_caches", Scope::Machine, "0"),
    ("vm/max_map_count", Scope::Machine, "65530"),
    ("vm/overcommit_memory", Scope::Machine, "0"),
    ("vm/swappiness", Scope::Machine, "60"),
];

fn find(path: &str) -> Option<&'static (&'static str, Scope, &'static str)> {
    TABLE.iter().find(|(p, _, _)| *p == path)
}

pub(super) fn entry(path: &[&str]) -> Option<Entry> {
    let path = path.join("/");
    if let Some((_, scope, _)) = find(&path) {
        let changes = !matches!(scope, Scope::ReadOnly | Scope::Release | Scope::Version | Scope::Uuid);
        return Some(Entry::file(if changes { 0o644 } else { 0o444 }));
    }
    let prefix = if path.is_empty() { path } else { format!("{path}/") };
    TABLE.iter().any(|(p, _, _)| p.starts_with(&prefix)).then(Entry::dir)
}

pub(super) fn list(path: &[&str]) -> Vec<String> {
    let prefix = path.iter().map(|p| format!("{p}/")).collect::<String>();
    let below = TABLE.iter().filter_map(|(p, _, _)| p.strip_prefix(prefix.as_str()));
    below.filter_map(|rest| rest.split('/').next()).map(String::from).collect()
}

/// A setting as a process sees it, with a newline.
pub(super) fn read(k: &Kernel, pid: Pid, path: &[&str]) -> Result<Vec<u8>> {
    let value = value(k, pid, &path.join("/")).ok_or(Errno::ENOENT)?;
    Ok(format!("{value}\n").into_bytes())
}

/// A setting as a process sees it.
pub(crate) fn value(k: &Kernel, pid: Pid, path: &str) -> Option<String> {
    let (_, scope, first) = find(path)?;
    let ns = &k.processes.get(&pid)?.ns;
    let changed = match scope {
        Scope::Machine => k.sysctls.get(path).cloned(),
        Scope::ReadOnly => None,
        Scope::Net => k.net.sysctl(&ns.net, path),
        Scope::Ipc => ns.ipc.borrow().sysctls.get(path).cloned(),
        Scope::Hostname => Some(ns.uts.borrow().hostname.clone()),
        Scope::Domainname => Some(ns.uts.borrow().domainname.clone()),
        Scope::Release => Some(k.config.release.clone()),
        Scope::Version => Some(k.config.version.clone()),
        Scope::Uuid => Some(uuid(k)),
    };
    Some(changed.unwrap_or_else(|| (*first).to_string()))
}

/// A number that differs from one moment to the next, in the form of a UUID.
fn uuid(k: &Kernel) -> String {
    let mut x = k.now().as_nanos().wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) ^ u128::from(k.config.seed);
    x ^= x >> 61;
    let h = format!("{:032x}", x.wrapping_mul(0xda94_2042_e4dd_58b5_0000_0000_0000_0001));
    format!("{}-{}-4{}-a{}-{}", &h[..8], &h[8..12], &h[13..16], &h[17..20], &h[20..])
}

/// Changes a setting, if the process may.
pub(crate) fn write(k: &mut Kernel, pid: Pid, path: &str, value: &str) -> Result<()> {
    let (_, scope, _) = find(path).ok_or(Errno::ENOENT)?;
    let process = k.process(pid)?;
    if process.creds.euid != 0 && !process.creds.can(Cap::SysAdmin) {
        return Err(Errno::EACCES);
    }
    let ns = process.ns.clone();
    match scope {
        Scope::Machine => {
            k.sysctls.insert(path.to_string(), value.to_string());
        }
        Scope::Net => k.net.set_sysctl(&ns.net, path, value),
        Scope::Ipc => {
            ns.ipc.borrow_mut().sysctls.insert(path.to_string(), value.to_string());
        }
        Scope::Hostname => ns.uts.borrow_mut().hostname = value.to_string(),
        Scope::Domainname => ns.uts.borrow_mut().domainname = value.to_string(),
        Scope::ReadOnly | Scope::Release | Scope::Version | Scope::Uuid => return Err(Errno::EACCES),
    }
    Ok(())
}
