//! The simulated machine: kernel, file systems, processes, networks, the hub, other hosts, and the
//! session that drives it all.

pub mod annex;
mod docker;
mod hosts;
pub mod hub;
pub mod kernel;
pub mod programs;
pub mod session;
pub mod world;
