//! Sockets: streams and datagrams over IP, and streams by a name in the file system.

use super::{Flow, Hop, Net, NetNsId, Query, Resolver, Verdict, shape};
use crate::network::dns;
use crate::sim::kernel::cred::Cap;
use crate::sim::kernel::executor::Waiters;
use crate::sim::kernel::file::Object;
use crate::sim::kernel::pipe::Pipe;
use crate::sim::kernel::state::Kernel;
use crate::world::acts::Protocol;
use cutaway_userland::Errno;
use cutaway_userland::os::{Address, Fd, FileKind, Pid, Result, SocketKind};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// A datagram and who sent it.
type Datagram = (Vec<u8>, SocketAddr);

pub(crate) enum State {
    Idle,
    Listening { waiting: VecDeque<(Rc<Socket>, Address)>, backlog: usize },
    Connected(Stream),
    Datagrams { peer: Option<SocketAddr>, queue: VecDeque<Datagram> },
}

/// One end of a connection.
pub(crate) struct Stream {
    receive: Rc<Pipe>,
    send: Rc<Pipe>,
    remote: Address,
    hops: Rc<Vec<Hop>>,
    /// Whether this end called: the hops are its way there.
    caller: bool,
    /// Its writing half is over.
    shut: bool,
    /// At the other end is a name server.
    asks: Option<Rc<Asking>>,
}

/// A conversation with a name server: what was said so far and is no whole question yet.
struct Asking {
    resolver: Resolver,
    heard: RefCell<Vec<u8>>,
}

pub(crate) struct Socket {
    pub kind: SocketKind,
    pub ns: NetNsId,
    pub state: RefCell<State>,
    /// Its own address, once it has one.
    local: RefCell<Option<Address>>,
    pub changed: Waiters,
}

/// How many datagrams wait at most.
const QUEUE: usize = 256;
/// When Linux gives up on a caller that nobody answers, and on a neighbour that does not say where it is.
const NO_ANSWER: Duration = Duration::from_secs(134);
const NO_NEIGHBOUR: Duration = Duration::from_millis(3_060);

impl Drop for Socket {
    fn drop(&mut self) {
        if let State::Connected(stream) = &*self.state.borrow() {
            stream.receive.drop_reader();
            if !stream.shut {
                stream.send.drop_writer();
            }
        }
    }
}

impl Socket {
    fn new(kind: SocketKind, ns: NetNsId) -> Socket {
        let state = match kind {
            SocketKind::Udp => State::Datagrams { peer: None, queue: VecDeque::new() },
            _ => State::Idle,
        };
        Socket { kind, ns, state: RefCell::new(state), local: RefCell::new(None), changed: Waiters::default() }
    }

    /// The address it is bound to.
    pub fn bound(&self) -> Option<SocketAddr> {
        match &*self.local.borrow() {
            Some(Address::Inet(address)) => Some(*address),
            _ => None,
        }
    }

    /// The port that it holds against others: connections that were accepted hold none.
    pub fn bound_port(&self) -> Option<u16> {
        match &*self.state.borrow() {
            State::Connected(stream) if !stream.caller => None,
            _ => self.bound().map(|a| a.port()),
        }
    }

    /// Whether it takes what comes for an address.
    pub fn takes(&self, to: SocketAddr) -> bool {
        let waits = matches!(&*self.state.borrow(), State::Listening { .. } | State::Datagrams { .. });
        waits && self.bound().is_some_and(|own| own.port() == to.port() && covers(own.ip(), to.ip()))
    }

    pub fn summary(&self) -> Option<(SocketAddr, SocketAddr, bool)> {
        let none = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let local = self.bound()?;
        match &*self.state.borrow() {
            State::Listening { .. } => Some((local, none, true)),
            State::Connected(Stream { remote: Address::Inet(remote), .. }) => Some((local, *remote, false)),
            State::Datagrams { peer, .. } => Some((local, peer.unwrap_or(none), false)),
            _ => None,
        }
    }

