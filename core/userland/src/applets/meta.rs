//! What files are besides their bytes: `chmod`, `chown`, `chgrp`, `stat`.

use super::files::join;
use super::users::Users;
use super::{Ending, Tool, clock};
use crate::os::{FileKind, Os, Stat};
use std::time::Duration;

/// Reads a mode, octal or symbolic (`u+x,go=r`), over the `old` one. `None` for anything else.
pub fn parse_mode(text: &str, old: u32, folder: bool, umask: u32) -> Option<u32> {
    if text.bytes().next()?.is_ascii_digit() {
        return u32::from_str_radix(text, 8).ok().filter(|m| *m <= 0o7777);
    }
    let mut mode = old;
    for clause in text.split(',') {
        mode = symbolic(clause, mode, folder, umask)?;
    }
    Some(mode)
}

fn symbolic(clause: &str, old: u32, folder: bool, umask: u32) -> Option<u32> {
    let start = clause.find(['+', '-', '='])?;
    let mut who = 0;
    for c in clause[..start].chars() {
        who |= match c {
            'u' => 0o4700,
            'g' => 0o2070,
            'o' => 0o1007,
            'a' => 0o7777,
            _ => return None,
        };
    }
    // Without a "who" it is all, but for what the mask takes.
    let (who, allowed) = if who == 0 { (0o7777, !umask) } else { (who, !0) };
    let mut mode = old;
    let mut rest = &clause[start..];
    while let Some(op) = rest.chars().next() {
        let end = rest[1..].find(['+', '-', '=']).map_or(rest.len(), |at| at + 1);
        let mut bits = 0;
        for c in rest[1..end].chars() {
            bits |= match c {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if folder || mode & 0o111 != 0 => 0o111,
                'X' => 0,
                's' => 0o6000,
                't' => 0o1000,
                'u' => (mode >> 6 & 7) * 0o111,
                'g' => (mode >> 3 & 7) * 0o111,
                'o' => (mode & 7) * 0o111,
                _ => return None,
            };
        }
        let who = if bits & 0o1000 != 0 { who | 0o1000 } else { who };
        let bits = bits & who & allowed;
        mode = match op {
            '+' => mode | bits,
            '-' => mode & !bits,
            // On a folder, `=` keeps the set-id bits unless they are named.
            _ => mode & !(who & 0o777 | if folder { 0 } else { who & 0o7000 }) | bits,
        };
        rest = &rest[end..];
    }
    Some(mode)
}

