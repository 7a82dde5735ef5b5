//! Byte ranges of requests, and the queries of their paths.

/// The part of `total` bytes that a `Range: bytes=…` header asks for, as first and last; `None` where it
/// can't be satisfied.
pub fn byte_range(header: &str, total: u64) -> Option<(u64, u64)> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    if total == 0 {
        return None;
    }
    let (first, last) = match (first, last) {
        ("", n) => (total.saturating_sub(n.parse().ok()?), total - 1),
        (n, "") => (n.parse().ok()?, total - 1),
        (n, m) => (n.parse().ok()?, m.parse::<u64>().ok()?.min(total - 1)),
    };
    (first <= last && first < total).then_some((first, last))
}

/// The value of a name in a query string, percent-decoded.
pub fn query(query: &str, name: &str) -> Option<String> {
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name).map(|(_, v)| percent_decoded(v))
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|d| std::str::from_utf8(d).ok());
        match (bytes[at], digits.and_then(|d| u8::from_str_radix(d, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (b'+', _) => {
                out.push(b' ');
                at += 1;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (header, range) in [
            ("bytes=0-0", Some((0, 0))),
            ("bytes=2-", Some((2, 9))),
            ("bytes=-3", Some((7, 9))),
            ("bytes=5-99", Some((5, 9))),
            ("bytes=10-", None),
            ("bytes=5-2", None),
            ("lines=1-2", None),
        ] {
            assert_eq!(byte_range(header, 10), range, "{header}");
        }
    }

    #[test]
    fn queries() {
        assert_eq!(query("a=1&digest=sha256%3Aab", "digest").as_deref(), Some("sha256:ab"));
        assert_eq!(query("a=1", "b"), None);
    }
}
