//! Starting a container: the acts by which a process becomes one. Where any of them fails, what has been made is
//! undone in reverse order and nothing is left.

use super::{change, endpoints, files, find, find_by_id, link, note, plan};
use crate::container::spec::{NetworkMode, csv};
use crate::container::{ContainerRecord, Health, MountKind, MountPoint, Status};
use crate::engine::network::ensure_bridge;
use crate::engine::supervise::{self, Ended};
use crate::engine::{Ctx, Error, Result, system};
use crate::network::NetworkRecord;
use crate::world::acts::*;
use crate::world::{Console, Fault, World};
use cutaway_userland::Errno;
use std::rc::Rc;

/// What a start has made so far, beside what is in the record (cables, addresses, published ports).
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct Made {
    pub cgroup: bool,
    pub process: bool,
}

/// A container that was started.
pub struct Started {
    /// Connected before the program ran, so that none of its output is missed; only where it was asked for.
    pub console: Option<Rc<dyn Console>>,
    /// Told by the supervisor when it has ended.
    pub ended: Rc<Ended>,
}

/// Starts a container and leaves a supervisor with it. `attach` connects to its streams first.
///
/// # Errors
/// [`Error::Start`] with Docker's words; the record has them, too.
pub async fn start<W: World>(ctx: &Ctx<W>, id: &str, attach: bool) -> Result<Started> {
    let record = find_by_id(ctx, id)?;
    match record.state.status {
        Status::Paused => {
            return Err(Error::Daemon("cannot start a paused container, try unpause instead".into()));
        }
        Status::Removing | Status::Dead => {
            return Err(Error::Daemon("container is marked for removal and cannot be started".into()));
        }
        _ => {}
    }
    let record = change(ctx, id, |r| {
        r.manually_stopped = false;
        r.restart_count = 0;
    })?
    .unwrap_or(record);
    let console = launch(ctx, record, attach).await?;
    let ended = supervise::spawn(ctx, id);
    Ok(Started { console, ended })
}

/// Starts a container without a supervisor: what a supervisor itself does to start it again.
pub(in crate::engine) async fn launch<W: World>(
    ctx: &Ctx<W>,
    mut record: ContainerRecord,
    attach: bool,
) -> Result<Option<Rc<dyn Console>>> {
    ctx.world().undertake(&record.id)?;
    let id = record.id.clone();
    let result = attempt(ctx, &mut record, attach).await;
    ctx.world().completed(&id);
    result
}

async fn attempt<W: World>(
    ctx: &Ctx<W>,
    record: &mut ContainerRecord,
    attach: bool,
) -> Result<Option<Rc<dyn Console>>> {
    let mut made = Made::default();
    match sequence(ctx, record, &mut made, attach).await {
        Ok((pid, console)) => {
            running(ctx, record, pid)?;
            ctx.world().begun().await;
            Ok(console)
        }
        Err(error) => {
            tear_down(ctx, record, made).await;
            let message = match &error {
                Error::Daemon(text) | Error::Client(text) | Error::Start { message: text, .. } => text.clone(),
                Error::Status(_) => String::new(),
            };
            let status = status_of(&message);
            change(ctx, &record.id, |r| {
                r.state.exit_code = if status == 125 { 128 } else { status };
                r.state.error = message.clone();
                r.state.pid = 0;
                endpoints::rest(r);
                if r.is_running() {
                    r.state.status = Status::Exited;
                }
            })?;
            Err(Error::Start { message, status })
        }
    }
}

/// The exit status of `docker run` where a start fails: its client tells by the words.
fn status_of(message: &str) -> i32 {
    let has = |text: &str| message.contains(text);
    if has("executable file not found") || has("no such file or directory") {
        127
    } else if has("permission denied") || has("is a directory") {
        126
    } else {
        125
    }
}

fn running<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, pid: i32) -> Result<()> {
    let now = ctx.world().now();
    let state = record.clone();
    change(ctx, &record.id, |r| {
        r.state.status = Status::Running;
        r.state.pid = pid;
        r.state.exit_code = 0;
        r.state.error.clear();
        r.state.oom_killed = false;
        r.state.started = Some(now);
        r.state.health = r.healthcheck().is_some().then(Health::default);
        r.config.hostname = state.config.hostname;
        r.endpoints = state.endpoints;
        r.ports = state.ports;
        r.sandbox = Some(ctx.new_id());
    })?;
    note(ctx, record, "start", &[]);
    Ok(())
}

