//! Places that a container's start makes to mount on, where the image has none. They are not its user's work,
//! so layers made of a container leave them out.

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
