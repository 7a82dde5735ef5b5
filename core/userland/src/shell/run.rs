//! Walking a script: lists, chains, pipelines and compound commands. Source: POSIX, XCU 2.9.

use super::jobs::Place;
use super::syntax::*;
use super::{Flow, Fut, Run, Shell, parse};
use crate::io;
use crate::os::{Cost, Os, Signal};
use std::rc::Rc;
use std::time::Duration;

/// How deep functions and sourced files may call each other.
const MAX_CALLS: usize = 200;

impl<O: Os> Shell<O> {
    /// Reads and runs a text. With `last`, nothing follows it: its last command may take the shell's place.
    pub(super) fn run_text<'a>(&'a mut self, text: &'a str, line: usize, last: bool) -> Fut<'a, Run<()>> {
        Box::pin(async move {
            let mut parser = parse::Parser::new(text, self.manner(line, true));
            loop {
                let list = match parser.next() {
                    Ok(Some(list)) => list,
                    Ok(None) => return Ok(()),
                    Err(error) => return self.syntax_error(&error).await,
                };
                self.list(&list, last && parser.at_end()).await?;
                parser.set_manner(self.manner(line, true));
            }
        })
    }

    /// `syntax error: unexpected "fi"`; scripts in files tell the line.
    pub(super) async fn syntax_error(&mut self, error: &parse::SyntaxError) -> Run<()> {
        self.line = error.line;
        self.fail(&format!("syntax error: {}", error.message), 2).await
    }

    pub(super) fn list<'a>(&'a mut self, list: &'a List, last: bool) -> Fut<'a, Run<()>> {
        Box::pin(async move {
            let count = list.0.len();
            for (i, item) in list.0.iter().enumerate() {
                if item.background {
                    self.background(item).await?;
                } else {
                    self.chain(&item.chain, &item.text, last && i + 1 == count).await?;
                }
                self.signals().await?;
            }
            Ok(())
        })
    }

    async fn chain(&mut self, chain: &Chain, text: &Rc<str>, last: bool) -> Run<()> {
        let count = chain.rest.len();
        self.tested += usize::from(count > 0);
        let result = self.pipeline(&chain.first, text, last && count == 0).await;
        self.tested -= usize::from(count > 0);
        result?;
        for (i, (join, pipeline)) in chain.rest.iter().enumerate() {
            if (self.status == 0) != (*join == Join::And) {
                continue;
            }
            let tested = i + 1 < count;
            self.tested += usize::from(tested);
            let result = self.pipeline(pipeline, text, last && !tested).await;
            self.tested -= usize::from(tested);
            result?;
        }
        Ok(())
    }

    async fn pipeline(&mut self, pipeline: &Pipeline, text: &Rc<str>, last: bool) -> Run<()> {
        let before = pipeline.timed.then(|| (self.os.now(), self.os.times()));
        self.tested += usize::from(pipeline.negated);
        let result = match pipeline.commands.as_slice() {
            [] => Ok(()),
            [command] => self.command(command, text, last && !pipeline.negated && !pipeline.timed).await,
            commands => self.piped(commands, text).await,
        };
        self.tested -= usize::from(pipeline.negated);
        result?;
        if pipeline.negated {
            self.status = i32::from(self.status == 0);
        } else if self.options.errexit && self.status != 0 && self.tested == 0 {
            let compound = matches!(pipeline.commands.as_slice(), [c] if matches!(c.kind, Kind::Group(_) | Kind::If { .. } | Kind::While { .. } | Kind::For { .. } | Kind::Case { .. }));
            if !compound {
                return Err(Flow::Exit(self.status));
            }
        }
        if let Some((start, ((user, system), (child_user, child_system)))) = before {
            let real = self.os.now().saturating_sub(start);
            let ((user2, system2), (child_user2, child_system2)) = self.os.times();
            let user = (user2 + child_user2).saturating_sub(user + child_user);
            let system = (system2 + child_system2).saturating_sub(system + child_system);
            let show =
                |t: Duration| format!("{}m {}.{:02}s", t.as_secs() / 60, t.as_secs() % 60, t.subsec_millis() / 10);
            io::eprint(&self.os, &format!("real\t{}\nuser\t{}\nsys\t{}", show(real), show(user), show(system))).await;
        }
        Ok(())
    }

    /// Several commands, each a child, joined by pipes.
    async fn piped(&mut self, commands: &[Rc<Command>], text: &Rc<str>) -> Run<()> {
        let job = self.launch(commands, text.clone(), false).await?;
        self.foreground(job).await
    }

