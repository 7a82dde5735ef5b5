//! `docker logs`: the stored output, from the end or the beginning, and what still comes.

use super::{find, wait_stopped};
use crate::cli::Args;
use crate::container::ContainerRecord;
use crate::engine::{Ctx, Error, Result};
use crate::view::units::{parse_moment, rfc3339_nanos};
use crate::world::{LogLine, Stream, World};
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

async fn show<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, query: &LogQuery, prefix: &str, line: &LogLine) {
    let mut bytes = prefix.as_bytes().to_vec();
    if query.timestamps {
        bytes.extend(rfc3339_nanos(line.at).bytes().chain([b' ']));
    }
    if query.details {
        bytes.push(b' ');
    }
    bytes.extend_from_slice(&line.bytes);
    let to = if record.config.tty { Stream::Out } else { line.from };
    ctx.client.write(to, &bytes).await;
}
