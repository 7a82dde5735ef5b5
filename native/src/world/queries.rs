//! The questions, answered.

use super::container::{state, streams};
use super::{LinuxWorld, clock};
use crate::sys::{self, OrFault, io_fault};
use cutaway_core::name::{ChainId, Digest};
use cutaway_core::network::Subnet;
use cutaway_core::world::acts::{CgroupLimit, DeviceNode, ExecId, SnapshotKey};
use cutaway_core::world::{
    Change, Console, Exit, Fault, HostFacts, KeyAgent, Kind, LocalFut, LogLine, ProcessRow, Queries, Usage,
};
use cutaway_userland::os::FileKind;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::cell::RefCell;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How often a log that another process writes is looked at.
const LOOK: Duration = Duration::from_millis(15);

/// Tells of changed records: one watch over their folders, made when it is first asked for.
#[derive(Default)]
pub struct Changes {
    watch: RefCell<Option<Rc<AsyncFd<Watch>>>>,
}

impl Changes {
    fn watch(&self, world: &LinuxWorld) -> Option<Rc<AsyncFd<Watch>>> {
        if self.watch.borrow().is_none() {
            let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok()?;
            let what = AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_DELETE;
            for kind in Kind::ALL {
                inotify.add_watch(&world.records.kind_folder(kind), what).ok()?;
            }
            *self.watch.borrow_mut() = Some(Rc::new(sys::waitable(Watch(inotify), Interest::READABLE)?));
        }
        self.watch.borrow().clone()
    }
}

struct Watch(Inotify);

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Watch {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Waits for a change, and forgets all that have come together.
async fn next_change(watch: Rc<AsyncFd<Watch>>) {
    loop {
        let Ok(mut guard) = watch.readable().await else { return };
        let mut any = false;
        while watch.get_ref().0.read_events().is_ok_and(|events| !events.is_empty()) {
            any = true;
        }
        guard.clear_ready();
        if any {
            return;
        }
    }
}

fn first_line(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().lines().next().unwrap_or("").to_string()
}

fn system_name() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|l| l.strip_prefix("PRETTY_NAME=")).unwrap_or("Linux");
    name.trim_matches('"').to_string()
}

/// How deep folders of devices are.
const DEEPEST: usize = 8;

/// Adds the device at a path, or those below it where it is a folder.
fn devices_at(path: &str, depth: usize, found: &mut Vec<DeviceNode>) {
    let Ok(real) = fs::canonicalize(path) else { return };
    let Ok(facts) = sys::facts_of(&real) else { return };
    let kind = match facts.file_kind() {
        FileKind::CharDevice => 'c',
        FileKind::BlockDevice => 'b',
        FileKind::Directory if depth < DEEPEST => {
            let mut names: Vec<_> = fs::read_dir(&real).into_iter().flatten().flatten().collect();
            names.sort_by_key(fs::DirEntry::file_name);
            // Links to folders may lead in circles: those inside are not followed.
            for entry in names.iter().filter(|e| e.file_type().is_ok_and(|t| !t.is_symlink())) {
                let below = format!("{}/{}", path.trim_end_matches('/'), entry.file_name().to_string_lossy());
                devices_at(&below, depth + 1, found);
            }
            return;
        }
        _ => return,
    };
    found.push(DeviceNode {
        path: path.to_string(),
        kind,
        major: facts.rdev.0,
        minor: facts.rdev.1,
        mode: facts.mode & 0o7777,
        uid: facts.uid,
        gid: facts.gid,
        host: real.display().to_string(),
    });
}

impl Queries for LinuxWorld {
    fn now(&self) -> Duration {
        clock::now()
    }

    fn sleep(&self, time: Duration) -> LocalFut<()> {
        Box::pin(tokio::time::sleep(time))
    }

    fn random(&self, bytes: &mut [u8]) {
        let mut filled = 0;
        while filled < bytes.len() {
            let rest = &mut bytes[filled..];
            // SAFETY: the buffer is as long as it is said to be.
            let n = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
            filled += usize::try_from(n).unwrap_or(0);
        }
    }

    fn spawn(&self, work: LocalFut<()>) {
        self.background.borrow_mut().push(tokio::task::spawn_local(work));
    }