/// The ten letters of `ls -l`.
pub fn letters(kind: FileKind, mode: u32) -> String {
    let mut text = String::from(match kind {
        FileKind::Regular => "-",
        FileKind::Directory => "d",
        FileKind::Symlink => "l",
        FileKind::CharDevice => "c",
        FileKind::BlockDevice => "b",
        FileKind::Fifo => "p",
        FileKind::Socket => "s",
    });
    for (shift, special, with, without) in [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => with,
            (true, false) => without,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

pub async fn chmod<O: Os>(t: &Tool<O>) -> Ending {
    // A mode may begin with a minus: `chmod -x f`.
    let mut words = t.args.clone();
    let minus = |w: &String| w.len() > 1 && w.starts_with('-') && w[1..].chars().all(|c| "rwxXst,+-=ugoa".contains(c));
    if let Some(at) = words.iter().position(minus) {
        words.insert(at, "--".to_string());
    }
    let o = t.options_of(&words, "Rvcf", &[("recursive", 'R')])?;
    let [text, paths @ ..] = &o.rest[..] else { return Err(t.usage()) };
    if paths.is_empty() {
        return Err(t.usage());
    }
    let umask = t.os.umask(0);
    t.os.umask(umask);
    if parse_mode(text, 0, false, 0).is_none() {
        return Err(t.die(format_args!("invalid mode '{text}'")));
    }
    let (mut status, mut waiting) = (0, paths.iter().rev().map(|p| (p.clone(), true)).collect::<Vec<_>>());
    while let Some((path, named)) = waiting.pop() {
        t.turn(2).await;
        let changed = match t.os.lstat(&path) {
            // A link that was met on the way down is left alone.
            Ok(stat) if stat.kind == FileKind::Symlink && !named => continue,
            Ok(_) => t.os.stat(&path).and_then(|stat| {
                let folder = stat.kind == FileKind::Directory;
                t.os.chmod(&path, parse_mode(text, stat.mode, folder, umask).unwrap_or(stat.mode))?;
                Ok(folder)
            }),
            Err(e) => Err(e),
        };
        match changed {
            Ok(true) if o.has('R') => match t.os.read_dir(&path) {
                Ok(entries) => waiting.extend(entries.iter().rev().map(|e| (join(&path, &e.name), false))),
                Err(e) => status = t.die(format_args!("{path}: {e}")),
            },
            Ok(_) => {}
            Err(_) if o.has('f') => status = 1,
            Err(e) => status = t.die(format_args!("{path}: {e}")),
        }
    }
    Ok(status)
}

pub async fn chown<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("RhvcfLHP", &[("recursive", 'R'), ("no-dereference", 'h')])?;
    let [owner, paths @ ..] = &o.rest[..] else { return Err(t.usage()) };
    if paths.is_empty() {
        return Err(t.usage());
    }
    let users = Users::read(t).await;
    let group_of = |g: &str| users.gid_of(g).ok_or_else(|| t.die(format_args!("unknown group {g}")));
    let (uid, gid) = if t.name == "chgrp" {
        (None, Some(group_of(owner)?))
    } else {
        let (user, group) = match owner.split_once([':', '.']) {
            Some((user, group)) if users.user(owner).is_none() => (user, Some(group)),
            _ => (owner.as_str(), None),
        };
        let uid = match user {
            "" => None,
            user => Some(users.uid_of(user).ok_or_else(|| t.die(format_args!("unknown user {user}")))?),
        };
        let gid = match group {
            None => None,
            // `user:` means the user's own group.
            Some("") => users.user(user).map(|u| u.gid),
            Some(group) => Some(group_of(group)?),
        };
        (uid, gid)
    };
    let (mut status, mut waiting) = (0, paths.iter().rev().cloned().collect::<Vec<_>>());
    while let Some(path) = waiting.pop() {
        t.turn(2).await;
        let follow = !o.has('h') && !o.has('R');
        if let Err(e) = t.os.chown(&path, uid, gid, follow) {
            status = t.die(format_args!("{path}: {e}"));
        }
        if o.has('R') && t.os.lstat(&path).is_ok_and(|s| s.kind == FileKind::Directory) {
            match t.os.read_dir(&path) {
                Ok(entries) => waiting.extend(entries.iter().rev().map(|e| join(&path, &e.name))),
                Err(e) => status = t.die(format_args!("{path}: {e}")),
            }
        }
    }
    Ok(status)
}

fn kind_name(stat: &Stat) -> &'static str {
    match stat.kind {
        FileKind::Regular if stat.size == 0 => "regular empty file",
        FileKind::Regular => "regular file",
        FileKind::Directory => "directory",
        FileKind::Symlink => "symbolic link",
        FileKind::CharDevice => "character special file",
        FileKind::BlockDevice => "block special file",
        FileKind::Fifo => "fifo",
        FileKind::Socket => "socket",
    }
}

/// The bits of the file's kind in `st_mode`.
fn kind_bits(kind: FileKind) -> u32 {
    match kind {
        FileKind::Fifo => 0o010000,
        FileKind::CharDevice => 0o020000,
        FileKind::Directory => 0o040000,
        FileKind::BlockDevice => 0o060000,
        FileKind::Regular => 0o100000,
        FileKind::Symlink => 0o120000,
        FileKind::Socket => 0o140000,
    }
}

fn stamp(time: Duration) -> String {
    clock::format("%Y-%m-%d %H:%M:%S.%N %z", time)
}

fn stat_field<O: Os>(t: &Tool<O>, users: &Users, path: &str, s: &Stat, letter: char) -> String {
    match letter {
        'n' => path.to_string(),
        'N' => match t.os.read_link(path) {
            Ok(target) if s.kind == FileKind::Symlink => format!("'{path}' -> '{target}'"),
            _ => path.to_string(),
        },
        'a' => format!("{:o}", s.mode),
        'A' => letters(s.kind, s.mode),
        'f' => format!("{:x}", s.mode | kind_bits(s.kind)),
        'F' => kind_name(s).to_string(),
        'u' => s.uid.to_string(),
        'U' => users.user_name(s.uid).unwrap_or("UNKNOWN").to_string(),
        'g' => s.gid.to_string(),
        'G' => users.group_name(s.gid).unwrap_or("UNKNOWN").to_string(),
        's' => s.size.to_string(),
        'b' => s.blocks.to_string(),
        'B' => "512".to_string(),
        'o' => "4096".to_string(),
        'h' => s.nlink.to_string(),
        'i' => s.ino.to_string(),
        'd' => s.dev.to_string(),
        'D' => format!("{:x}", s.dev),
        't' => format!("{:x}", s.rdev.0),
        'T' => format!("{:x}", s.rdev.1),
        'x' => stamp(s.atime),
        'X' => s.atime.as_secs().to_string(),
        'y' => stamp(s.mtime),
        'Y' => s.mtime.as_secs().to_string(),
        'z' => stamp(s.ctime),
        'Z' => s.ctime.as_secs().to_string(),
        'm' => "/".to_string(),
        '%' => "%".to_string(),
        other => format!("%{other}"),
    }
}

