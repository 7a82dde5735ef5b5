//! Limits as files of the kernel's two versions.

use super::{Cgroups, Tree, device_program};
use crate::sys::{self, OrFault};
use crate::world::LinuxWorld;
use cutaway_core::world::acts::{CgroupLimit, DeviceRule, WriteLimit};
use cutaway_core::world::{Fault, Performs};
use nix::errno::Errno;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

impl Cgroups {
    /// Whether no group of this machine could hold such a limit, whatever its value.
    pub fn lacks(&self, limit: &CgroupLimit) -> bool {
        use CgroupLimit::*;
        let ours = |top: &Path, name: &str| top.join(super::OURS).join(name).exists();
        match &self.tree {
            Tree::V2 { top } => {
                // Files of a controller are there once it is handed down.
                let _ = fs::create_dir_all(top.join(super::OURS));
                super::enable(top);
                match limit {
                    Swappiness(_) | OomKillDisable => true,
                    BlkioWeight(_) => !ours(top, BFQ_WEIGHT) && !ours(top, "io.weight"),
                    BlkioWeightDevice { .. } => !ours(top, BFQ_WEIGHT),
                    _ => false,
                }
            }
            Tree::V1 { controllers } => {
                let has = |controller: &str, name: &str| {
                    let found = controllers.iter().find(|(n, _)| *n == controller);
                    found.is_some_and(|(_, top)| {
                        let _ = fs::create_dir_all(top.join(super::OURS));
                        ours(top, name)
                    })
                };
                match limit {
                    Swappiness(_) => !has("memory", "memory.swappiness"),
                    OomKillDisable => !has("memory", "memory.oom_control"),
                    BlkioWeight(_) => !has("blkio", "blkio.bfq.weight"),
                    BlkioWeightDevice { .. } => !has("blkio", "blkio.bfq.weight_device"),
                    _ => false,
                }
            }
            // Refused by name when it is to be written.
            Tree::None => false,
        }
    }

    /// The files to write for a limit, in order.
    fn files(&self, id: &str, limit: &CgroupLimit) -> Result<Vec<(PathBuf, String)>, Fault> {
        match &self.tree {
            Tree::V2 { top } => {
                let group = top.join(self.place(id));
                v2_file(&group, limit).map(|(name, value)| vec![(group.join(name), value)])
            }
            Tree::V1 { .. } => {
                let (controller, files) = v1_files(limit)?;
                let folder = if controller == "cpuset" {
                    self.cpuset(id).or_fault("make cpuset group")?
                } else {
                    self.v1(controller, id)
                        .ok_or_else(|| Fault::Unsupported(format!("This machine has no {controller} control groups")))?
                };
                Ok(files.into_iter().map(|(name, value)| (folder.join(name), value)).collect())
            }
            Tree::None => {
                let why = "Limits need control groups, and this user has no right to make one";
                Err(Fault::Unsupported(why.into()))
            }
        }
    }
}

fn device_number(path: &str) -> Result<String, Fault> {
    let facts = sys::facts_of(Path::new(path)).or_fault(format!("stat {path}"))?;
    Ok(format!("{}:{}", facts.rdev.0, facts.rdev.1))
}

fn or_minus_one(n: Option<u64>) -> String {
    n.map_or("-1".into(), |n| n.to_string())
}

