//! Where a registry keeps its content: bytes by name, so that memory, a folder or an object store will do.
//!
//! The names:
//! `blobs/<digest>` the bytes; `repositories/<name>/_layers/<digest>` that a repository has a blob;
//! `repositories/<name>/_manifests/<digest>` the media type of a manifest it has;
//! `repositories/<name>/_tags/<tag>` the digest a tag names;
//! `repositories/<name>/_referrers/<subject>/<digest>` a descriptor; `uploads/<id>` what has come so far;
//! `upload-count` how many uploads there were.

use cutaway_userland::sorted::Map as BTreeMap;
use std::rc::Rc;

/// Bytes by name. Names are parts joined by `/`.
pub trait Store {
    fn get(&self, key: &str) -> Option<Rc<[u8]>>;
    fn put(&mut self, key: &str, bytes: &[u8]);
    /// Whether there was one.
    fn remove(&mut self, key: &str) -> bool;
    /// All names that begin with `prefix`, sorted.
    fn keys(&self, prefix: &str) -> Vec<String>;
}

/// A store in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryStore {
    entries: BTreeMap<String, Rc<[u8]>>,
}

impl Store for MemoryStore {
    fn get(&self, key: &str) -> Option<Rc<[u8]>> {
        self.entries.get(key).cloned()
    }

    fn put(&mut self, key: &str, bytes: &[u8]) {
        self.entries.insert(key.to_string(), bytes.into());
    }

    fn remove(&mut self, key: &str) -> bool {
        self.entries.remove(key).is_some()
    }

    fn keys(&self, prefix: &str) -> Vec<String> {
        let from = self.entries.range(prefix.to_string()..);
        from.take_while(|(k, _)| k.starts_with(prefix)).map(|(k, _)| k.clone()).collect()
    }
}
