//! TOML into types, by way of [`Value`]: reading the types from TOML itself would double their code in
//! the page. What serde has to say about a value names it, and so the line is found again.

use super::LessonError;
use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::ops::Range;

/// Reads the text of a file; its name is for the error.
pub fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, LessonError> {
    let error = |span: Option<Range<usize>>, reason: String| LessonError {
        file: file.to_string(),
        line: span
            .map(|span| text.as_bytes()[..span.start.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1),
        reason,
    };
    let table = DeTable::parse(text).map_err(|e| error(e.span(), e.message().to_string()))?;
    serde_json::from_value(object(table.get_ref())).map_err(|e| {
        let reason = e.to_string();
        let span = named(&reason).and_then(|name| find(table.get_ref(), name));
        error(span, reason)
    })
}

fn object(table: &DeTable<'_>) -> Value {
    Value::Object(table.iter().map(|(key, item)| (key.get_ref().to_string(), value(item.get_ref()))).collect())
}

fn value(from: &DeValue<'_>) -> Value {
    match from {
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => number.into(),
            Err(_) => number.to_string().into(),
        },
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Boolean(truth) => (*truth).into(),
        DeValue::Array(items) => items.iter().map(|item| value(item.get_ref())).collect(),
        DeValue::Table(table) => object(table),
        DeValue::String(text) => text.to_string().into(),
        DeValue::Datetime(time) => time.to_string().into(),
    }
}

/// The key or value that an error is about: it stands in the first quotes. What is missing is nowhere.
fn named(reason: &str) -> Option<&str> {
    if reason.starts_with("missing") {
        return None;
    }
    let start = reason.find(['`', '"'])?;
    let (quote, rest) = reason[start..].split_at(1);
    rest.split(quote).next()
}

/// Where a key of this name, or a value of this text, stands first.
fn find(table: &DeTable<'_>, name: &str) -> Option<Range<usize>> {
    let within =
        |(key, item): (&Spanned<_>, _)| if key_is(key, name) { Some(key.span()) } else { find_value(item, name) };
    table.iter().filter_map(within).min_by_key(|span| span.start)
}

fn key_is(key: &Spanned<std::borrow::Cow<'_, str>>, name: &str) -> bool {
    key.get_ref() == name
}

fn find_value(item: &Spanned<DeValue<'_>>, name: &str) -> Option<Range<usize>> {
    match item.get_ref() {
        DeValue::Table(table) => find(table, name),
        DeValue::Array(items) => items.iter().find_map(|item| find_value(item, name)),
        DeValue::String(text) => (text == name).then(|| item.span()),
        DeValue::Integer(number) => (number.as_str() == name).then(|| item.span()),
        _ => None,
    }
}
