//! Name service of a container: sockets at 127.0.0.11:53 inside its network namespace, for datagrams and for streams,
//! answered by the supervisor from the records. What they don't know is asked of other name servers: those of `--dns`,
//! from inside the container, or the host's, from the host.

use crate::sys::{OrFault, errno_of};
use crate::world::LinuxWorld;
use cutaway_core::engine::names;
use cutaway_core::network::dns::{self, Answer};
use cutaway_core::world::Fault;
use socket2::{Domain, Socket, Type};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
/// How long another name server is waited for.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long a caller may say nothing on a stream.
const SILENCE: Duration = Duration::from_secs(10);

/// Opens the sockets inside and answers until the container is released.
pub fn serve(world: &LinuxWorld, container: &str) -> Result<(), Fault> {
    let pid = world.pid_of(container)?;
    let what = "serve names at 127.0.0.11";
    let open = || {
        let mut links = super::Netlink::open()?;
        let _ = links.set_up("lo");
        let datagrams = std::net::UdpSocket::bind((ADDRESS, 53)).map_err(|e| errno_of(&e))?;
        let streams = std::net::TcpListener::bind((ADDRESS, 53)).map_err(|e| errno_of(&e))?;
        datagrams.set_nonblocking(true).map_err(|e| errno_of(&e))?;
        streams.set_nonblocking(true).map_err(|e| errno_of(&e))?;
        Ok((datagrams, streams))
    };
    let (datagrams, streams) = super::inside(pid, open).or_fault(what)?;
    let datagrams = Rc::new(UdpSocket::from_std(datagrams).or_fault(what)?);
    let streams = TcpListener::from_std(streams).or_fault(what)?;
    let tasks = [
        tokio::task::spawn_local(answer_datagrams(world.weak(), container.to_string(), datagrams)),
        tokio::task::spawn_local(answer_streams(world.weak(), container.to_string(), streams)),
    ];
    if let Some(running) = world.running.borrow().get(container) {
        tasks.into_iter().for_each(|task| running.keep_task(task));
    }
    Ok(())
}

type Weak = std::rc::Weak<crate::world::Machine>;

async fn answer_datagrams(world: Weak, container: String, socket: Rc<UdpSocket>) {
    let mut buffer = vec![0; 4096];
    loop {
        let Ok((n, from)) = socket.recv_from(&mut buffer).await else { continue };
        let Some(world) = LinuxWorld::upgrade(&world) else { return };
        let (request, socket, container) = (buffer[..n].to_vec(), socket.clone(), container.clone());
        tokio::task::spawn_local(async move {
            if let Some(reply) = reply(&world, &container, &request, false).await {
                let _ = socket.send_to(&reply, from).await;
            }
        });
    }
}

async fn answer_streams(world: Weak, container: String, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: wait for some to be given back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (world, container) = (world.clone(), container.clone());
        tokio::task::spawn_local(converse(world, container, stream));
    }
}

/// Answers one question after the other, until the caller has no more.
async fn converse(world: Weak, container: String, mut stream: TcpStream) {
    while let Ok(Some(request)) = tokio::time::timeout(SILENCE, read_message(&mut stream)).await {
        let Some(world) = LinuxWorld::upgrade(&world) else { return };
        let Some(reply) = reply(&world, &container, &request, true).await else { return };
        if stream.write_all(&dns::frame(&reply)).await.is_err() {
            return;
        }
    }
}

async fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let length = stream.read_u16().await.ok()?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await.ok()?;
    Some(message)
}

async fn reply(world: &LinuxWorld, container: &str, request: &[u8], stream: bool) -> Option<Vec<u8>> {
    let question = dns::question(request)?;
    let says = match names::answer(world, container, &question) {
        Some(says) => says,
        None => match forward(world, container, request, stream).await {
            Some(reply) => return Some(reply),
            None => Answer::Failure,
        },
    };
    Some(dns::answer(request, &question, &says, stream))
}

/// Asks the other name servers, one after the other.
async fn forward(world: &LinuxWorld, container: &str, request: &[u8], stream: bool) -> Option<Vec<u8>> {
    let given = names::servers(world, container);
    let inside = if given.is_empty() { None } else { world.live_pid(container) };
    let servers = if given.is_empty() { host_servers() } else { given };
    for server in servers {
        let reply = async {
            match stream {
                false => ask_by_datagram(server, request, inside).await,
                true => ask_by_stream(server, request, inside).await,
            }
        };
        if let Ok(Some(reply)) = tokio::time::timeout(PATIENCE, reply).await {
            return Some(reply);
        }
    }
    None
}

fn host_servers() -> Vec<IpAddr> {
    let config = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    config.lines().filter_map(|l| l.trim().strip_prefix("nameserver")?.trim().parse().ok()).collect()
}

/// A socket made where it is to be used from: in a container's network, or the host's.
fn placed<T: Send + 'static>(
    inside: Option<i32>,
    make: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Option<T> {
    match inside {
        Some(pid) => super::inside(pid, || make().map_err(|e| errno_of(&e))).ok(),
        None => make().ok(),
    }
}

async fn ask_by_datagram(server: IpAddr, request: &[u8], inside: Option<i32>) -> Option<Vec<u8>> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = placed(inside, move || {
        let socket = std::net::UdpSocket::bind((any, 0))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    })?;
    let socket = UdpSocket::from_std(socket).ok()?;
    socket.connect((server, 53)).await.ok()?;
    socket.send(request).await.ok()?;
    let mut buffer = vec![0; 4096];
    loop {
        let n = socket.recv(&mut buffer).await.ok()?;
        if buffer[..n].get(..2) == request.get(..2) {
            buffer.truncate(n);
            return Some(buffer);
        }
    }
}

async fn ask_by_stream(server: IpAddr, request: &[u8], inside: Option<i32>) -> Option<Vec<u8>> {
    let socket = placed(inside, move || {
        let domain = Domain::for_address(SocketAddr::new(server, 53));
        let socket = Socket::new(domain, Type::STREAM.nonblocking().cloexec(), None)?;
        Ok(std::net::TcpStream::from(socket))
    })?;
    let mut stream = TcpSocket::from_std_stream(socket).connect(SocketAddr::new(server, 53)).await.ok()?;
    stream.write_all(&dns::frame(request)).await.ok()?;
    read_message(&mut stream).await
}
