//! Reading one file of layers without mounting them.
//!
//! To mount an overlay and unmount it again takes the kernel tens of milliseconds, because it syncs the file
//! system below and waits for its readers. Most files, like `/etc/passwd`, stand plainly in one layer: those are
//! read there. Wherever links are in the way, the answer is that one has to mount after all.

use super::pack::is_opaque;
use crate::sys::{self, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS};
use nix::Result;
use nix::errno::Errno;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

/// What the layers show at a path.
#[derive(Debug, PartialEq, Eq)]
pub enum Glance {
    File(Vec<u8>),
    Missing,
    /// Only a mount can tell.
    Unclear,
}

/// What one layer has at a path.
enum Layer {
    File(OwnedFd),
    /// Hidden by this layer, whatever is below.
    Hidden,
    /// Nothing here: the layers below are asked.
    Nothing,
    Unclear,
}

/// Looks at a file through folders of layers, the top one first.
pub fn glance(layers: &[&str], path: &str) -> Glance {
    for layer in layers {
        match look(layer, path) {
            Ok(Layer::Nothing) => {}
            Ok(Layer::Hidden) => return Glance::Missing,
            Ok(Layer::File(file)) => {
                let mut bytes = Vec::new();
                return match File::from(file).read_to_end(&mut bytes) {
                    Ok(_) => Glance::File(bytes),
                    Err(_) => Glance::Unclear,
                };
            }
            Ok(Layer::Unclear) | Err(_) => return Glance::Unclear,
        }
    }
    Glance::Missing
}

fn look(layer: &str, path: &str) -> Result<Layer> {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    if parts.is_empty() || parts.iter().any(|p| matches!(*p, "." | "..")) {
        return Ok(Layer::Unclear);
    }
    let inside = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    let mut folder = sys::openat2(sys::cwd(), layer.as_bytes(), libc::O_RDONLY | libc::O_DIRECTORY, 0, 0)?;
    let mut opaque = false;
    for (i, part) in parts.iter().enumerate() {
        let facts = match sys::facts_at(&folder, part.as_bytes()) {
            Err(Errno::ENOENT) if opaque => return Ok(Layer::Hidden),
            Err(Errno::ENOENT) => return Ok(Layer::Nothing),
            facts => facts?,
        };
        let last = i + 1 == parts.len();
        if facts.is_whiteout() {
            return Ok(Layer::Hidden);
        }
        if last && facts.is_file() {
            return sys::openat2(&folder, part.as_bytes(), libc::O_RDONLY, 0, inside).map(Layer::File);
        }
        if last || !facts.is_dir() {
            return Ok(Layer::Unclear);
        }
        folder = sys::openat2(&folder, part.as_bytes(), libc::O_RDONLY | libc::O_DIRECTORY, 0, inside)?;
        opaque |= is_opaque(&folder);
    }
    Ok(Layer::Unclear)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_of_layers() {
        let root = std::env::temp_dir().join(format!("cutaway-glance-{}", std::process::id()));
        let (top, low) = (root.join("top"), root.join("low"));
        for folder in [top.join("etc"), low.join("etc"), low.join("usr/lib")] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(low.join("etc/passwd"), "low").unwrap();
        fs::write(low.join("etc/group"), "low").unwrap();
        fs::write(top.join("etc/group"), "top").unwrap();
        fs::write(low.join("usr/lib/x"), "x").unwrap();
        std::os::unix::fs::symlink("usr/lib", low.join("lib")).unwrap();
        std::os::unix::fs::symlink("passwd", low.join("etc/link")).unwrap();
        std::os::unix::fs::symlink("/etc/shadow", top.join("etc/out")).unwrap();
        let layers = [top.to_str().unwrap(), low.to_str().unwrap()];
        let file = |text: &str| Glance::File(text.into());
        for (path, want) in [
            ("/etc/passwd", file("low")),
            ("/etc/group", file("top")),
            ("usr/lib/x", file("x")),
            ("/etc/none", Glance::Missing),
            ("/none/at/all", Glance::Missing),
            ("/lib/x", Glance::Unclear),
            ("/etc/link", Glance::Unclear),
            ("/etc/out", Glance::Unclear),
            ("/etc", Glance::Unclear),
            ("/etc/../etc/passwd", Glance::Unclear),
            ("/", Glance::Unclear),
        ] {
            assert_eq!(glance(&layers, path), want, "{path}");
        }
        // A whiteout and an opaque folder hide what is below; both need root to be made.
        if sys::mknod_at(sys::cwd(), top.join("etc/passwd").to_str().unwrap().as_bytes(), libc::S_IFCHR, (0, 0)).is_ok()
        {
            assert_eq!(glance(&layers, "/etc/passwd"), Glance::Missing);
            fs::create_dir_all(top.join("usr/lib")).unwrap();
            if sys::set_xattr(top.join("usr").to_str().unwrap(), "trusted.overlay.opaque", b"y").is_ok() {
                assert_eq!(glance(&layers, "/usr/lib/x"), Glance::Missing);
            }
        }
        fs::remove_dir_all(&root).unwrap();
    }
}
