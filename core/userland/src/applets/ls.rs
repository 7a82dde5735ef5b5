//! `ls`.

use super::files::join;
use super::options::Options;
use super::users::Users;
use super::{Ending, Tool, clock, meta, sizes};
use crate::os::{FileKind, Os, Stat};
use crate::sorted::Arrange;
use std::cmp::Ordering;

struct Entry {
    /// As it is shown.
    name: String,
    path: String,
    stat: Stat,
    target: Option<String>,
}

struct Listing<'a, O: Os> {
    t: &'a Tool<O>,
    o: Options,
    users: Users,
    /// Columns of the terminal, or none where each entry has its own line.
    width: Option<usize>,
    color: bool,
    status: i32,
    /// Something was printed, so that a folder's heading needs a gap.
    printed: bool,
}

pub async fn ls<O: Os>(t: &Tool<O>) -> Ending {
    let long = [
        ("all", 'a'),
        ("almost-all", 'A'),
        ("recursive", 'R'),
        ("reverse", 'r'),
        ("human-readable", 'h'),
        ("inode", 'i'),
        ("directory", 'd'),
        ("full-time", '\u{1}'),
        ("color", '\u{2}'),
        ("group-directories-first", '\u{3}'),
    ];
    let o = t.options("1AaCxdLHRFpliNnshrSXvctugo\u{1}\u{2}::\u{3}w:T:", &long)?;
    let terminal = t.os.is_tty(1);
    let columns = match o.value('w').and_then(|w| w.parse().ok()) {
        Some(width) => width,
        None => t.os.window_size(1).map_or(80, |s| usize::from(s.columns).max(1)),
    };
    let wide = match o.last_of("1lCxngo") {
        Some('C' | 'x') => true,
        Some(_) => false,
        None => terminal,
    };
    let color = match o.value('\u{2}') {
        Some("always") => true,
        Some("never") => false,
        _ => terminal,
    };
    let users = Users::read(t).await;
    let width = wide.then_some(columns);
    let paths = if o.rest.is_empty() { vec![".".to_string()] } else { o.rest.clone() };
    let mut listing = Listing { t, o, users, width, color, status: 0, printed: false };
    listing.named(&paths).await;
    Ok(listing.status)
}

