//! The smallest tools: `true`, `echo`, `yes`, `seq`, `sleep`, `basename`, and their like.

use super::printf;
use super::{Ending, Tool};
use crate::os::{OpenFlags, Os};
use std::time::Duration;

pub async fn succeed<O: Os>(_: &Tool<O>) -> Ending {
    Ok(0)
}

pub async fn fail<O: Os>(_: &Tool<O>) -> Ending {
    Ok(1)
}

pub async fn echo<O: Os>(t: &Tool<O>) -> Ending {
    t.print(echoed(&t.args));
    Ok(0)
}

/// What `echo` writes for these words: `-n`, `-e` and `-E` in front are options.
pub fn echoed(words: &[String]) -> Vec<u8> {
    let (mut newline, mut escapes, mut first) = (true, false, 0);
    for word in words {
        if word.len() < 2 || !word.starts_with('-') || !word[1..].chars().all(|c| "neE".contains(c)) {
            break;
        }
        for c in word[1..].chars() {
            match c {
                'n' => newline = false,
                c => escapes = c == 'e',
            }
        }
        first += 1;
    }
    let text = words[first..].join(" ");
    let mut out = Vec::new();
    if escapes {
        if printf::unescape(text.as_bytes(), true, &mut out) {
            return out;
        }
    } else {
        out.extend_from_slice(text.as_bytes());
    }
    if newline {
        out.push(b'\n');
    }
    out
}

pub async fn printf<O: Os>(t: &Tool<O>) -> Ending {
    let args = if t.args.first().is_some_and(|a| a == "--") { &t.args[1..] } else { &t.args[..] };
    let Some((format, args)) = args.split_first() else { return Err(t.usage()) };
    let done = printf::printf(format, args);
    for complaint in &done.complaints {
        t.warn(complaint);
    }
    t.print(done.out);
    Ok(i32::from(!done.complaints.is_empty()))
}

pub async fn yes<O: Os>(t: &Tool<O>) -> Ending {
    let line = if t.args.is_empty() { "y\n".to_string() } else { t.args.join(" ") + "\n" };
    let many = line.repeat(1 + 4096 / line.len());
    loop {
        t.print(&many);
        t.flush().await;
        t.turn(2).await;
    }
}

pub async fn seq<O: Os>(t: &Tool<O>) -> Ending {
    // Negative numbers are no options.
    let (mut separator, mut wide, mut numbers) = ("\n".to_string(), false, Vec::new());
    let mut words = t.args.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-w" => wide = true,
            "-s" => separator = words.next().ok_or_else(|| t.usage())?.clone(),
            w if w.starts_with("-s") => separator = w[2..].to_string(),
            w => numbers.push(w),
        }
    }
    let parse = |text: &str| text.parse::<f64>().map_err(|_| t.usage());
    let (first, step, last) = match numbers[..] {
        [last] => ("1", "1", last),
        [first, last] => (first, "1", last),
        [first, step, last] => (first, step, last),
        _ => return Err(t.usage()),
    };
    let digits = [first, step].iter().map(|n| n.split_once('.').map_or(0, |(_, f)| f.len())).max().unwrap_or(0);
    let (from, by, to) = (parse(first)?, parse(step)?, parse(last)?);
    if by == 0.0 {
        return Err(t.die("increment is zero"));
    }
    let width = if wide { format!("{from:.digits$}").len().max(format!("{to:.digits$}").len()) } else { 0 };
    let count = ((to - from) / by + 1e-9).floor();
    let mut i = 0.0;
    while i <= count {
        if i > 0.0 {
            t.print(&separator);
        }
        let value = from + i * by;
        t.print(format!("{value:0width$.digits$}"));
        t.turn(1).await;
        i += 1.0;
    }
    if count >= 0.0 {
        t.print("\n");
    }
    Ok(0)
}

