//! The words inside `{{` and `}}`.

use super::TemplateError;
use std::ops::Range;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `.`
    Dot,
    /// `.Name`
    Field(String),
    /// `$name`, without `$`.
    Variable(String),
    Word(String),
    Text(String),
    Int(i64),
    Float(f64),
    Complex(f64, f64),
    Pipe,
    Comma,
    Declare,
    Assign,
    Open,
    Close,
    /// Blanks separate arguments.
    Space,
}

/// One piece of a template.
pub(super) enum Piece {
    Text(String),
    Action(Vec<(Token, Range<usize>)>),
}

pub(super) fn error(source: &str, at: usize, what: &str) -> TemplateError {
    let line = source[..at.min(source.len())].matches('\n').count() + 1;
    TemplateError(format!("template: :{line}: {what}"))
}

/// Cuts a template into text and actions; trims blanks beside `{{-` and `-}}`, drops comments.
pub(super) fn pieces(source: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut trim = false;
    while let Some(open) = source[at..].find("{{").map(|i| at + i) {
        let mut text = &source[at..open];
        if trim {
            text = text.trim_start_matches(BLANKS);
        }
        let mut inside = open + 2;
        let rest = &source[inside..];
        if rest.starts_with('-') && rest[1..].starts_with(BLANKS) {
            text = text.trim_end_matches(BLANKS);
            inside += 2;
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_string()));
        }
        if source[inside..].starts_with("/*") {
            let end = source[inside..].find("*/").ok_or_else(|| error(source, open, "unclosed comment"))? + inside + 2;
            let after = &source[end..];
            let (closed, trims) = match after.strip_prefix(BLANKS).and_then(|rest| rest.strip_prefix('-')) {
                Some(rest) => (rest, true),
                None => (after, false),
            };
            let Some(rest) = closed.strip_prefix("}}") else {
                return Err(error(source, open, "comment ends before closing delimiter"));
            };
            (at, trim) = (source.len() - rest.len(), trims);
            continue;
        }
        let (tokens, end, trims) = action(source, inside)?;
        pieces.push(Piece::Action(tokens));
        (at, trim) = (end, trims);
    }
    let text = if trim { source[at..].trim_start_matches(BLANKS) } else { &source[at..] };
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_string()));
    }
    Ok(pieces)
}

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// The tokens from `at` to `}}`; where the text goes on, and whether its blanks are trimmed.
type Action = (Vec<(Token, Range<usize>)>, usize, bool);

fn action(source: &str, mut at: usize) -> Result<Action, TemplateError> {
    let mut tokens: Vec<(Token, Range<usize>)> = Vec::new();
    let mut depth = 0usize;
    let begin = at;
    loop {
        let rest = &source[at..];
        let Some(c) = rest.chars().next() else { return Err(error(source, begin, "unclosed action")) };
        if rest.starts_with("}}") {
            if depth > 0 {
                return Err(error(source, at, "unclosed left paren"));
            }
            return Ok((tokens, at + 2, false));
        }
        if BLANKS.contains(&c) {
            let blank = rest.len() - rest.trim_start_matches(BLANKS).len();
            if rest[blank..].starts_with("-}}") {
                if depth > 0 {
                    return Err(error(source, at, "unclosed left paren"));
                }
                return Ok((tokens, at + blank + 3, true));
            }
            tokens.push((Token::Space, at..at + blank));
            at += blank;
            continue;
        }
        let (token, length) = token(source, at, context(&tokens))?;
        match token {
            Token::Open => depth += 1,
            Token::Close => {
                depth = depth.checked_sub(1).ok_or_else(|| error(source, at, "unexpected right paren"))?;
            }
            _ => {}
        }
        tokens.push((token, at..at + length));
        at += length;
    }
}

/// What a character that begins no word is unexpected in, after these tokens.
fn context(tokens: &[(Token, Range<usize>)]) -> &'static str {
    const KEYWORDS: [&str; 3] = ["if", "range", "with"];
    match tokens.iter().rev().map(|(token, _)| token).find(|token| **token != Token::Space) {
        None | Some(Token::Pipe) => "command",
        Some(Token::Open) => "parenthesized pipeline",
        Some(Token::Word(word)) => KEYWORDS.into_iter().find(|k| k == word).unwrap_or("operand"),
        Some(_) => "operand",
    }
}

