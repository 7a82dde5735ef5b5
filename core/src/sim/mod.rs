//! The simulated machine: kernel, file systems, processes, networks, the hub, and the session that drives it.

mod docker;
pub mod hub;
pub mod kernel;
pub mod programs;
pub mod session;
pub mod world;
