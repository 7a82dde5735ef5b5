//! A repository of a registry as the engine talks to it: which host, what to show at the door, what its
//! refusals mean.

use super::keychain;
use crate::cli::Args;
use crate::engine::{Ctx, Error, Result};
use crate::name::Reference;
use crate::registry::{Challenge, Request, Response};
use crate::world::acts::SendRequest;
use crate::world::{Fault, World};
use std::cell::RefCell;

/// One repository, and the right to use it.
pub struct Remote<'a, W> {
    ctx: &'a Ctx<W>,
    host: String,
    tls: bool,
    any_certificate: bool,
    repository: String,
    /// `pull` or `pull,push`.
    actions: &'static str,
    authorization: RefCell<Option<String>>,
}

/// Why a registry did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteError {
    /// It answered with this error: its code, as `MANIFEST_UNKNOWN`, and its message.
    Refused { status: u16, code: String, message: String },
    /// Anything else, worded.
    Failed(String),
}

impl RemoteError {
    /// What the answer says.
    pub fn of(response: &Response) -> RemoteError {
        let value: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let error = &value["errors"][0];
        match (error["code"].as_str(), response.status) {
            (Some(code), status) => RemoteError::Refused {
                status,
                code: code.to_string(),
                message: error["message"].as_str().unwrap_or("").to_string(),
            },
            (None, 401) => RemoteError::Refused {
                status: 401,
                code: "UNAUTHORIZED".into(),
                message: "authentication required".into(),
            },
            (None, 404) => RemoteError::Refused { status: 404, code: "NOT_FOUND".into(), message: "not found".into() },
            (None, status) => RemoteError::Failed(format!("received unexpected HTTP status: {status}")),
        }
    }

    /// As Docker prints it: `manifest unknown: manifest unknown`.
    pub fn text(&self) -> String {
        match self {
            RemoteError::Refused { code, message, .. } => {
                format!("{}: {message}", code.to_lowercase().replace('_', " "))
            }
            RemoteError::Failed(text) => text.clone(),
        }
    }

    /// As Docker words it where `reference` was to be pulled.
    pub fn of_pull(&self, reference: &Reference) -> Error {
        let name = reference.familiar_name();
        Error::Daemon(match self {
            RemoteError::Refused { code, .. } => match code.as_str() {
                "MANIFEST_UNKNOWN" => format!("manifest for {} not found: {}", reference.familiar(), self.text()),
                "NAME_UNKNOWN" => format!("repository {name} not found: {}", self.text()),
                "DENIED" | "UNAUTHORIZED" => format!(
                    "pull access denied for {name}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied"
                ),
                _ => self.text(),
            },
            RemoteError::Failed(text) => text.clone(),
        })
    }
}

/// What `pull` and `push` are about: the name, and whether `--all-tags` and `--quiet` were given.
pub async fn named<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<(Reference, bool, bool)> {
    let reference = Reference::parse(args.word(0)).map_err(|e| Error::Client(e.to_string()))?;
    let (all, quiet) = (args.flag("all-tags"), args.flag("quiet"));
    if all && !reference.is_name_only() {
        return Err(Error::Client("tag can't be used with --all-tags/-a".into()));
    }
    if all || !reference.is_name_only() {
        return Ok((reference, all, quiet));
    }
    if !quiet {
        ctx.print("Using default tag: latest\n").await;
    }
    Ok((reference.with_default_tag(), all, quiet))
}

/// The host that serves a registry's name.
pub fn host_of(domain: &str) -> String {
    if domain == "docker.io" { "registry-1.docker.io".to_string() } else { domain.to_string() }
}

/// Whether a registry is asked over TLS: all but those on this machine.
pub(super) fn uses_tls(host: &str) -> bool {
    !is_loopback(host)
}

/// Whether a host, with its port or without, is this machine by its name.
pub fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost" || name.starts_with("127.") || name == "[::1]"
}

/// What an unreachable host says, as Go's client words it.
pub fn unreachable(request: &Request, fault: Fault) -> Error {
    match fault {
        Fault::Network { reason, .. } => {
            let method = request.method.to_lowercase();
            let verb = method[..1].to_uppercase() + &method[1..];
            Error::Daemon(format!("{verb} \"{}\": {reason}", request.url()))
        }
        other => other.into(),
    }
}

