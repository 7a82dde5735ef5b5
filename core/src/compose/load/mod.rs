//! From the files of an application to its project.

mod extend;
mod include;
mod paths;

use crate::compose::finish::finish;
use crate::compose::merge::{merge, take_away};
use crate::compose::read::{self, Place};
use crate::compose::template::{TemplateError, Variables};
use crate::compose::{Project, dotenv, normal, short, text, validate};
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Map, Value};

/// Files by path; `None` where there is no such file.
pub type Contents = BTreeMap<String, Option<Vec<u8>>>;

/// What is asked for, and the files that have been read so far.
pub struct Request<'a> {
    /// `-f`, or what was found; absolute.
    pub files: Vec<String>,
    /// The folder of the project; absolute.
    pub directory: String,
    /// `-p`, where it was given.
    pub name: Option<String>,
    pub profiles: Vec<String>,
    /// Services that were named on the command line: their profiles are active.
    pub named: Vec<String>,
    /// `--env-file`; absolute.
    pub env_files: Vec<String>,
    /// The files that are read in place of those, where they are there; what an earlier one says holds.
    pub dotenv: Vec<String>,
    pub env: &'a dyn Fn(&str) -> Option<String>,
    pub contents: &'a Contents,
    pub interpolate: bool,
    pub resolve_paths: bool,
    /// Whether undefined references are errors.
    pub consistent: bool,
    pub normalize: bool,
    /// Whether `env_file` and variables without a value are looked up.
    pub resolve_environment: bool,
    /// Whether what no service uses stays.
    pub all_resources: bool,
}

impl<'a> Request<'a> {
    /// Some files of a folder, with all that Compose does where nothing else is asked of it.
    pub fn whole(
        files: Vec<String>,
        directory: &str,
        env: &'a dyn Fn(&str) -> Option<String>,
        contents: &'a Contents,
    ) -> Request<'a> {
        Request {
            files,
            directory: directory.to_string(),
            name: None,
            profiles: Vec::new(),
            named: Vec::new(),
            env_files: Vec::new(),
            dotenv: vec![format!("{directory}/.env")],
            env,
            contents,
            interpolate: true,
            resolve_paths: true,
            consistent: true,
            normalize: true,
            resolve_environment: true,
            all_resources: false,
        }
    }
}

/// Why there is no project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// This file has to be read first.
    Needs(String),
    /// In Compose's words.
    Invalid(String),
}

impl From<String> for LoadError {
    fn from(text: String) -> LoadError {
        LoadError::Invalid(text)
    }
}

/// Reads an application.
///
/// # Errors
/// See [`LoadError`].
pub fn load(request: &Request) -> Result<Project, LoadError> {
    let dotenv = environment(request)?;
    let lookup = |name: &str| (request.env)(name).or_else(|| dotenv.get(name).cloned());
    let reader = Reader { request, lookup: &lookup };
    let mut model = Value::Object(Map::new());
    let mut warnings = Vec::new();
    let first = request.files.first().cloned().unwrap_or_default();
    // The name comes before all else, because the files may use it.
    let given = request.name.clone().or_else(|| lookup("COMPOSE_PROJECT_NAME").filter(|n| !n.is_empty()));
    let mut name = given.clone();
    for path in &request.files {
        for (top, _) in reader.parse(path)? {
            if let Some(own) = top.get("name").filter(|_| given.is_none()) {
                let variables = Variables::new(&lookup);
                let filled = variables.fill(&text(own)).map_err(|e| wrong("name", &e))?;
                name = Some(filled).filter(|n| !n.is_empty()).or(name);
            }
        }
    }
    let name = match name {
        Some(name) if project_name(&name) == name && !name.is_empty() => name,
        Some(name) => return Err(bad_name(&name).into()),
        None => project_name(request.directory.rsplit('/').next().unwrap_or("")),
    };
    if name.is_empty() {
        return Err("project name must not be empty".to_string().into());
    }
    let with_name =
        |variable: &str| if variable == "COMPOSE_PROJECT_NAME" { Some(name.clone()) } else { lookup(variable) };
    let variables = Variables::new(&with_name);
    for path in &request.files {
        let (top, cleared) = reader.file(path, &request.directory, &variables, &mut warnings, &mut Vec::new())?;
        take_away(&mut model, &cleared);
        merge(&mut model, top, &[]);
    }
    if model.as_object().is_none_or(Map::is_empty) {
        return Err(format!("empty compose file: {first}").into());
    }
    for unset in variables.unset.borrow().iter().filter(|_| request.interpolate) {
        warnings.push(format!("The {unset:?} variable is not set. Defaulting to a blank string."));
    }
    let asked = variables.asked.borrow().clone();
    let mut environment = BTreeMap::from([("COMPOSE_PROJECT_NAME".to_string(), name.clone())]);
    for variable in dotenv.keys().chain(asked.keys()) {
        environment.extend(lookup(variable).map(|value| (variable.clone(), value)));
    }
    let mut project = Project {
        name: name.clone(),
        directory: request.directory.clone(),
        files: request.files.clone(),
        all_resources: request.all_resources,
        warnings,
        variables: asked,
        environment,
        ..Project::default()
    };
    finish(&mut project, model, request, &lookup)?;
    Ok(project)
}

