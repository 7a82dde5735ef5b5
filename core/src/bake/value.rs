//! Values of expressions and the types that variables may be given, as cty has them: how one becomes another, and how
//! they are written.

use cutaway_userland::sorted::Map as BTreeMap;
use serde_json::{Map, Number, Value as Json};

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    /// A tuple or a list.
    List(Vec<Value>),
    /// Sorted, each once.
    Set(Vec<Value>),
    /// An object or a map.
    Map(BTreeMap<String, Value>),
}

/// What a variable may be said to hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    Any,
    Text,
    Number,
    Bool,
    List(Box<Type>),
    Set(Box<Type>),
    Map(Box<Type>),
    Tuple(Vec<Type>),
    /// By attribute: its type, and whether it may be left out.
    Object(BTreeMap<String, (Type, bool)>),
}

impl Type {
    /// As messages and lists name it.
    pub fn name(&self) -> String {
        match self {
            Type::Any => "any type".into(),
            Type::Text => "string".into(),
            Type::Number => "number".into(),
            Type::Bool => "bool".into(),
            Type::List(of) => format!("list of {}", of.name_within()),
            Type::Set(of) => format!("set of {}", of.name_within()),
            Type::Map(of) => format!("map of {}", of.name_within()),
            Type::Tuple(_) => "tuple".into(),
            Type::Object(_) => "object".into(),
        }
    }

    fn name_within(&self) -> String {
        if *self == Type::Any { "any single type".into() } else { self.name() }
    }

    pub fn is_primitive(&self) -> bool {
        matches!(self, Type::Text | Type::Number | Type::Bool)
    }
}

/// A number as text: whole ones without a point.
pub fn number_text(number: f64) -> String {
    format!("{number}")
}

