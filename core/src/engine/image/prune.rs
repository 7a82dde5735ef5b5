//! `docker image prune`: images that nothing names or uses.

use super::find::references;
use super::remove::{Removed, containers_of, has_children, remove_image};
use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result, system};
use crate::image::ImageRecord;
use crate::name::ChainId;
use crate::view::filter::Filters;
use crate::view::units;
use crate::world::World;
use cutaway_userland::sorted::Map as BTreeMap;

/// What went, and how many bytes of files that gave back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub removed: Vec<Removed>,
    pub bytes: u64,
}

impl Pruned {
    /// As `docker image prune` and `docker system prune` list it: nothing, or a heading and lines.
    pub fn text(&self) -> String {
        if self.removed.is_empty() {
            return String::new();
        }
        let line = |one: &Removed| match one {
            Removed::Untagged(name) => format!("untagged: {name}\n"),
            Removed::Deleted(digest) => format!("deleted: {digest}\n"),
        };
        format!("Deleted Images:\n{}\n", self.removed.iter().map(line).collect::<String>())
    }
}

pub async fn prune<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let all = call.args.flag("all");
    let warning = if all {
        "WARNING! This will remove all images without at least one container associated to them.\nAre you sure you want to continue?"
    } else {
        "WARNING! This will remove all dangling images.\nAre you sure you want to continue?"
    };
    if !call.args.flag("force") && !system::confirm(ctx, warning).await {
        return Ok(0);
    }
    let pruned = prune_images(ctx, all, call.args.values("filter")).await?;
    let total = units::size(pruned.bytes);
    ctx.print(format!("{}Total reclaimed space: {total}\n", pruned.text())).await;
    Ok(0)
}

/// Removes dangling images, with `all` every one that no container uses. Filters are `until=`, `label=`, `label!=`.
pub async fn prune_images<W: World>(ctx: &Ctx<W>, all: bool, filters: &[String]) -> Result<Pruned> {
    let filters = Filters::parse(filters);
    filters.allow(&["dangling", "label", "label!", "until"]).map_err(Error::Daemon)?;
    for until in filters.values("until") {
        units::parse_moment(until, ctx.world().now()).map_err(Error::Daemon)?;
    }
    let all = all || filters.flag("dangling").map_err(Error::Daemon)? == Some(false);
    let mut pruned = Pruned::default();
    let images = ctx.world().list::<ImageRecord>()?;
    let mut sizes: BTreeMap<ChainId, u64> = BTreeMap::new();
    for image in &images {
        sizes.extend(image.layers.iter().map(|l| (l.chain, l.size)));
    }
    for image in images {
        if !fits(ctx, &image, &filters)? || !containers_of(ctx, &image.id)?.is_empty() {
            continue;
        }
        let names = references(ctx, &image.id)?;
        let tagged = names.iter().any(|r| r.digest().is_none());
        let targets: Vec<String> = match (names.is_empty(), tagged && !all) {
            (true, _) if has_children(ctx, &image.id)? => continue,
            (true, _) => vec![image.id.hex()],
            (false, true) => continue,
            (false, false) => names.iter().map(|r| r.to_string()).collect(),
        };
        for target in targets {
            // A name may be gone with another one, and somebody may just have begun to use the image.
            if let Ok(removed) = remove_image(ctx, &target, false, true).await {
                pruned.removed.extend(removed);
            }
        }
    }
    for one in &pruned.removed {
        if let Removed::Deleted(digest) = one {
            pruned.bytes += sizes.get(digest).copied().unwrap_or(0);
        }
    }
    Ok(pruned)
}

fn fits<W: World>(ctx: &Ctx<W>, image: &ImageRecord, filters: &Filters) -> Result<bool> {
    for until in filters.values("until") {
        let until = units::parse_moment(until, ctx.world().now()).map_err(Error::Daemon)?;
        if image.created.is_none_or(|created| created > until) {
            return Ok(false);
        }
    }
    Ok(filters.labels(image.config.labels.as_ref().unwrap_or(&BTreeMap::new())))
}
