//! Forgetting the conversations that the kernel keeps of a published UDP port. There, nothing tells the end of one: what
//! a caller sends on would be led where it was led before, long after that container has gone. Source: the kernel's
//! include/uapi/linux/netfilter/nfnetlink_conntrack.h; Docker does the same.

use super::netlink::{Message, Netlink, attributes};
use nix::Result;
use std::net::{IpAddr, SocketAddr};

const GET: u16 = 1 << 8 | 1;
const DELETE: u16 = 1 << 8 | 2;
/// The two sides of a conversation, as it began and as answers come.
const AS_BEGUN: u16 = 1;
const AS_ANSWERED: u16 = 2;
const ADDRESSES: u16 = 1;
const PORTS: u16 = 2;
const UDP: u8 = 17;

/// Forgets the conversations that were led to this address by a port of the host. A kernel that keeps none, or tells
/// nobody, has nothing to forget.
pub fn forget(host_port: u16, to: SocketAddr) {
    let _ = find_and_delete(host_port, to);
}

fn find_and_delete(host_port: u16, to: SocketAddr) -> Result<()> {
    let mut socket = Netlink::open_for(libc::NETLINK_NETFILTER)?;
    let family = if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 } as u8;
    let head = [family, 0, 0, 0];
    for found in socket.dump(Message::dump(GET).raw(&head))? {
        let Some(begun) = begun(&found, host_port, to) else { continue };
        let _ = socket.tell(Message::order(DELETE).raw(&head).nested(AS_BEGUN, begun));
    }
    Ok(())
}

/// How a conversation began, if it is one of these.
fn begun(message: &[u8], host_port: u16, to: SocketAddr) -> Option<&[u8]> {
    let parts = message.get(4..)?;
    let part = |kind: u16| attributes(parts).find(|(k, _)| *k == kind).map(|(_, value)| value);
    let (begun, answered) = (part(AS_BEGUN)?, part(AS_ANSWERED)?);
    let port = |side: &[u8], kind: u16| -> Option<u16> {
        let (_, ports) = attributes(side).find(|(k, _)| *k == PORTS)?;
        let is_udp = attributes(ports).any(|(k, value)| k == 1 && value == [UDP]);
        let (_, value) = attributes(ports).find(|(k, _)| *k == kind)?;
        is_udp.then(|| u16::from_be_bytes([value[0], *value.get(1).unwrap_or(&0)]))
    };
    // What began at the host's port is answered from the container's.
    let (_, addresses) = attributes(answered).find(|(k, _)| *k == ADDRESSES)?;
    let from = attributes(addresses).find_map(|(kind, value)| match kind {
        1 => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
        3 => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
        _ => None,
    });
    let fits = port(begun, 3)? == host_port && port(answered, 2)? == to.port() && from? == to.ip();
    fits.then_some(begun)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = (value.len() as u16 + 4).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn side(from: [u8; 4], protocol: u8, source: u16, destination: u16) -> Vec<u8> {
        let ports =
            [attribute(1, &[protocol]), attribute(2, &source.to_be_bytes()), attribute(3, &destination.to_be_bytes())];
        [attribute(0x8000 | ADDRESSES, &attribute(1, &from)), attribute(0x8000 | PORTS, &ports.concat())].concat()
    }

    #[test]
    fn only_what_was_led_there_is_forgotten() {
        let to: SocketAddr = "172.17.0.2:53".parse().unwrap();
        for (protocol, host_port, from, port, expected) in [
            (UDP, 9000, [172, 17, 0, 2], 53, true),
            (6, 9000, [172, 17, 0, 2], 53, false),
            (UDP, 9001, [172, 17, 0, 2], 53, false),
            (UDP, 9000, [172, 17, 0, 3], 53, false),
            (UDP, 9000, [172, 17, 0, 2], 54, false),
        ] {
            let first = side([10, 9, 0, 2], protocol, 7777, host_port);
            let second = side(from, protocol, port, 7777);
            let message = [vec![2, 0, 0, 0], attribute(AS_BEGUN, &first), attribute(AS_ANSWERED, &second)].concat();
            assert_eq!(begun(&message, 9000, to).is_some(), expected, "{protocol} {host_port} {from:?} {port}");
            assert_eq!(begun(&message[..message.len() / 2], 9000, to), None);
        }
    }
}
