//! `docker manifest inspect`: of a list in the client's folder, else of what the registry has.

use super::distribution::{self, Content};
use super::entry::Entry;
use super::{local, named, push};
use crate::cli::Invocation;
use crate::engine::system::pretty_tabs;
use crate::engine::{Ctx, Error, Result};
use crate::name::Reference;
use crate::world::World;
use serde_json::Value;

pub async fn inspect<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let (verbose, insecure) = (call.args.flag("verbose"), call.args.flag("insecure"));
    let (list, word) = match call.args.positionals.as_slice() {
        [list, word] => (Some(list), word),
        words => (None, &words[0]),
    };
    let name = named(word)?;
    let content = match list {
        Some(list) => Content::One(local::needed_one(ctx, &named(list)?, &name).await?.into()),
        None => match local::list(ctx, &name).await {
            Ok(Some(entries)) => Content::List(entries),
            _ => distribution::content(ctx, &name, insecure).await?,
        },
    };
    let text = match content {
        Content::One(entry) if verbose => pretty_tabs(&entry.to_json()),
        Content::One(entry) => {
            let manifest: Value = serde_json::from_slice(&entry.raw).map_err(|e| Error::Client(e.to_string()))?;
            pretty_tabs(&manifest)
        }
        Content::List(entries) => shown(&name, &entries, verbose)?,
    };
    ctx.print(text + "\n").await;
    Ok(0)
}

fn shown(name: &Reference, entries: &[Entry], verbose: bool) -> Result<String> {
    if verbose {
        return Ok(pretty_tabs(&entries.iter().map(Entry::to_json).collect()));
    }
    let list = push::list_of(name, entries)
        .map_err(|error| Error::Client(format!("failed to assemble ManifestDescriptor: {}", error.render(""))))?;
    Ok(String::from_utf8_lossy(&list.bytes).into_owned())
}
