//! The functions of templates: Go's own and Docker's. `and`, `or` and `call` are in the executor.

use super::print::{self, plain};
use super::sprintf::sprintf;
use super::value::{Shape, Val, Zero, member};
use cutaway_userland::sorted::Arrange;
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

type Result<'a> = std::result::Result<Val<'a>, String>;

const NAMES: [&str; 27] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "join", "js", "json", "le", "len", "lower", "lt", "ne", "not",
    "or", "pad", "print", "printf", "println", "slice", "split", "title", "truncate", "upper", "urlquery",
];

pub(super) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

/// What a function wants as an argument.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Parameter {
    Any,
    Text,
    Int,
    Texts,
}

pub(super) fn parameter(name: &str, index: usize) -> Parameter {
    match (name, index) {
        ("join", 0) => Parameter::Texts,
        ("pad", 1 | 2) | ("truncate", 1) => Parameter::Int,
        ("upper" | "lower" | "title" | "split" | "join" | "pad" | "truncate", _) | ("printf", 0) => Parameter::Text,
        _ => Parameter::Any,
    }
}

/// Whether a function may have so many arguments.
pub(super) fn count(name: &str, given: usize) -> std::result::Result<(), String> {
    let (least, open) = match name {
        "print" | "println" | "html" | "js" | "urlquery" => (0, true),
        "and" | "or" | "call" | "eq" | "index" | "printf" | "slice" => (1, true),
        "split" | "join" | "truncate" | "ne" | "lt" | "le" | "gt" | "ge" => (2, false),
        "pad" => (3, false),
        _ => (1, false),
    };
    match (given < least, open) {
        (true, true) => Err(format!("wrong number of args for {name}: want at least {least} got {given}")),
        (_, false) if given != least => Err(format!("wrong number of args for {name}: want {least} got {given}")),
        _ => Ok(()),
    }
}

/// Calls a function, whose arguments have been counted; the error is what follows `error calling name: `.
pub(super) fn call<'a>(name: &str, args: &[Val<'a>], shape: &Shape) -> Result<'a> {
    if shape.heading && matches!(name, "json" | "title" | "lower" | "upper" | "truncate" | "join") {
        return Ok(args.first().cloned().unwrap_or(Val::NoValue));
    }
    match name {
        "print" => Ok(Val::own(print_all(args))),
        "println" => Ok(Val::own(args.iter().map(plain).collect::<Vec<_>>().join(" ") + "\n")),
        "printf" => Ok(Val::own(sprintf(text(argument(args, 0))?, args.get(1..).unwrap_or_default()))),
        "html" | "js" | "urlquery" => Ok(Val::own(escape(name, &print_all(args)))),
        "len" => length(argument(args, 0)),
        "not" => Ok(Val::own(!argument(args, 0).truth())),
        "index" => {
            let keys = args.get(1..).unwrap_or_default();
            keys.iter().try_fold(argument(args, 0).clone(), |value, key| index(value, key))
        }
        "slice" => slice(args),
        "eq" | "ne" | "lt" | "le" | "gt" | "ge" => compare(name, args),
        "json" if shape.wire => Ok(Val::own(print::indented_json(argument(args, 0).json()))),
        "json" => Ok(Val::own(print::json(&visible(argument(args, 0))))),
        "upper" => Ok(Val::own(text(argument(args, 0))?.to_uppercase())),
        "lower" => Ok(Val::own(text(argument(args, 0))?.to_lowercase())),
        "title" => Ok(Val::own(title(text(argument(args, 0))?))),
        "split" => Ok(Val::own(split(text(argument(args, 0))?, text(argument(args, 1))?))),
        "join" => join(argument(args, 0), text(argument(args, 1))?),
        "pad" => {
            let (before, after) = (whole(argument(args, 1))?.min(10_000), whole(argument(args, 2))?.min(10_000));
            let value = text(argument(args, 0))?;
            if !value.is_empty() && (before < 0 || after < 0) {
                return Err("strings: negative Repeat count".to_string());
            }
            // An empty value stays empty.
            let blanks = |n: i64| " ".repeat(n as usize);
            Ok(Val::own(if value.is_empty() { String::new() } else { blanks(before) + value + &blanks(after) }))
        }
        "truncate" => {
            let (value, length) = (text(argument(args, 0))?, whole(argument(args, 1))?);
            let most = usize::try_from(length);
            let most = most.map_err(|_| format!("runtime error: slice bounds out of range [:{length}]"))?;
            // Bytes, as in Go, but never half a character.
            Ok(Val::own(String::from_utf8_lossy(&value.as_bytes()[..most.min(value.len())]).into_owned()))
        }
        _ => Err(format!("function {name:?} not defined")),
    }
}

