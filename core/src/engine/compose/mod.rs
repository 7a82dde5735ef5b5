//! The `docker compose` commands. A project is read from its files, or known by its name from the labels of its
//! containers; then everything is done by the engine's own functions for containers, networks and volumes.

mod app;
mod build;
mod config;
mod converge;
mod create;
mod down;
mod list;
mod logs;
mod open;
mod quiet;
mod run;
mod states;
#[cfg(test)]
mod tests;
mod together;
mod up;

use app::App;

use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::world::World;
use open::Need;

/// The version of Compose whose behaviour this is.
const VERSION: &str = "2.40.3";

/// Commands that change something.
const CHANGING: [&str; 16] = [
    "build", "cp", "create", "down", "exec", "kill", "pause", "pull", "push", "restart", "rm", "run", "scale", "start",
    "stop", "up",
];

/// Runs the command if it is one of this group's; its exit status.
pub async fn dispatch<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    let name = call.command.strip_prefix("compose ")?;
    let args = &call.args;
    Some(match name {
        "version" => version(ctx, call).await,
        "ls" => list::projects(ctx, args).await,
        "config" => config::config(ctx, call).await,
        _ => match in_project(ctx, call, name).await {
            Err(Error::Client(text)) if text.is_empty() => Err(Error::Status(1)),
            result => result,
        },
    })
}

/// The commands that work on one project.
async fn in_project<W: World>(ctx: &Ctx<W>, call: &Invocation, name: &str) -> Result<i32> {
    let args = &call.args;
    let words = &args.positionals;
    let app = async |need: Need, named: &[String]| open::open(ctx, call, need, named).await;
    let first = words.get(..1).unwrap_or_default();
    if (args.flag("dry-run") || call.global.flag("dry-run")) && CHANGING.contains(&name) {
        return Err(Error::Client(
            "--dry-run is not supported: `docker compose config` shows what is asked for".into(),
        ));
    }
    match name {
        "up" => up::up(&app(Need::File, words).await?, args).await,
        "create" => up::create(&app(Need::File, words).await?, args).await,
        "scale" => up::scale(&app(Need::File, &[]).await?, args).await,
        "run" => run::run(&app(Need::File, first).await?, args).await,
        "build" => build::build(&app(Need::File, words).await?, args).await,
        "pull" => build::pull(&app(Need::File, words).await?, args).await,
        "push" => build::push(&app(Need::File, words).await?, args).await,
        "down" => down::down(&app(Need::Name, words).await?, args).await,
        "rm" => down::rm(&app(Need::Name, words).await?, args).await,
        "ps" => list::ps(&app(Need::Name, words).await?, args).await,
        "images" => list::images(&app(Need::Name, words).await?, args).await,
        "port" => list::port(&app(Need::Name, first).await?, args).await,
        "top" => list::top(&app(Need::Name, words).await?, args).await,
        "volumes" => list::volumes(&app(Need::Name, words).await?, args).await,
        "logs" => logs::logs(&app(Need::Name, words).await?, args).await,
        "exec" => run::exec(&app(Need::Name, first).await?, args).await,
        "attach" | "export" | "commit" => run::on_container(&app(Need::Name, first).await?, args, name).await,
        "cp" => run::copy(&app(Need::Name, &[]).await?, args).await,
        "stats" => run::stats(&app(Need::Name, words).await?, args).await,
        "events" => run::events(&app(Need::Name, words).await?, args).await,
        "start" => states::start(&app(Need::Name, words).await?, args).await,
        "stop" => states::stop(&app(Need::Name, words).await?, args).await,
        "restart" => states::restart(&app(Need::Name, words).await?, args).await,
        "kill" => states::kill(&app(Need::Name, words).await?, args).await,
        "pause" => states::pause(&app(Need::Name, words).await?, args, true).await,
        "unpause" => states::pause(&app(Need::Name, words).await?, args, false).await,
        "wait" => states::wait(&app(Need::Name, words).await?, args).await,
        "watch" => Err(Error::Client("compose watch is not supported: run `docker compose up --build` again".into())),
        other => Err(Error::Client(format!("compose {other} is not supported"))),
    }
}

async fn version<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let text = match (call.args.flag("short"), call.args.value("format")) {
        (true, _) => VERSION.to_string(),
        (false, Some("json")) => format!("{{\"version\":\"{VERSION}\"}}"),
        _ => format!("Docker Compose version {VERSION}"),
    };
    ctx.print(format!("{text}\n")).await;
    Ok(0)
}
