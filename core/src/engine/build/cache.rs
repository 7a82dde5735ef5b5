//! Looking at the cache of build steps, and at the builders that there are.

use crate::build::BuildCacheRecord;
use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::image::ImageRecord;
use crate::image::wire::Platform;
use crate::name::ChainId;
use crate::view::rows;
use crate::view::table::{Formatter, align};
use crate::view::units;
use crate::world::World;
use cutaway_userland::sorted::Arrange;
use cutaway_userland::sorted::Set as BTreeSet;
use serde_json::json;

/// `docker builder du`.
pub async fn usage<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let formatter = Formatter::new(&rows::BUILDER_CACHE, call.args.value("format").unwrap_or(""), false);
    let formatter = formatter.map_err(Error::Client)?;
    let mut records = ctx.world().list::<BuildCacheRecord>()?;
    records.arrange_by_key(|r| (r.size, std::cmp::Reverse(r.last_used)));
    let images = ctx.world().list::<ImageRecord>()?;
    let of_images: BTreeSet<ChainId> = images.iter().flat_map(ImageRecord::chains).collect();
    let now = ctx.world().now();
    let (mut shared, mut total) = (0, 0);
    let mut lines = Vec::new();
    for record in &records {
        let is_shared = record.layers.last().is_some_and(|l| of_images.contains(&l.chain));
        total += record.size;
        shared += if is_shared { record.size } else { 0 };
        lines.push(json!({
            // What is not a layer can be written to again.
            "ID": format!("{}{}", record.id, if record.layers.is_empty() { "*" } else { "" }),
            "LastAccessed": units::ago(record.last_used, now),
            "Reclaimable": "true",
            "Size": format!("{}{}", units::short_size(record.size), if is_shared { "*" } else { "" }),
        }));
    }
    ctx.print(formatter.render(&lines).map_err(Error::Client)?).await;
    if !formatter.is_table() {
        return Ok(0);
    }
    let size = units::short_size;
    let mut sums = String::new();
    if shared > 0 {
        sums = format!("Shared:\t\t{}\nPrivate:\t{}\n", size(shared), size(total - shared));
    }
    ctx.print(format!("{sums}Reclaimable:\t{}\nTotal:\t\t{}\n", size(total), size(total))).await;
    Ok(0)
}

/// Whether the builder that is asked for, by `--builder` or `BUILDX_BUILDER`, is the one there is. Other groups' commands
/// ask for none.
///
/// # Errors
/// Where it is another.
pub fn check_builder<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<()> {
    let (group, name) = call.command.split_once(' ').unwrap_or_default();
    if !matches!((group, name), ("buildx" | "builder", _) | ("image", "build")) || matches!(name, "ls" | "version") {
        return Ok(());
    }
    let given = call.args.value("builder").or(call.global.value("builder")).map(str::to_string);
    let named = given.or_else(|| ctx.client.env("BUILDX_BUILDER")).unwrap_or_default();
    match named.as_str() {
        "" | "default" => Ok(()),
        other => Err(Error::Client(format!("ERROR: no builder {other:?} found"))),
    }
}

/// `docker buildx ls`.
pub async fn list<W: World>(ctx: &Ctx<W>) -> Result<i32> {
    let platform = Platform::normal("linux", &ctx.world().host().architecture, "");
    let heads = "NAME/NODE\tDRIVER/ENDPOINT\tSTATUS\tBUILDKIT\tPLATFORMS";
    let row = format!(" \\_ default\t \\_ default\trunning\tv0.0.0+unknown\t{platform}");
    ctx.print(align(&format!("{heads}\ndefault*\tdocker\t\t\t\n{row}\n"), 0, 3)).await;
    Ok(0)
}

/// `docker buildx inspect`: the one builder there is.
pub async fn inspect<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let name = call.args.word(0);
    if !matches!(name, "" | "default") {
        return Err(Error::Client(format!("ERROR: no builder {name:?} found")));
    }
    let platform = Platform::normal("linux", &ctx.world().host().architecture, "");
    ctx.print(format!(
        "Name:   default\nDriver: docker\n\nNodes:\nName:             default\nEndpoint:         default\n\
         Status:           running\nBuildKit version: v0.0.0+unknown\nPlatforms:        {platform}\n"
    ))
    .await;
    Ok(0)
}

/// `docker buildx use`: there is one to choose.
pub async fn choose<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let name = call.args.word(0);
    if name == "default" {
        return Ok(0);
    }
    let home = ctx.client.env("HOME").unwrap_or_default();
    Err(Error::Client(format!(
        "ERROR: failed to find instance {name:?}: open {home}/.docker/buildx/instances/{name}: no such file or directory"
    )))
}

/// `docker buildx version`.
pub async fn version<W: World>(ctx: &Ctx<W>) -> Result<i32> {
    ctx.print(format!("github.com/docker/buildx v{}\n", crate::cli::BUILDX_VERSION)).await;
    Ok(0)
}
