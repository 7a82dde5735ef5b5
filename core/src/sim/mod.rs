//! The simulated machine: kernel, file systems, processes, networks, the hub.

pub mod kernel;
