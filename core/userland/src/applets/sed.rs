//! `sed`: the script is read into commands first, then each line runs through them.

use super::pattern::{Groups, Pattern, Syntax};
use super::text::inputs;
use super::{Ending, Tool};
use crate::os::{Fd, OpenFlags, Os};
use crate::sorted::Map as BTreeMap;
use std::collections::VecDeque;
use std::rc::Rc;

#[derive(Clone, Debug)]
enum Address {
    Line(u64),
    Last,
    /// None is the pattern that was used last.
    Match(Option<Rc<Pattern>>),
    /// Each `step`th line from `first`.
    Step(u64, u64),
    /// As an end: so many lines more.
    Plus(u64),
}

#[derive(Debug)]
struct Command {
    from: Option<Address>,
    to: Option<Address>,
    negated: bool,
    /// The last line of a range that has begun.
    active: Option<Option<u64>>,
    verb: Verb,
}

#[derive(Debug)]
enum Verb {
    /// Skips to behind the matching brace where the address does not hold.
    Open(usize),
    Close,
    Label(String),
    Branch(String),
    BranchIf(String),
    BranchUnless(String),
    Append(Vec<u8>),
    Insert(Vec<u8>),
    Change(Vec<u8>),
    Substitute(Box<Substitution>),
    Translate(Vec<(char, char)>),
    Read(String),
    Write(String),
    Quit(i32),
    QuitSilently(i32),
    /// The commands of one letter without an argument.
    Plain(char),
}

#[derive(Debug)]
struct Substitution {
    pattern: Option<Rc<Pattern>>,
    replacement: Vec<Piece>,
    global: bool,
    print: bool,
    number: usize,
    write: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(Vec<u8>),
    Group(usize),
    /// `\U`, `\L`, `\u`, `\l`, `\E`.
    Case(char),
}

