//! What starting a container asks of a network: its bridge, and addresses.

use crate::engine::{Ctx, Error, Result};
use crate::network::{NetworkRecord, Refusal};
use crate::world::acts::{CreateBridge, EnsureParent, LinkName, Parent};
use crate::world::{Fault, World};
use cutaway_userland::Errno;
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
            Err(refusal @ Refusal::Outside(_)) => {
                let name = &record.name;
                refused = Some(format!("invalid config for network {name}: invalid endpoint settings:\n{refusal}"));
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

/// Makes a network's bridge on the host, or the interface that its containers share. Succeeds where it is there; does
/// nothing for `host` and `none`.
///
/// # Errors
/// Where the world can't make it; in Docker's words where the interface that is to be shared is not there.
pub async fn ensure_bridge<W: World>(ctx: &Ctx<W>, network: &NetworkRecord) -> Result<()> {
    if network.shares_wire() {
        return ensure_parent(ctx, network).await.map(drop);
    }
    if network.pools.is_empty() || !network.connects() {
        return Ok(());
    }
    ctx.act(
        "Containers of one network meet at its bridge, and its address is their way out",
        CreateBridge {
            network: network.id.clone(),
            bridge: network.bridge.clone(),
            addresses: network.bridge_addresses(),
            internal: network.internal,
            masquerade: network.masquerades(),
            mtu: network.mtu,
        },
    )
    .await?;
    Ok(())
}

/// Makes the interface that a network's containers share, where it is not there; whether it had to be made. Source:
/// moby, libnetwork/drivers/macvlan/macvlan_setup.go.
pub(super) async fn ensure_parent<W: World>(ctx: &Ctx<W>, network: &NetworkRecord) -> Result<bool> {
    let name = network.bridge.0.as_str();
    let named = network.options.get("parent").is_some_and(|p| !p.is_empty());
    let made = if named { vlan(name) } else { Ok(Parent::Dummy) };
    let act = EnsureParent { network: network.id.clone(), parent: network.bridge.clone(), make: made.clone().ok() };
    let why = "Containers of this network share the wire of one of the host's interfaces";
    ctx.act(why, act).await.map_err(|fault| match (fault.number(), made) {
        (Some(Errno::ENODEV), Err(text)) => Error::Daemon(text),
        (Some(Errno::ENODEV), Ok(Parent::Vlan { on, .. })) => {
            Error::Daemon(format!("-o parent interface was not found on the host: {}", on.0))
        }
        _ => fault.into(),
    })
}

/// What makes an interface of such a name, as `eth0.10`.
fn vlan(name: &str) -> std::result::Result<Parent, String> {
    if !name.contains('.') {
        return Err(format!("invalid subinterface vlan name {name}, example formatting is eth0.10"));
    }
    let (on, id) = name.split_once('.').filter(|(_, id)| !id.contains('.')).ok_or_else(|| {
        format!("required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received {name}")
    })?;
    let id: i64 =
        id.parse().map_err(|_| format!("unable to parse a valid vlan id from: {name} (ex. eth0.10 for vlan 10)"))?;
    match u16::try_from(id) {
        Ok(id @ 1..=4094) => Ok(Parent::Vlan { on: LinkName(on.to_string()), id }),
        _ => Err(format!("vlan id must be between 1-4094, received: {id}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_of_wires() {
        let on = LinkName("eth0".into());
        assert_eq!(vlan("eth0.10"), Ok(Parent::Vlan { on, id: 10 }));
        for (name, error) in [
            ("eth7", "invalid subinterface vlan name eth7, example formatting is eth0.10"),
            ("eth0.4095", "vlan id must be between 1-4094, received: 4095"),
            ("eth0.0", "vlan id must be between 1-4094, received: 0"),
            ("eth0.x", "unable to parse a valid vlan id from: eth0.x (ex. eth0.10 for vlan 10)"),
            (
                "a.1.2",
                "required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received a.1.2",
            ),
        ] {
            assert_eq!(vlan(name), Err(error.to_string()), "{name}");
        }
    }
}
