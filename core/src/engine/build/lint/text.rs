//! The checks that need the text of the Dockerfile only.

use super::Warning;
use crate::dockerfile::{Command, Dockerfile, Instruction, Located, Stage, Vars, expand, nearest, unset};
use crate::name::Reference;

/// Words in the names of variables that hold what should be a secret.
const SECRET: [&str; 10] =
    ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];

struct Found(Vec<Warning>);

impl Found {
    fn add(&mut self, rule: &'static str, at: (usize, usize), text: String) {
        self.0.push(Warning { rule, text, line: at.0, last: at.1 });
    }
}

fn at(located: &Located) -> (usize, usize) {
    (located.first, located.last)
}

/// All warnings, in no particular order. `globals` are what stands before the first `FROM`, with `predefined`.
pub fn warnings(file: &Dockerfile, globals: &Vars, predefined: &Vars) -> Vec<Warning> {
    let mut found = Found(Vec::new());
    for line in &file.gaps {
        found.add("NoEmptyContinuation", (*line, *line), "Empty continuation line".into());
    }
    casing(file, &mut found);
    let mut names: Vec<&str> = Vec::new();
    for stage in &file.stages {
        named(stage, &names, &mut found);
        names.extend(stage.name.as_deref());
        base(file, stage, globals, predefined, &mut found);
        used_once(stage, &mut found);
        for located in &stage.instructions {
            instruction(stage, located, &mut found);
        }
    }
    found.0
}

fn word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or("")
}

fn is_lower(word: &str) -> bool {
    !word.chars().any(char::is_uppercase)
}

fn is_upper(word: &str) -> bool {
    !word.chars().any(char::is_lowercase)
}

/// All keywords should be written alike: as most of them are.
fn casing(file: &Dockerfile, found: &mut Found) {
    let all = file.stages.iter().flat_map(|stage| {
        let own = (word(&stage.text), (stage.first, stage.last));
        std::iter::once(own).chain(stage.instructions.iter().map(|l| (word(&l.text), at(l))))
    });
    let all: Vec<(&str, (usize, usize))> = all.collect();
    let lower = all.iter().filter(|(word, _)| is_lower(word)).count();
    let upper = all.iter().filter(|(word, _)| is_upper(word) && !is_lower(word)).count();
    for (word, lines) in all {
        let wanted = match lower > upper {
            true if !is_lower(word) => "lowercase",
            false if !is_upper(word) => "uppercase",
            _ => continue,
        };
        let text = format!("Command '{word}' should match the case of the command majority ({wanted})");
        found.add("ConsistentInstructionCasing", lines, text);
    }
}

fn named(stage: &Stage, earlier: &[&str], found: &mut Found) {
    let lines = (stage.first, stage.last);
    let words: Vec<&str> = stage.text.split_whitespace().collect();
    let (Some(name), [from, .., joint, typed]) = (&stage.name, words.as_slice()) else { return };
    if !is_lower(typed) {
        found.add("StageNameCasing", lines, format!("Stage name '{typed}' should be lowercase"));
    }
    if is_lower(from) != is_lower(joint) {
        found.add("FromAsCasing", lines, format!("'{joint}' and '{from}' keywords' casing do not match"));
    }
    if matches!(name.as_str(), "context" | "scratch") {
        let text = format!("Stage name should not use the same name as reserved stage {name:?}");
        found.add("ReservedStageName", lines, text);
    }
    if earlier.contains(&name.as_str()) {
        let text = format!("Duplicate stage name {name:?}, stage names should be unique");
        found.add("DuplicateStageName", lines, text);
    }
}

