//! Pieces of a template to its tree.

use super::lex::{Piece, Token, error, pieces};
use super::print::quote;
use super::tree::{Call, Kind, Node, Operand, Pipe, Span};
use super::{Template, TemplateError, functions};
use cutaway_userland::sorted::Map as BTreeMap;
use std::ops::Range;

type Result<T> = std::result::Result<T, TemplateError>;
/// Parentheses and blocks may be inside each other so often.
const DEPTH: usize = 100;

pub(super) fn parse(source: &str) -> Result<Template> {
    let mut parser =
        Parser { source, pieces: pieces(source)?.into_iter(), defined: BTreeMap::new(), loops: 0, depth: 0 };
    let mut scope = Vec::new();
    let (nodes, end) = parser.list(&mut scope)?;
    if let Some((word, at)) = end {
        let word = word.split(' ').next().unwrap_or_default();
        return Err(error(source, at, &format!("unexpected {{{{{word}}}}}")));
    }
    Ok(Template { source: source.to_string(), nodes, defined: parser.defined })
}

struct Parser<'a> {
    source: &'a str,
    pieces: std::vec::IntoIter<Piece>,
    defined: BTreeMap<String, Vec<Node>>,
    /// How many `range`s are around.
    loops: usize,
    depth: usize,
}

/// The keyword that ended a list (`end`, `else`, with what follows `else`) and where it is.
type End = Option<(String, usize)>;

