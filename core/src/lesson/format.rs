//! The files of a lesson, as types: read strictly, so that a slip of the pen is named with its place.

use super::check::Check;
use super::text::Text;
use super::toml;
use serde::Deserialize;
use std::fmt;

/// The one version of the format that there is so far.
const FORMAT: u32 = 1;
/// Larger files are refused: a lesson is text that a person reads.
const LARGEST: usize = 256 * 1024;

/// What is wrong with a lesson: which file, where in it, what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LessonError {
    pub file: String,
    /// Counted from 1.
    pub line: Option<usize>,
    pub reason: String,
}

impl fmt::Display for LessonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}, line {line}: {}", self.file, self.reason),
            None => write!(f, "{}: {}", self.file, self.reason),
        }
    }
}

impl std::error::Error for LessonError {}

/// `lesson.toml`, `wrong.toml` and the text of one language.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesson {
    /// Never changes: progress is kept under it.
    pub id: String,
    /// Counts the changes after which old progress no longer means anything.
    pub version: u32,
    /// About how long it takes.
    pub minutes: u32,
    /// Ids of lessons that come before.
    pub needs: Vec<String>,
    /// Where it can be played: `simulated`, `linux`.
    pub backends: Vec<String>,
    /// Host-shell lines that are run, unseen, before the learner begins.
    pub setup: Vec<String>,
    /// Host-shell lines that reach every goal.
    pub solution: Vec<String>,
    pub goals: Vec<Goal>,
    pub predictions: Vec<Prediction>,
    pub mistakes: Vec<Mistake>,
    /// Attempts that fail, for the tests.
    pub wrong: Vec<Attempt>,
    pub text: Text,
    /// Files put into the working folder: path and contents.
    pub files: Vec<(String, Vec<u8>)>,
}

/// One thing to reach; its text is the section `goal.KEY`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    pub key: String,
    pub check: Check,
}

/// A question asked before a line is run; its text is the section `predict.KEY`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prediction {
    pub key: String,
    /// Asked when the learner enters a line that begins so.
    pub before: String,
    pub choices: Vec<Choice>,
}

/// An answer; its text is the section `choice.KEY`. It was right if its check holds after the line has run.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    pub key: String,
    pub check: Check,
}

/// A mistake with a hint of its own, the section `hint.KEY`; the first whose check holds is shown.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mistake {
    pub key: String,
    pub check: Check,
}

