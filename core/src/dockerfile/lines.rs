//! From text to logical lines: directives, comments, continuations, here-documents.

use super::error::ParseError;
use super::heredoc::Heredoc;

/// One instruction's text, continuations joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// In lower case.
    pub keyword: String,
    /// As typed.
    pub typed_keyword: String,
    /// What follows the keyword, without blanks around it.
    pub rest: String,
    /// Keyword and rest.
    pub text: String,
    pub first: usize,
    pub last: usize,
    pub heredocs: Vec<Heredoc>,
    /// The comments above it, without `#`, down to the one before the instruction; an empty one begins anew.
    pub comments: Vec<String>,
    /// Whether an empty line was among its continuations.
    pub gap: bool,
}

/// What the comments at the top ask of the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directives {
    pub escape: char,
    pub syntax: Option<String>,
    pub check: Option<String>,
    /// How many lines they take.
    pub lines: usize,
}

/// Reads the directives and the logical lines.
pub fn read(text: &str) -> Result<(Directives, Vec<Line>), ParseError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let physical: Vec<&str> = text.lines().collect();
    let directives = directives(&physical)?;
    let mut lines = Vec::new();
    let mut comments = Vec::new();
    let mut at = 0;
    while at < physical.len() {
        let first = at;
        let start = physical[at].trim_start();
        at += 1;
        if start.starts_with('#') {
            // Of a line its first character goes, whatever it is.
            match physical[at - 1].chars().skip(1).collect::<String>().trim() {
                _ if first < directives.lines => {}
                "" => comments.clear(),
                comment => comments.push(comment.to_string()),
            }
            continue;
        }
        if start.is_empty() {
            continue;
        }
        let (mut text, mut ended) = without_escape(start, directives.escape);
        let mut gap = false;
        while !ended && at < physical.len() {
            let next = physical[at];
            at += 1;
            if next.trim_start().starts_with('#') || next.trim().is_empty() {
                gap |= next.trim().is_empty();
                continue;
            }
            let (more, end) = without_escape(next, directives.escape);
            text.push_str(&more);
            ended = end;
        }
        let mut line = divided(&text, first + 1);
        if takes_heredocs(&line) {
            line.heredocs = Heredoc::all(&line.rest);
            for heredoc in &mut line.heredocs {
                at = body(heredoc, &physical, at, first + 1)?;
            }
        }
        (line.last, line.gap, line.comments) = (at, gap, std::mem::take(&mut comments));
        lines.push(line);
    }
    Ok((directives, lines))
}

/// Reads a here-document's lines from `at` on; gives where the next line begins.
fn body(heredoc: &mut Heredoc, physical: &[&str], mut at: usize, first: usize) -> Result<usize, ParseError> {
    while at < physical.len() {
        let line = physical[at];
        at += 1;
        if heredoc.ends_at(line) {
            return Ok(at);
        }
        heredoc.content.push_str(heredoc.line(line));
        heredoc.content.push('\n');
    }
    Err(ParseError::meaning(first, physical.len(), "unterminated heredoc"))
}

fn takes_heredocs(line: &Line) -> bool {
    let keyword = match line.keyword.as_str() {
        "onbuild" => line.rest.split_whitespace().next().unwrap_or("").to_lowercase(),
        keyword => keyword.to_string(),
    };
    matches!(keyword.as_str(), "run" | "copy" | "add")
}

