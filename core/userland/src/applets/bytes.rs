//! Tools for bytes: sums, `base64`, `cmp`, `od`, `hexdump`, `dd`, `strings`.

use super::text::inputs;
use super::{Ending, Tool, sizes};
use crate::os::{OpenFlags, Os, Whence};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base 64, RFC 4648.
pub fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let n = group.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - group.len()));
        for at in 0..4 {
            let digit = ALPHABET[(n >> (18 - 6 * at) & 63) as usize] as char;
            out.push(if at <= group.len() { digit } else { '=' });
        }
    }
    out
}

/// Reads base 64; white space is skipped. `None` for anything else, or a broken end.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut n, mut bits, mut digits) = (Vec::new(), 0u32, 0, 0usize);
    let mut bytes = text.iter().filter(|b| !b.is_ascii_whitespace());
    for b in bytes.by_ref() {
        digits += 1;
        if *b == b'=' {
            break;
        }
        n = n << 6 | ALPHABET.iter().position(|a| a == b)? as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((n >> bits) as u8);
            n &= (1 << bits) - 1;
        }
    }
    let rest = bytes.map(|b| (*b == b'=').then_some(())).collect::<Option<Vec<()>>>()?.len();
    (digits + rest).is_multiple_of(4).then_some(out)
}

pub async fn base64<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("dw:i", &[("decode", 'd'), ("wrap", 'w')])?;
    let path = o.rest.first().map_or("-", String::as_str);
    let data = t.read_file(path).await.map_err(|e| t.die(format_args!("{path}: {e}")))?;
    if o.has('d') {
        match decode(&data) {
            Some(out) => t.print(out),
            None => return Err(t.die("truncated input")),
        }
        return Ok(0);
    }
    let wrap = o.value('w').map_or(Ok(76usize), |w| t.number(w))?;
    let text = encode(&data);
    if wrap == 0 {
        t.print(text);
    } else {
        text.as_bytes().chunks(wrap).for_each(|l| t.line(l));
    }
    Ok(0)
}

/// The sum of a whole file, in hexadecimal.
async fn sum<O: Os, D: Digest>(t: &Tool<O>, path: &str) -> Option<String> {
    let fd = t.open_or_warn(path).await?;
    let mut digest = D::new();
    loop {
        match t.read(fd).await {
            Ok(chunk) if chunk.is_empty() => break,
            Ok(chunk) => digest.update(&chunk),
            Err(e) => {
                t.warn(format_args!("can't read '{path}': {e}"));
                return None;
            }
        }
    }
    t.close(fd);
    Some(digest.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

async fn sum_of<O: Os>(t: &Tool<O>, path: &str) -> Option<String> {
    match t.name.as_str() {
        "md5sum" => sum::<O, Md5>(t, path).await,
        "sha1sum" => sum::<O, Sha1>(t, path).await,
        "sha512sum" => sum::<O, Sha512>(t, path).await,
        _ => sum::<O, Sha256>(t, path).await,
    }
}

pub async fn sums<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("csbtw", &[("check", 'c'), ("status", 's'), ("binary", 'b')])?;
    let mut status = 0;
    if !o.has('c') {
        for path in inputs(&o.rest) {
            match sum_of(t, &path).await {
                Some(sum) => t.line(format!("{sum}  {path}")),
                None => status = 1,
            }
        }
        return Ok(status);
    }
    for list in inputs(&o.rest) {
        let Ok(data) = t.read_file(&list).await else {
            status = t.die(format_args!("can't open '{list}': No such file or directory"));
            continue;
        };
        let (mut failed, mut count) = (0, 0);
        for line in String::from_utf8_lossy(&data).lines() {
            count += 1;
            let Some((want, path)) = line.split_once(' ') else {
                failed += 1;
                continue;
            };
            let path = path.strip_prefix([' ', '*']).unwrap_or(path);
            let matches = sum_of(t, path).await.is_some_and(|s| s == want);
            failed += u64::from(!matches);
            if !o.has('s') {
                t.line(format!("{path}: {}", if matches { "OK" } else { "FAILED" }));
            }
        }
        if failed > 0 {
            status = 1;
            if !o.has('s') {
                t.warn(format_args!("WARNING: {failed} of {count} computed checksums did NOT match"));
            }
        }
    }
    Ok(status)
}

pub async fn cmp<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("slb", &[("silent", 's'), ("quiet", 's')])?;
    let (a, b) = match &o.rest[..] {
        [a] => (a.as_str(), "-"),
        [a, b, ..] => (a.as_str(), b.as_str()),
        [] => return Err(t.usage()),
    };
    let open = async |path: &str| match t.read_file(path).await {
        Ok(data) => Ok(data),
        Err(e) => {
            if !o.has('s') {
                t.warn(format_args!("{path}: {e}"));
            }
            Err(2)
        }
    };
    let (x, y) = (open(a).await?, open(b).await?);
    let (mut line, mut differs) = (1, false);
    for at in 0..x.len().min(y.len()) {
        if x[at] != y[at] {
            differs = true;
            if o.has('l') {
                t.line(format!("{:4} {:3o} {:3o}", at + 1, x[at], y[at]));
                continue;
            }
            if !o.has('s') {
                t.line(format!("{a} {b} differ: char {}, line {line}", at + 1));
            }
            return Ok(1);
        }
        line += i32::from(x[at] == b'\n');
    }
    if x.len() != y.len() {
        if !o.has('s') {
            t.warn(format_args!("EOF on {}", if x.len() < y.len() { a } else { b }));
        }
        return Ok(1);
    }
    Ok(i32::from(differs))
}

