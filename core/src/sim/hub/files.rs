//! Trees of files for images and for the host, as they are described: folders, texts, links, programs.

use crate::layer::{Entry, EntryKind};
use crate::sim::kernel::Machine;
use cutaway_userland::sorted::Map as BTreeMap;

/// The tools of busybox as Debian builds it.
const APPLETS: &str = "[ [[ acpid adjtimex ar arch arp arping ascii ash awk base64 basename bc blkdiscard blockdev brctl bunzip2 \
    bzcat bzip2 cal cat chgrp chmod chown chroot chvt clear cmp cp cpio crc32 crond crontab cttyhack cut date dc \
    dd deallocvt depmod devmem df diff dirname dmesg dnsdomainname dos2unix dpkg dpkg-deb du dumpkmap dumpleases \
    echo ed egrep env expand expr factor fallocate false fatattr fdisk fgrep find findfs fold free freeramdisk \
    fsfreeze fstrim ftpget ftpput getopt getty grep groups gunzip gzip halt head hexdump hostid hostname httpd \
    hwclock i2cdetect i2cdump i2cget i2cset i2ctransfer id ifconfig ifdown ifup init insmod ionice ip ipcalc \
    ipneigh kill killall klogd last less link linux32 linux64 linuxrc ln loadfont loadkmap logger login logname \
    logread losetup ls lsmod lsscsi lzcat lzma lzop md5sum mdev microcom mim mkdir mkdosfs mke2fs mkfifo mknod \
    mkpasswd mkswap mktemp modinfo modprobe more mount mt mv nameif nc netstat nl nologin nproc nsenter nslookup \
    nuke od openvt partprobe passwd paste patch pidof ping ping6 pivot_root poweroff printf ps pwd rdate readlink \
    realpath reboot renice reset resume rev rm rmdir rmmod route rpm rpm2cpio run-init run-parts sed seq \
    setkeycodes setpriv setsid sh sha1sum sha256sum sha3sum sha512sum shred shuf sleep sort ssl_client start-stop- \
    daemon stat strings stty su sulogin svc svok swapoff swapon switch_root sync sysctl syslogd tac tail tar \
    taskset tc tee telnet telnetd test tftp time timeout top touch tr traceroute traceroute6 true truncate ts tty \
    tunctl ubirename udhcpc udhcpd uevent umount uname uncompress unexpand uniq unix2dos unlink unlzma unshare \
    unxz unzip uptime usleep uudecode uuencode vconfig vi w watch watchdog wc wget which who whoami xargs xxd xz \
    xzcat yes zcat";

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

    /// One file for all tools, and a link to it for each, in one folder. The links are those of the real
    /// busybox; behind a few of them it says that it does not have that tool.
    pub fn busybox(self, folder: &str) -> Files {
        let files = self.program(&format!("{folder}/busybox"), "busybox");
        let names = cutaway_userland::names().into_iter().chain(APPLETS.split_whitespace());
        names.fold(files, |files, name| files.link(&format!("{folder}/{name}"), "busybox"))
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
