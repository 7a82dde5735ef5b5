//! The programs that run inside containers: a POSIX shell and the usual tools.
//!
//! Everything here is written once, over the system calls of [`Os`], and runs in two worlds: on the
//! simulated kernel of `cutaway-core`, and, compiled for Linux with the feature `linux`, as the one
//! static multi-call binary that is `/bin/busybox` of the base image that `cutaway` carries.

// Everything is single-threaded: no future of this crate is ever sent to another thread.
#![allow(async_fn_in_trait)]

pub mod applets;
pub mod errno;
pub mod os;

pub use errno::Errno;
pub use os::{Os, Program};
