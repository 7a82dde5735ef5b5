//! Simple commands: assignments, and finding what the first word names. Source: POSIX, XCU 2.9.1.

use super::builtins;
use super::escape::traced;
use super::syntax::{Assign, Assigned, Command, Word};
use super::variables::{Value, Variable};
use super::{Flow, Run, Shell};
use crate::errno::Errno;
use crate::io;
use crate::os::{FileKind, LocalFut, Os};
use crate::sorted::Map as BTreeMap;
use std::rc::Rc;

/// Where commands are looked for when `PATH` is not set.
pub const DEFAULT_PATH: &str = "/sbin:/usr/sbin:/bin:/usr/bin";

impl<O: Os> Shell<O> {
    pub(super) async fn simple(
        &mut self,
        command: &Rc<Command>,
        assigns: &[Assign],
        words: &[Word],
        text: &Rc<str>,
        last: bool,
    ) -> Run<()> {
        self.substituted = None;
        let argv = self.expand_words(words).await?;
        let Some(name) = argv.first().cloned() else {
            return self.without_command(command, assigns).await;
        };
        let function = self.functions.get(&name).cloned().filter(|_| !builtins::is_special(&name));
        let result = if function.is_some() || builtins::exists(&name) {
            self.inside(command, assigns, argv, function).await
        } else {
            self.outside(command, assigns, argv, text, last).await
        };
        for fd in std::mem::take(&mut self.substitutions) {
            let _ = self.os.close(fd);
        }
        result
    }

    /// Assignments and redirections alone.
    async fn without_command(&mut self, command: &Command, assigns: &[Assign]) -> Run<()> {
        let saved = match self.redirect(&command.redirects, false).await {
            Ok(saved) => saved,
            Err(flow) => return self.after_bad_redirection(flow),
        };
        self.restore(saved);
        let mut traces = Vec::new();
        for assign in assigns {
            traces.push(self.assignment(assign).await?);
        }
        self.trace(&traces, &[]).await;
        self.status = self.substituted.unwrap_or(0);
        Ok(())
    }

    /// Does one assignment; its text as `set -x` shows it.
    pub(super) async fn assignment(&mut self, assign: &Assign) -> Run<String> {
        let name = &assign.name;
        match &assign.value {
            Assigned::Array(elements) => {
                self.assign_array(assign, elements).await?;
                Ok(format!("{name}=(...)"))
            }
            Assigned::Scalar(word) => {
                let mut text = self.expand_text(word).await?;
                let key = match &assign.index {
                    Some(index) => {
                        let index = self.expand_text(index).await?;
                        match self.key_of(name, &index) {
                            Ok(key) => Some(key),
                            Err(message) => return self.fail(&message, 2).await,
                        }
                    }
                    None => None,
                };
                let before = match &key {
                    Some(key) => self.element(name, key),
                    None => self.variables.get(name).map(str::to_string),
                };
                if self.variables.find(name).is_some_and(|v| v.integer) {
                    text = self.as_integer(&text, before.as_deref().filter(|_| assign.append)).await?;
                } else if assign.append {
                    text = before.unwrap_or_default() + &text;
                }
                let trace = format!("{name}={}", traced(&text));
                match key {
                    None => self.assign(name, text).await?,
                    Some(key) => {
                        let mut index = key.parse().unwrap_or(0);
                        if index < 0 {
                            index += self.array_end(name);
                        }
                        if let Err(readonly) = self.variables.set_element(name, &key, index, text) {
                            return self.fail(&format!("{}: is read only", readonly.0), 2).await;
                        }
                    }
                }
                Ok(trace)
            }
        }
    }

    async fn as_integer(&mut self, text: &str, added_to: Option<&str>) -> Run<String> {
        let sum = match added_to {
            Some(before) => format!("({before})+({text})"),
            None => text.to_string(),
        };
        match super::arith::evaluate(&sum, self) {
            Ok(value) => Ok(value.to_string()),
            Err(message) => self.fail(&message, 2).await,
        }
    }

    /// The index after the last element.
    fn array_end(&self, name: &str) -> i64 {
        match self.variables.find(name).and_then(|v| v.value.as_ref()) {
            Some(Value::Indexed(map)) => map.keys().next_back().map_or(0, |last| last + 1),
            Some(Value::Scalar(_)) => 1,
            _ => 0,
        }
    }