/// A text as a project may be called: small letters, digits, `_` and `-`.
pub fn project_name(text: &str) -> String {
    let kept: String = text
        .to_lowercase()
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(*c))
        .collect();
    kept.trim_start_matches(['_', '-']).to_string()
}

fn bad_name(name: &str) -> String {
    format!(
        "invalid project name {name:?}: must consist only of lowercase alphanumeric characters, hyphens, and \
         underscores as well as start with a letter or number"
    )
}

/// The variables of `.env` or of `--env-file`.
fn environment(request: &Request) -> Result<BTreeMap<String, String>, LoadError> {
    let mut all = BTreeMap::new();
    let given = !request.env_files.is_empty();
    for path in if given { &request.env_files } else { &request.dotenv } {
        match wanted(request, path)? {
            Some(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                let known = all.clone();
                let outside = |name: &str| (request.env)(name).or_else(|| known.get(name).cloned());
                let lines = dotenv::parse_env_file(&text, &outside);
                let lines = lines.map_err(|e| format!("failed to read {path}: {e}"))?;
                all.extend(lines.into_iter().filter(|(name, _)| given || !known.contains_key(name)));
            }
            None if given => return Err(format!("couldn't find env file: {path}").into()),
            None => {}
        }
    }
    Ok(all)
}

/// A file's contents, where it has been looked at.
pub(super) fn wanted<'a>(request: &'a Request, path: &str) -> Result<Option<&'a Vec<u8>>, LoadError> {
    match request.contents.get(path) {
        Some(contents) => Ok(contents.as_ref()),
        None => Err(LoadError::Needs(path.to_string())),
    }
}

/// `path` seen from `folder`.
pub(super) fn absolute(folder: &str, path: &str) -> String {
    if path.starts_with('/') { short::clean(path) } else { short::clean(&format!("{folder}/{path}")) }
}

fn folder_of(path: &str) -> String {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/".into(),
        Some((folder, _)) => folder.to_string(),
    }
}

fn wrong(path: &str, error: &TemplateError) -> String {
    match error {
        TemplateError::Invalid(template) => format!(
            "invalid interpolation format for {path}.\nYou may need to escape any $ with another $.\n{template}"
        ),
        TemplateError::Required(message) => format!("error while interpolating {path}: {message}"),
    }
}

/// What a file says, and what it clears of what others said before.
type Top = (Map<String, Value>, Vec<Place>);

