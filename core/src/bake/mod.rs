//! Bake files: definitions of targets in HCL, JSON or Compose's form, and what a command line makes of them.
//!
//! All of it is a function from texts to a [`Plan`]; the engine reads the files and builds. HCL is parsed by `hcl-edit`;
//! what its expressions come to (`eval`, `stdlib`) and how a definition is put together (`definition`, `resolve`) is
//! here, because messages and order are those of buildx. Source: the Bake file reference, and buildx for its words.

mod compose;
mod definition;
mod diagnostic;
mod entry;
mod eval;
mod list;
mod resolve;
mod stdlib;
mod syntax;
mod target;
mod value;

#[cfg(test)]
mod tests;

pub use diagnostic::{Result, Source, Wrong};
pub use entry::{Entry, Kind, go_bool};
pub use list::{List, pretty, tabbed};
pub use stdlib::Surroundings;
pub use target::{Group, Target};
pub use value::Type;

use crate::compose::Contents;
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Map, Value as Json, json};
use std::rc::Rc;

/// What a definition takes from outside.
pub struct Outside<'a> {
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Variables that every definition has, and that nothing overrides.
    pub built_in: BTreeMap<String, String>,
    pub around: Surroundings,
    /// The folder of the command; absolute.
    pub directory: String,
    /// Files that Compose's need, as far as they have been read.
    pub contents: &'a Contents,
}

/// A variable, for a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub name: String,
    pub description: String,
    /// The type that it is said to have.
    pub of: Option<Type>,
    pub value: Option<String>,
}

/// All that a definition has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    pub targets: Vec<Target>,
    pub groups: Vec<Group>,
}

/// What is to be built.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub targets: BTreeMap<String, Target>,
    pub groups: BTreeMap<String, Group>,
}

/// Why a definition can't be worked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// This file has to be read first.
    Needs(String),
    Wrong(Wrong),
}

impl From<Wrong> for LoadError {
    fn from(wrong: Wrong) -> LoadError {
        LoadError::Wrong(wrong)
    }
}

/// Reads the files: the definition, and its variables.
///
/// # Errors
/// See [`LoadError`].
pub fn load(files: &[Rc<Source>], outside: &Outside) -> std::result::Result<(Config, Vec<Shown>), LoadError> {
    let (mut bodies, mut compose_files) = (Vec::new(), Vec::new());
    for file in files {
        let lower = file.name.to_lowercase();
        if lower.ends_with(".yml") || lower.ends_with(".yaml") {
            compose_files.push(file.clone());
        } else if lower.ends_with(".json") {
            bodies.push(syntax::parse_json(file)?);
        } else if lower.ends_with(".hcl") {
            bodies.push(syntax::parse_hcl(file)?);
        } else if compose::is_compose(file) {
            compose_files.push(file.clone());
        } else {
            // Without a name that tells, it is whatever can be read.
            match (syntax::parse_hcl(file), syntax::parse_json(file)) {
                (Ok(body), _) | (Err(_), Ok(body)) => bodies.push(body),
                (Err(wrong), Err(_)) => {
                    let text =
                        format!("failed to parse {}: parsing yaml: no services, parsing hcl: {wrong}", file.name);
                    return Err(Wrong::Plain(text).into());
                }
            }
        }
    }
    let mut config = if compose_files.is_empty() { Config::default() } else { compose::read(&compose_files, outside)? };
    let shown = match bodies.is_empty() {
        true => Vec::new(),
        false => definition::Loader::new(bodies, outside)?.load(&mut config)?,
    };
    Ok((config, shown))
}

impl Plan {
    /// As `--print` shows it.
    pub fn to_json(&self) -> Json {
        let mut made = Map::new();
        if !self.groups.is_empty() {
            made.insert("group".into(), self.groups_json());
        }
        let targets = self.targets.iter().map(|(name, target)| (name.clone(), target.to_json()));
        made.insert("target".into(), Json::Object(targets.collect()));
        Json::Object(made)
    }

    pub fn groups_json(&self) -> Json {
        let group = |group: &Group| {
            let mut made = Map::new();
            if !group.description.is_empty() {
                made.insert("description".into(), json!(group.description));
            }
            made.insert("targets".into(), json!(group.targets));
            Json::Object(made)
        };
        Json::Object(self.groups.iter().map(|(name, one)| (name.clone(), group(one))).collect())
    }
}