fn token(source: &str, at: usize, context: &str) -> Result<(Token, usize), TemplateError> {
    let rest = &source[at..];
    let word = |from: &str| from.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(from.len());
    // A name must be followed by something that ends it.
    let ended = |length: usize| match rest[length..].chars().next() {
        Some(c) if !BLANKS.contains(&c) && !".,|:)(".contains(c) && !rest[length..].starts_with("}}") => {
            Err(error(source, at, &format!("bad character U+{:04X} '{c}'", u32::from(c))))
        }
        _ => Ok(()),
    };
    let c = rest.chars().next().unwrap_or(' ');
    let next = rest[c.len_utf8()..].chars().next().unwrap_or(' ');
    Ok(match c {
        '|' => (Token::Pipe, 1),
        ',' => (Token::Comma, 1),
        '(' => (Token::Open, 1),
        ')' => (Token::Close, 1),
        ':' if next == '=' => (Token::Declare, 2),
        ':' => return Err(error(source, at, "expected :=")),
        '=' => (Token::Assign, 1),
        '"' => quoted(source, at)?,
        '`' => {
            let end = rest[1..].find('`').ok_or_else(|| error(source, at, "unterminated raw quoted string"))?;
            (Token::Text(rest[1..=end].to_string()), end + 2)
        }
        '\'' => {
            let (text, length) = escaped(source, at, '\'', "unterminated character constant")?;
            let mut chars = text.chars();
            let c = chars.next().ok_or_else(|| error(source, at, "invalid syntax"))?;
            if chars.next().is_some() {
                return Err(error(source, at, &format!("malformed character constant: {}", &rest[..length])));
            }
            (Token::Int(i64::from(u32::from(c))), length)
        }
        '$' => {
            let length = word(&rest[1..]);
            ended(length + 1)?;
            (Token::Variable(rest[1..=length].to_string()), length + 1)
        }
        '.' if next.is_ascii_digit() => number(source, at)?,
        '.' => match word(&rest[1..]) {
            0 => (Token::Dot, 1),
            length => {
                ended(length + 1)?;
                (Token::Field(rest[1..=length].to_string()), length + 1)
            }
        },
        '+' | '-' | '0'..='9' => number(source, at)?,
        c if c.is_alphabetic() || c == '_' => {
            let length = word(rest);
            ended(length)?;
            (Token::Word(rest[..length].to_string()), length)
        }
        c => {
            let shown = format!("unexpected {:?} in {context}", c.to_string());
            return Err(match u32::from(c) {
                code if c.is_ascii_graphic() || c.is_ascii_whitespace() => {
                    let _ = code;
                    error(source, at, &shown)
                }
                code => error(source, at, &format!("unrecognized character in action: U+{code:04X} '{c}'")),
            });
        }
    })
}

fn quoted(source: &str, at: usize) -> Result<(Token, usize), TemplateError> {
    let (text, length) = escaped(source, at, '"', "unterminated quoted string")?;
    Ok((Token::Text(text), length))
}

/// A literal between two `quote`s, with Go's escapes.
fn escaped(source: &str, at: usize, quote: char, unterminated: &str) -> Result<(String, usize), TemplateError> {
    let rest = &source[at + 1..];
    let mut text = String::new();
    let mut chars = rest.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '\n' => break,
            '\\' => {
                let bad = || error(source, at, "invalid syntax");
                let (_, escape) = chars.next().ok_or_else(|| error(source, at, unterminated))?;
                let mut code = |digits: usize, radix: u32| {
                    let hex: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
                    u32::from_str_radix(&hex, radix).ok().and_then(char::from_u32).ok_or_else(bad)
                };
                text.push(match escape {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'a' => '\u{7}',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'v' => '\u{b}',
                    '0'..='7' => {
                        let rest = code(2, 8)?;
                        let first = escape.to_digit(8).unwrap_or(0);
                        char::from_u32(first * 64 + u32::from(rest)).ok_or_else(bad)?
                    }
                    'x' => code(2, 16)?,
                    'u' => code(4, 16)?,
                    'U' => code(8, 16)?,
                    '\\' | '"' | '\'' => escape,
                    _ => return Err(bad()),
                });
            }
            c if c == quote => return Ok((text, i + 2)),
            c => text.push(c),
        }
    }
    Err(error(source, at, unterminated))
}

