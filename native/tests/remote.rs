//! Contexts natively, and the engine of another machine over ssh: a real server on the loopback of a private
//! network namespace. Skipped by name where this user has no right to that or a program is missing.

use cutaway_tests::{program, skip};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const CUTAWAY: &str = env!("CARGO_BIN_EXE_cutaway");

/// A folder of one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("cutaway-remote-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn cutaway(folder: &Folder, words: &[&str]) -> Command {
    let mut command = Command::new(CUTAWAY);
    command.args(words).env("CUTAWAY_ROOT", folder.0.join("store")).env("DOCKER_CONFIG", folder.0.join("config"));
    command.env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT").current_dir(&folder.0).stdin(Stdio::null());
    command
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[test]
fn contexts_are_kept_and_those_without_ssh_are_refused() {
    let folder = Folder::new("contexts");
    let run = |line: &str| said(&cutaway(&folder, &line.split(' ').collect::<Vec<_>>()).output().unwrap());
    let is = |line: &str, status: i32, out: &str, err: &str| {
        assert_eq!(run(line), (status, out.to_string(), err.to_string()), "{line}");
    };
    is("context create far --docker host=ssh://me@far:22", 0, "far\n", "Successfully created context \"far\"\n");
    is("context create near --docker host=tcp://near:2375", 0, "near\n", "Successfully created context \"near\"\n");
    is("context show", 0, "default\n", "");
    is("context use near", 0, "near\n", "Current context is now \"near\"\n");
    let reach = "but only this machine's own engine and those behind ssh:// can be reached\n";
    is("ps", 1, "", &format!("cutaway: context \"near\" leads to tcp://near:2375, {reach}"));
    is("run x", 125, "", &format!("cutaway: context \"near\" leads to tcp://near:2375, {reach}"));
    is("-H unix:///tmp ps", 1, "", &format!("cutaway: context \"default\" leads to unix:///tmp, {reach}"));
    let silent = "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?\n";
    is("-H unix:///x ps", 1, "", silent);
    is("-H unix:///x run y", 125, "", &format!("docker: {silent}\nRun 'docker run --help' for more information\n"));
    is("-c default ps -q", 0, "", "");
    is("-H unix:///var/run/docker.sock ps -q", 0, "", "");
    is("-c near -H b ps", 1, "", "conflicting options: cannot specify both --host and --context\n");
    is("context export far far.tar", 0, "", "Written file \"far.tar\"\n");
    is("context import again far.tar", 0, "again\n", "Successfully imported context \"again\"\n");
    is("context ls -q", 0, "again\ndefault\nfar\nnear\n", "");
    is("context rm near", 1, "", "context \"near\" is in use, set -f flag to force remove\n");
    is("context rm -f near again", 0, "near\nagain\n", "");
    is(
        "-c far run --env-file x busybox",
        125,
        "",
        "cutaway: --env-file names a file of this machine; over ssh:// the command runs on far\n",
    );
    let (status, _, err) = run("-c nope ps");
    assert!(
        status == 1 && err.starts_with("Failed to initialize: unable to resolve docker endpoint: context \"nope\""),
        "{err}"
    );
}

/// What runs in the private namespaces: the server, with a home folder of its own for keys, and this
/// program where the server's shells look for programs.
const SERVE: &str = r#"
set -e
ip link set lo up
mkdir -p "$D/home" "$D/bin"
ssh-keygen -q -t ed25519 -N '' -f "$D/home/id_ed25519"
cp "$D/home/id_ed25519.pub" "$D/home/authorized_keys"
printf 'StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n' > "$D/home/config"
chmod -R go= "$D/home"; chown -R 0:0 "$D/home"
cp "$CUTAWAY" "$D/bin/cutaway"
mkdir -p "$HOME_OF_ROOT/.ssh"
mount --bind "$D/home" "$HOME_OF_ROOT/.ssh"
mount -t tmpfs none /var/lib
mount -t tmpfs none /run
mount -t overlay over -o lowerdir="$D/bin:/usr/bin" /usr/bin
dropbearkey -t ed25519 -f "$D/host" >/dev/null 2>&1
env -u DOCKER_CONFIG CUTAWAY_ROOT=/nowhere dropbear -F -E -s -p 127.0.0.1:2222 -r "$D/host" -P "$D/pid" 2>"$D/log" &
server=$!
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  if ssh -p 2222 127.0.0.1 true 2>/dev/null; then break; fi; sleep 0.1
done
set +e
cutaway context create far --docker host=ssh://root@127.0.0.1:2222 >/dev/null 2>&1
eval "$1"
kill $server
"#;

