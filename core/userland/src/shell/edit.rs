//! The line editor of the prompt, over the terminal in raw mode: the keys of emacs that every shell has.
//!
//! It reads one byte at a time, because what was typed ahead belongs to the command that is run next.

use super::complete::{Completer, Completions};
use super::{Flow, Run, Shell};
use crate::errno::Errno;
use crate::io;
use crate::os::{Os, Signal, TtyMode};

/// What a person did at the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    Line(String),
    /// `^C`: the line is given up.
    Interrupted,
    /// `^D` on an empty line, or the terminal is gone.
    End,
}

/// A key, as far as the editor tells keys apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Char(char),
    Control(char),
    Alt(char),
    Up,
    Down,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    Delete,
    Backspace,
    Other,
    Gone,
}

/// The line being typed.
struct Line {
    prompt: String,
    /// Columns that the last line of the prompt takes.
    indent: usize,
    text: Vec<char>,
    cursor: usize,
    columns: usize,
    /// In which row below the prompt's last one the cursor was left.
    row: usize,
    /// Which line of the history is shown; at its length, the new one.
    history_at: usize,
    /// The new line, while an old one is shown.
    draft: Vec<char>,
    killed: Vec<char>,
    last_tab: bool,
}

/// How many columns a character takes.
fn width(c: char) -> usize {
    match c as u32 {
        0x300..=0x36F | 0x200B..=0x200F | 0xFE00..=0xFE0F => 0,
        0x1100..=0x115F
        | 0x2E80..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1F64F
        | 0x1F900..=0x1F9FF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

fn width_of(text: &[char]) -> usize {
    text.iter().map(|c| width(*c)).sum()
}

/// The width of a text with escape sequences in it, which take no room.
fn visible_width(text: &str) -> usize {
    let mut chars = text.chars();
    let mut total = 0;
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => match chars.next() {
                Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                Some(']') => while chars.next().is_some_and(|c| c != '\x07') {},
                _ => {}
            },
            c if c.is_control() => {}
            c => total += width(c),
        }
    }
    total
}

impl Line {
    fn new(prompt: &str, columns: usize, history: usize) -> Line {
        Line {
            prompt: prompt.to_string(),
            indent: visible_width(prompt.rsplit('\n').next().unwrap_or("")),
            text: Vec::new(),
            cursor: 0,
            columns,
            row: 0,
            history_at: history,
            draft: Vec::new(),
            killed: Vec::new(),
            last_tab: false,
        }
    }

    /// What to write so that the screen shows the line and the cursor in it.
    fn drawn(&mut self) -> String {
        let mut out = String::new();
        if self.row > 0 {
            out.push_str(&format!("\x1b[{}A", self.row));
        }
        let last_line = self.prompt.rsplit('\n').next().unwrap_or("");
        let text: String = self.text.iter().collect();
        out.push_str(&format!("\r\x1b[J{last_line}{text}"));
        let end = self.indent + width_of(&self.text);
        let cursor = self.indent + width_of(&self.text[..self.cursor]);
        if end > 0 && end.is_multiple_of(self.columns) {
            out.push_str("\r\n");
        }
        let (end_row, row, column) = (end / self.columns, cursor / self.columns, cursor % self.columns);
        if end_row > row {
            out.push_str(&format!("\x1b[{}A", end_row - row));
        }
        out.push('\r');
        if column > 0 {
            out.push_str(&format!("\x1b[{column}C"));
        }
        self.row = row;
        out
    }

    /// Inserts a character; what to write. At the end of the line that is the character alone.
    fn insert(&mut self, c: char) -> String {
        self.text.insert(self.cursor, c);
        self.cursor += 1;
        let end = self.indent + width_of(&self.text);
        if self.cursor == self.text.len() && width(c) == 1 && !end.is_multiple_of(self.columns) {
            return c.to_string();
        }
        self.drawn()
    }

    fn replace(&mut self, text: Vec<char>) {
        self.cursor = text.len();
        self.text = text;
    }

    fn word_left(&self) -> usize {
        let mut at = self.cursor;
        while at > 0 && !self.text[at - 1].is_alphanumeric() {
            at -= 1;
        }
        while at > 0 && self.text[at - 1].is_alphanumeric() {
            at -= 1;
        }
        at
    }

    fn word_right(&self) -> usize {
        let mut at = self.cursor;
        while at < self.text.len() && !self.text[at].is_alphanumeric() {
            at += 1;
        }
        while at < self.text.len() && self.text[at].is_alphanumeric() {
            at += 1;
        }
        at
    }

