//! Acts driven one by one, as the engine drives them, on a whole simulated machine.

use super::SimWorld;
use crate::layer;
use crate::name::Digest;
use crate::registry::Request;
use crate::sim::hosts::furnish;
use crate::sim::kernel::MachineConfig;
use crate::world::acts::*;
use crate::world::{Exit, Fault, Performs, Queries, Stream};
use cutaway_userland::Errno;
use cutaway_userland::os::Signal;
use std::future::Future;
use std::time::Duration;

fn world() -> SimWorld {
    let config = MachineConfig::default();
    let hostname = config.hostname.clone();
    let world = SimWorld::new(config);
    furnish(world.machine(), &hostname).unwrap();
    world
}

fn run<T: 'static>(world: &SimWorld, future: impl Future<Output = T> + 'static) -> T {
    world.machine().run_until(10_000_000, future).expect("it ends")
}

/// Fetches and unpacks an image of the hub; the chain of its layers.
async fn pull(world: &SimWorld, name: &str) -> Vec<Digest> {
    let packed = world.hub().image(&format!("{name}:latest")).unwrap();
    // Asking for a manifest is what fills the hub's shelves.
    let path = format!("/v2/library/{name}/manifests/latest");
    let request = Request::new("GET", "registry-1.docker.io", true, &path);
    assert_eq!(world.perform(SendRequest { request }).await.unwrap().status, 200);
    let mut chains: Vec<Digest> = Vec::new();
    for layer in &packed.layers {
        let blob = Digest::of(&layer.gzip);
        let path = format!("/v2/library/{name}/blobs/{blob}");
        let request = Request::new("GET", "registry-1.docker.io", true, &path);
        world.perform(FetchBlob { request, digest: blob, size: layer.gzip.len() as u64 }).await.unwrap();
        let parent = chains.last().copied();
        let chain = Digest::chain(parent.as_ref(), &layer.diff_id);
        world.perform(UnpackLayer { blob, diff_id: layer.diff_id, parent, chain }).await.unwrap();
        chains.push(chain);
    }
    chains
}

/// A container that waits for its program.
async fn hold(world: &SimWorld, id: &str, layers: Vec<Digest>, stdio: Stdio) {
    let key = SnapshotKey(id.to_string());
    world.perform(PrepareSnapshot { key: key.clone(), layers }).await.unwrap();
    world.perform(CreateCgroup { container: id.into(), parent: None }).await.unwrap();
    let kinds = [
        NamespaceKind::Mount,
        NamespaceKind::Pid,
        NamespaceKind::Network,
        NamespaceKind::Uts,
        NamespaceKind::Ipc,
        NamespaceKind::Cgroup,
    ];
    let namespaces = kinds.map(|kind| Namespace { kind, source: NamespaceSource::New }).to_vec();
    world.perform(CloneInit { container: id.into(), namespaces, stdio }).await.unwrap();
    let null = DeviceNode {
        path: "/dev/null".into(),
        kind: 'c',
        major: 1,
        minor: 3,
        mode: 0o666,
        uid: 0,
        gid: 0,
        host: "/dev/null".into(),
    };
    for op in [
        SetupOp::MountRootfs { snapshot: key, passing: false },
        SetupOp::Proc,
        SetupOp::Tmpfs { target: "/dev".into(), options: "nosuid,strictatime,mode=755,size=65536k".into() },
        SetupOp::Device(null),
        SetupOp::Devpts,
        SetupOp::DevLinks,
        SetupOp::Shm { size: 1 << 20 },
        SetupOp::PivotRoot,
        SetupOp::MaskPath { path: "/proc/kcore".into() },
        SetupOp::ReadonlyPath { path: "/proc/sys".into() },
        SetupOp::Hostname("box".into()),
        SetupOp::WorkingDirectory { path: "/made/here".into() },
        SetupOp::User { uid: 0, gid: 0, groups: vec![0] },
    ] {
        let what = format!("{op:?}");
        world.perform(Setup { container: id.into(), op }).await.unwrap_or_else(|e| panic!("{what}: {e}"));
    }
}

fn pipes() -> Stdio {
    Stdio { tty: false, stdin: false, stdin_once: false, log: LogDriver::JsonFile }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| w.to_string()).collect()
}

async fn start(world: &SimWorld, id: &str, argv: &[&str]) -> Result<(), Fault> {
    world.perform(Exec { container: id.into(), argv: words(argv), env: Vec::new() }).await
}

async fn end(world: &SimWorld, id: &str) -> Exit {
    let exit = world.wait_exit(id).await.unwrap();
    world.perform(ReleaseContainer { container: id.into() }).await.unwrap();
    world.perform(RemoveCgroup { container: id.into() }).await.unwrap();
    exit
}

async fn log(world: &SimWorld, id: &str) -> Vec<(Stream, String)> {
    let lines = world.logs(id, 0).await.unwrap();
    lines.into_iter().map(|l| (l.from, String::from_utf8(l.bytes).unwrap())).collect()
}

