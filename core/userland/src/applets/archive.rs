//! `tar`, `gzip`, `gunzip`, `zcat`.

use super::basics::{base_of, folder_of};
use super::files::{join, make_parents};
use super::options::Options;
use super::users::Users;
use super::{Ending, Tool, clock, glob, meta};
use crate::os::{Cost, FileKind, OpenFlags, Os, Stat};
use crate::sorted::Map as BTreeMap;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::io::{Read, Write};
use std::time::Duration;
use tar::{Archive, EntryType, Header};

/// What is unpacked at most from one compressed file: a small file must not fill the machine.
const LARGEST: u64 = 1 << 30;

fn inflate(data: &[u8]) -> Result<Vec<u8>, &'static str> {
    if !data.starts_with(&[0x1f, 0x8b]) {
        return Err("invalid magic");
    }
    let mut out = Vec::new();
    match MultiGzDecoder::new(data).take(LARGEST).read_to_end(&mut out) {
        Ok(_) => Ok(out),
        Err(_) => Err("corrupted data"),
    }
}

fn deflate(data: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    // Writing to memory does not fail.
    let _ = encoder.write_all(data);
    encoder.finish().unwrap_or_default()
}

pub async fn gzip<O: Os>(t: &Tool<O>) -> Ending {
    let long = [("stdout", 'c'), ("decompress", 'd'), ("force", 'f'), ("keep", 'k'), ("test", 't')];
    let o = t.options("cdfktvq123456789n", &long)?;
    let unpack = o.has('d') || o.has('t') || t.name != "gzip";
    let level = o.last_of("123456789").and_then(|c| c.to_digit(10)).unwrap_or(6);
    let paths = super::text::inputs(&o.rest);
    let mut status = 0;
    for path in &paths {
        let to_stdout = path == "-" || o.has('c') || t.name == "zcat";
        let target = match (unpack, path.strip_suffix(".gz"), path.strip_suffix(".tgz")) {
            _ if to_stdout || o.has('t') => String::new(),
            (false, ..) => format!("{path}.gz"),
            (true, Some(stem), _) => stem.to_string(),
            (true, None, Some(stem)) => format!("{stem}.tar"),
            (true, None, None) => {
                let why =
                    if t.os.stat(path).is_ok() { "unknown suffix - ignored" } else { "No such file or directory" };
                status = t.die(format_args!("{path}: {why}"));
                continue;
            }
        };
        let data = match t.read_file(path).await {
            Ok(data) => data,
            Err(e) => {
                status = t.die(format_args!("{path}: {e}"));
                continue;
            }
        };
        t.os.charge(Cost { cpu: data.len() as u64 / 64, memory: data.len() as i64 }).await;
        let out = match unpack {
            true => match inflate(&data) {
                Ok(out) => out,
                Err(why) => {
                    status = t.die(why);
                    continue;
                }
            },
            false => deflate(&data, level),
        };
        if o.has('t') {
            continue;
        }
        if to_stdout {
            t.print(out);
            t.flush().await;
            continue;
        }
        if t.os.lstat(&target).is_ok() && !o.has('f') {
            status = t.die(format_args!("can't open '{target}': File exists"));
            continue;
        }
        let mode = t.os.stat(path).map_or(0o644, |s| s.mode & 0o777);
        if let Err(e) = t.write_file(&target, &out, OpenFlags::CREATE, mode).await {
            status = t.die(format_args!("can't open '{target}': {e}"));
            continue;
        }
        if !o.has('k') {
            let _ = t.os.unlink(path);
        }
    }
    Ok(status)
}