    /// Whether reading and writing would not block, and whether the other side is gone.
    pub fn ready(&self, waker: &Waker) -> (bool, bool, bool) {
        self.changed.add(waker);
        match &*self.state.borrow() {
            State::Idle => (false, false, true),
            State::Listening { waiting, .. } => (!waiting.is_empty(), false, false),
            State::Datagrams { queue, .. } => (!queue.is_empty(), true, false),
            State::Connected(stream) => {
                stream.receive.changed.add(waker);
                stream.send.changed.add(waker);
                let ended = stream.receive.writers.get() == 0;
                (stream.receive.readable() || ended, stream.send.writable(), ended && stream.send.readers.get() == 0)
            }
        }
    }

    /// Puts a datagram into its queue; a full queue loses it.
    pub fn push(&self, bytes: Vec<u8>, from: SocketAddr) {
        if let State::Datagrams { queue, .. } = &mut *self.state.borrow_mut()
            && queue.len() < QUEUE
        {
            queue.push_back((bytes, from));
        }
        self.changed.wake();
    }
}

impl Socket {
    /// Puts bytes into what a connection receives, as far as there is room.
    pub fn push_stream(&self, bytes: &[u8]) {
        if let State::Connected(stream) = &*self.state.borrow() {
            let _ = stream.receive.write(bytes, Waker::noop());
        }
    }
}

/// Whether a socket bound to `own` takes what comes for `to`.
fn covers(own: IpAddr, to: IpAddr) -> bool {
    // A socket bound to :: takes IPv4, too.
    own == to || (own.is_unspecified() && (own.is_ipv6() || to.is_ipv4()))
}

/// What became of a call, and how long it takes to know.
pub(crate) struct Outcome {
    pub result: Result<()>,
    pub after: Duration,
}

impl Kernel {
    pub fn socket(&mut self, pid: Pid, kind: SocketKind) -> Result<Fd> {
        self.filter(pid, "socket")?;
        let ns = self.process(pid)?.ns.net.clone();
        self.add_socket(pid, Rc::new(Socket::new(kind, ns)))
    }

    fn socket_at(&self, pid: Pid, fd: Fd) -> Result<Rc<Socket>> {
        match &self.fds(pid)?.get(fd)?.object {
            Object::Socket(socket) => Ok(socket.clone()),
            _ => Err(Errno::ENOTSOCK),
        }
    }

    pub fn bind_socket(&mut self, pid: Pid, fd: Fd, address: &Address) -> Result<()> {
        let socket = self.socket_at(pid, fd)?;
        if socket.local.borrow().is_some() {
            return Err(Errno::EINVAL);
        }
        match (socket.kind, address) {
            (SocketKind::Unix, Address::Unix(path)) => {
                let made = self.make(pid, path, FileKind::Socket, 0o777, (0, 0), "");
                let place = made.map_err(|e| if e == Errno::EEXIST { Errno::EADDRINUSE } else { e })?;
                self.net.unix.retain(|_, s| s.strong_count() > 0);
                self.net.unix.insert((place.node.fs().dev, place.node.ino()), Rc::downgrade(&socket));
                *socket.local.borrow_mut() = Some(address.clone());
                Ok(())
            }
            (SocketKind::Tcp | SocketKind::Udp, Address::Inet(address)) => self.bind_port(pid, &socket, *address),
            _ => Err(Errno::EAFNOSUPPORT),
        }
    }

