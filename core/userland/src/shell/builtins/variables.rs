//! Builtins about variables and parameters.

use super::super::escape::{quoted_if_needed, single_quoted};
use super::super::parse::is_name;
use super::super::variables::{Value, Variable};
use super::super::{Run, Shell, arith};
use crate::os::Os;
use crate::sorted::Map as BTreeMap;

/// `export`, `readonly`, `local`, `declare` and `typeset`: one mechanism with different defaults.
pub(super) async fn declare<O: Os>(shell: &mut Shell<O>, argv: &[String]) -> Run<i32> {
    let name = argv[0].as_str();
    let mut flags: Vec<(char, bool)> = Vec::new();
    let mut i = 1;
    while let Some(word) = argv.get(i).filter(|w| w.len() > 1 && w.starts_with(['-', '+'])) {
        i += 1;
        if word == "--" {
            break;
        }
        for letter in word[1..].chars() {
            if !"aAfFgilnprtux".contains(letter) {
                return shell.fail(&format!("illegal option -{letter}"), 2).await;
            }
            flags.push((letter, word.starts_with('-')));
        }
    }
    let words = &argv[i..];
    let unexports = name == "export" && flags.contains(&('n', true));
    flags.retain(|(letter, _)| !(unexports && *letter == 'n'));
    match name {
        "export" => flags.push(('x', !unexports)),
        "readonly" => flags.push(('r', true)),
        _ => {}
    }
    let has = |letter: char| flags.contains(&(letter, true));
    if name == "local" && !shell.variables.in_function() {
        return shell.fail("not in a function", 2).await;
    }
    if has('f') || has('F') {
        let missing = words.iter().any(|word| !shell.functions.contains_key(word));
        return Ok(i32::from(missing));
    }
    if words.is_empty() || has('p') {
        return list(shell, name, &flags, words).await;
    }
    let local =
        name == "local" || (matches!(name, "declare" | "typeset") && shell.variables.in_function() && !has('g'));
    for word in words {
        declare_one(shell, word, &flags, local).await?;
    }
    Ok(0)
}

async fn declare_one<O: Os>(shell: &mut Shell<O>, word: &str, flags: &[(char, bool)], local: bool) -> Run<()> {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value.to_string())),
        None => (word, None),
    };
    let (name, append) = match name.strip_suffix('+') {
        Some(name) => (name, true),
        None => (name, false),
    };
    if !is_name(name) {
        return shell.bad_name(name).await;
    }
    if local {
        let fresh = !shell.variables.is_local(name);
        shell.variables.make_local(name);
        if fresh && shell.bash && value.is_none() {
            shell.variables.restore(name, Some(Variable::default()));
        }
    }
    let nameref = flags.contains(&('n', true));
    let variable = shell.variables.entry(name);
    for (letter, on) in flags {
        match letter {
            'x' => variable.exported = *on,
            'i' => variable.integer = *on,
            'l' => variable.lower = *on,
            'u' => variable.upper = *on,
            'a' if !matches!(variable.value, Some(Value::Indexed(_))) => {
                let before = variable.value.take().and_then(|v| v.scalar().map(str::to_string));
                variable.value = Some(Value::Indexed(before.map(|text| (0, text)).into_iter().collect()));
            }
            'A' if !matches!(variable.value, Some(Value::Keyed(_))) => {
                variable.value = Some(Value::Keyed(BTreeMap::new()));
            }
            _ => {}
        }
    }
    let integer = variable.integer;
    if let Some(mut value) = value {
        if append {
            value = shell.variables.get(name).unwrap_or("").to_string() + &value;
        }
        if integer {
            value = match arith::evaluate(&value, shell) {
                Ok(number) => number.to_string(),
                Err(message) => return shell.fail(&message, 2).await,
            };
        }
        shell.assign(name, value).await?;
    }
    let variable = shell.variables.entry(name);
    variable.reference |= nameref;
    variable.readonly |= flags.contains(&('r', true));
    Ok(())
}

async fn list<O: Os>(shell: &mut Shell<O>, builtin: &str, flags: &[(char, bool)], words: &[String]) -> Run<i32> {
    let wanted = |v: &Variable| {
        flags.iter().all(|(letter, on)| match letter {
            'x' => v.exported == *on,
            'r' => v.readonly == *on,
            'a' => matches!(v.value, Some(Value::Indexed(_))),
            'A' => matches!(v.value, Some(Value::Keyed(_))),
            'i' => v.integer == *on,
            _ => true,
        })
    };
    let mut text = String::new();
    let mut missing = false;
    for word in words {
        missing |= shell.variables.find(word).is_none();
    }
    for (name, variable) in shell.variables.iter().filter(|(_, v)| wanted(v)) {
        if !words.is_empty() && !words.contains(name) {
            continue;
        }
        let value = variable.value.as_ref();
        text.push_str(&match builtin {
            "export" | "readonly" => {
                let value = value.and_then(Value::scalar).map(|v| format!("={}", single_quoted(v)));
                format!("{builtin} {name}{}\n", value.unwrap_or_default())
            }
            _ => format!("declare {} {name}{}\n", attributes(variable), value.map(shown).unwrap_or_default()),
        });
    }
    let status = shell.print(&text).await;
    Ok(if missing { 1 } else { status })
}

fn attributes(v: &Variable) -> String {
    let letters = [
        (matches!(v.value, Some(Value::Indexed(_))), 'a'),
        (matches!(v.value, Some(Value::Keyed(_))), 'A'),
        (v.integer, 'i'),
        (v.reference, 'n'),
        (v.readonly, 'r'),
        (v.exported, 'x'),
    ];
    let set: String = letters.iter().filter(|(on, _)| *on).map(|(_, c)| *c).collect();
    if set.is_empty() { "--".to_string() } else { format!("-{set}") }
}

