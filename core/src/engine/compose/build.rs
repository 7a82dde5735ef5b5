//! `docker compose build`, `pull` and `push`.

use super::App;
use super::app::LABEL;
use super::lanes::lanes;
use super::run::{docker, docker_captured};
use crate::cli::Args;
use crate::compose::{text, texts};
use crate::engine::image::{self, PullPolicy};
use crate::engine::race::Work;
use crate::engine::{Error, Result};
use crate::name::Reference;
use crate::world::World;
use serde_json::Value;

impl<W: World> App<'_, W> {
    /// Builds a service's image; the flags of `compose build` come on top of what the file says.
    pub(super) async fn build(&self, name: &str, quiet: bool, args: &Args) -> Result<()> {
        let service = self.service(name)?;
        let Some(build) = service.get("build") else { return Ok(()) };
        let image = self.image_of(name)?;
        if self.board.dry {
            let id: String = self.ctx.new_id().chars().take(40).collect();
            self.event(&format!("{name} ==>"), &format!("==> writing image dryRun-{id}"), "").await;
            self.event(&format!("{name} ==> ==>"), &format!("naming to {image}"), "").await;
            self.event(name, "", "Built").await;
            return Ok(());
        }
        let (words, beside) = self.build_words(name, build, &image, args).await?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.board.phase("Building");
        let result = Box::pin(docker(self, &words, !quiet)).await;
        if let Some(path) = beside {
            let _ = self.ctx.client.remove_file(&path).await;
        }
        self.built(name, result).await
    }

    /// The same for `watch`: what the build printed is given back.
    pub(super) async fn build_captured(&self, name: &str) -> (Result<()>, Vec<u8>) {
        let words = async {
            let build = self.service(name)?.get("build").cloned().unwrap_or_default();
            self.build_words(name, &build, &self.image_of(name)?, &Args::default()).await
        };
        let (words, beside) = match words.await {
            Ok(words) => words,
            Err(error) => return (Err(error), Vec::new()),
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (result, output) = Box::pin(docker_captured(self, &words)).await;
        if let Some(path) = beside {
            let _ = self.ctx.client.remove_file(&path).await;
        }
        (self.built(name, result).await, output)
    }

    /// The words of the `docker build` that makes a service's image, and a file to remove afterwards.
    async fn build_words(
        &self,
        name: &str,
        build: &Value,
        image: &str,
        args: &Args,
    ) -> Result<(Vec<String>, Option<String>)> {
        let get = |key: &str| build.get(key).filter(|v| !v.is_null()).map(text);
        let context = get("context").unwrap_or_else(|| ".".into());
        let mut words: Vec<String> = vec!["build".into(), format!("--tag={image}")];
        words.extend(texts(build.get("tags")).iter().map(|t| format!("--tag={t}")));
        for (key, value) in [("project", self.project.name.as_str()), ("service", name), ("version", super::VERSION)] {
            words.push(format!("--label={LABEL}.{key}={value}"));
        }
        let mut beside = None;
        if let Some(inline) = get("dockerfile_inline") {
            // The file stands beside the context for as long as the build takes.
            let path = format!("{context}/.cutaway-inline.Dockerfile");
            self.ctx.client.write_file(&path, inline.as_bytes(), 0o600).await?;
            words.push(format!("--file={path}"));
            beside = Some(path);
        } else if let Some(file) = get("dockerfile") {
            let file =
                if file.starts_with('/') || context.contains("://") { file } else { format!("{context}/{file}") };
            words.push(format!("--file={file}"));
        }
        for (key, flag) in [("target", "target"), ("network", "network"), ("shm_size", "shm-size")] {
            words.extend(get(key).map(|v| format!("--{flag}={v}")));
        }
        for (key, flag) in [("args", "build-arg"), ("labels", "label"), ("additional_contexts", "build-context")] {
            for (name, value) in build.get(key).and_then(Value::as_object).into_iter().flatten() {
                if !value.is_null() {
                    words.push(format!("--{flag}={name}={}", text(value)));
                }
            }
        }
        for host in texts(build.get("extra_hosts")) {
            words.push(format!("--add-host={}", host.replacen('=', ":", 1)));
        }
        for key in ["cache_from", "cache_to", "platforms"] {
            let flag = key.trim_end_matches('s').replace('_', "-");
            words.extend(texts(build.get(key)).iter().map(|v| format!("--{flag}={v}")));
        }
        for secret in build.get("secrets").and_then(Value::as_array).into_iter().flatten() {
            let source = secret.get("source").map(text).unwrap_or_default();
            let id = secret.get("target").map_or_else(|| source.clone(), text);
            let Some(definition) = self.project.secrets.get(&source) else { continue };
            if let Some(file) = definition.get("file").map(text) {
                words.push(format!("--secret=id={id},src={file}"));
            } else if let Some(variable) = definition.get("environment").map(text) {
                words.push(format!("--secret=id={id},env={variable}"));
            }
        }
        words.extend(args.values("build-arg").iter().map(|a| format!("--build-arg={a}")));
        for flag in ["no-cache", "pull"] {
            let wanted = args.flag(flag) || get(&flag.replace('-', "_")).as_deref() == Some("true");
            words.extend(wanted.then(|| format!("--{flag}")));
        }
        words.extend(args.flag("check").then(|| "--check".to_string()));
        // An image whose name Compose has made up belongs to no registry.
        let named = self.service(name)?.contains_key("image");
        words.extend((args.flag("push") && named).then(|| "--push".to_string()));
        words.push(context);
        Ok((words, beside))
    }

    async fn built(&self, name: &str, result: Result<i32>) -> Result<()> {
        match result? {
            0 => {
                // What the build printed is not drawn over.
                self.board.phase("Building");
                self.event(&self.image_of(name)?, "", "Built").await;
                self.board.phase("Running");
                Ok(())
            }
            status => Err(Error::Status(status)),
        }
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
    let mut any = false;
    let names = app.with_dependencies(&args.positionals, args.flag("with-dependencies"))?;
    if args.flag("print") {
        app.ctx.print(app.bake(&names, args)?).await;
        return Ok(0);
    }
    for name in names {
        if app.service(&name)?.contains_key("build") {
            any = true;
            Box::pin(app.build(&name, args.flag("quiet"), args)).await?;
        }
    }
    if !any {
        app.ctx.warn("No services to build\n").await;
    }
    Ok(0)
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
