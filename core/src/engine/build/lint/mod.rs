//! What is questionable in a Dockerfile that does build: BuildKit's checks, by their names. Most are seen in the
//! text alone (`text`); whether a variable is defined shows only when the base images are known (`vars`).

mod text;
mod vars;

pub use text::warnings;
pub use vars::{Begins, undefined};

use super::context::Source;
use crate::dockerfile::{Dockerfile, excerpt};
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

/// What `# check=` at the top, or `BUILDKIT_DOCKERFILE_CHECK`, asks for: `skip=A,B;error=true`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    skip: Vec<String>,
    /// Warnings are errors.
    pub error: bool,
}

impl Asked {
    /// # Errors
    /// What can't be understood, in BuildKit's words.
    pub fn parse(text: &str) -> Result<Asked, String> {
        let mut asked = Asked::default();
        for part in text.split(';').filter(|_| !text.trim().is_empty()) {
            let Some((name, value)) = part.split_once('=') else {
                return Err(format!("invalid check option {part:?}"));
            };
            match name.trim() {
                "skip" => asked.skip = value.split(',').map(|rule| rule.trim().to_string()).collect(),
                "experimental" => {}
                "error" => {
                    asked.error = match value.trim() {
                        "true" | "1" | "t" | "T" | "TRUE" | "True" => true,
                        "false" | "0" | "f" | "F" | "FALSE" | "False" => false,
                        _ => return Err(format!("failed to parse check option {part:?}: invalid syntax")),
                    }
                }
                other => return Err(format!("invalid check option {other:?}")),
            }
        }
        Ok(asked)
    }

    /// The warnings that are not skipped, in the order of lines.
    pub fn keep(&self, mut warnings: Vec<Warning>) -> Vec<Warning> {
        warnings.retain(|w| !self.skip.iter().any(|rule| rule == "all" || rule == w.rule));
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

/// Where a rule is explained.
pub fn address(rule: &str) -> String {
    format!("https://docs.docker.com/go/dockerfile/rule/{}/", kebab(rule))
}

/// As it stands under a build that went well.
pub fn summary(warnings: &[Warning]) -> String {
    if warnings.is_empty() {
        return String::new();
    }
    let plural = if warnings.len() == 1 { "" } else { "s" };
    let line = |w: &Warning| format!(" - {}\n", w.short());
    let rows: String = warnings.iter().map(line).collect();
    format!("\n {} warning{plural} found (use docker --debug to expand):\n{rows}", warnings.len())
}

/// What `--check` tells.
pub fn report(warnings: &[Warning], source: &Source) -> String {
    let mut text = match warnings.len() {
        0 => return "Check complete, no warnings found.\n".into(),
        1 => "Check complete, 1 warning has been found!\n".to_string(),
        n => format!("Check complete, {n} warnings have been found!\n"),
    };
    for w in warnings {
        let lines = excerpt(&source.name, &source.text, w.line, w.last);
        text.push_str(&format!("\nWARNING: {} - {}\n{}\n{lines}", w.rule, address(w.rule), w.text));
    }
    text
}

fn kebab(rule: &str) -> String {
    let mut out = String::new();
    let chars: Vec<char> = rule.chars().collect();
    for (i, c) in chars.iter().enumerate() {
        let starts = c.is_uppercase()
            && i > 0
            && (!chars[i - 1].is_uppercase() || chars.get(i + 1).is_some_and(|n| n.is_lowercase()));
        if starts {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// What the Dockerfile asks of its checks; the argument of the command line comes first.
pub fn asked(file: &Dockerfile, argument: Option<&String>) -> Result<Asked, String> {
    Asked::parse(argument.or(file.check.as_ref()).map_or("", String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked() {
        let warning = |rule| Warning { rule, text: String::new(), line: 1, last: 1 };
        let all = vec![warning("StageNameCasing"), warning("UndefinedVar")];
        for (text, kept, refused) in [
            ("", 2, None),
            ("skip=UndefinedVar", 1, None),
            ("skip=all", 0, None),
            ("error=true", 2, Some("lint violation found for rules: StageNameCasing, UndefinedVar")),
            ("skip=StageNameCasing, X;error=true", 1, Some("lint violation found for rules: UndefinedVar")),
        ] {
            let asked = Asked::parse(text).unwrap();
            let left = asked.keep(all.clone());
            assert_eq!((left.len(), asked.refusal(&left).as_deref()), (kept, refused), "{text}");
        }
        assert_eq!(Asked::parse("x=1").unwrap_err(), "invalid check option \"x\"");
        assert_eq!(Asked::parse("skip").unwrap_err(), "invalid check option \"skip\"");
        assert_eq!(kebab("JSONArgsRecommended"), "json-args-recommended");
    }
}
