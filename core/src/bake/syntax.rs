//! Definitions as written: blocks and attributes of HCL, and the same of JSON.
//!
//! HCL is parsed by `hcl-edit`. In JSON a string is a template, and a block is an object with an object for each label
//! (HCL's JSON syntax).

use super::diagnostic::{Place, Result, Source, Wrong};
use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::Structure;
use serde_json::Value as Json;
use std::ops::Range;
use std::rc::Rc;

/// The kinds of block that there are.
const KINDS: [&str; 5] = ["target", "group", "variable", "function", "validation"];

/// A value that is still to be worked out.
#[derive(Clone, Debug)]
pub struct Expr {
    pub source: Rc<Source>,
    pub form: Form,
}

#[derive(Clone, Debug)]
pub enum Form {
    Hcl(Rc<Expression>),
    Json(Rc<Json>),
}

impl Expr {
    pub fn place(&self) -> Place {
        match &self.form {
            Form::Hcl(expression) => Place::new(&self.source, expression.span().unwrap_or_default()),
            Form::Json(_) => Place::new(&self.source, 0..0),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Attribute {
    pub name: String,
    pub value: Expr,
    /// Name and value.
    pub place: Place,
}

#[derive(Clone, Debug)]
pub struct Block {
    pub kind: String,
    /// Each with its place.
    pub labels: Vec<(String, Place)>,
    pub body: Body,
    /// All of it.
    pub place: Place,
}

#[derive(Clone, Debug, Default)]
pub struct Body {
    pub attributes: Vec<Attribute>,
    pub blocks: Vec<Block>,
}

impl Body {
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }
}

/// Reads a file of HCL.
///
/// # Errors
/// Where the text is not HCL.
pub fn parse_hcl(source: &Rc<Source>) -> Result<Body> {
    let body = hcl_edit::parser::parse_body(&source.text).map_err(|error| {
        let (span, summary, detail) = told(&source.name, &source.text, error.location().offset(), error.message());
        Wrong::at(&Place::new(source, span), summary, detail)
    })?;
    body_of(source, body)
}

fn body_of(source: &Rc<Source>, body: hcl_edit::structure::Body) -> Result<Body> {
    let place = |span: Option<Range<usize>>| Place::new(source, span.unwrap_or_default());
    let mut made = Body::default();
    for structure in body {
        match structure {
            Structure::Attribute(attribute) => {
                let (from, to) = (attribute.key.span(), attribute.value.span());
                let span = from.zip(to).map(|(from, to)| from.start..to.end);
                let form = Form::Hcl(Rc::new(attribute.value));
                let value = Expr { source: source.clone(), form };
                made.attributes.push(Attribute { name: attribute.key.to_string(), value, place: place(span) });
            }
            Structure::Block(block) => {
                let label = |label: &hcl_edit::structure::BlockLabel| (label.as_str().to_string(), place(label.span()));
                made.blocks.push(Block {
                    kind: block.ident.to_string(),
                    labels: block.labels.iter().map(label).collect(),
                    place: place(block.span()),
                    body: body_of(source, block.body)?,
                });
            }
        }
    }
    Ok(made)
}

/// Reads a file of JSON.
///
/// # Errors
/// Where the text is no object of JSON.
pub fn parse_json(source: &Rc<Source>) -> Result<Body> {
    let parsed: Json = serde_json::from_str(&source.text).map_err(|error| {
        let before: usize = source.text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let at = (before + error.column().saturating_sub(1)).min(source.text.len());
        let detail = error.to_string();
        let detail = detail.split(" at line ").next().unwrap_or_default().to_string();
        Wrong::at(&Place::new(source, token(&source.text, at)), "Invalid JSON", detail)
    })?;
    match parsed {
        Json::Object(_) => Ok(json_body(source, &parsed)),
        Json::Array(all) if all.iter().all(Json::is_object) => {
            let mut body = Body::default();
            for one in all.iter().map(|one| json_body(source, one)) {
                body.attributes.extend(one.attributes);
                body.blocks.extend(one.blocks);
            }
            Ok(body)
        }
        _ => {
            let detail =
                "The root of a JSON-based configuration must be either a JSON object or a JSON array of objects.";
            let place = Place::new(source, token(&source.text, 0));
            Err(Wrong::at(&place, "Root value must be object", detail))
        }
    }
}

fn json_body(source: &Rc<Source>, value: &Json) -> Body {
    let place = Place::new(source, 0..0);
    let mut body = Body::default();
    for (name, value) in value.as_object().into_iter().flatten() {
        if !KINDS.contains(&name.as_str()) {
            let value = Expr { source: source.clone(), form: Form::Json(Rc::new(value.clone())) };
            body.attributes.push(Attribute { name: name.clone(), value, place: place.clone() });
            continue;
        }
        let mut add = |labels: Vec<(String, Place)>, value: &Json| {
            for one in listed(value) {
                let (kind, place, body_) = (name.clone(), place.clone(), json_body(source, one));
                body.blocks.push(Block { kind, labels: labels.clone(), body: body_, place });
            }
        };
        if name == "validation" {
            add(Vec::new(), value);
            continue;
        }
        for labelled in listed(value) {
            for (label, value) in labelled.as_object().into_iter().flatten() {
                add(vec![(label.clone(), place.clone())], value);
            }
        }
    }
    body
}

fn listed(value: &Json) -> Vec<&Json> {
    match value {
        Json::Array(all) => all.iter().collect(),
        one => vec![one],
    }
}

/// The word or sign at an offset.
fn token(text: &str, at: usize) -> Range<usize> {
    let at = text.floor_char_boundary(at.min(text.len()));
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let rest = &text[at..];
    let length = match rest.chars().next() {
        None => 0,
        Some(first) if word(first) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
        Some(first) => first.len_utf8(),
    };
    at..at + length
}

/// What is wrong with a text that is not HCL, in HCL's own words: the parser says where, and what it looked for.
fn told(file: &str, text: &str, at: usize, expected: &str) -> (Range<usize>, &'static str, String) {
    let here = token(text, at);
    let found = &text[here.clone()];
    if expected.contains("redefined attribute") {
        return redefined(file, text, here);
    }
    let unclosed = |open: usize| {
        let detail = "There is no closing brace for this block before the end of the file. This may be caused by incorrect brace nesting elsewhere in this file.";
        (open..open + 1, "Unclosed configuration block", detail.to_string())
    };
    if text[at.min(text.len())..].trim().is_empty()
        && expected.contains("block body")
        && let Some(open) = open_brace(text)
    {
        return unclosed(open);
    }
    let line = text[..here.start].rsplit('\n').next().unwrap_or("");
    let (summary, detail) = match found {
        _ if expected.contains("invalid structure") => {
            let name = line.trim_end();
            let start = here.start - line.len() + name.rfind(char::is_whitespace).map_or(0, |i| i + 1);
            let detail = "An argument or block definition is required here. To set an argument, use the equals sign \"=\" to introduce the argument value.";
            let span = start..here.start - (line.len() - name.len());
            return (span, "Argument or block definition required", detail.into());
        }
        "," if expected.contains("newline") => (
            "Unexpected comma after argument",
            "Argument definitions must be separated by newlines, not commas. An argument definition must end with a newline.",
        ),
        _ if expected.contains("newline") && line.trim_end().ends_with('}') && !line.contains('=') => {
            ("Missing newline after block definition", "A block definition must end with a newline.")
        }
        _ if expected.contains("newline or eof") && !line.trim().is_empty() => {
            ("Missing newline after argument", "An argument definition must end with a newline.")
        }
        "=" if expected == "expected `{`" => (
            "Invalid block definition",
            "The equals sign \"=\" indicates an argument definition, and must not be used when defining a block.",
        ),
        "\n" if expected == "expected `{`" => (
            "Invalid block definition",
            "A block definition must have block content delimited by \"{\" and \"}\", starting on the same line as the block header.",
        ),
        _ if expected == "expected `{`" => (
            "Invalid block definition",
            "Either a quoted string block label or an opening brace (\"{\") is expected here.",
        ),
        "\n" if expected.contains("expression") => {
            ("Invalid expression", "Expected the start of an expression, but found an invalid expression token.")
        }
        "'" => ("Invalid character", "Single quotes are not valid. Use double quotes (\") to enclose strings."),
        _ if expected.contains("invalid expression") => {
            ("Invalid expression", "Expected the start of an expression, but found an invalid expression token.")
        }
        _ if expected.contains("`]`") => {
            ("Missing item separator", "Expected a comma to mark the beginning of the next item.")
        }
        _ if expected.contains("`)`") => {
            ("Missing argument separator", "A comma is required to separate each function argument from the next.")
        }
        _ if expected == "unexpected token" || expected.is_empty() => {
            ("Argument or block definition required", "An argument or block definition is required here.")
        }
        _ => return (here, "Invalid expression", format!("This text is not valid here: {expected}.")),
    };
    // The end of a line is a sign, too, and reaches to the beginning of the next.
    (here, summary, detail.into())
}

/// Two attributes of one name.
fn redefined(file: &str, text: &str, here: Range<usize>) -> (Range<usize>, &'static str, String) {
    let name = text[here.clone()].to_string();
    let mut end = here.start;
    for line in text[..here.start].split_inclusive('\n').rev() {
        end -= line.len();
        let indent = line.len() - line.trim_start().len();
        let rest = line.trim_start().strip_prefix(name.as_str()).map(str::trim_start);
        if rest.is_some_and(|rest| rest.starts_with('=') && !rest.starts_with("==")) {
            let before = &text[..end];
            let (row, column) = (before.matches('\n').count() + 1, indent + 1);
            let earlier = format!("{file}:{row},{column}-{}", column + name.len());
            let detail =
                format!("The argument {name:?} was already set at {earlier}. Each argument may be set only once.");
            return (here, "Attribute redefined", detail);
        }
    }
    (here, "Attribute redefined", format!("The argument {name:?} was already set. Each argument may be set only once."))
}

/// The last brace that was opened and is not closed.
fn open_brace(text: &str) -> Option<usize> {
    let mut open = Vec::new();
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '{' if !quoted => open.push(at),
            '}' if !quoted => drop(open.pop()),
            _ => {}
        }
    }
    open.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, text: &str) -> Rc<Source> {
        Rc::new(Source { name: name.into(), text: text.into() })
    }

    #[test]
    fn what_is_not_hcl_is_told_with_its_place() {
        for (text, expected) in [
            (
                "target \"a\" {\n  foo bar\n}\n",
                "f:2,10-3,1: Invalid block definition; A block definition must have block content delimited by \"{\" and \"}\", starting on the same line as the block header.",
            ),
            (
                "target \"a\" {\n  x = \n}\n",
                "f:2,7-3,1: Invalid expression; Expected the start of an expression, but found an invalid expression token.",
            ),
            ("x = 1 2\n", "f:1,7-8: Missing newline after argument; An argument definition must end with a newline."),
            (
                "target \"a\" {\n x=1\n",
                "f:1,12-13: Unclosed configuration block; There is no closing brace for this block before the end of the file. This may be caused by incorrect brace nesting elsewhere in this file.",
            ),
            (
                "a\n",
                "f:1,1-2: Argument or block definition required; An argument or block definition is required here. To set an argument, use the equals sign \"=\" to introduce the argument value.",
            ),
            (
                "x = 1\nx = 2\n",
                "f:2,1-2: Attribute redefined; The argument \"x\" was already set at f:1,1-2. Each argument may be set only once.",
            ),
            (
                "v = 'a'\n",
                "f:1,5-6: Invalid character; Single quotes are not valid. Use double quotes (\") to enclose strings.",
            ),
        ] {
            let wrong = parse_hcl(&source("f", text)).expect_err(text);
            assert_eq!(wrong.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn json_is_read_as_blocks() {
        let text = r#"{"group":{"default":{"targets":["a"]}},"target":{"a":[{"tags":["x"]},{"args":{}}]},"TAG":"v1"}"#;
        let body = parse_json(&source("f.json", text)).expect("JSON");
        let blocks: Vec<String> = body.blocks.iter().map(|b| format!("{} {}", b.kind, b.labels[0].0)).collect();
        assert_eq!(blocks, ["group default", "target a", "target a"]);
        assert_eq!(body.attributes[0].name, "TAG");
        assert!(parse_json(&source("f.json", "[1]")).is_err());
    }
}
