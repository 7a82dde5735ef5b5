//! A table of lines and what docker answers to them, played as one session on the simulated machine.

use crate::sim::session::{Config, Session};

struct Case {
    line: &'static str,
    /// `None` where only what it leaves matters.
    answer: Option<String>,
}

/// The parts of the table: each is a session of its own.
fn parts() -> Vec<Vec<Case>> {
    let mut parts: Vec<Vec<Case>> = vec![Vec::new()];
    for text in include_str!("answers.txt").lines() {
        let part = parts.last_mut().expect("there is one");
        match text.split_once(' ') {
            Some(("#", _)) if !part.is_empty() => parts.push(Vec::new()),
            Some(("#", _)) => {}
            Some(("$", line)) => part.push(Case { line, answer: Some(String::new()) }),
            Some(("%", line)) => part.push(Case { line, answer: None }),
            _ => {
                if let Some(answer) = part.last_mut().and_then(|case| case.answer.as_mut()) {
                    *answer += text;
                    *answer += "\n";
                }
            }
        }
    }
    parts
}

/// Runs of blanks are one, and lines with nothing in them are left out.
fn plain(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).map(|line| line + "\n").collect()
}

#[test]
fn as_docker_answers() {
    let mut different = String::new();
    for part in parts() {
        let mut script = "docker pull -q busybox > /dev/null\n".to_string();
        for (number, case) in part.iter().enumerate() {
            script += &format!("{{ {}\n}} 2>&1\nprintf '\\n@@@ {number} %d\\n' $?\n", case.line);
        }
        let mut seen = Vec::new();
        Session::new(Config::default()).script(&script, |bytes| seen.extend_from_slice(bytes));
        let seen = String::from_utf8_lossy(&seen);
        let mut rest = seen.as_ref();
        for (number, case) in part.iter().enumerate() {
            let mark = format!("\n@@@ {number} ");
            let (text, after) = rest.split_once(&mark).unwrap_or((rest, "none\n"));
            let (status, after) = after.split_once('\n').unwrap_or((after, ""));
            rest = after;
            let Some(answer) = &case.answer else { continue };
            let status = if status == "0" { String::new() } else { format!("[{status}]\n") };
            let got = plain(&format!("{text}\n{status}"));
            if got != plain(answer) {
                different += &format!("$ {}\n--- docker\n{}--- here\n{got}", case.line, plain(answer));
            }
        }
    }
    assert!(different.is_empty(), "{different}");
}
