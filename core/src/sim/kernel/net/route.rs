//! The way of a packet: from namespace to namespace over cables and bridges, with the host's translation of
//! addresses and its rules about who may reach whom (Docker's: networks are apart from each other).

use super::{Exit, Link, LinkKind, Net, Space};
use crate::world::acts::{IpvlanFlag, MacvlanMode, Protocol, Share};
use cutaway_userland::Errno;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// An interface that a packet passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub ns: u64,
    pub link: u32,
    /// Whether the packet goes out there, or comes in.
    pub sends: bool,
}

/// Where a packet comes to.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub ns: u64,
    /// The address that it has there, after translation.
    pub to: SocketAddr,
    /// The sender's address as it is seen there.
    pub from: IpAddr,
    pub hops: Vec<Hop>,
    /// One way.
    pub latency: Duration,
}

#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Deliver(Delivery),
    /// Refused at once, as where there is no route.
    Fail(Errno),
    /// Nobody on the last network has the address: known after three questions for it.
    NoHost,
    /// Thrown away without a word.
    Dropped,
}

/// A packet on its way.
struct Packet {
    to: SocketAddr,
    from: Option<IpAddr>,
    protocol: Option<Protocol>,
    translated: bool,
}

impl Net {
    /// Follows a packet. `protocol` is none for an echo request. `from` is the address the socket is bound to.
    pub fn follow(&self, ns: u64, from: Option<IpAddr>, to: SocketAddr, protocol: Option<Protocol>) -> Verdict {
        let to = if to.ip().is_unspecified() { SocketAddr::new(loopback(to), to.port()) } else { to };
        let mut packet = Packet { to, from, protocol, translated: false };
        let mut at = ns;
        let mut came: Option<u32> = None;
        let mut hops = Vec::new();
        let mut latency = Duration::ZERO;
        // The time to live.
        for _ in 0..16 {
            let Some(space) = self.spaces.get(&at) else { return Verdict::Fail(Errno::ENETUNREACH) };
            translate(space, &mut packet);
            if space.is_local(packet.to.ip()) {
                if came.is_none() {
                    hops.extend([true, false].map(|sends| Hop { ns: at, link: 1, sends }));
                    latency = Duration::from_micros(20);
                }
                let from = packet.from.unwrap_or(packet.to.ip());
                return Verdict::Deliver(Delivery { ns: at, to: packet.to, from, hops, latency });
            }
            if came.is_some() && !space.forwards(packet.to.ip()) {
                return Verdict::Dropped;
            }
            let Some((out, next, own)) = space.route(packet.to.ip()) else {
                return if came.is_some() { Verdict::NoHost } else { Verdict::Fail(Errno::ENETUNREACH) };
            };
            if let Some(inward) = came.and_then(|index| space.links.get(&index)) {
                match forward(&inward.kind, inward.index, &out.kind, out.index, packet.translated) {
                    Forward::Drop => return Verdict::Dropped,
                    Forward::Masquerade => packet.from = Some(own),
                    Forward::Pass => {}
                }
            }
            packet.from.get_or_insert(own);
            hops.push(Hop { ns: at, link: out.index, sends: true });
            let Some((ns, link)) = self.neighbour(at, out.index, next) else { return Verdict::NoHost };
            hops.push(Hop { ns, link, sends: false });
            let bridged = |ns: u64, link: u32| {
                let link = self.spaces.get(&ns).and_then(|s| s.links.get(&link));
                link.is_some_and(|l| l.master.is_some() || matches!(l.kind, LinkKind::Bridge { .. }))
            };
            // A cable that ends in no bridge is the way out into the world.
            let parent =
                |ns: u64, link: u32| match self.spaces.get(&ns).and_then(|s| s.links.get(&link)).map(|l| &l.kind) {
                    Some(LinkKind::Sub { parent, .. }) => Some(*parent),
                    _ => None,
                };
            let shared = parent(ns, link).is_some_and(|p| parent(at, out.index) == Some(p));
            let near = shared || bridged(at, out.index) || bridged(ns, link) || self.peer_is_bridged(at, out.index);
            latency += if near { Duration::from_micros(35) } else { Duration::from_millis(6) };
            (at, came) = (ns, Some(link));
        }
        Verdict::Dropped
    }

    fn peer_is_bridged(&self, ns: u64, link: u32) -> bool {
        let Some(link) = self.spaces.get(&ns).and_then(|s| s.links.get(&link)) else { return false };
        let LinkKind::Veth { peer: (other, index) } = link.kind else { return false };
        self.spaces.get(&other).and_then(|s| s.links.get(&index)).is_some_and(|l| l.master.is_some())
    }

    /// Who answers for an address on the network behind an interface.
    fn neighbour(&self, ns: u64, link: u32, ip: IpAddr) -> Option<(u64, u32)> {
        let answers = |(ns, index): &(u64, u32)| {
            let link = self.spaces.get(ns).and_then(|s| s.links.get(index));
            link.is_some_and(|l| l.up && l.has(ip))
        };
        let near = self.segment(ns, link);
        near.iter().copied().find(answers).or_else(|| self.sharing(&near).into_iter().find(answers))
    }

