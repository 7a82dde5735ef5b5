//! `docker start`.

use super::attach::{self, End, Streams};
use super::{find, start};
use crate::cli::Args;
use crate::container::Status;
use crate::engine::{Ctx, Error, Result};
use crate::world::World;

/// `docker start`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    for flag in ["checkpoint", "checkpoint-dir"] {
        if args.given(flag) {
            return Err(Error::Client(format!(
                "\"--{flag}\" is only supported on a Docker daemon with experimental features enabled"
            )));
        }
    }
    let names = &args.positionals;
    if args.flag("attach") || args.flag("interactive") {
        if names.len() > 1 {
            return Err(Error::Client("you cannot start and attach multiple containers at once".into()));
        }
        return attached(ctx, args).await;
    }
    let mut failed = Vec::new();
    for name in names {
        let result = match find(ctx, name).await {
            Ok(record) if record.state.status == Status::Running => Ok(()),
            Ok(record) => start::start(ctx, &record.id, false).await.map(drop),
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => ctx.print(format!("{name}\n")).await,
            Err(error) => {
                ctx.warn(format!("{}\n", error.render(""))).await;
                failed.push(name.as_str());
            }
        }
    }
    if failed.is_empty() {
        return Ok(0);
    }
    ctx.warn(format!("Error: failed to start containers: {}\n", failed.join(", "))).await;
    Err(Error::Status(1))
}

async fn attached<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let record = find(ctx, args.word(0)).await?;
    let config = &record.config;
    let input = args.flag("interactive") && config.open_stdin;
    attach::check_tty(ctx, input, config.tty).await?;
    let keys = attach::keys_to_detach(ctx, args.value("detach-keys")).await?;
    if record.state.status == Status::Running {
        let console = ctx.world().attach(&record.id).await?;
        let streams = streams(args, &record, keys, input);
        attach::pump(ctx, console, &streams).await;
        return Ok(0);
    }
    let started = start::start(ctx, &record.id, true).await?;
    let streams = streams(args, &record, keys, input);
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

fn streams(args: &Args, record: &crate::container::ContainerRecord, detach_keys: Vec<u8>, input: bool) -> Streams {
    let proxy = args.flag_or("sig-proxy", true) && !record.config.tty;
    Streams {
        input,
        output: true,
        errors: true,
        tty: record.config.tty,
        detach_keys,
        signals_to: proxy.then(|| record.id.clone()),
    }
}