    fn host(&self) -> HostFacts {
        HostFacts {
            name: first_line("/proc/sys/kernel/hostname"),
            operating_system: system_name(),
            kernel: first_line("/proc/sys/kernel/osrelease"),
            architecture: std::env::consts::ARCH.into(),
            cpus: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
            memory: super::processes::memory_total(),
            cgroup_version: self.cgroups.version(),
            rootless: self.store.rootless,
            root: self.store.root.display().to_string(),
            runtime: "cutaway".into(),
            default_bridge: "cutaway0".into(),
        }
    }

    fn host_subnets(&self) -> Vec<Subnet> {
        self.subnets_of_host()
    }

    fn key_agent(&self, keys: Vec<(String, Vec<u8>)>) -> LocalFut<Result<Rc<dyn KeyAgent>, Fault>> {
        let world = self.clone();
        Box::pin(async move { world.start_key_agent(keys).await })
    }

    fn has_blob(&self, digest: &Digest) -> bool {
        self.store.blob(digest).exists()
    }

    fn blob_size(&self, digest: &Digest) -> Option<u64> {
        fs::metadata(self.store.blob(digest)).ok().map(|m| m.len())
    }

    fn read_blob(&self, digest: &Digest) -> LocalFut<Result<Vec<u8>, Fault>> {
        let result = self.store.read_blob(digest);
        Box::pin(async move { result })
    }

    fn blobs(&self) -> Vec<Digest> {
        let entries = fs::read_dir(self.store.root.join("blobs/sha256")).into_iter().flatten().flatten();
        let mut all: Vec<Digest> = entries.filter_map(|e| Digest::from_hex(e.file_name().to_str()?)).collect();
        all.sort();
        all
    }

    fn has_layer(&self, chain: &ChainId) -> bool {
        self.store.layer(chain).exists()
    }

    fn layer_size(&self, chain: &ChainId) -> u64 {
        self.store.layer_size(chain)
    }

    fn export_tree(&self, key: &SnapshotKey, path: &str) -> LocalFut<Result<Vec<u8>, Fault>> {
        let (world, key, path) = (self.clone(), key.clone(), path.to_string());
        Box::pin(async move { world.export(&key, &path).await })
    }

    fn read_snapshot_file(&self, key: &SnapshotKey, path: &str) -> LocalFut<Result<Vec<u8>, Fault>> {
        let (world, key, path) = (self.clone(), key.clone(), path.to_string());
        Box::pin(async move { world.read_inside(&key, &path).await })
    }

    fn snapshot_file(&self, key: &SnapshotKey, path: &str) -> LocalFut<Result<Option<FileKind>, Fault>> {
        let (world, key, path) = (self.clone(), key.clone(), path.to_string());
        Box::pin(async move { Ok(world.facts_inside(&key, &path).await?.map(|f| f.file_kind())) })
    }

    fn changes(&self, key: &SnapshotKey) -> LocalFut<Result<Vec<Change>, Fault>> {
        let (store, key) = (self.store.clone(), key.clone());
        Box::pin(super::store::on_worker(move || store.changes(&key)))
    }

    fn snapshot_size(&self, key: &SnapshotKey) -> u64 {
        self.store.snapshot_size(key)
    }

    fn volume_size(&self, name: &str) -> u64 {
        self.store.volume_size(name)
    }

    fn host_file(&self, path: &str) -> Option<FileKind> {
        let path = fs::canonicalize(path).ok()?;
        sys::facts_of(&path).ok().map(|f| f.file_kind())
    }

    fn read_host_file(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(path).ok()
    }

    fn set_up(&self, container: &str) -> LocalFut<Result<(), Fault>> {
        let result = self.answers(container);
        Box::pin(async move { result })
    }

    fn lacks(&self, limit: &CgroupLimit) -> bool {
        self.cgroups.lacks(limit)
    }

    fn host_devices(&self, path: &str) -> Vec<DeviceNode> {
        let mut found = Vec::new();
        devices_at(path, 0, &mut found);
        found
    }

    fn volume_path(&self, name: &str) -> String {
        self.store.root.join("volumes").join(name).join("_data").display().to_string()
    }

