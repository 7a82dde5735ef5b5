//! The file system of pseudo-terminals: `/dev/pts/N`, and `ptmx`, which makes new ones.

use super::state::Kernel;
use super::tty::Tty;
use super::vfs::pseudo::{Entry, PseudoNode, Source};
use super::vfs::{NodeRef, cast};
use cutaway_userland::sorted::Map as BTreeMap;
use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// One mounted instance: containers have one each.
#[derive(Default)]
pub(crate) struct Devpts {
    terminals: RefCell<BTreeMap<u32, Weak<Tty>>>,
    /// Owning group and mode of the terminals: `gid=5,mode=620`.
    gid: u32,
}

impl Devpts {
    pub fn new(gid: u32) -> Devpts {
        Devpts { terminals: RefCell::default(), gid }
    }

    /// Gives a terminal the lowest free number.
    pub fn add(&self, tty: &Rc<Tty>) -> u32 {
        let mut terminals = self.terminals.borrow_mut();
        terminals.retain(|_, t| t.strong_count() > 0);
        let index = (0..).find(|n| !terminals.contains_key(n)).unwrap_or(0);
        terminals.insert(index, Rc::downgrade(tty));
        tty.index.set(Some(index));
        index
    }

    fn get(&self, name: &str) -> Option<Rc<Tty>> {
        self.terminals.borrow().get(&name.parse().ok()?)?.upgrade()
    }
}

impl Source for Devpts {
    fn entry(&self, _k: &Kernel, path: &[&str]) -> Option<Entry> {
        match path {
            [] => Some(Entry { mode: 0o755, ..Entry::dir() }),
            ["ptmx"] => Some(Entry::device(0o666, (5, 2))),
            [name] => {
                self.get(name)?;
                Some(Entry::device(0o620, (136, name.parse().ok()?)).owned(0, self.gid))
            }
            _ => None,
        }
    }

    fn list(&self, _k: &Kernel, _path: &[&str]) -> Vec<String> {
        let terminals = self.terminals.borrow();
        let live = terminals.iter().filter(|(_, t)| t.strong_count() > 0).map(|(n, _)| n.to_string());
        live.chain(["ptmx".to_string()]).collect()
    }

    fn terminal(&self, _k: &Kernel, path: &[&str]) -> Option<Rc<Tty>> {
        self.get(path.first()?)
    }

    fn as_devpts(self: Rc<Self>) -> Option<Rc<Devpts>> {
        Some(self)
    }
}

/// The instance that a node is of.
pub(crate) fn instance(node: &NodeRef) -> Option<Rc<Devpts>> {
    cast::<PseudoNode>(node)?.source().as_devpts()
}
