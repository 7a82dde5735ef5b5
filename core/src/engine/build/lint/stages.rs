//! What the instructions of stages come to, before any of them is done: the checks that need values of variables
//! and what stages begin with, and whatever no step could make good.

use super::{Found, Warning, at, word};
use crate::build::{Applying, Ignore, apply, git_source};
use crate::dockerfile::{Command, Copying, Dockerfile, Instruction, Located, ParseError, Source, nearest, unset};
use crate::image::ImageConfig;

/// Words in the names of variables that hold what should be a secret.
const SECRET: [&str; 10] =
    ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];

/// What a stage begins with.
pub enum Begins {
    /// An image with this configuration.
    Image(Box<ImageConfig>),
    /// An earlier stage.
    Stage(usize),
    /// What stands in for the whole stage: its instructions do not count.
    Other,
}

/// The value of an `ARG` where a stage stands.
pub type ArgValue<'v> = &'v dyn Fn(&Applying, &str, Option<&String>) -> Result<Option<String>, String>;

/// A stage as far as its instructions are gone through.
#[derive(Clone)]
struct State {
    applying: Applying,
    /// The arguments that are declared, with a value or without.
    args: Vec<String>,
    workdir_set: bool,
    /// The lines of the last `CMD`, `ENTRYPOINT` and `HEALTHCHECK`.
    used: [Option<(usize, usize)>; 3],
}

/// Goes through the stages at `wanted`. Gives what is questionable, and the first thing that is wrong.
pub fn stages(
    file: &Dockerfile,
    wanted: impl IntoIterator<Item = usize>,
    begins: impl Fn(usize) -> Begins,
    arg_value: ArgValue<'_>,
    ignore: &Ignore,
) -> (Vec<Warning>, Option<ParseError>) {
    let mut walk = Walk { file, arg_value, ignore, found: Found::default() };
    let mut ends: Vec<(usize, State)> = Vec::new();
    for index in wanted {
        let mut state = match begins(index) {
            Begins::Image(config) => State {
                applying: Applying::new(*config, file.escape),
                args: Vec::new(),
                workdir_set: false,
                used: [None; 3],
            },
            Begins::Other => continue,
            Begins::Stage(earlier) => match ends.iter().find(|(i, _)| *i == earlier) {
                Some((_, state)) => State { used: [None; 3], ..state.clone() },
                None => continue,
            },
        };
        let done = walk.stage(index, &mut state);
        if let Err(error) = done {
            return (walk.found.0, Some(error));
        }
        ends.push((index, state));
    }
    (walk.found.0, None)
}

struct Walk<'w> {
    file: &'w Dockerfile,
    arg_value: ArgValue<'w>,
    ignore: &'w Ignore,
    found: Found,
}

