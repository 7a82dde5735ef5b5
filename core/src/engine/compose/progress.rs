//! The lines that tell what is being done: plain, as JSON, not at all, or redrawn in place on a terminal.

use super::App;
use super::open::Settings;
use crate::cli::Args;
use crate::engine::{Ctx, Error, Result};
use crate::world::{Stream, World};
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// What stands before each line of a command that only says what it would do.
const DRY: &str = " DRY-RUN MODE - ";
const GREEN: &str = "32";
const RED: &str = "31;1";
const YELLOW: &str = "33";
const BLUE: &str = "34";
const CYAN: &str = "36";
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Terminal,
    /// Between the output of containers on a terminal: one line each, nothing is redrawn.
    Mixed,
    Plain,
    Json,
    Quiet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Working,
    Done,
    Warning,
    Error,
}

impl Stage {
    /// Where something stands, by the word for it.
    fn of(word: &str) -> Stage {
        let first = word.split([' ', ':']).next().unwrap_or("");
        match first {
            "Error" | "service" => Stage::Error,
            "Resource" | "No" => Stage::Warning,
            "Skipped" if word.starts_with("Skipped:") => Stage::Warning,
            "Running" => Stage::Done,
            "Recreate" | "Restart" => Stage::Working,
            word if word.ends_with("ing") => Stage::Working,
            _ => Stage::Done,
        }
    }
}

struct Event {
    id: String,
    text: String,
    state: String,
    stage: Stage,
    begun: Duration,
    ended: Duration,
}

#[derive(Default)]
struct Screen {
    title: &'static str,
    events: Vec<Event>,
    /// Lines below the title that stand on the terminal.
    lines: usize,
    drawn: bool,
}

/// How a command tells of its progress.
pub(super) struct Board {
    mode: Cell<Mode>,
    /// Nothing is told while this is set.
    pub hushed: Cell<bool>,
    /// `--dry-run`: everything is told, nothing is done.
    pub dry: bool,
    /// Whether what is printed may have colours.
    pub colours: bool,
    /// The same for the lines of progress.
    painted: bool,
    screen: RefCell<Screen>,
}

impl Board {
    /// By `--progress`, `--ansi`, `--dry-run`, the environment, and whether there is a terminal.
    pub fn new<W: World>(ctx: &Ctx<W>, settings: &Settings, global: &Args, args: &Args) -> Result<Board> {
        let client = &ctx.client;
        let env = |name: &str| settings.get(ctx, name);
        let given = |flag: &str, name: &str| {
            global.value(flag).filter(|_| global.given(flag)).map(str::to_string).or_else(|| env(name))
        };
        let ansi = given("ansi", "COMPOSE_ANSI").unwrap_or_else(|| "auto".into());
        let wanted = given("progress", "COMPOSE_PROGRESS").unwrap_or_else(|| "auto".into());
        let plain = ansi == "never";
        let mode = match wanted.as_str() {
            "auto" | "" if ansi == "always" || (!plain && client.is_tty(Stream::Err)) => Mode::Terminal,
            "auto" | "" => Mode::Plain,
            "tty" if plain => {
                return Err(Error::Client("can't use --progress tty while ANSI support is disabled".into()));
            }
            "tty" => Mode::Terminal,
            "plain" if ansi == "always" => {
                return Err(Error::Client("can't use --progress plain while ANSI support is forced".into()));
            }
            "plain" => Mode::Plain,
            "quiet" | "none" => Mode::Quiet,
            "json" => Mode::Json,
            other => return Err(Error::Client(format!("unsupported --progress value {other:?}"))),
        };
        let coloured = !plain && env("NO_COLOR").is_none();
        Ok(Board {
            mode: Cell::new(mode),
            hushed: Cell::default(),
            dry: global.flag("dry-run") || args.flag("dry-run"),
            colours: coloured && (ansi == "always" || client.is_tty(Stream::Out)),
            painted: coloured,
            screen: RefCell::new(Screen { title: "Running", ..Screen::default() }),
        })
    }

