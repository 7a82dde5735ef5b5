//! Terminals: a pseudo-terminal's two sides and the line discipline between them.
//!
//! What is typed at the master passes the discipline: echo, erasing, lines, keys that send signals. What
//! processes write at the slave comes out at the master, newlines made `\r\n`. Source: `termios(3)`, `pty(7)`.

use super::executor::Waiters;
use cutaway_userland::Errno;
use cutaway_userland::os::{Pid, Result, Signal, WindowSize};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::{Poll, Waker};

/// How much unread output makes a writer wait.
const CAPACITY: usize = 65_536;
/// The longest line that can be edited (`N_TTY_BUF_SIZE`).
const LINE: usize = 4095;

pub(crate) struct Tty {
    /// N of `/dev/pts/N`, once it is registered.
    pub index: Cell<Option<u32>>,
    state: RefCell<State>,
    /// Host id of the foreground process group; 0 for none.
    pub foreground: Cell<Pid>,
    /// Host id of the session whose controlling terminal it is; 0 for none.
    pub session: Cell<Pid>,
    pub masters: Cell<u32>,
    pub slaves: Cell<u32>,
    /// Every master has been closed.
    pub hung_up: Cell<bool>,
    /// A slave has been open at some time: output can end.
    was_open: Cell<bool>,
    pub changed: Waiters,
}

struct State {
    raw: bool,
    size: WindowSize,
    /// The line that is being edited.
    line: Vec<u8>,
    /// What can be read: a line each, or what came in raw; an empty one is an end of file.
    input: VecDeque<Vec<u8>>,
    output: VecDeque<u8>,
}

impl Tty {
    pub fn new(size: WindowSize) -> Tty {
        let state = State { raw: false, size, line: Vec::new(), input: VecDeque::new(), output: VecDeque::new() };
        Tty {
            index: Cell::new(None),
            state: RefCell::new(state),
            foreground: Cell::new(0),
            session: Cell::new(0),
            masters: Cell::new(0),
            slaves: Cell::new(0),
            hung_up: Cell::new(false),
            was_open: Cell::new(false),
            changed: Waiters::default(),
        }
    }

    pub fn add_slave(&self) {
        self.slaves.set(self.slaves.get() + 1);
        self.was_open.set(true);
    }

    pub fn drop_slave(&self) {
        self.slaves.set(self.slaves.get().saturating_sub(1));
        self.changed.wake();
    }

    pub fn add_master(&self) {
        self.masters.set(self.masters.get() + 1);
    }

    pub fn drop_master(&self) {
        self.masters.set(self.masters.get().saturating_sub(1));
        if self.masters.get() == 0 {
            self.hung_up.set(true);
        }
        self.changed.wake();
    }

    pub fn is_raw(&self) -> bool {
        self.state.borrow().raw
    }

    pub fn set_raw(&self, raw: bool) {
        let mut state = self.state.borrow_mut();
        if raw && !state.raw {
            let line = std::mem::take(&mut state.line);
            if !line.is_empty() {
                state.input.push_back(line);
            }
        }
        state.raw = raw;
        drop(state);
        self.changed.wake();
    }

    pub fn size(&self) -> WindowSize {
        self.state.borrow().size
    }

    /// Whether it changed.
    pub fn set_size(&self, size: WindowSize) -> bool {
        let mut state = self.state.borrow_mut();
        let changed = state.size != size;
        state.size = size;
        changed
    }

    /// A process reads: one line, or what was typed; empty at `^D` and after a hang-up.
    pub fn read(&self, max: usize, waker: &Waker) -> Poll<Vec<u8>> {
        let mut state = self.state.borrow_mut();
        let Some(mut chunk) = state.input.pop_front() else {
            if self.hung_up.get() || max == 0 {
                return Poll::Ready(Vec::new());
            }
            self.changed.add(waker);
            return Poll::Pending;
        };
        if chunk.len() > max {
            let rest = chunk.split_off(max);
            state.input.push_front(rest);
        }
        Poll::Ready(chunk)
    }

    pub fn readable(&self) -> bool {
        self.hung_up.get() || !self.state.borrow().input.is_empty()
    }

