//! The forms in which images travel: configuration, manifest and index as JSON, and the archives of
//! `docker save`. Sources: OCI image specification 1.1; Docker image specification 1.3; image manifest
//! version 2, schema 2. The order of keys is Docker's, because it decides the digests.

mod archive;
mod config;
mod manifest;
mod time;

pub use archive::{ArchiveEntry, LayerSource};
pub use config::{ConfigFile, HealthcheckJson, HistoryJson, RootFs, RunConfig};
pub use manifest::{Descriptor, Document, Index, Manifest, Platform, media};
pub use time::{from_rfc3339, rfc3339};

/// Reads JSON into a type by way of [`serde_json::Value`], as the records are read: a second way to the
/// same types would double their code in the page.
pub fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(bytes).and_then(serde_json::from_value)
}
