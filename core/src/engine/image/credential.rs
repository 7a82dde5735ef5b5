//! `docker login` and `docker logout`: who somebody is to a registry, kept in `config.json` of their home, where
//! Docker's own client and other tools find it, too. Source: docker/cli, config/configfile.

use super::remote::{RemoteError, host_of, unreachable, uses_tls};
use crate::cli::{Args, Invocation};
use crate::engine::system::{ask, ask_unseen, pretty_tabs};
use crate::engine::{Ctx, Error, Result};
use crate::registry::{Challenge, Request};
use crate::view::go_json;
use crate::world::acts::SendRequest;
use crate::world::{Stream, World};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Docker's own registry, as `config.json` names it.
const HUB: &str = "https://index.docker.io/v1/";

/// Who logs in, and how.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    pub username: String,
    pub password: String,
}

impl Credential {
    /// For an `Authorization` header.
    pub fn basic(&self) -> String {
        format!("Basic {}", self.encoded())
    }

    fn encoded(&self) -> String {
        STANDARD.encode(format!("{}:{}", self.username, self.password))
    }

    fn decode(text: &str) -> Option<Credential> {
        let bytes = STANDARD.decode(text).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (username, password) = text.split_once(':')?;
        Some(Credential { username: username.into(), password: password.trim_end_matches('\0').into() })
    }
}

/// The key of `config.json` for what was typed as a server.
fn server_of(word: &str) -> String {
    let bare = word.trim_start_matches("https://").trim_start_matches("http://");
    let bare = bare.split('/').next().unwrap_or("");
    match bare {
        "" | "index.docker.io" | "docker.io" | "registry-1.docker.io" => HUB.to_string(),
        other => other.to_string(),
    }
}

/// The person's `config.json` as it stands.
struct Config {
    folder: String,
    value: Map<String, Value>,
}

impl Config {
    async fn read<W: World>(ctx: &Ctx<W>) -> Result<Config> {
        let env = |name: &str| ctx.client.env(name).filter(|value| !value.is_empty());
        let home = env("HOME").unwrap_or_else(|| "/".into());
        let folder = env("DOCKER_CONFIG").unwrap_or_else(|| format!("{}/.docker", home.trim_end_matches('/')));
        let path = format!("{folder}/config.json");
        let bytes = match ctx.client.facts(&path).await {
            Ok(Some(_)) => ctx.client.read_file(&path).await?,
            _ => b"{}".to_vec(),
        };
        match serde_json::from_slice::<Map<String, Value>>(&bytes) {
            Ok(value) => Ok(Config { folder, value }),
            Err(error) => {
                let why = go_json::problem(&bytes).unwrap_or_else(|| error.to_string());
                Err(Error::Client(format!("loading config file: {path}: {why}")))
            }
        }
    }

    fn path(&self) -> String {
        format!("{}/config.json", self.folder)
    }

    fn get(&self, server: &str) -> Option<Credential> {
        let all = self.value.get("auths")?.as_object()?;
        // Some write the address with its scheme and path.
        let key = all.keys().find(|key| server_of(key) == server)?;
        Credential::decode(all[key]["auth"].as_str()?)
    }

    /// Keeps (or with `None` forgets) who somebody is to a server; whether that changed anything.
    fn set(&mut self, server: &str, credential: Option<&Credential>) -> bool {
        if self.get(server).as_ref() == credential {
            return false;
        }
        let auths = self.value.entry("auths").or_insert_with(|| json!({}));
        if !auths.is_object() {
            *auths = json!({});
        }
        if let Some(all) = auths.as_object_mut() {
            all.retain(|key, _| server_of(key) != server);
            if let Some(credential) = credential {
                all.insert(server.to_string(), json!({"auth": credential.encoded()}));
            }
        }
        true
    }

    async fn write<W: World>(&self, ctx: &Ctx<W>) -> Result<()> {
        if ctx.client.facts(&self.folder).await?.is_none() {
            ctx.client.make_directory(&self.folder, 0o700).await?;
        }
        let text = pretty_tabs(&Value::Object(self.value.clone()));
        ctx.client.write_file(&self.path(), text.as_bytes(), 0o600).await?;
        Ok(())
    }
}

