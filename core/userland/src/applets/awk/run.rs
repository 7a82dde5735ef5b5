//! Runs an `awk` program.

use super::parse::{BUILT_IN, Expr, Function, Pattern as Rule, Program, Source, Stmt};
use super::value::{Value, show};
use crate::applets::pattern::{Pattern, Syntax};
use crate::applets::printf::Spec;
use crate::applets::tool::Lines;
use crate::applets::{Ending, Tool};
use crate::os::{Cost, Fd, OpenFlags, Os, Pid};
use crate::sorted::Map as BTreeMap;
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

type Array = Rc<RefCell<BTreeMap<String, Value>>>;
type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, i32>> + 'a>>;

/// Calls that nest deeper than this end the program.
const DEEPEST: usize = 200;
/// No field is numbered higher.
const MOST_FIELDS: usize = 1 << 16;

#[derive(Clone, Debug)]
enum Cell {
    Scalar(Value),
    Array(Array),
}

enum Flow {
    Go,
    Next,
    NextFile,
    Exit,
    Return(Value),
    Break,
    Continue,
}

pub struct Machine<'a, O: Os> {
    t: &'a Tool<O>,
    program: &'a Program,
    globals: BTreeMap<String, Cell>,
    frames: Vec<BTreeMap<String, Cell>>,
    record: String,
    fields: Vec<Value>,
    files: Vec<String>,
    used_file: bool,
    main: Option<(Lines<'a, O>, Fd)>,
    inputs: BTreeMap<String, (Lines<'a, O>, Fd, Option<Pid>)>,
    outputs: BTreeMap<String, (Fd, Option<Pid>)>,
    patterns: BTreeMap<String, Rc<Pattern>>,
    ranges: Vec<bool>,
    seed: u64,
    code: i32,
}

impl<'a, O: Os> Machine<'a, O> {
    pub fn new(t: &'a Tool<O>, program: &'a Program, operands: &[String]) -> Machine<'a, O> {
        let mut machine = Machine {
            t,
            program,
            globals: BTreeMap::new(),
            frames: Vec::new(),
            record: String::new(),
            fields: Vec::new(),
            files: operands.iter().rev().cloned().collect(),
            used_file: false,
            main: None,
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            patterns: BTreeMap::new(),
            ranges: vec![false; program.ranges],
            seed: 1,
            code: 0,
        };
        let defaults = [
            ("FS", " "),
            ("OFS", " "),
            ("ORS", "\n"),
            ("RS", "\n"),
            ("SUBSEP", "\x1c"),
            ("CONVFMT", "%.6g"),
            ("OFMT", "%.6g"),
            ("FILENAME", ""),
        ];
        for (name, value) in defaults {
            machine.set(name, Value::Text(value.to_string()));
        }
        for name in ["NR", "FNR", "NF", "RSTART"] {
            machine.set(name, Value::Number(0.0));
        }
        machine.set("RLENGTH", Value::Number(-1.0));
        machine.set("ARGC", Value::Number(operands.len() as f64 + 1.0));
        let words = std::iter::once("awk".to_string()).chain(operands.iter().cloned()).enumerate();
        let words = words.map(|(i, w)| (i.to_string(), Value::Input(w))).collect();
        machine.globals.insert("ARGV".to_string(), Cell::Array(Rc::new(RefCell::new(words))));
        let environ = t.env.iter().map(|(n, v)| (n.clone(), Value::Input(v.clone()))).collect();
        machine.globals.insert("ENVIRON".to_string(), Cell::Array(Rc::new(RefCell::new(environ))));
        machine
    }

    /// From the command line: escapes are replaced, and it may be a number.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        let mut text = Vec::new();
        crate::applets::printf::unescape(value.as_bytes(), false, &mut text);
        self.set(name, Value::Input(String::from_utf8_lossy(&text).into_owned()));
    }

    pub async fn run(&mut self) -> Ending {
        let program = self.program;
        let outcome = self.whole(program).await;
        self.t.flush().await;
        for (_, (fd, pid)) in std::mem::take(&mut self.outputs) {
            self.t.close(fd);
            if let Some(pid) = pid {
                let _ = self.t.wait_for(pid).await;
            }
        }
        outcome.map(|()| self.code)
    }

    async fn whole(&mut self, program: &'a Program) -> Result<(), i32> {
        let mut exited = false;
        for block in &program.begin {
            exited |= matches!(self.exec(block).await?, Flow::Exit);
            if exited {
                break;
            }
        }
        let reads = !program.rules.is_empty() || !program.end.is_empty();
        if reads && !exited {
            self.records(program).await?;
        }
        // An `exit` outside of END runs END all the same.
        for block in &program.end {
            if matches!(self.exec(block).await?, Flow::Exit) {
                break;
            }
        }
        Ok(())
    }

    async fn records(&mut self, program: &'a Program) -> Result<(), i32> {
        while let Some(record) = self.next_main().await? {
            self.set_record(record);
            for (rule, body) in &program.rules {
                let chosen = match rule {
                    Rule::Always => true,
                    Rule::When(e) => self.eval(e).await?.truth(),
                    Rule::Range(from, to, n) => {
                        let inside = self.ranges[*n] || self.eval(from).await?.truth();
                        self.ranges[*n] = inside && !self.eval(to).await?.truth();
                        inside
                    }
                };
                if !chosen {
                    continue;
                }
                let flow = match body {
                    Some(body) => self.exec(body).await?,
                    None => {
                        let end = self.text_of("ORS");
                        self.t.print(self.record.clone() + &end);
                        Flow::Go
                    }
                };
                match flow {
                    Flow::Next => break,
                    Flow::NextFile => {
                        self.main = None;
                        break;
                    }
                    Flow::Exit => return Ok(()),
                    _ => {}
                }
            }
            self.t.turn(2).await;
        }
        Ok(())
    }

    // Input.

    async fn next_main(&mut self) -> Result<Option<String>, i32> {
        loop {
            if let Some((mut lines, fd)) = self.main.take() {
                let record = self.read_record(&mut lines).await;
                if let Some(record) = record {
                    self.main = Some((lines, fd));
                    for name in ["NR", "FNR"] {
                        let n = self.get(name).number() + 1.0;
                        self.set(name, Value::Number(n));
                    }
                    return Ok(Some(record));
                }
                self.t.close(fd);
            }
            let path = match self.files.pop() {
                Some(operand) => match operand.split_once('=') {
                    Some((name, value)) if is_name(name) => {
                        self.set_variable(name, value);
                        continue;
                    }
                    _ => operand,
                },
                None if !self.used_file => "-".to_string(),
                None => return Ok(None),
            };
            self.used_file = true;
            match self.t.open(&path).await {
                Ok(fd) => {
                    self.main = Some((self.t.lines(fd), fd));
                    self.set("FILENAME", Value::Text(if path == "-" { String::new() } else { path }));
                    self.set("FNR", Value::Number(0.0));
                }
                Err(e) => self.code = self.t.die(format_args!("{path}: {e}")),
            }
        }
    }

    async fn read_record(&mut self, lines: &mut Lines<'a, O>) -> Option<String> {
        let separator = self.text_of("RS");
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
        };
        let Some(first) = separator.bytes().next() else {
            // Paragraphs: records end at empty lines.
            let mut gathered: Vec<u8> = Vec::new();
            loop {
                match lines.next().await {
                    Ok(Some(line)) if line.is_empty() && gathered.is_empty() => {}
                    Ok(Some(line)) if !line.is_empty() => {
                        if !gathered.is_empty() {
                            gathered.push(b'\n');
                        }
                        gathered.extend(line);
                    }
                    Ok(None) | Err(_) if gathered.is_empty() => return None,
                    _ => return Some(text(gathered)),
                }
            }
        };
        let mut record = lines.until(first).await.ok().flatten().map(|(r, _)| r)?;
        if first != b'\n' && record.ends_with(b"\n") && record.len() == 1 {
            record.pop();
            return None;
        }
        Some(text(record))
    }

    fn set_record(&mut self, record: String) {
        let separator = self.text_of("FS");
        let paragraphs = self.text_of("RS").is_empty();
        self.fields = self.split(&record, &separator, paragraphs).into_iter().map(Value::Input).collect();
        self.record = record;
        self.set_global("NF", Value::Number(self.fields.len() as f64));
    }
    fn rebuild(&mut self) {
        let (format, between) = (self.text_of("CONVFMT"), self.text_of("OFS"));
        self.record = self.fields.iter().map(|f| f.text(&format)).collect::<Vec<_>>().join(&between);
        self.set_global("NF", Value::Number(self.fields.len() as f64));
    }

    fn split(&mut self, text: &str, separator: &str, newlines: bool) -> Vec<String> {
        let own = |s: &str| s.to_string();
        match separator {
            _ if text.is_empty() => Vec::new(),
            " " => text.split([' ', '\t', '\n']).filter(|s| !s.is_empty()).map(own).collect(),
            "" => text.chars().map(String::from).collect(),
            s if s.chars().count() == 1 && s != "\\" => {
                let c = s.chars().next();
                text.split(|x| Some(x) == c || (newlines && x == '\n')).map(own).collect()
            }
            s => match self.pattern(s) {
                Ok(pattern) => {
                    let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
                    while let Some(whole) = pattern.find(text.as_bytes(), at).and_then(|f| f[0].clone()) {
                        if whole.is_empty() {
                            at = whole.end + 1;
                            continue;
                        }
                        parts.push(own(&text[from..whole.start]));
                        (from, at) = (whole.end, whole.end);
                    }
                    parts.push(own(&text[from..]));
                    parts
                }
                Err(_) => vec![own(text)],
            },
        }
    }

    fn pattern(&mut self, text: &str) -> Result<Rc<Pattern>, i32> {
        if let Some(known) = self.patterns.get(text) {
            return Ok(known.clone());
        }
        let made = Pattern::new(text, Syntax::Extended, false);
        let made = Rc::new(made.map_err(|e| self.t.die(format_args!("bad regex '{text}': {e}")))?);
        if self.patterns.len() > 200 {
            self.patterns.clear();
        }
        self.patterns.insert(text.to_string(), made.clone());
        Ok(made)
    }

    // Variables.

    fn cell(&self, name: &str) -> Option<&Cell> {
        self.frames.last().and_then(|f| f.get(name)).or_else(|| self.globals.get(name))
    }
    fn get(&self, name: &str) -> Value {
        match self.cell(name) {
            Some(Cell::Scalar(value)) => value.clone(),
            _ => Value::Unset,
        }
    }
    fn text_of(&self, name: &str) -> String {
        self.get(name).text("%.6g")
    }
    fn show(&self, value: &Value) -> String {
        match value {
            Value::Number(n) => show(*n, &self.text_of("CONVFMT")),
            value => value.text("%.6g"),
        }
    }
    fn set_global(&mut self, name: &str, value: Value) {
        self.globals.insert(name.to_string(), Cell::Scalar(value));
    }
    fn set(&mut self, name: &str, value: Value) {
        if let Some(slot) = self.frames.last_mut().and_then(|f| f.get_mut(name)) {
            *slot = Cell::Scalar(value);
            return;
        }
        if name == "NF" && self.globals.contains_key("NF") && value.number() as usize != self.fields.len() {
            self.fields.resize((value.number().max(0.0) as usize).min(MOST_FIELDS), Value::Unset);
            self.rebuild();
            return;
        }
        self.set_global(name, value);
    }
    fn array(&mut self, name: &str) -> Array {
        let place = match self.frames.last_mut() {
            Some(frame) if frame.contains_key(name) => frame,
            _ => &mut self.globals,
        };
        if let Some(Cell::Array(array)) = place.get(name) {
            return array.clone();
        }
        let fresh = Array::default();
        place.insert(name.to_string(), Cell::Array(fresh.clone()));
        fresh
    }
    fn field(&self, n: f64) -> Value {
        match n as i64 {
            0 => Value::Input(self.record.clone()),
            n => usize::try_from(n - 1).ok().and_then(|n| self.fields.get(n)).cloned().unwrap_or(Value::Unset),
        }
    }

    async fn index(&mut self, parts: &'a [Expr]) -> Result<String, i32> {
        let mut key = String::new();
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                key += &self.text_of("SUBSEP");
            }
            let value = self.eval(part).await?;
            key += &self.show(&value);
        }
        Ok(key)
    }

    async fn assign(&mut self, place: &'a Expr, value: Value) -> Result<(), i32> {
        match place {
            Expr::Variable(name) => self.set(name, value),
            Expr::Element(name, index) => {
                let key = self.index(index).await?;
                self.t.os.charge(Cost { cpu: 1, memory: 0 }).await;
                self.array(name).borrow_mut().insert(key, value);
            }
            Expr::Field(inner) => {
                let n = self.eval(inner).await?.number();
                if n < 0.0 || n as usize > MOST_FIELDS {
                    return Err(self.t.die("Access to negative field"));
                }
                match n as usize {
                    0 => {
                        let text = self.show(&value);
                        self.set_record(text);
                    }
                    n => {
                        if self.fields.len() < n {
                            self.fields.resize(n, Value::Unset);
                        }
                        self.fields[n - 1] = value;
                        self.rebuild();
                    }
                }
            }
            _ => return Err(self.t.die("assignment to what is no place")),
        }
        Ok(())
    }

    // Statements.

    fn exec<'b>(&'b mut self, stmt: &'a Stmt) -> Later<'b, Flow>
    where
        'a: 'b,
    {
        Box::pin(async move {
            self.t.os.charge(Cost { cpu: 1, memory: 0 }).await;
            match stmt {
                Stmt::Expr(e) => drop(self.eval(e).await?),
                Stmt::Block(all) => {
                    for one in all {
                        match self.exec(one).await? {
                            Flow::Go => {}
                            other => return Ok(other),
                        }
                    }
                }
                Stmt::If(condition, yes, no) => {
                    if self.eval(condition).await?.truth() {
                        return self.exec(yes).await;
                    } else if let Some(no) = no {
                        return self.exec(no).await;
                    }
                }
                Stmt::While(condition, body) => return self.repeat(Some(condition), None, body, true).await,
                Stmt::Do(body, condition) => return self.repeat(Some(condition), None, body, false).await,
                Stmt::For(first, condition, step, body) => {
                    if let Some(first) = first {
                        self.exec(first).await?;
                    }
                    return self.repeat(condition.as_ref(), step.as_deref(), body, true).await;
                }
                Stmt::ForIn(name, array, body) => {
                    let keys: Vec<String> = self.array(array).borrow().keys().cloned().collect();
                    for key in keys {
                        self.set(name, Value::Input(key));
                        match self.exec(body).await? {
                            Flow::Go | Flow::Continue => {}
                            Flow::Break => break,
                            other => return Ok(other),
                        }
                    }
                }
                Stmt::Print(args, target) => {
                    let (between, end, format) = (self.text_of("OFS"), self.text_of("ORS"), self.text_of("OFMT"));
                    let mut line = if args.is_empty() { self.record.clone() } else { String::new() };
                    for (at, arg) in args.iter().enumerate() {
                        line += if at > 0 { &between } else { "" };
                        line += &self.eval(arg).await?.text(&format);
                    }
                    self.output(line + &end, target).await?;
                }
                Stmt::Printf(args, target) => {
                    let mut values = Vec::new();
                    for arg in args {
                        values.push(self.eval(arg).await?);
                    }
                    let text = self.format(&values);
                    self.output(text, target).await?;
                }
                Stmt::Delete(name, None) => self.array(name).borrow_mut().clear(),
                Stmt::Delete(name, Some(index)) => {
                    let key = self.index(index).await?;
                    self.array(name).borrow_mut().remove(&key);
                }
                Stmt::Next => return Ok(Flow::Next),
                Stmt::NextFile => return Ok(Flow::NextFile),
                Stmt::Break => return Ok(Flow::Break),
                Stmt::Continue => return Ok(Flow::Continue),
                Stmt::Exit(value) => {
                    if let Some(value) = value {
                        self.code = self.eval(value).await?.number() as i32;
                    }
                    return Ok(Flow::Exit);
                }
                Stmt::Return(value) => {
                    return Ok(Flow::Return(match value {
                        Some(value) => self.eval(value).await?,
                        None => Value::Unset,
                    }));
                }
            }
            Ok(Flow::Go)
        })
    }

    async fn repeat(
        &mut self,
        condition: Option<&'a Expr>,
        step: Option<&'a Stmt>,
        body: &'a Stmt,
        ask_first: bool,
    ) -> Result<Flow, i32> {
        let mut ask = ask_first;
        loop {
            if let (true, Some(condition)) = (ask, condition)
                && !self.eval(condition).await?.truth()
            {
                return Ok(Flow::Go);
            }
            ask = true;
            match self.exec(body).await? {
                Flow::Go | Flow::Continue => {}
                Flow::Break => return Ok(Flow::Go),
                other => return Ok(other),
            }
            if let Some(step) = step {
                self.exec(step).await?;
            }
            self.t.turn(1).await;
        }
    }

    async fn output(&mut self, text: String, target: &'a Option<(&'static str, Expr)>) -> Result<(), i32> {
        let Some((how, to)) = target else {
            self.t.print(text);
            return Ok(());
        };
        let to = self.eval(to).await?;
        let name = self.show(&to);
        match name.as_str() {
            "/dev/stdout" | "-" if *how != "|" => {
                self.t.print(text);
                return Ok(());
            }
            "/dev/stderr" if *how != "|" => {
                self.t.complain(text);
                return Ok(());
            }
            _ => {}
        }
        if !self.outputs.contains_key(&name) {
            let opened = match *how {
                "|" => self.start(&name, true).await,
                how => {
                    let flags = if how == ">" { OpenFlags::CREATE } else { OpenFlags::APPEND };
                    self.t.os.open(&name, flags, 0o666).await.map(|fd| (fd, None))
                }
            };
            let opened = opened.map_err(|e| self.t.die(format_args!("can't redirect to '{name}': {e}")))?;
            self.outputs.insert(name.clone(), opened);
        }
        let fd = self.outputs[&name].0;
        let _ = self.t.write_all(fd, text.as_bytes()).await;
        Ok(())
    }

    /// Starts a command of the shell, with a pipe to its input or from its output.
    async fn start(&mut self, command: &str, writes: bool) -> Result<(Fd, Option<Pid>), crate::Errno> {
        self.t.flush().await;
        let (read, write) = self.t.os.pipe()?;
        let (mine, its, number) = if writes { (write, read, 0) } else { (read, write, 1) };
        let _ = self.t.os.set_close_on_exec(mine, true);
        let argv = vec!["sh".to_string(), "-c".to_string(), command.to_string()];
        let (env, path) = (self.t.env.clone(), self.t.look_up("sh").unwrap_or_else(|_| "/bin/sh".to_string()));
        let pid = self.t.os.fork(move |os| {
            Box::pin(async move {
                let _ = os.dup2(its, number);
                let _ = os.close(mine);
                if its != number {
                    let _ = os.close(its);
                }
                os.exec(&path, &argv, &env).await;
                127
            })
        });
        let _ = self.t.os.close(its);
        Ok((mine, Some(pid?)))
    }

    // Expressions.

    async fn eval(&mut self, e: &'a Expr) -> Result<Value, i32> {
        // What needs no waiting goes without a future of its own.
        match e {
            Expr::Number(n) => Ok(Value::Number(*n)),
            Expr::Text(s) => Ok(Value::Text(s.clone())),
            Expr::Variable(name) => Ok(self.get(name)),
            Expr::Field(inner) if matches!(**inner, Expr::Number(_)) => {
                let Expr::Number(n) = **inner else { return Ok(Value::Unset) };
                Ok(self.field(n))
            }
            other => self.deep(other).await,
        }
    }

    fn deep<'b>(&'b mut self, e: &'a Expr) -> Later<'b, Value>
    where
        'a: 'b,
    {
        Box::pin(async move {
            let truth = |holds: bool| Ok(Value::Number(f64::from(u8::from(holds))));
            match e {
                Expr::Number(_) | Expr::Text(_) | Expr::Variable(_) => self.eval(e).await,
                Expr::Regex(text) => {
                    let pattern = self.pattern(text)?;
                    truth(pattern.is_match(self.record.as_bytes()))
                }
                Expr::Element(name, index) => {
                    let key = self.index(index).await?;
                    let array = self.array(name);
                    let value = array.borrow_mut().entry(key).or_insert(Value::Unset).clone();
                    Ok(value)
                }
                Expr::Field(inner) => {
                    let n = self.eval(inner).await?.number();
                    Ok(self.field(n))
                }
                Expr::Group(all) => match all.first() {
                    Some(first) => self.eval(first).await,
                    None => Ok(Value::Unset),
                },
                Expr::Conditional(condition, yes, no) => match self.eval(condition).await?.truth() {
                    true => self.eval(yes).await,
                    false => self.eval(no).await,
                },
                Expr::Assign(op, place, value) => {
                    let mut value = self.eval(value).await?;
                    if *op != "=" {
                        let old = self.eval(place).await?.number();
                        value = Value::Number(self.arithmetic(&op[..1], old, value.number())?);
                    }
                    self.assign(place, value.clone()).await?;
                    Ok(value)
                }
                Expr::Step(by, old, place) => {
                    let before = self.eval(place).await?.number();
                    self.assign(place, Value::Number(before + by)).await?;
                    Ok(Value::Number(if *old { before } else { before + by }))
                }
                Expr::Unary('!', inner) => truth(!self.eval(inner).await?.truth()),
                Expr::Unary(op, inner) => {
                    let n = self.eval(inner).await?.number();
                    Ok(Value::Number(if *op == '-' { -n } else { n }))
                }
                Expr::Binary("&&", a, b) => truth(self.eval(a).await?.truth() && self.eval(b).await?.truth()),
                Expr::Binary("||", a, b) => truth(self.eval(a).await?.truth() || self.eval(b).await?.truth()),
                Expr::Binary(op, a, b) => {
                    let (a, b) = (self.eval(a).await?, self.eval(b).await?);
                    self.binary(op, &a, &b)
                }
                Expr::Match(holds, text, pattern) => {
                    let text = self.eval(text).await?;
                    let text = self.show(&text);
                    let pattern = self.pattern_of(pattern).await?;
                    truth(pattern.is_match(text.as_bytes()) == *holds)
                }
                Expr::In(index, name) => {
                    let key = self.index(index).await?;
                    truth(self.array(name).borrow().contains_key(&key))
                }
                Expr::Getline(place, source) => self.getline(place.as_deref(), source).await,
                Expr::Call(name, args) => match self.program.functions.get(name) {
                    Some(function) => self.call(function, args).await,
                    None if BUILT_IN.contains(&name.as_str()) => self.built_in(name, args).await,
                    None => Err(self.t.die(format_args!("cmd. line:1: Call to undefined function: {name}"))),
                },
            }
        })
    }

    fn arithmetic(&self, op: &str, a: f64, b: f64) -> Result<f64, i32> {
        Ok(match op {
            "+" => a + b,
            "-" => a - b,
            "*" => a * b,
            "^" => a.powf(b),
            _ if b == 0.0 => return Err((self.t.die("cmd. line:1: Division by zero"), 2).1),
            "/" => a / b,
            _ => a % b,
        })
    }

    fn binary(&mut self, op: &str, a: &Value, b: &Value) -> Result<Value, i32> {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let order = || match (a.as_number(), b.as_number()) {
            (Some(x), Some(y)) => x.partial_cmp(&y).unwrap_or(Less),
            _ => self.show(a).cmp(&self.show(b)),
        };
        let holds = match op {
            " " => return Ok(Value::Text(self.show(a) + &self.show(b))),
            "<" => order() == Less,
            "<=" => order() != Greater,
            "==" => order() == Equal,
            "!=" => order() != Equal,
            ">" => order() == Greater,
            ">=" => order() != Less,
            op => return Ok(Value::Number(self.arithmetic(op, a.number(), b.number())?)),
        };
        Ok(Value::Number(f64::from(u8::from(holds))))
    }

    async fn pattern_of(&mut self, e: &'a Expr) -> Result<Rc<Pattern>, i32> {
        let text = match e {
            Expr::Regex(text) => text.clone(),
            e => {
                let value = self.eval(e).await?;
                self.show(&value)
            }
        };
        self.pattern(&text)
    }

    async fn getline(&mut self, place: Option<&'a Expr>, source: &'a Source) -> Result<Value, i32> {
        let (name, command) = match source {
            Source::Main => {
                let Some(record) = self.next_main().await? else { return Ok(Value::Number(0.0)) };
                match place {
                    Some(place) => self.assign(place, Value::Input(record)).await?,
                    None => self.set_record(record),
                }
                return Ok(Value::Number(1.0));
            }
            Source::File(e) => (self.eval(e).await?, false),
            Source::Command(e) => (self.eval(e).await?, true),
        };
        let name = self.show(&name);
        if !self.inputs.contains_key(&name) {
            let opened = match command {
                true => self.start(&name, false).await,
                false => self.t.open(&name).await.map(|fd| (fd, None)),
            };
            let Ok((fd, pid)) = opened else { return Ok(Value::Number(-1.0)) };
            self.inputs.insert(name.clone(), (self.t.lines(fd), fd, pid));
        }
        let Some((mut lines, fd, pid)) = self.inputs.remove(&name) else { return Ok(Value::Number(-1.0)) };
        let record = self.read_record(&mut lines).await;
        self.inputs.insert(name, (lines, fd, pid));
        let Some(record) = record else { return Ok(Value::Number(0.0)) };
        if command {
            let n = self.get("NR").number() + 1.0;
            self.set("NR", Value::Number(n));
        }
        match place {
            Some(place) => self.assign(place, Value::Input(record)).await?,
            None => self.set_record(record),
        }
        Ok(Value::Number(1.0))
    }

    async fn call(&mut self, function: &'a Function, args: &'a [Expr]) -> Result<Value, i32> {
        if self.frames.len() >= DEEPEST {
            return Err(self.t.die("function calls are nested too deeply"));
        }
        let (mut frame, mut untyped) = (BTreeMap::new(), Vec::new());
        for (at, parameter) in function.parameters.iter().enumerate() {
            let cell = match args.get(at) {
                Some(Expr::Variable(name)) => match self.cell(name) {
                    Some(cell) => cell.clone(),
                    None => {
                        untyped.push((parameter, name));
                        Cell::Scalar(Value::Unset)
                    }
                },
                Some(e) => Cell::Scalar(self.eval(e).await?),
                None => Cell::Scalar(Value::Unset),
            };
            frame.insert(parameter.clone(), cell);
        }
        self.frames.push(frame);
        let flow = self.exec(&function.body).await;
        let frame = self.frames.pop().unwrap_or_default();
        // What the function made an array of was one all along.
        for (parameter, name) in untyped {
            if let Some(Cell::Array(array)) = frame.get(parameter) {
                self.globals.insert(name.clone(), Cell::Array(array.clone()));
            }
        }
        match flow? {
            Flow::Return(value) => Ok(value),
            Flow::Exit => {
                let code = self.code;
                Err(code)
            }
            _ => Ok(Value::Unset),
        }
    }

    async fn built_in(&mut self, name: &str, args: &'a [Expr]) -> Result<Value, i32> {
        let array_name = |e: Option<&'a Expr>| match e {
            Some(Expr::Variable(name)) => Some(name.as_str()),
            _ => None,
        };
        match name {
            "length" => {
                if let Some(Cell::Array(array)) = array_name(args.first()).and_then(|n| self.cell(n)) {
                    return Ok(Value::Number(array.borrow().len() as f64));
                }
                let text = match args.first() {
                    Some(e) => {
                        let value = self.eval(e).await?;
                        self.show(&value)
                    }
                    None => self.record.clone(),
                };
                return Ok(Value::Number(text.chars().count() as f64));
            }
            "split" => {
                let Some(first) = args.first() else { return Ok(Value::Unset) };
                let text = self.eval(first).await?;
                let text = self.show(&text);
                let separator = match args.get(2) {
                    Some(Expr::Regex(r)) if r == " " => "[ ]".to_string(),
                    Some(Expr::Regex(r)) => r.clone(),
                    Some(e) => {
                        let value = self.eval(e).await?;
                        self.show(&value)
                    }
                    None => self.text_of("FS"),
                };
                let parts = self.split(&text, &separator, false);
                let array = self.array(array_name(args.get(1)).unwrap_or(""));
                let count = parts.len();
                *array.borrow_mut() =
                    parts.into_iter().enumerate().map(|(i, p)| ((i + 1).to_string(), Value::Input(p))).collect();
                return Ok(Value::Number(count as f64));
            }
            "sub" | "gsub" => return self.substitute(args, name == "gsub").await,
            "match" => {
                let [text, pattern, ..] = args else { return Ok(Value::Unset) };
                let text = self.eval(text).await?;
                let text = self.show(&text);
                let pattern = self.pattern_of(pattern).await?;
                let found = pattern.find(text.as_bytes(), 0).and_then(|f| f[0].clone());
                let (start, length) = match found {
                    Some(r) => ((text[..r.start].chars().count() + 1) as f64, text[r].chars().count() as f64),
                    None => (0.0, -1.0),
                };
                self.set("RSTART", Value::Number(start));
                self.set("RLENGTH", Value::Number(length));
                return Ok(Value::Number(start));
            }
            _ => {}
        }
        let mut values = Vec::new();
        for arg in args {
            values.push(self.eval(arg).await?);
        }
        let number = |i: usize| values.get(i).map_or(0.0, Value::number);
        let text = |i: usize| values.get(i).map_or(String::new(), |v| self.show(v));
        Ok(match name {
            "substr" => {
                let chars: Vec<char> = text(0).chars().collect();
                // Both ends are rounded, then what lies outside is cut.
                let from = number(1).round();
                let to = if values.len() > 2 { from + number(2).round() } else { f64::INFINITY };
                let (from, to) = (from.max(1.0), to.min(chars.len() as f64 + 1.0));
                match to > from {
                    true => Value::Text(chars[from as usize - 1..to as usize - 1].iter().collect()),
                    false => Value::Text(String::new()),
                }
            }
            "index" => {
                let (whole, part) = (text(0), text(1));
                Value::Number(whole.find(&part).map_or(0.0, |at| (whole[..at].chars().count() + 1) as f64))
            }
            "sprintf" => Value::Text(self.format(&values)),
            "tolower" => Value::Text(text(0).to_lowercase()),
            "toupper" => Value::Text(text(0).to_uppercase()),
            "int" => Value::Number(number(0).trunc()),
            "sqrt" => Value::Number(number(0).sqrt()),
            "exp" => Value::Number(number(0).exp()),
            "log" => Value::Number(number(0).ln()),
            "sin" => Value::Number(number(0).sin()),
            "cos" => Value::Number(number(0).cos()),
            "atan2" => Value::Number(number(0).atan2(number(1))),
            "rand" => {
                self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                Value::Number((self.seed >> 11) as f64 / (1u64 << 53) as f64)
            }
            "srand" => {
                let old = self.seed;
                self.seed = if values.is_empty() { self.t.os.now().as_secs() } else { number(0) as i64 as u64 };
                Value::Number(old as f64)
            }
            "system" => {
                self.t.flush().await;
                let argv = vec!["sh".to_string(), "-c".to_string(), text(0)];
                Value::Number(f64::from(self.t.run(argv, false).await.unwrap_or(-1)))
            }
            "close" => {
                let name = text(0);
                Value::Number(f64::from(self.close(&name).await))
            }
            _ => {
                self.t.flush().await;
                Value::Number(0.0)
            }
        })
    }

    async fn close(&mut self, name: &str) -> i32 {
        let input = self.inputs.remove(name).map(|(_, fd, pid)| (fd, pid));
        let Some((fd, pid)) = self.outputs.remove(name).or(input) else { return -1 };
        self.t.close(fd);
        match pid {
            Some(pid) => self.t.wait_for(pid).await.map_or(-1, |s| s.code()),
            None => 0,
        }
    }

    async fn substitute(&mut self, args: &'a [Expr], all: bool) -> Result<Value, i32> {
        let (Some(pattern), Some(with)) = (args.first(), args.get(1)) else { return Ok(Value::Number(0.0)) };
        let pattern = self.pattern_of(pattern).await?;
        let with = self.eval(with).await?;
        let with = self.show(&with);
        let target = args.get(2);
        let text = match target {
            Some(e) => {
                let value = self.eval(e).await?;
                self.show(&value)
            }
            None => self.record.clone(),
        };
        let (mut out, mut at, mut copied, mut count) = (String::new(), 0, 0, 0);
        while let Some(whole) = pattern.find(text.as_bytes(), at).and_then(|f| f[0].clone()) {
            if !(whole.is_empty() && whole.start == copied && count > 0) {
                out += &text[copied..whole.start];
                replacement(&with, &text[whole.clone()], &mut out);
                copied = whole.end;
                count += 1;
            }
            at = if whole.is_empty() { whole.end + 1 } else { whole.end };
            if !all || at > text.len() {
                break;
            }
        }
        if count > 0 {
            out += &text[copied..];
            match target {
                Some(place) if matches!(place, Expr::Variable(_) | Expr::Element(..) | Expr::Field(_)) => {
                    self.assign(place, Value::Text(out)).await?;
                }
                Some(_) => {}
                None => self.set_record(out),
            }
        }
        Ok(Value::Number(f64::from(count)))
    }

    fn format(&self, values: &[Value]) -> String {
        let Some(format) = values.first() else { return String::new() };
        let format = self.show(format);
        let bytes = format.as_bytes();
        let (mut out, mut at, mut next) = (Vec::new(), 0, 1);
        while at < bytes.len() {
            if bytes[at] != b'%' {
                out.push(bytes[at]);
                at += 1;
                continue;
            }
            if bytes.get(at + 1) == Some(&b'%') {
                out.push(b'%');
                at += 2;
                continue;
            }
            let (spec, mut length) = Spec::parse(&bytes[at + 1..], || {
                next += 1;
                values.get(next - 1).map_or(0, |v| v.number() as i64)
            });
            while matches!(bytes.get(at + 1 + length), Some(b'l' | b'h')) {
                length += 1;
            }
            let Some(letter) = bytes.get(at + 1 + length).copied() else {
                out.extend_from_slice(&bytes[at..]);
                break;
            };
            let unset = Value::Unset;
            let value = values.get(next).unwrap_or(&unset);
            next += 1;
            match letter {
                b'd' | b'i' => out.extend(spec.integer(letter, value.number() as i128)),
                b'o' | b'x' | b'X' | b'u' => out.extend(spec.integer(letter, value.number() as i64 as i128)),
                b'e' | b'E' | b'f' | b'F' | b'g' | b'G' => out.extend(spec.float(letter, value.number())),
                b'c' => {
                    let c = match value {
                        Value::Number(n) => char::from_u32(*n as u32),
                        value => value.text("%.6g").chars().next(),
                    };
                    out.extend(spec.text(c.map(String::from).unwrap_or_default().as_bytes()));
                }
                b's' => out.extend(spec.text(self.show(value).as_bytes())),
                _ => out.extend_from_slice(&bytes[at..at + length + 2]),
            }
            at += length + 2;
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// `&` is what matched; `\&` is itself.
fn replacement(with: &str, matched: &str, out: &mut String) {
    let mut chars = with.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if matches!(chars.peek(), Some('&' | '\\')) => out.extend(chars.next()),
            '&' => out.push_str(matched),
            c => out.push(c),
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
