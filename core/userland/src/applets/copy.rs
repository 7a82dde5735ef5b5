//! `cp`, and what else copies trees and bytes.

use super::files::{ask, join, targets};
use super::{Ending, Tool};
use crate::errno::Errno;
use crate::os::{Fd, FileKind, OpenFlags, Os, Stat};
use std::future::Future;
use std::pin::Pin;

/// What a copy keeps and how it treats links.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    pub recursive: bool,
    /// Keeps owner, mode and times.
    pub preserve: bool,
    /// Links are followed.
    pub follow: bool,
    pub force: bool,
    pub verbose: bool,
    pub only_newer: bool,
    /// Makes links to the files in place of copies: hard ones, or symbolic.
    pub link: Option<Link>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Hard,
    Symbolic,
}

impl How {
    pub const ARCHIVE: How = How {
        recursive: true,
        preserve: true,
        follow: false,
        force: false,
        verbose: false,
        only_newer: false,
        link: None,
    };
}

/// Copies all bytes from one descriptor to another.
pub async fn pump<O: Os>(t: &Tool<O>, from: Fd, to: Fd) -> Result<(), Errno> {
    loop {
        let chunk = t.read(from).await?;
        if chunk.is_empty() {
            return Ok(());
        }
        t.write_all(to, &chunk).await?;
    }
}

/// Copies a file or, if `how` says so, a tree. The result is the exit status; complaints are made.
pub fn copy_tree<'a, O: Os>(
    t: &'a Tool<O>,
    from: &'a str,
    to: &'a str,
    how: How,
) -> Pin<Box<dyn Future<Output = i32> + 'a>> {
    Box::pin(async move {
        t.turn(5).await;
        let found = if how.follow { t.os.stat(from) } else { t.os.lstat(from) };
        let stat = match found {
            Ok(stat) => stat,
            Err(e) => return t.die(format_args!("can't stat '{from}': {e}")),
        };
        let there = t.os.stat(to).ok();
        if there.as_ref().is_some_and(|d| (d.dev, d.ino) == (stat.dev, stat.ino)) {
            return t.die(format_args!("'{from}' and '{to}' are the same file"));
        }
        if how.only_newer && there.as_ref().is_some_and(|d| d.mtime >= stat.mtime) {
            return 0;
        }
        if how.verbose {
            t.line(format!("'{from}' -> '{to}'"));
        }
        let copied = match stat.kind {
            FileKind::Directory if !how.recursive => {
                t.warn(format_args!("omitting directory '{from}'"));
                return 1;
            }
            FileKind::Directory => return copy_folder(t, from, to, &stat, there, how).await,
            _ if how.link.is_some() => match how.link {
                Some(Link::Hard) => t.os.link(from, to),
                _ => t.os.symlink(from, to),
            }
            .map_err(|e| format!("can't create link '{to}': {e}")),
            FileKind::Regular => copy_file(t, from, to, &stat, how).await,
            _ if !how.recursive => copy_file(t, from, to, &stat, how).await,
            FileKind::Symlink => {
                if t.os.lstat(to).is_ok() {
                    let _ = t.os.unlink(to);
                }
                t.os.read_link(from)
                    .and_then(|target| t.os.symlink(&target, to))
                    .map_err(|e| format!("can't create symlink '{to}': {e}"))
            }
            kind => t.os.mknod(to, kind, stat.mode, stat.rdev).map_err(|e| format!("can't create '{to}': {e}")),
        };
        match copied {
            Ok(()) => {
                keep(t, to, &stat, how);
                0
            }
            Err(complaint) => t.die(complaint),
        }
    })
}

