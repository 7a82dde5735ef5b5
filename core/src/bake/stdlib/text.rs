//! Functions of texts.

use super::super::value::{Value, number_text};
use super::{Answer, Fail, Surroundings, number_of, text_of};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cutaway_userland::sorted::Map as BTreeMap;
use regex_lite::{Captures, Regex};
use sha2::{Digest, Sha256, Sha512};

/// What a function of the table gives.
pub fn call(name: &str, args: &[Value], around: &Surroundings) -> Answer {
    let text = text_of(args, 0);
    let second = text_of(args, 1);
    let said = |text: String| Ok(Value::Text(text));
    match name {
        "upper" => said(text.to_uppercase()),
        "lower" => said(text.to_lowercase()),
        "title" => said(title(text)),
        "chomp" => said(text.trim_end_matches(['\n', '\r']).to_string()),
        "reverse" => said(text.chars().rev().collect()),
        "trim" => said(text.trim_matches(|c| second.contains(c)).to_string()),
        "trimspace" => said(text.trim().to_string()),
        "trimprefix" => said(text.strip_prefix(second).unwrap_or(text).to_string()),
        "trimsuffix" => said(text.strip_suffix(second).unwrap_or(text).to_string()),
        "replace" => said(text.replace(second, text_of(args, 2))),
        "indent" => {
            let pad = " ".repeat(number_of(args, 0).clamp(0.0, 1000.0) as usize);
            said(second.replace('\n', &format!("\n{pad}")))
        }
        "strlen" => Ok(Value::Number(text.chars().count() as f64)),
        "byteslen" => Ok(Value::Number(text.len() as f64)),
        "substr" => said(substr(text, number_of(args, 1), number_of(args, 2))),
        "split" => {
            let all: Vec<Value> = match text {
                "" => second.chars().map(|c| Value::text(c.to_string())).collect(),
                by => second.split(by).map(Value::text).collect(),
            };
            Ok(Value::List(all))
        }
        "join" => join(args),
        "format" => said(format(text, &args[1..])?),
        "formatlist" => format_list(text, &args[1..]),
        "sanitize" => said(sanitize(text)),
        "basename" => said(basename(text)),
        "dirname" => said(dirname(text)),
        "homedir" => said(around.home.clone()),
        "base64encode" => said(STANDARD.encode(text)),
        "base64decode" => {
            let bytes = STANDARD.decode(text).map_err(|e| format!("failed to decode base64 data: {e}"))?;
            said(
                String::from_utf8(bytes)
                    .map_err(|_| "the result of decoding the provided string is not valid UTF-8".to_string())?,
            )
        }
        "urlencode" => said(url(text)),
        "md5" => said(hex(&md5::Md5::digest(text.as_bytes()))),
        "sha1" => said(hex(&sha1::Sha1::digest(text.as_bytes()))),
        "sha256" => said(hex(&Sha256::digest(text.as_bytes()))),
        "sha512" => said(hex(&Sha512::digest(text.as_bytes()))),
        "jsonencode" => said(args[0].to_json().to_string()),
        "jsondecode" => match serde_json::from_str(text) {
            Ok(json) => Ok(Value::from_json(&json)),
            Err(error) => Err(Fail::Argument(0, error.to_string())),
        },
        "regex_replace" => said(pattern(second, 1)?.replace_all(text, text_of(args, 2)).into_owned()),
        "regex" => match pattern(text, 0)?.captures(second) {
            Some(found) => Ok(groups(&pattern(text, 0)?, &found)),
            None => Err("pattern did not match any part of the given string".into()),
        },
        _ => {
            let regex = pattern(text, 0)?;
            Ok(Value::List(regex.captures_iter(second).map(|found| groups(&regex, &found)).collect()))
        }
    }
}

