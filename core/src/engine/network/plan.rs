//! What becomes of a request for a network: its pools, and whatever of it can't be, in the order and the words of
//! Docker's daemon.

use super::create::NetworkSpec;
use super::find::used_subnets;
use crate::container::spec::parse_bool;
use crate::engine::Ctx;
use crate::network::{NetworkDriver, NetworkRecord, Pool, Subnet, free_subnet, ipvlan, local_subnet, macvlan};
use crate::world::World;
use crate::world::acts::{MacvlanMode, Share};
use cutaway_userland::sorted::Map as BTreeMap;
use std::net::IpAddr;

/// Names that can't be, and drivers that need a cluster.
pub(super) fn check_name(spec: &NetworkSpec) -> Result<(), String> {
    let name = &spec.name;
    if NetworkRecord::PREDEFINED.iter().any(|(predefined, _)| predefined == name) || name == "default" {
        return Err(format!("operation is not permitted on predefined {name} network"));
    }
    if spec.driver == "overlay" {
        return Err("This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect \
                    this node to swarm and try again."
            .into());
    }
    if name.trim().is_empty() {
        return Err("invalid name: name is empty".into());
    }
    Ok(())
}

/// What networks that lend their configuration, and those that borrow it, can't have. Source: moby,
/// libnetwork/network.go, validateConfiguration.
pub(super) fn check_configuration(spec: &NetworkSpec) -> Result<(), String> {
    if spec.config_only && (spec.ingress || spec.internal || spec.attachable || !spec.scope.is_empty()) {
        return Err("configuration network can only contain network specific fields. Network operator fields like \
                    [ ingress | internal | attachable | scope ] are not supported."
            .into());
    }
    if spec.config_from.is_empty() {
        return Ok(());
    }
    if spec.config_only {
        return Err("a configuration network cannot depend on another configuration network".into());
    }
    let own = !matches!(spec.ipam_driver.as_str(), "" | "default")
        || !spec.ipv4
        || spec.ipv6
        || !spec.labels.is_empty()
        || !spec.ipam_options.is_empty()
        || !spec.pools.is_empty();
    if own {
        return Err(
            "user-specified configurations are not supported if the network depends on a configuration network".into(),
        );
    }
    if !spec.options.is_empty() {
        return Err("network driver options are not supported if the network depends on a configuration network".into());
    }
    Ok(())
}

/// The driver of a request.
pub(super) fn driver(spec: &NetworkSpec) -> Result<NetworkDriver, String> {
    let driver = match spec.driver.as_str() {
        "" | "bridge" | "default" => NetworkDriver::Bridge,
        "macvlan" => NetworkDriver::Macvlan,
        "ipvlan" => NetworkDriver::Ipvlan,
        "host" | "null" => return Err(format!("only one instance of {:?} network is allowed", spec.driver)),
        driver => {
            return Err(format!("could not find plugin {driver} in v1 plugin registry: plugin {driver:?} not found"));
        }
    };
    if spec.ingress {
        return Err("Ingress network can only be global scope network".into());
    }
    match spec.ipam_driver.as_str() {
        "" | "default" => Ok(driver),
        other => Err(format!("could not find plugin {other} in v1 plugin registry: plugin {other:?} not found")),
    }
}

pub(super) fn check_scope(spec: &NetworkSpec) -> Result<(), String> {
    if spec.scope == "swarm" {
        return Err("cannot create a swarm scoped network when swarm is not active".into());
    }
    if !spec.ipv4 && !spec.ipv6 {
        return Err("IPv4 or IPv6 must be enabled".into());
    }
    Ok(())
}

/// Options that the driver refuses.
pub(super) fn check_options(driver: NetworkDriver, spec: &NetworkSpec) -> Result<(), String> {
    let option = |name: &str| spec.options.get(name).map_or("", String::as_str);
    match driver {
        NetworkDriver::Macvlan => macvlan(option("macvlan_mode")).map(drop)?,
        NetworkDriver::Ipvlan => ipvlan(option("ipvlan_mode"), option("ipvlan_flag")).map(drop)?,
        _ => {
            bridge_options(&spec.options)?;
            let isolated = [false, true].iter().any(|ipv6| is_isolated(&spec.options, *ipv6));
            if isolated && !spec.internal {
                return Err("gateway mode 'isolated' can only be used for an internal network".into());
            }
            return Ok(());
        }
    }
    if option("parent") == "lo" {
        return Err(format!("loopback interface is not a valid {} parent link", driver.name()));
    }
    Ok(())
}

