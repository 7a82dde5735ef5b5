//! Layers: tar in and out, whiteouts, union and difference.
//!
//! A layer is a tar of what changed. Reading checks every entry before anybody acts on it, so that a
//! hostile archive fails by name and place with nothing done outside the root; writing is a function of the
//! changes alone, so that the same change has the same digest everywhere. Both worlds use this room: the
//! simulated machine with archives in memory, Linux with streams.

mod changes;
mod compress;
mod entry;
mod read;
mod whiteout;
mod write;

pub use changes::changes;
pub use compress::{Compression, decompressed, gzip, plain};
pub use entry::{Entry, EntryKind};
pub use read::{entries, read_tar};
pub use whiteout::{OPAQUE, WHITEOUT_PREFIX, Whiteout};
pub use write::TarWriter;
