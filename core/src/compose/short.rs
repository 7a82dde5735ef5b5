//! The short forms of single items: `8080:80/tcp`, `./src:/app:ro`, `/dev/a:/dev/b`.

use serde_json::{Map, Value, json};

/// A port as `[[address:]published:]target[/protocol]`; ranges become several entries.
///
/// # Errors
/// In Compose's words.
pub fn ports(text: &str) -> Result<Vec<Value>, String> {
    let (rest, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (host, target) = rest.rsplit_once(':').unwrap_or(("", rest));
    let (address, published) = host.rsplit_once(':').unwrap_or(("", host));
    let address = address.trim_matches(['[', ']']);
    if !matches!(protocol.to_ascii_lowercase().as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("invalid proto: {protocol}"));
    }
    if !address.is_empty() && address.parse::<std::net::IpAddr>().is_err() {
        return Err(format!("invalid IP address: {address}"));
    }
    if target.is_empty() {
        return Err(format!("no port specified: {text}<empty>"));
    }
    let (first, last) = range(target).ok_or_else(|| format!("invalid containerPort: {target}"))?;
    let mut hosts = None;
    if !published.is_empty() {
        let found = range(published).ok_or_else(|| format!("invalid hostPort: {published}"))?;
        if last != first && found.1 - found.0 != last - first {
            return Err(format!("invalid ranges specified for container and host Ports: {target} and {published}"));
        }
        hosts = Some(found);
    }
    let entry = |at: u32| {
        let mut entry = json!({"mode": "ingress"});
        if !address.is_empty() {
            entry["host_ip"] = address.into();
        }
        entry["target"] = (first + at).into();
        match hosts {
            // Any of these on the host for one port of the container.
            Some((from, to)) if first == last && from != to => entry["published"] = format!("{from}-{to}").into(),
            Some((from, _)) => entry["published"] = (from + at).to_string().into(),
            None => {}
        }
        entry["protocol"] = protocol.to_ascii_lowercase().into();
        entry
    };
    Ok((0..=last - first).map(entry).collect())
}

fn range(text: &str) -> Option<(u32, u32)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (from.parse::<u16>().ok()?, to.parse::<u16>().ok()?);
    (from <= to).then_some((from.into(), to.into()))
}

/// A volume as `[source:]target[:options]`.
///
/// # Errors
/// In Compose's words.
pub fn volume(text: &str) -> Result<Value, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts[..] {
        [target] => ("", target, ""),
        [source, target] => (source, target, ""),
        [source, target, options] => (source, target, options),
        _ => return Err(format!("invalid spec: {text}: too many colons")),
    };
    if target.is_empty() || (parts.len() > 1 && source.is_empty()) {
        return Err(format!("invalid spec: {text}: empty section between colons"));
    }
    let bind = source.starts_with(['.', '/', '~']);
    let mut entry = Map::new();
    entry.insert("type".into(), if bind { "bind" } else { "volume" }.into());
    if !source.is_empty() {
        entry.insert("source".into(), source.into());
    }
    entry.insert("target".into(), clean(target).into());
    let mut inner = Map::new();
    for option in options.split(',').filter(|o| !o.is_empty()) {
        match option {
            "ro" => drop(entry.insert("read_only".into(), true.into())),
            "z" | "Z" if bind => drop(inner.insert("selinux".into(), option.into())),
            "nocopy" if !bind => drop(inner.insert("nocopy".into(), true.into())),
            "shared" | "rshared" | "slave" | "rslave" | "private" | "rprivate" if bind => {
                inner.insert("propagation".into(), option.into());
            }
            _ => {}
        }
    }
    if bind {
        inner.insert("create_host_path".into(), true.into());
    }
    entry.insert(if bind { "bind" } else { "volume" }.into(), Value::Object(inner));
    Ok(Value::Object(entry))
}

/// A device as `source[:target[:permissions]]`.
pub fn device(text: &str) -> Value {
    let mut parts = text.splitn(3, ':');
    let source = parts.next().unwrap_or("");
    let target = parts.next().unwrap_or(source);
    json!({"source": source, "target": target, "permissions": parts.next().unwrap_or("rwm")})
}

/// A path in the container without `.`, `..` and doubled slashes.
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => drop(parts.pop()),
            ".." if path.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    match (path.starts_with('/'), parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".into(),
        (false, false) => parts.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ports() {
        assert_eq!(ports("3000").expect("parses")[0].get("published"), None);
        let one = &ports("127.0.0.1:8080:80/udp").expect("parses")[0];
        assert_eq!(
            *one,
            json!({"mode": "ingress", "host_ip": "127.0.0.1", "target": 80, "published": "8080", "protocol": "udp"})
        );
        assert_eq!(ports("9000-9002:8000-8002").expect("parses")[2]["published"], "9002");
        assert_eq!(ports("3000-3005:80").expect("parses")[0]["published"], "3000-3005");
        for bad in ["1:2:3:4", "host:1:2", "x", "80:", "1-2:3-5", "80/foo", "70000"] {
            assert!(ports(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn short_volumes() {
        assert_eq!(volume("/a/").expect("parses"), json!({"type": "volume", "target": "/a", "volume": {}}));
        assert_eq!(volume("./s:/t:ro").expect("parses")["read_only"], true);
        assert!(volume("a:b:c:d").is_err());
        assert_eq!(clean("/a/./b/../c//"), "/a/c");
        assert_eq!(clean("a/.."), ".");
    }
}
