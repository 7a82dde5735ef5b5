//! `find` and `xargs`.

use super::basics::base_of;
use super::files::join;
use super::pattern::{Pattern, Syntax};
use super::users::Users;
use super::{Ending, Tool, glob, sizes};
use crate::os::{FileKind, Os, Pid, Stat, Wait, WaitFor};
use std::cmp::Ordering;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A count to compare with: `+3`, `-3`, `3`.
#[derive(Clone, Copy, Debug)]
struct Count(Ordering, u64);

impl Count {
    fn parse(text: &str) -> Option<Count> {
        let (order, digits) = match text.as_bytes().first()? {
            b'+' => (Ordering::Greater, &text[1..]),
            b'-' => (Ordering::Less, &text[1..]),
            _ => (Ordering::Equal, text),
        };
        Some(Count(order, digits.parse().ok()?))
    }
    fn holds(self, value: u64) -> bool {
        value.cmp(&self.1) == self.0
    }
}

enum Test {
    Not(Box<Test>),
    And(Vec<Test>),
    Or(Vec<Test>),
    Always(bool),
    Name {
        pattern: String,
        fold: bool,
        whole: bool,
    },
    Regex(Pattern),
    Kind(Vec<FileKind>),
    Size(Count, u64),
    Newer(Duration),
    /// Age of the modification (`m`), access (`a`) or change (`c`), in units of so many seconds.
    Age(char, Count, u64),
    /// `-perm`: exactly, all of (`-`), any of (`/`).
    Perm(char, u32),
    User(u32),
    Group(u32),
    Links(Count),
    Inode(u64),
    Empty,
    Print(&'static str),
    Prune,
    Delete,
    Quit,
    Exec(Vec<String>),
    /// `-exec … +`: the words, and where its paths gather.
    Batch(usize),
}

struct Find<'a, O: Os> {
    t: &'a Tool<O>,
    batches: Vec<(Vec<String>, Vec<String>)>,
    least: usize,
    most: usize,
    depth_first: bool,
    follow: bool,
    one_device: bool,
    acts: bool,
    status: i32,
    prune: bool,
    quit: bool,
}

struct Parser<'a, O: Os> {
    find: Find<'a, O>,
    words: &'a [String],
    at: usize,
    users: Users,
}

