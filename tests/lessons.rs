//! Every lesson reads, and its text is complete. That its solution passes and its wrong attempts get their
//! hints is checked by `cutaway lesson test`, which `playing` runs in both worlds.

use cutaway_core::lesson::Lesson;
use cutaway_tests::{files, root};

fn folders() -> Vec<std::path::PathBuf> {
    files(&root().join("lessons"), "lesson.toml").iter().map(|f| f.parent().unwrap().to_path_buf()).collect()
}

#[test]
fn every_lesson_reads() {
    let folders = folders();
    assert!(folders.len() >= 5, "{folders:?}");
    let mut ids = Vec::new();
    for folder in folders {
        let contents: Vec<(String, Vec<u8>)> = files(&folder, "")
            .into_iter()
            .map(|f| (f.strip_prefix(&folder).unwrap().to_string_lossy().into_owned(), std::fs::read(&f).unwrap()))
            .collect();
        let lesson = Lesson::parse(&folder.to_string_lossy(), &contents, "en").unwrap_or_else(|e| panic!("{e}"));
        assert!(!lesson.wrong.is_empty(), "{}: needs wrong attempts", lesson.id);
        assert!(
            lesson.needs.iter().all(|n| ids.contains(n)),
            "{}: needs {:?}, which come later or never",
            lesson.id,
            lesson.needs
        );
        ids.push(lesson.id);
    }
}
