//! Tokens to commands: the grammar of the shell, by recursive descent.

use super::lexer::{Spanned, Token};
use super::word::with_tilde;
use super::{Parsed, Parser, Pending, with};
use crate::shell::syntax::*;
use std::cell::OnceCell;
use std::rc::Rc;

/// Words that are no commands where a command is expected.
const CLOSERS: &[&str] = &["then", "else", "elif", "fi", "do", "done", "esac", "}"];
/// Words with which a compound command begins.
const OPENERS: &[&str] = &["if", "for", "select", "while", "until", "case", "{", "[[", "function"];
/// Commands whose words may be assignments of arrays.
const DECLARERS: &[&str] = &["declare", "typeset", "local", "export", "readonly"];

/// Whether a word is one of the grammar's own.
pub fn is_reserved(word: &str) -> bool {
    CLOSERS.contains(&word) || OPENERS.contains(&word) || matches!(word, "!" | "in" | "time")
}

pub(in crate::shell) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Parser {
    pub(super) fn complete_command(&mut self) -> Parsed<Option<List>> {
        self.skip_newlines()?;
        if matches!(self.peek()?, Token::End) {
            return Ok(None);
        }
        let mut list = List::default();
        loop {
            list.0.push(self.item()?);
            match self.peek()? {
                Token::End => {
                    self.close_here_documents()?;
                    break;
                }
                Token::Newline => {
                    self.take()?;
                    break;
                }
                _ if self.command_follows()? => {}
                _ => return self.unexpected(None),
            }
        }
        Ok(Some(list))
    }

    /// After an item that ended with `;` or `&` another may stand on the same line.
    fn command_follows(&mut self) -> Parsed<bool> {
        let before = self.text[..self.start_of_next()].iter().rev().find(|c| !matches!(c, ' ' | '\t' | '\r'));
        Ok(matches!(before, Some(';' | '&'))
            && !matches!(self.peek()?, Token::Operator(op) if op != "(" && !is_redirection(op)))
    }

    fn item(&mut self) -> Parsed<Item> {
        self.peek()?;
        let start = self.start_of_next();
        let chain = Rc::new(self.chain()?);
        self.peek()?;
        let text: String = self.text[start.min(self.start_of_next())..self.start_of_next()].iter().collect();
        let text = Rc::from(text.lines().next().unwrap_or("").trim());
        let background = self.accept("&")?;
        if !background {
            self.accept(";")?;
        }
        Ok(Item { chain, background, text })
    }

    /// A list inside a compound command, up to a word or operator that closes it.
    fn list(&mut self) -> Parsed<List> {
        self.nested(|p| {
            let mut list = List::default();
            loop {
                p.skip_newlines()?;
                if p.closes()? {
                    return Ok(list);
                }
                let item = p.item()?;
                list.0.push(item);
                match p.peek()? {
                    Token::Newline => {}
                    _ if p.closes()? || p.command_follows()? => {}
                    _ => return p.unexpected(None),
                }
            }
        })
    }

    fn closes(&mut self) -> Parsed<bool> {
        Ok(match self.peek()? {
            Token::End => true,
            Token::Operator(op) => matches!(op, ")" | ";;" | ";&" | ";;&"),
            Token::Word(word) => word.plain().is_some_and(|text| CLOSERS.contains(&text)),
            _ => false,
        })
    }

    /// A list that must have a command in it.
    fn some_list(&mut self, closer: &str) -> Parsed<List> {
        let list = self.list()?;
        if list.0.is_empty() { self.unexpected(Some(closer)) } else { Ok(list) }
    }

    /// After `$(`, `<(`: the list up to the parenthesis that closes it.
    pub(super) fn list_until_parenthesis(&mut self) -> Parsed<List> {
        let outer = self.ahead.take();
        let list = self.list()?;
        self.expect_operator(")")?;
        self.ahead = outer;
        Ok(list)
    }

    fn chain(&mut self) -> Parsed<Chain> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            let join = match self.peek()? {
                Token::Operator("&&") => Join::And,
                Token::Operator("||") => Join::Or,
                _ => return Ok(Chain { first, rest }),
            };
            self.take()?;
            self.skip_newlines()?;
            rest.push((join, self.pipeline()?));
        }
    }

    fn pipeline(&mut self) -> Parsed<Pipeline> {
        let (mut negated, mut timed) = (false, false);
        loop {
            if self.accept_word("!")? {
                negated = !negated;
            } else if !timed && self.accept_word("time")? {
                timed = true;
                self.accept_word("-p")?;
            } else {
                break;
            }
        }
        let mut commands = Vec::new();
        if timed && (matches!(self.peek()?, Token::Newline | Token::End) || self.is_operator(";")?) {
            return Ok(Pipeline { negated, timed, commands });
        }
        loop {
            let mut command = self.command()?;
            let both = self.is_operator("|&")?;
            if both {
                let kind = RedirectKind::Duplicate(Word::literal("1"));
                command.redirects.push(Redirect { fd: 2, kind });
            }
            commands.push(Rc::new(command));
            if !both && !self.is_operator("|")? {
                return Ok(Pipeline { negated, timed, commands });
            }
            self.take()?;
            self.skip_newlines()?;
        }
    }

    fn command(&mut self) -> Parsed<Command> {
        self.alias_next = true;
        while self.expand_alias()? {}
        let line = self.line;
        let kind = match self.peek()? {
            Token::Operator("(") => {
                let token = self.take()?;
                if self.peek_char(0) == Some('(')
                    && self.ahead.is_none()
                    && let Some(kind) = self.double_parenthesis(&token)?
                {
                    let redirects = self.redirects()?;
                    return Ok(Command { line, kind, redirects });
                }
                let list = self.some_list(")")?;
                self.expect_operator(")")?;
                Kind::Subshell(list)
            }
            Token::Word(word) => match word.plain() {
                Some(text) if CLOSERS.contains(&text) => return self.unexpected(None),
                Some(text) if OPENERS.contains(&text) => {
                    let text = text.to_string();
                    self.nested(|p| p.compound(&text))?
                }
                _ => return self.simple(line),
            },
            _ => return self.simple(line),
        };
        let redirects = self.redirects()?;
        Ok(Command { line, kind, redirects })
    }

    /// After the first `(` of `((`: an arithmetic command, unless it is a subshell in a subshell.
    fn double_parenthesis(&mut self, token: &Spanned) -> Parsed<Option<Kind>> {
        let line = self.line;
        self.at += 1;
        if let Ok(word) = self.arithmetic_until(')')
            && self.peek_char(1) == Some(')')
        {
            self.at += 2;
            return Ok(Some(Kind::Arith(word)));
        }
        if !self.may_try_again() {
            return self.incomplete("unexpected end of file (expecting \"))\")");
        }
        (self.at, self.line) = (token.end, line);
        Ok(None)
    }

    /// Puts an alias in place of the next word, if that names one that is not being expanded already.
    fn expand_alias(&mut self) -> Parsed<bool> {
        if self.manner.aliases.is_empty() || !std::mem::take(&mut self.alias_next) {
            return Ok(false);
        }
        let Token::Word(word) = self.peek()? else { return Ok(false) };
        let Some(name) = word.plain().map(str::to_string) else { return Ok(false) };
        if self.active.iter().any(|(active, _)| *active == name) {
            return Ok(false);
        }
        let Some(value) = self.manner.aliases.get(&name).cloned() else { return Ok(false) };
        let token = self.take()?;
        self.substitute_alias(&token, &name, &value);
        self.alias_next = true;
        Ok(true)
    }

    fn compound(&mut self, opener: &str) -> Parsed<Kind> {
        self.take()?;
        match opener {
            "{" => {
                let list = self.some_list("}")?;
                self.expect_word("}")?;
                Ok(Kind::Group(list))
            }
            "if" => self.if_command(),
            "while" | "until" => {
                let condition = self.some_list("do")?;
                let body = self.do_group()?;
                Ok(Kind::While { until: opener == "until", condition, body })
            }
            "for" | "select" => self.for_command(opener == "select"),
            "case" => self.case_command(),
            "[[" => self.test_command(),
            _ => {
                let Token::Word(word) = self.take()?.token else { return self.error("bad function name") };
                let name = word.unquoted().0;
                if self.accept("(")? {
                    self.expect_operator(")")?;
                }
                self.function(name)
            }
        }
    }

    fn function(&mut self, name: String) -> Parsed<Kind> {
        self.skip_newlines()?;
        if matches!(self.peek()?, Token::End) {
            return self.unexpected(None);
        }
        let body = self.nested(Parser::command)?;
        Ok(Kind::Function { name, body: Rc::new(body) })
    }

    fn if_command(&mut self) -> Parsed<Kind> {
        let mut arms = Vec::new();
        loop {
            let condition = self.some_list("then")?;
            self.expect_word("then")?;
            let body = self.some_list("fi")?;
            arms.push((condition, body));
            if self.accept_word("elif")? {
                continue;
            }
            let otherwise = if self.accept_word("else")? { Some(self.some_list("fi")?) } else { None };
            self.expect_word("fi")?;
            return Ok(Kind::If { arms, otherwise });
        }
    }

    fn do_group(&mut self) -> Parsed<List> {
        self.expect_word("do")?;
        let body = self.some_list("done")?;
        self.expect_word("done")?;
        Ok(body)
    }

    fn for_command(&mut self, select: bool) -> Parsed<Kind> {
        if !select && self.is_operator("(")? {
            return self.arithmetic_for();
        }
        let name = match self.take()?.token {
            Token::Word(word) => word.plain().filter(|name| is_name(name)).map(str::to_string),
            _ => None,
        };
        let Some(name) = name else { return self.error("bad for loop variable") };
        self.skip_newlines()?;
        let mut words = None;
        if self.accept_word("in")? {
            let mut list = Vec::new();
            while let Token::Word(word) = self.peek()? {
                self.take()?;
                list.push(with_tilde(word, false));
            }
            words = Some(list);
            if !self.is_operator(";")? && !matches!(self.peek()?, Token::Newline) {
                return self.unexpected(Some("do"));
            }
        }
        self.accept(";")?;
        self.skip_newlines()?;
        let body = if words.is_some() || !self.is_word("{")? { self.do_group()? } else { self.braced_body()? };
        Ok(if select { Kind::Select { name, words, body } } else { Kind::For { name, words, body } })
    }

    fn braced_body(&mut self) -> Parsed<List> {
        self.expect_word("{")?;
        let body = self.some_list("}")?;
        self.expect_word("}")?;
        Ok(body)
    }

    fn arithmetic_for(&mut self) -> Parsed<Kind> {
        self.take()?;
        if self.peek_char(0) != Some('(') {
            return self.error("bad for loop variable");
        }
        self.at += 1;
        let start = self.arithmetic_until(';')?;
        self.at += 1;
        let condition = self.arithmetic_until(';')?;
        self.at += 1;
        let step = self.arithmetic_until(')')?;
        if self.peek_char(1) != Some(')') {
            return self.error("unexpected \")\"");
        }
        self.at += 2;
        self.accept(";")?;
        self.skip_newlines()?;
        let body = if self.is_word("{")? { self.braced_body()? } else { self.do_group()? };
        Ok(Kind::ArithFor { start, condition, step, body })
    }

    fn case_command(&mut self) -> Parsed<Kind> {
        let Token::Word(subject) = self.peek()? else { return self.unexpected(None) };
        self.take()?;
        self.skip_newlines()?;
        self.expect_word("in")?;
        let mut arms = Vec::new();
        loop {
            self.skip_newlines()?;
            if self.accept_word("esac")? {
                return Ok(Kind::Case { subject: with_tilde(subject, false), arms });
            }
            self.accept("(")?;
            let mut patterns = Vec::new();
            loop {
                let Token::Word(pattern) = self.peek()? else { return self.unexpected(Some(")")) };
                self.take()?;
                patterns.push(with_tilde(pattern, false));
                if !self.accept("|")? {
                    break;
                }
            }
            self.expect_operator(")")?;
            let body = self.list()?;
            let then = match self.peek()? {
                Token::Operator(";&") => AfterArm::FallThrough,
                Token::Operator(";;&") => AfterArm::GoOn,
                Token::Operator(";;") => AfterArm::Leave,
                _ => {
                    arms.push(Arm { patterns, body, then: AfterArm::Leave });
                    self.expect_word("esac")?;
                    return Ok(Kind::Case { subject: with_tilde(subject, false), arms });
                }
            };
            self.take()?;
            arms.push(Arm { patterns, body, then });
        }
    }

    fn test_command(&mut self) -> Parsed<Kind> {
        let globs = std::mem::replace(&mut self.manner.extended_globs, true);
        let test = self.test_or();
        self.manner.extended_globs = globs;
        let test = test?;
        self.skip_newlines()?;
        self.expect_word("]]")?;
        Ok(Kind::Test(test))
    }

    fn test_or(&mut self) -> Parsed<Test> {
        let mut left = self.test_and()?;
        while self.accept("||")? {
            left = Test::Or(Box::new(left), Box::new(self.test_and()?));
        }
        Ok(left)
    }

    fn test_and(&mut self) -> Parsed<Test> {
        let mut left = self.test_one()?;
        while self.accept("&&")? {
            left = Test::And(Box::new(left), Box::new(self.test_one()?));
        }
        Ok(left)
    }

    fn test_one(&mut self) -> Parsed<Test> {
        self.skip_newlines()?;
        if self.accept_word("!")? {
            let inner = self.nested(Parser::test_one)?;
            self.skip_newlines()?;
            return Ok(Test::Not(Box::new(inner)));
        }
        if self.accept("(")? {
            let inner = self.nested(Parser::test_or)?;
            self.skip_newlines()?;
            self.expect_operator(")")?;
            return Ok(inner);
        }
        let left = self.test_word()?;
        let unary = left.plain().filter(|t| t.len() == 2 && t.starts_with('-')).map(str::to_string);
        if let Some(operator) = unary
            && matches!(self.peek()?, Token::Word(word) if word.plain() != Some("]]"))
        {
            let operand = self.test_word()?;
            return Ok(Test::Unary(operator, operand));
        }
        let operator = match self.peek()? {
            Token::Operator(op @ ("<" | ">")) => op.to_string(),
            Token::Word(word) => match word.plain() {
                Some(
                    text @ ("=" | "==" | "!=" | "=~" | "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" | "-nt" | "-ot"
                    | "-ef"),
                ) => text.to_string(),
                _ => return Ok(Test::Word(left)),
            },
            _ => return Ok(Test::Word(left)),
        };
        self.take()?;
        let right = if operator == "=~" { self.regex_word()? } else { self.test_word()? };
        Ok(Test::Binary(left, operator, right))
    }

    fn test_word(&mut self) -> Parsed<Word> {
        match self.peek()? {
            Token::Word(word) if word.plain() != Some("]]") => {
                self.take()?;
                Ok(with_tilde(word, false))
            }
            _ => self.unexpected(Some("]]")),
        }
    }

    fn simple(&mut self, line: usize) -> Parsed<Command> {
        let (mut assigns, mut words, mut redirects): (Vec<Assign>, Vec<Word>, Vec<Redirect>) = Default::default();
        loop {
            match self.peek()? {
                Token::Word(word) => {
                    if words.is_empty() && !assigns.is_empty() {
                        self.alias_next = true;
                    }
                    if self.expand_alias()? {
                        continue;
                    }
                    self.take()?;
                    let declares = words.first().and_then(Word::plain).is_some_and(|name| DECLARERS.contains(&name));
                    if words.is_empty() {
                        if let Some(assign) = self.assignment(&word)? {
                            assigns.push(assign);
                            continue;
                        }
                    } else if declares
                        && self.peek_char(0) == Some('(')
                        && let Some(assign) = self.assignment(&word)?
                    {
                        assigns.push(assign);
                        words.push(Word::literal(&assigns[assigns.len() - 1].name));
                        continue;
                    }
                    words.push(if declares { tilde_in_declaration(word) } else { with_tilde(word, false) });
                }
                Token::Number(_) => redirects.push(self.redirect()?),
                Token::Operator(op) if is_redirection(op) => redirects.push(self.redirect()?),
                Token::Operator("(") if words.len() == 1 && assigns.is_empty() && redirects.is_empty() => {
                    self.take()?;
                    if !self.is_operator(")")? {
                        return self.unexpected(None);
                    }
                    self.take()?;
                    let name = words[0].unquoted().0;
                    let kind = self.function(name)?;
                    return Ok(Command { line, kind, redirects });
                }
                _ => break,
            }
        }
        if assigns.is_empty() && words.is_empty() && redirects.is_empty() {
            return self.unexpected(None);
        }
        Ok(Command { line, kind: Kind::Simple { assigns, words }, redirects })
    }

    /// A word as an assignment, if it is one.
    fn assignment(&mut self, word: &Word) -> Parsed<Option<Assign>> {
        let Some(Part::Literal(text)) = word.0.first() else { return Ok(None) };
        let length = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let (name, after) = text.split_at(length);
        if !is_name(name) || !after.starts_with(['=', '+', '[']) {
            return Ok(None);
        }
        let name = name.to_string();
        let mut rest = word.clone();
        rest.0[0] = Part::Literal(after.to_string());
        let index = if after.starts_with('[') {
            let Some((index, value)) = subscript(&rest) else { return Ok(None) };
            rest = value;
            Some(index)
        } else {
            None
        };
        let Some(Part::Literal(text)) = rest.0.first_mut() else { return Ok(None) };
        let append = text.starts_with('+');
        let Some(value) = text.strip_prefix("+=").or_else(|| text.strip_prefix('=')) else { return Ok(None) };
        *text = value.to_string();
        if text.is_empty() {
            rest.0.remove(0);
        }
        let value = if rest.0.is_empty() && self.ahead.is_none() && self.peek_char(0) == Some('(') {
            Assigned::Array(self.array()?)
        } else {
            Assigned::Scalar(with_tilde(rest, true))
        };
        Ok(Some(Assign { name, index, append, value }))
    }

    fn array(&mut self) -> Parsed<Vec<(Option<Word>, Word)>> {
        self.at += 1;
        let mut elements = Vec::new();
        loop {
            match self.peek()? {
                Token::Newline => {
                    self.take()?;
                }
                Token::Word(word) => {
                    self.take()?;
                    let keyed = matches!(word.0.first(), Some(Part::Literal(text)) if text.starts_with('['));
                    let element = keyed.then(|| subscript(&word)).flatten().and_then(|(index, mut value)| {
                        let Some(Part::Literal(text)) = value.0.first_mut() else { return None };
                        *text = text.strip_prefix('=')?.to_string();
                        Some((Some(index), value))
                    });
                    elements.push(element.unwrap_or((None, with_tilde(word, false))));
                }
                Token::Operator(")") => {
                    self.take()?;
                    return Ok(elements);
                }
                _ => return self.unexpected(Some(")")),
            }
        }
    }

    fn redirects(&mut self) -> Parsed<Vec<Redirect>> {
        let mut redirects = Vec::new();
        loop {
            match self.peek()? {
                Token::Number(_) => redirects = with(redirects, vec![self.redirect()?]),
                Token::Operator(op) if is_redirection(op) => redirects = with(redirects, vec![self.redirect()?]),
                _ => return Ok(redirects),
            }
        }
    }

    fn redirect(&mut self) -> Parsed<Redirect> {
        let mut number = None;
        if let Token::Number(n) = self.peek()? {
            self.take()?;
            number = Some(n);
        }
        let Token::Operator(operator) = self.take()?.token else { return self.unexpected(None) };
        let Token::Word(target) = self.peek()? else { return self.unexpected(None) };
        self.take()?;
        let target = with_tilde(target, false);
        let fd = number.unwrap_or(i32::from(operator.starts_with(['>', '&'])));
        let kind = match operator {
            "<" => RedirectKind::Read(target),
            ">" | ">|" => RedirectKind::Write { target, clobber: operator == ">|" },
            ">>" => RedirectKind::Append(target),
            "<>" => RedirectKind::ReadWrite(target),
            "<<<" => RedirectKind::HereString(target),
            "&>" | "&>>" => RedirectKind::Both { target, append: operator == "&>>" },
            "<<" | "<<-" => {
                let body = Rc::new(OnceCell::new());
                let (delimiter, quoted) = target.unquoted();
                let strip_tabs = operator == "<<-";
                self.expect_here_document(Pending { delimiter, strip_tabs, quoted, body: body.clone() });
                RedirectKind::HereDocument(body)
            }
            // `>&file` is `&>file`.
            ">&" if number.is_none()
                && target.plain().is_some_and(|t| t != "-" && !t.starts_with(|c: char| c.is_ascii_digit())) =>
            {
                RedirectKind::Both { target, append: false }
            }
            _ => RedirectKind::Duplicate(target),
        };
        Ok(Redirect { fd, kind })
    }

    fn is_word(&mut self, text: &str) -> Parsed<bool> {
        Ok(matches!(self.peek()?, Token::Word(word) if word.plain() == Some(text)))
    }

    fn accept_word(&mut self, text: &str) -> Parsed<bool> {
        let found = self.is_word(text)?;
        if found {
            self.take()?;
        }
        Ok(found)
    }

    fn expect_word(&mut self, text: &str) -> Parsed<()> {
        if self.accept_word(text)? { Ok(()) } else { self.unexpected(Some(text)) }
    }

    fn expect_operator(&mut self, operator: &str) -> Parsed<()> {
        if self.accept(operator)? { Ok(()) } else { self.unexpected(Some(operator)) }
    }

    /// Complains of the next token.
    fn unexpected<T>(&mut self, expected: Option<&str>) -> Parsed<T> {
        let expecting = expected.map(|e| format!(" (expecting \"{e}\")")).unwrap_or_default();
        let token = self.take()?;
        match token.token {
            Token::End => self.incomplete(format!("unexpected end of file{expecting}")),
            Token::Newline => {
                self.line = self.line.saturating_sub(1);
                self.error(format!("unexpected newline{expecting}"))
            }
            _ => {
                let text: String = self.text[token.start..token.end].iter().collect();
                let text = text.trim_matches(|c| c == '"' || c == '\'');
                self.error(format!("unexpected \"{text}\"{expecting}"))
            }
        }
    }
}

