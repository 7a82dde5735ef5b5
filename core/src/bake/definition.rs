//! From files to targets and groups: variables with their defaults and what the environment says, functions of the
//! definition's own, matrices, and references from one target to another.
//!
//! A name is worked out when something asks for it; who asks for itself on the way is told so.

use super::diagnostic::{Place, Result, Wrong};
use super::eval::Scope;
use super::stdlib::{self, Surroundings};
use super::syntax::{Attribute, Block, Body, Expr, Form};
use super::target::{self, Group, Target};
use super::value::{Type, Value};
use super::{Config, Outside, Shown};
use crate::container::spec::csv_strict;
use cutaway_userland::sorted::Map as BTreeMap;
use std::cell::{Cell, RefCell};

/// A name and a value of a scope.
type Locals = Vec<(String, Value)>;

/// What is read of HCL and JSON, being worked out.
pub struct Loader<'a> {
    outside: &'a Outside<'a>,
    variables: BTreeMap<String, Block>,
    functions: BTreeMap<String, Block>,
    attributes: BTreeMap<String, Attribute>,
    blocks: Vec<Block>,
    /// Of each block: its names, each with what its matrix says.
    named: RefCell<Vec<Vec<(String, Locals)>>>,
    values: RefCell<BTreeMap<String, Value>>,
    /// What is being worked out.
    running: RefCell<Vec<String>>,
    /// The weight of all values so far.
    spent: Cell<usize>,
}

/// How much a definition may have worked out, by [`Value::weight`]. Somebody else may have written it, and a few lines are
/// enough to ask for more than a machine has.
const ENOUGH: usize = 200_000;
/// How many targets one block may stand for.
const MOST_ROWS: usize = 4096;

