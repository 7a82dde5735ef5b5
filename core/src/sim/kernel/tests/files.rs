//! Files, links, rights, mounts and devices.

use super::*;
use cutaway_userland::Errno;
use cutaway_userland::os::{FileKind, MountFlags, OpenFlags, Whence};

#[test]
fn scripts_about_files() {
    check(&[
        ("echo a > /f; echo b >> /f; cat /f", "a\nb\n"),
        ("ln -s /f /l; echo x > /l; cat /f; readlink /l", "x\n/f\n"),
        ("ln -s loop /loop; cat /loop 2>/dev/null; echo $?", "1\n"),
        ("echo 1 > /a; ln /a /b; echo 2 > /b; cat /a; stat -c %h /a", "2\n2\n"),
        ("mkdir -p /d/e; rmdir /d 2>/dev/null; echo $?", "1\n"),
        ("mkdir /a /b; mv /a /b/c; ls /b", "c\n"),
        ("cd /tmp; mkdir x; cd x; rmdir /tmp/x; cat y 2>/dev/null; echo $?", "1\n"),
        ("mkfifo /p; echo through > /p & cat /p", "through\n"),
        ("head -c 4 /dev/zero | wc -c; echo gone > /dev/null; cat /dev/null | wc -c", "4\n0\n"),
        ("echo x > /dev/full; echo $?", "sh: echo: line 0: write error: No space left on device\n1\n"),
        (
            "echo to stderr > /dev/stderr; echo to fd > /dev/fd/1; echo to out > /dev/stdout",
            "to stderr\nto fd\nto out\n",
        ),
        (
            "touch /tmp/a; mount -t tmpfs -o size=64k small /mnt0 2>/dev/null || mkdir /mnt0; mount -t tmpfs -o size=64k small /mnt0; head -c 100000 /dev/zero > /mnt0/f 2>/dev/null; echo $?; wc -c < /mnt0/f",
            "1\n65536\n",
        ),
        ("mkdir /m; mount -t tmpfs -o ro x /m; touch /m/f 2>/dev/null; echo $?", "1\n"),
        ("mkdir /a /b; echo in > /a/f; mount --bind /a /b; cat /b/f; umount /b; ls /b", "in\n"),
        (
            "echo one > /f; echo two > /g; mount --bind /f /g; cat /g; grep ' /g ' /proc/self/mountinfo | cut -d ' ' -f 4",
            "one\n/f\n",
        ),
        ("cat /proc/sys/kernel/ostype; echo 5 > /proc/sys/vm/swappiness; cat /proc/sys/vm/swappiness", "Linux\n5\n"),
        ("umount /nothing 2>/dev/null; echo $?", "1\n"),
    ]);
}

#[test]
fn calls_fail_with_the_right_number() {
    let machine = machine();
    let os = machine.os(Machine::INIT);
    os.mkdir("/d", 0o755).unwrap();
    machine.write_file(1, "/d/f", b"x", 0o644).unwrap();
    let long = "n".repeat(256);
    let table: [(&str, Result<(), Errno>, Errno); 16] = [
        ("stat nothing", os.stat("/nothing").map(drop), Errno::ENOENT),
        ("stat empty", os.stat("").map(drop), Errno::ENOENT),
        ("stat below a file", os.stat("/d/f/g").map(drop), Errno::ENOTDIR),
        ("stat a file with a slash", os.stat("/d/f/").map(drop), Errno::ENOTDIR),
        ("a long name", os.stat(&format!("/{long}")).map(drop), Errno::ENAMETOOLONG),
        ("mkdir again", os.mkdir("/d", 0o755), Errno::EEXIST),
        ("mkdir root", os.mkdir("/", 0o755), Errno::EEXIST),
        ("mkdir in nothing", os.mkdir("/no/d", 0o755), Errno::ENOENT),
        ("rmdir full", os.rmdir("/d"), Errno::ENOTEMPTY),
        ("rmdir a file", os.rmdir("/d/f"), Errno::ENOTDIR),
        ("rmdir a mount", os.rmdir("/proc"), Errno::EBUSY),
        ("unlink a folder", os.unlink("/d"), Errno::EISDIR),
        ("rename into itself", os.rename("/d", "/d/e"), Errno::EINVAL),
        ("rename across", os.rename("/d/f", "/tmp/f"), Errno::EXDEV),
        ("link a folder", os.link("/d", "/e"), Errno::EPERM),
        ("an unknown file system", os.mount("x", "/d", "nosuch", MountFlags::default(), ""), Errno::ENODEV),
    ];
    for (what, answer, wanted) in table {
        assert_eq!(answer, Err(wanted), "{what}");
    }
}

#[test]
fn dup_and_fork_share_the_position() {
    let machine = machine();
    machine.write_file(1, "/f", b"abcdef", 0o644).unwrap();
    let answer = as_process(&machine, |os| async move {
        let fd = os.open("/f", OpenFlags::READ, 0).await.unwrap();
        let copy = os.dup(fd, 10).unwrap();
        let own = os.open("/f", OpenFlags::READ, 0).await.unwrap();
        os.read(fd, 2).await.unwrap();
        let shared = os.read(copy, 2).await.unwrap();
        let end = os.seek(fd, Whence::End(-1)).unwrap();
        (copy, shared, end, os.read(own, 2).await.unwrap())
    });
    assert_eq!(answer, (10, b"cd".to_vec(), 5, b"ab".to_vec()));
}

