//! The folder of one process in /proc.

use super::network;
use crate::sim::kernel::cred::CapSet;
use crate::sim::kernel::process::{Process, State};
use crate::sim::kernel::state::Kernel;
use crate::sim::kernel::vfs::Jump;
use crate::sim::kernel::vfs::mount::{Mount, flag_words};
use crate::sim::kernel::vfs::pseudo::Entry;
use cutaway_userland::Errno;
use cutaway_userland::os::{Limit, LimitPair, Pid, Result};
use std::rc::Rc;

/// Files, and their modes.
const FILES: [(&str, u32); 17] = [
    ("cgroup", 0o444),
    ("cmdline", 0o444),
    ("comm", 0o644),
    ("environ", 0o400),
    ("gid_map", 0o644),
    ("limits", 0o444),
    ("loginuid", 0o644),
    ("maps", 0o444),
    ("mountinfo", 0o444),
    ("mounts", 0o444),
    ("oom_score", 0o444),
    ("oom_score_adj", 0o644),
    ("setgroups", 0o644),
    ("stat", 0o444),
    ("statm", 0o444),
    ("status", 0o444),
    ("uid_map", 0o644),
];
const LINKS: [&str; 3] = ["cwd", "exe", "root"];
const NAMESPACES: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "user", "uts"];

pub(super) fn entry(k: &Kernel, pid: Pid, path: &[&str]) -> Option<Entry> {
    let process = k.processes.get(&pid)?;
    let entry = match path {
        [] => Entry::dir(),
        ["task"] => Entry::dir(),
        ["task", name, rest @ ..] => {
            let own = process.inner_pid().to_string();
            return (*name == own && rest.first() != Some(&"task")).then(|| entry(k, pid, rest))?;
        }
        ["fd"] => Entry { mode: 0o500, ..Entry::dir() },
        ["ns"] => Entry { mode: 0o511, ..Entry::dir() },
        ["net"] => Entry::dir(),
        ["fd", number] => {
            process.fds.get(number.parse().ok()?).ok()?;
            Entry { mode: 0o700, ..Entry::link() }
        }
        ["ns", kind] if NAMESPACES.contains(kind) => Entry::link(),
        ["net", name] => return network::FILES.contains(name).then(|| Entry::file(0o444)),
        [name] if LINKS.contains(name) => Entry::link(),
        [name] => Entry::file(FILES.iter().find(|(n, _)| n == name)?.1),
        _ => return None,
    };
    Some(entry.owned(process.creds.euid, process.creds.egid))
}

pub(super) fn list(k: &Kernel, pid: Pid, path: &[&str]) -> Vec<String> {
    let Ok(process) = k.process(pid) else { return Vec::new() };
    let names: Vec<&str> = match path {
        [] | ["task", _] => {
            let files = FILES.iter().map(|(name, _)| *name);
            files.chain(LINKS).chain(["fd", "ns", "net"]).chain((path.is_empty()).then_some("task")).collect()
        }
        ["task"] => return vec![process.inner_pid().to_string()],
        ["fd"] => return process.fds.iter().map(|(fd, _)| fd.to_string()).collect(),
        ["ns"] => NAMESPACES.to_vec(),
        ["net"] => network::FILES.to_vec(),
        _ => Vec::new(),
    };
    names.into_iter().map(String::from).collect()
}

/// Whether the reader may look into this process (`ptrace(2)`: the same user, or root).
fn may_look(k: &Kernel, pid: Pid) -> Result<()> {
    let (reader, process) = (k.process(k.current)?, k.process(pid)?);
    let same = reader.creds.euid == process.creds.uid && reader.creds.euid == process.creds.euid;
    if k.current == pid || same || reader.creds.effective.0 & (1 << 19) != 0 { Ok(()) } else { Err(Errno::EACCES) }
}

