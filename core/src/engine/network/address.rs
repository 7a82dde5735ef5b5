//! What starting a container asks of a network: its bridge, and addresses.

use crate::engine::{Ctx, Error, Result};
use crate::network::{NetworkRecord, Refusal};
use crate::world::acts::CreateBridge;
use crate::world::{Fault, World};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a container got of a network: an address of each version that the network has.
pub type Lease = (Option<Ipv4Addr>, Option<Ipv6Addr>);

/// Gives a container (by id) its addresses on a network (by id): the wanted ones (`--ip`, `--ip6`), or the lowest free
/// ones. A container that has some keeps them. None on networks without addresses (`host`, `none`).
///
/// # Errors
/// In Docker's words: taken, outside all subnets, or none left. Nothing is given then.
pub fn allocate_addresses<W: World>(ctx: &Ctx<W>, network: &str, container: &str, wanted: Lease) -> Result<Lease> {
    let mut refused = None;
    let lease = ctx.world().transact(|changes| {
        let Some(mut record) = changes.get::<NetworkRecord>(network)? else {
            refused = Some(format!("network {network} not found"));
            return Ok(Lease::default());
        };
        let four = record.lease(container, false, wanted.0.map(IpAddr::V4));
        let both = four.and_then(|four| Ok((four, record.lease(container, true, wanted.1.map(IpAddr::V6))?)));
        match both {
            Ok((four, six)) => {
                if four.is_some() || six.is_some() {
                    changes.put(&record)?;
                }
                Ok((four.and_then(v4), six.and_then(v6)))
            }
            Err(Refusal::Outside(address)) => {
                refused = Some(format!(
                    "invalid config for network {}: invalid endpoint settings:\nno configured subnet contains IP address {address}",
                    record.name
                ));
                Ok(Lease::default())
            }
            Err(refusal) => {
                refused = Some(refusal.to_string());
                Ok(Lease::default())
            }
        }
    })?;
    match refused {
        Some(reason) => Err(Error::Daemon(reason)),
        None => Ok(lease),
    }
}

/// An address of IPv4, if it is one.
pub fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    }
}

/// An address of IPv6, if it is one.
pub fn v6(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V6(v6) => Some(v6),
        IpAddr::V4(_) => None,
    }
}

/// Takes a container's addresses back. Succeeds where network or addresses are gone.
pub fn release_addresses<W: World>(ctx: &Ctx<W>, network: &str, container: &str) -> Result<()> {
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
    if network.pools.is_empty() {
        return Ok(());
    }
    ctx.act(
        "Containers of one network meet at its bridge, and its address is their way out",
        CreateBridge {
            network: network.id.clone(),
            bridge: network.bridge.clone(),
            addresses: network.pools.iter().map(|p| (p.gateway, p.subnet.prefix)).collect(),
            internal: network.internal,
            masquerade: network.masquerades(),
            mtu: network.mtu,
        },
    )
    .await?;
    Ok(())
}
