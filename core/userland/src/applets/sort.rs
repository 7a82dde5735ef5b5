//! `sort`, `comm`, and how lines are compared; `shuf`.

use super::text::inputs;
use super::{Ending, Tool};
use crate::os::{Cost, OpenFlags, Os};
use crate::sorted::Arrange;
use std::cmp::Ordering;

/// How a key is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Order {
    numeric: bool,
    general: bool,
    human: bool,
    version: bool,
    month: bool,
    fold: bool,
    dictionary: bool,
    blanks: bool,
    reverse: bool,
}

impl Order {
    fn set(&mut self, letter: char) -> bool {
        match letter {
            'n' => self.numeric = true,
            'g' => self.general = true,
            'h' => self.human = true,
            'V' => self.version = true,
            'M' => self.month = true,
            'f' => self.fold = true,
            'd' => self.dictionary = true,
            'b' => self.blanks = true,
            'r' => self.reverse = true,
            'i' => {}
            _ => return false,
        }
        true
    }
    fn plain(self) -> bool {
        self == Order::default()
    }

    fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        let order = if self.numeric {
            number(a).total_cmp(&number(b))
        } else if self.general {
            general(a).total_cmp(&general(b))
        } else if self.human {
            (scale(a), number(a)).partial_cmp(&(scale(b), number(b))).unwrap_or(Ordering::Equal)
        } else if self.version {
            versions(a, b)
        } else if self.month {
            month(a).cmp(&month(b))
        } else {
            let (a, b) = (self.text(a), self.text(b));
            a.cmp(&b)
        };
        if self.reverse { order.reverse() } else { order }
    }
    fn text(self, text: &[u8]) -> Vec<u8> {
        let text = if self.blanks { text.trim_ascii_start() } else { text };
        let keep = |b: &u8| !self.dictionary || b.is_ascii_alphanumeric() || b.is_ascii_whitespace();
        let fold = |b: u8| if self.fold { b.to_ascii_uppercase() } else { b };
        text.iter().copied().filter(keep).map(fold).collect()
    }
}

/// The number in front, without exponents; 0 without one.
fn number(text: &[u8]) -> f64 {
    let text = text.trim_ascii_start();
    let sign = usize::from(text.first() == Some(&b'-'));
    let digits = text[sign..].iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    std::str::from_utf8(&text[..sign + digits]).ok().and_then(|n| n.parse().ok()).unwrap_or(0.0) + 0.0
}

fn general(text: &[u8]) -> f64 {
    let text = String::from_utf8_lossy(text);
    let word = text.split_whitespace().next().unwrap_or("");
    (1..=word.len()).rev().filter_map(|n| word.get(..n)?.parse().ok()).next().unwrap_or(f64::NEG_INFINITY)
}

fn scale(text: &[u8]) -> usize {
    let text = text.trim_ascii_start();
    let unit = text.iter().find(|b| !b.is_ascii_digit() && **b != b'.' && **b != b'-');
    unit.and_then(|u| b"KMGTPE".iter().position(|k| *k == u.to_ascii_uppercase())).map_or(0, |p| p + 1)
}

fn month(text: &[u8]) -> usize {
    let text = String::from_utf8_lossy(text.trim_ascii_start()).to_lowercase();
    let known = |m: &str| text.starts_with(&m[..3].to_lowercase());
    super::clock::MONTHS.iter().position(|m| known(m)).map_or(0, |p| p + 1)
}

/// Compares runs of digits as numbers: `v9` comes before `v10`.
pub fn versions(a: &[u8], b: &[u8]) -> Ordering {
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a[i].is_ascii_digit() && b[j].is_ascii_digit() {
            let run = |s: &[u8], at: usize| s[at..].iter().take_while(|c| c.is_ascii_digit()).count();
            let (m, n) = (run(a, i), run(b, j));
            let strip = |s: &[u8]| s[s.iter().take_while(|c| **c == b'0').count()..].to_vec();
            let (x, y) = (strip(&a[i..i + m]), strip(&b[j..j + n]));
            let order = x.len().cmp(&y.len()).then(x.cmp(&y));
            if order != Ordering::Equal {
                return order;
            }
            i += m;
            j += n;
        } else if a[i] != b[j] {
            return a[i].cmp(&b[j]);
        } else {
            i += 1;
            j += 1;
        }
    }
    (a.len() - i).cmp(&(b.len() - j))
}

/// One `-k`: fields and characters from 1; an end of field 0 is the end of the line.
#[derive(Clone, Copy, Debug)]
struct Key {
    start: (usize, usize),
    end: (usize, usize),
    order: Order,
}

