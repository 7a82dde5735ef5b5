//! The files of /proc that tell of the machine.

use crate::sim::kernel::process::State;
use crate::sim::kernel::state::Kernel;
use crate::sim::kernel::vfs::pseudo::Entry;
use cutaway_userland::Errno;
use cutaway_userland::os::Result;

/// Their names, and what they are.
pub(super) const NAMES: [(&str, Kind); 28] = [
    ("acpi", Kind::Folder),
    ("asound", Kind::Folder),
    ("bus", Kind::Folder),
    ("cgroups", Kind::Text),
    ("cmdline", Kind::Text),
    ("cpuinfo", Kind::Text),
    ("devices", Kind::Text),
    ("diskstats", Kind::Text),
    ("driver", Kind::Folder),
    ("filesystems", Kind::Text),
    ("fs", Kind::Folder),
    ("interrupts", Kind::Text),
    ("irq", Kind::Folder),
    ("kcore", Kind::Secret),
    ("keys", Kind::Text),
    ("kmsg", Kind::Secret),
    ("latency_stats", Kind::Text),
    ("loadavg", Kind::Text),
    ("meminfo", Kind::Text),
    ("partitions", Kind::Text),
    ("scsi", Kind::Folder),
    ("stat", Kind::Text),
    ("swaps", Kind::Text),
    ("sysrq-trigger", Kind::WriteOnly),
    ("timer_list", Kind::Secret),
    ("uptime", Kind::Text),
    ("version", Kind::Text),
    ("vmstat", Kind::Text),
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    Text,
    /// For root only.
    Secret,
    WriteOnly,
}

pub(super) fn entry(path: &[&str]) -> Option<Entry> {
    let [name] = path else { return None };
    let (_, kind) = NAMES.iter().find(|(n, _)| n == name)?;
    Some(match kind {
        Kind::Folder => Entry::dir(),
        Kind::Text => Entry::file(0o444),
        Kind::Secret => Entry::file(0o400),
        Kind::WriteOnly => Entry::file(0o200),
    })
}

pub(super) fn read(k: &Kernel, namespace: u64, name: &str) -> Result<Vec<u8>> {
    let text = match name {
        "cmdline" => "BOOT_IMAGE=/boot/vmlinuz root=/dev/vda1 ro quiet\n".to_string(),
        "cpuinfo" => (0..k.config.cpus).map(|n| cpu(k, n)).collect(),
        "devices" => "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n254 virtblk\n".into(),
        "filesystems" => {
            "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tcgroup2\nnodev\tdevpts\nnodev\tmqueue\nnodev\toverlay\n\text4\n".into()
        }
        "loadavg" => loadavg(k, namespace),
        "meminfo" => meminfo(k),
        "stat" => stat(k),
        "swaps" => "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n".into(),
        "uptime" => {
            let up = k.uptime();
            format!("{0}.{1:02} {0}.{1:02}\n", up.as_secs(), up.subsec_millis() / 10)
        }
        "version" => format!("Linux version {} (cutaway) {}\n", k.config.release, k.config.version),
        "partitions" => "major minor  #blocks  name\n\n 254        0   41943040 vda\n 254        1   41942016 vda1\n".into(),
        "cgroups" => "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t0\t1\t1\ncpu\t0\t1\t1\nmemory\t0\t1\t1\npids\t0\t1\t1\n".into(),
        "sysrq-trigger" => return Err(Errno::EIO),
        _ if NAMES.iter().any(|(n, _)| *n == name) => String::new(),
        _ => return Err(Errno::ENOENT),
    };
    Ok(text.into_bytes())
}

fn cpu(k: &Kernel, n: u32) -> String {
    format!(
        "processor\t: {n}\nvendor_id\t: Cutaway\nmodel name\t: Simulated {} processor\ncpu MHz\t\t: 1000.000\ncache size\t: 4096 KB\nphysical id\t: 0\nsiblings\t: {cpus}\ncore id\t\t: {n}\ncpu cores\t: {cpus}\nbogomips\t: 2000.00\n\n",
        k.config.architecture,
        cpus = k.config.cpus
    )
}

fn loadavg(k: &Kernel, namespace: u64) -> String {
    let running = k.processes.values().filter(|p| p.state == State::Running && p.task.is_some()).count().max(1);
    let last = k.pid_namespaces.get(&namespace).map_or(0, |ns| ns.next - 1);
    format!("0.00 0.00 0.00 1/{running} {last}\n")
}

fn meminfo(k: &Kernel) -> String {
    let total = k.config.memory / 1024;
    let used = k.cgroups.groups.values().next().map_or(0, |root| root.usage.memory) / 1024 + 200_000;
    let free = total.saturating_sub(used);
    let rows = [
        ("MemTotal", total),
        ("MemFree", free),
        ("MemAvailable", free),
        ("Buffers", 0),
        ("Cached", 120_000),
        ("SwapCached", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Shmem", 1024),
    ];
    rows.iter().map(|(name, kb)| format!("{:<15} {kb:>8} kB\n", format!("{name}:"))).collect()
}

fn stat(k: &Kernel) -> String {
    let used = k.cgroups.groups.values().next().map_or(0, |root| root.usage.cpu.as_millis() / 10);
    let idle = (k.uptime().as_millis() / 10 * u128::from(k.config.cpus)).saturating_sub(used);
    let mut text = format!("cpu  {used} 0 0 {idle} 0 0 0 0 0 0\n");
    for n in 0..k.config.cpus {
        let cpus = u128::from(k.config.cpus);
        text += &format!("cpu{n} {} 0 0 {} 0 0 0 0 0 0\n", used / cpus, idle / cpus);
    }
    text + &format!("btime {}\nprocesses {}\nprocs_running 1\nprocs_blocked 0\n", k.config.epoch.as_secs(), k.forks)
}
