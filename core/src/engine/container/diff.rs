//! `docker diff`.

use super::find;
use crate::cli::Args;
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
    const FILES: [&str; 5] = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab", "/.dockerenv"];
    const FOLDERS: [&str; 3] = ["/dev", "/proc", "/sys"];
    let all = ctx.world().changes(key).await?;
    let own = |path: &str| {
        FILES.contains(&path)
            || FOLDERS.iter().any(|f| path.strip_prefix(f).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    let (made, mut kept): (Vec<Change>, Vec<Change>) = all.into_iter().partition(|c| own(&c.path));
    // A folder that only changed because of those has not changed for a reader either.
    let parents: Vec<&str> = made.iter().filter_map(|c| c.path.rsplit_once('/')).map(|(parent, _)| parent).collect();
    let others: Vec<String> = kept.iter().map(|c| c.path.clone()).collect();
    kept.retain(|c| {
        let child = |path: &String| path.strip_prefix(c.path.as_str()).is_some_and(|rest| rest.starts_with('/'));
        !(c.kind == ChangeKind::Modified && parents.contains(&c.path.as_str())) || others.iter().any(child)
    });
    Ok(kept)
}
