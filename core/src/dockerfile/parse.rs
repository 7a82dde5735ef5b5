//! From a logical line to an instruction.

use super::error::ParseError;
use super::expand::raw_words;
use super::flags::{Flags, split};
use super::heredoc::Heredoc;
use super::instruction::{Command, Copying, Health, Instruction, Located, MountFlag, Network, RunStep, Source};
use super::lines::{Line, read};

pub(super) const KEYWORDS: [&str; 18] = [
    "add",
    "arg",
    "cmd",
    "copy",
    "entrypoint",
    "env",
    "expose",
    "from",
    "healthcheck",
    "label",
    "maintainer",
    "onbuild",
    "run",
    "shell",
    "stopsignal",
    "user",
    "volume",
    "workdir",
];

/// Reads one instruction of `commit --change` or `import --change`.
///
/// # Errors
/// What is wrong, in Docker's words.
pub fn parse_change(text: &str) -> Result<Instruction, String> {
    let (directives, lines) = read(text).map_err(|e| e.to_string())?;
    let [line] = lines.as_slice() else { return Err(format!("{text:?} is not one instruction")) };
    let allowed = [
        "cmd",
        "entrypoint",
        "env",
        "expose",
        "healthcheck",
        "label",
        "onbuild",
        "stopsignal",
        "user",
        "volume",
        "workdir",
    ];
    if !allowed.contains(&line.keyword.as_str()) {
        return Err(format!("{} is not a valid change command", line.keyword));
    }
    parsed(line, directives.escape)
}

/// The instruction of a line; `FROM` is not one, see [`super::Stage`].
pub fn instruction(line: &Line, escape: char) -> Result<Located, ParseError> {
    let instruction = parsed(line, escape).map_err(|message| ParseError::at(line.first, line.last, message))?;
    let (text, comments) = (line.text.clone(), line.comments.clone());
    Ok(Located { instruction, text, comments, first: line.first, last: line.last })
}

fn parsed(line: &Line, escape: char) -> Result<Instruction, String> {
    let (flags, rest) = split(&line.rest);
    let name = line.keyword.to_uppercase();
    let some =
        |text: &str| if text.is_empty() { Err(format!("{name} requires at least one argument")) } else { Ok(()) };
    let exactly_one = matches!(line.keyword.as_str(), "maintainer" | "workdir" | "user" | "stopsignal");
    if rest.is_empty() && exactly_one {
        return Err(format!("{name} requires exactly one argument"));
    }
    if !matches!(line.keyword.as_str(), "arg" | "copy" | "add" | "run" | "healthcheck" | "stopsignal") {
        flags.allow(&[], &[])?;
    }
    Ok(match line.keyword.as_str() {
        "arg" => {
            some(&rest)?;
            Instruction::Arg(args(&rest, escape)?)
        }
        "env" => {
            some(&rest)?;
            Instruction::Env(named_pairs(&rest, "ENV", escape)?)
        }
        "label" => {
            some(&rest)?;
            Instruction::Label(named_pairs(&rest, "LABEL", escape)?)
        }
        "maintainer" => Instruction::Maintainer(rest),
        "copy" => Instruction::Copy(copying(line, &flags, &rest)?),
        "add" => Instruction::Add(copying(line, &flags, &rest)?),
        "run" => Instruction::Run(run(line, &flags, &rest)?),
        "cmd" => Instruction::Cmd(command(&rest)),
        "entrypoint" => Instruction::Entrypoint(command(&rest)),
        "expose" => {
            some(&rest)?;
            Instruction::Expose(rest)
        }
        "volume" => {
            some(&rest)?;
            let paths = json_strings(&rest).unwrap_or_else(|| blank_words(&rest));
            if paths.iter().any(|p| p.trim().is_empty()) {
                return Err("VOLUME specified can not be an empty string".into());
            }
            if paths.is_empty() {
                return Err("VOLUME requires at least one argument".into());
            }
            Instruction::Volume(paths)
        }
        "user" => Instruction::User(rest),
        "workdir" => Instruction::Workdir(rest),
        "onbuild" => Instruction::Onbuild(onbuild(line, &rest)?),
        "stopsignal" => Instruction::Stopsignal(rest),
        "healthcheck" => Instruction::Healthcheck(health(&flags, &rest)?),
        "shell" => match json_strings(&rest) {
            Some(words) if !words.is_empty() => Instruction::Shell(words),
            Some(_) => return Err("SHELL requires at least one argument".into()),
            None => return Err("SHELL requires the arguments to be in JSON form".into()),
        },
        unknown => return Err(unknown_instruction(&line.typed_keyword, unknown)),
    })
}

