//! A target: what is to be built, and how. Its attributes are one table: how each is read, merged and written follows
//! from its row.

use super::diagnostic::{Place, Result, Wrong};
use super::entry::{self, Entry, Kind};
use super::value::{Type, Value};
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Map, Value as Json, json};

/// What an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Text,
    Flag,
    Texts,
    Pairs,
    Entries(Kind),
}

/// Attribute, what it holds, and whether a list adds to an inherited one. In the order of bake's JSON.
pub const FIELDS: [(&str, Sort, bool); 25] = [
    ("annotations", Sort::Texts, true),
    ("attest", Sort::Entries(Kind::Attest), true),
    ("context", Sort::Text, false),
    ("contexts", Sort::Pairs, true),
    ("dockerfile", Sort::Text, false),
    ("dockerfile-inline", Sort::Text, false),
    ("args", Sort::Pairs, true),
    ("labels", Sort::Pairs, true),
    ("tags", Sort::Texts, false),
    ("cache-from", Sort::Entries(Kind::Cache), true),
    ("cache-to", Sort::Entries(Kind::Cache), false),
    ("target", Sort::Text, false),
    ("secret", Sort::Entries(Kind::Secret), true),
    ("ssh", Sort::Entries(Kind::Ssh), true),
    ("platforms", Sort::Texts, false),
    ("output", Sort::Entries(Kind::Output), false),
    ("pull", Sort::Flag, false),
    ("no-cache", Sort::Flag, false),
    ("network", Sort::Text, false),
    ("no-cache-filter", Sort::Texts, true),
    ("shm-size", Sort::Text, false),
    ("ulimits", Sort::Texts, true),
    ("call", Sort::Text, false),
    ("entitlements", Sort::Texts, true),
    ("extra-hosts", Sort::Pairs, true),
];

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    Text(String),
    Flag(bool),
    Texts(Vec<String>),
    /// Without a value: nothing is said of it.
    Pairs(BTreeMap<String, Option<String>>),
    Entries(Kind, Vec<Entry>),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    pub name: String,
    pub description: String,
    pub inherits: Vec<String>,
    pub fields: BTreeMap<&'static str, Field>,
    /// Built only because another target has it as a context.
    pub linked: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub description: String,
    pub targets: Vec<String>,
}

/// The row of an attribute.
pub fn field(name: &str) -> Option<(&'static str, Sort, bool)> {
    FIELDS.iter().copied().find(|(known, ..)| *known == name)
}

/// Reads the value of an attribute; nothing where it is null.
pub fn read(sort: Sort, value: &Value, place: &Place) -> Result<Option<Field>> {
    if value.is_null() {
        return Ok(None);
    }
    let wrong = |e: String| Wrong::at(place, "Unsuitable value type", format!("Unsuitable value: {e}"));
    let converted = |to: Type| value.convert(&to).map_err(wrong);
    Ok(Some(match sort {
        Sort::Text => Field::Text(converted(Type::Text)?.to_text().map_err(wrong)?),
        Sort::Flag => Field::Flag(converted(Type::Bool)? == Value::Bool(true)),
        Sort::Texts => Field::Texts(texts(value).map_err(wrong)?),
        Sort::Pairs => match converted(Type::Map(Box::new(Type::Text)))? {
            Value::Map(map) => Field::Pairs(map.iter().map(|(k, v)| (k.clone(), v.to_text().ok())).collect()),
            _ => return Ok(None),
        },
        Sort::Entries(kind) => {
            let Some(items) = value.items() else {
                let what = if kind == Kind::Cache || kind == Kind::Attest { "map of string" } else { "object" };
                return Err(wrong(format!("list of {what} required")));
            };
            let mut all = Vec::new();
            for item in items.iter().filter(|item| **item != Value::text("")) {
                all.extend(entry::from_value(kind, item).map_err(wrong)?);
            }
            Field::Entries(kind, all)
        }
    }))
}

/// A list of strings.
pub fn texts(value: &Value) -> std::result::Result<Vec<String>, String> {
    match value.convert(&Type::List(Box::new(Type::Text)))? {
        Value::List(items) => items.iter().map(Value::to_text).collect(),
        _ => Ok(Vec::new()),
    }
}

