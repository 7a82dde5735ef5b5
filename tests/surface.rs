//! The command line against the list of Docker's own commands, where that list is kept beside the repository:
//! nothing is missing, and no line that can be typed ends in a panic or without a word of what is wrong.

use cutaway_core::cli::parse;
use cutaway_core::sim::session::{Config, Session};
use cutaway_tests::{shared, skip};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A command of the list.
struct Listed {
    /// As `docker container run`.
    path: String,
    /// What follows the path in the usage line.
    usage: String,
    flags: Vec<Flag>,
}

struct Flag {
    /// With its dashes.
    long: String,
    /// As help shows it; empty for a boolean.
    kind: String,
}

fn listed(test: &str) -> Option<Vec<Listed>> {
    let path = shared(test, "docker")?.join("cli_surface.txt");
    let list = std::fs::read_to_string(path).expect("the list can be read");
    let mut commands: Vec<Listed> = Vec::new();
    for line in list.lines().take_while(|l| !l.starts_with("### SUMMARY")) {
        if let Some(path) = line.strip_prefix("### ") {
            commands.push(Listed { path: path.trim().into(), usage: String::new(), flags: Vec::new() });
            continue;
        }
        let Some(command) = commands.last_mut() else { continue };
        if let Some(usage) = line.strip_prefix("  usage: ") {
            let at = usage.find(['[', '<']).into_iter().chain(usage.find(|c: char| c.is_ascii_uppercase())).min();
            command.usage = usage[at.unwrap_or(usage.len())..].to_string();
        } else if line.starts_with("  -")
            && let Some(at) = line.find("--")
        {
            let mut words = line[at..].split(' ');
            let long = words.next().unwrap_or_default().to_string();
            let kind = words.next().filter(|w| !w.is_empty()).unwrap_or_default().to_string();
            command.flags.push(Flag { long, kind });
        }
    }
    Some(commands)
}

/// To write it anew: `CUTAWAY_WRITE=1 cargo test -p cutaway-tests --test surface document`.
#[test]
fn the_document_of_commands_is_made_from_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../COMMANDS.md");
    let made = cutaway_core::cli::document();
    if std::env::var_os("CUTAWAY_WRITE").is_some() {
        std::fs::write(&path, &made).expect("the document is written");
    }
    let kept = std::fs::read_to_string(&path).expect("the document");
    assert!(
        kept == made,
        "COMMANDS.md is not what `core/src/cli/support.rs` says; the test's comment says how to write it"
    );
}

#[test]
fn nothing_of_docker_is_missing() {
    for command in listed("nothing_of_docker_is_missing").into_iter().flatten() {
        let path = &command.path;
        let words: Vec<String> = path.split(' ').skip(1).chain(["--help"]).map(str::to_string).collect();
        let usage = parse(&words).expect_err(path);
        assert_eq!(usage.status, 0, "{path}: {}", usage.text);
        for flag in command.flags.iter().filter(|f| f.long != "--help") {
            assert!(usage.text.contains(&format!("{} ", flag.long)), "{path}: {} is missing", flag.long);
        }
    }
}

/// Words for the placeholders of a usage line: things that are there (see `SETUP`), or that are not.
fn words_for(usage: &str, there: bool) -> String {
    let usage = usage.replace("[OPTIONS]", "");
    // Of alternatives the last one names standard input, which is empty.
    let mut words = Vec::new();
    for word in usage.split_whitespace() {
        let bare = word.trim_matches(['[', ']', '.']);
        let first = bare.split(['|', '[']).next().unwrap_or(bare);
        let known = match first {
            "" | "|" | "OPTIONS" | "OPTION" => continue,
            "IMAGE" | "SOURCE_IMAGE" | "MANIFEST" | "MANIFEST_LIST" | "NAME" | "REPOSITORY" => "busybox",
            "TARGET_IMAGE" => "copy:2",
            "CONTAINER" | "SERVICE" | "SERVICES" => "web",
            "CONTAINER:SRC_PATH" | "SERVICE:SRC_PATH" => "web:/etc/hosts",
            "DEST_PATH" => "hosts",
            "COMMAND" => "true",
            "VOLUME" => "data",
            "NETWORK" => "net",
            "NEW_NAME" => "newer",
            "PATH" | "PLUGIN-DATA-DIR" => ".",
            "URL" | "-" => continue,
            "ARG" | "ARGS" => continue,
            "PRIVATE_PORT" => "80",
            "file" | "FILE" | "KEYFILE" => "archive.tar",
            "CONTEXT" => "default",
            "SERVICE=REPLICAS" => "web=2",
            "SERVER" | "HOST:PORT" => "localhost:5000",
            _ => "word",
        };
        words.push(if there { known } else { "nosuch" });
    }
    words.dedup();
    words.join(" ")
}

