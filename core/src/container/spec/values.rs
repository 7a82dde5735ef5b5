//! Values as Docker's flags write them: sizes, processors, durations, `name=value` lists.

/// Splits a comma-separated line with double quotes, as `type=bind,"src=/a,b"`.
pub fn csv(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                field.push('"');
                chars.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            _ => field.push(c),
        }
    }
    fields.push(field);
    fields
}

/// A line as Go's reader of comma-separated values takes it.
///
/// # Errors
/// In its words: quotes where there can't be any, and nothing at all.
pub fn csv_strict(line: &str) -> Result<Vec<String>, String> {
    if line.is_empty() {
        return Err("EOF".into());
    }
    let bytes = line.as_bytes();
    let wrong = |at: usize, what: &str| Err(format!("parse error on line 1, column {}: {what}", at + 1));
    let mut at = 0;
    // Positions of quotes decide; what the fields are is then known to `csv`.
    while at < bytes.len() {
        if bytes[at] != b'"' {
            let end = line[at..].find(',').map_or(line.len(), |i| at + i);
            if let Some(quote) = line[at..end].find('"') {
                return wrong(at + quote, "bare \" in non-quoted-field");
            }
            at = end + 1;
            continue;
        }
        at += 1;
        loop {
            let Some(quote) = line[at..].find('"').map(|i| at + i) else {
                return wrong(line.len(), "extraneous or missing \" in quoted-field");
            };
            match bytes.get(quote + 1) {
                Some(b'"') => at = quote + 2,
                None | Some(b',') => {
                    at = quote + 2;
                    break;
                }
                Some(_) => return wrong(quote, "extraneous or missing \" in quoted-field"),
            }
        }
    }
    Ok(csv(line))
}

/// A size as `64m`, `1.5GiB` or `100`, in bytes by powers of 1024. Source: docker/go-units, RAMInBytes.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let bad = || format!("invalid size: '{text}'");
    let at = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ').ok_or_else(bad)?;
    let number = if text.as_bytes()[at] == b' ' { &text[..at] } else { &text[..=at] };
    let suffix = text[at + 1..].to_ascii_lowercase();
    let plain = number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e'));
    let size: f64 = number
        .parse()
        .ok()
        .filter(|_| plain)
        .ok_or_else(|| format!("strconv.ParseFloat: parsing {number:?}: invalid syntax"))?;
    if size < 0.0 {
        return Err(bad());
    }
    if size.is_infinite() {
        return Err(format!("strconv.ParseFloat: parsing {number:?}: value out of range"));
    }
    let bad_suffix = || format!("invalid suffix: '{suffix}'");
    let power = match suffix.chars().next() {
        None => 0,
        Some('b') if suffix.len() == 1 => 0,
        Some(c) => {
            let power = "kmgtpe".find(c).ok_or_else(bad_suffix)?;
            if !matches!(&suffix[1..], "" | "b" | "ib") {
                return Err(bad_suffix());
            }
            power + 1
        }
    };
    Ok((size * 1024f64.powi(power as i32)) as u64)
}

/// As [`parse_bytes`]; `-1` is unlimited.
pub fn parse_signed_bytes(text: &str) -> Result<i64, String> {
    if text == "-1" {
        return Ok(-1);
    }
    parse_bytes(text).map(|n| i64::try_from(n).unwrap_or(i64::MAX))
}

/// A number of processors, as `0.5` or `1/4`, in billionths.
pub fn parse_nano_cpus(text: &str) -> Result<i64, String> {
    let bad = || format!("failed to parse {text} as a rational number");
    let decimal = |text: &str| -> Option<i128> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let negative = whole.starts_with('-');
        let whole = whole.trim_start_matches(['-', '+']);
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && part.is_empty()) || !digits(whole) || !digits(part) || whole.len() + part.len() > 27 {
            return None;
        }
        // Billionths of a billionth, so that a fraction can be divided exactly enough.
        let padded = format!("{whole}{part:0<18}");
        if part.len() > 18 {
            return None;
        }
        padded.parse::<i128>().ok().map(|n| if negative { -n } else { n })
    };
    let value = match text.split_once('/') {
        Some((over, under)) => {
            let (over, under): (i128, i128) = (over.parse().map_err(|_| bad())?, under.parse().map_err(|_| bad())?);
            if under == 0 {
                return Err(bad());
            }
            over.checked_mul(1_000_000_000_000_000_000).ok_or_else(bad)? / under
        }
        None => decimal(text).ok_or_else(bad)?,
    };
    if value % 1_000_000_000 != 0 {
        return Err("value is too precise".into());
    }
    i64::try_from(value / 1_000_000_000).map_err(|_| bad())
}

