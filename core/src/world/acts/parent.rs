//! Acts on networks without a bridge: containers whose interfaces share the wire of one of the host's (macvlan, ipvlan).

use super::{LinkName, story};
use crate::world::{Act, Story, Subject};

/// An interface that can be made for containers to share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parent {
    /// One that leads nowhere.
    Dummy,
    /// The part of another one's wire that is marked with a number (IEEE 802.1Q).
    Vlan { on: LinkName, id: u16 },
}

/// Sees to it that the interface which a network's containers share is there and on. `ENODEV` where it is not there and
/// can't be made: none is to be made, or the one that it would be a part of is not there either.
#[derive(Clone, Debug)]
pub struct EnsureParent {
    pub network: String,
    pub parent: LinkName,
    /// What to make where it is not there.
    pub make: Option<Parent>,
}

impl Act for EnsureParent {
    /// Whether it was made.
    type Output = bool;
    fn story(&self) -> Story {
        let name = &self.parent.0;
        let (what, made) = match &self.make {
            None => (format!("Find the interface {name}"), None),
            Some(Parent::Dummy) => {
                (format!("Make the interface {name}, which leads nowhere"), Some("kind=\"dummy\"".to_string()))
            }
            Some(Parent::Vlan { on, id }) => (
                format!("Make {name}, the part of {}'s wire that has the mark {id}", on.0),
                Some(format!("kind=\"vlan\", link={:?}, id={id}", on.0)),
            ),
        };
        let mut calls = vec![format!("sendto(netlink, RTM_GETLINK {{name={name:?}}})")];
        calls.extend(made.map(|made| format!("sendto(netlink, RTM_NEWLINK {{name={name:?}, {made}, IFF_UP}})")));
        story("ensure-parent", what, vec![Subject::Network(self.network.clone())], calls)
    }
}

/// How an interface takes part in the wire of another: `macvlan_mode`, and `ipvlan_mode` with `ipvlan_flag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// With a hardware address of its own.
    Macvlan(MacvlanMode),
    /// With the hardware address of the parent.
    Ipvlan(IpvlanMode, IpvlanFlag),
}

/// Who reaches whom among those that share a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacvlanMode {
    /// Each reaches each.
    Bridge,
    /// None reaches any.
    Private,
    /// Only by way of a switch outside that sends back what came from there.
    Vepa,
    /// There is but one.
    Passthru,
}

/// Whether packets are switched by hardware address, or routed by IP address; with the last, the host's rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpvlanMode {
    L2,
    L3,
    L3s,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpvlanFlag {
    Bridge,
    Private,
    Vepa,
}

impl Share {
    /// The kind of interface, and how it shares, in the words of ip-link(8).
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Share::Macvlan(MacvlanMode::Bridge) => ("macvlan", "bridge"),
            Share::Macvlan(MacvlanMode::Private) => ("macvlan", "private"),
            Share::Macvlan(MacvlanMode::Vepa) => ("macvlan", "vepa"),
            Share::Macvlan(MacvlanMode::Passthru) => ("macvlan", "passthru"),
            Share::Ipvlan(IpvlanMode::L2, _) => ("ipvlan", "l2"),
            Share::Ipvlan(IpvlanMode::L3, _) => ("ipvlan", "l3"),
            Share::Ipvlan(IpvlanMode::L3s, _) => ("ipvlan", "l3s"),
        }
    }
}

/// Makes an interface of a container's that shares the wire of one of the host's; it still has to be moved there.
#[derive(Clone, Debug)]
pub struct AddSubInterface {
    pub container: String,
    pub link: LinkName,
    pub parent: LinkName,
    pub share: Share,
}

impl Act for AddSubInterface {
    type Output = ();
    fn story(&self) -> Story {
        let (kind, mode) = self.share.words();
        story(
            "add-sub-interface",
            format!("Make {}, which shares the wire of {} ({kind}, {mode})", self.link.0, self.parent.0),
            vec![Subject::Container(self.container.clone())],
            vec![format!(
                "sendto(netlink, RTM_NEWLINK {{kind={kind:?}, name={:?}, link={:?}, mode={mode}}})",
                self.link.0, self.parent.0
            )],
        )
    }
}
