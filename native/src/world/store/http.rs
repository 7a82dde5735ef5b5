//! Talking to registries: one request, one answer. It blocks, so it runs on a worker thread.
//!
//! Where Docker Hub can't be reached, it is the images that cutaway carries which answer.

use super::Store;
use super::blobs::NewBlob;
use super::carried;
use cutaway_core::registry::{Request, Response};
use cutaway_core::world::Fault;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, AsSendBody, Body};

/// Connecting must fail fast, so that a machine without a network knows it soon.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(60);
/// Manifests, tokens and errors are small.
const LARGEST_ANSWER: u64 = 64 << 20;

/// Where the administrator keeps authorities of registries, a folder each: `HOST:PORT/*.crt`, as Docker's daemon reads
/// them.
const AUTHORITIES: &str = "/etc/docker/certs.d";

/// How one registry is spoken to; found out once in a process.
#[derive(Clone)]
struct Line {
    agent: Agent,
    /// The registry of a loopback address turned out to speak TLS.
    secured: bool,
}

static LINES: Mutex<BTreeMap<String, Line>> = Mutex::new(BTreeMap::new());

/// The line to the registry that a request is for.
fn line(request: &Request) -> Line {
    let host = &request.host;
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    if request.tls && request.any_certificate {
        return lines
            .entry(format!("any {host}"))
            .or_insert_with(|| Line { agent: trusting(), secured: false })
            .clone();
    }
    let fresh = || Line { agent: agent(TlsConfig::builder().root_certs(authorities(host)).build()), secured: false };
    lines.entry(host.clone()).or_insert_with(fresh).clone()
}

/// Takes every server for who it says it is.
fn trusting() -> Agent {
    agent(TlsConfig::builder().disable_verification(true).build())
}

/// From now on TLS with a registry of this machine's own loopback. Nobody else can answer there, and Docker does not
/// check who does, either.
fn secure(host: &str) {
    let line = Line { agent: trusting(), secured: true };
    LINES.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_string(), line);
}

/// The authorities that a registry's certificate may come from: those kept for it, else those of the web.
fn authorities(host: &str) -> RootCerts {
    let entries = std::fs::read_dir(Path::new(AUTHORITIES).join(host)).into_iter().flatten().flatten();
    let files = entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "crt"));
    let read = files.filter_map(|path| std::fs::read(path).ok());
    let certificates: Vec<Certificate<'static>> = read
        .flat_map(|pem| parse_pem(&pem).collect::<Vec<_>>())
        .filter_map(|item| if let Ok(PemItem::Certificate(c)) = item { Some(c) } else { None })
        .collect();
    if certificates.is_empty() { RootCerts::WebPki } else { RootCerts::new_with_certs(&certificates) }
}

fn agent(tls: TlsConfig) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(ANSWER))
        .user_agent(concat!("cutaway/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build()
        .new_agent()
}

fn failed(request: &Request, error: &ureq::Error) -> Fault {
    let reason = match error {
        ureq::Error::HostNotFound => format!("dial tcp: lookup {}: no such host", request.host),
        ureq::Error::Io(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
            format!("dial tcp {}: connect: connection refused", request.host)
        }
        // The C library's resolver has no error number of its own.
        ureq::Error::Io(e) if e.to_string().contains("lookup address") => {
            format!("dial tcp: lookup {}: no such host", request.host)
        }
        other => {
            let text = other.to_string();
            if text.contains("InvalidContentType") {
                "http: server gave HTTP response to HTTPS client".into()
            } else if text.contains("UnknownIssuer") {
                "tls: failed to verify certificate: x509: certificate signed by unknown authority".into()
            } else {
                text
            }
        }
    };
    Fault::Network { host: request.host.clone(), reason }
}

fn exchange(request: &Request, body: impl AsSendBody) -> Result<ureq::http::Response<Body>, Fault> {
    let line = line(request);
    let scheme = if request.tls || line.secured { "https" } else { "http" };
    let mut built = ureq::http::Request::builder()
        .method(request.method.as_str())
        .uri(format!("{scheme}://{}{}", request.host, request.path));
    for (name, value) in &request.headers {
        built = built.header(name.as_str(), value.as_str());
    }
    let bad = |e: ureq::http::Error| Fault::Network { host: request.host.clone(), reason: e.to_string() };
    line.agent.run(built.body(body).map_err(bad)?).map_err(|e| failed(request, &e))
}

fn read(request: &Request, answer: ureq::http::Response<Body>) -> Result<Response, Fault> {
    let status = answer.status().as_u16();
    let text = |v: &ureq::http::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    let headers = answer.headers().iter().map(|(n, v)| (n.to_string(), text(v))).collect();
    let body = answer.into_body().into_with_config().limit(LARGEST_ANSWER).read_to_vec();
    Ok(Response { status, headers, body: body.map_err(|e| failed(request, &e))? })
}

/// Whether a server says that it was spoken to in the clear and speaks TLS. A conversation begins with a question
/// that carries no secret, and it is that one which finds it out.
fn wants_tls(request: &Request, answer: &Response) -> bool {
    let told = || String::from_utf8_lossy(&answer.body).contains("HTTPS");
    !request.tls && answer.status == 400 && request.path == "/v2/" && told()
}

/// Sends a request whose body is in memory.
pub fn send(store: &Store, request: &Request) -> Result<Response, Fault> {
    let sent = if request.body.is_empty() && matches!(request.method.as_str(), "GET" | "HEAD" | "DELETE") {
        exchange(request, ())
    } else {
        exchange(request, request.body.as_slice())
    };
    match sent {
        Ok(answer) => {
            let answer = read(request, answer)?;
            if wants_tls(request, &answer) && !line(request).secured {
                secure(&request.host);
                return send(store, request);
            }
            Ok(answer)
        }
        Err(fault) => carried::stand_in(store, request).ok_or(fault),
    }
}

/// Sends a request and writes the body of its answer; more than `size` bytes are an error.
pub fn download(store: &Store, request: &Request, size: u64, to: &mut NewBlob) -> Result<(), Fault> {
    let answer = match exchange(request, ()) {
        Ok(answer) => answer,
        Err(fault) => {
            let response = carried::stand_in(store, request).ok_or(fault)?;
            return copy(request, &mut response.body.as_slice(), size, to);
        }
    };
    let status = answer.status().as_u16();
    if status != 200 {
        let reason = format!("unexpected status {status} for {}", request.path);
        return Err(Fault::Network { host: request.host.clone(), reason });
    }
    let mut reader = answer.into_body().into_with_config().limit(u64::MAX).reader();
    copy(request, &mut reader, size, to)
}

fn copy(request: &Request, from: &mut dyn Read, size: u64, to: &mut NewBlob) -> Result<(), Fault> {
    let broken = |reason: String| Fault::Network { host: request.host.clone(), reason };
    let copied = io::copy(&mut from.take(size.saturating_add(1)), to).map_err(|e| broken(e.to_string()))?;
    if copied == size { Ok(()) } else { Err(broken(format!("expected {size} bytes, got {copied}"))) }
}

/// Sends a file of ours as the body of a request.
pub fn upload(request: &Request, file: File) -> Result<Response, Fault> {
    read(request, exchange(request, file)?)
}
