//! Values while a template runs, and what JSON can't tell of the Go values that it stands for.

use serde_json::Value;
use std::borrow::Cow;

/// A Go value that is not there, by its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zero {
    Text,
    Int,
    Slice,
    Map,
    Pointer,
}

/// What kind of Go value the dot of a template is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    /// Where it is a struct with methods: its type, as `*formatter.ContainerContext`. A key that is not there
    /// is then an error of its type. Keys that begin with `@` hold what its methods look at: `@labels` for
    /// `.Label "name"`.
    pub type_name: Option<&'static str>,
    /// Fields that are structs themselves, and their types.
    pub inner: &'static [(&'static str, &'static str)],
    /// Fields that may be left out of the JSON, or be null in it, and what they then are.
    pub optional: &'static [(&'static str, Zero)],
    /// Whether a missing key is an error (`inspect`) or prints as `<no value>`.
    pub strict: bool,
    /// Whether the functions of a table's head are in force: they give back the heading unchanged.
    pub heading: bool,
    /// Whether the keys are those of wire formats, as `mediaType`, which templates name as Go's fields, and whose
    /// JSON is shown indented.
    pub wire: bool,
}

/// A value in use.
#[derive(Clone, Debug)]
pub(super) enum Val<'a> {
    Json(Cow<'a, Value>),
    Nil(Zero),
    /// What a map gives for a key that it has not.
    NoValue,
    /// A literal as `1+2i`: real and imaginary part.
    Complex(f64, f64),
}

impl<'a> Val<'a> {
    pub fn own(value: impl Into<Value>) -> Val<'a> {
        Val::Json(Cow::Owned(value.into()))
    }

    /// Go's truth: not false, zero, empty or nil.
    pub fn truth(&self) -> bool {
        match self {
            Val::Nil(_) | Val::NoValue => false,
            Val::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Val::Json(value) => match value.as_ref() {
                Value::Null => false,
                Value::Bool(b) => *b,
                Value::Number(n) => n.as_f64() != Some(0.0),
                Value::String(s) => !s.is_empty(),
                Value::Array(a) => !a.is_empty(),
                Value::Object(o) => !o.is_empty(),
            },
        }
    }

    /// As JSON; what is not there is null.
    pub fn json(&self) -> Value {
        match self {
            Val::Json(value) => value.as_ref().clone(),
            Val::Nil(Zero::Text) => Value::from(""),
            Val::Nil(Zero::Int) => Value::from(0),
            Val::Nil(_) | Val::NoValue | Val::Complex(..) => Value::Null,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Val::Json(value) => value.as_str(),
            Val::Nil(Zero::Text) => Some(""),
            _ => None,
        }
    }

    /// Whether it is a list of texts alone, or an empty one.
    pub fn is_texts(&self) -> bool {
        match self {
            Val::Json(value) => match value.as_ref() {
                Value::Array(items) => items.iter().all(Value::is_string),
                Value::Null => true,
                _ => false,
            },
            Val::Nil(zero) => *zero == Zero::Slice,
            Val::NoValue | Val::Complex(..) => false,
        }
    }

    /// The Go type, roughly, for errors.
    pub fn type_name(&self) -> &'static str {
        match self {
            Val::Json(value) => match value.as_ref() {
                Value::Null => "nil",
                Value::Bool(_) => "bool",
                Value::Number(n) if n.is_f64() => "float64",
                Value::Number(_) => "int",
                Value::String(_) => "string",
                Value::Array(_) => "[]interface {}",
                Value::Object(_) => "map[string]interface {}",
            },
            Val::Complex(..) => "complex128",
            Val::Nil(Zero::Text) => "string",
            Val::Nil(Zero::Int) => "int",
            Val::Nil(Zero::Slice) => "[]interface {}",
            Val::Nil(Zero::Map) => "map[string]interface {}",
            Val::Nil(Zero::Pointer) | Val::NoValue => "nil",
        }
    }
}

/// A field of an object, under the name that its Go field has: `ID` is written `Id` in Docker's JSON.
pub(super) fn member<'v>(object: &'v serde_json::Map<String, Value>, name: &str) -> Option<&'v Value> {
    const OTHER: [(&str, &str); 3] = [("APIVersion", "ApiVersion"), ("ID", "Id"), ("OS", "Os")];
    object.get(name).or_else(|| {
        let (_, json) = OTHER.iter().find(|(go, _)| *go == name)?;
        object.get(*json)
    })
}

/// The same where keys are those of wire formats: `DiffIDs` is written `diff_ids` there, and what stands for a method
/// begins with `@`.
pub(super) fn wire_member<'v>(object: &'v serde_json::Map<String, Value>, name: &str) -> Option<&'v Value> {
    let bare = |key: &str| key.trim_start_matches('@').replace(['_', '.'], "").to_lowercase();
    let wanted = name.to_lowercase();
    member(object, name).or_else(|| object.iter().find(|(key, _)| bare(key) == wanted).map(|(_, value)| value))
}
