//! Making, removing and moving files: `mkdir`, `rmdir`, `rm`, `mv`, `ln`, `mkfifo`, `mknod`, `readlink`,
//! `realpath`, `truncate`, `unlink`.

use super::basics::{base_of, folder_of};
use super::meta::parse_mode;
use super::{Ending, Tool};
use crate::errno::Errno;
use crate::os::{FileKind, OpenFlags, Os, Result};

/// `folder/name`, with one slash between.
pub fn join(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_string(),
        _ if folder.ends_with('/') => format!("{folder}{name}"),
        _ => format!("{folder}/{name}"),
    }
}

/// Makes a folder and those above it that are missing.
pub fn make_parents<O: Os>(os: &O, path: &str, mode: u32) -> Result<()> {
    let mut made = Ok(());
    for (at, _) in path.char_indices().filter(|(at, c)| *c == '/' && *at > 0).chain([(path.len(), '/')]) {
        let part = &path[..at];
        if part.ends_with('/') {
            continue;
        }
        let whole = at == path.len();
        made = os.mkdir(part, if whole { mode } else { 0o777 });
        if made == Err(Errno::EEXIST) && os.stat(part)?.kind == FileKind::Directory {
            made = Ok(());
        }
        if made.is_err() && os.stat(part).is_err() {
            return made;
        }
    }
    made
}

pub async fn mkdir<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("m:pv", &[("mode", 'm'), ("parents", 'p'), ("verbose", 'v')])?;
    if o.rest.is_empty() {
        return Err(t.usage());
    }
    let mode = match o.value('m') {
        Some(text) => {
            Some(parse_mode(text, 0o777, true, 0).ok_or_else(|| t.die(format_args!("invalid mode '{text}'")))?)
        }
        None => None,
    };
    let mut status = 0;
    for path in &o.rest {
        let made = if o.has('p') { make_parents(&t.os, path, 0o777) } else { t.os.mkdir(path, mode.unwrap_or(0o777)) };
        // The mode that was asked for holds whatever the mask.
        let made = made.and_then(|()| mode.map_or(Ok(()), |m| t.os.chmod(path, m)));
        match made {
            Ok(()) if o.has('v') => t.line(format!("created directory: '{path}'")),
            Ok(()) => {}
            Err(e) => status = t.die(format_args!("can't create directory '{path}': {e}")),
        }
    }
    Ok(status)
}

pub async fn rmdir<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("p", &[("parents", 'p'), ("ignore-fail-on-non-empty", 'p')])?;
    if o.rest.is_empty() {
        return Err(t.usage());
    }
    let mut status = 0;
    for path in &o.rest {
        let mut path = path.as_str();
        loop {
            if let Err(e) = t.os.rmdir(path) {
                status = t.die(format_args!("'{path}': {e}"));
                break;
            }
            let above = folder_of(path);
            if !o.has('p') || above == "." || above == "/" {
                break;
            }
            path = above;
        }
    }
    Ok(status)
}

/// Removes a tree; each failure is told to `failed`.
pub fn remove_tree<O: Os>(os: &O, path: &str, failed: &mut dyn FnMut(&str, Errno)) {
    let is_folder = os.lstat(path).is_ok_and(|s| s.kind == FileKind::Directory);
    if !is_folder {
        if let Err(e) = os.unlink(path) {
            failed(path, e);
        }
        return;
    }
    match os.read_dir(path) {
        Ok(entries) => entries.iter().for_each(|e| remove_tree(os, &join(path, &e.name), failed)),
        Err(e) => failed(path, e),
    }
    if let Err(e) = os.rmdir(path) {
        failed(path, e);
    }
}

/// Asks on standard error and reads the answer: yes is a line that starts with `y`.
pub async fn ask<O: Os>(t: &Tool<O>, question: String) -> bool {
    t.complain(question);
    t.lines(0).next().await.ok().flatten().is_some_and(|l| l.first().is_some_and(|b| b.eq_ignore_ascii_case(&b'y')))
}

