//! The system calls, by area, as functions of the kernel and the calling process.

mod descriptors;
mod files;
mod io;
pub(crate) mod mounts;
mod open;
