//! File name patterns as Go's `path.Match` has them: `*` and `?` stay inside one name, `[a-z]` is a class.

/// Whether the whole text fits the pattern. A malformed pattern fits nothing.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    fits(&pattern, &text)
}

/// Whether a word has any wildcard in it.
pub fn is_pattern(word: &str) -> bool {
    word.contains(['*', '?', '['])
}

fn fits(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => {
            let reach = text.iter().position(|c| *c == '/').unwrap_or(text.len());
            (0..=reach).any(|skip| fits(rest, &text[skip..]))
        }
        ['?', rest @ ..] => text.first().is_some_and(|c| *c != '/') && fits(rest, &text[1..]),
        ['[', rest @ ..] => match (class(rest), text.first()) {
            (Some((set, negated, after)), Some(c)) if *c != '/' => {
                set.iter().any(|(from, to)| (from..=to).contains(&c)) != negated && fits(after, &text[1..])
            }
            _ => false,
        },
        ['\\', c, rest @ ..] | [c, rest @ ..] => text.first() == Some(c) && fits(rest, &text[1..]),
    }
}

type Class<'a> = (Vec<(char, char)>, bool, &'a [char]);

/// The ranges of a class, whether it is negated, and what follows it.
fn class(mut pattern: &[char]) -> Option<Class<'_>> {
    let negated = pattern.first() == Some(&'^');
    pattern = &pattern[usize::from(negated)..];
    let mut set = Vec::new();
    loop {
        match pattern {
            [']', after @ ..] if !set.is_empty() => return Some((set, negated, after)),
            [from, '-', to, after @ ..] if *to != ']' => {
                set.push((*from, *to));
                pattern = after;
            }
            ['\\', c, after @ ..] | [c, after @ ..] => {
                set.push((*c, *c));
                pattern = after;
            }
            [] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, fit) in [
            ("a", "a", true),
            ("*.log", "x.log", true),
            ("*.log", "d/x.log", false),
            ("*/*.log", "d/x.log", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[a", "a", false),
            ("\\*", "*", true),
            ("localhost:5000/*/*", "localhost:5000/team/app", true),
        ] {
            assert_eq!(matches(pattern, text), fit, "{pattern} {text}");
        }
    }
}
