//! `RUN --mount=type=…,…`. What its variables stand for is known only where it is run: until then it is text, of
//! which only `from` is read.

use super::instruction::{Mount, MountFlag, MountKind, Sharing};
use super::parse::nearest;

/// All names of fields.
const KEYS: [&str; 19] = [
    "type",
    "from",
    "source",
    "target",
    "readonly",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "src",
    "dst",
    "destination",
    "ro",
    "rw",
    "readwrite",
    "env",
];

const KINDS: [&str; 5] = ["bind", "cache", "tmpfs", "secret", "ssh"];

impl MountFlag {
    /// Reads the value of one `--mount` flag as far as it can be without variables.
    pub(super) fn parse(text: &str) -> Result<MountFlag, String> {
        let mut from = None;
        for (key, value) in text.split(',').filter_map(|field| field.split_once('=')) {
            if key.eq_ignore_ascii_case("from") {
                if value.find('$').is_some_and(|at| at + 1 != value.len()) {
                    return Err("'from' doesn't support variable expansion, define alias stage instead".into());
                }
                from = Some(value.to_string()).filter(|v| !v.is_empty());
            }
        }
        Ok(MountFlag { text: text.to_string(), from })
    }

    /// The mount, its values as `expand` makes them.
    ///
    /// # Errors
    /// What is wrong, in BuildKit's words.
    pub fn mount(&self, expand: impl Fn(&str) -> Result<String, String>) -> Result<Mount, String> {
        let mut fields = Fields { kind: "bind".to_string(), ..Fields::default() };
        for field in self.text.split(',') {
            match field.split_once('=') {
                Some((key, value)) => fields.set(field, &key.to_lowercase(), expand(value)?)?,
                None => fields.switch(field)?,
            }
        }
        fields.mount()
    }

    /// As far as it is known without variables; nothing where that is not enough.
    pub fn unexpanded(&self) -> Option<Mount> {
        self.mount(|text| Ok(text.to_string())).ok()
    }
}

fn suggested(error: String, word: &str, known: &[&'static str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("{error} (did you mean {near}?)"),
        None => error,
    }
}

#[derive(Default)]
struct Fields {
    kind: String,
    from: Option<String>,
    source: String,
    target: String,
    read_only: Option<bool>,
    id: String,
    sharing: Option<Sharing>,
    required: bool,
    size: Option<u64>,
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
    env: Option<String>,
}

impl Fields {
    /// A field without a value.
    fn switch(&mut self, field: &str) -> Result<(), String> {
        let key = field.to_lowercase();
        match key.as_str() {
            "readonly" | "ro" => self.read_only = Some(true),
            "readwrite" | "rw" => self.read_only = Some(false),
            "required" => {
                self.only_for(&["secret", "ssh"], &key)?;
                self.required = true;
            }
            _ => return Err(format!("invalid field '{field}' must be a key=value pair")),
        }
        Ok(())
    }

    fn set(&mut self, field: &str, key: &str, value: String) -> Result<(), String> {
        let invalid = || format!("invalid value for {key}: {value}");
        let boolean = || match value.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
            _ => Err(invalid()),
        };
        let number =
            |base| u32::from_str_radix(&value, base).map(Some).map_err(|_| format!("invalid value {value} for {key}"));
        match key {
            "type" => {
                self.kind = value.to_lowercase();
                if !KINDS.contains(&self.kind.as_str()) {
                    return Err(suggested(format!("unsupported mount type {value:?}"), &value, &KINDS));
                }
            }
            "from" => self.from = Some(value).filter(|v| !v.is_empty()),
            "source" | "src" => self.source = value,
            "target" | "dst" | "destination" => self.target = value,
            "readonly" | "ro" => self.read_only = Some(boolean()?),
            "readwrite" | "rw" => self.read_only = Some(!boolean()?),
            "required" => {
                self.only_for(&["secret", "ssh"], key)?;
                self.required = boolean()?;
            }
            "size" => {
                self.only_for(&["tmpfs"], key)?;
                self.size = Some(crate::container::spec::parse_bytes(&value).map_err(|_| invalid())?);
            }
            "id" => self.id = value,
            "sharing" => {
                self.sharing = Some(match value.to_lowercase().as_str() {
                    "shared" => Sharing::Shared,
                    "private" => Sharing::Private,
                    "locked" => Sharing::Locked,
                    _ => {
                        let error = format!("unsupported sharing value {value:?}");
                        return Err(suggested(error, &value, &["shared", "private", "locked"]));
                    }
                });
            }
            "mode" => self.mode = number(8)?,
            "uid" => self.uid = number(10)?,
            "gid" => self.gid = number(10)?,
            "env" => self.env = Some(value),
            _ => return Err(suggested(format!("unexpected key '{key}' in '{field}'"), key, &KEYS)),
        }
        Ok(())
    }

    /// Some fields are for kinds that were named before them.
    fn only_for(&self, kinds: &[&str], key: &str) -> Result<(), String> {
        match kinds.contains(&self.kind.as_str()) {
            true => Ok(()),
            false => Err(format!("unexpected key '{key}' for mount type '{}'", self.kind)),
        }
    }

    fn check(&self) -> Result<(), String> {
        let kind = self.kind.as_str();
        for (name, given) in [("mode", self.mode), ("uid", self.uid), ("gid", self.gid)] {
            if given.is_some() && matches!(kind, "bind" | "tmpfs") {
                return Err(format!("{name} not allowed for {kind:?} type mounts"));
            }
        }
        let wrong = match kind {
            "secret" if self.from.is_some() => "secret mount should not have a from",
            "secret" if self.sharing.is_some() => "secret mount should not define sharing",
            "secret" if self.source.is_empty() && self.target.is_empty() && self.id.is_empty() => {
                "invalid secret mount. one of source, target required"
            }
            "secret" if !self.source.is_empty() && !self.id.is_empty() => "both source and id can't be set",
            "ssh" if !self.source.is_empty() => "ssh does not support source",
            "cache" => return Ok(()),
            _ if self.sharing.is_some() => return Err(format!("invalid cache sharing set for {kind} mount")),
            _ => return Ok(()),
        };
        Err(wrong.into())
    }

    fn mount(self) -> Result<Mount, String> {
        self.check()?;
        let writable = matches!(self.kind.as_str(), "cache" | "tmpfs");
        let read_only = self.read_only.unwrap_or(!writable);
        let owner = |mode| (self.mode.unwrap_or(mode), self.uid.unwrap_or(0), self.gid.unwrap_or(0));
        let mut target = self.target.clone();
        let last = |path: &str| path.rsplit('/').next().unwrap_or("").to_string();
        let kind = match self.kind.as_str() {
            "cache" => MountKind::Cache {
                id: if self.id.is_empty() { tidied(&self.target) } else { self.id },
                sharing: self.sharing.unwrap_or_default(),
                from: self.from,
                source: self.source,
                owner: (self.mode.unwrap_or(0o755), self.uid.unwrap_or(0), self.gid.unwrap_or(0)),
            },
            "tmpfs" => MountKind::Tmpfs { size: self.size },
            "secret" => {
                let owner = owner(0o400);
                let id = [self.source, self.id].into_iter().find(|id| !id.is_empty());
                let id = id.unwrap_or_else(|| last(&self.target));
                if target.is_empty() && self.env.is_none() {
                    target = format!("/run/secrets/{}", last(&id));
                }
                MountKind::Secret { id, required: self.required, env: self.env, owner }
            }
            "ssh" => MountKind::Ssh {
                id: if self.id.is_empty() { "default".into() } else { self.id },
                required: self.required,
            },
            _ => MountKind::Bind { from: self.from, source: self.source },
        };
        Ok(Mount { kind, target, read_only })
    }
}

