//! Shell patterns: `*`, `?`, `[…]` and, where asked for, `@(…)` and its like. Source: POSIX, XCU 2.13.

/// A character of a pattern; a quoted one stands only for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternChar {
    pub c: char,
    pub quoted: bool,
}

#[derive(Clone, Debug)]
enum Piece {
    Char(char),
    Any,
    Star,
    Set { negated: bool, members: Vec<Member> },
    Group { kind: char, choices: Vec<Pattern> },
}

#[derive(Clone, Debug)]
enum Member {
    Range(char, char),
    Class(String),
}

#[derive(Clone, Debug, Default)]
pub struct Pattern {
    pieces: Vec<Piece>,
    ignore_case: bool,
}

impl Member {
    fn has(&self, c: char) -> bool {
        match self {
            Member::Range(low, high) => (*low..=*high).contains(&c),
            Member::Class(name) => match name.as_str() {
                "alpha" => c.is_alphabetic(),
                "digit" => c.is_ascii_digit(),
                "alnum" => c.is_alphanumeric(),
                "upper" => c.is_uppercase(),
                "lower" => c.is_lowercase(),
                "space" => c.is_whitespace(),
                "blank" => c == ' ' || c == '\t',
                "punct" => c.is_ascii_punctuation(),
                "print" => !c.is_control(),
                "graph" => !c.is_control() && c != ' ',
                "cntrl" => c.is_control(),
                "xdigit" => c.is_ascii_hexdigit(),
                _ => false,
            },
        }
    }
}

impl Pattern {
    pub fn new(chars: &[PatternChar], extended: bool) -> Pattern {
        Pattern { pieces: compile(chars, extended, 0), ignore_case: false }
    }

    /// A pattern in which nothing is quoted but by backslashes.
    #[cfg(test)]
    pub fn plain(text: &str) -> Pattern {
        let mut chars = Vec::new();
        let mut escaped = false;
        for c in text.chars() {
            if c == '\\' && !escaped {
                escaped = true;
            } else {
                chars.push(PatternChar { c, quoted: escaped });
                escaped = false;
            }
        }
        Pattern::new(&chars, false)
    }

    pub fn ignoring_case(mut self, ignore: bool) -> Pattern {
        self.ignore_case = ignore;
        self
    }

    /// Whether the whole of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        let chars: Vec<char> = text.chars().collect();
        self.matches_chars(&chars)
    }

    pub fn matches_chars(&self, text: &[char]) -> bool {
        let mut fuel = 1_000_000;
        run(&self.pieces, text, self.ignore_case, &mut fuel)
    }

    /// The length of the match at the beginning of `text`, if any.
    pub fn prefix(&self, text: &[char], longest: bool) -> Option<usize> {
        let fits = |n: &usize| self.matches_chars(&text[..*n]);
        if longest { (0..=text.len()).rev().find(fits) } else { (0..=text.len()).find(fits) }
    }

    /// Where the match at the end of `text` begins, if any.
    pub fn suffix(&self, text: &[char], longest: bool) -> Option<usize> {
        let fits = |n: &usize| self.matches_chars(&text[*n..]);
        if longest { (0..=text.len()).find(fits) } else { (0..=text.len()).rev().find(fits) }
    }

    /// Whether it begins with a dot that is written out: only then does it match hidden files.
    pub fn begins_with_dot(&self) -> bool {
        matches!(self.pieces.first(), Some(Piece::Char('.')))
    }
}

/// Whether any character could be part of a pattern.
pub fn has_pattern(chars: &[PatternChar], extended: bool) -> bool {
    let special = |i: usize, p: &PatternChar| {
        !p.quoted
            && (matches!(p.c, '*' | '?')
                || (p.c == '[' && chars[i..].iter().any(|q| q.c == ']' && !q.quoted))
                || (extended && "+@!".contains(p.c) && chars.get(i + 1).is_some_and(|q| q.c == '(' && !q.quoted)))
    };
    chars.iter().enumerate().any(|(i, p)| special(i, p))
}

fn compile(chars: &[PatternChar], extended: bool, depth: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let PatternChar { c, quoted } = chars[i];
        let opens = chars.get(i + 1).is_some_and(|p| p.c == '(' && !p.quoted);
        if !quoted
            && extended
            && opens
            && "?*+@!".contains(c)
            && depth < 20
            && let Some((choices, next)) = group(chars, i + 2, depth)
        {
            pieces.push(Piece::Group { kind: c, choices });
            i = next;
            continue;
        }
        match c {
            '*' if !quoted => {
                if !matches!(pieces.last(), Some(Piece::Star)) {
                    pieces.push(Piece::Star);
                }
            }
            '?' if !quoted => pieces.push(Piece::Any),
            '[' if !quoted => {
                if let Some((piece, next)) = set(chars, i + 1) {
                    pieces.push(piece);
                    i = next;
                    continue;
                }
                pieces.push(Piece::Char('['));
            }
            c => pieces.push(Piece::Char(c)),
        }
        i += 1;
    }
    pieces
}

