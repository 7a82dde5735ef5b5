//! `include`: other applications whose services stand beside those of a file.

use super::{LoadError, Reader, absolute, folder_of, wanted};
use crate::compose::merge::{merge, take_away};
use crate::compose::template::Variables;
use crate::compose::{dotenv, text, texts};
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Map, Value};

impl Reader<'_> {
    /// What an entry of `include` brings.
    pub(super) fn include(
        &self,
        include: &Value,
        folder: &str,
        warnings: &mut Vec<String>,
        seen: &mut Vec<String>,
    ) -> Result<Value, LoadError> {
        let list = |value: &Value| if value.is_array() { texts(Some(value)) } else { vec![text(value)] };
        let paths = match include {
            Value::Object(map) => map.get("path").map(list).unwrap_or_default(),
            other => list(other),
        };
        let first = paths.first().map_or("", String::as_str);
        let inner = match include.get("project_directory") {
            Some(directory) => absolute(folder, &text(directory)),
            None => folder_of(&absolute(folder, first)),
        };
        // An included application has an environment of its own below that of the one that includes it.
        let files = include.get("env_file").map(list).unwrap_or_default();
        let default = absolute(&inner, ".env");
        let mut own = BTreeMap::new();
        for (file, required) in
            files.iter().map(|f| (absolute(folder, f), true)).chain(files.is_empty().then_some((default, false)))
        {
            match wanted(self.request, &file)? {
                Some(bytes) => {
                    let known = own.clone();
                    let outside = |name: &str| (self.lookup)(name).or_else(|| known.get(name).cloned());
                    let lines = dotenv::parse_env_file(&String::from_utf8_lossy(bytes), &outside);
                    own.extend(lines.map_err(|e| format!("failed to read {file}: {e}"))?);
                }
                None if required && !files.contains(&file) => {
                    return Err(format!("stat {file}: no such file or directory").into());
                }
                None if required => return Err(format!("couldn't find env file: {file}").into()),
                None => {}
            }
        }
        let lookup = |name: &str| (self.lookup)(name).or_else(|| own.get(name).cloned());
        let variables = Variables::new(&lookup);
        let mut whole = Value::Object(Map::new());
        for path in &paths {
            let (top, cleared) = self.file(&absolute(folder, path), &inner, &variables, warnings, seen)?;
            take_away(&mut whole, &cleared);
            merge(&mut whole, top, &[]);
        }
        for unset in variables.unset.borrow().iter() {
            warnings.push(format!("The {unset:?} variable is not set. Defaulting to a blank string."));
        }
        Ok(whole)
    }
}

/// Puts what a file includes beside what it says itself.
pub(super) fn import(top: &mut Map<String, Value>, included: Value) -> Result<(), String> {
    for part in ["services", "volumes", "networks", "secrets", "configs", "models"] {
        let Some(Value::Object(items)) = included.get(part) else { continue };
        let own = top.entry(part).or_insert(Value::Object(Map::new()));
        for (name, item) in items {
            match own.get(name) {
                Some(other) if other != item => {
                    return Err(format!("{part}.{name} conflicts with imported resource"));
                }
                _ => own[name.as_str()] = item.clone(),
            }
        }
    }
    Ok(())
}
