//! One stage: its base, then its instructions, each done or taken from the cache.

use super::board::Vertex;
use super::failure::Failure;
use super::plan::{Build, base_name, named_context, stage_context};
use super::pulls::base_key;
use super::step::{Step, step_key};
use crate::build::{Applying, apply, sources};
use crate::dockerfile::{Dockerfile, Instruction, Located, Vars, expand_for_show};
use crate::image::wire::Platform;
use crate::image::{HistoryEntry, ImageConfig, LayerRef};
use crate::layer::TarWriter;
use crate::name::{ChainId, Digest};
use crate::world::World;
use crate::world::acts::SnapshotKey;
use std::time::Duration;

/// What BuildKit leaves in the history of what it makes.
pub const COMMENT: &str = "buildkit.dockerfile.v0";
/// Where programs are found where the image does not say.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A stage as far as it is done.
#[derive(Clone)]
pub struct Stage {
    pub applying: Applying,
    pub layers: Vec<LayerRef>,
    /// When each layer was made.
    pub times: Vec<Option<Duration>>,
    pub history: Vec<HistoryEntry>,
    /// The digest of all that the files depend on so far.
    pub key: Digest,
    /// The cached step that made the last layer.
    pub cached_by: Option<String>,
    /// `ARG`s in the order they were declared.
    pub args: Vec<(String, Option<String>)>,
    pub platform: Platform,
    pub base_author: String,
    /// `[base 2/4] `: the stage's name, and how many steps are counted.
    label: String,
    total: usize,
    counted: usize,
    /// Whether the cache may serve it.
    pub cache: bool,
}

impl Stage {
    pub fn chains(&self) -> Vec<ChainId> {
        self.layers.iter().map(|l| l.chain).collect()
    }

    pub fn chain(&self) -> Option<ChainId> {
        self.layers.last().map(|l| l.chain)
    }

    /// What variables stand for in instructions.
    pub fn vars(&self) -> Vars {
        self.applying.vars()
    }

    /// The next step's place, as `[base 2/4] `.
    fn place(&mut self) -> String {
        self.counted += 1;
        let width = self.total.to_string().len();
        let name = if self.label.is_empty() { String::new() } else { format!("{} ", self.label) };
        format!("[{name}{:>width$}/{}] ", self.counted, self.total)
    }

    pub fn told(&mut self, created_by: String, empty_layer: bool) {
        self.history.push(HistoryEntry {
            created_by,
            comment: COMMENT.to_string(),
            empty_layer,
            ..HistoryEntry::default()
        });
    }
}

