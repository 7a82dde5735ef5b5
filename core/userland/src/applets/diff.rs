//! `diff`, in the unified form.

use super::{Ending, Tool};
use crate::os::{Cost, FileKind, Os};

/// Lines that stay, go and come, in their order: indexes into the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    Keep(usize, usize),
    Remove(usize),
    Add(usize),
}

/// Beyond so many differences the rest is shown as replaced as a whole: the search takes its square in memory.
const MOST_EDITS: usize = 2000;

/// The shortest way from one to the other (Myers, "An O(ND) difference algorithm", 1986).
fn edits(a: &[&[u8]], b: &[&[u8]]) -> Vec<Edit> {
    let (n, m) = (a.len(), b.len());
    let most = (n + m).min(MOST_EDITS);
    let width = 2 * most + 3;
    let middle = most + 1;
    let mut furthest = vec![0usize; width];
    let mut trace: Vec<Vec<usize>> = Vec::new();
    for d in 0..=most {
        trace.push(furthest[middle - d..=middle + d].to_vec());
        for k in (-(d as isize)..=d as isize).step_by(2) {
            let at = (middle as isize + k) as usize;
            let down = k == -(d as isize) || (k != d as isize && furthest[at - 1] < furthest[at + 1]);
            let mut x = if down { furthest[at + 1] } else { furthest[at - 1] + 1 };
            let mut y = (x as isize - k) as usize;
            while x < n && y < m && a[x] == b[y] {
                x += 1;
                y += 1;
            }
            furthest[at] = x;
            if x >= n && y >= m {
                return walk_back(&trace, d, n, m);
            }
        }
    }
    (0..n).map(Edit::Remove).chain((0..m).map(Edit::Add)).collect()
}

fn walk_back(trace: &[Vec<usize>], last: usize, n: usize, m: usize) -> Vec<Edit> {
    let (mut x, mut y, mut found) = (n, m, Vec::new());
    for d in (1..=last).rev() {
        let row = &trace[d];
        // The row holds the diagonals -d to d as they were before step d.
        let value = |k: isize| row.get((k + d as isize) as usize).copied().unwrap_or(0);
        let k = x as isize - y as isize;
        let down = k == -(d as isize) || (k != d as isize && value(k - 1) < value(k + 1));
        let from = if down { value(k + 1) } else { value(k - 1) };
        let from_y = (from as isize - if down { k + 1 } else { k - 1 }) as usize;
        let start = if down { (from, from_y + 1) } else { (from + 1, from_y) };
        while x > start.0 && y > start.1 {
            (x, y) = (x - 1, y - 1);
            found.push(Edit::Keep(x, y));
        }
        found.push(if down { Edit::Add(from_y) } else { Edit::Remove(from) });
        (x, y) = (from, from_y);
    }
    while x > 0 && y > 0 {
        (x, y) = (x - 1, y - 1);
        found.push(Edit::Keep(x, y));
    }
    found.reverse();
    found
}

/// The hunks of the unified form, with `context` lines around.
fn unified(a: &[&[u8]], b: &[&[u8]], context: usize) -> Vec<u8> {
    let all = edits(a, b);
    let changed: Vec<usize> =
        all.iter().enumerate().filter(|(_, e)| !matches!(e, Edit::Keep(..))).map(|(i, _)| i).collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < changed.len() {
        let mut end = at;
        while end + 1 < changed.len() && changed[end + 1] - changed[end] <= 2 * context + 1 {
            end += 1;
        }
        let from = changed[at].saturating_sub(context);
        let to = (changed[end] + context + 1).min(all.len());
        let before = |want: fn(&Edit) -> bool| all[..from].iter().filter(|e| want(e)).count();
        let inside = |want: fn(&Edit) -> bool| all[from..to].iter().filter(|e| want(e)).count();
        let old = |e: &Edit| !matches!(e, Edit::Add(_));
        let new = |e: &Edit| !matches!(e, Edit::Remove(_));
        let range = |start: usize, count: usize| match count {
            0 => format!("{start},0"),
            1 => format!("{}", start + 1),
            count => format!("{},{count}", start + 1),
        };
        let (left, right) = (range(before(old), inside(old)), range(before(new), inside(new)));
        out.extend_from_slice(format!("@@ -{left} +{right} @@\n").as_bytes());
        for edit in &all[from..to] {
            let (mark, line) = match edit {
                Edit::Keep(x, _) => (b' ', a[*x]),
                Edit::Remove(x) => (b'-', a[*x]),
                Edit::Add(y) => (b'+', b[*y]),
            };
            out.push(mark);
            out.extend_from_slice(line);
            if !line.ends_with(b"\n") {
                out.extend_from_slice(b"\n\\ No newline at end of file\n");
            }
        }
        at = end + 1;
    }
    out
}

