//! Tools that let text through: `cat`, `tac`, `rev`, `nl`, `head`, `tail`, `wc`, `tee`, `uniq`, `fold`, `paste`,
//! `less`.

use super::{Ending, Tool};
use crate::os::{Fd, OpenFlags, Os, Whence};
use std::collections::VecDeque;
use std::time::Duration;

/// The files that were named, or standard input.
pub fn inputs(rest: &[String]) -> Vec<String> {
    if rest.is_empty() { vec!["-".to_string()] } else { rest.to_vec() }
}

pub async fn cat<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("nbvteAETsu", &[("number", 'n'), ("show-all", 'A')])?;
    let all = o.has('A');
    let show = Show { ends: all || o.has('e') || o.has('E'), tabs: all || o.has('t') || o.has('T') };
    let visible = all || o.has('v') || o.has('e') || o.has('t');
    let plain = !visible && !show.ends && !show.tabs && !o.has('n') && !o.has('b') && !o.has('s');
    let (mut status, mut number, mut blank) = (0, 0u64, false);
    for path in inputs(&o.rest) {
        let Some(fd) = t.open_or_warn(&path).await else {
            status = 1;
            continue;
        };
        let mut lines = t.lines(fd);
        loop {
            let read = match plain {
                true => t.read(fd).await.map(|chunk| (!chunk.is_empty()).then_some((chunk, false))),
                false => lines.until(b'\n').await,
            };
            match read {
                Ok(None) => break,
                Ok(Some((chunk, _))) if plain => t.print(chunk),
                Ok(Some((line, ended))) => {
                    let empty = line.is_empty();
                    if o.has('s') && empty && std::mem::replace(&mut blank, empty) {
                        continue;
                    }
                    blank = empty;
                    if (o.has('n') && !o.has('b')) || (o.has('b') && !empty) {
                        number += 1;
                        t.print(format!("{number:6}\t"));
                    }
                    t.print(if visible || show.tabs { show.line(&line, visible) } else { line });
                    t.print(if show.ends && ended { "$" } else { "" });
                    t.print(if ended { "\n" } else { "" });
                }
                Err(e) => {
                    status = t.die(format_args!("read error: {e}"));
                    break;
                }
            }
        }
        t.close(fd);
    }
    Ok(status)
}

struct Show {
    ends: bool,
    tabs: bool,
}

impl Show {
    /// Bytes that don't print as `^X` and `M-x`.
    fn line(&self, line: &[u8], visible: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(line.len());
        for b in line {
            let mut b = *b;
            if b == b'\t' && !self.tabs || !visible && b != b'\t' {
                out.push(b);
                continue;
            }
            if b >= 128 {
                out.extend_from_slice(b"M-");
                b -= 128;
            }
            match b {
                0..32 => out.extend_from_slice(&[b'^', b + 64]),
                127 => out.extend_from_slice(b"^?"),
                _ => out.push(b),
            }
        }
        out
    }
}

pub async fn tac<O: Os>(t: &Tool<O>) -> Ending {
    each_file(t, &inputs(&t.args), async |data| {
        let mut lines: Vec<&[u8]> = data.split_inclusive(|b| *b == b'\n').collect();
        lines.reverse();
        lines.iter().for_each(|l| t.print(l));
    })
    .await
}

pub async fn rev<O: Os>(t: &Tool<O>) -> Ending {
    each_file(t, &inputs(&t.args), async |data| {
        for line in String::from_utf8_lossy(&data).lines() {
            t.line(line.chars().rev().collect::<String>());
        }
    })
    .await
}

async fn each_file<O: Os>(t: &Tool<O>, paths: &[String], mut with: impl AsyncFnMut(Vec<u8>)) -> Ending {
    let mut status = 0;
    for path in paths {
        match t.read_file(path).await {
            Ok(data) => with(data).await,
            Err(e) => status = t.die(format_args!("{path}: {e}")),
        }
    }
    Ok(status)
}

pub async fn nl<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("b:w:s:i:v:", &[])?;
    let all = o.value('b') == Some("a");
    let width = o.value('w').map_or(Ok(6), |w| t.number(w))?;
    let mut number: i64 = o.value('v').map_or(Ok(1), |v| t.number(v))?;
    let separator = o.value('s').unwrap_or("\t").to_string();
    let step: i64 = o.value('i').map_or(Ok(1), |v| t.number(v))?;
    let mut status = 0;
    for path in inputs(&o.rest) {
        let Some(fd) = t.open_or_name(&path).await else {
            status = 1;
            continue;
        };
        let mut lines = t.lines(fd);
        while let Ok(Some(line)) = lines.next().await {
            if line.is_empty() && !all {
                t.line(" ".repeat(width + separator.len()));
                continue;
            }
            t.print(format!("{number:width$}{separator}"));
            t.line(line);
            number += step;
        }
        t.close(fd);
    }
    Ok(status)
}

