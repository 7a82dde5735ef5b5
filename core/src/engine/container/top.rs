//! `docker top`: the container's processes as the host's `ps` would show them.

use super::find;
use crate::cli::Args;
use crate::container::Status;
use crate::engine::{Ctx, Error, Result};
use crate::view::table::align;
use crate::view::units::rfc3339;
use crate::world::{ProcessRow, World};
use std::time::Duration;

/// `docker top`.
pub(super) async fn command<W: World>(ctx: &Ctx<W>, args: &Args) -> Result<i32> {
    let record = find(ctx, args.word(0)).await?;
    match record.state.status {
        Status::Restarting => {
            return Err(Error::Daemon(format!(
                "container {} is restarting, wait until the container is running",
                record.id
            )));
        }
        status if !status.is_running() => {
            return Err(Error::Daemon(format!("container {} is not running", record.id)));
        }
        _ => {}
    }
    let columns = columns(args.positionals.get(1..).unwrap_or_default())?;
    let now = ctx.world().now();
    let mut lines = vec![columns.iter().map(|c| c.head.as_str()).collect::<Vec<_>>().join("\t")];
    for process in ctx.world().processes(&record.id)? {
        let cells: Vec<String> = columns.iter().map(|c| cell(c.field, &process, now)).collect();
        lines.push(cells.join("\t"));
    }
    ctx.print(format!("{}\n", align(&lines.join("\n"), 20, 3))).await;
    Ok(0)
}

struct Column {
    field: Field,
    head: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Uid,
    User,
    Pid,
    Parent,
    Busy,
    Memory,
    State,
    Start,
    Tty,
    Time,
    Elapsed,
    Command,
    Name,
}

/// Names of `ps -o`, their headings, and what they are.
const NAMES: &[(&str, &str, Field)] = &[
    ("uid", "UID", Field::Uid),
    ("user", "USER", Field::User),
    ("euser", "EUSER", Field::User),
    ("pid", "PID", Field::Pid),
    ("ppid", "PPID", Field::Parent),
    ("c", "C", Field::Busy),
    ("pcpu", "%CPU", Field::Busy),
    ("%cpu", "%CPU", Field::Busy),
    ("pmem", "%MEM", Field::Memory),
    ("%mem", "%MEM", Field::Memory),
    ("vsz", "VSZ", Field::Memory),
    ("rss", "RSS", Field::Memory),
    ("stat", "STAT", Field::State),
    ("s", "S", Field::State),
    ("state", "S", Field::State),
    ("stime", "STIME", Field::Start),
    ("start", "STARTED", Field::Start),
    ("tty", "TT", Field::Tty),
    ("tname", "TTY", Field::Tty),
    ("time", "TIME", Field::Time),
    ("etime", "ELAPSED", Field::Elapsed),
    ("args", "COMMAND", Field::Command),
    ("cmd", "CMD", Field::Command),
    ("command", "COMMAND", Field::Command),
    ("comm", "COMMAND", Field::Name),
];

/// The options of `ps` that begin with a dash.
const SYSTEM_V: &str = "ACFGHLMNOPTUVZacdefgjklmnopqstuwxy-";

/// The columns that the options of `ps` ask for; `-ef` where there are none.
fn columns(options: &[String]) -> Result<Vec<Column>> {
    let column = |head: &str, field| Column { field, head: head.to_string() };
    let mut chosen: Vec<Column> = Vec::new();
    let mut words = options.iter().flat_map(|o| o.split_whitespace());
    let mut user = false;
    while let Some(word) = words.next() {
        if let Some(letters) = word.strip_prefix('-')
            && let Some(letter) = letters.chars().next()
            && !SYSTEM_V.contains(letter)
        {
            return Err(Error::Daemon("ps: error: unsupported SysV option".into()));
        }
        let list = match word.strip_prefix('-') {
            Some(letters) if letters.contains('o') => {
                let after = &letters[letters.find('o').map_or(0, |i| i + 1)..];
                if after.is_empty() { words.next().unwrap_or("") } else { after }
            }
            Some("aux") | None if word.contains('u') => {
                user = true;
                continue;
            }
            _ => continue,
        };
        for name in list.split(',').filter(|n| !n.is_empty()) {
            let (name, head) = name.split_once('=').map_or((name, None), |(n, h)| (n, Some(h)));
            let known = NAMES.iter().find(|(n, _, _)| *n == name);
            let Some((_, default, field)) = known else {
                return Err(Error::Daemon(format!("ps: error: unknown user-defined format specifier {name:?}")));
            };
            chosen.push(column(head.unwrap_or(default), *field));
        }
    }
    if chosen.is_empty() {
        chosen = if user {
            vec![
                column("USER", Field::User),
                column("PID", Field::Pid),
                column("%CPU", Field::Busy),
                column("%MEM", Field::Memory),
                column("VSZ", Field::Memory),
                column("RSS", Field::Memory),
                column("TTY", Field::Tty),
                column("STAT", Field::State),
                column("START", Field::Start),
                column("TIME", Field::Time),
                column("COMMAND", Field::Command),
            ]
        } else {
            vec![
                column("UID", Field::User),
                column("PID", Field::Pid),
                column("PPID", Field::Parent),
                column("C", Field::Busy),
                column("STIME", Field::Start),
                column("TTY", Field::Tty),
                column("TIME", Field::Time),
                column("CMD", Field::Command),
            ]
        };
    }
    if !chosen.iter().any(|c| c.field == Field::Pid) {
        return Err(Error::Daemon("Couldn't find PID field in ps output".into()));
    }
    Ok(chosen)
}

fn cell(field: Field, p: &ProcessRow, now: Duration) -> String {
    let clock = |time: Duration| {
        let s = time.as_secs();
        format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    };
    match field {
        Field::Uid => p.uid.to_string(),
        Field::User => p.user.clone(),
        Field::Pid => p.pid.to_string(),
        Field::Parent => p.parent.to_string(),
        Field::Busy | Field::Memory => "0".into(),
        Field::State => p.state.to_string(),
        // The hour and minute of the time of day.
        Field::Start => rfc3339(p.started).get(11..16).unwrap_or("").to_string(),
        Field::Tty => p.tty.clone(),
        Field::Time => clock(p.cpu),
        Field::Elapsed => clock(now.saturating_sub(p.started)),
        Field::Command => p.args.join(" "),
        Field::Name => p.args.first().map_or("", |a| a.rsplit('/').next().unwrap_or(a)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let heads = |options: &[&str]| -> Vec<String> {
            let options: Vec<String> = options.iter().map(|o| o.to_string()).collect();
            columns(&options).map_or(Vec::new(), |c| c.into_iter().map(|c| c.head).collect())
        };
        assert_eq!(heads(&[])[..3], ["UID", "PID", "PPID"]);
        assert_eq!(heads(&["aux"])[..2], ["USER", "PID"]);
        assert_eq!(heads(&["-o", "pid,args"]), ["PID", "COMMAND"]);
        assert_eq!(heads(&["-eo", "pid,comm"]), ["PID", "COMMAND"]);
        assert_eq!(
            columns(&["-o".into(), "args".into()]).err(),
            Some(Error::Daemon("Couldn't find PID field in ps output".into()))
        );
    }
}
