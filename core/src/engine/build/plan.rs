//! What a build has at hand before its first step: the parsed Dockerfile, the stages that the target needs,
//! their bases, and the context.

use super::board::{Board, Vertex};
use super::context::{Context, Source};
use super::copy::takes_context;
use super::failure::Failure;
use super::lint::{self, Begins, Warning};
use super::options::{Call, Options};
use super::pulls::Pending;
use super::record::{new_record, note_use};
use super::shared::Shared;
use crate::build::{Applying, BuildCacheRecord, Ignore, Tree, before, needed, sources};
use crate::dockerfile::{Dockerfile, Instruction, Located, Network, ParseError, Vars, expand};
use crate::engine::Ctx;
use crate::image::wire::Platform;
use crate::image::{ImageRecord, LayerRef};
use crate::name::Digest;
use crate::world::World;
use cutaway_userland::sorted::{Map as BTreeMap, Set as BTreeSet};
use std::cell::RefCell;

/// What the Dockerfile and the command line say together.
pub struct Plan {
    pub file: Dockerfile,
    pub globals: Vars,
    pub predefined: Vars,
    /// The stage that is asked for, and all that are built, in the order of the file.
    pub target: usize,
    pub wanted: BTreeSet<usize>,
}

impl Plan {
    pub fn of<W: World>(ctx: &Ctx<W>, options: &Options, source: &Source) -> Result<Plan, Failure> {
        let located = |error: ParseError| Failure::parse(&error, source);
        let file = Dockerfile::parse(&source.text).map_err(located)?;
        let predefined = predefined(ctx, options, &file)?;
        let globals = file.global_args(&options.build_args, &predefined).map_err(located)?;
        let target = target_of(options, &file)?;
        let wanted = match options.classic {
            true => (0..=target).collect(),
            false => {
                let replaced = |index: usize| stage_context(options, &file, index).is_some();
                needed(&file, target, |index| base_name(&file, index, &globals), replaced).map_err(located)?
            }
        };
        // The checks are of all stages, unless one is named.
        let all = options.call == Some(Call::Check) && options.target.is_none();
        let wanted = if all { (0..file.stages.len()).collect() } else { wanted };
        let plan = Plan { file, globals, predefined, target, wanted };
        plan.check_rights(options)?;
        Ok(plan)
    }
}

impl Plan {
    /// More than the usual rights are given only to who asks for them by `--allow`.
    fn check_rights(&self, options: &Options) -> Result<(), Failure> {
        for located in self.wanted.iter().flat_map(|index| &self.file.stages[*index].instructions) {
            let Instruction::Run(step) = &located.instruction else { continue };
            for (needed, right) in
                [(step.insecure, "security.insecure"), (step.network == Network::Host, "network.host")]
            {
                let given =
                    options.allow.iter().any(|a| a == right) || (right == "network.host" && options.network == "host");
                if needed && !given {
                    return Err(Failure::solve(format!("failed to load LLB: {right} is not allowed")));
                }
            }
        }
        Ok(())
    }
}

/// All that a build has at hand.
pub struct Build<'a, W: World> {
    pub ctx: &'a Ctx<W>,
    pub options: &'a Options,
    pub board: &'a Board<'a, W>,
    pub file: Dockerfile,
    pub source: Source,
    pub globals: Vars,
    pub predefined: Vars,
    /// The stage that is asked for, and all that are built, in the order of the file.
    pub target: usize,
    pub wanted: BTreeSet<usize>,
    /// Images that stages begin with or copy from, and named contexts, by the name in the Dockerfile.
    pub bases: BTreeMap<String, ImageRecord>,
    /// Those of the images whose layers have not been got, and the layers of those that were got since.
    pub pending: RefCell<Vec<(String, Pending<'a, W>)>>,
    pub pulled: RefCell<BTreeMap<String, Vec<LayerRef>>>,
    pub tree: Tree,
    pub ignore: Ignore,
    /// What the bases show to be questionable.
    pub warnings: Vec<Warning>,
    pub shared: Shared,
}