/// Turns `-5` into `-n 5`, and for `tail` `+5` into `-n +5`.
fn old_count(args: &[String], plus: bool) -> Vec<String> {
    let mut words = Vec::new();
    for (at, word) in args.iter().enumerate() {
        let digits = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_digit());
        match word.strip_prefix('-') {
            Some(n) if digits(n) && !matches!(at.checked_sub(1).map(|i| args[i].as_str()), Some("-n" | "-c")) => {
                words.extend(["-n".to_string(), n.to_string()]);
            }
            _ if plus && at == 0 && word.strip_prefix('+').is_some_and(digits) => {
                words.extend(["-n".to_string(), word.clone()]);
            }
            _ => words.push(word.clone()),
        }
    }
    words
}

fn count<O: Os>(t: &Tool<O>, text: &str) -> Result<u64, i32> {
    super::sizes::parse(text).ok_or_else(|| t.die(format_args!("invalid number '{text}'")))
}

pub async fn head<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options_of(&old_count(&t.args, false), "n:c:qv", &[("lines", 'n'), ("bytes", 'c'), ("quiet", 'q')])?;
    let bytes = o.last_of("nc") == Some('c');
    let text = o.value(if bytes { 'c' } else { 'n' }).unwrap_or("10").to_string();
    let (all_but, n) = match text.strip_prefix('-') {
        Some(digits) => (true, count(t, digits)?),
        None => (false, count(t, &text)?),
    };
    let paths = inputs(&o.rest);
    let headings = o.has('v') || (paths.len() > 1 && !o.has('q'));
    let (mut status, mut gap) = (0, "");
    for path in &paths {
        let Some(fd) = t.open_or_name(path).await else {
            status = 1;
            continue;
        };
        if headings {
            let shown = if path == "-" { "standard input" } else { path };
            t.line(format!("{gap}==> {shown} <=="));
            gap = "\n";
        }
        let read = match (all_but, bytes) {
            (true, _) => t.read_to_end(fd).await.map(|data| t.print(all_but_last(&data, n as usize, bytes))),
            (false, true) => first_bytes(t, fd, n).await,
            (false, false) => first_lines(t, fd, n).await,
        };
        t.close(fd);
        if let Err(e) = read {
            status = t.die(format_args!("{path}: {e}"));
        }
    }
    Ok(status)
}

fn all_but_last(data: &[u8], n: usize, bytes: bool) -> &[u8] {
    if bytes {
        return &data[..data.len().saturating_sub(n)];
    }
    let lines: Vec<usize> = data.split_inclusive(|b| *b == b'\n').map(<[u8]>::len).collect();
    &data[..lines[..lines.len().saturating_sub(n)].iter().sum()]
}

async fn first_bytes<O: Os>(t: &Tool<O>, fd: Fd, mut left: u64) -> Result<(), crate::Errno> {
    while left > 0 {
        let chunk = t.read_at_most(fd, left.min(64 * 1024) as usize).await?;
        if chunk.is_empty() {
            break;
        }
        left -= chunk.len() as u64;
        t.print(chunk);
    }
    Ok(())
}

async fn first_lines<O: Os>(t: &Tool<O>, fd: Fd, mut left: u64) -> Result<(), crate::Errno> {
    while left > 0 {
        let chunk = t.read(fd).await?;
        if chunk.is_empty() {
            break;
        }
        let mut end = 0;
        for line in chunk.split_inclusive(|b| *b == b'\n') {
            end += line.len();
            if line.ends_with(b"\n") {
                left -= 1;
            }
            if left == 0 {
                break;
            }
        }
        t.print(&chunk[..end]);
        if end < chunk.len() {
            // What was read too far is for whoever reads the file next; a pipe can't be wound back.
            let _ = t.os.seek(fd, Whence::Current(end as i64 - chunk.len() as i64));
        }
    }
    Ok(())
}

