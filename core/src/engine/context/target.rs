//! Which engine a command line is for: flags, environment, the chosen context, in Docker's order.
//! Source: docker/cli, cli/command/cli.go.

use super::config::{Config, told};
use super::endpoint::{self, Endpoint};
use super::store::{self, Context, PEMS};
use crate::cli::{Args, Invocation};
use crate::engine::{Error, Result};
use crate::world::Client;

/// The context that flags and environment describe; without them it is the engine of this machine.
pub const DEFAULT: &str = "default";
/// Where the engine of this machine is, for Docker's client.
pub const LOCAL: &str = "unix:///var/run/docker.sock";

/// What a client shows an engine, and wants to see of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Who must have signed the engine's certificate; empty for anyone that the system trusts.
    pub ca: Vec<u8>,
    pub cert: Vec<u8>,
    pub key: Vec<u8>,
    /// Whether the engine's certificate is looked at.
    pub verify: bool,
}

/// The engine that a command goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub context: String,
    /// As it is written in the context, or completed from the flag or the environment.
    pub host: String,
    pub endpoint: Endpoint,
    pub tls: Option<Tls>,
}

impl Target {
    /// Whether it is the engine of the client's own machine.
    pub fn is_local(&self) -> bool {
        self.host.is_empty() || self.host == LOCAL
    }
}

/// Whether a command is more than the client's own business.
pub fn needs_engine(call: &Invocation) -> bool {
    let own = ["context ", "manifest ", "buildx imagetools "];
    !own.iter().any(|group| call.command.starts_with(group))
        && !matches!(call.command, "compose version" | "buildx version" | "logout")
}

/// The name of the context that a command is in; it need not exist.
pub async fn current(client: &dyn Client, global: &Args) -> Result<String> {
    let given = global.value("context").filter(|name| !name.is_empty());
    if given.is_some() && global.given("host") {
        return Err(Error::Client("conflicting options: cannot specify both --host and --context".into()));
    }
    if let Some(name) = given {
        return Ok(name.to_string());
    }
    if global.given("host") || set(client, "DOCKER_HOST").is_some() {
        return Ok(DEFAULT.into());
    }
    if let Some(name) = set(client, "DOCKER_CONTEXT") {
        return Ok(name);
    }
    Ok(Config::find(client, global).current(client).await.unwrap_or_else(|| DEFAULT.into()))
}

fn set(client: &dyn Client, name: &str) -> Option<String> {
    client.env(name).filter(|value| !value.is_empty())
}

fn uses_tls(client: &dyn Client, global: &Args) -> (bool, bool) {
    let verify =
        if global.given("tlsverify") { global.flag("tlsverify") } else { set(client, "DOCKER_TLS_VERIFY").is_some() };
    (verify || global.flag("tls"), verify)
}

/// The context made of flags and environment.
pub(super) async fn default_context(client: &dyn Client, global: &Args, config: &Config) -> Result<Context> {
    let (tls, verify) = uses_tls(client, global);
    let host = match global.values("host") {
        [] => set(client, "DOCKER_HOST"),
        [host] => Some(host.clone()),
        _ => return Err(Error::Client("Specify only one -H".into())),
    };
    let host = host.map_or_else(|| Ok(LOCAL.to_string()), |host| endpoint::complete(&host, tls))?;
    let mut context = Context::at(DEFAULT, &host, tls && !verify);
    if !tls {
        return Ok(context);
    }
    let folder = set(client, "DOCKER_CERT_PATH").unwrap_or_else(|| config.folder.clone());
    let mut pems = Vec::new();
    for file in PEMS {
        let flag = global.value(&format!("tls{}", file.trim_end_matches(".pem").replace("ca", "cacert")));
        // `docker $(docker-machine config NAME)` passes quotes on.
        let flag = flag.map(|path| path.trim_matches(['"', '\'']));
        let path = flag.map_or_else(|| format!("{folder}/{file}"), str::to_string);
        // Without verification nobody asks who signed; the client's own certificate may be missing.
        let wanted = flag.is_some() || (file == "ca.pem" && verify);
        match client.read_file(&path).await {
            Ok(_) if file == "ca.pem" && !verify => {}
            Ok(bytes) => pems.push((file, bytes)),
            Err(fault) if wanted => return Err(told(fault)),
            Err(_) => {}
        }
    }
    context.set_pems(pems);
    Ok(context)
}

/// The engine that a command is for.
///
/// # Errors
/// In Docker's words, where there is no such context or what is told of the engine can't be.
pub async fn target(client: &dyn Client, global: &Args) -> Result<Target> {
    let name = current(client, global).await?;
    let config = Config::find(client, global);
    let unresolved = |error: Error| {
        let why = error.render("");
        Error::Client(format!("Failed to initialize: unable to resolve docker endpoint: {why}"))
    };
    let context = match name.as_str() {
        DEFAULT => default_context(client, global, &config).await,
        name => store::read(client, &config, name).await,
    };
    let context = context.map_err(unresolved)?;
    let refused = |error: Error| Error::Client(format!("Failed to initialize: {}", error.render("")));
    let endpoint = Endpoint::parse(context.host()).map_err(refused)?;
    let (asked, _) = uses_tls(client, global);
    let pem = |name: &str| context.pem(name).unwrap_or_default().to_vec();
    let tls = (!context.tls.is_empty() || context.skips_verification() || (name == DEFAULT && asked)).then(|| Tls {
        ca: pem("ca.pem"),
        cert: pem("cert.pem"),
        key: pem("key.pem"),
        verify: !context.skips_verification(),
    });
    Ok(Target { host: context.host().to_string(), context: name, endpoint, tls })
}
