//! `docker stats`: what containers use, once or over and over.

use super::{find, heal_all};
use crate::cli::Args;
use crate::container::ContainerRecord;
use crate::engine::{Ctx, Error, Result, settings};
use crate::view::rows::STATS;
use crate::view::table::Formatter;
use crate::view::units::{binary_size, short_size};
use crate::world::{Usage, World};
use serde_json::{Value, json};
use std::time::Duration;

/// Between two looks: processor use is what was used meanwhile.
const BETWEEN: Duration = Duration::from_secs(1);

/// `docker stats`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let format = settings::list_format(ctx, args.value("format"), false, "statsFormat").await;
    let formatter = Formatter::new(&STATS, &format, false).map_err(Error::Client)?;
    let full = args.flag("no-trunc");
    let mut before = look(ctx, args).await?;
    loop {
        let at = ctx.world().now();
        ctx.world().sleep(BETWEEN).await;
        let took = ctx.world().now().saturating_sub(at);
        let after = match look(ctx, args).await {
            Ok(after) => after,
            Err(_) if !args.flag("no-stream") => return Ok(0),
            Err(error) => return Err(error),
        };
        let rows: Vec<Value> = after
            .iter()
            .enumerate()
            .map(|(at, (record, usage))| {
                let first = before.iter().find(|(r, _)| r.id == record.id).and_then(|(_, u)| u.as_ref());
                let mut row = row(ctx, record, first, usage.as_ref(), took, full);
                // Named as it was asked for.
                row["Container"] = args.positionals.get(at).map_or(record.short_id(), String::as_str).into();
                row
            })
            .collect();
        let text = formatter.render(&rows).map_err(Error::Client)?;
        if args.flag("no-stream") {
            ctx.print(text).await;
            return Ok(0);
        }
        // To the top left corner, each line's rest and all below it cleared.
        ctx.print(format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n"))).await;
        if ctx.client.broken() {
            return Ok(0);
        }
        before = after;
    }
}

/// The containers asked for, or all running ones, and what each uses (`None` where it does not run).
async fn look<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<Vec<(ContainerRecord, Option<Usage>)>> {
    let mut records = Vec::new();
    if args.positionals.is_empty() {
        records = heal_all(ctx).await?;
        records.retain(|r| args.flag("all") || r.is_running());
    }
    for name in &args.positionals {
        records.push(find(ctx, name).await?);
    }
    let used = |r: ContainerRecord| {
        let usage = if r.is_running() { ctx.world().usage(&r.id).ok() } else { None };
        (r, usage)
    };
    Ok(records.into_iter().map(used).collect())
}

fn row<W: World>(
    ctx: &Ctx<W>,
    record: &ContainerRecord,
    first: Option<&Usage>,
    usage: Option<&Usage>,
    took: Duration,
    full: bool,
) -> Value {
    let id = if full { record.id.as_str() } else { record.short_id() };
    let Some(now) = usage else {
        return json!({
            "BlockIO": "0B / 0B", "CPUPerc": "0.00%", "Container": record.id, "ID": id, "MemPerc": "0.00%",
            "MemUsage": "0B / 0B", "Name": record.name, "NetIO": "0B / 0B", "PIDs": "0",
        });
    };
    let busy = now.cpu.saturating_sub(first.map_or(now.cpu, |u| u.cpu)).as_secs_f64();
    let cpu = if took.is_zero() { 0.0 } else { busy / took.as_secs_f64() * 100.0 };
    let limit = if now.memory_limit == 0 { ctx.world().host().memory } else { now.memory_limit };
    let memory = if limit == 0 { 0.0 } else { now.memory as f64 / limit as f64 * 100.0 };
    let pair = |a: u64, b: u64| format!("{} / {}", short_size(a), short_size(b));
    json!({
        "BlockIO": pair(now.block_read, now.block_written),
        "CPUPerc": format!("{cpu:.2}%"),
        "Container": record.id,
        "ID": id,
        "MemPerc": format!("{memory:.2}%"),
        "MemUsage": format!("{} / {}", binary_size(now.memory), binary_size(limit)),
        "Name": record.name,
        "NetIO": pair(now.received, now.sent),
        "PIDs": now.pids.to_string(),
    })
}
