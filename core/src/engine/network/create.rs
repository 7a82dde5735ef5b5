//! `docker network create`.

use super::find::{ensure_defaults, lookup};
use crate::cli::{Args, Invocation};
use crate::engine::system::publish;
use crate::engine::{Ctx, Error, Result};
use crate::network::{NetworkDriver, NetworkRecord, Subnet, free_subnet};
use crate::world::World;
use crate::world::acts::LinkName;
use cutaway_userland::sorted::Map as BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// How a network is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkSpec {
    pub name: String,
    /// Empty means `bridge`.
    pub driver: String,
    pub subnet: Option<Subnet>,
    pub gateway: Option<Ipv4Addr>,
    pub ip_range: Option<Subnet>,
    pub aux_addresses: BTreeMap<String, Ipv4Addr>,
    pub internal: bool,
    pub attachable: bool,
    pub ipv6: bool,
    pub options: BTreeMap<String, String>,
    pub ipam_options: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
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

/// The request in the flags; IPv6 parts are understood and left out, because the engine gives out IPv4 only.
fn read(args: &Args) -> std::result::Result<NetworkSpec, String> {
    let v4 = |text: &str| !text.contains(':');
    let subnets: Vec<&String> = args.values("subnet").iter().filter(|s| v4(s)).collect();
    let ranges: Vec<&String> = args.values("ip-range").iter().filter(|s| v4(s)).collect();
    let gateways: Vec<&String> = args.values("gateway").iter().filter(|s| v4(s)).collect();
    if subnets.is_empty() && (!ranges.is_empty() || !gateways.is_empty()) {
        return Err("every ip-range or gateway must have a corresponding subnet".into());
    }
    let cidr = |text: &String| Subnet::parse(text).ok_or_else(|| format!("invalid CIDR address: {text}"));
    let mut subnet = None;
    for text in subnets {
        let next = cidr(text)?;
        if subnet.is_some_and(|other: Subnet| other.overlaps(&next)) {
            return Err("multiple overlapping subnet configuration is not supported".into());
        }
        if subnet.is_some() {
            return Err("more than one IPv4 subnet in a network is not supported".into());
        }
        subnet = Some(next);
    }
    let inside = |address: Ipv4Addr| subnet.is_some_and(|s| s.contains(address));
    let mut spec = NetworkSpec { name: args.word(0).to_string(), subnet, ..NetworkSpec::default() };
    for text in ranges {
        let range = cidr(text)?;
        if !inside(range.address) {
            return Err(format!("no matching subnet for range {text}"));
        }
        if spec.ip_range.replace(range).is_some() {
            return Err(format!("cannot configure multiple ranges ({text}, {range}) on the same subnet"));
        }
    }
    for text in gateways {
        let gateway = text.parse().ok().filter(|a| inside(*a));
        let gateway = gateway.ok_or_else(|| format!("no matching subnet for gateway {text}"))?;
        if let Some(other) = spec.gateway.replace(gateway) {
            return Err(format!("cannot configure multiple gateways ({text}, {other}) for the same subnet"));
        }
    }
    for (name, text) in pairs(args.values("aux-address")) {
        match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) if inside(address) => {
                spec.aux_addresses.insert(name, address);
            }
            Ok(IpAddr::V6(_)) => {}
            _ => return Err(format!("no matching subnet for aux-address {text}")),
        }
    }
    spec.driver = args.value("driver").unwrap_or("").to_string();
    (spec.internal, spec.attachable, spec.ipv6) = (args.flag("internal"), args.flag("attachable"), args.flag("ipv6"));
    spec.options = pairs(args.values("opt"));
    spec.ipam_options = pairs(args.values("ipam-opt"));
    spec.labels = pairs(args.values("label"));
    Ok(spec)
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
    let (id, now) = (ctx.new_id(), ctx.world().now());
    let mut refused = None;
    let record = ctx.world().transact(|changes| {
        let used: Vec<Subnet> = changes.list::<NetworkRecord>()?.iter().filter_map(|n| n.subnet).collect();
        let subnet = match spec.subnet {
            Some(subnet) if used.iter().any(|other| other.overlaps(&subnet)) => {
                refused = Some("invalid pool request: Pool overlaps with other one on this address space");
                return Ok(None);
            }
            Some(subnet) => subnet,
            None => match free_subnet(&used) {
                Some(subnet) => subnet,
                None => {
                    refused = Some(
                        "all predefined address pools have been fully subnetted: run `docker network prune` to \
                         remove unused networks",
                    );
                    return Ok(None);
                }
            },
        };
        let record = record(id, now, subnet, &spec);
        changes.put(&record)?;
        Ok(Some(record))
    })?;
    let Some(record) = record else { return Err(Error::Daemon(refused.unwrap_or_default().to_string())) };
    note(ctx, "create", &record);
    Ok(record)
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
    match spec.driver.as_str() {
        "" | "bridge" | "default" => Ok(()),
        "host" | "null" => Err(Error::Daemon(format!("only one instance of {:?} network is allowed", spec.driver))),
        "overlay" => Err(Error::Daemon(
            "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this \
             node to swarm and try again."
                .into(),
        )),
        driver @ ("macvlan" | "ipvlan") => Err(Error::Daemon(format!("networks of driver {driver} are not supported"))),
        driver => Err(Error::Daemon(format!(
            "could not find plugin {driver} in v1 plugin registry: plugin {driver:?} not found"
        ))),
    }
}

