//! Completing what is typed, for a page whose terminal leaves editing to the page.

use super::Session;
use crate::cli;
use crate::sim::hosts::HOME;
use crate::sim::kernel::Machine;
use cutaway_userland::os::Os;
use cutaway_userland::sorted::Arrange;

impl Session {
    /// The line with its last word completed as far as there is only one way to go on; `None` where nothing
    /// can be added. Commands, docker's words, and files of the home folder are known.
    pub fn complete(&self, line: &str) -> Option<String> {
        let start = line.rfind(char::is_whitespace).map_or(0, |i| i + 1);
        let (before, word) = line.split_at(start);
        let words: Vec<&str> = before.split_whitespace().collect();
        let mut found = match words.as_slice() {
            [] => self.commands(),
            ["docker", rest @ ..] => {
                let words: Vec<String> = rest.iter().chain(&[word]).map(|w| w.to_string()).collect();
                cli::complete(&words)
            }
            _ => Vec::new(),
        };
        if found.iter().all(|name| !name.starts_with(word)) {
            found = self.files(word);
        }
        found.retain(|name| name.starts_with(word));
        found.arrange();
        found.dedup();
        let shared = common(&found)?;
        let end = if found.len() == 1 && !shared.ends_with('/') { " " } else { "" };
        (shared.len() + end.len() > word.len()).then(|| format!("{before}{shared}{end}"))
    }

    fn commands(&self) -> Vec<String> {
        let os = self.machine().os(Machine::INIT);
        let folders = ["/bin", "/usr/bin", "/sbin", "/usr/sbin"];
        folders.iter().flat_map(|f| os.read_dir(f).unwrap_or_default()).map(|entry| entry.name).collect()
    }

    fn files(&self, word: &str) -> Vec<String> {
        let os = self.machine().os(Machine::INIT);
        let folder = word.rfind('/').map_or("", |i| &word[..=i]);
        let place = if folder.starts_with('/') { folder.to_string() } else { format!("{}/{folder}", HOME) };
        let name = |entry: cutaway_userland::os::DirEntry| {
            let end = if entry.kind == cutaway_userland::os::FileKind::Directory { "/" } else { "" };
            format!("{folder}{}{end}", entry.name)
        };
        os.read_dir(&place).unwrap_or_default().into_iter().map(name).collect()
    }
}

/// What all begin with; `None` for none.
fn common(words: &[String]) -> Option<String> {
    let first = words.first()?;
    let shared = |other: &String| first.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let mut end = words.iter().map(shared).min()?;
    while !first.is_char_boundary(end) {
        end -= 1;
    }
    Some(first[..end].to_string())
}
