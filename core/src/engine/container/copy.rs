//! `docker cp` and `docker export`: files between a container and the client. Where they go follows `cp -r`, with
//! Docker's own rule for a source that ends in `/.`. Source: docker/cli, container/cp.go; moby, pkg/archive/copy.go.

use super::find;
use crate::cli::Args;
use crate::container::ContainerRecord;
use crate::container::spec::{absolute, clean};
use crate::engine::image::{check_folder, open_error};
use crate::engine::{Ctx, Error, Result};
use crate::layer::{Entry, EntryKind, TarWriter, entries};
use crate::view::units::size;
use crate::world::acts::ImportTree;
use crate::world::{Fault, Stream, World};
use cutaway_userland::os::FileKind;

/// `container:path`, or a path of the client's.
fn split(argument: &str) -> (Option<&str>, &str) {
    if argument.starts_with('/') {
        return (None, argument);
    }
    match argument.split_once(':') {
        Some((container, path)) if !container.is_empty() && !container.starts_with('.') => (Some(container), path),
        _ => (None, argument),
    }
}

/// `docker cp`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let (from, to) = (args.word(0), args.word(1));
    if from.is_empty() {
        return Err(Error::Client("source can not be empty".into()));
    }
    if to.is_empty() {
        return Err(Error::Client("destination can not be empty".into()));
    }
    let keep_owners = args.flag("archive");
    let quiet = if args.given("quiet") { args.flag("quiet") } else { !ctx.client.is_tty(Stream::Out) };
    match (split(from), split(to)) {
        ((Some(_), _), (Some(_), _)) => Err(Error::Client("copying between containers is not supported".into())),
        ((None, _), (None, _)) => Err(Error::Client("must specify at least one container source".into())),
        ((Some(name), path), (None, local)) => {
            let record = find(ctx, name).await?;
            let tar = read_tree(ctx, &record, name, path).await?;
            if local == "-" {
                ctx.print(&tar).await;
                return Ok(0);
            }
            to_client(ctx, &tar, path, local).await?;
            report(ctx, quiet, tar.len(), &absolute(&ctx.client.cwd(), local)).await;
            Ok(0)
        }
        ((None, local), (Some(name), path)) => {
            let record = find(ctx, name).await?;
            let sent = to_container(ctx, &record, name, local, path, args.flag("follow-link"), keep_owners).await?;
            report(ctx, quiet, sent, to).await;
            Ok(0)
        }
    }
}

async fn report<W: World>(ctx: &Ctx<W>, quiet: bool, bytes: usize, to: &str) {
    if !quiet {
        ctx.warn(format!("Successfully copied {} to {to}\n", size(bytes as u64))).await;
    }
}

fn not_there(path: &str, container: &str) -> Error {
    Error::Daemon(format!("Could not find the file {path} in container {container}"))
}

/// A path of the container and all below it, as a tar.
async fn read_tree<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, name: &str, path: &str) -> Result<Vec<u8>> {
    if path.is_empty() {
        return Err(Error::Daemon("bad parameter: pathcannot be empty".into()));
    }
    let inside = clean(&format!("/{path}"));
    let there = ctx.world().snapshot_file(&record.snapshot, &inside).await?;
    if there.is_none() {
        return Err(not_there(path, name));
    }
    // A link is copied as such, unless the path ends as only a folder's can.
    if there == Some(FileKind::Directory) && path.ends_with('/') {
        return Ok(ctx.world().export_tree(&record.snapshot, &format!("{inside}/.")).await?);
    }
    Ok(ctx.world().export_tree(&record.snapshot, &inside).await?)
}

/// The last component of a path, as `cp` names the copy.
fn base(path: &str) -> String {
    clean(&format!("/{path}")).rsplit('/').next().unwrap_or("").to_string()
}

/// Whether a path asks for a folder's contents rather than the folder.
fn is_contents(path: &str) -> bool {
    path.ends_with("/.") || path == "."
}

/// Renames the tree's first component.
fn rebase(path: &str, from: &str, to: &str) -> String {
    let rest = match path.strip_prefix(from) {
        Some(rest) if from.is_empty() || rest.is_empty() || rest.starts_with('/') => rest.trim_start_matches('/'),
        _ => path,
    };
    match (to.is_empty(), rest.is_empty()) {
        (true, _) => rest.to_string(),
        (false, true) => to.to_string(),
        (false, false) => format!("{to}/{rest}"),
    }
}

/// Where a copy goes: a folder and the name in it (empty: the contents go into the folder itself).
#[derive(Debug, PartialEq, Eq)]
struct Target {
    folder: String,
    name: String,
}