pub async fn rm<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("rRfiv", &[("recursive", 'r'), ("force", 'f'), ("interactive", 'i')])?;
    let force = o.last_of("fi") == Some('f');
    if o.rest.is_empty() && !force {
        return Err(t.usage());
    }
    let mut status = 0;
    for path in &o.rest {
        if matches!(base_of(path), "." | "..") {
            status = t.die("can't remove '.' or '..'");
            continue;
        }
        let stat = match t.os.lstat(path) {
            Ok(stat) => stat,
            Err(Errno::ENOENT | Errno::ENOTDIR) if force => continue,
            Err(e) => {
                status = t.die(format_args!("can't remove '{path}': {e}"));
                continue;
            }
        };
        if stat.kind == FileKind::Directory && !o.has('r') && !o.has('R') {
            status = t.die(format_args!("'{path}' is a directory"));
            continue;
        }
        if o.last_of("fi") == Some('i') && !ask(t, format!("rm: remove '{path}'? ")).await {
            continue;
        }
        t.turn(5).await;
        remove_tree(&t.os, path, &mut |path, e| status = t.die(format_args!("can't remove '{path}': {e}")));
        if o.has('v') {
            t.line(format!("removed '{path}'"));
        }
    }
    Ok(status)
}

pub async fn unlink<O: Os>(t: &Tool<O>) -> Ending {
    let [path] = &t.args[..] else { return Err(t.usage()) };
    t.os.unlink(path).map_err(|e| t.die(format_args!("can't remove file '{path}': {e}")))?;
    Ok(0)
}

/// Where sources go: into a folder, or to the one name.
pub fn targets<O: Os>(t: &Tool<O>, sources: &[String], last: &str, never_into: bool) -> Vec<(String, String)> {
    let into = !never_into && t.os.stat(last).is_ok_and(|s| s.kind == FileKind::Directory);
    let to = |s: &String| if into || sources.len() > 1 { join(last, base_of(s)) } else { last.to_string() };
    sources.iter().map(|s| (s.clone(), to(s))).collect()
}

pub async fn mv<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("finTt:v", &[("force", 'f'), ("no-clobber", 'n'), ("target-directory", 't')])?;
    let (sources, last) = match (o.value('t'), o.rest.split_last()) {
        (Some(folder), Some(_)) => (&o.rest[..], folder),
        (None, Some((last, sources))) if !sources.is_empty() => (sources, last.as_str()),
        _ => return Err(t.usage()),
    };
    let mut status = 0;
    for (from, to) in targets(t, sources, last, o.has('T')) {
        let there = t.os.lstat(&to).ok();
        if there.is_some() && o.last_of("fin") == Some('n') {
            continue;
        }
        if there.is_some() && o.last_of("fin") == Some('i') && !ask(t, format!("mv: overwrite '{to}'? ")).await {
            continue;
        }
        let moved = match t.os.rename(&from, &to) {
            Err(Errno::EXDEV) => {
                if let Some(stat) = there.filter(|s| s.kind != FileKind::Directory) {
                    let _ = (stat, t.os.unlink(&to));
                }
                let code = super::copy::copy_tree(t, &from, &to, super::copy::How::ARCHIVE).await;
                if code == 0 {
                    remove_tree(&t.os, &from, &mut |p, e| status = t.die(format_args!("can't remove '{p}': {e}")));
                }
                status |= code;
                Ok(())
            }
            other => other,
        };
        match moved {
            Ok(()) if o.has('v') => t.line(format!("'{from}' -> '{to}'")),
            Ok(()) => {}
            Err(e) => status = t.die(format_args!("can't rename '{from}': {e}")),
        }
    }
    Ok(status)
}

pub async fn ln<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("sfnbSTv", &[("symbolic", 's'), ("force", 'f'), ("no-dereference", 'n')])?;
    let (sources, last) = match &o.rest[..] {
        [] => return Err(t.usage()),
        [one] => (std::slice::from_ref(one), base_of(one).to_string()),
        [sources @ .., last] => (sources, last.clone()),
    };
    let own = o.has('n') && t.os.lstat(&last).is_ok_and(|s| s.kind == FileKind::Symlink);
    let mut status = 0;
    for (from, to) in targets(t, sources, &last, o.has('T') || own) {
        if o.has('f') && t.os.lstat(&to).is_ok() {
            let _ = t.os.unlink(&to);
        }
        let made = if o.has('s') { t.os.symlink(&from, &to) } else { t.os.link(&from, &to) };
        match made {
            Ok(()) if o.has('v') => t.line(format!("'{to}' -> '{from}'")),
            Ok(()) => {}
            Err(e) => {
                let name = if e == Errno::ENOENT && !o.has('s') { &from } else { &to };
                status = t.die(format_args!("{name}: {e}"));
            }
        }
    }
    Ok(status)
}

