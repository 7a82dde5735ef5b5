//! `RUN --mount=type=…,…`.

use super::instruction::{Mount, MountKind};

/// Reads the value of one `--mount` flag.
pub fn parse_mount(text: &str) -> Result<Mount, String> {
    let mut fields: Vec<(&str, Option<&str>)> = Vec::new();
    for field in text.split(',') {
        let (name, value) = field.split_once('=').map_or((field, None), |(n, v)| (n, Some(v)));
        fields.push((name, value));
    }
    let of = |names: &[&str]| fields.iter().find(|(n, _)| names.contains(n)).map(|(_, v)| *v);
    let text_of = |names: &[&str]| of(names).flatten().map(str::to_string);
    let on = |names: &[&str]| of(names).is_some_and(|v| v.is_none_or(|v| v == "true" || v == "1"));
    let kind = text_of(&["type"]).unwrap_or_else(|| "bind".into());
    let known: &[&str] = match kind.as_str() {
        "bind" => &["from", "source", "src", "target", "dst", "destination", "rw", "readwrite", "ro", "readonly"],
        "cache" => &[
            "id",
            "from",
            "source",
            "src",
            "target",
            "dst",
            "destination",
            "ro",
            "readonly",
            "rw",
            "readwrite",
            "sharing",
            "mode",
            "uid",
            "gid",
        ],
        "tmpfs" => &["target", "dst", "destination", "size"],
        "secret" => &["id", "source", "src", "target", "dst", "destination", "required", "env", "mode", "uid", "gid"],
        "ssh" => &["id", "target", "dst", "destination", "required", "mode", "uid", "gid"],
        other => return Err(format!("unsupported mount type {other:?}")),
    };
    for (name, _) in &fields {
        if *name != "type" && !known.contains(name) {
            return Err(format!("unexpected key '{name}' in '{}'", field_text(&fields, name)));
        }
    }
    let number = |name: &str, base: u32, default: u32| match text_of(&[name]) {
        None => Ok(default),
        Some(text) => u32::from_str_radix(&text, base).map_err(|_| format!("invalid value {text} for {name}")),
    };
    let target = text_of(&["target", "dst", "destination"]).unwrap_or_default();
    let source = text_of(&["source", "src"]).unwrap_or_default();
    if target.is_empty() && matches!(kind.as_str(), "bind" | "cache" | "tmpfs") {
        return Err("invalid mount target \"\"".into());
    }
    let read_only = on(&["ro", "readonly"]) || (kind == "bind" && !on(&["rw", "readwrite"]));
    let (uid, gid) = (number("uid", 10, 0)?, number("gid", 10, 0)?);
    let kind = match kind.as_str() {
        "cache" => MountKind::Cache {
            id: text_of(&["id"]).unwrap_or_else(|| target.clone()),
            sharing: text_of(&["sharing"]).unwrap_or_else(|| "shared".into()),
            from: text_of(&["from"]),
            source,
            mode: number("mode", 8, 0o755)?,
            uid,
            gid,
        },
        "tmpfs" => MountKind::Tmpfs {
            size: match text_of(&["size"]) {
                None => None,
                Some(text) => {
                    Some(crate::container::spec::parse_bytes(&text).ok().ok_or(format!("invalid size: {text}"))?)
                }
            },
        },
        "secret" => {
            let id = text_of(&["id"]).or_else(|| Some(source.clone()).filter(|s| !s.is_empty()));
            let id = id.unwrap_or_else(|| target.rsplit('/').next().unwrap_or("").to_string());
            if id.is_empty() {
                return Err("secret mount requires id or target".into());
            }
            MountKind::Secret {
                id,
                required: on(&["required"]),
                env: text_of(&["env"]),
                mode: number("mode", 8, 0o400)?,
                uid,
                gid,
            }
        }
        "ssh" => {
            MountKind::Ssh { id: text_of(&["id"]).unwrap_or_else(|| "default".into()), required: on(&["required"]) }
        }
        _ => MountKind::Bind { from: text_of(&["from"]), source },
    };
    let target = match &kind {
        MountKind::Secret { id, env: None, .. } if target.is_empty() => format!("/run/secrets/{id}"),
        _ => target,
    };
    Ok(Mount { kind, target, read_only })
}

fn field_text(fields: &[(&str, Option<&str>)], name: &str) -> String {
    match fields.iter().find(|(n, _)| *n == name) {
        Some((name, Some(value))) => format!("{name}={value}"),
        _ => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let cache = parse_mount("type=cache,target=/root/.cache,uid=5").unwrap();
        assert!(matches!(&cache.kind, MountKind::Cache { id, uid: 5, mode: 0o755, .. } if id == "/root/.cache"));
        let secret = parse_mount("type=secret,id=token").unwrap();
        assert_eq!(secret.target, "/run/secrets/token");
        let bind = parse_mount("target=/src").unwrap();
        assert!(bind.read_only && matches!(bind.kind, MountKind::Bind { from: None, .. }));
        assert!(!parse_mount("type=bind,from=a,source=/x,target=/y,rw").unwrap().read_only);
        assert!(matches!(
            parse_mount("type=tmpfs,target=/t,size=1m").unwrap().kind,
            MountKind::Tmpfs { size: Some(1_048_576) }
        ));
        for (bad, error) in [
            ("type=disk,target=/x", "unsupported mount type \"disk\""),
            ("type=cache", "invalid mount target \"\""),
            ("type=tmpfs,target=/x,id=1", "unexpected key 'id' in 'id=1'"),
            ("type=cache,target=/x,mode=9", "invalid value 9 for mode"),
        ] {
            assert_eq!(parse_mount(bad).unwrap_err(), error, "{bad}");
        }
    }
}
