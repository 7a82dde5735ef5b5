//! The formats of C's `printf`, as the tool of that name and `awk` use them, and backslash escapes.

/// One conversion, as `%-8.3f`, without its letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    pub left: bool,
    pub plus: bool,
    pub space: bool,
    pub zero: bool,
    pub alternate: bool,
    pub width: Option<usize>,
    pub precision: Option<usize>,
}

/// Widths beyond this are cut: nobody reads such a line, and the memory is the machine's.
const WIDEST: usize = 1 << 16;

impl Spec {
    /// Reads what is behind a `%`; `star` gives the number for a `*`. The result has the length that was read.
    pub fn parse(text: &[u8], mut star: impl FnMut() -> i64) -> (Spec, usize) {
        let mut spec = Spec::default();
        let mut at = 0;
        while let Some(b) = text.get(at) {
            match b {
                b'-' => spec.left = true,
                b'+' => spec.plus = true,
                b' ' => spec.space = true,
                b'0' => spec.zero = true,
                b'#' => spec.alternate = true,
                _ => break,
            }
            at += 1;
        }
        let mut number = |at: &mut usize| -> Option<i64> {
            if text.get(*at) == Some(&b'*') {
                *at += 1;
                return Some(star());
            }
            let digits = text[*at..].iter().take_while(|b| b.is_ascii_digit()).count();
            let value = std::str::from_utf8(&text[*at..*at + digits]).ok().and_then(|d| d.parse().ok());
            *at += digits;
            value
        };
        if let Some(width) = number(&mut at) {
            spec.left |= width < 0;
            spec.width = Some((width.unsigned_abs() as usize).min(WIDEST));
        }
        if text.get(at) == Some(&b'.') {
            at += 1;
            let precision = number(&mut at).unwrap_or(0);
            spec.precision = usize::try_from(precision).ok().map(|p| p.min(WIDEST));
        }
        (spec, at)
    }

    /// Pads on the left or right to the width. `sign` stays in front of zeros.
    fn pad(&self, sign: &str, body: Vec<u8>, zeros: bool) -> Vec<u8> {
        let length = sign.len() + String::from_utf8_lossy(&body).chars().count();
        let missing = self.width.unwrap_or(0).saturating_sub(length);
        let mut out = Vec::with_capacity(body.len() + missing + sign.len());
        if !self.left && !zeros {
            out.resize(missing, b' ');
        }
        out.extend_from_slice(sign.as_bytes());
        if !self.left && zeros {
            out.resize(out.len() + missing, b'0');
        }
        out.extend_from_slice(&body);
        if self.left {
            out.resize(out.len() + missing, b' ');
        }
        out
    }
    fn sign(&self, negative: bool) -> &'static str {
        match () {
            () if negative => "-",
            () if self.plus => "+",
            () if self.space => " ",
            () => "",
        }
    }

    pub fn text(&self, text: &[u8]) -> Vec<u8> {
        let cut = match (self.precision, std::str::from_utf8(text)) {
            (Some(p), Ok(s)) => s.char_indices().nth(p).map_or(text, |(at, _)| &text[..at]),
            (Some(p), Err(_)) => &text[..p.min(text.len())],
            (None, _) => text,
        };
        self.pad("", cut.to_vec(), false)
    }

    /// `d i u o x X` of a whole number.
    pub fn integer(&self, letter: u8, value: i128) -> Vec<u8> {
        let unsigned = if value < 0 { value as i64 as u64 } else { value as u64 };
        let (sign, digits) = match letter {
            b'o' => (if self.alternate { "0" } else { "" }, format!("{unsigned:o}")),
            b'x' => (if self.alternate && value != 0 { "0x" } else { "" }, format!("{unsigned:x}")),
            b'X' => (if self.alternate && value != 0 { "0X" } else { "" }, format!("{unsigned:X}")),
            b'u' => ("", unsigned.to_string()),
            _ => (self.sign(value < 0), value.unsigned_abs().to_string()),
        };
        let digits = match self.precision {
            Some(0) if value == 0 => String::new(),
            Some(p) => format!("{digits:0>p$}"),
            None => digits,
        };
        self.pad(sign, digits.into_bytes(), self.zero && !self.left && self.precision.is_none())
    }

    /// `e E f F g G a` of a number.
    pub fn float(&self, letter: u8, value: f64) -> Vec<u8> {
        let sign = self.sign(value.is_sign_negative() && !value.is_nan());
        let magnitude = value.abs();
        let upper = letter.is_ascii_uppercase();
        if !value.is_finite() {
            let body = if value.is_nan() { "nan" } else { "inf" };
            let body = if upper { body.to_uppercase() } else { body.to_string() };
            return self.pad(sign, body.into_bytes(), false);
        }
        let precision = self.precision.unwrap_or(6);
        let body = match letter.to_ascii_lowercase() {
            b'e' => scientific(magnitude, precision),
            b'g' => general(magnitude, precision.max(1), self.alternate),
            _ => format!("{magnitude:.precision$}"),
        };
        let body = if upper { body.to_uppercase() } else { body };
        self.pad(sign, body.into_bytes(), self.zero && !self.left)
    }
}

