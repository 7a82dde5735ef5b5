//! The build context: the Dockerfile, and the files that `COPY` and `ADD` may take.

use super::failure::Failure;
use super::options::Options;
use crate::build::{Contents, Ignore, Tree};
use crate::engine::Ctx;
use crate::engine::image::read_all_bytes;
use crate::layer::{Entry, EntryKind, entries};
use crate::world::acts::SendRequest;
use crate::world::{Fault, World};
use cutaway_userland::os::FileKind;
use std::rc::Rc;

/// Where a context comes from.
pub enum Context {
    /// A folder of the client's, by its path.
    Folder(String),
    /// Files in memory: from an archive, or none at all.
    Memory(Tree),
}

/// The Dockerfile, and what it is shown as.
pub struct Source {
    pub text: String,
    /// As `Dockerfile`.
    pub name: String,
}

/// A context that is named beside the main one.
pub async fn open<W: World>(ctx: &Ctx<W>, place: &str) -> Result<Context, Failure> {
    if place.starts_with("http://") || place.starts_with("https://") {
        let bytes = download(ctx, place).await?;
        return Ok(Context::Memory(Tree::from_entries(entries("build context", &bytes)?)));
    }
    let facts = ctx.client.facts(&format!("{}/.", place.trim_end_matches('/'))).await;
    if !matches!(facts, Ok(Some(facts)) if facts.kind == FileKind::Directory) {
        return Err(Failure::plain(format!("failed to get build context: stat {place}: no such file or directory")));
    }
    Ok(Context::Folder(place.to_string()))
}

/// Finds the context and reads the Dockerfile.
pub async fn load<W: World>(ctx: &Ctx<W>, options: &Options) -> Result<(Context, Source), Failure> {
    match options.context.as_str() {
        "-" => from_input(ctx, options).await,
        url if url.starts_with("http://") || url.starts_with("https://") => from_address(ctx, options).await,
        url if url.starts_with("git@") || url.ends_with(".git") => {
            Err(Failure::plain("unable to prepare context: git repositories are not supported"))
        }
        folder => from_folder(ctx, options, folder).await,
    }
}

async fn from_folder<W: World>(ctx: &Ctx<W>, options: &Options, folder: &str) -> Result<(Context, Source), Failure> {
    let facts = ctx.client.facts(&format!("{}/.", folder.trim_end_matches('/'))).await;
    let is_folder = matches!(facts, Ok(Some(facts)) if facts.kind == FileKind::Directory);
    if !is_folder {
        return Err(Failure::plain(format!("unable to prepare context: path {folder:?} not found")));
    }
    let name = options.file.as_deref().map_or("Dockerfile", |f| f.rsplit('/').next().unwrap_or(f)).to_string();
    let text = match options.file.as_deref() {
        Some("-") => String::from_utf8_lossy(&read_all_bytes(ctx).await?).into_owned(),
        Some(path) => read_dockerfile(ctx, path, &name).await?,
        None => read_dockerfile(ctx, &format!("{folder}/Dockerfile"), &name).await?,
    };
    let name = if name == "-" { "Dockerfile".to_string() } else { name };
    Ok((Context::Folder(folder.to_string()), Source { text, name }))
}

async fn read_dockerfile<W: World>(ctx: &Ctx<W>, path: &str, name: &str) -> Result<String, Failure> {
    match ctx.client.read_file(path).await {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(fault) => {
            let reason = fault.number().map_or_else(|| fault.to_string(), |errno| errno.text().to_lowercase());
            Err(Failure::solve(format!("failed to read dockerfile: open {name}: {reason}")))
        }
    }
}

/// Standard input is a Dockerfile, or an archive with one in it.
async fn from_input<W: World>(ctx: &Ctx<W>, options: &Options) -> Result<(Context, Source), Failure> {
    let bytes = read_all_bytes(ctx).await?;
    from_bytes(options, &bytes)
}

async fn from_address<W: World>(ctx: &Ctx<W>, options: &Options) -> Result<(Context, Source), Failure> {
    let bytes = download(ctx, &options.context).await?;
    from_bytes(options, &bytes)
}

fn from_bytes(options: &Options, bytes: &[u8]) -> Result<(Context, Source), Failure> {
    if !is_archive(bytes) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        return Ok((Context::Memory(Tree::default()), Source { text, name: "Dockerfile".into() }));
    }
    let tree = Tree::from_entries(entries("build context", bytes)?);
    let path = options.file.clone().unwrap_or_else(|| "Dockerfile".into());
    let name = path.rsplit('/').next().unwrap_or(&path).to_string();
    match tree.files.get(path.trim_start_matches("./")) {
        Some((_, Contents::Bytes(bytes))) => {
            let text = String::from_utf8_lossy(bytes).into_owned();
            Ok((Context::Memory(tree), Source { text, name }))
        }
        _ => Err(Failure::solve(format!("failed to read dockerfile: open {name}: no such file or directory"))),
    }
}

