//! What the engine keeps of a container. The names follow `docker inspect`, so that a field is found where a
//! reader of Docker's documentation looks for it; the types are the engine's own.

use crate::container::spec::MountSpec;
use crate::image::{Healthcheck, ImageConfig};
use crate::name::Digest;
use crate::network::Rate;
use crate::world::acts::{LinkName, Protocol, SnapshotKey};
use crate::world::{Kind, Record};
use cutaway_userland::sorted::Map as BTreeMap;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// A container, from `create` to `rm`. Times are since the epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerRecord {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Without the slash that `inspect` puts before it.
    pub name: String,
    pub created: Duration,
    /// The program and its arguments: entrypoint and command together.
    pub path: String,
    pub args: Vec<String>,
    pub image: Digest,
    /// The image as it was typed.
    pub image_name: String,
    pub config: ContainerConfig,
    pub host: HostConfig,
    pub state: State,
    pub snapshot: SnapshotKey,
    /// By the network's name. There from `create` on; addresses only while it runs.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// The network namespace's id while it runs.
    pub sandbox: Option<String>,
    /// Ports of the host that lead to it, while it runs.
    pub ports: Vec<PortBinding>,
    pub mounts: Vec<MountPoint>,
    /// How often its restart policy started it again.
    pub restart_count: u32,
    /// Ended by `stop` or `kill`: restart policies leave it alone.
    pub manually_stopped: bool,
    /// Processes started by `exec` that still run.
    pub exec_ids: Vec<String>,
}

impl Record for ContainerRecord {
    const KIND: Kind = Kind::Container;
    fn key(&self) -> String {
        self.id.clone()
    }
}

/// Which container has a name: kept apart so that a name is found, and taken, without reading all containers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRecord {
    pub name: String,
    pub container: String,
}

impl NameRecord {
    pub fn key_of(name: &str) -> String {
        format!("container-name {name}")
    }
}

impl Record for NameRecord {
    const KIND: Kind = Kind::Setting;
    fn key(&self) -> String {
        NameRecord::key_of(&self.name)
    }
}

/// The image's configuration with what the command line changed in it, and what concerns only a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerConfig {
    pub image: ImageConfig,
    pub hostname: String,
    pub domainname: String,
    pub tty: bool,
    pub open_stdin: bool,
    pub stdin_once: bool,
    pub attach_stdin: bool,
    pub attach_stdout: bool,
    pub attach_stderr: bool,
    pub mac_address: Option<String>,
}

/// How the container is tied to its host. Empty texts and zeros mean Docker's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostConfig {
    /// `-v` with a source, as typed (relative ones made absolute).
    pub binds: Vec<String>,
    /// `--mount`.
    pub mounts: Vec<MountSpec>,
    pub cidfile: String,
    pub log: LogConfig,
    pub network_mode: String,
    /// By container port, as `80/tcp`: what was asked for.
    pub port_bindings: BTreeMap<String, Vec<(String, String)>>,
    pub restart: RestartPolicy,
    pub auto_remove: bool,
    pub volume_driver: String,
    pub volumes_from: Vec<String>,
    pub annotations: BTreeMap<String, String>,
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    /// `host` or `private`.
    pub cgroupns: String,
    pub dns: Vec<String>,
    pub dns_options: Vec<String>,
    pub dns_search: Vec<String>,
    pub extra_hosts: Vec<String>,
    pub group_add: Vec<String>,
    pub ipc: String,
    pub links: Vec<String>,
    pub oom_score_adj: i32,
    pub pid: String,
    pub privileged: bool,
    pub publish_all: bool,
    pub read_only: bool,
    pub security_opt: Vec<String>,
    pub storage_opt: BTreeMap<String, String>,
    /// Target and options.
    pub tmpfs: BTreeMap<String, String>,
    pub uts: String,
    pub userns: String,
    /// Bytes.
    pub shm_size: u64,
    pub sysctls: BTreeMap<String, String>,
    pub runtime: String,
    pub isolation: String,
    pub init: Option<bool>,
    /// `--gpus`, as typed.
    #[serde(default)]
    pub gpus: String,
    /// Rows and columns of the client's terminal.
    pub console_size: (u16, u16),
    pub resources: Resources,
}