    fn snapshot_paths(&self, key: &SnapshotKey) -> (Vec<String>, String, String, String) {
        match self.store.overlay(key) {
            Ok(o) => (o.lower, o.upper, o.work, o.merged),
            Err(_) => Default::default(),
        }
    }

    fn init_pid(&self, container: &str) -> Option<i32> {
        self.live_pid(container)
    }

    fn is_supervised(&self, container: &str) -> bool {
        state::is_supervised(&self.runtime, container)
    }

    fn undertake(&self, container: &str) -> Result<(), Fault> {
        self.note_work(container)
    }

    fn completed(&self, container: &str) {
        self.note_completed(container);
    }

    fn abandoned(&self) -> Vec<String> {
        self.take_over()
    }

    fn wait_exit(&self, container: &str) -> LocalFut<Result<Exit, Fault>> {
        let (world, id) = (self.clone(), container.to_string());
        Box::pin(async move { world.exit_of(id).await })
    }

    fn attach(&self, container: &str) -> LocalFut<Result<Rc<dyn Console>, Fault>> {
        let (world, id) = (self.clone(), container.to_string());
        Box::pin(async move {
            let local = world.running.borrow().get(&id).cloned();
            if let Some(running) = local {
                return Ok(running.hub.connect());
            }
            let folder = state::folder(&world.runtime, &id);
            let opened = fs::File::open(&folder).or_fault(format!("attach to container {id:.12}"))?;
            // Socket names are short; the folder's may be long.
            let path = format!("{}/attach", sys::fd_path(&opened));
            let stream = tokio::net::UnixStream::connect(path).await;
            let stream = stream.map_err(|e| io_fault(&e, format!("attach to container {id:.12}")))?;
            let console: Rc<dyn Console> = Rc::new(streams::Remote::new(stream));
            Ok(console)
        })
    }

    fn exec_console(&self, exec: &ExecId) -> LocalFut<Result<Rc<dyn Console>, Fault>> {
        let found = self.execs.borrow().get(&exec.0).cloned();
        let id = exec.0.clone();
        Box::pin(async move {
            let running = found.ok_or_else(|| sys::fault(nix::errno::Errno::ESRCH, format!("exec {id:.12}")))?;
            Ok(running.hub.connect())
        })
    }

    fn wait_exec(&self, exec: &ExecId) -> LocalFut<Result<Exit, Fault>> {
        let found = self.execs.borrow().get(&exec.0).cloned();
        let id = exec.0.clone();
        Box::pin(async move {
            let running = found.ok_or_else(|| sys::fault(nix::errno::Errno::ESRCH, format!("exec {id:.12}")))?;
            Ok(running.wait().await)
        })
    }

    fn logs(&self, container: &str, from: usize) -> LocalFut<Result<Vec<LogLine>, Fault>> {
        let result = self
            .log_file(container)
            .and_then(|path| self.log_reader.read(container, &path, from).or_fault(format!("read {}", path.display())));
        Box::pin(async move { result })
    }

    fn more_logs(&self, container: &str, from: usize) -> LocalFut<bool> {
        let (world, id) = (self.clone(), container.to_string());
        Box::pin(async move {
            let Ok(path) = world.log_file(&id) else { return false };
            loop {
                // Asked in this order: what was written before the end is seen after it.
                let alive = world.live_pid(&id).is_some();
                if world.log_reader.more(&id, &path, from) {
                    return true;
                }
                if !alive {
                    return false;
                }
                tokio::time::sleep(LOOK).await;
            }
        })
    }

    fn usage(&self, container: &str) -> Result<Usage, Fault> {
        self.usage_of(container)
    }

    fn processes(&self, container: &str) -> Result<Vec<ProcessRow>, Fault> {
        self.process_rows(container)
    }

    fn log_path(&self, container: &str) -> String {
        self.log_file(container).map_or_else(|_| String::new(), |p| p.display().to_string())
    }

    fn record_change(&self, timeout: Duration) -> LocalFut<()> {
        let watch = self.changes.watch(self);
        Box::pin(async move {
            match watch {
                Some(watch) => drop(tokio::time::timeout(timeout, next_change(watch)).await),
                None => tokio::time::sleep(timeout).await,
            }
        })
    }
}