pub(super) fn read_link(k: &Kernel, pid: Pid, path: &[&str]) -> Result<String> {
    may_look(k, pid)?;
    let process = k.process(pid)?;
    let root = &k.process(k.current)?.root;
    match path {
        ["task", _, rest @ ..] => read_link(k, pid, rest),
        ["cwd"] => Ok(k.path_of(&process.cwd, root)),
        ["root"] => Ok(k.path_of(&process.root, root)),
        ["exe"] => process.exe.as_ref().map(|exe| k.path_of(exe, root)).ok_or(Errno::ENOENT),
        ["fd", number] => {
            let file = process.fds.get(number.parse().map_err(|_| Errno::ENOENT)?)?;
            Ok(file.place.as_ref().map_or_else(|| file.label.clone(), |place| k.path_of(place, root)))
        }
        ["ns", kind] => {
            let number = process.ns.number(kind).ok_or(Errno::ENOENT)?;
            Ok(format!("{}:[{number}]", kind.trim_end_matches("_for_children")))
        }
        _ => Err(Errno::EINVAL),
    }
}

pub(super) fn jump(k: &Kernel, pid: Pid, path: &[&str]) -> Option<Result<Jump>> {
    let process = k.processes.get(&pid)?;
    let jump = match path {
        ["cwd"] => Jump::Place(process.cwd.clone()),
        ["root"] => Jump::Place(process.root.clone()),
        ["exe"] => Jump::Place(process.exe.clone()?),
        ["fd", number] => {
            let file = process.fds.get(number.parse().ok()?).ok()?;
            match &file.place {
                Some(place) => Jump::Place(place.clone()),
                None => Jump::File(Rc::clone(file)),
            }
        }
        _ => return None,
    };
    Some(may_look(k, pid).map(|()| jump))
}

pub(super) fn read(k: &Kernel, namespace: u64, pid: Pid, path: &[&str]) -> Result<Vec<u8>> {
    let process = k.process(pid)?;
    let text = match path {
        ["task", _, rest @ ..] => return read(k, namespace, pid, rest),
        ["net", name] => network::read(k, &process.ns.net, name),
        ["cmdline"] if process.is_zombie() => return Ok(Vec::new()),
        ["cmdline"] => return Ok(process.command_line()),
        ["comm"] => format!("{}\n", process.name),
        ["environ"] => {
            may_look(k, pid)?;
            return Ok(process.env.iter().flat_map(|(n, v)| format!("{n}={v}\0").into_bytes()).collect());
        }
        ["cgroup"] => {
            let path = k.cgroups.path(process.cgroup);
            let root = k.process(k.current).map_or_else(|_| "/".into(), |p| k.cgroups.path(p.ns.cgroup_root));
            let inner = path.strip_prefix(root.trim_end_matches('/')).unwrap_or(&path);
            format!("0::{}\n", if inner.is_empty() { "/" } else { inner })
        }
        ["status"] => status(k, namespace, process),
        ["stat"] => stat(k, namespace, process),
        ["statm"] => {
            let pages = process.memory / 4096;
            format!("{} {pages} {} 1 0 {pages} 0\n", pages * 4, pages / 2)
        }
        ["mounts"] => mounts(k, process, false),
        ["mountinfo"] => mounts(k, process, true),
        ["limits"] => limits(process),
        ["oom_score"] => format!("{}\n", (process.oom_score_adj + 1000).max(0) * 2 / 3),
        ["oom_score_adj"] => format!("{}\n", process.oom_score_adj),
        ["uid_map" | "gid_map"] => format!("{:>10} {:>10} {:>10}\n", 0, 0, 4_294_967_295_u32),
        ["setgroups"] => "allow\n".into(),
        ["loginuid"] => "4294967295".into(),
        ["maps"] => String::new(),
        _ => return Err(Errno::EINVAL),
    };
    Ok(text.into_bytes())
}

pub(super) fn write(k: &mut Kernel, pid: Pid, file: &str, text: &str) -> Result<()> {
    match file {
        "oom_score_adj" => {
            let score: i32 = text.parse().map_err(|_| Errno::EINVAL)?;
            if !(-1000..=1000).contains(&score) {
                return Err(Errno::EINVAL);
            }
            let lower = score < k.process(pid)?.oom_score_adj;
            if lower && !k.process(k.current)?.creds.can(crate::sim::kernel::cred::Cap::SysResource) {
                return Err(Errno::EACCES);
            }
            k.process_mut(pid)?.oom_score_adj = score;
            Ok(())
        }
        "comm" => {
            k.process_mut(pid)?.name = text.chars().take(15).collect();
            Ok(())
        }
        "uid_map" | "gid_map" | "setgroups" | "loginuid" => Ok(()),
        _ => Err(Errno::EACCES),
    }
}

