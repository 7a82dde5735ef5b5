//! Control groups: counting and limiting what a container uses, in both of the kernel's versions.
//!
//! Everything is below a group `cutaway` of our own, or the one that `--cgroup-parent` names; which one is in a
//! small file of the runtime folder, so that every process of the engine finds it. Version 2 is one tree; version 1 is a tree for each
//! controller, some of which may be missing. Where the user has no right to make groups, containers run
//! without them, and a limit is refused with a sentence that says why.

mod device_program;
mod limits;
mod usage;

use super::LinuxWorld;
use crate::sys::{self, OrFault};
use cutaway_core::world::acts::{CreateCgroup, Freeze, RemoveCgroup};
use cutaway_core::world::{Fault, Performs};
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

/// The control groups of this machine.
#[derive(Clone, Debug)]
pub struct Cgroups {
    tree: Tree,
    /// A file for each container whose group is not below our own: the path of the group above it.
    parents: PathBuf,
}

/// Which version this machine has, and where.
#[derive(Clone, Debug)]
enum Tree {
    /// The group that we may make others in.
    V2 { top: PathBuf },
    /// Each controller's own tree.
    V1 { controllers: Vec<(&'static str, PathBuf)> },
    /// No rights to any.
    None,
}

impl Cgroups {
    pub fn find(root_user: bool, runtime: &Path) -> Cgroups {
        Cgroups { tree: Tree::find(root_user), parents: runtime.join("cgroup-parents") }
    }

    /// The container's group, from the top of a tree.
    fn place(&self, id: &str) -> PathBuf {
        let parent = fs::read_to_string(self.parents.join(id)).unwrap_or_else(|_| OURS.into());
        Path::new(&parent).join(id)
    }

    pub fn version(&self) -> u8 {
        if is_v2() { 2 } else { 1 }
    }

    fn v1(&self, controller: &str, id: &str) -> Option<PathBuf> {
        let Tree::V1 { controllers } = &self.tree else { return None };
        let top = fs::canonicalize(Path::new(MOUNTS).join(controller)).ok()?;
        let (_, top) = controllers.iter().find(|(name, path)| *name == controller || *path == top)?;
        Some(top.join(self.place(id)))
    }

    /// All folders of a container's group.
    pub fn folders(&self, id: &str) -> Vec<PathBuf> {
        let place = self.place(id);
        match &self.tree {
            Tree::V2 { top } => vec![top.join(place)],
            Tree::V1 { controllers } => {
                let cpuset = Path::new(MOUNTS).join("cpuset").join(&place);
                controllers.iter().map(|(_, top)| top.join(&place)).chain([cpuset]).filter(|p| p.exists()).collect()
            }
            Tree::None => Vec::new(),
        }
    }

    /// For the container's own view: version 1's controllers by name with their folders.
    pub fn v1_view(&self, id: &str) -> Vec<(String, String)> {
        let Tree::V1 { controllers } = &self.tree else { return Vec::new() };
        let place = self.place(id);
        controllers
            .iter()
            .map(|(name, top)| (name.to_string(), top.join(&place)))
            .filter(|(_, p)| p.exists())
            .map(|(name, p)| (name, p.to_string_lossy().into_owned()))
            .collect()
    }

    /// The group as a descriptor, for a process to be born in (version 2).
    pub fn birthplace(&self, id: &str) -> Option<OwnedFd> {
        let Tree::V2 { top } = &self.tree else { return None };
        let path = top.join(self.place(id));
        sys::openat2(sys::cwd(), path.to_str()?.as_bytes(), libc::O_RDONLY | libc::O_DIRECTORY, 0, 0).ok()
    }

    fn create(&self, id: &str, parent: Option<&str>) -> io::Result<()> {
        if let Some(parent) = parent.filter(|_| !matches!(self.tree, Tree::None)) {
            fs::create_dir_all(&self.parents)?;
            super::records::replace_file(&self.parents.join(id), parent.as_bytes())?;
        }
        let place = self.place(id);
        match &self.tree {
            Tree::V2 { top } => {
                let group = top.join(&place);
                let above: Vec<&Path> = group.ancestors().skip(1).take_while(|a| a.starts_with(top)).collect();
                for folder in above.into_iter().rev() {
                    fs::create_dir_all(folder)?;
                    enable(folder);
                }
                fs::create_dir_all(group)
            }
            Tree::V1 { controllers } => {
                controllers.iter().try_for_each(|(_, top)| fs::create_dir_all(top.join(&place)))
            }
            Tree::None => Ok(()),
        }
    }

    /// Kills what is left in a group and deletes it, in all trees even where one of them refuses.
    pub fn remove(&self, id: &str) -> io::Result<()> {
        let removed: Vec<io::Result<()>> = self.folders(id).iter().map(|folder| remove_group(folder)).collect();
        removed.into_iter().collect::<io::Result<()>>()?;
        match fs::remove_file(self.parents.join(id)) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Makes version 1's `cpuset` group, filled with all that its parent has, and moves the container in.
    fn cpuset(&self, id: &str) -> io::Result<PathBuf> {
        let top = Path::new(MOUNTS).join("cpuset");
        let group = top.join(self.place(id));
        let below: Vec<&Path> = group.ancestors().take_while(|a| *a != top).collect();
        for folder in below.into_iter().rev() {
            let parent = folder.parent().unwrap_or(&top);
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
}

impl Tree {
    fn find(root_user: bool) -> Tree {
        if is_v2() {
            return v2_top(root_user).map_or(Tree::None, |top| Tree::V2 { top });
        }
        if !root_user {
            return Tree::None;
        }
        let mut controllers: Vec<(&str, PathBuf)> = Vec::new();
        for name in CONTROLLERS {
            let Ok(place) = fs::canonicalize(Path::new(MOUNTS).join(name)) else { continue };
            // cpu and cpuacct are often the same tree.
            if !controllers.iter().any(|(_, p)| *p == place) && place.join("tasks").exists() {
                controllers.push((name, place));
            }
        }
        if controllers.is_empty() { Tree::None } else { Tree::V1 { controllers } }
    }
}

fn is_v2() -> bool {
    Path::new(MOUNTS).join("cgroup.controllers").exists()
}

/// Where we may make groups in version 2: at the root for root, else beside the group we are in, where that is
/// ours.
fn v2_top(root_user: bool) -> Option<PathBuf> {
    if root_user {
        return Some(PathBuf::from(MOUNTS));
    }
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|l| l.strip_prefix("0::"))?.to_string();
    let top = Path::new(MOUNTS).join(path.trim_start_matches('/')).parent()?.to_path_buf();
    fs::create_dir_all(top.join(OURS)).ok()?;
    Some(top)
}

/// Lets the groups below one count and limit all that it can itself.
fn enable(folder: &Path) {
    let words = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
    let enabled = words("cgroup.subtree_control");
    for controller in words("cgroup.controllers").split_whitespace() {
        if !enabled.split_whitespace().any(|e| e == controller) {
            // One by one: a controller that is in use elsewhere must not keep the others away.
            let _ = fs::write(folder.join("cgroup.subtree_control"), format!("+{controller}"));
        }
    }
}

/// How long processes are waited for that were killed: on a busy machine they take their time.
const DYING: Duration = Duration::from_secs(5);

fn remove_group(folder: &Path) -> io::Result<()> {
    let begin = std::time::Instant::now();
    loop {
        match fs::remove_dir(folder) {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(e) if e.raw_os_error() == Some(libc::EBUSY) && begin.elapsed() < DYING => {
                kill_all(folder);
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(e) => return Err(e),
        }
    }
}

fn kill_all(folder: &Path) {
    // In version 1 what is frozen can't even be killed.
    let _ = fs::OpenOptions::new().write(true).open(folder.join("freezer.state")).and_then(|mut f| {
        use std::io::Write;
        f.write_all(b"THAWED")
    });
    if fs::write(folder.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    for line in fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default().lines() {
        if let Ok(pid) = line.parse::<i32>() {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
    }
}

/// The group that `--cgroup-parent` names, from the top of a tree.
fn parent_path(text: &str) -> Result<String, Fault> {
    let parts: Vec<&str> = text.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    for part in &parts {
        super::store::plain_name(part)?;
    }
    Ok(parts.join("/"))
}

impl Performs<CreateCgroup> for LinuxWorld {
    async fn perform(&self, act: CreateCgroup) -> Result<(), Fault> {
        super::store::plain_name(&act.container)?;
        let parent = act.parent.map(|text| parent_path(&text)).transpose()?;
        self.cgroups.create(&act.container, parent.as_deref()).or_fault("create control group")
    }
}

impl Performs<Freeze> for LinuxWorld {
    async fn perform(&self, act: Freeze) -> Result<(), Fault> {
        let id = &act.container;
        let (file, value, state, done) = match &self.cgroups.tree {
            Tree::V2 { top } => {
                let folder = top.join(self.cgroups.place(id));
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
        self.cgroups.remove(&act.container).or_fault("remove control group")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_stay_below_the_top() {
        for (text, path) in [("/mine", "mine"), ("mine//of/./me/", "mine/of/me"), ("/", "")] {
            assert_eq!(parent_path(text).as_deref(), Ok(path));
        }
        assert!(parent_path("/mine/../../etc").is_err());
    }
}
