//! `COPY` and `ADD`: files of the context, a stage or an image into the next layer.

use super::context::{check_out, download, is_archive, read};
use super::failure::Failure;
use super::plan::Build;
use super::stage::Stage;
use super::step::{Step, step_key};
use crate::build::{Contents, Picked, Selection, Tree, digest_of, git_source, joined};
use crate::dockerfile::{Copying, Instruction, Located, MountKind, Source, expand_keeping_quotes};
use crate::layer::{Entry, EntryKind, entries};
use crate::name::{ChainId, Digest};
use crate::world::World;
use crate::world::acts::SnapshotKey;
use std::rc::Rc;

/// Whether an instruction takes files of the context.
pub fn takes_context(instruction: &Instruction) -> bool {
    !context_paths(instruction).is_empty()
}

/// The paths of the context that an instruction takes.
pub fn context_paths(instruction: &Instruction) -> Vec<String> {
    match instruction {
        Instruction::Copy(c) | Instruction::Add(c) if c.from.is_none() => {
            let paths = c.sources.iter().filter_map(|source| match source {
                // What ADD is given by its address does not come from the context.
                Source::Path(path) if path.contains("://") || git_source(path).is_some() => None,
                Source::Path(path) => Some(path.clone()),
                Source::Inline(_) => None,
            });
            paths.collect()
        }
        Instruction::Run(step) => {
            let paths = step.mounts.iter().filter_map(|mount| match mount.unexpanded()?.kind {
                MountKind::Bind { from: None, source } => Some(source),
                _ => None,
            });
            paths.collect()
        }
        _ => Vec::new(),
    }
}

/// One source with its contents read.
pub struct Loaded {
    pub files: Vec<(Picked, Rc<[u8]>)>,
    pub single_file: bool,
    /// The files are an archive's, not the archive.
    unpacked: bool,
}

