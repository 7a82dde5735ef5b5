//! Commits of git repositories, fetched by the host's own `git`: it knows the user's keys, proxies and helpers.

use super::pack::{Form, pack};
use super::{Store, on_worker};
use crate::sys::{self, OrFault};
use crate::world::LinuxWorld;
use cutaway_core::build::GitSource;
use cutaway_core::world::acts::{CheckOutGit, CheckedOut};
use cutaway_core::world::{Fault, Performs};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The only ways that a repository may be reached, also where it redirects or has submodules.
const PROTOCOLS: &str = "http:https:git:ssh";

impl Performs<CheckOutGit> for LinuxWorld {
    async fn perform(&self, act: CheckOutGit) -> Result<CheckedOut, Fault> {
        let store = self.store.clone();
        on_worker(move || check_out(&store, &act.source)).await
    }
}

/// A folder that goes with the fetch.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn check_out(store: &Store, source: &GitSource) -> Result<CheckedOut, Fault> {
    let folder = Folder(store.temporary());
    let at = folder.0.as_path();
    fs::create_dir(at).or_fault(format!("mkdir {}", at.display()))?;
    let reference = source.reference.as_deref().unwrap_or("HEAD");
    if reference.starts_with('-') || source.remote.starts_with('-') {
        return Err(failure(source, "not contain", format!("invalid ref {reference:?}")));
    }
    if let Some(sum) = source.checksum.as_deref().filter(|sum| !is_hex(sum)) {
        return Err(Fault::Unsupported(format!("invalid checksum {sum} for Git URL, expected hex commit hash")));
    }
    git(at, &["init", "--quiet"]).map_err(|e| failure(source, "init", e))?;
    git(at, &["remote", "add", "origin", &source.remote]).map_err(|e| failure(source, "add", e))?;
    let there = git(at, &["ls-remote", "origin", reference, &format!("{reference}^{{}}")]);
    let there = there.map_err(|e| failure(source, "fetch", e))?;
    if there.is_empty() && !is_hex(reference) {
        let text = format!("repository does not contain ref {reference}, output: {there:?}");
        return Err(Fault::Unsupported(text));
    }
    fetch(at, source, reference)?;
    let commit = git(at, &["rev-parse", "HEAD"]).map_err(|e| failure(source, "rev-parse", e))?.trim().to_string();
    if let Some(expected) = source.checksum.as_deref().filter(|sum| !commit.starts_with(*sum)) {
        return Err(Fault::Unsupported(format!("expected checksum to match {expected}, got {commit}")));
    }
    if source.submodules && at.join(".gitmodules").exists() {
        let update = ["submodule", "update", "--init", "--recursive", "--depth=1", "--quiet"];
        git(at, &update).map_err(|e| failure(source, "update submodules for", e))?;
    }
    if !source.keep_git_dir {
        fs::remove_dir_all(at.join(".git")).or_fault("remove .git")?;
    }
    let tar = pack(Vec::new(), &inside(at, &source.folder)?, "", Form::View)?;
    Ok(CheckedOut { commit, tar })
}

/// Fetches the commit alone where the server gives it, else all, and checks it out.
fn fetch(at: &Path, source: &GitSource, reference: &str) -> Result<(), Fault> {
    let alone = git(at, &["fetch", "--quiet", "--depth=1", "--no-tags", "origin", reference]);
    let commit = match alone {
        Ok(_) => "FETCH_HEAD",
        Err(_) => {
            git(at, &["fetch", "--quiet", "--tags", "origin"]).map_err(|e| failure(source, "fetch", e))?;
            reference
        }
    };
    let done = git(at, &["checkout", "--quiet", "--detach", commit, "--"]);
    done.map(|_| ()).map_err(|e| failure(source, "checkout", e))
}

/// The folder of the checkout that was asked for. No link in it leads out of it.
fn inside(at: &Path, folder: &str) -> Result<OwnedFd, Fault> {
    let root: OwnedFd = fs::File::open(at).or_fault(format!("open {}", at.display()))?.into();
    let name = if folder.is_empty() { "." } else { folder };
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    sys::openat2(&root, name.as_bytes(), flags, 0, sys::RESOLVE_BENEATH)
        .or_fault(format!("failed to open subdir {folder}"))
}

fn is_hex(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// What a person reads where there is no git.
const NO_GIT: &str = "failed to find git binary: exec: \"git\": executable file not found in $PATH";

fn failure(source: &GitSource, what: &str, reason: String) -> Fault {
    if reason == NO_GIT {
        return Fault::Unsupported(reason);
    }
    Fault::Malformed { what: format!("failed to {what} remote {}", source.remote), reason }
}

/// Runs git in a folder; what it printed, or why it failed.
fn git(at: &Path, words: &[&str]) -> Result<String, String> {
    let mut command = Command::new("git");
    command.args(["-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "-c", "protocol.version=2"]);
    command.args(words).current_dir(at).stdin(Stdio::null());
    command.envs([("GIT_TERMINAL_PROMPT", "0"), ("LC_ALL", "C"), ("GIT_ALLOW_PROTOCOL", PROTOCOLS)]);
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_TRACE"] {
        command.env_remove(name);
    }
    // SAFETY: umask(2) is safe to call between fork and exec, and can't fail. Files get the modes of the
    // repository whatever the user's mask is.
    unsafe {
        command.pre_exec(|| {
            libc::umask(0o022);
            Ok(())
        });
    }
    let output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => NO_GIT.into(),
        _ => format!("git: {error}"),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let status = output.status.code().map_or_else(|| output.status.to_string(), |code| format!("exit status {code}"));
    Err(format!("git stderr:\n{said}: {status}"))
}
