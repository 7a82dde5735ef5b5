//! The union file system: what shows, what is copied up, what hides, and what `diff` tells.

use super::*;
use crate::sim::kernel::{Overlay, Tree, TreeEntry, TreeKind};
use crate::world::ChangeKind;
use cutaway_userland::os::MountFlags;
use std::time::Duration;

fn entry(path: &str, kind: TreeKind) -> TreeEntry {
    let mode = if matches!(kind, TreeKind::Directory { .. }) { 0o755 } else { 0o644 };
    TreeEntry { path: path.into(), mode, uid: 0, gid: 0, mtime: Duration::from_secs(1), kind }
}

fn file(path: &str, text: &str) -> TreeEntry {
    entry(path, TreeKind::File(Rc::new(text.as_bytes().to_vec())))
}

fn dir(path: &str) -> TreeEntry {
    entry(path, TreeKind::Directory { opaque: false })
}

/// Two layers: the upper one of them changes, adds, hides and hides all.
fn layers(machine: &Machine) -> Vec<Tree> {
    let low = Tree::new(machine);
    low.import([
        dir("d"),
        file("d/low", "low"),
        file("d/both", "old"),
        dir("o"),
        file("o/hidden", "x"),
        file("gone", "x"),
        file("h1", "linked"),
        entry("h2", TreeKind::HardLink("h1".into())),
        dir("m"),
        dir("m/n"),
        file("m/n/f", "deep"),
    ])
    .unwrap();
    let high = Tree::new(machine);
    high.import([
        dir("d"),
        file("d/both", "new"),
        file("d/high", "high"),
        entry("o", TreeKind::Directory { opaque: true }),
        file("o/shown", "y"),
        entry("gone", TreeKind::Whiteout),
    ])
    .unwrap();
    vec![low, high]
}

/// A machine with the union of those layers mounted at /u.
fn mounted() -> (Machine, Overlay) {
    let machine = machine();
    let overlay = Overlay::new(&machine, &layers(&machine), &Tree::new(&machine));
    machine.os(1).mkdir("/u", 0o755).unwrap();
    machine.mount_overlay(1, "/u", &overlay, MountFlags::default()).unwrap();
    (machine, overlay)
}

/// Scripts in the folder of the union: what they print, and the changes that they leave.
const TABLE: [(&str, &str, &[&str]); 17] = [
    ("ls; ls d o", "d\nh1\nh2\nm\no\nd:\nboth\nhigh\nlow\n\no:\nshown\n", &[]),
    ("cat d/low d/both d/high; cat gone", "lownewhighcat: can't open 'gone': No such file or directory\n", &[]),
    ("echo + >> d/low; cat d/low", "low+\n", &["C d/low"]),
    ("chmod 600 d/low; stat -c %a d/low", "600\n", &["C d/low"]),
    ("rm d/low; ls d", "both\nhigh\n", &["C d", "D d/low"]),
    ("rm d/low; echo n > d/low; cat d/low", "n\n", &["C d", "C d/low"]),
    ("echo n > d/n; rm d/n; ls d", "both\nhigh\nlow\n", &["C d"]),
    ("rm -r d; mkdir d; ls d", "", &["C d", "D d/both", "D d/high", "D d/low"]),
    ("rm -r d; ls", "h1\nh2\nm\no\n", &["D d"]),
    ("echo b > gone; cat gone", "b\n", &["A gone"]),
    ("mv m w; cat w/n/f; ls", "deepd\nh1\nh2\no\nw\n", &["D m", "A w", "A w/n", "A w/n/f"]),
    ("mv d/low low; cat low", "low", &["C d", "D d/low", "A low"]),
    ("echo c >> h1; cat h1 h2", "linkedc\nlinked", &["C h1"]),
    ("ln d/low l; echo 2 > l; cat d/low", "2\n", &["C d/low", "A l"]),
    ("mkdir -p x/y; touch x/y/z", "", &["A x", "A x/y", "A x/y/z"]),
    ("cat d/low > /dev/null; cd m/n; echo f2 > f; pwd", "/u/m/n\n", &["C m/n/f"]),
    ("rmdir m 2>/dev/null; echo $?; rm m/n/f; rmdir m/n; rmdir m; ls -d m 2>/dev/null", "1\n", &["D m"]),
];

