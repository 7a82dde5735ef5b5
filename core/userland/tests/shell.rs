//! The shell, run on Linux over a table of scripts: what each prints on both outputs together, and its status.
//!
//! `shell.txt` holds the cases, parted by lines of `%%`: the script (`#!bash` on its first line runs it
//! as bash), `--`, what it prints (`¬` ends an output that lacks its newline), and `=> status`.
//! The tools that the scripts call are this crate's own.
#![cfg(feature = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const TABLE: &str = include_str!("shell.txt");
const BINARY: &str = env!("CARGO_BIN_EXE_cutaway-userland");

struct Case<'a> {
    program: &'static str,
    script: &'a str,
    expected: String,
}

fn cases() -> Vec<Case<'static>> {
    let read = |block: &'static str| {
        let (script, expected) = block.split_once("\n--\n").expect("a case has a line of --");
        let (program, script) = match script.strip_prefix("#!bash\n") {
            Some(script) => ("bash", script),
            None => ("sh", script),
        };
        Case { program, script, expected: expected.replace("¬\n=> ", "=> ") }
    };
    TABLE.split("%%\n").map(read).collect()
}

/// A folder with a link to the binary for each program in it.
fn programs(root: &Path) -> PathBuf {
    let folder = root.join("bin");
    fs::create_dir_all(&folder).expect("a folder for the programs");
    for name in cutaway_userland::names() {
        symlink(BINARY, folder.join(name)).expect("a link to the binary");
    }
    folder
}

fn run(case: &Case, folder: &Path, programs: &Path) -> String {
    fs::create_dir_all(folder).expect("a folder to work in");
    let log = folder.with_extension("log");
    let output = File::create(&log).expect("a file for the output");
    let status = Command::new(programs.join(case.program))
        .env_clear()
        .env("PATH", programs)
        .env("HOME", "/h")
        .current_dir(folder)
        .arg0(case.program)
        .args(["-c", case.script])
        .stdin(Stdio::null())
        .stderr(output.try_clone().expect("a second handle"))
        .stdout(output)
        .status()
        .expect("the shell starts");
    let printed = String::from_utf8_lossy(&fs::read(&log).expect("the output")).into_owned();
    format!("{printed}=> {}\n", status.code().unwrap_or(-1))
}

#[test]
fn scripts_print_and_exit_as_written() {
    let root = std::env::temp_dir().join(format!("cutaway-shell-{}", std::process::id()));
    let programs = programs(&root);
    let cases = cases();
    assert!(cases.len() > 120, "the table is cut short");
    let check = |(number, case): (usize, &Case)| {
        let got = run(case, &root.join(number.to_string()), &programs);
        (got != case.expected).then(|| format!("{}\n-- expected\n{}-- got\n{got}", case.script, case.expected))
    };
    // Most of the time is sleep, so several run at once.
    let failures: Vec<String> = std::thread::scope(|scope| {
        let part = |n: usize| {
            let cases = &cases;
            let check = &check;
            scope.spawn(move || cases.iter().enumerate().skip(n).step_by(4).filter_map(check).collect::<Vec<_>>())
        };
        let threads: Vec<_> = (0..4).map(part).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic in a thread")).collect()
    });
    let _ = fs::remove_dir_all(&root);
    assert!(failures.is_empty(), "{} of {} fail\n{}", failures.len(), cases.len(), failures.join("\n%%\n"));
}