/// Works that out from what is at the destination.
fn target(
    source: &str,
    source_is_folder: bool,
    to: &str,
    there: Option<FileKind>,
) -> std::result::Result<Target, String> {
    let full = clean(&format!("/{to}"));
    let (parent, last) = full.rsplit_once('/').map_or(("", ""), |(p, l)| (p, l));
    let parent = if parent.is_empty() { "/" } else { parent };
    let wants_folder = to.ends_with('/') || is_contents(to);
    match there {
        Some(FileKind::Directory) => {
            let name = if is_contents(source) { String::new() } else { base(source) };
            Ok(Target { folder: full, name })
        }
        Some(_) if source_is_folder => Err("cannot copy directory".into()),
        Some(_) if wants_folder => Err("not a directory".into()),
        None if wants_folder && !source_is_folder => Err("no such directory".into()),
        _ => Ok(Target { folder: parent.into(), name: last.into() }),
    }
}

/// Writes a tree from a container to the client's files.
async fn to_client<W: World>(ctx: &Ctx<W>, tar: &[u8], from: &str, local: &str) -> Result<()> {
    let all = entries("the copy", tar)?;
    let first_is_folder = all.first().is_some_and(|(e, _)| e.is_directory());
    let path = absolute(&ctx.client.cwd(), local);
    let there = ctx.client.facts(&path).await?.map(|f| f.kind);
    let shown = if local.ends_with('/') || is_contents(local) { format!("{path}/") } else { path.clone() };
    if there.is_some_and(|kind| kind != FileKind::Directory) && shown.ends_with('/') && !first_is_folder {
        return Err(Error::Client(format!("stat {shown}: not a directory")));
    }
    let goal = target(from, first_is_folder, &shown, there).map_err(Error::Client)?;
    if ctx.client.facts(&goal.folder).await?.is_none() {
        return Err(Error::Client(format!("invalid output path: directory {:?} does not exist", goal.folder)));
    }
    let root = base(from);
    for (entry, contents) in &all {
        let name = rebase(&entry.path, &root, &goal.name);
        let to = clean(&format!("{}/{name}", goal.folder));
        match &entry.kind {
            EntryKind::Directory => {
                if ctx.client.facts(&to).await?.is_none() {
                    ctx.client.make_directory(&to, entry.mode).await?;
                }
            }
            EntryKind::File => ctx.client.write_file(&to, contents, entry.mode).await?,
            EntryKind::Symlink(link) => {
                if ctx.client.facts(&to).await?.is_some() {
                    ctx.client.remove_file(&to).await?;
                }
                ctx.client.make_symlink(link, &to).await?;
            }
            EntryKind::Hardlink(link) => {
                let same = all.iter().find(|(e, _)| e.path == *link).map_or(&[][..], |(_, bytes)| bytes);
                ctx.client.write_file(&to, same, entry.mode).await?;
            }
            // Only root can make these, and `docker cp` leaves them out, too.
            EntryKind::CharDevice { .. } | EntryKind::BlockDevice { .. } | EntryKind::Fifo => {}
        }
    }
    Ok(())
}

/// Packs the client's files and unpacks them in the container; bytes of the tar.
async fn to_container<W: World>(
    ctx: &Ctx<W>,
    record: &ContainerRecord,
    name: &str,
    local: &str,
    path: &str,
    follow: bool,
    keep_owners: bool,
) -> Result<usize> {
    if record.host.read_only {
        return Err(Error::Daemon("container rootfs is marked read-only".into()));
    }
    let inside = clean(&format!("/{path}"));
    let there = ctx.world().snapshot_file(&record.snapshot, &inside).await?;
    let (tar, folder) = if local == "-" {
        if there != Some(FileKind::Directory) {
            return Err(Error::Client(format!("destination \"{name}:{path}\" must be a directory")));
        }
        (read_all(ctx).await?, inside)
    } else {
        let source = absolute(&ctx.client.cwd(), local);
        let mut facts = ctx
            .client
            .facts(&source)
            .await?
            .ok_or_else(|| Error::Client(format!("lstat {source}: no such file or directory")))?;
        let mut source = source;
        if follow && let Some(link) = facts.target.clone() {
            source = absolute(source.rsplit_once('/').map_or("/", |(parent, _)| parent), &link);
            facts = ctx.client.facts(&source).await?.unwrap_or(facts);
        }
        let is_folder = facts.kind == FileKind::Directory;
        let goal = target(local, is_folder, path, there).map_err(Error::Client)?;
        match ctx.world().snapshot_file(&record.snapshot, &goal.folder).await? {
            None => return Err(not_there(&goal.folder, name)),
            Some(FileKind::Directory) => {}
            Some(_) => return Err(Error::Daemon("extraction point is not a directory".into())),
        }
        (pack(ctx, &source, &goal.name, keep_owners).await?, goal.folder)
    };
    let bytes = tar.len();
    let act = ImportTree { key: record.snapshot.clone(), at: folder, tar: tar.into() };
    ctx.act("Files of the client go into the container's own layer", act).await.map_err(|fault| match fault {
        Fault::Malformed { reason, .. } => Error::Daemon(reason),
        fault => fault.into(),
    })?;
    Ok(bytes)
}

