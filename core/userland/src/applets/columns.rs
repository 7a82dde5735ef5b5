//! Tools that work on bytes and fields: `cut` and `tr`.

use super::text::inputs;
use super::{Ending, Tool, printf};
use crate::os::Os;
use crate::sorted::Arrange;

/// Ranges as `cut` takes them (`1,3-5,7-`), from zero, ends exclusive, sorted.
fn ranges(list: &str) -> Option<Vec<(usize, usize)>> {
    let mut ranges = Vec::new();
    for part in list.split([',', ' ']) {
        let (from, to) = match part.split_once('-') {
            Some(("", "")) => return None,
            Some(("", to)) => (1, to.parse().ok()?),
            Some((from, "")) => (from.parse().ok()?, usize::MAX),
            Some((from, to)) => (from.parse().ok()?, to.parse().ok()?),
            None => {
                let n = part.parse().ok()?;
                (n, n)
            }
        };
        if from == 0 || to < from {
            return None;
        }
        ranges.push((from - 1, to));
    }
    ranges.arrange();
    Some(ranges)
}

fn chosen(ranges: &[(usize, usize)], at: usize) -> bool {
    ranges.iter().any(|(from, to)| (*from..*to).contains(&at))
}

pub async fn cut<O: Os>(t: &Tool<O>) -> Ending {
    let long = [
        ("bytes", 'b'),
        ("characters", 'c'),
        ("fields", 'f'),
        ("delimiter", 'd'),
        ("only-delimited", 's'),
        ("output-delimiter", 'O'),
        ("complement", 'x'),
    ];
    let o = t.options("b:c:f:d:snO:x", &long)?;
    let kind = o.last_of("bcf").ok_or_else(|| t.die("expected a list of bytes, characters, or fields"))?;
    let list = o.value(kind).unwrap_or("");
    let ranges = ranges(list).ok_or_else(|| t.die(format_args!("invalid range {list}")))?;
    let delimiter = o.value('d').unwrap_or("\t");
    if delimiter.chars().count() > 1 {
        return Err(t.die("the delimiter must be a single character"));
    }
    let takes = |at| chosen(&ranges, at) != o.has('x');
    let join = o.value('O').unwrap_or(delimiter);
    let pick = |line: &[u8]| -> Option<Vec<u8>> {
        match kind {
            'f' if !contains(line, delimiter.as_bytes()) => (!o.has('s')).then(|| line.to_vec()),
            'f' => {
                let fields = split(line, delimiter.as_bytes());
                let picked = fields.iter().enumerate().filter(|(at, _)| takes(*at)).map(|(_, f)| *f);
                Some(picked.collect::<Vec<_>>().join(join.as_bytes()))
            }
            'c' if !line.is_ascii() => {
                let text = String::from_utf8_lossy(line);
                let picked = text.chars().enumerate().filter(|(at, _)| takes(*at)).map(|(_, c)| c);
                Some(picked.collect::<String>().into_bytes())
            }
            _ => Some(line.iter().enumerate().filter(|(at, _)| takes(*at)).map(|(_, b)| *b).collect()),
        }
    };
    let mut status = 0;
    for path in inputs(&o.rest) {
        let Some(fd) = t.open_or_name(&path).await else {
            status = 1;
            continue;
        };
        let mut lines = t.lines(fd);
        while let Some(line) = lines.next().await.map_err(|e| t.die(format_args!("{path}: {e}")))? {
            if let Some(picked) = pick(&line) {
                t.line(picked);
            }
        }
        t.close(fd);
    }
    Ok(status)
}

fn contains(line: &[u8], needle: &[u8]) -> bool {
    line.windows(needle.len().max(1)).any(|w| w == needle)
}

fn split<'a>(line: &'a [u8], delimiter: &[u8]) -> Vec<&'a [u8]> {
    let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
    while at + delimiter.len() <= line.len() {
        if line[at..].starts_with(delimiter) {
            parts.push(&line[from..at]);
            at += delimiter.len();
            from = at;
        } else {
            at += 1;
        }
    }
    parts.push(&line[from..]);
    parts
}