    async fn assign_array(&mut self, assign: &Assign, elements: &[(Option<Word>, Word)]) -> Run<()> {
        let name = &assign.name;
        let keyed = matches!(self.variables.find(name).and_then(|v| v.value.as_ref()), Some(Value::Keyed(_)));
        let mut next = if assign.append { self.array_end(name) } else { 0 };
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (index, word) in elements {
            match index {
                Some(index) => {
                    let index = self.expand_text(index).await?;
                    let text = self.expand_text(word).await?;
                    let key = match self.key_of(name, &index) {
                        Ok(key) => key,
                        Err(message) => return self.fail(&message, 2).await,
                    };
                    next = key.parse::<i64>().unwrap_or(0) + 1;
                    pairs.push((key, text));
                }
                None => {
                    for text in self.expand_words(std::slice::from_ref(word)).await? {
                        pairs.push((next.to_string(), text));
                        next += 1;
                    }
                }
            }
        }
        let fresh = if keyed { Value::Keyed(BTreeMap::new()) } else { Value::Indexed(BTreeMap::new()) };
        let mut result = Ok(());
        if !assign.append || self.variables.find(name).is_none() {
            result = self.variables.set_value(name, Some(fresh));
        }
        for (key, text) in pairs {
            let index = key.parse().unwrap_or(0);
            result = result.and_then(|()| self.variables.set_element(name, &key, index, text));
        }
        match result {
            Ok(()) => Ok(()),
            Err(readonly) => self.fail(&format!("{}: is read only", readonly.0), 2).await,
        }
    }

    /// `set -x`: the command on standard error.
    async fn trace(&mut self, assigns: &[String], argv: &[String]) {
        if !self.options.xtrace {
            return;
        }
        let prefix = self.variables.get("PS4").unwrap_or("+ ").to_string();
        let words: Vec<String> = argv.iter().map(|word| traced(word)).collect();
        let all = [assigns, &words].concat().join(" ");
        io::eprint(&self.os, &format!("{prefix}{all}")).await;
    }

    /// A function or a builtin: in the shell itself, so what it must not change is put back after it.
    async fn inside(
        &mut self,
        command: &Command,
        assigns: &[Assign],
        argv: Vec<String>,
        function: Option<Rc<Command>>,
    ) -> Run<()> {
        let name = argv[0].clone();
        let special = function.is_none() && builtins::is_special(&name);
        let declares = function.is_none() && builtins::declares(&name);
        // `exec` without a command makes its redirections stay.
        let keep = name == "exec" && argv.len() == 1;
        let saved = match self.redirect(&command.redirects, keep).await {
            Ok(saved) => saved,
            Err(Flow::Fail(1)) if special && !self.interactive && name != "exec" => return Err(Flow::Fail(1)),
            Err(flow) => return self.after_bad_redirection(flow),
        };
        let mut before: Vec<(String, Option<Variable>)> = Vec::new();
        let mut traces = Vec::new();
        let mut result = Ok(());
        if declares {
            // The arrays of `local a=(1 2)` are assigned by the builtin's own rules, after it has run.
            self.trace(&[], &argv).await;
            result = self.builtin(&argv).await;
            for assign in assigns {
                if result.is_ok() {
                    result = self.assignment(assign).await.map(drop);
                }
            }
        } else {
            for assign in assigns {
                if !special {
                    before.push((assign.name.clone(), self.variables.take(&assign.name)));
                }
                match self.assignment(assign).await {
                    Ok(trace) => traces.push(trace),
                    Err(flow) => result = Err(flow),
                }
                if !special {
                    self.variables.entry(&assign.name).exported = true;
                }
            }
            self.trace(&traces, &argv).await;
            if result.is_ok() {
                result = match function {
                    Some(body) => self.call(&name, body, argv[1..].to_vec()).await,
                    None => self.builtin(&argv).await,
                };
            }
        }
        for (name, variable) in before.into_iter().rev() {
            self.variables.restore(&name, variable);
        }
        self.restore(saved);
        result
    }

    /// Runs a builtin. An error of one that is not special ends only the command.
    pub(super) async fn builtin(&mut self, argv: &[String]) -> Run<()> {
        let name = argv[0].as_str();
        let speaker = self.speaker.replace(name.to_string());
        let result = builtins::run(self, argv).await;
        // `.` and `eval` may have ended in a flow that goes on: only the name in messages is undone.
        self.speaker = speaker;
        match result {
            Ok(status) => {
                self.status = status;
                Ok(())
            }
            Err(Flow::Fail(status)) if !builtins::is_special(name) => {
                self.status = status;
                Ok(())
            }
            Err(flow) => Err(flow),
        }
    }

