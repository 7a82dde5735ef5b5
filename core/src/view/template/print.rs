//! How Go prints values: `fmt.Print` over JSON.

use super::value::{Val, Zero};
use cutaway_userland::sorted::Arrange;
use serde_json::{Map, Number, Value};

/// As an action prints its value.
pub(super) fn action(value: &Val) -> String {
    match value {
        Val::NoValue => "<no value>".to_string(),
        Val::Json(json) if json.is_null() => "<no value>".to_string(),
        value => plain(value),
    }
}

/// As `print` and `%v` do.
pub(super) fn plain(value: &Val) -> String {
    match value {
        Val::Json(json) => of_json(json),
        Val::Nil(Zero::Text) => String::new(),
        Val::Nil(Zero::Int) => "0".to_string(),
        Val::Nil(Zero::Slice) => "[]".to_string(),
        Val::Nil(Zero::Map) => "map[]".to_string(),
        Val::Nil(Zero::Pointer) | Val::NoValue => "<nil>".to_string(),
        Val::Complex(real, imaginary) => complex(&general(*real), &general(*imaginary)),
    }
}

/// `(1+2i)`, of its two parts as text.
fn complex(real: &str, imaginary: &str) -> String {
    let sign = if imaginary.starts_with(['-', '+']) { "" } else { "+" };
    format!("({real}{sign}{imaginary}i)")
}

/// A JSON value as Go prints it: `[a b]`, `map[k:v]`, and `{a b}` for what Docker keeps as a struct (its keys
/// all begin with a capital).
pub(super) fn of_json(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => number(n),
        Value::String(s) => s.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(of_json).collect::<Vec<_>>().join(" ")),
        Value::Object(map) if is_struct(map) => {
            format!("{{{}}}", map.values().map(of_json).collect::<Vec<_>>().join(" "))
        }
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.arrange_by_key(|(key, _)| *key);
            let entries: Vec<String> = entries.iter().map(|(k, v)| format!("{k}:{}", of_json(v))).collect();
            format!("map[{}]", entries.join(" "))
        }
    }
}

/// The Go type of a value, as `%T` tells it.
pub(super) fn go_type(value: &Val) -> &'static str {
    match value.type_name() {
        "nil" => "<nil>",
        "[]interface {}" if value.is_texts() => "[]string",
        "map[string]interface {}" if value.json().as_object().is_some_and(is_of_texts) => "map[string]string",
        other => other,
    }
}

/// Whether it is a map (and no struct) of texts alone.
fn is_of_texts(map: &Map<String, Value>) -> bool {
    !map.is_empty() && !is_struct(map) && map.values().all(Value::is_string)
}

/// `%#v`: a value as Go's source would have it.
pub(super) fn source(value: &Val) -> String {
    let quoted = |json: &Value| match json {
        Value::String(text) => quote(text),
        json => source(&Val::own(json.clone())),
    };
    match value.json() {
        Value::String(text) => quote(&text),
        Value::Array(items) => {
            format!("{}{{{}}}", go_type(value), items.iter().map(quoted).collect::<Vec<_>>().join(", "))
        }
        Value::Object(map) if !is_struct(&map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.arrange_by_key(|(key, _)| *key);
            let entries: Vec<String> = entries.iter().map(|(k, v)| format!("{}:{}", quote(k), quoted(v))).collect();
            format!("{}{{{}}}", go_type(value), entries.join(", "))
        }
        _ => plain(value),
    }
}

pub(super) fn is_struct(map: &Map<String, Value>) -> bool {
    !map.is_empty()
        && map.keys().all(|k| k.starts_with(|c: char| c.is_ascii_uppercase()) && k.chars().all(char::is_alphanumeric))
}

fn number(n: &Number) -> String {
    match n.as_f64() {
        Some(float) if n.is_f64() => general(float),
        _ => n.to_string(),
    }
}

/// `%v` of a float: the shortest digits, an exponent where it is under -4 or over 5.
pub(super) fn general(value: f64) -> String {
    if value == 0.0 {
        return if value.is_sign_negative() { "-0".into() } else { "0".into() };
    }
    let exponent = value.abs().log10().floor() as i32;
    if (-4..6).contains(&exponent) {
        return value.to_string();
    }
    exponential(&format!("{value:e}"))
}

/// Rust writes `1e-7` where Go writes `1e-07`.
pub(super) fn exponential(text: &str) -> String {
    let Some((digits, exponent)) = text.split_once('e') else { return text.to_string() };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// A string in Go's double quotes.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => quoted.push_str(&format!("\\x{:02x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// JSON indented by two, without the keys of methods, and with Go's escapes for HTML.
pub(super) fn indented_json(mut value: Value) -> String {
    if let Value::Object(map) = &mut value {
        map.retain(|key, _| !key.starts_with('@'));
    }
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}

/// JSON as Go writes it: keys in the order that the value has them, no escapes for HTML.
pub(super) fn json(value: &Value) -> String {
    let text = match value {
        // Go writes whole floats as integers.
        Value::Number(n) if n.is_f64() && n.as_f64().is_some_and(|f| f.fract() == 0.0 && f.abs() < 1e21) => {
            format!("{:.0}", n.as_f64().unwrap_or_default())
        }
        value => value.to_string(),
    };
    // Go escapes these two, which JavaScript takes for line ends.
    text.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}
