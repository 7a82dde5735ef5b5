//! `docker login` and `docker logout`.

use super::keychain::{Credential, HUB, Keychain, host_of_server, server_of};
use super::remote::{RemoteError, host_of, unreachable, uses_tls};
use crate::cli::{Args, Invocation};
use crate::engine::system::{ask, ask_unseen};
use crate::engine::{Ctx, Error, Result};
use crate::registry::{Challenge, Request};
use crate::world::acts::SendRequest;
use crate::world::{Stream, World};

pub async fn login<W: World>(ctx: &Ctx<W>, call: &Invocation) -> Result<i32> {
    let server = server_of(call.args.word(0));
    let mut chain = Keychain::read(ctx).await?;
    let (username, password) = given(ctx, &call.args).await?;
    let untold = username.is_empty() && password.is_empty();
    let known = if untold { chain.get(ctx, &server).await.unwrap_or(None) } else { None };
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
    if chain.keep(ctx, &server, &credential).await? {
        let path = chain.path();
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
    let mut chain = Keychain::read(ctx).await?;
    let (shown, keys) = match call.args.word(0) {
        "" => (HUB, vec![HUB.to_string()]),
        word => {
            let host = host_of_server(word);
            (host, vec![word.to_string(), host.to_string(), format!("http://{host}"), format!("https://{host}")])
        }
    };
    ctx.print(format!("Removing login credentials for {shown}\n")).await;
    let problems = chain.forget(ctx, &keys).await?;
    if !problems.is_empty() {
        ctx.warn(format!("WARNING: could not erase credentials:\n{}\n", problems.join("\n"))).await;
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
