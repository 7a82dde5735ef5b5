//! Acts on networks: bridges and cables of the simulated kernel, ports, names, and the files that tell a
//! container about them.

use super::{During, SimWorld};
use crate::engine::names;
use crate::network::dns::Answer;
use crate::sim::kernel::{DnatRule, Exit, Machine, NetNsId, Resolver};
use crate::world::acts::*;
use crate::world::{Fault, Performs};
use cutaway_userland::Errno;
use cutaway_userland::os::Result as OsResult;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

/// Where a container asks for names.
const RESOLVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

/// A failure that means that the thing is already as asked is none.
fn unless(result: OsResult<()>, fine: &[Errno]) -> OsResult<()> {
    match result {
        Err(errno) if fine.contains(&errno) => Ok(()),
        other => other,
    }
}

/// The address that an interface has on its own wire, made of its hardware address. Source: RFC 4291, appendix A.
fn link_local(mac: [u8; 6]) -> IpAddr {
    let [a, b, c, d, e, f] = mac;
    IpAddr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

impl SimWorld {
    pub(super) fn network_of(&self, container: &str) -> Result<NetNsId, Fault> {
        let pid = self.init(container)?;
        self.machine().network_of(pid).during("open network namespace")
    }
}

impl Performs<CreateBridge> for SimWorld {
    async fn perform(&self, act: CreateBridge) -> Result<(), Fault> {
        let (machine, host) = (self.machine(), self.machine().host_network());
        let what = format!("add bridge {}", act.bridge.0);
        let exit = match (act.internal, act.masquerade) {
            (true, _) => Exit::Closed,
            (false, true) => Exit::Masquerade,
            (false, false) => Exit::Open,
        };
        let made = machine.add_bridge(&host, &act.bridge.0, act.mtu, exit);
        unless(made, &[Errno::EEXIST]).during(&*what)?;
        for (address, prefix) in act.addresses {
            let added = machine.add_address(&host, &act.bridge.0, address, prefix);
            unless(added, &[Errno::EEXIST]).during(&*what)?;
        }
        machine.set_up(&host, &act.bridge.0, true).during(what)
    }
}

impl Performs<RemoveBridge> for SimWorld {
    async fn perform(&self, act: RemoveBridge) -> Result<(), Fault> {
        let removed = self.machine().remove_link(&self.machine().host_network(), &act.bridge.0);
        unless(removed, &[Errno::ENODEV, Errno::ENOENT, Errno::ENXIO]).during(format!("delete {}", act.bridge.0))
    }
}

impl Performs<EnsureParent> for SimWorld {
    async fn perform(&self, act: EnsureParent) -> Result<bool, Fault> {
        let (machine, host) = (self.machine(), self.machine().host_network());
        let (name, what) = (&act.parent.0, format!("find {}", act.parent.0));
        if machine.interfaces(&host).iter().any(|interface| interface.name == *name) {
            return Ok(false);
        }
        let made = act.make.map_or(Err(Errno::ENODEV), |make| machine.add_parent(&host, name, &make));
        made.during(what).map(|()| true)
    }
}

impl Performs<AddSubInterface> for SimWorld {
    async fn perform(&self, act: AddSubInterface) -> Result<(), Fault> {
        let (machine, host) = (self.machine(), self.machine().host_network());
        let what = format!("share {}", act.parent.0);
        machine.add_sub(&host, &act.link.0, &act.parent.0, act.share).during(what)
    }
}

impl Performs<AddVethPair> for SimWorld {
    async fn perform(&self, act: AddVethPair) -> Result<(), Fault> {
        let host = self.machine().host_network();
        let what = format!("add cable {}", act.host.0);
        self.machine().add_veth((&host, &act.host.0), (&host, &act.peer.0)).during(&*what)?;
        if act.mtu > 0 {
            self.machine().set_mtu(&host, &act.host.0, act.mtu).during(&*what)?;
            self.machine().set_mtu(&host, &act.peer.0, act.mtu).during(what)?;
        }
        Ok(())
    }
}

impl Performs<AttachToBridge> for SimWorld {
    async fn perform(&self, act: AttachToBridge) -> Result<(), Fault> {
        let (machine, host) = (self.machine(), self.machine().host_network());
        let what = format!("plug {} into {}", act.link.0, act.bridge.0);
        machine.set_master(&host, &act.link.0, Some(&act.bridge.0), act.isolated).during(&*what)?;
        machine.set_up(&host, &act.link.0, true).during(what)
    }
}

impl Performs<MoveLink> for SimWorld {
    async fn perform(&self, act: MoveLink) -> Result<(), Fault> {
        let to = self.network_of(&act.container)?;
        let host = self.machine().host_network();
        self.machine().move_link(&host, &act.link.0, &to, &act.name).during(format!("move {}", act.link.0))?;
        for (file, value) in &act.settings {
            self.machine().set_network_sysctl(&to, file, value);
        }
        Ok(())
    }
}

impl Performs<AddAddress> for SimWorld {
    async fn perform(&self, act: AddAddress) -> Result<(), Fault> {
        let (machine, ns) = (self.machine(), self.network_of(&act.container)?);
        let what = format!("give {} its address", act.name);
        if let Some(mac) = act.mac {
            machine.set_mac(&ns, &act.name, mac).during(&*what)?;
        }
        let mut addresses = vec![(act.address, act.prefix)];
        let own = machine.interfaces(&ns).into_iter().find(|interface| interface.name == act.name);
        if act.address.is_ipv6() {
            addresses.extend(own.map(|interface| (link_local(interface.mac), 64)));
        }
        for (address, prefix) in addresses {
            let added = machine.add_address(&ns, &act.name, address, prefix);
            unless(added, &[Errno::EEXIST]).during(&*what)?;
        }
        machine.set_up(&ns, &act.name, true).during(&*what)?;
        machine.set_up(&ns, "lo", true).during(what)
    }
}

impl Performs<AddRoute> for SimWorld {
    async fn perform(&self, act: AddRoute) -> Result<(), Fault> {
        let ns = self.network_of(&act.container)?;
        self.machine()
            .set_default_route(&ns, act.gateway, act.on.as_deref())
            .during(format!("add route via {}", act.gateway))
    }
}

impl Performs<ShapeTraffic> for SimWorld {
    async fn perform(&self, act: ShapeTraffic) -> Result<(), Fault> {
        let (host, ns) = (self.machine().host_network(), self.network_of(&act.container)?);
        let what = format!("shape {}", act.name);
        if let Some(link) = &act.link {
            self.machine().shape(&host, &link.0, act.rate).during(&*what)?;
        }
        self.machine().shape(&ns, &act.name, act.rate).during(what)
    }
}

impl Performs<RemoveLink> for SimWorld {
    async fn perform(&self, act: RemoveLink) -> Result<(), Fault> {
        let mut removed = self.machine().remove_link(&self.machine().host_network(), &act.link.0);
        // One that shares a wire is in the container as a whole.
        if removed.is_err()
            && let Ok(ns) = self.network_of(&act.container)
        {
            removed = self.machine().remove_link(&ns, &act.name);
        }
        unless(removed, &[Errno::ENODEV, Errno::ENOENT, Errno::ENXIO]).during(format!("delete {}", act.link.0))
    }
}

impl Performs<PublishPort> for SimWorld {
    async fn perform(&self, act: PublishPort) -> Result<u16, Fault> {
        let rule =
            DnatRule { host: act.host, host_port: act.host_port, protocol: act.protocol, to: act.to, port: act.port };
        self.machine().publish(rule).during(format!("listen on {}:{}", act.host, act.host_port))
    }
}

impl Performs<UnpublishPort> for SimWorld {
    async fn perform(&self, act: UnpublishPort) -> Result<(), Fault> {
        self.machine().unpublish(act.host, act.host_port, act.protocol);
        Ok(())
    }
}

impl Performs<ServeNames> for SimWorld {
    async fn perform(&self, act: ServeNames) -> Result<(), Fault> {
        let ns = self.network_of(&act.container)?;
        // The world keeps the kernel, which keeps the resolver: a weak handle does not keep them all alive.
        let (world, container) = (Rc::downgrade(&self.0), act.container);
        let resolver: Resolver = Rc::new(move |question| match world.upgrade() {
            // Nobody beyond the simulated networks can be asked.
            Some(inner) => names::answer(&SimWorld(inner), &container, question).unwrap_or(Answer::NoSuchName),
            None => Answer::Failure,
        });
        self.machine().set_resolver(&ns, IpAddr::V4(RESOLVER), resolver);
        Ok(())
    }
}

impl Performs<WriteNetworkFiles> for SimWorld {
    async fn perform(&self, act: WriteNetworkFiles) -> Result<(), Fault> {
        let folder = SimWorld::folder(&act.container);
        let hostname = format!("{}\n", act.hostname);
        let files = [("hostname", &hostname), ("hosts", &act.hosts), ("resolv.conf", &act.resolv_conf)];
        for (name, text) in files {
            let path = format!("{folder}/{name}");
            self.machine().write_file(Machine::INIT, &path, text.as_bytes(), 0o644).during(format!("write {path}"))?;
        }
        Ok(())
    }
}
