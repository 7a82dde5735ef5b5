//! Name service of a container: a socket at 127.0.0.11:53 inside its network namespace, answered by the
//! supervisor from the records; what they don't know is asked of the host's own name servers.
//!
//! Only what is needed of DNS: one question, A and PTR answers. Source: RFC 1035.

use crate::sys::{OrFault, errno_of};
use crate::world::LinuxWorld;
use cutaway_core::engine::names::{resolve, reverse};
use cutaway_core::world::Fault;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::net::UdpSocket;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const TYPE_A: u16 = 1;
const TYPE_PTR: u16 = 12;
const NAME_UNKNOWN: u8 = 3;
const SERVER_FAILED: u8 = 2;
/// How long the host's name servers are waited for.
const PATIENCE: Duration = Duration::from_secs(4);
const TIME_TO_LIVE: u32 = 600;

/// One question of a request.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    /// Lower case, without a dot at the end.
    name: String,
    kind: u16,
    /// Where it ends in the message.
    end: usize,
}

fn read_question(message: &[u8]) -> Option<Question> {
    let word = |at: usize| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
    // A request with one question.
    if word(2)? & 0xf800 != 0 || word(4)? != 1 {
        return None;
    }
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = *message.get(at)? as usize;
        at += 1;
        if length == 0 {
            break;
        }
        if length > 63 || labels.len() > 127 {
            return None;
        }
        labels.push(String::from_utf8_lossy(message.get(at..at + length)?).to_lowercase());
        at += length;
    }
    Some(Question { name: labels.join("."), kind: word(at)?, end: at + 4 })
}

/// The answer with these records' data, all of the question's kind.
fn answer(request: &[u8], question: &Question, code: u8, data: &[Vec<u8>]) -> Vec<u8> {
    let mut out = request[..question.end.min(request.len())].to_vec();
    // A response; recursion is available, and desired where the request said so.
    out[2] = 0x80 | request[2] & 0x01;
    out[3] = 0x80 | code;
    out[6..8].copy_from_slice(&(data.len() as u16).to_be_bytes());
    out[8..12].fill(0);
    for value in data {
        // The name is that of the question, at offset 12.
        out.extend([0xc0, 12]);
        out.extend(question.kind.to_be_bytes());
        out.extend([0, 1]);
        out.extend(TIME_TO_LIVE.to_be_bytes());
        out.extend((value.len() as u16).to_be_bytes());
        out.extend(value);
    }
    out
}

fn labels(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|l| !l.is_empty() && l.len() < 64) {
        out.push(label.len() as u8);
        out.extend(label.as_bytes());
    }
    out.push(0);
    out
}

/// The address of a name like `2.0.17.172.in-addr.arpa`.
fn reversed(name: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u8> =
        name.strip_suffix(".in-addr.arpa")?.split('.').map(|p| p.parse().ok()).collect::<Option<_>>()?;
    let [d, c, b, a] = parts[..] else { return None };
    Some(Ipv4Addr::new(a, b, c, d))
}

/// Opens the socket inside and answers until the container is released.
pub fn serve(world: &LinuxWorld, container: &str) -> Result<(), Fault> {
    let pid = world.pid_of(container)?;
    let what = "serve names at 127.0.0.11";
    let open = || {
        let mut links = super::Netlink::open()?;
        let _ = links.set_up("lo");
        let socket = std::net::UdpSocket::bind((ADDRESS, 53)).map_err(|e| errno_of(&e))?;
        socket.set_nonblocking(true).map_err(|e| errno_of(&e))?;
        Ok(socket)
    };
    let socket = super::inside(pid, open).or_fault(what)?;
    let socket = Rc::new(UdpSocket::from_std(socket).or_fault(what)?);
    let (weak, id) = (world.weak(), container.to_string());
    let task = tokio::task::spawn_local(async move {
        let mut buffer = vec![0; 4096];
        loop {
            let Ok((n, from)) = socket.recv_from(&mut buffer).await else { continue };
            let Some(world) = LinuxWorld::upgrade(&weak) else { return };
            let (request, socket, id) = (buffer[..n].to_vec(), socket.clone(), id.clone());
            tokio::task::spawn_local(async move {
                if let Some(reply) = reply(&world, &id, &request).await {
                    let _ = socket.send_to(&reply, from).await;
                }
            });
        }
    });
    if let Some(running) = world.running.borrow().get(container) {
        running.keep_task(task);
    }
    Ok(())
}