/// Limits: what `docker update` can change is here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    pub cpu_shares: i64,
    /// Bytes; 0 is unlimited.
    pub memory: i64,
    /// Billionths of a processor.
    pub nano_cpus: i64,
    pub cgroup_parent: String,
    pub blkio_weight: u16,
    pub blkio_weight_device: Vec<Throttle>,
    pub device_read_bps: Vec<Throttle>,
    pub device_write_bps: Vec<Throttle>,
    pub device_read_iops: Vec<Throttle>,
    pub device_write_iops: Vec<Throttle>,
    pub cpu_period: i64,
    pub cpu_quota: i64,
    pub cpu_rt_period: i64,
    pub cpu_rt_runtime: i64,
    pub cpuset_cpus: String,
    pub cpuset_mems: String,
    pub devices: Vec<Device>,
    pub device_cgroup_rules: Vec<String>,
    pub memory_reservation: i64,
    /// Memory and swap together; -1 is unlimited.
    pub memory_swap: i64,
    pub memory_swappiness: Option<i64>,
    pub oom_kill_disable: bool,
    pub pids_limit: Option<i64>,
    pub ulimits: Vec<Ulimit>,
    /// `--network-rate`, which Docker does not have.
    #[serde(default)]
    pub network_rate: Option<Rate>,
}

/// A device's path and its weight or rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttle {
    pub path: String,
    pub rate: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub host: String,
    pub container: String,
    /// Letters of `rwm`.
    pub access: String,
}

/// `nofile=64:128`; -1 is unlimited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    pub name: String,
    pub soft: i64,
    pub hard: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogConfig {
    pub driver: String,
    pub options: BTreeMap<String, String>,
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig { driver: "json-file".into(), options: BTreeMap::new() }
    }
}

/// `no`, `always`, `unless-stopped` or `on-failure`, with the most tries of the last (0 is any number).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartPolicy {
    pub name: String,
    pub max_retries: i64,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        RestartPolicy { name: "no".into(), max_retries: 0 }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    #[default]
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    Dead,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Restarting => "restarting",
            Status::Removing => "removing",
            Status::Exited => "exited",
            Status::Dead => "dead",
        }
    }

    /// Whether there is a process: Docker counts a paused and a restarting container, too.
    pub fn is_running(self) -> bool {
        matches!(self, Status::Running | Status::Paused | Status::Restarting)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub status: Status,
    /// The first process's id on the host; 0 where there is none.
    pub pid: i32,
    pub exit_code: i32,
    /// Why the last start failed.
    pub error: String,
    pub oom_killed: bool,
    pub started: Option<Duration>,
    pub finished: Option<Duration>,
    pub health: Option<Health>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    #[default]
    Starting,
    Healthy,
    Unhealthy,
}

impl HealthStatus {
    pub fn name(self) -> &'static str {
        match self {
            HealthStatus::Starting => "starting",
            HealthStatus::Healthy => "healthy",
            HealthStatus::Unhealthy => "unhealthy",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    pub status: HealthStatus,
    pub failing_streak: u32,
    /// The last five.
    pub log: Vec<HealthProbe>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthProbe {
    pub start: Duration,
    pub end: Duration,
    pub exit_code: i32,
    /// The first 4096 bytes.
    pub output: String,
}

/// A container's place in one network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub network_id: String,
    /// Empty while it does not run, as are the seven below.
    pub endpoint_id: String,
    pub address: Option<Ipv4Addr>,
    pub prefix: u8,
    pub gateway: Option<Ipv4Addr>,
    pub mac: Option<[u8; 6]>,
    /// The same of IPv6.
    #[serde(default)]
    pub address6: Option<Ipv6Addr>,
    #[serde(default)]
    pub prefix6: u8,
    #[serde(default)]
    pub gateway6: Option<Ipv6Addr>,
    /// What `--ip` asked for, and `--ip6`.
    pub fixed_address: Option<Ipv4Addr>,
    #[serde(default)]
    pub fixed_address6: Option<Ipv6Addr>,
    pub fixed_mac: Option<[u8; 6]>,
    /// `--link-local-ip`: further addresses, which reach only this wire.
    #[serde(default)]
    pub link_local: Vec<IpAddr>,
    pub aliases: Vec<String>,
    pub links: Vec<String>,
    pub driver_opts: BTreeMap<String, String>,
    pub gw_priority: i64,
    /// The cable's end on the host, and its name in the container, as `eth0`.
    pub host_link: Option<LinkName>,
    pub interface: String,
}

impl Endpoint {
    /// Its addresses with the lengths of their prefixes, IPv4 first.
    pub fn addresses(&self) -> Vec<(IpAddr, u8)> {
        let four = self.address.map(|a| (IpAddr::V4(a), self.prefix));
        let six = self.address6.map(|a| (IpAddr::V6(a), self.prefix6));
        four.into_iter().chain(six).collect()
    }

