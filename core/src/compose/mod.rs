//! Compose files: parse, interpolate, resolve to a project, order its services.
//!
//! All of it is a function from texts to a [`Project`]: which file it needs next it says by
//! [`LoadError::Needs`], and the engine reads that file and asks again. A project is kept in the canonical form that
//! `docker compose config` prints, as generic values, because each part of the engine needs only a few of its
//! hundred attributes. Source: the Compose specification, and compose-go for its words.

mod dotenv;
mod emit;
mod finish;
mod load;
mod merge;
mod normal;
mod order;
mod read;
mod schema;
mod short;
mod template;
mod validate;
mod words;

pub use dotenv::parse_env_file;
pub use emit::{hash, json, part_hash, scalar, yaml};
pub use finish::unique_names;
pub use load::{Contents, LoadError, Request, load, project_name};
pub use normal::duration;
pub use order::{dependencies, order};
pub use short::clean as clean_path;
pub use template::Variable;
pub use words::split as split_words;

use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Map, Value};

/// An application: all its files in one, with nothing left to resolve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Project {
    pub name: String,
    /// The folder that relative paths begin at; absolute.
    pub directory: String,
    /// The files it was read from, absolute, in order.
    pub files: Vec<String>,
    /// Whether what no service uses stays.
    pub all_resources: bool,
    /// The services of active profiles, by name.
    pub services: BTreeMap<String, Map<String, Value>>,
    /// Those whose profiles are not active.
    pub disabled: BTreeMap<String, Map<String, Value>>,
    pub networks: BTreeMap<String, Value>,
    pub volumes: BTreeMap<String, Value>,
    pub secrets: BTreeMap<String, Value>,
    pub configs: BTreeMap<String, Value>,
    /// `x-…` at the top.
    pub extensions: Map<String, Value>,
    /// What the person should know, as Compose logs it.
    pub warnings: Vec<String>,
    /// The variables that were asked for, with their defaults.
    pub variables: BTreeMap<String, Variable>,
    /// What the variables were taken from beside the client's environment: the files, and what was asked for by name.
    pub environment: BTreeMap<String, String>,
}

impl Project {
    /// All profiles that its services name, sorted.
    pub fn profiles(&self) -> Vec<String> {
        let all = self.services.values().chain(self.disabled.values());
        let mut names: Vec<String> = all.flat_map(|s| texts(s.get("profiles"))).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Leaves only these services, those that they depend on, and what all of them use.
pub fn select(project: &mut Project, names: &[String]) {
    let mut kept: Vec<String> = names.to_vec();
    let mut at = 0;
    while at < kept.len() {
        let more: Vec<String> = dependencies(project, &kept[at]).keys().map(|n| (*n).to_string()).collect();
        kept.extend(more.into_iter().filter(|n| !kept.contains(n)).collect::<Vec<_>>());
        at += 1;
    }
    for (name, service) in std::mem::take(&mut project.services) {
        let place = if kept.contains(&name) { &mut project.services } else { &mut project.disabled };
        place.insert(name, service);
    }
    if !project.all_resources {
        finish::prune(project);
    }
}

/// The texts of a list; nothing where it is none.
pub fn texts(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().map(text).collect()
}

/// A scalar as text, as Go prints it: `null` is empty.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => format!("{float}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}