/// The letter that `ps` shows, and the word for it.
pub(crate) fn state(process: &Process) -> (char, &'static str) {
    match process.state {
        State::Zombie(_) => ('Z', "zombie"),
        State::Stopped(_) => ('T', "stopped"),
        State::Running if process.computing => ('R', "running"),
        State::Held | State::Running => ('S', "sleeping"),
    }
}

fn status(k: &Kernel, namespace: u64, process: &Process) -> String {
    let c = &process.creds;
    let host = process.ids.first().map_or(0, |(_, pid)| *pid);
    let pid = k.inner_pid(namespace, host);
    let (letter, word) = if host == k.current { ('R', "running") } else { state(process) };
    let position = process.ids.iter().position(|(ns, _)| *ns == namespace).unwrap_or(0);
    let ids: Vec<String> = process.ids[position..].iter().map(|(_, pid)| pid.to_string()).collect();
    let groups: String = c.groups.iter().map(|g| format!("{g} ")).collect();
    let cap = |name: &str, set: CapSet| format!("{name}:\t{:016x}\n", set.0);
    let mut text = format!(
        "Name:\t{}\nUmask:\t{:04o}\nState:\t{letter} ({word})\nTgid:\t{pid}\nNgid:\t0\nPid:\t{pid}\nPPid:\t{}\nTracerPid:\t0\n",
        process.name,
        process.umask,
        k.inner_pid(namespace, process.parent),
    );
    text += &format!("Uid:\t{}\t{}\t{}\t{}\n", c.uid, c.euid, c.suid, c.euid);
    text += &format!("Gid:\t{}\t{}\t{}\t{}\n", c.gid, c.egid, c.sgid, c.egid);
    text += &format!("FDSize:\t64\nGroups:\t{groups}\nNStgid:\t{0}\nNSpid:\t{0}\n", ids.join("\t"));
    if !process.is_zombie() {
        let kb = process.memory / 1024;
        text += &format!("VmPeak:\t{:>8} kB\nVmSize:\t{:>8} kB\nVmRSS:\t{kb:>8} kB\n", kb * 4, kb * 4);
    }
    text += "Threads:\t1\nSigQ:\t0/15000\n";
    text += &cap("CapInh", c.inheritable);
    text += &cap("CapPrm", c.permitted);
    text += &cap("CapEff", c.effective);
    text += &cap("CapBnd", c.bounding);
    text += &cap("CapAmb", c.ambient);
    text += &format!("NoNewPrivs:\t{}\nSeccomp:\t{}\n", u8::from(c.no_new_privileges), c.seccomp);
    text += &format!("Seccomp_filters:\t{}\n", u8::from(c.seccomp == 2));
    let mask = (1u64 << k.config.cpus) - 1;
    text + &format!("Cpus_allowed:\t{mask:x}\nCpus_allowed_list:\t0-{}\n", k.config.cpus.saturating_sub(1))
}