struct Parser<'a> {
    text: &'a [char],
    at: usize,
    syntax: Syntax,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }
    fn blanks(&mut self, also: &str) {
        while self.peek().is_some_and(|c| c == ' ' || c == '\t' || also.contains(c)) {
            self.at += 1;
        }
    }
    fn digits(&mut self) -> Option<u64> {
        let from = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        self.text[from..self.at].iter().collect::<String>().parse().ok()
    }

    /// Up to `end`, which is taken too; an escaped `end` loses its backslash.
    fn until(&mut self, end: char, pattern: bool) -> Result<String, String> {
        let (mut out, mut bracket) = (String::new(), None);
        loop {
            let c = self.peek().ok_or_else(|| format!("unmatched '{end}'"))?;
            self.at += 1;
            match c {
                '\\' if bracket.is_none() => {
                    let next = self.peek().ok_or_else(|| format!("unmatched '{end}'"))?;
                    self.at += 1;
                    match next {
                        n if n == end && !(pattern && "|+?(){}".contains(end)) => out.push(n),
                        n => out.extend(['\\', n]),
                    }
                    continue;
                }
                '[' if pattern && bracket.is_none() => bracket = Some(out.len()),
                ']' if bracket.is_some_and(|from: usize| !matches!(&out[from..], "[" | "[^")) => bracket = None,
                c if c == end && bracket.is_none() => return Ok(out),
                '\n' if pattern => return Err(format!("unmatched '{end}'")),
                _ => {}
            }
            out.push(c);
        }
    }

    fn pattern(&self, text: &str, fold: bool) -> Result<Option<Rc<Pattern>>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        let built = Pattern::new(text, self.syntax, fold).map_err(|e| format!("bad regex '{text}': {e}"))?;
        Ok(Some(Rc::new(built)))
    }

    fn address(&mut self) -> Result<Option<Address>, String> {
        let Some(c) = self.peek() else { return Ok(None) };
        let end = match c {
            '0'..='9' => {
                let first = self.digits().unwrap_or(0);
                if self.peek() == Some('~') {
                    self.at += 1;
                    return Ok(Some(Address::Step(first, self.digits().unwrap_or(0))));
                }
                return Ok(Some(Address::Line(first)));
            }
            '$' => {
                self.at += 1;
                return Ok(Some(Address::Last));
            }
            '/' => '/',
            '\\' => {
                self.at += 1;
                self.peek().ok_or("unexpected end")?
            }
            _ => return Ok(None),
        };
        self.at += 1;
        let text = self.until(end, true)?;
        let fold = self.peek() == Some('I');
        self.at += usize::from(fold);
        Ok(Some(Address::Match(self.pattern(&text, fold)?)))
    }

    fn script(&mut self) -> Result<Vec<Command>, String> {
        let (mut commands, mut open): (Vec<Command>, Vec<usize>) = (Vec::new(), Vec::new());
        loop {
            self.blanks("\n;");
            let Some(c) = self.peek() else { break };
            if c == '#' {
                self.rest_of_line();
                continue;
            }
            let from = self.address()?;
            let mut to = None;
            self.blanks("");
            if from.is_some() && self.peek() == Some(',') {
                self.at += 1;
                self.blanks("");
                to = match self.peek() {
                    Some('+') => {
                        self.at += 1;
                        Some(Address::Plus(self.digits().unwrap_or(0)))
                    }
                    _ => Some(self.address()?.ok_or("unexpected ,")?),
                };
            }
            self.blanks("");
            let mut negated = false;
            while self.peek() == Some('!') {
                negated = true;
                self.at += 1;
                self.blanks("");
            }
            let letter = self.peek().ok_or("missing command")?;
            self.at += 1;
            let verb = self.verb(letter)?;
            match verb {
                Verb::Open(_) => open.push(commands.len()),
                Verb::Close => {
                    let at = open.pop().ok_or("unexpected '}'")?;
                    commands[at].verb = Verb::Open(commands.len());
                }
                _ => {}
            }
            commands.push(Command { from, to, negated, active: None, verb });
        }
        if !open.is_empty() {
            return Err("unmatched '{'".to_string());
        }
        Ok(commands)
    }

    fn rest_of_line(&mut self) -> String {
        let from = self.at;
        while self.peek().is_some_and(|c| c != '\n') {
            self.at += 1;
        }
        self.text[from..self.at].iter().collect()
    }

    /// A label or a file name.
    fn word(&mut self, semicolon: bool) -> String {
        self.blanks("");
        let from = self.at;
        while self.peek().is_some_and(|c| c != '\n' && !(semicolon && (c == ';' || c == '}'))) {
            self.at += 1;
        }
        self.text[from..self.at].iter().collect::<String>().trim_end().to_string()
    }

    /// The text of `a`, `i`, `c`: behind a backslash and a newline, or on the same line.
    fn lines(&mut self) -> Result<Vec<u8>, String> {
        self.blanks("");
        if self.peek() == Some('\\') {
            self.at += 1;
            // Blanks behind the backslash belong to the text, unless the line ends there.
            let from = self.at;
            self.blanks("");
            match self.peek() {
                Some('\n') => self.at += 1,
                _ => self.at = from,
            }
        }
        if self.peek().is_none() {
            return Err("expected \\ after 'a', 'c' or 'i'".to_string());
        }
        let mut out = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '\\' => {
                    if let Some(next) = self.peek() {
                        self.at += 1;
                        out.push(if next == 't' { '\t' } else { next });
                    }
                }
                '\n' => break,
                c => out.push(c),
            }
        }
        out.push('\n');
        Ok(out.into_bytes())
    }

    fn verb(&mut self, letter: char) -> Result<Verb, String> {
        let verb = match letter {
            '{' => return Ok(Verb::Open(0)),
            '}' => Verb::Close,
            ':' => {
                return Ok(Verb::Label(self.word(true)));
            }
            'b' => Verb::Branch(self.word(true)),
            't' => Verb::BranchIf(self.word(true)),
            'T' => Verb::BranchUnless(self.word(true)),
            'a' => return Ok(Verb::Append(self.lines()?)),
            'i' => return Ok(Verb::Insert(self.lines()?)),
            'c' => return Ok(Verb::Change(self.lines()?)),
            'r' => Verb::Read(self.word(false)),
            'w' => Verb::Write(self.word(false)),
            's' => Verb::Substitute(Box::new(self.substitution()?)),
            'y' => self.translation()?,
            'q' | 'Q' => {
                self.blanks("");
                let code = self.digits().unwrap_or(0) as i32;
                if letter == 'q' { Verb::Quit(code) } else { Verb::QuitSilently(code) }
            }
            'd' | 'D' | 'p' | 'P' | 'n' | 'N' | 'h' | 'H' | 'g' | 'G' | 'x' | '=' | 'l' => Verb::Plain(letter),
            other => return Err(format!("unsupported command {other}")),
        };
        self.blanks("");
        match self.peek() {
            None | Some('\n' | ';' | '}' | '#') => Ok(verb),
            Some(_) => Err("extra characters after command".to_string()),
        }
    }

    fn substitution(&mut self) -> Result<Substitution, String> {
        let end = self.peek().ok_or("bad format in substitution expression")?;
        self.at += 1;
        let text = self.until(end, true)?;
        let replacement = self.until(end, false)?;
        let mut made = Substitution {
            pattern: None,
            replacement: pieces(&replacement),
            global: false,
            print: false,
            number: 1,
            write: None,
        };
        let mut fold = false;
        while let Some(c) = self.peek() {
            match c {
                'g' => made.global = true,
                'p' => made.print = true,
                'i' | 'I' => fold = true,
                '0'..='9' => {
                    made.number = self.digits().unwrap_or(1).max(1) as usize;
                    continue;
                }
                'w' => {
                    self.at += 1;
                    made.write = Some(self.word(false));
                    break;
                }
                '\n' | ';' | '}' | ' ' | '\t' | '#' => break,
                _ => return Err("unknown option to 's'".to_string()),
            }
            self.at += 1;
        }
        made.pattern = self.pattern(&text, fold)?;
        let groups = made.pattern.as_ref().map_or(10, |p| p.groups());
        let most = made.replacement.iter().map(|p| if let Piece::Group(n) = p { *n } else { 0 }).max().unwrap_or(0);
        if most >= groups {
            return Err(format!("invalid reference \\{most} on 's' command's RHS"));
        }
        Ok(made)
    }

    fn translation(&mut self) -> Result<Verb, String> {
        let end = self.peek().ok_or("bad format in 'y'")?;
        self.at += 1;
        let read = |text: String| {
            let mut out = Vec::new();
            let mut chars = text.chars();
            while let Some(c) = chars.next() {
                out.push(match c {
                    '\\' => match chars.next() {
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some(c) => c,
                        None => '\\',
                    },
                    c => c,
                });
            }
            out
        };
        let (from, to) = (read(self.until(end, false)?), read(self.until(end, false)?));
        if from.len() != to.len() {
            return Err("strings for 'y' command are different lengths".to_string());
        }
        Ok(Verb::Translate(from.into_iter().zip(to).collect()))
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let (mut out, mut plain) = (Vec::new(), Vec::new());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let special = match c {
            '&' => Some(Piece::Group(0)),
            '\\' => match chars.next() {
                Some(d) if d.is_ascii_digit() => Some(Piece::Group(d as usize - '0' as usize)),
                Some(c @ ('U' | 'L' | 'u' | 'l' | 'E')) => Some(Piece::Case(c)),
                other => {
                    let c = match other {
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some('r') => '\r',
                        Some(c) => c,
                        None => '\\',
                    };
                    plain.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    None
                }
            },
            c => {
                plain.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                None
            }
        };
        if let Some(piece) = special {
            if !plain.is_empty() {
                out.push(Piece::Text(std::mem::take(&mut plain)));
            }
            out.push(piece);
        }
    }
    if !plain.is_empty() {
        out.push(Piece::Text(plain));
    }
    out
}

