//! Tools that start other programs: `env`, `nohup`, `nice`, `timeout`, `time`, `setsid`, `chroot`, `su`,
//! and `docker-init`, the first process of containers with `--init`.

use super::users::Users;
use super::{Ending, Tool, basics};
use crate::errno::Errno;
use crate::os::{Disposition, OpenFlags, Os, Signal, Status, Wait, WaitFor};
use std::time::Duration;

pub async fn env<O: Os>(t: &Tool<O>) -> Ending {
    let long = [("ignore-environment", 'i'), ("unset", 'u'), ("null", '0')];
    let mut words = t.args.clone();
    // A lone dash is -i.
    if words.first().is_some_and(|w| w == "-") {
        words[0] = "-i".to_string();
    }
    let o = t.options_of(&words, "+iu:0C:", &long)?;
    let mut env = if o.has('i') { Vec::new() } else { t.env.clone() };
    env.retain(|(n, _)| !o.values('u').contains(&n.as_str()));
    let mut rest = &o.rest[..];
    while let Some((name, value)) = rest.first().and_then(|w| w.split_once('=')) {
        env.retain(|(n, _)| n != name);
        env.push((name.to_string(), value.to_string()));
        rest = &rest[1..];
    }
    if rest.is_empty() {
        let end = if o.has('0') { "\0" } else { "\n" };
        env.iter().for_each(|(n, v)| t.print(format!("{n}={v}{end}")));
        return Ok(0);
    }
    let inner = Tool::new(t.os.clone(), vec![t.name.clone()], env.clone(), "");
    t.flush().await;
    let code = inner.exec(rest, &env).await;
    inner.flush().await;
    Ok(code)
}

pub async fn printenv<O: Os>(t: &Tool<O>) -> Ending {
    if t.args.is_empty() {
        t.env.iter().for_each(|(n, v)| t.line(format!("{n}={v}")));
    }
    let mut status = 0;
    for name in &t.args {
        match t.var(name) {
            Some(value) => t.line(value),
            None => status = 1,
        }
    }
    Ok(status)
}

pub async fn nohup<O: Os>(t: &Tool<O>) -> Ending {
    if t.args.is_empty() {
        return Err(t.usage());
    }
    let _ = t.os.sigaction(Signal::HUP, Disposition::Ignore);
    if t.os.is_tty(0)
        && let Ok(fd) = t.os.open("/dev/null", OpenFlags::READ, 0).await
    {
        let _ = t.os.dup2(fd, 0);
        t.close(fd);
    }
    if t.os.is_tty(1) {
        let flags = OpenFlags { truncate: false, ..OpenFlags::APPEND };
        let fd = t.os.open("nohup.out", flags, 0o600).await.map_err(|e| t.die(format_args!("nohup.out: {e}")))?;
        t.warn("appending output to nohup.out");
        t.flush().await;
        let _ = t.os.dup2(fd, 1);
        t.close(fd);
    }
    if t.os.is_tty(2) {
        let _ = t.os.dup2(1, 2);
    }
    Ok(t.exec(&t.args, &t.env).await)
}

pub async fn nice<O: Os>(t: &Tool<O>) -> Ending {
    let mut words = t.args.clone();
    if let Some(n) = words.first().and_then(|w| w.strip_prefix('-')).filter(|n| n.parse::<i32>().is_ok()) {
        words[0] = format!("-n{n}");
    }
    let o = t.options_of(&words, "+n:", &[("adjustment", 'n')])?;
    if o.rest.is_empty() {
        t.line("0");
        return Ok(0);
    }
    let by = o.value('n').map_or(Ok(10), |n| t.number(n))?;
    t.os.set_priority(0, by).map_err(|e| t.die(format_args!("setpriority({by}): {e}")))?;
    Ok(t.exec(&o.rest, &t.env).await)
}

pub async fn renice<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("+n:p:", &[])?;
    let mut words = o.rest.iter();
    let by = match o.value('n') {
        Some(n) => t.number(n)?,
        None => t.number(words.next().ok_or_else(|| t.usage())?)?,
    };
    let mut status = 0;
    for pid in words.map(String::as_str).chain(o.values('p')) {
        if let Err(e) = t.os.set_priority(t.number(pid)?, by) {
            status = t.die(format_args!("setpriority {pid}: {e}"));
        }
    }
    Ok(status)
}

