//! Contexts in the client's files, and as the archives in which they are passed on.
//! Source: docker/cli, cli/context/store.

use super::config::{Config, make_folders, told};
use crate::engine::{Error, Result};
use crate::layer::{Entry, EntryKind, TarWriter, entries};
use crate::world::Client;
use cutaway_userland::Errno;
use serde_json::{Map, Value, json};

/// The endpoint's name; there was another kind once.
const DOCKER: &str = "docker";
/// The most that an archive may have. Source: docker/cli, `maxAllowedFileSizeToImport`.
const LARGEST: usize = 10 << 20;
/// Names of files with keys and certificates.
pub(super) const PEMS: [&str; 3] = ["ca.pem", "cert.pem", "key.pem"];

/// One context.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Context {
    pub name: String,
    pub metadata: Map<String, Value>,
    /// By kind; `docker` is the one that counts.
    pub endpoints: Map<String, Value>,
    /// By path, as `docker/ca.pem`.
    pub tls: Vec<(String, Vec<u8>)>,
}

impl Context {
    /// One whose engine is at `host`.
    pub fn at(name: &str, host: &str, skip_verify: bool) -> Context {
        let mut context = Context { name: name.to_string(), ..Context::default() };
        context.set_endpoint(host, skip_verify);
        context
    }

    pub fn set_endpoint(&mut self, host: &str, skip_verify: bool) {
        let mut endpoint = Map::new();
        if !host.is_empty() {
            endpoint.insert("Host".into(), host.into());
        }
        endpoint.insert("SkipTLSVerify".into(), skip_verify.into());
        self.endpoints.insert(DOCKER.into(), Value::Object(endpoint));
    }

    pub fn host(&self) -> &str {
        self.endpoints.get(DOCKER).and_then(|e| e["Host"].as_str()).unwrap_or("")
    }

    pub fn skips_verification(&self) -> bool {
        self.endpoints.get(DOCKER).and_then(|e| e["SkipTLSVerify"].as_bool()).unwrap_or(false)
    }

    pub fn description(&self) -> &str {
        self.metadata.get("Description").and_then(Value::as_str).unwrap_or("")
    }

    pub fn describe(&mut self, text: &str) {
        if text.is_empty() {
            self.metadata.remove("Description");
        } else {
            self.metadata.insert("Description".into(), text.into());
        }
    }

    /// The endpoint's file of this name.
    pub fn pem(&self, name: &str) -> Option<&[u8]> {
        let path = format!("{DOCKER}/{name}");
        self.tls.iter().find(|(p, _)| *p == path).map(|(_, bytes)| bytes.as_slice())
    }

    pub fn set_pems(&mut self, files: Vec<(&str, Vec<u8>)>) {
        self.tls = files.into_iter().map(|(name, bytes)| (format!("{DOCKER}/{name}"), bytes)).collect();
    }

    /// File names by endpoint.
    pub fn tls_names(&self) -> Value {
        let mut all: Map<String, Value> = Map::new();
        for (kind, file) in self.tls.iter().filter_map(|(path, _)| path.split_once('/')) {
            let list = all.entry(kind).or_insert_with(|| Value::Array(Vec::new()));
            list.as_array_mut().expect("only arrays are put in").push(file.into());
        }
        Value::Object(all)
    }

    fn to_json(&self) -> String {
        json!({"Name": self.name, "Metadata": self.metadata, "Endpoints": self.endpoints}).to_string()
    }

    /// # Errors
    /// Why it is none.
    fn from_json(bytes: &[u8]) -> std::result::Result<Context, String> {
        let value: Value = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        let object = |key: &str| match &value[key] {
            Value::Object(map) => Ok(map.clone()),
            Value::Null => Ok(Map::new()),
            _ => Err(format!("{key} is no object")),
        };
        let name = value["Name"].as_str().ok_or("it has no name")?.to_string();
        Ok(Context { name, metadata: object("Metadata")?, endpoints: object("Endpoints")?, tls: Vec::new() })
    }
}

