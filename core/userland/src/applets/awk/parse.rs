//! Reads an `awk` program: tokens by need, then a tree by descent.

use crate::applets::printf;
use crate::sorted::Map as BTreeMap;

#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Number(f64),
    Text(String),
    Regex(String),
    Variable(String),
    Element(String, Vec<Expr>),
    Field(Box<Expr>),
    Assign(&'static str, Box<Expr>, Box<Expr>),
    Conditional(Box<Expr>, Box<Expr>, Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    Match(bool, Box<Expr>, Box<Expr>),
    In(Vec<Expr>, String),
    Unary(char, Box<Expr>),
    /// Step, and whether the value is the old one.
    Step(f64, bool, Box<Expr>),
    Call(String, Vec<Expr>),
    /// `getline [place] [< file]`, or from a command.
    Getline(Option<Box<Expr>>, Source),
    Group(Vec<Expr>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    Main,
    File(Box<Expr>),
    Command(Box<Expr>),
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Expr(Expr),
    Print(Vec<Expr>, Option<(&'static str, Expr)>),
    Printf(Vec<Expr>, Option<(&'static str, Expr)>),
    If(Expr, Box<Stmt>, Option<Box<Stmt>>),
    While(Expr, Box<Stmt>),
    Do(Box<Stmt>, Expr),
    For(Option<Box<Stmt>>, Option<Expr>, Option<Box<Stmt>>, Box<Stmt>),
    ForIn(String, String, Box<Stmt>),
    Block(Vec<Stmt>),
    Next,
    NextFile,
    Exit(Option<Expr>),
    Return(Option<Expr>),
    Break,
    Continue,
    Delete(String, Option<Vec<Expr>>),
}

#[derive(Clone, Debug)]
pub enum Pattern {
    Always,
    When(Expr),
    /// With the number of the range.
    Range(Expr, Expr, usize),
}

#[derive(Clone, Debug)]
pub struct Function {
    pub parameters: Vec<String>,
    pub body: Stmt,
}

#[derive(Clone, Debug, Default)]
pub struct Program {
    pub begin: Vec<Stmt>,
    pub end: Vec<Stmt>,
    pub rules: Vec<(Pattern, Option<Stmt>)>,
    pub functions: BTreeMap<String, Function>,
    pub ranges: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    pub line: usize,
    pub text: String,
}

type Parsed<T> = Result<T, Error>;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Text(String),
    Name(String),
    /// A name right before a parenthesis.
    Called(String),
    Op(&'static str),
    Newline,
    End,
}

const OPERATORS: [&str; 46] = [
    "**=", "&&", "||", "==", "<=", ">=", "!=", "++", "--", "+=", "-=", "*=", "/=", "%=", "^=", ">>", "!~", "**", "{",
    "}", "(", ")", "[", "]", ";", ",", "+", "-", "*", "/", "%", "^", "!", "<", ">", "|", "?", ":", "~", "$", "=", "&",
    "@", "\\", "'", "`",
];

const WORDS: [&str; 20] = [
    "BEGIN", "END", "function", "func", "if", "else", "while", "for", "do", "break", "continue", "next", "nextfile",
    "exit", "return", "delete", "in", "getline", "print", "printf",
];

pub const BUILT_IN: [&str; 22] = [
    "length", "substr", "index", "split", "sub", "gsub", "match", "sprintf", "sin", "cos", "atan2", "exp", "log",
    "sqrt", "int", "rand", "srand", "tolower", "toupper", "system", "close", "fflush",
];

struct Parser {
    text: Vec<char>,
    at: usize,
    line: usize,
    token: Token,
    /// Where the current token began, to read it again as a regular expression.
    began: usize,
    ranges: usize,
    depth: usize,
}

pub fn parse(text: &str) -> Parsed<Program> {
    let mut parser =
        Parser { text: text.chars().collect(), at: 0, line: 1, token: Token::Newline, began: 0, ranges: 0, depth: 0 };
    parser.advance()?;
    parser.program()
}

impl Parser {
    fn fail<T>(&self, text: &str) -> Parsed<T> {
        Err(Error { line: self.line, text: text.to_string() })
    }
    fn unexpected<T>(&self) -> Parsed<T> {
        self.fail(if self.token == Token::End { "Unexpected end of string" } else { "Unexpected token" })
    }

    fn advance(&mut self) -> Parsed<Token> {
        let next = self.scan()?;
        Ok(std::mem::replace(&mut self.token, next))
    }
    fn scan(&mut self) -> Parsed<Token> {
        loop {
            match self.text.get(self.at) {
                Some(' ' | '\t' | '\r') => self.at += 1,
                Some('\\') if self.text.get(self.at + 1) == Some(&'\n') => {
                    self.at += 2;
                    self.line += 1;
                }
                Some('#') => {
                    while self.text.get(self.at).is_some_and(|c| *c != '\n') {
                        self.at += 1;
                    }
                }
                _ => break,
            }
        }
        self.began = self.at;
        let Some(c) = self.text.get(self.at).copied() else { return Ok(Token::End) };
        if c == '\n' {
            self.at += 1;
            self.line += 1;
            return Ok(Token::Newline);
        }
        if c == '"' {
            self.at += 1;
            return Ok(Token::Text(self.delimited('"')?));
        }
        if c.is_ascii_digit() || (c == '.' && self.text.get(self.at + 1).is_some_and(char::is_ascii_digit)) {
            let rest: String = self.text[self.at..].iter().take(400).collect();
            let hex =
                rest.strip_prefix("0x").map(|h| h.chars().take_while(char::is_ascii_hexdigit).collect::<String>());
            if let Some(Ok(n)) = hex.as_ref().map(|h| u64::from_str_radix(h, 16)) {
                self.at += 2 + hex.map_or(0, |h| h.len());
                return Ok(Token::Number(n as f64));
            }
            let (number, length) = super::value::prefix(&rest);
            self.at += length;
            return Ok(Token::Number(number));
        }
        if c.is_ascii_alphabetic() || c == '_' {
            let from = self.at;
            while self.text.get(self.at).is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_') {
                self.at += 1;
            }
            let name: String = self.text[from..self.at].iter().collect();
            if let Some(word) = WORDS.iter().find(|w| **w == name) {
                return Ok(Token::Op(if *word == "func" { "function" } else { word }));
            }
            return Ok(if self.text.get(self.at) == Some(&'(') { Token::Called(name) } else { Token::Name(name) });
        }
        for op in OPERATORS {
            if self.text[self.at..].iter().take(op.len()).copied().eq(op.chars()) {
                self.at += op.len();
                return Ok(Token::Op(match op {
                    "**" => "^",
                    "**=" => "^=",
                    op => op,
                }));
            }
        }
        self.fail("Unexpected token")
    }
    /// A string behind its quote. Escapes are replaced.
    fn delimited(&mut self, end: char) -> Parsed<String> {
        let mut out = Vec::new();
        loop {
            let Some(c) = self.text.get(self.at).copied() else { return self.fail("Unexpected end of string") };
            self.at += 1;
            match c {
                c if c == end => return Ok(String::from_utf8_lossy(&out).into_owned()),
                '\n' => return self.fail("Unexpected newline in string"),
                '\\' => {
                    let rest: String = self.text[self.at..].iter().take(4).collect();
                    match (rest.chars().next(), printf::escape(rest.as_bytes(), false)) {
                        (Some(c @ ('"' | '/')), _) => {
                            out.push(c as u8);
                            self.at += 1;
                        }
                        (Some('\n'), _) => self.at += 1,
                        (_, Some((byte, length))) => {
                            out.push(byte);
                            self.at += length;
                        }
                        _ => out.push(b'\\'),
                    }
                }
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
    /// The `/` or `/=` that is the current token begins a regular expression.
    fn regex(&mut self) -> Parsed<Expr> {
        self.at = self.began + 1;
        let (mut out, mut bracket) = (String::new(), false);
        loop {
            let Some(c) = self.text.get(self.at).copied() else { return self.fail("Unexpected end of string") };
            self.at += 1;
            match c {
                '/' if !bracket => break,
                '\n' => return self.fail("Unexpected newline in regular expression"),
                '\\' if self.text.get(self.at) == Some(&'/') => {
                    self.at += 1;
                    out.push('/');
                    continue;
                }
                '\\' => {
                    out.push('\\');
                    out.extend(self.text.get(self.at));
                    self.at += 1;
                    continue;
                }
                '[' => bracket = true,
                ']' => bracket = false,
                _ => {}
            }
            out.push(c);
        }
        self.advance()?;
        Ok(Expr::Regex(out))
    }

    fn is(&self, op: &str) -> bool {
        matches!(&self.token, Token::Op(o) if *o == op)
    }
    fn accept(&mut self, op: &str) -> Parsed<bool> {
        let is = self.is(op);
        if is {
            self.advance()?;
        }
        Ok(is)
    }
    fn expect(&mut self, op: &str) -> Parsed<()> {
        if self.accept(op)? { Ok(()) } else { self.unexpected() }
    }
    fn newlines(&mut self) -> Parsed<()> {
        while self.token == Token::Newline {
            self.advance()?;
        }
        Ok(())
    }
    fn ends(&mut self) -> Parsed<()> {
        while self.token == Token::Newline || self.is(";") {
            self.advance()?;
        }
        Ok(())
    }
    fn name(&mut self) -> Parsed<String> {
        match self.advance()? {
            Token::Name(name) | Token::Called(name) => Ok(name),
            _ => self.unexpected(),
        }
    }

    fn program(&mut self) -> Parsed<Program> {
        let mut program = Program::default();
        loop {
            self.ends()?;
            if self.token == Token::End {
                program.ranges = self.ranges;
                return Ok(program);
            }
            if self.accept("BEGIN")? {
                program.begin.push(self.block()?);
            } else if self.accept("END")? {
                program.end.push(self.block()?);
            } else if self.accept("function")? {
                let name = self.name()?;
                self.expect("(")?;
                let mut parameters = Vec::new();
                while !self.accept(")")? {
                    parameters.push(self.name()?);
                    self.accept(",")?;
                    self.newlines()?;
                }
                self.newlines()?;
                program.functions.insert(name, Function { parameters, body: self.block()? });
            } else {
                let mut pattern = Pattern::Always;
                if !self.is("{") {
                    let first = self.expr(true)?;
                    pattern = match self.accept(",")? {
                        true => {
                            self.newlines()?;
                            self.ranges += 1;
                            Pattern::Range(first, self.expr(true)?, self.ranges - 1)
                        }
                        false => Pattern::When(first),
                    };
                }
                let body = if self.is("{") { Some(self.block()?) } else { None };
                program.rules.push((pattern, body));
            }
        }
    }

    fn block(&mut self) -> Parsed<Stmt> {
        self.expect("{")?;
        let mut all = Vec::new();
        loop {
            self.ends()?;
            if self.accept("}")? {
                return Ok(Stmt::Block(all));
            }
            all.push(self.statement()?);
        }
    }
    /// The body of `if` and its like.
    fn body(&mut self) -> Parsed<Box<Stmt>> {
        self.newlines()?;
        if self.accept(";")? {
            return Ok(Box::new(Stmt::Block(Vec::new())));
        }
        Ok(Box::new(self.statement()?))
    }
    fn end_of_simple(&mut self) -> Parsed<()> {
        if self.is("}") || self.token == Token::End {
            return Ok(());
        }
        if self.token == Token::Newline || self.is(";") {
            self.advance()?;
            return Ok(());
        }
        self.unexpected()
    }

    fn statement(&mut self) -> Parsed<Stmt> {
        self.depth += 1;
        if self.depth > 40 {
            return self.fail("too deeply nested");
        }
        let made = self.statement_inner();
        self.depth -= 1;
        made
    }
    fn statement_inner(&mut self) -> Parsed<Stmt> {
        if self.is("{") {
            return self.block();
        }
        if self.accept("if")? {
            self.expect("(")?;
            let condition = self.expr(true)?;
            self.expect(")")?;
            let then = self.body()?;
            // An `else` may follow behind semicolons and lines.
            let back = (self.at, self.line, self.token.clone(), self.began);
            self.ends()?;
            if self.accept("else")? {
                return Ok(Stmt::If(condition, then, Some(self.body()?)));
            }
            (self.at, self.line, self.token, self.began) = back;
            return Ok(Stmt::If(condition, then, None));
        }
        if self.accept("while")? {
            self.expect("(")?;
            let condition = self.expr(true)?;
            self.expect(")")?;
            return Ok(Stmt::While(condition, self.body()?));
        }
        if self.accept("do")? {
            let body = self.body()?;
            self.ends()?;
            self.expect("while")?;
            self.expect("(")?;
            let condition = self.expr(true)?;
            self.expect(")")?;
            self.end_of_simple()?;
            return Ok(Stmt::Do(body, condition));
        }
        if self.accept("for")? {
            return self.for_loop();
        }
        let simple = self.simple()?;
        self.end_of_simple()?;
        Ok(simple)
    }
    fn for_loop(&mut self) -> Parsed<Stmt> {
        self.expect("(")?;
        let first = if self.is(";") { None } else { Some(self.simple()?) };
        if let Some(Stmt::Expr(Expr::In(index, array))) = &first
            && let [Expr::Variable(name)] = &index[..]
            && self.is(")")
        {
            let (name, array) = (name.clone(), array.clone());
            self.advance()?;
            return Ok(Stmt::ForIn(name, array, self.body()?));
        }
        self.expect(";")?;
        self.newlines()?;
        let condition = if self.is(";") { None } else { Some(self.expr(true)?) };
        self.expect(";")?;
        self.newlines()?;
        let step = if self.is(")") { None } else { Some(Box::new(self.simple()?)) };
        self.expect(")")?;
        Ok(Stmt::For(first.map(Box::new), condition, step, self.body()?))
    }

    fn at_end(&self) -> bool {
        matches!(self.token, Token::Newline | Token::End) || self.is(";") || self.is("}")
    }
    fn simple(&mut self) -> Parsed<Stmt> {
        let Token::Op(op) = self.token else { return Ok(Stmt::Expr(self.expr(true)?)) };
        match op {
            "print" | "printf" => {
                self.advance()?;
                let mut args = Vec::new();
                if !self.at_end() && !self.is(">") && !self.is(">>") && !self.is("|") {
                    args.push(self.expr_in_print()?);
                    while self.accept(",")? {
                        self.newlines()?;
                        args.push(self.expr_in_print()?);
                    }
                }
                // `print (a, b)` has its arguments in the parentheses.
                if let [Expr::Group(inner)] = &args[..] {
                    args = inner.clone();
                }
                let mut target = None;
                if let Token::Op(to @ (">" | ">>" | "|")) = self.token {
                    self.advance()?;
                    target = Some((to, self.concatenation(false)?));
                }
                Ok(if op == "print" { Stmt::Print(args, target) } else { Stmt::Printf(args, target) })
            }
            "next" | "nextfile" | "break" | "continue" => {
                self.advance()?;
                Ok(match op {
                    "next" => Stmt::Next,
                    "nextfile" => Stmt::NextFile,
                    "break" => Stmt::Break,
                    _ => Stmt::Continue,
                })
            }
            "exit" | "return" => {
                self.advance()?;
                let value = if self.at_end() { None } else { Some(self.expr(true)?) };
                Ok(if op == "exit" { Stmt::Exit(value) } else { Stmt::Return(value) })
            }
            "delete" => {
                self.advance()?;
                let name = self.name()?;
                let index = if self.accept("[")? { Some(self.list("]")?) } else { None };
                Ok(Stmt::Delete(name, index))
            }
            _ => Ok(Stmt::Expr(self.expr(true)?)),
        }
    }
    fn expr_in_print(&mut self) -> Parsed<Expr> {
        self.ternary(false, true)
    }
    fn list(&mut self, end: &str) -> Parsed<Vec<Expr>> {
        let mut all = Vec::new();
        self.newlines()?;
        while !self.accept(end)? {
            all.push(self.expr(true)?);
            self.newlines()?;
            if !self.is(end) {
                self.expect(",")?;
                self.newlines()?;
            }
        }
        Ok(all)
    }

    /// `greater`: whether `>` compares; in `print` it redirects.
    fn expr(&mut self, greater: bool) -> Parsed<Expr> {
        self.depth += 1;
        if self.depth > 40 {
            return self.fail("too deeply nested");
        }
        let made = self.ternary(greater, true);
        self.depth -= 1;
        made
    }
    fn ternary(&mut self, greater: bool, pipes: bool) -> Parsed<Expr> {
        let condition = self.or(greater, pipes)?;
        if self.accept("?")? {
            self.newlines()?;
            let yes = self.ternary(greater, pipes)?;
            self.newlines()?;
            self.expect(":")?;
            self.newlines()?;
            let no = self.ternary(greater, pipes)?;
            return Ok(Expr::Conditional(Box::new(condition), Box::new(yes), Box::new(no)));
        }
        if let Token::Op(op @ ("=" | "+=" | "-=" | "*=" | "/=" | "%=" | "^=")) = self.token
            && is_place(&condition)
        {
            self.advance()?;
            self.newlines()?;
            let value = self.ternary(greater, pipes)?;
            return Ok(Expr::Assign(op, Box::new(condition), Box::new(value)));
        }
        Ok(condition)
    }
    fn or(&mut self, greater: bool, pipes: bool) -> Parsed<Expr> {
        let mut left = self.and(greater, pipes)?;
        while self.accept("||")? {
            self.newlines()?;
            left = Expr::Binary("||", Box::new(left), Box::new(self.and(greater, pipes)?));
        }
        Ok(left)
    }
    fn and(&mut self, greater: bool, pipes: bool) -> Parsed<Expr> {
        let mut left = self.member(greater, pipes)?;
        while self.accept("&&")? {
            self.newlines()?;
            left = Expr::Binary("&&", Box::new(left), Box::new(self.member(greater, pipes)?));
        }
        Ok(left)
    }
    fn member(&mut self, greater: bool, pipes: bool) -> Parsed<Expr> {
        let mut left = self.matching(greater, pipes)?;
        while self.accept("in")? {
            let index = if let Expr::Group(all) = left { all } else { vec![left] };
            left = Expr::In(index, self.name()?);
        }
        Ok(left)
    }
    fn matching(&mut self, greater: bool, pipes: bool) -> Parsed<Expr> {
        let mut left = self.comparison(greater, pipes)?;
        while self.is("~") || self.is("!~") {
            let holds = self.is("~");
            self.advance()?;
            left = Expr::Match(holds, Box::new(left), Box::new(self.comparison(greater, pipes)?));
        }
        Ok(left)
    }
    fn comparison(&mut self, greater: bool, pipes: bool) -> Parsed<Expr> {
        let mut left = self.concatenation(pipes)?;
        loop {
            match self.token {
                Token::Op(op @ ("<" | "<=" | "==" | "!=" | ">=")) => {
                    self.advance()?;
                    left = Expr::Binary(op, Box::new(left), Box::new(self.concatenation(pipes)?));
                }
                Token::Op(">") if greater => {
                    self.advance()?;
                    left = Expr::Binary(">", Box::new(left), Box::new(self.concatenation(pipes)?));
                }
                Token::Op("|") if pipes => {
                    let back = (self.at, self.line, self.token.clone(), self.began);
                    self.advance()?;
                    if !self.accept("getline")? {
                        (self.at, self.line, self.token, self.began) = back;
                        return Ok(left);
                    }
                    let place = self.place()?;
                    left = Expr::Getline(place, Source::Command(Box::new(left)));
                }
                _ => return Ok(left),
            }
        }
    }
    fn concatenation(&mut self, _pipes: bool) -> Parsed<Expr> {
        let mut left = self.sum()?;
        while self.begins_operand() {
            left = Expr::Binary(" ", Box::new(left), Box::new(self.sum()?));
        }
        Ok(left)
    }
    fn begins_operand(&self) -> bool {
        match &self.token {
            Token::Number(_) | Token::Text(_) | Token::Name(_) | Token::Called(_) => true,
            Token::Op(op) => matches!(*op, "$" | "!" | "(" | "-" | "+" | "++" | "--"),
            _ => false,
        }
    }
    fn sum(&mut self) -> Parsed<Expr> {
        let mut left = self.product()?;
        while let Token::Op(op @ ("+" | "-")) = self.token {
            self.advance()?;
            left = Expr::Binary(op, Box::new(left), Box::new(self.product()?));
        }
        Ok(left)
    }
    fn product(&mut self) -> Parsed<Expr> {
        let mut left = self.unary()?;
        while let Token::Op(op @ ("*" | "/" | "%")) = self.token {
            self.advance()?;
            left = Expr::Binary(op, Box::new(left), Box::new(self.unary()?));
        }
        Ok(left)
    }
    fn unary(&mut self) -> Parsed<Expr> {
        self.depth += 1;
        if self.depth > 40 {
            return self.fail("too deeply nested");
        }
        let made = match self.token {
            Token::Op(op @ ("!" | "-" | "+")) => {
                self.advance()?;
                let inner = self.unary()?;
                Ok(Expr::Unary(op.chars().next().unwrap_or('+'), Box::new(inner)))
            }
            _ => self.power(),
        };
        self.depth -= 1;
        made
    }
    fn power(&mut self) -> Parsed<Expr> {
        let base = self.postfix()?;
        if self.accept("^")? {
            let exponent = self.unary()?;
            return Ok(Expr::Binary("^", Box::new(base), Box::new(exponent)));
        }
        Ok(base)
    }
    fn postfix(&mut self) -> Parsed<Expr> {
        let inner = self.primary()?;
        if is_place(&inner) {
            if self.accept("++")? {
                return Ok(Expr::Step(1.0, true, Box::new(inner)));
            }
            if self.accept("--")? {
                return Ok(Expr::Step(-1.0, true, Box::new(inner)));
            }
        }
        Ok(inner)
    }
    /// The place that `getline` may be given.
    fn place(&mut self) -> Parsed<Option<Box<Expr>>> {
        let begins = matches!(self.token, Token::Name(_)) || self.is("$");
        Ok(if begins { Some(Box::new(self.primary()?)) } else { None })
    }

    fn primary(&mut self) -> Parsed<Expr> {
        if self.is("/") || self.is("/=") {
            return self.regex();
        }
        match self.advance()? {
            Token::Number(n) => Ok(Expr::Number(n)),
            Token::Text(s) => Ok(Expr::Text(s)),
            Token::Name(name) if self.is("[") => {
                self.advance()?;
                Ok(Expr::Element(name, self.list("]")?))
            }
            Token::Name(name) if name == "length" => Ok(Expr::Call(name, Vec::new())),
            Token::Name(name) => Ok(Expr::Variable(name)),
            Token::Called(name) => {
                self.expect("(")?;
                Ok(Expr::Call(name, self.list(")")?))
            }
            Token::Op("$") => {
                let inner = match self.token {
                    Token::Op("++" | "--" | "-" | "+" | "!") => self.unary()?,
                    _ => self.primary()?,
                };
                Ok(Expr::Field(Box::new(inner)))
            }
            Token::Op(op @ ("++" | "--")) => {
                let inner = self.primary()?;
                if !is_place(&inner) {
                    return self.unexpected();
                }
                Ok(Expr::Step(if op == "++" { 1.0 } else { -1.0 }, false, Box::new(inner)))
            }
            Token::Op("(") => {
                let mut all = self.list(")")?;
                match all.len() {
                    0 => self.unexpected(),
                    // In parentheses it is no place any more, but for `$`.
                    1 => Ok(match all.remove(0) {
                        Expr::Variable(name) => Expr::Variable(name),
                        other => Expr::Group(vec![other]),
                    }),
                    _ => Ok(Expr::Group(all)),
                }
            }
            Token::Op("getline") => {
                let place = self.place()?;
                let source = match self.accept("<")? {
                    true => Source::File(Box::new(self.primary()?)),
                    false => Source::Main,
                };
                Ok(Expr::Getline(place, source))
            }
            _ => self.unexpected(),
        }
    }
}

fn is_place(e: &Expr) -> bool {
    matches!(e, Expr::Variable(_) | Expr::Element(..) | Expr::Field(_))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn wrong_programs_are_refused() {
        for wrong in ["{print", "BEGIN{", "{x = }", "/abc", "\"abc", "{print )}", "function f( {}", "{if (x}"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse(&"(".repeat(100_000)).is_err());
        assert!(parse("# only a comment").is_ok());
    }
}
