//! From a docker client to the engine of another host: over the simulated network, with what can go wrong there.

use super::daemon::WANTS_TLS;
use super::{Here, Host};
use crate::engine::context::{Endpoint, Target, Tls, Unreachable};
use crate::sim::kernel::{Machine, SimOs};
use crate::sim::programs::{http, names};
use cutaway_userland::Errno;
use cutaway_userland::os::{Address, Os, SocketKind};
use std::net::SocketAddr;
use std::rc::Rc;

/// Where a host's engine keeps its certificates.
pub const CERTIFICATES: &str = "/var/lib/boot2docker";

/// The host whose engine a client reaches.
pub async fn dial(here: &Here, target: &Target) -> Result<Rc<Host>, Unreachable> {
    match &target.endpoint {
        Endpoint::Tcp { host, port } => over_tcp(here, host, port, target.tls.as_ref()).await,
        Endpoint::Ssh { user, host, port, path } => {
            let user = user.as_deref().unwrap_or("root");
            over_ssh(here, user, host, port.unwrap_or(22)).await.map_err(|why| told_by_ssh(target, path, &why))
        }
        Endpoint::Unix(_) | Endpoint::Other(_) => Err(Unreachable::Silent),
    }
}

async fn over_tcp(here: &Here, name: &str, port: &str, tls: Option<&Tls>) -> Result<Rc<Host>, Unreachable> {
    let os = &here.os;
    let failed = |why: String| Err(Unreachable::Failed(why));
    let Ok(number) = port.parse::<u16>() else {
        return failed(format!("dial tcp: address {port}: invalid port"));
    };
    let Some(ip) = names::resolve(os, name).await else {
        return failed(format!("dial tcp: lookup {name}{}: no such host", name_server(os).await));
    };
    let to = SocketAddr::new(ip, number);
    let answer = match http::exchange(os, to, &http::Request::get("/_ping", name)).await {
        Ok(answer) => answer,
        Err(Errno::ECONNREFUSED | Errno::ETIMEDOUT) => return Err(Unreachable::Silent),
        Err(errno @ (Errno::EHOSTUNREACH | Errno::ENETUNREACH)) => {
            return failed(format!("dial tcp {to}: connect: {}", errno.text().to_lowercase()));
        }
        Err(_) => return failed("EOF".into()),
    };
    let speaks_tls = answer.body == WANTS_TLS.as_bytes();
    let (Some(tls), true) = (tls, speaks_tls) else {
        if tls.is_some() {
            return failed("http: server gave HTTP response to HTTPS client".into());
        }
        return Err(Unreachable::Refused(String::from_utf8_lossy(&answer.body).trim_end().to_string()));
    };
    let Some(host) = here.station.at(ip, &here.host) else { return Err(Unreachable::Silent) };
    shake_hands(&host, tls)?;
    Ok(host)
}

/// Who was asked for a name, as Go tells it.
async fn name_server(os: &SimOs) -> String {
    let config = cutaway_userland::io::read_file(os, "/etc/resolv.conf").await.unwrap_or_default();
    let config = String::from_utf8_lossy(&config).into_owned();
    let server = config.lines().find_map(|line| line.strip_prefix("nameserver"));
    server.map(|server| format!(" on {}:53", server.trim())).unwrap_or_default()
}

/// What TLS is about, without its arithmetic: each side must be vouched for by whom the other one trusts.
fn shake_hands(host: &Host, tls: &Tls) -> Result<(), Unreachable> {
    let failed = |why: &str| Err(Unreachable::Failed(why.into()));
    let own = host.world.machine().read_file(Machine::INIT, &format!("{CERTIFICATES}/ca.pem")).unwrap_or_default();
    if tls.verify && tls.ca != own {
        return failed("tls: failed to verify certificate: x509: certificate signed by unknown authority");
    }
    if tls.cert.is_empty() || tls.key.is_empty() {
        return failed("remote error: tls: certificate required");
    }
    Ok(())
}

/// The host where ssh lets a user in; else what ssh says. Simulated hosts know the key of whoever is on one.
pub async fn over_ssh(here: &Here, user: &str, name: &str, port: u16) -> Result<Rc<Host>, String> {
    let os = &here.os;
    let Some(ip) = names::resolve(os, name).await else {
        return Err(format!("ssh: Could not resolve hostname {name}: Name or service not known"));
    };
    let connected = connect(os, SocketAddr::new(ip, port)).await;
    if let Err(errno) = connected {
        return Err(format!("ssh: connect to host {name} port {port}: {}", errno.text()));
    }
    let host =
        here.station.at(ip, &here.host).ok_or("kex_exchange_identification: Connection closed by remote host")?;
    if port != 22 {
        return Err("kex_exchange_identification: Connection closed by remote host".into());
    }
    if !["root", "docker"].contains(&user) {
        return Err(format!("{user}@{name}: Permission denied (publickey)."));
    }
    Ok(host)
}

async fn connect(os: &SimOs, to: SocketAddr) -> Result<(), Errno> {
    let fd = os.socket(SocketKind::Tcp)?;
    let connected = os.connect(fd, &Address::Inet(to)).await;
    let _ = os.close(fd);
    connected
}

/// Docker's client has ssh run another docker there; this is what it says where that ends too early.
fn told_by_ssh(target: &Target, path: &str, why: &str) -> Unreachable {
    let Endpoint::Ssh { user, host, port, .. } = &target.endpoint else { return Unreachable::Silent };
    let user = user.as_ref().map(|user| format!("-l {user} ")).unwrap_or_default();
    let port = port.map(|port| format!("-p {port} ")).unwrap_or_default();
    let socket = if path.is_empty() { String::new() } else { format!("--host unix://{path} ") };
    Unreachable::Failed(format!(
        "command [ssh -o ConnectTimeout=30 -T {user}{port}-- {host} docker {socket}system dial-stdio] has exited with exit \
         status 255, make sure the URL is valid, and Docker 18.09 or later is installed on the remote host: \
         stderr={why}\n"
    ))
}
