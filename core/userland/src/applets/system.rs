//! Processes and the machine: `ps`, `top`, `kill`, `killall`, `pidof`, `pgrep`, `free`, `uname`, `hostname`.

use super::users::Users;
use super::{Ending, Tool, sizes};
use crate::os::{Os, Pid, Signal};
use crate::sorted::Arrange;

/// What `/proc` tells of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Process {
    pid: Pid,
    ppid: Pid,
    group: Pid,
    session: Pid,
    comm: String,
    args: Vec<String>,
    state: char,
    tty: (u32, u32),
    /// In hundredths of a second.
    cpu: u64,
    started: u64,
    nice: i64,
    /// In KiB.
    vsz: u64,
    rss: u64,
    uid: u32,
    gid: u32,
}

impl Process {
    /// Reads `/proc/PID/stat`. The name is in parentheses and may have any in itself.
    fn parse(text: &str) -> Option<Process> {
        let (open, close) = (text.find('(')?, text.rfind(')')?);
        let f: Vec<&str> = text.get(close + 1..)?.split_whitespace().collect();
        let number = |i: usize| f.get(i).and_then(|n| n.parse::<i64>().ok()).unwrap_or(0);
        let tty = number(4) as u32;
        Some(Process {
            pid: text[..open].trim().parse().ok()?,
            comm: text.get(open + 1..close)?.to_string(),
            state: f.first()?.chars().next()?,
            ppid: number(1) as Pid,
            group: number(2) as Pid,
            session: number(3) as Pid,
            tty: (tty >> 8 & 0xfff, tty & 0xff),
            cpu: (number(11) + number(12)) as u64,
            nice: number(16),
            started: number(19) as u64,
            vsz: number(20) as u64 / 1024,
            rss: number(21).max(0) as u64 * 4,
            ..Process::default()
        })
    }

    /// The command line, or the name in brackets where there is none.
    fn command(&self) -> String {
        let Some(first) = self.args.first() else { return format!("[{}]", self.comm) };
        let base = first.trim_start_matches('-').rsplit('/').next().unwrap_or("");
        let line = self.args.join(" ");
        // A script is shown with its name in front.
        if self.comm.is_empty() || base.starts_with(&self.comm) { line } else { format!("{{{}}} {line}", self.comm) }
    }
}

async fn processes<O: Os>(t: &Tool<O>) -> Vec<Process> {
    let mut found = Vec::new();
    for entry in t.os.read_dir("/proc").unwrap_or_default() {
        if !entry.name.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        let folder = format!("/proc/{}", entry.name);
        let Some(mut process) = Process::parse(&t.text(&format!("{folder}/stat")).await) else { continue };
        let line = t.text(&format!("{folder}/cmdline")).await;
        process.args =
            line.trim_end_matches('\0').split('\0').map(str::to_string).filter(|_| !line.is_empty()).collect();
        if let Ok(stat) = t.os.stat(&folder) {
            (process.uid, process.gid) = (stat.uid, stat.gid);
        }
        found.push(process);
    }
    found.arrange_by_key(|p| p.pid);
    found
}

/// A column of `ps`: name, heading, width, whether on the right.
const COLUMNS: [(&str, &str, usize, bool); 18] = [
    ("user", "USER", 8, false),
    ("group", "GROUP", 8, false),
    ("comm", "COMMAND", 16, false),
    ("args", "COMMAND", 256, false),
    ("pid", "PID", 5, true),
    ("ppid", "PPID", 5, true),
    ("pgid", "PGID", 5, true),
    ("etime", "ELAPSED", 7, true),
    ("nice", "NI", 5, true),
    ("rgroup", "RGROUP", 8, false),
    ("ruser", "RUSER", 8, false),
    ("time", "TIME", 5, true),
    ("tty", "TT", 6, false),
    ("vsz", "VSZ", 4, true),
    ("sid", "SID", 5, true),
    ("stat", "STAT", 4, false),
    ("rss", "RSS", 4, true),
    ("cmd", "CMD", 256, false),
];