pub async fn tar<O: Os>(t: &Tool<O>) -> Ending {
    let long = [
        ("create", 'c'),
        ("extract", 'x'),
        ("get", 'x'),
        ("list", 't'),
        ("file", 'f'),
        ("gzip", 'z'),
        ("directory", 'C'),
        ("verbose", 'v'),
        ("to-stdout", 'O'),
        ("exclude", 'X'),
        ("strip-components", '\u{1}'),
        ("numeric-owner", '\u{2}'),
        ("no-same-owner", 'o'),
        ("no-same-permissions", '\u{2}'),
        ("files-from", 'T'),
    ];
    // The first word may lack its dash.
    let mut words = t.args.clone();
    if let Some(first) = words.first_mut().filter(|w| !w.starts_with('-')) {
        // In the old form the values follow in the order of the letters.
        let letters: Vec<char> = first.chars().collect();
        let mut rest: Vec<String> = words.split_off(1);
        let mut fresh = Vec::new();
        for c in letters {
            fresh.push(format!("-{c}"));
            if "fCTX".contains(c) && !rest.is_empty() {
                fresh.push(rest.remove(0));
            }
        }
        fresh.extend(rest);
        words = fresh;
    }
    let o = t.options_of(&words, "cxtf:zC:vOoX:pkhamT:jJ\u{1}:\u{2}", &long)?;
    match o.last_of("cxt") {
        Some('c') => create(t, &o).await,
        Some(mode) => read(t, &o, mode == 't').await,
        None => Err(t.usage()),
    }
}

fn kind_of(stat: &Stat) -> EntryType {
    match stat.kind {
        FileKind::Regular | FileKind::Socket => EntryType::Regular,
        FileKind::Directory => EntryType::Directory,
        FileKind::Symlink => EntryType::Symlink,
        FileKind::CharDevice => EntryType::Char,
        FileKind::BlockDevice => EntryType::Block,
        FileKind::Fifo => EntryType::Fifo,
    }
}

async fn create<O: Os>(t: &Tool<O>, o: &Options) -> Ending {
    let output = match o.value('f') {
        None | Some("-") => 1,
        Some(path) => {
            let opened = t.os.open(path, OpenFlags::CREATE, 0o666).await;
            opened.map_err(|e| t.die(format_args!("can't open '{path}': {e}")))?
        }
    };
    if let Some(folder) = o.value('C') {
        t.os.chdir(folder).map_err(|e| t.die(format_args!("can't change directory to '{folder}': {e}")))?;
    }
    if o.rest.is_empty() {
        return Err(t.die("empty archive"));
    }
    let users = Users::read(t).await;
    let own = t.os.fstat(output).map(|s| (s.dev, s.ino)).ok();
    let mut builder = tar::Builder::new(Vec::new());
    let mut links: BTreeMap<(u64, u64), String> = BTreeMap::new();
    let mut waiting: Vec<String> = o.rest.iter().rev().cloned().collect();
    let (mut failed, mut warned, mut out) = (false, false, Vec::new());
    while let Some(path) = waiting.pop() {
        t.turn(5).await;
        let stat = match if o.has('h') { t.os.stat(&path) } else { t.os.lstat(&path) } {
            Ok(stat) => stat,
            Err(e) => {
                t.warn(format_args!("{path}: {e}"));
                failed = true;
                continue;
            }
        };
        if stat.kind == FileKind::Socket || Some((stat.dev, stat.ino)) == own && output != 1 {
            continue;
        }
        let excluded = |x: &&str| glob::matches(x, &path) || glob::matches(x, base_of(&path));
        if o.values('X').iter().any(excluded) {
            continue;
        }
        if stat.kind == FileKind::Directory {
            match t.os.read_dir(&path) {
                Ok(entries) => waiting.extend(entries.iter().rev().map(|e| join(&path, &e.name))),
                Err(e) => {
                    t.warn(format_args!("{path}: {e}"));
                    failed = true;
                }
            }
        }
        let name = path.trim_start_matches('/');
        if name.len() < path.len() && !std::mem::replace(&mut warned, true) {
            t.warn("removing leading '/' from member names");
        }
        let folder = stat.kind == FileKind::Directory && !name.ends_with('/');
        let name = if folder { format!("{name}/") } else { name.to_string() };
        if name == "/" {
            continue;
        }
        if o.has('v') {
            match output {
                1 => t.complain(format_args!("{name}\n")),
                _ => t.line(&name),
            }
        }
        if let Err(why) = add(t, &mut builder, &users, &path, &name, &stat, &mut links).await {
            t.warn(format_args!("{path}: {why}"));
            failed = true;
        }
        // What is complete goes out, so that a large tree is not held; a compressed one is.
        let done = std::mem::take(builder.get_mut());
        match (o.has('z'), output) {
            (true, _) => out.extend(done),
            (false, 1) => t.print(done),
            (false, fd) => t.write_all(fd, &done).await.map_err(|e| t.die(format_args!("write error: {e}")))?,
        }
    }
    out.extend(builder.into_inner().unwrap_or_default());
    let out = if o.has('z') { deflate(&out, 6) } else { out };
    match output {
        1 => t.print(out),
        fd => t.write_all(fd, &out).await.map_err(|e| t.die(format_args!("write error: {e}")))?,
    }
    t.close(output);
    if failed {
        return Err(t.die("error exit delayed from previous errors"));
    }
    Ok(0)
}

