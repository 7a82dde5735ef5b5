//! Acts on content: blobs in memory, and requests to registries. Docker Hub is in the simulator itself; any
//! other registry is whatever listens at that address of the simulated network.

use super::SimWorld;
use crate::name::Digest;
use crate::registry::{Request, Response};
use crate::sim::kernel::Machine;
use crate::sim::programs::{http, names};
use crate::world::acts::*;
use crate::world::{Fault, Performs};
use cutaway_userland::Errno;
use std::net::SocketAddr;
use std::rc::Rc;

/// Hosts that are Docker Hub.
const HUB: [&str; 4] = ["registry-1.docker.io", "docker.io", "index.docker.io", "auth.docker.io"];

impl SimWorld {
    fn blob(&self, digest: &Digest) -> Result<Rc<[u8]>, Fault> {
        let blob = self.0.kept.borrow().blobs.get(digest).cloned();
        blob.ok_or_else(|| Fault::errno(Errno::ENOENT, format!("open blob {digest}")))
    }

    fn keep_blob(&self, digest: Digest, bytes: Rc<[u8]>) {
        self.0.kept.borrow_mut().blobs.insert(digest, bytes);
    }

    async fn send(&self, request: Request) -> Result<Response, Fault> {
        if HUB.contains(&request.host.as_str()) {
            return Ok(self.0.hub.answer(&request));
        }
        let network = |reason: String| Fault::Network { host: request.host.clone(), reason };
        let (name, port) = match request.host.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().map_err(|_| network(format!("invalid port {port:?}")))?),
            None => (request.host.as_str(), if request.tls { 443 } else { 80 }),
        };
        let host = self.machine().os(Machine::INIT);
        let Some(ip) = names::resolve(&host, name).await else {
            return Err(network(format!("dial tcp: lookup {name}: no such host")));
        };
        let to = SocketAddr::new(ip, port);
        let mut headers = request.headers.clone();
        headers.retain(|(n, _)| !matches!(n.to_ascii_lowercase().as_str(), "host" | "connection" | "content-length"));
        headers.insert(0, ("Host".into(), request.host.clone()));
        headers.push(("Connection".into(), "close".into()));
        let message = http::Request {
            method: request.method.clone(),
            target: request.path.clone(),
            version: "HTTP/1.1".into(),
            headers,
            body: request.body.clone(),
        };
        match http::exchange(&host, to, &message).await {
            // What answers here in plain text can't be one that speaks TLS.
            Ok(_) if request.tls => Err(network("http: server gave HTTP response to HTTPS client".into())),
            Ok(answer) => Ok(Response { status: answer.status, headers: answer.headers, body: answer.body }),
            Err(errno @ (Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::ETIMEDOUT)) => {
                Err(network(format!("dial tcp {to}: connect: {}", errno.text().to_lowercase())))
            }
            Err(Errno::ECONNRESET) => Err(network("EOF".into())),
            Err(errno) => Err(network(errno.text().to_lowercase())),
        }
    }
}

impl Performs<PutBlob> for SimWorld {
    async fn perform(&self, act: PutBlob) -> Result<Digest, Fault> {
        let digest = Digest::of(&act.bytes);
        self.keep_blob(digest, act.bytes);
        Ok(digest)
    }
}

impl Performs<RemoveBlob> for SimWorld {
    async fn perform(&self, act: RemoveBlob) -> Result<(), Fault> {
        self.0.kept.borrow_mut().blobs.remove(&act.digest);
        Ok(())
    }
}

impl Performs<SendRequest> for SimWorld {
    async fn perform(&self, act: SendRequest) -> Result<Response, Fault> {
        self.send(act.request).await
    }
}

impl Performs<FetchBlob> for SimWorld {
    async fn perform(&self, act: FetchBlob) -> Result<u64, Fault> {
        let host = act.request.host.clone();
        let answer = self.send(act.request).await?;
        if answer.status != 200 {
            let reason = format!("unexpected status {} for blob {}", answer.status, act.digest);
            return Err(Fault::Network { host, reason });
        }
        let actual = Digest::of(&answer.body);
        if actual != act.digest {
            return Err(Fault::Digest { expected: act.digest.to_string(), actual: actual.to_string() });
        }
        let size = answer.body.len() as u64;
        self.keep_blob(actual, answer.body.into());
        Ok(size)
    }
}

impl Performs<CheckOutGit> for SimWorld {
    async fn perform(&self, act: CheckOutGit) -> Result<CheckedOut, Fault> {
        // There is no git server on the simulated network: what can be found out is whether the host is there.
        let remote = &act.source.remote;
        let after = remote.split_once("://").map_or(remote.as_str(), |(_, rest)| rest);
        let host = after.rsplit_once('@').map_or(after, |(_, rest)| rest).split(['/', ':']).next().unwrap_or("");
        let known = names::resolve(&self.machine().os(Machine::INIT), host).await.is_some();
        let reason = match (remote.split_once("://").map(|(scheme, _)| scheme), known) {
            (Some("http" | "https"), false) => {
                format!("unable to access '{remote}/': Could not resolve host: {host}")
            }
            (Some("http" | "https"), true) => format!("unable to access '{remote}/': Failed to connect to {host}"),
            (Some("git"), false) => format!("unable to look up {host} (port 9418) (Name or service not known)"),
            (Some("git"), true) => format!("unable to connect to {host}: Connection refused"),
            _ => "Could not read from remote repository.".to_string(),
        };
        Err(Fault::Malformed {
            what: format!("failed to fetch remote {remote}"),
            reason: format!("git stderr:\nfatal: {reason}\n: exit status 128"),
        })
    }
}

impl Performs<PushBlob> for SimWorld {
    async fn perform(&self, act: PushBlob) -> Result<Response, Fault> {
        let mut request = act.request;
        request.body = self.blob(&act.digest)?.to_vec();
        self.send(request).await
    }
}