impl<W: World> Build<'_, W> {
    pub async fn copy(
        &self,
        stage: &mut Stage,
        copying: &Copying,
        located: &Located,
        add: bool,
    ) -> Result<(), Failure> {
        let vertex = self.begin_step(stage, located).await;
        let expanded = self.expanded(stage, copying)?;
        allowed(&expanded, add)?;
        let loaded = match self.load_sources(&expanded, add).await {
            Ok(loaded) => loaded,
            Err(failure) => {
                self.board.failed(vertex, failure.message()).await;
                return Err(failure);
            }
        };
        let told = told(&expanded, add);
        let mut parts: Vec<String> = vec![format!("{:?}", (&expanded.target, &expanded.chown, &expanded.chmod))];
        for one in &loaded {
            parts.push(format!("{} {} {}", digest_of(&one.files), one.single_file, one.unpacked));
        }
        parts.push(stage.applying.config.working_dir.clone());
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let key = step_key(&stage.key, if add { "add" } else { "copy" }, &parts);
        let step = Step { key, vertex, text: &located.text };
        self.do_step(stage, &step, async |stage, snapshot| {
            self.place(stage, snapshot, &expanded, loaded).await?;
            Ok(Vec::new())
        })
        .await?;
        stage.told(told, false);
        Ok(())
    }

    /// With its variables replaced.
    fn expanded(&self, stage: &Stage, copying: &Copying) -> Result<Copying, Failure> {
        let vars = stage.vars();
        let one = |text: &String| stage.applying.expand(text).map_err(Failure::solve);
        let some = |text: &Option<String>| text.as_ref().map(one).transpose();
        let mut sources = Vec::new();
        for source in &copying.sources {
            sources.push(match source {
                Source::Path(path) => Source::Path(one(path)?),
                Source::Inline(heredoc) if heredoc.expand => {
                    let content = expand_keeping_quotes(&heredoc.content, &vars, self.file.escape);
                    let mut heredoc = heredoc.clone();
                    heredoc.content = content.map_err(Failure::solve)?;
                    Source::Inline(heredoc)
                }
                Source::Inline(heredoc) => Source::Inline(heredoc.clone()),
            });
        }
        Ok(Copying {
            sources,
            target: one(&copying.target)?,
            from: some(&copying.from)?,
            chown: some(&copying.chown)?,
            chmod: some(&copying.chmod)?,
            exclude: copying.exclude.iter().map(one).collect::<Result<_, _>>()?,
            ..copying.clone()
        })
    }

    async fn load_sources(&self, copying: &Copying, add: bool) -> Result<Vec<Loaded>, Failure> {
        let mut all = Vec::new();
        for source in &copying.sources {
            let path = match source {
                Source::Inline(heredoc) => {
                    all.push(Loaded::of_file(&heredoc.name, 0o644, heredoc.content.as_bytes().into()));
                    continue;
                }
                Source::Path(path) => path,
            };
            if add && let Some(source) = git_source(path).filter(|_| !path.starts_with("github.com/")) {
                let mut source = source.map_err(Failure::solve)?;
                source.keep_git_dir |= copying.keep_git_dir;
                source.checksum = copying.checksum.clone().or(source.checksum);
                let load = |f: Failure| Failure::solve(format!("failed to load cache key: {}", f.message()));
                let tree = check_out(self.ctx, source).await.map_err(load)?;
                all.push(Loaded::of_tree(tree));
                continue;
            }
            if add && (path.starts_with("http://") || path.starts_with("https://")) {
                let bytes = download(self.ctx, path).await?;
                let name = path.split(['?', '#']).next().unwrap_or(path).rsplit('/').next().unwrap_or("");
                check_sum(copying, &bytes)?;
                all.push(Loaded::of_file(if name.is_empty() { "download" } else { name }, 0o600, bytes.into()));
                continue;
            }
            let selection = match &copying.from {
                None => self.tree.select(path, copying.parents, &copying.exclude),
                Some(from) => self.tree_of(from, path).await?.select(path, copying.parents, &copying.exclude),
            };
            let Some(selection) = selection else {
                return Err(missing(self.ctx.new_id(), path));
            };
            all.extend(self.read_all(selection, add && copying.unpack != Some(false)).await?);
        }
        Ok(all)
    }

    async fn read_all(&self, selection: Selection, unpack: bool) -> Result<Vec<Loaded>, Failure> {
        let mut plain = Vec::new();
        let mut all = Vec::new();
        for file in selection.files {
            let bytes = read(self.ctx, &file.entry, &file.contents).await?;
            // ADD unpacks the archives that it is given by name, not those inside of folders.
            if unpack && file.entry.kind == EntryKind::File && !file.to.contains('/') && is_archive(&bytes) {
                all.push(Loaded::unpacked(&file.to, &bytes)?);
            } else {
                plain.push((file, bytes));
            }
        }
        if all.is_empty() || !plain.is_empty() {
            let single_file = selection.single_file && plain.len() == 1;
            all.push(Loaded { files: plain, single_file, unpacked: false });
        }
        Ok(all)
    }

    /// The files of a stage, an image or a named context that a path may stand for.
    async fn tree_of(&self, from: &str, path: &str) -> Result<Tree, Failure> {
        let snapshot = self.prepare_over(self.layers_of(from)?).await?;
        let result = self.exported(&snapshot, path).await;
        self.discard(snapshot).await?;
        result
    }

    /// The layers of a stage by name or number, or of an image.
    pub fn layers_of(&self, from: &str) -> Result<Vec<ChainId>, Failure> {
        if let Some(index) = self.file.stage_index(from)
            && let Some(stage) = self.shared.stage(index)
        {
            return Ok(stage.chains());
        }
        match self.bases.get(from) {
            Some(image) => Ok(image.chains()),
            None => Err(Failure::solve(format!("{from}: not found"))),
        }
    }

    /// What a snapshot has at the part of a path that has no wildcard in it.
    async fn exported(&self, snapshot: &SnapshotKey, path: &str) -> Result<Tree, Failure> {
        let full = joined("/", path);
        let mut known = String::new();
        for part in full.split('/').filter(|p| !p.is_empty()) {
            if crate::build::glob::is_pattern(part) {
                break;
            }
            known = format!("{known}/{part}");
        }
        let at = if known.is_empty() { "/".to_string() } else { known };
        if self.ctx.world().snapshot_file(snapshot, &at).await?.is_none() {
            return Ok(Tree::default());
        }
        let tar = self.ctx.world().export_tree(snapshot, &at).await?;
        let folder = at.rfind('/').map_or("", |i| &at[..i]).trim_start_matches('/');
        let mut all = Vec::new();
        for (mut entry, data) in entries("stage", &tar)? {
            let under = |path: &str| if folder.is_empty() { path.to_string() } else { format!("{folder}/{path}") };
            entry.path = under(&entry.path);
            if let EntryKind::Hardlink(to) = &entry.kind {
                entry.kind = EntryKind::Hardlink(under(to));
            }
            all.push((entry, data));
        }
        Ok(Tree::from_entries(all))
    }
}