impl<O: Os> Listing<'_, O> {
    fn long(&self) -> bool {
        self.o.has('l') || self.o.has('n') || self.o.has('g') || self.o.has('o') || self.o.has('\u{1}')
    }

    /// Lists what was named: files first, then the folders.
    async fn named(&mut self, paths: &[String]) {
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for path in paths {
            // A link on the command line is followed unless the entry itself is asked for.
            let itself = (self.long() || self.o.has('d') || self.o.has('F')) && !self.o.has('L') && !self.o.has('H');
            match self.entry(path.clone(), path.clone(), !itself) {
                Some(entry) if entry.stat.kind == FileKind::Directory && !self.o.has('d') => folders.push(entry),
                Some(entry) => files.push(entry),
                None => {}
            }
        }
        self.sort(&mut files);
        self.sort(&mut folders);
        self.show(&files);
        let heading = self.o.has('R') || paths.len() > 1;
        let mut waiting: Vec<Entry> = folders.into_iter().rev().collect();
        while let Some(folder) = waiting.pop() {
            let inner = self.folder(&folder, heading);
            self.t.turn(20).await;
            if self.o.has('R') {
                let deeper = |e: &Entry| e.stat.kind == FileKind::Directory && e.name != "." && e.name != "..";
                waiting.extend(inner.into_iter().rev().filter(deeper));
            }
        }
    }

    fn entry(&mut self, name: String, path: String, follow: bool) -> Option<Entry> {
        let found = match if follow { self.t.os.stat(&path) } else { self.t.os.lstat(&path) } {
            // A link that leads nowhere is shown as a link.
            Err(_) if follow => self.t.os.lstat(&path),
            other => other,
        };
        match found {
            Ok(stat) => {
                let target = (stat.kind == FileKind::Symlink).then(|| self.t.os.read_link(&path).ok()).flatten();
                Some(Entry { name, path, stat, target })
            }
            Err(e) => {
                self.t.warn(format_args!("{path}: {e}"));
                self.status = 1;
                None
            }
        }
    }

    fn folder(&mut self, folder: &Entry, heading: bool) -> Vec<Entry> {
        let read = match self.t.os.read_dir(&folder.path) {
            Ok(read) => read,
            Err(e) => {
                self.t.warn(format_args!("can't open '{}': {e}", folder.path));
                self.status = 1;
                return Vec::new();
            }
        };
        let all = self.o.last_of("aA");
        let mut names: Vec<String> = read.into_iter().map(|e| e.name).collect();
        names.retain(|n| all.is_some() || !n.starts_with('.'));
        if all == Some('a') {
            names.extend([".".to_string(), "..".to_string()]);
        }
        let follow = self.o.has('L');
        let mut entries: Vec<Entry> = names
            .into_iter()
            .filter_map(|name| {
                let path = join(&folder.path, &name);
                self.entry(name, path, follow)
            })
            .collect();
        self.sort(&mut entries);
        if heading {
            if self.printed {
                self.t.print("\n");
            }
            self.t.line(format!("{}:", folder.path));
            self.printed = true;
        }
        if self.long() || self.o.has('s') {
            let blocks: u64 = entries.iter().map(|e| e.stat.blocks).sum();
            match self.o.has('h') {
                true => self.t.line(format!("total {}", sizes::human(blocks * 512))),
                false => self.t.line(format!("total {}", blocks / 2)),
            }
        }
        self.show(&entries);
        entries
    }

    fn sort(&self, entries: &mut [Entry]) {
        let key = self.o.last_of("StXv");
        let time = |e: &Entry| match self.o.last_of("cu") {
            Some('c') => e.stat.ctime,
            Some(_) => e.stat.atime,
            None => e.stat.mtime,
        };
        let extension = |e: &Entry| e.name.rsplit_once('.').map_or(String::new(), |(_, x)| x.to_string());
        entries.arrange_by(|a, b| {
            let first = match key {
                Some('S') => b.stat.size.cmp(&a.stat.size),
                Some('t') => time(b).cmp(&time(a)),
                Some('X') => extension(a).cmp(&extension(b)),
                Some('v') => super::sort::versions(a.name.as_bytes(), b.name.as_bytes()),
                _ => Ordering::Equal,
            };
            let order = first.then_with(|| a.name.cmp(&b.name));
            let order = if self.o.has('r') { order.reverse() } else { order };
            let group = |e: &Entry| e.stat.kind != FileKind::Directory;
            if self.o.has('\u{3}') { group(a).cmp(&group(b)).then(order) } else { order }
        });
    }

    fn show(&mut self, entries: &[Entry]) {
        self.printed |= !entries.is_empty();
        match self.width {
            Some(width) if !self.long() => self.columns(entries, width),
            _ => {
                for entry in entries {
                    let mut line = self.lead(entry);
                    if self.long() {
                        line += &self.details(entry);
                    }
                    line += &self.shown(entry);
                    if let (true, Some(target)) = (self.long(), &entry.target) {
                        line += " -> ";
                        line += target;
                    }
                    self.t.line(line);
                }
            }
        }
    }

    /// Inode number and blocks, where asked for.
    fn lead(&self, entry: &Entry) -> String {
        let mut lead = String::new();
        if self.o.has('i') {
            lead += &format!("{:7} ", entry.stat.ino);
        }
        if self.o.has('s') {
            lead += &match self.o.has('h') {
                true => format!("{:>6} ", sizes::human(entry.stat.blocks * 512)),
                false => format!("{:6} ", entry.stat.blocks / 2),
            };
        }
        lead
    }

    fn details(&self, entry: &Entry) -> String {
        let s = &entry.stat;
        let mut line = format!("{} {:4} ", meta::letters(s.kind, s.mode), s.nlink);
        let numbers = self.o.has('n');
        let user = if numbers { s.uid.to_string() } else { self.users.user_or_number(s.uid) };
        let group = if numbers { s.gid.to_string() } else { self.users.group_or_number(s.gid) };
        if !self.o.has('g') {
            line += &format!("{user:<8} ");
        }
        if !self.o.has('o') {
            line += &format!("{group:<8} ");
        }
        line += &match s.kind {
            FileKind::CharDevice | FileKind::BlockDevice => format!("{:4},{:4} ", s.rdev.0, s.rdev.1),
            _ if self.o.has('h') => format!("{:>7} ", sizes::human(s.size)),
            _ => format!("{:9} ", s.size),
        };
        let time = match self.o.last_of("cu") {
            Some('c') => s.ctime,
            Some(_) => s.atime,
            None => s.mtime,
        };
        // Files older than half a year, or from the future, show their year.
        let age = self.t.os.now().as_secs() as i64 - time.as_secs() as i64;
        let pattern = match () {
            () if self.o.has('\u{1}') => "%Y-%m-%d %H:%M:%S %z ",
            () if (-15 * 60..3600 * 24 * 365 / 2).contains(&age) => "%b %e %H:%M ",
            () => "%b %e  %Y ",
        };
        line + &clock::format(pattern, time)
    }

    fn mark(&self, entry: &Entry) -> &'static str {
        match entry.stat.kind {
            FileKind::Directory if self.o.has('F') || self.o.has('p') => "/",
            _ if !self.o.has('F') => "",
            FileKind::Symlink => "@",
            FileKind::Socket => "=",
            FileKind::Fifo => "|",
            FileKind::Regular if entry.stat.mode & 0o111 != 0 => "*",
            _ => "",
        }
    }

    fn shown(&self, entry: &Entry) -> String {
        let mark = self.mark(entry);
        if !self.color {
            return format!("{}{mark}", entry.name);
        }
        let code = match entry.stat.kind {
            FileKind::Directory => "1;34",
            FileKind::Symlink => "1;36",
            FileKind::Regular if entry.stat.mode & 0o111 != 0 => "1;32",
            FileKind::Regular => "0;0",
            FileKind::Fifo => "0;33",
            FileKind::Socket => "1;35",
            FileKind::CharDevice | FileKind::BlockDevice => "1;33",
        };
        format!("\x1b[{code}m{}\x1b[m{mark}", entry.name)
    }

    /// Columns, filled downwards, or along the lines for `-x`.
    fn columns(&self, entries: &[Entry], width: usize) {
        let length = |e: &Entry| self.lead(e).len() + e.name.chars().count() + self.mark(e).len();
        let column = entries.iter().map(length).max().unwrap_or(0) + 2;
        let across = (width / column).max(1);
        let rows = entries.len().div_ceil(across);
        for row in 0..rows {
            let mut gap = 0;
            for at in 0..across {
                let index = if self.o.last_of("Cx") == Some('x') { row * across + at } else { at * rows + row };
                let Some(entry) = entries.get(index) else { continue };
                self.t.print(format!("{:gap$}{}{}", "", self.lead(entry), self.shown(entry)));
                gap = column - length(entry);
            }
            self.t.print("\n");
        }
    }
}
