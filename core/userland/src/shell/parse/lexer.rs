//! Characters to tokens: operators, words, and the ends of lines where here-documents begin.

use super::{Parsed, Parser, Pending, expandable};
use crate::shell::syntax::{Part, Word};

#[derive(Clone, Debug)]
pub(super) enum Token {
    Word(Word),
    /// The digits right before a redirection.
    Number(i32),
    Operator(&'static str),
    Newline,
    End,
}

/// A token and where it begins and ends in the text.
#[derive(Clone, Debug)]
pub(super) struct Spanned {
    pub token: Token,
    pub start: usize,
    pub end: usize,
}

/// The longest come first.
const OPERATORS: &[&str] = &[
    "&>>", ";;&", "<<-", "<<<", "&&", "||", ";;", ";&", "|&", "<<", ">>", "<&", ">&", "<>", ">|", "&>", "&", "|", ";",
    "<", ">", "(", ")",
];

pub(super) fn is_meta(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '|' | '&' | ';' | '<' | '>' | '(' | ')')
}

impl Parser {
    /// The next token, left where it is.
    pub(super) fn peek(&mut self) -> Parsed<Token> {
        if self.ahead.is_none() {
            self.ahead = Some(self.lex()?);
        }
        Ok(self.ahead.as_ref().map_or(Token::End, |s| s.token.clone()))
    }

    pub(super) fn take(&mut self) -> Parsed<Spanned> {
        match self.ahead.take() {
            Some(token) => Ok(token),
            None => self.lex(),
        }
    }

    pub(super) fn is_operator(&mut self, operator: &str) -> Parsed<bool> {
        Ok(matches!(self.peek()?, Token::Operator(op) if op == operator))
    }

    /// Takes the operator if it is next.
    pub(super) fn accept(&mut self, operator: &str) -> Parsed<bool> {
        let found = self.is_operator(operator)?;
        if found {
            self.take()?;
        }
        Ok(found)
    }

    pub(super) fn skip_newlines(&mut self) -> Parsed<()> {
        while matches!(self.peek()?, Token::Newline) {
            self.take()?;
        }
        Ok(())
    }

    fn lex(&mut self) -> Parsed<Spanned> {
        self.skip_blanks();
        let start = self.at;
        let token = match self.peek_char(0) {
            None => Token::End,
            Some('\n') => {
                self.at += 1;
                self.line += 1;
                self.here_documents()?;
                Token::Newline
            }
            Some(c) if c.is_ascii_digit() && self.number_before_redirection().is_some() => {
                let digits = self.number_before_redirection().unwrap_or_default();
                self.at += digits.len();
                match digits.parse() {
                    Ok(number) => Token::Number(number),
                    Err(_) => return self.error("bad fd number"),
                }
            }
            Some('<' | '>') if self.peek_char(1) == Some('(') => Token::Word(self.word()?),
            Some(c) if is_meta(c) => Token::Operator(self.operator()),
            Some(_) => Token::Word(self.word()?),
        };
        Ok(Spanned { token, start, end: self.at })
    }

    fn skip_blanks(&mut self) {
        loop {
            match (self.peek_char(0), self.peek_char(1)) {
                (Some(' ' | '\t' | '\r'), _) => self.at += 1,
                (Some('\\'), Some('\n')) => {
                    self.at += 2;
                    self.line += 1;
                }
                (Some('#'), _) => {
                    while self.peek_char(0).is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => break,
            }
        }
        self.active.retain(|(_, left)| self.text.len() - self.at > *left);
    }

    fn number_before_redirection(&self) -> Option<String> {
        let digits: String = self.text[self.at..].iter().take_while(|c| c.is_ascii_digit()).take(11).collect();
        let follower = self.peek_char(digits.len());
        (matches!(follower, Some('<' | '>')) && self.peek_char(digits.len() + 1) != Some('(')).then_some(digits)
    }

    fn operator(&mut self) -> &'static str {
        let ahead: String = self.text[self.at..].iter().take(3).collect();
        let found = OPERATORS.iter().find(|op| ahead.starts_with(**op)).copied().unwrap_or(";");
        self.at += found.len();
        found
    }

    pub(super) fn expect_here_document(&mut self, pending: Pending) {
        self.pending.push(pending);
    }

    /// Reads the bodies of the here-documents that the line which just ended has asked for.
    fn here_documents(&mut self) -> Parsed<()> {
        for pending in std::mem::take(&mut self.pending) {
            let mut body = String::new();
            loop {
                if self.at >= self.text.len() {
                    if self.manner.last {
                        break;
                    }
                    return self.incomplete("unterminated here-document");
                }
                let mut line = self.take_line();
                if pending.strip_tabs {
                    line = line.trim_start_matches('\t').to_string();
                }
                if line.strip_suffix('\n').unwrap_or(&line) == pending.delimiter {
                    break;
                }
                body.push_str(&line);
            }
            let word = if pending.quoted { Word(vec![Part::Quoted(body)]) } else { expandable(&body)? };
            let _ = pending.body.set(word);
        }
        Ok(())
    }

    /// At the very end, here-documents whose line was the last are empty.
    pub(super) fn close_here_documents(&mut self) -> Parsed<()> {
        if !self.pending.is_empty() && !self.manner.last {
            return self.incomplete("unterminated here-document");
        }
        self.here_documents()
    }

    fn take_line(&mut self) -> String {
        let length = self.text[self.at..].iter().position(|c| *c == '\n').map(|n| n + 1);
        let end = length.map_or(self.text.len(), |n| self.at + n);
        let line = self.text[self.at..end].iter().collect();
        self.line += usize::from(length.is_some());
        self.at = end;
        line
    }

    /// Puts an alias in the place of the token that named it.
    pub(super) fn substitute_alias(&mut self, token: &Spanned, name: &str, value: &str) {
        let left = self.text.len() - token.end;
        self.text.splice(token.start..token.end, value.chars());
        self.at = token.start;
        self.ahead = None;
        self.alias_next = value.ends_with([' ', '\t']);
        self.active.push((name.to_string(), left));
    }
}
