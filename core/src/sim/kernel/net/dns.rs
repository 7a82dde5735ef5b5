//! Name questions on the wire: reads a query, writes the answer. Source: RFC 1035, sections 4.1 and 3.3.

use super::{Answer, Resolver};
use std::net::IpAddr;

const A: u16 = 1;
const PTR: u16 = 12;
const AAAA: u16 = 28;

/// Answers a query; `None` for what is no query.
pub(crate) fn answer(query: &[u8], resolver: &Resolver) -> Option<Vec<u8>> {
    let (name, kind, end) = question(query)?;
    let (code, records): (u8, Vec<(u16, Vec<u8>)>) = match resolver(&name, kind) {
        Answer::Failure => (2, Vec::new()),
        Answer::NoSuchName => (3, Vec::new()),
        Answer::Addresses(all) => (0, all.into_iter().filter_map(|ip| record(ip, kind)).collect()),
        Answer::Names(names) if kind == PTR => (0, names.iter().map(|n| (PTR, encode(n))).collect()),
        Answer::Names(_) => (0, Vec::new()),
    };
    let mut reply = Vec::with_capacity(end + records.len() * 16);
    reply.extend(&query[..2]);
    // A response, recursion desired and available.
    reply.extend([0x81, 0x80 | code]);
    reply.extend([0, 1]);
    reply.extend((records.len() as u16).to_be_bytes());
    reply.extend([0, 0, 0, 0]);
    reply.extend(&query[12..end]);
    for (kind, data) in records {
        // The name of the question, by a pointer to it.
        reply.extend([0xc0, 0x0c]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1]);
        reply.extend(600_u32.to_be_bytes());
        reply.extend((data.len() as u16).to_be_bytes());
        reply.extend(data);
    }
    Some(reply)
}

fn record(ip: IpAddr, kind: u16) -> Option<(u16, Vec<u8>)> {
    match (ip, kind) {
        (IpAddr::V4(ip), A) => Some((A, ip.octets().to_vec())),
        (IpAddr::V6(ip), AAAA) => Some((AAAA, ip.octets().to_vec())),
        _ => None,
    }
}

/// The name, the type and the end of the first question.
fn question(query: &[u8]) -> Option<(String, u16, usize)> {
    let header = query.get(..12)?;
    let is_query = header[2] & 0x80 == 0;
    if !is_query || u16::from_be_bytes([header[4], header[5]]) == 0 {
        return None;
    }
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        if length > 63 || labels.len() > 127 {
            return None;
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).into_owned());
        at += length;
    }
    let kind = u16::from_be_bytes([*query.get(at)?, *query.get(at + 1)?]);
    query.get(at + 2..at + 4)?;
    Some((labels.join("."), kind, at + 4))
}

/// A name as labels with their lengths.
fn encode(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|l| !l.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        bytes.push(label.len() as u8);
        bytes.extend(label);
    }
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::rc::Rc;

    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        bytes.extend(encode(name));
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1]);
        bytes
    }

    #[test]
    fn answers_have_the_records_that_were_asked_for() {
        let resolver: Resolver = Rc::new(|name, _| match name {
            "db" => Answer::Addresses(vec![IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2))]),
            "down" => Answer::Failure,
            _ => Answer::NoSuchName,
        });
        // Name, type, response code, number of answers.
        for (name, kind, code, count) in [("db", A, 0, 1), ("db", AAAA, 0, 0), ("x", A, 3, 0), ("down", A, 2, 0)] {
            let reply = answer(&query(name, kind), &resolver).expect("an answer");
            assert_eq!((reply[3] & 15, reply[7]), (code, count), "{name} {kind}");
            assert_eq!(reply[..2], [0x12, 0x34]);
        }
        let reply = answer(&query("db", A), &resolver).expect("an answer");
        assert_eq!(reply[reply.len() - 4..], [10, 0, 0, 2]);
    }

    #[test]
    fn broken_queries_get_no_answer() {
        let resolver: Resolver = Rc::new(|_, _| Answer::NoSuchName);
        let whole = query("a.b", A);
        for cut in 0..whole.len() {
            assert_eq!(answer(&whole[..cut], &resolver), None, "cut at {cut}");
        }
    }
}
