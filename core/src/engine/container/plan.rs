//! What a start will do, worked out from the record: namespaces, limits, and the operations by which the first
//! process makes its surroundings, in runc's order. A plan is data; nothing here acts.

use super::step::{StepMount, StepNetwork, StepSpec};
use super::{devices, find};
use crate::container::spec::{NetworkMode, SecurityOptions};
use crate::container::users::{Identity, lookup};
use crate::container::{
    ContainerConfig, ContainerRecord, HostConfig, MountKind, MountPoint, Resources, State, defaults,
};
use crate::engine::{Ctx, Error, Result};
use crate::image::ImageConfig;
use crate::name::Digest;
use crate::world::World;
use crate::world::acts::*;
use cutaway_userland::os::{Limit, LimitPair};
use cutaway_userland::sorted::Arrange;
use cutaway_userland::sorted::Map as BTreeMap;

/// Where the container's namespaces come from.
pub(super) async fn namespaces<W: World>(ctx: &Ctx<W>, record: &ContainerRecord) -> Result<Vec<Namespace>> {
    let host = &record.host;
    let network = match NetworkMode::parse(&host.network_mode) {
        NetworkMode::Host => NamespaceSource::Host,
        NetworkMode::Container(name) => join_network(ctx, &name).await?,
        _ => NamespaceSource::New,
    };
    let shared = async |mode: &str, what: &str| match mode {
        "host" => Ok(NamespaceSource::Host),
        mode => match mode.strip_prefix("container:") {
            Some(name) => join(ctx, name, what).await,
            None => Ok(NamespaceSource::New),
        },
    };
    let cgroup = if host.cgroupns == "host" { NamespaceSource::Host } else { NamespaceSource::New };
    let uts = if host.uts == "host" { NamespaceSource::Host } else { NamespaceSource::New };
    let all = [
        (NamespaceKind::Mount, NamespaceSource::New),
        (NamespaceKind::Network, network),
        (NamespaceKind::Uts, uts),
        (NamespaceKind::Pid, shared(&host.pid, "PID").await?),
        (NamespaceKind::Ipc, shared(&host.ipc, "IPC").await?),
        (NamespaceKind::Cgroup, cgroup),
    ];
    Ok(all.into_iter().map(|(kind, source)| Namespace { kind, source }).collect())
}

/// Source of the words: moby, daemon/container_operations.go.
async fn join_network<W: World>(ctx: &Ctx<W>, name: &str) -> Result<NamespaceSource> {
    let other = find(ctx, name).await.map_err(|e| because(e, "joining network namespace of container"))?;
    if !other.is_running() {
        return Err(Error::Daemon(format!(
            "cannot join network namespace of a non running container: container {} is {}",
            other.name,
            other.state.status.name()
        )));
    }
    Ok(NamespaceSource::Container(other.id))
}

/// Source of the words: moby, daemon/container_operations_unix.go.
async fn join<W: World>(ctx: &Ctx<W>, name: &str, what: &str) -> Result<NamespaceSource> {
    let failed = format!("failed to join {what} namespace");
    let other = find(ctx, name).await.map_err(|e| because(e, &failed))?;
    if !other.is_running() {
        return Err(Error::Daemon(format!("{failed}: container {} is not running", other.id)));
    }
    if what == "IPC" && !matches!(other.host.ipc.as_str(), "shareable" | "host") {
        return Err(Error::Daemon(format!(
            "{failed}: container {}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)",
            other.id
        )));
    }
    Ok(NamespaceSource::Container(other.id))
}

fn because(error: Error, why: &str) -> Error {
    match error {
        Error::Daemon(text) => Error::Daemon(format!("{why}: {text}")),
        other => other,
    }
}

/// The limits to write, and why each is there.
pub(super) fn limits<W: World>(ctx: &Ctx<W>, record: &ContainerRecord) -> Result<Vec<(CgroupLimit, &'static str)>> {
    let mut all = resource_limits(&record.host.resources);
    all.push((
        CgroupLimit::Devices(devices::rules(ctx, record)?),
        "A container must not reach the host's disks and other hardware",
    ));
    Ok(all)
}