fn argument<'v, 'a>(args: &'v [Val<'a>], index: usize) -> &'v Val<'a> {
    args.get(index).unwrap_or(&Val::NoValue)
}

fn text<'v>(value: &'v Val) -> std::result::Result<&'v str, String> {
    value.text().ok_or_else(|| format!("wrong type for value; expected string; got {}", value.type_name()))
}

fn whole(value: &Val) -> std::result::Result<i64, String> {
    value.json().as_i64().ok_or_else(|| format!("wrong type for value; expected int; got {}", value.type_name()))
}

/// What a row shows of itself: keys with `@` are for its methods.
fn visible(value: &Val) -> Value {
    match value.json() {
        Value::Object(map) if map.keys().any(|k| k.starts_with('@')) => {
            let mut entries: Vec<(String, Value)> = map.into_iter().filter(|(k, _)| !k.starts_with('@')).collect();
            entries.arrange_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        value => value,
    }
}

/// Blanks go between two values that are not text.
fn print_all(args: &[Val]) -> String {
    let mut out = String::new();
    for (i, arg) in args.iter().enumerate() {
        if i > 0 && arg.text().is_none() && args[i - 1].text().is_none() {
            out.push(' ');
        }
        out.push_str(&plain(arg));
    }
    out
}

fn title(text: &str) -> String {
    let mut start = true;
    text.chars()
        .map(|c| {
            let up = start && c.is_alphabetic();
            start = !(c.is_alphanumeric() || c == '_');
            if up { c.to_uppercase().next().unwrap_or(c) } else { c }
        })
        .collect()
}

fn split(text: &str, separator: &str) -> Vec<String> {
    if separator.is_empty() {
        return text.chars().map(String::from).collect();
    }
    text.split(separator).map(str::to_string).collect()
}

fn join<'a>(value: &Val, separator: &str) -> Result<'a> {
    match value.json() {
        Value::Array(items) => {
            let parts: std::result::Result<Vec<String>, String> = items
                .iter()
                .map(|item| {
                    item.as_str()
                        .map(str::to_string)
                        .ok_or_else(|| format!("wrong type for value; expected []string; got {}", value.type_name()))
                })
                .collect();
            Ok(Val::own(parts?.join(separator)))
        }
        Value::Null => Ok(Val::own("")),
        _ => Err(format!("wrong type for value; expected []string; got {}", value.type_name())),
    }
}

/// What Go says of the length of nothing.
const ZERO: &str = "reflect: call of reflect.Value.Type on zero Value";

fn length<'a>(value: &Val) -> Result<'a> {
    let length = match value {
        Val::Nil(Zero::Slice | Zero::Map | Zero::Text) => 0,
        Val::Json(json) => match json.as_ref() {
            Value::String(s) => s.len(),
            Value::Array(a) => a.len(),
            Value::Object(o) => o.len(),
            Value::Null => return Err(ZERO.to_string()),
            _ => return Err(format!("len of type {}", value.type_name())),
        },
        _ => return Err(ZERO.to_string()),
    };
    Ok(Val::own(length))
}

/// An element of a list, by number, or of a map, by key.
fn index<'a>(value: Val<'a>, key: &Val) -> Result<'a> {
    let at = |length: usize| -> std::result::Result<usize, String> {
        let Some(number) = key.json().as_i64() else {
            return Err(match key.type_name() {
                "nil" => "cannot index slice/array with nil".to_string(),
                other => format!("cannot index slice/array with type {other}"),
            });
        };
        usize::try_from(number).ok().filter(|i| *i < length).ok_or_else(|| format!("index out of range: {number}"))
    };
    match value {
        Val::Json(Cow::Borrowed(Value::Array(items))) => Ok(Val::Json(Cow::Borrowed(&items[at(items.len())?]))),
        Val::Json(Cow::Owned(Value::Array(mut items))) => {
            let at = at(items.len())?;
            Ok(Val::own(items.swap_remove(at)))
        }
        // `inspect` looks again at the JSON, where it is not there at all.
        Val::Nil(Zero::Slice | Zero::Text | Zero::Int) => Err("index of untyped nil".to_string()),
        Val::Nil(Zero::Map) => Ok(Val::Nil(Zero::Text)),
        Val::Json(json) if json.is_string() => {
            let bytes = json.as_str().unwrap_or_default().as_bytes();
            // Go's own check lets the first number past the end through.
            match bytes.get(at(bytes.len() + 1)?) {
                Some(byte) => Ok(Val::own(*byte)),
                None => Err("reflect: string index out of range".to_string()),
            }
        }
        Val::Json(json) if json.is_object() => {
            let Some(name) = key.text() else {
                return Err(format!("value has type {}; should be string", key.type_name()));
            };
            let (found, absent) = {
                let map = json.as_object().expect("it is one");
                (member(map, name).cloned(), absent(map))
            };
            match (json, found) {
                (Cow::Borrowed(Value::Object(map)), Some(_)) => {
                    Ok(member(map, name).map_or(absent, |v| Val::Json(Cow::Borrowed(v))))
                }
                (_, Some(found)) => Ok(Val::own(found)),
                (_, None) => Ok(absent),
            }
        }
        Val::NoValue | Val::Nil(Zero::Pointer) => Err("index of untyped nil".to_string()),
        Val::Json(json) if json.is_null() => Err("index of untyped nil".to_string()),
        other => Err(format!("can't index item of type {}", other.type_name())),
    }
}

