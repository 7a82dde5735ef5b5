//! The engine killed (-9) before each step of `run`: what is left must be taken back by the next command.
//!
//! `--step` holds each act back until Enter is pressed, so a test that presses it n times and kills what waits
//! has killed the engine exactly there.

mod engine;

use engine::Engine;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

impl Engine {
    /// Starts a command, lets `steps` acts happen and kills all of it before the next; false where it ended before.
    fn killed_before(&self, steps: usize, words: &[&str]) -> bool {
        // A session of its own: no terminal to ask, and one group to kill.
        let mut child = Command::new("setsid")
            .arg(env!("CARGO_BIN_EXE_cutaway"))
            .arg("--step")
            .args(words)
            .env("CUTAWAY_ROOT", &self.root)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("setsid");
        let mut keys = child.stdin.take().expect("a pipe");
        let _ = keys.write_all("\n".repeat(steps).as_bytes());
        let waits = asked(&mut child, steps + 1);
        if waits {
            killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL).expect("kill");
        }
        drop(keys);
        let _ = child.wait();
        waits
    }

    /// Whether there is no container, for the first command that finds the killed process gone: dying takes a moment.
    fn lists_nothing(&self) -> bool {
        (0..50).any(|_| {
            let listed = self.said(&["ps", "-aq"]);
            if !listed.is_empty() {
                std::thread::sleep(Duration::from_millis(20));
            }
            listed.is_empty()
        })
    }

    /// Containers that there are traces of.
    fn traces(&self) -> Vec<String> {
        let mut all: Vec<String> = ["snapshots", "run/unfinished", "run/supervisors", "run/containers"]
            .iter()
            .flat_map(|folder| names(&self.root.join(folder)))
            .collect();
        all.sort();
        all.dedup();
        all
    }

    /// Everything on disk that belongs to a container.
    fn left(&self) -> Vec<String> {
        let folders = [
            "snapshots",
            "containers",
            "tmp",
            "trash",
            "run/unfinished",
            "run/supervisors",
            "run/containers",
            "records/containers",
        ];
        let inside = |folder: &str| -> Vec<String> {
            names(&self.root.join(folder)).into_iter().map(|n| format!("{folder}/{n}")).collect()
        };
        let mut all: Vec<String> = folders.iter().flat_map(|f| inside(f)).collect();
        all.extend(inside("records/settings").into_iter().filter(|n| n.contains("container-name")));
        all.extend(inside("records").into_iter().filter(|n| n.contains(".tmp-")));
        all
    }

    /// Waits until no process sees a mount of this store any more.
    fn quiet(&self) -> bool {
        let mark = self.root.display().to_string();
        let sees =
            |name: &String| std::fs::read_to_string(format!("/proc/{name}/mountinfo")).is_ok_and(|m| m.contains(&mark));
        (0..500).any(|_| {
            let left = names(Path::new("/proc")).iter().any(sees);
            if left {
                std::thread::sleep(Duration::from_millis(10));
            }
            !left
        })
    }
}

/// Whether a stepping command asks for the n-th time.
fn asked(child: &mut Child, n: usize) -> bool {
    const QUESTION: &str = "q to stop: ";
    let mut told = child.stderr.take().expect("a pipe");
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while let Ok(got) = told.read(&mut buffer) {
        if got == 0 {
            return false;
        }
        text += &String::from_utf8_lossy(&buffer[..got]);
        if text.matches(QUESTION).count() >= n {
            return true;
        }
    }
    false
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut all: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    all.sort();
    all
}

/// Control groups of a container, in any tree.
fn groups(id: &str) -> Vec<PathBuf> {
    let top = Path::new("/sys/fs/cgroup");
    let trees = names(top).into_iter().map(|n| top.join(n)).chain([top.to_path_buf()]);
    trees.map(|tree| tree.join("cutaway").join(id)).filter(|p| p.exists()).collect()
}

#[test]
fn a_kill_at_any_step_leaves_nothing() {
    let Some(engine) = Engine::ready("crash") else { return };
    let run = ["run", "--rm", "--name", "crash", "--network", "none", "-m", "64m", "cutaway/base", "true"];
    let mut steps = 0;
    while engine.killed_before(steps, &run) {
        let traces = engine.traces();
        assert!(engine.quiet(), "killed before step {steps}: a process or a mount goes on");
        assert!(engine.lists_nothing(), "killed before step {steps}");
        // A process that is still dying has not abandoned its work yet: the first command after that takes it over.
        let left = || {
            let groups = traces.iter().flat_map(|id| groups(id)).map(|path| path.display().to_string());
            groups.chain(engine.left()).collect::<Vec<String>>()
        };
        let gone = (0..100).any(|_| {
            left().is_empty() || {
                std::thread::sleep(Duration::from_millis(20));
                engine.said(&["ps", "-aq"]);
                false
            }
        });
        assert!(gone, "killed before step {steps}: {:?}", left());
        steps += 1;
    }
    assert!(steps > 30, "a run has more than {steps} steps");
    assert!(engine.left().is_empty(), "of a whole run: {:?}", engine.left());
}