/// All inputs as one, as `od` and `hexdump` read them: from `skip`, at most `most` bytes.
async fn together<O: Os>(t: &Tool<O>, paths: &[String], skip: usize, most: usize) -> Result<(Vec<u8>, i32), i32> {
    let (mut all, mut status) = (Vec::new(), 0);
    for path in inputs(paths) {
        let Some(fd) = t.open_or_name(&path).await else {
            status = 1;
            continue;
        };
        // What comes from an endless device is cut where it is asked for.
        while all.len() < skip.saturating_add(most) {
            match t.read(fd).await {
                Ok(chunk) if chunk.is_empty() => break,
                Ok(chunk) => all.extend(chunk),
                Err(e) => {
                    status = t.die(format_args!("{path}: {e}"));
                    break;
                }
            }
        }
        t.close(fd);
    }
    all.drain(..skip.min(all.len()));
    all.truncate(most);
    Ok((all, status))
}

fn size_option<O: Os>(t: &Tool<O>, value: Option<&str>, default: usize) -> Result<usize, i32> {
    let Some(text) = value else { return Ok(default) };
    let hex = text.strip_prefix("0x").and_then(|h| usize::from_str_radix(h, 16).ok());
    let number = hex.or_else(|| sizes::parse(text).map(|n| n as usize));
    number.ok_or_else(|| t.die(format_args!("invalid number '{text}'")))
}

