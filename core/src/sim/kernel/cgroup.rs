//! Control groups: a tree that counts what its processes use and enforces limits on it.

use super::process::State;
use super::state::Kernel;
use crate::world::acts::{CgroupLimit, DeviceRule};
use cutaway_userland::Errno;
use cutaway_userland::os::{Cost, FileKind, Limit, Pid, Result, Signal, Status};
use cutaway_userland::sorted::Map as BTreeMap;
use std::time::Duration;

/// Names a control group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CgroupId(pub u32);

/// What a group and those below it use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CgroupUsage {
    pub cpu: Duration,
    pub memory: u64,
    pub memory_peak: u64,
    pub memory_limit: Option<u64>,
    pub pids: u64,
    pub pids_limit: Option<u64>,
    pub block_read: u64,
    pub block_written: u64,
    /// How many processes were killed for lack of memory.
    pub oom_kills: u64,
}

#[derive(Default)]
pub(crate) struct Group {
    pub name: String,
    pub parent: Option<CgroupId>,
    pub children: BTreeMap<String, CgroupId>,
    pub usage: CgroupUsage,
    /// Processes in it itself.
    pub members: u64,
    pub frozen: bool,
    /// Microseconds of processor time each period of microseconds.
    pub cpu_max: Option<(u64, u64)>,
    period_start: Duration,
    period_used: Duration,
    pub throttled: u64,
    pub weight: u64,
    pub swap: Option<u64>,
    pub low: u64,
    pub cpuset: String,
    pub oom_waits: bool,
    devices: Option<Vec<DeviceRule>>,
}

pub(crate) struct Cgroups {
    pub groups: BTreeMap<CgroupId, Group>,
    next: u32,
}

impl Cgroups {
    pub fn new() -> Cgroups {
        let root = Group { weight: 100, ..Group::default() };
        Cgroups { groups: BTreeMap::from([(CgroupId(0), root)]), next: 1 }
    }

    pub fn set_machine_memory(&mut self, memory: u64) {
        if let Some(root) = self.groups.get_mut(&CgroupId(0)) {
            root.usage.memory_limit = Some(memory);
        }
    }

    pub fn make(&mut self, parent: CgroupId, name: &str) -> CgroupId {
        if let Some(id) = self.groups.get(&parent).and_then(|g| g.children.get(name)) {
            return *id;
        }
        let id = CgroupId(self.next);
        self.next += 1;
        let group = Group { name: name.to_string(), parent: Some(parent), weight: 100, ..Group::default() };
        self.groups.insert(id, group);
        if let Some(parent) = self.groups.get_mut(&parent) {
            parent.children.insert(name.to_string(), id);
        }
        id
    }

    pub fn remove(&mut self, id: CgroupId) -> Result<()> {
        let group = self.groups.get(&id).ok_or(Errno::ENOENT)?;
        if group.members > 0 || !group.children.is_empty() || id == CgroupId(0) {
            return Err(Errno::EBUSY);
        }
        let (parent, name) = (group.parent, group.name.clone());
        self.groups.remove(&id);
        if let Some(parent) = parent.and_then(|p| self.groups.get_mut(&p)) {
            parent.children.remove(&name);
        }
        Ok(())
    }

    /// A group and those above it, up to the root.
    pub fn chain(&self, id: CgroupId) -> Vec<CgroupId> {
        let mut chain = vec![id];
        while let Some(parent) = chain.last().and_then(|id| self.groups.get(id)).and_then(|g| g.parent) {
            chain.push(parent);
        }
        chain
    }

    /// As `/docker/3f2a…`.
    pub fn path(&self, id: CgroupId) -> String {
        let mut names: Vec<&str> = Vec::new();
        for id in self.chain(id) {
            if let Some(group) = self.groups.get(&id).filter(|g| g.parent.is_some()) {
                names.push(&group.name);
            }
        }
        names.reverse();
        format!("/{}", names.join("/"))
    }

    /// The group at a path below another.
    pub fn find(&self, from: CgroupId, path: &[&str]) -> Option<CgroupId> {
        path.iter().try_fold(from, |at, name| self.groups.get(&at)?.children.get(*name).copied())
    }

    fn each_above(&mut self, id: CgroupId, mut change: impl FnMut(&mut Group)) {
        for id in self.chain(id) {
            if let Some(group) = self.groups.get_mut(&id) {
                change(group);
            }
        }
    }

    pub fn may_enter(&self, id: CgroupId) -> bool {
        self.chain(id)
            .iter()
            .filter_map(|id| self.groups.get(id))
            .all(|g| g.usage.pids_limit.is_none_or(|limit| g.usage.pids < limit))
    }

    pub fn enter(&mut self, id: CgroupId) {
        self.each_above(id, |g| g.usage.pids += 1);
        if let Some(group) = self.groups.get_mut(&id) {
            group.members += 1;
        }
    }

