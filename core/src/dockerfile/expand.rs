//! Variables and quotes in instructions: `$A`, `${A:-b}`, `'…'`, `"…"`.

use super::pattern::{replaced, without_prefix, without_suffix};
use cutaway_userland::sorted::Map as BTreeMap;

/// Names and values. A name that is there with an empty value is set.
pub type Vars = BTreeMap<String, String>;

/// The text with variables replaced and quotes taken away.
///
/// # Errors
/// In BuildKit's words: `unexpected end of statement while looking for matching double-quote`.
pub fn expand(text: &str, vars: &Vars, escape: char) -> Result<String, String> {
    Reader::new(text, vars, escape).word(None).map_err(|e| format!("failed to process {text:?}: {e}"))
}

/// The same, quotes kept: for a here-document that is copied.
pub fn expand_keeping_quotes(text: &str, vars: &Vars, escape: char) -> Result<String, String> {
    Reader { keep_quotes: true, ..Reader::new(text, vars, escape) }
        .word(None)
        .map_err(|e| format!("failed to process {text:?}: {e}"))
}

/// The text of an instruction as progress shows it: known variables replaced, all else as typed.
pub fn expand_for_show(text: &str, vars: &Vars, escape: char) -> String {
    let shown = Reader { keep_quotes: true, keep_unset: true, ..Reader::new(text, vars, escape) }.word(None);
    shown.unwrap_or_else(|_| text.to_string())
}

/// The names in a text that stand for nothing, without those that have a default there.
pub fn unset(text: &str, vars: &Vars, escape: char) -> Vec<String> {
    let mut reader = Reader::new(text, vars, escape);
    match reader.word(None) {
        Ok(_) => reader.unset,
        Err(_) => Vec::new(),
    }
}

/// The words of the text; what a variable stands for is divided, too, unless it is quoted.
pub fn expand_words(text: &str, vars: &Vars, escape: char) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    for word in raw_words(text, escape) {
        let value = expand(&word, vars, escape)?;
        if word.contains(['"', '\'']) {
            words.push(value);
        } else {
            words.extend(value.split_whitespace().map(str::to_string));
        }
    }
    Ok(words)
}

/// The words as they stand, quotes kept.
pub fn raw_words(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    let mut braces = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if quote.is_none() && braces == 0 && c.is_whitespace() {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            continue;
        }
        word.push(c);
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '$') if chars.peek() == Some(&'{') => {
                braces += 1;
                word.extend(chars.next());
            }
            (None, '}') if braces > 0 => braces -= 1,
            (quote, c) if c == escape && quote != Some('\'') => word.extend(chars.next()),
            _ => {}
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

struct Reader<'a> {
    chars: Vec<char>,
    at: usize,
    vars: &'a Vars,
    escape: char,
    keep_quotes: bool,
    /// Leaves what stands for nothing as it is.
    keep_unset: bool,
    /// The names that stood for nothing.
    unset: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(text: &str, vars: &'a Vars, escape: char) -> Reader<'a> {
        Reader {
            chars: text.chars().collect(),
            at: 0,
            vars,
            escape,
            keep_quotes: false,
            keep_unset: false,
            unset: Vec::new(),
        }
    }
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    /// Up to the end, or to `stop` outside of quotes (which is left to be read).
    fn word(&mut self, stop: Option<char>) -> Result<String, String> {
        let mut out = String::new();
        while let Some(c) = self.peek() {
            if Some(c) == stop {
                return Ok(out);
            }
            self.at += 1;
            match c {
                '\'' if !self.keep_quotes => self.single(&mut out)?,
                '"' if !self.keep_quotes => self.double(&mut out)?,
                '$' => out.push_str(&self.dollar()?),
                c if c == self.escape => match self.next() {
                    Some(next) if self.keep_quotes && next != '$' => out.extend([c, next]),
                    Some(next) => out.push(next),
                    None => out.push(c),
                },
                c => out.push(c),
            }
        }
        Ok(out)
    }

    fn single(&mut self, out: &mut String) -> Result<(), String> {
        loop {
            match self.next() {
                None => return Err("unexpected end of statement while looking for matching single-quote".into()),
                Some('\'') => return Ok(()),
                Some(c) => out.push(c),
            }
        }
    }

    fn double(&mut self, out: &mut String) -> Result<(), String> {
        loop {
            match self.next() {
                None => return Err("unexpected end of statement while looking for matching double-quote".into()),
                Some('"') => return Ok(()),
                Some('$') => out.push_str(&self.dollar()?),
                Some(c) if c == self.escape => match self.peek() {
                    Some(next) if next == '"' || next == '$' || next == self.escape => {
                        out.push(next);
                        self.at += 1;
                    }
                    _ => out.push(c),
                },
                Some(c) => out.push(c),
            }
        }
    }

    /// What stands after `$`.
    fn dollar(&mut self) -> Result<String, String> {
        let from = self.at - 1;
        let value = self.substitution()?;
        if self.keep_unset && value.is_empty() {
            return Ok(self.chars[from..self.at].iter().collect());
        }
        Ok(value)
    }

    fn substitution(&mut self) -> Result<String, String> {
        match self.peek() {
            Some('{') => {
                self.at += 1;
                self.braced()
            }
            Some(c) if c.is_alphanumeric() || c == '_' => {
                let name = self.name();
                Ok(self.needed(&name))
            }
            _ => Ok("$".to_string()),
        }
    }

    /// A name; a digit is a whole one, as in a shell.
    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.peek() {
            if !(c.is_alphanumeric() || c == '_') {
                break;
            }
            name.push(c);
            self.at += 1;
            if name.len() == 1 && c.is_ascii_digit() {
                break;
            }
        }
        name
    }

    /// The value of what should have one.
    fn needed(&mut self, name: &str) -> String {
        if !self.vars.contains_key(name) && !self.unset.iter().any(|n| n == name) {
            self.unset.push(name.to_string());
        }
        self.vars.get(name).cloned().unwrap_or_default()
    }

    fn braced(&mut self) -> Result<String, String> {
        if self.peek().is_none() {
            return Err("syntax error: missing '}'".into());
        }
        let name = self.name();
        if name.is_empty() {
            return Err("syntax error: bad substitution".into());
        }
        let value = self.vars.get(&name).cloned();
        let Some(operator) = self.next() else { return Err("syntax error: missing '}'".into()) };
        let result = match operator {
            '}' => return Ok(self.needed(&name)),
            ':' => {
                let Some(operator) = self.next() else { return Err("syntax error: missing '}'".into()) };
                let word = self.rest()?;
                let set = value.filter(|v| !v.is_empty());
                substituted(&name, set, operator, word)?
            }
            '-' | '+' | '?' => {
                let word = self.rest()?;
                substituted(&name, value, operator, word)?
            }
            '#' | '%' => {
                let longest = self.peek() == Some(operator);
                self.at += usize::from(longest);
                let pattern = self.rest()?;
                let value = value.unwrap_or_default();
                let cut = if operator == '#' { without_prefix } else { without_suffix };
                cut(&value, &pattern, longest)
            }
            '/' => {
                let all = self.peek() == Some('/');
                self.at += usize::from(all);
                let pattern = self.word(Some('/'))?;
                if self.next().is_none() {
                    return Err("syntax error: missing '/' in replacement".into());
                }
                let by = self.rest()?;
                replaced(&value.unwrap_or_default(), &pattern, &by, all)
            }
            other => return Err(format!("unsupported modifier ({other}) in substitution")),
        };
        Ok(result)
    }

    /// The word up to the closing brace, which is read, too.
    fn rest(&mut self) -> Result<String, String> {
        let word = self.word(Some('}'))?;
        match self.next() {
            Some(_) => Ok(word),
            None => Err("syntax error: missing '}'".into()),
        }
    }
}

