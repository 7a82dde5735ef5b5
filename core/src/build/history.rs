//! When the steps of an image happened: those with a layer when that was made, those without when the next
//! or last one was. So an image that comes from the cache whole has the same id again.

use crate::image::HistoryEntry;
use std::time::Duration;

/// Fills in the times of a history. `layers` are the times of all layers, the lowest first; `None` is not known.
pub fn dated(mut history: Vec<HistoryEntry>, layers: &[Option<Duration>]) -> Vec<HistoryEntry> {
    let mut times = layers.iter();
    for entry in history.iter_mut().filter(|e| !e.empty_layer) {
        let time = times.next().copied().flatten();
        entry.created = entry.created.or(time);
    }
    // What comes before the first dated step after an undated one is dated like that step.
    let mut current = None;
    let mut undated = false;
    for entry in &history {
        match entry.created {
            Some(time) => {
                current = Some(time);
                if undated {
                    break;
                }
            }
            None => undated = true,
        }
    }
    undated = false;
    for entry in &mut history {
        match entry.created {
            Some(time) if undated => current = Some(time),
            Some(_) => {}
            None => {
                undated = true;
                entry.created = current;
            }
        }
    }
    history
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let step = |created: Option<u64>, empty_layer| HistoryEntry {
            created: created.map(Duration::from_secs),
            empty_layer,
            ..HistoryEntry::default()
        };
        let history = vec![
            step(Some(1), false),
            step(None, true),
            step(None, false),
            step(None, true),
            step(None, false),
            step(None, true),
        ];
        let layers = [Some(1), Some(5), Some(9)].map(|t| t.map(Duration::from_secs));
        let seconds: Vec<u64> = dated(history, &layers).iter().map(|e| e.created.unwrap().as_secs()).collect();
        assert_eq!(seconds, [1, 5, 5, 5, 9, 9]);
        let only = vec![step(Some(1), false), step(None, true)];
        let seconds: Vec<u64> = dated(only, &layers[..1]).iter().map(|e| e.created.unwrap().as_secs()).collect();
        assert_eq!(seconds, [1, 1]);
    }
}
