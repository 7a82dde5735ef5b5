//! What a container uses, as its control group counts it.

use super::{Cgroups, Tree};
use cutaway_core::world::Usage;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

impl Cgroups {
    /// Processes that the kernel killed in a group because memory ran out.
    pub fn oom_kills(&self, id: &str) -> u64 {
        match &self.tree {
            Tree::V2 { top } => field(&top.join(self.place(id)).join("memory.events"), "oom_kill"),
            _ => self.v1("memory", id).map_or(0, |p| field(&p.join("memory.oom_control"), "oom_kill")),
        }
    }

    pub fn processes(&self, id: &str) -> Vec<i32> {
        let Some(folder) = self.folders(id).into_iter().next() else { return Vec::new() };
        let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|l| l.parse().ok()).collect()
    }

    pub fn usage(&self, id: &str, usage: &mut Usage) {
        let number = |path: PathBuf| fs::read_to_string(path).ok().and_then(|t| t.trim().parse::<u64>().ok());
        match &self.tree {
            Tree::V2 { top } => {
                let folder = top.join(self.place(id));
                let cached = field(&folder.join("memory.stat"), "inactive_file");
                usage.memory = number(folder.join("memory.current")).unwrap_or(0).saturating_sub(cached);
                usage.memory_limit = number(folder.join("memory.max")).unwrap_or(0);
                usage.pids = number(folder.join("pids.current")).unwrap_or(0);
                usage.cpu = Duration::from_micros(field(&folder.join("cpu.stat"), "usage_usec"));
                let io = fs::read_to_string(folder.join("io.stat")).unwrap_or_default();
                for (key, value) in io.split_whitespace().filter_map(|w| w.split_once('=')) {
                    match key {
                        "rbytes" => usage.block_read += value.parse::<u64>().unwrap_or(0),
                        "wbytes" => usage.block_written += value.parse::<u64>().unwrap_or(0),
                        _ => {}
                    }
                }
            }
            Tree::V1 { .. } => {
                let file = |controller: &str, name: &str| self.v1(controller, id).map(|p| p.join(name));
                let read = |controller: &str, name: &str| file(controller, name).and_then(number).unwrap_or(0);
                let cached = file("memory", "memory.stat").map_or(0, |p| field(&p, "total_inactive_file"));
                usage.memory = read("memory", "memory.usage_in_bytes").saturating_sub(cached);
                usage.memory_limit = read("memory", "memory.limit_in_bytes");
                usage.pids = read("pids", "pids.current");
                usage.cpu = Duration::from_nanos(read("cpuacct", "cpuacct.usage"));
                let path = file("blkio", "blkio.throttle.io_service_bytes");
                for line in path.and_then(|p| fs::read_to_string(p).ok()).unwrap_or_default().lines() {
                    let words: Vec<&str> = line.split_whitespace().collect();
                    let amount = words.get(2).and_then(|w| w.parse().ok()).unwrap_or(0);
                    match words.get(1) {
                        Some(&"Read") => usage.block_read += amount,
                        Some(&"Write") => usage.block_written += amount,
                        _ => {}
                    }
                }
            }
            Tree::None => {}
        }
    }
}

/// A number of a file of `name number` lines.
fn field(path: &Path, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|l| l.split_once(' '))
        .find(|(n, _)| *n == name)
        .and_then(|(_, v)| v.trim().parse().ok())
        .unwrap_or(0)
}
