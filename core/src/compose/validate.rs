//! Whether a file has the form that the schema asks for. The words are those that Compose prints: where several
//! faults could be told, it tells the one that is deepest.

use super::schema::{PARTS, REQUIRED, Shape, TOP, Table, WORDS};
use serde_json::{Map, Value};

/// Checks a whole file.
///
/// # Errors
/// What is wrong and where, in Compose's words, without the file's name.
pub fn check(file: &Map<String, Value>) -> Result<(), String> {
    known(file, TOP, "")?;
    for (part, table) in PARTS {
        let Some(Value::Object(items)) = file.get(part) else { continue };
        for (name, item) in items {
            let path = format!("{part}.{name}");
            if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')) || name.is_empty() {
                return Err(format!("{part} additional properties '{name}' not allowed"));
            }
            match item {
                Value::Object(item) if part == "secrets" && item.contains_key("content") => {
                    return Err(format!("{path} additional properties 'content' not allowed"));
                }
                Value::Object(item) => known(item, table, &path)?,
                Value::Null if matches!(part, "networks" | "volumes") => {}
                _ => return Err(format!("{path} must be a mapping")),
            }
        }
    }
    match file.get("include") {
        None | Some(Value::Array(_)) => Ok(()),
        Some(_) => Err("include must be a array".into()),
    }
}

/// Attributes whose texts have a form, wherever in the text that form stands; the form as the schema writes it.
const PATTERNS: [(&str, fn(&str) -> bool, &str); 2] = [
    ("container_name", names_a_container, "[a-zA-Z0-9][a-zA-Z0-9_.-]+"),
    (
        "pull_policy",
        is_pull_policy,
        "always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+",
    ),
];

fn names_a_container(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    text.as_bytes().windows(2).any(|pair| pair[0].is_ascii_alphanumeric() && inner(pair[1]))
}

fn is_pull_policy(text: &str) -> bool {
    let words = ["always", "never", "build", "if_not_present", "missing", "refresh", "daily", "weekly"];
    let span = |rest: &str| {
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        unit.len() < rest.len() && unit.starts_with(['w', 'd', 'h', 'm', 's'])
    };
    words.iter().any(|w| text.contains(w)) || text.split("every_").skip(1).any(span)
}

fn known(map: &Map<String, Value>, table: Table, path: &str) -> Result<(), String> {
    let unknown: Vec<String> = map
        .keys()
        .filter(|k| !k.starts_with("x-") && !table.iter().any(|(name, _)| name == k))
        .map(|k| format!("'{k}'"))
        .collect();
    if !unknown.is_empty() {
        return Err(format!("{path} additional properties {} not allowed", unknown.join(", ")));
    }
    for (key, value) in map {
        let Some((_, shape)) = table.iter().find(|(name, _)| name == key) else { continue };
        let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        fits(*shape, value, &here, key)?;
        if let (Some((_, fits, pattern)), Value::String(word)) = (PATTERNS.iter().find(|(name, ..)| name == key), value)
            && !fits(word)
            && !word.contains('$')
        {
            return Err(format!("{here} '{word}' does not match pattern '{pattern}'"));
        }
        let words = WORDS.iter().find(|(name, _)| name == key).map(|(_, words)| *words);
        if let (Some(words), Value::String(word)) = (words, value)
            && !words.contains(&word.as_str())
            // What is still to be put in is looked at afterwards.
            && !word.contains('$')
            && !(path.ends_with("provider") || path.ends_with("restart_policy"))
        {
            let quoted: Vec<String> = words.iter().map(|w| format!("'{w}'")).collect();
            return Err(format!("{here} value must be one of {}", quoted.join(", ")));
        }
    }
    Ok(())
}

