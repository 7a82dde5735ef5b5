//! What redis keeps, and its dump file. Source: "Redis RDB File Format", version 11, the plain encodings.

use cutaway_userland::sorted::{Map as BTreeMap, Set as BTreeSet};
use std::collections::VecDeque;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(Vec<u8>),
    List(VecDeque<Vec<u8>>),
    Set(BTreeSet<Vec<u8>>),
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
}

impl Value {
    /// Its name for `TYPE`.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "string",
            Value::List(_) => "list",
            Value::Set(_) => "set",
            Value::Hash(_) => "hash",
        }
    }
}

/// A value, and when it ends, in milliseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub value: Value,
    pub expires: Option<u64>,
}

pub type Store = BTreeMap<Vec<u8>, Entry>;

/// The dump file of a store.
pub fn dump(store: &Store) -> Vec<u8> {
    let mut out = b"REDIS0011".to_vec();
    out.extend([0xfe, 0]);
    for (key, entry) in store {
        if let Some(ms) = entry.expires {
            out.push(0xfc);
            out.extend(ms.to_le_bytes());
        }
        out.push(match entry.value {
            Value::Text(_) => 0,
            Value::List(_) => 1,
            Value::Set(_) => 2,
            Value::Hash(_) => 4,
        });
        put(&mut out, key);
        match &entry.value {
            Value::Text(text) => put(&mut out, text),
            Value::List(items) => put_all(&mut out, items.len(), items.iter()),
            Value::Set(items) => put_all(&mut out, items.len(), items.iter()),
            Value::Hash(fields) => put_all(&mut out, fields.len(), fields.iter().flat_map(|(k, v)| [k, v])),
        }
    }
    // The end, and a checksum of zero, which says that there is none.
    out.push(0xff);
    out.extend([0; 8]);
    out
}

fn put_all<'a>(out: &mut Vec<u8>, count: usize, items: impl Iterator<Item = &'a Vec<u8>>) {
    put_length(out, count);
    items.for_each(|item| put(out, item));
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    match length {
        0..64 => out.push(length as u8),
        64..16384 => out.extend([0x40 | (length >> 8) as u8, length as u8]),
        _ => {
            out.push(0x80);
            out.extend((length as u32).to_be_bytes());
        }
    }
}

/// Reads a dump file; `None` where it is damaged or has what is not known here.
pub fn undump(bytes: &[u8]) -> Option<Store> {
    let mut rest = bytes.strip_prefix(b"REDIS")?.get(4..)?;
    let (mut store, mut expires) = (Store::new(), None);
    loop {
        let code = take(&mut rest, 1)?[0];
        match code {
            0xff => return Some(store),
            0xfe => drop(take_length(&mut rest)?),
            0xfa => {
                take_text(&mut rest)?;
                take_text(&mut rest)?;
            }
            0xfb => {
                take_length(&mut rest)?;
                take_length(&mut rest)?;
            }
            0xfc => expires = Some(u64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?)),
            kind => {
                let key = take_text(&mut rest)?;
                let value = match kind {
                    0 => Value::Text(take_text(&mut rest)?),
                    1 => Value::List(take_all(&mut rest, 1)?.into()),
                    2 => Value::Set(take_all(&mut rest, 1)?.into_iter().collect()),
                    4 => {
                        let flat = take_all(&mut rest, 2)?;
                        Value::Hash(flat.chunks_exact(2).map(|p| (p[0].clone(), p[1].clone())).collect())
                    }
                    _ => return None,
                };
                store.insert(key, Entry { value, expires: expires.take() });
            }
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(head)
}

fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let first = take(rest, 1)?[0];
    match first >> 6 {
        0 => Some(usize::from(first)),
        1 => Some(usize::from(first & 0x3f) << 8 | usize::from(take(rest, 1)?[0])),
        2 if first == 0x80 => Some(u32::from_be_bytes(take(rest, 4)?.try_into().ok()?) as usize),
        _ => None,
    }
}

fn take_text(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let length = take_length(rest)?;
    take(rest, length).map(<[u8]>::to_vec)
}

fn take_all(rest: &mut &[u8], each: usize) -> Option<Vec<Vec<u8>>> {
    let count = take_length(rest)?.checked_mul(each)?;
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(take_text(rest)?);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dump_and_back() {
        let mut store = Store::new();
        let long = vec![b'x'; 20000];
        for (key, value, expires) in [
            ("a", Value::Text(long.clone()), Some(5)),
            ("b", Value::List([b"1".to_vec(), b"2".to_vec()].into()), None),
            ("c", Value::Set([b"m".to_vec()].into()), None),
            ("d", Value::Hash([(b"f".to_vec(), vec![b'v'; 100])].into()), None),
        ] {
            store.insert(key.as_bytes().to_vec(), Entry { value, expires });
        }
        let bytes = dump(&store);
        assert_eq!(undump(&bytes), Some(store));
        for cut in [0, 5, 9, 12, 40, bytes.len() - 9] {
            assert_eq!(undump(&bytes[..cut]), None, "{cut}");
        }
    }
}
