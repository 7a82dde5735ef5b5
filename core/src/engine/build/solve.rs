//! A build from beginning to end: definition, metadata of bases, context, stages, result.

use super::board::Board;
use super::context::{self, Context, Source};
use super::copy::takes_context;
use super::export;
use super::lint;
use super::options::Options;
use super::record::{new_record, note_use};
use super::stage::{Build, Stage};
use crate::build::{BuildCacheRecord, Ignore, Tree, before, needed, sources};
use crate::dockerfile::{Dockerfile, ParseError, Vars, excerpt, expand};
use crate::engine::image::{PullPolicy, ensure_quietly, lookup};
use crate::engine::{Ctx, Error};
use crate::image::ImageRecord;
use crate::image::wire::Platform;
use crate::name::{Digest, Reference, is_full_id};
use crate::world::{Fault, World};
use cutaway_userland::sorted::{Map as BTreeMap, Set as BTreeSet};
use std::cell::RefCell;

/// Why a build failed, and where in the Dockerfile.
#[derive(Clone, Debug)]
pub struct Failure {
    message: String,
    /// Whether solving had begun.
    solving: bool,
    /// The lines it is about, as shown.
    excerpt: String,
}

impl Failure {
    /// Before solving began.
    pub fn plain(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), solving: false, excerpt: String::new() }
    }

    pub fn solve(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), solving: true, excerpt: String::new() }
    }

    /// With the lines it is about, unless it has some already.
    #[must_use]
    pub fn at(mut self, source: &Source, first: usize, last: usize) -> Failure {
        if self.excerpt.is_empty() && first > 0 {
            self.excerpt = excerpt(&source.name, &source.text, first, last);
        }
        self
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// All that is told of it.
    pub fn text<W: World>(&self, board: &Board<'_, W>) -> String {
        if !self.solving {
            return format!("ERROR: {}\n", self.message);
        }
        format!("{}{}ERROR: failed to build: failed to solve: {}\n", board.failure_block(), self.excerpt, self.message)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::solve(fault.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::Daemon(text) | Error::Client(text) | Error::Start { message: text, .. } => Failure::solve(text),
            Error::Status(status) => Failure::solve(format!("exit code: {status}")),
        }
    }
}

/// Builds the target; the image's id.
pub async fn solve<W: World>(ctx: &Ctx<W>, options: &Options, board: &Board<'_, W>) -> Result<Digest, Failure> {
    let (context, source) = match context::load(ctx, options).await {
        Ok(loaded) => loaded,
        Err(failure) if failure.solving => {
            board.opening().await;
            let vertex = board.begin("[internal] load build definition from Dockerfile").await;
            board.note(vertex, "transferring dockerfile: 2B done").await;
            board.done(vertex).await;
            return Err(failure);
        }
        Err(failure) => return Err(failure),
    };
    board.opening().await;
    let vertex = board.begin(&format!("[internal] load build definition from {}", source.name)).await;
    let size = crate::view::units::short_size(source.text.len() as u64 + 37);
    board.note(vertex, &format!("transferring dockerfile: {size} done")).await;
    board.done(vertex).await;
    keep_source(ctx, "local source for dockerfile", source.text.len() as u64)?;
    let located = |error: ParseError| {
        let at = (error.line, error.last_line);
        Failure::solve(error.to_string()).at(&source, at.0, at.1)
    };
    let file = Dockerfile::parse(&source.text).map_err(located)?;
    let predefined = predefined(ctx, options)?;
    let globals = file.global_args(&options.build_args, &predefined).map_err(located)?;
    let target = match &options.target {
        None => file.stages.len() - 1,
        Some(name) => {
            file.stage_index(name).ok_or_else(|| Failure::solve(format!("target stage {name:?} could not be found")))?
        }
    };
    let base_of = |index: usize| base_name(&file, index, &globals);
    let wanted = needed(&file, target, base_of).map_err(located)?;
    let bases = load_bases(ctx, options, board, &file, &source, &wanted, &globals).await?;
    let name = options.file.as_deref().unwrap_or(&source.name);
    let ignore = load_ignore(ctx, board, &context, name).await?;
    let taken = wanted.iter().flat_map(|i| &file.stages[*i].instructions).any(|l| takes_context(&l.instruction));
    let triggered = bases.values().any(|image| !image.config.on_build.is_empty());
    let mut tree = Tree::default();
    if taken || triggered {
        tree = context.tree(ctx, &ignore).await?;
        keep_source(ctx, "local source for context", tree.files.values().map(|(entry, _)| entry.size).sum())?;
    }
    let build = Build {
        ctx,
        options,
        board,
        file: &file,
        source: &source,
        globals,
        predefined,
        bases,
        tree,
        context_vertex: RefCell::new(None),
        stages: RefCell::new(BTreeMap::new()),
    };
    let result = build.run(&wanted, target).await;
    let result = match result {
        Ok(stage) => export::finish(&build, stage).await,
        Err(failure) => Err(failure),
    };
    if result.is_ok() && !options.quiet {
        let warnings = lint::warnings(&file);
        ctx.warn(lint::summary(&warnings)).await;
    }
    result
}

