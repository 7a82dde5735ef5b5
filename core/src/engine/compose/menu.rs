//! The menu of keys below the output of `docker compose up` on a terminal: `w` turns watching on and off, `d` leaves
//! the containers running, `^C` stops them.
//!
//! Whatever is printed is printed above it, so the menu stands between the command and its terminal: each text goes
//! through [`Menu::around`]. A terminal that only knows lines (`TERM=dumb`, as the page's) has it as its last line.

use super::App;
use crate::world::{Client, Stream, World};
use cutaway_userland::os::WindowSize;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::Duration;

/// How long a fault stays above the menu.
const SHOWN: Duration = Duration::from_secs(10);
const DOCS: &str = "https://docs.docker.com/compose/file-watch/";

/// What the person asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Stop,
    Detach,
}

#[derive(Default)]
pub(super) struct Menu {
    shown: Cell<bool>,
    /// The terminal can be written anywhere on.
    full: Cell<bool>,
    size: Cell<Option<WindowSize>>,
    /// Whether it is watched for changes, and who wants to know.
    watching: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    /// What could not be done, and until when it is shown.
    fault: RefCell<Option<String>>,
}

impl Menu {
    /// Begins to show it.
    pub fn open(&self, client: &dyn Client) {
        self.full.set(client.env("TERM").as_deref() != Some("dumb"));
        self.size.set(client.window_size());
        client.set_raw(true);
        self.shown.set(true);
    }