/// The story of a start, act by act.
async fn sequence<W: World>(
    ctx: &Ctx<W>,
    record: &mut ContainerRecord,
    made: &mut Made,
    attach: bool,
) -> Result<(i32, Option<Rc<dyn Console>>)> {
    let id = record.id.clone();
    if !record.host.gpus.is_empty() {
        return Err(Error::Daemon(no_driver(&record.host.gpus)));
    }
    let who = plan::identity(ctx, record, &record.config.image.user).await?;
    let networking = |e: Error| match e {
        Error::Daemon(text) => Error::Daemon(format!("failed to set up container networking: {text}")),
        other => other,
    };
    let networks = endpoints::reserve(ctx, record).await.map_err(networking)?;
    host_side(ctx, record).await?;

    ctx.act(
        "The kernel counts and limits by control group, so the container gets one",
        CreateCgroup {
            container: id.clone(),
            parent: Some(record.host.resources.cgroup_parent.clone()).filter(|p| !p.is_empty()),
        },
    )
    .await?;
    made.cgroup = true;
    for (limit, why) in plan::limits(ctx, record)? {
        ctx.act(why, WriteLimit { container: id.clone(), limit }).await?;
    }

    let namespaces = plan::namespaces(ctx, record).await?;
    let stdio = Stdio {
        tty: record.config.tty,
        stdin: record.config.open_stdin,
        stdin_once: record.config.stdin_once,
        log: log_driver(&record.host.log.driver),
    };
    let clone = CloneInit { container: id.clone(), namespaces, stdio };
    made.process = true;
    let pid = ctx
        .act("A container is a process that sees only what its namespaces show; it waits until all is ready", clone)
        .await?;
    let console = if attach { Some(ctx.world().attach(&id).await?) } else { None };

    network(ctx, record, &networks).await.map_err(networking)?;
    for (op, why) in plan::setup(ctx, record, &who)? {
        let done = ctx.act(why, Setup { container: id.clone(), op }).await;
        done.map_err(|fault| Error::Daemon(init_failed(&words(&fault))))?;
    }
    ctx.world().set_up(&id).await.map_err(|fault| Error::Daemon(init_failed(&words(&fault))))?;
    let (argv, env) =
        (argv(record), plan::environment(record, record.config.tty, &link::environment(ctx, record), &who.home));
    let exec = Exec { container: id, argv: argv.clone(), env };
    let done = ctx.act("All is ready: the waiting process becomes the container's program", exec).await;
    done.map_err(|fault| Error::Daemon(init_failed(&exec_refused(&argv[0], &fault))))?;
    Ok((pid, console))
}

fn argv(record: &ContainerRecord) -> Vec<String> {
    let own = std::iter::once(&record.path).chain(&record.args).cloned();
    if record.host.init == Some(true) {
        ["/sbin/docker-init".to_string(), "--".to_string()].into_iter().chain(own).collect()
    } else {
        own.collect()
    }
}

/// What has to be there on the host first: files about the network, folders to bind.
async fn host_side<W: World>(ctx: &Ctx<W>, record: &mut ContainerRecord) -> Result<()> {
    link::check(ctx, record)?;
    let mut shown = record.clone();
    if let NetworkMode::Container(other) = NetworkMode::parse(&record.host.network_mode) {
        let other = find(ctx, &other).await?;
        record.config.hostname = other.config.hostname.clone();
        shown = ContainerRecord { id: record.id.clone(), ..other };
    }
    if let Some(network) = files::host_gateway(ctx, record) {
        ensure_bridge(ctx, &network).await?;
    }
    let files = files::network_files(ctx, &shown);
    ctx.act("Programs look up names in these files, and each container's are different", files).await?;
    for mount in &record.mounts {
        if mount.kind == MountKind::Bind && ctx.world().host_file(&mount.source).is_none() {
            let act = MakeHostDirectory { path: mount.source.clone() };
            ctx.act("The folder that `-v` names is not there, so an empty one is made", act).await?;
        }
        if mount.kind == MountKind::Volume {
            check_device(ctx, mount)?;
            let attributes = [
                ("container".to_string(), record.id.clone()),
                ("destination".to_string(), mount.destination.clone()),
                ("driver".to_string(), "local".to_string()),
                ("propagation".to_string(), mount.propagation.clone()),
                ("read/write".to_string(), mount.writable.to_string()),
            ];
            system::publish(ctx, "volume", "mount", &mount.name, attributes);
        }
    }
    Ok(())
}

