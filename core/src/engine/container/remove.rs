//! `docker rm`: the writable layer, the record and the name; with `-v` anonymous volumes, too.

use super::stop::{deliver, wait_stopped};
use super::{change, find, link, note};
use crate::cli::Args;
use crate::container::{ContainerRecord, NameRecord, Status};
use crate::engine::{Ctx, Error, Result, system};
use crate::volume::VolumeRecord;
use crate::world::World;
use crate::world::acts::{RemoveSnapshot, RemoveVolume};
use cutaway_userland::os::Signal;
use std::time::Duration;

/// How to remove.
#[derive(Clone, Copy, Debug, Default)]
pub struct Removal {
    /// Kill it first where it runs.
    pub force: bool,
    /// Its anonymous volumes, too.
    pub volumes: bool,
}

/// `docker rm`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let removal = Removal { force: args.flag("force"), volumes: args.flag("volumes") };
    let mut errors = Vec::new();
    for name in &args.positionals {
        let name = name.trim_start_matches('/');
        if name.is_empty() {
            errors.push("container name cannot be empty".to_string());
            continue;
        }
        if args.flag("link") {
            match link::remove(ctx, name.trim_end_matches('/')).await {
                Ok(()) => ctx.print(format!("{name}\n")).await,
                Err(error) => errors.push(error.render("")),
            }
            continue;
        }
        let record = match find(ctx, name).await {
            Ok(record) => record,
            Err(error) if removal.force => {
                // What shall be gone is gone.
                ctx.warn(format!("{}\n", error.render(""))).await;
                continue;
            }
            Err(error) => {
                errors.push(error.render(""));
                continue;
            }
        };
        match checked(ctx, name, &record, &removal).await {
            Ok(()) => ctx.print(format!("{name}\n")).await,
            Err(error) => errors.push(error.render("")),
        }
    }
    if errors.is_empty() {
        return Ok(0);
    }
    ctx.warn(format!("{}\n", errors.join("\n"))).await;
    Err(Error::Status(1))
}

async fn checked<W: World>(ctx: &Ctx<W>, name: &str, record: &ContainerRecord, removal: &Removal) -> Result<()> {
    if !removal.force {
        let refuse = |state: &str, what: &str| {
            Err(Error::Daemon(format!("cannot remove container {name:?}: container is {state}: {what}")))
        };
        match record.state.status {
            Status::Paused => return refuse("paused", "unpause the container before removing or force remove"),
            Status::Running | Status::Restarting => {
                return refuse(record.state.status.name(), "stop the container before removing or force remove");
            }
            _ => {}
        }
    }
    remove(ctx, record, removal).await
}

/// Removes a container. Succeeds where somebody else removes it at the same time.
///
/// # Errors
/// Where it runs and is not to be killed, and where the world refuses.
pub async fn remove<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, removal: &Removal) -> Result<()> {
    if record.is_running() {
        if !removal.force {
            return Err(Error::Daemon(format!("container {} is running", record.id)));
        }
        change(ctx, &record.id, |r| r.manually_stopped = true)?;
        if record.state.status != Status::Restarting {
            deliver(ctx, record, Signal::KILL, "A container can only be removed when nothing in it runs").await?;
        }
        wait_stopped(ctx, &record.id, None).await;
    }
    ctx.world().undertake(&record.id)?;
    let result = take_away(ctx, record, removal).await;
    if result.is_ok() {
        ctx.world().completed(&record.id);
    }
    result
}

/// Removes a container that does not run.
async fn take_away<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, removal: &Removal) -> Result<()> {
    let mut first = false;
    let marked = change(ctx, &record.id, |r| {
        first = r.state.status != Status::Removing;
        r.state.status = Status::Removing;
    })?;
    let Some(record) = marked else { return Ok(()) };
    if !first {
        // Whoever marked it is at work; where that failed, it is done here.
        for _ in 0..20 {
            if ctx.world().get::<ContainerRecord>(&record.id)?.is_none() {
                return Ok(());
            }
            ctx.world().record_change(Duration::from_millis(100)).await;
        }
    }
    let act = RemoveSnapshot { key: record.snapshot.clone() };
    ctx.act("Everything that the container wrote to its own layer goes with it", act).await?;
    ctx.world().remove::<ContainerRecord>(&record.id)?;
    ctx.world().remove::<NameRecord>(&NameRecord::key_of(&record.name))?;
    if removal.volumes {
        anonymous_volumes(ctx, &record).await?;
    }
    note(ctx, &record, "destroy", &[]);
    Ok(())
}

/// Deletes the container's anonymous volumes that no other container has.
async fn anonymous_volumes<W: World>(ctx: &Ctx<W>, record: &ContainerRecord) -> Result<()> {
    if !record.mounts.iter().any(|m| m.anonymous) {
        return Ok(());
    }
    let others = ctx.world().list::<ContainerRecord>()?;
    for mount in record.mounts.iter().filter(|m| m.anonymous) {
        if others.iter().any(|r| r.mounts.iter().any(|m| m.name == mount.name)) {
            continue;
        }
        let act = RemoveVolume { name: mount.name.clone() };
        ctx.act("Nobody gave this volume a name, so nobody could ever use it again", act).await?;
        ctx.world().remove::<VolumeRecord>(&mount.name)?;
        system::publish(ctx, "volume", "destroy", &mount.name, [("driver".to_string(), "local".to_string())]);
    }
    Ok(())
}
