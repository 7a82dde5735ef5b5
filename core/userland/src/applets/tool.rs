//! One running tool: its words and environment, what it has yet to write, and how it reads files.
//!
//! Output and complaints wait in one queue, in their order, so that the logic of a tool can be plain
//! functions; the queue goes out at each [`Tool::turn`], before a read, and at the end.

use super::options::Options;
use crate::errno::Errno;
use crate::os::{Cost, Fd, OpenFlags, Os, Pid, Status, Wait, WaitFor};
use std::cell::RefCell;
use std::fmt::Display;

/// How a tool ended: an exit status either way; the error is for `?`.
pub type Ending = Result<i32, i32>;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;
/// Output waits until there is this much of it.
const FULL: usize = 16 * 1024;

pub struct Tool<O: Os> {
    pub os: O,
    /// The words after the name.
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    /// What it was called by, without folders.
    pub name: String,
    usage: &'static str,
    queue: RefCell<Vec<(Fd, Vec<u8>)>>,
}

impl<O: Os> Tool<O> {
    pub fn new(os: O, mut argv: Vec<String>, env: Vec<(String, String)>, usage: &'static str) -> Tool<O> {
        let first = if argv.is_empty() { String::new() } else { argv.remove(0) };
        let name = first.rsplit('/').next().unwrap_or("").trim_start_matches('-').to_string();
        Tool { os, args: argv, env, name, usage, queue: RefCell::new(Vec::new()) }
    }

    /// Writes what is left and gives the exit status.
    pub async fn finish(&self, ending: Ending) -> i32 {
        self.flush().await;
        match ending {
            Ok(code) | Err(code) => code & 255,
        }
    }

