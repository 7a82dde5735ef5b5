//! The functions that expressions can call: those of go-cty and a few of bake's own, from one table.

mod collection;
mod date;
mod number;
mod text;

use super::diagnostic::{Place, Result, Wrong};
use super::eval::argument_wrong;
use super::value::{Type, Value};
use std::time::Duration;

pub use text::sanitize;

/// What functions know of the world.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Since 1970.
    pub now: Duration,
    pub home: String,
}

/// Why a function gave nothing.
pub enum Fail {
    /// This argument was wrong.
    Argument(usize, String),
    Call(String),
}

impl From<String> for Fail {
    fn from(text: String) -> Fail {
        Fail::Call(text)
    }
}

impl From<&str> for Fail {
    fn from(text: &str) -> Fail {
        Fail::Call(text.to_string())
    }
}

type Answer = std::result::Result<Value, Fail>;

/// A function by its name: `text`, `collection`, `number` or `date` has it.
type Body = fn(&str, &[Value], &Surroundings) -> Answer;

/// Name, parameters, and who does it. After a name: `:s` a string, `:n` a number, `:b` a bool, `:l` a list of strings,
/// `:a` anything; `*` takes the rest, `?` also takes null.
const TABLE: &[(&str, &str, Body)] = &[
    ("absolute", "num:n", number::call),
    ("add", "a:n b:n", number::call),
    ("and", "a:b b:b", number::call),
    ("base64decode", "str:s", text::call),
    ("base64encode", "str:s", text::call),
    ("basename", "path:s", text::call),
    ("byteslen", "buf:s", text::call),
    ("ceil", "num:n", number::call),
    ("chomp", "str:s", text::call),
    ("chunklist", "list:a size:n", collection::call),
    ("coalesce", "*vals:a?", collection::call),
    ("coalescelist", "*vals:a?", collection::call),
    ("compact", "list:l", collection::call),
    ("concat", "*seqs:a", collection::call),
    ("contains", "list:a value:a?", collection::call),
    ("csvdecode", "str:s", collection::call),
    ("dirname", "path:s", text::call),
    ("distinct", "list:a", collection::call),
    ("divide", "a:n b:n", number::call),
    ("element", "list:a index:n", collection::call),
    ("equal", "a:a? b:a?", number::call),
    ("flatten", "list:a", collection::call),
    ("floor", "num:n", number::call),
    ("format", "format:s *args:a?", text::call),
    ("formatdate", "format:s time:s", date::call),
    ("formatlist", "format:s *args:a?", text::call),
    ("greaterthan", "a:n b:n", number::call),
    ("greaterthanorequalto", "a:n b:n", number::call),
    ("hasindex", "collection:a key:a", collection::call),
    ("homedir", "", text::call),
    ("indent", "spaces:n str:s", text::call),
    ("index", "collection:a key:a", collection::call),
    ("indexof", "list:a value:a", collection::call),
    ("int", "num:n", number::call),
    ("join", "separator:s *lists:l", text::call),
    ("jsondecode", "str:s", text::call),
    ("jsonencode", "val:a?", text::call),
    ("keys", "inputMap:a", collection::call),
    ("length", "collection:a", collection::call),
    ("lessthan", "a:n b:n", number::call),
    ("lessthanorequalto", "a:n b:n", number::call),
    ("log", "num:n base:n", number::call),
    ("lookup", "inputMap:a key:s default:a?", collection::call),
    ("lower", "str:s", text::call),
    ("max", "*numbers:n", number::call),
    ("md5", "str:s", text::call),
    ("merge", "*maps:a?", collection::call),
    ("min", "*numbers:n", number::call),
    ("modulo", "a:n b:n", number::call),
    ("multiply", "a:n b:n", number::call),
    ("negate", "num:n", number::call),
    ("not", "val:b", number::call),
    ("notequal", "a:a? b:a?", number::call),
    ("or", "a:b b:b", number::call),
    ("parseint", "number:s base:n", number::call),
    ("pow", "num:n power:n", number::call),
    ("range", "*params:n", number::call),
    ("regex", "pattern:s string:s", text::call),
    ("regex_replace", "str:s pattern:s replace:s", text::call),
    ("regexall", "pattern:s string:s", text::call),
    ("replace", "str:s substr:s replace:s", text::call),
    ("reverse", "str:s", text::call),
    ("reverselist", "list:a", collection::call),
    ("sanitize", "name:s", text::call),
    ("sethaselement", "set:a elem:a", collection::call),
    ("setintersection", "first_set:a *other_sets:a", collection::call),
    ("setproduct", "*sets:a", collection::call),
    ("setsubtract", "a:a b:a", collection::call),
    ("setsymmetricdifference", "first_set:a *other_sets:a", collection::call),
    ("setunion", "first_set:a *other_sets:a", collection::call),
    ("sha1", "str:s", text::call),
    ("sha256", "str:s", text::call),
    ("sha512", "str:s", text::call),
    ("signum", "num:n", number::call),
    ("slice", "list:a start_index:n end_index:n", collection::call),
    ("sort", "list:l", collection::call),
    ("split", "separator:s str:s", text::call),
    ("strlen", "str:s", text::call),
    ("substr", "str:s offset:n length:n", text::call),
    ("subtract", "a:n b:n", number::call),
    ("timeadd", "timestamp:s duration:s", date::call),
    ("timestamp", "", date::call),
    ("title", "str:s", text::call),
    ("trim", "str:s cutset:s", text::call),
    ("trimprefix", "str:s prefix:s", text::call),
    ("trimspace", "str:s", text::call),
    ("trimsuffix", "str:s suffix:s", text::call),
    ("upper", "str:s", text::call),
    ("urlencode", "str:s", text::call),
    ("values", "mapping:a", collection::call),
    ("zipmap", "keys:l values:a", collection::call),
];

