//! `docker create`: a container that does not run yet. Its writable layer and volumes are made here.

use super::endpoints::check_place;
use super::{check, link, mounts, note};
use crate::cli::Args;
use crate::container::spec::{
    ContainerSpec, NetworkMode, NetworkRequest, RunOptions, Surroundings, files_named, merge_image, parse_mac,
    parse_run,
};
use crate::container::{ContainerConfig, ContainerRecord, Endpoint, HostConfig, NameRecord, State, defaults, names};
use crate::engine::image::{self, PullPolicy};
use crate::engine::network::lookup;
use crate::engine::{Ctx, Error, Result};
use crate::image::ImageRecord;
use crate::image::wire::Platform;
use crate::name::{Reference, is_full_id};
use crate::world::acts::{PrepareSnapshot, RemoveSnapshot, SnapshotKey};
use crate::world::{Client, World};
use cutaway_userland::os::FileKind;
use cutaway_userland::sorted::Map as BTreeMap;
use std::net::IpAddr;

/// `docker create`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let options = read_options(ctx, args).await?;
    let record = match from_options(ctx, &options).await {
        // What the client finds wrong only now, `create` tells without its frame.
        Err(Error::Client(text)) if !text.starts_with("invalid pull option") => {
            ctx.warn(format!("{text}\n")).await;
            return Err(Error::Status(1));
        }
        record => record?,
    };
    ctx.world().completed(&record.id);
    ctx.print(format!("{}\n", record.id)).await;
    Ok(0)
}

/// The typed options of a parsed `run` or `create`; files that they name are read from the client.
pub(super) async fn read_options<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<RunOptions> {
    let mut files = BTreeMap::new();
    for path in files_named(args) {
        if let Ok(bytes) = ctx.client.read_file(&path).await {
            files.insert(path, bytes);
        }
    }
    let client: &dyn Client = &*ctx.client;
    let env = |name: &str| client.env(name);
    let mut options = parse_run(args, &Surroundings { files, env: &env, cwd: client.cwd() })?;
    let usual = || client.env("DOCKER_DEFAULT_PLATFORM").filter(|text| !text.is_empty());
    options.spec.platform = options.spec.platform.or_else(usual);
    if args.values("network").is_empty() && ctx.world().host().rootless {
        stay_alone(ctx, &mut options).await;
    }
    Ok(options)
}

/// Without root nothing can be connected to the host's networks: a container whose network nobody chose gets
/// its loopback alone, rather than not starting at all, and the person is told.
async fn stay_alone<W: World>(ctx: &Ctx<W>, options: &mut RunOptions) {
    options.spec.networks.clear();
    options.spec.host.network_mode = "none".into();
    let ports = if options.spec.host.port_bindings.is_empty() { "" } else { "; its ports are not published" };
    let text = "cutaway: an ordinary user can't connect containers to the host, so this one has only its loopback";
    ctx.warn(format!("{text}{ports} (--network host shares the host's network)\n")).await;
}

/// Creates the container of a command line; its id goes into `--cidfile`.
pub(super) async fn from_options<W: World>(ctx: &Ctx<W>, options: &RunOptions) -> Result<ContainerRecord> {
    let cidfile = &options.spec.host.cidfile;
    if !cidfile.is_empty() && ctx.client.facts(cidfile).await?.is_some() {
        return Err(Error::Client(format!(
            "container ID file found, make sure the other container isn't running or delete {cidfile}"
        )));
    }
    let policy = PullPolicy::parse(&options.pull).ok_or_else(|| {
        Error::Client(format!(
            "invalid pull option: '{}': must be one of \"always\", \"missing\" or \"never\"",
            options.pull
        ))
    })?;
    let record = create(ctx, options.spec.clone(), policy, options.quiet).await?;
    if !cidfile.is_empty() {
        let written = ctx.client.write_file(cidfile, record.id.as_bytes(), 0o666).await;
        written.map_err(|fault| match image::open_error(cidfile, &fault) {
            Error::Client(text) => Error::Client(format!("failed to create the container ID file: {text}")),
            other => other,
        })?;
    }
    Ok(record)
}

