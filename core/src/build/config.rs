//! What an instruction changes in an image's configuration.

use crate::dockerfile::{Command, Health, Instruction, Vars, expand, expand_words, raw_words};
use crate::image::{Healthcheck, ImageConfig};
use cutaway_userland::os::Signal;
use cutaway_userland::sorted::Arrange;
use std::time::Duration;

/// Docker's shell where no `SHELL` was given.
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// The configuration that instructions are applied to, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Applying {
    pub config: ImageConfig,
    pub author: Option<String>,
    /// What variables stand for beside the environment: the `ARG`s of the stage.
    pub args: Vars,
    pub escape: char,
    /// Those of them that were declared after a variable of their name, and so stand before it.
    late: Vec<String>,
    /// Whether `CMD` was among the instructions: `ENTRYPOINT` takes away one that was not.
    command_set: bool,
}

impl Applying {
    pub fn new(config: ImageConfig, escape: char) -> Applying {
        Applying { config, author: None, args: Vars::new(), escape, late: Vec::new(), command_set: false }
    }

    /// The environment and the arguments: of the same name, what came last.
    pub fn vars(&self) -> Vars {
        let mut vars = self.args.clone();
        for pair in &self.config.env {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !self.is_late(name) {
                vars.insert(name.to_string(), value.to_string());
            }
        }
        vars
    }

    /// Whether an argument stands before the variable of its name.
    pub fn is_late(&self, name: &str) -> bool {
        self.late.iter().any(|late| late == name)
    }

    /// Gives an argument its value.
    pub fn declare(&mut self, name: &str, value: &str) {
        self.args.insert(name.to_string(), value.to_string());
        let known = self.config.env.iter().any(|pair| pair.split('=').next() == Some(name));
        if known && !self.is_late(name) {
            self.late.push(name.to_string());
        }
    }

    /// The shell and its arguments that the shell form is given to.
    pub fn shell(&self) -> Vec<String> {
        match &self.config.shell {
            Some(shell) => shell.clone(),
            None => SHELL.map(str::to_string).to_vec(),
        }
    }

    /// The words to run for either form.
    pub fn words(&self, command: &Command) -> Vec<String> {
        match command {
            Command::Exec(words) => words.clone(),
            Command::Shell(text) => [self.shell(), vec![text.clone()]].concat(),
        }
    }

    /// Text with its variables replaced.
    pub fn expand(&self, text: &str) -> Result<String, String> {
        expand(text, &self.vars(), self.escape)
    }

    /// The words of a text with its variables replaced.
    pub fn expand_words(&self, text: &str) -> Result<Vec<String>, String> {
        // In the order of what was typed.
        let mut words = raw_words(text, self.escape);
        words.arrange();
        let words: Result<Vec<_>, _> = words.iter().map(|word| expand_words(word, &self.vars(), self.escape)).collect();
        Ok(words?.concat())
    }

    fn expand_pairs(&self, pairs: &[(String, String)]) -> Result<Vec<(String, String)>, String> {
        let vars = self.vars();
        let one = |text: &String| expand(text, &vars, self.escape);
        pairs.iter().map(|(name, value)| Ok((one(name)?, one(value)?))).collect()
    }
}

