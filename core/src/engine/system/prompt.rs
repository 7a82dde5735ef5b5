//! Asking a person: whether something shall be deleted, a name, a password.

use crate::engine::{Ctx, Error, Result};
use crate::world::World;

/// No answer is longer than this.
const LONGEST: usize = 4096;

/// Asks `question` and waits for a line; only `y` or `yes` is one.
pub async fn confirm<W: World>(ctx: &Ctx<W>, question: &str) -> bool {
    let answer = ask(ctx, &format!("{question} [y/N] ")).await.unwrap_or_default().trim().to_lowercase();
    answer == "y" || answer == "yes"
}

/// Asks for a line of text, which comes without its end.
///
/// # Errors
/// Where standard input can't be read.
pub async fn ask<W: World>(ctx: &Ctx<W>, question: &str) -> Result<String> {
    ctx.print(question).await;
    let mut line = Vec::new();
    // One byte at a time: what follows the line is not ours.
    while line.len() < LONGEST {
        let byte = ctx.client.read(1).await?;
        if byte.is_empty() || byte == b"\n" {
            break;
        }
        line.extend(byte);
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// Asks for a line that is not shown as it is typed.
///
/// # Errors
/// Where standard input can't be read, and where `^C` is typed: 130.
pub async fn ask_unseen<W: World>(ctx: &Ctx<W>, question: &str) -> Result<String> {
    ctx.print(question).await;
    ctx.client.set_raw(true);
    let mut line = Vec::new();
    let ended = loop {
        match ctx.client.read(1).await {
            Err(fault) => break Err(fault.into()),
            Ok(byte) => match byte.first() {
                None | Some(b'\r' | b'\n' | 4) => break Ok(()),
                Some(3) => break Err(Error::Status(130)),
                Some(8 | 127) => drop(line.pop()),
                Some(21) => line.clear(),
                Some(byte) if line.len() < LONGEST => line.push(*byte),
                Some(_) => {}
            },
        }
    };
    ctx.client.set_raw(false);
    ctx.print("\n").await;
    ended.map(|()| String::from_utf8_lossy(&line).into_owned())
}

/// What a prune of one kind took away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// As they are printed, one a line.
    pub lines: Vec<String>,
    /// Bytes.
    pub reclaimed: u64,
}

impl Pruned {
    /// As Docker prints it: the heading, the lines and an empty line; nothing where nothing went.
    pub fn text(&self, heading: &str) -> String {
        if self.lines.is_empty() {
            return String::new();
        }
        format!("{heading}:\n{}\n\n", self.lines.join("\n"))
    }
}

/// `Total reclaimed space: 1.98MB`, with its newline.
pub fn total(reclaimed: u64) -> String {
    format!("Total reclaimed space: {}\n", crate::view::units::size(reclaimed))
}
