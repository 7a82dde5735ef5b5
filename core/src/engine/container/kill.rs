//! `docker kill`, `pause` and `unpause`.

use super::check::parse_signal;
use super::stop::{deliver, wait_stopped};
use super::{change, each, find, note};
use crate::cli::Args;
use crate::container::{ContainerRecord, Status};
use crate::engine::{Ctx, Error, Result};
use crate::world::World;
use crate::world::acts::Freeze;
use cutaway_userland::os::Signal;

/// `docker kill`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let signal = args.value("signal").filter(|s| !s.is_empty()).unwrap_or("KILL");
    each(ctx, &args.positionals, async |name| kill(ctx, name, signal).await).await
}

/// Sends a signal to a running container; where it is `KILL`, waits for the end.
///
/// # Errors
/// In Docker's words.
pub async fn kill<W: World>(ctx: &Ctx<W>, name: &str, signal: &str) -> Result<()> {
    let cannot = |text: &str| Error::Daemon(format!("cannot kill container: {name}: {text}"));
    let number = signal.parse::<i64>().unwrap_or(0);
    if !(0..=64).contains(&number) {
        return Err(cannot(&format!("the linux daemon does not support signal {number}")));
    }
    let signal = parse_signal(signal)?;
    let record = match find(ctx, name).await {
        Ok(record) => record,
        Err(Error::Daemon(text)) => return Err(cannot(&text)),
        Err(other) => return Err(other),
    };
    if !record.is_running() {
        return Err(cannot(&format!("container {} is not running", record.id)));
    }
    let last = signal == Signal::KILL;
    if last || Some(signal) == Signal::parse(record.stop_signal()) {
        change(ctx, &record.id, |r| r.manually_stopped = true)?;
    }
    deliver(ctx, &record, signal, "This was asked for").await?;
    if last {
        wait_stopped(ctx, &record.id, None).await;
    }
    Ok(())
}

/// `docker pause` and `docker unpause`.
pub(super) async fn pause<W: World>(ctx: &Ctx<W>, args: &Args, frozen: bool) -> Result<i32> {
    each(ctx, &args.positionals, async |name| {
        let record = find(ctx, name).await?;
        freeze(ctx, &record, frozen).await
    })
    .await
}

async fn freeze<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, frozen: bool) -> Result<()> {
    let refuse = |text: &str| Err(Error::Daemon(format!("container {} {text}", record.id)));
    match (record.state.status, frozen) {
        (Status::Running, true) | (Status::Paused, false) => {}
        (Status::Paused, true) => return refuse("is already paused"),
        (Status::Restarting, true) => {
            return refuse("is restarting, wait until the container is running");
        }
        (_, true) => return refuse("is not running"),
        (_, false) => return refuse("is not paused"),
    }
    let why = if frozen {
        "Its processes stay where they are and keep their memory, but get no processor time"
    } else {
        "Its processes go on as if nothing had happened"
    };
    ctx.act(why, Freeze { container: record.id.clone(), frozen }).await?;
    change(ctx, &record.id, |r| {
        r.state.status = if frozen { Status::Paused } else { Status::Running };
    })?;
    note(ctx, record, if frozen { "pause" } else { "unpause" }, &[]);
    Ok(())
}
