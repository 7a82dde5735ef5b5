//! Lists in the client's configuration folder: `manifests/`, a folder for each list, in it a file for each manifest.
//! Source: docker/cli, cli/manifest/store.

use super::entry::Entry;
use crate::engine::context::{make_folders, told};
use crate::engine::{Ctx, Error, Result};
use crate::name::Reference;
use crate::world::{Fault, World};
use cutaway_userland::Errno;

/// A name as a file's.
fn file_name(reference: &Reference) -> String {
    reference.to_string().replace(':', "-").replace('/', "_")
}

fn folder<W: World>(ctx: &Ctx<W>, list: &Reference) -> String {
    format!("{}/manifests/{}", ctx.client.config_folder(), file_name(list))
}

fn missing(name: &Reference) -> Error {
    Error::Client(format!("No such manifest: {name}"))
}

fn is_missing(fault: &Fault) -> bool {
    matches!(fault.number(), Some(Errno::ENOENT))
}

async fn read<W: World>(ctx: &Ctx<W>, path: &str) -> Result<Option<Entry>> {
    match ctx.client.read_file(path).await {
        Ok(bytes) => {
            let entry = Entry::from_json(&bytes);
            entry.map(Some).map_err(|why| Error::Client(format!("invalid manifest file {path}: {why}")))
        }
        Err(fault) if is_missing(&fault) => Ok(None),
        Err(fault) => Err(told(fault)),
    }
}

/// One manifest of a list.
pub async fn find<W: World>(ctx: &Ctx<W>, list: &Reference, name: &Reference) -> Result<Option<Entry>> {
    read(ctx, &format!("{}/{}", folder(ctx, list), file_name(name))).await
}

/// The manifests of a list, sorted by their files' names.
pub async fn list<W: World>(ctx: &Ctx<W>, list: &Reference) -> Result<Option<Vec<Entry>>> {
    let folder = folder(ctx, list);
    let names = match ctx.client.read_directory(&folder).await {
        Ok(names) => names,
        Err(fault) if is_missing(&fault) => return Ok(None),
        Err(fault) => return Err(told(fault)),
    };
    let mut all = Vec::new();
    for name in names {
        all.push(read(ctx, &format!("{folder}/{name}")).await?.ok_or_else(|| missing(list))?);
    }
    Ok(Some(all))
}

/// The same of a list that has to be there.
pub async fn needed<W: World>(ctx: &Ctx<W>, name: &Reference) -> Result<Vec<Entry>> {
    list(ctx, name).await?.ok_or_else(|| missing(name))
}

/// The same of one manifest.
pub async fn needed_one<W: World>(ctx: &Ctx<W>, list: &Reference, name: &Reference) -> Result<Entry> {
    find(ctx, list, name).await?.ok_or_else(|| missing(name))
}

/// Keeps a manifest as one of a list, which is made where it is not there.
pub async fn keep<W: World>(ctx: &Ctx<W>, list: &Reference, name: &Reference, entry: &Entry) -> Result<()> {
    let folder = folder(ctx, list);
    make_folders(&*ctx.client, &folder, 0o755).await?;
    let path = format!("{folder}/{}", file_name(name));
    ctx.client.write_file(&path, entry.to_json().to_string().as_bytes(), 0o644).await.map_err(told)
}

pub async fn remove<W: World>(ctx: &Ctx<W>, list: &Reference) -> Result<()> {
    let folder = folder(ctx, list);
    for name in ctx.client.read_directory(&folder).await.map_err(told)? {
        ctx.client.remove_file(&format!("{folder}/{name}")).await.map_err(told)?;
    }
    ctx.client.remove_directory(&folder).await.map_err(told)
}
