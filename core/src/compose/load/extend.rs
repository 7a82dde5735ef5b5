//! `extends`: services on top of others, of the same file or of another.

use super::{LoadError, Reader, Top, absolute, folder_of};
use crate::compose::merge::{merge, take_away};
use crate::compose::read::Place;
use crate::compose::template::Variables;
use crate::compose::text;
use cutaway_userland::sorted::Set as BTreeSet;
use serde_json::{Map, Value};

/// Where a service stands: those beside it, and its file.
struct Beside<'a> {
    services: &'a Map<String, Value>,
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
            done.insert(name.clone(), self.extended(&place, name, variables, &mut BTreeSet::new())?);
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
        seen: &mut BTreeSet<(String, String)>,
    ) -> Result<Value, LoadError> {
        let path = place.path;
        let Some(service) = place.services.get(name) else {
            return Err(format!("cannot extend service {name:?} in {path}: service not found").into());
        };
        let mut service = service.clone();
        let Some(extends) = service.as_object_mut().and_then(|s| s.remove("extends")) else { return Ok(service) };
        if !seen.insert((path.to_string(), name.to_string())) {
            return Err(format!("Circular reference:\n  {name} in {path}").into());
        }
        let base = extends.get("service").map(text).unwrap_or_default();
        let missing = |file: &str| {
            LoadError::Invalid(format!(
                "cannot extend service {name:?} in {path}: service {base:?} not found in {file}"
            ))
        };
        let mut below = match extends.get("file").map(text) {
            None if !place.services.contains_key(&base) => return Err(missing(path)),
            None => self.extended(place, &base, variables, seen)?,
            Some(file) => {
                let file = absolute(place.folder, &file);
                let folder = folder_of(&file);
                let tops = self.canonical(&file, &folder, variables, &mut Vec::new())?;
                let holds = |(top, _): &&Top| top.get("services").is_some_and(|s| s.get(&base).is_some());
                let Some((top, cleared)) = tops.iter().find(holds) else { return Err(missing(&file)) };
                let Some(Value::Object(services)) = top.get("services") else { return Err(missing(&file)) };
                self.extended(&Beside { services, path: &file, folder: &folder, cleared }, &base, variables, seen)?
            }
        };
        let own = |place: &&Place| place.len() > 2 && place[0] == "services" && place[1] == name;
        let cleared: Vec<Place> = place.cleared.iter().filter(own).map(|p| p[2..].to_vec()).collect();
        take_away(&mut below, &cleared);
        merge(&mut below, service, &["services", name]);
        Ok(below)
    }
}
