//! The lessons that come with Cutaway, compiled in: page and program carry the same ones.

use super::format::{Lesson, LessonError};
use cutaway_userland::sorted::Arrange;
use include_dir::{Dir, DirEntry, include_dir};
use std::rc::Rc;

static COURSE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../lessons");

/// All lessons in the order of their folders, `lessons/NN-topic/NN-name`.
pub fn course(language: &str) -> Result<Vec<Rc<Lesson>>, LessonError> {
    let mut folders: Vec<&Dir> = COURSE.dirs().flat_map(Dir::dirs).collect();
    folders.arrange_by_key(|folder| folder.path());
    folders.into_iter().map(|folder| read(folder, language).map(Rc::new)).collect()
}

fn read(folder: &Dir, language: &str) -> Result<Lesson, LessonError> {
    let mut files = Vec::new();
    collect(folder, folder, &mut files);
    Lesson::parse(&format!("lessons/{}", folder.path().display()), &files, language)
}

fn collect(root: &Dir, folder: &Dir, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in folder.entries() {
        match entry {
            DirEntry::Dir(inner) => collect(root, inner, files),
            DirEntry::File(file) => {
                let path = file.path().strip_prefix(root.path()).unwrap_or(file.path());
                files.push((path.to_string_lossy().into_owned(), file.contents().to_vec()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::course;

    #[test]
    fn every_lesson_reads_and_comes_after_what_it_needs() {
        let lessons = course("en").unwrap_or_else(|e| panic!("{e}"));
        assert!(lessons.len() >= 5);
        for (index, lesson) in lessons.iter().enumerate() {
            let before: Vec<&str> = lessons[..index].iter().map(|l| l.id.as_str()).collect();
            assert!(!before.contains(&lesson.id.as_str()), "{} is there twice", lesson.id);
            assert!(!lesson.wrong.is_empty(), "{} has no wrong attempts", lesson.id);
            for need in &lesson.needs {
                assert!(before.contains(&need.as_str()), "{} needs {need}, which comes later or never", lesson.id);
            }
        }
    }
}
