//! Words to fields: substitution, field splitting, pathname expansion, quote removal. Source: POSIX, XCU 2.6.

use super::pattern::{Pattern, PatternChar, has_pattern};
use super::syntax::{List, Part, Word};
use super::{Flow, Fut, Run, Shell, arith, brace};
use crate::io;
use crate::os::{Cost, Os};
use std::rc::Rc;

/// A piece of a field and whether quotes protect it.
#[derive(Clone, Debug)]
struct Segment {
    text: String,
    quoted: bool,
}

/// The fields made so far of a word.
pub(super) struct Fields {
    done: Vec<Vec<Segment>>,
    current: Option<Vec<Segment>>,
    /// `None`: nothing is split.
    separators: Option<String>,
    /// The last separator was white space, which a following one joins.
    after_blank: bool,
    /// `"$@"` without parameters is no field at all.
    empty_at: bool,
}

/// How the pieces of a word are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Plain,
    Quoted,
    /// The word of `${x:-word}` outside of quotes: what is plain in it is split, too.
    Operand,
}

impl Fields {
    fn new(separators: Option<String>) -> Fields {
        Fields { done: Vec::new(), current: None, separators, after_blank: false, empty_at: false }
    }

    pub(super) fn splits(&self) -> bool {
        self.separators.is_some()
    }

    fn add(&mut self, text: &str, quoted: bool) {
        let current = self.current.get_or_insert_default();
        match current.last_mut() {
            Some(last) if last.quoted == quoted => last.text.push_str(text),
            _ => current.push(Segment { text: text.to_string(), quoted }),
        }
    }

    /// Makes sure that there is a field, though perhaps an empty one.
    fn touch(&mut self) {
        self.add("", true);
    }

    /// Ends the current field.
    pub(super) fn separate(&mut self) {
        self.done.extend(self.current.take());
        self.after_blank = false;
    }

    pub(super) fn nothing(&mut self) {
        self.empty_at = true;
    }

    /// Adds what an expansion gave.
    pub(super) fn value(&mut self, text: &str, quoted: bool) {
        let Some(separators) = self.separators.clone().filter(|_| !quoted) else {
            return self.add(text, quoted);
        };
        let mut plain = String::new();
        for c in text.chars() {
            if !separators.contains(c) {
                plain.push(c);
                self.after_blank = false;
                continue;
            }
            if !plain.is_empty() {
                self.add(&std::mem::take(&mut plain), false);
            }
            if matches!(c, ' ' | '\t' | '\n') {
                if self.current.is_some() {
                    self.done.extend(self.current.take());
                    self.after_blank = true;
                }
            } else if self.current.is_some() {
                self.done.extend(self.current.take());
                self.after_blank = false;
            } else if self.after_blank {
                self.after_blank = false;
            } else {
                self.done.push(Vec::new());
            }
        }
        if !plain.is_empty() {
            self.add(&plain, false);
        }
    }

    /// Adds a list, as of `"$@"`: each element a field, the first and last joined to their neighbours.
    pub(super) fn list(&mut self, items: &[String], quoted: bool) {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.separate();
            }
            if quoted {
                self.touch();
            }
            self.value(item, quoted);
        }
        if items.is_empty() {
            self.nothing();
        }
    }

    fn finish(mut self) -> Vec<Vec<Segment>> {
        self.separate();
        self.done
    }
}

fn text_of(field: &[Segment]) -> String {
    field.iter().map(|s| s.text.as_str()).collect()
}

fn pattern_of(field: &[Segment]) -> Vec<PatternChar> {
    let chars = |s: &Segment| {
        let quoted = s.quoted;
        // A backslash that came out of an expansion quotes, too.
        let mut escaped = false;
        let mut chars = Vec::new();
        for c in s.text.chars() {
            if c == '\\' && !quoted && !escaped {
                escaped = true;
                continue;
            }
            chars.push(PatternChar { c, quoted: quoted || escaped });
            escaped = false;
        }
        if escaped {
            chars.push(PatternChar { c: '\\', quoted: true });
        }
        chars
    };
    field.iter().flat_map(chars).collect()
}

impl<O: Os> Shell<O> {
    /// The words of a command, with everything expanded.
    pub(super) fn expand_words<'a>(&'a mut self, words: &'a [Word]) -> Fut<'a, Run<Vec<String>>> {
        Box::pin(async move {
            let mut texts = Vec::new();
            for word in words {
                if let Some(text) =
                    word.plain().filter(|t| !t.is_empty() && !t.contains(['*', '?', '[', '{', '@', '+', '!']))
                {
                    texts.push(text.to_string());
                } else if self.options.braceexpand {
                    for word in brace::expand(word) {
                        self.expand_word(&word, &mut texts).await?;
                    }
                } else {
                    self.expand_word(word, &mut texts).await?;
                }
            }
            Ok(texts)
        })
    }