    /// Its gateways, IPv4 first.
    pub fn gateways(&self) -> Vec<IpAddr> {
        self.gateway.map(IpAddr::V4).into_iter().chain(self.gateway6.map(IpAddr::V6)).collect()
    }
}

/// A published port as it is in force.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortBinding {
    pub container_port: u16,
    pub protocol: Protocol,
    pub host: IpAddr,
    pub host_port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    Bind,
    Volume,
    Tmpfs,
}

impl MountKind {
    pub fn name(self) -> &'static str {
        match self {
            MountKind::Bind => "bind",
            MountKind::Volume => "volume",
            MountKind::Tmpfs => "tmpfs",
        }
    }
}

/// How mounts made later are passed on between host and container; `rprivate` is Docker's default for binds.
pub type Propagation = String;

/// Something mounted into the container, worked out at `create`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountPoint {
    pub kind: MountKind,
    /// The volume's name.
    pub name: String,
    /// The host's path of a bind.
    pub source: String,
    pub destination: String,
    /// The third part of `-v`, as typed.
    pub mode: String,
    pub writable: bool,
    pub propagation: Propagation,
    /// Below the volume's root.
    pub subpath: String,
    /// A volume without a name of its own: `rm -v` deletes it.
    pub anonymous: bool,
    /// Fill an empty volume from the image.
    pub copy: bool,
    /// What is mounted in place of a volume's folder.
    #[serde(default)]
    pub device: Option<crate::volume::VolumeDevice>,
    /// Of a tmpfs.
    pub options: String,
}

impl ContainerRecord {
    /// Its first 12 digits, as tables show them.
    pub fn short_id(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }

    pub fn is_running(&self) -> bool {
        self.state.status.is_running()
    }

    pub fn labels(&self) -> BTreeMap<String, String> {
        self.config.image.labels.clone().unwrap_or_default()
    }

    /// The signal that `stop` sends.
    pub fn stop_signal(&self) -> &str {
        self.config.image.stop_signal.as_deref().unwrap_or("SIGTERM")
    }

    /// The seconds that `stop` waits before it kills; negative is for ever.
    pub fn stop_timeout(&self) -> i64 {
        self.config.image.stop_timeout.unwrap_or(10)
    }

    /// Its health check, unless there is none or it was switched off.
    pub fn healthcheck(&self) -> Option<&Healthcheck> {
        let check = self.config.image.healthcheck.as_ref()?;
        (!matches!(check.test.first().map(String::as_str), None | Some("NONE"))).then_some(check)
    }

    /// Names that the embedded DNS answers for on a user-defined network, in Docker's order.
    pub fn dns_names(&self, endpoint: &Endpoint) -> Vec<String> {
        let mut names = vec![self.name.clone()];
        let others = endpoint.aliases.iter().map(String::as_str).chain([self.short_id(), &self.config.hostname]);
        for name in others {
            if !name.is_empty() && !names.iter().any(|n| n == name) {
                names.push(name.to_string());
            }
        }
        names
    }
}
