//! Real containers on the real kernel, act by act. Skipped by name where this user has no right to them.

use cutaway::world::LinuxWorld;
use cutaway::world::places::Places;
use cutaway_core::layer::{Entry, EntryKind, TarWriter};
use cutaway_core::name::{ChainId, Digest};
use cutaway_core::world::acts::*;
use cutaway_core::world::{Act, ChangeKind, Console, Exit, Fault, Performs, Queries, Stream};
use cutaway_tests::{is_root, skip};
use cutaway_userland::Errno;
use std::future::Future;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// A store of its own for one test, gone with it.
struct Machine {
    world: LinuxWorld,
    root: PathBuf,
    /// The test's container.
    id: String,
    chain: ChainId,
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

/// Runs a test on a machine with one image layer made of the host's static busybox.
fn on_machine<F: Future<Output = ()>>(name: &str, test: impl FnOnce(Rc<Machine>) -> F) {
    let busybox = std::fs::read("/bin/busybox");
    let Ok(busybox) = busybox else { return skip(name, "there is no /bin/busybox") };
    if !is_root() {
        return skip(name, "this user is not root");
    }
    let root = std::env::temp_dir().join(format!("cutaway-test-{name}-{}", std::process::id()));
    let places = Places { root: root.clone(), runtime: root.join("run"), rootless: false, uid: 0 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let world = LinuxWorld::open(&places).unwrap();
        let layer = base_layer(&busybox);
        let blob = world.perform(PutBlob { bytes: layer.into() }).await.unwrap();
        world.perform(UnpackLayer { blob, diff_id: blob, parent: None, chain: blob }).await.unwrap();
        let id = Digest::of(root.to_string_lossy().as_bytes()).hex();
        test(Rc::new(Machine { world, root, id, chain: blob })).await;
    });
}

fn base_layer(busybox: &[u8]) -> Vec<u8> {
    let mut tar = TarWriter::new(Vec::new());
    for folder in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        tar.add_bytes(&Entry::directory(folder, 0o755), b"").unwrap();
    }
    tar.add_bytes(&Entry::file("bin/busybox", 0o755, 0), busybox).unwrap();
    for name in
        ["sh", "cat", "sleep", "id", "ls", "mount", "tty", "mkdir", "rm", "echo", "ps", "grep", "sysctl", "head"]
    {
        let link = Entry::of(&format!("bin/{name}"), EntryKind::Symlink("busybox".into()), 0o777);
        tar.add_bytes(&link, b"").unwrap();
    }
    tar.add_bytes(&Entry::file("etc/passwd", 0o644, 0), b"root:x:0:0:root:/root:/bin/sh\n").unwrap();
    tar.add_bytes(&Entry::file("etc/old", 0o644, 0), b"old\n").unwrap();
    tar.finish().unwrap()
}

fn default_capabilities() -> Capabilities {
    let names: Vec<String> = [
        "CHOWN",
        "DAC_OVERRIDE",
        "FSETID",
        "FOWNER",
        "MKNOD",
        "NET_RAW",
        "SETGID",
        "SETUID",
        "SETFCAP",
        "SETPCAP",
        "NET_BIND_SERVICE",
        "SYS_CHROOT",
        "KILL",
        "AUDIT_WRITE",
    ]
    .iter()
    .map(|n| format!("CAP_{n}"))
    .collect();
    Capabilities {
        bounding: names.clone(),
        effective: names.clone(),
        permitted: names,
        inheritable: Vec::new(),
        ambient: Vec::new(),
    }
}

impl Machine {
    async fn act<A: Act>(&self, act: A) -> Result<A::Output, Fault>
    where
        LinuxWorld: Performs<A>,
    {
        self.world.perform(act).await
    }

    async fn setup(&self, op: SetupOp) -> Result<(), Fault> {
        self.act(Setup { container: self.id.clone(), op }).await
    }

