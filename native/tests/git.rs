//! Repositories as build contexts: a git server on loopback, fetched by the host's git.

use cutaway::world::LinuxWorld;
use cutaway::world::places::Places;
use cutaway_core::build::git_source;
use cutaway_core::layer::entries;
use cutaway_core::world::acts::CheckOutGit;
use cutaway_core::world::{Fault, Performs};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

/// A served repository and a store of its own; both go with the test.
struct Server {
    daemon: Child,
    port: u16,
    root: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

fn git(at: &Path, words: &[&str]) -> String {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@b"];
    let output = Command::new("git").args(identity).args(words).current_dir(at).output().unwrap();
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

/// A repository with a branch, a tag, a folder and links that lead out of it.
fn serve() -> Option<Server> {
    // The daemon itself, not the git that would start it as another process.
    let programs = Command::new("git").arg("--exec-path").output().ok()?.stdout;
    let program = Path::new(String::from_utf8_lossy(&programs).trim()).join("git-daemon");
    if !program.exists() {
        return None;
    }
    let root = std::env::temp_dir().join(format!("cutaway-git-{}", std::process::id()));
    let repository = root.join("served/r.git");
    std::fs::create_dir_all(repository.join("sub")).unwrap();
    git(&repository, &["init", "--quiet", "--initial-branch=main"]);
    std::fs::write(repository.join("f"), "one").unwrap();
    std::fs::write(repository.join("sub/g"), "two").unwrap();
    std::os::unix::fs::symlink("/etc", repository.join("out")).unwrap();
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "--quiet", "-m", "1"]);
    git(&repository, &["tag", "v1"]);
    std::fs::write(repository.join("f"), "three").unwrap();
    git(&repository, &["commit", "--quiet", "-a", "-m", "2"]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let base = format!("--base-path={}", root.join("served").display());
    let words = ["--export-all", "--listen=127.0.0.1", &base, &format!("--port={port}")];
    let daemon = Command::new(program).args(words).spawn().unwrap();
    let server = Server { daemon, port, root };
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(server)
}

/// The names and contents of what an address gives, without folders.
fn fetched(server: &Server, address: &str) -> Result<Vec<(String, String)>, Fault> {
    let address = address.replace("HOST", &format!("127.0.0.1:{}", server.port));
    let store = server.root.join("store");
    let places = Places { runtime: store.join("run"), root: store.clone(), rootless: false, uid: 0 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let done = runtime.block_on(async {
        let world = LinuxWorld::open(&places).unwrap();
        world.perform(CheckOutGit { source: git_source(&address).unwrap().unwrap() }).await
    });
    assert_eq!(std::fs::read_dir(store.join("tmp")).unwrap().count(), 0, "something is left of {address}");
    let files = entries("repository", &done?.tar).unwrap().into_iter().filter(|(entry, _)| !entry.is_directory());
    Ok(files.map(|(entry, data)| (entry.path, String::from_utf8_lossy(&data).into_owned())).collect())
}

#[test]
fn commits_are_checked_out() {
    let Some(server) = serve() else {
        return cutaway_tests::skip("repositories as build contexts", "there is no git daemon");
    };
    let commit = git(&server.root.join("served/r.git"), &["rev-parse", "v1"]);
    let pair = |name: &str, text: &str| (name.to_string(), text.to_string());
    let first = vec![pair("f", "one"), pair("out", ""), pair("sub/g", "two")];
    for (address, expected) in [
        ("git://HOST/r.git".to_string(), vec![pair("f", "three"), pair("out", ""), pair("sub/g", "two")]),
        ("git://HOST/r.git#v1".to_string(), first.clone()),
        ("git://HOST/r.git#v1:sub".to_string(), vec![pair("g", "two")]),
        (format!("git://HOST/r.git#{commit}"), first.clone()),
        (format!("git://HOST/r.git#{}", &commit[..9]), first.clone()),
        (format!("git://HOST/r.git?tag=v1&checksum={}", &commit[..12]), first),
    ] {
        assert_eq!(fetched(&server, &address).unwrap(), expected, "{address}");
    }
    assert!(fetched(&server, "git://HOST/r.git?keep-git-dir").unwrap().iter().any(|(name, _)| name == ".git/HEAD"));
    for (address, reason) in [
        ("git://HOST/no.git", "failed to fetch remote git://HOST/no.git: git stderr:"),
        ("git://HOST/r.git#nosuch", "repository does not contain ref nosuch"),
        ("git://HOST/r.git#--upload-pack=x", "invalid ref"),
        ("git://HOST/r.git?checksum=0123456", "expected checksum to match 0123456, got "),
        ("git://HOST/r.git#main:none", "failed to open subdir none"),
        ("git://HOST/r.git#main:out", "failed to open subdir out"),
    ] {
        let reason = reason.replace("HOST", &format!("127.0.0.1:{}", server.port));
        let fault = fetched(&server, address).unwrap_err().to_string();
        assert!(fault.contains(&reason), "{address}: {fault}");
    }
}