/// A number, which nothing that could be part of a name may follow.
fn number(source: &str, at: usize) -> Result<(Token, usize), TemplateError> {
    let rest = &source[at..];
    let bad = |length: usize| {
        let shown: String = rest[..length].chars().chain(rest[length..].chars().next()).collect();
        error(source, at, &format!("bad number syntax: {shown:?}"))
    };
    let follows = |length: usize| rest[length..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let mut length = scan(rest);
    if follows(length) {
        return Err(bad(length));
    }
    let illegal = |text: &str| error(source, at, &format!("illegal number syntax: {text:?}"));
    if rest[length..].starts_with(['+', '-']) {
        // A complex number with both of its parts.
        let real = length;
        length += scan(&rest[real..]);
        if follows(length) {
            return Err(bad(length));
        }
        let Some(imaginary) = rest[real..length].strip_suffix('i') else {
            return Err(error(source, at, &format!("bad number syntax: {:?}", &rest[..length])));
        };
        return match (float(&rest[..real]), float(imaginary)) {
            (Some(real), Some(imaginary)) => Ok((Token::Complex(real, imaginary), length)),
            _ => Err(illegal(&rest[..length])),
        };
    }
    let text = &rest[..length];
    if let Some(imaginary) = text.strip_suffix('i') {
        let imaginary = float(imaginary).ok_or_else(|| illegal(text))?;
        return Ok((Token::Complex(0.0, imaginary), length));
    }
    let hexadecimal = text.trim_start_matches(['+', '-']).starts_with("0x");
    match (whole(text), float(text)) {
        (Some(number), _) => Ok((Token::Int(number), length)),
        (None, Some(_)) if !text.contains(['.', 'p', 'P']) && (hexadecimal || !text.contains(['e', 'E'])) => {
            Err(error(source, at, &format!("integer overflow: {text:?}")))
        }
        (None, Some(number)) => Ok((Token::Float(number), length)),
        (None, None) => Err(illegal(text)),
    }
}

/// How long the number at the beginning of `text` is. Source: Go, text/template/parse/lex.go, scanNumber.
fn scan(text: &str) -> usize {
    let mut at = usize::from(text.starts_with(['+', '-']));
    let bytes = text.as_bytes();
    let one = |at: usize, of: &str| bytes.get(at).is_some_and(|b| of.as_bytes().contains(b));
    let many = |mut at: usize, of: &str| {
        while one(at, of) {
            at += 1;
        }
        at
    };
    const TEN: &str = "0123456789_";
    let mut digits = TEN;
    if one(at, "0") {
        at += 1;
        if one(at, "xX") {
            digits = "0123456789abcdefABCDEF_";
        } else if one(at, "oO") {
            digits = "01234567_";
        } else if one(at, "bB") {
            digits = "01_";
        }
        at += usize::from(digits.len() != TEN.len());
    }
    at = many(at, digits);
    if one(at, ".") {
        at = many(at + 1, digits);
    }
    let exponent = match digits.len() {
        11 => "eE",
        23 => "pP",
        _ => "",
    };
    if one(at, exponent) {
        at += 1;
        at = many(at + usize::from(one(at, "+-")), TEN);
    }
    at + usize::from(one(at, "i"))
}

/// A whole number as Go writes one, in any of its bases.
fn whole(text: &str) -> Option<i64> {
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, &digits[2..]),
        Some("0b" | "0B") => (2, &digits[2..]),
        Some("0o" | "0O") => (8, &digits[2..]),
        Some(two) if two.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    let number = i64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with(['+', '-']))?;
    Some(if negative { -number } else { number })
}

/// A float as Go writes one, with `p` before the exponent of a hexadecimal one.
fn float(text: &str) -> Option<f64> {
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let Some(hexadecimal) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) else {
        return digits.parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| sign * n);
    };
    let (mantissa, exponent) = hexadecimal.split_once(['p', 'P'])?;
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{before}{after}");
    // More digits than a float has make no difference that anybody would see here.
    let number = u64::from_str_radix(digits.get(..15.min(digits.len()))?, 16).ok()? as f64;
    let dropped = digits.len().saturating_sub(15) as i32;
    let exponent = exponent.parse::<i32>().ok()?.checked_sub(4 * (after.len() as i32 - dropped))?;
    Some(sign * number * 2f64.powi(exponent)).filter(|n| n.is_finite())
}
