//! Who may depend on whom, kept by reading the sources: the core stays pure, its leaves stay leaves.

use cutaway_tests::{files, root};
use std::path::Path;

/// What the core must not name: it has no machine of its own.
const IMPURE: [&str; 12] = [
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::process",
    "std::env",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::sync::Mutex",
    "HashMap",
    "HashSet",
    "#[cfg(target",
];

/// The sources below `folder`, without their tests (files of tests, everything after `#[cfg(test)]`) and comments.
fn sources(folder: &str) -> Vec<(String, Vec<(usize, String)>)> {
    let root = root();
    let mut all = Vec::new();
    for file in files(&root.join(folder), ".rs") {
        if file.ends_with("tests.rs")
            || file
                .strip_prefix(root.join(folder))
                .is_ok_and(|inside| inside.components().any(|part| part.as_os_str() == "tests"))
        {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.lines().enumerate().take_while(|(_, line)| !line.starts_with("#[cfg(test)]"));
        let code =
            code.filter(|(_, line)| !line.trim_start().starts_with("//")).map(|(n, line)| (n + 1, line.to_string()));
        all.push((file.strip_prefix(&root).unwrap_or(Path::new("")).to_string_lossy().into_owned(), code.collect()));
    }
    assert!(!all.is_empty(), "{folder} has no sources");
    all
}

fn offending(folder: &str, except: &[&str], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (file, lines) in sources(folder) {
        if except.iter().any(|part| file.contains(part)) {
            continue;
        }
        for (number, line) in lines {
            for word in words {
                if line.contains(word) {
                    found.push(format!("{file}:{number}: {word}"));
                }
            }
        }
    }
    found
}

fn check(found: Vec<String>, rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

#[test]
fn the_core_is_pure() {
    check(offending("core/src", &[], &IMPURE), "core has no machine of its own");
}

#[test]
fn the_userland_is_pure_but_for_linux() {
    let except = ["userland/src/linux", "userland/src/main.rs", "userland/tests", "userland/build.rs"];
    check(offending("core/userland/src", &except, &IMPURE), "the userland reaches its machine through Os only");
}

#[test]
fn nothing_depends_on_the_simulator() {
    let except = ["core/src/sim/", "core/src/lib.rs"];
    check(offending("core/src", &except, &["crate::sim", "super::sim"]), "only the simulator's users name it");
}

#[test]
fn cli_and_view_are_leaves() {
    let upper = ["crate::engine", "crate::build::", "crate::lesson", "crate::sim"];
    check(offending("core/src/cli", &[], &upper), "cli knows no command's doing");
    check(offending("core/src/view", &[], &upper), "view knows no command's doing");
}

#[test]
fn acts_go_through_the_watchers() {
    let except = ["core/src/world/watch.rs", "core/src/sim/"];
    check(offending("core/src", &except, &[".perform("]), "the engine acts through Ctx::act only");
}

#[test]
fn the_page_holds_no_simulation() {
    check(offending("web/src", &[], &["SimWorld", "SimOs", "kernel::"]), "the page drives a session, nothing below it");
}

#[test]
fn only_native_has_unsafe_code() {
    check(offending("core/src", &[], &["unsafe "]), "core is safe Rust");
    check(offending("web/src", &[], &["unsafe "]), "web is safe Rust");
}
