//! Files to copy from: those of a context, a stage or an image, with their contents at hand or to be read.

use super::glob;
use crate::layer::{Entry, EntryKind};
use crate::name::Digest;
use cutaway_userland::sorted::Map as BTreeMap;
use std::rc::Rc;

/// Where a file's contents are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    Bytes(Rc<[u8]>),
    /// A path of the client's.
    File(String),
}

/// Files by path, relative and without slashes at the ends.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    pub files: BTreeMap<String, (Entry, Contents)>,
}

/// One file on its way: where from, and where to below what is copied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    pub entry: Entry,
    pub contents: Contents,
    /// Relative to the target folder.
    pub to: String,
}

/// What one source came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub files: Vec<Picked>,
    /// Whether it is a single file, which may be given another name.
    pub single_file: bool,
}

impl Tree {
    /// From the entries of an archive. Hard links become files of their own.
    pub fn from_entries(entries: Vec<(Entry, Vec<u8>)>) -> Tree {
        let mut tree = Tree::default();
        for (entry, data) in entries {
            let contents = match &entry.kind {
                EntryKind::Hardlink(to) => match tree.files.get(to).cloned() {
                    Some((target, contents)) => {
                        let path = entry.path.clone();
                        tree.files.insert(path.clone(), (Entry { path, ..target }, contents));
                        continue;
                    }
                    None => continue,
                },
                _ => Contents::Bytes(data.into()),
            };
            tree.files.insert(entry.path.clone(), (entry, contents));
        }
        tree
    }

    /// What `source` stands for: a file, a folder's contents, or all that fits a pattern, which may be nothing; `None`
    /// where a name stands for nothing. With `parents`, files keep their folders (from a `/./` on, where the source has one). What fits
    /// `exclude` is left out.
    pub fn select(&self, source: &str, parents: bool, exclude: &[String]) -> Option<Selection> {
        let pivot = source.find("/./").map_or("", |i| &source[..i]);
        let pivot = super::joined("/", pivot)[1..].to_string();
        let path = super::joined("/", source)[1..].to_string();
        let roots: Vec<String> = match glob::is_pattern(&path) {
            true => self.files.keys().filter(|k| glob::matches(&path, k)).cloned().collect(),
            false if path.is_empty() || self.is_there(&self.followed(&path)) => vec![path.clone()],
            false => Vec::new(),
        };
        if roots.is_empty() && !glob::is_pattern(&path) {
            return None;
        }
        let excluded = super::Ignore::parse(&exclude.join("\n"));
        let mut selection = Selection::default();
        for root in &roots {
            // A link that is named is followed; those inside a folder are copied as they are.
            let target = self.followed(root);
            let file = self.files.get(&target).filter(|(entry, _)| !entry.is_directory());
            if let Some((entry, contents)) = file {
                let name = root.rsplit('/').next().unwrap_or(root);
                let to = if parents { below(root, &pivot) } else { name.to_string() };
                selection.files.push(Picked { entry: entry.clone(), contents: contents.clone(), to });
                selection.single_file = roots.len() == 1 && !parents;
                continue;
            }
            for (path, (entry, contents)) in self.below(&target) {
                let inside = below(path, &target);
                if excluded.ignores(&inside) {
                    continue;
                }
                let to = if parents { below(path, &pivot) } else { inside };
                selection.files.push(Picked { entry: entry.clone(), contents: contents.clone(), to });
            }
        }
        selection.files.retain(|f| !excluded.ignores(&f.to));
        Some(selection)
    }

