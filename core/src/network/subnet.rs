//! Ranges of addresses of either version, and the choice of a free one.

use cutaway_userland::sorted::Set as BTreeSet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// As `172.18.0.0/16` or `fd00::/64`; the address has no bits beyond the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subnet {
    pub address: IpAddr,
    pub prefix: u8,
}

impl Subnet {
    /// Reads `10.77.0.0/24`; bits beyond the prefix are cleared.
    pub fn parse(text: &str) -> Option<Subnet> {
        let (address, prefix) = text.split_once('/')?;
        let (address, prefix): (IpAddr, u8) = (address.parse().ok()?, prefix.parse().ok()?);
        (prefix <= width(address)).then(|| Subnet::of(address, prefix))
    }

    /// The subnet of this length that an address is in.
    pub fn of(address: IpAddr, prefix: u8) -> Subnet {
        let prefix = prefix.min(width(address));
        Subnet { address: like(address, number(address) & !host_bits(address, prefix)), prefix }
    }

    pub fn is_ipv6(&self) -> bool {
        self.address.is_ipv6()
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv6() == self.is_ipv6() && Subnet::of(address, self.prefix).address == self.address
    }

    pub fn overlaps(&self, other: &Subnet) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }

    /// The address `index` places after the subnet's own.
    pub fn nth(&self, index: u128) -> IpAddr {
        like(self.address, number(self.address).wrapping_add(index))
    }

    /// The last address: of IPv4, the one that reaches all.
    pub fn last(&self) -> IpAddr {
        like(self.address, number(self.address) | host_bits(self.address, self.prefix))
    }

    /// Its first address, and for IPv4 the broadcast address: those that nobody gets. Tiny subnets have none to spare.
    pub fn reserved(&self) -> Vec<IpAddr> {
        match (self.is_ipv6(), width(self.address) - self.prefix) {
            (_, 0 | 1) => Vec::new(),
            (true, _) => vec![self.address],
            (false, _) => vec![self.address, self.last()],
        }
    }

    /// The first address that is neither taken nor reserved.
    pub fn free(&self, taken: &BTreeSet<IpAddr>) -> Option<IpAddr> {
        self.free_within(*self, taken)
    }

    /// The same of a range in it: that may begin and end with what would be reserved of a subnet.
    pub fn free_within(&self, range: Subnet, taken: &BTreeSet<IpAddr>) -> Option<IpAddr> {
        let reserved = self.reserved();
        let all = number(range.address)..=number(range.last());
        all.map(|n| like(self.address, n)).find(|a| !taken.contains(a) && !reserved.contains(a))
    }
}

/// How many bits an address of this version has.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// A number as an address of the same version as `model`.
fn like(model: IpAddr, number: u128) -> IpAddr {
    match model {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(number as u32)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(number)),
    }
}

/// The bits after the prefix.
fn host_bits(model: IpAddr, prefix: u8) -> u128 {
    let bits = u32::from(width(model) - prefix);
    if bits == 128 { u128::MAX } else { (1 << bits) - 1 }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        Subnet::parse(text).expect(text)
    }

    #[test]
    fn addresses() {
        let small = subnet("10.77.0.9/30");
        assert_eq!(small.to_string(), "10.77.0.8/30");
        assert_eq!(small.last().to_string(), "10.77.0.11");
        let mut taken = BTreeSet::new();
        for last in [9, 10] {
            let free = small.free(&taken);
            assert_eq!(free, Some(IpAddr::from([10, 77, 0, last])));
            taken.extend(free);
        }
        assert_eq!(small.free(&taken), None);
        for bad in ["", "10.0.0.0", "10.0.0.0/33", "x/8", "fd00::/129"] {
            assert_eq!(Subnet::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn both_versions() {
        let six = subnet("fd00:0:0:5::77/64");
        assert_eq!(six.to_string(), "fd00:0:0:5::/64");
        assert_eq!(six.free(&BTreeSet::new()).map(|a| a.to_string()), Some("fd00:0:0:5::1".into()));
        assert_eq!(subnet("::/0").last().to_string(), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
        for (a, b, overlap) in [
            ("10.77.0.8/30", "10.0.0.0/8", true),
            ("10.0.0.0/8", "11.0.0.0/8", false),
            ("fd00::/48", "fd00:0:0:1::/64", true),
            ("::/0", "0.0.0.0/0", false),
        ] {
            assert_eq!(subnet(a).overlaps(&subnet(b)), overlap, "{a} {b}");
            assert_eq!(subnet(b).overlaps(&subnet(a)), overlap, "{b} {a}");
        }
    }
}
