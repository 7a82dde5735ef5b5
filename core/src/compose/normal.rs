//! Short forms to the canonical form, one attribute at a time. What is still missing then (defaults, names,
//! values from the environment) is the business of `finish`.

use super::schema::{PARTS, Shape, Table};
use super::{short, split_words, text, texts};
use crate::container::spec::{parse_bytes, parse_duration};
use serde_json::{Map, Value, json};

/// A whole file, in place.
///
/// # Errors
/// What can't be read and where, in Compose's words.
pub fn file(top: &mut Map<String, Value>) -> Result<Vec<String>, String> {
    let mut warnings = Vec::new();
    for (part, table) in PARTS {
        let Some(Value::Object(items)) = top.get_mut(part) else { continue };
        for (name, item) in items {
            let path = format!("{part}.{name}");
            let Value::Object(item) = item else { continue };
            attributes(item, table, &path)?;
            if part == "services" {
                service(item, &path)?;
            } else if let Some(Value::Object(external)) = item.get("external").cloned() {
                // The old form `external: {name: x}`.
                if let Some(old) = external.get("name") {
                    warnings.push(format!("{path}: external.name is deprecated. Please set name and external: true"));
                    if item.get("name").is_some_and(|name| name != old) {
                        return Err(format!("{path}: name and external.name conflict; only use name"));
                    }
                }
                item.insert("external".into(), true.into());
                item.extend(external.into_iter().filter(|(k, _)| k == "name"));
            }
        }
    }
    Ok(warnings)
}

fn attributes(map: &mut Map<String, Value>, table: Table, path: &str) -> Result<(), String> {
    for (key, value) in map.iter_mut() {
        if let Some((_, shape)) = table.iter().find(|(name, _)| name == key) {
            let old = value.take();
            *value = shaped(*shape, old, &format!("{path}.{key}"))?;
        }
    }
    map.retain(|key, value| {
        !value.is_null()
            || table.iter().any(|(name, shape)| name == key && matches!(shape, Shape::Command | Shape::Named(_)))
            || key.starts_with("x-")
    });
    Ok(())
}

fn shaped(shape: Shape, value: Value, path: &str) -> Result<Value, String> {
    Ok(match (shape, value) {
        (_, Value::Null) => Value::Null,
        (Shape::Text, value) if !value.is_object() => text(&value).into(),
        (Shape::Bool, Value::String(word)) => {
            let word = word.to_lowercase();
            match word.as_str() {
                "true" | "y" | "yes" | "on" => true.into(),
                "false" | "n" | "no" | "off" => false.into(),
                _ => return Err(uncast(path, &format!("invalid boolean: {word}"))),
            }
        }
        (Shape::Integer | Shape::Number, Value::String(word)) => match (word.parse::<i64>(), word.parse::<f64>()) {
            (Ok(number), _) => number.into(),
            (_, Ok(number)) if shape == Shape::Number => number.into(),
            _ => {
                let how = match path.rsplit('.').next().unwrap_or(path) {
                    "replicas" | "parallelism" | "max_attempts" | "max_replicas_per_node" | "retries" | "scale" => {
                        "Atoi"
                    }
                    _ if shape == Shape::Integer => "ParseInt",
                    "cpu_shares" => "ParseInt",
                    _ => "ParseFloat",
                };
                let why = format!("strconv.{how}: parsing {word:?}: invalid syntax");
                // Only what Compose makes a number of by itself is a matter of variables.
                let decoded = path.contains(".resources.");
                return Err(if decoded { undecoded(path, &why) } else { uncast(path, &why) });
            }
        },
        (Shape::Bytes, value) => match text(&value).as_str() {
            "-1" => "-1".into(),
            size => parse_bytes(size).map_err(|why| undecoded(path, &why))?.to_string().into(),
        },
        (Shape::Duration, Value::String(word)) => duration(&word).map_err(|why| undecoded(path, &why))?.into(),
        (Shape::Mode, Value::String(word)) => match i64::from_str_radix(&word, 8) {
            Ok(mode) => format!("0{mode:o}").into(),
            Err(_) => {
                return Err(undecoded(path, &format!("strconv.ParseInt: parsing {word:?}: invalid syntax")));
            }
        },
        (Shape::Mode, Value::Number(mode)) => format!("0{:o}", mode.as_i64().unwrap_or(0)).into(),
        (Shape::TextOrList, value @ Value::String(_)) => json!([value]),
        (Shape::Command, Value::String(line)) => split_words(&line)?.into(),
        (Shape::Command | Shape::List | Shape::Values | Shape::TextOrList, Value::Array(items)) => {
            items.into_iter().map(|i| if i.is_object() || i.is_array() { i } else { text(&i).into() }).collect()
        }
        (Shape::Pairs, value) => pairs(value, path.ends_with(".environment") || path.ends_with(".args")),
        (Shape::Hosts, value) => hosts(value),
        (Shape::Named(_), Value::Array(names)) => {
            Value::Object(names.iter().map(|name| (text(name), Value::Null)).collect())
        }
        (Shape::Part(table) | Shape::PartOrText(table), Value::Object(mut part)) => {
            attributes(&mut part, table, path)?;
            Value::Object(part)
        }
        (Shape::Parts(table) | Shape::PartsOrTexts(table) | Shape::Ports(table), Value::Array(mut items)) => {
            for item in items.iter_mut().filter_map(Value::as_object_mut) {
                attributes(item, table, path)?;
            }
            Value::Array(items)
        }
        (Shape::Named(table) | Shape::Limits(table), Value::Object(mut items)) => {
            for (name, item) in items.iter_mut().filter(|_| matches!(shape, Shape::Limits(_))) {
                if let Value::String(word) = item {
                    let why = || {
                        uncast(&format!("{path}.{name}"), &format!("strconv.Atoi: parsing {word:?}: invalid syntax"))
                    };
                    *item = word.parse::<i64>().map_err(|_| why())?.into();
                }
            }
            for (name, item) in items.iter_mut().filter_map(|(n, i)| Some((n, i.as_object_mut()?))) {
                attributes(item, table, &format!("{path}.{name}"))?;
            }
            Value::Object(items)
        }
        (_, value) => value,
    })
}

