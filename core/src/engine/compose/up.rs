//! `docker compose up`, `create` and `scale`.

use super::App;
use super::converge::{Plan, scale_of};
use super::logs::{Prefixes, follow};
use super::together::together;
use crate::cli::Args;
use crate::engine::container::find_by_id;
use crate::engine::race::{First, race};
use crate::engine::{Error, Result};
use crate::world::World;
use cutaway_userland::os::Signal;
use std::cell::Cell;
use std::pin::{Pin, pin};
use std::time::Duration;

/// Networks, volumes, images and containers; the services, in order.
async fn prepare<W: World>(app: &App<'_, W>, args: &Args, plan: &Plan) -> Result<Vec<String>> {
    for name in plan.scale.keys() {
        app.service(name)?;
    }
    let services = app.with_dependencies(&args.positionals, !args.flag("no-deps"))?;
    if services.is_empty() {
        return Err(Error::Client("no service selected".into()));
    }
    Box::pin(app.ensure_images(&services, args)).await?;
    Box::pin(app.ensure_networks()).await?;
    Box::pin(app.ensure_volumes()).await?;
    Box::pin(orphans(app, args)).await?;
    Box::pin(app.converge(&services, plan)).await?;
    Ok(services)
}

/// Containers of services that are no longer there: removed where that is asked for, else told of.
async fn orphans<W: World>(app: &App<'_, W>, args: &Args) -> Result<()> {
    let orphans = app.orphans().await?;
    if orphans.is_empty() {
        return Ok(());
    }
    if args.flag("remove-orphans") {
        Box::pin(app.stop_all(&orphans, None)).await?;
        return Box::pin(app.remove_all(&orphans, false)).await;
    }
    let names: Vec<&str> = orphans.iter().map(|m| m.name()).collect();
    super::open::warn(
        app.ctx,
        &format!(
            "Found orphan containers ([{}]) for this project. If you removed or renamed this service in your compose file, you can run this command with the --remove-orphans flag to clean it up.",
            names.join(" ")
        ),
    )
    .await;
    Ok(())
}

pub(super) async fn create<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    Box::pin(prepare(app, args, &Plan::of(args)?)).await?;
    Ok(0)
}

pub(super) async fn scale<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let scale = scale_of(&args.positionals)?;
    let named: Vec<String> = scale.keys().cloned().collect();
    let plan = Plan { never: true, scale, ..Plan::default() };
    let inner = Args { positionals: named, ..args.clone() };
    let services = Box::pin(prepare(app, &inner, &plan)).await?;
    Box::pin(app.start_services(&services, None)).await?;
    Ok(0)
}

pub(super) async fn up<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let wait = args.flag("wait");
    let stops = args.flag("abort-on-container-exit")
        || args.flag("abort-on-container-failure")
        || args.value("exit-code-from").is_some_and(|s| !s.is_empty());
    if args.flag("detach") && stops {
        return Err(Error::Client("cannot combine --abort-on-container-exit and --detach".into()));
    }
    if args.flag("watch") {
        return Err(Error::Client("compose watch is not supported: run `docker compose up --build` again".into()));
    }
    let services = Box::pin(prepare(app, args, &Plan::of(args)?)).await?;
    if args.flag("no-start") {
        return Ok(0);
    }
    let limit = args.number("wait-timeout").filter(|n| *n > 0).map(|n| Duration::from_secs(n as u64));
    if args.flag("detach") || wait {
        Box::pin(app.start_services(&services, limit)).await?;
        if wait {
            for member in app.members(&services).await? {
                app.progress("Container", member.name(), "Waiting").await;
                match app.wait_healthy(&member, limit, false).await {
                    Ok(state) => app.progress("Container", member.name(), state).await,
                    Err(error) => {
                        app.progress("Container", member.name(), "Error").await;
                        return Err(error);
                    }
                }
            }
        }
        return Ok(0);
    }
    Box::pin(attached(app, args, &services, stops)).await
}