fn base(file: &Dockerfile, stage: &Stage, globals: &Vars, predefined: &Vars, found: &mut Found) {
    let lines = (stage.first, stage.last);
    let known = |name: &&String| !globals.contains_key(*name) && !declared(file, name);
    let mut undeclared = |text: &str| {
        for name in unset(text, globals, file.escape).iter().filter(known) {
            let near = nearest(name, globals.keys().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
            found.add("UndefinedArgInFrom", lines, format!("FROM argument '{name}' is not declared{near}"));
        }
    };
    undeclared(&stage.base);
    if let Some(platform) = &stage.platform {
        undeclared(platform);
        platform_of(stage, platform, found);
    }
    // The base should be one without any arguments on the command line, too.
    let Ok(defaults) = file.global_args(&Vars::new(), predefined) else { return };
    let base = expand(&stage.base, &defaults, file.escape).unwrap_or_default();
    if Reference::parse(&base).is_err() {
        let text = format!("Default value for ARG {} results in empty or invalid base image name", stage.base);
        found.add("InvalidDefaultArgInFrom", lines, text);
    }
}

fn declared(file: &Dockerfile, name: &str) -> bool {
    file.args.iter().any(|l| matches!(&l.instruction, Instruction::Arg(args) if args.iter().any(|(n, _)| n == name)))
}

fn platform_of(stage: &Stage, platform: &str, found: &mut Found) {
    let lines = (stage.first, stage.last);
    if matches!(platform, "$TARGETPLATFORM" | "${TARGETPLATFORM}") {
        let text =
            format!("Setting platform to predefined {platform} in FROM is redundant as this is the default behavior");
        found.add("RedundantTargetPlatform", lines, text);
    }
    let Ok(parsed) = crate::image::wire::Platform::parse(platform) else { return };
    let name = stage.name.as_deref().unwrap_or("");
    if !platform.contains('$') && !name.contains(&parsed.os) && !name.contains(&parsed.architecture) {
        let text = format!("FROM --platform flag should not use constant value {platform:?}");
        found.add("FromPlatformFlagConstDisallowed", lines, text);
    }
}

/// Of these only the last counts.
fn used_once(stage: &Stage, found: &mut Found) {
    for keyword in ["CMD", "ENTRYPOINT", "HEALTHCHECK"] {
        let all: Vec<&Located> = stage.instructions.iter().filter(|l| l.instruction.keyword() == keyword).collect();
        for located in all.iter().take(all.len().saturating_sub(1)) {
            let typed = word(&located.text);
            let text = format!(
                "Multiple {typed} instructions should not be used in the same stage because only the last one will be used"
            );
            found.add("MultipleInstructionsDisallowed", at(located), text);
        }
    }
}

fn instruction(stage: &Stage, located: &Located, found: &mut Found) {
    let (lines, typed) = (at(located), word(&located.text));
    match &located.instruction {
        Instruction::Cmd(Command::Shell(_)) | Instruction::Entrypoint(Command::Shell(_)) if !has_shell(stage) => {
            let text =
                format!("JSON arguments recommended for {typed} to prevent unintended behavior related to OS signals");
            found.add("JSONArgsRecommended", lines, text);
        }
        Instruction::Maintainer(_) => {
            let text = "Maintainer instruction is deprecated in favor of using label";
            found.add("MaintainerDeprecated", lines, text.into());
        }
        Instruction::Env(pairs) => {
            legacy(located, found);
            for (name, _) in pairs.iter().filter(|(name, _)| is_secret(name)) {
                found.add("SecretsUsedInArgOrEnv", lines, secret("ENV", name));
            }
        }
        Instruction::Label(_) => legacy(located, found),
        Instruction::Arg(args) => {
            for (name, _) in args.iter().filter(|(name, _)| is_secret(name)) {
                found.add("SecretsUsedInArgOrEnv", lines, secret("ARG", name));
            }
        }
        Instruction::Workdir(path) if !path.starts_with(['/', '$']) && !has_workdir_before(stage, located.first) => {
            let text = format!("Relative workdir {path:?} can have unexpected results if the base image changes");
            found.add("WorkdirRelativePath", lines, text);
        }
        Instruction::Expose(ports) => {
            for port in ports.split_whitespace() {
                if port.split_once('/').is_some_and(|(_, protocol)| !is_lower(protocol)) {
                    let protocol = port.split_once('/').map_or("", |(_, protocol)| protocol);
                    let text = format!("Defined protocol '{protocol}' in EXPOSE instruction should be lowercase");
                    found.add("ExposeProtoCasing", lines, text);
                }
            }
        }
        _ => {}
    }
}

/// `ENV name value`, without `=`.
fn legacy(located: &Located, found: &mut Found) {
    if located.text.split_whitespace().nth(1).is_some_and(|w| !w.contains('=')) {
        let typed = word(&located.text);
        let text = format!("\"{typed} key=value\" should be used instead of legacy \"{typed} key value\" format");
        found.add("LegacyKeyValueFormat", at(located), text);
    }
}

fn secret(keyword: &str, name: &str) -> String {
    format!("Do not use ARG or ENV instructions for sensitive data ({keyword} {name:?})")
}

/// Whether a part of a name between underscores tells that it is a secret; what is public is none.
fn is_secret(name: &str) -> bool {
    let lower = name.to_lowercase();
    lower.split('_').any(|part| SECRET.contains(&part)) && !lower.split('_').any(|part| part == "public")
}

fn has_shell(stage: &Stage) -> bool {
    stage.instructions.iter().any(|i| matches!(i.instruction, Instruction::Shell(_)))
}

fn has_workdir_before(stage: &Stage, line: usize) -> bool {
    stage.instructions.iter().any(|i| i.first < line && matches!(i.instruction, Instruction::Workdir(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        for (text, expected) in [
            ("FROM a as b\nRUN x", vec!["FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)"]),
            ("FROM a AS Bc\nRUN x", vec!["StageNameCasing: Stage name 'Bc' should be lowercase (line 1)"]),
            (
                "FROM a AS b\nFROM c AS b",
                vec!["DuplicateStageName: Duplicate stage name \"b\", stage names should be unique (line 2)"],
            ),
            (
                "FROM a AS scratch",
                vec![
                    "ReservedStageName: Stage name should not use the same name as reserved stage \"scratch\" (line 1)",
                ],
            ),
            (
                "FROM a\nrun x\nUSER b",
                vec![
                    "ConsistentInstructionCasing: Command 'run' should match the case of the command majority (uppercase) (line 2)",
                ],
            ),
            (
                "from a\nrun x\nUser b",
                vec![
                    "ConsistentInstructionCasing: Command 'User' should match the case of the command majority (lowercase) (line 3)",
                ],
            ),
            ("FROM a\nRUN x \\\n\n  y", vec!["NoEmptyContinuation: Empty continuation line (line 4)"]),
            (
                "FROM a\nMAINTAINER me",
                vec!["MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label (line 2)"],
            ),
            (
                "FROM a\nENV A 1",
                vec![
                    "LegacyKeyValueFormat: \"ENV key=value\" should be used instead of legacy \"ENV key value\" format (line 2)",
                ],
            ),
            (
                "FROM a\nWORKDIR x\nWORKDIR y",
                vec![
                    "WorkdirRelativePath: Relative workdir \"x\" can have unexpected results if the base image changes (line 2)",
                ],
            ),
            (
                "FROM a\nCMD echo",
                vec![
                    "JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals (line 2)",
                ],
            ),
            ("FROM a\nSHELL [\"x\"]\nCMD echo", vec![]),
            (
                "FROM a\nCMD [\"x\"]\nCMD [\"y\"]",
                vec![
                    "MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used (line 2)",
                ],
            ),
            (
                "FROM a\nARG API_KEY\nENV TOKEN=x PUBLIC_KEY=y KEYS=z",
                vec![
                    "SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG \"API_KEY\") (line 2)",
                    "SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV \"TOKEN\") (line 3)",
                ],
            ),
            (
                "ARG TAG=1\nFROM a:${TGA}",
                vec![
                    "UndefinedArgInFrom: FROM argument 'TGA' is not declared (did you mean TAG?) (line 2)",
                    "InvalidDefaultArgInFrom: Default value for ARG a:${TGA} results in empty or invalid base image name (line 2)",
                ],
            ),
            ("ARG TAG\nFROM a:${TAG:-1}", vec![]),
            (
                "FROM --platform=linux/amd64 a",
                vec![
                    "FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value \"linux/amd64\" (line 1)",
                ],
            ),
            (
                "FROM --platform=$TARGETPLATFORM a",
                vec![
                    "RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior (line 1)",
                ],
            ),
            (
                "FROM a\nEXPOSE 80/TCP",
                vec!["ExposeProtoCasing: Defined protocol 'TCP' in EXPOSE instruction should be lowercase (line 2)"],
            ),
        ] {
            let file = Dockerfile::parse(text).unwrap();
            let predefined = Vars::from([("TARGETPLATFORM".to_string(), "linux/amd64".to_string())]);
            let globals = file.global_args(&Vars::new(), &predefined).unwrap();
            let found: Vec<String> = warnings(&file, &globals, &predefined).iter().map(Warning::short).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
