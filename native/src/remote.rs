//! Commands for the engine of another machine: `ssh` runs this program there, with the words typed here, and
//! takes this process's place, so that streams, terminal, signals and exit status are passed on by itself.

use crate::client::LinuxClient;
use cutaway_core::cli::{Args, Invocation};
use cutaway_core::engine::Error;
use cutaway_core::engine::context::{self, Endpoint, Target};
use cutaway_core::world::{Client, Stream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::pin::pin;
use std::process::Command;
use std::task::{Context, Poll, Waker};

/// The own flag that tells the program over there which context it was called through.
pub const VIA: &str = "--via-context";

/// Where a command is to be done.
pub enum Place {
    /// On this machine.
    Here,
    /// It has been tried elsewhere, or can't be; the exit status.
    Over(i32),
}

/// Finds the engine of a command; where that is another machine's, this returns only if it can't be reached.
pub fn send(call: &Invocation, own: &[&str], words: &[String]) -> Place {
    if !context::needs_engine(call) {
        return Place::Here;
    }
    let failed = |text: &str| {
        eprintln!("{text}");
        Place::Over(if call.command == "container run" { 125 } else { 1 })
    };
    let client = LinuxClient::new(nix::unistd::geteuid().as_raw(), call.global.value("config"));
    let target = match at_once(context::target(&client, &call.global)) {
        Ok(target) => target,
        Err(error) => return failed(&error.render("")),
    };
    if target.is_local() {
        return Place::Here;
    }
    if let Endpoint::Unix(socket) = &target.endpoint
        && !Path::new(socket).exists()
    {
        let text = format!("Cannot connect to the Docker daemon at {}. Is the docker daemon running?", target.host);
        return failed(&Error::Client(text).render(&call.typed));
    }
    let Endpoint::Ssh { user, host, port, path } = &target.endpoint else {
        return failed(&format!(
            "cutaway: context {:?} leads to {}, but only this machine's own engine and those behind ssh:// can be reached",
            target.context, target.host
        ));
    };
    if !path.is_empty() {
        return failed(&format!("cutaway: {}: over ssh:// there is no choice of sockets", target.host));
    }
    if let Some(why) = local_matter(call) {
        return failed(&format!("cutaway: {why}; over ssh:// the command runs on {host}"));
    }
    let terminal = client.is_tty(Stream::In) && (client.is_tty(Stream::Out) || call.args.flag("tty"));
    let mut ssh = Command::new("ssh");
    ssh.args(["-o", "ConnectTimeout=30", if terminal { "-t" } else { "-T" }]);
    if let Some(user) = user {
        ssh.args(["-l", user]);
    }
    if let Some(port) = port {
        ssh.args(["-p", &port.to_string()]);
    }
    ssh.args(["--", host, &remote_line(&target, own, command_words(words))]);
    let error = ssh.exec();
    failed(&format!("cutaway: ssh: {error}"))
}

/// The result of a future of a [`LinuxClient`] that asks for nothing but files, which answer at once.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("files answer at once"),
    }
}

