//! File systems: `df`, `du`, `mount`, `umount`.

use super::files::join;
use super::{Ending, Tool, sizes};
use crate::errno::Errno;
use crate::os::{FileKind, MountFlags, Os};
use crate::sorted::Set as BTreeSet;
use std::future::Future;
use std::pin::Pin;

/// A line of `/proc/mounts`.
struct Mounted {
    source: String,
    target: String,
    kind: String,
    options: String,
}

async fn mounts<O: Os>(t: &Tool<O>) -> Vec<Mounted> {
    // Spaces are written as \040 there.
    let text = |word: Option<&str>| {
        let mut out = Vec::new();
        super::printf::unescape(word.unwrap_or("").as_bytes(), false, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    };
    let parse = |line: &str| {
        let mut words = line.split(' ');
        let (source, target) = (text(words.next()), text(words.next()));
        Mounted { source, target, kind: text(words.next()), options: text(words.next()) }
    };
    t.text("/proc/mounts").await.lines().map(parse).collect()
}

pub async fn df<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("kmhTaiPt:B:", &[("human-readable", 'h'), ("print-type", 'T'), ("inodes", 'i')])?;
    let all = mounts(t).await;
    let (inodes, human) = (o.has('i'), o.has('h'));
    let unit = match () {
        () if inodes => "   Inodes",
        () if human => "     Size",
        () if o.has('m') => "1M-blocks",
        () => "1K-blocks",
    };
    let kind = if o.has('T') { "Type       " } else { "" };
    t.line(format!("Filesystem           {kind}{unit:<15}Used Available Use% Mounted on"));
    let mut status = 0;
    let mut chosen: Vec<&Mounted> = Vec::new();
    if o.rest.is_empty() {
        chosen.extend(&all);
    }
    for path in &o.rest {
        let found = super::files::canonical(&t.os, path, false).and_then(|full| {
            let dev = t.os.stat(path)?.dev;
            let under = |m: &&Mounted| full == m.target || full.starts_with(&join(&m.target, ""));
            let by_path = all.iter().filter(under).max_by_key(|m| m.target.len());
            let by_device = || all.iter().find(|m| t.os.stat(&m.target).is_ok_and(|s| s.dev == dev));
            by_path.or_else(by_device).ok_or(Errno::ENOENT)
        });
        match found {
            Ok(mounted) => chosen.push(mounted),
            Err(_) => status = t.die(format_args!("{path}: can't find mount point")),
        }
    }
    for m in chosen {
        let s = match t.os.statfs(&m.target) {
            Ok(s) => s,
            Err(Errno::EACCES | Errno::ENOENT) if o.rest.is_empty() => continue,
            Err(e) => {
                status = t.die(format_args!("{}: {e}", m.target));
                continue;
            }
        };
        if o.rest.is_empty() && !o.has('a') && (s.blocks == 0 || m.kind == "rootfs") {
            continue;
        }
        let (total, free, available, block) = match inodes {
            true => (s.inodes, s.inodes_free, s.inodes_free, 1024),
            false => (s.blocks, s.free, s.available, s.block_size),
        };
        let used = total.saturating_sub(free);
        let whole = used + available;
        let percent = (used * 100 + whole / 2).checked_div(whole).unwrap_or(0);
        let show = |n: u64| {
            let bytes = n.saturating_mul(block);
            match () {
                () if human && inodes => sizes::human(n),
                () if human => sizes::human(bytes),
                () if o.has('m') => ((bytes + (1 << 19)) >> 20).to_string(),
                () => (bytes / 1024).to_string(),
            }
        };
        let gap = if m.source.len() > 20 && !o.has('P') { format!("\n{:20}", "") } else { String::new() };
        let kind = if o.has('T') { format!(" {:<10}", m.kind) } else { String::new() };
        let (total, used, available) = (show(total), show(used), show(available));
        t.line(format!("{:<20}{gap}{kind} {total:>9} {used:>9} {available:>9} {percent:3}% {}", m.source, m.target));
    }
    Ok(status)
}

struct Usage<'a, O: Os> {
    t: &'a Tool<O>,
    all: bool,
    summary: bool,
    most: usize,
    device: Option<u64>,
    human: bool,
    unit: u64,
    /// Files with several links count once.
    seen: BTreeSet<(u64, u64)>,
    status: i32,
}

