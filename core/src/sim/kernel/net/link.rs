//! Interfaces: loopback, bridges and the ends of virtual cables; making, joining and moving them.

use super::shape::Shaper;
use super::{DnatRule, Net, NetNsId, Space};
use crate::network::Rate;
use crate::world::acts::{MacvlanMode, Parent, Protocol, Share};
use cutaway_userland::Errno;
use cutaway_userland::os::{Interface, Result, SocketKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where the host lets a bridge's network go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Nowhere.
    Closed,
    /// Anywhere, with the senders' own addresses.
    Open,
    /// Anywhere, with the host's address.
    Masquerade,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkKind {
    Loopback,
    Bridge {
        exit: Exit,
    },
    /// Number of the namespace and of the interface at the other end.
    Veth {
        peer: (u64, u32),
    },
    /// Shares the wire of another, wherever that is.
    Sub {
        parent: (u64, u32),
        share: Share,
    },
    /// The part of the wire of another of its namespace that has this mark.
    Vlan {
        parent: u32,
        id: u16,
    },
    /// Leads nowhere.
    Dummy,
}

pub(crate) struct Link {
    pub index: u32,
    pub name: String,
    pub kind: LinkKind,
    pub up: bool,
    pub mac: [u8; 6],
    pub mtu: u32,
    pub addresses: Vec<(IpAddr, u8)>,
    /// The bridge it is plugged into.
    pub master: Option<u32>,
    /// Plugged in so that it reaches no other isolated one.
    pub isolated: bool,
    /// Holds back what is sent out here.
    pub shaper: Option<Shaper>,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_packets: u64,
    pub tx_packets: u64,
}

impl Link {
    fn new(index: u32, name: &str, kind: LinkKind) -> Link {
        Link {
            index,
            name: name.to_string(),
            kind,
            up: false,
            mac: [0x02, 0x42, 0, 0, (index >> 8) as u8, index as u8],
            mtu: 1500,
            addresses: Vec::new(),
            master: None,
            isolated: false,
            shaper: None,
            rx_bytes: 0,
            tx_bytes: 0,
            rx_packets: 0,
            tx_packets: 0,
        }
    }

    pub fn loopback() -> Link {
        Link { mac: [0; 6], mtu: 65_536, ..Link::new(1, "lo", LinkKind::Loopback) }
    }

    /// Switches it on or off; the loopback has its addresses only while it is on.
    pub fn switch(&mut self, up: bool) {
        self.up = up;
        if self.kind == LinkKind::Loopback {
            let own = [(IpAddr::from([127, 0, 0, 1]), 8), (IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), 128)];
            self.addresses = if up { own.to_vec() } else { Vec::new() };
        }
    }

    pub fn has(&self, ip: IpAddr) -> bool {
        self.addresses.iter().any(|(own, _)| *own == ip)
    }

    pub fn interface(&self) -> Interface {
        Interface {
            index: self.index,
            name: self.name.clone(),
            peer: match self.kind {
                LinkKind::Veth { peer: (_, index) } | LinkKind::Sub { parent: (_, index), .. } => Some(index),
                LinkKind::Vlan { parent, .. } => Some(parent),
                _ => None,
            },
            up: self.up,
            loopback: self.kind == LinkKind::Loopback,
            mtu: self.mtu,
            mac: self.mac,
            addresses: self.addresses.clone(),
            rx_bytes: self.rx_bytes,
            tx_bytes: self.tx_bytes,
            rx_packets: self.rx_packets,
            tx_packets: self.tx_packets,
        }
    }
}

/// The address that stands for all, of the same version.
pub(super) fn unspecified(like: IpAddr) -> IpAddr {
    if like.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) }
}

/// The longest name of an interface (`IFNAMSIZ`).
const NAME: usize = 15;

impl Net {
    fn check_name(&self, ns: &NetNsId, name: &str) -> Result<()> {
        if name.is_empty() || name.len() > NAME || name.contains(['/', ' ']) {
            return Err(Errno::EINVAL);
        }
        if self.space(ns)?.find_link(name).is_ok() { Err(Errno::EEXIST) } else { Ok(()) }
    }

