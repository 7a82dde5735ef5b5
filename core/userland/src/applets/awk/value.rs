//! Values of `awk`: numbers, strings, and strings that look like numbers because they were read.

use crate::applets::printf::Spec;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Unset,
    Number(f64),
    Text(String),
    /// From input: compares as a number where it looks like one.
    Input(String),
}

impl Value {
    pub fn number(&self) -> f64 {
        match self {
            Value::Unset => 0.0,
            Value::Number(n) => *n,
            Value::Text(s) | Value::Input(s) => prefix(s).0,
        }
    }
    pub fn text(&self, format: &str) -> String {
        match self {
            Value::Unset => String::new(),
            Value::Number(n) => show(*n, format),
            Value::Text(s) | Value::Input(s) => s.clone(),
        }
    }
    pub fn truth(&self) -> bool {
        match self {
            Value::Unset => false,
            Value::Number(n) => *n != 0.0,
            Value::Text(s) => !s.is_empty(),
            Value::Input(s) => looks_numeric(s).map_or(!s.is_empty(), |n| n != 0.0),
        }
    }
    /// Its number, where it compares as one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Unset => Some(0.0),
            Value::Number(n) => Some(*n),
            Value::Text(_) => None,
            Value::Input(s) => looks_numeric(s),
        }
    }
}

/// A number as text: whole ones without a point, others by `CONVFMT` or `OFMT`.
pub fn show(n: f64, format: &str) -> String {
    if n == n.trunc() && n.abs() < 1e16 {
        return format!("{}", n as i64);
    }
    match format.strip_prefix('%') {
        Some(rest) => {
            let (spec, length) = Spec::parse(rest.as_bytes(), || 0);
            let letter = rest.as_bytes().get(length).copied().unwrap_or(b'g');
            String::from_utf8_lossy(&spec.float(letter, n)).into_owned()
        }
        None => n.to_string(),
    }
}

/// The number in front of a text and its length.
pub fn prefix(text: &str) -> (f64, usize) {
    let bytes = text.as_bytes();
    let blank = bytes.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let mut at = blank;
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
    let whole = digits(at);
    at += whole;
    let mut part = 0;
    if bytes.get(at) == Some(&b'.') {
        part = digits(at + 1);
        at += 1 + part;
    }
    if whole + part == 0 {
        return (0.0, 0);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at + 1 + sign);
        if exponent > 0 {
            at += 1 + sign + exponent;
        }
    }
    (text[blank..at].parse().unwrap_or(0.0), at)
}

fn looks_numeric(text: &str) -> Option<f64> {
    let (n, length) = prefix(text);
    (length > 0 && text[length..].bytes().all(|b| b.is_ascii_whitespace())).then_some(n)
}
