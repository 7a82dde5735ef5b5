//! `--explain` and `--step`: each act told on standard error, and held back until Enter is pressed.

use cutaway_core::world::{Fault, LocalFut, Outcome, Step, Story, Watcher};
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};

/// Prints each step when it is done.
pub struct Explainer {
    /// Whether the sentence was printed before, by the [`Pauser`].
    pub told: bool,
}

impl Watcher for Explainer {
    fn after(&self, step: &Step) {
        let colour = io::stderr().is_terminal();
        let (bold, dim, end) = if colour { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        let mut text = String::new();
        if !self.told {
            text += &format!("{bold}{:>3}  {}{end}\n     {}\n", step.number + 1, step.story.what, step.why);
        }
        for call in &step.story.syscalls {
            text += &format!("     {dim}{call}{end}\n");
        }
        text += &match &step.outcome {
            Outcome::Done => format!("     {dim}{} µs{end}\n", step.took.as_micros()),
            Outcome::Failed(why) => format!("     failed after {} µs: {why}\n", step.took.as_micros()),
        };
        eprint!("{text}");
    }
}

/// Tells what comes next and waits for Enter; `q` ends the command.
pub struct Pauser;

fn answer() -> Option<String> {
    let mut line = String::new();
    let read = match File::open("/dev/tty") {
        Ok(tty) => BufReader::new(tty).read_line(&mut line),
        Err(_) => io::stdin().lock().read_line(&mut line),
    };
    // The end of input ends the command, too.
    read.is_ok_and(|n| n > 0).then(|| line.trim().to_string())
}

impl Watcher for Pauser {
    fn before(&self, story: &Story, why: &str) -> LocalFut<Result<(), Fault>> {
        eprint!("next {}\n     {why}\n     Enter to do it, q to stop: ", story.what);
        let go_on = answer().is_some_and(|word| word != "q");
        Box::pin(async move { if go_on { Ok(()) } else { Err(Fault::Interrupted) } })
    }
}