fn replace(pieces: &[Piece], line: &[u8], found: &Groups, out: &mut Vec<u8>) {
    let (mut all, mut next) = ('E', ' ');
    for piece in pieces {
        let text = match piece {
            Piece::Text(text) => &text[..],
            Piece::Group(n) => found.get(*n).cloned().flatten().map_or(&[][..], |r| &line[r]),
            Piece::Case(c @ ('u' | 'l')) => {
                next = *c;
                continue;
            }
            Piece::Case(c) => {
                all = *c;
                continue;
            }
        };
        let from = out.len();
        out.extend_from_slice(text);
        match all {
            'U' => out[from..].make_ascii_uppercase(),
            'L' => out[from..].make_ascii_lowercase(),
            _ => {}
        }
        if let (Some(first), true) = (out.get_mut(from), next != ' ') {
            *first = if next == 'u' { first.to_ascii_uppercase() } else { first.to_ascii_lowercase() };
            next = ' ';
        }
    }
}

/// Lines of several files as one stream, with one line of foresight for `$`.
struct Input<'a, O: Os> {
    t: &'a Tool<O>,
    files: VecDeque<String>,
    lines: Option<(super::tool::Lines<'a, O>, Fd)>,
    ahead: Option<(Vec<u8>, bool)>,
    failed: bool,
}

