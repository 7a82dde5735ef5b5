//! Running other programs, and getting those that are missing.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace").to_path_buf()
}

/// Where cargo builds.
pub fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Runs a program to its end, its output shown.
pub fn run(command: &mut Command) -> Result<(), String> {
    let shown = show(command);
    println!("$ {shown}");
    let status = command.status().map_err(|e| format!("{shown}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown}: {status}")) }
}

/// A program and its words, as typed.
pub fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|w| w.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// A cargo command at the root of the workspace.
pub fn cargo_command(words: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(words).current_dir(root());
    command
}

pub fn cargo(words: &[&str]) -> Result<(), String> {
    run(&mut cargo_command(words))
}

/// Whether a program is on the path.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Adds a compilation target where its library is not installed yet.
pub fn target(triple: &str) -> Result<(), String> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", triple])
        .current_dir(root())
        .output()
        .map_err(|e| format!("rustc: {e}"))?;
    if Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir() {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", triple]).current_dir(root()))
}

/// Adds a component of the toolchain where its program is missing.
pub fn component(name: &str, program: &str) -> Result<(), String> {
    let works = Command::new(program).arg("--version").current_dir(root()).output().is_ok_and(|o| o.status.success());
    if works { Ok(()) } else { run(Command::new("rustup").args(["component", "add", name]).current_dir(root())) }
}

/// Installs Debian's packages whose programs are missing (pairs of program and package), where that is
/// possible. Whatever could not be had is missing afterwards, too: the tests that need it say so by name.
pub fn packages(wanted: &[(&str, &str)]) {
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|(program, _)| find(program).is_none() && !Path::new("/usr/sbin").join(program).is_file())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return;
    }
    let uid = Command::new("id")
        .arg("-u")
        .output()
        .map(|o| String::from_utf8_lossy(&o.stdout).trim().to_string())
        .unwrap_or_default();
    if find("apt-get").is_none() || uid != "0" {
        println!("not installed, and not root on a Debian machine to install it: {}", missing.join(", "));
        return;
    }
    let apt = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-qq", "-o", "Dpkg::Use-Pty=0"]).args(words);
        run(&mut command)
    };
    // An old list of packages may name versions that are gone, so it is brought up to date first.
    let done =
        apt(&["update"]).and_then(|()| apt(&[&["install", "-y", "--no-install-recommends"], &missing[..]].concat()));
    if let Err(text) = done {
        println!("{text}");
    }
}

/// Debian's kernel for virtual machines, unpacked in the target folder and not installed, for tests that need
/// one; `None` where it can't be had.
pub fn kernel() -> Option<PathBuf> {
    let folder = target_folder().join("kernel");
    if folder.join("boot").is_dir() {
        return Some(folder);
    }
    let output = Command::new("apt-cache").args(["depends", "linux-image-cloud-amd64"]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let package = text.lines().find_map(|l| l.trim().strip_prefix("Depends: "))?;
    let fresh = target_folder().join("kernel-package");
    let _ = std::fs::remove_dir_all(&fresh);
    std::fs::create_dir_all(&fresh).ok()?;
    let got = run(Command::new("apt-get").args(["-q", "download", package]).current_dir(&fresh));
    let file = got.ok().and_then(|()| std::fs::read_dir(&fresh).ok()?.flatten().next())?.path();
    let unpacked = run(Command::new("dpkg-deb").arg("-x").arg(&file).arg(fresh.join("files")));
    let placed = unpacked.is_ok() && std::fs::rename(fresh.join("files"), &folder).is_ok();
    let _ = std::fs::remove_dir_all(&fresh);
    placed.then_some(folder)
}
