//! Registries over TLS: a real one, on the loopback of a private network namespace. Skipped by name where this user
//! has no right to that or the registry's program is missing.
//!
//! The keys in `registry/` belong to nobody: an authority, whose own key was thrown away, and a server.

use cutaway_tests::{is_root, program, skip};
use std::path::PathBuf;
use std::process::{Command, Stdio};

const CUTAWAY: &str = env!("CARGO_BIN_EXE_cutaway");

/// A folder of one test, gone with it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the shell in the namespaces does. `/etc` is a layer of the test's own.
const SCRIPT: &str = r#"
mkdir etc work
mount -t overlay overlay -o lowerdir=/etc,upperdir=$PWD/etc,workdir=$PWD/work /etc
ip link set lo up; ip addr add 10.9.9.9/32 dev lo
docker-registry serve config.yml > log 2>&1 &
server=$!
trap 'kill $server; wait $server' EXIT
for i in $(seq 100); do grep -q 'listening on' log && break; sleep 0.1; done
push() { "$CUTAWAY" tag cutaway/base "$1"; "$CUTAWAY" push -q "$1" 2>&1; echo "$?"; }
"$CUTAWAY" pull -q cutaway/base
push localhost:5443/me/base:1
"$CUTAWAY" rmi -f localhost:5443/me/base:1 > rmi
"$CUTAWAY" pull -q localhost:5443/me/base:1
push 10.9.9.9:5443/me/base:1
mkdir -p /etc/docker/certs.d/10.9.9.9:5443
cp authority.crt /etc/docker/certs.d/10.9.9.9:5443/ca.crt
push 10.9.9.9:5443/me/base:1
"#;

