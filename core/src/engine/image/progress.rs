//! The lines that tell of layers on their way: one after the other in a pipe, in place on a terminal.

use crate::engine::Ctx;
use crate::world::{Stream, World};
use std::cell::RefCell;

/// Where progress is told, if at all.
pub struct Progress<'a, W> {
    ctx: &'a Ctx<W>,
    /// `None` is quiet.
    to: Option<Stream>,
    /// Ids that have a line of their own on the terminal, from the top.
    lines: RefCell<Vec<String>>,
}

impl<'a, W: World> Progress<'a, W> {
    pub fn new(ctx: &'a Ctx<W>, to: Option<Stream>) -> Progress<'a, W> {
        Progress { ctx, to, lines: RefCell::new(Vec::new()) }
    }

    /// A line of its own.
    pub async fn say(&self, text: &str) {
        self.lines.borrow_mut().clear();
        if let Some(to) = self.to {
            self.ctx.client.write(to, format!("{text}\n").as_bytes()).await;
        }
    }

    /// What becomes of `id` now. On a terminal it replaces what was told of `id` before.
    pub async fn status(&self, id: &str, status: &str) {
        let Some(to) = self.to else { return };
        if !self.ctx.client.is_tty(to) {
            self.ctx.client.write(to, format!("{id}: {status}\n").as_bytes()).await;
            return;
        }
        let known = self.lines.borrow().iter().position(|line| line == id);
        let text = match known {
            Some(at) => {
                let up = self.lines.borrow().len() - at;
                format!("\x1b[{up}A\x1b[2K\r{id}: {status} \r\x1b[{up}B")
            }
            None => {
                self.lines.borrow_mut().push(id.to_string());
                format!("{id}: {status} \r\n")
            }
        };
        self.ctx.client.write(to, text.as_bytes()).await;
    }
}