impl Walk<'_> {
    fn stage(&mut self, index: usize, state: &mut State) -> Result<(), ParseError> {
        let stage = &self.file.stages[index];
        // What an image triggers stands at the stage's own lines.
        for text in std::mem::take(&mut state.applying.config.on_build) {
            let file = Dockerfile::parse(&format!("FROM scratch\n{text}"))
                .map_err(|error| ParseError::meaning(stage.first, stage.last, error.message))?;
            for mut located in file.stages.into_iter().flat_map(|s| s.instructions) {
                (located.first, located.last) = (stage.first, stage.last);
                self.instruction(&located, state)?;
            }
        }
        stage.instructions.iter().try_for_each(|located| self.instruction(located, state))
    }

    fn instruction(&mut self, located: &Located, state: &mut State) -> Result<(), ParseError> {
        let wrong = |message: String| ParseError::meaning(located.first, located.last, message);
        self.undefined(located, state);
        self.check(located, state).map_err(wrong)?;
        match &located.instruction {
            Instruction::Arg(args) => self.declare(args, located, state).map_err(wrong)?,
            Instruction::Run(step) => {
                for mount in &step.mounts {
                    mount.mount(|text| state.applying.expand(text)).map_err(wrong)?;
                }
            }
            other => drop(apply(&mut state.applying, other).map_err(wrong)?),
        }
        Ok(())
    }

    fn declare(
        &mut self,
        args: &[(String, Option<String>)],
        located: &Located,
        state: &mut State,
    ) -> Result<(), String> {
        for (name, default) in args {
            if is_secret(name) {
                self.found.add("SecretsUsedInArgOrEnv", at(located), secret("ARG", name));
            }
            if let Some(value) = (self.arg_value)(&state.applying, name, default.as_ref())? {
                state.applying.declare(name, &value);
            }
            state.args.push(name.clone());
        }
        Ok(())
    }

    fn undefined(&mut self, located: &Located, state: &State) {
        let vars = state.applying.vars();
        let mut told: Vec<String> = Vec::new();
        for name in texts(located).into_iter().flat_map(|text| unset(&text, &vars, self.file.escape)) {
            if state.args.contains(&name) || told.contains(&name) {
                continue;
            }
            let near = nearest(&name, vars.keys().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!(" (did you mean ${near}?)"));
            self.found.add("UndefinedVar", at(located), format!("Usage of undefined variable '${name}'{near}"));
            told.push(name);
        }
    }

    fn check(&mut self, located: &Located, state: &mut State) -> Result<(), String> {
        let (lines, typed) = (at(located), word(&located.text));
        let found = &mut self.found;
        match &located.instruction {
            Instruction::Cmd(command) | Instruction::Entrypoint(command) => {
                used_once(found, located, state);
                if matches!(command, Command::Shell(_)) && state.applying.config.shell.is_none() {
                    let text = format!(
                        "JSON arguments recommended for {typed} to prevent unintended behavior related to OS signals"
                    );
                    found.add("JSONArgsRecommended", lines, text);
                }
            }
            Instruction::Healthcheck(_) => used_once(found, located, state),
            Instruction::Env(pairs) => {
                legacy(found, located);
                for (name, _) in pairs {
                    let name = state.applying.expand(name)?;
                    if is_secret(&name) {
                        found.add("SecretsUsedInArgOrEnv", lines, secret("ENV", &name));
                    }
                }
            }
            Instruction::Label(_) => legacy(found, located),
            Instruction::Workdir(path) => {
                let path = state.applying.expand(path)?;
                if !path.starts_with('/') && !state.workdir_set {
                    let text =
                        format!("Relative workdir {path:?} can have unexpected results if the base image changes");
                    found.add("WorkdirRelativePath", lines, text);
                }
                state.workdir_set = true;
            }
            Instruction::Expose(ports) => {
                let mut ports = state.applying.expand_words(ports)?;
                ports.sort_unstable();
                ports.iter().for_each(|port| exposed(found, lines, port));
            }
            Instruction::Copy(copying) if copying.from.is_none() => self.ignored(copying, "Copy", located, state)?,
            Instruction::Add(copying) => self.ignored(copying, "Add", located, state)?,
            _ => {}
        }
        Ok(())
    }

    fn ignored(&mut self, copying: &Copying, verb: &str, located: &Located, state: &State) -> Result<(), String> {
        for source in &copying.sources {
            let Source::Path(path) = source else { continue };
            let path = state.applying.expand(path)?;
            let fetched = path.starts_with("http://") || path.starts_with("https://") || git_source(&path).is_some();
            if !fetched && self.ignore.names(&path) {
                let text = format!("Attempting to {verb} file {path:?} that is excluded by .dockerignore");
                self.found.add("CopyIgnoredFile", at(located), text);
            }
        }
        Ok(())
    }
}

/// The texts of an instruction in which variables are replaced.
fn texts(located: &Located) -> Vec<String> {
    match &located.instruction {
        Instruction::Env(pairs) | Instruction::Label(pairs) => {
            pairs.iter().flat_map(|(k, v)| [k.clone(), v.clone()]).collect()
        }
        Instruction::Copy(copying) | Instruction::Add(copying) => {
            let flags = [&copying.chown, &copying.chmod, &copying.checksum].into_iter().flatten().cloned();
            let paths = copying.sources.iter().filter_map(|source| match source {
                Source::Path(path) => Some(path.clone()),
                // Its quotes are no quotes.
                Source::Inline(heredoc) if heredoc.expand => Some(heredoc.content.replace(['\'', '"'], " ")),
                Source::Inline(_) => None,
            });
            flags.chain(paths).chain([copying.target.clone()]).collect()
        }
        Instruction::Arg(all) => all.iter().filter_map(|(_, default)| default.clone()).collect(),
        Instruction::Run(step) => {
            let values = step.mounts.iter().flat_map(|mount| mount.text.split(','));
            values.filter_map(|field| field.split_once('=').map(|(_, value)| value.to_string())).collect()
        }
        Instruction::Volume(paths) => paths.clone(),
        Instruction::User(text) | Instruction::Workdir(text) | Instruction::Stopsignal(text) => vec![text.clone()],
        _ => Vec::new(),
    }
}

/// Of these only the last counts.
fn used_once(found: &mut Found, located: &Located, state: &mut State) {
    let slot = match &located.instruction {
        Instruction::Cmd(_) => 0,
        Instruction::Entrypoint(_) => 1,
        _ => 2,
    };
    if let Some(lines) = state.used[slot].replace(at(located)) {
        let typed = word(&located.text);
        let text = format!(
            "Multiple {typed} instructions should not be used in the same stage because only the last one will be used"
        );
        found.add("MultipleInstructionsDisallowed", lines, text);
    }
}

/// `ENV name value`, without `=`.
fn legacy(found: &mut Found, located: &Located) {
    if located.text.split_whitespace().nth(1).is_some_and(|w| !w.contains('=')) {
        let typed = word(&located.text);
        let text = format!("\"{typed} key=value\" should be used instead of legacy \"{typed} key value\" format");
        found.add("LegacyKeyValueFormat", at(located), text);
    }
}