    async fn background(&mut self, item: &Item) -> Run<()> {
        let chain = &item.chain;
        let alone = chain.rest.is_empty() && !chain.first.negated && !chain.first.timed;
        let commands = if alone {
            chain.first.commands.clone()
        } else {
            let item = Item { background: false, ..item.clone() };
            vec![Rc::new(Command { line: self.line, kind: Kind::Group(List(vec![item])), redirects: Vec::new() })]
        };
        let job = self.launch(&commands, item.text.clone(), true).await?;
        self.last_background = self.jobs.last_process(job);
        if self.interactive
            && self.bash
            && let Some(pid) = self.last_background
        {
            io::eprint(&self.os, &format!("[{job}] {pid}")).await;
        }
        self.status = 0;
        Ok(())
    }

    /// Starts a pipeline as a job of its own and gives the number of the job.
    async fn launch(&mut self, commands: &[Rc<Command>], text: Rc<str>, background: bool) -> Run<usize> {
        let job = self.jobs.add(text.to_string());
        let mut input = None;
        let mut group = None;
        for (i, command) in commands.iter().enumerate() {
            let output = if i + 1 < commands.len() {
                match self.os.pipe() {
                    Ok(ends) => Some(ends),
                    Err(error) => return self.fail(&format!("can't create pipe: {error}"), 2).await,
                }
            } else {
                None
            };
            let command = command.clone();
            let body = move |mut shell: Shell<O>| -> crate::os::LocalFut<i32> {
                Box::pin(async move {
                    if let Some(fd) = input {
                        shell.move_fd(fd, io::STDIN);
                    }
                    if let Some((reader, writer)) = output {
                        let _ = shell.os.close(reader);
                        shell.move_fd(writer, io::STDOUT);
                    }
                    let result = shell.in_child(&command).await;
                    shell.finish(result).await
                })
            };
            let place = Place::Job { group, background, first: i == 0 };
            let child = self.fork(place, body);
            if let Some(fd) = input.take() {
                let _ = self.os.close(fd);
            }
            if let Some((reader, writer)) = output {
                let _ = self.os.close(writer);
                input = Some(reader);
            }
            match child {
                Ok(pid) => {
                    if self.options.monitor {
                        let _ = self.os.set_process_group(pid, group.unwrap_or(pid));
                    }
                    group.get_or_insert(pid);
                    self.jobs.add_process(job, pid);
                }
                Err(error) => {
                    if let Some(fd) = input {
                        let _ = self.os.close(fd);
                    }
                    return self.fail(&format!("can't fork: {error}"), 2).await;
                }
            }
        }
        if self.options.monitor
            && !background
            && let Some(group) = group
        {
            let _ = self.os.set_foreground_group(io::STDIN, group);
        }
        Ok(job)
    }

    /// Runs a command in a child that has nothing else to do: a subshell needs no second one.
    async fn in_child(&mut self, command: &Rc<Command>) -> Run<()> {
        match &command.kind {
            Kind::Subshell(list) => {
                self.redirect(&command.redirects, true).await.map_err(|_| Flow::Exit(1))?;
                self.list(list, true).await
            }
            _ => self.command(command, &Rc::from(""), true).await,
        }
    }

