//! From a description to an image as a registry has it: tars, their digests, configuration and manifest.
//! Source: OCI image specification, config.md and manifest.md.

use super::images::{Recipe, Step};
use crate::image::wire::{media, rfc3339};
use crate::layer::{self, TarWriter};
use crate::name::Digest;
use serde_json::{Value, json};
use std::rc::Rc;
use std::time::Duration;

const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// One layer as it is transferred.
#[derive(Clone)]
pub struct PackedLayer {
    pub diff_id: Digest,
    pub gzip: Rc<[u8]>,
}

/// An image, ready to be served.
pub struct Packed {
    pub layers: Vec<PackedLayer>,
    pub config: Vec<u8>,
    pub manifest: Vec<u8>,
    settings: Value,
    history: Vec<Value>,
}

impl Packed {
    /// Everything that the manifest refers to.
    pub fn blobs(&self) -> impl Iterator<Item = &[u8]> {
        self.layers.iter().map(|l| &*l.gzip).chain([self.config.as_slice()])
    }
}

pub fn pack(recipe: &Recipe, base: Option<&Packed>) -> Packed {
    let mut layers = base.map_or_else(Vec::new, |b| b.layers.clone());
    let mut history = base.map_or_else(Vec::new, |b| b.history.clone());
    let created = rfc3339(Duration::from_secs(recipe.created));
    for step in &recipe.steps {
        let (words, empty) = match step {
            Step::Files(words, files) => {
                layers.push(pack_layer(files, recipe.created));
                (words.clone(), false)
            }
            Step::Note(words) => (words.clone(), true),
        };
        // An image that no Dockerfile has made was imported.
        let comment = if words.is_empty() { "Imported from -" } else { "buildkit.dockerfile.v0" };
        let mut row = json!({ "created": created, "created_by": words, "comment": comment });
        if empty {
            row["empty_layer"] = json!(true);
        }
        history.push(row);
    }
    // Settings that an image does not make are those of the image it is based on.
    let mut settings = base.map_or_else(|| json!({}), |b| b.settings.clone());
    if let (Value::Object(all), Value::Object(own)) = (&mut settings, recipe.settings.clone()) {
        all.extend(own);
    }
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "created": created,
        "config": settings,
        "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|l| l.diff_id.to_string()).collect::<Vec<_>>() },
        "history": history,
    })
    .to_string()
    .into_bytes();
    let descriptor = |kind: &str, bytes: &[u8]| json!({ "mediaType": kind, "digest": Digest::of(bytes).to_string(), "size": bytes.len() });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media::OCI_MANIFEST,
        "config": descriptor(media::OCI_CONFIG, &config),
        "layers": layers.iter().map(|l| descriptor(LAYER_TYPE, &l.gzip)).collect::<Vec<_>>(),
    })
    .to_string()
    .into_bytes();
    Packed { layers, config, manifest, settings, history }
}

fn pack_layer(files: &super::Files, created: u64) -> PackedLayer {
    let mut tar = TarWriter::new(Vec::new());
    for (entry, bytes) in files.entries(created) {
        // Writing to memory fails only for an entry that is no entry; the tables of images have none.
        tar.add_bytes(&entry, bytes).expect("a file of the hub fits into a tar");
    }
    let tar = tar.finish().expect("memory takes every byte");
    PackedLayer { diff_id: Digest::of(&tar), gzip: layer::gzip(&tar).into() }
}
