//! Finding a container by what a person types, changing its record, and healing one whose supervisor died.

use super::start::{Made, tear_down};
use super::{Removal, remove};
use crate::container::{ContainerRecord, NameRecord, Status};
use crate::engine::supervise::LONGEST_WAIT;
use crate::engine::{Ctx, Error, Result};
use crate::name::{Found, find_by_prefix};
use crate::world::acts::{DeliverSignal, Freeze};
use crate::world::{Fault, Kind, World};
use cutaway_userland::os::Signal;
use cutaway_userland::sorted::Arrange;
use std::time::Duration;

/// The container that `name` stands for: its full id, its name, or the beginning of its id, in this order.
///
/// # Errors
/// `No such container: x`, in Docker's words.
pub async fn find<W: World>(ctx: &Ctx<W>, name: &str) -> Result<ContainerRecord> {
    let missing = || Error::Daemon(format!("No such container: {name}"));
    if name.is_empty() {
        return Err(Error::Client("invalid container name or ID: value is empty".into()));
    }
    let world = ctx.world();
    let record = match world.get::<ContainerRecord>(name)? {
        Some(record) => record,
        None => {
            let named = world.get::<NameRecord>(&NameRecord::key_of(name.trim_start_matches('/')))?;
            let id = match named {
                Some(named) => named.container,
                None => {
                    let ids = world.keys(Kind::Container)?;
                    match find_by_prefix(ids.iter().map(String::as_str), name) {
                        Found::One(id) => id.to_string(),
                        Found::None => return Err(missing()),
                        Found::Ambiguous => {
                            return Err(Error::Daemon(format!("multiple IDs found with provided prefix: {name}")));
                        }
                    }
                }
            };
            world.get::<ContainerRecord>(&id)?.ok_or_else(missing)?
        }
    };
    let was = record.is_running();
    let record = heal(ctx, record).await?;
    if was && goes_with_its_supervisor(ctx, &record).await? { Err(missing()) } else { Ok(record) }
}

/// A `--rm` container that ended without its supervisor is removed by whoever finds it.
async fn goes_with_its_supervisor<W: World>(ctx: &Ctx<W>, record: &ContainerRecord) -> Result<bool> {
    let goes =
        record.host.auto_remove && record.state.status == Status::Exited && !ctx.world().is_supervised(&record.id);
    if goes {
        Box::pin(remove(ctx, record, &Removal { force: true, volumes: true })).await?;
    }
    Ok(goes)
}

/// The container of this id, as it is now.
///
/// # Errors
/// `No such container: <id>`.
pub fn find_by_id<W: World>(ctx: &Ctx<W>, id: &str) -> Result<ContainerRecord> {
    let record = ctx.world().get::<ContainerRecord>(id)?;
    record.ok_or_else(|| Error::Daemon(format!("No such container: {id}")))
}

/// Changes a container's record with other writers kept out; the record as it is then. `None` where it is gone.
///
/// # Errors
/// Where the record can't be read or written.
pub fn change<W: World>(
    ctx: &Ctx<W>,
    id: &str,
    edit: impl FnOnce(&mut ContainerRecord),
) -> std::result::Result<Option<ContainerRecord>, Fault> {
    ctx.world().transact(|changes| {
        let Some(mut record) = changes.get::<ContainerRecord>(id)? else { return Ok(None) };
        edit(&mut record);
        changes.put(&record)?;
        Ok(Some(record))
    })
}

/// Where a record says that a container runs, but its process is gone and nobody watches it any more, lets go of
/// what it left behind and says so in the record.
///
/// # Errors
/// Where the record can't be read or written.
pub async fn heal<W: World>(ctx: &Ctx<W>, record: ContainerRecord) -> Result<ContainerRecord> {
    if !is_lost(ctx, &record) {
        return Ok(record);
    }
    // A supervisor that is just ending notes the end a moment after it let go of the rest.
    ctx.world().record_change(Duration::from_millis(200)).await;
    let record = find_by_id(ctx, &record.id)?;
    if !is_lost(ctx, &record) {
        return Ok(record);
    }
    if record.state.status == Status::Paused {
        const WHY: &str = "Its supervisor is gone, and a frozen process ends only once it goes on";
        let _ = ctx.act(WHY, DeliverSignal { container: record.id.clone(), signal: Signal::KILL }).await;
        let _ = ctx.act(WHY, Freeze { container: record.id.clone(), frozen: false }).await;
    }
    let world = ctx.world();
    tear_down(ctx, &record, Made { cgroup: true, process: true }).await;
    let now = world.now();
    let healed = change(ctx, &record.id, |r| {
        if r.is_running() {
            r.state.status = Status::Exited;
            r.state.pid = 0;
            r.state.exit_code = 255;
            r.state.finished = Some(now);
            r.ports.clear();
            r.sandbox = None;
            r.exec_ids.clear();
        }
    })?;
    healed.ok_or_else(|| Error::Daemon(format!("No such container: {}", record.id)))
}

fn is_lost<W: World>(ctx: &Ctx<W>, record: &ContainerRecord) -> bool {
    let world = ctx.world();
    let waits = record.state.status == Status::Restarting
        && record.state.finished.is_some_and(|end| world.now() < end + LONGEST_WAIT + Duration::from_secs(10));
    // Processes die with their supervisor, but frozen ones can't until somebody thaws them.
    let gone = record.state.status == Status::Paused || world.init_pid(&record.id).is_none();
    record.is_running() && !waits && gone && !world.is_supervised(&record.id)
}

/// All containers, the newest first, healed.
///
/// # Errors
/// Where a record can't be read or written.
pub async fn heal_all<W: World>(ctx: &Ctx<W>) -> Result<Vec<ContainerRecord>> {
    let mut all = Vec::new();
    for record in ctx.world().list::<ContainerRecord>()? {
        let was = record.is_running();
        let record = heal(ctx, record).await?;
        if !was || !goes_with_its_supervisor(ctx, &record).await? {
            all.push(record);
        }
    }
    all.arrange_by(|a, b| b.created.cmp(&a.created).then_with(|| b.id.cmp(&a.id)));
    Ok(all)
}
