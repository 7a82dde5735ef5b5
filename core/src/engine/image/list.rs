//! `docker images`: one row for each name of each image.

use super::find::{lookup, references};
use super::remove::{containers_of, has_children};
use crate::build::glob;
use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result, settings};
use crate::image::ImageRecord;
use crate::name::Reference;
use crate::view::filter::Filters;
use crate::view::rows;
use crate::view::table::Formatter;
use crate::view::units;
use crate::world::World;
use cutaway_userland::sorted::Arrange;
use serde_json::{Value, json};
use std::time::Duration;

const FILTERS: &[&str] = &["dangling", "label", "label!", "before", "since", "until", "reference"];

/// An image and those of its names that were asked for.
pub struct Listed {
    pub image: ImageRecord,
    pub tags: Vec<Reference>,
    pub digests: Vec<Reference>,
}

pub async fn list<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let mut filters = call.args.values("filter").to_vec();
    if !call.args.word(0).is_empty() {
        filters.push(format!("reference={}", call.args.word(0)));
    }
    let (digests, quiet) = (call.args.flag("digests"), call.args.flag("quiet"));
    let kind = if digests { &rows::IMAGES_WITH_DIGEST } else { &rows::IMAGES };
    let format = settings::list_format(ctx, call.args.value("format"), quiet, "imagesFormat").await;
    let formatter = Formatter::new(kind, &format, quiet).map_err(Error::Client)?;
    let listed = matching(ctx, &Filters::parse(&filters), call.args.flag("all"))?;
    let show_digests = digests || format.contains(".Digest");
    let mut all = Vec::new();
    for one in &listed {
        let mut rows = image_rows(ctx, one, show_digests, call.args.flag("no-trunc"))?;
        // The engine counts them for its disk usage only.
        rows.iter_mut().for_each(|row| row["Containers"] = "N/A".into());
        all.extend(rows);
    }
    ctx.print(formatter.render(&all).map_err(Error::Client)?).await;
    Ok(0)
}

/// The images that fit the filters, the newest first. `all` counts intermediate ones in.
pub fn matching<W: World>(ctx: &Ctx<W>, filters: &Filters, all: bool) -> Result<Vec<Listed>> {
    filters.allow(FILTERS).map_err(Error::Daemon)?;
    let dangling = filters.flag("dangling").map_err(Error::Daemon)?;
    let created = |name: &str| -> Result<Option<Duration>> {
        let Some(value) = filters.values(name).last() else { return Ok(None) };
        match lookup(ctx, value)? {
            Some(image) => Ok(Some(image.created.unwrap_or_default())),
            None => Err(super::find::no_such_image(value)),
        }
    };
    let (before, since) = (created("before")?, created("since")?);
    let until = match filters.values("until").last() {
        Some(value) => Some(units::parse_moment(value, ctx.world().now()).map_err(Error::Daemon)?),
        None => None,
    };
    let mut listed = Vec::new();
    for image in ctx.world().list::<ImageRecord>()? {
        let at = image.created.unwrap_or_default();
        let too_late = before.is_some_and(|b| at >= b) || until.is_some_and(|u| at > u);
        if too_late || since.is_some_and(|s| at <= s) {
            continue;
        }
        if !filters.labels(image.config.labels.as_ref().unwrap_or(&Default::default())) {
            continue;
        }
        let names = references(ctx, &image.id)?;
        let named = !names.is_empty();
        let wanted = |name: &Reference| {
            let patterns = filters.values("reference");
            let fits = |p: &String| glob::matches(p, &name.familiar()) || glob::matches(p, &name.familiar_name());
            patterns.is_empty() || patterns.iter().any(fits)
        };
        let (digests, tags): (Vec<_>, Vec<_>) =
            names.into_iter().filter(wanted).partition(|name| name.digest().is_some());
        if named && tags.is_empty() && digests.is_empty() || !named && filters.has("reference") {
            continue;
        }
        let kept = match (named, dangling) {
            (false, Some(false)) => false,
            (false, _) => all || !has_children(ctx, &image.id)?,
            (true, Some(true)) => tags.is_empty(),
            (true, _) => true,
        };
        if kept {
            listed.push(Listed { image, tags, digests });
        }
    }
    listed.arrange_by_key(|one| std::cmp::Reverse(one.image.created.unwrap_or_default()));
    Ok(listed)
}

/// The rows of one image: repository, tag and digest of each name.
pub fn image_rows<W: World>(ctx: &Ctx<W>, one: &Listed, digests: bool, whole_ids: bool) -> Result<Vec<Value>> {
    const NONE: &str = "<none>";
    let mut names: Vec<(String, String, String)> = Vec::new();
    for tag in &one.tags {
        let repository = tag.familiar_name();
        let name = |digest: String| (repository.clone(), tag.tag().unwrap_or(NONE).to_string(), digest);
        let same = one.digests.iter().filter(|d| digests && d.name() == tag.name());
        let of_tag: Vec<_> = same.filter_map(|d| d.digest()).map(|d| name(d.to_string())).collect();
        names.extend(if of_tag.is_empty() { vec![name(NONE.into())] } else { of_tag });
    }
    for digest in one.digests.iter().filter(|d| !one.tags.iter().any(|t| t.name() == d.name())) {
        let shown = if digests { digest.digest().map(|d| d.to_string()).unwrap_or_default() } else { NONE.into() };
        let row = (digest.familiar_name(), NONE.to_string(), shown);
        if !names.contains(&row) {
            names.push(row);
        }
    }
    if names.is_empty() {
        names.push((NONE.into(), NONE.into(), NONE.into()));
    }
    let image = &one.image;
    let id = if whole_ids { image.id.to_string() } else { image.id.short() };
    let containers = containers_of(ctx, &image.id)?.len();
    let created = image.created.unwrap_or_default();
    let row = |(repository, tag, digest): (String, String, String)| {
        json!({
            "Containers": containers.to_string(),
            "CreatedAt": units::go_time(created),
            "CreatedSince": image.created.map_or("N/A".into(), |at| units::ago(at, ctx.world().now())),
            "Digest": digest,
            "ID": id,
            "Repository": repository,
            "SharedSize": "N/A",
            "Size": units::short_size(image.size()),
            "Tag": tag,
            "UniqueSize": "N/A",
            "VirtualSize": units::size(image.size()),
        })
    };
    Ok(names.into_iter().map(row).collect())
}
