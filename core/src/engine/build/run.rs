//! `RUN`: a program in a container of its own; what it wrote becomes the next layer.

use super::options::Secret;
use super::solve::Failure;
use super::stage::{Build, Stage};
use super::step::step_key;
use crate::build::joined;
use crate::container::stubs;
use crate::dockerfile::{Command, Heredoc, Located, MountKind, Network, RunStep};
use crate::engine::container::{StepMount, StepNetwork, StepSpec, run_step};
use crate::layer::{Entry, TarWriter};
use crate::name::{ChainId, Digest};
use crate::world::acts::{CreateVolume, ImportTree, RemoveVolume, SeedVolume, SnapshotKey};
use crate::world::{Fault, World};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// What a step needs beside its snapshot, and what is taken away after it.
#[derive(Default)]
struct Prepared {
    mounts: Vec<StepMount>,
    env: Vec<String>,
    /// Volumes of this step only.
    volumes: Vec<String>,
}

impl<W: World> Build<'_, W> {
    pub async fn run_step(&self, stage: &mut Stage, step: &RunStep, located: &Located) -> Result<(), Failure> {
        if super::copy::takes_context(&located.instruction) {
            self.tell_context(&located.instruction, stage).await?;
        }
        let vertex = self.begin_step(stage, located).await;
        let argv = self.words(stage, step);
        let env = environment(stage);
        let told = format!("RUN {} # buildkit", told(stage, &argv));
        let config = &stage.applying.config;
        let parts = [
            format!("{argv:?}"),
            format!("{env:?}"),
            config.working_dir.clone(),
            config.user.clone(),
            format!("{:?}", (&step.mounts, step.network, step.insecure)),
        ];
        let mut parts: Vec<String> = parts.to_vec();
        for mount in &step.mounts {
            if let MountKind::Bind { from: Some(from), .. } = &mount.kind {
                parts.push(format!("{:?}", self.layers_of(from)?));
            }
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let key = step_key(&stage.key, "run", &parts);
        if self.take_cached(stage, key, vertex).await? {
            stage.told(told, false);
            return Ok(());
        }
        let snapshot = self.prepare(stage).await?;
        let made = stubs(step.mounts.iter().map(|mount| mount.target.as_str()));
        let done = self.run_in(stage, &snapshot, step, argv, env, vertex).await;
        self.commit(stage, snapshot, done.map(|()| made), key, vertex, &located.text).await?;
        stage.told(told, false);
        Ok(())
    }

    /// The words to run. A shell form that is only a here-document is the here-document.
    fn words(&self, stage: &Stage, step: &RunStep) -> Vec<String> {
        let [heredoc, ..] = step.heredocs.as_slice() else { return stage.applying.words(&step.command) };
        let Command::Shell(text) = &step.command else { return stage.applying.words(&step.command) };
        let alone = Heredoc::of(text.trim()).is_some();
        let script = match alone {
            true => heredoc.content.clone(),
            false => {
                let bodies: String = step.heredocs.iter().map(|h| format!("\n{}{}", h.content, h.name)).collect();
                text.clone() + &bodies
            }
        };
        stage.applying.words(&Command::Shell(script))
    }

    async fn run_in(
        &self,
        stage: &Stage,
        snapshot: &SnapshotKey,
        step: &RunStep,
        argv: Vec<String>,
        env: Vec<String>,
        vertex: super::board::Vertex,
    ) -> Result<(), Failure> {
        let mut prepared = Prepared::default();
        let ready = self.mounts(stage, step, &mut prepared).await;
        let result = match ready {
            Ok(()) => self.drive(stage, snapshot, step, argv, env, &prepared, vertex).await,
            Err(failure) => Err(failure),
        };
        for name in prepared.volumes {
            self.ctx.act("The step has ended: what was only shown to it goes", RemoveVolume { name }).await?;
        }
        result
    }

    #[allow(clippy::too_many_arguments)]
    async fn drive(
        &self,
        stage: &Stage,
        snapshot: &SnapshotKey,
        step: &RunStep,
        argv: Vec<String>,
        mut env: Vec<String>,
        prepared: &Prepared,
        vertex: super::board::Vertex,
    ) -> Result<(), Failure> {
        env.extend(prepared.env.iter().cloned());
        let config = &stage.applying.config;
        let network = match (step.network, self.options.network.as_str()) {
            (Network::None, _) | (Network::Default, "none") => StepNetwork::None,
            (Network::Host, _) | (Network::Default, "host") => StepNetwork::Host,
            _ if self.ctx.world().host().rootless => StepNetwork::None,
            _ => StepNetwork::Default,
        };
        let shown = argv.join(" ");
        let spec = StepSpec {
            snapshot: snapshot.clone(),
            argv,
            env,
            cwd: if config.working_dir.is_empty() { "/".into() } else { config.working_dir.clone() },
            user: config.user.clone(),
            mounts: prepared.mounts.clone(),
            network,
            hostname: String::new(),
            insecure: step.insecure,
        };
        let output: Rc<RefCell<VecDeque<Vec<u8>>>> = Rc::default();
        let sink = output.clone();
        let mut collect = move |chunk: crate::world::Chunk| sink.borrow_mut().push_back(chunk.bytes);
        let mut running = std::pin::pin!(run_step(self.ctx, &spec, &mut collect));
        // What the program prints is shown as it comes, between two looks at the program.
        let exit = loop {
            let turn = std::future::poll_fn(|context| match running.as_mut().poll(context) {
                std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
                std::task::Poll::Pending if !output.borrow().is_empty() => std::task::Poll::Ready(None),
                std::task::Poll::Pending => std::task::Poll::Pending,
            })
            .await;
            loop {
                let Some(bytes) = output.borrow_mut().pop_front() else { break };
                self.board.log(vertex, &bytes).await;
            }
            if let Some(done) = turn {
                break done;
            }
        };
        let exit = exit?;
        if exit.code == 0 {
            return Ok(());
        }
        let killed = if exit.oom_killed { ": cannot allocate memory" } else { "" };
        Err(Failure::solve(format!(
            "process {shown:?} did not complete successfully: exit code: {}{killed}",
            exit.code
        )))
    }

    async fn mounts(&self, stage: &Stage, step: &RunStep, to: &mut Prepared) -> Result<(), Failure> {
        for mount in &step.mounts {
            let expand = |text: &str| stage.applying.expand(text).map_err(Failure::solve);
            let target = joined(&stage.applying.config.working_dir, &expand(&mount.target)?);
            match &mount.kind {
                MountKind::Tmpfs { size } => {
                    let options = size.map_or_else(String::new, |n| format!("size={n}"));
                    to.mounts.push(StepMount::Tmpfs { target, options });
                }
                MountKind::Cache { id, .. } => {
                    let volume = format!("build-cache-{}", &Digest::of(expand(id)?.as_bytes()).hex()[..24]);
                    let act = CreateVolume { name: volume.clone() };
                    self.ctx.act("This folder is kept from one build to the next", act).await?;
                    to.mounts.push(StepMount::Cache { volume, target, read_only: mount.read_only });
                }
                MountKind::Bind { from, source } => {
                    let source = expand(source)?;
                    let volume = self.shown(from.as_deref(), &source, &mut to.volumes).await?;
                    to.mounts.push(StepMount::Cache { volume, target, read_only: mount.read_only });
                }
                MountKind::Secret { id, required, env, mode, uid, gid } => {
                    let Some(secret) = self.secret(id).await? else {
                        if *required {
                            return Err(Failure::solve(format!("secret {id}: not found")));
                        }
                        continue;
                    };
                    if let Some(name) = env {
                        to.env.push(format!("{name}={}", String::from_utf8_lossy(&secret)));
                    }
                    if env.is_none() || !mount.target.is_empty() {
                        self.show_secret(&target, &secret, (*mode, *uid, *gid), to).await?;
                    }
                }
                MountKind::Ssh { id, required } => {
                    if *required {
                        return Err(Failure::solve(format!("unset ssh forward key {id}")));
                    }
                }
            }
        }
        Ok(())
    }

    async fn secret(&self, id: &str) -> Result<Option<Vec<u8>>, Failure> {
        match self.options.secrets.get(id) {
            None => Ok(None),
            Some(Secret::Env(name)) => Ok(self.ctx.client.env(name).map(String::into_bytes)),
            Some(Secret::File(path)) => match self.ctx.client.read_file(path).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(fault) => Err(Failure::solve(format!("failed to stat {path}: {fault}"))),
            },
        }
    }

    /// A secret is a file in a folder of its own, which goes with the step.
    async fn show_secret(
        &self,
        target: &str,
        secret: &[u8],
        (mode, uid, gid): (u32, u32, u32),
        to: &mut Prepared,
    ) -> Result<(), Failure> {
        let (folder, name) = target.rsplit_once('/').unwrap_or(("", target));
        let entry = Entry { uid, gid, ..Entry::file(name, mode, 0) };
        let mut tar = TarWriter::new(Vec::new());
        tar.add_bytes(&entry, secret)?;
        let volume = self.seeded(Vec::new(), "/", Some(tar.finish()?), &mut to.volumes).await?;
        let target = if folder.is_empty() { "/run/secrets".to_string() } else { folder.to_string() };
        to.mounts.push(StepMount::Cache { volume, target, read_only: true });
        Ok(())
    }

    /// A volume with what `--mount=type=bind` shows: a folder of a stage, an image or the context.
    async fn shown(&self, from: Option<&str>, source: &str, volumes: &mut Vec<String>) -> Result<String, Failure> {
        if let Some(from) = from {
            return self.seeded(self.layers_of(from)?, &joined("/", source), None, volumes).await;
        }
        let mut tar = TarWriter::new(Vec::new());
        let Some(selection) = self.tree.select(if source.is_empty() { "." } else { source }, false, &[]) else {
            return Err(Failure::solve(format!("failed to compute cache key: {:?}: not found", joined("/", source))));
        };
        for file in selection.files {
            let bytes = super::context::read(self.ctx, &file.entry, &file.contents).await?;
            tar.add(&Entry { path: file.to, ..file.entry }, bytes.as_ref())?;
        }
        self.seeded(Vec::new(), "/", Some(tar.finish()?), volumes).await
    }

    /// A new volume with the files at a path of some layers, or of an archive.
    async fn seeded(
        &self,
        layers: Vec<ChainId>,
        path: &str,
        archive: Option<Vec<u8>>,
        volumes: &mut Vec<String>,
    ) -> Result<String, Failure> {
        let name = self.ctx.new_id();
        self.ctx
            .act("The step sees these files, and they are not in its layer", CreateVolume { name: name.clone() })
            .await?;
        volumes.push(name.clone());
        let snapshot = self.prepare_over(layers).await?;
        let filled = self.fill(&name, &snapshot, path, archive).await;
        self.discard(snapshot).await?;
        filled?;
        Ok(name)
    }

    async fn fill(
        &self,
        volume: &str,
        snapshot: &SnapshotKey,
        path: &str,
        archive: Option<Vec<u8>>,
    ) -> Result<(), Fault> {
        if let Some(tar) = archive {
            let act = ImportTree { key: snapshot.clone(), at: path.to_string(), tar: tar.into() };
            self.ctx.act("The files are put together", act).await?;
        }
        let act = SeedVolume { name: volume.to_string(), key: snapshot.clone(), path: path.to_string() };
        self.ctx.act("The files are shown as they are", act).await
    }
}

/// The image's variables and the build's arguments; the image's win.
fn environment(stage: &Stage) -> Vec<String> {
    let mut env: Vec<String> = Vec::new();
    for (name, value) in &stage.args {
        if let Some(value) = value {
            crate::build::set_env(&mut env, name, value);
        }
    }
    for pair in &stage.applying.config.env {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        crate::build::set_env(&mut env, name, value);
    }
    env
}

/// As the history tells it: `|1 V=1 /bin/sh -c echo`.
fn told(stage: &Stage, argv: &[String]) -> String {
    let mut words: Vec<String> = Vec::new();
    if !stage.args.is_empty() {
        let vars = stage.vars();
        words.push(format!("|{}", stage.args.len()));
        for (name, value) in &stage.args {
            let value = vars.get(name).cloned().or_else(|| value.clone()).unwrap_or_default();
            words.push(format!("{name}={value}"));
        }
    }
    words.extend(argv.iter().cloned());
    words.join(" ")
}
