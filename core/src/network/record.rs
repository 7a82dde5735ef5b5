//! What the engine keeps of a network.

use crate::network::Subnet;
use crate::world::acts::LinkName;
use crate::world::{Kind, Record};
use cutaway_userland::sorted::Map as BTreeMap;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkDriver {
    Bridge,
    /// The host's own network.
    Host,
    /// Nothing but a loopback.
    Null,
}

impl NetworkDriver {
    pub fn name(self) -> &'static str {
        match self {
            NetworkDriver::Bridge => "bridge",
            NetworkDriver::Host => "host",
            NetworkDriver::Null => "null",
        }
    }
}

/// Addresses of one version that a network gives out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    pub subnet: Subnet,
    /// Whether `--subnet` was given.
    pub subnet_given: bool,
    /// The bridge's own address.
    pub gateway: IpAddr,
    /// Whether `--gateway` was given.
    pub gateway_given: bool,
    /// Where containers' addresses are taken from, if not from all of the subnet.
    pub range: Option<Subnet>,
    /// Addresses that others have, by name.
    pub aux_addresses: BTreeMap<String, IpAddr>,
}

/// A network. `bridge`, `host` and `none` are there from the start and can't be removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkRecord {
    /// 64 hexadecimal digits.
    pub id: String,
    pub name: String,
    pub created: Duration,
    pub driver: NetworkDriver,
    /// One of each version at most, IPv4 first. None but bridges has any.
    pub pools: Vec<Pool>,
    pub internal: bool,
    pub attachable: bool,
    /// Driver options, as `com.docker.network.bridge.name`.
    pub options: BTreeMap<String, String>,
    pub ipam_options: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    /// The bridge on the host: `docker0`'s counterpart, or `br-` and 12 digits of the id.
    pub bridge: LinkName,
    pub mtu: u32,
    /// Which container (by id) has which address.
    pub leases: BTreeMap<IpAddr, String>,
}

impl NetworkRecord {
    /// The three that are always there.
    pub const PREDEFINED: [(&str, NetworkDriver); 3] =
        [("bridge", NetworkDriver::Bridge), ("host", NetworkDriver::Host), ("none", NetworkDriver::Null)];

    /// Whether containers find each other by name in it.
    pub fn is_user_defined(&self) -> bool {
        !matches!(self.name.as_str(), "bridge" | "host" | "none")
    }

    pub fn ipv4(&self) -> Option<&Pool> {
        self.pools.iter().find(|p| !p.subnet.is_ipv6())
    }

    pub fn ipv6(&self) -> Option<&Pool> {
        self.pools.iter().find(|p| p.subnet.is_ipv6())
    }

    /// A driver option that is on or off; it was checked when the network was made.
    fn switch(&self, option: &str) -> bool {
        self.options.get(option).and_then(|v| crate::container::spec::parse_bool(v)).unwrap_or(true)
    }

    /// Whether its containers may talk to each other.
    pub fn connects_containers(&self) -> bool {
        self.switch("com.docker.network.bridge.enable_icc")
    }

    /// Whether what leaves it takes the host's address.
    pub fn masquerades(&self) -> bool {
        self.switch("com.docker.network.bridge.enable_ip_masquerade")
    }

    /// The host's address that ports are published on where none is asked for.
    pub fn host_binding(&self) -> Option<IpAddr> {
        let given = self.options.get("com.docker.network.bridge.host_binding_ipv4")?;
        given.parse().ok().filter(|a: &IpAddr| !a.is_unspecified())
    }
}

impl Record for NetworkRecord {
    const KIND: Kind = Kind::Network;
    fn key(&self) -> String {
        self.id.clone()
    }
}
