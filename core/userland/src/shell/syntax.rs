//! What a script is made of, once it has been read: lists of pipelines of commands, and words in pieces.
//!
//! Parts that may be handed to a child process are shared (`Rc`), so that a fork copies no syntax.

use std::cell::OnceCell;
use std::rc::Rc;

/// Commands one after another.
#[derive(Clone, Debug, Default)]
pub struct List(pub Vec<Item>);

/// One element of a list: a chain of pipelines, perhaps in the background.
#[derive(Clone, Debug)]
pub struct Item {
    pub chain: Rc<Chain>,
    pub background: bool,
    /// As it was typed, for the table of jobs.
    pub text: Rc<str>,
}

/// Pipelines joined by `&&` and `||`.
#[derive(Clone, Debug)]
pub struct Chain {
    pub first: Pipeline,
    pub rest: Vec<(Join, Pipeline)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    And,
    Or,
}

#[derive(Clone, Debug)]
pub struct Pipeline {
    pub negated: bool,
    pub timed: bool,
    pub commands: Vec<Rc<Command>>,
}

#[derive(Clone, Debug)]
pub struct Command {
    pub line: usize,
    pub kind: Kind,
    pub redirects: Vec<Redirect>,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Simple { assigns: Vec<Assign>, words: Vec<Word> },
    Group(List),
    Subshell(List),
    If { arms: Vec<(List, List)>, otherwise: Option<List> },
    For { name: String, words: Option<Vec<Word>>, body: List },
    Select { name: String, words: Option<Vec<Word>>, body: List },
    ArithFor { start: Word, condition: Word, step: Word, body: List },
    While { until: bool, condition: List, body: List },
    Case { subject: Word, arms: Vec<Arm> },
    Arith(Word),
    Test(Test),
    Function { name: String, body: Rc<Command> },
}

#[derive(Clone, Debug)]
pub struct Arm {
    pub patterns: Vec<Word>,
    pub body: List,
    pub then: AfterArm,
}

/// What follows an arm of `case`: `;;`, `;&` or `;;&`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterArm {
    Leave,
    FallThrough,
    GoOn,
}

/// `name=value`, `name[index]=value`, `name+=value`, `name=(…)`.
#[derive(Clone, Debug)]
pub struct Assign {
    pub name: String,
    pub index: Option<Word>,
    pub append: bool,
    pub value: Assigned,
}

#[derive(Clone, Debug)]
pub enum Assigned {
    Scalar(Word),
    Array(Vec<(Option<Word>, Word)>),
}

#[derive(Clone, Debug)]
pub struct Redirect {
    pub fd: i32,
    pub kind: RedirectKind,
}

#[derive(Clone, Debug)]
pub enum RedirectKind {
    Read(Word),
    Write {
        target: Word,
        clobber: bool,
    },
    Append(Word),
    ReadWrite(Word),
    /// `n<&word` and `n>&word`.
    Duplicate(Word),
    /// `&>word` and `&>>word`.
    Both {
        target: Word,
        append: bool,
    },
    /// The body is filled in where the line ends.
    HereDocument(Rc<OnceCell<Word>>),
    HereString(Word),
}

/// The conditions of `[[ … ]]`.
#[derive(Clone, Debug)]
pub enum Test {
    Not(Box<Test>),
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Unary(String, Word),
    Binary(Word, String, Word),
    Word(Word),
}

/// A word: its pieces, side by side.
#[derive(Clone, Debug, Default)]
pub struct Word(pub Vec<Part>);

#[derive(Clone, Debug)]
pub enum Part {
    /// Plain characters, which may be patterns and separators of braces.
    Literal(String),
    /// Characters taken as they are.
    Quoted(String),
    /// A part in double quotes.
    Double(Vec<Part>),
    /// `~` or `~user`.
    Tilde(String),
    Parameter(Box<Parameter>),
    /// `$(…)` and `` `…` ``.
    Command(Rc<List>),
    /// `$((…))`.
    Arith(Word),
    /// `<(…)` where `reads`, or `>(…)`.
    Process {
        reads: bool,
        list: Rc<List>,
    },
}

/// `$name` and all of `${…}`.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: String,
    pub index: Option<Index>,
    /// `${!name…}`.
    pub indirect: bool,
    pub action: Action,
}

#[derive(Clone, Debug)]
pub enum Index {
    At,
    Star,
    Of(Word),
}

#[derive(Clone, Debug)]
pub enum Action {
    Value,
    Length,
    /// `-`; `colon` treats an empty value as none.
    Default {
        colon: bool,
        word: Word,
    },
    /// `=`.
    Assign {
        colon: bool,
        word: Word,
    },
    /// `?`.
    Demand {
        colon: bool,
        word: Word,
    },
    /// `+`.
    Alternative {
        colon: bool,
        word: Word,
    },
    /// `#`, `##`, `%`, `%%`.
    Trim {
        suffix: bool,
        longest: bool,
        pattern: Word,
    },
    Substring {
        offset: Word,
        length: Option<Word>,
    },
    Replace {
        pattern: Word,
        with: Word,
        which: Which,
    },
    /// `^`, `^^`, `,`, `,,`.
    Case {
        upper: bool,
        all: bool,
        pattern: Word,
    },
    /// `@Q` and its like.
    Transform(char),
    /// `${!prefix*}`.
    Names {
        at: bool,
    },
    /// `${!array[@]}`.
    Keys {
        at: bool,
    },
    /// Not a form there is: an error where it is expanded, as in other shells.
    Bad,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    First,
    All,
    Prefix,
    Suffix,
}

impl Word {
    pub fn literal(text: &str) -> Word {
        Word(vec![Part::Literal(text.to_string())])
    }

    /// The text of a word that is nothing but plain characters.
    pub fn plain(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part::Literal(text)] => Some(text),
            [] => Some(""),
            _ => None,
        }
    }

    /// The word without its quotes where nothing in it is expanded: what a here-document ends with.
    pub fn unquoted(&self) -> (String, bool) {
        fn collect(parts: &[Part], text: &mut String, quoted: &mut bool) {
            for part in parts {
                match part {
                    Part::Literal(s) => text.push_str(s),
                    Part::Tilde(s) => {
                        text.push('~');
                        text.push_str(s);
                    }
                    Part::Quoted(s) => {
                        *quoted = true;
                        text.push_str(s);
                    }
                    Part::Double(inner) => {
                        *quoted = true;
                        collect(inner, text, quoted);
                    }
                    _ => {}
                }
            }
        }
        let (mut text, mut quoted) = (String::new(), false);
        collect(&self.0, &mut text, &mut quoted);
        (text, quoted)
    }
}