fn divided(text: &str, first: usize) -> Line {
    let text = text.trim();
    let (keyword, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    Line {
        keyword: keyword.to_lowercase(),
        typed_keyword: keyword.to_string(),
        rest: rest.trim().to_string(),
        text: text.to_string(),
        first,
        last: first,
        heredocs: Vec::new(),
        comments: Vec::new(),
        gap: false,
    }
}

/// The line without the escape that continues it, and whether it ends here.
fn without_escape(line: &str, escape: char) -> (String, bool) {
    let trimmed = line.trim_end_matches([' ', '\t', '\r']);
    match trimmed.strip_suffix(escape) {
        Some(before) if !before.ends_with(escape) => (before.to_string(), false),
        _ => (line.to_string(), true),
    }
}

fn directives(physical: &[&str]) -> Result<Directives, ParseError> {
    let mut found = Directives { escape: '\\', syntax: None, check: None, lines: 0 };
    let mut seen: Vec<String> = Vec::new();
    for (number, line) in physical.iter().enumerate() {
        let Some(comment) = line.trim().strip_prefix('#') else { break };
        let Some((name, value)) = comment.split_once('=') else { break };
        let (name, value) = (name.trim().to_lowercase(), value.trim());
        let is_name =
            name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(|c| c.is_ascii_alphanumeric());
        if !is_name || value.is_empty() {
            break;
        }
        if !matches!(name.as_str(), "escape" | "syntax" | "check") {
            break;
        }
        if seen.contains(&name) {
            let message = format!("only one {name} parser directive can be used");
            // BuildKit names the line before.
            return Err(ParseError::meaning(number, number, message));
        }
        match (name.as_str(), value) {
            ("escape", "\\" | "`") => found.escape = value.chars().next().unwrap_or('\\'),
            ("escape", _) => {
                let message = format!("invalid escape token '{value}' does not match ` or \\");
                return Err(ParseError::meaning(number, number, message));
            }
            ("syntax", _) => found.syntax = Some(value.to_string()),
            _ => found.check = Some(value.to_string()),
        }
        found.lines = number + 1;
        seen.push(name);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(String, usize, usize)> {
        read(text).unwrap().1.into_iter().map(|l| (l.text, l.first, l.last)).collect()
    }

    #[test]
    fn joined_lines() {
        assert_eq!(
            texts("# c\nFROM a\n\nRUN b \\\n  # inside\n\n  && c\nENV A=1 \\\n"),
            [("FROM a".into(), 2, 2), ("RUN b   && c".into(), 4, 7), ("ENV A=1".into(), 8, 8)]
        );
        assert_eq!(texts("RUN echo a\\\\\nRUN b"), [("RUN echo a\\\\".into(), 1, 1), ("RUN b".into(), 2, 2)]);
        assert_eq!(texts("# escape=`\nRUN dir c:\\ `\n  x"), [("RUN dir c:\\   x".into(), 2, 3)]);
        assert_eq!(texts("\u{feff}FROM a\r\nRUN b\r\n"), [("FROM a".into(), 1, 1), ("RUN b".into(), 2, 2)]);
    }

    #[test]
    fn here_documents() {
        let (_, lines) = read("RUN <<EOF\necho 1\n# kept\nEOF\nCOPY <<-A <<B /x\n\tone\n\tA\ntwo\nB\nRUN x").unwrap();
        assert_eq!(lines[0].heredocs[0].content, "echo 1\n# kept\n");
        assert_eq!((lines[0].first, lines[0].last), (1, 4));
        assert_eq!(lines[1].heredocs[0].content, "one\n");
        assert_eq!(lines[1].heredocs[1].content, "two\n");
        assert_eq!(lines[2].text, "RUN x");
        assert_eq!(read("RUN <<EOF\necho").unwrap_err().to_string(), "unterminated heredoc");
    }

    #[test]
    fn comments_above() {
        let text = "# check=skip=all\n# a is\n\nFROM x\n# gone\n#\n# b\n # c\nRUN y\nRUN z";
        let lines = read(text).unwrap().1;
        let comments: Vec<&[String]> = lines.iter().map(|l| l.comments.as_slice()).collect();
        assert_eq!(comments, [&["a is".to_string()][..], &["b".to_string(), "# c".to_string()], &[]]);
    }

    #[test]
    fn directives_come_first() {
        let (directives, _) = read("# syntax=docker/dockerfile:1\n# escape=`\nFROM a").unwrap();
        assert_eq!((directives.escape, directives.syntax.as_deref()), ('`', Some("docker/dockerfile:1")));
        assert_eq!(read("# a comment\n# escape=`\nFROM a").unwrap().0.escape, '\\');
        let error = read("# escape=x\nFROM a").unwrap_err().to_string();
        assert_eq!(error, "invalid escape token 'x' does not match ` or \\");
    }
}
