//! `docker compose watch` and `up --watch`: what changes in a service's folders is put into its containers, or has
//! them built or started anew. Source: the Compose specification, "develop".
//!
//! Changes are found by looking again twice a second: that asks nothing of a world but its files, and is early enough
//! for a person who has just saved one.

mod look;
mod rules;
mod sync;

use super::App;
use super::converge::Plan;
use super::logs::Prefixes;
use super::menu::Menu;
use super::run::docker_with;
use crate::cli::Args;
use crate::engine::race::{First, race};
use crate::engine::{Error, Result};
use crate::image::ImageRecord;
use crate::world::World;
use cutaway_userland::sorted::{Map as BTreeMap, Set as BTreeSet};
use look::{Seen, changes};
use rules::{Action, Rule, rules};
use std::time::Duration;
use sync::sync;

/// How often is looked, and for how long nothing may change before what has changed is acted on.
const PAUSE: Duration = Duration::from_millis(500);

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
        watch.seen = look::all(app, &watch.rules).await;
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
            let mut now = look::all(app, &self.rules).await;
            let mut changed = changes(&self.seen, &now);
            // Many files that are saved together are one change.
            while !changed.is_empty() {
                app.ctx.world().sleep(PAUSE).await;
                let later = look::all(app, &self.rules).await;
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
}

/// Names as Go prints a list of them.
fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|n| format!("{n:?}")).collect();
    format!("[{}]", names.join(" "))
}

/// Whether any service asks to be watched.
pub(super) fn is_watched<W: World>(app: &App<'_, W>) -> bool {
    app.project.services.values().any(|s| s.get("develop").is_some_and(|d| d.get("watch").is_some()))
}

/// Watches while the menu says so.
pub(super) async fn watch_at_will<W: World>(
    app: &App<'_, W>,
    args: &Args,
    prefixes: &Prefixes,
    menu: &Menu,
) -> Result<()> {
    loop {
        menu.watching_is(true).await;
        let watching = async {
            let mut watch = Watch::begin(app, args, &args.positionals).await?;
            Box::pin(watch.run(app, prefixes)).await
        };
        match race(Box::pin(watching), menu.watching_is(false)).await {
            First::Left(Err(error)) => {
                menu.set_watching(false);
                prefixes.watch(app, &error.render("")).await;
            }
            First::Left(Ok(())) => {}
            First::Right(()) => prefixes.watch(app, "Watch disabled").await,
        }
    }
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
    match race(Box::pin(watch.run(app, &prefixes)), super::attached::interrupted(app)).await {
        First::Left(result) => result.map(|()| 0),
        First::Right(()) => Ok(130),
    }
}