    /// Everything up to the program, as the engine orders it.
    async fn prepare(&self, tty: bool, stdin: bool) -> Result<(), Fault> {
        self.act(PrepareSnapshot { key: SnapshotKey(self.id.clone()), layers: vec![self.chain] }).await?;
        self.act(CreateCgroup { container: self.id.clone(), parent: None }).await?;
        let kinds =
            [NamespaceKind::Mount, NamespaceKind::Pid, NamespaceKind::Network, NamespaceKind::Uts, NamespaceKind::Ipc];
        self.act(CloneInit {
            container: self.id.clone(),
            namespaces: kinds.map(|kind| Namespace { kind, source: NamespaceSource::New }).to_vec(),
            stdio: Stdio { tty, stdin, stdin_once: true, log: LogDriver::JsonFile },
        })
        .await?;
        self.setup(SetupOp::MountRootfs { snapshot: SnapshotKey(self.id.clone()), passing: false }).await?;
        self.setup(SetupOp::Proc).await?;
        self.setup(SetupOp::Tmpfs { target: "/dev".into(), options: "mode=755,size=65536k".into() }).await?;
        self.setup(SetupOp::Devpts).await?;
        self.setup(SetupOp::Sysfs { read_only: true }).await?;
        self.setup(SetupOp::CgroupFs { read_only: true }).await?;
        self.setup(SetupOp::Mqueue).await?;
        self.setup(SetupOp::Shm { size: 64 << 20 }).await?;
        for (name, minor) in [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)] {
            let path = format!("/dev/{name}");
            let node = DeviceNode { host: path.clone(), path, kind: 'c', major: 1, minor, mode: 0o666, uid: 0, gid: 0 };
            self.setup(SetupOp::Device(node)).await?;
        }
        self.setup(SetupOp::DevLinks).await?;
        self.setup(SetupOp::Hostname("inside".into())).await?;
        self.setup(SetupOp::PivotRoot).await?;
        for path in ["/proc/kcore", "/proc/keys", "/sys/firmware", "/proc/timer_list"] {
            self.setup(SetupOp::MaskPath { path: path.into() }).await?;
        }
        for path in ["/proc/bus", "/proc/sys", "/proc/sysrq-trigger"] {
            self.setup(SetupOp::ReadonlyPath { path: path.into() }).await?;
        }
        self.setup(SetupOp::WorkingDirectory { path: "/new/place".into() }).await?;
        self.setup(SetupOp::Capabilities(default_capabilities())).await
    }

    async fn finish(&self, uid: u32, argv: &[&str]) -> Result<(), Fault> {
        self.setup(SetupOp::User { uid, gid: uid, groups: vec![uid] }).await?;
        let capabilities = default_capabilities().bounding;
        self.setup(SetupOp::Seccomp { profile: Seccomp::Default, capabilities }).await?;
        let argv = argv.iter().map(|w| w.to_string()).collect();
        let env = vec![("PATH".into(), "/bin".into()), ("NAME".into(), "value".into())];
        self.act(Exec { container: self.id.clone(), argv, env }).await
    }

    async fn release(&self) {
        self.act(ReleaseContainer { container: self.id.clone() }).await.unwrap();
        self.act(RemoveCgroup { container: self.id.clone() }).await.unwrap();
        self.act(RemoveSnapshot { key: SnapshotKey(self.id.clone()) }).await.unwrap();
        let left: Vec<_> = std::fs::read_dir(self.root.join("tmp")).unwrap().flatten().collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(self.root.to_str().unwrap()), "a mount was left behind");
    }

    /// Runs a program to its end: what it printed on each stream, and how it ended.
    async fn run(&self, uid: u32, argv: &[&str]) -> (String, String, Exit) {
        self.prepare(false, false).await.unwrap();
        let console = self.world.attach(&self.id).await.unwrap();
        self.finish(uid, argv).await.unwrap();
        let (out, err) = read_all(&*console).await;
        let exit = self.world.wait_exit(&self.id).await.unwrap();
        (out, err, exit)
    }
}

