//! Images: their configuration, history and layers as the engine's own types.

mod record;

pub use record::{Healthcheck, HistoryEntry, ImageConfig, ImageRecord, LayerRef, TagRecord};
