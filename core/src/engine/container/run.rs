//! `docker run`: create, attach, start, and stay until the program has ended.

use super::attach::{self, End, Streams};
use super::start::start;
use super::{Removal, create, find_by_id, remove};
use crate::cli::Args;
use crate::container::ContainerRecord;
use crate::container::spec::RunOptions;
use crate::engine::{Ctx, Error, Result};
use crate::world::World;

/// `docker run`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    if args.flag("detach") && args.given("attach") {
        ctx.warn("conflicting options: cannot specify both --attach and --detach\n").await;
        return Err(Error::Status(1));
    }
    let options = create::read_options(ctx, args).await?;
    if !options.detach {
        attach::check_tty(ctx, options.spec.config.attach_stdin, options.spec.config.tty).await?;
    }
    let record = create::from_options(ctx, &options).await?;
    let config = &record.config;
    if options.detach || !(config.attach_stdin || config.attach_stdout || config.attach_stderr) {
        ctx.print(format!("{}\n", record.id)).await;
        return match start(ctx, &record.id, false).await {
            Ok(_) => Ok(0),
            Err(error) => Err(clean_up(ctx, &record, error).await),
        };
    }
    let keys = attach::keys_to_detach(ctx, options.detach_keys.as_deref()).await;
    match keys {
        Ok(keys) => foreground(ctx, &options, &record, keys).await,
        Err(error) => Err(error),
    }
}

async fn foreground<W: World>(
    ctx: &Ctx<W>,
    options: &RunOptions,
    record: &ContainerRecord,
    detach_keys: Vec<u8>,
) -> Result<i32> {
    let config = &record.config;
    let started = match start(ctx, &record.id, true).await {
        Ok(started) => started,
        Err(error) => return Err(clean_up(ctx, record, error).await),
    };
    let proxy = options.signal_proxy && !config.tty;
    let streams = Streams {
        input: config.attach_stdin && config.open_stdin,
        output: config.attach_stdout,
        errors: config.attach_stderr,
        tty: config.tty,
        detach_keys,
        signals_to: proxy.then(|| record.id.clone()),
    };
    let end = match &started.console {
        Some(console) => attach::pump(ctx, console.clone(), &streams).await,
        None => End::Closed,
    };
    match end {
        End::Closed => Ok(started.ended.wait(record.host.auto_remove).await),
        End::Detached => Ok(0),
        End::Signal(signal) => Err(Error::Status(128 + i32::from(signal.0))),
    }
}

/// A `--rm` container that could not be started is removed at once.
async fn clean_up<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, error: Error) -> Error {
    if record.host.auto_remove
        && let Ok(record) = find_by_id(ctx, &record.id)
    {
        let _ = remove(ctx, &record, &Removal { force: true, volumes: true }).await;
    }
    error
}
