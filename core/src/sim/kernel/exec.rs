//! Replacing a process's program: which file it is, what kind of executable, and what `execve` keeps.
//! Source: `execve(2)`.

use super::cred::Cap;
use super::machine::Runner;
use super::process::{BASE_MEMORY, Process, State};
use super::state::Kernel;
use super::vfs::access;
use super::vfs::path::Place;
use cutaway_userland::Errno;
use cutaway_userland::os::{Disposition, FileKind, Pid, Result};
use std::rc::Rc;
use std::time::Duration;

/// The beginning of a file that stands for a compiled-in program; its name follows, and a newline.
pub(crate) const MAGIC: &str = "\x7fCUTAWAY program ";

/// A program, ready to be run.
pub(crate) struct Image {
    pub run: Runner,
    pub argv: Vec<String>,
    exe: Rc<Place>,
    name: String,
    set_uid: Option<u32>,
    set_gid: Option<u32>,
}

/// How deep scripts may be scripts' interpreters (`BINPRM_BUF` aside, Linux allows four).
const SCRIPTS: u32 = 4;

impl Kernel {
    /// Finds out what a path would run.
    pub fn load(&self, pid: Pid, path: &str, argv: &[String]) -> Result<Image> {
        self.filter(pid, "execve")?;
        let name = path.rsplit('/').next().unwrap_or(path);
        self.load_at(pid, path, argv.to_vec(), name, 0)
    }

    fn load_at(&self, pid: Pid, path: &str, argv: Vec<String>, name: &str, depth: u32) -> Result<Image> {
        if depth > SCRIPTS {
            return Err(Errno::ELOOP);
        }
        let place = self.resolve(pid, path)?;
        let attr = place.node.attr(self);
        if attr.kind != FileKind::Regular {
            return Err(Errno::EACCES);
        }
        self.permit(pid, &place, access::EXECUTE)?;
        let process = self.process(pid)?;
        let flags = process.ns.mnt.borrow().get(place.mount).map(|m| m.flags).unwrap_or_default();
        if flags.no_exec {
            return Err(Errno::EACCES);
        }
        let head = place.node.read(self, 0, 256)?;
        if let Some(script) = head.strip_prefix(b"#!") {
            let line = script.split(|b| *b == b'\n').next().unwrap_or_default();
            let line = String::from_utf8_lossy(line).trim().to_string();
            if line.is_empty() {
                return Err(Errno::ENOEXEC);
            }
            let (interpreter, argument) =
                line.split_once([' ', '\t']).map_or((line.as_str(), ""), |(i, a)| (i, a.trim()));
            let mut words = vec![interpreter.to_string()];
            if !argument.is_empty() {
                words.push(argument.to_string());
            }
            words.push(path.to_string());
            words.extend(argv.into_iter().skip(1));
            return self.load_at(pid, interpreter, words, name, depth + 1);
        }
        let program = head
            .strip_prefix(MAGIC.as_bytes())
            .and_then(|rest| rest.split(|b| *b == b'\n').next())
            .and_then(|name| std::str::from_utf8(name).ok())
            .ok_or(Errno::ENOEXEC)?;
        let run = self.programs.get(program).ok_or(Errno::ENOEXEC)?.clone();
        let set_uid = (attr.mode & 0o4000 != 0 && !flags.no_suid).then_some(attr.uid);
        let set_gid = (attr.mode & 0o2010 == 0o2010 && !flags.no_suid).then_some(attr.gid);
        Ok(Image { run, argv, exe: place, name: name.chars().take(15).collect(), set_uid, set_gid })
    }

    /// Makes the process one that runs this program: what `execve` keeps, and what it does not.
    pub fn become_image(&mut self, pid: Pid, image: &Image, env: &[(String, String)]) -> Result<()> {
        let process = self.process_mut(pid)?;
        if process.is_zombie() {
            return Err(Errno::ESRCH);
        }
        process.fds.close_for_exec();
        process.dispositions.retain(|_, d| *d == Disposition::Ignore);
        process.caught.clear();
        process.interrupted = false;
        process.creds.after_exec(image.set_uid, image.set_gid);
        process.name.clone_from(&image.name);
        process.argv = Rc::new(image.argv.clone());
        process.env = Rc::new(env.to_vec());
        process.exe = Some(image.exe.clone());
        if process.state == State::Held {
            process.state = State::Running;
        }
        let task = process.task.take();
        self.buried.extend(task);
        self.set_memory(pid, BASE_MEMORY);
        self.pass(Duration::from_micros(60));
        Ok(())
    }

    /// Finds a program as `execvp` does.
    pub fn find_program(&self, pid: Pid, name: &str, path_variable: &str) -> Result<String> {
        if name.is_empty() {
            return Err(Errno::ENOENT);
        }
        let candidates: Vec<String> = if name.contains('/') {
            vec![name.to_string()]
        } else {
            path_variable.split(':').map(|dir| format!("{}/{name}", if dir.is_empty() { "." } else { dir })).collect()
        };
        let mut worst = Errno::ENOENT;
        for path in candidates {
            match self.executable(pid, &path) {
                Ok(()) => return Ok(path),
                Err(Errno::EACCES) => worst = Errno::EACCES,
                Err(errno) if name.contains('/') => return Err(errno),
                Err(_) => {}
            }
        }
        Err(worst)
    }

    fn executable(&self, pid: Pid, path: &str) -> Result<()> {
        let place = self.resolve(pid, path)?;
        if place.node.kind() != FileKind::Regular {
            return Err(Errno::EACCES);
        }
        self.permit(pid, &place, access::EXECUTE)
    }

    /// `setresuid`, `setresgid` and `setgroups` at once.
    pub fn set_ids(&mut self, pid: Pid, uid: u32, gid: u32, groups: &[u32]) -> Result<()> {
        self.filter(pid, "setuid")?;
        let process = self.process_mut(pid)?;
        let creds = &mut process.creds;
        let may_gid =
            creds.can(Cap::Setgid) || ([creds.gid, creds.egid, creds.sgid].contains(&gid) && groups == creds.groups);
        let may_uid = creds.can(Cap::Setuid) || [creds.uid, creds.euid, creds.suid].contains(&uid);
        if !may_gid || !may_uid {
            return Err(Errno::EPERM);
        }
        creds.groups = groups.to_vec();
        creds.become_user(uid, gid);
        Ok(())
    }
}

impl Process {
    /// What /proc/PID/cmdline holds.
    pub fn command_line(&self) -> Vec<u8> {
        self.argv.iter().flat_map(|word| word.bytes().chain([0])).collect()
    }
}
