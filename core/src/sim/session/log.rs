//! The log of a session's inputs: all that is needed to live it again, to save it and to share it.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a session was begun with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    pub seed: u64,
    /// When it begins, since the epoch.
    pub start: Duration,
    pub columns: u16,
    pub rows: u16,
    /// Whether the terminal only shows lines, as the page's does: then the shell leaves editing to it.
    #[serde(default)]
    pub plain: bool,
}

impl Default for Config {
    /// 2026-01-01, a window of 80 by 24.
    fn default() -> Config {
        Config { seed: 1, start: Duration::from_secs(1_767_225_600), columns: 80, rows: 24, plain: false }
    }
}

/// Something that came from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// Typed at the terminal.
    Keys(Vec<u8>),
    /// The clock may go on by so much.
    Tick(Duration),
    /// A shell script that was run to its end.
    Script(String),
    /// A file of the host that was edited.
    File {
        path: String,
        bytes: Vec<u8>,
    },
    Resize {
        columns: u16,
        rows: u16,
    },
}

/// One input, and when it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// How many slices of work had been done since the entry before; `None` where all work was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slices: Option<u64>,
    pub input: Input,
}

/// A whole session, as its inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    pub config: Config,
    pub entries: Vec<Entry>,
}

impl Log {
    pub fn new(config: Config) -> Log {
        Log { config, entries: Vec::new() }
    }

    /// Adds an input. Ticks that follow each other with nothing left to do between them become one.
    pub fn push(&mut self, slices: Option<u64>, input: Input) {
        if let (None, Input::Tick(more), Some(Entry { input: Input::Tick(time), .. })) =
            (slices, &input, self.entries.last_mut())
        {
            *time += *more;
            return;
        }
        self.entries.push(Entry { slices, input });
    }

    /// The log of the same session up to, and without, entry `count`.
    pub fn prefix(&self, count: usize) -> Log {
        let entries = self.entries.iter().take(count).cloned().collect();
        Log { config: self.config.clone(), entries }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_merge_only_when_nothing_was_left_to_do() {
        let mut log = Log::default();
        let second = || Input::Tick(Duration::from_secs(1));
        log.push(None, second());
        log.push(None, second());
        log.push(Some(3), second());
        log.push(None, Input::Keys(b"ls\n".to_vec()));
        log.push(None, second());
        let slices: Vec<Option<u64>> = log.entries.iter().map(|e| e.slices).collect();
        assert_eq!(slices, [None, Some(3), None, None]);
        assert_eq!(log.entries[0].input, Input::Tick(Duration::from_secs(2)));
        assert_eq!(log.prefix(2).entries.len(), 2);
        let json = serde_json::to_string(&log).unwrap();
        assert_eq!(serde_json::from_str::<Log>(&json).unwrap(), log);
    }
}
