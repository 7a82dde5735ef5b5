//! Go templates over JSON values, as `--format` takes them, with Docker's functions and errors.
//!
//! Own code, because the crate `gtmpl` (0.7) words errors differently, knows no error positions, has no way
//! to tell "no such key" from "no such field of this type", and lacks `break`, `and`/`or` that stop early, and
//! Go's rules for printing. Here a template is parsed once ([`Template::parse`]) and executed with a value as
//! its dot. What JSON can't tell (the Go types behind it) is in [`Shape`].
//!
//! Source: Go's text/template and fmt; docker/cli, templates/templates.go.

mod execute;
mod functions;
mod lex;
mod parse;
mod print;
mod sprintf;
mod tree;
mod value;

#[cfg(test)]
mod tests;

pub use value::{Shape, Zero};

use serde_json::Value;
use std::fmt;

/// A parsed template.
#[derive(Clone, Debug)]
pub struct Template {
    source: String,
    nodes: Vec<tree::Node>,
    defined: cutaway_userland::sorted::Map<String, Vec<tree::Node>>,
}

/// Why a template can't be parsed or executed, as Go words it: `template: :1:2: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError(pub String);

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// As Go words them: `template: :1: unclosed action`.
    pub fn parse(source: &str) -> Result<Template, TemplateError> {
        parse::parse(source)
    }

    /// Executes it with `dot`; `shape` says what kind of Go value `dot` stands for.
    ///
    /// # Errors
    /// As Go words them: `template: :1:2: executing "" at <.Nope>: map has no entry for key "Nope"`.
    pub fn execute(&self, dot: &Value, shape: &Shape) -> Result<String, TemplateError> {
        execute::execute(self, dot, shape)
    }
}
