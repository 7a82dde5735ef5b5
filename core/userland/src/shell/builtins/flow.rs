//! Builtins that decide what runs next.

use super::super::{Flow, Run, Shell};
use crate::io;
use crate::os::Os;

pub(super) async fn exit<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let status = match args.first() {
        Some(text) => super::number(shell, text).await?,
        None => shell.status,
    };
    Err(Flow::Exit(status & 255))
}

pub(super) async fn return_<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let status = match args.first() {
        Some(text) => super::number(shell, text).await?,
        None => shell.status,
    };
    Err(Flow::Return(status & 255))
}

/// `break` and `continue`; outside of a loop they do nothing.
pub(super) async fn leave_loop<O: Os>(shell: &mut Shell<O>, args: &[String], breaks: bool) -> Run<i32> {
    let mut levels = 1;
    if let Some(text) = args.first() {
        levels = super::number(shell, text).await? as usize;
        if levels == 0 {
            return shell.fail(&format!("Illegal number: {text}"), 2).await;
        }
    }
    let levels = levels.min(shell.loops);
    match levels {
        0 => Ok(0),
        n if breaks => {
            shell.status = 0;
            Err(Flow::Break(n))
        }
        n => {
            shell.status = 0;
            Err(Flow::Continue(n))
        }
    }
}

pub(super) async fn eval<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    shell.speaker = None;
    let text = args.join(" ");
    shell.status = 0;
    let line = shell.line;
    shell.run_text(&text, line, false).await?;
    Ok(shell.status)
}

/// `. FILE`: a file without a slash is looked for along `PATH`, then here.
pub(super) async fn source<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let Some(name) = args.first() else {
        return shell.fail("filename argument required", 2).await;
    };
    let path = if name.contains('/') { name.clone() } else { along_path(shell, name) };
    let bytes = match io::read_file(&shell.os, &path).await {
        Ok(bytes) => bytes,
        Err(error) => return shell.fail(&format!("can't open '{name}': {error}"), 2).await,
    };
    if shell.sources + shell.calls >= 200 {
        return shell.fail(&format!("{name}: maximum nesting level exceeded"), 2).await;
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let args_before = (args.len() > 1).then(|| std::mem::replace(&mut shell.args, args[1..].to_vec()));
    let (loops, line) = (std::mem::take(&mut shell.loops), shell.line);
    shell.speaker = Some(path);
    shell.sources += 1;
    shell.status = 0;
    let result = shell.run_text(&text, 1, false).await;
    shell.sources -= 1;
    (shell.loops, shell.line) = (loops, line);
    if let Some(args) = args_before {
        shell.args = args;
    }
    match result {
        Ok(()) => Ok(shell.status),
        Err(Flow::Return(status)) => Ok(status),
        Err(flow) => Err(flow),
    }
}

fn along_path<O: Os>(shell: &Shell<O>, name: &str) -> String {
    let path = shell.variables.get("PATH").unwrap_or("").to_string();
    let full = |folder: &str| if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") };
    let found = path.split(':').map(full).find(|full| shell.os.access(full, 4).is_ok());
    found.unwrap_or_else(|| name.to_string())
}

/// `exec`: becomes the command; alone it only makes its redirections stay.
pub(super) async fn exec<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let mut rest = args;
    if rest.first().is_some_and(|word| word == "--") {
        rest = &rest[1..];
    }
    let mut argv = rest.to_vec();
    if let [flag, name, ..] = rest
        && flag == "-a"
    {
        // The name to go by, and the program.
        let name = name.clone();
        argv = rest[2..].to_vec();
        let Some(first) = argv.first().cloned() else { return Ok(0) };
        let env = shell.variables.environment();
        if let Ok(path) = shell.find_program(&first) {
            argv[0] = name;
            shell.os.exec(&path, &argv, &env).await;
        }
        argv[0] = first;
    }
    if argv.is_empty() {
        return Ok(0);
    }
    let status = shell.exec_program(&argv).await;
    Err(Flow::Exit(status))
}
