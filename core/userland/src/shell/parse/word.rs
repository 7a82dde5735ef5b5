//! Words to pieces: quotes, parameters, substitutions.

use super::lexer::is_meta;
use super::{Parsed, Parser};
use crate::shell::syntax::{Action, Index, Parameter, Part, Which, Word};
use std::rc::Rc;

/// Collects pieces; neighbouring characters of a kind become one.
#[derive(Default)]
struct Pieces(Vec<Part>);

impl Pieces {
    fn literal(&mut self, c: char) {
        match self.0.last_mut() {
            Some(Part::Literal(text)) => text.push(c),
            _ => self.0.push(Part::Literal(c.to_string())),
        }
    }
    fn quoted(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(Part::Quoted(before)) => before.push_str(text),
            _ => self.0.push(Part::Quoted(text.to_string())),
        }
    }
}

/// Where a piece of text is: that decides which characters are special in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In double quotes.
    Double,
    /// In the body of a here-document, where quotes are plain.
    Document,
    /// In `$((…))`, where quotes are left out.
    Arith,
}

impl Parser {
    /// An unquoted word, up to a blank or an operator.
    pub(super) fn word(&mut self) -> Parsed<Word> {
        self.nested(|p| p.word_until(is_meta, false))
    }

    /// The regular expression of `=~`: parentheses and bars belong to it.
    pub(super) fn regex_word(&mut self) -> Parsed<Word> {
        while matches!(self.peek_char(0), Some(' ' | '\t')) {
            self.at += 1;
        }
        let mut depth = 0;
        let stop = move |c: char| {
            match c {
                '(' => depth += 1,
                ')' if depth == 0 => return true,
                ')' => depth -= 1,
                ' ' | '\t' if depth == 0 => return true,
                '\n' => return true,
                _ => {}
            }
            false
        };
        self.nested(|p| p.word_until(stop, true))
    }

    fn word_until(&mut self, mut stop: impl FnMut(char) -> bool, regex: bool) -> Parsed<Word> {
        let mut pieces = Pieces::default();
        while let Some(c) = self.peek_char(0) {
            if !regex && self.extended_glob_here() {
                self.extended_glob(&mut pieces)?;
                continue;
            }
            if !regex && matches!(c, '<' | '>') && self.peek_char(1) == Some('(') {
                self.at += 2;
                let list = Rc::new(self.list_until_parenthesis()?);
                pieces.0.push(Part::Process { reads: c == '<', list });
                continue;
            }
            if stop(c) {
                break;
            }
            self.unquoted_piece(c, &mut pieces)?;
        }
        Ok(Word(pieces.0))
    }

    fn unquoted_piece(&mut self, c: char, pieces: &mut Pieces) -> Parsed<()> {
        match c {
            '\\' => self.backslash(pieces),
            '\'' => self.single_quotes(pieces)?,
            '"' => {
                self.at += 1;
                let inner = self.quoted_until('"', Place::Double)?;
                pieces.0.push(Part::Double(inner));
            }
            '$' => self.dollar(pieces, false)?,
            '`' => self.backquotes(pieces, false)?,
            c => {
                self.line += usize::from(c == '\n');
                self.at += 1;
                pieces.literal(c);
            }
        }
        Ok(())
    }

    fn backslash(&mut self, pieces: &mut Pieces) {
        match self.peek_char(1) {
            Some('\n') => {
                self.line += 1;
                self.at += 2;
            }
            Some(c) => {
                pieces.quoted(&c.to_string());
                self.at += 2;
            }
            None => {
                pieces.quoted("\\");
                self.at += 1;
            }
        }
    }

    fn single_quotes(&mut self, pieces: &mut Pieces) -> Parsed<()> {
        let Some(length) = self.text[self.at + 1..].iter().position(|c| *c == '\'') else {
            return self.incomplete("unterminated quoted string");
        };
        let inner: String = self.text[self.at + 1..self.at + 1 + length].iter().collect();
        self.line += inner.matches('\n').count();
        pieces.quoted(&inner);
        self.at += length + 2;
        Ok(())
    }

    /// `$'…'`: with the backslashes of C.
    fn c_quotes(&mut self, pieces: &mut Pieces) -> Parsed<()> {
        self.at += 2;
        let start = self.at;
        while let Some(c) = self.peek_char(0) {
            match c {
                '\'' => {
                    let raw: String = self.text[start..self.at].iter().collect();
                    self.at += 1;
                    pieces.quoted(&String::from_utf8_lossy(&crate::shell::escape::c_string(&raw)));
                    return Ok(());
                }
                '\\' => self.at += 2,
                c => {
                    self.line += usize::from(c == '\n');
                    self.at += 1;
                }
            }
        }
        self.incomplete("unterminated quoted string")
    }