impl<O: Os> Usage<'_, O> {
    /// The blocks of 512 bytes of a file or a tree.
    fn walk<'a>(&'a mut self, path: String, depth: usize) -> Pin<Box<dyn Future<Output = u64> + 'a>> {
        Box::pin(async move {
            self.t.turn(2).await;
            let stat = match self.t.os.lstat(&path) {
                Ok(stat) => stat,
                Err(e) => {
                    self.status = self.t.die(format_args!("{path}: {e}"));
                    return 0;
                }
            };
            if self.device.is_some_and(|d| d != stat.dev) && depth > 0 {
                return 0;
            }
            if stat.nlink > 1 && stat.kind != FileKind::Directory && !self.seen.insert((stat.dev, stat.ino)) {
                return 0;
            }
            let mut sum = stat.blocks;
            if stat.kind == FileKind::Directory {
                match self.t.os.read_dir(&path) {
                    Ok(entries) => {
                        for entry in entries {
                            sum += self.walk(join(&path, &entry.name), depth + 1).await;
                        }
                    }
                    Err(e) => self.status = self.t.die(format_args!("can't open '{path}': {e}")),
                }
            }
            let shown = stat.kind == FileKind::Directory || self.all;
            if depth == 0 || (shown && !self.summary && depth <= self.most) {
                self.line(sum, &path);
            }
            sum
        })
    }
    fn line(&self, blocks: u64, path: &str) {
        let bytes = blocks * 512;
        match self.human {
            true => self.t.line(format!("{}\t{path}", sizes::human(bytes))),
            false => self.t.line(format!("{}\t{path}", bytes.div_ceil(self.unit))),
        }
    }
}

pub async fn du<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("aHLd:clsxhmkb", &[("max-depth", 'd'), ("summarize", 's'), ("human-readable", 'h')])?;
    let most = o.value('d').map_or(Ok(usize::MAX), |d| t.number(d))?;
    let unit = if o.has('m') { 1 << 20 } else { 1024 };
    let mut usage = Usage {
        t,
        all: o.has('a'),
        summary: o.has('s'),
        most,
        device: None,
        human: o.has('h'),
        unit,
        seen: BTreeSet::new(),
        status: 0,
    };
    let mut total = 0;
    let paths = if o.rest.is_empty() { vec![".".to_string()] } else { o.rest.clone() };
    for path in paths {
        usage.device = t.os.lstat(&path).ok().map(|s| s.dev).filter(|_| o.has('x'));
        total += usage.walk(path, 0).await;
    }
    if o.has('c') {
        usage.line(total, "total");
    }
    Ok(usage.status)
}

pub async fn mount<O: Os>(t: &Tool<O>) -> Ending {
    let long = [("bind", '\u{1}'), ("rbind", '\u{2}')];
    let o = t.options("at:o:rwvnfiO:\u{1}\u{2}", &long)?;
    if o.rest.is_empty() && !o.has('a') {
        for m in mounts(t).await {
            if m.kind != "rootfs" && o.value('t').is_none_or(|k| k == m.kind) {
                t.line(format!("{} on {} type {} ({})", m.source, m.target, m.kind, m.options));
            }
        }
        return Ok(0);
    }
    let mut flags =
        MountFlags { read_only: o.has('r'), bind: o.has('\u{1}') || o.has('\u{2}'), ..MountFlags::default() };
    flags.recursive = o.has('\u{2}');
    let mut data = Vec::new();
    for option in o.values('o').iter().flat_map(|w| w.split(',')) {
        match option {
            "ro" => flags.read_only = true,
            "rw" => flags.read_only = false,
            "bind" => flags.bind = true,
            "rbind" => (flags.bind, flags.recursive) = (true, true),
            "remount" => flags.remount = true,
            "nosuid" => flags.no_suid = true,
            "noexec" => flags.no_exec = true,
            "nodev" => flags.no_dev = true,
            "defaults" | "suid" | "exec" | "dev" | "relatime" | "noatime" | "" => {}
            other => data.push(other),
        }
    }
    let (source, target) = match &o.rest[..] {
        [target] if flags.remount => ("none", target),
        [one] => return Err(t.die(format_args!("can't find {one} in /etc/fstab"))),
        [source, target] => (source.as_str(), target),
        _ => return Err(t.usage()),
    };
    let kind = o.value('t').unwrap_or(if flags.bind { "none" } else { "ext4" });
    match t.os.mount(source, target, kind, flags, &data.join(",")) {
        Ok(()) => Ok(0),
        Err(Errno::EPERM) => Err(t.die("permission denied (are you root?)")),
        Err(e) => Err((t.warn(format_args!("mounting {source} on {target} failed: {e}")), 255).1),
    }
}

pub async fn umount<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("lfrnat:d", &[])?;
    if o.rest.is_empty() {
        return Err(t.usage());
    }
    let all = mounts(t).await;
    let mut status = 0;
    for path in &o.rest {
        // A device stands for where it is mounted.
        let target = all.iter().rev().find(|m| m.source == *path && path.starts_with('/')).map(|m| &m.target);
        if let Err(e) = t.os.umount(target.unwrap_or(path), o.has('l')) {
            status = t.die(format_args!("can't unmount {path}: {e}"));
        }
    }
    Ok(status)
}
