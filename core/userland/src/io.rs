//! What every program needs around single system calls: writing all of a text, reading all of a
//! file, reading line by line, and the form of an error message.

use crate::errno::Errno;
use crate::os::{Cost, Fd, OpenFlags, Os, Result};

/// How much one `read` asks for.
pub const CHUNK: usize = 64 * 1024;

pub const STDIN: Fd = 0;
pub const STDOUT: Fd = 1;
pub const STDERR: Fd = 2;

/// Writes all of `bytes`, however many calls that takes.
pub async fn write_all<O: Os>(os: &O, fd: Fd, bytes: &[u8]) -> Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match os.write(fd, rest).await? {
            0 => return Err(Errno::EIO),
            count => rest = &rest[count.min(rest.len())..],
        }
    }
    Ok(())
}

/// Writes a text to standard output.
pub async fn print<O: Os>(os: &O, text: &str) -> Result<()> {
    write_all(os, STDOUT, text.as_bytes()).await
}

/// Writes one line to standard error; `message` comes without its newline, as `cat: /x: Is a directory`.
/// A failure is not told: there is nowhere left to tell it.
pub async fn eprint<O: Os>(os: &O, message: &str) {
    let _ = write_all(os, STDERR, format!("{message}\n").as_bytes()).await;
}

/// Reads from `fd` until the end of the file.
pub async fn read_to_end<O: Os>(os: &O, fd: Fd) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let bytes = os.read(fd, CHUNK).await?;
        if bytes.is_empty() {
            return Ok(all);
        }
        os.charge(Cost { cpu: 1, memory: bytes.len() as i64 }).await;
        all.extend(bytes);
    }
}

/// Reads a whole file.
pub async fn read_file<O: Os>(os: &O, path: &str) -> Result<Vec<u8>> {
    let fd = os.open(path, OpenFlags::READ, 0).await?;
    let result = read_to_end(os, fd).await;
    let _ = os.close(fd);
    result
}

/// Reads a descriptor line by line, in large chunks. What it has read ahead is its own: where another
/// program shall go on reading from the same place, read byte by byte instead.
#[derive(Debug)]
pub struct Lines {
    fd: Fd,
    buffer: Vec<u8>,
    start: usize,
    ended: bool,
}

impl Lines {
    pub fn new(fd: Fd) -> Lines {
        Lines { fd, buffer: Vec::new(), start: 0, ended: false }
    }

    /// The next line with its newline (the last may lack it), or `None` at the end of the file.
    pub async fn next<O: Os>(&mut self, os: &O) -> Result<Option<Vec<u8>>> {
        let mut searched = self.start;
        loop {
            if let Some(at) = self.buffer[searched..].iter().position(|b| *b == b'\n') {
                let line = self.buffer[self.start..=searched + at].to_vec();
                self.start = searched + at + 1;
                return Ok(Some(line));
            }
            if self.ended {
                let rest = self.buffer.split_off(self.start);
                self.buffer.clear();
                self.start = 0;
                return Ok((!rest.is_empty()).then_some(rest));
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            searched = self.buffer.len();
            let bytes = os.read(self.fd, CHUNK).await?;
            os.charge(Cost { cpu: 1, memory: 0 }).await;
            self.ended = bytes.is_empty();
            self.buffer.extend(bytes);
        }
    }
}
