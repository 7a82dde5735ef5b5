//! The history of builds: `docker buildx history`. Each build leaves a record of what it was told and what it told; the
//! latest fifty are kept.

mod inspect;

#[cfg(test)]
mod tests;

pub use inspect::inspect;

use super::board::Board;
use super::failure::Failure;
use super::options::Options;
use super::record::new_name;
use crate::build::{BuildHistoryRecord, joined};
use crate::cli::Invocation;
use crate::container::spec::parse_duration;
use crate::engine::{Ctx, Error, Result};
use crate::image::wire::from_rfc3339;
use crate::view::rows;
use crate::view::table::Formatter;
use crate::view::units;
use crate::world::{Fault, World};
use cutaway_userland::sorted::Arrange;
use serde_json::{Value, json};
use std::time::Duration;

/// How many records are kept.
const LIMIT: usize = 50;

/// Keeps a record of a build that has ended; its id. One that never began leaves none.
pub fn keep<W: World>(
    ctx: &Ctx<W>,
    options: &Options,
    board: &Board<'_, W>,
    started: Duration,
    failure: Option<&Failure>,
) -> std::result::Result<Option<String>, Fault> {
    if failure.is_some_and(|failure| !failure.is_solving() && !failure.is_canceled()) {
        return Ok(None);
    }
    let cwd = ctx.client.cwd();
    let absolute = |path: &str| if is_local(path) { joined(&cwd, path) } else { path.to_string() };
    let told = board.transcript();
    let pairs = |all: &cutaway_userland::sorted::Map<String, String>| {
        all.iter().map(|(k, v)| (k.clone(), v.clone())).collect::<Vec<_>>()
    };
    let mut settings = vec![("Image Resolve Mode".to_string(), "local".to_string())];
    let mut set = |name: &str, value: String| settings.push((name.to_string(), value));
    if options.network != "default" {
        set("Network", options.network.clone());
    }
    if !options.hosts.is_empty() {
        set("Extra Hosts", options.hosts.iter().map(|h| h.replacen(':', "=", 1)).collect::<Vec<_>>().join(", "));
    }
    if options.no_cache {
        set("No Cache", "true".into());
    }
    if !options.no_cache_stages.is_empty() {
        set("No Cache Filter", options.no_cache_stages.join(", "));
    }
    if let Some(bytes) = options.shm_size {
        set("Shm Size", bytes.to_string());
    }
    let record = BuildHistoryRecord {
        id: new_name(ctx),
        started,
        completed: ctx.world().now(),
        context: absolute(&options.context),
        dockerfile: options.file.as_deref().map(absolute).unwrap_or_default(),
        target: options.target.clone().unwrap_or_default(),
        platform: options.platform.clone().unwrap_or_default(),
        args: pairs(&options.build_args),
        labels: pairs(&options.labels),
        contexts: pairs(&options.contexts),
        settings,
        steps: told.steps,
        completed_steps: told.completed,
        cached_steps: told.cached,
        error: failure.map(|failure| failure.message().to_string()),
        canceled: failure.is_some_and(Failure::is_canceled),
        excerpt: failure.map(|failure| failure.excerpt().to_string()).unwrap_or_default(),
        failed: told.failed,
        log: told.text,
    };
    ctx.world().transact(|changes| {
        let mut all = changes.list::<BuildHistoryRecord>()?;
        all.arrange_by_key(|record| record.started);
        for old in all.iter().take((all.len() + 1).saturating_sub(LIMIT)) {
            changes.remove::<BuildHistoryRecord>(&old.id);
        }
        changes.put(&record)
    })?;
    Ok(Some(record.id))
}

fn is_local(path: &str) -> bool {
    path != "-" && !path.contains("://") && !path.starts_with("git@")
}

/// The name that a record is listed by: its folder, its Dockerfile, its target.
fn name_of(record: &BuildHistoryRecord) -> String {
    let local = if is_local(&record.context) { record.context.as_str() } else { "" };
    let file = record.dockerfile.strip_suffix("/Dockerfile").unwrap_or(&record.dockerfile);
    let by_default = file != record.dockerfile || file.is_empty();
    let last = |path: &str| path.rsplit('/').next().unwrap_or("").to_string();
    let mut name = if file.starts_with(local) && file.len() > local.len() {
        file[local.rfind('/').map_or(0, |i| i + 1)..].to_string()
    } else {
        let path = if file.is_empty() { local } else { file };
        match path.rsplit_once('/') {
            Some((folder, name)) if !by_default => format!("{}/{name}", last(folder)),
            _ => last(path),
        }
    };
    if !is_local(&record.context) && record.context != "-" {
        name.clone_from(&record.context);
    }
    match (record.target.is_empty(), name.is_empty()) {
        (true, _) => name,
        (false, true) => record.target.clone(),
        (false, false) => format!("{name} ({})", record.target),
    }
}

