//! `cargo xtask bench`: figures side by side, as medians of one run on one machine.
//!
//! Only ratios within a run mean something: machines differ, and are shared. The contenders take turns, so
//! that a busy moment hits all of them alike.

use crate::{page, tools};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use xtask::weigh::{self, Weight};

/// Rounds in which every contender is started once.
const ROUNDS: usize = 25;

pub fn run(words: &[&str]) -> Result<(), String> {
    let all = words.is_empty();
    if let Some(other) = words.iter().find(|w| !["start", "sim", "page"].contains(w)) {
        return Err(format!("there is no benchmark {other:?}; there are start, sim and page"));
    }
    if all || words.contains(&"start") {
        tools::cargo(&["build", "--release", "--package", "cutaway"])?;
        starts()?;
    }
    if all || words.contains(&"sim") {
        simulator()?;
    }
    if all || words.contains(&"page") {
        page_figures()?;
    }
    Ok(())
}

struct Contender {
    name: &'static str,
    command: Box<dyn Fn() -> Command>,
    times: Vec<Duration>,
}

/// A container that runs `true` and goes, beside what else is installed.
fn starts() -> Result<(), String> {
    if let Some(again) = without_unified() {
        return again;
    }
    let folder = std::env::temp_dir().join(format!("cutaway-bench-{}", std::process::id()));
    let result = bundle(&folder).and_then(|()| compare(&folder));
    let _ = std::fs::remove_dir_all(&folder);
    result
}

/// crun refuses machines that have both versions of control groups. Where this one does, the benchmark runs again
/// in a mount namespace that shows only the first.
fn without_unified() -> Option<Result<(), String>> {
    const UNIFIED: &str = "/sys/fs/cgroup/unified";
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounted = mounts.lines().any(|l| l.split(' ').nth(1) == Some(UNIFIED));
    if !mounted || tools::find("crun").is_none() || tools::find("unshare").is_none() {
        return None;
    }
    let script = format!("umount {UNIFIED} && exec \"$0\" bench start");
    let own = std::env::current_exe().ok()?;
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &script]).arg(own).env("CARGO_TARGET_DIR", tools::target_folder());
    Some(tools::run(&mut command))
}

fn compare(folder: &Path) -> Result<(), String> {
    let mut contenders: Vec<Contender> = Vec::new();
    for (name, command) in candidates(folder) {
        let mut first = command();
        let works =
            first.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null()).status().is_ok_and(|s| s.success());
        if works {
            contenders.push(Contender { name, command, times: Vec::new() });
        } else {
            println!("left out: {name} ({} does not work here)", tools::show(&first));
        }
    }
    for _ in 0..ROUNDS {
        for contender in &mut contenders {
            let mut command = (contender.command)();
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let begin = Instant::now();
            let status = command.status().map_err(|e| format!("{}: {e}", contender.name))?;
            contender.times.push(begin.elapsed());
            if !status.success() {
                return Err(format!("{}: {status}", tools::show(&command)));
            }
        }
    }
    let own = contenders.iter().find(|c| c.name == "cutaway run --rm busybox true").map(|c| median(&c.times));
    println!("\nA container that runs `true`, median of {ROUNDS} rounds:");
    for contender in &contenders {
        let time = median(&contender.times);
        let least = contender.times.iter().min().copied().unwrap_or_default();
        let ratio =
            own.map_or(String::new(), |own| format!("{:6.2} x cutaway", time.as_secs_f64() / own.as_secs_f64()));
        println!(
            "  {:44} {:8.2} ms (least {:.2}) {ratio}",
            contender.name,
            time.as_secs_f64() * 1e3,
            least.as_secs_f64() * 1e3
        );
    }
    Ok(())
}

type Candidate = (&'static str, Box<dyn Fn() -> Command>);

fn candidates(folder: &Path) -> Vec<Candidate> {
    let cutaway = tools::target_folder().join("release/cutaway");
    let store = folder.join("store");
    let own = move |words: &'static [&'static str]| -> Box<dyn Fn() -> Command> {
        let (cutaway, store) = (cutaway.clone(), store.clone());
        Box::new(move || {
            let mut command = Command::new(&cutaway);
            // They are Docker's: where its engine listens is for it alone.
            command.env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT");
            command.env("CUTAWAY_ROOT", &store).args(words);
            command
        })
    };
    let plain = |program: &'static str, words: Vec<String>| -> Box<dyn Fn() -> Command> {
        Box::new(move || {
            let mut command = Command::new(program);
            command.args(&words);
            command
        })
    };
    let words = |list: &[&str]| list.iter().map(|w| w.to_string()).collect::<Vec<_>>();
    let bundle = folder.join("bundle").display().to_string();
    let root = folder.join("bundle/rootfs").display().to_string();
    let name = format!("cutaway-bench-{}", std::process::id());
    vec![
        ("cutaway run --rm busybox true", own(&["run", "--rm", "busybox", "true"])),
        ("cutaway run --rm --network none busybox true", own(&["run", "--rm", "--network", "none", "busybox", "true"])),
        (
            "unshare -muinpCf chroot rootfs /bin/true",
            plain("unshare", words(&["-muinpCf", "chroot", &root, "/bin/true"])),
        ),
        ("crun run", plain("crun", words(&["run", "--bundle", &bundle, &name]))),
        ("runc run", plain("runc", words(&["run", "--bundle", &bundle, &name]))),
        (
            "podman run --rm busybox true",
            plain("podman", words(&["run", "--rm", "--pull", "never", "busybox", "true"])),
        ),
        (
            "docker run --rm busybox true",
            plain("docker", words(&["run", "--rm", "--pull", "never", "busybox", "true"])),
        ),
    ]
}

