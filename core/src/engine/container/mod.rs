//! The `docker container` commands, one file each, and what they share: finding a container, starting one,
//! talking with its streams.

mod attach;
mod check;
mod copy;
mod create;
mod devices;
mod diff;
mod endpoints;
mod exec;
mod files;
mod find;
mod health;
mod inspect;
mod kill;
mod link;
mod list;
mod logs;
mod mounts;
mod plan;
mod port;
mod prune;
mod reclaim;
mod remove;
mod rename;
mod run;
mod start;
mod start_command;
mod stats;
mod step;
mod stop;
#[cfg(test)]
mod tests;
mod top;
mod update;

pub use create::{create, create_with_image};
pub use diff::changes;
pub use endpoints::{connect, disconnect, expect, forget};
pub use exec::{ExecRequest, exec};
pub use find::{change, find, find_by_id, heal, heal_all};
pub use inspect::inspect_value;
pub use kill::kill;
pub use list::{Look, command_line, matching, row};
pub use logs::{LogQuery, print_logs};
pub use prune::prune_stopped;
pub use reclaim::reclaim;
pub use remove::{Removal, remove};
pub use start::{Started, start};
pub use step::{StepMount, StepNetwork, StepSpec, run_step};
pub use stop::{stop, wait_stopped};

pub(super) use endpoints::rest;
pub(super) use health::watch_health;
pub(super) use start::{Made, launch, tear_down};

use crate::cli::Invocation;
use crate::container::ContainerRecord;
use crate::engine::system::publish;
use crate::engine::{Ctx, Error, Result, Running};
use crate::world::World;

/// Runs the command if it is one of this group's first; its exit status.
pub async fn dispatch<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    let name = call.command.strip_prefix("container ")?;
    let args = &call.args;
    let command: Running<'_> = match name {
        "create" => Box::pin(create::command(ctx, args)),
        "exec" => Box::pin(exec::command(ctx, args)),
        "kill" => Box::pin(kill::command(ctx, args)),
        "logs" => Box::pin(logs::command(ctx, args)),
        "ls" => Box::pin(list::command(ctx, args)),
        "port" => Box::pin(port::command(ctx, args)),
        "rm" => Box::pin(remove::command(ctx, args)),
        "run" => Box::pin(run::command(ctx, args)),
        "start" => Box::pin(start_command::command(ctx, args)),
        "stop" => Box::pin(stop::command(ctx, args)),
        _ => return None,
    };
    Some(command.await)
}

/// As [`dispatch`], for the commands that a first session seldom uses.
pub async fn dispatch_further<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Option<Result<i32>> {
    let name = call.command.strip_prefix("container ")?;
    let args = &call.args;
    let command: Running<'_> = match name {
        "attach" => Box::pin(attach::command(ctx, args)),
        "cp" => Box::pin(copy::command(ctx, args)),
        "diff" => Box::pin(diff::command(ctx, args)),
        "export" => Box::pin(copy::export(ctx, args)),
        "pause" => Box::pin(kill::pause(ctx, args, true)),
        "prune" => Box::pin(prune::command(ctx, args)),
        "rename" => Box::pin(rename::command(ctx, args)),
        "restart" => Box::pin(stop::restart_command(ctx, args)),
        "stats" => Box::pin(stats::command(ctx, args)),
        "top" => Box::pin(top::command(ctx, args)),
        "unpause" => Box::pin(kill::pause(ctx, args, false)),
        "update" => Box::pin(update::command(ctx, args)),
        "wait" => Box::pin(stop::wait_command(ctx, args)),
        _ => return None,
    };
    Some(command.await)
}

/// Notes that something happened to a container, with the attributes that Docker gives.
pub(super) fn note<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, action: &str, more: &[(&str, String)]) {
    let mut attributes = record.labels();
    attributes.insert("image".into(), record.image_name.clone());
    attributes.insert("name".into(), record.name.clone());
    attributes.extend(more.iter().map(|(k, v)| (k.to_string(), v.clone())));
    publish(ctx, "container", action, &record.id, attributes);
}

/// Does something with each of some containers and prints the name of each it worked for. What failed is told
/// after all have been tried, as Docker does.
async fn each<W: World>(ctx: &Ctx<W>, names: &[String], work: impl AsyncFn(&str) -> Result<()>) -> Result<i32> {
    let mut errors = Vec::new();
    for name in names {
        match work(name).await {
            Ok(()) => ctx.print(format!("{name}\n")).await,
            Err(Error::Status(status)) => return Err(Error::Status(status)),
            Err(error) => errors.push(error.render("")),
        }
    }
    if errors.is_empty() {
        return Ok(0);
    }
    ctx.warn(format!("{}\n", errors.join("\n"))).await;
    Err(Error::Status(1))
}
