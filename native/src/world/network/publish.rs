//! Published ports: the supervisor listens on the host's port and passes on what it hears.
//!
//! It works on every address of the host, loopback included, needs no rules in the kernel, and a port that
//! is taken is found out by really binding it.

use crate::sys::OrFault;
use crate::world::LinuxWorld;
use cutaway_core::world::Fault;
use cutaway_core::world::acts::{Protocol, PublishPort};
use socket2::{Domain, Socket, Type};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// A published port: container, address and port of the host, protocol.
pub type PortKey = (String, IpAddr, u16, &'static str);

/// A client of a UDP port is forgotten when it has been silent for so long.
const SILENCE: Duration = Duration::from_secs(90);

pub async fn publish(world: &LinuxWorld, act: PublishPort) -> Result<u16, Fault> {
    let at = SocketAddr::new(act.host, act.host_port);
    let to = SocketAddr::new(IpAddr::V4(act.to), act.port);
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
        Protocol::Sctp => return Err(Fault::Unsupported("publishing SCTP ports is not supported".into())),
    };
    let key = (act.container, act.host, port, act.protocol.name());
    world.ports.borrow_mut().insert(key, task);
    Ok(port)
}

/// A bound socket; of an IPv6 address only that, as the same port of IPv4 is published beside it.
fn bind(at: SocketAddr, kind: Type, backlog: i32) -> std::io::Result<Socket> {
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
                let Ok(inner) = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await else { continue };
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
