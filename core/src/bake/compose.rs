//! Compose's files as definitions: a target for each service that is built, all of them in the group `default`.

use super::diagnostic::{Source, Wrong};
use super::entry::{Entry, Kind, normal, parse};
use super::stdlib::sanitize;
use super::target::{Field, Group, Target};
use super::{Config, LoadError, Outside};
use crate::compose::{self, Project, Request, text, texts};
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Map, Value as Json};
use std::rc::Rc;

/// Whether a file without a name that tells is Compose's.
pub fn is_compose(file: &Source) -> bool {
    let begins = |line: &str| line.trim_end() == "services:" || line.starts_with("services: ");
    file.text.lines().any(begins)
}

/// Reads the files.
pub fn read(files: &[Rc<Source>], outside: &Outside) -> Result<Config, LoadError> {
    let mut contents = outside.contents.clone();
    let mut paths = Vec::new();
    for file in files {
        let path = crate::build::joined(&outside.directory, &file.name);
        contents.insert(path.clone(), Some(file.text.clone().into_bytes()));
        paths.push(path);
    }
    let named = (outside.env)("COMPOSE_PROJECT_NAME").filter(|name| !name.is_empty());
    let request = Request {
        files: paths,
        directory: outside.directory.clone(),
        name: Some(named.unwrap_or_else(|| "bake".into())),
        profiles: vec!["*".into()],
        named: Vec::new(),
        env_files: Vec::new(),
        dotenv: vec![crate::build::joined(&outside.directory, ".env")],
        env: outside.env,
        contents: &contents,
        interpolate: true,
        resolve_paths: false,
        consistent: false,
        normalize: false,
        resolve_environment: false,
        all_resources: true,
    };
    let project = compose::load(&request).map_err(|error| match error {
        compose::LoadError::Needs(path) => LoadError::Needs(path),
        compose::LoadError::Invalid(text) => {
            LoadError::Wrong(Wrong::Plain(format!("failed to parse compose file: {text}")))
        }
    })?;
    let mut config = Config::default();
    let mut group = Group { name: "default".into(), ..Group::default() };
    for (name, service) in &project.services {
        let Some(build) = service.get("build").and_then(Json::as_object) else { continue };
        let target = target_of(&name.replace('.', "_"), service, build, &project, outside)?;
        group.targets.push(target.name.clone());
        config.targets.push(target);
    }
    config.groups.push(group);
    Ok(config)
}

