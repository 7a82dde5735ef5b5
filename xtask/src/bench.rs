//! `cargo xtask bench`: figures side by side, as medians of one run on one machine.

pub fn run(_words: &[&str]) -> Result<(), String> {
    Err("nothing to measure yet".into())
}
