//! `docker ps`: which containers are shown, and what of each.

use super::{find, heal_all};
use crate::cli::Args;
use crate::container::spec::parse_port;
use crate::container::{ContainerRecord, MountKind, Status, status};
use crate::engine::{Ctx, Error, Result, image, settings};
use crate::image::ImageRecord;
use crate::view::filter::Filters;
use crate::view::rows::{CONTAINERS, CONTAINERS_WITH_SIZE};
use crate::view::table::Formatter;
use crate::view::units;
use crate::world::World;
use serde_json::{Value, json};
use std::time::Duration;

const FILTERS: [&str; 15] = [
    "ancestor",
    "before",
    "expose",
    "exited",
    "health",
    "id",
    "isolation",
    "is-task",
    "label",
    "label!",
    "name",
    "network",
    "publish",
    "since",
    "status",
];

const STATES: [&str; 7] = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];
const HEALTHS: [&str; 4] = ["none", "starting", "healthy", "unhealthy"];

/// `docker ps`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let kind = if args.flag("size") { &CONTAINERS_WITH_SIZE } else { &CONTAINERS };
    let (asked, quiet) = (args.value("format").unwrap_or(""), args.flag("quiet"));
    let format = settings::list_format(ctx, Some(asked), quiet, "psFormat").await;
    if quiet && !asked.is_empty() {
        ctx.warn("WARNING: Ignoring custom format, because both --format and --quiet are set.\n").await;
    }
    if !asked.is_empty() {
        Formatter::rehearse(kind, asked).map_err(Error::Client)?;
    }
    let format = if quiet && format != "raw" { "" } else { &format };
    let formatter = Formatter::new(kind, format, quiet).map_err(Error::Client)?;
    let filters = Filters::parse(args.values("filter"));
    let last = if args.flag("latest") { 1 } else { args.number("last").unwrap_or(-1) };
    let all = args.flag("all") || filters.has("status") || last > 0;
    let mut shown = matching(ctx, &filters, all).await?;
    if last > 0 {
        shown.truncate(last as usize);
    }
    let look = Look { full: args.flag("no-trunc"), sizes: args.flag("size"), now: ctx.world().now() };
    let rows: Vec<Value> = shown.iter().map(|record| row(ctx, record, &look)).collect();
    ctx.print(formatter.render(&rows).map_err(Error::Client)?).await;
    Ok(0)
}

/// The containers for which all filters hold, the newest first; only running ones unless `all`.
///
/// # Errors
/// Filters that there are not, in Docker's words.
pub async fn matching<W: World>(ctx: &Ctx<W>, filters: &Filters, all: bool) -> Result<Vec<ContainerRecord>> {
    let allowed: Vec<&str> = FILTERS.iter().copied().chain(["volume"]).collect();
    filters.allow(&allowed).map_err(Error::Daemon)?;
    for status in filters.values("status") {
        if !STATES.contains(&status.as_str()) {
            return Err(Error::Daemon(format!(
                "invalid filter 'status={status}': invalid value for state ({status}): must be one of {}",
                STATES.join(", ")
            )));
        }
    }
    for health in filters.values("health") {
        if !HEALTHS.contains(&health.as_str()) {
            return Err(Error::Daemon(format!(
                "invalid filter 'health={health}': invalid value for health ({health}): must be one of {}",
                HEALTHS.join(", ")
            )));
        }
    }
    if let Some(code) = filters.values("exited").iter().find(|code| code.parse::<i32>().is_err()) {
        let why = format!("invalid filter 'exited={code}': strconv.Atoi: parsing {code:?}: invalid syntax");
        return Err(Error::Daemon(why));
    }
    for name in ["expose", "publish"] {
        for value in filters.values(name) {
            let range = value.split_once('/').map_or(value.as_str(), |(range, _)| range);
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            if let Some(bad) = [from, to].into_iter().find(|port| port.parse::<u16>().is_err()) {
                return Err(Error::Daemon(format!(
                    "error while looking up for {name} {value}: strconv.ParseUint: parsing {bad:?}: invalid syntax"
                )));
            }
        }
    }
    filters.flag("is-task").map_err(Error::Daemon)?;
    let bound = async |name: &str| -> Result<Option<Duration>> {
        match filters.values(name).last() {
            Some(container) => Ok(Some(find(ctx, container).await?.created)),
            None => Ok(None),
        }
    };
    let (before, since) = (bound("before").await?, bound("since").await?);
    let ancestors: Vec<ImageRecord> =
        filters.values("ancestor").iter().filter_map(|name| image::lookup(ctx, name).ok().flatten()).collect();
    let mut shown = heal_all(ctx).await?;
    shown.retain(|r| {
        (all || r.is_running())
            && before.is_none_or(|t| r.created < t)
            && since.is_none_or(|t| r.created > t)
            && (!filters.has("ancestor") || descends(ctx, r, &ancestors))
            && holds(r, filters)
    });
    Ok(shown)
}

