//! How Go prints values: `fmt.Print` and `fmt.Sprintf` over JSON.

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
    }
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
        other => other,
    }
}

fn is_struct(map: &Map<String, Value>) -> bool {
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
fn exponential(text: &str) -> String {
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

/// `fmt.Sprintf`.
pub(super) fn sprintf(format: &str, args: &[Val]) -> String {
    let mut out = String::new();
    let mut next = 0;
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut verb = Verb::default();
        while let Some(flag) = chars.next_if(|c| "+-# 0".contains(*c)) {
            match flag {
                '-' => verb.left = true,
                '+' => verb.plus = true,
                '#' => verb.sharp = true,
                '0' => verb.zero = true,
                _ => verb.space = true,
            }
        }
        let mut star = |chars: &mut std::iter::Peekable<std::str::Chars>| {
            if chars.next_if_eq(&'*').is_some() {
                next += 1;
                return args.get(next - 1).and_then(|v| v.json().as_u64()).and_then(|n| usize::try_from(n).ok());
            }
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            digits.parse().ok()
        };
        // A width is bounded, so that a format can't fill the memory.
        verb.width = star(&mut chars).unwrap_or(0).min(10_000);
        if chars.next_if_eq(&'.').is_some() {
            verb.precision = Some(star(&mut chars).unwrap_or(0).min(10_000));
        }
        let Some(letter) = chars.next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        if letter == '%' {
            out.push('%');
            continue;
        }
        match args.get(next) {
            Some(arg) => out.push_str(&verb.format(letter, arg)),
            None => out.push_str(&format!("%!{letter}(MISSING)")),
        }
        next += 1;
    }
    if next < args.len() {
        let extra: Vec<String> = args[next..].iter().map(|a| format!("{}={}", a.type_name(), plain(a))).collect();
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

#[derive(Default)]
struct Verb {
    left: bool,
    plus: bool,
    sharp: bool,
    zero: bool,
    space: bool,
    width: usize,
    precision: Option<usize>,
}

impl Verb {
    fn format(&self, letter: char, arg: &Val) -> String {
        let json = arg.json();
        let text = match (letter, &json) {
            ('v', Value::String(s)) if self.sharp => quote(s),
            ('v', Value::Number(n)) if self.plus && !n.to_string().starts_with('-') => format!("+{}", plain(arg)),
            ('v', _) => plain(arg),
            ('T', _) => go_type(arg).to_string(),
            ('t', Value::Bool(b)) => b.to_string(),
            ('s', Value::String(s)) => self.cut(s),
            ('q', Value::String(s)) if self.sharp && !s.contains('`') => format!("`{}`", self.cut(s)),
            ('q', Value::String(s)) if self.plus => {
                let ascii = |c: char| match u32::from(c) {
                    code if c.is_ascii() || code > 0xffff => c.to_string(),
                    code => format!("\\u{code:04x}"),
                };
                quote(&self.cut(s)).chars().map(ascii).collect()
            }
            ('q', Value::String(s)) => quote(&self.cut(s)),
            ('x' | 'X', Value::String(s)) => {
                let hex = s.bytes().map(|b| if letter == 'x' { format!("{b:02x}") } else { format!("{b:02X}") });
                hex.collect::<Vec<_>>().join(if self.space { " " } else { "" })
            }
            ('s', Value::Object(_)) => plain(arg),
            ('s' | 'q' | 'd' | 'x' | 'X', Value::Array(items)) => {
                let each = Verb { precision: self.precision, ..Verb::default() };
                let items: Vec<String> = items.iter().map(|i| each.format(letter, &Val::own(i.clone()))).collect();
                format!("[{}]", items.join(" "))
            }
            (_, Value::Number(n)) => match self.number(letter, n) {
                Some(text) => return self.pad(text, true),
                None => format!("%!{letter}({}={})", arg.type_name(), plain(arg)),
            },
            (_, Value::Null) => format!("%!{letter}(<nil>)"),
            _ => format!("%!{letter}({}={})", arg.type_name(), plain(arg)),
        };
        self.pad(text, false)
    }

    fn cut(&self, text: &str) -> String {
        match self.precision {
            Some(most) => text.chars().take(most).collect(),
            None => text.to_string(),
        }
    }

    fn number(&self, letter: char, n: &Number) -> Option<String> {
        let sign = |negative: bool| match negative {
            true => "-",
            false if self.plus => "+",
            false if self.space => " ",
            false => "",
        };
        if let (Some(whole), false) = (n.as_i128(), n.is_f64()) {
            let size = whole.unsigned_abs();
            let digits = match letter {
                'd' => size.to_string(),
                'x' => format!("{}{size:x}", if self.sharp { "0x" } else { "" }),
                'X' => format!("{}{size:X}", if self.sharp { "0X" } else { "" }),
                'o' => format!("{size:o}"),
                'b' => format!("{size:b}"),
                'c' => return char::from_u32(u32::try_from(size).ok()?).map(String::from),
                'q' => return Some(format!("{:?}", char::from_u32(u32::try_from(size).ok()?)?)),
                'U' => return Some(format!("U+{size:04X}")),
                _ => return None,
            };
            return Some(format!("{}{digits}", sign(whole < 0)));
        }
        let value = n.as_f64()?;
        let places = self.precision.unwrap_or(6);
        let digits = match letter {
            'f' | 'F' => format!("{:.places$}", value.abs()),
            'e' => exponential(&format!("{:.places$e}", value.abs())),
            'g' => general(value.abs()),
            'G' => general(value.abs()).to_uppercase(),
            _ => return None,
        };
        Some(format!("{}{digits}", sign(value.is_sign_negative())))
    }

    /// Widens to the width: with zeros after the sign for numbers, with blanks otherwise.
    fn pad(&self, text: String, number: bool) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        if missing == 0 {
            return text;
        }
        if self.left {
            return format!("{text}{}", " ".repeat(missing));
        }
        if self.zero && number {
            let (sign, digits) = match text.strip_prefix(['-', '+', ' ']) {
                Some(digits) => (&text[..1], digits),
                None => ("", text.as_str()),
            };
            return format!("{sign}{}{digits}", "0".repeat(missing));
        }
        let fill = if self.zero { "0" } else { " " };
        format!("{}{text}", fill.repeat(missing))
    }
}