/// A text that is not what its attribute is made of.
fn uncast(path: &str, why: &str) -> String {
    format!("error while interpolating {path}: failed to cast to expected type: {why}")
}

/// A value that Compose can't read, with its place as Go's library tells it.
fn undecoded(path: &str, why: &str) -> String {
    let mut parts = path.split('.');
    let (part, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let rest: String = parts.map(|p| format!(".{p}")).collect();
    format!("decoding failed due to the following error(s):\n\n'{part}[{name}]{rest}' {why}")
}

/// `name=value` items as a map; a name alone is `null` where that means something (`inherited`), else empty.
fn pairs(value: Value, inherited: bool) -> Value {
    let alone = if inherited { Value::Null } else { Value::from("") };
    let mut map = Map::new();
    match value {
        Value::Array(items) => {
            for item in items {
                let item = text(&item);
                match item.split_once('=') {
                    Some((name, value)) => map.insert(name.to_string(), value.into()),
                    None => map.insert(item, alone.clone()),
                };
            }
        }
        Value::Object(items) => {
            map.extend(items.into_iter().map(|(k, v)| (k, if v.is_null() { alone.clone() } else { text(&v).into() })));
        }
        _ => {}
    }
    map.sort_keys();
    Value::Object(map)
}

/// Extra hosts as `name=address`, sorted.
fn hosts(value: Value) -> Value {
    let mut lines: Vec<String> = match value {
        Value::Array(items) => items
            .iter()
            .map(text)
            .map(|line| match line.split_once(['=', ':']) {
                Some((name, address)) => format!("{name}={}", address.trim_matches(['[', ']'])),
                None => line,
            })
            .collect(),
        Value::Object(map) => map
            .iter()
            .flat_map(|(name, value)| {
                let addresses = if value.is_array() { texts(Some(value)) } else { vec![text(value)] };
                addresses.into_iter().map(move |a| format!("{name}={a}"))
            })
            .collect(),
        _ => Vec::new(),
    };
    lines.sort();
    lines.into()
}

/// Days and weeks, which Compose knows and Go does not, as hours.
fn in_hours(word: &str) -> String {
    let mut out = String::new();
    let mut number = String::new();
    for c in word.chars() {
        let hours = match c {
            'd' => 24.0,
            'w' => 168.0,
            c if c.is_ascii_digit() || c == '.' => {
                number.push(c);
                continue;
            }
            _ => 0.0,
        };
        let count = std::mem::take(&mut number);
        match count.parse::<f64>() {
            Ok(n) if hours > 0.0 => out.push_str(&format!("{}h", n * hours)),
            _ => out.extend(count.chars().chain([c])),
        }
    }
    out + &number
}

/// Go's form of a duration: `90s` is `1m30s`.
///
/// # Errors
/// In Go's words.
pub fn duration(word: &str) -> Result<String, String> {
    let nanos = parse_duration(&in_hours(word)).map_err(|why| why.replace(&in_hours(word), word))?;
    if nanos < 1_000_000_000 {
        return Ok(match nanos {
            0 => "0s".into(),
            n if n % 1_000_000 == 0 => format!("{}ms", n / 1_000_000),
            n if n % 1_000 == 0 => format!("{}µs", n / 1_000),
            n => format!("{n}ns"),
        });
    }
    let (seconds, part) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = format!("{part:09}");
    let fraction = fraction.trim_end_matches('0');
    let s = if fraction.is_empty() { format!("{s}s") } else { format!("{s}.{fraction}s") };
    Ok(match (h, m) {
        (0, 0) => s,
        (0, m) => format!("{m}m{s}"),
        (h, m) => format!("{h}h{m}m{s}"),
    })
}

fn service(item: &mut Map<String, Value>, path: &str) -> Result<(), String> {
    let list = |item: &mut Map<String, Value>, key: &str, each: &dyn Fn(Value) -> Result<Vec<Value>, String>| {
        let Some(Value::Array(items)) = item.get_mut(key) else { return Ok::<(), String>(()) };
        let mut all = Vec::new();
        for old in std::mem::take(items) {
            all.extend(each(old)?);
        }
        *items = all;
        Ok(())
    };
    list(item, "ports", &|port| match port {
        Value::String(text) => short::ports(&text),
        Value::Object(port) => long_port(port, path).map(|p| vec![p]),
        other => Ok(vec![other]),
    })?;
    list(item, "volumes", &|volume| match volume {
        Value::String(text) => short::volume(&text).map(|v| vec![v]),
        Value::Object(volume) => long_volume(volume).map(|v| vec![v]),
        other => Ok(vec![other]),
    })?;
    list(item, "devices", &|device| Ok(vec![device.as_str().map(short::device).unwrap_or(device)]))?;
    for key in ["secrets", "configs"] {
        list(item, key, &|source| Ok(vec![if source.is_string() { json!({"source": source}) } else { source }]))?;
    }
    if let Some(Value::String(context)) = item.get("build") {
        let build = json!({"context": context});
        item.insert("build".into(), build);
    }
    if let Some(Value::Object(build)) = item.get_mut("build") {
        list(build, "secrets", &|source| {
            Ok(vec![if source.is_string() { json!({"source": source}) } else { source }])
        })?;
    }
    if let Some(Value::Object(check)) = item.get_mut("healthcheck")
        && let Some(test @ Value::String(_)) = check.get("test")
    {
        let test = json!(["CMD-SHELL", test]);
        check.insert("test".into(), test);
    }
    if let Some(Value::Object(depends)) = item.get_mut("depends_on") {
        for how in depends.values_mut() {
            let mut full = Map::from_iter([
                ("condition".to_string(), Value::from("service_started")),
                ("required".to_string(), Value::from(true)),
            ]);
            if let Value::Object(how) = how.take() {
                full.extend(how);
            }
            *how = Value::Object(full);
        }
        depends.sort_keys();
    }
    if item.get("gpus").is_some_and(Value::is_string) {
        item.insert("gpus".into(), json!([{}]));
    }
    device_requests(item.get_mut("gpus"));
    if let Some(extends @ Value::String(_)) = item.get("extends") {
        let extends = json!({"service": extends});
        item.insert("extends".into(), extends);
    }
    match item.get_mut("env_file") {
        Some(one @ (Value::String(_) | Value::Object(_))) => *one = json!([one.take()]),
        Some(Value::Null) => drop(item.remove("env_file")),
        _ => {}
    }
    list(item, "env_file", &|file| {
        let mut full = if file.is_string() { json!({"path": file}) } else { file };
        if full.is_object() && full.get("required").is_none() {
            full["required"] = true.into();
        }
        Ok(vec![full])
    })?;
    deploy(item)
}

fn long_port(mut port: Map<String, Value>, path: &str) -> Result<Value, String> {
    let Some(target) = port.get("target").map(text).and_then(|t| t.parse::<u16>().ok()) else {
        let why = match port.get("target").map(text) {
            Some(word) => {
                uncast(&format!("{path}.ports.[].target"), &format!("strconv.Atoi: parsing {word:?}: invalid syntax"))
            }
            None => format!("{path}.ports.0 missing property 'target'"),
        };
        return Err(why);
    };
    port.insert("target".into(), target.into());
    if let Some(published) = port.get("published").map(text) {
        port.insert("published".into(), published.into());
    }
    for (key, default) in [("mode", "ingress"), ("protocol", "tcp")] {
        port.entry(key).or_insert(default.into());
    }
    Ok(Value::Object(port))
}

fn long_volume(mut volume: Map<String, Value>) -> Result<Value, String> {
    if let Some(target) = volume.get("target").map(text) {
        volume.insert("target".into(), short::clean(&target).into());
    }
    if let Some(Value::Object(bind)) = volume.get_mut("bind") {
        bind.entry("create_host_path").or_insert(true.into());
    }
    Ok(Value::Object(volume))
}

/// Devices that are asked for by what they can: all of them, unless a number or names are given.
fn device_requests(devices: Option<&mut Value>) {
    for device in devices.and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
        let count = match device.get("count").map(text) {
            None if device.contains_key("device_ids") => continue,
            Some(number) if number != "all" => number.parse().unwrap_or(-1),
            _ => -1,
        };
        device.insert("count".into(), count.into());
    }
}

