//! `docker compose watch` and `up --watch`: what changes in a service's folders is put into its containers, or has
//! them built or started anew. Source: the Compose specification, "develop".
//!
//! Changes are found by looking again twice a second: that asks nothing of a world but its files, and is early enough
//! for a person who has just saved one.

use super::App;
use super::converge::Plan;
use super::logs::Prefixes;
use super::run::docker_with;
use crate::build::Ignore;
use crate::cli::Args;
use crate::compose::{text, texts};
use crate::engine::{Error, Result};
use crate::image::ImageRecord;
use crate::name::Digest;
use crate::world::{FileFacts, World};
use cutaway_userland::os::FileKind;
use cutaway_userland::sorted::{Map as BTreeMap, Set as BTreeSet};
use serde_json::{Map, Value};
use std::time::Duration;

/// How often is looked, and for how long nothing may change before what has changed is acted on.
const PAUSE: Duration = Duration::from_millis(500);

/// What editors leave for a moment, and what belongs to a repository, is nobody's change.
const PASSING: &str = "**/.git\n**/*___jb_old___\n**/*___jb_tmp___\n**/.idea\n**/.#*\n**/#*#\n**/4913\n**/*~\n\
    **/.*.swp\n**/.*.swx\n**/.*.swo\n**/.*.swn\n**/.*.kate-swp\n**/*-go-tmp-umask";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
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

struct Rule {
    service: String,
    action: Action,
    /// The file or folder that is watched; absolute.
    path: String,
    target: String,
    include: Option<Ignore>,
    ignore: Ignore,
    /// The build context and what its `.dockerignore` leaves out.
    context: Option<(String, Ignore)>,
    exec: Value,
    initial: bool,
}

/// `path` as seen from `folder`, where it is below it.
fn below<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder.trim_end_matches('/'))?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
}

impl Rule {
    /// The place in the container for a file of the host, where this rule means that file.
    fn place(&self, path: &str) -> Option<String> {
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

/// What is known of a file: its time and size, and where it changed within the last moments also its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    mtime: u64,
    size: u64,
    mode: u32,
    target: Option<String>,
    contents: Option<Digest>,
}

impl Look {
    fn differs(&self, other: &Look) -> bool {
        let contents = matches!((self.contents, other.contents), (Some(a), Some(b)) if a != b);
        contents
            || (self.mtime, self.size, self.mode, &self.target) != (other.mtime, other.size, other.mode, &other.target)
    }
}

type Seen = BTreeMap<String, Look>;

/// The rules of these services, and what their files were when it began.
pub(super) struct Watch {
    rules: Vec<Rule>,
    seen: Seen,
    /// `--prune`: images that a build has replaced go.
    prune: bool,
    /// `--quiet`: without the output of builds.
    quiet: bool,
}

/// What one round of changes asks for, by service.
#[derive(Default)]
struct Round {
    rebuild: BTreeSet<String>,
    restart: BTreeSet<String>,
    /// Files of the host with their places in the container.
    sync: BTreeMap<String, Vec<(String, String)>>,
    /// Rules whose command is to be run.
    exec: BTreeSet<usize>,
}

impl Watch {
    /// Reads the rules of these services (all, where none is named) and looks for the first time.
    pub async fn begin<W: World>(app: &App<'_, W>, args: &Args, services: &[String]) -> Result<Watch> {
        let mut watch = Watch {
            rules: Vec::new(),
            seen: Seen::new(),
            prune: args.flag_or("prune", true),
            quiet: args.flag("quiet"),
        };
        for (name, service) in &app.project.services {
            if services.is_empty() || services.contains(name) {
                watch.rules.extend(rules(app, name, service).await?);
            }
        }
        if watch.rules.is_empty() {
            return Err(Error::Client(
                "none of the selected services is configured for watch, consider setting a 'develop' section".into(),
            ));
        }
        watch.seen = watch.look(app).await;
        Ok(watch)
    }

