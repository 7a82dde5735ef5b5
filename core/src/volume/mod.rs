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

/// What a volume's options mount in place of its folder: `-o type=tmpfs -o device=tmpfs -o o=size=1m`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeDevice {
    /// The kind of file system; of what is bound it says nothing.
    pub kind: String,
    pub device: String,
    /// As mount(8) takes them.
    pub options: String,
}

impl VolumeDevice {
    /// Whether a folder of the host is shown, and if so, with what is mounted below it.
    pub fn binds(&self) -> Option<bool> {
        let mut words = self.options.split(',');
        let bind = words.clone().any(|word| word == "bind") || self.kind == "bind";
        let rbind = words.any(|word| word == "rbind");
        (bind || rbind).then_some(rbind)
    }

    pub fn read_only(&self) -> bool {
        self.options.split(',').any(|word| word == "ro")
    }
}

impl VolumeRecord {
    /// What is mounted in place of its folder, if anything is.
    pub fn device(&self) -> Option<VolumeDevice> {
        let option = |name: &str| self.options.get(name).cloned().unwrap_or_default();
        let device = VolumeDevice { kind: option("type"), device: option("device"), options: option("o") };
        (!device.kind.is_empty() && !device.device.is_empty()).then_some(device)
    }
}

/// Why a volume can't have these options, if it can't. Source: moby, volume/local/local_unix.go, validateOpts.
pub fn invalid_options(options: &BTreeMap<String, String>) -> Option<String> {
    if let Some((unknown, _)) =
        options.iter().find(|(name, _)| !matches!(name.as_str(), "type" | "device" | "o" | "size"))
    {
        return Some(format!("invalid option: {unknown:?}"));
    }
    if options.contains_key("size") {
        return Some("quota size requested but no quota support".into());
    }
    const NEEDS: [(&str, &[&str]); 3] = [("device", &["type"]), ("type", &["device"]), ("o", &["device", "type"])];
    let needed = NEEDS.iter().filter(|(option, _)| options.contains_key(*option)).flat_map(|(_, needs)| needs.iter());
    let missing = needed.copied().find(|need| !options.contains_key(*need));
    missing.map(|need| format!("missing required option: {need:?}"))
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
    fn options() {
        for (given, error) in [
            (&[][..], None),
            (&[("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m")], None),
            (&[("foo", "")], Some("invalid option: \"foo\"")),
            (&[("type", "tmpfs")], Some("missing required option: \"device\"")),
            (&[("device", "x")], Some("missing required option: \"type\"")),
            (&[("o", "bind")], Some("missing required option: \"device\"")),
            (&[("size", "1m")], Some("quota size requested but no quota support")),
        ] {
            let given: BTreeMap<String, String> = given.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            assert_eq!(invalid_options(&given).as_deref(), error, "{given:?}");
        }
        let device = |kind: &str, options: &str| VolumeDevice {
            kind: kind.into(),
            device: "/srv".into(),
            options: options.into(),
        };
        for (kind, options, binds) in
            [("none", "bind", Some(false)), ("none", "ro,rbind", Some(true)), ("tmpfs", "size=1m", None)]
        {
            assert_eq!(device(kind, options).binds(), binds, "{kind} {options}");
        }
    }

    #[test]
    fn names() {
        assert_eq!(invalid_name("data"), None);
        assert!(invalid_name("d").is_some_and(|why| why.contains("too short")));
        assert!(invalid_name("relative/path").is_some_and(|why| why.contains("invalid characters")));
    }
}