fn record(id: String, now: std::time::Duration, subnet: Subnet, spec: &NetworkSpec) -> NetworkRecord {
    let option = |name: &str| spec.options.get(name).cloned();
    let bridge = option("com.docker.network.bridge.name").filter(|name| !name.is_empty() && name.len() <= 15);
    NetworkRecord {
        bridge: LinkName(bridge.unwrap_or_else(|| format!("br-{}", &id[..12]))),
        mtu: option("com.docker.network.driver.mtu").and_then(|mtu| mtu.parse().ok()).unwrap_or(1500),
        id,
        name: spec.name.clone(),
        created: now,
        driver: NetworkDriver::Bridge,
        subnet: Some(subnet),
        gateway: Some(spec.gateway.unwrap_or_else(|| first_free(subnet, spec))),
        gateway_given: spec.gateway.is_some(),
        ip_range: spec.ip_range,
        subnet_given: spec.subnet.is_some(),
        aux_addresses: spec.aux_addresses.clone(),
        internal: spec.internal,
        attachable: spec.attachable,
        ipv6: spec.ipv6,
        options: spec.options.clone(),
        ipam_options: spec.ipam_options.clone(),
        labels: spec.labels.clone(),
        leases: BTreeMap::new(),
    }
}

/// The gateway where none is asked for: the first address that containers could have.
fn first_free(subnet: Subnet, spec: &NetworkSpec) -> Ipv4Addr {
    let taken = spec.aux_addresses.values().copied().collect();
    spec.ip_range.unwrap_or(subnet).free(&taken).unwrap_or_else(|| subnet.nth(1))
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
        let spec =
            read(&flags("--subnet 10.0.0.0/24 --gateway 10.0.0.9 --ip-range 10.0.0.128/25 --label a=b -o c=d net"));
        let spec = spec.expect("fits");
        assert_eq!(spec.gateway, Some(Ipv4Addr::new(10, 0, 0, 9)));
        assert_eq!(spec.labels["a"], "b");
        assert_eq!(spec.options["c"], "d");
        assert_eq!(first_free(spec.subnet.expect("given"), &spec), Ipv4Addr::new(10, 0, 0, 129));
    }

    #[test]
    fn flags_that_do_not() {
        for (line, error) in [
            ("--gateway 10.0.0.1 n", "every ip-range or gateway must have a corresponding subnet"),
            ("--subnet 10.0.0.0/24 --gateway 10.1.0.1 n", "no matching subnet for gateway 10.1.0.1"),
            ("--subnet 10.0.0.0/24 --ip-range 10.1.0.0/24 n", "no matching subnet for range 10.1.0.0/24"),
            ("--subnet 10.0.0.0/24 --ip-range x n", "invalid CIDR address: x"),
            (
                "--subnet 10.0.0.0/24 --subnet 10.0.0.0/16 n",
                "multiple overlapping subnet configuration is not supported",
            ),
            ("--subnet 10.0.0.0/24 --aux-address a=11.0.0.1 n", "no matching subnet for aux-address 11.0.0.1"),
        ] {
            assert_eq!(read(&flags(line)), Err(error.to_string()), "{line}");
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