pub async fn timeout<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("+s:k:", &[("signal", 's'), ("kill-after", 'k')])?;
    let [time, command @ ..] = &o.rest[..] else { return Err(t.usage()) };
    if command.is_empty() {
        return Err(t.usage());
    }
    let read = |text: &str| basics::duration(text).ok_or_else(|| t.die(format_args!("invalid number '{text}'")));
    let time = read(time)?;
    let kill_after = o.value('k').map(read).transpose()?;
    let signal = match o.value('s') {
        Some(name) => Signal::parse(name).ok_or_else(|| t.die(format_args!("bad signal name '{name}'")))?,
        None => Signal::TERM,
    };
    // The end of the child interrupts the sleep.
    let _ = t.os.sigaction(Signal::CHLD, Disposition::Catch);
    let pid = t.spawn(command.to_vec(), false).await.map_err(|e| t.die(format_args!("fork: {e}")))?;
    let wait = Wait { who: WaitFor::Pid(pid), no_hang: true, untraced: false };
    let mut deadline = t.os.now() + time;
    let mut next = signal;
    loop {
        match t.os.wait(wait).await {
            Ok((_, status)) => return Ok(status.code()),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(_) => return Ok(1),
        }
        let left = deadline.saturating_sub(t.os.now());
        if left.is_zero() {
            let _ = t.os.kill(pid, next);
            deadline += kill_after.unwrap_or(Duration::from_secs(u64::from(u32::MAX)));
            if kill_after.is_some() {
                next = Signal::KILL;
            }
            continue;
        }
        // In steps, since the signal may have come just before the sleep.
        let _ = t.os.sleep(left.min(Duration::from_secs(1))).await;
        t.os.take_signal();
    }
}

pub async fn time<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("+vpa", &[])?;
    if o.rest.is_empty() {
        return Err(t.usage());
    }
    let start = t.os.uptime();
    let code = match t.run(o.rest.clone(), false).await {
        Ok(code) => code,
        Err(e) => return Err(t.die(format_args!("fork: {e}"))),
    };
    let real = t.os.uptime().saturating_sub(start);
    let (_, (user, system)) = t.os.times();
    for (name, time) in [("real", real), ("user", user), ("sys", system)] {
        let (minutes, seconds) = (time.as_secs() / 60, time.as_secs_f64() % 60.0);
        match o.has('p') {
            true => t.complain(format_args!("{name} {:.2}\n", time.as_secs_f64())),
            false => t.complain(format_args!("{name}\t{minutes}m {seconds:.2}s\n")),
        }
    }
    Ok(code)
}

pub async fn setsid<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("+c", &[])?;
    if o.rest.is_empty() {
        return Err(t.usage());
    }
    if t.os.new_session().is_ok() {
        return Ok(t.exec(&o.rest, &t.env).await);
    }
    // The leader of a group can't begin a session: a child does.
    let (argv, env) = (o.rest.clone(), t.env.clone());
    let forked = t.os.fork(move |os| {
        Box::pin(async move {
            let _ = os.new_session();
            let inner = Tool::new(os, vec!["setsid".to_string()], env.clone(), "");
            let code = inner.exec(&argv, &env).await;
            inner.flush().await;
            code
        })
    });
    forked.map_err(|e| t.die(format_args!("fork: {e}")))?;
    Ok(0)
}

pub async fn chroot<O: Os>(t: &Tool<O>) -> Ending {
    let [root, command @ ..] = &t.args[..] else { return Err(t.usage()) };
    let failed = |e| t.die(format_args!("can't change root directory to '{root}': {e}"));
    t.os.chroot(root).map_err(failed)?;
    t.os.chdir("/").map_err(failed)?;
    let shell = vec![t.var("SHELL").unwrap_or("/bin/sh").to_string(), "-i".to_string()];
    Ok(t.exec(if command.is_empty() { &shell } else { command }, &t.env).await)
}

