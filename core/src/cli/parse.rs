//! Words to an [`Invocation`]: finds the command, has clap match its flags, and words errors as Docker does.
//!
//! clap's own messages are never shown: its kinds of error are, in the words of Docker's flag library.

use super::args::{Args, Invocation};
use super::surface::{Definition, Flag, find};
use super::usage::Usage;
use super::{DOCKER_VERSION, help, support, values};
use crate::container::spec::csv;
use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};

/// Parses the words after `docker`. What is answered without the engine (help, errors of usage) is the error.
pub fn parse(argv: &[String]) -> Result<Invocation, Usage> {
    let root = find("docker").expect("the table has the root");
    let mut global = match_words(&root, "docker", argv, true)?;
    if global.flag("version") {
        return Err(Usage::out(format!("Docker version {DOCKER_VERSION}, build cutaway\n")));
    }
    const LEVELS: [&str; 8] = ["debug", "info", "warn", "warning", "error", "fatal", "panic", "trace"];
    if let Some(level) = global.value("log-level")
        && !level.is_empty()
        && !LEVELS.contains(&level.to_ascii_lowercase().as_str())
    {
        return Err(Usage::error(format!("Unable to parse logging level: {level}"), 1));
    }
    let mut words = std::mem::take(&mut global.positionals);
    if words.first().is_some_and(|w| w == "help") && !global.flag("help") {
        return Err(help_on(&words[1..]));
    }
    let (mut group, mut path) = (root, "docker".to_string());
    loop {
        if global.flag("help") {
            return Err(Usage::out(help::render(&group, &path)));
        }
        if words.is_empty() {
            return Err(Usage::unasked(&group, help::render(&group, &path)));
        }
        let word = words.remove(0);
        let typed = format!("{path} {word}");
        let Some(definition) = find(&typed) else {
            // Docker's own groups look for their flags before they look at the words.
            if group.name != "docker" && !group.is_of_plugin() {
                let asked = match_words(&group, &path, &words, false)?;
                if asked.flag("help") {
                    return Err(Usage::out(help::render(&group, &path)));
                }
            }
            return Err(unknown(&group, &path, &word));
        };
        if !definition.group {
            return finish(&definition, &typed, global, &words);
        }
        let mut own = match_words(&definition, &typed, &words, true)?;
        let next = own.positionals.first();
        // A group may be a command as well, where none of its own is named.
        if definition.most.is_some() && next.is_none_or(|next| find(&format!("{typed} {next}")).is_none()) {
            return finish(&definition, &typed, global, &words);
        }
        words = std::mem::take(&mut own.positionals);
        global.flags.extend(own.flags);
        (group, path) = (definition, typed);
    }
}

/// Parses the words of a command proper.
fn finish(definition: &Definition, path: &str, global: Args, words: &[String]) -> Result<Invocation, Usage> {
    let mut args = match_words(definition, path, words, definition.stop)?;
    if args.flag("help") {
        return Err(Usage::out(help::render(definition, path)));
    }
    args.flags.remove("help");
    let given = args.positionals.len();
    if given < definition.least || definition.most.is_some_and(|most| given > most) {
        return Err(Usage::count(definition, path, given));
    }
    if let Some(reason) = support::refusal(definition.name) {
        return Err(Usage::error(reason.to_string(), 1));
    }
    Ok(Invocation { command: definition.name, typed: definition.shown_as(path), global, args })
}

fn unknown(group: &Definition, path: &str, word: &str) -> Usage {
    if group.name == "docker"
        && let Some(name) = support::SWARM_GROUPS.iter().chain(&["checkpoint"]).find(|name| **name == word)
    {
        return Usage::error(support::refusal(name).unwrap_or_default().to_string(), 1);
    }
    if path == "docker swarm" {
        return Usage::error(support::refusal("swarm").unwrap_or_default().to_string(), 1);
    }
    Usage::unknown_command(group, path, word, &help::render(group, path))
}

/// `docker help`, `docker help run`.
fn help_on(topic: &[String]) -> Usage {
    let path = topic.iter().fold("docker".to_string(), |path, word| format!("{path} {word}"));
    match find(&path) {
        Some(definition) => Usage::out(help::render(&definition, &path)),
        None => {
            // What is left after the words that do name something.
            let known = (1..topic.len()).rev().find(|n| find(&format!("docker {}", topic[..*n].join(" "))).is_some());
            Usage::error(format!("unknown help topic: {}", topic[known.unwrap_or(0)..].join(" ")), 1)
        }
    }
}

