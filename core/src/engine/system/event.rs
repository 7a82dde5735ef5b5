//! Events: what happened to which object, kept in order. Everything that changes an object publishes one.

use crate::engine::Ctx;
use crate::world::{Fault, Kind, Record, Transaction, World};
use cutaway_userland::sorted::Map as BTreeMap;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// So many are kept; Docker keeps 256.
const KEPT: u64 = 1024;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    pub sequence: u64,
    /// Since the epoch.
    pub at: Duration,
    /// `container`, `image`, `network`, `volume`, `builder`.
    pub kind: String,
    /// As `create`, `die`, `exec_start: ls`.
    pub action: String,
    /// The object's id, or a volume's name.
    pub id: String,
    pub attributes: BTreeMap<String, String>,
}

impl Record for EventRecord {
    const KIND: Kind = Kind::Event;
    fn key(&self) -> String {
        key(self.sequence)
    }
}

/// Keys sort as their numbers do.
pub(super) fn key(sequence: u64) -> String {
    format!("{sequence:012}")
}

/// How many events there have been.
#[derive(Clone, Serialize, Deserialize)]
struct EventCount {
    count: u64,
}

impl Record for EventCount {
    const KIND: Kind = Kind::Setting;
    fn key(&self) -> String {
        "events".to_string()
    }
}

/// Notes that something happened. An event that can't be kept is no reason for a command to fail.
///
/// `kind` is `container`, `image`, `network`, `volume` or `builder`; `id` the object's id or a volume's name;
/// Docker's attributes are at least the object's `name`, and a container's `image` and labels.
pub fn publish<W: World>(
    ctx: &Ctx<W>,
    kind: &str,
    action: &str,
    id: &str,
    attributes: impl IntoIterator<Item = (String, String)>,
) {
    let event = EventRecord {
        sequence: 0,
        at: ctx.world().now(),
        kind: kind.to_string(),
        action: action.to_string(),
        id: id.to_string(),
        attributes: attributes.into_iter().collect(),
    };
    let _ = ctx.world().transact(|changes| append(changes, event));
}

fn append(changes: &mut dyn Transaction, mut event: EventRecord) -> Result<(), Fault> {
    let count = changes.get::<EventCount>("events")?.map_or(0, |c| c.count);
    event.sequence = count;
    changes.put(&event)?;
    changes.put(&EventCount { count: count + 1 })?;
    if let Some(oldest) = count.checked_sub(KEPT) {
        changes.remove::<EventRecord>(&key(oldest));
    }
    Ok(())
}
