//! Published ports, in two ways, as Docker has them. The supervisor listens on the host's port and passes on what it
//! hears: that works on every address of the host, loopback included, and a port that is taken is found out by really
//! binding it. Beside it the kernel leads what comes from elsewhere straight to the container, which costs less and
//! shows the container who calls.
//!
//! The rules outlive a supervisor that is killed. So a file in the container's runtime folder says that there are some;
//! whoever lets go of the container, or publishes a port next, takes them away.

use super::{conntrack, firewall};
use crate::sys::OrFault;
use crate::world::LinuxWorld;
use crate::world::container::state;
use cutaway_core::world::Fault;
use cutaway_core::world::acts::{Protocol, PublishPort};
use socket2::{Domain, Socket, Type};
use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// A published port: container, address and port of the host, protocol.
pub type PortKey = (String, IpAddr, u16, &'static str);

/// A client of a UDP port is forgotten when it has been silent for so long.
const SILENCE: Duration = Duration::from_secs(90);

pub async fn publish(world: &LinuxWorld, act: PublishPort) -> Result<u16, Fault> {
    let at = SocketAddr::new(act.host, act.host_port);
    let to = SocketAddr::new(act.to, act.port);
    let what = format!("bind {at}/{}", act.protocol.name());
    let (port, task) = match act.protocol {
        Protocol::Tcp => {
            let socket = bind(at, Type::STREAM, 4096).or_fault(what.clone())?;
            let listener = TcpListener::from_std(socket.into()).or_fault(what.clone())?;
            let port = listener.local_addr().or_fault(what)?.port();
            (port, tokio::task::spawn_local(pass_connections(listener, to)))
        }
        Protocol::Udp => {
            let socket = bind(at, Type::DGRAM, 0).or_fault(what.clone())?;
            let socket = UdpSocket::from_std(socket.into()).or_fault(what.clone())?;
            let port = socket.local_addr().or_fault(what)?.port();
            (port, tokio::task::spawn_local(pass_datagrams(Rc::new(socket), to)))
        }
        Protocol::Sctp => hold(&act, at).or_fault(what)?,
    };
    let act = PublishPort { host_port: port, ..act };
    if act.protocol == Protocol::Sctp && !firewall::can_lead(&act) && !act.host.is_unspecified() {
        task.abort();
        return Err(Fault::Unsupported("SCTP ports are led by rules alone, which the loopback does not pass".into()));
    }
    let key = (act.container.clone(), act.host, port, act.protocol.name());
    world.ports.borrow_mut().insert(key, task);
    if firewall::can_lead(&act)
        && let Err(fault) = lead(world, &act)
    {
        unpublish(world, &act.container, act.host, port, act.protocol);
        return Err(fault);
    }
    Ok(port)
}

fn lead(world: &LinuxWorld, act: &PublishPort) -> Result<(), Fault> {
    sweep(world, &act.container);
    let mark = mark(world, &act.container);
    if let Some(folder) = mark.parent() {
        fs::create_dir_all(folder).or_fault(format!("mkdir {}", folder.display()))?;
    }
    fs::write(&mark, "").or_fault(format!("write {}", mark.display()))?;
    let mut led = world.led.borrow_mut();
    let ports = led.entry(act.container.clone()).or_default();
    ports.push(act.clone());
    firewall::lead(&act.container, ports, &world.told)?;
    drop(led);
    start_afresh(act);
    Ok(())
}

/// What came to a UDP port of the host before is led anew.
fn start_afresh(port: &PublishPort) {
    if port.protocol == Protocol::Udp {
        conntrack::forget(port.host_port, SocketAddr::new(port.to, port.port));
    }
}

/// Holds a port of SCTP while it is published: rules alone lead it. By a socket where the kernel has that protocol, so
/// that a port that is taken is found out.
fn hold(act: &PublishPort, at: SocketAddr) -> std::io::Result<(u16, tokio::task::JoinHandle<()>)> {
    const SCTP: i32 = 132;
    let socket = match Socket::new(Domain::for_address(at), Type::STREAM.cloexec(), Some(SCTP.into())) {
        Ok(socket) => {
            if at.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            socket.bind(&at.into())?;
            Some(socket)
        }
        Err(_) => None,
    };
    let port = match (&socket, act.host_port) {
        (Some(socket), _) => socket.local_addr()?.as_socket().map_or(act.host_port, |a| a.port()),
        // Any number will do that nobody has of another protocol.
        (None, 0) => std::net::UdpSocket::bind(at)?.local_addr()?.port(),
        (None, port) => port,
    };
    let task = tokio::task::spawn_local(async move {
        let _held = socket;
        std::future::pending::<()>().await;
    });
    Ok((port, task))
}

/// Takes a published port back.
pub fn unpublish(world: &LinuxWorld, container: &str, host: IpAddr, host_port: u16, protocol: Protocol) {
    let key = (container.to_string(), host, host_port, protocol.name());
    // Dropping the task closes the port.
    if let Some(task) = world.ports.borrow_mut().remove(&key) {
        task.abort();
    }
    let mut led = world.led.borrow_mut();
    let Some(ports) = led.get_mut(container) else { return };
    let is_it = |p: &PublishPort| p.host == host && p.host_port == host_port && p.protocol == protocol;
    let before = ports.len();
    let gone: Vec<PublishPort> = ports.iter().filter(|p| is_it(p)).cloned().collect();
    ports.retain(|p| !is_it(p));
    // The last ones go with the container.
    if ports.len() < before && !ports.is_empty() {
        let _ = firewall::lead(container, ports, &world.told);
    } else if ports.is_empty() {
        led.remove(container);
        drop(led);
        withdraw(world, container);
    }
    gone.iter().for_each(start_afresh);
}

/// The file that says that the kernel has rules for a container's ports.
fn mark(world: &LinuxWorld, container: &str) -> PathBuf {
    state::folder(&world.runtime, container).join("rules")
}

/// Takes the rules of a container away, if there are any.
pub fn withdraw(world: &LinuxWorld, container: &str) {
    let mark = mark(world, container);
    if mark.exists() {
        firewall::withdraw(container);
        let _ = fs::remove_file(mark);
    }
}

/// Takes away the rules of containers that are dead, and whose supervisors could not do it.
fn sweep(world: &LinuxWorld, except: &str) {
    for entry in fs::read_dir(world.runtime.join("containers")).into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().map(str::to_string) else { continue };
        let marked = id != except && entry.path().join("rules").exists();
        if marked && world.live_pid(&id).is_none() && !state::is_supervised(&world.runtime, &id) {
            withdraw(world, &id);
        }
    }
}

