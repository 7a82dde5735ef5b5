//! `docker compose logs`: the output of several containers, each line after its container's name.

use super::App;
use super::app::Member;
use super::audience::{Audience, Until};
use super::progress::paint;
use crate::cli::Args;
use crate::engine::{Error, Result};
use crate::view::units::{parse_moment, rfc3339_nanos};
use crate::world::{LogLine, Stream, World};
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// The colours of containers, in turn: cyan, yellow, green, magenta, blue, and the same bright.
const COLOURS: [&str; 10] = ["36", "33", "32", "35", "34", "36;1", "33;1", "32;1", "35;1", "34;1"];

/// What stands before each line.
pub(super) struct Prefixes {
    /// Of the longest name so far.
    width: Cell<usize>,
    hidden: bool,
    timestamps: bool,
    /// Both streams of the containers go to standard output.
    merged: bool,
    project: String,
    /// The containers in the order of their colours; `None` without any.
    coloured: Option<RefCell<Vec<String>>>,
}

impl Prefixes {
    pub fn new<W: World>(app: &App<'_, W>, members: &[Member], args: &Args) -> Prefixes {
        let all = Prefixes {
            width: Cell::new(0),
            hidden: args.flag("no-log-prefix"),
            timestamps: args.flag("timestamps"),
            merged: false,
            project: format!("{}{}", app.project.name, app.separator),
            coloured: (app.board.colours && !args.flag("no-color")).then(RefCell::default),
        };
        members.iter().for_each(|m| all.meet(m));
        all
    }

    /// From now on there is this container, too.
    pub fn meet(&self, member: &Member) {
        let name = self.name(member);
        self.width.set(self.width.get().max(name.chars().count()));
        if let Some(names) = self.coloured.as_ref().filter(|n| !n.borrow().contains(&name)) {
            names.borrow_mut().push(name);
        }
    }

    /// A container's name without the project's.
    pub fn name(&self, member: &Member) -> String {
        member.name().strip_prefix(&self.project).unwrap_or(member.name()).to_string()
    }

    /// Nothing before any line.
    pub fn bare() -> Prefixes {
        Prefixes {
            width: Cell::default(),
            hidden: true,
            timestamps: false,
            merged: false,
            project: String::new(),
            coloured: None,
        }
    }

    fn colour(&self, name: &str, text: String) -> String {
        let root = name.split(' ').next().unwrap_or(name);
        match &self.coloured {
            Some(names) => {
                let names = names.borrow();
                let at = names.iter().position(|n| n == root).unwrap_or(names.len());
                paint(COLOURS[at % COLOURS.len()], &text)
            }
            None => text,
        }
    }

    fn begin(&self, name: &str) -> String {
        if self.hidden {
            return String::new();
        }
        self.colour(name, format!("{name:<width$}  | ", width = self.width.get()))
    }

    fn line(&self, member: &Member, line: &LogLine) -> Vec<u8> {
        let mut bytes = self.begin(&self.name(member)).into_bytes();
        if self.timestamps {
            bytes.extend(format!("{} ", rfc3339_nanos(line.at)).bytes());
        }
        bytes.extend_from_slice(&line.bytes);
        if !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        bytes
    }

    /// Shows what a hook printed.
    pub async fn show<W: World>(&self, app: &App<'_, W>, name: &str, output: &[u8]) {
        let text = String::from_utf8_lossy(output);
        for line in text.lines() {
            app.ctx.print(format!("{}{line}\n", self.begin(name))).await;
        }
    }

    /// What `watch` does, between the lines of the containers.
    pub async fn watch<W: World>(&self, app: &App<'_, W>, text: &str) {
        let sign = format!("{:<width$} ⦿ ", "", width = self.width.get() + 1);
        let sign = if self.coloured.is_some() { paint("92", &sign) } else { sign };
        let sign = if self.hidden { String::new() } else { sign };
        for line in text.lines() {
            app.ctx.print(format!("{sign}{line}\n")).await;
        }
    }

    /// Tells that a container has ended.
    pub async fn ended<W: World>(&self, app: &App<'_, W>, member: &Member, how: &str) {
        self.told(app, &self.name(member), how).await;
    }