async fn add<O: Os>(
    t: &Tool<O>,
    builder: &mut tar::Builder<Vec<u8>>,
    users: &Users,
    path: &str,
    name: &str,
    stat: &Stat,
    links: &mut BTreeMap<(u64, u64), String>,
) -> Result<(), String> {
    let mut header = Header::new_gnu();
    header.set_mode(stat.mode);
    header.set_uid(u64::from(stat.uid));
    header.set_gid(u64::from(stat.gid));
    header.set_mtime(stat.mtime.as_secs());
    header.set_entry_type(kind_of(stat));
    header.set_size(0);
    let text = |e: std::io::Error| e.to_string();
    header.set_username(users.user_name(stat.uid).unwrap_or("")).map_err(text)?;
    header.set_groupname(users.group_name(stat.gid).unwrap_or("")).map_err(text)?;
    if matches!(stat.kind, FileKind::CharDevice | FileKind::BlockDevice) {
        header.set_device_major(stat.rdev.0).map_err(text)?;
        header.set_device_minor(stat.rdev.1).map_err(text)?;
    }
    if stat.kind == FileKind::Symlink {
        let target = t.os.read_link(path).map_err(|e| e.to_string())?;
        return builder.append_link(&mut header, name, target).map_err(text);
    }
    if stat.kind == FileKind::Regular && stat.nlink > 1 {
        if let Some(first) = links.get(&(stat.dev, stat.ino)) {
            header.set_entry_type(EntryType::Link);
            return builder.append_link(&mut header, name, first).map_err(text);
        }
        links.insert((stat.dev, stat.ino), name.to_string());
    }
    let data = match stat.kind {
        FileKind::Regular => t.read_file(path).await.map_err(|e| e.to_string())?,
        _ => Vec::new(),
    };
    header.set_size(data.len() as u64);
    builder.append_data(&mut header, name, &data[..]).map_err(text)
}

/// One member, read out of the archive.
struct Member {
    name: String,
    link: String,
    kind: EntryType,
    mode: u32,
    uid: u32,
    gid: u32,
    owner: String,
    mtime: u64,
    device: (u32, u32),
    size: u64,
    data: Vec<u8>,
}

fn members(data: &[u8], contents: bool) -> (Vec<Member>, bool) {
    let mut found = Vec::new();
    let mut archive = Archive::new(data);
    let Ok(entries) = archive.entries() else { return (found, false) };
    for entry in entries {
        let Ok(mut entry) = entry else { return (found, false) };
        let header = entry.header();
        let word = |w: Result<Option<&str>, std::str::Utf8Error>, id: u32| match w {
            Ok(Some(name)) if !name.is_empty() => name.to_string(),
            _ => id.to_string(),
        };
        let (uid, gid) = (header.uid().unwrap_or(0) as u32, header.gid().unwrap_or(0) as u32);
        let device = |n: std::io::Result<Option<u32>>| n.ok().flatten().unwrap_or(0);
        let mut member = Member {
            name: String::from_utf8_lossy(&entry.path_bytes()).into_owned(),
            link: entry.link_name_bytes().map(|l| String::from_utf8_lossy(&l).into_owned()).unwrap_or_default(),
            kind: header.entry_type(),
            mode: header.mode().unwrap_or(0o644) & 0o7777,
            uid,
            gid,
            owner: format!("{}/{}", word(header.username(), uid), word(header.groupname(), gid)),
            mtime: header.mtime().unwrap_or(0),
            device: (device(header.device_major()), device(header.device_minor())),
            size: entry.size(),
            data: Vec::new(),
        };
        if contents && entry.read_to_end(&mut member.data).is_err() {
            return (found, false);
        }
        found.push(member);
    }
    (found, true)
}

