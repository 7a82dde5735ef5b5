//! Networks, as the world builds them from outside.

use super::Machine;
use crate::network::Rate;
use crate::sim::kernel::net::{DnatRule, Exit, NetNsId, Resolver};
use crate::sim::kernel::state::Kernel;
use crate::world::acts::{Parent, Protocol, Share};
use cutaway_userland::os::{Interface, Pid, Result};
use std::net::IpAddr;

/// Networks. Interfaces are named within their namespace.
impl Machine {
    pub fn host_network(&self) -> NetNsId {
        self.kernel(|k| k.home.clone())
    }

    /// The network namespace of a living process.
    pub fn network_of(&self, pid: Pid) -> Result<NetNsId> {
        self.kernel(|k| Ok(k.process(pid)?.ns.net.clone()))
    }

    /// An empty network namespace (only `lo`, down): also what the outside is made of, see [`Machine::add_veth`].
    pub fn new_network(&self) -> NetNsId {
        self.kernel(Kernel::new_network)
    }

    pub fn add_bridge(&self, ns: &NetNsId, name: &str, mtu: u32, exit: Exit) -> Result<()> {
        self.kernel(|k| k.net.add_bridge(ns, name, mtu, exit))
    }

    /// A virtual cable between two namespaces (or within one), of whichever machine. A namespace at the other end of the host's
    /// `eth0` with public addresses is the outside.
    pub fn add_veth(&self, a: (&NetNsId, &str), b: (&NetNsId, &str)) -> Result<()> {
        self.kernel(|k| k.net.add_veth(a, b))
    }

    /// An interface for others to share, up. `ENODEV` where the one that it is to be part of is not there.
    pub fn add_parent(&self, ns: &NetNsId, name: &str, make: &Parent) -> Result<()> {
        self.kernel(|k| k.net.add_parent(ns, name, make))?;
        self.set_up(ns, name, true)
    }

    /// An interface that shares the wire of another.
    pub fn add_sub(&self, ns: &NetNsId, name: &str, parent: &str, share: Share) -> Result<()> {
        self.kernel(|k| k.net.add_sub(ns, name, parent, share))
    }

    /// Plugs an interface into a bridge, or out (`None`). Those that are isolated do not reach each other.
    pub fn set_master(&self, ns: &NetNsId, link: &str, bridge: Option<&str>, isolated: bool) -> Result<()> {
        self.kernel(|k| k.net.set_master(ns, link, bridge, isolated))
    }

    pub fn move_link(&self, ns: &NetNsId, link: &str, to: &NetNsId, name: &str) -> Result<()> {
        self.kernel(|k| k.net.move_link(ns, link, to, name))
    }

    /// Deletes an interface and the other end of its cable.
    pub fn remove_link(&self, ns: &NetNsId, link: &str) -> Result<()> {
        self.kernel(|k| k.net.remove_link(ns, link))
    }

    pub fn set_up(&self, ns: &NetNsId, link: &str, up: bool) -> Result<()> {
        self.kernel(|k| {
            k.net.space_mut(ns)?.find_link_mut(link)?.switch(up);
            Ok(())
        })
    }

    pub fn set_mac(&self, ns: &NetNsId, link: &str, mac: [u8; 6]) -> Result<()> {
        self.kernel(|k| {
            k.net.space_mut(ns)?.find_link_mut(link)?.mac = mac;
            Ok(())
        })
    }

    pub fn set_mtu(&self, ns: &NetNsId, link: &str, mtu: u32) -> Result<()> {
        self.kernel(|k| {
            k.net.space_mut(ns)?.find_link_mut(link)?.mtu = mtu;
            Ok(())
        })
    }

    pub fn add_address(&self, ns: &NetNsId, link: &str, address: IpAddr, prefix: u8) -> Result<()> {
        self.kernel(|k| k.net.add_address(ns, link, address, prefix))
    }

    /// With `on`, there is no gateway: everything is behind that interface.
    pub fn set_default_route(&self, ns: &NetNsId, gateway: IpAddr, on: Option<&str>) -> Result<()> {
        self.kernel(|k| k.net.set_default_route(ns, gateway, on))
    }

    /// Lets an interface send only so much in a second.
    pub fn shape(&self, ns: &NetNsId, link: &str, rate: Option<Rate>) -> Result<()> {
        self.kernel(|k| k.net.shape(ns, link, rate))
    }

    /// Forwards a port of the host. Host port 0 takes a free one. `EADDRINUSE`.
    pub fn publish(&self, rule: DnatRule) -> Result<u16> {
        self.kernel(|k| k.net.publish(&k.home, rule))
    }

    pub fn unpublish(&self, host: IpAddr, host_port: u16, protocol: Protocol) {
        self.kernel(|k| k.net.unpublish(&k.home, host, host_port, protocol));
    }

    /// Answers DNS questions sent to port 53 of `at` in this namespace.
    pub fn set_resolver(&self, ns: &NetNsId, at: IpAddr, resolver: Resolver) {
        self.kernel(|k| {
            if let Ok(space) = k.net.space_mut(ns) {
                space.resolvers.insert(at, resolver);
            }
        });
    }

    /// Writes a file below `/proc/sys/net`.
    pub fn set_network_sysctl(&self, ns: &NetNsId, path: &str, value: &str) {
        self.kernel(|k| k.net.set_sysctl(ns, path, value));
    }

    pub fn interfaces(&self, ns: &NetNsId) -> Vec<Interface> {
        self.kernel(|k| k.net.interfaces(ns))
    }
}
