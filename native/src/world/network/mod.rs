//! Networks on Linux: a bridge for each, a virtual cable for each container, names and published ports.

mod conntrack;
pub mod firewall;
pub mod names;
pub mod netlink;
pub mod publish;

use super::LinuxWorld;
use crate::sys::{self, OrFault};
use cutaway_core::network::Subnet;
use cutaway_core::world::acts::{
    AddAddress, AddRoute, AddSubInterface, AddVethPair, AttachToBridge, CreateBridge, EnsureParent, MoveLink, Parent,
    PublishPort, RemoveBridge, RemoveLink, ServeNames, ShapeTraffic, UnpublishPort, WriteNetworkFiles,
};
use cutaway_core::world::{Fault, Performs};
use firewall::Bridge;
use netlink::Netlink;
use nix::Result as SysResult;
use nix::errno::Errno;
use std::fs;
use std::net::IpAddr;

/// Runs `work` on a thread in the network namespace of a process.
pub fn inside<T: Send + 'static>(pid: i32, work: impl FnOnce() -> SysResult<T> + Send + 'static) -> SysResult<T> {
    let thread = std::thread::spawn(move || {
        let path = format!("/proc/{pid}/ns/net");
        let namespace = sys::openat2(sys::cwd(), path.as_bytes(), libc::O_RDONLY, 0, 0)?;
        sys::setns(namespace, libc::CLONE_NEWNET)?;
        work()
    });
    thread.join().unwrap_or(Err(Errno::EIO))
}

impl LinuxWorld {
    /// Runs `work` with the socket of the host's network namespace.
    fn host_links<T>(&self, work: impl FnOnce(&mut Netlink) -> SysResult<T>) -> SysResult<T> {
        let mut kept = self.links.borrow_mut();
        if kept.is_none() {
            *kept = Some(Netlink::open()?);
        }
        match kept.as_mut() {
            Some(links) => work(links),
            None => Err(Errno::EBADF),
        }
    }

    /// The same in a container's.
    fn container_links<T>(&self, id: &str, work: impl FnOnce(&mut Netlink) -> SysResult<T>) -> Result<T, Fault> {
        let pid = self.pid_of(id)?;
        let run = || -> SysResult<T> {
            let local = self.running.borrow().get(id).cloned();
            let Some(local) = local else { return work(&mut Netlink::open_in(pid)?) };
            let mut kept = local.links.borrow_mut();
            if kept.is_none() {
                *kept = Some(Netlink::open_in(pid)?);
            }
            kept.as_mut().map_or(Err(Errno::EBADF), work)
        };
        run().or_fault(format!("set up the network of container {id:.12}"))
    }

    fn needs_root(&self, what: &str) -> Result<(), Fault> {
        if self.store.rootless {
            let why = "only root can connect containers to the host: use --network none or --network host";
            return Err(Fault::Unsupported(format!("{what}: {why}")));
        }
        Ok(())
    }
}

impl LinuxWorld {
    /// What the host's interfaces reach by themselves. None where it can't be asked.
    pub(crate) fn subnets_of_host(&self) -> Vec<Subnet> {
        let found = self.host_links(|links| links.addresses(None)).unwrap_or_default();
        let far = |a: &IpAddr| !a.is_loopback() && !matches!(a, IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfe80);
        found.into_iter().filter(|(a, _)| far(a)).map(|(a, prefix)| Subnet::of(a, prefix)).collect()
    }
}

