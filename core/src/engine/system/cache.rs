//! The build cache: taking steps away that no build needs any more, and showing them.

use super::{Pruned, confirm};
use crate::build::BuildCacheRecord;
use crate::cli::Invocation;
use crate::container::spec::{parse_bytes, parse_duration};
use crate::engine::{Ctx, Error, Result, image};
use crate::image::ImageRecord;
use crate::name::ChainId;
use crate::view::filter::Filters;
use crate::view::table::align;
use crate::view::units;
use crate::world::World;
use crate::world::acts::RemoveVolume;
use cutaway_userland::sorted::Arrange;
use cutaway_userland::sorted::Set as BTreeSet;
use serde_json::{Value, json};
use std::time::Duration;

/// `docker builder prune`: what went, in the table that buildx prints.
pub(super) async fn prune_command<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let all = call.args.flag("all");
    let which = if all { "all build cache" } else { "all dangling build cache" };
    let question = format!("WARNING! This will remove {which}. Are you sure you want to continue?");
    if !call.args.flag("force") && !confirm(ctx, &question).await {
        return Ok(0);
    }
    let limit = call.args.value("max-used-space").or(call.args.value("reserved-space"));
    let keep = limit.map(parse_bytes).transpose().map_err(Error::Client)?;
    let now = ctx.world().now();
    let before = ctx.world().list::<BuildCacheRecord>()?;
    let filters = Filters::parse(call.args.values("filter"));
    let pruned = prune_cache(ctx, all, &filters, keep.unwrap_or(0)).await?;
    if call.args.flag("verbose") {
        let images = image_layers(&ctx.world().list::<ImageRecord>()?);
        for step in before.iter().filter(|step| pruned.lines.contains(&step.id)) {
            ctx.print(whole(step, is_shared(step, &images), now)).await;
        }
        ctx.print(format!("Total:\t{}\n", units::size(pruned.reclaimed))).await;
        return Ok(0);
    }
    let mut rows = vec!["ID\tRECLAIMABLE\tSIZE\tLAST ACCESSED".to_string()];
    for step in before.iter().filter(|step| pruned.lines.contains(&step.id)) {
        // What is not a layer can be written to again.
        let mark = if step.layers.is_empty() { "*" } else { "" };
        let (size, used) = (units::size(step.size), units::ago(step.last_used, now));
        rows.push(format!("{}{mark}\ttrue\t{size}\t{used}", step.id));
    }
    let table = if pruned.lines.is_empty() { String::new() } else { align(&rows.join("\n"), 10, 3) + "\n" };
    ctx.print(format!("{table}Total:\t{}\n", units::size(pruned.reclaimed))).await;
    Ok(0)
}

/// All that is known of a step that went, for `--verbose`. Source: buildx, commands/prune.go.
fn whole(step: &BuildCacheRecord, shared: bool, now: Duration) -> String {
    let some = |name: &'static str, value: String| (!value.is_empty()).then_some((name, value));
    let rows = [
        some("ID", step.id.clone()),
        some("Parent", step.parents.join(",")),
        some("Created at", units::go_time_nanos(step.created)),
        some("Mutable", step.layers.is_empty().to_string()),
        some("Reclaimable", "true".into()),
        some("Shared", shared.to_string()),
        some("Size", units::size(step.size)),
        some("Description", step.description.clone()),
        some("Usage count", step.uses.to_string()),
        some("Last used", units::ago(step.last_used, now)),
        some("Type", step.kind.clone()),
    ];
    let line =
        |(name, value): (&str, String)| format!("{name}:{}{value}\n", if name.len() < 7 { "\t\t" } else { "\t" });
    rows.into_iter().flatten().map(line).collect::<String>() + "\n"
}

