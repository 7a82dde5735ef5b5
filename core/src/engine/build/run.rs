//! `RUN`: a program in a container of its own; what it wrote becomes the next layer.

use super::board::Vertex;
use super::failure::Failure;
use super::locks::Locks;
use super::mounts::Prepared;
use super::plan::Build;
use super::stage::Stage;
use super::step::{Step, step_key};
use crate::container::stubs;
use crate::dockerfile::{Command, Heredoc, Located, Mount, MountKind, Network, RunStep};
use crate::engine::container::{StepNetwork, StepSpec, run_step};
use crate::world::acts::{DeliverSignal, RemoveVolume, SnapshotKey};
use crate::world::{Exit, World};
use cutaway_userland::os::Signal;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// How long after one attempt to end a step the next one is made.
const KILL_AGAIN: Duration = Duration::from_millis(50);

/// Where a here-document stands that is run as a file.
const PIPES: &str = "/dev/pipes";

type LocalWait<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

impl<W: World> Build<'_, W> {
    pub async fn run_step(&self, stage: &mut Stage, step: &RunStep, located: &Located) -> Result<(), Failure> {
        let vertex = self.begin_step(stage, located).await;
        let expand = |text: &str| stage.applying.expand(text);
        let mounts: Result<Vec<Mount>, String> = step.mounts.iter().map(|mount| mount.mount(expand)).collect();
        let mounts = mounts.map_err(Failure::solve)?;
        let argv = self.words(stage, step);
        let env = environment(stage);
        let told = format!("RUN {} # buildkit", told(stage, &argv));
        let config = &stage.applying.config;
        let parts = [
            format!("{argv:?}"),
            format!("{env:?}"),
            config.working_dir.clone(),
            config.user.clone(),
            format!("{:?}", (&mounts, step.network, step.insecure)),
        ];
        let mut parts: Vec<String> = parts.to_vec();
        parts.extend(Self::script(step).map(|script| script.content.clone()));
        for mount in &mounts {
            if let MountKind::Bind { from: Some(from), .. } = &mount.kind {
                parts.push(format!("{:?}", self.layers_of(from)?));
            }
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let key = step_key(&stage.key, "run", &parts);
        let work = Step { key, vertex, text: &located.text };
        self.do_step(stage, &work, async |stage, snapshot| {
            let targets = self.run_in(stage, snapshot, (step, &mounts), argv, env, vertex).await?;
            Ok(stubs(targets.iter().map(String::as_str)))
        })
        .await?;
        stage.told(told, false);
        Ok(())
    }

    /// The words to run. A shell form that is only a here-document is the here-document.
    fn words(&self, stage: &Stage, step: &RunStep) -> Vec<String> {
        let [heredoc, ..] = step.heredocs.as_slice() else { return stage.applying.words(&step.command) };
        let Command::Shell(text) = &step.command else { return stage.applying.words(&step.command) };
        let alone = Heredoc::of(text.trim()).is_some();
        let script = match alone {
            true if Self::script(step).is_some() => format!("{PIPES}/{}", heredoc.name),
            true => heredoc.content.clone(),
            false => {
                let bodies: String = step.heredocs.iter().map(|h| format!("\n{}{}", h.content, h.name)).collect();
                text.clone() + &bodies
            }
        };
        stage.applying.words(&Command::Shell(script))
    }

    /// A here-document that names its own interpreter: it is a file.
    fn script(step: &RunStep) -> Option<&Heredoc> {
        let Command::Shell(text) = &step.command else { return None };
        let heredoc = step.heredocs.first().filter(|heredoc| heredoc.content.starts_with("#!"));
        heredoc.filter(|_| Heredoc::of(text.trim()).is_some())
    }

    /// Runs the step; the places that were made only to mount on.
    async fn run_in(
        &self,
        stage: &Stage,
        snapshot: &SnapshotKey,
        (step, mounts): (&RunStep, &[Mount]),
        argv: Vec<String>,
        env: Vec<String>,
        vertex: Vertex,
    ) -> Result<Vec<String>, Failure> {
        let mut prepared = Prepared::new(Locks::of(self.ctx, snapshot));
        let mut ready = self.mounts(stage, mounts, &mut prepared).await;
        if let (Ok(()), Some(script)) = (&ready, Self::script(step)) {
            ready = self.show_script(PIPES, script, &mut prepared).await;
        }
        let result = match ready {
            Ok(()) => {
                let spec = self.spec(stage, snapshot, step, argv, env, &prepared);
                self.drive(&spec, vertex).await
            }
            Err(failure) => Err(failure),
        };
        let targets = prepared.targets();
        self.note_caches(&prepared.caches)?;
        for name in std::mem::take(&mut prepared.volumes) {
            self.ctx.act("The step has ended: what was only shown to it goes", RemoveVolume { name }).await?;
        }
        result.map(|()| targets)
    }

    fn spec(
        &self,
        stage: &Stage,
        snapshot: &SnapshotKey,
        step: &RunStep,
        argv: Vec<String>,
        mut env: Vec<String>,
        prepared: &Prepared<'_, W>,
    ) -> StepSpec {
        env.extend(prepared.env.iter().cloned());
        for (name, value) in &self.options.build_args {
            if is_proxy(name) {
                crate::build::set_env(&mut env, name, value);
            }
        }
        let config = &stage.applying.config;
        let network = match (step.network, self.options.network.as_str()) {
            (Network::None, _) | (Network::Default, "none") => StepNetwork::None,
            (Network::Host, _) | (Network::Default, "host") => StepNetwork::Host,
            _ if self.ctx.world().host().rootless => StepNetwork::None,
            _ => StepNetwork::Default,
        };
        StepSpec {
            snapshot: snapshot.clone(),
            argv,
            env,
            cwd: if config.working_dir.is_empty() { "/".into() } else { config.working_dir.clone() },
            user: config.user.clone(),
            mounts: prepared.mounts.clone(),
            network,
            hostname: String::new(),
            insecure: step.insecure,
            hosts: self.options.hosts.clone(),
            shm_size: self.options.shm_size,
            ulimits: self.options.ulimits.clone(),
        }
    }

    /// Runs the program to its end, or until all is to stop: then it is killed.
    async fn drive(&self, spec: &StepSpec, vertex: Vertex) -> Result<(), Failure> {
        enum Turn {
            Ended(crate::engine::Result<Exit>),
            Printed,
            Stop,
        }
        let output: Rc<RefCell<VecDeque<Vec<u8>>>> = Rc::default();
        let sink = output.clone();
        let mut collect = move |chunk: crate::world::Chunk| sink.borrow_mut().push_back(chunk.bytes);
        let mut running = pin!(run_step(self.ctx, spec, &mut collect));
        let mut stop: LocalWait<'_> = Box::pin(self.shared.stopping());
        // What the program prints is shown as it comes, between two looks at the program.
        let exit = loop {
            let turn = poll_fn(|cx| match running.as_mut().poll(cx) {
                Poll::Ready(done) => Poll::Ready(Turn::Ended(done)),
                Poll::Pending if !output.borrow().is_empty() => Poll::Ready(Turn::Printed),
                Poll::Pending => stop.as_mut().poll(cx).map(|()| Turn::Stop),
            })
            .await;
            loop {
                let Some(bytes) = output.borrow_mut().pop_front() else { break };
                self.board.log(vertex, &bytes).await;
            }
            match turn {
                Turn::Ended(done) => break done,
                Turn::Printed => {}
                Turn::Stop => {
                    let container = spec.snapshot.0.clone();
                    if self.ctx.world().init_pid(&container).is_some() {
                        let act = DeliverSignal { container, signal: Signal::KILL };
                        let _ = self.ctx.act("The build stops: this step need not go on", act).await;
                    }
                    // It may not have begun yet: a little later it has.
                    stop = self.ctx.world().sleep(KILL_AGAIN);
                }
            }
        };
        match exit {
            Ok(exit) if exit.code == 0 => Ok(()),
            _ if self.shared.is_stopped() => Err(Failure::canceled()),
            Err(error) => {
                let reason = Failure::from(error).message().to_string();
                // Where the program could not be started, the runtime says so in the log.
                let reason = match reason.split_once("runc create failed: ") {
                    Some((_, why)) => {
                        self.board.log(vertex, format!("runc run failed: {why}\n").as_bytes()).await;
                        "exit code: 1".to_string()
                    }
                    None => reason,
                };
                Err(incomplete(&spec.argv, &reason))
            }
            Ok(exit) => {
                let killed = if exit.oom_killed { ": cannot allocate memory" } else { "" };
                Err(incomplete(&spec.argv, &format!("exit code: {}{killed}", exit.code)))
            }
        }
    }
}

fn incomplete(argv: &[String], reason: &str) -> Failure {
    Failure::solve(format!("process {:?} did not complete successfully: {reason}", argv.join(" ")))
}

/// What goes through a proxy is the same as what does not: these arguments need no `ARG`, and no key has them.
fn is_proxy(name: &str) -> bool {
    let known = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"];
    known.iter().any(|proxy| proxy.eq_ignore_ascii_case(name))
}

/// The image's variables and the build's arguments; of the same name, what came last.
fn environment(stage: &Stage) -> Vec<String> {
    let mut env: Vec<String> = Vec::new();
    for (name, value) in &stage.args {
        if let Some(value) = value {
            crate::build::set_env(&mut env, name, value);
        }
    }
    for pair in &stage.applying.config.env {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !stage.applying.is_late(name) {
            crate::build::set_env(&mut env, name, value);
        }
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
