//! The kernel's own language for links, addresses and routes, as far as containers need it.
//!
//! A message is a header, a fixed part and attributes (length, type, value, padded to four bytes); the
//! answer to each is an error number, 0 for done. Source: rtnetlink(7). Nothing here is a program to run.

use crate::sys;
use cutaway_core::network::{Rate, Subnet};
use cutaway_core::world::acts::{IpvlanFlag, IpvlanMode, MacvlanMode, Parent, Share};
use nix::Result;
use nix::errno::Errno;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const GET_LINK: u16 = 18;
const SET_LINK: u16 = 19;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
const NEW_ROUTE: u16 = 24;
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const DUMP: u16 = 0x300;
const CREATE: u16 = 0x400;
const EXCLUSIVE: u16 = 0x200;
const REPLACE: u16 = 0x100;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
/// The interface that this one is made from.
const IFLA_LINK: u16 = 5;
/// Of macvlan and ipvlan: the mode; of vlan: the mark. Each is the first of its kind's own.
const INFO_FIRST: u16 = 1;
const IFLA_IPVLAN_FLAGS: u16 = 2;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_STATS64: u16 = 23;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFLA_PROTINFO: u16 = 12;
const IFLA_BRPORT_ISOLATED: u16 = 33;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
/// Says of an attribute that it is made of attributes, where the kernel wants it said.
const NESTED: u16 = 0x8000;

const NEW_QDISC: u16 = 36;
const DELETE_QDISC: u16 = 37;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_TBF_PARMS: u16 = 1;
const TCA_TBF_RATE64: u16 = 4;
const TCA_TBF_BURST: u16 = 6;

/// A message that is being put together.
pub(super) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    fn new(kind: u16, flags: u16) -> Message {
        let mut bytes = vec![0; 16];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(REQUEST | flags).to_ne_bytes());
        Message { bytes }
    }

    /// One that asks for all there is of something.
    pub(super) fn dump(kind: u16) -> Message {
        Message::new(kind, DUMP)
    }

    /// One that has something done.
    pub(super) fn order(kind: u16) -> Message {
        Message::new(kind, ACK)
    }

    /// An attribute whose parts are there already.
    pub(super) fn nested(self, kind: u16, parts: &[u8]) -> Message {
        self.attribute(kind | NESTED, parts)
    }

    /// `struct ifinfomsg`.
    fn link(mut self, index: i32, flags: u32, change: u32) -> Message {
        self.bytes.extend([0; 4]);
        self.bytes.extend(index.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend(change.to_ne_bytes());
        self
    }

    pub(super) fn raw(mut self, bytes: &[u8]) -> Message {
        self.bytes.extend(bytes);
        self
    }

    fn attribute(mut self, kind: u16, value: &[u8]) -> Message {
        self.bytes.extend((value.len() as u16 + 4).to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
        self
    }

    fn name(self, kind: u16, name: &str) -> Message {
        let mut value = name.as_bytes().to_vec();
        value.push(0);
        self.attribute(kind, &value)
    }

    /// An attribute made of attributes.
    fn nest(mut self, kind: u16, fill: impl FnOnce(Message) -> Message) -> Message {
        let start = self.bytes.len();
        self.bytes.extend([0; 4]);
        self = fill(self);
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes[start + 2..start + 4].copy_from_slice(&kind.to_ne_bytes());
        self
    }
}

/// What is told of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    pub index: i32,
    pub name: String,
    pub received: u64,
    pub sent: u64,
}

