//! Caches that one step at a time may use. Who uses one is a record, so that the steps of other builds wait, too;
//! that of a step which was killed goes with what else the step has left.

use super::failure::Failure;
use super::plan::Build;
use crate::container::NameRecord;
use crate::engine::Ctx;
use crate::engine::container::reclaim;
use crate::world::acts::SnapshotKey;
use crate::world::{Fault, World};
use std::time::Duration;

/// How long a step waits before it looks whether the one that it waits for was killed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Caches that a step has for itself until this is dropped.
pub struct Locks<'a, W: World> {
    ctx: &'a Ctx<W>,
    holder: String,
    names: Vec<String>,
}

impl<'a, W: World> Locks<'a, W> {
    /// None yet. The step is known by its snapshot.
    pub fn of(ctx: &'a Ctx<W>, step: &SnapshotKey) -> Locks<'a, W> {
        Locks { ctx, holder: step.0.clone(), names: Vec::new() }
    }

    /// Takes all of them, or none.
    fn try_take(&mut self, caches: &[String]) -> Result<bool, Fault> {
        let names: Vec<String> = caches.iter().map(|cache| format!("build cache {cache}")).collect();
        let holder = self.holder.clone();
        for name in &names {
            // To look is no change, by which all who wait would look again.
            let lock = self.ctx.world().get::<NameRecord>(&NameRecord::key_of(name))?;
            if lock.is_some_and(|lock| lock.container != holder) {
                return Ok(false);
            }
        }
        let taken = self.ctx.world().transact(|changes| {
            for name in &names {
                if changes.get::<NameRecord>(&NameRecord::key_of(name))?.is_some_and(|lock| lock.container != holder) {
                    return Ok(false);
                }
            }
            for name in &names {
                changes.put(&NameRecord { name: name.clone(), container: holder.clone() })?;
            }
            Ok(true)
        })?;
        if taken {
            self.names.extend(names);
        }
        Ok(taken)
    }

    /// Waits until they are free, and takes all of them at once: so two steps never wait for each other.
    ///
    /// # Errors
    /// Where the build is to stop meanwhile.
    pub async fn take(&mut self, build: &Build<'_, W>, caches: &[String]) -> Result<(), Failure> {
        while !caches.is_empty() && !self.try_take(caches)? {
            if build.shared.is_stopped() {
                return Err(Failure::canceled());
            }
            self.ctx.world().record_change(LOOK_AGAIN).await;
            reclaim(self.ctx).await;
        }
        Ok(())
    }

    /// The cache, or another like it where somebody uses it.
    pub fn take_own(&mut self, cache: String) -> Result<String, Fault> {
        let mut own = cache.clone();
        let mut number = 1;
        while !self.try_take(std::slice::from_ref(&own))? {
            number += 1;
            own = format!("{cache}-{number}");
        }
        Ok(own)
    }
}

impl<W: World> Drop for Locks<'_, W> {
    fn drop(&mut self) {
        for name in &self.names {
            // Where that fails, it is as after a kill.
            let _ = self.ctx.world().remove::<NameRecord>(&NameRecord::key_of(name));
        }
    }
}
