//! The cache of build steps: looking at it and emptying it.

use crate::build::BuildCacheRecord;
use crate::cli::Invocation;
use crate::engine::image::{confirm, drop_layers};
use crate::engine::{Ctx, Error, Result};
use crate::view::filter::Filters;
use crate::view::table::align;
use crate::view::units;
use crate::world::World;
use std::time::Duration;

/// What went from the cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CachePruned {
    pub ids: Vec<String>,
    pub bytes: u64,
}

/// Takes steps out of the cache, and with them the layers that no image has. `unused_for` keeps what was used since.
pub async fn prune_cache<W: World>(ctx: &Ctx<W>, unused_for: Option<Duration>) -> Result<CachePruned> {
    let mut pruned = CachePruned::default();
    let now = ctx.world().now();
    let mut layers = Vec::new();
    for record in ctx.world().list::<BuildCacheRecord>()? {
        if unused_for.is_some_and(|time| now.saturating_sub(record.last_used) < time) {
            continue;
        }
        ctx.world().remove::<BuildCacheRecord>(&record.key.to_string())?;
        pruned.ids.push(record.id);
        pruned.bytes += record.size;
        for layer in record.layers {
            if !layers.contains(&layer) {
                layers.push(layer);
            }
        }
    }
    // A layer stands on those below it: the deepest stacks go first.
    layers.sort_by_key(|l| l.chain);
    drop_layers(ctx, &layers).await?;
    Ok(pruned)
}

pub async fn prune<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let warning = if call.args.flag("all") {
        "WARNING! This will remove all build cache."
    } else {
        "WARNING! This will remove all dangling build cache."
    };
    if !call.args.flag("force") && !confirm(ctx, warning).await? {
        return Ok(0);
    }
    let filters = Filters::parse(call.args.values("filter"));
    let unused = match filters.values("until").last().or(filters.values("unused-for").last()) {
        Some(text) => Some(crate::cli::parse_duration(text).map_err(Error::Client)?),
        None => None,
    };
    let pruned = prune_cache(ctx, unused).await?;
    if call.command == "buildx prune" || call.typed.contains("buildx") || call.typed.contains("builder") {
        let mut rows = String::new();
        if !pruned.ids.is_empty() {
            rows.push_str("ID\tRECLAIMABLE\tSIZE\tLAST ACCESSED\n");
            for id in &pruned.ids {
                rows.push_str(&format!("{id}*\ttrue\t0B\t\n"));
            }
        }
        let text = format!("{rows}Total:\t{}\n", units::short_size(pruned.bytes));
        ctx.print(align(&text, 0, 3)).await;
        return Ok(0);
    }
    Ok(0)
}

pub async fn usage<W: World>(ctx: &Ctx<W>) -> Result<i32> {
    let mut records = ctx.world().list::<BuildCacheRecord>()?;
    records.sort_by_key(|r| std::cmp::Reverse(r.last_used));
    let now = ctx.world().now();
    let mut text = String::from("ID\tRECLAIMABLE\tSIZE\tLAST ACCESSED\n");
    let mut total = 0;
    for record in &records {
        total += record.size;
        let size = units::short_size(record.size);
        text.push_str(&format!("{}*\ttrue\t{size}\t{}\n", record.id, units::ago(record.last_used, now)));
    }
    let size = units::short_size(total);
    text = align(&text, 0, 3);
    ctx.print(format!("{text}Reclaimable:\t{size}\nTotal:\t\t{size}\n")).await;
    Ok(0)
}

pub async fn list<W: World>(ctx: &Ctx<W>) -> Result<i32> {
    let architecture = crate::image::wire::Platform::normal("linux", &ctx.world().host().architecture, "");
    let text = format!(
        "NAME/NODE\tDRIVER/ENDPOINT\tSTATUS\tBUILDKIT\tPLATFORMS\ndefault*\tdocker\t\t\t\n \\_ default\t \\_ default\trunning\tv0.0.0+unknown\t{architecture}\n"
    );
    ctx.print(align(&text, 0, 3)).await;
    Ok(0)
}
