//! `docker network rm` and `docker network prune`.

use super::create::note;
use super::find::{find, lookup};
use super::inspect::members;
use crate::cli::Invocation;
use crate::engine::system::{Pruned, confirm};
use crate::engine::{Ctx, Error, Result};
use crate::network::{NetworkDriver, NetworkRecord};
use crate::view::filter::Filters;
use crate::view::units;
use crate::world::World;
use crate::world::acts::RemoveBridge;

pub(super) async fn command<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let force = call.args.flag("force");
    let mut failed = false;
    for name in &call.args.positionals {
        if force && lookup(ctx, name)?.is_none() {
            continue;
        }
        let removed = match find(ctx, name) {
            Ok(network) => remove(ctx, &network).await,
            Err(error) => Err(error),
        };
        match removed {
            Ok(()) => ctx.print(format!("{name}\n")).await,
            Err(error) => {
                failed = true;
                ctx.warn(format!("{}\n", error.render(&call.typed))).await;
            }
        }
    }
    // Docker's client ends with this where one of several could not be removed.
    if failed { Err(Error::Client("exit status 1".into())) } else { Ok(0) }
}

/// Removes a network that no running container is in.
///
/// # Errors
/// In Docker's words: predefined ones, and those in use.
pub async fn remove<W: World>(ctx: &Ctx<W>, network: &NetworkRecord) -> Result<()> {
    let name = &network.name;
    if !network.is_user_defined() {
        return Err(Error::Daemon(format!("{name} is a pre-defined network and cannot be removed")));
    }
    if network.config_only.is_some()
        && ctx.world().list::<NetworkRecord>()?.iter().any(|other| other.config_from == *name)
    {
        let why = format!("error while removing network: configuration network {name:?} is in use");
        return Err(Error::Daemon(why));
    }
    let members = members(ctx, network)?;
    if !members.is_empty() {
        let shown: Vec<String> = members
            .iter()
            .map(|(record, endpoint)| {
                format!("name:{:?} id:{:?}", record.name, endpoint.endpoint_id.get(..12).unwrap_or_default())
            })
            .collect();
        return Err(Error::Daemon(format!(
            "error while removing network: network {name} has active endpoints ({})",
            shown.join(", ")
        )));
    }
    let parent = network.shares_wire();
    let others = ctx.world().list::<NetworkRecord>()?;
    let shared = others.iter().any(|other| other.id != network.id && other.bridge == network.bridge);
    if network.driver == NetworkDriver::Bridge || parent && network.made_parent && !shared {
        let act = RemoveBridge { network: network.id.clone(), bridge: network.bridge.clone(), parent };
        ctx.act("No container is left that needs the network's interface", act).await?;
    }
    ctx.world().remove::<NetworkRecord>(&network.id)?;
    if network.config_only.is_none() {
        note(ctx, "destroy", network);
    }
    Ok(())
}

pub(super) async fn prune_command<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let question = "WARNING! This will remove all custom networks not used by at least one container.\n\
                    Are you sure you want to continue?";
    if !call.args.flag("force") && !confirm(ctx, question).await {
        return Ok(0);
    }
    let pruned = prune(ctx, &Filters::parse(call.args.values("filter"))).await?;
    ctx.print(pruned.text("Deleted Networks")).await;
    Ok(0)
}

/// Removes all networks of the user that no running container is in; filters: `until`, `label`.
///
/// # Errors
/// Filters that are not there, and what the world refuses.
pub async fn prune<W: World>(ctx: &Ctx<W>, filters: &Filters) -> Result<Pruned> {
    filters.allow(&["until", "label", "label!"]).map_err(Error::Daemon)?;
    let now = ctx.world().now();
    let mut until = None;
    for text in filters.values("until") {
        until = Some(units::parse_moment(text, now).map_err(Error::Daemon)?);
    }
    let mut pruned = Pruned::default();
    for network in ctx.world().list::<NetworkRecord>()? {
        let recent = until.is_some_and(|until| network.created > until);
        if !network.is_user_defined() || network.config_only.is_some() || recent || !filters.labels(&network.labels) {
            continue;
        }
        if members(ctx, &network)?.is_empty() {
            remove(ctx, &network).await?;
            pruned.lines.push(network.name);
        }
    }
    Ok(pruned)
}