    /// Watches until the caller drops it.
    pub async fn run<W: World>(&mut self, app: &App<'_, W>, prefixes: &Prefixes) -> Result<()> {
        for at in 0..self.rules.len() {
            if self.rules[at].initial {
                Box::pin(self.first_sync(app, at)).await?;
            }
        }
        prefixes.watch(app, "Watch enabled").await;
        loop {
            app.ctx.world().sleep(PAUSE).await;
            let mut now = self.look(app).await;
            let mut changed = changes(&self.seen, &now);
            // Many files that are saved together are one change.
            while !changed.is_empty() {
                app.ctx.world().sleep(PAUSE).await;
                let later = self.look(app).await;
                let more = changes(&now, &later);
                now = later;
                if more.is_empty() {
                    break;
                }
                changed.extend(more);
            }
            for (path, look) in &mut now {
                if look.contents.is_none() {
                    look.contents = self.seen.get(path).filter(|old| !old.differs(look)).and_then(|old| old.contents);
                }
            }
            self.seen = now;
            if changed.is_empty() {
                continue;
            }
            let round = self.round(&changed);
            if let Err(error) = Box::pin(self.handle(app, round, prefixes)).await {
                let text = format!("Error handling changed files: {}", error.render(""));
                super::open::warn(app.ctx, &text).await;
            }
        }
    }

    fn round(&self, changed: &BTreeSet<String>) -> Round {
        let mut round = Round::default();
        for path in changed {
            for (at, rule) in self.rules.iter().enumerate() {
                let Some(place) = rule.place(path) else { continue };
                if matches!(rule.action, Action::Sync | Action::SyncRestart | Action::SyncExec) {
                    round.sync.entry(rule.service.clone()).or_default().push((path.clone(), place));
                }
                match rule.action {
                    Action::Rebuild => drop(round.rebuild.insert(rule.service.clone())),
                    Action::Restart | Action::SyncRestart => drop(round.restart.insert(rule.service.clone())),
                    Action::SyncExec => drop(round.exec.insert(at)),
                    Action::Sync => {}
                }
            }
        }
        round
    }

    async fn handle<W: World>(&self, app: &App<'_, W>, round: Round, prefixes: &Prefixes) -> Result<()> {
        if !round.rebuild.is_empty() {
            let services: Vec<String> = round.rebuild.iter().cloned().collect();
            Box::pin(self.rebuild(app, &services, prefixes)).await?;
        }
        for (service, files) in &round.sync {
            let text = format!("Syncing service {service:?} after {} changes were detected", files.len());
            prefixes.watch(app, &text).await;
            Box::pin(sync(app, service, files)).await?;
        }
        if !round.restart.is_empty() {
            let services: Vec<String> = round.restart.iter().cloned().collect();
            let mut all = services.clone();
            all.extend(app.restarted_with(&services));
            app.board.hushed.set(true);
            let restarted = Box::pin(app.restart_services(&all, None)).await;
            app.board.hushed.set(false);
            restarted?;
            prefixes.watch(app, &format!("service(s) {} restarted", quoted(&services))).await;
        }
        for at in &round.exec {
            let rule = &self.rules[*at];
            for member in app.members(std::slice::from_ref(&rule.service)).await? {
                if member.record.is_running() {
                    let (_, output) = Box::pin(app.run_in(&member, &rule.exec)).await?;
                    app.ctx.print(output).await;
                }
            }
        }
        Ok(())
    }

