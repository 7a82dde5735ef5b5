//! Progress on a pipe. One vertex has the word at a time; others wait with what they have to say until it is
//! done, or has had the word for long. Numbers are given in the order in which vertices are first shown, an
//! interrupted one is marked by `...`: as BuildKit does it (its `progressui`).

use super::{Row, State};
use cutaway_userland::sorted::Arrange;
use std::time::Duration;

/// How long a vertex may wait with what it has to say.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How long one keeps the word at least while others want it.
const SHORTEST_TURN: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Voice {
    /// 0 until it is first shown.
    number: usize,
    /// What it has to say.
    waiting: Vec<String>,
    /// What happened since `since`, when it last lost the word: by this the word is divided.
    count: usize,
    since: Duration,
    closed: bool,
}

#[derive(Default)]
pub struct Mux {
    voices: Vec<Voice>,
    shown: usize,
    current: Option<usize>,
    /// Without the line that says what builds.
    pub untitled: bool,
}

impl Mux {
    /// Keeps a line of the vertex at `index` until it is its turn.
    pub fn note(&mut self, index: usize, line: Option<String>, now: Duration) {
        while self.voices.len() <= index {
            self.voices.push(Voice::default());
        }
        let voice = &mut self.voices[index];
        if voice.count == 0 {
            voice.since = now;
        }
        voice.count += 1;
        // What has ended may have something to add.
        voice.closed = false;
        voice.waiting.extend(line);
    }

    /// The text to print now.
    pub fn update(&mut self, rows: &[Row], now: Duration) -> String {
        let mut out = String::new();
        let before = self.current;
        let ended = |mux: &Mux, i: usize| rows[i].state != State::Running && !mux.voices[i].closed;
        let all = 0..self.voices.len();
        let mut done: Vec<usize> = all.clone().filter(|i| ended(self, *i)).collect();
        done.arrange_by_key(|i| (Some(*i) != before, rows[*i].ended, *i));
        for index in &done {
            self.show(*index, rows, &mut out);
        }
        let open = all.filter(|i| !self.voices[*i].closed);
        let open: Vec<usize> = open.collect();
        let wants = |mux: &Mux, i: usize| mux.voices[i].number == 0 || !mux.voices[i].waiting.is_empty();
        let waiting: Vec<usize> = open.iter().copied().filter(|i| Some(*i) != before && wants(self, *i)).collect();
        if let Some(current) = before.filter(|i| open.contains(i)) {
            if wants(self, current) {
                self.show(current, rows, &mut out);
            }
            if let Some(next) = self.next(current, &waiting, now) {
                self.show(next, rows, &mut out);
            }
        } else if self.current.is_none()
            && let Some(next) = self.busiest(&waiting, now).or(open.first().copied())
        {
            self.show(next, rows, &mut out);
        }
        out
    }

    /// Lines a second since the vertex last had nothing to say.
    fn speed(&self, index: usize, now: Duration) -> f64 {
        let voice = &self.voices[index];
        voice.count as f64 / now.saturating_sub(voice.since).as_secs_f64().max(0.001)
    }

    fn busiest(&self, waiting: &[usize], now: Duration) -> Option<usize> {
        waiting.iter().copied().reduce(|a, b| if self.speed(b, now) > self.speed(a, now) { b } else { a })
    }

    /// Who gets the word although `current` goes on.
    fn next(&self, current: usize, waiting: &[usize], now: Duration) -> Option<usize> {
        let blocked = |i: usize| now.saturating_sub(self.voices[i].since);
        if let Some(late) = waiting.iter().copied().find(|i| blocked(*i) > LONGEST_WAIT) {
            return Some(late);
        }
        let others: f64 = waiting.iter().map(|i| self.speed(*i, now)).sum();
        let own = self.speed(current, now);
        let turn = SHORTEST_TURN.as_secs_f64() * (own + others) / others;
        (others > 0.0 && turn < blocked(current).as_secs_f64()).then(|| self.busiest(waiting, now))?
    }