pub async fn tail<O: Os>(t: &Tool<O>) -> Ending {
    let long = [("lines", 'n'), ("bytes", 'c'), ("follow", 'f'), ("quiet", 'q'), ("retry", 'F')];
    let o = t.options_of(&old_count(&t.args, true), "n:c:fFqvs:", &long)?;
    let bytes = o.last_of("nc") == Some('c');
    let text = o.value(if bytes { 'c' } else { 'n' }).unwrap_or("10").to_string();
    let (from_start, n) = match text.strip_prefix('+') {
        Some(digits) => (true, count(t, digits)?.saturating_sub(1)),
        None => (false, count(t, text.trim_start_matches('-'))?),
    };
    let paths = inputs(&o.rest);
    let headings = o.has('v') || (paths.len() > 1 && !o.has('q'));
    let (mut status, mut open) = (0, Vec::new());
    for path in &paths {
        let Some(fd) = t.open_or_warn(path).await else {
            status = 1;
            continue;
        };
        if headings {
            let gap = if open.is_empty() { "" } else { "\n" };
            t.line(format!("{gap}==> {} <==", if path == "-" { "standard input" } else { path }));
        }
        let read = match from_start {
            true => skip_then_copy(t, fd, n, bytes).await,
            false => last_part(t, fd, n as usize, bytes).await,
        };
        if let Err(e) = read {
            status = t.die(format_args!("{path}: {e}"));
        }
        open.push((path.clone(), fd));
    }
    if open.is_empty() {
        return Err(t.die("no files"));
    }
    if o.has('f') || o.has('F') {
        let pause = o.value('s').and_then(super::basics::duration).unwrap_or(Duration::from_secs(1));
        follow(t, &open, headings, pause).await;
    }
    Ok(status)
}

async fn skip_then_copy<O: Os>(t: &Tool<O>, fd: Fd, mut skip: u64, bytes: bool) -> Result<(), crate::Errno> {
    loop {
        let chunk = t.read(fd).await?;
        if chunk.is_empty() {
            return Ok(());
        }
        let mut at = 0;
        while skip > 0 && at < chunk.len() {
            skip -= u64::from(bytes || chunk[at] == b'\n');
            at += 1;
        }
        t.print(&chunk[at..]);
    }
}

async fn last_part<O: Os>(t: &Tool<O>, fd: Fd, n: usize, bytes: bool) -> Result<(), crate::Errno> {
    if bytes {
        let mut kept = VecDeque::new();
        loop {
            let chunk = t.read(fd).await?;
            if chunk.is_empty() {
                break;
            }
            kept.extend(chunk);
            kept.drain(..kept.len().saturating_sub(n));
        }
        t.print(Vec::from(kept));
        return Ok(());
    }
    let (mut lines, mut kept) = (t.lines(fd), VecDeque::new());
    while let Some((mut line, ended)) = lines.until(b'\n').await? {
        if ended {
            line.push(b'\n');
        }
        kept.push_back(line);
        if kept.len() > n {
            kept.pop_front();
        }
    }
    kept.iter().for_each(|l| t.print(l));
    Ok(())
}

async fn follow<O: Os>(t: &Tool<O>, open: &[(String, Fd)], headings: bool, pause: Duration) {
    let mut last = open.len() - 1;
    loop {
        for (at, (path, fd)) in open.iter().enumerate() {
            if let (Ok(stat), Ok(here)) = (t.os.fstat(*fd), t.os.seek(*fd, Whence::Current(0)))
                && stat.size < here
            {
                // The file was emptied: begin again.
                let _ = t.os.seek(*fd, Whence::Start(0));
            }
            while let Ok(chunk) = t.read(*fd).await {
                if chunk.is_empty() {
                    break;
                }
                if headings && at != last {
                    t.line(format!("\n==> {path} <=="));
                    last = at;
                }
                t.print(chunk);
            }
        }
        t.flush().await;
        let _ = t.os.sleep(pause).await;
    }
}

