//! `docker container prune`.

use super::{Removal, heal_all, remove};
use crate::cli::Args;
use crate::container::ContainerRecord;
use crate::engine::system::{Pruned, confirm, total};
use crate::engine::{Ctx, Error, Result};
use crate::view::filter::Filters;
use crate::view::units::parse_moment;
use crate::world::World;

/// `docker container prune`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let filters = Filters::parse(args.values("filter"));
    let question = "WARNING! This will remove all stopped containers.\nAre you sure you want to continue?";
    if !args.flag("force") && !confirm(ctx, question).await {
        return Ok(0);
    }
    let (ids, freed) = prune_stopped(ctx, &filters).await?;
    ctx.print(Pruned { lines: ids, reclaimed: freed }.text("Deleted Containers") + &total(freed)).await;
    Ok(0)
}

/// Removes all containers that don't run and for which the filters `label`, `label!` and `until` hold: their ids,
/// and the bytes that it freed.
///
/// # Errors
/// Filters that can't be read, in Docker's words.
pub async fn prune_stopped<W: World>(ctx: &Ctx<W>, filters: &Filters) -> Result<(Vec<String>, u64)> {
    filters.allow(&["label", "label!", "until"]).map_err(Error::Daemon)?;
    let now = ctx.world().now();
    let until =
        filters.values("until").last().map(|text| parse_moment(text, now)).transpose().map_err(Error::Daemon)?;
    let goes =
        |r: &ContainerRecord| !r.is_running() && until.is_none_or(|t| r.created < t) && filters.labels(&r.labels());
    let (mut ids, mut freed) = (Vec::new(), 0);
    for record in heal_all(ctx).await?.into_iter().filter(goes) {
        freed += ctx.world().snapshot_size(&record.snapshot);
        remove(ctx, &record, &Removal::default()).await?;
        ids.push(record.id);
    }
    Ok((ids, freed))
}