/// A socket to the kernel's networking, in the network namespace that it was opened in.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    pub fn open() -> Result<Netlink> {
        Netlink::open_for(libc::NETLINK_ROUTE)
    }

    /// A socket to another part of the kernel's networking.
    pub(super) fn open_for(part: i32) -> Result<Netlink> {
        // SAFETY: no memory is handed over.
        let fd = Errno::result(unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, part) })?;
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(Netlink { socket: unsafe { OwnedFd::from_raw_fd(fd) }, sequence: 0 })
    }

    /// A socket in the network namespace of a process: a socket stays where it was opened.
    pub fn open_in(pid: i32) -> Result<Netlink> {
        super::inside(pid, Netlink::open)
    }

    /// Sends a message and gives the payloads of the answers.
    fn ask(&mut self, message: Message) -> Result<Vec<Vec<u8>>> {
        self.sequence += 1;
        let mut bytes = message.bytes;
        let length = bytes.len() as u32;
        bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        bytes[8..12].copy_from_slice(&self.sequence.to_ne_bytes());
        nix::sys::socket::send(self.socket.as_raw_fd(), &bytes, nix::sys::socket::MsgFlags::empty())?;
        let mut answers = Vec::new();
        let mut buffer = vec![0u8; 1 << 16];
        loop {
            let n = nix::unistd::read(&self.socket, &mut buffer)?;
            let mut rest = &buffer[..n];
            while rest.len() >= 16 {
                let length = u32::from_ne_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
                let kind = u16::from_ne_bytes([rest[4], rest[5]]);
                let flags = u16::from_ne_bytes([rest[6], rest[7]]);
                if length < 16 || length > rest.len() {
                    return Err(Errno::EPROTO);
                }
                let body = &rest[16..length];
                match kind {
                    2 => {
                        let code = body.get(..4).map_or(0, |b| i32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
                        return if code == 0 { Ok(answers) } else { Err(Errno::from_raw(-code)) };
                    }
                    3 => return Ok(answers),
                    _ => {
                        answers.push(body.to_vec());
                        // An answer that is neither one of many nor followed by an acknowledgement.
                        if flags & 2 == 0 && bytes[6] & ACK as u8 == 0 {
                            return Ok(answers);
                        }
                    }
                }
                rest = &rest[((length + 3) & !3).min(rest.len())..];
            }
        }
    }

    pub(super) fn dump(&mut self, message: Message) -> Result<Vec<Vec<u8>>> {
        self.ask(message)
    }

    pub(super) fn tell(&mut self, message: Message) -> Result<()> {
        self.ask(message).map(drop)
    }

    pub fn link(&mut self, name: &str) -> Result<Link> {
        let answers = self.ask(Message::new(GET_LINK, ACK).link(0, 0, 0).name(IFLA_IFNAME, name))?;
        answers.first().and_then(|a| read_link(a)).ok_or(Errno::ENODEV)
    }

    pub fn links(&mut self) -> Result<Vec<Link>> {
        Ok(self.ask(Message::new(GET_LINK, DUMP).link(0, 0, 0))?.iter().filter_map(|a| read_link(a)).collect())
    }

    pub fn add_bridge(&mut self, name: &str, mtu: u32) -> Result<()> {
        let mut message = Message::new(NEW_LINK, ACK | CREATE | EXCLUSIVE).link(0, 0, 0).name(IFLA_IFNAME, name);
        if mtu > 0 {
            message = message.attribute(IFLA_MTU, &mtu.to_ne_bytes());
        }
        self.ask(message.nest(IFLA_LINKINFO, |m| m.attribute(INFO_KIND, b"bridge"))).map(drop)
    }

    pub fn add_veth(&mut self, name: &str, peer: &str, mtu: u32) -> Result<()> {
        let sized = |m: Message| if mtu > 0 { m.attribute(IFLA_MTU, &mtu.to_ne_bytes()) } else { m };
        let message = sized(Message::new(NEW_LINK, ACK | CREATE | EXCLUSIVE).link(0, 0, 0).name(IFLA_IFNAME, name));
        let message = message.nest(IFLA_LINKINFO, |m| {
            m.attribute(INFO_KIND, b"veth")
                .nest(INFO_DATA, |m| m.nest(VETH_INFO_PEER, |m| sized(m.link(0, 0, 0).name(IFLA_IFNAME, peer))))
        });
        self.ask(message).map(drop)
    }

    /// An interface that leads nowhere, or the part of another's wire that has a mark; switched on.
    pub fn add_parent(&mut self, name: &str, make: &Parent) -> Result<()> {
        let message = Message::new(NEW_LINK, ACK | CREATE | EXCLUSIVE).link(0, 0, 0).name(IFLA_IFNAME, name);
        let message = match make {
            Parent::Dummy => message.nest(IFLA_LINKINFO, |m| m.attribute(INFO_KIND, b"dummy")),
            Parent::Vlan { on, id } => {
                let index = self.link(&on.0)?.index;
                let id = id.to_ne_bytes();
                message.attribute(IFLA_LINK, &index.to_ne_bytes()).nest(IFLA_LINKINFO, |m| {
                    m.attribute(INFO_KIND, b"vlan").nest(INFO_DATA, |m| m.attribute(INFO_FIRST, &id))
                })
            }
        };
        self.ask(message)?;
        self.set_up(name)
    }

    /// An interface that shares the wire of another.
    pub fn add_sub(&mut self, name: &str, parent: &str, share: Share) -> Result<()> {
        let index = self.link(parent)?.index;
        let message = Message::new(NEW_LINK, ACK | CREATE | EXCLUSIVE).link(0, 0, 0).name(IFLA_IFNAME, name);
        let message = message.attribute(IFLA_LINK, &index.to_ne_bytes()).nest(IFLA_LINKINFO, |m| {
            let m = m.attribute(INFO_KIND, share.words().0.as_bytes());
            m.nest(INFO_DATA, |m| match share {
                Share::Macvlan(mode) => m.attribute(INFO_FIRST, &macvlan_mode(mode).to_ne_bytes()),
                Share::Ipvlan(mode, flag) => {
                    let m = m.attribute(INFO_FIRST, &ipvlan_mode(mode).to_ne_bytes());
                    m.attribute(IFLA_IPVLAN_FLAGS, &ipvlan_flag(flag).to_ne_bytes())
                }
            })
        });
        self.ask(message).map(drop)
    }

    pub fn delete(&mut self, name: &str) -> Result<()> {
        let index = self.link(name)?.index;
        self.ask(Message::new(DELETE_LINK, ACK).link(index, 0, 0)).map(drop)
    }

    pub fn set_up(&mut self, name: &str) -> Result<()> {
        let index = self.link(name)?.index;
        let up = libc::IFF_UP as u32;
        self.ask(Message::new(NEW_LINK, ACK).link(index, up, up)).map(drop)
    }

    pub fn set_down(&mut self, name: &str) -> Result<()> {
        let index = self.link(name)?.index;
        self.ask(Message::new(NEW_LINK, ACK).link(index, 0, libc::IFF_UP as u32)).map(drop)
    }

    /// Plugs a link into a bridge and switches it on. Those that are isolated don't reach each other.
    pub fn attach(&mut self, name: &str, bridge: &str, isolated: bool) -> Result<()> {
        let master = self.link(bridge)?.index;
        let index = self.link(name)?.index;
        let up = libc::IFF_UP as u32;
        let message = Message::new(NEW_LINK, ACK).link(index, up, up);
        self.ask(message.attribute(IFLA_MASTER, &master.to_ne_bytes()))?;
        if isolated {
            let mut message = Message::new(SET_LINK, ACK).link(index, 0, 0);
            message.bytes[16] = libc::AF_BRIDGE as u8;
            let message = message.nest(IFLA_PROTINFO | NESTED, |m| m.attribute(IFLA_BRPORT_ISOLATED, &[1]));
            self.ask(message)?;
        }
        Ok(())
    }

    /// Moves a link into the network namespace of a process, under a new name.
    pub fn move_to(&mut self, name: &str, pid: i32, new_name: &str) -> Result<()> {
        let index = self.link(name)?.index;
        let path = format!("/proc/{pid}/ns/net");
        let namespace = sys::openat2(sys::cwd(), path.as_bytes(), libc::O_RDONLY, 0, 0)?;
        let message = Message::new(NEW_LINK, ACK).link(index, 0, 0).name(IFLA_IFNAME, new_name);
        self.ask(message.attribute(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes())).map(drop)
    }

    pub fn set_mac(&mut self, name: &str, mac: [u8; 6]) -> Result<()> {
        let index = self.link(name)?.index;
        self.ask(Message::new(NEW_LINK, ACK).link(index, 0, 0).attribute(IFLA_ADDRESS, &mac)).map(drop)
    }

    /// Whether an interface gives itself an address for its own wire (version 6 only).
    pub fn choose_own_address(&mut self, name: &str, on: bool) -> Result<()> {
        const MADE_OF_HARDWARE_ADDRESS: u8 = 0;
        const NONE: u8 = 1;
        let index = self.link(name)?.index;
        let mode = if on { MADE_OF_HARDWARE_ADDRESS } else { NONE };
        let message = Message::new(NEW_LINK, ACK)
            .link(index, 0, 0)
            .nest(IFLA_AF_SPEC, |m| m.nest(libc::AF_INET6 as u16, |m| m.attribute(IFLA_INET6_ADDR_GEN_MODE, &[mode])));
        self.ask(message).map(drop)
    }

    pub fn add_address(&mut self, name: &str, address: IpAddr, prefix: u8) -> Result<()> {
        const NO_CHECK_FOR_DUPLICATES: u8 = 2;
        let index = self.link(name)?.index;
        let (family, flags) = match address {
            IpAddr::V4(_) => (libc::AF_INET, 0),
            // We gave it out: nobody else has it, and it is of use at once.
            IpAddr::V6(_) => (libc::AF_INET6, NO_CHECK_FOR_DUPLICATES),
        };
        let mut fixed = vec![family as u8, prefix, flags, 0];
        fixed.extend(index.to_ne_bytes());
        let mut message = Message::new(NEW_ADDRESS, ACK | CREATE | REPLACE).raw(&fixed);
        message = message.attribute(2, &octets(address)).attribute(1, &octets(address));
        if address.is_ipv4() {
            message = message.attribute(4, &octets(Subnet::of(address, prefix).last()));
        }
        self.ask(message).map(drop)
    }

    /// The addresses of a link, or of all, with the lengths of their prefixes.
    pub fn addresses(&mut self, name: Option<&str>) -> Result<Vec<(IpAddr, u8)>> {
        let index = name.map(|name| self.link(name)).transpose()?.map(|link| link.index);
        let answers = self.ask(Message::new(GET_ADDRESS, DUMP).raw(&[0; 8]))?;
        let mine = |a: &&Vec<u8>| {
            a.len() >= 8 && index.is_none_or(|index| i32::from_ne_bytes([a[4], a[5], a[6], a[7]]) == index)
        };
        let address = |a: &Vec<u8>| {
            let all: Vec<(u16, IpAddr)> = attributes(&a[8..]).filter_map(|(k, v)| Some((k, address(v)?))).collect();
            // The local address; one of a cable from point to point is another than the first.
            let found = all.iter().find(|(kind, _)| *kind == 2).or_else(|| all.iter().find(|(kind, _)| *kind == 1));
            found.map(|(_, address)| (*address, a[1]))
        };
        Ok(answers.iter().filter(mine).filter_map(address).collect())
    }

    /// In place of the one for this version of addresses. With `on`, everything is behind that interface.
    pub fn set_default_route(&mut self, gateway: IpAddr, on: Option<&str>) -> Result<()> {
        const MAIN_TABLE: u8 = 254;
        const BY_ADMINISTRATOR: u8 = 4;
        const UNICAST: u8 = 1;
        const ON_THE_WIRE: u8 = 253;
        const RTA_OIF: u16 = 4;
        const RTA_GATEWAY: u16 = 5;
        let family = if gateway.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let scope = if on.is_some() && gateway.is_ipv4() { ON_THE_WIRE } else { 0 };
        let fixed = [family as u8, 0, 0, 0, MAIN_TABLE, BY_ADMINISTRATOR, scope, UNICAST, 0, 0, 0, 0];
        let message = Message::new(NEW_ROUTE, ACK | CREATE | REPLACE).raw(&fixed);
        let message = match on {
            None => message.attribute(RTA_GATEWAY, &octets(gateway)),
            Some(name) => message.attribute(RTA_OIF, &self.link(name)?.index.to_ne_bytes()),
        };
        self.ask(message).map(drop)
    }

    /// Lets a link send only so much in a second: a token bucket filter at its root (tc-tbf(8)). `None` takes it away.
    pub fn shape(&mut self, name: &str, rate: Option<Rate>) -> Result<()> {
        const AT_ROOT: u32 = u32::MAX;
        const HANDLE: u32 = 1 << 16;
        let index = self.link(name)?.index;
        let head = |message: Message, handle: u32| {
            let numbers = [index as u32, handle, AT_ROOT, 0];
            message.raw(&[0; 4]).raw(&numbers.map(u32::to_ne_bytes).concat())
        };
        let Some(rate) = rate else {
            return match self.ask(head(Message::new(DELETE_QDISC, ACK), 0)) {
                Ok(_) | Err(Errno::ENOENT | Errno::EINVAL) => Ok(()),
                Err(e) => Err(e),
            };
        };
        let (bytes, burst) = (rate.0 / 8, u32::try_from(rate.burst()).unwrap_or(u32::MAX));
        // As much as waits for two fifths of a second, but a whole packet before it is cut at least.
        let queue = u32::try_from((bytes * 2 / 5).max(1 << 16)).unwrap_or(u32::MAX);
        let message = head(Message::new(NEW_QDISC, ACK | CREATE | REPLACE), HANDLE).name(TCA_KIND, "tbf");
        let message = message.nest(TCA_OPTIONS, |m| {
            let m = m.attribute(TCA_TBF_PARMS, &bucket(bytes, queue)).attribute(TCA_TBF_BURST, &burst.to_ne_bytes());
            match bytes >= u64::from(u32::MAX) {
                true => m.attribute(TCA_TBF_RATE64, &bytes.to_ne_bytes()),
                false => m,
            }
        });
        self.ask(message).map(drop)
    }
}

