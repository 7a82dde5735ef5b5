//! Whole files: what they parse to, and what is said of wrong ones.

use super::*;
use crate::dockerfile::{Command, Copying, Source};

fn instructions(text: &str) -> Vec<Instruction> {
    let file = Dockerfile::parse(&format!("FROM a\n{text}")).unwrap_or_else(|e| panic!("{text}: {e}"));
    file.stages[0].instructions.iter().map(|i| i.instruction.clone()).collect()
}

#[test]
fn instructions_of_each_kind() {
    let pairs = |rows: &[(&str, &str)]| rows.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect::<Vec<_>>();
    let words = |rows: &[&str]| rows.iter().map(|s| s.to_string()).collect::<Vec<_>>();
    for (text, expected) in [
        ("ENV A=1 B=\"two words\"", Instruction::Env(pairs(&[("A", "1"), ("B", "\"two words\"")]))),
        ("ENV A two words", Instruction::Env(pairs(&[("A", "two words")]))),
        ("label a.b=c", Instruction::Label(pairs(&[("a.b", "c")]))),
        ("ARG A=1 B", Instruction::Arg(vec![("A".into(), Some("1".into())), ("B".into(), None)])),
        ("CMD [\"a\", \"b\"]", Instruction::Cmd(Command::Exec(words(&["a", "b"])))),
        ("CMD a b", Instruction::Cmd(Command::Shell("a b".into()))),
        ("ENTRYPOINT ['a']", Instruction::Entrypoint(Command::Shell("['a']".into()))),
        ("CMD []", Instruction::Cmd(Command::Exec(Vec::new()))),
        ("EXPOSE 80 53/udp", Instruction::Expose("80 53/udp".into())),
        ("VOLUME /a /b", Instruction::Volume(words(&["/a", "/b"]))),
        ("VOLUME [\"/a b\"]", Instruction::Volume(words(&["/a b"]))),
        ("SHELL [\"/bin/sh\",\"-ec\"]", Instruction::Shell(words(&["/bin/sh", "-ec"]))),
        ("ONBUILD RUN x", Instruction::Onbuild("RUN x".into())),
        ("MAINTAINER me", Instruction::Maintainer("me".into())),
        (
            "COPY --from=build --chown=1:2 --link a b /c/",
            Instruction::Copy(Copying {
                sources: vec![Source::Path("a".into()), Source::Path("b".into())],
                target: "/c/".into(),
                from: Some("build".into()),
                chown: Some("1:2".into()),
                link: true,
                ..Copying::default()
            }),
        ),
    ] {
        assert_eq!(instructions(text), [expected], "{text}");
    }
}

/// Cut short anywhere, or with any one character changed, it is read or refused.
#[test]
fn broken_text_is_refused_kindly() {
    let text = "# escape=`\nARG A=${B:-c}\nFROM a AS b\nRUN --mount=type=cache,target=/x <<E `\n a\nq\nE\nCOPY --from=b [\"x\", \"y\"]\n\
                HEALTHCHECK --interval=1s CMD [\"é\"]\nENV a=\"b ${c%%d}\" 'e'\nEXPOSE 80-90/tcp\n";
    let whole: Vec<char> = text.chars().collect();
    for at in 0..=whole.len() {
        for change in ["", "\"", "'", "$", "{", "\\", "<", "\n", "é", "=", "#", "["] {
            let mut broken: String = whole[..at].iter().collect();
            broken.push_str(change);
            for rest in [String::new(), whole[(at + 1).min(whole.len())..].iter().collect()] {
                let text = broken.clone() + &rest;
                if let Err(error) = Dockerfile::parse(&text) {
                    assert!(!error.message.is_empty());
                    crate::dockerfile::excerpt("Dockerfile", &text, error.line, error.last_line);
                }
                let spans = crate::dockerfile::spans(&text);
                assert!(spans.iter().all(|s| text.get(s.start..s.end).is_some()), "{text:?}");
            }
        }
    }
}

#[test]
fn stages_and_arguments() {
    let file =
        Dockerfile::parse("ARG TAG=1\nARG IMAGE=a:$TAG\nFROM --platform=linux/arm64 $IMAGE AS Build\nFROM build\n")
            .unwrap();
    assert_eq!(file.stages[0].name.as_deref(), Some("build"));
    assert_eq!(file.stages[0].platform.as_deref(), Some("linux/arm64"));
    assert_eq!((file.stage_index("BUILD"), file.stage_index("1"), file.stage_index("2")), (Some(0), Some(1), None));
    let args = file.global_args(&Vars::from([("TAG".into(), "7".into())]), &Vars::new()).unwrap();
    assert_eq!(args["IMAGE"], "a:7");
}