impl<'a> Loader<'a> {
    /// Sorts out what the files have.
    pub fn new(bodies: Vec<Body>, outside: &'a Outside<'a>) -> Result<Loader<'a>> {
        let mut loader = Loader {
            outside,
            variables: BTreeMap::new(),
            functions: BTreeMap::new(),
            attributes: BTreeMap::new(),
            blocks: Vec::new(),
            named: RefCell::default(),
            values: RefCell::default(),
            running: RefCell::default(),
            spent: Cell::default(),
        };
        for (name, value) in &outside.built_in {
            loader.values.borrow_mut().insert(name.clone(), Value::text(value.as_str()));
        }
        let reserved = |name: &str| matches!(name, "target" | "group") || outside.built_in.contains_key(name);
        for body in bodies {
            for attribute in body.attributes {
                if !reserved(&attribute.name) {
                    loader.attributes.insert(attribute.name.clone(), attribute);
                }
            }
            for block in body.blocks {
                let kind = block.kind.clone();
                if !matches!(kind.as_str(), "target" | "group" | "variable" | "function") {
                    continue;
                }
                let name = label(&block)?;
                match kind.as_str() {
                    "variable" if !reserved(&name) => drop(loader.variables.insert(name, block)),
                    "function" if !reserved(&name) => drop(loader.functions.insert(name, block)),
                    "target" | "group" => loader.blocks.push(block),
                    _ => {}
                }
            }
        }
        Ok(loader)
    }

    /// Works all of it out; it comes on top of `config`. The variables, for a list.
    pub fn load(&self, config: &mut Config) -> Result<Vec<Shown>> {
        let mut shown = Vec::new();
        for (name, block) in &self.variables {
            let wrong = |wrong: Wrong| wrong.or_at(&end_of(block), "Invalid value");
            let value = self.variable(name).map_err(wrong)?.unwrap_or(Value::Null);
            let of = self.constraint(block)?;
            let description = match block.body.attribute("description") {
                Some(attribute) => self.value(&attribute.value, &[])?.to_text().unwrap_or_default(),
                None => String::new(),
            };
            shown.push(Shown { name: name.clone(), description, value: shown_value(&value, of.as_ref()), of });
        }
        self.validate()?;
        self.name_blocks()?;
        let mut wrongs = Vec::new();
        for index in 0..self.blocks.len() {
            match self.resolve(index, config) {
                Ok(()) => {}
                Err(Wrong::Found(all)) => wrongs.extend(all),
                Err(plain) => {
                    return Err(plain.or_at(&self.label_place(index), "Invalid block"));
                }
            }
        }
        if !wrongs.is_empty() {
            return Err(Wrong::Found(wrongs));
        }
        for (name, attribute) in &self.attributes {
            self.variable(name).map_err(|wrong| wrong.or_at(&attribute.place, "Invalid attribute"))?;
        }
        self.rename(config);
        Ok(shown)
    }

    fn label_place(&self, index: usize) -> Place {
        self.blocks[index].labels[0].1.clone()
    }

    /// The rules that variables have to keep.
    fn validate(&self) -> Result<()> {
        let mut wrongs = Vec::new();
        for rule in self.variables.values().flat_map(|v| &v.body.blocks).filter(|b| b.kind == "validation") {
            let (Some(condition), Some(message)) =
                (rule.body.attribute("condition"), rule.body.attribute("error_message"))
            else {
                let missing = if rule.body.attribute("condition").is_none() { "condition" } else { "error_message" };
                let detail = format!("The argument {missing:?} is required, but no definition was found.");
                return Err(Wrong::at(&end_of(rule), "Missing required argument", detail));
            };
            let place = condition.value.place();
            let result = self.value(&condition.value, &[])?;
            let wrong = match result.to_bool() {
                _ if result.is_null() => {
                    let detail = "Condition expression must return either true or false, not null.";
                    Wrong::at(&place, "Invalid condition result", detail)
                }
                Err(error) => {
                    Wrong::at(&place, "Invalid condition result", format!("Invalid condition result value: {error}"))
                }
                Ok(true) => continue,
                Ok(false) => {
                    let detail = self.value(&message.value, &[])?.to_text();
                    let detail = detail.unwrap_or("This check failed, but has an invalid error message.".into());
                    Wrong::at(&place, "Validation failed", detail)
                }
            };
            if let Wrong::Found(all) = wrong {
                wrongs.extend(all);
            }
        }
        if wrongs.is_empty() { Ok(()) } else { Err(Wrong::Found(wrongs)) }
    }

    /// The names of variables, for who meant one.
    pub fn names(&self) -> Vec<String> {
        self.variables.keys().chain(self.attributes.keys()).chain(self.outside.built_in.keys()).cloned().collect()
    }

    pub fn functions(&self) -> Vec<String> {
        self.functions.keys().cloned().collect()
    }

    pub fn surroundings(&self) -> Surroundings {
        self.outside.around.clone()
    }

    /// Does something that must not ask for itself.
    fn once<T>(&self, key: &str, cycle: String, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.running.borrow().iter().any(|running| running == key) {
            return Err(Wrong::Plain(cycle));
        }
        self.running.borrow_mut().push(key.to_string());
        let done = work();
        self.running.borrow_mut().pop();
        done
    }

    /// A variable's value; `None` where there is no such variable.
    pub fn variable(&self, name: &str) -> Result<Option<Value>> {
        if let Some(value) = self.values.borrow().get(name) {
            return Ok(Some(value.clone()));
        }
        if !self.variables.contains_key(name) && !self.attributes.contains_key(name) {
            return Ok(None);
        }
        let cycle = format!("variable cycle not allowed for {name}");
        let value = self.once(&format!("variable {name}"), cycle, || self.work_out(name))?;
        self.values.borrow_mut().insert(name.to_string(), value.clone());
        Ok(Some(value))
    }

    /// The type that a variable is said to have.
    fn constraint(&self, block: &Block) -> Result<Option<Type>> {
        let Some(attribute) = block.body.attribute("type") else { return Ok(None) };
        let scope = Scope::new(attribute.value.place());
        match &attribute.value.form {
            Form::Hcl(expression) if expression.is_null() => Ok(None),
            Form::Hcl(expression) => self.type_of(expression, &scope).map(Some),
            Form::Json(json) => {
                let text = json.as_str().unwrap_or_default();
                let wrong = || Wrong::at(&scope.root, "Invalid type specification", format!("{text:?} is no type."));
                let expression = hcl_edit::parser::parse_expr(text).map_err(|_| wrong())?;
                self.type_of(&expression, &scope).map(Some)
            }
        }
    }

    fn work_out(&self, name: &str) -> Result<Value> {
        let block = self.variables.get(name);
        let of = match (self.attributes.get(name), block) {
            (None, Some(block)) => self.constraint(block)?,
            _ => None,
        };
        let default = self.attributes.get(name).or_else(|| block.and_then(|b| b.body.attribute("default")));
        let given = self.given(name, of.is_some());
        if default.is_none() && given.is_none() && of.is_none() {
            return Ok(Value::text(""));
        }
        let mut value = Value::Null;
        if let Some(default) = default {
            let to = of.clone().unwrap_or(Type::Any);
            let wrong = |e: String| format!("invalid type {} for variable {name} default value: {e}", to.name());
            value = self.value(&default.value, &[])?.convert(&to).map_err(wrong)?;
        }
        match given {
            Some((text, json)) if block.is_some() => {
                overridden(name, &text, json, of.as_ref(), &value, default.is_some())
            }
            _ => Ok(value),
        }
    }

    /// What the environment says of a variable, and whether it is JSON.
    fn given(&self, name: &str, typed: bool) -> Option<(String, bool)> {
        let plain = (self.outside.env)(name).map(|text| (text, false));
        let other = format!("{name}_JSON");
        if (plain.is_none() || typed)
            && !self.variables.contains_key(&other)
            && !self.outside.built_in.contains_key(&other)
            && let Some(json) = (self.outside.env)(&other)
        {
            return Some((json, true));
        }
        plain
    }

    /// Calls a function of the definition's own; `None` where it has none of that name.
    pub fn own_function(&self, name: &str, given: &[(Value, Place)], place: &Place) -> Option<Result<Value>> {
        let block = self.functions.get(name)?;
        let cycle = format!("function cycle not allowed for {name}");
        Some(self.once(&format!("function {name}"), cycle, || self.run_function(name, block, given, place)))
    }

    fn run_function(&self, name: &str, block: &Block, given: &[(Value, Place)], place: &Place) -> Result<Value> {
        let missing = |what: &str| Wrong::Plain(format!("empty {what} not allowed for {name}"));
        let result = block.body.attribute("result").ok_or_else(|| missing("result"))?;
        let params = block.body.attribute("params").ok_or_else(|| missing("params"))?;
        let params = words(&params.value)?;
        let rest = match block.body.attribute("variadic_params") {
            Some(attribute) => words(&attribute.value)?.into_iter().next(),
            None => None,
        };
        let end = Place::new(&place.source, place.span.end.saturating_sub(1)..place.span.end);
        let names: Vec<&str> = params.iter().map(String::as_str).collect();
        stdlib::count(name, &names, rest.is_some(), given, &end)?;
        let mut locals: Locals = params.iter().cloned().zip(given.iter().map(|(v, _)| v.clone())).collect();
        if let Some(rest) = rest {
            let others = given.iter().skip(params.len()).map(|(v, _)| v.clone()).collect();
            locals.push((rest, Value::List(others)));
        }
        self.value(&result.value, &locals)
    }

    /// The names that each block stands for.
    fn name_blocks(&self) -> Result<()> {
        for (index, block) in self.blocks.iter().enumerate() {
            let place = self.label_place(index);
            let names = self.names_of(block).map_err(|wrong| wrong.or_at(&place, "Invalid name"))?;
            self.named.borrow_mut().push(names);
        }
        Ok(())
    }

    fn names_of(&self, block: &Block) -> Result<Vec<(String, Locals)>> {
        let label = &block.labels[0].0;
        check_name(label)?;
        let (name, matrix) = (block.body.attribute("name"), block.body.attribute("matrix"));
        if block.kind == "group" {
            return match (name, matrix) {
                (_, Some(_)) => Err(Wrong::Plain("matrix is not supported for groups".into())),
                (Some(_), None) => Err(Wrong::Plain("name is not supported for groups".into())),
                (None, None) => Ok(vec![(label.clone(), Vec::new())]),
            };
        }
        let Some(matrix) = matrix else {
            return match name {
                Some(_) => Err(Wrong::Plain("name requires matrix".into())),
                None => Ok(vec![(label.clone(), Vec::new())]),
            };
        };
        let Value::Map(axes) = self.value(&matrix.value, &[])? else {
            return Err(Wrong::Plain("matrix must be a map".into()));
        };
        let mut rows: Vec<Locals> = vec![Vec::new()];
        for (axis, values) in &axes {
            let Some(values) = values.items() else {
                return Err(Wrong::Plain("matrix values must be a list".into()));
            };
            if rows.len().saturating_mul(values.len()) > MOST_ROWS {
                return Err(Wrong::Plain(format!("matrix makes more than {MOST_ROWS} targets")));
            }
            let with = |value: &Value, row: &Locals| [row.clone(), vec![(axis.clone(), value.clone())]].concat();
            rows = values.iter().flat_map(|value| rows.iter().map(move |row| with(value, row))).collect();
        }
        let mut named: Vec<(String, Locals)> = Vec::new();
        for row in rows {
            let name = match name {
                Some(attribute) => self.value(&attribute.value, &row)?.to_text()?,
                None => label.clone(),
            };
            check_name(&name)?;
            if named.iter().any(|(known, _)| *known == name) {
                return Err(Wrong::Plain(format!("duplicate name {name:?}")));
            }
            named.push((name, row));
        }
        Ok(named)
    }

    /// Counts a value's weight; whether it may still be had.
    pub fn affords(&self, weight: usize) -> bool {
        self.spent.set(self.spent.get().saturating_add(weight));
        self.spent.get() <= ENOUGH
    }

    /// Adds what a block says.
    fn resolve(&self, index: usize, config: &mut Config) -> Result<()> {
        let block = &self.blocks[index];
        let named = self.named.borrow()[index].clone();
        for (name, locals) in named {
            if block.kind == "group" {
                let group = self.group(block, &name)?;
                match config.groups.iter_mut().find(|known| known.name == name) {
                    Some(known) => *known = group,
                    None => config.groups.push(group),
                }
                continue;
            }
            let made = self.target(block, &name, &locals, None)?;
            match config.targets.iter_mut().find(|known| known.name == name) {
                Some(known) => known.merge(&made),
                None => config.targets.push(made),
            }
        }
        Ok(())
    }

    fn group(&self, block: &Block, name: &str) -> Result<Group> {
        let Some(targets) = block.body.attribute("targets") else {
            let detail = "The argument \"targets\" is required, but no definition was found.";
            return Err(Wrong::at(&end_of(block), "Missing required argument", detail));
        };
        let list = |attribute: &Attribute| -> Result<Vec<String>> {
            let wrong = |e: String| unsuitable(&attribute.value, &e);
            target::texts(&self.value(&attribute.value, &[])?).map_err(wrong)
        };
        let description = match block.body.attribute("description") {
            Some(attribute) => self.value(&attribute.value, &[])?.to_text().unwrap_or_default(),
            None => String::new(),
        };
        Ok(Group { name: name.to_string(), description, targets: list(targets)? })
    }

    /// A block's target; with `only`, as far as that attribute.
    fn target(&self, block: &Block, name: &str, locals: &Locals, only: Option<&str>) -> Result<Target> {
        let mut made = Target { name: name.to_string(), ..Target::default() };
        let mut wrongs = Vec::new();
        for attribute in block.body.attributes.iter().filter(|a| only.is_none_or(|only| a.name == only)) {
            let known = target::field(&attribute.name);
            if known.is_none() && !matches!(attribute.name.as_str(), "description" | "inherits") {
                continue;
            }
            let cycle = format!("reference cycle not allowed for target.{name}.{}", attribute.name);
            let value = self.once(&format!("target {name} {}", attribute.name), cycle, || {
                let value = self.value(&attribute.value, locals)?;
                match (known, attribute.name.as_str()) {
                    (Some((field, sort, _)), _) => {
                        let read = target::read(sort, &value, &start_of(&attribute.value))?;
                        made.fields.extend(read.map(|read| (field, read)));
                    }
                    (None, "description") => {
                        made.description = value.to_text().map_err(|e| unsuitable(&attribute.value, &e))?
                    }
                    _ => made.inherits = target::texts(&value).map_err(|e| unsuitable(&attribute.value, &e))?,
                }
                Ok(())
            });
            match value {
                Ok(()) => {}
                Err(Wrong::Found(all)) => wrongs.extend(all),
                Err(plain) => return Err(plain),
            }
        }
        if wrongs.is_empty() { Ok(made) } else { Err(Wrong::Found(wrongs)) }
    }

    /// What `target.name` is to an expression: all of it, or one attribute. `None` where there is no such block.
    pub fn block_value(&self, kind: &str, name: &str, attribute: Option<&str>) -> Result<Option<Value>> {
        let named = self.named.borrow().clone();
        let (mut found, mut whole) = (false, Target { name: name.to_string(), ..Target::default() });
        for (block, names) in self.blocks.iter().zip(named).filter(|(block, _)| block.kind == kind) {
            let Some((_, locals)) = names.iter().find(|(known, _)| known == name) else { continue };
            found = true;
            if kind == "group" {
                let group = self.group(block, name)?;
                whole.inherits = group.targets;
                continue;
            }
            whole.merge(&self.target(block, name, locals, attribute)?);
        }
        let value = match kind {
            "group" => {
                let targets = whole.inherits.iter().map(|t| Value::text(t.as_str())).collect();
                Value::Map(BTreeMap::from([("targets".to_string(), Value::List(targets))]))
            }
            _ => whole.to_value(),
        };
        Ok(found.then(|| match (attribute, &value) {
            (Some(attribute), Value::Map(map)) => map.get(attribute).cloned().unwrap_or(Value::Null),
            _ => value,
        }))
    }

    /// A block that stands for several targets is a group of them.
    fn rename(&self, config: &mut Config) {
        let mut renamed: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for (block, names) in self.blocks.iter().zip(self.named.borrow().iter()) {
            let all = renamed.entry((block.kind.clone(), block.labels[0].0.clone())).or_default();
            for (name, _) in names {
                if !all.contains(name) {
                    all.push(name.clone());
                }
            }
        }
        for ((_, label), names) in renamed {
            if names != [label.clone()] {
                config.groups.push(Group { name: label, description: String::new(), targets: names });
            }
        }
    }
}

