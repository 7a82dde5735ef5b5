//! The build context: the Dockerfile, and the files that `COPY` and `ADD` may take.

use super::board::Board;
use super::failure::Failure;
use super::options::Options;
use crate::build::{Contents, GitSource, Ignore, Tree, git_source};
use crate::engine::Ctx;
use crate::engine::image::read_all_bytes;
use crate::layer::{Entry, EntryKind, entries};
use crate::world::acts::{CheckOutGit, SendRequest};
use crate::world::{Fault, World};
use cutaway_userland::os::FileKind;
use std::future::Future;
use std::rc::Rc;

/// Where a context comes from.
pub enum Context {
    /// A folder of the client's, by its path.
    Folder(String),
    /// Files in memory: of an archive or a repository, or none at all. All of them were meant, so that nothing
    /// is ignored.
    Memory(Tree),
}

/// The Dockerfile, and what it is shown as.
pub struct Source {
    pub text: String,
    /// As `Dockerfile`.
    pub name: String,
    /// Whether the client sent it by itself, so that it is told of.
    pub local: bool,
}

/// A context that is named beside the main one.
pub async fn open<W: World>(ctx: &Ctx<W>, place: &str) -> Result<Context, Failure> {
    if let Some(source) = git_source(place) {
        return Ok(Context::Memory(check_out(ctx, source.map_err(Failure::solve)?).await?));
    }
    if is_address(place) {
        let bytes = download(ctx, place).await?;
        return Ok(Context::Memory(Tree::from_entries(entries("build context", &bytes)?)));
    }
    if !is_folder(ctx, place).await {
        return Err(Failure::plain(format!(
            "failed to build: failed to get build context {place}: stat {place}: no such file or directory"
        )));
    }
    Ok(Context::Folder(place.to_string()))
}

/// Finds the context and reads the Dockerfile.
pub async fn load<W: World>(
    ctx: &Ctx<W>,
    options: &Options,
    board: &Board<'_, W>,
) -> Result<(Context, Source), Failure> {
    let place = options.context.as_str();
    if place == "-" {
        // Standard input is a Dockerfile, or an archive with one in it.
        let bytes = read_all_bytes(ctx).await?;
        if is_archive(&bytes) {
            told(board, "[internal] load remote build context", async { Ok(()) }).await?;
        }
        return from_bytes(ctx, options, &bytes).await;
    }
    if let Some(source) = git_source(place) {
        let mut source = source.map_err(|e| Failure::plain(format!("failed to build: {e}")))?;
        source.keep_git_dir |= options.build_args.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR").is_some_and(|v| v == "1");
        let name = format!("[internal] load git source {place}");
        let tree = told(board, &name, check_out(ctx, source)).await.map_err(unread)?;
        return from_tree(ctx, options, tree).await;
    }
    if is_address(place) {
        let name = "[internal] load remote build context";
        let bytes = told(board, name, download(ctx, place)).await.map_err(unread)?;
        return from_bytes(ctx, options, &bytes).await;
    }
    from_folder(ctx, options, place).await
}

/// What is being done, with a vertex of its own.
async fn told<W: World, T>(
    board: &Board<'_, W>,
    name: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let vertex = board.begin(name).await;
    let done = work.await;
    match &done {
        Ok(_) => board.done(vertex).await,
        Err(failure) => board.failed(vertex, failure.message()).await,
    }
    done
}

/// A remote context is first asked for the Dockerfile.
fn unread(failure: Failure) -> Failure {
    Failure::solve(format!("failed to read dockerfile: failed to load cache key: {}", failure.message()))
}

fn is_address(place: &str) -> bool {
    place.starts_with("http://") || place.starts_with("https://")
}

async fn is_folder<W: World>(ctx: &Ctx<W>, place: &str) -> bool {
    let facts = ctx.client.facts(&format!("{}/.", place.trim_end_matches('/'))).await;
    matches!(facts, Ok(Some(facts)) if facts.kind == FileKind::Directory)
}

/// The files of a commit.
pub async fn check_out<W: World>(ctx: &Ctx<W>, source: GitSource) -> Result<Tree, Failure> {
    let act = CheckOutGit { source };
    let done = ctx.act("The files come from a commit of this repository", act).await?;
    Ok(Tree::from_entries(entries("git repository", &done.tar)?))
}

