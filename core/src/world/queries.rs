//! What the engine asks a world without changing it: time, contents, states, streams.

use crate::name::{ChainId, Digest};
use crate::world::acts::{CgroupLimit, DeviceNode, ExecId, SnapshotKey};
use crate::world::{Fault, LocalFut, Stream};
use cutaway_userland::os::{FileKind, WindowSize};
use std::rc::Rc;
use std::time::Duration;

/// What became of a path, as `docker diff` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    Modified,
    Added,
    Deleted,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    pub path: String,
    pub kind: ChangeKind,
}

/// How the first process of a container, or an exec, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// 0 to 255; 128 and its number where a signal ended it.
    pub code: i32,
    pub oom_killed: bool,
    pub at: Duration,
}

/// One piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub from: Stream,
    pub bytes: Vec<u8>,
}

/// One stored line of a container's output, its newline included where it had one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub from: Stream,
    pub at: Duration,
    pub bytes: Vec<u8>,
}

/// A connection to the standard streams of a container or an exec. Dropping it detaches.
pub trait Console {
    /// The next output; `None` when there will be no more.
    fn read(&self) -> LocalFut<Option<Chunk>>;
    fn write(&self, bytes: &[u8]) -> LocalFut<()>;
    fn close_input(&self);
    fn resize(&self, size: WindowSize);
}

/// What a container uses now. Bytes, and counts since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub cpu: Duration,
    pub memory: u64,
    pub memory_limit: u64,
    pub pids: u64,
    pub received: u64,
    pub sent: u64,
    pub block_read: u64,
    pub block_written: u64,
}

/// One process of a container, as `docker top` and `ps` show it. Ids are the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRow {
    pub pid: i32,
    pub parent: i32,
    pub user: String,
    pub uid: u32,
    pub args: Vec<String>,
    /// As `pts/0`, or `?`.
    pub tty: String,
    pub started: Duration,
    pub cpu: Duration,
    pub state: char,
}

/// What is told of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    pub name: String,
    pub operating_system: String,
    pub kernel: String,
    /// As `x86_64`.
    pub architecture: String,
    pub cpus: u32,
    pub memory: u64,
    /// 1 or 2.
    pub cgroup_version: u8,
    /// Whether the engine runs without root's rights.
    pub rootless: bool,
    /// Where the engine keeps its files, as `/var/lib/cutaway`.
    pub root: String,
    /// `cutaway` on Linux, `simulated` in the simulator: for `docker version`, and the paths of `docker info`.
    pub runtime: String,
    /// The default network's bridge on this machine. On Linux not Docker's name: both engines may be there.
    pub default_bridge: String,
}

/// An agent that signs with private keys, as `ssh-agent` does. It is there until this is dropped.
pub trait KeyAgent: std::fmt::Debug {
    /// Its socket's path on the machine.
    fn socket(&self) -> String;
}

/// The questions. Containers are named by their full id.
pub trait Queries {
    /// Time since the epoch, and a wait by the same clock.
    fn now(&self) -> Duration;
    fn sleep(&self, time: Duration) -> LocalFut<()>;
    /// Entropy: reproducible in the simulator.
    fn random(&self, bytes: &mut [u8]);
    /// Runs `work` beside the command, and after it where the command ends first: what supervises a container.
    fn spawn(&self, work: LocalFut<()>);
    fn host(&self) -> HostFacts;
    /// Subnets that the machine reaches by itself, without our networks: new ones must not hide them.
    fn host_subnets(&self) -> Vec<crate::network::Subnet> {
        Vec::new()
    }

    /// An agent that has these private keys, each with the path that it is from.
    fn key_agent(&self, keys: Vec<(String, Vec<u8>)>) -> LocalFut<Result<Rc<dyn KeyAgent>, Fault>> {
        let _ = keys;
        let why = "keys in files are not served on this machine: add them to an agent, and forward that";
        Box::pin(async move { Err(Fault::Unsupported(why.into())) })
    }

    fn has_blob(&self, digest: &Digest) -> bool;
    fn blob_size(&self, digest: &Digest) -> Option<u64>;
    fn read_blob(&self, digest: &Digest) -> LocalFut<Result<Vec<u8>, Fault>>;
    fn blobs(&self) -> Vec<Digest>;
    fn has_layer(&self, chain: &ChainId) -> bool;
    /// Bytes of the files of one layer, without those below it.
    fn layer_size(&self, chain: &ChainId) -> u64;