/// Programs that keep credentials, and a configuration that is elsewhere.
const KEYS: &str = r#"
exec > keys 2>&1
mkdir bin other; PATH=$PWD/bin:$PATH
cat > bin/docker-credential-keep <<'END'
#!/bin/sh
case $1 in
store) cat > kept ;;
get) read -r asked; [ -f kept ] && cat kept || { echo 'credentials not found in native keychain'; exit 1; } ;;
erase) cat > erased; rm -f kept ;;
esac
END
chmod +x bin/*; echo '{"credsStore":"keep"}' > other/config.json
K="$CUTAWAY --config other"
echo pw | $K login -u me --password-stdin localhost:5000
cat kept; echo; cat other/config.json; echo; ls client
$K login localhost:5000 2> /dev/null
$K logout localhost:5000; ls kept; $K login localhost:5000
echo '{"credsStore":"nosuch"}' > other/config.json
echo pw | $K login -u me --password-stdin localhost:5000; echo $?
"#;

/// Lists of manifests in it, and in one that speaks in the clear.
const LISTS: &str = r#"
sed '/^http/d' config.yml > plain.yml; echo "http: {addr: ':5000'}" >> plain.yml
docker-registry serve plain.yml > plain.log 2>&1 &
trap 'kill $server $!; wait' EXIT
for i in $(seq 100); do grep -q 'listening on' plain.log && break; sleep 0.1; done
exec > out 2>&1
L=localhost:5443/me/lists:all
"$CUTAWAY" manifest create $L localhost:5443/me/base:1 && "$CUTAWAY" manifest push -p $L | sed -E 's/[0-9a-f]{64}/ID/g'
"$CUTAWAY" manifest inspect $L | grep -c '"mediaType"'
"$CUTAWAY" manifest inspect localhost:5000/me/lists:all
"$CUTAWAY" manifest inspect --insecure localhost:5000/me/lists:all | grep -c '"mediaType"'
"$CUTAWAY" manifest inspect 10.9.9.9:5000/me/lists:all
"$CUTAWAY" manifest push 10.9.9.9:5000/me/lists:all
"$CUTAWAY" manifest create 10.9.9.9:5443/me/x 10.9.9.9:5443/me/base:1
rm -r /etc/docker/certs.d/10.9.9.9:5443
"$CUTAWAY" manifest inspect 10.9.9.9:5443/me/base:1
"$CUTAWAY" manifest inspect --insecure 10.9.9.9:5443/me/base:1 | grep -c '"mediaType"'
"$CUTAWAY" manifest push 10.9.9.9:5443/me/x
"#;

#[test]
fn registries_speak_tls() {
    let name = "registries_speak_tls";
    if !is_root() {
        return skip(name, "this user is not root");
    }
    if program("docker-registry").is_none() {
        return skip(name, "docker-registry is not installed");
    }
    let folder = Folder(std::env::temp_dir().join(format!("cutaway-registry-{}", std::process::id())));
    let at = |file: &str| folder.0.join(file);
    std::fs::create_dir_all(&folder.0).expect("a folder");
    for (file, text) in [
        ("authority.crt", include_str!("registry/authority.crt")),
        ("server.crt", include_str!("registry/server.crt")),
        ("server.key", include_str!("registry/server.key")),
        ("script.sh", &format!("{SCRIPT}{LISTS}{KEYS}")),
    ] {
        std::fs::write(at(file), text).expect("a file");
    }
    let config = format!(
        "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
         http: {{addr: ':5443', tls: {{certificate: {}, key: {}}}}}\n",
        at("data").display(),
        at("server.crt").display(),
        at("server.key").display()
    );
    std::fs::write(at("config.yml"), config).expect("a file");
    let output = Command::new("unshare")
        .args(["--net", "--mount", "sh", "script.sh"])
        .current_dir(&folder.0)
        .env("CUTAWAY", CUTAWAY)
        .env("CUTAWAY_ROOT", at("store"))
        .env("DOCKER_CONFIG", at("client"))
        .stdin(Stdio::null())
        .output()
        .expect("unshare runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    let [_, loopback, pushed, pulled, stranger, refused, known, trusted, ..] = &lines[..] else { panic!("{text}") };
    assert_eq!((*loopback, *pushed), ("localhost:5443/me/base:1", "0"), "the loopback's is not checked: {text}");
    assert_eq!(*pulled, "localhost:5443/me/base:1", "{text}");
    assert!(stranger.contains("certificate") && *refused == "1", "nobody vouches for it: {text}");
    assert_eq!((*known, *trusted), ("10.9.9.9:5443/me/base:1", "0"), "its authority is kept: {text}");
    let lists = std::fs::read_to_string(at("out")).expect("what was said of lists");
    let stranger = "failed to configure transport: error pinging v2 registry: Get \"https://10.9.9.9:5443/v2/\": tls: failed to \
        verify certificate: x509: certificate signed by unknown authority";
    assert_eq!(
        lists,
        format!(
            "Created manifest list localhost:5443/me/lists:all\n\
             Pushed ref localhost:5443/me/lists@sha256:ID with digest: sha256:ID\nsha256:ID\n2\n\
             no such manifest: localhost:5000/me/lists:all\n2\nno such manifest: 10.9.9.9:5000/me/lists:all\n\
             No such manifest: 10.9.9.9:5000/me/lists:all\nCreated manifest list 10.9.9.9:5443/me/x:latest\n\
             {stranger}\n3\n{stranger}\n"
        )
    );
    let keys = std::fs::read_to_string(at("keys")).expect("what was said of credentials");
    assert_eq!(
        keys,
        "Login Succeeded\n{\"ServerURL\":\"localhost:5000\",\"Username\":\"me\",\"Secret\":\"pw\"}\n\
         {\n\t\"auths\": {\n\t\t\"localhost:5000\": {}\n\t},\n\t\"credsStore\": \"keep\"\n}\nmanifests\n\
         Authenticating with existing credentials... [Username: me]\nLogin Succeeded\n\
         Removing login credentials for localhost:5000\nls: cannot access 'kept': No such file or directory\n\
         Error: Cannot perform an interactive login from a non TTY device\n\
         Error saving credentials: error storing credentials - err: exec: \"docker-credential-nosuch\": executable file \
         not found in $PATH, out: ``\n1\n"
    );
}
