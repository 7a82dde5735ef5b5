//! wasm-bindgen and the splitter of modules as one program of this workspace, so that their versions are the locked
//! ones and nothing has to be installed: `cutaway-bindgen split WASM FOLDER NAME` cuts a module in two,
//! `cutaway-bindgen generate …` makes the page's JavaScript, and, called by cargo as the runner of wasm tests,
//! `cutaway-bindgen FILE …` runs them in a browser.

use anyhow::anyhow;
use std::ffi::OsString;
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    match words.get(1).and_then(|w| w.to_str()) {
        Some("generate") => {
            words.remove(1);
            wasm_bindgen_cli::wasm_bindgen::run_cli_with_args(words)
        }
        Some("split") => {
            let [_, _, wasm, folder, name] = &words[..] else { return Err(anyhow!("split WASM FOLDER NAME")) };
            split(Path::new(wasm), Path::new(folder), &name.to_string_lossy())
        }
        _ => wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(words),
    }
}

/// What a module does, without what only tools read: names, and what the linker left for the splitter.
fn without_custom_sections(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut module = wasm_encoder::Module::new();
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        if matches!(payload, wasmparser::Payload::CustomSection(_)) {
            continue;
        }
        if let Some((id, range)) = payload.as_section() {
            module.section(&wasm_encoder::RawSection { id, data: &bytes[range.start as usize..range.end as usize] });
        }
    }
    Ok(module.finish())
}

/// Writes `NAME.wasm`, which is then to be given to wasm-bindgen, the modules that it loads later, and the
/// JavaScript that loads them.
fn split(wasm: &Path, folder: &Path, name: &str) -> anyhow::Result<()> {
    let bytes = std::fs::read(wasm).map_err(|e| anyhow!("{}: {e}", wasm.display()))?;
    let (link, main, module) =
        (format!("./{name}_split.js"), folder.join(format!("{name}.wasm")), format!("./{name}.js"));
    let mut options = wasm_split_cli_support::Options::new(&bytes);
    options.output_dir = folder;
    options.link_name = &link;
    options.main_out_path = &main;
    options.main_module = &module;
    let made = wasm_split_cli_support::transform(options).map_err(|e| anyhow!("{}: {e:#}", wasm.display()))?;
    for path in made.split_modules {
        let stripped = without_custom_sections(&std::fs::read(&path)?)?;
        std::fs::write(&path, stripped)?;
        println!("{}", path.display());
    }
    Ok(())
}
