//! `docker compose up` in the foreground: what the containers print, until all have ended, one of them ends all, or
//! `^C` stops them.

use super::App;
use super::app::Member;
use super::audience::{Audience, Until};
use super::logs::Prefixes;
use super::menu::{Asked, Menu};
use super::progress::paint;
use super::watch::{is_watched, watch_at_will};
use crate::cli::Args;
use crate::engine::Result;
use crate::engine::race::{First, race};
use crate::world::{Stream, World};
use cutaway_userland::os::Signal;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// The services whose output is shown.
fn shown<W: World>(app: &App<'_, W>, args: &Args, services: &[String]) -> Vec<String> {
    let given: Vec<&String> = args.values("attach").iter().filter(|s| !s.is_empty()).collect();
    let chosen = |service: &&String| {
        let own = app.project.services.get(service.as_str()).and_then(|s| s.get("attach"));
        let asked = given.contains(service);
        let named =
            args.positionals.is_empty() || args.flag("attach-dependencies") || args.positionals.contains(service);
        !args.values("no-attach").contains(service)
            && (asked || (given.is_empty() && named && own != Some(&serde_json::Value::Bool(false))))
    };
    services.iter().filter(chosen).cloned().collect()
}

/// Starts the services and shows what their containers print; the exit status. It is watched for changes beside them
/// when the menu says so.
pub(super) async fn attached<W: World>(
    app: &App<'_, W>,
    args: &Args,
    services: &[String],
    stops: bool,
    menu: &Menu,
) -> Result<i32> {
    let shown = shown(app, args, services);
    let members = app.members(services).await?;
    let seen: Vec<Member> = members.iter().filter(|m| shown.contains(&m.service)).cloned().collect();
    let prefixes = &Prefixes::new(app, &seen, args);
    let names: Vec<String> = seen.iter().map(|m| prefixes.name(m)).collect();
    app.ctx.print(format!("Attaching to {}\n", names.join(", "))).await;
    app.board.mix();
    let mut audience = Audience::new(app, services, &shown, prefixes, Until::NobodyRuns);
    audience.prepare(&members).await;
    let failure_only = args.flag("abort-on-container-failure");
    // Their output tells that they run.
    app.board.hushed.set(true);
    let starting = async {
        let started = Box::pin(app.start_services(services, None, Some(prefixes))).await;
        app.board.hushed.set(false);
        started
    };
    let watching = watch_at_will(app, args, prefixes, menu);
    let work = async {
        let listening = audience.listen(|code| stops && (!failure_only || code != 0));
        both(starting, listening).await.map(|((), end)| end)
    };
    let first = {
        let (mut work, watching) = (pin!(work), pin!(watching));
        let keys = menu.keys(app, is_watched(app));
        match race(race(work.as_mut(), watching), race(interrupted(app), keys)).await {
            First::Left(First::Left(result)) => Some(result?),
            First::Left(First::Right(failed)) => {
                failed?;
                None
            }
            First::Right(First::Right(Asked::Detach)) => return Ok(0),
            First::Right(_) => None,
        }
    };
    menu.close(&*app.ctx.client).await;
    match first {
        Some(None) => Ok(0),
        Some(Some((member, code))) => {
            let text = "Aborting on container exit...";
            let tty = app.ctx.client.is_tty(Stream::Err) && app.board.colours;
            app.ctx.warn(if tty { paint("31;1", text) } else { text.to_string() } + "\n").await;
            let mut codes = vec![(member.service.clone(), code)];
            Box::pin(stop_all(app, args, services, &mut audience)).await?;
            let from = args.value("exit-code-from").filter(|s| !s.is_empty());
            if let Some(service) = from {
                for member in app.members(&[service.to_string()]).await? {
                    codes.insert(0, (member.service, member.record.state.exit_code));
                }
            }
            Ok(codes.first().map_or(0, |(_, code)| *code))
        }
        None => {
            app.board.hushed.set(false);
            app.ctx.print("Gracefully Stopping... press Ctrl+C again to force\n").await;
            let forced = {
                let stopping = pin!(stop_all(app, args, services, &mut audience));
                match race(stopping, interrupted(app)).await {
                    First::Left(result) => {
                        result?;
                        false
                    }
                    First::Right(()) => true,
                }
            };
            for member in app.members(services).await?.iter().filter(|m| forced && m.record.is_running()) {
                let _ = Box::pin(super::run::docker(app, &["kill", &member.record.id], false)).await;
            }
            Ok(130)
        }
    }
}

/// Stops all containers; what they still print while they end is shown, too.
async fn stop_all<W: World>(
    app: &App<'_, W>,
    args: &Args,
    services: &[String],
    audience: &mut Audience<'_, '_, W>,
) -> Result<()> {
    let stopping = async {
        for group in app.last_first(app.members(services).await?)? {
            Box::pin(app.stop_all(&group, args.number("timeout"))).await?;
        }
        Ok(())
    };
    both(stopping, audience.listen(|_| false)).await.map(drop)
}

/// Two at once; the first error ends both.
async fn both<A, B>(one: impl Future<Output = Result<A>>, other: impl Future<Output = Result<B>>) -> Result<(A, B)> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut left, mut right) = (None, None);
    poll_fn(|cx| {
        if left.is_none()
            && let Poll::Ready(value) = one.as_mut().poll(cx)
        {
            left = Some(value?);
        }
        if right.is_none()
            && let Poll::Ready(value) = other.as_mut().poll(cx)
        {
            right = Some(value?);
        }
        match (left.take(), right.take()) {
            (Some(left), Some(right)) => Poll::Ready(Ok((left, right))),
            (l, r) => {
                (left, right) = (l, r);
                Poll::Pending
            }
        }
    })
    .await
}

/// Waits for a signal that asks to end.
pub(super) async fn interrupted<W: World>(app: &App<'_, W>) {
    loop {
        let signal = app.ctx.client.signal().await;
        if matches!(signal, Signal::INT | Signal::TERM) {
            return;
        }
    }
}