pub async fn su<O: Os>(t: &Tool<O>) -> Ending {
    // What follows the user is for the shell, options too.
    let (mut login, mut keep, mut command, mut shell) = (false, false, None, None);
    let mut words = t.args.iter();
    let mut rest = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-" | "-l" | "--login" => login = true,
            "-m" | "-p" => keep = true,
            "-c" => command = Some(words.next().ok_or_else(|| t.usage())?.clone()),
            "-s" => shell = Some(words.next().ok_or_else(|| t.usage())?.clone()),
            _ => rest.push(word.clone()),
        }
    }
    let name = if rest.is_empty() { "root".to_string() } else { rest.remove(0) };
    let users = Users::read(t).await;
    let user = users.user(&name).ok_or_else(|| t.die(format_args!("unknown user {name}")))?;
    if t.os.ids().euid != 0 {
        return Err(t.die("incorrect password"));
    }
    let groups = users.groups_of(user);
    t.os.set_ids(user.uid, user.gid, &groups).map_err(|e| t.die(format_args!("setgid: {e}")))?;
    let default = if user.shell.is_empty() { "/bin/sh" } else { &user.shell };
    let shell = shell.unwrap_or_else(|| default.to_string());
    let mut env = t.env.clone();
    if login {
        env.retain(|(n, _)| n == "TERM" || n == "PATH");
        let _ = t.os.chdir(&user.home);
    }
    if !keep {
        let mut fresh = vec![("HOME", user.home.clone()), ("SHELL", shell.clone())];
        if user.uid != 0 || login {
            fresh.extend([("USER", name.clone()), ("LOGNAME", name.clone())]);
        }
        for (n, value) in fresh {
            env.retain(|(o, _)| o != n);
            env.push((n.to_string(), value));
        }
    }
    let mut argv = vec![shell];
    if login {
        argv.push("-l".to_string());
    }
    if let Some(command) = command {
        argv.extend(["-c".to_string(), command]);
    }
    argv.extend(rest);
    Ok(t.exec(&argv, &env).await)
}

/// The first process of a container: starts the command, hands signals on to it, reaps every orphan, and
/// ends as the command ended.
pub async fn docker_init<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("+sgvwp:e:", &[])?;
    if o.rest.is_empty() {
        return Err(t.usage());
    }
    let forwarded = [
        Signal::HUP,
        Signal::INT,
        Signal::QUIT,
        Signal::USR1,
        Signal::USR2,
        Signal::TERM,
        Signal::CONT,
        Signal::WINCH,
        Signal::ALRM,
        Signal::TSTP,
    ];
    for signal in forwarded {
        let _ = t.os.sigaction(signal, Disposition::Catch);
    }
    let (argv, env, path) = (o.rest.clone(), t.env.clone(), t.look_up(&o.rest[0]));
    let tty = t.os.is_tty(0);
    let forked = t.os.fork(move |os| {
        Box::pin(async move {
            for signal in forwarded {
                let _ = os.sigaction(signal, Disposition::Default);
            }
            // The command leads a group of its own, in front of the terminal.
            let _ = os.set_process_group(0, 0);
            if tty {
                let _ = os.sigaction(Signal::TTOU, Disposition::Ignore);
                let _ = os.set_foreground_group(0, os.pid());
                let _ = os.sigaction(Signal::TTOU, Disposition::Default);
            }
            let e = match path {
                Ok(path) => os.exec(&path, &argv, &env).await,
                Err(e) => e,
            };
            let text = format!("[FATAL tini] exec {} failed: {e}\n", argv[0]);
            let _ = os.write(2, text.as_bytes()).await;
            if e == Errno::ENOENT { 127 } else { 126 }
        })
    });
    let child = forked.map_err(|e| t.die(format_args!("fork: {e}")))?;
    let mut outcome = None;
    loop {
        while let Some(signal) = t.os.take_signal() {
            let target = if o.has('g') { -child } else { child };
            let _ = t.os.kill(target, signal);
        }
        // Orphans that ended at the same time are taken too, without waiting.
        let wait = Wait { who: WaitFor::Any, no_hang: outcome.is_some(), untraced: false };
        match t.os.wait(wait).await {
            Ok((pid, status)) if pid == child && !matches!(status, Status::Stopped(_) | Status::Continued) => {
                outcome = Some(status.code());
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return Ok(outcome.unwrap_or(1)),
        }
    }
}