impl Loaded {
    fn of_file(name: &str, mode: u32, bytes: Rc<[u8]>) -> Loaded {
        let entry = Entry { size: bytes.len() as u64, ..Entry::file(name, mode, 0) };
        let file = Picked { entry, contents: Contents::Bytes(bytes.clone()), to: name.to_string() };
        Loaded { files: vec![(file, bytes)], single_file: true, unpacked: false }
    }

    /// The files of an archive, with the owners that it gives them.
    fn unpacked(name: &str, bytes: &[u8]) -> Result<Loaded, Failure> {
        Ok(Loaded::of_tree(Tree::from_entries(entries(name, bytes)?)))
    }

    fn of_tree(tree: Tree) -> Loaded {
        let mut files = Vec::new();
        for (path, (entry, contents)) in tree.files {
            let bytes = match &contents {
                Contents::Bytes(bytes) => bytes.clone(),
                Contents::File(_) => Rc::new([]),
            };
            if !path.is_empty() {
                files.push((Picked { entry, contents, to: path }, bytes));
            }
        }
        Loaded { files, single_file: false, unpacked: true }
    }
}

/// What only `ADD` takes, and what can't go together.
fn allowed(copying: &Copying, add: bool) -> Result<(), Failure> {
    let paths = copying.sources.iter().filter_map(|source| match source {
        Source::Path(path) => Some(path.as_str()),
        Source::Inline(_) => None,
    });
    for path in paths.clone().filter(|_| !add) {
        if git_source(path).is_some() && !path.starts_with("github.com/") {
            return Err(Failure::solve("source can't be a git ref for COPY"));
        }
        if path.starts_with("http://") || path.starts_with("https://") {
            return Err(Failure::solve("source can't be a URL for COPY"));
        }
    }
    match copying.checksum {
        Some(_) if paths.clone().count() != 1 => {
            Err(Failure::solve("checksum can't be specified for multiple sources"))
        }
        Some(_) if paths.clone().all(|path| !path.contains("://") && git_source(path).is_none()) => {
            Err(Failure::solve("checksum can't be specified for non-HTTP(S) sources"))
        }
        _ => Ok(()),
    }
}

fn check_sum(copying: &Copying, bytes: &[u8]) -> Result<(), Failure> {
    let actual = Digest::of(bytes).to_string();
    match &copying.checksum {
        Some(expected) if *expected != actual => Err(Failure::solve(format!("digest mismatch {actual}: {expected}"))),
        _ => Ok(()),
    }
}

fn missing(id: String, path: &str) -> Failure {
    let reference: String = id.bytes().take(25).map(char::from).collect();
    let path = joined("/", path);
    Failure::solve(format!(
        "failed to compute cache key: failed to calculate checksum of ref {reference}::{}: {path:?}: not found",
        &id[25..50]
    ))
}

/// As the history tells it: `COPY --chown=1:2 a.txt . # buildkit`.
fn told(copying: &Copying, add: bool) -> String {
    let mut text = if add { "ADD" } else { "COPY" }.to_string();
    for (name, value) in [("chown", &copying.chown), ("chmod", &copying.chmod)] {
        if let Some(value) = value {
            text.push_str(&format!(" --{name}={value}"));
        }
    }
    for source in &copying.sources {
        match source {
            Source::Path(path) => text.push_str(&format!(" {path}")),
            Source::Inline(heredoc) => text.push_str(&format!(" <<{}", heredoc.name)),
        }
    }
    format!("{text} {} # buildkit", copying.target)
}