impl<O: Os> Parser<'_, O> {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).map(String::as_str)
    }
    fn either(&mut self) -> Result<Test, String> {
        let mut any = vec![self.both()?];
        while matches!(self.peek(), Some("-o" | "-or")) {
            self.at += 1;
            any.push(self.both()?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Test::Or(any) })
    }
    fn both(&mut self) -> Result<Test, String> {
        let mut all = Vec::new();
        while let Some(word) = self.peek() {
            match word {
                "-o" | "-or" | ")" => break,
                "-a" | "-and" => self.at += 1,
                _ => all.push(self.one()?),
            }
        }
        Ok(Test::And(all))
    }
    fn value(&mut self, name: &str) -> Result<String, String> {
        let value = self.words.get(self.at).cloned().ok_or_else(|| format!("{name} requires an argument"))?;
        self.at += 1;
        Ok(value)
    }
    fn count(&mut self, name: &str) -> Result<Count, String> {
        let value = self.value(name)?;
        Count::parse(&value).ok_or_else(|| format!("invalid number '{value}'"))
    }

    fn one(&mut self) -> Result<Test, String> {
        let word = self.words[self.at].clone();
        self.at += 1;
        let os = &self.find.t.os;
        Ok(match word.as_str() {
            "!" | "-not" => Test::Not(Box::new(self.one_after("!")?)),
            "(" => {
                let inner = self.either()?;
                if self.peek() != Some(")") {
                    return Err("missing ')'".to_string());
                }
                self.at += 1;
                inner
            }
            "-true" => Test::Always(true),
            "-false" => Test::Always(false),
            "-name" | "-iname" | "-path" | "-ipath" | "-wholename" => {
                let fold = word.starts_with("-i");
                let pattern = self.value(&word)?;
                let pattern = if fold { pattern.to_lowercase() } else { pattern };
                Test::Name { pattern, fold, whole: !word.ends_with("-name") && !word.ends_with("iname") }
            }
            "-regex" => Test::Regex(Pattern::any(&[self.value(&word)?], Some(Syntax::Basic), false, false, true)?),
            "-type" => {
                let value = self.value(&word)?;
                let kind = |c| match c {
                    "f" => Some(FileKind::Regular),
                    "d" => Some(FileKind::Directory),
                    "l" => Some(FileKind::Symlink),
                    "c" => Some(FileKind::CharDevice),
                    "b" => Some(FileKind::BlockDevice),
                    "p" => Some(FileKind::Fifo),
                    "s" => Some(FileKind::Socket),
                    _ => None,
                };
                let kinds: Option<Vec<FileKind>> = value.split(',').map(kind).collect();
                Test::Kind(kinds.ok_or_else(|| format!("invalid argument '{value}' to '-type'"))?)
            }
            "-size" => {
                let value = self.value(&word)?;
                let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
                let unit = match &value[digits.len()..] {
                    "" => Some(512),
                    unit => sizes::parse(&format!("1{unit}")),
                };
                match (Count::parse(digits), unit) {
                    (Some(count), Some(unit)) => Test::Size(count, unit),
                    _ => return Err(format!("invalid number '{value}'")),
                }
            }
            "-newer" => {
                let path = self.value(&word)?;
                let stat = os.stat(&path).map_err(|e| format!("{path}: {e}"))?;
                Test::Newer(stat.mtime)
            }
            "-mtime" | "-atime" | "-ctime" => Test::Age(word.as_bytes()[1] as char, self.count(&word)?, 86400),
            "-mmin" | "-amin" | "-cmin" => Test::Age(word.as_bytes()[1] as char, self.count(&word)?, 60),
            "-perm" => {
                let value = self.value(&word)?;
                let (kind, mode) = match value.as_bytes().first() {
                    Some(b'-') => ('-', &value[1..]),
                    Some(b'/' | b'+') => ('/', &value[1..]),
                    _ => ('=', &value[..]),
                };
                let mode = super::meta::parse_mode(mode, 0, false, 0);
                Test::Perm(kind, mode.ok_or_else(|| format!("invalid mode '{value}'"))?)
            }
            "-user" => {
                let value = self.value(&word)?;
                Test::User(self.users.uid_of(&value).ok_or_else(|| format!("unknown user {value}"))?)
            }
            "-group" => {
                let value = self.value(&word)?;
                Test::Group(self.users.gid_of(&value).ok_or_else(|| format!("unknown group {value}"))?)
            }
            "-links" => Test::Links(self.count(&word)?),
            "-inum" => Test::Inode(self.count(&word)?.1),
            "-empty" => Test::Empty,
            "-prune" => Test::Prune,
            "-print" => self.action(Test::Print("\n")),
            "-print0" => self.action(Test::Print("\0")),
            "-delete" => {
                self.find.depth_first = true;
                self.action(Test::Delete)
            }
            "-quit" => self.action(Test::Quit),
            "-exec" | "-ok" => self.exec()?,
            "-maxdepth" => {
                self.find.most = self.count(&word)?.1 as usize;
                Test::Always(true)
            }
            "-mindepth" => {
                self.find.least = self.count(&word)?.1 as usize;
                Test::Always(true)
            }
            "-depth" => {
                self.find.depth_first = true;
                Test::Always(true)
            }
            "-follow" => {
                self.find.follow = true;
                Test::Always(true)
            }
            "-xdev" | "-mount" => {
                self.find.one_device = true;
                Test::Always(true)
            }
            _ => return Err(format!("unrecognized: {word}")),
        })
    }
    fn one_after(&mut self, word: &str) -> Result<Test, String> {
        if self.at < self.words.len() { self.one() } else { Err(format!("{word} requires an argument")) }
    }
    fn action(&mut self, test: Test) -> Test {
        self.find.acts = true;
        test
    }
    fn exec(&mut self) -> Result<Test, String> {
        let rest = &self.words[self.at..];
        let end = rest.iter().enumerate().position(|(i, w)| w == ";" || (w == "+" && i > 0 && rest[i - 1] == "{}"));
        let end = end.filter(|e| *e > 0).ok_or("-exec requires an argument")?;
        let words = rest[..end].to_vec();
        self.at += end + 1;
        if rest[end] == ";" {
            return Ok(self.action(Test::Exec(words)));
        }
        self.find.batches.push((words[..words.len() - 1].to_vec(), Vec::new()));
        let at = self.find.batches.len() - 1;
        Ok(self.action(Test::Batch(at)))
    }
}