/// What is said of an image for another platform than the host's, where nobody asked for one.
fn other_platform<W: World>(ctx: &Ctx<W>, spec: &ContainerSpec, image: &ImageRecord) -> Option<String> {
    let host = Platform::normal("linux", &ctx.world().host().architecture, "");
    let own = Platform::normal(&image.os, &image.architecture, "");
    if spec.platform.is_some() || image.architecture.is_empty() || own.serves(&host) {
        return None;
    }
    // The host's tells what its processors can do; these are what nearly all can.
    let variant = match host.architecture.as_str() {
        "amd64" => "/v3",
        "arm64" => "/v8",
        _ => "",
    };
    let variant_of_image = if image.variant.is_empty() { String::new() } else { format!("/{}", image.variant) };
    Some(format!(
        "The requested image's platform ({}/{}{variant_of_image}) does not match the detected host platform ({host}{variant}) \
         and no specific platform was requested",
        image.os, image.architecture
    ))
}

/// Creates a container, its image pulled where it is missing.
///
/// # Errors
/// In Docker's words; nothing is left then.
pub async fn create<W: World>(
    ctx: &Ctx<W>,
    spec: ContainerSpec,
    policy: PullPolicy,
    quiet: bool,
) -> Result<ContainerRecord> {
    if !is_full_id(&spec.image) {
        Reference::parse(&spec.image).map_err(|e| Error::Client(e.to_string()))?;
    }
    if let Some(name) = spec.name.as_deref().map(|n| n.trim_start_matches('/')).filter(|n| !names::is_valid(n)) {
        return Err(Error::Daemon(format!(
            "Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        )));
    }
    check::settings(ctx, &spec)?;
    let image = image::ensure(ctx, &spec.image, policy, spec.platform.as_deref(), quiet).await?;
    create_with_image(ctx, spec, &image).await
}

/// Creates a container of an image that is there. One that is to be removed at its end is not left alone yet:
/// it is whoever starts it, or does not, that says `completed`.
///
/// # Errors
/// In Docker's words; nothing is left then.
pub async fn create_with_image<W: World>(
    ctx: &Ctx<W>,
    spec: ContainerSpec,
    image: &ImageRecord,
) -> Result<ContainerRecord> {
    check::settings(ctx, &spec)?;
    let mut record = draft(ctx, &spec, image)?;
    link::linked(ctx, &record)?;
    for mode in [&record.host.pid, &record.host.ipc] {
        if let Some(other) = mode.strip_prefix("container:") {
            super::find(ctx, other).await?;
        }
    }
    let mut warnings = check::drop_unsupported(ctx, &mut record.host.resources);
    if !spec.host.port_bindings.is_empty() && NetworkMode::parse(&spec.host.network_mode) == NetworkMode::Host {
        warnings.push("Published ports are discarded when using host network mode");
    }
    let other = other_platform(ctx, &spec, image);
    ctx.world().undertake(&record.id)?;
    let result = match take_name(ctx, &mut record, spec.name.as_deref()) {
        Ok(()) => {
            let result = furnish(ctx, &spec, image, &mut record).await;
            if result.is_err() {
                let _ = ctx.world().remove::<NameRecord>(&NameRecord::key_of(&record.name));
            }
            result
        }
        taken => taken,
    };
    if result.is_err() || !spec.host.auto_remove {
        ctx.world().completed(&record.id);
    }
    result?;
    for warning in warnings.into_iter().chain(other.as_deref()) {
        ctx.warn(format!("WARNING: {warning}\n")).await;
    }
    note(ctx, &record, "create", &[]);
    Ok(record)
}

/// Makes what belongs to the container, and keeps its record.
async fn furnish<W: World>(
    ctx: &Ctx<W>,
    spec: &ContainerSpec,
    image: &ImageRecord,
    record: &mut ContainerRecord,
) -> Result<()> {
    let points = mounts::wanted(ctx, spec, &record.config).await?;
    ctx.act(
        "What the container writes goes into a layer of its own, so that the image's layers can be shared",
        PrepareSnapshot { key: record.snapshot.clone(), layers: image.chains() },
    )
    .await?;
    // What the image has where the program is to start must be a folder, or nothing yet.
    let cwd = &record.config.image.working_dir;
    if !cwd.is_empty()
        && ctx.world().snapshot_file(&record.snapshot, cwd).await?.is_some_and(|k| k != FileKind::Directory)
    {
        let undo = RemoveSnapshot { key: record.snapshot.clone() };
        ctx.act("The container could not be created, so its writable layer is not needed", undo).await?;
        return Err(Error::Daemon(format!("Cannot mkdir: {cwd} is not a directory")));
    }
    let result = match mounts::provide(ctx, record, points, &spec.host.volume_driver).await {
        Ok(()) => ctx.world().put(record).map_err(Error::from),
        Err(error) => Err(error),
    };
    if result.is_err() {
        let undo = RemoveSnapshot { key: record.snapshot.clone() };
        let _ = ctx.act("The container could not be created, so its writable layer is not needed", undo).await;
    }
    result
}

/// The record as far as it follows from the request and the image.
fn draft<W: World>(ctx: &Ctx<W>, spec: &ContainerSpec, image: &ImageRecord) -> Result<ContainerRecord> {
    let id = ctx.new_id();
    let mut merged = merge_image(&spec.config.image, &image.config);
    // `--entrypoint ''` takes the image's away.
    merged.entrypoint = merged.entrypoint.filter(|entrypoint| *entrypoint != [String::new()]);
    let words: Vec<String> = merged.entrypoint.iter().chain(&merged.cmd).flatten().cloned().collect();
    let Some((path, args)) = words.split_first() else {
        return Err(Error::Daemon("no command specified".into()));
    };
    let mut config = ContainerConfig { image: merged, ..spec.config.clone() };
    let mode = NetworkMode::parse(&spec.host.network_mode);
    if config.hostname.is_empty() {
        config.hostname = match mode {
            NetworkMode::Host => ctx.world().host().name,
            _ => id[..12].to_string(),
        };
    }
    let exposed: Vec<String> = spec.host.port_bindings.keys().cloned().collect();
    config.image.exposed_ports.extend(exposed);
    Ok(ContainerRecord {
        name: String::new(),
        created: ctx.world().now(),
        path: path.clone(),
        args: args.to_vec(),
        image: image.id,
        image_name: spec.image.clone(),
        config,
        host: with_defaults(ctx, &spec.host)?,
        state: State::default(),
        snapshot: SnapshotKey(id.clone()),
        endpoints: endpoints(ctx, spec, &mode)?,
        sandbox: None,
        ports: Vec::new(),
        mounts: Vec::new(),
        restart_count: 0,
        manually_stopped: false,
        exec_ids: Vec::new(),
        id,
    })
}

fn with_defaults<W: World>(ctx: &Ctx<W>, asked: &HostConfig) -> Result<HostConfig> {
    let mut host = asked.clone();
    let set = |text: &mut String, default: &str| {
        if text.is_empty() {
            *text = default.to_string();
        }
    };
    set(&mut host.network_mode, "bridge");
    set(&mut host.cgroupns, if ctx.world().host().cgroup_version == 1 || host.privileged { "host" } else { "private" });
    set(&mut host.ipc, "private");
    set(&mut host.runtime, "runc");
    set(&mut host.restart.name, "no");
    set(&mut host.log.driver, "json-file");
    if host.shm_size == 0 {
        host.shm_size = defaults::SHM_SIZE;
    }
    let limits = &mut host.resources;
    if limits.memory > 0 && limits.memory_swap == 0 {
        limits.memory_swap = limits.memory.saturating_mul(2);
    }
    if limits.pids_limit.is_some_and(|n| n <= 0) {
        limits.pids_limit = None;
    }
    host.cap_add = defaults::normal_capabilities(&host.cap_add).map_err(Error::Daemon)?;
    host.cap_drop = defaults::normal_capabilities(&host.cap_drop).map_err(Error::Daemon)?;
    Ok(host)
}

/// The container's places in its networks, still without addresses. Names are looked up when it starts.
fn endpoints<W: World>(ctx: &Ctx<W>, spec: &ContainerSpec, mode: &NetworkMode) -> Result<BTreeMap<String, Endpoint>> {
    let mut all = BTreeMap::new();
    if matches!(mode, NetworkMode::Container(_)) {
        return Ok(all);
    }
    let alone = [NetworkRequest { name: spec.host.network_mode.clone(), ..NetworkRequest::default() }];
    let requests: &[NetworkRequest] = if spec.networks.is_empty() { &alone } else { &spec.networks };
    for request in requests {
        let name = match request.name.as_str() {
            "" | "default" => "bridge",
            name => name,
        };
        if requests.len() > 1 && matches!(name, "host" | "none") {
            return Err(Error::Daemon(format!(
                "conflicting options: cannot attach both user-defined and non-user-defined network-modes: {name}"
            )));
        }
        let place = endpoint(request, name)?;
        // A network may still come before the container starts.
        if let Ok(Some(network)) = lookup(ctx, name) {
            check_place(&network, &place).map_err(|why| {
                Error::Daemon(format!("invalid config for network {name}: invalid endpoint settings:\n{why}"))
            })?;
        }
        all.insert(name.to_string(), place);
    }
    Ok(all)
}

/// An endpoint as a request wants it.
///
/// # Errors
/// Addresses that are none, and addresses on networks that give their own, in Docker's words.
pub(super) fn endpoint(request: &NetworkRequest, network: &str) -> Result<Endpoint> {
    let wrong =
        |why: String| Error::Daemon(format!("invalid config for network {network}: invalid endpoint settings:\n{why}"));
    let fixed_address = match request.ip.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| wrong(format!("invalid IPv4 address: {text}")))?),
    };
    let fixed_address6 = match request.ip6.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| wrong(format!("invalid IPv6 address: {text}")))?),
    };
    if (fixed_address.is_some() || fixed_address6.is_some()) && !NetworkMode::parse(network).is_user_defined() {
        return Err(wrong("user specified IP address is supported on user defined networks only".into()));
    }
    if !request.aliases.is_empty() && !NetworkMode::parse(network).is_user_defined() {
        let why = "network-scoped alias is supported only for containers in user defined networks";
        return Err(wrong(why.into()));
    }
    let mut link_local = Vec::new();
    for text in request.link_local_ips.iter().filter(|text| !text.is_empty()) {
        let address: Option<IpAddr> = text.parse().ok().filter(|a: &IpAddr| !a.is_unspecified());
        link_local.push(address.ok_or_else(|| wrong(format!("invalid link-local IP address: {text}")))?);
    }
    if let Some(text) = request.driver_opts.get(SYSCTLS)
        && let Err(why) = interface_sysctls(text, "")
    {
        return Err(wrong(why));
    }
    Ok(Endpoint {
        fixed_address,
        fixed_address6,
        link_local,
        fixed_mac: parse_mac(&request.mac),
        aliases: request.aliases.clone(),
        links: request.links.iter().map(|l| if l.contains(':') { l.clone() } else { format!("{l}:{l}") }).collect(),
        driver_opts: request.driver_opts.clone(),
        gw_priority: request.gw_priority,
        ..Endpoint::default()
    })
}

