//! What a service asks to be watched: its rules, and which place in the container a file of the host has by them.

use crate::build::Ignore;
use crate::compose::{text, texts};
use crate::engine::compose::App;
use crate::engine::{Error, Result};
use crate::world::World;
use serde_json::{Map, Value};

/// What editors leave for a moment, and what belongs to a repository, is nobody's change.
const PASSING: &str = "**/.git\n**/*___jb_old___\n**/*___jb_tmp___\n**/.idea\n**/.#*\n**/#*#\n**/4913\n**/*~\n\
    **/.*.swp\n**/.*.swx\n**/.*.swo\n**/.*.swn\n**/.*.kate-swp\n**/*-go-tmp-umask";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Rebuild,
    Sync,
    Restart,
    SyncRestart,
    SyncExec,
}

impl Action {
    fn parse(word: &str) -> Option<Action> {
        Some(match word {
            "rebuild" => Action::Rebuild,
            "sync" => Action::Sync,
            "restart" => Action::Restart,
            "sync+restart" => Action::SyncRestart,
            "sync+exec" => Action::SyncExec,
            _ => return None,
        })
    }
}

pub(super) struct Rule {
    pub service: String,
    pub action: Action,
    /// The file or folder that is watched; absolute.
    pub path: String,
    target: String,
    include: Option<Ignore>,
    pub ignore: Ignore,
    /// The build context and what its `.dockerignore` leaves out.
    context: Option<(String, Ignore)>,
    pub exec: Value,
    pub initial: bool,
}

/// `path` as seen from `folder`, where it is below it.
pub(super) fn below<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder.trim_end_matches('/'))?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
}

impl Rule {
    /// The place in the container for a file of the host, where this rule means that file.
    pub fn place(&self, path: &str) -> Option<String> {
        let inner = below(&self.path, path)?;
        if !inner.is_empty() {
            let left_out = |context: &(String, Ignore)| below(&context.0, path).is_some_and(|p| context.1.ignores(p));
            if self.include.as_ref().is_some_and(|i| !i.ignores(inner))
                || self.ignore.ignores(inner)
                || self.context.as_ref().is_some_and(left_out)
            {
                return None;
            }
        }
        let target = self.target.trim_end_matches('/');
        Some(if inner.is_empty() { target.to_string() } else { format!("{target}/{inner}") })
    }
}

pub(super) async fn rules<W: World>(app: &App<'_, W>, name: &str, service: &Map<String, Value>) -> Result<Vec<Rule>> {
    let mut rules = Vec::new();
    let build = service.get("build");
    let context = build.and_then(|b| b.get("context")).map(text).filter(|c| c.starts_with('/'));
    let context = match context {
        Some(folder) => {
            let bytes = app.ctx.client.read_file(&format!("{folder}/.dockerignore")).await.unwrap_or_default();
            Some((folder, Ignore::parse(&String::from_utf8_lossy(&bytes))))
        }
        None => None,
    };
    let own = service.get("develop").and_then(|d| d.get("watch")).and_then(Value::as_array);
    for rule in own.into_iter().flatten() {
        let get = |key: &str| rule.get(key).map(text).unwrap_or_default();
        let Some(action) = Action::parse(&get("action")) else { continue };
        if action == Action::Rebuild && build.is_none() {
            return Err(Error::Client(format!(
                "can't watch service {name:?} with action rebuild without a build context"
            )));
        }
        if action == Action::SyncExec && texts(rule.get("exec").and_then(|e| e.get("command"))).is_empty() {
            return Err(Error::Client(format!(
                "can't watch with action \"sync+exec\" on service {name} without a command"
            )));
        }
        let path = crate::container::spec::absolute(&app.project.directory, &get("path"));
        if matches!(action, Action::Sync | Action::SyncRestart) && is_bound(service, &path) {
            let text = format!("path '{path}' also declared by a bind mount volume, this path won't be monitored!\n");
            crate::engine::compose::open::warn(app.ctx, &text).await;
            continue;
        }
        let include = texts(rule.get("include"));
        rules.push(Rule {
            service: name.to_string(),
            action,
            path,
            target: get("target"),
            include: (!include.is_empty()).then(|| Ignore::parse(&include.join("\n"))),
            ignore: Ignore::parse(&format!("{PASSING}\n{}", texts(rule.get("ignore")).join("\n"))),
            context: context.clone(),
            exec: rule.get("exec").cloned().unwrap_or_default(),
            initial: rule.get("initial_sync") == Some(&Value::Bool(true)) && action != Action::Rebuild,
        });
    }
    Ok(rules)
}

/// Whether the container sees the folder itself, so that there is nothing to copy.
pub(super) fn is_bound(service: &Map<String, Value>, path: &str) -> bool {
    let volumes = service.get("volumes").and_then(Value::as_array).into_iter().flatten();
    volumes
        .filter(|v| v.get("type").is_some_and(|t| t == "bind"))
        .any(|v| below(&v.get("source").map(text).unwrap_or_default(), path).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(path: &str, target: &str, ignore: &str) -> Rule {
        Rule {
            service: "a".into(),
            action: Action::Sync,
            path: path.into(),
            target: target.into(),
            include: None,
            ignore: Ignore::parse(&format!("{PASSING}\n{ignore}")),
            context: Some(("/p".into(), Ignore::parse("secret.txt"))),
            exec: Value::Null,
            initial: false,
        }
    }

    #[test]
    fn places() {
        for (path, target, ignore, file, place) in [
            ("/p/src", "/app", "", "/p/src/a/b.js", Some("/app/a/b.js")),
            ("/p/src", "/app/", "", "/p/srcs/b.js", None),
            ("/p/src", "/app", "node_modules/", "/p/src/node_modules/x", None),
            ("/p", "/app", "", "/p/secret.txt", None),
            ("/p", "/app", "", "/p/.a.js.swp", None),
            ("/p/one.txt", "/etc/one", "", "/p/one.txt", Some("/etc/one")),
        ] {
            assert_eq!(rule(path, target, ignore).place(file).as_deref(), place, "{path} {file}");
        }
        let mut only = rule("/p", "/app", "");
        only.include = Some(Ignore::parse("*.py"));
        assert_eq!((only.place("/p/a.py").is_some(), only.place("/p/a.js").is_some()), (true, false));
    }
}