impl<O: Os> Input<'_, O> {
    async fn fetch(&mut self) -> Option<(Vec<u8>, bool)> {
        loop {
            if let Some((lines, fd)) = &mut self.lines {
                match lines.until(b'\n').await {
                    Ok(Some(line)) => return Some(line),
                    Ok(None) => {}
                    Err(e) => {
                        self.t.warn(format_args!("read error: {e}"));
                        self.failed = true;
                    }
                }
                self.t.close(*fd);
                self.lines = None;
            }
            let path = self.files.pop_front()?;
            match self.t.open(&path).await {
                Ok(fd) => self.lines = Some((self.t.lines(fd), fd)),
                Err(e) => {
                    self.t.warn(format_args!("{path}: {e}"));
                    self.failed = true;
                }
            }
        }
    }
    async fn next(&mut self) -> Option<(Vec<u8>, bool)> {
        match self.ahead.take() {
            Some(line) => Some(line),
            None => self.fetch().await,
        }
    }
    async fn at_end(&mut self) -> bool {
        if self.ahead.is_none() {
            self.ahead = self.fetch().await;
        }
        self.ahead.is_none()
    }
}

struct Machine<'a, O: Os> {
    t: &'a Tool<O>,
    commands: Vec<Command>,
    quiet: bool,
    number: u64,
    space: Vec<u8>,
    hold: Vec<u8>,
    /// Whether the line ended with a newline; only the last can lack it.
    ended: bool,
    after: Vec<u8>,
    last: Option<Rc<Pattern>>,
    writes: BTreeMap<String, Fd>,
    needs_end: bool,
    /// Whether an `s` replaced something since the line was read or a `t` asked.
    replaced: bool,
}

pub async fn sed<O: Os>(t: &Tool<O>) -> Ending {
    let long = [
        ("expression", 'e'),
        ("file", 'f'),
        ("quiet", 'n'),
        ("silent", 'n'),
        ("regexp-extended", 'E'),
        ("in-place", 'i'),
    ];
    let mut o = t.options("nrEi::e:f:sz", &long)?;
    let mut script = o.values('e').join("\n");
    let files: Vec<String> = o.values('f').into_iter().map(str::to_string).collect();
    for path in &files {
        let bytes = t.read_file(path).await.map_err(|e| t.die(format_args!("{path}: {e}")))?;
        script += "\n";
        script += &String::from_utf8_lossy(&bytes);
    }
    if !o.has('e') && files.is_empty() {
        if o.rest.is_empty() {
            return Err(t.usage());
        }
        script = o.rest.remove(0);
    }
    let quiet = o.has('n') || script.starts_with("#n\n");
    let syntax = if o.has('E') || o.has('r') { Syntax::Extended } else { Syntax::Basic };
    let text: Vec<char> = script.chars().collect();
    let parse = || Parser { text: &text, at: 0, syntax }.script().map_err(|e| t.die(e));
    if !o.has('i') {
        return Machine::new(t, parse()?, quiet).run(inputs(&o.rest)).await;
    }
    let mut status = 0;
    for path in &o.rest {
        let stat = match t.os.stat(path) {
            Ok(stat) => stat,
            Err(e) => {
                status = t.die(format_args!("{path}: {e}"));
                continue;
            }
        };
        status |= in_place(t, path, stat.mode, o.value('i'), Machine::new(t, parse()?, quiet)).await?;
    }
    Ok(status)
}

