//! Who a process is and what it may do: ids, capability sets, the flags that forbid gaining more.

use crate::world::acts::CAPABILITIES;
use cutaway_userland::os::Ids;

/// A set of capabilities: bit N is capability number N.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CapSet(pub u64);

/// The capabilities that this kernel asks for; the value is the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cap {
    Chown = 0,
    DacOverride = 1,
    DacReadSearch = 2,
    Fowner = 3,
    Fsetid = 4,
    Kill = 5,
    Setgid = 6,
    Setuid = 7,
    NetBindService = 10,
    NetRaw = 13,
    SysChroot = 18,
    SysAdmin = 21,
    SysNice = 23,
    SysResource = 24,
    Mknod = 27,
}

impl CapSet {
    pub const EMPTY: CapSet = CapSet(0);
    pub const ALL: CapSet = CapSet((1 << CAPABILITIES.len()) - 1);

    /// The set of the named capabilities; names that are none are left out.
    pub fn of<S: AsRef<str>>(names: &[S]) -> CapSet {
        let bit = |name: &S| CAPABILITIES.iter().position(|c| *c == name.as_ref()).map_or(0, |n| 1u64 << n);
        CapSet(names.iter().fold(0, |set, name| set | bit(name)))
    }

    pub(crate) fn has(self, cap: Cap) -> bool {
        self.0 & (1 << cap as u32) != 0
    }

    fn and(self, other: CapSet) -> CapSet {
        CapSet(self.0 & other.0)
    }

    fn or(self, other: CapSet) -> CapSet {
        CapSet(self.0 | other.0)
    }
}

/// The five sets, and what else decides about rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub uid: u32,
    pub euid: u32,
    pub suid: u32,
    pub gid: u32,
    pub egid: u32,
    pub sgid: u32,
    pub groups: Vec<u32>,
    pub bounding: CapSet,
    pub effective: CapSet,
    pub permitted: CapSet,
    pub inheritable: CapSet,
    pub ambient: CapSet,
    pub no_new_privileges: bool,
    /// As `Seccomp:` of /proc/PID/status: 0 none, 2 a filter.
    pub seccomp: u8,
}

impl Credentials {
    /// Root with every capability.
    pub fn root() -> Credentials {
        Credentials {
            uid: 0,
            euid: 0,
            suid: 0,
            gid: 0,
            egid: 0,
            sgid: 0,
            groups: Vec::new(),
            bounding: CapSet::ALL,
            effective: CapSet::ALL,
            permitted: CapSet::ALL,
            inheritable: CapSet::EMPTY,
            ambient: CapSet::EMPTY,
            no_new_privileges: false,
            seccomp: 0,
        }
    }

    pub(crate) fn can(&self, cap: Cap) -> bool {
        self.effective.has(cap)
    }

    pub(crate) fn in_group(&self, gid: u32) -> bool {
        self.egid == gid || self.groups.contains(&gid)
    }

    pub(crate) fn ids(&self) -> Ids {
        Ids { uid: self.uid, euid: self.euid, gid: self.gid, egid: self.egid, groups: self.groups.clone() }
    }

    /// Becomes another user altogether. Leaving root gives up the capabilities (`capabilities(7)`).
    pub(crate) fn become_user(&mut self, uid: u32, gid: u32) {
        let was_root = self.uid == 0 || self.euid == 0 || self.suid == 0;
        (self.uid, self.euid, self.suid) = (uid, uid, uid);
        (self.gid, self.egid, self.sgid) = (gid, gid, gid);
        if was_root && uid != 0 {
            self.effective = CapSet::EMPTY;
            self.permitted = CapSet::EMPTY;
            self.ambient = CapSet::EMPTY;
        }
    }

    /// What `execve` makes of the sets: owner and group come with the set-id bits of the file, if any.
    pub(crate) fn after_exec(&mut self, set_uid: Option<u32>, set_gid: Option<u32>) {
        if !self.no_new_privileges {
            if let Some(uid) = set_uid {
                if uid != self.euid {
                    self.ambient = CapSet::EMPTY;
                }
                self.euid = uid;
            }
            if let Some(gid) = set_gid {
                self.egid = gid;
            }
        }
        self.suid = self.euid;
        self.sgid = self.egid;
        if self.uid == 0 || self.euid == 0 {
            self.permitted = self.inheritable.or(self.bounding);
            if self.no_new_privileges && self.uid != 0 {
                self.permitted = self.ambient;
            }
            self.effective = if self.euid == 0 { self.permitted } else { self.ambient };
        } else {
            self.permitted = self.ambient;
            self.effective = self.ambient;
        }
        self.ambient = self.ambient.and(self.permitted);
    }
}