    /// Runs one command. With `last`, it may take the shell's place.
    pub(super) fn command<'a>(
        &'a mut self,
        command: &'a Rc<Command>,
        text: &'a Rc<str>,
        last: bool,
    ) -> Fut<'a, Run<()>> {
        Box::pin(async move {
            if self.options.noexec && !self.interactive {
                return Ok(());
            }
            let memory = self.variables.take_growth();
            self.os.charge(Cost { cpu: 5, memory }).await;
            self.signals().await?;
            self.line = command.line;
            if let Kind::Simple { assigns, words } = &command.kind {
                return self.simple(command, assigns, words, text, last).await;
            }
            if let Kind::Subshell(list) = &command.kind {
                return self.subshell(command, list, text, last).await;
            }
            if command.redirects.is_empty() {
                return self.compound(command, last).await;
            }
            match self.redirect(&command.redirects, false).await {
                Ok(saved) => {
                    let result = self.compound(command, false).await;
                    self.restore(saved);
                    result
                }
                Err(flow) => self.after_bad_redirection(flow),
            }
        })
    }

    /// A redirection that failed is told already; the command has failed, the script goes on.
    pub(super) fn after_bad_redirection(&mut self, flow: Flow) -> Run<()> {
        if flow == Flow::Fail(1) {
            self.status = 1;
            let ends = self.options.errexit && self.tested == 0;
            return if ends { Err(Flow::Exit(1)) } else { Ok(()) };
        }
        Err(flow)
    }

    async fn subshell(&mut self, command: &Rc<Command>, list: &List, text: &Rc<str>, last: bool) -> Run<()> {
        if last && self.traps.is_empty() {
            self.enter_subshell();
            self.redirect(&command.redirects, true).await.map_err(|_| Flow::Exit(1))?;
            let result = self.list(list, true).await;
            return Err(Flow::Exit(self.finish(result).await));
        }
        let job = self.launch(std::slice::from_ref(command), text.clone(), false).await?;
        self.foreground(job).await
    }

    async fn compound(&mut self, command: &Rc<Command>, last: bool) -> Run<()> {
        match &command.kind {
            Kind::Group(list) => self.list(list, last).await,
            Kind::If { arms, otherwise } => self.if_command(arms, otherwise.as_ref(), last).await,
            Kind::For { name, words, body } => self.for_command(name, words.as_deref(), body).await,
            Kind::Select { name, words, body } => self.select_command(name, words.as_deref(), body).await,
            Kind::ArithFor { start, condition, step, body } => self.arith_for(start, condition, step, body).await,
            Kind::While { until, condition, body } => self.while_command(*until, condition, body).await,
            Kind::Case { subject, arms } => self.case_command(subject, arms, last).await,
            Kind::Arith(word) => {
                let value = self.arithmetic(word).await?;
                self.status = i32::from(value == 0);
                Ok(())
            }
            Kind::Test(test) => {
                self.status = self.extended_test(test).await?;
                Ok(())
            }
            Kind::Function { name, body } => {
                self.functions.insert(name.clone(), body.clone());
                self.status = 0;
                Ok(())
            }
            Kind::Simple { .. } | Kind::Subshell(_) => Ok(()),
        }
    }

    /// Runs a list whose failure is a question and not an error.
    async fn condition(&mut self, list: &List) -> Run<bool> {
        self.tested += 1;
        let result = self.list(list, false).await;
        self.tested -= 1;
        result?;
        Ok(self.status == 0)
    }

    async fn if_command(&mut self, arms: &[(List, List)], otherwise: Option<&List>, last: bool) -> Run<()> {
        for (condition, body) in arms {
            if self.condition(condition).await? {
                return self.list(body, last).await;
            }
        }
        self.status = 0;
        match otherwise {
            Some(body) => self.list(body, last).await,
            None => Ok(()),
        }
    }

    /// Runs the body of a loop once. `false` where the loop is to be left.
    async fn turn(&mut self, body: &List) -> Run<bool> {
        self.loops += 1;
        let result = self.list(body, false).await;
        self.loops -= 1;
        match result {
            Ok(()) | Err(Flow::Continue(1)) => Ok(true),
            Err(Flow::Break(1)) => Ok(false),
            Err(Flow::Break(n)) => Err(Flow::Break(n - 1)),
            Err(Flow::Continue(n)) => Err(Flow::Continue(n - 1)),
            Err(other) => Err(other),
        }
    }

    async fn for_command(&mut self, name: &str, words: Option<&[Word]>, body: &List) -> Run<()> {
        let items = match words {
            Some(words) => self.expand_words(words).await?,
            None => self.args.clone(),
        };
        self.status = 0;
        for item in items {
            self.os.charge(Cost { cpu: 2, memory: 0 }).await;
            self.signals().await?;
            self.assign(name, item).await?;
            if !self.turn(body).await? {
                break;
            }
        }
        Ok(())
    }

    /// A menu on standard error and an answer from standard input, again and again.
    async fn select_command(&mut self, name: &str, words: Option<&[Word]>, body: &List) -> Run<()> {
        let items = match words {
            Some(words) => self.expand_words(words).await?,
            None => self.args.clone(),
        };
        let menu: Vec<String> = items.iter().enumerate().map(|(i, item)| format!("{}) {item}", i + 1)).collect();
        loop {
            io::eprint(&self.os, &menu.join("\n")).await;
            let prompt = self.variables.get("PS3").unwrap_or("#? ").to_string();
            let _ = io::write_all(&self.os, io::STDERR, prompt.as_bytes()).await;
            let Some((line, _)) = self.read_line(io::STDIN, '\n', None).await? else {
                self.status = 1;
                return Ok(());
            };
            let picked = line.trim().parse::<usize>().ok().and_then(|n| items.get(n.checked_sub(1)?).cloned());
            self.assign("REPLY", line).await?;
            self.assign(name, picked.unwrap_or_default()).await?;
            if !self.turn(body).await? {
                return Ok(());
            }
        }
    }

    async fn arith_for(&mut self, start: &Word, condition: &Word, step: &Word, body: &List) -> Run<()> {
        self.arithmetic(start).await?;
        self.status = 0;
        loop {
            self.os.charge(Cost { cpu: 2, memory: 0 }).await;
            self.signals().await?;
            if !condition.0.is_empty() && self.arithmetic(condition).await? == 0 {
                return Ok(());
            }
            if !self.turn(body).await? {
                return Ok(());
            }
            self.arithmetic(step).await?;
        }
    }

    async fn while_command(&mut self, until: bool, condition: &List, body: &List) -> Run<()> {
        let mut status = 0;
        loop {
            self.os.charge(Cost { cpu: 2, memory: 0 }).await;
            self.loops += 1;
            let result = self.condition(condition).await;
            self.loops -= 1;
            match result {
                Ok(yes) if yes != until => {}
                Ok(_) | Err(Flow::Break(1)) => break,
                Err(Flow::Continue(1)) => continue,
                Err(Flow::Break(n)) => return Err(Flow::Break(n - 1)),
                Err(Flow::Continue(n)) => return Err(Flow::Continue(n - 1)),
                Err(other) => return Err(other),
            }
            let goes_on = self.turn(body).await?;
            status = self.status;
            if !goes_on {
                break;
            }
        }
        self.status = status;
        Ok(())
    }

    async fn case_command(&mut self, subject: &Word, arms: &[Arm], last: bool) -> Run<()> {
        let text = self.expand_text(subject).await?;
        self.status = 0;
        let mut falls = false;
        for arm in arms {
            let mut matches = falls;
            for pattern in &arm.patterns {
                matches = matches || {
                    let pattern = self.expand_pattern(pattern, false).await?;
                    pattern.ignoring_case(self.options.nocasematch).matches(&text)
                };
            }
            if matches {
                self.list(&arm.body, last && arm.then == AfterArm::Leave).await?;
                match arm.then {
                    AfterArm::Leave => return Ok(()),
                    AfterArm::FallThrough => falls = true,
                    AfterArm::GoOn => falls = false,
                }
            }
        }
        Ok(())
    }

    /// Runs a function with its own parameters.
    pub(super) async fn call(&mut self, name: &str, body: Rc<Command>, args: Vec<String>) -> Run<()> {
        if self.calls >= MAX_CALLS {
            return self.fail(&format!("{name}: maximum function nesting level exceeded"), 2).await;
        }
        let args = std::mem::replace(&mut self.args, args);
        let loops = std::mem::take(&mut self.loops);
        let speaker = self.speaker.clone();
        self.calls += 1;
        self.call_names.push(name.to_string());
        self.variables.enter_function();
        let result = self.command(&body, &Rc::from(""), false).await;
        self.variables.leave_function();
        self.call_names.pop();
        self.calls -= 1;
        self.speaker = speaker;
        self.loops = loops;
        self.args = args;
        match result {
            Err(Flow::Return(status)) => {
                self.status = status;
                Ok(())
            }
            other => other,
        }
    }

    /// Acts on the signals that have come since the last command.
    pub(super) async fn signals(&mut self) -> Run<()> {
        while let Some(signal) = self.os.take_signal() {
            match self.traps.get(&signal.0).cloned() {
                Some(action) => self.run_trap(&action).await?,
                None if signal == Signal::INT && self.interactive => {
                    let _ = io::write_all(&self.os, io::STDERR, b"\n").await;
                    self.status = 130;
                    return Err(Flow::Interrupt);
                }
                None => {}
            }
        }
        Ok(())
    }

    async fn run_trap(&mut self, action: &str) -> Run<()> {
        let status = self.status;
        let line = self.line;
        let result = self.run_text(action, line, false).await;
        self.status = status;
        result
    }

    /// What a shell that ends exits with; its EXIT trap is run first.
    pub(super) async fn finish(&mut self, result: Run<()>) -> i32 {
        self.status = match result {
            Ok(()) | Err(Flow::Break(_) | Flow::Continue(_)) => self.status,
            Err(Flow::Exit(status) | Flow::Return(status) | Flow::Fail(status)) => status,
            Err(Flow::Interrupt) => 130,
        };
        if let Some(action) = self.traps.remove(&0) {
            let status = self.status;
            match self.run_trap(&action).await {
                Err(Flow::Exit(status)) => self.status = status,
                _ => self.status = status,
            }
        }
        self.status & 255
    }
}
