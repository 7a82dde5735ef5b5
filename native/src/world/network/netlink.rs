//! The kernel's own language for links, addresses and routes, as far as containers need it.
//!
//! A message is a header, a fixed part and attributes (length, type, value, padded to four bytes); the
//! answer to each is an error number, 0 for done. Source: rtnetlink(7). Nothing here is a program to run.

use crate::sys;
use nix::Result;
use nix::errno::Errno;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const GET_LINK: u16 = 18;
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
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_STATS64: u16 = 23;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;

/// A message that is being put together.
struct Message {
    bytes: Vec<u8>,
}

impl Message {
    fn new(kind: u16, flags: u16) -> Message {
        let mut bytes = vec![0; 16];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(REQUEST | flags).to_ne_bytes());
        Message { bytes }
    }

    /// `struct ifinfomsg`.
    fn link(mut self, index: i32, flags: u32, change: u32) -> Message {
        self.bytes.extend([0; 4]);
        self.bytes.extend(index.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend(change.to_ne_bytes());
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Message {
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
        // SAFETY: no memory is handed over.
        let fd = Errno::result(unsafe {
            libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE)
        })?;
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

    pub fn add_veth(&mut self, name: &str, peer: &str) -> Result<()> {
        let message = Message::new(NEW_LINK, ACK | CREATE | EXCLUSIVE).link(0, 0, 0).name(IFLA_IFNAME, name);
        let message = message.nest(IFLA_LINKINFO, |m| {
            m.attribute(INFO_KIND, b"veth")
                .nest(INFO_DATA, |m| m.nest(VETH_INFO_PEER, |m| m.link(0, 0, 0).name(IFLA_IFNAME, peer)))
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

    /// Plugs a link into a bridge and switches it on.
    pub fn attach(&mut self, name: &str, bridge: &str) -> Result<()> {
        let master = self.link(bridge)?.index;
        let index = self.link(name)?.index;
        let up = libc::IFF_UP as u32;
        let message = Message::new(NEW_LINK, ACK).link(index, up, up);
        self.ask(message.attribute(IFLA_MASTER, &master.to_ne_bytes())).map(drop)
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

    pub fn add_address(&mut self, name: &str, address: Ipv4Addr, prefix: u8) -> Result<()> {
        let index = self.link(name)?.index;
        let mut fixed = vec![libc::AF_INET as u8, prefix, 0, 0];
        fixed.extend(index.to_ne_bytes());
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        let broadcast = Ipv4Addr::from(u32::from(address) | !mask);
        let message = Message::new(NEW_ADDRESS, ACK | CREATE | REPLACE).raw(&fixed);
        let message = message.attribute(2, &address.octets()).attribute(1, &address.octets());
        self.ask(message.attribute(4, &broadcast.octets())).map(drop)
    }

    /// Whether a link has this address.
    pub fn has_address(&mut self, name: &str, address: Ipv4Addr, prefix: u8) -> Result<bool> {
        let index = self.link(name)?.index;
        let answers = self.ask(Message::new(GET_ADDRESS, DUMP).raw(&[libc::AF_INET as u8, 0, 0, 0, 0, 0, 0, 0]))?;
        Ok(answers.iter().any(|a| {
            a.len() >= 8
                && i32::from_ne_bytes([a[4], a[5], a[6], a[7]]) == index
                && a[1] == prefix
                && attributes(&a[8..]).any(|(kind, value)| kind == 2 && value == address.octets())
        }))
    }

    pub fn add_default_route(&mut self, gateway: Ipv4Addr) -> Result<()> {
        const MAIN_TABLE: u8 = 254;
        const BY_ADMINISTRATOR: u8 = 4;
        const UNICAST: u8 = 1;
        let fixed = [libc::AF_INET as u8, 0, 0, 0, MAIN_TABLE, BY_ADMINISTRATOR, 0, UNICAST, 0, 0, 0, 0];
        let message = Message::new(NEW_ROUTE, ACK | CREATE | REPLACE).raw(&fixed);
        self.ask(message.attribute(5, &gateway.octets())).map(drop)
    }
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
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
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
