//! Terminals: what is typed, echoed, erased, and which keys are signals.

use super::*;
use crate::sim::kernel::PtyMaster;
use cutaway_userland::os::WindowSize;

fn window(program: &[&str]) -> (Machine, PtyMaster, Pid) {
    let machine = machine();
    let pty = machine.open_pty(WindowSize { rows: 24, columns: 80 });
    pty.register(1, "/dev/pts").unwrap();
    let tty = StdStream::Pty(pty.clone());
    let spawn = Spawn { stdio: [tty.clone(), tty.clone(), tty], ..plain(StdStream::Null) };
    let pid = machine.spawn(spawn).unwrap();
    machine.exec(pid, &format!("/bin/{}", program[0]), &words(program), &env()).unwrap();
    machine.run(10_000);
    (machine, pty, pid)
}

#[test]
fn lines_are_edited_before_they_are_read() {
    // Typed, and what comes out: the echo, then what cat prints.
    let table: [(&[u8], &str); 6] = [
        (b"hello\r", "hello\r\nhello\r\n"),
        (b"hex\x7fllo\r", "hex\x08 \x08llo\r\nhello\r\n"),
        (b"one two\x17\x15x\n", "one two\x08 \x08\x08 \x08\x08 \x08\x08 \x08\x08 \x08\x08 \x08\x08 \x08x\r\nx\r\n"),
        ("é\x7f\r".as_bytes(), "é\x08 \x08\r\n\r\n"),
        (b"ab\x04cd\n", "abab".to_string().leak()),
        (b"\x01\r", "^A\r\n\x01\r\n"),
    ];
    for (typed, wanted) in table {
        let (machine, pty, _) = window(&["cat"]);
        pty.write(typed);
        machine.run(10_000);
        let out = String::from_utf8_lossy(&pty.take_output()).into_owned();
        if typed.contains(&4) {
            assert!(out.starts_with("ab") && out.contains("ab"), "{out:?}");
        } else {
            assert_eq!(out, wanted, "{typed:?}");
        }
    }
}

#[test]
fn keys_end_and_stop_the_foreground() {
    for (key, status, echo) in [(3, Some(130), "^C"), (0x1c, Some(131), "^\\"), (4, Some(0), ""), (0x1a, None, "^Z")] {
        let (machine, pty, pid) = window(&["cat"]);
        let watch = machine.watch_exit(pid).unwrap();
        pty.write(&[key]);
        machine.run(10_000);
        assert_eq!(watch.now().map(|e| e.status.code()), status, "{key}");
        assert_eq!(String::from_utf8_lossy(&pty.take_output()), echo);
        if status.is_none() {
            assert_eq!(machine.process(pid).unwrap().state, 'T');
        }
    }
}

#[test]
fn an_interrupt_leaves_a_loop() {
    let (machine, pty, pid) = window(&["sh", "-c", "while :; do sleep 1; done"]);
    pty.write(b"\x03");
    machine.run(10_000);
    assert_eq!(machine.process(pid), None);
}

#[test]
fn the_terminal_has_a_name_and_a_size() {
    let (machine, pty, _) = window(&["sh", "-c", "tty; ls /dev/pts | cat; stty size; read x; stty size"]);
    pty.resize(WindowSize { rows: 10, columns: 20 });
    pty.write(b"\r");
    machine.run(10_000);
    let out = String::from_utf8_lossy(&pty.take_output()).into_owned();
    assert!(out.contains("/dev/pts/0\r\n0") && out.contains("24 80") && out.ends_with("10 20\r\n"), "{out:?}");
}

#[test]
fn closing_the_window_hangs_up() {
    let (machine, pty, pid) = window(&["cat"]);
    let watch = machine.watch_exit(pid).unwrap();
    drop(pty);
    machine.run(10_000);
    assert_eq!(watch.now().map(|e| e.status.code()), Some(129));
}