/// Runs with standard output in a new file, which then takes the place of the old one.
async fn in_place<O: Os>(t: &Tool<O>, path: &str, mode: u32, suffix: Option<&str>, machine: Machine<'_, O>) -> Ending {
    t.flush().await;
    let fresh = format!("{path}.{}", t.os.random(3).iter().map(|b| format!("{b:02x}")).collect::<String>());
    let failed = |e| t.die(format_args!("can't create temp file '{fresh}': {e}"));
    let fd = t.os.open(&fresh, OpenFlags { exclusive: true, ..OpenFlags::CREATE }, 0o600).await.map_err(failed)?;
    let kept = t.os.dup(1, 10).map_err(failed)?;
    t.os.dup2(fd, 1).map_err(failed)?;
    let ending = machine.run(vec![path.to_string()]).await;
    t.flush().await;
    let _ = t.os.dup2(kept, 1);
    t.close(kept);
    t.close(fd);
    let _ = t.os.chmod(&fresh, mode);
    if let Some(suffix) = suffix {
        let _ = t.os.rename(path, &format!("{path}{suffix}"));
    }
    t.os.rename(&fresh, path).map_err(|e| t.die(format_args!("can't rename '{fresh}': {e}")))?;
    ending
}

/// What happens behind a command.
enum Next {
    Go(usize),
    /// The line is done: printed unless silent.
    End,
    /// The line is gone.
    Delete,
    /// Again from the first command, without reading.
    Restart,
    Quit(i32, bool),
}

