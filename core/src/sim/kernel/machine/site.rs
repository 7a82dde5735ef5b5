//! What machines that stand side by side have in common: one time, one queue of work, and the cables
//! between them.

use super::{Machine, Shared};
use crate::sim::kernel::executor::{Executor, Owner};
use crate::sim::kernel::net::{FIRST, Net, NetNsId};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

pub(super) struct Site {
    pub executor: Executor,
    /// Networks lie between machines: the kernel that is at work has them in its hands.
    pub net: RefCell<Net>,
    pub namespaces: Rc<Cell<u64>>,
    /// By number; what is gone for good leaves its place empty.
    machines: RefCell<Vec<Weak<Shared>>>,
}

impl Site {
    pub fn new(epoch: Duration) -> Site {
        Site {
            executor: Executor::new(epoch),
            net: RefCell::new(Net::new()),
            namespaces: Rc::new(Cell::new(4_026_532_200)),
            machines: RefCell::default(),
        }
    }

    /// The network namespace of a new machine.
    pub fn add_network(&self) -> NetNsId {
        let number = if self.machines.borrow().is_empty() {
            FIRST
        } else {
            self.namespaces.set(self.namespaces.get() + 1);
            self.namespaces.get()
        };
        self.net.borrow_mut().add_machine(number)
    }

    /// Takes in a machine, made with its number.
    pub fn join(&self, make: impl FnOnce(u32) -> Shared) -> Machine {
        let mut machines = self.machines.borrow_mut();
        let shared = Rc::new(make(machines.len() as u32));
        machines.push(Rc::downgrade(&shared));
        Machine(shared)
    }

    /// Does something with every machine that is there; nothing that makes another.
    pub fn each(&self, work: impl Fn(&Machine)) {
        self.machines.borrow().iter().filter_map(Weak::upgrade).for_each(|shared| work(&Machine(shared)));
    }

    /// Whether the process of a task may run now.
    pub fn may_run(&self, (number, pid): Owner) -> bool {
        let machine = self.machines.borrow().get(number as usize).and_then(Weak::upgrade);
        machine.is_none_or(|shared| Machine(shared).kernel(|k| k.may_run(pid)))
    }
}
