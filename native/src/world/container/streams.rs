//! A process's standard streams in the supervisor: output goes to the log and to everybody attached, input
//! comes from whoever writes it. From another process, attaching goes through a socket beside the state.

use crate::sys;
use cutaway_core::world::acts::Stdio;
use cutaway_core::world::{Chunk, Console, LocalFut, Stream};
use cutaway_userland::os::WindowSize;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How many pieces of output wait for a slow reader before the container waits for it.
const WAITING: usize = 64;
const PIECE: usize = 32 * 1024;

/// The supervisor's side of a process's streams.
pub struct Hub {
    pub stdio: Stdio,
    readers: RefCell<Vec<Sender<Chunk>>>,
    input: RefCell<Option<Sender<Vec<u8>>>>,
    /// The outer end of the terminal, where there is one.
    terminal: RefCell<Option<Rc<OwnedFd>>>,
    size: Cell<Option<WindowSize>>,
    /// Output streams still open. Those who attach when there are none read nothing.
    open: Cell<usize>,
    over: Cell<bool>,
    finished: tokio::sync::Notify,
    /// What came before anybody was attached, where it is kept for the first one (`exec`).
    earlier: RefCell<Option<Vec<Chunk>>>,
}

/// So many bytes are kept for the first who attaches; the rest is lost on nobody.
const EARLIER: usize = 256 * 1024;

/// What takes a copy of the output: the log.
pub type Sink = Rc<dyn Fn(Stream, &[u8])>;

/// Reads or writes a descriptor without blocking the thread.
async fn read_some(fd: &AsyncFd<Rc<OwnedFd>>, buffer: &mut [u8]) -> std::io::Result<usize> {
    loop {
        let mut guard = fd.readable().await?;
        let attempt = guard.try_io(|inner| nix::unistd::read(inner.get_ref(), buffer).map_err(std::io::Error::from));
        if let Ok(result) = attempt {
            return result;
        }
    }
}

async fn write_all(fd: &AsyncFd<Rc<OwnedFd>>, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let mut guard = fd.writable().await?;
        let attempt = guard.try_io(|inner| nix::unistd::write(inner.get_ref(), bytes).map_err(std::io::Error::from));
        match attempt {
            Ok(Ok(n)) => bytes = &bytes[n..],
            Ok(Err(e)) => return Err(e),
            Err(_) => {}
        }
    }
    Ok(())
}

impl Hub {
    /// `keep` holds early output for the first who attaches.
    pub fn new(stdio: Stdio, keep: bool) -> Rc<Hub> {
        Rc::new(Hub {
            stdio,
            readers: RefCell::new(Vec::new()),
            input: RefCell::new(None),
            terminal: RefCell::new(None),
            size: Cell::new(None),
            open: Cell::new(0),
            over: Cell::new(false),
            finished: tokio::sync::Notify::new(),
            earlier: RefCell::new(keep.then(Vec::new)),
        })
    }

    /// Takes over the outer ends of three pipes.
    pub fn pipes(self: &Rc<Hub>, stdin: Option<OwnedFd>, stdout: OwnedFd, stderr: OwnedFd, log: Option<Sink>) {
        if let Some(stdin) = stdin {
            self.take_input(Rc::new(stdin));
        }
        self.pump(Rc::new(stdout), Stream::Out, log.clone());
        self.pump(Rc::new(stderr), Stream::Err, log);
    }

    /// Takes over the outer end of a terminal.
    pub fn terminal(self: &Rc<Hub>, outer: OwnedFd, log: Option<Sink>) {
        let outer = Rc::new(outer);
        *self.terminal.borrow_mut() = Some(outer.clone());
        if let Some(size) = self.size.get() {
            self.resize(size);
        }
        if self.stdio.stdin {
            self.take_input(outer.clone());
        }
        self.pump(outer, Stream::Out, log);
    }

