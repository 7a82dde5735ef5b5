//! The flags of an instruction: `--name=value` words before its arguments.

use super::parse::nearest;

/// Flags in the order they were given, and what comes after them.
pub struct Flags {
    given: Vec<(String, Option<String>)>,
}

/// Divides an instruction's text into its flags and the rest.
pub fn split(text: &str) -> (Flags, String) {
    let mut given = Vec::new();
    let mut rest = text.trim_start();
    while let Some(flag) = rest.strip_prefix("--") {
        let end = end_of_word(flag);
        let word: String = flag[..end].to_string();
        rest = flag[end..].trim_start();
        if word.is_empty() {
            break;
        }
        match word.split_once('=') {
            Some((name, value)) => given.push((name.to_string(), Some(unquoted(value)))),
            None => given.push((word, None)),
        }
    }
    (Flags { given }, rest.to_string())
}

fn end_of_word(text: &str) -> usize {
    let mut quote = None;
    for (i, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, c) if c.is_whitespace() => return i,
            _ => {}
        }
    }
    text.len()
}

fn unquoted(value: &str) -> String {
    value.chars().filter(|c| !matches!(c, '"' | '\'')).collect()
}

impl Flags {
    /// Checks that only these flags were given, each but the `repeated` ones once.
    pub fn allow(&self, names: &[&str], repeated: &[&str]) -> Result<(), String> {
        for (i, (name, _)) in self.given.iter().enumerate() {
            if !names.contains(&name.as_str()) && !repeated.contains(&name.as_str()) {
                let near = nearest(name, names.iter().chain(repeated).copied());
                let near = near.map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
                return Err(format!("unknown flag: --{name}{near}"));
            }
            if !repeated.contains(&name.as_str()) && self.given[..i].iter().any(|(n, _)| n == name) {
                return Err(format!("duplicate flag specified: --{name}"));
            }
        }
        Ok(())
    }

    /// The value of a flag that needs one.
    pub fn value(&self, name: &str) -> Result<Option<String>, String> {
        match self.given.iter().find(|(n, _)| n == name) {
            None => Ok(None),
            Some((_, Some(value))) => Ok(Some(value.clone())),
            Some((_, None)) => Err(format!("missing a value on flag: --{name}")),
        }
    }

    pub fn values(&self, name: &str) -> Result<Vec<String>, String> {
        let given = self.given.iter().filter(|(n, _)| n == name);
        given.map(|(_, v)| v.clone().ok_or_else(|| format!("missing a value on flag: --{name}"))).collect()
    }

    pub fn boolean(&self, name: &str) -> Result<bool, String> {
        match self.given.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_deref()) {
            None => Ok(false),
            Some(None) => Ok(true),
            Some(Some("")) => Err(format!("missing a value on flag: --{name}")),
            Some(Some(value)) => match value.to_lowercase().as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(format!("expecting boolean value for flag --{name}, not: {value}")),
            },
        }
    }
}
