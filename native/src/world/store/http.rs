//! Talking to registries: one request, one answer. It blocks, so it runs on a worker thread.
//!
//! Where Docker Hub can't be reached, it is the images that cutaway carries which answer.

use super::Store;
use super::blobs::NewBlob;
use super::carried;
use cutaway_core::registry::{Request, Response};
use cutaway_core::world::Fault;
use std::fs::File;
use std::io::{self, Read};
use std::sync::OnceLock;
use std::time::Duration;
use ureq::{Agent, AsSendBody, Body};

/// Connecting must fail fast, so that a machine without a network knows it soon.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(60);
/// Manifests, tokens and errors are small.
const LARGEST_ANSWER: u64 = 64 << 20;

fn agent() -> &'static Agent {
    static AGENT: OnceLock<Agent> = OnceLock::new();
    AGENT.get_or_init(|| {
        Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .user_agent(concat!("cutaway/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent()
    })
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
        other => other.to_string(),
    };
    Fault::Network { host: request.host.clone(), reason }
}

fn exchange(request: &Request, body: impl AsSendBody) -> Result<ureq::http::Response<Body>, Fault> {
    let scheme = if request.tls { "https" } else { "http" };
    let mut built = ureq::http::Request::builder()
        .method(request.method.as_str())
        .uri(format!("{scheme}://{}{}", request.host, request.path));
    for (name, value) in &request.headers {
        built = built.header(name.as_str(), value.as_str());
    }
    let bad = |e: ureq::http::Error| Fault::Network { host: request.host.clone(), reason: e.to_string() };
    agent().run(built.body(body).map_err(bad)?).map_err(|e| failed(request, &e))
}

fn read(request: &Request, answer: ureq::http::Response<Body>) -> Result<Response, Fault> {
    let status = answer.status().as_u16();
    let text = |v: &ureq::http::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    let headers = answer.headers().iter().map(|(n, v)| (n.to_string(), text(v))).collect();
    let body = answer.into_body().into_with_config().limit(LARGEST_ANSWER).read_to_vec();
    Ok(Response { status, headers, body: body.map_err(|e| failed(request, &e))? })
}

/// Sends a request whose body is in memory.
pub fn send(store: &Store, request: &Request) -> Result<Response, Fault> {
    let sent = if request.body.is_empty() && matches!(request.method.as_str(), "GET" | "HEAD" | "DELETE") {
        exchange(request, ())
    } else {
        exchange(request, request.body.as_slice())
    };
    match sent {
        Ok(answer) => read(request, answer),
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
