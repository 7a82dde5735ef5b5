//! Acts on networks: bridges, virtual cables, addresses, published ports, names.

use super::{short, story};
use crate::network::Rate;
use crate::world::{Act, Story, Subject};
use std::net::{IpAddr, SocketAddr};

/// A network interface's name on the host, 15 bytes at most.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct LinkName(pub String);

/// Makes a bridge (a switch in software) with the gateways' addresses, and lets its network out by address
/// translation unless it is internal. Succeeds where it is there with these addresses.
#[derive(Clone, Debug)]
pub struct CreateBridge {
    pub network: String,
    pub bridge: LinkName,
    /// With the lengths of their prefixes; one of each version at most.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Nothing leaves it, and nothing comes in.
    pub internal: bool,
    /// What leaves it takes the host's address.
    pub masquerade: bool,
    pub mtu: u32,
}

impl Act for CreateBridge {
    type Output = ();
    fn story(&self) -> Story {
        let shown: Vec<String> = self.addresses.iter().map(|(address, prefix)| format!("{address}/{prefix}")).collect();
        let mut calls = vec![format!("sendto(netlink, RTM_NEWLINK {{kind=\"bridge\", name={:?}}})", self.bridge.0)];
        calls.extend(shown.iter().map(|address| format!("sendto(netlink, RTM_NEWADDR {address})")));
        calls.push(match (self.internal, self.masquerade) {
            (true, _) => "sendto(netlink, NFT_MSG_NEWRULE drop)".into(),
            (false, true) => "sendto(netlink, NFT_MSG_NEWRULE masquerade)".into(),
            (false, false) => "sendto(netlink, NFT_MSG_NEWRULE accept)".into(),
        });
        story(
            "create-bridge",
            match shown.len() {
                0 => format!("Make the bridge {} without an address", self.bridge.0),
                _ => format!("Make the bridge {} with address {}", self.bridge.0, shown.join(" and ")),
            },
            vec![Subject::Network(self.network.clone())],
            calls,
        )
    }
}

/// Deletes a bridge and its rules, or the interface that was made for containers to share. Succeeds where there is none.
#[derive(Clone, Debug)]
pub struct RemoveBridge {
    pub network: String,
    pub bridge: LinkName,
    /// It is no bridge, but an interface that containers shared.
    pub parent: bool,
}

impl Act for RemoveBridge {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "remove-bridge",
            format!("Delete the {} {}", if self.parent { "interface" } else { "bridge" }, self.bridge.0),
            vec![Subject::Network(self.network.clone())],
            vec![format!("sendto(netlink, RTM_DELLINK {:?})", self.bridge.0)],
        )
    }
}

/// Makes a virtual cable: what goes in at one end comes out at the other.
#[derive(Clone, Debug)]
pub struct AddVethPair {
    pub container: String,
    pub host: LinkName,
    pub peer: LinkName,
    /// Bytes of the largest packet; 0 is the kernel's own choice.
    pub mtu: u32,
}

impl Act for AddVethPair {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "add-veth-pair",
            format!("Make a virtual cable with ends {} and {}", self.host.0, self.peer.0),
            vec![Subject::Container(self.container.clone())],
            vec![format!(
                "sendto(netlink, RTM_NEWLINK {{kind=\"veth\", name={:?}, peer={:?}}})",
                self.host.0, self.peer.0
            )],
        )
    }
}

/// Plugs an end of a cable into a bridge and switches it on.
#[derive(Clone, Debug)]
pub struct AttachToBridge {
    pub network: String,
    pub link: LinkName,
    pub bridge: LinkName,
    /// It reaches the bridge itself, but no other end that is isolated.
    pub isolated: bool,
}