    fn extended_glob_here(&self) -> bool {
        self.manner.extended_globs
            && matches!(self.peek_char(0), Some('?' | '*' | '+' | '@' | '!'))
            && self.peek_char(1) == Some('(')
    }

    /// `@(a|b)` and its like belong to the word with all that is in their parentheses.
    fn extended_glob(&mut self, pieces: &mut Pieces) -> Parsed<()> {
        for _ in 0..2 {
            if let Some(c) = self.peek_char(0) {
                pieces.literal(c);
                self.at += 1;
            }
        }
        let mut depth = 1;
        while let Some(c) = self.peek_char(0) {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            self.unquoted_piece(c, pieces)?;
            if depth == 0 {
                return Ok(());
            }
        }
        self.incomplete("unexpected end of file (expecting \")\")")
    }

    /// The body of a here-document or the like, to its end.
    pub(super) fn document(&mut self) -> Parsed<Word> {
        self.quoted_until('\0', Place::Document).map(Word)
    }

    /// Text in which only `$`, backquotes and some backslashes count, up to `end` (left behind).
    fn quoted_until(&mut self, end: char, place: Place) -> Parsed<Vec<Part>> {
        self.nested(|p| p.quoted_pieces(end, place))
    }

    fn quoted_pieces(&mut self, end: char, place: Place) -> Parsed<Vec<Part>> {
        let mut pieces = Pieces::default();
        let mut depth = 0;
        while let Some(c) = self.peek_char(0) {
            if place == Place::Double && c == end {
                self.at += 1;
                return Ok(pieces.0);
            }
            if place == Place::Arith {
                match c {
                    '(' => depth += 1,
                    c if c == end && depth == 0 => return Ok(pieces.0),
                    ')' => depth -= 1,
                    '"' => {
                        self.at += 1;
                        continue;
                    }
                    _ => {}
                }
            }
            match c {
                '\\' => self.quoted_backslash(place, &mut pieces),
                '$' => self.dollar(&mut pieces, true)?,
                '`' => self.backquotes(&mut pieces, true)?,
                c => {
                    self.line += usize::from(c == '\n');
                    self.at += 1;
                    pieces.quoted(c.encode_utf8(&mut [0; 4]));
                }
            }
        }
        if place == Place::Document { Ok(pieces.0) } else { self.incomplete("unterminated quoted string") }
    }

    fn quoted_backslash(&mut self, place: Place, pieces: &mut Pieces) {
        match self.peek_char(1) {
            Some('\n') => {
                self.line += 1;
                self.at += 2;
            }
            Some(c) if matches!(c, '$' | '`' | '\\') || (c == '"' && place == Place::Double) => {
                pieces.quoted(&c.to_string());
                self.at += 2;
            }
            _ => {
                pieces.quoted("\\");
                self.at += 1;
            }
        }
    }

    /// An arithmetic expression up to `end` outside of parentheses, which is left where it is.
    pub(super) fn arithmetic_until(&mut self, end: char) -> Parsed<Word> {
        self.quoted_until(end, Place::Arith).map(Word)
    }

