//! A shell with a person in front of it: prompt, job control, and commands that span lines.

use super::complete::{Completer, NoCompleter};
use super::edit::{Typed, stays};
use super::{Flow, Run, Shell, parse};
use crate::io;
use crate::os::{Disposition, Os, Signal};
use std::rc::Rc;

/// The signals that a shell with a prompt treats in a way of its own.
pub(super) const SIGNALS: [Signal; 6] =
    [Signal::INT, Signal::QUIT, Signal::TERM, Signal::TSTP, Signal::TTIN, Signal::TTOU];

/// How a shell with a prompt treats a signal: `^C` is for the line being typed, the others must not stop it.
pub(super) fn disposition(signal: Signal) -> Disposition {
    match signal {
        Signal::INT => Disposition::Catch,
        signal if SIGNALS.contains(&signal) => Disposition::Ignore,
        _ => Disposition::Default,
    }
}

/// How an interactive shell is begun.
#[derive(Clone)]
pub struct Session {
    /// What it goes by: `bash` has braces and bash's messages, `sh` is ash.
    pub name: String,
    pub env: Vec<(String, String)>,
    /// Read the profile first.
    pub login: bool,
    /// Who knows the words of commands, for Tab.
    pub completer: Rc<dyn Completer>,
}

impl Default for Session {
    fn default() -> Session {
        Session { name: "sh".to_string(), env: Vec::new(), login: false, completer: Rc::new(NoCompleter) }
    }
}

/// Runs a shell over the terminal that is its standard input until it is left: its exit status.
pub async fn interactive<O: Os>(os: O, session: Session) -> i32 {
    let mut shell = Shell::new(os, &session.name, session.env);
    shell.converse(&*session.completer, session.login).await
}

impl<O: Os> Shell<O> {
    /// Prompts and runs, until `exit` or the end of input.
    pub(super) async fn converse(&mut self, completer: &dyn Completer, login: bool) -> i32 {
        self.interactive = true;
        for signal in SIGNALS {
            let _ = self.os.sigaction(signal, disposition(signal));
        }
        let terminal = self.os.is_tty(io::STDIN);
        if terminal {
            self.take_terminal();
        }
        self.read_profiles(login).await;
        let mut warned = false;
        let result = loop {
            self.tell_changes().await;
            match self.one_command(completer, terminal).await {
                Ok(true) => warned = false,
                Ok(false) if !warned && self.has_stopped_jobs() => {
                    io::eprint(&self.os, "You have stopped jobs.").await;
                    warned = true;
                }
                Ok(false) if self.options.ignoreeof && terminal => {
                    io::eprint(&self.os, "\nUse \"exit\" to leave shell.").await;
                }
                Ok(false) => {
                    io::eprint(&self.os, if self.bash && terminal { "exit" } else { "" }).await;
                    break Ok(());
                }
                Err(flow) => match stays(flow) {
                    Some(status) => self.status = status,
                    None => break Err(flow),
                },
            }
        };
        self.finish(result).await
    }

    /// Job control: a process group of its own, to which the terminal belongs.
    fn take_terminal(&mut self) {
        let own = self.os.pid();
        let _ = self.os.set_process_group(0, own);
        let group = self.os.process_group();
        self.options.monitor = self.os.set_foreground_group(io::STDIN, group).is_ok();
    }

    fn has_stopped_jobs(&mut self) -> bool {
        let numbers = self.jobs.numbers();
        numbers.iter().any(|n| matches!(self.jobs.state(*n), Some(super::jobs::JobState::Stopped(_))))
    }

    async fn read_profiles(&mut self, login: bool) {
        let home = self.variables.get("HOME").unwrap_or("").to_string();
        let mut files = Vec::new();
        if login {
            files.extend(["/etc/profile".to_string(), format!("{home}/.profile")]);
        }
        if self.bash {
            files.push(format!("{home}/.bashrc"));
        } else if let Some(path) = self.variables.get("ENV") {
            files.push(path.to_string());
        }
        for path in files {
            if let Ok(bytes) = io::read_file(&self.os, &path).await {
                let _ = self.run_text(&String::from_utf8_lossy(&bytes), 1, false).await;
            }
        }
    }

    /// Reads one complete command and runs it. `false` at the end of input.
    async fn one_command(&mut self, completer: &dyn Completer, terminal: bool) -> Run<bool> {
        let mut text = String::new();
        loop {
            let variable = if text.is_empty() { "PS1" } else { "PS2" };
            let prompt = self.prompt(variable).await?;
            let line = match self.typed(&prompt, completer, terminal).await? {
                Typed::Line(line) => line,
                Typed::Interrupted => return Err(Flow::Interrupt),
                Typed::End if text.is_empty() => return Ok(false),
                Typed::End => return self.unfinished(&text).await,
            };
            text.push_str(&line);
            text.push('\n');
            match self.whole(&text) {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) => {
                    self.remember(&text);
                    self.syntax_error(&error).await?;
                }
            }
        }
        self.remember(&text);
        self.run_text(&text, 1, false).await?;
        Ok(true)
    }

    async fn typed(&mut self, prompt: &str, completer: &dyn Completer, terminal: bool) -> Run<Typed> {
        if terminal {
            return self.edit_line(prompt, completer).await;
        }
        let _ = io::write_all(&self.os, io::STDERR, prompt.as_bytes()).await;
        let line = self.read_line(io::STDIN, '\n', None).await?;
        Ok(line.map_or(Typed::End, |(line, _)| Typed::Line(line)))
    }

    async fn unfinished(&mut self, text: &str) -> Run<bool> {
        let mut parser = parse::Parser::new(text, self.manner(1, true));
        loop {
            match parser.next() {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(true),
                Err(error) => {
                    self.syntax_error(&error).await?;
                }
            }
        }
    }

    /// Whether the text is complete, or may be the beginning of something.
    fn whole(&self, text: &str) -> Result<bool, parse::SyntaxError> {
        let continued = text.ends_with("\\\n") && !text.ends_with("\\\\\n");
        let mut parser = parse::Parser::new(text, self.manner(1, false));
        loop {
            match parser.next() {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(!continued),
                Err(error) if error.incomplete => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    fn remember(&mut self, text: &str) {
        let text = text.trim_end();
        if !text.trim().is_empty() && self.history.last().is_none_or(|last| last != text) {
            self.history.push(on_one_line(text));
        }
        if self.history.len() > 1000 {
            self.history.remove(0);
        }
    }
}

/// A command of several lines as one, so that it can be edited: newlines become what they mean.
fn on_one_line(text: &str) -> String {
    if text.contains("<<") {
        return text.to_string();
    }
    let mut line = String::new();
    for part in text.lines() {
        let before = line.trim_end();
        let goes_on = ["do", "then", "else", "in", "{", "(", "|", "&&", "||", ";", "&"].iter().any(|end| {
            before.strip_suffix(end).is_some_and(|head| {
                !end.starts_with(char::is_alphabetic) || head.is_empty() || head.ends_with([' ', ';'])
            })
        });
        if let Some(head) = before.strip_suffix('\\') {
            line = head.to_string();
        } else if !line.is_empty() {
            line.push_str(if goes_on { " " } else { "; " });
        }
        line.push_str(part);
    }
    line
}
