//! Builtins about children and signals.

use super::super::escape::single_quoted;
use super::super::jobs::JobState;
use super::super::{Run, Shell};
use crate::os::{Disposition, Os, Pid, Signal};

pub(super) async fn trap<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let mut rest = args;
    if rest.first().is_some_and(|word| word == "--" || word == "-p") {
        rest = &rest[1..];
    }
    if rest.first().is_some_and(|word| word == "-l") {
        return list_signals(shell).await;
    }
    if rest.is_empty() {
        let name = |n: u8| if n == 0 { "EXIT".to_string() } else { Signal(n).name() };
        let line = |(n, action): (&u8, &String)| format!("trap -- {} {}\n", single_quoted(action), name(*n));
        let text: String = shell.traps.iter().map(line).collect();
        return Ok(shell.print(&text).await);
    }
    // With one word only, or a number first, the signals are reset.
    let resets = rest.len() == 1 || rest[0].parse::<u8>().is_ok();
    let (action, signals) = if resets { ("-", rest) } else { (rest[0].as_str(), &rest[1..]) };
    let mut status = 0;
    for word in signals {
        let signal = if word.eq_ignore_ascii_case("EXIT") { Some(Signal(0)) } else { Signal::parse(word) };
        let Some(signal) = signal else {
            if matches!(word.as_str(), "ERR" | "DEBUG" | "RETURN") && shell.bash {
                continue;
            }
            shell.complain(&format!("{word}: invalid signal specification")).await;
            status = 1;
            continue;
        };
        set_trap(shell, signal, action);
    }
    Ok(status)
}

fn set_trap<O: Os>(shell: &mut Shell<O>, signal: Signal, action: &str) {
    if shell.ignored.contains(&signal.0) {
        return;
    }
    let disposition = match action {
        "-" => {
            shell.traps.remove(&signal.0);
            if shell.interactive { super::super::interactive::disposition(signal) } else { Disposition::Default }
        }
        "" => {
            shell.traps.insert(signal.0, String::new());
            Disposition::Ignore
        }
        action => {
            shell.traps.insert(signal.0, action.to_string());
            Disposition::Catch
        }
    };
    if signal.0 != 0 {
        let _ = shell.os.sigaction(signal, disposition);
    }
}

pub(super) async fn times<O: Os>(shell: &mut Shell<O>) -> Run<i32> {
    let ((user, system), (child_user, child_system)) = shell.os.times();
    let show = |t: std::time::Duration| format!("{}m{}.{:03}s", t.as_secs() / 60, t.as_secs() % 60, t.subsec_millis());
    let text = format!("{} {}\n{} {}\n", show(user), show(system), show(child_user), show(child_system));
    Ok(shell.print(&text).await)
}

pub(super) async fn wait<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let (flags, rest) = super::letters(shell, args, "nf").await?;
    if rest.is_empty() {
        let any = flags.iter().any(|(f, _)| *f == 'n');
        return match shell.wait_all(any).await? {
            Some(status) => Ok(status),
            None => interrupted(shell).await,
        };
    }
    let mut status = 0;
    for word in rest {
        let pid = if word.starts_with('%') {
            shell.jobs.named(word).and_then(|number| shell.jobs.last_process(number))
        } else {
            match word.parse::<Pid>() {
                Ok(pid) => Some(pid),
                Err(_) => return shell.fail(&format!("Illegal number: {word}"), 2).await,
            }
        };
        status = match pid {
            None => 127,
            Some(pid) => match shell.wait_child(pid).await? {
                Some(status) => status,
                None => return interrupted(shell).await,
            },
        };
    }
    Ok(status)
}

/// A trap cut `wait` short: it has run when `wait` returns above 128.
async fn interrupted<O: Os>(shell: &mut Shell<O>) -> Run<i32> {
    let mut status = 130;
    while let Some(signal) = shell.os.take_signal() {
        status = 128 + i32::from(signal.0);
        match shell.traps.get(&signal.0).cloned() {
            Some(action) => {
                let line = shell.line;
                shell.run_text(&action, line, false).await?;
            }
            None if signal == Signal::INT && shell.interactive => return Err(super::super::Flow::Interrupt),
            None => {}
        }
    }
    Ok(status)
}