    fn kill(&mut self, from: usize, to: usize) {
        self.killed = self.text.drain(from..to).collect();
        self.cursor = from;
    }

    /// Shows another line of the history.
    fn recall(&mut self, history: &[String], to: usize) {
        if self.history_at == history.len() {
            self.draft = self.text.clone();
        }
        self.history_at = to;
        let text = history.get(to).map_or_else(|| self.draft.clone(), |line| line.chars().collect());
        self.replace(text);
    }

    /// The keys that move and change; `false` where the key is none of them.
    fn edit(&mut self, key: Key, history: &[String]) -> bool {
        match key {
            Key::Left | Key::Control('b') => self.cursor = self.cursor.saturating_sub(1),
            Key::Right | Key::Control('f') => self.cursor = (self.cursor + 1).min(self.text.len()),
            Key::Home | Key::Control('a') => self.cursor = 0,
            Key::End | Key::Control('e') => self.cursor = self.text.len(),
            Key::WordLeft | Key::Alt('b') => self.cursor = self.word_left(),
            Key::WordRight | Key::Alt('f') => self.cursor = self.word_right(),
            Key::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.text.remove(self.cursor);
            }
            Key::Delete | Key::Control('d') if self.cursor < self.text.len() => drop(self.text.remove(self.cursor)),
            Key::Control('k') => self.kill(self.cursor, self.text.len()),
            Key::Control('u') => self.kill(0, self.cursor),
            Key::Control('w') => {
                let mut at = self.cursor;
                while at > 0 && self.text[at - 1].is_whitespace() {
                    at -= 1;
                }
                while at > 0 && !self.text[at - 1].is_whitespace() {
                    at -= 1;
                }
                self.kill(at, self.cursor);
            }
            Key::Alt('\x7f') => self.kill(self.word_left(), self.cursor),
            Key::Alt('d') => self.kill(self.cursor, self.word_right()),
            Key::Control('y') => {
                let killed = self.killed.clone();
                self.text.splice(self.cursor..self.cursor, killed.iter().copied());
                self.cursor += killed.len();
            }
            Key::Control('t') if self.cursor > 0 && self.text.len() > 1 => {
                let at = self.cursor.min(self.text.len() - 1);
                self.text.swap(at - 1, at);
                self.cursor = at + 1;
            }
            Key::Up | Key::Control('p') if self.history_at > 0 => self.recall(history, self.history_at - 1),
            Key::Down | Key::Control('n') if self.history_at < history.len() => {
                self.recall(history, self.history_at + 1)
            }
            Key::Alt('.') => {
                if let Some(word) = history.last().and_then(|line| line.split_whitespace().last()) {
                    let word: Vec<char> = word.chars().collect();
                    self.text.splice(self.cursor..self.cursor, word.iter().copied());
                    self.cursor += word.len();
                }
            }
            _ => return false,
        }
        true
    }
}

impl<O: Os> Shell<O> {
    /// Asks for a line. The terminal is as it was when this returns.
    pub(super) async fn edit_line(&mut self, prompt: &str, completer: &dyn Completer) -> Run<Typed> {
        let mut line = Line::new(prompt, self.columns(), self.history.len());
        self.show(prompt).await;
        let _ = self.os.set_tty_mode(io::STDIN, TtyMode::Raw);
        let typed = self.edit_keys(&mut line, completer).await;
        let mut end = String::new();
        if line.cursor < line.text.len() {
            line.cursor = line.text.len();
            end = line.drawn();
        }
        match &typed {
            Ok(Typed::Line(_)) => end.push_str("\r\n"),
            Ok(Typed::Interrupted) => end.push_str("^C\r\n"),
            _ => end.clear(),
        }
        self.show(&end).await;
        let _ = self.os.set_tty_mode(io::STDIN, TtyMode::Cooked);
        typed
    }

    /// How wide the terminal is now.
    fn columns(&self) -> usize {
        match self.os.window_size(io::STDIN).map_or(80, |size| usize::from(size.columns)) {
            0 => 80,
            columns => columns.max(10),
        }
    }

    async fn show(&self, text: &str) {
        let _ = io::write_all(&self.os, io::STDERR, text.as_bytes()).await;
    }