#[test]
fn an_unlinked_file_lives_while_it_is_open() {
    let machine = machine();
    machine.write_file(1, "/f", b"still", 0o644).unwrap();
    let answer = as_process(&machine, |os| async move {
        let fd = os.open("/f", OpenFlags::READ, 0).await.unwrap();
        os.unlink("/f").unwrap();
        (os.fstat(fd).unwrap().nlink, os.read(fd, 9).await.unwrap(), os.stat("/f").map(drop))
    });
    assert_eq!(answer, (0, b"still".to_vec(), Err(Errno::ENOENT)));
}

#[test]
fn nobody_leaves_a_root() {
    let machine = machine();
    script(
        &machine,
        "mkdir -p /jail/bin /jail/d; cp /bin/* /jail/bin; echo out > /secret; ln -s /secret /jail/l; ln -s ../../../secret /jail/d/up",
    );
    let table = [
        ("chroot /jail ls /", "bin\nd\nl\n"),
        ("chroot /jail cat /../../secret /l /d/up 2>/dev/null; echo $?", "1\n"),
        ("chroot /jail sh -c 'cd ..; cd ..; pwd; ls'", "/\nbin\nd\nl\n"),
    ];
    for (text, wanted) in table {
        assert_eq!(script(&machine, text).0, wanted, "{text}");
    }
}

#[test]
fn a_pipe_holds_so_much_and_then_waits() {
    let machine = machine();
    let written = as_process(&machine, |os| async move {
        let (reader, writer) = os.pipe().unwrap();
        os.fork(move |os| {
            Box::pin(async move {
                os.sleep(std::time::Duration::from_secs(1)).await.unwrap();
                let mut left = 100_000;
                while left > 0 {
                    left -= os.read(reader, left).await.unwrap().len();
                }
                0
            })
        })
        .unwrap();
        let first = os.write(writer, &[1; 100_000]).await.unwrap();
        let before = os.now();
        let second = os.write(writer, &[1; 34_464]).await.unwrap();
        (first, second, (os.now() - before).as_secs_f32().round())
    });
    assert_eq!(written, (65_536, 34_464, 1.0));
}

#[test]
fn writing_to_nobody_is_a_broken_pipe() {
    let machine = machine();
    let answer = as_process(&machine, |os| async move {
        let (reader, writer) = os.pipe().unwrap();
        os.close(reader).unwrap();
        let child = os.fork(move |os| Box::pin(async move { os.write(writer, b"x").await.map_or(1, |_| 0) })).unwrap();
        let wait = cutaway_userland::os::WaitFor::Pid(child);
        os.wait(cutaway_userland::os::Wait { who: wait, no_hang: false, untraced: false }).await.unwrap().1
    });
    assert_eq!(answer, Status::Signaled(cutaway_userland::os::Signal::PIPE));
}

#[test]
fn a_new_mount_namespace_has_mounts_of_its_own() {
    let machine = machine();
    let spawn = |out| Spawn { mount: crate::sim::kernel::NamespaceChoice::New, ..plain(out) };
    let (out, _) = script_in(&machine, spawn, "mount -t tmpfs x /tmp; echo mine > /tmp/f; cat /tmp/f");
    assert_eq!(out, "mine\n");
    assert_eq!(machine.read_file(1, "/tmp/f"), Err(Errno::ENOENT));
}

#[test]
fn pivot_root_hides_the_old_root() {
    let machine = machine();
    script(&machine, "mkdir -p /new/bin /new/proc; cp /bin/* /new/bin");
    let (reader, writer) = machine.pipe();
    let spawn =
        Spawn { mount: crate::sim::kernel::NamespaceChoice::New, ..plain(StdStream::Fd(Machine::INIT, writer)) };
    let pid = machine.spawn(spawn).unwrap();
    let init = machine.os(Machine::INIT);
    init.close(writer).unwrap();
    let os = machine.os(pid);
    os.mount("/new", "/new", "", MountFlags { bind: true, ..MountFlags::default() }, "").unwrap();
    os.mount("proc", "/new/proc", "proc", MountFlags::default(), "").unwrap();
    machine.pivot_root(pid, "/new").unwrap();
    assert_eq!(os.stat("/etc/passwd").map(drop), Err(Errno::ENOENT));
    let text = "ls /; pwd; cut -d ' ' -f 2 /proc/mounts";
    machine.exec(pid, "/bin/sh", &words(&["sh", "-c", text]), &env()).unwrap();
    let out = machine
        .run_until(FUEL, async move {
            let mut all = Vec::new();
            loop {
                match init.read(reader, 4096).await.unwrap() {
                    bytes if bytes.is_empty() => return all,
                    bytes => all.extend(bytes),
                }
            }
        })
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&out), "bin\nproc\n/\n/\n/proc\n");
}

#[test]
fn devices_are_what_their_numbers_say() {
    let machine = machine();
    let os = machine.os(Machine::INIT);
    let stat = os.stat("/dev/null").unwrap();
    assert_eq!((stat.kind, stat.rdev, stat.mode), (FileKind::CharDevice, (1, 3), 0o666));
    os.mknod("/mine", FileKind::CharDevice, 0o666, (1, 5)).unwrap();
    let (out, _) = script(&machine, "head -c 3 /mine | od -An -tx1; cat /dev/tty 2>/dev/null; echo $?");
    assert_eq!(out.split_whitespace().collect::<Vec<_>>(), ["00", "00", "00", "1"]);
}
