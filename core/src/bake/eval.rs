//! What an expression comes to: HCL's operators, templates, `for`, and calls of functions.

use super::definition::Loader;
use super::diagnostic::{Place, Result, Source, Wrong};
use super::stdlib;
use super::syntax::{Expr, Form};
use super::value::{Type, Value};
use crate::dockerfile::nearest;
use cutaway_userland::sorted::Map as BTreeMap;
use hcl_edit::expr::{BinaryOperator, Expression, ForExpr, FuncCall, ObjectKey, TraversalOperator, UnaryOperator};
use hcl_edit::template::{Directive, Element, Strip, Template};
use hcl_edit::{Decorated, Span};
use serde_json::Value as Json;
use std::rc::Rc;

/// What an expression can see beside the names of the definition.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Variables of `for`, of a matrix, and parameters; the last of a name counts.
    pub locals: Vec<(String, Value)>,
    /// The whole value that is being worked out: what its names lack is told with this place.
    pub root: Place,
}

impl Scope {
    pub fn new(root: Place) -> Scope {
        Scope { locals: Vec::new(), root }
    }

    fn with(&self, names: &[(&str, Value)]) -> Scope {
        let mut scope = self.clone();
        scope.locals.extend(names.iter().map(|(name, value)| ((*name).to_string(), value.clone())));
        scope
    }

    fn local(&self, name: &str) -> Option<&Value> {
        self.locals.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn source(&self) -> &Rc<Source> {
        &self.root.source
    }

    fn place(&self, of: &impl Span) -> Place {
        of.span().map_or_else(|| self.root.clone(), |span| Place::new(self.source(), span))
    }
}

impl Loader<'_> {
    /// The value of an attribute.
    pub fn value(&self, expr: &Expr, locals: &[(String, Value)]) -> Result<Value> {
        let scope = Scope { locals: locals.to_vec(), root: expr.place() };
        match &expr.form {
            Form::Hcl(expression) => self.eval(expression, &scope),
            Form::Json(json) => self.json(json, &scope),
        }
    }

    /// JSON, in which each text is a template.
    fn json(&self, json: &Json, scope: &Scope) -> Result<Value> {
        Ok(match json {
            Json::String(text) => {
                let template = hcl_edit::parser::parse_template(text).map_err(|error| {
                    Wrong::at(&scope.root, "Invalid expression", format!("{text:?}: {}.", error.message()))
                })?;
                // The places in a template are those in its text.
                let own = Rc::new(Source { name: scope.source().name.clone(), text: text.clone() });
                let inner = Scope { root: Place::new(&own, 0..text.len()), ..scope.clone() };
                self.template(&template, &inner)?
            }
            Json::Array(items) => Value::List(items.iter().map(|i| self.json(i, scope)).collect::<Result<_>>()?),
            Json::Object(map) => {
                let mut made = BTreeMap::new();
                for (key, value) in map {
                    let key = self.json(&Json::String(key.clone()), scope)?.to_text()?;
                    made.insert(key, self.json(value, scope)?);
                }
                Value::Map(made)
            }
            plain => Value::from_json(plain),
        })
    }

    fn eval(&self, expression: &Expression, scope: &Scope) -> Result<Value> {
        let value = self.worked_out(expression, scope)?;
        match self.affords(value.weight()) {
            true => Ok(value),
            false => {
                let detail = "The definition asks for more values than anybody could want to build.";
                Err(Wrong::at(&scope.place(expression), "Too much to work out", detail))
            }
        }
    }

