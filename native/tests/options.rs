//! Options of `run` that the kernel has to carry out, each seen from inside the container.

mod engine;

use engine::Engine;

impl Engine {
    /// What a script in a container prints.
    fn inside(&self, options: &str, script: &str) -> String {
        let mut words = vec!["run", "--rm", "--network", "none"];
        words.extend(options.split_whitespace());
        words.extend(["cutaway/base", "sh", "-c", script]);
        self.said(&words)
    }
}

/// Options, a script, and what it has to print: all of it, or a part of it after `…`.
const SEEN: [(&str, &str, &str); 27] = [
    ("--ulimit nofile=100:200", "ulimit -Sn; ulimit -Hn", "100\n200\n"),
    ("--ulimit sigpending=77", "grep pending /proc/self/limits", "…77                   77"),
    ("--ulimit msgqueue=4096", "grep msgqueue /proc/self/limits", "…4096                 4096"),
    ("--ulimit rttime=5000", "grep realtime.timeout /proc/self/limits", "…5000                 5000"),
    ("--ulimit locks=9", "grep locks /proc/self/limits", "…9                    9"),
    ("--device /dev/zero:/dev/mine", "head -c 3 /dev/mine | wc -c", "3\n"),
    (
        "--device /dev/loop-control:/dev/f:r",
        ": < /dev/f && echo read; (: > /dev/f) 2>/dev/null || echo not written",
        "read\nnot written\n",
    ),
    ("", "mknod /dev/f c 10 237; (: < /dev/f) 2>/dev/null || echo refused", "refused\n"),
    ("--device-cgroup-rule=c\u{a0}10:237\u{a0}r", "mknod /dev/f c 10 237; : < /dev/f && echo read", "read\n"),
    (
        "--device /nowhere",
        "true",
        "…error gathering device information while adding custom device \"/nowhere\": no such file or directory",
    ),
    ("--device /etc/passwd", "true", "…\"/etc/passwd\": not a device node"),
    ("--oom-score-adj 500", "cat /proc/self/oom_score_adj", "500\n"),
    ("--shm-size 32m", "df -k /dev/shm | tail -n 1", "…32768"),
    ("--sysctl net.core.somaxconn=77", "cat /proc/sys/net/core/somaxconn", "77\n"),
    ("--sysctl kernel.msgmax=5555", "cat /proc/sys/kernel/msgmax", "5555\n"),
    (
        "--ipc host --sysctl kernel.msgmax=5555",
        "true",
        "…sysctl \"kernel.msgmax\" is not allowed in the hosts ipc namespace",
    ),
    ("--security-opt seccomp=unconfined", "grep Seccomp: /proc/self/status", "Seccomp:\t0\n"),
    ("--security-opt no-new-privileges", "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1\n"),
    ("--security-opt no-new-privileges:false", "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t0\n"),
    ("--security-opt apparmor=unconfined --security-opt label=disable", "echo fine", "fine\n"),
    ("--security-opt systempaths=unconfined", "grep -c -E '/proc/sys ' /proc/self/mounts", "0\n"),
    ("", "grep -c -E '/proc/sys ' /proc/self/mounts", "1\n"),
    ("--init", "cat /proc/1/cmdline | tr '\\0' ' '; echo $$ | grep -vx 1 > /dev/null && echo child", "…child"),
    ("--userns=host", "echo fine", "fine\n"),
    ("--gpus all", "true", "…could not select device driver \"\" with capabilities: [[gpu]]"),
    (
        "--storage-opt size=1G",
        "true",
        "…--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
    ),
    (
        "--privileged",
        "test -c /dev/loop-control && : < /dev/loop-control && echo there; grep -c 'sysfs.*rw' /proc/self/mounts",
        "there\n1\n",
    ),
];

#[test]
fn options_reach_the_kernel() {
    let Some(engine) = Engine::ready("options") else { return };
    let mut wrong = Vec::new();
    for (options, script, want) in SEEN {
        let options = options.replace('\u{a0}', " ");
        // A rule has blanks in it, so options with one are a single word.
        let got = if options.contains("rule=") {
            engine.said(&["run", "--rm", "--network", "none", &options, "cutaway/base", "sh", "-c", script])
        } else {
            engine.inside(&options, script)
        };
        let fits = want.strip_prefix('…').map_or(got == want, |part| got.contains(part));
        if !fits {
            wrong.push(format!("{options}: {script}\n  wanted {want:?}\n  got    {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn exec_has_the_same_limits() {
    let Some(engine) = Engine::ready("options-exec") else { return };
    let run = "run -d --name one --network none --ulimit nofile=100:200 --oom-score-adj 300 cutaway/base sleep 100";
    assert_eq!(engine.said(&run.split(' ').collect::<Vec<_>>()).len(), 65);
    let script = "ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj";
    assert_eq!(engine.said(&["exec", "one", "sh", "-c", script]), "100\n200\n300\n");
    let shared = engine.said(&["run", "--rm", "--network", "none", "--pid", "container:one", "cutaway/base", "ps"]);
    assert!(shared.contains("sleep 100"), "{shared}");
    engine.said(&["rm", "-f", "one"]);
}

#[test]
fn a_profile_of_ones_own() {
    let Some(engine) = Engine::ready("options-seccomp") else { return };
    let profile = engine.root.join("profile.json");
    let text =
        r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}"#;
    std::fs::write(&profile, text).expect("a file");
    let option = format!("--security-opt seccomp={}", profile.display());
    let got = engine.inside(&option, "mkdir /made 2>/dev/null; echo $?; touch /file; echo $?");
    assert_eq!(got, "1\n0\n");
    let missing = engine.inside("--security-opt seccomp=/none.json", "true");
    assert!(missing.contains("opening seccomp profile (/none.json) failed"), "{missing}");
}

#[test]
fn a_chosen_parent_of_the_group() {
    let Some(engine) = Engine::ready("options-parent") else { return };
    let parent = format!("/cutaway-parent-{}", std::process::id());
    let got = engine.inside(&format!("--cgroup-parent {parent} --cgroupns host"), "cat /proc/self/cgroup");
    assert!(got.lines().any(|l| l.contains(&format!("{parent}/"))), "{got}");
    // The parent is the user's and stays, as Docker's does; the group in it is gone.
    let top = std::path::Path::new("/sys/fs/cgroup");
    let trees = std::fs::read_dir(top).into_iter().flatten().flatten().map(|e| e.path()).chain([top.to_path_buf()]);
    for folder in trees.map(|tree| tree.join(parent.trim_start_matches('/'))).filter(|f| f.is_dir()) {
        let inner = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        assert_eq!(inner.filter(|e| e.path().is_dir()).count(), 0, "{}", folder.display());
        let _ = std::fs::remove_dir(&folder);
    }
}