    async fn edit_keys(&mut self, line: &mut Line, completer: &dyn Completer) -> Run<Typed> {
        loop {
            let key = self.key().await?;
            if line.text.is_empty() {
                // The window may have changed while the prompt waited.
                line.columns = self.columns();
            }
            let tab_before = std::mem::take(&mut line.last_tab);
            match key {
                Key::Control('m' | 'j') => return Ok(Typed::Line(line.text.iter().collect())),
                Key::Control('c') => return Ok(Typed::Interrupted),
                Key::Control('d') if line.text.is_empty() => return Ok(Typed::End),
                Key::Gone => return Ok(Typed::End),
                Key::Char(c) => {
                    let out = line.insert(c);
                    self.show(&out).await;
                }
                Key::Control('i') => {
                    self.complete_at_cursor(line, completer, tab_before).await;
                    line.last_tab = true;
                }
                Key::Control('l') => {
                    let prompt = line.prompt.clone();
                    line.row = 0;
                    let out = format!("\x1b[H\x1b[2J{prompt}{}", line.drawn());
                    self.show(&out).await;
                }
                Key::Control('r') => {
                    if let Some(typed) = self.search(line).await? {
                        return Ok(typed);
                    }
                }
                key => {
                    if line.edit(key, &self.history) {
                        let out = line.drawn();
                        self.show(&out).await;
                    }
                }
            }
        }
    }

    async fn byte(&mut self) -> Run<Option<u8>> {
        loop {
            match self.os.read(io::STDIN, 1).await {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(Errno::EINTR) => {
                    while let Some(signal) = self.os.take_signal() {
                        if let Some(action) = self.traps.get(&signal.0).cloned() {
                            let line = self.line;
                            self.run_text(&action, line, false).await?;
                        } else if signal == Signal::INT {
                            return Ok(Some(3));
                        }
                    }
                }
                Err(Errno::EAGAIN) => continue,
                Err(_) => return Ok(None),
            }
        }
    }

    async fn key(&mut self) -> Run<Key> {
        let Some(byte) = self.byte().await? else { return Ok(Key::Gone) };
        Ok(match byte {
            27 => self.escape_sequence().await?,
            8 | 127 => Key::Backspace,
            0..=31 => Key::Control((byte | 0x60) as char),
            32..=126 => Key::Char(byte as char),
            _ => {
                // The rest of a character in UTF-8.
                let more = match byte {
                    0xC0..=0xDF => 1,
                    0xE0..=0xEF => 2,
                    0xF0..=0xF7 => 3,
                    _ => 0,
                };
                let mut bytes = vec![byte];
                for _ in 0..more {
                    bytes.extend(self.byte().await?);
                }
                std::str::from_utf8(&bytes).ok().and_then(|s| s.chars().next()).map_or(Key::Other, Key::Char)
            }
        })
    }

    async fn escape_sequence(&mut self) -> Run<Key> {
        let Some(first) = self.byte().await? else { return Ok(Key::Gone) };
        if first != b'[' && first != b'O' {
            return Ok(Key::Alt(first as char));
        }
        let mut parameters = String::new();
        let last = loop {
            match self.byte().await? {
                None => return Ok(Key::Gone),
                Some(byte @ 0x40..=0x7E) => break byte,
                Some(byte) if parameters.len() < 16 => parameters.push(byte as char),
                Some(_) => {}
            }
        };
        let with_modifier = parameters.contains(';');
        Ok(match (last, parameters.split(';').next().unwrap_or("")) {
            (b'A', _) => Key::Up,
            (b'B', _) => Key::Down,
            (b'C', _) if with_modifier => Key::WordRight,
            (b'D', _) if with_modifier => Key::WordLeft,
            (b'C', _) => Key::Right,
            (b'D', _) => Key::Left,
            (b'H', _) | (b'~', "1" | "7") => Key::Home,
            (b'F', _) | (b'~', "4" | "8") => Key::End,
            (b'~', "3") => Key::Delete,
            _ => Key::Other,
        })
    }

    /// `^R`: looks for what is typed in the lines before, the latest first.
    async fn search(&mut self, line: &mut Line) -> Run<Option<Typed>> {
        let mut wanted = String::new();
        let mut found: Option<usize> = None;
        loop {
            let shown = found.and_then(|at| self.history.get(at)).cloned().unwrap_or_default();
            let failed = if found.is_none() && !wanted.is_empty() { "failed " } else { "" };
            line.row = 0;
            self.show(&format!("\r\x1b[J({failed}reverse-i-search)`{wanted}': {shown}")).await;
            let key = self.key().await?;
            let from = match key {
                Key::Char(c) => {
                    wanted.push(c);
                    found.map_or(self.history.len(), |at| at + 1)
                }
                Key::Backspace => {
                    wanted.pop();
                    self.history.len()
                }
                Key::Control('r') => found.unwrap_or(self.history.len()),
                key => {
                    if !matches!(key, Key::Control('g' | 'c')) && found.is_some() {
                        line.replace(shown.chars().collect());
                    }
                    let out = line.drawn();
                    self.show(&out).await;
                    return Ok(match key {
                        Key::Control('m' | 'j') => Some(Typed::Line(line.text.iter().collect())),
                        Key::Control('c') => Some(Typed::Interrupted),
                        Key::Gone => Some(Typed::End),
                        _ => None,
                    });
                }
            };
            let at = self.history[..from].iter().rposition(|line| !wanted.is_empty() && line.contains(&wanted));
            found = at.or(found.filter(|_| key == Key::Control('r')));
        }
    }

