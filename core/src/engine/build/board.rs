//! What a person sees of a build while it runs. Each thing done is a vertex with a number; on a pipe its
//! lines come one after the other, on a terminal the list is redrawn, and quiet shows nothing.

use crate::engine::Ctx;
use crate::world::{Stream, World};
use serde_json::json;
use std::cell::RefCell;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressMode {
    Plain,
    Tty,
    Quiet,
    RawJson,
}

/// A thing being done, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vertex(usize);

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Running,
    Done,
    Cached,
    Failed,
}

struct Row {
    name: String,
    state: State,
    started: Duration,
    ended: Duration,
    /// What is shown below it on a terminal.
    notes: Vec<String>,
    /// What its program printed.
    log: Vec<String>,
    /// Output that has no newline yet.
    partial: Vec<u8>,
}

pub struct Board<'a, W> {
    ctx: &'a Ctx<W>,
    mode: ProgressMode,
    rows: RefCell<Vec<Row>>,
    /// How many lines of the terminal the last drawing took.
    drawn: RefCell<usize>,
    started: Duration,
}

impl<'a, W: World> Board<'a, W> {
    pub fn new(ctx: &'a Ctx<W>, mode: ProgressMode) -> Board<'a, W> {
        let started = ctx.world().now();
        Board { ctx, mode, rows: RefCell::default(), drawn: RefCell::new(0), started }
    }

    /// The line above all others.
    pub async fn opening(&self) {
        if self.mode == ProgressMode::Plain {
            self.say("#0 building with \"default\" instance using docker driver\n").await;
        }
    }

    /// Something begins.
    pub async fn begin(&self, name: &str) -> Vertex {
        let now = self.ctx.world().now();
        let number = {
            let mut rows = self.rows.borrow_mut();
            rows.push(Row {
                name: name.to_string(),
                state: State::Running,
                started: now,
                ended: now,
                notes: Vec::new(),
                log: Vec::new(),
                partial: Vec::new(),
            });
            rows.len()
        };
        match self.mode {
            // An empty line stands between two things, not after the last.
            ProgressMode::Plain => self.say(&format!("\n#{number} {name}\n")).await,
            ProgressMode::Tty => self.draw().await,
            _ => {}
        }
        Vertex(number)
    }

    /// A line about it, as `transferring context: 2B done`.
    pub async fn note(&self, vertex: Vertex, text: &str) {
        self.rows.borrow_mut()[vertex.0 - 1].notes.push(text.to_string());
        // On a terminal it is drawn with what comes next.
        if self.mode == ProgressMode::Plain {
            self.say(&format!("#{} {text}\n", vertex.0)).await;
        }
    }

    /// What its program printed: kept by lines, shown when they are whole.
    pub async fn log(&self, vertex: Vertex, bytes: &[u8]) {
        let lines = {
            let mut rows = self.rows.borrow_mut();
            let row = &mut rows[vertex.0 - 1];
            row.partial.extend(bytes);
            let mut lines = Vec::new();
            while let Some(end) = row.partial.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = row.partial.drain(..=end).collect();
                lines.push(String::from_utf8_lossy(&line[..end]).trim_end_matches('\r').to_string());
            }
            lines
        };
        for line in lines {
            self.log_line(vertex, line).await;
        }
    }

    async fn log_line(&self, vertex: Vertex, line: String) {
        let now = self.ctx.world().now();
        let shown = {
            let mut rows = self.rows.borrow_mut();
            let row = &mut rows[vertex.0 - 1];
            let shown = format!("{:.3} {line}", now.saturating_sub(row.started).as_secs_f64());
            row.log.push(shown.clone());
            shown
        };
        match self.mode {
            ProgressMode::Plain => self.say(&format!("#{} {shown}\n", vertex.0)).await,
            ProgressMode::Tty => self.draw().await,
            _ => {}
        }
    }

    pub async fn done(&self, vertex: Vertex) {
        self.flush(vertex).await;
        let took = self.end(vertex, State::Done);
        self.ended(vertex, &format!("DONE {:.1}s", took.as_secs_f64())).await;
    }

    pub async fn cached(&self, vertex: Vertex) {
        self.end(vertex, State::Cached);
        self.ended(vertex, "CACHED").await;
    }

    pub async fn failed(&self, vertex: Vertex, error: &str) {
        self.flush(vertex).await;
        self.end(vertex, State::Failed);
        self.ended(vertex, &format!("ERROR: {error}")).await;
    }

    /// Shows a last line that had no newline.
    async fn flush(&self, vertex: Vertex) {
        let rest = std::mem::take(&mut self.rows.borrow_mut()[vertex.0 - 1].partial);
        if !rest.is_empty() {
            self.log_line(vertex, String::from_utf8_lossy(&rest).into_owned()).await;
        }
    }

