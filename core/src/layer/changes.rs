//! The difference between two trees, as `docker diff` tells it and as a layer is packed from.

use super::entry::parent_of;
use crate::world::{Change, ChangeKind};
use cutaway_userland::sorted::Map as BTreeMap;

/// What turns `before` into `after`: maps from a path (relative, as in [`super::Entry`]) to whatever tells two
/// files apart. Sorted by path. Folders on the way to a change count as modified; of a deleted folder only
/// its own path is told. Paths begin with `/`.
pub fn changes<N: PartialEq>(before: &BTreeMap<String, N>, after: &BTreeMap<String, N>) -> Vec<Change> {
    let mut found: BTreeMap<&str, ChangeKind> = BTreeMap::new();
    for (path, node) in after {
        match before.get(path) {
            None => found.insert(path, ChangeKind::Added),
            Some(old) if old != node => found.insert(path, ChangeKind::Modified),
            Some(_) => None,
        };
    }
    for path in before.keys() {
        let parent_gone = parent_of(path).is_some_and(|p| !p.is_empty() && !after.contains_key(p));
        if !after.contains_key(path) && !parent_gone {
            found.insert(path, ChangeKind::Deleted);
        }
    }
    let changed: Vec<&str> = found.keys().copied().collect();
    for mut path in changed {
        while let Some(parent) = parent_of(path).filter(|p| !p.is_empty()) {
            if before.contains_key(parent) && after.contains_key(parent) {
                found.entry(parent).or_insert(ChangeKind::Modified);
            }
            path = parent;
        }
    }
    found.into_iter().filter(|(p, _)| !p.is_empty()).map(|(p, kind)| Change { path: format!("/{p}"), kind }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_modified_deleted() {
        let tree = |rows: &[(&str, u32)]| rows.iter().map(|(p, n)| (p.to_string(), *n)).collect();
        let before: BTreeMap<String, u32> =
            tree(&[("bin", 0), ("bin/vi", 1), ("etc", 0), ("etc/passwd", 1), ("old", 0), ("old/a", 1), ("same", 1)]);
        let after: BTreeMap<String, u32> =
            tree(&[("bin", 0), ("etc", 0), ("etc/passwd", 2), ("made", 0), ("made/f", 1), ("same", 1)]);
        let told: Vec<String> = changes(&before, &after).iter().map(|c| format!("{:?} {}", c.kind, c.path)).collect();
        assert_eq!(
            told,
            [
                "Modified /bin",
                "Deleted /bin/vi",
                "Modified /etc",
                "Modified /etc/passwd",
                "Added /made",
                "Added /made/f",
                "Deleted /old"
            ]
        );
        assert!(changes(&before, &before).is_empty());
    }
}
