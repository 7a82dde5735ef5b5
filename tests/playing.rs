//! Every lesson holds what it promises, in both worlds: the solution passes, an empty attempt fails, and each
//! wrong attempt fails with its hint.

use cutaway_tests::skip;
use std::path::PathBuf;
use std::process::Command;

fn play(test: &str, mut command: Command) {
    let output = command.output().expect("the program runs");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for line in text.lines().filter(|line| line.starts_with("skipped ")) {
        skip(test, line);
    }
    assert!(output.status.success(), "{text}");
    assert!(text.contains(" passed, 0 failed"), "{text}");
}

fn program(test: &str) -> Option<PathBuf> {
    let program = std::env::var_os("CUTAWAY_BIN").map(PathBuf::from).filter(|p| p.is_file());
    if program.is_none() {
        skip(test, "CUTAWAY_BIN does not name a built program; cargo xtask test does that");
    }
    program
}

#[test]
fn lessons_in_the_simulator() {
    let test = "lessons_in_the_simulator";
    let Some(program) = program(test) else { return };
    let mut command = Command::new(program);
    command.args(["lesson", "test", "--in", "simulated"]);
    play(test, command);
}

#[test]
fn lessons_on_linux() {
    let test = "lessons_on_linux";
    let Some(program) = program(test) else { return };
    let isolated = Command::new("unshare").args(["--net", "--mount", "true"]).status();
    if !isolated.is_ok_and(|s| s.success()) {
        return skip(test, "no network namespace can be made here: it needs root");
    }
    // In a network namespace of its own, so that no bridge or port of this machine is touched.
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]).arg(program);
    command.args(["lesson", "test", "--in", "linux"]);
    play(test, command);
}
