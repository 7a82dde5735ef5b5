//! What a build is asked for, read once.

use super::board::ProgressMode;
use crate::cli::Invocation;
use crate::container::Ulimit;
use crate::container::spec::{parse_bytes, parse_ulimit};
use crate::dockerfile::Vars;
use crate::engine::{Ctx, Error, Result};
use crate::image::ImageRecord;
use crate::name::Reference;
use crate::world::{FileFacts, KeyAgent, Stream, World};
use cutaway_userland::os::FileKind;
use cutaway_userland::sorted::Map as BTreeMap;
use std::cell::RefCell;
use std::rc::Rc;

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    File(String),
    Env(String),
}

/// What `--call` asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Check,
    Outline,
    Targets,
}

/// An agent that steps may ask.
#[derive(Clone, Debug)]
pub enum Agent {
    Socket(String),
    Keys(Rc<dyn KeyAgent>),
}

impl Agent {
    /// The path of its socket.
    pub fn socket(&self) -> String {
        match self {
            Agent::Socket(path) => path.clone(),
            Agent::Keys(agent) => agent.socket(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Options {
    /// A folder of the client's, `-`, or an address.
    pub context: String,
    /// `None` is `Dockerfile` in the context.
    pub file: Option<String>,
    /// The Dockerfile itself, where a bake file has it.
    pub inline: Option<String>,
    /// What other targets of a bake file came to, by the context that stands for them.
    pub inputs: BTreeMap<String, ImageRecord>,
    /// As typed, for progress, and as names.
    pub tags: Vec<Reference>,
    pub build_args: Vars,
    pub contexts: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    pub target: Option<String>,
    pub no_cache: bool,
    /// Stages that the cache does not serve.
    pub no_cache_stages: Vec<String>,
    pub pull: bool,
    pub push: bool,
    pub quiet: bool,
    pub progress: ProgressMode,
    pub iidfile: Option<String>,
    pub metadata_file: Option<String>,
    pub platform: Option<String>,
    pub network: String,
    pub secrets: BTreeMap<String, Secret>,
    /// Sockets of agents, or files with keys, by id; and the agents as far as they are opened.
    pub ssh: BTreeMap<String, Vec<String>>,
    pub agents: RefCell<BTreeMap<String, Agent>>,
    /// `--add-host`: names and addresses, as `name:address`.
    pub hosts: Vec<String>,
    /// Bytes of `/dev/shm`.
    pub shm_size: Option<u64>,
    pub ulimits: Vec<Ulimit>,
    /// `--allow`: `network.host`, `security.insecure`.
    pub allow: Vec<String>,
    /// `--output`: fields by name.
    pub output: Option<BTreeMap<String, String>>,
    /// A question instead of a build, and whether the answer is JSON.
    pub call: Option<Call>,
    pub call_json: bool,
    /// Whether what is found does not count for the exit status.
    pub call_ignores_status: bool,
    /// `DOCKER_BUILDKIT=0`.
    pub classic: bool,
}

impl Options {
    pub fn read<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<Options> {
        let args = &call.args;
        let text = |name: &str| args.value(name).filter(|v| !v.is_empty()).map(str::to_string);
        let quiet = args.flag("quiet");
        let buildkit = ctx.client.env("DOCKER_BUILDKIT");
        let classic = buildkit.is_some_and(|v| matches!(v.as_str(), "0" | "false" | "f"));
        let mut tags = Vec::new();
        for tag in args.values("tag") {
            let reference = Reference::parse(tag).map_err(|e| failed(&format!("invalid tag {tag:?}: {e}")))?;
            tags.push(reference);
        }
        let mut build_args = Vars::new();
        for pair in args.values("build-arg") {
            match pair.split_once('=') {
                Some((name, value)) => build_args.insert(name.to_string(), value.to_string()),
                None => ctx.client.env(pair).and_then(|value| build_args.insert(pair.clone(), value)),
            };
        }
        let progress = match (quiet, args.value("progress").unwrap_or("auto")) {
            (true, _) | (_, "quiet") => ProgressMode::Quiet,
            (_, "plain") => ProgressMode::Plain,
            (_, "rawjson") => ProgressMode::RawJson,
            (_, "tty") => ProgressMode::Tty,
            (_, "auto") if ctx.client.is_tty(Stream::Err) => ProgressMode::Tty,
            (_, "auto") => ProgressMode::Plain,
            (_, other) => return Err(failed(&format!("invalid progress type: {other}"))),
        };
        // Its own driver keeps the cache beside the images, and exports it only into them.
        if args.values("cache-to").iter().any(|to| !to.split(',').any(|field| field == "type=inline")) {
            return Err(failed(
                "Cache export is not supported for the docker driver.\n\
                 Switch to a different driver, or turn on the containerd image store, and try again.\n\
                 Learn more at https://docs.docker.com/go/build-cache-backends/",
            ));
        }
        let output = output(args.values("output"))?;
        if text("iidfile").is_some() && output.as_ref().is_some_and(|o| matches!(o["type"].as_str(), "local" | "tar")) {
            return Err(failed("local and tar exporters are incompatible with image ID file"));
        }
        // The names may come with the output.
        for name in output.iter().filter_map(|o| o.get("name")).flat_map(|names| names.split(',')) {
            tags.push(Reference::parse(name).map_err(|e| failed(&format!("invalid tag {name:?}: {e}")))?);
        }
        let push = args.flag("push") || output.as_ref().is_some_and(|o| o.get("push").is_some_and(|v| v == "true"));
        let (call, call_json, call_ignores_status) =
            if args.flag("check") { (Some(Call::Check), false, false) } else { call_of(args.value("call"))? };
        let ulimits: std::result::Result<Vec<Ulimit>, String> =
            args.values("ulimit").iter().map(|v| parse_ulimit(v)).collect();
        Ok(Options {
            context: args.word(0).to_string(),
            file: text("file"),
            inline: None,
            inputs: BTreeMap::new(),
            tags,
            build_args,
            contexts: contexts(args.values("build-context"))?,
            labels: pairs(args.values("label")),
            target: text("target"),
            no_cache: args.flag("no-cache"),
            no_cache_stages: args
                .values("no-cache-filter")
                .iter()
                .flat_map(|v| v.split(','))
                .map(str::to_string)
                .collect(),
            pull: args.flag("pull"),
            push,
            quiet: quiet || args.value("progress") == Some("quiet"),
            progress,
            iidfile: text("iidfile"),
            metadata_file: text("metadata-file"),
            platform: text("platform"),
            network: text("network").unwrap_or_else(|| "default".into()),
            secrets: secrets(args.values("secret"))?,
            ssh: ssh(ctx, args.values("ssh"))?,
            agents: RefCell::default(),
            hosts: hosts(args.values("add-host"))?,
            shm_size: args.value("shm-size").and_then(|v| parse_bytes(v).ok()).filter(|n| *n > 0),
            ulimits: ulimits.map_err(|e| failed(&e))?,
            output,
            allow: args.values("allow").to_vec(),
            call,
            call_json,
            call_ignores_status,
            classic,
        })
    }
}

impl Options {
    /// Finds the agents that `--ssh` forwards; for keys in files there is one of our own while the build lasts.
    pub async fn open_agents<W: World>(&self, ctx: &Ctx<W>) -> Result<()> {
        for (id, paths) in &self.ssh {
            let opened = match self.agent(ctx, paths).await {
                Ok(opened) => opened,
                Err(reason) => {
                    let config = format!("failed to convert agent config {{{id} [{}] false}}", paths.join(" "));
                    let reason = format!("{config}: failed to convert agent config for ID: {id:?}: {reason}");
                    return Err(failed(&reason));
                }
            };
            self.agents.borrow_mut().insert(id.clone(), opened);
        }
        Ok(())
    }

    async fn agent<W: World>(&self, ctx: &Ctx<W>, paths: &[String]) -> std::result::Result<Agent, String> {
        let (mut socket, mut keys) = (None, Vec::new());
        for path in paths {
            if socket.is_some() {
                return Err("only single socket allowed".into());
            }
            if self.is_socket(ctx, path).await {
                socket = Some(path.clone());
                continue;
            }
            if ctx.client.facts(path).await.ok().flatten().is_none() {
                return Err(format!("stat {path}: no such file or directory"));
            }
            let unread = |fault: crate::world::Fault| {
                let reason = fault.number().map_or_else(|| fault.to_string(), |errno| errno.text().to_lowercase());
                format!("failed to read {path}: read {path}: {reason}")
            };
            let key = ctx.client.read_file(path).await.map_err(unread)?;
            if !key.windows(11).any(|part| part == b"-----BEGIN ") {
                return Err(format!("failed to parse {path}: ssh: no key found"));
            }
            keys.push((path.clone(), key));
        }
        match (socket, keys.is_empty()) {
            (Some(_), false) => Err("invalid combination of keys and sockets".into()),
            (Some(path), true) => Ok(Agent::Socket(path)),
            (None, _) => {
                let agent = ctx.world().key_agent(keys).await.map_err(|fault| fault.to_string())?;
                Ok(Agent::Keys(agent))
            }
        }
    }

    async fn is_socket<W: World>(&self, ctx: &Ctx<W>, path: &str) -> bool {
        let mut path = path.to_string();
        // An agent's path may be a link to its socket.
        for _ in 0..8 {
            match ctx.client.facts(&path).await {
                Ok(Some(facts)) if facts.kind == FileKind::Socket => return true,
                Ok(Some(FileFacts { target: Some(target), .. })) => {
                    let folder = path.rfind('/').map_or("/", |i| &path[..i]).to_string();
                    path = crate::build::joined(&folder, &target);
                }
                _ => return false,
            }
        }
        false
    }
}

/// An error of the client before the build began.
pub fn failed(text: &str) -> Error {
    Error::Client(format!("ERROR: failed to build: {text}"))
}

/// An error in the words of the command line.
fn plain(text: &str) -> Error {
    Error::Client(format!("ERROR: {text}"))
}

fn pairs(values: &[String]) -> BTreeMap<String, String> {
    let pair = |value: &String| {
        let (name, value) = value.split_once('=').unwrap_or((value, ""));
        (name.to_string(), value.to_string())
    };
    values.iter().map(pair).collect()
}

/// `--build-context name=place`; names are told apart without case.
fn contexts(values: &[String]) -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for value in values {
        let Some((name, place)) = value.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(failed(&format!("invalid context value: {value}, expected key=value")));
        };
        all.insert(name.trim_end_matches(":latest").to_lowercase(), place.to_string());
    }
    Ok(all)
}

fn fields(text: &str) -> BTreeMap<String, String> {
    pairs(&text.split(',').map(str::to_string).collect::<Vec<_>>())
}

fn secrets(values: &[String]) -> Result<BTreeMap<String, Secret>> {
    let mut secrets = BTreeMap::new();
    for value in values {
        let fields = fields(value);
        let get = |names: &[&str]| names.iter().find_map(|n| fields.get(*n)).filter(|v| !v.is_empty()).cloned();
        let Some(id) = get(&["id"]) else {
            return Err(failed(&format!("failed to parse secret {value:?}: id is required")));
        };
        let kind = get(&["type"]).unwrap_or_default();
        let secret = match (get(&["src", "source"]), get(&["env"])) {
            (Some(name), _) if kind == "env" => Secret::Env(name),
            (Some(path), _) => Secret::File(path),
            (None, Some(name)) => Secret::Env(name),
            (None, None) => Secret::Env(id.clone()),
        };
        secrets.insert(id, secret);
    }
    Ok(secrets)
}

/// `--call outline,format=json`: what is asked, whether the answer is JSON, and whether its findings do not count for
/// the exit status.
pub fn call_of(value: Option<&str>) -> Result<(Option<Call>, bool, bool)> {
    let (mut name, mut json, mut ignore) = (None, false, false);
    let value = value.unwrap_or("build");
    for field in value.split(',') {
        match field.split_once('=') {
            None if name.is_some() => return Err(plain(&format!("invalid print value: {value}"))),
            None => name = Some(field),
            Some(("format", format)) => json = format == "json",
            Some(("ignorestatus", text)) => match text {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => ignore = true,
                "0" | "f" | "F" | "false" | "FALSE" | "False" => ignore = false,
                _ => {
                    let reason = format!("strconv.ParseBool: parsing {text:?}: invalid syntax");
                    return Err(plain(&format!("invalid ignorestatus print value: {text}: {reason}")));
                }
            },
            Some(_) => return Err(plain(&format!("invalid print field: {field}"))),
        }
    }
    let call = match name.unwrap_or("") {
        "build" | "" => None,
        "check" | "lint" => Some(Call::Check),
        "outline" => Some(Call::Outline),
        "targets" => Some(Call::Targets),
        other => return Err(failed(&format!("failed to solve: unsupported request frontend.{other}"))),
    };
    Ok((call, json, ignore))
}

/// `--ssh id=socket`, or `id=key,key`; the client's own agent where no path is named.
fn ssh<W: World>(ctx: &Ctx<W>, values: &[String]) -> Result<BTreeMap<String, Vec<String>>> {
    let mut agents = BTreeMap::new();
    for value in values.iter().filter(|value| !value.is_empty()) {
        let (id, paths) = value.split_once('=').unwrap_or((value, ""));
        let id = if id.is_empty() { "default" } else { id };
        let own = || ctx.client.env("SSH_AUTH_SOCK").filter(|path| !path.is_empty());
        let Some(paths) = Some(paths.to_string()).filter(|paths| !paths.is_empty()).or_else(own) else {
            let reason = "invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set";
            return Err(failed(&format!("failed to convert agent config {{{id} [] false}}: {reason}")));
        };
        let full = |path: &str| match path.starts_with('/') {
            true => path.to_string(),
            false => crate::build::joined(&ctx.client.cwd(), path),
        };
        agents.insert(id.to_string(), paths.split(',').map(full).collect());
    }
    Ok(agents)
}

/// `--add-host name:address`, with `=` too.
fn hosts(values: &[String]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for value in values {
        let pair = value.split_once('=').or_else(|| value.split_once(':'));
        let Some((name, address)) = pair.filter(|(name, address)| !name.is_empty() && !address.is_empty()) else {
            return Err(failed(&format!("invalid host {value}")));
        };
        let address = address.trim_start_matches('[').trim_end_matches(']');
        if address != "host-gateway" && address.parse::<std::net::IpAddr>().is_err() {
            return Err(failed(&format!("invalid host {value}")));
        }
        all.push(format!("{name}:{address}"));
    }
    Ok(all)
}

/// `type=local,dest=out`, or a folder alone, or `-` for a tar on standard output.
fn output(values: &[String]) -> Result<Option<BTreeMap<String, String>>> {
    let Some(value) = values.last() else { return Ok(None) };
    let found = match value.as_str() {
        "-" => fields("type=tar,dest=-"),
        value if !value.contains('=') && !value.contains(',') => fields(&format!("type=local,dest={value}")),
        value => fields(value),
    };
    match found.get("type").map(String::as_str) {
        Some("local" | "tar") if !found.contains_key("dest") => {
            Err(failed(&format!("dest is required for {} output", found["type"])))
        }
        Some("local" | "tar") => Ok(Some(found)),
        Some("oci") if !found.contains_key("dest") => {
            Err(failed("output file is required for oci exporter. refusing to write to console"))
        }
        Some("image" | "docker" | "oci" | "cacheonly") => Ok(Some(found)),
        Some(other) => Err(failed(&format!("exporter {other:?} could not be found"))),
        None => Err(failed("type is required for output")),
    }
}
