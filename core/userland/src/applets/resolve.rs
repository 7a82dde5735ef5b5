//! Names to addresses: `/etc/hosts`, then a question to the name server of `/etc/resolv.conf`.

use super::Tool;
use crate::errno::Errno;
use crate::os::{Address, Os, SocketKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// What a name server says to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Addresses(Vec<IpAddr>),
    Name(String),
    /// The response code: 3 is "no such name".
    Refused(u8),
}

/// The kinds of record that are asked for.
pub const A: u16 = 1;
pub const PTR: u16 = 12;
pub const AAAA: u16 = 28;

/// The question for `name`, as RFC 1035, section 4, lays it out.
pub fn question(id: u16, name: &str, kind: u16) -> Option<Vec<u8>> {
    let mut packet = Vec::new();
    packet.extend_from_slice(&id.to_be_bytes());
    packet.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        if label.is_empty() || label.len() > 63 {
            return None;
        }
        packet.push(label.len() as u8);
        packet.extend_from_slice(label.as_bytes());
    }
    packet.push(0);
    packet.extend_from_slice(&kind.to_be_bytes());
    packet.extend_from_slice(&[0, 1]);
    (packet.len() <= 300).then_some(packet)
}

/// A name at `at`, following pointers (only backwards), and where it ends.
fn name_at(packet: &[u8], mut at: usize) -> Option<(String, usize)> {
    let (mut labels, mut end, mut jumps) = (Vec::new(), None, 0);
    loop {
        let length = usize::from(*packet.get(at)?);
        if length & 0xc0 == 0xc0 {
            end = end.or(Some(at + 2));
            at = (length & 0x3f) << 8 | usize::from(*packet.get(at + 1)?);
            jumps += 1;
            if jumps > 20 {
                return None;
            }
        } else if length == 0 {
            return Some((labels.join("."), end.unwrap_or(at + 1)));
        } else {
            labels.push(String::from_utf8_lossy(packet.get(at + 1..at + 1 + length)?).into_owned());
            at += 1 + length;
        }
    }
}

/// Reads the answer to the question with this id. `None` for another packet or a broken one.
pub fn answer(packet: &[u8], id: u16) -> Option<Answer> {
    let number = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
    if number(0)? != id || packet.get(2)? & 0x80 == 0 {
        return None;
    }
    let code = packet.get(3)? & 15;
    if code != 0 {
        return Some(Answer::Refused(code));
    }
    let mut at = 12;
    for _ in 0..number(4)? {
        at = name_at(packet, at)?.1 + 4;
    }
    let mut found = Vec::new();
    for _ in 0..number(6)? {
        at = name_at(packet, at)?.1;
        let (kind, length) = (number(at)?, usize::from(number(at + 8)?));
        let data = packet.get(at + 10..at + 10 + length)?;
        match (kind, length) {
            (A, 4) => found.push(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?))),
            (AAAA, 16) => found.push(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?))),
            (PTR, _) => return Some(Answer::Name(name_at(packet, at + 10)?.0)),
            _ => {}
        }
        at += 10 + length;
    }
    Some(Answer::Addresses(found))
}

/// The servers and the search domains of `/etc/resolv.conf`.
pub async fn servers<O: Os>(t: &Tool<O>) -> (Vec<IpAddr>, Vec<String>) {
    let text = t.text("/etc/resolv.conf").await;
    let (mut servers, mut domains) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => servers.extend(words.next().and_then(|w| w.parse::<IpAddr>().ok())),
            Some("search" | "domain") => domains = words.map(str::to_string).collect(),
            _ => {}
        }
    }
    (servers, domains)
}

/// Asks one server, three times at most.
pub async fn ask<O: Os>(t: &Tool<O>, server: SocketAddr, name: &str, kind: u16) -> Result<Answer, Errno> {
    let id = t.os.random(2).iter().fold(0u16, |n, b| n << 8 | u16::from(*b));
    let packet = question(id, name, kind).ok_or(Errno::EINVAL)?;
    let fd = t.os.socket(SocketKind::Udp)?;
    let mut outcome = Err(Errno::ETIMEDOUT);
    'tries: for _ in 0..3 {
        if let Err(e) = t.os.send_to(fd, &packet, &Address::Inet(server)).await {
            outcome = Err(e);
            break;
        }
        loop {
            match t.os.receive_from(fd, 4096, Some(Duration::from_secs(2))).await {
                Ok((bytes, _)) => {
                    if let Some(found) = answer(&bytes, id) {
                        // Cut short: the whole answer comes over a connection.
                        let cut = bytes.get(2).is_some_and(|flags| flags & 2 != 0);
                        let whole = if cut { ask_stream(t, server, &packet, id).await } else { None };
                        outcome = Ok(whole.unwrap_or(found));
                        break 'tries;
                    }
                }
                Err(Errno::EAGAIN) => break,
                Err(e) => {
                    outcome = Err(e);
                    break 'tries;
                }
            }
        }
    }
    t.close(fd);
    outcome
}

