//! Builtins about the working directory and what a process may do.

use super::super::{Run, Shell};
use crate::os::{FileKind, Limit, LimitPair, Os};

/// Takes `.` and `..` out of an absolute path, as the shell counts them: by name, not by link.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

pub(super) async fn cd<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let (mut physical, mut rest) = (false, args);
    while let Some(word) = rest.first().filter(|w| matches!(w.as_str(), "-P" | "-L" | "--")) {
        physical = word == "-P" || (physical && word != "-L");
        rest = &rest[1..];
    }
    let (target, mut show) = match rest.first().map(String::as_str) {
        None => match shell.variables.get("HOME") {
            Some(home) => (home.to_string(), false),
            None => return shell.fail("HOME not set", 2).await,
        },
        Some("-") => match shell.variables.get("OLDPWD") {
            Some(before) => (before.to_string(), true),
            None => return shell.fail("OLDPWD not set", 2).await,
        },
        Some(path) => (path.to_string(), false),
    };
    if target.is_empty() {
        return Ok(0);
    }
    let mut path = target.clone();
    let relative = !target.starts_with('/')
        && !target.starts_with("./")
        && !target.starts_with("../")
        && target != "."
        && target != "..";
    if let Some(folders) = shell.variables.get("CDPATH").filter(|_| relative).map(str::to_string) {
        for folder in folders.split(':') {
            let full = if folder.is_empty() { target.clone() } else { format!("{folder}/{target}") };
            if shell.os.stat(&full).is_ok_and(|s| s.kind == FileKind::Directory) {
                show |= !folder.is_empty();
                path = full;
                break;
            }
        }
    }
    go(shell, &path, &target, physical).await?;
    if show {
        let here = shell.variables.get("PWD").unwrap_or("").to_string();
        shell.print(&(here + "\n")).await;
    }
    Ok(0)
}

async fn go<O: Os>(shell: &mut Shell<O>, path: &str, shown: &str, physical: bool) -> Run<()> {
    let before = match shell.variables.get("PWD") {
        Some(pwd) => pwd.to_string(),
        None => shell.os.cwd().unwrap_or_default(),
    };
    let absolute = if path.starts_with('/') { path.to_string() } else { format!("{before}/{path}") };
    let logical = normal(&absolute);
    let result =
        if physical { shell.os.chdir(path) } else { shell.os.chdir(&logical).or_else(|_| shell.os.chdir(path)) };
    if let Err(error) = result {
        return match shell.bash {
            true => shell.fail(&format!("{shown}: {error}"), 1).await,
            false => shell.fail(&format!("can't cd to {shown}: {error}"), 2).await,
        };
    }
    let here = if physical { shell.os.cwd().unwrap_or(logical) } else { logical };
    shell.assign("OLDPWD", before).await?;
    shell.assign("PWD", here).await?;
    shell.variables.entry("OLDPWD").exported = true;
    Ok(())
}

pub(super) async fn pwd<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let (flags, _) = super::letters(shell, args, "PL").await?;
    let logical =
        shell.variables.get("PWD").filter(|_| flags.last().is_none_or(|(f, _)| *f != 'P')).map(str::to_string);
    let same = |path: &str| match (shell.os.stat(path), shell.os.stat(".")) {
        (Ok(a), Ok(b)) => (a.dev, a.ino) == (b.dev, b.ino),
        _ => false,
    };
    let here = match logical.filter(|path| path.starts_with('/') && same(path)) {
        Some(path) => path,
        None => match shell.os.cwd() {
            Ok(path) => path,
            Err(error) => return shell.fail(&format!("getcwd: {error}"), 1).await,
        },
    };
    Ok(shell.print(&(here + "\n")).await)
}

/// `pushd`, `popd` and `dirs`: a stack of folders whose top is where one is.
pub(super) async fn folders<O: Os>(shell: &mut Shell<O>, argv: &[String]) -> Run<i32> {
    let here = shell.variables.get("PWD").unwrap_or("/").to_string();
    match (argv[0].as_str(), argv.get(1)) {
        ("pushd", Some(path)) => {
            go(shell, path, path, false).await?;
            shell.folders.push(here);
        }
        ("pushd", None) | ("popd", _) => {
            let Some(top) = shell.folders.pop() else {
                return shell.fail("directory stack empty", 1).await;
            };
            go(shell, &top, &top, false).await?;
            if argv[0] == "pushd" {
                shell.folders.push(here);
            }
        }
        _ => {}
    }
    let mut stack = vec![shell.variables.get("PWD").unwrap_or("/").to_string()];
    stack.extend(shell.folders.iter().rev().cloned());
    let home = shell.variables.get("HOME").unwrap_or("").to_string();
    let short = |path: &String| match path.strip_prefix(&home).filter(|_| home.len() > 1) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("~{rest}"),
        _ => path.clone(),
    };
    let text = stack.iter().map(short).collect::<Vec<_>>().join(" ");
    Ok(shell.print(&(text + "\n")).await)
}