type Walk<'a> = Pin<Box<dyn Future<Output = bool> + 'a>>;

impl<O: Os> Find<'_, O> {
    fn test<'a>(&'a mut self, test: &'a Test, path: &'a str, stat: &'a Stat) -> Walk<'a> {
        Box::pin(async move {
            match test {
                Test::Not(inner) => !self.test(inner, path, stat).await,
                Test::And(all) => {
                    for one in all {
                        if !self.test(one, path, stat).await {
                            return false;
                        }
                    }
                    true
                }
                Test::Or(any) => {
                    for one in any {
                        if self.test(one, path, stat).await {
                            return true;
                        }
                    }
                    false
                }
                Test::Exec(words) => {
                    let words = words.iter().map(|w| w.replace("{}", path)).collect();
                    matches!(self.t.run(words, false).await, Ok(0))
                }
                plain => self.plain(plain, path, stat),
            }
        })
    }

    fn plain(&mut self, test: &Test, path: &str, stat: &Stat) -> bool {
        let os = &self.t.os;
        match test {
            Test::Always(holds) => *holds,
            Test::Name { pattern, fold, whole } => {
                let name = if *whole { path } else { base_of(path) };
                match fold {
                    true => glob::matches(pattern, &name.to_lowercase()),
                    false => glob::matches(pattern, name),
                }
            }
            Test::Regex(pattern) => pattern.is_match(path.as_bytes()),
            Test::Kind(kinds) => kinds.contains(&stat.kind),
            Test::Size(count, unit) => count.holds(stat.size.div_ceil(*unit)),
            Test::Newer(time) => stat.mtime > *time,
            Test::Age(which, count, unit) => {
                let time = match which {
                    'a' => stat.atime,
                    'c' => stat.ctime,
                    _ => stat.mtime,
                };
                count.holds(os.now().saturating_sub(time).as_secs() / unit)
            }
            Test::Perm('-', mode) => stat.mode & mode == *mode,
            Test::Perm('/', mode) => stat.mode & mode != 0 || *mode == 0,
            Test::Perm(_, mode) => stat.mode == *mode,
            Test::User(uid) => stat.uid == *uid,
            Test::Group(gid) => stat.gid == *gid,
            Test::Links(count) => count.holds(stat.nlink),
            Test::Inode(ino) => stat.ino == *ino,
            Test::Empty if stat.kind == FileKind::Directory => os.read_dir(path).is_ok_and(|e| e.is_empty()),
            Test::Empty => stat.kind == FileKind::Regular && stat.size == 0,
            Test::Print(end) => {
                self.t.print(path);
                self.t.print(end);
                true
            }
            Test::Prune => {
                self.prune = true;
                true
            }
            Test::Quit => {
                self.quit = true;
                true
            }
            Test::Delete => {
                let done = match stat.kind {
                    FileKind::Directory if path == "." => Ok(()),
                    FileKind::Directory => os.rmdir(path),
                    _ => os.unlink(path),
                };
                if let Err(e) = done {
                    self.status = self.t.die(format_args!("{path}: {e}"));
                }
                done.is_ok()
            }
            Test::Batch(at) => {
                self.batches[*at].1.push(path.to_string());
                true
            }
            Test::Not(_) | Test::And(_) | Test::Or(_) | Test::Exec(_) => false,
        }
    }

    fn walk<'a>(&'a mut self, test: &'a Test, path: String, depth: usize, device: Option<u64>) -> Walk<'a> {
        Box::pin(async move {
            self.t.turn(2).await;
            let found = match self.follow {
                true => self.t.os.stat(&path).or_else(|_| self.t.os.lstat(&path)),
                false => self.t.os.lstat(&path),
            };
            let stat = match found {
                Ok(stat) => stat,
                Err(e) => {
                    self.status = self.t.die(format_args!("{path}: {e}"));
                    return false;
                }
            };
            self.prune = false;
            if depth >= self.least && !self.depth_first {
                self.test(test, &path, &stat).await;
            }
            let pruned = std::mem::take(&mut self.prune) && !self.depth_first;
            let other = self.one_device && device.is_some_and(|d| d != stat.dev);
            if stat.kind == FileKind::Directory && depth < self.most && !pruned && !other && !self.quit {
                match self.t.os.read_dir(&path) {
                    Ok(entries) => {
                        for entry in entries {
                            let inner = join(&path, &entry.name);
                            self.walk(test, inner, depth + 1, device.or(Some(stat.dev))).await;
                            if self.quit {
                                return true;
                            }
                        }
                    }
                    Err(e) => self.status = self.t.die(format_args!("{path}: {e}")),
                }
            }
            if depth >= self.least && self.depth_first {
                self.test(test, &path, &stat).await;
            }
            true
        })
    }
}