/// Shows what the containers print until all have ended or `^C` stops them.
async fn attached<W: World>(app: &App<'_, W>, args: &Args, services: &[String], stops: bool) -> Result<i32> {
    let chosen = |service: &String| {
        let attach = args.values("attach");
        !args.values("no-attach").contains(service)
            && (attach.is_empty() || attach.contains(service))
            && (args.positionals.is_empty() || args.flag("attach-dependencies") || args.positionals.contains(service))
    };
    let members: Vec<_> = app.members(services).await?.into_iter().filter(|m| chosen(&m.service)).collect();
    let prefixes = Prefixes::new(app, &members, args.flag("no-log-prefix"), args.flag("timestamps"));
    // Only what is printed from now on.
    let mut seen = Vec::new();
    for member in &members {
        seen.push(app.ctx.world().logs(&member.record.id, 0).await.map_or(0, |l| l.len()));
    }
    let names: Vec<String> = members.iter().map(|m| prefixes.name(m)).collect();
    app.ctx.print(format!("Attaching to {}\n", names.join(", "))).await;
    let stopped = Cell::new(None::<(String, i32)>);
    let stop = &stopped;
    let prefixes = &prefixes;
    let failure_only = args.flag("abort-on-container-failure");
    let work = async {
        Box::pin(app.start_services(services, None)).await?;
        let follows = members.iter().zip(&seen).map(|(member, seen)| {
            Box::pin(async move {
                Box::pin(follow(app, member, *seen, prefixes)).await;
                let Ok(record) = find_by_id(app.ctx, &member.record.id) else { return };
                let code = record.state.exit_code;
                let name = prefixes.name(member);
                app.ctx.print(format!("{name} exited with code {code}\n")).await;
                if stops && (!failure_only || code != 0) {
                    let first = stop.take().unwrap_or((member.service.clone(), code));
                    stop.set(Some(first));
                }
            }) as Pin<Box<dyn Future<Output = ()>>>
        });
        let aborted = async {
            loop {
                let known = stop.take();
                stop.set(known.clone());
                if known.is_some() {
                    return;
                }
                app.ctx.world().record_change(Duration::from_millis(200)).await;
            }
        };
        if stops {
            race(aborted, together(follows.collect())).await;
        } else {
            together(follows.collect::<Vec<_>>()).await;
        }
        Ok::<(), Error>(())
    };
    let mut work = pin!(work);
    match race(work.as_mut(), interrupted(app)).await {
        First::Left(result) => result?,
        First::Right(()) => {
            app.ctx.warn("Gracefully Stopping... press Ctrl+C again to force\n").await;
            let stopping = async {
                for group in app.last_first(app.members(services).await?)? {
                    Box::pin(app.stop_all(&group, args.number("timeout"))).await?;
                }
                Ok(())
            };
            // What they still print while they end is shown, too.
            let both: Vec<Pin<Box<dyn Future<Output = Result<()>> + '_>>> = vec![Box::pin(stopping), Box::pin(work)];
            if let First::Right(()) = race(together(both), interrupted(app)).await {
                for member in app.members(services).await?.iter().filter(|m| m.record.is_running()) {
                    Box::pin(super::run::docker(app, &["kill", &member.record.id], false)).await?;
                }
            }
            return Ok(130);
        }
    }
    if !stops {
        return Ok(0);
    }
    app.ctx.warn("Aborting on container exit...\n").await;
    for group in app.last_first(app.members(services).await?)? {
        Box::pin(app.stop_all(&group, args.number("timeout"))).await?;
    }
    let first = stopped.take();
    match args.value("exit-code-from").filter(|s| !s.is_empty()) {
        Some(service) => {
            let member = app.members(&[service.to_string()]).await?.into_iter().next();
            Ok(member.map_or(0, |m| m.record.state.exit_code))
        }
        None => Ok(first.map_or(0, |(_, code)| code)),
    }
}

/// Waits for a signal that asks to end.
async fn interrupted<W: World>(app: &App<'_, W>) {
    loop {
        let signal = app.ctx.client.signal().await;
        if matches!(signal, Signal::INT | Signal::TERM) {
            return;
        }
    }
}
