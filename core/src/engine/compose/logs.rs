//! `docker compose logs`: the output of several containers, each line after its container's name.

use super::App;
use super::app::Member;
use super::together::together;
use crate::cli::Args;
use crate::engine::{Error, Result};
use crate::view::units::{parse_moment, rfc3339_nanos};
use crate::world::{LogLine, Stream, World};
use std::pin::Pin;
use std::time::Duration;

/// What stands before each line.
pub(super) struct Prefixes {
    width: usize,
    hidden: bool,
    timestamps: bool,
    project: String,
}

impl Prefixes {
    pub fn new<W: World>(app: &App<'_, W>, members: &[Member], hidden: bool, timestamps: bool) -> Prefixes {
        let mut all = Prefixes { width: 0, hidden, timestamps, project: format!("{}-", app.project.name) };
        all.width = members.iter().map(|m| all.name(m).chars().count()).max().unwrap_or(0);
        all
    }

    /// A container's name without the project's.
    pub fn name(&self, member: &Member) -> String {
        member.name().strip_prefix(&self.project).unwrap_or(member.name()).to_string()
    }

    fn line(&self, member: &Member, line: &LogLine) -> Vec<u8> {
        let mut bytes = Vec::new();
        if !self.hidden {
            bytes.extend(format!("{:<width$}  | ", self.name(member), width = self.width).bytes());
        }
        if self.timestamps {
            bytes.extend(format!("{} ", rfc3339_nanos(line.at)).bytes());
        }
        bytes.extend_from_slice(&line.bytes);
        if !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        bytes
    }
}

async fn show<W: World>(app: &App<'_, W>, member: &Member, line: &LogLine, prefixes: &Prefixes) {
    let to = if member.record.config.tty { Stream::Out } else { line.from };
    app.ctx.client.write(to, &prefixes.line(member, line)).await;
}

/// Shows a container's output from line `from` on, until it has ended for good.
pub(super) async fn follow<W: World>(app: &App<'_, W>, member: &Member, from: usize, prefixes: &Prefixes) {
    let (world, id) = (app.ctx.world(), &member.record.id);
    let mut seen = from;
    loop {
        let lines = world.logs(id, seen).await.unwrap_or_default();
        seen += lines.len();
        for line in &lines {
            show(app, member, line, prefixes).await;
        }
        if app.ctx.client.broken() {
            return;
        }
        if !lines.is_empty() || world.more_logs(id, seen).await {
            continue;
        }
        // Its restart policy may start it again.
        match crate::engine::container::find_by_id(app.ctx, id) {
            Ok(record) if record.is_running() => world.record_change(Duration::from_millis(200)).await,
            _ => return,
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
    let prefixes = &Prefixes::new(app, &members, args.flag("no-log-prefix"), args.flag("timestamps"));
    let tail = args.value("tail").and_then(|t| t.parse::<usize>().ok()).unwrap_or(usize::MAX);
    let mut seen = Vec::new();
    for member in &members {
        let stored = app.ctx.world().logs(&member.record.id, 0).await?;
        let wanted: Vec<&LogLine> =
            stored.iter().filter(|l| since.is_none_or(|t| l.at >= t) && until.is_none_or(|t| l.at <= t)).collect();
        for line in &wanted[wanted.len().saturating_sub(tail)..] {
            show(app, member, line, prefixes).await;
        }
        seen.push(stored.len());
    }
    if args.flag("follow") {
        let work = members.iter().zip(seen).map(|(member, seen)| {
            Box::pin(async move {
                Box::pin(follow(app, member, seen, prefixes)).await;
                if let Ok(record) = crate::engine::container::find_by_id(app.ctx, &member.record.id) {
                    let (name, code) = (prefixes.name(member), record.state.exit_code);
                    app.ctx.print(format!("{name} exited with code {code}\n")).await;
                }
            }) as Pin<Box<dyn Future<Output = ()>>>
        });
        together(work.collect()).await;
    }
    Ok(0)
}
