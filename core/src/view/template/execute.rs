//! Runs a template's tree.

use super::functions::Parameter;
use super::tree::{Call, Kind, Node, Operand, Pipe};
use super::value::{Shape, Val, Zero, member, wire_member};
use super::{Template, TemplateError, functions, print};
use cutaway_userland::sorted::Arrange;
use serde_json::Value;
use std::borrow::Cow;

/// Bounds on what one template may do, so that no format can hang the engine.
const STEPS: usize = 5_000_000;
const OUTPUT: usize = 64 << 20;
const DEPTH: usize = 200;

pub(super) fn execute(template: &Template, dot: &Value, shape: &Shape) -> Result<String> {
    let root = Val::Json(Cow::Borrowed(dot));
    let mut run = Run {
        template,
        shape,
        root: root.clone(),
        out: String::new(),
        steps: 0,
        depth: 0,
        variables: Vec::new(),
        name: "",
    };
    run.list(&template.nodes, &root)?;
    Ok(run.out)
}

struct Run<'a> {
    template: &'a Template,
    shape: &'a Shape,
    root: Val<'a>,
    out: String,
    steps: usize,
    depth: usize,
    variables: Vec<(String, Val<'a>)>,
    /// The template that runs: empty for the outermost.
    name: &'a str,
}

/// Where a function is called: errors of counting name the function, others the whole call.
struct Place<'s> {
    at: usize,
    name: &'s std::ops::Range<usize>,
    whole: &'s std::ops::Range<usize>,
}

/// How a list of nodes ended.
#[derive(PartialEq)]
enum Flow {
    Next,
    Break,
    Continue,
}

type Result<T> = std::result::Result<T, TemplateError>;

impl<'a> Run<'a> {
    /// Go's error at a place: `template: :1:2: executing "" at <.Nope>: …`.
    fn fail<T>(&self, at: usize, span: &std::ops::Range<usize>, what: &str) -> Result<T> {
        let source = &self.template.source;
        let (line, column) = self.place(at);
        let (name, quoted) = (self.name, &source[span.clone()]);
        Err(TemplateError(format!("template: :{line}:{column}: executing {name:?} at <{quoted}>: {what}")))
    }

    /// The line and column of an offset.
    fn place(&self, at: usize) -> (usize, usize) {
        let before = &self.template.source[..at];
        (before.matches('\n').count() + 1, at - before.rfind('\n').map_or(0, |i| i + 1))
    }

