//! Looking at the cache of build steps, and at the builders that there are.

use crate::build::BuildCacheRecord;
use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::image::ImageRecord;
use crate::image::wire::Platform;
use crate::name::ChainId;
use crate::view::filter::Filters;
use crate::view::rows;
use crate::view::table::{Formatter, align};
use crate::view::units;
use crate::world::World;
use cutaway_userland::sorted::Arrange;
use cutaway_userland::sorted::Set as BTreeSet;
use serde_json::json;

/// `docker builder du --format pretty`, which `--verbose` is short for.
const PRETTY: &str = "ID:           {{.ID}}
{{- if .Parents }}
Parents:
{{- range .Parents }}
 - {{.}}
{{- end }}
{{- end }}
Created at:   {{.CreatedAt}}
Mutable:      {{.Mutable}}
Reclaimable:  {{.Reclaimable}}
Shared:       {{.Shared}}
Size:         {{.Size}}
{{- if .Description}}
Description:  {{ .Description }}
{{- end }}
Usage count:  {{.UsageCount}}
Last used:    {{ .LastUsedAt }}
Type:         {{ .Type }}
";

/// `docker builder du`. Source: buildx, commands/diskusage.go.
pub async fn usage<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let format = call.args.value("format").unwrap_or("");
    let pretty = call.args.flag("verbose") || format == "pretty";
    if call.args.flag("verbose") && !format.is_empty() {
        return Err(Error::Client("ERROR: --format and --verbose cannot be used together".into()));
    }
    let formatter = Formatter::new(&rows::BUILDER_CACHE, if pretty { PRETTY } else { format }, false);
    let formatter = formatter.map_err(|e| Error::Client(format!("ERROR: {e}")))?;
    let filters = Filters::parse(call.args.values("filter"));
    let mut records = ctx.world().list::<BuildCacheRecord>()?;
    records.arrange_by_key(|r| (r.size, std::cmp::Reverse(r.last_used)));
    let images = ctx.world().list::<ImageRecord>()?;
    let of_images: BTreeSet<ChainId> = images.iter().flat_map(ImageRecord::chains).collect();
    let now = ctx.world().now();
    let (mut shared, mut total) = (0, 0);
    let mut lines = Vec::new();
    for record in &records {
        let fits = filters.matches("id", &record.id)
            && filters.exact("type", &record.kind)
            && filters.exact("description", &record.description);
        if !fits {
            continue;
        }
        let is_shared = record.layers.last().is_some_and(|l| of_images.contains(&l.chain));
        // What is not a layer can be written to again.
        let mutable = record.layers.is_empty();
        let marked = |mark: bool| if mark && formatter.is_table() { "*" } else { "" };
        total += record.size;
        shared += if is_shared { record.size } else { 0 };
        lines.push(json!({
            "CreatedAt": units::go_time_nanos(record.created),
            "Description": record.description,
            "ID": format!("{}{}", record.id, marked(mutable)),
            "LastUsedAt": units::ago(record.last_used, now),
            "Mutable": mutable,
            "Parents": record.parents,
            "Reclaimable": true,
            "Shared": is_shared,
            "Size": format!("{}{}", units::short_size(record.size), marked(is_shared)),
            "Type": record.kind,
            "UsageCount": record.uses,
        }));
    }
    ctx.print(formatter.render(&lines).map_err(|e| Error::Client(format!("ERROR: {e}")))?).await;
    // The sums are of everything, and not of columns that somebody chose.
    if !(pretty || matches!(format, "" | "table")) || call.args.given("filter") {
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