/// Asks over a connection, where messages have their length before them. Source: RFC 1035, section 4.2.2.
async fn ask_stream<O: Os>(t: &Tool<O>, server: SocketAddr, packet: &[u8], id: u16) -> Option<Answer> {
    let fd = t.os.socket(SocketKind::Tcp).ok()?;
    let exchange = async {
        t.os.connect(fd, &Address::Inet(server)).await.ok()?;
        let mut framed = (packet.len() as u16).to_be_bytes().to_vec();
        framed.extend_from_slice(packet);
        t.write_all(fd, &framed).await.ok()?;
        let mut heard = Vec::new();
        loop {
            let chunk = t.read(fd).await.ok().filter(|chunk| !chunk.is_empty())?;
            heard.extend_from_slice(&chunk);
            let length = heard.get(..2).map(|l| usize::from(u16::from_be_bytes([l[0], l[1]])));
            if let Some(message) = length.and_then(|n| heard.get(2..2 + n)) {
                return answer(message, id);
            }
        }
    };
    let found = exchange.await;
    t.close(fd);
    found
}

/// The name under which the name of an address is asked for.
pub fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let digits = format!("{:032x}", u128::from(v6));
            digits.chars().rev().map(|digit| format!("{digit}.")).collect::<String>() + "ip6.arpa"
        }
    }
}

/// The addresses of a name in `/etc/hosts`.
pub async fn from_hosts<O: Os>(t: &Tool<O>, name: &str, kinds: &[u16]) -> Option<IpAddr> {
    let text = t.text("/etc/hosts").await;
    let mut found = text.lines().filter_map(|line| {
        let mut words = line.split('#').next().unwrap_or("").split_whitespace();
        let address: IpAddr = words.next()?.parse().ok()?;
        words.any(|w| w.eq_ignore_ascii_case(name)).then_some(address)
    });
    let of_kind = |ip: &IpAddr| kinds.contains(if ip.is_ipv4() { &A } else { &AAAA });
    let first = found.by_ref().find(of_kind)?;
    // IPv4 goes first: all networks here speak it.
    Some(std::iter::once(first).chain(found.filter(of_kind)).find(IpAddr::is_ipv4).unwrap_or(first))
}

/// The address of a name, or of an address as it is written.
pub async fn resolve<O: Os>(t: &Tool<O>, name: &str) -> Option<IpAddr> {
    resolve_as(t, name, &[A, AAAA]).await
}

/// The same, of certain kinds only, the first goes first.
pub async fn resolve_as<O: Os>(t: &Tool<O>, name: &str, kinds: &[u16]) -> Option<IpAddr> {
    if let Ok(address) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
        return kinds.contains(if address.is_ipv4() { &A } else { &AAAA }).then_some(address);
    }
    if let Some(address) = from_hosts(t, name, kinds).await {
        return Some(address);
    }
    if name.is_empty() {
        return None;
    }
    let (servers, domains) = servers(t).await;
    let mut names = vec![name.to_string()];
    if !name.ends_with('.') {
        names.extend(domains.iter().map(|d| format!("{name}.{d}")));
    }
    for server in servers {
        for name in &names {
            for kind in kinds {
                match ask(t, SocketAddr::new(server, 53), name, *kind).await {
                    Ok(Answer::Addresses(found)) if !found.is_empty() => return Some(found[0]),
                    Ok(Answer::Refused(_)) | Err(_) => break,
                    Ok(_) => {}
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_answers() {
        let asked = question(7, "web", A).unwrap();
        assert_eq!(asked, b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03web\x00\x00\x01\x00\x01");
        let mut told = asked.clone();
        told[2] = 0x81;
        told[7] = 1;
        told.extend_from_slice(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x02");
        assert_eq!(answer(&told, 7), Some(Answer::Addresses(vec!["10.0.0.2".parse().unwrap()])));
        assert_eq!(answer(&told, 8), None);
        told[3] = 3;
        assert_eq!(answer(&told, 7), Some(Answer::Refused(3)));
        // A name that points at itself is refused, not followed for ever.
        assert_eq!(name_at(b"\xc0\x00", 0), None);
        assert!(question(1, "a..b", A).is_none());
        assert_eq!(reverse("10.0.0.2".parse().unwrap()), "2.0.0.10.in-addr.arpa");
        assert!(reverse("fd00::2".parse().unwrap()).starts_with("2.0.0.0.0."));
        assert!(reverse("fd00::2".parse().unwrap()).ends_with(".0.0.d.f.ip6.arpa"));
    }
}
