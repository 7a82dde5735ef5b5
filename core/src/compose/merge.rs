//! Several files, or a service and what it extends, as one. Both sides are in canonical form.
//! Source: the Compose specification, "Merge Compose files".

use serde_json::{Map, Value};

/// Puts `over` on top of `base`. `path` is where both stand, as `services.web.ports`.
pub fn merge(base: &mut Value, over: Value, path: &[&str]) {
    if replaced(base, &over, path) {
        *base = over;
        return;
    }
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => merge_maps(base, over, path),
        (Value::Array(base), Value::Array(over)) => {
            for item in over {
                let same = base.iter().position(|old| identity(old, path) == identity(&item, path));
                match same {
                    Some(at) if matches!(path, ["networks", _, "ipam", "config"]) => merge(&mut base[at], item, &[]),
                    Some(at) => base[at] = item,
                    None => base.push(item),
                }
            }
        }
        // Nothing said is nothing changed.
        (base, Value::Null) if !base.is_null() => {}
        (base, over) => *base = over,
    }
}

fn merge_maps(base: &mut Map<String, Value>, over: Map<String, Value>, path: &[&str]) {
    for (key, value) in over {
        let mut below = path.to_vec();
        below.push(&key);
        match base.get_mut(&key) {
            Some(old) => merge(old, value, &below),
            None => {
                base.insert(key.clone(), value);
            }
        }
    }
}

/// Takes away what a later file marks with `!reset` or `!override`; `paths` are seen from `base`.
pub fn take_away(base: &mut Value, paths: &[Vec<String>]) {
    for path in paths {
        let Some((last, folders)) = path.split_last() else { continue };
        let holder = folders.iter().try_fold(&mut *base, |value, key| value.get_mut(key));
        if let Some(Value::Object(map)) = holder {
            map.remove(last);
        }
    }
}

/// What the later file replaces as a whole.
fn replaced(base: &Value, over: &Value, path: &[&str]) -> bool {
    match path {
        ["services", _, "command" | "entrypoint"]
        | ["services", _, "healthcheck", "test"]
        | ["services", _, "ulimits", _] => true,
        ["services", _, "logging"] => {
            let drivers = (base.get("driver"), over.get("driver"));
            matches!(drivers, (Some(a), Some(b)) if a != b)
        }
        _ => false,
    }
}

/// What makes two items of a list the same one, so that the later takes the place of the earlier.
fn identity(item: &Value, path: &[&str]) -> String {
    let get = |key: &str| item.get(key).map(super::text).unwrap_or_default();
    match path {
        ["services", _, "ports"] if item.is_object() => {
            let host = Some(get("host_ip")).filter(|h| !h.is_empty()).unwrap_or_else(|| "0.0.0.0".into());
            format!("{host}:{}:{}/{}", get("published"), get("target"), get("protocol"))
        }
        ["services", _, "volumes" | "devices"] if item.is_object() => get("target"),
        ["services", _, "env_file"] if item.is_object() => get("path"),
        ["services", _, part @ ("secrets" | "configs")] if item.is_object() => match get("target") {
            target if !target.is_empty() => target,
            _ if *part == "secrets" => format!("/run/secrets/{}", get("source")),
            _ => format!("/{}", get("source")),
        },
        ["networks", _, "ipam", "config"] => get("subnet"),
        _ => item.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_by_its_rule() {
        for (path, base, over, merged) in [
            (&["services", "a", "command"][..], json!(["x"]), json!(null), json!(null)),
            (&["services", "a", "cap_add"], json!(["A", "B"]), json!(["B", "C"]), json!(["A", "B", "C"])),
            (&["services", "a", "ulimits", "nofile"], json!({"soft": 1, "hard": 2}), json!(5), json!(5)),
            (
                &["services", "a", "logging"],
                json!({"driver": "x", "options": {"o": "1"}}),
                json!({"driver": "y"}),
                json!({"driver": "y"}),
            ),
            (
                &["services", "a", "env_file"],
                json!([{"path": "a", "required": true}]),
                json!([{"path": "a", "required": false}]),
                json!([{"path": "a", "required": false}]),
            ),
            (
                &["services", "a", "secrets"],
                json!([{"source": "s"}]),
                json!([{"source": "t", "target": "/run/secrets/s"}]),
                json!([{"source": "t", "target": "/run/secrets/s"}]),
            ),
            (
                &["networks", "n", "ipam", "config"],
                json!([{"subnet": "10.0.0.0/8"}]),
                json!([{"subnet": "10.0.0.0/8", "gateway": "10.0.0.1"}]),
                json!([{"subnet": "10.0.0.0/8", "gateway": "10.0.0.1"}]),
            ),
        ] {
            let mut value = base.clone();
            merge(&mut value, over, path);
            assert_eq!(value, merged, "{path:?}");
        }
    }
}
