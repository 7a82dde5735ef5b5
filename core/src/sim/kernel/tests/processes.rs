//! Starting, ending, waiting, signals, namespaces of processes.

use super::*;
use crate::sim::kernel::{CapSet, NamespaceChoice};
use cutaway_userland::Errno;
use cutaway_userland::os::{Disposition, Limit, LimitPair, Signal, Wait, WaitFor};
use std::time::Duration;

const ANY: Wait = Wait { who: WaitFor::Any, no_hang: false, untraced: false };

#[test]
fn scripts_about_processes() {
    check(&[
        ("echo a; echo b", "a\nb\n"),
        ("(exit 3); echo $?", "3\n"),
        ("sh -c 'kill -9 $$'; echo $?", "Killed\n137\n"),
        ("nosuch 2>/dev/null; echo $?", "127\n"),
        ("echo x > /f; chmod 644 /f; /f 2>/dev/null; echo $?", "126\n"),
        ("printf '#!/bin/sh\\necho $0 $1\\n' > /s; chmod +x /s; /s arg", "/s arg\n"),
        ("printf '#!/bin/nosuch\\n' > /s; chmod +x /s; /s 2>/dev/null; echo $?", "127\n"),
        ("yes | head -n 2", "y\ny\n"),
        ("sleep 100 & kill $!; wait $!; echo $?", "Terminated\n143\n"),
        ("sleep 1000; echo late", "late\n"),
        ("cd /tmp && pwd && cd .. && pwd", "/tmp\n/\n"),
        ("umask 077; mkdir /d; stat -c %a /d", "700\n"),
        ("trap 'echo caught' TERM; kill $$; echo on", "caught\non\n"),
        (
            "ulimit -n 4; cat /etc/passwd 3</etc/group 4</etc/group; echo $?",
            "sh: can't open /etc/group: Too many open files\n1\n",
        ),
        ("cat /proc/self/comm; cat /proc/1/comm", "cat\ninit\n"),
        ("readlink /proc/self/ns/pid", "pid:[4026531836]\n"),
        ("grep -c . /proc/self/status > /n; test $(cat /n) -gt 20 && echo many", "many\n"),
    ]);
}

#[test]
fn a_child_is_a_zombie_until_it_is_waited_for() {
    let machine = machine();
    let states = as_process(&machine, |os| async move {
        let child = os.fork(|_| Box::pin(async { 7 })).unwrap();
        os.sleep(Duration::from_secs(1)).await.unwrap();
        let own = os.machine().clone();
        let before = own.process(child).map(|p| p.state);
        let waited = os.wait(ANY).await;
        (before, waited, own.process(child).map(|p| p.state), os.wait(ANY).await, child)
    });
    let child = states.4;
    assert_eq!(states, (Some('Z'), Ok((child, Status::Exited(7))), None, Err(Errno::ECHILD), child));
}

#[test]
fn closing_and_ending_leave_no_descriptor_open() {
    // The reader sees the end of the file though the zombie has not been waited for.
    let machine = machine();
    let read = as_process(&machine, |os| async move {
        let (reader, writer) = os.pipe().unwrap();
        os.fork(move |os| {
            Box::pin(async move {
                os.write(writer, b"last words").await.unwrap();
                0
            })
        })
        .unwrap();
        os.close(writer).unwrap();
        let first = os.read(reader, 100).await.unwrap();
        (first, os.read(reader, 100).await.unwrap())
    });
    assert_eq!(read, (b"last words".to_vec(), Vec::new()));
}

#[test]
fn orphans_go_to_the_first_process() {
    let machine = machine();
    let (out, _) = script(
        &machine,
        "sh -c 'sh -c \"sleep 5; grep PPid /proc/self/status; ps -o ppid= >/dev/null; echo done\" &'; sleep 9",
    );
    assert!(out.ends_with("done\n"), "{out}");
    assert_eq!(machine.processes(Machine::INIT).len(), 1);
}

