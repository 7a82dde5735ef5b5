//! `LinuxWorld`: the engine's acts and questions, answered by the real kernel.

pub mod cgroup;
pub mod clock;
pub mod container;

pub mod network;
pub mod places;
mod processes;
mod queries;
pub mod records;
pub mod seccomp;
pub mod store;
mod unfinished;

use cgroup::Cgroups;
use container::Running;
use container::log::LogReader;
use container::streams::Sink;
use cutaway_core::world::Fault;
use cutaway_core::world::acts::PublishPort;
use network::netlink::Netlink;
use network::publish::PortKey;
use places::Places;
use records::RecordFiles;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use store::Store;
pub use store::in_root;
use tokio::task::JoinHandle;

/// A handle on this machine. It is used on one thread, inside a tokio `LocalSet`.
#[derive(Clone)]
pub struct LinuxWorld(Rc<Machine>);

/// What one process of the engine has of the machine.
pub struct Machine {
    pub(crate) store: Store,
    pub(crate) records: RecordFiles,
    /// Where the states of running containers are.
    pub(crate) runtime: PathBuf,
    pub(crate) cgroups: Cgroups,
    /// First processes that this process is the parent of, by container.
    pub(crate) running: RefCell<BTreeMap<String, Rc<Running>>>,
    /// The same of `exec`, by its id.
    pub(crate) execs: RefCell<BTreeMap<String, Rc<Running>>>,
    /// Logs of containers whose terminal is not open yet.
    pub(crate) waiting_logs: RefCell<BTreeMap<String, Sink>>,
    pub(crate) log_reader: LogReader,
    pub(crate) links: RefCell<Option<Netlink>>,
    pub(crate) ports: RefCell<BTreeMap<PortKey, JoinHandle<()>>>,
    /// Ports that the kernel leads, by container.
    pub(crate) led: RefCell<BTreeMap<String, Vec<PublishPort>>>,
    /// Whether the person was told that there is no packet filter.
    pub(crate) told: Cell<bool>,
    pub(crate) changes: queries::Changes,
    /// Whether set-ups go on before each is answered: where nobody watches single steps.
    pub(crate) hurries: Cell<bool>,
    background: RefCell<Vec<JoinHandle<()>>>,
}

impl Deref for LinuxWorld {
    type Target = Machine;
    fn deref(&self) -> &Machine {
        &self.0
    }
}

impl LinuxWorld {
    /// Opens the engine's folders, making them where they are missing.
    pub fn open(places: &Places) -> Result<LinuxWorld, Fault> {
        Ok(LinuxWorld(Rc::new(Machine {
            store: Store::open(places.root.clone(), places.rootless)?,
            records: RecordFiles::open(places.root.join("records"))?,
            runtime: places.runtime.clone(),
            cgroups: Cgroups::find(!places.rootless, &places.runtime),
            running: RefCell::default(),
            execs: RefCell::default(),
            waiting_logs: RefCell::default(),
            log_reader: LogReader::default(),
            links: RefCell::new(None),
            ports: RefCell::default(),
            led: RefCell::default(),
            told: Cell::new(false),
            changes: queries::Changes::default(),
            hurries: Cell::new(false),
            background: RefCell::default(),
        })))
    }

    /// A handle that keeps nothing alive: for tasks that serve as long as somebody else works.
    pub(crate) fn weak(&self) -> Weak<Machine> {
        Rc::downgrade(&self.0)
    }

    pub(crate) fn upgrade(weak: &Weak<Machine>) -> Option<LinuxWorld> {
        weak.upgrade().map(LinuxWorld)
    }

    /// Nobody watches single steps: they need not be waited for one by one.
    pub fn hurry(&self) {
        self.hurries.set(true);
    }

    /// Whether what was started by [`Queries::spawn`](cutaway_core::world::Queries::spawn) still goes on.
    pub fn is_busy(&self) -> bool {
        self.background.borrow_mut().retain(|task| !task.is_finished());
        !self.background.borrow().is_empty()
    }

    /// Waits until all of that has ended, and what it has started in turn.
    pub async fn settled(&self) {
        loop {
            let task = self.background.borrow_mut().pop();
            match task {
                Some(task) => drop(task.await),
                None => return,
            }
        }
    }

    pub(crate) fn log_file(&self, id: &str) -> Result<PathBuf, Fault> {
        Ok(self.store.container(id)?.join(format!("{id}-json.log")))
    }
}