/// A map that is a part of something: nothing in it is unknown, and what it needs is there.
fn part(map: &Map<String, Value>, table: Table, path: &str, holder: &str) -> Result<(), String> {
    known(map, table, path)?;
    let required = REQUIRED.iter().find(|(name, _)| *name == holder).map_or(&[][..], |(_, keys)| keys);
    // Devices that are reserved are something else than those that are passed on.
    let required = if path.contains(".reservations.") { &["capabilities"][..] } else { required };
    let missing: Vec<String> = required.iter().filter(|k| !map.contains_key(**k)).map(|k| format!("'{k}'")).collect();
    match missing.len() {
        0 => Ok(()),
        1 => Err(format!("{path} missing property {}", missing[0])),
        _ => Err(format!("{path} missing properties {}", missing.join(", "))),
    }
}

fn scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

fn must(path: &str, what: &str) -> Result<(), String> {
    Err(format!("{path} must be a {what}"))
}

fn items(value: &Value, path: &str, fit: impl Fn(&Value) -> bool, what: &str) -> Result<(), String> {
    let list = value.as_array().map_or(&[][..], Vec::as_slice);
    if let Some(at) = list.iter().position(|item| !fit(item)) {
        return must(&format!("{path}.{at}"), what);
    }
    unique(list, path)
}

fn unique(list: &[Value], path: &str) -> Result<(), String> {
    for (at, item) in list.iter().enumerate() {
        if let Some(earlier) = list[..at].iter().position(|other| other == item) {
            return Err(format!("{path} items at {earlier} and {at} are equal"));
        }
    }
    Ok(())
}