    /// Gives a vertex the word: all that it has to say, and its end.
    fn show(&mut self, index: usize, rows: &[Row], out: &mut String) {
        let row = &rows[index];
        if self.voices[index].number == 0 {
            self.shown += 1;
            self.voices[index].number = self.shown;
            if self.shown == 1 && !self.untitled {
                out.push_str("#0 building with \"default\" instance using docker driver\n");
            }
        }
        if self.current != Some(index) {
            if let Some(old) = self.current {
                self.voices[old].count = 0;
                out.push_str(&format!("#{} ...\n", self.voices[old].number));
            }
            let first = self.untitled && self.shown == 1 && self.current.is_none();
            let blank = if first { "" } else { "\n" };
            out.push_str(&format!("{blank}#{} {}\n", self.voices[index].number, row.name));
        }
        let voice = &mut self.voices[index];
        for line in voice.waiting.drain(..) {
            out.push_str(&format!("#{} {line}\n", voice.number));
        }
        self.current = Some(index);
        let Some(end) = ending(row) else { return };
        out.push_str(&format!("#{} {end}\n", voice.number));
        voice.closed = true;
        self.current = None;
    }
}

/// How a vertex ended; `None` while it goes on.
pub fn ending(row: &Row) -> Option<String> {
    Some(match &row.state {
        State::Running => return None,
        State::Done => format!("DONE {:.1}s", row.ended.saturating_sub(row.started).as_secs_f64()),
        State::Cached => "CACHED".to_string(),
        State::Failed(error) => format!("ERROR: {error}"),
        State::Canceled => "CANCELED".to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays events: a name begins a vertex, `name:text` is a line of it, `name.` ends it, a number is seconds.
    fn played(events: &[&str]) -> String {
        let mut now = Duration::ZERO;
        let (mut mux, mut rows, mut out) = (Mux::default(), Vec::<Row>::new(), String::new());
        for event in events {
            if let Ok(seconds) = event.parse::<u64>() {
                now += Duration::from_secs(seconds);
                continue;
            }
            let (name, line) = event.split_once(':').map_or((*event, None), |(n, l)| (n, Some(l.to_string())));
            let bare = name.trim_end_matches(['.', '!']);
            let index = rows.iter().position(|r| r.name == bare).unwrap_or_else(|| {
                rows.push(Row {
                    name: bare.into(),
                    state: State::Running,
                    started: now,
                    ended: now,
                    notes: Vec::new(),
                    warnings: Vec::new(),
                    log: Vec::new(),
                    partial: Vec::new(),
                });
                rows.len() - 1
            });
            match &name[bare.len()..] {
                "." => rows[index].state = State::Done,
                "!" => rows[index].state = State::Canceled,
                _ => {}
            }
            rows[index].ended = now;
            mux.note(index, line, now);
            out.push_str(&mux.update(&rows, now));
        }
        out.replace("#0 building with \"default\" instance using docker driver\n", "")
    }

    #[test]
    fn one_speaks_at_a_time() {
        for (events, expected) in [
            (vec!["a", "a:1", "a.", "b", "b."], "\n#1 a\n#1 1\n#1 DONE 0.0s\n\n#2 b\n#2 DONE 0.0s\n"),
            // What another says is kept until the word is free.
            (
                vec!["a", "b", "b:x", "a:1", "a.", "b:y", "b."],
                "\n#1 a\n#1 1\n#1 DONE 0.0s\n\n#2 b\n#2 x\n#2 y\n#2 DONE 0.0s\n",
            ),
            // One that ends is shown at once; the interrupted one takes the word again when it has something.
            (
                vec!["a", "b", "b:x", "b.", "a:1", "a."],
                "\n#1 a\n#1 ...\n\n#2 b\n#2 x\n#2 DONE 0.0s\n\n#1 a\n#1 1\n#1 DONE 0.0s\n",
            ),
            // After a while those who wait get the word.
            (vec!["a", "b", "b:x", "7", "b:y"], "\n#1 a\n#1 ...\n\n#2 b\n#2 x\n#2 y\n"),
            (vec!["a", "b", "b!", "a!"], "\n#1 a\n#1 ...\n\n#2 b\n#2 CANCELED\n\n#1 a\n#1 CANCELED\n"),
        ] {
            assert_eq!(played(&events), expected, "{events:?}");
        }
    }
}
