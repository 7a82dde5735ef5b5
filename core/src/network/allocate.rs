//! Giving out subnets to networks and addresses to containers: always the lowest that is free.

use super::{NetworkRecord, Subnet};
use cutaway_userland::sorted::Set as BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why there is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The address that was asked for is another's.
    Taken,
    /// It is in none of the network's subnets.
    Outside(IpAddr),
    /// All of one version are taken, of a network by its name and id.
    Exhausted { ipv6: bool, network: String },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Taken => write!(f, "Address already in use"),
            Refusal::Outside(address) => {
                write!(f, "no configured subnet or ip-range contain the IP address {address}")
            }
            Refusal::Exhausted { ipv6, network } => {
                let version = if *ipv6 { 6 } else { 4 };
                write!(f, "no available IPv{version} addresses on this network's address pools: {network}")
            }
        }
    }
}

impl NetworkRecord {
    /// Gives a container an address of one version: `wanted`, or the lowest free one of the first pool that has any. A
    /// container that has one keeps it. `None` on networks without addresses of this version.
    pub fn lease(&mut self, container: &str, ipv6: bool, wanted: Option<IpAddr>) -> Result<Option<IpAddr>, Refusal> {
        let mine = |(address, holder): &(&IpAddr, &String)| *holder == container && address.is_ipv6() == ipv6;
        let held = self.leases.iter().find(mine).map(|(address, _)| *address);
        if held.is_some() && (wanted.is_none() || wanted == held) {
            return Ok(held);
        }
        let mut pools = self.pools.iter().filter(|p| p.subnet.is_ipv6() == ipv6).peekable();
        if wanted.is_none() && pools.peek().is_none() {
            return Ok(None);
        }
        let mut taken: BTreeSet<IpAddr> = self.leases.keys().copied().collect();
        for pool in self.pools.iter().filter(|p| p.subnet.is_ipv6() == ipv6) {
            taken.extend(pool.gateway);
            taken.extend(pool.aux_addresses.values().copied());
            taken.extend(pool.subnet.reserved());
        }
        let address = match wanted {
            Some(wanted) if !pools.any(|pool| pool.subnet.contains(wanted)) => return Err(Refusal::Outside(wanted)),
            Some(wanted) if taken.contains(&wanted) => return Err(Refusal::Taken),
            Some(wanted) => wanted,
            None => {
                let free = pools.find_map(|pool| pool.subnet.free_within(pool.range.unwrap_or(pool.subnet), &taken));
                let network = format!("{} ({})", self.name, self.id);
                free.ok_or(Refusal::Exhausted { ipv6, network })?
            }
        };
        self.leases.insert(address, container.to_string());
        Ok(Some(address))
    }

    /// Takes all addresses of a container back.
    pub fn release(&mut self, container: &str) {
        self.leases.retain(|_, holder| holder != container);
    }
}

/// The lowest of Docker's own pools that nobody uses: 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/20
/// and on. Source: moby, libnetwork/ipamutils.
pub fn free_subnet(used: &[Subnet]) -> Option<Subnet> {
    let wide = (17..=31).map(|n| (Ipv4Addr::new(172, n, 0, 0), 16));
    let narrow = (0..=15).map(|n| (Ipv4Addr::new(192, 168, n * 16, 0), 20));
    wide.chain(narrow)
        .map(|(address, prefix)| Subnet { address: IpAddr::V4(address), prefix })
        .find(|subnet| !used.iter().any(|other| other.overlaps(subnet)))
}

