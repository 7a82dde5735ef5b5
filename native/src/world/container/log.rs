//! A container's stored output: a file of JSON lines, as Docker's `json-file` driver writes them.

use crate::world::clock;
use cutaway_core::world::{LogLine, Stream};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

/// A longer line is stored in parts.
const LONGEST_LINE: usize = 16 * 1024;

#[derive(Serialize, Deserialize)]
struct Stored {
    log: String,
    stream: String,
    time: String,
}

/// Writes lines as they become whole.
pub struct LogWriter {
    file: RefCell<File>,
    /// What has come of a line that has no end yet, for each stream.
    partial: RefCell<BTreeMap<Stream, Vec<u8>>>,
}

impl LogWriter {
    pub fn open(path: &Path) -> std::io::Result<LogWriter> {
        use std::os::unix::fs::OpenOptionsExt;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = File::options().create(true).append(true).mode(0o640).open(path)?;
        Ok(LogWriter { file: RefCell::new(file), partial: RefCell::new(BTreeMap::new()) })
    }

    /// Takes a piece of output; an empty one ends the stream.
    pub fn take(&self, from: Stream, bytes: &[u8]) {
        let mut partial = self.partial.borrow_mut();
        let waiting = partial.entry(from).or_default();
        waiting.extend(bytes);
        let mut out = Vec::new();
        let mut rest = waiting.as_slice();
        while !rest.is_empty() {
            let end = rest.iter().position(|b| *b == b'\n').map(|i| i + 1);
            let cut = match end {
                Some(end) if end <= LONGEST_LINE => end,
                None if bytes.is_empty() && rest.len() <= LONGEST_LINE => rest.len(),
                _ if rest.len() > LONGEST_LINE => LONGEST_LINE,
                _ => break,
            };
            write_line(&mut out, from, &rest[..cut]);
            rest = &rest[cut..];
        }
        let kept = rest.to_vec();
        *waiting = kept;
        if !out.is_empty() {
            // One write a piece, so that a reader rarely sees half a line.
            let _ = self.file.borrow_mut().write_all(&out);
        }
    }
}

fn write_line(out: &mut Vec<u8>, from: Stream, line: &[u8]) {
    let stored = Stored {
        log: String::from_utf8_lossy(line).into_owned(),
        stream: if from == Stream::Err { "stderr" } else { "stdout" }.into(),
        time: clock::rfc3339(clock::now()),
    };
    if serde_json::to_writer(&mut *out, &stored).is_ok() {
        out.push(b'\n');
    }
}

/// Remembers where lines begin, so that following a log doesn't read it from the start each time.
#[derive(Default)]
pub struct LogReader {
    /// Line number and offset that reading went on to, for each container.
    positions: RefCell<BTreeMap<String, (usize, u64)>>,
}

impl LogReader {
    fn start(&self, container: &str, from: usize) -> (usize, u64) {
        match self.positions.borrow().get(container) {
            Some(&(line, offset)) if line <= from => (line, offset),
            _ => (0, 0),
        }
    }

    /// The lines from `from` on. A file that is not there has none.
    pub fn read(&self, container: &str, path: &Path, from: usize) -> std::io::Result<Vec<LogLine>> {
        let Some(mut file) = open(path)? else { return Ok(Vec::new()) };
        let (mut line, mut offset) = self.start(container, from);
        file.seek(SeekFrom::Start(offset))?;
        let mut reader = BufReader::new(file);
        let mut found = Vec::new();
        let mut text = Vec::new();
        loop {
            text.clear();
            let n = reader.read_until(b'\n', &mut text)?;
            if n == 0 || text.last() != Some(&b'\n') {
                break;
            }
            if line >= from
                && let Some(parsed) = parse(&text)
            {
                found.push(parsed);
            }
            line += 1;
            offset += n as u64;
        }
        self.positions.borrow_mut().insert(container.to_string(), (line, offset));
        Ok(found)
    }

    /// Whether there are more than `from` lines.
    pub fn more(&self, container: &str, path: &Path, from: usize) -> bool {
        let (line, offset) = self.start(container, from);
        let length = std::fs::metadata(path).map_or(0, |m| m.len());
        if line == from {
            return length > offset;
        }
        self.read(container, path, from).is_ok_and(|lines| !lines.is_empty())
    }
}

fn open(path: &Path) -> std::io::Result<Option<File>> {
    match File::open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        file => file.map(Some),
    }
}

fn parse(text: &[u8]) -> Option<LogLine> {
    let stored: Stored = serde_json::from_slice(text).ok()?;
    let from = if stored.stream == "stderr" { Stream::Err } else { Stream::Out };
    let at = clock::parse_rfc3339(&stored.time).unwrap_or(Duration::ZERO);
    Some(LogLine { from, at, bytes: stored.log.into_bytes() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_stored_and_read_back() {
        let path = std::env::temp_dir().join(format!("cutaway-log-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let log = LogWriter::open(&path).unwrap();
        log.take(Stream::Out, b"one\ntw");
        log.take(Stream::Err, b"bad\n");
        log.take(Stream::Out, b"o\nlast");
        log.take(Stream::Out, b"");
        let reader = LogReader::default();
        let texts = |from| -> Vec<String> {
            let lines = reader.read("c", &path, from).unwrap();
            lines.iter().map(|l| String::from_utf8_lossy(&l.bytes).into_owned()).collect()
        };
        assert_eq!(texts(0), ["one\n", "bad\n", "two\n", "last"]);
        assert_eq!(texts(2), ["two\n", "last"]);
        assert!(reader.more("c", &path, 3));
        assert!(!reader.more("c", &path, 4));
        log.take(Stream::Out, &vec![b'x'; LONGEST_LINE + 5]);
        assert!(reader.more("c", &path, 4));
        assert_eq!(texts(4)[0].len(), LONGEST_LINE);
        std::fs::remove_file(path).unwrap();
    }
}
