//! Whether the variables that a stage's instructions name are defined there, or by its base.

use super::Warning;
use crate::dockerfile::{Dockerfile, Instruction, Located, Source, Vars, nearest, unset};

/// What a stage begins with.
pub enum Begins {
    /// An image with these variables.
    Image(Vec<String>),
    /// An earlier stage.
    Stage(usize),
    /// An image that is not here, so that nothing can be said.
    Unknown,
}

/// The variables that are used and not defined in the stages at `wanted`.
pub fn undefined(
    file: &Dockerfile,
    wanted: impl IntoIterator<Item = usize>,
    begins: impl Fn(usize) -> Begins,
) -> Vec<Warning> {
    let mut found = Vec::new();
    // What each stage ends with: its variables, and its arguments.
    let mut ends: Vec<(usize, Vars, Vec<String>)> = Vec::new();
    for index in wanted {
        let (mut vars, mut args) = match begins(index) {
            Begins::Image(env) => (defined(&env), Vec::new()),
            Begins::Unknown => continue,
            Begins::Stage(earlier) => match ends.iter().find(|(i, _, _)| *i == earlier) {
                Some((_, vars, args)) => (vars.clone(), args.clone()),
                None => continue,
            },
        };
        vars.insert("PATH".into(), String::new());
        for located in &file.stages[index].instructions {
            for name in names(located, &vars, file.escape) {
                if args.contains(&name) {
                    continue;
                }
                let near = nearest(&name, vars.keys().map(String::as_str));
                let near = near.map_or_else(String::new, |near| format!(" (did you mean ${near}?)"));
                let text = format!("Usage of undefined variable '${name}'{near}");
                found.push(Warning { rule: "UndefinedVar", text, line: located.first, last: located.last });
            }
            match &located.instruction {
                Instruction::Arg(all) => {
                    for (name, default) in all {
                        args.push(name.clone());
                        if default.is_some() {
                            vars.insert(name.clone(), String::new());
                        }
                    }
                }
                Instruction::Env(pairs) => vars.extend(pairs.iter().map(|(name, _)| (name.clone(), String::new()))),
                _ => {}
            }
        }
        ends.push((index, vars, args));
    }
    found
}

fn defined(env: &[String]) -> Vars {
    env.iter().map(|pair| (pair.split('=').next().unwrap_or("").to_string(), String::new())).collect()
}

/// The names in an instruction that stand for nothing.
fn names(located: &Located, vars: &Vars, escape: char) -> Vec<String> {
    let texts: Vec<&String> = match &located.instruction {
        Instruction::Env(pairs) | Instruction::Label(pairs) => pairs.iter().flat_map(|(k, v)| [k, v]).collect(),
        Instruction::Copy(copying) | Instruction::Add(copying) => {
            let paths = copying.sources.iter().filter_map(|source| match source {
                Source::Path(path) => Some(path),
                Source::Inline(_) => None,
            });
            paths.chain([&copying.target]).chain(&copying.chown).chain(&copying.chmod).collect()
        }
        Instruction::Arg(all) => all.iter().filter_map(|(_, default)| default.as_ref()).collect(),
        Instruction::Volume(paths) => paths.iter().collect(),
        Instruction::User(text)
        | Instruction::Workdir(text)
        | Instruction::Expose(text)
        | Instruction::Stopsignal(text) => vec![text],
        _ => Vec::new(),
    };
    let mut all: Vec<String> = Vec::new();
    for name in texts.into_iter().flat_map(|text| unset(text, vars, escape)) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_stages() {
        let text = "FROM a AS one\nARG V=1 W\nENV E=$V$W F=${X:-y} G=$JAVA\nUSER $NOTHING\nFROM one\nCOPY $E $HOEM $V /\nENV HOME=/h\nRUN $any\nLABEL l=$HOEM";
        let file = Dockerfile::parse(text).unwrap();
        let env = |index| if index == 0 { Begins::Image(vec!["JAVA=/j".to_string()]) } else { Begins::Stage(0) };
        let found: Vec<String> = undefined(&file, [0, 1], env).iter().map(Warning::short).collect();
        assert_eq!(
            found,
            [
                "UndefinedVar: Usage of undefined variable '$NOTHING' (line 4)",
                "UndefinedVar: Usage of undefined variable '$HOEM' (line 6)",
                "UndefinedVar: Usage of undefined variable '$HOEM' (did you mean $HOME?) (line 9)",
            ]
        );
    }
}
