//! The checks that need the text of the Dockerfile only, and its arguments before the first `FROM`.

use super::{Found, Warning, at, word};
use crate::dockerfile::{Dockerfile, Instruction, Located, Stage, Vars, expand, nearest, unset};
use crate::name::Reference;

/// All warnings, in the order in which BuildKit finds them. `globals` are what stands before the first `FROM`, with
/// `predefined`.
pub fn warnings(file: &Dockerfile, globals: &Vars, predefined: &Vars) -> Vec<Warning> {
    let mut found = Found::default();
    for line in &file.gaps {
        found.add("NoEmptyContinuation", (*line, *line), "Empty continuation line".into());
    }
    file.args.iter().for_each(|located| described(located, &mut found));
    for stage in &file.stages {
        from(stage, &mut found);
        for located in &stage.instructions {
            described(located, &mut found);
            if matches!(located.instruction, Instruction::Maintainer(_)) {
                let text = "Maintainer instruction is deprecated in favor of using label";
                found.add("MaintainerDeprecated", at(located), text.into());
            }
        }
    }
    let mut names: Vec<&str> = Vec::new();
    for stage in &file.stages {
        named(stage, &names, &mut found);
        names.extend(stage.name.as_deref());
    }
    casing(file, &mut found);
    defaults(file, predefined, &mut found);
    for stage in &file.stages {
        base(file, stage, globals, &mut found);
    }
    found.0
}

fn is_lower(word: &str) -> bool {
    !word.chars().any(char::is_uppercase)
}

fn is_upper(word: &str) -> bool {
    !word.chars().any(char::is_lowercase)
}

/// A comment right above an argument or a stage should tell of it.
fn description(keyword: &str, names: &[&str], comments: &[String], lines: (usize, usize), found: &mut Found) {
    let (Some(last), Some(first)) = (comments.last(), names.first()) else { return };
    if !names.contains(&last.split(' ').next().unwrap_or("")) {
        let name = if names.len() > 1 { "<arg_key>" } else { first };
        let text = format!("Comment for {keyword} should follow the format: `# {name} <description>`");
        found.add("InvalidDefinitionDescription", lines, text);
    }
}

fn described(located: &Located, found: &mut Found) {
    if let Instruction::Arg(args) = &located.instruction {
        let names: Vec<&str> = args.iter().map(|(name, _)| name.as_str()).collect();
        description("ARG", &names, &located.comments, at(located), found);
    }
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

/// How a stage's `FROM` is written.
fn from(stage: &Stage, found: &mut Found) {
    let lines = (stage.first, stage.last);
    let words: Vec<&str> = stage.text.split_whitespace().collect();
    let (Some(name), [from, .., joint, typed]) = (&stage.name, words.as_slice()) else { return };
    if !is_lower(typed) {
        found.add("StageNameCasing", lines, format!("Stage name '{typed}' should be lowercase"));
    }
    if (is_lower(from) && !is_lower(joint)) || (!is_lower(from) && is_upper(from) && !is_upper(joint)) {
        found.add("FromAsCasing", lines, format!("'{joint}' and '{from}' keywords' casing do not match"));
    }
    description("FROM", &[name], &stage.comments, lines, found);
}

fn named(stage: &Stage, earlier: &[&str], found: &mut Found) {
    let lines = (stage.first, stage.last);
    let Some(name) = stage.name.as_deref() else { return };
    if matches!(name, "context" | "scratch") {
        let text = format!("Stage name should not use the same name as reserved stage {name:?}");
        found.add("ReservedStageName", lines, text);
    }
    if earlier.contains(&name) {
        let text = format!("Duplicate stage name {name:?}, stage names should be unique");
        found.add("DuplicateStageName", lines, text);
    }
}

/// Each base should be one without any arguments on the command line, too.
fn defaults(file: &Dockerfile, predefined: &Vars, found: &mut Found) {
    let Ok(defaults) = file.global_args(&Vars::new(), predefined) else { return };
    for stage in &file.stages {
        let Ok(base) = expand(&stage.base, &defaults, file.escape) else { return };
        if Reference::parse(&base).is_err() {
            let text = format!("Default value for ARG {} results in empty or invalid base image name", stage.base);
            found.add("InvalidDefaultArgInFrom", (stage.first, stage.last), text);
        }
    }
}

fn base(file: &Dockerfile, stage: &Stage, globals: &Vars, found: &mut Found) {
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
                "ARG TAG=1\nFROM a:${TGA}",
                vec![
                    "InvalidDefaultArgInFrom: Default value for ARG a:${TGA} results in empty or invalid base image name (line 2)",
                    "UndefinedArgInFrom: FROM argument 'TGA' is not declared (did you mean TAG?) (line 2)",
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
                "From a as b\nRUN x\nRUN y",
                vec![
                    "ConsistentInstructionCasing: Command 'From' should match the case of the command majority (uppercase) (line 1)",
                ],
            ),
            (
                "# no\nARG A=1\n# A is\nARG A B\n# s\nFROM a AS s\n# S\nARG C D\n#\nARG E",
                vec![
                    "InvalidDefinitionDescription: Comment for ARG should follow the format: `# A <description>` (line 2)",
                    "InvalidDefinitionDescription: Comment for ARG should follow the format: `# <arg_key> <description>` (line 8)",
                ],
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