/// A volume that shows a folder of the host's needs that folder.
fn check_device<W: World>(ctx: &Ctx<W>, mount: &MountPoint) -> Result<()> {
    let Some((device, recursive)) = mount.device.as_ref().and_then(|d| Some((d, d.binds()?))) else { return Ok(()) };
    if ctx.world().host_file(&device.device).is_some() {
        return Ok(());
    }
    // MS_BIND, MS_REC, MS_RDONLY: Docker tells them as a number.
    let flags = 0x1000 | if recursive { 0x4000 } else { 0 } | u32::from(device.read_only());
    let (path, source) = (ctx.world().volume_path(&mount.name), &device.device);
    Err(Error::Daemon(format!(
        "error while mounting volume '{path}': failed to mount local volume: mount {source}:{path}, flags: {flags:#x}: \
         no such file or directory"
    )))
}

/// Cables, the way out, published ports, names.
async fn network<W: World>(ctx: &Ctx<W>, record: &mut ContainerRecord, networks: &[NetworkRecord]) -> Result<()> {
    for network in networks {
        endpoints::plug(ctx, record, network).await?;
    }
    const WHY: &str = "What is not on this network is sent to the host, which passes it on";
    endpoints::route(ctx, record, networks, &[], WHY).await?;
    endpoints::publish_ports(ctx, record, networks).await?;
    if files::has_names(record) {
        // The service answers from the records, and the program may ask with its first breath.
        change(ctx, &record.id, |r| r.endpoints = record.endpoints.clone())?;
        let act = ServeNames { container: record.id.clone() };
        ctx.act("On networks of one's own, containers find each other by name", act).await?;
    }
    Ok(())
}

/// Undoes a start, as far as it came, in reverse order; also what is done when a container has ended. What
/// can't be undone is left: there is nobody to tell.
pub(in crate::engine) async fn tear_down<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, made: Made) {
    const WHY: &str = "Nobody is left who would answer at this port";
    for binding in record.ports.iter().rev() {
        let _ = ctx.act(WHY, endpoints::unpublish(&record.id, binding)).await;
    }
    let names: Vec<&String> = record.endpoints.keys().collect();
    for name in names.into_iter().rev() {
        endpoints::unplug(ctx, record, name).await;
    }
    for mount in record.mounts.iter().filter(|m| m.kind == MountKind::Volume) {
        let attributes = [("container".to_string(), record.id.clone()), ("driver".to_string(), "local".to_string())];
        system::publish(ctx, "volume", "unmount", &mount.name, attributes);
    }
    if made.process {
        let act = ReleaseContainer { container: record.id.clone() };
        let _ = ctx.act("Namespaces and mounts end with the last process, unless somebody holds them", act).await;
    }
    if made.cgroup {
        let act = RemoveCgroup { container: record.id.clone() };
        let _ = ctx.act("There is nothing left to count", act).await;
    }
}

/// No graphics processor can be handed over: it takes a driver's own files and a hook of its vendor.
fn no_driver(gpus: &str) -> String {
    let driver = csv(gpus).into_iter().find_map(|f| f.strip_prefix("driver=").map(str::to_string)).unwrap_or_default();
    format!("could not select device driver {driver:?} with capabilities: [[gpu]]")
}

pub(super) fn log_driver(name: &str) -> LogDriver {
    match name {
        "none" => LogDriver::None,
        "local" => LogDriver::Local,
        _ => LogDriver::JsonFile,
    }
}

/// The frame that containerd and runc put around what failed inside.
fn init_failed(what: &str) -> String {
    format!(
        "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: {what}"
    )
}

fn words(fault: &Fault) -> String {
    fault.to_string()
}

/// Why a program can't be run, in Go's words.
pub(super) fn exec_refused(program: &str, fault: &Fault) -> String {
    match fault.number() {
        Some(Errno::ENOENT) if program.contains('/') => {
            format!("exec: {program:?}: stat {program}: no such file or directory")
        }
        Some(Errno::ENOENT) => format!("exec: {program:?}: executable file not found in $PATH"),
        Some(Errno::EACCES) => format!("exec: {program:?}: permission denied"),
        Some(Errno::EISDIR) => format!("exec: {program:?}: is a directory"),
        Some(Errno::ENOEXEC) => format!("exec {program}: exec format error"),
        _ => format!("exec: {program:?}: {fault}"),
    }
}
