//! The container commands on the smallest machine: what is printed, what the records say, and that nothing is
//! left behind, whichever step fails.

mod answers;
mod machine;

use crate::cli;
use crate::container::ContainerRecord;
use crate::engine::{Ctx, execute};
use crate::image::{ImageConfig, ImageRecord, TagRecord};
use crate::name::{Digest, Reference};
use crate::world::*;
use machine::{Machine, Person};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

struct Bench {
    machine: Machine,
    fail_at: Option<u64>,
    steps: Rc<Cell<u64>>,
}

/// Fails the act of this number, and counts.
struct Saboteur {
    at: Option<u64>,
    count: Cell<u64>,
}

impl Watcher for Saboteur {
    fn before(&self, _: &Story, _: &str) -> LocalFut<Result<(), Fault>> {
        let step = self.count.get();
        self.count.set(step + 1);
        let result = if self.at == Some(step) { Err(Fault::Injected { step }) } else { Ok(()) };
        Box::pin(async move { result })
    }
}

impl Bench {
    fn new() -> Bench {
        let machine = Machine::default();
        let image = ImageRecord {
            id: Digest::of(b"image"),
            created: None,
            author: String::new(),
            architecture: "amd64".into(),
            os: "linux".into(),
            variant: String::new(),
            config: ImageConfig { cmd: Some(vec!["true".into()]), ..ImageConfig::default() },
            layers: Vec::new(),
            history: Vec::new(),
            parent: None,
            comment: String::new(),
            last_tagged: None,
        };
        let name = Reference::parse("busybox").expect("a name").with_default_tag().key();
        machine.put(&TagRecord { name, image: image.id }).expect("kept");
        machine.put(&image).expect("kept");
        Bench { machine, fail_at: None, steps: Rc::default() }
    }

    /// Runs one docker command: standard output, standard error, status.
    fn docker(&self, line: &str) -> (String, String, i32) {
        let words: Vec<String> = line.split_whitespace().map(|w| w.replace('_', " ")).collect();
        let call = cli::parse(&words).expect("a command");
        let person = Rc::new(Person::default());
        let saboteur: Rc<dyn Watcher> = Rc::new(Saboteur { at: self.fail_at, count: Cell::new(0) });
        let watched = Watched::new(self.machine.clone(), vec![saboteur], 0, line, self.steps.clone());
        let ctx = Ctx { watched, client: person.clone() };
        let status = self.machine.run(async { execute(&ctx, &call).await });
        (person.out.take(), person.err.take(), status)
    }

    /// As [`Bench::docker`], for a command that prints nothing wrong and ends with 0.
    fn ok(&self, line: &str) -> String {
        let (out, err, status) = self.docker(line);
        assert_eq!((err.as_str(), status), ("", 0), "{line}");
        out
    }

    fn record(&self, name: &str) -> ContainerRecord {
        let all = self.machine.list::<ContainerRecord>().expect("records");
        all.into_iter().find(|r| r.name == name).expect("a container of that name")
    }

    fn state(&self, name: &str) -> (String, i32) {
        let record = self.record(name);
        (record.state.status.name().to_string(), record.state.exit_code)
    }
}

#[test]
fn a_life() {
    let bench = Bench::new();
    assert_eq!(bench.ok("run --rm busybox echo hello"), "hello\n");
    assert_eq!(bench.docker("run --rm busybox exit 42").2, 42);
    assert_eq!(bench.machine.records_of(Kind::Container), 0);
    let id = bench.ok("create --name c1 busybox sleep 300");
    assert_eq!(id.trim().len(), 64);
    assert_eq!(bench.state("c1"), ("created".into(), 0));
    assert_eq!(bench.ok("start c1"), "c1\n");
    assert_eq!(bench.ok("pause c1"), "c1\n");
    assert_eq!(bench.state("c1").0, "paused");
    assert_eq!(bench.ok("unpause c1"), "c1\n");
    let (_, err, status) = bench.docker("rm c1");
    let words =
        "cannot remove container \"c1\": container is running: stop the container before removing or force remove";
    assert_eq!((err, status), (format!("Error response from daemon: {words}\n"), 1));
    assert_eq!(bench.ok("stop -t 1 c1"), "c1\n");
    assert_eq!(bench.state("c1"), ("exited".into(), 137));
    assert_eq!(bench.ok("restart -t 0 c1"), "c1\n");
    assert_eq!(bench.ok("rename c1 d1"), "");
    assert_eq!(bench.ok("ps --format {{.Names}}"), "d1\n");
    assert_eq!(bench.ok("rm -f d1"), "d1\n");
    let (_, err, status) = bench.docker("start d1");
    let words = "Error response from daemon: No such container: d1\nError: failed to start containers: d1\n";
    assert_eq!((err.as_str(), status), (words, 1));
    assert!(bench.machine.left().is_empty(), "{:?}", bench.machine.left());
    assert_eq!(bench.machine.records_of(Kind::Container), 0);
}

#[test]
fn polite_stop_and_wait() {
    let bench = Bench::new();
    bench.ok("run -d --name trap busybox polite 300");
    bench.ok("stop trap");
    assert_eq!(bench.state("trap"), ("exited".into(), 7));
    assert_eq!(bench.ok("wait trap"), "7\n");
    bench.ok("run -d --name short busybox sleep 5");
    assert_eq!(bench.ok("wait short"), "0\n");
    let (_, err, _) = bench.docker("kill short");
    assert!(err.starts_with("Error response from daemon: cannot kill container: short: container "), "{err}");
}