    pub fn leave(&mut self, id: CgroupId) {
        self.each_above(id, |g| g.usage.pids = g.usage.pids.saturating_sub(1));
        if let Some(group) = self.groups.get_mut(&id) {
            group.members = group.members.saturating_sub(1);
        }
    }

    pub fn is_frozen(&self, id: CgroupId) -> bool {
        self.chain(id).iter().filter_map(|id| self.groups.get(id)).any(|g| g.frozen)
    }

    pub fn add_io(&mut self, id: CgroupId, read: u64, written: u64) {
        self.each_above(id, |g| {
            g.usage.block_read += read;
            g.usage.block_written += written;
        });
    }

    /// Counts processor time; where a quota is used up, the time until which the process must wait.
    pub fn add_cpu(&mut self, id: CgroupId, time: Duration, now: Duration) -> Option<Duration> {
        let mut until = None;
        self.each_above(id, |g| {
            g.usage.cpu += time;
            let Some((quota, period)) = g.cpu_max else { return };
            let (quota, period) = (Duration::from_micros(quota), Duration::from_micros(period));
            if now >= g.period_start + period {
                g.period_start = now;
                g.period_used = Duration::ZERO;
            }
            g.period_used += time;
            if g.period_used >= quota {
                g.throttled += 1;
                let periods = (g.period_used.as_micros() / quota.as_micros().max(1)) as u32;
                let end = g.period_start + period * periods.max(1);
                until = until.max((end > now).then_some(end));
            }
        });
        until
    }

    pub fn set(&mut self, id: CgroupId, limit: &CgroupLimit) -> Result<()> {
        let group = self.groups.get_mut(&id).ok_or(Errno::ENOENT)?;
        match limit {
            CgroupLimit::Memory(bytes) => group.usage.memory_limit = (*bytes > 0).then_some(*bytes),
            CgroupLimit::MemorySwap(bytes) => group.swap = *bytes,
            CgroupLimit::MemoryReservation(bytes) => group.low = *bytes,
            CgroupLimit::CpuQuota { quota, period } => {
                let period = if *period == 0 { 100_000 } else { *period };
                group.cpu_max = u64::try_from(*quota).ok().filter(|q| *q > 0).map(|quota| (quota, period));
            }
            CgroupLimit::CpuShares(shares) => {
                // The conversion that runc uses from v1's scale to v2's.
                group.weight = if *shares == 0 { 100 } else { 1 + (shares.saturating_sub(2) * 9999) / 262_142 };
            }
            CgroupLimit::CpusetCpus(set) => group.cpuset.clone_from(set),
            CgroupLimit::Pids(limit) => group.usage.pids_limit = *limit,
            CgroupLimit::OomKillDisable => group.oom_waits = true,
            CgroupLimit::Devices(rules) => group.devices = Some(rules.clone()),
            CgroupLimit::Swappiness(_)
            | CgroupLimit::CpusetMems(_)
            | CgroupLimit::BlkioWeight(_)
            | CgroupLimit::BlkioWeightDevice { .. }
            | CgroupLimit::DeviceReadBps { .. }
            | CgroupLimit::DeviceWriteBps { .. }
            | CgroupLimit::DeviceReadIops { .. }
            | CgroupLimit::DeviceWriteIops { .. } => {}
        }
        Ok(())
    }

    /// Whether a device may be opened (`r`, `w`) or made (`m`) from a group. The last matching rule decides.
    pub fn device_allowed(&self, id: CgroupId, kind: FileKind, rdev: (u32, u32), access: char) -> bool {
        let letter = if kind == FileKind::BlockDevice { 'b' } else { 'c' };
        let fits = |rule: &&DeviceRule| {
            (rule.kind == 'a' || rule.kind == letter)
                && rule.major.is_none_or(|m| m == rdev.0)
                && rule.minor.is_none_or(|m| m == rdev.1)
                && rule.access.contains(access)
        };
        let allows = |group: &Group| match &group.devices {
            None => true,
            Some(rules) => rules.iter().rev().find(fits).is_some_and(|rule| rule.allow),
        };
        self.chain(id).iter().filter_map(|id| self.groups.get(id)).all(allows)
    }
}