    fn bind_port(&mut self, pid: Pid, socket: &Rc<Socket>, address: SocketAddr) -> Result<()> {
        let creds = &self.process(pid)?.creds;
        let first: u16 = self
            .net
            .sysctl(&socket.ns, "net/ipv4/ip_unprivileged_port_start")
            .and_then(|v| v.trim().parse().ok())
            .unwrap_or(1024);
        if address.port() != 0 && address.port() < first && !creds.can(Cap::NetBindService) {
            return Err(Errno::EACCES);
        }
        let protocol = if socket.kind == SocketKind::Udp { Protocol::Udp } else { Protocol::Tcp };
        let space = self.net.space_mut(&socket.ns)?;
        let published = space.dnat.iter().any(|r| {
            r.protocol == protocol
                && r.host_port == address.port()
                && (r.host.is_unspecified() || address.ip().is_unspecified() || r.host == address.ip())
        });
        if !address.ip().is_unspecified() && !space.is_local(address.ip()) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let clash = space.sockets.iter().filter_map(std::rc::Weak::upgrade).any(|other| {
            other.kind == socket.kind
                && other.bound_port() == Some(address.port())
                && other.bound().is_some_and(|b| covers(b.ip(), address.ip()) || covers(address.ip(), b.ip()))
        });
        if address.port() != 0 && (clash || published) {
            return Err(Errno::EADDRINUSE);
        }
        let port = if address.port() == 0 { space.free_port(socket.kind) } else { address.port() };
        *socket.local.borrow_mut() = Some(Address::Inet(SocketAddr::new(address.ip(), port)));
        space.add_socket(socket);
        Ok(())
    }

