//! `grep`, `egrep`, `fgrep`.

use super::files::join;
use super::options::Options;
use super::pattern::{Pattern, Syntax};
use super::{Ending, Tool};
use crate::os::{FileKind, Os};
use std::collections::VecDeque;

struct Search<'a, O: Os> {
    t: &'a Tool<O>,
    o: Options,
    pattern: Option<Pattern>,
    names: bool,
    before: usize,
    after: usize,
    most: u64,
    matched: bool,
    failed: bool,
}

/// What became of one file.
struct Found {
    lines: u64,
    stop: bool,
}

pub async fn grep<O: Os>(t: &Tool<O>) -> Ending {
    let long = [
        ("invert-match", 'v'),
        ("count", 'c'),
        ("ignore-case", 'i'),
        ("line-number", 'n'),
        ("only-matching", 'o'),
        ("quiet", 'q'),
        ("silent", 'q'),
        ("recursive", 'r'),
        ("files-with-matches", 'l'),
        ("files-without-match", 'L'),
        ("word-regexp", 'w'),
        ("line-regexp", 'x'),
        ("no-messages", 's'),
        ("extended-regexp", 'E'),
        ("fixed-strings", 'F'),
        ("no-filename", 'h'),
        ("with-filename", 'H'),
        ("regexp", 'e'),
        ("file", 'f'),
        ("max-count", 'm'),
        ("after-context", 'A'),
        ("before-context", 'B'),
        ("context", 'C'),
        ("text", 'a'),
        ("color", '\u{1}'),
        ("include", '\u{2}'),
    ];
    let mut o = t.options("EFGvcionqrRlLwxhHsazm:A:B:C:e:f:\u{1}::\u{2}:", &long)?;
    let number = |c| o.value(c).map_or(Ok(0), |v| t.number(v));
    let context: usize = number('C')?;
    let (before, after) = (context.max(number('B')?), context.max(number('A')?));
    let most = o.value('m').map_or(Ok(u64::MAX), |v| t.number(v))?;
    let mut patterns: Vec<String> = o.values('e').iter().flat_map(|p| p.split('\n')).map(str::to_string).collect();
    let files: Vec<String> = o.values('f').into_iter().map(str::to_string).collect();
    for path in &files {
        let bytes = t.read_file(path).await.map_err(|e| (t.die(format_args!("{path}: {e}")), 2).1)?;
        patterns.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_string));
    }
    if !o.has('e') && files.is_empty() {
        if o.rest.is_empty() {
            t.usage();
            return Err(2);
        }
        patterns = o.rest.remove(0).split('\n').map(str::to_string).collect();
    }
    let syntax = match (o.last_of("EFG"), t.name.as_str()) {
        (Some('F'), _) | (None, "fgrep") => None,
        (Some('E'), _) | (None, "egrep") => Some(Syntax::Extended),
        _ => Some(Syntax::Basic),
    };
    let pattern = match patterns.is_empty() {
        true => None,
        false => Some(Pattern::any(&patterns, syntax, o.has('i'), o.has('w'), o.has('x')).map_err(|_| {
            t.warn(format_args!("bad regex '{}'", patterns.join("\n")));
            2
        })?),
    };
    let recursive = o.has('r') || o.has('R');
    let paths = match (o.rest.is_empty(), recursive) {
        (true, true) => vec![".".to_string()],
        (true, false) => vec!["-".to_string()],
        (false, _) => o.rest.clone(),
    };
    let names = (paths.len() > 1 || recursive || o.has('H')) && !o.has('h');
    let mut search = Search { t, o, pattern, names, before, after, most, matched: false, failed: false };
    let stopped = search.paths(paths, recursive).await;
    // Where a match was wanted and found, errors no longer count for -q.
    Ok(match (stopped, search.failed, search.matched) {
        (true, _, _) => 0,
        (_, true, _) => 2,
        (_, _, matched) => i32::from(!matched),
    })
}

