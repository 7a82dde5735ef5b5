//! Finding the files of a project and reading them: `-f`, `compose.yaml` here or above, `.env`, `-p`.

use super::App;
use super::bake::with_contexts;
use super::progress::Board;
use crate::cli::{Args, Invocation};
use crate::compose::{self, LoadError, Project, Request};
use crate::container::ContainerRecord;
use crate::container::spec::absolute;
use crate::engine::{Ctx, Error, Result};
use crate::view::units::rfc3339_seconds;
use crate::world::World;
use cutaway_userland::os::FileKind;
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Map, Value, json};
use std::cell::RefCell;

/// What a command can't do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// The files.
    File,
    /// The project's name is enough: its containers know the rest.
    Name,
}

const NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const OVERRIDES: [&str; 4] =
    ["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"];

/// How much of what is read is worked out; `config` can ask for less.
#[derive(Clone, Copy, Debug)]
pub(super) struct Depth {
    pub interpolate: bool,
    pub resolve_paths: bool,
    pub consistent: bool,
    pub normalize: bool,
    pub environment: bool,
}

impl Depth {
    pub const FULL: Depth =
        Depth { interpolate: true, resolve_paths: true, consistent: true, normalize: true, environment: true };
}

/// The project of a command; `named` are the services that it names.
pub(super) async fn open<'a, W: World>(
    ctx: &'a Ctx<W>,
    call: &Invocation,
    need: Need,
    named: &[String],
) -> Result<App<'a, W>> {
    let named: Vec<String> = named.iter().map(|n| n.split('=').next().unwrap_or(n).to_string()).collect();
    let settings = Settings::read(ctx, &call.global).await;
    settings.check(ctx, &call.global)?;
    let board = Board::new(ctx, &settings, &call.global, &call.args)?;
    let old = call.global.flag("compatibility") || settings.is_on(ctx, "COMPOSE_COMPATIBILITY");
    let at_once = settings.at_once(ctx, &call.global);
    let separator = if old { '_' } else { '-' };
    // With a name and no file, what there is tells of itself.
    let name = call.global.value("project-name").filter(|n| !n.is_empty() && !call.global.given("file"));
    let read = match name.filter(|_| need == Need::Name) {
        Some(name) => Err(name.to_string()),
        None => match Box::pin(read(ctx, call, &named, Depth::FULL)).await {
            Ok(project) => Ok(project),
            // A file that can't be read is not needed either, where the environment has the name.
            Err(error) => match settings.get(ctx, "COMPOSE_PROJECT_NAME").filter(|_| need == Need::Name) {
                Some(name) => Err(name),
                None => return Err(error),
            },
        },
    };
    let mut project = match read {
        Ok(project) => project,
        Err(name) => {
            let project = remembered(ctx, &name.to_lowercase())?;
            let imagined = RefCell::default();
            let app = App { ctx, project, all: true, board, settings, at_once, separator, imagined };
            app.imagine().await?;
            return Ok(app);
        }
    };
    let named: Vec<String> = named.into_iter().filter(|n| !n.is_empty()).collect();
    for name in &named {
        if !project.services.contains_key(name) {
            return Err(Error::Client(format!("no such service: {name}")));
        }
    }
    // Others than these do not look beyond the services that are named.
    if !named.is_empty() && !matches!(call.command, "compose restart" | "compose events") {
        // What is built may stand on other services' images.
        let named = if call.command == "compose build" { with_contexts(&project, named) } else { named };
        compose::select(&mut project, &named);
    }
    let app = App { ctx, project, all: false, board, settings, at_once, separator, imagined: RefCell::default() };
    app.imagine().await?;
    Ok(app)
}