async fn read_all(console: &dyn Console) -> (String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(chunk) = console.read().await {
        if chunk.from == Stream::Err { err.extend(chunk.bytes) } else { out.extend(chunk.bytes) }
    }
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn a_program_runs_alone() {
    on_machine("alone", |m| async move {
        let script = "echo $$ $NAME; pwd; cat /proc/sys/kernel/hostname; ls /proc/1/fd; echo bad >&2; exit 7";
        let (out, err, exit) = m.run(0, &["sh", "-c", script]).await;
        assert_eq!(out, "1 value\n/new/place\ninside\n0\n1\n2\n");
        assert_eq!((err.as_str(), exit.code), ("bad\n", 7));
        let lines = m.world.logs(&m.id, 0).await.unwrap();
        assert_eq!(lines.len(), 7);
        assert_eq!(m.world.init_pid(&m.id), None);
        m.release().await;
    });
}

#[test]
fn rights_are_few() {
    on_machine("rights", |m| async move {
        let script = "grep -E '^(Cap(Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/self/status; \
            mount -t tmpfs x /tmp 2>/dev/null; echo mount $?; echo > /proc/sysrq-trigger; echo sysrq $?; \
            head -c1 /proc/kcore | cat; ls /sys/firmware; id -u";
        let (out, _, _) = m.run(0, &["sh", "-c", script]).await;
        assert!(out.contains("CapEff:\t00000000a80425fb") && out.contains("CapBnd:\t00000000a80425fb"), "{out}");
        assert!(out.contains("Seccomp:\t2") && out.contains("mount 1") && out.contains("sysrq 1"), "{out}");
        assert!(out.ends_with("\n0\n"), "{out}");
        m.release().await;
    });
}

#[test]
fn another_user_has_none() {
    on_machine("user", |m| async move {
        let script = "id; grep CapEff /proc/self/status; echo ok > /dev/stdout; echo x > /etc/old; echo $?";
        let (out, _, _) = m.run(1000, &["sh", "-c", script]).await;
        assert!(out.starts_with("uid=1000 gid=1000") && out.contains("CapEff:\t0000000000000000"), "{out}");
        assert!(out.contains("ok\n") && out.ends_with("\n1\n"), "{out}");
        m.release().await;
    });
}

#[test]
fn what_can_not_be_run() {
    on_machine("missing", |m| async move {
        for (program, errno) in [("nothing", Errno::ENOENT), ("/etc/passwd", Errno::EACCES), ("/etc", Errno::EACCES)] {
            m.prepare(false, false).await.unwrap();
            let fault = m.finish(0, &[program]).await.unwrap_err();
            assert_eq!(fault.number(), Some(errno), "{program}: {fault}");
            m.release().await;
        }
    });
}

#[test]
fn a_terminal_of_its_own() {
    on_machine("tty", |m| async move {
        m.prepare(true, true).await.unwrap();
        let console = m.world.attach(&m.id).await.unwrap();
        m.finish(0, &["sh", "-c", "tty; ls /dev/console; read x; echo got $x"]).await.unwrap();
        console.write(b"word\n").await;
        let (out, _) = read_all(&*console).await;
        assert!(out.contains("/dev/pts/0\r\n") && out.contains("got word\r\n"), "{out:?}");
        m.release().await;
    });
}

#[test]
fn input_ends() {
    on_machine("stdin", |m| async move {
        m.prepare(false, true).await.unwrap();
        let console = m.world.attach(&m.id).await.unwrap();
        m.finish(0, &["cat"]).await.unwrap();
        console.write(b"through").await;
        console.close_input();
        assert_eq!(read_all(&*console).await.0, "through");
        m.release().await;
    });
}

#[test]
fn a_second_process_joins() {
    on_machine("exec", |m| async move {
        m.prepare(false, false).await.unwrap();
        m.finish(0, &["sleep", "100"]).await.unwrap();
        let exec = |argv: &[&str], uid, tty| ExecIn {
            exec: ExecId(format!("{uid:064}")),
            container: m.id.clone(),
            argv: argv.iter().map(|w| w.to_string()).collect(),
            env: vec![("PATH".into(), "/bin".into())],
            cwd: "/etc".into(),
            uid,
            gid: uid,
            groups: vec![uid],
            capabilities: Some(default_capabilities()),
            seccomp: Seccomp::Default,
            no_new_privileges: false,
            limits: Vec::new(),
            oom_score_adj: 0,
            tty,
            stdin: false,
        };
        let script = "pwd; id -u; ps | grep -c sleep; grep -E 'Cap(Eff)|Seccomp:' /proc/self/status; exit 3";
        let act = exec(&["sh", "-c", script], 0, false);
        let id = act.exec.clone();
        m.act(act).await.unwrap();
        let (out, _) = read_all(&*m.world.exec_console(&id).await.unwrap()).await;
        assert!(out.starts_with("/etc\n0\n") && out.contains("00000000a80425fb") && out.contains("\t2\n"), "{out}");
        assert_eq!(m.world.wait_exec(&id).await.unwrap().code, 3);
        let act = exec(&["sh", "-c", "tty; id -u"], 5, true);
        let id = act.exec.clone();
        m.act(act).await.unwrap();
        let (out, _) = read_all(&*m.world.exec_console(&id).await.unwrap()).await;
        assert_eq!(out, "/dev/pts/0\r\n5\r\n");
        let missing = m.act(exec(&["nothing"], 0, false)).await.unwrap_err();
        assert_eq!(missing.number(), Some(Errno::ENOENT));
        let rows = m.world.processes(&m.id).unwrap();
        assert_eq!(rows[0].args, ["sleep", "100"]);
        m.act(DeliverSignal { container: m.id.clone(), signal: cutaway_userland::os::Signal::KILL }).await.unwrap();
        assert_eq!(m.world.wait_exit(&m.id).await.unwrap().code, 137);
        m.release().await;
    });
}

#[test]
fn memory_is_limited_and_processes_freeze() {
    on_machine("limits", |m| async move {
        m.prepare(false, false).await.unwrap();
        let limit = |limit| WriteLimit { container: m.id.clone(), limit };
        m.act(limit(CgroupLimit::Memory(16 << 20))).await.unwrap();
        m.act(limit(CgroupLimit::Pids(Some(20)))).await.unwrap();
        m.finish(0, &["sh", "-c", "sleep 0.3; head -c 60000000 /dev/zero | sh -c 'x=$(cat)'; echo $?; exec sleep 100"])
            .await
            .unwrap();
        m.act(Freeze { container: m.id.clone(), frozen: true }).await.unwrap();
        m.act(Freeze { container: m.id.clone(), frozen: false }).await.unwrap();
        assert_eq!(m.world.usage(&m.id).unwrap().memory_limit, 16 << 20);
        m.act(DeliverSignal { container: m.id.clone(), signal: cutaway_userland::os::Signal::KILL }).await.unwrap();
        m.world.wait_exit(&m.id).await.unwrap();
        m.release().await;
    });
}

#[test]
fn changes_are_seen_committed_and_copied() {
    on_machine("changes", |m| async move {
        let key = SnapshotKey(m.id.clone());
        let script = "echo new > /etc/new; rm /etc/old; mkdir /made; echo x >> /etc/passwd";
        let (_, err, exit) = m.run(0, &["sh", "-c", script]).await;
        assert_eq!((err.as_str(), exit.code), ("", 0));
        let changes = m.world.changes(&key).await.unwrap();
        let seen: Vec<(&str, ChangeKind)> = changes.iter().map(|c| (c.path.as_str(), c.kind)).collect();
        for want in [
            ("/etc", ChangeKind::Modified),
            ("/etc/new", ChangeKind::Added),
            ("/etc/old", ChangeKind::Deleted),
            ("/etc/passwd", ChangeKind::Modified),
            ("/made", ChangeKind::Added),
        ] {
            assert!(seen.contains(&want), "{want:?} is not in {seen:?}");
        }
        let layer = m
            .act(CommitSnapshot { key: key.clone(), parent: Some(m.chain), clamp: None, stubs: Vec::new() })
            .await
            .unwrap();
        let layer = layer.unwrap();
        assert_eq!(layer.chain, Digest::chain(Some(&m.chain), &layer.diff_id));
        assert!(m.world.has_layer(&layer.chain));
        let mut tar = TarWriter::new(Vec::new());
        tar.add_bytes(&Entry::file("copied", 0o640, 0), b"copied").unwrap();
        let tar: Rc<[u8]> = tar.finish().unwrap().into();
        m.act(ImportTree { key: key.clone(), at: "/a/b".into(), tar }).await.unwrap();
        assert_eq!(m.world.read_snapshot_file(&key, "/a/b/copied").await.unwrap(), b"copied");
        assert_eq!(m.world.snapshot_file(&key, "/etc/old").await.unwrap(), None);
        let tree = m.world.export_tree(&key, "/etc").await.unwrap();
        let names: Vec<String> =
            cutaway_core::layer::entries("tree", &tree).unwrap().into_iter().map(|(e, _)| e.path).collect();
        assert_eq!(names, ["etc", "etc/new", "etc/passwd"]);
        m.release().await;
    });
}

#[test]
fn nothing_is_left_of_a_failed_start() {
    on_machine("failed", |m| async move {
        m.prepare(false, false).await.unwrap();
        let fault = m.setup(SetupOp::Sysctl { name: "kernel.no_such_thing".into(), value: "1".into() }).await;
        assert!(fault.is_err());
        m.release().await;
        m.act(ReleaseContainer { container: m.id.clone() }).await.unwrap();
    });
}

#[test]
fn hostile_layers_leave_nothing() {
    on_machine("hostile", |m| async move {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..9].copy_from_slice(b"../../out");
        header.set_size(0);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, std::io::empty()).unwrap();
        let bytes = builder.into_inner().unwrap();
        let blob = m.act(PutBlob { bytes: bytes.into() }).await.unwrap();
        let fault = m.act(UnpackLayer { blob, diff_id: blob, parent: None, chain: blob }).await.unwrap_err();
        assert!(matches!(fault, Fault::Hostile { .. }), "{fault}");
        let wrong = Digest::of(b"wrong");
        let act = UnpackLayer { blob: m.chain, diff_id: wrong, parent: None, chain: wrong };
        assert!(matches!(m.act(act).await.unwrap_err(), Fault::Digest { .. }));
        assert_eq!(std::fs::read_dir(m.root.join("layers")).unwrap().count(), 1);
        assert_eq!(std::fs::read_dir(m.root.join("tmp")).unwrap().count(), 0);
    });
}