pub async fn mkfifo<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("m:", &[("mode", 'm')])?;
    if o.rest.is_empty() {
        return Err(t.usage());
    }
    let mode = o.value('m').and_then(|m| parse_mode(m, 0o666, false, 0)).unwrap_or(0o666);
    let mut status = 0;
    for path in &o.rest {
        if let Err(e) = t.os.mknod(path, FileKind::Fifo, mode, (0, 0)) {
            status = t.die(format_args!("{path}: {e}"));
        }
    }
    Ok(status)
}

pub async fn mknod<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("m:", &[("mode", 'm')])?;
    let mode = o.value('m').and_then(|m| parse_mode(m, 0o666, false, 0)).unwrap_or(0o666);
    let (path, kind, device) = match &o.rest[..] {
        [path, p] if p == "p" => (path, FileKind::Fifo, (0, 0)),
        [path, kind, major, minor] => {
            let kind = match kind.as_str() {
                "c" | "u" => FileKind::CharDevice,
                "b" => FileKind::BlockDevice,
                _ => return Err(t.usage()),
            };
            (path, kind, (t.number(major)?, t.number(minor)?))
        }
        _ => return Err(t.usage()),
    };
    t.os.mknod(path, kind, mode, device).map_err(|e| t.die(format_args!("{path}: {e}")))?;
    Ok(0)
}

/// The path without links, `.` and `..`. With `missing`, the last component need not be there.
pub fn canonical<O: Os>(os: &O, path: &str, missing: bool) -> Result<String> {
    let full = if path.starts_with('/') { path.to_string() } else { join(&os.cwd()?, path) };
    let mut waiting: Vec<String> = full.split('/').rev().map(str::to_string).collect();
    let (mut done, mut links) = (String::new(), 0);
    while let Some(part) = waiting.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                done.truncate(done.rfind('/').unwrap_or(0));
                continue;
            }
            _ => {}
        }
        let next = format!("{done}/{part}");
        match os.lstat(&next) {
            Ok(stat) if stat.kind == FileKind::Symlink => {
                links += 1;
                if links > 40 {
                    return Err(Errno::ELOOP);
                }
                let target = os.read_link(&next)?;
                if target.starts_with('/') {
                    done.clear();
                }
                waiting.extend(target.split('/').rev().map(str::to_string));
            }
            Ok(_) => done = next,
            Err(Errno::ENOENT) if missing && waiting.iter().all(String::is_empty) => done = next,
            Err(e) => return Err(e),
        }
    }
    Ok(if done.is_empty() { "/".to_string() } else { done })
}

pub async fn readlink<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("fnvem", &[])?;
    if o.rest.is_empty() {
        return Err(t.usage());
    }
    let mut status = 0;
    for path in &o.rest {
        let found = if o.has('f') { canonical(&t.os, path, true) } else { t.os.read_link(path) };
        match found {
            Ok(found) if o.has('n') => t.print(found),
            Ok(found) => t.line(found),
            Err(e) => {
                if o.has('v') {
                    t.warn(format_args!("{path}: {e}"));
                }
                status = 1;
            }
        }
    }
    Ok(status)
}

pub async fn realpath<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("es", &[])?;
    if o.rest.is_empty() {
        return Err(t.usage());
    }
    let mut status = 0;
    for path in &o.rest {
        match canonical(&t.os, path, !o.has('e')) {
            Ok(found) => t.line(found),
            Err(e) => status = t.die(format_args!("{path}: {e}")),
        }
    }
    Ok(status)
}

pub async fn truncate<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("cs:", &[("size", 's'), ("no-create", 'c')])?;
    let text = o.value('s').ok_or_else(|| t.usage())?;
    let size = super::sizes::parse(text.trim_start_matches(['+', '-']))
        .ok_or_else(|| t.die(format_args!("invalid number '{text}'")))?;
    let mut status = 0;
    for path in &o.rest {
        if t.os.stat(path).is_err() {
            if o.has('c') {
                continue;
            }
            match t.os.open(path, OpenFlags::CREATE, 0o666).await {
                Ok(fd) => t.close(fd),
                Err(e) => {
                    status = t.die(format_args!("{path}: open: {e}"));
                    continue;
                }
            }
        }
        let now = t.os.stat(path).map_or(0, |s| s.size);
        let size = match text.as_bytes().first() {
            Some(b'+') => now.saturating_add(size),
            Some(b'-') => now.saturating_sub(size),
            _ => size,
        };
        if let Err(e) = t.os.truncate(path, size) {
            status = t.die(format_args!("{path}: truncate: {e}"));
        }
    }
    Ok(status)
}
