//! Building the page: the wasm module, its JavaScript, and the static files around them, in `target/page`.

use crate::tools::{self, cargo, cargo_command, root, run, target_folder};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How much is done to make the page small.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// What the compiler does by itself.
    Quick,
    /// wasm-opt, too: it comes from npm, so this wants node.
    Smallest,
}

/// Where the built page is.
pub fn folder() -> PathBuf {
    target_folder().join("page")
}

/// Builds the page. Unchanged sources cost a few seconds at most.
pub fn build(size: Size) -> Result<(), String> {
    tools::target("wasm32-unknown-unknown")?;
    cargo(&[
        "rustc",
        "--package",
        "cutaway-web",
        "--lib",
        "--crate-type",
        "cdylib",
        "--features",
        "split",
        "--target",
        "wasm32-unknown-unknown",
        "--profile",
        "wasm-release",
        "--",
        // What the splitter cuts along.
        "-Clink-args=--emit-relocs",
    ])?;
    let wasm = target_folder().join("wasm32-unknown-unknown/wasm-release/cutaway_web.wasm");
    let folder = folder();
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let stamp = folder.join(".made-from");
    let made_from = format!("{:?} {}", modified(&wasm), size == Size::Smallest);
    if std::fs::read_to_string(&stamp).ok().as_deref() != Some(&made_from) {
        let annexes = generate(&wasm, &folder)?;
        if size == Size::Smallest {
            shrink(&folder.join("cutaway_web_bg.wasm"))?;
            annexes.iter().try_for_each(|module| shrink(module))?;
        }
        std::fs::write(&stamp, made_from).map_err(|e| format!("{}: {e}", stamp.display()))?;
    }
    copy(&root().join("index.html"), &folder.join("index.html"))?;
    let assets = root().join("web/assets");
    for entry in std::fs::read_dir(&assets).into_iter().flatten().flatten() {
        copy(&entry.path(), &folder.join(entry.file_name()))?;
    }
    Ok(())
}

/// The bindgen of this workspace, built where it is not yet. In the release profile, because an unoptimised
/// one takes longer over the page than its own optimisation does.
pub fn bindgen() -> Result<PathBuf, String> {
    cargo(&["build", "--package", "cutaway-bindgen", "--release"])?;
    Ok(target_folder().join("release/cutaway-bindgen"))
}

/// Cuts the module where it says it may be cut, and makes the JavaScript that loads its parts; the parts that
/// are loaded later.
fn generate(wasm: &Path, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let program = bindgen()?;
    for old in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if old.path().extension().is_some_and(|e| e == "wasm" || e == "js") {
            let _ = std::fs::remove_file(old.path());
        }
    }
    let cut = target_folder().join("page-cut");
    let made = Command::new(&program).arg("split").arg(wasm).arg(&cut).arg("cutaway_web").output();
    let made = made.map_err(|e| format!("{}: {e}", program.display()))?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned());
    }
    let mut annexes = Vec::new();
    for module in String::from_utf8_lossy(&made.stdout).lines().map(PathBuf::from) {
        let to = folder.join(module.file_name().unwrap_or_default());
        copy(&module, &to)?;
        annexes.push(to);
    }
    let link = "cutaway_web_split.js";
    copy(&cut.join(link), &folder.join(link))?;
    let mut command = Command::new(program);
    command
        .args([
            "generate",
            "--target",
            "web",
            "--no-typescript",
            "--remove-name-section",
            "--remove-producers-section",
            // What the later modules share with the first: its memory, table and stack.
            "--keep-lld-exports",
            "--out-dir",
        ])
        .arg(folder)
        .arg(cut.join("cutaway_web.wasm"));
    run(&mut command)?;
    Ok(annexes)
}

/// What wasm-opt does. Not `-Oz`: it makes the module 10 % smaller, but what a server sends, the compressed
/// module, 6 % larger, because it takes apart what repeats.
const PASSES: [&str; 6] = [
    "--duplicate-function-elimination",
    "--remove-unused-module-elements",
    "--vacuum",
    "--merge-blocks",
    "--remove-unused-brs",
    "--optimize-instructions",
];

/// What the compiler's own modules use. With all features allowed, wasm-opt writes what browsers can't read yet.
const FEATURES: [&str; 8] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-call-indirect-overlong",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

fn shrink(wasm: &Path) -> Result<(), String> {
    let tools = target_folder().join("wasm-opt");
    let program = tools.join("node_modules/.bin/wasm-opt");
    if !program.is_file() {
        run(Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(&tools)
            .arg("binaryen@132"))?;
    }
    run(Command::new(program).args(FEATURES).args(PASSES).arg("-o").arg(wasm).arg(wasm))
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    std::fs::copy(from, to).map(|_| ()).map_err(|e| format!("{} to {}: {e}", from.display(), to.display()))
}

fn modified(file: &Path) -> Option<std::time::SystemTime> {
    std::fs::metadata(file).and_then(|m| m.modified()).ok()
}

/// Runs the tests of the page's crate in a browser.
pub fn browser_tests(driver: &Path) -> Command {
    let mut command = cargo_command(&["test", "--package", "cutaway-web", "--target", "wasm32-unknown-unknown"]);
    command.env("CHROMEDRIVER", driver);
    command
}