/// Applies an instruction that changes nothing but the configuration. Gives what it came to, with variables
/// replaced, as the history tells it: `ENV A=1`. `None` for one that does more (`RUN`, `COPY`, `ADD`).
///
/// # Errors
/// In Docker's words.
pub fn apply(to: &mut Applying, instruction: &Instruction) -> Result<Option<String>, String> {
    let told = match instruction {
        Instruction::Run(_) | Instruction::Copy(_) | Instruction::Add(_) => return Ok(None),
        Instruction::Arg(args) => apply_args(to, args)?,
        Instruction::Env(pairs) => {
            let pairs = to.expand_pairs(pairs)?;
            for (name, value) in &pairs {
                set_env(&mut to.config.env, name, value);
                to.late.retain(|late| late != name);
            }
            told("ENV", &pairs)
        }
        Instruction::Label(pairs) => {
            let pairs = to.expand_pairs(pairs)?;
            to.config.labels.get_or_insert_default().extend(pairs.iter().cloned());
            told("LABEL", &pairs)
        }
        Instruction::Maintainer(name) => {
            to.author = Some(name.clone());
            format!("MAINTAINER {name}")
        }
        Instruction::Cmd(command) => {
            let words = to.words(command);
            let told = format!("CMD {}", quoted(&words));
            to.config.cmd = Some(words);
            to.command_set = true;
            told
        }
        Instruction::Entrypoint(command) => {
            let words = to.words(command);
            let told = format!("ENTRYPOINT {}", quoted(&words));
            to.config.entrypoint = Some(words);
            if !to.command_set {
                to.config.cmd = None;
            }
            told
        }
        Instruction::Expose(text) => apply_ports(to, text)?,
        Instruction::Volume(paths) => {
            let paths = paths.iter().map(|p| to.expand(p)).collect::<Result<Vec<_>, _>>()?;
            to.config.volumes.extend(paths.iter().cloned());
            format!("VOLUME [{}]", paths.join(" "))
        }
        Instruction::User(user) => {
            to.config.user = to.expand(user)?;
            format!("USER {}", to.config.user)
        }
        Instruction::Workdir(path) => {
            to.config.working_dir = joined(&to.config.working_dir, &to.expand(path)?);
            format!("WORKDIR {}", to.config.working_dir)
        }
        Instruction::Onbuild(text) => {
            to.config.on_build.push(text.clone());
            format!("ONBUILD {text}")
        }
        Instruction::Stopsignal(signal) => {
            let signal = to.expand(signal)?;
            if Signal::parse(&signal).is_none() {
                return Err(format!("invalid signal: {signal}"));
            }
            to.config.stop_signal = Some(signal.clone());
            format!("STOPSIGNAL {signal}")
        }
        Instruction::Healthcheck(health) => {
            let check = healthcheck(health);
            let told = format!("HEALTHCHECK {}", quoted_check(&check));
            to.config.healthcheck = Some(check);
            told
        }
        Instruction::Shell(words) => {
            to.config.shell = Some(words.clone());
            format!("SHELL [{}]", words.join(" "))
        }
    };
    Ok(Some(told))
}

fn told(keyword: &str, pairs: &[(String, String)]) -> String {
    pairs.iter().fold(keyword.to_string(), |text, (name, value)| format!("{text} {name}={value}"))
}

fn apply_args(to: &mut Applying, args: &[(String, Option<String>)]) -> Result<String, String> {
    let mut told = "ARG".to_string();
    for (name, default) in args {
        told.push_str(&format!(" {name}"));
        if let Some(default) = default {
            let value = to.expand(default)?;
            told.push_str(&format!("={value}"));
            to.args.entry(name.clone()).or_insert(value);
        }
    }
    Ok(told)
}

fn apply_ports(to: &mut Applying, text: &str) -> Result<String, String> {
    let mut ports = Vec::new();
    for word in to.expand_words(text)? {
        ports.extend(exposed(&word)?);
    }
    to.config.exposed_ports.extend(ports.iter().cloned());
    Ok(format!("EXPOSE [{}]", ports.join(" ")))
}

/// Sets a variable where it stands, or adds it.
pub fn set_env(env: &mut Vec<String>, name: &str, value: &str) {
    let pair = format!("{name}={value}");
    match env.iter_mut().find(|e| e.split_once('=').map_or(e.as_str(), |(n, _)| n) == name) {
        Some(old) => *old = pair,
        None => env.push(pair),
    }
}

/// Go's `%q` of words: `["sleep" "300"]`.
pub fn quoted(words: &[String]) -> String {
    format!("[{}]", words.iter().map(|w| format!("{w:?}")).collect::<Vec<_>>().join(" "))
}

