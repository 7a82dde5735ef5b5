//! `docker system df`: how much disk images, containers, volumes and the build cache take.

use super::cache;
use crate::build::BuildCacheRecord;
use crate::cli::Invocation;
use crate::container::ContainerRecord;
use crate::engine::{Ctx, Error, Result, container, image, volume};
use crate::image::ImageRecord;
use crate::name::ChainId;
use crate::view::filter::Filters;
use crate::view::rows::{self, Kind};
use crate::view::table::Formatter;
use crate::view::template::{Shape, Template};
use crate::view::units;
use crate::volume::VolumeRecord;
use crate::world::World;
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Value, json};

/// All that is measured.
struct Disk {
    images: Vec<ImageRecord>,
    containers: Vec<ContainerRecord>,
    volumes: Vec<VolumeRecord>,
    cache: Vec<BuildCacheRecord>,
    /// Layers of images: their bytes, and in how many images they are.
    layers: BTreeMap<ChainId, (u64, usize)>,
}

pub(super) async fn usage<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let world = ctx.world();
    let images = world.list::<ImageRecord>()?;
    let mut layers: BTreeMap<ChainId, (u64, usize)> = BTreeMap::new();
    for layer in images.iter().flat_map(|image| &image.layers) {
        layers.entry(layer.chain).or_insert((layer.size, 0)).1 += 1;
    }
    let disk = Disk {
        images,
        containers: container::heal_all(ctx).await?,
        volumes: world.list()?,
        cache: world.list()?,
        layers,
    };
    let format = call.args.value("format").unwrap_or("");
    let text = match call.args.flag("verbose") {
        true => verbose(ctx, &disk, format)?,
        false => summary(ctx, &disk, format)?,
    };
    ctx.print(text).await;
    Ok(0)
}

/// `1.984MB (99%)`: what could be given back, and how much of all that is.
fn reclaimable(bytes: u64, of: u64) -> String {
    match (bytes * 100).checked_div(of) {
        Some(percent) => format!("{} ({percent}%)", units::size(bytes)),
        None => units::size(bytes),
    }
}

fn row(kind: &str, count: usize, active: usize, size: u64, reclaimable: String) -> Value {
    json!({
        "Active": active.to_string(),
        "Reclaimable": reclaimable,
        "Size": units::size(size),
        "TotalCount": count.to_string(),
        "Type": kind,
    })
}

impl Disk {
    /// The bytes of an image's layers that no other image has.
    fn unique(&self, image: &ImageRecord) -> u64 {
        let own = image.layers.iter().filter(|l| self.layers.get(&l.chain).is_none_or(|(_, images)| *images <= 1));
        own.map(|l| l.size).sum()
    }

    fn is_used(&self, image: &ImageRecord) -> bool {
        self.containers.iter().any(|container| container.image == image.id)
    }

    fn links(&self, volume: &VolumeRecord) -> usize {
        let uses = |c: &&ContainerRecord| c.mounts.iter().any(|m| m.name == volume.name);
        self.containers.iter().filter(uses).count()
    }
}

fn summary<W: World>(ctx: &Ctx<W>, disk: &Disk, format: &str) -> Result<String> {
    let world = ctx.world();
    let stored: u64 = disk.layers.values().map(|(size, _)| size).sum();
    let used: Vec<&ImageRecord> = disk.images.iter().filter(|image| disk.is_used(image)).collect();
    let needed: u64 = used.iter().map(|image| disk.unique(image)).sum();
    let images =
        row("Images", disk.images.len(), used.len(), stored, reclaimable(stored.saturating_sub(needed), stored));

    let size = |c: &ContainerRecord| world.snapshot_size(&c.snapshot);
    let (running, stopped): (Vec<_>, Vec<_>) = disk.containers.iter().partition(|c| c.is_running());
    let idle: u64 = stopped.iter().map(|c| size(c)).sum();
    let all = idle + running.iter().map(|c| size(c)).sum::<u64>();
    let containers = row("Containers", disk.containers.len(), running.len(), all, reclaimable(idle, all));

    let size = |v: &VolumeRecord| world.volume_size(&v.name);
    let (linked, loose): (Vec<_>, Vec<_>) = disk.volumes.iter().partition(|v| disk.links(v) > 0);
    let idle: u64 = loose.iter().map(|v| size(v)).sum();
    let all = idle + linked.iter().map(|v| size(v)).sum::<u64>();
    let volumes = row("Local Volumes", disk.volumes.len(), linked.len(), all, reclaimable(idle, all));

    let bytes = cache::own_bytes(&disk.cache, &cache::image_layers(&disk.images));
    let cache = row("Build Cache", disk.cache.len(), 0, bytes, units::size(bytes));
    table(&rows::DISK_USAGE, format, &[images, containers, volumes, cache])
}

