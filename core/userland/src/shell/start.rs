//! How a shell begins: its words and its environment, and where its script comes from.

use super::jobs::Jobs;
use super::variables::Variables;
use super::{Flow, GetoptsState, Options, Run, Shell, builtins, parse};
use crate::io;
use crate::os::{Disposition, Os, Signal};
use crate::sorted::Map as BTreeMap;

/// Where a shell's commands come from.
enum Source {
    Text(String),
    File(String),
    Input,
}

impl<O: Os> Shell<O> {
    /// A shell with this name and environment, that has run nothing yet.
    pub(super) fn new(os: O, name: &str, env: Vec<(String, String)>) -> Shell<O> {
        let bash = name.rsplit('/').next().unwrap_or("").trim_start_matches('-') == "bash";
        let mut variables = Variables::default();
        for (name, value) in env {
            if parse::is_name(&name) {
                let _ = variables.set(&name, value);
                variables.entry(&name).exported = true;
            }
        }
        let pid = os.pid();
        let mut shell = Shell {
            started: os.now(),
            os,
            name: name.to_string(),
            speaker: None,
            args: Vec::new(),
            status: 0,
            pid,
            last_background: None,
            variables,
            functions: BTreeMap::new(),
            aliases: BTreeMap::new(),
            options: Options { braceexpand: bash, ..Options::default() },
            traps: BTreeMap::new(),
            ignored: Vec::new(),
            jobs: Jobs::default(),
            getopts: GetoptsState::default(),
            folders: Vec::new(),
            interactive: false,
            line: 0,
            loops: 0,
            calls: 0,
            sources: 0,
            call_names: Vec::new(),
            tested: 0,
            saved: Vec::new(),
            substitutions: Vec::new(),
            substituted: None,
            random: 0,
            source_flag: None,
            bash,
            history: Vec::new(),
        };
        shell.set_standard_variables();
        shell
    }

    fn set_standard_variables(&mut self) {
        let parent = self.os.parent_pid().to_string();
        let here = self.os.cwd().unwrap_or_default();
        // An inherited PWD is kept where it names the working directory, perhaps through a link.
        let inherited = self.variables.get("PWD").is_some_and(|pwd| {
            let same = |a: crate::os::Stat, b: crate::os::Stat| (a.dev, a.ino) == (b.dev, b.ino);
            pwd.starts_with('/') && self.os.stat(pwd).is_ok_and(|a| self.os.stat(".").is_ok_and(|b| same(a, b)))
        });
        let mut defaults = vec![
            ("IFS", " \t\n".to_string()),
            ("OPTIND", "1".to_string()),
            ("PPID", parent),
            ("PS4", "+ ".to_string()),
        ];
        if !inherited && !here.is_empty() {
            defaults.push(("PWD", here));
        }
        if self.bash {
            let ids = self.os.ids();
            defaults.push(("BASH_VERSION", "5.2.15(1)-release".to_string()));
            defaults.push(("UID", ids.uid.to_string()));
            defaults.push(("EUID", ids.euid.to_string()));
            defaults.push(("HOSTNAME", self.os.uname().nodename));
        }
        for (name, value) in defaults {
            let _ = self.variables.set(name, value);
        }
        if self.variables.get("PATH").is_none() {
            let _ = self.variables.set("PATH", super::simple::DEFAULT_PATH);
        }
        let level = self.variables.get("SHLVL").and_then(|n| n.parse::<i64>().ok()).unwrap_or(0);
        let _ = self.variables.set("SHLVL", (level + 1).to_string());
        self.variables.entry("SHLVL").exported = true;
        self.variables.entry("PWD").exported = true;
    }

    /// Signals that were ignored at the start can't be trapped. Source: POSIX, XCU `trap`.
    fn note_ignored(&mut self) {
        for number in [1, 2, 3, 10, 12, 13, 14, 15, 20, 21, 22] {
            if let Ok(before) = self.os.sigaction(Signal(number), Disposition::Default)
                && before == Disposition::Ignore
            {
                let _ = self.os.sigaction(Signal(number), Disposition::Ignore);
                self.ignored.push(number);
            }
        }
    }
}

