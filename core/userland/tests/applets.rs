//! The tools, run as processes on Linux: each case of `applets.txt` is a line for the system's shell, what
//! it prints on both outputs, and its exit status. The expected texts were recorded from busybox.

#![cfg(feature = "linux")]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, process};

struct Case<'a> {
    line: &'a str,
    output: String,
    status: i32,
}

/// `$ line`, the output, `= status`. A backslash at the end of a line means that no newline follows.
fn cases(text: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    for row in text.split_inclusive('\n') {
        if let Some(line) = row.strip_prefix("$ ") {
            cases.push(Case { line: line.trim_end_matches('\n'), output: String::new(), status: -1 });
        } else if let Some(case) = cases.last_mut() {
            match row.strip_prefix("= ") {
                Some(status) => case.status = status.trim().parse().expect("a status"),
                None => case.output.push_str(row.strip_suffix("\\\n").unwrap_or(row)),
            }
        }
    }
    cases
}

/// A folder of links to the one binary, by the names of its programs; the shell is the system's.
fn programs(top: &Path) -> PathBuf {
    let folder = top.join("bin");
    fs::create_dir_all(&folder).expect("a folder");
    for name in cutaway_userland::names().into_iter().filter(|n| *n != "sh") {
        symlink(env!("CARGO_BIN_EXE_cutaway-userland"), folder.join(name)).expect("a link");
    }
    folder
}

fn files(folder: &Path) {
    fs::create_dir_all(folder.join("d/e")).expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file");
    write("f", "hello world\nfoo bar baz\nHello again\n\nline five\n");
    write("g", "b 2\na 10\nc 1\na 3\n");
    write("n", "10\n9\n100\n");
    write("d/x", "x\n");
    symlink("f", folder.join("l")).expect("a link");
}

fn run(line: &str, folder: &Path, programs: &Path) -> (String, i32) {
    let _ = fs::remove_dir_all(folder);
    files(folder);
    let script = format!("exec 2>&1\n{line}");
    let done = Command::new("/bin/sh")
        .args(["-c", &script])
        .current_dir(folder)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    (String::from_utf8_lossy(&done.stdout).into_owned(), done.status.code().unwrap_or(-1))
}

#[test]
fn tools_do_as_busybox_does() {
    let top = env::temp_dir().join(format!("cutaway-applets-{}", process::id()));
    let programs = programs(&top);
    let all = cases(include_str!("applets.txt"));
    assert!(all.len() >= 100, "only {} cases were read", all.len());
    let mut wrong = Vec::new();
    for case in &all {
        let (output, status) = run(case.line, &top.join("w"), &programs);
        if (&output, status) != (&case.output, case.status) {
            wrong.push(format!("$ {}\nwant {} {:?}\ngot  {status} {output:?}", case.line, case.status, case.output));
        }
    }
    let _ = fs::remove_dir_all(&top);
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}
