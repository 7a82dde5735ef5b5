//! One manifest of a list, as Docker's client keeps it in a file and shows it.

use crate::image::wire::media;
use crate::name::{Digest, Reference};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// A manifest with what is said of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub name: Reference,
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
    /// In the form of [`platform_of`]; null where none is known.
    pub platform: Value,
    /// Its bytes, as the registry has them.
    pub raw: Vec<u8>,
}

/// The fields of a platform in their order, without the empty ones that may be left out.
pub(in crate::engine) fn platform_of(value: &Value) -> Value {
    if !value.is_object() {
        return Value::Null;
    }
    let mut all = Map::new();
    for (key, needed) in
        [("architecture", true), ("os", true), ("os.version", false), ("os.features", false), ("variant", false)]
    {
        let field = match (&value[key], key) {
            (Value::Array(list), "os.features") if !list.is_empty() => json!(list),
            (Value::String(text), _) if key != "os.features" && (needed || !text.is_empty()) => json!(text),
            _ if needed => json!(""),
            _ => continue,
        };
        all.insert(key.to_string(), field);
    }
    Value::Object(all)
}

/// The fields of a descriptor in the order of OCI's type, without those that are empty.
pub(in crate::engine) fn descriptor_of(value: &Value) -> Value {
    let mut all = Map::new();
    for key in ["mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType"] {
        let field = match &value[key] {
            Value::Null => continue,
            Value::String(text) if text.is_empty() && key == "artifactType" => continue,
            Value::Array(list) if list.is_empty() => continue,
            Value::Object(map) if map.is_empty() && key == "annotations" => continue,
            Value::Object(map) if key == "annotations" => {
                let mut map = map.clone();
                map.sort_keys();
                Value::Object(map)
            }
            platform if key == "platform" => platform_of(platform),
            other => other.clone(),
        };
        all.insert(key.to_string(), field);
    }
    Value::Object(all)
}

impl Entry {
    /// A text of the platform, as its `os`; empty where it has none.
    pub fn platform(&self, key: &str) -> &str {
        self.platform[key].as_str().unwrap_or("")
    }

    /// As Docker's client writes it, and as `--verbose` shows it.
    pub fn to_json(&self) -> Value {
        let mut value = json!({
            "Ref": self.name.to_string(),
            "Descriptor": descriptor_of(&json!({
                "mediaType": self.media_type, "digest": self.digest, "size": self.size, "platform": self.platform,
            })),
            "Raw": STANDARD.encode(&self.raw),
        });
        let kind = if self.media_type == media::OCI_MANIFEST { "OCIManifest" } else { "SchemaV2Manifest" };
        value[kind] = serde_json::from_slice(&self.raw).unwrap_or_default();
        value
    }

    /// Reads what a client wrote; older ones did not keep a manifest's bytes as they were.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_json(bytes: &[u8]) -> Result<Entry, String> {
        let value: Value = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        let text = |value: &Value| value.as_str().unwrap_or("").to_string();
        let name = Reference::parse(&text(&value["Ref"])).map_err(|e| e.to_string())?;
        let about = &value["Descriptor"];
        let raw = match value["Raw"].as_str() {
            Some(raw) => STANDARD.decode(raw).map_err(|e| format!("Raw: {e}"))?,
            None => {
                let (manifest, by): (&Value, &[u8]) = match &value["SchemaV2Manifest"] {
                    Value::Null => (&value["OCIManifest"], b"  "),
                    manifest => (manifest, b"   "),
                };
                crate::engine::system::indented(manifest, by).into_bytes()
            }
        };
        Ok(Entry {
            digest: Digest::parse(&text(&about["digest"])).ok_or("invalid checksum digest format")?,
            media_type: text(&about["mediaType"]),
            size: about["size"].as_u64().unwrap_or(raw.len() as u64),
            platform: platform_of(&about["platform"]),
            name,
            raw,
        })
    }

    /// The digests that the manifest names: its configuration, then its layers.
    pub fn blobs(&self) -> Vec<Digest> {
        let manifest: Value = serde_json::from_slice(&self.raw).unwrap_or_default();
        let layers = manifest["layers"].as_array().into_iter().flatten();
        let all = [&manifest["config"]].into_iter().chain(layers);
        all.filter_map(|part| Digest::parse(part["digest"].as_str()?)).collect()
    }
}