    async fn rebuild<W: World>(&self, app: &App<'_, W>, services: &[String], prefixes: &Prefixes) -> Result<()> {
        let named = quoted(services);
        prefixes.watch(app, &format!("Rebuilding service(s) {named} after changes were detected...")).await;
        let mut old: Vec<ImageRecord> = Vec::new();
        app.board.hushed.set(true);
        let mut built = Ok(());
        for service in services {
            old.extend(app.known_image(&app.image_of(service)?)?);
            let (result, output) = Box::pin(app.build_captured(service)).await;
            if !self.quiet || result.is_err() {
                prefixes.watch(app, &String::from_utf8_lossy(&output)).await;
            }
            built = built.and(result);
        }
        app.board.hushed.set(false);
        if let Err(error) = built {
            prefixes.watch(app, &format!("Build failed. Error: {}", error.render(""))).await;
            return Err(error);
        }
        prefixes.watch(app, &format!("service(s) {named} successfully built")).await;
        app.board.hushed.set(true);
        let plan = Plan { force: true, named: services.to_vec(), ..Plan::default() };
        let mut made = Box::pin(app.converge(services, &plan)).await;
        if made.is_ok() {
            let mut started = services.to_vec();
            started.extend(app.restarted_with(services));
            made = Box::pin(app.start_services(&started, None, Some(prefixes))).await;
        }
        app.board.hushed.set(false);
        if let Err(error) = made {
            let text = format!("Failed to recreate services after update. Error: {}", error.render(""));
            prefixes.watch(app, &text).await;
            return Err(error);
        }
        for image in old.iter().filter(|_| self.prune) {
            if crate::engine::image::references(app.ctx, &image.id)?.is_empty() {
                let _ = Box::pin(docker_with(app, &["rmi", &image.id.to_string()], Vec::new())).await;
            }
        }
        Ok(())
    }

    /// `initial_sync`: what is newer than the image is put into the containers at the start.
    async fn first_sync<W: World>(&self, app: &App<'_, W>, at: usize) -> Result<()> {
        let rule = &self.rules[at];
        let image = app.known_image(&app.image_of(&rule.service)?)?;
        let made = image.and_then(|i| i.created).unwrap_or_default().as_secs();
        let newer = self.seen.iter().filter(|(_, look)| look.mtime >= made);
        let files: Vec<(String, String)> = newer.filter_map(|(p, _)| Some((p.clone(), rule.place(p)?))).collect();
        if files.is_empty() { Ok(()) } else { Box::pin(sync(app, &rule.service, &files)).await }
    }

    /// All files that any rule may mean.
    async fn look<W: World>(&self, app: &App<'_, W>) -> Seen {
        let mut seen = Seen::new();
        for rule in &self.rules {
            let mut left = vec![rule.path.clone()];
            while let Some(path) = left.pop() {
                let inner = below(&rule.path, &path).unwrap_or("");
                if seen.contains_key(&path) || (!inner.is_empty() && rule.ignore.ignores_all_below(inner)) {
                    continue;
                }
                let Ok(Some(facts)) = app.ctx.client.facts(&path).await else { continue };
                if facts.kind == FileKind::Directory {
                    let names = app.ctx.client.read_directory(&path).await.unwrap_or_default();
                    left.extend(names.into_iter().map(|name| format!("{}/{name}", path.trim_end_matches('/'))));
                } else if rule.place(&path).is_some() {
                    seen.insert(path.clone(), look(app, &path, facts).await);
                }
            }
        }
        seen
    }
}

async fn look<W: World>(app: &App<'_, W>, path: &str, facts: FileFacts) -> Look {
    // Within a second, a file may change again without its time telling.
    let fresh = facts.kind == FileKind::Regular && facts.mtime + 2 >= app.ctx.world().now().as_secs();
    let contents = match fresh {
        true => app.ctx.client.read_file(path).await.ok().map(|bytes| Digest::of(&bytes)),
        false => None,
    };
    Look { mtime: facts.mtime, size: facts.size, mode: facts.mode, target: facts.target, contents }
}

/// The files that came, went or changed.
fn changes(before: &Seen, after: &Seen) -> BTreeSet<String> {
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    let new = after.iter().filter(|(path, look)| before.get(*path).is_none_or(|old| old.differs(look)));
    gone.chain(new.map(|(path, _)| path)).cloned().collect()
}

/// Names as Go prints a list of them.
fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|n| format!("{n:?}")).collect();
    format!("[{}]", names.join(" "))
}

