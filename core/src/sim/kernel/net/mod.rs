//! Networks: namespaces with interfaces and routes, bridges, virtual cables, address translation, sockets.
//! The functions that configure them are methods of [`Machine`](super::Machine).

mod link;
mod route;
mod shape;
pub(crate) mod socket;

use crate::network::Subnet;
use crate::network::dns::{self, Answer, Question};
use crate::world::acts::Protocol;
use cutaway_userland::Errno;
use cutaway_userland::os::{Interface, Result, Route, SocketKind};
use cutaway_userland::sorted::Arrange;
use cutaway_userland::sorted::Map as BTreeMap;
pub use link::Exit;
pub(crate) use link::{Link, LinkKind};
pub(crate) use route::{Hop, Verdict};
use socket::Socket;
use std::net::{IpAddr, SocketAddr};
use std::rc::{Rc, Weak};

/// A network namespace, kept alive by this handle and by the processes in it.
#[derive(Clone, Debug)]
pub struct NetNsId(pub(crate) Rc<u64>);

/// A published port of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnatRule {
    /// `0.0.0.0` or `::` is every address of the host.
    pub host: IpAddr,
    pub host_port: u16,
    pub protocol: Protocol,
    pub to: IpAddr,
    pub port: u16,
}

/// Answers a question. Called with the kernel at rest, so it may use the machine.
pub type Resolver = Rc<dyn Fn(&Question) -> Answer>;

/// The number of the first machine's own network namespace, as Linux has it.
pub(crate) const FIRST: u64 = 4_026_531_840;

/// One network namespace.
pub(crate) struct Space {
    pub handle: NetNsId,
    /// Whether it is a machine's own: it stays, whoever is in it.
    pub of_machine: bool,
    pub links: BTreeMap<u32, Link>,
    /// Ports that lead elsewhere.
    pub dnat: Vec<DnatRule>,
    /// Gateways of default routes.
    pub gateways: Vec<IpAddr>,
    /// Interfaces that everything is behind, each with the unspecified address of its version.
    pub behind: Vec<(IpAddr, u32)>,
    pub sysctls: BTreeMap<String, String>,
    pub resolvers: BTreeMap<IpAddr, Resolver>,
    pub sockets: Vec<Weak<Socket>>,
    next_port: u16,
}

/// A message to a name server, to be answered when the kernel is at rest.
pub(crate) struct Query {
    resolver: Resolver,
    bytes: Vec<u8>,
    from: Weak<Socket>,
    /// Whom the answer comes from; none in a stream.
    server: Option<SocketAddr>,
}

impl Query {
    /// Asks the server and hands its answer over.
    pub fn settle(self) {
        let Some(question) = dns::question(&self.bytes) else { return };
        let says = (self.resolver)(&question);
        let reply = dns::answer(&self.bytes, &question, &says, self.server.is_none());
        if let Some(socket) = self.from.upgrade() {
            match self.server {
                Some(server) => socket.push(reply, server),
                None => socket.push_stream(&dns::frame(&reply)),
            }
        }
    }
}

/// Where an answer to a translated datagram goes, and whom it seems to come from.
#[derive(Clone)]
pub(crate) struct Flow {
    pub to: Weak<Socket>,
    pub seen_from: SocketAddr,
}

/// All namespaces of all machines at one site, and the cables between them.
#[derive(Default)]
pub(crate) struct Net {
    pub spaces: BTreeMap<u64, Space>,
    /// By namespace, local port and the other side as it was seen.
    pub flows: BTreeMap<(u64, u16, SocketAddr), Flow>,
    pub questions: Vec<Query>,
    /// Listening Unix sockets, by file system and node.
    pub unix: BTreeMap<(u64, u64), Weak<Socket>>,
    /// Whether some interface ever held something back: until then nobody has to ask.
    pub shapes: bool,
    next_index: u32,
}

impl Net {
    pub fn new() -> Net {
        Net { next_index: 2, ..Net::default() }
    }