    pub fn var(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    // Output.

    fn queue(&self, fd: Fd, bytes: &[u8]) {
        let mut queue = self.queue.borrow_mut();
        match queue.last_mut() {
            Some((last, waiting)) if *last == fd => waiting.extend_from_slice(bytes),
            _ => queue.push((fd, bytes.to_vec())),
        }
    }
    pub fn print(&self, bytes: impl AsRef<[u8]>) {
        self.queue(1, bytes.as_ref());
    }
    pub fn line(&self, bytes: impl AsRef<[u8]>) {
        self.queue(1, bytes.as_ref());
        self.queue(1, b"\n");
    }
    /// Text to standard error, as it is.
    pub fn complain(&self, text: impl Display) {
        self.queue(2, text.to_string().as_bytes());
    }
    /// `name: text` on standard error.
    pub fn warn(&self, text: impl Display) {
        self.complain(format_args!("{}: {text}\n", self.name));
    }
    /// Warns, and gives the exit status 1 to leave with.
    pub fn die(&self, text: impl Display) -> i32 {
        self.warn(text);
        1
    }
    /// How it is used, on standard error; the exit status 1.
    pub fn usage(&self) -> i32 {
        self.complain(format_args!("Usage: {} {}\n", self.name, self.usage));
        1
    }

    /// Writes all that waits. Where nobody reads it any more, the tool ends quietly.
    pub async fn flush(&self) {
        let waiting = std::mem::take(&mut *self.queue.borrow_mut());
        for (fd, bytes) in waiting {
            if let Err(e) = self.write_all(fd, &bytes).await {
                if fd == 1 && e != Errno::EPIPE {
                    let text = format!("{}: write error: {e}\n", self.name);
                    let _ = self.write_all(2, text.as_bytes()).await;
                }
                if fd == 1 {
                    self.os.exit(1).await;
                }
            }
        }
    }

    /// Pays for `work` microseconds of computing and writes when much is waiting. To be called in every loop.
    pub async fn turn(&self, work: u64) {
        let full = self.queue.borrow().iter().map(|(_, b)| b.len()).sum::<usize>() >= FULL;
        if full {
            self.flush().await;
        }
        self.os.charge(Cost { cpu: work, memory: 0 }).await;
    }

    pub async fn write_all(&self, fd: Fd, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            match self.os.write(fd, bytes).await {
                Ok(0) => return Err(Errno::EIO),
                Ok(n) => bytes = &bytes[n..],
                Err(Errno::EINTR) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    // Words.

    /// Reads the options; wrong ones are answered with the usage and status 1, `--help` with it and 0.
    pub fn options(&self, letters: &str, long: &[(&str, char)]) -> Result<Options, i32> {
        self.options_of(&self.args, letters, long)
    }
    pub fn options_of(&self, words: &[String], letters: &str, long: &[(&str, char)]) -> Result<Options, i32> {
        if words.first().is_some_and(|w| w == "--help") {
            self.usage();
            return Err(0);
        }
        Options::parse(words, letters, long).map_err(|e| {
            self.warn(e);
            self.usage()
        })
    }
    /// A whole number, or busybox's complaint.
    pub fn number<T: std::str::FromStr>(&self, text: &str) -> Result<T, i32> {
        text.parse().map_err(|_| self.die(format_args!("invalid number '{text}'")))
    }

    // Input.

    /// Reads a chunk, empty at the end; what waits is written first.
    pub async fn read(&self, fd: Fd) -> Result<Vec<u8>, Errno> {
        self.read_at_most(fd, CHUNK).await
    }
    pub async fn read_at_most(&self, fd: Fd, max: usize) -> Result<Vec<u8>, Errno> {
        self.flush().await;
        loop {
            match self.os.read(fd, max).await {
                Err(Errno::EINTR) => {}
                other => {
                    let n = other.as_ref().map_or(0, Vec::len) as u64;
                    self.os.charge(Cost { cpu: 1 + n / 2048, memory: 0 }).await;
                    return other;
                }
            }
        }
    }
    /// Opens a file to read; `-` is standard input.
    pub async fn open(&self, path: &str) -> Result<Fd, Errno> {
        if path == "-" { Ok(0) } else { self.os.open(path, OpenFlags::READ, 0).await }
    }
    /// As [`Tool::open`], with the usual complaint `can't open 'x': why`.
    pub async fn open_or_warn(&self, path: &str) -> Option<Fd> {
        match self.open(path).await {
            Ok(fd) => Some(fd),
            Err(e) => {
                self.warn(format_args!("can't open '{path}': {e}"));
                None
            }
        }
    }
    /// As [`Tool::open`], with the shorter complaint `x: why`.
    pub async fn open_or_name(&self, path: &str) -> Option<Fd> {
        match self.open(path).await {
            Ok(fd) => Some(fd),
            Err(e) => {
                self.warn(format_args!("{path}: {e}"));
                None
            }
        }
    }
    /// Closes what [`Tool::open`] opened.
    pub fn close(&self, fd: Fd) {
        if fd > 2 {
            let _ = self.os.close(fd);
        }
    }
    /// All that can be read, which is held in memory and paid for.
    pub async fn read_to_end(&self, fd: Fd) -> Result<Vec<u8>, Errno> {
        let mut all = Vec::new();
        loop {
            let chunk = self.read(fd).await?;
            if chunk.is_empty() {
                return Ok(all);
            }
            self.os.charge(Cost { cpu: 0, memory: chunk.len() as i64 }).await;
            all.extend_from_slice(&chunk);
        }
    }
    pub async fn read_file(&self, path: &str) -> Result<Vec<u8>, Errno> {
        let fd = self.open(path).await?;
        let bytes = self.read_to_end(fd).await;
        self.close(fd);
        bytes
    }
    /// A small text file, empty where it can't be read.
    pub async fn text(&self, path: &str) -> String {
        self.read_file(path).await.map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
    }
    pub async fn write_file(&self, path: &str, bytes: &[u8], flags: OpenFlags, mode: u32) -> Result<(), Errno> {
        let fd = self.os.open(path, flags, mode).await?;
        let written = self.write_all(fd, bytes).await;
        self.close(fd);
        written
    }
    pub fn lines(&self, fd: Fd) -> Lines<'_, O> {
        Lines { tool: self, fd, buffer: Vec::new(), at: 0, end: false }
    }

    // Other programs.

    /// Where a command is: as it is written with a `/` in it, else in the first folder of `PATH` that has it.
    pub fn look_up(&self, command: &str) -> Result<String, Errno> {
        if command.contains('/') {
            return Ok(command.to_string());
        }
        let path = self.var("PATH").unwrap_or("/sbin:/usr/sbin:/bin:/usr/bin");
        let mut failure = Errno::ENOENT;
        for folder in path.split(':') {
            let full = if folder.is_empty() { command.to_string() } else { format!("{folder}/{command}") };
            match self.os.stat(&full) {
                Ok(stat) if stat.kind == crate::os::FileKind::Regular && self.os.access(&full, 1).is_ok() => {
                    return Ok(full);
                }
                Ok(_) => failure = Errno::EACCES,
                Err(_) => {}
            }
        }
        Err(failure)
    }
    /// Becomes another program. Returns only where that failed: 126 or 127, after the complaint.
    pub async fn exec(&self, argv: &[String], env: &[(String, String)]) -> i32 {
        self.flush().await;
        let e = match self.look_up(&argv[0]) {
            Ok(path) => self.os.exec(&path, argv, env).await,
            Err(e) => e,
        };
        self.warn(format_args!("can't execute '{}': {e}", argv[0]));
        if e == Errno::ENOENT { 127 } else { 126 }
    }
    /// Starts a child that becomes another program; `plain` leaves `can't execute` out of its complaint.
    pub async fn spawn(&self, argv: Vec<String>, plain: bool) -> Result<Pid, Errno> {
        self.flush().await;
        let (name, env, path) = (self.name.clone(), self.env.clone(), self.look_up(&argv[0]));
        self.os.fork(move |os| {
            Box::pin(async move {
                let e = match path {
                    Ok(path) => os.exec(&path, &argv, &env).await,
                    Err(e) => e,
                };
                let text = match plain {
                    true => format!("{name}: {}: {e}\n", argv[0]),
                    false => format!("{name}: can't execute '{}': {e}\n", argv[0]),
                };
                let _ = os.write(2, text.as_bytes()).await;
                if e == Errno::ENOENT { 127 } else { 126 }
            })
        })
    }
    /// Waits for one child to end.
    pub async fn wait_for(&self, pid: Pid) -> Result<Status, Errno> {
        loop {
            match self.os.wait(Wait { who: WaitFor::Pid(pid), no_hang: false, untraced: false }).await {
                Ok((_, status)) => return Ok(status),
                Err(Errno::EINTR) => {}
                Err(e) => return Err(e),
            }
        }
    }
    /// Runs another program to its end: its status as the shell shows it.
    pub async fn run(&self, argv: Vec<String>, plain: bool) -> Result<i32, Errno> {
        let pid = self.spawn(argv, plain).await?;
        Ok(self.wait_for(pid).await?.code())
    }
}

/// The lines of a descriptor, read as they come.
pub struct Lines<'a, O: Os> {
    tool: &'a Tool<O>,
    fd: Fd,
    buffer: Vec<u8>,
    at: usize,
    end: bool,
}

impl<O: Os> Lines<'_, O> {
    /// The next line without its newline.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Errno> {
        Ok(self.until(b'\n').await?.map(|(line, _)| line))
    }
    /// The next piece without its delimiter, and whether that was there.
    pub async fn until(&mut self, delimiter: u8) -> Result<Option<(Vec<u8>, bool)>, Errno> {
        let mut searched = self.at;
        loop {
            if let Some(n) = self.buffer[searched..].iter().position(|b| *b == delimiter) {
                let line = self.buffer[self.at..searched + n].to_vec();
                self.at = searched + n + 1;
                self.tool.turn(1).await;
                return Ok(Some((line, true)));
            }
            if self.end {
                let line = self.buffer[self.at..].to_vec();
                self.at = self.buffer.len();
                return Ok((!line.is_empty()).then_some((line, false)));
            }
            self.buffer.drain(..self.at);
            self.at = 0;
            searched = self.buffer.len();
            let chunk = self.tool.read(self.fd).await?;
            self.end = chunk.is_empty();
            if !self.buffer.is_empty() {
                // A line without an end is held in memory, and an endless one must be felt.
                self.tool.os.charge(Cost { cpu: 0, memory: chunk.len() as i64 }).await;
            }
            self.buffer.extend_from_slice(&chunk);
        }
    }
    /// What was read and not yet given.
    pub fn rest(&mut self) -> Vec<u8> {
        let rest = self.buffer.split_off(self.at);
        self.at = self.buffer.len();
        rest
    }
}
