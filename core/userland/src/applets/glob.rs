//! Patterns of file names: `*`, `?`, `[a-z]`, as `find -name` and `case` match them.

/// Whether the whole of `name` matches. Without back-tracking into more than the last star, so that no
/// pattern is slow.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (p, n): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut i, mut j) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while j < n.len() {
        let step = match p.get(i) {
            Some('*') => {
                star = Some((i, j));
                i += 1;
                continue;
            }
            Some('?') => Some(i + 1),
            Some('[') => match bracket(&p, i, n[j]) {
                Some((next, true)) => Some(next),
                Some((_, false)) => None,
                None => (n[j] == '[').then_some(i + 1),
            },
            Some('\\') if i + 1 < p.len() => (p[i + 1] == n[j]).then_some(i + 2),
            Some(c) => (*c == n[j]).then_some(i + 1),
            None => None,
        };
        match (step, star) {
            (Some(next), _) => {
                i = next;
                j += 1;
            }
            (None, Some((at, taken))) => {
                star = Some((at, taken + 1));
                i = at + 1;
                j = taken + 1;
            }
            (None, None) => return false,
        }
    }
    p[i..].iter().all(|c| *c == '*')
}

/// The place behind a bracket expression, and whether it holds `c`; `None` where it has no end.
fn bracket(p: &[char], open: usize, c: char) -> Option<(usize, bool)> {
    let mut at = open + 1;
    let negated = matches!(p.get(at), Some('!' | '^'));
    at += usize::from(negated);
    let first = at;
    let mut holds = false;
    loop {
        match *p.get(at)? {
            ']' if at > first => return Some((at + 1, holds != negated)),
            '[' if p.get(at + 1) == Some(&':') => {
                let end = (at + 2..p.len()).find(|i| p[*i] == ':' && p.get(i + 1) == Some(&']'))?;
                let name: String = p[at + 2..end].iter().collect();
                holds |= match name.as_str() {
                    "alpha" => c.is_alphabetic(),
                    "digit" => c.is_ascii_digit(),
                    "alnum" => c.is_alphanumeric(),
                    "upper" => c.is_uppercase(),
                    "lower" => c.is_lowercase(),
                    "space" => c.is_whitespace(),
                    "punct" => c.is_ascii_punctuation(),
                    _ => false,
                };
                at = end + 2;
            }
            low => {
                let low = if low == '\\' { *p.get(at + 1)? } else { low };
                at += if p[at] == '\\' { 2 } else { 1 };
                match (p.get(at), p.get(at + 1)) {
                    (Some('-'), Some(high)) if *high != ']' => {
                        holds |= (low..=*high).contains(&c);
                        at += 2;
                    }
                    _ => holds |= low == c,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn names_and_patterns() {
        for (pattern, name, want) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "a.txt.gz", false),
            ("a*b*c", "axxbyyc", true),
            ("?", "ab", false),
            ("[a-c]x", "bx", true),
            ("[!a]x", "ax", false),
            ("[", "[", true),
            ("\\*", "*", true),
            ("[[:digit:]]", "7", true),
            ("*****a", "b", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
    }
}
