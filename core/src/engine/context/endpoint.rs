//! Addresses of engines, as `--host`, `DOCKER_HOST` and contexts write them.

use crate::engine::{Error, Result};

/// How an engine is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// By a socket in the file system: its path.
    Unix(String),
    /// By HTTP over the network; the port as it was written, or what the scheme stands for.
    Tcp { host: String, port: String },
    /// By the engine's own command line on another host; `path` is another socket there.
    Ssh { user: Option<String>, host: String, port: Option<u16>, path: String },
    /// Something that nobody can dial.
    Other(String),
}

/// Docker's ports without and with TLS.
const PORTS: [&str; 2] = ["2375", "2376"];

impl Endpoint {
    /// # Errors
    /// An `ssh://` address that can't be one, in Docker's words.
    pub fn parse(text: &str) -> Result<Endpoint> {
        let Some((scheme, rest)) = text.split_once("://") else { return Ok(Endpoint::Other(text.to_string())) };
        Ok(match scheme {
            "unix" => Endpoint::Unix(rest.to_string()),
            "tcp" | "http" | "https" => {
                let rest = rest.split('/').next().unwrap_or("");
                let (host, port) = split_port(rest);
                Endpoint::Tcp { host: host.to_string(), port: port.unwrap_or("80").to_string() }
            }
            "ssh" => ssh(rest)?,
            _ => Endpoint::Other(text.to_string()),
        })
    }
}

/// `[::1]:80` is `::1` and `80`.
fn split_port(text: &str) -> (&str, Option<&str>) {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    (host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host), port)
}

/// Source: docker/cli, cli/connhelper/ssh.
fn ssh(rest: &str) -> Result<Endpoint> {
    let wrong = |why: &str| Err(Error::Client(format!("ssh host connection is not valid: invalid SSH URL: {why}")));
    let (place, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (place, query) = place.split_once('?').unwrap_or((place, ""));
    let (place, path) = place.find('/').map_or((place, ""), |at| place.split_at(at));
    let (user, place) = place.rsplit_once('@').map_or((None, place), |(user, place)| (Some(user), place));
    let (host, port) = split_port(place);
    if user.is_some_and(|user| user.contains(':')) {
        return wrong("plain-text password is not supported");
    }
    if host.is_empty() {
        return wrong("hostname is empty");
    }
    if !query.is_empty() {
        return wrong(&format!("query parameters are not allowed: {query:?}"));
    }
    if !fragment.is_empty() {
        return wrong(&format!("fragments are not allowed: {fragment:?}"));
    }
    // What ssh would take for an option must not get that far.
    if host.starts_with('-') || user.is_some_and(|user| user.starts_with('-')) {
        return wrong("a name can't begin with a dash");
    }
    let port = match port.map(str::parse::<u16>) {
        None => None,
        Some(Ok(port)) => Some(port),
        Some(Err(_)) => return wrong(&format!("invalid port {:?} after host", format!(":{}", port.unwrap_or("")))),
    };
    let user = user.filter(|user| !user.is_empty()).map(str::to_string);
    Ok(Endpoint::Ssh { user, host: host.to_string(), port, path: path.trim_end_matches('/').to_string() })
}

/// What `--host` and `DOCKER_HOST` mean, in full. Source: docker/cli, opts/hosts.go.
pub(super) fn complete(text: &str, tls: bool) -> Result<String> {
    let text = text.trim();
    let port = PORTS[usize::from(tls)];
    let Some((scheme, rest)) = text.split_once("://") else {
        return Ok(with_port(text, port));
    };
    match (scheme, rest) {
        ("unix", "") => Ok(super::LOCAL.to_string()),
        ("unix" | "ssh" | "fd" | "npipe", _) => Ok(text.to_string()),
        ("tcp", rest) => Ok(with_port(rest, port)),
        _ => Err(Error::Client(format!("invalid bind address format: {text}"))),
    }
}

fn with_port(place: &str, port: &str) -> String {
    let (place, path) = place.find('/').map_or((place, ""), |at| place.split_at(at));
    let (host, given) = split_port(place);
    let host = if host.is_empty() { "localhost" } else { host };
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_string() };
    format!("tcp://{host}:{}{path}", given.filter(|p| !p.is_empty()).unwrap_or(port))
}

/// What may stand in `--docker host=`.
pub(super) fn check(text: &str) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    if text.starts_with("ssh://") {
        return match Endpoint::parse(text) {
            Err(Error::Client(why)) => Err(Error::Client(format!("invalid docker endpoint options: {why}"))),
            _ => Ok(()),
        };
    }
    match text.split_once("://") {
        Some((_, rest)) if !rest.is_empty() => {}
        _ => {
            let why = format!("unable to apply docker endpoint options: unable to parse docker host `{text}`");
            return Err(Error::Client(why));
        }
    }
    match Endpoint::parse(text)? {
        Endpoint::Tcp { port, .. } if port.parse::<u16>().is_err() => Err(Error::Client(format!(
            "invalid docker endpoint options: parse {text:?}: invalid port {:?} after host",
            format!(":{port}")
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let tcp = |host: &str, port: &str| Endpoint::Tcp { host: host.into(), port: port.into() };
        let ssh = |user: Option<&str>, host: &str, port, path: &str| Endpoint::Ssh {
            user: user.map(str::to_string),
            host: host.into(),
            port,
            path: path.into(),
        };
        for (text, meant) in [
            ("unix:///run/x.sock", Endpoint::Unix("/run/x.sock".into())),
            ("tcp://far:2375", tcp("far", "2375")),
            ("tcp://[::1]:1/path", tcp("::1", "1")),
            ("ssh://far", ssh(None, "far", None, "")),
            ("ssh://me@far:22/run/x.sock", ssh(Some("me"), "far", Some(22), "/run/x.sock")),
            ("ssh://me@[fe80::1]:22/", ssh(Some("me"), "fe80::1", Some(22), "")),
            ("foo://x", Endpoint::Other("foo://x".into())),
            ("", Endpoint::Other(String::new())),
        ] {
            assert_eq!(Endpoint::parse(text), Ok(meant), "{text}");
        }
        for text in
            ["ssh://", "ssh://me:pw@far", "ssh://-oProxyCommand=x", "ssh://-x@far", "ssh://far:x", "ssh://a?b=c"]
        {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_are_completed() {
        for (text, tls, full) in [
            ("foo", false, "tcp://foo:2375"),
            ("foo", true, "tcp://foo:2376"),
            ("tcp://", false, "tcp://localhost:2375"),
            ("tcp://[::1]", false, "tcp://[::1]:2375"),
            ("tcp://a:1", true, "tcp://a:1"),
            ("unix://", false, "unix:///var/run/docker.sock"),
            ("ssh://a", false, "ssh://a"),
        ] {
            assert_eq!(complete(text, tls).as_deref(), Ok(full), "{text}");
        }
        assert_eq!(complete("foo://x", false), Err(Error::Client("invalid bind address format: foo://x".into())));
    }
}