/// Where Docker looks for a port that nobody has, from the first one on.
const FREE: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// A bound socket; port 0 takes the first free one.
fn bind(at: SocketAddr, kind: Type, backlog: i32) -> std::io::Result<Socket> {
    if at.port() != 0 {
        return bind_to(at, kind, backlog);
    }
    let taken = |e: &std::io::Error| e.kind() == std::io::ErrorKind::AddrInUse;
    let mut tries = FREE.map(|port| bind_to(SocketAddr::new(at.ip(), port), kind, backlog));
    let found = tries.find(|tried| !tried.as_ref().is_err_and(taken));
    found.unwrap_or_else(|| Err(std::io::ErrorKind::AddrInUse.into()))
}

/// A bound socket; of an IPv6 address only that, as the same port of IPv4 is published beside it.
fn bind_to(at: SocketAddr, kind: Type, backlog: i32) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(at), kind.nonblocking().cloexec(), None)?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if backlog > 0 {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&at.into())?;
    if backlog > 0 {
        socket.listen(backlog)?;
    }
    Ok(socket)
}

async fn pass_connections(listener: TcpListener, to: SocketAddr) {
    loop {
        let Ok((mut outer, _)) = listener.accept().await else {
            // Out of descriptors: wait for some to be given back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        tokio::task::spawn_local(async move {
            if let Ok(mut inner) = TcpStream::connect(to).await {
                let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
            }
        });
    }
}

async fn pass_datagrams(socket: Rc<UdpSocket>, to: SocketAddr) {
    let mut clients: BTreeMap<SocketAddr, Rc<UdpSocket>> = BTreeMap::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let Ok((n, from)) = socket.recv_from(&mut buffer).await else { continue };
        // Only a client's own task holds its socket besides this map: alone here means that it has ended.
        clients.retain(|_, inner| Rc::strong_count(inner) > 1);
        let inner = match clients.get(&from) {
            Some(inner) => inner.clone(),
            None => {
                let any: IpAddr =
                    if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
                let Ok(inner) = UdpSocket::bind((any, 0)).await else { continue };
                if inner.connect(to).await.is_err() {
                    continue;
                }
                let inner = Rc::new(inner);
                clients.insert(from, inner.clone());
                tokio::task::spawn_local(answers(inner.clone(), socket.clone(), from));
                inner
            }
        };
        let _ = inner.send(&buffer[..n]).await;
    }
}

async fn answers(inner: Rc<UdpSocket>, outer: Rc<UdpSocket>, to: SocketAddr) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(Ok(n)) = tokio::time::timeout(SILENCE, inner.recv(&mut buffer)).await {
        let _ = outer.send_to(&buffer[..n], to).await;
    }
}