/// The limits that `docker update` can change, too.
pub(super) fn resource_limits(r: &Resources) -> Vec<(CgroupLimit, &'static str)> {
    const MEMORY: &str = "More memory than this it can't have: beyond it the kernel ends its processes";
    const CPU: &str = "However busy it is, it leaves processor time to others";
    const DISK: &str = "However much it reads and writes, others get their share of the disk";
    let positive = |n: i64| u64::try_from(n).ok().filter(|n| *n > 0);
    let mut all = Vec::new();
    all.extend(positive(r.memory).map(|n| (CgroupLimit::Memory(n), MEMORY)));
    all.extend(positive(r.memory_reservation).map(|n| (CgroupLimit::MemoryReservation(n), MEMORY)));
    if r.memory_swap != 0 {
        let swap = positive(r.memory_swap);
        all.push((CgroupLimit::MemorySwap(swap), "Swap counts as memory, too, or the limit would only move it there"));
    }
    all.extend(r.memory_swappiness.and_then(|n| u64::try_from(n).ok()).map(|n| (CgroupLimit::Swappiness(n), MEMORY)));
    if r.oom_kill_disable {
        all.push((CgroupLimit::OomKillDisable, MEMORY));
    }
    if r.nano_cpus > 0 {
        all.push((CgroupLimit::CpuQuota { quota: r.nano_cpus / 10_000, period: 100_000 }, CPU));
    } else if r.cpu_quota > 0 || r.cpu_period > 0 {
        let period = positive(r.cpu_period).unwrap_or(100_000);
        all.push((CgroupLimit::CpuQuota { quota: if r.cpu_quota > 0 { r.cpu_quota } else { -1 }, period }, CPU));
    }
    all.extend(positive(r.cpu_shares).map(|n| (CgroupLimit::CpuShares(n), CPU)));
    if !r.cpuset_cpus.is_empty() {
        all.push((CgroupLimit::CpusetCpus(r.cpuset_cpus.clone()), CPU));
    }
    if !r.cpuset_mems.is_empty() {
        all.push((CgroupLimit::CpusetMems(r.cpuset_mems.clone()), MEMORY));
    }
    if let Some(pids) = r.pids_limit {
        let limit = CgroupLimit::Pids(positive(pids));
        all.push((limit, "A program that keeps starting others can't fill the host's process table"));
    }
    if r.blkio_weight > 0 {
        all.push((CgroupLimit::BlkioWeight(r.blkio_weight), DISK));
    }
    for t in &r.blkio_weight_device {
        all.push((CgroupLimit::BlkioWeightDevice { device: t.path.clone(), weight: t.rate as u16 }, DISK));
    }
    for t in &r.device_read_bps {
        all.push((CgroupLimit::DeviceReadBps { device: t.path.clone(), rate: t.rate }, DISK));
    }
    for t in &r.device_write_bps {
        all.push((CgroupLimit::DeviceWriteBps { device: t.path.clone(), rate: t.rate }, DISK));
    }
    for t in &r.device_read_iops {
        all.push((CgroupLimit::DeviceReadIops { device: t.path.clone(), rate: t.rate }, DISK));
    }
    for t in &r.device_write_iops {
        all.push((CgroupLimit::DeviceWriteIops { device: t.path.clone(), rate: t.rate }, DISK));
    }
    all
}

/// Who the container's program runs as, looked up in its own files.
pub(super) async fn identity<W: World>(ctx: &Ctx<W>, record: &ContainerRecord, user: &str) -> Result<Identity> {
    let read = async |path: &str| match ctx.world().read_snapshot_file(&record.snapshot, path).await {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    };
    let (passwd, group) = (read("/etc/passwd").await, read("/etc/group").await);
    lookup(user, &record.host.group_add, &passwd, &group).map_err(Error::Daemon)
}

/// The environment of a process in the container: Docker's own variables under the configured ones.
pub(super) fn environment(record: &ContainerRecord, tty: bool, more: &[String], home: &str) -> Vec<(String, String)> {
    let mut env: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: &str| match env.iter_mut().find(|(n, _)| n == name) {
        Some(entry) => entry.1 = value.to_string(),
        None => env.push((name.to_string(), value.to_string())),
    };
    set("PATH", defaults::PATH);
    set("HOSTNAME", &record.config.hostname);
    if tty {
        set("TERM", "xterm");
    }
    for entry in record.config.image.env.iter().chain(more) {
        let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
        set(name, value);
    }
    if !env.iter().any(|(name, _)| name == "HOME") {
        env.push(("HOME".into(), home.to_string()));
    }
    env
}

