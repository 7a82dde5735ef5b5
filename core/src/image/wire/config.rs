//! An image's configuration as JSON. Its digest is the image's id.

use super::{from_rfc3339, rfc3339};
use crate::image::{Healthcheck, HistoryEntry, ImageConfig, ImageRecord, LayerRef};
use crate::name::{DiffId, Digest};
use cutaway_userland::sorted::Map as BTreeMap;
use serde::{Deserialize, Deserializer, Serialize};
use std::time::Duration;

type Empty = BTreeMap<String, String>;

/// The whole file. Keys are sorted, as Docker writes them; `null` reads like a missing key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConfigFile {
    #[serde(default, deserialize_with = "null")]
    pub architecture: String,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub author: String,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub comment: String,
    #[serde(default, deserialize_with = "null")]
    pub config: RunConfig,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    #[serde(default, deserialize_with = "null")]
    pub history: Vec<HistoryJson>,
    #[serde(default, deserialize_with = "null")]
    pub os: String,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub parent: String,
    #[serde(default, deserialize_with = "null")]
    pub rootfs: RootFs,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

/// How to run it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RunConfig {
    #[serde(default, deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub user: String,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Empty>,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Empty>,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "std::ops::Not::not")]
    pub args_escaped: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<HealthcheckJson>,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<Vec<String>>,
}

/// Times are in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HealthcheckJson {
    #[serde(default, deserialize_with = "null", skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "is_zero")]
    pub interval: u64,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "is_zero")]
    pub timeout: u64,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "is_zero")]
    pub start_period: u64,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "is_zero")]
    pub start_interval: u64,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "is_zero")]
    pub retries: u64,
}

/// One step of how it was built.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HistoryJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub author: String,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub created_by: String,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub comment: String,
    #[serde(default, deserialize_with = "null", skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

/// The layers, the lowest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RootFs {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, deserialize_with = "null")]
    pub diff_ids: Vec<DiffId>,
}

impl Default for RootFs {
    fn default() -> RootFs {
        RootFs { kind: "layers".to_string(), diff_ids: Vec::new() }
    }
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Reads `null`, which Go writes for empty lists and maps, as the default.
fn null<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

impl ConfigFile {
    /// Reads a configuration.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn parse(bytes: &[u8]) -> Result<ConfigFile, String> {
        let file: ConfigFile = super::parse(bytes).map_err(|e| format!("invalid image configuration: {e}"))?;
        if file.rootfs.kind != "layers" {
            return Err(format!("invalid image configuration: rootfs type {:?} is not known", file.rootfs.kind));
        }
        Ok(file)
    }

    /// The bytes whose digest is the image's id.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The configuration of what an image's record tells.
    pub fn of(image: &ImageRecord) -> ConfigFile {
        ConfigFile {
            architecture: image.architecture.clone(),
            author: image.author.clone(),
            comment: image.comment.clone(),
            config: RunConfig::of(&image.config),
            created: image.created.map(rfc3339),
            history: image.history.iter().map(HistoryJson::of).collect(),
            os: image.os.clone(),
            parent: image.parent.map(|p| p.to_string()).unwrap_or_default(),
            rootfs: RootFs { diff_ids: image.layers.iter().map(|l| l.diff_id).collect(), ..RootFs::default() },
            variant: image.variant.clone(),
        }
    }

    /// The record of an image whose configuration has the digest `id`. `layers` are told by who has them.
    pub fn record(&self, id: Digest, layers: Vec<LayerRef>) -> ImageRecord {
        let last = self.history.last();
        ImageRecord {
            id,
            created: self.created.as_deref().and_then(from_rfc3339),
            author: self.author.clone(),
            architecture: if self.architecture.is_empty() { "amd64".into() } else { self.architecture.clone() },
            os: if self.os.is_empty() { "linux".into() } else { self.os.clone() },
            variant: self.variant.clone(),
            config: self.config.record(),
            layers,
            history: self.history.iter().map(HistoryJson::record).collect(),
            parent: None,
            comment: match last {
                Some(entry) if self.comment.is_empty() => entry.comment.clone(),
                _ => self.comment.clone(),
            },
            last_tagged: None,
        }
    }
}

impl RunConfig {
    pub fn of(config: &ImageConfig) -> RunConfig {
        let keys =
            |set: &cutaway_userland::sorted::Set<String>| set.iter().map(|k| (k.clone(), Empty::new())).collect();
        RunConfig {
            user: config.user.clone(),
            exposed_ports: keys(&config.exposed_ports),
            env: config.env.clone(),
            entrypoint: config.entrypoint.clone(),
            cmd: config.cmd.clone(),
            volumes: keys(&config.volumes),
            working_dir: config.working_dir.clone(),
            labels: config.labels.clone(),
            stop_signal: config.stop_signal.clone(),
            args_escaped: config.args_escaped,
            healthcheck: config.healthcheck.as_ref().map(HealthcheckJson::of),
            on_build: config.on_build.clone(),
            stop_timeout: config.stop_timeout,
            shell: config.shell.clone(),
        }
    }