    /// Where a path leads when the links on its way, and it itself, are followed inside the tree.
    fn followed(&self, path: &str) -> String {
        let mut at = path.to_string();
        for _ in 0..40 {
            let folders = at.match_indices('/').map(|(i, _)| i).chain([at.len()]);
            let link = folders.into_iter().find_map(|end| match self.files.get(&at[..end]) {
                Some((Entry { kind: EntryKind::Symlink(to), .. }, _)) => Some((end, to)),
                _ => None,
            });
            let Some((end, to)) = link else { break };
            let folder = at[..end].rfind('/').map_or("", |i| &at[..i]);
            at = super::joined(&format!("/{folder}"), &format!("{to}{}", &at[end..]))[1..].to_string();
        }
        at
    }

    fn is_there(&self, path: &str) -> bool {
        path.is_empty() || self.files.contains_key(path) || self.below(path).next().is_some()
    }

    fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a String, &'a (Entry, Contents))> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let from = self.files.range(prefix.clone()..);
        from.take_while(move |(path, _)| path.starts_with(&prefix)).filter(|(path, _)| !path.is_empty())
    }
}

fn below(path: &str, folder: &str) -> String {
    let rest = path.strip_prefix(folder).unwrap_or(path);
    rest.trim_start_matches('/').to_string()
}

/// The digest of some files: of everything about them but when they were changed. `bytes` are their contents.
pub fn digest_of(files: &[(Picked, Rc<[u8]>)]) -> Digest {
    let mut text = String::new();
    for (file, bytes) in files {
        let e = &file.entry;
        let facts = (&file.to, &e.kind, e.mode, e.uid, e.gid, &e.xattrs, Digest::of(bytes).hex());
        text.push_str(&format!("{facts:?}\n"));
    }
    Digest::of(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let rows = [
            Entry::file("a.txt", 0o644, 1),
            Entry::file("b.txt", 0o644, 1),
            Entry::directory("src", 0o755),
            Entry::file("src/one", 0o644, 1),
            Entry::directory("src/in", 0o755),
            Entry::file("src/in/two", 0o644, 1),
            Entry::of("src/link", EntryKind::Hardlink("src/one".into()), 0o644),
            Entry::of("to", EntryKind::Symlink("src/in".into()), 0o777),
        ];
        Tree::from_entries(rows.into_iter().map(|e| (e, b"x".to_vec())).collect())
    }

    fn picked(source: &str, parents: bool, exclude: &[&str]) -> Option<Vec<String>> {
        let exclude: Vec<String> = exclude.iter().map(|s| s.to_string()).collect();
        Some(tree().select(source, parents, &exclude)?.files.into_iter().map(|f| f.to).collect())
    }

    #[test]
    fn sources() {
        let all = ["a.txt", "b.txt", "src", "src/in", "src/in/two", "src/link", "src/one", "to"];
        for (source, parents, exclude, expected) in [
            ("a.txt", false, vec![], Some(vec!["a.txt"])),
            ("./a.txt", false, vec![], Some(vec!["a.txt"])),
            ("../../a.txt", false, vec![], Some(vec!["a.txt"])),
            ("src", false, vec![], Some(vec!["in", "in/two", "link", "one"])),
            ("src/", false, vec!["in"], Some(vec!["link", "one"])),
            ("*.txt", false, vec![], Some(vec!["a.txt", "b.txt"])),
            ("*.txt", false, vec!["b*"], Some(vec!["a.txt"])),
            (".", false, vec![], Some(all.to_vec())),
            ("src/in/two", true, vec![], Some(vec!["src/in/two"])),
            ("src/./in/two", true, vec![], Some(vec!["in/two"])),
            ("to", false, vec![], Some(vec!["two"])),
            ("to/two", false, vec![], Some(vec!["two"])),
            ("nosuch", false, vec![], None),
            ("*.none", false, vec![], Some(vec![])),
        ] {
            let expected = expected.map(|e| e.iter().map(|s| s.to_string()).collect::<Vec<_>>());
            assert_eq!(picked(source, parents, &exclude), expected, "{source}");
        }
        assert!(tree().select("a.txt", false, &[]).unwrap().single_file);
        assert!(!tree().select("*.txt", false, &[]).unwrap().single_file);
    }
}