impl Key {
    fn parse(text: &str) -> Option<Key> {
        let mut order = Order::default();
        let mut place = |text: &str| -> Option<(usize, usize)> {
            let letters = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
            if !text[letters..].chars().all(|c| order.set(c)) {
                return None;
            }
            match text[..letters].split_once('.') {
                Some((field, character)) => Some((field.parse().ok()?, character.parse().ok()?)),
                None => Some((text[..letters].parse().ok()?, 0)),
            }
        };
        let (start, end) = match text.split_once(',') {
            Some((start, end)) => (place(start)?, place(end)?),
            None => (place(text)?, (0, 0)),
        };
        (start.0 > 0).then_some(Key { start, end, order })
    }

    fn of<'a>(&self, line: &'a [u8], separator: Option<u8>) -> &'a [u8] {
        let fields = fields(line, separator);
        let Some(field) = fields.get(self.start.0 - 1) else { return &[] };
        let blanks = |from: usize| match self.order.blanks || self.order.numeric {
            true => line[from..].iter().take_while(|b| b.is_ascii_whitespace()).count(),
            false => 0,
        };
        let from = match self.start.1 {
            0 => field.0,
            n => field.0 + blanks(field.0) + n - 1,
        };
        let to = match self.end {
            (0, _) => line.len(),
            (n, 0) => fields.get(n - 1).map_or(line.len(), |f| f.1),
            (n, c) => fields.get(n - 1).map_or(line.len(), |f| (f.0 + blanks(f.0) + c).min(line.len())),
        };
        line.get(from..to).unwrap_or(&[])
    }
}

/// Where fields are. Without a separator a field begins with the blanks before it.
fn fields(line: &[u8], separator: Option<u8>) -> Vec<(usize, usize)> {
    let (mut found, mut from) = (Vec::new(), 0);
    match separator {
        Some(separator) => {
            for (at, b) in line.iter().enumerate() {
                if *b == separator {
                    found.push((from, at));
                    from = at + 1;
                }
            }
        }
        None => {
            for at in 1..line.len() {
                if line[at].is_ascii_whitespace() && !line[at - 1].is_ascii_whitespace() {
                    found.push((from, at));
                    from = at;
                }
            }
        }
    }
    found.push((from, line.len()));
    found
}

pub async fn sort<O: Os>(t: &Tool<O>) -> Ending {
    let long = [
        ("reverse", 'r'),
        ("unique", 'u'),
        ("numeric-sort", 'n'),
        ("key", 'k'),
        ("field-separator", 't'),
        ("check", 'c'),
        ("output", 'o'),
        ("version-sort", 'V'),
        ("human-numeric-sort", 'h'),
        ("ignore-case", 'f'),
        ("stable", 's'),
    ];
    let o = t.options("nrugMcszbdfihVo:k:t:T:S:m", &long)?;
    let mut global = Order::default();
    o.given().for_each(|(c, _)| {
        global.set(c);
    });
    let separator = match o.value('t') {
        Some("\\0") => Some(0),
        Some("\\t") => Some(b'\t'),
        Some(text) if text.len() != 1 => return Err(t.die("bad -t parameter")),
        Some(text) => text.bytes().next(),
        None => None,
    };
    let mut keys = Vec::new();
    for text in o.values('k') {
        let mut key = Key::parse(text).ok_or_else(|| t.die(format_args!("bad field specification '{text}'")))?;
        // Options in front hold for keys that have none of their own.
        if key.order.plain() {
            key.order = global;
        }
        keys.push(key);
    }
    let end = if o.has('z') { 0 } else { b'\n' };
    let mut all = Vec::new();
    for path in inputs(&o.rest) {
        let fd = t.open_or_name(&path).await.ok_or(2)?;
        let mut lines = t.lines(fd);
        while let Some((line, _)) = lines.until(end).await.map_err(|e| t.die(format_args!("{path}: {e}")))? {
            t.os.charge(Cost { cpu: 1, memory: line.len() as i64 + 24 }).await;
            all.push(line);
        }
        t.close(fd);
    }
    let by_keys = |a: &Vec<u8>, b: &Vec<u8>| match keys.is_empty() {
        true => global.compare(a, b),
        false => keys
            .iter()
            .map(|k| k.order.compare(k.of(a, separator), k.of(b, separator)))
            .find(|o| *o != Ordering::Equal)
            .unwrap_or(Ordering::Equal),
    };
    let compare = |a: &Vec<u8>, b: &Vec<u8>| {
        let last = if o.has('s') || o.has('u') { Ordering::Equal } else { a.cmp(b) };
        by_keys(a, b).then(if global.reverse { last.reverse() } else { last })
    };
    if o.has('c') {
        let wrong = |p: &&[Vec<u8>]| match o.has('u') {
            true => by_keys(&p[0], &p[1]) != Ordering::Less,
            false => compare(&p[0], &p[1]) == Ordering::Greater,
        };
        if let Some(at) = all.windows(2).position(|p| wrong(&p)) {
            t.line(format!("Check line {}", at + 1));
            return Ok(1);
        }
        return Ok(0);
    }
    t.os.charge(Cost { cpu: all.len() as u64, memory: 0 }).await;
    all.arrange_by(compare);
    if o.has('u') {
        all.dedup_by(|b, a| by_keys(a, b) == Ordering::Equal);
    }
    if let Some(path) = o.value('o') {
        let bytes: Vec<u8> = all.iter().flat_map(|l| l.iter().copied().chain([end])).collect();
        let written = t.write_file(path, &bytes, OpenFlags::CREATE, 0o666).await;
        written.map_err(|e| t.die(format_args!("can't open '{path}': {e}")))?;
        return Ok(0);
    }
    for line in all {
        t.print(line);
        t.print([end]);
        t.turn(1).await;
    }
    Ok(0)
}