/// A size of memory in four places.
fn short(kib: u64) -> String {
    match kib {
        0..10_000 => kib.to_string(),
        10_000..10_240_000 => format!("{}m", kib / 1024),
        _ => format!("{}g", kib >> 20),
    }
}

fn cell(p: &Process, users: &Users, uptime: u64, name: &str) -> String {
    match name {
        "user" | "ruser" => users.user_or_number(p.uid).chars().take(8).collect(),
        "group" | "rgroup" => users.group_or_number(p.gid).chars().take(8).collect(),
        "comm" => p.comm.clone(),
        "args" | "cmd" => p.command(),
        "pid" => p.pid.to_string(),
        "ppid" => p.ppid.to_string(),
        "pgid" => p.group.to_string(),
        "sid" => p.session.to_string(),
        "nice" => p.nice.to_string(),
        "time" => format!("{}:{:02}", p.cpu / 6000, p.cpu / 100 % 60),
        "etime" => {
            let s = uptime.saturating_sub(p.started / 100);
            match s / 3600 {
                0 => format!("{:02}:{:02}", s / 60, s % 60),
                h => format!("{h}h{:02}", s / 60 % 60),
            }
        }
        "tty" if p.tty == (0, 0) => "?".to_string(),
        "tty" => format!("{},{}", p.tty.0, p.tty.1),
        "vsz" => short(p.vsz),
        "rss" => short(p.rss),
        _ => {
            let nice = match p.nice {
                0 => " ",
                n if n > 0 => "N",
                _ => "<",
            };
            let swapped = if p.rss == 0 && p.state != 'Z' { "W" } else { " " };
            format!("{}{swapped}{nice}", p.state)
        }
    }
}

pub async fn ps<O: Os>(t: &Tool<O>) -> Ending {
    // Letters of other systems' `ps` are let pass: there is one list.
    let mut formats = Vec::new();
    let mut words = t.args.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-o" => formats.push(words.next().ok_or_else(|| t.usage())?.clone()),
            w if w.starts_with("-o") => formats.push(w[2..].to_string()),
            _ => {}
        }
    }
    if formats.is_empty() {
        formats.push("pid,user,time,args".to_string());
    }
    let mut columns = Vec::new();
    for item in formats.iter().flat_map(|f| f.split([',', ' '])).filter(|i| !i.is_empty()) {
        let (name, heading) = item.split_once('=').map_or((item, None), |(n, h)| (n, Some(h)));
        let name = if name == "command" { "args" } else { name };
        let Some((name, known, width, right)) = COLUMNS.iter().find(|(n, ..)| *n == name) else {
            let names: Vec<&str> = COLUMNS[..17].iter().map(|c| c.0).collect();
            return Err(t.die(format_args!("bad -o argument '{name}', supported arguments: {}", names.join(","))));
        };
        let heading = heading.unwrap_or(known);
        columns.push((*name, heading, (*width).max(heading.len()), *right));
    }
    let users = Users::read(t).await;
    let uptime = t.os.uptime().as_secs();
    let row = |cells: Vec<String>, head: bool| {
        let mut line = String::new();
        for (at, (cell, (_, _, width, right))) in cells.iter().zip(&columns).enumerate() {
            let last = at + 1 == columns.len();
            line += &match *right && !head {
                true => format!("{cell:>width$}"),
                false if last => cell.clone(),
                false => format!("{cell:<width$}"),
            };
            if !last {
                line.push(' ');
            }
        }
        line
    };
    let width = if t.os.is_tty(1) { t.os.window_size(1).map_or(80, |s| usize::from(s.columns)) } else { usize::MAX };
    if columns.iter().any(|(_, heading, ..)| !heading.is_empty()) {
        t.line(row(columns.iter().map(|c| c.1.to_string()).collect(), true));
    }
    for p in processes(t).await {
        let cells = columns.iter().map(|c| cell(&p, &users, uptime, c.0)).collect();
        t.line(row(cells, false).chars().take(width).collect::<String>());
    }
    Ok(0)
}