#[test]
fn scripts_in_a_union() {
    for (text, wanted, changes) in TABLE {
        let (machine, overlay) = mounted();
        let (out, _) = script(&machine, &format!("cd /u; {text}"));
        assert_eq!(out, wanted, "{text}");
        let letter = |kind| match kind {
            ChangeKind::Modified => 'C',
            ChangeKind::Added => 'A',
            ChangeKind::Deleted => 'D',
        };
        let shown: Vec<String> =
            overlay.changes().iter().map(|c| format!("{} {}", letter(c.kind), &c.path[1..])).collect();
        assert_eq!(shown, changes, "{text}");
    }
}

#[test]
fn lower_layers_stay_as_they_are() {
    let machine = machine();
    let lowers = layers(&machine);
    let before: Vec<Vec<TreeEntry>> = lowers.iter().map(Tree::entries).collect();
    let overlay = Overlay::new(&machine, &lowers, &Tree::new(&machine));
    machine.os(1).mkdir("/u", 0o755).unwrap();
    machine.mount_overlay(1, "/u", &overlay, MountFlags::default()).unwrap();
    script(&machine, "cd /u; rm -rf d m; echo x > h1; chmod 777 o; mv h2 h3");
    assert_eq!(lowers.iter().map(Tree::entries).collect::<Vec<_>>(), before);
}

#[test]
fn the_writable_layer_over_the_same_layers_shows_the_same() {
    for (text, _, _) in TABLE {
        let machine = machine();
        let lowers = layers(&machine);
        let overlay = Overlay::new(&machine, &lowers, &Tree::new(&machine));
        machine.os(1).mkdir("/u", 0o755).unwrap();
        machine.mount_overlay(1, "/u", &overlay, MountFlags::default()).unwrap();
        script(&machine, &format!("cd /u; {text}"));
        let names = |o: &Overlay| -> Vec<(String, TreeKind)> {
            o.entries("/").unwrap().into_iter().map(|e| (e.path, e.kind)).collect()
        };
        // Packed as a layer and unpacked again, it means the same.
        let layer = Tree::new(&machine);
        layer.import(overlay.upper().entries()).unwrap();
        let stack: Vec<Tree> = lowers.into_iter().chain([layer]).collect();
        let again = Overlay::new(&machine, &stack, &Tree::new(&machine));
        assert_eq!(names(&again), names(&overlay), "{text}");
    }
}

#[test]
fn from_outside_links_stay_in_the_root() {
    let machine = machine();
    let low = Tree::new(&machine);
    let link = |path: &str, to: &str| entry(path, TreeKind::Symlink(to.into()));
    low.import([
        dir("etc"),
        file("etc/passwd", "inside"),
        link("l", "../../etc/passwd"),
        link("e", "/etc"),
        link("r", "r"),
    ])
    .unwrap();
    let overlay = Overlay::new(&machine, &[low], &Tree::new(&machine));
    assert_eq!(*overlay.read_file("/l").unwrap(), b"inside");
    assert_eq!(*overlay.read_file("e/passwd").unwrap(), b"inside");
    assert_eq!(overlay.read_file("r"), Err(cutaway_userland::Errno::ELOOP));
    assert_eq!(overlay.kind("/nothing/here"), Ok(None));
    overlay.import("/e/new", [file("f", "made")]).unwrap();
    let paths: Vec<String> = overlay.entries("/etc").unwrap().into_iter().map(|e| e.path).collect();
    assert_eq!(paths, ["etc", "etc/new", "etc/new/f", "etc/passwd"]);
    assert_eq!(overlay.import("/", [file("etc", "x")]), Err(cutaway_userland::Errno::EISDIR));
}