impl<'a, W: World> Build<'a, W> {
    /// Reads the Dockerfile and finds out what its bases are.
    pub async fn plan(
        ctx: &'a Ctx<W>,
        options: &'a Options,
        board: &'a Board<'a, W>,
        source: Source,
    ) -> Result<Build<'a, W>, Failure> {
        let Plan { file, globals, predefined, target, wanted } = Plan::of(ctx, options, &source)?;
        let mut build = Build {
            ctx,
            options,
            board,
            file,
            source,
            globals,
            predefined,
            target,
            wanted,
            bases: BTreeMap::new(),
            pending: RefCell::default(),
            pulled: RefCell::default(),
            tree: Tree::default(),
            ignore: Ignore::default(),
            warnings: Vec::new(),
            shared: Shared::default(),
        };
        build.load_bases().await?;
        Ok(build)
    }

    /// Reads the context's patterns of what is left behind.
    pub async fn take_ignore(&mut self, context: &Context) -> Result<(), Failure> {
        let name = self.options.file.as_deref().unwrap_or(&self.source.name);
        let (ignore, size) = context.ignore(self.ctx, name).await?;
        if self.source.local {
            let vertex = self.board.begin("[internal] load .dockerignore").await;
            let size = crate::view::units::short_size(size as u64 + if size > 0 { 36 } else { 2 });
            self.board.note(vertex, &format!("transferring context: {size}")).await;
            self.board.done(vertex).await;
        }
        self.ignore = ignore;
        Ok(())
    }

    /// Lists the files of the context where any step takes some.
    pub async fn take_context(&mut self, context: &Context) -> Result<(), Failure> {
        if self.needs_context() {
            self.tree = context.tree(self.ctx, &self.ignore).await?;
            let size = self.tree.files.values().map(|(entry, _)| entry.size).sum();
            keep_source(self.ctx, "local source for context", size)?;
        }
        Ok(())
    }

    fn instructions(&self) -> impl Iterator<Item = &Located> {
        self.wanted.iter().flat_map(|index| &self.file.stages[*index].instructions)
    }

    /// Whether any step takes files of the context, or may: what an image triggers is not known yet.
    pub fn needs_context(&self) -> bool {
        self.instructions().any(|l| takes_context(&l.instruction))
            || self.bases.values().any(|image| !image.config.on_build.is_empty())
    }

    /// The stage before `index` that it begins with.
    pub fn earlier(&self, index: usize) -> Result<Option<usize>, ParseError> {
        Ok(before(&self.file, index, &base_name(&self.file, index, &self.globals)?))
    }

    /// Goes through what the wanted stages ask for, before any of it is done: what is questionable about it, and the
    /// first thing that is wrong.
    pub fn rehearse(&self) -> (Vec<Warning>, Option<ParseError>) {
        let value = |applying: &Applying, name: &str, default: Option<&String>| self.arg_value(applying, name, default);
        let wanted = self.wanted.iter().copied();
        let (found, wrong) = lint::stages(&self.file, wanted, |index| self.begins(index), &value, &self.ignore);
        ([self.warnings.clone(), found].concat(), wrong)
    }

    fn begins(&self, index: usize) -> Begins {
        if stage_context(self.options, &self.file, index).is_some() {
            return Begins::Other;
        }
        let Ok(base) = base_name(&self.file, index, &self.globals) else { return Begins::Other };
        match (before(&self.file, index, &base), self.bases.get(&base)) {
            (Some(earlier), _) => Begins::Stage(earlier),
            (None, Some(image)) => Begins::Image(Box::new(image.config.clone())),
            (None, None) => Begins::Image(Box::default()),
        }
    }

    /// Finds out about every image that the stages begin with or copy from.
    async fn load_bases(&mut self) -> Result<(), Failure> {
        let mut names = self.base_names()?;
        names.reverse();
        while let Some((name, platform, first, last)) = names.pop() {
            if self.bases.contains_key(&name) {
                continue;
            }
            let image = match named_context(self.options, &name) {
                Some(context) => self.load_named(&name, context, platform.as_deref()).await,
                None => self.load_base(&name, None, platform.as_deref()).await,
            };
            let image = image.map_err(|f| f.at(&self.source, first, last))?;
            let expected = self.expected(platform.as_deref())?;
            let actual = Platform::normal(&image.os, &image.architecture, &image.variant);
            if named_context(self.options, &name).is_none() && self.file.stages.iter().any(|s| s.first == first) {
                self.warnings.extend(lint::platform(&name, &expected, &actual, (first, last)));
            }
            let triggered = triggers(&image).iter().flat_map(|l| sources(&l.instruction)).collect::<Vec<_>>();
            let triggered =
                triggered.into_iter().filter(|name| name != "scratch" && self.file.stage_index(name).is_none());
            names.extend(triggered.map(|name| (name, platform.clone(), first, last)));
            self.bases.insert(name, image);
        }
        Ok(())
    }

    /// The platform that a base should have.
    fn expected(&self, asked: Option<&str>) -> Result<Platform, Failure> {
        match asked {
            Some(text) => Platform::parse(text).map_err(Failure::solve),
            None => Ok(Platform::normal("linux", &self.ctx.world().host().architecture, "")),
        }
    }

    /// The names to look up, each with its platform and the lines that name it.
    fn base_names(&self) -> Result<Vec<(String, Option<String>, usize, usize)>, Failure> {
        let file = &self.file;
        let mut all = Vec::new();
        for index in &self.wanted {
            let stage = &file.stages[*index];
            let platform = match &stage.platform {
                Some(text) => Some(expand(text, &self.globals, file.escape).map_err(Failure::solve)?),
                None => self.options.platform.clone(),
            };
            if let (Some(text), Some(typed)) = (&platform, &stage.platform) {
                let wrong = |e: String| {
                    Failure::solve(format!("failed to parse platform {typed}: {e}")).at(
                        &self.source,
                        stage.first,
                        stage.last,
                    )
                };
                Platform::parse(text).map_err(wrong)?;
            }
            if let Some(name) = stage_context(self.options, file, *index) {
                all.push((name.to_string(), platform, stage.first, stage.last));
                continue;
            }
            let base = base_name(file, *index, &self.globals).map_err(|e| Failure::parse(&e, &self.source))?;
            if base != "scratch" && before(file, *index, &base).is_none() {
                all.push((base, platform.clone(), stage.first, stage.last));
            }
            for located in &stage.instructions {
                for name in sources(&located.instruction) {
                    let name = expand(&name, &self.globals, file.escape).unwrap_or(name);
                    if name != "scratch" && file.stage_index(&name).is_none() {
                        all.push((name, platform.clone(), located.first, located.last));
                    }
                }
            }
        }
        Ok(all)
    }

    /// Tells, once, that the context is sent, and how much of it.
    pub async fn tell_context(&self) {
        let taken = self.source.local && self.instructions().any(|l| takes_context(&l.instruction));
        if !taken || !self.shared.tells("context") {
            return;
        }
        let vertex: Vertex = self.board.begin("[internal] load build context").await;
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for located in self.instructions() {
            for path in super::copy::context_paths(&located.instruction) {
                let path = expand(&path, &self.globals, self.file.escape).unwrap_or(path);
                if let Some(selection) = self.tree.select(&path, false, &[]) {
                    taken.extend(selection.files.into_iter().map(|f| f.entry.path));
                }
            }
        }
        let size_of = |path: &String| self.tree.files.get(path).map_or(0, |(e, _)| e.size + 26 + path.len() as u64);
        let size = crate::view::units::short_size(taken.iter().map(size_of).sum::<u64>().max(2));
        self.board.note(vertex, &format!("transferring context: {size}")).await;
        self.board.done(vertex).await;
    }
}