impl Act for AttachToBridge {
    type Output = ();
    fn story(&self) -> Story {
        let mut calls = vec![format!(
            "sendto(netlink, RTM_SETLINK {{name={:?}, master={:?}, IFF_UP}})",
            self.link.0, self.bridge.0
        )];
        if self.isolated {
            calls.push(format!("sendto(netlink, RTM_SETLINK {{name={:?}, IFLA_BRPORT_ISOLATED=1}})", self.link.0));
        }
        story(
            "attach-to-bridge",
            format!("Plug {} into the bridge {}", self.link.0, self.bridge.0),
            vec![Subject::Network(self.network.clone())],
            calls,
        )
    }
}

/// Moves an end of a cable into a container's network namespace and gives it the name it has there, and the kernel's
/// settings for it.
#[derive(Clone, Debug)]
pub struct MoveLink {
    pub container: String,
    pub link: LinkName,
    pub name: String,
    /// Files below /proc/sys and what to write into each.
    pub settings: Vec<(String, String)>,
}

impl Act for MoveLink {
    type Output = ();
    fn story(&self) -> Story {
        let mut calls = vec![format!(
            "sendto(netlink, RTM_SETLINK {{name={:?}, IFLA_NET_NS_PID, IFLA_IFNAME={:?}}})",
            self.link.0, self.name
        )];
        calls.extend(self.settings.iter().map(|(file, value)| format!("write(/proc/sys/{file}, {value:?})")));
        story(
            "move-link",
            format!("Move the end {} into the container, as {}", self.link.0, self.name),
            vec![Subject::Container(self.container.clone())],
            calls,
        )
    }
}

/// Gives a container's interface its hardware address and an IP address and switches it on; `lo` is switched on
/// with it. Once for each address that it is to have.
#[derive(Clone, Debug)]
pub struct AddAddress {
    pub container: String,
    pub name: String,
    pub address: IpAddr,
    pub prefix: u8,
    /// None where the interface has none of its own.
    pub mac: Option<[u8; 6]>,
}

impl Act for AddAddress {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "add-address",
            format!("Give {} the address {}/{}", self.name, self.address, self.prefix),
            vec![Subject::Container(self.container.clone())],
            vec![
                format!("sendto(netlink, RTM_NEWADDR {}/{} dev {})", self.address, self.prefix, self.name),
                format!("sendto(netlink, RTM_SETLINK {{name={:?}, IFF_UP}})", self.name),
            ],
        )
    }
}

/// Sets a container's default route, in place of the one that it has for this version of addresses.
#[derive(Clone, Debug)]
pub struct AddRoute {
    pub container: String,
    /// The unspecified address where there is no gateway, but everything is behind `on`.
    pub gateway: IpAddr,
    /// The interface that everything is behind.
    pub on: Option<String>,
}

impl Act for AddRoute {
    type Output = ();
    fn story(&self) -> Story {
        let (what, way) = match &self.on {
            Some(name) => (format!("Look for everything else behind {name}"), format!("dev {name}")),
            None => {
                (format!("Send everything else through the gateway {}", self.gateway), format!("via {}", self.gateway))
            }
        };
        story(
            "add-route",
            what,
            vec![Subject::Container(self.container.clone())],
            vec![format!("sendto(netlink, RTM_NEWROUTE default {way})")],
        )
    }
}

/// Lets only so much through a cable, in each direction: what is more waits in a queue, or is lost where the queue is
/// full. `None` takes the limit away. Each end holds back what it sends: the host's end what the container receives,
/// the container's own end what it sends.
#[derive(Clone, Debug)]
pub struct ShapeTraffic {
    pub container: String,
    /// The host's end; there is none where the container shares a wire.
    pub link: Option<LinkName>,
    /// Its name in the container.
    pub name: String,
    pub rate: Option<Rate>,
}

impl Act for ShapeTraffic {
    type Output = ();
    fn story(&self) -> Story {
        let (what, call) = match self.rate {
            Some(rate) => (
                format!("Let {rate} a second through {} in each direction", self.name),
                format!("RTM_NEWQDISC {{kind=\"tbf\", rate={rate}, burst={}}}", rate.burst()),
            ),
            None => (format!("Let any amount through {}", self.name), "RTM_DELQDISC".to_string()),
        };
        story(
            "shape-traffic",
            what,
            vec![Subject::Container(self.container.clone())],
            self.link
                .iter()
                .map(|link| format!("sendto(netlink, {call} dev {})", link.0))
                .chain(["setns(netns, CLONE_NEWNET)".into(), format!("sendto(netlink, {call} dev {})", self.name)])
                .collect(),
        )
    }
}

