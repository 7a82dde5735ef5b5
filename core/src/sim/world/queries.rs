//! The questions that the engine asks without changing anything.

use super::notify::race;
use super::snapshots::{to_tar, volume_path};
use super::{During, ROOT, SimWorld};
use crate::name::{ChainId, Digest};
use crate::sim::kernel::{Machine, TreeKind};
use crate::world::acts::{ExecId, SnapshotKey};
use crate::world::{Change, Console, Exit, Fault, HostFacts, LocalFut, LogLine, ProcessRow, Queries, Usage};
use cutaway_userland::Errno;
use cutaway_userland::os::{FileKind, Os};
use std::rc::Rc;
use std::time::Duration;

/// How long a program that never waits may compute before its start counts as done.
const BEGINNING: Duration = Duration::from_millis(20);

/// A question whose answer is there at once.
fn ready<T: 'static>(answer: T) -> LocalFut<T> {
    Box::pin(std::future::ready(answer))
}

impl SimWorld {
    /// The sum of the files below a path of the host.
    fn host_size(&self, path: &str) -> u64 {
        let entries = self.machine().export(Machine::INIT, path).unwrap_or_default();
        entries.iter().map(|e| if let TreeKind::File(bytes) = &e.kind { bytes.len() as u64 } else { 0 }).sum()
    }

    fn snapshot_files(&self, key: &SnapshotKey, path: &str) -> Result<Vec<u8>, Fault> {
        let what = format!("open {path}");
        // What is mounted into a running container is part of what its paths mean, but `/` is the snapshot's own.
        let entries = match self.init(&key.0) {
            Ok(pid) if !path.trim_matches('/').is_empty() => self.machine().export(pid, path),
            _ => self.overlay(key)?.entries(path),
        };
        to_tar(&entries.during(what)?, None)
    }
}

impl Queries for SimWorld {
    fn now(&self) -> Duration {
        self.machine().now()
    }

    fn sleep(&self, time: Duration) -> LocalFut<()> {
        self.machine().sleep(time)
    }

    fn begun(&self) -> LocalFut<()> {
        let (quiet, late) = (self.machine().quiet(), self.machine().sleep(BEGINNING));
        Box::pin(async {
            race(quiet, late).await;
        })
    }

    fn random(&self, bytes: &mut [u8]) {
        self.machine().random(bytes);
    }

    fn spawn(&self, work: LocalFut<()>) {
        self.machine().spawn_task(work);
    }

    fn host(&self) -> HostFacts {
        let config = &self.0.config;
        HostFacts {
            name: config.hostname.clone(),
            operating_system: "Cutaway (simulated)".into(),
            kernel: config.release.clone(),
            architecture: config.architecture.clone(),
            cpus: config.cpus,
            memory: config.memory,
            cgroup_version: 2,
            rootless: false,
            root: ROOT.into(),
            runtime: "simulated".into(),
            default_bridge: "docker0".into(),
        }
    }

    fn has_blob(&self, digest: &Digest) -> bool {
        self.0.kept.borrow().blobs.contains_key(digest)
    }

    fn blob_size(&self, digest: &Digest) -> Option<u64> {
        self.0.kept.borrow().blobs.get(digest).map(|b| b.len() as u64)
    }

    fn read_blob(&self, digest: &Digest) -> LocalFut<Result<Vec<u8>, Fault>> {
        let blob = self.0.kept.borrow().blobs.get(digest).map(|b| b.to_vec());
        ready(blob.ok_or_else(|| Fault::errno(Errno::ENOENT, format!("open blob {digest}"))))
    }

    fn blobs(&self) -> Vec<Digest> {
        self.0.kept.borrow().blobs.keys().copied().collect()
    }

    fn has_layer(&self, chain: &ChainId) -> bool {
        self.layer(chain).is_some()
    }

    fn layer_size(&self, chain: &ChainId) -> u64 {
        self.layer(chain).map_or(0, |tree| tree.size())
    }

    fn export_tree(&self, key: &SnapshotKey, path: &str) -> LocalFut<Result<Vec<u8>, Fault>> {
        ready(self.snapshot_files(key, path))
    }

    fn read_snapshot_file(&self, key: &SnapshotKey, path: &str) -> LocalFut<Result<Vec<u8>, Fault>> {
        let what = format!("open {path}");
        let read = || match self.init(&key.0) {
            Ok(pid) => self.machine().read_file(pid, path).during(&*what),
            Err(_) => self.overlay(key)?.read_file(path).map(|bytes| bytes.to_vec()).during(&*what),
        };
        ready(read())
    }

    fn snapshot_file(&self, key: &SnapshotKey, path: &str) -> LocalFut<Result<Option<FileKind>, Fault>> {
        let look = || match self.init(&key.0) {
            Ok(pid) => match self.machine().os(pid).stat(path) {
                Ok(stat) => Ok(Some(stat.kind)),
                Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
                Err(errno) => Err(Fault::errno(errno, format!("stat {path}"))),
            },
            Err(_) => match self.overlay(key)?.kind(path) {
                Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
                other => other.during(format!("stat {path}")),
            },
        };
        ready(look())
    }

    fn changes(&self, key: &SnapshotKey) -> LocalFut<Result<Vec<Change>, Fault>> {
        ready(self.overlay(key).map(|overlay| overlay.changes()))
    }

    fn snapshot_size(&self, key: &SnapshotKey) -> u64 {
        self.overlay(key).map_or(0, |overlay| overlay.upper().size())
    }

