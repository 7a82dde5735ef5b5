//! What the engine keeps of a network.

use crate::network::Subnet;
use crate::world::acts::{IpvlanFlag, IpvlanMode, LinkName, MacvlanMode, Share};
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
    /// Containers share the wire of one of the host's interfaces, each with a hardware address of its own.
    Macvlan,
    /// The same with the interface's own hardware address.
    Ipvlan,
}

impl NetworkDriver {
    pub fn name(self) -> &'static str {
        match self {
            NetworkDriver::Bridge => "bridge",
            NetworkDriver::Host => "host",
            NetworkDriver::Null => "null",
            NetworkDriver::Macvlan => "macvlan",
            NetworkDriver::Ipvlan => "ipvlan",
        }
    }
}

/// Addresses of one version that a network gives out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    pub subnet: Subnet,
    /// Whether `--subnet` was given.
    pub subnet_given: bool,
    /// The bridge's own address, or whoever leads out of a shared wire; none where nobody does.
    pub gateway: Option<IpAddr>,
    /// Whether `--gateway` was given.
    pub gateway_given: bool,
    /// Where containers' addresses are taken from, if not from all of the subnet.
    pub range: Option<Subnet>,
    /// Addresses that others have, by name.
    pub aux_addresses: BTreeMap<String, IpAddr>,
}

/// What a network that only lends its configuration was asked for beside subnets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    pub ipv4: bool,
    pub ipv6: bool,
}

/// A network. `bridge`, `host` and `none` are there from the start and can't be removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkRecord {
    /// 64 hexadecimal digits.
    pub id: String,
    pub name: String,
    pub created: Duration,
    pub driver: NetworkDriver,
    /// IPv4 first; of a bridge one of each version at most. `host` and `none` have none.
    pub pools: Vec<Pool>,
    pub internal: bool,
    pub attachable: bool,
    /// Driver options, as `com.docker.network.bridge.name`.
    pub options: BTreeMap<String, String>,
    pub ipam_options: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    /// The bridge on the host: `docker0`'s counterpart, or `br-` and 12 digits of the id. Of macvlan and ipvlan, the
    /// interface that containers share: the one that was named, or `dm-` and 12 digits.
    pub bridge: LinkName,
    /// Whether that interface was made for networks.
    #[serde(default)]
    pub made_parent: bool,
    /// Set where it only lends its configuration to others (`--config-only`): no container can be in it.
    #[serde(default)]
    pub config_only: Option<Versions>,
    /// The network whose configuration it has (`--config-from`); empty for its own.
    #[serde(default)]
    pub config_from: String,
    /// `--scope`; empty is `local`.
    #[serde(default)]
    pub scope: String,
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

    /// Whether its containers share the wire of one of the host's interfaces.
    pub fn shares_wire(&self) -> bool {
        matches!(self.driver, NetworkDriver::Macvlan | NetworkDriver::Ipvlan)
    }

    /// Whether containers get interfaces in it.
    pub fn connects(&self) -> bool {
        self.driver == NetworkDriver::Bridge || self.shares_wire()
    }

    /// Whether it leads anywhere else: one that is internal doesn't, nor does a wire of its own.
    pub fn leads_out(&self) -> bool {
        !(self.internal || self.shares_wire() && self.option("parent").is_empty())
    }

    /// How its containers' interfaces share their parent's wire; the options were checked when it was made.
    pub fn share(&self) -> Option<Share> {
        match self.driver {
            NetworkDriver::Macvlan => macvlan(self.option("macvlan_mode")).ok().map(Share::Macvlan),
            NetworkDriver::Ipvlan => {
                let mode = ipvlan(self.option("ipvlan_mode"), self.option("ipvlan_flag")).ok();
                mode.map(|(mode, flag)| Share::Ipvlan(mode, flag))
            }
            _ => None,
        }
    }

    /// Whether packets are routed on its wire, so that there is no gateway.
    pub fn is_routed_wire(&self) -> bool {
        matches!(self.share(), Some(Share::Ipvlan(IpvlanMode::L3 | IpvlanMode::L3s, _)))
    }

    /// Where it is known: one of this machine mostly.
    pub fn scope(&self) -> &str {
        if self.scope.is_empty() { "local" } else { &self.scope }
    }

    /// The pool that an address is of.
    pub fn pool_of(&self, address: IpAddr) -> Option<&Pool> {
        self.pools.iter().find(|p| p.subnet.contains(address))
    }

    fn option(&self, name: &str) -> &str {
        self.options.get(name).map_or("", String::as_str)
    }

    pub fn ipv4(&self) -> Option<&Pool> {
        self.pools.iter().find(|p| !p.subnet.is_ipv6())
    }

    pub fn ipv6(&self) -> Option<&Pool> {
        self.pools.iter().find(|p| p.subnet.is_ipv6())
    }

    /// A driver option that is on or off; it was checked when the network was made.
    fn switch(&self, option: &str, unsaid: bool) -> bool {
        self.options.get(option).and_then(|v| crate::container::spec::parse_bool(v)).unwrap_or(unsaid)
    }

    /// The addresses of the bridge, with the lengths of their prefixes.
    pub fn bridge_addresses(&self) -> Vec<(IpAddr, u8)> {
        let inhibited = self.switch("com.docker.network.bridge.inhibit_ipv4", false);
        let pools = self.pools.iter().filter(|p| p.subnet.is_ipv6() || !inhibited);
        pools.filter_map(|p| Some((p.gateway?, p.subnet.prefix))).collect()
    }

    /// Whether its containers may talk to each other.
    pub fn connects_containers(&self) -> bool {
        self.switch("com.docker.network.bridge.enable_icc", true)
    }

    /// Whether what leaves it takes the host's address.
    pub fn masquerades(&self) -> bool {
        self.switch("com.docker.network.bridge.enable_ip_masquerade", true)
    }

    /// The host's address that ports are published on where none is asked for.
    pub fn host_binding(&self) -> Option<IpAddr> {
        let given = self.options.get("com.docker.network.bridge.host_binding_ipv4")?;
        given.parse().ok().filter(|a: &IpAddr| !a.is_unspecified())
    }
}