    fn worked_out(&self, expression: &Expression, scope: &Scope) -> Result<Value> {
        let place = || scope.place(expression);
        Ok(match expression {
            Expression::Null(_) => Value::Null,
            Expression::Bool(yes) => Value::Bool(*yes.value()),
            Expression::Number(number) => Value::Number(number.value().as_f64().unwrap_or_default()),
            Expression::String(text) => Value::Text(text.value().clone()),
            Expression::Array(items) => {
                Value::List(items.iter().map(|item| self.eval(item, scope)).collect::<Result<_>>()?)
            }
            Expression::Object(object) => {
                let mut made = BTreeMap::new();
                for (key, value) in object {
                    let name = match key {
                        ObjectKey::Ident(ident) => ident.to_string(),
                        // A bare name is itself; in parentheses it is a variable.
                        ObjectKey::Expression(Expression::Variable(name)) => name.to_string(),
                        ObjectKey::Expression(key) => {
                            let wrong = |e: String| {
                                let detail = format!("Can't use this value as a key: {e}.");
                                Wrong::at(&scope.place(key), "Incorrect key type", detail)
                            };
                            self.eval(key, scope)?.to_text().map_err(wrong)?
                        }
                    };
                    made.insert(name, self.eval(value.expr(), scope)?);
                }
                Value::Map(made)
            }
            Expression::StringTemplate(template) => self.template(template, scope)?,
            Expression::HeredocTemplate(heredoc) => match self.template(&heredoc.template, scope)? {
                Value::Text(text) => Value::Text(text),
                other => Value::Text(other.to_text().map_err(|e| cannot_include(&place(), &e))?),
            },
            Expression::Parenthesis(inner) => self.eval(inner.inner(), scope)?,
            Expression::Variable(name) => self.named(name.as_str(), &place(), scope)?,
            Expression::Conditional(choice) => {
                let condition = self.eval(&choice.cond_expr, scope)?;
                let at = scope.place(&choice.cond_expr);
                if condition.is_null() {
                    let detail = "The condition value is null. Conditions must either be true or false.";
                    return Err(Wrong::at(&at, "Null condition", detail));
                }
                let yes = condition.to_bool().map_err(|_| {
                    Wrong::at(&at, "Incorrect condition type", "The condition expression must be of type bool.")
                })?;
                let (taken, other) = match yes {
                    true => (&choice.true_expr, &choice.false_expr),
                    false => (&choice.false_expr, &choice.true_expr),
                };
                match (self.eval(taken, scope)?, self.eval(other, scope)) {
                    // Both come to one type.
                    (value @ (Value::Number(_) | Value::Bool(_)), Ok(Value::Text(_))) => Value::Text(value.to_text()?),
                    (value, _) => value,
                }
            }
            Expression::FuncCall(call) => self.call(call, &place(), scope)?,
            Expression::Traversal(traversal) => self.traverse(&traversal.expr, &traversal.operators, scope)?,
            Expression::UnaryOp(op) => {
                let value = self.eval(&op.expr, scope)?;
                let wrong = |e: String| {
                    let detail = format!("Unsuitable value for unary operand: {e}.");
                    Wrong::at(&scope.place(&op.expr), "Invalid operand", detail)
                };
                match op.operator.value() {
                    UnaryOperator::Neg => Value::Number(-value.to_number().map_err(wrong)?),
                    UnaryOperator::Not => Value::Bool(!value.to_bool().map_err(wrong)?),
                }
            }
            Expression::BinaryOp(op) => {
                let (left, right) = (self.eval(&op.lhs_expr, scope)?, self.eval(&op.rhs_expr, scope)?);
                let (at, beside) = (scope.place(&op.lhs_expr), scope.place(&op.rhs_expr));
                binary(*op.operator.value(), (&left, &at), (&right, &beside), &place())?
            }
            Expression::ForExpr(of) => self.each(of, scope)?,
        })
    }

    /// A name's value, of the nearest scope.
    fn named(&self, name: &str, place: &Place, scope: &Scope) -> Result<Value> {
        if let Some(value) = scope.local(name) {
            return Ok(value.clone());
        }
        if let Some(value) = self.variable(name).map_err(|wrong| wrong.or_at(&scope.root, "Invalid expression"))? {
            return Ok(value);
        }
        let known: Vec<String> = self.names().into_iter().chain(scope.locals.iter().map(|(n, _)| n.clone())).collect();
        let near = nearest(name, known.iter().map(String::as_str));
        let near = near.map_or_else(String::new, |near| format!(" Did you mean {near:?}?"));
        Err(Wrong::at(place, "Unknown variable", format!("There is no variable named {name:?}.{near}")))
    }

