//! Giving out subnets to networks and addresses to containers: always the lowest that is free.

use super::{NetworkRecord, Subnet};
use cutaway_userland::sorted::Set as BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;

/// Why there is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The address that was asked for is another's.
    Taken,
    /// It is in none of the network's subnets.
    Outside,
    /// All are taken.
    Exhausted,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Taken => write!(f, "Address already in use"),
            Refusal::Outside => write!(f, "no configured subnet contains the IP address that was asked for"),
            Refusal::Exhausted => write!(f, "no available IPv4 addresses on this network's address pools"),
        }
    }
}

impl NetworkRecord {
    /// Gives a container an address: `wanted`, or the lowest free one. A container that has one keeps it.
    /// `None` on networks without addresses of their own.
    pub fn lease(&mut self, container: &str, wanted: Option<Ipv4Addr>) -> Result<Option<Ipv4Addr>, Refusal> {
        let Some(subnet) = self.subnet else { return Ok(None) };
        let held = self.leases.iter().find(|(_, holder)| *holder == container).map(|(address, _)| *address);
        if held.is_some() && (wanted.is_none() || wanted == held) {
            return Ok(held);
        }
        let mut taken: BTreeSet<Ipv4Addr> = self.leases.keys().copied().collect();
        taken.extend(self.gateway);
        taken.extend(self.aux_addresses.values());
        if subnet.prefix < 31 {
            taken.extend([subnet.address, subnet.broadcast()]);
        }
        let address = match wanted {
            Some(wanted) if !subnet.contains(wanted) => return Err(Refusal::Outside),
            Some(wanted) if taken.contains(&wanted) => return Err(Refusal::Taken),
            Some(wanted) => wanted,
            None => self.ip_range.unwrap_or(subnet).free(&taken).ok_or(Refusal::Exhausted)?,
        };
        self.leases.insert(address, container.to_string());
        Ok(Some(address))
    }

    /// Takes all addresses of a container back.
    pub fn release(&mut self, container: &str) {
        self.leases.retain(|_, holder| holder != container);
    }
}

/// The lowest of Docker's own pools that no network uses: 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/20
/// and on. Source: moby, libnetwork/ipamutils.
pub fn free_subnet(used: &[Subnet]) -> Option<Subnet> {
    let wide = (17..=31).map(|n| (Ipv4Addr::new(172, n, 0, 0), 16));
    let narrow = (0..=15).map(|n| (Ipv4Addr::new(192, 168, n * 16, 0), 20));
    wide.chain(narrow)
        .map(|(address, prefix)| Subnet { address, prefix })
        .find(|subnet| !used.iter().any(|other| other.overlaps(subnet)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::NetworkDriver;
    use crate::world::acts::LinkName;
    use cutaway_userland::sorted::Map as BTreeMap;
    use std::time::Duration;

    fn network(subnet: &str, range: Option<&str>) -> NetworkRecord {
        let subnet = Subnet::parse(subnet).expect("a subnet");
        NetworkRecord {
            id: "a".repeat(64),
            name: "net".into(),
            created: Duration::ZERO,
            driver: NetworkDriver::Bridge,
            subnet: Some(subnet),
            gateway: Some(subnet.nth(1)),
            gateway_given: false,
            ip_range: range.and_then(Subnet::parse),
            subnet_given: true,
            aux_addresses: BTreeMap::new(),
            internal: false,
            attachable: false,
            ipv6: false,
            options: BTreeMap::new(),
            ipam_options: BTreeMap::new(),
            labels: BTreeMap::new(),
            bridge: LinkName("br-x".into()),
            mtu: 1500,
            leases: BTreeMap::new(),
        }
    }

    fn address(text: &str) -> Ipv4Addr {
        text.parse().expect("an address")
    }

    #[test]
    fn lowest_free_first() {
        let mut net = network("10.0.0.0/29", None);
        for (container, expected) in [("a", "10.0.0.2"), ("b", "10.0.0.3"), ("a", "10.0.0.2"), ("c", "10.0.0.4")] {
            assert_eq!(net.lease(container, None), Ok(Some(address(expected))), "{container}");
        }
        net.release("a");
        assert_eq!(net.lease("d", None), Ok(Some(address("10.0.0.2"))));
        assert_eq!(net.lease("e", Some(address("10.0.0.3"))), Err(Refusal::Taken));
        assert_eq!(net.lease("e", Some(address("10.0.0.1"))), Err(Refusal::Taken));
        assert_eq!(net.lease("e", Some(address("10.1.0.1"))), Err(Refusal::Outside));
        assert_eq!(net.lease("e", Some(address("10.0.0.6"))), Ok(Some(address("10.0.0.6"))));
        assert_eq!(net.lease("f", None), Ok(Some(address("10.0.0.5"))));
        assert_eq!(net.lease("g", None), Err(Refusal::Exhausted));
    }

    #[test]
    fn ranges_are_kept_to() {
        let mut net = network("10.0.0.0/24", Some("10.0.0.128/25"));
        assert_eq!(net.lease("a", None), Ok(Some(address("10.0.0.129"))));
        assert_eq!(net.lease("b", Some(address("10.0.0.9"))), Ok(Some(address("10.0.0.9"))));
    }

    #[test]
    fn subnets() {
        let mut used = Vec::new();
        for expected in ["172.17.0.0/16", "172.18.0.0/16", "172.19.0.0/16"] {
            let subnet = free_subnet(&used).expect("there are more");
            assert_eq!(subnet.to_string(), expected);
            used.push(subnet);
        }
        assert_eq!(
            free_subnet(&[Subnet::parse("172.16.0.0/12").expect("it is one")]).map(|s| s.to_string()),
            Some("192.168.0.0/20".into())
        );
        assert_eq!(free_subnet(&[Subnet::parse("0.0.0.0/0").expect("it is one")]), None);
    }
}