fn scientific(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

fn general(value: f64, precision: usize, keep_zeros: bool) -> String {
    let e = scientific(value, precision - 1);
    let exponent: i64 = e.split_once('e').and_then(|(_, x)| x.parse().ok()).unwrap_or(0);
    let trim = |text: &str| match text.contains('.') && !keep_zeros {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text.to_string(),
    };
    if exponent < -4 || exponent >= precision as i64 {
        let (mantissa, tail) = e.split_once('e').unwrap_or((&e, "+00"));
        return format!("{}e{tail}", trim(mantissa));
    }
    let digits = (precision as i64 - 1 - exponent).max(0) as usize;
    trim(&format!("{value:.digits$}"))
}

/// Reads one backslash escape, behind the backslash: what it stands for and the length read.
/// `None` where it is none, so that the backslash stays. `leading_zero`: octal numbers are `\0NNN`.
pub fn escape(text: &[u8], leading_zero: bool) -> Option<(u8, usize)> {
    let value = match text.first()? {
        b'a' => 7,
        b'b' => 8,
        b'e' => 27,
        b'f' => 12,
        b'n' => 10,
        b'r' => 13,
        b't' => 9,
        b'v' => 11,
        b'\\' => b'\\',
        b'x' => {
            let digits = text[1..].iter().take(2).take_while(|b| b.is_ascii_hexdigit()).count();
            let number = std::str::from_utf8(&text[1..=digits]).ok()?;
            return Some((u8::from_str_radix(number, 16).ok()?, 1 + digits));
        }
        b'0'..=b'7' => {
            let most = if leading_zero && text[0] == b'0' { 4 } else { 3 };
            let digits = text.iter().take(most).take_while(|b| (b'0'..=b'7').contains(b)).count();
            let number = text[..digits].iter().fold(0u32, |n, b| n * 8 + u32::from(b - b'0'));
            return Some((number as u8, digits));
        }
        _ => return None,
    };
    Some((value, 1))
}

/// Replaces the escapes of `echo -e` and `%b`; true where a `\c` ended all output.
pub fn unescape(text: &[u8], leading_zero: bool, out: &mut Vec<u8>) -> bool {
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'\\' {
            if text.get(at + 1) == Some(&b'c') {
                return true;
            }
            if let Some((value, length)) = escape(&text[at + 1..], leading_zero) {
                out.push(value);
                at += 1 + length;
                continue;
            }
        }
        out.push(text[at]);
        at += 1;
    }
    false
}

/// What `printf` writes, and what it has to complain about.
#[derive(Debug, Default)]
pub struct Printed {
    pub out: Vec<u8>,
    pub complaints: Vec<String>,
}

/// The tool `printf`: the format is used again until all arguments are.
pub fn printf(format: &str, args: &[String]) -> Printed {
    let mut done = Printed::default();
    let mut next = 0;
    loop {
        let before = next;
        if once(format.as_bytes(), args, &mut next, &mut done) || next >= args.len() || next == before {
            return done;
        }
    }
}