    fn call(&self, call: &FuncCall, place: &Place, scope: &Scope) -> Result<Value> {
        let name = call.name.name.as_str();
        let mut given = Vec::new();
        let lazily = |index: usize| call.args.get(index).map(|arg| self.eval(arg, scope));
        match name {
            "try" => {
                let mut last = Wrong::at(
                    place,
                    "Error in function call",
                    "Call to function \"try\" failed: at least one argument is required.",
                );
                for index in 0..call.args.len() {
                    match lazily(index) {
                        Some(Ok(value)) => return Ok(value),
                        Some(Err(wrong)) => last = wrong,
                        None => {}
                    }
                }
                return Err(last);
            }
            "can" => return Ok(Value::Bool(lazily(0).is_some_and(|value| value.is_ok()))),
            "convert" => {
                if let (Some(value), Some(to)) = (call.args.get(0), call.args.get(1)) {
                    let (to, at) = (self.type_of(to, scope)?, scope.place(value));
                    return self.eval(value, scope)?.convert(&to).map_err(|e| argument_wrong(&at, "value", &e));
                }
            }
            _ => {}
        }
        let last = call.args.len().saturating_sub(1);
        for (index, arg) in call.args.iter().enumerate() {
            let (value, at) = (self.eval(arg, scope)?, scope.place(arg));
            match value.items() {
                Some(items) if call.args.expand_final() && index == last => {
                    given.extend(items.iter().map(|item| (item.clone(), at.clone())));
                }
                None if call.args.expand_final() && index == last => {
                    let detail = "The expanding argument (indicated by ...) must be of a tuple, list, or set type.";
                    return Err(Wrong::at(&at, "Invalid expanding argument value", detail));
                }
                _ => given.push((value, at)),
            }
        }
        let name_place = scope.place(&call.name.name);
        if let Some(result) = self.own_function(name, &given, place) {
            return result.map_err(|wrong| wrong.or_at(&scope.root, "Invalid expression"));
        }
        stdlib::call(name, &given, place, &self.surroundings()).unwrap_or_else(|| {
            let own = self.functions();
            let mut known: Vec<&str> = own.iter().map(String::as_str).collect();
            stdlib::names().for_each(|name| known.push(name));
            let near = nearest(name, known);
            let near = near.map_or_else(String::new, |near| format!(" Did you mean {near:?}?"));
            let detail = format!("There is no function named {name:?}.{near}");
            Err(Wrong::at(&name_place, "Call to unknown function", detail))
        })
    }

    fn traverse(&self, base: &Expression, operators: &[Decorated<TraversalOperator>], scope: &Scope) -> Result<Value> {
        // `target.app.tags` works out that attribute only.
        if let (Expression::Variable(kind), Some(TraversalOperator::GetAttr(name))) =
            (base, operators.first().map(Decorated::value))
            && scope.local(kind.as_str()).is_none()
            && matches!(kind.as_str(), "target" | "group")
        {
            let attribute = match operators.get(1).map(Decorated::value) {
                Some(TraversalOperator::GetAttr(attribute)) => Some(attribute.as_str()),
                _ => None,
            };
            let found = self.block_value(kind.as_str(), name.as_str(), attribute);
            if let Some(value) = found.map_err(|wrong| wrong.or_at(&scope.root, "Invalid expression"))? {
                let used = 1 + usize::from(attribute.is_some());
                return self.steps(value, &operators[used..], scope);
            }
        }
        let value = self.eval(base, scope)?;
        self.steps(value, operators, scope)
    }

    fn steps(&self, mut value: Value, operators: &[Decorated<TraversalOperator>], scope: &Scope) -> Result<Value> {
        for (done, operator) in operators.iter().enumerate() {
            let place = scope.place(operator);
            value = match operator.value() {
                TraversalOperator::GetAttr(name) => attribute(&value, name.as_str(), &place)?,
                TraversalOperator::Index(key) => index(&value, &self.eval(key, scope)?, &place)?,
                TraversalOperator::LegacyIndex(key) => index(&value, &Value::Number(*key.value() as f64), &place)?,
                // All that follows is done with each item.
                TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => {
                    let items = match &value {
                        Value::Null => Vec::new(),
                        Value::List(items) | Value::Set(items) => items.clone(),
                        one => vec![one.clone()],
                    };
                    let rest = &operators[done + 1..];
                    let items = items.into_iter().map(|item| self.steps(item, rest, scope));
                    return Ok(Value::List(items.collect::<Result<_>>()?));
                }
            };
        }
        Ok(value)
    }

