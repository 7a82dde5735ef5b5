//! The container engine of Cutaway, and the simulated machine it runs on in a browser.
//!
//! The crate is pure: it has no clock, no randomness, no threads, no file system and no network of its
//! own. All of that comes through the seam in [`world`], which the simulated machine in `sim` and the
//! Linux machine of the package `cutaway` both implement. ARCHITECTURE.md tells the flow.

// Everything is single-threaded: no future of this crate is ever sent to another thread.
#![allow(async_fn_in_trait)]

pub mod bake;
pub mod build;
pub mod cli;
pub mod compose;
pub mod container;
pub mod dockerfile;
pub mod engine;
pub mod image;
pub mod layer;
pub mod lesson;
pub mod name;
pub mod network;
pub mod registry;
pub mod sim;
pub mod view;
pub mod volume;
pub mod world;