    /// A path of a snapshot (whole, over its layers) and all below it as a tar; the entry names begin with the
    /// last component of `path`, or with nothing for `/`. `ENOENT` where it is not there.
    fn export_tree(&self, key: &SnapshotKey, path: &str) -> LocalFut<Result<Vec<u8>, Fault>>;
    /// One file's contents, links followed inside the root.
    fn read_snapshot_file(&self, key: &SnapshotKey, path: &str) -> LocalFut<Result<Vec<u8>, Fault>>;
    /// `None` where there is nothing. Links are followed inside the root.
    fn snapshot_file(&self, key: &SnapshotKey, path: &str) -> LocalFut<Result<Option<FileKind>, Fault>>;
    /// What its writable layer changes, sorted by path.
    fn changes(&self, key: &SnapshotKey) -> LocalFut<Result<Vec<Change>, Fault>>;
    /// Bytes of the writable layer.
    fn snapshot_size(&self, key: &SnapshotKey) -> u64;
    fn volume_size(&self, name: &str) -> u64;
    /// What stands at a path of the host, for bind mounts.
    fn host_file(&self, path: &str) -> Option<FileKind>;
    /// A file of the host's own configuration, as `/etc/resolv.conf`; `None` where it can't be read. Not the
    /// client's: a supervisor asks for it long after the client has gone.
    fn read_host_file(&self, path: &str) -> Option<Vec<u8>> {
        let _ = path;
        None
    }
    /// Waits until all [`Setup`](crate::world::acts::Setup) of a container has been done, where the world does not
    /// wait for each.
    ///
    /// # Errors
    /// Why one of them could not be done.
    fn set_up(&self, container: &str) -> LocalFut<Result<(), Fault>> {
        let _ = container;
        Box::pin(async { Ok(()) })
    }
    /// Waits until programs that were just started wait for something themselves, where the world can tell: the next
    /// command finds a server listening. Where it can't, a start takes long enough by itself.
    fn begun(&self) -> LocalFut<()> {
        Box::pin(async {})
    }
    /// Whether this machine's control groups can't hold such a limit, whatever its value.
    fn lacks(&self, limit: &CgroupLimit) -> bool {
        let _ = limit;
        false
    }
    /// The host's device at a path, links followed, or all those below a folder, each with the path it was found
    /// at; none where there are none.
    fn host_devices(&self, path: &str) -> Vec<DeviceNode> {
        let all = crate::container::defaults::DEVICES.iter();
        let known = all.filter(|(name, _, _)| *name == path || path == "/dev");
        known.map(|(name, major, minor)| DeviceNode::usual(name, *major, *minor)).collect()
    }
    /// Where a volume's files are on the host.
    fn volume_path(&self, name: &str) -> String;
    /// Folders of a snapshot on the host: lower ones (top first), upper, work, merged; for `inspect`.
    fn snapshot_paths(&self, key: &SnapshotKey) -> (Vec<String>, String, String, String);

    /// Whether the container's first process is alive; its id on the host.
    fn init_pid(&self, container: &str) -> Option<i32>;
    /// Whether somebody watches the container, who will note its end in its record: false only where the
    /// supervisor was killed.
    fn is_supervised(&self, container: &str) -> bool {
        let _ = container;
        true
    }
    /// Notes that this process is at work on a container: making, starting, ending or removing it. Where it is
    /// killed over that, [`Queries::abandoned`] tells others.
    fn undertake(&self, container: &str) -> Result<(), Fault> {
        let _ = container;
        Ok(())
    }
    /// Takes back the note of [`Queries::undertake`]: the container is as its record says.
    fn completed(&self, container: &str) {
        let _ = container;
    }
    /// Containers that a process was at work on when it was killed. Who asks is at work on them from now on.
    fn abandoned(&self) -> Vec<String> {
        Vec::new()
    }
    fn wait_exit(&self, container: &str) -> LocalFut<Result<Exit, Fault>>;
    /// Ends when the container's first process ends. Where it has no terminal, output keeps its two streams.
    fn attach(&self, container: &str) -> LocalFut<Result<Rc<dyn Console>, Fault>>;
    fn exec_console(&self, exec: &ExecId) -> LocalFut<Result<Rc<dyn Console>, Fault>>;
    fn wait_exec(&self, exec: &ExecId) -> LocalFut<Result<Exit, Fault>>;
    /// The stored output, from line `from` on.
    fn logs(&self, container: &str, from: usize) -> LocalFut<Result<Vec<LogLine>, Fault>>;
    /// Waits until there are more than `from` lines (true), or the container has stopped with no more (false).
    fn more_logs(&self, container: &str, from: usize) -> LocalFut<bool>;
    fn usage(&self, container: &str) -> Result<Usage, Fault>;
    fn processes(&self, container: &str) -> Result<Vec<ProcessRow>, Fault>;
    /// Where its log is stored on the host, for `inspect`.
    fn log_path(&self, container: &str) -> String;
    /// Waits until a record may have changed, or `timeout` is over.
    fn record_change(&self, timeout: Duration) -> LocalFut<()>;
}