    /// `[for …]` and `{for …}`.
    fn each(&self, of: &ForExpr, scope: &Scope) -> Result<Value> {
        let place = scope.place(&of.intro.collection_expr);
        let pairs = pairs(&self.eval(&of.intro.collection_expr, scope)?, &place)?;
        let mut list = Vec::new();
        let mut map: BTreeMap<String, Value> = BTreeMap::new();
        for (key, value) in pairs {
            let mut names = vec![(of.intro.value_var.as_str(), value)];
            names.extend(of.intro.key_var.as_ref().map(|name| (name.as_str(), key)));
            let scope = scope.with(&names);
            if let Some(condition) = &of.cond {
                let at = scope.place(&condition.expr);
                let wrong = |e: String| {
                    Wrong::at(&at, "Invalid 'for' condition", format!("The 'if' clause value is invalid: {e}."))
                };
                if !self.eval(&condition.expr, &scope)?.to_bool().map_err(wrong)? {
                    continue;
                }
            }
            let made = self.eval(&of.value_expr, &scope)?;
            let Some(key) = &of.key_expr else {
                list.push(made);
                continue;
            };
            let at = scope.place(key);
            let wrong = |e: String| {
                Wrong::at(&at, "Invalid object key", format!("The key expression produced an invalid result: {e}."))
            };
            let key = self.eval(key, &scope)?.to_text().map_err(wrong)?;
            match (of.grouping, map.get(&key)) {
                (true, Some(Value::List(known))) => {
                    let known = known.iter().cloned().chain([made]).collect();
                    map.insert(key, Value::List(known));
                }
                (true, _) => drop(map.insert(key, Value::List(vec![made]))),
                (false, Some(_)) => {
                    let detail = format!(
                        "Two different items produced the key {key:?} in this 'for' expression. If duplicates are expected, use the ellipsis (...) after the value expression to enable grouping by key."
                    );
                    return Err(Wrong::at(&at, "Duplicate object key", detail));
                }
                (false, None) => drop(map.insert(key, made)),
            }
        }
        Ok(if of.key_expr.is_some() { Value::Map(map) } else { Value::List(list) })
    }

    /// A template's text; with nothing but one interpolation, that value as it is.
    fn template(&self, template: &Template, scope: &Scope) -> Result<Value> {
        if let Some(Element::Interpolation(only)) = template.as_single_element() {
            return self.eval(&only.expr, scope);
        }
        self.written(template, scope, (false, false)).map(Value::Text)
    }

    /// `strip`: whether white space goes at the beginning and at the end.
    fn written(&self, template: &Template, scope: &Scope, strip: (bool, bool)) -> Result<String> {
        let mut out = String::new();
        let mut cut = strip.0;
        let elements: Vec<&Element> = template.iter().collect();
        for (index, element) in elements.iter().enumerate() {
            let next_cuts = elements.get(index + 1).map_or(strip.1, |next| begins(next));
            match element {
                Element::Literal(text) => {
                    let text = text.value().as_str();
                    let text = if cut { text.trim_start() } else { text };
                    out.push_str(if next_cuts { text.trim_end() } else { text });
                    cut = false;
                    continue;
                }
                Element::Interpolation(part) => {
                    let place = scope.place(&part.expr);
                    let value = self.eval(&part.expr, scope)?;
                    if value.is_null() {
                        let detail = "The expression result is null. Cannot include a null value in a string template.";
                        return Err(Wrong::at(&place, "Invalid template interpolation value", detail));
                    }
                    out.push_str(&value.to_text().map_err(|e| cannot_include(&place, &e))?);
                    cut = part.strip.strip_end();
                }
                Element::Directive(directive) => cut = self.directive(directive, scope, &mut out)?,
            }
        }
        Ok(out)
    }

    /// Writes what a directive makes; whether white space after it goes.
    fn directive(&self, directive: &Directive, scope: &Scope, out: &mut String) -> Result<bool> {
        match directive {
            Directive::If(choice) => {
                let (first, end) = (&choice.if_expr, &choice.endif_expr);
                let at = scope.place(&first.cond_expr);
                let wrong =
                    |_| Wrong::at(&at, "Incorrect condition type", "The condition expression must be of type bool.");
                let yes = self.eval(&first.cond_expr, scope)?.to_bool().map_err(wrong)?;
                let after = |strip: Strip| strip.strip_start();
                match (&choice.else_expr, yes) {
                    (other, true) => {
                        let ends = other.as_ref().map_or(after(end.strip), |other| after(other.strip));
                        out.push_str(&self.written(&first.template, scope, (first.strip.strip_end(), ends))?);
                    }
                    (Some(other), false) => {
                        let strip = (other.strip.strip_end(), after(end.strip));
                        out.push_str(&self.written(&other.template, scope, strip)?);
                    }
                    (None, false) => {}
                }
                Ok(end.strip.strip_end())
            }
            Directive::For(of) => {
                let (each, end) = (&of.for_expr, &of.endfor_expr);
                let place = scope.place(&each.collection_expr);
                for (key, value) in pairs(&self.eval(&each.collection_expr, scope)?, &place)? {
                    let mut names = vec![(each.value_var.as_str(), value)];
                    names.extend(each.key_var.as_ref().map(|name| (name.as_str(), key)));
                    let strip = (each.strip.strip_end(), end.strip.strip_start());
                    out.push_str(&self.written(&each.template, &scope.with(&names), strip)?);
                }
                Ok(end.strip.strip_end())
            }
        }
    }

