//! Images: their configuration, history and layers as the engine's own types, and their forms on the wire
//! and in archives.

mod record;
pub mod wire;

pub use record::{Healthcheck, HistoryEntry, ImageConfig, ImageRecord, LayerRef, TagRecord};
