//! Who plays a lesson: a session of the simulated machine, or a shell of this one.

use super::Refusal;
use crate::world::places::Places;
use crate::world::{LinuxWorld, in_root};
use cutaway_core::lesson::{Lesson, Progress, Surroundings, WorldView, grade};
use cutaway_core::sim::session::{Config, Session};
use cutaway_core::world::LocalFut;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

/// The longest that a port may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// The most that is read of an answer.
const LARGEST: u64 = 1 << 20;

/// A fresh machine on which lines are entered.
pub trait Player: Sized {
    /// Makes the machine ready.
    fn prepare(lesson: &Rc<Lesson>) -> Result<Self, Refusal>;
    fn enter(&mut self, line: &str) -> Result<(), Refusal>;
    fn grade(&self) -> Progress;
    /// What the lines printed.
    fn transcript(&self) -> String;
}

pub struct Simulated {
    session: Session,
    lesson: Rc<Lesson>,
    lines: Vec<String>,
    printed: Vec<u8>,
}

impl Player for Simulated {
    fn prepare(lesson: &Rc<Lesson>) -> Result<Self, Refusal> {
        let session = Session::new(Config::default());
        session.prepare(lesson).map_err(|e| Refusal::Failed(e.to_string()))?;
        Ok(Simulated { session, lesson: lesson.clone(), lines: Vec::new(), printed: Vec::new() })
    }

    fn enter(&mut self, line: &str) -> Result<(), Refusal> {
        let printed = &mut self.printed;
        self.session.script(line, |bytes| printed.extend_from_slice(bytes));
        self.lines.push(line.to_string());
        Ok(())
    }

    fn grade(&self) -> Progress {
        self.session.grade(&self.lesson, &self.lines)
    }

    fn transcript(&self) -> String {
        String::from_utf8_lossy(&self.printed).into_owned()
    }
}

/// A shell of this machine in an empty folder, with a store of its own and this program as `docker`.
pub struct Linux {
    lesson: Rc<Lesson>,
    folder: PathBuf,
    lines: Vec<String>,
    printed: Vec<u8>,
}

impl Player for Linux {
    fn prepare(lesson: &Rc<Lesson>) -> Result<Self, Refusal> {
        let places = Places::find();
        if places.rootless {
            return Err(Refusal::Skipped("playing natively needs root".into()));
        }
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("cutaway-lesson-{}-{number}", std::process::id()));
        let mut player = Linux { lesson: lesson.clone(), folder, lines: Vec::new(), printed: Vec::new() };
        player.furnish().map_err(|e| Refusal::Failed(format!("{}: {e}", player.folder.display())))?;
        for line in &lesson.setup {
            let status = player.shell(line).map_err(Refusal::Failed)?;
            if !status {
                return Err(Refusal::Failed(format!("the setup failed: {line}\n{}", player.transcript())));
            }
        }
        Ok(player)
    }

    fn enter(&mut self, line: &str) -> Result<(), Refusal> {
        // A line that fails is not a failed attempt: the checks decide.
        self.shell(line).map_err(Refusal::Failed)?;
        self.lines.push(line.to_string());
        Ok(())
    }

    fn grade(&self) -> Progress {
        let open = Progress { reached: vec![false; self.lesson.goals.len()], hint: None };
        let Ok(world) = LinuxWorld::open(&self.places()) else { return open };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return open };
        let view = WorldView { world, surroundings: Rc::new(Host), lines: self.lines.clone() };
        tokio::task::LocalSet::new().block_on(&runtime, grade(&self.lesson, &view))
    }

    fn transcript(&self) -> String {
        String::from_utf8_lossy(&self.printed).into_owned()
    }
}

impl Linux {
    fn places(&self) -> Places {
        let root = self.folder.join("store");
        Places { runtime: root.join("run"), root, ..Places::find() }
    }

    /// The working folder with the lesson's files, and `docker` on the path.
    fn furnish(&self) -> std::io::Result<()> {
        let (work, bin) = (self.folder.join("work"), self.folder.join("bin"));
        std::fs::create_dir_all(&work)?;
        std::fs::create_dir_all(&bin)?;
        std::os::unix::fs::symlink(std::env::current_exe()?, bin.join("docker"))?;
        for (path, bytes) in &self.lesson.files {
            let file = work.join(path);
            std::fs::create_dir_all(file.parent().unwrap_or(&work))?;
            std::fs::write(&file, bytes)?;
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644))?;
        }
        Ok(())
    }

    /// Runs a line in a shell; whether it succeeded.
    fn shell(&mut self, line: &str) -> Result<bool, String> {
        let path = format!("{}:{}", self.folder.join("bin").display(), std::env::var("PATH").unwrap_or_default());
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(self.folder.join("work"))
            .env("PATH", path)
            .env("CUTAWAY_ROOT", self.folder.join("store"))
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("sh: {e}"))?;
        self.printed.extend_from_slice(&output.stdout);
        self.printed.extend_from_slice(&output.stderr);
        Ok(output.status.success())
    }
}

impl Drop for Linux {
    fn drop(&mut self) {
        let _ = self.shell("docker ps -aq | xargs -r docker rm -fv; docker network prune -f");
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// This machine, looked at from outside of the engine.
struct Host;

impl Surroundings for Host {
    fn fetch(&self, port: u16, path: &str) -> LocalFut<Option<String>> {
        let answer = fetch(port, path).ok();
        Box::pin(async move { answer })
    }

    fn file_below(&self, folder: &str, path: &str) -> LocalFut<Option<Vec<u8>>> {
        let bytes = in_root::read(Path::new(folder), path).ok();
        Box::pin(async move { bytes })
    }
}

fn fetch(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(LARGEST).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