#[test]
fn restart_policies() {
    let bench = Bench::new();
    bench.ok("run -d --name rr --restart on-failure:2 busybox exit 1");
    bench.machine.pass(Duration::from_secs(4));
    assert_eq!(bench.record("rr").restart_count, 2);
    assert_eq!(bench.state("rr"), ("exited".into(), 1));
    bench.ok("run -d --name uu --restart unless-stopped busybox sleep 300");
    bench.ok("stop -t 0 uu");
    bench.machine.pass(Duration::from_secs(4));
    assert_eq!(bench.state("uu").0, "exited");
    bench.ok("run -d --name always --restart always busybox sleep 1");
    bench.machine.pass(Duration::from_secs(5));
    assert!(bench.record("always").restart_count >= 2);
    bench.ok("rm -f always");
    bench.machine.pass(Duration::from_secs(5));
    assert!(bench.machine.left().values().all(|left| left == &["snapshot"]), "{:?}", bench.machine.left());
}

#[test]
fn health() {
    let bench = Bench::new();
    let state = || bench.record("hh").state.health.expect("health").status.name();
    bench.ok("run -d --name hh --health-cmd test_/ok --health-interval 1s --health-retries 1 busybox sleep 300");
    assert_eq!(state(), "starting");
    bench.machine.pass(Duration::from_secs(3));
    assert_eq!(state(), "unhealthy");
    bench.machine.touch("/ok");
    bench.machine.pass(Duration::from_secs(3));
    assert_eq!(state(), "healthy");
    assert_eq!(bench.record("hh").state.health.expect("health").log.len(), 5);
    assert_eq!(bench.ok("ps --filter health=healthy --format {{.Names}}"), "hh\n");
}

#[test]
fn refused_starts() {
    let bench = Bench::new();
    let (_, err, status) = bench.docker("run --rm busybox no-such-command");
    assert_eq!(status, 127);
    assert_eq!(
        err,
        "docker: Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: \"no-such-command\": executable file not found in $PATH\n\nRun 'docker run --help' for more information\n"
    );
    assert_eq!(bench.docker("run --rm busybox /etc/passwd").2, 126);
    let (_, err, status) = bench.docker("run --rm --network nosuch busybox true");
    assert!(err.contains("failed to set up container networking: network nosuch not found"), "{err}");
    assert_eq!(status, 125);
    bench.ok("run -d --name pub -p 8085:80 busybox sleep 300");
    let (_, err, _) = bench.docker("run --name clash -p 8085:80 busybox true");
    assert!(err.contains("Bind for 0.0.0.0:8085 failed: port is already allocated"), "{err}");
    assert_eq!(bench.ok("port pub"), "80/tcp -> 0.0.0.0:8085\n80/tcp -> [::]:8085\n");
    bench.ok("rm -f pub clash");
    assert!(bench.machine.left().is_empty(), "{:?}", bench.machine.left());
}

#[test]
fn a_name_is_taken() {
    let bench = Bench::new();
    bench.ok("run --name one busybox true");
    let id = bench.record("one").id;
    let (_, err, status) = bench.docker("run --name one busybox true");
    assert_eq!(status, 125);
    assert!(err.contains(&format!("Conflict. The container name \"/one\" is already in use by container \"{id}\".")));
    assert_eq!(bench.ok("rm one"), "one\n");
    assert_eq!(bench.ok("run --name one busybox echo again"), "again\n");
}

#[test]
fn execs_and_logs() {
    let bench = Bench::new();
    bench.ok("run -d --name lg busybox sleep 300");
    assert_eq!(bench.ok("exec lg echo inside"), "inside\n");
    assert_eq!(bench.docker("exec lg exit 5").2, 5);
    let (out, _, status) = bench.docker("exec lg no-such");
    assert_eq!(status, 127);
    assert!(out.starts_with("OCI runtime exec failed: exec failed: unable to start container process: exec: \"no-such\": executable file not found"));
    assert!(bench.record("lg").exec_ids.is_empty());
    bench.ok("run --name said busybox echo one");
    assert_eq!(bench.ok("logs said"), "one\n");
    bench.ok("start said");
    bench.machine.pass(Duration::from_secs(1));
    assert_eq!(bench.ok("logs said"), "one\none\n");
    assert_eq!(bench.ok("logs --tail 1 said"), "one\n");
    let (_, err, _) = bench.docker("logs nosuch");
    assert_eq!(err, "Error response from daemon: No such container: nosuch\n");
}

#[test]
fn nothing_is_left_whichever_step_fails() {
    let total = {
        let bench = Bench::new();
        bench.ok("run --rm -p 80:80 -v data:/d -v /anon -m 64m busybox true");
        bench.steps.get()
    };
    assert!(total > 40, "{total} steps");
    for step in 0..total {
        let bench = Bench { fail_at: Some(step), ..Bench::new() };
        let (_, _, status) = bench.docker("run --rm -p 80:80 -v data:/d -v /anon -m 64m busybox true");
        bench.machine.pass(Duration::from_secs(2));
        let mut left = bench.machine.left();
        left.remove("data");
        // A failure while cleaning up can't be undone; it must not fail the command either.
        if status != 0 {
            left.retain(|_, what| what.iter().any(|w| w != "volume"));
            assert!(left.is_empty(), "step {step}: {left:?}");
            assert_eq!(bench.machine.records_of(Kind::Container), 0, "step {step}");
        }
    }
}