/// `key` is the attribute's name, by which it is known what its parts need.
fn fits(shape: Shape, value: &Value, path: &str, key: &str) -> Result<(), String> {
    let (text, list, map) = (value.is_string(), value.is_array(), value.is_object());
    let (number, boolean, null) = (value.is_number(), value.is_boolean(), value.is_null());
    let (fit, wanted) = match shape {
        Shape::Text => (text || (path == "version" && number) || (null && key == "pid"), "string"),
        Shape::Bool => (boolean || text, "boolean or string"),
        Shape::Integer => (value.is_i64() || text, "integer or string"),
        Shape::Number | Shape::Bytes | Shape::Mode => (number || text, "number or string"),
        Shape::Duration => (text, "string"),
        Shape::List | Shape::Values => (list, "array"),
        Shape::TextOrList => (text || list, "string"),
        Shape::Command => (text || list || null, "null"),
        Shape::Pairs | Shape::Hosts => (list || map, "mapping"),
        Shape::Map | Shape::Limits(_) => (map, "mapping"),
        Shape::Part(_) => (map || (null && matches!(key, "deploy" | "develop")), "mapping"),
        Shape::Parts(_) | Shape::PartsOrTexts(_) | Shape::Ports(_) => (list, "array"),
        Shape::Named(_) => (list || map, "array"),
        Shape::PartOrText(_) => (map || text, "string"),
        Shape::Any => (true, ""),
    };
    if !fit {
        return must(path, wanted);
    }
    match (shape, value) {
        (Shape::List | Shape::TextOrList | Shape::Pairs | Shape::Hosts | Shape::Named(_), Value::Array(_)) => {
            items(value, path, Value::is_string, "string")
        }
        (Shape::Command, Value::Array(_)) if key != "test" => match value.as_array().map(|l| l.iter()) {
            Some(mut list) => match list.position(|item| !item.is_string()) {
                Some(at) => must(&format!("{path}.{at}"), "string"),
                None => Ok(()),
            },
            None => Ok(()),
        },
        (Shape::Values, _) => items(value, path, |v| v.is_string() || v.is_number(), "number or string"),
        (Shape::Pairs, Value::Object(pairs)) => match pairs.iter().find(|(_, v)| !scalar(v)) {
            Some((name, _)) => must(&format!("{path}.{name}"), "boolean, null, number or string"),
            None => Ok(()),
        },
        (Shape::Part(table) | Shape::PartOrText(table), Value::Object(map)) => part(map, table, path, key),
        (Shape::Parts(table) | Shape::PartsOrTexts(table) | Shape::Ports(table), Value::Array(list)) => {
            for (at, item) in list.iter().enumerate() {
                let here = format!("{path}.{at}");
                match (shape, item) {
                    (_, Value::Object(map)) => part(map, table, &here, key)?,
                    (Shape::PartsOrTexts(_) | Shape::Ports(_), Value::String(_)) => {}
                    (Shape::Ports(_), Value::Number(_)) => {}
                    (Shape::Parts(_), _) => must(&here, "mapping")?,
                    (Shape::Ports(_), _) => must(&here, "number")?,
                    _ => must(&here, "string")?,
                }
            }
            if matches!(key, "ports" | "volumes") { unique(list, path) } else { Ok(()) }
        }
        (Shape::Named(table) | Shape::Limits(table), Value::Object(map)) => {
            for (name, item) in map {
                let here = format!("{path}.{name}");
                match item {
                    Value::Object(item) => part(item, table, &here, &format!("{key}.*"))?,
                    Value::Null if matches!(key, "networks" | "models") => {}
                    Value::Number(_) | Value::String(_) if matches!(shape, Shape::Limits(_)) => {}
                    _ if matches!(shape, Shape::Limits(_)) => must(&here, "integer or string")?,
                    _ => must(&here, "mapping")?,
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words() {
        let service = |inner: Value| json!({"services": {"a": inner}});
        for (file, error) in [
            (service(json!({"imag": "x"})), "services.a additional properties 'imag' not allowed"),
            (service(json!({"image": 1})), "services.a.image must be a string"),
            (service(json!({"ports": 80})), "services.a.ports must be a array"),
            (service(json!({"ports": [true]})), "services.a.ports.0 must be a number"),
            (service(json!({"ports": [{"targt": 1}]})), "services.a.ports.0 additional properties 'targt' not allowed"),
            (service(json!({"ports": ["80", "80"]})), "services.a.ports items at 0 and 1 are equal"),
            (service(json!({"environment": [1]})), "services.a.environment.0 must be a string"),
            (service(json!({"environment": null})), "services.a.environment must be a mapping"),
            (
                service(json!({"environment": {"A": []}})),
                "services.a.environment.A must be a boolean, null, number or string",
            ),
            (service(json!({"command": ["x", 1]})), "services.a.command.1 must be a string"),
            (service(json!({"volumes": [{"target": "/x"}]})), "services.a.volumes.0 missing property 'type'"),
            (service(json!({"depends_on": {"b": {}}})), "services.a.depends_on.b missing property 'condition'"),
            (
                service(json!({"depends_on": {"b": {"condition": "up"}}})),
                "services.a.depends_on.b.condition value must be one of 'service_started', 'service_healthy', 'service_completed_successfully'",
            ),
            (
                service(json!({"deploy": {"resources": {"limit": {}}}})),
                "services.a.deploy.resources additional properties 'limit' not allowed",
            ),
            (
                service(json!({"develop": {"watch": [{"path": "."}]}})),
                "services.a.develop.watch.0 missing property 'action'",
            ),
            (service(json!({"ulimits": {"nofile": {"soft": 1}}})), "services.a.ulimits.nofile missing property 'hard'"),
            (json!({"services": {"a": "x"}}), "services.a must be a mapping"),
            (json!({"services": {"a": null}}), "services.a must be a mapping"),
            (json!({"services": []}), "services must be a mapping"),
            (json!({"secrets": {"s": {"content": "x"}}}), "secrets.s additional properties 'content' not allowed"),
            (json!({"foo": 1}), " additional properties 'foo' not allowed"),
        ] {
            assert_eq!(check(file.as_object().expect("a map")), Err(error.to_string()), "{file}");
        }
        let good = json!({
            "x-a": 1,
            "services": {"a": {
                "image": "x", "x-b": 2, "networks": {"n": null}, "deploy": {"restart_policy": {"condition": "any"}},
                "ulimits": {"nofile": 5}, "command": null,
            }},
            "volumes": {"v": null},
        });
        assert_eq!(check(good.as_object().expect("a map")), Ok(()));
    }
}
