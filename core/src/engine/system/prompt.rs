//! Asking before something is deleted.

use crate::engine::Ctx;
use crate::world::World;

/// Asks `question` and waits for a line; only `y` or `yes` is one.
pub async fn confirm<W: World>(ctx: &Ctx<W>, question: &str) -> bool {
    ctx.print(format!("{question} [y/N] ")).await;
    let mut line = Vec::new();
    // One byte at a time: what follows the line is not ours. No answer is longer than this.
    while line.len() < 64 {
        match ctx.client.read(1).await {
            Ok(bytes) if !bytes.is_empty() && bytes != b"\n" => line.extend(bytes),
            _ => break,
        }
    }
    let answer = String::from_utf8_lossy(&line).trim().to_lowercase();
    answer == "y" || answer == "yes"
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
