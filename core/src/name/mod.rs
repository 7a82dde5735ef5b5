//! Names that are parsed once and typed ever after: digests, ids, image references.

mod digest;

pub use digest::{ChainId, DiffId, Digest};
