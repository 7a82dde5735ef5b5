//! How close both worlds come to real Docker, case by case, by the recorded sessions that may lie beside the
//! checkout. `fidelity.md` lists the cases that still differ, each with its reason: a case that differs and is
//! not listed fails, and so does one that is listed and no longer differs.

use cutaway_tests::{root, shared, skip};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};

/// The cases listed under a heading of `fidelity.md`, as `scenario: $ first line of the case`.
fn known(world: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("tests/fidelity.md")).expect("the list");
    let section = text.split("\n## ").find(|part| part.starts_with(world)).expect("the world's section");
    section.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_string).collect()
}

/// The cases that differ, from what the checker printed with `-v`.
fn differing(output: &Output) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    assert!(
        last.contains(" passed, "),
        "the checker did not end well:\n{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{last}");
    text.lines()
        .filter_map(|line| line.strip_prefix("--- "))
        .filter(|line| line.contains(": $ "))
        .map(str::to_string)
        .collect()
}

fn compare(world: &str, output: &Output) {
    let (found, listed) = (differing(output), known(world));
    let new: Vec<&String> = found.difference(&listed).collect();
    let over: Vec<&String> = listed.difference(&found).collect();
    assert!(
        new.is_empty(),
        "these differ from Docker and are not listed:\n{new:#?}\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert!(over.is_empty(), "these are listed, and no longer differ:\n{over:#?}");
}

fn program(test: &str) -> Option<PathBuf> {
    let program = std::env::var_os("CUTAWAY_BIN").map(PathBuf::from).filter(|p| p.is_file());
    if program.is_none() {
        skip(test, "CUTAWAY_BIN does not name a built program; cargo xtask test does that");
    }
    program
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[test]
fn the_simulator_answers_as_docker_does() {
    let test = "the_simulator_answers_as_docker_does";
    let (Some(folder), Some(program)) = (shared(test, "fidelity"), program(test)) else { return };
    if !has("python3") {
        return skip(test, "python3 is not installed");
    }
    let mut command = Command::new("python3");
    command.arg(folder.join("fidelity.py")).args(["check", "-v", "--sim"]).arg(format!("{} sim", program.display()));
    compare("simulator", &command.output().expect("the checker runs"));
}

#[test]
fn the_linux_engine_answers_as_docker_does() {
    let test = "the_linux_engine_answers_as_docker_does";
    let (Some(folder), Some(program)) = (shared(test, "fidelity"), program(test)) else { return };
    for needed in ["python3", "busybox", "unshare", "ip"] {
        if !has(needed) {
            return skip(test, &format!("{needed} is not installed"));
        }
    }
    // In a network namespace of its own, so that no bridge, rule or port of this machine is touched.
    let isolated = Command::new("unshare").args(["--net", "--mount", "true"]).status();
    if !isolated.is_ok_and(|s| s.success()) {
        return skip(test, "no network namespace can be made here: it needs root");
    }
    let store = std::env::temp_dir().join(format!("cutaway-fidelity-{}", std::process::id()));
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh", "python3"]);
    command.arg(folder.join("fidelity.py")).args(["check", "-v", "--docker"]).arg(&program);
    let output = command.env("CUTAWAY_ROOT", &store).output().expect("the checker runs");
    let _ = std::fs::remove_dir_all(&store);
    compare("linux", &output);
}