#[test]
fn a_container_from_pull_to_exit() {
    let world = world();
    run(&world.clone(), async move {
        let layers = pull(&world, "busybox").await;
        hold(&world, "one", layers, pipes()).await;
        let script = "echo out; echo err >&2; hostname; pwd; echo $$; exit 3";
        start(&world, "one", &["sh", "-c", script]).await.unwrap();
        let exit = end(&world, "one").await;
        assert_eq!((exit.code, exit.oom_killed), (3, false));
        let (mut out, mut err) = (String::new(), String::new());
        for (from, line) in log(&world, "one").await {
            if from == Stream::Err { err += &line } else { out += &line }
        }
        assert_eq!((out.as_str(), err.as_str()), ("out\nbox\n/made/here\n1\n", "err\n"));
        assert_eq!(world.init_pid("one"), None);
    });
}

#[test]
fn programs_that_are_not_there() {
    let world = world();
    run(&world.clone(), async move {
        let layers = pull(&world, "busybox").await;
        for (n, (program, errno)) in
            [("nosuch", Errno::ENOENT), ("/etc/passwd", Errno::EACCES), ("/nosuch/x", Errno::ENOENT)].iter().enumerate()
        {
            let id = format!("c{n}");
            hold(&world, &id, layers.clone(), pipes()).await;
            let fault = start(&world, &id, &[program]).await.unwrap_err();
            assert_eq!(fault.number(), Some(*errno), "{program}");
            world.perform(ReleaseContainer { container: id.clone() }).await.unwrap();
            assert_eq!(world.init_pid(&id), None);
        }
    });
}

#[test]
fn exec_joins_and_signals_arrive() {
    let world = world();
    run(&world.clone(), async move {
        let layers = pull(&world, "busybox").await;
        hold(&world, "one", layers, pipes()).await;
        start(&world, "one", &["sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 1; done"]).await.unwrap();
        assert!(world.more_logs("one", 0).await);
        let exec = ExecId("e".into());
        let act = ExecIn {
            exec: exec.clone(),
            container: "one".into(),
            argv: words(&["sh", "-c", "cat; hostname"]),
            env: Vec::new(),
            cwd: "/".into(),
            uid: 0,
            gid: 0,
            groups: vec![0],
            capabilities: None,
            seccomp: Seccomp::Unconfined,
            no_new_privileges: false,
            limits: Vec::new(),
            oom_score_adj: 0,
            tty: false,
            stdin: true,
        };
        world.perform(act).await.unwrap();
        let console = world.exec_console(&exec).await.unwrap();
        console.write(b"typed\n").await;
        console.close_input();
        let mut seen = Vec::new();
        while let Some(chunk) = console.read().await {
            seen.extend(chunk.bytes);
        }
        assert_eq!(String::from_utf8(seen).unwrap(), "typed\nbox\n");
        assert_eq!(world.wait_exec(&exec).await.unwrap().code, 0);
        assert!(world.usage("one").unwrap().pids >= 2);
        world.perform(DeliverSignal { container: "one".into(), signal: Signal::TERM }).await.unwrap();
        assert_eq!(end(&world, "one").await.code, 5);
        assert!(world.now() < MachineConfig::default().epoch + Duration::from_secs(60));
    });
}

#[test]
fn a_commit_is_the_tar_of_the_changes() {
    let world = world();
    run(&world.clone(), async move {
        let layers = pull(&world, "busybox").await;
        let parent = layers.last().copied();
        hold(&world, "one", layers.clone(), pipes()).await;
        start(&world, "one", &["sh", "-c", "echo new > /f; rm /etc/group; mkdir -p /d/e"]).await.unwrap();
        assert_eq!(end(&world, "one").await.code, 0);
        let key = SnapshotKey("one".into());
        let commit = || CommitSnapshot { key: key.clone(), parent, clamp: None, stubs: Vec::new() };
        let made = world.perform(commit()).await.unwrap().unwrap();
        assert_eq!(world.perform(commit()).await.unwrap().unwrap(), made);
        let tar = world.read_blob(&made.blob).await.unwrap();
        assert_eq!(Digest::of(&tar), made.diff_id);
        let names: Vec<String> = layer::entries("test", &tar).unwrap().into_iter().map(|(e, _)| e.path).collect();
        let wanted = ["d", "d/e", "etc", "etc/.wh.group", "f"];
        assert!(wanted.iter().all(|w| names.iter().any(|n| n == w)), "{names:?}");
        // A container over the new layer sees the change and nothing of what is gone.
        let stack: Vec<Digest> = layers.into_iter().chain([made.chain]).collect();
        hold(&world, "two", stack, pipes()).await;
        start(&world, "two", &["sh", "-c", "cat /f; ls /etc"]).await.unwrap();
        assert_eq!(end(&world, "two").await.code, 0);
        let out: String = log(&world, "two").await.into_iter().map(|(_, line)| line).collect();
        assert!(out.starts_with("new\n") && !out.contains("group"), "{out}");
    });
}

#[test]
fn content_is_checked() {
    let world = world();
    run(&world.clone(), async move {
        let blob = world.perform(PutBlob { bytes: b"no tar"[..].into() }).await.unwrap();
        let wrong = Digest::of(b"something else");
        let act = UnpackLayer { blob, diff_id: wrong, parent: None, chain: wrong };
        assert!(matches!(world.perform(act).await, Err(Fault::Digest { .. })));
        assert!(!world.has_layer(&wrong));
        let request = Request::new("GET", "localhost:5000", false, "/v2/");
        let fault = world.perform(SendRequest { request }).await.unwrap_err();
        let reason = "dial tcp 127.0.0.1:5000: connect: connection refused".to_string();
        assert_eq!(fault, Fault::Network { host: "localhost:5000".into(), reason });
    });
}