impl<W: World> Build<'_, W> {
    /// Does a whole stage.
    pub async fn stage(&self, index: usize) -> Result<Stage, Failure> {
        let definition = &self.file.stages[index];
        let mut stage = self.begin(index).await.map_err(|f| f.at(&self.source, definition.first, definition.last))?;
        self.tell_context().await;
        let triggers = std::mem::take(&mut stage.applying.config.on_build);
        for text in triggers {
            let parsed = Dockerfile::parse(&format!("FROM scratch\n{text}")).map_err(|e| Failure::solve(e.message))?;
            for located in parsed.stages.iter().flat_map(|s| &s.instructions) {
                self.instruction(&mut stage, located).await?;
            }
        }
        if stage_context(self.options, &self.file, index).is_some() {
            return Ok(stage);
        }
        for located in &definition.instructions {
            let done = self.instruction(&mut stage, located).await;
            done.map_err(|f| f.at(&self.source, located.first, located.last))?;
        }
        Ok(stage)
    }

    /// The state that the stage begins with.
    pub async fn begin(&self, index: usize) -> Result<Stage, Failure> {
        let definition = &self.file.stages[index];
        let stands_in = stage_context(self.options, &self.file, index).map(str::to_string);
        let earlier = match stands_in {
            Some(_) => None,
            None => self.earlier(index).map_err(|e| Failure::parse(&e, &self.source))?,
        };
        let base = match stands_in {
            Some(name) => name,
            None => base_name(&self.file, index, &self.globals).map_err(|e| Failure::parse(&e, &self.source))?,
        };
        let label = match &definition.name {
            _ if self.is_alone() => String::new(),
            Some(name) => name.clone(),
            None => format!("stage-{index}"),
        };
        let of_image = earlier.is_none() && base != "scratch";
        let steps = definition.instructions.iter().filter(|l| counts(&l.instruction)).count();
        let triggers = self
            .bases
            .get(&base)
            .filter(|_| of_image)
            .map_or(0, |i| i.config.on_build.iter().filter(|t| counts_text(t)).count());
        let cache = !self.options.no_cache && !self.options.no_cache_stages.contains(&label);
        let mut stage = match earlier {
            // Its arguments are known here, too; the builder of before BuildKit forgets them.
            Some(earlier) => Stage { counted: 0, ..self.shared.wait(earlier).await? },
            None => self.of_base(&base)?,
        };
        if self.options.classic {
            (stage.args, stage.applying.args) = (Vec::new(), Vars::new());
        }
        (stage.label, stage.total, stage.cache) = (label, usize::from(of_image) + steps + triggers, cache);
        if !stage.applying.config.env.iter().any(|e| e.starts_with("PATH=")) {
            stage.applying.config.env.push(PATH.to_string());
        }
        if of_image {
            let shown = crate::name::Reference::parse(&base).map_or(base.clone(), |r| r.with_default_tag().to_string());
            let label = stage.place();
            // Stages with the same base have it in common.
            self.stand_on(&base, &shown, &label).await?;
            if let Some(layers) = self.pulled.borrow().get(&base) {
                stage.layers = layers.clone();
            }
        }
        Ok(stage)
    }

    /// A stage on an image, or on nothing.
    fn of_base(&self, base: &str) -> Result<Stage, Failure> {
        let platform = Platform::normal("linux", &self.ctx.world().host().architecture, "");
        let empty = |config: ImageConfig| Stage {
            applying: Applying::new(config, self.file.escape),
            layers: Vec::new(),
            times: Vec::new(),
            history: Vec::new(),
            key: Digest::of(b"scratch"),
            cached_by: None,
            args: Vec::new(),
            platform: match &self.options.platform {
                Some(text) => Platform::parse(text).unwrap_or(platform),
                None => platform,
            },
            base_author: String::new(),
            label: String::new(),
            total: 0,
            counted: 0,
            cache: true,
        };
        if base == "scratch" {
            return Ok(empty(ImageConfig { working_dir: "/".into(), ..ImageConfig::default() }));
        }
        let image = self.bases.get(base).ok_or_else(|| Failure::solve(format!("{base}: not found")))?;
        let mut times: Vec<Option<Duration>> =
            image.history.iter().filter(|h| !h.empty_layer).map(|h| h.created).collect();
        times.resize(image.layers.len(), image.created);
        Ok(Stage {
            layers: image.layers.clone(),
            times,
            history: image.history.clone(),
            key: base_key(&image.id),
            platform: Platform::normal(&image.os, &image.architecture, &image.variant),
            base_author: image.author.clone(),
            ..empty(image.config.clone())
        })
    }

    /// Whether it is the only stage, and nothing is copied from an image: then its steps need no name.
    fn is_alone(&self) -> bool {
        let stages = &self.file.stages;
        stages.len() == 1 && !stages[0].instructions.iter().any(|l| sources(&l.instruction).iter().any(|s| s != "0"))
    }

    /// Tells, once, of an image that is copied from.
    async fn tell_source(&self, name: &str) -> Result<(), Failure> {
        let shown = crate::name::Reference::parse(name).map_or(name.to_string(), |r| r.with_default_tag().to_string());
        let waits = || self.pending.borrow().iter().any(|(pending, _)| pending == name);
        if self.bases.contains_key(name) && (named_context(self.options, name).is_none() || waits()) {
            self.stand_on(name, &shown, "").await?;
        }
        Ok(())
    }

    pub async fn instruction(&self, stage: &mut Stage, located: &Located) -> Result<(), Failure> {
        for name in sources(&located.instruction) {
            match self.file.stage_index(&name) {
                Some(index) if self.wanted.contains(&index) => drop(self.shared.wait(index).await?),
                _ => self.tell_source(&name).await?,
            }
        }
        if self.shared.is_stopped() {
            return Err(Failure::canceled());
        }
        match &located.instruction {
            Instruction::Arg(args) => self.declare(stage, args),
            Instruction::Run(step) => self.run_step(stage, step, located).await,
            Instruction::Copy(copying) => self.copy(stage, copying, located, false).await,
            Instruction::Add(copying) => self.copy(stage, copying, located, true).await,
            Instruction::Workdir(_) => self.workdir(stage, located).await,
            other => {
                let told = apply(&mut stage.applying, other).map_err(Failure::solve)?;
                if matches!(other, Instruction::Cmd(_) | Instruction::Entrypoint(_)) {
                    stage.applying.config.args_escaped = true;
                }
                stage.told(told.unwrap_or_default(), true);
                Ok(())
            }
        }
    }

    /// What an `ARG` comes to: the command line's value before the Dockerfile's, and that of before the first `FROM`
    /// last.
    pub fn arg_value(
        &self,
        applying: &Applying,
        name: &str,
        default: Option<&String>,
    ) -> Result<Option<String>, String> {
        match (self.options.build_args.get(name), default) {
            (Some(given), _) => Ok(Some(given.clone())),
            (None, Some(default)) => applying.expand(default).map(Some),
            (None, None) => Ok(self.globals.get(name).or_else(|| self.predefined.get(name)).cloned()),
        }
    }

    fn declare(&self, stage: &mut Stage, args: &[(String, Option<String>)]) -> Result<(), Failure> {
        let mut told = "ARG".to_string();
        for (name, default) in args {
            let value = self.arg_value(&stage.applying, name, default.as_ref()).map_err(Failure::solve)?;
            told.push_str(&format!(" {name}"));
            if let Some(value) = &value {
                told.push_str(&format!("={value}"));
                stage.applying.declare(name, value);
            }
            stage.args.retain(|(known, _)| known != name);
            stage.args.push((name.clone(), value));
        }
        stage.told(told, true);
        Ok(())
    }

    /// `WORKDIR` makes the folder, as a layer of its own.
    async fn workdir(&self, stage: &mut Stage, located: &Located) -> Result<(), Failure> {
        let vertex = self.begin_step(stage, located).await;
        let told = apply(&mut stage.applying, &located.instruction).map_err(Failure::solve)?.unwrap_or_default();
        let path = stage.applying.config.working_dir.clone();
        let key = step_key(&stage.key, "workdir", &[&path]);
        let step = Step { key, vertex, text: &located.text };
        self.do_step(stage, &step, async |_, snapshot| {
            self.make_folder(snapshot, &path).await?;
            Ok(Vec::new())
        })
        .await?;
        stage.told(told, false);
        Ok(())
    }

    async fn make_folder(&self, snapshot: &SnapshotKey, path: &str) -> Result<(), Failure> {
        let there = self.ctx.world().snapshot_file(snapshot, path).await?;
        if there.is_some() {
            return Ok(());
        }
        let mut tar = TarWriter::new(Vec::new());
        let mut at = String::new();
        for part in path.split('/').filter(|p| !p.is_empty()) {
            at = if at.is_empty() { part.to_string() } else { format!("{at}/{part}") };
            if self.ctx.world().snapshot_file(snapshot, &format!("/{at}")).await?.is_none() {
                let mtime = self.ctx.world().now().as_secs();
                tar.add_bytes(&crate::layer::Entry { mtime, ..crate::layer::Entry::directory(&at, 0o755) }, b"")?;
            }
        }
        let tar = tar.finish()?.into();
        let act = crate::world::acts::ImportTree { key: snapshot.clone(), at: "/".into(), tar };
        self.ctx.act("WORKDIR makes the folder where it is missing", act).await?;
        Ok(())
    }

    /// Tells that a step begins, with its place and its text as variables make it.
    pub async fn begin_step(&self, stage: &mut Stage, located: &Located) -> Vertex {
        let keyword = located.instruction.keyword();
        let rest = located.text.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim());
        let shown = expand_for_show(rest, &stage.vars(), self.file.escape);
        let mut name = format!("{}{keyword} {shown}", stage.place());
        if let Instruction::Run(step) = &located.instruction
            && let Some(heredoc) = step.heredocs.first()
        {
            let first = heredoc.content.lines().next().unwrap_or("");
            let more = if heredoc.content.lines().count() > 1 { "..." } else { "" };
            name.push_str(&format!(" ({first}{more})"));
        }
        self.board.begin(&name).await
    }
}

/// Whether an instruction is counted among a stage's steps.
fn counts(instruction: &Instruction) -> bool {
    matches!(instruction, Instruction::Run(_) | Instruction::Copy(_) | Instruction::Add(_) | Instruction::Workdir(_))
}

fn counts_text(trigger: &str) -> bool {
    let keyword = trigger.split_whitespace().next().unwrap_or("").to_lowercase();
    matches!(keyword.as_str(), "run" | "copy" | "add" | "workdir")
}