/// Values of a flag by its type: those that could be meant, and those that can't.
fn values_for(flag: &Flag) -> (Vec<&'static str>, Vec<&'static str>) {
    let plausible: &[&str] = match flag.long.trim_start_matches('-') {
        "format" => &["json", "table {{.ID}}", "{{json .}}"],
        "filter" => &["name=web", "label=a=b", "status=running", "until=10m", "dangling=true", "since=web"],
        "env-file" | "label-file" => &["env"],
        "platform" => &["linux/amd64", "linux/arm64/v8"],
        "name" | "project-name" | "tag" => &["other"],
        "file" => &["Dockerfile", "compose.yaml", "-"],
        "output" => &["out.tar", "type=local,dest=out", "type=tar,dest=-"],
        "input" => &["archive.tar"],
        "since" | "until" => &["10m", "2026-01-01T00:00:00Z", "1700000000.5"],
        "user" => &["1000:1000", "root"],
        "cpuset-cpus" | "cpuset-mems" => &["0", "0-1"],
        "device" => &["/dev/null:/dev/other:r"],
        "volume" | "mount" if flag.kind == "mount" => &["type=tmpfs,dst=/t", "type=volume,src=data,dst=/d"],
        "volume" => &["data:/d:ro", "/tmp:/t"],
        "publish" => &["8080:80", "127.0.0.1:0:80/udp", "8000-8002:80-82"],
        "network" => &["net", "host", "none", "container:web"],
        "subnet" => &["10.9.0.0/16", "fd00::/64"],
        "gateway" | "ip" | "dns" => &["10.9.0.1"],
        "signal" | "stop-signal" => &["TERM", "9", "SIGRTMIN+3"],
        "change" => &["CMD [\"x\"]", "ENV a=b"],
        "restart" => &["always", "on-failure:3"],
        "log-driver" => &["none", "json-file"],
        _ => match flag.kind.as_str() {
            "" => &["=true", "=false"],
            "int" | "uint" | "uint16" | "uint32" => &["1", "0"],
            "bytes" => &["64m", "1g", "0"],
            "decimal" => &["0.5"],
            "duration" => &["1s", "1m30s"],
            "map" | "stringToString" => &["a=b"],
            "ulimit" => &["nofile=100:200"],
            "gpu-request" => &["all"],
            _ => &["web", "a=b"],
        },
    };
    let bad: &[&str] = match flag.kind.as_str() {
        "" => &["=maybe", "="],
        "int" | "uint" | "uint16" | "uint32" | "bytes" | "decimal" | "duration" => {
            &["x", "", "-7", "99999999999999999999999", "1e400", "0x", "NaN", "\u{661}"]
        }
        _ => &["", "=", "{{", "{{.Nope}}", ":::,,==", "-", "../\u{e9}/\u{1f980}", "\"a", "[::1", "1-0", "sha256:zz"],
    };
    (plausible.to_vec(), bad.to_vec())
}

/// What the lines find on their machine.
const SETUP: &str = "docker network create net; docker volume create data; mkdir -p out; echo a=b > env; \
    docker run -d --name web --label a=b -v data:/data -p 80 busybox sleep 100000; docker save busybox > archive.tar; \
    printf 'FROM busybox\\nRUN true\\n' > Dockerfile; \
    printf 'services:\\n  web:\\n    image: busybox\\n    command: sleep 1000\\n' > compose.yaml; \
    case $1 in compose) docker compose up -d;; esac";

/// All lines to try of one command, without the `docker` of their beginning.
fn lines(command: &Listed) -> Vec<String> {
    let path = command.path.strip_prefix("docker").unwrap_or_default().trim();
    let words = words_for(&command.usage, true);
    let many = "a b c d e f";
    let mut lines = vec![
        path.to_string(),
        format!("{path} --help"),
        format!("{path} {words}"),
        format!("{path} {}", words_for(&command.usage, false)),
        format!("{path} {words} {many}"),
        format!("{path} '' ''"),
        format!("{path} --no-such-flag {words}"),
        format!("{path} -\u{e9} {words}"),
        format!("{path} - {words}"),
    ];
    for flag in &command.flags {
        let (plausible, bad) = values_for(flag);
        for value in plausible.iter().chain(&bad) {
            let quoted = format!("'{value}'");
            let joint = if flag.kind.is_empty() { "" } else { " " };
            lines.push(format!("{path} {}{joint}{quoted} {words}", flag.long));
        }
        if !flag.kind.is_empty() {
            lines.push(format!("{path} {}", flag.long));
        }
    }
    lines
}

