//! What a target lists with fields of its own: outputs, caches, secrets, agents, attestations. Each may be written as
//! comma-separated values, as the flags of `build` take them, or as an object.

use super::value::Value;
use crate::container::spec::csv_strict;
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Map, Value as Json, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Attest,
    Cache,
    Output,
    Secret,
    Ssh,
}

/// One of a list: its fields by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry(pub BTreeMap<String, String>);

impl Entry {
    pub fn of(fields: &[(&str, &str)]) -> Entry {
        Entry(fields.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect())
    }

    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_string(), value.to_string());
    }

    /// As bake's own JSON has it.
    pub fn to_json(&self, kind: Kind) -> Json {
        let mut made = Map::new();
        match kind {
            Kind::Secret => {
                let fields = ["id", "src", "env"].into_iter().filter(|name| !self.get(name).is_empty());
                made.extend(fields.map(|name| (name.to_string(), json!(self.get(name)))));
            }
            Kind::Ssh => {
                made.insert("id".into(), json!(self.get("id")));
                if !self.get("paths").is_empty() {
                    made.insert("paths".into(), json!(self.get("paths").split(',').collect::<Vec<_>>()));
                }
            }
            Kind::Attest => {
                for (name, value) in &self.0 {
                    match name.as_str() {
                        "disabled" if value != "true" => continue,
                        "disabled" => made.insert(name.clone(), json!(true)),
                        _ => made.insert(name.clone(), json!(value)),
                    };
                }
            }
            Kind::Cache | Kind::Output => made.extend(self.0.iter().map(|(k, v)| (k.clone(), json!(v)))),
        }
        Json::Object(made)
    }

    /// As a flag of `docker build` takes it.
    pub fn to_flag(&self, kind: Kind) -> String {
        let first: &[&str] = match kind {
            Kind::Cache if self.get("type") == "registry" && self.0.len() == 2 && self.0.contains_key("ref") => {
                return self.get("ref").to_string();
            }
            Kind::Ssh if self.get("paths").is_empty() => return self.get("id").to_string(),
            Kind::Ssh => return format!("{}={}", self.get("id"), self.get("paths")),
            Kind::Secret => &["id", "src", "env"],
            _ => &["type", "dest"],
        };
        let rest = self.0.keys().map(String::as_str).filter(|name| !first.contains(name));
        let field = |name: &str| {
            let pair = format!("{name}={}", self.get(name));
            if pair.contains([',', '"']) { format!("\"{}\"", pair.replace('"', "\"\"")) } else { pair }
        };
        let all = first.iter().copied().filter(|name| !self.get(name).is_empty()).chain(rest);
        all.map(field).collect::<Vec<_>>().join(",")
    }
}

/// Reads comma-separated values; one text may name several caches.
///
/// # Errors
/// In buildx's words.
pub fn parse(kind: Kind, text: &str) -> Result<Vec<Entry>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if kind == Kind::Ssh {
        let (id, paths) = text.split_once('=').unwrap_or((text, ""));
        let mut entry = Entry::of(&[("id", id)]);
        if text.contains('=') {
            entry.set("paths", paths);
        }
        return Ok(vec![entry]);
    }
    let fields = csv_strict(text).map_err(|e| match kind {
        Kind::Secret => format!("failed to parse csv secret: {e}"),
        _ => e,
    })?;
    if kind == Kind::Cache && !text.contains('=') {
        return Ok(fields.iter().map(|field| Entry::of(&[("type", "registry"), ("ref", field)])).collect());
    }
    if kind == Kind::Output && fields.len() == 1 && fields[0] == text && !text.starts_with("type=") {
        let form = if text == "-" { "tar" } else { "local" };
        return Ok(vec![Entry::of(&[("type", form), ("dest", text)])]);
    }
    let mut entry = Entry::default();
    let mut of_kind = String::new();
    for field in &fields {
        let Some((name, value)) = field.split_once('=') else {
            return Err(match kind {
                Kind::Secret => format!("invalid field '{field}' must be a key=value pair"),
                _ => format!("invalid value {field}"),
            });
        };
        let lower = name.trim().to_lowercase();
        match (kind, lower.as_str()) {
            (Kind::Secret, "type") if !matches!(value, "file" | "env") => {
                return Err(format!("unsupported secret type {value:?}"));
            }
            (Kind::Secret, "type") => of_kind = value.to_string(),
            (Kind::Secret, "source") => entry.set("src", value),
            (Kind::Secret, "id" | "src" | "env") => entry.set(&lower, value),
            (Kind::Secret, _) => return Err(format!("unexpected key '{lower}' in '{field}'")),
            (Kind::Attest, "disabled") => match go_bool(value) {
                Some(yes) => entry.set(&lower, &yes.to_string()),
                None => {
                    return Err(format!("invalid value {field}: strconv.ParseBool: parsing {value:?}: invalid syntax"));
                }
            },
            (Kind::Attest, "type") => entry.set("type", value),
            (Kind::Attest, _) => entry.set(name, value),
            _ => entry.set(&lower, value),
        }
    }
    if of_kind == "env" && !entry.0.contains_key("env") {
        let name = entry.0.remove("src").unwrap_or_default();
        entry.set("env", &name);
    }
    check(kind, &entry, text)?;
    Ok(vec![entry])
}