impl Performs<CreateBridge> for LinuxWorld {
    async fn perform(&self, act: CreateBridge) -> Result<(), Fault> {
        self.needs_root("networks of bridges")?;
        let name = act.bridge.0.as_str();
        let there = self.host_links(|links| links.addresses(Some(name))).unwrap_or_default();
        let is_there = !there.is_empty() || self.host_links(|links| links.link(name)).is_ok();
        if is_there && act.addresses.iter().all(|address| there.contains(address)) {
            return Ok(());
        }
        let make = |links: &mut Netlink| {
            match links.add_bridge(name, act.mtu) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(e) => return Err(e),
            }
            for (address, prefix) in &act.addresses {
                links.add_address(name, *address, *prefix)?;
            }
            links.set_up(name)
        };
        let subnets = act.addresses.iter().map(|(address, prefix)| Subnet::of(*address, *prefix)).collect();
        let (internal, masquerade) = (act.internal, act.masquerade);
        let made = match self.host_links(make).or_fault(format!("create bridge {name}")) {
            Ok(()) => firewall::open(&Bridge { name, subnets, internal, masquerade }, &self.told),
            Err(fault) => Err(fault),
        };
        if made.is_err() {
            let _ = self.host_links(|links| links.delete(name));
        }
        made
    }
}

impl Performs<RemoveBridge> for LinuxWorld {
    async fn perform(&self, act: RemoveBridge) -> Result<(), Fault> {
        match self.host_links(|links| links.delete(&act.bridge.0)) {
            Ok(()) if act.parent => {}
            Ok(()) => firewall::close(&act.bridge.0),
            Err(Errno::ENODEV) => {}
            Err(e) => return Err(sys::fault(e, format!("delete bridge {}", act.bridge.0))),
        }
        Ok(())
    }
}

impl Performs<EnsureParent> for LinuxWorld {
    async fn perform(&self, act: EnsureParent) -> Result<bool, Fault> {
        self.needs_root("networks on a wire of the host's")?;
        let name = act.parent.0.as_str();
        let made = self.host_links(|links| match (links.link(name), &act.make) {
            (Ok(_), _) => Ok(false),
            (Err(_), Some(make)) => links.add_parent(name, make).map(|()| true),
            (Err(e), None) => Err(e),
        });
        match (made, &act.make) {
            (Err(Errno::EOPNOTSUPP), Some(make)) => {
                let kind = if *make == Parent::Dummy { "dummy" } else { "vlan" };
                Err(Fault::Unsupported(format!("this kernel has no {kind} interfaces: load its module {kind}")))
            }
            (made, _) => made.or_fault(format!("find {name}")),
        }
    }
}

impl Performs<AddSubInterface> for LinuxWorld {
    async fn perform(&self, act: AddSubInterface) -> Result<(), Fault> {
        let kind = act.share.words().0;
        match self.host_links(|links| links.add_sub(&act.link.0, &act.parent.0, act.share)) {
            Err(Errno::EOPNOTSUPP) => {
                Err(Fault::Unsupported(format!("this kernel has no {kind} interfaces: load its module {kind}")))
            }
            other => other.or_fault(format!("failed to create the {kind} port")),
        }
    }
}

impl Performs<AddVethPair> for LinuxWorld {
    async fn perform(&self, act: AddVethPair) -> Result<(), Fault> {
        self.needs_root("virtual cables")?;
        self.host_links(|links| links.add_veth(&act.host.0, &act.peer.0, act.mtu))
            .or_fault(format!("create veth pair {} {}", act.host.0, act.peer.0))
    }
}

impl Performs<AttachToBridge> for LinuxWorld {
    async fn perform(&self, act: AttachToBridge) -> Result<(), Fault> {
        self.host_links(|links| links.attach(&act.link.0, &act.bridge.0, act.isolated))
            .or_fault(format!("attach {} to {}", act.link.0, act.bridge.0))
    }
}

impl Performs<MoveLink> for LinuxWorld {
    async fn perform(&self, act: MoveLink) -> Result<(), Fault> {
        let pid = self.pid_of(&act.container)?;
        self.host_links(|links| links.move_to(&act.link.0, pid, &act.name))
            .or_fault(format!("move {} into container {:.12}", act.link.0, act.container))?;
        for (file, value) in act.settings {
            let (path, what) = (format!("/proc/sys/{file}"), format!("write {file}"));
            inside(pid, move || fs::write(&path, value).map_err(|e| sys::errno_of(&e))).or_fault(what)?;
        }
        Ok(())
    }
}