    fn take_input(self: &Rc<Hub>, fd: Rc<OwnedFd>) {
        // A terminal's descriptor is registered once for each direction, so each gets a copy.
        let Ok(copy) = fd.try_clone() else { return };
        let _ = sys::set_nonblocking(&copy, true);
        let (sender, mut receiver) = channel::<Vec<u8>>(WAITING);
        *self.input.borrow_mut() = Some(sender);
        let Some(fd) = sys::waitable(Rc::new(copy), Interest::WRITABLE) else { return };
        tokio::task::spawn_local(async move {
            while let Some(bytes) = receiver.recv().await {
                if write_all(&fd, &bytes).await.is_err() {
                    break;
                }
            }
        });
    }

    fn pump(self: &Rc<Hub>, fd: Rc<OwnedFd>, from: Stream, log: Option<Sink>) {
        let _ = sys::set_nonblocking(&fd, true);
        let Some(fd) = sys::waitable(fd, Interest::READABLE) else { return };
        self.open.set(self.open.get() + 1);
        let hub = self.clone();
        tokio::task::spawn_local(async move {
            let mut buffer = vec![0; PIECE];
            loop {
                // A terminal whose inner end is closed says EIO.
                let n = match read_some(&fd, &mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(n) => n,
                };
                if let Some(log) = &log {
                    log(from, &buffer[..n]);
                }
                hub.hand_out(Chunk { from, bytes: buffer[..n].to_vec() }).await;
            }
            if let Some(log) = &log {
                log(from, &[]);
            }
            hub.open.set(hub.open.get() - 1);
            if hub.open.get() == 0 {
                hub.end();
            }
        });
    }

    /// Ends everybody's reading.
    pub fn end(&self) {
        self.over.set(true);
        self.readers.borrow_mut().clear();
        *self.input.borrow_mut() = None;
        self.finished.notify_waiters();
    }

    async fn hand_out(&self, chunk: Chunk) {
        let readers: Vec<Sender<Chunk>> = self.readers.borrow().clone();
        if readers.is_empty()
            && let Some(earlier) = self.earlier.borrow_mut().as_mut()
            && earlier.iter().map(|c| c.bytes.len()).sum::<usize>() < EARLIER
        {
            earlier.push(chunk);
            return;
        }
        for reader in readers {
            if reader.send(chunk.clone()).await.is_err() {
                self.readers.borrow_mut().retain(|r| !r.same_channel(&reader));
            }
        }
    }

    /// Waits until all output has been read.
    pub async fn drained(&self) {
        let ended = self.finished.notified();
        if self.open.get() > 0 {
            ended.await;
        }
    }

    fn resize(&self, size: WindowSize) {
        self.size.set(Some(size));
        if let Some(terminal) = self.terminal.borrow().as_ref() {
            let size = libc::winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
            // SAFETY: TIOCSWINSZ reads the structure, which lives through the call.
            unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &size) };
        }
    }

    /// A connection within this process. When the process is over it reads what was kept, or nothing.
    pub fn connect(self: &Rc<Hub>) -> Rc<dyn Console> {
        let (sender, receiver) = channel(WAITING);
        if !self.over.get() {
            self.readers.borrow_mut().push(sender);
        }
        let earlier = self.earlier.borrow_mut().take().unwrap_or_default();
        let output = Output { earlier: earlier.into(), later: receiver };
        Rc::new(Local { hub: self.clone(), output: Rc::new(tokio::sync::Mutex::new(output)), wrote: Cell::new(false) })
    }
}

struct Output {
    earlier: VecDeque<Chunk>,
    later: Receiver<Chunk>,
}

struct Local {
    hub: Rc<Hub>,
    output: Rc<tokio::sync::Mutex<Output>>,
    wrote: Cell<bool>,
}

impl Console for Local {
    fn read(&self) -> LocalFut<Option<Chunk>> {
        let output = self.output.clone();
        Box::pin(async move {
            let mut output = output.lock().await;
            match output.earlier.pop_front() {
                Some(chunk) => Some(chunk),
                None => output.later.recv().await,
            }
        })
    }

    fn write(&self, bytes: &[u8]) -> LocalFut<()> {
        self.wrote.set(true);
        let (sender, bytes) = (self.hub.input.borrow().clone(), bytes.to_vec());
        Box::pin(async move {
            if let Some(sender) = sender {
                let _ = sender.send(bytes).await;
            }
        })
    }