type Files = Vec<(&'static str, String)>;

fn v1_files(limit: &CgroupLimit) -> Result<(&'static str, Files), Fault> {
    use CgroupLimit::*;
    let blkio =
        |name, device: &str, rate: &u64| Ok(("blkio", vec![(name, format!("{} {rate}", device_number(device)?))]));
    Ok(match limit {
        Memory(n) => ("memory", vec![("memory.limit_in_bytes", n.to_string())]),
        MemorySwap(n) => ("memory", vec![("memory.memsw.limit_in_bytes", or_minus_one(*n))]),
        MemoryReservation(n) => ("memory", vec![("memory.soft_limit_in_bytes", n.to_string())]),
        Swappiness(n) => ("memory", vec![("memory.swappiness", n.to_string())]),
        CpuQuota { quota, period } => {
            ("cpu", vec![("cpu.cfs_period_us", period.to_string()), ("cpu.cfs_quota_us", quota.to_string())])
        }
        CpuShares(n) => ("cpu", vec![("cpu.shares", n.to_string())]),
        CpusetCpus(s) => ("cpuset", vec![("cpuset.cpus", s.clone())]),
        CpusetMems(s) => ("cpuset", vec![("cpuset.mems", s.clone())]),
        Pids(n) => ("pids", vec![("pids.max", n.map_or("max".into(), |n| n.to_string()))]),
        BlkioWeight(n) => ("blkio", vec![("blkio.bfq.weight", n.to_string())]),
        BlkioWeightDevice { device, weight } => return blkio("blkio.bfq.weight_device", device, &u64::from(*weight)),
        DeviceReadBps { device, rate } => return blkio("blkio.throttle.read_bps_device", device, rate),
        DeviceWriteBps { device, rate } => return blkio("blkio.throttle.write_bps_device", device, rate),
        DeviceReadIops { device, rate } => return blkio("blkio.throttle.read_iops_device", device, rate),
        DeviceWriteIops { device, rate } => return blkio("blkio.throttle.write_iops_device", device, rate),
        OomKillDisable => ("memory", vec![("memory.oom_control", "1".into())]),
        Devices(rules) => {
            let mut files = vec![("devices.deny", "a".to_string())];
            for rule in rules {
                files.push((if rule.allow { "devices.allow" } else { "devices.deny" }, device_line(rule)));
            }
            ("devices", files)
        }
    })
}

fn device_line(rule: &DeviceRule) -> String {
    if rule.kind == 'a' {
        return "a".into();
    }
    let any = |n: Option<u32>| n.map_or("*".into(), |n| n.to_string());
    format!("{} {}:{} {}", rule.kind, any(rule.major), any(rule.minor), rule.access)
}

/// The file of a limit. Some depend on what the group has: on the memory limit, and on which of the kernel's
/// ways to share a disk there is.
fn v2_file(group: &Path, limit: &CgroupLimit) -> Result<(&'static str, String), Fault> {
    use CgroupLimit::*;
    let io = |device: &str, what: &str, rate: &u64| Ok(("io.max", format!("{} {what}={rate}", device_number(device)?)));
    Ok(match limit {
        Memory(n) => ("memory.max", n.to_string()),
        MemorySwap(total) => ("memory.swap.max", swap_alone(group, *total)),
        MemoryReservation(n) => ("memory.low", n.to_string()),
        Swappiness(_) => {
            return Err(Fault::Unsupported("Swappiness can't be set with control groups of version 2".into()));
        }
        CpuQuota { quota, period } => {
            ("cpu.max", if *quota < 0 { format!("max {period}") } else { format!("{quota} {period}") })
        }
        // From 2..262144 to 1..10000, as systemd and runc map it.
        CpuShares(n) => ("cpu.weight", (1 + (n.clamp(&2, &262_144) - 2) * 9999 / 262_142).to_string()),
        CpusetCpus(s) => ("cpuset.cpus", s.clone()),
        CpusetMems(s) => ("cpuset.mems", s.clone()),
        Pids(n) => ("pids.max", n.map_or("max".into(), |n| n.to_string())),
        BlkioWeight(n) if group.join(BFQ_WEIGHT).exists() => (BFQ_WEIGHT, n.to_string()),
        // From 10..1000 to 1..10000, as runc maps it.
        BlkioWeight(n) => ("io.weight", (1 + (u64::from(*n).max(10) - 10) * 9999 / 990).to_string()),
        BlkioWeightDevice { device, weight } => (BFQ_WEIGHT, format!("{} {weight}", device_number(device)?)),
        DeviceReadBps { device, rate } => return io(device, "rbps", rate),
        DeviceWriteBps { device, rate } => return io(device, "wbps", rate),
        DeviceReadIops { device, rate } => return io(device, "riops", rate),
        DeviceWriteIops { device, rate } => return io(device, "wiops", rate),
        OomKillDisable => {
            return Err(Fault::Unsupported(
                "The memory killer can't be switched off with control groups of version 2".into(),
            ));
        }
        Devices(_) => unreachable!("device rules of version 2 are a program, not a file"),
    })
}

const BFQ_WEIGHT: &str = "io.bfq.weight";

/// Version 2 limits swap by itself, where Docker's number is memory and swap together.
fn swap_alone(group: &Path, total: Option<u64>) -> String {
    let memory = fs::read_to_string(group.join("memory.max")).ok().and_then(|t| t.trim().parse::<u64>().ok());
    match (total, memory) {
        (Some(total), Some(memory)) => total.saturating_sub(memory).to_string(),
        _ => "max".into(),
    }
}

impl Performs<WriteLimit> for LinuxWorld {
    async fn perform(&self, act: WriteLimit) -> Result<(), Fault> {
        if let CgroupLimit::Devices(rules) = &act.limit {
            match &self.cgroups.tree {
                // Without control groups the devices that are not there are the only bar.
                Tree::None => return Ok(()),
                Tree::V2 { .. } => {
                    let Some(folder) = self.cgroups.birthplace(&act.container) else { return Ok(()) };
                    return device_program::attach(&folder, rules).or_fault("attach device program");
                }
                Tree::V1 { .. } => {}
            }
        }
        let files = self.cgroups.files(&act.container, &act.limit)?;
        // Both memory limits of version 1 hold each other in order: raise the outer one first.
        for (path, value) in files {
            let written = fs::write(&path, &value);
            if let (Err(e), CgroupLimit::Memory(n)) = (&written, &act.limit)
                && sys::errno_of(e) == Errno::EINVAL
                && self.cgroups.version() == 1
            {
                let swap = path.with_file_name("memory.memsw.limit_in_bytes");
                let again = fs::write(&swap, n.to_string()).and_then(|()| fs::write(&path, &value));
                again.or_fault(format!("write {value} to {}", path.display()))?;
                continue;
            }
            // No accounting of swap on this machine: there is nothing to limit.
            let no_swap = matches!(act.limit, CgroupLimit::MemorySwap(_));
            if no_swap
                && written.as_ref().is_err_and(|e| e.kind() == ErrorKind::NotFound || sys::errno_of(e) == Errno::EACCES)
            {
                continue;
            }
            written.or_fault(format!("write {value} to {}", path.display()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_as_files() {
        let v1 = |limit| v1_files(&limit).unwrap().1.into_iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>();
        let v2 = |limit| v2_file(Path::new("/nowhere"), &limit).map(|(n, v)| format!("{n}={v}")).unwrap();
        assert_eq!(v1(CgroupLimit::MemorySwap(None)), ["memory.memsw.limit_in_bytes=-1"]);
        assert_eq!(v2(CgroupLimit::MemorySwap(None)), "memory.swap.max=max");
        let half = CgroupLimit::CpuQuota { quota: 50_000, period: 100_000 };
        assert_eq!(v1(half.clone()), ["cpu.cfs_period_us=100000", "cpu.cfs_quota_us=50000"]);
        assert_eq!(v2(half), "cpu.max=50000 100000");
        for (shares, weight) in [(2, 1), (1024, 39), (262_144, 10_000), (1, 1)] {
            assert_eq!(v2(CgroupLimit::CpuShares(shares)), format!("cpu.weight={weight}"));
        }
        let rule = DeviceRule { allow: true, kind: 'c', major: Some(1), minor: None, access: "rwm".into() };
        assert_eq!(v1(CgroupLimit::Devices(vec![rule])), ["devices.deny=a", "devices.allow=c 1:* rwm"]);
    }
}