/// Source: docker/cli, `restrictedNamePattern`.
pub(super) fn check_name(name: &str) -> Result<()> {
    if name == super::DEFAULT {
        return Err(Error::Client(format!("{name:?} is a reserved context name")));
    }
    let first = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let rest = name.chars().all(|c| c.is_ascii_alphanumeric() || "_.+-".contains(c));
    if first && rest && name.len() > 1 {
        return Ok(());
    }
    let pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$";
    Err(Error::Client(format!("context name {name:?} is invalid, names are validated against regexp {pattern:?}")))
}

pub(super) fn missing(config: &Config, name: &str) -> Error {
    let path = config.meta(name);
    Error::Client(format!("context {name:?}: context not found: open {path}/meta.json: no such file or directory"))
}

pub(super) async fn exists(client: &dyn Client, config: &Config, name: &str) -> Result<bool> {
    let found = client.facts(&format!("{}/meta.json", config.meta(name))).await.map_err(told)?;
    Ok(found.is_some())
}

/// The context of this name, with its keys.
pub(super) async fn read(client: &dyn Client, config: &Config, name: &str) -> Result<Context> {
    let path = format!("{}/meta.json", config.meta(name));
    let bytes = match client.read_file(&path).await {
        Ok(bytes) => bytes,
        Err(fault) if matches!(fault.number(), Some(Errno::ENOENT | Errno::ENOTDIR)) => {
            return Err(missing(config, name));
        }
        Err(fault) => return Err(told(fault)),
    };
    let mut context = Context::from_json(&bytes).map_err(|why| Error::Client(format!("parsing {path}: {why}")))?;
    let folder = format!("{}/{DOCKER}", config.tls(&context.name));
    for file in client.read_directory(&folder).await.unwrap_or_default() {
        let bytes = client.read_file(&format!("{folder}/{file}")).await.map_err(told)?;
        context.tls.push((format!("{DOCKER}/{file}"), bytes));
    }
    Ok(context)
}

/// All that are stored.
pub(super) async fn list(client: &dyn Client, config: &Config) -> Result<Vec<Context>> {
    let folder = format!("{}/contexts/meta", config.folder);
    let mut all = Vec::new();
    for id in client.read_directory(&folder).await.unwrap_or_default() {
        let path = format!("{folder}/{id}/meta.json");
        let Ok(bytes) = client.read_file(&path).await else { continue };
        all.push(Context::from_json(&bytes).map_err(|why| Error::Client(format!("parsing {path}: {why}")))?);
    }
    Ok(all)
}

/// Stores a context in the place of what was there under its name.
pub(super) async fn write(client: &dyn Client, config: &Config, context: &Context) -> Result<()> {
    remove_keys(client, config, &context.name).await?;
    let meta = config.meta(&context.name);
    make_folders(client, &meta, 0o755).await?;
    let path = format!("{meta}/meta.json");
    client.write_file(&path, context.to_json().as_bytes(), 0o644).await.map_err(told)?;
    for (name, bytes) in &context.tls {
        let path = format!("{}/{name}", config.tls(&context.name));
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        make_folders(client, folder, 0o700).await?;
        client.write_file(&path, bytes, 0o600).await.map_err(told)?;
    }
    Ok(())
}

/// Removes a context; one that is not there is removed already.
pub(super) async fn remove(client: &dyn Client, config: &Config, name: &str) -> Result<()> {
    remove_folder(client, &config.meta(name)).await?;
    remove_keys(client, config, name).await
}

async fn remove_keys(client: &dyn Client, config: &Config, name: &str) -> Result<()> {
    let folder = config.tls(name);
    for kind in client.read_directory(&folder).await.unwrap_or_default() {
        remove_folder(client, &format!("{folder}/{kind}")).await?;
    }
    remove_folder(client, &folder).await
}

/// Removes a folder that has only files in it.
async fn remove_folder(client: &dyn Client, path: &str) -> Result<()> {
    if client.facts(path).await.map_err(told)?.is_none() {
        return Ok(());
    }
    for name in client.read_directory(path).await.map_err(told)? {
        client.remove_file(&format!("{path}/{name}")).await.map_err(told)?;
    }
    client.remove_directory(path).await.map_err(told)
}