#[test]
fn signals_interrupt_wait_and_read() {
    let machine = machine();
    let answer = as_process(&machine, |os| async move {
        os.sigaction(Signal::USR1, Disposition::Catch).unwrap();
        let own = os.pid();
        os.fork(move |os| {
            Box::pin(async move {
                os.sleep(Duration::from_secs(1)).await.unwrap();
                os.kill(own, Signal::USR1).unwrap();
                os.sleep(Duration::from_secs(1)).await.unwrap();
                os.kill(own, Signal::USR1).unwrap();
                0
            })
        })
        .unwrap();
        let wait = os.wait(ANY).await;
        let (reader, _writer) = os.pipe().unwrap();
        let first = os.take_signal();
        let read = os.read(reader, 1).await;
        (wait.map(|w| w.1), first, read, os.take_signal(), os.take_signal())
    });
    assert_eq!(answer, (Err(Errno::EINTR), Some(Signal::USR1), Err(Errno::EINTR), Some(Signal::USR1), None));
}

#[test]
fn stopped_processes_stand_still() {
    let machine = machine();
    let answer = as_process(&machine, |os| async move {
        let child = os
            .fork(|os| {
                Box::pin(async move {
                    os.sleep(Duration::from_secs(2)).await.unwrap();
                    4
                })
            })
            .unwrap();
        os.kill(child, Signal::STOP).unwrap();
        let stopped = os.wait(Wait { untraced: true, ..ANY }).await;
        os.sleep(Duration::from_secs(10)).await.unwrap();
        let still = os.wait(Wait { no_hang: true, ..ANY }).await;
        os.kill(child, Signal::CONT).unwrap();
        (stopped.map(|s| s.1), still, os.wait(ANY).await.map(|s| s.1))
    });
    assert_eq!(answer, (Ok(Status::Stopped(Signal::STOP)), Err(Errno::EAGAIN), Ok(Status::Exited(4))));
}

/// A process 1 of its own, with a shell.
fn contained(out: StdStream) -> Spawn {
    Spawn {
        pid: NamespaceChoice::New,
        mount: NamespaceChoice::New,
        uts: NamespaceChoice::New,
        network: NamespaceChoice::New,
        ..plain(out)
    }
}

#[test]
fn scripts_in_a_pid_namespace() {
    let table = [
        ("echo $$; sh -c 'echo $$'; :", "1\n2\n"),
        ("hostname inside; hostname", "inside\n"),
        ("kill -TERM $$; kill -KILL $$; echo alive", "alive\n"),
        ("mount -t proc proc /proc; ls /proc | grep -c '^[0-9]'", "3\n"),
        ("mount -t proc proc /proc; cat /proc/1/comm; readlink /proc/self | grep -c .", "sh\n1\n"),
    ];
    for (text, wanted) in table {
        let machine = machine();
        let (out, _) = script_in(&machine, contained, text);
        assert_eq!(out, wanted, "{text}");
        let (host, _) = script(&machine, "hostname");
        assert_eq!(host, "cutaway\n");
    }
}

#[test]
fn the_death_of_process_1_takes_its_namespace() {
    let machine = machine();
    let (_, status) = script_in(&machine, contained, "sleep 1000 & sleep 2000 & exit 9");
    assert_eq!(status, Status::Exited(9));
    assert_eq!(machine.processes(Machine::INIT).len(), 1);
}

#[test]
fn process_1_feels_from_outside_only_kill() {
    let machine = machine();
    let pid = machine.spawn(contained(StdStream::Null)).unwrap();
    machine.exec(pid, "/bin/sleep", &words(&["sleep", "1000"]), &env()).unwrap();
    machine.run(1000);
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        machine.kill(pid, signal).unwrap();
        assert!(machine.process(pid).is_some_and(|p| p.state != 'Z'), "{signal:?}");
    }
    machine.kill(pid, Signal::KILL).unwrap();
    assert_eq!(machine.process(pid), None);
}

#[test]
fn a_loop_that_never_waits_lets_others_run() {
    let machine = machine();
    let pid = machine.spawn(plain(StdStream::Null)).unwrap();
    machine.exec(pid, "/bin/sh", &words(&["sh", "-c", "while :; do :; done"]), &env()).unwrap();
    let (out, _) = script(&machine, "sleep 1; echo still here");
    assert_eq!(out, "still here\n");
    machine.kill(pid, Signal::KILL).unwrap();
    machine.run(1000);
    assert_eq!(machine.process(pid), None);
}

