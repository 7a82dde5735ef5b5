//! Volumes: what is kept of one, and the rules of their names.

use crate::world::{Kind, Record};
use cutaway_userland::sorted::Map as BTreeMap;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A volume: a folder that outlives containers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeRecord {
    pub name: String,
    pub created: Duration,
    /// `local`, the only one there is.
    pub driver: String,
    pub options: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    /// Made without a name, for one container.
    pub anonymous: bool,
}

impl Record for VolumeRecord {
    const KIND: Kind = Kind::Volume;
    fn key(&self) -> String {
        self.name.clone()
    }
}

/// Why a volume can't have this name, if it can't; the text is Docker's after `create <name>: `.
pub fn invalid_name(name: &str) -> Option<String> {
    if name.chars().count() == 1 {
        return Some("volume name is too short, names should be at least two alphanumeric characters".into());
    }
    let mut bytes = name.bytes();
    let valid = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    (!valid).then(|| {
        format!(
            "{name:?} includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(invalid_name("data"), None);
        assert!(invalid_name("d").is_some_and(|why| why.contains("too short")));
        assert!(invalid_name("relative/path").is_some_and(|why| why.contains("invalid characters")));
    }
}
