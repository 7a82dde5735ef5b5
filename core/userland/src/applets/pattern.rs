//! Regular expressions of POSIX, translated to what `regex-lite` reads, over bytes.
//!
//! Back-references inside a pattern are refused: the engine behind matches in linear time and has none.

use regex_lite::{Regex, RegexBuilder};
use std::ops::Range;

/// The two dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    Basic,
    Extended,
}

#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
}

/// What matched: the whole, and each group.
pub type Groups = Vec<Option<Range<usize>>>;

impl Pattern {
    pub fn new(text: &str, syntax: Syntax, ignore_case: bool) -> Result<Pattern, String> {
        let translated = translate(text, syntax)?;
        Pattern::build(&translated, ignore_case)
    }
    /// One of several, anchored to whole words or whole lines where asked.
    pub fn any(
        parts: &[String],
        syntax: Option<Syntax>,
        ignore_case: bool,
        word: bool,
        line: bool,
    ) -> Result<Pattern, String> {
        let mut all = Vec::new();
        for part in parts {
            all.push(match syntax {
                Some(syntax) => translate(part, syntax)?,
                None => regex_lite::escape(part),
            });
        }
        let body = all.iter().map(|p| format!("(?:{p})")).collect::<Vec<_>>().join("|");
        let body = match (line, word) {
            (true, _) => format!("^(?:{body})$"),
            (_, true) => format!("(?:\\b{{start-half}}(?:{body})\\b{{end-half}})"),
            _ => body,
        };
        Pattern::build(&body, ignore_case)
    }
    fn build(translated: &str, ignore_case: bool) -> Result<Pattern, String> {
        let built = RegexBuilder::new(translated).case_insensitive(ignore_case).dot_matches_new_line(true).build();
        built.map(|regex| Pattern { regex }).map_err(|e| e.to_string())
    }

    pub fn is_match(&self, line: &[u8]) -> bool {
        match std::str::from_utf8(line) {
            Ok(text) => self.regex.is_match(text),
            Err(_) => self.regex.is_match(&latin(line)),
        }
    }
    /// How many groups there are, the whole included.
    pub fn groups(&self) -> usize {
        self.regex.captures_len()
    }
    /// The first match from `from` on; anchors and word edges see the whole line.
    pub fn find(&self, line: &[u8], from: usize) -> Option<Groups> {
        if from > line.len() {
            return None;
        }
        match std::str::from_utf8(line) {
            Ok(text) => {
                let from = (from..=text.len()).find(|at| text.is_char_boundary(*at))?;
                let found = self.regex.captures_iter_from(text, from)?;
                Some(found)
            }
            Err(_) => {
                // Bytes that are no text are read as one character each; places are counted back.
                let text = latin(line);
                let wide = |at: usize| line[..at].iter().map(|b| if *b < 128 { 1 } else { 2 }).sum::<usize>();
                let narrow = |at: usize| text[..at].chars().count();
                let found = self.regex.captures_iter_from(&text, wide(from))?;
                Some(found.into_iter().map(|g| g.map(|r| narrow(r.start)..narrow(r.end))).collect())
            }
        }
    }
}

trait FindFrom {
    fn captures_iter_from(&self, text: &str, from: usize) -> Option<Groups>;
}

impl FindFrom for Regex {
    fn captures_iter_from(&self, text: &str, from: usize) -> Option<Groups> {
        let mut places = self.capture_locations();
        self.captures_read_at(&mut places, text, from)?;
        Some((0..places.len()).map(|i| places.get(i).map(|(a, b)| a..b)).collect())
    }
}

fn latin(line: &[u8]) -> String {
    line.iter().map(|b| *b as char).collect()
}

/// Translates a pattern of POSIX, with the usual GNU escapes.
pub fn translate(text: &str, syntax: Syntax) -> Result<String, String> {
    let extended = syntax == Syntax::Extended;
    let chars: Vec<char> = text.chars().collect();
    let (mut out, mut at, mut depth) = (String::new(), 0, 0usize);
    // Where an expression begins, `*` is itself and `^` an anchor.
    let mut start = true;
    while at < chars.len() {
        let c = chars[at];
        let escaped = c == '\\';
        let c = if escaped { *chars.get(at + 1).ok_or("Trailing backslash")? } else { c };
        at += 1 + usize::from(escaped);
        let was_start = std::mem::replace(&mut start, false);
        let special = escaped != extended;
        match c {
            '(' if special => {
                depth += 1;
                start = true;
                out.push('(');
            }
            ')' if special && depth > 0 => {
                depth -= 1;
                out.push(')');
            }
            ')' if special && !extended => return Err("Unmatched ) or \\)".to_string()),
            '|' if special => {
                start = true;
                out.push('|');
            }
            '{' if special && !was_start => at = interval(&chars, at, extended, &mut out)?,
            '+' | '?' if special && !was_start => out.push(c),
            '*' if !escaped && !was_start => {
                if !out.ends_with('*') {
                    out.push('*');
                }
            }
            '[' if !escaped => at = bracket(&chars, at, &mut out)?,
            '.' if !escaped => out.push('.'),
            '^' if !escaped && (extended || was_start) => {
                out.push('^');
                start = true;
            }
            '$' if !escaped && (extended || ends_here(&chars[at..])) => out.push('$'),
            '<' if escaped => out.push_str("\\b{start}"),
            '>' if escaped => out.push_str("\\b{end}"),
            'b' | 'B' | 'w' | 'W' | 's' | 'S' if escaped => {
                out.push('\\');
                out.push(c);
            }
            'n' if escaped => out.push('\n'),
            't' if escaped => out.push('\t'),
            'r' if escaped => out.push('\r'),
            '`' if escaped => out.push_str("\\A"),
            '\'' if escaped => out.push_str("\\z"),
            '1'..='9' if escaped => return Err("back-references in a pattern are not supported".to_string()),
            c => out.push_str(&regex_lite::escape(&c.to_string())),
        }
    }
    if depth > 0 {
        return Err("Unmatched ( or \\(".to_string());
    }
    Ok(out)
}

