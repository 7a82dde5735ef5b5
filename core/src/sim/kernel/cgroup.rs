//! Control groups: a tree that counts what its processes use and enforces limits on it.

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