async fn rules<W: World>(app: &App<'_, W>, name: &str, service: &Map<String, Value>) -> Result<Vec<Rule>> {
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
            super::open::warn(app.ctx, &text).await;
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
fn is_bound(service: &Map<String, Value>, path: &str) -> bool {
    let volumes = service.get("volumes").and_then(Value::as_array).into_iter().flatten();
    volumes
        .filter(|v| v.get("type").is_some_and(|t| t == "bind"))
        .any(|v| below(&v.get("source").map(text).unwrap_or_default(), path).is_some())
}

/// Puts files of the host into the containers of a service; what is no more on the host goes there, too.
async fn sync<W: World>(app: &App<'_, W>, service: &str, files: &[(String, String)]) -> Result<()> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut gone: Vec<Value> = Vec::new();
    let mut any = false;
    for (path, place) in files {
        let client = &app.ctx.client;
        let Ok(Some(facts)) = client.facts(path).await else {
            gone.push(place.clone().into());
            continue;
        };
        let bytes = match facts.kind {
            FileKind::Regular => client.read_file(path).await?,
            FileKind::Symlink => Vec::new(),
            _ => continue,
        };
        let mut header = tar::Header::new_gnu();
        header.set_mode(facts.mode & 0o7777);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(facts.mtime);
        header.set_size(bytes.len() as u64);
        let place = place.trim_start_matches('/');
        let added = match &facts.target {
            Some(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                archive.append_link(&mut header, place, target)
            }
            None => archive.append_data(&mut header, place, bytes.as_slice()),
        };
        added.map_err(|e| Error::Client(format!("{path}: {e}")))?;
        any = true;
    }
    let bytes = archive.into_inner().map_err(|e| Error::Client(e.to_string()))?;
    for member in app.members(&[service.to_string()]).await? {
        if !gone.is_empty() && member.record.is_running() {
            let mut command: Vec<Value> = vec!["rm".into(), "-rf".into()];
            command.extend(gone.iter().cloned());
            let mut hook = Map::new();
            hook.insert("command".into(), Value::Array(command));
            Box::pin(app.run_in(&member, &Value::Object(hook))).await?;
        }
        if any {
            Box::pin(docker_with(app, &["cp", "-", &format!("{}:/", member.record.id)], bytes.clone())).await?;
        }
    }
    Ok(())
}

/// `docker compose watch`.
pub(super) async fn watch<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    // What is wrong with the rules is told before anything is done.
    drop(Watch::begin(app, args, &args.positionals).await?);
    if !args.flag("no-up") {
        Box::pin(super::up::before_watch(app, args)).await?;
    }
    if app.board.dry {
        return Ok(0);
    }
    let mut watch = Watch::begin(app, args, &args.positionals).await?;
    let prefixes = Prefixes::bare();
    match crate::engine::race::race(Box::pin(watch.run(app, &prefixes)), super::attached::interrupted(app)).await {
        crate::engine::race::First::Left(result) => result.map(|()| 0),
        crate::engine::race::First::Right(()) => Ok(130),
    }
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

    #[test]
    fn what_changed() {
        let look = |mtime: u64, text: &str| Look {
            mtime,
            size: 1,
            mode: 0o644,
            target: None,
            contents: (!text.is_empty()).then(|| Digest::of(text.as_bytes())),
        };
        let seen = |items: &[(&str, Look)]| items.iter().map(|(p, l)| ((*p).to_string(), l.clone())).collect::<Seen>();
        let before = seen(&[("a", look(1, "x")), ("b", look(1, "")), ("c", look(1, "x")), ("d", look(1, ""))]);
        let after = seen(&[("a", look(1, "y")), ("b", look(2, "")), ("c", look(1, "")), ("e", look(1, ""))]);
        let changed: Vec<String> = changes(&before, &after).iter().cloned().collect();
        assert_eq!(changed, ["a", "b", "d", "e"]);
    }
}
