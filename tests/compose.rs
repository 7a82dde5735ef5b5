//! Compose files as many hands wrote them: what `docker compose config` made of them is what we make of them.

use cutaway_core::compose::{self, LoadError, Request};
use serde_json::Value;

/// Loads as `docker compose -p demo -f compose.yaml config --no-path-resolution` does.
fn config(folder: &str) -> Result<Value, String> {
    let mut contents = compose::Contents::new();
    loop {
        let request = Request {
            files: vec![format!("{folder}/compose.yaml")],
            directory: folder.to_string(),
            name: Some("demo".into()),
            profiles: Vec::new(),
            named: Vec::new(),
            env_files: Vec::new(),
            env: &|_| None,
            contents: &contents,
            interpolate: true,
            resolve_paths: false,
            consistent: true,
            normalize: true,
            all_resources: false,
        };
        match compose::load(&request) {
            Ok(project) => return Ok(serde_json::from_str(&compose::json(&project)).expect("it is JSON")),
            Err(LoadError::Needs(path)) => {
                let bytes = std::fs::read(&path).ok();
                contents.insert(path, bytes);
            }
            Err(LoadError::Invalid(text)) => return Err(text),
        }
    }
}

#[test]
fn each_is_read_as_compose_reads_it() {
    let Some(corpus) = cutaway_tests::shared("each_is_read_as_compose_reads_it", "corpus/compose") else { return };
    let mut count = 0;
    let mut differing = Vec::new();
    for entry in std::fs::read_dir(corpus).expect("a folder") {
        let folder = entry.expect("readable").path();
        let expected = std::fs::read_to_string(folder.join("expected.json")).expect("recorded");
        let expected: Value = serde_json::from_str(&expected).expect("JSON");
        let actual = config(&folder.to_string_lossy());
        if actual.as_ref() != Ok(&expected["config"]) {
            differing.push(format!("{}\n  is     {actual:?}\n  wanted {}", folder.display(), expected["config"]));
        }
        count += 1;
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(count > 0, "the corpus is empty");
}