    fn list(&mut self, nodes: &'a [Node], dot: &Val<'a>) -> Result<Flow> {
        for node in nodes {
            self.steps += 1;
            if self.steps > STEPS || self.out.len() > OUTPUT {
                return Err(TemplateError("template: : the template does too much".to_string()));
            }
            match self.node(node, dot)? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    fn node(&mut self, node: &'a Node, dot: &Val<'a>) -> Result<Flow> {
        let known = self.variables.len();
        let flow = match node {
            Node::Text(text) => {
                self.out.push_str(text);
                Flow::Next
            }
            Node::Action(pipe) => {
                let value = self.pipe(pipe, dot)?;
                if pipe.variables.is_empty() {
                    self.out.push_str(&print::action(&value));
                }
                // A variable lives to the end of the list that it is declared in.
                return Ok(Flow::Next);
            }
            Node::If { pipe, then, or_else } => {
                let value = self.pipe(pipe, dot)?;
                self.list(if value.truth() { then } else { or_else }, dot)?
            }
            Node::With { pipe, then, or_else } => {
                let value = self.pipe(pipe, dot)?;
                if value.truth() { self.list(then, &value)? } else { self.list(or_else, dot)? }
            }
            Node::Range { pipe, body, or_else } => {
                self.range(pipe, body, or_else, dot)?;
                Flow::Next
            }
            Node::Template { name, pipe, span } => {
                let value = match pipe {
                    Some(pipe) => self.pipe(pipe, dot)?,
                    None => Val::NoValue,
                };
                self.nested(name, pipe.as_ref(), span, value)?;
                Flow::Next
            }
            Node::Break => Flow::Break,
            Node::Continue => Flow::Continue,
        };
        self.variables.truncate(known);
        Ok(flow)
    }

    fn nested(
        &mut self,
        name: &'a str,
        pipe: Option<&Pipe>,
        span: &std::ops::Range<usize>,
        dot: Val<'a>,
    ) -> Result<()> {
        let Some(nodes) = self.template.defined.get(name) else {
            let words = pipe.map_or(String::new(), |pipe| format!(" {}", &self.template.source[whole(pipe)]));
            let (line, column) = self.place(span.start);
            return Err(TemplateError(format!(
                "template: :{line}:{column}: executing {:?} at <{{{{template {name:?}{words}}}}}>: template {name:?} not \
                 defined",
                self.name
            )));
        };
        self.depth += 1;
        if self.depth > DEPTH {
            return self.fail(span.start, span, "exceeded maximum template depth");
        }
        let outer = std::mem::take(&mut self.variables);
        let caller = std::mem::replace(&mut self.name, name);
        let root = std::mem::replace(&mut self.root, dot.clone());
        self.list(nodes, &dot)?;
        self.root = root;
        self.variables = outer;
        self.name = caller;
        self.depth -= 1;
        Ok(())
    }

    fn range(&mut self, pipe: &'a Pipe, body: &'a [Node], or_else: &'a [Node], dot: &Val<'a>) -> Result<()> {
        let value = self.commands(pipe, dot)?;
        let entries = match entries(&value) {
            Some(entries) => entries,
            None => {
                let span = whole(pipe);
                let shown = print::plain(&value);
                return self.fail(span.start, &span, &format!("range can't iterate over {shown}"));
            }
        };
        if entries.is_empty() {
            self.list(or_else, dot)?;
            return Ok(());
        }
        let counted = matches!(&value, Val::Json(json) if json.is_number());
        if counted && pipe.variables.len() > 1 {
            let (span, shown) = (whole(pipe), print::plain(&value));
            return self.fail(span.start, &span, &format!("can't use {shown} to iterate over more than one variable"));
        }
        let known = self.variables.len();
        for (key, element) in entries {
            match (&pipe.variables[..], pipe.assign) {
                ([], _) => {}
                ([value], false) => self.variables.push((value.clone(), element.clone())),
                ([value], true) => self.assign(pipe, value, element.clone())?,
                ([index, value, ..], false) => {
                    self.variables.push((index.clone(), key));
                    self.variables.push((value.clone(), element.clone()));
                }
                ([index, value, ..], true) => {
                    self.assign(pipe, index, key)?;
                    self.assign(pipe, value, element.clone())?;
                }
            }
            let flow = self.list(body, &element)?;
            self.variables.truncate(known);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    fn assign(&mut self, pipe: &Pipe, name: &str, value: Val<'a>) -> Result<()> {
        match self.variables.iter_mut().rev().find(|(n, _)| n == name) {
            Some((_, slot)) => *slot = value,
            None => {
                let span = whole(pipe);
                return self.fail(span.start, &span, &format!("undefined variable: ${name}"));
            }
        }
        Ok(())
    }

    /// The value of a pipeline, kept in its variables, too.
    fn pipe(&mut self, pipe: &'a Pipe, dot: &Val<'a>) -> Result<Val<'a>> {
        let value = self.commands(pipe, dot)?;
        for name in &pipe.variables {
            match pipe.assign {
                true => self.assign(pipe, name, value.clone())?,
                false => self.variables.push((name.clone(), value.clone())),
            }
        }
        Ok(value)
    }

    fn commands(&mut self, pipe: &'a Pipe, dot: &Val<'a>) -> Result<Val<'a>> {
        let mut last = None;
        for call in &pipe.commands {
            last = Some(self.call(call, dot, last)?);
        }
        Ok(last.unwrap_or(Val::NoValue))
    }

    /// One command: `last` is the value that is piped into it.
    fn call(&mut self, call: &'a Call, dot: &Val<'a>, last: Option<Val<'a>>) -> Result<Val<'a>> {
        let (first, rest) = call.words.split_first().expect("a command has a word");
        match &first.kind {
            Kind::Function(name) => {
                let place = Place { at: first.at, name: &first.span, whole: &call.span };
                self.function(name, &place, rest, dot, last)
            }
            Kind::Nil => self.fail(first.at, &first.span, "nil is not a command"),
            _ => {
                let method = self.method(first, rest, dot)?;
                if let Some(value) = method {
                    return Ok(value);
                }
                let value = self.operand(first, dot)?;
                if !rest.is_empty() || last.is_some() {
                    let text = &self.template.source[first.span.clone()];
                    let name = text.rsplit('.').next().unwrap_or(text);
                    let given = rest.len() + usize::from(last.is_some());
                    return match &first.kind {
                        Kind::Field(names) if names.len() == 1 && self.is_row(dot) => self.fail(
                            first.at,
                            &first.span,
                            &format!("wrong number of args for {name}: want 0 got {given}"),
                        ),
                        Kind::Field(_) | Kind::Chain(..) | Kind::Variable(..) => {
                            self.fail(first.at, &first.span, &format!("{name} is not a method but has arguments"))
                        }
                        _ => self.fail(first.at, &first.span, &format!("can't give argument to non-function {text}")),
                    };
                }
                Ok(value)
            }
        }
    }

    /// `.Label "name"`, the one method that rows have.
    fn method(&mut self, first: &'a Operand, rest: &'a [Operand], dot: &Val<'a>) -> Result<Option<Val<'a>>> {
        let Kind::Field(names) = &first.kind else { return Ok(None) };
        if self.shape.type_name.is_none() || names.len() != 1 || names[0] != "Label" {
            return Ok(None);
        }
        let [argument] = rest else {
            let what = format!("wrong number of args for Label: want 1 got {}", rest.len());
            return self.fail(first.at, &first.span, &what);
        };
        let name = self.operand(argument, dot)?;
        if let Err(what) = self.suits(Parameter::Text, argument, &name) {
            return self.fail(argument.at, &argument.span, &what);
        }
        let Some(name) = name.text() else { return Ok(None) };
        if self.shape.heading {
            let last = name.rsplit('.').next().unwrap_or(name);
            return Ok(Some(Val::own(last.replace(['-', '_'], " "))));
        }
        let labels = match dot {
            Val::Json(value) => value.get("@labels").and_then(|l| l.get(name)).cloned(),
            _ => None,
        };
        Ok(Some(Val::own(labels.unwrap_or_else(|| Value::from("")))))
    }

    fn function(
        &mut self,
        name: &str,
        place: &Place,
        rest: &'a [Operand],
        dot: &Val<'a>,
        last: Option<Val<'a>>,
    ) -> Result<Val<'a>> {
        if name == "and" || name == "or" {
            return self.early(name, place, rest, dot, last);
        }
        let given = rest.len() + usize::from(last.is_some());
        if let Err(what) = functions::count(name, given) {
            return self.fail(place.at, place.name, &what);
        }
        let mut args = Vec::with_capacity(given);
        for (i, word) in rest.iter().enumerate() {
            let value = self.operand(word, dot)?;
            if !self.shape.heading
                && let Err(what) = self.suits(functions::parameter(name, i), word, &value)
            {
                return self.fail(word.at, &word.span, &what);
            }
            args.push(value);
        }
        args.extend(last);
        if name == "call" {
            let what = match rest.first() {
                Some(word) if matches!(word.kind, Kind::Nil) => "call of nil".to_string(),
                Some(word) => {
                    let text = &self.template.source[word.span.clone()];
                    format!("non-function {text} of type {}", args[0].type_name())
                }
                None => format!("non-function of type {}", args[0].type_name()),
            };
            return self.fail(place.at, place.whole, &format!("error calling call: {what}"));
        }
        match functions::call(name, &args, self.shape) {
            // A row writes itself, with what HTML would take for markup escaped.
            Ok(value) if name == "json" && !self.shape.heading && args.first().is_some_and(|row| self.is_row(row)) => {
                let text = value.text().unwrap_or_default();
                Ok(Val::own(text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")))
            }
            Ok(value) => Ok(value),
            Err(what) if what.starts_with("wrong number of args") || what.starts_with("wrong type for value") => {
                self.fail(place.at, place.name, &what)
            }
            Err(what) => self.fail(place.at, place.whole, &format!("error calling {name}: {what}")),
        }
    }

    /// Whether an argument is of the type that a function wants, in Go's words where it is not.
    fn suits(&self, wanted: Parameter, word: &Operand, value: &Val) -> std::result::Result<(), String> {
        let text = &self.template.source[word.span.clone()];
        let literal = matches!(word.kind, Kind::Text(_) | Kind::Int(_) | Kind::Float(_) | Kind::Bool(_));
        let (fits, name) = match wanted {
            Parameter::Any => return Ok(()),
            Parameter::Text => (value.text().is_some(), "string"),
            Parameter::Int => (value.json().as_i64().is_some(), "int"),
            Parameter::Texts => (value.is_texts(), "[]string"),
        };
        match (fits, &word.kind, wanted) {
            (true, ..) => Ok(()),
            (_, Kind::Nil, Parameter::Texts) => Ok(()),
            (_, Kind::Nil, _) => Err(format!("cannot assign nil to {name}")),
            (_, _, Parameter::Texts) if literal => Err(format!("can't handle {text} for arg of type []string")),
            (_, _, Parameter::Int) if literal => Err(format!("expected integer; found {text}")),
            (_, _, Parameter::Text) if literal => Err(format!("expected string; found {text}")),
            _ => Err(format!("wrong type for value; expected {name}; got {}", value.type_name())),
        }
    }

    /// `and` and `or` stop at the argument that decides.
    fn early(
        &mut self,
        name: &str,
        place: &Place,
        rest: &'a [Operand],
        dot: &Val<'a>,
        last: Option<Val<'a>>,
    ) -> Result<Val<'a>> {
        let mut value = None;
        for word in rest {
            let next = self.operand(word, dot)?;
            let decided = next.truth() == (name == "or");
            value = Some(next);
            if decided {
                break;
            }
        }
        match (value, last) {
            (Some(value), Some(last)) => Ok(if value.truth() == (name == "or") { value } else { last }),
            (Some(value), None) | (None, Some(value)) => Ok(value),
            (None, None) => {
                let what = format!("wrong number of args for {name}: want at least 1 got 0");
                self.fail(place.at, place.name, &what)
            }
        }
    }

    fn operand(&mut self, word: &'a Operand, dot: &Val<'a>) -> Result<Val<'a>> {
        match &word.kind {
            Kind::Dot => Ok(dot.clone()),
            Kind::Nil => Ok(Val::NoValue),
            Kind::Field(names) => self.fields(dot.clone(), names, word),
            Kind::Variable(name, names) => {
                let value = match name.as_str() {
                    "" => self.root.clone(),
                    _ => self.variables.iter().rev().find(|(n, _)| n == name).map_or(Val::NoValue, |(_, v)| v.clone()),
                };
                self.fields(value, names, word)
            }
            Kind::Function(name) => {
                let place = Place { at: word.at, name: &word.span, whole: &word.span };
                self.function(name, &place, &[], dot, None)
            }
            Kind::Text(text) => Ok(Val::own(text.as_str())),
            Kind::Int(number) => Ok(Val::own(*number)),
            Kind::Float(number) => Ok(Val::own(*number)),
            Kind::Complex(real, imaginary) => Ok(Val::Complex(*real, *imaginary)),
            Kind::Bool(b) => Ok(Val::own(*b)),
            Kind::Pipe(pipe) => {
                let known = self.variables.len();
                let value = self.pipe(pipe, dot);
                self.variables.truncate(known);
                value
            }
            Kind::Chain(inner, names) => {
                let value = self.operand(inner, dot)?;
                // Go blames what it looked at last.
                self.fields(value, names, last(inner).unwrap_or(word))
            }
        }
    }

    fn fields(&self, mut value: Val<'a>, names: &'a [String], word: &Operand) -> Result<Val<'a>> {
        for (i, name) in names.iter().enumerate() {
            let before = i.checked_sub(1).map(|i| names[i].as_str());
            if let (Val::Nil(Zero::Pointer), Some(before)) = (&value, before) {
                return self.fail(word.at, &word.span, &format!("map has no entry for key {before:?}"));
            }
            let inner = self.shape.inner.iter().find(|(field, _)| Some(*field) == before);
            if let (Some((_, kind)), Val::Json(json)) = (inner, &value)
                // What JSON calls `ApiVersion` is `APIVersion` to Go, and its structs know it by that name alone.
                && json.as_object().is_some_and(|object| name == "ApiVersion" || member(object, name).is_none())
            {
                return self.fail(word.at, &word.span, &format!("can't evaluate field {name} in type {kind}"));
            }
            // A Go map has no such entry, which is no error.
            let map = before.is_some_and(|before| self.is_map(before));
            let lacks = |value: &Val| match value {
                Val::Json(json) => json.is_object() && json.get(name).is_none(),
                other => matches!(other, Val::Nil(Zero::Map)),
            };
            if matches!(value, Val::NoValue) && i > 0 || map && lacks(&value) {
                value = Val::NoValue;
                continue;
            }
            value = self.field(value, name, word)?;
        }
        Ok(value)
    }

    /// Whether the field of this name is a Go map and no struct.
    fn is_map(&self, name: &str) -> bool {
        self.shape.optional.iter().any(|(n, zero)| *n == name && *zero == Zero::Map)
    }

    /// One field of a value, with Go's errors where it is not there.
    fn field(&self, value: Val<'a>, name: &str, word: &Operand) -> Result<Val<'a>> {
        let nil = self.shape.optional.iter().find(|(n, _)| *n == name).map(|(_, zero)| *zero);
        let member = if self.shape.wire { wire_member } else { member };
        let found = match &value {
            Val::Json(Cow::Borrowed(Value::Object(map))) => member(map, name).map(|v| Val::Json(Cow::Borrowed(v))),
            Val::Json(Cow::Owned(Value::Object(map))) => member(map, name).map(|v| Val::own(v.clone())),
            Val::Nil(Zero::Map) => None,
            Val::NoValue | Val::Nil(Zero::Pointer) => {
                return self.fail(word.at, &word.span, &format!("map has no entry for key {name:?}"));
            }
            Val::Json(json) if json.is_null() => {
                return self.fail(word.at, &word.span, &format!("nil pointer evaluating interface {{}}.{name}"));
            }
            other => {
                let kind = match other {
                    Val::Json(Cow::Borrowed(_)) if self.shape.strict => "interface {}",
                    other => other.type_name(),
                };
                let what = format!("can't evaluate field {name} in type {kind}");
                return self.fail(word.at, &word.span, &what);
            }
        };
        match found {
            Some(Val::Json(json)) if json.is_null() && nil.is_some() => Ok(Val::Nil(nil.unwrap_or(Zero::Pointer))),
            Some(found) => Ok(found),
            None if self.is_row(&value) && self.shape.heading => Ok(Val::own(name)),
            None if self.is_row(&value) => {
                let what = format!("can't evaluate field {name} in type {}", self.shape.type_name.unwrap_or_default());
                self.fail(word.at, &word.span, &what)
            }
            None => match nil {
                Some(zero) => Ok(Val::Nil(zero)),
                None if self.shape.strict => {
                    self.fail(word.at, &word.span, &format!("map has no entry for key {name:?}"))
                }
                None => Ok(Val::NoValue),
            },
        }
    }

    /// Whether a value is the row itself, which is a struct, and not something inside it.
    fn is_row(&self, value: &Val) -> bool {
        self.shape.type_name.is_some()
            && match (value, &self.root) {
                (Val::Json(Cow::Borrowed(a)), Val::Json(Cow::Borrowed(b))) => std::ptr::eq(*a, *b),
                _ => false,
            }
    }
}

/// The last argument of all that is in parentheses; `None` where there is no argument.
fn last(operand: &Operand) -> Option<&Operand> {
    let Kind::Pipe(pipe) = &operand.kind else { return Some(operand) };
    let words = &pipe.commands.last()?.words;
    if words.len() == 1 && matches!(words[0].kind, Kind::Function(_)) { None } else { last(words.last()?) }
}

/// All of a pipeline's commands.
fn whole(pipe: &Pipe) -> std::ops::Range<usize> {
    match (pipe.commands.first(), pipe.commands.last()) {
        (Some(first), Some(last)) => first.span.start..last.span.end,
        _ => 0..0,
    }
}

/// What `range` goes over; maps in the order of their keys. `None` where it can't.
fn entries<'a>(value: &Val<'a>) -> Option<Vec<(Val<'a>, Val<'a>)>> {
    let list = |items: Vec<Val<'a>>| items.into_iter().enumerate().map(|(i, v)| (Val::own(i), v)).collect();
    Some(match value {
        Val::Complex(..) => return None,
        Val::Json(Cow::Borrowed(Value::Array(items))) => {
            list(items.iter().map(|v| Val::Json(Cow::Borrowed(v))).collect())
        }
        Val::Json(Cow::Owned(Value::Array(items))) => list(items.iter().map(|v| Val::own(v.clone())).collect()),
        Val::Json(json) => match json.as_ref() {
            Value::Object(map) => {
                let mut keys: Vec<&String> = map.keys().collect();
                keys.arrange();
                let element = |key: &String| match value {
                    Val::Json(Cow::Borrowed(Value::Object(map))) => Val::Json(Cow::Borrowed(&map[key])),
                    _ => Val::own(map[key].clone()),
                };
                keys.into_iter().map(|key| (Val::own(key.as_str()), element(key))).collect()
            }
            Value::Number(n) => {
                let count = n.as_u64()?.min(STEPS as u64);
                (0..count).map(|i| (Val::own(i), Val::own(i))).collect()
            }
            Value::Null => Vec::new(),
            _ => return None,
        },
        Val::Nil(Zero::Slice | Zero::Map | Zero::Pointer) | Val::NoValue => Vec::new(),
        Val::Nil(_) => return None,
    })
}
