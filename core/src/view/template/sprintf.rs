//! Go's `fmt.Sprintf`, as far as templates reach it. Source: Go, fmt/print.go and fmt/format.go.

use super::print::{exponential, general, go_type, plain, quote, source};
use super::value::Val;
use serde_json::{Number, Value};

/// A width is bounded, so that a format can't fill the memory.
const WIDEST: usize = 10_000;
/// Go takes no greater number for a width.
const GREATEST: usize = 1_000_000;

/// `fmt.Sprintf`.
pub(super) fn sprintf(format: &str, args: &[Val]) -> String {
    let mut run = Run { rest: format, args, next: 0, reordered: false, fits: true, out: String::new() };
    while let Some(at) = run.rest.find('%') {
        run.out.push_str(&run.rest[..at]);
        run.rest = &run.rest[at + 1..];
        if !run.verb() {
            run.out.push_str("%!(NOVERB)");
            run.rest = "";
        }
    }
    run.out.push_str(run.rest);
    if !run.reordered && run.next < args.len() {
        let extra: Vec<String> = args[run.next..].iter().map(|a| format!("{}={}", a.type_name(), plain(a))).collect();
        run.out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    run.out
}

struct Run<'f, 'v> {
    rest: &'f str,
    args: &'f [Val<'v>],
    /// The argument whose turn it is.
    next: usize,
    /// Whether some verb has chosen its argument by number.
    reordered: bool,
    /// Whether this verb's choice is one.
    fits: bool,
    out: String,
}

impl Run<'_, '_> {
    fn take(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// One verb, after its `%`; false where the format ends before its letter.
    fn verb(&mut self) -> bool {
        let mut verb = Verb::default();
        self.fits = true;
        while let Some(flag) = self.rest.chars().next().filter(|c| "+-# 0".contains(*c)) {
            self.rest = &self.rest[1..];
            match flag {
                '-' => verb.left = true,
                '+' => verb.plus = true,
                '#' => verb.sharp = true,
                '0' => verb.zero = true,
                _ => verb.space = true,
            }
        }
        let mut chosen = self.index();
        if self.take('*') {
            match self.whole() {
                Some(width) => {
                    verb.left |= width < 0;
                    verb.width = usize::try_from(width.unsigned_abs()).unwrap_or(0).min(WIDEST);
                }
                None => self.out.push_str("%!(BADWIDTH)"),
            }
            chosen = false;
        } else {
            let Ok(width) = self.digits() else { return false };
            self.fits &= !(chosen && width.is_some());
            verb.width = width.unwrap_or(0).min(WIDEST);
        }
        if self.take('.') {
            self.fits &= !chosen;
            chosen = self.index();
            if self.take('*') {
                verb.precision = self.whole().and_then(|n| usize::try_from(n).ok()).map(|n| n.min(WIDEST));
                if verb.precision.is_none() {
                    self.out.push_str("%!(BADPREC)");
                }
                chosen = false;
            } else {
                let Ok(precision) = self.digits() else { return false };
                verb.precision = Some(precision.unwrap_or(0).min(WIDEST));
            }
        }
        if !chosen {
            self.index();
        }
        let Some(letter) = self.rest.chars().next() else { return false };
        self.rest = &self.rest[letter.len_utf8()..];
        let shown = match self.args.get(self.next) {
            _ if letter == '%' => "%".to_string(),
            _ if !self.fits => format!("%!{letter}(BADINDEX)"),
            None => format!("%!{letter}(MISSING)"),
            Some(arg) => {
                self.next += 1;
                verb.format(letter, arg)
            }
        };
        self.out.push_str(&shown);
        true
    }

    /// `[2]`: the next argument is the second. Whether there is one such.
    fn index(&mut self) -> bool {
        let Some(after) = self.rest.strip_prefix('[') else { return false };
        self.reordered = true;
        let Some((number, rest)) = after.split_once(']') else {
            (self.rest, self.fits) = (after, false);
            return false;
        };
        self.rest = rest;
        match number.parse::<usize>().ok().filter(|_| number.bytes().all(|b| b.is_ascii_digit())) {
            Some(number) if (1..=self.args.len()).contains(&number) => {
                self.next = number - 1;
                true
            }
            number => {
                self.fits = false;
                number.is_some()
            }
        }
    }

    /// Digits as a number; an error where it is too great for Go.
    fn digits(&mut self) -> Result<Option<usize>, ()> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        match digits.parse::<usize>() {
            _ if digits.is_empty() => Ok(None),
            Ok(number) if number <= GREATEST => Ok(Some(number)),
            _ => Err(()),
        }
    }