    /// A text to be printed, with what takes the menu away before it and puts it there again.
    pub fn around(&self, bytes: &[u8]) -> Vec<u8> {
        if !self.shown.get() {
            return bytes.to_vec();
        }
        let mut all = self.cleared().into_bytes();
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            // The terminal is raw: it adds no return of its own.
            all.extend(line.strip_suffix(b"\n").unwrap_or(line));
            if line.ends_with(b"\n") {
                all.extend(b"\r\n");
            }
        }
        all.extend(self.drawn().into_bytes());
        all
    }

    fn rows(&self) -> usize {
        self.size.get().map_or(24, |s| usize::from(s.rows).max(1))
    }

    /// How many lines more than one a text takes.
    fn extra(&self, text: &str) -> usize {
        let columns = self.size.get().map_or(80, |s| usize::from(s.columns).max(1));
        let mut escaped = false;
        let seen = text.chars().filter(|c| {
            let hidden = escaped || *c == '\x1b';
            escaped = hidden && *c != 'm';
            !hidden
        });
        seen.count() / columns
    }

    fn text(&self) -> String {
        let key = |key: &str| format!("\x1b[1;38;2;0;0;0;48;2;255;255;255m{key}\x1b[0m");
        let about = |text: &str| format!("\x1b[2m{text}\x1b[0m");
        let able = if self.watching.get() { " Disable Watch" } else { " Enable Watch" };
        format!("{}{}   {}{}", key("w"), about(able), key("d"), about(" Detach"))
    }

    fn cleared(&self) -> String {
        if !self.full.get() {
            return "\r\x1b[2K".into();
        }
        format!("\x1b[0G\x1b7{}\x1b8", "\x1b[1B\x1b[2K".repeat(self.rows()))
    }

    fn drawn(&self) -> String {
        let (menu, fault) = (self.text(), self.fault.borrow().clone());
        if !self.full.get() {
            return fault.map(|f| f + "   ").unwrap_or_default() + &menu;
        }
        let lines = 2 + self.extra(&menu) + fault.as_ref().map_or(0, |f| self.extra(f) + 1);
        let mut out = format!("{}\x1b[{lines}A\x1b[0G\x1b7", "\x1b[2K\n\x1b[0G".repeat(lines));
        if let Some(fault) = fault {
            let row = self.rows().saturating_sub(1 + self.extra(&menu) + self.extra(&fault));
            out.push_str(&format!("\x1b[{row};0H\x1b[2K{fault}"));
        }
        let row = self.rows() - self.extra(&menu).min(self.rows());
        out.push_str(&format!("\x1b[{row};0H\x1b[2K{menu}\x1b[0G\x1b8"));
        out
    }

    /// Takes it off the screen for good.
    pub async fn close(&self, client: &dyn Client) {
        if !self.shown.replace(false) {
            return;
        }
        client.write(Stream::Out, (self.cleared() + "\x1b[?25h").as_bytes()).await;
        client.set_raw(false);
    }

    /// Waits until it is to be watched, or no more.
    pub async fn watching_is(&self, wanted: bool) {
        poll_fn(|cx| {
            if self.watching.get() == wanted {
                return Poll::Ready(());
            }
            *self.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    pub fn set_watching(&self, on: bool) {
        self.watching.set(on);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Heeds the keys until one ends the command; for ever where there is no menu.
    pub async fn keys<W: World>(&self, app: &App<'_, W>, watchable: bool) -> Asked {
        let client = &app.ctx.client;
        if !self.shown.get() {
            std::future::pending::<()>().await;
        }
        // What takes no text of its own is drawn by printing nothing.
        let redraw = || client.write(Stream::Out, b"");
        redraw().await;
        loop {
            let faulty = self.fault.borrow().is_some();
            let gone = async {
                match faulty {
                    true => app.ctx.world().sleep(SHOWN).await,
                    false => std::future::pending().await,
                }
            };
            let bytes = match crate::engine::race::race(client.read(64), gone).await {
                crate::engine::race::First::Left(bytes) => bytes.unwrap_or_default(),
                crate::engine::race::First::Right(()) => {
                    *self.fault.borrow_mut() = None;
                    redraw().await;
                    continue;
                }
            };
            if bytes.is_empty() {
                std::future::pending::<()>().await;
            }
            for key in bytes {
                match key {
                    b'w' if watchable => {
                        self.set_watching(!self.watching.get());
                        redraw().await;
                    }
                    b'w' => {
                        let text = format!("watch is not yet configured. Learn more: \x1b[36m{DOCS}\x1b[0m");
                        *self.fault.borrow_mut() = Some(format!("\x1b[1;36mWatch →\x1b[0m  {text}"));
                        redraw().await;
                    }
                    b'd' | 3 => {
                        self.close(&**client).await;
                        return if key == b'd' { Asked::Detach } else { Asked::Stop };
                    }
                    b'\r' | b'\n' => client.write(Stream::Out, b"\n").await,
                    _ => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_stands_above_the_menu() {
        let menu = Menu::default();
        assert_eq!(menu.around(b"a\n"), b"a\n", "there is none");
        menu.shown.set(true);
        let plain = "\x1b[1;38;2;0;0;0;48;2;255;255;255mw\x1b[0m\x1b[2m Enable Watch\x1b[0m   \
                     \x1b[1;38;2;0;0;0;48;2;255;255;255md\x1b[0m\x1b[2m Detach\x1b[0m";
        assert_eq!(String::from_utf8_lossy(&menu.around(b"a\nb\n")), format!("\r\x1b[2Ka\r\nb\r\n{plain}"));
        menu.full.set(true);
        menu.size.set(Some(WindowSize { rows: 3, columns: 20 }));
        menu.watching.set(true);
        let seen = String::from_utf8_lossy(&menu.around(b"")).into_owned();
        assert!(seen.starts_with("\x1b[0G\x1b7\x1b[1B\x1b[2K\x1b[1B\x1b[2K\x1b[1B\x1b[2K\x1b8"), "{seen:?}");
        assert!(seen.contains("\x1b[3A\x1b[0G\x1b7\x1b[2;0H\x1b[2K") && seen.contains(" Disable Watch"), "{seen:?}");
        assert!(seen.ends_with("\x1b[0G\x1b8"), "the cursor is where it was");
    }
}
