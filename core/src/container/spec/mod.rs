//! How a container is asked for: the flags of `docker run` and `docker create` as typed values.
//!
//! Docker's client refuses some requests by itself, at a flag (with the usage) or after all flags, and its
//! daemon others; [`SpecError`] keeps that apart, because the three are worded differently.

mod devices;
mod mounts;
mod networks;
mod ports;
mod run;
mod security;
mod values;

pub use devices::{parse_device, parse_throttle_bytes, parse_throttle_count, parse_ulimit, parse_weight_device};
pub use mounts::{MountSpec, check_bind, parse_bind, parse_mount};
pub use mounts::{absolute, clean};
pub use networks::parse_mac;
pub use networks::{NetworkMode, NetworkRequest, parse_network};
pub use ports::{PortSpec, parse_expose, parse_port, parse_publish};
pub use run::{ContainerSpec, RunOptions, Surroundings, files_named, merge_image, parse_restart, parse_run};
pub use security::SecurityOptions;
pub use values::{
    csv, csv_strict, parse_bool, parse_bytes, parse_duration, parse_nano_cpus, parse_signed_bytes, read_env_lines,
};

/// A refusal, and who words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpecError {
    /// `invalid argument "x" for "-m, --memory" flag: …`, with the usage.
    Flag { value: String, flag: &'static str, reason: String },
    /// The client's own words.
    Client(String),
    /// The daemon's.
    Daemon(String),
}

impl SpecError {
    pub fn client(text: impl Into<String>) -> SpecError {
        SpecError::Client(text.into())
    }

    pub fn daemon(text: impl Into<String>) -> SpecError {
        SpecError::Daemon(text.into())
    }

    /// Turns a parser's reason into a refusal of a flag.
    pub fn flag(flag: &'static str, value: &str) -> impl FnOnce(String) -> SpecError {
        let value = value.to_string();
        move |reason| SpecError::Flag { value, flag, reason }
    }
}