    async fn expand_word(&mut self, word: &Word, texts: &mut Vec<String>) -> Run<()> {
        let separators = self.variables.get("IFS").unwrap_or(" \t\n").to_string();
        let mut fields = Fields::new(Some(separators));
        self.parts(&word.0, Mode::Plain, &mut fields).await?;
        for field in fields.finish() {
            let plain = field.iter().all(|s| s.quoted || !s.text.contains(['*', '?', '[', '+', '@', '!']));
            if !self.options.noglob && !plain {
                let pattern = pattern_of(&field);
                if has_pattern(&pattern, self.options.extglob) {
                    let paths = self.paths(&pattern).await;
                    if !paths.is_empty() || self.options.nullglob {
                        texts.extend(paths);
                        continue;
                    }
                }
            }
            texts.push(text_of(&field));
        }
        Ok(())
    }

    /// A word as one text: of an assignment, a redirection, the subject of `case`.
    pub(super) fn expand_text<'a>(&'a mut self, word: &'a Word) -> Fut<'a, Run<String>> {
        Box::pin(async move { Ok(text_of(&self.unsplit(word).await?)) })
    }

    async fn unsplit(&mut self, word: &Word) -> Run<Vec<Segment>> {
        let mut fields = Fields::new(None);
        self.parts(&word.0, Mode::Plain, &mut fields).await?;
        Ok(fields.finish().concat())
    }

    /// A word as a pattern, in which quoted characters stand for themselves.
    pub(super) fn expand_pattern<'a>(&'a mut self, word: &'a Word, extended: bool) -> Fut<'a, Run<Pattern>> {
        Box::pin(async move {
            let segments = self.unsplit(word).await?;
            Ok(Pattern::new(&pattern_of(&segments), extended || self.options.extglob))
        })
    }

    /// A word as a regular expression: quoted characters are escaped.
    pub(super) async fn expand_regex(&mut self, word: &Word) -> Run<String> {
        let segments = self.unsplit(word).await?;
        let mut text = String::new();
        for segment in segments {
            for c in segment.text.chars() {
                if segment.quoted && "\\^$.[]|()?*+{}".contains(c) {
                    text.push('\\');
                }
                text.push(c);
            }
        }
        Ok(text)
    }