pub(super) async fn jobs<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let (flags, rest) = super::letters(shell, args, "lprs").await?;
    let has = |flag: char| flags.iter().any(|(f, _)| *f == flag);
    shell.reap().await;
    let mut numbers = shell.jobs.numbers();
    if let Some(name) = rest.first() {
        match shell.jobs.named(name) {
            Some(number) => numbers = vec![number],
            None => return shell.fail(&format!("{name}: no such job"), 2).await,
        }
    }
    let mut text = String::new();
    for number in numbers {
        let state = shell.jobs.state(number);
        let running = state == Some(JobState::Running);
        // A subshell does not see the job that it is itself.
        let unborn = shell.jobs.group(number).is_none();
        if unborn || (has('r') && !running) || (has('s') && !matches!(state, Some(JobState::Stopped(_)))) {
            continue;
        }
        text.push_str(&match has('p') {
            true => format!("{}\n", shell.jobs.group(number).unwrap_or(0)),
            false => shell.jobs.line(number, has('l')),
        });
    }
    let status = shell.print(&text).await;
    shell.forget_ended();
    Ok(status)
}

/// `fg` and `bg`.
pub(super) async fn resume<O: Os>(shell: &mut Shell<O>, args: &[String], foreground: bool) -> Run<i32> {
    if !shell.options.monitor {
        return shell.fail("job control is disabled", 2).await;
    }
    shell.reap().await;
    let name = args.first().map_or("%+", String::as_str);
    let Some(number) = shell.jobs.named(name) else {
        let name = args.first().map_or("current", String::as_str);
        return shell.fail(&format!("{name}: no such job"), 2).await;
    };
    let text = shell.jobs.text(number);
    let line = if foreground { format!("{text}\n") } else { format!("[{number}] {text}\n") };
    shell.print(&line).await;
    shell.status = 0;
    shell.resume(number, foreground).await?;
    Ok(shell.status)
}

pub(super) async fn kill<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let mut signal = Signal::TERM;
    let mut rest = args;
    match args.first().map(String::as_str) {
        Some("-l" | "-L") => return name_signals(shell, &args[1..]).await,
        Some("--") => rest = &args[1..],
        Some("-s" | "-n") if args.len() > 1 => {
            signal = match Signal::parse(&args[1]) {
                Some(signal) => signal,
                None => return bad_signal(shell, &args[1]).await,
            };
            rest = &args[2..];
        }
        Some(word) if word.len() > 1 && word.starts_with('-') => {
            signal = match Signal::parse(&word[1..]) {
                Some(signal) => signal,
                None => return bad_signal(shell, &word[1..]).await,
            };
            rest = &args[1..];
        }
        _ => {}
    }
    if rest.first().is_some_and(|word| word == "--") {
        rest = &rest[1..];
    }
    if rest.is_empty() {
        crate::io::eprint(&shell.os, &format!("{}: you need to specify whom to kill", shell.name)).await;
        return Ok(1);
    }
    let mut status = 0;
    for word in rest {
        let pid = if word.starts_with('%') {
            shell
                .jobs
                .named(word)
                .and_then(|number| shell.jobs.group(number))
                .map(|g| if shell.options.monitor { -g } else { g })
        } else {
            word.parse::<Pid>().ok()
        };
        let Some(pid) = pid else {
            crate::io::eprint(&shell.os, &format!("{}: invalid number '{word}'", shell.name)).await;
            status = 1;
            continue;
        };
        if let Err(error) = shell.os.kill(pid, signal) {
            crate::io::eprint(&shell.os, &format!("{}: can't kill pid {pid}: {error}", shell.name)).await;
            status = 1;
        } else if pid < 0 && matches!(signal, Signal::TERM | Signal::HUP) {
            // A stopped job must wake to see it.
            let _ = shell.os.kill(pid, Signal::CONT);
        }
    }
    Ok(status)
}

async fn bad_signal<O: Os>(shell: &mut Shell<O>, name: &str) -> Run<i32> {
    crate::io::eprint(&shell.os, &format!("{}: bad signal name '{name}'", shell.name)).await;
    Ok(1)
}

async fn list_signals<O: Os>(shell: &mut Shell<O>) -> Run<i32> {
    let text: String = (1..32).map(|n| format!("{n:2}) {}\n", Signal(n).name())).collect();
    Ok(shell.print(&text).await)
}

/// `kill -l`: all names, or what a number or name stands for.
async fn name_signals<O: Os>(shell: &mut Shell<O>, words: &[String]) -> Run<i32> {
    if words.is_empty() {
        return list_signals(shell).await;
    }
    for word in words {
        let text = match word.parse::<i32>() {
            // An exit status says by 128 and more which signal it was.
            Ok(number) => Signal((number & 127) as u8).name(),
            Err(_) => match Signal::parse(word) {
                Some(signal) => signal.0.to_string(),
                None => return bad_signal(shell, word).await,
            },
        };
        shell.print(&(text + "\n")).await;
    }
    Ok(0)
}