    /// The other interfaces on the same network, without those that only share the wire of one of them.
    fn segment(&self, ns: u64, link: u32) -> Vec<(u64, u32)> {
        let Some(space) = self.spaces.get(&ns) else { return Vec::new() };
        match space.links.get(&link).map(|l| &l.kind) {
            Some(LinkKind::Bridge { .. }) => self.ports(ns, link, false),
            Some(LinkKind::Veth { peer: (other, index) }) => {
                let far = self.spaces.get(other).and_then(|s| s.links.get(index));
                match far.filter(|l| l.up).map(|l| l.master) {
                    Some(Some(bridge)) => {
                        let apart = far.is_some_and(|l| l.isolated);
                        let mut all = vec![(*other, bridge)];
                        all.extend(self.ports(*other, bridge, apart).into_iter().filter(|end| *end != (ns, link)));
                        all
                    }
                    Some(None) => vec![(*other, *index)],
                    None => Vec::new(),
                }
            }
            Some(LinkKind::Sub { parent, share }) => {
                let on = self.spaces.get(&parent.0).and_then(|s| s.links.get(&parent.1)).is_some_and(|l| l.up);
                if !on {
                    return Vec::new();
                }
                // The parent itself hears nothing of them: they go straight out of it, or to one another.
                let mut all = self.segment(parent.0, parent.1);
                if matches!(share, Share::Macvlan(MacvlanMode::Bridge) | Share::Ipvlan(_, IpvlanFlag::Bridge)) {
                    all.extend(self.sharing(&[*parent]).into_iter().filter(|end| *end != (ns, link)));
                }
                all
            }
            Some(LinkKind::Vlan { parent, id }) => {
                let marked = |(ns, index): (u64, u32)| {
                    let links = self.spaces.get(&ns).map(|s| &s.links);
                    let same = |l: &&Link| l.kind == LinkKind::Vlan { parent: index, id: *id } && l.up;
                    links.and_then(|links| links.values().find(same)).map(|l| (ns, l.index))
                };
                self.segment(ns, *parent).into_iter().filter_map(marked).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The interfaces that share the wires of these.
    fn sharing(&self, parents: &[(u64, u32)]) -> Vec<(u64, u32)> {
        let mut all = Vec::new();
        for (ns, space) in &self.spaces {
            for link in space.links.values() {
                if let LinkKind::Sub { parent, .. } = link.kind
                    && parents.contains(&parent)
                {
                    all.push((*ns, link.index));
                }
            }
        }
        all
    }

    /// The far ends of the cables that are plugged into a bridge; `apart` leaves out those that are isolated.
    fn ports(&self, ns: u64, bridge: u32, apart: bool) -> Vec<(u64, u32)> {
        let Some(space) = self.spaces.get(&ns) else { return Vec::new() };
        if !space.links.get(&bridge).is_some_and(|b| b.up) {
            return Vec::new();
        }
        let plugged = space.links.values().filter(|l| l.up && l.master == Some(bridge) && !(apart && l.isolated));
        plugged
            .filter_map(|l| match l.kind {
                LinkKind::Veth { peer } => Some(peer),
                _ => None,
            })
            .collect()
    }
}

/// A published port leads elsewhere.
fn translate(space: &Space, packet: &mut Packet) {
    let Some(protocol) = packet.protocol.filter(|_| !space.dnat.is_empty()) else { return };
    if !space.is_local(packet.to.ip()) {
        return;
    }
    let fits = |ip: IpAddr| ip == packet.to.ip() || (ip.is_unspecified() && ip.is_ipv4() == packet.to.is_ipv4());
    let rule = space.dnat.iter().find(|r| r.protocol == protocol && r.host_port == packet.to.port() && fits(r.host));
    if let Some(rule) = rule {
        // What the host sends to an address of its own comes from that address.
        if packet.from.is_none() && !packet.to.ip().is_loopback() {
            packet.from = Some(packet.to.ip());
        }
        packet.to = SocketAddr::new(rule.to, rule.port);
        packet.translated = true;
        // What the host itself sends leaves with an address of the network that it is led to.
        if packet.from.is_some_and(|ip| ip.is_loopback() || ip.is_ipv6() != rule.to.is_ipv6()) {
            packet.from = None;
        }
    }
}

fn loopback(to: SocketAddr) -> IpAddr {
    if to.is_ipv4() { IpAddr::from([127, 0, 0, 1]) } else { IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]) }
}

enum Forward {
    Pass,
    Masquerade,
    Drop,
}

/// The host's rules for what it passes on.
fn forward(inward: &LinkKind, from: u32, out: &LinkKind, to: u32, translated: bool) -> Forward {
    use Exit::{Closed, Masquerade, Open};
    match (inward, out) {
        (LinkKind::Bridge { .. }, LinkKind::Bridge { .. }) if from == to => Forward::Masquerade,
        (LinkKind::Bridge { exit: Open | Masquerade }, LinkKind::Bridge { exit: Open | Masquerade }) if translated => {
            Forward::Masquerade
        }
        (LinkKind::Bridge { .. }, LinkKind::Bridge { .. }) => Forward::Drop,
        (LinkKind::Bridge { exit: Masquerade }, _) => Forward::Masquerade,
        (LinkKind::Bridge { exit: Open }, _) => Forward::Pass,
        (LinkKind::Bridge { exit: Closed }, _) => Forward::Drop,
        (_, LinkKind::Bridge { exit: Open | Masquerade }) if translated => Forward::Pass,
        (_, LinkKind::Bridge { .. }) => Forward::Drop,
        _ => Forward::Pass,
    }
}