/// As `1m  2s`.
fn took(record: &BuildHistoryRecord) -> String {
    let time = record.completed.saturating_sub(record.started);
    match time.as_secs() {
        0..60 => format!("{:.1}s", time.as_secs_f64()),
        seconds => format!("{}m {:2}s", seconds / 60, seconds % 60),
    }
}

fn wrong(text: String) -> Error {
    Error::Client(format!("ERROR: {text}"))
}

/// All records, the latest first.
fn records<W: World>(ctx: &Ctx<W>) -> Result<Vec<BuildHistoryRecord>> {
    let mut all = ctx.world().list::<BuildHistoryRecord>()?;
    all.arrange_by_key(|record| std::cmp::Reverse(record.started));
    Ok(all)
}

/// The record that is asked for: the latest, one counted back from it (`^1`), or by its id.
fn find<W: World>(ctx: &Ctx<W>, asked: &str) -> Result<BuildHistoryRecord> {
    let all = records(ctx)?;
    let missing = || match asked {
        "" => wrong("no records found".into()),
        asked => wrong(format!("no record found for ref {asked:?}")),
    };
    let Some(back) = asked.strip_prefix('^') else {
        return all.into_iter().find(|record| asked.is_empty() || record.id == asked).ok_or_else(missing);
    };
    let invalid = || wrong(format!("invalid offset {asked:?}: strconv.Atoi: parsing {back:?}: invalid syntax"));
    let back: usize = back.parse().map_err(|_| invalid())?;
    let count = all.len();
    let none = || match back.saturating_sub(count) {
        0 => missing(),
        rest => wrong(format!("no completed build found with offset {rest}")),
    };
    all.into_iter().nth(back).ok_or_else(none)
}

/// `docker buildx history ls`.
pub async fn list<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let args = &call.args;
    let format = args.value("format").unwrap_or("table");
    let formatter = Formatter::new(&rows::BUILD_HISTORY, format, false).map_err(wrong)?;
    if args.flag("local") {
        return Err(wrong(
            "could not get remote URL for local filter: builds here are not told by their repositories".into(),
        ));
    }
    let now = ctx.world().now();
    let filters: Vec<Filter> =
        args.values("filter").iter().map(|text| Filter::parse(text, now)).collect::<Result<_>>()?;
    let shown = |record: &BuildHistoryRecord| filters.iter().all(|filter| filter.takes(record));
    let all: Vec<BuildHistoryRecord> = records(ctx)?.into_iter().filter(shown).collect();
    if format == "json" {
        for record in &all {
            ctx.print(format!("{}\n", row_json(record))).await;
        }
        return Ok(0);
    }
    let cut = formatter.is_table() && !args.flag("no-trunc");
    let row = |record: &BuildHistoryRecord| {
        let name = name_of(record);
        let length = name.chars().count();
        let name = match cut && length > 36 {
            true => format!("..{}", name.chars().skip(length - 34).collect::<String>()),
            false => name,
        };
        json!({
            "Ref": record.id,
            "Name": name,
            "Status": if record.error.is_some() { "Error" } else { "Completed" },
            "CreatedAt": units::ago(record.started, now),
            "Duration": took(record),
            "Link": if formatter.is_table() { String::new() } else { link(record) },
        })
    };
    let rows: Vec<Value> = all.iter().map(row).collect();
    ctx.print(formatter.render(&rows).map_err(wrong)?).await;
    Ok(0)
}

/// Where Docker Desktop shows it.
fn link(record: &BuildHistoryRecord) -> String {
    format!("docker-desktop://dashboard/build/default/default/{}", record.id)
}

fn row_json(record: &BuildHistoryRecord) -> Value {
    json!({
        "cached_steps": record.cached_steps,
        "completed_at": units::rfc3339_nanos(record.completed),
        "completed_steps": record.completed_steps,
        "created_at": units::rfc3339_nanos(record.started),
        "name": name_of(record),
        "ref": format!("default/default/{}", record.id),
        "status": if record.error.is_some() { "Error" } else { "Completed" },
        "total_steps": record.steps,
    })
}