/// The `COMPOSE_…` variables that steer Compose itself: those of the environment, then those of `.env`.
pub(super) struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Reads what `--env-file` names, or the `.env` of the project's folder.
    pub async fn read<W: World>(ctx: &Ctx<W>, global: &Args) -> Settings {
        let mut own = BTreeMap::new();
        let given = env_files(ctx, global);
        let files = if given.is_empty() { dotenv(ctx, global, None) } else { given };
        for path in files {
            let Ok(bytes) = ctx.client.read_file(&path).await else { continue };
            let lines = compose::parse_env_file(&String::from_utf8_lossy(&bytes), &|name| ctx.client.env(name));
            own.extend(lines.unwrap_or_default().into_iter().filter(|(name, _)| name.starts_with("COMPOSE_")));
        }
        Settings(own)
    }

    pub fn get<W: World>(&self, ctx: &Ctx<W>, name: &str) -> Option<String> {
        let value = ctx.client.env(name).or_else(|| self.0.get(name).cloned());
        value.filter(|v| !v.is_empty())
    }

    /// # Errors
    /// Where `COMPOSE_PARALLEL_LIMIT` is no number.
    pub fn check<W: World>(&self, ctx: &Ctx<W>, global: &Args) -> Result<()> {
        let limit = self.get(ctx, "COMPOSE_PARALLEL_LIMIT").filter(|_| !global.given("parallel"));
        match limit.filter(|l| l.parse::<i64>().is_err()) {
            Some(wrong) => Err(Error::Client(format!("COMPOSE_PARALLEL_LIMIT must be an integer (found: {wrong:?})"))),
            None => Ok(()),
        }
    }

    /// How many images are pulled or pushed at once (`--parallel`, `COMPOSE_PARALLEL_LIMIT`); any number by default.
    pub fn at_once<W: World>(&self, ctx: &Ctx<W>, global: &Args) -> usize {
        let own = self.get(ctx, "COMPOSE_PARALLEL_LIMIT").and_then(|l| l.parse().ok());
        let limit = global.number("parallel").filter(|_| global.given("parallel")).or(own).unwrap_or(-1);
        usize::try_from(limit).ok().filter(|n| *n > 0).unwrap_or(usize::MAX)
    }

    /// Whether a variable says yes.
    pub fn is_on<W: World>(&self, ctx: &Ctx<W>, name: &str) -> bool {
        self.get(ctx, name).is_some_and(|v| matches!(v.to_lowercase().as_str(), "1" | "t" | "true" | "y" | "yes"))
    }
}

/// The files that `--env-file` or `COMPOSE_ENV_FILES` names; absolute.
fn env_files<W: World>(ctx: &Ctx<W>, global: &Args) -> Vec<String> {
    let cwd = ctx.client.cwd();
    let mut given = global.values("env-file").to_vec();
    if given.is_empty() {
        let named = ctx.client.env("COMPOSE_ENV_FILES").unwrap_or_default();
        given = named.split(',').filter(|f| !f.is_empty()).map(str::to_string).collect();
    }
    given.iter().map(|file| absolute(&cwd, file)).collect()
}

/// The `.env` files that are read where none is given: of the folder that the command is about, and then of the one
/// where the first of the project's files was found.
fn dotenv<W: World>(ctx: &Ctx<W>, global: &Args, found: Option<&str>) -> Vec<String> {
    if ctx.client.env("COMPOSE_DISABLE_ENV_FILE").is_some_and(|v| matches!(&*v.to_lowercase(), "1" | "t" | "true")) {
        return Vec::new();
    }
    let cwd = ctx.client.cwd();
    let given = global.values("file").iter().find(|f| *f != "-").map(|f| parent(&absolute(&cwd, f)));
    let folder = global.value("project-directory").map(|d| absolute(&cwd, d)).or(given).unwrap_or(cwd);
    let mut folders = vec![folder];
    folders.extend(found.filter(|_| global.value("project-directory").is_none()).map(parent));
    folders.dedup();
    folders.iter().map(|folder| absolute(folder, ".env")).collect()
}

/// What the containers of a project tell of it, where there is no file.
fn remembered<W: World>(ctx: &Ctx<W>, name: &str) -> Result<Project> {
    let mut project = Project { name: name.to_string(), ..Project::default() };
    for record in ctx.world().list::<ContainerRecord>()? {
        let labels = record.labels();
        let label = |key: &str| labels.get(&format!("com.docker.compose.{key}")).cloned().unwrap_or_default();
        if label("project") == name {
            let service = project.services.entry(label("service")).or_default();
            let mut depends = Map::new();
            for one in label("depends_on").split(',').filter(|d| !d.is_empty()) {
                let mut parts = one.split(':');
                let name = parts.next().unwrap_or("").to_string();
                let condition = parts.next().unwrap_or("service_started");
                let restart = parts.next() == Some("true");
                depends.insert(name, json!({"condition": condition, "required": true, "restart": restart}));
            }
            if !depends.is_empty() {
                service.insert("depends_on".into(), Value::Object(depends));
            }
            project.directory = label("project.working_dir");
        }
    }
    Ok(project)
}

