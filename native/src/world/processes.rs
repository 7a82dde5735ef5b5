//! The processes of a container, and what it uses, as `/proc` and the control groups tell.

use super::LinuxWorld;
use super::container::state::stat_fields;
use super::network::netlink::Netlink;
use cutaway_core::world::{Fault, ProcessRow, Usage};
use std::fs;
use std::time::Duration;

/// Clock ticks a second, in which the kernel tells times here.
fn ticks() -> u64 {
    // SAFETY: sysconf only answers.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100).max(1)
}

fn of_ticks(n: u64) -> Duration {
    Duration::from_nanos(n.saturating_mul(1_000_000_000 / ticks()))
}

/// When the machine started, since the epoch.
fn boot_time() -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let seconds = text.lines().find_map(|l| l.strip_prefix("btime ")).and_then(|n| n.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

/// A user's name on the host, as `ps` would show it.
fn user_name(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_string())
    });
    found.unwrap_or_else(|| uid.to_string())
}

/// A terminal's device number as a name.
fn terminal(number: u32) -> String {
    let (major, minor) = (number >> 8 & 0xfff, number & 0xff | number >> 12 & 0xfff00);
    match major {
        0 => "?".into(),
        136..=143 => format!("pts/{}", (major - 136) * 256 + minor),
        4 => format!("tty{minor}"),
        _ => "?".into(),
    }
}

fn row(pid: i32, boot: Duration) -> Option<ProcessRow> {
    let fields = stat_fields(pid)?;
    let number = |i: usize| fields.get(i).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)).unwrap_or("").trim().to_string();
    let uid = field("Uid:").split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut args: Vec<String> = line.split(|b| *b == 0).map(|a| String::from_utf8_lossy(a).into_owned()).collect();
    if args.last().is_some_and(String::is_empty) {
        args.pop();
    }
    if args.is_empty() {
        args.push(format!("[{}]", field("Name:")));
    }
    Some(ProcessRow {
        pid,
        parent: number(1) as i32,
        user: user_name(uid),
        uid,
        args,
        tty: terminal(number(4) as u32),
        started: boot + of_ticks(number(19)),
        cpu: of_ticks(number(11) + number(12)),
        state: fields[0].chars().next().unwrap_or('?'),
    })
}

impl LinuxWorld {
    fn pids(&self, id: &str, init: i32) -> Vec<i32> {
        let grouped = self.cgroups.processes(id);
        if !grouped.is_empty() {
            return grouped;
        }
        // Without control groups: those in the first process's pid namespace.
        let space = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let Some(own) = space(init) else { return Vec::new() };
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| space(*pid).as_ref() == Some(&own)).collect()
    }

    pub(crate) fn process_rows(&self, id: &str) -> Result<Vec<ProcessRow>, Fault> {
        let init = self.pid_of(id)?;
        let boot = boot_time();
        let mut rows: Vec<ProcessRow> = self.pids(id, init).into_iter().filter_map(|pid| row(pid, boot)).collect();
        rows.sort_by_key(|r| r.pid);
        Ok(rows)
    }

    pub(crate) fn usage_of(&self, id: &str) -> Result<Usage, Fault> {
        let init = self.pid_of(id)?;
        let mut usage = Usage::default();
        self.cgroups.usage(id, &mut usage);
        let memory = memory_total();
        if usage.memory_limit == 0 || usage.memory_limit > memory {
            usage.memory_limit = memory;
        }
        if usage.pids == 0 {
            usage.pids = self.pids(id, init).len() as u64;
        }
        if let Ok(links) = Netlink::open_in(init).and_then(|mut n| n.links()) {
            for link in links.iter().filter(|l| l.name != "lo") {
                usage.received += link.received;
                usage.sent += link.sent;
            }
        }
        Ok(usage)
    }
}

/// Bytes of the machine's memory.
pub fn memory_total() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:")).unwrap_or("");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_by_number() {
        for (number, name) in [(0, "?"), (34816, "pts/0"), (34819, "pts/3"), (1025, "tty1")] {
            assert_eq!(terminal(number), name);
        }
    }
}