/// The capabilities of a process that runs as `uid` in the container.
pub(super) fn capabilities(record: &ContainerRecord, privileged: bool, uid: u32) -> Result<Capabilities> {
    defaults::capabilities(&record.host.cap_add, &record.host.cap_drop, privileged, uid == 0).map_err(Error::Daemon)
}

const FILES: &str = "Each container has its own view of the file system, made of its image's layers and its own";
const KERNEL: &str = "Programs expect this part of the file system; what it shows is only this container's";
const DEVICES: &str = "Programs expect these devices; the host's others stay out";
const MOUNTED: &str = "This was asked for: data from outside, at this place inside";
const SAFETY: &str = "Even root inside must not change or read this";

/// The operations before the program runs, each with the reason for it.
pub(super) fn setup<W: World>(
    ctx: &Ctx<W>,
    record: &ContainerRecord,
    who: &Identity,
) -> Result<Vec<(SetupOp, &'static str)>> {
    let host = &record.host;
    let security = SecurityOptions::parse(&host.security_opt, host.privileged)?;
    let mut ops = vec![(SetupOp::MountRootfs { snapshot: record.snapshot.clone(), passing: host.auto_remove }, FILES)];
    kernel_mounts(record, &mut ops);
    mounts(record, &mut ops);
    device_files(ctx, record, &mut ops)?;
    if host.init == Some(true) {
        ops.push((
            SetupOp::InitProgram,
            "Process 1 has duties, such as cleaning up after orphans, that most programs neglect",
        ));
    }
    ops.push((SetupOp::PivotRoot, "From here on nothing of the host's files can be reached"));
    identity_of_machine(record, &mut ops)?;
    if security.masked_paths {
        ops.extend(defaults::READONLY_PATHS.iter().map(|p| (SetupOp::ReadonlyPath { path: p.to_string() }, SAFETY)));
        ops.extend(defaults::MASKED_PATHS.iter().map(|p| (SetupOp::MaskPath { path: p.to_string() }, SAFETY)));
    }
    if host.read_only {
        ops.push((SetupOp::ReadonlyRoot, "This was asked for: nothing in the root file system may change"));
    }
    for (limit, to) in process_limits(record) {
        ops.push((SetupOp::Rlimit { limit, to }, "This was asked for: a limit for each of its processes"));
    }
    if host.oom_score_adj != 0 {
        ops.push((SetupOp::OomScoreAdj(host.oom_score_adj), "This was asked for"));
    }
    let capabilities = capabilities(record, host.privileged, who.uid)?;
    let bounding = capabilities.bounding.clone();
    let path = match record.config.image.working_dir.as_str() {
        "" => "/".to_string(),
        dir => dir.to_string(),
    };
    ops.push((SetupOp::WorkingDirectory { path }, "The program starts here"));
    if security.no_new_privileges {
        ops.push((SetupOp::NoNewPrivileges, "This was asked for: nothing may gain rights any more"));
    }
    ops.push((
        SetupOp::Capabilities(capabilities),
        "Root inside is not root outside: most of its powers are taken away",
    ));
    if who.uid != 0 || who.gid != 0 || !who.groups.is_empty() {
        let op = SetupOp::User { uid: who.uid, gid: who.gid, groups: who.groups.clone() };
        ops.push((op, "The program runs as this user of the container's own list"));
    }
    if security.seccomp != Seccomp::Unconfined {
        let op = SetupOp::Seccomp { profile: security.seccomp, capabilities: bounding };
        ops.push((op, "The kernel is shared with the host, so calls that could harm it are refused"));
    }
    Ok(ops)
}