/// The names of all of them.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, ..)| *name).chain(["can", "convert", "try"])
}

struct Parameter<'t> {
    name: &'t str,
    of: Type,
    nullable: bool,
}

fn parameter(word: &str) -> Parameter<'_> {
    let (name, kind) = word.trim_start_matches('*').split_once(':').unwrap_or((word, "a"));
    let of = match kind.trim_end_matches('?') {
        "s" => Type::Text,
        "n" => Type::Number,
        "b" => Type::Bool,
        "l" => Type::List(Box::new(Type::Text)),
        _ => Type::Any,
    };
    Parameter { name, of, nullable: kind.ends_with('?') }
}

/// Calls a function with its arguments, each with its place; `None` if there is no such function.
pub fn call(name: &str, given: &[(Value, Place)], place: &Place, around: &Surroundings) -> Option<Result<Value>> {
    let index = TABLE.binary_search_by(|(known, ..)| (*known).cmp(name)).ok()?;
    let (_, words, body) = &TABLE[index];
    Some(checked(name, words, *body, given, place, around))
}

fn checked(
    name: &str,
    words: &str,
    body: Body,
    given: &[(Value, Place)],
    place: &Place,
    around: &Surroundings,
) -> Result<Value> {
    let (mut fixed, mut rest) = (Vec::new(), None);
    for word in words.split_whitespace() {
        match word.starts_with('*') {
            true => rest = Some(parameter(word)),
            false => fixed.push(parameter(word)),
        }
    }
    // Told at the parenthesis that ends the call.
    let end = Place::new(&place.source, place.span.end.saturating_sub(1)..place.span.end);
    count(name, &fixed.iter().map(|p| p.name).collect::<Vec<_>>(), rest.is_some(), given, &end)?;
    let mut values = Vec::new();
    for (index, (value, at)) in given.iter().enumerate() {
        let Some(parameter) = fixed.get(index).or(rest.as_ref()) else { break };
        if value.is_null() && !parameter.nullable {
            return Err(argument_wrong(at, parameter.name, "argument must not be null"));
        }
        values.push(value.convert(&parameter.of).map_err(|e| argument_wrong(at, parameter.name, &e))?);
    }
    body(name, &values, around).map_err(|fail| match fail {
        Fail::Argument(index, text) if index < given.len() => {
            let named = fixed.get(index).or(rest.as_ref()).map_or("", |p| p.name);
            argument_wrong(&given[index].1, named, &text)
        }
        Fail::Argument(_, text) | Fail::Call(text) => {
            Wrong::at(place, "Error in function call", format!("Call to function {name:?} failed: {text}."))
        }
    })
}

/// Checks the number of arguments.
pub fn count(name: &str, parameters: &[&str], more: bool, given: &[(Value, Place)], end: &Place) -> Result<()> {
    let wanted = parameters.len();
    if let Some(missing) = parameters.get(given.len()) {
        let least = if more { " at least" } else { "" };
        let detail = format!("Function {name:?} expects{least} {wanted} argument(s). Missing value for {missing:?}.");
        return Err(Wrong::at(end, "Not enough function arguments", detail));
    }
    match given.get(wanted) {
        Some((_, at)) if !more => {
            let detail = format!("Function {name:?} expects only {wanted} argument(s).");
            Err(Wrong::at(at, "Too many function arguments", detail))
        }
        _ => Ok(()),
    }
}

/// An argument that is a string; the table has made sure of it.
fn text_of(args: &[Value], index: usize) -> &str {
    match args.get(index) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

/// An argument that is a number.
fn number_of(args: &[Value], index: usize) -> f64 {
    match args.get(index) {
        Some(Value::Number(number)) => *number,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
