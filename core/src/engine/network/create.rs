//! `docker network create`: what its flags ask for, and the record that comes of it. The flags are checked in two
//! places, as Docker's are: what does not fit together by the client, what can't be by the daemon.

use super::address::ensure_parent;
use super::find::{ensure_defaults, lookup};
use super::plan;
use crate::cli::{Args, Invocation};
use crate::engine::system::publish;
use crate::engine::{Ctx, Error, Result};
use crate::network::{NetworkDriver, NetworkRecord, Pool, Subnet, Versions};
use crate::world::World;
use crate::world::acts::LinkName;
use cutaway_userland::sorted::Map as BTreeMap;

/// How a network is asked for. Subnets and addresses are as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkSpec {
    pub name: String,
    /// Empty means `bridge`.
    pub driver: String,
    pub pools: Vec<PoolSpec>,
    pub internal: bool,
    pub attachable: bool,
    /// Whether it is to be the one by which a cluster's ports are reached.
    pub ingress: bool,
    /// Empty is what the driver has.
    pub scope: String,
    /// Only lends its configuration.
    pub config_only: bool,
    /// The network whose configuration it takes; empty for its own.
    pub config_from: String,
    /// Empty and `default` are the only one there is.
    pub ipam_driver: String,
    pub ipv4: bool,
    pub ipv6: bool,
    pub options: BTreeMap<String, String>,
    pub ipam_options: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
}

impl Default for NetworkSpec {
    fn default() -> NetworkSpec {
        NetworkSpec {
            name: String::new(),
            driver: String::new(),
            pools: Vec::new(),
            internal: false,
            attachable: false,
            ingress: false,
            scope: String::new(),
            config_only: false,
            config_from: String::new(),
            ipam_driver: String::new(),
            ipv4: true,
            ipv6: false,
            options: BTreeMap::new(),
            ipam_options: BTreeMap::new(),
            labels: BTreeMap::new(),
        }
    }
}

/// A subnet that was asked for, and what was said about it; empty is unsaid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolSpec {
    pub subnet: String,
    pub range: String,
    pub gateway: String,
    pub aux_addresses: BTreeMap<String, String>,
}

pub(super) async fn command<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let spec = read(&call.args).map_err(Error::Client)?;
    let record = create(ctx, spec).await?;
    ctx.print(format!("{}\n", record.id)).await;
    Ok(0)
}

/// `key=value` words as a map; without `=` the value is empty.
pub fn pairs(values: &[String]) -> BTreeMap<String, String> {
    values
        .iter()
        .map(|value| value.split_once('=').unwrap_or((value, "")))
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}

/// The request in the flags. Source: docker/cli, command/network/create.go.
fn read(args: &Args) -> std::result::Result<NetworkSpec, String> {
    let (subnets, ranges, gateways) = (args.values("subnet"), args.values("ip-range"), args.values("gateway"));
    if subnets.len() < ranges.len() || subnets.len() < gateways.len() {
        return Err("every ip-range or gateway must have a corresponding subnet".into());
    }
    let mut pools: Vec<PoolSpec> = Vec::new();
    for subnet in subnets {
        for other in &pools {
            if within(&other.subnet, subnet)? || within(subnet, &other.subnet)? {
                return Err("multiple overlapping subnet configuration is not supported".into());
            }
        }
        pools.push(PoolSpec { subnet: subnet.clone(), ..PoolSpec::default() });
    }
    for range in ranges {
        Subnet::parse(range).ok_or_else(|| format!("invalid CIDR address: {range}"))?;
        let pool = pool_of(&mut pools, range)?.ok_or_else(|| format!("no matching subnet for range {range}"))?;
        let (other, subnet) = (std::mem::replace(&mut pool.range, range.clone()), &pool.subnet);
        if !other.is_empty() {
            return Err(format!("cannot configure multiple ranges ({range}, {other}) on the same subnet ({subnet})"));
        }
    }
    for gateway in gateways {
        let pool = pool_of(&mut pools, gateway)?.ok_or_else(|| format!("no matching subnet for gateway {gateway}"))?;
        let (other, subnet) = (std::mem::replace(&mut pool.gateway, gateway.clone()), &pool.subnet);
        if !other.is_empty() {
            return Err(format!(
                "cannot configure multiple gateways ({gateway}, {other}) for the same subnet ({subnet})"
            ));
        }
    }
    for (name, address) in pairs(args.values("aux-address")) {
        let pool = pool_of(&mut pools, &address)?;
        let pool = pool.ok_or_else(|| format!("no matching subnet for aux-address {address}"))?;
        pool.aux_addresses.insert(name, address);
    }
    Ok(NetworkSpec {
        name: args.word(0).to_string(),
        driver: args.value("driver").unwrap_or("").to_string(),
        pools,
        internal: args.flag("internal"),
        attachable: args.flag("attachable"),
        ingress: args.flag("ingress"),
        scope: args.value("scope").unwrap_or("").to_string(),
        config_only: args.flag("config-only"),
        config_from: args.value("config-from").unwrap_or("").to_string(),
        ipam_driver: args.value("ipam-driver").unwrap_or("").to_string(),
        ipv4: args.flag_or("ipv4", true),
        ipv6: args.flag("ipv6"),
        options: pairs(args.values("opt")),
        ipam_options: pairs(args.values("ipam-opt")),
        labels: pairs(args.values("label")),
    })
}

