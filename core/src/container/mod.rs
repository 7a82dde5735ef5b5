//! Containers: what is kept of one, how one is asked for, and the rules of their names and users.
//!
//! Nothing here acts: the commands are in `engine::container`.

pub mod defaults;
pub mod names;
mod record;
pub mod spec;
pub mod status;
mod stubs;
pub mod users;

pub use record::{
    ContainerConfig, ContainerRecord, Device, Endpoint, Health, HealthProbe, HealthStatus, HostConfig, LogConfig,
    MountKind, MountPoint, NameRecord, PortBinding, Propagation, Resources, RestartPolicy, State, Status, Throttle,
    Ulimit,
};
pub use stubs::{stubs, without_own};