/// A block's one label.
fn label(block: &Block) -> Result<String> {
    match &block.labels[..] {
        [(name, _)] => Ok(name.clone()),
        [] => {
            let detail = format!("All {} blocks must have 1 labels (name).", block.kind);
            let place =
                Place::new(&block.place.source, block.place.span.start..block.place.span.start + block.kind.len());
            Err(Wrong::at(&place, &format!("Missing name for {}", block.kind), detail))
        }
        [_, (_, place), ..] => {
            let detail = format!("Only 1 labels (name) are expected for {} blocks.", block.kind);
            Err(Wrong::at(place, &format!("Extraneous label for {}", block.kind), detail))
        }
    }
}

/// Where something that a block lacks is missed: at its last brace.
fn end_of(block: &Block) -> Place {
    let end = block.place.span.end;
    Place::new(&block.place.source, end.saturating_sub(1)..end)
}

fn unsuitable(expr: &Expr, reason: &str) -> Wrong {
    Wrong::at(&start_of(expr), "Unsuitable value type", format!("Unsuitable value: {reason}"))
}

/// The beginning of a value, by which its type is told.
fn start_of(expr: &Expr) -> Place {
    use hcl_edit::expr::Expression;
    let mut place = expr.place();
    if let Form::Hcl(expression) = &expr.form {
        place.span = match &**expression {
            Expression::Array(_) | Expression::Object(_) => place.span.start..place.span.start + 1,
            Expression::String(_) => place.span.start + 1..place.span.end.saturating_sub(1),
            _ => place.span,
        };
    }
    place
}