fn target_of(
    name: &str,
    service: &Map<String, Json>,
    build: &Map<String, Json>,
    project: &Project,
    outside: &Outside,
) -> Result<Target, Wrong> {
    if sanitize(name) != name {
        return Err(Wrong::Plain(format!(
            "failed to parse compose file: invalid service name {name:?}: only \"[a-zA-Z0-9_-]+\" are allowed"
        )));
    }
    let mut target = Target { name: name.to_string(), ..Target::default() };
    let get = |key: &str| build.get(key).filter(|v| !v.is_null()).map(text).filter(|v| !v.is_empty());
    for (key, field) in [
        ("context", "context"),
        ("dockerfile", "dockerfile"),
        ("dockerfile_inline", "dockerfile-inline"),
        ("target", "target"),
        ("network", "network"),
    ] {
        target.fields.extend(get(key).map(|value| (field, Field::Text(value))));
    }
    if let Some(bytes) = get("shm_size").and_then(|size| crate::container::spec::parse_bytes(&size).ok()) {
        target.set_text("shm-size", crate::view::units::binary_size(bytes));
    }
    for (key, field) in [("pull", "pull"), ("no_cache", "no-cache")] {
        if get(key).as_deref() == Some("true") {
            target.fields.insert(field, Field::Flag(true));
        }
    }
    let environment = service.get("environment").and_then(Json::as_object);
    for (key, field) in [("args", "args"), ("labels", "labels"), ("additional_contexts", "contexts")] {
        let mut pairs: BTreeMap<String, Option<String>> = BTreeMap::new();
        for (name, value) in build.get(key).and_then(Json::as_object).into_iter().flatten() {
            let own = || environment.and_then(|all| all.get(name)).filter(|v| !v.is_null()).map(text);
            let value = match value {
                Json::Null => own().or_else(|| (outside.env)(name)),
                value => Some(text(value)),
            };
            let value = value.map(|value| if key == "additional_contexts" { linked(&value) } else { value });
            pairs.extend(value.map(|value| (name.clone(), Some(value))));
        }
        if !pairs.is_empty() {
            target.fields.insert(field, Field::Pairs(pairs));
        }
    }
    for host in texts(build.get("extra_hosts")) {
        if let Some((host, address)) = host.split_once('=') {
            target.set_pair("extra-hosts", host, address);
        }
    }
    let mut tags = texts(build.get("tags"));
    if tags.is_empty() {
        tags.extend(service.get("image").filter(|v| !v.is_null()).map(text));
    }
    let ulimits = build.get("ulimits").and_then(Json::as_object).into_iter().flatten();
    let ulimits = ulimits.map(|(name, value)| {
        let part = |key: &str| value.get(key).map_or_else(|| text(value), text);
        format!("{name}={}:{}", part("soft"), part("hard"))
    });
    for (field, list) in [("tags", tags), ("platforms", texts(build.get("platforms"))), ("ulimits", ulimits.collect())]
    {
        if !list.is_empty() {
            target.fields.insert(field, Field::Texts(list));
        }
    }
    for (key, field, kind) in
        [("cache_from", "cache-from", Kind::Cache), ("cache_to", "cache-to", Kind::Cache), ("ssh", "ssh", Kind::Ssh)]
    {
        add(&mut target, field, kind, &texts(build.get(key)))?;
    }
    for (key, kind) in [("sbom", "sbom"), ("provenance", "provenance")] {
        if let Some(value) = get(key) {
            let flag = super::entry::go_bool(&value);
            let value = flag.map_or_else(|| value.clone(), |yes| format!("disabled={}", !yes));
            add(&mut target, "attest", Kind::Attest, &[format!("type={kind},{value}")])?;
        }
    }
    let mut secrets = Vec::new();
    for secret in build.get("secrets").and_then(Json::as_array).into_iter().flatten() {
        let source = secret.get("source").map(text).unwrap_or_default();
        let definition = project.secrets.get(&source);
        if definition.and_then(|d| d.get("external")).is_some_and(|v| *v == Json::Bool(true)) {
            return Err(Wrong::Plain(format!("failed to parse compose file: unsupported external secret {source}")));
        }
        let mut entry = Entry::of(&[("id", &source)]);
        for (key, field) in [("file", "src"), ("environment", "env")] {
            if let Some(value) = definition.and_then(|d| d.get(key)).map(text) {
                entry.set(field, &value);
            }
        }
        secrets.push(entry);
    }
    if !secrets.is_empty() {
        target.fields.insert("secret", Field::Entries(Kind::Secret, secrets));
    }
    extend(&mut target, build.get("x-bake"))?;
    Ok(target)
}

/// A service as a context is its target.
fn linked(value: &str) -> String {
    match value.strip_prefix("service:").or_else(|| value.strip_prefix("target:")) {
        Some(name) => format!("target:{}", name.replace('.', "_")),
        None => value.to_string(),
    }
}

fn add(target: &mut Target, field: &'static str, kind: Kind, list: &[String]) -> Result<(), Wrong> {
    let mut all = target.entries(field).to_vec();
    for text in list {
        all.extend(parse(kind, text).map_err(|e| format!("failed to parse compose file: {e}"))?);
    }
    if !list.is_empty() {
        normal(kind, &mut all);
        target.fields.insert(field, Field::Entries(kind, all));
    }
    Ok(())
}

/// `x-bake`: what Compose's own attributes can't say.
fn extend(target: &mut Target, more: Option<&Json>) -> Result<(), Wrong> {
    let words = |key: &str| match more.and_then(|m| m.get(key)) {
        Some(Json::String(text)) => text.split_whitespace().map(str::to_string).collect(),
        list => texts(list),
    };
    for field in ["tags", "platforms", "no-cache-filter"] {
        for text in words(field) {
            let list = target.texts_mut(field);
            if !list.contains(&text) {
                list.push(text);
            }
        }
    }
    for (field, kind) in [
        ("cache-from", Kind::Cache),
        ("cache-to", Kind::Cache),
        ("secret", Kind::Secret),
        ("ssh", Kind::Ssh),
        ("output", Kind::Output),
    ] {
        add(target, field, kind, &words(field))?;
    }
    for field in ["pull", "no-cache"] {
        if let Some(yes) = more.and_then(|m| m.get(field)).and_then(Json::as_bool) {
            target.fields.insert(field, Field::Flag(yes));
        }
    }
    for (name, value) in more.and_then(|m| m.get("contexts")).and_then(Json::as_object).into_iter().flatten() {
        if !target.pairs("contexts").iter().any(|(known, _)| known == name) {
            target.set_pair("contexts", name, &linked(&text(value)));
        }
    }
    Ok(())
}
