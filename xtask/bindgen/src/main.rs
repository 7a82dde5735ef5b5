//! wasm-bindgen as one program of this workspace, so that its version is the locked one and nothing has
//! to be installed: `cutaway-bindgen generate …` makes the page's JavaScript, and, called by cargo as the
//! runner of wasm tests, `cutaway-bindgen FILE …` runs them in a browser.

use std::ffi::OsString;

fn main() -> anyhow::Result<()> {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    if words.get(1).is_some_and(|w| w == "generate") {
        words.remove(1);
        return wasm_bindgen_cli::wasm_bindgen::run_cli_with_args(words);
    }
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(words)
}
