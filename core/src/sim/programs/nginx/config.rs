//! The language of `nginx.conf`: directives with words, and blocks of them. Source: nginx.org, "Configuration
//! file's structure". Only what [`super`] acts on is read out of the tree; other directives are left alone.

use std::iter::Peekable;
use std::str::Chars;

/// One directive: its words, and what stands between its braces where it has any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    pub words: Vec<String>,
    pub block: Option<Vec<Directive>>,
    pub file: String,
    pub line: u32,
}

impl Directive {
    pub fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    pub fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", String::as_str)
    }
}

/// The directives named `name` among `all`.
pub fn named<'a>(all: &'a [Directive], name: &'a str) -> impl Iterator<Item = &'a Directive> {
    all.iter().filter(move |d| d.name() == name)
}

/// The second word of the last directive of this name.
pub fn value(all: &[Directive], name: &str) -> Option<String> {
    named(all, name).last().map(|d| d.word(1).to_string())
}

struct Reader<'a> {
    text: Peekable<Chars<'a>>,
    file: &'a str,
    line: u32,
}

enum Token {
    Word(String),
    Semicolon,
    Open,
    Close,
}

/// Reads one file. The error is in nginx's words, with file and line.
pub fn parse(text: &str, file: &str) -> Result<Vec<Directive>, String> {
    Reader { text: text.chars().peekable(), file, line: 1 }.block(0)
}

impl Reader<'_> {
    fn block(&mut self, depth: usize) -> Result<Vec<Directive>, String> {
        if depth > 32 {
            return Err(self.error("too many nested blocks"));
        }
        let mut all = Vec::new();
        let (mut words, mut line) = (Vec::new(), self.line);
        loop {
            match self.token()? {
                Some(Token::Word(word)) => {
                    if words.is_empty() {
                        line = self.line;
                    }
                    words.push(word);
                }
                Some(Token::Semicolon) if words.is_empty() => return Err(self.error("unexpected \";\"")),
                Some(Token::Open) if words.is_empty() => return Err(self.error("unexpected \"{\"")),
                Some(Token::Semicolon) => {
                    let words = std::mem::take(&mut words);
                    all.push(Directive { words, block: None, file: self.file.to_string(), line });
                }
                Some(Token::Open) => {
                    let words = std::mem::take(&mut words);
                    let block = Some(self.block(depth + 1)?);
                    all.push(Directive { words, block, file: self.file.to_string(), line });
                }
                Some(Token::Close) if depth > 0 && words.is_empty() => return Ok(all),
                Some(Token::Close) => return Err(self.error("unexpected \"}\"")),
                None if depth == 0 && words.is_empty() => return Ok(all),
                None if words.is_empty() => return Err(self.error("unexpected end of file, expecting \"}\"")),
                None => return Err(self.error("unexpected end of file, expecting \";\" or \"}\"")),
            }
        }
    }

    fn error(&self, what: &str) -> String {
        format!("{what} in {}:{}", self.file, self.line)
    }

    fn next(&mut self) -> Option<char> {
        let c = self.text.next();
        if c == Some('\n') {
            self.line += 1;
        }
        c
    }

    fn token(&mut self) -> Result<Option<Token>, String> {
        loop {
            match self.text.peek() {
                None => return Ok(None),
                Some(c) if c.is_whitespace() => {
                    self.next();
                }
                Some('#') => while self.next().is_some_and(|c| c != '\n') {},
                Some(_) => break,
            }
        }
        let Some(first) = self.next() else { return Ok(None) };
        Ok(Some(match first {
            ';' => Token::Semicolon,
            '{' => Token::Open,
            '}' => Token::Close,
            quote @ ('"' | '\'') => Token::Word(self.quoted(quote)?),
            first => Token::Word(self.plain(first)),
        }))
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut word = String::new();
        loop {
            match self.next() {
                None => return Err(self.error(&format!("unexpected end of file, expecting \"{quote}\""))),
                Some('\\') => match self.next() {
                    Some('n') => word.push('\n'),
                    Some('t') => word.push('\t'),
                    Some(c) if c == quote || c == '\\' => word.push(c),
                    Some(c) => word.extend(['\\', c]),
                    None => {}
                },
                Some(c) if c == quote => return Ok(word),
                Some(c) => word.push(c),
            }
        }
    }

    fn plain(&mut self, first: char) -> String {
        let mut word = String::from(first);
        let mut variable = first == '$';
        while let Some(c) = self.text.peek().copied() {
            if c == '{' && variable && word.ends_with('$') {
                word.push(c);
                self.next();
                while let Some(c) = self.next() {
                    word.push(c);
                    if c == '}' {
                        break;
                    }
                }
                continue;
            }
            if c.is_whitespace() || matches!(c, ';' | '{' | '}') {
                break;
            }
            variable = variable || c == '$';
            word.push(c);
            self.next();
        }
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_blocks_and_errors() {
        let all = parse("a 1; # note\nserver { listen 80; location / { return 200 \"hi; there\"; } }", "f").unwrap();
        assert_eq!(value(&all, "a"), Some("1".into()));
        let server = named(&all, "server").next().unwrap().block.clone().unwrap();
        let location = named(&server, "location").next().unwrap();
        assert_eq!((location.word(1), location.line), ("/", 2));
        assert_eq!(location.block.as_ref().unwrap()[0].words, ["return", "200", "hi; there"]);
        for (text, error) in [
            ("a", "unexpected end of file, expecting \";\" or \"}\" in f:1"),
            ("a {\n", "unexpected end of file, expecting \"}\" in f:2"),
            ("}", "unexpected \"}\" in f:1"),
            (";", "unexpected \";\" in f:1"),
        ] {
            assert_eq!(parse(text, "f"), Err(error.to_string()));
        }
    }
}