/// The lowest free /64 of this machine's own private block (`fd` and 40 bits that are the machine's, RFC 4193):
/// what a network gets that wants IPv6 and names no subnet. `machine` is any text of hexadecimal digits that stays.
pub fn local_subnet(machine: &str, used: &[Subnet]) -> Option<Subnet> {
    let part = |at: usize| machine.get(at..at + 4).and_then(|d| u16::from_str_radix(d, 16).ok()).unwrap_or(0);
    let block = [0xfd00 | part(0) & 0xff, part(4), part(8)];
    (0..=u16::MAX)
        .map(|n| Ipv6Addr::new(block[0], block[1], block[2], n, 0, 0, 0, 0))
        .map(|address| Subnet { address: IpAddr::V6(address), prefix: 64 })
        .find(|subnet| !used.iter().any(|other| other.overlaps(subnet)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{NetworkDriver, Pool};
    use crate::world::acts::LinkName;
    use cutaway_userland::sorted::Map as BTreeMap;
    use std::time::Duration;

    fn network(subnets: &[&str], range: Option<&str>) -> NetworkRecord {
        let pool = |subnet: &&str| {
            let subnet = Subnet::parse(subnet).expect("a subnet");
            Pool {
                subnet,
                subnet_given: true,
                gateway: Some(subnet.nth(1)),
                gateway_given: false,
                range: range.and_then(Subnet::parse),
                aux_addresses: BTreeMap::new(),
            }
        };
        NetworkRecord {
            id: "a".repeat(64),
            name: "net".into(),
            created: Duration::ZERO,
            driver: NetworkDriver::Bridge,
            pools: subnets.iter().map(pool).collect(),
            internal: false,
            attachable: false,
            options: BTreeMap::new(),
            ipam_options: BTreeMap::new(),
            labels: BTreeMap::new(),
            bridge: LinkName("br-x".into()),
            mtu: 1500,
            made_parent: false,
            config_only: None,
            config_from: String::new(),
            scope: String::new(),
            leases: BTreeMap::new(),
        }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn lowest_free_first() {
        let mut net = network(&["10.0.0.0/29"], None);
        for (container, expected) in [("a", "10.0.0.2"), ("b", "10.0.0.3"), ("a", "10.0.0.2"), ("c", "10.0.0.4")] {
            assert_eq!(net.lease(container, false, None), Ok(Some(address(expected))), "{container}");
        }
        net.release("a");
        assert_eq!(net.lease("d", false, None), Ok(Some(address("10.0.0.2"))));
        for (wanted, refusal) in [
            ("10.0.0.3", Refusal::Taken),
            ("10.0.0.1", Refusal::Taken),
            ("10.1.0.1", Refusal::Outside(address("10.1.0.1"))),
        ] {
            assert_eq!(net.lease("e", false, Some(address(wanted))), Err(refusal), "{wanted}");
        }
        assert_eq!(net.lease("e", false, Some(address("10.0.0.6"))), Ok(Some(address("10.0.0.6"))));
        assert_eq!(net.lease("f", false, None), Ok(Some(address("10.0.0.5"))));
        let exhausted = net.lease("g", false, None).expect_err("all are taken").to_string();
        let id = "a".repeat(64);
        assert_eq!(exhausted, format!("no available IPv4 addresses on this network's address pools: net ({id})"));
        assert_eq!(net.lease("g", true, None), Ok(None));
    }

    #[test]
    fn each_version_by_itself() {
        let mut net = network(&["10.0.0.0/24", "fd00::/64"], None);
        assert_eq!(net.lease("a", false, None), Ok(Some(address("10.0.0.2"))));
        assert_eq!(net.lease("a", true, None), Ok(Some(address("fd00::2"))));
        assert_eq!(net.lease("b", true, Some(address("fd00::99"))), Ok(Some(address("fd00::99"))));
        assert_eq!(net.lease("b", true, None), Ok(Some(address("fd00::99"))), "it keeps it");
        net.release("a");
        assert_eq!(net.leases.len(), 1);
    }

    #[test]
    fn one_pool_after_the_other() {
        let mut net = network(&["10.0.0.0/30", "10.0.1.0/30"], None);
        for (container, expected) in [("a", "10.0.0.2"), ("b", "10.0.1.2")] {
            assert_eq!(net.lease(container, false, None), Ok(Some(address(expected))), "{container}");
        }
        assert!(matches!(net.lease("c", false, None), Err(Refusal::Exhausted { .. })));
        assert_eq!(net.lease("c", false, Some(address("10.0.1.1"))), Err(Refusal::Taken));
        assert_eq!(net.lease("c", false, Some(address("10.0.2.1"))), Err(Refusal::Outside(address("10.0.2.1"))));
    }

    #[test]
    fn ranges_are_kept_to() {
        let mut net = network(&["10.0.0.0/24"], Some("10.0.0.128/25"));
        assert_eq!(net.lease("a", false, None), Ok(Some(address("10.0.0.128"))));
        assert_eq!(net.lease("b", false, Some(address("10.0.0.9"))), Ok(Some(address("10.0.0.9"))));
    }

    #[test]
    fn subnets() {
        let mut used = Vec::new();
        for expected in ["172.17.0.0/16", "172.18.0.0/16", "172.19.0.0/16"] {
            let subnet = free_subnet(&used).expect("there are more");
            assert_eq!(subnet.to_string(), expected);
            used.push(subnet);
        }
        let shown = |subnet: Option<Subnet>| subnet.map(|s| s.to_string()).unwrap_or_default();
        let of = |text: &str| vec![Subnet::parse(text).expect("a subnet")];
        assert_eq!(shown(free_subnet(&of("172.16.0.0/12"))), "192.168.0.0/20");
        assert_eq!(free_subnet(&of("0.0.0.0/0")), None);
        assert_eq!(shown(local_subnet("0123456789abcdef", &[])), "fd23:4567:89ab::/64");
        assert_eq!(shown(local_subnet("0123456789abcdef", &of("fd23:4567:89ab::/64"))), "fd23:4567:89ab:1::/64");
    }
}