    pub fn record(&self) -> ImageConfig {
        ImageConfig {
            user: self.user.clone(),
            exposed_ports: self.exposed_ports.keys().cloned().collect(),
            env: self.env.clone(),
            entrypoint: self.entrypoint.clone(),
            cmd: self.cmd.clone(),
            volumes: self.volumes.keys().cloned().collect(),
            working_dir: self.working_dir.clone(),
            labels: self.labels.clone(),
            stop_signal: self.stop_signal.clone().filter(|s| !s.is_empty()),
            stop_timeout: self.stop_timeout,
            healthcheck: self.healthcheck.as_ref().map(HealthcheckJson::record),
            shell: self.shell.clone(),
            on_build: self.on_build.clone(),
            args_escaped: self.args_escaped,
        }
    }
}

impl HealthcheckJson {
    pub fn of(check: &Healthcheck) -> HealthcheckJson {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        HealthcheckJson {
            test: check.test.clone(),
            interval: nanos(check.interval),
            timeout: nanos(check.timeout),
            start_period: nanos(check.start_period),
            start_interval: nanos(check.start_interval),
            retries: u64::from(check.retries),
        }
    }

    fn record(&self) -> Healthcheck {
        Healthcheck {
            test: self.test.clone(),
            interval: Duration::from_nanos(self.interval),
            timeout: Duration::from_nanos(self.timeout),
            start_period: Duration::from_nanos(self.start_period),
            start_interval: Duration::from_nanos(self.start_interval),
            retries: u32::try_from(self.retries).unwrap_or(u32::MAX),
        }
    }
}

impl HistoryJson {
    fn of(entry: &HistoryEntry) -> HistoryJson {
        HistoryJson {
            created: entry.created.map(rfc3339),
            author: entry.author.clone(),
            created_by: entry.created_by.clone(),
            comment: entry.comment.clone(),
            empty_layer: entry.empty_layer,
        }
    }

    fn record(&self) -> HistoryEntry {
        HistoryEntry {
            created: self.created.as_deref().and_then(from_rfc3339),
            created_by: self.created_by.clone(),
            author: self.author.clone(),
            comment: self.comment.clone(),
            empty_layer: self.empty_layer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written_again() {
        let text = concat!(
            r#"{"architecture":"amd64","config":{"ExposedPorts":{"80/tcp":{}},"Env":["A=1"],"Cmd":["300"],"Labels":{"who":"me"},"#,
            r#""Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":2000000000}},"created":"2026-11-20T08:54:32.811890509Z","#,
            r#""history":[{"created":"2026-11-20T08:50:22Z","comment":"Imported from -"},{"created_by":"ENV A=1","empty_layer":true}],"#,
            r#""os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:afa8e50cbbf2506461d18c0b75156777310be25503f97fb2079a2026a5973889"]}}"#
        );
        let file = ConfigFile::parse(text.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(file.to_bytes()).unwrap(), text);
        let layer = LayerRef {
            diff_id: file.rootfs.diff_ids[0],
            chain: file.rootfs.diff_ids[0],
            blob: file.rootfs.diff_ids[0],
            blob_size: 1,
            size: 1,
        };
        let record = file.record(Digest::of(text.as_bytes()), vec![layer]);
        assert_eq!(ConfigFile::of(&record).to_bytes(), text.as_bytes());
    }

    #[test]
    fn null_is_nothing() {
        let file = ConfigFile::parse(
            br#"{"config":{"Env":null,"Cmd":null,"Labels":null,"Volumes":null,"OnBuild":null},"history":null,"rootfs":{"type":"layers","diff_ids":null},"created":"0001-01-01T00:00:00Z"}"#,
        )
        .unwrap();
        let record = file.record(Digest::of(b""), Vec::new());
        assert_eq!((record.created, record.config), (None, ImageConfig::default()));
    }

    #[test]
    fn what_is_refused() {
        for (text, reason) in [
            ("{", "EOF while parsing"),
            (r#"{"rootfs":{"type":"blocks"}}"#, "rootfs type \"blocks\" is not known"),
            (r#"{"rootfs":{"type":"layers","diff_ids":["sha256:zz"]}}"#, "invalid digest: sha256:zz"),
        ] {
            let error = ConfigFile::parse(text.as_bytes()).unwrap_err();
            assert!(error.starts_with("invalid image configuration: ") && error.contains(reason), "{error}");
        }
    }
}