    /// What a `$` begins; a `$` alone is plain.
    fn dollar(&mut self, pieces: &mut Pieces, quoted: bool) -> Parsed<()> {
        match self.peek_char(1) {
            Some('\'') if !quoted => self.c_quotes(pieces)?,
            Some('"') if !quoted => self.at += 1,
            Some('(') if self.peek_char(2) == Some('(') => {
                let (at, line) = (self.at, self.line);
                match self.dollar_arithmetic() {
                    Ok(word) => pieces.0.push(Part::Arith(word)),
                    // Two parentheses can also begin a subshell in a substitution.
                    Err(_) if self.may_try_again() => {
                        (self.at, self.line) = (at + 2, line);
                        match self.list_until_parenthesis() {
                            Ok(list) => pieces.0.push(Part::Command(Rc::new(list))),
                            Err(error) => return Err(error),
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
            Some('(') => {
                self.at += 2;
                let list = self.list_until_parenthesis()?;
                pieces.0.push(Part::Command(Rc::new(list)));
            }
            Some('{') => {
                self.at += 2;
                let parameter = self.nested(|p| p.braced(quoted))?;
                pieces.0.push(Part::Parameter(Box::new(parameter)));
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                self.at += 1;
                let name = self.name();
                pieces.0.push(simple_parameter(name));
            }
            Some(c) if c.is_ascii_digit() || "@*#?-$!".contains(c) => {
                self.at += 2;
                pieces.0.push(simple_parameter(c.to_string()));
            }
            _ => {
                self.at += 1;
                if quoted { pieces.quoted("$") } else { pieces.literal('$') }
            }
        }
        Ok(())
    }

    fn dollar_arithmetic(&mut self) -> Parsed<Word> {
        self.at += 3;
        let word = self.arithmetic_until(')')?;
        if self.peek_char(1) != Some(')') {
            return self.incomplete("unexpected end of file (expecting \"))\")");
        }
        self.at += 2;
        Ok(word)
    }

    /// The old form of a command substitution: its backslashes are taken off before it is read.
    fn backquotes(&mut self, pieces: &mut Pieces, quoted: bool) -> Parsed<()> {
        self.at += 1;
        let line = self.line;
        let mut inner = String::new();
        loop {
            match (self.peek_char(0), self.peek_char(1)) {
                (None, _) => return self.incomplete("EOF in backquote substitution"),
                (Some('`'), _) => break,
                (Some('\\'), Some(c)) if matches!(c, '`' | '\\' | '$') || (quoted && c == '"') => {
                    inner.push(c);
                    self.at += 2;
                }
                (Some(c), _) => {
                    self.line += usize::from(c == '\n');
                    inner.push(c);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        let manner = super::Manner { line, last: true, ..self.manner.clone() };
        let mut parser = Parser::new(&inner, manner);
        parser.depth = self.depth + 1;
        let mut list = crate::shell::syntax::List::default();
        if parser.depth >= super::MAX_DEPTH {
            return self.error("nested too deeply");
        }
        while let Some(more) = parser.next()? {
            list.0.extend(more.0);
        }
        pieces.0.push(Part::Command(Rc::new(list)));
        Ok(())
    }

    fn name(&mut self) -> String {
        let rest = &self.text[self.at..];
        let name: String = rest.iter().take_while(|c| c.is_ascii_alphanumeric() || **c == '_').collect();
        self.at += name.len();
        name
    }

    /// After `${`: the parameter and what is done with it, to the closing brace.
    fn braced(&mut self, quoted: bool) -> Parsed<Parameter> {
        let mut parameter = Parameter { name: String::new(), index: None, indirect: false, action: Action::Value };
        let length = self.peek_char(0) == Some('#')
            && !matches!(self.peek_char(1), Some('}' | ':' | '-' | '=' | '+' | '%' | '/'))
            && !(matches!(self.peek_char(1), Some('#' | '?')) && self.peek_char(2) != Some('}'));
        if length {
            self.at += 1;
        } else if self.peek_char(0) == Some('!')
            && self.peek_char(1).is_some_and(|c| c.is_ascii_alphanumeric() || "_@*#".contains(c))
        {
            parameter.indirect = true;
            self.at += 1;
        }
        match self.peek_char(0) {
            Some(c) if c.is_ascii_alphabetic() || c == '_' => parameter.name = self.name(),
            Some(c) if c.is_ascii_digit() => {
                while let Some(c) = self.peek_char(0).filter(char::is_ascii_digit) {
                    parameter.name.push(c);
                    self.at += 1;
                }
            }
            Some(c) if "@*#?-$!".contains(c) => {
                parameter.name.push(c);
                self.at += 1;
            }
            _ => parameter.action = Action::Bad,
        }
        if self.peek_char(0) == Some('[') && !matches!(parameter.action, Action::Bad) {
            self.at += 1;
            parameter.index = Some(self.index()?);
        }
        if !matches!(parameter.action, Action::Bad) {
            parameter.action = if length { Action::Length } else { self.action(&mut parameter, quoted)? };
        }
        match self.peek_char(0) {
            Some('}') => self.at += 1,
            None => return self.incomplete("unexpected end of file (expecting \"}\")"),
            Some(_) => {
                parameter.action = Action::Bad;
                self.operand(&['}'], quoted, false)?;
                self.at += 1;
            }
        }
        Ok(parameter)
    }

    fn index(&mut self) -> Parsed<Index> {
        let index = match (self.peek_char(0), self.peek_char(1)) {
            (Some('@'), Some(']')) => Index::At,
            (Some('*'), Some(']')) => Index::Star,
            _ => Index::Of(self.operand(&[']'], false, true)?),
        };
        if !matches!(index, Index::Of(_)) {
            self.at += 1;
        }
        self.at += 1;
        Ok(index)
    }

    fn action(&mut self, parameter: &mut Parameter, quoted: bool) -> Parsed<Action> {
        let Some(c) = self.peek_char(0) else {
            return self.incomplete("unexpected end of file (expecting \"}\")");
        };
        let next = self.peek_char(1);
        let double = next == Some(c);
        Ok(match c {
            '}' => match &parameter.index {
                Some(Index::At) if parameter.indirect => Action::Keys { at: true },
                Some(Index::Star) if parameter.indirect => Action::Keys { at: false },
                _ => Action::Value,
            },
            '*' | '@' if parameter.indirect && next == Some('}') => {
                self.at += 1;
                Action::Names { at: c == '@' }
            }
            '-' | '=' | '?' | '+' => self.conditional(c, false, quoted)?,
            ':' if matches!(next, Some('-' | '=' | '?' | '+')) => {
                self.at += 1;
                self.conditional(next.unwrap_or('-'), true, quoted)?
            }
            ':' => {
                self.at += 1;
                let offset = self.operand(&[':', '}'], true, true)?;
                let mut length = None;
                if self.peek_char(0) == Some(':') {
                    self.at += 1;
                    length = Some(self.operand(&['}'], true, true)?);
                }
                Action::Substring { offset, length }
            }
            '#' | '%' => {
                self.at += 1 + usize::from(double);
                Action::Trim { suffix: c == '%', longest: double, pattern: self.operand(&['}'], false, false)? }
            }
            '/' => self.replacement()?,
            '^' | ',' => {
                self.at += 1 + usize::from(double);
                Action::Case { upper: c == '^', all: double, pattern: self.operand(&['}'], false, false)? }
            }
            '@' if self.peek_char(2) == Some('}') && next.is_some_and(|n| "QEPAaULuKk".contains(n)) => {
                self.at += 2;
                Action::Transform(next.unwrap_or('Q'))
            }
            _ => Action::Bad,
        })
    }

    fn conditional(&mut self, operator: char, colon: bool, quoted: bool) -> Parsed<Action> {
        self.at += 1;
        let word = self.operand(&['}'], quoted, false)?;
        Ok(match operator {
            '-' => Action::Default { colon, word },
            '=' => Action::Assign { colon, word },
            '?' => Action::Demand { colon, word },
            _ => Action::Alternative { colon, word },
        })
    }

    fn replacement(&mut self) -> Parsed<Action> {
        self.at += 1;
        let which = match self.peek_char(0) {
            Some('/') => Which::All,
            Some('#') => Which::Prefix,
            Some('%') => Which::Suffix,
            _ => Which::First,
        };
        self.at += usize::from(which != Which::First);
        let pattern = self.operand(&['/', '}'], false, false)?;
        let mut with = Word::default();
        if self.peek_char(0) == Some('/') {
            self.at += 1;
            with = self.operand(&['}'], false, false)?;
        }
        Ok(Action::Replace { pattern, with, which })
    }

    /// A word inside braces, up to one of `ends`, which is left. In double quotes single ones are plain.
    fn operand(&mut self, ends: &[char], quoted: bool, arithmetic: bool) -> Parsed<Word> {
        self.nested(|p| {
            let mut pieces = Pieces::default();
            let mut depth = 0;
            while let Some(c) = p.peek_char(0) {
                if depth == 0 && ends.contains(&c) {
                    return Ok(with_tilde(Word(pieces.0), false));
                }
                if arithmetic {
                    match c {
                        '(' | '[' => depth += 1,
                        ')' | ']' => depth -= 1,
                        _ => {}
                    }
                }
                match c {
                    '\\' if quoted && !p.peek_char(1).is_some_and(|n| "$`\\\"\n}".contains(n)) => {
                        pieces.quoted("\\");
                        p.at += 1;
                    }
                    '\'' if quoted => {
                        pieces.literal('\'');
                        p.at += 1;
                    }
                    '$' => p.dollar(&mut pieces, false)?,
                    c => p.unquoted_piece(c, &mut pieces)?,
                }
            }
            p.incomplete("unexpected end of file (expecting \"}\")")
        })
    }
}

fn simple_parameter(name: String) -> Part {
    Part::Parameter(Box::new(Parameter { name, index: None, indirect: false, action: Action::Value }))
}

/// Makes a leading `~` (in a value also one after `:`) a piece of its own.
pub(super) fn with_tilde(word: Word, value: bool) -> Word {
    let mut parts = Vec::new();
    let count = word.0.len();
    for (i, part) in word.0.into_iter().enumerate() {
        match part {
            Part::Literal(text) if text.contains('~') => split_tildes(&text, i == 0, i + 1 == count, value, &mut parts),
            part => parts.push(part),
        }
    }
    Word(parts)
}

fn split_tildes(text: &str, first: bool, last: bool, value: bool, parts: &mut Vec<Part>) {
    let mut plain = String::new();
    let mut rest = text;
    let mut may_begin = first;
    while let Some(c) = rest.chars().next() {
        if c == '~' && may_begin {
            let end = rest.find(|c| c == '/' || (value && c == ':'));
            let user = &rest[1..end.unwrap_or(rest.len())];
            let named = user.chars().all(|c| c.is_ascii_alphanumeric() || "_-.+".contains(c));
            if named && (end.is_some() || last) {
                if !plain.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut plain)));
                }
                parts.push(Part::Tilde(user.to_string()));
                rest = &rest[1 + user.len()..];
                may_begin = false;
                continue;
            }
        }
        may_begin = value && c == ':';
        plain.push(c);
        rest = &rest[c.len_utf8()..];
    }
    if !plain.is_empty() {
        parts.push(Part::Literal(plain));
    }
}