    /// A machine's own namespace: its loopback is up, and it passes packets on.
    pub fn add_machine(&mut self, number: u64) -> NetNsId {
        let handle = self.add_space(number);
        if let Some(host) = self.spaces.get_mut(&number) {
            host.of_machine = true;
            host.sysctls.insert("net/ipv4/ip_forward".into(), "1".into());
            host.sysctls.insert("net/ipv6/conf/all/forwarding".into(), "1".into());
            host.sysctls.insert("net/ipv4/ping_group_range".into(), "0\t2147483647".into());
            if let Some(lo) = host.links.get_mut(&1) {
                lo.switch(true);
            }
        }
        handle
    }

    /// An empty namespace with this number.
    pub fn add_space(&mut self, number: u64) -> NetNsId {
        let handle = NetNsId(Rc::new(number));
        let space = Space {
            handle: handle.clone(),
            of_machine: false,
            links: BTreeMap::from([(1, Link::loopback())]),
            dnat: Vec::new(),
            gateways: Vec::new(),
            behind: Vec::new(),
            sysctls: BTreeMap::new(),
            resolvers: BTreeMap::new(),
            sockets: Vec::new(),
            next_port: 32_767,
        };
        self.spaces.insert(number, space);
        handle
    }

    /// Removes namespaces that nothing holds any more, with the cables that end in them.
    pub fn collect(&mut self) {
        let dead: Vec<u64> = self
            .spaces
            .iter()
            .filter(|(_, space)| !space.of_machine && Rc::strong_count(&space.handle.0) == 1)
            .map(|(number, _)| *number)
            .collect();
        for number in dead {
            let Some(space) = self.spaces.remove(&number) else { continue };
            for link in space.links.values() {
                if let LinkKind::Veth { peer: (ns, index) } = link.kind
                    && let Some(other) = self.spaces.get_mut(&ns)
                {
                    other.links.remove(&index);
                }
            }
        }
    }

    pub fn space(&self, ns: &NetNsId) -> Result<&Space> {
        self.spaces.get(&*ns.0).ok_or(Errno::ENODEV)
    }

    pub fn space_mut(&mut self, ns: &NetNsId) -> Result<&mut Space> {
        self.spaces.get_mut(&*ns.0).ok_or(Errno::ENODEV)
    }

    pub fn sysctl(&self, ns: &NetNsId, path: &str) -> Option<String> {
        self.space(ns).ok()?.sysctls.get(path).cloned()
    }

    pub fn set_sysctl(&mut self, ns: &NetNsId, path: &str, value: &str) {
        if let Ok(space) = self.space_mut(ns) {
            space.sysctls.insert(path.to_string(), value.to_string());
        }
    }

    pub fn interfaces(&self, ns: &NetNsId) -> Vec<Interface> {
        let Ok(space) = self.space(ns) else { return Vec::new() };
        space.links.values().map(Link::interface).collect()
    }

    /// The default routes, then those that addresses bring, as `ip route` lists them.
    pub fn routes(&self, ns: &NetNsId) -> Vec<Route> {
        let Ok(space) = self.space(ns) else { return Vec::new() };
        let mut routes = Vec::new();
        for gateway in &space.gateways {
            if let Some((link, _)) = space.connected(*gateway) {
                routes.push(Route {
                    destination: link::unspecified(*gateway),
                    prefix: 0,
                    gateway: Some(*gateway),
                    device: link.name.clone(),
                    source: None,
                });
            }
        }
        for (any, index) in &space.behind {
            if let Some(link) = space.links.get(index) {
                let device = link.name.clone();
                routes.push(Route { destination: *any, prefix: 0, gateway: None, device, source: None });
            }
        }
        let mut connected = Vec::new();
        for link in space.links.values().filter(|l| l.up && !matches!(l.kind, LinkKind::Loopback)) {
            for (address, prefix) in &link.addresses {
                connected.push(Route {
                    destination: Subnet::of(*address, *prefix).address,
                    prefix: *prefix,
                    gateway: None,
                    device: link.name.clone(),
                    source: Some(*address),
                });
            }
        }
        connected.arrange_by_key(|r| r.destination);
        routes.extend(connected);
        routes
    }

    /// Sockets of a kind for /proc/net: local and remote address, and whether it listens.
    pub fn sockets(&self, ns: &NetNsId, kind: SocketKind) -> Vec<(SocketAddr, SocketAddr, bool)> {
        let Ok(space) = self.space(ns) else { return Vec::new() };
        let live = space.sockets.iter().filter_map(Weak::upgrade).filter(|s| s.kind == kind);
        live.filter_map(|s| s.summary()).collect()
    }