impl<'a, W: World> Remote<'a, W> {
    /// Knocks at the registry, and gets a token where it wants one.
    pub async fn connect(ctx: &'a Ctx<W>, reference: &Reference, actions: &'static str) -> Result<Remote<'a, W>> {
        if reference.familiar_name() == "scratch" {
            return Err(Error::Daemon("'scratch' is a reserved name".into()));
        }
        let tls = uses_tls(&host_of(reference.domain()));
        Remote::over(ctx, reference, actions, tls, false).await
    }

    /// The same, over TLS or in the clear; `any_certificate` takes the registry for who it says it is.
    pub async fn over(
        ctx: &'a Ctx<W>,
        reference: &Reference,
        actions: &'static str,
        tls: bool,
        any_certificate: bool,
    ) -> Result<Remote<'a, W>> {
        let remote = Remote::at(ctx, reference, actions, tls, any_certificate);
        let ping = remote.request("GET", "/v2/");
        let response = remote.exchange("Ask whether the registry speaks the distribution protocol", ping).await?;
        if response.status == 401 {
            remote.authorize(&response).await?;
        }
        Ok(remote)
    }

    /// The same without knocking: the right is got when the first request is refused.
    pub fn at(
        ctx: &'a Ctx<W>,
        reference: &Reference,
        actions: &'static str,
        tls: bool,
        any_certificate: bool,
    ) -> Remote<'a, W> {
        Remote {
            ctx,
            host: host_of(reference.domain()),
            tls,
            any_certificate,
            repository: reference.path().to_string(),
            actions,
            authorization: RefCell::new(None),
        }
    }

    /// A request on a path of the repository, as `manifests/latest`.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let full = if path.starts_with('/') { path.to_string() } else { format!("/v2/{}/{path}", self.repository) };
        let mut request = Request::new(method, &self.host, self.tls, &full);
        request.any_certificate = self.any_certificate;
        match self.authorization.borrow().as_deref() {
            Some(authorization) => request.with_header("Authorization", authorization),
            None => request,
        }
    }

    /// Sends a request; where the registry wants a token for it, gets one and sends it again.
    pub async fn send(&self, why: &str, request: Request) -> Result<Response> {
        let response = self.exchange(why, request.clone()).await?;
        let challenge = response.header("www-authenticate");
        // A token that does not allow it is all that can be had.
        let enough =
            |challenge: &str| challenge.contains("insufficient_scope") && self.authorization.borrow().is_some();
        if response.status != 401 || challenge.is_none_or(enough) {
            return Ok(response);
        }
        self.authorize(&response).await?;
        let mut again = request;
        again.headers.retain(|(name, _)| name != "Authorization");
        if let Some(authorization) = self.authorization.borrow().as_deref() {
            again = again.with_header("Authorization", authorization);
        }
        self.exchange(why, again).await
    }

    async fn exchange(&self, why: &str, request: Request) -> Result<Response> {
        self.ctx.act(why, SendRequest { request: request.clone() }).await.map_err(|f| unreachable(&request, f))
    }

    /// Does what the `WWW-Authenticate` header of an answer asks for.
    async fn authorize(&self, response: &Response) -> Result<()> {
        let Some(challenge) = response.header("www-authenticate").and_then(Challenge::parse) else { return Ok(()) };
        let basic = keychain::stored(self.ctx, &self.host).await.map(|c| c.basic());
        match challenge {
            Challenge::Basic { .. } => *self.authorization.borrow_mut() = basic,
            Challenge::Bearer { realm, service, .. } => {
                let token = self.token(&realm, service.as_deref(), basic.as_deref()).await?;
                *self.authorization.borrow_mut() = token.map(|t| format!("Bearer {t}"));
            }
        }
        Ok(())
    }

    async fn token(&self, realm: &str, service: Option<&str>, basic: Option<&str>) -> Result<Option<String>> {
        let Some((scheme, rest)) = realm.split_once("://") else { return Ok(None) };
        let (host, path) = rest.split_once('/').map_or((rest, String::new()), |(h, p)| (h, format!("/{p}")));
        let scope = format!("repository:{}:{}", self.repository, self.actions);
        let service = service.map(|s| format!("service={s}&")).unwrap_or_default();
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut request = Request::new("GET", host, scheme == "https", &format!("{path}{joint}{service}scope={scope}"));
        if let Some(basic) = basic {
            request = request.with_header("Authorization", basic);
        }
        let response = self.exchange("Get a token that allows what this command needs", request).await?;
        if response.status != 200 {
            return Err(Error::Daemon(RemoteError::of(&response).text()));
        }
        let value: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let token = value["token"].as_str().or(value["access_token"].as_str());
        Ok(token.map(str::to_string))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (domain, host, tls) in [
            ("docker.io", "registry-1.docker.io", true),
            ("localhost:5000", "localhost:5000", false),
            ("127.0.0.1:5000", "127.0.0.1:5000", false),
            ("ghcr.io", "ghcr.io", true),
        ] {
            assert_eq!((host_of(domain).as_str(), uses_tls(&host_of(domain))), (host, tls));
        }
    }

    #[test]
    fn refusals_in_dockers_words() {
        let reference = Reference::parse("localhost:5000/no/such").unwrap().with_default_tag();
        for (status, body, text) in [
            (
                404,
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#,
                "manifest for localhost:5000/no/such:latest not found: manifest unknown: manifest unknown",
            ),
            (
                401,
                "",
                "pull access denied for localhost:5000/no/such, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
            ),
            (500, "", "received unexpected HTTP status: 500"),
        ] {
            let response = Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() };
            assert_eq!(RemoteError::of(&response).of_pull(&reference), Error::Daemon(text.into()));
        }
    }
}
