//! Mounts as `-v` and `--mount` write them, turned into one form and checked.

use crate::container::spec::{SpecError, csv, parse_bool, parse_bytes};
use crate::container::{MountKind, MountPoint};
use cutaway_userland::sorted::Map as BTreeMap;
use serde::{Deserialize, Serialize};

/// One `--mount`, as asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountSpec {
    /// `bind`, `volume` or `tmpfs`.
    pub kind: String,
    pub source: String,
    pub target: String,
    pub read_only: bool,
    pub propagation: String,
    pub non_recursive: bool,
    pub create_host_path: bool,
    pub no_copy: bool,
    pub subpath: String,
    pub driver: String,
    pub driver_opts: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    /// Bytes, and permission bits.
    pub tmpfs_size: Option<u64>,
    pub tmpfs_mode: Option<u32>,
}

/// Reads one value of `--mount`. `cwd` makes a bind's `./source` absolute.
pub fn parse_mount(text: &str, cwd: &str) -> Result<MountSpec, String> {
    if text.trim().is_empty() {
        return Err("EOF".into());
    }
    let mut mount = MountSpec { kind: "volume".into(), ..MountSpec::default() };
    let mut families: Vec<&str> = Vec::new();
    for field in csv(text) {
        let (key, value) = field.split_once('=').map_or((field.as_str(), None), |(k, v)| (k, Some(v)));
        let key = key.to_lowercase();
        let flag = |value: Option<&str>| match value {
            None => Ok(true),
            Some(v) => parse_bool(v).ok_or_else(|| format!("invalid value for {key}: {v}")),
        };
        if matches!(key.as_str(), "readonly" | "ro") {
            mount.read_only = flag(value)?;
            continue;
        }
        if matches!(key.as_str(), "volume-nocopy" | "bind-nonrecursive" | "bind-create-src") {
            match key.as_str() {
                "volume-nocopy" => mount.no_copy = flag(value)?,
                "bind-nonrecursive" => mount.non_recursive = flag(value)?,
                _ => mount.create_host_path = flag(value)?,
            }
            families.push(if key.starts_with("volume") { "volume" } else { "bind" });
            continue;
        }
        let value = value.ok_or_else(|| format!("invalid field '{field}' must be a key=value pair"))?;
        set_field(&mut mount, &mut families, &key, value, &field)?;
    }
    if mount.kind.is_empty() {
        return Err("type is required".into());
    }
    if mount.target.is_empty() {
        return Err("target is required".into());
    }
    for family in ["volume", "bind", "tmpfs"] {
        if families.contains(&family) && mount.kind != family && !(family == "bind" && mount.kind == "cluster") {
            return Err(format!("cannot mix '{family}-*' options with mount type '{}'", mount.kind));
        }
    }
    if mount.kind == "bind" && mount.source.starts_with('.') {
        mount.source = absolute(cwd, &mount.source);
    }
    Ok(mount)
}

fn set_field(
    mount: &mut MountSpec,
    families: &mut Vec<&str>,
    key: &str,
    value: &str,
    field: &str,
) -> Result<(), String> {
    let pair = || value.split_once('=').map_or((value.to_string(), String::new()), |(k, v)| (k.into(), v.into()));
    match key {
        "type" => mount.kind = value.to_lowercase(),
        "source" | "src" => mount.source = value.into(),
        "target" | "dst" | "destination" => mount.target = value.into(),
        "consistency" => {}
        "bind-propagation" => {
            mount.propagation = value.to_lowercase();
            families.push("bind");
        }
        "bind-recursive" => {
            match value {
                "enabled" => mount.non_recursive = false,
                "disabled" => mount.non_recursive = true,
                "writable" | "readonly" => {}
                _ => {
                    return Err(format!(
                        "invalid value for {key}: {value} (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")"
                    ));
                }
            }
            families.push("bind");
        }
        "volume-subpath" => {
            mount.subpath = value.into();
            families.push("volume");
        }
        "volume-label" => {
            mount.labels.extend([pair()]);
            families.push("volume");
        }
        "volume-driver" => {
            mount.driver = value.into();
            families.push("volume");
        }
        "volume-opt" => {
            mount.driver_opts.extend([pair()]);
            families.push("volume");
        }
        "tmpfs-size" => {
            mount.tmpfs_size = Some(parse_bytes(value).map_err(|_| format!("invalid value for {key}: {value}"))?);
            families.push("tmpfs");
        }
        "tmpfs-mode" => {
            let mode = u32::from_str_radix(value, 8).map_err(|_| format!("invalid value for {key}: {value}"))?;
            mount.tmpfs_mode = Some(mode);
            families.push("tmpfs");
        }
        _ => return Err(format!("unexpected key '{key}' in '{field}'")),
    }
    Ok(())
}

