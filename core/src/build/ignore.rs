//! `.dockerignore`: which files of a context are left behind. The last pattern that fits decides; `!` brings
//! back, and what fits a folder fits all in it. Source: Docker's documentation of build contexts.

use super::glob;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// By folder: `**` stands for any number of them.
    parts: Vec<String>,
    keep: bool,
}

impl Ignore {
    pub fn parse(text: &str) -> Ignore {
        let mut rules = Vec::new();
        for line in text.trim_start_matches('\u{feff}').lines() {
            if line.starts_with('#') {
                continue;
            }
            let line = line.trim();
            let (keep, pattern) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim()));
            let mut parts: Vec<String> = Vec::new();
            for part in pattern.split('/') {
                match part {
                    "" | "." => {}
                    ".." => {
                        parts.pop();
                    }
                    part => parts.push(part.to_string()),
                }
            }
            let parts = any_depth(parts);
            if !parts.is_empty() {
                rules.push(Rule { parts, keep });
            }
        }
        Ignore { rules }
    }

    /// Whether a file or folder (relative to the context) is left behind.
    pub fn ignores(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        let mut ignored = false;
        for rule in &self.rules {
            if rule.keep == ignored && (1..=parts.len()).any(|end| fits(&rule.parts, &parts[..end])) {
                ignored = !rule.keep;
            }
        }
        ignored
    }

    /// Whether the patterns fit a path as an instruction names it, or what it is in.
    pub fn names(&self, path: &str) -> bool {
        let folder = super::joined("/", path.rfind('/').map_or("", |end| &path[..end]));
        let mut parts: Vec<&str> = folder.split('/').collect();
        if !path.starts_with('/') {
            parts.remove(0);
        }
        let full: Vec<&str> = path.split('/').collect();
        let mut named = false;
        for rule in &self.rules {
            let within = || (1..=parts.len()).any(|end| folder != "/" && fits(&rule.parts, &parts[..end]));
            if rule.keep == named && (fits(&rule.parts, &full) || within()) {
                named = !rule.keep;
            }
        }
        named
    }

    /// Whether nothing below an ignored folder can come back, so that it need not be read.
    pub fn ignores_all_below(&self, folder: &str) -> bool {
        self.ignores(folder) && !self.rules.iter().any(|rule| rule.keep)
    }
}

/// `**` before other letters of a name stands for folders, too: `**.log` is any name that ends so, at any depth; what
/// comes after a folder, or has more wildcards, is the whole name. Source: moby/patternmatcher.
fn any_depth(parts: Vec<String>) -> Vec<String> {
    let ending = !parts.join("/").trim_start_matches('*').contains(['*', '?', '[', '\\']);
    let mut all = Vec::new();
    for (at, part) in parts.into_iter().enumerate() {
        match part.strip_prefix("**").filter(|rest| !rest.is_empty()) {
            Some(rest) => {
                let any = if at == 0 && ending { "*" } else { "" };
                all.extend(["**".to_string(), format!("{any}{rest}")]);
            }
            None => all.push(part),
        }
    }
    all
}

fn fits(pattern: &[String], path: &[&str]) -> bool {
    match pattern {
        [] => path.is_empty(),
        [any, rest @ ..] if any == "**" => {
            // At the end it stands for at least one name.
            if rest.is_empty() { !path.is_empty() } else { (0..=path.len()).any(|skip| fits(rest, &path[skip..])) }
        }
        [part, rest @ ..] => path.first().is_some_and(|name| glob::matches(part, name)) && fits(rest, &path[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_paths() {
        for (rules, path, named) in [
            ("d", "d/x", true),
            ("d", "d", true),
            ("d", "./d", false),
            ("d/*\n!d/x", "d/x", false),
            ("*", ".", true),
            ("*", "./a/b", true),
            ("a", "x/a", false),
        ] {
            assert_eq!(Ignore::parse(rules).names(path), named, "{rules:?} {path}");
        }
    }

    #[test]
    fn rules() {
        for (rules, path, ignored) in [
            (".env\n*.log\n!keep.log", ".env", true),
            (".env\n*.log\n!keep.log", "a.log", true),
            (".env\n*.log\n!keep.log", "keep.log", false),
            ("*.log", "d/a.log", false),
            ("**/*.log", "d/e/a.log", true),
            ("**/*.log", "a.log", true),
            ("node_modules", "node_modules/x/y", true),
            ("/dist/", "dist/a", true),
            ("*\n!src", "src/a", false),
            ("*\n!src\nsrc/b", "src/b", true),
            ("# c\n\n  a  ", "a", true),
            ("a/**", "a", false),
            ("a/**", "a/b", true),
            ("**", "x", true),
            ("**.log", "d/e/a.log", true),
            ("**.log", "a.log", true),
            ("**og/x", "a/blog/x", true),
            ("**g*", "a/log", false),
            ("**l*", "a/log", true),
            ("d/**.log", "d/e/.log", true),
            ("d/**.log", "d/a.log", false),
            ("a/*/c", "a/b/c", true),
            ("./a/../b", "b", true),
        ] {
            assert_eq!(Ignore::parse(rules).ignores(path), ignored, "{rules:?} {path}");
        }
    }
}
