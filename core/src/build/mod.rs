//! Builds: which stages a target needs, what instructions do to a configuration, which files they copy, and
//! the cache of steps done before. Doing it is `engine::build`'s part.

mod config;
mod git;
pub mod glob;
mod graph;
mod history;
mod ignore;
mod record;
mod tree;

pub use config::{Applying, apply, go_duration, joined, quoted, set_env};
pub use git::{GitSource, git_source};
pub use glob::matches as glob;
pub use graph::{before, needed, sources};
pub use history::dated;
pub use ignore::Ignore;
pub use record::{BuildCacheRecord, BuildHistoryRecord, CACHE_MOUNT};
pub use tree::{Contents, Picked, Selection, Tree, digest_of};