#[test]
fn errors_name_their_line() {
    let parse_error = |line: usize, text: &str| format!("dockerfile parse error on line {line}: {text}");
    for (text, error) in [
        ("", "the Dockerfile cannot be empty".to_string()),
        ("\n", "file with no instructions".into()),
        ("# only\n", "file with no instructions".into()),
        ("RUN echo no base", "no build stage in current context".into()),
        ("ARG A", "dockerfile contains no stages to build".into()),
        ("FROM a\nFLY away", parse_error(2, "unknown instruction: FLY")),
        ("FROM a\nCOPPY x y", parse_error(2, "unknown instruction: COPPY (did you mean COPY?)")),
        ("FROM", parse_error(1, "FROM requires either one or three arguments")),
        ("FROM a b", parse_error(1, "FROM requires either one or three arguments")),
        (
            "FROM a AS 1X",
            parse_error(1, "invalid name for build stage: \"1X\", name can't start with a number or contain symbols"),
        ),
        (
            "FROM a\nCOPY x",
            parse_error(
                2,
                "COPY requires at least two arguments, but only one was provided. Destination could not be determined",
            ),
        ),
        ("FROM a\nCOPY --fly=1 x y", parse_error(2, "unknown flag: --fly")),
        ("FROM a\nCOPY --from x y", parse_error(2, "missing a value on flag: --from")),
        ("FROM a\nENV A", "ENV must have two arguments".into()),
        ("FROM a\nFLY\nENV A", "ENV must have two arguments".into()),
        ("FROM a\nfrm x", parse_error(2, "unknown instruction: frm (did you mean from?)")),
        ("FROM a\nCOPY --frm=x a b", parse_error(2, "unknown flag: --frm (did you mean from?)")),
        ("FROM a\nCOPY --link= a b", parse_error(2, "missing a value on flag: --link")),
        ("FROM a\nCMD [\"x\", 1]", "when using JSON array syntax, arrays must be comprised of strings only".into()),
        ("FROM a\nCOPY x <<A\nA", parse_error(2, "COPY cannot accept a heredoc as a destination")),
        ("FROM a\nHEALTHCHECK --timeout=5 CMD x", parse_error(2, "time: missing unit in duration \"5\"")),
        ("FROM a\nHEALTHCHECK --timeout=-5s CMD x", parse_error(2, "Interval \"timeout\" cannot be less than 1ms")),
        ("# check=skip=all\n# check=skip=all\nFROM a", "only one check parser directive can be used".into()),
        ("FROM a\nENV A=1 B", "Syntax error - can't find = in \"B\". Must be of the form: name=value".into()),
        ("FROM a\nENV =1", parse_error(2, "ENV names can not be blank")),
        ("FROM a\nENV", parse_error(2, "ENV requires at least one argument")),
        ("FROM a\nWORKDIR", parse_error(2, "WORKDIR requires exactly one argument")),
        ("FROM a\n\nUSER", parse_error(3, "USER requires exactly one argument")),
        ("FROM a\nSHELL /bin/sh", parse_error(2, "SHELL requires the arguments to be in JSON form")),
        ("FROM a\nONBUILD ONBUILD RUN x", parse_error(2, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")),
        ("FROM a\nONBUILD FROM x", parse_error(2, "FROM isn't allowed as an ONBUILD trigger")),
        ("FROM a\nHEALTHCHECK RUN x", parse_error(2, "Unknown type \"RUN\" in HEALTHCHECK (try CMD)")),
        ("FROM a\nHEALTHCHECK CMD", parse_error(2, "Missing command after HEALTHCHECK CMD")),
        ("FROM a\nVOLUME [\"\"]", parse_error(2, "VOLUME specified can not be an empty string")),
        (
            "FROM a\nRUN --mount=from=$A,target=/y z",
            parse_error(2, "'from' doesn't support variable expansion, define alias stage instead"),
        ),
    ] {
        assert_eq!(Dockerfile::parse(text).map_err(|e| e.to_string()).unwrap_err(), error, "{text}");
    }
}