/// A number of `/proc/meminfo`, in KiB.
fn meminfo(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

pub async fn free<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("bkmgh", &[])?;
    let info = t.text("/proc/meminfo").await;
    let show = |kib: u64| match o.last_of("bkmgh") {
        Some('b') => (kib * 1024).to_string(),
        Some('m') => (kib >> 10).to_string(),
        Some('g') => (kib >> 20).to_string(),
        Some('h') => sizes::human(kib * 1024),
        _ => kib.to_string(),
    };
    let get = |name| meminfo(&info, name);
    let cached = get("Buffers") + get("Cached") + get("SReclaimable");
    let (total, unused) = (get("MemTotal"), get("MemFree"));
    let used = total.saturating_sub(unused + cached);
    let row = |name: &str, values: &[u64]| {
        let cells: Vec<String> = values.iter().map(|v| format!("{:>11}", show(*v))).collect();
        t.line(format!("{name}{}", cells.join(" ")));
    };
    t.line("              total        used        free      shared  buff/cache   available");
    row("Mem:    ", &[total, used, unused, get("Shmem"), cached, get("MemAvailable")]);
    let (swap, left) = (get("SwapTotal"), get("SwapFree"));
    row("Swap:   ", &[swap, swap.saturating_sub(left), left]);
    Ok(0)
}

pub async fn top<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("bn:d:mH", &[])?;
    let batch = o.has('b') || !t.os.is_tty(1);
    let mut rounds: u64 = o.value('n').map_or(Ok(if batch && !o.has('b') { 1 } else { 0 }), |n| t.number(n))?;
    let pause = o.value('d').and_then(super::basics::duration).unwrap_or(std::time::Duration::from_secs(5));
    let users = Users::read(t).await;
    let mut before: Vec<Process> = Vec::new();
    let mut last = t.os.uptime();
    loop {
        let info = t.text("/proc/meminfo").await;
        let get = |name| meminfo(&info, name);
        let mut all = processes(t).await;
        let now = t.os.uptime();
        let span = (now.saturating_sub(last).as_millis() as u64 / 10).max(1);
        let share = |p: &Process| {
            let earlier = before.iter().find(|b| b.pid == p.pid).map_or(p.cpu, |b| b.cpu);
            (p.cpu.saturating_sub(earlier) * 100 / span).min(100)
        };
        all.arrange_by_key(|p| (std::cmp::Reverse(share(p)), std::cmp::Reverse(p.vsz), p.pid));
        if !batch {
            t.print("\x1b[H\x1b[J");
        }
        let busy: u64 = all.iter().map(share).sum::<u64>().min(100);
        let (total, unused) = (get("MemTotal"), get("MemFree"));
        t.line(format!(
            "Mem: {}K used, {unused}K free, {}K shrd, {}K buff, {}K cached",
            total.saturating_sub(unused),
            get("Shmem"),
            get("Buffers"),
            get("Cached")
        ));
        t.line(format!("CPU: {busy:3}% usr   0% sys   0% nic {:3}% idle   0% io   0% irq   0% sirq", 100 - busy));
        t.line(format!("Load average: {}", t.text("/proc/loadavg").await.trim_end()));
        t.line("  PID  PPID USER     STAT   VSZ %VSZ %CPU COMMAND");
        let rows = if batch { usize::MAX } else { t.os.window_size(1).map_or(24, |s| usize::from(s.rows)).max(6) - 5 };
        for p in all.iter().take(rows) {
            let user: String = users.user_or_number(p.uid).chars().take(8).collect();
            let percent = p.vsz * 100 / total.max(1);
            let (state, vsz) = (cell(p, &users, 0, "stat"), short(p.vsz));
            t.line(format!(
                "{:5} {:5} {user:<8} {state:<4} {vsz:>6} {percent:3}% {:3}% {}",
                p.pid,
                p.ppid,
                share(p),
                p.command()
            ));
        }
        t.flush().await;
        (before, last) = (all, now);
        rounds = rounds.wrapping_sub(1);
        if rounds == 0 || t.os.sleep(pause).await.is_err() {
            return Ok(0);
        }
    }
}