pub async fn diff<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("uU:qrsabBdiNtTwL:", &[("unified", 'u'), ("brief", 'q'), ("recursive", 'r'), ("label", 'L')])?;
    let [left, right] = &o.rest[..] else { return Err(t.usage()) };
    let context = o.value('U').map_or(Ok(3usize), |n| t.number(n))?;
    let mut waiting = vec![(left.clone(), right.clone(), true)];
    let mut status = 0;
    while let Some((mut x, mut y, top)) = waiting.pop() {
        let stat = |path: &str| match path {
            "-" => Ok(FileKind::Regular),
            path => {
                t.os.stat(path).map(|s| s.kind).map_err(|e| (t.warn(format_args!("can't stat '{path}': {e}")), 2).1)
            }
        };
        let folders = (stat(&x)? == FileKind::Directory, stat(&y)? == FileKind::Directory);
        match folders {
            (true, true) => {
                let names = |path: &str| t.os.read_dir(path).unwrap_or_default().into_iter().map(|e| e.name);
                let (a, b): (Vec<String>, Vec<String>) = (names(&x).collect(), names(&y).collect());
                for name in a.iter().rev().filter(|n| b.contains(n)) {
                    let pair = (super::files::join(&x, name), super::files::join(&y, name));
                    if o.has('r') || t.os.stat(&pair.0).is_ok_and(|s| s.kind != FileKind::Directory) {
                        waiting.push((pair.0, pair.1, false));
                    }
                }
                for (folder, own, other) in [(&x, &a, &b), (&y, &b, &a)] {
                    for name in own.iter().filter(|n| !other.contains(n)) {
                        t.line(format!("Only in {folder}: {name}"));
                        status = status.max(1);
                    }
                }
                continue;
            }
            (true, false) => x = super::files::join(&x, super::basics::base_of(&y)),
            (false, true) => y = super::files::join(&y, super::basics::base_of(&x)),
            (false, false) => {}
        }
        let read = async |path: &str| t.read_file(path).await.map_err(|e| (t.warn(format_args!("{path}: {e}")), 2).1);
        let (a, b) = (read(&x).await?, read(&y).await?);
        if a == b {
            if o.has('s') {
                t.line(format!("Files {x} and {y} are identical"));
            }
            continue;
        }
        status = status.max(1);
        if o.has('q') {
            t.line(format!("Files {x} and {y} differ"));
            continue;
        }
        if a.contains(&0) || b.contains(&0) {
            t.line(format!("Binary files {x} and {y} differ"));
            continue;
        }
        t.os.charge(Cost { cpu: (a.len() + b.len()) as u64 / 64, memory: 0 }).await;
        let split = |data: &[u8], fold: bool| -> Vec<Vec<u8>> {
            let lines = data.split_inclusive(|c| *c == b'\n');
            lines.map(|l| if fold { l.to_ascii_lowercase() } else { l.to_vec() }).collect()
        };
        let (a, b) = (split(&a, o.has('i')), split(&b, o.has('i')));
        let (a, b): (Vec<&[u8]>, Vec<&[u8]>) = (a.iter().map(|l| &l[..]).collect(), b.iter().map(|l| &l[..]).collect());
        let hunks = unified(&a, &b, context);
        if hunks.is_empty() {
            continue;
        }
        if !top {
            t.line(format!("diff -r {x} {y}"));
        }
        let labels = o.values('L');
        t.line(format!("--- {}", labels.first().unwrap_or(&x.as_str())));
        t.line(format!("+++ {}", labels.get(1).unwrap_or(&y.as_str())));
        t.print(hunks);
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<&[u8]> {
        text.as_bytes().split_inclusive(|b| *b == b'\n').collect()
    }

    #[test]
    fn hunks_say_what_changed() {
        for (a, b, want) in [
            ("a\nb\nc\n", "a\nx\nc\nd\n", "@@ -1,3 +1,4 @@\n a\n-b\n+x\n c\n+d\n"),
            ("", "a\n", "@@ -0,0 +1 @@\n+a\n"),
            ("a\n", "", "@@ -1 +0,0 @@\n-a\n"),
            ("a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"),
            ("a\n", "a\n", ""),
        ] {
            assert_eq!(String::from_utf8(unified(&lines(a), &lines(b), 3)).unwrap(), want);
        }
    }
}