async fn copy_folder<O: Os>(t: &Tool<O>, from: &str, to: &str, stat: &Stat, there: Option<Stat>, how: How) -> i32 {
    match there {
        Some(d) if d.kind != FileKind::Directory => {
            return t.die(format_args!("target '{to}' is not a directory"));
        }
        Some(_) => {}
        None => {
            if let Err(e) = t.os.mkdir(to, stat.mode | 0o700) {
                return t.die(format_args!("can't create directory '{to}': {e}"));
            }
        }
    }
    let target = t.os.stat(to).map(|s| (s.dev, s.ino)).ok();
    let entries = match t.os.read_dir(from) {
        Ok(entries) => entries,
        Err(e) => return t.die(format_args!("can't open '{from}': {e}")),
    };
    let mut status = 0;
    for entry in entries {
        let inner = join(from, &entry.name);
        // A folder copied into itself would never end.
        if t.os.lstat(&inner).is_ok_and(|s| Some((s.dev, s.ino)) == target) {
            status = t.die(format_args!("recursion detected, omitting directory '{inner}'"));
            continue;
        }
        let how = How { follow: how.follow && !how.preserve, ..how };
        status |= copy_tree(t, &inner, &join(to, &entry.name), how).await;
    }
    keep(t, to, stat, how);
    status
}

async fn copy_file<O: Os>(t: &Tool<O>, from: &str, to: &str, stat: &Stat, how: How) -> Result<(), String> {
    let source = t.os.open(from, OpenFlags::READ, 0).await.map_err(|e| format!("can't open '{from}': {e}"))?;
    let mode = stat.mode & 0o777;
    let mut opened = t.os.open(to, OpenFlags::CREATE, mode).await;
    if opened.is_err() && how.force && t.os.unlink(to).is_ok() {
        opened = t.os.open(to, OpenFlags::CREATE, mode).await;
    }
    let target = match opened {
        Ok(fd) => fd,
        Err(e) => {
            t.close(source);
            return Err(format!("can't create '{to}': {e}"));
        }
    };
    let copied = pump(t, source, target).await;
    t.close(source);
    t.close(target);
    copied.map_err(|e| match e {
        Errno::ENOSPC | Errno::EDQUOT | Errno::EIO => format!("write error: {e}"),
        e => format!("read error: {e}"),
    })
}

/// Gives the copy the owner, mode and times of its source.
fn keep<O: Os>(t: &Tool<O>, to: &str, stat: &Stat, how: How) {
    if !how.preserve {
        return;
    }
    let _ = t.os.chown(to, Some(stat.uid), Some(stat.gid), false);
    if stat.kind != FileKind::Symlink {
        let _ = t.os.chmod(to, stat.mode);
        let _ = t.os.set_times(to, Some(stat.atime), Some(stat.mtime));
    }
}

pub async fn cp<O: Os>(t: &Tool<O>) -> Ending {
    let long = [
        ("archive", 'a'),
        ("recursive", 'r'),
        ("no-dereference", 'P'),
        ("dereference", 'L'),
        ("force", 'f'),
        ("no-clobber", 'n'),
        ("interactive", 'i'),
        ("link", 'l'),
        ("symbolic-link", 's'),
        ("update", 'u'),
        ("verbose", 'v'),
        ("target-directory", 't'),
        ("no-target-directory", 'T'),
    ];
    let o = t.options("arRdPLHpfinlsTt:uv", &long)?;
    let (sources, last) = match (o.value('t'), o.rest.split_last()) {
        (Some(folder), Some(_)) => (&o.rest[..], folder),
        (None, Some((last, sources))) if !sources.is_empty() => (sources, last.as_str()),
        _ => return Err(t.usage()),
    };
    let recursive = o.has('a') || o.has('r') || o.has('R');
    let how = How {
        recursive,
        preserve: o.has('a') || o.has('p'),
        follow: o.has('L') || !(recursive || o.has('d') || o.has('P')),
        force: o.has('f'),
        verbose: o.has('v'),
        only_newer: o.has('u'),
        link: o.last_of("ls").map(|c| if c == 'l' { Link::Hard } else { Link::Symbolic }),
    };
    let mut status = 0;
    for (from, to) in targets(t, sources, last, o.has('T')) {
        if t.os.lstat(&to).is_ok() {
            match o.last_of("fin") {
                Some('n') => continue,
                Some('i') if !ask(t, format!("cp: overwrite '{to}'? ")).await => continue,
                _ => {}
            }
        }
        let how = How { follow: how.follow || (o.has('H') && recursive), ..how };
        status |= copy_tree(t, &from, &to, how).await;
    }
    Ok(status)
}