/// The choices of a group that begins at `start`, and where it ends.
fn group(chars: &[PatternChar], start: usize, depth: usize) -> Option<(Vec<Pattern>, usize)> {
    let mut choices = Vec::new();
    let (mut from, mut level) = (start, 0);
    for i in start..chars.len() {
        let PatternChar { c, quoted } = chars[i];
        if quoted {
            continue;
        }
        match c {
            '(' => level += 1,
            ')' | '|' if level == 0 => {
                choices.push(Pattern { pieces: compile(&chars[from..i], true, depth + 1), ignore_case: false });
                from = i + 1;
                if c == ')' {
                    return Some((choices, i + 1));
                }
            }
            ')' => level -= 1,
            _ => {}
        }
    }
    None
}

/// A bracket expression after its `[`, and where it ends; `None` where it has no end.
fn set(chars: &[PatternChar], start: usize) -> Option<(Piece, usize)> {
    let at = |i: usize| chars.get(i).copied();
    let is = |i: usize, c: char| at(i).is_some_and(|p| p.c == c && !p.quoted);
    let mut i = start;
    let negated = is(i, '!') || is(i, '^');
    i += usize::from(negated);
    let first = i;
    let mut members = Vec::new();
    loop {
        let member = at(i)?;
        if member.c == '/' && !member.quoted {
            return None;
        }
        if is(i, ']') && i > first {
            return Some((Piece::Set { negated, members }, i + 1));
        }
        if is(i, '[') && is(i + 1, ':') {
            let length = chars[i + 2..].iter().position(|p| p.c == ':')?;
            if is(i + 2 + length + 1, ']') {
                members.push(Member::Class(chars[i + 2..i + 2 + length].iter().map(|p| p.c).collect()));
                i += length + 4;
                continue;
            }
        }
        if is(i + 1, '-') && at(i + 2).is_some() && !is(i + 2, ']') {
            members.push(Member::Range(member.c, at(i + 2)?.c));
            i += 3;
        } else {
            members.push(Member::Range(member.c, member.c));
            i += 1;
        }
    }
}

fn same(a: char, b: char, ignore_case: bool) -> bool {
    a == b || (ignore_case && a.to_lowercase().eq(b.to_lowercase()))
}

/// Matches by walking forward and, where that fails, giving the last star one more character: no
/// exponential search, but for groups, which is what `fuel` is for.
fn run(pieces: &[Piece], text: &[char], ignore_case: bool, fuel: &mut usize) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if *fuel == 0 {
            return false;
        }
        *fuel -= 1;
        let step = match (pieces.get(p), text.get(t)) {
            (Some(Piece::Star), _) => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            (Some(Piece::Group { kind, choices }), _) => {
                if group_matches(*kind, choices, &pieces[p + 1..], &text[t..], ignore_case, fuel) {
                    return true;
                }
                false
            }
            (None, None) => return true,
            (None, Some(_)) | (Some(_), None) => false,
            (Some(piece), Some(c)) => match piece {
                Piece::Char(expected) => same(*expected, *c, ignore_case),
                Piece::Set { negated, members } => members.iter().any(|m| m.has(*c)) != *negated,
                _ => true,
            },
        };
        if step {
            p += 1;
            t += 1;
            continue;
        }
        match &mut star {
            Some((after, from)) if *from < text.len() => {
                *from += 1;
                (p, t) = (*after, *from);
            }
            _ => return false,
        }
    }
}

fn group_matches(
    kind: char,
    choices: &[Pattern],
    rest: &[Piece],
    text: &[char],
    ignore_case: bool,
    fuel: &mut usize,
) -> bool {
    let any = |part: &[char], fuel: &mut usize| choices.iter().any(|c| run(&c.pieces, part, ignore_case, fuel));
    if matches!(kind, '?' | '*') && run(rest, text, ignore_case, fuel) {
        return true;
    }
    if kind == '!' {
        return (0..=text.len()).any(|n| !any(&text[..n], fuel) && run(rest, &text[n..], ignore_case, fuel));
    }
    for n in 0..=text.len() {
        if *fuel == 0 {
            return false;
        }
        if !any(&text[..n], fuel) {
            continue;
        }
        if run(rest, &text[n..], ignore_case, fuel) {
            return true;
        }
        if n > 0 && matches!(kind, '*' | '+') && group_matches('*', choices, rest, &text[n..], ignore_case, fuel) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let table = [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("?b", "ab", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]a]", "]", true),
            ("[[:digit:]]*", "1a", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[a", "[a", true),
            ("a*b*c*d*e", "abbbbbcccccdddd", false),
            ("*.tar.*", "x.tar.gz", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(Pattern::plain(pattern).matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn extended_patterns() {
        let table = [
            ("@(a|b)c", "bc", true),
            ("+(ab)", "ababab", true),
            ("+(ab)", "", false),
            ("*(a)b", "aaab", true),
            ("?(x)y", "y", true),
            ("!(a).c", "b.c", true),
            ("!(a)", "a", false),
        ];
        for (pattern, text, expected) in table {
            let chars: Vec<PatternChar> = pattern.chars().map(|c| PatternChar { c, quoted: false }).collect();
            assert_eq!(Pattern::new(&chars, true).matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn hostile_patterns_end() {
        let text: Vec<char> = "a".repeat(2000).chars().collect();
        assert!(!Pattern::plain(&("*a".repeat(200) + "b")).matches_chars(&text));
    }
}