#[test]
fn a_remote_engine_over_ssh() {
    let name = "a_remote_engine_over_ssh";
    for needed in ["ssh", "ssh-keygen", "dropbear", "dropbearkey", "unshare", "ip", "script"] {
        if program(needed).is_none() {
            return skip(name, &format!("{needed} is not installed"));
        }
    }
    let namespaces = Command::new("unshare").args(["-n", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !nix::unistd::geteuid().is_root() || !namespaces.is_ok_and(|o| o.status.success()) {
        return skip(name, "this user may not make network and mount namespaces");
    }
    let folder = Folder::new("ssh");
    let home = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(0)).unwrap().unwrap().dir;
    let run = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-n", "-m", "sh", "-c", SERVE, "sh", script]).current_dir(&folder.0).stdin(Stdio::null());
        command.env("D", &folder.0).env("CUTAWAY", CUTAWAY).env("HOME_OF_ROOT", &home).env("HOME", &home);
        command.env("DOCKER_CONFIG", folder.0.join("config")).env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT");
        command.env("CUTAWAY_ROOT", folder.0.join("local")).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let _ = std::fs::remove_dir_all(folder.0.join("home"));
        let _ = std::fs::remove_dir_all(folder.0.join("config"));
        said(&command.output().unwrap())
    };
    // The shell on the other side has none of this one's environment, so what it keeps is told apart by that.
    let (_, out, err) = run(r#"cutaway -c far info --format '{{.DockerRootDir}} {{.ClientInfo.Context}}'
        cutaway info --format '{{.DockerRootDir}} {{.ClientInfo.Context}}'
        cutaway -c far volume create "it's \$(touch $D/bad) ;x" 2>&1; echo status $?
        cutaway -c far volume inspect nope >/dev/null; echo status $?
        cutaway -c far build . 2>&1
        printf 'FROM scratch\n' | cutaway -c far build -q - >/dev/null 2>&1; echo built $?
        DOCKER_HOST=ssh://root@127.0.0.1:1 cutaway ps >/dev/null 2>&1; echo status $?
        cutaway -c far pull cutaway/base >/dev/null 2>&1
        printf hello | cutaway -c far run --rm -i cutaway/base sh -c 'cat; echo " $0" >&2; exit 7' "a  'b" 2>&1; echo status $?
        script -qec "cutaway -c far run --rm -it cutaway/base tty" /dev/null
        ls $D"#);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.first(), Some(&"/var/lib/cutaway far"), "{out}{err}");
    assert_eq!(lines[1], format!("{} default", folder.0.join("local").display()), "{out}{err}");
    assert!(lines[2].contains("it's $(touch") && lines[2].contains(";x"), "{out}{err}");
    assert_eq!(
        lines[3..7],
        [
            "status 1",
            "status 1",
            "cutaway: \".\" is of this machine; over ssh:// the command runs on 127.0.0.1",
            "built 0"
        ],
        "{out}{err}"
    );
    assert_eq!(lines[7], "status 255", "{out}{err}");
    assert_eq!(lines[8..10], ["hello a  'b", "status 7"], "{out}{err}");
    assert!(lines[10].ends_with("/dev/pts/0"), "{out}{err}");
    assert!(!lines.contains(&"bad"), "{out}{err}");
}