    fn end(&self, vertex: Vertex, state: State) -> Duration {
        let now = self.ctx.world().now();
        let mut rows = self.rows.borrow_mut();
        let row = &mut rows[vertex.0 - 1];
        row.state = state;
        row.ended = now;
        now.saturating_sub(row.started)
    }

    async fn ended(&self, vertex: Vertex, text: &str) {
        match self.mode {
            ProgressMode::Plain => self.say(&format!("#{} {text}\n", vertex.0)).await,
            ProgressMode::Tty => self.draw().await,
            ProgressMode::RawJson => {
                let line = {
                    let rows = self.rows.borrow();
                    let row = &rows[vertex.0 - 1];
                    let digest = crate::name::Digest::of(format!("{} {}", vertex.0, row.name).as_bytes());
                    let time = crate::image::wire::rfc3339;
                    json!({ "vertexes": [{
                        "digest": digest, "name": row.name, "started": time(row.started), "completed": time(row.ended),
                        "cached": row.state == State::Cached,
                    }] })
                };
                self.say(&format!("{line}\n")).await;
            }
            ProgressMode::Quiet => {}
        }
    }

    /// The block that names a failed step and shows the end of what it printed.
    pub fn failure_block(&self) -> String {
        if self.mode == ProgressMode::Quiet {
            return String::new();
        }
        let rows = self.rows.borrow();
        let Some(row) = rows.iter().find(|row| row.state == State::Failed) else { return String::new() };
        let last = &row.log[row.log.len().saturating_sub(10)..];
        let log: String = last.iter().map(|line| format!("{line}\n")).collect();
        format!("------\n > {}:\n{log}------\n", row.name)
    }

    /// What the last program printed, without times.
    pub fn take_log(&self) -> String {
        let mut rows = self.rows.borrow_mut();
        let log = rows.last_mut().map_or_else(Vec::new, |row| std::mem::take(&mut row.log));
        log.iter().map(|line| format!("{}\n", after_time(line))).collect()
    }

    /// Nothing more will be done.
    pub async fn finish(&self) {
        if self.mode == ProgressMode::Tty {
            self.draw_with(true).await;
        }
    }

    async fn say(&self, text: &str) {
        self.ctx.client.write(Stream::Err, text.as_bytes()).await;
    }

    async fn draw(&self) {
        self.draw_with(false).await;
    }

    /// Draws the list over the last one.
    async fn draw_with(&self, last: bool) {
        let size = self.ctx.client.window_size();
        let width = size.as_ref().map_or(80, |s| usize::from(s.columns).max(20));
        let height = size.as_ref().map_or(24, |s| usize::from(s.rows).max(5));
        let now = self.ctx.world().now();
        let mut lines = Vec::new();
        {
            let rows = self.rows.borrow();
            let finished = rows.iter().filter(|r| r.state != State::Running).count();
            let seconds = now.saturating_sub(self.started).as_secs_f64();
            let state = if last { " FINISHED" } else { "" };
            let head = format!("[+] Building {seconds:.1}s ({finished}/{}){state}", rows.len());
            lines.push(format!("{head:<w$}docker:default", w = width.saturating_sub(14)));
            for row in rows.iter() {
                let end = if row.state == State::Running { now } else { row.ended };
                let mark = match row.state {
                    State::Cached => "CACHED ",
                    State::Failed => "ERROR ",
                    _ => "",
                };
                let took = format!("{:.1}s", end.saturating_sub(row.started).as_secs_f64());
                lines.push(cells(&format!(" => {mark}{}", row.name), &took, width));
                for note in &row.notes {
                    lines.push(cells(&format!(" => => {}", note.trim_end_matches(" done")), "0.0s", width));
                }
                if row.state == State::Running && !last {
                    let from = row.log.len().saturating_sub(6);
                    lines.extend(
                        row.log[from..].iter().map(|l| cells(&format!(" => => # {}", after_time(l)), "", width)),
                    );
                }
            }
        }
        if !last && lines.len() > height - 1 {
            lines.drain(1..lines.len() + 2 - height);
        }
        let before = self.drawn.replace(lines.len());
        let mut text = if before == 0 { String::new() } else { format!("\x1b[{before}A") };
        for line in lines.iter() {
            text.push_str(&format!("\r\x1b[2K{line}\n"));
        }
        // What an earlier, longer drawing left below.
        text.push_str("\x1b[J");
        self.say(&text).await;
    }
}

fn after_time(line: &str) -> &str {
    line.split_once(' ').map_or(line, |(_, text)| text)
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
