//! `docker history`: the steps of an image, the last first.

use super::find::resolve_for;
use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::image::ImageRecord;
use crate::view::rows;
use crate::view::table::Formatter;
use crate::view::units;
use crate::world::World;
use serde_json::{Value, json};

/// So much of a step is shown in a table.
const SHOWN: usize = 45;

pub async fn history<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let image = resolve_for(ctx, call.args.word(0), &call.args, "invalid platform: ").await?;
    let human = call.args.flag_or("human", true);
    let kind = if human { &rows::HISTORY } else { &rows::HISTORY_EXACT };
    let formatter = Formatter::new(kind, call.args.value("format").unwrap_or(""), call.args.flag("quiet"));
    let whole = call.args.flag("no-trunc");
    let all = history_rows(ctx, &image, human, whole)?;
    ctx.print(formatter.map_err(Error::Client)?.render(&all).map_err(Error::Client)?).await;
    Ok(0)
}

fn history_rows<W: World>(ctx: &Ctx<W>, image: &ImageRecord, human: bool, whole: bool) -> Result<Vec<Value>> {
    let mut layers = image.layers.iter();
    let mut sizes: Vec<u64> = Vec::new();
    for entry in &image.history {
        sizes.push(if entry.empty_layer { 0 } else { layers.next().map_or(0, |l| l.size) });
    }
    let ids = ancestors(ctx, image)?;
    let mut all = Vec::new();
    for (i, (entry, size)) in image.history.iter().zip(&sizes).rev().enumerate() {
        let created = entry.created.unwrap_or_default();
        let by = entry.created_by.replace('\t', " ");
        let id = match ids.get(i) {
            Some(id) if whole => id.to_string(),
            Some(id) => id.short(),
            None => "<missing>".to_string(),
        };
        all.push(json!({
            "Comment": entry.comment,
            "CreatedAt": units::rfc3339_seconds(created),
            "CreatedBy": if whole { by } else { units::ellipsis(&by, SHOWN) },
            "CreatedSince": units::ago(created, ctx.world().now()),
            "ID": id,
            "Size": if human { units::short_size(*size) } else { size.to_string() },
        }));
    }
    Ok(all)
}

/// The ids of an image and of those it was made from one step at a time.
fn ancestors<W: World>(ctx: &Ctx<W>, image: &ImageRecord) -> Result<Vec<crate::name::Digest>> {
    let mut ids = vec![image.id];
    let mut at = image.clone();
    while let Some(parent) = at.parent {
        let Some(record) = ctx.world().get::<ImageRecord>(&parent.to_string())? else { break };
        // A parent that is more than one step behind says nothing of the steps between.
        if record.history.len() + 1 != at.history.len() || ids.contains(&record.id) {
            break;
        }
        ids.push(record.id);
        at = record;
    }
    Ok(ids)
}