/// A path without what says nothing: `/a//b/../c/` is `/a/c`.
fn tidied(path: &str) -> String {
    let full = crate::build::joined("/", path);
    if path.starts_with('/') || path.is_empty() { full } else { full[1..].to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Mount, String> {
        let expand = |text: &str| Ok(text.replace("$UID", "7").replace("$T", "cache"));
        MountFlag::parse(text)?.mount(expand)
    }

    #[test]
    fn kinds() {
        let cache = read("type=$T,target=/root//.cache/,uid=$UID").unwrap();
        let MountKind::Cache { id, owner, sharing, .. } = &cache.kind else { panic!("{cache:?}") };
        assert_eq!(
            (id.as_str(), *owner, *sharing, cache.read_only),
            ("/root/.cache", (0o755, 7, 0), Sharing::Shared, false)
        );
        assert_eq!(read("type=secret,id=a/token").unwrap().target, "/run/secrets/token");
        assert_eq!(read("type=secret,id=token,env=T").unwrap().target, "");
        let bind = read("target=/src").unwrap();
        assert!(bind.read_only && matches!(bind.kind, MountKind::Bind { from: None, .. }));
        assert!(!read("type=bind,from=a,source=/x,target=/y,rw").unwrap().read_only);
        let tmpfs = read("type=tmpfs,target=/t,size=1m").unwrap();
        assert!(matches!(tmpfs.kind, MountKind::Tmpfs { size: Some(1_048_576) }) && !tmpfs.read_only);
        assert!(MountFlag::parse("type=$X,target=/a").unwrap().unexpanded().is_none());
        for (bad, error) in [
            ("type=cach,target=/x", "unsupported mount type \"cach\" (did you mean cache?)"),
            ("type=tmpfs,target=/x,color=1", "unexpected key 'color' in 'color=1'"),
            ("type=cache,trget=/x", "unexpected key 'trget' in 'trget=/x' (did you mean target?)"),
            ("type=cache,target=/x,mode=9", "invalid value 9 for mode"),
            ("type=cache,target=/x,size=1", "unexpected key 'size' for mount type 'cache'"),
            ("type=cache,target=/x,sharing=lock", "unsupported sharing value \"lock\" (did you mean locked?)"),
            ("type=cache,target", "invalid field 'target' must be a key=value pair"),
            ("type=cache,target=/x,ro=2", "invalid value for ro: 2"),
            ("target=/x,uid=1", "uid not allowed for \"bind\" type mounts"),
            ("type=secret", "invalid secret mount. one of source, target required"),
            ("type=secret,id=a,source=b", "both source and id can't be set"),
            ("target=/x,sharing=locked", "invalid cache sharing set for bind mount"),
            ("target=/x,required", "unexpected key 'required' for mount type 'bind'"),
            ("from=$X,target=/x", "'from' doesn't support variable expansion, define alias stage instead"),
        ] {
            assert_eq!(read(bad).unwrap_err(), error, "{bad}");
        }
    }
}