#[test]
fn rights_go_with_the_user() {
    let machine = machine();
    let run = |text: &str| {
        let spawn = |out| plain(out);
        let (reader, writer) = machine.pipe();
        let pid = machine.spawn(spawn(StdStream::Fd(Machine::INIT, writer))).unwrap();
        machine.os(Machine::INIT).close(writer).unwrap();
        machine.os(pid).set_ids(1000, 1000, &[]).unwrap();
        machine.exec(pid, "/bin/sh", &words(&["sh", "-c", text]), &env()).unwrap();
        let init = machine.os(Machine::INIT);
        machine
            .run_until(FUEL, async move {
                let mut all = Vec::new();
                loop {
                    let bytes = init.read(reader, 4096).await.unwrap();
                    if bytes.is_empty() {
                        return String::from_utf8_lossy(&all).into_owned();
                    }
                    all.extend(bytes);
                }
            })
            .unwrap()
    };
    script(
        &machine,
        "echo s > /secret; chmod 600 /secret; mkdir -m 1777 /t; echo r > /t/r; cp /bin/id /bin/suid; chmod 4755 /bin/suid",
    );
    assert_eq!(run("cat /secret 2>/dev/null; echo $?"), "1\n");
    assert_eq!(run("(echo x > /new) 2>/dev/null || echo no"), "no\n");
    assert_eq!(run("rm -f /t/r 2>/dev/null; test -e /t/r && echo there"), "there\n");
    assert_eq!(run("kill 1 2>/dev/null; echo $?"), "1\n");
    assert_eq!(run("grep CapEff /proc/self/status"), "CapEff:\t0000000000000000\n");
    assert!(run("suid").contains("euid=0"), "{}", run("suid"));
}

#[test]
fn capabilities_bound_what_root_may() {
    let machine = machine();
    let bounded = |machine: &Machine, caps: &[&str], text: &str| {
        let (reader, writer) = machine.pipe();
        let pid = machine.spawn(plain(StdStream::Fd(Machine::INIT, writer))).unwrap();
        let init = machine.os(Machine::INIT);
        init.close(writer).unwrap();
        let mut creds = machine.credentials(pid).unwrap();
        let set = CapSet::of(caps);
        (creds.bounding, creds.effective, creds.permitted) = (set, set, set);
        machine.set_credentials(pid, creds).unwrap();
        machine.exec(pid, "/bin/sh", &words(&["sh", "-c", text]), &env()).unwrap();
        let out = machine.run_until(FUEL, async move { init.read(reader, 4096).await.unwrap() }).unwrap();
        String::from_utf8_lossy(&out).into_owned()
    };
    let table: [(&[&str], &str, &str); 5] = [
        (&[], "mount -t tmpfs x /tmp 2>/dev/null; echo $?", "1\n"),
        (&["CAP_SYS_ADMIN"], "mount -t tmpfs x /tmp; echo $?", "0\n"),
        (&[], "chown 5 /etc/passwd 2>/dev/null; echo $?", "1\n"),
        (&["CAP_CHOWN"], "chown 5 /etc/passwd; stat -c %u /etc/passwd", "5\n"),
        (&["CAP_CHOWN"], "grep CapBnd /proc/self/status", "CapBnd:\t0000000000000001\n"),
    ];
    for (caps, text, wanted) in table {
        assert_eq!(bounded(&machine, caps, text), wanted, "{caps:?} {text}");
    }
}

#[test]
fn limits_hold() {
    let machine = machine();
    let answer = as_process(&machine, |os| async move {
        os.set_limit(Limit::OpenFiles, LimitPair { soft: Some(4), hard: Some(10) }).unwrap();
        let last = os.dup(0, 0);
        let none = os.dup(0, 0);
        let mut creds = os.machine().credentials(os.host_pid()).unwrap();
        creds.effective = CapSet::EMPTY;
        os.machine().set_credentials(os.host_pid(), creds).unwrap();
        let raised = os.set_limit(Limit::OpenFiles, LimitPair { soft: Some(4), hard: Some(11) });
        (last, none, raised)
    });
    assert_eq!(answer, (Ok(3), Err(Errno::EMFILE), Err(Errno::EPERM)));
}

#[test]
fn a_filter_refuses_calls_by_name() {
    let machine = machine();
    let pid = machine.spawn(plain(StdStream::Null)).unwrap();
    machine.set_seccomp(pid, vec![("mkdir".into(), Errno::EPERM)]).unwrap();
    let os = machine.os(pid);
    assert_eq!((os.mkdir("/x", 0o755), os.chmod("/tmp", 0o777)), (Err(Errno::EPERM), Ok(())));
}