    fn close_input(&self) {
        // A terminal has no end of input of its own.
        if self.hub.terminal.borrow().is_none() {
            *self.hub.input.borrow_mut() = None;
        }
    }

    fn resize(&self, size: WindowSize) {
        self.hub.resize(size);
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if self.hub.stdio.stdin_once && self.wrote.get() {
            self.close_input();
        }
    }
}

/// Kinds of the frames on an attach socket: one byte, a length of four, the bytes.
mod frame {
    pub const INPUT: u8 = 0;
    pub const OUT: u8 = 1;
    pub const ERR: u8 = 2;
    pub const CLOSE_INPUT: u8 = 3;
    pub const RESIZE: u8 = 4;
}

mod remote {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;
    use tokio::net::unix::OwnedReadHalf;

    async fn read_frame(from: &mut OwnedReadHalf) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        from.read_exact(&mut head).await.ok()?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if length > 1 << 24 {
            return None;
        }
        let mut body = vec![0; length];
        from.read_exact(&mut body).await.ok()?;
        Some((head[0], body))
    }

    fn frame_of(kind: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![kind];
        out.extend((bytes.len() as u32).to_le_bytes());
        out.extend(bytes);
        out
    }

    /// Serves one client of the attach socket.
    pub async fn serve(stream: UnixStream, console: Rc<dyn Console>) {
        let (mut from, mut to) = stream.into_split();
        let inward = console.clone();
        let reading = tokio::task::spawn_local(async move {
            while let Some((kind, body)) = read_frame(&mut from).await {
                match (kind, body.as_slice()) {
                    (frame::INPUT, bytes) => inward.write(bytes).await,
                    (frame::CLOSE_INPUT, _) => inward.close_input(),
                    (frame::RESIZE, [r0, r1, c0, c1]) => inward.resize(WindowSize {
                        rows: u16::from_le_bytes([*r0, *r1]),
                        columns: u16::from_le_bytes([*c0, *c1]),
                    }),
                    _ => break,
                }
            }
        });
        loop {
            let chunk = tokio::select! {
                chunk = console.read() => chunk,
                () = gone(&reading) => None,
            };
            let Some(chunk) = chunk else { break };
            let kind = if chunk.from == Stream::Err { frame::ERR } else { frame::OUT };
            if to.write_all(&frame_of(kind, &chunk.bytes)).await.is_err() {
                break;
            }
        }
        reading.abort();
    }

    async fn gone(task: &tokio::task::JoinHandle<()>) {
        while !task.is_finished() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    pub struct Remote {
        output: Rc<tokio::sync::Mutex<OwnedReadHalf>>,
        input: Sender<Vec<u8>>,
    }

    impl Remote {
        pub fn new(stream: UnixStream) -> Remote {
            let (output, mut to) = stream.into_split();
            let (input, mut waiting) = channel::<Vec<u8>>(WAITING);
            tokio::task::spawn_local(async move {
                while let Some(bytes) = waiting.recv().await {
                    if to.write_all(&bytes).await.is_err() {
                        break;
                    }
                }
            });
            Remote { output: Rc::new(tokio::sync::Mutex::new(output)), input }
        }
    }

    impl Console for Remote {
        fn read(&self) -> LocalFut<Option<Chunk>> {
            let output = self.output.clone();
            Box::pin(async move {
                let (kind, bytes) = read_frame(&mut *output.lock().await).await?;
                Some(Chunk { from: if kind == frame::ERR { Stream::Err } else { Stream::Out }, bytes })
            })
        }
        fn write(&self, bytes: &[u8]) -> LocalFut<()> {
            let (input, message) = (self.input.clone(), frame_of(frame::INPUT, bytes));
            Box::pin(async move { drop(input.send(message).await) })
        }
        fn close_input(&self) {
            let _ = self.input.try_send(frame_of(frame::CLOSE_INPUT, &[]));
        }
        fn resize(&self, size: WindowSize) {
            let mut body = size.rows.to_le_bytes().to_vec();
            body.extend(size.columns.to_le_bytes());
            let _ = self.input.try_send(frame_of(frame::RESIZE, &body));
        }
    }
}

pub use remote::{Remote, serve};