impl Performs<AddAddress> for LinuxWorld {
    async fn perform(&self, act: AddAddress) -> Result<(), Fault> {
        let six = act.address.is_ipv6();
        let add = |links: &mut Netlink| {
            let _ = links.set_up("lo");
            if let Some(mac) = act.mac {
                links.set_mac(&act.name, mac)?;
            }
            // Only in networks of version 6 does an interface choose itself an address of its own, and only when it is
            // switched on. A kernel without that version has nothing to be told.
            if six {
                links.set_down(&act.name)?;
            }
            let _ = links.choose_own_address(&act.name, six);
            links.add_address(&act.name, act.address, act.prefix)?;
            links.set_up(&act.name)
        };
        match self.container_links(&act.container, add) {
            Err(fault) if six && fault.number() == Some(cutaway_userland::Errno::EACCES) => {
                let (pid, path) =
                    (self.pid_of(&act.container)?, format!("/proc/sys/net/ipv6/conf/{}/disable_ipv6", act.name));
                inside(pid, move || fs::write(&path, "0").map_err(|e| sys::errno_of(&e))).or_fault("enable IPv6")?;
                self.container_links(&act.container, add)
            }
            other => other,
        }
    }
}

impl Performs<AddRoute> for LinuxWorld {
    async fn perform(&self, act: AddRoute) -> Result<(), Fault> {
        self.container_links(&act.container, |links| links.set_default_route(act.gateway, act.on.as_deref()))
    }
}

impl Performs<ShapeTraffic> for LinuxWorld {
    async fn perform(&self, act: ShapeTraffic) -> Result<(), Fault> {
        if let Some(link) = &act.link {
            self.host_links(|links| links.shape(&link.0, act.rate)).or_fault(format!("shape {}", link.0))?;
        }
        self.container_links(&act.container, |links| links.shape(&act.name, act.rate))
    }
}

impl Performs<RemoveLink> for LinuxWorld {
    async fn perform(&self, act: RemoveLink) -> Result<(), Fault> {
        match self.host_links(|links| links.delete(&act.link.0)) {
            Ok(()) => Ok(()),
            // One that shares a wire is in the container as a whole; with the container's namespace the kernel has
            // deleted it, as it has both ends of a cable.
            Err(Errno::ENODEV) => {
                if self.live_pid(&act.container).is_some() && !act.name.is_empty() {
                    let _ = self.container_links(&act.container, |links| links.delete(&act.name));
                }
                Ok(())
            }
            Err(e) => Err(sys::fault(e, format!("delete link {}", act.link.0))),
        }
    }
}

impl Performs<PublishPort> for LinuxWorld {
    async fn perform(&self, act: PublishPort) -> Result<u16, Fault> {
        publish::publish(self, act).await
    }
}

impl Performs<UnpublishPort> for LinuxWorld {
    async fn perform(&self, act: UnpublishPort) -> Result<(), Fault> {
        publish::unpublish(self, &act.container, act.host, act.host_port, act.protocol);
        Ok(())
    }
}

impl Performs<ServeNames> for LinuxWorld {
    async fn perform(&self, act: ServeNames) -> Result<(), Fault> {
        names::serve(self, &act.container)
    }
}

impl Performs<WriteNetworkFiles> for LinuxWorld {
    async fn perform(&self, act: WriteNetworkFiles) -> Result<(), Fault> {
        let folder = self.store.container(&act.container)?;
        fs::create_dir_all(&folder).or_fault(format!("mkdir {}", folder.display()))?;
        for (name, text) in
            [("hostname", format!("{}\n", act.hostname)), ("hosts", act.hosts), ("resolv.conf", act.resolv_conf)]
        {
            // Written in place: the container sees this very file.
            let path = folder.join(name);
            fs::write(&path, text).or_fault(format!("write {}", path.display()))?;
        }
        Ok(())
    }
}