#[test]
fn two_containers_talk_over_a_bridge() {
    on_machine("bridge", |m| async move {
        let bridge = LinkName(format!("ctest{}", std::process::id() % 100_000));
        let made = m
            .act(CreateBridge {
                network: "net".into(),
                bridge: bridge.clone(),
                addresses: vec![([172, 31, 251, 1].into(), 24)],
                masquerade: true,
                internal: true,
                mtu: 1500,
            })
            .await;
        made.unwrap();
        m.prepare(false, false).await.unwrap();
        let (host, peer) = (LinkName("ctesth".into()), LinkName("ctestp".into()));
        m.act(AddVethPair { container: m.id.clone(), host: host.clone(), peer: peer.clone(), mtu: 1500 })
            .await
            .unwrap();
        m.act(AttachToBridge { network: "net".into(), link: host.clone(), bridge: bridge.clone(), isolated: false })
            .await
            .unwrap();
        m.act(MoveLink { container: m.id.clone(), link: peer, name: "eth0".into(), settings: Vec::new() })
            .await
            .unwrap();
        let address = AddAddress {
            container: m.id.clone(),
            name: "eth0".into(),
            address: [172, 31, 251, 2].into(),
            prefix: 24,
            mac: Some([2, 0x42, 0xac, 31, 251, 2]),
        };
        m.act(address).await.unwrap();
        m.act(AddRoute { container: m.id.clone(), gateway: [172, 31, 251, 1].into(), on: None }).await.unwrap();
        m.act(ServeNames { container: m.id.clone() }).await.unwrap();
        let publish = |host_port| PublishPort {
            container: m.id.clone(),
            host: [127, 0, 0, 1].into(),
            host_port,
            protocol: Protocol::Tcp,
            to: [172, 31, 251, 2].into(),
            port: 8000,
        };
        let port = m.act(publish(0)).await.unwrap();
        assert_eq!(m.act(publish(port)).await.unwrap_err().number(), Some(Errno::EADDRINUSE));
        m.finish(0, &["busybox", "nc", "-l", "-p", "8000", "-e", "echo", "hello"]).await.unwrap();
        let mut answer = String::new();
        for _ in 0..100 {
            use tokio::io::AsyncReadExt;
            let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let _ = stream.read_to_string(&mut answer).await;
            if !answer.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(answer, "hello\n");
        m.release().await;
        m.act(RemoveLink { link: host, container: m.id.clone(), name: "eth0".into() }).await.unwrap();
        m.act(RemoveBridge { network: "net".into(), bridge, parent: false }).await.unwrap();
    });
}
