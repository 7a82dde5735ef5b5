//! The simulated machine: kernel, file systems, processes, networks, the hub.

pub mod hub;
pub mod kernel;
pub mod programs;
pub mod world;
