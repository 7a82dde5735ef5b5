//! Keys in files for the steps of a build: an agent serves them while it is needed, and is gone afterwards.

use cutaway::world::LinuxWorld;
use cutaway::world::places::Places;
use cutaway_core::world::Queries;
use std::path::Path;
use std::process::Command;

/// A new key in a file of its own.
fn key(folder: &Path, name: &str, passphrase: &str) -> (String, Vec<u8>) {
    let path = folder.join(name);
    let words = ["-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f"];
    assert!(Command::new("ssh-keygen").args(words).arg(&path).status().unwrap().success());
    (path.to_string_lossy().into_owned(), std::fs::read(&path).unwrap())
}

#[test]
fn keys_are_served() {
    if !["ssh-agent", "ssh-add", "ssh-keygen"].iter().all(|program| Path::new("/usr/bin").join(program).exists()) {
        return cutaway_tests::skip("keys in files for builds", "there is no ssh-agent");
    }
    let root = std::env::temp_dir().join(format!("cutaway-keys-{}", std::process::id()));
    std::fs::create_dir_all(&root).unwrap();
    let places = Places { runtime: root.join("run"), root: root.clone(), rootless: false, uid: 0 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let served = |keys: Vec<(String, Vec<u8>)>| {
        runtime.block_on(async { LinuxWorld::open(&places).unwrap().key_agent(keys).await })
    };
    let agent = served(vec![key(&root, "one", ""), key(&root, "two", "")]).unwrap();
    let listed = Command::new("ssh-add").arg("-l").env("SSH_AUTH_SOCK", agent.socket()).output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.lines().count() == 2 && listed.contains(" one ") && listed.contains(" two "), "{listed}");
    let socket = agent.socket();
    drop(agent);
    assert!(!Path::new(&socket).exists());
    let locked = key(&root, "locked", "secret");
    let fault = served(vec![locked.clone()]).unwrap_err().to_string();
    assert!(
        fault.ends_with(&format!("failed to parse {}: ssh: this private key is passphrase protected", locked.0)),
        "{fault}"
    );
    let fault = served(vec![("x".into(), b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n".to_vec())]).unwrap_err();
    assert!(fault.to_string().ends_with("failed to parse x: ssh: no key found"), "{fault}");
    assert_eq!(std::fs::read_dir(root.join("tmp")).unwrap().count(), 0, "something is left");
    let _ = std::fs::remove_dir_all(&root);
}