/// Looks at the Dockerfile only: what `--check` tells, and whether there is nothing to tell.
pub async fn check<W: World>(ctx: &Ctx<W>, options: &Options) -> Result<(String, bool), Failure> {
    let (_, source) = context::load(ctx, options).await?;
    let file =
        Dockerfile::parse(&source.text).map_err(|e| Failure::solve(e.to_string()).at(&source, e.line, e.last_line))?;
    Ok(lint::report(&file, &source))
}

/// Notes in the cache that something was sent: the builder keeps it to send less the next time.
fn keep_source<W: World>(ctx: &Ctx<W>, description: &str, size: u64) -> Result<(), Failure> {
    let record = BuildCacheRecord {
        description: description.to_string(),
        kind: "source.local".into(),
        size,
        ..new_record(ctx, Digest::of(description.as_bytes()), Vec::new())
    };
    Ok(note_use(ctx, record)?)
}

/// Notes in the cache that the layers of an image are stood upon.
fn keep_base<W: World>(ctx: &Ctx<W>, name: &str, image: &ImageRecord) -> Result<(), Failure> {
    let key = Digest::of(format!("image {}", image.id).as_bytes());
    let description = format!("pulled from {name}");
    Ok(note_use(ctx, BuildCacheRecord { description, ..new_record(ctx, key, image.layers.clone()) })?)
}

/// A stage's base with the global arguments in it.
pub(super) fn base_name(file: &Dockerfile, index: usize, globals: &Vars) -> Result<String, ParseError> {
    let stage = &file.stages[index];
    let wrong = |message: String| ParseError::meaning(stage.first, stage.last, message);
    let name = expand(&stage.base, globals, file.escape).map_err(|e| wrong(e.to_string()))?;
    if name.is_empty() {
        return Err(wrong(format!("base name ({}) should not be blank", stage.base)));
    }
    Ok(name)
}

/// The arguments that every build knows.
pub(super) fn predefined<W: World>(ctx: &Ctx<W>, options: &Options) -> Result<Vars, Failure> {
    let build = Platform::normal("linux", &ctx.world().host().architecture, "");
    let target = match &options.platform {
        Some(platform) => Platform::parse(platform).map_err(Failure::solve)?,
        None => build.clone(),
    };
    let mut vars = Vars::new();
    for (prefix, platform) in [("BUILD", build), ("TARGET", target)] {
        vars.insert(format!("{prefix}PLATFORM"), platform.to_string());
        vars.insert(format!("{prefix}OS"), platform.os);
        vars.insert(format!("{prefix}ARCH"), platform.architecture);
        vars.insert(format!("{prefix}VARIANT"), platform.variant);
    }
    let stage = options.target.clone().unwrap_or_else(|| "default".into());
    vars.insert("TARGETSTAGE".into(), stage);
    Ok(vars)
}

