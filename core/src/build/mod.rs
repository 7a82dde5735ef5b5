//! Builds: the graph of steps that a target needs, and the cache of those done before.

mod record;

pub use record::BuildCacheRecord;
