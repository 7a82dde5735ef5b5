//! `cutaway sim`: the simulated machine in this terminal. Without a script its shell is interactive and its
//! clock is the wall's; with one the script is run to its end, and waiting takes no time.

use cutaway_core::sim::session::{Activity, Config, Moment, Session};
use cutaway_core::world::Outcome;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{self, SetArg, Termios};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

const USAGE: &str = "Usage:  cutaway sim [OPTIONS] [SCRIPT]

Run a shell with docker on a simulated machine; with SCRIPT (- is standard input), run that

Options:
      --explain     Print each step to standard error: what, why, and its system calls
      --seed int    Begin from this number: the same number, the same session (default 1)
";

/// Turns of the simulated machine between two looks at the clock.
const BUDGET: u64 = 100;
/// How long a busy machine may run between two looks at the keyboard: `^C` must reach a loop.
const PORTION: Duration = Duration::from_millis(20);

struct Options {
    seed: u64,
    explain: bool,
    script: Option<String>,
}

/// Runs the command with the words after `sim`; its exit status.
pub fn main(args: &[String]) -> i32 {
    let options = match parse(args) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}");
            return 0;
        }
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return 125;
        }
    };
    let (columns, rows) = window_size().unwrap_or((80, 24));
    let config = Config { seed: options.seed, columns, rows, ..Config::default() };
    match &options.script {
        Some(path) => match read_script(path) {
            Ok(text) => run_script(config, &text, options.explain),
            Err(error) => {
                eprintln!("cutaway: {path}: {error}");
                1
            }
        },
        None => match interact(config, options.explain) {
            Ok(()) => 0,
            Err(error) => {
                eprintln!("cutaway: {error}");
                1
            }
        },
    }
}

fn parse(args: &[String]) -> Result<Option<Options>, String> {
    let mut options = Options { seed: 1, explain: false, script: None };
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--explain" => options.explain = true,
            "--seed" => {
                let value = words.next().ok_or("flag needs an argument: --seed")?;
                options.seed = value.parse().map_err(|_| format!("invalid argument {value:?} for \"--seed\" flag"))?;
            }
            flag if flag.starts_with('-') && flag != "-" => return Err(format!("unknown flag: {flag}")),
            path if options.script.is_none() => options.script = Some(path.to_string()),
            _ => return Err("'cutaway sim' takes one script at most".to_string()),
        }
    }
    Ok(Some(options))
}

fn read_script(path: &str) -> io::Result<String> {
    let bytes = match path {
        "-" => {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes)?;
            bytes
        }
        path => std::fs::read(path)?,
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn run_script(config: Config, text: &str, explain: bool) -> i32 {
    let session = Session::new(config);
    while session.run(BUDGET) == Activity::Busy {}
    session.take_output();
    let mut told = 0;
    let status = session.script(text, |bytes| {
        if explain {
            told = explain_steps(&session, told);
        }
        let mut out = io::stdout();
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    });
    if explain {
        explain_steps(&session, told);
    }
    status
}

/// Prints the steps from number `from` on; how many there are.
fn explain_steps(session: &Session, from: usize) -> usize {
    let moments = session.steps(from);
    for moment in &moments {
        eprint!("{}", explained(moment));
    }
    from + moments.len()
}

fn explained(moment: &Rc<Moment>) -> String {
    let step = &moment.step;
    let mut text = format!("{:>4}. {}\n", step.number + 1, step.story.what);
    if !step.why.is_empty() {
        text += &format!("      because {}\n", step.why);
    }
    for call in &step.story.syscalls {
        text += &format!("      {call}\n");
    }
    if let Outcome::Failed(reason) = &step.outcome {
        text += &format!("      failed: {reason}\n");
    }
    text
}

fn window_size() -> Option<(u16, u16)> {
    nix::ioctl_read_bad!(read_size, libc::TIOCGWINSZ, libc::winsize);
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the call writes one `winsize` to the place it is given, which outlives it.
    unsafe { read_size(libc::STDOUT_FILENO, &raw mut size) }.ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// Puts the terminal back as it was.
struct Restore(Termios);

impl Drop for Restore {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(io::stdin().as_fd(), SetArg::TCSADRAIN, &self.0);
    }
}

fn interact(config: Config, explain: bool) -> io::Result<()> {
    let session = Session::new(config);
    let _restore = match termios::tcgetattr(io::stdin().as_fd()) {
        Ok(before) => {
            let mut raw = before.clone();
            termios::cfmakeraw(&mut raw);
            termios::tcsetattr(io::stdin().as_fd(), SetArg::TCSADRAIN, &raw)?;
            Some(Restore(before))
        }
        Err(_) => None,
    };
    let (mut last, mut told, mut size) = (Instant::now(), 0, window_size());
    loop {
        let passed = last.elapsed();
        last += passed;
        session.tick(passed);
        let mut activity = session.run(BUDGET);
        while activity == Activity::Busy && last.elapsed() < PORTION {
            activity = session.run(BUDGET);
        }
        let mut out = io::stdout();
        out.write_all(&session.take_output())?;
        out.flush()?;
        if explain {
            let text: String = session.steps(told).iter().map(explained).collect();
            told = session.step_count();
            eprint!("{}", text.replace('\n', "\r\n"));
        }
        if session.shell_has_ended() && activity != Activity::Busy {
            return Ok(());
        }
        if window_size() != size {
            size = window_size();
            if let Some((columns, rows)) = size {
                session.resize(columns, rows);
            }
        }
        let wait = match activity {
            Activity::Busy => Duration::ZERO,
            Activity::Idle => Duration::from_millis(500),
            Activity::Sleeping(until) => until.saturating_sub(session.now()).min(Duration::from_millis(500)),
        };
        if !typed(&session, wait)? {
            return Ok(());
        }
    }
}

/// Waits for the keyboard and passes on what was typed; false at the end of the input.
fn typed(session: &Session, wait: Duration) -> io::Result<bool> {
    let stdin = io::stdin();
    let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(wait).unwrap_or(PollTimeout::ZERO);
    match poll(&mut fds, timeout) {
        Ok(0) | Err(nix::errno::Errno::EINTR) => return Ok(true),
        Ok(_) => {}
        Err(errno) => return Err(errno.into()),
    }
    let mut bytes = [0; 4096];
    let count = nix::unistd::read(stdin.as_fd(), &mut bytes)?;
    if count > 0 {
        session.input(&bytes[..count]);
    }
    Ok(count > 0)
}
