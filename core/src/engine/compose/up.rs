//! `docker compose up`, `create` and `scale`.

use super::App;
use super::attached::attached;
use super::converge::{Plan, scale_of};
use super::menu::Menu;
use super::watch::{Watch, is_watched};
use crate::cli::Args;
use crate::engine::{Error, Result};
use crate::world::{Stream, World};
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
    crate::compose::unique_names(&app.project).map_err(Error::Client)?;
    Box::pin(app.ensure_images(&services, args)).await?;
    Box::pin(app.ensure_networks()).await?;
    Box::pin(app.ensure_volumes(args.flag("yes"))).await?;
    Box::pin(orphans(app, args)).await?;
    Box::pin(app.converge(&services, plan)).await?;
    Ok(services)
}

/// Containers of services that are no longer there: removed where that is asked for, else told of.
pub(super) async fn orphans<W: World>(app: &App<'_, W>, args: &Args) -> Result<()> {
    let ignored = app.settings.is_on(app.ctx, "COMPOSE_IGNORE_ORPHANS");
    if ignored && args.flag("remove-orphans") {
        return Err(Error::Client("cannot combine COMPOSE_IGNORE_ORPHANS and --remove-orphans".into()));
    }
    let orphans = app.orphans().await?;
    if orphans.is_empty() || ignored {
        return Ok(());
    }
    if args.flag("remove-orphans") || app.settings.is_on(app.ctx, "COMPOSE_REMOVE_ORPHANS") {
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
    app.board.phase("Creating");
    Box::pin(prepare(app, args, &Plan::of(args)?)).await?;
    Ok(0)
}

pub(super) async fn scale<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let scale = scale_of(&args.positionals)?;
    let named: Vec<String> = scale.keys().cloned().collect();
    let plan = Plan { never: true, scale, ..Plan::default() };
    let inner = Args { positionals: named, ..args.clone() };
    app.board.phase("Scaling");
    let services = Box::pin(prepare(app, &inner, &plan)).await?;
    Box::pin(app.start_services(&services, None, None)).await?;
    Ok(0)
}

pub(super) async fn up<W: World>(app: &App<'_, W>, args: &Args, menu: &Menu) -> Result<i32> {
    let stops = combined(args)?;
    let wait = args.flag("wait");
    if args.flag("watch") && !is_watched(app) {
        return Err(Error::Client(
            "none of the selected services is configured for watch, see https://docs.docker.com/compose/how-tos/file-watch/"
                .into(),
        ));
    }
    let services = Box::pin(prepare(app, args, &Plan::of(args)?)).await?;
    if args.flag("no-start") {
        return Ok(0);
    }
    let limit = args.number("wait-timeout").filter(|n| *n > 0).map(|n| Duration::from_secs(n as u64));
    if args.flag("detach") || wait {
        Box::pin(app.start_services(&services, limit, None)).await?;
        if wait {
            Box::pin(wait_for_all(app, &services, limit)).await?;
        }
        return Ok(0);
    }
    if app.board.dry {
        app.ctx.print("end of 'compose up' output, interactive run is not supported in dry-run mode\n").await;
        return Ok(0);
    }
    if args.flag("watch") {
        drop(Watch::begin(app, args, &args.positionals).await?);
        menu.set_watching(true);
    }
    let client = &app.ctx.client;
    let wanted = match args.given("menu") {
        true => args.flag("menu"),
        false => app.settings.get(app.ctx, "COMPOSE_MENU").is_none() || app.settings.is_on(app.ctx, "COMPOSE_MENU"),
    };
    if wanted && !app.board.is_plain() && client.is_tty(Stream::Out) && client.is_tty(Stream::In) {
        menu.open(&**client);
    }
    let status = Box::pin(attached(app, args, &services, stops, menu)).await;
    menu.close(&**client).await;
    status
}

/// What can't be asked for together; whether the end of one container ends all.
fn combined(args: &Args) -> Result<bool> {
    let from = args.value("exit-code-from").is_some_and(|s| !s.is_empty());
    let (exit, failure) = (args.flag("abort-on-container-exit"), args.flag("abort-on-container-failure"));
    let attach = !args.values("attach").iter().all(String::is_empty) || args.flag("attach-dependencies");
    let refused = |text: &str| Err(Error::Client(text.into()));
    if exit && failure {
        return refused("--abort-on-container-failure cannot be combined with --abort-on-container-exit");
    }
    if args.flag("wait") && (exit || from || failure || attach || args.flag("watch")) {
        return refused(
            "--wait cannot be combined with --abort-on-container-exit, --abort-on-container-failure, --attach, --attach-dependencies or --watch",
        );
    }
    if args.flag("detach") && (exit || from || failure || attach || args.flag("watch")) {
        return refused(
            "--detach cannot be combined with --abort-on-container-exit, --abort-on-container-failure, --attach, --attach-dependencies or --watch",
        );
    }
    if args.flag("no-build") && args.flag("watch") {
        return refused("--no-build and --watch are incompatible");
    }
    Ok(exit || failure || from)
}

/// `--wait`: until every container is healthy, runs, or has done what another waits for.
async fn wait_for_all<W: World>(app: &App<'_, W>, services: &[String], limit: Option<Duration>) -> Result<()> {
    let end = limit.map(|l| app.ctx.world().now() + l);
    let once = |service: &String| {
        app.project.services.keys().any(|other| {
            let how = crate::compose::dependencies(&app.project, other).get(service.as_str()).copied();
            how.and_then(|h| h.get("condition")).is_some_and(|c| c == "service_completed_successfully")
        })
    };
    let members = app.members(services).await?;
    for member in &members {
        app.progress("Container", member.name(), "Waiting").await;
    }
    for member in &members {
        let left = end.map(|end| end.saturating_sub(app.ctx.world().now()));
        let waited = match once(&member.service) {
            true => app.wait_completed(member, left).await,
            false => app.wait_healthy(member, left, false).await,
        };
        match waited {
            Ok(state) => app.progress("Container", member.name(), state).await,
            Err(Error::Client(text)) if text.starts_with("timeout") => {
                let limit = crate::compose::duration(&format!("{}s", limit.unwrap_or_default().as_secs()));
                return Err(Error::Client(format!("application not healthy after {}", limit.unwrap_or_default())));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What `watch` needs to run: everything as the file says, with images built anew.
pub(super) async fn before_watch<W: World>(app: &App<'_, W>, args: &Args) -> Result<()> {
    let services = app.with_dependencies(&args.positionals, true)?;
    let watched = |name: &&String| {
        let service = &app.project.services[name.as_str()];
        service.contains_key("build") && service.contains_key("develop")
    };
    let built: Vec<String> = services.iter().filter(watched).cloned().collect();
    Box::pin(app.build(&built, args.flag("quiet"), &Args::default())).await?;
    Box::pin(prepare(app, args, &Plan::default())).await?;
    Box::pin(app.start_services(&services, None, None)).await
}
