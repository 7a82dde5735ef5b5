//! Progress on a terminal: the whole list, drawn over the last one.

use super::{Row, State, after_time};
use std::time::Duration;

/// How many lines of a running program are shown.
const LOG_LINES: usize = 6;

/// A drawing without what builds in its first line.
pub fn untitled(mut lines: Vec<String>) -> Vec<String> {
    if let Some(head) = lines.first_mut() {
        *head = head.trim_end_matches("docker:default").trim_end().to_string();
    }
    lines
}

/// The lines of one drawing, for a terminal of `size` columns and rows.
pub fn lines(
    rows: &[Row],
    now: Duration,
    elapsed: Duration,
    (width, height): (usize, usize),
    last: bool,
) -> Vec<String> {
    let finished = rows.iter().filter(|r| r.state != State::Running).count();
    let state = if last && finished == rows.len() { " FINISHED" } else { "" };
    let head = format!("[+] Building {:.1}s ({finished}/{}){state}", elapsed.as_secs_f64(), rows.len());
    let mut lines = vec![format!("{head:<w$}docker:default", w = width.saturating_sub(14))];
    for row in rows {
        let end = if row.state == State::Running { now } else { row.ended };
        let mark = match row.state {
            State::Cached => "CACHED ",
            State::Failed(_) => "ERROR ",
            State::Canceled => "CANCELED ",
            State::Running | State::Done => "",
        };
        let took = format!("{:.1}s", end.saturating_sub(row.started).as_secs_f64());
        lines.push(cells(&format!(" => {mark}{}", row.name), &took, width));
        for note in &row.notes {
            let took = format!("{:.1}s", note.seconds(now));
            let right = note.bytes().map_or_else(|| took.clone(), |bytes| format!("{bytes}  {took}"));
            lines.push(cells(&format!(" => => {}", note.id), &right, width));
        }
        for warning in &row.warnings {
            lines.push(cells(&format!(" => WARN: {warning}"), &took, width));
        }
        if row.state == State::Running && !last {
            let from = row.log.len().saturating_sub(LOG_LINES);
            lines.extend(row.log[from..].iter().map(|l| cells(&format!(" => => # {}", after_time(l)), "", width)));
        }
    }
    if !last && lines.len() > height - 1 {
        lines.drain(1..lines.len() + 2 - height);
    }
    lines
}

/// What draws the lines over the last `before` ones.
pub fn over(before: usize, lines: &[String]) -> String {
    let mut text = if before == 0 { String::new() } else { format!("\x1b[{before}A") };
    for line in lines {
        text.push_str(&format!("\r\x1b[2K{line}\n"));
    }
    // What an earlier, longer drawing left below.
    text + "\x1b[J"
}

/// A text at the left and one at the right of a line.
fn cells(left: &str, right: &str, width: usize) -> String {
    let room = width.saturating_sub(right.len() + 1);
    let shown: String = if left.chars().count() > room {
        left.chars().take(room.saturating_sub(3)).chain("...".chars()).collect()
    } else {
        left.to_string()
    };
    format!("{shown:<room$} {right}")
}
