//! A Dockerfile as an editor shows it: which characters are what. It never fails: what can't be parsed is
//! marked, with the parser's own words kept beside it by [`super::ParseError`].

use super::parse::KEYWORDS;

/// What some characters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    Comment,
    Keyword,
    /// A keyword that is none.
    Unknown,
    /// `--chown=…`.
    Flag,
    Variable,
    Text,
    /// The `\` that continues a line.
    Continuation,
    /// A here-document's lines.
    Heredoc,
}

/// Bytes `start..end` of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: usize,
    pub end: usize,
    pub kind: SpanKind,
}

/// All spans in order; together they cover all but line breaks and blanks around lines.
pub fn spans(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let mut continued = false;
    let mut waiting: Vec<super::Heredoc> = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let from = start;
        start += line.len();
        let bare = line.trim_end_matches(['\n', '\r']);
        if let Some(heredoc) = waiting.first() {
            let ends = heredoc.ends_at(bare);
            if !bare.is_empty() {
                found.push(Span { start: from, end: from + bare.len(), kind: SpanKind::Heredoc });
            }
            if ends {
                waiting.remove(0);
            }
            continue;
        }
        let indent = bare.len() - bare.trim_start().len();
        let body = bare.trim();
        let at = from + indent;
        if body.is_empty() {
            continue;
        }
        if body.starts_with('#') {
            found.push(Span { start: at, end: at + body.len(), kind: SpanKind::Comment });
            continue;
        }
        let escape = body.ends_with('\\') && !body.ends_with("\\\\");
        let content = body.strip_suffix('\\').filter(|_| escape).unwrap_or(body);
        let keyword_end = if continued { 0 } else { content.find(char::is_whitespace).unwrap_or(content.len()) };
        if !continued {
            let keyword = content[..keyword_end].to_lowercase();
            let kind = if KEYWORDS.contains(&keyword.as_str()) { SpanKind::Keyword } else { SpanKind::Unknown };
            found.push(Span { start: at, end: at + keyword_end, kind });
            if matches!(keyword.as_str(), "run" | "copy" | "add") {
                waiting = super::Heredoc::all(&content[keyword_end..]);
            }
        }
        words(&content[keyword_end..], at + keyword_end, &mut found);
        if escape {
            found.push(Span { start: at + body.len() - 1, end: at + body.len(), kind: SpanKind::Continuation });
        }
        continued = escape;
    }
    found.retain(|s| s.start < s.end);
    found
}

/// Flags, variables and the text between them.
fn words(text: &str, at: usize, found: &mut Vec<Span>) {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i].is_ascii_whitespace() {
            i += 1;
            continue;
        }
        let end_of = |from: usize, stop: &dyn Fn(u8) -> bool| {
            bytes[from..].iter().position(|b| stop(*b)).map_or(bytes.len(), |n| from + n)
        };
        let blank = |b: u8| b.is_ascii_whitespace();
        let (end, kind) = match bytes[i] {
            b'-' if bytes[i..].starts_with(b"--") => (end_of(i, &blank), SpanKind::Flag),
            b'$' if bytes.get(i + 1) == Some(&b'{') => {
                (bytes[i..].iter().position(|b| *b == b'}').map_or(bytes.len(), |n| i + n + 1), SpanKind::Variable)
            }
            b'$' => {
                let name = |b: u8| !(b.is_ascii_alphanumeric() || b == b'_');
                (end_of(i + 1, &name), SpanKind::Variable)
            }
            _ => (end_of(i, &|b| blank(b) || b == b'$'), SpanKind::Text),
        };
        found.push(Span { start: at + i, end: at + end, kind });
        i = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_file() {
        let text = "# c\nFROM $A\nRUN --mount=x a \\\n  b\nFLY\nRUN <<E\nin\nE\nCMD x\n";
        let shown: Vec<(&str, SpanKind)> = spans(text).iter().map(|s| (&text[s.start..s.end], s.kind)).collect();
        use SpanKind::{Comment, Continuation, Flag, Heredoc, Keyword, Text, Unknown, Variable};
        assert_eq!(
            shown,
            [
                ("# c", Comment),
                ("FROM", Keyword),
                ("$A", Variable),
                ("RUN", Keyword),
                ("--mount=x", Flag),
                ("a", Text),
                ("\\", Continuation),
                ("b", Text),
                ("FLY", Unknown),
                ("RUN", Keyword),
                ("<<E", Text),
                ("in", Heredoc),
                ("E", Heredoc),
                ("CMD", Keyword),
                ("x", Text),
            ]
        );
    }
}
