//! A project as `docker compose config` prints it, and the hash by which a changed service is noticed.

use super::schema::{FILE, NETWORK, SERVICE, Shape, Table, VOLUME};
use super::{Project, text};
use crate::name::Digest;
use serde_json::{Map, Value, json};

/// The whole project as JSON, with an indent of two.
pub fn json(project: &Project) -> String {
    let mut top = model(project);
    top.sort_keys();
    serde_json::to_string_pretty(&Value::Object(top)).unwrap_or_default() + "\n"
}

/// The whole project as YAML.
pub fn yaml(project: &Project) -> String {
    let mut top = Value::Object(model(project));
    drop_empty(&mut top);
    let mut out = String::new();
    write_map(top.as_object().unwrap_or(&Map::new()), 0, &mut out);
    out
}

/// What decides whether a container of this service is still as the file wants it.
pub fn hash(service: &Map<String, Value>) -> String {
    let mut known = service.clone();
    for key in ["build", "pull_policy", "scale", "depends_on", "profiles"] {
        known.remove(key);
    }
    if let Some(Value::Object(deploy)) = known.get_mut("deploy") {
        deploy.remove("replicas");
    }
    let mut value = ordered(&known, SERVICE);
    value.sort_all_objects();
    Digest::of(value.to_string().as_bytes()).hex()
}

/// What decides whether a network or a volume is still as the file wants it.
pub fn part_hash(kind: &str, item: &Value) -> String {
    let mut item = item.clone();
    if kind == "volume"
        && let Value::Object(map) = &mut item
    {
        map.entry("driver").or_insert("local".into());
    }
    item.sort_all_objects();
    Digest::of(item.to_string().as_bytes()).hex()
}

/// The project as one value, its parts in Compose's order.
fn model(project: &Project) -> Map<String, Value> {
    let mut top = Map::new();
    if !project.name.is_empty() {
        top.insert("name".into(), project.name.clone().into());
    }
    let services = project.services.iter().map(|(name, s)| (name.clone(), ordered(s, SERVICE)));
    top.insert("services".into(), Value::Object(services.collect()));
    for (key, part, table) in [
        ("networks", &project.networks, NETWORK),
        ("volumes", &project.volumes, VOLUME),
        ("secrets", &project.secrets, FILE),
        ("configs", &project.configs, FILE),
    ] {
        if part.is_empty() {
            continue;
        }
        let items = part.iter().map(|(name, item)| {
            let item = item.as_object().map_or(Value::Null, |item| ordered(item, table));
            (name.clone(), item)
        });
        top.insert(key.into(), Value::Object(items.collect()));
    }
    top.extend(project.extensions.clone());
    top
}

/// The map with its keys in the table's order, then the rest by name; without what says nothing.
fn ordered(map: &Map<String, Value>, table: Table) -> Value {
    let place = |key: &String| table.iter().position(|(name, _)| name == key).unwrap_or(usize::MAX);
    let mut keys: Vec<&String> = map.keys().collect();
    keys.sort_by_key(|key| (place(key), (*key).clone()));
    let items = keys.into_iter().filter_map(|key| {
        let shape = table.get(place(key)).map_or(Shape::Any, |(_, shape)| *shape);
        let value = arranged(shape, &map[key]);
        (!silent(key, shape, &value)).then(|| (key.clone(), value))
    });
    Value::Object(items.collect())
}

/// Whether a value is what its attribute has anyway.
fn silent(key: &str, shape: Shape, value: &Value) -> bool {
    match value {
        Value::Bool(false) => {
            shape == Shape::Bool && !matches!(key, "init" | "attach" | "required" | "enable_ipv4" | "enable_ipv6")
        }
        Value::Array(items) => items.is_empty() && !matches!(shape, Shape::Command | Shape::Any),
        Value::Object(map) => {
            map.is_empty() && matches!(shape, Shape::Pairs | Shape::Map | Shape::Named(_) | Shape::Limits(_))
        }
        _ => false,
    }
}

fn arranged(shape: Shape, value: &Value) -> Value {
    match (shape, value) {
        (Shape::Part(table) | Shape::PartOrText(table), Value::Object(map)) => ordered(map, table),
        (Shape::Parts(table) | Shape::PartsOrTexts(table) | Shape::Ports(table), Value::Array(items)) => {
            items.iter().map(|item| item.as_object().map_or_else(|| item.clone(), |map| ordered(map, table))).collect()
        }
        (Shape::Named(table) | Shape::Limits(table), Value::Object(map)) => {
            let mut sorted: Vec<(&String, &Value)> = map.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            let items = sorted.into_iter().map(|(name, item)| {
                (name.clone(), item.as_object().map_or_else(|| item.clone(), |map| ordered(map, table)))
            });
            Value::Object(items.collect())
        }
        (_, other) => {
            let mut other = other.clone();
            other.sort_all_objects();
            other
        }
    }
}