    /// A program of its own: found along `PATH`, in a child.
    async fn outside(
        &mut self,
        command: &Rc<Command>,
        assigns: &[Assign],
        argv: Vec<String>,
        text: &Rc<str>,
        last: bool,
    ) -> Run<()> {
        if last && !self.traps.values().any(|action| !action.is_empty()) {
            let code = self.become_program(command, assigns, argv).await;
            return Err(Flow::Exit(code));
        }
        // The child's words are expanded already, so the job is the finished command.
        let (command, assigns) = (command.clone(), assigns.to_vec());
        let job = self.jobs.add(text.to_string());
        let place = super::jobs::Place::Job { group: None, background: false, first: true };
        let body = move |mut shell: Shell<O>| -> LocalFut<i32> {
            Box::pin(async move { shell.become_program(&command, &assigns, argv).await })
        };
        match self.fork(place, body) {
            Ok(pid) => {
                self.jobs.add_process(job, pid);
                if self.options.monitor {
                    let _ = self.os.set_process_group(pid, pid);
                    let _ = self.os.set_foreground_group(io::STDIN, pid);
                }
                self.foreground(job).await
            }
            Err(error) => self.fail(&format!("can't fork: {error}"), 2).await,
        }
    }

    /// Redirects, assigns, and becomes the program; the exit status where that fails.
    async fn become_program(&mut self, command: &Command, assigns: &[Assign], argv: Vec<String>) -> i32 {
        for fd in self.saved.drain(..) {
            let _ = self.os.close(fd);
        }
        if let Err(flow) = self.redirect(&command.redirects, true).await {
            return if let Flow::Fail(status) = flow { status } else { 1 };
        }
        let mut traces = Vec::new();
        for assign in assigns {
            match self.assignment(assign).await {
                Ok(trace) => traces.push(trace),
                Err(_) => return 2,
            }
            self.variables.entry(&assign.name).exported = true;
        }
        self.trace(&traces, &argv).await;
        self.exec_program(&argv).await
    }

    /// Becomes a program; on failure tells why and gives 127 (not found) or 126.
    pub(super) async fn exec_program(&mut self, argv: &[String]) -> i32 {
        let name = &argv[0];
        let env = self.variables.environment();
        let error = match self.find_program(name) {
            Ok(path) => {
                let error = self.os.exec(&path, argv, &env).await;
                if error == Errno::ENOEXEC { self.exec_script(&path, argv, &env).await } else { error }
            }
            Err(error) => error,
        };
        match error {
            Errno::ENOENT | Errno::ENOTDIR => {
                let why = match (self.bash, name.contains('/')) {
                    (true, true) => error.text(),
                    (true, false) => "command not found",
                    (false, _) => "not found",
                };
                self.complain(&format!("{name}: {why}")).await;
                127
            }
            error => {
                self.complain(&format!("{name}: {error}")).await;
                126
            }
        }
    }

    /// A text that is no program is taken for a script.
    async fn exec_script(&mut self, path: &str, argv: &[String], env: &[(String, String)]) -> Errno {
        let mut words = vec!["sh".to_string(), path.to_string()];
        words.extend_from_slice(&argv[1..]);
        match self.find_program("sh") {
            Ok(shell) => {
                self.os.exec(&shell, &words, env).await;
                Errno::ENOEXEC
            }
            Err(_) => Errno::ENOEXEC,
        }
    }

    /// Where a command is: as it is written with a `/` in it, else in the first folder of `PATH` that has it.
    pub(super) fn find_program(&self, name: &str) -> Result<String, Errno> {
        if name.contains('/') {
            return Ok(name.to_string());
        }
        let path = self.variables.get("PATH").unwrap_or(DEFAULT_PATH);
        let mut failure = Errno::ENOENT;
        for folder in path.split(':').filter(|_| !name.is_empty()) {
            let full = if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") };
            match self.os.stat(&full) {
                Ok(stat) if stat.kind == FileKind::Regular && self.os.access(&full, 1).is_ok() => return Ok(full),
                Ok(stat) if stat.kind == FileKind::Regular => failure = Errno::EACCES,
                _ => {}
            }
        }
        Err(failure)
    }

    /// What a command is, for `type` and `command -v`.
    pub(super) fn kind_of(&self, name: &str) -> Option<Kinds> {
        if self.aliases.contains_key(name) {
            return Some(Kinds::Alias);
        }
        if super::parse::is_reserved(name) {
            return Some(Kinds::Keyword);
        }
        if self.functions.contains_key(name) {
            return Some(Kinds::Function);
        }
        if builtins::exists(name) {
            return Some(Kinds::Builtin { special: builtins::is_special(name) });
        }
        let path = self.find_program(name).ok()?;
        self.os.access(&path, 1).is_ok().then_some(Kinds::File(path))
    }
}

/// What a name can stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kinds {
    Alias,
    Keyword,
    Function,
    Builtin { special: bool },
    File(String),
}
