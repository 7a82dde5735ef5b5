//! `--link`: names of other containers on the default bridge, which has no name service. They stand in the hosts file,
//! and what is known of them in the environment. Source: moby, daemon/links.go, daemon/links/links.go and
//! daemon/container_operations_unix.go.

use super::change;
use crate::container::spec::parse_port;
use crate::container::{ContainerRecord, NameRecord};
use crate::engine::{Ctx, Error, Result};
use crate::world::World;

/// The network whose links are kept here: user-defined ones have the name service.
const NETWORK: &str = "bridge";

/// The aliases of a container's links and whom they stand for.
///
/// # Errors
/// A container that is not there, in Docker's words.
pub(super) fn linked<W: World>(ctx: &Ctx<W>, record: &ContainerRecord) -> Result<Vec<(String, ContainerRecord)>> {
    let links = record.endpoints.get(NETWORK).map_or(&[][..], |endpoint| &endpoint.links);
    let mut found = Vec::new();
    for (target, alias) in links.iter().filter_map(|link| link.split_once(':')) {
        let world = ctx.world();
        let named = world.get::<NameRecord>(&NameRecord::key_of(target.trim_start_matches('/')))?;
        let id = named.map_or_else(|| target.to_string(), |named| named.container);
        let missing = || Error::Daemon(format!("could not get container for {target}: No such container: {target}"));
        found.push((alias.to_string(), world.get::<ContainerRecord>(&id)?.ok_or_else(missing)?));
    }
    Ok(found)
}

/// Whether all that a container is linked to runs.
///
/// # Errors
/// In Docker's words.
pub(super) fn check<W: World>(ctx: &Ctx<W>, record: &ContainerRecord) -> Result<()> {
    match linked(ctx, record)?.into_iter().find(|(_, other)| !other.is_running()) {
        Some((alias, other)) => Err(Error::Daemon(format!(
            "Cannot link to a non running container: /{} AS /{}/{alias}",
            other.name, record.name
        ))),
        None => Ok(()),
    }
}

/// The lines of a hosts file.
pub(super) fn hosts<W: World>(ctx: &Ctx<W>, record: &ContainerRecord) -> String {
    let line = |(alias, other): (String, ContainerRecord)| {
        let address = other.endpoints.get(NETWORK)?.address?;
        let name = if other.name == alias { String::new() } else { format!(" {}", other.name) };
        Some(format!("{address}\t{alias} {}{name}\n", other.config.hostname))
    };
    linked(ctx, record).unwrap_or_default().into_iter().filter_map(line).collect()
}

/// The variables that tell a program where what it is linked to is.
pub(super) fn environment<W: World>(ctx: &Ctx<W>, record: &ContainerRecord) -> Vec<String> {
    let linked = linked(ctx, record).unwrap_or_default();
    linked.iter().flat_map(|(alias, other)| variables(record, other, alias)).collect()
}

fn variables(record: &ContainerRecord, other: &ContainerRecord, alias: &str) -> Vec<String> {
    let Some(address) = other.endpoints.get(NETWORK).and_then(|e| e.address) else { return Vec::new() };
    let prefix = alias.to_uppercase().replace('-', "_");
    let mut ports: Vec<(u16, &str)> = Vec::new();
    for port in &other.config.image.exposed_ports {
        ports.extend(parse_port(port).map(|(number, protocol)| (number, protocol.name())));
    }
    let mut all = Vec::new();
    if let Some((port, protocol)) = ports.iter().min() {
        all.push(format!("{prefix}_PORT={protocol}://{address}:{port}"));
    }
    for (port, protocol) in &ports {
        let one = format!("{prefix}_PORT_{port}_{}", protocol.to_uppercase());
        all.push(format!("{one}={protocol}://{address}:{port}"));
        all.push(format!("{one}_ADDR={address}"));
        all.push(format!("{one}_PORT={port}"));
        all.push(format!("{one}_PROTO={protocol}"));
    }
    all.push(format!("{prefix}_NAME=/{}/{alias}", record.name));
    let own = other.config.image.env.iter().filter_map(|e| e.split_once('='));
    all.extend(own.filter(|(n, _)| !matches!(*n, "HOME" | "PATH")).map(|(n, v)| format!("{prefix}_ENV_{n}={v}")));
    all
}

/// `docker rm --link parent/alias`.
///
/// # Errors
/// In Docker's words, where that is no link.
pub(super) async fn remove<W: World>(ctx: &Ctx<W>, name: &str) -> Result<()> {
    let Some((parent, alias)) = name.rsplit_once('/') else {
        super::find(ctx, name).await?;
        return Err(Error::Daemon("Conflict, cannot remove the default link name of the container".into()));
    };
    let missing = || Error::Daemon(format!("No such container: {name}"));
    let record = super::find(ctx, parent).await.map_err(|_| missing())?;
    let is_it = |link: &String| link.split_once(':').is_some_and(|(_, a)| a == alias);
    if !record.endpoints.get(NETWORK).is_some_and(|endpoint| endpoint.links.iter().any(is_it)) {
        return Err(missing());
    }
    change(ctx, &record.id, |r| {
        if let Some(endpoint) = r.endpoints.get_mut(NETWORK) {
            endpoint.links.retain(|link| !is_it(link));
        }
    })?;
    Ok(())
}
