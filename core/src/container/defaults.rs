//! Docker's defaults: what a container gets where nothing else is asked for. Source: moby, oci/defaults.go
//! and oci/caps.

use crate::world::acts::{Capabilities, DeviceRule};
use cutaway_userland::sorted::Arrange;

/// The search path where neither image nor command line sets one.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Bytes of /dev/shm.
pub const SHM_SIZE: u64 = 64 << 20;
/// The least memory limit, in bytes, that the engine accepts.
pub const LEAST_MEMORY: i64 = 6 << 20;

pub const MASKED_PATHS: [&str; 12] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

pub const READONLY_PATHS: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// All capabilities in the kernel's order, without `CAP_`.
const ALL: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

const DEFAULT: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// `net_raw`, `CAP_NET_RAW` and the like as `NET_RAW`; `ALL` stays.
fn capability(name: &str) -> Result<String, String> {
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    if bare == "ALL" || ALL.contains(&bare) {
        return Ok(bare.to_string());
    }
    Err(format!("unknown capability: {:?}", format!("CAP_{bare}")))
}

/// `--cap-add` and `--cap-drop` values as Docker keeps them, as `CAP_NET_RAW`, sorted.
pub fn normal_capabilities(names: &[String]) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for name in names {
        let bare = capability(name)?;
        all.push(if bare == "ALL" { bare } else { format!("CAP_{bare}") });
    }
    all.arrange();
    all.dedup();
    Ok(all)
}

/// The sets of a container's first process. A user other than root has them only as its bound.
pub fn capabilities(add: &[String], drop: &[String], privileged: bool, root: bool) -> Result<Capabilities, String> {
    let bare = |names: &[String]| names.iter().map(|n| capability(n)).collect::<Result<Vec<_>, _>>();
    let (add, drop) = (bare(add)?, bare(drop)?);
    let has = |list: &[String], name: &str| list.iter().any(|n| n == name);
    let keep = |name: &str| {
        if privileged {
            return true;
        }
        if has(&add, "ALL") {
            return !has(&drop, name);
        }
        let given = !has(&drop, "ALL") && DEFAULT.contains(&name) && !has(&drop, name);
        given || has(&add, name)
    };
    let bounding: Vec<String> = ALL.iter().filter(|n| keep(n)).map(|n| format!("CAP_{n}")).collect();
    let active = if root { bounding.clone() } else { Vec::new() };
    Ok(Capabilities {
        effective: active.clone(),
        permitted: active,
        bounding,
        inheritable: Vec::new(),
        ambient: Vec::new(),
    })
}

/// Devices that every container may use.
pub fn device_rules() -> Vec<DeviceRule> {
    let rule = |kind, major, minor, access: &str| DeviceRule { allow: true, kind, major, minor, access: access.into() };
    let numbers = [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)];
    let mut rules = vec![rule('c', None, None, "m"), rule('b', None, None, "m")];
    rules.extend(numbers.map(|(major, minor)| rule('c', Some(major), Some(minor), "rwm")));
    rules.push(rule('c', Some(136), None, "rwm"));
    rules
}

/// The device files that every container has: path, major and minor number.
pub const DEVICES: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/tty", 5, 0),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(sets: &Capabilities) -> u64 {
        let number = |name: &String| ALL.iter().position(|n| format!("CAP_{n}") == *name).expect("a known name");
        sets.effective.iter().map(|n| 1 << number(n)).sum()
    }

    #[test]
    fn sets() {
        let list = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
        let table: &[(&[&str], &[&str], bool, u64)] = &[
            (&[], &[], false, 0xa804_25fb),
            (&["NET_RAW"], &["ALL"], false, 0x2000),
            (&["cap_sys_admin"], &["MKNOD"], false, 0xa024_25fb),
            (&["ALL"], &["SYS_ADMIN"], false, 0x1ff_ffdf_ffff),
            (&[], &[], true, 0x1ff_ffff_ffff),
        ];
        for (add, drop, privileged, expected) in table {
            let sets = capabilities(&list(add), &list(drop), *privileged, true).expect("valid names");
            assert_eq!(mask(&sets), *expected, "{add:?} {drop:?}");
        }
        assert_eq!(capabilities(&list(&["foo"]), &[], false, true), Err("unknown capability: \"CAP_FOO\"".into()));
        assert!(capabilities(&[], &[], false, false).expect("valid").effective.is_empty());
    }
}
