//! What is questionable in a Dockerfile that does build: BuildKit's checks, by their names. Some are seen in the
//! text alone (`text`); others show only when the base images are known, and instructions are gone through with the
//! values of their variables (`stages`).

mod rules;
mod stages;
mod text;

pub use rules::{address, description, is_experimental};
pub use stages::{Begins, stages};
pub use text::warnings;

use super::context::Source;
use crate::dockerfile::{Dockerfile, Located, excerpt};
use crate::image::wire::Platform;
use cutaway_userland::sorted::Arrange;

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub rule: &'static str,
    pub text: String,
    /// Lines, counted from 1.
    pub line: usize,
    pub last: usize,
}

impl Warning {
    /// As progress tells it.
    pub fn short(&self) -> String {
        format!("{}: {} (line {})", self.rule, self.text, self.line)
    }
}

/// Warnings as they are found.
#[derive(Default)]
struct Found(Vec<Warning>);

impl Found {
    fn add(&mut self, rule: &'static str, at: (usize, usize), text: String) {
        self.0.push(Warning { rule, text, line: at.0, last: at.1 });
    }
}

fn at(located: &Located) -> (usize, usize) {
    (located.first, located.last)
}

/// The keyword as typed.
fn word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or("")
}

/// A base that is for another platform than was asked for.
pub fn platform(name: &str, expected: &Platform, actual: &Platform, (line, last): (usize, usize)) -> Option<Warning> {
    let other = (&expected.os, &expected.architecture) != (&actual.os, &actual.architecture);
    let text = || {
        let (actual, expected) = (actual.to_string(), expected.to_string());
        format!("Base image {name} was pulled with platform {actual:?}, expected {expected:?} for current build")
    };
    other.then(|| Warning { rule: "InvalidBaseImagePlatform", text: text(), line, last })
}

/// Some rules, or all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rules(Vec<String>);

impl Rules {
    fn of(value: &str) -> Rules {
        Rules(value.trim().split(',').map(|rule| rule.trim().to_string()).collect())
    }

    fn have(&self, rule: &str) -> bool {
        self.0.iter().any(|r| r == rule) || self.0 == ["all"]
    }
}

/// What `# check=` at the top, or `BUILDKIT_DOCKERFILE_CHECK`, asks for: `skip=A,B;error=true`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    skip: Rules,
    experimental: Rules,
    /// Warnings are errors.
    pub error: bool,
}

impl Asked {
    /// # Errors
    /// What can't be understood, in BuildKit's words.
    pub fn parse(text: &str) -> Result<Asked, String> {
        let mut asked = Asked::default();
        let text = text.trim();
        for part in text.splitn(3, ';').filter(|_| !text.is_empty()) {
            let Some((name, value)) = part.split_once('=') else {
                return Err(format!("invalid check option {part:?}"));
            };
            match name.trim() {
                "skip" => asked.skip = Rules::of(value),
                "experimental" => asked.experimental = Rules::of(value),
                "error" => {
                    let value = value.trim();
                    asked.error = match value {
                        "true" | "1" | "t" | "T" | "TRUE" | "True" => true,
                        "false" | "0" | "f" | "F" | "FALSE" | "False" => false,
                        _ => {
                            let reason = format!("strconv.ParseBool: parsing {value:?}: invalid syntax");
                            return Err(format!("failed to parse check option {part:?}: {reason}"));
                        }
                    }
                }
                other => return Err(format!("invalid check option {other:?}")),
            }
        }
        Ok(asked)
    }

    /// The warnings that are wanted, in the order of lines.
    pub fn keep(&self, mut warnings: Vec<Warning>) -> Vec<Warning> {
        warnings.retain(|w| match is_experimental(w.rule) {
            true => self.experimental.have(w.rule),
            false => !self.skip.have(w.rule),
        });
        warnings.arrange_by_key(|w| w.line);
        warnings
    }

    /// Why a build with these warnings fails, if it does.
    pub fn refusal(&self, warnings: &[Warning]) -> Option<String> {
        let mut rules: Vec<&str> = warnings.iter().map(|w| w.rule).collect();
        rules.arrange();
        rules.dedup();
        (self.error && !rules.is_empty()).then(|| format!("lint violation found for rules: {}", rules.join(", ")))
    }
}

/// As it stands under a build.
pub fn summary(warnings: &[Warning]) -> String {
    if warnings.is_empty() {
        return String::new();
    }
    let plural = if warnings.len() == 1 { "" } else { "s" };
    let line = |w: &Warning| format!(" - {}\n", w.short());
    let rows: String = warnings.iter().map(line).collect();
    format!("\n {} warning{plural} found (use docker --debug to expand):\n{rows}", warnings.len())
}

/// What `--check` tells of the warnings that there are. The file is shown as `name`.
pub fn report(warnings: &[Warning], source: &Source, name: &str) -> String {
    let mut text = match warnings.len() {
        0 => return String::new(),
        1 => "Check complete, 1 warning has been found!\n".to_string(),
        n => format!("Check complete, {n} warnings have been found!\n"),
    };
    for w in warnings {
        let lines = excerpt(name, &source.text, w.line, w.last);
        let address = address(w.rule).map_or_else(String::new, |address| format!(" - {address}"));
        text.push_str(&format!("\nWARNING: {}{address}\n{}\n{lines}", w.rule, w.text));
    }
    text
}

/// What the Dockerfile asks of its checks; the argument of the command line comes first.
pub fn asked(file: &Dockerfile, argument: Option<&String>) -> Result<Asked, String> {
    let text = argument.or(file.check.as_ref()).map_or("", String::as_str);
    Asked::parse(text).map_err(|error| format!("failed to parse check options: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked() {
        let warning = |rule| Warning { rule, text: String::new(), line: 1, last: 1 };
        let all = vec![warning("StageNameCasing"), warning("UndefinedVar"), warning("CopyIgnoredFile")];
        for (text, kept, refused) in [
            ("", 2, None),
            ("skip=UndefinedVar", 1, None),
            ("skip=all", 0, None),
            ("error=true", 2, Some("lint violation found for rules: StageNameCasing, UndefinedVar")),
            ("skip=all;experimental=CopyIgnoredFile", 1, None),
            ("experimental=all", 3, None),
            ("skip=StageNameCasing, X;error=true", 1, Some("lint violation found for rules: UndefinedVar")),
        ] {
            let asked = Asked::parse(text).unwrap();
            let left = asked.keep(all.clone());
            assert_eq!((left.len(), asked.refusal(&left).as_deref()), (kept, refused), "{text}");
        }
        assert_eq!(Asked::parse("x=1").unwrap_err(), "invalid check option \"x\"");
        assert_eq!(Asked::parse("skip").unwrap_err(), "invalid check option \"skip\"");
        let error = "failed to parse check option \"error=x\": strconv.ParseBool: parsing \"x\": invalid syntax";
        assert_eq!(Asked::parse("error=x").unwrap_err(), error);
    }
}