async fn from_folder<W: World>(ctx: &Ctx<W>, options: &Options, folder: &str) -> Result<(Context, Source), Failure> {
    if !is_folder(ctx, folder).await {
        return Err(Failure::plain(format!("unable to prepare context: path {folder:?} not found")));
    }
    let (text, name) = match options.file.as_deref() {
        _ if options.inline.is_some() => (options.inline.clone().unwrap_or_default(), DEFAULT.to_string()),
        Some("-") => (String::from_utf8_lossy(&read_all_bytes(ctx).await?).into_owned(), DEFAULT.to_string()),
        file => {
            let (beside, name) = match file {
                Some(path) => {
                    path.rsplit_once('/').map_or((".", path), |(f, n)| (if f.is_empty() { "/" } else { f }, n))
                }
                None => (folder, DEFAULT),
            };
            let name = cased(ctx, beside, name).await;
            (read_dockerfile(ctx, &join(beside, &name), &name).await?, name)
        }
    };
    Ok((Context::Folder(folder.to_string()), Source { text, name, local: true }))
}

/// The Dockerfile's name where nobody says otherwise.
const DEFAULT: &str = "Dockerfile";

/// The name as it is in the folder: `dockerfile` serves, too, where there is no `Dockerfile`.
async fn cased<W: World>(ctx: &Ctx<W>, folder: &str, name: &str) -> String {
    let names = if name == DEFAULT { ctx.client.read_directory(folder).await.unwrap_or_default() } else { Vec::new() };
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if !has(DEFAULT) && has("dockerfile") { "dockerfile".into() } else { name.into() }
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

/// A Dockerfile, or an archive with one in it.
async fn from_bytes<W: World>(ctx: &Ctx<W>, options: &Options, bytes: &[u8]) -> Result<(Context, Source), Failure> {
    if !is_archive(bytes) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        return Ok((Context::Memory(Tree::default()), Source { text, name: DEFAULT.into(), local: true }));
    }
    from_tree(ctx, options, Tree::from_entries(entries("build context", bytes)?)).await
}

/// The Dockerfile is among the files, unless it is one of the client's own.
async fn from_tree<W: World>(ctx: &Ctx<W>, options: &Options, tree: Tree) -> Result<(Context, Source), Failure> {
    let path = options.file.clone().unwrap_or_else(|| DEFAULT.into());
    let name = path.rsplit('/').next().unwrap_or(&path).to_string();
    let inside = crate::build::joined("/", &path);
    let lower = inside.strip_suffix(DEFAULT).filter(|folder| folder.ends_with('/'));
    let lower = lower.map(|folder| format!("{}dockerfile", &folder[1..]));
    let found = tree.files.get(&inside[1..]).or_else(|| tree.files.get(&lower?));
    let text = match found {
        Some((_, Contents::Bytes(bytes))) => String::from_utf8_lossy(bytes).into_owned(),
        _ if path == "-" && options.context != "-" => String::from_utf8_lossy(&read_all_bytes(ctx).await?).into_owned(),
        _ => return Err(Failure::solve(format!("failed to read dockerfile: open {name}: no such file or directory"))),
    };
    Ok((Context::Memory(tree), Source { text, name, local: false }))
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
    /// The patterns of files that are left behind, and how many bytes they have: those beside the Dockerfile come
    /// before `.dockerignore`.
    pub async fn ignore<W: World>(&self, ctx: &Ctx<W>, dockerfile: &str) -> Result<(Ignore, usize), Failure> {
        let Context::Folder(folder) = self else { return Ok((Ignore::default(), 0)) };
        for path in [beside(ctx, folder, dockerfile).await, format!("{folder}/.dockerignore")] {
            if let Ok(bytes) = ctx.client.read_file(&path).await {
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

/// The ignored files of one Dockerfile only, as `docker/prod.Dockerfile.dockerignore`.
async fn beside<W: World>(ctx: &Ctx<W>, folder: &str, dockerfile: &str) -> String {
    let path = format!("{dockerfile}.dockerignore");
    let there = matches!(ctx.client.facts(&path).await, Ok(Some(_)));
    if there { path } else { format!("{folder}/{path}") }
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