fn table(kind: &'static Kind, format: &str, rows: &[Value]) -> Result<String> {
    Formatter::new(kind, format, false).and_then(|formatter| formatter.render(rows)).map_err(Error::Client)
}

/// Everything by itself.
fn verbose<W: World>(ctx: &Ctx<W>, disk: &Disk, format: &str) -> Result<String> {
    let whole = !matches!(format, "" | "table");
    let images = image_rows(ctx, disk, whole)?;
    let now = ctx.world().now();
    let look = container::Look { full: whole, sizes: true, now };
    let containers: Vec<Value> = disk
        .containers
        .iter()
        .map(|record| {
            let mut row = container::row(ctx, record, &look);
            row["Size"] = units::short_size(ctx.world().snapshot_size(&record.snapshot)).into();
            row
        })
        .collect();
    let volumes: Vec<Value> = disk
        .volumes
        .iter()
        .map(|v| volume::row(ctx, v, Some((disk.links(v), ctx.world().volume_size(&v.name)))))
        .collect();
    let chains = cache::image_layers(&disk.images);
    let cache: Vec<Value> = disk.cache.iter().map(|step| cache::row(step, &chains, now, whole)).collect();
    if whole {
        let all = json!({
            "Images": plain(images), "Containers": plain(containers), "Volumes": plain(volumes), "BuildCache": cache
        });
        if format == "json" {
            return Ok(format!("{all}\n"));
        }
        let shape = Shape { type_name: Some("*formatter.diskUsageContext"), ..Shape::default() };
        let text = Template::parse(format).and_then(|template| template.execute(&all, &shape));
        return text.map(|text| text + "\n").map_err(|e| Error::Client(format!("template parsing error: {e}")));
    }
    let bytes = cache::own_bytes(&disk.cache, &chains);
    Ok([
        format!("Images space usage:\n\n{}", table(&rows::IMAGE_USAGE, "", &images)?),
        format!("\nContainers space usage:\n\n{}", table(&rows::CONTAINER_USAGE, "", &containers)?),
        format!("\nLocal Volumes space usage:\n\n{}", table(&rows::VOLUME_USAGE, "", &volumes)?),
        format!("\nBuild cache usage: {}\n\n{}", units::size(bytes), table(&rows::CACHE_USAGE, "", &cache)?),
    ]
    .concat())
}

fn image_rows<W: World>(ctx: &Ctx<W>, disk: &Disk, whole: bool) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for listed in image::matching(ctx, &Filters::default(), false)? {
        let unique = disk.unique(&listed.image);
        for mut row in image::image_rows(ctx, &listed, false, whole)? {
            row["SharedSize"] = units::size(listed.image.size().saturating_sub(unique)).into();
            row["UniqueSize"] = units::size(unique).into();
            all.push(row);
        }
    }
    Ok(all)
}

/// Rows without what only templates look at.
fn plain(mut rows: Vec<Value>) -> Vec<Value> {
    for row in rows.iter_mut().filter_map(Value::as_object_mut) {
        row.retain(|key, _| !key.starts_with('@'));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        assert_eq!(reclaimable(1_984_000, 1_984_008), "1.984MB (99%)");
        assert_eq!(reclaimable(0, 0), "0B");
        assert_eq!(reclaimable(0, 10), "0B (0%)");
    }
}
