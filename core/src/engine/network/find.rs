//! Finding a network by what a person types, and the three that are always there.

use crate::engine::{Ctx, Error, Result};
use crate::name::{Found, find_by_prefix};
use crate::network::{NetworkDriver, NetworkRecord, Pool, Subnet, free_subnet};
use crate::world::acts::LinkName;
use crate::world::{Kind, World};
use cutaway_userland::sorted::Map as BTreeMap;
use std::time::Duration;

/// The network that `name` (a name, an id or the beginning of one) stands for.
///
/// # Errors
/// `network x not found`, in Docker's words.
pub fn find<W: World>(ctx: &Ctx<W>, name: &str) -> Result<NetworkRecord> {
    lookup(ctx, name)?.ok_or_else(|| Error::Daemon(format!("network {name} not found")))
}

/// The network that `name` stands for, if there is one.
pub fn lookup<W: World>(ctx: &Ctx<W>, name: &str) -> Result<Option<NetworkRecord>> {
    ensure_defaults(ctx)?;
    let all = ctx.world().list::<NetworkRecord>()?;
    if let Some(found) = all.iter().find(|n| n.name == name).or_else(|| all.iter().find(|n| n.id == name)) {
        return Ok(Some(found.clone()));
    }
    match find_by_prefix(all.iter().map(|n| n.id.as_str()), name) {
        Found::One(id) => Ok(all.iter().find(|n| n.id == id).cloned()),
        Found::None => Ok(None),
        Found::Ambiguous => {
            Err(Error::Daemon(format!("network {name} is ambiguous ({} matches found on ID prefix)", {
                all.iter().filter(|n| n.id.starts_with(name)).count()
            })))
        }
    }
}

/// Makes the records of `bridge`, `host` and `none` where they are not there yet. Nothing is made on the host:
/// the bridge comes with the first container that needs it.
pub fn ensure_defaults<W: World>(ctx: &Ctx<W>) -> Result<()> {
    if ctx.world().keys(Kind::Network)?.len() >= NetworkRecord::PREDEFINED.len() {
        return Ok(());
    }
    let (now, interface) = (ctx.world().now(), ctx.world().host().default_bridge);
    let ids: Vec<String> = NetworkRecord::PREDEFINED.iter().map(|_| ctx.new_id()).collect();
    ctx.world().transact(|changes| {
        let there = changes.list::<NetworkRecord>()?;
        for ((name, driver), id) in NetworkRecord::PREDEFINED.into_iter().zip(ids) {
            if !there.iter().any(|n| n.name == name) {
                let subnet = free_subnet(&used_subnets(ctx, &there));
                changes.put(&predefined(id, name, driver, now, subnet, &interface))?;
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// The subnets that no new network may have: those of the others, and those that the host reaches without us.
pub(super) fn used_subnets<W: World>(ctx: &Ctx<W>, networks: &[NetworkRecord]) -> Vec<Subnet> {
    let ours: Vec<Subnet> =
        networks.iter().filter(|n| n.config_only.is_none()).flat_map(|n| &n.pools).map(|p| p.subnet).collect();
    let host = ctx.world().host_subnets().into_iter().filter(|subnet| !ours.contains(subnet));
    host.collect::<Vec<_>>().into_iter().chain(ours.iter().copied()).collect()
}

/// Where the options of the default network name its bridge: as Docker's do, whatever the interface's real name is.
const BRIDGE: &str = "docker0";

fn predefined(
    id: String,
    name: &str,
    driver: NetworkDriver,
    created: Duration,
    subnet: Option<Subnet>,
    interface: &str,
) -> NetworkRecord {
    let bridge = driver == NetworkDriver::Bridge;
    let options = [
        ("com.docker.network.bridge.default_bridge", "true"),
        ("com.docker.network.bridge.enable_icc", "true"),
        ("com.docker.network.bridge.enable_ip_masquerade", "true"),
        ("com.docker.network.bridge.host_binding_ipv4", "0.0.0.0"),
        ("com.docker.network.bridge.name", BRIDGE),
        ("com.docker.network.driver.mtu", "1500"),
    ];
    let options = options.into_iter().filter(|_| bridge).map(|(k, v)| (k.to_string(), v.to_string()));
    let pool = subnet.filter(|_| bridge).map(|subnet| Pool {
        subnet,
        subnet_given: false,
        gateway: Some(subnet.nth(1)),
        gateway_given: true,
        range: None,
        aux_addresses: BTreeMap::new(),
    });
    NetworkRecord {
        id,
        name: name.to_string(),
        created,
        driver,
        pools: pool.into_iter().collect(),
        internal: false,
        attachable: false,
        options: options.collect(),
        ipam_options: BTreeMap::new(),
        labels: BTreeMap::new(),
        bridge: LinkName(if bridge { interface } else { "" }.to_string()),
        mtu: 1500,
        made_parent: false,
        config_only: None,
        config_from: String::new(),
        scope: String::new(),
        leases: BTreeMap::new(),
    }
}
