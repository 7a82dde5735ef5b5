//! Private keys from files for the steps of a build: the host's own `ssh-agent` has them, at a socket of its own, for
//! as long as the build needs it.

use super::{Store, on_worker};
use crate::sys::OrFault;
use crate::world::LinuxWorld;
use cutaway_core::world::{Fault, KeyAgent};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

/// A running agent. It lives as long as the program that it was started with, which ends with its input: so it ends
/// where this process is killed, too.
#[derive(Debug)]
struct Agent {
    folder: PathBuf,
    lives: Child,
}

impl KeyAgent for Agent {
    fn socket(&self) -> String {
        socket_in(&self.folder).to_string_lossy().into_owned()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.lives.stdin.take());
        let _ = self.lives.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn socket_in(folder: &Path) -> PathBuf {
    folder.join("agent")
}

impl LinuxWorld {
    pub(in crate::world) async fn start_key_agent(
        &self,
        keys: Vec<(String, Vec<u8>)>,
    ) -> Result<Rc<dyn KeyAgent>, Fault> {
        let store = self.store.clone();
        let agent = on_worker(move || start(&store, &keys)).await?;
        Ok(Rc::new(agent))
    }
}

fn start(store: &Store, keys: &[(String, Vec<u8>)]) -> Result<Agent, Fault> {
    let folder = store.temporary();
    fs::DirBuilder::new().mode(0o700).create(&folder).or_fault(format!("mkdir {}", folder.display()))?;
    let socket = socket_in(&folder);
    let started = Command::new("ssh-agent")
        .arg("-a")
        .arg(&socket)
        .arg("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let lives = match started {
        Ok(lives) => lives,
        Err(error) => {
            let _ = fs::remove_dir_all(&folder);
            return Err(Fault::Unsupported(format!("ssh-agent can't be started: {error}")));
        }
    };
    let mut agent = Agent { folder, lives };
    // The program begins when the agent listens: then it gives back what it is given.
    let echoed = match (&mut agent.lives.stdin, &mut agent.lives.stdout) {
        (Some(input), Some(output)) => input.write_all(b"\n").and_then(|()| output.read_exact(&mut [0])),
        _ => Ok(()),
    };
    echoed.map_err(|_| Fault::Unsupported(format!("ssh-agent does not listen at {}", socket.display())))?;
    keys.iter().try_for_each(|(path, key)| add(&socket, path, key))?;
    Ok(agent)
}

/// Gives the agent a key. Nobody is asked for a passphrase.
fn add(socket: &Path, path: &str, key: &[u8]) -> Result<(), Fault> {
    let unsupported = |reason: String| Fault::Unsupported(format!("failed to parse {path}: {reason}"));
    let mut adding = Command::new("ssh-add")
        .args(["-q", "-"])
        .env("SSH_AUTH_SOCK", socket)
        .env("SSH_ASKPASS", "/bin/false")
        .env("SSH_ASKPASS_REQUIRE", "force")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| unsupported(format!("ssh-add can't be started: {error}")))?;
    if let Some(mut input) = adding.stdin.take() {
        // A key that is refused early need not be read to its end.
        let _ = input.write_all(key);
    }
    let done = adding.wait_with_output().or_fault("wait for ssh-add")?;
    if done.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&done.stderr);
    let broken = ["invalid format", "libcrypto"].iter().any(|words| told.contains(words));
    Err(unsupported(match broken {
        true => "ssh: no key found".to_string(),
        false => "ssh: this private key is passphrase protected".to_string(),
    }))
}
