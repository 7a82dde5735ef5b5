//! What a prompt shows: the escapes of bash and busybox, and then the expansions of any word.

use super::{Flow, Run, Shell, parse};
use crate::os::{Ids, Os};

/// Prompts of shells nobody has told another.
const ASH: &str = "\\w \\$ ";
const BASH: &str = "\\u@\\h:\\w\\$ ";

impl<O: Os> Shell<O> {
    /// The text of `PS1` or `PS2`, ready to be shown.
    pub(super) async fn prompt(&mut self, variable: &str) -> Run<String> {
        let default = match variable {
            "PS1" if self.bash => BASH,
            "PS1" => ASH,
            _ => "> ",
        };
        let raw = self.variables.get(variable).unwrap_or(default).to_string();
        let text = self.prompt_text(&raw);
        let Ok(word) = parse::expandable(&text) else { return Ok(text) };
        let status = self.status;
        let expanded = match self.expand_text(&word).await {
            Err(Flow::Fail(_)) => Ok(text),
            other => other,
        };
        self.status = status;
        expanded
    }

    /// Replaces the backslash escapes of a prompt. What they give is protected from expansion.
    pub(super) fn prompt_text(&self, raw: &str) -> String {
        let mut text = String::new();
        let mut chars = raw.chars().peekable();
        while let Some(c) = chars.next() {
            if c != '\\' {
                text.push(c);
                continue;
            }
            let shown = match chars.next() {
                Some('u') => self.user(),
                Some('h') => self.os.uname().nodename.split('.').next().unwrap_or("").to_string(),
                Some('H') => self.os.uname().nodename,
                Some('w') => self.folder(false),
                Some('W') => self.folder(true),
                Some('$') => if self.os.ids().euid == 0 { "#" } else { "$" }.to_string(),
                Some('n') => "\n".to_string(),
                Some('r') => "\r".to_string(),
                Some('a') => "\x07".to_string(),
                Some('e') => "\x1b".to_string(),
                Some('s') => self.name.rsplit('/').next().unwrap_or("").trim_start_matches('-').to_string(),
                Some('j') => self.jobs.numbers().len().to_string(),
                Some('!' | '#') => (self.history.len() + 1).to_string(),
                Some('t') => clock(self.os.now().as_secs(), true),
                Some('A') => clock(self.os.now().as_secs(), false),
                Some('v') => "5.2".to_string(),
                // What stands between these takes no room on the screen; the editor sees that by itself.
                Some('[' | ']') => String::new(),
                Some(digit @ '0'..='7') => {
                    let mut code = digit as u32 - '0' as u32;
                    for _ in 0..2 {
                        if let Some(d) = chars.peek().and_then(|c| c.to_digit(8)) {
                            code = code * 8 + d;
                            chars.next();
                        }
                    }
                    char::from_u32(code).map(String::from).unwrap_or_default()
                }
                Some('\\') => "\\\\".to_string(),
                Some(other) => format!("\\{other}"),
                None => "\\".to_string(),
            };
            text.push_str(&shown.replace('$', "\\$").replace('`', "\\`"));
        }
        text
    }

    fn user(&self) -> String {
        let Ids { euid, .. } = self.os.ids();
        let named = self.variables.get("USER").or_else(|| self.variables.get("LOGNAME"));
        match named {
            Some(name) if euid != 0 || name == "root" => name.to_string(),
            _ if euid == 0 => "root".to_string(),
            _ => euid.to_string(),
        }
    }

    fn folder(&self, last: bool) -> String {
        let path = self.variables.get("PWD").map(str::to_string).or_else(|| self.os.cwd().ok()).unwrap_or_default();
        let home = self.variables.get("HOME").filter(|h| h.len() > 1).unwrap_or("\0");
        let short = match path.strip_prefix(home) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("~{rest}"),
            _ => path,
        };
        if last && short.len() > 1 { short.rsplit('/').next().unwrap_or("").to_string() } else { short }
    }
}

fn clock(seconds: u64, with_seconds: bool) -> String {
    let (hour, minute) = (seconds / 3600 % 24, seconds / 60 % 60);
    if with_seconds { format!("{hour:02}:{minute:02}:{:02}", seconds % 60) } else { format!("{hour:02}:{minute:02}") }
}