pub(super) async fn umask<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let (flags, rest) = super::letters(shell, args, "Sp").await?;
    let mask = shell.os.umask(0);
    shell.os.umask(mask);
    let Some(text) = rest.first() else {
        let text = if flags.iter().any(|(f, _)| *f == 'S') {
            let part = |shift: u32| {
                let allowed = !(mask >> shift) & 7;
                [(4, 'r'), (2, 'w'), (1, 'x')]
                    .iter()
                    .filter(|(bit, _)| allowed & bit != 0)
                    .map(|(_, c)| *c)
                    .collect::<String>()
            };
            format!("u={},g={},o={}\n", part(6), part(3), part(0))
        } else {
            format!("{mask:04o}\n")
        };
        return Ok(shell.print(&text).await);
    };
    let new = match u32::from_str_radix(text, 8) {
        Ok(new) if new <= 0o777 => Some(new),
        Ok(_) => None,
        Err(_) => symbolic_mask(text, mask),
    };
    match new {
        Some(new) => {
            shell.os.umask(new);
            Ok(0)
        }
        None => shell.fail(&format!("illegal mode: {text}"), 2).await,
    }
}

/// `u=rwx,g-w`: who is allowed what, turned into a mask.
fn symbolic_mask(text: &str, mask: u32) -> Option<u32> {
    let mut allowed = !mask & 0o777;
    for clause in text.split(',') {
        let at = clause.find(['=', '+', '-'])?;
        let who = &clause[..at];
        let bits = clause[at + 1..].chars().try_fold(0, |bits, c| {
            Some(
                bits | match c {
                    'r' => 4,
                    'w' => 2,
                    'x' => 1,
                    _ => return None,
                },
            )
        })?;
        for (letter, shift) in [('u', 6), ('g', 3), ('o', 0)] {
            if !(who.is_empty() || who.contains('a') || who.contains(letter)) {
                continue;
            }
            match &clause[at..=at] {
                "=" => allowed = allowed & !(7 << shift) | bits << shift,
                "+" => allowed |= bits << shift,
                _ => allowed &= !(bits << shift),
            }
        }
    }
    Some(!allowed & 0o777)
}

/// Letter, limit, bytes to a unit, what it is called.
const LIMITS: &[(char, Limit, u64, &str)] = &[
    ('c', Limit::Core, 512, "core file size (blocks)        "),
    ('d', Limit::Data, 1024, "data seg size (kb)             "),
    ('f', Limit::FileSize, 512, "file size (blocks)             "),
    ('l', Limit::LockedMemory, 1024, "max locked memory (kb)         "),
    ('m', Limit::Rss, 1024, "max memory size (kb)           "),
    ('n', Limit::OpenFiles, 1, "open files                     "),
    ('s', Limit::Stack, 1024, "stack size (kb)                "),
    ('t', Limit::Cpu, 1, "cpu time (seconds)             "),
    ('u', Limit::Processes, 1, "max user processes             "),
    ('v', Limit::AddressSpace, 1024, "virtual memory (kb)            "),
];

pub(super) async fn ulimit<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let (flags, rest) = super::letters(shell, args, "HSacdflmnstuv").await?;
    let has = |flag: char| flags.iter().any(|(f, _)| *f == flag);
    let hard = has('H');
    let show = |value: Option<u64>, unit: u64| value.map_or("unlimited".to_string(), |n| (n / unit).to_string());
    if has('a') {
        let mut text = String::new();
        for (letter, limit, unit, name) in LIMITS {
            if let Ok(pair) = shell.os.limit(*limit) {
                let value = if hard { pair.hard } else { pair.soft };
                text.push_str(&format!("{name} (-{letter}) {}\n", show(value, *unit)));
            }
        }
        return Ok(shell.print(&text).await);
    }
    let chosen = LIMITS.iter().find(|(letter, ..)| has(*letter)).unwrap_or(&LIMITS[2]);
    let (_, limit, unit, _) = chosen;
    let pair = match shell.os.limit(*limit) {
        Ok(pair) => pair,
        Err(error) => return shell.fail(&format!("getrlimit: {error}"), 1).await,
    };
    let Some(text) = rest.first() else {
        let value = if hard { pair.hard } else { pair.soft };
        return Ok(shell.print(&(show(value, *unit) + "\n")).await);
    };
    let value = if text == "unlimited" {
        None
    } else {
        match text.parse::<u64>().ok().and_then(|n| n.checked_mul(*unit)) {
            Some(n) => Some(n),
            None => return shell.fail(&format!("bad number '{text}'"), 1).await,
        }
    };
    let both = has('H') == has('S');
    let pair = LimitPair {
        soft: if both || has('S') { value } else { pair.soft },
        hard: if both || has('H') { value } else { pair.hard },
    };
    match shell.os.set_limit(*limit, pair) {
        Ok(()) => Ok(0),
        Err(error) => shell.fail(&format!("error setting limit: {error}"), 1).await,
    }
}
