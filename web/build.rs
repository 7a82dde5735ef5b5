//! The titles of the lessons, so that the page can offer them before it has fetched the lessons themselves.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let lessons = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("set by cargo")).join("../lessons");
    println!("cargo::rerun-if-changed={}", lessons.display());
    // The order of the course: see `cutaway_core::lesson::course`.
    let titles: Vec<String> =
        folders(&lessons).iter().flat_map(|topic| folders(topic)).map(|lesson| title(&lesson.join("en.md"))).collect();
    let to = Path::new(&env::var("OUT_DIR").expect("set by cargo")).join("titles.rs");
    fs::write(&to, format!("&{titles:?}")).expect("the titles are written");
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).unwrap_or_else(|e| panic!("{}: {e}", of.display()));
    let mut folders: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect();
    folders.sort();
    folders
}

/// The first line of a lesson's text.
fn title(text: &Path) -> String {
    let words = fs::read_to_string(text).unwrap_or_else(|e| panic!("{}: {e}", text.display()));
    let title = words.lines().next().and_then(|line| line.strip_prefix("# "));
    title.unwrap_or_else(|| panic!("{}: does not begin with a title", text.display())).to_string()
}