/// `struct tc_tbf_qopt`: two rates, of which the second is not used, and the length of the queue. The burst has an
/// attribute of its own.
fn bucket(bytes: u64, queue: u32) -> Vec<u8> {
    const ETHERNET: u8 = 1;
    let mut out = vec![0, ETHERNET, 0, 0, 0, 0, 0, 0];
    out.extend(u32::try_from(bytes).unwrap_or(u32::MAX).to_ne_bytes());
    out.extend([0; 12]);
    out.extend(queue.to_ne_bytes());
    out.extend([0; 8]);
    out
}

/// `enum macvlan_mode`.
fn macvlan_mode(mode: MacvlanMode) -> u32 {
    match mode {
        MacvlanMode::Private => 1,
        MacvlanMode::Vepa => 2,
        MacvlanMode::Bridge => 4,
        MacvlanMode::Passthru => 8,
    }
}

/// `enum ipvlan_mode`.
fn ipvlan_mode(mode: IpvlanMode) -> u16 {
    match mode {
        IpvlanMode::L2 => 0,
        IpvlanMode::L3 => 1,
        IpvlanMode::L3s => 2,
    }
}

/// `IPVLAN_F_PRIVATE`, `IPVLAN_F_VEPA`.
fn ipvlan_flag(flag: IpvlanFlag) -> u16 {
    match flag {
        IpvlanFlag::Bridge => 0,
        IpvlanFlag::Private => 1,
        IpvlanFlag::Vepa => 2,
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// An address by its bytes; their number tells the version.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    four.or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

fn read_link(body: &[u8]) -> Option<Link> {
    let index = i32::from_ne_bytes(body.get(4..8)?.try_into().ok()?);
    let mut link = Link { index, ..Link::default() };
    for (kind, value) in attributes(body.get(16..)?) {
        let number =
            |at: usize| value.get(at * 8..at * 8 + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_ne_bytes);
        match kind {
            IFLA_IFNAME => link.name = String::from_utf8_lossy(value).trim_end_matches('\0').to_string(),
            IFLA_STATS64 => (link.received, link.sent) = (number(2), number(3)),
            _ => {}
        }
    }
    Some(link)
}

/// The attributes of a message's end.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = u16::from_ne_bytes([*bytes.first()?, *bytes.get(1)?]) as usize;
        let kind = u16::from_ne_bytes([*bytes.get(2)?, *bytes.get(3)?]) & 0x3fff;
        let value = bytes.get(4..length)?;
        bytes = bytes.get((length + 3) & !3..).unwrap_or(&[]);
        Some((kind, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_read_back() {
        let message = Message::new(1, 0).name(3, "lo").attribute(4, &[1, 2, 3, 4]);
        let found: Vec<(u16, Vec<u8>)> = attributes(&message.bytes[16..]).map(|(k, v)| (k, v.to_vec())).collect();
        assert_eq!(found, [(3, b"lo\0".to_vec()), (4, vec![1, 2, 3, 4])]);
        assert_eq!(message.bytes.len(), 16 + 8 + 8);
    }
}
