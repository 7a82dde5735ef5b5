//! Manifests and indexes: what a registry hands out for a name.

use crate::name::Digest;
use cutaway_userland::sorted::Map as BTreeMap;
use serde::{Deserialize, Serialize};

/// Media types.
pub mod media {
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// What a pull accepts.
    pub const ACCEPT: &[&str] = &[DOCKER_MANIFEST, DOCKER_LIST, OCI_INDEX, OCI_MANIFEST];
}

/// Names content: what it is, how long, and its digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub size: u64,
    pub digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What an image runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    pub architecture: String,
    pub os: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

/// One image: its configuration and its layers, the lowest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub schema_version: u32,
    #[serde(default)]
    pub media_type: String,
    pub config: Descriptor,
    #[serde(default)]
    pub layers: Vec<Descriptor>,
}

/// The manifests of one name for several platforms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    pub schema_version: u32,
    #[serde(default)]
    pub media_type: String,
    pub manifests: Vec<Descriptor>,
}

/// What a registry may answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    Manifest(Manifest),
    Index(Index),
}

impl Document {
    /// Reads a manifest or an index, told apart by what is in it.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn parse(bytes: &[u8]) -> Result<Document, String> {
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|e| format!("invalid manifest: {e}"))?;
        if value["schemaVersion"] == 1 {
            return Err("image manifest schema version 1 is no longer supported; push the image again".into());
        }
        let read = if value["manifests"].is_array() {
            serde_json::from_value(value).map(Document::Index)
        } else {
            serde_json::from_value(value).map(Document::Manifest)
        };
        read.map_err(|e| format!("invalid manifest: {e}"))
    }
}

impl Manifest {
    /// The bytes as Docker pushes them: indented by three blanks.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b"   ");
        // Writing plain data to memory can't fail.
        let _ = self.serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter));
        out
    }
}

impl Platform {
    /// Reads `os/architecture[/variant]`, or an architecture alone.
    ///
    /// # Errors
    /// In Docker's words.
    pub fn parse(text: &str) -> Result<Platform, String> {
        const KNOWN: [&str; 16] = [
            "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le",
            "riscv64", "s390x", "sparc64", "wasm", "ppc",
        ];
        const SYSTEMS: [&str; 6] = ["linux", "windows", "darwin", "freebsd", "wasip1", "js"];
        let parts: Vec<&str> = text.split('/').collect();
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"_-".contains(&c);
        for (i, part) in parts.iter().enumerate() {
            if part.is_empty() || !part.bytes().all(|c| plain(c) || (i > 0 && c == b'.')) {
                return Err(match i {
                    0 => format!(
                        "{part:?} is an invalid OS component of {text:?}: OSAndVersion specifier component must match \
                         \"^([A-Za-z0-9_-]+)(?:\\\\(([A-Za-z0-9_.-]*)\\\\))?$\": invalid argument"
                    ),
                    _ => format!(
                        "{part:?} is an invalid component of {text:?}: platform specifier component must match \
                         \"^[A-Za-z0-9_.-]+$\": invalid argument"
                    ),
                });
            }
        }
        let (os, architecture, variant) = match parts.as_slice() {
            [alone] if SYSTEMS.contains(&alone.to_lowercase().as_str()) => (*alone, "amd64", ""),
            [architecture] => {
                let normal = Platform::normal("linux", architecture, "");
                if !KNOWN.contains(&normal.architecture.as_str()) {
                    return Err(format!("{text:?}: unknown operating system or architecture: invalid argument"));
                }
                return Ok(normal);
            }
            [os, architecture] => (*os, *architecture, ""),
            [os, architecture, variant] => (*os, *architecture, *variant),
            _ => return Err(format!("{text:?}: cannot parse platform specifier: invalid argument")),
        };
        Ok(Platform::normal(os, architecture, variant))
    }

    /// With the names that manifests use: `x86_64` is `amd64`.
    pub fn normal(os: &str, architecture: &str, variant: &str) -> Platform {
        let (architecture, variant) = match (architecture, variant) {
            ("x86_64" | "x86-64" | "amd64", "v1" | "") => ("amd64", ""),
            ("x86_64" | "x86-64", v) => ("amd64", v),
            ("aarch64" | "arm64", "8" | "v8" | "") => ("arm64", ""),
            ("i386" | "i686", _) => ("386", ""),
            ("armhf", _) => ("arm", "v7"),
            ("armel", _) => ("arm", "v6"),
            (architecture, variant) => (architecture, variant),
        };
        Platform { architecture: architecture.to_lowercase(), os: os.to_lowercase(), variant: variant.to_string() }
    }

    /// Whether an image for `self` can stand for one wanted for `wanted`.
    pub fn serves(&self, wanted: &Platform) -> bool {
        let this = Platform::normal(&self.os, &self.architecture, &self.variant);
        this.os == wanted.os
            && this.architecture == wanted.architecture
            && (wanted.variant.is_empty() || this.variant == wanted.variant)
    }
}

/// As `linux/arm64/v8`.
impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms() {
        for (text, shown) in [
            ("linux/amd64", "linux/amd64"),
            ("linux/x86_64", "linux/amd64"),
            ("arm64", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm/v7", "linux/arm/v7"),
            ("Linux/AMD64", "linux/amd64"),
        ] {
            assert_eq!(Platform::parse(text).unwrap().to_string(), shown, "{text}");
        }
        for (text, why) in [
            ("a/b/c/d", "\"a/b/c/d\": cannot parse platform specifier: invalid argument"),
            ("foo", "\"foo\": unknown operating system or architecture: invalid argument"),
            (
                "linux/",
                "\"\" is an invalid component of \"linux/\": platform specifier component must match \"^[A-Za-z0-9_.-]+$\": \
                 invalid argument",
            ),
            (
                "=",
                "\"=\" is an invalid OS component of \"=\": OSAndVersion specifier component must match \
                 \"^([A-Za-z0-9_-]+)(?:\\\\(([A-Za-z0-9_.-]*)\\\\))?$\": invalid argument",
            ),
        ] {
            assert_eq!(Platform::parse(text), Err(why.to_string()));
        }
        assert!(Platform::parse("").is_err());
        let arm = Platform::normal("linux", "arm", "v6");
        assert!(arm.serves(&Platform::parse("linux/arm").unwrap()));
        assert!(!arm.serves(&Platform::parse("linux/arm/v7").unwrap()));
    }

    #[test]
    fn documents() {
        let digest = Digest::of(b"x");
        let manifest = Manifest {
            schema_version: 2,
            media_type: media::DOCKER_MANIFEST.into(),
            config: Descriptor {
                media_type: media::DOCKER_CONFIG.into(),
                size: 2,
                digest,
                platform: None,
                annotations: BTreeMap::new(),
            },
            layers: Vec::new(),
        };
        let bytes = manifest.to_bytes();
        assert!(String::from_utf8_lossy(&bytes).starts_with("{\n   \"schemaVersion\": 2,\n   \"mediaType\": "));
        assert_eq!(Document::parse(&bytes), Ok(Document::Manifest(manifest)));
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{digest}","size":1}}]}}"#);
        assert!(matches!(Document::parse(index.as_bytes()), Ok(Document::Index(_))));
        for bad in ["", "{}", r#"{"schemaVersion":1}"#, r#"{"schemaVersion":2,"manifests":[{}]}"#] {
            assert!(Document::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