    /// Counts a packet on every interface that it passes.
    pub fn count(&mut self, hops: &[Hop], bytes: u64, back: bool) {
        for hop in hops {
            let Some(link) = self.spaces.get_mut(&hop.ns).and_then(|s| s.links.get_mut(&hop.link)) else { continue };
            if hop.sends != back {
                link.tx_bytes += bytes;
                link.tx_packets += 1;
            } else {
                link.rx_bytes += bytes;
                link.rx_packets += 1;
            }
        }
    }
}

impl Space {
    pub fn is_local(&self, ip: IpAddr) -> bool {
        ip.is_loopback() && self.links.get(&1).is_some_and(|lo| lo.up) || self.links.values().any(|l| l.up && l.has(ip))
    }

    /// The interface whose network an address is in, with its own address there.
    pub fn connected(&self, ip: IpAddr) -> Option<(&Link, IpAddr)> {
        let mut best: Option<(&Link, IpAddr, u8)> = None;
        for link in self.links.values().filter(|l| l.up) {
            for (own, prefix) in &link.addresses {
                if Subnet::of(*own, *prefix).contains(ip) && best.is_none_or(|(_, _, p)| *prefix > p) {
                    best = Some((link, *own, *prefix));
                }
            }
        }
        best.map(|(link, own, _)| (link, own))
    }

    /// The interface for an address, the next hop, and the own address to use.
    pub fn route(&self, ip: IpAddr) -> Option<(&Link, IpAddr, IpAddr)> {
        if let Some((link, own)) = self.connected(ip) {
            return Some((link, ip, own));
        }
        let ways = self.gateways.iter().filter(|gateway| gateway.is_ipv6() == ip.is_ipv6());
        let way = ways.copied().find_map(|hop| self.connected(hop).map(|(link, own)| (link, hop, own)));
        way.or_else(|| {
            let (_, index) = self.behind.iter().find(|(any, _)| any.is_ipv6() == ip.is_ipv6())?;
            let link = self.links.get(index).filter(|link| link.up)?;
            let own = link.addresses.iter().find(|(own, _)| own.is_ipv6() == ip.is_ipv6());
            own.map(|(own, _)| (link, ip, *own))
        })
    }

    pub fn find_link(&self, name: &str) -> Result<&Link> {
        self.links.values().find(|l| l.name == name).ok_or(Errno::ENODEV)
    }

    pub fn find_link_mut(&mut self, name: &str) -> Result<&mut Link> {
        self.links.values_mut().find(|l| l.name == name).ok_or(Errno::ENODEV)
    }

    pub fn forwards(&self, ip: IpAddr) -> bool {
        let path = if ip.is_ipv4() { "net/ipv4/ip_forward" } else { "net/ipv6/conf/all/forwarding" };
        self.sysctls.get(path).is_some_and(|v| v != "0")
    }

    /// A free port for a socket that did not ask for one.
    pub fn free_port(&mut self, kind: SocketKind) -> u16 {
        loop {
            self.next_port = if self.next_port >= 60_999 { 32_768 } else { self.next_port + 1 };
            let port = self.next_port;
            if !self.bound(kind, port) {
                return port;
            }
        }
    }

    /// Sockets of a kind that hold a port.
    pub fn bound(&self, kind: SocketKind, port: u16) -> bool {
        self.sockets.iter().filter_map(Weak::upgrade).any(|s| s.kind == kind && s.bound_port() == Some(port))
    }

    /// The socket that takes what comes for an address.
    pub fn receiver(&self, kind: SocketKind, to: SocketAddr) -> Option<Rc<Socket>> {
        let live = self.sockets.iter().filter_map(Weak::upgrade).filter(|s| s.kind == kind && s.takes(to));
        // One that is bound to the very address goes before one that takes any.
        live.max_by_key(|s| s.bound().is_some_and(|a| a.ip() == to.ip()))
    }

    pub fn add_socket(&mut self, socket: &Rc<Socket>) {
        self.sockets.retain(|s| s.strong_count() > 0);
        if !self.sockets.iter().any(|s| s.ptr_eq(&Rc::downgrade(socket))) {
            self.sockets.push(Rc::downgrade(socket));
        }
    }
}