fn descends<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, ancestors: &[ImageRecord]) -> bool {
    if ancestors.iter().any(|a| a.id == record.image) {
        return true;
    }
    let Ok(Some(own)) = ctx.world().get::<ImageRecord>(&record.image.to_string()) else { return false };
    let chain = own.chains();
    ancestors.iter().any(|a| !a.layers.is_empty() && chain.starts_with(&a.chains()))
}

fn holds(record: &ContainerRecord, filters: &Filters) -> bool {
    let any =
        |name: &str, test: &dyn Fn(&str) -> bool| !filters.has(name) || filters.values(name).iter().any(|v| test(v));
    let health = record.state.health.as_ref().map_or("none", |h| h.status.name());
    let port = |value: &str, ports: &[(u16, &str)]| {
        let (range, protocol) = value.split_once('/').unwrap_or((value, "tcp"));
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (Ok(from), Ok(to)) = (from.parse::<u16>(), to.parse::<u16>()) else { return false };
        ports.iter().any(|(p, proto)| (from..=to).contains(p) && *proto == protocol)
    };
    let exposed: Vec<(u16, &str)> = record
        .config
        .image
        .exposed_ports
        .iter()
        .filter_map(|p| parse_port(p))
        .map(|(port, protocol)| (port, protocol.name()))
        .collect();
    let published: Vec<(u16, &str)> = record.ports.iter().map(|p| (p.host_port, p.protocol.name())).collect();
    // A name may be asked for with the slash that `inspect` shows.
    (filters.matches("name", &record.name) || filters.matches("name", &format!("/{}", record.name)))
        && filters.matches("id", &record.id)
        && filters.labels(&record.labels())
        && any("status", &|v| record.state.status.name() == v)
        && any("health", &|v| health == v)
        && any("exited", &|v| record.state.status == Status::Exited && v.parse() == Ok(record.state.exit_code))
        && any("network", &|v| record.endpoints.iter().any(|(name, e)| name == v || e.network_id.starts_with(v)))
        && any("volume", &|v| {
            record.mounts.iter().any(|m| m.name == v || m.source == v || m.destination == v.trim_end_matches('/'))
        })
        && any("expose", &|v| port(v, &exposed))
        && any("publish", &|v| port(v, &published))
        && any("is-task", &|v| matches!(v, "false" | "0"))
        && any("isolation", &|v| record.host.isolation == v)
}

/// How rows look.
pub struct Look {
    /// Nothing is cut.
    pub full: bool,
    pub sizes: bool,
    pub now: Duration,
}

/// One row of `docker ps`, with the keys of Docker's templates.
pub fn row<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, look: &Look) -> Value {
    let cut = |text: &str, most: usize| if look.full { text.to_string() } else { units::ellipsis(text, most) };
    let mounts = record.mounts.iter().map(|m| cut(if m.name.is_empty() { &m.source } else { &m.name }, 15));
    let labels = record.labels();
    let networks: Vec<&str> = record.endpoints.keys().map(String::as_str).collect();
    let volumes = record.mounts.iter().filter(|m| m.kind == MountKind::Volume).count();
    let command = serde_json::to_string(&cut(&command_line(record), 20)).unwrap_or_default();
    json!({
        "Command": command,
        "CreatedAt": units::go_time(record.created),
        "ID": if look.full { &record.id } else { record.short_id() },
        "Image": shown_image(ctx, record, look.full),
        "Labels": units::labels(&labels),
        "LocalVolumes": volumes.to_string(),
        "Mounts": mounts.collect::<Vec<_>>().join(","),
        "Names": record.name,
        "Networks": if networks.is_empty() { record.host.network_mode.clone() } else { networks.join(",") },
        "Platform": null,
        "Ports": status::ports(record),
        "RunningFor": units::ago(record.created, look.now),
        "Size": size(ctx, record, look.sizes),
        "State": record.state.status.name(),
        "Status": status::status(record, look.now),
        "@labels": labels,
    })
}

/// The program and its arguments, those with blanks in quotes.
pub fn command_line(record: &ContainerRecord) -> String {
    let args = record.args.iter().map(|a| if a.contains(' ') { format!("'{a}'") } else { a.clone() });
    std::iter::once(record.path.clone()).chain(args).collect::<Vec<_>>().join(" ")
}

/// The image as it was typed, or its id where that name now stands for another one.
fn shown_image<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, full: bool) -> String {
    let now = image::lookup(ctx, &record.image_name).ok().flatten().map(|i| i.id);
    match (now == Some(record.image), full) {
        (true, false) if record.image_name.starts_with("sha256:") => record.image.short(),
        (true, _) => record.image_name.clone(),
        (false, true) => record.image.to_string(),
        (false, false) => record.image.short(),
    }
}

fn size<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, wanted: bool) -> String {
    if !wanted {
        return "0B".into();
    }
    let own = ctx.world().snapshot_size(&record.snapshot);
    let image = ctx.world().get::<ImageRecord>(&record.image.to_string()).ok().flatten().map_or(0, |i| i.size());
    format!("{} (virtual {})", units::short_size(own), units::short_size(own + image))
}
