//! Whole sessions: what is typed, what is printed, and that a log lived again is the same session.

use super::{Activity, Config, Input, Log, Session};
use std::time::Duration;

fn drive(session: &Session) {
    for _ in 0..1000 {
        match session.run(100_000) {
            Activity::Busy => {}
            Activity::Idle | Activity::Sleeping(_) => return,
        }
    }
    panic!("it never comes to rest");
}

fn typed(session: &Session, line: &str) -> String {
    session.take_output();
    session.input(line.as_bytes());
    drive(session);
    String::from_utf8_lossy(&session.take_output()).into_owned()
}

#[test]
fn the_shell_completes_dockers_words() {
    let session = Session::new(Config::default());
    drive(&session);
    let text = typed(&session, "docker netw\t\x15");
    assert!(text.contains("network"), "{text:?}");
    let text = typed(&session, "docker run --hostn\t\x15");
    assert!(text.contains("--hostname"), "{text:?}");
    typed(&session, "mkdir folder\n");
    let text = typed(&session, "docker cp fol\t\x15");
    assert!(text.contains("folder/"), "{text:?}");
}

#[test]
fn a_line_is_echoed_and_answered() {
    let session = Session::new(Config::default());
    drive(&session);
    let text = typed(&session, "echo $((6 * 7))\n");
    assert!(text.contains("echo $((6 * 7))") && text.contains("\n42\r\n"), "{text:?}");
    assert!(typed(&session, "docker --version\n").contains("Docker version"));
}

#[test]
fn a_registry_on_the_stage_has_what_it_was_asked_for_or_given() {
    let session = Session::new(Config::default());
    let seen = |script: &str| {
        session.script(script, |_| {});
        let stage = session.stage();
        let repositories = stage.registries.iter().flat_map(|registry| {
            registry.repositories.iter().map(|r| format!("{}/{} {}", registry.host, r.name, r.tags.join(",")))
        });
        repositories.collect::<Vec<String>>()
    };
    let pulled = "docker.io/library/busybox latest";
    assert_eq!(seen("docker pull -q busybox"), [pulled]);
    assert_eq!(seen("docker tag busybox mine:1; docker tag busybox localhost:5000/mine:1"), [pulled]);
    let pushed = seen("docker run -d -p 5000:5000 registry:2; sleep 1; docker push -q localhost:5000/mine:1");
    assert_eq!(pushed, [pulled, "docker.io/library/registry 2", "localhost:5000/mine 1"]);
}

#[test]
fn a_line_breaks_where_the_window_ends_also_if_it_changed_after_the_prompt() {
    let session = Session::new(Config { columns: 80, ..Config::default() });
    drive(&session);
    session.resize(40, 24);
    let words = "echo ".to_string() + &"a".repeat(60) + "\n";
    let text = typed(&session, &words);
    // Forty columns: the prompt, `echo `, and nineteen letters.
    assert!(text.contains(&format!("# echo {}\r\n", "a".repeat(19))), "{text:?}");
}

#[test]
fn time_is_the_drivers() {
    let session = Session::new(Config::default());
    drive(&session);
    assert!(!typed(&session, "sleep 60; echo over\n").contains("\nover"));
    session.tick(Duration::from_secs(59));
    drive(&session);
    assert!(session.take_output().is_empty());
    // Computing takes a little time, too.
    session.tick(Duration::from_secs(2));
    drive(&session);
    assert!(String::from_utf8_lossy(&session.take_output()).contains("over"));
    // The clock is where the ticks have led it, but for what was computed last.
    let over = session.now().saturating_sub(Config::default().start + Duration::from_secs(61));
    assert!(over < Duration::from_millis(100), "{over:?}");
}

#[test]
fn a_script_jumps_over_waiting() {
    let session = Session::new(Config::default());
    let mut seen = Vec::new();
    let status = session.script("echo one; sleep 3600; echo two; exit 7\n", |bytes| seen.extend_from_slice(bytes));
    assert_eq!((String::from_utf8_lossy(&seen).as_ref(), status), ("one\ntwo\n", 7));
    assert!(session.now() >= Config::default().start + Duration::from_secs(3600));
}

#[test]
fn what_was_started_answers_the_very_next_command() {
    let session = Session::new(Config::default());
    let mut text = Vec::new();
    let script = "docker run -d -p 8080:80 nginx && wget -qO- localhost:8080 | grep -c title
docker run -d --name idle busybox sleep 100 && docker exec -d idle httpd -f -h /bin && docker exec idle wget -qO /dev/null localhost/true && echo served
docker run -d busybox sh -c 'while :; do :; done' && echo spinning
docker run -d busybox sh -c 'sleep 1; httpd -f' && wget -qO- 172.17.0.5
";
    session.script(script, |bytes| text.extend_from_slice(bytes));
    let text = String::from_utf8_lossy(&text);
    for wanted in ["\n1\n", "\nserved\n", "\nspinning\n", "(172.17.0.5): Connection refused"] {
        assert!(text.contains(wanted), "{wanted:?} in {text}");
    }
}

#[test]
fn several_processors_compute_at_once() {
    let session = Session::new(Config::default());
    let mut text = Vec::new();
    let script = "docker run -d --name free busybox sh -c 'while :; do :; done' >/dev/null 2>&1
docker run -d --name half --cpus 0.5 busybox sh -c 'while :; do :; done' >/dev/null
docker stats --no-stream --format '{{.Name}} {{.CPUPerc}}'
docker rm -f free half >/dev/null
";
    session.script(script, |bytes| text.extend_from_slice(bytes));
    let text = String::from_utf8_lossy(&text);
    let used = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a line for each");
        line.trim().trim_end_matches('%').parse().expect("a percentage")
    };
    assert!((90.0..=101.0).contains(&used("free")), "{text}");
    assert!((40.0..=51.0).contains(&used("half")), "{text}");
}

#[test]
fn files_of_the_host() {
    let session = Session::new(Config::default());
    session.write_host_file("/root/site/index.html", b"hi").unwrap();
    let mut seen = Vec::new();
    session.script("cat site/index.html; echo more > made", |bytes| seen.extend_from_slice(bytes));
    assert_eq!(seen, b"hi");
    assert_eq!(session.read_host_file("/root/made").unwrap(), b"more\n");
}

#[test]
fn a_log_lived_again_is_the_same_session() {
    let session = Session::new(Config { seed: 7, ..Config::default() });
    session.input(b"echo $RANDOM; mkdir a && cd a && pwd\n");
    session.run(500);
    session.input(b"for i in 1 2 3; do echo $i; sleep 1; done | cat > out &\n");
    session.tick(Duration::from_millis(1500));
    session.run(1);
    session.input(b"docker run --name x busybox echo hello\n");
    drive(&session);
    session.write_host_file("/root/note", b"text").unwrap();
    session.resize(100, 30);
    session.tick(Duration::from_secs(5));
    drive(&session);
    session.tick(Duration::from_secs(1));
    drive(&session);
    session.script("docker ps -a; cat a/out note", |_| {});
    drive(&session);
    let log = session.log();
    let again = Session::replay(&log);
    assert_eq!(again.digest(), session.digest());
    assert_eq!(again.step_count(), session.step_count());
    assert_eq!(again.log(), log);
    // Another seed is another session, and a part of the log is a part of the session.
    let other = Log { config: Config { seed: 8, ..log.config.clone() }, ..log.clone() };
    assert_ne!(Session::replay(&other).digest(), session.digest());
    let part = log.prefix(1);
    assert!(matches!(part.entries[0].input, Input::Keys(_)));
    assert_eq!(Session::replay(&part).step_count(), 0);
}
