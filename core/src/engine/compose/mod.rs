//! The `docker compose` commands. A project is read from its files, or known by its name from the labels of its
//! containers; then everything is done by the engine's own functions for containers, networks and volumes.
//!
//! A compose command is made of many others, and the future of each would lie inside its caller's: they are boxed
//! where they are called, or a thread's stack, and a browser's even more, would be too small for the whole.

mod app;
mod attached;
mod audience;
mod bake;
mod build;
mod config;
mod converge;
mod create;
mod diverged;
mod down;
mod ensure;
mod flags;
mod hook;
mod imagine;
mod lanes;
mod list;
mod logs;
mod menu;
mod open;
mod progress;
mod quiet;
mod run;
mod states;
mod up;
mod waiting;
mod watch;

use app::App;

use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::world::World;
use open::Need;
use std::rc::Rc;

/// The version of Compose whose behaviour this is.
const VERSION: &str = "2.40.3";

/// Runs the command if it is one of this group's; its exit status.
pub async fn dispatch<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    let name = call.command.strip_prefix("compose ")?;
    let args = &call.args;
    Some(match name {
        "version" => version(ctx, call).await,
        "ls" => Box::pin(list::projects(ctx, args)).await,
        "config" => Box::pin(config::config(ctx, call)).await,
        _ => match Box::pin(in_project(ctx, call, name)).await {
            Err(Error::Client(text)) if text.is_empty() => Err(Error::Status(1)),
            result => result,
        },
    })
}

/// The commands that work on one project.
async fn in_project<W: World>(ctx: &Ctx<W>, call: &Invocation, name: &str) -> Result<i32> {
    let args = &call.args;
    let words = &args.positionals;
    let app = async |need: Need, named: &[String]| Box::pin(open::open(ctx, call, need, named)).await;
    let first = words.get(..1).unwrap_or_default();
    match name {
        "up" => {
            let menu = Rc::new(menu::Menu::default());
            let ctx = quiet::above(ctx, &menu);
            let app = Box::pin(open::open(&ctx, call, Need::File, words)).await?;
            Box::pin(up::up(&app, args, &menu)).await
        }
        "create" => Box::pin(up::create(&app(Need::File, words).await?, args)).await,
        "scale" => Box::pin(up::scale(&app(Need::File, &[]).await?, args)).await,
        "run" => Box::pin(run::run(&app(Need::File, first).await?, args)).await,
        "build" => Box::pin(build::build(&app(Need::File, words).await?, args)).await,
        "pull" => Box::pin(build::pull(&app(Need::File, words).await?, args)).await,
        "push" => Box::pin(build::push(&app(Need::File, words).await?, args)).await,
        "down" if !matches!(args.value("rmi").unwrap_or(""), "" | "all" | "local") => {
            Err(Error::Client(format!("invalid value for --rmi: {:?}", args.value("rmi").unwrap_or(""))))
        }
        "logs" if args.number("index").is_some_and(|i| i > 0) && words.len() != 1 => {
            Err(Error::Client("--index requires one service to be selected".into()))
        }
        "down" => Box::pin(down::down(&app(Need::Name, words).await?, args)).await,
        "rm" => Box::pin(down::rm(&app(Need::Name, words).await?, args)).await,
        "ps" => Box::pin(list::ps(&app(Need::Name, words).await?, args)).await,
        "images" => Box::pin(list::images(&app(Need::Name, &[]).await?, args)).await,
        "port" => Box::pin(list::port(&app(Need::Name, &[]).await?, args)).await,
        "top" => Box::pin(list::top(&app(Need::Name, &[]).await?, args)).await,
        "volumes" => Box::pin(list::volumes(&app(Need::Name, words).await?, args)).await,
        "logs" => Box::pin(logs::logs(&app(Need::Name, words).await?, args)).await,
        "exec" => Box::pin(run::exec(&app(Need::Name, &[]).await?, args)).await,
        "attach" | "export" | "commit" => Box::pin(run::on_container(&app(Need::Name, &[]).await?, args, name)).await,
        "cp" => Box::pin(run::copy(&app(Need::Name, &[]).await?, args)).await,
        "stats" => Box::pin(run::stats(&app(Need::Name, &[]).await?, args)).await,
        "events" => Box::pin(run::events(&app(Need::Name, &[]).await?, args)).await,
        "start" => Box::pin(states::start(&app(Need::Name, words).await?, args)).await,
        "stop" => Box::pin(states::stop(&app(Need::Name, words).await?, args)).await,
        "restart" => Box::pin(states::restart(&app(Need::Name, words).await?, args)).await,
        "kill" => Box::pin(states::kill(&app(Need::Name, words).await?, args)).await,
        "pause" => Box::pin(states::pause(&app(Need::Name, words).await?, args, true)).await,
        "unpause" => Box::pin(states::pause(&app(Need::Name, words).await?, args, false)).await,
        "wait" => Box::pin(states::wait(&app(Need::Name, &[]).await?, args)).await,
        "watch" => Box::pin(watch::watch(&app(Need::File, words).await?, args)).await,
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
