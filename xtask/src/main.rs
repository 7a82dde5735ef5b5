//! What a person who works on Cutaway, or learns with it, has done for them: `cargo xtask TASK`.
//!
//! Each task does its own set-up on a machine that has only cargo, gcc and git, and redoes nothing that is
//! there already.

mod bench;
mod page;
mod test;
mod tools;

use std::process::ExitCode;
use xtask::serve;

const HELP: &str = "\
Usage: cargo xtask TASK

Tasks:
  learn [--port N]   build the page and the program, and serve the page on 127.0.0.1
  test               install what the tests need, and run all of them
  bench              measure, side by side with what else is installed
  page [--release]   build the page into target/page (--release: as small as it gets, with wasm-opt)
  serve [--port N]   serve the page that was built last
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["learn", rest @ ..] => learn(rest),
        ["test"] => test::run(),
        ["bench", rest @ ..] => bench::run(rest),
        ["page"] => page::build(page::Size::Quick),
        ["page", "--release"] => page::build(page::Size::Smallest),
        ["serve", rest @ ..] => serve_page(rest),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(format!("there is no task {:?}\n\n{HELP}", other.join(" "))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("xtask: {text}");
            ExitCode::FAILURE
        }
    }
}

fn learn(words: &[&str]) -> Result<(), String> {
    let port = port(words)?;
    tools::target("wasm32-unknown-unknown")?;
    tools::target("x86_64-unknown-linux-musl")?;
    page::build(page::Size::Quick)?;
    tools::cargo(&["build", "--release", "--package", "cutaway"])?;
    println!("\nThe program is target/release/cutaway; try: target/release/cutaway run --rm busybox echo hi");
    serve::forever(&page::folder(), port)
}

fn serve_page(words: &[&str]) -> Result<(), String> {
    serve::forever(&page::folder(), port(words)?)
}

/// The port that was asked for; `None` takes the first free one from 8000 on.
fn port(words: &[&str]) -> Result<Option<u16>, String> {
    match words {
        [] => Ok(None),
        ["--port", number] => number.parse().map(Some).map_err(|_| format!("--port {number}: not a port number")),
        other => Err(format!("unexpected words: {}", other.join(" "))),
    }
}
