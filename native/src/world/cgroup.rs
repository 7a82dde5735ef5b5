//! Control groups: counting and limiting what a container uses, in both of the kernel's versions.
//!
//! Everything is below a group `cutaway` of our own. Version 2 is one tree; version 1 is a tree for each
//! controller, some of which may be missing. Where the user has no right to make groups, containers run
//! without them, and a limit is refused with a sentence that says why.

use super::LinuxWorld;
use crate::sys::{self, OrFault};
use cutaway_core::world::acts::{CgroupLimit, CreateCgroup, DeviceRule, Freeze, RemoveCgroup, WriteLimit};
use cutaway_core::world::{Fault, Performs, Usage};
use nix::errno::Errno;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MOUNTS: &str = "/sys/fs/cgroup";
const OURS: &str = "cutaway";
/// The controllers of version 1 that every container has a group of. `cpuset` would have to be filled
/// before anything can join it, so it is made only where a limit asks for it.
const CONTROLLERS: [&str; 7] = ["memory", "cpu", "cpuacct", "pids", "devices", "freezer", "blkio"];

/// Which version this machine has, and where.
#[derive(Clone, Debug)]
pub enum Cgroups {
    V2 {
        ours: PathBuf,
    },
    V1 {
        controllers: Vec<(&'static str, PathBuf)>,
    },
    /// No rights to any.
    None,
}

impl Cgroups {
    pub fn find(root_user: bool) -> Cgroups {
        if Path::new(MOUNTS).join("cgroup.controllers").exists() {
            return match v2_place(root_user) {
                Some(ours) => Cgroups::V2 { ours },
                None => Cgroups::None,
            };
        }
        if !root_user {
            return Cgroups::None;
        }
        let mut controllers: Vec<(&str, PathBuf)> = Vec::new();
        for name in CONTROLLERS {
            let Ok(place) = fs::canonicalize(Path::new(MOUNTS).join(name)) else { continue };
            // cpu and cpuacct are often the same tree.
            if !controllers.iter().any(|(_, p)| p.parent() == Some(&place)) && place.join("tasks").exists() {
                controllers.push((name, place.join(OURS)));
            }
        }
        if controllers.is_empty() { Cgroups::None } else { Cgroups::V1 { controllers } }
    }

    pub fn version(&self) -> u8 {
        if Path::new(MOUNTS).join("cgroup.controllers").exists() { 2 } else { 1 }
    }

    fn v1(&self, controller: &str, id: &str) -> Option<PathBuf> {
        let Cgroups::V1 { controllers } = self else { return None };
        let place = fs::canonicalize(Path::new(MOUNTS).join(controller)).ok()?;
        controllers
            .iter()
            .find(|(name, path)| *name == controller || path.parent() == Some(&place))
            .map(|(_, path)| path.join(id))
    }

    /// All folders of a container's group.
    pub fn folders(&self, id: &str) -> Vec<PathBuf> {
        match self {
            Cgroups::V2 { ours } => vec![ours.join(id)],
            Cgroups::V1 { controllers } => {
                let cpuset = Path::new(MOUNTS).join("cpuset").join(OURS).join(id);
                let extra = cpuset.exists().then_some(cpuset);
                controllers.iter().map(|(_, p)| p.join(id)).chain(extra).filter(|p| p.exists()).collect()
            }
            Cgroups::None => Vec::new(),
        }
    }

    /// For the container's own view: version 1's controllers by name with their folders.
    pub fn v1_view(&self, id: &str) -> Vec<(String, String)> {
        let Cgroups::V1 { controllers } = self else { return Vec::new() };
        controllers
            .iter()
            .map(|(name, p)| (name.to_string(), p.join(id)))
            .filter(|(_, p)| p.exists())
            .map(|(name, p)| (name, p.to_string_lossy().into_owned()))
            .collect()
    }

    /// The group as a descriptor, for a process to be born in (version 2).
    pub fn birthplace(&self, id: &str) -> Option<OwnedFd> {
        let Cgroups::V2 { ours } = self else { return None };
        let path = ours.join(id);
        sys::openat2(sys::cwd(), path.to_str()?.as_bytes(), libc::O_RDONLY | libc::O_DIRECTORY, 0, 0).ok()
    }

    fn create(&self, id: &str) -> io::Result<()> {
        match self {
            Cgroups::V2 { ours } => fs::create_dir_all(ours.join(id)),
            Cgroups::V1 { controllers } => {
                controllers.iter().try_for_each(|(_, ours)| fs::create_dir_all(ours.join(id)))
            }
            Cgroups::None => Ok(()),
        }
    }