    fn insert(&mut self, ns: &NetNsId, name: &str, kind: LinkKind) -> Result<u32> {
        let index = self.next_index;
        self.next_index += 1;
        self.space_mut(ns)?.links.insert(index, Link::new(index, name, kind));
        Ok(index)
    }

    pub fn add_bridge(&mut self, ns: &NetNsId, name: &str, mtu: u32, exit: Exit) -> Result<()> {
        self.check_name(ns, name)?;
        let index = self.insert(ns, name, LinkKind::Bridge { exit })?;
        if let Some(link) = self.space_mut(ns)?.links.get_mut(&index) {
            link.mtu = mtu;
        }
        Ok(())
    }

    pub fn add_veth(&mut self, a: (&NetNsId, &str), b: (&NetNsId, &str)) -> Result<()> {
        self.check_name(a.0, a.1)?;
        self.check_name(b.0, b.1)?;
        if *a.0.0 == *b.0.0 && a.1 == b.1 {
            return Err(Errno::EEXIST);
        }
        let (first, second) = (self.next_index, self.next_index + 1);
        self.insert(a.0, a.1, LinkKind::Veth { peer: (*b.0.0, second) })?;
        self.insert(b.0, b.1, LinkKind::Veth { peer: (*a.0.0, first) })?;
        Ok(())
    }

    /// An interface that leads nowhere, or part of the wire of another (`EnsureParent`).
    pub fn add_parent(&mut self, ns: &NetNsId, name: &str, make: &Parent) -> Result<()> {
        self.check_name(ns, name)?;
        let kind = match make {
            Parent::Dummy => LinkKind::Dummy,
            Parent::Vlan { on, id } => LinkKind::Vlan { parent: self.space(ns)?.find_link(&on.0)?.index, id: *id },
        };
        self.insert(ns, name, kind).map(drop)
    }

    /// An interface that shares the wire of another of the namespace. One wire is shared in one way only, and by one
    /// alone where it is passed through.
    pub fn add_sub(&mut self, ns: &NetNsId, name: &str, parent: &str, share: Share) -> Result<()> {
        self.check_name(ns, name)?;
        let parent = (*ns.0, self.space(ns)?.find_link(parent)?.index);
        let passes = |share| share == Share::Macvlan(MacvlanMode::Passthru);
        for other in self.spaces.values().flat_map(|s| s.links.values()) {
            if let LinkKind::Sub { parent: theirs, share: other } = other.kind
                && theirs == parent
            {
                if other.words().0 != share.words().0 {
                    return Err(Errno::EBUSY);
                }
                if passes(share) || passes(other) {
                    return Err(Errno::EINVAL);
                }
            }
        }
        let index = self.insert(ns, name, LinkKind::Sub { parent, share })?;
        let space = self.space_mut(ns)?;
        let above = space.links.get(&parent.1).map(|l| (l.mac, l.mtu));
        if let (Some(link), Some((mac, mtu))) = (space.links.get_mut(&index), above) {
            link.mtu = mtu;
            if matches!(share, Share::Ipvlan(..)) {
                link.mac = mac;
            }
        }
        Ok(())
    }

    pub fn set_master(&mut self, ns: &NetNsId, link: &str, bridge: Option<&str>, isolated: bool) -> Result<()> {
        let space = self.space_mut(ns)?;
        let master = match bridge {
            None => None,
            Some(bridge) => {
                let bridge = space.find_link(bridge)?;
                if !matches!(bridge.kind, LinkKind::Bridge { .. }) {
                    return Err(Errno::EOPNOTSUPP);
                }
                Some(bridge.index)
            }
        };
        let link = space.find_link_mut(link)?;
        (link.master, link.isolated) = (master, isolated);
        Ok(())
    }

    /// Moves an interface; it is down, without addresses and out of its bridge afterwards.
    pub fn move_link(&mut self, ns: &NetNsId, link: &str, to: &NetNsId, name: &str) -> Result<()> {
        let index = self.space(ns)?.find_link(link)?.index;
        if *ns.0 != *to.0 || link != name {
            self.check_name(to, name)?;
        }
        let Some(mut moved) = self.space_mut(ns)?.links.remove(&index) else { return Err(Errno::ENODEV) };
        moved.name = name.to_string();
        moved.up = false;
        moved.addresses.clear();
        (moved.master, moved.isolated) = (None, false);
        if let LinkKind::Veth { peer: (other, number) } = moved.kind
            && let Some(peer) = self.spaces.get_mut(&other).and_then(|s| s.links.get_mut(&number))
        {
            peer.kind = LinkKind::Veth { peer: (*to.0, index) };
        }
        self.space_mut(to)?.links.insert(index, moved);
        Ok(())
    }

