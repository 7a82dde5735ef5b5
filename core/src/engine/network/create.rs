//! `docker network create`: what its flags ask for, and the record that comes of it. The flags are checked in two
//! places, as Docker's are: what does not fit together by the client, what can't be by the daemon.

use super::find::{ensure_defaults, lookup, used_subnets};
use crate::cli::{Args, Invocation};
use crate::container::spec::parse_bool;
use crate::engine::system::publish;
use crate::engine::{Ctx, Error, Result};
use crate::network::{NetworkDriver, NetworkRecord, Pool, Subnet, free_subnet, local_subnet};
use crate::world::World;
use crate::world::acts::LinkName;
use cutaway_userland::sorted::Map as BTreeMap;
use std::net::IpAddr;

/// How a network is asked for. Subnets and addresses are as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkSpec {
    pub name: String,
    /// Empty means `bridge`.
    pub driver: String,
    pub pools: Vec<PoolSpec>,
    pub internal: bool,
    pub attachable: bool,
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
    let record = create(ctx, spec)?;
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
    if args.flag("config-only") || args.value("config-from").is_some_and(|name| !name.is_empty()) {
        return Err("networks that only lend their configuration are not supported".into());
    }
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
    let outer = Subnet::parse(subnet).ok_or_else(|| bad(subnet))?;
    let address = match Subnet::parse(inner) {
        Some(range) => Some(range.address),
        None if inner.contains('/') => return Err(bad(inner)),
        None => inner.parse().ok(),
    };
    Ok(address.is_some_and(|a| outer.contains(a)))
}

/// Makes a network's record. Its bridge comes with the first container that needs it.
///
/// # Errors
/// In Docker's words: a name that is taken, subnets that overlap, drivers that are not there.
pub fn create<W: World>(ctx: &Ctx<W>, spec: NetworkSpec) -> Result<NetworkRecord> {
    ensure_defaults(ctx)?;
    check(&spec)?;
    if lookup(ctx, &spec.name)?.is_some_and(|n| n.name == spec.name) {
        return Err(Error::Daemon(format!("network with name {} already exists", spec.name)));
    }
    let asked = pools(&spec).map_err(Error::Daemon)?;
    let (id, now) = (ctx.new_id(), ctx.world().now());
    let mut refused = None;
    let record = ctx.world().transact(|changes| {
        let there = changes.list::<NetworkRecord>()?;
        match choose(ctx, &spec, asked, &there) {
            Ok(pools) => {
                let record = record(id, now, pools, &spec);
                changes.put(&record)?;
                Ok(Some(record))
            }
            Err(why) => {
                refused = Some(why);
                Ok(None)
            }
        }
    })?;
    let Some(record) = record else { return Err(Error::Daemon(refused.unwrap_or_default().to_string())) };
    note(ctx, "create", &record);
    Ok(record)
}

/// The pools that a request names, read and checked. Source: moby, api/types/network/ipam.go; the bridge driver.
fn pools(spec: &NetworkSpec) -> std::result::Result<Vec<Pool>, String> {
    let mut wrong = Vec::new();
    let mut pools: Vec<Pool> = Vec::new();
    for asked in &spec.pools {
        let Some(subnet) = Subnet::parse(&asked.subnet) else {
            wrong.push(format!("invalid subnet {}: invalid CIDR block notation", asked.subnet));
            continue;
        };
        if subnet.is_ipv6() && !spec.ipv6 || !subnet.is_ipv6() && !spec.ipv4 {
            continue;
        }
        if subnet.to_string() != asked.subnet.to_ascii_lowercase() && !subnet.is_ipv6() {
            wrong.push(format!("invalid subnet {}: it should be {subnet}", asked.subnet));
        }
        let range = if asked.range.is_empty() { None } else { checked_range(&asked.range, subnet, &mut wrong) };
        let mut address = |what: &str, name: &str, text: &str| -> Option<IpAddr> {
            let why = match text.parse::<IpAddr>() {
                Err(_) => "invalid address".to_string(),
                Ok(a) if a.is_ipv6() != subnet.is_ipv6() => {
                    format!("parent subnet is an {} block", if subnet.is_ipv6() { "IPv6" } else { "IPv4" })
                }
                Ok(a) if !subnet.contains(a) => format!("parent subnet {subnet} doesn't contain this address"),
                Ok(a) => return Some(a),
            };
            wrong.push(format!("invalid {what} {name}: {why}"));
            None
        };
        let mut aux_addresses = BTreeMap::new();
        for (name, text) in &asked.aux_addresses {
            aux_addresses.extend(address("auxiliary address", name, text).map(|a| (name.clone(), a)));
        }
        let given = if asked.gateway.is_empty() { None } else { address("gateway", &asked.gateway, &asked.gateway) };
        let taken = aux_addresses.values().copied().collect();
        let first = || range.unwrap_or(subnet).free(&taken).unwrap_or_else(|| subnet.nth(1));
        pools.push(Pool {
            subnet,
            subnet_given: true,
            gateway: given.unwrap_or_else(first),
            gateway_given: given.is_some(),
            range,
            aux_addresses,
        });
    }
    if !wrong.is_empty() {
        return Err(format!("invalid network config:\n{}", wrong.join("\n")));
    }
    let count = |ipv6: bool| pools.iter().filter(|p| p.subnet.is_ipv6() == ipv6).count();
    if count(false) > 1 || count(true) > 1 {
        return Err("bridge driver doesn't support multiple subnets".into());
    }
    Ok(pools)
}