/// What the shell over there is given: each word quoted.
fn remote_line(target: &Target, own: &[&str], words: &[String]) -> String {
    let own = own.iter().copied().chain([VIA, &target.context]);
    let words = own.chain(words.iter().map(String::as_str)).map(quoted);
    ["cutaway".to_string()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// A word as a POSIX shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The words without docker's flags before the command: those are about reaching the engine.
fn command_words(words: &[String]) -> &[String] {
    const LONG: [&str; 7] = ["config", "context", "host", "log-level", "tlscacert", "tlscert", "tlskey"];
    const SHORT: &str = "cHl";
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| word.len() > 1 && word.starts_with('-')) {
        at += 1;
        let waits = match word.strip_prefix("--") {
            Some(long) => LONG.contains(&long),
            // A value may follow its letter in the same word.
            None => word.chars().position(|c| SHORT.contains(c)).is_some_and(|place| place + 1 == word.len()),
        };
        at += usize::from(waits);
    }
    words.get(at..).unwrap_or(&[])
}

/// What of a command belongs to this machine, and so can't be had on another one.
fn local_matter(call: &Invocation) -> Option<String> {
    let args = &call.args;
    let file = |flag: &str| Some(format!("--{flag} names a file of this machine"));
    let given = |flags: &[&'static str]| flags.iter().copied().find(|flag| args.given(flag));
    let path = |word: &str| (word != "-" && !word.contains("://")).then(|| format!("{word:?} is of this machine"));
    match call.command {
        "container run" | "container create" | "container exec" => {
            if let Some(flag) = given(&["env-file", "label-file", "cidfile"]) {
                return file(flag);
            }
            if let Some(name) = args.values("env").iter().find(|value| !value.contains('=')) {
                return Some(format!("--env {name} is of this machine's environment: write {name}=VALUE"));
            }
            relative_mount(args).map(|source| format!("{source:?} is relative to a folder of this machine"))
        }
        "image build" | "buildx build" => match given(&["iidfile", "metadata-file", "secret", "ssh"]) {
            Some(flag) => file(flag),
            None => path(args.word(0)),
        },
        "image load" => given(&["input"]).map(|flag| format!("--{flag} names a file of this machine: use < FILE")),
        "image save" | "container export" => {
            given(&["output"]).map(|flag| format!("--{flag} names a file of this machine: use > FILE"))
        }
        "image import" => path(args.word(0)),
        "container cp" => args.positionals.iter().find(|word| !is_in_container(word)).and_then(|word| path(word)),
        command if command.starts_with("compose ") && command != "compose ls" => {
            let files = call.global.values("file");
            (files != ["-"]).then(|| "a Compose project's files are of this machine: use -f - < FILE".to_string())
        }
        _ => None,
    }
}

/// `NAME:PATH`, which `docker cp` takes for a container's.
fn is_in_container(word: &str) -> bool {
    !word.starts_with(['/', '.']) && word.contains(':')
}

/// The source of a bind mount that begins where the client is.
fn relative_mount(args: &Args) -> Option<&str> {
    let volumes = args.values("volume").iter().filter_map(|v| v.split_once(':')).map(|(source, _)| source);
    let mounts = args.values("mount").iter().flat_map(|m| m.split(','));
    let mounts = mounts.filter_map(|f| f.strip_prefix("source=").or_else(|| f.strip_prefix("src=")));
    volumes.chain(mounts).find(|source| source.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutaway_core::cli;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_string).collect()
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        for word in ["", "a", "a b", "it's", "$(rm -rf /)", "`x`", "a\nb", "\"", "--flag=x", "*", "~", "é;&|"] {
            let shown = std::process::Command::new("sh").args(["-c", &format!("printf %s {}", quoted(word))]).output();
            assert_eq!(String::from_utf8_lossy(&shown.unwrap().stdout), word);
        }
    }

    #[test]
    fn flags_before_the_command_stay_here() {
        for (line, rest) in [
            ("ps -a", "ps -a"),
            ("-c far ps", "ps"),
            ("-cfar -D ps", "ps"),
            ("--context far --tls run -c 5 x", "run -c 5 x"),
            ("--context=far -DH ssh://a ps", "ps"),
            ("-Hssh://a --log-level debug image ls", "image ls"),
        ] {
            assert_eq!(command_words(&words(line)), words(rest), "{line}");
        }
    }

    #[test]
    fn what_is_of_this_machine() {
        for (line, local) in [
            ("run --env-file x busybox", true),
            ("run -e HOME busybox", true),
            ("run -e A=b -v /srv:/srv -v data:/d busybox", false),
            ("run -v ./here:/x busybox", true),
            ("run --mount type=bind,source=../a,target=/b busybox", true),
            ("build .", true),
            ("build -", false),
            ("build https://example.org/x.git", false),
            ("cp x:/etc/passwd .", true),
            ("cp x:/etc/passwd -", false),
            ("cp - x:/etc", false),
            ("load -i x", true),
            ("load", false),
            ("save -o x busybox", true),
            ("export x", false),
            ("import x.tar", true),
            ("compose up", true),
            ("compose -f - up", false),
            ("compose ls", false),
            ("ps", false),
        ] {
            let call = cli::parse(&words(line)).unwrap();
            assert_eq!(local_matter(&call).is_some(), local, "{line}");
        }
    }
}