fn check_name(name: &str) -> Result<()> {
    let fits = !name.is_empty() && stdlib::sanitize(name) == name;
    if fits { Ok(()) } else { Err(Wrong::Plain("only \"[a-zA-Z0-9_-]+\" are allowed".into())) }
}

/// The names in a list, or a name alone.
fn words(expr: &Expr) -> Result<Vec<String>> {
    use hcl_edit::expr::Expression;
    let not_a_name = || Wrong::at(&expr.place(), "Invalid param element", "Each parameter name must be an identifier.");
    let word = |expression: &Expression| expression.as_variable().map(|name| name.to_string()).ok_or_else(not_a_name);
    match &expr.form {
        Form::Hcl(expression) => match &**expression {
            Expression::Array(items) => items.iter().map(word).collect(),
            one => Ok(vec![word(one)?]),
        },
        Form::Json(json) => match &**json {
            serde_json::Value::Array(items) => {
                items.iter().map(|i| i.as_str().map(str::to_string).ok_or_else(not_a_name)).collect()
            }
            one => Ok(vec![one.as_str().ok_or_else(not_a_name)?.to_string()]),
        },
    }
}

/// What the environment's text is for a variable: of its type, or of the type that its default has.
fn overridden(
    name: &str,
    text: &str,
    json: bool,
    of: Option<&Type>,
    default: &Value,
    has_default: bool,
) -> Result<Value> {
    let unsupported = |of: &str| Err(Wrong::Plain(format!("unsupported type {of} for variable {name}")));
    let Some(of) = of else {
        return match default {
            _ if !has_default => Ok(Value::text(text)),
            Value::Null | Value::Text(_) => Ok(Value::text(text)),
            Value::Bool(_) => primitive(name, text, &Type::Bool),
            Value::Number(_) => primitive(name, text, &Type::Number),
            other => unsupported(other.kind()),
        };
    };
    if json {
        let parsed: serde_json::Value =
            serde_json::from_str(text).map_err(|e| format!("failed to convert variable {name} from JSON: {e}"))?;
        let converted = Value::from_json(&parsed).convert(of);
        return Ok(converted.map_err(|e| format!("failed to convert variable {name} from JSON: {e}"))?);
    }
    match of {
        Type::Text | Type::Number | Type::Bool => primitive(name, text, of),
        Type::List(_) | Type::Set(_) | Type::Tuple(_) | Type::Map(_) => {
            let wrong = |wrong: Wrong| Wrong::Plain(format!("failed to convert variable {name} from CSV: {wrong}"));
            from_csv(name, text, of).map_err(wrong)
        }
        Type::Any if matches!(default, Value::Null | Value::Text(_)) => Ok(Value::text(text)),
        Type::Any => overridden(name, text, false, None, default, has_default),
        Type::Object(_) => unsupported(&of.name()),
    }
}