    /// Tab: completes as far as all choices agree; a second one lists them.
    async fn complete_at_cursor(&mut self, line: &mut Line, completer: &dyn Completer, again: bool) {
        let before: String = line.text[..line.cursor].iter().collect();
        let Completions { start, choices } = self.completions(&before, completer);
        let Some((first, follower)) = choices.first() else { return self.show("\x07").await };
        let mut common: Vec<char> = first.chars().collect();
        for (choice, _) in &choices {
            let same = common.iter().zip(choice.chars()).take_while(|(a, b)| **a == *b).count();
            common.truncate(same);
        }
        if choices.len() == 1 && (line.text.get(line.cursor) != Some(follower)) {
            common.push(*follower);
        }
        if common.len() > line.cursor - start {
            line.text.splice(start..line.cursor, common.iter().copied());
            line.cursor = start + common.len();
            let out = line.drawn();
            return self.show(&out).await;
        }
        if !again {
            return self.show("\x07").await;
        }
        let names: Vec<String> = choices.iter().map(|(choice, follower)| listed(choice, *follower)).collect();
        let list = in_columns(&names, line.columns);
        let prompt = line.prompt.clone();
        line.row = 0;
        let out = format!("\r\n{list}{prompt}{}", line.drawn());
        self.show(&out).await;
    }
}

/// A choice as the list shows it: the last part of a path.
fn listed(choice: &str, follower: char) -> String {
    let name = choice.rsplit('/').next().unwrap_or(choice);
    if follower == '/' { format!("{name}/") } else { name.to_string() }
}

fn in_columns(names: &[String], columns: usize) -> String {
    let widest = names.iter().map(|name| visible_width(name)).max().unwrap_or(0) + 2;
    let across = (columns / widest).max(1);
    let rows = names.len().div_ceil(across);
    let mut out = String::new();
    for row in 0..rows {
        let cells: Vec<String> = names.iter().skip(row).step_by(rows).map(|name| format!("{name:<widest$}")).collect();
        out.push_str(cells.concat().trim_end());
        out.push_str("\r\n");
    }
    out
}

/// A flow that a prompt does not end with.
pub(super) fn stays(flow: Flow) -> Option<i32> {
    match flow {
        Flow::Exit(_) => None,
        Flow::Return(status) | Flow::Fail(status) => Some(status),
        Flow::Interrupt => Some(130),
        Flow::Break(_) | Flow::Continue(_) => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[Key]) -> (String, usize) {
        let history = ["one two".to_string(), "three".to_string()];
        let mut line = Line::new("$ ", 80, history.len());
        for key in keys {
            match key {
                Key::Char(c) => drop(line.insert(*c)),
                key => drop(line.edit(*key, &history)),
            }
        }
        (line.text.iter().collect(), line.cursor)
    }

    #[test]
    fn keys_change_the_line() {
        let (a, b) = (Key::Char('a'), Key::Char('é'));
        let table: &[(&[Key], &str, usize)] = &[
            (&[a, b, Key::Left, Key::Backspace], "é", 0),
            (&[a, b, Key::Home, Key::Delete], "é", 0),
            (&[Key::Up, Key::Up, Key::Control('w')], "one ", 4),
            (&[a, Key::Up, Key::Down], "a", 1),
            (&[Key::Up, Key::Control('u'), Key::Control('y'), Key::Control('y')], "threethree", 10),
            (&[Key::Up, Key::Up, Key::WordLeft, Key::Control('k')], "one ", 4),
            (&[a, Key::Char(' '), Key::Alt('.')], "a three", 7),
            (&[a, b, Key::Control('t')], "éa", 2),
            (&[Key::Left, Key::Backspace, Key::Delete, Key::Down], "", 0),
        ];
        for (keys, text, cursor) in table {
            assert_eq!(typed(keys), (text.to_string(), *cursor), "{keys:?}");
        }
    }

    #[test]
    fn escape_sequences_of_a_prompt_take_no_room() {
        assert_eq!(visible_width("\x1b[1;32mroot\x1b[0m:日 "), 8);
    }
}