/// Interfaces that other networks have.
pub(super) fn check_neighbours(record: &NetworkRecord, there: &[NetworkRecord]) -> Result<(), String> {
    for other in there.iter().filter(|other| other.bridge == record.bridge && other.driver == record.driver) {
        let (name, id) = (&record.bridge.0, &other.id);
        let passes = |n: &NetworkRecord| n.share() == Some(Share::Macvlan(MacvlanMode::Passthru));
        return Err(match record.driver {
            NetworkDriver::Ipvlan => {
                format!("network dm-{} is already using parent interface {name}", &id[..12.min(id.len())])
            }
            NetworkDriver::Macvlan if passes(record) => {
                format!("cannot use mode passthru, macvlan network {id} is already using parent interface {name}")
            }
            NetworkDriver::Macvlan if passes(other) => {
                format!("macvlan network {id} is already using parent interface {name} in mode passthru")
            }
            NetworkDriver::Bridge => format!(
                "cannot create network {} ({name}): conflicts with network {id} ({name}): networks have same bridge name",
                record.id
            ),
            _ => continue,
        });
    }
    Ok(())
}

/// Options of the bridge driver that can't be. Source: moby, libnetwork/drivers/bridge, fromLabels.
fn bridge_options(options: &BTreeMap<String, String>) -> Result<(), String> {
    for (name, value) in options {
        let why = match name.as_str() {
            "com.docker.network.driver.mtu" => match value.parse::<u32>() {
                Ok(mtu) if (68..=65_535).contains(&mtu) => continue,
                Ok(_) => "it can be from 68 to 65535".to_string(),
                Err(_) => format!("strconv.Atoi: parsing {value:?}: invalid syntax"),
            },
            "com.docker.network.bridge.gateway_mode_ipv4" | "com.docker.network.bridge.gateway_mode_ipv6" => {
                match value.as_str() {
                    "nat" | "isolated" => continue,
                    "nat-unprotected" | "routed" => {
                        "this mode, which lets others past the host's address, is not supported".into()
                    }
                    _ => format!("unknown gateway mode {value}"),
                }
            }
            "com.docker.network.bridge.enable_icc"
            | "com.docker.network.bridge.enable_ip_masquerade"
            | "com.docker.network.bridge.inhibit_ipv4" => match parse_bool(value) {
                Some(_) => continue,
                None => format!("strconv.ParseBool: parsing {value:?}: invalid syntax"),
            },
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

/// The pools that a request names, read and checked; gateways only where they are named. Source: moby,
/// api/types/network/ipam.go.
pub(super) fn pools(spec: &NetworkSpec) -> Result<Vec<Pool>, String> {
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
        pools.push(Pool {
            subnet,
            subnet_given: true,
            gateway: given,
            gateway_given: given.is_some(),
            range,
            aux_addresses,
        });
    }
    if !wrong.is_empty() {
        return Err(format!("invalid network config:\n{}", wrong.join("\n")));
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

/// The pools of a new network: those that were asked for, if they are free, and one for each version without; with
/// their gateways, where somebody leads out.
///
/// # Errors
/// In Docker's words.
pub(super) fn choose<W: World>(
    ctx: &Ctx<W>,
    driver: NetworkDriver,
    spec: &NetworkSpec,
    asked: Vec<Pool>,
    there: &[NetworkRecord],
) -> Result<Vec<Pool>, String> {
    let taken: Vec<Subnet> =
        there.iter().filter(|n| n.config_only.is_none()).flat_map(|n| &n.pools).map(|p| p.subnet).collect();
    if asked.iter().any(|pool| taken.iter().any(|other| other.overlaps(&pool.subnet))) {
        return Err("invalid pool request: Pool overlaps with other one on this address space".into());
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
        gateway: None,
        gateway_given: false,
        range: None,
        aux_addresses: BTreeMap::new(),
    });
    let (six, four): (Vec<Pool>, Vec<Pool>) = asked.into_iter().chain(chosen).partition(|p| p.subnet.is_ipv6());
    if driver == NetworkDriver::Bridge && (four.len() > 1 || six.len() > 1) {
        return Err("bridge driver doesn't support multiple subnets".into());
    }
    let mut pools: Vec<Pool> = four.into_iter().chain(six).collect();
    if needs_gateway(driver, spec) {
        for pool in pools.iter_mut().filter(|p| !is_isolated(&spec.options, p.subnet.is_ipv6())) {
            let taken = pool.aux_addresses.values().copied().collect();
            let first = || {
                pool.subnet.free_within(pool.range.unwrap_or(pool.subnet), &taken).unwrap_or_else(|| pool.subnet.nth(1))
            };
            pool.gateway = Some(pool.gateway.unwrap_or_else(first));
        }
    }
    Ok(pools)
}

/// Whether not even the host has an address in a bridge's network, for one version of addresses.
fn is_isolated(options: &BTreeMap<String, String>, ipv6: bool) -> bool {
    let version = if ipv6 { 6 } else { 4 };
    options.get(&format!("com.docker.network.bridge.gateway_mode_ipv{version}")).is_some_and(|mode| mode == "isolated")
}

/// Whether somebody leads out of the network. Source: moby, GetSkipGwAlloc of each driver.
fn needs_gateway(driver: NetworkDriver, spec: &NetworkSpec) -> bool {
    let option = |name: &str| spec.options.get(name).map_or("", String::as_str);
    match driver {
        NetworkDriver::Macvlan => !spec.internal && !option("parent").is_empty(),
        NetworkDriver::Ipvlan => {
            !spec.internal && !option("parent").is_empty() && !matches!(option("ipvlan_mode"), "l3" | "l3s")
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::create::PoolSpec;
    use super::*;

    fn with(subnet: &str, range: &str, gateway: &str) -> NetworkSpec {
        let text = str::to_string;
        let pool = PoolSpec { subnet: text(subnet), range: text(range), gateway: text(gateway), ..PoolSpec::default() };
        NetworkSpec { name: "n".into(), pools: vec![pool], ..NetworkSpec::default() }
    }

    #[test]
    fn pools_that_can_not_be() {
        for (spec, error) in [
            (with("x", "", ""), "invalid subnet x: invalid CIDR block notation"),
            (with("10.0.0.9/24", "", ""), "invalid subnet 10.0.0.9/24: it should be 10.0.0.0/24"),
            (
                with("10.0.0.0/24", "10.0.0.0/8", ""),
                "invalid ip-range 10.0.0.0/8: CIDR block is bigger than its parent subnet 10.0.0.0/24",
            ),
            (
                with("10.0.0.0/24", "", "10.1.0.1"),
                "invalid gateway 10.1.0.1: parent subnet 10.0.0.0/24 doesn't contain this address",
            ),
        ] {
            assert_eq!(pools(&spec), Err(format!("invalid network config:\n{error}")), "{spec:?}");
        }
        assert_eq!(pools(&with("fd00::/64", "", "")), Ok(Vec::new()), "without --ipv6");
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
            assert_eq!(bridge_options(&given).is_ok(), fits, "{name} {value}");
        }
    }

    #[test]
    fn names_and_drivers() {
        for (name, given, fits) in [
            ("net", "", true),
            ("net", "bridge", true),
            ("net", "macvlan", true),
            ("net", "ipvlan", true),
            ("net", "host", false),
            ("net", "overlay", false),
            ("net", "nosuch", false),
            ("bridge", "", false),
            ("", "", false),
            ("a b", "", true),
        ] {
            let spec = NetworkSpec { name: name.into(), driver: given.into(), ..NetworkSpec::default() };
            assert_eq!(check_name(&spec).and_then(|()| driver(&spec)).is_ok(), fits, "{name} {given}");
        }
    }

    #[test]
    fn options_of_shared_wires() {
        for (name, option, value, error) in [
            ("macvlan", "macvlan_mode", "vepa", None),
            ("macvlan", "macvlan_mode", "x", Some("requested macvlan mode 'x' is not valid")),
            ("ipvlan", "ipvlan_mode", "l3s", None),
            ("ipvlan", "ipvlan_mode", "l4", Some("requested ipvlan mode 'l4' is not valid")),
            ("ipvlan", "ipvlan_flag", "x", Some("requested ipvlan flag 'x' is not valid")),
            ("ipvlan", "parent", "lo", Some("loopback interface is not a valid ipvlan parent link")),
        ] {
            let options = BTreeMap::from([(option.to_string(), value.to_string())]);
            let spec = NetworkSpec { driver: name.into(), options, ..NetworkSpec::default() };
            let checked = check_options(driver(&spec).expect("a driver"), &spec);
            let starts = |text: String| error.is_some_and(|error| text.starts_with(error));
            assert!(checked.map_or_else(starts, |()| error.is_none()), "{name} {option} {value}");
        }
    }
}