/// Joins a path on `cwd` and takes `.` and `..` out of it.
pub fn absolute(cwd: &str, path: &str) -> String {
    clean(&if path.starts_with('/') { path.to_string() } else { format!("{cwd}/{path}") })
}

/// The shortest form of an absolute path.
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

const PROPAGATIONS: [&str; 6] = ["private", "rprivate", "slave", "rslave", "shared", "rshared"];

/// Whether the third part of `-v` may be this: at most one word of each sort. Source: moby, volume/mounts.
fn is_mode(mode: &str) -> bool {
    let mut seen = [0; 5];
    for word in mode.split(',').filter(|_| !mode.is_empty()) {
        let sort = match word {
            "rw" | "ro" => 0,
            "z" | "Z" => 1,
            "nocopy" => 2,
            "consistent" | "cached" | "delegated" | "default" => 3,
            _ if PROPAGATIONS.contains(&word) => 4,
            _ => return false,
        };
        seen[sort] += 1;
    }
    seen.iter().all(|n| *n <= 1)
}

fn invalid(kind: &str, why: &str) -> String {
    format!("invalid mount config for type \"{kind}\": {why}")
}

fn check_target(kind: &str, target: &str) -> Result<(), String> {
    if target.is_empty() {
        return Err(invalid(kind, "field Target must not be empty"));
    }
    if clean(&format!("/{target}")) == "/" {
        return Err(invalid(kind, "invalid specification: destination can't be '/'"));
    }
    if !target.starts_with('/') {
        return Err(invalid(kind, &format!("invalid mount path: '{target}' mount path must be absolute")));
    }
    Ok(())
}

/// What the client itself finds wrong with a `-v`: parts that are empty or too many. Source: docker/cli,
/// internal/volumespec.
pub fn check_bind(text: &str) -> Result<(), SpecError> {
    if text.is_empty() {
        return Err(SpecError::client("invalid empty volume spec"));
    }
    if text.len() <= 2 {
        return Ok(());
    }
    let wrong = |what: &str| Err(SpecError::client(format!("invalid spec: {text}: {what}")));
    let (mut part, mut parts) = (String::new(), 0);
    for c in text.chars().map(Some).chain([None]) {
        // `c:` is the drive of another system.
        let drive = c == Some(':') && part.len() == 1 && part.starts_with(|c: char| c.is_alphabetic());
        match c {
            Some(c) if c != ':' || drive => part.push(c),
            _ if part.is_empty() => return wrong("empty section between colons"),
            Some(_) if parts == 2 => return wrong("too many colons"),
            _ => {
                parts += 1;
                part.clear();
            }
        }
    }
    Ok(())
}

/// The mount of one `-v` value with a source, or of one without (an anonymous volume at a path).
pub fn parse_bind(text: &str) -> Result<MountPoint, SpecError> {
    let bad = || SpecError::daemon(format!("invalid volume specification: '{text}'"));
    let parts: Vec<&str> = text.splitn(4, ':').collect();
    let (source, target, mode) = match parts[..] {
        ["", ..] => return Err(bad()),
        [target] => ("", target, ""),
        [source, mode] if !mode.is_empty() && is_mode(mode) => {
            let _ = source;
            return Err(bad());
        }
        [source, target] => (source, target, ""),
        [source, target, mode] => (source, target, mode),
        _ => return Err(bad()),
    };
    if !is_mode(mode) {
        return Err(SpecError::daemon(format!("invalid mode: {mode}")));
    }
    let words: Vec<&str> = mode.split(',').collect();
    let kind = if source.starts_with('/') { MountKind::Bind } else { MountKind::Volume };
    let inner = |why: String| SpecError::daemon(format!("invalid volume specification: '{text}': {why}"));
    check_target(kind.name(), target).map_err(inner)?;
    let propagation = words.iter().find(|w| PROPAGATIONS.contains(w)).map(|w| w.to_string());
    if kind == MountKind::Volume && propagation.is_some() {
        return Err(bad());
    }
    Ok(MountPoint {
        kind,
        name: if kind == MountKind::Volume { source.to_string() } else { String::new() },
        source: if kind == MountKind::Bind { clean(source) } else { String::new() },
        destination: clean(target),
        mode: mode.to_string(),
        writable: !words.contains(&"ro"),
        propagation: match kind {
            MountKind::Bind => propagation.unwrap_or_else(|| "rprivate".into()),
            _ => String::new(),
        },
        subpath: String::new(),
        anonymous: source.is_empty(),
        copy: kind == MountKind::Volume && !words.contains(&"nocopy"),
        device: None,
        options: String::new(),
    })
}

