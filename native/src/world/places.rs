//! Where the engine keeps its files, and as whom it runs.

use std::env;
use std::path::PathBuf;

/// The engine's folders on this machine, for this user.
#[derive(Clone, Debug)]
pub struct Places {
    /// Images, containers, volumes: kept.
    pub root: PathBuf,
    /// The states of running containers: gone when the machine restarts.
    pub runtime: PathBuf,
    /// Whether we are root only in a user namespace of our own.
    pub rootless: bool,
    /// The user who runs the command, outside of it.
    pub uid: u32,
}

/// What user 0 of our user namespace is outside: 0 for the machine's root.
fn outer_uid() -> u32 {
    let own = nix::unistd::geteuid().as_raw();
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let fields: Vec<u32> = map.split_whitespace().filter_map(|w| w.parse().ok()).collect();
    match fields[..] {
        // One user of outside, mapped to root.
        [0, outside, 1] if own == 0 => outside,
        _ => own,
    }
}

/// A path of the environment, where it is absolute as the XDG specification demands.
fn folder(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute())
}

impl Places {
    pub fn find() -> Places {
        let uid = outer_uid();
        let rootless = uid != 0;
        let given = env::var_os("CUTAWAY_ROOT").map(|p| std::path::absolute(&p).unwrap_or_else(|_| p.into()));
        if let Some(root) = given {
            return Places { runtime: root.join("run"), root, rootless, uid };
        }
        if !rootless {
            return Places { root: "/var/lib/cutaway".into(), runtime: "/run/cutaway".into(), rootless, uid };
        }
        let home = folder("HOME").unwrap_or_else(|| "/".into());
        let root = folder("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share")).join("cutaway");
        let runtime = folder("XDG_RUNTIME_DIR").map_or_else(|| root.join("run"), |p| p.join("cutaway"));
        Places { root, runtime, rootless, uid }
    }
}