/// As the archive that `docker context export` writes.
pub(super) fn pack(context: &Context) -> Result<Vec<u8>> {
    let mut tar = TarWriter::new(Vec::new());
    let failed = |fault: crate::world::Fault| Error::Client(fault.to_string());
    let meta = context.to_json();
    tar.add_bytes(&Entry::file("meta.json", 0o644, meta.len() as u64), meta.as_bytes()).map_err(failed)?;
    tar.add_bytes(&Entry::directory("tls", 0o700), &[]).map_err(failed)?;
    if !context.tls.is_empty() {
        tar.add_bytes(&Entry::directory(&format!("tls/{DOCKER}"), 0o700), &[]).map_err(failed)?;
    }
    for (path, bytes) in &context.tls {
        let entry = Entry::file(&format!("tls/{path}"), 0o600, bytes.len() as u64);
        tar.add_bytes(&entry, bytes).map_err(failed)?;
    }
    tar.finish().map_err(failed)
}

/// Reads such an archive, which may come from anywhere, as the context `name`.
pub(super) fn unpack(name: &str, bytes: &[u8]) -> Result<Context> {
    let refused = |why: String| Error::Client(why);
    if bytes.len() > LARGEST {
        return Err(refused("the archive of a context has 10 MB at most".into()));
    }
    if bytes.starts_with(b"PK") {
        return Err(refused("contexts in zip files are not supported: export them as tar".into()));
    }
    let (mut context, mut tls) = (None, Vec::new());
    for (entry, contents) in entries("context", bytes).map_err(|_| refused("archive/tar: invalid tar header".into()))? {
        let path = entry.path.as_str();
        match (&entry.kind, path.strip_prefix("tls/")) {
            (EntryKind::Directory, _) => {}
            (EntryKind::File, None) if path == "meta.json" => {
                let found =
                    Context::from_json(&contents).map_err(|why| refused(format!("parsing meta.json: {why}")))?;
                context = Some(found);
            }
            (EntryKind::File, Some(file)) if PEMS.iter().any(|pem| file == format!("{DOCKER}/{pem}")) => {
                tls.push((file.to_string(), contents));
            }
            _ => return Err(refused(format!("invalid context: unexpected entry {path:?}"))),
        }
    }
    let context = context.ok_or_else(|| refused("invalid context: no metadata found".into()))?;
    Ok(Context { name: name.to_string(), tls, ..context })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_there_and_back_and_hostile_ones() {
        let mut context = Context::at("one", "tcp://a:1", false);
        context.describe("the first");
        context.set_pems(vec![("ca.pem", b"x".to_vec())]);
        let bytes = pack(&context).unwrap();
        assert_eq!(unpack("two", &bytes), Ok(Context { name: "two".into(), ..context.clone() }));
        for end in [1, 100, 512, 700] {
            assert!(unpack("two", &bytes[..end]).is_err(), "{end}");
        }
        let with = |entry: Entry, contents: &[u8]| {
            let mut tar = TarWriter::new(Vec::new());
            tar.add_bytes(&entry, contents).unwrap();
            unpack("x", &tar.finish().unwrap()).unwrap_err().render("")
        };
        let said = with(Entry::file("tls/docker/../../x", 0o644, 1), b"x");
        assert!(said.contains("invalid"), "{said}");
        let said = with(Entry::of("meta.json", EntryKind::Symlink("/etc/passwd".into()), 0o777), b"");
        assert!(said.contains("unexpected entry"), "{said}");
        assert_eq!(with(Entry::file("meta.json", 0o644, 2), b"{}"), "parsing meta.json: it has no name");
        assert_eq!(with(Entry::directory("tls", 0o700), b""), "invalid context: no metadata found");
    }

    #[test]
    fn names() {
        for name in ["ab", "a.b", "0_x", "a+-"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "a", "b d", "-ab", "ä1", "default", "a/b"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