    pub fn remove_link(&mut self, ns: &NetNsId, link: &str) -> Result<()> {
        let space = self.space_mut(ns)?;
        let index = space.find_link(link)?.index;
        let Some(gone) = space.links.remove(&index) else { return Err(Errno::ENODEV) };
        for other in space.links.values_mut() {
            if other.master == Some(index) {
                other.master = None;
            }
        }
        if let LinkKind::Veth { peer: (other, number) } = gone.kind
            && let Some(space) = self.spaces.get_mut(&other)
        {
            space.links.remove(&number);
        }
        // What shared its wire goes with it.
        let gone = (*ns.0, index);
        for (number, space) in &mut self.spaces {
            space.links.retain(|_, link| match link.kind {
                LinkKind::Sub { parent, .. } => parent != gone,
                LinkKind::Vlan { parent, .. } => (*number, parent) != gone,
                _ => true,
            });
        }
        Ok(())
    }

    pub fn add_address(&mut self, ns: &NetNsId, link: &str, address: IpAddr, prefix: u8) -> Result<()> {
        let link = self.space_mut(ns)?.find_link_mut(link)?;
        if link.has(address) {
            return Err(Errno::EEXIST);
        }
        link.addresses.push((address, prefix));
        Ok(())
    }

    /// In place of the one for this version of addresses. With `on`, everything is behind that interface.
    pub fn set_default_route(&mut self, ns: &NetNsId, gateway: IpAddr, on: Option<&str>) -> Result<()> {
        let space = self.space_mut(ns)?;
        let on = on.map(|name| space.find_link(name).map(|link| link.index)).transpose()?;
        if on.is_none() && space.connected(gateway).is_none() {
            return Err(Errno::ENETUNREACH);
        }
        space.gateways.retain(|other| other.is_ipv6() != gateway.is_ipv6());
        space.behind.retain(|(other, _)| other.is_ipv6() != gateway.is_ipv6());
        match on {
            None => space.gateways.push(gateway),
            Some(link) => space.behind.push((gateway, link)),
        }
        Ok(())
    }

    /// Holds back what an interface sends, or no more.
    pub fn shape(&mut self, ns: &NetNsId, link: &str, rate: Option<Rate>) -> Result<()> {
        self.shapes |= rate.is_some();
        self.space_mut(ns)?.find_link_mut(link)?.shaper = rate.map(Shaper::new);
        Ok(())
    }

    pub fn publish(&mut self, ns: &NetNsId, mut rule: DnatRule) -> Result<u16> {
        let host = self.space_mut(ns)?;
        let kind = if rule.protocol == Protocol::Udp { SocketKind::Udp } else { SocketKind::Tcp };
        let clash = |host: &Space, port: u16| {
            let rules = host.dnat.iter().any(|r| {
                r.host_port == port
                    && r.protocol == rule.protocol
                    && r.host.is_ipv4() == rule.host.is_ipv4()
                    && (r.host == rule.host || r.host.is_unspecified() || rule.host.is_unspecified())
            });
            rules || host.bound(kind, port)
        };
        if rule.host_port == 0 {
            // Docker takes the first free one from here on, too.
            let free = (32_768..=60_999).find(|port| !clash(host, *port));
            rule.host_port = free.ok_or(Errno::EADDRINUSE)?;
        } else if clash(host, rule.host_port) {
            return Err(Errno::EADDRINUSE);
        }
        if !rule.host.is_unspecified() && !host.is_local(rule.host) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let port = rule.host_port;
        host.dnat.push(rule);
        Ok(port)
    }

    pub fn unpublish(&mut self, ns: &NetNsId, host: IpAddr, port: u16, protocol: Protocol) {
        if let Ok(space) = self.space_mut(ns) {
            space.dnat.retain(|r| !(r.host == host && r.host_port == port && r.protocol == protocol));
        }
    }
}
