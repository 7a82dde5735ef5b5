//! Brace expansion: `a{b,c}d` and `{1..5..2}`, before anything else is expanded. Source: bash manual 3.5.1.

use super::syntax::{Part, Word};

/// Words that one word may become: `{1..9}{1..9}…` grows fast.
const MOST: usize = 20_000;

#[derive(Clone)]
enum Piece {
    Char(char),
    Part(Part),
}

/// The words that a word stands for; itself where it has no braces to expand.
pub fn expand(word: &Word) -> Vec<Word> {
    let has_braces = word.0.iter().any(|part| matches!(part, Part::Literal(text) if text.contains('{')));
    if !has_braces {
        return vec![word.clone()];
    }
    let mut pieces = Vec::new();
    for part in &word.0 {
        match part {
            Part::Literal(text) => pieces.extend(text.chars().map(Piece::Char)),
            part => pieces.push(Piece::Part(part.clone())),
        }
    }
    alternatives(&pieces, 0).iter().map(|pieces| join(pieces)).collect()
}

fn join(pieces: &[Piece]) -> Word {
    let mut parts: Vec<Part> = Vec::new();
    for piece in pieces {
        match (piece, parts.last_mut()) {
            (Piece::Char(c), Some(Part::Literal(text))) => text.push(*c),
            (Piece::Char(c), _) => parts.push(Part::Literal(c.to_string())),
            (Piece::Part(part), _) => parts.push(part.clone()),
        }
    }
    Word(parts)
}

fn alternatives(pieces: &[Piece], depth: usize) -> Vec<Vec<Piece>> {
    let whole = || vec![pieces.to_vec()];
    if depth > 50 {
        return whole();
    }
    for (open, piece) in pieces.iter().enumerate() {
        if !matches!(piece, Piece::Char('{')) {
            continue;
        }
        let Some((close, commas)) = closing(pieces, open) else { continue };
        let inner = &pieces[open + 1..close];
        let choices = if commas.is_empty() {
            match sequence(inner) {
                Some(texts) => texts.iter().map(|t| t.chars().map(Piece::Char).collect()).collect(),
                None => continue,
            }
        } else {
            let mut choices = Vec::new();
            let mut from = open + 1;
            for end in commas.iter().copied().chain([close]) {
                choices.extend(alternatives(&pieces[from..end], depth + 1));
                from = end + 1;
            }
            choices
        };
        let tails = alternatives(&pieces[close + 1..], depth + 1);
        let mut words = Vec::new();
        for choice in &choices {
            for tail in &tails {
                if words.len() >= MOST {
                    return whole();
                }
                words.push([&pieces[..open], choice, tail].concat());
            }
        }
        return words;
    }
    whole()
}

/// Where the brace at `open` is closed, and the commas between.
fn closing(pieces: &[Piece], open: usize) -> Option<(usize, Vec<usize>)> {
    let (mut depth, mut commas) = (0, Vec::new());
    for (i, piece) in pieces.iter().enumerate().skip(open + 1) {
        match piece {
            Piece::Char('{') => depth += 1,
            Piece::Char('}') if depth == 0 => return Some((i, commas)),
            Piece::Char('}') => depth -= 1,
            Piece::Char(',') if depth == 0 => commas.push(i),
            _ => {}
        }
    }
    None
}

/// `1..5`, `a..e`, each with a step.
fn sequence(inner: &[Piece]) -> Option<Vec<String>> {
    let text: Option<String> =
        inner.iter().map(|piece| if let Piece::Char(c) = piece { Some(*c) } else { None }).collect();
    let text = text?;
    let ends: Vec<&str> = text.split("..").collect();
    let (first, last, step) = match ends.as_slice() {
        [first, last] => (*first, *last, 1),
        [first, last, step] => (*first, *last, step.parse::<i64>().ok()?),
        _ => return None,
    };
    let single = |text: &str| {
        let mut chars = text.chars();
        chars.next().filter(|c| c.is_ascii_alphabetic() && chars.next().is_none()).map(|c| c as i64)
    };
    let width = if [first, last]
        .iter()
        .any(|t| t.trim_start_matches('-').starts_with('0') && t.trim_start_matches('-').len() > 1)
    {
        first.len().max(last.len())
    } else {
        0
    };
    let (from, to, letters) = match (first.parse::<i64>(), last.parse::<i64>()) {
        (Ok(from), Ok(to)) => (from, to, false),
        _ => (single(first)?, single(last)?, true),
    };
    let step = step.checked_abs()?.max(1);
    let count = from.abs_diff(to) / step as u64;
    if count >= MOST as u64 {
        return None;
    }
    let direction = if from <= to { step } else { -step };
    let show = |value: i64| match letters {
        true => char::from(value as u8).to_string(),
        false => format!("{value:0width$}"),
    };
    Some((0..=count as i64).map(|i| show(from + i * direction)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces() {
        let table = [
            ("a{b,c}d", "abd acd"),
            ("{a,b}{1..2}", "a1 a2 b1 b2"),
            ("{a,b{1,2}}", "a b1 b2"),
            ("{1..9..4}", "1 5 9"),
            ("{3..1}", "3 2 1"),
            ("{01..3}", "01 02 03"),
            ("{a..c}", "a b c"),
            ("{a}", "{a}"),
            ("{a,b", "{a,b"),
            ("{,x}", " x"),
            ("x{1..99999999}", "x{1..99999999}"),
        ];
        for (text, expected) in table {
            let words: Vec<String> =
                expand(&Word::literal(text)).iter().map(|w| w.plain().unwrap_or("?").to_string()).collect();
            assert_eq!(words.join(" "), expected, "{text}");
        }
    }
}
