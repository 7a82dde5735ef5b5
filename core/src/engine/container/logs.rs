//! `docker logs`: the stored output, from the end or the beginning, and what still comes.

use super::{find, wait_stopped};
use crate::cli::Args;
use crate::container::ContainerRecord;
use crate::engine::{Ctx, Error, Result};
use crate::view::units::{parse_moment, rfc3339_nanos};
use crate::world::{LogLine, Stream, World};
use cutaway_userland::sorted::Arrange;
use std::time::Duration;

/// Which lines of a log, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    pub follow: bool,
    /// So many of the last lines; `None` is all.
    pub tail: Option<usize>,
    pub timestamps: bool,
    pub details: bool,
    /// Since the epoch.
    pub since: Option<Duration>,
    pub until: Option<Duration>,
}

/// `docker logs`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let now = ctx.world().now();
    let moment = |name: &str| match args.value(name).filter(|v| !v.is_empty()) {
        Some(text) => {
            parse_moment(text, now).map(Some).map_err(|e| Error::Client(format!("invalid value for {name:?}: {e}")))
        }
        None => Ok(None),
    };
    let query = LogQuery {
        follow: args.flag("follow"),
        tail: args.value("tail").and_then(|t| t.parse().ok()),
        timestamps: args.flag("timestamps"),
        details: args.flag("details"),
        since: moment("since")?,
        until: moment("until")?,
    };
    let record = find(ctx, args.word(0)).await?;
    print_logs(ctx, &record, &query, "").await?;
    Ok(0)
}

/// Prints a container's log, each line after `prefix`; with `follow`, until it has stopped or nobody reads.
///
/// # Errors
/// Where its log driver keeps nothing, in Docker's words.
pub async fn print_logs<W: World>(
    ctx: &Ctx<W>,
    record: &ContainerRecord,
    query: &LogQuery,
    prefix: &str,
) -> Result<()> {
    if record.host.log.driver == "none" {
        return Err(Error::Daemon("configured logging driver does not support reading".into()));
    }
    let stored = ctx.world().logs(&record.id, 0).await?;
    let mut seen = stored.len();
    let wanted: Vec<&LogLine> = stored.iter().filter(|l| query.since.is_none_or(|t| l.at >= t)).collect();
    let from = wanted.len().saturating_sub(query.tail.unwrap_or(usize::MAX));
    for line in &wanted[from..] {
        if query.until.is_some_and(|t| line.at > t) {
            return Ok(());
        }
        show(ctx, record, query, prefix, line).await;
    }
    while query.follow && !ctx.client.broken() {
        if !ctx.world().more_logs(&record.id, seen).await {
            // Who reads to the end may expect that the container has stopped then.
            wait_stopped(ctx, &record.id, Some(Duration::from_secs(1))).await;
            break;
        }
        let more = ctx.world().logs(&record.id, seen).await?;
        seen += more.len();
        for line in &more {
            if query.until.is_some_and(|t| line.at > t) {
                return Ok(());
            }
            if query.since.is_none_or(|t| line.at >= t) {
                show(ctx, record, query, prefix, line).await;
            }
        }
    }
    Ok(())
}

/// What `--log-opt` has Docker note beside each line, as `env=x,label=y`. Source: moby, daemon/logger/loginfo.go.
fn details(record: &ContainerRecord) -> String {
    let option = |name: &str| record.host.log.options.get(name).map_or("", String::as_str);
    let (labels, env) = (record.labels(), &record.config.image.env);
    let mut all: Vec<(String, String)> = Vec::new();
    for name in option("labels").split(',') {
        all.extend(labels.get(name).map(|value| (name.to_string(), value.to_string())));
    }
    for name in option("env").split(',') {
        let entry = env.iter().find_map(|e| e.split_once('=').filter(|(n, _)| *n == name));
        all.extend(entry.map(|(name, value)| (name.to_string(), value.to_string())));
    }
    if record.host.log.driver != "local" && !option("tag").is_empty() {
        all.push(("tag".into(), option("tag").into()));
    }
    all.arrange();
    all.dedup();
    let shown = all.iter().map(|(name, value)| format!("{}={}", query_escape(name), query_escape(value)));
    shown.collect::<Vec<_>>().join(",")
}

/// Go's url.QueryEscape.
fn query_escape(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            byte => out += &format!("%{byte:02X}"),
        }
    }
    out
}

async fn show<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, query: &LogQuery, prefix: &str, line: &LogLine) {
    let mut bytes = prefix.as_bytes().to_vec();
    if query.timestamps {
        bytes.extend(rfc3339_nanos(line.at).bytes().chain([b' ']));
    }
    if query.details {
        bytes.extend(details(record).bytes().chain([b' ']));
    }
    bytes.extend_from_slice(&line.bytes);
    let to = if record.config.tty { Stream::Out } else { line.from };
    ctx.client.write(to, &bytes).await;
}
