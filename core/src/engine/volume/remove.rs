//! `docker volume rm` and `docker volume prune`.

use super::create::find;
use super::list::users;
use crate::cli::Invocation;
use crate::engine::system::{Pruned, confirm, publish, total};
use crate::engine::{Ctx, Error, Result};
use crate::view::filter::Filters;
use crate::volume::VolumeRecord;
use crate::world::World;
use crate::world::acts::RemoveVolume;

pub(super) async fn command<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let force = call.args.flag("force");
    let mut errors = Vec::new();
    for name in &call.args.positionals {
        let removed = match find(ctx, name) {
            Ok(volume) => remove(ctx, &volume).await,
            Err(_) if force => Ok(()),
            Err(error) => Err(error),
        };
        match removed {
            Ok(()) => ctx.print(format!("{name}\n")).await,
            Err(error) => errors.push(error.render(&call.typed)),
        }
    }
    if errors.is_empty() { Ok(0) } else { Err(Error::Client(errors.join("\n"))) }
}

/// Removes a volume that is mounted in no container, running or not.
///
/// # Errors
/// `remove x: volume is in use - […]`, in Docker's words.
pub async fn remove<W: World>(ctx: &Ctx<W>, volume: &VolumeRecord) -> Result<()> {
    let name = &volume.name;
    let users = users(ctx, name)?;
    if !users.is_empty() {
        return Err(Error::Daemon(format!("remove {name}: volume is in use - [{}]", users.join(", "))));
    }
    ctx.act("The volume's files go for good", RemoveVolume { name: name.clone() }).await?;
    ctx.world().remove::<VolumeRecord>(name)?;
    publish(ctx, "volume", "destroy", name, [("driver".to_string(), volume.driver.clone())]);
    Ok(())
}

pub(super) async fn prune_command<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let all = call.args.flag("all");
    let which = if all { "all local volumes" } else { "anonymous local volumes" };
    let question = format!(
        "WARNING! This will remove {which} not used by at least one container.\nAre you sure you want to continue?"
    );
    let filters = Filters::parse(call.args.values("filter"));
    if all && filters.has("all") {
        return Err(Error::Client("conflicting options: cannot specify both --all and --filter all=1".into()));
    }
    if !call.args.flag("force") && !confirm(ctx, &question).await {
        return Ok(0);
    }
    let pruned = prune(ctx, all, &filters).await?;
    ctx.print(pruned.text("Deleted Volumes") + &total(pruned.reclaimed)).await;
    Ok(0)
}

/// Removes volumes that no container has: anonymous ones, or with `all` those with names, too.
///
/// # Errors
/// Filters that are not there, and what the world refuses.
pub async fn prune<W: World>(ctx: &Ctx<W>, all: bool, filters: &Filters) -> Result<Pruned> {
    filters.allow(&["all", "label", "label!"]).map_err(Error::Daemon)?;
    let all = all || filters.flag("all").map_err(Error::Daemon)?.unwrap_or(false);
    let mut pruned = Pruned::default();
    for volume in ctx.world().list::<VolumeRecord>()? {
        if !(all || volume.anonymous) || !filters.labels(&volume.labels) || !users(ctx, &volume.name)?.is_empty() {
            continue;
        }
        let size = ctx.world().volume_size(&volume.name);
        remove(ctx, &volume).await?;
        pruned.reclaimed += size;
        pruned.lines.push(volume.name);
    }
    Ok(pruned)
}
