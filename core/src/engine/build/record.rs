//! Entries of the cache: making one, and noting that it served.

use crate::build::BuildCacheRecord;
use crate::engine::Ctx;
use crate::image::LayerRef;
use crate::name::Digest;
use crate::world::{Fault, World};

/// A new id: 25 letters and digits.
pub fn new_name<W: World>(ctx: &Ctx<W>) -> String {
    let mut bytes = [0; 25];
    ctx.world().random(&mut bytes);
    let letter = |byte: &u8| char::from(b"0123456789abcdefghijklmnopqrstuvwxyz"[usize::from(*byte) % 36]);
    bytes.iter().map(letter).collect()
}

/// An entry made now, with a new id.
pub fn new_record<W: World>(ctx: &Ctx<W>, key: Digest, layers: Vec<LayerRef>) -> BuildCacheRecord {
    let now = ctx.world().now();
    BuildCacheRecord {
        id: new_name(ctx),
        key,
        description: String::new(),
        kind: "regular".into(),
        layers,
        size: 0,
        created: now,
        last_used: now,
        uses: 1,
        parents: Vec::new(),
    }
}

/// Keeps an entry; where there is one of its key, that one has served once more.
pub fn note_use<W: World>(ctx: &Ctx<W>, record: BuildCacheRecord) -> Result<(), Fault> {
    ctx.world().transact(|changes| {
        let old = changes.get::<BuildCacheRecord>(&record.key.to_string())?;
        let record = match old {
            Some(old) => BuildCacheRecord { last_used: record.last_used, uses: old.uses + 1, size: record.size, ..old },
            None => record,
        };
        changes.put(&record)
    })
}
