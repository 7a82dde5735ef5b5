//! What a person sees of a build while it runs. Each thing done is a vertex. Several may be under way at once:
//! on a pipe one of them at a time has the word (`plain`), on a terminal the list is redrawn (`tty`), for
//! programs each change is a line of JSON (`rawjson`), and quiet shows nothing.

mod plain;
mod rawjson;
mod tty;

use super::lint::{self, Warning};
use crate::engine::Ctx;
use crate::name::Digest;
use crate::world::{Stream, World};
use cutaway_userland::sorted::Arrange;
use plain::Mux;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressMode {
    Plain,
    Tty,
    Quiet,
    RawJson,
}

/// A thing being done, by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vertex(usize);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Done,
    Cached,
    /// With the reason.
    Failed(String),
    /// Given up, because something else failed or the person had enough.
    Canceled,
}

/// A line below a vertex, as `transferring context: 2B`, or as `sha256:… 1.05MB / 2.1MB`.
pub(super) struct Note {
    id: String,
    /// Bytes: done, and in all; 0 where nothing is counted.
    current: u64,
    total: u64,
    started: Duration,
    completed: Option<Duration>,
}

impl Note {
    /// How much is done.
    fn bytes(&self) -> Option<String> {
        let size = |bytes: u64| {
            let units = ["B", "kB", "MB", "GB", "TB"];
            let unit = (0..5).rev().find(|unit| bytes >= 1000_u64.pow(*unit)).unwrap_or(0);
            match unit {
                0 => format!("{bytes}B"),
                unit => format!("{:.2}{}", bytes as f64 / 1000_f64.powi(unit as i32), units[unit as usize]),
            }
        };
        (self.total > 0).then(|| format!("{} / {}", size(self.current), size(self.total)))
    }

    fn seconds(&self, now: Duration) -> f64 {
        self.completed.unwrap_or(now).saturating_sub(self.started).as_secs_f64()
    }

    /// As one line of plain progress.
    fn line(&self, now: Duration) -> String {
        let bytes = self.bytes().map_or_else(String::new, |bytes| format!(" {bytes}"));
        let took = self.seconds(now);
        let took = if took > 0.01 { format!(" {took:.1}s") } else { String::new() };
        format!("{}{bytes}{took}{}", self.id, if self.completed.is_some() { " done" } else { "" })
    }
}

pub(super) struct Row {
    name: String,
    state: State,
    started: Duration,
    ended: Duration,
    notes: Vec<Note>,
    warnings: Vec<String>,
    /// What its program printed, each line with the seconds since it began.
    log: Vec<String>,
    /// Output that has no newline yet.
    partial: Vec<u8>,
}

impl Row {
    /// What names it to programs.
    fn digest(&self) -> Digest {
        Digest::of(format!("{} {:?}", self.name, self.started).as_bytes())
    }
}

pub struct Board<'a, W> {
    ctx: &'a Ctx<W>,
    mode: ProgressMode,
    /// What has been told. Builds that go on beside each other tell it on one board.
    told: Rc<Told>,
    /// The target that this one tells of, where there are several.
    target: Option<String>,
    /// Where its own part of what is told begins.
    first: usize,
}

/// What was told, kept.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    pub text: String,
    pub steps: usize,
    pub completed: usize,
    pub cached: usize,
    /// The step that failed, and the end of what it printed.
    pub failed: Option<(String, Vec<String>)>,
}

#[derive(Default)]
struct Told {
    rows: RefCell<Vec<Row>>,
    /// All that is questionable.
    warnings: RefCell<Vec<Warning>>,
    plain: RefCell<Mux>,
    /// How many lines of the terminal the last drawing took.
    drawn: Cell<usize>,
    started: Duration,
}

impl<'a, W: World> Board<'a, W> {
    pub fn new(ctx: &'a Ctx<W>, mode: ProgressMode) -> Board<'a, W> {
        let told = Told { started: ctx.world().now(), ..Told::default() };
        Board { ctx, mode, told: Rc::new(told), target: None, first: 0 }
    }

    /// One for something else than a build: it has no line that says what builds.
    pub fn untitled(ctx: &'a Ctx<W>, mode: ProgressMode) -> Board<'a, W> {
        let board = Board::new(ctx, mode);
        board.told.plain.borrow_mut().untitled = true;
        board
    }

    /// The same board, for one of several targets: what it begins is named after it.
    pub fn of_target(&self, name: &str) -> Board<'a, W> {
        Board { target: Some(name.to_string()), ..self.of_one() }
    }

    /// The same board, for what comes from here on.
    pub fn of_one(&self) -> Board<'a, W> {
        let first = self.told.rows.borrow().len();
        Board { ctx: self.ctx, mode: self.mode, told: self.told.clone(), target: None, first }
    }

    fn named(&self, name: &str) -> String {
        match (&self.target, name.strip_prefix('[')) {
            (None, _) => name.to_string(),
            (Some(target), Some(rest)) => format!("[{target} {rest}"),
            (Some(target), None) => format!("[{target}] {name}"),
        }
    }

