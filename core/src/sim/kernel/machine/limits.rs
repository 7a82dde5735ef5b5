//! Control groups, as the world makes and limits them from outside.

use super::Machine;
use crate::sim::kernel::cgroup::{CgroupId, CgroupUsage};
use crate::world::acts::CgroupLimit;
use cutaway_userland::os::Result;

/// Control groups.
impl Machine {
    pub const ROOT_CGROUP: CgroupId = CgroupId(0);

    /// The group `name` below `parent`, made where missing.
    pub fn make_cgroup(&self, parent: CgroupId, name: &str) -> CgroupId {
        self.kernel(|k| k.cgroups.make(parent, name))
    }

    /// `EBUSY` while it has processes or groups in it.
    pub fn remove_cgroup(&self, group: CgroupId) -> Result<()> {
        self.kernel(|k| k.cgroups.remove(group))
    }

    pub fn limit_cgroup(&self, group: CgroupId, limit: &CgroupLimit) -> Result<()> {
        self.kernel(|k| k.cgroups.set(group, limit))
    }

    pub fn freeze_cgroup(&self, group: CgroupId, frozen: bool) {
        self.kernel(|k| k.freeze(group, frozen));
    }

    pub fn cgroup_usage(&self, group: CgroupId) -> CgroupUsage {
        self.kernel(|k| k.cgroups.groups.get(&group).map(|g| g.usage.clone()).unwrap_or_default())
    }

    /// Kills every process in it and below.
    pub fn kill_cgroup(&self, group: CgroupId) {
        self.kernel(|k| k.kill_group(group));
    }
}