fn once(format: &[u8], args: &[String], next: &mut usize, done: &mut Printed) -> bool {
    let mut at = 0;
    while at < format.len() {
        match format[at] {
            b'\\' => {
                if format.get(at + 1) == Some(&b'c') {
                    return true;
                }
                match escape(&format[at + 1..], false) {
                    Some((value, length)) => {
                        done.out.push(value);
                        at += 1 + length;
                    }
                    None => {
                        done.out.push(b'\\');
                        at += 1;
                    }
                }
            }
            b'%' if format.get(at + 1) == Some(&b'%') => {
                done.out.push(b'%');
                at += 2;
            }
            b'%' => {
                let mut star = || {
                    *next += 1;
                    args.get(*next - 1).and_then(|a| a.parse().ok()).unwrap_or(0)
                };
                let (spec, mut length) = Spec::parse(&format[at + 1..], &mut star);
                // Sizes of C's types say nothing here.
                while matches!(format.get(at + 1 + length), Some(b'l' | b'h' | b'j' | b'z' | b'L')) {
                    length += 1;
                }
                let Some(letter) = format.get(at + 1 + length).copied() else {
                    done.complaints.push(format!("{}: invalid format", String::from_utf8_lossy(&format[at..])));
                    return true;
                };
                at += length + 2;
                let given = args.get(*next).map(String::as_str);
                *next += 1;
                if convert(spec, letter, given, done) {
                    return true;
                }
            }
            b => {
                done.out.push(b);
                at += 1;
            }
        }
    }
    false
}

/// One conversion of the tool; true ends the output.
fn convert(spec: Spec, letter: u8, given: Option<&str>, done: &mut Printed) -> bool {
    let text = given.unwrap_or("");
    match letter {
        b's' => done.out.extend(spec.text(text.as_bytes())),
        b'c' => done.out.extend(spec.text(text.chars().next().map(String::from).unwrap_or_default().as_bytes())),
        b'b' => {
            let mut body = Vec::new();
            let stop = unescape(text.as_bytes(), true, &mut body);
            done.out.extend(spec.text(&body));
            return stop;
        }
        b'd' | b'i' | b'u' | b'o' | b'x' | b'X' => {
            let value = whole(text).unwrap_or_else(|| {
                done.complaints.push(format!("invalid number '{text}'"));
                0
            });
            done.out.extend(spec.integer(letter, value));
        }
        b'e' | b'E' | b'f' | b'F' | b'g' | b'G' => {
            let value = if text.is_empty() { Some(0.0) } else { text.trim().parse().ok() };
            let value = value.or_else(|| whole(text).map(|n| n as f64)).unwrap_or_else(|| {
                done.complaints.push(format!("invalid number '{text}'"));
                0.0
            });
            done.out.extend(spec.float(letter, value));
        }
        other => {
            done.complaints.push(format!("%{}: invalid format", other as char));
            return true;
        }
    }
    false
}

/// A whole number as C writes it, or the code of the character behind a quote.
fn whole(text: &str) -> Option<i128> {
    let text = text.trim_start();
    if text.is_empty() {
        return Some(0);
    }
    if let Some(quoted) = text.strip_prefix(['\'', '"']) {
        return Some(quoted.chars().next().map_or(0, |c| i128::from(u32::from(c))));
    }
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        i128::from_str_radix(hex, 16).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') {
        i128::from_str_radix(&digits[1..], 8).ok()?
    } else {
        digits.parse().ok()?
    };
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        for (format, args, want) in [
            ("%s-%d\n", &["a", "5"][..], "a-5\n"),
            ("%s,", &["a", "b", "c"], "a,b,c,"),
            ("%5.2f|%-5s|%05d|%x", &["3.14159", "ab", "42", "255"], " 3.14|ab   |00042|ff"),
            ("%e %g %g", &["12345.678", "0.0001", "1e10"], "1.234568e+04 0.0001 1e+10"),
            ("%c%%\\x41\\101", &["xyz"], "x%AA"),
            ("%b", &["a\\tb"], "a\tb"),
            ("%*d", &["4", "7"], "   7"),
            ("plain", &["unused"], "plain"),
            ("%d", &["'A"], "65"),
        ] {
            let args: Vec<String> = args.iter().map(|a| a.to_string()).collect();
            assert_eq!(String::from_utf8_lossy(&printf(format, &args).out), want, "{format}");
        }
        assert_eq!(printf("%d", &["abc".to_string()]).complaints, ["invalid number 'abc'"]);
    }
}