/// One line of 52 numbers; what is not modelled is 0.
fn stat(k: &Kernel, namespace: u64, process: &Process) -> String {
    let host = process.ids.first().map_or(0, |(_, pid)| *pid);
    let letter = if host == k.current { 'R' } else { state(process).0 };
    let tty = k.terminals.get(&process.session);
    let tty_nr = tty.and_then(|t| t.index.get()).map_or(0, |n| (136 << 8) + n);
    let foreground = tty.map_or(-1, |t| k.inner_group(namespace, t.foreground.get()));
    let ticks = |time: std::time::Duration| time.as_millis() / 10;
    let started = process.started.saturating_sub(k.config.epoch);
    let mut fields = vec![
        k.inner_pid(namespace, host).to_string(),
        format!("({})", process.name),
        letter.to_string(),
        k.inner_pid(namespace, process.parent).to_string(),
        k.inner_group(namespace, process.group).to_string(),
        k.inner_group(namespace, process.session).to_string(),
        tty_nr.to_string(),
        foreground.to_string(),
    ];
    fields.extend(["4194304", "0", "0", "0", "0"].map(String::from));
    fields.push(ticks(process.user_time).to_string());
    fields.push(ticks(process.system_time).to_string());
    fields.push(ticks(process.children_time.0).to_string());
    fields.push(ticks(process.children_time.1).to_string());
    fields.push((20 + process.nice).to_string());
    fields.push(process.nice.to_string());
    fields.extend(["1".to_string(), "0".to_string(), ticks(started).to_string()]);
    fields.push((process.memory * 4).to_string());
    fields.push((process.memory / 4096).to_string());
    fields.resize(52, "0".to_string());
    format!("{}\n", fields.join(" "))
}

/// The mounts below a process's root, in either format.
fn mounts(k: &Kernel, process: &Process, info: bool) -> String {
    let table = process.ns.mnt.borrow();
    let mut text = String::new();
    for mount in table.mounts.values() {
        let Some(target) = mount_target(k, process, mount) else { continue };
        let fs = mount.root.fs();
        let words = flag_words(mount.flags, mount.read_only());
        let own = if mount.read_only_fs { "ro" } else { "rw" };
        let options = if mount.options.is_empty() { String::new() } else { format!(",{}", mount.options) };
        let (source, target) = (escape(&mount.source), escape(&target));
        text += &if info {
            format!(
                "{} {} 0:{} {} {target} {words} - {} {source} {own}{options}\n",
                mount.id,
                mount.parent.unwrap_or(1),
                fs.dev,
                escape(&mount.root_path),
                fs.kind,
            )
        } else {
            format!("{source} {target} {} {words}{options} 0 0\n", fs.kind)
        };
    }
    text
}

/// Where a mount stands, as the process sees it; `None` where it does not.
fn mount_target(k: &Kernel, process: &Process, mount: &Mount) -> Option<String> {
    let Some(point) = &mount.point else { return (process.root.mount == mount.id).then(|| "/".to_string()) };
    if process.root.mount == mount.id {
        return Some("/".into());
    }
    let mut at = Some(point.clone());
    while let Some(place) = at {
        if place.same(&process.root) {
            return Some(k.path_of(point, &process.root));
        }
        at = place.above.clone();
    }
    None
}

/// Blanks and the like as the kernel writes them.
fn escape(text: &str) -> String {
    text.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011").replace('\n', "\\012")
}

fn limits(process: &Process) -> String {
    let rows = [
        ("Max cpu time", Limit::Cpu, "seconds"),
        ("Max file size", Limit::FileSize, "bytes"),
        ("Max data size", Limit::Data, "bytes"),
        ("Max stack size", Limit::Stack, "bytes"),
        ("Max core file size", Limit::Core, "bytes"),
        ("Max resident set", Limit::Rss, "bytes"),
        ("Max processes", Limit::Processes, "processes"),
        ("Max open files", Limit::OpenFiles, "files"),
        ("Max locked memory", Limit::LockedMemory, "bytes"),
        ("Max address space", Limit::AddressSpace, "bytes"),
        ("Max file locks", Limit::FileLocks, "locks"),
        ("Max pending signals", Limit::PendingSignals, "signals"),
        ("Max msgqueue size", Limit::MessageQueues, "bytes"),
        ("Max nice priority", Limit::Nice, ""),
        ("Max realtime priority", Limit::RealtimePriority, ""),
        ("Max realtime timeout", Limit::RealtimeTimeout, "us"),
    ];
    let show = |value: Option<u64>| value.map_or("unlimited".to_string(), |v| v.to_string());
    let mut text = format!("{:<25} {:<20} {:<20} {:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (name, limit, unit) in rows {
        let LimitPair { soft, hard } = process.limit(limit);
        text += &format!("{name:<25} {:<20} {:<20} {unit:<10}\n", show(soft), show(hard));
    }
    text
}
