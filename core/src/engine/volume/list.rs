//! `docker volume ls` and `docker volume inspect`.

use super::create::find;
use crate::cli::Invocation;
use crate::container::ContainerRecord;
use crate::engine::system::Inspection;
use crate::engine::{Ctx, Error, Result, settings};
use crate::view::filter::Filters;
use crate::view::table::Formatter;
use crate::view::{rows, units};
use crate::volume::VolumeRecord;
use crate::world::World;
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Value, json};

pub(super) async fn inspect<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let mut inspection = Inspection::new(ctx, call.args.value("format").unwrap_or("")).await?;
    for name in &call.args.positionals {
        inspection.add(find(ctx, name).map(|record| inspect_value(ctx, &record)));
    }
    inspection.finish(ctx).await
}

/// What `docker volume inspect` shows of one.
pub fn inspect_value<W: World>(ctx: &Ctx<W>, volume: &VolumeRecord) -> Value {
    let map = |map: &BTreeMap<String, String>| if map.is_empty() { Value::Null } else { json!(map) };
    json!({
        "CreatedAt": units::rfc3339_seconds(volume.created),
        "Driver": volume.driver,
        "Labels": map(&volume.labels),
        "Mountpoint": ctx.world().volume_path(&volume.name),
        "Name": volume.name,
        "Options": map(&volume.options),
        "Scope": "local",
    })
}

/// The containers (ids) that a volume is mounted in, running or not.
pub fn users<W: World>(ctx: &Ctx<W>, name: &str) -> Result<Vec<String>> {
    let all = ctx.world().list::<ContainerRecord>()?;
    let uses = |record: &&ContainerRecord| record.mounts.iter().any(|m| !m.name.is_empty() && m.name == name);
    Ok(all.iter().filter(uses).map(|record| record.id.clone()).collect())
}

pub(super) async fn list<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let args = &call.args;
    let filters = Filters::parse(args.values("filter"));
    filters.allow(&["dangling", "driver", "label", "label!", "name"]).map_err(Error::Daemon)?;
    let dangling = filters.flag("dangling").map_err(Error::Daemon)?;
    let quiet = args.flag("quiet");
    let format = settings::list_format(ctx, args.value("format"), quiet, "volumesFormat").await;
    let formatter = Formatter::new(&rows::VOLUMES, &format, quiet).map_err(Error::Client)?;
    let mut shown = Vec::new();
    for volume in ctx.world().list::<VolumeRecord>()? {
        if !(filters.exact("driver", &volume.driver)
            && filters.matches("name", &volume.name)
            && filters.labels(&volume.labels))
        {
            continue;
        }
        if let Some(wanted) = dangling
            && wanted != users(ctx, &volume.name)?.is_empty()
        {
            continue;
        }
        shown.push(row(ctx, &volume, None));
    }
    let text = formatter.render(&shown).map_err(Error::Client)?;
    ctx.print(text).await;
    Ok(0)
}

/// A row of `volume ls`; `usage` (links and bytes) is known to `system df` only.
pub fn row<W: World>(ctx: &Ctx<W>, volume: &VolumeRecord, usage: Option<(usize, u64)>) -> Value {
    json!({
        "Availability": "N/A",
        "Driver": volume.driver,
        "Group": "N/A",
        "Labels": units::labels(&volume.labels),
        "Links": usage.map_or("N/A".to_string(), |(links, _)| links.to_string()),
        "Mountpoint": ctx.world().volume_path(&volume.name),
        "Name": volume.name,
        "Scope": "local",
        "Size": usage.map_or("N/A".to_string(), |(_, bytes)| units::size(bytes)),
        "Status": "N/A",
        "@labels": volume.labels,
    })
}
