//! Name questions and answers on the wire, as far as a name server of containers needs them: one question, answers
//! of addresses and names. Source: RFC 1035, sections 3 and 4; RFC 6891 for the size that a sender can take.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Kinds of record.
pub const A: u16 = 1;
pub const PTR: u16 = 12;
pub const AAAA: u16 = 28;
const OPTIONS: u16 = 41;

/// How long an answer may be kept, in seconds: Docker's.
const TIME_TO_LIVE: u32 = 600;
/// What fits into a datagram where the sender does not say more.
const DATAGRAM: usize = 512;

/// What a name server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Addresses of the asked kind (the others are left out of the answer); may be empty.
    Addresses(Vec<IpAddr>),
    /// Names of an address (`PTR`).
    Names(Vec<String>),
    /// NXDOMAIN.
    NoSuchName,
    /// SERVFAIL: nobody could be asked.
    Failure,
}

/// The one question of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// As it was asked, without a dot at the end.
    pub name: String,
    pub kind: u16,
    /// Where it ends in the message.
    end: usize,
    /// Bytes of an answer that the sender takes in one datagram.
    room: usize,
}

impl Question {
    /// The address that a question for a name of an address is about.
    pub fn reversed(&self) -> Option<IpAddr> {
        if self.kind == PTR { reversed(&self.name) } else { None }
    }
}

/// Reads a query; `None` for what is no query, or a broken one.
pub fn question(message: &[u8]) -> Option<Question> {
    let word = |at: usize| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
    // A standard query, with one question.
    if word(2)? & 0xf800 != 0 || word(4)? != 1 {
        return None;
    }
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        if length > 63 || labels.len() > 127 {
            return None;
        }
        labels.push(String::from_utf8_lossy(message.get(at..at + length)?).into_owned());
        at += length;
    }
    let (kind, end) = (word(at)?, at + 4);
    message.get(at..end)?;
    // The options are a record with an empty name; its class is the size.
    let has_options = word(10)? > 0 && message.get(end) == Some(&0) && word(end + 1) == Some(OPTIONS);
    let room = if has_options { usize::from(word(end + 3)?).clamp(DATAGRAM, 4096) } else { DATAGRAM };
    Some(Question { name: labels.join("."), kind, end, room })
}

/// The answer's message. In a datagram (`stream` false) only as many records are put as the sender has room for, and
/// it is told that there are more: it then asks again over a stream.
pub fn answer(query: &[u8], question: &Question, answer: &Answer, stream: bool) -> Vec<u8> {
    let (code, records): (u8, Vec<Vec<u8>>) = match answer {
        Answer::Failure => (2, Vec::new()),
        Answer::NoSuchName => (3, Vec::new()),
        Answer::Addresses(all) => (0, all.iter().filter_map(|ip| record(*ip, question.kind)).collect()),
        Answer::Names(names) if question.kind == PTR => (0, names.iter().map(|n| encode(n)).collect()),
        Answer::Names(_) => (0, Vec::new()),
    };
    let room = if stream { usize::from(u16::MAX) } else { question.room };
    let mut reply = query.get(..question.end).unwrap_or(query).to_vec();
    let mut count = 0u16;
    for data in &records {
        if reply.len() + 12 + data.len() > room {
            break;
        }
        // The name of the question, by a pointer to it.
        reply.extend([0xc0, 0x0c]);
        reply.extend(question.kind.to_be_bytes());
        reply.extend([0, 1]);
        reply.extend(TIME_TO_LIVE.to_be_bytes());
        reply.extend((data.len() as u16).to_be_bytes());
        reply.extend(data);
        count += 1;
    }
    // A response, cut short or not; recursion is available, and desired where the query said so.
    let cut = if usize::from(count) < records.len() { 2 } else { 0 };
    reply[2] = 0x80 | cut | query[2] & 1;
    reply[3] = 0x80 | code;
    reply[6..8].copy_from_slice(&count.to_be_bytes());
    reply[8..12].fill(0);
    reply
}

/// The first whole message of a stream, where each has its length before it, and how many bytes it took.
pub fn framed(stream: &[u8]) -> Option<(&[u8], usize)> {
    let end = 2 + usize::from(u16::from_be_bytes([*stream.first()?, *stream.get(1)?]));
    Some((stream.get(2..end)?, end))
}

/// A message as it goes into a stream.
pub fn frame(message: &[u8]) -> Vec<u8> {
    let mut framed = (message.len() as u16).to_be_bytes().to_vec();
    framed.extend(message);
    framed
}

