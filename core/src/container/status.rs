//! How a container is doing, in the words of `docker ps`. Source: docker/go-units, HumanDuration.

use crate::container::spec::parse_port;
use crate::container::{ContainerRecord, HealthStatus, PortBinding, Status};
use cutaway_userland::sorted::Arrange;
use cutaway_userland::sorted::Set as BTreeSet;
use std::time::Duration;

/// `3 seconds`, `About an hour`, `2 weeks`: about how long something took.
pub fn human_duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours) = (seconds / 60, (seconds as f64 / 3600.0).round() as u64);
    let days = hours / 24;
    match seconds {
        0 => "Less than a second".into(),
        1 => "1 second".into(),
        2..60 => format!("{seconds} seconds"),
        _ if minutes == 1 => "About a minute".into(),
        _ if minutes < 60 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".into(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{days} days"),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", days / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", days / 30),
        _ => format!("{} years", days / 365),
    }
}

/// The column STATUS: `Up 3 seconds (healthy)`, `Exited (1) 2 minutes ago`, `Created`.
pub fn status(record: &ContainerRecord, now: Duration) -> String {
    let state = &record.state;
    let since = |from: Option<Duration>| human_duration(now.saturating_sub(from.unwrap_or(now)));
    match state.status {
        Status::Running => match record.state.health.as_ref().map(|h| h.status) {
            None => format!("Up {}", since(state.started)),
            Some(HealthStatus::Starting) => format!("Up {} (health: starting)", since(state.started)),
            Some(health) => format!("Up {} ({})", since(state.started), health.name()),
        },
        Status::Paused => format!("Up {} (Paused)", since(state.started)),
        Status::Restarting => format!("Restarting ({}) {} ago", state.exit_code, since(state.finished)),
        Status::Removing => "Removal In Progress".into(),
        Status::Dead => "Dead".into(),
        Status::Created => "Created".into(),
        Status::Exited => format!("Exited ({}) {} ago", state.exit_code, since(state.finished)),
    }
}

/// The column PORTS: published ones as `0.0.0.0:8080->80/tcp`, others as `80/tcp`, ranges together.
pub fn ports(record: &ContainerRecord) -> String {
    let published: BTreeSet<_> = record.ports.iter().map(|p| (p.container_port, p.protocol)).collect();
    let exposed = record.config.image.exposed_ports.iter().filter_map(|p| parse_port(p));
    let mut rows: Vec<(Option<&PortBinding>, u16, &str)> =
        record.ports.iter().map(|p| (Some(p), p.container_port, p.protocol.name())).collect();
    if record.is_running() {
        let bare = exposed.filter(|p| !published.contains(p));
        rows.extend(bare.map(|(port, protocol)| (None, port, protocol.name())));
    }
    // Docker sorts by the container's port, then the address, and shows runs of neighbours as one.
    rows.arrange_by_key(|(binding, port, protocol)| {
        (binding.map(|b| b.host), *protocol, *port, binding.map(|b| b.host_port))
    });
    let mut shown: Vec<(u16, String)> = Vec::new();
    let mut at = 0;
    while at < rows.len() {
        let (binding, port, protocol) = rows[at];
        let mut end = at + 1;
        while let Some((next, next_port, next_protocol)) = rows.get(end) {
            let step = (end - at) as u16;
            let follows = match (binding, next) {
                (None, None) => true,
                (Some(a), Some(b)) => {
                    a.host == b.host && a.host_port + step == b.host_port && a.host_port == a.container_port
                }
                _ => false,
            };
            if !(follows && *next_protocol == protocol && port + step == *next_port) {
                break;
            }
            end += 1;
        }
        let span = |from: u16| {
            if end - at > 1 { format!("{from}-{}", from + (end - at - 1) as u16) } else { from.to_string() }
        };
        shown.push((
            port,
            match binding {
                None => format!("{}/{protocol}", span(port)),
                Some(b) => format!("{}:{}->{}/{protocol}", host_text(b), span(b.host_port), span(port)),
            },
        ));
        at = end;
    }
    shown.arrange_by_key(|(port, _)| *port);
    shown.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", ")
}

/// The host's address, in brackets where it is of version 6.
pub fn host_text(binding: &PortBinding) -> String {
    if binding.host.is_ipv6() { format!("[{}]", binding.host) } else { binding.host.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (seconds, text) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (180, "3 minutes"),
            (3600, "About an hour"),
            (7200, "2 hours"),
            (86400 * 3, "3 days"),
            (86400 * 15, "2 weeks"),
            (86400 * 90, "3 months"),
        ] {
            assert_eq!(human_duration(Duration::from_secs(seconds)), text, "{seconds}");
        }
    }
}