    pub fn listen(&mut self, pid: Pid, fd: Fd, backlog: u32) -> Result<()> {
        let socket = self.socket_at(pid, fd)?;
        if socket.kind == SocketKind::Udp {
            return Err(Errno::EOPNOTSUPP);
        }
        if socket.local.borrow().is_none() {
            if socket.kind == SocketKind::Unix {
                return Err(Errno::EINVAL);
            }
            self.bind_port(pid, &socket, SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0))?;
        }
        let mut state = socket.state.borrow_mut();
        match &mut *state {
            State::Connected(_) => return Err(Errno::EINVAL),
            State::Listening { backlog: size, .. } => *size = backlog.max(1) as usize,
            _ => *state = State::Listening { waiting: VecDeque::new(), backlog: backlog.max(1) as usize },
        }
        Ok(())
    }

    pub fn connect(&mut self, pid: Pid, fd: Fd, address: &Address) -> Outcome {
        let fail = |errno| Outcome { result: Err(errno), after: Duration::ZERO };
        let socket = match self.socket_at(pid, fd) {
            Ok(socket) => socket,
            Err(errno) => return fail(errno),
        };
        match (socket.kind, address) {
            (SocketKind::Udp, Address::Inet(address)) => {
                let bound = self.give_port(&socket);
                if let State::Datagrams { peer, .. } = &mut *socket.state.borrow_mut() {
                    *peer = Some(*address);
                }
                Outcome { result: bound.map(drop), after: Duration::ZERO }
            }
            (SocketKind::Unix, Address::Unix(path)) => {
                let result = self.connect_unix(pid, &socket, path);
                Outcome { result, after: Duration::ZERO }
            }
            (SocketKind::Tcp, Address::Inet(address)) => {
                if !matches!(&*socket.state.borrow(), State::Idle) {
                    return fail(Errno::EISCONN);
                }
                self.connect_tcp(&socket, *address)
            }
            _ => fail(Errno::EAFNOSUPPORT),
        }
    }

    fn connect_unix(&mut self, pid: Pid, socket: &Rc<Socket>, path: &str) -> Result<()> {
        let place = self.resolve(pid, path)?;
        self.permit(pid, &place, crate::sim::kernel::vfs::access::WRITE)?;
        let found = self.net.unix.get(&(place.node.fs().dev, place.node.ino())).and_then(std::rc::Weak::upgrade);
        let server = found.ok_or(Errno::ECONNREFUSED)?;
        let (near, far) = (Address::Unix(String::new()), Address::Unix(path.to_string()));
        join(socket, &server, near, far.clone(), far, Rc::default())
    }

    /// The local address of a socket, given to it now where it has none.
    fn give_port(&mut self, socket: &Rc<Socket>) -> Result<SocketAddr> {
        if let Some(address) = socket.bound() {
            return Ok(address);
        }
        let space = self.net.space_mut(&socket.ns)?;
        let port = space.free_port(socket.kind);
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
        *socket.local.borrow_mut() = Some(Address::Inet(address));
        space.add_socket(socket);
        Ok(address)
    }

    fn connect_tcp(&mut self, socket: &Rc<Socket>, to: SocketAddr) -> Outcome {
        let own = socket.bound().map(|a| a.ip()).filter(|ip| !ip.is_unspecified());
        let delivery = match self.net.follow(*socket.ns.0, own, to, Some(Protocol::Tcp)) {
            Verdict::Deliver(delivery) => delivery,
            Verdict::Fail(errno) => return Outcome { result: Err(errno), after: Duration::ZERO },
            Verdict::NoHost => return Outcome { result: Err(Errno::EHOSTUNREACH), after: NO_NEIGHBOUR },
            Verdict::Dropped => return Outcome { result: Err(Errno::ETIMEDOUT), after: NO_ANSWER },
        };
        let after = delivery.latency * 2;
        // The handshake: two packets there, one back.
        self.net.count(&delivery.hops, 60, false);
        self.net.count(&delivery.hops, 60, true);
        let there = self.net.spaces.get(&delivery.ns);
        let resolver =
            there.and_then(|s| s.resolvers.get(&delivery.to.ip())).filter(|_| delivery.to.port() == 53).cloned();
        let server = there.and_then(|s| s.receiver(SocketKind::Tcp, delivery.to));
        if server.is_none() && resolver.is_none() {
            return Outcome { result: Err(Errno::ECONNREFUSED), after };
        }
        let port = match self.give_port(socket) {
            Ok(address) => address.port(),
            Err(errno) => return Outcome { result: Err(errno), after },
        };
        let near = SocketAddr::new(self.own_address(&socket.ns, to.ip(), delivery.from), port);
        let seen = Address::Inet(SocketAddr::new(delivery.from, port));
        *socket.local.borrow_mut() = Some(Address::Inet(near));
        let hops = Rc::new(delivery.hops);
        let result = match (server, resolver) {
            (Some(server), _) => join(socket, &server, seen, Address::Inet(to), Address::Inet(delivery.to), hops),
            (None, Some(resolver)) => {
                converse(socket, resolver, Address::Inet(to), hops);
                Ok(())
            }
            (None, None) => Err(Errno::ECONNREFUSED),
        };
        Outcome { result, after }
    }

    /// How much of what is to be sent a way with limits takes in one go, and how long until it is through; `None`
    /// where nothing holds it back.
    pub fn held_back(&mut self, pid: Pid, fd: Fd, bytes: usize, to: Option<&Address>) -> Option<(usize, Duration)> {
        if !self.net.shapes {
            return None;
        }
        let socket = self.socket_at(pid, fd).ok()?;
        let (hops, back, stream) = match (&*socket.state.borrow(), to) {
            (State::Connected(stream), _) if !stream.shut => (stream.hops.clone(), !stream.caller, true),
            (State::Datagrams { peer, .. }, to) => {
                let given = to.and_then(|to| if let Address::Inet(to) = to { Some(*to) } else { None });
                let to = given.or(*peer)?;
                let own = socket.bound().map(|a| a.ip()).filter(|ip| !ip.is_unspecified());
                let Verdict::Deliver(way) = self.net.follow(*socket.ns.0, own, to, Some(Protocol::Udp)) else {
                    return None;
                };
                (Rc::new(way.hops), false, false)
            }
            _ => return None,
        };
        let portion = self.net.portion(&hops, back)?;
        let (portion, size) = match stream {
            true => (portion.min(bytes), shape::packed(portion.min(bytes))),
            false => (bytes, bytes as u64 + 42),
        };
        let now = self.now();
        Some((portion, self.net.hold_back(now, &hops, back, size)))
    }

    /// The address that a namespace itself uses towards another.
    fn own_address(&self, ns: &NetNsId, to: IpAddr, seen: IpAddr) -> IpAddr {
        let Ok(space) = self.net.space(ns) else { return seen };
        if space.is_local(to) {
            return to;
        }
        space.route(to).map_or(seen, |(_, _, own)| own)
    }

    pub fn accept(&mut self, pid: Pid, fd: Fd, waker: &Waker) -> Poll<Result<(Fd, Address)>> {
        let socket = match self.socket_at(pid, fd) {
            Ok(socket) => socket,
            Err(errno) => return Poll::Ready(Err(errno)),
        };
        let next = match &mut *socket.state.borrow_mut() {
            State::Listening { waiting, .. } => waiting.pop_front(),
            _ => return Poll::Ready(Err(Errno::EINVAL)),
        };
        let Some((connection, from)) = next else {
            socket.changed.add(waker);
            return Poll::Pending;
        };
        if connection.kind == SocketKind::Tcp
            && let Ok(space) = self.net.space_mut(&connection.ns)
        {
            space.add_socket(&connection);
        }
        Poll::Ready(self.add_socket(pid, connection).map(|fd| (fd, from)))
    }

    /// Reading a socket as a file.
    pub fn receive(&mut self, socket: &Rc<Socket>, max: usize, waker: &Waker) -> Poll<Result<Vec<u8>>> {
        match &mut *socket.state.borrow_mut() {
            State::Connected(stream) => stream.receive.read(max, waker).map(Ok),
            State::Datagrams { queue, .. } => match queue.pop_front() {
                Some((mut bytes, _)) => {
                    bytes.truncate(max);
                    Poll::Ready(Ok(bytes))
                }
                None => {
                    socket.changed.add(waker);
                    Poll::Pending
                }
            },
            _ => Poll::Ready(Err(Errno::ENOTCONN)),
        }
    }

    /// Writing a socket as a file.
    pub fn send(&mut self, _pid: Pid, socket: &Rc<Socket>, bytes: &[u8], waker: &Waker) -> Poll<Result<usize>> {
        let (written, hops, back) = match &*socket.state.borrow() {
            State::Connected(stream) if stream.shut => return Poll::Ready(Err(Errno::EPIPE)),
            State::Connected(Stream { asks: Some(asking), .. }) => {
                self.net.questions.extend(asking.listen(bytes, socket));
                return Poll::Ready(Ok(bytes.len()));
            }
            State::Connected(stream) => (stream.send.write(bytes, waker), stream.hops.clone(), !stream.caller),
            State::Datagrams { peer: Some(peer), .. } => {
                let peer = *peer;
                return Poll::Ready(self.send_datagram(socket, bytes, peer));
            }
            State::Datagrams { .. } => return Poll::Ready(Err(Errno::EDESTADDRREQ)),
            _ => return Poll::Ready(Err(Errno::ENOTCONN)),
        };
        if let Poll::Ready(Ok(count)) = &written {
            self.net.count(&hops, *count as u64 + 66, back);
            self.net.count(&hops, 66, !back);
        }
        written
    }

    pub fn send_to(&mut self, pid: Pid, fd: Fd, bytes: &[u8], to: &Address) -> Result<usize> {
        let socket = self.socket_at(pid, fd)?;
        match (socket.kind, to) {
            (SocketKind::Udp, Address::Inet(to)) => self.send_datagram(&socket, bytes, *to),
            (SocketKind::Udp, _) => Err(Errno::EAFNOSUPPORT),
            _ => Err(Errno::EISCONN),
        }
    }

    fn send_datagram(&mut self, socket: &Rc<Socket>, bytes: &[u8], to: SocketAddr) -> Result<usize> {
        // What fits into one UDP datagram over IPv4.
        if bytes.len() > 65_507 {
            return Err(Errno::EMSGSIZE);
        }
        let local = self.give_port(socket)?;
        let ns = *socket.ns.0;
        if let Some(flow) = self.net.flows.get(&(ns, local.port(), to)).cloned() {
            if let Some(receiver) = flow.to.upgrade() {
                receiver.push(bytes.to_vec(), flow.seen_from);
            }
            return Ok(bytes.len());
        }
        let own = Some(local.ip()).filter(|ip| !ip.is_unspecified());
        let delivery = match self.net.follow(ns, own, to, Some(Protocol::Udp)) {
            Verdict::Deliver(delivery) => delivery,
            Verdict::Fail(errno) => return Err(errno),
            Verdict::NoHost | Verdict::Dropped => return Ok(bytes.len()),
        };
        self.net.count(&delivery.hops, bytes.len() as u64 + 42, false);
        let Some(space) = self.net.spaces.get(&delivery.ns) else { return Ok(bytes.len()) };
        if delivery.to.port() == 53
            && let Some(resolver) = space.resolvers.get(&delivery.to.ip())
        {
            let (resolver, from) = (resolver.clone(), Rc::downgrade(socket));
            self.net.questions.push(Query { resolver, bytes: bytes.to_vec(), from, server: Some(to) });
            return Ok(bytes.len());
        }
        if let Some(receiver) = space.receiver(SocketKind::Udp, delivery.to) {
            let seen = SocketAddr::new(delivery.from, local.port());
            receiver.push(bytes.to_vec(), seen);
            let flow = Flow { to: Rc::downgrade(socket), seen_from: to };
            self.net.flows.retain(|_, f| f.to.strong_count() > 0);
            self.net.flows.insert((delivery.ns, delivery.to.port(), seen), flow);
        }
        Ok(bytes.len())
    }

    pub fn receive_from(&mut self, pid: Pid, fd: Fd, max: usize, waker: &Waker) -> Poll<Result<(Vec<u8>, Address)>> {
        let socket = match self.socket_at(pid, fd) {
            Ok(socket) => socket,
            Err(errno) => return Poll::Ready(Err(errno)),
        };
        let mut state = socket.state.borrow_mut();
        match &mut *state {
            State::Datagrams { queue, .. } => match queue.pop_front() {
                Some((mut bytes, from)) => {
                    bytes.truncate(max);
                    Poll::Ready(Ok((bytes, Address::Inet(from))))
                }
                None => {
                    socket.changed.add(waker);
                    Poll::Pending
                }
            },
            State::Connected(stream) => {
                let remote = stream.remote.clone();
                stream.receive.read(max, waker).map(|bytes| Ok((bytes, remote)))
            }
            _ => Poll::Ready(Err(Errno::ENOTCONN)),
        }
    }

    pub fn shutdown(&mut self, pid: Pid, fd: Fd) -> Result<()> {
        let socket = self.socket_at(pid, fd)?;
        match &mut *socket.state.borrow_mut() {
            State::Connected(stream) => {
                if !stream.shut {
                    stream.shut = true;
                    stream.send.drop_writer();
                    if stream.asks.is_some() {
                        // Who asks nothing more is told nothing more.
                        stream.receive.drop_writer();
                    }
                }
                Ok(())
            }
            _ => Err(Errno::ENOTCONN),
        }
    }

    pub fn local_address(&self, pid: Pid, fd: Fd) -> Result<Address> {
        let socket = self.socket_at(pid, fd)?;
        let local = socket.local.borrow().clone();
        Ok(local.unwrap_or(match socket.kind {
            SocketKind::Unix => Address::Unix(String::new()),
            _ => Address::Inet(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)),
        }))
    }

    /// An echo request: how long until the answer, or until it is known that there is none.
    pub fn ping(&mut self, pid: Pid, to: IpAddr, size: usize, timeout: Duration) -> (Result<()>, Duration) {
        let Ok(process) = self.process(pid) else { return (Err(Errno::ESRCH), Duration::ZERO) };
        let range = self.net.sysctl(&process.ns.net, "net/ipv4/ping_group_range").unwrap_or_else(|| "1\t0".into());
        let mut bounds = range.split_whitespace().filter_map(|n| n.parse::<u64>().ok());
        let (low, high) = (bounds.next().unwrap_or(1), bounds.next().unwrap_or(0));
        if !process.creds.can(Cap::NetRaw) && !(low..=high).contains(&u64::from(process.creds.egid)) {
            return (Err(Errno::EPERM), Duration::ZERO);
        }
        match self.net.follow(*process.ns.net.0, None, SocketAddr::new(to, 0), None) {
            Verdict::Deliver(delivery) => {
                let bytes = size as u64 + 42;
                self.net.count(&delivery.hops, bytes, false);
                self.net.count(&delivery.hops, bytes, true);
                let jitter = Duration::from_micros(self.random_u64() % 15);
                let now = self.now();
                let there = self.net.hold_back(now, &delivery.hops, false, bytes);
                let back = self.net.hold_back(now + there, &delivery.hops, true, bytes);
                let after = delivery.latency * 2 + jitter + there + back;
                if after > timeout { (Err(Errno::ETIMEDOUT), timeout) } else { (Ok(()), after) }
            }
            Verdict::Fail(errno) => (Err(errno), Duration::ZERO),
            Verdict::NoHost if timeout >= NO_NEIGHBOUR => (Err(Errno::EHOSTUNREACH), NO_NEIGHBOUR),
            Verdict::NoHost | Verdict::Dropped => (Err(Errno::ETIMEDOUT), timeout),
        }
    }

    pub fn new_network(&mut self) -> NetNsId {
        let number = self.new_namespace_id();
        self.net.add_space(number)
    }
}

