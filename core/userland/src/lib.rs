//! The programs that run inside containers: a POSIX shell and the usual tools.
//!
//! Everything here is written once, over the system calls of [`Os`], and runs in two worlds: on the
//! simulated kernel of `cutaway-core`, and, compiled for Linux with the feature `linux`, as the one
//! static multi-call binary that is `/bin/busybox` of the base image that `cutaway` carries.

// Everything is single-threaded: no future of this crate is ever sent to another thread.
#![allow(async_fn_in_trait)]

pub mod applets;
pub mod errno;
pub mod io;
#[cfg(feature = "linux")]
pub mod linux;
pub mod os;
pub mod shell;
pub mod sorted;

pub use errno::Errno;
pub use os::{Os, Program};
pub use regex_lite::Regex;

/// The program of this name, without its folder: `sh`, `ls`.
pub fn program<O: Os>(name: &str) -> Option<Program<O>> {
    first_program(name).or_else(|| further_program(name))
}

/// The program of this name, if it is the shell or one of the tools that nearly every session uses.
pub fn first_program<O: Os>(name: &str) -> Option<Program<O>> {
    shell::find(name).or_else(|| applets::first(name))
}

/// The program of this name, if it is one of the others. They are apart so that a page can load them later.
pub fn further_program<O: Os>(name: &str) -> Option<Program<O>> {
    applets::further(name)
}

/// The names of all programs, sorted.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&'static str> =
        shell::NAMES.iter().chain(applets::FIRST).chain(applets::FURTHER).copied().collect();
    names.sort_unstable();
    names.dedup();
    names
}