    /// A type as it is written: `list(string)`.
    pub fn type_of(&self, expression: &Expression, scope: &Scope) -> Result<Type> {
        let place = scope.place(expression);
        let wrong = |detail: &str| Err(Wrong::at(&place, "Invalid type specification", detail));
        let known = "A type specification is either a primitive type keyword (bool, number, string) or a complex type constructor call, like list(string).";
        Ok(match expression {
            Expression::Variable(name) => match name.as_str() {
                "string" => Type::Text,
                "number" => Type::Number,
                "bool" => Type::Bool,
                "any" => Type::Any,
                kind @ ("list" | "set" | "map") => {
                    return wrong(&format!(
                        "The {kind} type constructor requires one argument specifying the element type."
                    ));
                }
                "object" => {
                    return wrong(
                        "The object type constructor requires one argument specifying the attribute types and values as a map.",
                    );
                }
                "tuple" => {
                    return wrong(
                        "The tuple type constructor requires one argument specifying the element types as a list.",
                    );
                }
                other => {
                    return wrong(&format!("The keyword {other:?} is not a valid type specification."));
                }
            },
            Expression::FuncCall(call) if call.args.len() == 1 => {
                let Some(inner) = call.args.get(0) else { return wrong(known) };
                let of = || self.type_of(inner, scope).map(Box::new);
                match (call.name.name.as_str(), inner) {
                    ("list", _) => Type::List(of()?),
                    ("set", _) => Type::Set(of()?),
                    ("map", _) => Type::Map(of()?),
                    ("tuple", Expression::Array(items)) => {
                        Type::Tuple(items.iter().map(|item| self.type_of(item, scope)).collect::<Result<_>>()?)
                    }
                    ("object", Expression::Object(fields)) => {
                        let mut made = BTreeMap::new();
                        for (key, value) in fields {
                            let name = match key {
                                ObjectKey::Ident(name) => name.to_string(),
                                ObjectKey::Expression(key) => key.as_str().unwrap_or_default().to_string(),
                            };
                            made.insert(
                                name,
                                match value.expr() {
                                    Expression::FuncCall(call) if call.name.name.as_str() == "optional" => {
                                        let Some(of) = call.args.get(0) else { return wrong(known) };
                                        (self.type_of(of, scope)?, true)
                                    }
                                    plain => (self.type_of(plain, scope)?, false),
                                },
                            );
                        }
                        Type::Object(made)
                    }
                    (other, _) => return wrong(&format!("Keyword {other:?} is not a valid type constructor.")),
                }
            }
            _ => return wrong(known),
        })
    }
}

/// Whether an element takes the white space before it away.
fn begins(element: &Element) -> bool {
    match element {
        Element::Literal(_) => false,
        Element::Interpolation(part) => part.strip.strip_start(),
        Element::Directive(directive) => match &**directive {
            Directive::If(choice) => choice.if_expr.strip.strip_start(),
            Directive::For(of) => of.for_expr.strip.strip_start(),
        },
    }
}

fn cannot_include(place: &Place, reason: &str) -> Wrong {
    let detail = format!("Cannot include the given value in a string template: {reason}.");
    Wrong::at(place, "Invalid template interpolation value", detail)
}

/// What does not fit a parameter.
pub fn argument_wrong(place: &Place, parameter: &str, reason: &str) -> Wrong {
    Wrong::at(place, "Invalid function argument", format!("Invalid value for {parameter:?} parameter: {reason}."))
}

/// Keys and values of what can be gone through.
fn pairs(collection: &Value, place: &Place) -> Result<Vec<(Value, Value)>> {
    Ok(match collection {
        Value::List(items) => items.iter().enumerate().map(|(i, v)| (Value::Number(i as f64), v.clone())).collect(),
        Value::Set(items) => items.iter().map(|v| (v.clone(), v.clone())).collect(),
        Value::Map(map) => map.iter().map(|(k, v)| (Value::text(k.as_str()), v.clone())).collect(),
        Value::Null => {
            let detail = "A null value cannot be used as the collection in a 'for' expression.";
            return Err(Wrong::at(place, "Iteration over null value", detail));
        }
        other => {
            let detail =
                format!("A value of type {} cannot be used as the collection in a 'for' expression.", other.kind());
            return Err(Wrong::at(place, "Iteration over non-iterable value", detail));
        }
    })
}

