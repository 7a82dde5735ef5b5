//! Taking back what processes of the engine have left that were killed over a container: half made, half
//! started, half removed. Every command begins with it, so nothing of that is ever seen.

use super::endpoints::take_back;
use super::start::{Made, tear_down};
use super::{Removal, change, heal, remove};
use crate::container::{ContainerRecord, NameRecord, Status};
use crate::engine::{Ctx, Result};
use crate::network::NetworkRecord;
use crate::world::acts::{ReleaseContainer, RemoveCgroup, RemoveSnapshot, SnapshotKey};
use crate::world::{Kind, World};

/// Puts right what was abandoned. What can't be is tried again by the next command.
pub async fn reclaim<W: World>(ctx: &Ctx<W>) {
    for id in ctx.world().abandoned() {
        let done = match ctx.world().get::<ContainerRecord>(&id) {
            Ok(Some(record)) => restore(ctx, record).await,
            Ok(None) => erase(ctx, &id).await,
            Err(fault) => Err(fault.into()),
        };
        if done.is_ok() {
            ctx.world().completed(&id);
        }
    }
}

/// A container that there is: back to rest, or gone where it was going.
async fn restore<W: World>(ctx: &Ctx<W>, record: ContainerRecord) -> Result<()> {
    let record = if record.is_running() { heal(ctx, record).await? } else { record };
    if record.is_running() {
        // Somebody else has started it since, or it was being put into one more network.
        for network in ctx.world().list::<NetworkRecord>()? {
            if !record.endpoints.contains_key(&network.name) {
                take_back(ctx, &network, &record.id).await?;
            }
        }
        return Ok(());
    }
    tear_down(ctx, &record, Made { cgroup: true, process: true }).await;
    for network in ctx.world().list::<NetworkRecord>()? {
        take_back(ctx, &network, &record.id).await?;
    }
    if record.host.auto_remove || record.state.status == Status::Removing {
        // Whoever was removing it is gone.
        change(ctx, &record.id, |r| r.state.status = Status::Dead)?;
        return remove(ctx, &record, &Removal { force: true, volumes: record.host.auto_remove }).await;
    }
    Ok(())
}

/// A container that there never was, or a step of a build.
async fn erase<W: World>(ctx: &Ctx<W>, id: &str) -> Result<()> {
    const WHY: &str = "The process that made this was killed before it was complete";
    ctx.act(WHY, ReleaseContainer { container: id.into() }).await?;
    ctx.act(WHY, RemoveCgroup { container: id.into() }).await?;
    ctx.act(WHY, RemoveSnapshot { key: SnapshotKey(id.into()) }).await?;
    for network in ctx.world().list::<NetworkRecord>()? {
        take_back(ctx, &network, id).await?;
    }
    for key in ctx.world().keys(Kind::Setting)? {
        let Some(name) = key.strip_prefix(&NameRecord::key_of("")) else { continue };
        let named = ctx.world().get::<NameRecord>(&NameRecord::key_of(name))?;
        if named.is_some_and(|n| n.container == id) {
            ctx.world().remove::<NameRecord>(&key)?;
        }
    }
    Ok(())
}