struct Reader<'a> {
    request: &'a Request<'a>,
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl Reader<'_> {
    /// A file's documents as generic values.
    fn parse(&self, path: &str) -> Result<Vec<Top>, LoadError> {
        let Some(bytes) = wanted(self.request, path)? else {
            return Err(format!("open {path}: no such file or directory").into());
        };
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(format!("failed to parse {path}: yaml: invalid leading UTF-8 octet").into());
        };
        let documents = read::read(text).map_err(|e| format!("failed to parse {path}: {e}"))?;
        let mut tops = Vec::new();
        for document in documents {
            match document.value {
                Value::Object(map) => tops.push((map, document.cleared)),
                Value::Null => {}
                _ => return Err("top-level object must be a mapping".to_string().into()),
            }
        }
        if tops.is_empty() { Err("empty compose file".to_string().into()) } else { Ok(tops) }
    }

    /// A file with its variables put in, checked, in canonical form.
    fn canonical(
        &self,
        path: &str,
        folder: &str,
        variables: &Variables,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Top>, LoadError> {
        let mut tops = self.parse(path)?;
        for (top, _) in &mut tops {
            if let Some(one) = top.get("include").filter(|i| !i.is_array() && !i.is_null()) {
                return Err(format!("`include` must be a list, got {}", text(one)).into());
            }
            for (key, value) in &mut *top {
                if self.request.interpolate {
                    fill(value, key, variables)?;
                    old_words(value, key, warnings);
                } else {
                    note(value, variables);
                }
            }
            validate::check(top).map_err(|e| format!("validating {path}: {e}"))?;
            warnings.extend(normal::file(top)?);
            if self.request.resolve_paths {
                paths::resolve_paths(&(self.lookup)("HOME").unwrap_or_default(), top, folder);
            }
        }
        Ok(tops)
    }

    /// A file in canonical form, with what it includes and what its services extend.
    fn file(
        &self,
        path: &str,
        folder: &str,
        variables: &Variables,
        warnings: &mut Vec<String>,
        seen: &mut Vec<String>,
    ) -> Result<(Value, Vec<Place>), LoadError> {
        let tops = self.canonical(path, folder, variables, warnings)?;
        if seen.iter().any(|s| s == path) {
            seen.push(path.to_string());
            return Err(format!("include cycle detected:\n{}", seen.join("\n include ")).into());
        }
        seen.push(path.to_string());
        let (mut whole, mut all_cleared) = (Value::Object(Map::new()), Vec::new());
        for (mut top, cleared) in tops {
            if top.remove("version").is_some() {
                warnings.push(format!(
                    "{path}: the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential confusion"
                ));
            }
            self.extend_services(&mut top, path, folder, variables, &cleared)?;
            for one in top.remove("include").and_then(|i| i.as_array().cloned()).into_iter().flatten() {
                include::import(&mut top, self.include(&one, folder, warnings, seen)?)?;
            }
            take_away(&mut whole, &cleared);
            merge(&mut whole, Value::Object(top), &[]);
            all_cleared.extend(cleared);
        }
        seen.pop();
        Ok((whole, all_cleared))
    }
}

/// The truth values that may be words of YAML 1.1.
const TRUTHS: [&str; 17] = [
    "services.*.init",
    "services.*.healthcheck.disable",
    "services.*.oom_kill_disable",
    "services.*.privileged",
    "services.*.read_only",
    "services.*.stdin_open",
    "services.*.tty",
    "services.*.volumes.[].read_only",
    "services.*.volumes.[].volume.nocopy",
    "networks.*.external",
    "networks.*.internal",
    "networks.*.attachable",
    "networks.*.enable_ipv4",
    "networks.*.enable_ipv6",
    "volumes.*.external",
    "secrets.*.external",
    "configs.*.external",
];

/// Warns of each truth value at `path` that is such a word.
fn old_words(value: &Value, path: &str, warnings: &mut Vec<String>) {
    // A name with a dot in it is not looked into.
    let fits = |pattern: &str| {
        let mut keys = path.split('.');
        pattern.split('.').enumerate().all(|(at, wanted)| keys.next().is_none_or(|key| at == 1 || key == wanted))
    };
    let depth = |path: &str| path.split('.').count();
    match value {
        Value::String(word) => {
            let instead = match word.to_lowercase().as_str() {
                "y" | "yes" | "on" => "true",
                "n" | "no" | "off" => "false",
                _ => return,
            };
            if TRUTHS.iter().any(|pattern| fits(pattern) && depth(pattern) == depth(path)) {
                warnings.push(format!("{word:?} for boolean is not supported by YAML 1.2, please use `{instead}`"));
            }
        }
        _ if !TRUTHS.iter().any(|pattern| fits(pattern)) => {}
        Value::Array(items) => items.iter().for_each(|item| old_words(item, &format!("{path}.[]"), warnings)),
        Value::Object(map) => map.iter().for_each(|(key, item)| old_words(item, &format!("{path}.{key}"), warnings)),
        _ => {}
    }
}

/// Notes the variables that are asked for, without putting them in.
fn note(value: &Value, variables: &Variables) {
    match value {
        Value::String(text) => drop(variables.fill(text)),
        Value::Array(items) => items.iter().for_each(|item| note(item, variables)),
        Value::Object(map) => map.iter().for_each(|(_, item)| note(item, variables)),
        _ => {}
    }
}

fn fill(value: &mut Value, path: &str, variables: &Variables) -> Result<(), LoadError> {
    match value {
        Value::String(text) if text.contains('$') => {
            *text = variables.fill(text).map_err(|e| wrong(path, &e))?;
        }
        Value::Array(items) => {
            for item in items {
                fill(item, &format!("{path}.[]"), variables)?;
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                fill(item, &format!("{path}.{key}"), variables)?;
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests;