impl Target {
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.fields.get(name) {
            Some(Field::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub fn set_text(&mut self, name: &'static str, text: impl Into<String>) {
        self.fields.insert(name, Field::Text(text.into()));
    }

    pub fn flag(&self, name: &str) -> bool {
        self.fields.get(name) == Some(&Field::Flag(true))
    }

    pub fn texts(&self, name: &str) -> &[String] {
        match self.fields.get(name) {
            Some(Field::Texts(texts)) => texts,
            _ => &[],
        }
    }

    pub fn texts_mut(&mut self, name: &'static str) -> &mut Vec<String> {
        if !matches!(self.fields.get(name), Some(Field::Texts(_))) {
            self.fields.insert(name, Field::Texts(Vec::new()));
        }
        match self.fields.get_mut(name) {
            Some(Field::Texts(texts)) => texts,
            _ => unreachable!("it was just put there"),
        }
    }

    /// Names and values, without those that have none.
    pub fn pairs(&self, name: &str) -> Vec<(&str, &str)> {
        match self.fields.get(name) {
            Some(Field::Pairs(pairs)) => {
                pairs.iter().filter_map(|(k, v)| v.as_ref().map(|v| (k.as_str(), v.as_str()))).collect()
            }
            _ => Vec::new(),
        }
    }

    pub fn set_pair(&mut self, name: &'static str, key: &str, value: &str) {
        let pair = BTreeMap::from([(key.to_string(), Some(value.to_string()))]);
        let one = Target { fields: BTreeMap::from([(name, Field::Pairs(pair))]), ..Target::default() };
        self.merge(&one);
    }

    pub fn entries(&self, name: &str) -> &[Entry] {
        match self.fields.get(name) {
            Some(Field::Entries(_, entries)) => entries,
            _ => &[],
        }
    }

    /// What the other says comes on top.
    pub fn merge(&mut self, other: &Target) {
        for (name, _, adds) in FIELDS {
            let Some(new) = other.fields.get(name) else { continue };
            let merged = match (self.fields.get(name), new) {
                (old, Field::Pairs(new)) => {
                    let mut all = if let Some(Field::Pairs(old)) = old { old.clone() } else { BTreeMap::new() };
                    all.extend(new.iter().filter(|(_, v)| v.is_some()).map(|(k, v)| (k.clone(), v.clone())));
                    if old.is_none() && all.is_empty() {
                        continue;
                    }
                    Field::Pairs(all)
                }
                (Some(Field::Texts(old)), Field::Texts(new)) if adds => {
                    Field::Texts([old.clone(), new.clone()].concat())
                }
                (Some(Field::Entries(kind, old)), Field::Entries(_, new)) if adds => {
                    let mut all = [old.clone(), new.clone()].concat();
                    entry::normal(*kind, &mut all);
                    Field::Entries(*kind, all)
                }
                _ => new.clone(),
            };
            self.fields.insert(name, merged);
        }
        if !other.description.is_empty() {
            self.description.clone_from(&other.description);
        }
        self.inherits.extend(other.inherits.iter().cloned());
    }

    /// Takes away what is said twice or says nothing.
    pub fn normalize(&mut self) {
        if self.text("network") == Some("host") {
            self.texts_mut("entitlements").push("network.host".into());
        }
        for (name, field) in &mut self.fields {
            match field {
                Field::Texts(texts) => {
                    let mut kept: Vec<String> = Vec::new();
                    for text in texts.drain(..) {
                        if !text.is_empty() && !kept.contains(&text) {
                            kept.push(text);
                        }
                    }
                    *texts = kept;
                }
                Field::Entries(kind, entries) => entry::normal(*kind, entries),
                Field::Pairs(pairs) if *name == "contexts" => {
                    pairs.retain(|_, value| value.as_ref().is_some_and(|v| !v.is_empty()));
                }
                _ => {}
            }
        }
    }

    /// As bake's JSON: what is not said is left out.
    pub fn to_json(&self) -> Json {
        let mut made = Map::new();
        if !self.description.is_empty() {
            made.insert("description".into(), json!(self.description));
        }
        for (name, ..) in FIELDS {
            let value = match self.fields.get(name) {
                Some(Field::Text(text)) if name == "dockerfile-inline" => json!(escaped(text)),
                Some(Field::Text(text)) => json!(text),
                Some(Field::Flag(yes)) => json!(yes),
                Some(Field::Texts(texts)) if name == "annotations" && !texts.is_empty() => {
                    json!(texts.iter().map(|t| escaped(t)).collect::<Vec<_>>())
                }
                Some(Field::Texts(texts)) if !texts.is_empty() => json!(texts),
                Some(Field::Pairs(pairs)) if !pairs.is_empty() => {
                    let shown = |text: &String| if name == "contexts" { text.clone() } else { escaped(text) };
                    let all = pairs.iter().map(|(k, v)| (k.clone(), json!(v.as_ref().map(shown))));
                    Json::Object(all.collect())
                }
                Some(Field::Entries(kind, entries)) if !entries.is_empty() => {
                    Json::Array(entries.iter().map(|entry| entry.to_json(*kind)).collect())
                }
                _ => continue,
            };
            made.insert(name.into(), value);
        }
        Json::Object(made)
    }

    /// As other expressions see it.
    pub fn to_value(&self) -> Value {
        let mut all = BTreeMap::from([
            ("name".to_string(), Value::text(self.name.as_str())),
            ("description".to_string(), Value::text(self.description.as_str())),
            ("inherits".to_string(), Value::List(self.inherits.iter().map(|t| Value::text(t.as_str())).collect())),
        ]);
        for (name, ..) in FIELDS {
            let value = match self.fields.get(name) {
                None => Value::Null,
                Some(Field::Text(text)) => Value::text(text.as_str()),
                Some(Field::Flag(yes)) => Value::Bool(*yes),
                Some(Field::Texts(texts)) => Value::List(texts.iter().map(|t| Value::text(t.as_str())).collect()),
                Some(Field::Pairs(pairs)) => {
                    let value = |v: &Option<String>| v.as_ref().map_or(Value::Null, |v| Value::text(v.as_str()));
                    Value::Map(pairs.iter().map(|(k, v)| (k.clone(), value(v))).collect())
                }
                Some(Field::Entries(kind, entries)) => {
                    Value::List(entries.iter().map(|entry| Value::from_json(&entry.to_json(*kind))).collect())
                }
            };
            all.insert(name.to_string(), value);
        }
        Value::Map(all)
    }
}

/// What a template would take for its own is marked.
fn escaped(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}
