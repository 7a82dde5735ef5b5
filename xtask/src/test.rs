//! `cargo xtask test`: everything that has to hold before a change is taken.
//!
//! Tests append a line to the file named by `CUTAWAY_SKIPPED` for what they had to leave out; the closing
//! list shows them all, so that nothing is left out in silence.

use crate::{page, tools};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

#[derive(Default)]
struct Totals {
    passed: u32,
    failed: u32,
    skipped: Vec<String>,
    /// Steps that failed as a whole.
    broken: Vec<String>,
}

pub fn run() -> Result<(), String> {
    let skipped = tools::target_folder().join("skipped-tests.txt");
    std::fs::create_dir_all(tools::target_folder()).map_err(|e| e.to_string())?;
    std::fs::write(&skipped, "").map_err(|e| format!("{}: {e}", skipped.display()))?;
    set_up()?;

    let mut totals = Totals::default();
    lint(&mut totals);
    programs(&mut totals, &skipped);
    browser(&mut totals, &skipped);

    let text = std::fs::read_to_string(&skipped).unwrap_or_default();
    totals.skipped.extend(text.lines().map(str::to_string));
    totals.skipped.sort();
    totals.skipped.dedup();
    report(&totals)
}

fn set_up() -> Result<(), String> {
    tools::target("wasm32-unknown-unknown")?;
    tools::target("x86_64-unknown-linux-musl")?;
    tools::component("rustfmt", "rustfmt")?;
    tools::component("clippy", "cargo-clippy")?;
    let mut wanted = vec![
        ("chromium", "chromium"),
        ("chromedriver", "chromium-driver"),
        ("busybox", "busybox-static"),
        ("ip", "iproute2"),
        ("nft", "nftables"),
        ("ssh", "openssh-client"),
        ("dropbear", "dropbear-bin"),
        ("qemu-system-x86_64", "qemu-system-x86"),
    ];
    if tools::root().join("../shared/fidelity").is_dir() {
        wanted.extend([("python3", "python3"), ("docker-registry", "docker-registry")]);
    }
    tools::packages(&wanted);
    Ok(())
}

fn lint(totals: &mut Totals) {
    step(totals, &mut tools::cargo_command(&["fmt", "--all", "--check"]));
    step(
        totals,
        &mut tools::cargo_command(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
    );
    let mut docs = tools::cargo_command(&[
        "doc",
        "--no-deps",
        "--quiet",
        "--workspace",
        "--exclude",
        "cutaway-bindgen",
        "--exclude",
        "xtask",
    ]);
    step(totals, docs.env("RUSTDOCFLAGS", "-D warnings"));
    if tools::find("cargo-deny").is_some() {
        step(totals, &mut tools::cargo_command(&["deny", "check", "licenses", "bans", "sources"]));
    } else {
        totals.skipped.push("cargo deny: cargo-deny is not installed".into());
    }
}

/// The workspace's own tests: unit, simulated, and native where the machine allows.
fn programs(totals: &mut Totals, skipped: &Path) {
    step(totals, &mut tools::cargo_command(&["build", "--release", "--package", "cutaway"]));
    let mut command = tools::cargo_command(&[
        "test",
        "--workspace",
        "--exclude",
        "cutaway-web",
        "--exclude",
        "cutaway-bindgen",
        "--features",
        "cutaway-userland/linux",
        "--no-fail-fast",
    ]);
    command.env("CUTAWAY_SKIPPED", skipped).env("CUTAWAY_BIN", tools::target_folder().join("release/cutaway"));
    if let Some(kernel) = tools::kernel() {
        command.env("CUTAWAY_KERNEL", kernel);
    }
    // The page's own test comes later, when the page has been built.
    command.args(["--", "--skip", "browser_"]);
    counted(totals, &mut command);
}

fn browser(totals: &mut Totals, skipped: &Path) {
    if let Err(text) = page::build(page::Size::Quick) {
        totals.broken.push(text);
        return;
    }
    let (Some(driver), Some(_)) = (tools::find("chromedriver"), tools::find("chromium")) else {
        totals.skipped.push("the page in a browser: Chromium and its driver are not installed".into());
        return;
    };
    match page::bindgen() {
        Ok(runner) => {
            let mut command = page::browser_tests(&driver);
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner);
            counted(totals, &mut command);
        }
        Err(text) => totals.broken.push(text),
    }
    let mut command = tools::cargo_command(&["test", "--package", "cutaway-tests", "--test", "page"]);
    command.env("CUTAWAY_SKIPPED", skipped).env("CUTAWAY_PAGE", page::folder()).env("CHROMEDRIVER", driver);
    counted(totals, &mut command);
}

/// Runs a step that passes or fails as a whole.
fn step(totals: &mut Totals, command: &mut Command) {
    if let Err(text) = tools::run(command) {
        totals.broken.push(text);
    }
}

/// Runs tests, shows what they print, and adds up their `test result:` lines.
fn counted(totals: &mut Totals, command: &mut Command) {
    let shown = tools::show(command);
    println!("$ {shown}");
    let child = command.stdout(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(e) => return totals.broken.push(format!("{shown}: {e}")),
    };
    let output = child.stdout.take().expect("a piped output");
    let mut failed = 0;
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        println!("{line}");
        let Some(rest) = line.strip_prefix("test result: ") else { continue };
        let number = |word: &str| -> u32 {
            let words: Vec<&str> = rest.split([' ', ';']).filter(|w| !w.is_empty()).collect();
            words.iter().position(|w| *w == word).and_then(|i| words.get(i.wrapping_sub(1))?.parse().ok()).unwrap_or(0)
        };
        totals.passed += number("passed");
        failed += number("failed");
    }
    totals.failed += failed;
    match child.wait() {
        Ok(status) if status.success() || failed > 0 => {}
        Ok(status) => totals.broken.push(format!("{shown}: {status}")),
        Err(e) => totals.broken.push(format!("{shown}: {e}")),
    }
}

fn report(totals: &Totals) -> Result<(), String> {
    if !totals.skipped.is_empty() {
        println!("\nLeft out, and why:");
        for line in &totals.skipped {
            println!("  {line}");
        }
    }
    if !totals.broken.is_empty() {
        println!("\nFailed as a whole:");
        for line in &totals.broken {
            println!("  {line}");
        }
    }
    let failed = totals.failed as usize + totals.broken.len();
    println!("\n{} passed, {failed} failed, {} skipped", totals.passed, totals.skipped.len());
    if failed == 0 { Ok(()) } else { Err("not everything passed".into()) }
}
