//! `extends`: services on top of others, of the same file or of another.

use super::{LoadError, Reader, Top, absolute, folder_of};
use crate::compose::merge::{merge, take_away};
use crate::compose::read::Place;
use crate::compose::template::Variables;
use crate::compose::text;
use serde_json::{Map, Value};

/// Where a service stands: those beside it, and its file.
struct Beside<'a> {
    services: &'a Map<String, Value>,
    /// The file that is read, which is what is named where something is wrong.
    path: &'a str,
    folder: &'a str,
    cleared: &'a [Place],
}

impl Reader<'_> {
    /// Puts each service of a file on top of what it extends.
    pub(super) fn extend_services(
        &self,
        top: &mut Map<String, Value>,
        path: &str,
        folder: &str,
        variables: &Variables,
        cleared: &[Place],
    ) -> Result<(), LoadError> {
        let Some(Value::Object(services)) = top.get("services").cloned() else { return Ok(()) };
        let place = Beside { services: &services, path, folder, cleared };
        let mut done = Map::new();
        for name in services.keys() {
            done.insert(name.clone(), self.extended(&place, name, variables, &[])?);
        }
        top.insert("services".into(), Value::Object(done));
        Ok(())
    }

    /// A service on top of what it extends.
    fn extended(
        &self,
        place: &Beside,
        name: &str,
        variables: &Variables,
        seen: &[(String, String)],
    ) -> Result<Value, LoadError> {
        let path = place.path;
        let mut service = place.services.get(name).cloned().unwrap_or_default();
        let Some(extends) = service.as_object_mut().and_then(|s| s.remove("extends")) else { return Ok(service) };
        let base = extends.get("service").map(text).unwrap_or_default();
        let file = extends.get("file").map(text);
        let here = (file.clone().unwrap_or_else(|| path.to_string()), name.to_string());
        let wrong =
            |path: &str, why: &str| Err(LoadError::Invalid(format!("cannot extend service {name:?} in {path}: {why}")));
        let mut below = match &file {
            None if !place.services.contains_key(&base) => return wrong(path, &format!("service {base:?} not found")),
            None => self.extended(place, &base, variables, &beyond(seen, here)?)?,
            Some(file) => {
                let local = absolute(place.folder, file);
                let folder = folder_of(&local);
                let tops = self.canonical(&local, &folder, variables, &mut Vec::new())?;
                if tops.iter().all(|(top, _)| top.get("services").is_none()) {
                    return wrong(&local, "no services section");
                }
                let holds = |(top, _): &&Top| top.get("services").is_some_and(|s| s.get(&base).is_some());
                let Some((top, cleared)) = tops.iter().find(holds) else {
                    return wrong(path, &format!("service {base:?} not found in {file}"));
                };
                let Some(Value::Object(services)) = top.get("services") else {
                    return wrong(&local, "services must be a mapping");
                };
                let beside = Beside { services, path, folder: &folder, cleared };
                self.extended(&beside, &base, variables, &beyond(seen, here)?)?
            }
        };
        let own = |place: &&Place| place.len() > 2 && place[0] == "services" && place[1] == name;
        let cleared: Vec<Place> = place.cleared.iter().filter(own).map(|p| p[2..].to_vec()).collect();
        take_away(&mut below, &cleared);
        merge(&mut below, service, &["services", name]);
        Ok(below)
    }
}

/// The files and services that were gone through, and one more.
fn beyond(seen: &[(String, String)], here: (String, String)) -> Result<Vec<(String, String)>, String> {
    let again = seen.contains(&here);
    let mut all = seen.to_vec();
    all.push(here);
    if !again {
        return Ok(all);
    }
    let lines: Vec<String> = all.iter().map(|(file, service)| format!("{service} in {file}")).collect();
    Err(format!("Circular reference:\n  {}", lines.join("\n  extends ")))
}