async fn read<O: Os>(t: &Tool<O>, o: &Options, list: bool) -> Ending {
    let path = o.value('f').unwrap_or("-");
    let data = t.read_file(path).await.map_err(|e| t.die(format_args!("can't open '{path}': {e}")))?;
    let data = match data.starts_with(&[0x1f, 0x8b]) {
        true => inflate(&data).map_err(|why| t.die(why))?,
        false if o.has('z') => {
            t.warn("invalid magic");
            return Err(t.die("short read"));
        }
        false => data,
    };
    t.os.charge(Cost { cpu: data.len() as u64 / 256, memory: data.len() as i64 }).await;
    if let Some(folder) = o.value('C') {
        t.os.chdir(folder).map_err(|e| t.die(format_args!("can't change directory to '{folder}': {e}")))?;
    }
    let (all, whole) = members(&data, !list);
    let strip = o.value('\u{1}').map_or(Ok(0usize), |n| t.number(n))?;
    let mut folders = Vec::new();
    let mut status = 0;
    let mut wanted: BTreeMap<&str, bool> = o.rest.iter().map(|w| (w.trim_end_matches('/'), false)).collect();
    for member in &all {
        t.turn(5).await;
        let name = member.name.trim_end_matches('/');
        if !wanted.is_empty() {
            let holds = |w: &&str| name == *w || name.starts_with(&join(w, "")) || glob::matches(w, name);
            let Some(key) = wanted.keys().copied().find(|w| holds(w)) else { continue };
            wanted.insert(key, true);
        }
        if o.values('X').iter().any(|x| glob::matches(x, name) || glob::matches(x, base_of(name))) {
            continue;
        }
        if list {
            t.line(if o.has('v') { long_line(member) } else { member.name.clone() });
            continue;
        }
        if o.has('v') {
            match o.has('O') {
                true => t.complain(format_args!("{}\n", member.name)),
                false => t.line(&member.name),
            }
        }
        if o.has('O') {
            t.print(&member.data);
            continue;
        }
        if let Err(why) = extract(t, o, member, strip, &mut folders).await {
            status = t.die(why);
        }
    }
    // Folders get their times and modes last, when nothing changes them any more.
    for (path, mode, mtime) in folders.iter().rev() {
        let _ = t.os.chmod(path, *mode);
        let _ = t.os.set_times(path, None, Some(*mtime));
    }
    for (name, _) in wanted.iter().filter(|(_, seen)| !**seen) {
        status = t.die(format_args!("{name}: not found in archive"));
    }
    if !whole || all.is_empty() && data.len() < 512 {
        return Err(t.die("short read"));
    }
    Ok(status)
}

fn long_line(m: &Member) -> String {
    let kind = match m.kind {
        EntryType::Directory => FileKind::Directory,
        EntryType::Symlink => FileKind::Symlink,
        EntryType::Char => FileKind::CharDevice,
        EntryType::Block => FileKind::BlockDevice,
        EntryType::Fifo => FileKind::Fifo,
        _ => FileKind::Regular,
    };
    let time = clock::format("%Y-%m-%d %H:%M:%S", Duration::from_secs(m.mtime));
    let link = match m.kind {
        EntryType::Symlink | EntryType::Link => format!(" -> {}", m.link),
        _ => String::new(),
    };
    let letters = meta::letters(kind, m.mode);
    format!("{letters} {} {:9} {time} {}{link}", m.owner, m.size, m.name)
}

/// Whether a name stays inside: not absolute, and without `..`.
fn stays_inside(name: &str) -> bool {
    !name.starts_with('/') && !name.split('/').any(|p| p == "..")
}