/// Finds out about every image that the stages begin with or copy from; pulls what is not here.
pub(super) async fn load_bases<W: World>(
    ctx: &Ctx<W>,
    options: &Options,
    board: &Board<'_, W>,
    file: &Dockerfile,
    source: &Source,
    wanted: &BTreeSet<usize>,
    globals: &Vars,
) -> Result<BTreeMap<String, ImageRecord>, Failure> {
    let mut bases: BTreeMap<String, ImageRecord> = BTreeMap::new();
    for index in wanted {
        let stage = &file.stages[*index];
        let base = base_name(file, *index, globals).map_err(|e| Failure::solve(e.to_string()))?;
        let mut names = vec![(base, stage.first, stage.last)];
        for located in &stage.instructions {
            for name in sources(&located.instruction) {
                names.push((expand(&name, globals, file.escape).unwrap_or(name), located.first, located.last));
            }
        }
        for (position, (name, first, last)) in names.into_iter().enumerate() {
            let of_stage = match position {
                0 => before(file, *index, &name).is_some(),
                _ => file.stage_index(&name).is_some(),
            };
            if of_stage || name == "scratch" || bases.contains_key(&name) || options.contexts.contains_key(&name) {
                continue;
            }
            let platform = match &stage.platform {
                Some(text) => Some(expand(text, globals, file.escape).map_err(Failure::solve)?),
                None => options.platform.clone(),
            };
            let image = load_base(ctx, options, board, &name, platform.as_deref()).await;
            let image = image.map_err(|f| f.at(source, first, last))?;
            keep_base(ctx, &name, &image)?;
            bases.insert(name, image);
        }
    }
    Ok(bases)
}

async fn load_base<W: World>(
    ctx: &Ctx<W>,
    options: &Options,
    board: &Board<'_, W>,
    name: &str,
    platform: Option<&str>,
) -> Result<ImageRecord, Failure> {
    let is_id = is_full_id(name.strip_prefix("sha256:").unwrap_or(name));
    let shown = match Reference::parse(name) {
        Ok(reference) => reference.with_default_tag().to_string(),
        Err(_) if is_id => name.to_string(),
        Err(error) => {
            return Err(Failure::solve(format!("failed to parse stage name {name:?}: {error}")));
        }
    };
    // The beginning of an id stands for a local image where there is no such name.
    if let (false, Ok(Some(image))) = (options.pull, lookup(ctx, name)) {
        let vertex = board.begin(&format!("[internal] load metadata for {shown}")).await;
        board.done(vertex).await;
        return Ok(image);
    }
    let vertex = board.begin(&format!("[internal] load metadata for {shown}")).await;
    let policy = if options.pull { PullPolicy::Always } else { PullPolicy::Missing };
    match ensure_quietly(ctx, name, policy, platform).await {
        Ok(image) => {
            board.done(vertex).await;
            Ok(image)
        }
        Err(error) => {
            let reason = metadata_reason(&shown, Failure::from(error).message());
            board.failed(vertex, &reason).await;
            Err(Failure::solve(format!("{name}: failed to resolve source metadata for {shown}: {reason}")))
        }
    }
}

/// BuildKit's words for what a registry refuses.
fn metadata_reason(shown: &str, message: &str) -> String {
    if message.starts_with("pull access denied") {
        return "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed".to_string();
    }
    if message.contains("manifest unknown") || message.contains("name unknown") {
        return format!("{shown}: not found");
    }
    message.to_string()
}

async fn load_ignore<W: World>(
    ctx: &Ctx<W>,
    board: &Board<'_, W>,
    context: &Context,
    dockerfile: &str,
) -> Result<Ignore, Failure> {
    let vertex = board.begin("[internal] load .dockerignore").await;
    let (ignore, size) = context.ignore(ctx, dockerfile).await?;
    let size = crate::view::units::short_size(size as u64 + if size > 0 { 36 } else { 2 });
    board.note(vertex, &format!("transferring context: {size} done")).await;
    board.done(vertex).await;
    Ok(ignore)
}

impl<W: World> Build<'_, W> {
    /// Goes through the stages in order; gives the target's.
    async fn run(&self, wanted: &BTreeSet<usize>, target: usize) -> Result<Stage, Failure> {
        for index in wanted {
            let stage = self.stage(*index).await?;
            self.stages.borrow_mut().insert(*index, stage);
        }
        let stages = self.stages.borrow();
        stages.get(&target).cloned().ok_or_else(|| Failure::solve("the target was not built"))
    }
}
