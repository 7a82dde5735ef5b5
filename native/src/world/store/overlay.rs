//! The union of layers as one file system.
//!
//! Outside of a container an overlay is mounted only for the moment it is needed, by a thread in a mount
//! namespace of its own, and handed over as a detached mount: nothing of it is ever seen on the host, and it
//! is gone with its descriptor.

use super::glance::{Glance, glance};
use crate::sys;
use nix::Result;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use serde::{Deserialize, Serialize};
use std::os::fd::OwnedFd;

/// What an overlay is made of: paths of the host, the top layer first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Overlay {
    pub lower: Vec<String>,
    pub upper: String,
    pub work: String,
    pub merged: String,
    /// Don't sync what was written when it is unmounted: it will be deleted then.
    pub passing: bool,
    /// Keep overlay's marks in `user.overlay.*`, where we are root only in a user namespace.
    pub user_marks: bool,
}

/// The longest option string that `mount(2)` takes, less than a page.
const LONGEST: usize = 4000;

impl Overlay {
    /// Mounts it at `merged` in this thread's mount namespace.
    pub fn mount(&self) -> Result<()> {
        let marks = if self.user_marks { ",userxattr" } else { "" };
        let sync = if self.passing { ",volatile" } else { "" };
        let extra = format!("{marks}{sync}");
        // The kernel's mark of a mount without sync keeps others from mounting the same folders, because they
        // may have been damaged by a crash. What is deleted with its container can't be.
        let _ = std::fs::remove_dir_all(format!("{}/work/incompat", self.work));
        if self.lower.is_empty() {
            // An image without layers: the upper folder alone is the root.
            let bind = MsFlags::MS_BIND;
            return mount(Some(self.upper.as_str()), self.merged.as_str(), None::<&str>, bind, None::<&str>);
        }
        let lower: Vec<String> = self.lower.iter().map(|p| escape(p)).collect();
        let mut options = format!(
            "lowerdir={},upperdir={},workdir={}{extra}",
            lower.join(":"),
            escape(&self.upper),
            escape(&self.work)
        );
        // Many layers: name the folders by short paths of open descriptors instead.
        let mut held = Vec::new();
        if options.len() > LONGEST {
            let mut names = Vec::new();
            for path in &self.lower {
                let fd = sys::openat2(sys::cwd(), path.as_bytes(), libc::O_PATH | libc::O_DIRECTORY, 0, 0)?;
                names.push(sys::fd_path(&fd));
                held.push(fd);
            }
            options = format!(
                "lowerdir={},upperdir={},workdir={}{extra}",
                names.join(":"),
                escape(&self.upper),
                escape(&self.work)
            );
        }
        mount(Some("overlay"), self.merged.as_str(), Some("overlay"), MsFlags::empty(), Some(options.as_str()))
    }

    /// What it would show at a path, where that can be told without mounting it.
    pub fn glance(&self, path: &str) -> Glance {
        let layers: Vec<&str> = std::iter::once(&self.upper).chain(&self.lower).map(String::as_str).collect();
        glance(&layers, path)
    }

    /// Mounts it where nobody sees it.
    pub fn detached(&self) -> Result<OwnedFd> {
        let overlay = self.clone();
        apart(move || {
            overlay.mount()?;
            let root = sys::openat2(sys::cwd(), overlay.merged.as_bytes(), libc::O_PATH | libc::O_DIRECTORY, 0, 0)?;
            sys::open_tree(root, false)
        })
    }
}

/// Colons, commas and backslashes have a meaning in overlay's options.
fn escape(path: &str) -> String {
    let mut out = String::new();
    for c in path.chars() {
        if matches!(c, ':' | '\\' | ',') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Runs `work` on a thread that has a mount namespace to itself, from which nothing spreads.
pub fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let thread = std::thread::spawn(move || {
        sys::unshare(libc::CLONE_NEWNS)?;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
        work()
    });
    thread.join().unwrap_or(Err(Errno::EIO))
}