    /// The next argument as a whole number, for `*`.
    fn whole(&mut self) -> Option<i64> {
        let arg = self.args.get(self.next)?;
        self.next += 1;
        arg.json().as_i64().filter(|n| n.unsigned_abs() <= GREATEST as u64)
    }
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
            _ if matches!(arg, Val::Complex(..)) => return self.of_complex(letter, arg),
            ('v', Value::String(_) | Value::Array(_) | Value::Object(_)) if self.sharp => source(arg),
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
                'U' => {
                    let shown = char::from_u32(u32::try_from(size).ok()?).filter(|c| self.sharp && !c.is_control());
                    return Some(format!("U+{size:04X}{}", shown.map_or(String::new(), |c| format!(" '{c}'"))));
                }
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
            'x' => hexadecimal(value.abs(), self.precision),
            'X' => hexadecimal(value.abs(), self.precision).to_uppercase(),
            'b' => {
                let (mantissa, exponent) = parts(value.abs());
                format!("{mantissa}p{:+}", exponent - 52)
            }
            _ => return None,
        };
        Some(format!("{}{digits}", sign(value.is_sign_negative())))
    }

    /// Both parts by the same verb.
    fn of_complex(&self, letter: char, arg: &Val) -> String {
        let Val::Complex(real, imaginary) = arg else { return String::new() };
        let one = |value: f64, plus: bool| {
            let verb = Verb { plus: self.plus || plus, ..*self };
            let number = Number::from_f64(value)?;
            Some(verb.pad(verb.number(if letter == 'v' { 'g' } else { letter }, &number)?, true))
        };
        match (letter, one(*real, false), one(*imaginary, true)) {
            ('T', ..) => go_type(arg).to_string(),
            (_, Some(real), Some(imaginary)) => format!("({real}{imaginary}i)"),
            _ => format!("%!{letter}(complex128={})", plain(arg)),
        }
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

/// A float's 53 bits and its exponent of two.
fn parts(value: f64) -> (u64, i64) {
    let bits = value.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i64, bits & ((1 << 52) - 1));
    match exponent {
        0 => (fraction, if fraction == 0 { 0 } else { -1022 }),
        exponent => (fraction | 1 << 52, exponent - 1023),
    }
}

/// `0x1.8p+01`: as many digits as it needs, or so many.
fn hexadecimal(value: f64, precision: Option<usize>) -> String {
    let (mut mantissa, mut exponent) = parts(value);
    while mantissa != 0 && mantissa < 1 << 52 {
        (mantissa, exponent) = (mantissa << 1, exponent - 1);
    }
    if let Some(places) = precision.filter(|places| *places < 13) {
        // Rounded to the nearest, or else to the even one.
        let cut = 52 - 4 * places as u32;
        let (kept, lost, half) = (mantissa >> cut, mantissa & ((1 << cut) - 1), 1u64 << (cut - 1));
        let up = lost > half || (lost == half && kept & 1 == 1);
        mantissa = (kept + u64::from(up)) << cut;
        if mantissa >> 53 == 1 {
            (mantissa, exponent) = (mantissa >> 1, exponent + 1);
        }
    }
    let digits = format!("{:013x}", mantissa & ((1 << 52) - 1));
    let digits = match precision {
        None => digits.trim_end_matches('0').to_string(),
        Some(places) => format!("{digits:0<places$}")[..places].to_string(),
    };
    let point = if digits.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("0x{}{point}{digits}p{sign}{:02}", mantissa >> 52, exponent.abs())
}