/// `-o macvlan_mode`.
///
/// # Errors
/// In Docker's words.
pub fn macvlan(mode: &str) -> Result<MacvlanMode, String> {
    Ok(match mode {
        "" | "bridge" => MacvlanMode::Bridge,
        "private" => MacvlanMode::Private,
        "vepa" => MacvlanMode::Vepa,
        "passthru" => MacvlanMode::Passthru,
        _ => {
            return Err(format!(
                "requested macvlan mode '{mode}' is not valid, 'bridge' mode is the macvlan driver default"
            ));
        }
    })
}

/// `-o ipvlan_mode` and `-o ipvlan_flag`.
///
/// # Errors
/// In Docker's words.
pub fn ipvlan(mode: &str, flag: &str) -> Result<(IpvlanMode, IpvlanFlag), String> {
    let mode = match mode {
        "" | "l2" => IpvlanMode::L2,
        "l3" => IpvlanMode::L3,
        "l3s" => IpvlanMode::L3s,
        _ => {
            return Err(format!("requested ipvlan mode '{mode}' is not valid, 'l2' mode is the ipvlan driver default"));
        }
    };
    let flag = match flag {
        "" | "bridge" => IpvlanFlag::Bridge,
        "private" => IpvlanFlag::Private,
        "vepa" => IpvlanFlag::Vepa,
        _ => return Err(format!("requested ipvlan flag '{flag}' is not valid, 'bridge' is the ipvlan driver default")),
    };
    Ok((mode, flag))
}

impl Record for NetworkRecord {
    const KIND: Kind = Kind::Network;
    fn key(&self) -> String {
        self.id.clone()
    }
}
