//! The prose of a lesson: a title, an introduction, and named sections.
//!
//! The file is Markdown, of which only paragraphs, `code` and code blocks are used. A line `## KEY` opens
//! the section of that key. What is read here is text for people; no check ever looks at it.

use super::format::LessonError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    pub key: String,
    pub body: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    pub title: String,
    pub introduction: String,
    sections: Vec<Section>,
}

impl Text {
    pub fn parse(file: &str, text: &str) -> Result<Text, LessonError> {
        let error = |line: usize, reason: String| LessonError { file: file.to_string(), line: Some(line), reason };
        let mut lines = text.lines().enumerate();
        let title = match lines.next().and_then(|(_, line)| line.strip_prefix("# ")) {
            Some(title) => title.trim().to_string(),
            None => return Err(error(1, "the first line must be the title: # TITLE".into())),
        };
        let mut introduction = String::new();
        let mut sections: Vec<Section> = Vec::new();
        for (number, line) in lines {
            if let Some(key) = line.strip_prefix("## ") {
                let key = key.trim().to_string();
                if sections.iter().any(|s| s.key == key) {
                    return Err(error(number + 1, format!("section {key:?} is there twice")));
                }
                sections.push(Section { key, body: String::new() });
                continue;
            }
            let body = sections.last_mut().map_or(&mut introduction, |s| &mut s.body);
            body.push_str(line);
            body.push('\n');
        }
        for section in &mut sections {
            section.body = section.body.trim().to_string();
        }
        Ok(Text { title, introduction: introduction.trim().to_string(), sections })
    }

    /// The text of a section.
    pub fn section(&self, key: &str) -> Option<&str> {
        self.sections.iter().find(|s| s.key == key).map(|s| s.body.as_str())
    }
}