fn od_cell(kind: char, size: usize, bytes: &[u8]) -> String {
    let mut wide = [0u8; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let n = u64::from_le_bytes(wide);
    match kind {
        'c' => match bytes[0] {
            0 => "  \\0".to_string(),
            7 => "  \\a".to_string(),
            8 => "  \\b".to_string(),
            9 => "  \\t".to_string(),
            10 => "  \\n".to_string(),
            11 => "  \\v".to_string(),
            12 => "  \\f".to_string(),
            13 => "  \\r".to_string(),
            b @ 32..127 => format!("   {}", b as char),
            b => format!(" {b:03o}"),
        },
        'x' => format!(" {n:0width$x}", width = size * 2),
        'u' => format!(" {n:width$}", width = [0, 3, 5, 0, 10, 0, 0, 0, 20][size]),
        'd' => {
            let shift = 64 - 8 * size as u32;
            format!(" {:width$}", (n << shift) as i64 >> shift, width = [0, 4, 6, 0, 11, 0, 0, 0, 20][size])
        }
        _ => format!(" {n:0width$o}", width = [0, 3, 6, 0, 11, 0, 0, 0, 22][size]),
    }
}

pub async fn od<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("A:t:N:j:bcdoxvw::", &[])?;
    let mut kinds = Vec::new();
    for (letter, value) in o.given() {
        match letter {
            'b' => kinds.push(('o', 1)),
            'c' => kinds.push(('c', 1)),
            'd' => kinds.push(('u', 2)),
            'o' => kinds.push(('o', 2)),
            'x' => kinds.push(('x', 2)),
            't' => {
                let value = value.unwrap_or("o2");
                let kind = value.chars().next().filter(|c| "cdoux".contains(*c));
                let kind = kind.ok_or_else(|| t.die(format_args!("invalid type string '{value}'")))?;
                let size = match &value[1..] {
                    _ if kind == 'c' => 1,
                    "" | "4" | "I" => 4,
                    "1" | "C" => 1,
                    "2" | "S" => 2,
                    "8" | "L" => 8,
                    _ => return Err(t.die(format_args!("invalid type string '{value}'"))),
                };
                kinds.push((kind, size));
            }
            _ => {}
        }
    }
    if kinds.is_empty() {
        kinds.push(('o', 2));
    }
    let skip = size_option(t, o.value('j'), 0)?;
    let (data, status) = together(t, &o.rest, skip, size_option(t, o.value('N'), usize::MAX)?).await?;
    let place = |at: usize| match o.value('A') {
        Some("n") => String::new(),
        Some("x") => format!("{at:06x}"),
        Some("d") => format!("{at:07}"),
        _ => format!("{at:07o}"),
    };
    let width = o.value('w').and_then(|w| w.parse().ok()).filter(|w| (1..=1024).contains(w)).unwrap_or(16);
    let (mut last, mut starred) = (None, false);
    for (row, bytes) in data.chunks(width).enumerate() {
        if last == Some(bytes) && !o.has('v') && bytes.len() == width {
            if !std::mem::replace(&mut starred, true) {
                t.line("*");
            }
            continue;
        }
        (last, starred) = (Some(bytes), false);
        for (i, (kind, size)) in kinds.iter().enumerate() {
            let lead = place(skip + row * width);
            let lead = if i == 0 { lead } else { " ".repeat(lead.len()) };
            t.line(bytes.chunks(*size).fold(lead, |line, c| line + &od_cell(*kind, *size, c)));
        }
        t.turn(2).await;
    }
    if o.value('A') != Some("n") {
        t.line(place(skip + data.len()));
    }
    Ok(status)
}

pub async fn hexdump<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("Cn:s:vbcdxoe:", &[])?;
    let canonical = o.has('C') || t.name == "hd";
    let skip = size_option(t, o.value('s'), 0)?;
    let (data, status) = together(t, &o.rest, skip, size_option(t, o.value('n'), usize::MAX)?).await?;
    let (mut last, mut starred) = (None, false);
    for (row, bytes) in data.chunks(16).enumerate() {
        if last == Some(bytes) && !o.has('v') && bytes.len() == 16 {
            if !std::mem::replace(&mut starred, true) {
                t.line("*");
            }
            continue;
        }
        (last, starred) = (Some(bytes), false);
        let at = skip + row * 16;
        if canonical {
            let mut hex = String::new();
            for i in 0..16 {
                hex += &bytes.get(i).map_or("   ".to_string(), |b| format!(" {b:02x}"));
                hex += if i == 7 { " " } else { "" };
            }
            let text: String = bytes.iter().map(|b| if (32..127).contains(b) { *b as char } else { '.' }).collect();
            t.line(format!("{at:08x} {hex}  |{text}|"));
        } else {
            let words: String = bytes.chunks(2).map(|c| od_cell('x', 2, c)).collect();
            t.line(format!("{at:07x}{words:<40}"));
        }
        t.turn(2).await;
    }
    let end = skip + data.len();
    if end > 0 {
        t.line(if canonical { format!("{end:08x}") } else { format!("{end:07x}") });
    }
    Ok(status)
}

/// `if=x` and its like of `dd`.
#[derive(Default)]
struct Copy {
    input: Option<String>,
    output: Option<String>,
    input_block: u64,
    output_block: u64,
    count: Option<u64>,
    skip: u64,
    seek: u64,
    convert: Vec<String>,
    quiet: bool,
}