fn list_signals<O: Os>(t: &Tool<O>, words: &[String]) -> Ending {
    if words.is_empty() {
        (1..=31u8).for_each(|n| t.line(format!("{n:2}) {}", Signal(n).name())));
    }
    for word in words {
        match word.parse::<u32>() {
            // A status of the shell means the signal in it.
            Ok(n) => t.line(Signal((n & 127) as u8).name()),
            Err(_) => match Signal::parse(word) {
                Some(signal) => t.line(signal.0.to_string()),
                None => return Err(t.die(format_args!("unknown signal '{word}'"))),
            },
        }
    }
    Ok(0)
}

/// The signal in front of the words, and the others.
fn signal_of<'a, O: Os>(t: &Tool<O>, words: &'a [String]) -> Result<(Signal, &'a [String]), i32> {
    let read = |name: &str| Signal::parse(name).ok_or_else(|| t.die(format_args!("bad signal name '{name}'")));
    match words {
        [dash, rest @ ..] if dash == "--" => Ok((Signal::TERM, rest)),
        [flag, name, rest @ ..] if flag == "-s" => Ok((read(name)?, rest)),
        [first, rest @ ..] if first.len() > 1 && first.starts_with('-') => Ok((read(&first[1..])?, rest)),
        all => Ok((Signal::TERM, all)),
    }
}

pub async fn kill<O: Os>(t: &Tool<O>) -> Ending {
    if t.args.first().is_some_and(|a| a == "-l") {
        return list_signals(t, &t.args[1..]);
    }
    let (signal, pids) = signal_of(t, &t.args)?;
    if pids.is_empty() {
        return Err(t.die("you need to specify whom to kill"));
    }
    let mut status = 0;
    for word in pids {
        match word.parse::<Pid>() {
            Ok(pid) => {
                if let Err(e) = t.os.kill(pid, signal) {
                    status = t.die(format_args!("can't kill pid {pid}: {e}"));
                }
            }
            Err(_) => status = t.die(format_args!("invalid number '{word}'")),
        }
    }
    Ok(status)
}

fn is_named(p: &Process, name: &str) -> bool {
    let base = |word: &str| word.trim_start_matches('-').rsplit('/').next().unwrap_or("").to_string();
    p.comm == name
        || p.args.first().is_some_and(|a| base(a) == name || a == name)
        // A name that the kernel cut.
        || (p.comm.len() == 15 && name.starts_with(&p.comm))
}

pub async fn killall<O: Os>(t: &Tool<O>) -> Ending {
    let mut words = &t.args[..];
    let quiet = words.first().is_some_and(|w| w == "-q");
    words = &words[usize::from(quiet)..];
    if words.first().is_some_and(|w| w == "-l") {
        return list_signals(t, &words[1..]);
    }
    let (signal, names) = signal_of(t, words)?;
    if names.is_empty() {
        return Err(t.die("you need to specify whom to kill"));
    }
    let (all, own) = (processes(t).await, t.os.pid());
    let mut status = 0;
    for name in names {
        let found: Vec<&Process> = all.iter().filter(|p| p.pid != own && is_named(p, name)).collect();
        if found.is_empty() {
            status = 1;
            if !quiet {
                t.warn(format_args!("{name}: no process killed"));
            }
        }
        for p in found {
            if let Err(e) = t.os.kill(p.pid, signal) {
                status = t.die(format_args!("can't kill pid {}: {e}", p.pid));
            }
        }
    }
    Ok(status)
}

pub async fn pidof<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("so:", &[])?;
    let (all, own) = (processes(t).await, t.os.pid());
    let named = |p: &&Process| p.pid != own && o.rest.iter().any(|n| is_named(p, n));
    let mut pids: Vec<String> = all.iter().rev().filter(named).map(|p| p.pid.to_string()).collect();
    if o.has('s') {
        pids.truncate(1);
    }
    if pids.is_empty() {
        return Ok(1);
    }
    t.line(pids.join(" "));
    Ok(0)
}