/// Removes the cached steps that the filters (`until=24h`, `id`, `type`) allow, those used longest ago first, until no
/// more than `keep` bytes are left. Without `all`, steps whose layer an image has stay. Layers that images or containers
/// stand on stay in any case.
///
/// # Errors
/// Filters that are not there, and what the world refuses.
pub async fn prune_cache<W: World>(ctx: &Ctx<W>, all: bool, filters: &Filters, keep: u64) -> Result<Pruned> {
    filters
        .allow(&["until", "unused-for", "id", "type", "description", "inuse", "shared", "private", "parents", "label"])
        .map_err(Error::Daemon)?;
    let now = ctx.world().now();
    let mut least_age = Duration::ZERO;
    for text in filters.values("until").iter().chain(filters.values("unused-for")) {
        let age = parse_duration(text).map_err(Error::Daemon)?;
        least_age = Duration::from_nanos(age.max(0).unsigned_abs());
    }
    let mut steps = ctx.world().list::<BuildCacheRecord>()?;
    steps.arrange_by_key(|step| step.last_used);
    let images = image_layers(&ctx.world().list::<ImageRecord>()?);
    // What steps have made is told as theirs; what they only stand on is a base image's.
    let own = steps.iter().filter(|step| step.size > 0).filter_map(|step| step.layers.last());
    let made: BTreeSet<ChainId> = own.map(|layer| layer.chain).collect();
    let mut left: u64 = steps.iter().map(|step| step.size).sum();
    let mut pruned = Pruned::default();
    for step in steps {
        let fits = filters.matches("id", &step.id)
            && filters.exact("type", &step.kind)
            && filters.matches("description", &step.description);
        let shared = is_shared(&step, &images);
        if !fits || (shared && !all) || now.saturating_sub(step.last_used) < least_age || (keep > 0 && left <= keep) {
            continue;
        }
        ctx.world().remove::<BuildCacheRecord>(&step.key.to_string())?;
        let base = step.layers.iter().map(|layer| layer.chain).filter(|chain| !made.contains(chain));
        let sizes: Vec<(ChainId, u64)> = base.map(|chain| (chain, ctx.world().layer_size(&chain))).collect();
        let gone = image::drop_layers(ctx, &step.layers).await?;
        pruned.reclaimed += sizes.iter().filter(|(chain, _)| gone.contains(chain)).map(|(_, size)| size).sum::<u64>();
        if let Some(name) = step.volume() {
            ctx.act("The folder that builds kept is given up", RemoveVolume { name }).await?;
        }
        left -= step.size;
        pruned.reclaimed += if shared { 0 } else { step.size };
        pruned.lines.push(step.id);
    }
    Ok(pruned)
}

/// The layers that images have.
pub(super) fn image_layers(images: &[ImageRecord]) -> BTreeSet<ChainId> {
    images.iter().flat_map(ImageRecord::chains).collect()
}

/// Whether an image has what a step made.
fn is_shared(step: &BuildCacheRecord, images: &BTreeSet<ChainId>) -> bool {
    step.layers.last().is_some_and(|layer| images.contains(&layer.chain))
}

/// A row of `system df -v`.
pub(super) fn row(step: &BuildCacheRecord, images: &BTreeSet<ChainId>, now: Duration, whole: bool) -> Value {
    json!({
        "CacheType": step.kind,
        "CreatedAt": units::go_time_nanos(step.created),
        "CreatedSince": units::ago(step.created, now),
        "Description": step.description,
        "ID": if whole { step.id.as_str() } else { step.id.get(..12).unwrap_or(&step.id) },
        "InUse": "false",
        "LastUsedAt": units::go_time_nanos(step.last_used),
        "LastUsedSince": units::ago(step.last_used, now),
        "Parent": step.parents.join(","),
        "Shared": is_shared(step, images).to_string(),
        "Size": units::size(step.size),
        "UsageCount": step.uses.to_string(),
    })
}

/// The bytes that only the cache holds.
pub(super) fn own_bytes(steps: &[BuildCacheRecord], images: &BTreeSet<ChainId>) -> u64 {
    steps.iter().filter(|step| !is_shared(step, images)).map(|step| step.size).sum()
}

#[cfg(test)]
mod tests {
    use crate::sim::session::{Config, Session};

    #[test]
    fn layers_that_only_the_cache_held_are_told_of() {
        let script = "docker pull -q busybox > /dev/null; printf 'FROM busybox\\nRUN echo hi > /f\\n' > Dockerfile\n\
            docker images --format '{{.Size}}'; docker build -q . > /dev/null 2>&1\n\
            docker image prune -af | tail -1; docker builder prune -af | tail -1; docker system df --format '{{.Size}}'";
        let mut seen = Vec::new();
        Session::new(Config::default()).script(script, |bytes| seen.extend_from_slice(bytes));
        let text = String::from_utf8_lossy(&seen).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let bytes = |at: usize| -> u64 {
            let digits: String = lines[at].chars().filter(char::is_ascii_digit).collect();
            digits.parse().unwrap_or_default()
        };
        assert_eq!(lines[3..], ["0B", "0B", "0B", "0B"], "{text}");
        assert!(bytes(2) > bytes(0) && bytes(0) > 0, "the base image's bytes are in the total: {text}");
    }
}
