//! The program over a store of a test's own.

use cutaway_tests::{is_root, skip};
use std::path::PathBuf;
use std::process::Command;

/// A store of its own, gone with the test.
pub struct Engine {
    pub root: PathBuf,
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

impl Engine {
    /// One with an image in it; `None` where this user can't run containers as root does.
    pub fn ready(name: &str) -> Option<Engine> {
        if !is_root() {
            skip(name, "this user is not root");
            return None;
        }
        let engine = Engine { root: std::env::temp_dir().join(format!("cutaway-{name}-{}", std::process::id())) };
        assert_eq!(engine.said(&["pull", "-q", "cutaway/base"]), "docker.io/cutaway/base:latest\n");
        Some(engine)
    }

    /// Everything that a command prints, standard output first.
    pub fn said(&self, words: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cutaway"));
        let output = command.env("CUTAWAY_ROOT", &self.root).args(words).output().expect("cutaway runs");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }
}