    /// Whether nothing has been told yet.
    pub fn is_empty(&self) -> bool {
        self.told.rows.borrow().is_empty()
    }

    /// Something begins.
    pub async fn begin(&self, name: &str) -> Vertex {
        let now = self.ctx.world().now();
        let vertex = {
            let mut rows = self.told.rows.borrow_mut();
            rows.push(Row {
                name: self.named(name),
                state: State::Running,
                started: now,
                ended: now,
                notes: Vec::new(),
                warnings: Vec::new(),
                log: Vec::new(),
                partial: Vec::new(),
            });
            Vertex(rows.len() - 1)
        };
        self.changed(vertex, None, rawjson::vertex).await;
        vertex
    }

    /// A line about it that says something is done, as `transferring context: 2B`.
    pub async fn note(&self, vertex: Vertex, text: &str) {
        let now = self.ctx.world().now();
        let note = Note { id: text.to_string(), current: 0, total: 0, started: now, completed: Some(now) };
        let line = note.line(now);
        self.told.rows.borrow_mut()[vertex.0].notes.push(note);
        // On a terminal it is drawn with what comes next.
        if self.mode != ProgressMode::Tty {
            self.changed(vertex, Some(line), |row| rawjson::status(row, row.notes.last(), now)).await;
        }
    }

    /// A part of it begins that may take a while; `total` is its bytes, 0 where they are not counted.
    pub async fn begin_status(&self, vertex: Vertex, id: &str, total: u64) -> usize {
        let now = self.ctx.world().now();
        let note = Note { id: id.to_string(), current: 0, total, started: now, completed: None };
        let index = {
            let notes = &mut self.told.rows.borrow_mut()[vertex.0].notes;
            notes.push(note);
            notes.len() - 1
        };
        // On a pipe it is told when it is done.
        if self.mode != ProgressMode::Plain {
            self.changed(vertex, None, |row| rawjson::status(row, row.notes.get(index), now)).await;
        }
        index
    }

    /// The part is done.
    pub async fn end_status(&self, vertex: Vertex, index: usize) {
        let now = self.ctx.world().now();
        let line = {
            let note = &mut self.told.rows.borrow_mut()[vertex.0].notes[index];
            (note.current, note.completed) = (note.total, Some(now));
            note.line(now)
        };
        self.changed(vertex, Some(line), |row| rawjson::status(row, row.notes.get(index), now)).await;
    }

    /// What is questionable about the Dockerfile: told at the vertex that loads it, where there is one, and once more
    /// at the end.
    pub async fn warning(&self, vertex: Option<Vertex>, warning: &Warning) {
        self.told.warnings.borrow_mut().push(warning.clone());
        let Some(vertex) = vertex else { return };
        let text = warning.short();
        self.told.rows.borrow_mut()[vertex.0].warnings.push(text.clone());
        if self.mode != ProgressMode::Tty {
            self.changed(vertex, Some(format!("WARN: {text}")), |row| rawjson::warning(row, warning)).await;
        }
    }