/// The instructions that an image keeps for those who build on it; what can't be read is told of when it is done.
fn triggers(image: &ImageRecord) -> Vec<Located> {
    let text = format!("FROM scratch\n{}", image.config.on_build.join("\n"));
    Dockerfile::parse(&text)
        .map_or_else(|_| Vec::new(), |file| file.stages.into_iter().flat_map(|s| s.instructions).collect())
}

/// What `--build-context` says of a name in the Dockerfile: by itself, or as an image's name without `:latest`.
pub fn named_context<'o>(options: &'o Options, name: &str) -> Option<&'o String> {
    let lower = name.to_lowercase();
    options.contexts.get(&lower).or_else(|| {
        let reference = crate::name::Reference::parse(name).ok()?.with_default_tag();
        options.contexts.get(reference.familiar().trim_end_matches(":latest"))
    })
}

/// The name of a stage that a context stands in for.
pub fn stage_context<'f>(options: &Options, file: &'f Dockerfile, index: usize) -> Option<&'f str> {
    file.stages[index].name.as_deref().filter(|name| options.contexts.contains_key(*name))
}

fn target_of(options: &Options, file: &Dockerfile) -> Result<usize, Failure> {
    let Some(name) = &options.target else { return Ok(file.stages.len() - 1) };
    let missing = || {
        let names = file.stages.iter().filter_map(|s| s.name.as_deref());
        let near =
            crate::dockerfile::nearest(name, names).map_or_else(String::new, |n| format!(" (did you mean {n}?)"));
        Failure::solve(format!("target stage {name:?} could not be found{near}"))
    };
    file.stage_index(name).ok_or_else(missing)
}

/// Notes in the cache that something was sent: the builder keeps it to send less the next time.
pub fn keep_source<W: World>(ctx: &Ctx<W>, description: &str, size: u64) -> Result<(), Failure> {
    let record = BuildCacheRecord {
        description: description.to_string(),
        kind: "source.local".into(),
        size,
        ..new_record(ctx, Digest::of(description.as_bytes()), Vec::new())
    };
    Ok(note_use(ctx, record)?)
}

/// A stage's base with the global arguments in it.
pub fn base_name(file: &Dockerfile, index: usize, globals: &Vars) -> Result<String, ParseError> {
    let stage = &file.stages[index];
    let wrong = |message: String| ParseError::meaning(stage.first, stage.last, message);
    let name = expand(&stage.base, globals, file.escape).map_err(|e| wrong(e.to_string()))?;
    if name.is_empty() {
        return Err(wrong(format!("base name ({}) should not be blank", stage.base)));
    }
    Ok(name)
}

/// The arguments that every build knows.
pub fn predefined<W: World>(ctx: &Ctx<W>, options: &Options, file: &Dockerfile) -> Result<Vars, Failure> {
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
    let last = file.stages.last().and_then(|s| s.name.clone());
    vars.insert("TARGETSTAGE".into(), options.target.clone().or(last).unwrap_or_else(|| "default".into()));
    Ok(vars)
}