impl Kernel {
    /// Accounts for what a process holds, to its group and those above, without enforcing.
    pub fn set_memory(&mut self, pid: Pid, bytes: u64) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let old = std::mem::replace(&mut process.memory, bytes);
        let group = process.cgroup;
        self.cgroups.each_above(group, |g| {
            g.usage.memory = (g.usage.memory + bytes).saturating_sub(old);
            g.usage.memory_peak = g.usage.memory_peak.max(g.usage.memory);
        });
    }

    /// Whether a group above a process is out of memory and may not kill for it.
    pub fn must_wait_for_memory(&self, pid: Pid, cost: Cost) -> bool {
        let Some(process) = self.processes.get(&pid).filter(|p| !p.is_zombie()) else { return false };
        let change = cost.memory.max(0) as u64;
        let over = |g: &Group| g.usage.memory_limit.is_some_and(|limit| g.usage.memory + change > limit);
        let chain = self.cgroups.chain(process.cgroup);
        change > 0 && chain.iter().filter_map(|id| self.cgroups.groups.get(id)).any(|g| g.oom_waits && over(g))
    }

    /// Pays for computing. Over a limit of memory, the biggest process of the group is killed. The answer is
    /// when the process may go on, where its group has used up its time.
    pub fn charge(&mut self, pid: Pid, cost: Cost) -> Option<Duration> {
        let time = Duration::from_micros(cost.cpu);
        self.slice += cost.cpu.max(1);
        let process = self.processes.get_mut(&pid).filter(|p| !p.is_zombie())?;
        process.user_time += time;
        process.computing = cost.cpu > 0;
        let used = process.user_time + process.system_time;
        // The calls since the last time count, too.
        let new = used - std::mem::replace(&mut process.counted, used);
        let group = process.cgroup;
        let computing = self.processes.values().filter(|p| p.computing && !p.is_zombie()).count();
        self.busy = u32::try_from(computing).unwrap_or(1).clamp(1, self.config.cpus.max(1));
        self.pass(time);
        let now = self.now();
        let until = self.cgroups.add_cpu(group, new, now);
        let process = self.processes.get_mut(&pid)?;
        process.computing &= until.is_none();
        if let Some(limit) = process.limit(Limit::Cpu).soft
            && used >= Duration::from_secs(limit)
        {
            self.deliver(pid, Signal::XCPU, false);
        }
        if cost.memory != 0 {
            let wanted = self.processes.get(&pid)?.memory.saturating_add_signed(cost.memory);
            self.set_memory(pid, wanted);
            for id in self.cgroups.chain(group) {
                self.enforce_memory(id);
            }
        }
        until
    }

    /// Kills until the group is within its limit.
    fn enforce_memory(&mut self, id: CgroupId) {
        while let Some(group) = self.cgroups.groups.get(&id)
            && group.usage.memory_limit.is_some_and(|limit| group.usage.memory > limit)
        {
            let limit = group.usage.memory_limit.unwrap_or(1) as i64;
            let score = |k: &Kernel, pid: Pid| {
                let p = &k.processes[&pid];
                p.memory as i64 + i64::from(p.oom_score_adj) * limit / 1000
            };
            let alive =
                |k: &Kernel, pid: &Pid| k.processes.get(pid).is_some_and(|p| p.memory > 0 && p.oom_score_adj > -1000);
            let candidates: Vec<Pid> =
                self.members(id).into_iter().filter(|pid| *pid != 1 && alive(self, pid)).collect();
            // Among equals the youngest.
            let Some(victim) = candidates.into_iter().max_by_key(|pid| (score(self, *pid), *pid)) else { return };
            self.cgroups.each_above(id, |g| g.usage.oom_kills += 1);
            if let Some(process) = self.processes.get_mut(&victim) {
                process.oom_killed = true;
            }
            self.terminate(victim, Status::Signaled(Signal::KILL));
        }
    }

    /// The processes of a group and of those below it.
    pub fn members(&self, id: CgroupId) -> Vec<Pid> {
        let within = |group: CgroupId| self.cgroups.chain(group).contains(&id);
        self.processes.iter().filter(|(_, p)| within(p.cgroup)).map(|(pid, _)| *pid).collect()
    }

    pub fn freeze(&mut self, id: CgroupId, frozen: bool) {
        if let Some(group) = self.cgroups.groups.get_mut(&id) {
            group.frozen = frozen;
        }
        if !frozen {
            for pid in self.members(id) {
                let process = &self.processes[&pid];
                if process.state == State::Running {
                    self.resumed.extend(process.task);
                }
            }
        }
    }

    pub fn kill_group(&mut self, id: CgroupId) {
        for pid in self.members(id) {
            self.deliver(pid, Signal::KILL, true);
        }
    }

    /// Moves a process to another group, with what it holds.
    pub fn move_to_group(&mut self, pid: Pid, to: CgroupId) -> Result<()> {
        if !self.cgroups.groups.contains_key(&to) {
            return Err(Errno::ENOENT);
        }
        let process = self.process(pid)?;
        let (from, memory) = (process.cgroup, process.memory);
        self.set_memory(pid, 0);
        self.cgroups.leave(from);
        self.cgroups.enter(to);
        self.process_mut(pid)?.cgroup = to;
        self.set_memory(pid, memory);
        Ok(())
    }
}