/// Matches words with the flags of one command; with `stop`, the first positional word ends the flags.
fn match_words(definition: &Definition, path: &str, words: &[String], stop: bool) -> Result<Args, Usage> {
    let mut matches = match clap_command(definition, stop).try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return Err(Usage::flag(definition, path, &problem(&error, words))),
    };
    let mut args = Args::default();
    for flag in &definition.flags {
        let Some(given) = matches.remove_many::<String>(flag.long) else { continue };
        let given: Vec<String> = match flag.kind {
            "strings" | "stringToString" => given.flat_map(|v| csv(&v)).collect(),
            _ => given.collect(),
        };
        args.flags.insert(flag.long.to_string(), given);
    }
    if definition.flags.iter().all(|f| f.long != "help")
        && let Some(given) = matches.remove_many::<String>("help")
    {
        args.flags.insert("help".to_string(), given.collect());
    }
    args.positionals = matches.remove_many::<String>(WORDS).map(Iterator::collect).unwrap_or_default();
    Ok(args)
}

/// The positional words' id; flags are known by their long names, which have no blank.
const WORDS: &str = "positional words";

/// The clap command of one definition: every flag collects its values as text that has been checked.
fn clap_command(definition: &Definition, stop: bool) -> Command {
    let mut command = Command::new("docker")
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true);
    let mut short_h = true;
    let mut long_help = true;
    for flag in &definition.flags {
        short_h &= flag.short != Some('h');
        long_help &= flag.long != "help";
        command = command.arg(clap_flag(definition.name, flag));
    }
    if long_help {
        let short = short_h.then_some('h');
        let help =
            Flag { short, long: "help", kind: "", default: None, help: "Print usage", own: false, hidden: false };
        command = command.arg(clap_flag(definition.name, &help));
    }
    command.arg(Arg::new(WORDS).num_args(0..).action(ArgAction::Append).trailing_var_arg(stop))
}

fn clap_flag(command: &str, flag: &Flag) -> Arg {
    let compose = command.starts_with("compose");
    let checked = flag.clone();
    let check = move |value: &str| -> Result<String, String> {
        values::check(&checked, compose, value)
            .map_err(|reason| format!("invalid argument {value:?} for \"{}\" flag: {reason}", checked.name()))
    };
    let arg = Arg::new(flag.long).long(flag.long).action(ArgAction::Append).value_parser(ValueParser::new(check));
    let arg = match flag.short {
        Some(short) => arg.short(short),
        None => arg,
    };
    if flag.kind.is_empty() {
        arg.num_args(0..=1).require_equals(true).default_missing_value("true")
    } else {
        arg.num_args(1).allow_hyphen_values(true)
    }
}

/// A clap error in the words of Docker's flag library.
fn problem(error: &clap::Error, words: &[String]) -> String {
    let about = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    match error.kind() {
        ErrorKind::UnknownArgument => unknown_flag(about, words),
        ErrorKind::ValueValidation => {
            std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
        }
        // Only the last word can be a flag whose value is missing.
        _ => match words.last() {
            Some(word) if word.starts_with("--") => format!("flag needs an argument: {word}"),
            Some(word) => {
                let letter = word.chars().last().unwrap_or('-');
                format!("flag needs an argument: '{letter}' in -{letter}")
            }
            None => error.to_string(),
        },
    }
}

fn unknown_flag(about: &str, words: &[String]) -> String {
    let name = about.split('=').next().unwrap_or(about);
    if about.starts_with("---") || about.starts_with("--=") || name == "--" {
        let word = words.iter().find(|w| w.starts_with("---") || w.starts_with("--=")).map_or(about, |w| w);
        return format!("bad flag syntax: {word}");
    }
    if name.starts_with("--") {
        return format!("unknown flag: {name}");
    }
    // clap names the letter alone; Docker quotes the rest of the bundle from there on.
    let letter = name.chars().nth(1).unwrap_or('-');
    let bundle = words
        .iter()
        .filter(|w| w.starts_with('-') && !w.starts_with("--"))
        .find_map(|w| w.get(1..)?.find(letter).map(|at| &w[1 + at..]));
    format!("unknown shorthand flag: '{letter}' in -{}", bundle.unwrap_or(&name[1..]))
}
