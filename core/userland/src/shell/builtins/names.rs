//! Builtins about what names stand for.

use super::super::escape::single_quoted;
use super::super::simple::{DEFAULT_PATH, Kinds};
use super::super::{Flow, Run, Shell};
use crate::os::Os;
use crate::sorted::Arrange;

/// `command` and `builtin`: the command of a name, but no function.
pub(super) async fn command<O: Os>(shell: &mut Shell<O>, argv: &[String]) -> Run<i32> {
    let (flags, rest) = super::letters(shell, &argv[1..], "pvV").await?;
    let Some(name) = rest.first() else { return Ok(0) };
    if flags.iter().any(|(f, _)| *f == 'v') {
        return describe(shell, rest, false).await;
    }
    if flags.iter().any(|(f, _)| *f == 'V') {
        return describe(shell, rest, true).await;
    }
    if super::exists(name) {
        shell.speaker = Some(name.clone());
        let run: super::super::Fut<'_, Run<i32>> = Box::pin(super::run(shell, rest));
        return match run.await {
            // `command` takes from a special builtin that its errors end the script.
            Err(Flow::Fail(status)) => Ok(status),
            other => other,
        };
    }
    if argv[0] == "builtin" {
        return shell.fail(&format!("{name}: not a shell builtin"), 1).await;
    }
    shell.speaker = None;
    let before = shell.variables.get("PATH").map(str::to_string);
    if flags.iter().any(|(f, _)| *f == 'p') {
        let _ = shell.variables.set("PATH", DEFAULT_PATH);
    }
    let words = rest.to_vec();
    let place = super::super::jobs::Place::Job { group: None, background: false, first: true };
    let child = shell.fork(place, move |mut shell| Box::pin(async move { shell.exec_program(&words).await }));
    let status = match child {
        Ok(pid) => Ok(shell.wait_for(pid).await),
        Err(error) => shell.fail(&format!("can't fork: {error}"), 2).await,
    };
    if let Some(path) = before {
        let _ = shell.variables.set("PATH", path);
    }
    if shell.options.monitor {
        let _ = shell.os.set_foreground_group(crate::io::STDIN, shell.os.process_group());
    }
    status
}

pub(super) async fn type_<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let (flags, rest) = super::letters(shell, args, "tpPaf").await?;
    if !flags.iter().any(|(f, _)| matches!(f, 't' | 'p' | 'P')) {
        return describe(shell, rest, true).await;
    }
    let mut status = 0;
    for name in rest {
        let kind = shell.kind_of(name);
        let text = match (&kind, flags[0].0) {
            (None, _) => {
                status = 1;
                continue;
            }
            (Some(Kinds::File(path)), 'p' | 'P') => path.clone(),
            (Some(_), 'p' | 'P') => continue,
            (Some(Kinds::Alias), _) => "alias".to_string(),
            (Some(Kinds::Keyword), _) => "keyword".to_string(),
            (Some(Kinds::Function), _) => "function".to_string(),
            (Some(Kinds::Builtin { .. }), _) => "builtin".to_string(),
            (Some(Kinds::File(_)), _) => "file".to_string(),
        };
        shell.print(&(text + "\n")).await;
    }
    Ok(status)
}

async fn describe<O: Os>(shell: &mut Shell<O>, words: &[String], long: bool) -> Run<i32> {
    let mut status = 0;
    let mut found = false;
    for name in words {
        let alias = shell.aliases.get(name).cloned().unwrap_or_default();
        let kind = shell.kind_of(name);
        found |= kind.is_some();
        let text = match (kind, long) {
            (None, true) => {
                shell.print(&format!("{name}: not found\n")).await;
                status = 127;
                continue;
            }
            (None, false) => {
                status = 127;
                continue;
            }
            (Some(Kinds::Alias), true) => format!("{name} is an alias for {alias}"),
            (Some(Kinds::Alias), false) => format!("alias {name}={}", single_quoted(&alias)),
            (Some(Kinds::Keyword), true) => format!("{name} is a shell keyword"),
            (Some(Kinds::Function), true) => format!("{name} is a function"),
            (Some(Kinds::Builtin { special: true }), true) => format!("{name} is a special shell builtin"),
            (Some(Kinds::Builtin { special: false }), true) => format!("{name} is a shell builtin"),
            (Some(Kinds::File(path)), true) => format!("{name} is {path}"),
            (Some(Kinds::File(path)), false) => path,
            (Some(_), false) => name.clone(),
        };
        shell.print(&(text + "\n")).await;
    }
    // `command -v` succeeds where it finds anything.
    Ok(if found && !long { 0 } else { status })
}

/// Nothing is remembered between commands, so there is only the question whether a name is found.
pub(super) async fn hash<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let (_, rest) = super::letters(shell, args, "r").await?;
    let mut status = 0;
    for name in rest {
        if shell.kind_of(name).is_none() {
            shell.complain(&format!("{name}: not found")).await;
            status = 1;
        }
    }
    Ok(status)
}

pub(super) async fn alias<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let mut status = 0;
    if args.is_empty() {
        let all: String = shell.aliases.iter().map(|(n, v)| format!("{n}={}\n", single_quoted(v))).collect();
        return Ok(shell.print(&all).await);
    }
    for word in args {
        if let Some((name, value)) = word.split_once('=').filter(|(name, _)| !name.is_empty()) {
            shell.aliases.insert(name.to_string(), value.to_string());
        } else if let Some(value) = shell.aliases.get(word) {
            let text = format!("{word}={}\n", single_quoted(value));
            shell.print(&text).await;
        } else {
            crate::io::eprint(&shell.os, &format!("alias: {word} not found")).await;
            status = 1;
        }
    }
    Ok(status)
}

pub(super) async fn unalias<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let (flags, rest) = super::letters(shell, args, "a").await?;
    if !flags.is_empty() {
        shell.aliases.clear();
    }
    let mut status = 0;
    for name in rest {
        if shell.aliases.remove(name).is_none() {
            crate::io::eprint(&shell.os, &format!("unalias: {name} not found")).await;
            status = 1;
        }
    }
    Ok(status)
}

pub(super) async fn help<O: Os>(shell: &mut Shell<O>) -> Run<i32> {
    let mut names: Vec<&str> = super::names().collect();
    names.arrange();
    let text = format!("Built-in commands:\n------------------\n\t{}\n", names.join(" "));
    Ok(shell.print(&text).await)
}

pub(super) async fn history<O: Os>(shell: &mut Shell<O>) -> Run<i32> {
    let lines: String = shell.history.iter().enumerate().map(|(i, line)| format!("{:5}  {line}\n", i + 1)).collect();
    Ok(shell.print(&lines).await)
}
