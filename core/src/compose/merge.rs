//! Several files, or a service and what it extends, as one. Both sides are in canonical form.
//! Source: the Compose specification, "Merge Compose files".

use serde_json::{Map, Value};

/// Puts `over` on top of `base`. `path` is where both stand, as `services.web.ports`.
pub fn merge(base: &mut Value, over: Value, path: &[&str]) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => merge_maps(base, over, path),
        (Value::Array(base), Value::Array(over)) if !replaced(path) => {
            for item in over {
                let same = base.iter().position(|old| identity(old, path) == identity(&item, path));
                match same {
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

/// Lists that the later file replaces.
fn replaced(path: &[&str]) -> bool {
    matches!(path, ["services", _, "command" | "entrypoint"] | ["services", _, "healthcheck", "test"])
}

/// What makes two items of a list the same one, so that the later takes the place of the earlier.
fn identity(item: &Value, path: &[&str]) -> String {
    let keys: &[&str] = match path {
        ["services", _, "ports"] => &["host_ip", "target", "published", "protocol"],
        ["services", _, "volumes" | "devices"] => &["target"],
        ["services", _, "secrets" | "configs"] => &["source", "target"],
        _ => &[],
    };
    match item {
        Value::Object(map) if !keys.is_empty() => {
            keys.iter().map(|k| map.get(*k).map(super::text).unwrap_or_default() + "\0").collect()
        }
        other => other.to_string(),
    }
}