fn checked_range(text: &str, subnet: Subnet, wrong: &mut Vec<String>) -> Option<Subnet> {
    let why = match Subnet::parse(text) {
        None => "invalid CIDR block notation".to_string(),
        Some(range) if range.prefix < subnet.prefix => {
            format!("CIDR block is bigger than its parent subnet {subnet}")
        }
        Some(range) if !subnet.contains(range.address) => format!("parent subnet {subnet} doesn't contain ip-range"),
        Some(range) if range.to_string() != text && !range.is_ipv6() => format!("it should be {range}"),
        Some(range) => return Some(range),
    };
    wrong.push(format!("invalid ip-range {text}: {why}"));
    None
}

/// The pools of a new network: those that were asked for, if they are free, and one for each version without.
fn choose<W: World>(
    ctx: &Ctx<W>,
    spec: &NetworkSpec,
    asked: Vec<Pool>,
    there: &[NetworkRecord],
) -> std::result::Result<Vec<Pool>, &'static str> {
    let taken: Vec<Subnet> = there.iter().flat_map(|n| &n.pools).map(|p| p.subnet).collect();
    if asked.iter().any(|pool| taken.iter().any(|other| other.overlaps(&pool.subnet))) {
        return Err("invalid pool request: Pool overlaps with other one on this address space");
    }
    const FULL: &str =
        "all predefined address pools have been fully subnetted: run `docker network prune` to remove unused networks";
    let has = |ipv6: bool| asked.iter().any(|p| p.subnet.is_ipv6() == ipv6);
    let used = used_subnets(ctx, there);
    let mut chosen = Vec::new();
    if spec.ipv4 && !has(false) {
        chosen.push(free_subnet(&used).ok_or(FULL)?);
    }
    if spec.ipv6 && !has(true) {
        // The default network's id stays as long as this machine's records do.
        let machine = there.iter().find(|n| n.name == "bridge").map_or("", |n| n.id.as_str());
        chosen.push(local_subnet(machine, &used).ok_or(FULL)?);
    }
    let chosen = chosen.into_iter().map(|subnet| Pool {
        subnet,
        subnet_given: false,
        gateway: subnet.nth(1),
        gateway_given: false,
        range: None,
        aux_addresses: BTreeMap::new(),
    });
    let (six, four): (Vec<Pool>, Vec<Pool>) = asked.into_iter().chain(chosen).partition(|p| p.subnet.is_ipv6());
    Ok(four.into_iter().chain(six).collect())
}

