//! `--network` and what is said about a container's place in a network.

use crate::container::spec::csv;
use cutaway_userland::sorted::Map as BTreeMap;

/// One network that a container shall be in; addresses as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkRequest {
    pub name: String,
    pub aliases: Vec<String>,
    pub ip: String,
    pub ip6: String,
    pub mac: String,
    pub links: Vec<String>,
    pub link_local_ips: Vec<String>,
    pub driver_opts: BTreeMap<String, String>,
    pub gw_priority: i64,
}

/// What `HostConfig.NetworkMode` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkMode {
    Bridge,
    Host,
    None,
    /// The network of another container, by name or id.
    Container(String),
    User(String),
}

impl NetworkMode {
    pub fn parse(text: &str) -> NetworkMode {
        match text {
            "" | "default" | "bridge" => NetworkMode::Bridge,
            "host" => NetworkMode::Host,
            "none" => NetworkMode::None,
            other => match other.strip_prefix("container:") {
                Some(container) => NetworkMode::Container(container.to_string()),
                None => NetworkMode::User(other.to_string()),
            },
        }
    }

    pub fn is_user_defined(&self) -> bool {
        matches!(self, NetworkMode::User(_))
    }
}

/// Reads one value of `--network`: a name, or `name=…,alias=…,ip=…`.
pub fn parse_network(text: &str) -> Result<NetworkRequest, String> {
    let mut request = NetworkRequest::default();
    if !text.contains('=') {
        request.name = text.to_string();
        return Ok(request);
    }
    let mut named = false;
    for field in csv(text) {
        let Some((key, value)) = field.split_once('=') else { return Err(format!("invalid field {field}")) };
        let value = value.trim();
        match key.trim().to_lowercase().as_str() {
            "name" => {
                request.name = value.into();
                named = true;
            }
            "alias" => request.aliases.push(value.into()),
            "ip" => request.ip = value.into(),
            "ip6" => request.ip6 = value.into(),
            "mac-address" => request.mac = value.into(),
            "link-local-ip" => request.link_local_ips.push(value.into()),
            "driver-opt" => {
                let (k, v) = value.split_once('=').ok_or("invalid key value pair format in driver options")?;
                request.driver_opts.insert(k.to_lowercase(), v.to_lowercase());
            }
            "gw-priority" => {
                request.gw_priority =
                    value.parse().map_err(|_| format!("invalid gw-priority ({value}): invalid syntax"))?;
            }
            key => return Err(format!("invalid field key {key}")),
        }
    }
    if !named {
        return Err("network name/id is not specified".into());
    }
    Ok(request)
}

/// Reads `02:42:ac:11:00:02`.
pub fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    let mut mac = [0; 6];
    if parts.len() != 6 || parts.iter().any(|p| p.len() != 2) {
        return None;
    }
    for (byte, part) in mac.iter_mut().zip(parts) {
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!(parse_network("appnet").map(|n| n.name), Ok("appnet".into()));
        let long = parse_network("name=a,alias=x,alias=y,ip=10.0.0.9").expect("a network");
        assert_eq!((long.aliases, long.ip.as_str()), (vec!["x".to_string(), "y".to_string()], "10.0.0.9"));
        for (text, why) in [
            ("foo=bar", "invalid field key foo"),
            ("alias=x", "network name/id is not specified"),
            ("a,alias=b", "invalid field a"),
            ("name=a,gw-priority=x", "invalid gw-priority (x): invalid syntax"),
        ] {
            assert_eq!(parse_network(text), Err(why.to_string()), "{text}");
        }
        assert_eq!(parse_mac("02:42:ac:11:00:02"), Some([2, 0x42, 0xac, 0x11, 0, 2]));
        assert_eq!(parse_mac("foo"), None);
    }
}
