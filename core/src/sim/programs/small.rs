//! Programs of a few lines: the greeting, the init that reaps, and package tools that say what they lack.

use super::serve::{catch, say, write_all};
use cutaway_userland::Errno;
use cutaway_userland::os::{LocalFut, Os, Signal, Status, Wait, WaitFor};

const GREETING: &str = "
Hello from Docker!
You see this text because a whole chain of small things has worked.

It went like this:
 1. The docker command took what you typed and handed it to the engine.
 2. The engine looked for the image \"hello-world\", and pulled it from the hub where it was missing.
 3. The engine made a container of that image: its layers as one file system, and a process of its own.
 4. That process printed what you are reading; its output came back through the engine to your terminal.

Something larger to try next:
 $ docker run -it ubuntu bash

";

pub fn hello<O: Os>(os: O, _argv: Vec<String>, _env: Vec<(String, String)>) -> LocalFut<i32> {
    Box::pin(async move { i32::from(write_all(&os, 1, GREETING.as_bytes()).await.is_err()) })
}

/// What `--init` puts in front: starts its words as a child, passes signals on, waits for whatever ends.
pub fn init<O: Os>(os: O, argv: Vec<String>, env: Vec<(String, String)>) -> LocalFut<i32> {
    Box::pin(async move {
        let mut words: Vec<String> = argv.into_iter().skip(1).collect();
        if words.first().is_some_and(|w| w == "--") {
            words.remove(0);
        }
        let passed: Vec<Signal> = (1..32).map(Signal).filter(|s| is_passed(*s)).collect();
        catch(&os, &passed);
        let name = words.first().cloned().unwrap_or_default();
        let child = os.fork(move |os: O| -> LocalFut<i32> {
            Box::pin(async move { super::run_instead(&os, "docker-init", &words, &env).await })
        });
        let Ok(child) = child else {
            say(&os, 2, &format!("[FATAL tini (1)] fork for {name} failed")).await;
            return 1;
        };
        loop {
            while let Some(signal) = os.take_signal() {
                let _ = os.kill(child, signal);
            }
            match os.wait(Wait { who: WaitFor::Any, no_hang: false, untraced: false }).await {
                Ok((pid, Status::Exited(code))) if pid == child => return i32::from(code),
                Ok((pid, status @ Status::Signaled(_))) if pid == child => return status.code(),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return 1,
            }
        }
    })
}

fn is_passed(signal: Signal) -> bool {
    ![Signal::KILL, Signal::STOP, Signal::CHLD, Signal::SEGV, Signal::BUS, Signal::FPE, Signal::ILL, Signal::ABRT]
        .contains(&signal)
        && ![Signal::TTIN, Signal::TTOU, Signal::TRAP, Signal::SYS].contains(&signal)
}

/// `apk`, `apt-get`, `apt` and `pip`: known, but without packages to offer.
pub fn packages<O: Os>(os: O, argv: Vec<String>, _env: Vec<(String, String)>) -> LocalFut<i32> {
    Box::pin(async move {
        let tool = argv.first().and_then(|w| w.rsplit('/').next()).unwrap_or("apk").to_string();
        let version = match tool.as_str() {
            "apk" => "apk-tools 3.0.1, compiled for x86_64.",
            "apt" | "apt-get" => "apt 3.0.3 (amd64)",
            _ => "pip 25.3 from /usr/local/lib/python3.13/site-packages/pip (python 3.13)",
        };
        match argv.get(1).map(String::as_str) {
            Some("--version" | "-V" | "-v") => {
                say(&os, 1, version).await;
                0
            }
            // A list of packages that is empty is fetched at once.
            Some("update" | "clean" | "autoremove" | "cache") => 0,
            Some("install" | "add" | "upgrade" | "download") => {
                let names: Vec<&str> = argv[2..].iter().map(String::as_str).filter(|w| !w.starts_with('-')).collect();
                let text = "the simulated network has no package repository, so it can't install";
                say(&os, 2, &format!("{tool}: {text} {}", names.join(" "))).await;
                if tool == "apk" { names.len().clamp(1, 99) as i32 } else { 100 }
            }
            Some(other) => {
                say(&os, 2, &format!("{tool}: {other} is not known to this miniature of {tool}")).await;
                1
            }
            None => {
                say(&os, 1, version).await;
                0
            }
        }
    })
}
