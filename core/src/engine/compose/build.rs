//! `docker compose build`, `pull` and `push`.

use super::App;
use super::run::docker;
use crate::cli::Args;
use crate::compose::{text, texts};
use crate::engine::image::{self, PullPolicy};
use crate::engine::{Error, Result};
use crate::world::World;
use serde_json::Value;

impl<W: World> App<'_, W> {
    /// Builds a service's image; the flags of `compose build` come on top of what the file says.
    pub(super) async fn build(&self, name: &str, quiet: bool, args: &Args) -> Result<()> {
        let service = self.service(name)?;
        let Some(build) = service.get("build") else { return Ok(()) };
        let image = self.image_of(name)?;
        let get = |key: &str| build.get(key).filter(|v| !v.is_null()).map(text);
        let context = get("context").unwrap_or_else(|| ".".into());
        let mut words: Vec<String> = vec!["build".into(), format!("--tag={image}")];
        words.extend(texts(build.get("tags")).iter().map(|t| format!("--tag={t}")));
        if let Some(inline) = get("dockerfile_inline") {
            // The file stands beside the context for as long as the build takes.
            let path = format!("{context}/.cutaway-inline.Dockerfile");
            self.ctx.client.write_file(&path, inline.as_bytes(), 0o600).await?;
            words.push(format!("--file={path}"));
            words.push(context);
            let result = Box::pin(docker(self, &words.iter().map(String::as_str).collect::<Vec<_>>(), !quiet)).await;
            let _ = self.ctx.client.remove_file(&path).await;
            return self.built(name, result).await;
        }
        if let Some(file) = get("dockerfile") {
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
        words.extend(args.values("build-arg").iter().map(|a| format!("--build-arg={a}")));
        for flag in ["no-cache", "pull"] {
            let wanted = args.flag(flag) || get(&flag.replace('-', "_")).as_deref() == Some("true");
            words.extend(wanted.then(|| format!("--{flag}")));
        }
        words.push(context);
        let result = Box::pin(docker(self, &words.iter().map(String::as_str).collect::<Vec<_>>(), !quiet)).await;
        self.built(name, result).await
    }

    async fn built(&self, name: &str, result: Result<i32>) -> Result<()> {
        match result? {
            0 => {
                self.ctx.warn(format!(" {}  Built\n", self.image_of(name)?)).await;
                Ok(())
            }
            status => Err(Error::Status(status)),
        }
    }

    /// Pulls a service's image.
    pub(super) async fn pull(&self, name: &str, image: &str, policy: PullPolicy, quiet: bool) -> Result<()> {
        if !quiet {
            self.ctx.warn(format!(" {name} Pulling \n")).await;
        }
        let platform = self.service(name)?.get("platform").map(text);
        match Box::pin(image::ensure_quietly(self.ctx, image, policy, platform.as_deref())).await {
            Ok(_) => {
                if !quiet {
                    self.ctx.warn(format!(" {name} Pulled \n")).await;
                }
                Ok(())
            }
            Err(error) => {
                if !quiet {
                    self.ctx
                        .warn(format!(
                            " {name} Error {}\n",
                            error.render("").replace("Error response from daemon: ", "")
                        ))
                        .await;
                }
                Err(error)
            }
        }
    }
}

pub(super) async fn build<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let mut any = false;
    for name in app.with_dependencies(&args.positionals, args.flag("with-dependencies"))? {
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

pub(super) async fn pull<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let quiet = args.flag("quiet");
    for name in app.with_dependencies(&args.positionals, args.flag("include-deps"))? {
        let service = app.service(&name)?;
        if !service.contains_key("image") || (service.contains_key("build") && args.flag("ignore-buildable")) {
            if !quiet {
                app.ctx.warn(format!(" {name} Skipped No image to be pulled\n")).await;
            }
            continue;
        }
        let policy = match args.value("policy") {
            Some("missing") => PullPolicy::Missing,
            _ => PullPolicy::Always,
        };
        let image = app.image_of(&name)?;
        match Box::pin(app.pull(&name, &image, policy, quiet)).await {
            Err(_) if args.flag("ignore-pull-failures") => {}
            result => result?,
        }
    }
    Ok(0)
}

pub(super) async fn push<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    for name in app.with_dependencies(&args.positionals, args.flag("include-deps"))? {
        let service = app.service(&name)?;
        if !service.contains_key("build") || !service.contains_key("image") {
            continue;
        }
        let image = app.image_of(&name)?;
        app.ctx.warn(format!(" {name} Pushing \n")).await;
        match Box::pin(docker(app, &["push", "--quiet", &image], false)).await {
            Ok(0) => app.ctx.warn(format!(" {name} Pushed \n")).await,
            Err(_) if args.flag("ignore-push-failures") => {}
            Ok(status) => return Err(Error::Status(status)),
            Err(error) => return Err(error),
        }
    }
    Ok(0)
}