fn shown(value: &Value) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$"));
    let pairs: Vec<String> = match value {
        Value::Scalar(text) => return format!("={}", quoted(text)),
        Value::Indexed(map) => map.iter().map(|(k, v)| format!("[{k}]={}", quoted(v))).collect(),
        Value::Keyed(map) => map.iter().map(|(k, v)| format!("[{}]={} ", quoted_if_needed(k), quoted(v))).collect(),
    };
    let separator = if matches!(value, Value::Keyed(_)) { "" } else { " " };
    format!("=({})", pairs.join(separator))
}

pub(super) async fn unset<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let (flags, rest) = super::letters(shell, args, "fvn").await?;
    for word in rest {
        if flags.iter().any(|(f, _)| *f == 'f') {
            shell.functions.remove(word);
            continue;
        }
        if let Some((name, index)) = word.strip_suffix(']').and_then(|w| w.split_once('[')) {
            unset_element(shell, name, index).await?;
            continue;
        }
        if !is_name(word) {
            return shell.bad_name(word).await;
        }
        if shell.variables.find(word).is_none() && flags.is_empty() && shell.bash {
            shell.functions.remove(word);
        }
        if let Err(readonly) = shell.variables.unset(word) {
            return shell.fail(&format!("{}: is read only", readonly.0), 2).await;
        }
    }
    Ok(0)
}

async fn unset_element<O: Os>(shell: &mut Shell<O>, name: &str, index: &str) -> Run<()> {
    let key = match shell.key_of(name, index) {
        Ok(key) => key,
        Err(message) => return shell.fail(&message, 2).await,
    };
    match &mut shell.variables.entry(name).value {
        Some(Value::Keyed(map)) => drop(map.remove(&key)),
        Some(Value::Indexed(map)) => {
            let mut index = key.parse::<i64>().unwrap_or(0);
            if index < 0 {
                index += map.keys().next_back().map_or(0, |last| last + 1);
            }
            map.remove(&index);
        }
        _ => {}
    }
    Ok(())
}

pub(super) async fn shift<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let count = match args.first() {
        Some(text) => super::number(shell, text).await? as usize,
        None => 1,
    };
    if count > shell.args.len() {
        return Ok(1);
    }
    shell.args.drain(..count);
    Ok(0)
}

pub(super) async fn let_<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    if args.is_empty() {
        return shell.fail("expression expected", 2).await;
    }
    let mut value = 0;
    for text in args {
        value = match arith::evaluate(text, shell) {
            Ok(value) => value,
            Err(message) => return shell.fail(&message, 2).await,
        };
    }
    Ok(i32::from(value == 0))
}

/// `getopts OPTSTRING NAME [ARG…]`. Source: POSIX, XCU `getopts`.
pub(super) async fn getopts<O: Os>(shell: &mut Shell<O>, args: &[String]) -> Run<i32> {
    let [letters, name, words @ ..] = args else {
        return shell.fail("Usage: getopts optstring var [arg]", 2).await;
    };
    let words = if words.is_empty() { shell.args.clone() } else { words.to_vec() };
    let silent = letters.starts_with(':');
    let mut index: i64 = shell.variables.get("OPTIND").and_then(|n| n.parse().ok()).unwrap_or(1);
    if index != shell.getopts.index {
        shell.getopts.within = 0;
    }
    let mut found = None;
    let mut value = None;
    if let Some(word) = words.get((index.max(1) - 1) as usize) {
        let chars: Vec<char> = word.chars().collect();
        if shell.getopts.within == 0 && (chars.len() < 2 || chars[0] != '-') {
            // The first word that is no option ends them.
        } else if shell.getopts.within == 0 && word == "--" {
            index += 1;
        } else {
            let at = shell.getopts.within.max(1);
            let letter = chars.get(at).copied().unwrap_or('?');
            let mut rest: String = chars[(at + 1).min(chars.len())..].iter().collect();
            let known = letters.find(letter).filter(|_| letter != ':');
            let takes = known.is_some_and(|n| letters[n + letter.len_utf8()..].starts_with(':'));
            shell.getopts.within = at + 1;
            found = Some(letter);
            if known.is_none() {
                if silent {
                    value = Some(letter.to_string());
                } else {
                    crate::io::eprint(&shell.os, &format!("Illegal option -{letter}")).await;
                }
                found = Some('?');
            } else if takes {
                if rest.is_empty() {
                    index += 1;
                    match words.get((index - 1) as usize) {
                        Some(next) => value = Some(next.clone()),
                        None if silent => {
                            (found, value) = (Some(':'), Some(letter.to_string()));
                            index -= 1;
                        }
                        None => {
                            index -= 1;
                            crate::io::eprint(&shell.os, &format!("No arg for -{letter} option")).await;
                            found = Some('?');
                        }
                    }
                } else {
                    value = Some(std::mem::take(&mut rest));
                }
            }
            if rest.is_empty() {
                index += 1;
                shell.getopts.within = 0;
            }
        }
    }
    let within = shell.getopts.within;
    shell.assign("OPTIND", index.to_string()).await?;
    shell.getopts.within = within;
    shell.getopts.index = index;
    match value {
        Some(value) => shell.assign("OPTARG", value).await?,
        None => drop(shell.variables.unset("OPTARG")),
    }
    shell.assign(name, found.unwrap_or('?').to_string()).await?;
    Ok(i32::from(found.is_none()))
}
