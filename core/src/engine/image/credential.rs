//! `docker login` and `docker logout`.

use super::remote::{RemoteError, host_of, unreachable};
use crate::cli::Invocation;
use crate::engine::{Ctx, Error, Result};
use crate::registry::{Challenge, Request};
use crate::world::acts::SendRequest;
use crate::world::{Kind, Record, World};
use base64::Engine as _;
use serde::{Deserialize, Serialize};

/// Who logs in to a registry, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialRecord {
    /// As `registry-1.docker.io` or `localhost:5000`.
    pub host: String,
    pub username: String,
    pub password: String,
}

impl Record for CredentialRecord {
    const KIND: Kind = Kind::Credential;
    fn key(&self) -> String {
        self.host.clone()
    }
}

/// What is typed for a registry: nothing is Docker's own.
fn server_of(word: &str) -> String {
    let bare = word.trim_start_matches("https://").trim_start_matches("http://");
    let bare = bare.split('/').next().unwrap_or("");
    match bare {
        "" | "index.docker.io" | "docker.io" | "registry-1.docker.io" => host_of("docker.io"),
        other => other.to_string(),
    }
}

pub async fn login<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let host = server_of(call.args.word(0));
    let username = call.args.value("username").unwrap_or("").to_string();
    let password = match (call.args.value("password"), call.args.flag("password-stdin")) {
        (Some(_), true) => {
            return Err(Error::Client(
                "conflicting options: cannot specify both --password and --password-stdin".into(),
            ));
        }
        (None, true) if username.is_empty() => {
            return Err(Error::Client("the --password-stdin option requires --username to be set".into()));
        }
        (Some(password), false) => {
            ctx.warn("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n").await;
            password.to_string()
        }
        (None, true) => read_all_input(ctx).await?.trim_end_matches(['\n', '\r']).to_string(),
        (None, false) => {
            return Err(Error::Client("Error: Cannot perform an interactive login from a non TTY device".into()));
        }
    };
    if username.is_empty() {
        return Err(Error::Client("Error: Cannot perform an interactive login from a non TTY device".into()));
    }
    let credential = CredentialRecord { host, username, password };
    check(ctx, &credential).await?;
    ctx.world().put(&credential)?;
    ctx.print("Login Succeeded\n").await;
    Ok(0)
}

/// Asks the registry whether it knows the user.
async fn check<W: World>(ctx: &Ctx<W>, credential: &CredentialRecord) -> Result<()> {
    let tls = !credential.host.starts_with("localhost") && !credential.host.starts_with("127.");
    let pair = format!("{}:{}", credential.username, credential.password);
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    let mut request = Request::new("GET", &credential.host, tls, "/v2/").with_header("Authorization", &basic);
    for _ in 0..2 {
        let act = SendRequest { request: request.clone() };
        let response = ctx.act("Ask the registry whether it knows this user", act).await;
        let response = response.map_err(|f| unreachable(&request, f))?;
        let challenge = response.header("www-authenticate").and_then(Challenge::parse);
        match (response.status, challenge) {
            (200, _) => return Ok(()),
            (401, Some(Challenge::Bearer { realm, service, .. })) => {
                let Some((scheme, rest)) = realm.split_once("://") else { break };
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                let service = service.map(|s| format!("?service={s}")).unwrap_or_default();
                request = Request::new("GET", host, scheme == "https", &format!("/{path}{service}"))
                    .with_header("Authorization", &basic);
            }
            (401, _) => break,
            _ => {
                let reason = RemoteError::of(&response).text();
                return Err(Error::Daemon(format!("login attempt to {} failed: {reason}", request.url())));
            }
        }
    }
    let url = Request::new("GET", &credential.host, tls, "/v2/").url();
    Err(Error::Daemon(format!("Get {url:?}: unauthorized: incorrect username or password")))
}

pub async fn logout<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let host = server_of(call.args.word(0));
    let shown = if host == host_of("docker.io") { "https://index.docker.io/v1/" } else { &host };
    ctx.print(format!("Removing login credentials for {shown}\n")).await;
    ctx.world().remove::<CredentialRecord>(&host)?;
    Ok(0)
}

/// All of standard input as text.
pub async fn read_all_input<W: World>(ctx: &Ctx<W>) -> Result<String> {
    Ok(String::from_utf8_lossy(&read_all_bytes(ctx).await?).into_owned())
}

/// All of standard input.
pub async fn read_all_bytes<W: World>(ctx: &Ctx<W>) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let some = ctx.client.read(1 << 16).await?;
        if some.is_empty() {
            return Ok(all);
        }
        all.extend(some);
    }
}
