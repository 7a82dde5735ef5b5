//! Which service waits for which, and the order that follows.

use super::Project;
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::Value;

/// The services that this one waits for, with `{condition, required, restart}`; only those of active profiles.
pub fn dependencies<'a>(project: &'a Project, service: &str) -> BTreeMap<&'a str, &'a Value> {
    let depends = project.services.get(service).and_then(|s| s.get("depends_on")).and_then(Value::as_object);
    depends
        .into_iter()
        .flatten()
        .filter(|(name, _)| project.services.contains_key(*name))
        .map(|(name, how)| (name.as_str(), how))
        .collect()
}

/// The services, each after those that it depends on; otherwise by name.
///
/// # Errors
/// `dependency cycle detected: a -> b -> a`.
pub fn order(project: &Project) -> Result<Vec<String>, String> {
    let (mut done, mut path) = (Vec::new(), Vec::new());
    for name in project.services.keys() {
        visit(project, name, &mut path, &mut done)?;
    }
    Ok(done)
}

fn visit(project: &Project, name: &str, path: &mut Vec<String>, done: &mut Vec<String>) -> Result<(), String> {
    if done.iter().any(|n| n == name) {
        return Ok(());
    }
    if let Some(at) = path.iter().position(|n| n == name) {
        path.push(name.to_string());
        return Err(format!("dependency cycle detected: {}", path[at..].join(" -> ")));
    }
    path.push(name.to_string());
    for dependency in dependencies(project, name).keys() {
        visit(project, dependency, path, done)?;
    }
    path.pop();
    done.push(name.to_string());
    Ok(())
}
