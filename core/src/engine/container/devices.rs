//! Devices of the host that a container gets: those of `--device`, or all of them where it is privileged.

use crate::container::{ContainerRecord, defaults};
use crate::engine::{Ctx, Error, Result};
use crate::world::World;
use crate::world::acts::{DeviceNode, DeviceRule};
use cutaway_userland::os::FileKind;

/// A device file to make, and what may be done with it (letters of `rwm`).
pub(super) struct Granted {
    pub node: DeviceNode,
    pub access: String,
}

/// The devices that were asked for, each as it will be inside.
///
/// # Errors
/// In Docker's words, where one is not there or is none.
pub(super) fn granted<W: World>(ctx: &Ctx<W>, record: &ContainerRecord) -> Result<Vec<Granted>> {
    let mut all = Vec::new();
    if record.host.privileged {
        let of_host = ctx.world().host_devices("/dev").into_iter().filter(|d| !is_own(&d.path));
        return Ok(of_host.map(|node| Granted { node, access: "rwm".into() }).collect());
    }
    for device in &record.host.resources.devices {
        let found = ctx.world().host_devices(&device.host);
        if found.is_empty() {
            let why = match ctx.world().host_file(&device.host) {
                None => "no such file or directory",
                Some(FileKind::Directory) => continue,
                Some(_) => "not a device node",
            };
            let what = &device.host;
            return Err(Error::Daemon(format!(
                "error gathering device information while adding custom device {what:?}: {why}"
            )));
        }
        for node in found {
            // A folder stands for all devices in it.
            let below = node.path.strip_prefix(device.host.trim_end_matches('/')).unwrap_or("").to_string();
            let path = format!("{}{below}", device.container.trim_end_matches('/'));
            all.push(Granted { node: DeviceNode { path, ..node }, access: device.access.clone() });
        }
    }
    Ok(all)
}

/// What every container has, of its own kind: never the host's.
fn is_own(path: &str) -> bool {
    const FOLDERS: [&str; 6] = ["pts", "shm", "fd", "mqueue", ".lxc", ".udev"];
    let name = path.trim_start_matches("/dev/");
    let folder = name.split('/').next().unwrap_or(name);
    FOLDERS.contains(&folder)
        || matches!(name, "console" | "ptmx")
        || defaults::DEVICES.iter().any(|(own, _, _)| *own == path)
}

/// Which devices may be used: later rules override earlier ones.
///
/// # Errors
/// As [`granted`].
pub(super) fn rules<W: World>(ctx: &Ctx<W>, record: &ContainerRecord) -> Result<Vec<DeviceRule>> {
    if record.host.privileged {
        return Ok(vec![DeviceRule { allow: true, kind: 'a', major: None, minor: None, access: "rwm".into() }]);
    }
    let mut rules = defaults::device_rules();
    rules.extend(granted(ctx, record)?.into_iter().map(|Granted { node, access }| DeviceRule {
        allow: true,
        kind: node.kind,
        major: Some(node.major),
        minor: Some(node.minor),
        access,
    }));
    rules.extend(record.host.resources.device_cgroup_rules.iter().filter_map(|r| parse_rule(r)));
    Ok(rules)
}

/// `c 1:3 rwm`, with `*` for any number.
pub(super) fn parse_rule(text: &str) -> Option<DeviceRule> {
    let [kind, numbers, access] = text.split(' ').collect::<Vec<_>>()[..] else { return None };
    let kind = match kind {
        "a" => 'a',
        "b" => 'b',
        "c" => 'c',
        _ => return None,
    };
    let (major, minor) = numbers.split_once(':')?;
    let number = |text: &str| if text == "*" { Some(None) } else { text.parse().ok().map(Some) };
    if access.is_empty() || access.len() > 3 || !access.chars().all(|c| "rwm".contains(c)) {
        return None;
    }
    Some(DeviceRule { allow: true, kind, major: number(major)?, minor: number(minor)?, access: access.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_the_command_line() {
        let rule = |kind, major, minor, access: &str| DeviceRule {
            allow: true,
            kind,
            major,
            minor,
            access: access.to_string(),
        };
        assert_eq!(parse_rule("c 1:3 rwm"), Some(rule('c', Some(1), Some(3), "rwm")));
        assert_eq!(parse_rule("b 8:* r"), Some(rule('b', Some(8), None, "r")));
        assert_eq!(parse_rule("a *:* rwm"), Some(rule('a', None, None, "rwm")));
        for text in ["x 1:3 r", "c 1 r", "c 1:3 q", "c 1:3", "c 1:x r", "c  1:3 r", "c 1:3 rwmr"] {
            assert_eq!(parse_rule(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_not_the_hosts() {
        for path in ["/dev/pts/0", "/dev/null", "/dev/shm/x", "/dev/console"] {
            assert!(is_own(path), "{path}");
        }
        assert!(!is_own("/dev/sda") && !is_own("/dev/net/tun"));
    }
}