    pub(super) fn parts<'a>(&'a mut self, parts: &'a [Part], mode: Mode, fields: &'a mut Fields) -> Fut<'a, Run<()>> {
        Box::pin(async move {
            let quoted = mode == Mode::Quoted;
            for part in parts {
                match part {
                    Part::Literal(text) if mode == Mode::Operand => fields.value(text, false),
                    Part::Literal(text) => fields.add(text, quoted),
                    Part::Quoted(text) => fields.add(text, true),
                    Part::Double(inner) => {
                        fields.empty_at = false;
                        self.parts(inner, Mode::Quoted, fields).await?;
                        if fields.current.is_none() && !fields.empty_at {
                            fields.touch();
                        }
                    }
                    Part::Tilde(user) => {
                        let home = self.home_of(user).await;
                        fields.add(&home, true);
                    }
                    Part::Parameter(parameter) => self.parameter(parameter, quoted, fields).await?,
                    Part::Command(list) => {
                        let text = self.substitute(list).await?;
                        fields.value(&text, quoted);
                    }
                    Part::Arith(word) => {
                        let value = self.arithmetic(word).await?;
                        fields.value(&value.to_string(), quoted);
                    }
                    Part::Process { reads, list } => {
                        let path = self.process_substitution(*reads, list).await?;
                        fields.add(&path, true);
                    }
                }
            }
            Ok(())
        })
    }

    /// `~`, `~user`, `~+`, `~-`; itself where there is no such user.
    async fn home_of(&self, user: &str) -> String {
        let named = match user {
            "" => self.variables.get("HOME"),
            "+" => self.variables.get("PWD"),
            "-" => self.variables.get("OLDPWD"),
            _ => None,
        };
        if let Some(home) = named {
            return home.to_string();
        }
        let passwd = io::read_file(&self.os, "/etc/passwd").await.unwrap_or_default();
        let passwd = String::from_utf8_lossy(&passwd).into_owned();
        let line = passwd.lines().find(|line| line.split(':').next() == Some(user));
        line.and_then(|line| line.split(':').nth(5)).map_or(format!("~{user}"), str::to_string)
    }

    /// The value of an arithmetic expression.
    pub(super) async fn arithmetic(&mut self, word: &Word) -> Run<i64> {
        let text = self.expand_text(word).await?;
        match arith::evaluate(&text, self) {
            Ok(value) => Ok(value),
            Err(message) => self.fail(&message, 2).await,
        }
    }

    /// What the commands write to standard output, without the newlines at the end.
    async fn substitute(&mut self, list: &Rc<List>) -> Run<String> {
        let (reader, writer) = match self.os.pipe() {
            Ok(ends) => ends,
            Err(error) => return self.fail(&format!("can't create pipe: {error}"), 2).await,
        };
        let list = list.clone();
        let body = move |mut shell: Shell<O>| -> crate::os::LocalFut<i32> {
            Box::pin(async move {
                let _ = shell.os.close(reader);
                shell.move_fd(writer, io::STDOUT);
                let result = shell.list(&list, true).await;
                shell.finish(result).await
            })
        };
        let child = self.fork(super::jobs::Place::Inside, body);
        let _ = self.os.close(writer);
        let child = match child {
            Ok(pid) => pid,
            Err(error) => {
                let _ = self.os.close(reader);
                return self.fail(&format!("can't fork: {error}"), 2).await;
            }
        };
        let mut bytes = Vec::new();
        loop {
            match self.os.read(reader, io::CHUNK).await {
                Ok(more) if more.is_empty() => break,
                Ok(more) => {
                    self.os.charge(Cost { cpu: 1, memory: more.len() as i64 }).await;
                    bytes.extend(more);
                }
                Err(crate::Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        let _ = self.os.close(reader);
        let status = self.wait_for(child).await;
        self.status = status;
        self.substituted = Some(status);
        if status == 130 && self.interactive {
            return Err(Flow::Interrupt);
        }
        // The text now belongs to whatever it is assigned to, which pays for it.
        self.os.charge(Cost { cpu: 1, memory: -(bytes.len() as i64) }).await;
        bytes.retain(|b| *b != 0);
        let mut text = String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        text.truncate(text.trim_end_matches('\n').len());
        Ok(text)
    }

    /// Starts the commands of `<(…)` and gives the name of the pipe's other end.
    async fn process_substitution(&mut self, reads: bool, list: &Rc<List>) -> Run<String> {
        let (reader, writer) = match self.os.pipe() {
            Ok(ends) => ends,
            Err(error) => return self.fail(&format!("can't create pipe: {error}"), 2).await,
        };
        let (mine, theirs, to) = if reads { (reader, writer, io::STDOUT) } else { (writer, reader, io::STDIN) };
        let list = list.clone();
        let child = self.fork(super::jobs::Place::Inside, move |mut shell| {
            Box::pin(async move {
                let _ = shell.os.close(mine);
                shell.move_fd(theirs, to);
                let result = shell.list(&list, true).await;
                shell.finish(result).await
            })
        });
        let _ = self.os.close(theirs);
        if let Err(error) = child {
            let _ = self.os.close(mine);
            return self.fail(&format!("can't fork: {error}"), 2).await;
        }
        // A number out of the way of those that scripts use.
        let mut fd = mine;
        if let Ok(copy) = self.os.dup(mine, 60) {
            let _ = self.os.close(mine);
            fd = copy;
        }
        self.substitutions.push(fd);
        Ok(format!("/dev/fd/{fd}"))
    }
}

impl<O: Os> arith::Names for Shell<O> {
    fn value(&mut self, name: &str, index: Option<&str>) -> Result<Option<String>, String> {
        let value = match index {
            None => self.lookup(name),
            Some(index) => {
                let key = self.key_of(name, index)?;
                self.element(name, &key)
            }
        };
        if value.is_none() && self.options.nounset {
            return Err(format!("{name}: parameter not set"));
        }
        Ok(value)
    }

    fn assign(&mut self, name: &str, index: Option<&str>, value: i64) -> Result<(), String> {
        let result = match index {
            None => self.variables.set(name, value.to_string()),
            Some(index) => {
                let key = self.key_of(name, index)?;
                self.variables.set_element(name, &key, key.parse().unwrap_or(0), value.to_string())
            }
        };
        result.map_err(|readonly| format!("{}: is read only", readonly.0))
    }
}