impl MountSpec {
    /// The mount that it asks for. That a bind's source is there is for the engine to check.
    pub fn point(&self) -> Result<MountPoint, SpecError> {
        let refuse = |why: &str| SpecError::daemon(invalid(&self.kind, why));
        check_target(&self.kind, &self.target).map_err(SpecError::Daemon)?;
        let kind = match self.kind.as_str() {
            "bind" => MountKind::Bind,
            "volume" => MountKind::Volume,
            "tmpfs" => MountKind::Tmpfs,
            _ => return Err(refuse("mount type unknown")),
        };
        match kind {
            MountKind::Bind if self.source.is_empty() => return Err(refuse("field Source must not be empty")),
            MountKind::Bind if !self.source.starts_with('/') => {
                let why = format!("invalid mount path: '{}' mount path must be absolute", self.source);
                return Err(refuse(&why));
            }
            MountKind::Bind if !self.propagation.is_empty() && !PROPAGATIONS.contains(&self.propagation.as_str()) => {
                return Err(refuse(&format!("invalid propagation mode: {}", self.propagation)));
            }
            MountKind::Tmpfs if !self.source.is_empty() => return Err(refuse("field Source must not be specified")),
            MountKind::Volume if self.source.is_empty() && self.read_only => {
                return Err(refuse("must not set ReadOnly mode when using anonymous volumes"));
            }
            _ => {}
        }
        let mut options: Vec<String> = Vec::new();
        options.extend(self.read_only.then(|| "ro".to_string()));
        options.extend(self.tmpfs_mode.map(|m| format!("mode={m:o}")));
        options.extend(self.tmpfs_size.map(|n| format!("size={n}")));
        Ok(MountPoint {
            kind,
            name: if kind == MountKind::Volume { self.source.clone() } else { String::new() },
            source: if kind == MountKind::Bind { clean(&self.source) } else { String::new() },
            destination: clean(&self.target),
            mode: if kind == MountKind::Volume { "z".into() } else { String::new() },
            writable: !self.read_only,
            propagation: match (kind, self.propagation.as_str()) {
                (MountKind::Bind, "") => "rprivate".into(),
                (MountKind::Bind, given) => given.into(),
                _ => String::new(),
            },
            subpath: self.subpath.clone(),
            anonymous: kind == MountKind::Volume && self.source.is_empty(),
            copy: kind == MountKind::Volume && !self.no_copy,
            device: None,
            options: if kind == MountKind::Tmpfs { options.join(",") } else { String::new() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binds() {
        let point = |text: &str| parse_bind(text).expect(text);
        let shape = |p: MountPoint| (p.kind, format!("{}{}", p.name, p.source), p.destination, p.writable, p.anonymous);
        assert_eq!(shape(point("data:/d")), (MountKind::Volume, "data".into(), "/d".into(), true, false));
        assert_eq!(shape(point("/a/../b:/d/:ro")), (MountKind::Bind, "/b".into(), "/d".into(), false, false));
        assert_eq!(shape(point("/scratch")), (MountKind::Volume, "".into(), "/scratch".into(), true, true));
        for (text, why) in [
            (
                "data:relative",
                "invalid volume specification: 'data:relative': invalid mount config for type \"volume\": invalid mount path: 'relative' mount path must be absolute",
            ),
            ("/a:/b:zz", "invalid mode: zz"),
            ("/a:/b:ro,rw", "invalid mode: ro,rw"),
            (":/b", "invalid volume specification: ':/b'"),
            ("/a:ro", "invalid volume specification: '/a:ro'"),
            ("a:/b:ro:x", "invalid volume specification: 'a:/b:ro:x'"),
            (
                "/a:/",
                "invalid volume specification: '/a:/': invalid mount config for type \"bind\": invalid specification: destination can't be '/'",
            ),
        ] {
            assert_eq!(parse_bind(text), Err(SpecError::daemon(why)), "{text}");
        }
    }

    #[test]
    fn mounts() {
        let mount = parse_mount("type=bind,src=./x,dst=/b,readonly", "/w").expect("a mount");
        assert_eq!((mount.source.as_str(), mount.read_only), ("/w/x", true));
        for (text, why) in [
            ("foo", "invalid field 'foo' must be a key=value pair"),
            ("type=volume", "target is required"),
            ("type=volume,dst=/x,readonly=z", "invalid value for readonly: z"),
            ("type=bind,src=/a,dst=/b,volume-nocopy=true", "cannot mix 'volume-*' options with mount type 'bind'"),
            ("type=volume,dst=/b,foo=bar", "unexpected key 'foo' in 'foo=bar'"),
            ("", "EOF"),
        ] {
            assert_eq!(parse_mount(text, "/"), Err(why.to_string()), "{text}");
        }
    }
}
