//! The escapes of `$'…'`, and quoting text so that it reads as itself.

/// The bytes of a text with the escapes of C.
pub fn c_string(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c != '\\' {
            push(&mut bytes, c);
            continue;
        }
        match rest.chars().next() {
            Some(quote @ ('\'' | '"' | '?')) => {
                push(&mut bytes, quote);
                rest = &rest[1..];
            }
            Some('c') if rest.len() > 1 => {
                let control = rest.as_bytes()[1];
                bytes.push(control & 0x1F);
                rest = rest.get(2..).unwrap_or("");
            }
            _ => rest = escape(rest, &mut bytes),
        }
    }
    bytes
}

fn push(bytes: &mut Vec<u8>, c: char) {
    bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Takes one escape from the beginning of `text` (after its backslash), and gives what follows it.
fn escape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> &'a str {
    let Some(c) = text.chars().next() else {
        bytes.push(b'\\');
        return "";
    };
    let rest = &text[c.len_utf8()..];
    let hex = rest.starts_with(|c: char| c.is_ascii_hexdigit());
    match c {
        'a' => bytes.push(7),
        'b' => bytes.push(8),
        'e' | 'E' => bytes.push(27),
        'f' => bytes.push(12),
        'n' => bytes.push(10),
        'r' => bytes.push(13),
        't' => bytes.push(9),
        'v' => bytes.push(11),
        '\\' => bytes.push(b'\\'),
        '0'..='7' => {
            let (value, rest) = number(text, 8, 3);
            bytes.push(value as u8);
            return rest;
        }
        'x' if hex => {
            let (value, rest) = number(rest, 16, 2);
            bytes.push(value as u8);
            return rest;
        }
        'u' | 'U' if hex => {
            let (value, rest) = number(rest, 16, if c == 'u' { 4 } else { 8 });
            push(bytes, char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER));
            return rest;
        }
        c => {
            bytes.push(b'\\');
            push(bytes, c);
        }
    }
    rest
}

/// A number of at most `most` digits at the beginning of `text`, and what follows.
fn number(text: &str, radix: u32, most: usize) -> (u32, &str) {
    let length = text.chars().take(most).take_while(|c| c.is_digit(radix)).count();
    (u32::from_str_radix(&text[..length], radix).unwrap_or(0), &text[length..])
}

/// A text in single quotes, so that the shell reads it as itself: `it'\''s`.
pub fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A word as ash's `set -x` shows it.
pub fn traced(text: &str) -> String {
    let special = |c: char| c < '+' || (';'..='?').contains(&c) || "`[\\".contains(c) || c > 'z';
    if text.is_empty() || text.contains(special) { single_quoted(text) } else { text.to_string() }
}

/// As [`single_quoted`], but only where it is needed.
pub fn quoted_if_needed(text: &str) -> String {
    let safe = |c: char| c.is_alphanumeric() || "_-./:=@%+,^".contains(c);
    if !text.is_empty() && text.chars().all(safe) { text.to_string() } else { single_quoted(text) }
}