fn unknown_instruction(typed: &str, lower: &str) -> String {
    match nearest(lower, KEYWORDS) {
        Some(keyword) if typed == typed.to_uppercase() => {
            format!("unknown instruction: {typed} (did you mean {}?)", keyword.to_uppercase())
        }
        Some(keyword) => format!("unknown instruction: {typed} (did you mean {keyword}?)"),
        None => format!("unknown instruction: {typed}"),
    }
}

/// What may have been meant by a word that is none of the known ones; `None` where it is one, or nothing is near.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let near = known.into_iter().map(|k| (distance(word, k), k)).min_by_key(|(distance, _)| *distance);
    near.filter(|(distance, _)| (1..3).contains(distance)).map(|(_, k)| k)
}

/// How many letters must be added, left out or changed to make one word the other.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = before + usize::from(x != *y);
            before = row[j + 1];
            row[j + 1] = cost.min(before + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// What is wrong with the words of a line, before they are looked at for what they mean.
pub(super) fn check_words(line: &Line, escape: char) -> Result<(), String> {
    let (_, rest) = split(&line.rest);
    let list = match line.keyword.as_str() {
        "env" | "label" => {
            return if rest.is_empty() { Ok(()) } else { pairs(&rest, &line.keyword.to_uppercase(), escape).map(drop) };
        }
        "onbuild" => return check_words(&triggered(line, &rest), escape),
        "healthcheck" => rest.split_once(char::is_whitespace).map_or("", |(_, command)| command.trim()),
        "add" | "cmd" | "copy" | "entrypoint" | "run" | "shell" | "volume" => &rest,
        _ => return Ok(()),
    };
    let list: Option<serde_json::Value> = serde_json::from_str(list).ok();
    match list.as_ref().and_then(|list| list.as_array()) {
        Some(all) if all.iter().any(|one| !one.is_string()) => {
            Err("when using JSON array syntax, arrays must be comprised of strings only".into())
        }
        _ => Ok(()),
    }
}

/// Words between blanks, whatever else is in them.
fn blank_words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_string).collect()
}

/// A JSON list of strings, if that is what the text is.
fn json_strings(text: &str) -> Option<Vec<String>> {
    if !text.starts_with('[') {
        return None;
    }
    serde_json::from_str(text).and_then(serde_json::from_value).ok()
}

fn command(rest: &str) -> Command {
    match json_strings(rest) {
        Some(words) => Command::Exec(words),
        None => Command::Shell(rest.to_string()),
    }
}

fn args(rest: &str, escape: char) -> Result<Vec<(String, Option<String>)>, String> {
    let mut all = Vec::new();
    for word in raw_words(rest, escape) {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name.to_string(), Some(value.to_string())),
            None => (word, None),
        };
        if name.is_empty() {
            return Err("ARG names can not be blank".into());
        }
        all.push((name, value));
    }
    Ok(all)
}

/// `a=1 b=2`, or the old form: a name, a blank, and the rest of the line.
fn pairs(rest: &str, keyword: &str, escape: char) -> Result<Vec<(String, String)>, String> {
    let words = raw_words(rest, escape);
    let first = words.first().map_or("", String::as_str);
    if !first.contains('=') {
        let Some((name, value)) = rest.split_once(char::is_whitespace) else {
            return Err(format!("{keyword} must have two arguments"));
        };
        return Ok(vec![(name.to_string(), value.trim().to_string())]);
    }
    let mut all = Vec::new();
    for word in &words {
        let Some((name, value)) = word.split_once('=') else {
            return Err(format!("Syntax error - can't find = in {word:?}. Must be of the form: name=value"));
        };
        all.push((name.to_string(), value.to_string()));
    }
    Ok(all)
}

fn named_pairs(rest: &str, keyword: &str, escape: char) -> Result<Vec<(String, String)>, String> {
    let all = pairs(rest, keyword, escape)?;
    if all.iter().any(|(name, _)| name.is_empty()) {
        return Err(format!("{keyword} names can not be blank"));
    }
    Ok(all)
}

