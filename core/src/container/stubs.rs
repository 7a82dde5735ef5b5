//! Places that a container's start makes to mount on, where the image has none. They are not its user's work,
//! so layers made of a container leave them out.

use crate::world::{Change, ChangeKind};

/// What every start mounts on, relative to the root.
const ALWAYS: [&str; 7] = ["dev", "proc", "sys", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab"];

/// The paths (relative, folders on the way included) that are left out of a layer where they are empty: those
/// of every container, and `targets` of further mounts.
pub fn stubs<'a>(targets: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut all = Vec::new();
    for target in ALWAYS.into_iter().chain(targets) {
        let mut path = String::new();
        for part in target.split('/').filter(|part| !part.is_empty()) {
            path = if path.is_empty() { part.to_string() } else { format!("{path}/{part}") };
            if !all.contains(&path) {
                all.push(path.clone());
            }
        }
    }
    all
}

/// The changes of a writable layer without those that the engine itself makes for its mounts: what `docker diff`
/// and the stage show.
pub fn without_own(changes: Vec<Change>) -> Vec<Change> {
    const FILES: [&str; 5] = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab", "/.dockerenv"];
    const FOLDERS: [&str; 3] = ["/dev", "/proc", "/sys"];
    let own = |path: &str| {
        FILES.contains(&path)
            || FOLDERS.iter().any(|f| path.strip_prefix(f).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    let (made, mut kept): (Vec<Change>, Vec<Change>) = changes.into_iter().partition(|c| own(&c.path));
    // A folder that is there only for those is not the user's work either.
    let parents: Vec<&str> = made.iter().filter_map(|c| c.path.rsplit_once('/')).map(|(parent, _)| parent).collect();
    let others: Vec<String> = kept.iter().map(|c| c.path.clone()).collect();
    kept.retain(|c| {
        let child = |path: &String| path.strip_prefix(c.path.as_str()).is_some_and(|rest| rest.starts_with('/'));
        !(c.kind != ChangeKind::Deleted && parents.contains(&c.path.as_str())) || others.iter().any(child)
    });
    kept
}

#[cfg(test)]
mod tests {
    use super::stubs;

    #[test]
    fn with_folders_on_the_way() {
        let all = stubs(["/root/.cache/go", "/x"]);
        for path in ["dev", "etc", "etc/hosts", "root", "root/.cache", "root/.cache/go", "x"] {
            assert!(all.iter().any(|p| p == path), "{path}");
        }
    }
}