pub async fn comm<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("123", &[])?;
    let [a, b] = &o.rest[..] else { return Err(t.usage()) };
    let (a, b) = (t.open_or_name(a).await.ok_or(1)?, t.open_or_name(b).await.ok_or(1)?);
    let (mut a, mut b) = (t.lines(a), t.lines(b));
    let failed = |e| t.die(e);
    let (mut left, mut right) = (a.next().await.map_err(failed)?, b.next().await.map_err(failed)?);
    let indent = |n: u8| "\t".repeat((1..n).filter(|k| !o.has((b'0' + *k) as char)).count());
    loop {
        let order = match (&left, &right) {
            (None, None) => return Ok(0),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(x), Some(y)) => x.cmp(y),
        };
        let column = match order {
            Ordering::Less => 1,
            Ordering::Greater => 2,
            Ordering::Equal => 3,
        };
        if let (Some(line), false) =
            (left.as_ref().filter(|_| column != 2).or(right.as_ref()), o.has((b'0' + column) as char))
        {
            t.print(indent(column));
            t.line(line);
        }
        if column != 2 {
            left = a.next().await.map_err(failed)?;
        }
        if column != 1 {
            right = b.next().await.map_err(failed)?;
        }
    }
}

pub async fn shuf<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("n:ei:", &[])?;
    let mut lines: Vec<Vec<u8>> = if o.has('e') {
        o.rest.iter().map(|w| w.clone().into_bytes()).collect()
    } else if let Some((from, to)) = o.value('i').and_then(|r| r.split_once('-')) {
        let (from, to): (u32, u32) = (t.number(from)?, t.number(to)?);
        (from..=to).take(1 << 20).map(|n| n.to_string().into_bytes()).collect()
    } else {
        let path = o.rest.first().map_or("-", String::as_str);
        let data = t.read_file(path).await.map_err(|e| t.die(format_args!("can't open '{path}': {e}")))?;
        data.strip_suffix(b"\n").unwrap_or(&data).split(|b| *b == b'\n').map(<[u8]>::to_vec).collect()
    };
    for at in (1..lines.len()).rev() {
        let random = t.os.random(8).iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
        lines.swap(at, (random % (at as u64 + 1)) as usize);
    }
    let most = o.value('n').map_or(Ok(usize::MAX), |n| t.number(n))?;
    lines.iter().take(most).for_each(|l| t.line(l));
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_pick_fields() {
        let key = |text: &str, line: &str, sep: Option<u8>| {
            String::from_utf8(Key::parse(text).unwrap().of(line.as_bytes(), sep).to_vec()).unwrap()
        };
        assert_eq!(key("2", "a:b:c", Some(b':')), "b:c");
        assert_eq!(key("2,2", "a:b:c", Some(b':')), "b");
        assert_eq!(key("2,2n", "a  10 x", None), "  10");
        assert_eq!(key("1.2,1.3", "abcd", None), "bc");
        assert_eq!(key("5", "a b", None), "");
        assert!(Key::parse("0").is_none() && Key::parse("x").is_none());
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(versions(b"v9", b"v10"), Ordering::Less);
        assert_eq!(versions(b"1.02", b"1.2"), Ordering::Equal);
    }
}
