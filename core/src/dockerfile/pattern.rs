//! The shell patterns of `${name#pattern}` and its kin: `*`, `?`, and `\` before what is meant as it is.

/// Whether the whole text fits the pattern.
pub fn fits(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|skip| fits(rest, &text[skip..])),
        ['?', rest @ ..] => !text.is_empty() && fits(rest, &text[1..]),
        ['\\', c, rest @ ..] | [c, rest @ ..] => text.first() == Some(c) && fits(rest, &text[1..]),
    }
}

/// The text without the shortest, or longest, beginning that fits.
pub fn without_prefix(text: &str, pattern: &str, longest: bool) -> String {
    let (text, pattern) = (chars(text), chars(pattern));
    let mut ends: Vec<usize> = (0..=text.len()).collect();
    if longest {
        ends.reverse();
    }
    let cut = ends.into_iter().find(|end| fits(&pattern, &text[..*end])).unwrap_or(0);
    text[cut..].iter().collect()
}

/// The text without the shortest, or longest, ending that fits.
pub fn without_suffix(text: &str, pattern: &str, longest: bool) -> String {
    let (text, pattern) = (chars(text), chars(pattern));
    let mut starts: Vec<usize> = (0..=text.len()).collect();
    if !longest {
        starts.reverse();
    }
    let cut = starts.into_iter().find(|start| fits(&pattern, &text[*start..])).unwrap_or(text.len());
    text[..cut].iter().collect()
}

/// The text with the first part that fits, or each, replaced.
pub fn replaced(text: &str, pattern: &str, by: &str, all: bool) -> String {
    let (text, pattern) = (chars(text), chars(pattern));
    let mut out = String::new();
    let (mut at, mut done) = (0, false);
    while at < text.len() {
        let end =
            if done && !all { None } else { (at + 1..=text.len()).rev().find(|end| fits(&pattern, &text[at..*end])) };
        match end {
            Some(end) => {
                out.push_str(by);
                at = end;
                done = true;
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting() {
        assert_eq!(without_prefix("a/b/c", "*/", false), "b/c");
        assert_eq!(without_prefix("a/b/c", "*/", true), "c");
        assert_eq!(without_suffix("a.tar.gz", ".*", false), "a.tar");
        assert_eq!(without_suffix("a.tar.gz", ".*", true), "a");
        assert_eq!(without_suffix("a", "x", true), "a");
        assert_eq!(replaced("a-b-c", "-", "_", false), "a_b-c");
        assert_eq!(replaced("a-b-c", "-", "_", true), "a_b_c");
        assert_eq!(replaced("axxb", "x*", "y", true), "ay");
    }
}
