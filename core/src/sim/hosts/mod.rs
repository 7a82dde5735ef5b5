//! The hosts of a session: the one with the learner's terminal, and those that `docker-machine` makes beside
//! it. Each has a kernel, a disk and an engine of its own; they see each other over the network only.

pub(super) mod daemon;
mod dial;
mod disk;
pub mod machine;
mod power;
#[cfg(test)]
mod tests;

pub(super) use dial::dial;
pub use disk::{HOME, furnish};

use super::docker;
use super::kernel::{self, Machine, NamespaceChoice, NetNsId, Runner, SimOs, Spawn, StdStream};
use super::world::SimWorld;
use crate::world::{LocalFut, Watched, Watcher};
use cutaway_userland::Errno;
use cutaway_userland::os::Pid;
use cutaway_userland::sorted::Map as BTreeMap;
use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;

/// Gives each host what keeps its steps.
type Watching = Box<dyn Fn(&SimWorld) -> Rc<dyn Watcher>>;

/// One simulated host.
pub struct Host {
    pub name: String,
    pub world: SimWorld,
    watcher: Rc<dyn Watcher>,
    /// Whether it is switched on.
    pub running: Cell<bool>,
    /// Containers to start with the engine, by id.
    wanted: RefCell<Vec<String>>,
    /// Keeps the network that the host's way to the world leads into.
    outside: RefCell<Option<NetNsId>>,
}

impl Host {
    /// Whether one of its interfaces has this address.
    fn has(&self, address: IpAddr) -> bool {
        let machine = self.world.machine();
        let interfaces = machine.interfaces(&machine.host_network());
        interfaces.iter().any(|i| i.addresses.iter().any(|(own, _)| *own == address))
    }
}

/// Where a program runs that looks for other hosts.
#[derive(Clone)]
pub struct Here {
    pub station: Rc<Station>,
    pub host: Rc<Host>,
    pub os: SimOs,
}

/// What all docker commands of a session share.
pub struct Station {
    home: Rc<Host>,
    /// Those that `docker-machine` has made, by name.
    others: RefCell<BTreeMap<String, Rc<Host>>>,
    /// The host whose engine was asked last.
    acting: RefCell<Rc<Host>>,
    watching: Watching,
    /// What sees each act beside that.
    pub watchers: RefCell<Vec<Rc<dyn Watcher>>>,
    /// How many acts, and how many commands, there have been.
    steps: Rc<Cell<u64>>,
    commands: Cell<u64>,
    /// The network between the hosts, once there is one.
    switch: RefCell<Option<NetNsId>>,
}

impl Station {
    /// A station with the host of the learner's terminal.
    pub fn new(world: &SimWorld, watching: Watching) -> Rc<Station> {
        let home = Rc::new(Host::new(world, &watching));
        let station = Rc::new(Station {
            others: RefCell::default(),
            acting: RefCell::new(home.clone()),
            watching,
            watchers: RefCell::default(),
            steps: Rc::default(),
            commands: Cell::default(),
            switch: RefCell::default(),
            home,
        });
        station.equip(&station.home);
        station
    }

    /// Puts the disk's files in place and makes the programs known that need more than their machine.
    fn equip(self: &Rc<Self>, host: &Rc<Host>) {
        let machine = host.world.machine();
        machine.register_program("docker", docker::program(self, host));
        machine.register_program("docker-machine", machine_program(self, host));
        machine.register_program("sudo", Rc::new(sudo));
        let furnished = furnish(machine, &host.name);
        debug_assert!(furnished.is_ok(), "the host's disk and network could not be made");
        *host.outside.borrow_mut() = furnished.ok();
    }

    /// What sees the acts of one command on a host.
    pub fn watched(&self, host: &Host, line: &str) -> Watched<SimWorld> {
        let number = self.commands.get();
        self.commands.set(number + 1);
        let mut watchers = vec![host.watcher.clone()];
        watchers.extend(self.watchers.borrow().iter().cloned());
        Watched::new(host.world.clone(), watchers, number, line, self.steps.clone())
    }

    pub fn acting(&self) -> Rc<Host> {
        self.acting.borrow().clone()
    }

    pub fn set_acting(&self, host: &Rc<Host>) {
        *self.acting.borrow_mut() = host.clone();
    }

    /// All hosts, the learner's first.
    pub fn all(&self) -> Vec<Rc<Host>> {
        [self.home.clone()].into_iter().chain(self.others.borrow().values().cloned()).collect()
    }

    /// One that `docker-machine` has made.
    fn other(&self, name: &str) -> Option<Rc<Host>> {
        self.others.borrow().get(name).cloned()
    }

    /// The host that has an address, as it is seen from another one: each calls itself by some that others
    /// have for themselves, too.
    fn at(&self, address: IpAddr, from: &Rc<Host>) -> Option<Rc<Host>> {
        if address.is_loopback() || from.has(address) {
            return Some(from.clone());
        }
        self.all().into_iter().find(|host| host.running.get() && host.has(address))
    }
}

impl Host {
    fn new(world: &SimWorld, watching: &Watching) -> Host {
        Host {
            name: world.config().hostname.clone(),
            world: world.clone(),
            watcher: watching(world),
            running: Cell::new(true),
            wanted: RefCell::default(),
            outside: RefCell::default(),
        }
    }
}

/// `docker-machine` of one host, for its machine to know. It does not keep the host, which keeps the machine.
fn machine_program(station: &Rc<Station>, host: &Rc<Host>) -> Runner {
    let (station, host) = (Rc::downgrade(station), Rc::downgrade(host));
    Rc::new(move |os, argv, env| match (station.upgrade(), host.upgrade()) {
        (Some(station), Some(host)) => Box::pin(async move {
            let annex = host.world.annex().get().await;
            (annex.machine)(Here { station, host, os }, argv, env).await
        }),
        _ => Box::pin(std::future::ready(1)),
    })
}

/// A process of the host, held, in a session of its own.
pub fn spawn(machine: &Machine, stdio: [StdStream; 3]) -> Result<Pid, Errno> {
    let inherit = NamespaceChoice::Inherit;
    machine.spawn(Spawn {
        parent: Machine::INIT,
        mount: inherit,
        pid: inherit,
        network: inherit,
        uts: inherit,
        ipc: inherit,
        user: inherit,
        cgroup_namespace: inherit,
        cgroup: Machine::ROOT_CGROUP,
        stdio,
        session: true,
        root_of: None,
    })
}

/// What root finds in the environment.
pub fn environment() -> Vec<(String, String)> {
    let env = [
        ("HOME", HOME),
        ("LANG", "C.UTF-8"),
        ("LOGNAME", "root"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("PWD", HOME),
        ("SHELL", "/bin/bash"),
        ("USER", "root"),
    ];
    env.into_iter().map(|(n, v)| (n.to_string(), v.to_string())).collect()
}

/// `sudo`: the learner is root already.
fn sudo(os: kernel::SimOs, argv: Vec<String>, env: Vec<(String, String)>) -> LocalFut<i32> {
    Box::pin(async move {
        let words: Vec<String> = argv.into_iter().skip(1).skip_while(|w| w.starts_with('-')).collect();
        super::programs::run_instead(&os, "sudo", &words, &env).await
    })
}