/// Lines that a learner might well type and that must not pass: the hint that they must get.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    pub name: String,
    pub lines: Vec<String>,
    pub hint: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LessonFile {
    format: u32,
    id: String,
    version: u32,
    minutes: u32,
    #[serde(default)]
    needs: Vec<String>,
    backends: Vec<String>,
    #[serde(default)]
    setup: Vec<String>,
    solution: Vec<String>,
    goal: Vec<Goal>,
    #[serde(default)]
    predict: Vec<Prediction>,
    #[serde(default)]
    mistake: Vec<Mistake>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrongFile {
    attempt: Vec<Attempt>,
}

impl Lesson {
    /// Reads a lesson from the files of its folder: pairs of path (relative to the folder) and contents.
    pub fn parse(folder: &str, files: &[(String, Vec<u8>)], language: &str) -> Result<Lesson, LessonError> {
        let read = |name: &str| -> Result<&str, LessonError> {
            let error =
                |reason: &str| LessonError { file: format!("{folder}/{name}"), line: None, reason: reason.into() };
            let (_, bytes) = files.iter().find(|(path, _)| path == name).ok_or_else(|| error("is missing"))?;
            if bytes.len() > LARGEST {
                return Err(error("is larger than 256 KiB"));
            }
            std::str::from_utf8(bytes).map_err(|_| error("is not UTF-8 text"))
        };
        let own: LessonFile = toml::read(&format!("{folder}/lesson.toml"), read("lesson.toml")?)?;
        let wrong: WrongFile = toml::read(&format!("{folder}/wrong.toml"), read("wrong.toml")?)?;
        let name = format!("{language}.md");
        let text = Text::parse(&format!("{folder}/{name}"), read(&name)?)?;
        let extra =
            files.iter().filter_map(|(path, bytes)| Some((path.strip_prefix("files/")?.to_string(), bytes.clone())));
        let lesson = Lesson {
            id: own.id,
            version: own.version,
            minutes: own.minutes,
            needs: own.needs,
            backends: own.backends,
            setup: own.setup,
            solution: own.solution,
            goals: own.goal,
            predictions: own.predict,
            mistakes: own.mistake,
            wrong: wrong.attempt,
            text,
            files: extra.collect(),
        };
        lesson.validate(folder, own.format)?;
        Ok(lesson)
    }

    /// What the types can't say: known versions and worlds, a text for each key, safe file names.
    fn validate(&self, folder: &str, format: u32) -> Result<(), LessonError> {
        let error =
            |file: &str, reason: String| Err(LessonError { file: format!("{folder}/{file}"), line: None, reason });
        if format != FORMAT {
            return error("lesson.toml", format!("format {format} is not known; this reads format {FORMAT}"));
        }
        if self.id.is_empty() || !self.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return error("lesson.toml", format!("id {:?} must be made of a-z, 0-9 and -", self.id));
        }
        if let Some(other) = self.backends.iter().find(|b| !["simulated", "linux"].contains(&b.as_str())) {
            return error("lesson.toml", format!("backend {other:?} is not known; there are simulated and linux"));
        }
        let keys = self.goals.iter().map(|g| format!("goal.{}", g.key));
        let keys = keys.chain(self.predictions.iter().map(|p| format!("predict.{}", p.key)));
        let keys =
            keys.chain(self.predictions.iter().flat_map(|p| p.choices.iter().map(|c| format!("choice.{}", c.key))));
        for key in keys.chain(self.mistakes.iter().map(|m| format!("hint.{}", m.key))) {
            if self.text.section(&key).is_none() {
                return error("lesson.toml", format!("{key} has no section of this name in the text"));
            }
        }
        for attempt in &self.wrong {
            if !self.mistakes.iter().any(|m| m.key == attempt.hint) {
                return error(
                    "wrong.toml",
                    format!("attempt {:?} expects the hint {:?}, which is not there", attempt.name, attempt.hint),
                );
            }
        }
        for (path, _) in &self.files {
            if path.starts_with('/') || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return error(&format!("files/{path}"), "leaves the lesson's folder".into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "format = 1\nid = \"a\"\nversion = 1\nminutes = 1\nbackends = [\"simulated\"]\nsolution = [\"true\"]\n\
        [[goal]]\nkey = \"g\"\ncheck = { ran = { command = \"true\" } }\n";
    const WRONG: &str = "[[attempt]]\nname = \"x\"\nlines = [\"false\"]\nhint = \"h\"\n";

    fn parse(lesson: &str, wrong: &str, text: &str) -> Result<Lesson, String> {
        let file = |name: &str, text: &str| (name.to_string(), text.as_bytes().to_vec());
        let files = [file("lesson.toml", lesson), file("wrong.toml", wrong), file("en.md", text)];
        Lesson::parse("here", &files, "en").map_err(|e| e.to_string())
    }

    #[test]
    fn a_slip_is_named_with_its_place() {
        let text = "# T\n\nBody.\n\n## goal.g\n\nDo it.\n\n## hint.h\n\nTry.\n";
        let mistake = "[[mistake]]\nkey = \"h\"\ncheck = { ran = { command = \"false\" } }\n";
        let good = format!("{GOOD}{mistake}");
        assert_eq!(parse(&good, WRONG, text).map(|l| l.id), Ok("a".to_string()));
        for (lesson, wrong, text, expected) in [
            (
                good.replace("format = 1", "format = 9"),
                WRONG,
                text,
                "here/lesson.toml: format 9 is not known; this reads format 1",
            ),
            (good.replace("minutes", "hours"), WRONG, text, "here/lesson.toml, line 4: unknown field `hours`"),
            (
                good.replace("\"a\"", "\"A b\""),
                WRONG,
                text,
                "here/lesson.toml: id \"A b\" must be made of a-z, 0-9 and -",
            ),
            (
                good.clone(),
                WRONG,
                "# T\n\n## goal.g\n\nx\n",
                "here/lesson.toml: hint.h has no section of this name in the text",
            ),
            (
                good.clone(),
                "[[attempt]]\nname = \"x\"\nlines = []\nhint = \"z\"\n",
                text,
                "here/wrong.toml: attempt \"x\" expects the hint \"z\", which is not there",
            ),
            (
                good.replace("simulated", "moon"),
                WRONG,
                text,
                "here/lesson.toml: backend \"moon\" is not known; there are simulated and linux",
            ),
            (good.replace("ran = {", "shell = {"), WRONG, text, "here/lesson.toml, line 9: unknown variant `shell`"),
        ] {
            let error = parse(&lesson, wrong, text).unwrap_err();
            assert!(error.starts_with(expected), "{error}\nexpected {expected}");
        }
    }
}