    /// Kills what is left in a group and deletes it.
    pub fn remove(&self, id: &str) -> io::Result<()> {
        for folder in self.folders(id) {
            let mut tries = 0;
            loop {
                match fs::remove_dir(&folder) {
                    Ok(()) => break,
                    Err(e) if e.kind() == ErrorKind::NotFound => break,
                    Err(e) if e.raw_os_error() == Some(libc::EBUSY) && tries < 50 => {
                        kill_all(&folder);
                        tries += 1;
                        std::thread::sleep(Duration::from_millis(2));
                    }
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(())
    }

    /// Processes that the kernel killed in a group because memory ran out.
    pub fn oom_kills(&self, id: &str) -> u64 {
        match self {
            Cgroups::V2 { ours } => field(&ours.join(id).join("memory.events"), "oom_kill"),
            _ => self.v1("memory", id).map_or(0, |p| field(&p.join("memory.oom_control"), "oom_kill")),
        }
    }

    pub fn processes(&self, id: &str) -> Vec<i32> {
        let Some(folder) = self.folders(id).into_iter().next() else { return Vec::new() };
        let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|l| l.parse().ok()).collect()
    }

    pub fn usage(&self, id: &str, usage: &mut Usage) {
        let number = |path: PathBuf| fs::read_to_string(path).ok().and_then(|t| t.trim().parse::<u64>().ok());
        match self {
            Cgroups::V2 { ours } => {
                let folder = ours.join(id);
                let cached = field(&folder.join("memory.stat"), "inactive_file");
                usage.memory = number(folder.join("memory.current")).unwrap_or(0).saturating_sub(cached);
                usage.memory_limit = number(folder.join("memory.max")).unwrap_or(0);
                usage.pids = number(folder.join("pids.current")).unwrap_or(0);
                usage.cpu = Duration::from_micros(field(&folder.join("cpu.stat"), "usage_usec"));
                let io = fs::read_to_string(folder.join("io.stat")).unwrap_or_default();
                for (key, value) in io.split_whitespace().filter_map(|w| w.split_once('=')) {
                    match key {
                        "rbytes" => usage.block_read += value.parse::<u64>().unwrap_or(0),
                        "wbytes" => usage.block_written += value.parse::<u64>().unwrap_or(0),
                        _ => {}
                    }
                }
            }
            Cgroups::V1 { .. } => {
                let file = |controller: &str, name: &str| self.v1(controller, id).map(|p| p.join(name));
                let read = |controller: &str, name: &str| file(controller, name).and_then(number).unwrap_or(0);
                let cached = file("memory", "memory.stat").map_or(0, |p| field(&p, "total_inactive_file"));
                usage.memory = read("memory", "memory.usage_in_bytes").saturating_sub(cached);
                usage.memory_limit = read("memory", "memory.limit_in_bytes");
                usage.pids = read("pids", "pids.current");
                usage.cpu = Duration::from_nanos(read("cpuacct", "cpuacct.usage"));
                let path = file("blkio", "blkio.throttle.io_service_bytes");
                for line in path.and_then(|p| fs::read_to_string(p).ok()).unwrap_or_default().lines() {
                    let words: Vec<&str> = line.split_whitespace().collect();
                    let amount = words.get(2).and_then(|w| w.parse().ok()).unwrap_or(0);
                    match words.get(1) {
                        Some(&"Read") => usage.block_read += amount,
                        Some(&"Write") => usage.block_written += amount,
                        _ => {}
                    }
                }
            }
            Cgroups::None => {}
        }
    }

    /// Makes version 1's `cpuset` group, filled with all that its parent has, and moves the container in.
    fn cpuset(&self, id: &str) -> io::Result<PathBuf> {
        let top = Path::new(MOUNTS).join("cpuset");
        let (ours, group) = (top.join(OURS), top.join(OURS).join(id));
        for (parent, folder) in [(&top, &ours), (&ours, &group)] {
            fs::create_dir_all(folder)?;
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if fs::read_to_string(folder.join(file))?.trim().is_empty() {
                    fs::write(folder.join(file), fs::read_to_string(parent.join(file))?)?;
                }
            }
        }
        for pid in self.processes(id) {
            let _ = fs::write(group.join("cgroup.procs"), pid.to_string());
        }
        Ok(group)
    }

    /// The files to write for a limit, in order.
    fn files(&self, id: &str, limit: &CgroupLimit) -> Result<Vec<(PathBuf, String)>, Fault> {
        match self {
            Cgroups::V2 { ours } => {
                Ok(v2_files(limit).map(|f| vec![f])?.into_iter().map(|(n, v)| (ours.join(id).join(n), v)).collect())
            }
            Cgroups::V1 { .. } => {
                let (controller, files) = v1_files(limit)?;
                let folder = if controller == "cpuset" {
                    self.cpuset(id).or_fault("make cpuset group")?
                } else {
                    self.v1(controller, id)
                        .ok_or_else(|| Fault::Unsupported(format!("This machine has no {controller} control groups")))?
                };
                Ok(files.into_iter().map(|(name, value)| (folder.join(name), value)).collect())
            }
            Cgroups::None => {
                let why = "Limits need control groups, and this user has no right to make one";
                Err(Fault::Unsupported(why.into()))
            }
        }
    }
}

/// A group of our own in version 2: at the root for root, else below the group we are in, where it is ours.
fn v2_place(root_user: bool) -> Option<PathBuf> {
    let base = if root_user {
        PathBuf::from(MOUNTS)
    } else {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let path = own.lines().find_map(|l| l.strip_prefix("0::"))?.to_string();
        Path::new(MOUNTS).join(path.trim_start_matches('/')).parent()?.to_path_buf()
    };
    let ours = base.join(OURS);
    if !ours.exists() {
        fs::create_dir(&ours).ok()?;
    }
    for folder in [&base, &ours] {
        let enabled = fs::read_to_string(folder.join("cgroup.subtree_control")).unwrap_or_default();
        for controller in fs::read_to_string(folder.join("cgroup.controllers")).ok()?.split_whitespace() {
            if !enabled.split_whitespace().any(|e| e == controller) {
                let _ = fs::write(folder.join("cgroup.subtree_control"), format!("+{controller}"));
            }
        }
    }
    Some(ours)
}

fn kill_all(folder: &Path) {
    if fs::write(folder.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    for line in fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default().lines() {
        if let Ok(pid) = line.parse::<i32>() {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
    }
}

/// A number of a file of `name number` lines.
fn field(path: &Path, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|l| l.split_once(' '))
        .find(|(n, _)| *n == name)
        .and_then(|(_, v)| v.trim().parse().ok())
        .unwrap_or(0)
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

fn v2_files(limit: &CgroupLimit) -> Result<(&'static str, String), Fault> {
    use CgroupLimit::*;
    let io = |device: &str, what: &str, rate: &u64| Ok(("io.max", format!("{} {what}={rate}", device_number(device)?)));
    Ok(match limit {
        Memory(n) => ("memory.max", n.to_string()),
        MemorySwap(n) => ("memory.swap.max", n.map_or("max".into(), |n| n.to_string())),
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
        BlkioWeight(n) => ("io.bfq.weight", n.to_string()),
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

impl Performs<CreateCgroup> for LinuxWorld {
    async fn perform(&self, act: CreateCgroup) -> Result<(), Fault> {
        super::store::plain_name(&act.container)?;
        self.cgroups.create(&act.container).or_fault("create control group")
    }
}

impl Performs<WriteLimit> for LinuxWorld {
    async fn perform(&self, act: WriteLimit) -> Result<(), Fault> {
        if let CgroupLimit::Devices(rules) = &act.limit {
            match &self.cgroups {
                // Without control groups the devices that are not there are the only bar.
                Cgroups::None => return Ok(()),
                Cgroups::V2 { .. } => {
                    let Some(folder) = self.cgroups.birthplace(&act.container) else { return Ok(()) };
                    return super::device_program::attach(&folder, rules).or_fault("attach device program");
                }
                Cgroups::V1 { .. } => {}
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

impl Performs<Freeze> for LinuxWorld {
    async fn perform(&self, act: Freeze) -> Result<(), Fault> {
        let id = &act.container;
        let (file, value, state, done) = match &self.cgroups {
            Cgroups::V2 { ours } => {
                let folder = ours.join(id);
                let value = if act.frozen { "1" } else { "0" };
                let done = format!("frozen {value}");
                (folder.join("cgroup.freeze"), value, folder.join("cgroup.events"), done)
            }
            _ => {
                let Some(folder) = self.cgroups.v1("freezer", id) else {
                    return Err(Fault::Unsupported(
                        "Pausing needs control groups, and this user has no right to them".into(),
                    ));
                };
                let value = if act.frozen { "FROZEN" } else { "THAWED" };
                (folder.join("freezer.state"), value, folder.join("freezer.state"), value.to_string())
            }
        };
        fs::write(&file, value).or_fault(format!("write {value} to {}", file.display()))?;
        // The kernel freezes processes as they come by.
        for _ in 0..500 {
            if fs::read_to_string(&state).is_ok_and(|s| s.lines().any(|l| l.trim() == done)) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Err(Fault::errno(cutaway_userland::Errno::ETIMEDOUT, "freeze the container's processes"))
    }
}

impl Performs<RemoveCgroup> for LinuxWorld {
    async fn perform(&self, act: RemoveCgroup) -> Result<(), Fault> {
        super::store::plain_name(&act.container)?;
        let (cgroups, id) = (self.cgroups.clone(), act.container);
        match cgroups.remove(&id) {
            Ok(()) => Ok(()),
            Err(e) => Err(e).or_fault("remove control group"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_as_files() {
        let v1 = |limit| v1_files(&limit).unwrap().1.into_iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>();
        let v2 = |limit| v2_files(&limit).map(|(n, v)| format!("{n}={v}")).unwrap();
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