/// One `--filter`.
struct Filter {
    key: String,
    sign: &'static str,
    value: String,
    /// What a time or a length is compared with.
    bound: Duration,
}

impl Filter {
    fn parse(text: &str, now: Duration) -> Result<Filter> {
        let signs = ["!=", "=", "<=", "<", ">=", ">"];
        // As buildx looks for them: the first that is there at all.
        let found = signs.into_iter().find_map(|sign| text.split_once(sign).map(|(key, value)| (key, sign, value)));
        let Some((key, mut sign, value)) = found else { return Err(wrong(format!("invalid filter {text:?}"))) };
        let mut key = key;
        if let Some(name) = key.strip_suffix(['<', '>']).filter(|_| sign == "=") {
            sign = if key.ends_with('<') { "<=" } else { ">=" };
            key = name;
        }
        let mut bound = Duration::ZERO;
        let length = |text: &str| parse_duration(text).ok().map(|n| Duration::from_nanos(n.max(0).unsigned_abs()));
        match key {
            "ref" | "repository" | "status" if !matches!(sign, "=" | "!=") => {
                return Err(wrong(format!("invalid separator for {text:?}, expected = or !=")));
            }
            "ref" | "repository" | "status" => {}
            "startedAt" | "completedAt" | "duration" if matches!(sign, "=" | "!=") => {
                return Err(wrong(format!("invalid separator for {text:?}, expected <=, <, >= or >")));
            }
            "startedAt" | "completedAt" => {
                let moment = length(value).map(|ago| now.saturating_sub(ago)).or_else(|| from_rfc3339(value));
                bound = moment.ok_or_else(|| wrong(format!("invalid time {value}")))?;
            }
            "duration" => bound = length(value).ok_or_else(|| wrong(format!("invalid duration {value}")))?,
            _ => return Err(wrong(format!("unsupported filter {text:?}"))),
        }
        Ok(Filter { key: key.to_string(), sign, value: value.to_string(), bound })
    }

    fn takes(&self, record: &BuildHistoryRecord) -> bool {
        let text = match self.key.as_str() {
            "ref" => record.id.as_str(),
            "repository" if !is_local(&record.context) => record.context.as_str(),
            "repository" => "",
            "status" => match (&record.error, record.canceled) {
                (_, true) => "canceled",
                (Some(_), false) => "error",
                (None, false) => "completed",
            },
            key => {
                let value = match key {
                    "startedAt" => record.started,
                    "completedAt" => record.completed,
                    _ => record.completed.saturating_sub(record.started),
                };
                return match self.sign {
                    ">=" => value >= self.bound,
                    "<=" => value <= self.bound,
                    ">" => value > self.bound,
                    _ => value < self.bound,
                };
            }
        };
        match (self.sign, self.key.as_str()) {
            ("=", "status") => text == self.value,
            ("=", _) => text.contains(&self.value),
            _ => text != self.value,
        }
    }
}

/// `docker buildx history logs`: the progress again.
pub async fn logs<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let record = find(ctx, call.args.word(0))?;
    match call.args.value("progress").unwrap_or("plain") {
        "plain" | "auto" | "tty" => ctx.warn(&record.log).await,
        "quiet" => {}
        "rawjson" => return Err(wrong("a record keeps its progress as text, not as JSON".into())),
        other => return Err(wrong(format!("invalid progress type: {other}"))),
    }
    Ok(0)
}

/// `docker buildx history rm`.
pub async fn remove<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let (refs, all) = (&call.args.positionals, call.args.flag("all"));
    match (refs.is_empty(), all) {
        (true, false) => return Err(wrong("rm requires at least one argument".into())),
        (false, true) => return Err(wrong("rm requires either --all or at least one argument".into())),
        _ => {}
    }
    let known = ctx.world().list::<BuildHistoryRecord>()?;
    for record in known.iter().filter(|record| all || refs.contains(&record.id)) {
        ctx.world().remove::<BuildHistoryRecord>(&record.id)?;
    }
    match refs.iter().find(|id| !known.iter().any(|record| record.id == **id)) {
        Some(missing) => Err(wrong(format!("no record found for ref {missing:?}"))),
        None => Ok(0),
    }
}
