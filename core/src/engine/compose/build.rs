//! `docker compose build`, `pull` and `push`.

use super::App;
use super::bake::with_contexts;
use super::lanes::lanes;
use super::quiet::{Printed, Quiet};
use super::run::docker;
use crate::cli::Args;
use crate::compose::text;
use crate::engine::build::bake_for_compose;
use crate::engine::image::{self, PullPolicy};
use crate::engine::race::Work;
use crate::engine::{Ctx, Error, Result};
use crate::name::Reference;
use crate::world::World;
use serde_json::Value;
use std::cell::RefCell;
use std::rc::Rc;

impl<W: World> App<'_, W> {
    /// Builds the images of some services, all in one; the flags of `compose build` come on top of what the file says.
    pub(super) async fn build(&self, names: &[String], quiet: bool, args: &Args) -> Result<i32> {
        if names.is_empty() {
            return Ok(0);
        }
        if self.board.dry {
            for name in names {
                let image = self.image_of(name)?;
                let id: String = self.ctx.new_id().chars().take(40).collect();
                self.event(&format!("{name} ==>"), &format!("==> writing image dryRun-{id}"), "").await;
                self.event(&format!("{name} ==> ==>"), &format!("naming to {image}"), "").await;
                self.event(name, "", "Built").await;
            }
            return Ok(0);
        }
        self.board.phase("Building");
        let printed = if quiet { Printed::Kept(RefCell::default()) } else { Printed::Merged };
        let (result, _) = Box::pin(self.baked(names, quiet, args, printed)).await;
        let status = result?;
        if status == 0 && !args.flag("check") {
            // What the build printed is not drawn over.
            self.board.phase("Building");
            for name in names.iter().filter(|_| !quiet || args.flags.is_empty()) {
                self.event(&self.image_of(name)?, "", "Built").await;
            }
            self.board.phase("Running");
        }
        Ok(status)
    }

    /// The same for `watch`: what the build printed is given back.
    pub(super) async fn build_captured(&self, name: &str) -> (Result<()>, Vec<u8>) {
        let printed = Printed::Kept(RefCell::default());
        let (result, told) = Box::pin(self.baked(&[name.to_string()], false, &Args::default(), printed)).await;
        (result.map(drop), told)
    }

    async fn baked(&self, names: &[String], quiet: bool, args: &Args, printed: Printed) -> (Result<i32>, Vec<u8>) {
        let (definition, words) =
            match self.bake(names, args).and_then(|d| Ok((d, self.bake_words(names, quiet, args)?))) {
                Ok(both) => both,
                Err(error) => return (Err(error), Vec::new()),
            };
        let call = match crate::cli::parse(&words) {
            Ok(call) => call,
            Err(usage) => return (Err(Error::Client(usage.text)), Vec::new()),
        };
        let input = RefCell::new(definition.into_bytes());
        let client = Rc::new(Quiet { inner: self.ctx.client.clone(), input, printed });
        let ctx = Ctx { watched: self.ctx.watched.clone(), client: client.clone() };
        let result = Box::pin(bake_for_compose(&ctx, &call)).await;
        (result, client.kept())
    }

    /// The words of the `docker buildx bake` that builds these services.
    fn bake_words(&self, names: &[String], quiet: bool, args: &Args) -> Result<Vec<String>> {
        let ssh = args.value("ssh").filter(|ssh| !ssh.is_empty() && *ssh != "default" && !ssh.contains('='));
        if let Some(wrong) = ssh {
            return Err(Error::Client(format!("invalid ssh key {wrong:?}")));
        }
        let progress = if quiet { "quiet" } else { self.board.for_builder() };
        let mut words: Vec<String> = ["buildx", "bake", "--file=-"].map(str::to_string).to_vec();
        words.push(format!("--progress={progress}"));
        for name in with_contexts(&self.project, names.to_vec()) {
            let Some(build) = self.service(&name)?.get("build") else { continue };
            let context = build.get("context").map_or_else(|| ".".into(), text);
            words.push(format!("--allow=fs.read={context}"));
            let contexts = build.get("additional_contexts").and_then(Value::as_object).into_iter().flatten();
            let local = contexts.map(|(_, v)| text(v)).filter(|v| !v.contains("://") && !v.starts_with("service:"));
            words.extend(local.map(|path| format!("--allow=fs.read={path}")));
            if build.get("privileged").is_some_and(|p| *p == Value::Bool(true)) {
                words.push("--allow=security.insecure".into());
            }
        }
        for flag in ["sbom", "provenance", "builder"] {
            words.extend(args.value(flag).filter(|v| !v.is_empty()).map(|v| format!("--{flag}={v}")));
        }
        Ok(words)
    }

    /// Pulls a service's image.
    pub(super) async fn pull(&self, name: &str, image: &str, policy: PullPolicy, quiet: bool) -> Result<()> {
        if !quiet {
            self.event(name, "Pulling", "").await;
        }
        let platform = self.service(name)?.get("platform").map(text);
        let pulled = match self.board.dry {
            true => Ok(()),
            false => Box::pin(image::ensure_quietly(self.ctx, image, policy, platform.as_deref())).await.map(drop),
        };
        match &pulled {
            Ok(()) if !quiet => self.event(name, "Pulled", "").await,
            Err(error) if !quiet => {
                let why = error.render("").replace("Error response from daemon: ", "");
                self.event(name, "Error", &why).await;
            }
            _ => {}
        }
        pulled
    }
}

