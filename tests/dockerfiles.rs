//! Dockerfiles as many hands wrote them, where a collection of them is kept beside the repository.

use cutaway_core::dockerfile::{Dockerfile, spans};

#[test]
fn each_parses() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let folder = ["../shared", "../../shared"].map(|near| format!("{root}/{near}/corpus/dockerfiles"));
    let Some(found) = folder.iter().find_map(|path| std::fs::read_dir(path).ok()) else {
        eprintln!("skipped each_parses: no Dockerfiles beside the repository");
        return;
    };
    let mut count = 0;
    for entry in found {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let file = Dockerfile::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let froms = text.lines().filter(|l| l.trim().to_lowercase().starts_with("from ")).count();
        assert_eq!(file.stages.len(), froms, "{}", path.display());
        assert!(!spans(&text).is_empty(), "{}", path.display());
        count += 1;
    }
    assert!(count > 0, "the folder of Dockerfiles is empty");
}