/// Whether bytes are a tar, packed or not.
pub fn is_archive(bytes: &[u8]) -> bool {
    use crate::layer::Compression;
    match Compression::of(bytes) {
        Compression::None => bytes.get(257..262) == Some(b"ustar"),
        Compression::Gzip | Compression::Zstd => entries("archive", bytes).is_ok_and(|all| !all.is_empty()),
        _ => false,
    }
}

/// The body at an address.
pub async fn download<W: World>(ctx: &Ctx<W>, url: &str) -> Result<Vec<u8>, Failure> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (host, path) = rest.split_once('/').map_or((rest, "/".to_string()), |(h, p)| (h, format!("/{p}")));
    let request = crate::registry::Request::new("GET", host, scheme == "https", &path);
    let act = SendRequest { request };
    let response = ctx.act("Download what the Dockerfile names by its address", act).await?;
    if response.status != 200 {
        return Err(Failure::solve(format!("invalid response status {}", response.status)));
    }
    Ok(response.body)
}

impl Context {
    /// The patterns of files that are left behind: those beside the Dockerfile come before `.dockerignore`.
    pub async fn ignore<W: World>(&self, ctx: &Ctx<W>, dockerfile: &str) -> Result<(Ignore, usize), Failure> {
        for name in [format!("{dockerfile}.dockerignore"), ".dockerignore".to_string()] {
            let bytes = match self {
                Context::Folder(folder) => ctx.client.read_file(&format!("{folder}/{name}")).await.ok(),
                Context::Memory(tree) => match tree.files.get(&name) {
                    Some((_, Contents::Bytes(bytes))) => Some(bytes.to_vec()),
                    _ => None,
                },
            };
            if let Some(bytes) = bytes {
                return Ok((Ignore::parse(&String::from_utf8_lossy(&bytes)), bytes.len()));
            }
        }
        Ok((Ignore::default(), 0))
    }

    /// All files that are not ignored. A folder's are listed, not read. Owners do not travel.
    pub async fn tree<W: World>(&self, ctx: &Ctx<W>, ignore: &Ignore) -> Result<Tree, Failure> {
        let folder = match self {
            Context::Memory(tree) => {
                let mut tree = tree.clone();
                tree.files.retain(|path, _| !ignore.ignores(path));
                for (entry, _) in tree.files.values_mut() {
                    (entry.uid, entry.gid) = (0, 0);
                }
                return Ok(tree);
            }
            Context::Folder(folder) => folder,
        };
        let mut tree = Tree::default();
        let mut folders = vec![String::new()];
        while let Some(inside) = folders.pop() {
            for name in ctx.client.read_directory(&join(folder, &inside)).await? {
                let path = if inside.is_empty() { name } else { format!("{inside}/{name}") };
                let full = join(folder, &path);
                let Some(facts) = ctx.client.facts(&full).await? else { continue };
                if facts.kind == FileKind::Directory && !ignore.ignores_all_below(&path) {
                    folders.push(path.clone());
                }
                if ignore.ignores(&path) {
                    continue;
                }
                let kind = match facts.kind {
                    FileKind::Regular => EntryKind::File,
                    FileKind::Directory => EntryKind::Directory,
                    FileKind::Symlink => EntryKind::Symlink(facts.target.unwrap_or_default()),
                    // Devices, pipes and sockets do not travel.
                    _ => continue,
                };
                let size = if kind == EntryKind::File { facts.size } else { 0 };
                let entry = Entry { mtime: facts.mtime, size, ..Entry::of(&path, kind, facts.mode & 0o7777) };
                tree.files.insert(path, (entry, Contents::File(full)));
            }
        }
        Ok(tree)
    }
}

fn join(folder: &str, path: &str) -> String {
    if path.is_empty() { folder.to_string() } else { format!("{}/{path}", folder.trim_end_matches('/')) }
}

/// A file's contents.
pub async fn read<W: World>(ctx: &Ctx<W>, entry: &Entry, contents: &Contents) -> Result<Rc<[u8]>, Fault> {
    match contents {
        Contents::Bytes(bytes) => Ok(bytes.clone()),
        Contents::File(path) if entry.kind == EntryKind::File => Ok(ctx.client.read_file(path).await?.into()),
        Contents::File(_) => Ok(Rc::new([])),
    }
}
