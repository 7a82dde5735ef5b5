//! Volumes whose options say what they are, on the simulated machine.

use crate::sim::session::{Config, Session};

/// What a script of the simulated host prints, both streams together.
fn shell(script: &str) -> String {
    let session = Session::new(Config::default());
    let mut seen = Vec::new();
    let whole = format!("{{ docker pull -q busybox > /dev/null\n{script}\n}} 2>&1");
    session.script(&whole, |bytes| seen.extend_from_slice(bytes));
    String::from_utf8_lossy(&seen).into_owned()
}

#[test]
fn volumes_are_what_their_options_say() {
    let script = "mkdir -p /srv/x; echo kept > /srv/x/f; v() { docker volume create \"$@\" > /dev/null; }\n\
        v -o type=none -o device=/srv/x -o o=bind bound; v -o type=none -o device=/srv/x -o o=bind,ro closed\n\
        docker run --rm -v bound:/d busybox sh -c 'cat /d/f; echo more > /d/g'; cat /srv/x/g\n\
        docker run --rm -v closed:/d busybox touch /d/h; docker volume rm bound; cat /srv/x/f\n\
        v -o type=tmpfs -o device=tmpfs -o o=size=1m memory\n\
        docker run --rm -v memory:/d busybox sh -c 'mount | grep -o \"tmpfs on /d type tmpfs.*size=[0-9]*\"; touch /d/x'\n\
        docker run --rm -v memory:/d busybox ls /d; v -o type=none -o device=/nosuch -o o=bind lost\n\
        docker run --rm -v lost:/d busybox true 2>&1 | head -1; v -o foo=bar xx; v -o type=tmpfs xx; docker volume update memory";
    assert_eq!(
        shell(script),
        "kept\nmore\ntouch: /d/h: Read-only file system\nbound\nkept\n\
         tmpfs on /d type tmpfs (rw,relatime,size=1024\n\
         docker: Error response from daemon: error while mounting volume '/var/lib/docker/volumes/lost/_data': \
         failed to mount local volume: mount /nosuch:/var/lib/docker/volumes/lost/_data, flags: 0x1000: \
         no such file or directory\n\
         Error response from daemon: create xx: invalid option: \"foo\"\n\
         Error response from daemon: create xx: missing required option: \"device\"\n\
         Can only update cluster volumes\n"
    );
}