const LONG: &str = "  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\n\
Device: %Dh/%dd\tInode: %-10i  Links: %-5h";

pub async fn stat<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("Lfc:t", &[("format", 'c'), ("dereference", 'L')])?;
    if o.rest.is_empty() {
        return Err(t.usage());
    }
    let users = Users::read(t).await;
    let mut status = 0;
    for path in &o.rest {
        if o.has('f') {
            status |= file_system(t, path, o.value('c'));
            continue;
        }
        let found = if o.has('L') { t.os.stat(path) } else { t.os.lstat(path) };
        let s = match found {
            Ok(s) => s,
            Err(e) => {
                status = t.die(format_args!("can't stat '{path}': {e}"));
                continue;
            }
        };
        let fill = |pattern: &str| fill(pattern, &|letter| stat_field(t, &users, path, &s, letter));
        match o.value('c') {
            Some(pattern) => t.line(fill(pattern)),
            None if o.has('t') => t.line(fill("%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %o")),
            None => {
                let device = matches!(s.kind, FileKind::CharDevice | FileKind::BlockDevice);
                let tail = if device { " Device type: %t,%T" } else { "" };
                t.print(fill(&format!("  File: %N\n{LONG}{tail}\n")).replace("Links: 1    \n", "Links: 1\n"));
                t.print(fill(
                    "Access: (%04a/%A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\nAccess: %x\nModify: %y\nChange: %z\n",
                ));
            }
        }
    }
    Ok(status)
}

/// Replaces `%x`, with flags and width, by what `field` gives for the letter.
fn fill(pattern: &str, field: &dyn Fn(char) -> String) -> String {
    let (mut out, mut at) = (Vec::new(), 0);
    let bytes = pattern.as_bytes();
    while at < bytes.len() {
        if bytes[at] != b'%' || at + 1 == bytes.len() {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        let (spec, length) = super::printf::Spec::parse(&bytes[at + 1..], || 0);
        let Some(letter) = pattern[at + 1 + length..].chars().next() else {
            out.extend_from_slice(&bytes[at..]);
            break;
        };
        let mut text = field(letter);
        if let (true, Some(width)) = (spec.zero, spec.width) {
            text = format!("{text:0>width$}");
        }
        out.extend(spec.text(text.as_bytes()));
        at += 1 + length + letter.len_utf8();
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn file_system<O: Os>(t: &Tool<O>, path: &str, pattern: Option<&str>) -> i32 {
    let s = match t.os.statfs(path) {
        Ok(s) => s,
        Err(e) => return t.die(format_args!("can't read file system information for '{path}': {e}")),
    };
    let field = |letter| match letter {
        'n' => path.to_string(),
        'T' => s.kind.clone(),
        'b' => s.blocks.to_string(),
        'f' => s.free.to_string(),
        'a' => s.available.to_string(),
        's' | 'S' => s.block_size.to_string(),
        'c' => s.inodes.to_string(),
        'd' => s.inodes_free.to_string(),
        'l' => "255".to_string(),
        'i' => "0".to_string(),
        other => format!("%{other}"),
    };
    let long = "  File: \"%n\"\n    ID: %-8i Namelen: %-7l Type: %T\nBlock size: %-10s\n\
                Blocks: Total: %-10b Free: %-10f Available: %a\nInodes: Total: %-10c Free: %d";
    t.line(fill(pattern.unwrap_or(long), &field));
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_in_letters_and_numbers() {
        for (text, old, want) in [
            ("755", 0, Some(0o755)),
            ("u+x", 0o644, Some(0o744)),
            ("+x", 0o644, Some(0o755)),
            ("go-rw,u=rx", 0o666, Some(0o500)),
            ("a=r", 0o777, Some(0o444)),
            ("u+s", 0o755, Some(0o4755)),
            ("+t", 0o777, Some(0o1777)),
            ("g=u", 0o640, Some(0o660)),
            ("+X", 0o644, Some(0o644)),
            ("999", 0, None),
            ("q+x", 0, None),
            ("", 0, None),
        ] {
            assert_eq!(parse_mode(text, old, false, 0o022), want, "{text}");
        }
        assert_eq!(letters(FileKind::Directory, 0o1777), "drwxrwxrwt");
        assert_eq!(letters(FileKind::Regular, 0o4755), "-rwsr-xr-x");
    }
}
