//! What `docker-machine` tells of one machine: how to reach it, in which words for which shell, and all it knows.

use super::record::{self, PEMS};
use super::{Ending, Run, reach, version_line};
use crate::engine::system::pretty;
use crate::view::template::{Shape, Template};

pub async fn active(run: &Run) -> Ending {
    if !run.args.words.is_empty() {
        return Err("Error: Too many arguments given".into());
    }
    for name in record::names(run) {
        let Ok(record) = record::read(run, &name).await else { continue };
        let url = run.url(&record).unwrap_or_default();
        if !url.is_empty() && url == run.env("DOCKER_HOST") {
            run.say(&name).await;
            return Ok(0);
        }
    }
    Err("No active host found".into())
}

pub async fn config(run: &Run) -> Ending {
    let record = run.target().await?;
    let failed = |why| format!("Error running connection boilerplate: {why}");
    let url = reach::checked(run, &record).await.map_err(failed)?;
    let folder = run.folder(&record.name);
    let [ca, cert, key] = PEMS.map(|file| format!("{folder}/{file}"));
    run.say(&format!("--tlsverify\n--tlscacert={ca:?}\n--tlscert={cert:?}\n--tlskey={key:?}\n-H={url}")).await;
    Ok(0)
}

/// How a shell sets and unsets a variable, and is told to read this program's output: `{}` is the command.
struct Shell {
    name: &'static str,
    set: [&'static str; 3],
    unset: [&'static str; 2],
    remark: &'static str,
    hint: &'static str,
}

const SHELLS: [Shell; 6] = [
    Shell { name: "bash", set: ["export ", "=\"", "\""], unset: ["unset ", ""], remark: "#", hint: "eval $({})" },
    Shell { name: "fish", set: ["set -gx ", " \"", "\";"], unset: ["set -e ", ";"], remark: "#", hint: "eval ({})" },
    Shell {
        name: "powershell",
        set: ["$Env:", " = \"", "\""],
        unset: ["Remove-Item Env:\\\\", ""],
        remark: "#",
        hint: "& {} | Invoke-Expression",
    },
    Shell {
        name: "cmd",
        set: ["SET ", "=", ""],
        unset: ["SET ", "="],
        remark: "REM",
        hint: "\t@FOR /f \"tokens=*\" %i IN ('{}') DO @%i",
    },
    Shell { name: "tcsh", set: ["setenv ", " \"", "\";"], unset: ["unsetenv ", ";"], remark: ":", hint: "eval `{}`" },
    Shell {
        name: "emacs",
        set: ["(setenv \"", "\" \"", "\")"],
        unset: ["(setenv \"", "\" nil)"],
        remark: ";;",
        hint: "(with-temp-buffer (shell-command \"{}\" (current-buffer)) (eval-buffer))",
    },
];

/// The shell that is asked for, else the one that the environment names.
async fn shell(run: &Run) -> Result<&'static Shell, String> {
    let wanted = match (run.args.value("shell"), run.env("SHELL")) {
        ("", "") => {
            run.say(
                "The default lines below are for a sh/bash shell, you can specify the shell you're using, with the \
                 --shell flag.\n",
            )
            .await;
            return Err("Error: Unknown shell".into());
        }
        ("", path) => path.rsplit('/').next().unwrap_or_default(),
        (name, _) => name,
    };
    Ok(SHELLS.iter().find(|s| s.name == wanted).unwrap_or(&SHELLS[0]))
}

pub async fn env(run: &Run) -> Ending {
    let names = ["DOCKER_TLS_VERIFY", "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_MACHINE_NAME"];
    let (variable, former) = match run.env("no_proxy") {
        "" => ("NO_PROXY", run.env("NO_PROXY")),
        former => ("no_proxy", former),
    };
    let no_proxy = run.args.flag("no-proxy");
    let mut lines = Vec::new();
    let shell = if run.args.flag("unset") {
        if !run.args.words.is_empty() {
            return Err("Error: Expected no machine name when the -u flag is present".into());
        }
        let shell = shell(run).await?;
        let [before, after] = shell.unset;
        lines.extend(names.iter().map(|name| format!("{before}{name}{after}")));
        if no_proxy {
            lines.push(format!("{before}{variable}{former}{after}"));
        }
        shell
    } else {
        let record = run.only().await?;
        let failed = |why| format!("Error checking TLS connection: {why}");
        let url = reach::checked(run, &record).await.map_err(failed)?;
        let shell = shell(run).await?;
        let values = ["1".to_string(), url, run.folder(&record.name), record.name.clone()];
        let [before, between, after] = shell.set;
        lines.extend(names.iter().zip(&values).map(|(name, value)| format!("{before}{name}{between}{value}{after}")));
        if no_proxy {
            let ip = run.ip(&record).map_err(|why| format!("Error getting host IP: {why}"))?;
            let all = match former {
                "" => ip,
                former if former.contains(&ip) => former.to_string(),
                former => format!("{former},{ip}"),
            };
            lines.push(format!("{before}{variable}{between}{all}{after}"));
        }
        shell
    };
    lines.push(format!("{} Run this command to configure your shell: ", shell.remark));
    lines.push(format!("{} {}", shell.remark, shell.hint.replace("{}", &run.typed)));
    run.say(&lines.join("\n")).await;
    Ok(0)
}

pub async fn inspect(run: &Run) -> Ending {
    if run.args.words.len() > 1 {
        run.say(run.help.trim_end()).await;
    }
    let record = run.only().await?;
    let text = match run.args.value("format") {
        "" => pretty(&record.value),
        source => {
            // A template sees a map, whose keys have no order of their own.
            let mut value = record.value;
            value.sort_all_objects();
            let indented = alone(source, "prettyjson").map(|path| format!("{{{{json {path}}}}}"));
            let template = Template::parse(indented.as_deref().unwrap_or(source));
            let template = template.map_err(|e| format!("template parsing error: {e}"))?;
            let text = template.execute(&value, &Shape::default()).map_err(|e| e.to_string())?;
            match indented.and_then(|_| serde_json::from_str(&text).ok()) {
                Some(value) => pretty(&value),
                None => text,
            }
        }
    };
    run.say(&text).await;
    Ok(0)
}

/// What a function is called with in a template that is nothing but this call.
fn alone<'a>(source: &'a str, function: &str) -> Option<&'a str> {
    let inner = source.strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let path = inner.strip_prefix(function)?;
    (path.starts_with(' ') && !path.contains("{{")).then(|| path.trim())
}

pub async fn status(run: &Run) -> Ending {
    let record = run.only().await?;
    let state = run.known_state(&record);
    let state = state.map_err(|why| format!("error getting state for host {}: {why}", record.name))?;
    run.say(state.name()).await;
    Ok(0)
}

pub async fn url(run: &Run) -> Ending {
    let record = run.only().await?;
    let url = run.url(&record)?;
    run.say(&url).await;
    Ok(0)
}

pub async fn version(run: &Run) -> Ending {
    if run.args.words.is_empty() {
        run.say(&version_line()).await;
        return Ok(0);
    }
    let record = run.only().await?;
    let url = run.url(&record).map_err(|why| format!("Unable to query docker version: {why}"))?;
    let version = reach::version(run, &url).await?;
    run.say(version).await;
    Ok(0)
}
