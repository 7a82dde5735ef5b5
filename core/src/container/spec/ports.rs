//! Published and exposed ports: `-p` in all its forms. Source of the grammar: docker/go-connections, nat.

use crate::container::spec::csv;
use crate::world::acts::Protocol;
use cutaway_userland::sorted::{Map as BTreeMap, Set as BTreeSet};

/// A container's port and where on the host it is wanted: an address (empty is any) and a port or a range
/// (empty takes a free one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSpec {
    /// As `80/tcp`.
    pub container: String,
    pub host_ip: String,
    pub host_port: String,
}

/// Reads `80/tcp` as inspect and records write it.
pub fn parse_port(text: &str) -> Option<(u16, Protocol)> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        _ => return None,
    };
    Some((port.parse().ok()?, protocol))
}

/// Reads one value of `-p`, as `127.0.0.1:8080:80/tcp`, `80`, `8000-8010:80-90` or `target=80,published=8080`.
pub fn parse_publish(text: &str) -> Result<Vec<PortSpec>, String> {
    let text = &standard_form(text)?;
    let (ip, host, container) = split(text);
    let (container, protocol) = container.split_once('/').unwrap_or((container, ""));
    let protocol = if protocol.is_empty() { "tcp".to_string() } else { protocol.to_lowercase() };
    let ip = match ip.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .ok_or_else(|| format!("Invalid ip address {ip}: address {ip}: missing ']' in address"))?,
        None => ip,
    };
    if !ip.is_empty() && ip.parse::<std::net::IpAddr>().is_err() {
        return Err(format!("Invalid ip address: {ip}"));
    }
    if container.is_empty() {
        return Err(format!("No port specified: {text}<empty>"));
    }
    let ports = range(container).map_err(|_| format!("Invalid containerPort: {container}"))?;
    let hosts =
        if host.is_empty() { None } else { Some(range(host).map_err(|_| format!("Invalid hostPort: {host}"))?) };
    let count = |(from, to): (u16, u16)| to - from;
    // A range of host ports for one container port means: any of them.
    if let Some(hosts) = hosts
        && count(hosts) != count(ports)
        && count(ports) != 0
    {
        return Err(format!("Invalid ranges specified for container and host Ports: {container} and {host}"));
    }
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("Invalid proto: {protocol}"));
    }
    let specs = (ports.0..=ports.1).enumerate().map(|(i, port)| PortSpec {
        container: format!("{port}/{protocol}"),
        host_ip: ip.to_string(),
        host_port: match hosts {
            None => String::new(),
            Some(hosts) if count(hosts) != count(ports) => format!("{}-{}", hosts.0, hosts.1),
            Some(hosts) => (usize::from(hosts.0) + i).to_string(),
        },
    });
    Ok(specs.collect())
}

/// Reads one value of `--expose`.
pub fn parse_expose(text: &str) -> Result<BTreeSet<String>, String> {
    if text.contains(':') {
        return Err(format!("invalid port format for --expose: {text}"));
    }
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (from, to) = range(ports).map_err(|why| format!("invalid range format for --expose: {text}, error: {why}"))?;
    Ok((from..=to).map(|port| format!("{port}/{}", protocol.to_lowercase())).collect())
}

/// Turns the long form `target=80,published=8080,protocol=udp` into the short one.
fn standard_form(text: &str) -> Result<String, String> {
    if !text.contains('=') {
        return Ok(text.to_string());
    }
    let mut parts = BTreeMap::new();
    for field in csv(text) {
        let (name, value) = field.split_once('=').unwrap_or_default();
        if name.is_empty() {
            return Err(format!("invalid publish opts format (should be name=value but got '{field}')"));
        }
        parts.insert(name.to_string(), value.to_string());
    }
    let part = |name: &str| parts.get(name).cloned().unwrap_or_default();
    let protocol = if parts.contains_key("protocol") { part("protocol") } else { "tcp".into() };
    Ok(format!("{}:{}/{}", part("published"), part("target"), protocol))
}

/// Address, host port and container port with its protocol; addresses may hold colons.
fn split(text: &str) -> (&str, &str, &str) {
    let parts: Vec<&str> = text.rsplitn(3, ':').collect();
    match parts[..] {
        [container] => ("", "", container),
        [container, host] => ("", host, container),
        [container, host, ip] => (ip, host, container),
        _ => ("", "", text),
    }
}

/// `80` or `80-90`; the reason is Go's.
fn range(text: &str) -> Result<(u16, u16), String> {
    if text.is_empty() {
        return Err("empty string specified for ports".into());
    }
    let number = |text: &str| {
        text.parse::<u16>().map_err(|_| {
            let why = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
                "value out of range"
            } else {
                "invalid syntax"
            };
            format!("strconv.ParseUint: parsing {text:?}: {why}")
        })
    };
    let (from, to) = match text.split_once('-') {
        None => (number(text)?, number(text)?),
        Some((from, to)) => (number(from)?, number(to)?),
    };
    if to < from {
        return Err(format!("Invalid range specified for the Port: {text}"));
    }
    Ok((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_publish() {
        let table: &[(&str, &[(&str, &str, &str)])] = &[
            ("80", &[("80/tcp", "", "")]),
            ("8080:80", &[("80/tcp", "", "8080")]),
            ("127.0.0.1:8080:80/udp", &[("80/udp", "127.0.0.1", "8080")]),
            ("127.0.0.1::80", &[("80/tcp", "127.0.0.1", "")]),
            ("[::1]:80:80", &[("80/tcp", "::1", "80")]),
            ("8000-8001:80-81", &[("80/tcp", "", "8000"), ("81/tcp", "", "8001")]),
            ("8000-8010:80", &[("80/tcp", "", "8000-8010")]),
            ("target=80,published=8080", &[("80/tcp", "", "8080")]),
        ];
        for (text, expected) in table {
            let got = parse_publish(text).expect(text);
            let got: Vec<_> = got.iter().map(|p| (&*p.container, &*p.host_ip, &*p.host_port)).collect();
            assert_eq!(&got[..], *expected, "{text}");
        }
    }

    #[test]
    fn refusals() {
        for (text, why) in [
            ("99999:1", "Invalid hostPort: 99999"),
            ("abc", "Invalid containerPort: abc"),
            ("=", "invalid publish opts format (should be name=value but got '=')"),
            ("80:", "No port specified: 80:<empty>"),
            ("1.2.3:80:80", "Invalid ip address: 1.2.3"),
            ("80:80/foo", "Invalid proto: foo"),
            ("80-81:80-85", "Invalid ranges specified for container and host Ports: 80-85 and 80-81"),
        ] {
            assert_eq!(parse_publish(text), Err(why.to_string()), "{text}");
        }
    }
}
