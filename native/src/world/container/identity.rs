//! Who a process is and what it may do: user, groups, capabilities, limits, the system call filter.
//!
//! The order matters to the kernel. The bounding set shrinks while CAP_SETPCAP is still there; the user
//! changes with the permitted set kept, because the filter can only be loaded with CAP_SYS_ADMIN; the other
//! sets are applied last, right before the program starts.

use super::wire::CapabilityMasks;
use crate::sys;
use cutaway_core::world::acts::CAPABILITIES;
use nix::Result;
use nix::errno::Errno;

/// The mask of some capabilities; the first name that is not one is the error.
pub fn mask(names: &[String]) -> std::result::Result<u64, String> {
    names.iter().try_fold(0, |mask, name| {
        let bit = CAPABILITIES.iter().position(|n| n.eq_ignore_ascii_case(name)).ok_or_else(|| name.clone())?;
        Ok(mask | 1 << bit)
    })
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

const VERSION_3: u32 = 0x2008_0522;

fn current() -> Result<[Sets; 2]> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let mut sets = [Sets::default(); 2];
    // SAFETY: version 3 of the interface fills two sets.
    Errno::result(unsafe { libc::syscall(libc::SYS_capget, &mut header, sets.as_mut_ptr()) })?;
    Ok(sets)
}

fn apply(effective: u64, permitted: u64, inheritable: u64) -> Result<()> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let part = |shift: u32| Sets {
        effective: (effective >> shift) as u32,
        permitted: (permitted >> shift) as u32,
        inheritable: (inheritable >> shift) as u32,
    };
    let sets = [part(0), part(32)];
    // SAFETY: version 3 of the interface reads two sets.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, &mut header, sets.as_ptr()) }).map(drop)
}

/// What has been decided about the process so far.
#[derive(Default)]
pub struct Identity {
    wanted: Option<CapabilityMasks>,
}

impl Identity {
    /// Shrinks the bounding set, and remembers the others for [`Identity::finish`].
    pub fn bound(&mut self, masks: CapabilityMasks) -> Result<()> {
        for bit in 0..64 {
            if masks.bounding >> bit & 1 == 0 {
                match sys::prctl(libc::PR_CAPBSET_DROP, bit, 0) {
                    Ok(_) => {}
                    // Past the last one that this kernel knows.
                    Err(Errno::EINVAL) => break,
                    Err(e) => return Err(e),
                }
            }
        }
        self.wanted = Some(masks);
        Ok(())
    }

    /// Changes user and groups, keeping capabilities until [`Identity::finish`].
    pub fn become_user(&mut self, uid: u32, gid: u32, groups: &[u32]) -> Result<()> {
        let permitted = permitted()?;
        sys::prctl(libc::PR_SET_KEEPCAPS, 1, 0)?;
        // SAFETY: the list is as long as it is said to be. The raw calls change this thread, the only one.
        unsafe {
            match Errno::result(libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr())) {
                Ok(_) => {}
                // In a user namespace of one user the groups can't be changed at all.
                Err(Errno::EPERM) if groups.iter().all(|g| *g == gid) => {}
                Err(e) => return Err(e),
            }
            Errno::result(libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
            Errno::result(libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
        }
        apply(permitted, permitted, 0)
    }

    /// The last step before the program: the sets that it is to have.
    pub fn finish(&mut self) -> Result<()> {
        sys::prctl(libc::PR_SET_KEEPCAPS, 0, 0)?;
        let Some(masks) = self.wanted.take() else { return Ok(()) };
        let have = permitted()?;
        let permitted = masks.permitted & have;
        apply(masks.effective & permitted, permitted, masks.inheritable & have)?;
        for bit in 0..CAPABILITIES.len() as u64 {
            if masks.ambient >> bit & permitted >> bit & masks.inheritable >> bit & 1 == 1 {
                sys::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as u64, bit)?;
            }
        }
        Ok(())
    }
}

fn permitted() -> Result<u64> {
    let sets = current()?;
    Ok(u64::from(sets[0].permitted) | u64::from(sets[1].permitted) << 32)
}

/// Sets a resource limit; without CAP_SYS_RESOURCE the hard limit can't be raised, so it is clamped.
pub fn set_limit(resource: u32, soft: u64, hard: u64) -> Result<()> {
    let set = |soft: u64, hard: u64| {
        let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
        // SAFETY: `limit` lives through the call.
        Errno::result(unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, &limit, std::ptr::null_mut::<u8>()) })
            .map(drop)
    };
    match set(soft, hard) {
        Err(Errno::EPERM) => {}
        done => return done,
    }
    let mut now = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `now` lives through the call.
    Errno::result(unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, std::ptr::null::<u8>(), &mut now) })?;
    let hard = hard.min(now.rlim_max);
    set(soft.min(hard), hard)
}

/// Loads a compiled filter.
pub fn load_filter(program: &[u8]) -> Result<()> {
    if program.is_empty() {
        return Ok(());
    }
    let filters: Vec<libc::sock_filter> = program
        .chunks_exact(8)
        .map(|c| libc::sock_filter {
            code: u16::from_ne_bytes([c[0], c[1]]),
            jt: c[2],
            jf: c[3],
            k: u32::from_ne_bytes([c[4], c[5], c[6], c[7]]),
        })
        .collect();
    let program = libc::sock_fprog { len: filters.len() as u16, filter: filters.as_ptr() as *mut libc::sock_filter };
    // SAFETY: the kernel copies the program, which lives through the call.
    Errno::result(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &program as *const libc::sock_fprog)
    })
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_of_names() {
        assert_eq!(mask(&["CAP_CHOWN".into(), "cap_sys_admin".into()]), Ok(1 | 1 << 21));
        assert_eq!(mask(&["CAP_CHECKPOINT_RESTORE".into()]), Ok(1 << 40));
        assert_eq!(mask(&["CAP_FLY".into()]), Err("CAP_FLY".into()));
    }
}