/// What is wrong with how a line ended, if anything.
fn fault(status: i32, output: &str) -> Option<String> {
    // Docker's own, Compose's, those of the programs that were run, and of `timeout`.
    if ![0, 1, 2, 16, 17, 18, 64, 124, 125, 126, 127, 130, 137, 143].contains(&status) {
        return Some(format!("its exit status is {status}"));
    }
    if !matches!(status, 0 | 124 | 143) && output.trim().is_empty() {
        return Some(format!("it ends with {status} and says nothing"));
    }
    // An error that reached the person as the program sees it.
    for trace in ["panicked", "Errno", "Fault", "Err(", "Some(", "None)", "os error", "RefCell", "/src/"] {
        if output.contains(trace) {
            return Some(format!("it says {trace:?}"));
        }
    }
    let unrouted = output.lines().any(|l| l.starts_with("docker ") && l.ends_with(" is not supported"));
    unrouted.then(|| "no engine command takes it".to_string())
}

fn prepared(command: &Listed) -> Session {
    let session = Session::new(Config::default());
    let group = command.path.split(' ').nth(1).unwrap_or_default();
    let status = session.script(&format!("set -- {group}; {SETUP}"), |_| {});
    assert_eq!(status, 0, "the setup fails");
    session
}

/// Some lines take the machine apart; after so many it is a new one.
const LINES_OF_A_MACHINE: usize = 60;

#[test]
fn no_line_panics_or_fails_without_a_word() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    // `CUTAWAY_SURFACE=logs` tries only commands with that word, and shows what they print.
    let only = std::env::var("CUTAWAY_SURFACE").unwrap_or_default();
    for command in listed("no_line_panics_or_fails_without_a_word").into_iter().flatten() {
        if !only.is_empty() && !command.path.split(' ').any(|w| w == only) {
            continue;
        }
        let lines = lines(&command);
        for part in lines.chunks(LINES_OF_A_MACHINE) {
            let mut session = prepared(&command);
            for line in part {
                tried += 1;
                let mut output = Vec::new();
                let script = format!("timeout 3 docker {line} < /dev/null");
                let ended = catch_unwind(AssertUnwindSafe(|| session.script(&script, |b| output.extend_from_slice(b))));
                let text = String::from_utf8_lossy(&output);
                let found = match ended {
                    Ok(status) => fault(status, &text),
                    Err(_) => {
                        // A machine on which something has panicked is not asked again.
                        std::mem::forget(std::mem::replace(&mut session, prepared(&command)));
                        Some("it panics".to_string())
                    }
                };
                if !only.is_empty() {
                    println!("$ docker {line}\n{text}");
                }
                if let Some(found) = found {
                    println!("docker {line}: {found}: {}", text.trim());
                    wrong.push(format!("docker {line}: {found}"));
                }
            }
        }
    }
    println!("{tried} lines");
    assert!(wrong.is_empty(), "{} of {tried} lines end badly:\n{}", wrong.len(), wrong.join("\n"));
}

/// The program on Linux, in a network namespace and with a store and a home of its own.
fn native(program: &Path, folder: &Path, line: &str) -> std::process::Output {
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "timeout", "-k", "1", "3", "sh", "-c"]);
    command.arg(format!("exec \"$0\" {line}")).arg(program);
    command.env("CUTAWAY_ROOT", folder.join("store")).env("HOME", folder).env_remove("DOCKER_CONFIG");
    command.current_dir(folder).stdin(Stdio::null()).output().expect("unshare runs")
}

#[test]
fn no_native_line_panics_or_fails_without_a_word() {
    let test = "no_native_line_panics_or_fails_without_a_word";
    let Some(commands) = listed(test) else { return };
    let Some(program) = std::env::var_os("CUTAWAY_BIN").map(PathBuf::from).filter(|p| p.is_file()) else {
        return skip(test, "CUTAWAY_BIN does not name a built program; cargo xtask test does that");
    };
    if !Command::new("unshare").args(["--net", "--mount", "true"]).status().is_ok_and(|s| s.success()) {
        return skip(test, "no network namespace can be made here: it needs root");
    }
    let folder = std::env::temp_dir().join(format!("cutaway-surface-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut wrong = Vec::new();
    for command in &commands {
        let path = command.path.strip_prefix("docker").unwrap_or_default().trim();
        // What waits for something that never comes is left out: it only shows that `timeout` works.
        let waits = ["events", "stats", "watch", "dial-stdio"].iter().any(|w| path.split(' ').any(|p| p == *w));
        let nosuch = words_for(&command.usage, false);
        let all = ["".to_string(), "--help".into(), "--no-such-flag".into(), nosuch, "a b c d e f".into()];
        for words in all.iter().filter(|w| !waits || w.starts_with('-')) {
            let line = format!("{path} {words}");
            let output = native(&program, &folder, &line);
            let text = [output.stdout.as_slice(), &output.stderr].concat();
            if let Some(found) = fault(output.status.code().unwrap_or(-1), &String::from_utf8_lossy(&text)) {
                wrong.push(format!("docker {line}: {found}"));
            }
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
    assert!(wrong.is_empty(), "{} lines end badly:\n{}", wrong.len(), wrong.join("\n"));
}
