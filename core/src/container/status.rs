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

/// The column PORTS: those that only the container has, as `80/tcp`, and those published under their own number
/// (neighbours together), then the others, as `0.0.0.0:8080->80/tcp`. Source: docker/cli, DisplayablePorts.
pub fn ports(record: &ContainerRecord) -> String {
    let published: BTreeSet<_> = record.ports.iter().map(|p| (p.container_port, p.protocol)).collect();
    let exposed = record.config.image.exposed_ports.iter().filter_map(|p| parse_port(p));
    let mut rows: Vec<(u16, String, u16, &str)> =
        record.ports.iter().map(|p| (p.container_port, host_text(p), p.host_port, p.protocol.name())).collect();
    if record.is_running() {
        let bare = exposed.filter(|p| !published.contains(p));
        rows.extend(bare.map(|(port, protocol)| (port, String::new(), 0, protocol.name())));
    }
    // Docker compares addresses as text without brackets; `[` comes after all digits as `:` does.
    rows.arrange();
    let group = |(host, protocol): &(String, &str), first: u16, last: u16| {
        let span = if first == last { first.to_string() } else { format!("{first}-{last}") };
        if host.is_empty() { format!("{span}/{protocol}") } else { format!("{host}:{span}->{span}/{protocol}") }
    };
    let (mut shown, mut led_elsewhere) = (Vec::new(), Vec::new());
    let mut open: Vec<((String, &str), u16, u16)> = Vec::new();
    for (port, host, outside, protocol) in rows {
        if !host.is_empty() && outside != port {
            led_elsewhere.push(format!("{host}:{outside}->{port}/{protocol}"));
            continue;
        }
        let key = (host, protocol);
        match open.iter_mut().find(|(other, ..)| *other == key) {
            None => open.push((key, port, port)),
            Some((.., last)) if port == *last + 1 => *last = port,
            Some((key, first, last)) => {
                shown.push(group(key, *first, *last));
                (*first, *last) = (port, port);
            }
        }
    }
    shown.extend(open.iter().map(|(key, first, last)| group(key, *first, *last)));
    shown.extend(led_elsewhere);
    shown.join(", ")
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