fn substituted(name: &str, set: Option<String>, operator: char, word: String) -> Result<String, String> {
    match (operator, set) {
        ('-', set) => Ok(set.unwrap_or(word)),
        ('+', set) => Ok(set.map_or_else(String::new, |_| word)),
        ('?', Some(value)) => Ok(value),
        ('?', None) if word.is_empty() => Err(format!("{name}: is not allowed to be unset")),
        ('?', None) => Err(format!("{name}: {word}")),
        (other, _) => Err(format!("unsupported modifier ({other}) in substitution")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars() -> Vars {
        [("A", "1"), ("EMPTY", ""), ("TWO", "b c"), ("FILE", "a/b.tar.gz")].map(|(k, v)| (k.into(), v.into())).into()
    }

    #[test]
    fn every_form() {
        for (text, value) in [
            ("$A", "1"),
            ("x${A}y", "x1y"),
            ("$NO-", "-"),
            ("'$A'", "$A"),
            ("\"$A\"", "1"),
            ("\\$A", "$A"),
            ("\"\\$A \\\" \\x\"", "$A \" \\x"),
            ("${NO:-d}", "d"),
            ("${EMPTY:-d}", "d"),
            ("${EMPTY-d}", ""),
            ("${NO-$A}", "1"),
            ("${A:+yes}${NO:+no}${EMPTY+set}", "yesset"),
            ("${NO:-${NO:-deep}}", "deep"),
            ("${FILE#*/}", "b.tar.gz"),
            ("${FILE%.*}", "a/b.tar"),
            ("${FILE%%.*}", "a/b"),
            ("${FILE/a/x}", "x/b.txr.gz".replace("txr", "tar").as_str()),
            ("${FILE//a/x}", "x/b.txr.gz"),
            ("$", "$"),
            ("a$ b", "a$ b"),
            ("C:\\\\x", "C:\\x"),
        ] {
            assert_eq!(expand(text, &vars(), '\\').as_deref(), Ok(value), "{text}");
        }
        assert_eq!(expand("c:\\x`$A", &vars(), '`').as_deref(), Ok("c:\\x$A"));
    }

    #[test]
    fn words_are_divided_after() {
        for (text, words) in [
            ("a $A c", vec!["a", "1", "c"]),
            ("$TWO", vec!["b", "c"]),
            ("\"$TWO\" '' x", vec!["b c", "", "x"]),
            ("${NO:-x y}", vec!["x", "y"]),
            ("a\\ b", vec!["a", "b"]),
        ] {
            assert_eq!(expand_words(text, &vars(), '\\').unwrap(), words, "{text}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (text, error) in [
            ("\"a", "failed to process \"\\\"a\": unexpected end of statement while looking for matching double-quote"),
            ("'a", "failed to process \"'a\": unexpected end of statement while looking for matching single-quote"),
            ("${A", "failed to process \"${A\": syntax error: missing '}'"),
            ("${}", "failed to process \"${}\": syntax error: bad substitution"),
            ("${A:x}", "failed to process \"${A:x}\": unsupported modifier (x) in substitution"),
            ("${NO:?gone}", "failed to process \"${NO:?gone}\": NO: gone"),
        ] {
            assert_eq!(expand(text, &vars(), '\\').unwrap_err(), error);
        }
    }
}
