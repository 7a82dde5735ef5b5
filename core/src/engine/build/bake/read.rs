//! The files of a definition: which they are, and what is told of reading them.

use super::super::board::Board;
use super::wrong;
use crate::bake::{Config, LoadError, Outside, Shown, Source, Surroundings};
use crate::cli::Invocation;
use crate::compose::Contents;
use crate::engine::image::read_all_bytes;
use crate::engine::{Ctx, Error, Result};
use crate::image::wire::Platform;
use crate::world::{Fault, World};
use cutaway_userland::sorted::Map as BTreeMap;
use std::rc::Rc;

/// What is looked for where no file is named, in this order.
const NAMES: [&str; 8] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
    "docker-bake.json",
    "docker-bake.hcl",
    "docker-bake.override.json",
    "docker-bake.override.hcl",
];

/// Reads the files that are named, or all of those that are looked for.
pub async fn files<W: World>(ctx: &Ctx<W>, call: &Invocation, board: &Board<'_, W>) -> Result<Vec<Rc<Source>>> {
    let mut names: Vec<String> = call.args.values("file").to_vec();
    let mut whence = "";
    if names.is_empty() {
        names = from_environment(ctx).await?;
        whence = if names.is_empty() { "" } else { " from BUILDX_BAKE_FILE env" };
    }
    let by_default = names.is_empty();
    if by_default {
        names = NAMES.map(str::to_string).to_vec();
    }
    let vertex = board.begin(&format!("[internal] load local bake definitions{whence}")).await;
    let mut files = Vec::new();
    let mut failed = None;
    for name in names {
        let name = name.strip_prefix("cwd://").map_or(name.clone(), str::to_string);
        let (bytes, told) = match name.as_str() {
            "-" => (read_all_bytes(ctx).await?, "from stdin".to_string()),
            _ => match ctx.client.read_file(&name).await {
                Ok(bytes) => (bytes, name.clone()),
                Err(_) if by_default && matches!(ctx.client.facts(&name).await, Ok(None)) => continue,
                Err(fault) => {
                    failed = Some(wrong(&format!("open {name}: {}", reason(&fault))));
                    board.note(vertex, &format!("reading {name}")).await;
                    break;
                }
            },
        };
        let size = crate::view::units::short_size(bytes.len() as u64);
        let sizes = match name.as_str() {
            _ if bytes.is_empty() => String::new(),
            "-" => format!(" {size}"),
            _ => format!(" {size} / {size}"),
        };
        board.note(vertex, &format!("reading {told}{sizes}")).await;
        files.push(Rc::new(Source { name, text: String::from_utf8_lossy(&bytes).into_owned() }));
    }
    board.done(vertex).await;
    match failed {
        Some(error) => {
            board.finish().await;
            Err(error)
        }
        None => Ok(files),
    }
}

fn reason(fault: &Fault) -> String {
    fault.number().map_or_else(|| fault.to_string(), |errno| errno.text().to_lowercase())
}

/// `BUILDX_BAKE_FILE`.
async fn from_environment<W: World>(ctx: &Ctx<W>) -> Result<Vec<String>> {
    let separator = ctx.client.env("BUILDX_BAKE_PATH_SEPARATOR").filter(|s| !s.is_empty()).unwrap_or(":".into());
    let listed = ctx.client.env("BUILDX_BAKE_FILE").unwrap_or_default();
    let mut names = Vec::new();
    for name in listed.split(&separator).map(str::trim).filter(|name| !name.is_empty()) {
        if name != "-" && matches!(ctx.client.facts(name).await, Ok(None)) {
            return Err(wrong(&format!("stat {name}: no such file or directory")));
        }
        names.push(name.to_string());
    }
    Ok(names)
}

/// Works the definition out.
pub async fn load<W: World>(ctx: &Ctx<W>, files: &[Rc<Source>], board: &Board<'_, W>) -> Result<(Config, Vec<Shown>)> {
    let platform = Platform::normal("linux", &ctx.world().host().architecture, "").to_string();
    let env = |name: &str| ctx.client.env(name);
    let built_in = [("BAKE_CMD_CONTEXT", "cwd://".to_string()), ("BAKE_LOCAL_PLATFORM", platform)];
    let built_in: BTreeMap<String, String> = built_in.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
    let around = Surroundings { now: ctx.world().now(), home: ctx.client.env("HOME").unwrap_or_default() };
    let mut contents = Contents::new();
    loop {
        let outside = Outside {
            env: &env,
            built_in: built_in.clone(),
            around: around.clone(),
            directory: ctx.client.cwd(),
            contents: &contents,
        };
        match crate::bake::load(files, &outside) {
            Ok(loaded) => return Ok(loaded),
            Err(LoadError::Needs(path)) => {
                let bytes = ctx.client.read_file(&path).await.ok();
                contents.insert(path, bytes);
            }
            Err(LoadError::Wrong(error)) => {
                board.finish().await;
                ctx.warn(format!("{}ERROR: {error}\n", error.excerpt())).await;
                return Err(Error::Status(1));
            }
        }
    }
}
