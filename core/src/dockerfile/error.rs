//! What is wrong with a Dockerfile, and where.

use std::fmt;

/// An error at some lines, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    pub line: usize,
    pub last_line: usize,
    /// In BuildKit's words.
    pub message: String,
    /// Whether it is about the text itself; else about what the text asks for, and no line is named.
    pub syntax: bool,
}

impl ParseError {
    pub fn at(line: usize, last_line: usize, message: impl Into<String>) -> ParseError {
        ParseError { line, last_line, message: message.into(), syntax: true }
    }

    /// About what well-formed text asks for.
    pub fn meaning(line: usize, last_line: usize, message: impl Into<String>) -> ParseError {
        ParseError { line, last_line, message: message.into(), syntax: false }
    }
}

/// As `dockerfile parse error on line 2: unknown instruction: FLY`.
impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.syntax {
            write!(f, "dockerfile parse error on line {}: {}", self.line, self.message)
        } else {
            f.write_str(&self.message)
        }
    }
}

impl std::error::Error for ParseError {}

/// The lines around `first..=last` with those marked, as BuildKit prints them under `name`.
pub fn excerpt(name: &str, text: &str, first: usize, last: usize) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    if first == 0 || first > lines.len() {
        return String::new();
    }
    let last = last.clamp(first, lines.len());
    let (mut from, mut to) = (first, last);
    let around = if from == to { 4 } else { 2 };
    let mut shown = 0;
    while shown < around {
        if from > 1 {
            from -= 1;
            shown += 1;
        }
        if to != lines.len() {
            to += 1;
            shown += 1;
        }
        shown += 1;
    }
    let mut out = format!("{name}:{first}\n--------------------\n");
    for number in from..=to {
        let mark = if (first..=last).contains(&number) { ">>>" } else { "   " };
        out.push_str(&format!(" {number:3} | {mark} {}\n", lines[number - 1].trim_end_matches('\r')));
    }
    out + "--------------------\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts() {
        assert_eq!(
            excerpt("Dockerfile", "FROM busybox\nFLY away\n", 2, 2),
            "Dockerfile:2\n--------------------\n   1 |     FROM busybox\n   2 | >>> FLY away\n   3 |     \n--------------------\n"
        );
        assert_eq!(
            excerpt("Dockerfile", "RUN echo no base\n", 1, 1),
            "Dockerfile:1\n--------------------\n   1 | >>> RUN echo no base\n   2 |     \n--------------------\n"
        );
        let ten: String = (1..=10).map(|n| format!("L{n}\n")).collect();
        assert!(
            excerpt("D", &ten, 5, 5)
                .contains("   3 |     L3\n   4 |     L4\n   5 | >>> L5\n   6 |     L6\n   7 |     L7\n---")
        );
        assert_eq!(excerpt("D", "a", 9, 9), "");
    }
}