    /// Whether nothing may be drawn.
    pub fn is_plain(&self) -> bool {
        self.mode.get() == Mode::Plain || !self.colours
    }

    /// How the builder is to tell of what it does (`buildx bake --progress`).
    pub fn for_builder(&self) -> &'static str {
        match self.mode.get() {
            Mode::Plain => "plain",
            Mode::Quiet => "quiet",
            Mode::Json => "rawjson",
            Mode::Terminal | Mode::Mixed => "auto",
        }
    }

    /// From now on containers print, too, so that nothing above can be redrawn.
    pub fn mix(&self) {
        self.phase("Running");
        if self.mode.get() == Mode::Terminal {
            self.mode.set(Mode::Mixed);
        }
    }

    /// Begins a new block below what stands there.
    pub fn phase(&self, title: &'static str) {
        *self.screen.borrow_mut() = Screen { title, ..Screen::default() };
    }

    /// Keeps what is told, to be drawn.
    fn note(&self, id: &str, text: &str, state: &str, now: Duration) {
        let stage = Stage::of(if state.is_empty() { text } else { state });
        let mut screen = self.screen.borrow_mut();
        match screen.events.iter_mut().find(|e| e.id == id) {
            Some(event) => {
                (event.text, event.state) = (text.into(), state.into());
                (event.stage, event.ended) = (stage, now);
            }
            None => screen.events.push(Event {
                id: id.into(),
                text: text.into(),
                state: state.into(),
                stage,
                begun: now,
                ended: now,
            }),
        }
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.painted { paint(colour, text) } else { text.to_string() }
    }
}

/// A text in a colour of the terminal's.
pub(super) fn paint(colour: &str, text: &str) -> String {
    format!("\x1b[{colour}m{text}\x1b[0m")
}

impl<W: World> App<'_, W> {
    /// ` Container shop-web-1  Started`.
    pub async fn progress(&self, what: &str, name: &str, state: &str) {
        self.event(&format!("{what} {name}"), "", state).await;
    }

    /// Tells of `id`: a text beside it, and the word for where it stands.
    pub async fn event(&self, id: &str, text: &str, state: &str) {
        let board = &self.board;
        let dry = if board.dry { DRY } else { "" };
        match board.mode.get() {
            _ if board.hushed.get() => {}
            Mode::Quiet => {}
            Mode::Plain => self.ctx.warn(format!("{dry} {id} {text} {state}\n")).await,
            Mode::Mixed => {
                let state = board.paint(GREEN, state);
                self.ctx.print(format!("\r\x1b[K {id} {text} {state}\n")).await;
            }
            Mode::Json => {
                let mut message = serde_json::Map::new();
                if board.dry {
                    message.insert("dry-run".into(), true.into());
                }
                for (key, value) in [("id", id), ("text", text), ("status", state)] {
                    if !value.is_empty() {
                        message.insert(key.into(), value.into());
                    }
                }
                self.ctx.warn(format!("{}\n", serde_json::Value::Object(message))).await;
            }
            Mode::Terminal => {
                board.note(id, text, state, self.ctx.world().now());
                self.redraw().await;
            }
        }
    }

    /// Draws again, because time has gone by.
    pub async fn redraw(&self) {
        if self.board.mode.get() == Mode::Terminal {
            let size = self.ctx.client.window_size();
            let (rows, columns) = size.map_or((24, 80), |s| (usize::from(s.rows), usize::from(s.columns)));
            let text = self.board.draw(rows.max(4), columns, self.ctx.world().now());
            self.ctx.warn(text).await;
        }
    }
}