pub async fn find<O: Os>(t: &Tool<O>) -> Ending {
    let mut words = &t.args[..];
    let mut follow = false;
    while let [first, rest @ ..] = words {
        if !matches!(first.as_str(), "-L" | "-H" | "-P") {
            break;
        }
        follow = first == "-L";
        words = rest;
    }
    let expression = |w: &String| w.starts_with('-') || w == "!" || w == "(";
    let split = words.iter().position(expression).unwrap_or(words.len());
    let paths = if split == 0 { vec![".".to_string()] } else { words[..split].to_vec() };
    let find = Find {
        t,
        batches: Vec::new(),
        least: 0,
        most: usize::MAX,
        depth_first: false,
        follow,
        one_device: false,
        acts: false,
        status: 0,
        prune: false,
        quit: false,
    };
    let mut parser = Parser { find, words: &words[split..], at: 0, users: Users::read(t).await };
    let parsed = parser.either();
    let left = parser.peek().map(|w| format!("unrecognized: {w}"));
    let mut test = match (parsed, left) {
        (Ok(test), None) => test,
        (Err(e), _) | (_, Some(e)) => return Err(t.die(e)),
    };
    let mut find = parser.find;
    if !find.acts {
        test = Test::And(vec![test, Test::Print("\n")]);
    }
    for path in paths {
        if !find.quit {
            find.walk(&test, path, 0, None).await;
        }
    }
    for (words, paths) in std::mem::take(&mut find.batches) {
        for some in paths.chunks(512) {
            let all = words.iter().chain(some).cloned().collect();
            if !matches!(t.run(all, false).await, Ok(0)) {
                find.status = 1;
            }
        }
    }
    Ok(find.status)
}

/// Splits input as `xargs` does: blanks, quotes, backslashes.
fn split_words(data: &[u8]) -> Result<Vec<String>, &'static str> {
    let (mut words, mut word, mut begun, mut quote) = (Vec::new(), Vec::new(), false, None);
    let mut bytes = data.iter().copied();
    while let Some(b) = bytes.next() {
        match (quote, b) {
            (Some(q), b) if b == q => quote = None,
            (Some(_), b'\n') => break,
            (Some(_), b) => word.push(b),
            (None, b'\'' | b'"') => {
                quote = Some(b);
                begun = true;
            }
            (None, b'\\') => {
                word.extend(bytes.next());
                begun = true;
            }
            (None, b' ' | b'\t' | b'\n') => {
                if begun {
                    words.push(String::from_utf8_lossy(&std::mem::take(&mut word)).into_owned());
                }
                begun = false;
            }
            (None, b) => {
                word.push(b);
                begun = true;
            }
        }
    }
    if quote.is_some() {
        return Err("unmatched quote");
    }
    if begun {
        words.push(String::from_utf8_lossy(&word).into_owned());
    }
    Ok(words)
}

