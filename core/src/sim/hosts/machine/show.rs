//! What `docker-machine` tells of one machine: how to reach it, in which words for which shell, and all it knows.

use super::record::{self, PEMS, Record};
use super::{Ending, Run, State, VERSION};
use crate::cli::DOCKER_VERSION;
use crate::engine::system::pretty;
use crate::view::template::{Shape, Template};

pub async fn active(run: &Run) -> Ending {
    if !run.args.words.is_empty() {
        return Err("Error: Too many arguments given".into());
    }
    for name in record::names(run) {
        let record = record::read(run, &name).await?;
        let url = run.url(&record).unwrap_or_default();
        if !url.is_empty() && url == run.env("DOCKER_HOST") {
            run.say(&name).await;
            return Ok(0);
        }
    }
    Err("No active host found".into())
}

/// The address of a machine that can be used.
fn reachable(run: &Run, record: &Record) -> Result<String, String> {
    let failed = |why: &str| Err(format!("Error checking TLS connection: {why}"));
    match run.state(record) {
        State::Running => run.url(record),
        State::None => failed("Error checking and/or regenerating the certs: there is only an address"),
        State::Stopped => failed("Host is not running"),
        State::Error => failed("Error getting driver URL: machine does not exist"),
    }
}

pub async fn config(run: &Run) -> Ending {
    let record = run.only(&run.args.words).await?;
    let url = reachable(run, &record)?;
    let folder = run.folder(&record.name);
    let [ca, cert, key] = PEMS.map(|file| format!("{folder}/{file}"));
    run.say(&format!("--tlsverify\n--tlscacert={ca:?}\n--tlscert={cert:?}\n--tlskey={key:?}\n-H={url}")).await;
    Ok(0)
}

/// How a shell sets and unsets a variable, and is told to read this program's output: `{}` are the words.
struct Shell {
    name: &'static str,
    set: [&'static str; 3],
    unset: [&'static str; 2],
    remark: &'static str,
    hint: &'static str,
}

const SHELLS: [Shell; 6] = [
    Shell {
        name: "",
        set: ["export ", "=\"", "\""],
        unset: ["unset ", ""],
        remark: "#",
        hint: "# eval $(docker-machine env {})",
    },
    Shell {
        name: "fish",
        set: ["set -gx ", " \"", "\";"],
        unset: ["set -e ", ";"],
        remark: "#",
        hint: "# eval (docker-machine env {})",
    },
    Shell {
        name: "powershell",
        set: ["$Env:", " = \"", "\""],
        unset: ["Remove-Item Env:\\\\", ""],
        remark: "#",
        hint: "# & docker-machine env {} | Invoke-Expression",
    },
    Shell {
        name: "cmd",
        set: ["SET ", "=", ""],
        unset: ["SET ", "="],
        remark: "REM",
        hint: "REM \t@FOR /f \"tokens=*\" %i IN ('docker-machine env {}') DO @%i",
    },
    Shell {
        name: "tcsh",
        set: ["setenv ", " \"", "\";"],
        unset: ["unsetenv ", ";"],
        remark: "#",
        hint: "# eval `docker-machine env {}`",
    },
    Shell {
        name: "emacs",
        set: ["(setenv \"", "\" \"", "\")"],
        unset: ["(setenv \"", "\" nil)"],
        remark: ";;",
        hint: ";; (with-temp-buffer (shell-command \"docker-machine env {}\" (current-buffer)) (eval-buffer))",
    },
];

pub async fn env(run: &Run) -> Ending {
    let wanted = run.args.value("shell").unwrap_or("");
    let shell = SHELLS.iter().find(|s| s.name == wanted).unwrap_or(&SHELLS[0]);
    let names = ["DOCKER_TLS_VERIFY", "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_MACHINE_NAME"];
    let given = if wanted.is_empty() { String::new() } else { format!("--shell {wanted} ") };
    let mut lines = Vec::new();
    let words = if run.args.flag("unset") {
        if !run.args.words.is_empty() {
            return Err("Error: Expected no machine name when the -u flag is present".into());
        }
        lines.extend(names.iter().map(|name| format!("{}{name}{}", shell.unset[0], shell.unset[1])));
        format!("{given}-u")
    } else {
        if run.args.flag("swarm") {
            return Err("Error: swarm masters are not supported".into());
        }
        let record = run.only(&run.args.words).await?;
        let url = reachable(run, &record)?;
        let values = ["1".to_string(), url, run.folder(&record.name), record.name.clone()];
        let [before, between, after] = shell.set;
        lines.extend(names.iter().zip(&values).map(|(name, value)| format!("{before}{name}{between}{value}{after}")));
        if run.args.flag("no-proxy") {
            let former = run.env("NO_PROXY");
            let all = if former.is_empty() { record.ip.clone() } else { format!("{former},{}", record.ip) };
            lines.push(format!("{before}NO_PROXY{between}{all}{after}"));
        }
        format!("{given}{}", record.name)
    };
    lines.push(format!("{} Run this command to configure your shell: ", shell.remark));
    lines.push(shell.hint.replace("{}", &words));
    run.say(&lines.join("\n")).await;
    Ok(0)
}

pub async fn inspect(run: &Run) -> Ending {
    let record = run.only(&run.args.words).await?;
    let text = match run.args.value("format").unwrap_or("") {
        "" => pretty(&record.value),
        source => {
            let failed = |e: &dyn std::fmt::Display| format!("Template parsing error: {e}");
            let template = Template::parse(source).map_err(|e| failed(&e))?;
            template.execute(&record.value, &Shape::default()).map_err(|e| failed(&e))?
        }
    };
    run.say(&text).await;
    Ok(0)
}

pub async fn version(run: &Run) -> Ending {
    let text = match run.args.words.as_slice() {
        [] => format!("docker-machine version {VERSION}"),
        words => {
            let record = run.only(words).await?;
            reachable(run, &record)?;
            DOCKER_VERSION.to_string()
        }
    };
    run.say(&text).await;
    Ok(0)
}