fn pool_of<'a>(pools: &'a mut [PoolSpec], address: &str) -> std::result::Result<Option<&'a mut PoolSpec>, String> {
    for pool in pools {
        if within(&pool.subnet, address)? {
            return Ok(Some(pool));
        }
    }
    Ok(None)
}

/// Whether an address, or a subnet's first one, is in a subnet, all as typed. What is no address is in none.
fn within(subnet: &str, inner: &str) -> std::result::Result<bool, String> {
    let bad = |text: &str| format!("invalid CIDR address: {text}");
    let outer = Subnet::parse(subnet).ok_or_else(|| format!("invalid subnet: {}", bad(subnet)))?;
    let address = match Subnet::parse(inner) {
        Some(range) => Some(range.address),
        None if inner.contains('/') => return Err(bad(inner)),
        None => inner.parse().ok(),
    };
    Ok(address.is_some_and(|a| outer.contains(a)))
}

/// Makes a network's record, and the interface that its containers share where there is to be one. A bridge comes with
/// the first container that needs it. The order of the checks is that of moby: daemon/network.go, createNetwork, and
/// libnetwork/controller.go, NewNetwork.
///
/// # Errors
/// In Docker's words: a name that is taken, subnets that overlap, drivers that are not there.
pub async fn create<W: World>(ctx: &Ctx<W>, mut spec: NetworkSpec) -> Result<NetworkRecord> {
    ensure_defaults(ctx)?;
    plan::check_name(&spec).map_err(Error::Daemon)?;
    let mut asked = plan::pools(&spec).map_err(Error::Daemon)?;
    if lookup(ctx, &spec.name)?.is_some_and(|n| n.name == spec.name) {
        return Err(Error::Daemon(format!("network with name {} already exists", spec.name)));
    }
    plan::check_configuration(&spec).map_err(Error::Daemon)?;
    let (id, now) = (ctx.new_id(), ctx.world().now());
    if spec.config_only {
        let mut record = record(id, now, NetworkDriver::Null, asked, &spec);
        record.config_only = Some(Versions { ipv4: spec.ipv4, ipv6: spec.ipv6 });
        ctx.world().transact(|changes| changes.put(&record))?;
        note(ctx, "create", &record);
        return Ok(record);
    }
    let driver = plan::driver(&spec).map_err(Error::Daemon)?;
    if !spec.config_from.is_empty() {
        asked = borrow(ctx, &mut spec)?;
    }
    plan::check_scope(&spec).map_err(Error::Daemon)?;
    plan::check_options(driver, &spec).map_err(Error::Daemon)?;
    let mut refused = None;
    let record = ctx.world().transact(|changes| {
        let there = changes.list::<NetworkRecord>()?;
        let planned = plan::choose(ctx, driver, &spec, asked, &there).and_then(|pools| {
            let record = record(id, now, driver, pools, &spec);
            plan::check_neighbours(&record, &there)?;
            Ok(record)
        });
        match planned {
            Ok(record) => {
                changes.put(&record)?;
                Ok(Some(record))
            }
            Err(why) => {
                refused = Some(why);
                Ok(None)
            }
        }
    })?;
    let Some(mut record) = record else { return Err(Error::Daemon(refused.unwrap_or_default())) };
    if record.shares_wire() {
        match ensure_parent(ctx, &record).await {
            Ok(made) => share(ctx, &mut record, made)?,
            Err(error) => {
                ctx.world().remove::<NetworkRecord>(&record.id)?;
                return Err(error);
            }
        }
    }
    note(ctx, "create", &record);
    Ok(record)
}

/// Notes whether a network's shared interface is ours to delete: where it was made for this one or another.
fn share<W: World>(ctx: &Ctx<W>, record: &mut NetworkRecord, made: bool) -> Result<()> {
    let others = ctx.world().list::<NetworkRecord>()?;
    record.made_parent = made || others.iter().any(|n| n.made_parent && n.bridge == record.bridge);
    if record.made_parent {
        ctx.world().transact(|changes| changes.put(&*record))?;
    }
    Ok(())
}

