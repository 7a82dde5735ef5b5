//! Builds: what instructions do to an image's configuration, and the cache of steps done before.

mod config;
mod record;

pub use config::{Applying, apply, go_duration, joined, quoted, set_env};
pub use record::BuildCacheRecord;
