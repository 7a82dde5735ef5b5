//! What a template is made of once it is parsed.

use std::ops::Range;

/// Where a part stands in the source.
pub(super) type Span = Range<usize>;

#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Action(Pipe),
    If { pipe: Pipe, then: Vec<Node>, or_else: Vec<Node> },
    With { pipe: Pipe, then: Vec<Node>, or_else: Vec<Node> },
    Range { pipe: Pipe, body: Vec<Node>, or_else: Vec<Node> },
    Template { name: String, pipe: Option<Pipe>, span: Span },
    Break,
    Continue,
}

/// Commands, each given the result of the one before it as its last argument.
#[derive(Clone, Debug)]
pub(super) struct Pipe {
    /// Variables that it sets, without `$`.
    pub variables: Vec<String>,
    /// `=` and not `:=`.
    pub assign: bool,
    pub commands: Vec<Call>,
}

/// A value, or a function with arguments.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub words: Vec<Operand>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub kind: Kind,
    /// Of all of it, for the text in errors.
    pub span: Span,
    /// Where Go says that it is: its second field where it has more than one.
    pub at: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Dot,
    Nil,
    Field(Vec<String>),
    /// `$` is the empty name.
    Variable(String, Vec<String>),
    Function(String),
    Text(String),
    Int(i64),
    Float(f64),
    Complex(f64, f64),
    Bool(bool),
    Pipe(Box<Pipe>),
    /// `(…).Field`.
    Chain(Box<Operand>, Vec<String>),
}