    /// A process writes.
    pub fn write(&self, bytes: &[u8], waker: &Waker) -> Poll<Result<usize>> {
        if self.hung_up.get() {
            return Poll::Ready(Err(Errno::EIO));
        }
        let mut state = self.state.borrow_mut();
        if state.output.len() >= CAPACITY {
            self.changed.add(waker);
            return Poll::Pending;
        }
        let count = bytes.len().min(CAPACITY - state.output.len());
        let raw = state.raw;
        emit(&mut state.output, &bytes[..count], raw);
        drop(state);
        self.changed.wake();
        Poll::Ready(Ok(count))
    }

    pub fn writable(&self) -> bool {
        self.state.borrow().output.len() < CAPACITY
    }

    /// The master reads what was printed; empty when the last slave was closed.
    pub fn master_read(&self, max: usize, waker: &Waker) -> Poll<Vec<u8>> {
        let taken = self.take_output(max);
        if !taken.is_empty() || max == 0 {
            return Poll::Ready(taken);
        }
        if self.was_open.get() && self.slaves.get() == 0 {
            return Poll::Ready(Vec::new());
        }
        self.changed.add(waker);
        Poll::Pending
    }

    pub fn take_output(&self, max: usize) -> Vec<u8> {
        let mut state = self.state.borrow_mut();
        let count = max.min(state.output.len());
        let taken: Vec<u8> = state.output.drain(..count).collect();
        drop(state);
        if count > 0 {
            self.changed.wake();
        }
        taken
    }

    pub fn master_readable(&self) -> bool {
        !self.state.borrow().output.is_empty() || (self.was_open.get() && self.slaves.get() == 0)
    }

    /// The master types. The answer is the signals to send to the foreground group.
    pub fn type_in(&self, bytes: &[u8]) -> Vec<Signal> {
        let mut signals = Vec::new();
        let mut state = self.state.borrow_mut();
        if state.raw {
            if !bytes.is_empty() {
                state.input.push_back(bytes.to_vec());
            }
        } else {
            for byte in bytes {
                signals.extend(state.key(*byte));
            }
        }
        drop(state);
        self.changed.wake();
        signals
    }
}

/// Appends what a process prints, as the terminal is to see it.
fn emit(output: &mut VecDeque<u8>, bytes: &[u8], raw: bool) {
    for byte in bytes {
        if *byte == b'\n' && !raw {
            output.push_back(b'\r');
        }
        output.push_back(*byte);
    }
}

impl State {
    /// One key in cooked mode.
    fn key(&mut self, byte: u8) -> Option<Signal> {
        let signal = match byte {
            0x03 => Some(Signal::INT),
            0x1c => Some(Signal::QUIT),
            0x1a => Some(Signal::TSTP),
            _ => None,
        };
        if signal.is_some() {
            self.echo(byte);
            self.line.clear();
            self.input.clear();
            return signal;
        }
        match byte {
            b'\r' | b'\n' => {
                self.line.push(b'\n');
                emit(&mut self.output, b"\n", false);
                self.finish();
            }
            // ^D: what there is, without a newline; nothing is an end of file.
            0x04 => self.finish(),
            0x7f | 0x08 => self.erase(),
            0x15 => {
                while !self.line.is_empty() {
                    self.erase();
                }
            }
            0x17 => {
                while self.line.last() == Some(&b' ') {
                    self.erase();
                }
                while self.line.last().is_some_and(|b| *b != b' ') {
                    self.erase();
                }
            }
            _ if self.line.len() < LINE => {
                self.line.push(byte);
                self.echo(byte);
            }
            _ => {}
        }
        None
    }

    fn finish(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.input.push_back(line);
    }

    /// Takes back the last character (all bytes of it).
    fn erase(&mut self) {
        let mut width = 1;
        while let Some(byte) = self.line.pop() {
            if byte & 0xc0 == 0x80 {
                continue;
            }
            if byte < 0x20 && byte != b'\t' {
                width = 2;
            }
            for _ in 0..width {
                self.output.extend(b"\x08 \x08");
            }
            return;
        }
    }

    fn echo(&mut self, byte: u8) {
        if byte < 0x20 && byte != b'\t' {
            self.output.extend([b'^', byte + 0x40]);
        } else {
            self.output.push_back(byte);
        }
    }
}