impl Net {
    /// The questions to name servers that wait for an answer.
    pub fn take_questions(&mut self) -> Vec<Query> {
        std::mem::take(&mut self.questions)
    }
}

impl Asking {
    /// Takes in what was said; the questions that are whole now.
    fn listen(&self, bytes: &[u8], socket: &Rc<Socket>) -> Vec<Query> {
        let mut heard = self.heard.borrow_mut();
        heard.extend(bytes);
        let mut questions = Vec::new();
        while let Some((message, taken)) = dns::framed(&heard) {
            let (resolver, from) = (self.resolver.clone(), Rc::downgrade(socket));
            questions.push(Query { resolver, bytes: message.to_vec(), from, server: None });
            heard.drain(..taken);
        }
        questions
    }
}

/// Connects a caller to a name server that is no process.
fn converse(caller: &Rc<Socket>, resolver: Resolver, remote: Address, hops: Rc<Vec<Hop>>) {
    let (there, back) = (Rc::new(Pipe::new()), Rc::new(Pipe::new()));
    for pipe in [&there, &back] {
        pipe.add_reader();
        pipe.add_writer();
    }
    let asks = Some(Rc::new(Asking { resolver, heard: RefCell::default() }));
    *caller.state.borrow_mut() =
        State::Connected(Stream { receive: back, send: there, remote, hops, caller: true, shut: false, asks });
}

