//! What is questionable in a Dockerfile that does build: BuildKit's checks, by their names.

use super::context::Source;
use crate::dockerfile::{Command, Dockerfile, Instruction, excerpt};
use cutaway_userland::sorted::Arrange;

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub rule: &'static str,
    pub text: String,
    pub line: usize,
}

impl Warning {
    /// As progress tells it.
    pub fn short(&self) -> String {
        format!("{}: {} (line {})", self.rule, self.text, self.line)
    }
}

/// Where a rule is explained.
pub fn address(rule: &str) -> String {
    format!("https://docs.docker.com/go/dockerfile/rule/{}/", kebab(rule))
}

/// All warnings, in the order of lines.
pub fn warnings(file: &Dockerfile) -> Vec<Warning> {
    let mut found = Vec::new();
    let mut add = |rule, text: String, line| found.push(Warning { rule, text, line });
    for stage in &file.stages {
        let words: Vec<&str> = stage.text.split_whitespace().collect();
        let from = words.first().copied().unwrap_or("");
        let joint = words.iter().rev().nth(1).copied().unwrap_or("");
        if stage.name.is_some() && (is_lower(from) != is_lower(joint)) {
            add("FromAsCasing", format!("'{joint}' and '{from}' keywords' casing do not match"), stage.first);
        }
        for located in &stage.instructions {
            match &located.instruction {
                Instruction::Cmd(Command::Shell(_)) | Instruction::Entrypoint(Command::Shell(_))
                    if !stage.instructions.iter().any(|i| matches!(i.instruction, Instruction::Shell(_))) =>
                {
                    let keyword = located.instruction.keyword();
                    add(
                        "JSONArgsRecommended",
                        format!(
                            "JSON arguments recommended for {keyword} to prevent unintended behavior related to OS signals"
                        ),
                        located.first,
                    );
                }
                Instruction::Maintainer(_) => {
                    add(
                        "MaintainerDeprecated",
                        "Maintainer instruction is deprecated in favor of using label".into(),
                        located.first,
                    );
                }
                Instruction::Env(_) | Instruction::Label(_)
                    if located.text.split_whitespace().nth(1).is_some_and(|w| !w.contains('=')) =>
                {
                    let keyword = located.instruction.keyword();
                    add(
                        "LegacyKeyValueFormat",
                        format!(
                            "\"{keyword} key=value\" should be used instead of legacy \"{keyword} key value\" format"
                        ),
                        located.first,
                    );
                }
                Instruction::Workdir(path)
                    if !path.starts_with(['/', '$']) && !has_workdir_before(stage, located.first) =>
                {
                    add(
                        "WorkdirRelativePath",
                        format!("Relative workdir {path:?} can have unexpected results if the base image changes"),
                        located.first,
                    );
                }
                _ => {}
            }
        }
    }
    found.arrange_by_key(|w| w.line);
    found
}

fn is_lower(word: &str) -> bool {
    word.chars().all(|c| !c.is_uppercase())
}

fn has_workdir_before(stage: &crate::dockerfile::Stage, line: usize) -> bool {
    stage
        .instructions
        .iter()
        .any(|i| i.first < line && matches!(&i.instruction, Instruction::Workdir(p) if p.starts_with('/')))
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

/// What `--check` tells, and whether there is nothing to tell.
pub fn report(file: &Dockerfile, source: &Source) -> (String, bool) {
    let warnings = warnings(file);
    let mut text = match warnings.len() {
        0 => return ("Check complete, no warnings found.\n".into(), true),
        1 => "Check complete, 1 warning has been found!\n".to_string(),
        n => format!("Check complete, {n} warnings have been found!\n"),
    };
    for w in &warnings {
        let address = address(w.rule);
        let lines = excerpt(&source.name, &source.text, w.line, w.line);
        text.push_str(&format!("\nWARNING: {} - {address}\n{}\n{lines}", w.rule, w.text));
    }
    (text, false)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let text = "FROM a as b\nMAINTAINER me\nENV A 1\nWORKDIR x\nCMD echo\nFROM c AS d\nENV A=1\nWORKDIR /x\nWORKDIR y\nCMD [\"x\"]\n";
        let found: Vec<(&str, usize)> =
            warnings(&Dockerfile::parse(text).unwrap()).iter().map(|w| (w.rule, w.line)).collect();
        assert_eq!(
            found,
            [
                ("FromAsCasing", 1),
                ("MaintainerDeprecated", 2),
                ("LegacyKeyValueFormat", 3),
                ("WorkdirRelativePath", 4),
                ("JSONArgsRecommended", 5)
            ]
        );
        assert_eq!(kebab("JSONArgsRecommended"), "json-args-recommended");
    }
}