fn copying(line: &Line, flags: &Flags, rest: &str) -> Result<Copying, String> {
    let add = line.keyword == "add";
    let name = line.keyword.to_uppercase();
    let mut words = json_strings(rest).unwrap_or_else(|| blank_words(rest));
    let target = words.pop();
    let (Some(target), false) = (target, words.is_empty()) else {
        return Err(format!(
            "{name} requires at least two arguments, but only one was provided. Destination could not be determined"
        ));
    };
    if add {
        flags.allow(&["chown", "chmod", "link", "keep-git-dir", "checksum", "unpack"], &["exclude"])?;
    } else {
        flags.allow(&["chown", "chmod", "link", "from", "parents"], &["exclude"])?;
    }
    if Heredoc::of(&target).is_some() {
        return Err(format!("{name} cannot accept a heredoc as a destination"));
    }
    let mut heredocs = line.heredocs.iter();
    let sources = words.into_iter().map(|word| match Heredoc::of(&word).and_then(|_| heredocs.next()) {
        Some(heredoc) => Source::Inline(heredoc.clone()),
        None => Source::Path(word),
    });
    Ok(Copying {
        sources: sources.collect(),
        target,
        from: flags.value("from")?,
        chown: flags.value("chown")?,
        chmod: flags.value("chmod")?,
        link: flags.boolean("link")?,
        parents: flags.boolean("parents")?,
        exclude: flags.values("exclude")?,
        checksum: flags.value("checksum")?,
        unpack: match flags.value("unpack") {
            Ok(None) => None,
            _ => Some(flags.boolean("unpack")?),
        },
        keep_git_dir: flags.boolean("keep-git-dir")?,
    })
}

fn run(line: &Line, flags: &Flags, rest: &str) -> Result<RunStep, String> {
    flags.allow(&["network", "security"], &["mount", "device"])?;
    let network = match flags.value("network")?.as_deref() {
        None | Some("default") => Network::Default,
        Some("none") => Network::None,
        Some("host") => Network::Host,
        Some(other) => return Err(format!("invalid network mode: {other:?}")),
    };
    let insecure = match flags.value("security")?.as_deref() {
        None | Some("sandbox") => false,
        Some("insecure") => true,
        Some(other) => return Err(format!("invalid security mode: {other:?}")),
    };
    let mounts = flags.values("mount")?.iter().map(|m| MountFlag::parse(m)).collect::<Result<_, _>>()?;
    Ok(RunStep { command: command(rest), heredocs: line.heredocs.clone(), mounts, network, insecure })
}

/// The line that `ONBUILD` keeps.
fn triggered(line: &Line, rest: &str) -> Line {
    let (keyword, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    Line {
        keyword: keyword.to_lowercase(),
        typed_keyword: keyword.to_string(),
        rest: after.trim().to_string(),
        text: rest.to_string(),
        ..line.clone()
    }
}

fn onbuild(line: &Line, rest: &str) -> Result<String, String> {
    if rest.is_empty() {
        return Err("ONBUILD requires at least one argument".into());
    }
    let keyword = rest.split_whitespace().next().unwrap_or("");
    match keyword.to_lowercase().as_str() {
        "onbuild" => return Err("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed".into()),
        "from" | "maintainer" => return Err(format!("{} isn't allowed as an ONBUILD trigger", keyword.to_uppercase())),
        _ => {}
    }
    let bodies: String = line.heredocs.iter().map(|h| format!("\n{}{}", h.content, h.name)).collect();
    Ok(rest.to_string() + &bodies)
}

fn health(flags: &Flags, rest: &str) -> Result<Health, String> {
    let (kind, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let after = after.trim();
    match kind.to_uppercase().as_str() {
        "" => return Err("HEALTHCHECK requires at least one argument".into()),
        "NONE" if !after.is_empty() => return Err("HEALTHCHECK NONE takes no arguments".into()),
        "NONE" => return Ok(Health::default()),
        _ => {}
    }
    flags.allow(&["interval", "timeout", "start-period", "start-interval", "retries"], &[])?;
    match kind.to_uppercase().as_str() {
        "CMD" if after.is_empty() || json_strings(after).is_some_and(|words| words.is_empty()) => {
            return Err("Missing command after HEALTHCHECK CMD".into());
        }
        "CMD" => {}
        other => return Err(format!("Unknown type {other:?} in HEALTHCHECK (try CMD)")),
    }
    let time = |name: &str| match flags.value(name)? {
        None => Ok(0),
        Some(text) => {
            let time = crate::container::spec::parse_duration(&text)?;
            if time != 0 && time < 1_000_000 {
                return Err(format!("Interval {name:?} cannot be less than 1ms"));
            }
            Ok(u64::try_from(time).unwrap_or(0))
        }
    };
    let retries = match flags.value("retries")? {
        None => 0,
        Some(text) => match text.parse::<i64>() {
            Ok(n) if i32::try_from(n).is_err() => {
                return Err(format!("strconv.ParseInt: parsing {text:?}: value out of range"));
            }
            Ok(n) if n < 0 => return Err(format!("--retries cannot be negative ({n})")),
            Ok(n) => u32::try_from(n).unwrap_or(u32::MAX),
            Err(_) => return Err(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")),
        },
    };
    Ok(Health {
        command: Some(command(after)),
        interval: time("interval")?,
        timeout: time("timeout")?,
        start_period: time("start-period")?,
        start_interval: time("start-interval")?,
        retries,
    })
}
