//! Control groups of version 2, and interfaces that few machines' kernels have at once, really run: a small virtual machine with Debian's cloud kernel, emulated, in
//! which `cutaway` is the only program beside busybox. The checks are a script, `cgroup2/checks.sh`.
//!
//! What it needs is had by `cargo xtask test`: `qemu-system-x86_64`, a static busybox, and the unpacked package
//! of the kernel, named by `CUTAWAY_KERNEL`. Where one is missing the test is skipped by name.

use cutaway_tests::program;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Modules that the checks need; those that these depend on are found in them.
const MODULES: [&str; 9] = ["overlay", "veth", "bridge", "brd", "bfq", "macvlan", "ipvlan", "dummy", "8021q"];
/// An emulated machine that hangs must not hang the tests.
const PATIENCE: Duration = Duration::from_secs(300);

fn skip(why: &str) {
    cutaway_tests::skip("control groups of version 2 in a virtual machine", why);
}

/// An archive as the kernel takes its first file system. Source: initramfs buffer format, "newc".
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    folders: BTreeSet<PathBuf>,
    entries: u32,
}

impl Archive {
    fn entry(&mut self, path: &str, mode: u32, data: &[u8]) {
        self.entries += 1;
        let fields = [self.entries, mode, 0, 0, 1, 0, data.len() as u32, 0, 0, 0, 0, path.len() as u32 + 1, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(path.bytes().chain([0]));
        self.pad();
        self.bytes.extend(data);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn folder(&mut self, path: &Path) {
        if path.as_os_str().is_empty() || !self.folders.insert(path.to_path_buf()) {
            return;
        }
        self.folder(path.parent().unwrap_or(Path::new("")));
        self.entry(&path.to_string_lossy(), 0o040_755, b"");
    }

    /// An executable file, and the folders above it.
    fn file(&mut self, path: &str, data: &[u8]) {
        let path = path.trim_start_matches('/');
        self.folder(Path::new(path).parent().unwrap_or(Path::new("")));
        self.entry(path, 0o100_755, data);
    }

    fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, b"");
        self.bytes
    }
}

/// The files of the modules below a folder, those that others need first.
fn modules(folder: &Path) -> Result<Vec<PathBuf>, String> {
    fn find(folder: &Path, all: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|t| t.is_dir()) {
                find(&entry.path(), all);
            } else if entry.path().extension().is_some_and(|e| e == "ko") {
                all.push(entry.path());
            }
        }
    }
    fn add(name: &str, all: &[PathBuf], order: &mut Vec<PathBuf>) -> Result<(), String> {
        let is_named = |p: &&PathBuf| p.file_stem().is_some_and(|s| s.to_string_lossy().replace('-', "_") == name);
        let path = all.iter().find(is_named).ok_or_else(|| format!("the kernel has no module {name}"))?;
        if order.contains(path) {
            return Ok(());
        }
        let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        // The section .modinfo holds strings, each ended by a zero byte.
        const KEY: &[u8] = b"\0depends=";
        let at = bytes.windows(KEY.len()).position(|w| w == KEY).map(|at| at + KEY.len());
        let needs: Vec<u8> = at.map_or(Vec::new(), |at| bytes[at..].iter().take_while(|b| **b != 0).copied().collect());
        for need in String::from_utf8_lossy(&needs).split(',').filter(|n| !n.is_empty()) {
            add(&need.replace('-', "_"), all, order)?;
        }
        order.push(path.clone());
        Ok(())
    }
    let (mut all, mut order) = (Vec::new(), Vec::new());
    find(folder, &mut all);
    MODULES.iter().try_for_each(|name| add(name, &all, &mut order))?;
    Ok(order)
}

/// What the dynamic linker would load for a program.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    text.split_whitespace().filter(|w| w.starts_with('/')).map(PathBuf::from).collect()
}

/// The first file system: busybox, the modules, `cutaway` with its libraries, the checks.
fn file_system(kernel: &Path, busybox: &Path) -> Result<Vec<u8>, String> {
    let read = |path: &Path| std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
    let mut archive = Archive::default();
    for folder in ["dev", "proc", "sys", "tmp", "mnt", "etc", "root", "var/lib", "run"] {
        archive.folder(Path::new(folder));
    }
    archive.file("bin/busybox", &read(busybox)?);
    archive.file("init", include_bytes!("cgroup2/checks.sh"));
    for (number, path) in modules(&kernel.join("lib/modules"))?.iter().enumerate() {
        archive.file(&format!("modules/{number:02}.ko"), &read(path)?);
    }
    // The release build is smaller and faster where there is one.
    let built = std::env::var_os("CUTAWAY_BIN").map(PathBuf::from).filter(|p| p.is_file());
    let cutaway = built.unwrap_or_else(|| env!("CARGO_BIN_EXE_cutaway").into());
    let slim = std::env::temp_dir().join(format!("cutaway-slim-{}", std::process::id()));
    let stripped = Command::new("strip").arg("-o").arg(&slim).arg(&cutaway).status().is_ok_and(|s| s.success());
    archive.file("bin/cutaway", &read(if stripped { &slim } else { &cutaway })?);
    let _ = std::fs::remove_file(slim);
    for library in libraries(&cutaway) {
        archive.file(&library.to_string_lossy(), &read(&library)?);
    }
    Ok(archive.finish())
}

/// Starts the machine and gives what it says, line by line, until it is off.
fn boot(qemu: &Path, kernel: &Path, initial: &Path) -> Result<Vec<String>, String> {
    let mut child = Command::new(qemu)
        .args(["-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "2", "-m", "768", "-nic", "none"])
        .args(["-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot"])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(initial)
        .args(["-append", "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{}: {e}", qemu.display()))?;
    let output = child.stdout.take().ok_or("no output")?;
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let killer = std::thread::spawn(move || {
        if is_done.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = child.kill();
        }
        let _ = child.wait();
    });
    let mut lines = Vec::new();
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).trim_end().to_string();
        println!("{line}");
        lines.push(line);
    }
    let _ = done.send(());
    let _ = killer.join();
    Ok(lines)
}

fn image_of(kernel: &Path) -> Option<PathBuf> {
    let boot = std::fs::read_dir(kernel.join("boot")).ok()?;
    boot.flatten().map(|e| e.path()).find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("vmlinuz")))
}

#[test]
fn version_two_counts_and_limits() {
    let Some(kernel) = std::env::var_os("CUTAWAY_KERNEL").map(PathBuf::from) else {
        return skip("CUTAWAY_KERNEL names no unpacked kernel; cargo xtask test gets one where it can");
    };
    let Some(image) = image_of(&kernel) else { return skip("there is no kernel where CUTAWAY_KERNEL says") };
    let Some(qemu) = program("qemu-system-x86_64") else { return skip("qemu-system-x86_64 is not installed") };
    let Some(busybox) = program("busybox") else { return skip("busybox is not installed") };
    let initial = std::env::temp_dir().join(format!("cutaway-initial-{}", std::process::id()));
    let said = file_system(&kernel, &busybox)
        .and_then(|bytes| std::fs::write(&initial, bytes).map_err(|e| format!("{}: {e}", initial.display())))
        .and_then(|()| boot(&qemu, &image, &initial));
    let _ = std::fs::remove_file(&initial);
    let said = said.expect("a virtual machine");
    let failed: Vec<&String> = said.iter().filter(|l| l.starts_with("FAILED")).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(said.iter().any(|l| l == "all checks were made"), "the machine ended before its checks did");
}
