//! What Tab offers: commands, files, variables, and whatever a host adds for commands it knows.

use super::{Shell, builtins};
use crate::os::{FileKind, Os};
use crate::sorted::Arrange;

/// Knows the words of some commands, as the names after `docker `.
pub trait Completer {
    /// The whole words that `word`, the one being typed, may become after the words `before` it.
    /// `None` where this command is not known: then files are offered.
    fn complete(&self, before: &[String], word: &str) -> Option<Vec<String>>;
}

/// Knows no commands.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCompleter;

impl Completer for NoCompleter {
    fn complete(&self, _before: &[String], _word: &str) -> Option<Vec<String>> {
        None
    }
}

/// What the word before the cursor may become.
pub(super) struct Completions {
    /// Where the word begins, in characters.
    pub start: usize,
    /// Each with the character to put behind it.
    pub choices: Vec<(String, char)>,
}

impl<O: Os> Shell<O> {
    /// The choices for the word that ends at the end of `line`.
    pub(super) fn completions(&self, line: &str, completer: &dyn Completer) -> Completions {
        let start = line.rfind(|c: char| c.is_whitespace() || "|&;()<>".contains(c)).map_or(0, |at| at + 1);
        let word = &line[start..];
        let command = line[..start].rsplit(|c| "|&;(".contains(c)).next().unwrap_or("");
        let before: Vec<String> = command.split_whitespace().map(str::to_string).collect();
        let is_command = before.is_empty() && !line[..start].trim_end().ends_with(['<', '>']);
        let mut choices = if let Some(prefix) = word.strip_prefix('$') {
            let names = self.variables.iter().filter(|(n, _)| n.starts_with(prefix));
            names.map(|(name, _)| (format!("${name}"), ' ')).collect()
        } else if is_command && !word.contains('/') {
            self.commands(word)
        } else {
            match completer.complete(&before, word).filter(|_| !is_command) {
                Some(words) => words.into_iter().filter(|w| w.starts_with(word)).map(|w| (w, ' ')).collect(),
                None => self.files(word),
            }
        };
        choices.arrange();
        choices.dedup();
        Completions { start: line[..start].chars().count(), choices }
    }

    fn commands(&self, prefix: &str) -> Vec<(String, char)> {
        let mut names: Vec<String> = builtins::names().map(str::to_string).collect();
        names.extend(self.functions.keys().cloned());
        names.extend(self.aliases.keys().cloned());
        for folder in self.variables.get("PATH").unwrap_or("").split(':').filter(|f| !f.is_empty()) {
            let entries = self.os.read_dir(folder).unwrap_or_default();
            names.extend(entries.into_iter().map(|entry| entry.name));
        }
        names.into_iter().filter(|name| name.starts_with(prefix) && name != "[").map(|name| (name, ' ')).collect()
    }

    fn files(&self, word: &str) -> Vec<(String, char)> {
        let (folder, name) = word.rsplit_once('/').map_or(("", word), |(folder, name)| (&word[..=folder.len()], name));
        let home = self.variables.get("HOME").unwrap_or("");
        let real = match folder.strip_prefix("~/") {
            Some(rest) => format!("{home}/{rest}"),
            None if folder.is_empty() => ".".to_string(),
            None => folder.to_string(),
        };
        let entries = self.os.read_dir(&real).unwrap_or_default();
        let fits = entries
            .into_iter()
            .filter(|e| e.name.starts_with(name) && (!e.name.starts_with('.') || name.starts_with('.')));
        fits.map(|entry| {
            let is_folder = entry.kind == FileKind::Directory
                || self.os.stat(&format!("{real}/{}", entry.name)).is_ok_and(|s| s.kind == FileKind::Directory);
            let escaped: String = entry
                .name
                .chars()
                .map(|c| if " '\"\\$&;()|<>*?[`!#".contains(c) { format!("\\{c}") } else { c.to_string() })
                .collect();
            (format!("{folder}{escaped}"), if is_folder { '/' } else { ' ' })
        })
        .collect()
    }
}