/// Go's `%q` of a health check, which is how BuildKit tells it.
fn quoted_check(check: &Healthcheck) -> String {
    let times = [check.interval, check.timeout, check.start_period, check.start_interval];
    let times: Vec<String> = times.iter().map(|t| format!("{:?}", go_duration(*t))).collect();
    let retries = match check.retries {
        n @ 7..=13 => format!("'\\{}'", ['a', 'b', 't', 'n', 'v', 'f', 'r'][n as usize - 7]),
        n @ (0..=31 | 127) => format!("'\\x{n:02x}'"),
        n => char::from_u32(n).map_or_else(|| "'\u{fffd}'".to_string(), |c| format!("'{c}'")),
    };
    format!("&{{{} {} {retries}}}", quoted(&check.test), times.join(" "))
}

/// As Go prints a duration: `1m30s`, `1.5s`, `100ms`.
pub fn go_duration(time: Duration) -> String {
    let nanos = time.as_nanos();
    if nanos == 0 {
        return "0s".into();
    }
    let small = |unit: u128, name: &str| {
        let fraction = format!("{}.{:0width$}", nanos / unit, nanos % unit, width = unit.ilog10() as usize);
        format!("{}{name}", fraction.trim_end_matches('0').trim_end_matches('.'))
    };
    match nanos {
        0..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => small(1_000, "µs"),
        1_000_000..1_000_000_000 => small(1_000_000, "ms"),
        _ => {
            let (minutes, rest) = (time.as_secs() / 60, nanos % 60_000_000_000);
            let seconds = format!("{}.{:09}", rest / 1_000_000_000, rest % 1_000_000_000);
            let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

fn healthcheck(health: &Health) -> Healthcheck {
    let test = match &health.command {
        None => vec!["NONE".to_string()],
        Some(Command::Shell(text)) => vec!["CMD-SHELL".to_string(), text.clone()],
        Some(Command::Exec(words)) => [vec!["CMD".to_string()], words.clone()].concat(),
    };
    Healthcheck {
        test,
        interval: Duration::from_nanos(health.interval),
        timeout: Duration::from_nanos(health.timeout),
        start_period: Duration::from_nanos(health.start_period),
        start_interval: Duration::from_nanos(health.start_interval),
        retries: health.retries,
    }
}

/// A path below another, without `.` and `..`.
pub fn joined(base: &str, path: &str) -> String {
    let full = if path.starts_with('/') { path.to_string() } else { format!("{base}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in full.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The ports that a word of `EXPOSE` names: `80`, `8000-8010/udp`. An address and ports of the host before them are
/// checked, and mean nothing.
fn exposed(word: &str) -> Result<Vec<String>, String> {
    let mut parts = word.rsplitn(3, ':');
    let own = parts.next().unwrap_or("");
    let (on_host, address) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let (range, protocol) = own.split_once('/').unwrap_or((own, ""));
    if range.is_empty() {
        return Err(format!("invalid port: {word:?}: no port specified"));
    }
    let lower = if protocol.is_empty() { "tcp".to_string() } else { protocol.to_lowercase() };
    if !matches!(lower.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("invalid port: {word:?}: invalid proto: {protocol}"));
    }
    let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
    if !bare.is_empty() && bare.parse::<std::net::IpAddr>().is_err() {
        return Err(format!("invalid IP address: {bare}"));
    }
    let (first, last) = port_range(range).ok_or_else(|| format!("invalid containerPort: {range}"))?;
    if !on_host.is_empty() {
        let (from, to) = port_range(on_host).ok_or_else(|| format!("invalid hostPort: {on_host}"))?;
        if to - from != last - first && first != last {
            return Err(format!("invalid ranges specified for container and host Ports: {range} and {on_host}"));
        }
    }
    Ok((first..=last).map(|port| format!("{port}/{lower}")).collect())
}

fn port_range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::parse_change;

    fn after(changes: &[&str]) -> (ImageConfig, Vec<String>) {
        let mut to = Applying::new(ImageConfig::default(), '\\');
        let told = changes.iter().map(|c| apply(&mut to, &parse_change(c).unwrap()).unwrap().unwrap()).collect();
        (to.config, told)
    }

    #[test]
    fn told_as_history_has_it() {
        for (change, told) in [
            ("CMD [\"300\"]", "CMD [\"300\"]"),
            ("CMD echo hi", "CMD [\"/bin/sh\" \"-c\" \"echo hi\"]"),
            ("ENV A=1 B=\"two words\"", "ENV A=1 B=two words"),
            ("EXPOSE 80 53/udp 9-10", "EXPOSE [53/udp 80/tcp 9/tcp 10/tcp]"),
            ("EXPOSE 127.0.0.1:81:80 [::1]::5/UDP", "EXPOSE [80/tcp 5/udp]"),
            ("VOLUME /data", "VOLUME [/data]"),
            ("LABEL who=me", "LABEL who=me"),
            (
                "HEALTHCHECK --interval=2s CMD true",
                "HEALTHCHECK &{[\"CMD-SHELL\" \"true\"] \"2s\" \"0s\" \"0s\" \"0s\" '\\x00'}",
            ),
            ("WORKDIR a/../b", "WORKDIR /b"),
            ("USER nobody", "USER nobody"),
        ] {
            assert_eq!(after(&[change]).1, [told], "{change}");
        }
    }

    #[test]
    fn one_upon_another() {
        let (config, _) =
            after(&["ENV A=1", "ENV A=2 B=$A", "WORKDIR /a", "WORKDIR b/$B", "CMD x", "ENTRYPOINT [\"y\"]"]);
        assert_eq!(config.env, ["A=2", "B=1"]);
        assert_eq!(config.working_dir, "/a/b/1");
        assert!(config.cmd.is_some());
        let mut inherited = Applying::new(ImageConfig { cmd: Some(vec!["x".into()]), ..ImageConfig::default() }, '\\');
        apply(&mut inherited, &parse_change("ENTRYPOINT y").unwrap()).unwrap();
        assert_eq!(inherited.config.cmd, None);
    }

    #[test]
    fn what_came_last_stands_for_a_name() {
        let mut to = Applying::new(ImageConfig { env: vec!["A=env".into()], ..ImageConfig::default() }, '\\');
        to.declare("A", "arg");
        assert_eq!(to.expand("$A").unwrap(), "arg");
        apply(&mut to, &parse_change("ENV A=env").unwrap()).unwrap();
        assert_eq!(to.expand("$A").unwrap(), "env");
    }

    #[test]
    fn refused_and_durations() {
        for (change, error) in [
            ("EXPOSE x", "invalid containerPort: x"),
            ("EXPOSE 1/X", "invalid port: \"1/X\": invalid proto: X"),
            ("EXPOSE /tcp", "invalid port: \"/tcp\": no port specified"),
            ("EXPOSE 1.2.3:1:2", "invalid IP address: 1.2.3"),
            ("EXPOSE 1-2:5-9", "invalid ranges specified for container and host Ports: 5-9 and 1-2"),
            ("STOPSIGNAL SIGX", "invalid signal: SIGX"),
        ] {
            let mut to = Applying::new(ImageConfig::default(), '\\');
            assert_eq!(apply(&mut to, &parse_change(change).unwrap()).unwrap_err(), error);
        }
        for (nanos, text) in [
            (1_500_000_000, "1.5s"),
            (90_000_000_000, "1m30s"),
            (3_600_000_000_000, "1h0m0s"),
            (100_000_000, "100ms"),
            (1_500, "1.5µs"),
        ] {
            assert_eq!(go_duration(Duration::from_nanos(nanos)), text);
        }
    }
}