fn kernel_mounts(record: &ContainerRecord, ops: &mut Vec<(SetupOp, &'static str)>) {
    let host = &record.host;
    let read_only = !host.privileged;
    ops.push((SetupOp::Proc, KERNEL));
    ops.push((
        SetupOp::Tmpfs { target: "/dev".into(), options: "nosuid,strictatime,mode=755,size=65536k".into() },
        DEVICES,
    ));
    ops.push((SetupOp::Devpts, DEVICES));
    ops.push((SetupOp::Sysfs { read_only }, KERNEL));
    ops.push((SetupOp::CgroupFs { read_only }, KERNEL));
    ops.push((SetupOp::Mqueue, KERNEL));
    if !matches!(host.ipc.as_str(), "host" | "none") {
        ops.push((SetupOp::Shm { size: host.shm_size }, KERNEL));
    }
}

/// Network files, volumes, binds and tmpfs, those nearest to the root first, so that none hides another.
fn mounts(record: &ContainerRecord, ops: &mut Vec<(SetupOp, &'static str)>) {
    let mut all: Vec<(String, SetupOp, &'static str)> = Vec::new();
    for target in ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"] {
        if !record.mounts.iter().any(|m| m.destination == target) {
            let op = SetupOp::NetworkFile { target: target.into() };
            all.push((
                target.into(),
                op,
                "An image can't know the container's name and address, so the engine writes these",
            ));
        }
    }
    all.extend(record.mounts.iter().map(|m| (m.destination.clone(), mount_op(m), MOUNTED)));
    for (target, options) in &record.host.tmpfs {
        let given = if options.is_empty() { String::new() } else { format!(",{options}") };
        let op = SetupOp::Tmpfs { target: target.clone(), options: format!("rw,nosuid,nodev,noexec{given}") };
        all.push((target.clone(), op, MOUNTED));
    }
    all.arrange_by(|a, b| a.0.matches('/').count().cmp(&b.0.matches('/').count()).then_with(|| a.0.cmp(&b.0)));
    ops.extend(all.into_iter().map(|(_, op, why)| (op, why)));
}

fn mount_op(mount: &MountPoint) -> SetupOp {
    let (target, read_only) = (mount.destination.clone(), !mount.writable);
    match mount.kind {
        MountKind::Bind => SetupOp::Bind {
            host: mount.source.clone(),
            target,
            read_only,
            recursive: true,
            propagation: mount.propagation.clone(),
        },
        MountKind::Volume if mount.device.is_some() => device_op(mount),
        MountKind::Volume => {
            SetupOp::Volume { name: mount.name.clone(), target, read_only, subpath: mount.subpath.clone() }
        }
        MountKind::Tmpfs => SetupOp::Tmpfs {
            target,
            options: format!("nosuid,nodev,noexec,{}", mount.options).trim_end_matches(',').into(),
        },
    }
}

/// A volume whose options say what it is: a folder of the host's, or a file system of its own.
fn device_op(mount: &MountPoint) -> SetupOp {
    let target = mount.destination.clone();
    let Some(device) = mount.device.clone() else { return SetupOp::Tmpfs { target, options: String::new() } };
    let read_only = !mount.writable || device.read_only();
    match device.binds() {
        Some(recursive) => {
            SetupOp::Bind { host: device.device, target, read_only, recursive, propagation: "rprivate".into() }
        }
        None => {
            let options = if read_only { format!("ro,{}", device.options) } else { device.options };
            SetupOp::Filesystem { kind: device.kind, device: device.device, target, options }
        }
    }
}

fn device_files<W: World>(
    ctx: &Ctx<W>,
    record: &ContainerRecord,
    ops: &mut Vec<(SetupOp, &'static str)>,
) -> Result<()> {
    let usual = defaults::DEVICES.map(|(path, major, minor)| DeviceNode::usual(path, major, minor));
    ops.extend(usual.map(|node| (SetupOp::Device(node), DEVICES)));
    ops.extend(devices::granted(ctx, record)?.into_iter().map(|g| (SetupOp::Device(g.node), MOUNTED)));
    ops.push((SetupOp::DevLinks, DEVICES));
    Ok(())
}

/// A setting of the kernel can be a container's only in a namespace that is its own. Source of the words: runc,
/// libcontainer/configs/validate.
fn own_namespace(host: &HostConfig, name: &str) -> Result<()> {
    let refuse = |why: String| {
        Err(Error::Daemon(format!(
            "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: {why}"
        )))
    };
    let of_network = name.starts_with("net.");
    if of_network && host.network_mode == "host" {
        return refuse(format!("sysctl {name:?} not allowed in host network namespace"));
    }
    if !of_network && host.ipc == "host" {
        return refuse(format!("sysctl {name:?} is not allowed in the hosts ipc namespace"));
    }
    Ok(())
}

fn identity_of_machine(record: &ContainerRecord, ops: &mut Vec<(SetupOp, &'static str)>) -> Result<()> {
    const NAME: &str = "Inside, the container looks like a machine of its own";
    let host = &record.host;
    if host.uts != "host" {
        ops.push((SetupOp::Hostname(record.config.hostname.clone()), NAME));
        if !record.config.domainname.is_empty() {
            ops.push((SetupOp::Domainname(record.config.domainname.clone()), NAME));
        }
    }
    for (name, value) in &host.sysctls {
        own_namespace(host, name)?;
        let op = SetupOp::Sysctl { name: name.clone(), value: value.clone() };
        ops.push((op, "This was asked for; it counts only inside, because the namespace is the container's own"));
    }
    Ok(())
}

/// The limits of `--ulimit`, for each process of the container.
pub(super) fn process_limits(record: &ContainerRecord) -> Vec<(Limit, LimitPair)> {
    let value = |n: i64| u64::try_from(n).ok();
    let all = record.host.resources.ulimits.iter();
    all.filter_map(|l| Some((limit_of(&l.name)?, LimitPair { soft: value(l.soft), hard: value(l.hard) }))).collect()
}

fn limit_of(name: &str) -> Option<Limit> {
    Some(match name {
        "cpu" => Limit::Cpu,
        "fsize" => Limit::FileSize,
        "data" => Limit::Data,
        "stack" => Limit::Stack,
        "core" => Limit::Core,
        "rss" => Limit::Rss,
        "nproc" => Limit::Processes,
        "nofile" => Limit::OpenFiles,
        "memlock" => Limit::LockedMemory,
        "locks" => Limit::FileLocks,
        "sigpending" => Limit::PendingSignals,
        "msgqueue" => Limit::MessageQueues,
        "nice" => Limit::Nice,
        "rtprio" => Limit::RealtimePriority,
        "rttime" => Limit::RealtimeTimeout,
        _ => return None,
    })
}

/// A record for a step of a build, which has none of its own: the same plan is made from it.
pub(super) fn for_step(spec: &StepSpec, id: &str) -> ContainerRecord {
    let mount = |kind, name: &str, source: &str, target: &str, read_only: bool, options: &str| MountPoint {
        kind,
        name: name.into(),
        source: source.into(),
        destination: target.into(),
        mode: String::new(),
        writable: !read_only,
        propagation: if kind == MountKind::Bind { "rprivate".into() } else { String::new() },
        subpath: String::new(),
        anonymous: false,
        copy: false,
        device: None,
        options: options.into(),
    };
    let mounts = spec.mounts.iter().map(|m| match m {
        StepMount::Volume { volume, subpath, target, read_only } => {
            let whole = mount(MountKind::Volume, volume, "", target, *read_only, "");
            MountPoint { subpath: subpath.clone(), ..whole }
        }
        StepMount::Bind { host, target, read_only } => mount(MountKind::Bind, "", host, target, *read_only, ""),
        StepMount::Tmpfs { target, options } => mount(MountKind::Tmpfs, "", "", target, false, options),
    });
    let image = ImageConfig {
        env: spec.env.clone(),
        user: spec.user.clone(),
        working_dir: spec.cwd.clone(),
        ..ImageConfig::default()
    };
    let network = match spec.network {
        StepNetwork::Default => "bridge",
        StepNetwork::Host => "host",
        StepNetwork::None => "none",
    };
    ContainerRecord {
        id: id.to_string(),
        name: id.to_string(),
        created: std::time::Duration::ZERO,
        path: spec.argv.first().cloned().unwrap_or_default(),
        args: spec.argv.iter().skip(1).cloned().collect(),
        image: Digest::of(b""),
        image_name: String::new(),
        config: ContainerConfig { image, hostname: spec.hostname.clone(), ..ContainerConfig::default() },
        host: HostConfig {
            network_mode: network.into(),
            ipc: "private".into(),
            cgroupns: "private".into(),
            extra_hosts: spec.hosts.clone(),
            shm_size: spec.shm_size.unwrap_or(defaults::SHM_SIZE),
            privileged: spec.insecure,
            resources: Resources { ulimits: spec.ulimits.clone(), ..Resources::default() },
            // What it writes is packed into a layer, and the folder it wrote to deleted.
            auto_remove: true,
            ..HostConfig::default()
        },
        state: State::default(),
        snapshot: spec.snapshot.clone(),
        endpoints: BTreeMap::new(),
        sandbox: None,
        ports: Vec::new(),
        mounts: mounts.collect(),
        restart_count: 0,
        manually_stopped: false,
        exec_ids: Vec::new(),
    }
}