#[test]
fn a_container_that_is_kept_can_be_started_after_a_kill() {
    let Some(engine) = Engine::ready("crash-kept") else { return };
    engine.said(&["create", "--name", "kept", "--network", "none", "cutaway/base", "echo", "hello"]);
    for steps in (0..60).step_by(9) {
        let ended = !engine.killed_before(steps, &["start", "-a", "kept"]);
        assert!(engine.quiet(), "killed before step {steps}: a process or a mount goes on");
        let traces = engine.traces();
        let left = || {
            let groups = traces.iter().flat_map(|id| groups(id)).map(|path| path.display().to_string());
            groups.chain(names(&engine.root.join("run/unfinished"))).collect::<Vec<String>>()
        };
        let gone = (0..100).any(|_| {
            assert!(engine.said(&["ps", "-aq", "--no-trunc"]).len() > 60, "killed before step {steps}");
            left().is_empty() || {
                std::thread::sleep(Duration::from_millis(20));
                false
            }
        });
        assert!(gone, "killed before step {steps}: {:?}", left());
        assert_eq!(engine.said(&["start", "-a", "kept"]), "hello\n", "killed before step {steps}");
        if ended {
            break;
        }
    }
    engine.said(&["rm", "-f", "kept"]);
    assert!(engine.left().is_empty(), "{:?}", engine.left());
}

/// What is left of networks: cables, leased addresses, rules of containers.
fn connections(engine: &Engine) -> Vec<String> {
    let output = |program: &str, words: &[&str]| {
        let output = Command::new(program).args(words).output();
        output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default()
    };
    let mut all: Vec<String> =
        output("ip", &["-o", "link", "show", "type", "veth"]).lines().map(str::to_string).collect();
    let rules = output("nft", &["list", "chains", "inet"]);
    all.extend(rules.lines().filter(|l| l.contains("chain in-") || l.contains("chain out-")).map(str::to_string));
    for name in names(&engine.root.join("records/networks")) {
        let record = std::fs::read_to_string(engine.root.join("records/networks").join(name)).unwrap_or_default();
        let leases = record.split_once("\"leases\":").map_or("", |(_, rest)| rest).trim_start();
        if !leases.is_empty() && !leases.starts_with("{}") {
            all.push(leases.to_string());
        }
    }
    all
}

#[test]
fn a_kill_while_connecting_leaves_no_cable_no_address_and_no_rule() {
    let Some(engine) = Engine::ready("crash-net") else { return };
    // The commands that this thread starts are in a network of their own.
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("a network namespace");
    let run = ["run", "--rm", "-p", "8080:80", "--network-rate", "1mbit", "cutaway/base", "true"];
    let (mut steps, mut seen) = (0, 0);
    while engine.killed_before(steps, &run) {
        seen += usize::from(!connections(&engine).is_empty());
        assert!(engine.quiet(), "killed before step {steps}: a process or a mount goes on");
        assert!(engine.lists_nothing(), "killed before step {steps}");
        let left = connections(&engine);
        assert!(left.is_empty(), "killed before step {steps}: {left:?}");
        steps += 1;
    }
    assert!(seen > 20, "of {steps} kills, {seen} left something to be taken back");
    let listed = engine.said(&["run", "--rm", "cutaway/base", "ip", "-4", "-o", "addr", "show", "eth0"]);
    assert!(listed.contains("172.17.0.2/16"), "{listed}");
    // The same for a container that runs and is put into one more network.
    engine.said(&["network", "create", "more"]);
    engine.said(&["run", "-d", "--name", "kept", "cutaway/base", "sleep", "60"]);
    for steps in 0..6 {
        if !engine.killed_before(steps, &["network", "connect", "more", "kept"]) {
            break;
        }
        let settled = |_| engine.said(&["ps", "-q"]).len() > 11 && connections(&engine).len() == 2;
        let _ = (0..50).any(|n| {
            settled(n) || {
                std::thread::sleep(Duration::from_millis(20));
                false
            }
        });
        let left = connections(&engine);
        assert_eq!(left.len(), 2, "killed before step {steps}: one cable and one lease are kept: {left:?}");
        assert!(engine.said(&["network", "inspect", "more", "-f", "{{len .Containers}}"]).starts_with('0'));
    }
    engine.said(&["rm", "-f", "kept"]);
    assert!(connections(&engine).is_empty());
}

#[test]
fn a_frozen_container_is_taken_back_when_its_supervisor_was_killed() {
    let Some(engine) = Engine::ready("crash-frozen") else { return };
    let run = ["run", "-d", "--name", "frozen", "--network", "none", "cutaway/base", "sleep", "1000"];
    let id = engine.said(&run).trim().to_string();
    engine.said(&["pause", "frozen"]);
    let note = std::fs::read_to_string(engine.root.join("run/supervisors").join(&id)).expect("a supervisor");
    let supervisor = note.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("its process");
    nix::sys::signal::kill(Pid::from_raw(supervisor), Signal::SIGKILL).expect("kill");
    let ended = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        engine.said(&["ps", "-a", "--format", "{{.Status}}"]).starts_with("Exited")
    });
    assert!(ended, "{}", engine.said(&["ps", "-a"]));
    assert!(engine.quiet(), "a process or a mount goes on");
    assert!(groups(&id).is_empty(), "{:?}", groups(&id));
    engine.said(&["rm", "frozen"]);
    assert!(engine.left().is_empty(), "{:?}", engine.left());
}