fn check(kind: Kind, entry: &Entry, given: &str) -> Result<(), String> {
    match kind {
        Kind::Output if entry.get("type").is_empty() => Err("type is required for output".into()),
        Kind::Cache if entry.get("type").is_empty() => Err(format!("type required form> {given:?}")),
        Kind::Attest if entry.get("type").is_empty() => Err("attestation type not specified".into()),
        _ => Ok(()),
    }
}

/// An item of a list in a definition.
///
/// # Errors
/// In buildx's words.
pub fn from_value(kind: Kind, value: &Value) -> Result<Vec<Entry>, String> {
    let Value::Map(map) = value else { return parse(kind, &value.to_text()?) };
    let mut entry = Entry::default();
    for (name, value) in map {
        let text = match value {
            Value::Null => continue,
            Value::List(items) | Value::Set(items) => {
                items.iter().map(Value::to_text).collect::<Result<Vec<_>, _>>()?.join(",")
            }
            value => value.to_text()?,
        };
        entry.set(name, &text);
    }
    check(kind, &entry, &value.to_json().to_string())?;
    Ok(vec![entry])
}

/// Entries that are each there once. Secrets, agents and attestations are told apart by one field, and the last counts.
pub fn normal(kind: Kind, entries: &mut Vec<Entry>) {
    let by = match kind {
        Kind::Secret | Kind::Ssh => "id",
        Kind::Attest => "type",
        Kind::Cache | Kind::Output => {
            let mut at = entries.len().saturating_sub(1);
            while at > 0 {
                at -= 1;
                if let Some(twin) = (at + 1..entries.len()).find(|other| entries[*other] == entries[at]) {
                    entries.swap_remove(twin);
                }
            }
            return;
        }
    };
    let mut kept: Vec<Entry> = Vec::new();
    for entry in entries.drain(..) {
        match kept.iter().position(|known| known.get(by) == entry.get(by)) {
            Some(at) => kept[at] = entry,
            None => kept.push(entry),
        }
    }
    *entries = kept;
}

/// As Go's `strconv.ParseBool` reads it.
pub fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_entries() {
        for (kind, text, expected, flag) in [
            (Kind::Output, "out", r#"{"dest":"out","type":"local"}"#, "type=local,dest=out"),
            (Kind::Output, "type=image,push=true", r#"{"push":"true","type":"image"}"#, "type=image,push=true"),
            (Kind::Cache, "user/app:cache", r#"{"ref":"user/app:cache","type":"registry"}"#, "user/app:cache"),
            (Kind::Cache, "type=local,src=/c", r#"{"src":"/c","type":"local"}"#, "type=local,src=/c"),
            (Kind::Secret, "type=env,id=T,src=TOKEN", r#"{"id":"T","env":"TOKEN"}"#, "id=T,env=TOKEN"),
            (Kind::Ssh, "default", r#"{"id":"default"}"#, "default"),
            (Kind::Ssh, "k=/a,/b", r#"{"id":"k","paths":["/a","/b"]}"#, "k=/a,/b"),
            (Kind::Attest, "type=sbom,disabled=true", r#"{"disabled":true,"type":"sbom"}"#, "type=sbom,disabled=true"),
        ] {
            let entries = parse(kind, text).expect(text);
            assert_eq!(entries[0].to_json(kind).to_string(), expected, "{text}");
            assert_eq!(entries[0].to_flag(kind), flag, "{text}");
        }
        assert_eq!(parse(Kind::Output, "dest=x,y=z"), Err("type is required for output".into()));
        assert_eq!(parse(Kind::Secret, "foo=x"), Err("unexpected key 'foo' in 'foo=x'".into()));
    }
}