pub async fn wc<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("lwcmL", &[("lines", 'l'), ("words", 'w'), ("bytes", 'c'), ("chars", 'm')])?;
    let mut columns: Vec<usize> = "lwmcL".chars().enumerate().filter(|(_, c)| o.has(*c)).map(|(i, _)| i).collect();
    if columns.is_empty() {
        columns = vec![0, 1, 3];
    }
    let show = |counts: &[u64; 5], name: &str| {
        let cells: Vec<String> = match columns[..] {
            [one] if o.rest.len() < 2 => vec![counts[one].to_string()],
            _ => columns.iter().map(|c| format!("{:9}", counts[*c])).collect(),
        };
        let gap = if name.is_empty() { "" } else { " " };
        t.line(format!("{}{gap}{name}", cells.join(" ")));
    };
    let (mut status, mut totals) = (0, [0u64; 5]);
    for path in inputs(&o.rest) {
        let Some(fd) = t.open_or_name(&path).await else {
            status = 1;
            continue;
        };
        // Lines, words, characters, bytes, longest line.
        let (mut counts, mut in_word, mut length) = ([0u64; 5], false, 0);
        loop {
            let chunk = match t.read(fd).await {
                Ok(chunk) => chunk,
                Err(e) => {
                    status = t.die(format_args!("{path}: {e}"));
                    break;
                }
            };
            if chunk.is_empty() {
                break;
            }
            counts[3] += chunk.len() as u64;
            for b in chunk {
                counts[0] += u64::from(b == b'\n');
                counts[2] += u64::from(b & 0xc0 != 0x80);
                let space = b.is_ascii_whitespace() || b == 11;
                counts[1] += u64::from(in_word && space);
                in_word = !space && (in_word || b > 32);
                length = if b == b'\n' { 0 } else { length + u64::from(b & 0xc0 != 0x80) };
                counts[4] = counts[4].max(length);
            }
        }
        counts[1] += u64::from(in_word);
        t.close(fd);
        show(&counts, if o.rest.is_empty() { "" } else { &path });
        (0..4).for_each(|i| totals[i] += counts[i]);
        totals[4] = totals[4].max(counts[4]);
    }
    if o.rest.len() > 1 {
        show(&totals, "total");
    }
    Ok(status)
}

pub async fn tee<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("ai", &[("append", 'a')])?;
    let flags = if o.has('a') { OpenFlags::APPEND } else { OpenFlags::CREATE };
    let (mut status, mut outputs) = (0, Vec::new());
    for path in &o.rest {
        match t.os.open(path, flags, 0o666).await {
            Ok(fd) => outputs.push((path, fd)),
            Err(e) => status = t.die(format_args!("{path}: {e}")),
        }
    }
    loop {
        let chunk = t.read(0).await.map_err(|e| t.die(format_args!("read error: {e}")))?;
        if chunk.is_empty() {
            return Ok(status);
        }
        for (path, fd) in &outputs {
            if let Err(e) = t.write_all(*fd, &chunk).await {
                status = t.die(format_args!("{path}: {e}"));
            }
        }
        t.print(chunk);
    }
}

pub async fn uniq<O: Os>(t: &Tool<O>) -> Ending {
    let long = [("count", 'c'), ("repeated", 'd'), ("unique", 'u'), ("ignore-case", 'i')];
    let o = t.options("cduif:s:w:z", &long)?;
    let number = |c| o.value(c).map_or(Ok(0usize), |v| t.number(v));
    let (fields, chars) = (number('f')?, number('s')?);
    let width = o.value('w').map_or(Ok(usize::MAX), |v| t.number(v))?;
    let key = |line: &[u8]| {
        let mut rest = line;
        for _ in 0..fields {
            rest = rest.trim_ascii_start();
            rest = &rest[rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len())..];
        }
        let rest = &rest[chars.min(rest.len())..];
        let rest = &rest[..width.min(rest.len())];
        if o.has('i') { rest.to_ascii_lowercase() } else { rest.to_vec() }
    };
    let input = o.rest.first().map_or("-", String::as_str);
    let Some(fd) = t.open_or_warn(input).await else { return Err(1) };
    let target = match o.rest.get(1) {
        Some(path) if path != "-" => {
            let opened = t.os.open(path, OpenFlags::CREATE, 0o666).await;
            let to = opened.map_err(|e| t.die(format_args!("can't open '{path}': {e}")))?;
            let _ = t.os.dup2(to, 1);
            Some(to)
        }
        _ => None,
    };
    let end = if o.has('z') { 0 } else { b'\n' };
    let emit = |line: &[u8], count: u64| {
        if (o.has('d') && count < 2) || (o.has('u') && count > 1) {
            return;
        }
        if o.has('c') {
            t.print(format!("{count:7} "));
        }
        t.print(line);
        t.print([end]);
    };
    let (mut lines, mut last, mut count) = (t.lines(fd), None::<Vec<u8>>, 0);
    while let Some((line, _)) = lines.until(end).await.map_err(|e| t.die(format_args!("{input}: {e}")))? {
        match &last {
            Some(former) if key(former) == key(&line) => count += 1,
            _ => {
                if let Some(former) = last.replace(line) {
                    emit(&former, count);
                }
                count = 1;
            }
        }
    }
    if let Some(former) = last {
        emit(&former, count);
    }
    t.flush().await;
    target.into_iter().for_each(|fd| t.close(fd));
    Ok(0)
}

