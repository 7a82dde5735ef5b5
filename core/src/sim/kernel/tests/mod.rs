//! The kernel as programs see it: most tests are shell scripts with what they must print.

mod cgroups;
mod executor;
mod files;
mod networks;
mod overlays;
mod processes;
mod terminals;

use super::{Machine, MachineConfig, SimOs, Spawn, StdStream};
use crate::world::LocalFut;
use cutaway_userland::os::{Os, Pid, Status};
use std::future::Future;
use std::rc::Rc;

/// Turns that are more than any test needs.
const FUEL: u64 = 2_000_000;

/// A machine whose disk has all programs in /bin.
fn machine() -> Machine {
    let machine = Machine::new(MachineConfig::default());
    for name in cutaway_userland::names() {
        let Some(program) = cutaway_userland::program::<SimOs>(name) else { continue };
        machine.register_program(name, Rc::new(program));
        machine.write_file(Machine::INIT, &format!("/bin/{name}"), &Machine::program_file(name), 0o755).unwrap();
    }
    let passwd = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";
    machine.write_file(Machine::INIT, "/etc/passwd", passwd.as_bytes(), 0o644).unwrap();
    machine.write_file(Machine::INIT, "/etc/group", b"root:x:0:\nann:x:1000:\n", 0o644).unwrap();
    machine
}

/// A held process below the host's first one, in its namespaces, that prints to `out`.
fn plain(out: StdStream) -> Spawn {
    Spawn {
        parent: Machine::INIT,
        mount: Default::default(),
        pid: Default::default(),
        network: Default::default(),
        uts: Default::default(),
        ipc: Default::default(),
        user: Default::default(),
        cgroup_namespace: Default::default(),
        cgroup: Machine::ROOT_CGROUP,
        stdio: [StdStream::Null, out.clone(), out],
        session: true,
        root_of: None,
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_string()).collect()
}

fn env() -> Vec<(String, String)> {
    vec![("PATH".into(), "/bin".into()), ("HOME".into(), "/root".into())]
}

/// Runs a script in a process as `spawn` says: what it printed on both streams, and its status.
fn script_in(machine: &Machine, spawn: impl FnOnce(StdStream) -> Spawn, text: &str) -> (String, Status) {
    let (reader, writer) = machine.pipe();
    let pid = machine.spawn(spawn(StdStream::Fd(Machine::INIT, writer))).unwrap();
    let init = machine.os(Machine::INIT);
    init.close(writer).unwrap();
    let watch = machine.watch_exit(pid).unwrap();
    machine.exec(pid, "/bin/sh", &words(&["sh", "-c", text]), &env()).unwrap();
    let machine = machine.clone();
    let done = machine.run_until(FUEL, async move {
        let mut out = Vec::new();
        loop {
            let bytes = init.read(reader, 4096).await.unwrap();
            if bytes.is_empty() {
                break;
            }
            out.extend(bytes);
        }
        init.close(reader).unwrap();
        (String::from_utf8_lossy(&out).into_owned(), watch.wait().await.status)
    });
    done.unwrap_or_else(|| panic!("never ends: {text}"))
}

fn script(machine: &Machine, text: &str) -> (String, Status) {
    script_in(machine, plain, text)
}

/// Each script, on a machine of its own, prints what it should.
#[track_caller]
fn check(table: &[(&str, &str)]) {
    for (text, wanted) in table {
        let (out, _) = script(&machine(), text);
        assert_eq!(out, *wanted, "{text}");
    }
}

/// Runs a function as a process of the host.
fn as_process<T: 'static, F: Future<Output = T> + 'static>(
    machine: &Machine,
    body: impl FnOnce(SimOs) -> F + 'static,
) -> T {
    let pid: Pid = machine.spawn(plain(StdStream::Null)).unwrap();
    let slot = Rc::new(std::cell::RefCell::new(None));
    let result = slot.clone();
    let watch = machine.watch_exit(pid).unwrap();
    machine.start(pid, move |os| {
        Box::pin(async move {
            let value = body(os).await;
            *slot.borrow_mut() = Some(value);
            0
        }) as LocalFut<i32>
    });
    machine.run_until(FUEL, async move { watch.wait().await });
    result.take().expect("the process ran to its end")
}
