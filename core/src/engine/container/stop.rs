//! `docker stop`, `restart` and `wait`: a polite signal, a deadline, and the end.

use super::check::parse_signal;
use super::{change, each, find, note, start};
use crate::cli::Args;
use crate::container::{ContainerRecord, Status};
use crate::engine::{Ctx, Error, Result};
use crate::world::World;
use crate::world::acts::{DeliverSignal, Freeze};
use cutaway_userland::os::Signal;
use std::time::Duration;

/// `docker stop`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let (timeout, signal) = (timeout(ctx, args).await, args.value("signal"));
    each(ctx, &args.positionals, async |name| {
        let record = find(ctx, name).await?;
        stop(ctx, &record, timeout, signal).await.map_err(|e| failed(e, &format!("cannot stop container: {name}")))
    })
    .await
}

fn failed(error: Error, what: &str) -> Error {
    match error {
        Error::Daemon(text) | Error::Start { message: text, .. } => Error::Daemon(format!("{what}: {text}")),
        other => other,
    }
}

async fn timeout<W: World>(ctx: &Ctx<W>, args: &Args) -> Option<i64> {
    if args.given("time") {
        ctx.warn("Flag --time has been deprecated, use --timeout instead\n").await;
    }
    args.number("timeout").or_else(|| args.number("time"))
}

/// Stops a container: its stop signal (or `signal`), and `KILL` where it has not ended after `timeout` seconds
/// (negative is never). Does nothing with one that does not run.
///
/// # Errors
/// Signals that are none, in Docker's words.
pub async fn stop<W: World>(
    ctx: &Ctx<W>,
    record: &ContainerRecord,
    timeout: Option<i64>,
    signal: Option<&str>,
) -> Result<()> {
    if !record.is_running() {
        return Ok(());
    }
    let signal = parse_signal(signal.filter(|s| !s.is_empty()).unwrap_or(record.stop_signal()))?;
    change(ctx, &record.id, |r| r.manually_stopped = true)?;
    if record.state.status != Status::Restarting {
        deliver(ctx, record, signal, "It is asked to end by itself, so that it can finish what it does").await?;
    }
    let seconds = timeout.unwrap_or(record.stop_timeout());
    let limit = u64::try_from(seconds).ok().map(Duration::from_secs);
    if !wait_stopped(ctx, &record.id, limit).await {
        deliver(ctx, record, Signal::KILL, "It did not end in time; this signal can't be ignored").await?;
        wait_stopped(ctx, &record.id, None).await;
    }
    note(ctx, record, "stop", &[]);
    Ok(())
}

/// Sends a signal to the first process and lets a paused container go on, or it would never get it.
pub(super) async fn deliver<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, signal: Signal, why: &str) -> Result<()> {
    note(ctx, record, "kill", &[("signal", signal.0.to_string())]);
    // The process being gone already is what was wanted.
    let _ = ctx.act(why, DeliverSignal { container: record.id.clone(), signal }).await;
    if record.state.status == Status::Paused {
        let act = Freeze { container: record.id.clone(), frozen: false };
        ctx.act("A frozen process can't receive a signal", act).await?;
        change(ctx, &record.id, |r| {
            if r.state.status == Status::Paused {
                r.state.status = Status::Running;
            }
        })?;
    }
    Ok(())
}

/// Waits until a container has stopped or is gone, for `limit` at most; whether it has.
pub async fn wait_stopped<W: World>(ctx: &Ctx<W>, id: &str, limit: Option<Duration>) -> bool {
    const LOOK: Duration = Duration::from_secs(1);
    let end = limit.map(|limit| ctx.world().now() + limit);
    loop {
        match ctx.world().get::<ContainerRecord>(id) {
            Ok(Some(record)) if record.is_running() => match super::heal(ctx, record).await {
                Ok(healed) if healed.is_running() => {}
                _ => return true,
            },
            _ => return true,
        }
        let left = end.map(|end| end.saturating_sub(ctx.world().now()));
        match left {
            Some(left) if left.is_zero() => return false,
            left => ctx.world().record_change(left.map_or(LOOK, |left| left.min(LOOK))).await,
        }
    }
}

/// `docker restart`.
pub(super) async fn restart_command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let (timeout, signal) = (timeout(ctx, args).await, args.value("signal"));
    each(ctx, &args.positionals, async |name| {
        let record = find(ctx, name).await?;
        // The supervisor of the old run must not remove what is started again.
        let removes = record.host.auto_remove && record.is_running();
        if removes {
            change(ctx, &record.id, |r| r.host.auto_remove = false)?;
        }
        let restart = |e: Error| failed(e, &format!("Cannot restart container {name}"));
        stop(ctx, &record, timeout, signal).await.map_err(restart)?;
        if removes {
            change(ctx, &record.id, |r| r.host.auto_remove = true)?;
        }
        start(ctx, &record.id, false).await.map_err(restart)?;
        note(ctx, &record, "restart", &[]);
        Ok(())
    })
    .await
}

/// `docker wait`.
pub(super) async fn wait_command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let mut errors = Vec::new();
    for name in &args.positionals {
        match wait(ctx, name).await {
            Ok(code) => ctx.print(format!("{code}\n")).await,
            Err(error) => errors.push(error.render("")),
        }
    }
    if errors.is_empty() {
        return Ok(0);
    }
    ctx.warn(format!("{}\n", errors.join("\n"))).await;
    Err(Error::Status(1))
}

async fn wait<W: World>(ctx: &Ctx<W>, name: &str) -> Result<i32> {
    let record = find(ctx, name).await?;
    if !record.is_running() {
        return Ok(record.state.exit_code);
    }
    // A `--rm` container's record may be gone before its exit code could be read from it.
    let exit = ctx.world().wait_exit(&record.id);
    let code = match crate::engine::race::race(exit, wait_stopped(ctx, &record.id, None)).await {
        crate::engine::race::First::Left(Ok(exit)) => {
            wait_stopped(ctx, &record.id, None).await;
            Some(exit.code)
        }
        crate::engine::race::First::Left(Err(_)) => {
            wait_stopped(ctx, &record.id, None).await;
            None
        }
        crate::engine::race::First::Right(_) => None,
    };
    let noted = ctx.world().get::<ContainerRecord>(&record.id)?.map(|r| r.state.exit_code);
    Ok(noted.or(code).unwrap_or(0))
}