    /// What its program printed: kept by lines, shown when they are whole.
    pub async fn log(&self, vertex: Vertex, bytes: &[u8]) {
        let lines = {
            let mut rows = self.told.rows.borrow_mut();
            let row = &mut rows[vertex.0];
            row.partial.extend(bytes);
            let mut lines = Vec::new();
            while let Some(end) = row.partial.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = row.partial.drain(..=end).collect();
                lines.push(String::from_utf8_lossy(&line[..end]).trim_end_matches('\r').to_string());
            }
            lines
        };
        for line in lines {
            self.log_line(vertex, line, true).await;
        }
    }

    async fn log_line(&self, vertex: Vertex, line: String, whole: bool) {
        let now = self.ctx.world().now();
        let shown = {
            let mut rows = self.told.rows.borrow_mut();
            let row = &mut rows[vertex.0];
            let shown = format!("{:.3} {line}", now.saturating_sub(row.started).as_secs_f64());
            row.log.push(shown.clone());
            shown
        };
        let line = if whole { line + "\n" } else { line };
        self.changed(vertex, Some(shown), |row| rawjson::log(row, &line, now)).await;
    }

    pub async fn done(&self, vertex: Vertex) {
        self.end(vertex, State::Done).await;
    }

    pub async fn cached(&self, vertex: Vertex) {
        self.end(vertex, State::Cached).await;
    }

    pub async fn canceled(&self, vertex: Vertex) {
        self.end(vertex, State::Canceled).await;
    }

    pub async fn failed(&self, vertex: Vertex, error: &str) {
        self.end(vertex, State::Failed(error.to_string())).await;
    }

    async fn end(&self, vertex: Vertex, state: State) {
        // A last line that had no newline.
        let rest = std::mem::take(&mut self.told.rows.borrow_mut()[vertex.0].partial);
        if !rest.is_empty() {
            self.log_line(vertex, String::from_utf8_lossy(&rest).into_owned(), false).await;
        }
        {
            let row = &mut self.told.rows.borrow_mut()[vertex.0];
            row.state = state;
            row.ended = self.ctx.world().now();
        }
        self.changed(vertex, None, rawjson::vertex).await;
    }

    /// Shows what changed about a vertex: `line` on a pipe, `json` to a program.
    async fn changed(&self, vertex: Vertex, line: Option<String>, json: impl FnOnce(&Row) -> serde_json::Value) {
        let text = match self.mode {
            ProgressMode::Plain => {
                let (rows, mut plain) = (self.told.rows.borrow(), self.told.plain.borrow_mut());
                plain.note(vertex.0, line, self.ctx.world().now());
                plain.update(&rows, self.ctx.world().now())
            }
            ProgressMode::RawJson => format!("{}\n", json(&self.told.rows.borrow()[vertex.0])),
            ProgressMode::Tty => self.drawing(false),
            ProgressMode::Quiet => return,
        };
        self.say(&text).await;
    }

    /// The block that names a failed step and shows the end of what it printed.
    pub fn failure_block(&self) -> String {
        if matches!(self.mode, ProgressMode::Quiet | ProgressMode::RawJson) {
            return String::new();
        }
        let rows = self.told.rows.borrow();
        let failed = rows.iter().filter(|row| matches!(row.state, State::Failed(_)));
        let block = |row: &Row| {
            let last = &row.log[row.log.len().saturating_sub(10)..];
            let log: String = last.iter().map(|line| format!("{line}\n")).collect();
            format!("------\n > {}:\n{log}------\n", row.name)
        };
        failed.map(block).collect()
    }

    /// All that is questionable, as it stands below the progress.
    pub fn warning_summary(&self) -> String {
        match self.mode {
            ProgressMode::Quiet | ProgressMode::RawJson => String::new(),
            ProgressMode::Plain | ProgressMode::Tty => {
                let mut warnings = self.told.warnings.borrow().clone();
                warnings.arrange_by_key(|w| w.line);
                lint::summary(&warnings)
            }
        }
    }

    /// All that this board's target has told, in the order of its beginnings, as on a pipe.
    pub fn transcript(&self) -> Transcript {
        let rows = self.told.rows.borrow();
        let mut made = Transcript::default();
        for (index, row) in rows.iter().skip(self.first).enumerate() {
            let name = match &self.target {
                None => row.name.clone(),
                Some(target) => match row.name.strip_prefix(&format!("[{target} ")) {
                    Some(rest) => format!("[{rest}"),
                    None => row.name.replacen(&format!("[{target}] "), "", 1),
                },
            };
            let number = index + 1;
            let gap = if index == 0 { "" } else { "\n" };
            made.text += &format!("{gap}#{number} {name}\n");
            let notes = row.notes.iter().map(|note| note.line(row.ended));
            let warnings = row.warnings.iter().map(|warning| format!("WARN: {warning}"));
            for line in notes.chain(row.log.iter().cloned()).chain(warnings) {
                made.text += &format!("#{number} {line}\n");
            }
            made.text += &format!("#{number} {}\n", plain::ending(row).unwrap_or_default());
            made.steps += 1;
            made.completed += usize::from(matches!(row.state, State::Done | State::Cached));
            made.cached += usize::from(row.state == State::Cached);
            if let State::Failed(_) = row.state {
                let last = &row.log[row.log.len().saturating_sub(16)..];
                made.failed = Some((name, last.iter().map(|line| after_time(line).to_string()).collect()));
            }
        }
        made
    }

    /// What the last program printed, without times.
    pub fn take_log(&self) -> String {
        let mut rows = self.told.rows.borrow_mut();
        let log = rows.last_mut().map_or_else(Vec::new, |row| std::mem::take(&mut row.log));
        log.iter().map(|line| format!("{}\n", after_time(line))).collect()
    }

    /// Nothing more will be done.
    pub async fn finish(&self) {
        if self.mode == ProgressMode::Tty {
            let text = self.drawing(true);
            self.say(&text).await;
        }
    }

    fn drawing(&self, last: bool) -> String {
        let size = self.ctx.client.window_size();
        let width = size.as_ref().map_or(80, |s| usize::from(s.columns).max(20));
        let height = size.as_ref().map_or(24, |s| usize::from(s.rows).max(5));
        let now = self.ctx.world().now();
        let elapsed = now.saturating_sub(self.told.started);
        let lines = tty::lines(&self.told.rows.borrow(), now, elapsed, (width, height), last);
        let lines = if self.told.plain.borrow().untitled { tty::untitled(lines) } else { lines };
        let before = self.told.drawn.replace(lines.len());
        tty::over(before, &lines)
    }

    async fn say(&self, text: &str) {
        if !text.is_empty() {
            self.ctx.client.write(Stream::Err, text.as_bytes()).await;
        }
    }
}

fn after_time(line: &str) -> &str {
    line.split_once(' ').map_or(line, |(_, text)| text)
}