/// Processors of `deploy`; the placement that Compose always adds.
fn deploy(item: &mut Map<String, Value>) -> Result<(), String> {
    if let Some(Value::Object(deploy)) = item.get_mut("deploy") {
        deploy.entry("placement").or_insert(json!({}));
        for part in ["limits", "reservations"] {
            let Some(Value::Object(limits)) = deploy.get_mut("resources").and_then(|r| r.get_mut(part)) else {
                continue;
            };
            device_requests(limits.get_mut("devices"));
            if let Some(cpus) = limits.get("cpus").and_then(|c| text(c).parse::<f64>().ok()) {
                limits.insert("cpus".into(), cpus.into());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (word, form) in [
            ("90s", "1m30s"),
            ("1h", "1h0m0s"),
            ("500ms", "500ms"),
            ("1.5s", "1.5s"),
            ("1d", "24h0m0s"),
            ("1w2h", "170h0m0s"),
        ] {
            assert_eq!(duration(word).as_deref(), Ok(form));
        }
        assert!(duration("x").is_err());
    }

    #[test]
    fn short_forms() {
        let mut top = json!({"services": {"a": {
            "command": "a 'b c'", "environment": ["X=1", "Y"], "depends_on": ["b"], "build": ".",
            "env_file": "x.env", "extra_hosts": ["h:1.2.3.4"], "mem_limit": "1m", "tty": "true",
            "healthcheck": {"test": "true"}, "networks": ["n"], "init": null,
        }}});
        file(top.as_object_mut().expect("a map")).expect("reads");
        let a = &top["services"]["a"];
        assert_eq!(a["command"], json!(["a", "b c"]));
        assert_eq!(a["environment"], json!({"X": "1", "Y": null}));
        assert_eq!(a["depends_on"]["b"]["condition"], "service_started");
        assert_eq!(a["env_file"], json!([{"path": "x.env", "required": true}]));
        assert_eq!(a["extra_hosts"], json!(["h=1.2.3.4"]));
        assert_eq!(a["mem_limit"], "1048576");
        assert_eq!(a["tty"], true);
        assert_eq!(a["healthcheck"]["test"], json!(["CMD-SHELL", "true"]));
        assert_eq!(a["networks"], json!({"n": null}));
        assert_eq!(a.get("init"), None);
    }
}