impl<O: Os> Search<'_, O> {
    /// True where `-q` found what it wanted.
    async fn paths(&mut self, paths: Vec<String>, recursive: bool) -> bool {
        let mut waiting: Vec<(String, bool)> = paths.into_iter().rev().map(|p| (p, true)).collect();
        while let Some((path, named)) = waiting.pop() {
            let stat = if named { self.t.os.stat(&path) } else { self.t.os.lstat(&path) };
            if let (true, true, Ok(stat)) = (path != "-", recursive, &stat) {
                if stat.kind == FileKind::Directory {
                    let entries = self.t.os.read_dir(&path).unwrap_or_default();
                    // Without a path the names begin here, without `./`.
                    let bare = self.o.rest.is_empty() && path == ".";
                    let inner = |name: &str| if bare { name.to_string() } else { join(&path, name) };
                    let inner: Vec<String> = entries.iter().rev().map(|e| inner(&e.name)).collect();
                    waiting.extend(inner.into_iter().map(|p| (p, false)));
                    continue;
                }
                if !named && stat.kind != FileKind::Regular {
                    continue;
                }
                let base = super::basics::base_of(&path);
                let globs = self.o.values('\u{2}');
                if !named && !globs.is_empty() && !globs.iter().any(|g| super::glob::matches(g, base)) {
                    continue;
                }
            }
            let found = match self.t.open(&path).await {
                Ok(fd) => {
                    let found = self.file(&path, fd).await;
                    self.t.close(fd);
                    found
                }
                Err(e) => Err(e),
            };
            match found {
                Ok(found) => {
                    self.summary(&path, found.lines);
                    if found.stop {
                        return true;
                    }
                }
                Err(e) => {
                    self.failed = true;
                    if !self.o.has('s') {
                        self.t.warn(format_args!("{path}: {e}"));
                    }
                }
            }
        }
        false
    }

    fn summary(&mut self, path: &str, lines: u64) {
        let shown = if path == "-" { "(standard input)" } else { path };
        if self.o.has('c') {
            let prefix = if self.names { format!("{shown}:") } else { String::new() };
            self.t.line(format!("{prefix}{lines}"));
        }
        if (self.o.has('l') && lines > 0) || (self.o.has('L') && lines == 0) {
            self.t.line(shown);
            self.matched |= self.o.has('L');
        }
    }

    async fn file(&mut self, path: &str, fd: i32) -> crate::os::Result<Found> {
        let shown = if path == "-" { "(standard input)" } else { path };
        let quiet = self.o.has('c') || self.o.has('l') || self.o.has('L') || self.o.has('q');
        let end = if self.o.has('z') { 0 } else { b'\n' };
        let (mut lines, mut number, mut count) = (self.t.lines(fd), 0u64, 0u64);
        let (mut waiting, mut trailing, mut last) = (VecDeque::new(), 0usize, None::<u64>);
        while let Some((line, _)) = lines.until(end).await? {
            number += 1;
            let hit = self.pattern.as_ref().is_some_and(|p| p.is_match(&line)) != self.o.has('v');
            if !hit {
                if trailing > 0 {
                    trailing -= 1;
                    self.print(shown, number, '-', &line, end);
                    last = Some(number);
                    if count >= self.most && trailing == 0 {
                        break;
                    }
                } else if count >= self.most {
                    break;
                } else if self.before > 0 {
                    waiting.push_back((number, line));
                    if waiting.len() > self.before {
                        waiting.pop_front();
                    }
                }
                continue;
            }
            if count >= self.most {
                break;
            }
            count += 1;
            self.matched |= !self.o.has('L');
            if self.o.has('q') {
                return Ok(Found { lines: count, stop: true });
            }
            if self.o.has('l') || self.o.has('L') {
                break;
            }
            if !quiet && self.o.has('o') {
                self.parts(shown, number, &line);
            } else if !quiet {
                let first = waiting.front().map_or(number, |(n, _)| *n);
                if (self.before > 0 || self.after > 0) && last.is_some_and(|l| l + 1 < first) {
                    self.t.line("--");
                }
                for (n, line) in waiting.drain(..) {
                    self.print(shown, n, '-', &line, end);
                }
                self.print(shown, number, ':', &line, end);
                last = Some(number);
                trailing = self.after;
            }
            if count >= self.most && trailing == 0 {
                break;
            }
        }
        Ok(Found { lines: count, stop: false })
    }

    fn lead(&self, shown: &str, number: u64, mark: char) -> String {
        let mut lead = String::new();
        if self.names {
            lead += &format!("{shown}{mark}");
        }
        if self.o.has('n') {
            lead += &format!("{number}{mark}");
        }
        lead
    }

    fn print(&self, shown: &str, number: u64, mark: char, line: &[u8], end: u8) {
        self.t.print(self.lead(shown, number, mark));
        self.t.print(line);
        self.t.print([end]);
    }

    fn parts(&self, shown: &str, number: u64, line: &[u8]) {
        let Some(pattern) = self.pattern.as_ref().filter(|_| !self.o.has('v')) else { return };
        let mut at = 0;
        while let Some(found) = pattern.find(line, at) {
            let Some(whole) = found[0].clone() else { return };
            at = whole.end.max(at + 1);
            if !whole.is_empty() {
                self.t.print(self.lead(shown, number, ':'));
                self.t.line(&line[whole]);
                continue;
            }
        }
    }
}