/// A time as `sleep` takes it: seconds with a fraction, or with `s`, `m`, `h` or `d` behind.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, factor) = match text.as_bytes().last()? {
        b's' => (&text[..text.len() - 1], 1.0),
        b'm' => (&text[..text.len() - 1], 60.0),
        b'h' => (&text[..text.len() - 1], 3600.0),
        b'd' => (&text[..text.len() - 1], 86400.0),
        _ => (text, 1.0),
    };
    if number == "inf" || number == "infinity" {
        return Some(Duration::from_secs(u64::from(u32::MAX)));
    }
    if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * factor).ok()
}

pub async fn sleep<O: Os>(t: &Tool<O>) -> Ending {
    if t.args.is_empty() {
        return Err(t.usage());
    }
    let mut total = Duration::ZERO;
    for word in &t.args {
        let time = duration(word).ok_or_else(|| t.die(format_args!("invalid number '{word}'")))?;
        total = total.saturating_add(time);
    }
    let _ = t.os.sleep(total).await;
    Ok(0)
}

pub async fn usleep<O: Os>(t: &Tool<O>) -> Ending {
    let time = t.number(t.args.first().ok_or_else(|| t.usage())?)?;
    let _ = t.os.sleep(Duration::from_micros(time)).await;
    Ok(0)
}

/// The last component of a path.
pub fn base_of(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() && !path.is_empty() {
        return "/";
    }
    trimmed.rsplit('/').next().unwrap_or("")
}

pub async fn basename<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("+as:z", &[])?;
    let suffix = match (o.value('s'), &o.rest[..]) {
        (Some(suffix), _) => suffix,
        (None, [_, suffix]) if !o.has('a') => suffix,
        _ => "",
    };
    let many = o.has('a') || o.has('s');
    if o.rest.is_empty() || (!many && o.rest.len() > 2) {
        return Err(t.usage());
    }
    for path in if many { &o.rest[..] } else { &o.rest[..1] } {
        let base = base_of(path);
        t.line(base.strip_suffix(suffix).filter(|b| !b.is_empty()).unwrap_or(base));
    }
    Ok(0)
}

/// The path without its last component.
pub fn folder_of(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rfind('/') {
        _ if trimmed.is_empty() && !path.is_empty() => "/",
        None => ".",
        Some(at) => match trimmed[..at].trim_end_matches('/') {
            "" => "/",
            folder => folder,
        },
    }
}

pub async fn dirname<O: Os>(t: &Tool<O>) -> Ending {
    if t.args.is_empty() {
        return Err(t.usage());
    }
    t.args.iter().for_each(|p| t.line(folder_of(p)));
    Ok(0)
}

pub async fn pwd<O: Os>(t: &Tool<O>) -> Ending {
    let cwd = t.os.cwd().map_err(|e| t.die(format_args!("getcwd: {e}")))?;
    t.line(cwd);
    Ok(0)
}

pub async fn sync<O: Os>(t: &Tool<O>) -> Ending {
    t.os.sync();
    Ok(0)
}

pub async fn nproc<O: Os>(t: &Tool<O>) -> Ending {
    let n = t.text("/proc/cpuinfo").await.lines().filter(|l| l.starts_with("processor")).count();
    t.line(n.max(1).to_string());
    Ok(0)
}

pub async fn hostid<O: Os>(t: &Tool<O>) -> Ending {
    t.line("00000000");
    Ok(0)
}

pub async fn tty<O: Os>(t: &Tool<O>) -> Ending {
    if !t.os.is_tty(0) {
        if t.args.first().is_none_or(|a| a != "-s") {
            t.line("not a tty");
        }
        return Ok(1);
    }
    t.line(t.os.read_link("/proc/self/fd/0").unwrap_or_else(|_| "/dev/tty".to_string()));
    Ok(0)
}