/// What a map gives for a key that it has not: the zero of its values' type, as far as they tell.
fn absent<'a>(map: &serde_json::Map<String, Value>) -> Val<'a> {
    match map.values().find(|v| !v.is_null()) {
        None if !map.is_empty() => Val::Nil(Zero::Slice),
        None | Some(Value::String(_)) => Val::Nil(Zero::Text),
        Some(Value::Array(_)) => Val::Nil(Zero::Slice),
        Some(Value::Number(_)) => Val::Nil(Zero::Int),
        _ => Val::NoValue,
    }
}

fn slice<'a>(args: &[Val<'a>]) -> Result<'a> {
    let (value, bounds) = (argument(args, 0), args.get(1..).unwrap_or_default());
    if bounds.len() == 3 && value.text().is_some() {
        return Err("cannot 3-index slice a string".to_string());
    }
    if bounds.len() > 3 {
        return Err(format!("too many slice indexes: {}", bounds.len()));
    }
    let cut = |length: usize| -> std::result::Result<(usize, usize), String> {
        let mut ends = [0, length];
        for (end, bound) in ends.iter_mut().zip(bounds) {
            let number = whole(bound)?;
            *end = usize::try_from(number)
                .ok()
                .filter(|n| *n <= length)
                .ok_or_else(|| format!("index out of range: {number}"))?;
        }
        if ends[0] > ends[1] {
            return Err(format!("invalid slice index: {} > {}", ends[0], ends[1]));
        }
        Ok((ends[0], ends[1]))
    };
    match value.json() {
        Value::String(text) => {
            let (from, to) = cut(text.len())?;
            Ok(Val::own(String::from_utf8_lossy(&text.as_bytes()[from..to]).into_owned()))
        }
        Value::Array(items) => {
            let (from, to) = cut(items.len())?;
            Ok(Val::own(items[from..to].to_vec()))
        }
        Value::Null => Err("slice of untyped nil".to_string()),
        _ => Err(format!("can't slice item of type {}", value.type_name())),
    }
}

