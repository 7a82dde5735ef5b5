//! What the files of the built page weigh, as a server sends them.

use std::path::Path;

/// What one file of the page weighs.
pub struct Weight {
    pub name: String,
    pub bytes: usize,
    /// As a server sends it, compressed with brotli as well as that goes.
    pub packed: usize,
    /// Whether it is fetched only once somebody has entered a line.
    pub later: bool,
}

/// The files of a built page and what they weigh, in the order of their names.
pub fn weights(folder: &Path) -> Result<Vec<Weight>, String> {
    let mut weights = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let bytes = std::fs::read(entry.path()).map_err(|e| format!("{name}: {e}"))?;
        let later = name.ends_with(".wasm") && !name.ends_with("_bg.wasm");
        weights.push(Weight { packed: packed(&bytes), bytes: bytes.len(), name, later });
    }
    weights.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(weights)
}

fn packed(bytes: &[u8]) -> usize {
    let mut out = Vec::new();
    let mut writer = brotli::CompressorWriter::new(&mut out, 4096, 11, 22);
    let done = std::io::Write::write_all(&mut writer, bytes);
    drop(writer);
    done.map_or(0, |()| out.len())
}