impl<O: Os> Machine<'_, O> {
    fn new<'a>(t: &'a Tool<O>, commands: Vec<Command>, quiet: bool) -> Machine<'a, O> {
        let is_last = |a: &Option<Address>| matches!(a, Some(Address::Last));
        let needs = |c: &Command| is_last(&c.from) || is_last(&c.to) || matches!(c.verb, Verb::Plain('n' | 'N'));
        let needs_end = commands.iter().any(needs);
        Machine {
            t,
            commands,
            quiet,
            number: 0,
            space: Vec::new(),
            hold: Vec::new(),
            ended: true,
            after: Vec::new(),
            last: None,
            writes: BTreeMap::new(),
            needs_end,
            replaced: false,
        }
    }

    async fn run(mut self, files: Vec<String>) -> Ending {
        let mut input = Input { t: self.t, files: files.into(), lines: None, ahead: None, failed: false };
        let mut status = None;
        let mut again = false;
        'lines: while status.is_none() {
            if !std::mem::take(&mut again) {
                let Some((line, ended)) = input.next().await else { break };
                (self.space, self.ended) = (line, ended);
                self.number += 1;
                self.replaced = false;
            }
            let (mut at, mut steps) = (0, 0u32);
            loop {
                steps += 1;
                if steps.is_multiple_of(64) {
                    self.t.turn(4).await;
                }
                if at >= self.commands.len() {
                    self.finish_line().await;
                    break;
                }
                match self.step(at, &mut input).await {
                    Next::Go(next) => at = next,
                    Next::End => {
                        self.finish_line().await;
                        break;
                    }
                    Next::Delete => {
                        self.put_after();
                        break;
                    }
                    Next::Restart => {
                        self.put_after();
                        again = true;
                        continue 'lines;
                    }
                    Next::Quit(code, print) => {
                        if print {
                            self.finish_line().await;
                        }
                        status = Some(code);
                        break;
                    }
                }
            }
            self.t.turn(1).await;
        }
        for fd in self.writes.into_values() {
            self.t.close(fd);
        }
        Ok(status.unwrap_or(i32::from(input.failed)))
    }

    fn put(&self, text: &[u8]) {
        self.t.print(text);
        self.t.print(if self.ended { "\n" } else { "" });
    }
    fn put_after(&mut self) {
        if !self.after.is_empty() {
            if !self.ended {
                self.t.print("\n");
            }
            self.t.print(std::mem::take(&mut self.after));
        }
    }
    async fn finish_line(&mut self) {
        if !self.quiet {
            self.put(&self.space);
        }
        self.put_after();
    }

    fn found(&mut self, pattern: &Option<Rc<Pattern>>) -> bool {
        if let Some(pattern) = pattern {
            self.last = Some(pattern.clone());
        }
        self.last.as_ref().is_some_and(|p| p.is_match(&self.space))
    }
    fn holds(&mut self, address: &Address, at_end: bool) -> bool {
        match address {
            Address::Line(n) => self.number == *n,
            Address::Last => at_end,
            Address::Match(pattern) => self.found(pattern),
            Address::Step(first, 0) => self.number == *first,
            Address::Step(first, step) => self.number >= *first && (self.number - first).is_multiple_of(*step),
            Address::Plus(_) => false,
        }
    }

    fn selected(&mut self, at: usize, at_end: bool) -> bool {
        let (from, to, active) =
            (self.commands[at].from.clone(), self.commands[at].to.clone(), self.commands[at].active);
        let holds = match (from, to) {
            (None, _) => true,
            (Some(from), None) => self.holds(&from, at_end),
            (Some(from), Some(to)) => {
                if let Some(end) = active {
                    let done = match (end, &to) {
                        (Some(line), _) => self.number >= line,
                        (None, to) => self.holds(to, at_end),
                    };
                    if done {
                        self.commands[at].active = None;
                    }
                    // A range whose end has passed takes no line more.
                    end.is_none_or(|line| self.number <= line) || self.holds(&from, at_end)
                } else if matches!(from, Address::Line(0)) && self.number == 1 {
                    if !self.holds(&to, at_end) {
                        self.commands[at].active = Some(None);
                    }
                    true
                } else if self.holds(&from, at_end) {
                    self.commands[at].active = match to {
                        Address::Line(n) if n <= self.number => None,
                        Address::Line(n) => Some(Some(n)),
                        Address::Plus(0) => None,
                        Address::Plus(n) => Some(Some(self.number + n)),
                        Address::Last if at_end => None,
                        _ => Some(None),
                    };
                    true
                } else {
                    false
                }
            }
        };
        holds != self.commands[at].negated
    }

    async fn step(&mut self, at: usize, input: &mut Input<'_, O>) -> Next {
        let at_end = self.needs_end && input.at_end().await;
        let selected = self.selected(at, at_end);
        let verb = std::mem::replace(&mut self.commands[at].verb, Verb::Close);
        let next = match (&verb, selected) {
            (Verb::Open(close), false) => Next::Go(close + 1),
            (_, false) => Next::Go(at + 1),
            (verb, true) => self.act(at, verb, at_end, input).await,
        };
        self.commands[at].verb = verb;
        next
    }

    fn jump(&self, label: &str) -> Next {
        if label.is_empty() {
            return Next::End;
        }
        let place = self.commands.iter().position(|c| matches!(&c.verb, Verb::Label(l) if l == label));
        place.map_or(Next::End, |p| Next::Go(p + 1))
    }

    async fn act(&mut self, at: usize, verb: &Verb, at_end: bool, input: &mut Input<'_, O>) -> Next {
        match verb {
            Verb::Open(_) | Verb::Close | Verb::Label(_) => {}
            Verb::Branch(label) => return self.jump(label),
            Verb::BranchIf(label) => {
                if std::mem::take(&mut self.replaced) {
                    return self.jump(label);
                }
            }
            Verb::BranchUnless(label) => {
                if !std::mem::take(&mut self.replaced) {
                    return self.jump(label);
                }
            }
            Verb::Append(text) => self.after.extend_from_slice(text),
            Verb::Insert(text) => self.t.print(text),
            Verb::Change(text) => {
                let ranged = self.commands[at].to.is_some() && self.commands[at].active.is_some();
                if !ranged || self.commands[at].negated {
                    self.t.print(text);
                }
                return Next::Delete;
            }
            Verb::Substitute(s) => self.substitute(s).await,
            Verb::Translate(map) => {
                let text = String::from_utf8_lossy(&self.space);
                let one = |c: char| map.iter().find(|(from, _)| *from == c).map_or(c, |(_, to)| *to);
                self.space = text.chars().map(one).collect::<String>().into_bytes();
            }
            Verb::Read(path) => {
                let bytes = self.t.read_file(path).await.unwrap_or_default();
                self.after.extend_from_slice(&bytes);
            }
            Verb::Write(path) => self.write(path).await,
            Verb::Quit(code) => return Next::Quit(*code, true),
            Verb::QuitSilently(code) => return Next::Quit(*code, false),
            Verb::Plain(letter) => return self.plain(at, *letter, at_end, input).await,
        }
        Next::Go(at + 1)
    }

    async fn plain(&mut self, at: usize, letter: char, at_end: bool, input: &mut Input<'_, O>) -> Next {
        match letter {
            'd' => return Next::Delete,
            'D' => match self.space.iter().position(|b| *b == b'\n') {
                Some(end) => {
                    self.space.drain(..=end);
                    return Next::Restart;
                }
                None => return Next::Delete,
            },
            'p' => self.put(&self.space),
            'P' => {
                let end = self.space.iter().position(|b| *b == b'\n').unwrap_or(self.space.len());
                self.t.line(&self.space[..end]);
            }
            'n' | 'N' if at_end => return Next::Quit(0, true),
            'n' => {
                self.finish_line().await;
                if let Some((line, ended)) = input.next().await {
                    (self.space, self.ended) = (line, ended);
                    self.number += 1;
                }
            }
            'N' => {
                if let Some((line, ended)) = input.next().await {
                    self.space.push(b'\n');
                    self.space.extend_from_slice(&line);
                    self.ended = ended;
                    self.number += 1;
                    self.put_after();
                }
            }
            'h' => self.hold = self.space.clone(),
            'H' => {
                self.hold.push(b'\n');
                self.hold.extend_from_slice(&self.space);
            }
            'g' => self.space = self.hold.clone(),
            'G' => {
                self.space.push(b'\n');
                self.space.extend_from_slice(&self.hold);
            }
            'x' => std::mem::swap(&mut self.space, &mut self.hold),
            '=' => self.t.line(self.number.to_string()),
            _ => {
                let mut shown = String::new();
                for b in &self.space {
                    match b {
                        b'\\' => shown.push_str("\\\\"),
                        b'\t' => shown.push_str("\\t"),
                        b'\n' => shown.push_str("\\n"),
                        32..127 => shown.push(*b as char),
                        b => shown.push_str(&format!("\\{b:03o}")),
                    }
                }
                self.t.line(shown + "$");
            }
        }
        Next::Go(at + 1)
    }

    async fn substitute(&mut self, s: &Substitution) {
        if let Some(pattern) = &s.pattern {
            self.last = Some(pattern.clone());
        }
        let Some(pattern) = self.last.clone() else { return };
        let (mut out, mut at, mut copied, mut seen, mut done) = (Vec::new(), 0, 0, 0, false);
        while let Some(found) = pattern.find(&self.space, at) {
            let Some(whole) = found[0].clone() else { break };
            // An empty match right behind a match is none.
            if !(whole.is_empty() && whole.start == copied && seen > 0) {
                seen += 1;
                if seen == s.number || (seen > s.number && s.global) {
                    out.extend_from_slice(&self.space[copied..whole.start]);
                    replace(&s.replacement, &self.space, &found, &mut out);
                    copied = whole.end;
                    done = true;
                    if !s.global {
                        break;
                    }
                } else {
                    out.extend_from_slice(&self.space[copied..whole.end]);
                    copied = whole.end;
                }
            }
            at = if whole.is_empty() { whole.end + 1 } else { whole.end };
            if at > self.space.len() {
                break;
            }
        }
        if !done {
            return;
        }
        out.extend_from_slice(&self.space[copied..]);
        self.space = out;
        self.replaced = true;
        if s.print {
            self.put(&self.space);
        }
        if let Some(path) = &s.write {
            self.write(path).await;
        }
    }

    async fn write(&mut self, path: &str) {
        let mut line = self.space.clone();
        line.push(b'\n');
        match path {
            "/dev/stdout" => return self.t.print(line),
            "/dev/stderr" => return self.t.complain(String::from_utf8_lossy(&line)),
            _ => {}
        }
        if !self.writes.contains_key(path) {
            match self.t.os.open(path, OpenFlags::CREATE, 0o666).await {
                Ok(fd) => {
                    self.writes.insert(path.to_string(), fd);
                }
                Err(e) => return self.t.warn(format_args!("{path}: {e}")),
            }
        }
        if let Some(fd) = self.writes.get(path) {
            let _ = self.t.write_all(*fd, &line).await;
        }
    }
}