async fn read_all<W: World>(ctx: &Ctx<W>) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let bytes = ctx.client.read(1 << 16).await?;
        if bytes.is_empty() {
            return Ok(all);
        }
        all.extend(bytes);
    }
}

/// A file or folder of the client's as a tar whose entries begin with `name`.
async fn pack<W: World>(ctx: &Ctx<W>, source: &str, name: &str, keep_owners: bool) -> Result<Vec<u8>> {
    let mut tar = TarWriter::new(Vec::new());
    let mut waiting = vec![(source.to_string(), name.to_string())];
    while let Some((path, name)) = waiting.pop() {
        let Some(facts) = ctx.client.facts(&path).await? else { continue };
        let (kind, contents) = match facts.kind {
            FileKind::Directory => {
                for child in ctx.client.read_directory(&path).await?.into_iter().rev() {
                    let inside = if name.is_empty() { child.clone() } else { format!("{name}/{child}") };
                    waiting.push((format!("{path}/{child}"), inside));
                }
                (EntryKind::Directory, Vec::new())
            }
            FileKind::Symlink => (EntryKind::Symlink(facts.target.clone().unwrap_or_default()), Vec::new()),
            FileKind::Regular => (EntryKind::File, ctx.client.read_file(&path).await?),
            _ => continue,
        };
        if name.is_empty() {
            continue;
        }
        let mut entry = Entry::of(&name, kind, facts.mode & 0o7777);
        entry.size = contents.len() as u64;
        entry.mtime = facts.mtime;
        if keep_owners {
            (entry.uid, entry.gid) = (facts.uid, facts.gid);
        }
        tar.add_bytes(&entry, &contents)?;
    }
    Ok(tar.finish()?)
}

/// `docker export`.
pub(super) async fn export<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let output = args.value("output").filter(|o| !o.is_empty());
    if output.is_none() && ctx.client.is_tty(Stream::Out) {
        return Err(Error::Client("cowardly refusing to save to a terminal. Use the -o flag or redirect".into()));
    }
    if let Some(path) = output {
        let there = check_folder(ctx, path).await;
        there.map_err(|why| Error::Client(format!("failed to export container: {why}")))?;
    }
    let record = find(ctx, args.word(0)).await?;
    let tar = ctx.world().export_tree(&record.snapshot, "/").await?;
    match output {
        Some(path) => {
            let written = ctx.client.write_file(&absolute(&ctx.client.cwd(), path), &tar, 0o600).await;
            written.map_err(|fault| open_error(path, &fault))?;
        }
        None => ctx.print(&tar).await,
    }
    super::note(ctx, &record, "export", &[]);
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_copies_go() {
        use FileKind::{Directory, Regular};
        let to = |folder: &str, name: &str| Ok(Target { folder: folder.into(), name: name.into() });
        let table: &[(&str, bool, &str, Option<FileKind>, std::result::Result<Target, String>)] = &[
            ("f", false, "/made/in", None, to("/made", "in")),
            ("f", false, "/made", Some(Directory), to("/made", "f")),
            ("f", false, "/old", Some(Regular), to("/", "old")),
            ("d", true, "/new", None, to("/", "new")),
            ("d", true, "/there", Some(Directory), to("/there", "d")),
            ("d/.", true, "/there", Some(Directory), to("/there", "")),
            ("d", true, "/file", Some(Regular), Err("cannot copy directory".into())),
            ("f", false, "/none/", None, Err("no such directory".into())),
        ];
        for (source, folder, path, there, expected) in table {
            assert_eq!(target(source, *folder, path, *there), *expected, "{source} {path}");
        }
        assert_eq!(rebase("made/f", "made", "dir"), "dir/f");
        assert_eq!(rebase("made", "made", "dir"), "dir");
        assert_eq!(rebase("made/f", "made", ""), "f");
        assert_eq!(split("wk:/x"), (Some("wk"), "/x"));
        assert_eq!(split("./a:b"), (None, "./a:b"));
    }
}