/// Who the person is to the registry at `host`, where they have logged in to it.
pub async fn stored<W: World>(ctx: &Ctx<W>, host: &str) -> Option<Credential> {
    Config::read(ctx).await.ok()?.get(&server_of(host))
}

pub async fn login<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let server = server_of(call.args.word(0));
    let mut config = Config::read(ctx).await?;
    let (username, password) = given(ctx, &call.args).await?;
    let known = config.get(&server).filter(|_| username.is_empty() && password.is_empty());
    if let Some(known) = &known {
        ctx.print(format!("Authenticating with existing credentials... [Username: {}]\n", known.username)).await;
        hint(ctx, &["To login with a different account, run 'docker logout' followed by 'docker login'"]).await;
    }
    let credential = match known {
        Some(known) => match check(ctx, &server, &known).await {
            Ok(()) => known,
            Err(error) => {
                let why = error.render("");
                let why = why.strip_prefix("Error response from daemon: ").unwrap_or(&why);
                ctx.warn(format!("Login did not succeed, error: {why}\n")).await;
                let credential = prompt(ctx, &server, String::new(), String::new(), &known.username).await?;
                check(ctx, &server, &credential).await?;
                credential
            }
        },
        None => {
            let credential = prompt(ctx, &server, username, password, "").await?;
            check(ctx, &server, &credential).await?;
            credential
        }
    };
    if config.set(&server, Some(&credential)) {
        config.write(ctx).await?;
        let path = config.path();
        ctx.warn(format!(
            "\nWARNING! Your credentials are stored unencrypted in '{path}'.\nConfigure a credential helper to remove \
             this warning. See\nhttps://docs.docker.com/go/credential-store/\n\n"
        ))
        .await;
    }
    ctx.print("Login Succeeded\n").await;
    Ok(0)
}

/// User and password as far as the flags tell them.
async fn given<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<(String, String)> {
    let fail = |text: &str| Err(Error::Client(text.to_string()));
    for name in ["username", "password"] {
        if args.value(name) == Some("") {
            return fail(&format!("{name} is empty"));
        }
    }
    let username = args.value("username").unwrap_or("").to_string();
    if let Some(password) = args.value("password") {
        if args.given("password-stdin") {
            return fail("conflicting options: cannot specify both --password and --password-stdin");
        }
        ctx.warn("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n").await;
        return Ok((username, password.to_string()));
    }
    if !args.given("password-stdin") {
        return Ok((username, String::new()));
    }
    if username.is_empty() {
        return fail("the --password-stdin option requires --username to be set");
    }
    let bytes = if args.flag("password-stdin") { read_all_bytes(ctx).await? } else { Vec::new() };
    let password = String::from_utf8_lossy(&bytes);
    Ok((username, password.trim_end_matches(['\n', '\r']).to_string()))
}

/// Asks a person for what the flags did not tell; `before` is the user of the last time.
async fn prompt<W: World>(
    ctx: &Ctx<W>,
    server: &str,
    mut username: String,
    mut password: String,
    before: &str,
) -> Result<Credential> {
    let fail = |text: &str| Err(Error::Client(text.to_string()));
    if (username.is_empty() || password.is_empty()) && !ctx.client.is_tty(Stream::In) {
        return fail("Error: Cannot perform an interactive login from a non TTY device");
    }
    if username.is_empty() {
        if server == HUB {
            ctx.print(
                "Log in with your Docker ID or email address to push and pull images from Docker Hub. If you don't have \
                 a Docker ID, head over to https://hub.docker.com/ to create one.\n",
            )
            .await;
        }
        let question = if before.is_empty() { "Username: ".into() } else { format!("Username ({before}): ") };
        username = ask(ctx, &question).await?.trim().to_string();
        if username.is_empty() {
            username = before.to_string();
        }
        if username.is_empty() {
            return fail("Error: Non-null Username Required");
        }
    }
    if password.is_empty() {
        if server == HUB {
            let token = "A Personal Access Token (PAT) can be used instead.";
            hint(ctx, &[token, "To create a PAT, visit https://app.docker.com/settings", "", ""]).await;
        }
        password = ask_unseen(ctx, "Password: ").await?;
        if password.is_empty() {
            return fail("Error: Password Required");
        }
    }
    Ok(Credential { username, password })
}