/// Compose's files of this folder, or of the nearest one above that has any.
async fn found<W: World>(ctx: &Ctx<W>, global: &Args, tell: bool) -> Vec<String> {
    let cwd = ctx.client.cwd();
    let mut folder = global.value("project-directory").map_or(cwd.clone(), |d| absolute(&cwd, d));
    loop {
        let mut files = Vec::new();
        for names in [NAMES, OVERRIDES] {
            let mut there = Vec::new();
            for name in names {
                let path = absolute(&folder, name);
                if matches!(ctx.client.facts(&path).await, Ok(Some(_))) {
                    there.push(path);
                }
            }
            if let [first, _, ..] = &there[..]
                && tell
            {
                let all = there.join(", ");
                let kind = if names == NAMES { "config" } else { "override" };
                warn(ctx, &format!("Found multiple {kind} files with supported names: {all}")).await;
                warn(ctx, &format!("Using {first}")).await;
            }
            files.extend(there.into_iter().next());
            if files.is_empty() {
                break;
            }
        }
        if !files.is_empty() || folder == "/" || folder.is_empty() {
            return files;
        }
        folder = parent(&folder);
    }
}

fn parent(path: &str) -> String {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/".into(),
        Some((folder, _)) => folder.into(),
    }
}

/// Reads the project; warnings are told as they come up.
pub(super) async fn read<W: World>(ctx: &Ctx<W>, call: &Invocation, named: &[String], depth: Depth) -> Result<Project> {
    let global = &call.global;
    let cwd = ctx.client.cwd();
    let mut contents = BTreeMap::new();
    let settings = Settings::read(ctx, global).await;
    let mut given = global.values("file").to_vec();
    let named_by_variable = given.is_empty();
    if given.is_empty() {
        let separator = settings.get(ctx, "COMPOSE_PATH_SEPARATOR").unwrap_or_else(|| ":".into());
        let named = settings.get(ctx, "COMPOSE_FILE").unwrap_or_default();
        given = named.split(&separator).filter(|f| !f.is_empty()).map(str::to_string).collect();
    }
    let mut files = Vec::new();
    for path in &given {
        if path == "-" {
            let bytes = crate::engine::image::read_all_bytes(ctx).await?;
            contents.insert(format!("{cwd}/-"), Some(bytes));
        }
        let path = absolute(&cwd, path);
        if named_by_variable && !matches!(ctx.client.facts(&path).await, Ok(Some(_))) {
            return Err(Error::Client(format!("stat {path}: no such file or directory")));
        }
        files.push(path);
    }
    let folder = global.value("project-directory").map(|d| absolute(&cwd, d));
    if files.is_empty() {
        files = found(ctx, global, true).await;
    }
    let Some(first) = files.first() else {
        return Err(Error::Client("no configuration file provided: not found".into()));
    };
    let mut profiles = global.values("profile").to_vec();
    if profiles.is_empty() {
        let named = settings.get(ctx, "COMPOSE_PROFILES").unwrap_or_default();
        profiles.extend(named.split(',').map(|p| p.trim().to_string()));
    }
    if !depth.interpolate {
        // What is not looked into is not chosen from either.
        profiles.push("*".into());
    }
    let lookup = |name: &str| ctx.client.env(name);
    let directory = folder.unwrap_or_else(|| parent(first));
    loop {
        let request = Request {
            files: files.clone(),
            directory: directory.clone(),
            name: global.value("project-name").map(str::to_string),
            profiles: profiles.clone(),
            named: named.to_vec(),
            env_files: env_files(ctx, global),
            dotenv: dotenv(ctx, global, Some(first)),
            env: &lookup,
            contents: &contents,
            interpolate: depth.interpolate,
            resolve_paths: depth.resolve_paths,
            consistent: depth.consistent,
            normalize: depth.normalize,
            resolve_environment: depth.environment,
            all_resources: global.flag("all-resources") || !depth.interpolate,
        };
        match compose::load(&request) {
            Ok(project) => {
                for warning in &project.warnings {
                    warn(ctx, warning).await;
                }
                return Ok(project);
            }
            Err(LoadError::Needs(path)) => {
                let facts = ctx.client.facts(&path).await.ok().flatten();
                if facts.is_some_and(|f| f.kind == FileKind::Directory) && !path.ends_with("/.env") {
                    let given = env_files(ctx, global).contains(&path);
                    let text =
                        if given { format!("{path} is a directory") } else { format!("read {path}: is a directory") };
                    return Err(Error::Client(text));
                }
                let bytes = ctx.client.read_file(&path).await.ok();
                contents.insert(path, bytes);
            }
            Err(LoadError::Invalid(text)) => return Err(Error::Client(text)),
        }
    }
}

/// A warning in the form of Compose's log.
pub(super) async fn warn<W: World>(ctx: &Ctx<W>, text: &str) {
    let time = rfc3339_seconds(ctx.world().now());
    ctx.warn(format!("time=\"{time}\" level=warning msg={text:?}\n")).await;
}
