//! The static multi-call binary: picks the program by the name it was called by.
//!
//! It starts below Rust's own `main`, because that changes the process before a program sees it
//! (it ignores SIGPIPE, and what is ignored stays so in every child).
#![no_main]

use cutaway_userland::linux::{LinuxOs, block_on};
use cutaway_userland::{io, names, program};
use std::ffi::{CStr, c_char, c_int};

/// The names under which the first word only introduces the program's own: `busybox ls`.
const MULTI_CALL: [&str; 2] = ["busybox", "cutaway-userland"];

/// # Safety
/// Called once, by the C library, with the argument vector of the process.
// SAFETY: no other symbol of this binary is called `main`.
#[unsafe(no_mangle)]
unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    // SAFETY: the kernel passes `argc` pointers to C strings.
    let word = |i: c_int| unsafe { CStr::from_ptr(*argv.add(i as usize)) }.to_string_lossy().into_owned();
    let words: Vec<String> = (0..argc).map(word).collect();
    let text = |s: std::ffi::OsString| s.to_string_lossy().into_owned();
    let env = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    block_on(run(words, env)) & 255
}

async fn run(mut words: Vec<String>, env: Vec<(String, String)>) -> i32 {
    let base = |word: &str| word.rsplit('/').next().unwrap_or_default().to_string();
    let mut name = words.first().map(|word| base(word)).unwrap_or_default();
    // A login shell is called by a name that begins with a dash.
    if MULTI_CALL.contains(&name.as_str()) {
        words.remove(0);
        name = words.first().map(|word| base(word)).unwrap_or_default();
        if name.is_empty() || name == "--help" || name == "--list" {
            return list(name == "--list").await;
        }
    }
    match program::<LinuxOs>(name.trim_start_matches('-')) {
        Some(program) => program(LinuxOs, words, env).await,
        None => {
            io::eprint(&LinuxOs, &format!("{name}: applet not found")).await;
            127
        }
    }
}

async fn list(plain: bool) -> i32 {
    let text = if plain {
        names().iter().map(|name| format!("{name}\n")).collect()
    } else {
        format!(
            "Usage: busybox [function [arguments]...]\n   or: busybox --list\n\nFunctions:\n\t{}\n",
            names().join(", ")
        )
    };
    i32::from(io::print(&LinuxOs, &text).await.is_err())
}
