//! Networks: namespaces with interfaces and routes, bridges, virtual cables, address translation, sockets.
//! The functions that configure them are methods of [`Machine`](super::Machine).

use crate::world::acts::Protocol;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

/// A network namespace, kept alive by this handle and by the processes in it.
#[derive(Clone, Debug)]
pub struct NetNsId(pub(crate) Rc<u64>);

/// A published port of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnatRule {
    /// `0.0.0.0` or `::` is every address of the host.
    pub host: IpAddr,
    pub host_port: u16,
    pub protocol: Protocol,
    pub to: Ipv4Addr,
    pub port: u16,
}

/// What a name server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Addresses of the asked kind (the others are left out of the answer); may be empty.
    Addresses(Vec<IpAddr>),
    /// Names of an address (`PTR`).
    Names(Vec<String>),
    /// NXDOMAIN.
    NoSuchName,
    /// SERVFAIL: nobody could be asked.
    Failure,
}

/// Answers a question: the name without its last dot, and the type (1 is A, 28 AAAA, 12 PTR). Called with the
/// kernel at rest, so it may use the machine.
pub type Resolver = Rc<dyn Fn(&str, u16) -> Answer>;