fn primitive(name: &str, text: &str, of: &Type) -> Result<Value> {
    let syntax = |function: &str| format!("strconv.{function}: parsing {text:?}: invalid syntax");
    match of {
        Type::Bool => match super::entry::go_bool(text) {
            Some(yes) => Ok(Value::Bool(yes)),
            None => Err(Wrong::Plain(format!("failed to parse {name} as bool: {}", syntax("ParseBool")))),
        },
        Type::Number => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Number(number)),
            Ok(_) => Err(Wrong::Plain(format!("failed to parse {name} as number: invalid number value"))),
            Err(_) => Err(Wrong::Plain(format!("failed to parse {name} as number: {}", syntax("ParseFloat")))),
        },
        _ => Ok(Value::text(text)),
    }
}

fn from_csv(name: &str, text: &str, of: &Type) -> Result<Value> {
    let fields = csv_strict(text).map_err(|e| format!("failed to parse {text} as CSV: {e}"))?;
    let element = |field: &str, to: &Type| match to.is_primitive() {
        true => primitive(name, field, to)
            .map_err(|e| Wrong::Plain(format!("failed to parse element of type {}: {e}", of.name()))),
        false => Err(Wrong::Plain(format!("unsupported type {} for CSV specification", of.name()))),
    };
    match of {
        Type::List(to) => Ok(Value::List(fields.iter().map(|f| element(f, to)).collect::<Result<_>>()?)),
        Type::Set(to) => Ok(Value::set(fields.iter().map(|f| element(f, to)).collect::<Result<_>>()?)),
        Type::Tuple(types) if types.len() != fields.len() => {
            let (wanted, given) = (types.len(), fields.len());
            Err(Wrong::Plain(format!("{} expects {wanted} elements but only {given} provided", of.name())))
        }
        Type::Tuple(types) => {
            Ok(Value::List(fields.iter().zip(types).map(|(f, to)| element(f, to)).collect::<Result<_>>()?))
        }
        Type::Map(to) => {
            let mut made = BTreeMap::new();
            for field in &fields {
                let pieces: Vec<&str> = field.split(':').collect();
                let [key, value] = pieces[..] else {
                    let count = pieces.len();
                    return Err(Wrong::Plain(format!("expected one k/v pair but got {count} pieces from {field}")));
                };
                made.insert(key.to_string(), element(value, to)?);
            }
            Ok(Value::Map(made))
        }
        _ => Err(Wrong::Plain(format!("unsupported type {} for CSV specification", of.name()))),
    }
}

/// A variable's value in a list; `None` where it has none.
fn shown_value(value: &Value, of: Option<&Type>) -> Option<String> {
    match (value, of) {
        (Value::Null, _) => None,
        (Value::Text(text), _) => Some(text.clone()),
        (value, None) => Some(value.to_text().unwrap_or_else(|_| value.to_json().to_string())),
        (value, Some(_)) => Some(value.to_json().to_string()),
    }
}