/// Deletes a virtual cable by its name on the host, or a container's interface that shares a wire. Succeeds where there
/// is none.
#[derive(Clone, Debug)]
pub struct RemoveLink {
    pub link: LinkName,
    pub container: String,
    /// Its name in the container.
    pub name: String,
}

impl Act for RemoveLink {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "remove-link",
            format!("Pull the virtual cable {}", self.link.0),
            vec![Subject::Container(self.container.clone())],
            vec![format!("sendto(netlink, RTM_DELLINK {:?})", self.link.0)],
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        }
    }
}

/// Leads a port of the host to a container's; host port 0 takes a free one. `EADDRINUSE` where it is taken.
#[derive(Clone, Debug)]
pub struct PublishPort {
    pub container: String,
    pub host: IpAddr,
    pub host_port: u16,
    pub protocol: Protocol,
    pub to: IpAddr,
    pub port: u16,
}

impl Act for PublishPort {
    /// The port of the host.
    type Output = u16;
    fn story(&self) -> Story {
        story(
            "publish-port",
            format!(
                "Lead port {} of the host to port {} of the container",
                if self.host_port == 0 { "(any free)".to_string() } else { self.host_port.to_string() },
                self.port
            ),
            vec![Subject::Host, Subject::Container(self.container.clone())],
            vec![
                format!("bind(3, {})", SocketAddr::new(self.host, self.host_port)),
                format!("sendto(netlink, NFT_MSG_NEWRULE dnat to {})", SocketAddr::new(self.to, self.port)),
            ],
        )
    }
}

/// Takes a published port back. Succeeds where it is not published.
#[derive(Clone, Debug)]
pub struct UnpublishPort {
    pub container: String,
    pub host: IpAddr,
    pub host_port: u16,
    pub protocol: Protocol,
}

impl Act for UnpublishPort {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "unpublish-port",
            format!("Close port {} of the host", self.host_port),
            vec![Subject::Host, Subject::Container(self.container.clone())],
            vec!["sendto(netlink, NFT_MSG_DELRULE)".into(), "close(3)".into()],
        )
    }
}

/// Answers name questions inside a container at 127.0.0.11, from the records as they are at the time:
/// `engine::names::resolve` is the answer's function.
#[derive(Clone, Debug)]
pub struct ServeNames {
    pub container: String,
}

impl Act for ServeNames {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "serve-names",
            "Answer questions for names at 127.0.0.11 inside the container".into(),
            vec![Subject::Container(self.container.clone())],
            vec!["setns(netns, CLONE_NEWNET)".into(), "bind(3, 127.0.0.11:53)".into()],
        )
    }
}

/// Writes the files that tell a container about its network, kept beside its log and bound into it by
/// [`SetupOp::NetworkFile`](super::SetupOp::NetworkFile). Can be written again while it runs.
#[derive(Clone, Debug)]
pub struct WriteNetworkFiles {
    pub container: String,
    pub hostname: String,
    pub hosts: String,
    pub resolv_conf: String,
}

impl Act for WriteNetworkFiles {
    type Output = ();
    fn story(&self) -> Story {
        story(
            "write-network-files",
            format!("Write /etc/hosts, /etc/hostname and /etc/resolv.conf for container {}", short(&self.container)),
            vec![Subject::Container(self.container.clone())],
            vec![
                format!(
                    "openat(AT_FDCWD, \"containers/{}/hosts\", O_WRONLY|O_CREAT|O_TRUNC) = 3",
                    short(&self.container)
                ),
                "write(3, …)".into(),
            ],
        )
    }
}
