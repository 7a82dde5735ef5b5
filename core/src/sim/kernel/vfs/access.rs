//! Who may do what with a file: permission bits, owners, and the capabilities that pass over them.

use super::Attr;
use crate::sim::kernel::cred::{Cap, Credentials};
use cutaway_userland::Errno;
use cutaway_userland::os::{FileKind, Result};

pub(crate) const READ: u32 = 4;
pub(crate) const WRITE: u32 = 2;
pub(crate) const EXECUTE: u32 = 1;

/// Checks the bits of `want` against a file, as `inode_permission` of Linux does.
pub(crate) fn check(who: &Credentials, attr: &Attr, want: u32) -> Result<()> {
    let shift = if who.euid == attr.uid {
        6
    } else if who.in_group(attr.gid) {
        3
    } else {
        0
    };
    if (attr.mode >> shift) & want == want {
        return Ok(());
    }
    let directory = attr.kind == FileKind::Directory;
    let override_all = who.can(Cap::DacOverride) && (want & EXECUTE == 0 || directory || attr.mode & 0o111 != 0);
    let search = who.can(Cap::DacReadSearch) && (want == READ || (directory && want & WRITE == 0));
    if override_all || search { Ok(()) } else { Err(Errno::EACCES) }
}

/// Whether this process counts as the owner of a file.
pub(crate) fn owns(who: &Credentials, attr: &Attr) -> bool {
    who.euid == attr.uid || who.can(Cap::Fowner)
}

/// Whether a name may be removed from a folder: with the sticky bit, only by the owner of either.
pub(crate) fn may_remove(who: &Credentials, dir: &Attr, file: &Attr) -> Result<()> {
    check(who, dir, WRITE | EXECUTE)?;
    if dir.mode & 0o1000 != 0 && who.euid != dir.uid && !owns(who, file) {
        return Err(Errno::EPERM);
    }
    Ok(())
}