async fn reply(world: &LinuxWorld, container: &str, request: &[u8]) -> Option<Vec<u8>> {
    let question = read_question(request)?;
    if question.kind == TYPE_PTR
        && let Some(address) = reversed(&question.name)
        && let Ok(Some(name)) = reverse(world, container, address)
    {
        return Some(answer(request, &question, 0, &[labels(&name)]));
    }
    let known = addresses_of(world, container, &question.name);
    if !known.is_empty() {
        // A name that is known has no other records than its addresses.
        let data: Vec<Vec<u8>> =
            if question.kind == TYPE_A { known.iter().map(|a| a.octets().to_vec()).collect() } else { Vec::new() };
        return Some(answer(request, &question, 0, &data));
    }
    // A single word is a container's name or nothing: the host's servers are not asked for it.
    if !question.name.contains('.') {
        return Some(answer(request, &question, NAME_UNKNOWN, &[]));
    }
    match forward(request).await {
        Some(reply) => Some(reply),
        None => Some(answer(request, &question, SERVER_FAILED, &[])),
    }
}

/// Asks the host's name servers, one after the other.
async fn forward(request: &[u8]) -> Option<Vec<u8>> {
    let config = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = config.lines().filter_map(|l| l.trim().strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok());
    for server in servers {
        let any: SocketAddr = if server.is_ipv4() {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let Ok(socket) = UdpSocket::bind(any).await else { continue };
        if socket.connect((server, 53)).await.is_err() || socket.send(request).await.is_err() {
            continue;
        }
        let mut buffer = vec![0; 4096];
        if let Ok(Ok(n)) = tokio::time::timeout(PATIENCE, socket.recv(&mut buffer)).await
            && buffer.get(..2) == request.get(..2)
        {
            buffer.truncate(n);
            return Some(buffer);
        }
    }
    None
}

/// The addresses that the records know.
fn addresses_of(world: &LinuxWorld, container: &str, name: &str) -> Vec<Ipv4Addr> {
    let found = resolve(world, container, name).unwrap_or_default();
    let v4 = |address: IpAddr| match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    };
    found.into_iter().filter_map(v4).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str, kind: u16) -> Vec<u8> {
        let mut out = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        out.extend(labels(name));
        out.extend(kind.to_be_bytes());
        out.extend([0, 1]);
        out
    }

    #[test]
    fn questions_are_read_and_answered() {
        let request = request("Web.Example", TYPE_A);
        let question = read_question(&request).unwrap();
        assert_eq!((question.name.as_str(), question.kind), ("web.example", TYPE_A));
        let reply = answer(&request, &question, 0, &[vec![10, 0, 0, 2]]);
        assert_eq!(reply[..8], [0xab, 0xcd, 0x81, 0x80, 0, 1, 0, 1]);
        assert_eq!(reply[reply.len() - 6..], [0, 4, 10, 0, 0, 2]);
    }

    #[test]
    fn broken_questions_are_dropped() {
        for bytes in [&[][..], &[0; 11], &[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 63, 1], &[0, 0, 0x80, 0, 0, 1]] {
            assert_eq!(read_question(bytes), None);
        }
    }

    #[test]
    fn reverse_names() {
        assert_eq!(reversed("2.0.17.172.in-addr.arpa"), Some(Ipv4Addr::new(172, 17, 0, 2)));
        assert_eq!(reversed("2.0.17.in-addr.arpa"), None);
    }
}