/// In a basic expression `$` is an anchor at the end of the whole, or of a group or an alternative.
fn ends_here(rest: &[char]) -> bool {
    matches!(rest, [] | ['\\', ')' | '|', ..])
}

fn interval(chars: &[char], mut at: usize, extended: bool, out: &mut String) -> Result<usize, String> {
    let mut body = String::new();
    loop {
        match chars.get(at) {
            None => return Err("Unmatched { or \\{".to_string()),
            Some('\\') if !extended && chars.get(at + 1) == Some(&'}') => {
                at += 2;
                break;
            }
            Some('}') if extended => {
                at += 1;
                break;
            }
            Some(c) => body.push(*c),
        }
        at += 1;
    }
    let valid = |n: &str| n.is_empty() || n.parse::<u32>().is_ok_and(|n| n <= 255);
    let (least, most) = body.split_once(',').unwrap_or((&body, "1"));
    if body.is_empty() || !valid(least) || !valid(most) {
        return Err("Invalid content of \\{\\}".to_string());
    }
    out.push('{');
    if body.starts_with(',') {
        out.push('0');
    }
    out.push_str(&body);
    out.push('}');
    Ok(at)
}

/// A bracket expression, behind its `[`. A backslash in it is itself.
fn bracket(chars: &[char], mut at: usize, out: &mut String) -> Result<usize, String> {
    out.push('[');
    if chars.get(at) == Some(&'^') {
        out.push('^');
        at += 1;
    }
    let first = at;
    loop {
        let c = *chars.get(at).ok_or("Unmatched [, [^, [:, [., or [=")?;
        match c {
            ']' if at > first => break,
            '[' if matches!(chars.get(at + 1), Some(':' | '=' | '.')) => {
                let kind = chars[at + 1];
                let end = (at + 2..chars.len().saturating_sub(1)).find(|i| chars[*i] == kind && chars[*i + 1] == ']');
                let end = end.ok_or("Unmatched [, [^, [:, [., or [=")?;
                let name: String = chars[at + 2..end].iter().collect();
                match kind {
                    ':' => out.push_str(&format!("[:{name}:]")),
                    _ => out.push_str(&regex_lite::escape(&name)),
                }
                at = end + 2;
                continue;
            }
            '-' if at == first || chars.get(at + 1) == Some(&']') => out.push_str("\\-"),
            '-' => out.push('-'),
            '\\' if matches!(chars.get(at + 1), Some('n' | 't')) => {
                out.push(if chars[at + 1] == 'n' { '\n' } else { '\t' });
                at += 1;
            }
            '[' | ']' | '\\' | '^' | '&' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        at += 1;
    }
    out.push(']');
    Ok(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialects_match_as_posix_says() {
        use Syntax::{Basic, Extended};
        for (pattern, syntax, text, want) in [
            ("a*b", Basic, "xaab", Some("aab")),
            ("*a", Basic, "b*a", Some("*a")),
            ("a+", Basic, "aa+", Some("a+")),
            ("a\\+", Basic, "baa", Some("aa")),
            ("a+", Extended, "baa", Some("aa")),
            ("\\(ab\\)*c", Basic, "ababc", Some("ababc")),
            ("(a|b)+$", Extended, "cab", Some("ab")),
            ("^[^[:space:]]*", Basic, "ab c", Some("ab")),
            ("[]x]", Basic, "a]", Some("]")),
            ("[a-c]\\{2,3\\}", Basic, "xabcab", Some("abc")),
            ("[0-9]{2}", Extended, "a12", Some("12")),
            ("a$b", Basic, "a$b", Some("a$b")),
            ("\\<b", Basic, "ab b", Some("b")),
            ("a.c", Basic, "abc", Some("abc")),
            ("[\\.]", Basic, "\\", Some("\\")),
            ("x", Basic, "a", None),
        ] {
            let found = Pattern::new(pattern, syntax, false).unwrap().find(text.as_bytes(), 0);
            let found = found.map(|g| &text[g[0].clone().unwrap()]);
            assert_eq!(found, want, "{pattern}");
        }
        for wrong in ["\\(", "[", "a\\{1", "\\", "\\(a\\)\\1"] {
            assert!(Pattern::new(wrong, Basic, false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_keep_their_places() {
        let found = Pattern::new("b", Syntax::Basic, false).unwrap().find(b"\xff\xfeab", 0).unwrap();
        assert_eq!(found[0], Some(3..4));
    }
}
