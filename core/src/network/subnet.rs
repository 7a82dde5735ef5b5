//! Ranges of addresses, and the choice of a free one.

use cutaway_userland::sorted::Set as BTreeSet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::Ipv4Addr;

/// As `172.18.0.0/16`; the address has no bits beyond the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subnet {
    pub address: Ipv4Addr,
    pub prefix: u8,
}

impl Subnet {
    /// Reads `10.77.0.0/24`; bits beyond the prefix are cleared.
    pub fn parse(text: &str) -> Option<Subnet> {
        let (address, prefix) = text.split_once('/')?;
        let (address, prefix): (Ipv4Addr, u8) = (address.parse().ok()?, prefix.parse().ok()?);
        (prefix <= 32).then(|| Subnet { address: Ipv4Addr::from(u32::from(address) & mask(prefix)), prefix })
    }

    pub fn contains(&self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix) == u32::from(self.address)
    }

    pub fn overlaps(&self, other: &Subnet) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }

    /// The address `index` places after the subnet's own.
    pub fn nth(&self, index: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address).wrapping_add(index))
    }

    /// The last address, which reaches all.
    pub fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address) | !mask(self.prefix))
    }

    /// The first address that is not taken, without the subnet's own and the broadcast address.
    pub fn free(&self, taken: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
        let (first, last) = (u32::from(self.address), u32::from(self.broadcast()));
        let (first, last) = if self.prefix >= 31 { (first, last) } else { (first + 1, last - 1) };
        (first..=last).map(Ipv4Addr::from).find(|a| !taken.contains(a))
    }
}

fn mask(prefix: u8) -> u32 {
    if prefix == 0 { 0 } else { u32::MAX << (32 - prefix) }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let subnet = Subnet::parse("10.77.0.9/30").expect("a subnet");
        assert_eq!(subnet.to_string(), "10.77.0.8/30");
        assert_eq!(subnet.broadcast(), Ipv4Addr::new(10, 77, 0, 11));
        let mut taken = BTreeSet::new();
        for last in [9, 10] {
            let free = subnet.free(&taken);
            assert_eq!(free, Some(Ipv4Addr::new(10, 77, 0, last)));
            taken.extend(free);
        }
        assert_eq!(subnet.free(&taken), None);
        assert!(subnet.overlaps(&Subnet::parse("10.0.0.0/8").expect("a subnet")));
        for bad in ["", "10.0.0.0", "10.0.0.0/33", "x/8"] {
            assert_eq!(Subnet::parse(bad), None, "{bad}");
        }
    }
}