/// Docker's frame for advice, on standard error.
async fn hint<W: World>(ctx: &Ctx<W>, lines: &[&str]) {
    let tty = ctx.client.is_tty(Stream::Err);
    let head =
        if tty { "\x1b[1m\x1b[106m\x1b[30mi\x1b[0m\x1b[0m \x1b[96mInfo → \x1b[0m\x1b[0m" } else { " Info -> " };
    let text = if tty { lines.join("\n         ") } else { lines.join("\n") };
    ctx.warn(format!("\n{head}{text}\n{}", if lines.len() == 1 { "\n\n" } else { "" })).await;
}

/// Asks the registry whether it knows the user.
async fn check<W: World>(ctx: &Ctx<W>, server: &str, credential: &Credential) -> Result<()> {
    let host = if server == HUB { host_of("docker.io") } else { server.to_string() };
    let tls = uses_tls(&host);
    let basic = credential.basic();
    let first = Request::new("GET", &host, tls, "/v2/");
    let mut request = first.clone();
    for _ in 0..3 {
        let act = SendRequest { request: request.clone() };
        let response = ctx.act("Ask the registry whether it knows this user", act).await;
        let response = response.map_err(|f| unreachable(&request, f))?;
        let asked = request.header("authorization").is_some();
        match (response.status, response.header("www-authenticate").and_then(Challenge::parse)) {
            (200, _) => return Ok(()),
            (401, Some(Challenge::Bearer { realm, service, .. })) if !asked => {
                let Some((scheme, rest)) = realm.split_once("://") else { break };
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                let service = service.map(|s| format!("&service={s}")).unwrap_or_default();
                let user = &credential.username;
                let path = format!("/{path}?account={user}&client_id=docker&offline_token=true{service}");
                request = Request::new("GET", host, scheme == "https", &path).with_header("Authorization", &basic);
            }
            (401, Some(Challenge::Basic { .. })) if !asked => {
                request = first.clone().with_header("Authorization", &basic);
            }
            (401, _) if request.url() == first.url() => {
                let url = first.url();
                return Err(Error::Daemon(format!("login attempt to {url} failed with status: 401 Unauthorized")));
            }
            (401, _) => break,
            (status, _) => {
                let reason = match RemoteError::of(&response) {
                    RemoteError::Failed(_) => format!("status: {status}"),
                    refused => refused.text(),
                };
                return Err(Error::Daemon(format!("login attempt to {} failed with {reason}", first.url())));
            }
        }
    }
    Err(Error::Daemon(format!("Get {:?}: unauthorized: incorrect username or password", first.url())))
}

pub async fn logout<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let server = server_of(call.args.word(0));
    let mut config = Config::read(ctx).await?;
    ctx.print(format!("Removing login credentials for {server}\n")).await;
    if config.set(&server, None) {
        config.write(ctx).await?;
    }
    Ok(0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers() {
        for (word, server) in [
            ("", HUB),
            ("docker.io", HUB),
            ("https://index.docker.io/v1/", HUB),
            ("localhost:5000", "localhost:5000"),
            ("https://localhost:5000/v1/", "localhost:5000"),
        ] {
            assert_eq!(server_of(word), server, "{word}");
        }
    }

    #[test]
    fn a_file_keeps_what_else_is_in_it() {
        let value = json!({"auths": {"https://a.example/v2/": {"auth": "dTpw"}}, "currentContext": "x"});
        let value = value.as_object().cloned().unwrap_or_default();
        let mut config = Config { folder: "/root/.docker".into(), value };
        let user = |name: &str| Credential { username: name.into(), password: "p".into() };
        assert!(config.get("a.example") == Some(user("u")));
        assert!(!config.set("a.example", Some(&user("u"))), "it is the same");
        assert!(config.set("a.example", Some(&user("v"))) && config.set(HUB, Some(&user("w"))));
        assert_eq!(
            pretty_tabs(&Value::Object(config.value.clone())),
            "{\n\t\"auths\": {\n\t\t\"a.example\": {\n\t\t\t\"auth\": \"djpw\"\n\t\t},\n\t\t\"https://index.docker.io/v1/\": \
             {\n\t\t\t\"auth\": \"dzpw\"\n\t\t}\n\t},\n\t\"currentContext\": \"x\"\n}"
        );
        assert!(config.set("a.example", None) && !config.set("a.example", None));
    }
}
