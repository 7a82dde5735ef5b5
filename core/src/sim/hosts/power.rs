//! Making another host, switching it on and off, and taking it away.

use super::{Host, Station, environment, spawn};
use crate::container::ContainerRecord;
use crate::sim::docker::run_unseen;
use crate::sim::kernel::{Exit, Machine, MachineConfig, StdStream};
use crate::world::Records;
use cutaway_userland::Errno;
use cutaway_userland::os::Signal;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

/// The host's own interface on the network between the hosts.
const ADAPTER: &str = "vboxnet0";
/// Another host's interface there.
const PORT: &str = "eth1";
/// The addresses that are given to hosts; as VirtualBox gives them.
const FIRST: u8 = 100;
const LAST: u8 = 254;

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 99, last)
}

impl Station {
    /// Makes a host, switched off, and plugs it in; its address.
    pub(super) fn add(self: &Rc<Self>, name: &str, memory: u64, cpus: u32) -> Result<Ipv4Addr, Errno> {
        let home = self.home.world.machine();
        let free = (FIRST..=LAST).map(address).find(|a| self.all().iter().all(|host| !host.has(IpAddr::V4(*a))));
        let free = free.ok_or(Errno::EADDRNOTAVAIL)?;
        let mut seed = [0; 8];
        home.random(&mut seed);
        let config = MachineConfig {
            epoch: home.now(),
            hostname: name.to_string(),
            memory,
            cpus,
            seed: u64::from_le_bytes(seed),
            ..self.home.world.config().clone()
        };
        let world = self.home.world.beside(config);
        let host = Rc::new(Host::new(&world, &self.watching));
        host.running.set(false);
        self.equip(&host);
        self.plug_in(world.machine(), PORT, free)?;
        self.others.borrow_mut().insert(name.to_string(), host);
        Ok(free)
    }

    /// Whether there is a network between the hosts yet.
    pub(super) fn has_switch(&self) -> bool {
        self.switch.borrow().is_some()
    }

    /// Leads a cable from a machine to the switch that the hosts have between them.
    fn plug_in(&self, machine: &Machine, link: &str, address: Ipv4Addr) -> Result<(), Errno> {
        const BRIDGE: &str = "switch";
        let switch = self.switch.borrow().clone();
        let switch = match switch {
            Some(switch) => switch,
            None => {
                let switch = self.home.world.machine().new_network();
                machine.add_bridge(&switch, BRIDGE, 1500, Exit::Closed)?;
                machine.set_up(&switch, BRIDGE, true)?;
                *self.switch.borrow_mut() = Some(switch.clone());
                self.plug_in(self.home.world.machine(), ADAPTER, self::address(1))?;
                switch
            }
        };
        let (own, far) = (machine.host_network(), format!("port{}", address.octets()[3]));
        machine.add_veth((&own, link), (&switch, &far))?;
        machine.set_master(&switch, &far, Some(BRIDGE), false)?;
        machine.set_up(&switch, &far, true)?;
        machine.add_address(&own, link, IpAddr::V4(address), 24)?;
        machine.set_up(&own, link, true)
    }

    /// Takes a host away, with all that is on it.
    pub(super) async fn remove(&self, host: &Rc<Host>) {
        host.switch_off(Signal::KILL).await;
        let machine = host.world.machine();
        let _ = machine.remove_link(&machine.host_network(), PORT);
        self.others.borrow_mut().remove(&host.name);
        if Rc::ptr_eq(&self.acting(), host) {
            self.set_acting(&self.home);
        }
    }
}

impl Host {
    /// Starts the host's servers, and the containers that are to start with its engine.
    pub(super) async fn switch_on(&self) -> Result<(), Errno> {
        if self.running.replace(true) {
            return Ok(());
        }
        self.set_links(true)?;
        for (path, words) in [
            ("/usr/sbin/sshd", "sshd -D"),
            ("/usr/bin/dockerd", "dockerd -H tcp://0.0.0.0:2376 -H unix:///var/run/docker.sock --tlsverify"),
        ] {
            let machine = self.world.machine();
            let pid = spawn(machine, [StdStream::Null, StdStream::Null, StdStream::Null])?;
            let words: Vec<String> = words.split(' ').map(str::to_string).collect();
            machine.exec(pid, path, &words, &environment())?;
        }
        self.start_containers().await;
        Ok(())
    }

    /// Starts the containers that come back with their engine.
    pub(super) async fn start_containers(&self) {
        let wanted = std::mem::take(&mut *self.wanted.borrow_mut());
        if !wanted.is_empty() {
            run_unseen(&self.world, &words("start", wanted)).await;
        }
    }

    /// Ends the containers, by `signal` first, then every process.
    pub(super) async fn switch_off(&self, signal: Signal) {
        if !self.running.get() {
            return;
        }
        self.stop_containers(signal).await;
        let machine = self.world.machine();
        for process in machine.processes(Machine::INIT) {
            if process.pid != Machine::INIT {
                let _ = machine.kill(process.pid, Signal::KILL);
            }
        }
        let _ = self.set_links(false);
        self.running.set(false);
    }

    /// Ends the containers, as the end of their engine does. Which of them come back is up to their restart
    /// policies.
    pub(super) async fn stop_containers(&self, signal: Signal) {
        let all = self.world.list::<ContainerRecord>().unwrap_or_default();
        let runs = |c: &&ContainerRecord| c.state.status.is_running();
        let comes_back = |c: &ContainerRecord| match c.host.restart.name.as_str() {
            "always" => true,
            "unless-stopped" => runs(&c),
            _ => false,
        };
        *self.wanted.borrow_mut() = all.iter().filter(|c| comes_back(c)).map(|c| c.id.clone()).collect();
        let running: Vec<String> = all.iter().filter(runs).map(|c| c.id.clone()).collect();
        if !running.is_empty() {
            let command = if signal == Signal::KILL { "kill" } else { "stop" };
            run_unseen(&self.world, &words(command, running)).await;
        }
    }

    fn set_links(&self, up: bool) -> Result<(), Errno> {
        let machine = self.world.machine();
        ["eth0", PORT].iter().try_for_each(|link| machine.set_up(&machine.host_network(), link, up))
    }
}

fn words(command: &str, ids: Vec<String>) -> Vec<String> {
    [command.to_string()].into_iter().chain(ids).collect()
}