pub(super) async fn build<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let mut names = app.with_dependencies(&args.positionals, args.flag("with-dependencies"))?;
    if args.flag("print") {
        app.ctx.print(app.bake(&names, args)?).await;
        return Ok(0);
    }
    names = with_contexts(&app.project, names);
    names.retain(|name| app.service(name).is_ok_and(|s| s.contains_key("build")));
    Box::pin(app.build(&names, args.flag("quiet"), args)).await
}

/// Why a service's image is not pulled.
fn skipped<W: World>(app: &App<'_, W>, name: &str, args: &Args, pulled: &[(String, String)]) -> Result<Option<String>> {
    let service = app.service(name)?;
    let image = app.image_of(name)?;
    let own = service.get("pull_policy").map(text);
    let policy = args.value("policy").filter(|p| !p.is_empty()).or(own.as_deref()).unwrap_or("always");
    let already = pulled.iter().find(|(i, _)| *i == image).map(|(_, by)| by.clone());
    // What is called the latest may have gone on.
    let fixed = Reference::parse(&image).is_ok_and(|r| r.with_default_tag().tag() != Some("latest"));
    Ok(match policy {
        _ if !service.contains_key("image") => Some("Skipped - No image to be pulled".to_string()),
        "never" | "build" => Some("Skipped".to_string()),
        "missing" if fixed && app.known_image(&image)?.is_some() => {
            Some("Skipped - Image is already present locally".to_string())
        }
        _ if service.contains_key("build") && args.flag("ignore-buildable") => {
            Some("Skipped - Image can be built".to_string())
        }
        _ => already.map(|by| format!("Skipped - Image is already being pulled by {by}")),
    })
}

pub(super) async fn pull<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    app.board.phase("Pulling");
    let quiet = args.flag("quiet");
    let mut pulled: Vec<(String, String)> = Vec::new();
    for name in app.with_dependencies(&args.positionals, args.flag("include-deps"))? {
        match skipped(app, &name, args, &pulled)? {
            Some(why) if !quiet => app.event(&name, &why, "").await,
            Some(_) => {}
            None => pulled.push((app.image_of(&name)?, name)),
        }
    }
    let work = pulled.iter().map(|(image, name)| -> Work<'_, Result<()>> {
        Box::pin(async move { app.pull(name, image, PullPolicy::Always, quiet).await })
    });
    let results = Box::pin(lanes(work.collect(), app.at_once)).await;
    let mut failed: Vec<(&str, Error)> = Vec::new();
    for ((_, name), result) in pulled.iter().zip(results) {
        failed.extend(result.err().map(|error| (name.as_str(), error)));
    }
    // What can be built needs no registry.
    let (buildable, lost): (Vec<_>, Vec<_>) =
        failed.into_iter().partition(|(name, _)| app.service(name).is_ok_and(|s| s.contains_key("build")));
    if !buildable.is_empty() {
        let names: Vec<&str> = buildable.iter().map(|(name, _)| *name).collect();
        let text = "WARNING: Some service image(s) must be built from source by running:\n    docker compose build ";
        app.ctx.warn(format!("{text}{}\n", names.join(" "))).await;
    }
    match lost.into_iter().chain(buildable).next() {
        Some((_, error)) if !args.flag("ignore-pull-failures") => Err(error),
        _ => Ok(0),
    }
}

pub(super) async fn push<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    app.board.phase("Pushing");
    let mut pushed: Vec<(String, String)> = Vec::new();
    for name in app.with_dependencies(&args.positionals, args.flag("include-deps"))? {
        let service = app.service(&name)?;
        if service.contains_key("build") && service.contains_key("image") {
            pushed.push((app.image_of(&name)?, name));
        }
    }
    let work = pushed.iter().map(|(image, name)| -> Work<'_, Result<()>> {
        Box::pin(async move {
            app.event(name, "Pushing", "").await;
            let status = match app.board.dry {
                true => Ok(0),
                false => Box::pin(docker(app, &["push", "--quiet", image], false)).await,
            };
            match status {
                Ok(0) => app.event(name, "Pushed", "").await,
                Err(_) if args.flag("ignore-push-failures") => {}
                Ok(status) => return Err(Error::Status(status)),
                Err(error) => return Err(error),
            }
            Ok(())
        })
    });
    Box::pin(lanes(work.collect(), app.at_once)).await.into_iter().collect::<Result<()>>()?;
    Ok(0)
}