fn exposed(found: &mut Found, lines: (usize, usize), port: &str) {
    let own = port.rsplit(':').next().unwrap_or(port);
    if own.split_once('/').is_some_and(|(_, protocol)| protocol.chars().any(char::is_uppercase)) {
        let text = format!("Defined protocol '{port}' in EXPOSE instruction should be lowercase");
        found.add("ExposeProtoCasing", lines, text);
    }
    if port[..port.len() - own.len()].contains(|c| c != ':') {
        let text = format!("EXPOSE instruction should not define an IP address or host-port mapping, found '{port}'");
        found.add("ExposeInvalidFormat", lines, text);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, ignore: &str) -> (Vec<String>, Option<String>) {
        let file = Dockerfile::parse(text).unwrap();
        let begins = |index: usize| match file.stages[index].base.as_str() {
            "one" => Begins::Stage(0),
            "trigger" => {
                Begins::Image(Box::new(ImageConfig { on_build: vec!["CMD x".into()], ..ImageConfig::default() }))
            }
            _ => Begins::Image(Box::new(ImageConfig { env: vec!["JAVA=/j".into()], ..ImageConfig::default() })),
        };
        let value = |applying: &Applying, _: &str, default: Option<&String>| {
            default.map(|text| applying.expand(text)).transpose()
        };
        let (found, wrong) = stages(&file, 0..file.stages.len(), begins, &value, &Ignore::parse(ignore));
        (found.iter().map(Warning::short).collect(), wrong.map(|e| format!("{}: {e}", e.line)))
    }

    #[test]
    fn variables() {
        let text = "FROM a AS one\nARG V=1 W\nENV E=$V$W F=${X:-y} G=$JAVA\nUSER $NOTHING\nFROM one\nCOPY $E $HOEM $V /\nENV HOME=/h\nRUN $any\nLABEL l=$HOEM\nRUN --mount=target=$QQQ x\nCOPY <<A /\n'$RRR\nA\nEXPOSE $S";
        assert_eq!(
            found(text, "").0,
            [
                "UndefinedVar: Usage of undefined variable '$NOTHING' (line 4)",
                "UndefinedVar: Usage of undefined variable '$HOEM' (line 6)",
                "UndefinedVar: Usage of undefined variable '$HOEM' (did you mean $HOME?) (line 9)",
                "UndefinedVar: Usage of undefined variable '$QQQ' (line 10)",
                "UndefinedVar: Usage of undefined variable '$RRR' (line 11)",
            ]
        );
    }

    #[test]
    fn rules() {
        for (text, expected) in [
            (
                "ENV A 1",
                vec![
                    "LegacyKeyValueFormat: \"ENV key=value\" should be used instead of legacy \"ENV key value\" format (line 2)",
                ],
            ),
            (
                "WORKDIR x\nWORKDIR y",
                vec![
                    "WorkdirRelativePath: Relative workdir \"x\" can have unexpected results if the base image changes (line 2)",
                ],
            ),
            (
                "CMD echo",
                vec![
                    "JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals (line 2)",
                ],
            ),
            ("SHELL [\"x\"]\nCMD echo", vec![]),
            (
                "CMD [\"x\"]\nCMD [\"y\"]",
                vec![
                    "MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used (line 2)",
                ],
            ),
            (
                "ARG API_KEY\nENV TOKEN=x PUBLIC_KEY=y KEYS=z",
                vec![
                    "SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG \"API_KEY\") (line 2)",
                    "SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV \"TOKEN\") (line 3)",
                ],
            ),
            (
                "EXPOSE 80/TCP",
                vec!["ExposeProtoCasing: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase (line 2)"],
            ),
            (
                "EXPOSE 8080:80 127.0.0.1::53/udp 90",
                vec![
                    "ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1::53/udp' (line 2)",
                    "ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '8080:80' (line 2)",
                ],
            ),
            (
                "COPY f d/x http://f /\nADD . *.log g/\nCOPY --from=one f /",
                vec![
                    "CopyIgnoredFile: Attempting to Copy file \"f\" that is excluded by .dockerignore (line 2)",
                    "CopyIgnoredFile: Attempting to Copy file \"d/x\" that is excluded by .dockerignore (line 2)",
                    "CopyIgnoredFile: Attempting to Add file \"*.log\" that is excluded by .dockerignore (line 3)",
                ],
            ),
        ] {
            assert_eq!(
                found(&format!("FROM a\n{text}"), "f\nd\n*.log"),
                (expected.iter().map(|s| s.to_string()).collect(), None),
                "{text}"
            );
        }
        let (found, _) = found("FROM trigger\nCMD [\"y\"]", "");
        assert!(found[1].starts_with("MultipleInstructionsDisallowed: Multiple CMD") && found[1].ends_with("(line 1)"));
    }

    #[test]
    fn what_is_wrong() {
        for (text, wrong) in [
            ("EXPOSE x", "2: invalid containerPort: x"),
            ("ENV A=${B:?gone}", "2: failed to process \"${B:?gone}\": B: gone"),
            ("RUN --mount=type=$T,target=/x true", "2: unsupported mount type \"\""),
            ("RUN true\nSTOPSIGNAL NO", "3: invalid signal: NO"),
        ] {
            assert_eq!(found(&format!("FROM a\n{text}"), "").1.as_deref(), Some(wrong), "{text}");
        }
    }
}