/// An OCI bundle for the plain runtimes: a root file system around this machine's static busybox.
fn bundle(folder: &Path) -> Result<(), String> {
    let rootfs = folder.join("bundle/rootfs");
    let failed = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    for part in ["bin", "dev", "proc", "sys", "tmp", "etc"] {
        std::fs::create_dir_all(rootfs.join(part)).map_err(|e| failed(&rootfs, e))?;
    }
    let busybox = tools::find("busybox").ok_or("busybox is not installed (Debian: busybox-static)")?;
    std::fs::copy(&busybox, rootfs.join("bin/busybox")).map_err(|e| failed(&busybox, e))?;
    std::os::unix::fs::symlink("busybox", rootfs.join("bin/true")).map_err(|e| failed(&rootfs, e))?;
    let Some(runtime) = tools::find("runc").or_else(|| tools::find("crun")) else { return Ok(()) };
    tools::run(Command::new(runtime).args(["spec"]).current_dir(folder.join("bundle")))?;
    let file: PathBuf = folder.join("bundle/config.json");
    let text = std::fs::read_to_string(&file).map_err(|e| failed(&file, e))?;
    // `spec` writes an example that runs a shell on a terminal.
    let text = text.replace("\"terminal\": true", "\"terminal\": false").replace("\"sh\"", "\"/bin/true\"");
    std::fs::write(&file, text).map_err(|e| failed(&file, e))
}

/// What each command costs in the simulator: a line for each, the median and how far the samples lie apart.
fn simulator() -> Result<(), String> {
    let mut command = tools::cargo_command(&["bench", "--package", "cutaway-tests", "--bench", "simulator"]);
    let shown = tools::show(&command);
    let output = command.stderr(Stdio::inherit()).output().map_err(|e| format!("{shown}: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("{shown}: {}\n{text}", output.status));
    }
    println!("\nThe simulator, each line a script of its own:");
    for (name, least, median, most) in estimates(&text) {
        println!("  {name:66} {median:>10}   ({least} to {most})");
    }
    Ok(())
}

/// Criterion's estimates: `simulator/NAME` and then `time: [LEAST MEDIAN MOST]`, on the same line where the
/// name is short.
fn estimates(text: &str) -> Vec<(String, String, String, String)> {
    let mut found = Vec::new();
    let mut name = String::new();
    for line in text.lines() {
        let (head, time) = line.split_once("time:").map_or((line, None), |(head, time)| (head, Some(time)));
        if let Some(next) = head.trim().strip_prefix("simulator/") {
            name = next.to_string();
        }
        let words: Vec<&str> = time.unwrap_or("").trim().trim_matches(['[', ']']).split(' ').collect();
        if let [least, u1, median, u2, most, u3] = words[..] {
            let value = |number: &str, unit: &str| format!("{number} {unit}");
            found.push((name.clone(), value(least, u1), value(median, u2), value(most, u3)));
        }
    }
    found
}

fn page_figures() -> Result<(), String> {
    page::build(page::Size::Smallest)?;
    let weights = weigh::weights(&page::folder())?;
    for later in [false, true] {
        println!(
            "\n{}",
            if later { "Loaded with the first line that is entered:" } else { "The page, as it is first loaded:" }
        );
        let files = || weights.iter().filter(|w| w.later == later);
        for Weight { name, bytes, packed, .. } in files() {
            println!("  {name:24} {bytes:9} bytes, {packed:8} with brotli");
        }
        let (bytes, packed) = (files().map(|w| w.bytes).sum::<usize>(), files().map(|w| w.packed).sum::<usize>());
        println!("  {:24} {bytes:9} bytes, {packed:8} with brotli", "together");
    }
    let (Some(driver), Some(_)) = (tools::find("chromedriver"), tools::find("chromium")) else {
        println!("left out: the time to the prompt (Chromium and its driver are not installed)");
        return Ok(());
    };
    let mut command = tools::cargo_command(&[
        "test",
        "--quiet",
        "--package",
        "cutaway-tests",
        "--test",
        "page",
        "--",
        "--ignored",
        "--nocapture",
        "browser_time_to_prompt",
    ]);
    tools::run(command.env("CUTAWAY_PAGE", page::folder()).env("CHROMEDRIVER", driver))
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::estimates;

    #[test]
    fn figures_are_found() {
        let text = "simulator/true          time:   [195.04 µs 196.00 µs 197.50 µs]\n                        change: [-1%]\n\
                    simulator/docker run --rm busybox true\n                        time:   [1.0 ms 2.0 ms 3.0 ms]\n";
        let found = estimates(text);
        let shown: Vec<_> = found.iter().map(|(name, _, median, _)| (name.as_str(), median.as_str())).collect();
        assert_eq!(shown, [("true", "196.00 µs"), ("docker run --rm busybox true", "2.0 ms")]);
    }
}
