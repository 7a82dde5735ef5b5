//! `docker rename`.

use super::create::{reserve, taken};
use super::{change, find, note};
use crate::cli::Args;
use crate::container::{NameRecord, names};
use crate::engine::{Ctx, Error, Result};
use crate::world::World;

/// `docker rename`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let (old, new) = (args.word(0).trim(), args.word(1).trim());
    if old.is_empty() || new.is_empty() {
        return Err(Error::Client("Error: Neither old nor new names may be empty".into()));
    }
    let record = match find(ctx, old).await {
        Ok(record) => record,
        Err(error) => {
            ctx.warn(format!("{}\nError: failed to rename container named {old}\n", error.render(""))).await;
            return Err(Error::Status(1));
        }
    };
    let result = rename(ctx, &record.id, &record.name, new.trim_start_matches('/'));
    if let Err(error) = result {
        ctx.warn(format!("{}\nError: failed to rename container named {old}\n", error.render(""))).await;
        return Err(Error::Status(1));
    }
    note(ctx, &record, "rename", &[("oldName", format!("/{}", record.name))]);
    Ok(0)
}

fn rename<W: World>(ctx: &Ctx<W>, id: &str, old: &str, new: &str) -> Result<()> {
    if new == old {
        return Err(Error::Daemon("Renaming a container with the same name as its current name".into()));
    }
    if !names::is_valid(new) {
        return Err(Error::Daemon(format!(
            "Error when allocating new name: Invalid container name (/{new}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        )));
    }
    if let Some(owner) = reserve(ctx, new, id)? {
        let Error::Daemon(text) = taken(new, &owner) else { return Ok(()) };
        return Err(Error::Daemon(format!("Error when allocating new name: {text}")));
    }
    change(ctx, id, |r| r.name = new.to_string())?;
    ctx.world().remove::<NameRecord>(&NameRecord::key_of(old))?;
    Ok(())
}