fn attribute(value: &Value, name: &str, place: &Place) -> Result<Value> {
    match value {
        Value::Map(map) => map.get(name).cloned().ok_or_else(|| {
            let detail = format!("This object does not have an attribute named {name:?}.");
            Wrong::at(place, "Unsupported attribute", detail)
        }),
        Value::Null => {
            let detail = "This value is null, so it does not have any attributes.";
            Err(Wrong::at(place, "Attempt to get attribute from null value", detail))
        }
        _ => Err(Wrong::at(place, "Unsupported attribute", "This value does not have any attributes.")),
    }
}

fn index(value: &Value, key: &Value, place: &Place) -> Result<Value> {
    let missing = "The given key does not identify an element in this collection value";
    match value {
        Value::Map(map) => {
            let name = key.to_text().map_err(|e| Wrong::at(place, "Invalid index", format!("{missing}: {e}.")))?;
            map.get(&name).cloned().ok_or_else(|| Wrong::at(place, "Invalid index", format!("{missing}.")))
        }
        Value::List(items) => {
            let number = key.to_number().map_err(|e| Wrong::at(place, "Invalid index", format!("{missing}: {e}.")))?;
            let found = (number >= 0.0 && number.fract() == 0.0).then(|| items.get(number as usize)).flatten();
            found.cloned().ok_or_else(|| {
                let why = match (number < 0.0, items.is_empty()) {
                    (true, _) => "a negative number is not a valid index for a sequence",
                    (_, true) => "the collection has no elements",
                    _ => "the given index is greater than or equal to the length of the collection",
                };
                Wrong::at(place, "Invalid index", format!("{missing}: {why}."))
            })
        }
        Value::Null => {
            let detail = "This value is null, so it does not have any indices.";
            Err(Wrong::at(place, "Attempt to index null value", detail))
        }
        _ => Err(Wrong::at(place, "Invalid index", "This value does not have any indices.")),
    }
}

fn binary(op: BinaryOperator, left: (&Value, &Place), right: (&Value, &Place), place: &Place) -> Result<Value> {
    let unsuitable = |(value, at): (&Value, &Place), side: &str, reason: String| {
        let reason = if value.is_null() { "argument must not be null".to_string() } else { reason };
        Wrong::at(at, "Invalid operand", format!("Unsuitable value for {side} operand: {reason}."))
    };
    let numbers = || -> Result<(f64, f64)> {
        let a = left.0.to_number().map_err(|e| unsuitable(left, "left", e))?;
        Ok((a, right.0.to_number().map_err(|e| unsuitable(right, "right", e))?))
    };
    let bools = || -> Result<(bool, bool)> {
        let a = left.0.to_bool().map_err(|e| unsuitable(left, "left", e))?;
        Ok((a, right.0.to_bool().map_err(|e| unsuitable(right, "right", e))?))
    };
    let by_zero = || Wrong::at(place, "Division by zero", "Cannot divide by zero: the right-hand operand is zero.");
    Ok(match op {
        BinaryOperator::Eq => Value::Bool(left.0 == right.0),
        BinaryOperator::NotEq => Value::Bool(left.0 != right.0),
        BinaryOperator::LessEq => Value::Bool(numbers().map(|(a, b)| a <= b)?),
        BinaryOperator::GreaterEq => Value::Bool(numbers().map(|(a, b)| a >= b)?),
        BinaryOperator::Less => Value::Bool(numbers().map(|(a, b)| a < b)?),
        BinaryOperator::Greater => Value::Bool(numbers().map(|(a, b)| a > b)?),
        BinaryOperator::Plus => Value::Number(numbers().map(|(a, b)| a + b)?),
        BinaryOperator::Minus => Value::Number(numbers().map(|(a, b)| a - b)?),
        BinaryOperator::Mul => Value::Number(numbers().map(|(a, b)| a * b)?),
        BinaryOperator::Div | BinaryOperator::Mod if numbers()?.1 == 0.0 => return Err(by_zero()),
        BinaryOperator::Div => Value::Number(numbers().map(|(a, b)| a / b)?),
        BinaryOperator::Mod => Value::Number(numbers().map(|(a, b)| a % b)?),
        BinaryOperator::And => Value::Bool(bools().map(|(a, b)| a && b)?),
        BinaryOperator::Or => Value::Bool(bools().map(|(a, b)| a || b)?),
    })
}
