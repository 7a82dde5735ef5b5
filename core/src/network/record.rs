//! What the engine keeps of a network.

use crate::network::Subnet;
use crate::world::acts::LinkName;
use crate::world::{Kind, Record};
use cutaway_userland::sorted::Map as BTreeMap;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
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

/// A network. `bridge`, `host` and `none` are there from the start and can't be removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkRecord {
    /// 64 hexadecimal digits.
    pub id: String,
    pub name: String,
    pub created: Duration,
    pub driver: NetworkDriver,
    /// None but bridges has one.
    pub subnet: Option<Subnet>,
    pub gateway: Option<Ipv4Addr>,
    /// Whether `--gateway` was given.
    pub gateway_given: bool,
    /// Where containers' addresses are taken from, if not from all of the subnet.
    pub ip_range: Option<Subnet>,
    /// Whether `--subnet` was given.
    pub subnet_given: bool,
    pub aux_addresses: BTreeMap<String, Ipv4Addr>,
    pub internal: bool,
    pub attachable: bool,
    pub ipv6: bool,
    /// Driver options, as `com.docker.network.bridge.name`.
    pub options: BTreeMap<String, String>,
    pub ipam_options: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    /// The bridge on the host: `docker0`'s counterpart, or `br-` and 12 digits of the id.
    pub bridge: LinkName,
    pub mtu: u32,
    /// Which container (by id) has which address.
    pub leases: BTreeMap<Ipv4Addr, String>,
}

impl NetworkRecord {
    /// The three that are always there.
    pub const PREDEFINED: [(&str, NetworkDriver); 3] =
        [("bridge", NetworkDriver::Bridge), ("host", NetworkDriver::Host), ("none", NetworkDriver::Null)];

    /// Whether containers find each other by name in it.
    pub fn is_user_defined(&self) -> bool {
        !matches!(self.name.as_str(), "bridge" | "host" | "none")
    }
}

impl Record for NetworkRecord {
    const KIND: Kind = Kind::Network;
    fn key(&self) -> String {
        self.id.clone()
    }
}
