//! `set` and `shopt`: how the shell behaves.

use super::super::escape::single_quoted;
use super::super::variables::Value;
use super::super::{Options, Run, Shell};
use crate::os::Os;

/// A place in the options.
type Field = fn(&mut Options) -> &mut bool;

/// The names of `set -o`, their letters, and what they set. In ash's order.
const NAMED: &[(&str, char, Field)] = &[
    ("errexit", 'e', |o| &mut o.errexit),
    ("noglob", 'f', |o| &mut o.noglob),
    ("ignoreeof", 'I', |o| &mut o.ignoreeof),
    ("monitor", 'm', |o| &mut o.monitor),
    ("noexec", 'n', |o| &mut o.noexec),
    ("xtrace", 'x', |o| &mut o.xtrace),
    ("verbose", 'v', |o| &mut o.verbose),
    ("noclobber", 'C', |o| &mut o.noclobber),
    ("allexport", 'a', |o| &mut o.allexport),
    ("notify", 'b', |o| &mut o.notify),
    ("nounset", 'u', |o| &mut o.nounset),
    ("pipefail", '\0', |o| &mut o.pipefail),
    ("braceexpand", 'B', |o| &mut o.braceexpand),
];

const SHOPT: &[(&str, Field)] = &[
    ("dotglob", |o| &mut o.dotglob),
    ("extglob", |o| &mut o.extglob),
    ("nocasematch", |o| &mut o.nocasematch),
    ("nullglob", |o| &mut o.nullglob),
];

/// Sets the option of this letter; `false` where there is none.
pub fn set_option(options: &mut Options, letter: char, on: bool) -> bool {
    let found = NAMED.iter().find(|(_, l, _)| *l == letter && letter != '\0');
    found.map(|(_, _, field)| *field(options) = on).is_some() || letter == 'h'
}

/// Sets the option of this name; `false` where there is none.
pub fn set_named_option(options: &mut Options, name: &str, on: bool) -> bool {
    let found = NAMED.iter().find(|(n, _, _)| *n == name);
    found.map(|(_, _, field)| *field(options) = on).is_some() || matches!(name, "vi" | "emacs" | "posix" | "errtrace")
}

pub(super) async fn set<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    if args.is_empty() {
        let show = |(name, v): (&String, &super::super::variables::Variable)| {
            let text = v.value.as_ref().and_then(Value::scalar)?;
            Some(format!("{name}={}\n", single_quoted(text)))
        };
        let text: String = shell.variables.iter().filter_map(show).collect();
        return Ok(shell.print(&text).await);
    }
    let mut i = 0;
    while let Some(word) = args.get(i) {
        if word == "--" || word == "-" {
            shell.args = args[i + 1..].to_vec();
            return Ok(0);
        }
        if word.len() < 2 || !word.starts_with(['-', '+']) {
            break;
        }
        i += 1;
        let on = word.starts_with('-');
        for letter in word[1..].chars() {
            if letter == 'o' {
                match args.get(i) {
                    None => return list(shell, on).await,
                    Some(name) => {
                        i += 1;
                        if !set_named_option(&mut shell.options, name, on) {
                            return shell.fail(&format!("illegal option -o {name}"), 2).await;
                        }
                    }
                }
            } else if !set_option(&mut shell.options, letter, on) {
                let sign = if on { '-' } else { '+' };
                return shell.fail(&format!("illegal option {sign}{letter}"), 2).await;
            }
        }
    }
    if i < args.len() {
        shell.args = args[i..].to_vec();
    }
    Ok(0)
}

async fn list<O: Os>(shell: &mut Shell<O>, readable: bool) -> Run<i32> {
    let mut text = String::new();
    for (name, _, field) in NAMED {
        let on = *field(&mut shell.options);
        text.push_str(&match readable {
            true => format!("{name:<16}{}\n", if on { "on" } else { "off" }),
            false => format!("set {}o {name}\n", if on { '-' } else { '+' }),
        });
    }
    Ok(shell.print(&text).await)
}

pub(super) async fn shopt<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let (flags, rest) = super::letters(shell, args, "suqpo").await?;
    let has = |flag: char| flags.iter().any(|(f, _)| *f == flag);
    let mut status = 0;
    for (name, field) in SHOPT.iter().filter(|_| rest.is_empty()) {
        let on = *field(&mut shell.options);
        shell.print(&format!("{name:<20}{}\n", if on { "on" } else { "off" })).await;
    }
    for name in rest {
        let Some((_, field)) = SHOPT.iter().find(|(n, _)| n == name) else {
            // Those of bash that make no difference here are taken without a word.
            if !shell.bash {
                shell.complain(&format!("{name}: invalid shell option name")).await;
                status = 1;
            }
            continue;
        };
        let place = field(&mut shell.options);
        if has('s') || has('u') {
            *place = has('s');
        } else {
            let on = *place;
            status = i32::from(!on);
            if !has('q') {
                shell.print(&format!("{name:<20}{}\n", if on { "on" } else { "off" })).await;
            }
        }
    }
    Ok(status)
}
