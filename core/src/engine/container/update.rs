//! `docker update`: limits and restart policy, also of a running container.

use super::{change, check, each, endpoints, find, note, plan};
use crate::cli::Args;
use crate::container::Resources;
use crate::container::spec::{parse_bytes, parse_nano_cpus, parse_restart, parse_signed_bytes};
use crate::engine::{Ctx, Error, Result};
use crate::network::Rate;
use crate::world::World;
use crate::world::acts::WriteLimit;

/// `docker update`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    if args.flags.is_empty() {
        return Err(Error::Client("you must provide one or more flags when using this command".into()));
    }
    let restart = args.value("restart").map(parse_restart).transpose().map_err(Error::Client)?;
    if let Some(policy) = &restart {
        check::restart_policy(policy)?;
    }
    each(ctx, &args.positionals, async |name| {
        let record = find(ctx, name).await?;
        let cannot = |e: Error| match e {
            Error::Daemon(text) => Error::Daemon(format!("Cannot update container {}: {text}", record.id)),
            other => other,
        };
        if restart.is_some() && record.host.auto_remove {
            let why = "Restart policy cannot be updated because AutoRemove is enabled for the container";
            return Err(cannot(Error::Daemon(why.into())));
        }
        let before = &record.host.resources;
        let after = asked(args, before);
        let only_new = asked(args, &Resources::default());
        check::resources(ctx, &only_new, Some(before))?;
        if let Some(why) = conflict(&only_new, before) {
            return Err(cannot(Error::Daemon(why.into())));
        }
        if record.is_running() {
            for (limit, why) in plan::resource_limits(&only_new) {
                ctx.act(why, WriteLimit { container: record.id.clone(), limit }).await?;
            }
            if args.value("network-rate").is_some() {
                endpoints::shape(ctx, &record, after.network_rate).await?;
            }
        }
        change(ctx, &record.id, |r| {
            r.host.resources = after;
            if let Some(policy) = &restart {
                r.host.restart = policy.clone();
            }
        })?;
        note(ctx, &record, "update", &[]);
        Ok(())
    })
    .await
}

/// What can't be changed as things are. Source: moby, container/container_unix.go, UpdateContainer.
fn conflict(new: &Resources, now: &Resources) -> Option<&'static str> {
    let conflicts = [
        (
            new.nano_cpus > 0 && now.cpu_period > 0,
            "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set",
        ),
        (
            new.nano_cpus > 0 && now.cpu_quota > 0,
            "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set",
        ),
        (
            new.cpu_period > 0 && now.nano_cpus > 0,
            "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set",
        ),
        (
            new.cpu_quota > 0 && now.nano_cpus > 0,
            "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
        ),
        (
            new.memory > now.memory_swap && new.memory_swap == 0 && new.memory != 0,
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        ),
    ];
    conflicts.into_iter().find(|(holds, _)| *holds).map(|(_, why)| why)
}

/// The limits with what the flags change in them.
fn asked(args: &Args, before: &Resources) -> Resources {
    let mut r = before.clone();
    let bytes = |name: &str, now: i64| args.value(name).and_then(|v| parse_bytes(v).ok()).map_or(now, |n| n as i64);
    let number = |name: &str, now: i64| args.number(name).unwrap_or(now);
    let text = |name: &str, now: &str| args.value(name).unwrap_or(now).to_string();
    r.memory = bytes("memory", r.memory);
    r.memory_reservation = bytes("memory-reservation", r.memory_reservation);
    if let Some(swap) = args.value("memory-swap") {
        r.memory_swap = parse_signed_bytes(swap).unwrap_or(r.memory_swap);
    }
    r.cpu_shares = number("cpu-shares", r.cpu_shares);
    r.cpu_period = number("cpu-period", r.cpu_period);
    r.cpu_quota = number("cpu-quota", r.cpu_quota);
    r.cpu_rt_period = number("cpu-rt-period", r.cpu_rt_period);
    r.cpu_rt_runtime = number("cpu-rt-runtime", r.cpu_rt_runtime);
    r.cpuset_cpus = text("cpuset-cpus", &r.cpuset_cpus);
    r.cpuset_mems = text("cpuset-mems", &r.cpuset_mems);
    r.blkio_weight = number("blkio-weight", i64::from(r.blkio_weight)) as u16;
    if let Some(cpus) = args.value("cpus") {
        r.nano_cpus = parse_nano_cpus(cpus).unwrap_or(r.nano_cpus);
    }
    if let Some(rate) = args.value("network-rate") {
        r.network_rate = Rate::parse(rate).unwrap_or(r.network_rate);
    }
    if let Some(pids) = args.number("pids-limit") {
        r.pids_limit = Some(pids).filter(|n| *n > 0);
    }
    r
}