/// The program `sh`.
pub(super) async fn main<O: Os>(os: O, argv: Vec<String>, env: Vec<(String, String)>) -> i32 {
    let called = argv.first().cloned().unwrap_or_else(|| "sh".to_string());
    let mut shell = Shell::new(os, &called, env);
    shell.note_ignored();
    let (source, wants_prompt) = match read_words(&mut shell, &argv).await {
        Ok(read) => read,
        Err(status) => return status,
    };
    let login = called.starts_with('-');
    match source {
        Source::Text(text) => {
            shell.source_flag = Some('c');
            let result = shell.run_text(&text, usize::from(shell.bash), true).await;
            shell.finish(result).await
        }
        Source::File(path) => run_file(&mut shell, &path).await,
        Source::Input => {
            shell.source_flag = Some('s');
            let terminal = shell.os.is_tty(io::STDIN) && shell.os.is_tty(io::STDERR);
            if wants_prompt || terminal {
                shell.converse(&super::NoCompleter, login).await
            } else {
                run_input(&mut shell).await
            }
        }
    }
}

/// Reads the words of the command line: options, then the script and its parameters.
async fn read_words<O: Os>(shell: &mut Shell<O>, argv: &[String]) -> Result<(Source, bool), i32> {
    let (mut i, mut command, mut input, mut prompt) = (1, false, false, false);
    while let Some(word) = argv.get(i).filter(|w| w.len() > 1 && w.starts_with(['-', '+'])) {
        i += 1;
        if word == "--" {
            break;
        }
        if word.starts_with("--") {
            continue;
        }
        let on = word.starts_with('-');
        for letter in word[1..].chars() {
            match letter {
                'c' => command = true,
                's' => input = true,
                'i' => prompt = true,
                'l' => {}
                'o' => {
                    let name = argv.get(i).cloned().unwrap_or_default();
                    i += 1;
                    if !builtins::set_named_option(&mut shell.options, &name, on) {
                        shell.complain(&format!("illegal option -o {name}")).await;
                        return Err(2);
                    }
                }
                letter if builtins::set_option(&mut shell.options, letter, on) => {}
                letter => {
                    shell.complain(&format!("illegal option -{letter}")).await;
                    return Err(2);
                }
            }
        }
    }
    let mut rest = argv.get(i..).unwrap_or_default().to_vec();
    let source = if command {
        if rest.is_empty() {
            shell.complain("-c requires an argument").await;
            return Err(2);
        }
        let text = rest.remove(0);
        if !rest.is_empty() {
            shell.name = rest.remove(0);
            // As in ash, a script with a name of its own has its lines told.
            shell.speaker = Some(shell.name.clone());
        }
        Source::Text(text)
    } else if input || rest.is_empty() {
        Source::Input
    } else {
        Source::File(rest.remove(0))
    };
    shell.args = rest;
    Ok((source, prompt))
}

/// `sh SCRIPT`: the file as it is named, else along `PATH`.
async fn run_file<O: Os>(shell: &mut Shell<O>, path: &str) -> i32 {
    let mut found = io::read_file(&shell.os, path).await;
    if found.is_err()
        && !path.contains('/')
        && let Ok(full) = shell.find_program(path)
    {
        found = io::read_file(&shell.os, &full).await;
    }
    let bytes = match found {
        Ok(bytes) => bytes,
        Err(error) => {
            shell.complain(&format!("can't open '{path}': {error}")).await;
            return 2;
        }
    };
    shell.name = path.to_string();
    shell.speaker = Some(path.to_string());
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let result = shell.run_text(&text, 1, false).await;
    shell.finish(result).await
}

/// Commands from standard input, without a prompt. Each line is read only when it is needed, because
/// the commands read from the same input.
async fn run_input<O: Os>(shell: &mut Shell<O>) -> i32 {
    let mut text = String::new();
    let mut line = 1;
    let result = loop {
        let more = match shell.read_line(io::STDIN, '\n', None).await {
            Ok(more) => more,
            Err(flow) => break Err(flow),
        };
        let last = more.is_none();
        if let Some((more, complete)) = &more {
            text.push_str(more);
            if *complete {
                text.push('\n');
            }
        }
        if let Err(flow) = run_what_is_complete(shell, &mut text, &mut line, last).await {
            break Err(flow);
        }
        if last {
            break Ok(());
        }
    };
    shell.finish(result).await
}

/// Runs the complete commands at the beginning of `text`, and leaves the rest.
async fn run_what_is_complete<O: Os>(shell: &mut Shell<O>, text: &mut String, line: &mut usize, last: bool) -> Run<()> {
    while !text.is_empty() {
        let mut parser = parse::Parser::new(text, shell.manner(*line, last));
        match parser.next() {
            Ok(Some(list)) => {
                *text = parser.rest();
                *line = parser.line();
                match shell.list(&list, false).await {
                    Err(Flow::Break(_) | Flow::Continue(_)) => {}
                    result => result?,
                }
            }
            Ok(None) => {
                *line = parser.line();
                text.clear();
            }
            Err(error) if error.incomplete => break,
            Err(error) => return shell.syntax_error(&error).await,
        }
    }
    Ok(())
}
