//! `$VAR`, `${VAR:-default}` and their kin, in the texts of a Compose file. Source: compose-go's template.

use cutaway_userland::sorted::{Map as BTreeMap, Set as BTreeSet};
use std::cell::RefCell;

/// A variable that a file asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variable {
    pub required: bool,
    /// What is taken where it is not set.
    pub default: String,
    /// What is taken where it is set.
    pub alternate: String,
}

/// Where variables come from, and what was noticed while they were put in.
pub struct Variables<'a> {
    pub lookup: &'a dyn Fn(&str) -> Option<String>,
    /// Variables that were not set, to warn of each once.
    pub unset: RefCell<BTreeSet<String>>,
    /// All that were asked for, with their defaults.
    pub asked: RefCell<BTreeMap<String, Variable>>,
}

/// Why a text can't be interpolated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// The text is no template.
    Invalid(String),
    /// A required variable is missing; the message.
    Required(String),
}

impl<'a> Variables<'a> {
    pub fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Variables<'a> {
        Variables { lookup, unset: RefCell::default(), asked: RefCell::default() }
    }

    /// Puts the variables into a text.
    ///
    /// # Errors
    /// See [`TemplateError`].
    pub fn fill(&self, template: &str) -> Result<String, TemplateError> {
        let mut out = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let invalid = || TemplateError::Invalid(template.to_string());
            match rest.bytes().next() {
                Some(b'$') => {
                    out.push('$');
                    rest = &rest[1..];
                }
                Some(b'{') => {
                    let end = closing(&rest[1..]).ok_or_else(invalid)?;
                    out.push_str(&self.braced(&rest[1..1 + end], template)?);
                    rest = &rest[end + 2..];
                }
                Some(b) if b.is_ascii_alphabetic() || b == b'_' => {
                    let end = name_end(rest);
                    out.push_str(&self.plain(&rest[..end]));
                    rest = &rest[end..];
                }
                _ => return Err(invalid()),
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn plain(&self, name: &str) -> String {
        self.asked.borrow_mut().entry(name.to_string()).or_default();
        (self.lookup)(name).unwrap_or_else(|| {
            self.unset.borrow_mut().insert(name.to_string());
            String::new()
        })
    }

    /// What stands between the braces.
    fn braced(&self, inner: &str, template: &str) -> Result<String, TemplateError> {
        let end = name_end(inner);
        let (name, operator) = inner.split_at(end);
        if name.is_empty() || !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return Err(TemplateError::Invalid(template.to_string()));
        }
        if operator.is_empty() {
            return Ok(self.plain(name));
        }
        let (colon, operator) = match operator.strip_prefix(':') {
            Some(rest) => (true, rest),
            None => (false, operator),
        };
        let mut letters = operator.chars();
        let kind = letters.next();
        let word = letters.as_str();
        let value = (self.lookup)(name).filter(|v| !colon || !v.is_empty());
        let mut asked = self.asked.borrow_mut();
        let known = asked.entry(name.to_string()).or_default();
        match kind {
            Some('-') => known.default = word.to_string(),
            Some('+') => known.alternate = word.to_string(),
            Some('?') => known.required = true,
            _ => {}
        }
        drop(asked);
        match (kind, value) {
            (Some('-'), Some(value)) | (Some('?'), Some(value)) => Ok(value),
            (Some('-'), None) => self.fill(word),
            (Some('+'), Some(_)) => self.fill(word),
            (Some('+'), None) => Ok(String::new()),
            (Some('?'), None) => {
                let word = self.fill(word)?;
                let reason = if word.is_empty() { String::new() } else { format!(": {word}") };
                Err(TemplateError::Required(format!("required variable {name} is missing a value{reason}")))
            }
            _ => Err(TemplateError::Invalid(template.to_string())),
        }
    }
}

fn name_end(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}

/// Where the brace that closes is, nested ones passed over.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if at > 0 && bytes[at - 1] == b'$' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables() {
        let lookup = |name: &str| match name {
            "A" => Some("a".to_string()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let variables = Variables::new(&lookup);
        for (template, filled) in [
            ("$A-${A}", "a-a"),
            ("$$A", "$A"),
            ("${X:-x}${EMPTY:-y}${EMPTY-z}", "xy"),
            ("${X:-${A}b}", "ab"),
            ("${A:+set}${X:+set}${EMPTY+set}", "setset"),
            ("${A?no}", "a"),
            ("<$X>", "<>"),
        ] {
            assert_eq!(variables.fill(template).as_deref(), Ok(filled), "{template}");
        }
        assert!(variables.unset.borrow().contains("X"));
        assert!(matches!(variables.fill("${"), Err(TemplateError::Invalid(_))));
        assert!(matches!(variables.fill("$ x"), Err(TemplateError::Invalid(_))));
        assert_eq!(
            variables.fill("${EMPTY:?say it}"),
            Err(TemplateError::Required("required variable EMPTY is missing a value: say it".into()))
        );
    }
}
