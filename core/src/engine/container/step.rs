//! Running one step of a build: a container without a record, in a snapshot that becomes the next layer.

use super::plan;
use super::start::exec_refused;
use crate::container::Ulimit;
use crate::container::users::lookup;
use crate::engine::{Ctx, Error, Result};
use crate::world::acts::*;
use crate::world::{Chunk, Exit, World};

/// What `RUN` needs.
#[derive(Clone, Debug)]
pub struct StepSpec {
    /// Already prepared; kept afterwards.
    pub snapshot: SnapshotKey,
    pub argv: Vec<String>,
    /// As `NAME=value`.
    pub env: Vec<String>,
    pub cwd: String,
    /// As `USER` has it; empty is root.
    pub user: String,
    pub mounts: Vec<StepMount>,
    pub network: StepNetwork,
    pub hostname: String,
    /// Nothing is refused by capabilities and system call filter (`RUN --security=insecure`).
    pub insecure: bool,
    /// More names for `/etc/hosts`, as `name:address`.
    pub hosts: Vec<String>,
    /// Bytes of `/dev/shm`; `None` is the default.
    pub shm_size: Option<u64>,
    pub ulimits: Vec<Ulimit>,
}

/// How a step reaches others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StepNetwork {
    #[default]
    Default,
    Host,
    None,
}

/// `RUN --mount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepMount {
    /// A volume, or one of its folders or files.
    Volume {
        volume: String,
        /// Empty is the volume itself.
        subpath: String,
        target: String,
        read_only: bool,
    },
    Bind {
        host: String,
        target: String,
        read_only: bool,
    },
    Tmpfs {
        target: String,
        options: String,
    },
}

/// Runs a step to its end; what it prints goes to `output`, piece by piece.
///
/// # Errors
/// Where it could not be started, in Docker's words. Nothing is left but the snapshot.
pub async fn run_step<W: World>(ctx: &Ctx<W>, spec: &StepSpec, output: &mut dyn FnMut(Chunk)) -> Result<Exit> {
    // What belongs to the step goes when its snapshot goes.
    let id = spec.snapshot.0.clone();
    ctx.act(
        "A step of a build is a container, too, and counted like one",
        CreateCgroup { container: id.clone(), parent: None },
    )
    .await?;
    let result = limited(ctx, &id, spec, output).await;
    let _ = ctx
        .act("The step has ended; only the files that it wrote are kept", ReleaseContainer { container: id.clone() })
        .await;
    let _ = ctx.act("There is nothing left to count", RemoveCgroup { container: id }).await;
    result
}

async fn limited<W: World>(ctx: &Ctx<W>, id: &str, spec: &StepSpec, output: &mut dyn FnMut(Chunk)) -> Result<Exit> {
    for (limit, why) in plan::limits(ctx, &plan::for_step(spec, id))? {
        ctx.act(why, WriteLimit { container: id.into(), limit }).await?;
    }
    run(ctx, id, spec, output).await
}

async fn run<W: World>(ctx: &Ctx<W>, id: &str, spec: &StepSpec, output: &mut dyn FnMut(Chunk)) -> Result<Exit> {
    let read = async |path: &str| match ctx.world().read_snapshot_file(&spec.snapshot, path).await {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    };
    let who = lookup(&spec.user, &[], &read("/etc/passwd").await, &read("/etc/group").await).map_err(Error::Daemon)?;
    let mut pseudo = plan::for_step(spec, id);
    pseudo.config.hostname = if spec.hostname.is_empty() { "buildkitsandbox".into() } else { spec.hostname.clone() };
    let files = super::files::network_files(ctx, &pseudo);
    ctx.act("Programs look up names in these files", files).await?;
    let namespaces = plan::namespaces(ctx, &pseudo).await?;
    let stdio = Stdio { tty: false, stdin: false, stdin_once: false, log: LogDriver::None };
    ctx.act(
        "The step sees only the image's files and its own processes",
        CloneInit { container: id.into(), namespaces, stdio },
    )
    .await?;
    let console = ctx.world().attach(id).await?;
    let plugged = match spec.network {
        StepNetwork::Default => super::endpoints::plug_step(ctx, &mut pseudo).await,
        _ => Ok(()),
    };
    let result = match plugged {
        Ok(()) => drive(ctx, id, spec, &pseudo, &who, &*console, output).await,
        Err(error) => Err(error),
    };
    for name in pseudo.endpoints.keys() {
        super::endpoints::unplug(ctx, &pseudo, name).await;
    }
    result
}

async fn drive<W: World>(
    ctx: &Ctx<W>,
    id: &str,
    spec: &StepSpec,
    pseudo: &crate::container::ContainerRecord,
    who: &crate::container::users::Identity,
    console: &dyn crate::world::Console,
    output: &mut dyn FnMut(Chunk),
) -> Result<Exit> {
    for (op, why) in plan::setup(ctx, pseudo, who)? {
        ctx.act(why, Setup { container: id.into(), op }).await?;
    }
    ctx.world().set_up(id).await?;
    let env = plan::environment(pseudo, false, &[], &who.home);
    let exec = Exec { container: id.into(), argv: spec.argv.clone(), env };
    if let Err(fault) = ctx.act("All is ready: the step's program runs", exec).await {
        let program = spec.argv.first().map_or("", |p| p);
        return Err(Error::Daemon(format!(
            "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: {}",
            exec_refused(program, &fault)
        )));
    }
    while let Some(chunk) = console.read().await {
        output(chunk);
    }
    Ok(ctx.world().wait_exit(id).await?)
}