    fn volume_size(&self, name: &str) -> u64 {
        self.host_size(&volume_path(name))
    }

    fn host_file(&self, path: &str) -> Option<FileKind> {
        self.machine().os(Machine::INIT).stat(path).ok().map(|stat| stat.kind)
    }

    fn read_host_file(&self, path: &str) -> Option<Vec<u8>> {
        self.machine().read_file(Machine::INIT, path).ok()
    }

    fn volume_path(&self, name: &str) -> String {
        volume_path(name)
    }

    fn snapshot_paths(&self, key: &SnapshotKey) -> (Vec<String>, String, String, String) {
        let kept = self.0.kept.borrow();
        let layers = kept.snapshots.get(key).map_or(&[][..], |s| &s.layers);
        let lower = layers.iter().rev().map(|chain| format!("{ROOT}/overlay2/{}/diff", chain.hex())).collect();
        let own = |part: &str| format!("{ROOT}/overlay2/{key}/{part}");
        (lower, own("diff"), own("work"), own("merged"))
    }

    fn init_pid(&self, container: &str) -> Option<i32> {
        self.init(container).ok()
    }

    fn wait_exit(&self, container: &str) -> LocalFut<Result<Exit, Fault>> {
        let shim = self.shim(container);
        let missing = Fault::errno(Errno::ECHILD, format!("wait for container {container}"));
        Box::pin(async move {
            match shim {
                Some(shim) => Ok(shim.exit().await),
                None => Err(missing),
            }
        })
    }

    fn attach(&self, container: &str) -> LocalFut<Result<Rc<dyn Console>, Fault>> {
        let missing = || Fault::errno(Errno::ESRCH, format!("attach to container {container}"));
        ready(self.shim(container).map(|shim| shim.console()).ok_or_else(missing))
    }

    fn exec_console(&self, exec: &ExecId) -> LocalFut<Result<Rc<dyn Console>, Fault>> {
        self.attach(&exec.0)
    }

    fn wait_exec(&self, exec: &ExecId) -> LocalFut<Result<Exit, Fault>> {
        let shim = self.shim(&exec.0);
        let missing = Fault::errno(Errno::ECHILD, "wait for exec");
        let (world, id) = (self.clone(), exec.0.clone());
        Box::pin(async move {
            let Some(shim) = shim else { return Err(missing) };
            let exit = shim.exit().await;
            world.0.kept.borrow_mut().shims.remove(&id);
            Ok(exit)
        })
    }

    fn logs(&self, container: &str, from: usize) -> LocalFut<Result<Vec<LogLine>, Fault>> {
        ready(Ok(self.log_of(container).lines(from)))
    }

    fn more_logs(&self, container: &str, from: usize) -> LocalFut<bool> {
        let (log, shim) = (self.log_of(container), self.shim(container));
        Box::pin(async move { log.more(from, || shim.as_ref().is_none_or(|s| s.is_ended())).await })
    }

    fn usage(&self, container: &str) -> Result<Usage, Fault> {
        let group = self.0.kept.borrow().cgroups.get(container).copied();
        let Some(group) = group else {
            return Err(Fault::errno(Errno::ENOENT, format!("find control group of {container}")));
        };
        let used = self.machine().cgroup_usage(group);
        let (mut received, mut sent) = (0, 0);
        if let Ok(ns) = self.init(container).and_then(|pid| self.machine().network_of(pid).during("open network")) {
            for interface in self.machine().interfaces(&ns).iter().filter(|i| !i.loopback) {
                received += interface.rx_bytes;
                sent += interface.tx_bytes;
            }
        }
        Ok(Usage {
            cpu: used.cpu,
            memory: used.memory,
            memory_limit: used.memory_limit.unwrap_or(self.0.config.memory),
            pids: used.pids,
            received,
            sent,
            block_read: used.block_read,
            block_written: used.block_written,
        })
    }

    fn processes(&self, container: &str) -> Result<Vec<ProcessRow>, Fault> {
        let pid = self.init(container)?;
        let users = self.machine().read_file(Machine::INIT, "/etc/passwd").unwrap_or_default();
        let users = String::from_utf8_lossy(&users).into_owned();
        let name = |uid: u32| {
            let row = users.lines().find(|l| l.split(':').nth(2) == Some(&uid.to_string()));
            row.and_then(|l| l.split(':').next()).map_or_else(|| uid.to_string(), str::to_string)
        };
        // With the host's pid namespace, the group tells which processes are the container's.
        let group = self.0.kept.borrow().cgroups.get(container).copied();
        let rows = self.machine().processes(pid).into_iter().filter(|p| group.is_none_or(|g| p.cgroup == g));
        Ok(rows
            .map(|p| ProcessRow {
                pid: p.pid,
                parent: p.parent,
                user: name(p.uid),
                uid: p.uid,
                args: p.args,
                tty: p.tty,
                started: p.started,
                cpu: p.cpu,
                state: p.state,
            })
            .collect())
    }

    fn log_path(&self, container: &str) -> String {
        format!("{}/{container}-json.log", SimWorld::folder(container))
    }

    fn record_change(&self, timeout: Duration) -> LocalFut<()> {
        let world = self.clone();
        Box::pin(async move {
            let mut rung = false;
            let changed = world.0.changed.until(|| std::mem::replace(&mut rung, true).then_some(()));
            race(changed, world.machine().sleep(timeout)).await;
        })
    }
}