/// A duration in Go's form, as `1m30s` or `500ms`, in nanoseconds. Source: Go's time.ParseDuration.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let bad = || format!("time: invalid duration {text:?}");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(bad());
    }
    let mut total = 0f64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        // A second point begins the unit, which is then missing.
        let point = rest[..end].match_indices('.').nth(1).map_or(end, |(at, _)| at);
        let number: f64 = rest[..point].parse().map_err(|_| bad())?;
        if number >= i64::MAX as f64 {
            return Err(bad());
        }
        rest = &rest[point..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "" => return Err(format!("time: missing unit in duration {text:?}")),
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            unit => return Err(format!("time: unknown unit {unit:?} in duration {text:?}")),
        };
        total += number * unit;
        rest = &rest[end..];
    }
    if total > i64::MAX as f64 {
        return Err(bad());
    }
    Ok(if negative { -(total as i64) } else { total as i64 })
}

/// A boolean as Go reads it.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The lines of an `--env-file` or `--label-file`: `NAME=value` as it stands, or a name alone, which `lookup`
/// gives a value or drops. Comments and empty lines are left out.
pub fn read_env_lines(
    file: &str,
    contents: &[u8],
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    for (number, line) in contents.split(|b| *b == b'\n').enumerate() {
        let line = if number == 0 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        let Ok(line) = std::str::from_utf8(line) else {
            let line = String::from_utf8_lossy(line);
            return Err(format!("invalid env file ({file}): invalid utf8 bytes at line {}: {line:?}", number + 1));
        };
        let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').map_or((line, None), |(n, v)| (n, Some(v)));
        if name.is_empty() {
            return Err(format!("invalid env file ({file}): no variable name on line '{line}'"));
        }
        if name.contains(char::is_whitespace) {
            return Err(format!("invalid env file ({file}): variable '{name}' contains whitespaces"));
        }
        match value {
            Some(value) => lines.push(format!("{name}={value}")),
            None => lines.extend(lookup(name).map(|value| format!("{name}={value}"))),
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [("64m", 64 << 20), ("1.5k", 1536), ("2GiB", 2 << 30), ("7", 7), ("1 kb", 1024), ("9b", 9)]
        {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for (text, why) in
            [("nonsense", "invalid size: 'nonsense'"), ("5x", "invalid suffix: 'x'"), ("-1m", "invalid size: '-1m'")]
        {
            assert_eq!(parse_bytes(text), Err(why.to_string()), "{text}");
        }
    }

    #[test]
    fn processors() {
        for (text, nano) in [("0.25", 250_000_000), ("2", 2_000_000_000), ("1/4", 250_000_000), (".5", 500_000_000)] {
            assert_eq!(parse_nano_cpus(text), Ok(nano), "{text}");
        }
        assert_eq!(parse_nano_cpus("x"), Err("failed to parse x as a rational number".into()));
        assert_eq!(parse_nano_cpus("1.0000000001"), Err("value is too precise".into()));
    }

    #[test]
    fn durations() {
        for (text, ns) in [
            ("1s", 1_000_000_000),
            ("1m30s", 90_000_000_000),
            ("500ms", 500_000_000),
            ("0", 0),
            ("-1s", -1_000_000_000),
        ] {
            assert_eq!(parse_duration(text), Ok(ns), "{text}");
        }
        for text in ["x", "", "5", "1y"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn env_files() {
        let read = |text: &str| read_env_lines("f", text.as_bytes(), |n| (n == "KNOWN").then(|| "v".to_string()));
        assert_eq!(
            read("# c\nA=1\n\nKNOWN\nLOST\nB= x y\n"),
            Ok(vec!["A=1".into(), "KNOWN=v".into(), "B= x y".into()])
        );
        assert_eq!(read("=1"), Err("invalid env file (f): no variable name on line '=1'".into()));
        assert_eq!(csv("a,\"b,c\",d"), ["a", "b,c", "d"]);
    }
}