    /// Tells what has become of a container.
    pub async fn told<W: World>(&self, app: &App<'_, W>, name: &str, what: &str) {
        let text = self.colour(name, format!("\r\x1b[K{name} {what}\n"));
        app.ctx.print(text).await;
    }
}

async fn show<W: World>(app: &App<'_, W>, member: &Member, line: &LogLine, prefixes: &Prefixes) {
    let to = if member.record.config.tty || prefixes.merged { Stream::Out } else { line.from };
    app.ctx.client.write(to, &prefixes.line(member, line)).await;
}

/// Shows a container's output from line `from` on, until it has ended for good: the lines that there were then, and
/// its exit code. Without `prefixes` nothing is shown.
pub(super) async fn follow<W: World>(
    app: &App<'_, W>,
    member: &Member,
    from: usize,
    prefixes: Option<&Prefixes>,
) -> (usize, i32) {
    let (world, id) = (app.ctx.world(), &member.record.id);
    let mut seen = from;
    let mut restarts = member.record.restart_count;
    loop {
        let lines = world.logs(id, seen).await.unwrap_or_default();
        seen += lines.len();
        if let Some(prefixes) = prefixes {
            for line in &lines {
                show(app, member, line, prefixes).await;
            }
        }
        if app.ctx.client.broken() {
            return (seen, 0);
        }
        if !lines.is_empty() || world.more_logs(id, seen).await {
            continue;
        }
        // Its restart policy may start it again.
        match crate::engine::container::find_by_id(app.ctx, id) {
            Ok(record) if record.is_running() => {
                if let Some(prefixes) = prefixes.filter(|_| record.restart_count > restarts) {
                    restarts = record.restart_count;
                    let how = format!("exited with code {} (restarting)", record.state.exit_code);
                    prefixes.ended(app, member, &how).await;
                }
                world.record_change(Duration::from_millis(200)).await;
            }
            Ok(record) => return (seen, record.state.exit_code),
            // It has been removed.
            Err(_) => return (seen, 0),
        }
    }
}

pub(super) async fn logs<W: World>(app: &App<'_, W>, args: &Args) -> Result<i32> {
    let now = app.ctx.world().now();
    let moment = |name: &str| match args.value(name).filter(|v| !v.is_empty()) {
        Some(text) => {
            parse_moment(text, now).map(Some).map_err(|e| Error::Client(format!("invalid value for {name:?}: {e}")))
        }
        None => Ok(None),
    };
    let (since, until) = (moment("since")?, moment("until")?);
    let index = args.number("index").filter(|i| *i > 0);
    let mut members = app.members(&args.positionals).await?;
    members.retain(|m| index.is_none_or(|i| i == i64::from(m.number)));
    if let (Some(index), true) = (index, members.is_empty()) {
        return Err(Error::Client(format!("service {:?} is not running container #{index}", args.word(0))));
    }
    // Who does not want to be heard is, if asked for by name.
    let quiet = |service: &str| app.project.services.get(service).and_then(|s| s.get("attach")) == Some(&false.into());
    let services: Vec<String> = match args.positionals.is_empty() {
        true => app.project.services.keys().filter(|s| !quiet(s)).cloned().collect(),
        false => args.positionals.clone(),
    };
    members.retain(|m| services.contains(&m.service));
    let prefixes = &Prefixes { merged: true, ..Prefixes::new(app, &members, args) };
    let tail = args.value("tail").and_then(|t| t.parse::<usize>().ok()).unwrap_or(usize::MAX);
    let mut audience = Audience::new(app, &services, &services, prefixes, Until::AllEnded);
    for member in &members {
        let stored = app.ctx.world().logs(&member.record.id, 0).await?;
        let wanted: Vec<&LogLine> =
            stored.iter().filter(|l| since.is_none_or(|t| l.at >= t) && until.is_none_or(|t| l.at <= t)).collect();
        for line in &wanted[wanted.len().saturating_sub(tail)..] {
            show(app, member, line, prefixes).await;
        }
        audience.shown_so_far(member, stored.len());
    }
    if args.flag("follow") && !services.is_empty() {
        for other in app.members(&services).await?.iter().filter(|m| members.iter().all(|o| o.record.id != m.record.id))
        {
            audience.pass_over(other);
        }
        Box::pin(audience.listen(|_| false)).await?;
    }
    Ok(0)
}