fn record(ip: IpAddr, kind: u16) -> Option<Vec<u8>> {
    match (ip, kind) {
        (IpAddr::V4(ip), A) => Some(ip.octets().to_vec()),
        (IpAddr::V6(ip), AAAA) => Some(ip.octets().to_vec()),
        _ => None,
    }
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

/// The address of a name like `2.0.17.172.in-addr.arpa`, or of 32 digits and `.ip6.arpa`.
fn reversed(name: &str) -> Option<IpAddr> {
    let lower = name.to_ascii_lowercase();
    if let Some(digits) = lower.strip_suffix(".in-addr.arpa") {
        let parts: Vec<u8> = digits.split('.').map(|p| p.parse().ok()).collect::<Option<_>>()?;
        let [d, c, b, a] = parts[..] else { return None };
        return Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)));
    }
    let digits: Vec<&str> = lower.strip_suffix(".ip6.arpa")?.split('.').collect();
    if digits.len() != 32 || digits.iter().any(|d| d.len() != 1) {
        return None;
    }
    let text: String = digits.into_iter().rev().collect();
    u128::from_str_radix(&text, 16).ok().map(|n| IpAddr::V6(Ipv6Addr::from(n)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        bytes.extend(encode(name));
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1]);
        bytes
    }

    fn reply(query: &[u8], says: &Answer, stream: bool) -> Vec<u8> {
        answer(query, &question(query).expect("a question"), says, stream)
    }

    #[test]
    fn answers_have_the_records_that_were_asked_for() {
        let both = Answer::Addresses(vec!["10.0.0.2".parse().unwrap(), "fd00::2".parse().unwrap()]);
        let names = Answer::Names(vec!["db.net".into()]);
        // Kind, what is said, response code, number of answers, the last bytes.
        let table: [(u16, &Answer, u8, u8, &[u8]); 6] = [
            (A, &both, 0, 1, &[0, 4, 10, 0, 0, 2]),
            (AAAA, &both, 0, 1, &[0, 0, 0, 2]),
            (15, &both, 0, 0, &[0, 15, 0, 1]),
            (PTR, &names, 0, 1, b"\x02db\x03net\0"),
            (A, &Answer::NoSuchName, 3, 0, &[0, 1, 0, 1]),
            (A, &Answer::Failure, 2, 0, &[0, 1, 0, 1]),
        ];
        for (kind, says, code, count, end) in table {
            let reply = reply(&query("Db.Net", kind), says, false);
            assert_eq!(reply[..6], [0x12, 0x34, 0x81, 0x80 | code, 0, 1], "{kind} {says:?}");
            assert_eq!(reply[6..8], [0, count], "{kind} {says:?}");
            assert!(reply.ends_with(end), "{kind} {says:?}: {reply:?}");
        }
        assert_eq!(question(&query("Db.Net", A)).map(|q| q.name), Some("Db.Net".into()));
    }

    #[test]
    fn long_answers_are_cut_in_datagrams_only() {
        let many = Answer::Addresses((0..100).map(|n| IpAddr::from([10, 0, 0, n])).collect());
        let asked = query("web", A);
        let (short, long) = (reply(&asked, &many, false), reply(&asked, &many, true));
        assert!(short.len() <= 512 && short[2] & 2 == 2 && short[7] < 100);
        assert_eq!((long[2] & 2, long[7]), (0, 100));
        let mut roomy = asked.clone();
        roomy[11] = 1;
        roomy.extend([0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0]);
        let roomy = reply(&roomy, &many, false);
        assert_eq!((roomy[2] & 2, roomy[7]), (0, 100), "4096 bytes were offered");
    }

    #[test]
    fn broken_queries_are_none() {
        let whole = query("a.b", A);
        for cut in 0..whole.len() {
            assert_eq!(question(&whole[..cut]), None, "cut at {cut}");
        }
        let mut response = whole.clone();
        response[2] |= 0x80;
        assert_eq!(question(&response), None);
        let mut pointer = whole;
        pointer[12] = 0xc0;
        assert_eq!(question(&pointer), None);
    }

    #[test]
    fn names_of_addresses() {
        for (name, address) in [
            ("2.0.17.172.in-addr.arpa", Some("172.17.0.2")),
            ("2.0.17.in-addr.arpa", None),
            ("256.0.17.172.in-addr.arpa", None),
            ("2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.D.F.IP6.ARPA", Some("fd00::2")),
            ("2.0.ip6.arpa", None),
            ("db", None),
        ] {
            assert_eq!(reversed(name), address.map(|a| a.parse().unwrap()), "{name}");
        }
    }

    #[test]
    fn messages_in_streams() {
        let mut stream = frame(b"abc");
        assert_eq!(framed(&stream), Some((&b"abc"[..], 5)));
        stream.pop();
        assert_eq!(framed(&stream), None);
        assert_eq!(framed(&[0]), None);
    }
}