impl Value {
    /// How much there is of it: a unit for each value inside it, and for each 64 bytes of text.
    pub fn weight(&self) -> usize {
        match self {
            Value::Text(text) => 1 + text.len() / 64,
            Value::List(items) | Value::Set(items) => 1 + items.iter().map(Value::weight).sum::<usize>(),
            Value::Map(map) => 1 + map.values().map(Value::weight).sum::<usize>(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        }
    }

    pub fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into())
    }

    /// A set of these.
    pub fn set(mut items: Vec<Value>) -> Value {
        items.sort_by(Value::order);
        items.dedup();
        Value::Set(items)
    }

    fn order(&self, other: &Value) -> std::cmp::Ordering {
        match (self, other) {
            (Value::Number(a), Value::Number(b)) => a.total_cmp(b),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            _ => self.to_json().to_string().cmp(&other.to_json().to_string()),
        }
    }

    pub fn is_null(&self) -> bool {
        *self == Value::Null
    }

    /// The items of a list or set.
    pub fn items(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) | Value::Set(items) => Some(items),
            _ => None,
        }
    }

    /// The kind, as messages name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "dynamic",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::Text(_) => "string",
            Value::List(_) => "tuple",
            Value::Set(_) => "set",
            Value::Map(_) => "object",
        }
    }

    /// A string, also of what becomes one by itself.
    pub fn to_text(&self) -> Result<String, String> {
        match self {
            Value::Text(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number_text(*number)),
            Value::Bool(yes) => Ok(yes.to_string()),
            _ => Err("string required".into()),
        }
    }

    pub fn to_number(&self) -> Result<f64, String> {
        match self {
            Value::Number(number) => Ok(*number),
            Value::Text(text) => {
                text.parse().ok().filter(|n: &f64| n.is_finite()).ok_or_else(|| "a number is required".to_string())
            }
            _ => Err("number required".into()),
        }
    }

    pub fn to_bool(&self) -> Result<bool, String> {
        match self {
            Value::Bool(yes) => Ok(*yes),
            Value::Text(text) => match text.as_str() {
                "true" | "1" => Ok(true),
                "false" | "0" => Ok(false),
                _ => Err("a bool is required".into()),
            },
            _ => Err("bool required".into()),
        }
    }

    /// As a value of the type.
    ///
    /// # Errors
    /// Which type is required instead.
    pub fn convert(&self, to: &Type) -> Result<Value, String> {
        let all = |items: &[Value], of: &Type| items.iter().map(|item| item.convert(of)).collect::<Result<Vec<_>, _>>();
        let required = || Err(format!("{} required", to.name()));
        Ok(match (to, self) {
            (Type::Any, _) | (_, Value::Null) => self.clone(),
            (Type::Text, _) => Value::Text(self.to_text()?),
            (Type::Number, _) => Value::Number(self.to_number()?),
            (Type::Bool, _) => Value::Bool(self.to_bool()?),
            (Type::List(of), Value::List(items) | Value::Set(items)) => match all(items, of) {
                Ok(items) => Value::List(items),
                Err(_) => return required(),
            },
            (Type::Set(of), Value::List(items) | Value::Set(items)) => match all(items, of) {
                Ok(items) => Value::set(items),
                Err(_) => return required(),
            },
            (Type::Map(of), Value::Map(map)) => {
                let mut made = BTreeMap::new();
                for (key, value) in map {
                    let Ok(value) = value.convert(of) else { return required() };
                    made.insert(key.clone(), value);
                }
                Value::Map(made)
            }
            (Type::Tuple(types), Value::List(items)) if types.len() == items.len() => {
                let items = types.iter().zip(items).map(|(of, item)| item.convert(of));
                Value::List(items.collect::<Result<_, _>>()?)
            }
            (Type::Object(fields), Value::Map(map)) => {
                let mut made = BTreeMap::new();
                for (name, (of, optional)) in fields {
                    match map.get(name) {
                        Some(value) => made.insert(name.clone(), value.convert(of)?),
                        None if *optional => made.insert(name.clone(), Value::Null),
                        None => return Err(format!("attribute {name:?} is required")),
                    };
                }
                Value::Map(made)
            }
            _ => return required(),
        })
    }

    pub fn to_json(&self) -> Json {
        match self {
            Value::Null => Json::Null,
            Value::Bool(yes) => Json::Bool(*yes),
            Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => Json::from(*number as i64),
            Value::Number(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) | Value::Set(items) => Json::Array(items.iter().map(Value::to_json).collect()),
            Value::Map(map) => Json::Object(map.iter().map(|(k, v)| (k.clone(), v.to_json())).collect::<Map<_, _>>()),
        }
    }

    pub fn from_json(json: &Json) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::Bool(yes) => Value::Bool(*yes),
            Json::Number(number) => Value::Number(number.as_f64().unwrap_or_default()),
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(items) => Value::List(items.iter().map(Value::from_json).collect()),
            Json::Object(map) => Value::Map(map.iter().map(|(k, v)| (k.clone(), Value::from_json(v))).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_become_others() {
        let list = |of| Type::List(Box::new(of));
        for (from, to, expected) in [
            (json!("7"), Type::Number, Ok(json!(7))),
            (json!("x"), Type::Number, Err("a number is required")),
            (json!([1]), Type::Number, Err("number required")),
            (json!(1.5), Type::Text, Ok(json!("1.5"))),
            (json!("true"), Type::Bool, Ok(json!(true))),
            (json!("yes"), Type::Bool, Err("a bool is required")),
            (json!([1, "b"]), list(Type::Text), Ok(json!(["1", "b"]))),
            (json!("b"), list(Type::Text), Err("list of string required")),
            (json!(["b", "a", "b"]), Type::Set(Box::new(Type::Text)), Ok(json!(["a", "b"]))),
            (json!({"a": 1}), Type::Map(Box::new(Type::Text)), Ok(json!({"a": "1"}))),
            (json!(null), Type::Text, Ok(json!(null))),
        ] {
            let converted = Value::from_json(&from).convert(&to).map(|v| v.to_json());
            assert_eq!(converted, expected.map_err(str::to_string), "{from} to {}", to.name());
        }
    }
}