/// Whether all folders above are folders, and no link leads elsewhere.
fn parents_are_real<O: Os>(t: &Tool<O>, path: &str) -> bool {
    path.match_indices('/').all(|(at, _)| {
        let part = &path[..at];
        part.is_empty() || t.os.lstat(part).map_or(true, |s| s.kind == FileKind::Directory)
    })
}

async fn extract<O: Os>(
    t: &Tool<O>,
    o: &Options,
    m: &Member,
    strip: usize,
    folders: &mut Vec<(String, u32, Duration)>,
) -> Result<(), String> {
    let name = m.name.trim_end_matches('/');
    let name = name.strip_prefix("./").unwrap_or(name);
    let parts: Vec<&str> = name.split('/').collect();
    if parts.len() <= strip || name.is_empty() {
        return Ok(());
    }
    let path = parts[strip..].join("/");
    if !stays_inside(&path) || !parents_are_real(t, &path) {
        return Err(format!("name with '..' or an absolute path or through a link is refused: {}", m.name));
    }
    let parent = folder_of(&path);
    if parent != "." {
        make_parents(&t.os, parent, 0o777).map_err(|e| format!("can't create directory '{parent}': {e}"))?;
    }
    let there = t.os.lstat(&path).ok();
    if there.as_ref().is_some_and(|s| m.kind != EntryType::Directory || s.kind != FileKind::Directory) {
        if o.has('k') {
            return Ok(());
        }
        t.os.unlink(&path).map_err(|e| format!("can't remove old file {path}: {e}"))?;
    }
    let mtime = Duration::from_secs(m.mtime);
    let failed = |e| format!("can't create '{path}': {e}");
    match m.kind {
        EntryType::Directory => {
            make_parents(&t.os, &path, 0o700).map_err(|e| format!("can't make dir {path}: {e}"))?;
            folders.push((path.clone(), m.mode, mtime));
        }
        EntryType::Symlink => {
            t.os.symlink(&m.link, &path).map_err(|e| format!("can't create symlink '{path}' to '{}': {e}", m.link))?;
        }
        EntryType::Link => {
            if !stays_inside(&m.link) || !parents_are_real(t, &m.link) {
                return Err(format!("link to a place outside is refused: {} -> {}", m.name, m.link));
            }
            t.os.link(&m.link, &path).map_err(|e| format!("can't create hardlink '{path}' to '{}': {e}", m.link))?;
            return Ok(());
        }
        EntryType::Fifo => t.os.mknod(&path, FileKind::Fifo, m.mode, (0, 0)).map_err(failed)?,
        EntryType::Char => t.os.mknod(&path, FileKind::CharDevice, m.mode, m.device).map_err(failed)?,
        EntryType::Block => t.os.mknod(&path, FileKind::BlockDevice, m.mode, m.device).map_err(failed)?,
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let flags = OpenFlags { exclusive: true, ..OpenFlags::CREATE };
            t.write_file(&path, &m.data, flags, 0o600).await.map_err(|e| format!("can't open '{path}': {e}"))?;
        }
        _ => return Ok(()),
    }
    if t.os.ids().euid == 0 && !o.has('o') {
        let _ = t.os.chown(&path, Some(m.uid), Some(m.gid), false);
    }
    if !matches!(m.kind, EntryType::Symlink | EntryType::Directory) {
        let _ = t.os.chmod(&path, m.mode);
        if !o.has('m') {
            let _ = t.os.set_times(&path, None, Some(mtime));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_are_seen() {
        for (name, inside) in [("a/b", true), ("/a", false), ("../a", false), ("a/../b", false), ("a..b", true)] {
            assert_eq!(stays_inside(name), inside, "{name}");
        }
    }

    #[test]
    fn broken_archives_are_told_not_fatal() {
        assert!(inflate(b"\x1f\x8b\x08nonsense").is_err());
        assert!(inflate(b"").is_err());
        let (found, whole) = members(&[7u8; 600], true);
        assert!(found.is_empty() && !whole);
    }
}
