//! The records in memory: ordered maps that share structure, so that a copy of all of them costs nothing
//! until one is changed.

use super::SimWorld;
use crate::world::{Fault, Kind, Record, Records, Transaction};
use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::Value;
use std::rc::Rc;

type Shelf = BTreeMap<Rc<str>, Rc<Value>>;

/// All records at one moment.
#[derive(Clone, Default)]
pub struct Memory {
    kinds: BTreeMap<Kind, Rc<Shelf>>,
}

impl Memory {
    pub fn get(&self, kind: Kind, key: &str) -> Option<Rc<Value>> {
        self.kinds.get(&kind)?.get(key).cloned()
    }

    pub fn keys(&self, kind: Kind) -> Vec<String> {
        self.kinds.get(&kind).map_or_else(Vec::new, |shelf| shelf.keys().map(|k| k.to_string()).collect())
    }

    /// All of a kind in the order of their keys; what can't be read is left out.
    pub fn list<R: Record>(&self) -> Vec<R> {
        let Some(shelf) = self.kinds.get(&R::KIND) else { return Vec::new() };
        shelf.values().filter_map(|value| read(value).ok()).collect()
    }

    /// Whether nothing of this kind has changed between two moments.
    pub fn same(&self, other: &Memory, kind: Kind) -> bool {
        match (self.kinds.get(&kind), other.kinds.get(&kind)) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        }
    }

    fn put(&mut self, kind: Kind, key: &str, value: Value) {
        Rc::make_mut(self.kinds.entry(kind).or_default()).insert(key.into(), Rc::new(value));
    }

    fn remove(&mut self, kind: Kind, key: &str) -> bool {
        match self.kinds.get_mut(&kind) {
            Some(shelf) if shelf.contains_key(key) => Rc::make_mut(shelf).remove(key).is_some(),
            _ => false,
        }
    }
}

/// A record from its stored form. It takes a copy apart, for reading from a borrowed value would double
/// the code of each record in the page.
fn read<R: Record>(value: &Rc<Value>) -> Result<R, serde_json::Error> {
    R::deserialize(&**value)
}

fn malformed<R: Record>(key: &str, error: &serde_json::Error) -> Fault {
    Fault::Malformed { what: format!("stored {} {key:?}", R::KIND.name()), reason: error.to_string() }
}

impl Records for SimWorld {
    fn get<R: Record>(&self, key: &str) -> Result<Option<R>, Fault> {
        let Some(value) = self.0.records.borrow().get(R::KIND, key) else { return Ok(None) };
        read(&value).map(Some).map_err(|e| malformed::<R>(key, &e))
    }

    fn put<R: Record>(&self, record: &R) -> Result<(), Fault> {
        let key = record.key();
        let value = serde_json::to_value(record).map_err(|e| malformed::<R>(&key, &e))?;
        self.0.records.borrow_mut().put(R::KIND, &key, value);
        self.0.changed.ring();
        Ok(())
    }

    fn remove<R: Record>(&self, key: &str) -> Result<bool, Fault> {
        let was = self.0.records.borrow_mut().remove(R::KIND, key);
        self.0.changed.ring();
        Ok(was)
    }

    fn keys(&self, kind: Kind) -> Result<Vec<String>, Fault> {
        Ok(self.0.records.borrow().keys(kind))
    }

    fn list<R: Record>(&self) -> Result<Vec<R>, Fault> {
        let memory = self.memory();
        let Some(shelf) = memory.kinds.get(&R::KIND) else { return Ok(Vec::new()) };
        shelf.iter().map(|(key, value)| read(value).map_err(|e| malformed::<R>(key, &e))).collect()
    }

    /// One thread and no waiting in between: the copy that the change works on is the only writer.
    fn transact<T>(&self, change: impl FnOnce(&mut dyn Transaction) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut draft = Draft(self.memory());
        let result = change(&mut draft)?;
        *self.0.records.borrow_mut() = draft.0;
        self.0.changed.ring();
        Ok(result)
    }
}

struct Draft(Memory);

impl Transaction for Draft {
    fn get_json(&self, kind: Kind, key: &str) -> Result<Option<Value>, Fault> {
        Ok(self.0.get(kind, key).map(|value| (*value).clone()))
    }

    fn put_json(&mut self, kind: Kind, key: &str, value: Value) {
        self.0.put(kind, key, value);
    }

    fn remove_json(&mut self, kind: Kind, key: &str) {
        self.0.remove(kind, key);
    }

    fn keys(&self, kind: Kind) -> Result<Vec<String>, Fault> {
        Ok(self.0.keys(kind))
    }
}
