//! What is wrong with a definition, and where: a summary and a detail with a place in a file, as HCL tells it.

use std::fmt;
use std::ops::Range;
use std::rc::Rc;

/// A file of definitions.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// As it was named on the command line.
    pub name: String,
    pub text: String,
}

/// Some of a file's text, by bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub source: Rc<Source>,
    pub span: Range<usize>,
}

impl Place {
    pub fn new(source: &Rc<Source>, span: Range<usize>) -> Place {
        Place { source: source.clone(), span }
    }

    /// Line and column, both from one; a column is a character.
    fn position(&self, offset: usize) -> (usize, usize) {
        let text = &self.source.text;
        let before = &text[..text.floor_char_boundary(offset.min(text.len()))];
        let line = before.matches('\n').count() + 1;
        (line, before.rsplit('\n').next().unwrap_or("").chars().count() + 1)
    }

    /// The first and the last line.
    pub fn lines(&self) -> (usize, usize) {
        (self.position(self.span.start).0, self.position(self.span.end).0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let ((line, column), (last, end)) = (self.position(self.span.start), self.position(self.span.end));
        match line == last {
            true => write!(f, "{}:{line},{column}-{end}", self.source.name),
            false => write!(f, "{}:{line},{column}-{last},{end}", self.source.name),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub summary: String,
    pub detail: String,
    pub place: Place,
}

/// Why there is no definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// A sentence about no place.
    Plain(String),
    /// At least one.
    Found(Vec<Diagnostic>),
}

pub type Result<T> = std::result::Result<T, Wrong>;

impl Wrong {
    pub fn at(place: &Place, summary: &str, detail: impl Into<String>) -> Wrong {
        Wrong::Found(vec![Diagnostic { summary: summary.into(), detail: detail.into(), place: place.clone() }])
    }

    /// With a place, where it has none yet.
    #[must_use]
    pub fn or_at(self, place: &Place, summary: &str) -> Wrong {
        match self {
            Wrong::Plain(text) => Wrong::at(place, summary, text),
            found => found,
        }
    }

    /// The lines of the first, as they are shown above the message.
    pub fn excerpt(&self) -> String {
        let Wrong::Found(all) = self else { return String::new() };
        let Some(Diagnostic { place, .. }) = all.first() else { return String::new() };
        let (first, last) = place.lines();
        crate::dockerfile::excerpt(&place.source.name, &place.source.text, first, last)
    }
}

impl From<String> for Wrong {
    fn from(text: String) -> Wrong {
        Wrong::Plain(text)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Wrong::Plain(text) => f.write_str(text),
            Wrong::Found(all) => {
                if let Some(first) = all.first() {
                    write!(f, "{}: {}; {}", first.place, first.summary, first.detail)?;
                }
                match all.len() {
                    0 | 1 => Ok(()),
                    count => write!(f, ", and {} other diagnostic(s)", count - 1),
                }
            }
        }
    }
}