fn compare<'a>(name: &str, args: &[Val]) -> Result<'a> {
    let (first, rest) = args.split_first().ok_or_else(|| "missing argument for comparison".to_string())?;
    if name == "eq" {
        if rest.is_empty() {
            return Err("missing argument for comparison".to_string());
        }
        for other in rest {
            if equal(first, other)? {
                return Ok(Val::own(true));
            }
        }
        return Ok(Val::own(false));
    }
    let second = argument(rest, 0);
    if name == "ne" {
        return Ok(Val::own(!equal(first, second)?));
    }
    let order = order(first, second)?;
    Ok(Val::own(match name {
        "lt" => order == Ordering::Less,
        "le" => order != Ordering::Greater,
        "gt" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }))
}

const INCOMPATIBLE: &str = "incompatible types for comparison";

fn equal(a: &Val, b: &Val) -> std::result::Result<bool, String> {
    match (a, b) {
        (Val::Complex(..), Val::Complex(..)) => return Ok(plain(a) == plain(b)),
        (Val::Complex(..), _) | (_, Val::Complex(..)) => return Err(INCOMPATIBLE.to_string()),
        _ => {}
    }
    match (a.json(), b.json()) {
        (Value::Number(a), Value::Number(b)) => match (a.is_f64(), b.is_f64()) {
            (false, false) => Ok(a.as_i128() == b.as_i128()),
            (true, true) => Ok(a.as_f64() == b.as_f64()),
            _ => Err(INCOMPATIBLE.to_string()),
        },
        (Value::Null, Value::Null) => Ok(true),
        (Value::Null, _) | (_, Value::Null) => Ok(false),
        (Value::String(a), Value::String(b)) => Ok(a == b),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        // Docker keeps nearly all of its structs by pointer.
        (Value::Object(a), Value::Object(b)) if print::is_struct(&a) && print::is_struct(&b) => Ok(a == b),
        (Value::Array(_) | Value::Object(_), _) => Err(incomparable(a)),
        (_, Value::Array(_) | Value::Object(_)) => Err(incomparable(b)),
        _ => Err(INCOMPATIBLE.to_string()),
    }
}

fn incomparable(value: &Val) -> String {
    // What is inspected, Docker looks at as plain JSON in the end.
    let kind = match value {
        Val::Json(Cow::Borrowed(_)) => value.type_name(),
        value => print::go_type(value),
    };
    format!("non-comparable type {}: {kind}", plain(value))
}

fn order(a: &Val, b: &Val) -> std::result::Result<Ordering, String> {
    match (a.json(), b.json()) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() == b.is_f64() => Ok(match a.is_f64() {
            true => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
            false => a.as_i128().cmp(&b.as_i128()),
        }),
        (Value::String(a), Value::String(b)) => Ok(a.cmp(&b)),
        (Value::Bool(_) | Value::Array(_) | Value::Object(_) | Value::Null, _) => {
            Err("invalid type for comparison".to_string())
        }
        _ => Err(INCOMPATIBLE.to_string()),
    }
}

fn escape(how: &str, text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match (how, c) {
            ("html", '&') => out.push_str("&amp;"),
            ("html", '<') => out.push_str("&lt;"),
            ("html", '>') => out.push_str("&gt;"),
            ("html", '"') => out.push_str("&#34;"),
            ("html", '\'') => out.push_str("&#39;"),
            ("html", '\0') => out.push('\u{fffd}'),
            ("html", c) => out.push(c),
            ("js", '\\') => out.push_str("\\\\"),
            ("js", '\'') => out.push_str("\\'"),
            ("js", '"') => out.push_str("\\\""),
            ("js", '<' | '>' | '&' | '=') => out.push_str(&format!("\\u{:04X}", c as u32)),
            ("js", c) if (c as u32) < 0x20 || matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}') => {
                out.push_str(&format!("\\u{:04X}", c as u32))
            }
            ("js", c) => out.push(c),
            (_, ' ') => out.push('+'),
            (_, c) if c.is_ascii_alphanumeric() || "-_.~".contains(c) => out.push(c),
            (_, c) => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&format!("%{byte:02X}"));
                }
            }
        }
    }
    out
}