/// `pgrep` and `pkill`.
pub async fn pgrep<O: Os>(t: &Tool<O>) -> Ending {
    use super::pattern::{Pattern, Syntax};
    let kills = t.name == "pkill";
    let (signal, words) = match t.args.first() {
        Some(w) if kills && w.len() > 2 && Signal::parse(&w[1..]).is_some() => signal_of(t, &t.args)?,
        _ => (Signal::TERM, &t.args[..]),
    };
    let o = t.options_of(words, "lafvxonP:s:u:", &[])?;
    let [text] = &o.rest[..] else { return Err(t.usage()) };
    let pattern = Pattern::any(std::slice::from_ref(text), Some(Syntax::Extended), false, false, o.has('x'));
    let pattern = pattern.map_err(|_| t.die(format_args!("bad regex '{text}'")))?;
    let own = t.os.pid();
    let mut found: Vec<Process> = processes(t).await;
    found.retain(|p| {
        let subject = if o.has('f') { p.command() } else { p.comm.clone() };
        p.pid != own && pattern.is_match(subject.as_bytes()) != o.has('v')
    });
    found.arrange_by_key(|p| (p.started, p.pid));
    if o.has('n') {
        found = found.pop().into_iter().collect();
    } else if o.has('o') {
        found.truncate(1);
    }
    for p in &found {
        match () {
            () if kills => drop(t.os.kill(p.pid, signal)),
            () if o.has('a') => t.line(format!("{} {}", p.pid, p.command())),
            () if o.has('l') => t.line(format!("{} {}", p.pid, p.comm)),
            () => t.line(p.pid.to_string()),
        }
    }
    Ok(i32::from(found.is_empty()))
}

pub async fn hostname<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("sfidF:", &[])?;
    let name = t.os.uname().nodename;
    match (o.rest.first(), o.last_of("sfid")) {
        (Some(new), _) => t.os.set_hostname(new).map_err(|e| t.die(format_args!("sethostname: {e}")))?,
        (None, Some('i')) => match super::resolve::resolve(t, &name).await {
            Some(ip) => t.line(format!("{ip} ")),
            None => return Err(t.die(format_args!("{name}: Unknown host"))),
        },
        (None, Some('s')) => t.line(name.split('.').next().unwrap_or("")),
        (None, Some('d')) => t.line(name.split_once('.').map_or("", |(_, d)| d)),
        (None, _) => t.line(name),
    }
    Ok(0)
}

pub async fn uname<O: Os>(t: &Tool<O>) -> Ending {
    let o = t.options("asnrvmpio", &[])?;
    let u = t.os.uname();
    let all = o.has('a');
    let fields = [
        ('s', u.sysname),
        ('n', u.nodename),
        ('r', u.release),
        ('v', u.version),
        ('m', u.machine),
        ('p', "unknown".to_string()),
        ('i', "unknown".to_string()),
        ('o', "GNU/Linux".to_string()),
    ];
    let none = "asnrvmpio".chars().all(|c| !o.has(c));
    let shown = fields.into_iter().filter(|(c, _)| match c {
        'p' | 'i' => o.has(*c),
        's' => all || none || o.has('s'),
        c => all || o.has(*c),
    });
    t.line(shown.map(|(_, text)| text).collect::<Vec<_>>().join(" "));
    Ok(0)
}

pub async fn arch<O: Os>(t: &Tool<O>) -> Ending {
    t.line(t.os.uname().machine);
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_parentheses() {
        let text = "7 (a) b) S 1 7 7 34816 7 0 0 0 0 0 150 50 0 0 20 5 1 0 300 2048000 25";
        let p = Process::parse(text).unwrap();
        assert_eq!((p.pid, p.comm.as_str(), p.state, p.ppid), (7, "a) b", 'S', 1));
        assert_eq!((p.cpu, p.nice, p.started, p.vsz, p.rss, p.tty), (200, 5, 300, 2000, 100, (136, 0)));
        assert_eq!(Process::parse("nonsense"), None);
    }
}
