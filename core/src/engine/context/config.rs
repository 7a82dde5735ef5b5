//! The client's configuration folder: `config.json`, of which only the chosen context is read here, and where
//! contexts lie.

use crate::cli::Args;
use crate::engine::{Error, Result};
use crate::name::Digest;
use crate::view::go_json;
use crate::world::{Client, Fault, Stream};
use cutaway_userland::Errno;
use serde::Serialize;
use serde_json::{Map, Value};

const CURRENT: &str = "currentContext";

/// Where a client's configuration is.
pub(super) struct Config {
    pub folder: String,
}

impl Config {
    /// `--config`, or the client's own place.
    pub fn find(client: &dyn Client, global: &Args) -> Config {
        let folder = global.value("config").map_or_else(|| client.config_folder(), str::to_string);
        Config { folder: folder.trim_end_matches('/').to_string() }
    }

    /// The folder of a context's description: named by the digest of its name.
    pub fn meta(&self, name: &str) -> String {
        format!("{}/contexts/meta/{}", self.folder, Digest::of(name.as_bytes()).hex())
    }

    /// The folder of a context's keys and certificates.
    pub fn tls(&self, name: &str) -> String {
        format!("{}/contexts/tls/{}", self.folder, Digest::of(name.as_bytes()).hex())
    }

    fn file(&self) -> String {
        format!("{}/config.json", self.folder)
    }

    /// What is in `config.json`; nothing where there is none, or where it can't be read, which is told.
    async fn read(&self, client: &dyn Client) -> Map<String, Value> {
        let path = self.file();
        let problem = match client.read_file(&path).await {
            Ok(bytes) => match serde_json::from_slice::<Value>(&bytes) {
                Ok(Value::Object(all)) => return all,
                Ok(_) => "not an object".to_string(),
                Err(error) => go_json::problem(&bytes).unwrap_or_else(|| error.to_string()),
            },
            Err(fault) if matches!(fault.number(), Some(Errno::ENOENT | Errno::ENOTDIR)) => return Map::new(),
            Err(fault) => fault.to_string(),
        };
        let line = format!("WARNING: Error parsing config file ({path}): {problem}\n");
        client.write(Stream::Err, line.as_bytes()).await;
        Map::new()
    }

    /// The context that `docker context use` has chosen; `None` for the default one.
    pub async fn current(&self, client: &dyn Client) -> Option<String> {
        let all = self.read(client).await;
        all.get(CURRENT).and_then(Value::as_str).filter(|name| !name.is_empty()).map(str::to_string)
    }

    /// Chooses a context; an empty name is the default one. What else is in the file stays.
    pub async fn set_current(&self, client: &dyn Client, name: &str) -> Result<()> {
        let mut all = Map::from_iter([("auths".to_string(), Value::Object(Map::new()))]);
        all.extend(self.read(client).await);
        if name.is_empty() {
            all.remove(CURRENT);
        } else {
            all.insert(CURRENT.to_string(), Value::from(name));
        }
        let mut bytes = Vec::new();
        let format = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, format);
        // Writing a value to memory has nothing that could fail.
        let _ = Value::Object(all).serialize(&mut serializer);
        make_folders(client, &self.folder, 0o700).await?;
        client.write_file(&self.file(), &bytes, 0o600).await.map_err(told)
    }
}

/// A failure with a file of the client's, in Go's words.
pub(in crate::engine) fn told(fault: Fault) -> Error {
    Error::Client(fault.to_string())
}

/// Makes a folder and those above it, where they are missing.
pub(in crate::engine) async fn make_folders(client: &dyn Client, path: &str, mode: u32) -> Result<()> {
    let ends = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0).chain([path.len()]);
    for end in ends {
        match client.make_directory(&path[..end], mode).await {
            Ok(()) => {}
            Err(_) if client.facts(&path[..end]).await.is_ok_and(|found| found.is_some()) => {}
            Err(fault) => return Err(told(fault)),
        }
    }
    Ok(())
}