/// YAML leaves out what JSON has to say though it is empty.
fn drop_empty(top: &mut Value) {
    let parts = |top: &mut Value, part: &str, keys: &[&str]| {
        for item in top.get_mut(part).and_then(Value::as_object_mut).into_iter().flat_map(|m| m.values_mut()) {
            let Value::Object(item) = item else { continue };
            item.retain(|key, value| !(keys.contains(&key.as_str()) && (value.is_null() || *value == json!({}))));
            if let Some(Value::Object(deploy)) = item.get_mut("deploy") {
                deploy.retain(|key, value| key != "placement" || *value != json!({}));
            }
        }
    };
    parts(top, "services", &["command", "entrypoint"]);
    parts(top, "networks", &["ipam"]);
}

fn write_map(map: &Map<String, Value>, indent: usize, out: &mut String) {
    for (key, value) in map {
        out.push_str(&" ".repeat(indent));
        out.push_str(&scalar(key, indent));
        out.push(':');
        write_value(value, indent, out);
    }
}

/// A value after its key or dash; with the line's end.
fn write_value(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if map.is_empty() => out.push_str(" {}\n"),
        Value::Array(items) if items.is_empty() => out.push_str(" []\n"),
        Value::Object(map) => {
            out.push('\n');
            write_map(map, indent + 2, out);
        }
        Value::Array(items) => {
            out.push('\n');
            for item in items {
                out.push_str(&" ".repeat(indent + 2));
                out.push('-');
                match item {
                    Value::Object(map) if !map.is_empty() => {
                        // The first key stands beside the dash.
                        let mut inner = String::new();
                        write_map(map, indent + 4, &mut inner);
                        out.push(' ');
                        out.push_str(&inner[indent + 4..]);
                    }
                    other => write_value(other, indent + 2, out),
                }
            }
        }
        Value::String(text) => {
            out.push(' ');
            out.push_str(&scalar(text, indent + 2));
            out.push('\n');
        }
        Value::Null => out.push_str(" null\n"),
        other => {
            out.push(' ');
            out.push_str(&text(other));
            out.push('\n');
        }
    }
}

/// A text as YAML: plain where that is read back as the same text, else quoted as Go's library does.
pub fn scalar(text: &str, indent: usize) -> String {
    if text.contains('\n') {
        let tail = if text.ends_with("\n\n") {
            "+"
        } else if text.ends_with('\n') {
            ""
        } else {
            "-"
        };
        let lead = if text.starts_with([' ', '\n']) { "2" } else { "" };
        let lines: Vec<String> = text
            .trim_end_matches('\n')
            .split('\n')
            .map(|line| if line.is_empty() { String::new() } else { format!("{}{line}", " ".repeat(indent)) })
            .collect();
        return format!("|{lead}{tail}\n{}", lines.join("\n"));
    }
    if text.chars().any(|c| c.is_control()) || looks_typed(text) {
        return serde_json::to_string(text).unwrap_or_default();
    }
    let first = text.chars().next().unwrap_or(' ');
    let second_blank = text.chars().nth(1).is_none_or(|c| c == ' ');
    let special = "#,[]{}&*!|>'\"%@`".contains(first)
        || ("-?:".contains(first) && second_blank)
        || text.starts_with("---")
        || text.starts_with("...")
        || text.starts_with(' ')
        || text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #");
    if special { format!("'{}'", text.replace('\'', "''")) } else { text.to_string() }
}

/// Whether a plain text would be read as something else: a number, a truth value, nothing, a date.
fn looks_typed(text: &str) -> bool {
    let words = ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "=", "<<"];
    if words.contains(&text.to_ascii_lowercase().as_str()) {
        return true;
    }
    let bare = text.trim_start_matches(['+', '-']).replace('_', "");
    let based = ["0x", "0o", "0b"].iter().any(|p| {
        bare.strip_prefix(p).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_hexdigit()))
    });
    let digit = bare.starts_with(|c: char| c.is_ascii_digit());
    let number = (digit || bare.starts_with('.')) && bare.parse::<f64>().is_ok();
    let sixty =
        digit && bare.contains(':') && bare.split(':').skip(1).all(|p| p.parse::<f64>().is_ok_and(|n| n < 60.0));
    let date = text.len() >= 8
        && digit
        && text.get(..4).is_some_and(|y| y.bytes().all(|b| b.is_ascii_digit()))
        && text.get(4..5) == Some("-")
        && text[5..].starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().take(10).all(|b| b.is_ascii_digit() || b == b'-');
    based || number || sixty || date || matches!(bare.as_str(), ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars() {
        for (text, yaml) in [
            ("sleep", "sleep"),
            ("300", "\"300\""),
            ("no", "\"no\""),
            ("", "\"\""),
            ("a: b", "'a: b'"),
            ("it's", "it's"),
            ("- x", "'- x'"),
            ("-x", "-x"),
            ("1:20", "\"1:20\""),
            ("8080:80", "8080:80"),
            ("2024-01-02", "\"2024-01-02\""),
            ("1.2.3.4", "1.2.3.4"),
            ("*x", "'*x'"),
            ("a\nb\n", "|\n  a\n  b"),
        ] {
            assert_eq!(scalar(text, 2), yaml, "{text}");
        }
    }
}
