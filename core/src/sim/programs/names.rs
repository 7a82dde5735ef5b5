//! Finding an address for a name, as the C library does: the hosts file first, then the name server.

use cutaway_userland::os::{Address, Os, SocketKind};
use cutaway_userland::{io, os};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How long to wait for a name server.
const PATIENCE: Duration = Duration::from_secs(5);

/// The first IPv4 address of a name; `None` where nobody knows one.
pub async fn resolve<O: Os>(os: &O, name: &str) -> Option<IpAddr> {
    if let Ok(ip) = name.trim_matches(['[', ']']).parse() {
        return Some(ip);
    }
    let hosts = io::read_file(os, "/etc/hosts").await.unwrap_or_default();
    for line in String::from_utf8_lossy(&hosts).lines() {
        let mut words = line.split('#').next().unwrap_or("").split_whitespace();
        let ip = words.next().and_then(|ip| ip.parse::<Ipv4Addr>().ok());
        if let (Some(ip), true) = (ip, words.any(|w| w == name)) {
            return Some(IpAddr::V4(ip));
        }
    }
    if name == "localhost" {
        return Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let config = io::read_file(os, "/etc/resolv.conf").await.unwrap_or_default();
    let config = String::from_utf8_lossy(&config).into_owned();
    let servers = config.lines().filter_map(|l| l.strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok());
    for server in servers {
        if let Ok(found) = ask(os, server, name).await {
            return found;
        }
    }
    None
}

/// Asks one server for the address (type A). `Ok(None)` is its word that there is none.
async fn ask<O: Os>(os: &O, server: IpAddr, name: &str) -> os::Result<Option<IpAddr>> {
    let fd = os.socket(SocketKind::Udp)?;
    let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.') {
        question.push(label.len().min(63) as u8);
        question.extend(label.bytes().take(63));
    }
    question.extend([0, 0, 1, 0, 1]);
    let to = Address::Inet(SocketAddr::new(server, 53));
    let answer = match os.send_to(fd, &question, &to).await {
        Ok(_) => os.receive_from(fd, 1500, Some(PATIENCE)).await,
        Err(errno) => Err(errno),
    };
    let _ = os.close(fd);
    let (bytes, _) = answer?;
    Ok(first_address(&bytes))
}

/// The first A record of an answer. Source: RFC 1035, section 4.
fn first_address(bytes: &[u8]) -> Option<IpAddr> {
    let number = |at: usize| Some(usize::from(*bytes.get(at)?) << 8 | usize::from(*bytes.get(at + 1)?));
    let (questions, answers) = (number(4)?, number(6)?);
    let mut at = 12;
    for _ in 0..questions {
        at = skip_name(bytes, at)? + 4;
    }
    for _ in 0..answers {
        at = skip_name(bytes, at)?;
        let (kind, length) = (number(at)?, number(at + 8)?);
        let data = bytes.get(at + 10..at + 10 + length)?;
        if let (1, [a, b, c, d]) = (kind, data) {
            return Some(IpAddr::V4(Ipv4Addr::new(*a, *b, *c, *d)));
        }
        at += 10 + length;
    }
    None
}

fn skip_name(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            n if n & 0xc0 == 0xc0 => return Some(at + 2),
            n => at += usize::from(n) + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let mut bytes = vec![0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1];
        bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 1, 2, 3]);
        assert_eq!(first_address(&bytes), Some(IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3))));
        for end in 0..bytes.len() {
            assert_eq!(first_address(&bytes[..end]), None, "{end}");
        }
    }
}