pub async fn stty<O: Os>(t: &Tool<O>) -> Ending {
    use crate::os::{TtyMode, WindowSize};
    let failed = |e| t.die(format_args!("standard input: {e}"));
    let mut words = t.args.iter();
    let mut mode = t.os.tty_mode(0).map_err(failed)?;
    let mut size = t.os.window_size(0).map_err(failed)?;
    if t.args.is_empty() {
        t.line(format!("speed 38400 baud; line = 0;\n{}", if mode == TtyMode::Raw { "-icanon -echo" } else { "sane" }));
    }
    while let Some(word) = words.next() {
        match word.as_str() {
            "size" => t.line(format!("{} {}", size.rows, size.columns)),
            "-a" => t.line(format!("speed 38400 baud; rows {}; columns {}; line = 0;", size.rows, size.columns)),
            "raw" | "-icanon" | "cbreak" => mode = TtyMode::Raw,
            "sane" | "cooked" | "-raw" | "icanon" | "echo" => mode = TtyMode::Cooked,
            "rows" | "cols" | "columns" => {
                let n = t.number(words.next().ok_or_else(|| t.usage())?)?;
                size = if word == "rows" { WindowSize { rows: n, ..size } } else { WindowSize { columns: n, ..size } };
                t.os.set_window_size(0, size).map_err(failed)?;
            }
            "-echo" => {}
            other => return Err(t.die(format_args!("invalid argument '{other}'"))),
        }
    }
    t.os.set_tty_mode(0, mode).map_err(failed)?;
    Ok(0)
}

pub async fn clear<O: Os>(t: &Tool<O>) -> Ending {
    t.print("\x1b[H\x1b[J");
    Ok(0)
}

pub async fn which<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("a", &[])?;
    if o.rest.is_empty() {
        return Err(t.usage());
    }
    let mut missing = 0;
    for name in &o.rest {
        match t.look_up(name) {
            Ok(path) if t.os.access(&path, 1).is_ok() => t.line(path),
            _ => missing = 1,
        }
    }
    Ok(missing)
}

pub async fn mktemp<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("dqup:t", &[])?;
    let folder = o.value('p').or(t.var("TMPDIR")).unwrap_or("/tmp");
    let template = match o.rest.first() {
        Some(given) if o.has('t') || o.has('p') => format!("{folder}/{given}"),
        Some(given) => given.clone(),
        None => format!("{folder}/tmp.XXXXXX"),
    };
    let stem = template.trim_end_matches('X');
    let letters = template.len() - stem.len();
    if letters < 6 {
        return Err(t.die(format_args!("{template}: Invalid argument")));
    }
    const ALPHABET: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    for _ in 0..100 {
        let tail: String = t.os.random(letters).iter().map(|b| ALPHABET[*b as usize % 62] as char).collect();
        let path = format!("{stem}{tail}");
        let made = if o.has('u') {
            Ok(())
        } else if o.has('d') {
            t.os.mkdir(&path, 0o700)
        } else {
            t.os.open(&path, OpenFlags { exclusive: true, ..OpenFlags::READ_WRITE }, 0o600).await.map(|fd| t.close(fd))
        };
        match made {
            Ok(()) => {
                t.line(path);
                return Ok(0);
            }
            Err(crate::Errno::EEXIST) => {}
            Err(e) if o.has('q') => return Err(i32::from(e.number() != 0)),
            Err(e) => return Err(t.die(format_args!("{template}: {e}"))),
        }
    }
    Err(t.die(format_args!("{template}: File exists")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cut_as_posix_says() {
        for (path, base, folder) in [
            ("/a/b", "b", "/a"),
            ("a", "a", "."),
            ("/", "/", "/"),
            ("a/b/", "b", "a"),
            ("//x", "x", "/"),
            ("", "", "."),
        ] {
            assert_eq!((base_of(path), folder_of(path)), (base, folder), "{path}");
        }
    }

    #[test]
    fn times_have_fractions_and_units() {
        assert_eq!(duration("1.5"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!(duration("x"), None);
        assert_eq!(duration("-1"), None);
        assert_eq!(duration(""), None);
    }
}