impl Parser<'_> {
    fn fail<T>(&self, at: usize, what: &str) -> Result<T> {
        Err(error(self.source, at, what))
    }

    /// Nodes up to `end` or `else`, or to the end of the template. `scope` holds the variables that are known.
    fn list(&mut self, scope: &mut Vec<String>) -> Result<(Vec<Node>, End)> {
        let known = scope.len();
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let tokens = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action(tokens) => tokens,
            };
            let mut words = Words { tokens: &tokens, next: 0 };
            words.skip_blanks();
            let at = words.at().unwrap_or(self.source.len());
            let Some(Token::Word(word)) = words.peek() else {
                nodes.push(Node::Action(self.statement(&mut words, scope, at)?));
                continue;
            };
            let word = word.clone();
            match word.as_str() {
                "end" | "else" => {
                    words.next += 1;
                    words.skip_blanks();
                    let more = match words.peek() {
                        Some(Token::Word(next)) if word == "else" && (next == "if" || next == "with") => {
                            self.pending_else(&tokens[words.next..])
                        }
                        Some(_) => return self.fail(at, &format!("unexpected {} in {word}", words.shown(self.source))),
                        None => word.clone(),
                    };
                    scope.truncate(known);
                    return Ok((nodes, Some((more, at))));
                }
                _ => match self.keyword(&word, &mut words, scope, at)? {
                    Some(node) => nodes.push(node),
                    None if is_keyword(&word) => {}
                    None => nodes.push(Node::Action(self.statement(&mut words, scope, at)?)),
                },
            }
        }
        scope.truncate(known);
        Ok((nodes, None))
    }

    /// `else if x` is an `if` inside the `else`: put what follows back, to be read as an action of its own.
    fn pending_else(&mut self, tokens: &[(Token, Range<usize>)]) -> String {
        let rest: Vec<Piece> = std::iter::once(Piece::Action(tokens.to_vec())).chain(self.pieces.by_ref()).collect();
        self.pieces = rest.into_iter();
        "else if".to_string()
    }

    fn keyword(&mut self, word: &str, words: &mut Words, scope: &mut Vec<String>, at: usize) -> Result<Option<Node>> {
        if !is_keyword(word) {
            return Ok(None);
        }
        words.next += 1;
        words.skip_blanks();
        Ok(Some(match word {
            "if" | "with" | "range" => self.control(word, words, scope, at)?,
            "break" | "continue" if self.loops == 0 => {
                return self.fail(at, &format!("{{{{{word}}}}} outside {{{{range}}}}"));
            }
            "break" | "continue" if words.peek().is_some() => {
                return self.fail(at, &format!("unexpected {} in {{{{{word}}}}}", words.shown(self.source)));
            }
            "define" if self.depth > 0 => return self.fail(at, "unexpected <define> in command"),
            "break" => Node::Break,
            "continue" => Node::Continue,
            "template" => {
                let (name, span) = self.name(words, "template clause")?;
                words.skip_blanks();
                let pipe = match words.peek() {
                    Some(_) => Some(self.pipeline(words, scope, "template clause")?),
                    None => None,
                };
                Node::Template { name, pipe, span }
            }
            // `define` and `block` both name a list; a block is also used where it stands.
            _ => {
                let (name, span) = self.name(words, &format!("{word} clause"))?;
                words.skip_blanks();
                let pipe = match word {
                    "block" => Some(self.pipeline(words, scope, "block clause")?),
                    _ => None,
                };
                let (body, end) = self.nested(|parser| parser.list(&mut Vec::new()), at)?;
                self.expect_end(end)?;
                let empty =
                    |nodes: &[Node]| nodes.iter().all(|n| matches!(n, Node::Text(text) if text.trim().is_empty()));
                match self.defined.get(&name) {
                    Some(old) if word == "define" && !empty(old) && !empty(&body) => {
                        return self.fail(at, &format!("template: multiple definition of template {name:?}"));
                    }
                    Some(old) if word == "define" && !empty(old) => {}
                    _ => drop(self.defined.insert(name.clone(), body)),
                }
                match word {
                    "block" => Node::Template { name, pipe, span },
                    _ => return Ok(None),
                }
            }
        }))
    }

    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>, at: usize) -> Result<T> {
        self.depth += 1;
        if self.depth > DEPTH {
            return self.fail(at, "max nesting depth exceeded");
        }
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn name(&self, words: &mut Words, context: &str) -> Result<(String, Span)> {
        match words.tokens.get(words.next) {
            Some((Token::Text(name), span)) => {
                words.next += 1;
                Ok((name.clone(), span.clone()))
            }
            _ => self.fail(
                words.at().unwrap_or(self.source.len()),
                &format!("unexpected {} in {context}", words.shown(self.source)),
            ),
        }
    }

    fn expect_end(&self, end: End) -> Result<()> {
        match end {
            Some((word, _)) if word == "end" => Ok(()),
            Some((word, at)) => self.fail(at, &format!("expected end; found {{{{{word}}}}}")),
            None => self.fail(self.source.len(), "unexpected EOF"),
        }
    }

    fn control(&mut self, word: &str, words: &mut Words, scope: &mut Vec<String>, at: usize) -> Result<Node> {
        let known = scope.len();
        let pipe = self.pipeline(words, scope, word)?;
        let is_loop = word == "range";
        if is_loop {
            self.loops += 1;
        }
        let (then, end) = self.nested(|parser| parser.list(scope), at)?;
        if is_loop {
            self.loops -= 1;
        }
        let or_else = match end {
            Some((word, _)) if word == "else" => {
                let (nodes, end) = self.nested(|parser| parser.list(scope), at)?;
                self.expect_end(end)?;
                nodes
            }
            Some((word, _)) if word == "else if" => self.nested(|parser| parser.chained(scope), at)?,
            end => {
                self.expect_end(end)?;
                Vec::new()
            }
        };
        scope.truncate(known);
        Ok(match word {
            "if" => Node::If { pipe, then, or_else },
            "with" => Node::With { pipe, then, or_else },
            _ => Node::Range { pipe, body: then, or_else },
        })
    }

    /// The `if` after an `else`: its `end` is the outer one's, too.
    fn chained(&mut self, scope: &mut Vec<String>) -> Result<Vec<Node>> {
        let Some(Piece::Action(tokens)) = self.pieces.next() else { return Ok(Vec::new()) };
        let mut words = Words { tokens: &tokens, next: 0 };
        let at = words.at().unwrap_or(0);
        let Some(Token::Word(word)) = words.peek() else { return Ok(Vec::new()) };
        let word = word.clone();
        words.next += 1;
        words.skip_blanks();
        Ok(vec![self.control(&word, &mut words, scope, at)?])
    }

    fn statement(&mut self, words: &mut Words, scope: &mut Vec<String>, at: usize) -> Result<Pipe> {
        if words.peek().is_none() {
            return self.fail(at, "missing value for command");
        }
        self.pipeline(words, scope, "command")
    }

    /// A pipeline up to the end of the action, or to a closing parenthesis, which is left.
    fn pipeline(&mut self, words: &mut Words, scope: &mut Vec<String>, context: &str) -> Result<Pipe> {
        let (variables, assign) = self.declaration(words, context)?;
        let mut commands: Vec<Call> = Vec::new();
        loop {
            words.skip_blanks();
            match words.peek() {
                None | Some(Token::Close) => break,
                _ => commands.push(self.call(words, scope, context)?),
            }
            words.skip_blanks();
            match words.peek() {
                Some(Token::Pipe) => {
                    words.next += 1;
                }
                None | Some(Token::Close) => break,
                Some(_) => {
                    let shown = words.shown(self.source);
                    return self.fail(words.at().unwrap_or(0), &format!("unexpected {shown} in {context}"));
                }
            }
        }
        if commands.is_empty() {
            return self.fail(words.end(), &format!("missing value for {context}"));
        }
        for (stage, command) in commands.iter().enumerate().skip(1) {
            let callable = matches!(
                command.words[0].kind,
                Kind::Function(_) | Kind::Field(_) | Kind::Variable(..) | Kind::Chain(..) | Kind::Pipe(_)
            );
            if !callable {
                let at = command.span.start;
                return self.fail(at, &format!("non executable command in pipeline stage {}", stage + 1));
            }
        }
        scope.extend(variables.iter().filter(|_| !assign).cloned());
        Ok(Pipe { variables, assign, commands })
    }

    /// `$x :=`, `$i, $v :=`, `$x =`.
    fn declaration(&self, words: &mut Words, context: &str) -> Result<(Vec<String>, bool)> {
        let begin = words.next;
        let mut names = Vec::new();
        loop {
            words.skip_blanks();
            let Some(Token::Variable(name)) = words.peek() else { break };
            names.push(name.clone());
            words.next += 1;
            words.skip_blanks();
            match words.peek() {
                Some(Token::Comma) if context == "range" && names.len() < 2 => {
                    words.next += 1;
                    words.skip_blanks();
                    if !matches!(words.peek(), None | Some(Token::Variable(_) | Token::Close)) {
                        return self.fail(words.at().unwrap_or(0), "range can only initialize variables");
                    }
                }
                Some(Token::Comma) => {
                    return self.fail(words.at().unwrap_or(0), &format!("too many declarations in {context}"));
                }
                Some(Token::Declare) => {
                    words.next += 1;
                    return Ok((names, false));
                }
                Some(Token::Assign) => {
                    words.next += 1;
                    return Ok((names, true));
                }
                _ => break,
            }
        }
        words.next = begin;
        Ok((Vec::new(), false))
    }

    fn call(&mut self, words: &mut Words, scope: &mut Vec<String>, context: &str) -> Result<Call> {
        let begin = words.at().unwrap_or(0);
        let mut operands = Vec::new();
        let mut end = begin;
        loop {
            words.skip_blanks();
            match words.peek() {
                None | Some(Token::Close) => break,
                Some(Token::Pipe) if !operands.is_empty() => break,
                _ => {}
            }
            let operand = self.operand(words, scope, if operands.is_empty() { context } else { "operand" })?;
            end = operand.span.end;
            operands.push(operand);
            match words.peek() {
                None | Some(Token::Space | Token::Close | Token::Pipe) => {}
                Some(_) => {
                    let shown = words.shown(self.source);
                    return self.fail(words.at().unwrap_or(0), &format!("unexpected {shown} in operand"));
                }
            }
        }
        Ok(Call { words: operands, span: begin..end })
    }

    /// `context` is what an error says that something is unexpected in.
    fn operand(&mut self, words: &mut Words, scope: &mut Vec<String>, context: &str) -> Result<Operand> {
        let Some((token, span)) = words.tokens.get(words.next).cloned() else {
            return self.fail(self.source.len(), "missing value for command");
        };
        let at = span.start;
        let shown = words.shown(self.source);
        words.next += 1;
        let kind = match token {
            Token::Dot => Kind::Dot,
            Token::Field(name) => Kind::Field(vec![name]),
            Token::Variable(name) => {
                if !name.is_empty() && !scope.contains(&name) {
                    return self.fail(at, &format!("undefined variable \"${name}\""));
                }
                Kind::Variable(name, Vec::new())
            }
            Token::Word(name) => match name.as_str() {
                "true" => Kind::Bool(true),
                "false" => Kind::Bool(false),
                "nil" => Kind::Nil,
                _ if functions::exists(&name) => Kind::Function(name),
                _ => return self.fail(at, &format!("function {name:?} not defined")),
            },
            Token::Text(text) => Kind::Text(text),
            Token::Int(number) => Kind::Int(number),
            Token::Float(number) => Kind::Float(number),
            Token::Complex(real, imaginary) => Kind::Complex(real, imaginary),
            Token::Open => {
                let pipe = self.nested(|parser| parser.pipeline(words, scope, "parenthesized pipeline"), at)?;
                match words.peek() {
                    Some(Token::Close) => words.next += 1,
                    _ => return self.fail(words.end(), "unclosed left paren"),
                }
                Kind::Pipe(Box::new(pipe))
            }
            _ => return self.fail(at, &format!("unexpected {shown} in {context}")),
        };
        self.fields(words, kind, span)
    }

    /// The fields that follow an operand without a blank.
    fn fields(&self, words: &mut Words, kind: Kind, span: Span) -> Result<Operand> {
        let mut names = Vec::new();
        let mut second = None;
        let mut end = words.before();
        while let Some((Token::Field(name), field)) = words.tokens.get(words.next) {
            second.get_or_insert(field.start);
            names.push(name.clone());
            end = field.end;
            words.next += 1;
        }
        let whole = span.start..end;
        let at = second.unwrap_or(span.start);
        if names.is_empty() {
            return Ok(Operand { kind, span: whole, at });
        }
        let kind = match kind {
            Kind::Field(mut fields) => {
                fields.extend(names);
                Kind::Field(fields)
            }
            Kind::Variable(name, _) => Kind::Variable(name, names),
            Kind::Dot
            | Kind::Nil
            | Kind::Bool(_)
            | Kind::Text(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::Complex(..) => {
                let shown = &self.source[span];
                return self.fail(at, &format!("unexpected . after term {shown:?}"));
            }
            kind => Kind::Chain(Box::new(Operand { kind, at: span.start, span: span.start..span.end }), names),
        };
        Ok(Operand { kind, span: whole, at })
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(word, "if" | "with" | "range" | "break" | "continue" | "template" | "define" | "block")
}

/// A cursor over the tokens of one action.
struct Words<'t> {
    tokens: &'t [(Token, Range<usize>)],
    next: usize,
}

impl Words<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    fn at(&self) -> Option<usize> {
        self.tokens.get(self.next).map(|(_, span)| span.start)
    }

    /// Where the last token ends.
    fn end(&self) -> usize {
        self.tokens.last().map_or(0, |(_, span)| span.end)
    }

    /// Where the token before the next one ends.
    fn before(&self) -> usize {
        self.next.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(0, |(_, span)| span.end)
    }

    fn skip_blanks(&mut self) {
        while self.peek() == Some(&Token::Space) {
            self.next += 1;
        }
    }

    /// The next token as errors quote it.
    fn shown(&self, source: &str) -> String {
        match self.tokens.get(self.next) {
            Some((Token::Dot, _)) => "<.>".to_string(),
            Some((Token::Word(word), _)) if is_keyword(word) || matches!(word.as_str(), "else" | "end" | "nil") => {
                format!("<{word}>")
            }
            Some((_, span)) => {
                let text = &source[span.clone()];
                match text.chars().count() {
                    0..=10 => quote(text),
                    _ => quote(&text.chars().take(10).collect::<String>()) + "...",
                }
            }
            None => "\"}}\"".to_string(),
        }
    }
}