pub async fn xargs<O: Os>(t: &Tool<O>) -> Ending {
    let long = [("no-run-if-empty", 'r'), ("null", '0'), ("max-args", 'n'), ("max-procs", 'P')];
    let o = t.options("+r0n:I:i::P:tpxa:L:s:E:d:", &long)?;
    let source = o.value('a').unwrap_or("-");
    let data = t.read_file(source).await.map_err(|e| t.die(format_args!("can't open '{source}': {e}")))?;
    let insert = o.value('I').or(if o.has('i') { Some(o.value('i').unwrap_or("{}")) } else { None });
    let text = |piece: &[u8]| String::from_utf8_lossy(piece).into_owned();
    let split_at = match (o.has('0'), o.value('d')) {
        (true, _) => Some(0),
        (_, Some("\\n")) => Some(b'\n'),
        (_, Some(d)) => d.bytes().next(),
        _ => None,
    };
    let words: Vec<String> = match (split_at, insert) {
        (Some(end), _) => data.strip_suffix(&[end]).unwrap_or(&data).split(|b| *b == end).map(text).collect(),
        (None, Some(_)) => {
            data.split(|b| *b == b'\n').map(|l| text(l.trim_ascii_start())).filter(|l| !l.is_empty()).collect()
        }
        (None, None) => split_words(&data).map_err(|e| t.die(e))?,
    };
    let words: Vec<String> = if data.is_empty() { Vec::new() } else { words };
    let command = if o.rest.is_empty() { vec!["echo".to_string()] } else { o.rest.clone() };
    let most = o.value('n').or(o.value('L')).map_or(Ok(usize::MAX), |n| t.number::<usize>(n))?.max(1);
    let mut runs: Vec<Vec<String>> = Vec::new();
    match insert {
        Some(mark) => {
            runs.extend(words.iter().map(|w| command.iter().map(|c| c.replace(mark, w)).collect::<Vec<_>>()));
        }
        None if words.is_empty() && !o.has('r') => runs.push(command),
        None => {
            let mut at = 0;
            while at < words.len() {
                // A command line has room for 128 KiB.
                let mut room = 128 * 1024usize;
                let fits = |w: &&String| {
                    room = room.saturating_sub(w.len() + 1);
                    room > 0
                };
                let count = words[at..].iter().take(most).take_while(fits).count().max(1);
                runs.push(command.iter().chain(&words[at..at + count]).cloned().collect());
                at += count;
            }
        }
    }
    let parallel = o.value('P').map_or(Ok(1), |n| t.number::<usize>(n))?;
    let parallel = if parallel == 0 { usize::MAX } else { parallel };
    let (mut status, mut running) = (0, Vec::<Pid>::new());
    for run in runs {
        if o.has('t') {
            t.complain(format_args!("{}\n", run.join(" ")));
        }
        let pid = t.spawn(run, true).await.map_err(|e| t.die(format_args!("fork: {e}")))?;
        running.push(pid);
        while running.len() >= parallel {
            reap(t, &mut running, &mut status).await?;
        }
    }
    while !running.is_empty() {
        reap(t, &mut running, &mut status).await?;
    }
    Ok(status)
}

async fn reap<O: Os>(t: &Tool<O>, running: &mut Vec<Pid>, status: &mut i32) -> Result<(), i32> {
    let who = if running.len() == 1 { WaitFor::Pid(running[0]) } else { WaitFor::Any };
    let (pid, ended) = match t.os.wait(Wait { who, no_hang: false, untraced: false }).await {
        Ok(ended) => ended,
        Err(crate::Errno::EINTR) => return Ok(()),
        Err(_) => {
            running.clear();
            return Ok(());
        }
    };
    running.retain(|p| *p != pid);
    match ended.code() {
        0 => Ok(()),
        code @ (126 | 127) => Err(code),
        255 => {
            t.warn("command exited with status 255; aborting");
            Err(124)
        }
        code if code > 128 => Err(125),
        _ => {
            *status = 123;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_with_quotes() {
        assert_eq!(split_words(b"a 'b c'\n\"d\"e \\ f").unwrap(), ["a", "b c", "de", " f"]);
        assert!(split_words(b"'a\n").is_err());
        assert_eq!(split_words(b"  \n").unwrap(), Vec::<String>::new());
    }
}
