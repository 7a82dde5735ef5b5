//! Stages: what stands between one `FROM` and the next.

use super::error::ParseError;
use super::expand::{Vars, expand};
use super::flags::split;
use super::instruction::{Instruction, Located};
use super::lines::{Line, read};
use super::parse::{check_words, instruction};

/// A whole Dockerfile.
#[derive(Clone, Debug, PartialEq)]
pub struct Dockerfile {
    /// What continues a line and protects a character: `\` or a backtick.
    pub escape: char,
    /// The front end that `# syntax=` asks for.
    pub syntax: Option<String>,
    /// `ARG`s before the first `FROM`: names, defaults, and their line.
    pub args: Vec<Located>,
    pub stages: Vec<Stage>,
    /// What `# check=` asks for.
    pub check: Option<String>,
    /// The lines at which instructions end that have an empty line inside.
    pub gaps: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// In lower case.
    pub name: Option<String>,
    /// As typed, variables and all.
    pub base: String,
    pub platform: Option<String>,
    pub instructions: Vec<Located>,
    /// Of its `FROM`.
    pub first: usize,
    pub last: usize,
    pub text: String,
    /// The comments above it.
    pub comments: Vec<String>,
}

impl Stage {
    /// What the comments above it say of its name; empty where they say nothing.
    pub fn comment(&self) -> String {
        comment_of(&self.comments, self.name.as_deref().unwrap_or(""))
    }
}

/// What the comments above a definition say of it: `# name description`.
pub fn comment_of(comments: &[String], name: &str) -> String {
    let own = comments.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    own.filter(|_| !name.is_empty()).unwrap_or("").to_string()
}

impl Dockerfile {
    /// Reads a Dockerfile.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn parse(text: &str) -> Result<Dockerfile, ParseError> {
        let (directives, lines) = read(text)?;
        if lines.is_empty() {
            let last = text.lines().count();
            return Err(match text.is_empty() {
                true => ParseError::meaning(0, 0, "the Dockerfile cannot be empty"),
                false => ParseError::meaning(last, last, "file with no instructions"),
            });
        }
        let mut file = Dockerfile {
            escape: directives.escape,
            syntax: directives.syntax,
            args: Vec::new(),
            stages: Vec::new(),
            check: directives.check,
            gaps: lines.iter().filter(|l| l.gap).map(|l| l.last).collect(),
        };
        for line in &lines {
            check_words(line, directives.escape)
                .map_err(|message| ParseError::meaning(line.first, line.last, message))?;
        }
        for line in &lines {
            if line.keyword == "from" {
                let stage = stage(line).map_err(|message| ParseError::at(line.first, line.last, message))?;
                file.stages.push(stage);
                continue;
            }
            let located = instruction(line, directives.escape)?;
            match (file.stages.last_mut(), &located.instruction) {
                (Some(stage), _) => stage.instructions.push(located),
                (None, Instruction::Arg(_)) => file.args.push(located),
                (None, _) => {
                    return Err(ParseError::meaning(line.first, line.last, "no build stage in current context"));
                }
            }
        }
        if file.stages.is_empty() {
            return Err(ParseError::meaning(0, 0, "dockerfile contains no stages to build"));
        }
        Ok(file)
    }

    /// The stage of this name (in any case), or number.
    pub fn stage_index(&self, name: &str) -> Option<usize> {
        let lower = name.to_lowercase();
        let named = self.stages.iter().rposition(|s| s.name.as_deref() == Some(lower.as_str()));
        named.or_else(|| name.parse::<usize>().ok().filter(|n| *n < self.stages.len()))
    }

    /// The values of the `ARG`s before the first `FROM`, with what the command line gives them.
    pub fn global_args(&self, given: &Vars, predefined: &Vars) -> Result<Vars, ParseError> {
        let mut values = predefined.clone();
        for located in &self.args {
            let Instruction::Arg(args) = &located.instruction else { continue };
            for (name, default) in args {
                let value = match (given.get(name), default) {
                    (Some(value), _) => Some(value.clone()),
                    (None, Some(default)) => Some(
                        expand(default, &values, self.escape)
                            .map_err(|e| ParseError::meaning(located.first, located.last, e))?,
                    ),
                    (None, None) => None,
                };
                if let Some(value) = value {
                    values.insert(name.clone(), value);
                }
            }
        }
        Ok(values)
    }
}

fn stage(line: &Line) -> Result<Stage, String> {
    let (flags, rest) = split(&line.rest);
    let words: Vec<&str> = rest.split_whitespace().collect();
    let (base, name) = match words.as_slice() {
        [base] => (*base, None),
        [base, word, name] if word.eq_ignore_ascii_case("as") => (*base, Some(name.to_lowercase())),
        _ => return Err("FROM requires either one or three arguments".into()),
    };
    if let Some(name) = &name {
        let valid = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_.".contains(&c));
        if !valid {
            return Err(format!(
                "invalid name for build stage: {:?}, name can't start with a number or contain symbols",
                words[2]
            ));
        }
    }
    flags.allow(&["platform"], &[])?;
    Ok(Stage {
        comments: line.comments.clone(),
        name,
        base: base.to_string(),
        platform: flags.value("platform")?,
        instructions: Vec::new(),
        first: line.first,
        last: line.last,
        text: line.text.clone(),
    })
}

#[cfg(test)]
mod tests;
