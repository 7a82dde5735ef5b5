//! `docker diff`.

use super::find;
use crate::cli::Args;
use crate::container::without_own;
use crate::engine::{Ctx, Error, Result};
use crate::world::acts::SnapshotKey;
use crate::world::{Change, ChangeKind, World};

/// `docker diff`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    if args.word(0).is_empty() {
        return Err(Error::Client("Container name cannot be empty".into()));
    }
    let record = find(ctx, args.word(0)).await?;
    for change in changes(ctx, &record.snapshot).await? {
        let letter = match change.kind {
            ChangeKind::Modified => 'C',
            ChangeKind::Added => 'A',
            ChangeKind::Deleted => 'D',
        };
        ctx.print(format!("{letter} {}\n", change.path)).await;
    }
    Ok(0)
}

/// What a container changed in its files, without the places that the engine itself makes for its mounts.
///
/// # Errors
/// Where the writable layer can't be read.
pub async fn changes<W: World>(ctx: &Ctx<W>, key: &SnapshotKey) -> Result<Vec<Change>> {
    Ok(without_own(ctx.world().changes(key).await?))
}
