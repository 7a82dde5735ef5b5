//! What starting a container asks of a network: its bridge, and an address.

use crate::engine::{Ctx, Error, Result};
use crate::network::NetworkRecord;
use crate::world::acts::CreateBridge;
use crate::world::{Fault, World};
use std::net::Ipv4Addr;

/// Gives a container (by id) an address on a network (by id): `wanted` (`--ip`), or the lowest free one. A container that has
/// one keeps it. `None` on networks without addresses (`host`, `none`).
///
/// # Errors
/// In Docker's words: taken, outside all subnets, or none left.
pub fn allocate_address<W: World>(
    ctx: &Ctx<W>,
    network: &str,
    container: &str,
    wanted: Option<Ipv4Addr>,
) -> Result<Option<Ipv4Addr>> {
    let mut refused = None;
    let address = ctx.world().transact(|changes| {
        let Some(mut record) = changes.get::<NetworkRecord>(network)? else {
            refused = Some(format!("network {network} not found"));
            return Ok(None);
        };
        match record.lease(container, wanted) {
            Ok(address) => {
                changes.put(&record)?;
                Ok(address)
            }
            Err(refusal) => {
                refused = Some(refusal.to_string());
                Ok(None)
            }
        }
    })?;
    match refused {
        Some(reason) => Err(Error::Daemon(reason)),
        None => Ok(address),
    }
}

/// Takes a container's address back. Succeeds where network or address are gone.
pub fn release_address<W: World>(ctx: &Ctx<W>, network: &str, container: &str) -> Result<()> {
    ctx.world().transact(|changes| -> std::result::Result<(), Fault> {
        if let Some(mut record) = changes.get::<NetworkRecord>(network)? {
            record.release(container);
            changes.put(&record)?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Makes a network's bridge on the host. Succeeds where it is there; does nothing for `host` and `none`.
pub async fn ensure_bridge<W: World>(ctx: &Ctx<W>, network: &NetworkRecord) -> Result<()> {
    let (Some(subnet), Some(gateway)) = (network.subnet, network.gateway) else { return Ok(()) };
    ctx.act(
        "Containers of one network meet at its bridge, and its address is their way out",
        CreateBridge {
            network: network.id.clone(),
            bridge: network.bridge.clone(),
            gateway,
            prefix: subnet.prefix,
            internal: network.internal,
            mtu: network.mtu,
        },
    )
    .await?;
    Ok(())
}