/// The option of an endpoint that sets the kernel's settings for its interface.
pub(super) const SYSCTLS: &str = "com.docker.network.endpoint.sysctls";

/// Settings and values for an interface of this name, from `net.ipv4.conf.IFNAME.log_martians=1,…`. Source: moby,
/// daemon/container_operations.go, validateEndpointSettings.
pub(super) fn interface_sysctls(text: &str, interface: &str) -> std::result::Result<Vec<(String, String)>, String> {
    let read = |sysctl: &str| {
        let parts: Vec<&str> = sysctl.splitn(5, '.').collect();
        let [net, family @ ("ipv4" | "ipv6" | "mpls"), group, "IFNAME" | "ifname", rest] = parts[..] else {
            return Err(format!(
                "unrecognised network interface sysctl '{sysctl}'; represent 'net.X.Y.ethN.Z=V' as \
                 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'"
            ));
        };
        let (name, value) = rest.split_once('=').unwrap_or((rest, ""));
        Ok((format!("{net}/{family}/{group}/{interface}/{name}"), value.to_string()))
    };
    text.split(',').map(read).collect()
}

/// Gives the container its name, or a random one that is free.
fn take_name<W: World>(ctx: &Ctx<W>, record: &mut ContainerRecord, asked: Option<&str>) -> Result<()> {
    let asked = asked.map(|n| n.trim_start_matches('/').to_string());
    for attempt in 0..100 {
        let name = asked.clone().unwrap_or_else(|| {
            let mut entropy = [0; 2];
            ctx.world().random(&mut entropy);
            names::random(entropy, attempt)
        });
        match reserve(ctx, &name, &record.id)? {
            None => {
                record.name = name;
                return Ok(());
            }
            Some(owner) if asked.is_some() => return Err(taken(&name, &owner)),
            Some(_) => {}
        }
    }
    Err(Error::Daemon("no free container name was found".into()))
}

/// Takes a name for a container; who has it, where it is taken.
pub(super) fn reserve<W: World>(ctx: &Ctx<W>, name: &str, id: &str) -> Result<Option<String>> {
    let owner = ctx.world().transact(|changes| {
        if let Some(other) = changes.get::<NameRecord>(&NameRecord::key_of(name))? {
            return Ok(Some(other.container));
        }
        changes.put(&NameRecord { name: name.to_string(), container: id.to_string() })?;
        Ok(None)
    })?;
    Ok(owner)
}

/// Docker's words for a name that somebody else has.
pub(super) fn taken(name: &str, owner: &str) -> Error {
    Error::Daemon(format!(
        "Conflict. The container name \"/{name}\" is already in use by container \"{owner}\". You have to remove (or rename) that container to be able to reuse that name."
    ))
}