pub async fn dd<O: Os>(t: &Tool<O>) -> Ending {
    let mut c = Copy { input_block: 512, output_block: 512, ..Copy::default() };
    for word in &t.args {
        let Some((name, value)) = word.split_once('=') else { return Err(t.usage()) };
        let size = || sizes::parse(value).ok_or_else(|| t.die(format_args!("invalid number '{value}'")));
        match name {
            "if" => c.input = Some(value.to_string()),
            "of" => c.output = Some(value.to_string()),
            "bs" => (c.input_block, c.output_block) = (size()?, size()?),
            "ibs" => c.input_block = size()?,
            "obs" => c.output_block = size()?,
            "count" => c.count = Some(size()?),
            "skip" => c.skip = size()?,
            "seek" => c.seek = size()?,
            "conv" => c.convert = value.split(',').map(str::to_string).collect(),
            "status" => c.quiet = value == "none" || value == "noxfer",
            "iflag" | "oflag" => {}
            _ => return Err(t.usage()),
        }
    }
    if c.input_block == 0 || c.output_block == 0 || c.input_block > 1 << 30 {
        return Err(t.die(format_args!("invalid number '{}'", c.input_block)));
    }
    let failed = |path: &str, e| t.die(format_args!("can't open '{path}': {e}"));
    let source = match &c.input {
        Some(path) => t.os.open(path, OpenFlags::READ, 0).await.map_err(|e| failed(path, e))?,
        None => 0,
    };
    let keep = c.convert.iter().any(|w| w == "notrunc") || c.seek > 0;
    let target = match &c.output {
        Some(path) => {
            let flags = OpenFlags { truncate: !keep, ..OpenFlags::CREATE };
            t.os.open(path, flags, 0o666).await.map_err(|e| failed(path, e))?
        }
        None => 1,
    };
    if c.skip > 0 && t.os.seek(source, Whence::Current((c.skip * c.input_block) as i64)).is_err() {
        for _ in 0..c.skip {
            let _ = t.os.read(source, c.input_block as usize).await;
        }
    }
    if c.seek > 0 {
        let _ = t.os.seek(target, Whence::Start(c.seek * c.output_block));
    }
    let start = t.os.uptime();
    let (mut whole, mut part, mut bytes) = (0u64, 0u64, 0u64);
    let (mut written, mut status) = ((0u64, 0u64), 0);
    while c.count.is_none_or(|n| whole + part < n) {
        let mut chunk = match t.read_at_most(source, c.input_block as usize).await {
            Ok(chunk) => chunk,
            Err(e) => {
                status = t.die(format_args!("{}: {e}", c.input.as_deref().unwrap_or("standard input")));
                break;
            }
        };
        if chunk.is_empty() {
            break;
        }
        if chunk.len() as u64 == c.input_block {
            whole += 1
        } else {
            part += 1
        }
        if c.convert.iter().any(|w| w == "sync") {
            chunk.resize(c.input_block as usize, 0);
        }
        if let Err(e) = t.write_all(target, &chunk).await {
            status = t.die(format_args!("writing '{}': {e}", c.output.as_deref().unwrap_or("standard output")));
            break;
        }
        bytes += chunk.len() as u64;
        let full = chunk.len() as u64 / c.output_block;
        written.0 += full;
        written.1 += u64::from(chunk.len() as u64 > full * c.output_block);
    }
    t.close(source);
    t.close(target);
    if !c.quiet {
        t.complain(format_args!("{whole}+{part} records in\n{}+{} records out\n", written.0, written.1));
        let seconds = t.os.uptime().saturating_sub(start).as_secs_f64();
        let rate = (bytes as f64 / seconds.max(1e-6)) as u64;
        let (size, rate) = (sizes::human(bytes), sizes::human(rate));
        t.complain(format_args!("{bytes} bytes ({size}B) copied, {seconds:.6} seconds, {rate}B/s\n"));
    }
    Ok(status)
}

pub async fn strings<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("an:", &[])?;
    let least = o.value('n').map_or(Ok(4usize), |n| t.number(n))?;
    let (data, status) = together(t, &o.rest, 0, usize::MAX).await?;
    let printable = |b: &u8| (32..127).contains(b) || *b == b'\t';
    data.split(|b| !printable(b)).filter(|s| s.len() >= least).for_each(|s| t.line(s));
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_64_goes_both_ways() {
        for text in ["", "a", "ab", "abc", "hello world"] {
            assert_eq!(decode(encode(text.as_bytes()).as_bytes()).as_deref(), Some(text.as_bytes()));
        }
        assert_eq!(encode(b"ab"), "YWI=");
        for wrong in ["a", "ab!=", "YWI", "YQ==x"] {
            assert_eq!(decode(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