fn is_redirection(operator: &str) -> bool {
    operator.contains(['<', '>'])
}

/// Splits `[index]rest`; the word begins with the bracket.
fn subscript(word: &Word) -> Option<(Word, Word)> {
    let mut index = Word::default();
    let mut depth = 0;
    for (i, part) in word.0.iter().enumerate() {
        let Part::Literal(text) = part else {
            index.0.push(part.clone());
            continue;
        };
        for (at, c) in text.char_indices() {
            depth += match c {
                '[' => 1,
                ']' => -1,
                _ => 0,
            };
            if depth == 0 {
                let before = text[..at].strip_prefix('[').filter(|_| i == 0).unwrap_or(&text[..at]);
                index.0.push(Part::Literal(before.to_string()));
                let mut rest = vec![Part::Literal(text[at + 1..].to_string())];
                rest.extend(word.0[i + 1..].iter().cloned());
                return Some((index, Word(rest)));
            }
        }
        let inner = if i == 0 { &text[1..] } else { text.as_str() };
        index.0.push(Part::Literal(inner.to_string()));
    }
    None
}

/// `export PATH=~/bin`: the value of a declared variable is expanded as in an assignment.
fn tilde_in_declaration(word: Word) -> Word {
    let Some(Part::Literal(text)) = word.0.first() else { return word };
    let Some((name, value)) = text.split_once('=').filter(|(name, _)| is_name(name)) else { return word };
    let head = format!("{name}=");
    let mut rest = word.clone();
    rest.0[0] = Part::Literal(value.to_string());
    let mut parts = vec![Part::Literal(head)];
    parts.extend(with_tilde(rest, true).0);
    Word(parts)
}