/// Joins a caller to a listening socket: both ends are connected, one waits to be accepted.
fn join(
    caller: &Rc<Socket>,
    server: &Rc<Socket>,
    seen: Address,
    remote: Address,
    local: Address,
    hops: Rc<Vec<Hop>>,
) -> Result<()> {
    let (there, back) = (Rc::new(Pipe::new()), Rc::new(Pipe::new()));
    for pipe in [&there, &back] {
        pipe.add_reader();
        pipe.add_writer();
    }
    let far = Socket::new(server.kind, server.ns.clone());
    *far.local.borrow_mut() = Some(local);
    *far.state.borrow_mut() = State::Connected(Stream {
        receive: there.clone(),
        send: back.clone(),
        remote: seen.clone(),
        hops: hops.clone(),
        caller: false,
        shut: false,
        asks: None,
    });
    match &mut *server.state.borrow_mut() {
        State::Listening { waiting, backlog } if waiting.len() < (*backlog).max(1) + 1 => {
            waiting.push_back((Rc::new(far), seen));
        }
        State::Listening { .. } => return Err(Errno::EAGAIN),
        _ => return Err(Errno::ECONNREFUSED),
    }
    server.changed.wake();
    *caller.state.borrow_mut() =
        State::Connected(Stream { receive: back, send: there, remote, hops, caller: true, shut: false, asks: None });
    Ok(())
}