pub async fn fold<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("bsw:", &[("width", 'w'), ("spaces", 's')])?;
    let width = o.value('w').map_or(Ok(80usize), |w| t.number(w))?.max(1);
    let mut status = 0;
    for path in inputs(&o.rest) {
        let Some(fd) = t.open_or_name(&path).await else {
            status = 1;
            continue;
        };
        let mut lines = t.lines(fd);
        while let Ok(Some(line)) = lines.next().await {
            let text = String::from_utf8_lossy(&line);
            let mut rest: Vec<char> = text.chars().collect();
            while rest.len() > width {
                let space = rest[..width].iter().rposition(|c| *c == ' ').filter(|_| o.has('s'));
                let tail = rest.split_off(space.map_or(width, |s| s + 1));
                t.line(rest.iter().collect::<String>());
                rest = tail;
            }
            t.line(rest.iter().collect::<String>());
        }
        t.close(fd);
    }
    Ok(status)
}

pub async fn paste<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("d:s", &[("delimiters", 'd'), ("serial", 's')])?;
    let mut delimiters = Vec::new();
    super::printf::unescape(o.value('d').unwrap_or("\t").as_bytes(), false, &mut delimiters);
    let between = |i: usize| delimiters.get(i % delimiters.len().max(1)).copied();
    let mut sources = Vec::new();
    for path in inputs(&o.rest) {
        let fd = t.open_or_name(&path).await.ok_or(1)?;
        sources.push(t.lines(fd));
    }
    if o.has('s') {
        for source in &mut sources {
            let mut at = 0;
            while let Ok(Some(line)) = source.next().await {
                if at > 0 {
                    t.print(between(at - 1).map_or(Vec::new(), |b| vec![b]));
                }
                t.print(line);
                at += 1;
            }
            t.print("\n");
        }
        return Ok(0);
    }
    loop {
        let (mut row, mut any) = (Vec::new(), false);
        for (at, source) in sources.iter_mut().enumerate() {
            if at > 0 {
                row.extend(between(at - 1));
            }
            if let Ok(Some(line)) = source.next().await {
                row.extend(line);
                any = true;
            }
        }
        if !any {
            return Ok(0);
        }
        t.line(row);
    }
}

/// `less` and `more`: page by page on a terminal, else as `cat`.
pub async fn less<O: Os>(t: &Tool<O>) -> Ending {
    let paths: Vec<String> = t.args.iter().filter(|a| !a.starts_with('-') || *a == "-").cloned().collect();
    let keys = t.os.open("/dev/tty", OpenFlags::READ, 0).await.ok().filter(|_| t.os.is_tty(1));
    let rows = t.os.window_size(1).map_or(24, |s| usize::from(s.rows)).max(2);
    let (mut status, mut shown) = (0, 0);
    for path in inputs(&paths) {
        let Some(fd) = t.open_or_warn(&path).await else {
            status = 1;
            continue;
        };
        let mut lines = t.lines(fd);
        while let Ok(Some((line, ended))) = lines.until(b'\n').await {
            if let Some(tty) = keys.filter(|_| shown == rows - 1) {
                match page_key(t, tty).await {
                    b'q' | b'Q' | 3 => return Ok(status),
                    b'\r' | b'\n' | b'j' => shown -= 1,
                    _ => shown = 0,
                }
            }
            t.print(line);
            t.print(if ended { "\n" } else { "" });
            shown += 1;
        }
        t.close(fd);
    }
    Ok(status)
}

/// Shows the prompt and waits for a key.
async fn page_key<O: Os>(t: &Tool<O>, tty: Fd) -> u8 {
    use crate::os::TtyMode;
    t.print("\x1b[7m--More--\x1b[m");
    t.flush().await;
    let before = t.os.tty_mode(tty).unwrap_or(TtyMode::Cooked);
    let _ = t.os.set_tty_mode(tty, TtyMode::Raw);
    let key = t.os.read(tty, 8).await;
    let _ = t.os.set_tty_mode(tty, before);
    t.print("\r\x1b[K");
    key.ok().and_then(|k| k.first().copied()).unwrap_or(b'q')
}
