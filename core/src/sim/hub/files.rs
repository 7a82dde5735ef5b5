//! Trees of files for images and for the host, as they are described: folders, texts, links, programs.

use crate::layer::{Entry, EntryKind};
use crate::sim::kernel::Machine;
use std::collections::BTreeMap;

/// Files by path, without a slash at either end. Folders on the way are root's, mode 0755.
#[derive(Clone, Default)]
pub struct Files(BTreeMap<String, (Entry, Vec<u8>)>);

impl Files {
    pub fn new() -> Files {
        Files::default()
    }

    fn put(mut self, entry: Entry, bytes: Vec<u8>) -> Files {
        for (at, _) in entry.path.match_indices('/') {
            let folder = &entry.path[..at];
            self.0.entry(folder.to_string()).or_insert_with(|| (Entry::directory(folder, 0o755), Vec::new()));
        }
        self.0.insert(entry.path.clone(), (entry, bytes));
        self
    }

    pub fn folder(self, path: &str, mode: u32) -> Files {
        self.put(Entry::directory(path, mode), Vec::new())
    }

    /// A folder of somebody else's than root's.
    pub fn folder_of(self, path: &str, mode: u32, uid: u32, gid: u32) -> Files {
        self.put(Entry { uid, gid, ..Entry::directory(path, mode) }, Vec::new())
    }

    pub fn folders(self, paths: &str) -> Files {
        paths.split_whitespace().fold(self, |files, path| files.folder(path, 0o755))
    }

    pub fn text(self, path: &str, text: &str) -> Files {
        self.put(Entry::file(path, 0o644, text.len() as u64), text.as_bytes().to_vec())
    }

    pub fn script(self, path: &str, text: &str) -> Files {
        self.put(Entry::file(path, 0o755, text.len() as u64), text.as_bytes().to_vec())
    }

    pub fn link(self, path: &str, target: &str) -> Files {
        self.put(Entry::of(path, EntryKind::Symlink(target.to_string()), 0o777), Vec::new())
    }

    /// A program that is compiled in.
    pub fn program(self, path: &str, name: &str) -> Files {
        let bytes = Machine::program_file(name);
        self.put(Entry::file(path, 0o755, bytes.len() as u64), bytes)
    }

    /// One file for all tools, and a link to it for each, in one folder.
    pub fn busybox(self, folder: &str) -> Files {
        let files = self.program(&format!("{folder}/busybox"), "busybox");
        cutaway_userland::names().iter().fold(files, |files, name| files.link(&format!("{folder}/{name}"), "busybox"))
    }

    /// Each tool as a file of its own, as Debian has them.
    pub fn tools(self, folder: &str) -> Files {
        cutaway_userland::names().iter().fold(self, |files, name| files.program(&format!("{folder}/{name}"), name))
    }

    /// As entries of a tar, sorted, all changed at the same time.
    pub fn entries(&self, mtime: u64) -> impl Iterator<Item = (Entry, &[u8])> {
        self.0.values().map(move |(entry, bytes)| (Entry { mtime, ..entry.clone() }, bytes.as_slice()))
    }
}

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
";
const GROUP: &str = "root:x:0:\ndaemon:x:1:\nbin:x:2:\nwww-data:x:33:\nnogroup:x:65534:\n";

/// What Debian and its like have in common, with the folders `/bin` and `/sbin` merged into `/usr`. Also the
/// host's own disk.
pub fn host_tools() -> Files {
    Files::new()
        .folders("boot dev etc home media mnt opt proc run srv sys usr/bin usr/sbin usr/lib usr/local/bin")
        .folders("usr/local/sbin usr/share var/cache var/lib var/log var/spool var/tmp")
        .folder("root", 0o700)
        .folder("tmp", 0o1777)
        .link("bin", "usr/bin")
        .link("sbin", "usr/sbin")
        .link("lib", "usr/lib")
        .tools("usr/bin")
        .text("etc/passwd", PASSWD)
        .text("etc/group", GROUP)
        .text("etc/shells", "/bin/sh\n/bin/bash\n")
        .text("root/.profile", "# ~/.profile: read by login shells.\n")
}