/// The bytes of a set of `tr`: ranges, classes, escapes.
fn set(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    let one = |at: usize| -> (u8, usize) {
        match bytes[at] {
            b'\\' if at + 1 < bytes.len() => {
                let (value, length) = printf::escape(&bytes[at + 1..], false).unwrap_or((bytes[at + 1], 1));
                (value, length + 1)
            }
            b => (b, 1),
        }
    };
    while at < bytes.len() {
        if let Some(rest) = text.get(at..).and_then(|r| r.strip_prefix("[:"))
            && let Some(end) = rest.find(":]")
            && let Some(class) = class(&rest[..end])
        {
            out.extend((0..=255u8).filter(|b| class(*b)));
            at += end + 4;
            continue;
        }
        if bytes[at..].starts_with(b"[=") && bytes.get(at + 3..at + 5) == Some(b"=]") {
            out.push(bytes[at + 2]);
            at += 5;
            continue;
        }
        let (first, length) = one(at);
        at += length;
        if bytes.get(at) == Some(&b'-') && at + 1 < bytes.len() {
            let (last, length) = one(at + 1);
            out.extend(first..=last);
            at += 1 + length;
        } else {
            out.push(first);
        }
    }
    out
}

fn class(name: &str) -> Option<fn(u8) -> bool> {
    Some(match name {
        "alpha" => |b| b.is_ascii_alphabetic(),
        "digit" => |b| b.is_ascii_digit(),
        "alnum" => |b| b.is_ascii_alphanumeric(),
        "upper" => |b| b.is_ascii_uppercase(),
        "lower" => |b| b.is_ascii_lowercase(),
        "space" => |b| b.is_ascii_whitespace() || b == 11,
        "blank" => |b| b == b' ' || b == b'\t',
        "punct" => |b| b.is_ascii_punctuation(),
        "cntrl" => |b| b.is_ascii_control(),
        "print" => |b| (32..127).contains(&b),
        "graph" => |b| b.is_ascii_graphic(),
        "xdigit" => |b| b.is_ascii_hexdigit(),
        _ => return None,
    })
}

pub async fn tr<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("+cCdst", &[("delete", 'd'), ("complement", 'c'), ("squeeze-repeats", 's')])?;
    let (first, second) = match &o.rest[..] {
        [first] if o.has('d') || o.has('s') => (set(first), None),
        [first, second] => (set(first), Some(set(second))),
        _ => return Err(t.usage()),
    };
    let complement = o.has('c') || o.has('C');
    let first: Vec<u8> = if complement { (0..=255).filter(|b| !first.contains(b)).collect() } else { first };
    let mut map: [u8; 256] = std::array::from_fn(|i| i as u8);
    let mut delete = [false; 256];
    let mut squeeze = [false; 256];
    if o.has('d') {
        first.iter().for_each(|b| delete[*b as usize] = true);
    } else if let Some(second) = &second {
        // The last of the second set stands for what is missing there.
        let Some(last) = second.last() else { return Err(t.die("STRING2 cannot be empty")) };
        for (at, b) in first.iter().enumerate() {
            map[*b as usize] = *second.get(at).unwrap_or(last);
        }
    }
    if o.has('s') {
        second.as_ref().unwrap_or(&first).iter().for_each(|b| squeeze[*b as usize] = true);
    }
    let mut former = None;
    loop {
        let chunk = t.read(0).await.map_err(|e| t.die(format_args!("read error: {e}")))?;
        if chunk.is_empty() {
            return Ok(0);
        }
        let mut out = Vec::with_capacity(chunk.len());
        for b in chunk {
            if delete[b as usize] {
                continue;
            }
            let b = map[b as usize];
            if squeeze[b as usize] && former == Some(b) {
                continue;
            }
            former = Some(b);
            out.push(b);
        }
        t.print(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_sets() {
        assert_eq!(ranges("1,3-4,6-"), Some(vec![(0, 1), (2, 4), (5, usize::MAX)]));
        for wrong in ["", "0", "-", "3-1", "a"] {
            assert_eq!(ranges(wrong), None, "{wrong}");
        }
        assert_eq!(set("a-c\\n\\0"), b"abc\n\0");
        assert_eq!(set("[:digit:]x"), b"0123456789x");
        assert_eq!(set("-a"), b"-a");
    }
}
