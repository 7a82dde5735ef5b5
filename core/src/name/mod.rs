//! Names that are parsed once and typed ever after: digests, ids, image references.

mod digest;
mod id;
mod reference;

pub use digest::{ChainId, DiffId, Digest};
pub use id::{Found, find_by_prefix, short_id};
pub use reference::{Reference, ReferenceError, familiar, is_full_id, is_tag};