/// Names and drivers that can't be.
fn check(spec: &NetworkSpec) -> Result<()> {
    let name = &spec.name;
    if NetworkRecord::PREDEFINED.iter().any(|(predefined, _)| predefined == name) || name == "default" {
        return Err(Error::Daemon(format!("operation is not permitted on predefined {name} network")));
    }
    let mut letters = name.bytes();
    let valid = letters.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && letters.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if !valid {
        return Err(Error::Daemon(format!(
            "invalid network name {name:?}: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        )));
    }
    if !spec.ipv4 && !spec.ipv6 {
        return Err(Error::Daemon("IPv4 or IPv6 must be enabled".into()));
    }
    options(&spec.options).map_err(Error::Daemon)?;
    match spec.driver.as_str() {
        "" | "bridge" | "default" => Ok(()),
        "host" | "null" => Err(Error::Daemon(format!("only one instance of {:?} network is allowed", spec.driver))),
        "overlay" => Err(Error::Daemon(
            "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this \
             node to swarm and try again."
                .into(),
        )),
        driver @ ("macvlan" | "ipvlan") => Err(Error::Daemon(format!(
            "networks of driver {driver} are not supported: they would put containers onto the host's own wire; use a bridge"
        ))),
        driver => Err(Error::Daemon(format!(
            "could not find plugin {driver} in v1 plugin registry: plugin {driver:?} not found"
        ))),
    }
}

/// Options of the bridge driver that can't be. Source: moby, libnetwork/drivers/bridge, fromLabels.
fn options(options: &BTreeMap<String, String>) -> std::result::Result<(), String> {
    for (name, value) in options {
        let why = match name.as_str() {
            "com.docker.network.driver.mtu" => match value.parse::<u32>() {
                Ok(mtu) if (68..=65_535).contains(&mtu) => continue,
                Ok(_) => "it can be from 68 to 65535".to_string(),
                Err(_) => format!("strconv.Atoi: parsing {value:?}: invalid syntax"),
            },
            "com.docker.network.bridge.enable_icc" | "com.docker.network.bridge.enable_ip_masquerade" => {
                match parse_bool(value) {
                    Some(_) => continue,
                    None => format!("strconv.ParseBool: parsing {value:?}: invalid syntax"),
                }
            }
            "com.docker.network.bridge.host_binding_ipv4" => match value.parse::<std::net::Ipv4Addr>() {
                Ok(_) => continue,
                Err(_) => "nil ip".into(),
            },
            "com.docker.network.bridge.name" => match value.len() {
                0..=15 if !value.contains(['/', ' ', '"']) => continue,
                _ => "an interface's name has 15 letters at most, without blanks and slashes".into(),
            },
            _ => continue,
        };
        return Err(format!("failed to parse {name} value: {value} ({why})"));
    }
    Ok(())
}

fn record(id: String, now: std::time::Duration, pools: Vec<Pool>, spec: &NetworkSpec) -> NetworkRecord {
    let option = |name: &str| spec.options.get(name).cloned();
    let bridge = option("com.docker.network.bridge.name").filter(|name| !name.is_empty());
    NetworkRecord {
        bridge: LinkName(bridge.unwrap_or_else(|| format!("br-{}", &id[..12]))),
        mtu: option("com.docker.network.driver.mtu").and_then(|mtu| mtu.parse().ok()).unwrap_or(1500),
        id,
        name: spec.name.clone(),
        created: now,
        driver: NetworkDriver::Bridge,
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
        let pools = pools(&spec).expect("can be");
        let shown: Vec<String> = pools.iter().map(|p| format!("{} {} {:?}", p.subnet, p.gateway, p.range)).collect();
        assert!(shown[0].starts_with("10.0.0.0/24 10.0.0.9 Some("), "{shown:?}");
        assert_eq!(shown[1], "fd00::/64 fd00::9 None");
        assert_eq!(pools[0].aux_addresses["r"], IpAddr::from([10, 0, 0, 5]));
        let spec = read(&flags("--subnet 10.0.0.0/24 --ip-range 10.0.0.128/25 net")).expect("fits");
        assert_eq!(super::pools(&spec).expect("can be")[0].gateway, IpAddr::from([10, 0, 0, 129]));
    }

    #[test]
    fn flags_that_do_not() {
        for (line, error) in [
            ("--gateway 10.0.0.1 n", "every ip-range or gateway must have a corresponding subnet"),
            ("--subnet 10.0.0.0/24 --gateway 10.1.0.1 n", "no matching subnet for gateway 10.1.0.1"),
            ("--subnet 10.0.0.0/24 --ip-range 10.1.0.0/24 n", "no matching subnet for range 10.1.0.0/24"),
            ("--subnet 10.0.0.0/24 --ip-range x n", "invalid CIDR address: x"),
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

    #[test]
    fn pools_that_can_not_be() {
        for (line, error) in [
            ("--subnet x n", "invalid network config:\ninvalid subnet x: invalid CIDR block notation"),
            ("--subnet 10.0.0.9/24 n", "invalid network config:\ninvalid subnet 10.0.0.9/24: it should be 10.0.0.0/24"),
            (
                "--subnet 10.0.0.0/24 --ip-range 10.0.0.0/8 n",
                "invalid network config:\ninvalid ip-range 10.0.0.0/8: CIDR block is bigger than its parent subnet \
                 10.0.0.0/24",
            ),
            ("--subnet 10.0.0.0/24 --subnet 10.1.0.0/24 n", "bridge driver doesn't support multiple subnets"),
        ] {
            assert_eq!(pools(&read(&flags(line)).expect(line)), Err(error.to_string()), "{line}");
        }
        let unwanted = read(&flags("--subnet fd00::/64 n")).expect("fits");
        assert_eq!(pools(&unwanted), Ok(Vec::new()), "without --ipv6");
    }

    #[test]
    fn options_of_bridges() {
        for (name, value, fits) in [
            ("com.docker.network.driver.mtu", "1400", true),
            ("com.docker.network.driver.mtu", "x", false),
            ("com.docker.network.bridge.enable_icc", "false", true),
            ("com.docker.network.bridge.enable_icc", "maybe", false),
            ("com.docker.network.bridge.name", "a-name-that-is-too-long", false),
            ("com.docker.network.bridge.host_binding_ipv4", "127.0.0.1", true),
            ("other", "", true),
        ] {
            let given = BTreeMap::from([(name.to_string(), value.to_string())]);
            assert_eq!(options(&given).is_ok(), fits, "{name} {value}");
        }
    }

    #[test]
    fn names_and_drivers() {
        for (name, driver, fits) in [
            ("net", "", true),
            ("net", "bridge", true),
            ("net", "host", false),
            ("net", "overlay", false),
            ("bridge", "", false),
            ("", "", false),
            ("a b", "", false),
        ] {
            let spec = NetworkSpec { name: name.into(), driver: driver.into(), ..NetworkSpec::default() };
            assert_eq!(check(&spec).is_ok(), fits, "{name} {driver}");
        }
    }
}