/// Takes over the configuration of the network that a request names for it; its pools.
fn borrow<W: World>(ctx: &Ctx<W>, spec: &mut NetworkSpec) -> Result<Vec<Pool>> {
    let all = ctx.world().list::<NetworkRecord>()?;
    let lender = all.into_iter().find_map(|n| Some((n.config_only.filter(|_| n.name == spec.config_from)?, n)));
    let Some((versions, lender)) = lender else {
        return Err(Error::Daemon(format!("configuration network {:?} does not exist", spec.config_from)));
    };
    (spec.ipv4, spec.ipv6) = (versions.ipv4, versions.ipv6);
    (spec.labels, spec.options, spec.ipam_options) = (lender.labels, lender.options, lender.ipam_options);
    Ok(lender.pools)
}

fn record(
    id: String,
    now: std::time::Duration,
    driver: NetworkDriver,
    pools: Vec<Pool>,
    spec: &NetworkSpec,
) -> NetworkRecord {
    let option = |name: &str| spec.options.get(name).filter(|value| !value.is_empty()).cloned();
    let short = &id[..12];
    let interface = match driver {
        NetworkDriver::Bridge => option("com.docker.network.bridge.name").unwrap_or_else(|| format!("br-{short}")),
        NetworkDriver::Macvlan | NetworkDriver::Ipvlan => option("parent").unwrap_or_else(|| format!("dm-{short}")),
        NetworkDriver::Host | NetworkDriver::Null => String::new(),
    };
    NetworkRecord {
        bridge: LinkName(interface),
        made_parent: false,
        config_only: None,
        config_from: spec.config_from.clone(),
        scope: spec.scope.clone(),
        mtu: option("com.docker.network.driver.mtu").and_then(|mtu| mtu.parse().ok()).unwrap_or(1500),
        id,
        name: spec.name.clone(),
        created: now,
        driver,
        pools,
        internal: spec.internal,
        attachable: spec.attachable,
        options: spec.options.clone(),
        ipam_options: spec.ipam_options.clone(),
        labels: spec.labels.clone(),
        leases: BTreeMap::new(),
    }
}

/// Publishes what happened to a network.
pub(super) fn note<W: World>(ctx: &Ctx<W>, action: &str, network: &NetworkRecord) {
    let attributes = [("name", network.name.as_str()), ("type", network.driver.name())];
    publish(ctx, "network", action, &network.id, attributes.map(|(k, v)| (k.to_string(), v.to_string())));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(line: &str) -> Args {
        let words: Vec<String> =
            ["network", "create"].into_iter().chain(line.split_whitespace()).map(str::to_string).collect();
        crate::cli::parse(&words).expect(line).args
    }

    #[test]
    fn flags_that_fit_together() {
        let line = "--ipv6 --subnet 10.0.0.0/24 --subnet fd00::/64 --gateway fd00::9 --gateway 10.0.0.9 --ip-range \
                    10.0.0.128/25 --aux-address r=10.0.0.5 --label a=b -o c=d net";
        let spec = read(&flags(line)).expect("fits");
        assert_eq!((&*spec.labels["a"], &*spec.options["c"]), ("b", "d"));
        let shown: Vec<String> = spec.pools.iter().map(|p| format!("{} {} {}", p.subnet, p.gateway, p.range)).collect();
        assert_eq!(shown, ["10.0.0.0/24 10.0.0.9 10.0.0.128/25", "fd00::/64 fd00::9 "]);
        assert_eq!(spec.pools[0].aux_addresses["r"], "10.0.0.5");
    }

    #[test]
    fn flags_that_do_not() {
        for (line, error) in [
            ("--gateway 10.0.0.1 n", "every ip-range or gateway must have a corresponding subnet"),
            ("--subnet 10.0.0.0/24 --gateway 10.1.0.1 n", "no matching subnet for gateway 10.1.0.1"),
            ("--subnet 10.0.0.0/24 --ip-range 10.1.0.0/24 n", "no matching subnet for range 10.1.0.0/24"),
            ("--subnet 10.0.0.0/24 --ip-range x n", "invalid CIDR address: x"),
            ("--subnet x --gateway 10.0.0.1 n", "invalid subnet: invalid CIDR address: x"),
            ("--subnet 10.0.0.0/24 --gateway x n", "no matching subnet for gateway x"),
            (
                "--subnet 10.0.0.0/24 --subnet 10.0.0.0/16 n",
                "multiple overlapping subnet configuration is not supported",
            ),
            (
                "--subnet 10.0.0.0/24 --subnet fd00::/64 --gateway 10.0.0.1 --gateway 10.0.0.2 n",
                "cannot configure multiple gateways (10.0.0.2, 10.0.0.1) for the same subnet (10.0.0.0/24)",
            ),
            ("--subnet 10.0.0.0/24 --aux-address a=11.0.0.1 n", "no matching subnet for aux-address 11.0.0.1"),
        ] {
            assert_eq!(read(&flags(line)), Err(error.to_string()), "{line}");
        }
    }
}