/// A name as a target may have it.
pub fn sanitize(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn title(text: &str) -> String {
    let mut begins = true;
    text.chars()
        .flat_map(|c| {
            let made: Vec<char> = if begins { c.to_uppercase().collect() } else { vec![c] };
            begins = !(c.is_alphanumeric() || c == '_' || c == '\'');
            made
        })
        .collect()
}

fn substr(text: &str, offset: f64, length: f64) -> String {
    let all: Vec<char> = text.chars().collect();
    let start = if offset < 0.0 { (all.len() as f64 + offset).max(0.0) } else { offset } as usize;
    let start = start.min(all.len());
    let end = if length < 0.0 { all.len() } else { (start + length as usize).min(all.len()) };
    all[start..end].iter().collect()
}

fn join(args: &[Value]) -> Answer {
    if args.len() < 2 {
        return Err("at least one list is required".into());
    }
    let mut all = Vec::new();
    for (index, list) in args[1..].iter().enumerate() {
        for (at, item) in list.items().into_iter().flatten().enumerate() {
            let null = || Fail::Argument(index + 1, format!("element {at} is null; cannot concatenate null values"));
            all.push(item.to_text().map_err(|_| null())?);
        }
    }
    Ok(Value::Text(all.join(text_of(args, 0))))
}

fn basename(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    match (path, trimmed) {
        ("", _) => ".".into(),
        (_, "") => "/".into(),
        (_, trimmed) => trimmed.rsplit('/').next().unwrap_or(trimmed).into(),
    }
}

fn dirname(path: &str) -> String {
    match path.rsplit_once('/') {
        None => ".".into(),
        Some(("", _)) => "/".into(),
        Some((folder, _)) => crate::compose::clean_path(folder),
    }
}

fn url(text: &str) -> String {
    let one = |b: u8| match b {
        b' ' => "+".to_string(),
        b if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    text.bytes().map(one).collect()
}

fn pattern(text: &str, index: usize) -> Result<Regex, Fail> {
    Regex::new(text).map_err(|error| Fail::Argument(index, format!("invalid regexp pattern: {error}")))
}

/// What matched: all of it, or its groups, by name where they have any.
fn groups(regex: &Regex, found: &Captures) -> Value {
    let group = |index: usize| found.get(index).map_or(Value::Null, |m| Value::text(m.as_str()));
    let names: Vec<Option<&str>> = regex.capture_names().collect();
    if names.len() == 1 {
        return group(0);
    }
    if names.iter().any(Option::is_some) {
        let named = names.iter().enumerate().filter_map(|(i, name)| name.map(|name| (name.to_string(), group(i))));
        return Value::Map(named.collect::<BTreeMap<_, _>>());
    }
    Value::List((1..names.len()).map(group).collect())
}

/// `formatlist`: once for each item of the lists among the arguments.
fn format_list(text: &str, args: &[Value]) -> Answer {
    let length = args.iter().filter_map(Value::items).map(<[Value]>::len).max().unwrap_or(1);
    let mut all = Vec::new();
    for index in 0..length {
        let row: Vec<Value> = args
            .iter()
            .map(|arg| {
                arg.items().map_or_else(|| arg.clone(), |items| items.get(index).cloned().unwrap_or(Value::Null))
            })
            .collect();
        all.push(Value::Text(format(text, &row)?));
    }
    Ok(Value::List(all))
}

/// `format`: the verbs `%s`, `%q`, `%d`, `%f`, `%g`, `%e`, `%b`, `%o`, `%x`, `%X`, `%t`, `%v`, `%#v`.
fn format(text: &str, args: &[Value]) -> Result<String, Fail> {
    let mut out = String::new();
    let mut chars = text.char_indices().peekable();
    let mut used = 0;
    while let Some((begin, c)) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let (mut flags, mut width, mut precision) = (String::new(), String::new(), None::<String>);
        let verb = loop {
            let Some((_, c)) = chars.next() else {
                return Err(format!("unrecognized format character '%' at offset {begin}").into());
            };
            match (c, &mut precision) {
                ('-' | '+' | '#' | ' ' | '0', None) if width.is_empty() => flags.push(c),
                ('.', None) => precision = Some(String::new()),
                (digit, Some(precision)) if digit.is_ascii_digit() => precision.push(digit),
                (digit, None) if digit.is_ascii_digit() => width.push(digit),
                (verb, _) => break verb,
            }
        };
        if verb == '%' {
            out.push('%');
            continue;
        }
        let Some(value) = args.get(used) else {
            return Err(format!(
                "not enough arguments for {:?} at {begin}: need index {} but have {} total",
                &text[begin..=begin + text[begin..].find(verb).unwrap_or(0)],
                used,
                args.len()
            )
            .into());
        };
        used += 1;
        let wrong = |e: String| Fail::Argument(used, format!("unsupported value for \"%{verb}\" at {begin}: {e}"));
        let digits = precision.and_then(|p| p.parse::<usize>().ok()).map(|digits| digits.min(4096));
        let plus = |n: f64| if flags.contains('+') && n >= 0.0 { "+" } else { "" };
        let body = match verb {
            's' | 'q' => {
                let text = value.to_text().map_err(wrong)?;
                let text = digits.map_or(text.clone(), |n| text.chars().take(n).collect());
                if verb == 'q' { format!("{text:?}") } else { text }
            }
            'd' => value.to_number().map(|n| format!("{}{}", plus(n), number_text(n.trunc()))).map_err(wrong)?,
            'f' => value.to_number().map(|n| format!("{}{n:.*}", plus(n), digits.unwrap_or(6))).map_err(wrong)?,
            'e' => value.to_number().map(|n| format!("{n:.*e}", digits.unwrap_or(6))).map_err(wrong)?,
            'g' => value.to_number().map(number_text).map_err(wrong)?,
            'b' => value.to_number().map(|n| format!("{:b}", n as i64)).map_err(wrong)?,
            'o' => value.to_number().map(|n| format!("{:o}", n as i64)).map_err(wrong)?,
            'x' | 'X' => {
                let body = value.to_number().map(|n| format!("{:x}", n as i64)).map_err(wrong)?;
                if verb == 'X' { body.to_uppercase() } else { body }
            }
            't' => value.to_bool().map(|b| b.to_string()).map_err(wrong)?,
            'v' if flags.contains('#') => value.to_json().to_string(),
            'v' => value.to_text().unwrap_or_else(|_| value.to_json().to_string()),
            other => return Err(format!("unsupported format verb {other:?} in \"%{other}\" at offset {begin}").into()),
        };
        let width = width.parse().unwrap_or(0).min(4096);
        let missing = " ".repeat(usize::saturating_sub(width, body.chars().count()));
        match (flags.contains('-'), flags.contains('0')) {
            (true, _) => out.push_str(&format!("{body}{missing}")),
            (false, true) if verb != 's' => {
                let (sign, rest) = body.split_at(usize::from(body.starts_with(['-', '+'])));
                out.push_str(&format!("{sign}{}{rest}", missing.replace(' ', "0")));
            }
            _ => out.push_str(&format!("{missing}{body}")),
        }
    }
    match used < args.len() {
        true => Err(Fail::Argument(
            used + 1,
            match used {
                0 => "too many arguments; no verbs in format string".into(),
                _ => format!("too many arguments; only {used} used by format string"),
            },
        )),
        false => Ok(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    #[test]
    fn texts() {
        for (name, args, expected) in [
            ("format", json!(["%s-%03d%%", "a", 7]), json!("a-007%")),
            ("format", json!(["%5s|%-5s|%.2f", "ab", "cd", 1.005]), json!("   ab|cd   |1.00")),
            ("formatlist", json!(["x/%s:%s", ["a", "b"], "1"]), json!(["x/a:1", "x/b:1"])),
            ("split", json!([",", "a,b"]), json!(["a", "b"])),
            ("join", json!(["-", ["a", "b"], ["c"]]), json!("a-b-c")),
            ("substr", json!(["hello", -3, 2]), json!("ll")),
            ("title", json!(["hello big world"]), json!("Hello Big World")),
            ("dirname", json!(["/a/b/c"]), json!("/a/b")),
            ("basename", json!(["/a/b/c/"]), json!("c")),
            ("sanitize", json!(["v1.2/x"]), json!("v1_2_x")),
            ("regex_replace", json!(["v1.2", "[^0-9]", "_"]), json!("_1_2")),
            ("regex", json!(["(\\d+)\\.(\\d+)", "v1.24"]), json!(["1", "24"])),
            ("regexall", json!(["[a-z]", "a1b"]), json!(["a", "b"])),
            ("md5", json!(["hello"]), json!("5d41402abc4b2a76b9719d911017c592")),
            ("urlencode", json!(["a b/c"]), json!("a+b%2Fc")),
        ] {
            let values: Vec<Value> = args.as_array().into_iter().flatten().map(Value::from_json).collect();
            let done = call(name, &values, &Surroundings::default()).map_or(Json::Null, |v| v.to_json());
            assert_eq!(done, expected, "{name}{args}");
        }
    }
}
