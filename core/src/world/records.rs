//! The engine's memory: images, containers, volumes, networks and cache entries, as typed records.
//!
//! In the simulator they are ordered maps that share structure between snapshots; on Linux one JSON file
//! each, renamed into place, read only when asked for, under file locks. Calls are synchronous and short:
//! no lock is ever held across an act.

use crate::world::Fault;
use serde::{Serialize, de::DeserializeOwned};

/// The kinds of record: a folder each on Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One per image id: configuration, layers.
    Image,
    /// One per `repository:tag` and `repository@digest`: which image it names.
    Tag,
    Container,
    Volume,
    Network,
    /// One per step of a build that can be used again.
    BuildCache,
    /// One per build that was done.
    History,
    /// What happened, in order: the key is a sequence number, padded with zeros.
    Event,
    /// Counters and settings of the engine itself, by name.
    Setting,
}

impl Kind {
    pub const ALL: [Kind; 9] = [
        Kind::Image,
        Kind::Tag,
        Kind::Container,
        Kind::Volume,
        Kind::Network,
        Kind::BuildCache,
        Kind::History,
        Kind::Event,
        Kind::Setting,
    ];

    /// The folder's name on Linux.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Image => "images",
            Kind::Tag => "tags",
            Kind::Container => "containers",
            Kind::Volume => "volumes",
            Kind::Network => "networks",
            Kind::BuildCache => "build-cache",
            Kind::History => "build-history",
            Kind::Event => "events",
            Kind::Setting => "settings",
        }
    }
}

/// A type that is stored. Serde here is the store's own form, not a wire format.
pub trait Record: Clone + Serialize + DeserializeOwned + 'static {
    const KIND: Kind;
    /// What it is found by: any text without `\0`; a store encodes it for file names.
    fn key(&self) -> String;
}

/// Get, put, list, and a transaction over several records.
pub trait Records {
    fn get<R: Record>(&self, key: &str) -> Result<Option<R>, Fault>;
    fn put<R: Record>(&self, record: &R) -> Result<(), Fault>;
    /// Whether there was one.
    fn remove<R: Record>(&self, key: &str) -> Result<bool, Fault>;
    /// The keys of a kind, sorted.
    fn keys(&self, kind: Kind) -> Result<Vec<String>, Fault>;
    /// All of a kind, sorted by key.
    fn list<R: Record>(&self) -> Result<Vec<R>, Fault>;
    /// Runs `change` with all other writers kept out: what it reads through the transaction stays true
    /// until its writes are in. Where it fails, nothing is written.
    fn transact<T>(&self, change: impl FnOnce(&mut dyn Transaction) -> Result<T, Fault>) -> Result<T, Fault>;
}

/// The untyped inside of a transaction; its inherent methods give it types.
pub trait Transaction {
    fn get_json(&self, kind: Kind, key: &str) -> Result<Option<serde_json::Value>, Fault>;
    fn put_json(&mut self, kind: Kind, key: &str, value: serde_json::Value);
    fn remove_json(&mut self, kind: Kind, key: &str);
    fn keys(&self, kind: Kind) -> Result<Vec<String>, Fault>;
}

impl dyn Transaction + '_ {
    pub fn get<R: Record>(&self, key: &str) -> Result<Option<R>, Fault> {
        let Some(value) = self.get_json(R::KIND, key)? else { return Ok(None) };
        serde_json::from_value(value).map(Some).map_err(|e| malformed::<R>(key, &e))
    }

    pub fn put<R: Record>(&mut self, record: &R) -> Result<(), Fault> {
        let key = record.key();
        let value = serde_json::to_value(record).map_err(|e| malformed::<R>(&key, &e))?;
        self.put_json(R::KIND, &key, value);
        Ok(())
    }

    pub fn remove<R: Record>(&mut self, key: &str) {
        self.remove_json(R::KIND, key);
    }

    pub fn list<R: Record>(&self) -> Result<Vec<R>, Fault> {
        let mut all = Vec::new();
        for key in self.keys(R::KIND)? {
            all.extend(self.get::<R>(&key)?);
        }
        Ok(all)
    }
}

fn malformed<R: Record>(key: &str, error: &serde_json::Error) -> Fault {
    Fault::Malformed { what: format!("stored {} {key:?}", R::KIND.name()), reason: error.to_string() }
}