impl Board {
    fn draw(&self, rows: usize, columns: usize, now: Duration) -> String {
        let mut screen = self.screen.borrow_mut();
        if screen.events.is_empty() {
            return String::new();
        }
        let mut out = String::new();
        if screen.drawn {
            out.push_str(&format!("\x1b[{}A", screen.lines + 1));
        }
        screen.drawn = true;
        out.push_str("\x1b[0G\x1b[?25l");
        let done = screen.events.iter().filter(|e| e.stage != Stage::Working).count();
        let title = format!("[+] {} {done}/{}", screen.title, screen.events.len());
        out.push_str(&if done == screen.events.len() { self.paint(BLUE, &title) } else { title });
        out.push('\n');
        let width = screen.events.iter().map(|e| e.id.chars().count() + 1 + e.text.chars().count()).max().unwrap_or(0);
        // What has no room is left out, the oldest first.
        let hidden = screen.events.len().saturating_sub(rows - 2);
        for event in &screen.events[hidden..] {
            out.push_str(&self.line(event, width, columns, now));
        }
        screen.lines = screen.events.len() - hidden;
        out.push_str("\x1b[?25h");
        out
    }

    fn line(&self, event: &Event, width: usize, columns: usize, now: Duration) -> String {
        let elapsed = if event.stage == Stage::Working { now } else { event.ended }.saturating_sub(event.begun);
        let (mark, colour) = match event.stage {
            Stage::Done => ("✔", Some(GREEN)),
            Stage::Warning => ("!", Some(YELLOW)),
            Stage::Error => ("✘", Some(RED)),
            Stage::Working => (SPINNER[usize::try_from(elapsed.as_millis() / 100).unwrap_or(0) % 10], None),
        };
        let text = format!("{} {}", event.id, event.text);
        let length = text.chars().count();
        let most = columns.saturating_sub(length + width + 15);
        let mut state = event.state.clone();
        if most > 0 && state.chars().count() > most {
            state = state.chars().take(most).collect::<String>() + "...";
        }
        let dry = if self.dry { DRY } else { "" };
        let timer = format!("{:.1}s ", elapsed.as_secs_f64());
        let shown = 3 + dry.chars().count() + width.max(length) + 1 + state.chars().count();
        let gap = " ".repeat(columns.saturating_sub(shown + timer.len()));
        format!(
            " {}{} {text}{} {}{gap}{}\n",
            self.paint(colour.unwrap_or(YELLOW), mark),
            if dry.is_empty() { String::new() } else { self.paint(CYAN, dry) },
            " ".repeat(width.saturating_sub(length)),
            colour.map_or_else(|| state.clone(), |colour| self.paint(colour, &state)),
            self.paint(BLUE, &timer),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(painted: bool) -> Board {
        let event = |id: &str, state: &str, begun: u64, ended: u64| Event {
            id: id.into(),
            text: String::new(),
            state: state.into(),
            stage: Stage::of(state),
            begun: Duration::from_millis(begun),
            ended: Duration::from_millis(ended),
        };
        let events = vec![event("Network n", "Created", 0, 100), event("Container c-1", "Starting", 0, 0)];
        Board {
            mode: Cell::new(Mode::Terminal),
            hushed: Cell::default(),
            dry: false,
            colours: false,
            painted,
            screen: RefCell::new(Screen { title: "Running", events, ..Screen::default() }),
        }
    }

    #[test]
    fn drawn_in_place() {
        let board = board(false);
        let first = board.draw(24, 60, Duration::from_millis(1500));
        assert_eq!(
            first,
            "\x1b[0G\x1b[?25l[+] Running 1/2\n ✔ Network n      Created                              0.1s \n \
             ⠴ Container c-1  Starting                             1.5s \n\x1b[?25h"
        );
        assert!(
            board.draw(24, 60, Duration::from_secs(2)).starts_with("\x1b[3A\x1b[0G"),
            "it goes up over what it drew"
        );
        board.phase("Stopping");
        assert_eq!(board.draw(24, 60, Duration::ZERO), "", "a new block begins with nothing");
    }

    #[test]
    fn words_tell_the_stage() {
        for (word, stage) in [
            ("Creating", Stage::Working),
            ("Running", Stage::Done),
            ("Recreate", Stage::Working),
            ("Recreated", Stage::Done),
            ("Error", Stage::Error),
            ("Resource is still in use", Stage::Warning),
            ("Skipped: optional dependency \"a\" failed to start", Stage::Warning),
            ("Skipped - No image to be pulled", Stage::Done),
        ] {
            assert_eq!(Stage::of(word), stage, "{word}");
        }
    }
}
